import type { Recording } from '../leases/recording.js';
import { LEAST_ACQUIRES, type SizeOptions, sizePool } from './size-pool.js';
import type { Fleet, PoolSizing, SizeResult, Unsized } from './types.js';

/** The p99 wait that is good enough unless the user says otherwise, in milliseconds. */
export const DEFAULT_TARGET_MS = 10;

export interface FleetOptions {
  /** Processes that run the application. null: as many as there are recordings. */
  readonly instances: number | null;
  readonly maxConnections: number | null;
  /** The part of max_connections that applications do not get. */
  readonly reserved: number;
  /** Server connections of PgBouncer, if the application connects through one. */
  readonly pgbouncerPoolSize: number | null;
}

/** A recording and the file that it came from. */
export interface RecordingFile {
  readonly file: string;
  readonly recording: Recording;
}

/** Sizes every pool of the recordings. */
export function sizeRecordings(
  files: readonly RecordingFile[],
  options: SizeOptions & FleetOptions,
): { readonly result: SizeResult; readonly unsized: readonly Unsized[] } {
  const unsized: Unsized[] = [];
  const pools = files.flatMap(({ file, recording }) =>
    recording.pools.flatMap((pool) => {
      const { count } = pool.leases;
      if (count >= LEAST_ACQUIRES) return [sizePool(pool, file, recording.durationMs, options)];
      unsized.push({
        ...{ file, name: pool.name },
        why: `${count} acquires were recorded; a 99th percentile needs ${LEAST_ACQUIRES}`,
      });
      return [];
    }),
  );
  const recordings = files.map(({ file, recording }) => ({
    file,
    app: recording.process?.app ?? null,
    pid: recording.process?.pid ?? null,
    startedAt: recording.process === null ? null : new Date(recording.process.startedAtMs).toISOString(),
    durationMs: recording.durationMs,
    acquires: recording.pools.reduce((sum, { leases }) => sum + leases.count, 0),
    end: recording.end,
    lostBytes: recording.lostBytes,
  }));
  const fleet = fleetOf(pools, options, files.length);
  return { result: { schema: 1, kind: 'size', recordings, pools, fleet }, unsized };
}

/** Recordings of several processes have the same pools: of each the largest size counts. */
function fleetOf(pools: readonly PoolSizing[], options: FleetOptions, files: number): Fleet | null {
  const sizes = new Map<string, number>();
  const means = new Map<string, number>();
  for (const { name, recommendation, little } of pools) {
    if (recommendation.size === null) return null;
    sizes.set(name, Math.max(sizes.get(name) ?? 0, recommendation.size));
    means.set(name, Math.max(means.get(name) ?? 0, little.meanInUse));
  }
  if (sizes.size === 0) return null;
  const instances = options.instances ?? files;
  const perInstance = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const neededMean = instances * [...means.values()].reduce((sum, mean) => sum + mean, 0);
  const { maxConnections, reserved, pgbouncerPoolSize } = options;
  const connections = instances * perInstance;
  const pgbouncer = pgbouncerPoolSize === null ? null : { serverConnections: pgbouncerPoolSize, neededMean };
  const atServer = pgbouncer === null ? connections : pgbouncer.serverConnections;
  return {
    ...{ instances, perInstance, connections, maxConnections, reserved, pgbouncer },
    headroom: maxConnections === null ? null : maxConnections - reserved - atServer,
  };
}

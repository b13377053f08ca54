import { readRecording } from '../leases/file.js';
import { Fate, type LeaseColumns, type RecordedPool, type Recording } from '../leases/recording.js';
import { DEFAULT_TARGET_MS } from '../sizing/size.js';
import { LEAST_ACQUIRES, sizePool } from '../sizing/size-pool.js';
import type { PoolSizing } from '../sizing/types.js';

/** A recording of leases that goes on, and the source of its application. */
export interface RecordedSource {
  readonly source: string;
  readonly path: string;
}

/** The size that a pool needs by its leases so far. */
export interface SizedPool {
  readonly source: string;
  readonly pool: string;
  /** Acquires in the recording. */
  readonly acquires: number;
  /** Acquires without which there is no size. */
  readonly needed: number;
  /** null: too few acquires. */
  readonly sizing: PoolSizing | null;
}

/** Later leases of a long recording replace earlier ones, because each replay takes time. */
const MOST_ACQUIRES = 50_000;

/** Sizes the pools of recordings as `poolctl size` does. Throws RecordingError where a file cannot be read. */
export async function sizedPools(sources: readonly RecordedSource[]): Promise<readonly SizedPool[]> {
  const read = await Promise.all(
    sources.map(async ({ source, path }) => ({ source, path, recording: await readRecording(path) })),
  );
  return read.flatMap(({ source, path, recording }) =>
    recording.pools.map((pool): SizedPool => {
      const acquires = pool.leases.count;
      const about = { source, pool: pool.name, acquires, needed: LEAST_ACQUIRES };
      if (acquires < LEAST_ACQUIRES) return { ...about, sizing: null };
      const latest = latestOf(pool, recording);
      const options = { targetMs: DEFAULT_TARGET_MS, growth: 1, sizes: [] };
      return { ...about, sizing: sizePool(latest.pool, path, latest.durationMs, options) };
    }),
  );
}

/** The latest acquires, and the older ones that are still out, as a recording of their own. */
function latestOf(
  pool: RecordedPool,
  { durationMs }: Recording,
): { readonly pool: RecordedPool; readonly durationMs: number } {
  const { leases, connects, gauges } = pool;
  const first = leases.count - MOST_ACQUIRES;
  if (first <= 0) return { pool, durationMs };
  const fromMs = leases.askedMs[first] ?? 0;
  const isOut = (at: number): boolean => leases.fate[at] === Fate.Out || leases.fate[at] === Fate.OnPurpose;
  const rows = Array.from({ length: leases.count }, (_, at) => at).filter((at) => at >= first || isOut(at));
  const since = <One extends { readonly atMs: number }>(all: readonly One[]): One[] =>
    all.filter(({ atMs }) => atMs >= fromMs).map((one) => ({ ...one, atMs: one.atMs - fromMs }));
  const columns: LeaseColumns = {
    count: rows.length,
    askedMs: Float64Array.from(rows, (at) => Math.max(0, (leases.askedMs[at] ?? 0) - fromMs)),
    waitedMs: Float64Array.from(rows, (at) => leases.waitedMs[at] ?? 0),
    heldMs: Float64Array.from(rows, (at) => leases.heldMs[at] ?? 0),
    site: Int32Array.from(rows, (at) => leases.site[at] ?? 0),
    fate: Uint8Array.from(rows, (at) => leases.fate[at] ?? 0),
  };
  return {
    pool: { ...pool, leases: columns, connects: since(connects), gauges: since(gauges) },
    durationMs: durationMs - fromMs,
  };
}

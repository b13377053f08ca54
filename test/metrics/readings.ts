import { Registry } from 'prom-client';
import { Histogram } from '../../src/base/histogram.js';
import { Exposition, type ExpositionOptions, type SourceReading } from '../../src/metrics/exposition.js';
import { newCounters } from '../../src/pool/counters.js';
import type { Reading } from '../../src/snapshot/reading.js';
import { toReading } from '../../src/sources/pgbouncer-rows.js';
import { sampleOf, type Version } from '../sources/pgbouncer-samples.js';

type Pool = Reading['pools'][number];

/** A reading of an application with one pool, of which the test says what matters to it. */
export function poolReading(...pools: readonly Partial<Pool>[]): Reading {
  return {
    ...{ source: 'pool:/run/app.sock', kind: 'pool', takenAtMs: 1 },
    pools: pools.map((pool) => ({
      ...{ schema: 1, name: 'orders', driver: 'pg', takenAtMs: 1, size: 5, maxOverflow: 10, live: 3 },
      ...{ idle: 1, inUse: 2, overflow: 0, creating: 0, waiting: 0, peakWaiting: 4, peakInUse: 3 },
      ...{ longestWaitMs: null, longestHoldMs: 1500, createError: null, closed: false, holders: [] },
      ...{ wait: null, hold: null, counters: { ...newCounters(), acquired: 7 } },
      app: { name: 'shop', pid: 1, host: 'here', node: 'v20', startedAtMs: 1 },
      ...pool,
    })),
    ...{ backends: [], server: null, pooler: null, gaps: [] },
  };
}

export function histogramOf(...durationsMs: readonly number[]) {
  const histogram = new Histogram();
  for (const ms of durationsMs) histogram.recordMs(ms);
  return histogram.snapshot();
}

export interface Pair {
  readonly database: string;
  readonly user: string;
  readonly [column: string]: string | number;
}

/** A reading of PgBouncer with these rows of SHOW POOLS. */
export function poolerReading(pairs: readonly Pair[], version: Version = '1.24.1'): Reading {
  const names = [...new Set(pairs.map(({ database }) => database))];
  const rows = sampleOf(version, {
    pools: pairs,
    databases: names.map((name) => ({ name, pool_size: 20 })),
    stats: names.map((database) => ({
      ...{ database, total_xact_count: 50, total_query_count: 60, total_received: 7000 },
      ...{ total_xact_time: 2_500_000, total_wait_time: 500_000 },
    })),
  });
  return toReading(rows, 'pgbouncer://me@here/', 1, { before: null, now: { atMs: 0, totals: new Map() } });
}

export const asSource = (reading: Reading | null, source = 'a'): SourceReading => ({
  source,
  health: { kind: reading?.kind ?? 'pool', up: reading !== null, readMs: reading === null ? null : 12 },
  reading,
});

/** What the exporter would write, scrape after scrape. */
export function exposed(options: Partial<ExpositionOptions> = {}) {
  const exposition = new Exposition({ compat: [], maxPools: 100, ...options });
  return async (readings: readonly SourceReading[], nowMs = 0): Promise<string> => {
    exposition.update(readings, nowMs);
    const registry = new Registry();
    for (const metric of exposition.measured()) registry.registerMetric(metric as never);
    return registry.metrics();
  };
}

/** The lines of samples whose name begins so. */
export function linesOf(text: string, ...names: readonly string[]): readonly string[] {
  return text.split('\n').filter((line) => names.some((name) => line.startsWith(name)));
}

import { seededRandom } from '../../src/base/random.js';
import type { Distribution } from '../../src/loadtest/distribution.js';
import type { LoadResult, TimelineRow } from '../../src/loadtest/result.js';
import { FIGURES, POOL } from './results.js';

/** How a made-up run went: the figures of its stretches lie around these. */
export interface Course {
  readonly perSecond?: number;
  readonly meanMs?: number;
  readonly p99Ms?: number;
  readonly waitMs?: number;
  readonly failedShare?: number;
  /** How far stretches lie from the middle at most, as a share. */
  readonly spread?: number;
  readonly stretches?: number;
  readonly seed?: number;
}

const INTERVAL_MS = 1000;

/** A result to compare. The figures of the whole run are the means of its stretches. */
export function comparable(course: Course): LoadResult {
  const { perSecond = 1000, meanMs = 10, p99Ms = 30, waitMs = 2, failedShare = 0 } = course;
  const { spread = 0.05, stretches = 30, seed = 1 } = course;
  const random = seededRandom(seed);
  const around = (value: number) => value * (1 + spread * (2 * random() - 1));
  const rows = Array.from({ length: stretches }, (_, i): TimelineRow => {
    const succeeded = Math.round(around(perSecond));
    return {
      atMs: i * INTERVAL_MS,
      lengthMs: INTERVAL_MS,
      succeeded,
      failed: Math.round((succeeded * failedShare) / (1 - failedShare)),
      throughputPerSecond: succeeded,
      meanMs: around(meanMs),
      p50Ms: around(meanMs * 0.8),
      p99Ms: around(p99Ms),
      waitMeanMs: around(waitMs),
      waitP99Ms: around(waitMs * 4),
      waiting: 20,
    };
  });
  const mean = (pick: (row: TimelineRow) => number | null) =>
    rows.reduce((sum, row) => sum + (pick(row) ?? 0), 0) / rows.length;
  const succeeded = rows.reduce((sum, row) => sum + row.succeeded, 0);
  const failed = rows.reduce((sum, row) => sum + row.failed, 0);
  return {
    schema: 1,
    kind: 'loadtest',
    startedAt: '2026-01-01T00:00:00.000Z',
    environment: { poolctl: '0.1.0', node: 'v20.19.0', platform: 'linux x64', cores: 2 },
    workload: {
      ...{ name: 'simple', target: 'a temporary SQLite file', work: 'a query', simple: true },
      ...{ inProcess: true, statements: ['SELECT 1'] },
    },
    model: { kind: 'closed', workers: 50 },
    limits: { iterations: null, durationMs: stretches * INTERVAL_MS },
    warmup: null,
    seed: 1,
    partial: null,
    verdict: { band: 'good', reason: 'All well.', criteria: [] },
    thresholds: [],
    measurements: {
      elapsedMs: stretches * INTERVAL_MS,
      ...{ started: succeeded + failed, succeeded, failed, abandoned: 0, dropped: 0 },
      ...{ arrivalsMs: stretches * INTERVAL_MS, drainMs: 0, silentFromMs: null },
      endedPerSecond: (succeeded + failed) / stretches,
      throughputPerSecond: mean((row) => row.throughputPerSecond),
      successRate: succeeded / (succeeded + failed),
      response: distribution(
        mean((row) => row.meanMs),
        mean((row) => row.p50Ms),
        mean((row) => row.p99Ms),
      ),
      wait: distribution(
        mean((row) => row.waitMeanMs),
        null,
        mean((row) => row.waitP99Ms),
      ),
      ...{ service: distribution(null, null, null), failure: distribution(null, null, null) },
      ...{ lag: distribution(null, null, null), errors: [], bursts: null, stages: null },
      timeline: { intervalMs: INTERVAL_MS, rows },
    },
    pool: { options: POOL, figures: FIGURES },
    http: null,
    server: null,
    client: {
      ...{ loopBusy: null, loopRan: null, loopQueued: null, loopDelayMeanMs: null, loopDelayP99Ms: null },
      ...{ loopDelayMaxMs: null, cpuCores: null, machineBusy: null, otherCores: null, cores: null },
      bottleneck: null,
    },
    advice: [],
  };
}

function distribution(meanMs: number | null, p50Ms: number | null, p99Ms: number | null): Distribution {
  return {
    ...{ count: 1000, meanMs, minMs: null, p50Ms, p90Ms: null, p95Ms: null, p99Ms, p999Ms: null },
    ...{ maxMs: null, bucketsUs: [] },
  };
}

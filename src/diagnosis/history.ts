import { type HistogramSnapshot, percentileUs } from '../base/histogram.js';
import type { PoolReading } from '../snapshot/reading.js';

/** The figures kept of one reading of a pool. */
export interface PoolSample {
  readonly atMs: number;
  readonly inUse: number | null;
  readonly waiting: number | null;
  readonly acquired: number | null;
  readonly released: number | null;
  readonly timedOut: number | null;
  readonly createFailed: number | null;
  readonly wait: HistogramSnapshot | null;
  readonly hold: HistogramSnapshot | null;
}

/** Rates of a pool, from the difference of two samples; null where unknown. */
export interface Recent {
  /** Over how long, in milliseconds. */
  readonly overMs: number;
  readonly acquiresPerSecond: number | null;
  readonly releasesPerSecond: number | null;
  readonly timeoutsPerSecond: number | null;
  readonly createFailuresPerSecond: number | null;
  readonly waitP50Ms: number | null;
  readonly waitP95Ms: number | null;
  readonly waitP99Ms: number | null;
  readonly holdMeanMs: number | null;
  /** The most callers that waited at one of the looks. */
  readonly waitingPeak: number | null;
}

/** As many samples as a sparkline can show. */
const SAMPLES = 120;
const RECENT_MS = 10_000;
const NOTHING: Recent = {
  overMs: 0,
  acquiresPerSecond: null,
  releasesPerSecond: null,
  timeoutsPerSecond: null,
  createFailuresPerSecond: null,
  waitP50Ms: null,
  waitP95Ms: null,
  waitP99Ms: null,
  holdMeanMs: null,
  waitingPeak: null,
};

export function sampleOf(pool: PoolReading): PoolSample {
  const { takenAtMs, inUse, waiting, counters, wait, hold } = pool;
  return {
    atMs: takenAtMs,
    inUse,
    waiting,
    acquired: counters.acquired,
    released: counters.released,
    timedOut: counters.timedOut,
    createFailed: counters.createFailed,
    wait,
    hold,
  };
}

/** With one sample more. A pool whose counters went back is a new one of the same name: its past is dropped. */
export function withSample(samples: readonly PoolSample[], next: PoolSample): readonly PoolSample[] {
  const last = samples.at(-1);
  if (last === undefined) return [next];
  if (next.atMs <= last.atMs) return samples;
  if ((next.acquired ?? 0) < (last.acquired ?? 0)) return [next];
  const past = samples.slice(-SAMPLES + 1);
  // Histograms are large, and only those of the last seconds are compared.
  const slim = past.map((sample) =>
    sample.wait !== null && next.atMs - sample.atMs > 2 * RECENT_MS
      ? { ...sample, wait: null, hold: null }
      : sample,
  );
  return [...slim, next];
}

/** By the keys of their facts. */
export type History = ReadonlyMap<string, readonly PoolSample[]>;

export const NO_HISTORY: History = new Map();

/** With what is read of these pools now; those that are gone are forgotten. */
export function nextHistory(
  history: History,
  pools: readonly { readonly key: string; readonly pool: PoolReading }[],
): History {
  return new Map(pools.map(({ key, pool }) => [key, withSample(history.get(key) ?? [], sampleOf(pool))]));
}

/** The last ten seconds of a pool. */
export function recentOf(samples: readonly PoolSample[]): Recent {
  const now = samples.at(-1);
  const then = samples.find(({ atMs }) => now !== undefined && now.atMs - atMs <= RECENT_MS);
  if (now === undefined || then === undefined || then === now) return NOTHING;
  const overMs = now.atMs - then.atMs;
  const wait = difference(now.wait, then.wait);
  const hold = difference(now.hold, then.hold);
  const percentileMs = (percent: number): number | null => {
    const us = wait === null ? null : percentileUs(wait, percent);
    return us === null ? null : us / 1000;
  };
  return {
    overMs,
    acquiresPerSecond: perSecond(now.acquired, then.acquired, overMs),
    releasesPerSecond: perSecond(now.released, then.released, overMs),
    timeoutsPerSecond: perSecond(now.timedOut, then.timedOut, overMs),
    createFailuresPerSecond: perSecond(now.createFailed, then.createFailed, overMs),
    waitP50Ms: percentileMs(50),
    waitP95Ms: percentileMs(95),
    waitP99Ms: percentileMs(99),
    holdMeanMs: hold === null || hold.count === 0 ? null : hold.sumUs / hold.count / 1000,
    waitingPeak: peakOf(samples.filter(({ atMs }) => atMs >= then.atMs)),
  };
}

function peakOf(samples: readonly PoolSample[]): number | null {
  const known = samples.flatMap(({ waiting }) => waiting ?? []);
  return known.length === 0 ? null : Math.max(...known);
}

function perSecond(now: number | null, then: number | null, overMs: number): number | null {
  return now === null || then === null ? null : ((now - then) * 1000) / overMs;
}

/** The difference of two snapshots of one histogram. */
function difference(now: HistogramSnapshot | null, then: HistogramSnapshot | null): HistogramSnapshot | null {
  if (now === null || then === null) return null;
  const before = new Map(then.buckets.map(([upToUs, count]) => [upToUs, count]));
  const buckets = now.buckets
    .map(([upToUs, count]) => [upToUs, count - (before.get(upToUs) ?? 0)] as const)
    .filter(([, count]) => count > 0);
  const count = now.count - then.count;
  const sumUs = now.sumUs - then.sumUs;
  return {
    count,
    sumUs,
    // The extremes of the difference are not known; those of the buckets are near enough.
    minUs: count === 0 ? null : 0,
    maxUs: buckets.at(-1)?.[0] ?? null,
    meanUs: count === 0 ? null : sumUs / count,
    buckets,
  };
}

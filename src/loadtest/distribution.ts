import { type Histogram, percentileUs } from '../base/histogram.js';

/** Durations of one kind, in ms; all figures are null if nothing was recorded. */
export interface Distribution {
  readonly count: number;
  readonly meanMs: number | null;
  readonly minMs: number | null;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly p999Ms: number | null;
  readonly maxMs: number | null;
  /** The histogram itself: the highest value of each bucket, in microseconds, and its count. */
  readonly bucketsUs: readonly (readonly [upToUs: number, count: number])[];
}

/** The usual figures of a histogram, in ms. */
export function distributionOf(histogram: Histogram): Distribution {
  const snapshot = histogram.snapshot();
  const percentile = (percent: number) => toMs(percentileUs(snapshot, percent));
  return {
    count: snapshot.count,
    meanMs: toMs(snapshot.meanUs),
    minMs: toMs(snapshot.minUs),
    p50Ms: percentile(50),
    p90Ms: percentile(90),
    p95Ms: percentile(95),
    p99Ms: percentile(99),
    p999Ms: percentile(99.9),
    maxMs: toMs(snapshot.maxUs),
    bucketsUs: snapshot.buckets,
  };
}

/** Any percentile (0 to 100) of a distribution, in ms; null if nothing was recorded. */
export function percentileMs(distribution: Distribution, percent: number): number | null {
  const { count, minMs, maxMs, meanMs, bucketsUs } = distribution;
  if (minMs === null || maxMs === null || meanMs === null) return null;
  const us = (ms: number) => Math.round(ms * 1000);
  const histogram = { count, minUs: us(minMs), maxUs: us(maxMs), buckets: bucketsUs };
  return toMs(percentileUs({ ...histogram, meanUs: us(meanMs), sumUs: us(meanMs) * count }, percent));
}

function toMs(us: number | null): number | null {
  return us === null ? null : us / 1000;
}

import { Histogram, percentileUs } from '../base/histogram.js';

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
  /** Left out if every duration is exact. */
  readonly atLeast?: AtLeast;
}

/**
 * Right-censored durations: iterations that were given up before they ended. They count in the distribution with the
 * time until then, so every figure from `fromMs` on is a lower bound.
 */
export interface AtLeast {
  readonly count: number;
  /** The shortest of them. */
  readonly fromMs: number;
  /** Names of the figures that are lower bounds. */
  readonly figures: readonly FigureName[];
}

const FIGURES = ['meanMs', 'minMs', 'p50Ms', 'p90Ms', 'p95Ms', 'p99Ms', 'p999Ms', 'maxMs'] as const;
export type FigureName = (typeof FIGURES)[number];

/** The figures of exact and of right-censored durations together. */
export function censoredDistribution(exact: Histogram, censored: Histogram): Distribution {
  const { minUs } = censored.snapshot();
  if (minUs === null) return distributionOf(exact);
  const all = new Histogram();
  all.add(exact);
  all.add(censored);
  const distribution = distributionOf(all);
  const fromMs = minUs / 1000;
  const figures = FIGURES.filter((name) => isFrom(distribution[name], fromMs, name));
  return { ...distribution, atLeast: { count: censored.count, fromMs, figures } };
}

/** Every censored duration moves the mean; percentiles below the shortest of them stay as they are. */
function isFrom(value: number | null, fromMs: number, name: FigureName): boolean {
  return value !== null && (name === 'meanMs' || value >= fromMs);
}

/** Whether a figure of this distribution is only a lower bound. */
export function isAtLeast(distribution: Distribution, name: FigureName): boolean {
  return distribution.atLeast?.figures.includes(name) ?? false;
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

/** The figures of several distributions together, exact to the bucket. None of them may have lower bounds. */
export function mergedDistribution(parts: readonly Distribution[]): Distribution {
  const all = new Histogram();
  for (const { count, minMs, maxMs, meanMs, bucketsUs } of parts) {
    all.addText({
      count,
      sumUs: Math.round((meanMs ?? 0) * 1000 * count),
      minUs: minMs === null ? null : Math.round(minMs * 1000),
      maxUs: maxMs === null ? null : Math.round(maxMs * 1000),
      buckets: bucketsUs.map(([upToUs, n]) => `${upToUs}:${n}`).join(' '),
    });
  }
  return distributionOf(all);
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

import type { Limit, LoadResult } from './result.js';

/** Several runs of the same thing: medians, which another program's moment does not spoil. */
export interface Rounds {
  readonly rounds: number;
  readonly throughputPerSecond: number;
  /** The lowest and the highest of the rounds. */
  readonly throughputRange: readonly [low: number, high: number];
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly waitMeanMs: number | null;
  readonly waitP99Ms: number | null;
  readonly serviceMeanMs: number | null;
  /** Share of all iterations of all rounds. */
  readonly failedShare: number | null;
  /** The limit of most rounds; null where it was not measured. */
  readonly limit: Limit | null;
}

export function roundsOf(runs: readonly LoadResult[]): Rounds {
  const all = runs.map(({ measurements }) => measurements);
  const throughputs = all.map(({ throughputPerSecond }) => throughputPerSecond);
  const ended = all.reduce((sum, { succeeded, failed }) => sum + succeeded + failed, 0);
  const failed = all.reduce((sum, each) => sum + each.failed, 0);
  return {
    rounds: runs.length,
    throughputPerSecond: medianOf(throughputs) ?? 0,
    throughputRange: [Math.min(...throughputs), Math.max(...throughputs)],
    p50Ms: medianOf(all.map(({ response }) => response.p50Ms)),
    p99Ms: medianOf(all.map(({ response }) => response.p99Ms)),
    waitMeanMs: medianOf(all.map(({ wait }) => wait.meanMs)),
    waitP99Ms: medianOf(all.map(({ wait }) => wait.p99Ms)),
    serviceMeanMs: medianOf(all.map(({ service }) => service.meanMs)),
    failedShare: ended === 0 ? null : failed / ended,
    limit: mostFrequent(runs.map(({ client }) => client.bottleneck?.limit ?? null)),
  };
}

/** The middle value; of an even number the mean of the two in the middle; null if there is none. */
export function medianOf(values: readonly (number | null)[]): number | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half];
  if (upper === undefined) return null;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? upper)) / 2;
}

function mostFrequent<T>(values: readonly T[]): T | null {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
}

import type { Environment, LoadResult, ModelInfo, PoolInfo, WorkloadDescription } from './result.js';
import { medianOf, type Rounds, roundsOf } from './rounds.js';

/** The worth of a pool: the same work with it, and with a connection of its own for each iteration. Plain data. */
export interface BaselineResult {
  readonly schema: 1;
  readonly kind: 'baseline';
  readonly startedAt: string;
  readonly environment: Environment;
  readonly workload: { readonly name: string } & WorkloadDescription;
  readonly model: ModelInfo;
  readonly limits: LoadResult['limits'];
  readonly pool: PoolInfo;
  readonly pooled: Rounds;
  /** Its waiting is connecting. */
  readonly unpooled: Rounds;
  /** How many times as much the pool does, round by round: the median, the lowest and the highest. */
  readonly ratio: { readonly median: number; readonly low: number; readonly high: number } | null;
  /** It was interrupted: there are fewer rounds than asked for. */
  readonly partial: boolean;
}

export interface BaselineOptions {
  readonly rounds: number;
  /** Runs one load test, on the pool or without it. */
  readonly run: (pooled: boolean, done: number) => Promise<LoadResult>;
  readonly stopped: () => boolean;
}

/**
 * Runs both in turn, each round the other way round, so that neither has the better moments. null if not even one
 * round came about.
 */
export async function runBaseline({ rounds, run, stopped }: BaselineOptions): Promise<BaselineResult | null> {
  const pairs: (readonly [pooled: LoadResult, unpooled: LoadResult])[] = [];
  for (let round = 0; round < rounds && !stopped(); round++) {
    const pooledFirst = round % 2 === 0;
    const first = await run(pooledFirst, round * 2);
    if (stopped()) break;
    const second = await run(!pooledFirst, round * 2 + 1);
    if (first.partial !== null || second.partial !== null) break;
    pairs.push(pooledFirst ? [first, second] : [second, first]);
  }
  return baselineResult(pairs, pairs.length < rounds);
}

export function baselineResult(
  pairs: readonly (readonly [pooled: LoadResult, unpooled: LoadResult])[],
  partial: boolean,
): BaselineResult | null {
  const [first] = pairs;
  if (first === undefined) return null;
  const { startedAt, environment, workload, model, limits, pool } = first[0];
  const ratios = pairs
    .map(([a, b]) => a.measurements.throughputPerSecond / b.measurements.throughputPerSecond)
    .filter(Number.isFinite);
  const median = medianOf(ratios);
  return {
    schema: 1,
    kind: 'baseline',
    ...{ startedAt, environment, workload, model, limits, pool: pool.options },
    pooled: roundsOf(pairs.map(([pooled]) => pooled)),
    unpooled: roundsOf(pairs.map(([, unpooled]) => unpooled)),
    ratio: median === null ? null : { median, low: Math.min(...ratios), high: Math.max(...ratios) },
    partial,
  };
}

import { formatCount, formatRate } from '../base/units.js';
import { concurrencyOf } from './models.js';
import type { Environment, LoadResult, ModelInfo, WorkloadDescription } from './result.js';
import { type Rounds, roundsOf } from './rounds.js';

/** A size of the pool to be tried. */
export interface PoolPoint {
  readonly poolSize: number;
  readonly maxOverflow: number;
}

/** The figures of the pool at one size. */
export interface SweepRow extends PoolPoint, Rounds {}

/**
 * The limit that keeps the load from being served faster. `server`: the target has no more to give, connections beyond the
 * knee only take turns. `latency`: each connection spends its time waiting (for a network, a lock, a disk), so that
 * more of them serve more. `client`: poolctl itself was full.
 */
export type Regime = 'server' | 'latency' | 'client';

/** The result of a sweep: plain data, the JSON report as it is. */
export interface SweepResult {
  readonly schema: 1;
  readonly kind: 'sweep';
  readonly startedAt: string;
  readonly environment: Environment;
  readonly workload: { readonly name: string } & WorkloadDescription;
  readonly model: ModelInfo;
  /** Length of each run. */
  readonly limits: LoadResult['limits'];
  /** By growing capacity. */
  readonly rows: readonly SweepRow[];
  /** The smallest pool that does nearly as well as the best; null if nothing was measured. */
  readonly knee: PoolPoint | null;
  readonly best: PoolPoint | null;
  readonly regime: Regime | null;
  /** The result of the sweep, with its evidence. */
  readonly sentence: string;
  /** It was interrupted: not all points have all rounds. */
  readonly partial: boolean;
}

/** The knee does at least this share of the best. */
const KNEE_SHARE = 0.95;
/** From this share of proportional growth on, at the large end, connections are what is missing. */
const STILL_GROWING = 0.7;

export interface SweepOptions {
  readonly points: readonly PoolPoint[];
  readonly rounds: number;
  /** Runs one load test with a pool of that size. */
  readonly run: (point: PoolPoint, done: number) => Promise<LoadResult>;
  readonly stopped: () => boolean;
}

/**
 * Tries pools of several sizes in turn, up and down again, so that a machine that gets slower meanwhile does not
 * speak for the small ones. null if not even one run came about.
 */
export async function runSweep({ points, rounds, run, stopped }: SweepOptions): Promise<SweepResult | null> {
  const ordered = [...points].sort((a, b) => capacityOf(a) - capacityOf(b) || a.poolSize - b.poolSize);
  const results = new Map<PoolPoint, LoadResult[]>(ordered.map((point) => [point, []]));
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (const point of round % 2 === 0 ? ordered : ordered.toReversed()) {
      if (stopped()) break;
      const result = await run(point, done++);
      if (result.partial === null) results.get(point)?.push(result);
    }
  }
  return sweepResult(results, done < points.length * rounds || stopped());
}

export function sweepResult(
  results: ReadonlyMap<PoolPoint, readonly LoadResult[]>,
  partial: boolean,
): SweepResult | null {
  const [first] = [...results.values()].flat();
  if (first === undefined) return null;
  const { startedAt, environment, workload, model, limits } = first;
  const rows = [...results].flatMap(([point, runs]) =>
    runs.length === 0 ? [] : [{ ...pointOf(point), ...roundsOf(runs) }],
  );
  const best = rows.reduce((top, row) => (row.throughputPerSecond > top.throughputPerSecond ? row : top));
  const knee = rows.find((row) => row.throughputPerSecond >= KNEE_SHARE * best.throughputPerSecond) ?? best;
  const regime = regimeOf(rows, knee, model);
  return {
    schema: 1,
    kind: 'sweep',
    startedAt,
    environment,
    workload,
    model,
    limits,
    rows,
    knee: pointOf(knee),
    best: pointOf(best),
    regime,
    sentence: sentenceOf(rows, knee, best, regime, model),
    partial,
  };
}

function regimeOf(rows: readonly SweepRow[], knee: SweepRow, model: ModelInfo): Regime {
  if (knee.limit === 'client') return 'client';
  // A full processor grows by chance only.
  if (rows.at(-1)?.limit === 'processor') return 'server';
  return growthAtTheEnd(rows, model) >= STILL_GROWING ? 'latency' : 'server';
}

/** By how much throughput still grew with the last step: 1 is in proportion to the connections, 0 not at all. */
function growthAtTheEnd(rows: readonly SweepRow[], model: ModelInfo): number {
  const used = (row: SweepRow) => Math.min(capacityOf(row), concurrencyOf(model) ?? Number.POSITIVE_INFINITY);
  const last = rows.at(-1);
  const before = last && rows.findLast((row) => used(row) < used(last));
  if (last === undefined || before === undefined || before.throughputPerSecond <= 0) return 0;
  return (
    Math.log(last.throughputPerSecond / before.throughputPerSecond) / Math.log(used(last) / used(before))
  );
}

function sentenceOf(
  rows: readonly SweepRow[],
  knee: SweepRow,
  best: SweepRow,
  regime: Regime,
  model: ModelInfo,
): string {
  const largest = rows.at(-1) ?? best;
  const at = `A pool of ${poolWords(knee)} gives ${formatRate(knee.throughputPerSecond)}`;
  const atOnce = concurrencyOf(model);
  const remark =
    atOnce !== null && capacityOf(largest) > atOnce
      ? ` The load has ${formatCount(atOnce)} at once: connections beyond that are never used.`
      : '';
  switch (regime) {
    case 'client':
      return `${at}, and there poolctl itself was the limit: the target can do more than this sweep shows.${remark}`;
    case 'latency':
      return (
        `Throughput still grows at a pool of ${poolWords(largest)}, ` +
        `${formatRate(largest.throughputPerSecond)}: they spend their time waiting, not computing. ` +
        `Try larger ones, as far as the server allows.${remark}`
      );
    case 'server': {
      // Beyond what the rounds differ by anyway.
      const isWorse = largest.throughputRange[1] < best.throughputRange[0];
      const more =
        knee === largest ? '' : isWorse ? `, and larger pools do worse` : `, and larger ones no more`;
      const why = knee.limit === 'processor' ? 'the processor is full' : 'the target has no more to give';
      return `${at}${more}: ${why}.${remark}`;
    }
  }
}

/** `4 connections`, `4 + 10`. */
export function poolWords({ poolSize, maxOverflow }: PoolPoint): string {
  if (maxOverflow === 0) return poolSize === 1 ? '1 connection' : `${poolSize} connections`;
  return `${poolSize} + ${maxOverflow < 0 ? 'unlimited' : maxOverflow}`;
}

/** The most connections of a pool. */
export function capacityOf({ poolSize, maxOverflow }: PoolPoint): number {
  return maxOverflow < 0 ? Number.POSITIVE_INFINITY : poolSize + maxOverflow;
}

function pointOf({ poolSize, maxOverflow }: PoolPoint): PoolPoint {
  return { poolSize, maxOverflow };
}

import { type Random, seededRandom } from '../base/random.js';
import type { Interval, Waits } from './types.js';

/** Parts of the recording whose waits are counted apart, to be drawn again in blocks. */
const SLICES = 240;
const DRAWS = 200;
/** Waits are told apart within 1.1 %. */
const PER_OCTAVE = 64;
/** Waits below it, in microseconds, are alike: that is how long it takes to lend an idle connection. */
const FLOOR_US = 20;
const BUCKETS = 1 + PER_OCTAVE * 28;
/** Differences of logarithms would make much of microseconds: waits are compared from here on. */
const NOISE_MS = 0.3;
const Q = [0.5, 0.95, 0.99] as const;
/** Calibrated on recordings of M/M/c, heavy-tailed and bursty loads of 1,400 and 5,600 acquires. */
const WIDER = 1.5;
const BEYOND = 1.25;
const SEED = 22;

/** The waits of all acquires by the time of their arrival, in slices of equal length. */
export class WaitSlices {
  readonly #all = new Float64Array(BUCKETS);
  readonly #slices: { readonly buckets: Int32Array; readonly counts: Float64Array }[] = [];
  readonly #block: number;

  constructor(arrivalMs: Float64Array, waitMs: Float64Array) {
    const count = arrivalMs.length;
    const from = arrivalMs[0] ?? 0;
    const length = ((arrivalMs[count - 1] ?? 0) - from) / SLICES;
    const means: number[] = [];
    let at = 0;
    for (let slice = 0; slice < SLICES; slice++) {
      const until = slice === SLICES - 1 ? Number.POSITIVE_INFINITY : from + (slice + 1) * length;
      const counts = new Map<number, number>();
      const first = at;
      let sum = 0;
      for (; at < count && (arrivalMs[at] ?? 0) < until; at++) {
        const wait = waitMs[at] ?? 0;
        const bucket = bucketOf(wait);
        counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
        this.#all[bucket] = (this.#all[bucket] ?? 0) + 1;
        sum += wait;
      }
      this.#slices.push({
        buckets: Int32Array.from(counts.keys()),
        counts: Float64Array.from(counts.values()),
      });
      means.push(at === first ? 0 : sum / (at - first));
    }
    this.#block = blockLength(means);
  }

  waits(): Waits {
    const [p50Ms = 0, p95Ms = 0, p99Ms = 0] = quantiles(this.#all, Q);
    return { p50Ms, p95Ms, p99Ms };
  }

  /**
   * Bounds within which the figures of another recording of the same length lie, in 95 % of cases. Recordings are drawn by
   * a circular block bootstrap (Politis and Romano 1992) and compared in pairs. The quantile of a short recording varies
   * more than that of its draws, so the differences are widened by WIDER. The bounds also include those of Woodruff
   * (1952): the spread of the share below the quantile, read off the distribution. `mostMs` is what no wait exceeds.
   */
  intervals(mostMs: number): { p50Ms: Interval; p95Ms: Interval; p99Ms: Interval } {
    const random = seededRandom(SEED);
    const points = quantiles(this.#all, Q);
    const draws = Array.from({ length: DRAWS }, () => {
      const counts = this.#draw(random);
      return { values: quantiles(counts, Q), shares: points.map((point) => shareUpTo(counts, point)) };
    });
    const [p50Ms, p95Ms, p99Ms] = Q.map((share, q) => {
      const point = points[q] ?? 0;
      const byValue = this.#byValue(
        point,
        draws.map(({ values }) => values[q] ?? 0),
      );
      const byShare = this.#byShare(
        share,
        draws.map(({ shares }) => shares[q] ?? 0),
      );
      return [
        Math.max(0, Math.min(byValue[0], byShare[0])),
        Math.min(Math.max(mostMs, point), Math.max(byValue[1], byShare[1])),
      ] as const;
    }) as [Interval, Interval, Interval];
    return { p50Ms, p95Ms, p99Ms };
  }

  #byValue(point: number, values: readonly number[]): Interval {
    const offs = values
      .map((value, at) => scaled(value) - scaled(values[(at + 1) % DRAWS] ?? 0))
      .sort((one, other) => one - other);
    const at = (share: number) =>
      unscaled(scaled(point) + WIDER * (offs[Math.round(share * (DRAWS - 1))] ?? 0));
    return [at(0.025), Math.max(point, at(0.975))];
  }

  #byShare(share: number, shares: readonly number[]): Interval {
    const mean = shares.reduce((sum, one) => sum + one, 0) / DRAWS;
    const variance = shares.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (DRAWS - 1);
    const off = 1.2 * 1.96 * Math.sqrt(2 * variance);
    const [low = 0, high = 0] = quantiles(this.#all, [Math.max(0, share - off), Math.min(1, share + off)]);
    // Beyond the longest wait nothing is known but that there may be a longer one.
    return [low, share + off >= 1 ? BEYOND * high : high];
  }

  #draw(random: Random): Float64Array {
    const counts = new Float64Array(BUCKETS);
    for (let drawn = 0; drawn < SLICES; drawn += this.#block) {
      const start = Math.floor(random() * SLICES);
      for (let i = 0; i < Math.min(this.#block, SLICES - drawn); i++) {
        const slice = this.#slices[(start + i) % SLICES];
        if (slice === undefined) continue;
        for (let k = 0; k < slice.buckets.length; k++) counts[slice.buckets[k]!]! += slice.counts[k]!;
      }
    }
    return counts;
  }
}

/**
 * Twice the lag from which on the waits of slices are no longer correlated, as in Politis and White (2004), and at least
 * two slices; at most an eighth of the recording, so that there are blocks to draw from.
 */
function blockLength(means: readonly number[]): number {
  const mean = means.reduce((sum, one) => sum + one, 0) / means.length;
  const variance = means.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  if (variance === 0) return 2;
  const limit = 2 / Math.sqrt(means.length);
  let lag = 1;
  for (; lag < means.length / 16; lag++) {
    let covariance = 0;
    for (let at = lag; at < means.length; at++)
      covariance += ((means[at] ?? 0) - mean) * ((means[at - lag] ?? 0) - mean);
    if (covariance / variance < limit) break;
  }
  return Math.max(2, Math.min(Math.floor(means.length / 8), 2 * lag));
}

function bucketOf(waitMs: number): number {
  const us = waitMs * 1000;
  if (!(us > FLOOR_US)) return 0;
  return Math.min(BUCKETS - 1, 1 + Math.floor(Math.log2(us / FLOOR_US) * PER_OCTAVE));
}

function waitOf(bucket: number): number {
  return bucket === 0 ? 0 : (FLOOR_US * 2 ** ((bucket - 0.5) / PER_OCTAVE)) / 1000;
}

/** The waits that these shares do not exceed, which ascend. */
function quantiles(counts: Float64Array, shares: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const found: number[] = [];
  let seen = 0;
  for (let at = 0; at < BUCKETS && found.length < shares.length; at++) {
    seen += counts[at]!;
    while (found.length < shares.length && seen > 0 && seen >= (shares[found.length] ?? 1) * total - 1e-6)
      found.push(waitOf(at));
  }
  return found;
}

function shareUpTo(counts: Float64Array, waitMs: number): number {
  const last = bucketOf(waitMs);
  let [total, below] = [0, 0];
  for (let at = 0; at < BUCKETS; at++) {
    total += counts[at]!;
    if (at <= last) below += counts[at]!;
  }
  return total === 0 ? 1 : below / total;
}

function scaled(ms: number): number {
  return Math.log(ms + NOISE_MS);
}

function unscaled(value: number): number {
  return Math.exp(value) - NOISE_MS;
}

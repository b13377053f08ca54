/** A slice of time is at least so long. */
const SLICE_MS = 50;
/** Longer slices would make the pool too slow to follow, even where leases last minutes. */
const LONGEST_SLICE_MS = 2000;
/** Fewer leases than this in a slice say little. */
const LEASES_PER_SLICE = 8;
/** A slice so many times as long as usual has a rest in it, or a stall, and is left out. */
const REST_SLICES = 10;

/** The work of a pool in one slice of time. Durations are in milliseconds. */
export interface Slice {
  /** Leases that ended, for each millisecond. */
  readonly rate: number;
  /** Mean time of a lease. */
  readonly holdMs: number;
  /** Mean wait of the leases that began. */
  readonly waitMs: number;
  /** Leases at whose end others waited, as a share of 1. */
  readonly queued: number;
}

/**
 * Cuts the leases of a pool into slices of time. The scatter of the slices shows how far to trust their mean.
 *
 * A slice is as long as the lease that is found in progress at a random moment (the mean square of the durations
 * divided by their mean). Shorter slices would not be independent where a few leases last much longer than most.
 */
export class FlowSampler {
  #since: number;
  #ended = 0;
  #holdSum = 0;
  #holdSquares = 0;
  #queued = 0;
  #begun = 0;
  #waitSum = 0;
  #typicalMs = 0;

  constructor(now: number) {
    this.#since = now;
  }

  /** The length of the lease that is found in progress at a random moment; 0 before the first slice. */
  get typicalMs(): number {
    return this.#typicalMs;
  }

  /** Begins a new slice, and forgets the one in progress. */
  restart(now: number): void {
    this.#since = now;
    this.#ended = 0;
    this.#holdSum = 0;
    this.#holdSquares = 0;
    this.#queued = 0;
    this.#begun = 0;
    this.#waitSum = 0;
  }

  began(waitedMs: number): void {
    this.#begun++;
    this.#waitSum += waitedMs;
  }

  /** A lease has ended well. Returns the slice if one is complete. */
  ended(now: number, heldMs: number, hasWaiters: boolean): Slice | null {
    this.#ended++;
    this.#holdSum += heldMs;
    this.#holdSquares += heldMs * heldMs;
    if (hasWaiters) this.#queued++;
    const tookMs = now - this.#since;
    if (this.#ended < LEASES_PER_SLICE || tookMs < SLICE_MS || tookMs < this.#sliceMs) return null;
    if (this.#holdSum > 0) {
      const newest = this.#holdSquares / this.#holdSum;
      this.#typicalMs = this.#typicalMs === 0 ? newest : (this.#typicalMs + newest) / 2;
    }
    const isRest = tookMs > REST_SLICES * Math.max(SLICE_MS, this.#sliceMs);
    const slice = {
      rate: this.#ended / tookMs,
      holdMs: this.#holdSum / this.#ended,
      waitMs: this.#begun === 0 ? 0 : this.#waitSum / this.#begun,
      queued: this.#queued / this.#ended,
    };
    this.restart(now);
    return isRest ? null : slice;
  }

  get #sliceMs(): number {
    return Math.min(LONGEST_SLICE_MS, this.#typicalMs);
  }
}

/** Slices at one size, taken together. */
export interface Flow {
  readonly rate: number;
  readonly holdMs: number;
  readonly waitMs: number;
  readonly queued: number;
  /** Standard error of the mean rate, and of the mean response time, as a share of 1. */
  readonly rateError: number;
  readonly totalError: number;
  readonly slices: number;
}

export function flowOf(slices: readonly Slice[]): Flow {
  const rate = meanOf(slices, (one) => one.rate);
  const total = meanOf(slices, (one) => one.holdMs + one.waitMs);
  return {
    rate,
    holdMs: meanOf(slices, (one) => one.holdMs),
    waitMs: meanOf(slices, (one) => one.waitMs),
    queued: meanOf(slices, (one) => one.queued),
    rateError: errorOf(slices, (one) => one.rate, rate),
    totalError: errorOf(slices, (one) => one.holdMs + one.waitMs, total),
    slices: slices.length,
  };
}

function meanOf(slices: readonly Slice[], value: (slice: Slice) => number): number {
  return slices.reduce((sum, slice) => sum + value(slice), 0) / Math.max(1, slices.length);
}

function errorOf(slices: readonly Slice[], value: (slice: Slice) => number, mean: number): number {
  const { length } = slices;
  if (length < 2 || mean === 0) return 1;
  const squares = slices.reduce((sum, slice) => sum + (value(slice) - mean) ** 2, 0);
  return Math.sqrt(squares / (length - 1) / length) / mean;
}

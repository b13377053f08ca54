/**
 * Counts events within the last `windowMs`, to one bucket of it (a tenth by default). Memory and time do not grow with
 * the number of events. Use a SlidingLog where a limit must hold in every window, wherever it begins.
 */
export class RollingCounter {
  readonly #bucketMs: number;
  readonly #counts: Float64Array;
  #total = 0;
  /** The number of the newest bucket, counted from the beginning of the clock. */
  #newest = 0;

  constructor(windowMs: number, buckets = 10) {
    this.#bucketMs = windowMs / buckets;
    this.#counts = new Float64Array(buckets);
  }

  add(now: number): void {
    this.#move(now);
    this.#counts[this.#newest % this.#counts.length]!++;
    this.#total++;
  }

  total(now: number): number {
    this.#move(now);
    return this.#total;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** Empties the buckets that time has passed over. */
  #move(now: number): void {
    const buckets = this.#counts.length;
    const newest = Math.floor(now / this.#bucketMs);
    for (let past = Math.max(this.#newest + 1, newest - buckets + 1); past <= newest; past++) {
      this.#total -= this.#counts[past % buckets]!;
      this.#counts[past % buckets] = 0;
    }
    this.#newest = Math.max(this.#newest, newest);
  }
}

import type { Limit } from './limit.js';

export interface TokenBucketOptions {
  /** Tokens added in a second. */
  readonly perSecond: number;
  /** Capacity, and tokens at the start: the number that may go at once. */
  readonly burst: number;
}

/**
 * A limit of `perSecond` on average and `burst` at once. One second may see `burst` and nearly `perSecond` more. Use a
 * SlidingLog where the limit must hold in every second.
 */
export class TokenBucket implements Limit {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;

  constructor({ perSecond, burst }: TokenBucketOptions, now: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAt = now;
  }

  roomAt(now: number): number {
    this.#fill(now);
    return this.#tokens >= 1 ? now : now + (1 - this.#tokens) / this.#perMs;
  }

  note(now: number): void {
    this.#fill(now);
    this.#tokens--;
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
  }
}

import type { Limit } from './limit.js';

export interface TokenBucketOptions {
  /** Tokens that come back in a second. */
  readonly perSecond: number;
  /** Tokens that fit, and that are there at the beginning: so many may go at once. */
  readonly burst: number;
}

/**
 * So many a second on average, and so many at once. A stretch of one second may see `burst` and nearly `perSecond` more;
 * use a SlidingLog where the limit must hold in every second.
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

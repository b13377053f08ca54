import { backoffMs } from '../base/backoff.js';
import type { Random } from '../base/random.js';

/**
 * While leases are out, the next release may serve a waiter sooner than a new resource can be opened. So one
 * resource is opened at once, and more (1, 2, 4, ...) at this interval for as long as acquires still wait:
 * a spike of short leases is over before many were opened for nothing (HikariCP's spike scenario), while long
 * leases get the whole pool within a few steps. Overflow, which is closed again after the spike, is opened step by
 * step only while releases would not serve those who wait in the time that a create takes.
 */
const STEP_MS = 10;
/** How much of the newest create's duration goes into the estimate. */
const NEWEST_SHARE = 0.3;
/** After a failed create the next is put off: 50 ms, doubling, at most 2 s. */
const RETRY = { baseMs: 50, capMs: 2000 };
/** Each wait is up to half shorter. Not less: a probe that follows at once would find the server as it was. */
const RETRY_JITTER = 0.5;

/** The wanted resources, and those that exist. */
export interface Demand {
  /** Creates that there is room for, and no other supply. */
  readonly wanted: number;
  readonly waiting: number;
  /** Leases are out, so that waiting may be enough. */
  readonly busy: boolean;
  /** A resource opened now would be overflow. */
  readonly overflow: boolean;
  /** Waiters served so far in the pool's life. */
  readonly served: number;
}

/** Decides how many resources may be opened now. Pure arithmetic on the times it is given. */
export class CreatePacer {
  readonly #random: Random;
  #tokens = 0;
  #step = 0;
  #stepAt = Number.NEGATIVE_INFINITY;
  #servedAtStep = 0;
  /** How long a create takes, as far as is known. */
  #createMs = STEP_MS;
  /** Creates that failed since the last that succeeded. */
  failures = 0;
  #retryAt = Number.NEGATIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The first of a new spell of waiting: start anew from one. */
  restart(): void {
    this.#step = 0;
  }

  /** How many of the wanted creates may begin. */
  allowed(now: number, demand: Demand): number {
    const { wanted, busy, served } = demand;
    if (now < this.#retryAt) return 0;
    // One probe at a time finds out whether the trouble is over; a crowd would only repeat the failure.
    if (this.failures > 0) return 1;
    if (!busy) return wanted;
    if (this.#step === 0) {
      this.#step = 1;
      this.#tokens = 1;
      this.#stepAt = now + STEP_MS;
      this.#servedAtStep = served;
    } else if (now >= this.#stepAt) this.#takeStep(now, demand);
    return Math.min(wanted, this.#tokens);
  }

  #takeStep(now: number, { waiting, overflow, served }: Demand): void {
    const sinceLastMs = now - this.#stepAt + STEP_MS;
    const servedPerMs = (served - this.#servedAtStep) / sinceLastMs;
    if (!overflow || servedPerMs * this.#createMs < waiting) {
      this.#tokens += this.#step;
      this.#step *= 2;
    }
    this.#stepAt = now + STEP_MS;
    this.#servedAtStep = served;
  }

  /** A create has begun. After a failure the next probe does not wait for this one: it may hang. */
  started(now: number): void {
    if (this.#tokens > 0) this.#tokens--;
    if (this.failures > 0) this.#retryAt = now + this.#retryDelay();
  }

  /** When `allowed` may say more than now. */
  nextAt(now: number): number {
    return now < this.#retryAt ? this.#retryAt : Math.max(now, this.#stepAt);
  }

  succeeded(tookMs: number): void {
    this.#createMs += NEWEST_SHARE * (tookMs - this.#createMs);
    this.failures = 0;
    this.#retryAt = Number.NEGATIVE_INFINITY;
  }

  /** A create failed; returns when the next may begin. */
  failed(now: number): number {
    this.failures++;
    this.#retryAt = now + this.#retryDelay();
    return this.#retryAt;
  }

  #retryDelay(): number {
    return backoffMs(this.failures - 1, RETRY, this.#random, RETRY_JITTER);
  }
}

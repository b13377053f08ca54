import type { Random } from './random.js';

export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds. Each further wait may be twice as long. */
  readonly baseMs: number;
  /** No wait is longer, in milliseconds. */
  readonly capMs: number;
}

/**
 * The wait before the next attempt: a random time below a bound that doubles, so that clients that lost one server at
 * the same time do not come back at the same time (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog,
 * 2015). `failures` counts from 0: the first wait is drawn up to `baseMs`.
 *
 * `jitter` is the share of the bound that is random. 1, full jitter, spreads clients best. Choose less where a wait of
 * nearly 0 would be as bad as none: with 0.5 each wait is at least half of its bound.
 */
export function backoffMs(failures: number, options: BackoffOptions, random: Random, jitter = 1): number {
  return backoffBoundMs(failures, options) * (1 - jitter * (1 - random()));
}

/** The longest that the wait can be, for those that must not wait at random: a poller that shows when it asks next. */
export function backoffBoundMs(failures: number, { baseMs, capMs }: BackoffOptions): number {
  // Beyond 2^30 the product could overflow to Infinity, and 0 x Infinity is not a number.
  return Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
}

import type { Random } from '../base/random.js';

export interface BackoffOptions {
  /** The most that the first wait can be, in milliseconds; each further one up to twice as long. */
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * Full jitter: anything from 0 to the doubling bound, so that clients that lost one server together do not come back
 * together (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015). `failures` counts from 0.
 */
export function backoffMs(failures: number, { baseMs, capMs }: BackoffOptions, random: Random): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
}

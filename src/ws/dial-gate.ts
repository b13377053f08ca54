import type { Clock } from '../base/clock.js';
import { SlidingLog } from '../base/sliding-log.js';
import { TokenBucket } from '../base/token-bucket.js';
import { Turnstile } from '../base/turnstile.js';

const MINUTE_MS = 60_000;

export interface DialLimits {
  /** Dials a second on average. */
  readonly perSecond: number;
  /** Dials that may come at once: all connections once, when the server is back. */
  readonly burst: number;
  /** Dials in any one minute. */
  readonly perMinute: number;
}

/**
 * The turnstile for all dials of a pool. Venues ban an address for too many connects (Binance: 300 in 5 minutes), and
 * however many connections fail at once, the ban hits them all.
 */
export function dialGate(clock: Clock, limits: DialLimits): Turnstile {
  return new Turnstile(clock, [
    new TokenBucket(limits, clock.now()),
    new SlidingLog(limits.perMinute, MINUTE_MS),
  ]);
}

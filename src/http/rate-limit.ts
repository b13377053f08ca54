import type { Clock } from '../base/clock.js';
import { TokenBucket } from '../base/token-bucket.js';
import { Turnstile } from '../base/turnstile.js';
import { HttpError } from './errors.js';

/** The rate that a server allows. */
export interface RateLimit {
  /** Requests a second on average, retries included. */
  readonly perSecond: number;
  /** Requests that may come at once. Default: those of one second. */
  readonly burst?: number;
}

/** The turnstile of one origin. Throws an HttpError with ERR_HTTP_OPTION. */
export function rateGate(
  clock: Clock,
  { perSecond, burst = Math.max(1, Math.floor(perSecond)) }: RateLimit,
): Turnstile {
  if (!(perSecond > 0 && perSecond < Number.POSITIVE_INFINITY) || !(burst >= 1))
    throw new HttpError('ERR_HTTP_OPTION', 'rateLimit: perSecond must be more than 0, and burst 1 or more');
  return new Turnstile(clock, [new TokenBucket({ perSecond, burst }, clock.now())]);
}

import type { Clock } from '../base/clock.js';
import type { Limit } from '../base/limit.js';
import { SlidingLog } from '../base/sliding-log.js';
import { TokenBucket } from '../base/token-bucket.js';
import { Turnstile } from '../base/turnstile.js';
import type { Budget } from './venue.js';

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
 * The turnstiles that dials wait at. Venues ban an address for too many connects (Binance: 300 in 5 minutes), and however
 * many connections fail at once, the ban hits them all. Lanes share the limits of the pool, and may have their own.
 */
export class DialGates {
  readonly #clock: Clock;
  readonly #shared: readonly Limit[];
  readonly #perLane: readonly Budget[];
  readonly #gates = new Map<string, Turnstile>();

  constructor(clock: Clock, limits: DialLimits, budgets: readonly Budget[]) {
    this.#clock = clock;
    const dials = budgets.filter(({ what }) => what === 'dials');
    this.#perLane = dials.filter(({ scope }) => scope === 'lane');
    this.#shared = [
      new TokenBucket(limits, clock.now()),
      new SlidingLog(limits.perMinute, MINUTE_MS),
      ...dials.filter(({ scope }) => scope === 'pool').map(logOf),
    ];
  }

  of(lane: string): Turnstile {
    const key = this.#perLane.length === 0 ? '' : lane;
    let gate = this.#gates.get(key);
    if (gate === undefined) {
      gate = new Turnstile(this.#clock, [...this.#shared, ...this.#perLane.map(logOf)]);
      this.#gates.set(key, gate);
    }
    return gate;
  }

  close(): void {
    for (const gate of this.#gates.values()) gate.close();
  }
}

function logOf({ most, windowMs }: Budget): SlidingLog {
  return new SlidingLog(most, windowMs);
}

import type { Clock } from '../base/clock.js';
import type { OptionShape } from '../base/option-shape.js';
import type { Random } from '../base/random.js';
import { RollingCounter } from '../base/rolling-counter.js';
import type { BreakerState } from '../snapshot/http.js';
import { HttpError } from './errors.js';

export interface BreakerOptions {
  /** How far back failures count, in milliseconds. Default 10 s. */
  readonly windowMs?: number;
  /** Fewer calls than that within the window prove nothing. Default 20. */
  readonly minCalls?: number;
  /** The share of failures from which on the circuit opens. Default 0.5. */
  readonly failureShare?: number;
  /** How long the origin is left alone, give or take a tenth. Default 30 s. */
  readonly openMs?: number;
  /** Requests that may try it at once when that time is over. Default 1. */
  readonly probes?: number;
}

export const BREAKER_SHAPE = {
  windowMs: 'number',
  minCalls: 'number',
  failureShare: 'number',
  openMs: 'number',
  probes: 'number',
} as const satisfies OptionShape & Record<keyof BreakerOptions, unknown>;

/** Throws an HttpError with ERR_HTTP_OPTION. */
export function resolveBreaker(options: BreakerOptions): Required<BreakerOptions> {
  const settings = {
    windowMs: 10_000,
    minCalls: 20,
    failureShare: 0.5,
    openMs: 30_000,
    probes: 1,
    ...options,
  };
  const { windowMs, minCalls, failureShare, openMs, probes } = settings;
  const fault =
    !(windowMs > 0) || !(openMs > 0)
      ? 'windowMs and openMs must be more than 0'
      : !Number.isSafeInteger(minCalls) || minCalls < 1
        ? 'minCalls must be a whole number from 1'
        : !(failureShare > 0 && failureShare <= 1)
          ? 'failureShare must be more than 0 and at most 1'
          : !Number.isSafeInteger(probes) || probes < 1 || probes > 3
            ? 'probes must be 1, 2 or 3'
            : null;
  if (fault !== null) throw new HttpError('ERR_HTTP_OPTION', `breaker: ${fault}`);
  return settings;
}

/** The evidence of an attempt about its origin. A pool timeout, an abort of the caller's and a 429 show nothing. */
export type Outcome = 'success' | 'failure' | 'nothing';

/**
 * Leaves an origin alone that fails. Failures are connections that cannot be opened or break, timeouts of the server,
 * and statuses from 500.
 */
export class Breaker {
  readonly #settings: Required<BreakerOptions>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #changed: (from: BreakerState, to: BreakerState) => void;
  readonly #calls: RollingCounter;
  readonly #failures: RollingCounter;
  #state: BreakerState = 'closed';
  #retryAt = 0;
  #probing = 0;

  constructor(
    settings: Required<BreakerOptions>,
    clock: Clock,
    random: Random,
    changed: (from: BreakerState, to: BreakerState) => void,
  ) {
    this.#settings = settings;
    this.#calls = new RollingCounter(settings.windowMs);
    this.#failures = new RollingCounter(settings.windowMs);
    this.#clock = clock;
    this.#random = random;
    this.#changed = changed;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** When an open circuit is tried again, by the clock; null while it is not open. */
  get retryAt(): number | null {
    return this.#state === 'open' ? this.#retryAt : null;
  }

  /** Whether an attempt would be let through now. */
  get wouldAdmit(): boolean {
    if (this.#state === 'closed') return true;
    if (this.#state === 'open') return this.#clock.now() >= this.#retryAt;
    return this.#probing < this.#settings.probes;
  }

  /** Lets an attempt through, or not. Each that is let through must be `settled` with the same `probe`. */
  admit(): { probe: boolean } | null {
    if (this.#state === 'closed') return ORDINARY;
    if (!this.wouldAdmit) return null;
    if (this.#state === 'open') {
      this.#probing = 0;
      this.#turn('half-open');
    }
    this.#probing++;
    return PROBE;
  }

  settle({ probe }: { probe: boolean }, outcome: Outcome): void {
    if (probe) this.#settleProbe(outcome);
    else if (this.#state === 'closed' && outcome !== 'nothing') this.#count(outcome === 'failure');
  }

  /** Share of the calls within the window; null while there are none. */
  get failureShare(): number | null {
    const now = this.#clock.now();
    const calls = this.#calls.total(now);
    return calls === 0 ? null : this.#failures.total(now) / calls;
  }

  #settleProbe(outcome: Outcome): void {
    if (this.#state !== 'half-open') return;
    this.#probing--;
    if (outcome === 'failure') this.#open();
    else if (outcome === 'success') {
      this.#calls.clear();
      this.#failures.clear();
      this.#turn('closed');
    }
  }

  #count(failed: boolean): void {
    const now = this.#clock.now();
    this.#calls.add(now);
    if (!failed) return;
    this.#failures.add(now);
    const { minCalls, failureShare } = this.#settings;
    const calls = this.#calls.total(now);
    if (calls >= minCalls && this.#failures.total(now) >= calls * failureShare) this.#open();
  }

  #open(): void {
    // Clients that have lost one server together do not come back together.
    this.#retryAt = this.#clock.now() + this.#settings.openMs * (0.9 + 0.2 * this.#random());
    this.#turn('open');
  }

  #turn(to: BreakerState): void {
    const from = this.#state;
    this.#state = to;
    this.#changed(from, to);
  }
}

const ORDINARY = { probe: false };
const PROBE = { probe: true };

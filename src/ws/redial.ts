import { backoffMs } from '../base/backoff.js';
import { FeedError } from './errors.js';
import type { FeedSettings } from './options.js';
import type { Dial, Ending, Verdict } from './venue.js';

export interface RedialOwner {
  readonly settings: Pick<FeedSettings, 'backoff' | 'random' | 'renewCredentials'>;
  /** Dials after so long. */
  wait(ms: number): void;
  /** The last dial; null if the connection does not wait for another. */
  epoch(): number | null;
  /** Nobody dials for so long. */
  pauseDials(ms: number): void;
  /** It is not dialed again until somebody says so; `tell` reports it. */
  giveUp(error: FeedError, tell: () => void): void;
}

/** Hears when the next dial is; null if there is none. */
type Told = (retryInMs: number | null) => void;

/** A server that ends us again so soon after it has called itself "going away" gets no more dials at once. */
const SETTLED_MS = 1000;

/** When and why a connection is dialed again: it does what the verdict on an end says. */
export class Redial {
  readonly #owner: RedialOwner;
  #failures = 0;
  #endsInARow = 0;
  #renewals = 0;
  #why: Dial['why'] = 'first';

  constructor(owner: RedialOwner) {
    this.#owner = owner;
  }

  /** Dials that failed since the connection was last stable, and losses that count like one. */
  get failures(): number {
    return this.#failures;
  }

  get why(): Dial['why'] {
    return this.#why;
  }

  /** The next dial opens a socket in place of another. */
  dialsForRotation(): void {
    this.#why = 'rotation';
  }

  /** The connection has been open for a while: all counts begin anew. */
  stable(): void {
    this.#failures = 0;
    this.#endsInARow = 0;
    this.#renewals = 0;
    this.#why = 'lost';
  }

  /** One more end. */
  streak(): { readonly inARow: number; readonly capMs: number } {
    return { inARow: this.#endsInARow++, capMs: this.#owner.settings.backoff.capMs };
  }

  after(verdict: Verdict, ending: Ending, told: Told): void {
    switch (verdict.then) {
      case 'retry':
        told(this.#backOff(ending.retryAfterMs));
        return;
      case 'now':
        if (ending.openMs < SETTLED_MS && this.#endsInARow > 1) told(this.#backOff(ending.retryAfterMs));
        else {
          this.dialAfter(0, 'lost');
          told(0);
        }
        return;
      case 'wait':
        this.#failures++;
        // A ban would hit the other connections as well.
        if (ending.httpStatus === 429) this.#owner.pauseDials(verdict.ms);
        this.dialAfter(verdict.ms, 'lost');
        told(verdict.ms);
        return;
      case 'renew':
        void this.#renew(ending, told);
        return;
      case 'stop':
        this.#give(new FeedError('ERR_FEED_REFUSED', verdict.message, { cause: ending.error }), told);
        return;
    }
  }

  dialAfter(waitMs: number, why: Dial['why']): void {
    this.#why = why;
    this.#owner.wait(waitMs);
  }

  /** Gives how long it will be. */
  #backOff(retryAfterMs: number | null): number {
    const { random, backoff } = this.#owner.settings;
    const waitMs = Math.max(backoffMs(this.#failures, backoff, random), retryAfterMs ?? 0);
    this.#failures++;
    this.dialAfter(waitMs, 'lost');
    return waitMs;
  }

  /** A dead token must not be tried for ever, and a fresh one must not be missed. */
  async #renew(ending: Ending, told: Told): Promise<void> {
    const epoch = this.#owner.epoch();
    const error = authError(ending);
    if (this.#renewals > 0) {
      this.#give(error, told);
      return;
    }
    let renewed = false;
    let cause: unknown = null;
    try {
      renewed = await this.#owner.settings.renewCredentials();
    } catch (thrown) {
      cause = thrown;
    }
    if (epoch === null || this.#owner.epoch() !== epoch) return;
    if (renewed) {
      this.#renewals++;
      const waitMs = this.#backOff(ending.retryAfterMs);
      this.#why = 'renewed';
      told(waitMs);
      return;
    }
    const hint = 'the credentials could not be renewed';
    this.#give(cause === null ? error : new FeedError('ERR_FEED_AUTH', error.message, { cause, hint }), told);
  }

  #give(error: FeedError, told: Told): void {
    this.#failures++;
    this.#owner.giveUp(error, () => told(null));
  }
}

function authError({ error }: Ending): FeedError {
  return error.code === 'ERR_FEED_AUTH'
    ? error
    : new FeedError('ERR_FEED_AUTH', `the server refuses the credentials: ${error.message}`, {
        cause: error,
        hint: 'renew the token; it is not tried again with this one',
      });
}

import { createHash } from 'node:crypto';
import { onAbort } from '../base/abort.js';
import { type Clock, systemClock } from '../base/clock.js';
import { asError, ignore } from '../base/promises.js';
import type { PacingSnapshot } from '../snapshot/broker.js';
import {
  createPacer,
  type LocalPacer,
  type Paced,
  type Pacer,
  type PacingOptions,
  type Sent,
} from './pacing.js';

/** Room in one window that all processes share: at most `most` within any `windowMs`. */
export interface Claim {
  readonly key: string;
  readonly weight: number;
  readonly most: number;
  readonly windowMs: number;
}

/** Counts the messages of several processes that talk to one gateway. */
export interface SharedBudget {
  /**
   * Takes the room of one message in all windows, or in none. Gives null, or the window that is full and when to ask
   * again, in milliseconds from now.
   */
  take(claims: readonly Claim[]): Promise<{ readonly key: string; readonly waitMs: number } | null>;
}

export interface SharedPacingOptions extends PacingOptions {
  readonly budget: SharedBudget;
  /**
   * Told when the budget cannot be asked. The message goes by the limits of this process alone: an order must not fail
   * because a file or a server is gone. Default: nobody.
   */
  readonly onBudgetError?: (error: Error) => void;
}

const MESSAGES = 'messages';
const SECOND_MS = 1000;
/** A full window is looked at again no later than that: another process may have ended. */
const LONGEST_WAIT_MS = 1000;

interface Ticket {
  readonly claims: readonly Claim[];
  readonly isUrgent: boolean;
  readonly resolve: () => void;
}

/**
 * Pacing for processes that talk to one gateway side by side: the gateway counts all its clients together. Each message
 * goes when both its own process and the budget have room for it; urgent ones first. Pass it as `pacer` to the pool of
 * each process, with the same figures.
 */
export function createSharedPacer(options: SharedPacingOptions): Pacer {
  return new SharedPacer(options);
}

class SharedPacer implements Pacer {
  readonly #local: LocalPacer;
  readonly #clock: Clock;
  readonly #options: SharedPacingOptions;
  readonly #most: { readonly ordinary: number; readonly urgent: number };
  readonly #tickets = new Set<Ticket>();
  #arrived = 0;
  #isAsking = false;
  #wake = ignore;

  constructor(options: SharedPacingOptions) {
    const { budget, onBudgetError, ...pacing } = options;
    this.#options = options;
    this.#clock = pacing.clock ?? systemClock;
    this.#local = createPacer(pacing);
    this.#most = this.#local.budgets;
  }

  send(
    message: Paced,
    transmit: () => void | Promise<void>,
    signal?: AbortSignal | (() => AbortSignal),
  ): Promise<Sent> {
    // It always waits: for the answer of the budget, if for nothing else.
    const watched = typeof signal === 'function' ? signal() : signal;
    const go = async (): Promise<void> => {
      await this.#turn(message, watched);
      watched?.throwIfAborted();
      await transmit();
    };
    return this.#local.send(message, go, watched);
  }

  backOff(what: 'all' | 'history', forMs: number): void {
    this.#local.backOff(what, forMs);
  }

  snapshot(): PacingSnapshot {
    return this.#local.snapshot();
  }

  /** Resolves when the budget has room. Rejects with the signal's reason. */
  #turn(message: Paced, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const isUrgent = message.kind === 'urgent';
      let stopWatching = ignore;
      const ticket: Ticket = {
        isUrgent,
        claims: this.#claims(message),
        resolve: () => {
          this.#tickets.delete(ticket);
          stopWatching();
          resolve();
        },
      };
      this.#tickets.add(ticket);
      this.#arrived++;
      if (signal !== undefined) {
        stopWatching = onAbort(signal, () => {
          this.#tickets.delete(ticket);
          reject(asError(signal.reason));
        });
      }
      this.#wake();
      if (!this.#isAsking) void this.#ask();
    });
  }

  #claims(message: Paced): Claim[] {
    const marginMs = Math.max(1, this.#options.marginMs ?? 75);
    const most = message.kind === 'urgent' ? this.#most.urgent : this.#most.ordinary;
    const claims: Claim[] = [{ key: MESSAGES, weight: 1, most, windowMs: SECOND_MS + marginMs }];
    const { history = {} } = this.#options;
    if (message.kind !== 'history' || history === false || !message.history.smallBars) return claims;
    const { identicalMs = 15_000, perSeries = 5, perTenMinutes = 60 } = history;
    const { identity, series, weight } = message.history;
    claims.push(
      { key: `same ${digest(identity)}`, weight: 1, most: 1, windowMs: identicalMs + marginMs },
      { key: `series ${digest(series)}`, weight: 1, most: perSeries, windowMs: 2 * SECOND_MS + marginMs },
      { key: 'ten minutes', weight, most: perTenMinutes, windowMs: 600 * SECOND_MS + marginMs },
    );
    return claims;
  }

  /** Asks for one message after the other, the urgent ones first, until none waits. */
  async #ask(): Promise<void> {
    this.#isAsking = true;
    while (this.#tickets.size > 0) {
      const arrived = this.#arrived;
      const waitMs = await this.#round();
      // One that came while the budget was asked for others has not been asked for.
      if (waitMs > 0 && this.#tickets.size > 0 && arrived === this.#arrived)
        await this.#rest(Math.min(waitMs, LONGEST_WAIT_MS));
    }
    this.#isAsking = false;
  }

  /** Gives 0 when one was let go, else how long none will be. */
  async #round(): Promise<number> {
    const tickets = [...this.#tickets].sort((a, b) => Number(b.isUrgent) - Number(a.isUrgent));
    let waitMs = Number.POSITIVE_INFINITY;
    for (const ticket of tickets) {
      if (!this.#tickets.has(ticket)) continue;
      let full: Awaited<ReturnType<SharedBudget['take']>> = null;
      try {
        full = await this.#options.budget.take(ticket.claims);
      } catch (error) {
        this.#options.onBudgetError?.(asError(error));
      }
      if (full === null) {
        // If the caller has given up meanwhile, the room is lost, which is on the safe side.
        ticket.resolve();
        return 0;
      }
      waitMs = Math.min(waitMs, Math.max(1, full.waitMs));
      // The messages behind it need the same room. A request for history may wait for its own windows only.
      if (full.key === MESSAGES) break;
    }
    return waitMs;
  }

  #rest(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(() => this.#wake(), forMs);
      this.#wake = () => {
        this.#wake = ignore;
        timer.cancel();
        resolve();
      };
    });
  }
}

/** Keys of windows are short, and say nothing of what is traded. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

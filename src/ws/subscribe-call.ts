import type { Timer } from '../base/clock.js';
import type { FeedError } from './errors.js';

/** The outcome of one symbol of a subscribe. */
export interface SubscribeResult {
  readonly symbol: string;
  /**
   * - `live`: the server has confirmed it.
   * - `assumed`: the venue confirms by data, and neither a tick nor a refusal has come in time; the market may be closed.
   * - `refused`: the server does not take it.
   * - `no-room`: all connections are full; only where the request was not atomic.
   * - `released`: it was unsubscribed before it was live.
   */
  readonly outcome: 'live' | 'assumed' | 'refused' | 'no-room' | 'released';
  /** The server's reason, for one that was refused. */
  readonly reason: string | null;
}

/** One call of subscribe, until the last of its symbols is live or refused. */
export class SubscribeCall {
  readonly promise: Promise<readonly SubscribeResult[]>;
  readonly #results = new Map<string, SubscribeResult | null>();
  readonly #resolve: (results: readonly SubscribeResult[]) => void;
  readonly #reject: (error: FeedError) => void;
  #pending: number;
  #over = false;
  timer: Timer | null = null;
  stopWatching: (() => void) | null = null;

  constructor(symbols: readonly string[]) {
    let resolveIt: (results: readonly SubscribeResult[]) => void = () => {};
    let rejectIt: (error: FeedError) => void = () => {};
    this.promise = new Promise((resolve, reject) => {
      resolveIt = resolve;
      rejectIt = reject;
    });
    this.#resolve = resolveIt;
    this.#reject = rejectIt;
    for (const symbol of symbols) this.#results.set(symbol, null);
    this.#pending = this.#results.size;
    if (this.#pending === 0) this.#finish();
  }

  get over(): boolean {
    return this.#over;
  }

  get pending(): number {
    return this.#pending;
  }

  settle(symbol: string, outcome: SubscribeResult['outcome'], reason: string | null = null): void {
    if (this.#over || this.#results.get(symbol) !== null) return;
    this.#results.set(symbol, { symbol, outcome, reason });
    this.#pending--;
    if (this.#pending === 0) this.#finish();
  }

  fail(error: FeedError): void {
    if (this.#over) return;
    this.#end();
    this.#reject(error);
  }

  #finish(): void {
    this.#end();
    this.#resolve([...this.#results.values()].filter((result) => result !== null));
  }

  #end(): void {
    this.#over = true;
    this.timer?.cancel();
    this.stopWatching?.();
  }
}

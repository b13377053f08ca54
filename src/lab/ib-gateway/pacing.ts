import { barSecondsOf } from './market.js';
import type { HistoryQuery } from './wire/request-types.js';

/**
 * How many events the last `windowMs` hold: a log of each, not a bucket that refills, which would let nearly twice
 * as many through. An event leaves exactly `windowMs` after it came.
 */
export class SlidingWindow {
  /** The most there ever were in one window. */
  most = 0;
  readonly #windowMs: number;
  #stamps = new Float64Array(64);
  #head = 0;
  #length = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** How many there are in the window that ends at `nowMs`. */
  count(nowMs: number): number {
    const mask = this.#stamps.length - 1;
    while (this.#length > 0 && (this.#stamps[this.#head] as number) <= nowMs - this.#windowMs) {
      this.#head = (this.#head + 1) & mask;
      this.#length--;
    }
    return this.#length;
  }

  /** Notes one, and gives how many there are with it. */
  add(nowMs: number): number {
    this.count(nowMs);
    if (this.#length === this.#stamps.length) this.#grow();
    this.#stamps[(this.#head + this.#length) & (this.#stamps.length - 1)] = nowMs;
    this.#length++;
    this.most = Math.max(this.most, this.#length);
    return this.#length;
  }

  #grow(): void {
    const size = this.#stamps.length;
    const larger = new Float64Array(size * 2);
    for (let index = 0; index < size; index++) {
      larger[index] = this.#stamps[(this.#head + index) & (size - 1)] as number;
    }
    this.#stamps = larger;
    this.#head = 0;
  }
}

/** The limits on requests for history, as the vendor documents them ("historical limitations"). */
export interface HistoryLimits {
  /** An identical request is refused for so long, in milliseconds. */
  readonly identicalMs: number;
  /** Requests for one contract, exchange and kind of data: fewer than this within `sameContractMs`. */
  readonly sameContract: number;
  readonly sameContractMs: number;
  /** Requests in all within `totalMs`; those for BID_ASK count twice. */
  readonly total: number;
  readonly totalMs: number;
  /** Requests without their answer, at once. */
  readonly open: number;
  /** Bars of more than that many seconds are only under the limit of open requests. */
  readonly mostBarSeconds: number;
}

export const HISTORY_LIMITS: HistoryLimits = {
  identicalMs: 15_000,
  sameContract: 6,
  sameContractMs: 2000,
  total: 60,
  totalMs: 600_000,
  open: 50,
  mostBarSeconds: 30,
};

/** Watches the requests for history of all clients together. */
export class HistoryPacing {
  readonly #limits: HistoryLimits;
  readonly #total: SlidingWindow;
  /** When each request was last made, oldest first. */
  readonly #identical = new Map<string, number>();
  readonly #contracts = new Map<string, SlidingWindow>();

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
    this.#total = new SlidingWindow(limits.totalMs);
  }

  /** Why the request is refused; null lets it through, and counts it. `open` are those that wait for an answer. */
  refuse(query: HistoryQuery, open: number, nowMs: number): string | null {
    const limits = this.#limits;
    if (open >= limits.open) return `more than ${limits.open} requests open`;
    const barSeconds = barSecondsOf(query.barSize);
    if (barSeconds === null || barSeconds > limits.mostBarSeconds) return null;
    const key = historyKey(query);
    const before = this.#identical.get(key);
    if (before !== undefined && nowMs - before < limits.identicalMs) return 'identical request';
    const contract = this.#contract(query, nowMs);
    if (contract.count(nowMs) + 1 >= limits.sameContract) return 'same contract too often';
    const weight = query.whatToShow === 'BID_ASK' ? 2 : 1;
    if (this.#total.count(nowMs) + weight > limits.total) return 'too many requests in ten minutes';
    for (let times = 0; times < weight; times++) this.#total.add(nowMs);
    contract.add(nowMs);
    this.#identical.delete(key);
    this.#identical.set(key, nowMs);
    this.#forget(nowMs);
    return null;
  }

  #contract(query: HistoryQuery, nowMs: number): SlidingWindow {
    const { contract, whatToShow } = query;
    const key = `${contractKey(query)}|${contract.exchange}|${whatToShow}`;
    const known = this.#contracts.get(key);
    if (known !== undefined) return known;
    // At most `total` are let through in all, so that few are in use.
    for (const [other, window] of this.#contracts) {
      if (window.count(nowMs) === 0) this.#contracts.delete(other);
    }
    const window = new SlidingWindow(this.#limits.sameContractMs);
    this.#contracts.set(key, window);
    return window;
  }

  #forget(nowMs: number): void {
    for (const [key, atMs] of this.#identical) {
      if (nowMs - atMs < this.#limits.identicalMs) return;
      this.#identical.delete(key);
    }
  }
}

/** The key by which two requests for history are the same. */
export function historyKey(query: HistoryQuery): string {
  const { contract, end, barSize, duration, whatToShow, regularHoursOnly } = query;
  const rest = [end, duration, barSize, whatToShow, regularHoursOnly ? 'rth' : 'all'];
  return [contractKey(query), contract.exchange, ...rest].join('|');
}

function contractKey({ contract }: HistoryQuery): string {
  const { conId, symbol, secType, expiry, strike, right, currency, localSymbol } = contract;
  return [conId, symbol, secType, expiry, strike, right, currency, localSymbol].join(' ').trim();
}

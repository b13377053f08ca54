import { onAbort } from '../../base/abort.js';
import { backoffBoundMs } from '../../base/backoff.js';
import type { Clock } from '../../base/clock.js';
import { ignore } from '../../base/promises.js';
import { IbError } from '../errors.js';
import type { Question, Requests } from '../requests.js';
import type { Supervisor } from '../supervisor.js';
import type { OrderBook } from './book.js';
import { completedOrders, executions, openOrders } from './questions.js';
import type { OrderRecord } from './record.js';
import { type CompletedOrder, OrderError } from './types.js';

interface ReconcilerOptions {
  readonly supervisor: Supervisor;
  readonly requests: Requests;
  readonly clock: Clock;
  readonly clientId: number;
  readonly book: OrderBook;
  /** Whether orders of an earlier process are looked for. */
  readonly recovers: boolean;
  /** Between two looks. */
  readonly recheckMs: number;
  /** Told of each order on which a look has decided. */
  readonly settled: (record: OrderRecord) => void;
}

/** How long each of the lists may take. */
const LIST_MS = 5000;
/** Looks that fail one after the other before orders are placed all the same. */
const FAILURES = 3;
const LONGEST_REST_MS = 30_000;
/** One look may fall into a gap of the gateway: an order must be missing from two. */
const LOOKS = 2;
/** The first server version that lists completed orders. */
const COMPLETED_FROM = 150;
const OPERATOR =
  'the statement of the account, or a look at the screen of TWS: the gateway does not list it any more';

/**
 * Asks the gateway for its open orders, executions and completed orders, and settles what is in doubt: after a
 * reconnect, after the gateway was cut off from IB, and after an answer that nobody understands. The answers themselves
 * change the orders as any message does; this decides on those that are missing.
 */
export class Reconciler {
  /** Counts the looks. */
  look = 0;
  /** Resolves when orders may be placed again; null while they may. */
  gate: Promise<void> | null = null;
  /** Resolves after the first look that came to an end. */
  readonly firstLook: Promise<void>;
  readonly #options: ReconcilerOptions;
  readonly #misses = new WeakMap<OrderRecord, number>();
  #openGate = ignore;
  #hasLooked = ignore;
  #session: AbortController | null = null;
  #again = false;
  /** A look has come to its end. */
  #knows = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.firstLook = new Promise((resolve) => {
      this.#hasLooked = resolve;
    });
  }

  /** `holds`: no new order goes out until the first look is over. One that runs already is followed by another. */
  start(holds: boolean): void {
    if (holds && this.gate === null) {
      this.gate = new Promise((resolve) => {
        this.#openGate = () => {
          this.gate = null;
          resolve();
        };
      });
    }
    if (this.#session !== null) {
      this.#again = true;
      return;
    }
    const session = new AbortController();
    this.#session = session;
    void this.#run(session.signal)
      .catch(ignore)
      .finally(() => {
        if (this.#session !== session) return;
        this.#session = null;
        if (this.#knows || !this.#options.recovers) this.#openGate();
        if (!this.#again) return;
        this.#again = false;
        this.start(false);
      });
  }

  /** The session is over; `isClosed`: there is no next. */
  stop(isClosed = false): void {
    this.#again = false;
    this.#session?.abort();
    this.#session = null;
    this.#openGate();
    if (isClosed) this.#hasLooked();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let looks = 0, failures = 0; looks < LOOKS; ) {
      const look = ++this.look;
      const since = this.#options.clock.now();
      try {
        const completed = await this.#ask(signal);
        if (signal.aborted) return;
        looks++;
        const isDecided = this.#judge(look, since, completed);
        this.#knows = true;
        this.#openGate();
        this.#hasLooked();
        if (isDecided) return;
      } catch (error) {
        if (signal.aborted) return;
        // It was refused: asking again changes nothing.
        const isRefused = error instanceof IbError && error.ibCode !== null && error.code !== 'ERR_IB_PACING';
        failures = isRefused ? FAILURES : failures + 1;
        if (failures >= FAILURES) {
          this.#hasLooked();
          // While the orders of an earlier process are not known, one of them might be placed again.
          if (this.#knows || !this.#options.recovers) this.#openGate();
        }
        if (isRefused) return;
      }
      if (looks < LOOKS) await this.#rest(signal, failures);
    }
  }

  /** The completed orders; null where the gateway is too old to list them. */
  async #ask(signal: AbortSignal): Promise<readonly CompletedOrder[] | null> {
    const { requests, supervisor, clientId } = this.#options;
    const ask = <T>(question: Question<T>): Promise<T> =>
      requests.ask({ ...question, repeats: false }, { signal, timeoutMs: LIST_MS, ours: true });
    await ask(openOrders(true));
    await ask(executions({ clientId }));
    const { state } = supervisor;
    const version = state.kind === 'ready' ? state.session.serverVersion : 0;
    return version < COMPLETED_FROM ? null : ask(completedOrders(true));
  }

  /** Whether none is in doubt any more. */
  #judge(look: number, since: number, completed: readonly CompletedOrder[] | null): boolean {
    const { state } = this.#options.supervisor;
    const isCutOff = state.kind !== 'ready' || state.upstream === 'down';
    let isDecided = true;
    for (const { life } of this.#options.book.lives) {
      const { record } = life;
      if (!isInDoubt(record) || (record.sentAt ?? 0) > since) continue;
      if (record.foundIn >= look) {
        this.#misses.delete(record);
        continue;
      }
      const misses = (this.#misses.get(record) ?? 0) + 1;
      this.#misses.set(record, misses);
      // While the gateway is cut off from IB, its lists prove nothing.
      if (misses < LOOKS || isCutOff) isDecided = false;
      else this.#decide(record, completed);
    }
    return isDecided;
  }

  /** It is neither open, nor executed in full, nor completed. */
  #decide(record: OrderRecord, completed: readonly CompletedOrder[] | null): void {
    const { orderId, orderRef, unclear } = record;
    const mayBeListed = completed === null || completed.some((one) => one.orderRef === orderRef);
    // One that the gateway has shown before cannot have come to nothing. Absent does not mean canceled.
    if (record.isSeen || mayBeListed) {
      const text = `order ${orderId}: the gateway does not list it any more`;
      const reason = new OrderError('unknown', 'ERR_IB_CONNECTION_LOST', text, { settledBy: OPERATOR });
      record.lost(reason, OPERATOR);
    } else if (unclear !== null) {
      const { code, message, ibCode, hint } = unclear;
      record.refused(new OrderError('rejected', code, message, { ibCode, hint, cause: unclear }));
    } else {
      const text = `order ${orderId}: the gateway has no trace of it`;
      const cause = record.doubt?.reason ?? null;
      record.notSent(
        new OrderError('not-sent', 'ERR_IB_CONNECTION_LOST', text, cause === null ? {} : { cause }),
      );
    }
    this.#options.settled(record);
  }

  /** Longer after each failure: the gateway may be busy, or not answer at all until it is restarted. */
  #rest(signal: AbortSignal, failures: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(
        () => {
          stopWatching();
          resolve();
        },
        backoffBoundMs(failures, { baseMs: this.#options.recheckMs, capMs: LONGEST_REST_MS }),
      );
      const stopWatching = onAbort(signal, () => {
        timer.cancel();
        resolve();
      });
    });
  }
}

/** Not of an order that has just been sent, whose answer is on its way, nor of one that TWS holds back unseen. */
function isInDoubt({ state, unclear, order }: OrderRecord): boolean {
  switch (state) {
    case 'sent':
      return unclear !== null;
    case 'unknown':
      return order.transmit !== false;
    case 'working':
    case 'partly-filled':
    case 'inactive':
      return true;
    case 'new':
    case 'held':
    case 'filled':
    case 'cancelled':
    case 'rejected':
    case 'not-sent':
      return false;
  }
}

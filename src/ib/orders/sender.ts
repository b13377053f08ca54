import { onAbort } from '../../base/abort.js';
import type { Clock } from '../../base/clock.js';
import { asError, ignore } from '../../base/promises.js';
import type { Order, OrderStatus } from '../contracts.js';
import { IbError } from '../errors.js';
import type { Pacer } from '../pacing.js';
import { ANSWER_MS } from '../questions.js';
import type { RequestOptions, Requests } from '../requests.js';
import type { Supervisor } from '../supervisor.js';
import { TimeLimit } from '../time-limit.js';
import type { OrderRecord } from './record.js';
import { OrderError } from './types.js';
import { type MessageKind, nameOf, notSentError, type Waiter, type Waiters } from './waiters.js';

interface SenderParts {
  readonly supervisor: Supervisor;
  readonly requests: Requests;
  readonly pacer: Pacer;
  readonly clock: Clock;
  /** Resolves when orders may be placed; null while they may. */
  readonly gate: () => Promise<void> | null;
  readonly waitersOf: (record: OrderRecord) => Waiters;
  /** A message of it got no answer in time. */
  readonly inDoubt: () => void;
  /** It was not sent. */
  readonly dropped: (record: OrderRecord) => void;
}

/** A message about an order. */
export interface OrderCall {
  readonly kind: MessageKind;
  readonly record: OrderRecord;
  /** The values that a modification asks for. */
  readonly wants?: Order;
  readonly message: () => readonly [method: string, args: readonly unknown[]];
}

/** The events that settle an order in doubt. */
export const SETTLED_BY = {
  session: 'the look at the open orders, executions and completed orders after the next connect',
  answer: 'the next message of the gateway about it, or the next look at its lists',
} as const;

/** Sends messages about orders: each once, at once or not at all, with a waiter of its own. */
export class OrderSender {
  readonly #parts: SenderParts;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Rejects with an OrderError, or with the reason of the caller's signal. */
  send(call: OrderCall, options: RequestOptions): Promise<OrderStatus> {
    const { requests, clock } = this.#parts;
    requests.count('asked');
    const { kind, record } = call;
    const name = nameOf(kind, record.orderId, record.contract);
    const limit = new TimeLimit(clock, name, options.timeoutMs ?? ANSWER_MS, options.signal);
    return new Promise<OrderStatus>(
      (resolve, reject) => new Sending(this.#parts, call, limit, resolve, reject),
    );
  }
}

/** One message, from the call until it has an answer or is given up. */
class Sending implements Waiter {
  readonly kind: MessageKind;
  readonly record: OrderRecord;
  readonly wants: Order | null;
  wasSent = false;
  isContradicted = false;
  suspicion: OrderError | null = null;
  readonly #parts: SenderParts;
  readonly #call: OrderCall;
  readonly #name: string;
  readonly #limit: TimeLimit;
  readonly #waiters: Waiters;
  readonly #resolve: (status: OrderStatus) => void;
  readonly #reject: (error: Error) => void;
  /** Made only for a message that has to wait for its turn: making one costs as much as sending. */
  #queue: AbortController | null = null;
  #stopWatching = ignore;
  #isOver = false;

  constructor(
    parts: SenderParts,
    call: OrderCall,
    limit: TimeLimit,
    resolve: (status: OrderStatus) => void,
    reject: (error: Error) => void,
  ) {
    this.#parts = parts;
    this.#call = call;
    this.kind = call.kind;
    this.record = call.record;
    this.wants = call.wants ?? null;
    this.#limit = limit;
    this.#name = nameOf(call.kind, call.record.orderId, call.record.contract);
    this.#waiters = parts.waitersOf(call.record);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#begin();
  }

  resolve(status: OrderStatus): void {
    if (!this.#end()) return;
    this.#parts.requests.count('answered');
    this.#resolve(status);
  }

  reject(error: Error): void {
    if (!this.#end()) return;
    const isTimeout = error instanceof IbError && error.code === 'ERR_IB_TIMEOUT';
    this.#parts.requests.count(isTimeout ? 'timedOut' : 'failed');
    this.#reject(error);
  }

  #begin(): void {
    try {
      this.#limit.check();
    } catch (error) {
      this.#notSent(asError(error));
      return;
    }
    this.#limit.onOver = (cause) => this.#overdue(cause);
    this.#waiters.add(this);
    // A cancellation waits for nothing.
    const gate = this.kind === 'cancel' ? null : this.#parts.gate();
    if (gate === null) this.#enqueue();
    else {
      this.#limit.run();
      gate.then(() => this.#enqueue(), ignore);
    }
  }

  #enqueue(): void {
    if (this.#isOver) return;
    const { supervisor, requests, pacer } = this.#parts;
    const { state } = supervisor;
    // Nothing waits for a connection: by then it may not be what is wanted.
    if (state.kind !== 'ready') {
      this.#notSent(new IbError('ERR_IB_CONNECTION_LOST', `the connection is ${state.kind}`));
      return;
    }
    if (state.upstream === 'down' && this.kind !== 'cancel') {
      this.#notSent(new IbError('ERR_IB_CONNECTION_LOST', 'the gateway has lost its connection to IB'));
      return;
    }
    this.#limit.pause();
    const session = requests.sessionSignal;
    const beforeWaiting = (): AbortSignal => {
      this.#queue = new AbortController();
      this.#stopWatching = onAbort(session, () => this.#notSent(asError(session.reason)));
      return this.#queue.signal;
    };
    pacer
      .send({ kind: 'urgent' }, () => this.#transmit(), beforeWaiting)
      .catch((error: unknown) => {
        if (this.#isOver) return;
        if (this.wasSent) this.#overdue(asError(error));
        else this.#notSent(asError(error));
      });
  }

  #transmit(): void | Promise<void> {
    const { clock, supervisor } = this.#parts;
    this.#stopWatching();
    this.wasSent = true;
    this.#limit.run();
    if (this.kind === 'place') {
      this.record.sent = this.record.order;
      this.record.written(clock.now());
    }
    return supervisor.call(...this.#call.message());
  }

  #notSent(cause: Error): void {
    const { record } = this;
    const error = notSentError(this.#name, cause);
    if (this.kind === 'place') {
      const isTyped = error instanceof IbError;
      record.notSent(
        isTyped ? error : new OrderError('not-sent', 'ERR_IB_REQUEST', error.message, { cause }),
      );
    }
    this.reject(error);
    this.#parts.dropped(record);
  }

  /** The time is up, or the caller has given up. */
  #overdue(cause: Error): void {
    if (!this.wasSent) {
      this.#notSent(cause);
      return;
    }
    const { kind, record } = this;
    if (
      kind === 'place' &&
      record.state === 'held' &&
      cause instanceof IbError &&
      cause.code === 'ERR_IB_TIMEOUT'
    ) {
      // TWS holds it, and says nothing but a refusal, which would have come by now.
      this.resolve(record.status);
      return;
    }
    const typed =
      cause instanceof IbError
        ? cause
        : new IbError('ERR_IB_TIMEOUT', 'the caller gave up before the gateway answered', { cause });
    const error = unknownError(record, kind, typed, SETTLED_BY.answer);
    if (kind === 'place' && !record.isSeen) record.lost(error, SETTLED_BY.answer);
    this.reject(cause instanceof IbError ? error : cause);
    this.#parts.inDoubt();
  }

  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#limit.onOver = null;
    this.#limit.end();
    this.#stopWatching();
    this.#waiters.remove(this);
    if (!this.wasSent) this.#queue?.abort();
    return true;
  }
}

/** It was sent, and what became of it is not known. */
export function unknownError(
  record: OrderRecord,
  kind: MessageKind,
  cause: IbError,
  settledBy: string,
): OrderError {
  const name = nameOf(kind, record.orderId, record.contract);
  const text = cause.message.startsWith(name) ? cause.message : `${name}: ${cause.message}`;
  const code =
    cause.code === 'ERR_IB_CLOSED' || cause.code === 'ERR_IB_TIMEOUT' ? cause.code : 'ERR_IB_CONNECTION_LOST';
  const hint = 'it may have reached the market or not: await its `settled`, or ask for the open orders first';
  return new OrderError('unknown', code, text, { cause, hint, settledBy });
}

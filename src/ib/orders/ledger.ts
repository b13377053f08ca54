import type { Clock } from '../../base/clock.js';
import { Signal } from '../../base/emitter.js';
import { ignore } from '../../base/promises.js';
import type { Random } from '../../base/random.js';
import type { CodeTable } from '../codes.js';
import type { Contract, Order, OrderStatus } from '../contracts.js';
import type { IbError } from '../errors.js';
import type { Session } from '../handshake.js';
import type { Pacer } from '../pacing.js';
import { FIRST_REQUEST_ID, type RequestOptions, type Requests } from '../requests.js';
import type { Supervisor } from '../supervisor.js';
import { OrderBook } from './book.js';
import { OrderHandle, type OrderLife } from './handle.js';
import { OrderMessages } from './messages.js';
import { Reconciler } from './reconciler.js';
import type { OrderRecord } from './record.js';
import { type OrderCall, OrderSender, SETTLED_BY, unknownError } from './sender.js';
import { describeTerms, modification, sameTerms } from './terms.js';
import { type OpenOrder, OrderError, type OrderEvent } from './types.js';
import { nameOf, overError } from './waiters.js';

/** How orders are kept account of. */
export interface LedgerOptions {
  /**
   * The prefix of the references of all orders of this program. If it is given, a new connection finds the orders of
   * an earlier process by it before it is ready. Default `poolctl`, and no look for earlier orders.
   */
  readonly orderRefPrefix?: string;
  /** Between two looks for an order of which the gateway has no trace, in milliseconds. Default 2,000. */
  readonly recheckMs?: number;
  /** Orders that are over are forgotten beyond that many. Default 10,000. */
  readonly keepOrders?: number;
}

interface LedgerParts {
  readonly supervisor: Supervisor;
  readonly requests: Requests;
  readonly pacer: Pacer;
  readonly clock: Clock;
  readonly random: Random;
  readonly codes: CodeTable;
  readonly clientId: number;
}

/**
 * The orders of one connection. It knows each by its permId, its id and its reference; it takes what the gateway says
 * of them in any order; it asks for what it missed; and it never sends an order twice.
 */
export class OrderLedger {
  readonly #parts: LedgerParts;
  readonly #prefix: string;
  readonly #book: OrderBook;
  readonly #reconciler: Reconciler;
  readonly #sender: OrderSender;
  readonly #foreign = new Signal<OpenOrder>(ignore);
  readonly #messages: OrderMessages;
  /** Whether orders of an earlier process are looked for. */
  readonly recovers: boolean;
  /** References that this process makes up begin with that, so that no other process makes up the same. */
  readonly #token: string;
  #made = 0;
  #nextId = 0;

  constructor(parts: LedgerParts, { orderRefPrefix, recheckMs = 2000, keepOrders = 10_000 }: LedgerOptions) {
    this.#parts = parts;
    this.#prefix = orderRefPrefix ?? 'poolctl';
    this.recovers = orderRefPrefix !== undefined;
    this.#token = `${this.#prefix}-${parts.clientId}-${Math.round(parts.clock.wallTime()).toString(36)}${Math.floor(parts.random() * 1296).toString(36)}`;
    this.#book = new OrderBook({
      clientId: parts.clientId,
      keepOrders,
      actions: { modify: (...args) => this.modify(...args), cancel: (...args) => this.cancel(...args) },
    });
    this.#reconciler = new Reconciler({
      ...parts,
      recheckMs,
      recovers: this.recovers,
      book: this.#book,
      settled: (record) => this.#messages.settled(record),
    });
    this.#messages = new OrderMessages({
      ...parts,
      book: this.#book,
      reconciler: this.#reconciler,
      foreign: this.#foreign,
      recoversPrefix: this.recovers ? this.#prefix : null,
      raise: (orderId) => this.#raise(orderId),
    });
    this.#sender = new OrderSender({
      ...parts,
      gate: () => this.#reconciler.gate,
      waitersOf: (record) => this.#book.entryOf(record).waiters,
      inDoubt: () => this.#reconciler.start(false),
      dropped: (record) => this.#messages.endIfComplete(this.#book.entryOf(record).life),
    });
  }

  /** Messages that were sent, and have no answer as yet. */
  get inFlight(): number {
    return this.#book.lives.reduce((sum, { waiters }) => sum + waiters.size, 0);
  }

  /** Orders that are not over. */
  get open(): number {
    return this.#book.lives.filter(({ life: { record } }) => !record.isOver && record.state !== 'new').length;
  }

  nextOrderId(): number {
    return this.#nextId++;
  }

  /** A reference that no other order has. */
  newRef(suffix = ''): string {
    for (;;) {
      const ref = `${this.#token}-${++this.#made}${suffix}`;
      // A process that starts in the same moment as the one before makes up the same.
      if (this.#book.byRef(ref) === null) return ref;
    }
  }

  orders(): OrderHandle[] {
    return this.#book.lives.map(({ life }) => this.#handleOf(life));
  }

  /** By its order id, or its reference. */
  order(key: number | string): OrderHandle | null {
    const entry = typeof key === 'number' ? this.#book.byId(key) : this.#book.byRef(key);
    return entry === null ? null : this.#handleOf(entry.life);
  }

  onOrder(listener: (order: OrderHandle, event: OrderEvent) => void): () => void {
    return this.#book.events.add(({ life, event }) => listener(this.#handleOf(life), event));
  }

  onForeignOrder(listener: (order: OpenOrder) => void): () => void {
    return this.#foreign.add(listener);
  }

  /** Without an id, the reference of the order is its identity: an order that is known by it is not sent again. */
  place(id: number | null, contract: Contract, order: Order, options: RequestOptions = {}): OrderHandle {
    const ref = typeof order.orderRef === 'string' && order.orderRef !== '' ? order.orderRef : null;
    const known = id === null ? (ref === null ? null : this.#book.byRef(ref)) : this.#book.byId(id);
    if (known !== null && known.life.record.state !== 'not-sent') {
      const { record } = known.life;
      if (id !== null) return new OrderHandle(known.life, this.#replace(record, order, options));
      if (sameTerms(record, contract, order)) return this.#handleOf(known.life);
      const text = `orderRef '${ref}' is that of order ${record.orderId} (${describeTerms(record)})`;
      const error = new OrderError('not-sent', 'ERR_IB_DUPLICATE_ID', text, {
        hint: 'give each order a reference of its own, or modify that order',
      });
      return this.#refuseLocally(contract, order, error);
    }
    if (id !== null && !isOrderId(id)) {
      const text = `order ${id}: not sent, order ids are whole numbers from 1 to ${MOST_ID}`;
      const hint = 'leave the id out: the order is given the next one';
      return this.#refuseLocally(
        contract,
        order,
        new OrderError('not-sent', 'ERR_IB_OPTION', text, { hint }),
      );
    }
    const orderId = id ?? this.nextOrderId();
    this.#raise(orderId);
    const orderRef = ref ?? this.newRef();
    // With an id of its own, the reference of an order is a tag that others may have as well.
    const isIdentity = id === null || ref === null;
    const entry = this.#book.add({ orderId, orderRef, contract, order: { ...order, orderRef } }, isIdentity);
    const { record } = entry.life;
    const message = (): OrderMessageCall => ['placeOrder', [orderId, contract, record.order]];
    const accepted = this.#sender.send({ kind: 'place', record, message }, options);
    return new OrderHandle(entry.life, this.#firstStatus(entry.life, accepted));
  }

  modify(record: OrderRecord, changes: Order, options: RequestOptions = {}): Promise<OrderStatus> {
    const name = nameOf('modify', record.orderId, record.contract);
    if (record.isOver) return Promise.reject(overError('modify', record));
    if (record.state === 'unknown') {
      // A modification of an order that IB has not got can become a second order.
      const text = `${name}: not sent, the state of the order is not known`;
      const hint = 'await its `settled` first';
      return Promise.reject(new OrderError('not-sent', 'ERR_IB_CONNECTION_LOST', text, { hint }));
    }
    const { accepted } = this.#book.entryOf(record);
    if (!record.isSeen && accepted !== null && (record.state === 'new' || record.state === 'sent')) {
      // Sent at once, it would place the order anew where the placement is refused.
      return accepted.then(() => this.modify(record, changes, options));
    }
    const order = modification(record, changes);
    const message = (): OrderMessageCall => ['placeOrder', [record.orderId, record.contract, order]];
    return this.#sender.send({ kind: 'modify', record, wants: changes, message }, options).then((status) => {
      record.sent = order;
      record.order = { ...record.order, ...changes };
      return status;
    });
  }

  cancel(record: OrderRecord, options: RequestOptions = {}): Promise<OrderStatus> {
    if (record.isOver) return Promise.reject(overError('cancel', record));
    const message = (): OrderMessageCall => ['cancelOrder', [record.orderId, '']];
    return this.#sender.send({ kind: 'cancel', record, message }, options);
  }

  /** Cancels an order that may have been placed elsewhere. */
  cancelById(orderId: number, options: RequestOptions = {}): Promise<OrderStatus> {
    // Ids of orders that were entered in TWS are negative, or 0 where no client may change them.
    if (!Number.isSafeInteger(orderId) || orderId === 0 || Math.abs(orderId) > MOST_ID) {
      const text = `canceling order ${orderId}: not sent, no order has this id`;
      return Promise.reject(new OrderError('not-sent', 'ERR_IB_OPTION', text));
    }
    const known = this.#book.byId(orderId);
    const { record } = (known ?? this.#book.adopt({ orderId, orderRef: '', contract: {}, order: {} })).life;
    return this.cancel(record, options);
  }

  began(session: Session): void {
    this.#raise(session.nextOrderId - 1);
    const isFirst = session.epoch === 1;
    if (isFirst ? this.recovers : this.open > 0 || this.recovers) {
      this.#reconciler.start(true);
    }
  }

  /** Resolves when the orders of an earlier process are known, where that was asked for. */
  get recovered(): Promise<void> {
    return this.recovers ? this.#reconciler.firstLook : Promise.resolve();
  }

  restored(): void {
    if (this.open > 0) this.#reconciler.start(true);
  }

  ended(cause: IbError): void {
    this.#reconciler.stop();
    for (const { life, waiters } of this.#book.lives) {
      const { record } = life;
      if (record.state === 'sent' || record.state === 'held') {
        record.lost(unknownError(record, 'place', cause, SETTLED_BY.session), SETTLED_BY.session);
      }
      for (let left = waiters.size; left > 0; left--) this.#parts.requests.count('lost');
      waiters.rejectAll(({ kind }) => unknownError(record, kind, cause, SETTLED_BY.session));
    }
    if (cause.code === 'ERR_IB_CLOSED') this.close(cause);
  }

  close(cause: IbError): void {
    this.#messages.close();
    this.#reconciler.stop(true);
    for (const { life } of this.#book.lives) life.end(cause);
  }

  /** Whether it was about an order, and nobody else need hear it. */
  hear(event: string, args: readonly unknown[]): boolean {
    return this.#messages.hear(event, args);
  }

  /** A message without an id. */
  hearInfo(code: number, text: string): void {
    this.#messages.hearInfo(code, text);
  }

  #replace(record: OrderRecord, order: Order, options: RequestOptions): Promise<OrderStatus> {
    if (record.isOver) {
      const text = `order ${record.orderId}: not sent, this id was used before (${record.state})`;
      return Promise.reject(
        new OrderError('not-sent', 'ERR_IB_DUPLICATE_ID', text, { hint: 'take a new id' }),
      );
    }
    return this.modify(record, order, options);
  }

  #handleOf(life: OrderLife): OrderHandle {
    return new OrderHandle(life, this.#book.entryOf(life.record).accepted ?? this.#firstStatus(life, null));
  }

  /** The first status of an order. If nobody here waits for its placement, that is the current or the next status. */
  #firstStatus(life: OrderLife, accepted: Promise<OrderStatus> | null): Promise<OrderStatus> {
    const entry = this.#book.entryOf(life.record);
    entry.accepted =
      accepted ??
      new OrderHandle(life, new Promise(ignore)).settled.then((outcome) => {
        if (outcome.kind === 'accepted') return outcome.status;
        throw outcome.reason;
      });
    entry.accepted.catch(ignore);
    return entry.accepted;
  }

  #refuseLocally(contract: Contract, order: Order, error: OrderError): OrderHandle {
    const life = this.#book.detached({
      orderId: 0,
      orderRef: String(order.orderRef ?? ''),
      contract,
      order,
    });
    life.record.notSent(error);
    return new OrderHandle(life, Promise.reject(error));
  }

  /** Ids count up, whatever the gateway says: some give one again after a restart. */
  #raise(used: number): void {
    if (used < FIRST_REQUEST_ID) this.#nextId = Math.max(this.#nextId, used + 1);
  }
}

/** Gateways refuse 0 (10149), and write 2147483647 where there is no id. */
const MOST_ID = 2_147_483_646;

function isOrderId(id: number): boolean {
  return Number.isSafeInteger(id) && id >= 1 && id <= MOST_ID;
}

type OrderMessageCall = ReturnType<OrderCall['message']>;

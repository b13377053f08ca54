import { Signal } from '../../base/emitter.js';
import { ignore } from '../../base/promises.js';
import type { Contract, Order, OrderStatus } from '../contracts.js';
import type { IbError } from '../errors.js';
import type { RequestOptions } from '../requests.js';
import type { OrderRecord } from './record.js';
import {
  type Commission,
  type Fill,
  OrderError,
  type OrderEvent,
  type OrderMessage,
  type OrderOutcome,
  type OrderResult,
  type OrderState,
} from './types.js';

/** The actions of a handle, which the ledger carries out. */
export interface OrderActions {
  modify(record: OrderRecord, changes: Order, options?: RequestOptions): Promise<OrderStatus>;
  cancel(record: OrderRecord, options?: RequestOptions): Promise<OrderStatus>;
}

/** All that is known of one order, with its events so far. Its handles share it. */
export class OrderLife {
  readonly record: OrderRecord;
  readonly actions: OrderActions;
  readonly events: OrderEvent[] = [];
  readonly signal = new Signal<OrderEvent>(ignore);
  /** Told when something has changed that is no event. */
  readonly progress = new Signal<null>(ignore);
  /** Told when nothing more is to come. */
  readonly ended = new Signal<IbError | null>(ignore);
  isEnded = false;

  constructor(record: OrderRecord, actions: OrderActions) {
    this.record = record;
    this.actions = actions;
  }

  tell(event: OrderEvent): void {
    // An order that was taken for over turns out to live.
    if (!this.record.isOver) this.isEnded = false;
    this.events.push(event);
    this.signal.emit(event);
  }

  end(cause: IbError | null): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.ended.emit(cause);
  }
}

/**
 * An order, from before it is sent until after its last commission. It is also a promise of the first status, as
 * `accepted` is: `await` on a handle gives that status. An unobserved rejection is not reported; see `outcome`.
 */
export class OrderHandle implements Promise<OrderStatus>, AsyncIterable<OrderEvent> {
  readonly [Symbol.toStringTag] = 'OrderHandle';
  /**
   * Resolves with the first status when the gateway shows that it has the order. Rejects with an OrderError, whose
   * `outcome` is not-sent, unknown or rejected. For a handle of a modification: when the gateway has taken that. Of an
   * order with `transmit: false`, which TWS holds without a word, it resolves with an empty status when its time is up.
   */
  readonly accepted: Promise<OrderStatus>;
  readonly #life: OrderLife;

  constructor(life: OrderLife, accepted: Promise<OrderStatus>) {
    this.#life = life;
    this.accepted = accepted;
    accepted.catch(ignore);
  }

  /** The order id; 0 for an order that was not sent because no id was known yet, or that is known by its permId alone. */
  get id(): number {
    return this.#record.orderId;
  }

  get clientId(): number {
    return this.#record.clientId;
  }

  /** IB's own number; null until the gateway has told it. */
  get permId(): number | null {
    return this.#record.permId;
  }

  /** The reference that the order carries at the gateway. */
  get orderRef(): string {
    return this.#record.orderRef;
  }

  get contract(): Contract {
    return this.#record.contract;
  }

  /** The order's fields: as sent, with what the gateway changed. */
  get order(): Order {
    return this.#record.order;
  }

  get state(): OrderState {
    return this.#record.state;
  }

  /** The last message of the gateway. */
  get status(): OrderStatus {
    return this.#record.status;
  }

  /** In the order of their arrival. */
  get fills(): readonly Fill[] {
    return [...this.#record.fills.values()];
  }

  get commissions(): readonly Commission[] {
    return this.fills.flatMap(({ commission }) => (commission === null ? [] : [commission]));
  }

  get messages(): readonly OrderMessage[] {
    return this.#record.messages;
  }

  /** The outcome as far as it is known now; null while the gateway has not answered. */
  get outcome(): OrderOutcome | null {
    const { state, reason, doubt, status, isSeen } = this.#record;
    switch (state) {
      case 'new':
      case 'sent':
      case 'held':
        return isSeen ? { kind: 'accepted', status } : null;
      case 'working':
      case 'partly-filled':
      case 'inactive':
      case 'filled':
      case 'cancelled':
        return { kind: 'accepted', status };
      case 'rejected':
      case 'not-sent':
        return { kind: state, reason: reason ?? this.#unexplained() };
      case 'unknown':
        return {
          kind: state,
          reason: doubt?.reason ?? this.#unexplained(),
          settledBy: doubt?.settledBy ?? 'the next message of the gateway',
        };
      default:
        return state satisfies never;
    }
  }

  /** Resolves when the order is over. Rejects with ERR_IB_CLOSED if the connection is closed before. */
  get done(): Promise<OrderResult> {
    const done = this.#until(() => this.#record.result);
    done.catch(ignore);
    return done;
  }

  /** Resolves with the outcome as soon as it is not unknown; rejects with ERR_IB_CLOSED. */
  get settled(): Promise<OrderOutcome> {
    const settled = this.#until(() => {
      const { outcome } = this;
      return outcome === null || outcome.kind === 'unknown' ? null : outcome;
    });
    settled.catch(ignore);
    return settled;
  }

  /** Tells of every step from now on. Returns the way to stop. */
  on(listener: (event: OrderEvent) => void): () => void {
    return this.#life.signal.add(listener);
  }

  /**
   * Sends the order again with other values: price, quantity, time in force. Resolves when the gateway has taken them;
   * rejects with an OrderError. A refused modification leaves the order as it was.
   */
  modify(changes: Order, options?: RequestOptions): Promise<OrderStatus> {
    return this.#life.actions.modify(this.#record, changes, options);
  }

  /** Resolves when the order is canceled. Rejects with an OrderError: it was filled before, say, or is not known. */
  cancel(options?: RequestOptions): Promise<OrderStatus> {
    return this.#life.actions.cancel(this.#record, options);
  }

  /** All that has happened and will, until the order is over and its commissions are there, or the connection closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<OrderEvent, void, undefined> {
    const life = this.#life;
    let wake = ignore;
    const stops = [life.signal.add(() => wake()), life.ended.add(() => wake())];
    try {
      for (let at = 0; ; ) {
        const event = life.events[at];
        if (event !== undefined) {
          at++;
          yield event;
        } else if (life.isEnded || life.record.isComplete) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      for (const stop of stops) stop();
    }
  }

  // biome-ignore lint/suspicious/noThenProperty: `await placeOrder(...)` gave the first status before there were handles.
  then<T = OrderStatus, E = never>(
    fulfilled?: ((status: OrderStatus) => T | PromiseLike<T>) | null,
    rejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.accepted.then(fulfilled, rejected);
  }

  catch<E = never>(rejected?: ((reason: unknown) => E | PromiseLike<E>) | null): Promise<OrderStatus | E> {
    return this.accepted.catch(rejected);
  }

  finally(settled?: (() => void) | null): Promise<OrderStatus> {
    return this.accepted.finally(settled);
  }

  get #record(): OrderRecord {
    return this.#life.record;
  }

  #until<T>(look: () => T | null): Promise<T> {
    const life = this.#life;
    const now = look();
    if (now !== null) return Promise.resolve(now);
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        for (const one of stops) one();
      };
      const changed = (): void => {
        const value = look();
        if (value === null) return;
        stop();
        resolve(value);
      };
      const closed = (cause: IbError | null): void => {
        stop();
        const value = look();
        if (value !== null) resolve(value);
        else reject(cause ?? this.#unexplained());
      };
      const stops = [life.signal.add(changed), life.progress.add(changed), life.ended.add(closed)];
      if (life.isEnded) closed(null);
    });
  }

  #unexplained(): OrderError {
    const text = `order ${this.id}: the connection was closed before its state was known`;
    return new OrderError('unknown', 'ERR_IB_CLOSED', text, {
      settledBy: 'openOrders() of a later connection',
    });
  }
}

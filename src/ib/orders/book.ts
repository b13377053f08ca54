import { Signal } from '../../base/emitter.js';
import { ignore } from '../../base/promises.js';
import type { Contract, Order, OrderStatus } from '../contracts.js';
import { type OrderActions, OrderLife } from './handle.js';
import { OrderRecord } from './record.js';
import type { Commission, OrderEvent } from './types.js';
import { Waiters } from './waiters.js';

/** One order in the book. */
export interface Entry {
  readonly life: OrderLife;
  readonly waiters: Waiters;
  /** The promise that its handles show as `accepted`. */
  accepted: Promise<OrderStatus> | null;
}

interface Identity {
  readonly orderId: number;
  readonly orderRef: string;
  readonly contract: Contract;
  readonly order: Order;
}

interface BookOptions {
  readonly clientId: number;
  readonly keepOrders: number;
  readonly actions: OrderActions;
}

/** The orders of one client id, found by what the gateway's messages have of them. */
export class OrderBook {
  readonly events = new Signal<{ readonly life: OrderLife; readonly event: OrderEvent }>(ignore);
  readonly #options: BookOptions;
  readonly #entries = new Map<OrderRecord, Entry>();
  readonly #byId = new Map<number, Entry>();
  readonly #byPermId = new Map<number, Entry>();
  readonly #byRef = new Map<string, Entry>();
  readonly #byExecution = new Map<string, Entry>();
  /** Commissions whose fill has not come yet. */
  readonly #early = new Map<string, Commission>();

  constructor(options: BookOptions) {
    this.#options = options;
  }

  get lives(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** An order that this process places. */
  add(identity: Identity, isRefUnique: boolean): Entry {
    return this.#enter(this.detached(identity), isRefUnique);
  }

  /** Adds an order that the gateway has, or that a caller names. */
  adopt(identity: Identity): Entry {
    return this.#enter(this.detached(identity), true);
  }

  /** One that is not kept. */
  detached(identity: Identity): OrderLife {
    const record: OrderRecord = new OrderRecord(
      { ...identity, clientId: this.#options.clientId },
      (event) => {
        life.tell(event);
        this.events.emit({ life, event });
      },
    );
    const life = new OrderLife(record, this.#options.actions);
    return life;
  }

  entryOf(record: OrderRecord): Entry {
    const entry = this.#entries.get(record);
    if (entry === undefined) throw new TypeError(`order ${record.orderId} is not in the book`);
    return entry;
  }

  byId(orderId: number): Entry | null {
    return this.#byId.get(orderId) ?? null;
  }

  byRef(orderRef: string): Entry | null {
    return this.#byRef.get(orderRef) ?? null;
  }

  /**
   * The order that a message is about. An id alone is not enough where the permId is another: the gateway has given
   * the id again after a restart, or two sessions of it are mixed up.
   */
  find(of: {
    readonly permId: number | null;
    readonly orderId: number | null;
    readonly clientId: number | null;
    readonly orderRef: string;
  }): Entry | null {
    const { permId, orderId, clientId, orderRef } = of;
    const known = permId === null ? undefined : this.#byPermId.get(permId);
    if (known !== undefined) return known;
    const fits = (entry: Entry | undefined): entry is Entry =>
      entry !== undefined && (permId === null || (entry.life.record.permId ?? permId) === permId);
    if (orderId !== null && (clientId === null || clientId === this.#options.clientId)) {
      const own = this.#byId.get(orderId);
      if (fits(own)) return own;
    }
    // A message with an id of another order is about that one, whatever reference it has.
    const named =
      orderRef === '' || (orderId !== null && clientId !== null) ? undefined : this.#byRef.get(orderRef);
    return fits(named) ? named : null;
  }

  /** A message has told the permId of an order. */
  named(entry: Entry, permId: number | null): void {
    if (permId !== null && !this.#byPermId.has(permId)) this.#byPermId.set(permId, entry);
  }

  expectCommission(entry: Entry, execId: string): void {
    this.#byExecution.set(execId, entry);
    const early = this.#early.get(execId);
    if (early === undefined) return;
    this.#early.delete(execId);
    this.hearCommission(early);
  }

  hearCommission(commission: Commission): void {
    const entry = this.#byExecution.get(commission.execId);
    if (entry !== undefined) {
      entry.life.record.hearCommission(commission);
      if (entry.life.record.isComplete) entry.life.end(null);
      return;
    }
    // Commissions of other clients never find their fill.
    if (this.#early.size >= MOST_EARLY) this.#early.delete(this.#early.keys().next().value ?? '');
    this.#early.set(commission.execId, commission);
  }

  #enter(life: OrderLife, isRefUnique: boolean): Entry {
    const { record } = life;
    const { orderId, orderRef } = record;
    const entry: Entry = { life, waiters: new Waiters(), accepted: null };
    this.#entries.set(record, entry);
    // If the gateway has two live orders of one id, messages about the id are about the first.
    if (orderId > 0 && this.#byId.get(orderId)?.life.record.isOver !== false) this.#byId.set(orderId, entry);
    if (orderRef !== '' && isRefUnique) this.#byRef.set(orderRef, entry);
    if (this.#entries.size > this.#options.keepOrders) this.#forgetOne();
    return entry;
  }

  /** The oldest that is over, and of which nobody waits for anything. */
  #forgetOne(): void {
    for (const [record, entry] of this.#entries) {
      if (!record.isOver || entry.waiters.size > 0) continue;
      this.#entries.delete(record);
      if (this.#byId.get(record.orderId) === entry) this.#byId.delete(record.orderId);
      if (this.#byRef.get(record.orderRef) === entry) this.#byRef.delete(record.orderRef);
      if (record.permId !== null) this.#byPermId.delete(record.permId);
      for (const { execId } of record.fills.values()) this.#byExecution.delete(execId);
      entry.life.end(null);
      return;
    }
  }
}

const MOST_EARLY = 1000;

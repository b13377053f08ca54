import { Deque } from '../../base/deque.js';
import { keyOf, LiveOrders } from './live-orders.js';
import type { Quote } from './market.js';
import { commissionOf, fillOf, isConditional, type Trigger, triggered } from './matching.js';
import type { Instrument, Order, OrderStatusWord } from './wire/model.js';
import { type Notice, notices } from './wire/notices.js';
import type { OrderRequest } from './wire/request-types.js';

/** An event of an order, which its client and the master client hear of. */
export type OrderEvent =
  /** It was taken on, or changed. */
  | { readonly kind: 'shown'; readonly order: Order }
  | {
      readonly kind: 'filled';
      readonly order: Order;
      readonly quantity: number;
      readonly price: number;
      /** The commission of this fill. The order has the sum. */
      readonly commission: number;
    }
  | { readonly kind: 'canceled'; readonly order: Order }
  /** It was dropped before it was transmitted. */
  | { readonly kind: 'discarded'; readonly order: Order }
  /** It was taken on, and then rejected. */
  | { readonly kind: 'rejected'; readonly order: Order; readonly notice: Notice };

/** Finished orders are forgotten beyond that many. */
const MOST_ORDERS = 10_000;
const OVER: readonly OrderStatusWord[] = ['Filled', 'Cancelled', 'Inactive'];

/** A finished order and when it ended, in milliseconds since the epoch. */
export interface CompletedOrder {
  readonly order: Order;
  readonly endedAtMs: number;
}

interface Entry {
  order: Order;
  /** Until then nobody sees it, as with `transmit` false. */
  isTransmitted: boolean;
  trigger: Trigger;
  readonly placedAtMs: number;
  endedAtMs: number | null;
  /** How often canceling it was refused. */
  refusedCancels: number;
}

/** The orders of all clients, with their brackets and groups. Times are milliseconds since the epoch. */
export class Orders {
  readonly #byKey = new Map<string, Entry>();
  readonly #live = new LiveOrders<Entry>();
  /** The orders that are over, the oldest first. */
  readonly #over = new Deque<Entry>();
  readonly #firstId: number;
  #nextId: number;
  #permId = 1_000_000;

  constructor(firstId: number) {
    this.#firstId = firstId;
    this.#nextId = firstId;
  }

  /** The next order id that no client has used. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Whether a price may fill or trigger any. */
  get areWorking(): boolean {
    for (const entry of this.#live.values()) if (this.#isActive(entry)) return true;
    return false;
  }

  /** Takes on an order or changes one that is open; a notice if it is refused. */
  place(
    clientId: number,
    request: OrderRequest,
    instrument: Instrument,
    nowMs: number,
  ): readonly OrderEvent[] | Notice {
    const { id, quantity, parentId, terms } = request;
    const key = keyOf(clientId, id);
    const known = this.#byKey.get(key);
    const refusal = known === undefined ? null : refusalOfChange(known.order, request, instrument);
    if (refusal !== null) return refusal;
    const parent = parentId > 0 ? this.#byKey.get(keyOf(clientId, parentId)) : undefined;
    if (parentId > 0 && known === undefined) {
      if (parent === undefined) return notices.noParent;
      if (isOver(parent.order)) return notices.noSuchOrder(parentId);
    }
    if (known === undefined && this.#byKey.size >= MOST_ORDERS && !this.#forgetOne())
      return notices.tooManyOrders;
    const before = known?.order;
    const order: Order = {
      ...{ id, clientId, parentId, instrument, quantity, terms },
      permId: before?.permId ?? this.#permId++,
      status: 'PreSubmitted',
      filled: before?.filled ?? 0,
      price: before?.price ?? 0,
      lastPrice: before?.lastPrice ?? 0,
      commission: before?.commission ?? null,
    };
    const entry: Entry = {
      order,
      isTransmitted: known?.isTransmitted ?? false,
      trigger: { isHit: !isConditional(order), stop: null },
      placedAtMs: known?.placedAtMs ?? nowMs,
      endedAtMs: null,
      refusedCancels: 0,
    };
    this.#byKey.set(key, entry);
    this.#live.add(entry);
    this.#nextId = Math.max(this.#nextId, id + 1);
    return request.transmit
      ? this.#transmit(entry)
      : known?.isTransmitted === true
        ? this.#transmit(entry)
        : [];
  }

  /** Uses up an id without placing anything. */
  burn(id: number): void {
    this.#nextId = Math.max(this.#nextId, id + 1);
  }

  /** Ends an order of a client, with its children; a notice if that is not possible. */
  cancel(clientId: number, id: number, nowMs: number): readonly OrderEvent[] | Notice {
    const entry = this.#byKey.get(keyOf(clientId, id));
    if (entry === undefined) return notices.cancelNotFound(id);
    if (isOver(entry.order)) {
      entry.refusedCancels++;
      return entry.refusedCancels > 1
        ? notices.cancelNotFound(id)
        : notices.cancelRefused(id, entry.order.status);
    }
    return this.#end(entry, nowMs);
  }

  /** Ends all orders of all clients. */
  cancelAll(nowMs: number): OrderEvent[] {
    return [...this.#live.values()].flatMap((entry) => (isOver(entry.order) ? [] : this.#end(entry, nowMs)));
  }

  /** Ends an open order as the broker does that has accepted it before. */
  reject(clientId: number, id: number, notice: Notice, nowMs: number): readonly OrderEvent[] {
    const entry = this.#byKey.get(keyOf(clientId, id));
    if (entry === undefined || isOver(entry.order)) return [];
    entry.order = { ...entry.order, status: 'Inactive' };
    this.#finish(entry, nowMs);
    const children = this.#childrenOf(entry.order).flatMap((child) => this.#end(child, nowMs));
    return [{ kind: 'rejected', order: entry.order, notice }, ...children];
  }

  /** Executes what the prices of a tick allow. */
  match(quoteOf: (instrument: Instrument) => Quote, nowMs: number): OrderEvent[] {
    return this.#matchAll([...this.#live.values()], quoteOf, nowMs);
  }

  /** The same for orders that were just taken on or changed, with their children: no other has seen a new price. */
  matchNew(
    orders: readonly Order[],
    quoteOf: (instrument: Instrument) => Quote,
    nowMs: number,
  ): OrderEvent[] {
    const entries = orders.flatMap(({ clientId, id }) => {
      const entry = this.#live.get(clientId, id);
      return entry === undefined ? [] : [entry, ...this.#live.childrenOf(clientId, id)];
    });
    return this.#matchAll(new Set(entries), quoteOf, nowMs);
  }

  /** Open orders that were transmitted, of one client; null for all clients. */
  open(clientId: number | null): Order[] {
    return [...this.#live.values()].flatMap(({ order, isTransmitted }) =>
      isTransmitted && (clientId === null || order.clientId === clientId) ? [order] : [],
    );
  }

  /** Finished orders, the oldest first. */
  completed(): CompletedOrder[] {
    return [...this.#byKey.values()].flatMap(({ order, endedAtMs, isTransmitted }) =>
      endedAtMs === null || !isTransmitted ? [] : [{ order, endedAtMs }],
    );
  }

  /**
   * Forgets what a restart loses: orders placed since then, and those that were never transmitted. Gives how many.
   * Their ids are handed out again, as observed of a real gateway.
   */
  lose(sinceMs: number): number {
    const lost = [...this.#byKey].filter(
      ([, { order, isTransmitted, placedAtMs }]) =>
        (placedAtMs > sinceMs && order.filled === 0) || !isTransmitted,
    );
    for (const [key, entry] of lost) {
      this.#byKey.delete(key);
      this.#live.delete(entry);
    }
    if (lost.length > 0) {
      const ids = [...this.#byKey.values()].map(({ order }) => order.id + 1);
      this.#nextId = Math.max(this.#firstId, ...ids);
    }
    return lost.length;
  }

  /** Sends out an order, with those of its bracket that waited for it. */
  #transmit(entry: Entry): OrderEvent[] {
    const { clientId, parentId, id } = entry.order;
    const group = parentId > 0 ? parentId : id;
    const parent = this.#live.get(clientId, group);
    const bracket = [...(parent === undefined ? [] : [parent]), ...this.#live.childrenOf(clientId, group)];
    const released = bracket.filter(({ order, isTransmitted }) => !isTransmitted || order.id === id);
    for (const one of released) one.isTransmitted = true;
    return released
      .sort((a, b) => a.order.id - b.order.id)
      .map((one) => ({ kind: 'shown', order: this.#working(one) }));
  }

  /** An order with the status that it has while it works. */
  #working(entry: Entry): Order {
    const isMarket = entry.order.terms.orderType === 'MKT' && entry.order.filled === 0;
    const waits = !this.#isActive(entry) || !entry.trigger.isHit;
    entry.order = { ...entry.order, status: waits || isMarket ? 'PreSubmitted' : 'Submitted' };
    return entry.order;
  }

  /** Whether it is at the exchange, or waits for nothing but a price. */
  #isActive({ order, isTransmitted }: Entry): boolean {
    if (!isTransmitted || isOver(order)) return false;
    if (order.parentId === 0) return true;
    const parent = this.#byKey.get(keyOf(order.clientId, order.parentId));
    return parent === undefined || parent.order.status === 'Filled';
  }

  #matchAll(
    entries: Iterable<Entry>,
    quoteOf: (instrument: Instrument) => Quote,
    nowMs: number,
  ): OrderEvent[] {
    const events: OrderEvent[] = [];
    for (const entry of entries) {
      if (!this.#isActive(entry)) continue;
      events.push(...this.#matchOne(entry, quoteOf(entry.order.instrument), nowMs));
    }
    return events;
  }

  #matchOne(entry: Entry, quote: Quote, nowMs: number): OrderEvent[] {
    const events: OrderEvent[] = [];
    const wasHit = entry.trigger.isHit;
    entry.trigger = triggered(entry.order, entry.trigger, quote);
    if (!wasHit && entry.trigger.isHit) events.push({ kind: 'shown', order: this.#working(entry) });
    const fill = fillOf(entry.order, entry.trigger, quote);
    if (fill !== null) events.push(...this.#fill(entry, fill.quantity, fill.price, nowMs));
    const { timeInForce } = entry.order.terms;
    const isImmediate = timeInForce === 'IOC' || timeInForce === 'FOK';
    if (isImmediate && entry.trigger.isHit && !isOver(entry.order)) events.push(...this.#end(entry, nowMs));
    return events;
  }

  #fill(entry: Entry, quantity: number, price: number, nowMs: number): OrderEvent[] {
    const before = entry.order;
    const filled = Math.round((before.filled + quantity) * 1e8) / 1e8;
    const isWhole = filled >= before.quantity;
    const total = commissionOf(before.instrument, filled, price);
    const commission = Math.max(0, Math.round((total - (before.commission ?? 0)) * 100) / 100);
    entry.order = {
      ...before,
      filled,
      price: Math.round(((before.price * before.filled + price * quantity) / filled) * 1e8) / 1e8,
      lastPrice: price,
      commission: Math.round(((before.commission ?? 0) + commission) * 100) / 100,
      status: isWhole ? 'Filled' : 'Submitted',
    };
    if (isWhole) this.#finish(entry, nowMs);
    const events: OrderEvent[] = [{ kind: 'filled', order: entry.order, quantity, price, commission }];
    events.push(...this.#reduceGroup(entry, quantity, nowMs));
    if (!isWhole) return events;
    for (const child of this.#childrenOf(entry.order)) {
      if (child.isTransmitted) events.push({ kind: 'shown', order: this.#working(child) });
    }
    return events;
  }

  /** Applies a fill to the other orders of its group: those of type 1 end, all others lose as much. */
  #reduceGroup(entry: Entry, quantity: number, nowMs: number): OrderEvent[] {
    return this.#groupOf(entry.order).flatMap((other): OrderEvent[] => {
      const type = entry.order.terms.ocaGroup === '' ? 2 : entry.order.terms.ocaType;
      const left = other.order.quantity - quantity;
      if (type < 2 || left <= other.order.filled) return this.#end(other, nowMs);
      other.order = { ...other.order, quantity: left };
      return other.isTransmitted ? [{ kind: 'shown', order: other.order }] : [];
    });
  }

  /** Open orders of the same group: that of its name in the account, or the children of the same parent. */
  #groupOf(order: Order): readonly Entry[] {
    const isOther = (one: Entry): boolean =>
      one.order.id !== order.id || one.order.clientId !== order.clientId;
    return this.#live.groupOf(order).filter(isOther);
  }

  #childrenOf({ id, clientId }: Order): readonly Entry[] {
    return this.#live.childrenOf(clientId, id);
  }

  #end(entry: Entry, nowMs: number): OrderEvent[] {
    const kind = entry.isTransmitted ? 'canceled' : 'discarded';
    entry.order = { ...entry.order, status: 'Cancelled' };
    this.#finish(entry, nowMs);
    const children = this.#childrenOf(entry.order).flatMap((child) => this.#end(child, nowMs));
    return [{ kind, order: entry.order }, ...children];
  }

  #finish(entry: Entry, nowMs: number): void {
    entry.endedAtMs = nowMs;
    this.#live.delete(entry);
    this.#over.push(entry);
  }

  #forgetOne(): boolean {
    for (let oldest = this.#over.shift(); oldest !== undefined; oldest = this.#over.shift()) {
      const key = keyOf(oldest.order.clientId, oldest.order.id);
      // A restart may have forgotten it before.
      if (this.#byKey.get(key) === oldest) return this.#byKey.delete(key);
    }
    return false;
  }
}

function isOver({ status }: Order): boolean {
  return OVER.includes(status);
}

/** Why an order that is known may not be changed so; null if it may. */
function refusalOfChange(
  known: Order,
  { terms, quantity }: OrderRequest,
  instrument: Instrument,
): Notice | null {
  if (known.status === 'Filled') return notices.changeOfFilled;
  if (isOver(known)) return notices.duplicateOrder;
  const isSame =
    known.instrument.conId === instrument.conId &&
    known.terms.action === terms.action &&
    known.terms.account === terms.account &&
    quantity > known.filled;
  return isSame ? null : notices.changeOfBasics;
}

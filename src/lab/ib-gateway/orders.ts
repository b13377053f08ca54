import type { Order } from './wire/model.js';

/** Finished orders are forgotten beyond that many. */
const MOST_ORDERS = 10_000;

/** The orders of all clients. Market orders are filled at once, all others wait to be cancelled. */
export class Orders {
  readonly #byKey = new Map<string, Order & { readonly placedAtMs: number }>();
  #nextId: number;
  #permId = 1_000_000;

  constructor(firstId: number) {
    this.#nextId = firstId;
  }

  /** The next order id that no client has used. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Places an order or changes one that is open; null where the id is that of a finished one, or there are too many. */
  place(
    clientId: number,
    id: number,
    order: Pick<Order, 'instrument' | 'terms' | 'quantity' | 'price'>,
    nowMs: number,
  ): Order | null {
    const key = `${clientId}/${id}`;
    const known = this.#byKey.get(key);
    if (known !== undefined && known.status !== 'Submitted') return null;
    if (known === undefined && this.#byKey.size >= MOST_ORDERS && !this.#forgetOne()) return null;
    const isFilled = order.terms.orderType === 'MKT';
    const placed = {
      ...order,
      id,
      clientId,
      permId: known?.permId ?? this.#permId++,
      status: isFilled ? ('Filled' as const) : ('Submitted' as const),
      filled: isFilled ? order.quantity : 0,
      price: isFilled ? order.price : 0,
      placedAtMs: nowMs,
    };
    this.#byKey.set(key, placed);
    this.#nextId = Math.max(this.#nextId, id + 1);
    return placed;
  }

  /** The order as it is then; null where none of that id is open. */
  cancel(clientId: number, id: number): Order | null {
    const key = `${clientId}/${id}`;
    const known = this.#byKey.get(key);
    if (known?.status !== 'Submitted') return null;
    const canceled = { ...known, status: 'Cancelled' as const };
    this.#byKey.set(key, canceled);
    return canceled;
  }

  /** Open orders of one client; null for all clients. */
  open(clientId: number | null): Order[] {
    return [...this.#byKey.values()].filter(
      (order) => order.status === 'Submitted' && (clientId === null || order.clientId === clientId),
    );
  }

  /** Forgets those that were placed since, and gives how many. */
  lose(sinceMs: number): number {
    const lost = [...this.#byKey].filter(([, order]) => order.placedAtMs > sinceMs);
    for (const [key] of lost) this.#byKey.delete(key);
    return lost.length;
  }

  #forgetOne(): boolean {
    for (const [key, order] of this.#byKey) {
      if (order.status !== 'Submitted') return this.#byKey.delete(key);
    }
    return false;
  }
}

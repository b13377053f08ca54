import type { Instrument } from './wire/model.js';
import type { HistoryQuery } from './wire/requests.js';

/** What a client keeps getting until it cancels. */
export type Subscription =
  | { readonly kind: 'marketData'; readonly id: number; readonly instrument: Instrument }
  | {
      readonly kind: 'history';
      readonly id: number;
      readonly instrument: Instrument;
      readonly query: HistoryQuery;
    }
  | { readonly kind: 'accountSummary'; readonly id: number; readonly tags: readonly string[] }
  | { readonly kind: 'accountUpdates'; readonly account: string }
  | { readonly kind: 'positions' };

export type SubscriptionKind = Subscription['kind'];

export const SUBSCRIPTION_KINDS: readonly SubscriptionKind[] = [
  'marketData',
  'history',
  'accountSummary',
  'accountUpdates',
  'positions',
];

/** One client's subscriptions. Those without an id of their own there is one of each. */
export class Subscriptions {
  readonly #byKey = new Map<string, Subscription>();

  get size(): number {
    return this.#byKey.size;
  }

  /** Whether it is new; one that was there already stays as it was. */
  add(subscription: Subscription): boolean {
    const key = keyOf(subscription.kind, 'id' in subscription ? subscription.id : 0);
    if (this.#byKey.has(key)) return false;
    this.#byKey.set(key, subscription);
    return true;
  }

  has(kind: SubscriptionKind, id = 0): boolean {
    return this.#byKey.has(keyOf(kind, id));
  }

  /** Whether it was there. */
  delete(kind: SubscriptionKind, id = 0): boolean {
    return this.#byKey.delete(keyOf(kind, id));
  }

  /** Ends those of a kind, and gives how many there were. */
  deleteAll(kind: SubscriptionKind): number {
    const keys = [...this.#byKey].filter(([, one]) => one.kind === kind).map(([key]) => key);
    for (const key of keys) this.#byKey.delete(key);
    return keys.length;
  }

  clear(): void {
    this.#byKey.clear();
  }

  count(kind: SubscriptionKind): number {
    let count = 0;
    for (const one of this.#byKey.values()) if (one.kind === kind) count++;
    return count;
  }

  [Symbol.iterator](): Iterator<Subscription> {
    return this.#byKey.values();
  }
}

function keyOf(kind: SubscriptionKind, id: number): string {
  return `${kind} ${id}`;
}

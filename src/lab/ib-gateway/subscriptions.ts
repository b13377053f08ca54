import type { Bar, Instrument } from './wire/model.js';
import type { TickTypes } from './wire/replies.js';
import type { HistoryQuery } from './wire/request-types.js';

/** The bar that a subscription is at; null before its first price. */
export interface CurrentBar {
  bar: Bar | null;
}

/** A subscription, which lasts until the client cancels it. */
export type Subscription =
  | {
      readonly kind: 'marketData';
      readonly id: number;
      readonly instrument: Instrument;
      readonly types: TickTypes;
    }
  | {
      readonly kind: 'history';
      readonly id: number;
      readonly instrument: Instrument;
      readonly query: HistoryQuery;
      readonly current: CurrentBar;
    }
  | {
      readonly kind: 'realTimeBars';
      readonly id: number;
      readonly instrument: Instrument;
      readonly current: CurrentBar;
    }
  | {
      readonly kind: 'tickByTick';
      readonly id: number;
      readonly instrument: Instrument;
      readonly stream: string;
    }
  | { readonly kind: 'accountSummary'; readonly id: number; readonly tags: readonly string[] }
  | { readonly kind: 'accountUpdates'; readonly account: string }
  | { readonly kind: 'accountUpdatesMulti'; readonly id: number }
  | { readonly kind: 'positions' }
  | {
      readonly kind: 'positionsMulti';
      readonly id: number;
      readonly accounts: readonly string[];
      readonly model: string;
    }
  | { readonly kind: 'profit'; readonly id: number; readonly account: string }
  | {
      readonly kind: 'positionProfit';
      readonly id: number;
      readonly account: string;
      readonly conId: number;
    };

export type SubscriptionKind = Subscription['kind'];

export const SUBSCRIPTION_KINDS: readonly SubscriptionKind[] = [
  'marketData',
  'history',
  'realTimeBars',
  'tickByTick',
  'accountSummary',
  'accountUpdates',
  'accountUpdatesMulti',
  'positions',
  'positionsMulti',
  'profit',
  'positionProfit',
];

/** The kinds that come from the vendor's servers, and that a loss of data ends. */
export const VENDOR_KINDS: readonly SubscriptionKind[] = [
  'marketData',
  'history',
  'realTimeBars',
  'tickByTick',
];

/** One client's subscriptions. Of those without an id there is one of each kind. */
export class Subscriptions {
  readonly #byKey = new Map<string, Subscription>();

  get size(): number {
    return this.#byKey.size;
  }

  /** Whether it is new; an existing one stays as it is. */
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

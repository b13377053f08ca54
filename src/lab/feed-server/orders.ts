import type { FeedFacts, FeedFaults } from './feed.js';

/** A feed that takes orders: one of jsonFeed's protocol, or a simulated venue. */
export interface OrderedFeed {
  faults: FeedFaults;
  facts(): FeedFacts;
  drop(count: number): number;
  freeze(count: number): number;
}

/** The orders to a feed in another process. */
export type FeedOrder =
  | { readonly kind: 'facts' }
  | { readonly kind: 'drop'; readonly count: number }
  | { readonly kind: 'freeze'; readonly count: number }
  | { readonly kind: 'faults'; readonly faults: Partial<FeedFaults> };

/** A feed, wherever it runs. */
export interface FeedHandle extends AsyncDisposable {
  readonly url: string;
  facts(): Promise<FeedFacts>;
  /** Breaks off so many connections; gives how many there were. */
  drop(count: number): Promise<number>;
  /** Makes so many connections half-open. */
  freeze(count: number): Promise<number>;
  /** Changes these faults, and leaves the others as they are. */
  setFaults(faults: Partial<FeedFaults>): Promise<void>;
}

/** Does what an order says; gives the reply. */
export function carryOut(feed: OrderedFeed, order: FeedOrder): unknown {
  switch (order.kind) {
    case 'facts':
      return feed.facts();
    case 'drop':
      return feed.drop(order.count);
    case 'freeze':
      return feed.freeze(order.count);
    case 'faults':
      feed.faults = { ...feed.faults, ...order.faults };
      return null;
  }
}

/** The handle of a feed that is given orders by `send`. */
export function handleOf(
  url: string,
  send: (order: FeedOrder) => Promise<unknown>,
  close: () => Promise<void>,
): FeedHandle {
  return {
    url,
    facts: async () => (await send({ kind: 'facts' })) as FeedFacts,
    drop: async (count) => (await send({ kind: 'drop', count })) as number,
    freeze: async (count) => (await send({ kind: 'freeze', count })) as number,
    setFaults: async (faults) => void (await send({ kind: 'faults', faults })),
    [Symbol.asyncDispose]: close,
  };
}

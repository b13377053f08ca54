import { describe, expect, it } from 'vitest';
import { type Defect, loadPlanted } from '../helpers/planted.js';
import { type FeedPoolClass, findCounterExample } from './property/shaken.js';

const defects: Readonly<Record<string, Defect & { readonly found: RegExp }>> = {
  'a full connection that is filled further': {
    file: 'ws/placement.ts',
    line: 'if (target === undefined || target.used >= capacity) {',
    instead: 'if (target === undefined || target.used > capacity) {',
    found: /symbols on one connection|places taken on one connection/,
  },
  'a connection too many: those that are closing are not counted': {
    file: 'ws/placement.ts',
    line: 'maxConnections - loads.length - unusable',
    instead: 'maxConnections - loads.length + 1',
    found: /connections: expected \d+ to be less than or equal/,
  },
  'a room that is not seen': {
    file: 'ws/placement.ts',
    line: '(loads[first]?.used ?? 0) >= capacity',
    instead: '(loads[first]?.used ?? 0) >= capacity - 1',
    found: /a place was free/,
  },
  'a symbol that is let go while another subscriber wants it': {
    file: 'ws/subscription-pool.ts',
    line: 'if (subscription.subscribers.size > 0) {',
    instead: 'if (subscription.subscribers.size > 1e9) {',
    found: /symbols that somebody wants|subscribed at the server|counts in the end/,
  },
  'a symbol that is not subscribed anew after a loss': {
    file: 'ws/connection.ts',
    line: 'for (const seat of this.#seats.all) line.requests?.consider(seat);',
    instead: '',
    found: /calls that were answered|subscribed at the server|counts in the end/,
  },
  'a symbol that is wanted again while it is unsubscribed': {
    file: 'ws/requests.ts',
    line: 'if (seat.wanted) this.consider(seat);',
    instead: 'if (seat.wanted) continue;',
    found: /calls that were answered|subscribed at the server|symbols that somebody wants/,
  },
  'a symbol that stays subscribed though nobody wants it any more': {
    file: 'ws/requests.ts',
    line: "if (!seat.wanted || seat.renewing) return 'unsubscribe';",
    instead: "if (seat.renewing) return 'unsubscribe';",
    found: /calls that were answered|subscribed at the server|counts in the end/,
  },
  'a connection that is closed while idle, and not counted': {
    file: 'ws/connection.ts',
    line: 'if (wasOpen && !this.isOpen) this.#ended++;',
    instead: "if (wasOpen && state === 'backoff') this.#ended++;",
    found: /connections that were opened/,
  },
  'a timer that is left behind': {
    file: 'ws/subscription-pool.ts',
    line: 'this.#lingering.close();',
    instead: '',
    found: /timers after the close/,
  },
};

const load = async (defect: Defect | null): Promise<FeedPoolClass> => {
  const rooms = ['base', 'pool', 'ws'];
  const loaded = await loadPlanted<{ SubscriptionPool: FeedPoolClass }>(
    'ws/subscription-pool.ts',
    defect,
    rooms,
  );
  return loaded.SubscriptionPool;
};

/** The search is as long for all; where there is a defect it ends as soon as that shows. */
const search = { runs: 300, seed: 20_260_101, shrink: false };

describe('the interleavings of subscribers find', () => {
  it('nothing in a copy of the pool as it is', async () => {
    expect(await findCounterExample(await load(null), { ...search, runs: 20 })).toBeNull();
  }, 120_000);

  it.each(Object.entries(defects))(
    '%s',
    async (_name, { found, ...defect }) => {
      expect(await findCounterExample(await load(defect), search)).toMatch(found);
    },
    120_000,
  );
});

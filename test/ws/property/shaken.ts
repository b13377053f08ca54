import fc from 'fast-check';
import { expect } from 'vitest';
import { NO_FAULTS } from '../../../src/lab/feed-server/feed.js';
import type { PoolExhaustedError } from '../../../src/ws/errors.js';
import { jsonFeed } from '../../../src/ws/json-feed.js';
import type { SubscriptionPool } from '../../../src/ws/subscription-pool.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { virtualFeed } from '../virtual-feed.js';

export type FeedPoolClass = typeof SubscriptionPool;

const CAPACITY = 5;
const CONNECTIONS = 3;
const SUBSCRIBERS = 3;

const symbolSet = fc
  .uniqueArray(fc.integer({ min: 0, max: 19 }), { minLength: 1, maxLength: 7 })
  .map((numbers) => numbers.map((each) => `S${each}`));
const who = fc.nat(SUBSCRIBERS - 1);

const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('subscribe' as const), who, symbols: symbolSet }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('unsubscribe' as const), who, symbols: symbolSet }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('drop' as const), count: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('freeze' as const), count: fc.integer({ min: 1, max: 2 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('slow' as const), ms: fc.constantFrom(0, 50, 3000, 7000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), on: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 1, 5, 10, 240, 252, 260, 1000, 6000),
    }),
  },
);

/**
 * Plays seeded random interleavings of subscribers, and of what happens to the server, against the feed's own logic on
 * a virtual clock. Returns the first sentence that does not hold, with its script; null if all hold.
 */
export async function findCounterExample(
  Pool: FeedPoolClass,
  { runs, seed, shrink = true }: { readonly runs: number; readonly seed: number; readonly shrink?: boolean },
): Promise<string | null> {
  const scripts = fc.array(action, { minLength: 1, maxLength: 40 });
  const strategies = fc.constantFrom('first-fit' as const, 'least-loaded' as const);
  const property = fc.asyncProperty(scripts, strategies, (actions, placement) =>
    play(Pool, actions, placement),
  );
  const result = await fc.check(property, { numRuns: runs, seed, endOnFailure: !shrink });
  if (!result.failed) return null;
  const script = JSON.stringify(result.counterexample);
  return `${result.errorInstance}\nseed ${seed}, path ${result.counterexamplePath}\n${script}`;
}

type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

async function play(
  Pool: FeedPoolClass,
  actions: readonly Action[],
  placement: 'first-fit' | 'least-loaded',
): Promise<void> {
  const clock = new VirtualClock();
  // The server takes more than the pool may ask for, so that asking for too much shows.
  const { feed, dial } = virtualFeed(clock, { maxSymbols: 1e6 });
  const pool = new Pool({
    url: 'ws://feed.test/',
    clock,
    dial,
    placement,
    random: () => 0.5,
    maxSymbolsPerConnection: CAPACITY,
    maxConnections: CONNECTIONS,
    protocol: jsonFeed({ symbolsPerMessage: 3 }),
  });
  const subscribers = Array.from({ length: SUBSCRIBERS }, () => pool.subscriber());
  const wanted = () => [...new Set(subscribers.flatMap(({ symbols }) => [...symbols]))].sort();
  const pending: Promise<unknown>[] = [];
  let settled = 0;
  /** Of calls: what is wrong with how they were refused. */
  const problems: unknown[] = [];
  const checkAlways = () => {
    if (problems.length > 0) throw problems[0];
    const facts = feed.facts();
    expect(facts.peakSymbols, 'symbols on one connection').toBeLessThanOrEqual(CAPACITY);
    expect(facts.peakConnections, 'connections').toBeLessThanOrEqual(CONNECTIONS);
    expect(facts.everOnTwo, 'symbols on two connections').toBe(0);
    const snapshot = pool.snapshot();
    for (const { symbols } of snapshot.feed.connections)
      expect(symbols, 'places taken on one connection').toBeLessThanOrEqual(CAPACITY);
    expect(snapshot.feed.symbols, 'symbols that somebody wants').toBe(wanted().length);
    expect(snapshot.feed.symbols, 'symbols, live and pending').toBe(
      snapshot.feed.live + snapshot.feed.pending,
    );
    const { created, destroyed } = snapshot.counters;
    expect(created, 'connections that were opened').toBe(destroyed! + snapshot.idle + snapshot.inUse);
    expect(snapshot.live, 'open connections').toBeLessThanOrEqual(CONNECTIONS);
  };
  for (const each of actions) {
    switch (each.kind) {
      case 'subscribe': {
        const before = wanted();
        const room = pool.snapshot().feed;
        const fresh = each.symbols.filter((symbol) => !before.includes(symbol)).length;
        const call = subscribers[each.who]!.subscribe(each.symbols, { timeoutMs: null });
        pending.push(
          call
            .catch((error: PoolExhaustedError) => {
              expect(error).toMatchObject({ code: 'ERR_FEED_EXHAUSTED' });
              const { used, requested, capacity } = error.facts;
              expect(used + requested, 'a place was free for all of a refused call').toBeGreaterThan(
                capacity,
              );
              expect(used, 'places in use, as a refused call has it').toBe(room.symbols + room.releasing);
              expect(requested, 'new symbols of a refused call').toBeLessThanOrEqual(fresh);
            })
            .catch((problem: unknown) => problems.push(problem))
            .finally(() => settled++),
        );
        break;
      }
      case 'unsubscribe':
        subscribers[each.who]!.unsubscribe(each.symbols);
        break;
      case 'drop':
        feed.drop(each.count);
        break;
      case 'freeze':
        feed.freeze(each.count);
        break;
      case 'slow':
        feed.faults = { ...feed.faults, replyDelayMs: each.ms };
        break;
      case 'refuse':
        feed.faults = {
          ...feed.faults,
          refuseOpening: each.on ? { status: 503, retryAfter: null } : null,
        };
        break;
      case 'wait':
        await clock.advance(each.ms);
        break;
    }
    checkAlways();
  }
  feed.faults = NO_FAULTS;
  await clock.advance(120_000);
  checkAlways();
  expect(settled, 'calls that were answered').toBe(pending.length);
  const facts = feed.facts();
  expect(facts.connections.flatMap(({ symbols }) => symbols).sort(), 'subscribed at the server').toEqual(
    wanted(),
  );
  expect(facts.onTwo).toEqual([]);
  const { feed: counts } = pool.snapshot();
  expect(counts, 'counts in the end').toMatchObject({
    symbols: wanted().length,
    live: wanted().length,
    releasing: 0,
  });
  await clock.run(pool.close());
  await clock.settle();
  expect(clock.timers, 'timers after the close').toEqual({ foreground: 0, background: 0 });
}

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NO_FAULTS } from '../../src/lab/feed-server/feed.js';
import { PoolExhaustedError } from '../../src/ws/errors.js';
import { jsonFeed } from '../../src/ws/json-feed.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { virtualFeed } from './virtual-feed.js';

/** More runs and other seeds: POOLCTL_PROPERTY_RUNS=5000 POOLCTL_PROPERTY_SEED=7 npx vitest run test/ws/property */
const runs = Number(process.env.POOLCTL_PROPERTY_RUNS ?? 150);
const seed = Number(process.env.POOLCTL_PROPERTY_SEED ?? 20_260_101);

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

it(`keeps the server's set equal to the wanted one, however it is shaken (${runs} runs, seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 1, maxLength: 40 }),
      fc.constantFrom('first-fit' as const, 'least-loaded' as const),
      async (actions, placement) => {
        const clock = new VirtualClock();
        // The server takes more than the pool may ask for, so that asking for too much shows.
        const { feed, dial } = virtualFeed(clock, { maxSymbols: 1e6 });
        const pool = new SubscriptionPool({
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
        const checkAlways = () => {
          const facts = feed.facts();
          expect(facts.peakSymbols).toBeLessThanOrEqual(CAPACITY);
          expect(facts.peakConnections).toBeLessThanOrEqual(CONNECTIONS);
          expect(facts.everOnTwo).toBe(0);
          for (const { symbols } of pool.snapshot().feed.connections)
            expect(symbols).toBeLessThanOrEqual(CAPACITY);
        };
        for (const each of actions) {
          switch (each.kind) {
            case 'subscribe': {
              const before = wanted();
              const room = pool.snapshot().feed;
              const fresh = each.symbols.filter((symbol) => !before.includes(symbol)).length;
              const call = subscribers[each.who]!.subscribe(each.symbols, { timeoutMs: null });
              pending.push(
                call.catch((error: unknown) => {
                  expect(error).toBeInstanceOf(PoolExhaustedError);
                  const { facts } = error as PoolExhaustedError;
                  expect(facts.used + facts.requested).toBeGreaterThan(facts.capacity);
                  expect(facts.used).toBe(room.symbols + room.releasing);
                  expect(facts.requested).toBeLessThanOrEqual(fresh);
                }),
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
        await Promise.all(pending);
        const facts = feed.facts();
        expect(facts.connections.flatMap(({ symbols }) => symbols).sort()).toEqual(wanted());
        expect(facts.onTwo).toEqual([]);
        expect(pool.snapshot().feed).toMatchObject({
          symbols: wanted().length,
          live: wanted().length,
          releasing: 0,
        });
        await clock.run(pool.close());
        await clock.settle();
        expect(clock.timers).toEqual({ foreground: 0, background: 0 });
      },
    ),
    { numRuns: runs, seed },
  );
}, 120_000);

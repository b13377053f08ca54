import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { binanceWire } from '../../src/lab/feed-server/venues/binance-wire.js';
import type { VenueMarket } from '../../src/lab/feed-server/venues/venue-market.js';
import type { FeedEvents } from '../../src/ws/events.js';
import type { SubscriptionPoolOptions } from '../../src/ws/options.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { binance } from '../../src/ws/venues/binance.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { virtualVenue } from './venues/virtual-venue.js';

const HOUR_MS = 3_600_000;
const streams = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, at) => `s${from + at}usdt@trade`);

function setUp(options: Partial<SubscriptionPoolOptions> = {}) {
  const clock = new VirtualClock();
  const { market, dial } = virtualVenue(binanceWire(), clock);
  const pool = new SubscriptionPool({
    ...{ venue: binance({ url: 'ws://venue.test/stream' }), clock, dial, random: seededRandom(7) },
    ...{ maxSymbolsPerConnection: 20, maxConnections: 2 },
    ...options,
  });
  const told: { readonly name: string; readonly payload: unknown }[] = [];
  for (const name of ['stale', 'silent', 'lost'] as const)
    pool.on(name, (payload) => void told.push({ name, payload }));
  const named = <E extends keyof FeedEvents>(name: E) =>
    told.filter((each) => each.name === name).map(({ payload }) => payload as FeedEvents[E]);
  const flow = async (ms: number, symbols: readonly string[], everyMs = 100) => {
    for (let passed = 0; passed < ms; passed += everyMs) {
      await clock.advance(everyMs);
      for (const symbol of symbols) market.event(symbol);
    }
  };
  return { clock, market, pool, subscriber: pool.subscriber({ onTick: () => {} }), named, flow };
}

function mute(market: VenueMarket): void {
  market.faults = { ...market.faults, mute: true };
}

describe('a feed that acknowledges and stays silent, where nobody says whether the market is open,', () => {
  it('is replaced if the other connections have data, and it used to', async () => {
    const { clock, pool, subscriber, named, flow } = setUp();
    await clock.run(subscriber.subscribe(streams(40)));
    await flow(60_000, streams(40));
    await flow(60_000, streams(20));
    expect(named('stale')).toMatchObject([{ connectionId: 2 }]);
    expect(named('lost')).toMatchObject([{ connectionId: 2, cause: 'stale' }]);
    await clock.run(pool.close());
  });

  it('is replaced if it never had data, and the others have much', async () => {
    const { clock, pool, subscriber, named, flow } = setUp();
    await clock.run(subscriber.subscribe(streams(40)));
    await flow(60_000, streams(20));
    expect(named('lost')).toMatchObject([{ connectionId: 2, cause: 'stale' }]);
    await clock.run(pool.close());
  });

  it('is replaced once if data stopped with a reconnect, as with a token that ended over night', async () => {
    const { clock, market, pool, subscriber, named, flow } = setUp();
    await clock.run(subscriber.subscribe(streams(20)));
    await flow(60_000, streams(20));
    mute(market);
    market.drop();
    await clock.advance(HOUR_MS);
    expect(named('lost').map(({ cause }) => cause)).toEqual(['closed', 'stale']);
    await clock.run(pool.close());
  });

  it('is left alone at night, also if its symbols are few and tick rarely, and the silence is told', async () => {
    const { clock, pool, subscriber, named, flow } = setUp();
    await clock.run(subscriber.subscribe([...streams(20), 'rareusdt@trade']));
    await flow(60_000, streams(20));
    await flow(60_000, [...streams(20)]);
    expect(named('lost')).toEqual([]);
    await clock.advance(8 * HOUR_MS);
    expect(named('lost')).toEqual([]);
    const silences = named('silent').filter(({ connectionId }) => connectionId === 1);
    // 30 s, 1 min, 2 min and so on: few, and each twice as long.
    expect(silences.length).toBeGreaterThan(5);
    expect(silences.length).toBeLessThan(12);
    await clock.run(pool.close());
  });
});

it('what the venue says of its market counts', async () => {
  let say = (_open: boolean): void => {};
  const own = binance({ url: 'ws://venue.test/stream' });
  const { clock, pool, subscriber, named } = setUp({
    venue: {
      ...own,
      session: (context) => {
        const session = own.session(context);
        return {
          ...session,
          received(data, out) {
            say = (open) => out.market('all', open);
            session.received(data, out);
          },
        };
      },
    },
  });
  await clock.run(subscriber.subscribe(streams(5)));
  say(false);
  await clock.advance(HOUR_MS);
  expect([named('stale'), named('silent')]).toEqual([[], []]);
  say(true);
  await clock.advance(60_000);
  expect(named('lost')).toMatchObject([{ cause: 'stale' }]);
  await clock.run(pool.close());
});

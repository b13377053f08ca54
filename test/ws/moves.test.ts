import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { binanceWire } from '../../src/lab/feed-server/venues/binance-wire.js';
import type { FeedEvents } from '../../src/ws/events.js';
import type { SubscriptionPoolOptions } from '../../src/ws/options.js';
import { rotateAfterMs } from '../../src/ws/rotation.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { binance } from '../../src/ws/venues/binance.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { virtualVenue } from './venues/virtual-venue.js';

const HOUR_MS = 3_600_000;

/** Streams of trades, whose numbers show every tick that is missing or comes twice. */
const streams = (count: number): string[] => Array.from({ length: count }, (_, at) => `s${at}usdt@trade`);

function setUp(options: Partial<SubscriptionPoolOptions> = {}) {
  const clock = new VirtualClock();
  const { market, dial } = virtualVenue(binanceWire(), clock);
  const pool = new SubscriptionPool({
    ...{ venue: binance({ url: 'ws://venue.test/stream' }), clock, dial, random: seededRandom(7) },
    ...options,
  });
  const seen = new Map<string, number[]>();
  const events: { readonly name: string; readonly payload: unknown }[] = [];
  for (const name of ['moved', 'lost', 'gap', 'hole'] as const)
    pool.on(name, (payload) => void events.push({ name, payload }));
  const named = <E extends keyof FeedEvents>(name: E) =>
    events.filter((each) => each.name === name).map(({ payload }) => payload as FeedEvents[E]);
  const subscriber = pool.subscriber({
    onTick: ({ symbol, seq }) => {
      const numbers = seen.get(symbol) ?? [];
      numbers.push(Number(seq));
      seen.set(symbol, numbers);
    },
  });
  /** Symbols of which a tick is missing, comes twice, or comes in another order. */
  const broken = () =>
    [...seen].filter(([, numbers]) => numbers.some((n, at) => at > 0 && n !== (numbers[at - 1] ?? 0) + 1))
      .length;
  /** Lets time pass with an event of each symbol every `everyMs`. */
  const pass = async (ms: number, everyMs: number, symbols: readonly string[]) => {
    for (let passed = 0; passed < ms; passed += everyMs) {
      await clock.advance(everyMs);
      for (const symbol of symbols) market.event(symbol);
    }
  };
  return { clock, market, pool, subscriber, seen, named, broken, pass };
}

describe('a rotation', () => {
  it('is over before the age limit, at random, and leaves a margin', () => {
    const ages = Array.from({ length: 100 }, (_, at) => rotateAfterMs(24 * HOUR_MS, () => at / 100));
    expect(Math.max(...ages)).toBe(24 * HOUR_MS - 120_000);
    expect(Math.min(...ages)).toBeGreaterThan(23.4 * HOUR_MS);
    expect(rotateAfterMs(60_000, () => 0.999)).toBeGreaterThan(45_000);
  });

  it('keeps 60 streams through two days of Binance: nothing missing, nothing twice, no socket too old', async () => {
    const { clock, market, pool, subscriber, named, broken, seen, pass } = setUp({
      maxSymbolsPerConnection: 20,
      maxConnections: 3,
    });
    const all = streams(60);
    await clock.run(subscriber.subscribe(all));
    await pass(48 * HOUR_MS, 60_000, all.slice(0, 40));
    await clock.advance(100);
    expect(named('moved').length).toBeGreaterThanOrEqual(6);
    expect(named('moved').every(({ gapless, why }) => gapless && why === 'age')).toBe(true);
    expect([named('lost'), named('gap'), named('hole'), broken()]).toEqual([[], [], [], 0]);
    expect(seen.get('s0usdt@trade')?.length).toBe((48 * HOUR_MS) / 60_000);
    expect(market.facts()).toMatchObject({ aged: 0, violations: [], onTwo: [] });
    expect(pool.snapshot().feed).toMatchObject({ symbols: 60, live: 60, releasing: 0 });
    await clock.run(pool.close());
    await clock.settle();
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  it('misses nothing while ticks come every millisecond, from both sockets', async () => {
    const { clock, market, pool, subscriber, named, broken, pass } = setUp({ maxAgeMs: 10_000 });
    const all = streams(5);
    await clock.run(subscriber.subscribe(all));
    await pass(30_000, 1, all);
    expect(named('moved').length).toBeGreaterThanOrEqual(2);
    expect([named('gap'), named('hole'), broken()]).toEqual([[], [], 0]);
    expect(pool.snapshot().feed.duplicates).toBeGreaterThan(0);
    expect(market.facts().onTwo).toEqual([]);
    await clock.run(pool.close());
  });

  it('breaks first where the venue has no room for one socket more, and tells the gap', async () => {
    const { clock, pool, subscriber, named, pass } = setUp({
      ...{ maxSymbolsPerConnection: 20, maxConnections: 2, maxAgeMs: HOUR_MS },
      venue: binance({ url: 'ws://venue.test/stream', limits: { connections: 2 } }),
    });
    const all = streams(40);
    await clock.run(subscriber.subscribe(all));
    await pass(HOUR_MS, 1000, all);
    expect(named('moved').map(({ gapless, from, to }) => [gapless, to[0] === from])).toEqual([
      [false, true],
      [false, true],
    ]);
    expect(named('gap').map(({ cause, symbols }) => [cause, symbols.length])).toEqual([
      ['rotation', 20],
      ['rotation', 20],
    ]);
    expect(pool.snapshot().feed).toMatchObject({ live: 40 });
    await clock.run(pool.close());
  });

  it('goes on where the old socket is lost in the middle of it', async () => {
    const { clock, market, pool, subscriber, named, pass } = setUp({ maxAgeMs: 60_000 });
    const all = streams(10);
    await clock.run(subscriber.subscribe(all));
    // No tick comes, so the hand-over waits; the socket is dropped meanwhile.
    while (market.facts().connections.length < 2) await clock.advance(100);
    await clock.advance(50);
    market.drop(1);
    await clock.advance(1000);
    expect(named('moved')).toMatchObject([{ symbols: 10 }]);
    expect(pool.snapshot().feed).toMatchObject({ symbols: 10, live: 10, connections: [{ id: 2, live: 10 }] });
    await pass(1000, 100, all);
    expect(market.facts()).toMatchObject({ onTwo: [], connections: [{ symbols: { length: 10 } }] });
    await clock.run(pool.close());
  });

  it('forgets a symbol that is let go in the middle of it, on both sockets', async () => {
    const { clock, market, pool, subscriber, named } = setUp({ maxAgeMs: 60_000, lingerMs: 0 });
    await clock.run(subscriber.subscribe(streams(10)));
    while (market.facts().connections.length < 2) await clock.advance(100);
    subscriber.unsubscribe(streams(4));
    await clock.advance(5000);
    expect(named('moved')).toHaveLength(1);
    expect(market.facts().connections.map(({ symbols }) => symbols.length)).toEqual([6]);
    expect(pool.snapshot().feed).toMatchObject({ symbols: 6, live: 6, releasing: 0 });
    await clock.run(pool.close());
  });
});

describe('compaction', () => {
  it('gives up the emptiest connection where the others have room, without a gap', async () => {
    const { clock, market, pool, subscriber, named, broken, pass } = setUp({
      ...{ maxSymbolsPerConnection: 20, maxConnections: 3, compactAfterMs: 10_000, lingerMs: 0 },
    });
    const all = streams(60);
    await clock.run(subscriber.subscribe(all));
    const kept = all.filter((_, at) => at % 20 < 8);
    subscriber.unsubscribe(all.filter((each) => !kept.includes(each)));
    await pass(60_000, 50, kept);
    expect(named('moved')).toMatchObject([{ why: 'compaction', symbols: 8, gapless: true }]);
    expect([named('lost'), named('gap'), named('hole'), broken()]).toEqual([[], [], [], 0]);
    expect(market.facts()).toMatchObject({ onTwo: [], violations: [] });
    expect(pool.snapshot().feed).toMatchObject({ symbols: 24, live: 24, connections: { length: 2 } });
    await clock.run(pool.close());
  });

  it('leaves connections alone that the others have no room for, or that nobody asked to look at', async () => {
    for (const compactAfterMs of [10_000, null]) {
      const { clock, pool, subscriber, named } = setUp({
        ...{ maxSymbolsPerConnection: 20, maxConnections: 2, compactAfterMs, lingerMs: 0 },
      });
      await clock.run(subscriber.subscribe(streams(40)));
      subscriber.unsubscribe(streams(compactAfterMs === null ? 35 : 20));
      await clock.advance(60_000);
      expect(named('moved')).toEqual([]);
      await clock.run(pool.close());
    }
  });
});

import { describe, expect, it } from 'vitest';
import type { FeedRules } from '../../src/lab/feed-server/feed.js';
import { NO_FAULTS } from '../../src/lab/feed-server/feed.js';
import { PoolExhaustedError } from '../../src/ws/errors.js';
import type { FeedEventName } from '../../src/ws/events.js';
import { jsonFeed } from '../../src/ws/json-feed.js';
import type { SubscriptionPoolOptions } from '../../src/ws/options.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { virtualFeed } from './virtual-feed.js';

function setUp(options: Partial<SubscriptionPoolOptions> = {}, rules: FeedRules = {}) {
  const clock = new VirtualClock();
  const world = virtualFeed(clock, { maxSymbols: 1e9, ...rules });
  const pool = new SubscriptionPool({
    url: 'ws://feed.test/',
    clock,
    dial: world.dial,
    random: () => 0.5,
    ...options,
  });
  const events: { name: FeedEventName; payload: unknown }[] = [];
  for (const name of ['open', 'connectFailed', 'lost', 'gap', 'stale', 'refused', 'slow'] as const)
    pool.on(name, (payload) => events.push({ name, payload }));
  const named = (name: FeedEventName) =>
    events.filter((each) => each.name === name).map(({ payload }) => payload);
  const onServer = () =>
    world.feed
      .facts()
      .connections.flatMap(({ symbols }) => symbols)
      .sort();
  return { clock, world, feed: world.feed, pool, events, named, onServer };
}

const symbols = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, at) => `S${String(from + at).padStart(4, '0')}`);

describe('connections', () => {
  it('are opened at the boundary, and only one however many ask at once', async () => {
    const { clock, pool, feed } = setUp({ maxSymbolsPerConnection: 10 });
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe(symbols(10)));
    expect(feed.facts().opened).toBe(1);
    await clock.run(Promise.all(symbols(5, 10).map((symbol) => subscriber.subscribe(symbol))));
    expect(feed.facts()).toMatchObject({ opened: 2, everOnTwo: 0, peakSymbols: 10 });
    await clock.run(pool.close());
  });

  it('are filled one after the other by default, 1000 symbols each and 3 at most', async () => {
    const { clock, pool, feed } = setUp();
    await clock.run(pool.subscriber().subscribe(symbols(3000)));
    expect(feed.facts().connections.map(({ symbols: { length } }) => length)).toEqual([1000, 1000, 1000]);
    expect(pool.snapshot()).toMatchObject({
      size: 3,
      live: 3,
      inUse: 3,
      idle: 0,
      waiting: 0,
      feed: { symbols: 3000, live: 3000, capacity: 3000, capacityUsed: 1 },
    });
    await clock.run(pool.close());
  });

  it('are all opened where the least loaded is wanted', async () => {
    const { clock, pool, feed } = setUp({ placement: 'least-loaded' });
    await clock.run(pool.subscriber().subscribe(symbols(7)));
    expect(feed.facts().connections.map(({ symbols: { length } }) => length)).toEqual([3, 2, 2]);
    await clock.run(pool.close());
  });

  it('are closed after a while without symbols, but for one', async () => {
    const { clock, pool, feed } = setUp({ maxSymbolsPerConnection: 2 });
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe(symbols(6)));
    subscriber.unsubscribe(symbols(6));
    await clock.advance(29_000);
    expect(feed.facts().connections).toHaveLength(3);
    await clock.advance(40_000);
    expect(feed.facts().connections).toHaveLength(1);
    await clock.run(subscriber.subscribe(symbols(6)));
    expect(feed.facts().connections).toHaveLength(3);
    await clock.run(pool.close());
  });

  it('leave nothing behind when the pool is closed', async () => {
    const { clock, pool, feed } = setUp();
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe(symbols(5)));
    const next = subscriber.next();
    await clock.run(pool.close());
    expect(await next).toBeNull();
    expect(feed.facts().connections).toEqual([]);
    await clock.settle();
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
    await expect(subscriber.subscribe('A')).rejects.toMatchObject({ code: 'ERR_FEED_CLOSED' });
  });

  it('are closed even if the server does not answer the goodbye', async () => {
    const { clock, pool, feed } = setUp();
    await clock.run(pool.subscriber().subscribe('A'));
    feed.freeze();
    const closing = pool.close();
    await clock.advance(2010);
    await closing;
  });
});

describe('a full pool', () => {
  it('refuses with figures, and subscribes nothing of the request', async () => {
    const { clock, pool, onServer } = setUp({
      maxSymbolsPerConnection: 2,
      maxConnections: 2,
      name: 'quotes',
    });
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe(symbols(3)));
    const refusal = await subscriber.subscribe([...symbols(1), 'X', 'Y']).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(PoolExhaustedError);
    expect(refusal).toMatchObject({
      code: 'ERR_FEED_EXHAUSTED',
      facts: {
        pool: 'quotes',
        capacity: 4,
        used: 3,
        releasing: 0,
        requested: 2,
        connections: 2,
        symbol: 'Y',
      },
    });
    expect(onServer()).toEqual(symbols(3));
    expect(pool.snapshot().feed).toMatchObject({ exhausted: 1, symbols: 3 });
    await clock.run(pool.close());
  });

  it('takes what fits where the request is not atomic', async () => {
    const { clock, pool, onServer } = setUp({ maxSymbolsPerConnection: 2, maxConnections: 1 });
    const results = await clock.run(pool.subscriber().subscribe(['A', 'B', 'C'], { atomic: false }));
    expect(results.map(({ symbol, outcome }) => [symbol, outcome])).toEqual([
      ['A', 'live'],
      ['B', 'live'],
      ['C', 'no-room'],
    ]);
    expect(onServer()).toEqual(['A', 'B']);
    await clock.run(pool.close());
  });

  it('gives a place away only when the server has confirmed the unsubscribe', async () => {
    const { clock, pool, feed } = setUp({ maxSymbolsPerConnection: 1, maxConnections: 1, lingerMs: 0 });
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe('A'));
    subscriber.unsubscribe('A');
    await expect(subscriber.subscribe('B')).rejects.toMatchObject({ facts: { used: 1, releasing: 1 } });
    await clock.advance(20);
    await clock.run(subscriber.subscribe('B'));
    expect(feed.facts().peakSymbols).toBe(1);
    await clock.run(pool.close());
  });
});

describe('subscribers', () => {
  it('share one subscription, which ends with the last of them', async () => {
    const { clock, pool, feed, onServer } = setUp();
    const [one, two] = [pool.subscriber(), pool.subscriber()];
    await clock.run(Promise.all([one.subscribe('A'), two.subscribe('A'), one.subscribe(['A', 'A'])]));
    expect(feed.facts().subscribes).toBe(1);
    feed.publish(1);
    await clock.advance(10);
    expect([one.take(), two.take()]).toMatchObject([[{ symbol: 'A' }], [{ symbol: 'A' }]]);
    one.unsubscribe('A');
    await clock.advance(1000);
    expect(onServer()).toEqual(['A']);
    two.close();
    await clock.advance(1000);
    expect(onServer()).toEqual([]);
    await clock.run(pool.close());
  });

  it('may leave and come back at once, and the server hears nothing of it', async () => {
    const { clock, pool, feed } = setUp();
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe('A'));
    for (let i = 0; i < 50; i++) {
      subscriber.unsubscribe('A');
      await clock.advance(20);
      await subscriber.subscribe('A');
    }
    expect(feed.facts().requests).toBe(1);
    await clock.run(pool.close());
  });

  it('that are slow get the latest of each symbol', async () => {
    const { clock, pool, feed } = setUp();
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe(['A', 'B']));
    feed.publish(10);
    await clock.advance(10);
    expect(subscriber.queued).toBe(2);
    expect(subscriber.take().map(({ seq }) => seq)).toEqual([9, 10]);
    expect(pool.snapshot().feed).toMatchObject({ conflated: 8, dropped: 0, ticks: 10 });
    await clock.run(pool.close());
  });

  it('that are slow lose the oldest ticks, where they asked for that', async () => {
    const { clock, pool, feed } = setUp();
    const subscriber = pool.subscriber({ policy: 'drop-oldest', limit: 3 });
    await clock.run(subscriber.subscribe('A'));
    feed.publish(5);
    await clock.advance(10);
    expect(subscriber.take().map(({ seq }) => seq)).toEqual([3, 4, 5]);
    expect(subscriber.dropped).toBe(2);
    await clock.run(pool.close());
  });

  it('that must miss nothing are closed when they are too slow', async () => {
    const { clock, pool, feed, named, onServer } = setUp();
    const subscriber = pool.subscriber({ policy: 'disconnect', limit: 3, name: 'ledger' });
    await clock.run(subscriber.subscribe('A'));
    feed.publish(4);
    await clock.advance(10);
    expect(named('slow')).toEqual([{ subscriber: 'ledger' }]);
    expect(subscriber.take()).toHaveLength(3);
    await expect(subscriber.next()).rejects.toMatchObject({ code: 'ERR_FEED_SLOW' });
    await clock.advance(1000);
    expect(onServer()).toEqual([]);
    await clock.run(pool.close());
  });

  it('are told of symbols that the server refuses', async () => {
    const { clock, pool, feed, named } = setUp();
    feed.faults = { ...NO_FAULTS, refuse: ['BAD'] };
    const subscriber = pool.subscriber();
    const results = await clock.run(subscriber.subscribe(['A', 'BAD', 'C']));
    expect(results).toContainEqual({ symbol: 'BAD', outcome: 'refused', reason: 'unknown symbol' });
    expect([...subscriber.symbols]).toEqual(['A', 'C']);
    expect(named('refused')).toHaveLength(1);
    expect(pool.snapshot().feed).toMatchObject({ symbols: 2, live: 2, refused: 1 });
    await clock.run(pool.close());
  });

  it('get an error in time if the server never confirms, and have not subscribed then', async () => {
    const { clock, pool, world } = setUp();
    world.unplugged = true;
    const subscriber = pool.subscriber();
    const failed = expect(clock.run(subscriber.subscribe('A', { timeoutMs: 25_000 }))).rejects.toMatchObject({
      code: 'ERR_FEED_TIMEOUT',
      cause: { code: 'ERR_FEED_CONNECT' },
    });
    await failed;
    expect([...subscriber.symbols]).toEqual([]);
    const controller = new AbortController();
    const aborted = expect(subscriber.subscribe('B', { signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    controller.abort();
    await aborted;
    await clock.run(pool.close());
  });
});

describe('a lost connection', () => {
  it('is opened again and subscribes what is wanted, in batches that keep to the pace', async () => {
    const { clock, pool, feed, named, onServer } = setUp();
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe(symbols(1000)));
    const before = feed.facts().requests;
    await clock.advance(20_000);
    feed.drop();
    await clock.advance(5);
    expect(named('lost')).toMatchObject([{ cause: 'closed', symbols: 1000 }]);
    // Random is 0.5, so the wait is 250 ms; the fifth batch of 200 waits for its second.
    await clock.advance(250 + 5 + 15);
    expect(onServer()).toHaveLength(800);
    await clock.advance(1000);
    expect(onServer()).toEqual(symbols(1000));
    expect(feed.facts()).toMatchObject({ requests: before + 5, repeated: 0 });
    await clock.run(pool.close());
  });

  it('is told as a gap, with the last number of each symbol', async () => {
    const { clock, pool, feed, named } = setUp();
    await clock.run(pool.subscriber().subscribe(['A', 'B', 'C']));
    feed.publish(2);
    await clock.advance(1000);
    feed.drop();
    await clock.advance(3000);
    expect(named('gap')).toMatchObject([
      {
        connectionId: 1,
        cause: 'closed',
        symbols: [
          { symbol: 'A', lastSeq: 1 },
          { symbol: 'B', lastSeq: 2 },
          { symbol: 'C', lastSeq: null },
        ],
      },
    ]);
    const [gap] = named('gap') as { fromMs: number; toMs: number }[];
    expect((gap?.toMs ?? 0) - (gap?.fromMs ?? 0)).toBeGreaterThan(1000);
    await clock.run(pool.close());
  });

  it('is given what changed meanwhile, and not what was called', async () => {
    const { clock, pool, feed, onServer } = setUp();
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe(['A', 'B']));
    feed.drop();
    await clock.advance(6);
    const before = feed.facts().requests;
    const results = subscriber.subscribe(['C', 'D']);
    subscriber.unsubscribe(['A', 'C']);
    await clock.advance(2000);
    expect(onServer()).toEqual(['B', 'D']);
    expect(feed.facts()).toMatchObject({ requests: before + 1, unsubscribes: 0 });
    expect(await results).toMatchObject([{ outcome: 'released' }, { outcome: 'live' }]);
    await clock.run(pool.close());
  });

  it('is found dead by a ping where nobody said so', async () => {
    const { clock, pool, feed, named, onServer } = setUp();
    await clock.run(pool.subscriber().subscribe('A'));
    feed.freeze();
    await clock.advance(15_100);
    expect(named('lost')).toMatchObject([{ cause: 'no-pong', error: { code: 'ERR_FEED_LOST' } }]);
    await clock.advance(2000);
    expect(onServer()).toEqual(['A']);
    await clock.run(pool.close());
  });

  it('is not found dead while it is only quiet', async () => {
    const { clock, pool, named } = setUp();
    await clock.run(pool.subscriber().subscribe('A'));
    await clock.advance(3_600_000);
    expect(named('lost')).toEqual([]);
    expect(pool.snapshot().feed.connections).toMatchObject([{ state: 'open', rttMs: 10 }]);
    await clock.run(pool.close());
  });

  it('is dialled after waits that grow, and no faster than the cap for all', async () => {
    const { clock, pool, world, feed } = setUp({ maxSymbolsPerConnection: 1, random: () => 0.999 });
    await clock.run(pool.subscriber().subscribe(symbols(3)));
    const before = world.dials.length;
    const at = clock.now();
    feed.faults = { ...NO_FAULTS, refuseOpening: { status: 503, retryAfter: null } };
    feed.drop();
    await clock.advance(600_000);
    const dials = world.dials.slice(before).map((each) => each - at);
    for (let i = 0; i + 3 < dials.length; i++) expect(dials[i + 3]! - dials[i]!).toBeGreaterThan(400);
    expect(
      Math.max(...dials.slice(-6).map((each, i, all) => (i < 3 ? 0 : each - all[i - 3]!))),
    ).toBeGreaterThan(29_000);
    feed.faults = NO_FAULTS;
    await clock.advance(61_000);
    expect(feed.facts().connections).toHaveLength(3);
    await clock.run(pool.close());
  });

  it('waits for as long as the server asks', async () => {
    const { clock, pool, world, feed } = setUp();
    feed.faults = { ...NO_FAULTS, refuseOpening: { status: 429, retryAfter: '60' } };
    const subscribed = pool.subscriber().subscribe('A', { timeoutMs: null });
    await clock.advance(59_000);
    expect(world.dials).toHaveLength(1);
    feed.faults = NO_FAULTS;
    await clock.run(subscribed);
    expect(clock.now()).toBeGreaterThan(60_000);
    await clock.run(pool.close());
  });

  it('is not dialled again where the credentials are refused, until somebody says so', async () => {
    const { clock, pool, world, feed, named } = setUp();
    feed.faults = { ...NO_FAULTS, refuseOpening: { status: 401, retryAfter: null } };
    const subscriber = pool.subscriber();
    await expect(clock.run(subscriber.subscribe('A'))).rejects.toMatchObject({ code: 'ERR_FEED_AUTH' });
    await expect(subscriber.subscribe('B')).rejects.toMatchObject({ code: 'ERR_FEED_AUTH' });
    await clock.advance(600_000);
    expect(world.dials).toHaveLength(1);
    expect(named('connectFailed')).toMatchObject([{ retryInMs: null }]);
    feed.faults = NO_FAULTS;
    pool.reconnect();
    await clock.advance(1000);
    expect(feed.facts().connections).toMatchObject([{ symbols: ['A'] }]);
    await clock.run(pool.close());
  });

  it('is dialled with new credentials where they can be renewed', async () => {
    let token = 'old';
    const seen: string[] = [];
    const { clock, pool, feed } = setUp({
      headers: () => {
        seen.push(token);
        return { authorization: token };
      },
      renewCredentials: async () => {
        token = 'new';
        feed.faults = NO_FAULTS;
        return true;
      },
    });
    feed.faults = { ...NO_FAULTS, refuseOpening: { status: 403, retryAfter: null } };
    await clock.run(pool.subscriber().subscribe('A'));
    expect(seen).toEqual(['old', 'new']);
    await clock.run(pool.close());
  });
});

describe('a feed that is silent', () => {
  const setUpMarket = () => {
    const market = { open: true };
    return { market, ...setUp({ isMarketOpen: () => market.open }) };
  };

  it('is asked, and replaced if it stays silent while the market is open', async () => {
    const { clock, pool, feed, named } = setUpMarket();
    await clock.run(pool.subscriber().subscribe('A'));
    feed.publish(1);
    feed.faults = { ...NO_FAULTS, mute: true };
    await clock.advance(38_000);
    expect(named('stale')).toMatchObject([{ connectionId: 1, probe: 'A' }]);
    expect(pool.snapshot().feed.connections).toMatchObject([{ state: 'degraded' }]);
    await clock.advance(5000);
    expect(named('lost')).toMatchObject([{ cause: 'stale' }]);
    feed.faults = NO_FAULTS;
    await clock.advance(2000);
    expect(pool.snapshot().feed.connections).toMatchObject([{ state: 'open', live: 1, epoch: 2 }]);
    await clock.run(pool.close());
  });

  it('is kept if it answers the probe with a tick', async () => {
    const { clock, pool, named } = setUpMarket();
    await clock.run(pool.subscriber().subscribe('A'));
    await clock.advance(120_000);
    expect(named('stale').length).toBeGreaterThan(1);
    expect(named('lost')).toEqual([]);
    await clock.run(pool.close());
  });

  it.each([
    ['while the market is closed', false],
    ['where nobody knows whether it is open', null],
  ])('is left alone %s', async (_when, open) => {
    const { clock, pool, feed, named } = setUp(open === null ? {} : { isMarketOpen: () => open });
    await clock.run(pool.subscriber().subscribe('A'));
    feed.faults = { ...NO_FAULTS, mute: true };
    await clock.advance(3_600_000);
    expect(named('stale')).toEqual([]);
    await clock.run(pool.close());
  });

  it('has its full time when the market opens', async () => {
    const { clock, pool, market, feed, named } = setUpMarket();
    market.open = false;
    await clock.run(pool.subscriber().subscribe('A'));
    feed.faults = { ...NO_FAULTS, mute: true };
    await clock.advance(3_600_000);
    market.open = true;
    await clock.advance(22_000);
    expect(named('stale')).toEqual([]);
    await clock.advance(16_000);
    expect(named('stale')).toHaveLength(1);
    await clock.run(pool.close());
  });
});

describe('requests', () => {
  it('to unsubscribe are waited for where the symbol is wanted again meanwhile', async () => {
    const { clock, pool, feed, onServer } = setUp({ lingerMs: 0 });
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe('A'));
    subscriber.unsubscribe('A');
    await clock.advance(7);
    await clock.run(subscriber.subscribe('A'));
    expect(onServer()).toEqual(['A']);
    expect(feed.facts()).toMatchObject({ subscribes: 2, unsubscribes: 1, repeated: 0 });
    expect(pool.snapshot().feed).toMatchObject({ symbols: 1, live: 1 });
    await clock.run(pool.close());
  });

  it('that come too fast for the server are sent again when it says', async () => {
    const { clock, pool, feed, onServer } = setUp(
      { protocol: jsonFeed({ symbolsPerMessage: 10, messagesPerSecond: 20 }) },
      { messagesPerSecond: 5 },
    );
    await clock.run(pool.subscriber().subscribe(symbols(200)));
    expect(onServer()).toEqual(symbols(200));
    expect(feed.facts().tooFast).toBeGreaterThan(0);
    expect(feed.facts().repeated).toBe(0);
    await clock.run(pool.close());
  });

  it('are never more than the protocol allows', async () => {
    const { clock, pool, feed } = setUp(
      { protocol: jsonFeed({ symbolsPerMessage: 10 }) },
      { messagesPerSecond: 5 },
    );
    await clock.run(pool.subscriber().subscribe(symbols(500), { timeoutMs: null }));
    expect(feed.facts()).toMatchObject({ tooFast: 0, requests: 50 });
    await clock.run(pool.close());
  });

  it('that are not answered are halved until the symbol is found that the server chokes on', async () => {
    const { clock, pool, feed, onServer } = setUp();
    feed.faults = { ...NO_FAULTS, choke: ['S0005'] };
    const subscriber = pool.subscriber();
    const subscribed = subscriber.subscribe(symbols(20), { timeoutMs: null });
    const chatter = setInterval(() => {}, 1e6);
    for (let i = 0; i < 100; i++) {
      feed.publish(1);
      await clock.advance(1000);
    }
    clearInterval(chatter);
    expect(await subscribed).toContainEqual(expect.objectContaining({ symbol: 'S0005', outcome: 'refused' }));
    expect(onServer()).toEqual(symbols(20).filter((symbol) => symbol !== 'S0005'));
    await clock.run(pool.close());
  });

  it('that are never answered are the fault of the connection, which is replaced', async () => {
    const { clock, pool, feed, named, onServer } = setUp();
    feed.faults = { ...NO_FAULTS, deaf: true, mute: true };
    const subscribed = pool.subscriber().subscribe(symbols(20), { timeoutMs: null });
    await clock.advance(16_000);
    expect(named('lost')).toMatchObject([{ cause: 'unresponsive' }]);
    feed.faults = NO_FAULTS;
    await clock.run(subscribed);
    expect(onServer()).toEqual(symbols(20));
    await clock.run(pool.close());
  });

  it('are not sent twice on one connection where that does harm', async () => {
    const { clock, pool, feed, named } = setUp({ protocol: jsonFeed({ repeatable: false }) });
    feed.faults = { ...NO_FAULTS, replyDelayMs: 7000 };
    const subscribed = pool.subscriber().subscribe('A', { timeoutMs: null });
    await clock.advance(6000);
    feed.faults = NO_FAULTS;
    await clock.run(subscribed);
    expect(named('lost')).toMatchObject([{ cause: 'unresponsive' }]);
    expect(feed.facts().repeated).toBe(0);
    await clock.run(pool.close());
  });

  it('need no reply where the protocol has none', async () => {
    const { clock, pool, feed, onServer } = setUp({ protocol: jsonFeed({ confirms: false }) });
    feed.faults = { ...NO_FAULTS, deaf: true };
    const subscriber = pool.subscriber();
    await clock.run(subscriber.subscribe(symbols(300)));
    await clock.advance(100);
    expect(onServer()).toEqual(symbols(300));
    await clock.run(pool.close());
  });
});

it.each([
  ['the URL', { url: 'nonsense' }],
  ['the scheme', { url: 'http://feed.test/' }],
  ['a number', { maxConnections: 0 }],
  ['a duration', { lingerMs: -1 }],
])('refuses options that are wrong: %s', (_what, options) => {
  expect(() => setUp(options)).toThrow(expect.objectContaining({ code: 'ERR_FEED_OPTION' }));
});

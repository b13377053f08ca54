import { describe, expect, it } from 'vitest';
import { NO_FAULTS } from '../../src/lab/feed-server/feed.js';
import type { FeedEvents } from '../../src/ws/events.js';
import { jsonFeed } from '../../src/ws/json-feed.js';
import type { SubscriptionPoolOptions } from '../../src/ws/options.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { virtualFeed } from './virtual-feed.js';

const REQUEST_MS = 5000;

function setUp(options: Partial<SubscriptionPoolOptions> = {}) {
  const clock = new VirtualClock();
  const { feed, dial } = virtualFeed(clock, { maxSymbols: 1e9 });
  /** The symbols of each request that was sent. */
  const sent: string[] = [];
  const json = options.protocol ?? jsonFeed();
  const pool = new SubscriptionPool({
    ...{ url: 'ws://feed.test/', clock, dial, random: () => 0.5 },
    ...options,
    protocol: {
      ...json,
      subscribe(symbols, id) {
        sent.push(symbols.join(''));
        return json.subscribe(symbols, id);
      },
    },
  });
  const lost: FeedEvents['lost'][] = [];
  const gaps: FeedEvents['gap'][] = [];
  pool.on('lost', (payload) => void lost.push(payload));
  pool.on('gap', (payload) => void gaps.push(payload));
  const subscriber = pool.subscriber();
  /** From a request that is sent now until just after its time is up, the way to the server and back included. */
  const oneTimeout = () => clock.advance(REQUEST_MS + 20);
  const state = () => pool.snapshot().feed.connections.map((each) => each.state);
  return { clock, feed, pool, subscriber, sent, lost, gaps, oneTimeout, state };
}

describe('requests that have no reply', () => {
  it.each([
    [2, 0],
    [3, 1],
  ])('%i in a row, with no other word, lose the connection %i times', async (count, times) => {
    const protocol = jsonFeed({ symbolsPerMessage: 1, messagesPerSecond: 100 });
    const { clock, feed, subscriber, lost, oneTimeout, pool } = setUp({ protocol });
    await clock.run(subscriber.subscribe('first'));
    feed.faults = { ...NO_FAULTS, deaf: true, mute: true };
    const symbols = Array.from({ length: count }, (_, at) => `S${at}`);
    subscriber.subscribe(symbols, { timeoutMs: null }).catch(() => {});
    await oneTimeout();
    expect(lost.map(({ cause }) => cause)).toEqual(Array(times).fill('unresponsive'));
    await clock.run(pool.close());
  });

  it('are sent again as they were, and then in halves, never without a symbol', async () => {
    const { clock, feed, subscriber, sent, pool } = setUp();
    feed.faults = { ...NO_FAULTS, choke: ['D'] };
    const results = await clock.run(subscriber.subscribe(['A', 'B', 'C', 'D'], { timeoutMs: null }));
    expect(sent).toEqual(['ABCD', 'ABCD', 'AB', 'CD', 'CD', 'C', 'D', 'D']);
    expect(results.map(({ symbol, outcome }) => `${symbol} ${outcome}`)).toEqual([
      ...['A live', 'B live', 'C live', 'D refused'],
    ]);
    expect(pool.snapshot().feed.repeated).toBe(5);
    await clock.run(pool.close());
  });
});

describe('a connection', () => {
  it('that is fine stays as it is when the pool is told to reconnect', async () => {
    const { clock, feed, pool, subscriber, state, lost } = setUp();
    await clock.run(subscriber.subscribe('A'));
    pool.reconnect();
    await clock.advance(10_000);
    expect(feed.facts().opened).toBe(1);
    expect([state(), lost]).toEqual([['open'], []]);
    await clock.run(pool.close());
  });

  it('that is lost without symbols is not dialed again before there is one', async () => {
    const { clock, feed, pool, subscriber, state } = setUp();
    await clock.run(subscriber.subscribe('A'));
    subscriber.unsubscribe('A');
    await clock.advance(1000);
    expect(state()).toEqual(['open']);
    feed.drop();
    await clock.advance(60_000);
    expect([state(), feed.facts().opened]).toEqual([['idle'], 1]);
    await clock.run(subscriber.subscribe('B'));
    expect(feed.facts().opened).toBe(2);
    await clock.run(pool.close());
  });

  it('that is lost has a gap for what was live and is wanted, and for nothing else', async () => {
    const { clock, feed, pool, subscriber, gaps } = setUp({ lingerMs: 0 });
    await clock.run(subscriber.subscribe(['A', 'B']));
    feed.faults = { ...NO_FAULTS, deaf: true };
    // C is not confirmed, and B is being let go.
    subscriber.subscribe('C', { timeoutMs: null }).catch(() => {});
    subscriber.unsubscribe('B');
    await clock.advance(20);
    feed.faults = NO_FAULTS;
    feed.drop();
    await clock.advance(30_000);
    expect(gaps.map(({ cause, symbols }) => [cause, symbols.map(({ symbol }) => symbol)])).toEqual([
      ['closed', ['A']],
    ]);
    expect(pool.snapshot().feed).toMatchObject({ symbols: 2, live: 2, gaps: 1 });
    await clock.run(pool.close());
  });

  it('that says goodbye takes no new symbol, which goes to another', async () => {
    const { clock, pool, subscriber } = setUp({ minConnections: 0, lingerMs: 0, maxConnections: 2 });
    await clock.run(subscriber.subscribe('A'));
    let later: Promise<unknown> | null = null;
    pool.on('state', ({ state }) => {
      if (state === 'draining') later ??= subscriber.subscribe('B');
    });
    subscriber.unsubscribe('A');
    await clock.advance(40_000);
    expect(await later).toMatchObject([{ symbol: 'B', outcome: 'live' }]);
    expect(pool.snapshot().feed.connections).toMatchObject([
      { id: 1, state: 'idle', symbols: 0 },
      { id: 2, state: 'open', symbols: 1 },
    ]);
    await clock.run(pool.close());
  });

  it('tells each of its states once', async () => {
    const { clock, feed, pool, subscriber } = setUp();
    const states: string[] = [];
    pool.on('state', ({ state }) => void states.push(state));
    await clock.run(subscriber.subscribe('A'));
    feed.drop();
    await clock.advance(10_000);
    await clock.run(pool.close());
    expect(states).toEqual(['connecting', 'open', 'backoff', 'connecting', 'open', 'closed']);
  });

  it('knows the most symbols that there ever were', async () => {
    const { clock, pool, subscriber } = setUp({ lingerMs: 0 });
    await clock.run(subscriber.subscribe(['A', 'B', 'C']));
    subscriber.unsubscribe(['A', 'B']);
    await clock.advance(1000);
    expect(pool.snapshot().feed).toMatchObject({
      ...{ symbols: 1, peakSymbols: 3 },
      connections: [{ symbols: 1, peakSymbols: 3 }],
    });
    await clock.run(pool.close());
  });

  it('counts as ended once, however it ends', async () => {
    const counters = (pool: SubscriptionPool) => {
      const { created, destroyed } = pool.snapshot().counters;
      return [created, destroyed];
    };
    const { clock, feed, pool, subscriber } = setUp({ minConnections: 0 });
    await clock.run(subscriber.subscribe('A'));
    expect(counters(pool)).toEqual([1, 0]);
    feed.drop();
    await clock.advance(10_000);
    expect(counters(pool)).toEqual([2, 1]);
    subscriber.unsubscribe('A');
    await clock.advance(60_000);
    expect(counters(pool)).toEqual([2, 2]);
    await clock.run(subscriber.subscribe('B'));
    expect(counters(pool)).toEqual([3, 2]);
    await clock.run(pool.close());
    expect(counters(pool)).toEqual([3, 3]);
  });
});

import { describe, expect, it } from 'vitest';
import { FeedError, PoolExhaustedError } from '../../src/ws/errors.js';
import { jsonFeed } from '../../src/ws/json-feed.js';
import { resolveOptions, type SubscriptionPoolOptions } from '../../src/ws/options.js';
import { SubscribeCall } from '../../src/ws/subscribe-call.js';
import { Subscriber, type SubscriberOptions } from '../../src/ws/subscriber.js';
import { createTickQueue, type SlowPolicy, type Tick } from '../../src/ws/tick-queue.js';

const tick = (symbol: string, seq: number): Tick => ({
  ...{ symbol, seq, data: null, receivedAt: 0, connectionId: 1, epoch: 1, mode: '', snapshot: false },
});

describe('a feed that speaks JSON', () => {
  const { parse, subscribe, unsubscribe, limits } = jsonFeed();

  it('is asked in one message, which names the request', () => {
    expect(JSON.parse(subscribe(['A', 'B'], 7))).toEqual({ op: 'subscribe', id: 7, symbols: ['A', 'B'] });
    expect(JSON.parse(unsubscribe(['A'], 8))).toEqual({ op: 'unsubscribe', id: 8, symbols: ['A'] });
    expect(limits).toEqual({
      symbolsPerMessage: 200,
      messagesPerSecond: 4,
      confirms: true,
      repeatable: true,
    });
    expect(jsonFeed({ symbolsPerMessage: 3 }).limits).toMatchObject({ symbolsPerMessage: 3, confirms: true });
  });

  it.each<[string, unknown, object]>([
    ['a tick', { symbol: 'A', seq: 5, bid: 1 }, { kind: 'tick', symbol: 'A', seq: 5, data: { bid: 1 } }],
    ['a tick without a number', { symbol: 'A', seq: '5' }, { kind: 'tick', symbol: 'A', seq: null }],
    [
      'several ticks, of which one is none',
      { ticks: [{ symbol: 'A', seq: 1 }, { symbol: 7 }, null, { symbol: 'B' }] },
      {
        kind: 'ticks',
        ticks: [
          { symbol: 'A', seq: 1 },
          { symbol: 'B', seq: null },
        ],
      },
    ],
    ['a confirmation', { id: 3, ok: true }, { kind: 'done', requestId: 3, refused: [] }],
    [
      'a confirmation that refuses some',
      {
        id: 3,
        ok: true,
        refused: [{ symbol: 'B', reason: 'unknown' }, { symbol: 'C' }, { reason: 'x' }, null],
      },
      {
        kind: 'done',
        requestId: 3,
        refused: [
          { symbol: 'B', reason: 'unknown' },
          { symbol: 'C', reason: 'no reason given' },
        ],
      },
    ],
    ['a confirmation of no request', { ok: true }, { kind: 'other' }],
    ['no confirmation', { id: 3, ok: 1 }, { kind: 'other' }],
    ['busy', { id: 3, busy: true, retryAfterMs: 20 }, { kind: 'busy', requestId: 3, retryAfterMs: 20 }],
    ['busy in general', { busy: true }, { kind: 'busy', requestId: null, retryAfterMs: 1000 }],
    ['not busy', { id: 3, busy: 'yes' }, { kind: 'other' }],
    ['a greeting', { hello: 1 }, { kind: 'other' }],
    ['null', null, { kind: 'other' }],
    ['a word', 'hello', { kind: 'other' }],
  ])('is understood: %s', (_, message, expected) => {
    expect(parse(JSON.stringify(message))).toMatchObject(expected);
  });

  it('may send what is no JSON, which is not understood', () => {
    expect(() => parse('{')).toThrow(SyntaxError);
  });
});

describe('the ticks that wait for a subscriber', () => {
  const filled = (policy: SlowPolicy, limit: number, ...ticks: Tick[]) => {
    const queue = createTickQueue(policy, limit);
    const taken = ticks.map((one) => queue.push(one));
    const rest: unknown[] = [];
    const { length, conflated, dropped } = queue;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) rest.push(next.seq ?? 0);
    return { taken, rest, length, conflated, dropped };
  };
  const three = [tick('A', 1), tick('B', 2), tick('C', 3)];

  it.each<SlowPolicy>(['conflate', 'drop-oldest', 'disconnect'])(
    'are all kept up to the limit: %s',
    (policy) => {
      const kept = { taken: [true, true, true], rest: [1, 2, 3], length: 3, conflated: 0, dropped: 0 };
      expect(filled(policy, 3, ...three)).toEqual(kept);
    },
  );

  it('are conflated at the place of their first, and a symbol too many costs the oldest', () => {
    expect(filled('conflate', 3, ...three, tick('A', 4))).toMatchObject({ rest: [4, 2, 3], conflated: 1 });
    expect(filled('conflate', 3, ...three, tick('D', 4))).toMatchObject({
      ...{ taken: [true, true, true, true], rest: [2, 3, 4], conflated: 0, dropped: 1 },
    });
  });

  it('lose the oldest, or are refused, where the limit is reached', () => {
    expect(filled('drop-oldest', 2, ...three)).toMatchObject({ rest: [2, 3], conflated: 0, dropped: 1 });
    expect(filled('disconnect', 2, ...three)).toMatchObject({ taken: [true, true, false], rest: [1, 2] });
  });
});

describe('a subscribe call', () => {
  it('is over when each of its symbols has an outcome, of which the first counts', async () => {
    const call = new SubscribeCall(['A', 'B']);
    call.settle('A', 'live');
    call.settle('A', 'refused', 'late');
    call.settle('other', 'live');
    expect([call.pending, call.over]).toEqual([1, false]);
    call.settle('B', 'refused', 'unknown');
    expect([call.pending, call.over]).toEqual([0, true]);
    expect(await call.promise).toEqual([
      { symbol: 'A', outcome: 'live', reason: null },
      { symbol: 'B', outcome: 'refused', reason: 'unknown' },
    ]);
  });

  it('without symbols is over at once', async () => {
    const call = new SubscribeCall([]);
    expect(call.over).toBe(true);
    expect(await call.promise).toEqual([]);
  });

  it('fails once, and ends what watches it', async () => {
    const call = new SubscribeCall(['A']);
    const ended: string[] = [];
    call.timer = { cancel: () => void ended.push('timer') };
    call.stopWatching = () => void ended.push('watch');
    call.fail(new FeedError('ERR_FEED_TIMEOUT', 'first'));
    call.fail(new FeedError('ERR_FEED_CLOSED', 'second'));
    call.settle('A', 'live');
    await expect(call.promise).rejects.toThrow('first');
    expect([ended, call.pending]).toEqual([['timer', 'watch'], 1]);
  });
});

describe('a subscriber', () => {
  function made(options: SubscriberOptions = {}, capacity = 2) {
    const told: unknown[] = [];
    const owner = {
      subscribe: async (_: Subscriber, symbols: readonly string[]) => {
        told.push(['subscribe', ...symbols]);
        return [];
      },
      unsubscribe: (_: Subscriber, symbols: Iterable<string>) => void told.push(['unsubscribe', ...symbols]),
      release: (_: Subscriber, keys: Iterable<string>) => void told.push(['unsubscribe', ...keys]),
      closed: () => void told.push('closed'),
      slow: () => void told.push('slow'),
      listenerFailed: (event: string, error: unknown) => void told.push([event, error]),
    };
    return { subscriber: new Subscriber(owner, 'me', capacity, options), told };
  }

  it('keeps as many symbols as fit into the pool, or 1,024 ticks, unless it says otherwise', () => {
    const kept = (options: SubscriberOptions): number => {
      const { subscriber } = made(options);
      for (let at = 0; at < 2000; at++) subscriber.offer(tick(`S${at}`, at));
      return subscriber.queued;
    };
    expect(kept({})).toBe(2);
    expect(kept({ policy: 'drop-oldest' })).toBe(1024);
    expect(kept({ policy: 'drop-oldest', limit: 5 })).toBe(5);
  });

  it.each([0, -1, 1.5, Number.NaN])('has no limit of %s', (limit) => {
    expect(() => made({ limit })).toThrow(expect.objectContaining({ code: 'ERR_FEED_OPTION' }));
  });

  it('names one symbol or several', async () => {
    const { subscriber, told } = made();
    await subscriber.subscribe('A');
    await subscriber.subscribe(['A', 'B']);
    subscriber.unsubscribe('A');
    expect(told).toEqual([
      ['subscribe', 'A'],
      ['subscribe', 'A', 'B'],
      ['unsubscribe', 'A'],
    ]);
  });

  it('hands ticks to those who wait, in turn, and queues the rest', async () => {
    const { subscriber } = made();
    const [first, second] = [subscriber.next(), subscriber.next()];
    for (const seq of [1, 2, 3]) subscriber.offer(tick('A', seq));
    expect([(await first)?.seq, (await second)?.seq]).toEqual([1, 2]);
    expect(subscriber.queued).toBe(1);
    expect((await subscriber.next())?.seq).toBe(3);
  });

  it('gives at most as many as are asked for', () => {
    const { subscriber } = made({ policy: 'drop-oldest' });
    for (const seq of [1, 2, 3]) subscriber.offer(tick('A', seq));
    expect(subscriber.take(0)).toEqual([]);
    expect(subscriber.take(2).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(subscriber.take().map(({ seq }) => seq)).toEqual([3]);
  });

  it('has what it takes as it comes called for each tick, and its failures told', () => {
    const failure = new Error('no');
    const seen: unknown[] = [];
    const { subscriber, told } = made({
      onTick: ({ seq }) => {
        seen.push(seq);
        if (seq === 1) throw failure;
      },
    });
    subscriber.offer(tick('A', 1));
    subscriber.offer(tick('A', 2));
    expect([seen, told, subscriber.queued]).toEqual([[1, 2], [['onTick', failure]], 0]);
  });

  it('is closed once: its symbols are let go, and those who wait get null', async () => {
    const { subscriber, told } = made();
    subscriber.note('A', true);
    subscriber.note('B', true);
    subscriber.note('B', false);
    subscriber.offer(tick('A', 1));
    const { value } = await subscriber[Symbol.asyncIterator]().next();
    expect((value as Tick).seq).toBe(1);
    const waiting = subscriber.next();
    subscriber.close();
    subscriber[Symbol.dispose]();
    expect(await waiting).toBeNull();
    expect(await subscriber.next()).toBeNull();
    expect(told).toEqual([['unsubscribe', 'A'], 'closed']);
    expect(subscriber.closed).toBe(true);
  });

  it('that must miss nothing is told how many ticks it has left, and nothing more comes', async () => {
    const { subscriber, told } = made({ policy: 'disconnect', limit: 1 });
    subscriber.offer(tick('A', 1));
    expect(told).toEqual([]);
    subscriber.offer(tick('A', 2));
    expect(told).toEqual([['unsubscribe'], 'closed', 'slow']);
    expect((await subscriber.next())?.seq).toBe(1);
    await expect(subscriber.next()).rejects.toThrow(/'me' did not keep up: 1 ticks wait/);
  });
});

describe('the options of a feed', () => {
  const url = 'wss://feed.test:8443/quotes?token=secret';

  it('have defaults', () => {
    const settings = resolveOptions({ url });
    expect(settings).toMatchObject({
      ...{ origin: 'wss://feed.test:8443', name: 'feed', maxSymbolsPerConnection: 1000, maxConnections: 3 },
      ...{ placement: 'first-fit', tls: {}, connectTimeoutMs: 10_000, maxMessageBytes: 1_048_576 },
      ...{ requestTimeoutMs: 5000, lingerMs: 250, connectionQuota: 3, maxAgeMs: null, proxy: null },
      ...{ staleAfterMs: 30_000, isMarketOpen: null, stableAfterMs: 10_000, idleCloseMs: 30_000 },
      ...{ backoff: { baseMs: 500, capMs: 30_000 }, dials: { perSecond: 1, perMinute: 60, burst: 3 } },
      minConnections: 1,
    });
    expect(settings.renewCredentials()).toBe(false);
    expect(settings.heartbeat({ url })).toEqual({ kind: 'frame', everyMs: 10_000, answerMs: 5000 });
  });

  it('may be given in part', () => {
    const settings = resolveOptions({
      url,
      maxConnections: 7,
      backoff: { baseMs: 9 },
      dials: { perMinute: 2 },
    });
    expect(settings).toMatchObject({
      backoff: { baseMs: 9, capMs: 30_000 },
      dials: { perSecond: 1, perMinute: 2, burst: 7 },
    });
  });

  it.each<[Partial<SubscriptionPoolOptions>, string | null]>([
    [{ maxConnections: 0 }, 'maxConnections is 0; it must be a whole number from 1'],
    [{ maxConnections: 1 }, null],
    [{ maxConnections: 1.5 }, 'maxConnections is 1.5'],
    [{ maxSymbolsPerConnection: 0 }, 'maxSymbolsPerConnection is 0'],
    [{ maxMessageBytes: 0 }, 'maxMessageBytes is 0'],
    [{ minConnections: -1 }, 'minConnections is -1; it must be a whole number from 0'],
    [{ minConnections: 0 }, null],
    [{ lingerMs: -1 }, 'lingerMs is -1; it must be 0 or more'],
    [{ lingerMs: 0 }, null],
    [{ pongTimeoutMs: Number.NaN }, 'pongTimeoutMs is NaN'],
    [{ backoff: { capMs: -5 } }, 'capMs is -5'],
    [{ dials: { burst: 0 } }, 'burst of dials is 0'],
    [{ dials: { perMinute: 0 } }, 'perMinute of dials is 0'],
    [{ dials: { perSecond: 0 } }, 'perSecond of dials must be more than 0'],
    [{ dials: { perSecond: 0.1 } }, null],
    [{ protocol: jsonFeed({ symbolsPerMessage: 0 }) }, 'symbolsPerMessage of the protocol is 0'],
    [{ protocol: jsonFeed({ messagesPerSecond: 0 }) }, 'messagesPerSecond of the protocol is 0'],
    [{ url: 'feed.test' }, 'the URL of the feed cannot be read'],
    [{ url: 'https://feed.test' }, 'begins with ws:// or wss://, not https://'],
    [{ url: 'xws://feed.test' }, 'not xws://'],
    [{ url: 'wss://feed.test#top' }, 'has no #fragment'],
    [{ url: 'ws://feed.test' }, null],
  ])('%j: %s', (options, message) => {
    const resolve = () => resolveOptions({ url, ...options });
    if (message === null) expect(resolve).not.toThrow();
    else {
      expect(resolve).toThrow(message);
      expect(resolve).toThrow(expect.objectContaining({ code: 'ERR_FEED_OPTION', kind: 'usage' }));
    }
  });
});

it.each([
  [0, '20 of 20 places are taken on 2 connections', /^unsubscribe what is not needed/],
  [3, '20 of 20 places are taken (3 of them being unsubscribed) on 2 connections', /^places become free/],
])('a full feed says how much of it is on its way out: %i', (releasing, message, hint) => {
  const facts = { pool: 'p', capacity: 20, used: 20, releasing, requested: 2, connections: 2, symbol: 'X' };
  const error = new PoolExhaustedError(facts);
  expect(error.message).toContain(message);
  expect(error).toMatchObject({ code: 'ERR_FEED_EXHAUSTED', hint: expect.stringMatching(hint), facts });
});

import { describe, expect, it } from 'vitest';
import { SharedBudgets } from '../../src/ws/budgets.js';
import { fromEnvironment } from '../../src/ws/environment.js';
import { FeedError } from '../../src/ws/errors.js';
import { resolveOptions } from '../../src/ws/options.js';
import { type Batch, fitBatch } from '../../src/ws/request-batches.js';
import { judgeSequence } from '../../src/ws/sequence.js';
import { Seat, type SeatConnection, Subscription } from '../../src/ws/subscription.js';
import { roomForMode, topicsOf } from '../../src/ws/topics.js';
import type {
  Ending,
  FeedSession,
  FeedVenue,
  Position,
  Seq,
  SequenceRule,
  VenueLimits,
} from '../../src/ws/venue.js';
import { kite } from '../../src/ws/venues/kite.js';
import { judgeEnding } from '../../src/ws/verdicts.js';

describe('numbers', () => {
  const judged = (rule: SequenceRule['rule'], last: Seq | null, at: Position): string =>
    judgeSequence(rule, last, at).kind;

  it.each<[SequenceRule['rule'], Seq | null, Position, string]>([
    ['increment', null, { seq: 9 }, 'next'],
    ['increment', 2, { seq: 3 }, 'next'],
    ['increment', 2, { seq: 5 }, 'hole'],
    ['increment', 2, { seq: 2 }, 'duplicate'],
    ['increment', 2, { seq: 1 }, 'duplicate'],
    ['increment', 2, { seq: 9, snapshot: true }, 'next'],
    ['increment', 2, {}, 'next'],
    ['increment', 9_007_199_254_740_993n, { seq: 9_007_199_254_740_994n }, 'next'],
    ['increment', 9_007_199_254_740_993n, { seq: 9_007_199_254_740_995n }, 'hole'],
    ['range', 10, { from: 11, seq: 14 }, 'next'],
    ['range', 10, { from: 8, seq: 14 }, 'next'],
    ['range', 10, { from: 12, seq: 14 }, 'hole'],
    ['range', 10, { from: 5, seq: 10 }, 'duplicate'],
    ['range', 10, { seq: 99 }, 'next'],
    ['link', 10, { prev: 10, seq: 15 }, 'next'],
    ['link', 10, { prev: 12, seq: 15 }, 'hole'],
    ['link', 10, { prev: 8, seq: 10 }, 'duplicate'],
    ['link', 10, { prev: 10, seq: 3 }, 'next'],
    ['link', 10, { prev: 2, seq: 3 }, 'next'],
    ['link', 10, { prev: -1, seq: 3, snapshot: true }, 'next'],
    ['rising', 10, { seq: 15 }, 'next'],
    ['rising', 10, { seq: 10 }, 'duplicate'],
  ])('are judged by the rule %s: row %#', (rule, last, at, expected) => {
    expect(judged(rule, last, at)).toBe(expected);
  });
});

describe('an end', () => {
  const ending = (changes: Partial<Ending>): Ending => ({
    ...{
      phase: 'open',
      httpStatus: null,
      retryAfterMs: null,
      code: null,
      reason: '',
      failure: null,
      openMs: 60_000,
    },
    error: new FeedError('ERR_FEED_LOST', 'gone'),
    ...changes,
  });
  const verdictOn = (changes: Partial<Ending>, inARow = 0): string => {
    const verdict = judgeEnding(ending(changes), { inARow, capMs: 30_000 });
    const { then } = verdict;
    return 'ms' in verdict ? `${then} ${verdict.ms}` : then;
  };

  it.each<[Partial<Ending>, string]>([
    [{ httpStatus: 401 }, 'renew'],
    [{ httpStatus: 403 }, 'renew'],
    [{ httpStatus: 400 }, 'stop'],
    [{ httpStatus: 404 }, 'wait 30000'],
    [{ httpStatus: 200 }, 'wait 30000'],
    [{ httpStatus: 503 }, 'retry'],
    [{ httpStatus: 429 }, 'wait 60000'],
    [{ httpStatus: 429, retryAfterMs: 2000 }, 'wait 2000'],
    [{ code: 1000 }, 'retry'],
    [{ code: 1001 }, 'now'],
    [{ code: 1006 }, 'retry'],
    [{ code: 1008 }, 'wait 5000'],
    [{ code: 1008, reason: 'Too many requests' }, 'wait 5000'],
    [{ code: 1008, reason: 'please login' }, 'renew'],
    [{ code: 1008, reason: 'access token expired' }, 'renew'],
    [{ code: 1008, reason: 'connection limit exceeded' }, 'wait 60000'],
    [{ code: 1009 }, 'retry'],
    [{ code: 1011 }, 'retry'],
    [{ code: 1012 }, 'now'],
    [{ code: 1013 }, 'wait 5000'],
    [{ code: 3000 }, 'renew'],
    [{ code: 3003 }, 'renew'],
    [{ code: 4001 }, 'renew'],
    [{ code: 4001, reason: 'idle' }, 'retry'],
    [{ code: 4401 }, 'renew'],
    [{ code: 4403 }, 'renew'],
    [{ code: 4004, reason: 'No data received in 30s.' }, 'retry'],
    [{ code: null }, 'retry'],
    [{ failure: { kind: 'auth', message: '' } }, 'renew'],
    [{ failure: { kind: 'plan', message: '' } }, 'stop'],
    [{ failure: { kind: 'quota', message: '' } }, 'wait 60000'],
    [{ failure: { kind: 'rate', message: '' } }, 'wait 5000'],
    [{ failure: { kind: 'protocol', message: '' } }, 'retry'],
    [{ code: 1000, failure: { kind: 'auth', message: '' } }, 'renew'],
  ])('%j means: %s', (changes, expected) => {
    expect(verdictOn(changes)).toBe(expected);
  });

  it('of the same kind again has a longer wait, up to a quarter of an hour', () => {
    const waits = [0, 1, 2, 9].map((inARow) => verdictOn({ httpStatus: 429, retryAfterMs: 1000 }, inARow));
    expect(waits).toEqual(['wait 1000', 'wait 120000', 'wait 240000', 'wait 900000']);
  });
});

describe('budgets', () => {
  const limits = (budgets: VenueLimits['budgets']) => new SharedBudgets({ budgets });

  it('hold in every window, and a request waits until all of its frames fit', () => {
    const own = limits([{ what: 'frames', scope: 'connection', most: 4, windowMs: 1000 }]).forSocket('');
    for (const at of [0, 300, 600]) own.noteFrame(at);
    expect([own.roomAt(600, 1), own.roomAt(600, 2), own.roomAt(600, 3)]).toEqual([600, 1000, 1300]);
  });

  it('of the pool and of a lane outlive a socket, its own do not', () => {
    for (const [scope, at] of [
      ['connection', 0],
      ['lane', 1000],
      ['pool', 1000],
    ] as const) {
      const shared = limits([{ what: 'requests', scope, most: 1, windowMs: 1000 }]);
      shared.forSocket('a').noteRequest(0);
      expect(shared.forSocket('a').roomAt(0, 1), scope).toBe(at);
      expect(shared.forSocket('b').roomAt(0, 1), scope).toBe(scope === 'pool' ? 1000 : 0);
    }
  });

  it('count pings and pongs where the venue does, and keep a frame free for a pong', () => {
    const own = limits([
      { what: 'frames', scope: 'connection', most: 3, windowMs: 1000, counts: ['ping', 'pong'] },
    ]).forSocket('');
    own.noteControl('ping', 0);
    expect(own.roomAt(0, 1)).toBe(0);
    own.noteFrame(0);
    expect(own.roomAt(0, 1)).toBe(1000);
  });
});

describe('a request', () => {
  const venue = kite({ apiKey: 'k', accessToken: 't' });
  const connection = { id: 1, lane: '', epoch: 1, state: 'open' } as SeatConnection;
  const batchOf = (count: number): Batch => ({
    ...{ kind: 'subscribe', mode: '', from: '', unanswered: 0 },
    seats: Array.from({ length: count }, (_, at) => {
      const topic = { key: `S${at}`, symbol: `S${at}`, mode: '', lane: '' };
      return new Seat(new Subscription(topic, 0), connection);
    }),
  });
  const frameEach: Pick<FeedSession, 'subscribe'> = {
    subscribe: (topics) => topics.map(({ symbol }) => `{"sub":"${symbol}"}`),
  };
  const fitted = (count: number, session: Pick<FeedSession, 'subscribe'>, limits: object) => {
    const { fitting, frames, rest } = fitBatch(session as FeedSession, batchOf(count), 1, limits);
    return [fitting.seats.length, frames?.length ?? null, rest?.seats.length ?? null];
  };

  it.each([
    [10, {}, [10, 10, null]],
    [10, { mostFrames: 5 }, [5, 5, 5]],
    [10, { mostFrames: 3 }, [3, 3, 7]],
    [1, { mostFrames: 0 }, [1, 1, null]],
    [10, { mostFrames: 5, requestBytes: 4 }, [1, 1, 9]],
  ])('of %i topics with a frame for each, within %j', (count, limits, expected) => {
    expect(fitted(count, frameEach, limits)).toEqual(expected);
  });

  it('has fewer frames than a budget that counts pongs', () => {
    const budgets = [{ what: 'frames', scope: 'pool', most: 5, windowMs: 1000, counts: ['pong'] }] as const;
    expect(new SharedBudgets({ budgets }).forSocket('').mostFrames).toBe(4);
    expect(new SharedBudgets({ budgets: venue.limits.budgets }).forSocket('').mostFrames).toBeGreaterThan(1);
    expect(new SharedBudgets({ budgets: [] }).forSocket('').mostFrames).toBe(Number.POSITIVE_INFINITY);
  });

  it('that goes another way has no frames, and is asked for once', () => {
    let calls = 0;
    const session = {
      subscribe: () => {
        calls++;
        return null;
      },
    };
    expect([fitted(10, session, { mostFrames: 1, requestBytes: 1 }), calls]).toEqual([[10, null, null], 1]);
  });
});

describe('topics of modes', () => {
  const perMode: VenueLimits = {
    ...{ connections: 2, topicsPerConnection: 1500, topicsPerRequest: 100, budgets: [] },
    topicsPerMode: { ltpc: { alone: 5000, together: 2000 }, full: { alone: 2000, together: 1500 } },
  };

  it.each([
    [{}, 'ltpc', 5000],
    [{ ltpc: 4000 }, 'ltpc', 1000],
    [{ full: 100 }, 'ltpc', 1400],
    [{ ltpc: 1000 }, 'full', 500],
    [{ ltpc: 4000 }, 'full', 0],
  ])('with %j there is room for so many of %s: %i', (counts, mode, room) => {
    expect(roomForMode(perMode, new Map(Object.entries(counts as Record<string, number>)), mode)).toBe(room);
  });

  it('are those of the venue, the weakest by default', () => {
    const venue = kite({ apiKey: 'k', accessToken: 't' });
    expect(topicsOf(venue, ['1'], undefined)).toMatchObject([{ mode: 'ltp' }]);
    expect(() => topicsOf(venue, ['1'], 'depth')).toThrow(/no mode 'depth'; there are ltp, quote, full/);
    const without: FeedVenue = { ...venue, modes: [] };
    expect(() => topicsOf(without, ['1'], 'full')).toThrow(/has no modes/);
  });
});

describe('settings of the environment', () => {
  it.each([
    ['500', 500],
    [' 7 ', 7],
    ['', null],
    [undefined, null],
  ])('%j is %s', (text, expected) => {
    const variables = { MAX_SYMBOLS_PER_WEBSOCKET: text };
    expect(fromEnvironment('MAX_SYMBOLS_PER_WEBSOCKET', variables)).toBe(expected);
  });

  it.each(['0', '-1', '1.5', 'many'])('%s is refused, and named', (text) => {
    expect(() => fromEnvironment('MAX_WEBSOCKET_CONNECTIONS', { MAX_WEBSOCKET_CONNECTIONS: text })).toThrow(
      expect.objectContaining({ code: 'ERR_FEED_OPTION', message: expect.stringContaining(`is "${text}"`) }),
    );
  });

  it('are the limits of a pool that has none, but no more than the venue allows', () => {
    const before = { ...process.env };
    process.env.MAX_SYMBOLS_PER_WEBSOCKET = '2000';
    process.env.MAX_WEBSOCKET_CONNECTIONS = '9';
    try {
      const url = 'ws://feed.test';
      const limitsOf = ({ maxSymbolsPerConnection, maxConnections }: ReturnType<typeof resolveOptions>) => [
        maxSymbolsPerConnection,
        maxConnections,
      ];
      expect(limitsOf(resolveOptions({ url }))).toEqual([2000, 9]);
      expect(limitsOf(resolveOptions({ url, maxConnections: 4 }))).toEqual([2000, 4]);
      const venue = kite({ apiKey: 'k', accessToken: 't' });
      expect(limitsOf(resolveOptions({ venue }))).toEqual([2000, 3]);
    } finally {
      process.env = before;
    }
  });
});

describe('options of a venue', () => {
  const venue = kite({ apiKey: 'k', accessToken: 't' });

  it.each<[object, RegExp]>([
    [{ venue, url: 'ws://feed.test' }, /a venue has its own url/],
    [{ venue: { name: 'x' } }, /no target\(\) or no session\(\)/],
    [{ venue: { ...venue, limits: { ...venue.limits, connections: 0 } } }, /connections in the limits/],
    [
      {
        venue: {
          ...venue,
          limits: {
            ...venue.limits,
            budgets: [{ what: 'dials', scope: 'connection', most: 1, windowMs: 1 }],
          },
        },
      },
      /a budget of dials has the scope/,
    ],
    [{ url: 'ws://feed.test', proxy: 'socks5://user:secret@p' }, /must begin with http/],
    [{ venue, connectionQuota: 1 }, /connectionQuota is 1; it must be a whole number from 3/],
  ])('that are wrong are refused: %#', (options, message) => {
    expect(() => resolveOptions(options as never)).toThrow(message);
  });
});

import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { FeedEventName, FeedEvents } from '../../src/ws/events.js';
import { jsonFeed } from '../../src/ws/json-feed.js';
import type { SubscriptionPoolOptions } from '../../src/ws/options.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import type { FeedSession, FeedVenue, SessionOut, Target, VenueLimits } from '../../src/ws/venue.js';
import { type Script, type ScriptedVenue, scriptedVenue } from './scripted-venue.js';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function venueServer(script: Script): Promise<ScriptedVenue> {
  const server = await scriptedVenue(script);
  open.push(server);
  return server;
}

function poolOf(options: SubscriptionPoolOptions): SubscriptionPool {
  const pool = new SubscriptionPool({
    backoff: { baseMs: 10, capMs: 30 },
    dials: { perSecond: 1000, perMinute: 1000 },
    lingerMs: 5,
    ...options,
  });
  open.push(pool);
  return pool;
}

function heard<E extends FeedEventName>(pool: SubscriptionPool, event: E): Promise<FeedEvents[E]> {
  return new Promise((resolve) => {
    const stop = pool.on(event, (payload) => {
      stop();
      resolve(payload);
    });
  });
}

const limits: VenueLimits = {
  ...{ connections: 3, topicsPerConnection: 1000, topicsPerRequest: 200 },
  budgets: [{ what: 'frames', scope: 'connection', most: 1000, windowMs: 1000 }],
};

const json = (value: unknown): string => JSON.stringify(value);

/** A venue that speaks `{op, id, symbols}` and hears what the session of a test makes of it. */
function venueAt(
  url: string,
  own: Partial<Omit<FeedVenue, 'session'>> & { session?: () => Partial<FeedSession> } = {},
): FeedVenue {
  const { session, ...rest } = own;
  return {
    name: 'made-up',
    limits,
    confirmation: 'reply',
    heartbeat: { kind: 'frame', everyMs: 10_000, answerMs: 5000 },
    target: () => ({ url }),
    ...rest,
    session: () => ({
      subscribe: (topics, id) => [json({ op: 'subscribe', id, symbols: topics.map(({ symbol }) => symbol) })],
      unsubscribe: (topics, id) => [
        json({ op: 'unsubscribe', id, symbols: topics.map(({ symbol }) => symbol) }),
      ],
      received: (data, out) => hear(JSON.parse(String(data)), out),
      ...session?.(),
    }),
  };
}

type Received = NonNullable<Script['received']>;

interface Wire {
  readonly id?: number;
  readonly refused?: string;
  readonly tick?: string;
  readonly seq?: number;
}

function hear({ id, refused, tick, seq }: Wire, out: SessionOut): void {
  if (tick !== undefined) out.tick(tick, { seq }, seq === undefined ? undefined : { seq });
  else if (refused !== undefined)
    out.refused({ requestId: id ?? null, symbols: null, reason: refused, kind: 'unknown' });
  else if (id !== undefined) out.done(id);
}

/** Confirms every request. */
const agree: Received = (socket, data) => {
  const { id } = JSON.parse(String(data)) as Wire;
  if (id !== undefined) socket.send(json({ id }));
};

const symbols = (count: number): string[] => Array.from({ length: count }, (_, at) => `S${at}`);

describe('binary frames', () => {
  const frame = Buffer.from('0002000800063a010001e23f00080004d20331aa62d0', 'hex');

  it('reach a venue byte for byte, and are sent as binary', async () => {
    const server = await venueServer({
      received: (socket) => {
        socket.send(frame);
        socket.send('"text"');
      },
    });
    const got: (string | Buffer)[] = [];
    const pool = poolOf({
      venue: venueAt(server.url, {
        confirmation: 'none',
        session: () => ({
          subscribe: () => [Buffer.from([1, 2, 255]), 'text'],
          received: (data) => void got.push(typeof data === 'string' ? data : Buffer.from(data)),
        }),
      }),
    });
    await pool.subscriber().subscribe('A');
    await expect.poll(() => got.length).toBe(4);
    expect(got.filter((each) => typeof each !== 'string')).toEqual([frame, frame]);
    expect(server.heard).toEqual([Buffer.from([1, 2, 255]), 'text']);
  });

  it('are never values for a FeedProtocol: they are not understood, and that is said', async () => {
    const server = await venueServer({
      received: (socket, data) => {
        socket.send(frame);
        agree(socket, data, 1);
      },
    });
    const parsed: string[] = [];
    const protocol = jsonFeed();
    const pool = poolOf({
      url: server.url,
      protocol: {
        ...protocol,
        parse: (text) => {
          parsed.push(text);
          const { id } = JSON.parse(text) as { id: number };
          return { kind: 'done', requestId: id, refused: [] };
        },
      },
    });
    const told = heard(pool, 'notUnderstood');
    await pool.subscriber().subscribe('A');
    expect((await told).error.message).toMatch(/binary frame of 22 bytes.*'json' reads text only/);
    expect(parsed).toEqual(['{"id":1}']);
    expect(pool.snapshot().feed).toMatchObject({ notUnderstood: 1, ticks: 0 });
  });
});

describe('a refusal of a whole request', () => {
  const refuseWith =
    (bad: string, reply: (id: number) => object): Received =>
    (socket, data) => {
      const { id, symbols: asked } = JSON.parse(String(data)) as { id: number; symbols: string[] };
      socket.send(json(asked.includes(bad) ? reply(id) : { id }));
    };

  it.each<[string, VenueLimits, (id: number) => object]>([
    ['that names it', limits, (id) => ({ id, refused: 'unknown symbol' })],
    ['that names nothing', { ...limits, requestsInFlight: 1 }, () => ({ refused: 'unknown symbol' })],
  ])('%s costs one symbol, not the 199 others, and about 2 log2(200) requests', async (_how, own, reply) => {
    const server = await venueServer({ received: refuseWith('S137', reply) });
    const pool = poolOf({ venue: venueAt(server.url, { limits: own }) });
    const results = await pool.subscriber().subscribe(symbols(200));
    expect(results.filter(({ outcome }) => outcome !== 'live')).toEqual([
      { symbol: 'S137', outcome: 'refused', reason: 'unknown symbol' },
    ]);
    expect(server.heard.length).toBeLessThanOrEqual(17);
    expect(pool.snapshot().feed).toMatchObject({ live: 199, refused: 1 });
  });

  it('costs one request more if it names the symbol', async () => {
    const server = await venueServer({ received: refuseWith('S137', (id) => ({ id, bad: 'S137' })) });
    const pool = poolOf({
      venue: venueAt(server.url, {
        session: () => ({
          received: (data, out) => {
            const { id, bad } = JSON.parse(String(data)) as { id: number; bad?: string };
            if (bad === undefined) out.done(id);
            else out.refused({ requestId: id, symbols: [bad], reason: 'no such', kind: 'unknown' });
          },
        }),
      }),
    });
    const results = await pool.subscriber().subscribe(symbols(200));
    expect(results.filter(({ outcome }) => outcome === 'live')).toHaveLength(199);
    expect(server.heard).toHaveLength(2);
  });

  it('is known to a FeedProtocol too', async () => {
    const server = await venueServer({
      received: refuseWith('S7', (id) => ({ id, error: 'no such symbol' })),
    });
    const protocol = jsonFeed();
    const pool = poolOf({
      url: server.url,
      protocol: {
        ...protocol,
        parse(text) {
          const { id, error } = JSON.parse(text) as { id: number; error?: string };
          return error === undefined
            ? { kind: 'done', requestId: id, refused: [] }
            : { kind: 'failed', requestId: id, reason: error };
        },
      },
    });
    const results = await pool.subscriber().subscribe(symbols(20));
    expect(results.filter(({ outcome }) => outcome === 'live')).toHaveLength(19);
    expect(results).toContainEqual({ symbol: 'S7', outcome: 'refused', reason: 'no such symbol' });
  });
});

describe('an end for good', () => {
  it.each([
    ['1008 and the reason "please login"', 1008, 'please login'],
    ['4001 without a reason', 4001, ''],
    ['4401', 4401, ''],
    ['3000', 3000, 'unauthorized'],
  ])('by close code %s is not dialed again, also with a FeedProtocol', async (_what, code, reason) => {
    const server = await venueServer({ received: (socket) => socket.close(code, reason) });
    const pool = poolOf({ url: server.url });
    const subscribed = pool.subscriber().subscribe('A');
    await expect(subscribed).rejects.toMatchObject({ code: 'ERR_FEED_AUTH' });
    expect(server.requests).toHaveLength(1);
    expect(pool.snapshot().feed.connections).toMatchObject([{ state: 'failed' }]);
  });

  it('by a message is told with that message, and the socket is ended if the server does not', async () => {
    const server = await venueServer({
      received: (socket) => socket.send(json({ fatal: 'insufficient plan' })),
    });
    const pool = poolOf({
      venue: venueAt(server.url, {
        session: () => ({ received: (data, out) => out.failed('plan', JSON.parse(String(data)).fatal) }),
      }),
    });
    await expect(pool.subscriber().subscribe('A')).rejects.toMatchObject({
      code: 'ERR_FEED_REFUSED',
      message: expect.stringContaining('insufficient plan'),
    });
    expect(server.requests).toHaveLength(1);
  });

  it('asks the venue for new credentials once, and stops if those are refused too', async () => {
    const whys: string[] = [];
    const server = await venueServer({ upgrade: () => ({ status: 403 }) });
    const pool = poolOf({
      venue: venueAt(server.url, {
        target: ({ why }) => {
          whys.push(why);
          return { url: server.url };
        },
      }),
    });
    await expect(pool.subscriber().subscribe('A')).rejects.toMatchObject({ code: 'ERR_FEED_AUTH' });
    expect(whys).toEqual(['first', 'renewed']);
  });
});

describe('a login', () => {
  it('is waited for: nothing is subscribed before', async () => {
    let agreeToLogin = (): void => {};
    const server = await venueServer({
      received: (socket, data) => {
        if (String(data).includes('login')) agreeToLogin = () => socket.send(json({ welcome: true }));
        else agree(socket, data, 1);
      },
    });
    const pool = poolOf({
      venue: venueAt(server.url, {
        session: () => ({
          opened: (out) => out.send(json({ login: 'me' })),
          received: (data, out) => {
            const message = JSON.parse(String(data)) as Wire & { welcome?: boolean };
            if (message.welcome) out.ready();
            else hear(message, out);
          },
        }),
      }),
    });
    const subscribed = pool.subscriber().subscribe(['A', 'B']);
    await expect.poll(() => server.heard.length).toBe(1);
    expect(pool.snapshot().feed.connections).toMatchObject([{ state: 'connecting' }]);
    agreeToLogin();
    expect(await subscribed).toMatchObject([{ outcome: 'live' }, { outcome: 'live' }]);
    expect(server.heard[1]).toContain('subscribe');
  });

  it('that is refused ends in ERR_FEED_AUTH after one try with new credentials', async () => {
    const server = await venueServer({ received: (socket) => socket.send(json({ denied: true })) });
    const pool = poolOf({
      venue: venueAt(server.url, {
        session: () => ({
          opened: (out) => out.send('login'),
          received: (_data, out) => out.failed('auth', 'wrong signature'),
        }),
      }),
    });
    await expect(pool.subscriber().subscribe('A')).rejects.toMatchObject({
      code: 'ERR_FEED_AUTH',
      message: expect.stringContaining('wrong signature'),
    });
    expect(server.heard).toEqual(['login', 'login']);
  });
});

describe('a dial', () => {
  it('has a URL of its own each time, which is told to nobody', async () => {
    const used: string[] = [];
    let made = 0;
    const server = await venueServer({
      upgrade: ({ url = '' }) => {
        if (used.includes(url)) return { status: 410 };
        used.push(url);
        return null;
      },
      received: agree,
    });
    const target = async (): Promise<Target> => ({ url: `${server.url}?code=secret-${++made}` });
    const pool = poolOf({ venue: venueAt(server.url, { target }) });
    const told: string[] = [];
    for (const event of ['connectFailed', 'lost', 'open', 'gap', 'state'] as const)
      pool.on(event, (payload) => void told.push(JSON.stringify(payload)));
    await pool.subscriber().subscribe('A');
    for (let drops = 0; drops < 5; drops++) {
      const back = heard(pool, 'gap');
      server.sockets.at(-1)?.terminate();
      await back;
    }
    expect([made, new Set(used).size]).toEqual([6, 6]);
    expect(told.join() + JSON.stringify(pool.snapshot())).not.toContain('secret');
  });

  it('follows a redirect, and leaves the credentials with their host', async () => {
    const second = await venueServer({ received: agree });
    const first = await venueServer({
      upgrade: ({ url }) =>
        url === '/feed' ? null : { status: 302, location: url === '/same' ? '/feed' : second.url },
      received: agree,
    });
    const headers = { Authorization: 'Bearer t', 'X-Api-Key': 'k' };
    const at = (path: string) =>
      poolOf({
        venue: venueAt(first.url, { target: () => ({ url: first.url + path, headers, redirects: 1 }) }),
      });
    await at('same').subscriber().subscribe('A');
    expect(first.requests.at(-1)?.headers).toMatchObject({ authorization: 'Bearer t', 'x-api-key': 'k' });
    await at('other').subscriber().subscribe('A');
    expect(second.requests[0]?.headers).not.toHaveProperty('authorization');
    expect(second.requests[0]?.headers).not.toHaveProperty('x-api-key');
  });

  it('offers a subprotocol and compression', async () => {
    let isDeflated = false;
    const server = await venueServer({
      options: { perMessageDeflate: { threshold: 0 }, handleProtocols: () => 'v2.feed' },
      opened: (socket) => {
        isDeflated = socket.extensions.includes('permessage-deflate');
      },
      received: agree,
    });
    const target = (): Target => ({
      url: server.url,
      subprotocols: ['v1.feed', 'v2.feed'],
      compression: true,
    });
    await poolOf({ venue: venueAt(server.url, { target }) })
      .subscriber()
      .subscribe('A');
    expect(isDeflated).toBe(true);
    expect(server.requests[0]?.headers['sec-websocket-protocol']).toBe('v1.feed,v2.feed');
  });
});

describe('pings', () => {
  it('of the server are answered at once, ahead of a thousand waiting topics', async () => {
    const pongs: unknown[] = [];
    const server = await venueServer({
      opened: (socket) => socket.send(json({ ping: 1 })),
      received: (socket, data) => {
        const message = JSON.parse(String(data)) as { pong?: number };
        if (message.pong === undefined) agree(socket, data, 1);
        else if (pongs.push(message.pong) < 5) socket.send(json({ ping: pongs.length + 1 }));
      },
    });
    const pool = poolOf({
      venue: venueAt(server.url, {
        limits: {
          ...limits,
          topicsPerRequest: 1,
          budgets: [{ what: 'requests', scope: 'connection', most: 1, windowMs: 60_000 }],
        },
        session: () => ({
          received: (data, out) => {
            const message = JSON.parse(String(data)) as Wire & { ping?: number };
            if (message.ping === undefined) hear(message, out);
            else out.send(json({ pong: message.ping }));
          },
        }),
      }),
    });
    pool
      .subscriber()
      .subscribe(symbols(1000), { timeoutMs: null })
      .catch(() => {});
    await expect.poll(() => pongs).toEqual([1, 2, 3, 4, 5]);
  });

  it('of our own may be text, and their answer is no data', async () => {
    const server = await venueServer({
      received: (socket, data) => {
        if (data === 'ping') socket.send('pong');
        else agree(socket, data, 1);
      },
    });
    const pool = poolOf({
      venue: venueAt(server.url, {
        heartbeat: { kind: 'message', everyMs: 20, answerMs: 5000, whenSilent: true, make: () => 'ping' },
        session: () => ({
          received: (data, out) => (data === 'pong' ? out.alive(true) : hear(JSON.parse(String(data)), out)),
        }),
      }),
    });
    await pool.subscriber().subscribe('A');
    await expect.poll(() => server.heard.filter((each) => each === 'ping').length).toBeGreaterThan(2);
    const [connection] = pool.snapshot().feed.connections;
    expect(connection).toMatchObject({ state: 'open', ticks: 0, rttMs: expect.any(Number) });
    expect(server.requests).toHaveLength(1);
  });

  it('are not sent where the server promises a sign of life, and its silence ends the socket', async () => {
    const server = await venueServer({ received: agree });
    const pool = poolOf({ venue: venueAt(server.url, { heartbeat: { kind: 'server', silentMs: 50 } }) });
    const lost = heard(pool, 'lost');
    await pool.subscriber().subscribe('A');
    expect(await lost).toMatchObject({
      cause: 'no-pong',
      error: { message: expect.stringContaining('50 ms') },
    });
  });
});

describe('numbers', () => {
  const ticksOf = (numbers: readonly number[]): Received => {
    let sent = false;
    return (socket, data) => {
      agree(socket, data, 1);
      if (sent) return;
      sent = true;
      for (const seq of numbers) socket.send(json({ tick: 'A', seq }));
    };
  };

  it('that are missing are an event, and those that come twice are dropped', async () => {
    const server = await venueServer({ received: ticksOf([1, 2, 5, 6, 6, 4, 7]) });
    const pool = poolOf({
      venue: venueAt(server.url, { sequence: { scope: 'topic', rule: 'increment', mend: 'report' } }),
    });
    const holes: FeedEvents['hole'][] = [];
    pool.on('hole', (payload) => void holes.push(payload));
    const subscriber = pool.subscriber({ policy: 'drop-oldest' });
    await subscriber.subscribe('A');
    await expect.poll(() => subscriber.queued).toBe(5);
    expect(subscriber.take().map(({ seq }) => seq)).toEqual([1, 2, 5, 6, 7]);
    expect(holes).toMatchObject([{ symbols: ['A'], expected: 3, got: 5 }]);
    expect(pool.snapshot().feed).toMatchObject({ holes: 1, duplicates: 2 });
  });

  it('of a FeedProtocol are checked where it says how they follow each other', async () => {
    const server = await venueServer({
      received: (socket, data) => {
        const { id } = JSON.parse(String(data)) as Wire;
        socket.send(json({ id, ok: true }));
        for (const seq of [1, 2, 5]) socket.send(json({ symbol: 'A', seq }));
      },
    });
    const protocol = {
      ...jsonFeed(),
      sequence: { scope: 'topic', rule: 'increment', mend: 'report' } as const,
    };
    const pool = poolOf({ url: server.url, protocol });
    const hole = heard(pool, 'hole');
    await pool.subscriber().subscribe('A');
    expect(await hole).toMatchObject({ symbols: ['A'], expected: 3, got: 5 });
  });

  it('of the whole connection replace the socket where one is missing', async () => {
    const server = await venueServer({
      received: (socket, data, dial) => {
        agree(socket, data, dial);
        if (dial === 1) for (const n of [0, 1, 3]) socket.send(json({ n }));
      },
    });
    const pool = poolOf({
      venue: venueAt(server.url, {
        sequence: { scope: 'connection', rule: 'increment', mend: 'replace' },
        session: () => ({
          received: (data, out) => {
            const message = JSON.parse(String(data)) as Wire & { n?: number };
            if (message.n === undefined) hear(message, out);
            else out.sequence(message.n);
          },
        }),
      }),
    });
    const [hole, lost, gap] = [heard(pool, 'hole'), heard(pool, 'lost'), heard(pool, 'gap')];
    await pool.subscriber().subscribe('A');
    expect(await hole).toMatchObject({ symbols: null, expected: 2, got: 3 });
    expect((await lost).cause).toBe('hole');
    expect((await gap).symbols).toMatchObject([{ symbol: 'A' }]);
  });
});

describe('a message that is packed', () => {
  it('is unpacked before the session reads it', async () => {
    const server = await venueServer({
      received: (socket, data) => socket.send(gzipSync(json({ id: (JSON.parse(String(data)) as Wire).id }))),
    });
    const pool = poolOf({ venue: venueAt(server.url, { unpack: 'gzip' }) });
    expect(await pool.subscriber().subscribe('A')).toMatchObject([{ outcome: 'live' }]);
  });

  it('ends the socket if it grows beyond the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(5_000_000));
    const server = await venueServer({
      received: (socket, data, dial) => {
        if (dial === 1) socket.send(bomb);
        else socket.send(gzipSync(json({ id: (JSON.parse(String(data)) as Wire).id })));
      },
    });
    const pool = poolOf({
      venue: venueAt(server.url, { unpack: 'gzip', limits: { ...limits, messageBytes: 1_000_000 } }),
    });
    const lost = heard(pool, 'lost');
    await pool.subscriber().subscribe('A');
    expect((await lost).error).toMatchObject({ code: 'ERR_FEED_FRAME' });
  });
});

describe('several frames of a request', () => {
  it('go back to back, with nothing between them, within the budget', async () => {
    const at: { readonly frame: string; readonly ms: number }[] = [];
    const server = await venueServer({
      received: (_socket, data) => void at.push({ frame: String(data), ms: performance.now() }),
    });
    const pool = poolOf({
      venue: venueAt(server.url, {
        confirmation: 'none',
        limits: {
          ...limits,
          topicsPerRequest: 1,
          budgets: [{ what: 'frames', scope: 'connection', most: 4, windowMs: 60 }],
        },
        session: () => ({
          subscribe: ([topic]) => [`sub ${topic?.symbol}`, `mode ${topic?.symbol}`, `x ${topic?.symbol}`],
        }),
      }),
    });
    await pool.subscriber().subscribe(symbols(4));
    await expect.poll(() => at.length).toBe(12);
    expect(at.map(({ frame }) => frame)).toEqual(
      symbols(4).flatMap((one) => [`sub ${one}`, `mode ${one}`, `x ${one}`]),
    );
  });
});

it('a server that goes away is replaced at once, and counts as no failure', async () => {
  const server = await venueServer({ received: agree });
  const pool = poolOf({ venue: venueAt(server.url), backoff: { baseMs: 60_000, capMs: 60_000 } });
  await pool.subscriber().subscribe('A');
  const gap = heard(pool, 'gap');
  server.sockets[0]?.close(1012, 'service restart');
  await once(server.sockets[0] as WebSocket, 'close');
  expect((await gap).symbols).toMatchObject([{ symbol: 'A' }]);
  expect(server.requests).toHaveLength(2);
});

describe('a session', () => {
  it('may keep the set of its topics, which grows and shrinks', async () => {
    const server = await venueServer({ received: agree });
    const venue = venueAt(server.url);
    let kept: ReadonlySet<string> = new Set();
    const pool = poolOf({
      lingerMs: 0,
      venue: {
        ...venue,
        session: (context) => {
          ({ topics: kept } = context);
          return venue.session(context);
        },
      },
    });
    const subscriber = pool.subscriber();
    await subscriber.subscribe(['A', 'B']);
    expect([[...kept], kept.size, kept.has('B')]).toEqual([['A', 'B'], 2, true]);
    await subscriber.subscribe('C');
    subscriber.unsubscribe('A');
    expect([...kept]).toEqual(['B', 'C']);
  });

  it('is told why it is dialed: for a rotation too', async () => {
    const whys: string[] = [];
    const server = await venueServer({ received: agree });
    const pool = poolOf({
      venue: venueAt(server.url, {
        target: ({ why }) => {
          whys.push(why);
          return { url: server.url };
        },
      }),
    });
    await pool.subscriber().subscribe('A');
    const moved = heard(pool, 'moved');
    pool.rotate();
    await moved;
    const gap = heard(pool, 'gap');
    server.sockets.at(-1)?.terminate();
    await gap;
    expect(whys).toEqual(['first', 'rotation', 'lost']);
  });
});

it('modes that are topics of their own take places of their own, and their ticks are not conflated', async () => {
  const server = await venueServer({
    received: (socket) => {
      for (const mode of ['ltp', 'quote']) socket.send(json({ tick: 'A', mode }));
    },
  });
  const pool = poolOf({
    venue: venueAt(server.url, {
      confirmation: 'none',
      modes: ['ltp', 'quote'],
      modeChange: 'separate',
      session: () => ({
        received: (data, out) => {
          const { tick, mode } = JSON.parse(String(data)) as { tick: string; mode: string };
          out.tick(tick, mode, { mode });
        },
      }),
    }),
  });
  const subscriber = pool.subscriber();
  await subscriber.subscribe('A', { mode: 'ltp' });
  await subscriber.subscribe('A', { mode: 'quote' });
  expect(pool.snapshot().feed.symbols).toBe(2);
  expect([...subscriber.symbols]).toEqual(['A']);
  await expect.poll(() => subscriber.queued).toBe(2);
  expect(subscriber.take().map(({ data }) => data)).toEqual(['ltp', 'quote']);
  subscriber.unsubscribe('A', { mode: 'ltp' });
  await expect.poll(() => pool.snapshot().feed.symbols).toBe(1);
});

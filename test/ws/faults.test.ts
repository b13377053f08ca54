import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { NO_FAULTS } from '../../src/lab/feed-server/feed.js';
import { type FeedServerOptions, startFeedServer } from '../../src/lab/feed-server/feed-server.js';
import type { FeedError } from '../../src/ws/errors.js';
import type { FeedEventName, FeedEvents } from '../../src/ws/events.js';
import { jsonFeed } from '../../src/ws/json-feed.js';
import type { SubscriptionPoolOptions } from '../../src/ws/options.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { certificate, key } from './certificate.js';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

/** Waits are short here: what is tested is what happens, not when. */
function poolFor(url: string, options: Partial<SubscriptionPoolOptions> = {}): SubscriptionPool {
  const pool = new SubscriptionPool({
    url,
    backoff: { baseMs: 20, capMs: 50 },
    dials: { perSecond: 1000, perMinute: 1000 },
    lingerMs: 5,
    ...options,
  });
  open.push(pool);
  return pool;
}

async function server(options: FeedServerOptions = {}) {
  const started = await startFeedServer(options);
  open.push(started);
  return started;
}

/** A peer on TCP that does with its clients what it is told. */
async function tcpPeer(serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const peer = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(peer, 'listening');
  open.push({
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void peer.close(resolve));
    },
  });
  return (peer.address() as AddressInfo).port;
}

/** A peer that takes every connection for a WebSocket, and then does with it what it is told. */
function webSocketPeer(serve: (socket: Socket) => void): Promise<number> {
  return tcpPeer((socket) => {
    socket.once('data', (data) => {
      const [, asked = ''] = /Sec-WebSocket-Key: (\S+)/i.exec(data.toString()) ?? [];
      const accept = createHash('sha1')
        .update(`${asked}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      serve(socket);
    });
  });
}

function heard<E extends FeedEventName>(pool: SubscriptionPool, event: E): Promise<FeedEvents[E]> {
  return new Promise((resolve) => {
    const stop = pool.on(event, (payload) => {
      stop();
      resolve(payload);
    });
  });
}

/** How the first dial fails. */
async function dialError(url: string, options: Partial<SubscriptionPoolOptions> = {}): Promise<FeedError> {
  const pool = poolFor(url, options);
  const failed = heard(pool, 'connectFailed');
  pool
    .subscriber()
    .subscribe('A', { timeoutMs: null })
    .catch(() => {});
  return (await failed).error;
}

describe('a dial says what is wrong', () => {
  it.each([
    ['credentials (401)', 401, 'ERR_FEED_AUTH', 'refuses the credentials (HTTP 401)'],
    ['credentials (403)', 403, 'ERR_FEED_AUTH', 'refuses the credentials (HTTP 403)'],
    ['too many dials (429)', 429, 'ERR_FEED_CONNECT', 'takes no connection now (HTTP 429)'],
    ['an overload (503)', 503, 'ERR_FEED_CONNECT', 'takes no connection now (HTTP 503)'],
    ['a wrong path (404)', 404, 'ERR_FEED_NOT_WEBSOCKET', 'answers with HTTP 404'],
    ['a redirect (302)', 302, 'ERR_FEED_NOT_WEBSOCKET', 'answers with HTTP 302'],
  ])('where the server refuses for %s', async (_why, status, code, message) => {
    const { feed, url } = await server();
    feed.faults = { ...NO_FAULTS, refuseOpening: { status, retryAfter: null } };
    expect(await dialError(url)).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it.each([
    [
      'speaks another protocol',
      (socket: Socket) => void socket.write('SSH-2.0-OpenSSH_9.2\r\n'),
      'ERR_FEED_NOT_WEBSOCKET',
    ],
    [
      'is a web server without WebSocket',
      (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'),
      'ERR_FEED_NOT_WEBSOCKET',
    ],
    [
      'upgrades with a wrong key',
      (socket: Socket) =>
        void socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n',
        ),
      'ERR_FEED_NOT_WEBSOCKET',
    ],
    [
      'hangs up',
      (socket: Socket) => void socket.once('data', () => socket.resetAndDestroy()),
      'ERR_FEED_CONNECT',
    ],
    ['says nothing', () => {}, 'ERR_FEED_CONNECT'],
  ])('where the peer %s', async (_what, serve, code) => {
    const port = await tcpPeer(serve);
    const error = await dialError(`ws://127.0.0.1:${port}`, { connectTimeoutMs: 300 });
    expect(error).toMatchObject({ code, message: expect.stringContaining(`127.0.0.1:${port}`) });
  });

  it('where nobody listens', async () => {
    const { url, close } = await server();
    await close();
    expect(await dialError(url)).toMatchObject({ code: 'ERR_FEED_CONNECT', cause: { code: 'ECONNREFUSED' } });
  });

  it('where the certificate is of an issuer that is not trusted', async () => {
    const { url } = await server({ tls: { key, cert: certificate } });
    expect(await dialError(url)).toMatchObject({
      code: 'ERR_FEED_TLS',
      hint: expect.stringContaining('tls.ca'),
    });
  });

  it('where the certificate is for another name', async () => {
    const { url } = await server({ tls: { key, cert: certificate } });
    expect(await dialError(url, { tls: { ca: certificate, serverName: 'other.test' } })).toMatchObject({
      code: 'ERR_FEED_TLS',
    });
  });

  it('where the server does not speak TLS', async () => {
    const { url } = await server();
    expect(await dialError(url.replace('ws:', 'wss:'))).toMatchObject({ code: 'ERR_FEED_TLS' });
  });

  it('and nothing of the URL but its origin', async () => {
    const { url, close } = await server();
    await close();
    const { message } = await dialError(`${url.replace('ws://', 'ws://user:hunter2@')}?token=hunter3`);
    expect(message).not.toMatch(/hunter/);
  });
});

it('subscribes over TLS where the certificate is trusted', async () => {
  const { url, feed } = await server({ tls: { key, cert: certificate } });
  await poolFor(url, { tls: { ca: certificate } })
    .subscriber()
    .subscribe('A');
  expect(feed.facts().connections).toMatchObject([{ symbols: ['A'] }]);
});

it('stops dialling where the credentials are refused, and the server counts one opening', async () => {
  const { url, feed } = await server();
  feed.faults = { ...NO_FAULTS, refuseOpening: { status: 401, retryAfter: null } };
  const pool = poolFor(url);
  await expect(pool.subscriber().subscribe('A')).rejects.toMatchObject({ code: 'ERR_FEED_AUTH' });
  expect(feed.facts().refusedOpenings).toBe(1);
  expect(pool.snapshot().feed.connections).toMatchObject([{ state: 'failed' }]);
});

it('ends a half-open connection by itself, without waiting for a goodbye', async () => {
  const { url, feed } = await server();
  const pool = poolFor(url, { pingIntervalMs: 100, pongTimeoutMs: 100 });
  await pool.subscriber().subscribe(['A', 'B']);
  const lost = heard(pool, 'lost');
  const gap = heard(pool, 'gap');
  feed.freeze();
  expect(await lost).toMatchObject({ cause: 'no-pong', symbols: 2 });
  expect(await gap).toMatchObject({ cause: 'no-pong', symbols: [{ symbol: 'A' }, { symbol: 'B' }] });
  expect(feed.facts().connections).toMatchObject([{ symbols: ['A', 'B'] }]);
});

it('ends a connection whose message is too large, and goes on with another', async () => {
  const { url, feed } = await server();
  const pool = poolFor(url, { maxMessageBytes: 10_000 });
  await pool.subscriber().subscribe('A');
  const lost = heard(pool, 'lost');
  const gap = heard(pool, 'gap');
  feed.sendLarge(10_001);
  expect(await lost).toMatchObject({
    error: { code: 'ERR_FEED_FRAME', message: expect.stringContaining('larger') },
  });
  await gap;
  feed.sendLarge(9000);
  feed.publish(1);
  expect(feed.facts().connections).toMatchObject([{ symbols: ['A'] }]);
});

it('ends a connection that sends what is no WebSocket frame', async () => {
  let sockets = 0;
  const port = await webSocketPeer((socket) => {
    if (sockets++ === 0) socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  });
  const pool = poolFor(`ws://127.0.0.1:${port}`, { protocol: jsonFeed({ confirms: false }) });
  const lost = heard(pool, 'lost');
  await pool.subscriber().subscribe('A');
  expect(await lost).toMatchObject({
    error: { code: 'ERR_FEED_FRAME', message: expect.stringContaining('no WebSocket frame') },
  });
});

it.each<[string, (socket: Socket) => void, RegExp]>([
  [
    'a code',
    (socket) => socket.write(Buffer.from([0x88, 2, 0x03, 0xe9])),
    /closed the connection with code 1001$/,
  ],
  [
    'a code and a reason',
    (socket) => socket.write(Buffer.from([0x88, 5, 0x03, 0xe9, ...Buffer.from('bye')])),
    /closed the connection with code 1001: bye$/,
  ],
  ['no word', (socket) => socket.end(), /broke the connection off$/],
  ['a reset', (socket) => socket.resetAndDestroy(), /broke( the connection off)?$/],
])('says how an open connection was ended: with %s', async (_, end, message) => {
  const sockets: Socket[] = [];
  const port = await webSocketPeer((socket) => void sockets.push(socket));
  const pool = poolFor(`ws://127.0.0.1:${port}`, { protocol: jsonFeed({ confirms: false }) });
  const lost = heard(pool, 'lost');
  await pool.subscriber().subscribe('A');
  for (const socket of sockets) end(socket);
  const { cause, error } = await lost;
  expect([cause, error.code]).toEqual(['closed', 'ERR_FEED_LOST']);
  expect(error.message).toMatch(message);
});

it('passes over messages that it cannot understand', async () => {
  const port = await server();
  const pool = poolFor(port.url, {
    protocol: {
      ...jsonFeed(),
      parse: (text) => {
        if (text.startsWith('"')) throw new SyntaxError('not ours');
        return jsonFeed().parse(text);
      },
    },
  });
  const subscriber = pool.subscriber();
  await subscriber.subscribe('A');
  const odd = heard(pool, 'notUnderstood');
  port.feed.sendLarge(100);
  expect(await odd).toMatchObject({ error: { message: 'not ours' } });
  port.feed.publish(1);
  expect(await subscriber.next()).toMatchObject({ symbol: 'A' });
});

it('subscribes once what many ask for at once, as the server counts', async () => {
  const { url, feed } = await server();
  const pool = poolFor(url);
  const subscribers = Array.from({ length: 20 }, () => pool.subscriber());
  await Promise.all(subscribers.flatMap((each) => [each.subscribe(['A', 'B']), each.subscribe('A')]));
  expect(feed.facts()).toMatchObject({ subscribes: 2, repeated: 0, opened: 1 });
});

it('does not subscribe twice on a connection where the reply is late and that does harm', async () => {
  const { url, feed } = await server();
  const pool = poolFor(url, { requestTimeoutMs: 100, protocol: jsonFeed({ repeatable: false }) });
  feed.faults = { ...NO_FAULTS, deaf: true };
  const lost = heard(pool, 'lost');
  const subscribed = pool.subscriber().subscribe(['A', 'B']);
  expect(await lost).toMatchObject({ cause: 'unresponsive' });
  feed.faults = NO_FAULTS;
  await subscribed;
  expect(feed.facts().repeated).toBe(0);
  expect(feed.facts().connections).toMatchObject([{ symbols: ['A', 'B'] }]);
});

it('keeps 3,000 symbols through random drops, subscribes and unsubscribes on real sockets', async () => {
  const { url, feed } = await server({ maxSymbols: 1e9, ticksPerSecond: 5000 });
  const pool = poolFor(url, { protocol: jsonFeed({ messagesPerSecond: 1000 }) });
  const subscribers = Array.from({ length: 3 }, () => pool.subscriber());
  let state = 42;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const someSymbols = () => {
    const from = random(2900);
    return Array.from({ length: 1 + random(100) }, (_, at) => `S${from + at}`);
  };
  await subscribers[0]!.subscribe(Array.from({ length: 3000 }, (_, at) => `S${at}`));
  const pending: Promise<unknown>[] = [];
  for (let step = 0; step < 150; step++) {
    const subscriber = subscribers[random(3)]!;
    const dice = random(10);
    if (dice < 4) pending.push(subscriber.subscribe(someSymbols(), { atomic: false }));
    else if (dice < 8) subscriber.unsubscribe(someSymbols());
    else if (dice === 8) feed.drop(1 + random(3));
    // A turn of the event loop, so that sockets get their share.
    else await new Promise((resolve) => void setImmediate(resolve));
  }
  await Promise.all(pending);
  const wanted = [...new Set(subscribers.flatMap(({ symbols }) => [...symbols]))].sort();
  const onServer = () =>
    feed
      .facts()
      .connections.flatMap(({ symbols }) => symbols)
      .sort();
  await expect.poll(() => onServer().join() === wanted.join(), { timeout: 15_000 }).toBe(true);
  expect(feed.facts()).toMatchObject({ onTwo: [] });
  expect(feed.facts().peakSymbols).toBeLessThanOrEqual(1000);
});

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpPool } from '../../src/http/index.js';
import { Origin, Waiter } from '../../src/http/origin.js';
import { eventually } from '../helpers/eventually.js';
import { certificate, errorOf, Opened, onRequestText, textOf } from './peers.js';

const opened = new Opened();
afterEach(() => opened.close());

const tls = { ca: certificate };
const POST = { method: 'POST', body: 'buy' } as const;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const TIMED_OUT = 'HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n';

/** Nothing went wrong that anybody would have to hear of. */
function expectUneventful(pool: HttpPool): void {
  const { failed, retries, retriesDenied, circuitOpened } = pool.snapshot().http;
  expect({ failed, retriesDenied, circuitOpened }).toEqual({ failed: 0, retriesDenied: 0, circuitOpened: 0 });
  expect(retries).toEqual({ connect: 0, stale: 0, lost: 0, timeout: 0, status: 0 });
}

describe('a server of HTTP/2', () => {
  it.each([1, 8, 10, 50, 128])(
    'that takes %i streams refuses none of 300 requests at once',
    async (limit) => {
      let refused = 0;
      const server = await opened.h2(
        (stream) => {
          stream.on('close', () => {
            if (stream.rstCode === 7) refused++;
          });
          stream.resume().on('end', () => setImmediate(() => stream.destroyed || stream.end('ok')));
        },
        { maxConcurrentStreams: limit },
      );
      const pool = opened.pool({ tls, timeouts: { poolMs: null } });
      const answers = await Promise.all(
        Array.from({ length: 300 }, (_, at) =>
          textOf(pool.request(`${server.url}/${at}`, at % 2 ? POST : {})),
        ),
      );
      expect(new Set(answers)).toEqual(new Set(['ok']));
      expect([...server.seen.values()].every((times) => times === 1)).toBe(true);
      expect(refused).toBe(0);
      expectUneventful(pool);
    },
  );

  it('that lowers its limit in the middle, and raises it again, is followed', async () => {
    const server = await opened.h2((stream) => {
      stream.resume().on('end', () => setImmediate(() => stream.destroyed || stream.end('ok')));
    });
    const pool = opened.pool({ tls, maxConnections: 1, timeouts: { poolMs: null } });
    await textOf(pool.request(`${server.url}/first`));
    const [session] = server.sessions;
    if (session === undefined) throw new Error('there is no session');
    for (const maxConcurrentStreams of [1, 40, 2]) {
      session.settings({ maxConcurrentStreams });
      await once(session, 'localSettings');
      server.peakStreams = 0;
      await Promise.all(Array.from({ length: 60 }, () => textOf(pool.request(`${server.url}/`, POST))));
      expect(server.peakStreams).toBe(maxConcurrentStreams);
    }
    expect([server.seen.get('POST /'), server.opened]).toEqual([180, 1]);
    expectUneventful(pool);
  });

  it('that refuses more than it says is not held to it: POSTs are sent again, free of charge', async () => {
    const done = new Set<string>();
    const server = await opened.h2((stream, path, peer) => {
      if (peer.streams > 3) return stream.close(7);
      done.add(path);
      return stream.resume().on('end', () => setImmediate(() => stream.destroyed || stream.end('ok')));
    });
    const pool = opened.pool({ tls, maxConnections: 1, timeouts: { poolMs: null } });
    await textOf(pool.request(`${server.url}/first`));
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) => textOf(pool.request(`${server.url}/${at}`, POST))),
    );
    expect([new Set(answers), done.size]).toEqual([new Set(['ok']), 51]);
    expectUneventful(pool);
  });

  it('that refuses everything has too much to do: back-off, then the error, and the circuit counts it', async () => {
    const server = await opened.h2((stream) => stream.close(7));
    const pool = opened.pool({ tls, retry: { total: 2 }, breaker: { minCalls: 3 } });
    expect((await errorOf(pool.request(`${server.url}/`, POST))).code).toBe('ERR_HTTP_LOST');
    const { http } = pool.snapshot();
    expect([server.seen.get('POST /'), http.retries.lost, http.circuitOpened]).toEqual([3, 2, 1]);
  });

  it('that closes each connection after a few requests makes no errors', async () => {
    const left = new WeakMap<object, number>();
    const server = await opened.h2((stream) => {
      const { session } = stream;
      if (session === undefined) return;
      const rest = (left.get(session) ?? 7) - 1;
      left.set(session, rest);
      // What comes after that it does not look at.
      if (rest < 0) return;
      if (rest === 0) session.goaway(0, stream.id ?? 0);
      stream.resume().on('end', () => stream.destroyed || stream.end('ok'));
    });
    const pool = opened.pool({ tls, timeouts: { poolMs: null } });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, at) => textOf(pool.request(`${server.url}/${at}`, at % 2 ? POST : {}))),
    );
    expect(new Set(answers)).toEqual(new Set(['ok']));
    expectUneventful(pool);
  });

  it('that is silent gets no other request: they have another session at once', async () => {
    const server = await opened.h2((stream) => stream.end('ok'));
    const pairs: [Socket, Socket][] = [];
    const wire = await opened.tcp((client) => {
      const upstream = connect(server.port, '127.0.0.1').on('error', () => {});
      client.pipe(upstream).pipe(client);
      pairs.push([client, upstream]);
    });
    const url = wire.url.replace('http:', 'https:');
    const pool = opened.pool({ tls, timeouts: { readMs: 300 }, retry: { total: 1 } });
    await textOf(pool.request(url));
    for (const end of pairs[0] ?? []) end.unpipe().pause();
    expect(await Promise.all([1, 2, 3].map(() => textOf(pool.request(url))))).toEqual(['ok', 'ok', 'ok']);
    expect([wire.opened, pool.snapshot().http.retries.timeout]).toEqual([2, 3]);
  });

  it('that refuses a body that can be read once does not get the rest of it', async () => {
    const server = await opened.h2((stream, path) => {
      if (path === '/held') stream.respond({ ':status': 200 });
      else stream.on('data', () => stream.close(7));
    });
    const pool = opened.pool({ tls, maxConnections: 1 });
    const held = await pool.request(`${server.url}/held`);
    const body = (async function* () {
      yield Buffer.from('one');
      yield Buffer.from('two');
    })();
    const error = await errorOf(textOf(pool.request(`${server.url}/refused`, { method: 'PUT', body })));
    expect([error.code, server.seen.get('PUT /refused')]).toEqual(['ERR_HTTP_LOST', 1]);
    held.body.destroy();
  });
});

describe('a server of HTTP/2 that answers before it has read the body', () => {
  async function* pieces(count: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < count; at++) yield Buffer.alloc(50_000);
  }

  it('is heard, and asked again over the same connection', async () => {
    const server = await opened.h2((stream, path) => {
      stream.respond({ ':status': path === '/early' ? 413 : 200 });
      stream.end('said');
      if (path !== '/early') stream.resume();
    });
    const pool = opened.pool({ tls });
    for (let at = 0; at < 4; at++) {
      const response = await pool.request(`${server.url}/early`, { method: 'POST', body: pieces(60) });
      expect([response.statusCode, await textOf(response)]).toEqual([413, 'said']);
      expect(await textOf(pool.request(`${server.url}/`, { method: 'POST', body: pieces(2) }))).toBe('said');
    }
    expect(server.opened).toBe(1);
    expectUneventful(pool);
  });

  it('does not hide that the body has failed', async () => {
    const server = await opened.h2((stream) => {
      stream.resume().on('end', () => {
        // A stream that the client has reset ends too.
        if (stream.destroyed) return;
        stream.respond({ ':status': 200 });
        stream.end('ok');
      });
    });
    const pool = opened.pool({ tls });
    const closed = [true, false].map((objectMode) => {
      const stream = Readable.from(pieces(3), { objectMode });
      stream.once('data', () => stream.destroy());
      return stream;
    });
    const failing = async function* () {
      yield Buffer.from('a');
      throw new Error('the file is gone');
    };
    const plain = await opened.http((_request, response) => response.end('ok'));
    for (const body of [...closed, failing()]) {
      const error = await errorOf(pool.request(`${server.url}/`, { method: 'POST', body }));
      expect(error.code).toBe('ERR_HTTP_SOURCE');
      expect(await textOf(pool.request(`${server.url}/`))).toBe('ok');
    }
    for (const body of closed)
      expect((await errorOf(pool.request(plain.url, { method: 'POST', body }))).code).toBe('ERR_HTTP_SOURCE');
    expect(plain.seen.size).toBe(0);
  });
});

describe('a server of HTTP/1.1 that says nothing of closing', () => {
  it.each([0, 2, 20])(
    'and closes %i ms after an answer loses no POST once that is known',
    async (afterMs) => {
      const server = await opened.tcp((socket, peer) => {
        onRequestText(socket, (text) => {
          const path = text.split(' ', 2)[1] ?? '';
          peer.seen.set(path, (peer.seen.get(path) ?? 0) + 1);
          socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
          if (afterMs === 0) socket.end();
          else setTimeout(() => socket.end(), afterMs);
        });
      });
      const pool = opened.pool({ timeouts: { poolMs: null } });
      const news: unknown[] = [];
      let at = 0;
      let knownAt = 0;
      pool.on('closesIdle', (each) => {
        news.push(each);
        knownAt = at;
      });
      const lost: number[] = [];
      for (; at < 300; at++) {
        const sent = pool.request(`${server.url}/${at}`, POST);
        await textOf(sent).catch(() => lost.push(at));
      }
      expect(lost.filter((each) => each > knownAt)).toEqual([]);
      expect(lost.length).toBeLessThan(5);
      expect([...server.seen.values()].every((times) => times === 1)).toBe(true);
      expect(server.seen.size).toBe(300);
      expect(news).toEqual([{ origin: server.url, afterMs: expect.any(Number) }]);
      expect(pool.snapshot().http.origins[0]?.closesIdleAfterMs).toBeLessThan(1000);
    },
  );

  it('is asked again over kept connections for what may be sent twice', async () => {
    const server = await opened.http((request, response) =>
      request.resume().on('end', () => response.end('ok')),
    );
    const pool = opened.pool({ maxConnections: 1 });
    await textOf(pool.request(`${server.url}/`));
    const [socket] = server.sockets;
    socket?.destroy();
    await eventually(() => pool.snapshot().live === 0);
    // It is known now. A POST has a connection of its own, though there is place for one only; a GET has any.
    for (let at = 0; at < 3; at++) await textOf(pool.request(`${server.url}/`, POST));
    expect(server.opened).toBe(4);
    await textOf(pool.request(`${server.url}/`));
    expect(server.opened).toBe(4);
  });

  it('and keeps its connections is asked over one, POST after POST', async () => {
    const server = await opened.http((request, response) =>
      request.resume().on('end', () => response.end('ok')),
    );
    const pool = opened.pool();
    for (let at = 0; at < 50; at++) expect(await textOf(pool.request(`${server.url}/`, POST))).toBe('ok');
    expect(server.opened).toBe(1);
    expect(pool.snapshot().http.origins[0]?.closesIdleAfterMs).toBe(null);
  });
});

describe('a connection that the server has given up', () => {
  /** Two requests at once. The connection for the second opens only when the first has carried both. */
  async function withSpare(serve: (socket: Socket, text: string, connection: number) => void) {
    let connections = 0;
    const held: (() => void)[] = [];
    const server = await opened.tcp((socket) => {
      const connection = ++connections;
      onRequestText(socket, (text) => {
        if (text.startsWith('GET /held')) held.push(() => socket.write(OK));
        else serve(socket, text, connection);
      });
    });
    let connect = (): void => {};
    const pool = opened.pool({
      timeouts: { poolMs: null },
      lookup: (_host, options, found) => {
        const give = () => {
          if (options.all) found(null, [{ address: '127.0.0.1', family: 4 }]);
          else found(null, '127.0.0.1', 4);
        };
        if (connections === 0) give();
        else connect = give;
      },
    });
    const url = `http://quotes.test:${server.port}`;
    const first = textOf(pool.request(`${url}/held`));
    await eventually(() => held.length === 1);
    const second = textOf(pool.request(`${url}/held`));
    held[0]?.();
    await first;
    await eventually(() => held.length === 2);
    held[1]?.();
    await second;
    connect();
    await eventually(() => pool.snapshot().idle === 2);
    return { pool, url };
  }

  it('before it was used is one that was idle: what may be sent twice goes elsewhere at once', async () => {
    const { pool, url } = await withSpare((socket, _text, connection) => {
      if (connection === 2) socket.destroy();
      else socket.write(OK);
    });
    expect(await textOf(pool.request(`${url}/`))).toBe('ok');
    expect(pool.snapshot().http.retries).toMatchObject({ stale: 1, lost: 0 });
  });

  it('with the status 408 has not read the request, which is sent again, a POST too', async () => {
    const { pool, url } = await withSpare((socket, _text, connection) => {
      if (connection === 2) socket.end(TIMED_OUT);
      else socket.write(OK);
    });
    expect(await textOf(pool.request(`${url}/`, POST))).toBe('ok');
    expect(pool.snapshot().http).toMatchObject({ sent: 4, retries: { status: 1 } });
  });

  it('with the status 408 on a new connection has read a part of it: a POST is not sent again', async () => {
    const server = await opened.tcp((socket) => onRequestText(socket, () => socket.end(TIMED_OUT)));
    const response = await opened.pool().request(`${server.url}/`, POST);
    await response.body.dump();
    expect(response.statusCode).toBe(408);
    expect(server.opened).toBe(1);
  });
});

describe('those who wait', () => {
  it('and leave leave no connection being opened behind', async () => {
    const mute = await opened.tcp((socket) => void socket.resume());
    const server = await opened.http((_request, response) => response.end('ok'));
    const pool = opened.pool({ maxConnections: 4, timeouts: { connectMs: 60_000, poolMs: 60_000 } });
    const abort = new AbortController();
    const url = mute.url.replace('http:', 'https:');
    const given = Array.from({ length: 10 }, () => errorOf(pool.request(url, { signal: abort.signal })));
    await eventually(() => mute.sockets.size > 0);
    const other = textOf(pool.request(`${server.url}/`));
    abort.abort();
    await Promise.all(given);
    expect(await other).toBe('ok');
    await eventually(() => mute.sockets.size === 0);
    expect(pool.snapshot()).toMatchObject({ creating: 0, waiting: 0, http: { aborted: 10, failed: 0 } });
  });

  it('too long to be answered in time are not sent', async () => {
    const server = await opened.http((_request, response) => void setTimeout(() => response.end('ok'), 150));
    const pool = opened.pool({ maxConnections: 1, timeouts: { poolMs: null } });
    await textOf(pool.request(`${server.url}/long`));
    const long = textOf(pool.request(`${server.url}/long`));
    const late = errorOf(pool.request(`${server.url}/late`, { timeouts: { totalMs: 250 } }));
    const patient = textOf(pool.request(`${server.url}/patient`));
    expect(await late).toMatchObject({ code: 'ERR_HTTP_TIMEOUT', phase: 'total', limitMs: 250 });
    expect([await long, await patient, server.seen.get('GET /late')]).toEqual(['ok', 'ok', undefined]);
  });

  it('are hopeless when two mean answers do not fit in what is left, and less than half of their time is', () => {
    const origin = new Origin(new URL('http://127.0.0.1'), null, null);
    const waiter = new Waiter(
      1000,
      null,
      origin,
      { once: false, deadlineAt: 2000, again: false },
      {} as never,
    );
    expect(waiter.isHopeless(1999)).toBe(false);
    origin.served(100);
    expect([1500, 1800, 1801, 1999].map((now) => waiter.isHopeless(now))).toEqual([false, false, true, true]);
    origin.served(100 + 16 * 400);
    expect([1400, 1500, 1501].map((now) => waiter.isHopeless(now))).toEqual([false, false, true]);
    const free = new Waiter(
      1000,
      null,
      origin,
      { once: false, deadlineAt: Infinity, again: false },
      {} as never,
    );
    expect(free.isHopeless(1e9)).toBe(false);
  });
});

describe('an origin', () => {
  it('that hangs leaves a place to the others, in the handshake and after it', async () => {
    const mute = await opened.tcp((socket) => void socket.resume());
    const server = await opened.http((request, response) => {
      if (request.headers.host?.startsWith('localhost')) return;
      response.end('ok');
    });
    const pool = opened.pool({
      maxConnections: 4,
      timeouts: { connectMs: 60_000, poolMs: 60_000 },
      http2: 'off',
    });
    const abort = new AbortController();
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    const hang = (url: string) => errorOf(pool.request(url, { signal: abort.signal }));
    const dials = Array.from({ length: 10 }, () => hang(mute.url.replace('http:', 'https:')));
    await eventually(() => mute.sockets.size === 4);
    expect(await textOf(pool.request(`${server.url}/`))).toBe('ok');
    const silent = Array.from({ length: 10 }, () => hang(server.url.replace('127.0.0.1', 'localhost')));
    expect(await textOf(pool.request(`${server.url}/`))).toBe('ok');
    abort.abort();
    await Promise.all([...dials, ...silent]);
    process.off('warning', warned);
    expect(warnings).toEqual([]);
  });

  it('that says 429 and for how long is left alone by all, without a rate limit of ours', async () => {
    let at = 0;
    const server = await opened.http((_request, response, peer) => {
      const first = peer.seen.get('GET /') === 1;
      if (first) at = performance.now();
      response.writeHead(first ? 429 : 200, { 'retry-after': '1' }).end(String(performance.now() - at));
    });
    const pool = opened.pool({ retry: false });
    expect((await pool.request(`${server.url}/`)).statusCode).toBe(429);
    const ages = await Promise.all([1, 2, 3].map(() => textOf(pool.request(`${server.url}/`))));
    for (const age of ages) expect(Number(age)).toBeGreaterThanOrEqual(990);
  });

  it.each([421, 425])(
    'that answers %i has done nothing: a POST is sent again, but once a 408',
    async (status) => {
      const server = await opened.http((request, response, peer) => {
        const times = peer.seen.get(`POST ${request.url}`) ?? 0;
        const answer = request.url === '/late' ? 408 : status;
        request.resume().on('end', () => response.writeHead(times === 1 ? answer : 200).end('ok'));
      });
      const pool = opened.pool();
      expect((await pool.request(`${server.url}/`, POST)).statusCode).toBe(200);
      expect((await pool.request(`${server.url}/late`, POST)).statusCode).toBe(408);
    },
  );
});

describe('a mistake of the caller', () => {
  it('in a body is an error of his, and nothing to the server', async () => {
    const server = await opened.http((request, response) =>
      request.resume().on('end', () => response.end('ok')),
    );
    const multi = await opened.h2((stream) => stream.resume().on('end', () => stream.end('ok')));
    const pool = opened.pool({ tls, breaker: { minCalls: 1 } });
    for (const { url } of [server, multi]) {
      for (const body of [7, true, { a: 1 }, Symbol('a'), () => 'a'])
        expect(await errorOf(pool.request(url, { method: 'PUT', body: body as never }))).toMatchObject({
          code: 'ERR_HTTP_OPTION',
          kind: 'usage',
        });
      const numbers = async function* () {
        yield 7;
      };
      for (const body of [numbers(), [7], new ReadableStream({ start: (out) => out.enqueue(7) })])
        expect((await errorOf(pool.request(url, { method: 'PUT', body: body as never }))).code).toBe(
          'ERR_HTTP_SOURCE',
        );
    }
    const { http } = pool.snapshot();
    expect(http).toMatchObject({ circuitOpened: 0, retries: { lost: 0, stale: 0 } });
  });

  it('is none where a form is given as one', async () => {
    const server = await opened.http((request, response) => {
      response.setHeader('x-type', request.headers['content-type'] ?? '');
      request.pipe(response);
    });
    const pool = opened.pool();
    const response = await pool.request(server.url, {
      method: 'POST',
      body: new URLSearchParams({ a: 'b c' }),
    });
    expect(await textOf(response)).toBe('a=b+c');
    expect(response.headers['x-type']).toBe('application/x-www-form-urlencoded;charset=UTF-8');
  });
});

describe('what ends a connection', () => {
  it('is told as what it was: the caller, a time-out, or the server', async () => {
    const server = await opened.http((request, response) => {
      if (request.url === '/ok') response.end('ok');
    });
    const pool = opened.pool({ retry: false });
    const abort = new AbortController();
    const given = errorOf(pool.request(`${server.url}/`, { signal: abort.signal }));
    await eventually(() => server.seen.size === 1);
    abort.abort();
    expect((await given).name).toBe('AbortError');
    await errorOf(pool.request(`${server.url}/`, { timeouts: { readMs: 100 } }));
    await errorOf(pool.request(`${server.url}/`, { timeouts: { totalMs: 100 } }));
    await textOf(pool.request(`${server.url}/ok`));
    for (const socket of server.sockets) socket.destroy();
    await eventually(() => pool.snapshot().live === 0);
    expect(pool.snapshot().http.closed).toMatchObject({ aborted: 1, timeout: 2, server: 1, error: 0 });
  });
});

describe('fetch', () => {
  it('has the name and the length of the global one', async () => {
    const { fetch: own } = opened.pool();
    expect([own.name, own.length]).toEqual([fetch.name, fetch.length]);
  });

  it('takes a content-length of the caller, through a redirect too, and refuses a wrong one', async () => {
    const server = await opened.http((request, response) => {
      request.resume();
      if (request.url === '/old') response.writeHead(307, { location: '/new' }).end();
      else response.end(request.headers['content-length']);
    });
    const pool = opened.pool();
    const post = (length: string): Promise<Response> =>
      pool.fetch(`${server.url}/old`, {
        method: 'POST',
        body: 'a+b+c',
        headers: { 'Content-Length': length },
      });
    expect(await (await post('5')).text()).toBe('5');
    expect((await errorOf(post('6'))).cause).toMatchObject({ code: 'ERR_HTTP_OPTION' });
  });

  it('sends again whatever can be sent again, a Request with a body, a form or a blob', async () => {
    const bodies = new Map<string, string[]>();
    const server = await opened.http((request, response, peer) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const path = request.url ?? '';
        bodies.set(path, [...(bodies.get(path) ?? []), body]);
        response.writeHead((peer.seen.get(`${request.method} ${path}`) ?? 0) > 2 ? 200 : 503).end('done');
      });
    });
    const pool = opened.pool({ breaker: false, retry: { budgetMin: 1000 } });
    const form = new FormData();
    form.set('a', 'b');
    const given: Record<string, unknown> = {
      '/text': 'text',
      '/bytes': Buffer.alloc(300_000, 'x'),
      '/form': form,
      '/blob': new Blob(['blob']),
      '/params': new URLSearchParams({ a: 'b' }),
      '/stream': new Blob(['stream']).stream(),
    };
    for (const [path, body] of Object.entries(given)) {
      const init = { method: 'PUT', body, duplex: 'half' } as RequestInit;
      expect([path, (await pool.fetch(`${server.url}${path}`, init)).status]).toEqual([path, 200]);
      if (path !== '/stream')
        expect([
          path,
          (await pool.fetch(new Request(`${server.url}/r${path.slice(1)}`, init))).status,
        ]).toEqual([path, 200]);
    }
    for (const [path, sent] of bodies) expect([path, sent.length, new Set(sent).size]).toEqual([path, 3, 1]);
    expect(bodies.size).toBe(11);
  });

  it('takes time-outs, retries and an idempotency key of one call, and says when the answer came', async () => {
    const server = await opened.http((request, response, peer) => {
      if (request.url === '/mute') return;
      const busy = request.url !== '/ok' && (peer.seen.get(`${request.method} ${request.url}`) ?? 0) < 3;
      response.writeHead(busy ? 503 : 200).end(String(request.headers['idempotency-key']));
    });
    const pool = opened.pool();
    const error = await errorOf(pool.fetch(`${server.url}/mute`, { timeouts: { readMs: 50 }, retry: false }));
    expect(error.cause).toMatchObject({ code: 'ERR_HTTP_TIMEOUT', limitMs: 50 });
    const kept = await pool.fetch(`${server.url}/a`, { method: 'POST', body: 'buy', idempotencyKey: 'k1' });
    expect([kept.status, await kept.text()]).toEqual([200, 'k1']);
    const headers = { 'Idempotency-Key': 'k2' };
    const own = await pool.fetch(`${server.url}/b`, { method: 'POST', body: 'buy', headers });
    expect([own.status, await own.text()]).toEqual([200, 'k2']);
    const before = performance.now();
    await (await pool.fetch(`${server.url}/ok`)).text();
    const started = () =>
      performance
        .getEntriesByType('resource')
        .filter(({ name }) => name === `${server.url}/ok`)
        .map((entry) => (entry as { readonly responseStart?: number }).responseStart ?? 0);
    await eventually(() => started().length > 0);
    expect(started()[0]).toBeGreaterThanOrEqual(before);
  });
});

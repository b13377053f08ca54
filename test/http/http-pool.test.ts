import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import {
  CircuitOpenError,
  createHttpPool,
  HttpPoolTimeoutError,
  HttpStatusError,
} from '../../src/http/index.js';
import { watch } from '../../src/watch/index.js';
import { eventually } from '../helpers/eventually.js';
import { certificate, count, errorOf, Opened, textOf } from './peers.js';

const opened = new Opened();
afterEach(() => opened.close());

describe('connections', () => {
  it('are at most so many over all origins, each request being served in the end', async () => {
    const serve = () => opened.http((_request, response) => void setTimeout(() => response.end('ok'), 5));
    const [one, other] = await Promise.all([serve(), serve()]);
    const pool = opened.pool({ maxConnections: 4 });
    let most = 0;
    pool.on('open', () => {
      most = Math.max(most, pool.snapshot().live);
    });
    const requests = Array.from({ length: 100 }, (_, at) =>
      textOf(pool.request(`${at % 2 ? one.url : other.url}/${at}`)),
    );
    expect(new Set(await Promise.all(requests))).toEqual(new Set(['ok']));
    expect(most).toBe(4);
    expect(one.seen.size + other.seen.size).toBe(100);
  });

  it('to one origin may be fewer, and an origin that waits gets the place of an idle one of another', async () => {
    const serve = () => opened.http((_request, response) => void setTimeout(() => response.end('ok'), 5));
    const [one, other] = await Promise.all([serve(), serve()]);
    const pool = opened.pool({ maxConnections: 3, maxConnectionsPerOrigin: 2 });
    await Promise.all(Array.from({ length: 10 }, (_, at) => textOf(pool.request(`${one.url}/${at}`))));
    expect(one.peak).toBe(2);
    await Promise.all(Array.from({ length: 10 }, (_, at) => textOf(pool.request(`${other.url}/${at}`))));
    expect(other.peak).toBe(2);
    expect(pool.snapshot().http.closed.evicted).toBe(1);
    expect(pool.snapshot().live).toBe(3);
  });

  it('that are busy for one origin make way for another that has waited longer', async () => {
    const busy = await opened.http((_request, response) => void setTimeout(() => response.end('ok'), 10));
    const other = await opened.http((_request, response) => response.end('other'));
    const pool = opened.pool({ maxConnections: 1, timeouts: { poolMs: 20_000 } });
    let stop = false;
    const load = Array.from({ length: 8 }, async (_, worker) => {
      for (let at = 0; !stop; at++) await textOf(pool.request(`${busy.url}/${worker}-${at}`));
    });
    await eventually(() => pool.snapshot().waiting > 0);
    expect(await textOf(pool.request(`${other.url}/`))).toBe('other');
    stop = true;
    await Promise.all(load);
    expect(pool.snapshot().http.closed.evicted).toBeGreaterThan(0);
  });

  it('are kept up to a number after a burst, and expire exactly although the server would keep them', async () => {
    // Its hint is a minute.
    const server = await opened.http((_request, response) => response.end('ok'), {
      keepAliveTimeout: 60_000,
    });
    const pool = opened.pool({ maxConnections: 20, maxKeepalive: 3, keepaliveExpiryMs: 2500 });
    await Promise.all(Array.from({ length: 60 }, (_, at) => textOf(pool.request(`${server.url}/${at}`))));
    await eventually(() => pool.snapshot().idle === 3);
    await eventually(() => server.sockets.size === 3);
    await eventually(() => pool.snapshot().live === 0 && server.sockets.size === 0);
    const { closed } = pool.snapshot().http;
    expect(closed).toMatchObject({
      maxIdle: (pool.snapshot().counters.created as number) - 3,
      expiry: 3,
      server: 0,
    });
  });

  it('are closed before the server does, by its hint', async () => {
    const server = await opened.http((_request, response) => response.end('ok'), { keepAliveTimeout: 2000 });
    const pool = opened.pool();
    await textOf(pool.request(`${server.url}/`));
    await eventually(() => pool.snapshot().live === 0);
    expect(pool.snapshot().http.closed).toMatchObject({ expiry: 1, server: 0 });
  });

  it('are not used beyond their lifetime', async () => {
    const server = await opened.http((_request, response) => response.end('ok'));
    const pool = opened.pool({ maxLifetimeMs: 0 });
    for (let at = 0; at < 3; at++) await textOf(pool.request(`${server.url}/`));
    await eventually(() => pool.snapshot().live === 0);
    expect([server.opened, pool.snapshot().counters.recycled]).toEqual([3, 3]);
  });

  it('go to those who wait in their order', async () => {
    const server = await opened.http((_request, response) => response.end('ok'));
    const pool = opened.pool({ maxConnections: 1 });
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        textOf(pool.request(`${server.url}/${at}`, { onAcquired: () => order.push(at) })),
      ),
    );
    expect(order).toEqual([...order].sort((one, two) => one - two));
    expect([...server.seen.keys()]).toEqual(order.map((at) => `GET /${at}`));
  });

  it('are held by bodies that nobody reads, which the time-out says', async () => {
    const server = await opened.http((_request, response) => response.end(Buffer.alloc(1_000_000)));
    const pool = opened.pool({ maxConnections: 1, timeouts: { poolMs: 30 } });
    const held = await pool.request(`${server.url}/held?token=abc`);
    const error = await errorOf(pool.request(`${server.url}/`));
    expect(error).toBeInstanceOf(HttpPoolTimeoutError);
    expect(error).toMatchObject({ hint: expect.stringContaining('bodies that are not read') });
    const { holders, inUse, waiting } = pool.snapshot();
    expect(holders).toMatchObject([{ lastSql: 'GET /held', localPort: expect.any(Number) }]);
    expect([inUse, waiting]).toEqual([1, 0]);
    await held.body.dump();
    expect((await pool.request(`${server.url}/`)).statusCode).toBe(200);
  });

  it('are left by a request that is aborted, wherever it stands', async () => {
    const server = await opened.http((request, response) => {
      if (request.url !== '/never') response.end('ok');
    });
    const pool = opened.pool({ maxConnections: 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const sent = errorOf(pool.request(`${server.url}/never`, { signal: first.signal }));
    await eventually(() => server.seen.size === 1);
    const waiting = errorOf(pool.request(`${server.url}/waits`, { signal: second.signal }));
    second.abort(new Error('changed my mind'));
    expect((await waiting).message).toBe('changed my mind');
    first.abort();
    expect((await sent).name).toBe('AbortError');
    const before = errorOf(pool.request(`${server.url}/before`, { signal: AbortSignal.abort() }));
    expect((await before).name).toBe('AbortError');
    expect(await textOf(pool.request(`${server.url}/after`))).toBe('ok');
    expect([...server.seen.keys()]).toEqual(['GET /never', 'GET /after']);
    expect(pool.snapshot().http).toMatchObject({
      aborted: 3,
      failed: 0,
      succeeded: 1,
      requests: 4,
      active: 0,
    });
  });
});

describe('retries', () => {
  it.each([
    ['seconds', () => '1'],
    ['a date', () => new Date(Date.now() + 1500).toUTCString()],
  ])('wait as long as the server says in %s, and hold no connection meanwhile', async (_name, retryAfter) => {
    const server = await opened.http((request, response, peer) => {
      if (request.url === '/busy' && peer.seen.get('GET /busy') === 1)
        response.writeHead(503, { 'retry-after': retryAfter() }).end('later');
      else response.end('ok');
    });
    const pool = opened.pool({ maxConnections: 1 });
    const waits: number[] = [];
    pool.on('retry', ({ waitMs }) => waits.push(waitMs));
    const response = pool.request(`${server.url}/busy`);
    await eventually(() => waits.length === 1);
    expect(await textOf(pool.request(`${server.url}/other`))).toBe('ok');
    expect(await textOf(response)).toBe('ok');
    expect(waits[0]).toBeGreaterThan(0);
    expect([...server.seen.keys()]).toEqual(['GET /busy', 'GET /other']);
  });

  it('fail now if the server says longer than the deadline, and cut what is too long', async () => {
    const server = await opened.http((_request, response) =>
      response.writeHead(503, { 'retry-after': '3600' }).end('later'),
    );
    const pool = opened.pool({ retry: { retryAfterMaxMs: 10 } });
    const now = await pool.request(`${server.url}/`, { timeouts: { totalMs: 5 } }).catch((error) => error);
    expect(now.statusCode === 503 || now.code === 'ERR_HTTP_TIMEOUT').toBe(true);
    const waits: number[] = [];
    pool.on('retry', ({ waitMs }) => waits.push(waitMs));
    const last = await pool.request(`${server.url}/`);
    expect([last.statusCode, await textOf(last), last.timing.attempts]).toEqual([503, 'later', 4]);
    expect(waits).toEqual([10, 10, 10]);
  });

  it.each([408, 421, 425, 429, 500, 502, 503, 504])(
    'are made for %i, and the last response is returned, or thrown',
    async (status) => {
      const server = await opened.http((_request, response) => response.writeHead(status).end('no'));
      const pool = opened.pool();
      const response = await pool.request(`${server.url}/`);
      expect([response.statusCode, await textOf(response), server.seen.get('GET /')]).toEqual([
        status,
        'no',
        4,
      ]);
      const error = await errorOf(
        pool.request(`${server.url}/`, { retry: { raiseOnStatus: true, total: 1 } }),
      );
      expect(error).toBeInstanceOf(HttpStatusError);
      expect(error).toMatchObject({ statusCode: status, attempts: 2 });
      const once = await pool.request(`${server.url}/once`, { retry: false });
      expect([once.statusCode, await textOf(once), server.seen.get('GET /once')]).toEqual([status, 'no', 1]);
    },
  );

  it('are not made for a POST, but with an idempotency key, and never for a stream', async () => {
    const keys: unknown[] = [];
    const server = await opened.http((request, response, peer) => {
      keys.push(request.headers['idempotency-key']);
      request.resume().on('end', () => {
        const times = peer.seen.get(`${request.method} ${request.url}`) ?? 0;
        response.writeHead(times > 1 ? 200 : 503).end();
      });
    });
    const pool = opened.pool();
    const statusOf = async (path: string, options: Parameters<typeof pool.request>[1]) => {
      const { statusCode, body } = await pool.request(`${server.url}${path}`, options);
      await body.dump();
      return [statusCode, server.seen.get(`${options?.method} ${path}`)];
    };
    expect(await statusOf('/a', { method: 'POST', body: 'buy' })).toEqual([503, 1]);
    expect(await statusOf('/b', { method: 'POST', body: 'buy', idempotencyKey: 'k1' })).toEqual([200, 2]);
    expect(await statusOf('/c', { method: 'PUT', body: 'buy' })).toEqual([200, 2]);
    expect(await statusOf('/d', { method: 'PUT', body: Readable.from(['buy']) })).toEqual([503, 1]);
    expect(keys.filter((each) => each === 'k1').length).toBe(2);
  });

  it('have a budget, so that an outage does not multiply the load', async () => {
    const server = await opened.http((_request, response) => response.writeHead(503).end());
    const pool = opened.pool({ breaker: false });
    await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        pool.request(`${server.url}/${at}`).then(({ body }) => body.dump()),
      ),
    );
    const { http } = pool.snapshot();
    const attempts = [...server.seen.values()].reduce((total, each) => total + each, 0);
    expect({ attempts, retries: http.retries.status }).toEqual({ attempts: 110, retries: 10 });
    expect(http.retriesDenied).toBeGreaterThan(0);
  });
});

describe('the circuit of an origin', () => {
  it('opens when it fails, says until when, lets one try, and closes', async () => {
    let healthy = false;
    const server = await opened.http((_request, response) => response.writeHead(healthy ? 200 : 500).end());
    const pool = opened.pool({ retry: false, breaker: { minCalls: 5, openMs: 1500 } });
    const turns: string[] = [];
    pool.on('breaker', ({ from, to }) => turns.push(`${from} to ${to}`));
    const get = async () => {
      const { statusCode, body } = await pool.request(`${server.url}/`);
      await body.dump();
      return statusCode;
    };
    for (let at = 0; at < 5; at++) expect(await get()).toBe(500);
    const before = server.seen.get('GET /');
    const error = await errorOf(get());
    expect(error).toBeInstanceOf(CircuitOpenError);
    expect((error as CircuitOpenError).retryAt).toBeGreaterThan(Date.now() - 20_000);
    expect(server.seen.get('GET /')).toBe(before);
    healthy = true;
    await eventually(async () => (await get().catch(() => 0)) === 200);
    expect(turns).toEqual(['closed to open', 'open to half-open', 'half-open to closed']);
    expect(pool.snapshot().http).toMatchObject({ circuitOpened: 1, circuitClosed: 1 });
  });

  it('does not concern other origins', async () => {
    const bad = await opened.http((_request, response) => response.writeHead(500).end());
    const good = await opened.http((_request, response) => response.end('ok'));
    const pool = opened.pool({ retry: false, breaker: { minCalls: 1 } });
    await textOf(pool.request(`${bad.url}/`));
    expect((await errorOf(pool.request(`${bad.url}/`))).code).toBe('ERR_HTTP_CIRCUIT_OPEN');
    expect(await textOf(pool.request(`${good.url}/`))).toBe('ok');
  });

  it('ends retries at once when it opens', async () => {
    const server = await opened.http((_request, response) => response.writeHead(500).end());
    const pool = opened.pool({ breaker: { minCalls: 2 } });
    const response = await pool.request(`${server.url}/`);
    expect([response.statusCode, server.seen.get('GET /')]).toEqual([500, 2]);
  });
});

describe('the rate limit of an origin', () => {
  it('holds requests back before they take a connection, by origin', async () => {
    const serve = () => opened.http((_request, response) => response.end('ok'));
    const [limited, free] = await Promise.all([serve(), serve()]);
    const pool = opened.pool({
      rateLimit: (origin) => (origin === limited.url ? { perSecond: 1, burst: 2 } : null),
      timeouts: { poolMs: 100 },
    });
    const ask = (url: string) =>
      Array.from({ length: 5 }, () => textOf(pool.request(`${url}/`)).catch((error) => error));
    const results = await Promise.all([...ask(limited.url), ...ask(free.url)]);
    expect(results.filter((each) => each === 'ok').length).toBe(7);
    const error = results.find((each) => each instanceof HttpPoolTimeoutError) as HttpPoolTimeoutError;
    expect(error.facts).toMatchObject({ lacking: 'rate', origin: limited.url });
    expect(limited.seen.get('GET /')).toBe(2);
  });

  it('stands still when the server says 429 and for how long', async () => {
    const server = await opened.http((request, response, peer) => {
      if (request.url === '/' && peer.seen.get('GET /') === 1)
        response.writeHead(429, { 'retry-after': '1' }).end();
      else response.end('ok');
    });
    const pool = opened.pool({ rateLimit: { perSecond: 1000 } });
    const first = pool.request(`${server.url}/`);
    await eventually(() => pool.snapshot().http.retries.status === 1);
    const second = pool.request(`${server.url}/other`);
    expect(server.seen.size).toBe(1);
    expect([await textOf(first), await textOf(second)]).toEqual(['ok', 'ok']);
  });
});

describe('bodies', () => {
  const form = () => {
    const data = new FormData();
    data.set('a', 'b');
    data.set('file', new Blob(['content']), 'name.txt');
    return data;
  };

  it.each([
    ['a string', () => 'ä', '2', 'ä'],
    ['bytes', () => new Uint8Array([97, 98]), '2', 'ab'],
    ['a buffer of them', () => new Uint8Array([97, 98]).buffer, '2', 'ab'],
    ['a blob', () => new Blob(['ab'], { type: 'text/a' }), '2', 'ab'],
    ['a stream', () => Readable.from([Buffer.from('a'), Buffer.from('b')]), undefined, 'ab'],
    ['a form of the platform', form, undefined, 'content'],
  ])('can be %s, over HTTP/1.1 and HTTP/2', async (_name, make, length, text) => {
    const plain = await opened.http((request, response) => {
      expect(request.headers['content-length']).toBe(length);
      request.pipe(response);
    });
    const multi = await opened.h2((stream) => stream.pipe(stream));
    const pool = opened.pool({ http2: 'auto', tls: { ca: certificate } });
    for (const { url } of [plain, multi]) {
      expect(await textOf(pool.request(`${url}/`, { method: 'POST', body: make() }))).toContain(text);
    }
  });

  it('that fail are told as that, wherever the request stands, and are nothing to the server or the process', async () => {
    const server = await opened.http((request, response) =>
      request.resume().on('end', () => response.end('ok')),
    );
    const multi = await opened.h2((stream) => stream.resume().on('end', () => stream.end('ok')));
    const pool = opened.pool({
      maxConnections: 1,
      breaker: { minCalls: 1 },
      http2: 'auto',
      tls: { ca: certificate },
    });
    const failing = (when: 'first' | 'later') =>
      (async function* () {
        if (when === 'later') yield Buffer.from('a');
        throw new Error('planted');
      })();
    for (const { url } of [server, multi]) {
      for (const body of [
        failing('first'),
        failing('later'),
        Readable.from(failing('first')),
        Readable.from(failing('later')),
      ]) {
        const error = await errorOf(pool.request(`${url}/`, { method: 'PUT', body }));
        expect(error).toMatchObject({ code: 'ERR_HTTP_SOURCE', cause: { message: 'planted' } });
      }
    }
    const held = await pool.request(`${server.url}/held`);
    const waits = new Readable({ read() {} });
    const error = errorOf(pool.request(`${server.url}/`, { method: 'POST', body: waits }));
    waits.destroy(new Error('planted'));
    expect((await error).code).toBe('ERR_HTTP_SOURCE');
    held.body.destroy();
    expect(await textOf(pool.request(`${server.url}/after`))).toBe('ok');
    expect(pool.snapshot().http).toMatchObject({ circuitOpened: 0, failed: 9, requests: 11 });
  });

  it('of an answer that come early end the request, and headers can be written in any way', async () => {
    const server = await opened.http((request, response) => {
      if (request.url === '/early') response.writeHead(413).end('too large');
      else response.end(String(request.headers['x-a']));
    });
    const pool = opened.pool();
    const early = await pool.request(`${server.url}/early`, {
      method: 'POST',
      body: Buffer.alloc(5_000_000),
    });
    expect([early.statusCode, await textOf(early)]).toEqual([413, 'too large']);
    const ways = [
      { 'x-a': 'b' },
      ['x-a', 'b'],
      [['x-a', 'b']] as [string, string][],
      new Headers({ 'x-a': 'b' }),
      new Map([['x-a', 'b']]),
    ];
    for (const headers of ways) expect(await textOf(pool.request(`${server.url}/`, { headers }))).toBe('b');
  });
});

describe('fetch', () => {
  it('takes the place of the platform, with its Request and Response, redirects and forms', async () => {
    const server = await opened.http((request, response) => {
      if (request.url === '/old') return response.writeHead(302, { location: '/new' }).end();
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      return request.on('end', () =>
        response
          .setHeader('content-type', 'application/json')
          .end(JSON.stringify({ method: request.method, url: request.url, body })),
      );
    });
    const pool = opened.pool();
    const { fetch } = pool;
    const response = await fetch(`${server.url}/old`);
    expect(response).toBeInstanceOf(Response);
    expect(await response.json()).toEqual({ method: 'GET', url: '/new', body: '' });
    const posted = await fetch(
      new Request(`${server.url}/`, { method: 'POST', body: new URLSearchParams({ a: 'b c' }) }),
    );
    expect(await posted.json()).toEqual({ method: 'POST', url: '/', body: 'a=b+c' });
    expect(pool.snapshot().counters.acquired).toBe(3);
  });

  it('tries again what can be sent again, and says why it failed', async () => {
    const server = await opened.http((request, response, peer) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        if (request.url === '/cut') request.socket.destroy();
        else
          response
            .writeHead((peer.seen.get(`${request.method} ${request.url}`) ?? 0) > 2 ? 200 : 503)
            .end(body);
      });
    });
    const pool = opened.pool();
    expect(await (await pool.fetch(`${server.url}/`, { method: 'PUT', body: 'again' })).text()).toBe('again');
    expect((await pool.fetch(`${server.url}/`, { method: 'POST', body: 'once' })).status).toBe(503);
    expect([server.seen.get('PUT /'), server.seen.get('POST /')]).toEqual([3, 1]);
    const error = await errorOf(pool.fetch(`${server.url}/cut`));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.cause).toMatchObject({ code: 'ERR_HTTP_LOST' });
    const aborted = await errorOf(pool.fetch(`${server.url}/`, { signal: AbortSignal.abort() }));
    expect(aborted.name).toBe('AbortError');
  });
});

describe('HTTP/2', () => {
  const auto = { http2: 'auto', tls: { ca: certificate } } as const;

  it('carries many requests at once on one connection, up to what the server takes', async () => {
    const server = await opened.h2(
      (stream) => {
        stream.resume().on('end', () => setTimeout(() => stream.destroyed || stream.end('ok'), 30));
      },
      { maxConcurrentStreams: 50 },
    );
    const pool = opened.pool({ ...auto, maxConnections: 2 });
    await textOf(pool.request(`${server.url}/first`));
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        textOf(pool.request(`${server.url}/${at}`, at % 2 ? { method: 'POST', body: 'buy' } : {})),
      ),
    );
    expect(new Set(results)).toEqual(new Set(['ok']));
    expect(server.peakStreams).toBeGreaterThanOrEqual(50);
    expect(server.peakStreams).toBeLessThanOrEqual(100);
    expect(server.opened).toBe(2);
    expect(pool.snapshot().http.origins[0]).toMatchObject({ protocol: 'h2', connections: 2 });
  });

  it('opens one connection for all who come at once to a server that nobody knows', async () => {
    const server = await opened.h2((stream) => stream.end('ok'));
    const pool = opened.pool(auto);
    await Promise.all(Array.from({ length: 50 }, (_, at) => textOf(pool.request(`${server.url}/${at}`))));
    expect(server.opened).toBe(1);
    const old = await opened.https((_request, response) => void setTimeout(() => response.end('ok'), 5));
    await Promise.all(Array.from({ length: 50 }, (_, at) => textOf(pool.request(`${old.url}/${at}`))));
    expect(pool.snapshot().http.origins[1]).toMatchObject({ protocol: 'h1' });
    expect(old.opened).toBeGreaterThan(1);
  });

  it('lets streams end when the server says GOAWAY in the middle, and opens another connection for the next', async () => {
    const server = await opened.h2((stream, path) => {
      stream.respond({ ':status': 200 });
      stream.write('first ');
      if (path === '/leave') stream.session?.goaway(0);
      setTimeout(() => stream.destroyed || stream.end('last'), 500);
    });
    const pool = opened.pool(auto);
    const before = Array.from({ length: 5 }, (_, at) => pool.request(`${server.url}/${at}`));
    await Promise.all(before);
    const leaving = await pool.request(`${server.url}/leave`);
    await eventually(() => server.streams === 6);
    const texts = [...before, leaving].map((each) => textOf(each));
    const after = textOf(pool.request(`${server.url}/after`, { method: 'POST', body: 'buy' }));
    expect(await Promise.all(texts)).toEqual(Array(6).fill('first last'));
    expect(await after).toBe('first last');
    expect(pool.snapshot().http).toMatchObject({ failed: 0 });
    expect([...server.seen.values()].every((times) => times === 1)).toBe(true);
  });

  it('sends a POST again that the server has refused, or did not look at when it left; no other', async () => {
    const done: string[] = [];
    const leaving = new Set<unknown>();
    const server = await opened.h2((stream, path, peer) => {
      const times = peer.seen.get(`POST ${path}`) ?? 0;
      if (path === '/refused' && times === 1) return stream.close(7);
      // Of what comes after that it says that it does not look at it.
      if (leaving.has(stream.session)) return;
      if (path === '/last') {
        leaving.add(stream.session);
        stream.session?.goaway(0);
      }
      done.push(path);
      if (path === '/broken') stream.session?.destroy();
      else stream.end('ok');
    });
    const pool = opened.pool(auto);
    const post = (path: string) => pool.request(`${server.url}${path}`, { method: 'POST', body: 'buy' });
    expect(await textOf(post('/refused'))).toBe('ok');
    const both = await Promise.all(['/last', '/next'].map((path) => textOf(post(path))));
    expect(both).toEqual(['ok', 'ok']);
    expect((await errorOf(post('/broken'))).code).toBe('ERR_HTTP_LOST');
    expect(done).toEqual(['/refused', '/last', '/next', '/broken']);
  });

  it('ends one stream that is too slow, and leaves the others alone', async () => {
    const server = await opened.h2((stream, path) => {
      if (path !== '/slow') stream.end('ok');
    });
    const pool = opened.pool({ ...auto, timeouts: { readMs: 600 }, retry: false });
    const slow = errorOf(pool.request(`${server.url}/slow`));
    expect(await textOf(pool.request(`${server.url}/fast`))).toBe('ok');
    expect((await slow).message).toContain('has not answered within 600 ms');
    // The session has to prove that it is alive: what comes meanwhile goes elsewhere, and what comes later does not.
    expect(await textOf(pool.request(`${server.url}/after`))).toBe('ok');
    expect(server.opened).toBe(2);
    await eventually(() => server.streams === 0);
    expect(server.sessions.size).toBe(2);
  });

  it('tells a body that is cut off from one that has ended', async () => {
    const server = await opened.h2((stream, path, peer) => {
      stream.respond({ ':status': 200, ...(path === '/short' ? { 'content-length': 10 } : {}) });
      stream.write('half');
      if (path === '/reset') setTimeout(() => stream.destroy(new Error('planted')), 10);
      else if (path === '/short') setTimeout(() => stream.end(), 10);
      else for (const socket of peer.sockets) setTimeout(() => socket.destroy(), 10);
    });
    const pool = opened.pool(auto);
    for (const path of ['/reset', '/short', '/gone']) {
      const response = await pool.request(`${server.url}${path}`);
      expect((await errorOf(response.body.text())).code).toBe('ERR_HTTP_LOST');
    }
  });

  it('refuses what is no header or method, and says when headers are too large', async () => {
    const server = await opened.h2((stream, path) => {
      stream.respond({ ':status': 200, ...(path === '/huge' ? { 'x-a': 'a'.repeat(40_000) } : {}) });
      stream.end('ok');
    });
    const pool = opened.pool(auto);
    await textOf(pool.request(`${server.url}/first`));
    for (const options of [{ method: 'G ET' }, { headers: { 'a b': 'c' } }, { headers: { a: 'b\r\nc: d' } }])
      expect((await errorOf(pool.request(`${server.url}/`, options))).code).toBe('ERR_HTTP_OPTION');
    expect(server.seen.size).toBe(1);
    expect((await errorOf(pool.request(`${server.url}/huge`))).code).toBe('ERR_HTTP_TOO_LARGE');
    expect(server.seen.get('GET /huge')).toBe(1);
    expect(await textOf(pool.request(`${server.url}/`))).toBe('ok');
  });

  it('carries what fetch sends, with headers in both ways', async () => {
    const server = await opened.h2((stream) => {
      stream.respond({ ':status': 201, 'x-more': 'a', 'set-cookie': ['a=1', 'b=2'] });
      stream.pipe(stream);
    });
    const pool = opened.pool(auto);
    const response = await pool.fetch(`${server.url}/`, {
      method: 'POST',
      body: 'echo',
      headers: { connection: 'close' },
    });
    expect([response.status, response.headers.getSetCookie(), await response.text()]).toEqual([
      201,
      ['a=1', 'b=2'],
      'echo',
    ]);
    const form = new FormData();
    form.set('a', 'b');
    const multi = await pool.request(`${server.url}/`, { method: 'POST', body: form });
    expect(await textOf(multi)).toContain('name="a"');
  });
});

describe('a pool', () => {
  it('is closed by `await using`: requests under way end, those that wait do not begin, and nothing is left', async () => {
    const server = await opened.http((request, response) => {
      if (request.url === '/slow') setTimeout(() => response.end('ok'), 500);
      else response.end('ok');
    });
    const { pool, slow, waits } = await (async () => {
      await using pool = createHttpPool({ maxConnections: 1 });
      const slow = pool.request(`${server.url}/slow`).then(textOf);
      await eventually(() => server.seen.size === 1);
      const waits = errorOf(pool.request(`${server.url}/waits`).then(textOf));
      return { pool, slow, waits };
    })();
    expect(await slow).toBe('ok');
    expect((await waits).code).toBe('ERR_HTTP_CLOSED');
    expect((await errorOf(pool.request(`${server.url}/late`))).code).toBe('ERR_HTTP_CLOSED');
    expect(((await errorOf(pool.fetch(`${server.url}/late`))).cause as { code: string }).code).toBe(
      'ERR_HTTP_CLOSED',
    );
    expect(pool.snapshot()).toMatchObject({ closed: true, live: 0, waiting: 0 });
    await eventually(() => server.sockets.size === 0);
    expect(server.seen.size).toBe(1);
  });

  it('breaks off what does not end within the grace', async () => {
    const server = await opened.http(() => {});
    const pool = createHttpPool();
    const error = errorOf(pool.request(`${server.url}/`));
    await eventually(() => server.seen.size === 1);
    await pool.close({ graceMs: 10 });
    expect((await error).code).toBe('ERR_HTTP_CLOSED');
  });

  it('is seen by watch(), in the words that all pools have in common', async () => {
    const server = await opened.http((_request, response) => response.end('ok'));
    const pool = opened.pool({ name: 'quotes' });
    const watched = watch(pool);
    await textOf(pool.request(`${server.url}/`));
    expect(watched.snapshots()).toMatchObject([
      {
        name: 'quotes',
        driver: 'http',
        size: 20,
        idle: 1,
        counters: { acquired: 1 },
        http: { succeeded: 1 },
      },
    ]);
  });

  it('counts what the phases took, and how often connections were used again', async () => {
    const server = await opened.http((_request, response) => {
      count(server, 'answer');
      response.write('a');
      setTimeout(() => response.end('b'), 5);
    });
    const pool = opened.pool();
    const first = await pool.request(`${server.url}/`);
    await textOf(first);
    for (let at = 0; at < 3; at++) await textOf(pool.request(`${server.url}/`));
    const { http, wait, hold } = pool.snapshot();
    expect(http.reuseRatio).toBe(0.75);
    const { phases } = http;
    const counts = [wait, hold, phases.connect, phases.tls, phases.ttfb, phases.body].map(
      (each) => each?.count,
    );
    expect(counts).toEqual([4, 4, 1, 0, 4, 4]);
    const { timing } = first;
    expect(timing.totalMs).toBeGreaterThanOrEqual((timing.ttfbMs ?? 0) + (timing.bodyMs ?? 0));
    expect(timing).toMatchObject({ attempts: 1, reused: false, tlsMs: null });
  });

  it.each([
    ['a URL that is none', 'nonsense', {}],
    ['another scheme', 'ftp://127.0.0.1/', {}],
    ['a password in the URL', 'http://user:secret@127.0.0.1/', {}],
    ['a method that is none', 'http://127.0.0.1:1/', { method: 'G ET' }],
    ['a header that is none', 'http://127.0.0.1:1/', { headers: { 'a b': 'c' } }],
    ['a header that would add others', 'http://127.0.0.1:1/', { headers: { a: 'b\r\nc: d' } }],
    ['a time-out that is none', 'http://127.0.0.1:1/', { timeouts: { readMs: -1 } }],
  ])('refuses %s before anything is sent', async (_name, url, options) => {
    const server = await opened.http((_request, response) => response.end('ok'));
    const pool = opened.pool();
    const error = await errorOf(
      pool.request(url.replace('127.0.0.1:1', `127.0.0.1:${server.port}`), options),
    );
    expect(error.code).toBe('ERR_HTTP_OPTION');
    expect(error.message).not.toContain('secret');
    expect(server.seen.size).toBe(0);
    // The connection is as good as before.
    expect(await textOf(pool.request(`${server.url}/`))).toBe('ok');
  });
});

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { type HttpInterceptor, interceptors } from '../../src/http/index.js';
import { proxyRule } from '../../src/http/proxy.js';
import { hasProgram } from '../helpers/programs.js';
import { startTinyproxy, type WebServer } from '../helpers/web-servers.js';
import { certificate, errorOf, key, Opened, textOf } from './peers.js';

const opened = new Opened();
afterEach(() => opened.close());

const NO_CHECK = { tls: { verify: false } };

describe('interceptors', () => {
  it('follow redirects to another origin, and unpack, each request with the retries of the pool', async () => {
    const other = await opened.http((request, response, peer) => {
      if (peer.seen.get('GET /new') === 1) response.writeHead(503).end();
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(String(request.headers.a)));
    });
    const server = await opened.http((_request, response) =>
      response.writeHead(302, { location: `${other.url}/new` }).end(),
    );
    const pool = opened.pool({
      interceptors: [interceptors.decompress(), interceptors.redirect({ maxRedirections: 3 })],
    });
    expect(await textOf(pool.request(`${server.url}/old`, { headers: [['a', '1']] }))).toBe('1');
    expect(Object.fromEntries(other.seen)).toEqual({ 'GET /new': 2 });
    expect(pool.snapshot().http.origins.map(({ origin }) => origin)).toEqual([server.url, other.url]);
    expect((await opened.pool().request(`${server.url}/old`)).statusCode).toBe(302);
  });

  it("may be the caller's own, in request and in fetch, the last one outermost", async () => {
    const server = await opened.http((request, response) => response.end(String(request.headers.sign)));
    const sign =
      (word: string): HttpInterceptor =>
      (dispatch) =>
      (options, handler) => {
        const { headers } = options as { headers?: Record<string, string> };
        return dispatch(
          { ...options, headers: { ...headers, sign: `${headers?.sign ?? ''}${word}` } },
          handler,
        );
      };
    const pool = opened.pool({ interceptors: [sign('inner'), sign('outer ')] });
    expect(await textOf(pool.request(`${server.url}/`))).toBe('outer inner');
    expect(await (await pool.fetch(`${server.url}/`)).text()).toBe('outer inner');
  });

  it('look up hosts, and TLS still asks for the name', async () => {
    const server = createHttpsServer({ cert: certificate, key }, (request, response) =>
      response.end(`${request.headers.host} ${(request.socket as { servername?: string }).servername}`),
    );
    const { port } = await opened.listening(server);
    const lookup = (
      _host: URL,
      _options: object,
      found: (error: null, all: { address: string; family: 4; ttl: number }[]) => void,
    ) => found(null, [{ address: '127.0.0.1', family: 4, ttl: 1000 }]);
    const pool = opened.pool({ ...NO_CHECK, interceptors: [interceptors.dns({ lookup })] });
    expect(await textOf(pool.request(`https://quotes.test:${port}/`))).toBe(
      `quotes.test:${port} quotes.test`,
    );
    expect(pool.snapshot().http.origins.map(({ origin }) => origin)).toEqual([
      `https://127.0.0.1:${port} (quotes.test)`,
    ]);
  });

  it('must be functions', () => {
    expect(() => opened.pool({ interceptors: ['redirect'] as never })).toThrow(/interceptors must be/);
  });
});

describe('a server is reached', () => {
  it('by a Unix socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolctl-unix-'));
    const socketPath = join(folder, 'http');
    const server = createHttpServer((request, response) =>
      response.end(`${request.headers.host}${request.url}`),
    );
    await once(server.listen(socketPath), 'listening');
    const pool = opened.pool({ socketPath });
    expect(await textOf(pool.request('http://docker/info'))).toBe('docker/info');
    await new Promise((resolve) => void server.close(resolve));
    expect(await errorOf(pool.request('http://docker/info', { retry: false }))).toMatchObject({
      code: 'ERR_HTTP_CONNECT',
    });
    await rm(folder, { recursive: true });
    expect(() => opened.pool({ socketPath: '' })).toThrow(/socketPath/);
    expect(() => opened.pool({ socketPath, proxy: 'env' })).toThrow(/exclude each other/);
  });

  it('by a look-up of the caller, and by one family of addresses only', async () => {
    const server = await opened.http((_request, response) => response.end('ok'));
    const asked: unknown[] = [];
    const pool = opened.pool({
      family: 4,
      lookup: (host, options, found) => {
        asked.push([host, options.family]);
        if (options.all) found(null, [{ address: '127.0.0.1', family: 4 }]);
        else found(null, '127.0.0.1', 4);
      },
    });
    expect(await textOf(pool.request(`http://quotes.test:${server.port}/`))).toBe('ok');
    expect(asked).toEqual([['quotes.test', 4]]);
    expect(() => opened.pool({ family: 5 as never })).toThrow(/family is 5/);
  });
});

describe('a connection that was idle', () => {
  const HEALTH = { idleMs: 0, timeoutMs: 10_000 };

  it('is checked before it is used again, and used if the server answers', async () => {
    const server = await opened.http((request, response) => response.end(request.method));
    const pool = opened.pool({ healthCheck: { ...HEALTH, path: '/healthz' } });
    const checks: boolean[] = [];
    pool.on('healthCheck', ({ isAlive }) => checks.push(isAlive));
    for (const method of ['GET', 'GET', 'POST']) await textOf(pool.request(`${server.url}/`, { method }));
    expect(Object.fromEntries(server.seen)).toEqual({ 'GET /': 2, 'HEAD /healthz': 2, 'POST /': 1 });
    expect([server.opened, checks]).toEqual([1, [true, true]]);
    // Those who come together share what there is, and the rest is opened.
    await Promise.all(Array.from({ length: 5 }, () => textOf(pool.request(`${server.url}/`))));
    expect(pool.snapshot().http).toMatchObject({ failed: 0 });
  });

  it('is closed if it gives no answer, and the request goes over another one', async () => {
    let isMute = false;
    const server = await opened.http((request, response) => {
      if (request.method !== 'HEAD' || !isMute) response.end('ok');
    });
    const pool = opened.pool({ healthCheck: { ...HEALTH, timeoutMs: 50 } });
    await textOf(pool.request(`${server.url}/`));
    isMute = true;
    expect(await textOf(pool.request(`${server.url}/`, { method: 'POST' }))).toBe('ok');
    expect([server.opened, server.seen.get('POST /')]).toEqual([2, 1]);
    expect(pool.snapshot().http).toMatchObject({ closed: { timeout: 1 }, failed: 0 });
  });

  it('is pinged with HTTP/2, and closed if the server has gone without a word', async () => {
    const server = await opened.h2((stream) => stream.respond({ ':status': 200 }, { endStream: true }));
    const pool = opened.pool({ ...NO_CHECK, healthCheck: { ...HEALTH, timeoutMs: 200 } });
    const checks: boolean[] = [];
    pool.on('healthCheck', ({ isAlive }) => checks.push(isAlive));
    const ways: Socket[] = [];
    const relay = await opened.tcp((socket) => {
      ways.push(socket);
      const up = connect(server.port, '127.0.0.1');
      socket.on('error', () => up.destroy()).pipe(up);
      up.on('error', () => socket.destroy()).pipe(socket);
    });
    const url = relay.url.replace('http:', 'https:');
    for (let at = 0; at < 3; at++) await textOf(pool.request(`${url}/`));
    expect([ways.length, checks]).toEqual([1, [true, true]]);
    ways[0]?.unpipe();
    expect(await textOf(pool.request(`${url}/`))).toBe('');
    expect([ways.length, checks]).toEqual([2, [true, true, false]]);
  });

  it('that is not idle for long enough is not checked; wrong options are refused', async () => {
    const server = await opened.http((_request, response) => response.end('ok'));
    const pool = opened.pool({ healthCheck: { idleMs: 60_000 } });
    for (let at = 0; at < 3; at++) await textOf(pool.request(`${server.url}/`));
    expect(Object.fromEntries(server.seen)).toEqual({ 'GET /': 3 });
    for (const wrong of [{ idleMs: -1 }, { timeoutMs: 0 }, { method: 'POST' }, { path: 'x' }, { every: 1 }])
      expect(() => opened.pool({ healthCheck: wrong as never })).toThrow(/healthCheck/);
  });
});

describe('the proxy', () => {
  const env = {
    HTTP_PROXY: 'http://a:p%40ss@proxy:3128',
    https_proxy: 'secure:3129',
    no_proxy: 'localhost,.internal *.lan, 10.0.0.1:8080 [::1]:80',
  };
  it.each([
    ['http://example.com/', 'http://proxy:3128'],
    ['https://example.com/', 'http://secure:3129'],
    ['http://localhost/', null],
    ['http://a.localhost/', null],
    ['http://notlocalhost/', 'http://proxy:3128'],
    ['http://internal/', null],
    ['https://A.Internal/', null],
    ['http://pc.lan/', null],
    ['http://10.0.0.1:8080/', null],
    ['http://10.0.0.1/', 'http://proxy:3128'],
    ['http://[::1]/', null],
    ['http://[::1]:81/', 'http://proxy:3128'],
  ])('for %s is, by the environment, %s', (url, origin) => {
    expect(proxyRule('env', env)(new URL(url))?.url.origin ?? null).toBe(origin);
  });

  it('is given once, with its user, or not at all', () => {
    const url = new URL('https://x/');
    expect(proxyRule('env', env)(new URL('http://x/'))?.authorization).toBe(`Basic ${btoa('a:p@ss')}`);
    expect(proxyRule('env', { HTTP_PROXY: 'http://p' })(url)?.url.origin).toBe('http://p');
    expect(proxyRule('env', { HTTP_PROXY: 'http://p', NO_PROXY: '*' })(url)).toBeNull();
    expect(proxyRule('env', {})(url)).toBeNull();
    expect(proxyRule(null)(url)).toBeNull();
    expect(proxyRule({ url: 'https://p', authorization: 'Bearer t' })(url)?.authorization).toBe('Bearer t');
    expect(() => opened.pool({ proxy: 'socks5://p' })).toThrow(/begins with http/);
  });

  it('that is not there is named', async () => {
    const pool = opened.pool({ proxy: 'http://127.0.0.1:1', retry: false });
    for (const url of ['http://quotes.test/', 'https://quotes.test/'])
      expect(await errorOf(pool.request(url))).toMatchObject({
        code: 'ERR_HTTP_CONNECT',
        message: 'cannot connect to the proxy http://127.0.0.1:1 (ECONNREFUSED)',
      });
  });

  it('may be reached by TLS, within which that to the server is, and may hang', async () => {
    const target = await opened.https((_request, response) => response.end('ok'));
    const proxy = createHttpsServer({ cert: certificate, key });
    proxy.on('connect', (request, socket) => {
      if (request.url?.startsWith('127.0.0.1')) {
        const up = connect(target.port, '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          up.pipe(socket).pipe(up);
        });
        up.on('error', () => socket.destroy());
        socket.on('error', () => up.destroy());
      }
    });
    const { port } = await opened.listening(proxy);
    const options = { proxy: `https://localhost:${port}`, tls: { ca: certificate } };
    expect(await textOf(opened.pool(options).request(`${target.url}/`))).toBe('ok');
    const hasty = opened.pool({ ...options, timeouts: { connectMs: 300 }, retry: false });
    expect(await errorOf(hasty.request('https://quotes.test/'))).toMatchObject({
      code: 'ERR_HTTP_TIMEOUT',
      phase: 'connect',
    });
  });
});

describe.runIf(hasProgram('tinyproxy', 'HTTP through a proxy'))('through tinyproxy', () => {
  const running: WebServer[] = [];
  afterEach(async () => {
    for (const each of running.splice(0)) await each.stop();
  });
  const tinyproxy = async (user: string | null): Promise<string> => {
    const server = await startTinyproxy(user);
    running.push(server);
    return server.url;
  };

  it('HTTP is forwarded, HTTPS has a tunnel with HTTP/2 in it, and both keep their connections', async () => {
    const proxy = await tinyproxy(null);
    const plain = await opened.http((request, response) => {
      request.pipe(response);
      response.setHeader('via', String(request.headers.via));
    });
    const secure = await opened.h2((stream) => stream.respond({ ':status': 200 }, { endStream: true }));
    const pool = opened.pool({ proxy, ...NO_CHECK });
    for (let at = 0; at < 20; at++) {
      const posted = pool.request(`${plain.url}/${at}`, { method: 'POST', body: `body ${at}` });
      const response = await posted;
      expect([response.headers.via, await response.body.text()]).toEqual([
        expect.stringMatching(/tinyproxy/),
        `body ${at}`,
      ]);
      expect((await pool.request(`${secure.url}/${at}`)).statusCode).toBe(200);
    }
    expect(secure.opened).toBe(1);
    expect(await (await pool.fetch(`${plain.url}/f`, { method: 'PUT', body: 'f' })).text()).toBe('f');
  });

  it('its user is told, and its refusal is named with what to do', async () => {
    const proxy = await tinyproxy('anna secret');
    const plain = await opened.http((_request, response) => response.end('ok'));
    const secure = await opened.https((_request, response) => response.end('ok'));
    const known = opened.pool({ proxy: proxy.replace('//', '//anna:secret@'), ...NO_CHECK });
    for (const { url } of [plain, secure]) expect(await textOf(known.request(`${url}/`))).toBe('ok');
    const unknown = opened.pool({ proxy, ...NO_CHECK });
    expect((await unknown.request(`${plain.url}/`)).statusCode).toBe(407);
    expect(await errorOf(unknown.request(`${secure.url}/`))).toMatchObject({
      code: 'ERR_HTTP_PROXY',
      message: expect.stringMatching(/the proxy http:\/\/127.0.0.1:\d+ answered 407 to a tunnel to 127/),
      hint: 'put user and password into the URL of the proxy, or pass authorization',
    });
    const wrong = opened.pool({ proxy: proxy.replace('//', '//anna:wrong@'), ...NO_CHECK });
    expect(await errorOf(wrong.request(`${secure.url}/`))).toMatchObject({ code: 'ERR_HTTP_PROXY' });
    expect(secure.opened).toBe(1);
  });
});

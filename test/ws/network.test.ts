import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startFeedServer } from '../../src/lab/feed-server/feed-server.js';
import { kiteWire } from '../../src/lab/feed-server/venues/kite-wire.js';
import { proxyOfDial } from '../../src/ws/environment.js';
import { kite } from '../../src/ws/venues/kite.js';
import { certificate, key } from './certificate.js';
import { heard, lab, poolOf } from './venues/setup.js';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of open.splice(0)) await close();
});

/** A proxy for CONNECT; `refuse` answers with a status in place of a tunnel. */
async function proxy(refuse: number | null = null): Promise<{ port: number; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on('connection', (socket) => sockets.add(socket));
  server.on('connect', (request, client: Socket, head) => {
    requests.push(request);
    client.on('error', () => {});
    if (refuse !== null) {
      client.end(`HTTP/1.1 ${refuse} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const [host, port] = (request.url ?? '').split(':');
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    sockets.add(upstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => void server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, requests };
}

describe('the proxy that the environment names', () => {
  it.each([
    ['wss://feed.test/', { HTTPS_PROXY: 'http://p:1' }, 'http://p:1'],
    ['wss://feed.test/', { HTTP_PROXY: 'p:2' }, 'http://p:2'],
    ['ws://feed.test/', { HTTPS_PROXY: 'http://p:1' }, null],
    ['wss://feed.test/', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '.test' }, null],
    ['wss://feed.test/', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'feed.test:443' }, null],
    ['wss://feed.test:8443/', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'feed.test:443' }, 'http://p:1'],
    ['ws://feed.test/', {}, null],
  ])('of %s with %j is %s', (url, env, proxyUrl) => {
    expect(proxyOfDial('env', url, env)).toBe(proxyUrl);
    expect(proxyOfDial('http://own:3', url, env)).toBe('http://own:3');
    expect(proxyOfDial(null, url, env)).toBeNull();
  });

  it('is used for each dial', async () => {
    const { port, requests } = await proxy(407);
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${port}`);
    vi.stubEnv('no_proxy', '');
    const pool = poolOf({ url: 'wss://feed.test/', proxy: 'env' });
    const failed = heard(pool, 'connectFailed');
    pool
      .subscriber()
      .subscribe('A', { timeoutMs: null })
      .catch(() => {});
    await failed;
    expect(requests[0]?.url).toBe('feed.test:443');
    vi.stubEnv('HTTPS_PROXY', 'socks5://127.0.0.1:1');
    expect(() => poolOf({ url: 'wss://feed.test/', proxy: 'env' })).toThrow(/must begin with http/);
  });
});

describe('a socket through a proxy', () => {
  it.each([
    ['ws', undefined],
    ['wss', { key, cert: certificate }],
  ])('is a tunnel, with the credentials for the proxy: %s', async (_scheme, tls) => {
    const server = await startFeedServer(tls === undefined ? {} : { tls });
    open.push(server.close);
    const { port, requests } = await proxy();
    const pool = poolOf({
      url: server.url,
      proxy: `http://me:p%40ss@127.0.0.1:${port}`,
      tls: { ca: certificate },
    });
    expect(await pool.subscriber().subscribe('A')).toMatchObject([{ outcome: 'live' }]);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.url).toBe(`127.0.0.1:${server.port}`);
    expect(requests[0]?.headers['proxy-authorization']).toBe(
      `Basic ${Buffer.from('me:p@ss').toString('base64')}`,
    );
  });

  it('that refuses says so, and gives away no password', async () => {
    const { port } = await proxy(407);
    const pool = poolOf({ url: 'wss://feed.test/', proxy: `http://me:secret@127.0.0.1:${port}` });
    const failed = heard(pool, 'connectFailed');
    pool
      .subscriber()
      .subscribe('A', { timeoutMs: null })
      .catch(() => {});
    const { error } = await failed;
    expect(error).toMatchObject({
      code: 'ERR_FEED_CONNECT',
      message: 'the proxy does not connect to wss://feed.test: it answers with HTTP 407',
      hint: expect.stringContaining('user and password'),
    });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('secret');
  });

  it('that is not there is a failed dial, which is tried again', async () => {
    const pool = poolOf({ url: 'ws://feed.test/', proxy: 'http://127.0.0.1:1' });
    const failed = heard(pool, 'connectFailed');
    pool
      .subscriber()
      .subscribe('A', { timeoutMs: null })
      .catch(() => {});
    expect(await failed).toMatchObject({
      error: { code: 'ERR_FEED_CONNECT', message: expect.stringContaining('it cannot be reached') },
      retryInMs: expect.any(Number),
    });
  });
});

it('a client certificate is shown to a server that asks for one', async () => {
  const server = await lab(kiteWire(), { tls: { key, cert: certificate, ca: certificate } });
  const venue = kite({ url: server.origin, apiKey: 'k', accessToken: 'secret', limits: { assumeMs: 20 } });
  const tls = { ca: certificate };
  const without = poolOf({ venue, tls });
  const failed = heard(without, 'connectFailed');
  without
    .subscriber()
    .subscribe('1', { timeoutMs: null })
    .catch(() => {});
  await failed;
  const pool = poolOf({ venue, tls: { ...tls, cert: certificate, key } });
  expect(await pool.subscriber().subscribe('1')).toMatchObject([{ outcome: 'assumed' }]);
});

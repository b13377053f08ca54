import { Readable } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpPoolOptions } from '../../src/http/index.js';
import { HttpPoolTimeoutError, HttpTimeoutError } from '../../src/http/index.js';
import { eventually } from '../helpers/eventually.js';
import { certificate, errorOf, key, Opened, onRequestText, textOf } from './peers.js';

const opened = new Opened();
afterEach(() => opened.close());

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe('a kept connection that the server closes', () => {
  it('is not used again once that is known', async () => {
    const server = await opened.http((_request, response) => response.end('ok'));
    const pool = opened.pool();
    await textOf(pool.request(`${server.url}/`));
    for (const socket of server.sockets) socket.end();
    await eventually(() => pool.snapshot().live === 0);
    expect(await textOf(pool.request(`${server.url}/`, { method: 'POST' }))).toBe('ok');
    const { http } = pool.snapshot();
    expect({ closed: http.closed.server, retries: http.retries }).toEqual({
      closed: 1,
      retries: { connect: 0, stale: 0, lost: 0, timeout: 0, status: 0 },
    });
  });

  it('in the moment when it is used again: a GET is sent on another one, a POST is not', async () => {
    // The first request on a connection is answered; at the second it is closed, as if the two had crossed.
    const server = await opened.tcp((socket, peer) => {
      let requests = 0;
      onRequestText(socket, (text) => {
        peer.seen.set(text.split(' ', 1)[0] ?? '', (peer.seen.get(text.split(' ', 1)[0] ?? '') ?? 0) + 1);
        if (++requests === 1) socket.write(OK);
        else socket.destroy();
      });
    });
    const pool = opened.pool();
    const url = `${server.url}/`;
    const buy = () => pool.request(url, { method: 'POST', body: 'buy' });
    await textOf(pool.request(url));
    expect((await errorOf(buy())).code).toBe('ERR_HTTP_LOST');
    expect(server.seen.get('POST')).toBe(1);
    await textOf(pool.request(url));
    expect(await textOf(pool.request(url))).toBe('ok');
    expect(pool.snapshot().http.retries.stale).toBe(1);
    expect(server.seen.get('GET')).toBe(4);
    // By now it is known what this server does.
    expect(await textOf(buy())).toBe('ok');
    expect(server.seen.get('POST')).toBe(2);
  });

  it('all at once: requests that were not written yet go elsewhere, POSTs too, and none twice', async () => {
    const server = await opened.http((request, response) => {
      request.resume().on('end', () => response.end('ok'));
    });
    const pool = opened.pool();
    const send = (round: number) =>
      Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          textOf(pool.request(`${server.url}/${round}-${at}`, { method: 'POST', body: 'buy' })),
        ),
      );
    await send(0);
    for (let round = 1; round <= 5; round++) {
      // The FIN of each is on its way, or here and not looked at yet, when the next are sent.
      for (const socket of server.sockets) socket.end();
      const results = await send(round).catch(errorCode);
      expect(['ok', 'ERR_HTTP_LOST']).toContain(Array.isArray(results) ? results[0] : results);
    }
    expect([...server.seen.values()].every((times) => times === 1)).toBe(true);
  });
});

describe('a connection that breaks', () => {
  it.each([
    ['is reset before the headers', (write: (text: string) => void) => write('')],
    [
      'is reset in the middle of the headers',
      (write: (text: string) => void) => write('HTTP/1.1 200 OK\r\nx-a'),
    ],
  ])('%s: a GET is tried again, a POST is sent once', async (_name, begin) => {
    const server = await opened.tcp((socket, peer) => {
      onRequestText(socket, (text) => {
        const method = text.split(' ', 1)[0] ?? '';
        peer.seen.set(method, (peer.seen.get(method) ?? 0) + 1);
        begin((part) => part !== '' && socket.write(part));
        setImmediate(() => socket.resetAndDestroy());
      });
    });
    const pool = opened.pool({ breaker: false });
    const get = await errorOf(pool.request(`${server.url}/`));
    const post = await errorOf(pool.request(`${server.url}/`, { method: 'POST', body: 'buy' }));
    expect([get.code, post.code]).toEqual(['ERR_HTTP_LOST', 'ERR_HTTP_LOST']);
    expect(get.message).toContain('before it answered');
    expect(Object.fromEntries(server.seen)).toEqual({ GET: 4, POST: 1 });
    expect(pool.snapshot().http.retries.lost).toBe(3);
  });

  it.each([
    ['with a length', 'content-length: 100\r\n\r\nhalf'],
    ['in chunks', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ])(
    'in the middle of a body %s ends the body with an error, and nothing is sent again',
    async (_name, rest) => {
      for (const end of ['destroy', 'resetAndDestroy', 'end'] as const) {
        const server = await opened.tcp((socket, peer) => {
          onRequestText(socket, () => {
            peer.seen.set('all', (peer.seen.get('all') ?? 0) + 1);
            socket.write(`HTTP/1.1 200 OK\r\n${rest}`, () => socket[end]());
          });
        });
        const pool = opened.pool();
        const response = await pool.request(`${server.url}/`);
        expect((await errorOf(response.body.text())).code).toBe('ERR_HTTP_LOST');
        expect(server.seen.get('all')).toBe(1);
        await eventually(() => pool.snapshot().live === 0);
      }
    },
  );
});

describe('a server that takes its time', () => {
  const readMs = { timeouts: { readMs: 500 }, retry: false } satisfies HttpPoolOptions;

  it.each([
    ['says nothing', null, 'has not answered within 500 ms'],
    ['stops in the middle of the headers', 'HTTP/1.1 200 OK\r\nx-a: ', 'has not answered within 500 ms'],
    [
      'stops in the middle of the body',
      'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf',
      'nothing more of the body',
    ],
  ])('and %s: a read time-out, and the connection is not used again', async (_name, answer, message) => {
    const server = await opened.tcp((socket) => {
      onRequestText(socket, () => answer !== null && socket.write(answer));
    });
    const pool = opened.pool(readMs);
    const error = await errorOf(pool.request(`${server.url}/`).then(({ body }) => body.text()));
    expect(error).toBeInstanceOf(HttpTimeoutError);
    expect(error.message).toContain(message);
    await eventually(() => pool.snapshot().live === 0);
    const { http } = pool.snapshot();
    expect([http.timeouts.read, http.closed.timeout]).toEqual([1, 1]);
  });

  it('and trickles has no read time-out, but the deadline for all of it', async () => {
    const server = await opened.tcp((socket) => {
      onRequestText(socket, () => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        const timer = setInterval(() => socket.write('1\r\nx\r\n'), 5);
        socket.on('close', () => clearInterval(timer));
      });
    });
    const pool = opened.pool({ timeouts: { readMs: 5000 }, retry: false });
    const endless = await pool.request(`${server.url}/`, { timeouts: { totalMs: 800 } });
    let bytes = 0;
    const error = await errorOf(
      (async () => {
        for await (const chunk of endless.body) bytes += (chunk as Buffer).length;
      })(),
    );
    expect(error.message).toContain('was not over within 800 ms');
    expect(bytes).toBeGreaterThan(1);
    expect(pool.snapshot().http.timeouts).toMatchObject({ read: 0, total: 1 });
  });

  it('and one whose answer nobody reads is not timed out: the silence is ours', async () => {
    const server = await opened.http((_request, response) => response.end(Buffer.alloc(3_000_000)));
    const pool = opened.pool(readMs);
    const { body } = await pool.request(`${server.url}/`);
    await new Promise((resolve) => void setTimeout(resolve, 1200));
    expect((await body.bytes()).length).toBe(3_000_000);
  });
});

describe('a peer that is not there any more', () => {
  it('and takes nothing: a write time-out', async () => {
    const server = await opened.tcp((socket) => socket.pause(), { pauseOnConnect: true });
    const pool = opened.pool({ timeouts: { writeMs: 100, readMs: 20_000 }, retry: false });
    const bodies = {
      'one large piece': Buffer.alloc(20_000_000),
      'a stream': Readable.from(Array.from({ length: 300 }, () => Buffer.alloc(65_536))),
    };
    for (const body of Object.values(bodies)) {
      const error = await errorOf(pool.request(`${server.url}/`, { method: 'POST', body }));
      expect(error.message).toContain('has taken nothing of the request for 100 ms');
    }
    expect(pool.snapshot().http.timeouts.write).toBe(2);
  });

  it('and one that takes it slowly has none, nor a body that comes slowly', async () => {
    const server = await opened.http((request, response) => {
      let bytes = 0;
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        request.pause();
        setTimeout(() => request.resume(), 2);
      });
      request.on('end', () => response.end(String(bytes)));
    });
    const pool = opened.pool({ timeouts: { writeMs: 3000, readMs: 10_000 }, retry: false });
    expect(
      await textOf(pool.request(`${server.url}/`, { method: 'POST', body: Buffer.alloc(4_000_000) })),
    ).toBe('4000000');
    const slow = opened.pool({ timeouts: { writeMs: 40, readMs: 10_000 }, retry: false });
    const pieces = Readable.from(
      (async function* () {
        for (let at = 0; at < 3; at++) {
          await new Promise((resolve) => void setTimeout(resolve, 100));
          yield Buffer.from('abc');
        }
      })(),
    );
    expect(await textOf(slow.request(`${server.url}/`, { method: 'POST', body: pieces }))).toBe('9');
  });

  it('half-open: what was kept does not answer, and the next attempt has a connection of its own', async () => {
    // Answers once, then neither reads nor closes: as behind a NAT that has forgotten the connection.
    const server = await opened.tcp((socket, peer) => {
      if (peer.opened > 1) return onRequestText(socket, () => socket.write(OK));
      onRequestText(socket, () => {
        socket.write(OK);
        socket.pause();
      });
    });
    const pool = opened.pool({ timeouts: { readMs: 700 } });
    await textOf(pool.request(`${server.url}/`));
    const response = await pool.request(`${server.url}/`);
    expect(await textOf(response)).toBe('ok');
    expect(response.timing).toMatchObject({ attempts: 2, reused: false });
    expect(pool.snapshot().http.retries.timeout).toBe(1);
  });
});

describe('what answers', () => {
  it.each([
    ['is no HTTP server', 'SSH-2.0-OpenSSH_9.2\r\n', 'ERR_HTTP_PROTOCOL', 'does not speak HTTP'],
    [
      'sends huge headers',
      `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(20_000)}\r\n\r\n`,
      'ERR_HTTP_TOO_LARGE',
      'headers of',
    ],
    [
      'sends endless headers',
      `HTTP/1.1 200 OK\r\n${'x-a: a\r\n'.repeat(5000)}`,
      'ERR_HTTP_TOO_LARGE',
      'headers of',
    ],
  ])('%s', async (_name, answer, code, message) => {
    const server = await opened.tcp((socket, peer) => {
      onRequestText(socket, () => {
        peer.seen.set('all', (peer.seen.get('all') ?? 0) + 1);
        socket.write(answer);
      });
    });
    const pool = opened.pool();
    const error = await errorOf(pool.request(`${server.url}/`));
    expect({ code: error.code, message: error.message }).toEqual({
      code,
      message: expect.stringContaining(message),
    });
    expect(server.seen.get('all')).toBe(1);
  });

  it('has a body larger than allowed', async () => {
    const server = await opened.http((_request, response) => response.end('x'.repeat(5000)));
    const pool = opened.pool({ maxResponseBytes: 1000 });
    const error = await errorOf(pool.request(`${server.url}/`).then(({ body }) => body.text()));
    expect(error.code).toBe('ERR_HTTP_TOO_LARGE');
  });

  it.each([401, 403, 407])(
    'refuses the credentials with %i: its answer is handed on, and not asked for again',
    async (status) => {
      const server = await opened.http((_request, response) => response.writeHead(status).end('no'));
      const pool = opened.pool({ breaker: { minCalls: 1 } });
      const response = await pool.request(`${server.url}/`, { headers: { authorization: 'Bearer old' } });
      expect([response.statusCode, await textOf(response)]).toEqual([status, 'no']);
      expect([...server.seen.values()]).toEqual([1]);
      expect(pool.snapshot().http.origins[0]).toMatchObject({ breaker: 'closed', failureShare: 0, idle: 1 });
    },
  );

  it('has a certificate that nobody has signed', async () => {
    const server = await opened.https((_request, response) => response.end('ok'));
    const error = await errorOf(opened.pool().request(`${server.url}/`));
    expect(error).toMatchObject({ code: 'ERR_HTTP_TLS', hint: 'give its issuer as tls.ca' });
    expect(server.opened).toBe(1);
    const trusting = opened.pool({ tls: { ca: certificate } });
    const response = await trusting.request(`${server.url}/`);
    expect(await textOf(response)).toBe('ok');
    expect(response.timing.tlsMs).toBeGreaterThan(0);
  });

  it('does not speak TLS, or speaks it where it should not', async () => {
    const plain = await opened.http((_request, response) => response.end('ok'));
    const secure = await opened.https((_request, response) => response.end('ok'));
    const pool = opened.pool({ retry: false, tls: { ca: certificate } });
    const error = await errorOf(pool.request(`https://127.0.0.1:${plain.port}/`));
    expect(error).toMatchObject({ code: 'ERR_HTTP_TLS', hint: 'try http:// in place of https://' });
    const other = await errorOf(pool.request(`http://127.0.0.1:${secure.port}/`));
    expect(['ERR_HTTP_LOST', 'ERR_HTTP_PROTOCOL']).toContain(other.code);
  });

  it('has the certificate of another host', async () => {
    const server = await opened.https((_request, response) => response.end('ok'));
    const pool = opened.pool({ tls: { ca: certificate, serverName: 'api.example.com' } });
    expect((await errorOf(pool.request(`${server.url}/`))).code).toBe('ERR_HTTP_TLS');
  });

  it('wants a certificate of ours', async () => {
    const server = createTlsServer(
      { cert: certificate, key, ca: certificate, requestCert: true, rejectUnauthorized: true },
      (socket) => {
        socket.on('error', () => {}).end(OK);
      },
    );
    server.on('tlsClientError', () => {});
    const { port } = await opened.listening(server);
    const url = `https://127.0.0.1:${port}/`;
    const without = opened.pool({ tls: { ca: certificate }, retry: false });
    expect(['ERR_HTTP_TLS', 'ERR_HTTP_LOST']).toContain((await errorOf(without.request(url))).code);
    const own = opened.pool({ tls: { ca: certificate, cert: certificate, key } });
    expect(await textOf(own.request(url))).toBe('ok');
  });
});

describe('a connection that cannot be opened', () => {
  it('is tried again for a POST too, since nothing was sent', async () => {
    const server = await opened.tcp(() => {});
    const { port } = server;
    await server[Symbol.asyncDispose]();
    const pool = opened.pool();
    const error = await errorOf(pool.request(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'buy' }));
    expect(error).toMatchObject({ code: 'ERR_HTTP_CONNECT', cause: { code: 'ECONNREFUSED' } });
    expect(pool.snapshot()).toMatchObject({
      createError: `cannot connect to http://127.0.0.1:${port} (ECONNREFUSED)`,
      counters: { createFailed: 4 },
      http: { retries: { connect: 3 }, sent: 0 },
    });
  });

  it('in time: the handshake has a time-out, and the wait for it is no pool time-out', async () => {
    const silent = await opened.tcp(() => {});
    const pool = opened.pool({ timeouts: { connectMs: 120, poolMs: 20 }, retry: false });
    const error = await errorOf(pool.request(`https://127.0.0.1:${silent.port}/`));
    expect(error).toMatchObject({ phase: 'connect', limitMs: 120 });
    expect(error.message).toContain('the TLS handshake with');
    expect(pool.snapshot().http.timeouts).toMatchObject({ connect: 1, pool: 0 });
  });
});

describe('ten times more than the server serves', () => {
  it('ends in pool time-outs with figures; the circuit stays closed, and the server never has more connections than allowed', async () => {
    const server = await opened.http((_request, response) => void setTimeout(() => response.end('ok'), 100));
    const pool = opened.pool({ maxConnections: 5, timeouts: { poolMs: 250 } });
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        textOf(pool.request(`${server.url}/${at}`)).catch((error: Error) => error),
      ),
    );
    const served = results.filter((result) => result === 'ok').length;
    const timedOut = results.filter((result) => result instanceof HttpPoolTimeoutError);
    expect(served + timedOut.length).toBe(50);
    expect(served).toBeGreaterThanOrEqual(5);
    expect(timedOut.length).toBeGreaterThan(0);
    expect((timedOut[0] as HttpPoolTimeoutError).facts).toMatchObject({
      maxConnections: 5,
      active: 5,
      lacking: 'connections',
    });
    expect(server.peak).toBeLessThanOrEqual(5);
    expect(server.seen.size).toBe(served);
    const { http, counters, waiting } = pool.snapshot();
    expect({ breaker: http.origins[0]?.breaker, opened: http.circuitOpened }).toEqual({
      breaker: 'closed',
      opened: 0,
    });
    expect(counters.timedOut).toBe(timedOut.length);
    expect(http.retries.timeout).toBe(0);
    expect(waiting).toBe(0);
    // What timed out has left nothing behind.
    expect(await textOf(pool.request(`${server.url}/after`))).toBe('ok');
  });
});

function errorCode(error: { code?: string }): string {
  return error.code ?? String(error);
}

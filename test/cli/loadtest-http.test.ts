import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createSecureServer as createHttp2 } from 'node:http2';
import { createServer as createSecure } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BaselineResult } from '../../src/loadtest/baseline.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import { eventually } from '../helpers/eventually.js';
import { testIo } from '../helpers/io.js';
import { certificate, key } from '../ws/certificate.js';
import { loadtest, makePlace, type Place, resultOf } from './loadtest-helpers.js';

let place: Place;
beforeAll(async () => {
  place = await makePlace();
});
afterAll(() => place.remove());

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** Listens on a free port of this machine; gives it. */
async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => void server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** What a server has seen. */
interface Seen {
  readonly url: string;
  requests: number;
  connections: number;
  readonly methods: Set<string | undefined>;
  readonly bodies: Set<string>;
  readonly headers: IncomingMessage['headers'][];
}

async function serve(answer: RequestListener = (_, response) => void response.end('hello')): Promise<Seen> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    seen.requests++;
    seen.methods.add(request.method);
    if (seen.headers.length < 5) seen.headers.push(request.headers);
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      seen.bodies.add(body);
      answer(request, response);
    });
  });
  server.on('connection', () => seen.connections++);
  const port = await listening(server);
  const seen: Seen = {
    url: `http://127.0.0.1:${port}/quotes?key=s3cret`,
    requests: 0,
    connections: 0,
    methods: new Set(),
    bodies: new Set(),
    headers: [],
  };
  return seen;
}

const FEW = ['--num-queries=200', '--num-workers=10', '--warmup=none'];
/** Before the load one request looks who is there. The verdict is not asked for: how good it is depends on the machine. */
const LOOK = 1;

describe('a load test over HTTP', () => {
  it("counts what the server's own counts say, and says how its pool did", async () => {
    const server = await serve();
    const result = await resultOf([server.url, ...FEW, '--pool-size=4']);
    expect(result).toMatchObject({
      workload: { name: 'http', target: server.url.replace('key=s3cret', '...'), work: 'GET' },
      measurements: { succeeded: 200, failed: 0 },
      pool: {
        options: { profile: 'medium', size: 4, timeoutMs: 5000, http: { retries: 3, breaker: true } },
        figures: { acquired: 200, peakInUse: 4, timedOut: 0 },
      },
      http: {
        engine: 'pool',
        statuses: [{ status: 200, count: 200 }],
        bytes: 200 * 'hello'.length,
        pool: { sent: 200, breakerBefore: 'closed', transitions: [] },
      },
    });
    expect(server.requests).toBe(200 + LOOK);
    const { figures } = result.pool;
    expect(server.connections).toBe((figures?.created ?? 0) + (figures?.createdBefore ?? 0));
    expect(figures?.waited).toBeGreaterThan(0);
    expect(result.http?.pool?.reuseRatio).toBeGreaterThan(0.9);
    expect(result.measurements.wait.count).toBe(200);
  });

  it('leaves out of its counts what the warm-up did', async () => {
    const server = await serve();
    const { warmup, measurements, http } = await resultOf([
      server.url,
      '--num-queries=100',
      '--num-workers=5',
      '--warmup=50',
    ]);
    const statuses = http?.statuses.reduce((sum, { count }) => sum + count, 0);
    expect(statuses).toBe(measurements.succeeded);
    // Those under way when the warm-up is over belong to neither.
    const told = LOOK + (warmup?.iterations ?? 0) + measurements.succeeded;
    expect(server.requests - told).toBeGreaterThanOrEqual(0);
    expect(server.requests - told).toBeLessThanOrEqual(5);
  });

  it('tells failures by the class of their status, retries, and what the breaker did', async () => {
    const broken = await serve((_, response) => void response.writeHead(503).end());
    const result = await resultOf([broken.url, ...FEW]);
    const { errors } = result.measurements;
    expect(result).toMatchObject({ code: 1, verdict: { band: 'bad' } });
    expect(errors.map(({ code }) => code).sort()).toEqual(['ERR_HTTP_CIRCUIT_OPEN', 'HTTP_5xx']);
    expect(errors.find(({ code }) => code === 'HTTP_5xx')?.example).toBe(
      'the server answered 503 Service Unavailable',
    );
    expect(result.http?.pool).toMatchObject({ transitions: [{ from: 'closed', to: 'open' }] });
    const { sent = 0, circuitRefused = 0 } = result.http?.pool ?? {};
    expect(broken.requests).toBe(sent + LOOK);
    expect(circuitRefused).toBeGreaterThan(0);
    expect(result.advice[0]?.options).toBe('--no-breaker');

    const mixed = await serve((request, response) => {
      response.writeHead(request.headers.accept === 'nothing' ? 404 : 200).end();
    });
    const missing = await resultOf([
      mixed.url,
      ...FEW,
      '--header=Accept: nothing',
      '--retries=0',
      '--no-breaker',
    ]);
    expect(missing.measurements.errors).toMatchObject([{ code: 'HTTP_4xx', count: 200 }]);
    expect(missing).toMatchObject({
      pool: { options: { http: { retries: null, breaker: false } } },
      http: { statuses: [{ status: 404, count: 200 }], pool: { breakerBefore: null } },
    });
    expect(mixed.requests).toBe(200 + LOOK);
  });

  it('waits for a pool that is too small, and counts what timed out', async () => {
    const server = await serve((_, response) => void setTimeout(() => response.end(), 40));
    const { measurements, verdict, pool } = await resultOf([
      server.url,
      '--num-queries=60',
      '--num-workers=30',
      '--warmup=none',
      '--pool-size=1',
      '--pool-timeout=60ms',
    ]);
    const timeouts = measurements.errors.find(({ code }) => code === 'ERR_HTTP_POOL_TIMEOUT')?.count ?? 0;
    expect(timeouts).toBeGreaterThan(0);
    expect(pool.figures?.timedOut).toBe(timeouts);
    expect(verdict.criteria.find(({ id }) => id === 'timeouts')?.band).toBe('bad');
    expect(server.requests).toBe(measurements.succeeded + LOOK);
  });

  it('sends what it is told, once for each iteration, and only where writes are allowed', async () => {
    const server = await serve((_, response) => void response.writeHead(201).end());
    await writeFile(join(place.folder, 'order.json'), '{"qty":1}');
    const argv = ['--method=POST', '--body-file=order.json', '--header=Content-Type: application/json'];
    const refused = await loadtest([server.url, ...FEW, ...argv], { cwd: place.folder });
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.err).toContain('--method POST may change what is there');
    expect(server.requests).toBe(0);
    const result = await resultOf([server.url, ...FEW, ...argv, '--allow-writes'], { cwd: place.folder });
    // Nothing that could change something is sent to look who is there.
    expect(server.requests).toBe(200);
    expect([...server.methods]).toEqual(['POST']);
    expect([...server.bodies]).toEqual(['{"qty":1}']);
    expect(server.headers[0]).toMatchObject({ 'content-type': 'application/json' });
    expect(result.workload.work).toBe('POST, with a body of 9 bytes, headers Content-Type');
  });

  it('makes a user in the URL an authorization header, and shows neither', async () => {
    const server = await serve();
    const url = server.url.replace('http://', 'http://anna:s3cret@');
    const { code, out, err } = await loadtest([url, ...FEW, '--header=X-Token: t0ken']);
    expect(code).toBeLessThan(2);
    expect(server.headers[0]?.authorization).toBe(`Basic ${btoa('anna:s3cret')}`);
    expect(out + err).not.toMatch(/s3cret|t0ken|anna/);
    expect(out).toMatch(/statuses +200: 200 \(100 %\)/);
    expect(out).toMatch(/used again +\d+(\.\d)? % of 200 requests/);
  });

  it('takes a huge answer to its end', async () => {
    const piece = Buffer.alloc(1e6);
    const server = await serve((_, response: ServerResponse) => {
      let left = 40;
      const more = (): void => {
        if (left-- > 0) response.write(piece, more);
        else response.end();
      };
      more();
    });
    const { http } = await resultOf([server.url, '--num-queries=5', '--num-workers=1', '--warmup=none']);
    expect(http?.bytes).toBe(5 * 40e6);
  });

  it('tries pools of several sizes, and without a pool opens a connection for each request', async () => {
    const server = await serve();
    const swept = await loadtest([server.url, ...FEW, '--sweep=pool-size=1,4', '--rounds=1']);
    expect(swept).toMatchObject({ code: 0, err: '' });
    const before = server.connections;
    const { code, out } = await loadtest([
      server.url,
      ...FEW,
      '--baseline=unpooled',
      '--rounds=1',
      '--format=json',
    ]);
    expect(code).toBe(0);
    const { ratio, pooled, unpooled, pool } = JSON.parse(out) as BaselineResult;
    expect(ratio?.median).toBeGreaterThan(0);
    expect([pooled.failedShare, unpooled.failedShare]).toEqual([0, 0]);
    expect(pool.size).toBe(20);
    const opened = server.connections - before;
    expect(opened).toBeGreaterThanOrEqual(200);
    expect(opened).toBeLessThanOrEqual(200 + 20 + 2);
  });

  it('sends all over one connection of HTTP/2, and without a pool over one for each', async () => {
    const server = createHttp2({ key, cert: certificate, allowHTTP1: true }, (_, response) =>
      response.end('hi'),
    );
    let connections = 0;
    server.on('secureConnection', () => connections++);
    const port = await listening(server as unknown as Server);
    await writeFile(join(place.folder, 'ca.pem'), certificate);
    const argv = [`https://127.0.0.1:${port}/`, '--num-queries=50', '--num-workers=5', '--warmup=none'];
    const options = { cwd: place.folder };
    const { pool, http } = await resultOf([...argv, '--http2', '--ca=ca.pem'], options);
    expect(pool.options.http?.http2).toBe(true);
    expect(http?.statuses).toEqual([{ status: 200, count: 50 }]);
    expect(connections).toBe(1);
    const baseline = ['--http2', '--ca=ca.pem', '--baseline=unpooled', '--rounds=1', '--format=json'];
    expect(await loadtest([...argv, ...baseline], options)).toMatchObject({ code: 0, err: '' });
    expect(connections).toBeGreaterThanOrEqual(1 + 1 + 50);
  });

  it('keeps what was measured when it is interrupted, and gives up at the second time', async () => {
    const server = await serve();
    const io = testIo();
    const running = loadtest([server.url, '--duration=1h', '--warmup=none', '--format=json'], { io });
    await eventually(() => server.requests > 100);
    io.interrupts.receive('SIGINT');
    const { code, out } = await running;
    const { partial, measurements } = JSON.parse(out) as LoadResult;
    expect({ code, partial }).toEqual({ code: 130, partial: 'interrupted' });
    expect(measurements.succeeded + LOOK).toBe(server.requests);

    const stuck = await serve((_, response) => void (stuck.requests > LOOK || response.end()));
    const other = testIo();
    const waiting = loadtest([stuck.url, '--duration=1h', '--warmup=none', '--format=json'], { io: other });
    await eventually(() => stuck.requests > LOOK);
    other.interrupts.receive('SIGINT');
    other.interrupts.receive('SIGINT');
    const given = await waiting;
    expect(given.code).toBe(130);
    expect((JSON.parse(given.out) as LoadResult).partial).toBe('aborted');
  });
});

describe('autocannon', () => {
  it("sends the requests in the pool's place, and its own figures agree with ours", async () => {
    const server = await serve((request, response) => {
      response.writeHead(request.url?.includes('missing') ? 404 : 200).end('hello');
    });
    const argv = ['--engine=autocannon', '--num-workers=5', '--duration=1s', '--warmup=none'];
    const result = await resultOf([server.url, ...argv]);
    const { measurements, http, pool } = result;
    const own = http?.autocannon;
    expect(own).toMatchObject({ connections: 5, completed: measurements.succeeded, errors: 0, timeouts: 0 });
    expect(measurements.throughputPerSecond / (own?.requestsPerSecond ?? 0)).toBeCloseTo(1, 0);
    // What was under way at its end is not counted by it.
    expect(server.requests - LOOK - measurements.succeeded).toBeLessThanOrEqual(5);
    expect(pool.figures).toBeNull();
    expect(measurements.response.count).toBe(measurements.succeeded);
    // In whole milliseconds there would be a few values only.
    expect(measurements.response.bucketsUs.some(([us]) => us % 1000 !== 0)).toBe(true);

    const missing = await resultOf([
      server.url.replace('quotes', 'missing'),
      ...argv,
      '--num-queries=50',
      '--duration=20s',
    ]);
    expect(missing.measurements.errors).toMatchObject([{ code: 'HTTP_4xx', count: 50 }]);
    expect(missing.code).toBe(1);
  });

  it('ends when it is interrupted, with what was measured', async () => {
    const server = await serve();
    const io = testIo();
    const argv = ['--engine=autocannon', '--duration=1h', '--warmup=none'];
    const running = loadtest([server.url, ...argv], { io });
    await eventually(() => server.requests > 100);
    io.interrupts.receive('SIGINT');
    const { code, out } = await running;
    expect(code).toBe(130);
    expect(out).toContain('PARTIAL');
    expect(out).toContain("none: 50 connections of autocannon's own");
    expect(out).toMatch(/autocannon says +[\d,]+ requests, [\d,.]+\/s/);
  });
});

describe('what is no HTTP server', () => {
  it('is said at once, and why, by both engines', async () => {
    const smtp = await listening(
      createTcp((socket) => {
        socket.write('220 smtp ready\r\n');
      }),
    );
    const secure = await listening(createSecure({ key, cert: certificate }, (_, response) => response.end()));
    const plain = await serve();
    const cases: readonly (readonly [url: string, code: string])[] = [
      [`http://127.0.0.1:${smtp}/`, 'ERR_HTTP_PROTOCOL'],
      ['http://127.0.0.1:1/', 'ERR_HTTP_CONNECT'],
      [`https://127.0.0.1:${secure}/`, 'ERR_HTTP_TLS'],
      [plain.url.replace('http:', 'https:'), 'ERR_HTTP_TLS'],
      ['http://no-such-host.invalid/', 'ENOTFOUND|EAI_AGAIN'],
    ];
    await Promise.all(
      cases.flatMap(([url, expected]) =>
        ['pool', 'autocannon'].map(async (engine) => {
          const { code, out, err } = await loadtest([url, ...FEW, `--engine=${engine}`]);
          expect({ url, code, out }).toEqual({ url, code: 3, out: '' });
          expect(err).toMatch(new RegExp(expected));
          expect(err).not.toContain('s3cret');
        }),
      ),
    );
  });

  it('is trusted where --ca says so', async () => {
    const secure = await listening(createSecure({ key, cert: certificate }, (_, response) => response.end()));
    const url = `https://127.0.0.1:${secure}/`;
    const { err } = await loadtest([url, ...FEW]);
    expect(err).toContain('give its issuer with --ca FILE');
    await writeFile(join(place.folder, 'ca.pem'), certificate);
    const trusted = await loadtest([url, ...FEW, '--ca=ca.pem', '-v'], { cwd: place.folder });
    expect(trusted.code).toBeLessThan(2);
    expect(trusted.out).toMatch(/of that TLS +\d+/);
    expect(trusted.err).toMatch(/connection 1 to https:\/\/127\.0\.0\.1:\d+ is open \(h1\)/);
    await writeFile(join(place.folder, 'empty.pem'), 'nothing');
    const empty = await loadtest([url, '--ca=empty.pem'], { cwd: place.folder });
    expect(empty.err).toContain('--ca: there is no certificate in PEM form');
  });

  it('is not asked where the options are wrong', async () => {
    const wrong = async (...argv: string[]) => {
      const { code, out, err } = await loadtest(argv);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      return err;
    };
    expect(await wrong('http://10.0.0.1/')).toContain('10.0.0.1 is not this machine');
    expect(await wrong('http:///x')).toContain('is not a URL');
    const url = 'http://127.0.0.1:1/';
    expect(await wrong(url, '--sql=select 1')).toContain('--sql is for databases only');
    expect(await wrong(url, '--max-overflow=3')).toContain('--max-overflow is for databases only');
    expect(await wrong(url, '--profile=direct')).toContain('--profile direct is for databases');
    expect(await wrong('--profile=large')).toContain('--profile large is for HTTP');
    expect(await wrong('--method=HEAD')).toContain('--method is for HTTP only');
    expect(await wrong(url, '--body=x')).toContain('a body does not go with --method GET');
    expect(await wrong(url, '--header=X')).toContain("it is not like 'Accept: text/html'");
    const cannon = await wrong(url, '--engine=autocannon', '--pool-size=3', '--test-type=rate');
    expect(cannon).toContain('--pool-size does not count with --engine autocannon');
    expect(cannon).toContain('--engine autocannon goes with --test-type concurrent only');
  });
});

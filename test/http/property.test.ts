import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../src/base/random.js';
import type { HttpPool } from '../../src/http/index.js';
import { eventually } from '../helpers/eventually.js';
import { certificate, Opened, type Peer } from './peers.js';

const opened = new Opened();
afterEach(() => opened.close());

const METHODS = ['GET', 'PUT', 'POST'] as const;

/** What a server may do with a request; the name is in the path, so that the server needs no memory. */
const FAULTS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  ok: (response) => response.end('ok'),
  slow: (response) => void setTimeout(() => response.end('ok'), 15),
  big: (response) => response.end(Buffer.alloc(300_000)),
  busy: (response) => response.writeHead(503).end('no'),
  error: (response) => response.writeHead(500, { connection: 'close' }).end('no'),
  refused: (response) => response.writeHead(401).end('no'),
  cut: (response) => response.socket?.destroy(),
  reset: (response) => response.socket?.resetAndDestroy(),
  half: (response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half', () => response.socket?.destroy());
  },
  last: (response) => response.setHeader('connection', 'close').end('ok'),
};

interface Tally {
  readonly sent: Map<string, number>;
  readonly responses: number;
  readonly errors: number;
  readonly aborted: number;
}

/** Requests at random, some aborted, some with bodies that are not read. Each has a path of its own. */
async function load(
  pool: HttpPool,
  urls: readonly string[],
  random: Random,
  requests: number,
): Promise<Tally> {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  let [responses, errors, aborted] = [0, 0, 0];
  const sent = new Map<string, number>();
  const one = async (at: number): Promise<void> => {
    const method = pick(METHODS);
    // A healthy half, or all circuits would be open.
    const fault = random() < 0.5 ? 'ok' : pick(Object.keys(FAULTS));
    const path = `/${at}/${fault}`;
    const abort = new AbortController();
    const giveUp = random() < 0.1;
    const read = random() < 0.9;
    if (giveUp) setTimeout(() => abort.abort(), random() * 10);
    try {
      const response = await pool.request(`${pick(urls)}${path}`, {
        method,
        body: method === 'GET' ? null : 'x'.repeat(Math.floor(random() * 2000)),
        signal: abort.signal,
      });
      sent.set(`${method} ${path}`, response.timing.attempts);
      if (read) await response.body.bytes();
      else response.body.on('error', () => {}).destroy();
      responses++;
    } catch (error) {
      if (abort.signal.aborted) aborted++;
      else if (String((error as { code?: string }).code).startsWith('ERR_HTTP_')) errors++;
      else throw error;
    }
  };
  let next = 0;
  await Promise.all(
    Array.from({ length: 24 }, async () => {
      while (next < requests) await one(next++);
    }),
  );
  return { sent, responses, errors, aborted };
}

async function seenBy(peers: readonly Peer[]): Promise<Map<string, number>> {
  return new Map(peers.flatMap(({ seen }) => [...seen]));
}

describe('random requests with random faults', () => {
  it.each([1, 2, 3])('end in what the servers have counted, with seed %i', async (seed) => {
    const serve = () =>
      opened.http((request, response) => {
        request.resume().on('end', () => FAULTS[request.url?.split('/')[2] ?? '']?.(response));
      });
    const peers = await Promise.all([serve(), serve(), serve()]);
    const pool = opened.pool({
      maxConnections: 8,
      maxKeepalive: 4,
      breaker: false,
      retry: { total: 2, backoffFactor: 0.005, budgetShare: 1 },
      timeouts: { poolMs: 20_000, readMs: 20_000 },
    });
    let most = 0;
    pool.on('open', () => {
      most = Math.max(most, pool.snapshot().live);
    });
    const requests = 300;
    const tally = await load(
      pool,
      peers.map(({ url }) => url),
      seededRandom(seed),
      requests,
    );
    await eventually(() => pool.snapshot().inUse === 0);
    const { http, counters, waiting, idle, live, holders } = pool.snapshot();
    const seen = await seenBy(peers);
    const twice = [...seen].filter(([what, times]) => what.startsWith('POST') && times > 1);
    const arrived = [...seen.values()].reduce((total, times) => total + times, 0);
    expect(twice).toEqual([]);
    expect(most).toBeLessThanOrEqual(8);
    expect(tally.responses + tally.errors + tally.aborted).toBe(requests);
    expect(http.requests).toBe(requests);
    expect(http.succeeded + http.failed + http.aborted).toBe(requests);
    // A request that was aborted, or met a closed connection, may have been sent and not have arrived.
    expect(http.sent).toBeGreaterThanOrEqual(arrived);
    expect(http.sent - arrived).toBeLessThanOrEqual(
      http.retries.stale + http.retries.lost + http.aborted + http.failed,
    );
    for (const [what, attempts] of tally.sent) expect(seen.get(what) ?? 0).toBeLessThanOrEqual(attempts);
    expect(counters.acquired).toBe(counters.released);
    expect(counters.created).toBe((counters.destroyed ?? 0) + live);
    expect({ waiting, holders, inUse: live - idle }).toEqual({ waiting: 0, holders: [], inUse: 0 });
    expect(tally.errors).toBeGreaterThan(0);
    expect(http.retries.status).toBeGreaterThan(0);
  });

  it('without faults are exactly as many as the server has seen, over HTTP/1.1 and HTTP/2', async () => {
    const plain = await opened.http((request, response) =>
      request.resume().on('end', () => response.end('ok')),
    );
    const multi = await opened.h2((stream) => {
      stream.resume().on('end', () => stream.end('ok'));
    });
    const pool = opened.pool({
      http2: 'auto',
      tls: { ca: certificate },
      maxConnections: 6,
      timeouts: { poolMs: 20_000 },
    });
    const random = seededRandom(7);
    await Promise.all(
      Array.from({ length: 300 }, async (_, at) => {
        const method = METHODS[Math.floor(random() * 3)] as string;
        const url = random() < 0.5 ? plain.url : multi.url;
        const { body } = await pool.request(`${url}/${at}`, {
          method,
          body: method === 'GET' ? null : 'buy',
        });
        expect(await body.text()).toBe('ok');
      }),
    );
    const seen = await seenBy([plain, multi]);
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
    const { http, counters } = pool.snapshot();
    expect([seen.size, http.sent, http.succeeded, counters.acquired]).toEqual([300, 300, 300, 300]);
  });
});

import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpPool, HttpPoolOptions } from '../../src/http/index.js';
import { certificate, Opened, textOf } from './peers.js';

const opened = new Opened();
afterEach(() => opened.close());

const poolOf = (options: HttpPoolOptions): HttpPool =>
  opened.pool({ breaker: false, retry: false, ...options });

/** Callers that ask until the end, each again after its answer; the statuses that they got. */
async function loadUntil(
  pool: HttpPool,
  url: string,
  callers: number,
  isOver: () => boolean,
): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  const caller = async (): Promise<void> => {
    while (!isOver()) {
      const { statusCode, body } = await pool.request(url);
      await body.dump();
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return statuses;
}

/** A server that counts the requests in progress. */
class Counted {
  now = 0;
  peak = 0;

  enter(): void {
    this.now++;
    this.peak = Math.max(this.peak, this.now);
  }
}

describe('an adaptive HTTP pool', () => {
  it('never has more requests in progress than its size, and opens no more connections', async () => {
    const counted = new Counted();
    const { url } = await opened.http((_, response) => {
      counted.enter();
      setTimeout(() => {
        counted.now--;
        response.end('ok');
      }, 2);
    });
    const pool = poolOf({ sizing: { min: 1, max: 4 }, maxConnections: 30 });
    expect(pool.snapshot()).toMatchObject({ size: 4 });
    const texts = await Promise.all(Array.from({ length: 100 }, () => textOf(pool.request(`${url}/`))));
    expect(new Set(texts)).toEqual(new Set(['ok']));
    expect(counted.peak).toBeLessThanOrEqual(4);
    expect(pool.snapshot().counters.created).toBeLessThanOrEqual(4);
    expect(pool.snapshot().http.origins[0]?.sizing).toMatchObject({ min: 1, max: 4 });
    expect(pool.snapshot().sizing).toMatchObject({ min: 1, max: 4 });
  });

  it('serves everybody while the size changes, also requests that must not be sent twice', async () => {
    const { url } = await opened.http((_, response) => setTimeout(() => response.end('ok'), 1));
    const pool = poolOf({ sizing: { min: 1, max: 16 }, maxConnections: 16 });
    const post = { method: 'POST', body: '{}' };
    let asked = 0;
    const caller = async (n: number): Promise<void> => {
      for (; asked < 1200; asked++) await textOf(pool.request(`${url}/`, n % 3 === 0 ? post : {}));
    };
    await Promise.all(Array.from({ length: 40 }, (_, n) => caller(n)));
    const { http, waiting, inUse, live } = pool.snapshot();
    expect(http).toMatchObject({ failed: 0, active: 0 });
    expect({ waiting, inUse }).toEqual({ waiting: 0, inUse: 0 });
    expect(live).toBeLessThanOrEqual(16);
  });

  it('stays below what a server refuses with 503', async () => {
    const counted = new Counted();
    const answer = (response: ServerResponse): void => {
      counted.now--;
      response.end();
    };
    const { url } = await opened.http((_, response) => {
      counted.enter();
      if (counted.now > 6) response.statusCode = 503;
      setTimeout(() => answer(response), response.statusCode === 503 ? 0 : 3);
    });
    const pool = poolOf({ sizing: { min: 1, max: 30 }, maxConnections: 30 });
    let asked = 0;
    const statuses = await loadUntil(pool, `${url}/`, 40, () => ++asked > 1000);
    expect(pool.snapshot().sizing?.ceiling).toBeLessThan(10);
    // The first burst is larger than the limit, and each step beyond it is refused once.
    expect(statuses.get(503)).toBeLessThan(200);
    expect(pool.snapshot().http.failed).toBe(0);
  });

  it.each([
    [1, 2],
    [8, 16],
  ])('knows that HTTP/2 with %i streams at once allows %i over two connections', async (streams, most) => {
    const peer = await opened.h2(
      (stream) =>
        setTimeout(() => {
          stream.respond({ ':status': 200 });
          stream.end('ok');
        }, 2),
      { maxConcurrentStreams: streams },
    );
    const pool = poolOf({ sizing: { min: 1, max: 50 }, maxConnections: 2, tls: { ca: certificate } });
    await Promise.all(Array.from({ length: 100 }, () => textOf(pool.request(`${peer.url}/`))));
    const { sizing, http } = pool.snapshot();
    expect(sizing?.ceiling).toBe(most);
    expect(sizing?.size).toBeLessThanOrEqual(most);
    expect(http.failed).toBe(0);
    expect(peer.peakStreams).toBeLessThanOrEqual(most);
  });

  it.each<[HttpPoolOptions, RegExp]>([
    [{ sizing: { min: 0 } }, /sizing.min must be a whole number from 1, got 0/],
    [{ sizing: 'auto' as never }, /sizing must be 'fixed', 'adaptive' or \{ min, max \}/],
  ])('%j is refused', (options, problem) => {
    expect(() => poolOf(options)).toThrow(problem);
  });
});

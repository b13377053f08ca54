import { afterEach, describe, expect, it } from 'vitest';
import { createHttpPool, type HttpPool, type HttpPoolOptions } from '../../src/http/index.js';
import { eventually } from '../helpers/eventually.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { Opened, onRequestText, textOf } from '../http/peers.js';
import { type Application, provesRepair } from './applications.js';

const opened = new Opened();
afterEach(() => opened.close());

function http(
  options: HttpPoolOptions,
  work: (pool: HttpPool, given: HttpPoolOptions) => Promise<unknown>,
): Application {
  return {
    options: { name: 'llm', retry: { backoffFactor: 0.001 }, ...options },
    async start(given) {
      const pool = createHttpPool(given as HttpPoolOptions);
      await work(pool, given);
      return { pools: [pool], end: () => pool.close({ graceMs: 0 }) };
    },
  };
}

describe('a check of HTTP connections', () => {
  it.each<[string, HttpPoolOptions, string, RegExp]>([
    ['few are kept', { maxKeepalive: 1 }, 'llm: 6.7 %', /set maxKeepalive: 20$/],
    ['none is kept for long', { keepaliveExpiryMs: 0 }, 'llm: 0 %', /set keepaliveExpiryMs: 60000$/],
  ])('http-reuse: %s', async (_, options, summary, step) => {
    const server = await opened.http((_request, response) => response.end('ok'));
    const application = http(options, async (pool, { maxKeepalive = 10, keepaliveExpiryMs }) => {
      const kept = keepaliveExpiryMs === 0 ? 0 : maxKeepalive;
      for (let i = 0; i < 3; i++) {
        await Promise.all(Array.from({ length: 10 }, () => textOf(pool.request(`${server.url}/`))));
        await eventually(() => pool.snapshot().inUse === 0 && pool.snapshot().live <= kept);
      }
    });
    const [before, after] = await provesRepair('http-reuse', 'warn', application);
    expect(before.summary).toBe(`${summary} of 30 attempts reused a connection`);
    expect(before.fix?.steps[0]?.text).toMatch(step);
    expect(after.summary).toBe('llm: 66.7 % of 30 attempts reused a connection');
  });

  it('http-timeouts: answers take longer than is waited for', async () => {
    const server = await opened.http((_, response) => void setTimeout(() => response.end('ok'), 150));
    const application = http({ timeouts: { readMs: 20 }, retry: false }, async (pool) => {
      await textOf(pool.request(`${server.url}/`)).catch(() => {});
    });
    const [before] = await provesRepair('http-timeouts', 'fail', application);
    expect(before).toMatchObject({
      summary: 'llm: 1 of 1 attempts timed out (100 %)',
      evidence: ['read 1'],
    });
  });

  it('http-resets: a server that forgets idle connections', async () => {
    let clock = new VirtualClock();
    // Who has been silent for 20 s is hung up on as soon as he speaks.
    const server = await opened.tcp((socket) => {
      let heardAt: number | null = null;
      onRequestText(socket, () => {
        if (heardAt !== null && clock.now() - heardAt >= 20_000) return void socket.destroy();
        heardAt = clock.now();
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      });
    });
    const application = http({}, async (pool) => {
      for (let i = 0; i < 4; i++) {
        await textOf(pool.request(`${server.url}/`));
        await clock.advance(20_000);
      }
    });
    const [before] = await provesRepair('http-resets', 'warn', {
      ...application,
      start(given) {
        clock = new VirtualClock();
        return application.start({ ...given, clock });
      },
    });
    expect(before.evidence).toEqual(['idle connections stay open for 30s']);
    expect(before.fix?.steps[0]?.text).toMatch(/set keepaliveExpiryMs: 15000$/);
  });

  it('http-circuits: a server that fails', async () => {
    let broken = true;
    const server = await opened.http((_, response) => {
      response.statusCode = broken ? 500 : 200;
      response.end('ok');
    });
    const options = { retry: false, breaker: { minCalls: 2 } } as const;
    const application: Application = {
      ...http(options, async (pool) => {
        for (let i = 0; i < 3; i++) await textOf(pool.request(`${server.url}/`)).catch(() => {});
      }),
      repair(texts) {
        expect(texts).toEqual([expect.stringContaining(`repair http://127.0.0.1:${server.port}`)]);
        broken = false;
        return { name: 'llm', ...options };
      },
    };
    const [before] = await provesRepair('http-circuits', 'fail', application);
    expect(before.summary).toBe('llm: 1 of 1 circuits are open');
  });
});

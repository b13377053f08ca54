import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { Breaker } from '../../src/http/breaker.js';
import { createHttpPool } from '../../src/http/index.js';
import { RetryBudget } from '../../src/http/retry.js';
import { certificate, Opened } from './peers.js';
import { findCounterExample } from './property/decisions.js';
import { METHODS, problemsUnderLoad, seenBy } from './property/load.js';

/** More runs and other seeds: POOLCTL_PROPERTY_RUNS=5000 POOLCTL_PROPERTY_SEED=7 npx vitest run test/http/property */
const runs = Number(process.env.POOLCTL_PROPERTY_RUNS ?? 300);
const seed = Number(process.env.POOLCTL_PROPERTY_SEED ?? 20_260_101);

const opened = new Opened();
afterEach(() => opened.close());

it(`a call is let through or not as a model of it says (${runs} interleavings, seed ${seed})`, async () => {
  expect(await findCounterExample({ Breaker, RetryBudget }, { runs, seed })).toBeNull();
});

describe('random requests with random faults', () => {
  it.each([1, 2, 3])('end in what the servers have counted, with seed %i', async (each) => {
    expect(await problemsUnderLoad(createHttpPool, opened, each)).toEqual([]);
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
    const seen = seenBy([plain, multi]);
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
    const { http, counters } = pool.snapshot();
    expect([seen.size, http.sent, http.succeeded, counters.acquired]).toEqual([300, 300, 300, 300]);
  });
});

import { describe, expect, it } from 'vitest';
import type { LeakReport } from '../../src/pool/leak-watch.js';
import type { PoolOptions } from '../../src/pool/options.js';
import type { Thing } from '../helpers/fake-driver.js';
import { acquireMany, newPool, type Pooled, releaseAll } from '../helpers/pools.js';

interface Watched extends Pooled {
  readonly leaks: LeakReport[];
  readonly returned: LeakReport[];
}

function newWatchedPool(options: Partial<PoolOptions<Thing>> = {}): Watched {
  const pooled = newPool({ size: 50, leakWatch: { thresholdMs: 1000 }, ...options });
  const leaks: LeakReport[] = [];
  const returned: LeakReport[] = [];
  pooled.pool.on('leak', (report) => leaks.push(report));
  pooled.pool.on('leakReturned', (report) => returned.push(report));
  return { ...pooled, leaks, returned };
}

describe('a lease that stays out', () => {
  it('is reported as soon as it has passed the threshold, with its place and its age', async () => {
    const { pool, clock, leaks } = newWatchedPool();
    await pool.acquire();
    await clock.advance(999);
    expect(leaks).toEqual([]);
    await clock.advance(1);
    expect(leaks).toEqual([
      {
        pool: 'things',
        site: expect.stringMatching(/leak-watch\.test\.ts:\d+:\d+$/),
        stack: expect.stringContaining('leak-watch.test.ts'),
        leaseId: 1,
        ageMs: 1000,
        count: 1,
      },
    ]);
    await clock.advance(10_000);
    expect(leaks).toHaveLength(1);
    expect(pool.snapshot().counters.leaked).toBe(1);
  });

  it('is measured from its own beginning, whichever was reported before', async () => {
    const { pool, clock, leaks } = newWatchedPool();
    await pool.acquire();
    await clock.advance(600);
    const short = await pool.acquire();
    await clock.advance(300);
    short.release();
    await pool.acquire();
    await clock.advance(100);
    expect(leaks.map(({ leaseId }) => leaseId)).toEqual([1]);
    await clock.advance(899);
    expect(leaks).toHaveLength(1);
    await clock.advance(1);
    expect(leaks.map(({ leaseId, ageMs }) => [leaseId, ageMs])).toEqual([
      [1, 1000],
      [3, 1000],
    ]);
  });

  it('is reported in time also when something else is due much later', async () => {
    const { pool, clock, leaks } = newWatchedPool({ maxIdleMs: 600_000, keepaliveMs: 300_000 });
    releaseAll(await acquireMany(pool, 3));
    await clock.advance(5000);
    await pool.acquire();
    await clock.advance(1000);
    expect(leaks).toHaveLength(1);
  });

  it('is said to be returned after all when it comes back', async () => {
    const { pool, clock, leaks, returned } = newWatchedPool();
    const lease = await pool.acquire();
    await clock.advance(2500);
    lease.release();
    expect(returned).toEqual([{ ...leaks[0], ageMs: 2500 }]);
    const quick = await pool.acquire();
    quick.release();
    expect(returned).toHaveLength(1);
  });

  it('is not reported again under the next borrower of the same resource', async () => {
    const { pool, clock, leaks, returned } = newWatchedPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    await clock.advance(1500);
    lease.release();
    const next = await pool.acquire();
    await clock.advance(999);
    expect([leaks.length, returned.length]).toEqual([1, 1]);
    await clock.advance(1);
    expect(leaks.map(({ leaseId }) => leaseId)).toEqual([lease.id, next.id]);
  });

  it('is not reported if it was told not to be, or not watched at all', async () => {
    for (const leakWatch of [false, { thresholdMs: null }] as const) {
      const { pool, clock, leaks } = newWatchedPool({ leakWatch });
      await pool.acquire();
      await clock.advance(3_600_000);
      expect(leaks).toEqual([]);
    }
  });

  it('has a minute by default', async () => {
    const { pool, clock, leaks } = newWatchedPool({ leakWatch: true });
    await pool.acquire();
    await clock.advance(59_999);
    expect(leaks).toEqual([]);
    await clock.advance(1);
    expect(leaks).toHaveLength(1);
  });
});

describe('a line that leaks', () => {
  it('makes one report for all its leases that are found together, and each line its own', async () => {
    const { pool, clock, leaks } = newWatchedPool();
    for (let i = 0; i < 3; i++) await pool.acquire();
    for (let i = 0; i < 2; i++) await pool.acquire();
    await clock.advance(1000);
    expect(leaks.map(({ leaseId, count }) => [leaseId, count])).toEqual([
      [1, 3],
      [4, 2],
    ]);
    expect(leaks[0]?.site).not.toBe(leaks[1]?.site);
    expect(pool.snapshot().counters.leaked).toBe(5);
  });

  it('is told of again only when its leases have doubled in number', async () => {
    const { pool, clock, leaks } = newWatchedPool({ size: 0 });
    for (let i = 0; i < 40; i++) {
      await pool.acquire();
      await clock.advance(100);
    }
    await clock.advance(1000);
    expect(leaks.map(({ count }) => count)).toEqual([1, 2, 4, 8, 16, 32]);
    expect(pool.snapshot().counters.leaked).toBe(40);
  });

  it('is counted when its leases come back, each of which is told', async () => {
    const { pool, clock, returned } = newWatchedPool();
    const leases = await acquireMany(pool, 3);
    await clock.advance(1000);
    releaseAll(leases);
    expect(returned.map(({ leaseId, count }) => [leaseId, count])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
  });
});

describe('watching closely', () => {
  /** Acquires and releases at an even rate, and counts the leases of which the place was known. */
  async function sampled({ pool, clock }: Pooled, perSecond: number, seconds: number): Promise<number[]> {
    const known: number[] = [];
    for (let second = 0; second < seconds; second++) {
      let sites = 0;
      for (let i = 0; i < perSecond; i++) {
        const lease = await pool.acquire();
        if (pool.snapshot().holders[0]?.site !== null) sites++;
        lease.release();
        clock.block(1000 / perSecond);
      }
      known.push(sites);
    }
    return known;
  }

  it('is done for every acquire below the budget', async () => {
    const pooled = newWatchedPool({ leakWatch: { samplesPerSecond: 100 } });
    expect(await sampled(pooled, 100, 3)).toEqual([100, 100, 100]);
  });

  it('is done for a sample above it, within the budget', async () => {
    const pooled = newWatchedPool({ leakWatch: { samplesPerSecond: 100 } });
    const known = await sampled(pooled, 2000, 4);
    for (const sites of known) expect(sites).toBeLessThanOrEqual(101);
    // The first second is used up by its first acquires; from then on the sample is even, and near the budget.
    for (const sites of known.slice(1)) expect(sites).toBeGreaterThan(60);
  });

  it('is done for every acquire again when they have become few', async () => {
    const pooled = newWatchedPool({ leakWatch: { samplesPerSecond: 100 } });
    await sampled(pooled, 2000, 3);
    const known = await sampled(pooled, 50, 4);
    // That they have become few is known when a second is over.
    expect(known.slice(2)).toEqual([50, 50]);
  });

  it('is done for the very next one where it has been quiet since a rush', async () => {
    const pooled = newWatchedPool({ leakWatch: { samplesPerSecond: 100 } });
    await sampled(pooled, 2000, 2);
    await pooled.clock.advance(120_000);
    expect(await sampled(pooled, 1, 3)).toEqual([1, 1, 1]);
  });

  it('misses no leak: one that was not sampled is reported without its place', async () => {
    const { pool, clock, leaks } = newWatchedPool({ leakWatch: { thresholdMs: 1000, samplesPerSecond: 1 } });
    await acquireMany(pool, 4);
    await clock.advance(1000);
    expect(leaks).toMatchObject([
      { leaseId: 1, site: expect.any(String), count: 1 },
      { leaseId: 2, site: null, stack: null, count: 3 },
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { createDatabase } from '../../src/db/database.js';
import { QueuePool } from '../../src/pool/queue-pool.js';
import { expectNoLeaks, LeakError, type LeakTarget } from '../../src/testing/index.js';
import { FakeDriver, type Thing } from '../helpers/fake-driver.js';
import { collectGarbage } from '../helpers/garbage.js';
import { acquireMany, newPool, releaseAll } from '../helpers/pools.js';

/** The error that it throws; null if it throws none. */
function leaksOf(...targets: readonly LeakTarget[]): LeakError | null {
  try {
    expectNoLeaks(...targets);
    return null;
  } catch (error) {
    if (error instanceof LeakError) return error;
    throw error;
  }
}

describe('expectNoLeaks', () => {
  it('is content where every lease is back, or was invalidated or detached', async () => {
    const { pool } = newPool();
    const [released, invalidated, detached] = await acquireMany(pool, 3);
    released?.release();
    invalidated?.invalidate();
    detached?.detach();
    expect(leaksOf(pool)).toBeNull();
    expect(leaksOf()).toBeNull();
  });

  it('names each lease that is out with its age and the line that acquired it', async () => {
    const { pool, clock } = newPool({ name: 'orders' });
    const first = await pool.acquire();
    await clock.advance(12_000);
    const second = await pool.acquire();
    await clock.advance(40);
    const error = leaksOf(pool);
    expect(error?.message.replaceAll(/\S*(expect-no-leaks\.test\.ts):\d+:\d+/g, '$1:LINE')).toBe(
      [
        '2 leases were not released (ERR_LEAK)',
        "  lease 1 of 'orders', out for 12 s, acquired at expect-no-leaks.test.ts:LINE",
        "  lease 2 of 'orders', out for 40 ms, acquired at expect-no-leaks.test.ts:LINE",
        '  hint: close in a finally, hold it with `using` or `await using`, or borrow through withSession() or use()',
      ].join('\n'),
    );
    expect(error).toMatchObject({
      ...{ name: 'LeakError', code: 'ERR_LEAK', waiting: 0 },
      leaks: [
        { pool: 'orders', leaseId: 1, ageMs: 12_040, collected: false },
        { pool: 'orders', leaseId: 2, ageMs: 40, collected: false },
      ],
    });
    expect(error?.stack?.split('\n')[4]).toMatch(/^ {4}at .*expect-no-leaks\.test\.ts:\d+:\d+/);
    releaseAll([first, second]);
    expect(leaksOf(pool)).toBeNull();
  });

  it('says so where the pool did not sample the line', async () => {
    const { pool } = newPool({ leakWatch: false, histograms: false });
    const lease = await pool.acquire();
    expect(leaksOf(pool)?.message).toContain(
      'out for an unknown time, acquired at a place that is not known',
    );
    lease.release();
  });

  it('counts an acquire that still waits', async () => {
    const { pool } = newPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    const waiting = [pool.acquire(), pool.acquire()];
    expect(leaksOf(pool)).toMatchObject({
      waiting: 2,
      message: expect.stringContaining('1 lease was not released, and 2 acquires still wait'),
    });
    lease.release();
    for (const each of waiting) (await each).release();
    expect(leaksOf(pool)).toBeNull();
  });

  it('counts a lease that the garbage collector has found, once', async () => {
    const pool = new QueuePool<Thing>({ driver: new FakeDriver(), name: 'orders' });
    await (async () => void (await pool.acquire()))();
    await collectGarbage(() => pool.snapshot().counters.collected > 0);
    expect(leaksOf(pool)).toMatchObject({
      leaks: [{ pool: 'orders', collected: true, ageMs: null }],
      message: expect.stringContaining("a lease of 'orders', dropped and garbage-collected"),
    });
    expect(leaksOf(pool)).toBeNull();
    await pool.close();
  });

  it('looks at several pools and databases at once', async () => {
    const { pool } = newPool({ name: 'things' });
    const db = createDatabase('sqlite::memory:?mode=inline');
    const lease = await pool.acquire();
    const session = await db.getDb();
    expect(leaksOf(db, pool)?.leaks.map((leak) => leak.pool)).toEqual(['sqlite::memory:', 'things']);
    lease.release();
    await session.close();
    expect(leaksOf(db, pool)).toBeNull();
    await db.close();
  });
});

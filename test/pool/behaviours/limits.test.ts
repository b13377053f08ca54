import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import type { Lease } from '../../../src/pool/lease.js';
import type { Thing } from '../../helpers/fake-driver.js';
import { acquireMany, follow, later, never, newPool, releaseAll, statusOf } from '../../helpers/pools.js';

/** Ported from SQLAlchemy's tests of its pool: how many resources there are, and who gets them. */
describe('a pool like QueuePool: limits', () => {
  it('8. goes through the exact figures of size, idle, overflow (from minus the size) and out', async () => {
    const { pool } = newPool({ size: 3, maxOverflow: -1 });
    const seen: number[][] = [];
    const leases: Lease<Thing>[] = [];
    for (let i = 0; i < 6; i++) {
      leases.push(await pool.acquire());
      seen.push(statusOf(pool));
    }
    releaseAll(leases.splice(0, 3));
    seen.push(statusOf(pool));
    releaseAll(leases);
    seen.push(statusOf(pool));
    const [first] = await acquireMany(pool, 2);
    seen.push(statusOf(pool));
    first?.release();
    seen.push(statusOf(pool));
    expect(seen).toEqual([
      [3, 0, -2, 1],
      [3, 0, -1, 2],
      [3, 0, 0, 3],
      [3, 0, 1, 4],
      [3, 0, 2, 5],
      [3, 0, 3, 6],
      [3, 3, 3, 3],
      [3, 3, 0, 0],
      [3, 1, 0, 2],
      [3, 2, 0, 1],
    ]);
  });

  it('9. reuses an idle connection before it opens a new one', async () => {
    const { pool, driver } = newPool({ size: 3, maxOverflow: 2 });
    const [first] = await acquireMany(pool, 2);
    first?.release();
    const again = await pool.acquire();
    expect(again.resource.id).toBe(1);
    expect(driver.creates).toBe(2);
  });

  it('9. lends the one that came back first with FIFO', async () => {
    const { pool } = newPool({ size: 3 });
    releaseAll(await acquireMany(pool, 3));
    const ids = (await acquireMany(pool, 3)).map(({ resource }) => resource.id);
    expect(ids).toEqual([1, 2, 3]);
  });

  it('9. lends the one that came back last with LIFO', async () => {
    const { pool } = newPool({ size: 3, lifo: true });
    releaseAll(await acquireMany(pool, 3));
    const third = await pool.acquire();
    const second = await pool.acquire();
    const ids = [third.resource.id, second.resource.id];
    second.release();
    for (const { resource } of await acquireMany(pool, 2)) ids.push(resource.id);
    expect(ids).toEqual([3, 2, 2, 1]);
  });

  it('10. says size, overflow and timeout when it is exhausted, and never before the time is over', async () => {
    const { pool, clock } = newPool({ size: 2, maxOverflow: 1, timeoutMs: 2000 });
    const leases = await acquireMany(pool, 3);
    const waiting = follow(pool.acquire(), clock);
    await clock.advance(1999);
    expect(waiting.state).toBe('pending');
    await clock.advance(1);
    expect(waiting).toMatchObject({ state: 'rejected', atMs: 2000, error: { code: 'ERR_POOL_TIMEOUT' } });
    expect(waiting.error?.message).toContain('timed out after 2,000 ms');
    expect(waiting.error?.message).toContain('has 2 + 1 overflow in use (limit 2 + 1)');
    releaseAll(leases);
    expect(statusOf(pool)).toEqual([2, 2, 0, 0]);
  });

  it('11. lets those that lost the race for the last slot wait again, all for the full timeout', async () => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 1, timeoutMs: 3000 });
    driver.steps.create = () => later(clock, 50);
    const waited: number[] = [];
    let served = 0;
    const callers = Array.from({ length: 10 }, async () => {
      const since = clock.now();
      try {
        const lease = await pool.acquire();
        await later(clock, 4000);
        served++;
        lease.release();
      } catch {
        waited.push(clock.now() - since);
      }
    });
    await clock.run(Promise.all(callers));
    expect(served).toBe(3);
    expect(waited).toHaveLength(7);
    for (const ms of waited) expect(ms).toBeGreaterThanOrEqual(3000);
  });

  it.each([0, 5])(
    '12. keeps to a maximum overflow of %i under 40 workers, and can close all',
    async (maxOverflow) => {
      const { pool, clock, driver } = newPool({ size: 3, maxOverflow, timeoutMs: null });
      driver.steps.create = () => later(clock, 20);
      driver.steps.destroy = () => later(clock, 5);
      const random = seededRandom(12);
      let mostOverflow = 0;
      const workers = Array.from({ length: 40 }, async () => {
        for (let round = 0; round < 8; round++) {
          const lease = await pool.acquire();
          mostOverflow = Math.max(mostOverflow, pool.snapshot().overflow);
          await later(clock, 50 + random() * 100);
          lease.release();
        }
      });
      await clock.run(Promise.all(workers));
      expect(mostOverflow).toBe(maxOverflow);
      expect(driver.peakOpen).toBe(3 + maxOverflow);
      await clock.run(pool.dispose());
      expect({ open: driver.open, live: pool.snapshot().live }).toEqual({ open: 0, live: 0 });
    },
  );

  it('13. closes overflow connections when they come back, and keeps the others', async () => {
    const { pool, driver } = newPool({ size: 2, maxOverflow: 2 });
    for (let round = 0; round < 5; round++) releaseAll(await acquireMany(pool, 4));
    expect({ made: driver.creates, closed: driver.closes, kept: driver.open }).toEqual({
      made: 12,
      closed: 10,
      kept: 2,
    });
    expect(driver.things.filter(({ closedAs }) => closedAs === 'overflow')).toHaveLength(10);
  });

  it('14. gives the slot of a failed connect back', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0 });
    driver.steps.create = () => {
      throw new Error('no server');
    };
    for (let i = 0; i < 5; i++) {
      const failed = clock.run(pool.acquire());
      await expect(failed).rejects.toMatchObject({
        code: 'ERR_POOL_CREATE',
        cause: { message: 'no server' },
      });
      expect(statusOf(pool)).toEqual([1, 0, -1, 0]);
    }
    delete driver.steps.create;
    const lease = await clock.run(pool.acquire());
    expect(lease.resource.id).toBe(1);
    expect(statusOf(pool)).toEqual([1, 0, 0, 1]);
  });

  it('15. lets a hanging connect block nobody else', async () => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 2, timeoutMs: 10_000 });
    releaseAll(await acquireMany(pool, 2));
    const held = await acquireMany(pool, 2);
    driver.steps.create = never;
    const hanging = follow(
      pool.use(() => later(clock, 100)),
      clock,
    );
    await clock.settle();
    delete driver.steps.create;
    const served: number[] = [];
    const others = [0, 1, 2, 3, 4, 5].map((user) =>
      pool.use(async () => {
        await later(clock, 100);
        served.push(user);
      }),
    );
    await clock.run(Promise.all(others));
    expect(served).toEqual([0, 1, 2, 3, 4, 5]);
    // Nothing is tied to the create that hangs: its caller was served by what the next one opened.
    expect(hanging.state).toBe('fulfilled');
    expect(pool.snapshot()).toMatchObject({ creating: 1, waiting: 0 });
    releaseAll(held);
  });

  const wakings = [null, 30_000].flatMap((timeoutMs) =>
    [0, -1, 3].map((maxOverflow) => ({ timeoutMs, maxOverflow })),
  );
  it.each(wakings)('16. wakes waiters on invalidation (%j)', async ({ timeoutMs, maxOverflow }) => {
    const { pool, clock } = newPool({ size: 2, maxOverflow, timeoutMs });
    const held = await acquireMany(pool, 2 + Math.max(0, maxOverflow));
    let served = 0;
    const waiting = [0, 1, 2, 3].map(() =>
      pool.use(async () => {
        served++;
        await later(clock, 100);
      }),
    );
    await clock.advance(200);
    if (maxOverflow >= 0) expect(served).toBe(0);
    for (const lease of held) lease.invalidate();
    await clock.run(Promise.all(waiting));
    expect(served).toBe(4);
    expect(clock.now()).toBeLessThan(1000);
  });

  it('17. serves five waiters of a pool of one with a single new connect after an invalidation', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0 });
    const held = await pool.acquire();
    const served: number[] = [];
    const waiting = [0, 1, 2, 3, 4].map((user) =>
      pool.use(async () => {
        await later(clock, 10);
        served.push(user);
      }),
    );
    await clock.advance(500);
    held.invalidate();
    await clock.run(Promise.all(waiting));
    expect(served).toEqual([0, 1, 2, 3, 4]);
    expect(driver.creates).toBe(2);
  });
});

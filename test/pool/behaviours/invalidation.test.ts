import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import type { PoolEvents } from '../../../src/pool/events.js';
import { Disconnect, type Thing } from '../../helpers/fake-driver.js';
import { acquireMany, later, newPool, releaseAll, statusOf } from '../../helpers/pools.js';

type Invalidated = PoolEvents<Thing>['invalidate'];

/** Ported from SQLAlchemy's tests of its pool: how bad resources are replaced. */
describe('a pool like QueuePool: invalidation', () => {
  it('26. invalidate closes at once, empties the lease and frees the slot; a release after it does nothing', async () => {
    const { pool, driver } = newPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    lease.invalidate();
    expect(driver.things[0]?.closedAs).toBe('invalidated');
    expect(lease.active).toBe(false);
    expect(() => lease.resource).toThrow(expect.objectContaining({ code: 'ERR_LEASE_RELEASED' }));
    expect(statusOf(pool)).toEqual([1, 0, -1, 0]);

    const next = await pool.acquire();
    lease.release();
    expect(next.active).toBe(true);
    expect(statusOf(pool)).toEqual([1, 0, 0, 1]);
    expect(pool.snapshot().counters.doubleReleased).toBe(0);
  });

  it('26. a second invalidate is told as a mistake, and does nothing', async () => {
    const { pool, driver } = newPool({ size: 1, maxOverflow: 0 });
    const told: number[] = [];
    pool.on('doubleRelease', ({ leaseId }) => told.push(leaseId));
    const lease = await pool.acquire();
    lease.invalidate();
    await pool.acquire();
    lease.invalidate();
    expect(told).toEqual([lease.id]);
    expect(driver.open).toBe(1);
    expect(pool.snapshot().counters).toMatchObject({ invalidated: 1, doubleReleased: 1 });
  });

  it.each([
    ['hard', false, new Error('bad')],
    ['hard, for no reason', false, undefined],
    ['soft', true, new Error('bad')],
    ['soft, for no reason', true, undefined],
  ] as const)(
    '27. the event carries connection, slot, and the error or null: %s',
    async (_how, soft, cause) => {
      const { pool } = newPool();
      const events: Invalidated[] = [];
      pool.on('invalidate', (event) => events.push(event));
      const lease = await pool.acquire();
      const { resource } = lease;
      lease.invalidate(cause, { soft });
      expect(events).toEqual([{ resource, slotId: resource.slotId, soft, cause: cause ?? null }]);
    },
  );

  it('28. after a soft invalidation the connection stays usable until its return, then the same slot reconnects', async () => {
    const { pool, driver } = newPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    const { slotInfo } = lease;
    lease.invalidate(undefined, { soft: true });
    expect(lease.resource.id).toBe(1);
    expect(driver.closes).toBe(0);
    lease.release();
    expect(driver.things[0]).toMatchObject({ closedAs: 'invalidated', resets: [] });
    const next = await pool.acquire();
    expect(next.resource.id).toBe(2);
    expect(next.slotInfo).toBe(slotInfo);
    next.release();
    expect((await pool.acquire()).resource.id).toBe(2);
  });

  it('29. a pool-wide invalidation replaces each older connection when it would be lent next', async () => {
    const { pool, driver } = newPool({ size: 3, maxOverflow: 0 });
    const [first, second, third] = await acquireMany(pool, 3);
    releaseAll([first!, second!]);
    pool.invalidateAll(new Error('restarted'));
    expect(driver.closes).toBe(0);
    expect(third?.resource.id).toBe(3);
    const next = await pool.acquire();
    expect(next.resource.id).toBe(4);
    third?.release();
    expect(driver.things.map(({ closedAs }) => closedAs)).toEqual([
      'invalidated',
      'invalidated',
      'invalidated',
      null,
    ]);
    expect(driver.things[2]?.resets).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5])(
    '29. fifteen failures at random times make 15 closes, 30 connects and two generations at most (seed %i)',
    async (seed) => {
      const { pool, clock, driver } = newPool({ size: 15, maxOverflow: 0 });
      const random = seededRandom(seed);
      driver.steps.destroy = () => later(clock, 20 + random() * 200);
      let generations = 1;
      pool.on('invalidateAll', () => generations++);
      const leases = await acquireMany(pool, 15);
      const users = leases.map(async (lease) => {
        await later(clock, random() * 100);
        expect(lease.fail(new Disconnect('gone'))).toBe('disconnect');
        lease.release();
        const again = await pool.acquire();
        await later(clock, 500);
        again.release();
      });
      await clock.run(Promise.all(users));
      await clock.advance(1000);
      expect({ closes: driver.closes, connects: driver.creates }).toEqual({ closes: 15, connects: 30 });
      expect(generations).toBeLessThanOrEqual(2);
      expect(statusOf(pool)).toEqual([15, 15, 0, 0]);
    },
  );

  it('30. an invalidation at any moment of an acquire makes nobody fail', async () => {
    for (let atMs = 0; atMs <= 45; atMs++) {
      const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 1, prePing: true, pingIdleMs: 0 });
      driver.steps.create = () => later(clock, 10);
      driver.steps.ping = () => later(clock, 5);
      pool.hook('acquire', () => later(clock, 5));
      const users = Array.from({ length: 6 }, () => pool.use(() => later(clock, 7)));
      clock.setTimer(() => pool.invalidateAll(new Error('restarted')), atMs);
      await clock.run(Promise.all(users));
      expect(pool.snapshot()).toMatchObject({ inUse: 0, waiting: 0, creating: 0, checking: 0 });
      expect(driver.peakOpen).toBeLessThanOrEqual(3);
    }
  });

  it('31. what a borrower leaves to be called runs on release, once, and not on invalidate', async () => {
    const { pool } = newPool();
    const called: string[] = [];
    const released = await pool.acquire();
    released.onRelease(() => called.push('released'));
    released.release();
    expect(called).toEqual(['released']);
    (await pool.acquire()).release();
    expect(called).toEqual(['released']);

    const invalidated = await pool.acquire();
    invalidated.onRelease(() => called.push('invalidated'));
    invalidated.invalidate();
    invalidated.release();
    (await pool.acquire()).release();
    expect(called).toEqual(['released']);

    const soft = await pool.acquire();
    soft.onRelease(() => called.push('soft'));
    soft.invalidate(undefined, { soft: true });
    expect(called).toEqual(['released']);
    soft.release();
    expect(called).toEqual(['released', 'soft']);
  });

  it('40. a stale connection that comes back is closed, and not reset first', async () => {
    const { pool, driver } = newPool();
    let hooks = 0;
    pool.hook('reset', () => void hooks++);
    const [stale, failing] = await acquireMany(pool, 2);
    failing?.fail(new Disconnect('gone'));
    stale?.release();
    expect(driver.things.map(({ resets, closedAs }) => [resets.length, closedAs])).toEqual([
      [0, 'invalidated'],
      [0, 'invalidated'],
    ]);
    expect(hooks).toBe(0);
  });

  it('52. a disconnect invalidates the pool, a cancellation that connection, an ordinary error nothing', async () => {
    const { pool, driver } = newPool({ size: 3, maxOverflow: 0 });
    const [first, second, third] = await acquireMany(pool, 3);
    expect(first?.fail(new Error('duplicate key'))).toBe('ordinary');
    first?.release();
    expect(driver.closes).toBe(0);

    expect(second?.fail(new DOMException('cancelled', 'AbortError'))).toBe('cancelled');
    second?.release();
    expect(driver.things.map(({ closedAs }) => closedAs)).toEqual([null, 'invalidated', null]);
    const again = await pool.acquire();
    expect(again.resource.id).toBe(1);

    expect(third?.fail(new Disconnect('gone'))).toBe('disconnect');
    third?.release();
    again.release();
    expect(driver.things.map(({ closedAs }) => closedAs)).toEqual([
      'invalidated',
      'invalidated',
      'invalidated',
    ]);
    expect((await pool.acquire()).resource.id).toBe(4);
  });
});

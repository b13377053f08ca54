import { describe, expect, it } from 'vitest';
import type { PoolEvents } from '../../src/pool/events.js';
import { Disconnect, type Thing } from '../helpers/fake-driver.js';
import { follow, later, newPool } from '../helpers/pools.js';

describe('a lease', () => {
  it('is released at the end of its scope by `using`, also on a throw', async () => {
    const { pool } = newPool({ size: 1, maxOverflow: 0 });
    const work = async () => {
      using lease = await pool.acquire();
      expect(pool.snapshot().inUse).toBe(1);
      throw new Error(`at work with ${lease.resource.id}`);
    };
    await expect(work()).rejects.toThrow('at work with 1');
    expect(pool.snapshot()).toMatchObject({ inUse: 0, idle: 1 });
  });

  it.each(['release', 'invalidate', 'detach and release'] as const)(
    'may be ended before the end of its scope: %s',
    async (how) => {
      const { pool, driver } = newPool();
      {
        using lease = await pool.acquire();
        if (how === 'invalidate') lease.invalidate();
        else {
          if (how === 'detach and release') lease.detach();
          lease.release();
        }
      }
      expect(pool.snapshot()).toMatchObject({ inUse: 0, counters: { doubleReleased: 0 } });
      expect(driver.closedTwice).toBe(0);
    },
  );

  it('closes a resource that was detached, at the end of its scope', async () => {
    const { pool, clock, driver } = newPool();
    {
      using lease = await pool.acquire();
      lease.detach();
    }
    await clock.settle();
    expect(driver.things[0]?.closedAs).toBe('detached');
  });

  it('hands out its resource only for as long as it lasts', async () => {
    const { pool } = newPool();
    const lease = await pool.acquire();
    expect(lease).toMatchObject({ id: 1, active: true, resource: { id: 1 } });
    lease.release();
    expect(lease.active).toBe(false);
    const over = { code: 'ERR_LEASE_RELEASED', message: 'lease 1 was used after it had been released' };
    for (const use of [
      () => lease.resource,
      () => lease.info,
      () => lease.slotInfo,
      () => lease.detach(),
      () => lease.onRelease(() => {}),
    ]) {
      expect(use).toThrow(expect.objectContaining(over));
    }
  });

  it('never throws on release, whatever the driver does', async () => {
    const { pool, driver } = newPool();
    driver.steps.reset = () => {
      throw new Error('no reset');
    };
    driver.steps.destroy = () => {
      throw new Error('no close');
    };
    const lease = await pool.acquire();
    expect(() => lease.release()).not.toThrow();
    expect(pool.snapshot()).toMatchObject({ live: 0, inUse: 0 });
  });

  it('ends once: a second release changes nothing, and tells where it was', async () => {
    const { pool } = newPool({ size: 1, maxOverflow: 0 });
    const told: PoolEvents<Thing>['doubleRelease'][] = [];
    pool.on('doubleRelease', (event) => told.push(event));
    const lease = await pool.acquire();
    lease.release();
    const next = await pool.acquire();
    lease.release();
    lease.invalidate();
    expect(told).toEqual([
      { leaseId: 1, site: expect.stringMatching(/lease\.test\.ts:\d+:\d+$/) },
      { leaseId: 1, site: expect.stringMatching(/lease\.test\.ts:\d+:\d+$/) },
    ]);
    expect(told[0]?.site).not.toBe(told[1]?.site);
    expect(next.active).toBe(true);
  });

  it('closes a detached resource once, whoever ends it how often', async () => {
    const { pool, clock, driver } = newPool();
    const lease = await pool.acquire();
    const thing = lease.detach();
    expect(lease.detach()).toBe(thing);
    lease.release();
    lease.release();
    lease.invalidate();
    lease[Symbol.dispose]();
    await clock.settle();
    expect(driver).toMatchObject({ closes: 1, closedTwice: 0 });
    expect(pool.snapshot().counters).toMatchObject({ detached: 1, released: 1, destroyed: 0 });
  });

  it.each(['detach', 'invalidate'] as const)(
    'lets the pool hear no more of a resource that has left it: %s',
    async (end) => {
      const { pool, driver } = newPool({ size: 1, maxOverflow: 0 });
      const lease = await pool.acquire();
      const [thing] = driver.things;
      const { listener } = thing!;
      lease[end]();
      expect(thing?.listener).toBeNull();
      const next = await pool.acquire();
      // A driver that calls all the same speaks of that resource, and not of the next one in its place.
      listener?.(new Disconnect('late'));
      next.release();
      expect(pool.snapshot()).toMatchObject({ idle: 1, counters: { softInvalidated: 0 } });
    },
  );

  it('takes what its borrower does on release, whatever throws', async () => {
    const { pool } = newPool();
    const called: string[] = [];
    const failed: unknown[] = [];
    pool.on('listenerFailed', ({ event, error }) => failed.push([event, error]));
    const error = new Error('in the callback');
    const lease = await pool.acquire();
    lease.onRelease(() => {
      throw error;
    });
    lease.onRelease(() => called.push('second'));
    lease.release();
    expect(called).toEqual(['second']);
    expect(failed).toEqual([['onRelease', error]]);
    expect(pool.snapshot()).toMatchObject({ idle: 1, inUse: 0 });
  });

  it('learns nothing new from an error after it has ended', async () => {
    const { pool, driver } = newPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    lease.release();
    const next = await pool.acquire();
    expect(lease.fail(new Disconnect('late'))).toBe('disconnect');
    expect(lease.fail(new DOMException('late', 'AbortError'))).toBe('cancelled');
    expect(next.active).toBe(true);
    expect(driver.closes).toBe(0);
    next.release();
    expect((await pool.acquire()).resource.id).toBe(1);
  });

  it('is invalidated by an error only once', async () => {
    const { pool, driver } = newPool();
    const lease = await pool.acquire();
    const storm = new Disconnect('gone');
    for (let i = 0; i < 3; i++) expect(lease.fail(storm)).toBe('disconnect');
    lease.release();
    expect(driver.closes).toBe(1);
    expect(pool.snapshot().counters).toMatchObject({ invalidated: 1, released: 1, doubleReleased: 0 });
  });
});

describe('use', () => {
  it('gives what the work returns, with or without waiting', async () => {
    const { pool, clock } = newPool();
    expect(await pool.use(({ id }) => id)).toBe(1);
    const slow = follow(
      pool.use(async ({ id }) => {
        await later(clock, 100);
        return id;
      }),
      clock,
    );
    await clock.advance(100);
    expect(slow.value).toBe(1);
    expect(pool.snapshot()).toMatchObject({ idle: 1, inUse: 0 });
  });

  it('leaves an error of the work as it is, and puts the resource back', async () => {
    const { pool } = newPool();
    const error = new Error('at work');
    await expect(pool.use(() => Promise.reject(error))).rejects.toBe(error);
    expect(pool.snapshot()).toMatchObject({ idle: 1, inUse: 0 });
  });

  it('lets the work end the lease itself', async () => {
    const { pool, driver } = newPool();
    await pool.use((_resource, lease) => lease.invalidate());
    await pool.use((_resource, lease) => lease.release());
    expect(driver.things.map(({ closedAs }) => closedAs)).toEqual(['invalidated', null]);
    expect(pool.snapshot().counters).toMatchObject({ released: 2, doubleReleased: 0 });
  });

  it('waits as acquire does, and with its options', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    let worked = 0;
    const late = follow(
      pool.use(() => worked++, { timeoutMs: 100 }),
      clock,
    );
    const patient = follow(
      pool.use(() => worked++),
      clock,
    );
    await clock.advance(100);
    expect(late.error?.code).toBe('ERR_POOL_TIMEOUT');
    lease.release();
    await clock.settle();
    expect([patient.state, worked]).toEqual(['fulfilled', 1]);
  });
});

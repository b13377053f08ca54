import { describe, expect, it } from 'vitest';
import { Disconnect, type Thing } from '../../helpers/fake-driver.js';
import { acquireMany, newPool, type Pooled, releaseAll, statusOf } from '../../helpers/pools.js';

/** Ported from SQLAlchemy's tests of its pool: age, pings and errors, and what takes the place of the resource. */
describe('a pool like QueuePool: replacement', () => {
  it('32. recycles by the age since the connect, if that is greater, and looks at it in acquire only', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, recycleMs: 30_000, recycleJitter: 0 });
    const first = await clock.run(pool.acquire());
    await clock.advance(20_000);
    first.release();
    await clock.advance(10_000);
    const atTheLimit = await pool.acquire();
    expect(atTheLimit.resource.id).toBe(1);
    await clock.advance(10_000);
    atTheLimit.release();
    await clock.advance(10_000);
    expect(driver.closes).toBe(0);
    const second = await clock.run(pool.acquire());
    expect(second.resource.id).toBe(2);
    expect(driver.things[0]?.closedAs).toBe('recycled');
    expect(pool.snapshot().counters.recycled).toBe(1);
  });

  const troubles = {
    'an invalidation': ({ pool }) => pool.invalidateAll(new Error('restarted')),
    'its age': async ({ clock }) => clock.advance(60_001),
    'an acquire hook': ({ pool }) => {
      let failures = 0;
      pool.hook('acquire', () => {
        if (failures++ === 0) throw new Disconnect('noticed by a hook');
      });
    },
  } satisfies Record<string, (pooled: Pooled) => Promise<void> | void>;
  const failures = [new Error('no server'), new DOMException('cancelled', 'AbortError')];
  const reconnects = Object.entries(troubles).flatMap(([name, trouble]) =>
    failures.map((error) => ({ name, trouble, error })),
  );
  it.each(reconnects)(
    '33. a reconnect because of $name that fails ($error.name) restores the counts, and all places can be used',
    async ({ trouble, error }) => {
      const pooled = newPool({ size: 2, maxOverflow: 1, recycleMs: 60_000, recycleJitter: 0 });
      const { pool, clock, driver } = pooled;
      (await pool.acquire()).release();
      await trouble(pooled);
      driver.steps.create = () => {
        throw error;
      };
      await expect(clock.run(pool.acquire())).rejects.toMatchObject({
        code: 'ERR_POOL_CREATE',
        cause: error,
      });
      expect(statusOf(pool)).toEqual([2, 0, -2, 0]);
      expect(driver.open).toBe(0);

      delete driver.steps.create;
      const leases = [pool.acquire(), pool.acquire(), pool.acquire()];
      await clock.run(Promise.all(leases));
      expect(statusOf(pool)).toEqual([2, 0, 1, 3]);
    },
  );

  it('34. the connect hook runs on reconnects too, and the acquire hook always sees what it noted', async () => {
    const { pool } = newPool({ size: 1, maxOverflow: 0 });
    const seen: unknown[] = [];
    pool.hook('connect', (resource, { info }) => {
      info.connectedAs = resource.id;
    });
    pool.hook('acquire', (resource, { info }) => void seen.push([resource.id, info.connectedAs]));
    const first = await pool.acquire();
    first.release();
    const second = await pool.acquire();
    second.invalidate();
    const third = await pool.acquire();
    third.release();
    pool.invalidateAll(new Error('restarted'));
    await pool.acquire();
    expect(seen).toEqual([
      [1, 1],
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  it('35. pre-ping skips connections that are new or have just been reconnected', async () => {
    const { pool, driver } = newPool({ size: 1, maxOverflow: 0, prePing: true, pingIdleMs: 0 });
    (await pool.acquire()).release();
    expect(driver.things[0]?.pings).toBe(0);
    (await pool.acquire()).release();
    expect(driver.things[0]?.pings).toBe(1);
    pool.invalidateAll(new Error('restarted'));
    (await pool.acquire()).release();
    expect(driver.things.map(({ pings }) => pings)).toEqual([1, 0]);
  });

  it.each(['answers no', 'throws', 'hangs'])(
    '36. a ping that %s invalidates the older generation, and a reconnect goes unseen',
    async (how) => {
      const { pool, clock, driver } = newPool({ size: 3, maxOverflow: 0, prePing: true, pingIdleMs: 0 });
      releaseAll(await acquireMany(pool, 3));
      if (how === 'answers no') for (const thing of driver.things) thing.alive = false;
      else
        driver.steps.ping =
          how === 'throws' ? () => Promise.reject(new Error('gone')) : () => new Promise(() => {});
      const lease = await clock.run(pool.acquire());
      expect(lease.resource.id).toBe(4);
      const next = await clock.run(pool.acquire());
      expect(next.resource.id).toBeGreaterThan(4);
      // One ping told enough: the others were as old.
      expect(driver.things.reduce((sum, { pings }) => sum + pings, 0)).toBe(1);
      expect(pool.snapshot().counters.pingFailed).toBe(1);
    },
  );

  it('36. two attempts are made, then the acquire fails with the error', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0 });
    const error = new Disconnect('refused');
    let attempts = 0;
    pool.hook('acquire', () => {
      attempts++;
      throw error;
    });
    await expect(clock.run(pool.acquire())).rejects.toBe(error);
    expect({ attempts, connects: driver.creates }).toEqual({ attempts: 2, connects: 2 });
    expect(statusOf(pool)).toEqual([1, 0, -1, 0]);
  });

  it('36. an acquire hook that meets a lost connection ends what is as old as it; other errors do not', async () => {
    const { pool, clock, driver } = newPool({ size: 3, maxOverflow: 0 });
    releaseAll(await acquireMany(pool, 3));
    let error: Error | null = new Error('ordinary');
    pool.hook('acquire', () => {
      const thrown = error;
      error = null;
      if (thrown !== null) throw thrown;
    });
    await expect(clock.run(pool.acquire())).rejects.toThrow('ordinary');
    const old = await clock.run(pool.acquire());
    expect(old.resource.id).toBeLessThanOrEqual(3);
    old.release();
    await clock.settle();
    error = new Disconnect('the server hung up');
    const fresh = await clock.run(pool.acquire());
    expect(fresh.resource.id).toBeGreaterThan(3);
    const next = await clock.run(pool.acquire());
    expect(next.resource.id).toBeGreaterThan(3);
    expect(
      driver.things
        .slice(0, 3)
        .map(({ closedAs }) => closedAs)
        .sort(),
    ).toEqual(['hook-failed', 'hook-failed', 'invalidated']);
  });

  it('37. while the database is down the connect error is raised, and the slot is kept', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, prePing: true, pingIdleMs: 0 });
    (await pool.acquire()).release();
    for (const thing of driver.things) thing.alive = false;
    const down = new Error('connection refused');
    driver.steps.create = () => Promise.reject(down);
    await expect(clock.run(pool.acquire())).rejects.toMatchObject({ code: 'ERR_POOL_CREATE', cause: down });
    await expect(clock.run(pool.acquire())).rejects.toMatchObject({ cause: down });
    expect(statusOf(pool)).toEqual([1, 0, -1, 0]);
    delete driver.steps.create;
    const lease = await clock.run(pool.acquire());
    expect(lease.resource.id).toBe(2);
  });

  it('38. without a ping the error surfaces where the connection is used, and the next borrower gets a new one', async () => {
    const { pool, driver } = newPool({ size: 2, maxOverflow: 0 });
    releaseAll(await acquireMany(pool, 2));
    for (const thing of driver.things) thing.alive = false;
    const query = async (thing: Thing) => {
      if (!thing.alive) throw new Disconnect('server closed the connection');
    };
    const lease = await pool.acquire();
    const error = await query(lease.resource).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: 'server closed the connection' });
    expect(lease.fail(error)).toBe('disconnect');
    lease.release();
    expect((await pool.acquire()).resource.id).toBe(3);
    expect((await pool.acquire()).resource.id).toBe(4);
  });

  it('39. an error hook can make a disconnect of an ordinary error, and an ordinary one of a disconnect', async () => {
    const { pool, driver } = newPool();
    pool.hook('error', (error) => {
      if (error instanceof Error && error.message === 'terminating') return true;
      return error instanceof Error && error.message === 'harmless' ? false : undefined;
    });
    const judged: boolean[] = [];
    pool.hook('error', (_error, { disconnect }) => void judged.push(disconnect));
    const lease = await pool.acquire();
    expect(lease.fail(new Disconnect('harmless'))).toBe('ordinary');
    expect(lease.fail(new Error('syntax'))).toBe('ordinary');
    expect(lease.active).toBe(true);
    expect(lease.fail(new Error('terminating'))).toBe('disconnect');
    expect(judged).toEqual([false, false, true]);
    expect(driver.things[0]?.closedAs).toBe('invalidated');
  });
});

import { describe, expect, it } from 'vitest';
import { Disconnect } from '../../helpers/fake-driver.js';
import { follow, later, newGate, newPool, statusOf } from '../../helpers/pools.js';

/** Ported from SQLAlchemy's tests of its pool: what users can hang on to the life of a resource. */
describe('a pool like QueuePool: hooks and events', () => {
  it('41. the first-connect hook runs once for the pool', async () => {
    const { pool } = newPool();
    const seen: string[] = [];
    pool.hook('firstConnect', ({ id }) => void seen.push(`first ${id}`));
    pool.hook('connect', ({ id }) => void seen.push(`connect ${id}`));
    await pool.acquire();
    const second = await pool.acquire();
    second.invalidate();
    await pool.acquire();
    expect(seen).toEqual(['first 1', 'connect 1', 'connect 2', 'connect 3']);
  });

  it('41. it completes before anybody gets a connection, though many are opened at once', async () => {
    const { pool, clock } = newPool({ size: 5, maxOverflow: 0 });
    const gate = newGate();
    let calls = 0;
    pool.hook('firstConnect', () => {
      calls++;
      return gate.opened;
    });
    const waiting = Array.from({ length: 5 }, () => follow(pool.acquire(), clock));
    await clock.advance(1000);
    expect(waiting.map(({ state }) => state)).toEqual(Array(5).fill('pending'));
    gate.open();
    await clock.settle();
    expect(waiting.map(({ state }) => state)).toEqual(Array(5).fill('fulfilled'));
    expect(calls).toBe(1);
  });

  it('41. it is tried again if it throws, and only the connection that it was tried with has failed', async () => {
    const { pool, clock, driver } = newPool({ size: 3, maxOverflow: 0 });
    const tried: number[] = [];
    pool.hook('firstConnect', async ({ id }) => {
      tried.push(id);
      await later(clock, 10);
      if (tried.length === 1) throw new Error('not yet');
    });
    const waiting = [pool.acquire(), pool.acquire(), pool.acquire()].map((each) => follow(each, clock));
    await clock.advance(5000);
    expect(tried).toEqual([1, 2]);
    expect(waiting.filter(({ state }) => state === 'rejected')).toMatchObject([
      { error: { cause: { message: 'not yet' } } },
    ]);
    expect(waiting.filter(({ state }) => state === 'fulfilled')).toHaveLength(2);
    expect(driver.things[0]?.closedAs).toBe('hook-failed');
  });

  it('42. the connect hook runs for each connection, and listeners and hooks may be inserted first', async () => {
    const { pool } = newPool();
    const seen: string[] = [];
    pool.hook('connect', ({ id }) => void seen.push(`connect ${id}`));
    pool.hook('connect', ({ id }) => void seen.push(`before connect ${id}`), { first: true });
    pool.on('create', ({ resource }) => seen.push(`created ${resource.id}`));
    pool.on('create', ({ resource }) => seen.push(`before created ${resource.id}`), { first: true });
    await pool.acquire();
    await pool.acquire();
    expect(seen).toEqual(
      [1, 2].flatMap((id) => [
        `before connect ${id}`,
        `connect ${id}`,
        `before created ${id}`,
        `created ${id}`,
      ]),
    );
  });

  it('43. a failing connect hook frees the slot', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0 });
    const error = new Error('no such role');
    const off = pool.hook('connect', () => {
      throw error;
    });
    for (let i = 1; i <= 3; i++) {
      await expect(clock.run(pool.acquire())).rejects.toMatchObject({
        code: 'ERR_POOL_CREATE',
        cause: error,
      });
      expect(driver.things[i - 1]?.closedAs).toBe('hook-failed');
      expect(statusOf(pool)).toEqual([1, 0, -1, 0]);
    }
    off();
    await clock.run(pool.acquire());
    expect(statusOf(pool)).toEqual([1, 0, 0, 1]);
  });

  it('44. the acquire hook fires each time', async () => {
    const { pool } = newPool({ size: 1, maxOverflow: 0 });
    const seen: number[] = [];
    pool.hook('acquire', ({ id }) => void seen.push(id));
    for (let i = 0; i < 3; i++) (await pool.acquire()).release();
    expect(seen).toEqual([1, 1, 1]);
    await pool.acquire();
    expect(pool.tryAcquire()).toBeNull();
  });

  it('44. a disconnect in it makes a second try with a new connection', async () => {
    const { pool, driver } = newPool({ size: 1, maxOverflow: 0 });
    const seen: number[] = [];
    pool.hook('acquire', ({ id }) => {
      seen.push(id);
      if (id === 1) throw new Disconnect('stale');
    });
    const lease = await pool.acquire();
    expect(lease.resource.id).toBe(2);
    expect(seen).toEqual([1, 2]);
    expect(driver.things[0]?.closedAs).toBe('hook-failed');
  });

  it('44. another error in it fails the acquire', async () => {
    const { pool, driver } = newPool({ size: 1, maxOverflow: 0 });
    const error = new Error('not allowed');
    const off = pool.hook('acquire', () => {
      throw error;
    });
    await expect(pool.acquire()).rejects.toBe(error);
    expect(statusOf(pool)).toEqual([1, 0, -1, 0]);
    expect(driver.creates).toBe(1);
    off();
    await pool.acquire();
    expect(statusOf(pool)).toEqual([1, 0, 0, 1]);
  });

  it('45. closing is told on dispose, detaching when it is done, and the close of a detached connection', async () => {
    const { pool, clock } = newPool();
    const seen: unknown[] = [];
    pool.on('destroy', ({ resource, reason }) => seen.push(['destroy', resource.id, reason]));
    pool.on('detach', ({ resource }) => seen.push(['detach', resource.id]));
    pool.on('closeDetached', ({ resource }) => seen.push(['closeDetached', resource.id]));
    const detached = await pool.acquire();
    (await pool.acquire()).release();
    await pool.dispose();
    detached.detach();
    expect(seen).toEqual([
      ['destroy', 2, 'disposed'],
      ['detach', 1],
    ]);
    detached.release();
    await clock.settle();
    expect(seen.slice(2)).toEqual([['closeDetached', 1]]);
  });

  it('46. listeners and hooks outlive recreate, in their order, and those taken away stay away', async () => {
    const { pool } = newPool();
    const seen: string[] = [];
    pool.on('acquire', () => seen.push('listener'));
    pool.on('acquire', () => seen.push('first listener'), { first: true });
    pool.on('acquire', () => seen.push('never'))();
    pool.hook('connect', () => void seen.push('hook'));
    pool.hook('connect', () => void seen.push('first hook'), { first: true });
    pool.hook('connect', () => void seen.push('never'))();
    const again = pool.recreate().recreate();
    await again.acquire();
    expect(seen).toEqual(['first hook', 'hook', 'first listener', 'listener']);
    // What is added later is the new pool's own.
    again.on('acquire', () => seen.push('later'));
    seen.length = 0;
    await pool.acquire();
    expect(seen).toEqual(['first hook', 'hook', 'first listener', 'listener']);
  });

  it('47. detach frees the slot at once; a release then really closes', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    const waiting = follow(pool.acquire(), clock);
    const resource = lease.detach();
    await clock.settle();
    expect(waiting.state).toBe('fulfilled');
    expect(statusOf(pool)).toEqual([1, 0, 0, 1]);
    expect({ same: lease.resource === resource, active: lease.active }).toEqual({ same: true, active: true });
    expect(resource.closedAs).toBeNull();
    lease.release();
    await clock.settle();
    expect(resource.closedAs).toBe('detached');
    expect(lease.active).toBe(false);
    expect(statusOf(pool)).toEqual([1, 0, 0, 1]);
    expect(driver.open).toBe(1);
  });

  it("48. a connection's own notes are gone after a reconnect, those of its slot stay", async () => {
    const { pool } = newPool({ size: 1, maxOverflow: 0 });
    const first = await pool.acquire();
    first.info.note = 'connection';
    first.slotInfo!.note = 'slot';
    first.release();
    const second = await pool.acquire();
    expect([second.info, second.slotInfo]).toEqual([{ note: 'connection' }, { note: 'slot' }]);
    second.invalidate();
    const third = await pool.acquire();
    expect([third.info, third.slotInfo]).toEqual([{}, { note: 'slot' }]);
  });

  it('48. a detached connection takes a copy of its notes along, and has none of a slot', async () => {
    const { pool } = newPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    const { info } = lease;
    info.note = 'connection';
    lease.slotInfo!.note = 'slot';
    lease.detach();
    expect(lease.info).toEqual({ note: 'connection' });
    expect(lease.info).not.toBe(info);
    expect(lease.slotInfo).toBeNull();
    const next = await pool.acquire();
    expect([next.info, next.slotInfo]).toEqual([{}, { note: 'slot' }]);
  });
});

import { expect, it } from 'vitest';
import { Disconnect, type Thing } from '../helpers/fake-driver.js';
import { newPool, type Pooled } from '../helpers/pools.js';

class ReadOnly extends Error {}

/** A pool whose driver calls a resource unfit after a ReadOnly error. */
function newFailoverPool(): Pooled {
  const pooled = newPool({ size: 2, maxOverflow: 0 });
  Object.assign(pooled.driver, {
    isUnfit: (error: unknown, thing: Thing) => error instanceof ReadOnly && thing.alive,
  });
  return pooled;
}

it('a resource that an error makes unfit stays with its borrower, and is closed when it comes back', async () => {
  const { pool, driver } = newFailoverPool();
  const soft: (boolean | undefined)[] = [];
  pool.on('invalidate', (event) => soft.push(event.soft));
  const lease = await pool.acquire();
  expect(lease.fail(new ReadOnly())).toBe('ordinary');
  expect(lease.active).toBe(true);
  // A second error of the kind changes nothing.
  lease.fail(new ReadOnly());
  expect(driver.things[0]?.closedAs).toBeNull();
  lease.release();
  expect(driver.things[0]?.closedAs).toBe('invalidated');
  expect(soft).toEqual([true]);
  expect(pool.snapshot().counters).toMatchObject({ softInvalidated: 1, invalidated: 0 });
  await using _ = await pool
    .acquire()
    .then((next) => ({ [Symbol.asyncDispose]: async () => next.release() }));
  expect(driver.things).toHaveLength(2);
});

it('the others stay, since each may have a server of its own', async () => {
  const { pool, driver } = newFailoverPool();
  const [one, other] = [await pool.acquire(), await pool.acquire()];
  one.fail(new ReadOnly());
  one.release();
  other.release();
  expect(driver.things.map(({ closedAs }) => closedAs)).toEqual(['invalidated', null]);
});

it('an error hook has the last word', async () => {
  const { pool, driver } = newFailoverPool();
  const seen: unknown[] = [];
  const off = pool.hook('error', (_, judged) => {
    seen.push(judged);
    return false;
  });
  const lease = await pool.acquire();
  lease.fail(new ReadOnly());
  lease.release();
  expect(driver.things[0]?.closedAs).toBeNull();
  expect(seen).toEqual([{ disconnect: false, unfit: true }]);
  off();
  pool.hook('error', () => true);
  const again = await pool.acquire();
  expect(again.fail(new ReadOnly())).toBe('disconnect');
  expect(again.active).toBe(false);
});

it('a disconnect is not asked about, and an error after the release is of no effect', async () => {
  const { pool, driver } = newFailoverPool();
  const lease = await pool.acquire();
  lease.release();
  lease.fail(new ReadOnly());
  expect(driver.things[0]?.closedAs).toBeNull();
  const next = await pool.acquire();
  const judged: unknown[] = [];
  pool.hook('error', (_, verdict) => void judged.push(verdict));
  expect(next.fail(new Disconnect('gone'))).toBe('disconnect');
  expect(judged).toEqual([{ disconnect: true, unfit: false }]);
});

it('a driver that throws when it is asked has no say', async () => {
  const { pool, driver } = newFailoverPool();
  Object.assign(driver, {
    isUnfit() {
      throw new Error('odd');
    },
  });
  const failed: unknown[] = [];
  pool.on('listenerFailed', (event) => failed.push(event.event));
  const lease = await pool.acquire();
  expect(lease.fail(new ReadOnly())).toBe('ordinary');
  lease.release();
  expect(driver.things[0]?.closedAs).toBeNull();
  expect(failed).toEqual(['error']);
});

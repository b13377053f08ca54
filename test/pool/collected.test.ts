import { describe, expect, it } from 'vitest';
import type { PoolEvents } from '../../src/pool/events.js';
import type { PoolOptions } from '../../src/pool/options.js';
import { QueuePool } from '../../src/pool/queue-pool.js';
import { FakeDriver, type Thing } from '../helpers/fake-driver.js';
import { collectGarbage } from '../helpers/garbage.js';
import { follow } from '../helpers/pools.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

/** Not the pool of the other tests: that one holds on to every lease. */
function newForgettingPool(options: Partial<PoolOptions<Thing>> = {}) {
  const clock = new VirtualClock();
  const driver = new FakeDriver();
  const pool = new QueuePool<Thing>({ driver, clock, size: 1, maxOverflow: 0, ...options });
  const told: PoolEvents<Thing>['collected'][] = [];
  pool.on('collected', (event) => told.push(event));
  return { clock, driver, pool, told };
}

/** Borrows and drops the lease: nothing here outlives the call. */
async function forget(pool: QueuePool<Thing>, times = 1): Promise<void> {
  for (let i = 0; i < times; i++) await pool.acquire();
}

describe('a lease that was garbage-collected without a release', () => {
  it.each([
    ['destroy', 2],
    ['reset', 1],
  ] as const)('gives its place to the waiter (%s)', async (collected, thingId) => {
    const { pool, clock, told } = newForgettingPool({ collected });
    await forget(pool);
    const waiting = follow(pool.acquire(), clock);
    await collectGarbage(() => told.length > 0);
    await clock.settle();
    expect(waiting.value?.resource.id).toBe(thingId);
    expect(pool.snapshot()).toMatchObject({
      inUse: 1,
      live: 1,
      counters: { acquired: 2, released: 1, collected: 1 },
    });
  });

  it('is told of with the place that acquired it', async () => {
    const { pool, told } = newForgettingPool();
    await forget(pool);
    await collectGarbage(() => told.length > 0);
    expect(told).toEqual([
      {
        leaseId: 1,
        site: expect.stringMatching(/collected\.test\.ts:\d+:\d+$/),
        stack: expect.stringContaining('at forget'),
      },
    ]);
  });

  it('runs what its borrower left to be done on release', async () => {
    const { pool, told } = newForgettingPool();
    let released = 0;
    const borrow = async () => {
      const lease = await pool.acquire();
      lease.onRelease(() => released++);
    };
    await borrow();
    await collectGarbage(() => told.length > 0);
    expect(released).toBe(1);
  });

  it('is reclaimed on a pool that is being closed, too', async () => {
    const { pool, clock, driver, told } = newForgettingPool({ collected: 'reset' });
    await forget(pool);
    const closing = follow(pool.close(), clock);
    await collectGarbage(() => told.length > 0);
    await clock.settle();
    expect(closing.state).toBe('fulfilled');
    expect(driver.things[0]?.closedAs).not.toBeNull();
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  it('is left alone where it was not sampled', async () => {
    const { pool, told } = newForgettingPool({ size: 10, leakWatch: { samplesPerSecond: 1 } });
    await forget(pool, 8);
    await collectGarbage(() => told.length > 0);
    await collectGarbage();
    expect(told.map(({ leaseId }) => leaseId)).toEqual([1]);
    expect(pool.snapshot().inUse).toBe(7);
  });
});

describe('nothing is reclaimed', () => {
  it('from a lease that somebody still has', async () => {
    const { pool, told } = newForgettingPool();
    const kept = await pool.acquire();
    await collectGarbage();
    expect(told).toEqual([]);
    expect(kept.resource.closedAs).toBeNull();
  });

  it('from the next borrower of what a collected lease had released', async () => {
    const { pool, told } = newForgettingPool();
    const borrow = async () => {
      const lease = await pool.acquire();
      lease.release();
    };
    await borrow();
    const next = await pool.acquire();
    await collectGarbage();
    expect(told).toEqual([]);
    expect(next.active).toBe(true);
  });

  it('from a detached lease, which is the owner of its resource', async () => {
    const { pool, told, driver } = newForgettingPool();
    const borrow = async () => (await pool.acquire()).detach();
    await borrow();
    await collectGarbage();
    expect(told).toEqual([]);
    expect(driver.things[0]?.closedAs).toBeNull();
  });
});

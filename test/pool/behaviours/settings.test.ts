import { describe, expect, it } from 'vitest';
import type { SlotInfo } from '../../../src/pool/driver.js';
import type { PoolOptions } from '../../../src/pool/options.js';
import { QueuePool } from '../../../src/pool/queue-pool.js';
import { FakeDriver, Thing } from '../../helpers/fake-driver.js';
import { acquireMany, follow, later, newPool, releaseAll } from '../../helpers/pools.js';

/** Ported from SQLAlchemy's tests of its pool: how a pool is set up. */
describe('a pool like QueuePool: settings', () => {
  it('1. has the defaults 5 + 10, 30 s, no recycling, FIFO, rollback, and connects to nothing by itself', async () => {
    const driver = new FakeDriver();
    const pool = new QueuePool({ driver });
    expect(pool.settings).toMatchObject({
      size: 5,
      maxOverflow: 10,
      timeoutMs: 30_000,
      recycleMs: null,
      lifo: false,
      reset: 'rollback',
      prePing: false,
    });
    pool.recreate();
    await pool.dispose();
    expect(driver.creates).toBe(0);
  });

  it.each<[string, unknown, string]>([
    ['size', -1, 'size must be a whole number from 0, got -1'],
    ['size', 1.5, 'size must be a whole number from 0, got 1.5'],
    ['size', '5', "size must be a whole number from 0, got the text '5'"],
    ['timeoutMs', Number.NaN, 'timeoutMs must be a number from 0, got NaN'],
  ])('1. refuses %s of %j', (name, value, message) => {
    const make = () => new QueuePool({ driver: new FakeDriver(), [name]: value });
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_POOL_OPTION' }));
    expect(make).toThrow(message);
  });

  it('1. resets what comes back, unless it is told not to, or the driver cannot', async () => {
    const resetBy = async (options: Partial<PoolOptions<Thing>>): Promise<number> => {
      const { pool, clock, driver } = newPool({ size: 1, ...options });
      (await pool.acquire()).release();
      await clock.settle();
      return driver.things[0]?.resets.length ?? 0;
    };
    expect(await resetBy({})).toBe(1);
    expect(await resetBy({ reset: 'none' })).toBe(0);
    const driver = new FakeDriver();
    const pool = new QueuePool<Thing>({
      driver: {
        name: 'bare',
        create: () => driver.create(new AbortController().signal, {} as SlotInfo),
        destroy: async () => {},
      },
    });
    const lease = await pool.acquire();
    const thing = lease.resource;
    lease.release();
    expect([thing.resets, pool.snapshot().idle]).toEqual([[], 1]);
    await pool.close();
  });

  it.each([10, 0, -1])(
    '2. of size 0 has no limit, whatever the overflow (%i), which reports 0',
    async (maxOverflow) => {
      const { pool, driver } = newPool({ size: 0, maxOverflow });
      const leases = await acquireMany(pool, 40);
      expect(pool.snapshot()).toMatchObject({ size: null, maxOverflow: null, inUse: 40, overflow: 0 });
      releaseAll(leases);
      expect(pool.snapshot()).toMatchObject({ idle: 40, overflow: 0 });
      expect(driver.closes).toBe(0);
    },
  );

  it('3. with overflow -1 never waits for a release', async () => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: -1, timeoutMs: 500 });
    await acquireMany(pool, 10);
    expect(clock.now()).toBe(0);
    const crowd = Array.from({ length: 100 }, () => follow(pool.acquire(), clock));
    await clock.advance(500);
    expect(crowd.every(({ state }) => state === 'fulfilled')).toBe(true);
    expect(driver.open).toBe(110);
    expect(pool.snapshot()).toMatchObject({ maxOverflow: null, overflow: 108 });
  });

  it('4. tells its timeout; null waits for ever, below a second is honoured, negative is rejected', async () => {
    expect(newPool({ timeoutMs: 40_000 }).pool.settings.timeoutMs).toBe(40_000);

    const patient = newPool({ size: 1, maxOverflow: 0, timeoutMs: null });
    const lease = await patient.pool.acquire();
    const waiting = follow(patient.pool.acquire(), patient.clock);
    await patient.clock.advance(600_000);
    expect(waiting.state).toBe('pending');
    lease.release();
    await patient.clock.settle();
    expect(waiting.state).toBe('fulfilled');

    const hasty = newPool({ size: 1, maxOverflow: 0, timeoutMs: 500 });
    await hasty.pool.acquire();
    const late = follow(hasty.pool.acquire(), hasty.clock);
    await hasty.clock.advance(1000);
    expect(late).toMatchObject({ state: 'rejected', atMs: 500 });

    expect(() => newPool({ timeoutMs: -1 })).toThrow(/timeoutMs must be a number from 0/);
    await expect(hasty.pool.acquire({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'ERR_POOL_OPTION' });
  });

  it.each([
    ['rollback', 'rollback'],
    [true, 'rollback'],
    ['commit', 'commit'],
    ['none', 'none'],
    [false, 'none'],
    [null, 'none'],
  ] as const)('5. takes %j for a reset by %s', (reset, meant) => {
    expect(newPool({ reset }).pool.settings.reset).toBe(meant);
  });

  it.each(['rolback', 1, 'NONE', {}])('5. rejects %j as the way of resetting', (wrong) => {
    expect(() => newPool({ reset: wrong as never })).toThrow(/reset must be 'rollback', 'commit', 'none'/);
  });

  it('6. calls a create with no parameters or with the slot, also one that was patched in later', async () => {
    const driver = { name: 'plain', create: async () => new Thing(1, 0), destroy: () => {} };
    const pool = new QueuePool<Thing>({ driver, size: 3 });
    expect((await pool.acquire()).resource.id).toBe(1);

    const seen: SlotInfo[] = [];
    const patched: PoolOptions<Thing>['driver'] = driver;
    patched.create = async (_signal, slot) => {
      seen.push(slot);
      slot.info.note = 'kept';
      return new Thing(2, slot.slotId);
    };
    const lease = await pool.acquire();
    expect(lease.resource.id).toBe(2);
    expect(seen).toHaveLength(1);
    expect(lease.slotInfo).toBe(seen[0]?.info);
    expect(lease.slotInfo).toEqual({ note: 'kept' });
  });

  it('7. is recreated with its class, all settings, hooks and listeners, and nothing open', async () => {
    class MyPool extends QueuePool<Thing> {
      readonly mine = true;
    }
    const driver = new FakeDriver();
    const seen: string[] = [];
    const pool = new MyPool({
      driver,
      name: 'orders',
      size: 2,
      maxOverflow: 1,
      timeoutMs: null,
      recycleMs: 900_000,
      recycleJitter: 0,
      prePing: true,
      pingIdleMs: 7,
      lifo: true,
      reset: 'commit',
      maxWaiting: 9,
      minIdle: 0,
      maxIdleMs: 5000,
      keepaliveMs: 6000,
      createTimeoutMs: null,
      operationTimeoutMs: 8,
      histograms: false,
      leakWatch: { thresholdMs: null },
      collected: 'reset',
    });
    pool.on('acquire', ({ resource }) => seen.push(`acquire ${resource.id}`));
    pool.hook('connect', (resource) => void seen.push(`connect ${resource.id}`));
    await pool.acquire();

    const again = pool.recreate();
    expect(again).toBeInstanceOf(MyPool);
    expect(again.mine).toBe(true);
    expect(again.settings).toEqual(pool.settings);
    expect(again.snapshot()).toMatchObject({ live: 0, inUse: 0, counters: { acquired: 0 } });
    await again.acquire();
    expect(seen).toEqual(['connect 1', 'acquire 1', 'connect 2', 'acquire 2']);
    await Promise.all([pool.close({ graceMs: 0 }), again.close({ graceMs: 0 })]);
  });

  it('53. of size 1 + 0 is a static pool: one connection for all, in turn, never closed by itself', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0 });
    const order: number[] = [];
    const users = [0, 1, 2, 3, 4].map((user) =>
      pool.use(async () => {
        order.push(user);
        await later(clock, 10);
      }),
    );
    await clock.run(Promise.all(users));
    await clock.advance(86_400_000);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect({ made: driver.creates, open: driver.open }).toEqual({ made: 1, open: 1 });
  });
});

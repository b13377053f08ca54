import { channel } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import type { PoolEventName } from '../../src/pool/events.js';
import { FakeDriver } from '../helpers/fake-driver.js';
import { acquireMany, follow, inAnotherFlow, newPool, type Pooled } from '../helpers/pools.js';

/** Every event, with something that makes it happen, and what it then says. */
const events: Readonly<Record<PoolEventName, readonly [(pooled: Pooled) => unknown, object]>> = {
  create: [({ pool }) => pool.acquire(), { slotId: 1, resource: { id: 1 }, tookMs: 0 }],
  createFailed: [
    ({ pool, clock, driver }) => {
      driver.steps.create = () => Promise.reject(new Error('no server'));
      follow(pool.acquire(), clock);
      return clock.settle();
    },
    { error: { message: 'no server' }, failures: 1, retryInMs: expect.any(Number) },
  ],
  wait: [({ pool }) => pool.acquire(), { waiting: 1 }],
  acquire: [({ pool }) => pool.acquire(), { leaseId: 1, slotId: 1, resource: { id: 1 }, waitedMs: 0 }],
  acquireTimeout: [
    async ({ pool, clock }) => {
      await pool.acquire();
      follow(pool.acquire({ timeoutMs: 10 }), clock);
      await clock.advance(10);
    },
    { error: { code: 'ERR_POOL_TIMEOUT', facts: { waitedMs: 10 } } },
  ],
  acquireAborted: [
    async ({ pool, clock }) => {
      await pool.acquire();
      const controller = new AbortController();
      follow(pool.acquire({ signal: controller.signal }), clock);
      await clock.advance(25);
      controller.abort();
    },
    { waitedMs: 25 },
  ],
  release: [
    async ({ pool, clock }) => {
      const lease = await pool.acquire();
      await clock.advance(40);
      lease.release();
    },
    { leaseId: 1, slotId: 1, heldMs: 40 },
  ],
  resetFailed: [
    async ({ pool, clock, driver }) => {
      driver.steps.reset = () => Promise.reject(new Error('no rollback'));
      await pool.use(() => {});
      await clock.settle();
    },
    { resource: { id: 1 }, slotId: 1, error: { message: 'no rollback' } },
  ],
  invalidate: [
    async ({ pool }) => (await pool.acquire()).invalidate(new Error('bad')),
    { resource: { id: 1 }, slotId: 1, soft: false, cause: { message: 'bad' } },
  ],
  invalidateAll: [
    ({ pool }) => pool.invalidateAll(new Error('restarted')),
    { cause: { message: 'restarted' } },
  ],
  detach: [async ({ pool }) => (await pool.acquire()).detach(), { resource: { id: 1 }, slotId: 1 }],
  closeDetached: [
    async ({ pool, clock }) => {
      const lease = await pool.acquire();
      lease.detach();
      lease.release();
      await clock.settle();
    },
    { resource: { id: 1 } },
  ],
  destroy: [
    async ({ pool }) => (await pool.acquire()).invalidate(),
    { resource: { id: 1 }, slotId: 1, reason: 'invalidated' },
  ],
  destroyFailed: [
    async ({ pool, driver }) => {
      driver.steps.destroy = () => {
        throw new Error('no close');
      };
      (await pool.acquire()).invalidate();
    },
    { error: { message: 'no close' }, reason: 'invalidated' },
  ],
  leak: [
    async ({ pool, clock }) => {
      await pool.acquire();
      await clock.advance(60_000);
    },
    { pool: 'things', leaseId: 1, ageMs: 60_000, count: 1 },
  ],
  leakReturned: [
    async ({ pool, clock }) => {
      const lease = await pool.acquire();
      await clock.advance(70_000);
      lease.release();
    },
    { pool: 'things', leaseId: 1, ageMs: 70_000, count: 1 },
  ],
  nested: [
    async ({ pool, clock }) => {
      await pool.acquire();
      follow(pool.acquire(), clock);
      await clock.advance(2000);
    },
    { pool: 'things', outerSite: expect.any(String), innerSite: expect.any(String) },
  ],
  doubleRelease: [
    async ({ pool }) => {
      const lease = await pool.acquire();
      lease.release();
      lease.release();
    },
    { leaseId: 1, site: expect.any(String) },
  ],
  listenerFailed: [
    async ({ pool }) => {
      pool.on('release', () => {
        throw new Error('in a listener');
      });
      await pool.use(() => {});
    },
    { event: 'release', error: { message: 'in a listener' } },
  ],
  close: [({ pool }) => pool.close(), { leasesLeft: 0 }],
  // That garbage is collected is told in collected.test.ts: here every lease is kept.
  collected: [() => {}, {}],
};
const rows = Object.entries(events).filter(([name]) => name !== 'collected') as [
  PoolEventName,
  (typeof events)[PoolEventName],
][];

describe('events', () => {
  it.each(rows)('%s is told to listeners, and on its diagnostics channel', async (name, [deed, expected]) => {
    const pooled = newPool({ size: 1, maxOverflow: 0 });
    const heard: unknown[] = [];
    const published: unknown[] = [];
    const subscriber = (message: unknown): void => void published.push(message);
    pooled.pool.on(name, (payload) => heard.push(payload));
    channel(`poolctl:pool:${name}`).subscribe(subscriber);
    try {
      await inAnotherFlow(() => deed(pooled));
    } finally {
      channel(`poolctl:pool:${name}`).unsubscribe(subscriber);
    }
    expect(heard).toMatchObject([expected]);
    expect(published).toMatchObject([{ pool: 'things', ...expected }]);
  });

  it('reach a channel without any listener, from every pool under its name', async () => {
    const published: unknown[] = [];
    const subscriber = (message: unknown): void => void published.push(message);
    const acquires = channel('poolctl:pool:acquire');
    acquires.subscribe(subscriber);
    await newPool({ name: 'orders' }).pool.acquire();
    await newPool({ name: 'users' }).pool.acquire();
    acquires.unsubscribe(subscriber);
    await newPool({ name: 'late' }).pool.acquire();
    expect(published).toMatchObject([{ pool: 'orders' }, { pool: 'users' }]);
  });
});

describe('listeners', () => {
  it('are called in the order in which they came, unless one asks to be first', async () => {
    const { pool } = newPool();
    const order: string[] = [];
    pool.on('acquire', () => order.push('one'));
    pool.on('acquire', () => order.push('two'));
    pool.on('acquire', () => order.push('first'), { first: true });
    await pool.acquire();
    expect(order).toEqual(['first', 'one', 'two']);
  });

  it('can go, also while they are being called, without a harm to the others', async () => {
    const { pool } = newPool();
    const order: string[] = [];
    const off = pool.on('acquire', () => {
      order.push('once');
      off();
    });
    pool.on('acquire', () => order.push('always'));
    await acquireMany(pool, 2);
    off();
    expect(order).toEqual(['once', 'always', 'always']);
  });

  it('that throw stop neither the pool nor the others, in whatever event', async () => {
    for (const [name, [deed]] of rows) {
      const pooled = newPool({ size: 1, maxOverflow: 0 });
      const failed: string[] = [];
      let others = 0;
      pooled.pool.on('listenerFailed', ({ event }) => failed.push(event));
      pooled.pool.on(name, () => {
        throw new Error('in a listener');
      });
      pooled.pool.on(name, () => others++);
      await inAnotherFlow(() => deed(pooled));
      expect([name, others > 0]).toEqual([name, true]);
      // One that throws on hearing that one threw is left alone.
      expect(failed).toContain(name === 'listenerFailed' ? 'release' : name);
      await pooled.clock.run(pooled.pool.close({ graceMs: 0 }));
      expect(pooled.pool.snapshot()).toMatchObject({ live: 0, inUse: 0, waiting: 0 });
    }
  });

  it('may use the pool themselves', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    const later: unknown[] = [];
    const off = pool.on('release', () => {
      off();
      later.push(follow(pool.acquire(), clock));
    });
    lease.release();
    await clock.settle();
    expect(later).toMatchObject([{ state: 'fulfilled', value: { id: 2, resource: { id: 1 } } }]);
    expect(pool.snapshot()).toMatchObject({ inUse: 1, idle: 0, waiting: 0 });
  });

  it('do not hear what another pool with the same driver does', async () => {
    const driver = new FakeDriver();
    const [one, other] = [newPool({ driver }), newPool({ driver })];
    const heard: unknown[] = [];
    one.pool.on('acquire', ({ resource }) => heard.push(resource));
    await other.pool.acquire();
    expect(heard).toEqual([]);
  });
});

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { percentileUs } from '../../src/base/histogram.js';
import { poolSnapshot } from '../../src/pool/pool-snapshot.js';
import {
  acquireMany,
  follow,
  inAnotherFlow,
  later,
  never,
  newPool,
  type Pooled,
  releaseAll,
} from '../helpers/pools.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

describe('a snapshot', () => {
  it('tells the peaks since they were last reset', async () => {
    const { pool, clock } = newPool({ size: 3, maxOverflow: 0 });
    const leases = await acquireMany(pool, 3);
    const waiting = follow(pool.acquire(), clock);
    expect(pool.snapshot()).toMatchObject({ peakInUse: 3, peakWaiting: 1 });
    releaseAll(leases);
    await clock.settle();
    pool.resetPeaks();
    expect(pool.snapshot()).toMatchObject({ peakInUse: 1, peakWaiting: 0 });
    waiting.value?.release();
    releaseAll(await acquireMany(pool, 2));
    expect(pool.snapshot()).toMatchObject({ peakInUse: 2, peakWaiting: 0 });
  });

  it('of a pool that was never used is all zeros, and null where nothing was measured', () => {
    const clock = new VirtualClock({ wallStartMs: 1_700_000_000_000 });
    const { pool } = newPool({ name: 'orders', size: 5, maxOverflow: 10, clock });
    const snapshot = pool.snapshot();
    const nothing = { count: 0, sumUs: 0, minUs: null, maxUs: null, meanUs: null, buckets: [] };
    const { counters, ...gauges } = snapshot;
    expect(gauges).toEqual({
      ...{ schema: 1, name: 'orders', driver: 'things', takenAtMs: 1_700_000_000_000 },
      ...{ size: 5, maxOverflow: 10, live: 0, overflow: 0, idle: 0, inUse: 0 },
      ...{ creating: 0, checking: 0, resetting: 0, closing: 0 },
      ...{ waiting: 0, peakWaiting: 0, peakInUse: 0, longestWaitMs: null, longestHoldMs: null },
      ...{ createError: null, wait: nothing, hold: nothing, holders: [], closed: false },
    });
    expect(Object.values(counters).every((count) => count === 0)).toBe(true);
  });

  it('tells how long the oldest lease is out, whenever that began', async () => {
    const { pool, clock } = newPool({ size: 2 });
    await clock.advance(1000);
    const oldest = await pool.acquire();
    await clock.advance(30);
    await pool.acquire();
    await clock.advance(12);
    expect(pool.snapshot().longestHoldMs).toBe(42);
    oldest.release();
    expect(pool.snapshot().longestHoldMs).toBe(12);
  });

  it('counts as closing only what is not closed yet', async () => {
    const { pool, clock, driver } = newPool({ size: 1 });
    driver.steps.destroy = () => later(clock, 50);
    (await pool.acquire()).invalidate();
    expect(pool.snapshot()).toMatchObject({ live: 1, closing: 1 });
    await clock.advance(50);
    expect(pool.snapshot()).toMatchObject({ live: 0, closing: 0 });
  });

  it('tells each state that a resource can be in', async () => {
    const { pool, clock, driver } = newPool({ size: 6, maxOverflow: 0, prePing: true, pingIdleMs: 0 });
    const [reset, closing, broken] = await acquireMany(pool, 5);
    driver.steps.reset = never;
    reset?.release();
    driver.steps.destroy = never;
    closing?.invalidate();
    delete driver.steps.reset;
    broken?.release();
    driver.steps.ping = never;
    driver.steps.create = never;
    follow(pool.acquire(), clock);
    follow(pool.acquire(), clock);
    follow(pool.acquire({ timeoutMs: 50 }), clock);
    await clock.advance(60);
    expect(pool.snapshot()).toMatchObject({
      ...{ live: 6, idle: 0, inUse: 2, creating: 1, checking: 1, resetting: 1, closing: 1 },
      ...{ waiting: 2, peakWaiting: 3, peakInUse: 5, longestWaitMs: 60, longestHoldMs: 60 },
    });
  });

  it('counts overflow as what is open beyond the size, and peaks as the most at once', async () => {
    const { pool } = newPool({ size: 2, maxOverflow: 3 });
    const leases = await acquireMany(pool, 4);
    expect(pool.snapshot()).toMatchObject({ live: 4, overflow: 2, counters: { overflowCreated: 2 } });
    releaseAll(leases);
    expect(pool.snapshot()).toMatchObject({ live: 2, overflow: 0, peakInUse: 4 });
  });

  it('lists who holds what, the oldest first, with age, place and stack', async () => {
    const { pool, clock } = newPool({ size: 3 });
    const [first, second] = await acquireMany(pool, 2);
    await clock.advance(100);
    first?.release();
    await pool.acquire();
    await clock.advance(20);
    const { holders, longestHoldMs } = pool.snapshot();
    expect(holders).toMatchObject([
      { leaseId: second?.id, ageMs: 120, site: expect.stringContaining('pools.ts') },
      {
        leaseId: 3,
        ageMs: 20,
        site: expect.stringMatching(/snapshot\.test\.ts:\d+:\d+$/),
        stack: expect.stringContaining('snapshot.test.ts'),
      },
    ]);
    expect(longestHoldMs).toBe(120);
  });

  it('is plain data that stays as it was', async () => {
    const { pool } = newPool();
    const before = pool.snapshot();
    (await pool.acquire()).release();
    expect(before).toMatchObject({ live: 0, counters: { acquired: 0 }, wait: { count: 0 } });
    const after = pool.snapshot();
    expect(JSON.parse(JSON.stringify(after))).toEqual(after);
  });

  it('remembers the error of the last create until one succeeds', async () => {
    const { pool, clock, driver } = newPool();
    driver.steps.create = () => Promise.reject(new Error('too many connections'));
    await pool.acquire().catch(() => {});
    expect(pool.snapshot().createError).toBe('too many connections');
    delete driver.steps.create;
    await clock.run(pool.acquire());
    expect(pool.snapshot().createError).toBeNull();
  });
});

describe('the histograms of a snapshot', () => {
  it('have the waits in microseconds; those served at once count as 0', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    let lease = await pool.acquire();
    for (const heldMs of [10, 20, 30]) {
      const next = pool.acquire();
      await clock.advance(heldMs);
      lease.release();
      lease = await next;
    }
    lease.release();
    (await pool.acquire()).release();
    pool.tryAcquire()?.release();
    const { wait } = pool.snapshot();
    expect(wait).toMatchObject({ count: 6, minUs: 0, maxUs: 30_000, sumUs: 60_000, meanUs: 10_000 });
    expect(percentileUs(wait!, 50)).toBe(0);
    expect(percentileUs(wait!, 100)).toBe(30_000);
  });

  it('have how long leases were held, however they ended', async () => {
    const { pool, clock } = newPool();
    for (const end of ['release', 'invalidate', 'detach'] as const) {
      const lease = await pool.acquire();
      await clock.advance(7);
      lease[end]();
    }
    expect(pool.snapshot().hold).toMatchObject({ count: 3, minUs: 7000, maxUs: 7000 });
  });

  it('leave out those who gave up', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    await pool.acquire();
    follow(pool.acquire({ timeoutMs: 50 }), clock);
    await clock.advance(50);
    expect(pool.snapshot()).toMatchObject({ wait: { count: 1 }, counters: { waited: 2, timedOut: 1 } });
  });

  it('are null where they are off, and so is every age that nobody measured', async () => {
    const { pool, clock } = newPool({ histograms: false, leakWatch: false });
    await pool.acquire();
    await clock.advance(100);
    expect(pool.snapshot()).toMatchObject({
      ...{ wait: null, hold: null, longestHoldMs: null },
      holders: [{ leaseId: 1, ageMs: null, site: null, stack: null }],
    });
  });

  it('are null also where only the leak watch is on, which measures ages', async () => {
    const { pool, clock } = newPool({ histograms: false });
    await pool.acquire();
    await clock.advance(100);
    expect(pool.snapshot()).toMatchObject({ wait: null, longestHoldMs: 100, holders: [{ ageMs: 100 }] });
  });
});

describe('the counters of a snapshot', () => {
  const one = { acquired: 1, created: 1, waited: 1 };
  const released = { ...one, released: 1 };
  const abort = () => new DOMException('cancelled', 'AbortError');
  const refuse = () => Promise.reject(new Error('no'));
  const deeds: Readonly<Record<string, readonly [(pooled: Pooled) => unknown, object]>> = {
    'nothing at all': [() => {}, {}],
    'a release': [({ pool }) => pool.use(() => {}), released],
    'an idle one lent': [
      async ({ pool }) => {
        await pool.use(() => {});
        pool.tryAcquire()?.release();
      },
      { ...released, acquired: 2, released: 2 },
    ],
    'a time-out': [
      async ({ pool, clock }) => {
        await pool.acquire();
        follow(
          inAnotherFlow(() => pool.acquire({ timeoutMs: 5 })),
          clock,
        );
        await clock.advance(5);
      },
      { ...one, waited: 2, timedOut: 1 },
    ],
    'an abort': [
      async ({ pool, clock }) => {
        await pool.acquire();
        const controller = new AbortController();
        follow(pool.acquire({ signal: controller.signal }), clock);
        controller.abort();
        await clock.settle();
      },
      { ...one, waited: 2, aborted: 1 },
    ],
    'one too many': [
      async ({ pool, clock }) => {
        await pool.acquire();
        for (let i = 0; i < 3; i++) follow(pool.acquire(), clock);
      },
      { ...one, waited: 2, refused: 2 },
    ],
    'a failed create': [
      async ({ pool, clock, driver }) => {
        driver.steps.create = refuse;
        follow(pool.acquire(), clock);
        await clock.settle();
      },
      { waited: 1, createFailed: 1 },
    ],
    'a resource invalidated': [
      async ({ pool }) => (await pool.acquire()).invalidate(),
      { ...released, invalidated: 1, destroyed: 1 },
    ],
    'a resource invalidated softly': [
      ({ pool }) => pool.use((_resource, lease) => lease.invalidate(undefined, { soft: true })),
      { ...released, softInvalidated: 1, destroyed: 1 },
    ],
    'a cancelled query': [
      ({ pool }) => pool.use((_resource, lease) => lease.fail(abort())),
      { ...released, invalidated: 1, destroyed: 1 },
    ],
    'a resource that has grown old': [
      async ({ pool, clock }) => {
        await pool.use(() => {});
        await clock.advance(60_001);
        await pool.use(() => {});
      },
      { ...{ acquired: 2, created: 2, waited: 2, released: 2 }, recycled: 1, destroyed: 1 },
    ],
    'a ping that failed': [
      async ({ pool, clock, driver }) => {
        await pool.use(() => {});
        await clock.advance(1000);
        driver.things[0]!.alive = false;
        await pool.use(() => {});
      },
      { ...{ acquired: 2, created: 2, waited: 2, released: 2 }, pingFailed: 1, destroyed: 1 },
    ],
    'a reset that failed': [
      async ({ pool, clock, driver }) => {
        driver.steps.reset = refuse;
        await pool.use(() => {});
        await clock.settle();
      },
      { ...released, resetFailed: 1, invalidated: 1, destroyed: 1 },
    ],
    'a resource detached': [
      async ({ pool }) => (await pool.acquire()).detach(),
      { ...released, detached: 1 },
    ],
    'a leak': [
      async ({ pool, clock }) => {
        await pool.acquire();
        await clock.advance(30_000);
      },
      { ...one, leaked: 1 },
    ],
    'a second release': [
      async ({ pool }) => {
        const lease = await pool.acquire();
        lease.release();
        lease.release();
      },
      { ...released, doubleReleased: 1 },
    ],
    'a pool disposed of': [
      async ({ pool }) => {
        await pool.use(() => {});
        await pool.dispose();
      },
      { ...released, destroyed: 1 },
    ],
  };
  it.each(Object.entries(deeds))('tell of %s', async (_what, [deed, expected]) => {
    const pooled = newPool({
      ...{ size: 1, maxOverflow: 0, recycleMs: 60_000, recycleJitter: 0, maxWaiting: 1 },
      ...{ prePing: true, pingIdleMs: 1000, leakWatch: { thresholdMs: 30_000 } },
    });
    await deed(pooled);
    const { counters } = pooled.pool.snapshot();
    expect(Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0))).toEqual(expected);
  });

  it('count an overflow create only when it has come about', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 1 });
    const lease = await pool.acquire();
    driver.steps.create = () => later(clock, 100);
    const second = follow(pool.acquire(), clock);
    await clock.advance(99);
    expect(pool.snapshot().counters.overflowCreated).toBe(0);
    await clock.advance(1);
    expect(second.state).toBe('fulfilled');
    expect(pool.snapshot().counters.overflowCreated).toBe(1);
    lease.release();
  });
});

describe('the snapshot of a pool that measures only a part', () => {
  const fields = {
    ...{ clock: new VirtualClock(), name: 'a', driver: 'x', size: 1, maxOverflow: 0, live: 1, overflow: 0 },
    ...{ idle: 0, inUse: 1, creating: 0, waiting: 0, peakWaiting: null, peakInUse: null },
    ...{ longestWaitMs: null, createError: null, wait: null, hold: null, closed: false, holders: [] },
    counters: { acquired: 3 },
  };

  it('has null for each counter and each setting that is left out, and no setup where none is known', () => {
    const { counters, setup } = poolSnapshot({ ...fields, setup: { prePing: true } });
    expect(setup).toEqual({
      ...{ acquireTimeoutMs: null, recycleMs: null, maxIdleMs: null, prePing: true },
      ...{ statementTimeoutMs: null, leakAfterMs: null },
    });
    expect(counters).toMatchObject({ acquired: 3, released: null, leaked: null });
    expect(poolSnapshot(fields)).not.toHaveProperty('setup');
  });
});

it('a new pool is announced to whoever watches the process', () => {
  const seen: unknown[] = [];
  const listen = (message: unknown): void => void seen.push(message);
  subscribe('poolctl:pool:open', listen);
  const { pool } = newPool();
  unsubscribe('poolctl:pool:open', listen);
  newPool();
  expect(seen).toEqual([{ pool }]);
});

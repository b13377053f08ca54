import { describe, expect, it } from 'vitest';
import { acquireMany, follow, later, never, newGate, newPool, releaseAll } from '../helpers/pools.js';

describe('close', () => {
  it('closes what is idle, and resolves when that is done', async () => {
    const { pool, clock, driver } = newPool();
    releaseAll(await acquireMany(pool, 3));
    driver.steps.destroy = () => later(clock, 200);
    const closed = follow(pool.close(), clock);
    await clock.advance(199);
    expect(closed.state).toBe('pending');
    await clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    expect(driver.things.map(({ closedAs }) => closedAs)).toEqual(Array(3).fill('closed'));
    expect(pool.snapshot()).toMatchObject({ closed: true, live: 0 });
  });

  it('rejects those who wait, and those who come', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0, timeoutMs: null });
    const held = await pool.acquire();
    const controller = new AbortController();
    const waiting = [
      follow(pool.acquire(), clock),
      follow(pool.acquire({ timeoutMs: 50, signal: controller.signal }), clock),
    ];
    const closed = follow(pool.close(), clock);
    const late = follow(pool.acquire(), clock);
    controller.abort();
    await clock.settle();
    for (const each of [...waiting, late]) {
      expect(each.error).toMatchObject({ code: 'ERR_POOL_CLOSED', message: "pool 'things' is closed" });
    }
    held.release();
    await clock.settle();
    expect(closed.state).toBe('fulfilled');
  });

  it('waits for the leases that are out, and closes what they bring back without a reset', async () => {
    const { pool, clock, driver } = newPool();
    const lease = await pool.acquire();
    const told: number[] = [];
    pool.on('close', ({ leasesLeft }) => told.push(leasesLeft));
    const closed = follow(pool.close(), clock);
    await clock.advance(4999);
    expect([closed.state, lease.active]).toEqual(['pending', true]);
    lease.release();
    await clock.settle();
    expect(closed).toMatchObject({ state: 'fulfilled', atMs: 4999 });
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
    expect(driver.things[0]).toMatchObject({ closedAs: 'closed', resets: [] });
    expect(told).toEqual([0]);
  });

  it.each([5000, 700, 0])('takes them back when their grace is over (%i ms)', async (graceMs) => {
    const { pool, clock, driver } = newPool();
    const [lost, late] = await acquireMany(pool, 2);
    const told: number[] = [];
    pool.on('close', ({ leasesLeft }) => told.push(leasesLeft));
    const closed = follow(graceMs === 5000 ? pool.close() : pool.close({ graceMs }), clock);
    await clock.advance(graceMs);
    expect(closed).toMatchObject({ state: 'fulfilled', atMs: graceMs });
    expect(driver.open).toBe(0);
    expect(told).toEqual([2]);
    expect(lost?.active).toBe(false);
    expect(() => lost?.resource).toThrow(expect.objectContaining({ code: 'ERR_LEASE_RELEASED' }));
    // Who releases after that has made no mistake.
    late?.release();
    expect(pool.snapshot()).toMatchObject({ inUse: 0, counters: { released: 2, doubleReleased: 0 } });
  });

  it('aborts creates that are under way, and closes what they bring all the same', async () => {
    const { pool, clock, driver } = newPool({ size: 2, createTimeoutMs: null });
    const gate = newGate();
    const reasons: unknown[] = [];
    driver.steps.create = (signal) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      return gate.opened;
    };
    const waiting = follow(pool.acquire(), clock);
    const closed = follow(pool.close(), clock);
    await clock.settle();
    expect([waiting.state, closed.state]).toEqual(['rejected', 'fulfilled']);
    expect(reasons).toMatchObject([{ code: 'ERR_POOL_CLOSED' }]);
    gate.open();
    await clock.settle();
    expect(driver.things[0]?.closedAs).toBe('unwanted');
    expect(driver.open).toBe(0);
  });

  it('closes what is being checked or reset as soon as that is over', async () => {
    const { pool, clock, driver } = newPool({ size: 2, prePing: true, pingIdleMs: 0 });
    releaseAll(await acquireMany(pool, 2));
    driver.steps.ping = () => later(clock, 300);
    driver.steps.reset = () => later(clock, 600);
    const lease = await clock.run(pool.acquire());
    lease.release();
    follow(pool.acquire(), clock);
    expect(pool.snapshot()).toMatchObject({ checking: 1, resetting: 1 });
    const closed = follow(pool.close(), clock);
    await clock.advance(1000);
    expect(closed).toMatchObject({ state: 'fulfilled', atMs: 900 });
    expect(driver.things.map(({ closedAs }) => closedAs)).toEqual(['closed', 'closed']);
  });

  it('does not wait for ever for what hangs', async () => {
    const { pool, clock, driver } = newPool({ size: 3, operationTimeoutMs: 1000 });
    const [first, second] = await acquireMany(pool, 3);
    driver.steps.reset = never;
    driver.steps.destroy = never;
    first?.release();
    second?.invalidate();
    const failed: string[] = [];
    pool.on('destroyFailed', ({ error }) => failed.push(error.message));
    const closed = follow(pool.close({ graceMs: 500 }), clock);
    await clock.advance(2000);
    expect(closed.state).toBe('fulfilled');
    expect(failed).toEqual(Array(3).fill('things: destroy took longer than 1000 ms'));
  });

  it('gives the same promise to everybody, whatever the second grace', async () => {
    const { pool, clock } = newPool();
    await pool.acquire();
    const closing = pool.close({ graceMs: 100 });
    expect(pool.close({ graceMs: 60_000 })).toBe(closing);
    await clock.advance(100);
    await closing;
    expect(pool.close()).toBe(closing);
  });

  it('leaves no timer, whatever was going on', async () => {
    const { pool, clock, driver } = newPool({
      ...{ size: 3, maxOverflow: 0, minIdle: 2, maxIdleMs: 5000, keepaliveMs: 3000, prePing: true },
      leakWatch: { thresholdMs: 4000 },
    });
    const [lease] = await acquireMany(pool, 3);
    follow(pool.acquire({ timeoutMs: 100_000 }), clock);
    lease?.detach();
    driver.steps.create = () => Promise.reject(new Error('no server'));
    await clock.advance(50);
    expect(clock.timers.foreground + clock.timers.background).toBeGreaterThan(1);
    await clock.run(pool.close({ graceMs: 10 }));
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  it('counts each lease once, though a listener releases others while it takes one back', async () => {
    const { pool, clock } = newPool();
    const leases = await acquireMany(pool, 3);
    pool.on('release', () => {
      for (const lease of leases) lease[Symbol.dispose]();
    });
    await clock.run(pool.close({ graceMs: 0 }));
    expect(pool.snapshot()).toMatchObject({
      inUse: 0,
      live: 0,
      counters: { released: 3, destroyed: 3 },
    });
  });

  it('is what the end of an `await using` does', async () => {
    const { pool, driver } = newPool();
    {
      await using scoped = pool;
      (await scoped.acquire()).release();
      expect(scoped.snapshot()).toMatchObject({ closed: false, idle: 1 });
    }
    expect(pool.snapshot().closed).toBe(true);
    expect(driver.things[0]?.closedAs).toBe('closed');
  });
});

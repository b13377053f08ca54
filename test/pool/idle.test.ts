import { describe, expect, it } from 'vitest';
import type { Lease } from '../../src/pool/lease.js';
import { Disconnect, type Thing } from '../helpers/fake-driver.js';
import { acquireMany, follow, later, never, newGate, newPool, releaseAll } from '../helpers/pools.js';

describe('minIdle', () => {
  it('opens nothing before the first use', async () => {
    const { clock, driver } = newPool({ minIdle: 2 });
    await clock.advance(60_000);
    expect(driver.creates).toBe(0);
  });

  it('is made up for as soon as acquires have been served', async () => {
    const { pool, clock, driver } = newPool({ size: 5, minIdle: 2 });
    await pool.acquire();
    await clock.settle();
    expect(pool.snapshot()).toMatchObject({ inUse: 1, idle: 2 });
    expect(driver.creates).toBe(3);
  });

  it('is made up for soon after idle ones were lent', async () => {
    const { pool, clock } = newPool({ size: 5, minIdle: 2 });
    await pool.fill();
    await acquireMany(pool, 2);
    await clock.advance(200);
    expect(pool.snapshot()).toMatchObject({ inUse: 2, idle: 2 });
    await acquireMany(pool, 2);
    await clock.advance(200);
    // Within the size: what is beyond it would be closed again.
    expect(pool.snapshot()).toMatchObject({ inUse: 4, idle: 1, live: 5 });
  });

  it('is made up for when idle ones have broken or were disposed of', async () => {
    const { pool, clock, driver } = newPool({ size: 5, minIdle: 2 });
    await pool.fill();
    driver.things[0]?.breakDown();
    await clock.settle();
    expect(pool.snapshot().idle).toBe(2);
    await pool.dispose();
    await clock.settle();
    expect(pool.snapshot().idle).toBe(2);
    expect(driver.creates).toBe(5);
  });

  it('goes on trying, further and further apart, while nothing can be opened', async () => {
    const { pool, clock, driver } = newPool({ size: 5, minIdle: 1 });
    driver.steps.create = () => Promise.reject(new Error('no server'));
    await pool.fill();
    await clock.advance(20_000);
    expect(driver.creates).toBeGreaterThan(8);
    expect(driver.creates).toBeLessThan(40);
    delete driver.steps.create;
    await clock.advance(2000);
    expect(pool.snapshot().idle).toBe(1);
  });

  it('leaves the places to those who wait', async () => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 0, minIdle: 2 });
    driver.steps.create = () => later(clock, 100);
    const waiting = Array.from({ length: 3 }, () => follow(pool.acquire(), clock));
    await clock.advance(100);
    expect(waiting.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'pending']);
    expect(driver.creates).toBe(2);
  });

  it('is reached by itself when the server is back, also where everybody has given up', async () => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 0, minIdle: 1 });
    driver.steps.create = () => Promise.reject(new Error('no server'));
    await expect(clock.run(pool.acquire())).rejects.toMatchObject({ code: 'ERR_POOL_CREATE' });
    expect(pool.snapshot()).toMatchObject({ waiting: 0, idle: 0 });
    delete driver.steps.create;
    await clock.advance(5000);
    expect(pool.snapshot()).toMatchObject({ idle: 1, live: 1 });
  });

  it('opens nothing on a pool that is closed at whatever moment while some arrive', async () => {
    for (let reactions = 0; reactions < 15; reactions++) {
      const { pool, clock, driver } = newPool({ size: 2, minIdle: 2 });
      const gate = newGate();
      driver.steps.create = () => (driver.creates > 100 ? never() : gate.opened);
      const filled = follow(pool.fill(), clock);
      gate.open();
      // At some of these the create has succeeded, and the pool has not been told yet.
      for (let i = 0; i < reactions; i++) await null;
      const closed = follow(pool.close(), clock);
      await clock.settle();
      expect([filled.state, closed.state]).toEqual(['fulfilled', 'fulfilled']);
      expect(driver).toMatchObject({ creates: 2, open: 0 });
    }
  });
});

describe('fill', () => {
  it('resolves when minIdle resources are idle', async () => {
    const { pool, clock, driver } = newPool({ size: 5, minIdle: 3 });
    driver.steps.create = () => later(clock, 50 * driver.creates);
    const filled = follow(pool.fill(), clock);
    await clock.advance(149);
    expect(filled.state).toBe('pending');
    await clock.advance(1);
    expect(filled.state).toBe('fulfilled');
    expect(pool.snapshot()).toMatchObject({ idle: 3, inUse: 0 });
  });

  it('resolves also when it fails, or there is nothing to do', async () => {
    const { pool, driver } = newPool({ size: 5, minIdle: 3 });
    driver.steps.create = () => Promise.reject(new Error('no server'));
    await pool.fill();
    expect(pool.snapshot()).toMatchObject({ idle: 0, createError: 'no server' });
    await newPool().pool.fill();
    await pool.close();
    await pool.fill();
    expect(driver.creates).toBe(3);
  });
});

describe('the longest idle time', () => {
  it('closes what was not used for so long, but keeps minIdle', async () => {
    const { pool, clock, driver } = newPool({ size: 5, minIdle: 2, maxIdleMs: 1000 });
    releaseAll(await acquireMany(pool, 5));
    await clock.advance(999);
    expect(pool.snapshot().idle).toBe(5);
    await clock.advance(1);
    expect(pool.snapshot().idle).toBe(2);
    expect(driver.things.map(({ closedAs }) => closedAs)).toEqual([...Array(3).fill('max-idle'), null, null]);
  });

  it('is counted from the last use of each', async () => {
    const { pool, clock, driver } = newPool({ size: 3, maxIdleMs: 1000 });
    releaseAll(await acquireMany(pool, 3));
    await clock.advance(600);
    (await pool.acquire()).release();
    await clock.advance(400);
    expect(driver.things.map(({ closedAs }) => closedAs)).toEqual([null, 'max-idle', 'max-idle']);
    await clock.advance(600);
    expect(driver.things[0]?.closedAs).toBe('max-idle');
    await clock.advance(60_000);
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  it('lets the rest age out where the last one back is lent first', async () => {
    const { pool, clock } = newPool({ size: 5, lifo: true, maxIdleMs: 1000 });
    releaseAll(await acquireMany(pool, 5));
    for (let i = 0; i < 20; i++) {
      (await pool.acquire()).release();
      await clock.advance(100);
    }
    expect(pool.snapshot()).toMatchObject({ live: 1, idle: 1 });
  });

  it('never closes what a listener acquires while others are being closed', async () => {
    const { pool, clock } = newPool({ size: 5, maxIdleMs: 1000 });
    releaseAll(await acquireMany(pool, 4));
    const leases: (Lease<Thing> | null)[] = [];
    pool.on('destroy', () => {
      if (leases.length === 0) leases.push(pool.tryAcquire());
    });
    await clock.advance(1000);
    expect(leases).toMatchObject([{ active: true, resource: { closedAs: null } }]);
    expect(pool.snapshot()).toMatchObject({ live: 1, inUse: 1, idle: 0 });
  });
});

describe('keepalive', () => {
  it('pings what was not used for so long, and again after the same time', async () => {
    const { pool, clock, driver } = newPool({ size: 1, keepaliveMs: 1000 });
    (await pool.acquire()).release();
    await clock.advance(899);
    expect(driver.things[0]?.pings).toBe(0);
    await clock.advance(101);
    expect(driver.things[0]?.pings).toBe(1);
    await clock.advance(5000);
    expect(driver.things[0]?.pings).toBeGreaterThanOrEqual(5);
    expect(driver.things[0]?.pings).toBeLessThanOrEqual(7);
  });

  it('leaves alone what is used often enough, and what is in use', async () => {
    const { pool, clock, driver } = newPool({ size: 2, keepaliveMs: 1000 });
    await pool.acquire();
    for (let i = 0; i < 10; i++) {
      (await pool.acquire()).release();
      await clock.advance(800);
    }
    expect(driver.things.map(({ pings }) => pings)).toEqual([0, 0]);
  });

  it('replaces what does not answer, and takes all of its age for dead', async () => {
    const { pool, clock, driver } = newPool({ size: 2, minIdle: 1, keepaliveMs: 1000 });
    releaseAll(await acquireMany(pool, 2));
    driver.things[0]!.alive = false;
    await clock.advance(1100);
    expect(driver.things[0]?.closedAs).toBe('ping-failed');
    expect((await pool.acquire()).resource.id).toBe(3);
    expect(driver.things[1]?.closedAs).toBe('invalidated');
  });

  it('lends what it pings to who comes meanwhile, when it has answered', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, keepaliveMs: 1000 });
    const hooked: number[] = [];
    (await pool.acquire()).release();
    const gate = newGate();
    driver.steps.ping = () => gate.opened;
    await clock.advance(1000);
    pool.hook('acquire', ({ id }) => void hooked.push(id));
    const waiting = follow(pool.acquire(), clock);
    await clock.settle();
    expect(pool.snapshot()).toMatchObject({ checking: 1, waiting: 1 });
    gate.open();
    await clock.settle();
    expect(waiting.value?.resource.id).toBe(1);
    expect(hooked).toEqual([1]);
  });

  it('has somebody served at once when the ping fails', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, keepaliveMs: 1000 });
    (await pool.acquire()).release();
    const gate = newGate();
    driver.steps.ping = () => gate.opened;
    await clock.advance(1000);
    const waiting = follow(pool.acquire(), clock);
    gate.fail(new Disconnect());
    await clock.settle();
    expect(waiting).toMatchObject({ state: 'fulfilled', atMs: 1000 });
    expect(waiting.value?.resource.id).toBe(2);
  });
});

describe('a check that fails', () => {
  it('leaves nobody waiting until the bad one is closed', async () => {
    const { pool, clock, driver } = newPool({ size: 3, maxOverflow: 0, prePing: true, pingIdleMs: 0 });
    releaseAll(await acquireMany(pool, 2));
    driver.steps.destroy = () => later(clock, 3000);
    driver.steps.ping = (thing) => thing.breakDown();
    const waiting = follow(pool.acquire(), clock);
    await clock.settle();
    // The third place was free all the time.
    expect(waiting).toMatchObject({ state: 'fulfilled', atMs: 0 });
    expect(pool.snapshot()).toMatchObject({ inUse: 1, closing: 2 });
  });
});

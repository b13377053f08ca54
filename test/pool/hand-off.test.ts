import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { acquireMany, follow, later, newGate, newPool, releaseAll } from '../helpers/pools.js';
import { collectWarnings } from '../helpers/warnings.js';

describe('hand-off', () => {
  it('serves waiters in the order in which they came', async () => {
    const { pool, clock } = newPool({ size: 2, maxOverflow: 0 });
    const held = await acquireMany(pool, 2);
    const served: number[] = [];
    const waiting = Array.from({ length: 20 }, (_, user) =>
      pool.use(async () => {
        served.push(user);
        await later(clock, user % 3);
      }),
    );
    await clock.settle();
    releaseAll(held);
    await clock.run(Promise.all(waiting));
    expect(served).toEqual(Array.from({ length: 20 }, (_, user) => user));
  });

  it('lets nobody overtake: who comes after a release waits behind those who were waiting', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    const held = await pool.acquire();
    const first = follow(pool.acquire(), clock);
    const second = follow(pool.acquire(), clock);
    held.release();
    const late = follow(pool.acquire(), clock);
    expect(pool.tryAcquire()).toBeNull();
    await clock.settle();
    expect([first, second, late].map(({ state }) => state)).toEqual(['fulfilled', 'pending', 'pending']);
    first.value?.release();
    await clock.settle();
    expect([second, late].map(({ state }) => state)).toEqual(['fulfilled', 'pending']);
  });

  it('gives a released resource to the next waiter in the same turn, without making it idle', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    const held = await pool.acquire();
    const waiting = follow(pool.acquire(), clock);
    held.release();
    expect(pool.snapshot()).toMatchObject({ idle: 0, inUse: 1, waiting: 0 });
    await clock.settle();
    expect(waiting.value?.resource.id).toBe(1);
  });

  it('never loses a wake-up, whatever ends a lease', async () => {
    for (const end of ['release', 'invalidate', 'soft', 'detach', 'fail', 'broken', 'reset fails'] as const) {
      const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, timeoutMs: 1000 });
      const held = await pool.acquire();
      const waiting = follow(pool.acquire(), clock);
      await clock.settle();
      if (end === 'reset fails') driver.steps.reset = () => Promise.reject(new Error('no'));
      if (end === 'broken') held.resource.breakDown();
      if (end === 'invalidate') held.invalidate();
      else if (end === 'detach') held.detach();
      else if (end === 'fail') held.fail(new DOMException('cancelled', 'AbortError'));
      else {
        if (end === 'soft') held.invalidate(undefined, { soft: true });
        held.release();
      }
      await clock.advance(100);
      expect([end, waiting.state]).toEqual([end, 'fulfilled']);
    }
  });

  it('lends an idle resource without a wait, or tells at once that there is none', async () => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 0 });
    expect(pool.tryAcquire()).toBeNull();
    expect(driver.creates).toBe(0);
    (await pool.acquire()).release();
    const lease = pool.tryAcquire();
    expect(lease?.resource.id).toBe(1);
    expect(pool.tryAcquire()).toBeNull();
    lease?.release();
    pool.invalidateAll(new Error('restarted'));
    expect(pool.tryAcquire()).toBeNull();
    await pool.close();
    expect(pool.tryAcquire()).toBeNull();
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  it('lends one that must be checked first only to those who can wait', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0, prePing: true, pingIdleMs: 100 });
    (await pool.acquire()).release();
    pool.tryAcquire()?.release();
    await clock.advance(100);
    expect(pool.tryAcquire()).toBeNull();
    expect((await pool.acquire()).resource).toMatchObject({ id: 1, pings: 1 });
  });
});

describe('giving up', () => {
  it('rejects an aborted acquire with the reason as its cause, and serves the next in line', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    const held = await pool.acquire();
    const controller = new AbortController();
    const aborted = follow(pool.acquire({ signal: controller.signal }), clock);
    const next = follow(pool.acquire(), clock);
    const reason = new Error('the request was cancelled');
    await clock.advance(40);
    controller.abort(reason);
    await clock.settle();
    expect(aborted).toMatchObject({ state: 'rejected', error: { code: 'ERR_POOL_ABORTED', cause: reason } });
    held.release();
    await clock.settle();
    expect(next.state).toBe('fulfilled');
    expect(pool.snapshot().counters).toMatchObject({ aborted: 1, waited: 3, acquired: 2 });
  });

  it('refuses a signal that has aborted already', async () => {
    const { pool, driver } = newPool();
    const refused = pool.acquire({ signal: AbortSignal.abort(new Error('before')) });
    await expect(refused).rejects.toMatchObject({ code: 'ERR_POOL_ABORTED', cause: { message: 'before' } });
    expect(driver.creates).toBe(0);
  });

  it('has nothing more to do with a signal once the lease is out', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    const controller = new AbortController();
    const lease = await pool.acquire({ signal: controller.signal });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    controller.abort();
    expect(lease.active).toBe(true);
    const late = follow(pool.acquire({ signal: new AbortController().signal, timeoutMs: 10 }), clock);
    await clock.advance(10);
    expect(late.error?.code).toBe('ERR_POOL_TIMEOUT');
  });

  it('lets one signal stop any number of acquires, without a warning from Node', async () => {
    const { pool, clock } = newPool({ size: 20, maxOverflow: 0 });
    const controller = new AbortController();
    const { signal } = controller;
    const warnings = await collectWarnings(async () => {
      const waiting = Array.from({ length: 100 }, () => follow(pool.acquire({ signal }), clock));
      await clock.settle();
      controller.abort();
      await clock.settle();
      expect(waiting.map(({ state }) => state)).toEqual([
        ...Array(20).fill('fulfilled'),
        ...Array(80).fill('rejected'),
      ]);
    });
    expect(warnings).toEqual([]);
  });

  it.each(['abort', 'time-out'])('keeps what is opened for a waiter that gave up by %s', async (how) => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 0 });
    let aborted = false;
    driver.steps.create = (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return later(clock, 500);
    };
    const controller = new AbortController();
    const options = how === 'abort' ? { signal: controller.signal } : { timeoutMs: 100 };
    const gone = follow(pool.acquire(options), clock);
    await clock.advance(100);
    controller.abort();
    await clock.settle();
    expect(gone.state).toBe('rejected');
    expect(pool.snapshot()).toMatchObject({ creating: 1, waiting: 0 });
    await clock.advance(400);
    expect(pool.snapshot()).toMatchObject({ creating: 0, idle: 1, inUse: 0 });
    expect(aborted).toBe(false);
    expect((await pool.acquire()).resource.id).toBe(1);
    expect(driver.creates).toBe(1);
  });

  it('gives what was opened for one that gave up to the next, who opens nothing for itself', async () => {
    const { pool, clock, driver } = newPool({ size: 5, maxOverflow: 0 });
    driver.steps.create = () => later(clock, 500);
    const gone = follow(pool.acquire({ timeoutMs: 100 }), clock);
    await clock.advance(200);
    expect(gone.state).toBe('rejected');
    const next = follow(pool.acquire(), clock);
    await clock.advance(300);
    expect(next).toMatchObject({ state: 'fulfilled', atMs: 500 });
    expect(driver.creates).toBe(1);
  });

  it('closes an overflow resource that arrives when nobody wants it any more and enough are kept', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 1 });
    const held = await pool.acquire();
    driver.steps.create = () => later(clock, 500);
    const gone = follow(pool.acquire({ timeoutMs: 100 }), clock);
    await clock.advance(100);
    expect(gone.state).toBe('rejected');
    held.release();
    await clock.advance(400);
    expect(driver.things.map(({ closedAs }) => closedAs)).toEqual([null, 'overflow']);
    expect(pool.snapshot()).toMatchObject({ live: 1, idle: 1 });
  });

  it('keeps a resource whose check ends after the waiter has given up', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, prePing: true, pingIdleMs: 0 });
    (await pool.acquire()).release();
    const gate = newGate();
    driver.steps.ping = () => gate.opened;
    const gone = follow(pool.acquire({ timeoutMs: 50 }), clock);
    await clock.advance(50);
    expect(gone.state).toBe('rejected');
    gate.open();
    await clock.settle();
    expect(pool.snapshot()).toMatchObject({ live: 1, idle: 1, checking: 0 });
  });
});

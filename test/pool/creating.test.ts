import { describe, expect, it } from 'vitest';
import type { PoolEvents } from '../../src/pool/events.js';
import { Disconnect, type Thing } from '../helpers/fake-driver.js';
import {
  acquireMany,
  follow,
  type Gate,
  later,
  never,
  newGate,
  newPool,
  releaseAll,
  statusOf,
} from '../helpers/pools.js';
import { collectWarnings } from '../helpers/warnings.js';

const noServer = new Error('connect ECONNREFUSED');
const refuse = (): Promise<void> => Promise.reject(noServer);

describe('opening resources', () => {
  it('opens a few for a spike of short leases, not one for each (the scenario of HikariCP)', async () => {
    const { pool, clock, driver } = newPool({ size: 50, maxOverflow: 0, minIdle: 5 });
    await pool.fill();
    expect(driver.open).toBe(5);
    driver.steps.create = () => later(clock, 150);
    const spike = Array.from({ length: 50 }, () => pool.use(() => later(clock, 2)));
    await clock.run(Promise.all(spike));
    expect(clock.now()).toBeLessThan(150);
    await clock.advance(1000);
    expect(driver.creates).toBeLessThanOrEqual(10);
  });

  it('opens little overflow where releases serve those who wait sooner', async () => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 4 });
    driver.steps.create = () => later(clock, 1000);
    releaseAll(await clock.run(acquireMany(pool, 2)));
    const work = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) await pool.use(() => later(clock, 10));
    };
    await clock.run(Promise.all(Array.from({ length: 6 }, work)));
    // The first two steps come before it is known how fast leases return. All was done before those two were open.
    expect(driver.creates).toBeLessThanOrEqual(4);
    expect(pool.snapshot().counters.created).toBe(2);
  });

  it('opens all of the size step by step, however fast releases serve those who wait', async () => {
    const { pool, clock, driver } = newPool({ size: 6, maxOverflow: 0 });
    driver.steps.create = () => later(clock, 1000);
    releaseAll(await clock.run(acquireMany(pool, 2)));
    const work = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) await pool.use(() => later(clock, 10));
    };
    await clock.run(Promise.all(Array.from({ length: 8 }, work)));
    expect(driver.creates).toBe(6);
  });

  it('opens one for every waiter at once when nothing is out, up to the limit', async () => {
    const { pool, clock, driver } = newPool({ size: 30, maxOverflow: 20 });
    driver.steps.create = () => later(clock, 150);
    const waiting = Array.from({ length: 60 }, () => follow(pool.acquire(), clock));
    expect(driver.creates).toBe(50);
    await clock.advance(150);
    expect(waiting.filter(({ state }) => state === 'fulfilled')).toHaveLength(50);
    expect(driver.creates).toBe(50);
  });

  it('warns of nothing when very many are opened at once', async () => {
    const { pool, clock, driver } = newPool({ size: 100, maxOverflow: 0 });
    driver.steps.create = () => later(clock, 10);
    const warnings = await collectWarnings(async () => {
      const leases = Array.from({ length: 100 }, () => pool.acquire());
      await clock.run(Promise.all(leases));
    });
    expect(warnings).toEqual([]);
  });

  it('gets the whole pool within a few steps when the leases are long', async () => {
    const { pool, clock, driver } = newPool({ size: 50, maxOverflow: 0 });
    await pool.acquire();
    for (let i = 0; i < 60; i++) follow(pool.acquire(), clock);
    expect(driver.creates).toBe(2);
    await clock.advance(100);
    expect(driver.open).toBe(50);
  });

  it('counts as overflow only what was really opened beyond the size', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 2 });
    const held = await pool.acquire();
    driver.steps.create = refuse;
    const waiting = follow(pool.acquire(), clock);
    await clock.advance(5000);
    expect(pool.snapshot().counters).toMatchObject({ created: 1, overflowCreated: 0 });
    delete driver.steps.create;
    await clock.advance(5000);
    expect(waiting.state).toBe('fulfilled');
    expect(pool.snapshot().counters).toMatchObject({ created: 2, overflowCreated: 1 });
    held.release();
  });

  it('disappoints one waiter for each failed create, unless as many are under way as wait', async () => {
    const { pool, clock, driver } = newPool({ size: 3, maxOverflow: 0 });
    const gates: Gate[] = [];
    driver.steps.create = () => {
      const gate = newGate();
      gates.push(gate);
      return gate.opened;
    };
    const abort = new AbortController();
    const gone = follow(pool.acquire({ signal: abort.signal }), clock);
    const waiting = [follow(pool.acquire(), clock), follow(pool.acquire(), clock)];
    await clock.settle();
    expect(gates).toHaveLength(3);
    abort.abort(new Error('enough'));
    await clock.settle();
    expect(gone.state).toBe('rejected');
    gates[0]!.fail(noServer);
    await clock.settle();
    expect(waiting.map(({ state }) => state)).toEqual(['pending', 'pending']);
    gates[1]!.fail(noServer);
    await clock.settle();
    expect(waiting.map(({ state }) => state)).toEqual(['rejected', 'pending']);
    gates[2]!.open();
    await clock.settle();
    expect(waiting.map(({ state }) => state)).toEqual(['rejected', 'fulfilled']);
  });

  it('aborts a create when it takes too long, and closes what arrives after that', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, createTimeoutMs: 1000 });
    let reason: unknown;
    driver.steps.create = (signal) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
      return later(clock, 1500);
    };
    const failed = follow(pool.acquire(), clock);
    await clock.advance(1000);
    expect(failed.error).toMatchObject({ code: 'ERR_POOL_CREATE', cause: reason });
    expect(failed.error?.message).toContain('connect took longer than 1000 ms');
    // Its place is taken for as long as the driver is busy with it.
    expect(statusOf(pool)).toEqual([1, 0, 0, 0]);
    await clock.advance(500);
    expect(driver.things[0]?.closedAs).toBe('unwanted');
    expect(driver.open).toBe(0);
    expect(statusOf(pool)).toEqual([1, 0, -1, 0]);
  });

  it('never has more creates under way than places, however many were given up', async () => {
    const { pool, clock, driver } = newPool({ size: 3, maxOverflow: 1, createTimeoutMs: 100 });
    let underWay = 0;
    let most = 0;
    driver.steps.create = async () => {
      most = Math.max(most, ++underWay);
      await later(clock, 150);
      underWay--;
    };
    for (let i = 0; i < 200; i++) {
      follow(pool.acquire({ timeoutMs: 400 }), clock);
      await clock.advance(25);
      expect(pool.snapshot().live).toBeLessThanOrEqual(4);
    }
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('waits for the end of a create that was given up only as long again, and not while it closes', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, createTimeoutMs: 1000 });
    driver.steps.create = never;
    follow(pool.acquire(), clock);
    await clock.advance(1999);
    expect(pool.snapshot()).toMatchObject({ live: 1, creating: 0, closing: 1 });
    await clock.advance(1);
    expect(pool.snapshot()).toMatchObject({ live: 0, closing: 0 });
    follow(pool.acquire(), clock);
    await clock.advance(1500);
    expect(pool.snapshot()).toMatchObject({ live: 1, closing: 1 });
    const closed = follow(pool.close(), clock);
    await clock.settle();
    expect(closed.state).toBe('fulfilled');
  });

  it('does not take the late end of one create for that of the next in the same slot', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, createTimeoutMs: 1000 });
    driver.steps.create = () => later(clock, 2500);
    follow(pool.acquire(), clock);
    await clock.advance(2000);
    const second = follow(pool.acquire(), clock);
    // The first create ends now, while the second one is under way in its slot.
    await clock.advance(600);
    expect(driver.things[0]?.closedAs).toBe('unwanted');
    await clock.advance(500);
    expect(second.state).toBe('rejected');
    expect(pool.snapshot()).toMatchObject({ live: 1, closing: 1 });
  });

  it.each(['firstConnect', 'connect'] as const)('bounds the %s hook as well', async (hook) => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 0, createTimeoutMs: 1000 });
    const off = pool.hook(hook, never);
    const failed = follow(pool.acquire(), clock);
    await clock.advance(1000);
    expect(failed.error?.message).toContain('connect took longer than 1000 ms');
    expect(driver.things[0]?.closedAs).toBe('hook-failed');
    off();
    const lease = await clock.run(pool.acquire());
    expect(lease.resource.id).toBe(2);
    expect(clock.now()).toBeLessThan(2000);
  });

  it('bounds the acquire hook, which then fails that acquire', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, operationTimeoutMs: 1000 });
    const off = pool.hook('acquire', never);
    const failed = follow(pool.acquire(), clock);
    await clock.advance(1000);
    expect(failed.error?.message).toContain('acquire hook took longer than 1000 ms');
    expect(driver.things[0]?.closedAs).toBe('hook-failed');
    off();
    expect((await pool.acquire()).resource.id).toBe(2);
  });
});

describe('failing creates', () => {
  it('reject those who wait, with the cause and what to do', async () => {
    const { pool, clock, driver } = newPool({ name: 'orders' });
    driver.steps.create = refuse;
    const failed = follow(pool.acquire(), clock);
    await clock.settle();
    expect(failed).toMatchObject({
      state: 'rejected',
      atMs: 0,
      error: {
        code: 'ERR_POOL_CREATE',
        message: "pool 'orders': opening a connection failed: connect ECONNREFUSED",
        cause: noServer,
        hint: expect.stringContaining('server is up'),
      },
    });
    expect(pool.snapshot()).toMatchObject({ live: 0, createError: noServer.message });
  });

  it('are put off further and further, however many callers keep trying, and the pool recovers by itself', async () => {
    const { pool, clock, driver } = newPool({ size: 10, maxOverflow: 0 });
    driver.steps.create = refuse;
    const retries: number[] = [];
    pool.on('createFailed', ({ retryInMs }) => retries.push(retryInMs));
    let rejections = 0;
    const callers = Array.from({ length: 50 }, async () => {
      while (clock.now() < 11_000) {
        try {
          const lease = await pool.acquire();
          await later(clock, 5);
          lease.release();
        } catch {
          rejections++;
          await later(clock, 1);
        }
      }
    });
    await clock.advance(10_000);
    // Ten at the start, when nobody knew; then one at a time, 50 ms to 2 s apart.
    expect(driver.creates).toBeGreaterThan(12);
    expect(driver.creates).toBeLessThan(30);
    expect(Math.max(...retries)).toBeLessThanOrEqual(2000);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(25);
    expect(rejections).toBeGreaterThan(50);

    delete driver.steps.create;
    await clock.run(Promise.all(callers));
    expect(pool.snapshot()).toMatchObject({ createError: null, waiting: 0 });
    expect(pool.snapshot().counters.released).toBeGreaterThan(100);
  });

  it('never spin: a connect that fails at once in a hook, or breaks at once, is put off as well', async () => {
    for (const how of ['connect hook', 'breaks'] as const) {
      const { pool, clock, driver } = newPool({ size: 5, maxOverflow: 0, timeoutMs: 3000 });
      pool.hook('connect', (thing) => {
        if (how === 'breaks') thing.breakDown();
        else throw noServer;
      });
      const callers = Array.from({ length: 10 }, async () => {
        while (clock.now() < 10_000) await pool.acquire().catch(() => later(clock, 1));
      });
      await clock.advance(10_000);
      expect(driver.creates).toBeLessThan(30);
      expect(driver.open).toBe(0);
      await pool.close();
      await clock.run(Promise.all(callers));
    }
  });

  it('leave waiters waiting while a lease is out, since its release can serve them', async () => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 0, timeoutMs: 60_000 });
    const held = await pool.acquire();
    driver.steps.create = refuse;
    const waiting = follow(pool.acquire(), clock);
    await clock.advance(20_000);
    expect(waiting.state).toBe('pending');
    expect(driver.creates).toBeLessThan(25);
    held.release();
    await clock.settle();
    expect(waiting.value?.resource.id).toBe(1);
  });

  it('serve a waiter by the next try when the server is back, without a release', async () => {
    const { pool, clock, driver } = newPool({ size: 2, maxOverflow: 0, timeoutMs: 60_000 });
    await pool.acquire();
    driver.steps.create = refuse;
    const waiting = follow(pool.acquire(), clock);
    await clock.advance(10_000);
    delete driver.steps.create;
    await clock.advance(2000);
    expect(waiting.value?.resource.id).toBe(2);
  });

  it('cost one waiter for each while others are being opened, and the rest is served by those', async () => {
    const { pool, clock, driver } = newPool({ size: 15, maxOverflow: 0 });
    driver.steps.create = async () => {
      const nth = driver.creates;
      await later(clock, 10 + nth);
      if (nth <= 2) throw noServer;
    };
    const crowd = Array.from({ length: 50 }, () =>
      follow(
        pool.use(() => later(clock, 20)),
        clock,
      ),
    );
    await clock.advance(5000);
    const count = (state: string) => crowd.filter((each) => each.state === state).length;
    expect([count('rejected'), count('fulfilled')]).toEqual([2, 48]);
  });

  it('reject everybody at once when all of them fail', async () => {
    const { pool, clock, driver } = newPool({ size: 3, maxOverflow: 0 });
    driver.steps.create = refuse;
    const crowd = Array.from({ length: 50 }, () => follow(pool.acquire(), clock));
    await clock.settle();
    expect(crowd.every(({ error }) => error?.code === 'ERR_POOL_CREATE')).toBe(true);
    expect(driver.creates).toBe(3);
  });

  it('that throw before they return a promise are failed creates too', async () => {
    const { pool, driver } = newPool();
    driver.create = () => {
      throw noServer;
    };
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ERR_POOL_CREATE', cause: noServer });
    expect(pool.snapshot().live).toBe(0);
  });
});

describe('breakage', () => {
  it('of an idle resource closes it, is told, and harms nobody', async () => {
    const { pool, driver } = newPool({ size: 2, maxOverflow: 0 });
    const told: PoolEvents<Thing>['invalidate'][] = [];
    pool.on('invalidate', (event) => told.push(event));
    releaseAll(await acquireMany(pool, 2));
    const [first] = driver.things;
    const cause = new Disconnect('terminated by the administrator');
    const { listener } = first!;
    first?.breakDown(cause);
    listener?.(cause);
    expect(told).toEqual([{ resource: first, slotId: 1, soft: false, cause }]);
    expect(first?.closedAs).toBe('broken');
    expect(pool.snapshot()).toMatchObject({ live: 1, idle: 1 });
    const ids = (await acquireMany(pool, 2)).map(({ resource }) => resource.id);
    expect(ids).toEqual([2, 3]);
  });

  it('of a resource in use is found out by its borrower; it is replaced when it comes back', async () => {
    const { pool, driver } = newPool({ size: 1, maxOverflow: 0 });
    const lease = await pool.acquire();
    lease.resource.breakDown();
    expect(lease.active).toBe(true);
    expect(pool.snapshot().counters).toMatchObject({ invalidated: 0, softInvalidated: 1 });
    lease.release();
    expect(driver.things[0]).toMatchObject({ closedAs: 'invalidated', resets: [] });
    expect((await pool.acquire()).resource.id).toBe(2);
  });

  it.each(['in a reset that waits', 'in a reset that does not wait', 'in a release hook', 'in a check'])(
    '%s hands it to nobody',
    async (when) => {
      const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0, prePing: true, pingIdleMs: 10 });
      const held = await pool.acquire();
      const breakIt = () => driver.things[0]?.breakDown();
      if (when === 'in a check') {
        held.release();
        await clock.advance(10);
        driver.steps.ping = async (thing) => {
          thing.breakDown();
          thing.alive = true;
        };
      } else if (when === 'in a release hook') pool.hook('release', breakIt);
      else if (when === 'in a reset that waits') driver.steps.reset = async () => breakIt();
      else driver.steps.reset = breakIt;
      const next = follow(pool.acquire(), clock);
      held[Symbol.dispose]();
      await clock.advance(200);
      expect(next.value?.resource.id).toBe(2);
      expect(driver.things[0]?.closedAs).toBe('invalidated');
    },
  );

  it('of very many stale idle resources is cleared away by one acquire', async () => {
    const { pool, driver } = newPool({ size: 5000, maxOverflow: 0, leakWatch: false });
    releaseAll(await acquireMany(pool, 5000));
    pool.invalidateAll(new Error('restarted'));
    expect((await pool.acquire()).resource.id).toBe(5001);
    expect(driver.open).toBe(1);
  });
});

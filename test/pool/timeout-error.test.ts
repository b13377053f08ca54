import { describe, expect, it } from 'vitest';
import { PoolTimeoutError, type TimeoutReason } from '../../src/pool/errors.js';
import type { Thing } from '../helpers/fake-driver.js';
import type { Outcome, Pooled } from '../helpers/pools.js';
import { acquireMany, follow, inAnotherFlow, never, newPool, releaseAll } from '../helpers/pools.js';

function timeoutOf(outcome: Outcome<unknown>): PoolTimeoutError {
  expect(outcome.error).toBeInstanceOf(PoolTimeoutError);
  return outcome.error as PoolTimeoutError;
}

/** Lets one acquire time out, and hands over the error. */
async function timedOut({ pool, clock }: Pooled, timeoutMs = 1000): Promise<PoolTimeoutError> {
  const outcome = follow(
    inAnotherFlow(() => pool.acquire({ timeoutMs })),
    clock,
  );
  await clock.advance(timeoutMs);
  return timeoutOf(outcome);
}

describe('the error of an acquire that timed out', () => {
  it('says what was tried, how the pool stood, who holds what, and what to do', async () => {
    const pooled = newPool({ name: 'orders', size: 2, maxOverflow: 1 });
    const { pool, clock } = pooled;
    await pool.acquire();
    await clock.advance(40_000);
    const others = await acquireMany(pool, 2);
    follow(pool.acquire({ timeoutMs: null }), clock);
    const error = await timedOut(pooled, 1500);
    expect(error.code).toBe('ERR_POOL_TIMEOUT');
    const lines = error.message.replaceAll(/\/\S*\/test/g, 'test').split('\n');
    expect(lines).toEqual([
      "acquire timed out after 1,500 ms: pool 'orders' has 2 + 1 overflow in use (limit 2 + 1), 2 waiting (ERR_POOL_TIMEOUT)",
      expect.stringMatching(
        /^ {2}longest lease is 42 s old, acquired at test\/pool\/timeout-error\.test\.ts:\d+:\d+$/,
      ),
      expect.stringMatching(/^ {2}also held: 2 acquired at test\/helpers\/pools\.ts:\d+:\d+$/),
      `  hint: ${error.hint}`,
    ]);
    expect(others.every(({ active }) => active)).toBe(true);
  });

  it('carries the same as data, the oldest holders first, ten at most', async () => {
    const pooled = newPool({ size: 12, maxOverflow: 0 });
    for (let i = 0; i < 12; i++) {
      await pooled.pool.acquire();
      await pooled.clock.advance(10);
    }
    const { facts } = await timedOut(pooled);
    expect(facts).toMatchObject({
      pool: 'things',
      waitedMs: 1000,
      reason: 'all-in-use',
      size: 12,
      maxOverflow: 0,
      inUse: 12,
      overflow: 0,
      creating: 0,
      waiting: 1,
      loopBlockedMs: 0,
      site: expect.stringMatching(/timeout-error\.test\.ts:\d+:\d+$/),
      nestedIn: null,
    });
    expect(facts.holders.map(({ leaseId, ageMs }) => [leaseId, ageMs])).toEqual(
      Array.from({ length: 10 }, (_, i) => [i + 1, 1120 - i * 10]),
    );
  });

  it('has the stack of the acquire, not that of the timer', async () => {
    const pooled = newPool({ size: 1, maxOverflow: 0 });
    await pooled.pool.acquire();
    const { stack } = await timedOut(pooled);
    expect(stack).toMatch(/^PoolTimeoutError: acquire timed out/);
    expect(stack).toMatch(/\n {4}at timedOut \(.*timeout-error\.test\.ts/);
  });

  it('says so where ages and places are not known', async () => {
    const pooled = newPool({ size: 1, maxOverflow: 0, leakWatch: false, histograms: false });
    await pooled.pool.acquire();
    const error = await timedOut(pooled);
    expect(error.message).toContain('longest lease is of unknown age, acquired at a site not sampled');
    expect(error.facts).toMatchObject({ site: null, holders: [{ leaseId: 1, ageMs: null, site: null }] });
  });

  it('counts all who waited, those that time out with it among them', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0, timeoutMs: 500 });
    await pool.acquire();
    const crowd = Array.from({ length: 3 }, () => follow(pool.acquire(), clock));
    await clock.advance(500);
    expect(crowd.map((each) => timeoutOf(each).facts.waiting)).toEqual([3, 3, 3]);
  });

  it('says of each how long it waited, and where it was called, though they time out together', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0, timeoutMs: null });
    await pool.acquire();
    const early = follow(pool.acquire({ timeoutMs: 500 }), clock);
    await clock.advance(100);
    const late = follow(pool.acquire({ timeoutMs: 400 }), clock);
    await clock.advance(400);
    const [one, other] = [timeoutOf(early), timeoutOf(late)];
    expect([one.facts.waitedMs, other.facts.waitedMs]).toEqual([500, 400]);
    expect(one.message).toContain('after 500 ms');
    expect(other.message).toContain('after 400 ms');
    expect(one.facts.site).not.toBe(other.facts.site);
  });
});

describe('the reason of a time-out', () => {
  const noServer = new Error('connect ECONNREFUSED');
  const reasons: Readonly<Record<TimeoutReason, (pooled: Pooled) => Promise<PoolTimeoutError>>> = {
    'all-in-use': async (pooled) => {
      await acquireMany(pooled.pool, 2);
      return timedOut(pooled);
    },
    creating: async (pooled) => {
      await pooled.pool.acquire();
      pooled.driver.steps.create = never;
      return timedOut(pooled);
    },
    checking: async () => {
      const pooled = newPool({ size: 2, maxOverflow: 0, prePing: true, pingIdleMs: 0 });
      releaseAll(await acquireMany(pooled.pool, 2));
      pooled.driver.steps.ping = never;
      follow(pooled.pool.acquire(), pooled.clock);
      await pooled.clock.advance(500);
      return timedOut(pooled);
    },
    resetting: async (pooled) => {
      pooled.driver.steps.reset = never;
      releaseAll(await acquireMany(pooled.pool, 2));
      return timedOut(pooled);
    },
    closing: async (pooled) => {
      pooled.driver.steps.destroy = never;
      for (const lease of await acquireMany(pooled.pool, 2)) lease.invalidate();
      return timedOut(pooled);
    },
    'create-failing': async (pooled) => {
      await pooled.pool.acquire();
      pooled.driver.steps.create = () => Promise.reject(noServer);
      return timedOut(pooled);
    },
    'loop-blocked': async ({ pool, clock }) => {
      await acquireMany(pool, 2);
      const outcome = follow(pool.acquire({ timeoutMs: 500 }), clock);
      clock.block(900);
      await clock.settle();
      return timeoutOf(outcome);
    },
    nested: async ({ pool, clock }) => {
      const flow = async () => {
        await pool.acquire();
        await pool.acquire();
        await pool.acquire({ timeoutMs: 1000 });
      };
      const outcome = follow(flow(), clock);
      await clock.advance(1000);
      return timeoutOf(outcome);
    },
  };
  const told: Readonly<Record<TimeoutReason, readonly [text: string, hint: string]>> = {
    'all-in-use': [
      'has 2 + 0 overflow in use (limit 2 + 0), 1 waiting',
      'look for a path that skips release',
    ],
    creating: [
      '1 being opened for 1.0 s, 1 waiting (ERR_POOL_TIMEOUT)\n  opening connections is slow: 1 still under way',
      'keep some open with minIdle',
    ],
    checking: [
      'has 0 + 0 overflow in use (limit 2 + 0), 2 being checked for 1.5 s, 2 waiting (ERR_POOL_TIMEOUT)\n  checks before lending are slow: 2 still under way',
      'check whether the server answers',
    ],
    resetting: [
      'has 0 + 0 overflow in use (limit 2 + 0), 2 being reset for 1.0 s, 1 waiting (ERR_POOL_TIMEOUT)\n  resets after a release are slow: 2 still under way',
      'look for queries that nobody awaited',
    ],
    closing: [
      'has 0 + 0 overflow in use (limit 2 + 0), 2 being closed for 1.0 s, 1 waiting (ERR_POOL_TIMEOUT)\n  closing connections is slow: 2 still hold their places',
      'check whether the server answers',
    ],
    'create-failing': ['opening connections is failing', 'check that the server is up'],
    'loop-blocked': ['the event loop was blocked for 800 ms meanwhile', 'find what blocks the event loop'],
    nested: ['this flow already holds a lease of the same pool', 'pass the lease on instead'],
  };
  it.each(Object.keys(reasons) as TimeoutReason[])('is %s, in words and with a hint', async (reason) => {
    const error = await reasons[reason](newPool({ size: 2, maxOverflow: 0 }));
    const [text, hint] = told[reason];
    expect(error.facts.reason).toBe(reason);
    expect(error.message).toContain(text);
    expect(error.hint).toContain(hint);
    expect(error.cause).toBe(reason === 'create-failing' ? noServer : undefined);
  });

  it('is not that creates fail when they work again', async () => {
    const pooled = newPool({ size: 2, maxOverflow: 0 });
    const { pool, clock, driver } = pooled;
    await pool.acquire();
    driver.steps.create = () => Promise.reject(noServer);
    const second = follow(pool.acquire(), clock);
    await clock.advance(100);
    delete driver.steps.create;
    await clock.advance(5000);
    expect(second.state).toBe('fulfilled');
    expect((await timedOut(pooled)).facts.reason).toBe('all-in-use');
  });
});

describe('a blocked event loop', () => {
  /** A pool whose only resource is lent. */
  async function newFullPool(): Promise<Pooled & { give(): void }> {
    const pooled = newPool({ size: 1, maxOverflow: 0 });
    const lease = await inAnotherFlow(() => pooled.pool.acquire());
    return { ...pooled, give: () => lease.release() };
  }

  it('is not held against those whose resource came back meanwhile', async () => {
    const { pool, clock, give } = await newFullPool();
    const waiting = follow<{ resource: Thing }>(pool.acquire({ timeoutMs: 300 }), clock);
    // An answer of the server that lies there unread: it is looked at after the timers.
    clock.setTimer(() => clock.defer(give), 50);
    clock.block(1000);
    await clock.settle();
    expect(waiting).toMatchObject({ state: 'fulfilled', atMs: 1000 });
  });

  it('is not the reason where it stood still for a small part of the wait', async () => {
    const { pool, clock } = await newFullPool();
    const outcome = follow(pool.acquire({ timeoutMs: 3000 }), clock);
    await clock.advance(500);
    clock.block(1000);
    await clock.advance(3000);
    expect(timeoutOf(outcome).facts).toMatchObject({ reason: 'all-in-use', loopBlockedMs: 900 });
  });

  it('is told with its longest standstill, not with the last', async () => {
    const { pool, clock } = await newFullPool();
    const outcome = follow(pool.acquire({ timeoutMs: 1000 }), clock);
    clock.block(800);
    await clock.advance(50);
    clock.block(130);
    await clock.advance(500);
    expect(timeoutOf(outcome).facts).toMatchObject({ reason: 'loop-blocked', loopBlockedMs: 700 });
  });

  it('is not the reason for those who came after it', async () => {
    const { pool, clock } = await newFullPool();
    follow(pool.acquire({ timeoutMs: 10_000 }), clock);
    clock.block(5000);
    await clock.advance(1);
    const outcome = follow(pool.acquire({ timeoutMs: 200 }), clock);
    await clock.advance(200);
    expect(timeoutOf(outcome).facts).toMatchObject({ reason: 'all-in-use', loopBlockedMs: 0 });
  });
});

describe('a lease that was reported as a leak', () => {
  it('is counted as one where others time out for want of it', async () => {
    const { pool, clock } = newPool({ size: 2, maxOverflow: 0, leakWatch: { thresholdMs: 1000 } });
    await acquireMany(pool, 2);
    await clock.advance(2000);
    const third = follow(pool.acquire({ timeoutMs: 100 }), clock);
    await clock.advance(100);
    expect(third.error?.message).toContain('\n  reported as leaks: 2 of 2\n');
  });
});

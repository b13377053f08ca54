import { describe, expect, it } from 'vitest';
import type { Lease } from '../../src/pool/lease.js';
import type { NestedReport } from '../../src/pool/nested-watch.js';
import type { PoolOptions } from '../../src/pool/options.js';
import type { Thing } from '../helpers/fake-driver.js';
import { follow, later, newPool, type Pooled } from '../helpers/pools.js';

interface Told extends Pooled {
  readonly told: NestedReport[];
  /** Waits on the clock. */
  pause(ms?: number): Promise<void>;
}

function newToldPool(options: Partial<PoolOptions<Thing>> = {}): Told {
  const pooled = newPool({ size: 1, maxOverflow: 0, timeoutMs: 3000, ...options });
  const told: NestedReport[] = [];
  pooled.pool.on('nested', (report) => told.push(report));
  return { ...pooled, told, pause: (ms = 10) => later(pooled.clock, ms) };
}

/** The line of this file on which the caller stands. */
function lineAt(offset = 0): number {
  const [, , caller] = new Error().stack!.split('\n');
  return Number(/:(\d+):\d+\)?$/.exec(caller!)![1]) + offset;
}

function lineOf(site: string | null): number {
  expect(site).toMatch(/nested\.test\.ts:\d+:\d+$/);
  return Number(/:(\d+):\d+$/.exec(site!)![1]);
}

describe('a flow that waits for its own lease', () => {
  it('is told of long before the time-out, with both places', async () => {
    const { pool, clock, told, pause } = newToldPool();
    const lines: number[] = [];
    const flow = async () => {
      const outer = await pool.acquire();
      lines.push(lineAt(-1));
      await pause();
      lines.push(lineAt(+1));
      await pool.acquire();
      outer.release();
    };
    const outcome = follow(flow(), clock);
    await clock.advance(1200);
    expect(outcome.state).toBe('pending');
    expect(told).toMatchObject([{ pool: 'things', waitedMs: expect.any(Number) }]);
    expect([lineOf(told[0]!.outerSite), lineOf(told[0]!.innerSite)]).toEqual(lines);
    await clock.advance(3000);
    expect(outcome.error?.message).toContain('this flow already holds a lease of the same pool');
    expect(told).toHaveLength(1);
    expect(pool.snapshot().counters.nested).toBe(1);
  });

  it('is told of within half of a short time-out', async () => {
    const { pool, clock, told } = newToldPool({ timeoutMs: 60 });
    const flow = async () => {
      (await pool.acquire()).release();
      await pool.acquire();
      await pool.acquire();
    };
    const outcome = follow(flow(), clock);
    await clock.advance(60);
    expect(told).toHaveLength(1);
    expect(outcome.error).toMatchObject({ facts: { reason: 'nested' } });
  });

  const inner = async ({ pool, pause }: Told) => {
    await pause();
    await pool.acquire();
  };
  const flows: Readonly<Record<string, (told: Told) => Promise<unknown>>> = {
    'in a function that it calls': async (told) => {
      await told.pool.acquire();
      await inner(told);
    },
    'through a wrapper that acquires for it': async ({ pool, pause }) => {
      const open = async () => ({ lease: await pool.acquire() });
      await open();
      await pause();
      await open();
    },
    'in the work that a scope does': ({ pool, pause }) =>
      pool.use(async () => {
        await pause();
        await pool.use(() => {});
      }),
    'in the work of a scope of its own making': async ({ pool, pause }) => {
      const scope = async (work: () => Promise<void>) => {
        const lease = await pool.acquire();
        await work();
        lease.release();
      };
      await scope(async () => {
        await pause();
        await scope(() => pause());
      });
    },
    'in one of several branches': async (told) => {
      await told.pool.acquire();
      await Promise.all([told.pause(), inner(told)]);
    },
  };
  it.each(Object.entries(flows))('is told of %s', async (_where, flow) => {
    const told = newToldPool({ timeoutMs: 1000 });
    await told.pool.use(() => {});
    const outcome = follow(flow(told), told.clock);
    await told.clock.advance(2000);
    expect(outcome.error).toMatchObject({ code: 'ERR_POOL_TIMEOUT', facts: { reason: 'nested' } });
    expect(told.told).toHaveLength(1);
  });
});

describe('no deadlock is told of', () => {
  const innocent: Readonly<Record<string, (told: Told) => Promise<unknown>>> = {
    'when brothers and sisters wait for each other': ({ pool, pause }) =>
      Promise.all([0, 1, 2].map(() => pool.use(() => pause(900)))),
    'when a loop starts flows that take long': async ({ pool, pause }) => {
      const handle = async () => {
        const lease = await pool.acquire();
        await pause(1400);
        lease.release();
      };
      const all: Promise<void>[] = [];
      for (let i = 0; i < 3; i++) {
        all.push(handle());
        await pause();
      }
      await Promise.all(all);
    },
    'when a loop starts flows that acquire twice, and there is a queue': async ({ pool, pause }) => {
      const handle = async () => {
        await pool.use(() => pause(200));
        await pool.use(() => pause(200));
      };
      const all: Promise<void>[] = [];
      for (let i = 0; i < 6; i++) {
        all.push(handle());
        await pause();
      }
      await Promise.all(all);
    },
    'when a flow starts two others at once': async ({ pool, pause }) => {
      await pool.use(() => {});
      const one = pool.use(() => pause(1500));
      const other = pool.use(() => pause());
      await Promise.all([one, other]);
    },
    'when a flow acquires again after it has released': async ({ pool, pause }) => {
      const mine = async () => {
        const lease = await pool.acquire();
        await pause();
        lease.release();
        await pool.use(() => pause());
      };
      await Promise.all([mine(), pool.use(() => pause(2000))]);
    },
    'when a flow has given its lease to another': async ({ pool, pause }) => {
      const finish = async (lease: Lease<Thing>) => {
        await pause(400);
        lease.release();
      };
      const given = finish(await pool.acquire());
      await pool.use(() => pause());
      await given;
    },
  };
  it.each(Object.entries(innocent))('%s', async (_when, flow) => {
    const told = newToldPool({ timeoutMs: 10_000 });
    await told.clock.run(flow(told));
    expect(told.told).toEqual([]);
  });

  it('when a loop starts a long flow, and others that acquire twice and come through', async () => {
    const { pool, clock, told, pause } = newToldPool({ size: 2, timeoutMs: 10_000 });
    const handle = async () => {
      await pool.use(() => pause(200));
      await pool.use(() => pause(200));
    };
    const loop = async () => {
      const all: Promise<void>[] = [pool.use(() => pause(4000))];
      for (let i = 0; i < 8; i++) {
        await pause();
        all.push(handle());
      }
      await Promise.all(all);
    };
    await clock.run(loop());
    expect(told).toEqual([]);
  });

  it('while the pool still has a place for it', async () => {
    const { pool, clock, driver, told } = newToldPool({ size: 2 });
    const flow = async () => {
      await pool.acquire();
      driver.steps.create = () => later(clock, 2000);
      await pool.acquire();
    };
    await clock.run(flow());
    expect(told).toEqual([]);
  });

  it('between two pools', async () => {
    const [one, other] = [newToldPool(), newToldPool()];
    const flow = async () => {
      await one.pool.acquire();
      await other.pause();
      await other.pool.acquire();
    };
    const outcome = follow(flow(), other.clock);
    follow(other.pool.acquire(), other.clock);
    await other.clock.advance(4000);
    expect(outcome.error).toMatchObject({ facts: { reason: 'all-in-use', nestedIn: null } });
    expect([...one.told, ...other.told]).toEqual([]);
  });

  it('where leaks are not watched', async () => {
    const { pool, clock, told } = newToldPool({ leakWatch: false });
    const flow = async () => {
      await pool.acquire();
      await pool.acquire();
    };
    const outcome = follow(flow(), clock);
    await clock.advance(3000);
    expect(outcome.error).toMatchObject({ facts: { reason: 'all-in-use' } });
    expect(told).toEqual([]);
  });
});

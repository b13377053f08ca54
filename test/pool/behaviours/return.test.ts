import { describe, expect, it } from 'vitest';
import { QueuePool } from '../../../src/pool/queue-pool.js';
import { Disconnect, FakeDriver, type Thing } from '../../helpers/fake-driver.js';
import { collectGarbage } from '../../helpers/garbage.js';
import { follow, newPool, statusOf } from '../../helpers/pools.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';

/** Ported from SQLAlchemy's tests of its pool: how a resource comes back. */
describe('a pool like QueuePool: return and reset', () => {
  it('18. gets its resource back at the end of a scope, on success and on a throw', async () => {
    const { pool } = newPool({ size: 1, maxOverflow: 0 });
    await expect(pool.use((resource) => resource.id)).resolves.toBe(1);
    expect(statusOf(pool)).toEqual([1, 1, 0, 0]);
    const failing = pool.use(() => {
      throw new Error('at work');
    });
    await expect(failing).rejects.toThrow('at work');
    expect(statusOf(pool)).toEqual([1, 1, 0, 0]);
    {
      using lease = await pool.acquire();
      expect(lease.resource.id).toBe(1);
      expect(statusOf(pool)).toEqual([1, 0, 0, 1]);
    }
    expect(statusOf(pool)).toEqual([1, 1, 0, 0]);
  });

  it('19. first resets, then runs the release hooks, then lends again', async () => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0 });
    const seen: string[] = [];
    driver.steps.reset = () => void seen.push('reset');
    pool.hook('release', () => void seen.push('release hook'));
    const lease = await pool.acquire();
    const next = follow(pool.acquire(), clock);
    pool.on('acquire', () => seen.push('lent'));
    lease.release();
    await clock.settle();
    expect(next.state).toBe('fulfilled');
    expect(seen).toEqual(['reset', 'release hook', 'lent']);
  });

  it('20. rolls back once, and not if the layer above has reset already', async () => {
    const { pool, driver } = newPool();
    const resets = async (options: { alreadyReset?: boolean }) => {
      const lease = await pool.acquire();
      lease.release(options);
      return driver.things[0]?.resets.splice(0);
    };
    expect(await resets({})).toEqual(['rollback']);
    expect(await resets({ alreadyReset: true })).toEqual([]);
    expect(await resets({ alreadyReset: false })).toEqual(['rollback']);
  });

  it.each([
    ['rollback', ['rollback']],
    ['commit', ['commit']],
    ['none', []],
  ] as const)('20. resets by %s as told', async (reset, expected) => {
    const { pool, driver } = newPool({ reset });
    (await pool.acquire()).release();
    expect(driver.things[0]?.resets).toEqual(expected);
  });

  it('21. runs the reset hook before the built-in reset, and tells it the state', async () => {
    const { pool, clock, driver } = newPool();
    const seen: unknown[] = [];
    pool.hook('reset', (_resource, state) => void seen.push(state));
    driver.steps.reset = () => void seen.push('built-in');
    (await pool.acquire()).release();
    await clock.settle();
    (await pool.acquire()).release({ alreadyReset: true });
    await clock.settle();
    expect(seen).toEqual([
      { alreadyReset: false, terminateOnly: false, asyncSafe: true },
      'built-in',
      { alreadyReset: true, terminateOnly: false, asyncSafe: true },
    ]);
  });

  it('21. runs the reset hook also where there is no built-in reset to do', async () => {
    const { pool, clock, driver } = newPool({ reset: 'none' });
    let hooks = 0;
    pool.hook('reset', () => void hooks++);
    (await pool.acquire()).release();
    await clock.settle();
    expect({ hooks, resets: driver.things[0]?.resets }).toEqual({ hooks: 1, resets: [] });
  });

  it('22. runs the reset hook when a detached resource is closed (to terminate only), not after invalidate', async () => {
    const { pool, clock, driver } = newPool();
    const seen: unknown[] = [];
    pool.hook('reset', (resource, state) => void seen.push([resource.id, state.terminateOnly]));
    const detached = await pool.acquire();
    detached.detach();
    detached.release();
    await clock.settle();
    expect(seen).toEqual([[1, true]]);
    expect(driver.things[0]).toMatchObject({ closedAs: 'detached', resets: [] });

    const invalidated = await pool.acquire();
    invalidated.invalidate();
    invalidated.release();
    await clock.settle();
    expect(seen).toHaveLength(1);
    expect(driver.things[1]).toMatchObject({ closedAs: 'invalidated', resets: [] });
  });

  it.each([
    ['a throw of the driver', 'throw'],
    ['a rejection of the driver', 'reject'],
    ['a reset hook', 'hook'],
    ['a release hook', 'release hook'],
  ] as const)('23. survives an error in the reset: %s', async (_what, how) => {
    const { pool, clock, driver } = newPool({ size: 1, maxOverflow: 0 });
    const error = new Error('cannot roll back');
    const fail = () => {
      throw error;
    };
    const events: unknown[] = [];
    pool.on('resetFailed', (event) => events.push(event.error));
    pool.on('invalidate', ({ resource, soft, cause }) => events.push([resource.id, soft, cause]));
    if (how === 'hook') pool.hook('reset', fail);
    else if (how === 'release hook') pool.hook('release', fail);
    else driver.steps.reset = how === 'throw' ? fail : () => Promise.reject(error);
    const lease = await pool.acquire();
    lease.release();
    await clock.settle();
    expect(events).toEqual([error, [1, false, error]]);
    expect(driver.things[0]?.closedAs).toBe('reset-failed');
    expect(statusOf(pool)).toEqual([1, 0, -1, 0]);
    expect((await pool.acquire()).resource.id).toBe(2);
  });

  it('24. tells of a double release, which changes nothing', async () => {
    const { pool } = newPool({ size: 1, maxOverflow: 0 });
    const told: unknown[] = [];
    pool.on('doubleRelease', ({ leaseId }) => told.push(leaseId));
    const lease = await pool.acquire();
    lease.release();
    const next = await pool.acquire();
    lease.release();
    expect(told).toEqual([lease.id]);
    expect(statusOf(pool)).toEqual([1, 0, 0, 1]);
    expect(next.active).toBe(true);
    expect(pool.snapshot().counters.doubleReleased).toBe(1);
  });

  /** Borrows and forgets: nothing here outlives the call. */
  async function forget(pool: QueuePool<Thing>, before: 'invalidate' | 'soft' | 'nothing'): Promise<void> {
    const lease = await pool.acquire();
    if (before === 'invalidate') lease.invalidate();
    if (before === 'soft') lease.invalidate(new Disconnect(), { soft: true });
  }

  function newForgetting(collected: 'destroy' | 'reset') {
    const clock = new VirtualClock();
    const driver = new FakeDriver();
    const pool = new QueuePool<Thing>({ driver, clock, size: 1, maxOverflow: 0, collected });
    const told: unknown[] = [];
    pool.on('collected', ({ leaseId, site }) => told.push([leaseId, site?.includes('return.test.ts')]));
    return { clock, driver, pool, told };
  }

  it('25. terminates what a garbage-collected lease had borrowed, and tells so', async () => {
    const { pool, driver, told } = newForgetting('destroy');
    await forget(pool, 'nothing');
    await collectGarbage(() => told.length > 0);
    expect(told).toEqual([[1, true]]);
    expect(driver.things[0]).toMatchObject({ closedAs: 'collected', resets: [] });
    expect(statusOf(pool)).toEqual([1, 0, -1, 0]);
  });

  it('25. resets and keeps it where that is safe; the reset hook is told that it cannot wait', async () => {
    const { pool, clock, driver, told } = newForgetting('reset');
    const states: boolean[] = [];
    pool.hook('reset', (_resource, { asyncSafe }) => void states.push(asyncSafe));
    await forget(pool, 'nothing');
    await collectGarbage(() => told.length > 0);
    await clock.settle();
    expect(told).toEqual([[1, true]]);
    expect(states).toEqual([false]);
    expect(driver.things[0]).toMatchObject({ closedAs: null, resets: ['rollback'] });
    expect(statusOf(pool)).toEqual([1, 1, 0, 0]);
  });

  it('25. does nothing for a lease that was invalidated before it was dropped', async () => {
    const { pool, driver, told } = newForgetting('reset');
    await forget(pool, 'invalidate');
    await forget(pool, 'invalidate');
    await collectGarbage();
    expect(told).toEqual([]);
    expect(driver.things.map(({ closedAs, resets }) => [closedAs, resets])).toEqual([
      ['invalidated', []],
      ['invalidated', []],
    ]);
    expect(statusOf(pool)).toEqual([1, 0, -1, 0]);
  });

  it('25. closes what was invalidated softly, without a reset', async () => {
    const { pool, driver, told } = newForgetting('reset');
    await forget(pool, 'soft');
    await collectGarbage(() => told.length > 0);
    expect(driver.things[0]).toMatchObject({ closedAs: 'invalidated', resets: [] });
  });
});

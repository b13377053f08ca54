import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createHttpPool } from '../../src/http/http-pool.js';
import { createIbPool } from '../../src/ib/pool.js';
import { POOL_BRAND } from '../../src/pool/brand.js';
import { QueuePool } from '../../src/pool/queue-pool.js';
import { isOwnPool } from '../../src/watch/own-pool.js';
import { Watcher } from '../../src/watch/watcher.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';

const driver = {
  name: 'made-up',
  create: async () => ({ sight: () => ({ lastSql: 'select 1', busy: true, localPort: 5, backendPid: 7 }) }),
  destroy: async () => {},
};

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

function opened<P extends AsyncDisposable>(pool: P): P {
  open.push(pool);
  return pool;
}

describe('the brand of a pool', () => {
  it('is known to another copy of poolctl in the process', async () => {
    vi.resetModules();
    const copy = await import('../../src/pool/queue-pool.js');
    expect(copy.QueuePool).not.toBe(QueuePool);
    const pool = opened(new copy.QueuePool({ driver, name: 'theirs', leakWatch: { thresholdMs: 1000 } }));
    const lease = await pool.acquire();
    const watcher = new Watcher(systemClock);
    watcher.add(pool);
    // What only our own pools are asked for: their resources, and how they are set up.
    expect(watcher.read().pools).toMatchObject([
      { name: 'theirs', holders: [{ lastSql: 'select 1', backendPid: 7 }], setup: { leakAfterMs: 1000 } },
    ]);
    lease.release();
  });

  it('is not guessed from methods: an object that has them all is none of ours', () => {
    const methods = ['acquire', 'tryAcquire', 'invalidateAll', 'snapshot', 'leasedResources'];
    const lookalike = Object.fromEntries(methods.map((name) => [name, () => null]));
    expect(isOwnPool(lookalike)).toBe(false);
    expect(new Watcher(systemClock).add(lookalike)).toEqual([]);
  });

  it('of a version that offers something else is not taken for ours, but its snapshot is read', () => {
    const newer = {
      [POOL_BRAND]: { kind: 'leases-2', isOver: () => false },
      snapshot: () => ({ name: 'newer', closed: false, live: 1, holders: [] }),
    };
    expect(isOwnPool(newer)).toBe(false);
    const watcher = new Watcher(systemClock);
    watcher.add(newer);
    expect(watcher.read().pools).toMatchObject([{ name: 'newer' }]);
  });

  it.each([
    ['none', undefined],
    ['a word', 'pool'],
    ['no object', null],
    ['one without the method', { kind: 'leases' }],
  ])('that is %s is no brand', (_, brand) => {
    expect(isOwnPool({ [POOL_BRAND]: brand })).toBe(false);
  });

  it.each([
    ['leases', () => new QueuePool({ driver, name: 'a' })],
    ['HTTP', () => createHttpPool({ name: 'a' })],
    ['broker', () => createIbPool({ name: 'a' })],
    ['feed', () => new SubscriptionPool({ name: 'a', url: 'ws://127.0.0.1:1' })],
  ])('tells a watcher that a pool of %s is over, without a snapshot of it', async (_, make) => {
    const pool = opened<AsyncDisposable & { snapshot(): object }>(make());
    const watcher = new Watcher(systemClock);
    watcher.add(pool);
    const snapshot = vi.spyOn(pool, 'snapshot');
    // The name of another one has to be free, for which it is looked at which are left.
    watcher.add(opened(make()));
    expect(snapshot).not.toHaveBeenCalled();
    expect(watcher.read().pools).toMatchObject([{ name: 'a' }, { name: 'a #2' }]);
    expect(snapshot).toHaveBeenCalledTimes(1);
    await pool[Symbol.asyncDispose]();
    expect(watcher.read().pools).toMatchObject([{ name: 'a #2' }]);
    expect(snapshot).toHaveBeenCalledTimes(1);
  });
});

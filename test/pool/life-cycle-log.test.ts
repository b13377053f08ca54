import { describe, expect, it } from 'vitest';
import { logLifeCycle } from '../../src/pool/life-cycle-log.js';
import { acquireMany, follow, later, newPool, type Pooled } from '../helpers/pools.js';

function newLoggedPool(options: Parameters<typeof newPool>[0] = {}): Pooled & {
  readonly lines: string[];
  stop(): void;
} {
  const pooled = newPool({ name: 'orders', size: 1, maxOverflow: 0, ...options });
  const lines: string[] = [];
  const stop = logLifeCycle(pooled.pool, (line) => lines.push(withoutPlaces(line)));
  return { ...pooled, lines, stop };
}

/** Where this file lies, and its lines, are not what is tested. */
function withoutPlaces(line: string): string {
  return line.replaceAll(/\/\S*\/(\S+\.ts):\d+:\d+/g, '$1');
}

describe('the life-cycle log', () => {
  it('has a line for each step of a resource', async () => {
    const { pool, clock, driver, lines } = newLoggedPool();
    driver.steps.create = () => later(clock, 12);
    const lease = await clock.run(pool.acquire());
    follow(pool.acquire(), clock);
    await clock.advance(1500);
    lease.release();
    pool.invalidateAll(new Error('restarted'));
    await clock.run(pool.close({ graceMs: 0 }));
    expect(lines).toEqual([
      "pool 'orders': 1 waiting",
      "pool 'orders': #1 created in 12 ms",
      "pool 'orders': #1 acquired by lease 1 after 12 ms",
      "pool 'orders': 1 waiting",
      "pool 'orders': life-cycle-log.test.ts waits for a lease that its own flow holds since life-cycle-log.test.ts",
      "pool 'orders': #1 released by lease 1 after 1500 ms",
      "pool 'orders': #1 acquired by lease 2 after 1500 ms",
      "pool 'orders': all older connections invalidated: restarted",
      "pool 'orders': #1 released by lease 2 after 0.0 ms",
      "pool 'orders': #1 closed (closed)",
      "pool 'orders': closed, leases still out: 1",
    ]);
  });

  it('has a line for each thing that goes wrong', async () => {
    const { pool, clock, driver, lines } = newLoggedPool({ leakWatch: { thresholdMs: 1000 } });
    const fail = () => Promise.reject(new Error('no'));
    driver.steps.create = fail;
    follow(pool.acquire(), clock);
    await clock.advance(100);
    delete driver.steps.create;
    const lost = await clock.run(pool.acquire());
    follow(pool.acquire({ timeoutMs: 10 }), clock);
    await clock.advance(1000);
    lost.release();
    lost.release();
    driver.steps.reset = fail;
    driver.steps.destroy = fail;
    await pool.use(() => {});
    await clock.settle();
    const controller = new AbortController();
    const held = await pool.acquire();
    follow(pool.acquire({ signal: controller.signal }), clock);
    controller.abort();
    held.invalidate(new Error('odd answer'), { soft: true });
    held.detach();
    expect(lines.slice(1, 2)).toEqual([
      expect.stringMatching(/^pool 'orders': create failed \(1 in a row, next in \d+ ms\): no$/),
    ]);
    const rest = lines.slice(2).filter((line) => !/acquired by|released by|created in|waiting$/.test(line));
    expect(rest).toEqual([
      "pool 'orders': life-cycle-log.test.ts waits for a lease that its own flow holds since life-cycle-log.test.ts",
      "pool 'orders': acquire timed out after 10 ms",
      "pool 'orders': lease 1 is out for 1000 ms, acquired at life-cycle-log.test.ts (1 so far)",
      "pool 'orders': lease 1 was returned after all, after 1000 ms",
      "pool 'orders': lease 1 was released twice, at life-cycle-log.test.ts",
      "pool 'orders': #1 reset failed: no",
      "pool 'orders': #1 invalidated: no",
      "pool 'orders': #1 closed (reset-failed)",
      "pool 'orders': closing failed (reset-failed): no",
      "pool 'orders': acquire aborted after 0.0 ms",
      "pool 'orders': #1 invalidated softly: odd answer",
      "pool 'orders': #1 detached",
    ]);
  });

  it('does without ages where nobody measures them', async () => {
    const { pool, lines } = newLoggedPool({ histograms: false, leakWatch: false });
    await pool.acquire();
    pool.snapshot();
    const lease = await pool.recreate().acquire();
    lease.release();
    expect(lines.slice(-2)).toEqual([
      "pool 'orders': #1 acquired by lease 1",
      "pool 'orders': #1 released by lease 1",
    ]);
  });

  it('ends when it is told to', async () => {
    const { pool, clock, lines, stop } = newLoggedPool();
    await acquireMany(pool, 1);
    const before = lines.length;
    stop();
    await clock.run(pool.close({ graceMs: 0 }));
    expect(lines).toHaveLength(before);
  });

  it('says how many leases were left out', async () => {
    const { pool, clock, lines } = newLoggedPool({ size: 3, operationTimeoutMs: 100 });
    await acquireMany(pool, 2);
    await clock.run(pool.close({ graceMs: 10 }));
    expect(lines.at(-1)).toBe("pool 'orders': closed, leases still out: 2");
  });
});

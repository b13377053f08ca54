import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import type { PoolOptions } from '../../../src/pool/options.js';
import type { QueuePool } from '../../../src/pool/queue-pool.js';
import type { Thing } from '../../helpers/fake-driver.js';
import { newPool, type Pooled } from '../../helpers/pools.js';

const pooled: Pooled[] = [];
afterEach(async () => {
  for (const { pool, clock } of pooled.splice(0)) await clock.run(pool.close({ graceMs: 0 }));
});

/** A pool whose driver may know more than a fake one does. */
function adaptivePool(options: Partial<PoolOptions<Thing>> = {}): Pooled {
  const made = newPool({ sizing: { min: 1, max: 24 }, size: 4, ...options });
  pooled.push(made);
  return made;
}

/** Callers that borrow again and again, and keep what they get for so long. */
function startCallers({ pool, clock }: Pooled, count: number, holdMs: () => number): () => void {
  let isOver = false;
  const caller = async (): Promise<void> => {
    while (!isOver) {
      const lease = await pool.acquire().catch(() => null);
      await new Promise<void>((done) => clock.setTimer(done, lease === null ? 20 : holdMs()));
      lease?.release();
    }
  };
  for (let i = 0; i < count; i++) void caller();
  return () => {
    isOver = true;
  };
}

const sizingOf = (pool: QueuePool<Thing>) => {
  const { size, maxOverflow, live, sizing } = pool.snapshot();
  return { size, maxOverflow, live, sizing };
};

describe('an adaptive pool', () => {
  it('opens more while that helps, up to its bound, and tells its size and the reason', async () => {
    const made = adaptivePool();
    const { pool, clock, driver } = made;
    expect(sizingOf(pool)).toMatchObject({ size: 4, maxOverflow: 0, sizing: { size: 4, reason: 'start' } });
    const stop = startCallers(made, 40, () => 10);
    await clock.advance(6000);
    expect(sizingOf(pool)).toMatchObject({
      live: 24,
      sizing: { settled: 24, min: 1, max: 24, reason: 'gain' },
    });
    expect(driver.peakOpen).toBe(24);
    stop();
  });

  it('goes back to fewer where leases take longer the more there are, and closes the surplus later', async () => {
    const made = adaptivePool({ size: 12 });
    const { pool, clock } = made;
    // Four are served side by side. More get in each other's way.
    const random = seededRandom(1);
    const stop = startCallers(made, 30, () => (5 + 10 * random()) * Math.max(1, pool.figures().inUse / 4));
    await clock.advance(15_000);
    expect(pool.snapshot().sizing?.settled).toBeLessThanOrEqual(8);
    await clock.advance(12_000);
    const { live, sizing } = pool.snapshot();
    expect(live).toBeLessThanOrEqual((sizing?.settled ?? 0) + 4);
    stop();
  });

  it('lends no more than its size while more are open, and the rest again when it grows', async () => {
    const made = adaptivePool({ size: 8, sizing: { min: 2, max: 8 } });
    const { pool, clock, driver } = made;
    const stop = startCallers(made, 20, () => 10);
    let least = 8;
    for (let i = 0; i < 400; i++) {
      await clock.advance(10);
      const { inUse, sizing } = pool.snapshot();
      least = Math.min(least, sizing?.size ?? 8);
      if (sizing?.reason !== 'trying-smaller') expect(inUse).toBeLessThanOrEqual(sizing?.size ?? 0);
    }
    expect(least).toBeLessThan(8);
    expect(pool.snapshot().sizing?.settled).toBe(8);
    expect(driver.closes).toBe(0);
    stop();
  });

  it('is content with what it has where the server has no more', async () => {
    const made = adaptivePool();
    const { pool, clock, driver } = made;
    Object.assign(driver, { isFull: (error: Error) => error.message === 'too many clients already' });
    driver.steps.create = () => {
      if (driver.open >= 6) throw new Error('too many clients already');
    };
    const stop = startCallers(made, 40, () => 10);
    await clock.advance(4000);
    const { live, counters, sizing } = pool.snapshot();
    expect(sizing).toMatchObject({ ceiling: 6, settled: 6 });
    expect(live).toBeLessThanOrEqual(6);
    expect(counters.createFailed).toBeLessThanOrEqual(3);
    stop();
  });

  it('asks the first resource how many the server allows', async () => {
    const made = adaptivePool();
    const { pool, clock, driver } = made;
    let asked = 0;
    Object.assign(driver, {
      capacity: async () => {
        asked++;
        return 7;
      },
    });
    const again = pool.recreate();
    const stop = startCallers({ pool: again, clock, driver }, 40, () => 10);
    await clock.advance(4000);
    expect(again.snapshot().sizing).toMatchObject({ ceiling: 7, settled: 7 });
    expect(driver.peakOpen).toBeLessThanOrEqual(7);
    expect(asked).toBe(1);
    stop();
    await clock.run(again.close({ graceMs: 0 }));
  });

  it('works as before where the driver fails to say how many the server allows', async () => {
    const made = adaptivePool();
    const { clock, driver } = made;
    Object.assign(driver, { capacity: () => Promise.reject(new Error('no such setting')) });
    const pool = made.pool.recreate();
    const lease = await clock.run(pool.acquire());
    expect(pool.snapshot().sizing?.ceiling).toBeNull();
    lease.release();
    await clock.run(pool.close());
  });

  it('has no adaptive figures where the size is fixed', () => {
    const { pool } = adaptivePool({ sizing: 'fixed' });
    expect(pool.snapshot()).not.toHaveProperty('sizing');
  });

  it.each<[Partial<PoolOptions<Thing>>, { min: number; max: number; size: number }]>([
    [
      { sizing: 'adaptive', size: 5, maxOverflow: 10 },
      { min: 1, max: 15, size: 5 },
    ],
    [
      { sizing: 'adaptive', size: 5, maxOverflow: 0, minIdle: 2 },
      { min: 2, max: 5, size: 5 },
    ],
    [
      { sizing: { min: 8, max: 20 }, size: 5 },
      { min: 8, max: 20, size: 8 },
    ],
    [
      { sizing: { max: 3 }, size: 5 },
      { min: 1, max: 3, size: 3 },
    ],
    [
      { sizing: { max: 30 }, size: 5, maxOverflow: -1 },
      { min: 1, max: 30, size: 5 },
    ],
  ])('%j chooses within %j', (options, bounds) => {
    expect(adaptivePool(options).pool.snapshot().sizing).toMatchObject(bounds);
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{ sizing: 'auto' }, /sizing must be 'fixed', 'adaptive' or \{ min, max \}, got the text 'auto'/],
    [{ sizing: { min: 0 } }, /sizing.min must be a whole number from 1, got 0/],
    [{ sizing: { min: 4, max: 3 } }, /sizing.max must be a whole number from sizing.min \(4\), got 3/],
    [{ sizing: { most: 3 } }, /unknown option 'sizing.most'/],
    [{ sizing: 'adaptive', maxOverflow: -1 }, /an adaptive size needs sizing: \{ max \}/],
    [{ sizing: { min: 1, max: 4 }, minIdle: 2 }, /minIdle must not be above sizing.min \(1\), got 2/],
    [{ sizing: true }, /sizing must be an object, got true/],
  ])('%j is refused', (options, problem) => {
    expect(() => newPool(options as Partial<PoolOptions<Thing>>)).toThrow(problem);
  });
});

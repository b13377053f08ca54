import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { QueuePool } from '../../src/pool/queue-pool.js';
import { erlangC, erlangSize, erlangWait } from '../../src/sizing/erlang.js';
import { WaitSlices } from '../../src/sizing/quantiles.js';
import { type Algorithm, type Load, type ReplayOptions, replay } from '../../src/sizing/replay.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

const PACED: Algorithm = { connects: 'paced', lifo: false, maxIdleMs: null, checkIdleMs: null };
const OWN: Algorithm = { connects: 'own', lifo: true, maxIdleMs: null, checkIdleMs: null };

const PLAIN: ReplayOptions = {
  size: 1,
  algorithm: PACED,
  timeoutMs: null,
  connectMs: new Float64Array(0),
  checkMs: new Float64Array(0),
  warm: 0,
  slowdown: () => 1,
};

function loadOf(calls: readonly (readonly [arrivalMs: number, workMs: number])[]): Load {
  return {
    count: calls.length,
    arrivalMs: Float64Array.from(calls, ([arrival]) => arrival),
    workMs: Float64Array.from(calls, ([, work]) => work),
  };
}

describe('a replay', () => {
  // Sums of multiples of irrational numbers never fall together: what happens first is the same in both then.
  const times = (most: number, unit: number) =>
    fc.integer({ min: 1, max: Math.floor((100 * most) / unit) }).map((n) => (n * unit) / 100);
  const calls = fc.array(
    fc.record({
      gapMs: times(40, Math.SQRT2),
      heldMs: times(120, Math.E),
    }),
    { minLength: 1, maxLength: 50 },
  );

  it('pings each connection for the acquire that gets it, as mysql does', () => {
    const options = {
      ...PLAIN,
      ...{ size: 2, warm: 1, connectMs: Float64Array.of(30), checkMs: Float64Array.of(4) },
      algorithm: { ...OWN, lifo: false, pings: true },
    };
    // A free connection is pinged. One that is opened is not. The third acquire waits for a release, then for a ping.
    const load = loadOf([
      [0, 50],
      [1, 50],
      [2, 50],
      [200, 5],
    ]);
    const { waitMs, connects, peakInUse } = replay(load, options);
    expect([...waitMs]).toEqual([4, 30, 54 - 2 + 4, 4]);
    expect([connects, peakInUse]).toEqual([1, 2]);
  });

  it('waits exactly as QueuePool does, whatever arrives, times out, connects and is checked', async () => {
    await fc.assert(
      fc.asyncProperty(
        calls,
        fc.integer({ min: 1, max: 6 }),
        fc.option(times(400, Math.sqrt(3)), { nil: null }),
        fc.array(times(60, Math.PI), { minLength: 1, maxLength: 4 }),
        fc.option(times(200, Math.sqrt(7)), { nil: null }),
        fc.array(times(60, Math.sqrt(5)), { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (made, size, timeoutMs, connects, checkIdleMs, checks, lifo) => {
          let at = 0;
          const load = loadOf(
            made.map(({ gapMs, heldMs }) => {
              at += gapMs;
              return [at, heldMs] as const;
            }),
          );
          const connectMs = Float64Array.from(connects);
          const algorithm = { ...PACED, checkIdleMs, lifo };
          const options = {
            ...PLAIN,
            algorithm,
            size,
            timeoutMs,
            connectMs,
            checkMs: Float64Array.from(checks),
          };
          const { waitMs, timedOut } = replay(load, options);
          const real = await inQueuePool(load, options);
          expect([...timedOut]).toEqual(real.map(({ timedOut }) => Number(timedOut)));
          for (const [i, { waitMs: was, timedOut }] of real.entries())
            if (!timedOut) expect(waitMs[i]).toBeCloseTo(was, 6);
        },
      ),
      { numRuns: 100, seed: 22 },
    );
  });

  it('waits as an M/M/c queue does', () => {
    const random = seededRandom(1);
    const exponential = (mean: number): number => -mean * Math.log(1 - random());
    for (const [size, ratePerMs, meanMs] of [
      [1, 0.07, 10],
      [4, 0.3, 10],
      [12, 1, 10],
    ] as const) {
      let at = 0;
      const load = loadOf(
        Array.from({ length: 200_000 }, () => {
          at += exponential(1 / ratePerMs);
          return [at, exponential(meanMs)] as const;
        }),
      );
      const { waitMs, busyMs, endMs } = replay(load, { ...PLAIN, size });
      const waiting = waitMs.filter((wait) => wait > 0).length / waitMs.length;
      expect(waiting).toBeCloseTo(erlangC(size, ratePerMs * meanMs), 1);
      const sorted = waitMs.slice().sort();
      const p99 = sorted[Math.floor(0.99 * sorted.length)] ?? 0;
      const exact = erlangWait(size, ratePerMs, meanMs, 0.99) ?? 0;
      expect(Math.abs(p99 - exact) / exact).toBeLessThan(0.1);
      // Little's law.
      expect(busyMs / endMs / (ratePerMs * meanMs)).toBeCloseTo(1, 1);
    }
  });

  it('shares a server among the leases that are out', () => {
    const load = loadOf([
      [0, 10],
      [0, 10],
      [5, 1],
    ]);
    // Two leases halve the speed: both end at 20, and the third, which has the server to itself, at 21.
    const { waitMs, endMs } = replay(load, { ...PLAIN, size: 2, slowdown: (n) => n });
    expect([...waitMs]).toEqual([0, 0, 15]);
    expect(endMs).toBeCloseTo(21, 9);
  });

  it('binds a waiter to its own connect where the library does', () => {
    const load = loadOf([
      [0, 5],
      [1, 5],
    ]);
    const options = { ...PLAIN, size: 2, connectMs: Float64Array.of(2, 50) };
    expect([...replay(load, { ...options, algorithm: OWN }).waitMs]).toEqual([2, 50]);
    // The second gets the connection of the first, which comes back at 7.
    expect([...replay(load, { ...options, algorithm: { ...OWN, connects: 'shared' } }).waitMs]).toEqual([
      2, 6,
    ]);
  });

  it('closes connections that are idle for too long, and opens them again', () => {
    const load = loadOf([
      [0, 1],
      [100, 1],
    ]);
    const options = { ...PLAIN, size: 2, connectMs: Float64Array.of(3) };
    expect([...replay(load, { ...options, algorithm: { ...OWN, maxIdleMs: 50 } }).waitMs]).toEqual([3, 3]);
    expect([...replay(load, { ...options, algorithm: OWN }).waitMs]).toEqual([3, 0]);
  });

  it('starves behind leases that never come back', () => {
    const load = loadOf([
      [0, Number.POSITIVE_INFINITY],
      [1, 1],
      [2, 1],
    ]);
    const { waitMs, timeouts } = replay(load, { ...PLAIN, timeoutMs: 30 });
    expect([...waitMs]).toEqual([0, 30, 30]);
    expect(timeouts).toBe(2);
  });
});

describe("Erlang's formulas", () => {
  it('have the values of published tables', () => {
    // Erlang C of 10 servers at 7 erlang, and of 2 at 1: 22.17 % and 1/3.
    expect(erlangC(10, 7)).toBeCloseTo(0.2217, 4);
    expect(erlangC(2, 1)).toBeCloseTo(1 / 3, 12);
    expect(erlangC(1, 0.8)).toBeCloseTo(0.8, 12);
    expect(erlangWait(3, 0.3, 10, 0.99)).toBeNull();
  });

  it('give the smallest size', () => {
    const size = erlangSize(0.3, 10, 0.99, 10);
    expect(erlangWait(size, 0.3, 10, 0.99)).toBeLessThanOrEqual(10);
    expect(erlangWait(size - 1, 0.3, 10, 0.99)).toBeGreaterThan(10);
  });
});

it('bounds the figures of another recording of the same load', () => {
  const waits = (seed: number): WaitSlices => {
    const random = seededRandom(seed);
    let at = 0;
    const load = loadOf(
      Array.from({ length: 4000 }, () => {
        at += -4 * Math.log(1 - random());
        return [at, -10 * Math.log(1 - random())] as const;
      }),
    );
    return new WaitSlices(load.arrivalMs, replay(load, { ...PLAIN, size: 4 }).waitMs);
  };
  const all = Array.from({ length: 24 }, (_, at) => waits(at + 1));
  const inside = all.filter((one, at) => {
    const [low, high] = one.intervals(Number.POSITIVE_INFINITY).p99Ms;
    const { p99Ms } = (all[(at + 1) % all.length] ?? one).waits();
    return p99Ms >= low && p99Ms <= high;
  });
  expect(inside.length).toBeGreaterThanOrEqual(21);
});

/** The same load in our own pool, on a clock whose hands are turned. */
async function inQueuePool(
  { count, arrivalMs, workMs }: Load,
  { size, timeoutMs, connectMs, checkMs, algorithm: { checkIdleMs, lifo } }: ReplayOptions,
): Promise<{ waitMs: number; timedOut: boolean }[]> {
  const clock = new VirtualClock();
  const later = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(resolve, ms));
  let [connects, checks] = [0, 0];
  const pool = new QueuePool<object>({
    driver: {
      name: 'made-up',
      async create() {
        await later(connectMs[connects++ % connectMs.length] ?? 0);
        return {};
      },
      async ping() {
        await later(checkMs[checks++ % checkMs.length] ?? 0);
        return true;
      },
      async destroy() {},
    },
    ...{ prePing: checkIdleMs !== null, pingIdleMs: checkIdleMs ?? 0, lifo },
    ...{ size, maxOverflow: 0, timeoutMs, clock, leakWatch: false, random: () => 0 },
  });
  const calls = Array.from({ length: count }, async (_, at) => {
    await later(arrivalMs[at] ?? 0);
    const askedAt = clock.now();
    try {
      const lease = await pool.acquire();
      const waitMs = clock.now() - askedAt;
      await later(workMs[at] ?? 0);
      lease.release();
      return { waitMs, timedOut: false };
    } catch {
      return { waitMs: clock.now() - askedAt, timedOut: true };
    }
  });
  return clock.run(Promise.all(calls));
}

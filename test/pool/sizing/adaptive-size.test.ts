import { describe, expect, it } from 'vitest';
import { AdaptiveSize } from '../../../src/pool/adaptive-size.js';
import {
  randomFrom,
  type SimulatedLoad,
  type SimulatedServer,
  type SimulationResult,
  simulate,
} from './simulation.js';

type Random = () => number;
const exponential = (mean: number) => (random: Random) => -Math.log(1 - random()) * mean;
/** Cores that requests share; each request in progress beyond twice their number costs all of them a little. */
const cores = (count: number, contention: number) => (n: number) =>
  Math.min(1, count / Math.max(1, n)) / (1 + contention * Math.max(0, n - 2 * count));
const CALLERS = { callers: 48 };
const BOUNDS = { min: 1, max: 48, start: 10 };
const SECONDS = 30;
const WARM_UP = 8;

interface Case {
  readonly name: string;
  readonly server: SimulatedServer;
  readonly load: SimulatedLoad;
  /** Fixed sizes, the best among them. */
  readonly sizes: readonly number[];
  /** The longest p99, as a multiple of that of the best fixed size. */
  readonly p99?: number;
}

const CASES: readonly Case[] = [
  {
    name: 'CPU-bound: 4 cores, 5 ms of work',
    server: { speed: cores(4, 0.005), workMs: exponential(5) },
    load: CALLERS,
    sizes: [2, 3, 4, 6, 8],
  },
  {
    name: 'latency-bound: 10 ms and more, whatever the load',
    server: { speed: () => 1, workMs: (random) => 10 + exponential(10)(random) },
    load: CALLERS,
    sizes: [24, 48],
  },
  {
    name: 'step change: the service time rises from 10 to 100 ms',
    server: { speed: () => 1, workMs: (random, now) => exponential(now > 15_000 ? 100 : 10)(random) },
    load: CALLERS,
    sizes: [24, 48],
  },
  {
    name: 'step change: 8 cores become 2',
    server: { speed: (n, now) => cores(now > 15_000 ? 2 : 8, 0.005)(n), workMs: exponential(5) },
    load: CALLERS,
    sizes: [4, 6, 8, 12],
    // The time until it follows the change counts.
    p99: 1.4,
  },
  {
    name: 'noisy neighbor: 8 requests of others share 4 cores every other 10 s',
    server: {
      speed: (n, now) => {
        const all = n + (Math.floor(now / 10_000) % 2 === 1 ? 8 : 0);
        return Math.min(1, 4 / Math.max(1, all)) / (1 + 0.005 * Math.max(0, all - 8));
      },
      workMs: exponential(5),
    },
    load: CALLERS,
    sizes: [8, 16, 24, 32],
    // The neighbor is away half of the time. A size that is right beside it lengthens the tail without it.
    p99: 1.5,
  },
  {
    name: 'a server that refuses more than 20',
    server: { speed: () => 1, workMs: exponential(10), refusesAbove: 20 },
    load: CALLERS,
    sizes: [16, 20],
  },
];

/** The best fixed size: the highest rate, of those within 1 % the shortest p99. */
function bestFixed({ server, load, sizes }: Case): SimulationResult {
  const runs = sizes.map((sizing) =>
    simulate({ server, load, sizing, seconds: SECONDS, warmUpSeconds: WARM_UP }),
  );
  const highest = Math.max(...runs.map(({ perSecond }) => perSecond));
  return runs
    .filter(({ perSecond }) => perSecond >= 0.99 * highest)
    .sort((one, other) => one.p99Ms - other.p99Ms)[0] as SimulationResult;
}

describe('an adaptive size, in simulation', () => {
  it.each(CASES)('$name: within 10 % of the best fixed throughput, near its p99, no oscillation', (one) => {
    const best = bestFixed(one);
    const { server, load, p99 = 1.2 } = one;
    for (const seed of [1, 2]) {
      const run = simulate({ server, load, sizing: BOUNDS, seconds: SECONDS, warmUpSeconds: WARM_UP, seed });
      expect(run.perSecond).toBeGreaterThan(0.9 * best.perSecond);
      expect(run.p99Ms).toBeLessThan(p99 * best.p99Ms);
      // Each change of the server may turn it around twice.
      expect(run.reversals).toBeLessThanOrEqual(5);
      expect(run.refused).toBeLessThan(10);
    }
  });
});

/** Others use the machine: it is slower by up to `depth`, for stretches of about 700 ms each. */
const disturbance = (depth: number) => (random: Random) => {
  let [until, factor] = [0, 1];
  return (now: number) => {
    if (now >= until) [until, factor] = [now + exponential(700)(random), 1 - depth * random()];
    return factor;
  };
};

const DISTURBED: readonly Case[] = [
  {
    name: 'two cores, on which more at once is neither better nor worse',
    server: { speed: cores(2, 0), workMs: exponential(2), disturbance: disturbance(0.3) },
    load: { callers: 32 },
    sizes: [2],
    p99: 1.5,
  },
  {
    name: 'a lock: from 4 on each more delays all',
    server: {
      speed: (n) => Math.min(1, 2 / Math.max(1, n)) / (1 + 0.05 * Math.max(0, n - 3)),
      workMs: exponential(1),
      disturbance: disturbance(0.2),
    },
    load: { callers: 32 },
    sizes: [2, 3],
  },
];

describe('an adaptive size on a machine that others use, too', () => {
  it.each(DISTURBED)('finds the small best size, and takes no disturbance for a gain: $name', (one) => {
    const best = bestFixed(one);
    const { server, load, p99 = 1.3 } = one;
    for (const seed of [1, 2, 3]) {
      const sizing = { min: 1, max: 32, start: 10 };
      const run = simulate({ server, load, sizing, seconds: SECONDS, warmUpSeconds: WARM_UP, seed });
      expect(run.settled).toBeLessThanOrEqual(8);
      expect(run.perSecond).toBeGreaterThan(0.9 * best.perSecond);
      expect(run.p99Ms).toBeLessThan(p99 * best.p99Ms);
    }
  });
});

describe('the controller', () => {
  /** Plays so many seconds of a pool in which every lease takes `holdMs` and callers always wait. */
  const play = (
    sizer: AdaptiveSize,
    fromMs: number,
    seconds: number,
    holdMs: (size: number) => number,
  ): number => {
    let now = fromMs;
    while (now < fromMs + seconds * 1000) {
      const { size } = sizer;
      now += holdMs(size);
      for (let i = 0; i < size; i++) {
        sizer.began(5);
        sizer.ended(now, holdMs(size), size, 10);
      }
    }
    return now;
  };

  it('stays within its bounds, whatever it measures', () => {
    const outside: number[] = [];
    for (let seed = 1; seed <= 20; seed++) {
      const random = randomFrom(seed);
      const min = 1 + Math.floor(random() * 5);
      const max = min + Math.floor(random() * 30);
      const sizer = new AdaptiveSize({ min, max, start: min }, 0);
      let now = 0;
      for (let i = 0; i < 5000; i++) {
        now += random() * 20;
        const roll = random();
        if (roll < 0.002) sizer.refused(now, Math.floor(random() * 40));
        else if (roll < 0.004) sizer.overloaded(now, Math.floor(random() * 40));
        else if (roll < 0.005) sizer.allows(Math.floor(random() * 40));
        else {
          sizer.began(random() * 10);
          sizer.ended(now, random() * 50, Math.ceil(random() * sizer.size), Math.floor(random() * 3));
        }
        if (sizer.size < min || sizer.size > max) outside.push(sizer.size);
      }
    }
    expect(outside).toEqual([]);
  });

  it('never goes beyond what the server says that it allows', () => {
    const sizer = new AdaptiveSize({ min: 1, max: 50, start: 10 }, 0);
    expect(sizer.allows(7)).toBe(true);
    expect(sizer.size).toBe(7);
    play(sizer, 0, 30, () => 10);
    expect(sizer.size).toBeLessThanOrEqual(7);
    expect(sizer.figures()).toMatchObject({ ceiling: 7, settled: 7 });
  });

  it('cuts by 30 % at an overload, once in two response times, and stays below what was refused for 5 s', () => {
    const sizer = new AdaptiveSize({ min: 1, max: 50, start: 20 }, 0);
    expect(sizer.overloaded(1000, 20)).toBe(true);
    expect(sizer.figures()).toMatchObject({ size: 14, reason: 'overload', ceiling: 19 });
    expect(sizer.overloaded(1010, 14)).toBe(false);
    const now = play(sizer, 1100, 4, () => 10);
    expect(sizer.size).toBeLessThanOrEqual(19);
    play(sizer, now, 10, () => 10);
    expect(sizer.size).toBeGreaterThan(19);
  });

  it('takes no more places than are asked for, so that it can still find that they are too many', () => {
    const server = { speed: () => 1, workMs: () => 10 };
    const run = simulate({ server, load: { callers: 16 }, sizing: BOUNDS, seconds: 10 });
    expect(run.settled).toBeLessThanOrEqual(19);
    expect(run.perSecond).toBeGreaterThan(1400);
  });

  it('grows while the hold time stays the same, and comes back when it grows with the size', () => {
    const sizer = new AdaptiveSize({ min: 1, max: 40, start: 5 }, 0);
    // Ten at once are served side by side, more in turn.
    play(sizer, 0, 30, (size) => 10 * Math.max(1, size / 10));
    expect(sizer.settled).toBeGreaterThanOrEqual(9);
    expect(sizer.settled).toBeLessThanOrEqual(11);
  });
});

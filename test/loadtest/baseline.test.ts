import { describe, expect, it } from 'vitest';
import { baselineResult, runBaseline } from '../../src/loadtest/baseline.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import { medianOf, roundsOf } from '../../src/loadtest/rounds.js';
import { comparable } from './comparable.js';

const at = (perSecond: number, more: Partial<LoadResult> = {}): LoadResult => ({
  ...comparable({ perSecond, spread: 0 }),
  ...more,
});

describe('a baseline', () => {
  it('runs both in turn, each round the other way round', async () => {
    const order: boolean[] = [];
    await runBaseline({
      rounds: 3,
      async run(pooled) {
        order.push(pooled);
        return at(pooled ? 200 : 100);
      },
      stopped: () => false,
    });
    expect(order).toEqual([true, false, false, true, true, false]);
  });

  it('takes the ratio round by round, so that a slow moment of the machine is in both', () => {
    const pairs = [
      [at(1000), at(500)],
      [at(100), at(50)],
      [at(900), at(300)],
    ] as const;
    expect(baselineResult(pairs, false)).toMatchObject({
      ratio: { median: 2, low: 2, high: 3 },
      pooled: { throughputPerSecond: 900, throughputRange: [100, 1000], rounds: 3 },
      unpooled: { throughputPerSecond: 300 },
    });
  });

  it('has no ratio where nothing was served without the pool', () => {
    expect(baselineResult([[at(1000), at(0)]], false)?.ratio).toBeNull();
  });

  it('leaves out a round that was cut short', async () => {
    let runs = 0;
    const result = await runBaseline({
      rounds: 3,
      run: async () => (++runs < 4 ? at(100) : at(1, { partial: 'interrupted' })),
      stopped: () => runs >= 4,
    });
    expect(result).toMatchObject({ partial: true, pooled: { rounds: 1 } });
    expect(await runBaseline({ rounds: 1, run: async () => at(1), stopped: () => true })).toBeNull();
  });
});

describe('several rounds', () => {
  it('count failures over all of them', () => {
    const failing = comparable({ perSecond: 100, failedShare: 0.5, spread: 0 });
    expect(roundsOf([at(100), failing]).failedShare).toBeCloseTo(1 / 3);
  });

  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[null, 5], 5],
    [[null], null],
    [[], null],
  ])('have the median of %j', (values, median) => {
    expect(medianOf(values)).toBe(median);
  });
});

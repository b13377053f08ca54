import { describe, expect, it } from 'vitest';
import type { Limit, LoadResult } from '../../src/loadtest/result.js';
import { type PoolPoint, runSweep, type SweepResult, sweepResult } from '../../src/loadtest/sweep.js';
import { comparable } from './comparable.js';

const size = (poolSize: number, maxOverflow = 0): PoolPoint => ({ poolSize, maxOverflow });

function runOf(perSecond: number, more: { limit?: Limit; workers?: number } = {}): LoadResult {
  const { limit = 'target', workers = 64 } = more;
  const result = comparable({ perSecond, spread: 0 });
  return {
    ...result,
    model: { kind: 'closed', workers },
    client: { ...result.client, bottleneck: { limit, sentence: '' } },
  };
}

/** A sweep whose sizes gave these rates. */
function swept(
  rates: Readonly<Record<number, number>>,
  more: { limit?: Limit; workers?: number } = {},
): SweepResult {
  const results = Object.entries(rates).map(
    ([poolSize, rate]) => [size(Number(poolSize)), [runOf(rate, more)]] as const,
  );
  const result = sweepResult(new Map(results), false);
  if (result === null) throw new Error('nothing was measured');
  return result;
}

describe('a sweep', () => {
  it('finds the smallest pool that does nearly as well as the best', () => {
    expect(swept({ 1: 9000, 2: 22_000, 4: 34_900, 8: 34_950, 16: 30_700, 64: 27_800 })).toMatchObject({
      knee: { poolSize: 4, maxOverflow: 0 },
      best: { poolSize: 8 },
      regime: 'server',
    });
  });

  it('says that larger pools do worse where they do', () => {
    expect(swept({ 4: 34_900, 16: 30_700, 64: 27_800 }).sentence).toBe(
      'A pool of 4 connections gives 34,900/s, and larger pools do worse: the target has no more to give.',
    );
    expect(swept({ 4: 1000, 16: 1010 }).sentence).toContain('and larger ones no more');
  });

  it('calls a load latency-bound whose throughput still grows with the connections', () => {
    const result = swept({ 8: 3369, 16: 6725, 32: 13_835, 64: 23_898 });
    expect(result).toMatchObject({ regime: 'latency', knee: { poolSize: 64 } });
    expect(result.sentence).toContain('still grows at a pool of 64 connections, 23,898/s');
  });

  it('calls it client-bound where poolctl itself was full at the knee', () => {
    expect(swept({ 2: 1000, 4: 2000, 8: 2010 }, { limit: 'client' })).toMatchObject({ regime: 'client' });
  });

  it('does not take sizes for growth that the load cannot use', () => {
    const result = swept({ 5: 1000, 10: 2000, 20: 2000, 40: 2000 }, { workers: 10 });
    expect(result.regime).toBe('latency');
    expect(result.sentence).toContain('connections beyond that are never used');
  });

  it('takes the median of the rounds, and tells how far apart they were', () => {
    const runs = [900, 5000, 1000].map((rate) => runOf(rate));
    expect(sweepResult(new Map([[size(4), runs]]), false)?.rows[0]).toMatchObject({
      rounds: 3,
      throughputPerSecond: 1000,
      throughputRange: [900, 5000],
    });
  });

  it('goes up and down the sizes in turn, however they were given', async () => {
    const order: number[] = [];
    await runSweep({
      points: [size(8), size(2), size(4)],
      rounds: 2,
      async run({ poolSize }) {
        order.push(poolSize);
        return runOf(1000);
      },
      stopped: () => false,
    });
    expect(order).toEqual([2, 4, 8, 8, 4, 2]);
  });

  it('that is interrupted tells what it has, without the run that was cut short', async () => {
    let runs = 0;
    const result = await runSweep({
      points: [size(2), size(4), size(8)],
      rounds: 2,
      async run() {
        runs++;
        return runs < 3 ? runOf(1000) : { ...runOf(1), partial: 'interrupted' };
      },
      stopped: () => runs >= 3,
    });
    expect(result).toMatchObject({ partial: true, rows: [{ poolSize: 2 }, { poolSize: 4 }] });
  });

  it('of which nothing was measured is none', async () => {
    expect(
      await runSweep({ points: [size(2)], rounds: 1, run: async () => runOf(1), stopped: () => true }),
    ).toBeNull();
  });
});

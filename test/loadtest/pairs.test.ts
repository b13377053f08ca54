import { describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../src/base/random.js';
import { compareRuns } from '../../src/loadtest/compare.js';
import { createModel } from '../../src/loadtest/models.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import { runLoad } from '../../src/loadtest/runner.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { comparable } from './comparable.js';
import { serviceOn, uninterrupted } from './helpers.js';

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A real run of the load generator on a virtual clock. Machines differ from run to run by some percent. */
async function run(seed: number, medianMs = 20): Promise<LoadResult> {
  const random = seededRandom(seed * 7919 + 1);
  const machine = Math.exp(0.04 * normal(random));
  const clock = new VirtualClock();
  const serviceMs = () => medianMs * machine * Math.exp(0.5 * normal(random));
  const plan = {
    ...{
      model: createModel({ kind: 'closed', workers: 20 }),
      iterations: null,
      durationMs: 2000,
      warmup: null,
    },
  };
  const service = serviceOn(clock, { places: 10, serviceMs });
  const { measurements } = await clock.run(runLoad(service, plan, uninterrupted(clock)));
  return { ...comparable({}), measurements };
}

describe('pairs of runs', () => {
  it('of the same work are reported as different in 2 of 40 at most', async () => {
    let different = 0;
    for (let pair = 0; pair < 40; pair++) {
      const { metrics } = compareRuns(await run(2 * pair), await run(2 * pair + 1));
      if (metrics.some(({ shift }) => shift === 'better' || shift === 'worse')) different++;
    }
    expect(different).toBeLessThanOrEqual(2);
  }, 120_000);

  it('of which one is half as slow again are reported as different', async () => {
    const { regressions } = compareRuns(await run(1), await run(2, 30));
    expect(regressions).toEqual(expect.arrayContaining(['throughput', 'mean']));
  });
});

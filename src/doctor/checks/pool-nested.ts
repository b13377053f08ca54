import { codeStep, fail, pass } from '../outcome.js';
import { forEachPool } from '../pools.js';
import type { Check } from '../types.js';

export const poolNested: Check = {
  id: 'pool-nested',
  title: 'nobody waits for what its own flow holds',
  needs: ['pool'],
  why:
    'A request that holds a lease and acquires a second one needs two at once. When all leases are held by such ' +
    'requests, each waits for the others, and none goes on before its time-out.',
  details:
    'Counts acquires that had to wait while the flow that asked held a lease of the same pool. Pools of other libraries ' +
    'do not tell. Only acquires whose stack was sampled are seen.',
  run: forEachPool(({ name, counters: { nested } }) => {
    if (nested === null) return null;
    if (nested === 0) return pass('no acquire waited for its own flow');
    const step = codeStep(
      `pool '${name}': hand the lease down to what is called, in the place of acquiring another; the event 'nested' names both lines`,
    );
    return fail(`${nested} acquires waited for what their own flow held`, [], {
      steps: [step],
      risk: 'Two statements that ran side by side then run one after the other, and in one transaction if there is one.',
    });
  }, 'no pool tells'),
};

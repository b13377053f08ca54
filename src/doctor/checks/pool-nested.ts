import { codeStep, fail, pass } from '../outcome.js';
import { forEachPool } from '../pools.js';
import type { Check } from '../types.js';

export const poolNested: Check = {
  id: 'pool-nested',
  title: 'no flow waits for a lease while it holds one',
  needs: ['pool'],
  why:
    'A request that holds a lease and acquires a second one needs two at once. If such requests hold all ' +
    'leases, each waits for the others, and none continues before its timeout.',
  details:
    'Counts acquires that waited while their own flow held a lease of the same pool. Only pools of poolctl ' +
    'report it, and only for acquires with a sampled stack.',
  run: forEachPool(({ name, counters: { nested } }) => {
    if (nested === null) return null;
    if (nested === 0) return pass('no acquire waited for its own flow');
    const step = codeStep(
      `pool '${name}': pass the lease to the called function instead of acquiring another one. The event ` +
        "'nested' names both lines.",
    );
    return fail(`${nested} acquires waited while their own flow held a lease`, [], {
      steps: [step],
      risk:
        'Two statements that ran in parallel then run one after the other, and in the same transaction if ' +
        'there is one.',
    });
  }, 'no pool reports it'),
};

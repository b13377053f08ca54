import { type Random, seededRandom } from '../../base/random.js';
import type { Bindings } from './bindings.js';
import type { Prepared } from './prepare.js';
import type { Script } from './script.js';

/** The work of one iteration: what it runs, with which values. */
export interface IterationWork {
  readonly script: Script;
  readonly bound: Bindings;
}

/**
 * Gives iteration number n its work: the same in every run with the same seed, in whatever order they go and whatever
 * engine runs them.
 */
export function iterationWork(
  { scripts, bindings }: Pick<Prepared, 'scripts' | 'bindings'>,
  ofRun: Random,
): (seq: number) => IterationWork {
  const seed = Math.floor(ofRun() * 2 ** 32);
  const pick = picker(scripts);
  return (seq) => {
    const random = seededRandom(seed ^ Math.imul(seq + 1, 0x9e3779b1));
    const script = pick(random);
    return { script, bound: bindings(seq, random) };
  };
}

/** Chooses among scripts by their weights. */
function picker(scripts: readonly Script[]): (random: Random) => Script {
  const [first] = scripts;
  if (first === undefined) throw new Error('a workload has at least one script');
  if (scripts.length === 1) return () => first;
  const total = scripts.reduce((sum, { weight }) => sum + weight, 0);
  return (random) => {
    let left = random() * total;
    for (const script of scripts) {
      left -= script.weight;
      if (left < 0) return script;
    }
    return first;
  };
}

import type { Tick } from '../snapshot/reading.js';
import { type Diagnosis, diagnose } from './diagnose.js';
import { type Facts, factsOf, NO_FACTS } from './facts.js';
import { type History, NO_HISTORY, nextHistory } from './history.js';

/** A tick and everything derived from it, computed once, when the tick arrives. */
export interface Moment {
  readonly tick: Tick;
  readonly facts: Facts;
  /** Including this tick. */
  readonly history: History;
  readonly diagnosis: Diagnosis;
}

export interface MomentOptions {
  /** Sites are shown relative to it. */
  readonly cwd: string;
}

export function momentOf(tick: Tick, before: Moment | null, { cwd }: MomentOptions): Moment {
  const facts = factsOf(tick);
  const history = nextHistory(before?.history ?? NO_HISTORY, facts.pools);
  return { tick, facts, history, diagnosis: diagnose(facts, { history, cwd }) };
}

/** The diagnosis before the first tick. */
export const NOTHING_READ: Diagnosis = diagnose(NO_FACTS, { history: NO_HISTORY, cwd: '' });

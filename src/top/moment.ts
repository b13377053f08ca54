import { type Diagnosis, diagnose } from '../diagnosis/diagnose.js';
import { type Facts, factsOf } from '../diagnosis/facts.js';
import { type History, NO_HISTORY, nextHistory } from '../diagnosis/history.js';
import { NO_SERVER_HISTORY, nextServerHistory, type ServerHistory } from '../diagnosis/server-history.js';
import type { Tick } from '../snapshot/reading.js';

/** A tick and everything derived from it, computed once, when the tick arrives. */
export interface Moment {
  readonly tick: Tick;
  readonly facts: Facts;
  /** Including this tick. */
  readonly history: History;
  /** Counters of the servers, including this tick. */
  readonly servers: ServerHistory;
  readonly diagnosis: Diagnosis;
}

export interface MomentOptions {
  /** Sites are shown relative to it. */
  readonly cwd: string;
}

export function momentOf(tick: Tick, before: Moment | null, { cwd }: MomentOptions): Moment {
  const facts = factsOf(tick);
  const history = nextHistory(before?.history ?? NO_HISTORY, facts.pools);
  const servers = nextServerHistory(before?.servers ?? NO_SERVER_HISTORY, facts.servers, tick.atMs);
  const clockStepMs = before === null ? null : clockStepOf(before.tick, tick);
  return {
    tick,
    facts,
    history,
    servers,
    diagnosis: diagnose(facts, { history, servers, cwd, clockStepMs }),
  };
}

/** How far the wall clock moved against the monotonic one between two ticks; null where the latter is not known. */
function clockStepOf(before: Tick, now: Tick): number | null {
  if (before.steadyMs == null || now.steadyMs == null) return null;
  return now.atMs - before.atMs - (now.steadyMs - before.steadyMs);
}

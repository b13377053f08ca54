import type { Tick } from '../snapshot/reading.js';
import { type Diagnosis, diagnose } from './diagnose.js';
import { type Facts, factsOf } from './facts.js';
import { type History, NO_HISTORY, nextHistory } from './history.js';
import { isPressed, isQueueLong } from './look.js';
import { NO_SERVER_HISTORY, nextServerHistory, type ServerHistory } from './server-history.js';
import type { Look } from './types.js';

/** A tick and everything derived from it. `top`, `health`, `doctor`, the metrics and the report of `run` share it. */
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
  /** The setup of the application, where a command knows it. */
  readonly settings?: Look['settings'] | undefined;
}

/** The diagnosis of a tick, with the rates that the moment before it gives. Compute it once for each tick. */
export function momentOf(tick: Tick, before: Moment | null, { cwd, settings }: MomentOptions): Moment {
  const facts = factsOf(tick);
  const history = nextHistory(before?.history ?? NO_HISTORY, facts.pools);
  const servers = nextServerHistory(before?.servers ?? NO_SERVER_HISTORY, facts.servers, tick.atMs);
  const clockStepMs = before === null ? null : clockStepOf(before.tick, tick);
  return {
    tick,
    facts,
    history,
    servers,
    diagnosis: diagnose(facts, { history, servers, cwd, settings: settings ?? null, clockStepMs }),
  };
}

/** Whether something waits, fails or has failed, so that a second look is worth its time: rates need two. */
export function isSuspect({ facts, diagnosis }: Moment): boolean {
  return (
    facts.servers.some(({ server }) => server.databases.some(({ deadlocks }) => (deadlocks ?? 0) > 0)) ||
    facts.pools.some(({ pool }) => (pool.waiting ?? 0) > 0) ||
    facts.poolerPools.some(({ pool }) => pool.clientsWaiting > 0) ||
    diagnosis.findings.some(({ severity }) => severity === 'bad')
  );
}

/** The keys of pools whose callers, and of pools of poolers whose clients, wait for longer than a burst makes them. */
export function pressedKeys({ facts }: Moment): ReadonlySet<string> {
  return new Set([
    ...facts.pools.filter(isPressed).map(({ key }) => key),
    ...facts.poolerPools.filter(isQueueLong).map(({ key }) => key),
  ]);
}

/** How far the wall clock moved against the monotonic one between two ticks; null where the latter is not known. */
function clockStepOf(before: Tick, now: Tick): number | null {
  if (before.steadyMs == null || now.steadyMs == null) return null;
  return now.atMs - before.atMs - (now.steadyMs - before.steadyMs);
}

/** The setup that DB_POOL_SIZE and DB_MAX_OVERFLOW give; null where they give none. */
export function settingsIn(env: Readonly<Record<string, string | undefined>>): Look['settings'] {
  const number = (text: string | undefined): number | null =>
    text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : null;
  const poolSize = number(env.DB_POOL_SIZE);
  const maxOverflow = number(env.DB_MAX_OVERFLOW);
  return poolSize === null && maxOverflow === null ? null : { poolSize, maxOverflow };
}

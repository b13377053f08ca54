import type { Clock } from '../base/clock.js';
import type { PoolCounters, PoolSetup, WatchedHolder, WatchedSnapshot } from '../snapshot/pool.js';
import { newCounters } from './counters.js';

/** The fields that every pool fills in the same way. */
type Derived = 'schema' | 'takenAtMs' | 'longestHoldMs' | 'counters' | 'setup';

export interface PoolFields extends Omit<WatchedSnapshot, Derived> {
  readonly clock: Clock;
  /** Counters that are left out are not measured. */
  readonly counters: { readonly [Name in keyof PoolCounters]?: number | null };
  /** Settings that are left out are unknown; without any, nothing is known of them. */
  readonly setup?: Partial<PoolSetup>;
}

/** The snapshot of a pool that measures only a part of what a QueuePool does. Its holders are sorted, oldest first. */
export function poolSnapshot({ clock, counters, setup, ...fields }: PoolFields): WatchedSnapshot {
  return {
    schema: 1,
    takenAtMs: clock.wallTime(),
    ...fields,
    longestHoldMs: fields.holders[0]?.ageMs ?? null,
    counters: { ...NOT_COUNTED, ...counters },
    ...(setup === undefined ? {} : { setup: { ...UNKNOWN_SETUP, ...setup } }),
  };
}

/** A holder of which nobody sees more than that it is out. */
export const UNSEEN: Pick<WatchedHolder, 'lastSql' | 'busy' | 'localPort' | 'backendPid'> = {
  lastSql: null,
  busy: null,
  localPort: null,
  backendPid: null,
};

const UNKNOWN_SETUP: PoolSetup = {
  acquireTimeoutMs: null,
  recycleMs: null,
  maxIdleMs: null,
  prePing: null,
  statementTimeoutMs: null,
  leakAfterMs: null,
};

const NOT_COUNTED = Object.fromEntries(Object.keys(newCounters()).map((name) => [name, null])) as {
  readonly [Name in keyof PoolCounters]: null;
};

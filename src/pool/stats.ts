import type { HistogramSnapshot } from '../base/histogram.js';

/** One lease that is out. */
export interface Holder {
  readonly leaseId: number;
  /** How long it has been out, in milliseconds; null where neither histograms nor leak watch are on. */
  readonly ageMs: number | null;
  /** `file:line:column` of the code that acquired it; null where it was not sampled. */
  readonly site: string | null;
  /** The same, as the whole stack of the user's own frames; null where it was not sampled. */
  readonly stack: string | null;
  /** Out for so long that it has been reported as a leak. */
  readonly leaked: boolean;
}

/** What has happened since the pool was made. Only ever grows. */
export interface PoolCounters {
  /** Leases handed out. */
  readonly acquired: number;
  readonly released: number;
  readonly created: number;
  readonly createFailed: number;
  /** Resources whose closing has begun. */
  readonly destroyed: number;
  /** Resources opened beyond `size`. */
  readonly overflowCreated: number;
  /** Acquires that could not be served at once. */
  readonly waited: number;
  readonly timedOut: number;
  readonly aborted: number;
  /** Acquires refused because the queue was full. */
  readonly refused: number;
  readonly invalidated: number;
  readonly softInvalidated: number;
  readonly recycled: number;
  readonly pingFailed: number;
  readonly resetFailed: number;
  readonly detached: number;
  /** Leases that have passed the leak threshold. */
  readonly leaked: number;
  /** Leases reclaimed because their handle was garbage-collected. */
  readonly collected: number;
  readonly doubleReleased: number;
  /** Acquires found to be waiting for what their own flow holds. */
  readonly nested: number;
}

/** One pool's numbers at one moment, as plain data. What was not measured is null, never 0. */
export interface PoolSnapshot {
  readonly schema: 1;
  readonly name: string;
  readonly driver: string;
  /** Milliseconds since the epoch. */
  readonly takenAtMs: number;
  /** Resources the pool keeps; null if unlimited. */
  readonly size: number | null;
  /** Extra resources allowed; null if unlimited. */
  readonly maxOverflow: number | null;
  /** Resources that take up a place: creating, idle, in use, being checked or reset, closing. */
  readonly live: number;
  /** How many of those are beyond `size`. */
  readonly overflow: number;
  readonly idle: number;
  /** Leases out. */
  readonly inUse: number;
  readonly creating: number;
  /** Idle resources being validated before a reuse. */
  readonly checking: number;
  /** Returned resources whose reset is under way. */
  readonly resetting: number;
  readonly closing: number;
  /** Acquires that wait. */
  readonly waiting: number;
  /** The most that ever waited, or were out, at once. */
  readonly peakWaiting: number;
  readonly peakInUse: number;
  /** How long the oldest waiter has waited; null if nobody waits. */
  readonly longestWaitMs: number | null;
  readonly longestHoldMs: number | null;
  /** The message of the last failed create, until one succeeds. */
  readonly createError: string | null;
  readonly counters: PoolCounters;
  /** Time from acquire to hand-over; null if histograms are off. Acquires served at once count as 0. */
  readonly wait: HistogramSnapshot | null;
  /** Time from hand-over to release. */
  readonly hold: HistogramSnapshot | null;
  /** Oldest first. */
  readonly holders: readonly Holder[];
  readonly closed: boolean;
}

/** A holder in any pool: what a foreign one can say too, and what only a watcher sees. */
export interface WatchedHolder {
  /** Unique within its pool. */
  readonly leaseId: number;
  readonly ageMs: number | null;
  readonly site: string | null;
  readonly stack: string | null;
  readonly leaked: boolean;
  /** The last SQL text sent through it, cut to 1,000 characters; null if there was none, or nobody looked. */
  readonly lastSql: string | null;
  /** Whether a query of it is under way now; null if nobody can tell. */
  readonly busy: boolean | null;
  /** The local port of its connection; null over a Unix socket, or where it is not known. */
  readonly localPort: number | null;
  /** The process that the server said serves it: the backend, or what a pooler makes up; null if not known. */
  readonly backendPid: number | null;
}

/**
 * What any pool can say of itself at one moment. Every PoolSnapshot is one but for its holders; of a foreign pool
 * (pg.Pool, mysql2, ...) that which it does not keep is null.
 */
export type WatchedSnapshot = Readonly<
  Pick<
    PoolSnapshot,
    | 'schema'
    | 'name'
    | 'driver'
    | 'takenAtMs'
    | 'size'
    | 'maxOverflow'
    | 'live'
    | 'idle'
    | 'inUse'
    | 'waiting'
  > & {
    [Field in 'overflow' | 'creating' | 'peakWaiting' | 'peakInUse' | 'longestWaitMs' | 'longestHoldMs']:
      | number
      | null;
  } & Pick<PoolSnapshot, 'createError' | 'wait' | 'hold' | 'closed'> & {
      counters: { readonly [Counter in keyof PoolCounters]: number | null };
      /** Oldest first. */
      holders: readonly WatchedHolder[];
      /** Left out where nothing is known of it. */
      setup?: PoolSetup;
    }
>;

/** How a pool is set up, as far as it tells. Times are in milliseconds, `never` is no limit, null is not known. */
export interface PoolSetup {
  readonly acquireTimeoutMs: number | 'never' | null;
  /** The age at which a resource is replaced. */
  readonly recycleMs: number | 'never' | null;
  /** How long a resource may be idle before it is closed. */
  readonly maxIdleMs: number | 'never' | null;
  /** Whether an idle resource is tried before it is lent. */
  readonly prePing: boolean | null;
  /** How long a statement, or a request, may take. */
  readonly statementTimeoutMs: number | 'never' | null;
  /** From when on a lease is called a leak. */
  readonly leakAfterMs: number | 'never' | null;
}

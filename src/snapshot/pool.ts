import type { HistogramSnapshot } from '../base/histogram.js';
import { counter, durations, gauge } from './metric.js';
import { holderSession, poolObserved } from './observed.js';
import {
  amount,
  either,
  figure,
  flag,
  integer,
  isTrue,
  list,
  literal,
  type Made,
  measured,
  metered,
  object,
  optional,
  orBlank,
  orNull,
  pair,
  port,
  type Schema,
  text,
  told,
} from './schema.js';
import { sizing } from './sizing.js';

/** Prefix of the metrics that all pools have. */
export const POOL_PREFIX = 'poolctl_pool_';

/** A histogram of durations. */
export const histogram: Schema<HistogramSnapshot> = object({
  count: amount,
  sumUs: figure,
  minUs: orNull(figure),
  maxUs: orNull(figure),
  meanUs: orNull(figure),
  buckets: list(pair(figure, amount)),
});

const inSqlAlchemy = { inSqlAlchemy: true };
const counted = (name: string, help: string, extra = {}) =>
  metered(counter(name, help, extra), orNull(amount));
const connections = (name: string, help: string, extra = {}) => gauge(name, 'connections', help, extra);

/** Counts since the pool was made. They only grow. */
export const poolCounters = object({
  created: counted('connects', 'Connections opened.', inSqlAlchemy),
  createFailed: counted('connect_failures', 'Connections that could not be opened.'),
  /** Resources that the pool has closed or begun to close. */
  destroyed: counted('disconnects', 'Connections closed.', inSqlAlchemy),
  /** Resources opened beyond `size`. */
  overflowCreated: counted('overflow_connects', 'Connections opened beyond the size of the pool.'),
  /** Leases handed out. */
  acquired: counted('checkouts', 'Connections handed out.', inSqlAlchemy),
  released: counted('checkins', 'Connections returned.', inSqlAlchemy),
  /** Acquires that could not be served at once. */
  waited: counted('waits', 'Callers that could not be served at once.'),
  timedOut: counted('timeouts', 'Callers whose wait timed out.'),
  aborted: counted('aborts', 'Callers that gave up waiting.'),
  /** Acquires refused because the queue was full. */
  refused: counted('refusals', 'Callers that were refused, since too many waited.'),
  invalidated: counted('invalidations', 'Connections given up as broken.', inSqlAlchemy),
  softInvalidated: counted('soft_invalidations', 'Connections marked to be replaced at their next use.'),
  recycled: counted('recycles', 'Connections replaced since they were too old.'),
  pingFailed: counted('ping_failures', 'Idle connections that were found dead before their next use.'),
  resetFailed: counted('reset_failures', 'Returned connections that could not be reset.'),
  detached: counted('detaches', 'Connections taken out of the pool for good.'),
  /** Leases that have passed the leak threshold. */
  leaked: counted('leaks', 'Connections that were out for longer than the leak threshold.'),
  /** Leases reclaimed because their handle was garbage-collected. */
  collected: counted('collected', 'Connections whose holder was garbage-collected without a release.'),
  doubleReleased: counted('double_checkins', 'Connections returned a second time.'),
  /** Acquires that waited for a resource held by their own flow. */
  nested: counted('nested_checkouts', 'Callers that waited for what their own flow held.'),
});

/** One value for each counter. */
export function mapCounters<T>(make: (name: keyof PoolCounters) => T): {
  readonly [Name in keyof PoolCounters]: T;
} {
  const names = Object.keys(poolCounters.entries) as readonly (keyof PoolCounters)[];
  return Object.fromEntries(names.map((name) => [name, make(name)])) as { [Name in keyof PoolCounters]: T };
}

/** One lease that is out. */
export const poolHolder = object({
  /** Unique within its pool. */
  leaseId: figure,
  /** Time since it was handed out, in milliseconds; null where neither histograms nor leak watch are on. */
  ageMs: orNull(figure),
  /**
   * `file:line:column` of the code that is responsible for it: what acquired it, or the caller of a helper that acquires
   * for others. null where it was not sampled.
   */
  site: orNull(text),
  /** The line of the helper that acquired it on behalf of `site`; absent, or null, where `site` did so itself. */
  helper: optional(orNull(text)),
  /** The whole stack of the user's own frames; null where it was not sampled. */
  stack: orNull(text),
  /** Out for so long that it was reported as a leak. */
  leaked: isTrue,
  /** The last SQL text sent through it, cut to 1,000 characters; null if there was none, or nobody looked. */
  lastSql: orNull(text),
  /** Whether one of its queries is running; null if unknown. */
  busy: orNull(flag),
  /** The local port of its connection; null over a Unix socket, or if unknown. */
  localPort: orNull(port),
  /**
   * The process that serves it, as reported by the server: the backend, or a number that a pooler makes up, which may
   * be negative; null if unknown.
   */
  backendPid: orNull(integer),
  /** Time since its last statement ended, or since it was handed out; null while one runs, or if unknown. */
  idleMs: optional(orNull(figure)),
  /** Absent where nobody looks. */
  session: optional(holderSession),
});

const limit = orNull(either(figure, literal('never')));

/** The settings of a pool. Times are in milliseconds, `never` is no limit, null is unknown. */
export const poolSetup = object({
  acquireTimeoutMs: limit,
  /** The age at which a resource is replaced. */
  recycleMs: limit,
  /** How long a resource may be idle before it is closed. */
  maxIdleMs: limit,
  /** Whether an idle resource is tested before it is lent. */
  prePing: orNull(flag),
  /** How long a statement, or a request, may take. */
  statementTimeoutMs: limit,
  /** The age at which a lease counts as a leak. */
  leakAfterMs: limit,
});

/** The fields that pools of every kind have. */
export const poolFields = {
  schema: literal(1),
  name: text,
  driver: text,
  /** Milliseconds since the epoch. */
  takenAtMs: figure,
  /** Resources that the pool keeps; null if unlimited. */
  size: metered(connections('size', 'Connections that the pool keeps.', inSqlAlchemy), orNull(amount)),
  /** Extra resources allowed; null if unlimited. */
  maxOverflow: metered(
    connections('max_overflow', 'Connections that it may open beyond its size.'),
    orNull(amount),
  ),
  /** Resources that occupy a place: creating, idle, in use, being checked or reset, closing. */
  live: metered(
    connections('live', 'Connections that take up a place in the pool, in whatever state.'),
    measured(amount),
  ),
  idle: metered(
    connections('checked_in', 'Connections that are free to be used.', inSqlAlchemy),
    told(amount),
  ),
  /** Leases out. */
  inUse: metered(connections('checked_out', 'Connections that are out.', inSqlAlchemy), measured(amount)),
  /** Resources beyond `size`. SQLAlchemy counts from -size. */
  overflow: metered(
    connections('overflow', 'Connections that are open beyond the size of the pool.', inSqlAlchemy),
    orNull(figure),
  ),
  creating: metered(connections('creating', 'Connections that are being opened.'), orNull(amount)),
  /** Acquires that wait. */
  waiting: metered(connections('waiters', 'Callers that wait for a connection.', inSqlAlchemy), told(amount)),
  /** The most acquires that ever waited at once. */
  peakWaiting: metered(
    connections('peak_waiters', 'The most callers that ever waited at once.', { together: 'max' }),
    orNull(amount),
  ),
  /** The most leases that were ever out at once. */
  peakInUse: metered(
    connections('peak_checked_out', 'The most connections that were ever out at once.', { together: 'max' }),
    orNull(amount),
  ),
  /** How long the oldest waiter has waited; null if nobody waits. */
  longestWaitMs: metered(
    gauge(
      'longest_wait_seconds',
      'seconds',
      'How long the caller that waits longest has waited; 0 while nobody waits.',
      { together: 'max', factor: 0.001 },
    ),
    orNull(figure),
  ),
  longestHoldMs: metered(
    gauge(
      'longest_checkout_seconds',
      'seconds',
      'How long the connection that is out longest has been out; 0 while none is.',
      { together: 'max', factor: 0.001 },
    ),
    orNull(figure),
  ),
  /** The message of the last failed create, until one succeeds. */
  createError: orNull(text),
  counters: orBlank(poolCounters),
  /** Time from acquire to hand-over; null if histograms are off. Acquires served at once count as 0. */
  wait: metered(
    durations('checkout_duration_seconds', 'Time from asking for a connection to having it.', inSqlAlchemy),
    orNull(histogram),
  ),
  /** Time from hand-over to release. */
  hold: metered(
    durations('hold_duration_seconds', 'Time from having a connection to returning it.'),
    orNull(histogram),
  ),
  /** Time from beginning to open a resource to having it. Absent, or null, where that cannot be seen. */
  create: optional(orNull(histogram)),
  /** Oldest first. */
  holders: list(poolHolder),
  closed: isTrue,
  /** The choice of an adaptive pool, whose `size` follows it. Absent where the size is fixed. */
  sizing: optional(sizing),
  /** Absent where nothing is known of it. */
  setup: optional(poolSetup),
  /** Absent where no watcher inside the process looks. */
  observed: optional(poolObserved),
};

/** A pool of any kind. */
export const anyPool = object(poolFields);

/** A pool of databases, or of other resources that are leased. */
export const databasePool = object({
  ...poolFields,
  /** Idle resources being validated before reuse. */
  checking: optional(amount),
  /** Returned resources that are being reset. */
  resetting: optional(amount),
  closing: optional(amount),
});

/**
 * The report of a pool about itself at one moment, as plain data. Fields that a foreign pool (pg.Pool, mysql2, ...)
 * does not keep are null, never 0.
 */
export interface WatchedSnapshot extends Made<typeof anyPool> {}

/** A holder in any pool, with what only a watcher sees. */
export interface WatchedHolder extends Made<typeof poolHolder> {}

/** The settings of a pool. Times are in milliseconds, `never` is no limit, null is unknown. */
export interface PoolSetup extends Made<typeof poolSetup> {}

type Measured<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> };
type OwnPool = Made<typeof databasePool>;
type AlwaysMeasured =
  | 'overflow'
  | 'creating'
  | 'checking'
  | 'resetting'
  | 'closing'
  | 'peakWaiting'
  | 'peakInUse';

/** Counts since the pool was made. They only grow. */
export type PoolCounters = Measured<Made<typeof poolCounters>>;

/** One lease that is out. */
export interface Holder extends Pick<WatchedHolder, 'leaseId' | 'ageMs' | 'site' | 'stack' | 'leaked'> {}

/** The numbers of one of our own pools at one moment, as plain data. null means not measured, never 0. */
export interface PoolSnapshot
  extends Omit<OwnPool, AlwaysMeasured | 'counters' | 'holders' | 'setup'>,
    Measured<Pick<OwnPool, AlwaysMeasured>> {
  readonly counters: PoolCounters;
  /** Oldest first. */
  readonly holders: readonly Holder[];
}

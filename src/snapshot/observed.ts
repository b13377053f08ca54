import { amount, figure, flag, list, object, optional, orNull, port, text } from './schema.js';

/** Failed statements or acquires of one code and one place. */
export const queryError = object({
  /** SQLSTATE of PostgreSQL (`42P05`), MySQL's name (`ER_LOCK_DEADLOCK`), or Node's code (`ECONNRESET`). */
  code: text,
  /** The message of the last one. */
  message: orNull(text),
  /** `file:line:column` of the code that sent the statement; null where it was not sampled. */
  site: orNull(text),
  count: amount,
  /** Time since the last one, in milliseconds. */
  lastMs: orNull(figure),
});

/** The server that a pool connects to, as it was set up. */
export const poolAddress = object({
  /** A name, an address, or the folder of a Unix socket. */
  host: orNull(text),
  port: orNull(port),
  database: orNull(text),
  user: orNull(text),
});

/** Statements of one kind whose effect stays with the session. */
export const sessionState = object({
  /** As in `keeps` of a holder's session, or `LISTEN channel`. */
  what: text,
  /** Call site of the first of them, as far as it is known. */
  site: orNull(text),
  count: amount,
});

/** Observations of a pool by a watcher inside the process, beside its figures. null is not measured. */
export const poolObserved = object({
  /** Time since the pool was made, in milliseconds. */
  ageMs: orNull(figure),
  /** `file:line:column` of the code that made the pool. */
  site: orNull(text),
  address: orNull(poolAddress),
  /** Statements sent since the pool was made. */
  queries: orNull(amount),
  /** The most frequent first. */
  queryErrors: list(queryError),
  /** Statements sent with a name, so that the server keeps them. */
  namedStatements: orNull(amount),
  /** Call sites of the callers that wait now, the most frequent first. */
  waiterSites: list(object({ site: text, count: amount })),
  /** Callers that wait while their own flow holds a lease of the same pool. */
  nestedWaiters: orNull(amount),
  /** The most callers that wait now and asked at the same time. Absent in older versions. */
  askedTogether: optional(orNull(amount)),
  /** The largest number of acquires that began at the same time, in the last seconds. Absent in older versions. */
  burst: optional(orNull(object({ count: amount, agoMs: figure, site: orNull(text) }))),
  /** SQLSTATE, MySQL's name, or Node's code of `createError`. */
  createErrorCode: orNull(text),
  /** Time since the last connect that failed, in milliseconds. */
  createErrorMs: orNull(figure),
  /** The slowest connect of the last minute, in milliseconds. */
  slowestConnectMs: orNull(figure),
  /** Time since the oldest connect without an outcome began; null where there is none, or nobody looks. Absent in older versions. */
  connectingMs: optional(orNull(figure)),
  /** Connections that broke while they were idle. */
  lostIdle: orNull(amount),
  /** Connections that broke while they were lent. */
  lostLent: orNull(amount),
  /** Connections that broke while lent and inside an open transaction. Absent in older versions. */
  lostOpen: optional(orNull(amount)),
  /** Time since a connection broke the last time, in milliseconds. */
  lostMs: optional(orNull(figure)),
  /** Idle connections whose last user left a transaction open, or aborted. */
  openIdle: orNull(amount),
  /** Statements, on any connection of the pool, whose effect outlives their transaction; the most frequent first. */
  sessionState: list(sessionState),
});

/** The state that a session has collected, as far as its statements tell. */
export const holderSession = object({
  /** Whether a transaction is open; null where it is not known. */
  inTransaction: orNull(flag),
  /** Channels of LISTEN. */
  listens: list(text),
  /** Other state that outlives a transaction: `SET search_path`, `TEMPORARY TABLE t`, `ADVISORY LOCK`, `CURSOR c`, `REPLICATION`. */
  keeps: list(text),
});

/** The process that publishes, as it was when it was read. */
export const processReading = object({
  /** The 99th percentile of the event loop's delay lately, in milliseconds. */
  loopDelayP99Ms: orNull(figure),
  /** The longest delay lately. */
  loopDelayMaxMs: orNull(figure),
  /** The share of the last seconds in which the event loop ran code, from 0 to 1. */
  loopBusy: optional(orNull(figure)),
  /** The longest time in the last ten minutes during which the whole process did not run (stopped, or suspended). */
  frozenMs: orNull(figure),
  /** Time since that ended. */
  frozenAgoMs: orNull(figure),
  /** Files that are open, and how many may be. */
  openFiles: orNull(amount),
  fileLimit: orNull(amount),
});

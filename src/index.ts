/// <reference lib="esnext.disposable" preserve="true" />

export type { Clock, Timer } from './base/clock.js';
export type { HistogramSnapshot } from './base/histogram.js';
export { percentileUs } from './base/histogram.js';
export type { Random } from './base/random.js';
export { defineConfig } from './config/config.js';
export type { PoolctlConfig } from './config/options.js';
export type {
  Connection,
  DatabaseOptions,
  Notice,
  PoolDefaults,
  QueryOptions,
  QueryParams,
  QueryResult,
  TransactionOptions,
} from './db/connection.js';
export type { Database, Session } from './db/database.js';
export { createDatabase } from './db/database.js';
export { DatabaseError, type DatabaseErrorCode, type DatabaseErrorOptions } from './db/errors.js';
export type { ResponseLike } from './db/request-session.js';
export { currentSession, runWithSession, sessionPerRequest } from './db/request-session.js';
export type { DestroyReason, Driver, ResetMode, SlotInfo } from './pool/driver.js';
export type { PoolErrorCode, TimeoutFacts, TimeoutReason } from './pool/errors.js';
export { PoolError, PoolTimeoutError } from './pool/errors.js';
export type { PoolEventName, PoolEvents } from './pool/events.js';
export type { ErrorJudgment, HookContext, HookName, PoolHooks, ResetState } from './pool/hooks.js';
export type { LeakReport, LeakWatchOptions } from './pool/leak-watch.js';
export type { ErrorVerdict, Lease, ReleaseOptions } from './pool/lease.js';
export { logLifeCycle } from './pool/life-cycle-log.js';
export type { NestedReport } from './pool/nested-watch.js';
export type { AcquireOptions, PoolOptions, PoolSettings } from './pool/options.js';
export { QueuePool } from './pool/queue-pool.js';
export type { Holder, PoolCounters, PoolSnapshot } from './snapshot/pool.js';

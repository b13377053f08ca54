/// <reference lib="esnext.disposable" preserve="true" />
/** The library door of load tests: `import { runLoadTest } from 'poolctl/loadtest'`. */
export type { Unit } from '../base/figure.js';
export type { Random } from '../base/random.js';
export { locateMysql, type MysqlLocation, type MysqlPlaceAccess } from '../db/mysql-place.js';
export { locatePostgres, type PostgresAccess, type PostgresPlace } from '../db/postgres-place.js';
export type * from './api.js';
export type { ClientSource, ThreadTime } from './client-meter.js';
export type { Distribution } from './distribution.js';
export type * from './http/types.js';
export { type LoadTestOptions, runLoadTest } from './load-test.js';
export type * from './record.js';
export type * from './result.js';
export { type Measured, parseThreshold, type Threshold } from './thresholds.js';
export { hasPassed } from './verdict.js';
export { WireError, type WireErrorCode } from './wire/errors.js';
export { type WireWorkloadOptions, wireWorkload } from './wire/wire-workload.js';
export type { QueryType } from './workloads/candles.js';
export { WorkloadError } from './workloads/errors.js';
export type { Value } from './workloads/expression.js';
export { TargetError } from './workloads/module.js';
export { type MysqlTargetOptions, mysqlDatabase } from './workloads/mysql.js';
export { type MysqlObserver, openMysqlObserver } from './workloads/mysql-observer.js';
export { poolWorkload, sessionWorkload, type WorkloadWords } from './workloads/own.js';
export { parseRows, type Row } from './workloads/parameters.js';
export { type PostgresTargetOptions, postgresDatabase } from './workloads/postgres.js';
export { type Observer, openObserver } from './workloads/postgres-observer.js';
export { type Parameter, parseScript, type Script, type Statement, type Step } from './workloads/script.js';
export { sqlWorkload } from './workloads/sql.js';
export type { BuiltIn, OpenTarget, SqlTarget, SqlWork, SqlWorkloadOptions } from './workloads/sql-target.js';
export {
  type PoolSize,
  type SqliteFileOptions,
  type SqliteTargetOptions,
  sqliteFile,
  temporarySqlite,
} from './workloads/sqlite.js';
export {
  defineTarget,
  type TargetContext,
  type TargetDefinition,
  type TargetIteration,
  type TargetStats,
} from './workloads/target.js';

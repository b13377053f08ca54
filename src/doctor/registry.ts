import { activityTracking } from './checks/activity-tracking.js';
import { cacheSize } from './checks/cache-size.js';
import { causeNow } from './checks/cause-now.js';
import { clientLimit } from './checks/client-limit.js';
import { connectionHeadroom } from './checks/connection-headroom.js';
import { doublePooling } from './checks/double-pooling.js';
import { fileLimit } from './checks/file-limit.js';
import { fleetSum } from './checks/fleet-sum.js';
import { idleSessionTimeout } from './checks/idle-session-timeout.js';
import { idleTransactionTimeout } from './checks/idle-transaction-timeout.js';
import { idleTransactionsNow } from './checks/idle-transactions-now.js';
import { lockWaitsNow } from './checks/lock-waits-now.js';
import { longQueriesNow } from './checks/long-queries-now.js';
import { mysqlAbortedClients } from './checks/mysql-aborted-clients.js';
import { mysqlAutocommit } from './checks/mysql-autocommit.js';
import { mysqlConnectionHeadroom } from './checks/mysql-connection-headroom.js';
import { mysqlConnectionsRefused } from './checks/mysql-connections-refused.js';
import { mysqlIdleTransactionTimeout } from './checks/mysql-idle-transaction-timeout.js';
import { mysqlIdleTransactionsNow } from './checks/mysql-idle-transactions-now.js';
import { mysqlLockWaitTimeout } from './checks/mysql-lock-wait-timeout.js';
import { mysqlLockWaitsNow } from './checks/mysql-lock-waits-now.js';
import { mysqlLongQueriesNow } from './checks/mysql-long-queries-now.js';
import { mysqlPreparedStatements } from './checks/mysql-prepared-statements.js';
import { mysqlProcessRight } from './checks/mysql-process-right.js';
import { mysqlStatementTimeout } from './checks/mysql-statement-timeout.js';
import { mysqlWaitTimeout } from './checks/mysql-wait-timeout.js';
import { passwordEncryption } from './checks/password-encryption.js';
import { pendingRestart } from './checks/pending-restart.js';
import { pgMonitor } from './checks/pg-monitor.js';
import { poolExplosion } from './checks/pool-explosion.js';
import { poolerAuth } from './checks/pooler-auth.js';
import { poolerKeepalives } from './checks/pooler-keepalives.js';
import { poolerLogin } from './checks/pooler-login.js';
import { poolerPaused } from './checks/pooler-paused.js';
import { poolerQueue } from './checks/pooler-queue.js';
import { poolerVersion } from './checks/pooler-version.js';
import { preparedStatements } from './checks/prepared-statements.js';
import { recordedPoolSize } from './checks/recorded-pool-size.js';
import { reservedConnections } from './checks/reserved-connections.js';
import { resetQuery } from './checks/reset-query.js';
import { serverKeepalives } from './checks/server-keepalives.js';
import { serverLifetime } from './checks/server-lifetime.js';
import { sessionState } from './checks/session-state.js';
import { sessionsAbandoned } from './checks/sessions-abandoned.js';
import { sharedBuffers } from './checks/shared-buffers.js';
import { staleConnections } from './checks/stale-connections.js';
import { startupParameters } from './checks/startup-parameters.js';
import { statementTimeout } from './checks/statement-timeout.js';
import { timeoutOrder } from './checks/timeout-order.js';
import { workMemory } from './checks/work-memory.js';
import { POOL_CHECKS } from './pool-checks.js';
import type { Check } from './types.js';

/** All checks, in the order of the report. */
export const CHECKS: readonly Check[] = [
  // Checks of the current state and its cause.
  causeNow,
  // PostgreSQL: whether anything can be seen, what is wrong at this moment, then how it is set up.
  pgMonitor,
  activityTracking,
  connectionHeadroom,
  idleTransactionsNow,
  lockWaitsNow,
  longQueriesNow,
  sessionsAbandoned,
  reservedConnections,
  idleTransactionTimeout,
  idleSessionTimeout,
  statementTimeout,
  serverKeepalives,
  workMemory,
  sharedBuffers,
  cacheSize,
  passwordEncryption,
  pendingRestart,
  // MySQL and MariaDB, in the same order.
  mysqlProcessRight,
  mysqlConnectionHeadroom,
  mysqlConnectionsRefused,
  mysqlLockWaitsNow,
  mysqlIdleTransactionsNow,
  mysqlLongQueriesNow,
  mysqlAbortedClients,
  mysqlPreparedStatements,
  mysqlWaitTimeout,
  mysqlStatementTimeout,
  mysqlIdleTransactionTimeout,
  mysqlLockWaitTimeout,
  mysqlAutocommit,
  // PgBouncer.
  poolerLogin,
  poolerPaused,
  poolerQueue,
  clientLimit,
  fileLimit,
  poolExplosion,
  preparedStatements,
  startupParameters,
  resetQuery,
  serverLifetime,
  poolerKeepalives,
  poolerAuth,
  poolerVersion,
  // Checks of the path between the two.
  fleetSum,
  timeoutOrder,
  doublePooling,
  sessionState,
  staleConnections,
  recordedPoolSize,
  ...POOL_CHECKS,
];

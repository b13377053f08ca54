/** SQLAlchemy's prefix for the metrics of pools, beside our own. The names behind it are the same. */
export const SQLALCHEMY_PREFIX = 'sqlalchemy_pool_';

/** The driver of a pool: always 1, with the driver as a label. */
export const POOL_INFO = 'info';

/** A column of one of PgBouncer's SHOW commands. */
export interface PgBouncerColumn {
  /** As the newest version calls it. */
  readonly column: string;
  readonly name: string;
  /** The name in the exporter of the Prometheus community; null if it has none, or the same. */
  readonly community: string | null;
  /** From the column's unit to the metric's. */
  readonly factor: number;
}

const poolColumn = (column: string, community: string): PgBouncerColumn => ({
  column,
  name: `pgbouncer_pools_${column}`,
  community: `pgbouncer_pools_${community}_connections`,
  factor: 1,
});

export const PGBOUNCER_POOLS = {
  clActive: poolColumn('cl_active', 'client_active'),
  clWaiting: poolColumn('cl_waiting', 'client_waiting'),
  clActiveCancel: poolColumn('cl_active_cancel_req', 'client_active_cancel'),
  clWaitingCancel: poolColumn('cl_waiting_cancel_req', 'client_waiting_cancel'),
  svActive: poolColumn('sv_active', 'server_active'),
  svIdle: poolColumn('sv_idle', 'server_idle'),
  svUsed: poolColumn('sv_used', 'server_used'),
  svTested: poolColumn('sv_tested', 'server_testing'),
  svLogin: poolColumn('sv_login', 'server_login'),
  svActiveCancel: poolColumn('sv_active_cancel', 'server_active_cancel'),
  svBeingCanceled: poolColumn('sv_being_canceled', 'server_being_canceled'),
} satisfies Record<string, PgBouncerColumn>;

/** With the fraction of a second, which is a column of its own. */
export const PGBOUNCER_MAXWAIT: PgBouncerColumn = {
  column: 'maxwait',
  name: 'pgbouncer_pools_maxwait',
  community: 'pgbouncer_pools_client_maxwait_seconds',
  factor: 1,
};

/** Always 1, with the pool mode as a label. */
export const PGBOUNCER_POOL_INFO = 'pgbouncer_pools_info';

const databaseColumn = (column: string, community: string | null = null): PgBouncerColumn => ({
  column,
  name: `pgbouncer_databases_${column}`,
  community: community === null ? null : `pgbouncer_databases_${community}`,
  factor: 1,
});

export const PGBOUNCER_DATABASES = {
  currentConnections: databaseColumn('current_connections'),
  poolSize: databaseColumn('pool_size'),
  minPoolSize: databaseColumn('min_pool_size'),
  reservePoolSize: databaseColumn('reserve_pool_size', 'reserve_pool'),
  maxConnections: databaseColumn('max_connections'),
  paused: databaseColumn('paused'),
  disabled: databaseColumn('disabled'),
} satisfies Record<string, PgBouncerColumn>;

/** Its times are in microseconds. */
const MICROSECONDS = 1e-6;

const statsColumn = (column: string, name: string, community: string, factor = 1): PgBouncerColumn => ({
  column: `total_${column}`,
  name: `pgbouncer_stats_${name}_total`,
  community: `pgbouncer_stats_totals_${community}_total`,
  factor,
});

export const PGBOUNCER_STATS = {
  transactions: statsColumn('xact_count', 'transactions', 'sql_transactions_pooled'),
  queries: statsColumn('query_count', 'queries', 'queries_pooled'),
  assignments: statsColumn('server_assignment_count', 'server_assignments', 'server_assignments'),
  received: statsColumn('received', 'received_bytes', 'received_bytes'),
  sent: statsColumn('sent', 'sent_bytes', 'sent_bytes'),
  transactionTime: statsColumn(
    ...(['xact_time', 'transaction_seconds', 'server_in_transaction_seconds'] as const),
    MICROSECONDS,
  ),
  queryTime: statsColumn('query_time', 'query_seconds', 'queries_duration_seconds', MICROSECONDS),
  waitTime: statsColumn('wait_time', 'client_wait_seconds', 'client_wait_seconds', MICROSECONDS),
} satisfies Record<string, PgBouncerColumn>;

export const PGBOUNCER_CLIENTS = {
  used: 'pgbouncer_used_clients',
  most: 'pgbouncer_config_max_client_conn',
  mostOfCommunity: 'pgbouncer_config_max_client_connections',
} as const;

export const PGBOUNCER_VERSION = 'pgbouncer_version_info';

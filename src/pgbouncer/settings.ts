/** How the value of a setting is written on the command line. */
export type SettingKind = 'count' | 'seconds' | 'wholeSeconds' | 'milliseconds' | 'switch' | 'mode' | 'text';

export interface Setting {
  /** In pgbouncer.ini. */
  readonly key: string;
  readonly kind: SettingKind;
  readonly group: string;
  /** As it stands in the file: times in the unit that PgBouncer reads, switches as 1 and 0. */
  readonly fallback: string;
  /** For the help: a clause. */
  readonly summary: string;
  /** Why the line is there: a sentence in the file above it. */
  readonly why: string;
}

const POOL = 'Pools';
const TIMES = 'Timeouts';
const TCP = 'Network';
const LOG = 'Logging';

/**
 * The settings that `poolctl pgbouncer init` writes, by the name of its option and in the order of the file. The figures are those
 * of a web application with some thousand clients before one PostgreSQL of 200 connections.
 */
export const SETTINGS = {
  listenAddr: {
    ...{ key: 'listen_addr', kind: 'text', group: TCP, fallback: '127.0.0.1' },
    summary: 'addresses to listen on, separated by commas; * for all',
    why: 'Only this machine can reach it, unless you name another address.',
  },
  listenPort: {
    ...{ key: 'listen_port', kind: 'count', group: TCP, fallback: '6432' },
    summary: 'port for clients',
    why: 'One above 5432, the port of PostgreSQL.',
  },
  unixSocketDir: {
    ...{ key: 'unix_socket_dir', kind: 'text', group: TCP, fallback: '' },
    summary: 'folder of a Unix socket; empty for none',
    why: 'Empty means none. With so_reuseport each process needs its own socket for its console.',
  },
  poolMode: {
    ...{ key: 'pool_mode', kind: 'mode', group: POOL, fallback: 'transaction' },
    summary: 'how long a client keeps a server: transaction, session, statement',
    why: 'A client keeps a server for one transaction. SET, LISTEN, advisory locks and temporary tables end with it.',
  },
  maxClientConn: {
    ...{ key: 'max_client_conn', kind: 'count', group: POOL, fallback: '1000' },
    summary: 'maximum number of clients',
    why: 'A client costs little. A pooler serves more clients than it has servers.',
  },
  defaultPoolSize: {
    ...{ key: 'default_pool_size', kind: 'count', group: POOL, fallback: '25' },
    summary: 'server connections per database and user',
    why: 'Server connections for each pair of database and user. max_db_connections limits their sum.',
  },
  minPoolSize: {
    ...{ key: 'min_pool_size', kind: 'count', group: POOL, fallback: '10' },
    summary: 'server connections to keep open when idle',
    why: 'Kept open when idle, so that a burst does not start with logins.',
  },
  reservePoolSize: {
    ...{ key: 'reserve_pool_size', kind: 'count', group: POOL, fallback: '5' },
    summary: 'extra server connections for clients that wait too long',
    why: 'Extra server connections for peaks. They open once a client has waited for reserve_pool_timeout.',
  },
  reservePoolTimeout: {
    ...{ key: 'reserve_pool_timeout', kind: 'seconds', group: POOL, fallback: '5' },
    summary: 'wait that opens the reserve',
    why: 'Seconds of waiting that open the reserve.',
  },
  maxDbConnections: {
    ...{ key: 'max_db_connections', kind: 'count', group: POOL, fallback: '50' },
    summary: 'server connections per database, over all users; 0: no limit',
    why: 'Limit for all users of a database, reserve included. Keep it below max_connections of the server.',
  },
  serverConnectTimeout: {
    ...{ key: 'server_connect_timeout', kind: 'seconds', group: TIMES, fallback: '15' },
    summary: 'maximum time of a login at the server',
    why: 'Seconds until PgBouncer gives up on a server that does not answer.',
  },
  serverIdleTimeout: {
    ...{ key: 'server_idle_timeout', kind: 'seconds', group: TIMES, fallback: '600' },
    summary: 'maximum idle time of a server connection',
    why: 'Seconds until an unused server connection is closed, down to min_pool_size.',
  },
  serverLifetime: {
    ...{ key: 'server_lifetime', kind: 'seconds', group: TIMES, fallback: '3600' },
    summary: 'maximum age of a server connection',
    why: 'Maximum age in seconds. It frees the memory of server processes, and picks up changes of DNS.',
  },
  clientIdleTimeout: {
    ...{ key: 'client_idle_timeout', kind: 'seconds', group: TIMES, fallback: '0' },
    summary: 'maximum idle time of a client; 0: no limit',
    why: 'Off. An idle client costs little, and the pools of applications expect their connections to last.',
  },
  queryTimeout: {
    ...{ key: 'query_timeout', kind: 'seconds', group: TIMES, fallback: '0' },
    summary: 'maximum duration of a query; 0 leaves it to PostgreSQL',
    why: 'Off. statement_timeout of PostgreSQL ends a query with an error. This setting would end the connection.',
  },
  queryWaitTimeout: {
    ...{ key: 'query_wait_timeout', kind: 'seconds', group: TIMES, fallback: '120' },
    summary: 'maximum wait of a query for a server',
    why: 'Seconds in the queue until a client is disconnected. Keep the pool timeout of applications shorter.',
  },
  idleTransactionTimeout: {
    ...{ key: 'idle_transaction_timeout', kind: 'seconds', group: TIMES, fallback: '0' },
    summary: 'maximum idle time in a transaction; 0 leaves it to PostgreSQL',
    why: 'Off. idle_in_transaction_session_timeout of PostgreSQL does the same, and logs it.',
  },
  soReuseport: {
    ...{ key: 'so_reuseport', kind: 'switch', group: TCP, fallback: '1' },
    summary: 'let several processes share the port',
    why: 'Several processes can share the port, one per core. The console then belongs to a random one.',
  },
  tcpKeepalive: {
    ...{ key: 'tcp_keepalive', kind: 'switch', group: TCP, fallback: '1' },
    summary: 'detect dead peers by keepalive',
    why: 'Detects dead peers. The default of the system takes more than two hours.',
  },
  tcpKeepidle: {
    ...{ key: 'tcp_keepidle', kind: 'wholeSeconds', group: TCP, fallback: '60' },
    summary: 'silence before the first probe',
    why: 'Seconds of silence before the first probe.',
  },
  tcpKeepintvl: {
    ...{ key: 'tcp_keepintvl', kind: 'wholeSeconds', group: TCP, fallback: '10' },
    summary: 'time between two probes',
    why: 'Seconds between two probes.',
  },
  tcpKeepcnt: {
    ...{ key: 'tcp_keepcnt', kind: 'count', group: TCP, fallback: '5' },
    summary: 'probes without an answer before a peer is dead',
    why: 'Probes without an answer. With the two settings above, a dead peer is detected within two minutes.',
  },
  tcpUserTimeout: {
    ...{ key: 'tcp_user_timeout', kind: 'milliseconds', group: TCP, fallback: '30000' },
    summary: 'maximum time without acknowledgement of sent data',
    why: 'Milliseconds without acknowledgement of sent data. Keepalive does not cover this case.',
  },
  ignoreStartupParameters: {
    ...{
      key: 'ignore_startup_parameters',
      kind: 'text',
      group: TCP,
      fallback: 'extra_float_digits,application_name',
    },
    summary: 'startup settings of clients that PgBouncer ignores',
    why: 'JDBC and lib/pq send extra_float_digits, and are refused without this. PgBouncer ignores these settings.',
  },
  maxPreparedStatements: {
    ...{ key: 'max_prepared_statements', kind: 'count', group: POOL, fallback: '0' },
    summary: 'named statements kept across servers; 0: none',
    why: 'None. Applications name no statements (DB_PREPARE_THRESHOLD=0). 200 allows named statements.',
  },
  logConnections: {
    ...{ key: 'log_connections', kind: 'switch', group: LOG, fallback: '1' },
    summary: 'log logins',
    why: 'Logs each login.',
  },
  logDisconnections: {
    ...{ key: 'log_disconnections', kind: 'switch', group: LOG, fallback: '1' },
    summary: 'log disconnections, with their reason',
    why: 'Logs each disconnection with its reason. Look here first when applications lose connections.',
  },
  logPoolerErrors: {
    ...{ key: 'log_pooler_errors', kind: 'switch', group: LOG, fallback: '1' },
    summary: 'log the errors sent to clients',
    why: 'Logs the errors sent to clients.',
  },
  logVerbosity: {
    ...{ key: 'verbose', kind: 'count', group: LOG, fallback: '0' },
    summary: 'verbosity of the log; 3 for debugging',
    why: '3 logs every packet.',
  },
  logfile: {
    ...{ key: 'logfile', kind: 'text', group: LOG, fallback: '' },
    summary: 'log file; empty for stderr only',
    why: 'Empty means stderr, which systemd and containers keep.',
  },
  pidfile: {
    ...{ key: 'pidfile', kind: 'text', group: LOG, fallback: '' },
    summary: 'file of the process id, which pgbouncer -d needs; empty for none',
    why: 'Empty. Only a start in the background (-d) needs one.',
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;

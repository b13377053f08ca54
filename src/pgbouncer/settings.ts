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
const TIMES = 'Time-outs';
const TCP = 'Network';
const LOG = 'Logging';

/**
 * What `poolctl pgbouncer init` writes, by the name of its option and in the order of the file. The figures are those
 * of a web application with some thousand clients before one PostgreSQL of 200 connections.
 */
export const SETTINGS = {
  listenAddr: {
    ...{ key: 'listen_addr', kind: 'text', group: TCP, fallback: '127.0.0.1' },
    summary: 'addresses to listen on, parted by commas; * is all',
    why: 'Only this machine can reach it, until another address is named.',
  },
  listenPort: {
    ...{ key: 'listen_port', kind: 'count', group: TCP, fallback: '6432' },
    summary: 'the port for clients',
    why: 'One above PostgreSQL, which keeps 5432 to itself.',
  },
  unixSocketDir: {
    ...{ key: 'unix_socket_dir', kind: 'text', group: TCP, fallback: '' },
    summary: 'the folder of a Unix socket; empty for none',
    why: 'Empty is none. Each process that shares the port by so_reuseport needs one of its own, for its console.',
  },
  poolMode: {
    ...{ key: 'pool_mode', kind: 'mode', group: POOL, fallback: 'transaction' },
    summary: 'for how long a client keeps a server: transaction, session, statement',
    why: 'A client has a server for a transaction: SET, LISTEN, advisory locks and temporary tables do not outlive it.',
  },
  maxClientConn: {
    ...{ key: 'max_client_conn', kind: 'count', group: POOL, fallback: '1000' },
    summary: 'clients at most',
    why: 'Clients cost little here: more of them than servers is what a pooler is for.',
  },
  defaultPoolSize: {
    ...{ key: 'default_pool_size', kind: 'count', group: POOL, fallback: '25' },
    summary: 'servers per database and user',
    why: 'Servers for each pair of database and user, so several users multiply it; max_db_connections caps the sum.',
  },
  minPoolSize: {
    ...{ key: 'min_pool_size', kind: 'count', group: POOL, fallback: '10' },
    summary: 'servers kept open when there is nothing to do',
    why: 'Kept open through quiet times, so that a burst does not begin with logging in.',
  },
  reservePoolSize: {
    ...{ key: 'reserve_pool_size', kind: 'count', group: POOL, fallback: '5' },
    summary: 'further servers for clients that wait too long',
    why: 'Further servers once a client has waited for reserve_pool_timeout: for peaks, not for every day.',
  },
  reservePoolTimeout: {
    ...{ key: 'reserve_pool_timeout', kind: 'seconds', group: POOL, fallback: '5' },
    summary: 'how long too long is',
    why: 'Seconds of waiting that open the reserve.',
  },
  maxDbConnections: {
    ...{ key: 'max_db_connections', kind: 'count', group: POOL, fallback: '50' },
    summary: 'servers per database, of all users together; 0 is no limit',
    why: "The cap for all users of a database, reserve included: keep it below the server's max_connections.",
  },
  serverConnectTimeout: {
    ...{ key: 'server_connect_timeout', kind: 'seconds', group: TIMES, fallback: '15' },
    summary: 'how long logging in to the server may take',
    why: 'Seconds until a server that does not answer is given up.',
  },
  serverIdleTimeout: {
    ...{ key: 'server_idle_timeout', kind: 'seconds', group: TIMES, fallback: '600' },
    summary: 'how long a server may be idle',
    why: 'Seconds after which a server that nobody used is closed, down to min_pool_size.',
  },
  serverLifetime: {
    ...{ key: 'server_lifetime', kind: 'seconds', group: TIMES, fallback: '3600' },
    summary: 'how old a server connection may become',
    why: "Seconds of life, so that memory of the server's processes and changes of DNS do not stay for ever.",
  },
  clientIdleTimeout: {
    ...{ key: 'client_idle_timeout', kind: 'seconds', group: TIMES, fallback: '0' },
    summary: 'how long a client may be idle; 0 is for ever',
    why: 'Off: idle clients cost nearly nothing, and pools of applications do not like to be cut.',
  },
  queryTimeout: {
    ...{ key: 'query_timeout', kind: 'seconds', group: TIMES, fallback: '0' },
    summary: 'how long a query may run; 0 leaves that to PostgreSQL',
    why: "Off: statement_timeout of PostgreSQL ends a query with an error; this would cut the client's connection.",
  },
  queryWaitTimeout: {
    ...{ key: 'query_wait_timeout', kind: 'seconds', group: TIMES, fallback: '120' },
    summary: 'how long a query may wait for a server',
    why: 'Seconds in the queue before a client is cut; the time-out of the pools in applications should be shorter.',
  },
  idleTransactionTimeout: {
    ...{ key: 'idle_transaction_timeout', kind: 'seconds', group: TIMES, fallback: '0' },
    summary: 'how long a transaction may stand open without work; 0 leaves that to PostgreSQL',
    why: 'Off: idle_in_transaction_session_timeout of PostgreSQL does it, and says so in its log.',
  },
  soReuseport: {
    ...{ key: 'so_reuseport', kind: 'switch', group: TCP, fallback: '1' },
    summary: 'let several processes share the port',
    why: 'More processes can share the port, one per core. The console is then that of a random one of them.',
  },
  tcpKeepalive: {
    ...{ key: 'tcp_keepalive', kind: 'switch', group: TCP, fallback: '1' },
    summary: 'find dead peers by keepalive',
    why: 'Finds peers that are gone without a word; the system alone would take more than two hours.',
  },
  tcpKeepidle: {
    ...{ key: 'tcp_keepidle', kind: 'wholeSeconds', group: TCP, fallback: '60' },
    summary: 'silence before the first probe',
    why: 'Seconds of silence before the first probe.',
  },
  tcpKeepintvl: {
    ...{ key: 'tcp_keepintvl', kind: 'wholeSeconds', group: TCP, fallback: '10' },
    summary: 'between two probes',
    why: 'Seconds between two probes.',
  },
  tcpKeepcnt: {
    ...{ key: 'tcp_keepcnt', kind: 'count', group: TCP, fallback: '5' },
    summary: 'probes without an answer before a peer is dead',
    why: 'Probes without an answer: with the two above, a dead peer is found within two minutes.',
  },
  tcpUserTimeout: {
    ...{ key: 'tcp_user_timeout', kind: 'milliseconds', group: TCP, fallback: '30000' },
    summary: 'how long sent data may stay unacknowledged',
    why: 'Milliseconds that sent data may stay unacknowledged, where keepalive does not look.',
  },
  ignoreStartupParameters: {
    ...{
      key: 'ignore_startup_parameters',
      kind: 'text',
      group: TCP,
      fallback: 'extra_float_digits,application_name',
    },
    summary: 'settings that clients may send at the start, and that are dropped',
    why: 'JDBC and lib/pq send extra_float_digits, and are refused without this. What stands here is dropped in silence.',
  },
  maxPreparedStatements: {
    ...{ key: 'max_prepared_statements', kind: 'count', group: POOL, fallback: '0' },
    summary: 'named statements that follow a client from server to server; 0 is none',
    why: 'None: applications do not name statements (DB_PREPARE_THRESHOLD=0). 200 would let them.',
  },
  logConnections: {
    ...{ key: 'log_connections', kind: 'switch', group: LOG, fallback: '1' },
    summary: 'log logins',
    why: 'Who comes.',
  },
  logDisconnections: {
    ...{ key: 'log_disconnections', kind: 'switch', group: LOG, fallback: '1' },
    summary: 'log disconnections, with their reason',
    why: 'Who goes, and why: the first place to look when applications lose connections.',
  },
  logPoolerErrors: {
    ...{ key: 'log_pooler_errors', kind: 'switch', group: LOG, fallback: '1' },
    summary: 'log the errors that clients are sent',
    why: 'What clients are told when they are refused.',
  },
  logVerbosity: {
    ...{ key: 'verbose', kind: 'count', group: LOG, fallback: '0' },
    summary: 'how much more is logged; 3 for debugging',
    why: '3 tells every packet, when nothing else helps.',
  },
  logfile: {
    ...{ key: 'logfile', kind: 'text', group: LOG, fallback: '' },
    summary: 'the file of the log; empty is stderr alone',
    why: 'Empty: stderr, which systemd and containers keep.',
  },
  pidfile: {
    ...{ key: 'pidfile', kind: 'text', group: LOG, fallback: '' },
    summary: 'the file of the process number, which pgbouncer -d needs; empty for none',
    why: 'Empty: only a start in the background (-d) needs one.',
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;

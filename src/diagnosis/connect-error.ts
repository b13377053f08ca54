/** Why a connection cannot be opened, by whose words the error is in. */
export type ConnectFault =
  | 'app-ports'
  | 'app-files'
  | 'dns'
  | 'host-unknown'
  | 'path-timeout'
  | 'path-reset'
  | 'server-down'
  | 'tls'
  | 'hba'
  | 'pooler-clients'
  | 'pooler-login'
  | 'pooler-queue'
  | 'pooler-auth-query'
  | 'pooler-auth'
  | 'pooler-database'
  | 'pooler-startup'
  | 'pooler-dns'
  | 'pooler-session-limit'
  | 'pooler-lost-server'
  | 'pooler-ending'
  | 'server-full'
  | 'role-limit'
  | 'database-limit'
  | 'host-limit'
  | 'password'
  | 'database-missing'
  | 'server-starting'
  | 'server-ending'
  | 'disk-full'
  | 'memory'
  | 'read-only'
  | 'pool-closed'
  | 'pool-refused'
  | 'acquire-timeout'
  | 'role'
  | 'host-blocked'
  | 'other';

interface Rule {
  readonly fault: ConnectFault;
  readonly text: RegExp;
  /** SQLSTATEs, MySQL's names and Node's codes that say it without the text. */
  readonly codes?: readonly string[];
}

/**
 * In this order: a pooler's text may contain the words of the server, and both may stand behind `connect ...`.
 * Texts of PgBouncer are those of its source (client.c, objects.c, proto.c), those of PostgreSQL of its
 * postinit.c, proc.c and auth.c, those of MySQL of its errmsg list. Those of RDS Proxy, Supavisor, Neon, PgCat and
 * ProxySQL are quoted from public reports of their users.
 */
const RULES: readonly Rule[] = [
  {
    fault: 'pool-closed',
    text: /after calling end on the pool|connection manager was closed|CONNECTION_ENDED|pool is (?:closed|draining|destroyed)|(?:pool|client) (?:has been|was|is) (?:closed|destroyed|ended)|Unable to acquire a connection$/i,
    codes: ['CONNECTION_ENDED', 'POOL_CLOSED', 'ERR_POOL_CLOSED'],
  },
  {
    fault: 'pool-refused',
    text: /^(?:Queue limit reached\.?|No connections available\.?|max waitingClients count exceeded|Pool queue is full)$/i,
  },
  {
    fault: 'app-ports',
    text: /EADDRNOTAVAIL|cannot assign requested address/i,
    codes: ['EADDRNOTAVAIL'],
  },
  { fault: 'app-files', text: /\b(?:EMFILE|ENFILE)\b|too many open files/i, codes: ['EMFILE', 'ENFILE'] },
  { fault: 'pooler-dns', text: /server DNS lookup failed/i },
  {
    fault: 'dns',
    text: /EAI_AGAIN|queryA+ ETIMEOUT|temporary failure in name resolution|DNS.*time(?:d )?-?out/i,
    codes: ['EAI_AGAIN', 'ETIMEOUT'],
  },
  {
    fault: 'host-unknown',
    text: /ENOTFOUND|name or service not known|nodename nor servname|could not translate host name/i,
    codes: ['ENOTFOUND', 'EAI_NONAME'],
  },
  {
    fault: 'pooler-session-limit',
    text: /MaxClientsInSessionMode|max clients reached - in session mode/i,
  },
  {
    fault: 'pooler-clients',
    text: /no more connections allowed|max_client_conn|max_(?:db|user)_client_connections|max client connections reached|client connections exceeded|too many database connection(?:s)? attempts/i,
  },
  {
    fault: 'pooler-auth-query',
    text: /bouncer config error|auth_query|authentication query failed/i,
  },
  {
    fault: 'pooler-auth',
    text: /wrong password type|cannot do SCRAM authentication|SASL authentication failed|auth failed|password authentication failed(?! for)|no such user|server login failed|this RDS proxy has no credentials|ProxySQL Error: Access denied/i,
  },
  {
    fault: 'pooler-startup',
    text: /unsupported startup parameter|RDS Proxy currently doesn.t support (?:command-line|the option|startup)/i,
  },
  {
    fault: 'pooler-database',
    text: /no such database|(?:database|pool) .*is disabled|does not allow connections: disabled|tenant or user not found|the endpoint has been disabled/i,
  },
  {
    fault: 'pooler-login',
    text: /server_login_retry|server login has been failing|server_connect_timeout|cannot connect to server|connect(?:ion)? to (?:the )?(?:backend|upstream) failed|AllServersDown|max connect timeout reached while reaching hostgroup|couldn.t connect to compute node|RDS Proxy.*no available target/i,
  },
  {
    fault: 'pooler-queue',
    text: /query_wait_timeout|client_login_timeout|timed-out waiting to acquire database connection|could not get connection from the pool/i,
  },
  { fault: 'pooler-lost-server', text: /server conn crashed|server_(?:idle|lifetime)_timeout/i },
  {
    fault: 'pooler-ending',
    text: /pooler is shut ?down|pooler error: shut|pgbouncer is shutting down|terminating connection due to .*pooler/i,
  },
  {
    fault: 'role-limit',
    text: /too many connections for role|max_user_connections|exceeded the '?max_user|has exceeded/i,
    codes: ['ER_TOO_MANY_USER_CONNECTIONS', 'ER_USER_LIMIT_REACHED'],
  },
  { fault: 'database-limit', text: /too many connections for database/i },
  {
    fault: 'host-blocked',
    text: /is blocked because of many connection errors/i,
    codes: ['ER_HOST_IS_BLOCKED'],
  },
  {
    fault: 'server-full',
    text: /too many (?:clients|connections)|remaining connection slots|number of .*connections .*exceed|connection slots are reserved/i,
    codes: ['53300', 'ER_CON_COUNT_ERROR', 'P2037'],
  },
  {
    fault: 'password',
    text: /password authentication failed|access denied for user(?!.* to database)|authentication failed for user|login failed for user|bad auth ?: ?authentication failed|invalid authorization|password has expired/i,
    codes: ['28P01', 'ER_ACCESS_DENIED_ERROR', 'ER_MUST_CHANGE_PASSWORD_LOGIN', 'P1000'],
  },
  {
    fault: 'hba',
    text: /no pg_hba\.conf entry|pg_hba\.conf rejects|no encryption|SSL off|is not allowed to connect to this (?:MySQL|MariaDB) server|require_secure_transport|using insecure transport/i,
    codes: ['ER_HOST_NOT_PRIVILEGED', 'ER_SECURE_TRANSPORT_REQUIRED'],
  },
  {
    fault: 'tls',
    text: /self[- ]signed|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:VERIFY|GET_ISSUER)|certificate (?:has expired|verify failed|is not)|CERT_HAS_EXPIRED|ERR_TLS|does not support (?:SSL|secure)|altnames|SSL (?:routines|required|connection has)|EPROTO/i,
    codes: [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'CERT_HAS_EXPIRED',
      'HANDSHAKE_NO_SSL_SUPPORT',
    ],
  },
  {
    fault: 'database-missing',
    text: /database "[^"]*" does not exist|unknown database|database .* does not exist/i,
    codes: ['3D000', 'ER_BAD_DB_ERROR', 'P1003'],
  },
  {
    fault: 'role',
    text: /role "[^"]*" does not exist|is not permitted to log in|permission denied for database|not currently accepting connections|access denied for .* to database/i,
    codes: ['28000', 'ER_DBACCESS_DENIED_ERROR'],
  },
  {
    fault: 'server-starting',
    text: /the database system is (?:starting up|not yet accepting|in recovery)|not yet accepting connections|recovery mode|server is starting/i,
    codes: ['57P03'],
  },
  {
    fault: 'server-ending',
    text: /the database system is shutting down|terminating connection due to administrator|terminating connection because of crash|server shutdown in progress|server closed the connection/i,
    codes: ['57P01', '57P02', 'ER_SERVER_SHUTDOWN'],
  },
  {
    fault: 'disk-full',
    text: /no space left on device|could not (?:extend|write to) file|disk (?:is )?full|the table '[^']*' is full/i,
    codes: ['53100', 'ER_DISK_FULL', 'ER_RECORD_FILE_FULL', 'ENOSPC'],
  },
  {
    fault: 'memory',
    text: /out of (?:shared )?memory|cannot allocate memory/i,
    codes: ['53200', 'ER_OUT_OF_RESOURCES'],
  },
  {
    fault: 'read-only',
    text: /read-only transaction|read-only mode|--read-only|super-read-only/i,
    codes: ['25006', 'ER_OPTION_PREVENTS_STATEMENT', 'ER_READ_ONLY_MODE'],
  },
  {
    fault: 'server-down',
    text: /ECONNREFUSED|connection refused|could not connect \((?:sequence|parallel)\)|can't reach database server|no such file or directory.*(?:\.s\.PGSQL|\.sock)|ENOENT.*(?:\.s\.PGSQL|\.sock)/i,
    codes: ['ECONNREFUSED', 'P1001'],
  },
  {
    fault: 'acquire-timeout',
    text: /timeout exceeded when trying to connect|Timeout acquiring a connection|ConnectionAcquireTimeout|Operation timeout|timed out fetching a new connection|ResourceRequest timed out|no lease within/i,
    codes: ['P2024', 'SequelizeConnectionAcquireTimeoutError'],
  },
  {
    fault: 'path-timeout',
    text: /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|connect(?:ion)?[ _]?time(?:d )?-?out|failed to connect to \S+ in \d+ ?ms|server selection timed out|terminated due to connection timeout|CONNECT_TIMEOUT|timeout expired/i,
    codes: ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'CONNECT_TIMEOUT'],
  },
  {
    fault: 'path-reset',
    text: /ECONNRESET|EPIPE|socket hang up|Connection terminated unexpectedly|Connection lost|PROTOCOL_CONNECTION_LOST|CONNECTION_CLOSED|closed the connection|connection was closed/i,
    codes: ['ECONNRESET', 'EPIPE', 'PROTOCOL_CONNECTION_LOST', 'CONNECTION_CLOSED', 'P1017'],
  },
];

/** In whose words a connect failed, and which of their reasons it was. The text decides before the code. */
export function connectFaultOf(message: string | null, code: string | null = null): ConnectFault {
  const inner = message === null ? null : innerFaultOf(message);
  if (inner !== null) return inner;
  const byText = message === null ? undefined : RULES.find(({ text }) => text.test(message));
  if (byText !== undefined) return byText.fault;
  const byCode = code === null ? undefined : RULES.find(({ codes }) => codes?.includes(code) === true);
  return byCode?.fault ?? 'other';
}

/** Poolers from PgBouncer 1.22 on quote the words of the server; these decide. null where none are quoted. */
function innerFaultOf(message: string): ConnectFault | null {
  const [, quoted] =
    /(?:cached error|server login failed):\s*(?:FATAL:?\s*)?(.+?)(?:\s*\(server_login_retry\))?$/i.exec(
      message,
    ) ?? [];
  if (quoted === undefined) return null;
  const fault = RULES.find(({ text }) => text.test(quoted))?.fault ?? null;
  // The client itself got in: the pooler has another secret than the server.
  return fault === 'password' ? 'pooler-auth' : fault;
}

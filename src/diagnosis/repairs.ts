import type { Repair } from './types.js';

/** Repairs that several causes share, in the words of each library and server. */

export const GIVE_BACK: Repair = {
  pg: 'const client = await pool.connect(); try { ... } finally { client.release() }; for one statement pool.query(), which releases by itself',
  'postgres.js': 'release() what sql.reserve() gave in a finally, or use plain sql and sql.begin()',
  mysql2: 'connection.release() in a finally; for one statement pool.execute()',
  'mariadb client': 'connection.release() in a finally; for one statement pool.query()',
  mongodb:
    'session.endSession() in a finally, client.withSession(), and cursor.close() where a cursor is not read to its end',
  knex: 'knex.transaction(async (trx) => ...), and no client.acquireConnection() by hand',
  sequelize: 'the managed form: sequelize.transaction(async (t) => ...)',
  typeorm: 'dataSource.transaction(async (manager) => ...), or queryRunner.release() in a finally',
  prisma: 'for several statements prisma.$transaction(async (tx) => ...)',
  'generic-pool': 'pool.use(async (resource) => ...), or pool.release(resource) in a finally',
  poolctl: 'using lease = ..., pool.use(), or withSession()',
  app: 'release the connection in a finally on every path',
};

export const END_TRANSACTION: Repair = {
  pg: 'COMMIT on the good path, ROLLBACK in the catch, client.release() in the finally; client.release(error) where ROLLBACK fails too',
  'postgres.js': 'sql.begin(async (sql) => ...), which commits, and rolls back on a throw',
  mysql2: 'connection.commit(), connection.rollback() in the catch, connection.release() in the finally',
  mongodb: 'session.withTransaction(async () => ...), which commits, and aborts on a throw',
  knex: 'knex.transaction(async (trx) => ...); with trx = await knex.transaction() every path must end in commit or rollback',
  sequelize: 'the managed form: sequelize.transaction(async (t) => ...)',
  typeorm:
    'dataSource.transaction(async (manager) => ...); with a queryRunner commit or roll back, and release in a finally',
  prisma: 'prisma.$transaction(async (tx) => ...), or the batch form prisma.$transaction([...])',
  'generic-pool': 'COMMIT or ROLLBACK before the resource is released',
  poolctl: 'using lease = ..., pool.use(), or withSession()',
  app: 'end every transaction in COMMIT or ROLLBACK, on every path',
  pgbouncer: 'as a bound: idle_transaction_timeout, above what honest work takes',
  sql: {
    postgres: ["ALTER ROLE {role} SET idle_in_transaction_session_timeout = '60s'"],
    mariadb: ['SET GLOBAL idle_transaction_timeout = 60'],
  },
};

export const BOUND_STATEMENTS: Repair = {
  pg: 'statement_timeout in the options of the pool where it connects directly, and query_timeout somewhat above it',
  'postgres.js': 'connection: { statement_timeout: 30000 } where it connects directly; query.cancel()',
  mysql2:
    'a limit in the session (MySQL: SET SESSION max_execution_time = 30000, MariaDB: SET SESSION max_statement_time = 30); the timeout option of a query alone leaves it running on the server',
  'mariadb client':
    'queryTimeout in the options of the pool: the server itself ends the statement (max_statement_time)',
  mongodb: 'maxTimeMS on the operation, or timeoutMS in the options of the client',
  knex: '.timeout(ms, { cancel: true })',
  sequelize: 'dialectOptions: { statement_timeout }',
  typeorm: 'extra: { statement_timeout }',
  prisma: 'ALTER ROLE ... SET statement_timeout; timeout of $transaction',
  poolctl: '?statement_timeout=30s in the address, where it connects directly',
  app: 'a limit on the server for every statement',
  pgbouncer:
    'start-up parameters do not get through it: ALTER ROLE; query_timeout above that as the last resort',
  sql: {
    postgres: ["ALTER ROLE {role} SET statement_timeout = '30s'"],
    mysql: ['SET GLOBAL max_execution_time = 30000'],
    mariadb: ['SET GLOBAL max_statement_time = 30'],
  },
};

export const SMALLER_POOLS: Repair = {
  pg: 'lower max: (max_connections - reserved - others) / (instances at the peak of a deploy x pools in each)',
  'postgres.js': 'lower max, by the same sum',
  mysql2: 'lower connectionLimit',
  mongodb: 'lower maxPoolSize',
  knex: 'lower pool: { min: 0, max }',
  sequelize: 'lower pool: { max }; with replication it counts for read and for write',
  typeorm: 'lower poolSize (or extra.max); with replication it counts for each node',
  prisma: 'connection_limit= in the URL, or max of the driver adapter’s pool',
  'generic-pool': 'lower max',
  poolctl: 'lower size and maxOverflow (DB_POOL_SIZE, DB_MAX_OVERFLOW)',
  app: 'lower the pool of each instance so that all of them together fit',
  pgbouncer:
    'put PgBouncer (pool_mode = transaction) in between; default_pool_size and max_db_connections so that all pools together fit',
  postgres: 'raise max_connections last: each costs memory, and it needs a restart',
  mysql: 'raise max_connections last: each costs memory',
};

export const ONE_POOL: Repair = {
  pg: 'make the pool once, in a module that is loaded once: globalThis.pool ??= new pg.Pool({ ... })',
  'postgres.js': 'globalThis.sql ??= postgres(...)',
  mysql2: 'globalThis.pool ??= mysql.createPool({ ... })',
  'mariadb client': 'globalThis.pool ??= mariadb.createPool({ ... })',
  mongodb: 'globalThis.client ??= new MongoClient(...)',
  knex: 'one knex() for the process; await knex.destroy() when a module is replaced',
  sequelize: 'one new Sequelize() for the process; sequelize.close() when it is replaced',
  typeorm: 'one DataSource; look at isInitialized before initialize()',
  prisma: 'globalThis.prisma ??= new PrismaClient()',
  'generic-pool': 'one createPool() for the process',
  poolctl: 'getDb() of one module; await using where a pool is short-lived',
  app: 'make the pool once for the process',
  pgbouncer: 'caps the harm: max_db_connections',
  postgres: 'caps the harm: ALTER ROLE {role} CONNECTION LIMIT n',
  mysql: 'caps the harm: ALTER USER {account} WITH MAX_USER_CONNECTIONS n',
};

export const LIVE_SHORTER_THAN_THE_CUT: Repair = {
  pg: "idleTimeoutMillis below the cut, keepAlive: true with keepAliveInitialDelayMillis, maxLifetimeSeconds; pool.on('error', ...)",
  'postgres.js': 'idle_timeout, max_lifetime and keep_alive below the cut',
  mysql2: 'maxIdle with idleTimeout below the cut, enableKeepAlive, keepAliveInitialDelay',
  'mariadb client': 'minimumIdle: 0 with idleTimeout (seconds) below the cut, keepAliveDelay',
  mongodb: 'maxIdleTimeMS below the cut',
  knex: 'pool: { min: 0, idleTimeoutMillis } and connection: { keepAlive: true }',
  sequelize: 'pool: { min: 0, idle, evict } and dialectOptions: { keepAlive: true }',
  typeorm: 'extra: { idleTimeoutMillis, keepAlive: true }',
  prisma: 'the idle time of the adapter’s pool (idleTimeoutMillis)',
  'generic-pool': 'min: 0, idleTimeoutMillis, evictionRunIntervalMillis, testOnBorrow: true',
  poolctl: 'prePing: true, maxIdleMs and recycleMs below the cut',
  app: 'close idle connections before the path or the server does',
  pgbouncer: 'tcp_keepidle = 60, tcp_keepintvl = 10, tcp_keepcnt = 5; server_idle_timeout below the cut',
  postgres: 'tcp_keepalives_idle = 60; client_connection_check_interval = 10s (from 14)',
  mysql: 'wait_timeout above the idle time of the pool',
};

export const OWN_SESSION: Repair = {
  pg: 'a new pg.Client(directUrl) of its own for LISTEN and session locks; pg_advisory_xact_lock() in transactions',
  'postgres.js': 'sql.listen() on a second postgres(directUrl, { max: 1 })',
  mysql2: 'a connection of its own (mysql.createConnection) for GET_LOCK',
  'mariadb client': 'a connection of its own (mariadb.createConnection) for GET_LOCK',
  knex: 'a client of its own; migrations with a config whose connection is the direct address',
  sequelize: 'a client of its own; migrations with the direct address',
  typeorm: 'a second DataSource with the direct address',
  prisma: 'directUrl for migrations, a client of its own for LISTEN',
  poolctl: 'a session on the direct address, outside the pool',
  app: 'a connection of its own, outside the pool',
  pgbouncer: 'a second line in [databases] with pool_mode=session for the few that need a session',
};

export const FEWER_AT_ONCE: Repair = {
  pg: 'lower max: fewer at once; retry with backoff',
  'postgres.js': 'lower max',
  mysql2: 'lower connectionLimit',
  mongodb: 'lower maxPoolSize',
  knex: 'lower pool.max; no nested trx.transaction() in hot paths (savepoints)',
  sequelize: 'lower pool.max',
  typeorm: 'lower poolSize',
  prisma: 'lower connection_limit',
  poolctl: 'lower size and maxOverflow',
  app: 'fewer connections at once; retry with backoff',
  pgbouncer: 'lower default_pool_size',
};

export const NAMED_STATEMENTS: Repair = {
  pg: 'no name in query objects (pg names no statement by itself)',
  'postgres.js': 'prepare: false',
  mysql2: 'query() in place of execute() behind a proxy that shares connections',
  knex: 'it names no statement by itself: look for another client of this address',
  sequelize: 'it names no statement by itself: look for another client of this address',
  typeorm: 'it names no statement by itself: look for another client of this address',
  prisma:
    'before PgBouncer 1.21 pgbouncer=true in the URL; from 1.21 with max_prepared_statements leave it out; directUrl for migrations',
  poolctl: 'DB_PREPARE_THRESHOLD=0',
  app: 'send no named statements',
  pgbouncer: 'from 1.21: max_prepared_statements = 200; before, it cannot follow them in transaction mode',
};

/** Statements that make a server report its deadlocks. */
export const SHOW_DEADLOCKS: NonNullable<Repair['sql']> = {
  postgres: ['ALTER SYSTEM SET log_lock_waits = on', 'SELECT pg_reload_conf()'],
  mysql: ['SET GLOBAL innodb_print_all_deadlocks = ON', 'SHOW ENGINE INNODB STATUS'],
  mariadb: ['SET GLOBAL innodb_print_all_deadlocks = ON', 'SHOW ENGINE INNODB STATUS'],
};

/** For faults that no library can repair. */
export function onlyAt(places: Repair): Repair {
  return { app: 'nothing in the application repairs it; retry with backoff and jitter meanwhile', ...places };
}

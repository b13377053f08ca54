import { printable } from '../../report/text.js';
import type { PoolFact } from '../facts.js';
import { poolSubject, serverSubject } from '../look.js';
import { quote } from '../phrases.js';
import {
  END_TRANSACTION,
  LIVE_SHORTER_THAN_THE_CUT,
  NAMED_STATEMENTS,
  onlyAt,
  SHOW_DEADLOCKS,
} from '../repairs.js';
import type { Cause, Found, Look, Repair } from '../types.js';
import { shortSite } from '../words.js';
import { connectFailures } from './connecting.js';

/** Errors of the last minute count as now. */
const NOW_MS = 60_000;

interface ErrorSum {
  readonly count: number;
  /** `42P05 42P05 x 145`, a line each. */
  readonly lines: readonly string[];
  readonly message: string;
  readonly code: string;
  /** ` at FILE:LINE` of the first; empty where it is not known. */
  readonly at: string;
}

/** The errors of a pool that happen now, with one of these codes, or with such a text. */
export function errorsOf(
  { pool }: PoolFact,
  codes: readonly string[],
  text: RegExp | null,
  { cwd }: Look,
): ErrorSum | null {
  const all = (pool.observed?.queryErrors ?? []).filter(
    ({ code, message, lastMs }) =>
      (lastMs === null || lastMs < NOW_MS) && (codes.includes(code) || text?.test(message ?? '')),
  );
  const [first] = all;
  if (first === undefined) return null;
  const site = all.find((one) => one.site !== null)?.site ?? null;
  const at = site === null ? '' : ` at ${printable(shortSite(site, cwd))}`;
  return {
    count: all.reduce((sum, { count }) => sum + count, 0),
    lines: all
      .slice(0, 5)
      .map(
        ({ code, count, message, site: at }) =>
          `${printable(code)}: ${count} x ${quote(message ?? '', 120)}${at === null ? '' : ` at ${printable(shortSite(at, cwd))}`}`,
      ),
    message: first.message ?? '',
    code: first.code,
    at,
  };
}

interface Sort {
  readonly id: string;
  readonly title: string;
  readonly codes: readonly string[];
  readonly text?: RegExp;
  readonly least?: number;
  /** The rest of the headline after `145 of 480 statements fail`. */
  readonly clause: string;
  readonly ruledOut?: readonly string[];
  readonly missing?: string;
  readonly repair: Repair;
  readonly avoid: readonly string[];
  /** Whether the facts beside the errors agree. */
  readonly agrees?: (look: Look, fact: PoolFact) => boolean;
}

/** A server that is still down is a cause of its own. */
const isBackUp = (look: Look): boolean =>
  !connectFailures(look).some(({ fault }) => fault === 'server-down' || fault === 'server-starting');

const isPooled = ({ facts }: Look): boolean => facts.poolers.length > 0;

const SORTS: readonly Sort[] = [
  {
    id: 'prepared-statement-transaction-mode',
    title: 'Named statements live in a server connection, which is another one next time behind a pooler',
    codes: ['42P05', '26000', 'ER_UNKNOWN_STMT_HANDLER'],
    text: /prepared statement .* (?:already exists|does not exist)|bind message supplies|unknown prepared statement/i,
    clause: 'since named statements go through a pooler that shares its servers',
    ruledOut: [
      'a migration: that is 0A000',
      'max_prepared_statements of the pooler is 0, or it is older than 1.21',
    ],
    repair: NAMED_STATEMENTS,
    avoid: ['session mode for all', 'server_reset_query_always', 'DB_PREPARE_THRESHOLD for other libraries'],
  },
  {
    id: 'cached-plan-after-migration',
    title: 'The plan of a named statement is bound to the columns from before a migration',
    codes: ['0A000', 'ER_NEED_REPREPARE'],
    text: /cached plan must not change result type|needs to be re-prepared/i,
    clause: 'on connections that are older than a migration',
    ruledOut: ['a missing statement: that is 26000'],
    repair: {
      pg: 'name the columns instead of *; recycle the pool after a migration (pool.end() and a new one, or maxLifetimeSeconds)',
      'postgres.js': 'prepare: false, or name the columns',
      prisma: 'before PgBouncer 1.21 pgbouncer=true in the URL; restart after a migration',
      poolctl: 'DB_PREPARE_THRESHOLD=0, or name the columns',
      app: 'name the columns instead of *, and open connections anew after a migration',
      pgbouncer: 'RECONNECT after a migration',
    },
    avoid: ['a restart of the database'],
  },
  {
    id: 'fail-over-read-only',
    missing: 'which server it is, and whether a pooler keeps it: add their addresses',
    title: 'Writes reach a server that is read-only: a standby, or the old primary after a failover',
    codes: ['25006', 'ER_OPTION_PREVENTS_STATEMENT', 'ER_READ_ONLY_MODE'],
    text: /read-only transaction|--(?:super-)?read-only/i,
    clause: 'since the server is read-only',
    ruledOut: ['missing rights: that is 42501'],
    repair: {
      pg: "target_session_attrs does not exist there: connect to the writer's name, and close connections that get 25006 (client.release(error))",
      'postgres.js': "target_session_attrs: 'read-write' with several hosts",
      mysql2: 'close connections that get ER_OPTION_PREVENTS_STATEMENT (connection.destroy())',
      app: "connect to the writer's name, and replace connections that get 25006",
      pgbouncer: 'RECONNECT; a short server_lifetime and dns_max_ttl; a connect_query that fails on standbys',
      postgres: 'SELECT pg_promote() on the standby, only where no primary is left',
      mysql: 'SET GLOBAL read_only = OFF, only where no other server takes writes',
    },
    avoid: ['default_transaction_read_only = off on a standby', 'retrying on the same connection'],
  },
  {
    id: 'disk-full',
    title: 'The server has no space left on its disk',
    codes: ['53100', 'ER_DISK_FULL', 'ER_RECORD_FILE_FULL', 'ENOSPC'],
    text: /no space left on device|could not extend file|disk full|is full$/i,
    clause: 'since the disk of the server is full',
    ruledOut: ['a standby: it would say read-only'],
    repair: onlyAt({
      app: 'stop retrying writes until there is space',
      postgres:
        'free space outside PGDATA, drop the replication slot that nobody reads, repair archive_command; never delete files of pg_wal by hand',
      mysql:
        'free space outside datadir; PURGE BINARY LOGS BEFORE NOW() - INTERVAL 1 DAY once all replicas have read them',
    }),
    avoid: ['VACUUM FULL', 'deleting WAL files', 'changing the pool'],
  },
  {
    id: 'idle-transaction-killed',
    title: 'idle_in_transaction_session_timeout ends transactions that wait for something else too long',
    codes: ['25P03'],
    text: /idle-in-transaction timeout|idle_transaction_timeout/i,
    clause: 'since the server ends transactions that are idle for too long',
    ruledOut: [
      'a crash of the server: only idle transactions are ended',
      'idle_session_timeout: that is 57P05',
    ],
    repair: {
      ...END_TRANSACTION,
      postgres: 'a longer idle_in_transaction_session_timeout for that role, if the wait is honest',
    },
    avoid: ['the limit to 0 as the repair'],
  },
  {
    id: 'idle-session-timeout',
    title: 'The server ends connections that lie idle in the pool',
    codes: ['57P05'],
    text: /idle-session timeout/i,
    clause: 'since the server ends idle sessions (idle_session_timeout)',
    ruledOut: ['open transactions: that is 25P03'],
    repair: {
      ...LIVE_SHORTER_THAN_THE_CUT,
      sql: { postgres: ['ALTER ROLE {role} SET idle_session_timeout = 0'] },
      postgres: 'new connections have it; those that are open keep their limit',
      pgbouncer: 'server_idle_timeout below it',
    },
    avoid: ['retries as the repair'],
  },
  {
    id: 'pooler-client-idle-timeout',
    title: 'The pooler ends clients that are idle, and pools of applications are',
    codes: [],
    text: /client_idle_timeout/i,
    clause: 'since the pooler ends idle clients (client_idle_timeout)',
    ruledOut: ['idle_session_timeout of the server: that is 57P05'],
    repair: { ...LIVE_SHORTER_THAN_THE_CUT, pgbouncer: 'client_idle_timeout = 0; RELOAD' },
    avoid: ['max_client_conn'],
  },
  {
    id: 'standby-conflict',
    title: 'A standby cancels queries that conflict with what it replays',
    codes: [],
    text: /conflict with recovery/i,
    clause: 'since the standby cancels what conflicts with recovery',
    repair: onlyAt({
      postgres: 'max_standby_streaming_delay up, or hot_standby_feedback = on; long reports elsewhere',
      app: 'retry reads',
    }),
    avoid: ['a bigger pool'],
  },
  {
    id: 'deadlock-storm',
    title: 'Transactions take the same rows in different order',
    codes: ['40P01', 'ER_LOCK_DEADLOCK', 'P2034'],
    text: /deadlock (?:detected|found)/i,
    clause: 'since transactions take the same rows in different order (deadlock)',
    least: 2,
    ruledOut: ['a chain of locks: it has a root, and no error'],
    repair: {
      app: 'lock in one order everywhere (SELECT ... ORDER BY id FOR UPDATE), and retry on 40P01 (MySQL: 1213)',
      prisma: 'one order of locking, and retry on P2034',
      sql: SHOW_DEADLOCKS,
    },
    avoid: ['a shorter deadlock_timeout as the repair', 'a bigger pool'],
  },
  {
    id: 'serialization-failures',
    title: 'Serializable or repeatable-read transactions fail on rows that others changed',
    codes: ['40001'],
    least: 3,
    clause: 'since concurrent transactions changed the same rows (40001)',
    repair: {
      app: 'retry the whole transaction with backoff and jitter; READ COMMITTED with explicit locks where rows are hot',
    },
    avoid: ['retrying the last statement alone', 'a bigger pool'],
  },
  {
    id: 'lock-table-full',
    title: 'Transactions take more locks at once than the server has room for',
    codes: ['ER_LOCK_TABLE_FULL'],
    text: /out of shared memory|max_locks_per_transaction|max_pred_locks_per_transaction|number of locks exceeds the lock table size/i,
    clause: 'since the table of locks of the server is full',
    ruledOut: [
      'memory of the machine: the table of locks has a size of its own',
      'a chain of locks: nobody waits',
    ],
    repair: {
      app: 'fewer tables, partitions or advisory locks in one transaction: commit in batches, and name the partitions',
      sql: { postgres: ['ALTER SYSTEM SET max_locks_per_transaction = 256'] },
      postgres:
        'that setting takes a restart: the table has max_locks_per_transaction x max_connections places',
      mysql: 'a larger innodb_buffer_pool_size, and smaller transactions',
    },
    avoid: ['more memory for the machine', 'a bigger pool'],
  },
  {
    id: 'too-many-prepared-statements',
    title: 'The server keeps as many prepared statements as it may',
    codes: ['ER_MAX_PREPARED_STMT_COUNT_REACHED'],
    text: /max_prepared_stmt_count/i,
    clause: 'since the server keeps as many prepared statements as it may',
    repair: {
      mysql2: 'maxPreparedStatements smaller, or query() for statements whose text varies',
      app: 'parameters instead of texts that vary',
      mysql: 'as a stop-gap: SET GLOBAL max_prepared_stmt_count = 65536',
    },
    avoid: ['a bigger pool'],
  },
  {
    id: 'mysql-idle-cut',
    title: 'The server, or a proxy, ended idle connections that the pool still counts',
    codes: ['PROTOCOL_CONNECTION_LOST', 'ER_CLIENT_INTERACTION_TIMEOUT', '4031'],
    text: /connection is in closed state|disconnected by the server because of inactivity|connection lost: the server closed/i,
    clause: 'on connections that were cut while they were idle',
    least: 1,
    ruledOut: ['too many connections: that is 1040'],
    repair: { ...LIVE_SHORTER_THAN_THE_CUT },
    avoid: ['a larger connectionLimit'],
  },
  {
    id: 'server-restarted',
    title: 'The server was shut down, restarted or failed over, and ended all connections',
    codes: ['57P01', '57P02', 'ER_SERVER_SHUTDOWN', 'ER_CONNECTION_KILLED'],
    text: /terminating connection due to administrator command|terminating connection because of crash/i,
    clause: 'since the server, or somebody on it, ended the connections',
    ruledOut: ['idle cuts: those have codes of their own'],
    repair: onlyAt({
      app: "replace broken connections: pool.on('error', ...), pre-ping; retry idempotent work with backoff and jitter",
      pgbouncer: 'PAUSE before a planned restart and RESUME after it',
    }),
    avoid: ['pool sizes'],
    agrees: isBackUp,
  },
  {
    id: 'server-connection-lost',
    title: 'The pooler lost its server connection under a client',
    codes: [],
    text: /server conn crashed|server closed the connection unexpectedly|connection to server was lost/i,
    clause: 'since the pooler lost its server connection',
    repair: onlyAt({
      app: 'retry idempotent work',
      pgbouncer: 'its log names the reason; tcp_keepalive, server_lifetime below the cut of the path',
    }),
    avoid: ['pool sizes'],
  },
];

function causeOf({
  id,
  title,
  codes,
  text,
  least = 1,
  clause,
  ruledOut,
  missing,
  repair,
  avoid,
  agrees,
}: Sort): Cause {
  return {
    id,
    title,
    repair,
    avoid,
    find(look) {
      return look.facts.pools.flatMap((fact): Found[] => {
        if (look.isExplained(`errors ${fact.key}`)) return [];
        const errors = errorsOf(fact, codes, text ?? null, look);
        if (errors === null || errors.count < least || agrees?.(look, fact) === false) return [];
        const all = fact.pool.observed?.queries ?? null;
        const of = all === null || all < errors.count ? '' : ` of ${all}`;
        return [
          {
            severity: 'bad',
            subject: poolSubject(fact),
            explains: [
              `errors ${fact.key}`,
              // pg.Pool closes the connection of a statement that failed.
              `churn ${fact.key}`,
              ...(id === 'deadlock-storm'
                ? look.facts.servers.map(({ source }) => `deadlocks ${source}`)
                : []),
            ],
            weight: errors.count,
            words: `${printable(fact.pool.name)}: ${errors.count}${of} statements failed (${printable(errors.code)} ${quote(errors.message, 70)})${errors.at}, ${clause}`,
            evidence: [
              ...errors.lines,
              ...(isPooled(look)
                ? look.facts.poolers.map(
                    ({ pooler }) =>
                      `PgBouncer ${printable(pooler.version)}: pool_mode ${pooler.config.pool_mode ?? '?'}, max_prepared_statements ${pooler.config.max_prepared_statements ?? 'not known to this version'}`,
                  )
                : []),
            ],
            ruledOut: ruledOut ?? [],
            confidence: missing === undefined || look.facts.servers.length > 0 ? 'certain' : 'likely',
            missing: look.facts.servers.length > 0 ? null : (missing ?? null),
          },
        ];
      });
    },
  };
}

export const STATEMENT_ERRORS: readonly Cause[] = SORTS.map(causeOf);

/** Errors of victims: they are named where nothing else explains them. */
const LATE: readonly Sort[] = [
  {
    id: 'lock-chain-row',
    title: 'Statements give up waiting for a lock',
    codes: ['55P03', 'ER_LOCK_WAIT_TIMEOUT', 'ER_LOCK_NOWAIT'],
    text: /lock timeout|lock wait timeout exceeded/i,
    clause: 'since they waited too long for a lock',
    missing: 'who holds the lock: add the address of the server while it happens',
    repair: { app: 'shorten the transactions that hold it; update hot rows last; SKIP LOCKED for queues' },
    avoid: ['a bigger pool', 'a longer lock_timeout as the repair'],
  },
  {
    id: 'slow-query',
    title: 'Statements run into their timeout',
    codes: ['57014', 'ER_QUERY_TIMEOUT', 'ER_STATEMENT_TIMEOUT', '1969', 'PROTOCOL_SEQUENCE_TIMEOUT'],
    text: /due to statement timeout|query read timeout|max_statement_time|maximum statement execution time/i,
    clause: 'since they ran into their timeout',
    missing: 'what they waited for: add the address of the server while it happens',
    repair: { app: 'EXPLAIN (ANALYZE, BUFFERS) of the statement' },
    avoid: ['raising all timeouts'],
  },
  {
    id: 'pooler-queue-timeout',
    title: 'Clients wait in the pooler until it gives them up',
    codes: [],
    text: /query_wait_timeout/i,
    clause: 'since they waited in the queue of the pooler until query_wait_timeout',
    missing: 'what its servers do meanwhile: add its pgbouncer:// address, and that of the server',
    repair: { app: 'an acquire timeout below query_wait_timeout' },
    avoid: ['a longer query_wait_timeout'],
  },
];

export const LATE_ERRORS: readonly Cause[] = LATE.map(causeOf).map((cause) => ({
  ...cause,
  find: (look) => cause.find(look).filter(({ subject }) => !look.isExplained(subject.key)),
}));

/** Whether an error is that of a victim, which has a cause of its own. */
export function isLateError(code: string, message: string | null): boolean {
  return LATE.some((sort) => sort.codes.includes(code) || sort.text?.test(message ?? '') === true);
}

/** By the server's own word, without an application that is watched. */
export const readOnlyServer: Cause = {
  id: 'disk-full',
  title: 'The provider has made the server read-only, as it does where the disk is full',
  repair: onlyAt({
    postgres: 'look at the storage of the server; default_transaction_read_only = off once there is space',
  }),
  avoid: ['changing the pool', 'VACUUM FULL'],
  find(look) {
    return look.facts.servers
      .filter(
        ({ server, source }) =>
          server.readOnly === true && server.inRecovery === false && !look.isExplained(source),
      )
      .map(
        ({ source }): Found => ({
          severity: 'bad',
          subject: serverSubject(source),
          explains: [source],
          words: `${printable(source)}: default_transaction_read_only is on, and it is no standby: every write fails, as where a provider found the disk full`,
          evidence: ['default_transaction_read_only = on', 'pg_is_in_recovery() = false'],
          ruledOut: ['a standby: it is not in recovery'],
          confidence: 'likely',
          missing: 'how much space is left on its disk',
        }),
      );
  },
};

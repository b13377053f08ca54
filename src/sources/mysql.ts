import { ValueError } from '../base/units.js';
import { cutUrl } from '../db/cut-url.js';
import { mysqlDriver } from '../db/drivers/mysql.js';
import { DatabaseError, isConnectionLost } from '../db/errors.js';
import { locateMysql, mysqlServerUrl } from '../db/mysql-place.js';
import { addressError } from './errors.js';
import { metadataBlockers, userLockOf, waitsForMetadata } from './mysql-locks.js';
import { type BlockerRow, type MysqlSettingsRow, type ThreadRow, toReading } from './mysql-rows.js';
import { type Ask, ServerConnection } from './server-connection.js';
import type { SourceOptions, StatsSource } from './types.js';

/** `mysql://user@host:3306/`: the connections of MySQL or MariaDB, what they do, and who blocks whom. */
export function openMysqlSource(address: string, { env, clock }: SourceOptions): StatsSource {
  const server = mysqlServerAt(address, env);
  return {
    label: server.label,
    kind: 'mysql',
    read: (signal) =>
      server.use(async (ask) => toReading(await readServer(ask), server.label, clock.wallTime()), signal),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Reads who is connected, and who waits for whom. */
async function readServer(ask: Ask) {
  const [settings] = await ask<MysqlSettingsRow>(SETTINGS);
  if (settings === undefined) throw new Error('the server gave no settings');
  const rows = await ask<{ Variable_name: string; Value: string }>(STATUS);
  const status = Object.fromEntries(
    rows.flatMap(({ Variable_name: name, Value: value }) => {
      const figure = Number(value);
      return Number.isFinite(figure) ? [[name.toLowerCase(), figure] as const] : [];
    }),
  );
  const isMariaDb = /mariadb/i.test(settings.version);
  const used = status.threads_connected ?? null;
  try {
    const threads = await ask<ThreadRow>(threadsWith(isMariaDb, true));
    const blockers = await blockersOf(threads, isMariaDb, ask);
    return { settings: { ...settings, used, status }, threads, blockers, seesAll: true };
  } catch (error) {
    // The account sees the connections of its own user, and no transactions.
    if (!(error instanceof DatabaseError) || error.code !== 'ER_SPECIFIC_ACCESS_DENIED_ERROR') throw error;
    const threads = await ask<ThreadRow>(threadsWith(isMariaDb, false));
    return { settings: { ...settings, used, status }, threads, blockers: [], seesAll: false };
  }
}

/** Pairs of waiting and blocking sessions, by kind of lock. Each kind is queried only if a session waits for it. */
async function blockersOf(
  threads: readonly ThreadRow[],
  isMariaDb: boolean,
  ask: Ask,
): Promise<readonly BlockerRow[]> {
  const rows = threads.some(({ trx_state: trx }) => trx === 'LOCK WAIT')
    ? await ask<BlockerRow>(isMariaDb ? BLOCKERS_MARIADB : BLOCKERS_MYSQL)
    : [];
  const tables = threads.some(waitsForMetadata) ? await metadataBlockersOf(threads, ask) : [];
  const names = new Set(threads.flatMap((thread) => userLockOf(thread) ?? []));
  const locks = new Map<string, number>();
  for (const name of names) {
    const [row] = await ask<{ holder: number | null }>(
      `SELECT IS_USED_LOCK('${name.replace(/['\\]/g, '$&$&')}') AS holder`,
    );
    if (row?.holder != null) locks.set(name, Number(row.holder));
  }
  const users = threads.flatMap((thread): BlockerRow[] => {
    const blocker = locks.get(userLockOf(thread) ?? '');
    return blocker === undefined ? [] : [{ waiter: thread.id, blocker }];
  });
  return [...rows, ...tables, ...users];
}

/** From the server's own list of metadata locks; where it keeps none, from what the threads do. */
async function metadataBlockersOf(threads: readonly ThreadRow[], ask: Ask): Promise<readonly BlockerRow[]> {
  try {
    const rows = await ask<BlockerRow>(METADATA_BLOCKERS);
    const waiting = new Set(threads.filter(waitsForMetadata).map(({ id }) => id));
    // A session behind a schema change waits for the change, not for the sessions that the change waits for.
    if (rows.length > 0)
      return [...rows].sort(
        (one, other) => Number(waiting.has(other.blocker)) - Number(waiting.has(one.blocker)),
      );
  } catch (error) {
    if (!(error instanceof DatabaseError) || isConnectionLost(error)) throw error;
  }
  return metadataBlockers(threads);
}

const SETTINGS = `
SELECT VERSION() AS version, CURRENT_USER() AS role, @@max_connections AS max_connections,
  @@global.read_only AS read_only`;

const STATUS = `
SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Threads_running', 'Connections', 'Aborted_connects',
  'Innodb_deadlocks', 'Connection_errors_max_connections', 'Max_used_connections', 'Innodb_row_lock_current_waits')`;

/** Without the server's own threads: those of replication and of the scheduler of events. */
function threadsWith(isMariaDb: boolean, seesAll: boolean): string {
  return `
SELECT p.id AS id, p.db AS database_name, p.user AS user_name, p.host AS host, p.command AS command,
  ${isMariaDb ? 'p.time_ms' : 'p.time * 1000'} AS time_ms, p.state AS state, LEFT(p.info, 4000) AS query,
  p.id = CONNECTION_ID() AS is_own,
  ${seesAll ? 't.trx_state' : 'NULL'} AS trx_state,
  ${seesAll ? 'TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) * 1000' : 'NULL'} AS transaction_ms
FROM information_schema.processlist AS p
${seesAll ? 'LEFT JOIN information_schema.innodb_trx AS t ON t.trx_mysql_thread_id = p.id' : ''}
WHERE p.command NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID', 'Connect')
  AND p.user NOT IN ('system user', 'event_scheduler')
ORDER BY p.id`;
}

const BLOCKERS_MARIADB = `
SELECT r.trx_mysql_thread_id AS waiter, b.trx_mysql_thread_id AS blocker
FROM information_schema.innodb_lock_waits AS w
JOIN information_schema.innodb_trx AS r ON r.trx_id = w.requesting_trx_id
JOIN information_schema.innodb_trx AS b ON b.trx_id = w.blocking_trx_id`;

const BLOCKERS_MYSQL = `
SELECT r.trx_mysql_thread_id AS waiter, b.trx_mysql_thread_id AS blocker
FROM performance_schema.data_lock_waits AS w
JOIN information_schema.innodb_trx AS r ON r.trx_id = w.requesting_engine_transaction_id
JOIN information_schema.innodb_trx AS b ON b.trx_id = w.blocking_engine_transaction_id`;

/** As in MySQL's sys.schema_table_lock_waits. Empty where the Performance Schema is off. */
const METADATA_BLOCKERS = `
SELECT DISTINCT wt.PROCESSLIST_ID AS waiter, ht.PROCESSLIST_ID AS blocker
FROM performance_schema.metadata_locks AS w
JOIN performance_schema.metadata_locks AS h ON h.OBJECT_TYPE = w.OBJECT_TYPE
  AND h.OBJECT_SCHEMA = w.OBJECT_SCHEMA AND h.OBJECT_NAME = w.OBJECT_NAME
  AND h.LOCK_STATUS = 'GRANTED' AND h.OWNER_THREAD_ID <> w.OWNER_THREAD_ID
JOIN performance_schema.threads AS wt ON wt.THREAD_ID = w.OWNER_THREAD_ID
JOIN performance_schema.threads AS ht ON ht.THREAD_ID = h.OWNER_THREAD_ID
WHERE w.LOCK_STATUS = 'PENDING' AND ht.PROCESSLIST_ID IS NOT NULL`;

/**
 * The server that a `mysql://` URL means, filled up from the environment. Throws a SourceError that names all that is
 * wrong with it.
 */
export function mysqlServerAt(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
): ServerConnection {
  const problems: string[] = [];
  const parts = cutUrl(url);
  if (parts !== null) mysqlDriver.configure(parts, {}, problems);
  const refuse = (what: string) => addressError(url, what, 'write mysql://user@host:3306/');
  if (parts === null || problems.length > 0) throw refuse(problems.join('; '));
  try {
    const { url: complete, password } = locateMysql(url, env);
    const located = cutUrl(mysqlServerUrl(complete));
    if (located === null) throw new ValueError('it is no URL');
    return new ServerConnection(
      mysqlDriver.configure(located, password === null ? {} : { password }, problems),
    );
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw refuse(`${error.message} (with what the environment adds)`);
  }
}

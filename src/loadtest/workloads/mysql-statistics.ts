import type { Session } from '../../db/database.js';
import type { QuestionTally } from '../../db/drivers/mysql-connection.js';
import { DatabaseError } from '../../db/errors.js';
import type { ConnectionLimits } from '../result.js';
import type { BackendRow } from '../server-figures.js';

interface Pair {
  readonly Variable_name: string;
  readonly Value: string;
}

/** Reads what SHOW answers, as numbers by name. What is no number is left out. */
async function numbersOf(
  session: Session,
  show: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await session.query<Pair>(show, [], { signal });
  return new Map(
    rows.flatMap(({ Variable_name: name, Value: value }) =>
      /^\d+(?:\.\d+)?$/.test(value) ? [[name.toLowerCase(), Number(value)] as const] : [],
    ),
  );
}

export async function readLimits(session: Session, signal: AbortSignal): Promise<ConnectionLimits | null> {
  const variables = await numbersOf(
    session,
    "SHOW VARIABLES WHERE Variable_name IN ('max_connections', 'max_user_connections')",
    signal,
  );
  const status = await numbersOf(session, "SHOW GLOBAL STATUS LIKE 'Threads_connected'", signal);
  const { rows } = await session.query<{ n: number }>(
    "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(USER(), '@', 1)",
    [],
    { signal },
  );
  const most = variables.get('max_connections');
  const used = status.get('threads_connected');
  if (most === undefined || used === undefined) return null;
  // 0 is no limit.
  const ofUser = variables.get('max_user_connections') || Number.POSITIVE_INFINITY;
  const left = { server: most - used, role: ofUser - (rows[0]?.n ?? 0) };
  const least = Math.min(left.server, left.role);
  const narrowest = left.role < left.server ? 'role' : 'server';
  return { most, reserved: 0, used, left: Math.max(0, least), narrowest };
}

/** The counters of the server at one moment. */
export interface Counters {
  readonly uptimeS: number;
  readonly values: ReadonlyMap<string, number>;
  /** The observer's own statements that are in it. */
  readonly own: number;
}

const COUNTED = [
  ...['Questions', 'Com_select', 'Connections', 'Aborted_clients', 'Uptime', 'Uptime_since_flush_status'],
  ...['Innodb_row_lock_waits', 'Innodb_row_lock_time', 'Created_tmp_disk_tables'],
];
const COUNTERS = `SHOW GLOBAL STATUS WHERE Variable_name IN (${COUNTED.map((name) => `'${name}'`).join(', ')})`;

/** The server adds the counts of all connections up when asked. */
export async function readCounters(
  session: Session,
  tally: QuestionTally,
  signal: AbortSignal,
): Promise<Counters> {
  const values = await numbersOf(session, COUNTERS, signal);
  return { uptimeS: values.get('uptime') ?? 0, values, own: tally.questions };
}

/** Resolves when the server has forgotten these connections. */
export async function untilGone(
  session: Session,
  ids: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  if (ids.length === 0) return;
  const sql = `SELECT SLEEP(0.005) FROM information_schema.processlist WHERE id IN (${ids.join(', ')}) LIMIT 1`;
  while ((await session.query(sql, [], { signal })).rowCount > 0);
}

interface ThreadRow {
  readonly id: number;
  readonly command: string;
  readonly state: string | null;
  readonly trx: string | null;
}

/** The activity of the connections of the load: those with these numbers, or, where a proxy hides them, those of the user. */
export async function readThreads(
  session: Session,
  ids: readonly number[] | null,
  signal: AbortSignal,
): Promise<readonly BackendRow[]> {
  if (ids !== null && ids.length === 0) return [];
  const which =
    ids === null
      ? "p.user = SUBSTRING_INDEX(USER(), '@', 1) AND p.id <> CONNECTION_ID()"
      : `p.id IN (${ids.join(', ')})`;
  const rows = await threads(session, which, signal);
  const counts = new Map<string, BackendRow & { count: number }>();
  for (const row of rows) {
    const { state, event } = stateOf(row);
    const key = `${state}\n${event}`;
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { state, event, count: 1 });
    else known.count++;
  }
  return [...counts.values()];
}

/** Transactions need the right PROCESS, the list of one's own connections does not. */
async function threads(session: Session, which: string, signal: AbortSignal): Promise<readonly ThreadRow[]> {
  const columns = 'p.id AS id, p.command AS command, p.state AS state';
  try {
    const { rows } = await session.query<ThreadRow>(
      `SELECT ${columns}, t.trx_state AS trx FROM information_schema.processlist AS p
       LEFT JOIN information_schema.innodb_trx AS t ON t.trx_mysql_thread_id = p.id WHERE ${which}`,
      [],
      { signal },
    );
    return rows;
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== 'ER_SPECIFIC_ACCESS_DENIED_ERROR') throw error;
    const sql = `SELECT ${columns}, NULL AS trx FROM information_schema.processlist AS p WHERE ${which}`;
    return (await session.query<ThreadRow>(sql, [], { signal })).rows;
  }
}

function stateOf({ command, state, trx }: ThreadRow): { state: string; event: string } {
  if (command === 'Sleep') return { state: trx === null ? 'idle' : 'idle in transaction', event: '' };
  if (trx === 'LOCK WAIT') return { state: 'active', event: 'Lock:row' };
  const [, lock] = /^Waiting for (.*\block)\b/i.exec(state ?? '') ?? [];
  if (lock !== undefined) return { state: 'active', event: `Lock:${lock}` };
  if (/^User (?:lock|sleep)$/i.test(state ?? '')) return { state: 'active', event: state ?? '' };
  return { state: 'active', event: '' };
}

import type { Session } from '../../db/database.js';
import type { Tally } from '../../db/drivers/pg-connection.js';
import type { ConnectionLimits } from '../result.js';
import type { BackendRow } from '../server-figures.js';

/** Facts of a server about itself before the load. */
export interface ServerState {
  readonly version: string;
  readonly limits: ConnectionLimits;
  /** Whether it keeps the statistics that the figures are made of. */
  readonly tracked: boolean;
}

export async function readLimits(session: Session, signal: AbortSignal): Promise<ServerState | null> {
  const { rows } = await session.query<LimitsRow>(LIMITS, [], { signal });
  const [row] = rows;
  if (row === undefined) return null;
  const reserved = row.is_superuser ? 0 : row.superuser_reserved + (row.may_use_reserved ? 0 : row.reserved);
  // -1 is no limit.
  const leftOf = (limit: number, used: number) => (limit < 0 ? Number.POSITIVE_INFINITY : limit - used);
  const left = {
    server: row.most - reserved - row.used,
    role: row.is_superuser ? Number.POSITIVE_INFINITY : leftOf(row.role_limit, row.used_by_role),
    database: row.is_superuser ? Number.POSITIVE_INFINITY : leftOf(row.database_limit, row.used_in_database),
  };
  const least = Math.min(left.server, left.role, left.database);
  const narrowest = (['server', 'role', 'database'] as const).find((one) => left[one] === least) ?? 'server';
  return {
    version: row.version,
    limits: { most: row.most, reserved, used: row.used, left: Math.max(0, least), narrowest },
    tracked: row.tracked,
  };
}

interface LimitsRow {
  readonly version: string;
  readonly tracked: boolean;
  readonly most: number;
  readonly superuser_reserved: number;
  readonly reserved: number;
  readonly is_superuser: boolean;
  readonly may_use_reserved: boolean | null;
  readonly role_limit: number;
  readonly database_limit: number;
  readonly used: number;
  readonly used_by_role: number;
  readonly used_in_database: number;
}

/** Users without the rights of pg_monitor see the processes of others, but not what kind they are. */
const LIMITS = `
SELECT current_setting('server_version') AS version,
  current_setting('track_activities')::bool AND current_setting('track_counts')::bool AS tracked,
  current_setting('max_connections')::int AS most,
  current_setting('superuser_reserved_connections')::int AS superuser_reserved,
  coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
  role.rolsuper AS is_superuser, role.rolconnlimit AS role_limit, base.datconnlimit AS database_limit,
  (SELECT bool_or(pg_has_role(session_user, oid, 'MEMBER')) FROM pg_roles
    WHERE rolname = 'pg_use_reserved_connections') AS may_use_reserved,
  backends.*
FROM pg_roles AS role, pg_database AS base, (
  SELECT count(*)::int AS used,
    (count(*) FILTER (WHERE usename = session_user))::int AS used_by_role,
    (count(*) FILTER (WHERE datname = current_database()))::int AS used_in_database
  FROM pg_stat_activity
  WHERE datname IS NOT NULL AND usename IS NOT NULL AND leader_pid IS NULL
    AND coalesce(backend_type, 'client backend') = 'client backend'
) AS backends
WHERE role.rolname = session_user AND base.datname = current_database()`;

/** The backends of the load: by their numbers, or, where a pooler hides these, those of the same user. */
export async function readBackends(
  session: Session,
  pids: readonly number[] | null,
  signal: AbortSignal,
): Promise<readonly BackendRow[]> {
  const [sql, values] = pids === null ? [BACKENDS_OF_USER, []] : [BACKENDS, [pids]];
  const { rows } = await session.query<BackendRow>(sql, values, { signal });
  return rows;
}

const backendsWhere = (condition: string): string => `
SELECT coalesce(state, 'unknown') AS state, count(*)::int AS count,
  CASE WHEN state = 'active' THEN coalesce(wait_event_type || ':' || wait_event, '') ELSE '' END AS event
FROM pg_stat_activity WHERE ${condition} GROUP BY 1, 3`;

const BACKENDS = backendsWhere('pid = ANY($1::int[])');
const BACKENDS_OF_USER = backendsWhere(
  `datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
);

/** The counters of the database at one moment. */
export interface Counters {
  readonly committed: number;
  readonly rolledBack: number;
  readonly activeMs: number | null;
  /** The observer's own transactions that are in it. */
  readonly own: number;
  readonly startedAt: string;
  readonly resetAt: string | null;
}

/**
 * A backend publishes its counters when a transaction ends, at most once per second. The observer's own counters are
 * flushed first, so its share of the counters is known.
 */
export async function readCounters(
  session: Session,
  tally: Tally,
  signal: AbortSignal,
): Promise<Counters | null> {
  const { rows: flushed } = await session.query<{ can_flush: boolean }>(
    "SELECT current_setting('server_version_num')::int >= 150000 AS can_flush",
    [],
    { signal },
  );
  if (flushed[0]?.can_flush === true) await session.query(FLUSH, [], { signal });
  const own = tally.transactions;
  const { rows } = await session.query<CountersRow>(COUNTERS, [], { signal });
  const [row] = rows;
  if (row === undefined) return null;
  return {
    committed: Number(row.committed),
    rolledBack: Number(row.rolled_back),
    activeMs: row.active_ms === null ? null : Number(row.active_ms),
    own,
    startedAt: row.started_at,
    resetAt: row.reset_at,
  };
}

/** From a table: a backend that has touched none since its last report has nothing to tell, not even transactions. */
const FLUSH = 'SELECT pg_stat_force_next_flush() FROM pg_database LIMIT 1';

interface CountersRow {
  readonly committed: number | bigint;
  readonly rolled_back: number | bigint;
  readonly active_ms: string | null;
  readonly started_at: string;
  readonly reset_at: string | null;
}

/** By way of JSON, since not every version has every column. */
const COUNTERS = `
SELECT xact_commit AS committed, xact_rollback AS rolled_back, to_jsonb(d) ->> 'active_time' AS active_ms,
  pg_postmaster_start_time()::text AS started_at, stats_reset::text AS reset_at
FROM pg_stat_database AS d WHERE datname = current_database()`;

/** Resolves when none of these processes is there any more: then they have told all they had counted. */
export async function untilGone(
  session: Session,
  pids: readonly number[] | null,
  signal: AbortSignal,
): Promise<void> {
  if (pids === null || pids.length === 0) return;
  const sql = 'SELECT pg_sleep(0.005) FROM pg_stat_activity WHERE pid = ANY($1::int[]) LIMIT 1';
  while ((await session.query(sql, [pids], { signal })).rows.length > 0);
}

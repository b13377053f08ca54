import { asError } from '../base/promises.js';
import { DatabaseError, isConnectionLost } from '../db/errors.js';
import type { Reading } from '../snapshot/reading.js';
import { SourceError } from './errors.js';
import { LocalProcesses } from './local-processes.js';
import {
  type BackendRow,
  type DatabaseRow,
  type FactsRow,
  type LockRow,
  type SettingsRow,
  toReading,
} from './postgres-rows.js';
import { type Ask, serverAt } from './server-connection.js';
import type { SourceOptions, StatsSource } from './types.js';

/** `postgres://user@host:5432/database`: the backends of all of the server's databases, and who blocks whom. */
export function openPostgresSource(address: string, { env, clock }: SourceOptions): StatsSource {
  const server = serverAt(address, env);
  const local = isLocal(server.label) ? new LocalProcesses(clock) : null;
  return {
    label: server.label,
    kind: 'postgres',
    read: (signal) =>
      server.use(async (ask) => {
        const settings = await readSettings(ask);
        const backends = await ask<BackendRow>(settings.sees_all ? BACKENDS : BACKENDS_WITHOUT_RIGHTS);
        const databases = await ask<DatabaseRow>(DATABASES);
        const facts = await readFacts(ask);
        const locks = backends.some(({ blocked_by: by }) => by !== null) ? await ask<LockRow>(LOCKS) : [];
        const rows = { settings, backends, databases, facts, locks };
        const reading = toReading(rows, server.label, clock.wallTime());
        return local === null ? reading : withUse(reading, local);
      }, signal),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** A server behind a tunnel is not here, too: its processes are not found by their pids and titles. */
function isLocal(label: string): boolean {
  return /^postgres(?:ql)?:\/\/(?:[^@/]*@)?(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|\/|%2f)/i.test(label);
}

async function withUse(reading: Reading, local: LocalProcesses): Promise<Reading> {
  const active = reading.backends.filter(({ state }) => state === 'active').map(({ pid }) => pid);
  const use = await local.use(active, 'postgres: ');
  const backends = reading.backends.map((one) => {
    const own = use.get(one.pid);
    return own === undefined ? one : { ...one, use: own };
  });
  return { ...reading, backends };
}

async function readSettings(ask: Ask): Promise<SettingsRow> {
  const [row] = await ask<SettingsRow>(SETTINGS).catch((error: unknown) => {
    const cause = asError(error);
    // Anything but SHOW is an error for it, and it disconnects.
    if (!/invalid command|connection: failure \(08P01\)/.test(cause.message)) throw cause;
    throw new SourceError('ERR_SOURCE_ANSWER', "that is PgBouncer's admin console, and no PostgreSQL", {
      cause,
      hint: 'write pgbouncer:// instead of postgres://',
    });
  });
  if (row === undefined) throw new SourceError('ERR_SOURCE_ANSWER', 'the server gave no settings');
  return row;
}

/** An answer that it cannot give is unknown, and hides nothing else. */
async function readFacts(ask: Ask): Promise<FactsRow | null> {
  try {
    const [row] = await ask<FactsRow>(FACTS);
    return row ?? null;
  } catch (error) {
    if (isConnectionLost(error) || !(error instanceof DatabaseError)) throw error;
    return null;
  }
}

const SETTINGS = `
SELECT current_setting('server_version') AS version, current_user::text AS role,
  current_setting('track_activities')::bool AS tracks_activities,
  current_setting('track_counts')::bool AS tracks_counts,
  current_setting('max_connections')::int AS max_connections,
  current_setting('superuser_reserved_connections')::int AS superuser_reserved,
  coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
  pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all`;

/**
 * Users without the rights of pg_monitor see the processes of others, but not what kind they are. pg_blocking_pids
 * stops all others that want a lock for a moment: it is asked for those alone that wait for one.
 */
const backendsWith = (isLockWaiter: string): string => `
SELECT pid, datname AS database, usename AS "user", application_name AS application,
  host(client_addr) AS client_address, client_port, state, wait_event_type, wait_event,
  left(query, 4000) AS query, pid = pg_backend_pid() AS is_own,
  (extract(epoch FROM clock_timestamp() - state_change) * 1000)::float8 AS state_ms,
  (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::float8 AS transaction_ms,
  (extract(epoch FROM clock_timestamp() - query_start) * 1000)::float8 AS query_ms,
  (extract(epoch FROM clock_timestamp() - backend_start) * 1000)::float8 AS connected_ms,
  CASE WHEN ${isLockWaiter} THEN pg_blocking_pids(pid) END AS blocked_by
FROM pg_stat_activity
WHERE datid IS NOT NULL AND usesysid IS NOT NULL
  AND coalesce(backend_type, 'client backend') = 'client backend'
ORDER BY backend_start, pid`;

const BACKENDS = backendsWith("wait_event_type = 'Lock'");
/** Their wait events are hidden, but the list of locks is not. */
const BACKENDS_WITHOUT_RIGHTS = backendsWith('pid IN (SELECT pid FROM pg_locks WHERE NOT granted)');

/** By way of JSON, since not every version has every column. */
const DATABASES = `
SELECT datname AS name, xact_commit + xact_rollback AS transactions, to_jsonb(d) AS columns
FROM pg_stat_database AS d WHERE datname IS NOT NULL ORDER BY datname`;

/** One row for all that decides about backends: one round trip. Every part of it is small. */
const FACTS = `
SELECT pg_is_in_recovery() AS in_recovery,
  current_setting('default_transaction_read_only')::bool AS read_only,
  (extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()) * 1000)::float8 AS uptime_ms,
  (SELECT json_object_agg(name, setting || coalesce(unit, '')) FROM pg_settings WHERE name IN (
    'deadlock_timeout', 'lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout',
    'idle_session_timeout', 'synchronous_standby_names', 'synchronous_commit', 'max_prepared_transactions',
    'tcp_keepalives_idle', 'client_connection_check_interval')) AS settings,
  (SELECT json_agg(json_build_object('pid', pid, 'type', backend_type, 'waitType', wait_event_type,
      'waitEvent', wait_event, 'query', left(query, 1000),
      'transactionMs', (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::float8))
    FROM pg_stat_activity WHERE backend_type IN ('autovacuum worker', 'walsender', 'parallel worker',
      'logical replication worker', 'logical replication launcher', 'background worker')) AS processes,
  (SELECT json_agg(json_build_object('gid', gid, 'owner', owner, 'database', database,
      'ageMs', (extract(epoch FROM clock_timestamp() - prepared) * 1000)::float8))
    FROM (SELECT * FROM pg_prepared_xacts ORDER BY prepared LIMIT 20) AS p) AS prepared,
  (SELECT json_agg(l) FROM (
    SELECT 'role' AS of, rolname AS name, rolconnlimit AS limit,
      (SELECT count(*)::int FROM pg_stat_activity AS a WHERE a.usename = r.rolname) AS used
    FROM pg_roles AS r WHERE rolconnlimit > 0 AND NOT rolsuper
    UNION ALL
    SELECT 'database', datname, datconnlimit,
      (SELECT count(*)::int FROM pg_stat_activity AS a WHERE a.datname = d.datname)
    FROM pg_database AS d WHERE datconnlimit > 0) AS l) AS limits,
  (SELECT json_agg(json_build_object('name', application_name, 'syncState', sync_state, 'state', state,
      'replayLagMs', (extract(epoch FROM replay_lag) * 1000)::float8)) FROM pg_stat_replication) AS standbys,
  (SELECT json_agg(json_build_object('name', slot_name, 'active', active, 'retainedBytes',
      CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 END))
    FROM pg_replication_slots) AS slots`;

/**
 * The locks that are waited for, and the holders of advisory locks. Relations of other databases have no name here.
 */
const LOCKS = `
SELECT DISTINCT l.pid, l.mode, NOT l.granted AS is_waiting,
  CASE WHEN l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND NOT l.granted
    THEN l.relation::regclass::text END AS relation
FROM pg_locks AS l WHERE l.pid IS NOT NULL AND (NOT l.granted OR l.locktype = 'advisory')`;

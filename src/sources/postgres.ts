import { asError } from '../base/promises.js';
import { SourceError } from './errors.js';
import { type BackendRow, type DatabaseRow, type SettingsRow, toReading } from './postgres-rows.js';
import { type Ask, serverAt } from './server-connection.js';
import type { SourceOptions, StatsSource } from './types.js';

/** `postgres://user@host:5432/database`: the backends of all of the server's databases, and who blocks whom. */
export function openPostgresSource(address: string, { env, clock }: SourceOptions): StatsSource {
  const server = serverAt(address, env);
  return {
    label: server.label,
    kind: 'postgres',
    read: (signal) =>
      server.use(async (ask) => {
        const settings = await readSettings(ask);
        const backends = await ask<BackendRow>(settings.sees_all ? BACKENDS : BACKENDS_WITHOUT_RIGHTS);
        const databases = await ask<DatabaseRow>(DATABASES);
        return toReading({ settings, backends, databases }, server.label, clock.wallTime());
      }, signal),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

async function readSettings(ask: Ask): Promise<SettingsRow> {
  const [row] = await ask<SettingsRow>(SETTINGS).catch((error: unknown) => {
    const cause = asError(error);
    // What is no SHOW it calls a failure, and hangs up.
    if (!/invalid command|connection: failure \(08P01\)/.test(cause.message)) throw cause;
    throw new SourceError('ERR_SOURCE_ANSWER', "that is PgBouncer's admin console, and no PostgreSQL", {
      cause,
      hint: 'write pgbouncer:// instead of postgres://',
    });
  });
  if (row === undefined) throw new SourceError('ERR_SOURCE_ANSWER', 'the server gave no settings');
  return row;
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
/** What they wait for is hidden, but the list of locks is not. */
const BACKENDS_WITHOUT_RIGHTS = backendsWith('pid IN (SELECT pid FROM pg_locks WHERE NOT granted)');

/** By way of JSON, since not every version has every column. */
const DATABASES = `
SELECT datname AS name, xact_commit + xact_rollback AS transactions, to_jsonb(d) AS columns
FROM pg_stat_database AS d WHERE datname IS NOT NULL ORDER BY datname`;

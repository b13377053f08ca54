import { asError } from '../base/promises.js';
import { isConnectionLost } from '../db/errors.js';
import { locatePostgres } from '../db/postgres-place.js';
import { openPostgresSource } from '../sources/postgres.js';
import { type Ask, serverAt } from '../sources/server-connection.js';
import type { SourceOptions } from '../sources/types.js';
import type { DatabaseCounters, Part, PostgresOverride, PostgresTarget } from './types.js';
import { Unknowable } from './unknowable.js';

/** Reads all that the checks ask of a PostgreSQL server, with two connections that are closed again. */
export async function readPostgres(
  address: string,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<PostgresTarget> {
  const server = serverAt(address, options.env);
  const source = openPostgresSource(address, options);
  try {
    // It says in words of its own when that is a pooler's console.
    const reading = await source.read(signal);
    await source[Symbol.asyncDispose]();
    const facts = await server.use((ask) => readFacts(ask, signal), signal);
    const place = locatePostgres(address, options.env);
    const [, port = '5432'] = /:(\d+)\/[^/]*$/.exec(place.url.split('?')[0] ?? '') ?? [];
    return {
      ...{ kind: 'postgres', label: server.label, host: place.host, port: Number(port) },
      ...{ ...facts, reading: { value: reading } },
    };
  } finally {
    await Promise.allSettled([server.close(), source[Symbol.asyncDispose]()]);
  }
}

type Facts = Omit<PostgresTarget, 'kind' | 'label' | 'host' | 'port' | 'reading'>;

async function readFacts(ask: Ask, signal: AbortSignal): Promise<Facts> {
  /** The error of one query is the reason why that part is missing, if the server still answers others. */
  const part = async <T>(what: string, read: () => Promise<T>): Promise<Part<T>> => {
    try {
      return { value: await read() };
    } catch (error) {
      if (signal.aborted || isConnectionLost(error)) throw error;
      return new Unknowable(`${what} could not be read: ${asError(error).message}`);
    }
  };
  const [own] = await ask<OwnRow>(OWN);
  if (own === undefined) throw new Unknowable('the server says nothing of itself');
  const settings = await ask<SettingRow>(SETTINGS);
  return {
    version: own.version,
    versionNumber: own.version_number,
    database: own.database,
    role: own.role,
    isSuperuser: own.is_superuser,
    seesAll: own.sees_all,
    address: own.address,
    ownPort: own.port,
    settings: new Map(
      settings.map(({ name, setting, unit, source, context, pending_restart }) => [
        name,
        { value: setting, unit, source, context, pendingRestart: pending_restart },
      ]),
    ),
    overrides: await part('settings of roles and databases', () => ask<PostgresOverride>(OVERRIDES)),
    advisoryLockers: await part('locks', async () =>
      (await ask<{ pid: number }>(LOCKERS)).map(({ pid }) => pid),
    ),
    counters: await part('counters of databases', async () =>
      (await ask<CounterRow>(COUNTERS)).map(toCounters),
    ),
  };
}

interface OwnRow {
  readonly version: string;
  readonly version_number: number;
  readonly database: string;
  readonly role: string;
  readonly is_superuser: boolean;
  readonly sees_all: boolean;
  readonly address: string | null;
  readonly port: number | null;
}

const OWN = `
SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
  current_setting('server_version_num')::int AS version_number,
  current_database()::text AS database, current_user::text AS role,
  current_setting('is_superuser')::bool AS is_superuser,
  pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
  host(inet_server_addr()) AS address, inet_server_port() AS port`;

interface SettingRow {
  readonly name: string;
  readonly setting: string;
  readonly unit: string | null;
  readonly source: string;
  readonly context: string;
  readonly pending_restart: boolean;
}

const SETTINGS = 'SELECT name, setting, unit, source, context, pending_restart FROM pg_settings';

const OVERRIDES = `
SELECT d.datname::text AS database, r.rolname::text AS role,
  split_part(one, '=', 1) AS name, substr(one, strpos(one, '=') + 1) AS value
FROM pg_db_role_setting AS s
LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
LEFT JOIN pg_roles AS r ON r.oid = s.setrole,
LATERAL unnest(s.setconfig) AS one
ORDER BY 1, 2, 3`;

const LOCKERS = "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted ORDER BY pid";

interface CounterRow {
  readonly name: string;
  readonly counted_ms: number | null;
  readonly transactions: number | bigint;
  /** The whole row: not every version has every column. */
  readonly columns: Readonly<Record<string, unknown>>;
}

const COUNTERS = `
SELECT datname AS name, xact_commit + xact_rollback AS transactions, to_jsonb(d) AS columns,
  (extract(epoch FROM clock_timestamp() - coalesce(stats_reset, pg_postmaster_start_time())) * 1000)::float8 AS counted_ms
FROM pg_stat_database AS d WHERE datname IS NOT NULL ORDER BY datname`;

function toCounters({ name, counted_ms, transactions, columns }: CounterRow): DatabaseCounters {
  const figure = (column: string): number | null => {
    const value = columns[column];
    return typeof value === 'number' ? value : null;
  };
  return {
    ...{ name, countedMs: counted_ms, transactions: Number(transactions) },
    sessions: figure('sessions'),
    activeMs: figure('active_time'),
    idleInTransactionMs: figure('idle_in_transaction_time'),
    sessionMs: figure('session_time'),
    sessionsAbandoned: figure('sessions_abandoned'),
    sessionsFatal: figure('sessions_fatal'),
    sessionsKilled: figure('sessions_killed'),
  };
}

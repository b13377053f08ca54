import type { Clock } from '../base/clock.js';
import { asError } from '../base/promises.js';
import { isConnectionLost } from '../db/errors.js';
import type { Gap, Reading } from '../snapshot/reading.js';
import { addressError, SourceError } from './errors.js';
import { type PgBouncerRows, type Row, type StatsAt, statsAt, toReading } from './pgbouncer-rows.js';
import { type Ask, type ServerConnection, serverAt } from './server-connection.js';
import type { SourceOptions, StatsSource } from './types.js';

const PORT = 6432;

/**
 * `pgbouncer://user@host:6432/`: its admin console, for a user who is in admin_users or stats_users. It is asked
 * nothing that stops its work for long, as SHOW FDS would.
 */
export function openPgBouncerSource(address: string, { env, clock }: SourceOptions): StatsSource {
  const server = consoleAt(address, env);
  const label = server.label.replace(/^postgres:/, 'pgbouncer:').replace(/\/pgbouncer$/, '/');
  let before: StatsAt | null = null;
  return {
    label,
    kind: 'pgbouncer',
    read: (signal) =>
      server
        .use(async (ask) => {
          const { reading, stats } = await readAll(ask, label, before, { clock, signal });
          before = stats;
          return reading;
        }, signal)
        .catch((error: unknown) => {
          throw signal.aborted ? error : consoleError(asError(error));
        }),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** The admin console that an address means, for questions and commands. Nothing is opened yet. */
export function consoleAt(address: string, env: SourceOptions['env']): ServerConnection {
  return serverAt(consoleUrl(address), consoleEnv(env), address);
}

function consoleUrl(address: string): string {
  const url = address.replace(/^pgbouncer:/i, 'postgres:');
  const [place = '', query] = url.split('?', 2);
  const [, before = place, database = ''] = /^(postgres:\/\/(?:.*@)?[^/@]*)\/?([^/@]*)$/s.exec(place) ?? [];
  if (database !== '' && database !== 'pgbouncer') {
    throw addressError(
      address,
      'the console is not in a database',
      'write pgbouncer://user@host:6432/, without one',
    );
  }
  return `${before}/pgbouncer${query === undefined ? '' : `?${query}`}`;
}

/** Host, port and database of the environment are those of the server, not of the pooler before it. */
function consoleEnv(env: SourceOptions['env']): SourceOptions['env'] {
  return { ...env, PGHOST: undefined, PGPORT: String(PORT), PGDATABASE: 'pgbouncer' };
}

interface ReadContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

async function readAll(
  ask: Ask,
  label: string,
  before: StatsAt | null,
  { clock, signal }: ReadContext,
): Promise<{ readonly reading: Reading; readonly stats: StatsAt }> {
  const gaps: Gap[] = [];
  /** The error of one query is a gap, if the console still answers others. */
  const show = async (what: string): Promise<readonly Row[] | null> => {
    try {
      return await ask(`SHOW ${what}`);
    } catch (error) {
      if (signal.aborted || isConnectionLost(error)) throw error;
      if (what !== 'STATE') gaps.push({ what: `SHOW ${what}`, why: asError(error).message });
      return null;
    }
  };
  const version = versionOf(await ask('SHOW VERSION'));
  const stats = await show('STATS');
  const atMs = clock.now();
  const rows: PgBouncerRows = {
    ...{ version, stats },
    pools: await show('POOLS'),
    clients: await show('CLIENTS'),
    servers: await show('SERVERS'),
    databases: await show('DATABASES'),
    lists: await show('LISTS'),
    config: await show('CONFIG'),
    // Before, it would be an error in its log, at each reading.
    state: /^1\.(?:\d|1[0-8])(?:\.|$)/.test(version) ? null : await show('STATE'),
  };
  const now = statsAt(rows, atMs);
  return { reading: toReading(rows, label, clock.wallTime(), { before, now }, gaps), stats: now };
}

/** Without the words of the driver, which takes what it speaks to for a PostgreSQL. */
export function consoleError(cause: Error): SourceError {
  const code = 'code' in cause ? String(cause.code) : '';
  if (code === '3D000' || code === '42704') {
    return new SourceError('ERR_SOURCE_ANSWER', "that is a PostgreSQL, and no PgBouncer's admin console", {
      cause,
      hint: 'write postgres:// instead of pgbouncer://',
    });
  }
  const hint = /not allowed/.test(cause.message)
    ? 'add the user to stats_users or admin_users in pgbouncer.ini'
    : 'hint' in cause && typeof cause.hint === 'string'
      ? cause.hint
      : null;
  return new SourceError('ERR_SOURCE_UNREACHABLE', cause.message.replace('PostgreSQL at', 'PgBouncer at'), {
    cause,
    ...(hint === null ? {} : { hint }),
  });
}

/** `PgBouncer 1.18.0`, or from another version on `1.18.0` alone. */
function versionOf(rows: readonly Row[]): string {
  const [words] = rows.flatMap((row) => Object.values(row));
  return String(words ?? '').replace(/^PgBouncer(?: version)? /i, '');
}

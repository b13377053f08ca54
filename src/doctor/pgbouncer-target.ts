import { readFile } from 'node:fs/promises';
import { percentDecoded } from '../base/percent.js';
import { asError } from '../base/promises.js';
import { isConnectionLost } from '../db/errors.js';
import { locatePostgres } from '../db/postgres-place.js';
import { isBefore } from '../pgbouncer/versions.js';
import { consoleAt, consoleError } from '../sources/pgbouncer.js';
import type { Ask } from '../sources/server-connection.js';
import type { SourceOptions } from '../sources/types.js';
import { knownOrNull } from './outcome.js';
import { isLocal } from './pooler-facts.js';
import type { ConsoleRow, Part, PgBouncerTarget } from './types.js';
import { Unknowable } from './unknowable.js';

/** Reads what PgBouncer's console shows; never SHOW FDS, which stops its work for as long. */
export async function readPgBouncer(
  address: string,
  { env }: Pick<SourceOptions, 'env'>,
  signal: AbortSignal,
): Promise<PgBouncerTarget> {
  const server = consoleAt(address, env);
  const label = server.label.replace(/^postgres:/, 'pgbouncer:').replace(/\/pgbouncer$/, '/');
  const place = locatePostgres(address.replace(/^pgbouncer:/i, 'postgres:'), {
    ...env,
    PGHOST: undefined,
    PGPORT: '6432',
  });
  const [, user = '', port = '6432'] =
    /^postgres:\/\/(?:([^@]*)@)?.*?(?::(\d+))?\/[^/]*$/.exec(place.url.split('?')[0] ?? '') ?? [];
  try {
    const shown = await server.use((ask) => readShown(ask, signal), signal);
    return {
      ...{ kind: 'pgbouncer', label, host: place.host, port: Number(port), user: percentDecoded(user) },
      ...shown,
      logins: null,
      fileLimit: await fileLimitOf(place.host, knownOrNull(shown.config)?.get('pidfile') ?? ''),
    };
  } catch (error) {
    throw signal.aborted || error instanceof Unknowable ? error : consoleError(asError(error));
  } finally {
    await server.close();
  }
}

type Shown = Omit<PgBouncerTarget, 'kind' | 'label' | 'host' | 'port' | 'user' | 'fileLimit' | 'logins'>;

async function readShown(ask: Ask, signal: AbortSignal): Promise<Shown> {
  // A failure before the first answer is the target's problem. After it, the parts that were read still count.
  const version = versionOf(await ask('SHOW VERSION'));
  let gone: string | null = null;
  const show = async (what: string): Promise<Part<readonly ConsoleRow[]>> => {
    if (gone !== null) return new Unknowable(`SHOW ${what} was not answered: ${gone}`);
    try {
      return { value: await ask(`SHOW ${what}`) };
    } catch (error) {
      const { message } = asError(error);
      if (signal.aborted || isConnectionLost(error)) gone = signal.aborted ? 'no answer in time' : message;
      return new Unknowable(`SHOW ${what} was not answered: ${gone ?? message}`);
    }
  };
  const config = await show('CONFIG');
  const rest = {
    config: mapped(config, (rows) => new Map(rows.map(({ key, value }) => [String(key), textOf(value)]))),
    databases: ofUsers(await show('DATABASES'), 'name'),
    users: await show('USERS'),
    pools: ofUsers(await show('POOLS'), 'database'),
    clients: ofUsers(await show('CLIENTS'), 'database'),
    servers: await show('SERVERS'),
    lists: await show('LISTS'),
    stats: ofUsers(await show('STATS'), 'database'),
    // Before 1.19 it would only log that as an error.
    state: isBefore(version, '1.19')
      ? new Unknowable(`PgBouncer ${version} has no SHOW STATE`)
      : await show('STATE'),
  };
  return { version, ...rest, gone };
}

/** The console tells it only by SHOW FDS. */
async function fileLimitOf(host: string, pidfile: string): Promise<Part<number>> {
  const advice = 'say it by --file-limit';
  if (!isLocal(host)) return new Unknowable(`its limit of open files is not known from here: ${advice}`);
  if (pidfile === '')
    return new Unknowable(`its limit of open files is not known, as it has no pidfile: ${advice}`);
  try {
    const pid = (await readFile(pidfile, 'utf8')).trim();
    const limits = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/limits`, 'utf8') : '';
    const [, soft] = /^Max open files +(\d+|unlimited)/m.exec(limits) ?? [];
    if (soft === 'unlimited') return { value: Number.POSITIVE_INFINITY };
    if (soft !== undefined) return { value: Number(soft) };
  } catch {
    // The process belongs to another user, runs in a container, or the system has no /proc.
  }
  return new Unknowable(`its limit of open files cannot be read: ${advice}`);
}

/** The console is a database of that name itself. */
function ofUsers(part: Part<readonly ConsoleRow[]>, column: string): Part<readonly ConsoleRow[]> {
  return mapped(part, (rows) => rows.filter((row) => row[column] !== 'pgbouncer'));
}

function mapped<T, U>(part: Part<T>, change: (value: T) => U): Part<U> {
  return part instanceof Unknowable ? part : { value: change(part.value) };
}

/** `PgBouncer 1.18.0`, or from another version on `1.18.0` alone. */
function versionOf(rows: readonly ConsoleRow[]): string {
  const [words] = rows.flatMap((row) => Object.values(row));
  return textOf(words).replace(/^PgBouncer(?: version)? /i, '');
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}

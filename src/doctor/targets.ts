import { resolve } from 'node:path';
import type { Clock } from '../base/clock.js';
import { asError } from '../base/promises.js';
import { formatDuration } from '../base/units.js';
import { cutUrl } from '../db/cut-url.js';
import { createDatabase } from '../db/database.js';
import { suggestUrl } from '../db/suggest-url.js';
import { readRecording } from '../leases/file.js';
import { addressError, SourceError } from '../sources/errors.js';
import { openSource } from '../sources/registry.js';
import type { SourceOptions } from '../sources/types.js';
import { diagnoseTargets } from './diagnosis.js';
import { readMysql } from './mysql-target.js';
import { readPgBouncer } from './pgbouncer-target.js';
import { databaseBehind, logIn } from './pooler-login.js';
import { readPostgres } from './postgres-target.js';
import type {
  AppSettings,
  ExaminedTarget,
  MysqlTarget,
  PgBouncerTarget,
  PoolTarget,
  PostgresTarget,
  Problem,
  RecordingTarget,
  SqliteTarget,
  TargetKind,
  Targets,
} from './types.js';

/** Kinds of addresses, as help texts name them. */
export const TARGET_FORMS =
  'postgres://USER@HOST/DATABASE, mysql://USER@HOST/, pgbouncer://USER@HOST/, pool:PATH, sqlite:FILE, recording:FILE';

export interface TargetOptions extends SourceOptions {
  readonly settings: AppSettings | null;
  /** How long reading one target may take, in milliseconds. */
  readonly limitMs: number;
  /** Whether to log in through poolers as the users of `postgres://`, which opens a connection of theirs. */
  readonly tryLogin: boolean;
  /** Between two looks, where one shows something that waits or fails. Default: one look. */
  readonly secondLookMs?: number | null;
  /** Sites are shown relative to it. Default: as they are. */
  readonly cwd?: string;
}

/** All targets after reading, and the connections to close. */
export interface OpenTargets extends AsyncDisposable {
  readonly targets: Targets;
  readonly examined: readonly ExaminedTarget[];
}

type AnyTarget = PostgresTarget | MysqlTarget | PgBouncerTarget | PoolTarget | SqliteTarget | RecordingTarget;

/** An address that has been looked at, and not been opened. */
export interface TargetAddress {
  readonly kind: Exclude<TargetKind, 'settings'>;
  readonly address: string;
  /** Holds no password. */
  readonly label: string;
}

interface Opened {
  readonly target: AnyTarget;
  close?(): Promise<void>;
}

/**
 * Says what an address means. Connects to nothing. Throws a SourceError (ERR_SOURCE_ADDRESS) or a DatabaseError
 * (ERR_DB_OPTION) that says what is wrong with it.
 */
export function parseTarget(address: string, options: SourceOptions): TargetAddress {
  const [, scheme = ''] = /^([a-z][a-z0-9+.-]*):/i.exec(address) ?? [];
  const server = cutUrl(address)?.scheme;
  const kind = server === 'postgres' || server === 'mysql' ? server : KINDS.get(scheme.toLowerCase());
  if (kind === undefined) {
    const meant = suggestUrl(address, [...KINDS.keys()]);
    if (meant !== null) throw addressError(address, `did you mean '${meant}'?`, `there is ${TARGET_FORMS}`);
    const what = scheme === '' ? 'it has no scheme' : `the scheme '${scheme}' is not known`;
    throw addressError(address, what, `there is ${TARGET_FORMS}`);
  }
  if (kind === 'recording') return { kind, address, label: address };
  // Both look at the whole address, and open nothing before they are asked something.
  const label =
    kind === 'sqlite'
      ? createDatabase(address, { readOnly: true, size: 1, maxOverflow: 0 }).name
      : openSource(address, options).label;
  return { kind, address, label };
}

const KINDS: ReadonlyMap<string, TargetAddress['kind']> = new Map([
  ['pgbouncer', 'pgbouncer'],
  ['pool', 'pool'],
  ['sqlite', 'sqlite'],
  ['recording', 'recording'],
]);

/** Reads all targets. A target that cannot be read is listed among the others. Rejects only if the signal aborts. */
export async function openTargets(
  addresses: readonly TargetAddress[],
  options: TargetOptions,
  signal: AbortSignal,
): Promise<OpenTargets> {
  const results = await Promise.all(
    addresses.map(async (one) => {
      try {
        return { one, opened: await openWithin(one, options, signal), problem: null };
      } catch (error) {
        return { one, opened: null, problem: problemOf(asError(error)) };
      }
    }),
  );
  const targets = await withLogins(
    results.flatMap(({ one, opened }) => (opened === null ? [] : [{ one, target: opened.target }])),
    options,
    signal,
  );
  const close = async (): Promise<void> => {
    await Promise.allSettled(results.map(({ opened }) => opened?.close?.()));
  };
  if (signal.aborted) {
    await close();
    signal.throwIfAborted();
  }
  const { settings } = options;
  const all = {
    postgres: targets.filter((target) => target.kind === 'postgres'),
    mysql: targets.filter((target) => target.kind === 'mysql'),
    pgbouncer: targets.filter((target) => target.kind === 'pgbouncer'),
    pool: targets.filter((target) => target.kind === 'pool'),
    sqlite: targets.filter((target) => target.kind === 'sqlite'),
    recording: targets.filter((target) => target.kind === 'recording'),
    settings,
    unreadable: results.flatMap(({ one: { kind, label }, problem }) =>
      problem === null ? [] : [{ kind, label, problem }],
    ),
  };
  const reread = new Map(results.map(({ one, opened }) => [opened?.target.label ?? one.label, one.address]));
  const looked = { ...options, cwd: options.cwd ?? '', secondLookMs: options.secondLookMs ?? null };
  const diagnosis = await diagnoseTargets(all, reread, looked, signal);
  return {
    targets: { ...all, diagnosis },
    examined: [
      ...results.map(({ one: { kind, label }, opened, problem }) => ({
        ...{ kind, label, problem: problem ?? goneProblem(opened?.target ?? null) },
        what: opened === null ? null : descriptionOf(opened.target),
      })),
      ...(settings === null
        ? []
        : [
            { kind: 'settings' as const, label: SETTINGS_LABEL, problem: null, what: settingsText(settings) },
          ]),
    ],
    [Symbol.asyncDispose]: close,
  };
}

/** The label of the application's settings among the targets. */
export const SETTINGS_LABEL = 'settings';

/** The poolers with what became of logging in through them to the servers behind. */
async function withLogins(
  read: readonly { readonly one: TargetAddress; readonly target: AnyTarget }[],
  options: TargetOptions,
  signal: AbortSignal,
): Promise<readonly AnyTarget[]> {
  if (!options.tryLogin) return read.map(({ target }) => target);
  const { env, clock, limitMs } = options;
  const servers = read.flatMap(({ one, target }) => (target.kind === 'postgres' ? [{ one, target }] : []));
  const login = async (pooler: PgBouncerTarget, { one, target }: (typeof servers)[number]) => {
    const name = databaseBehind(pooler, target);
    if (name === null) return [];
    const about = { server: target.label, role: target.role, database: name };
    try {
      const work = (inTime: AbortSignal) =>
        logIn(one.address, { host: pooler.host, port: pooler.port, name }, env, inTime);
      await within(clock, limitMs, signal, work);
      return [{ ...about, problem: null }];
    } catch (error) {
      return [{ ...about, problem: problemOf(asError(error)) }];
    }
  };
  return Promise.all(
    read.map(async ({ target }) => {
      if (target.kind !== 'pgbouncer') return target;
      const logins = await Promise.all(servers.map((server) => login(target, server)));
      return { ...target, logins: logins.flat() };
    }),
  );
}

async function openWithin(one: TargetAddress, options: TargetOptions, signal: AbortSignal): Promise<Opened> {
  const { clock, limitMs } = options;
  return within(clock, limitMs, signal, (inTime) => open(one, options, inTime));
}

async function open(
  { kind, address, label }: TargetAddress,
  options: TargetOptions,
  signal: AbortSignal,
): Promise<Opened> {
  switch (kind) {
    case 'postgres':
      return { target: await readPostgres(address, options, signal) };
    case 'mysql':
      return { target: await readMysql(address, options, signal) };
    case 'pgbouncer':
      return { target: await readPgBouncer(address, options, signal) };
    case 'pool': {
      const source = openSource(address, options);
      try {
        return { target: { kind, label, reading: await source.read(signal) } };
      } finally {
        await source[Symbol.asyncDispose]();
      }
    }
    case 'sqlite':
      return openSqlite(address, label, signal);
    case 'recording': {
      const path = address.slice(address.indexOf(':') + 1);
      return {
        target: { kind, label, recording: await readRecording(resolve(options.cwd ?? '', path), path) },
      };
    }
  }
}

/** Kept open, since SQLite is asked by pragmas, one at a time; the file must be there, and is left as it is. */
async function openSqlite(url: string, label: string, signal: AbortSignal): Promise<Opened> {
  const database = createDatabase(url, { readOnly: true, size: 1, maxOverflow: 0, mode: 'inline' });
  const ask: SqliteTarget['ask'] = (sql) =>
    database.withSession(async (session) => (await session.query(sql)).rows, { signal });
  try {
    await ask('PRAGMA schema_version');
    return { target: { kind: 'sqlite', label, url, ask }, close: () => database.close() };
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function within<T>(
  clock: Clock,
  limitMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const giveUp = new AbortController();
  const late = new Error(`no answer within ${formatDuration(limitMs)}`);
  const timer = clock.setTimer(() => giveUp.abort(late), limitMs);
  try {
    return await work(AbortSignal.any([signal, giveUp.signal]));
  } catch (error) {
    throw giveUp.signal.aborted && !signal.aborted ? late : error;
  } finally {
    timer.cancel();
  }
}

/** The reasons of a failure in one line: what wraps another error without saying more is left out. */
function problemOf(error: Error): Problem {
  const chain: Error[] = [error];
  for (let cause = error.cause; cause instanceof Error && chain.length < 5; cause = cause.cause)
    chain.push(cause);
  const texts = chain.map(({ message }) => message).filter((text) => text !== '');
  // A source's own error says all of it in one sentence.
  const told =
    error instanceof SourceError
      ? [error.message]
      : texts.filter((text, at) => !texts.slice(0, at).some((before) => before.includes(text)));
  const find = (key: 'code' | 'hint'): string | null => {
    for (const one of chain) {
      const value = (one as { readonly code?: unknown; readonly hint?: unknown })[key];
      // The code of the innermost error says most; those of ours only say who was told.
      if (typeof value === 'string' && !(key === 'code' && value.startsWith('ERR_'))) return value;
    }
    return null;
  };
  return { message: told.join(': '), hint: find('hint'), code: find('code') };
}

/** The parts that were read stay usable. */
function goneProblem(target: AnyTarget | null): Problem | null {
  if (target?.kind !== 'pgbouncer' || target.gone === null) return null;
  const message = `it went away before all was read: ${target.gone}`;
  return { message, hint: 'look into its log: it was ended, or it crashed', code: null };
}

function descriptionOf(target: AnyTarget): string {
  switch (target.kind) {
    case 'postgres': {
      const rights = target.isSuperuser ? ', a superuser' : target.seesAll ? ', who sees all' : '';
      return `PostgreSQL ${target.version}, as ${target.role}${rights}`;
    }
    case 'mysql': {
      const rights = target.isAdministrator ? ', an administrator' : target.seesAll ? ', who sees all' : '';
      return `${target.isMariaDb ? 'MariaDB' : 'MySQL'} ${target.version}, as ${target.account}${rights}`;
    }
    case 'pgbouncer':
      return `PgBouncer ${target.version}, as ${target.user}`;
    case 'pool': {
      const { pools } = target.reading;
      return pools.length === 0 ? 'no pools' : `pools ${pools.map(({ name }) => name).join(', ')}`;
    }
    case 'sqlite':
      return 'a SQLite file';
    case 'recording':
      return `leases of ${target.recording.process?.app ?? 'an application'}, ${formatDuration(Math.round(target.recording.durationMs))}`;
  }
}

function settingsText(settings: AppSettings): string {
  const { poolSize, maxOverflow, poolTimeoutMs, poolRecycleMs, prePing } = settings;
  const time = (ms: number): string => (Number.isFinite(ms) ? formatDuration(ms) : 'never');
  const parts = [
    ...(poolSize === null ? [] : [`pool size ${poolSize}`]),
    ...(maxOverflow === null ? [] : [`overflow ${maxOverflow === -1 ? 'without limit' : maxOverflow}`]),
    ...(poolTimeoutMs === null ? [] : [`time-out ${time(poolTimeoutMs)}`]),
    ...(poolRecycleMs === null ? [] : [`recycle ${time(poolRecycleMs)}`]),
    ...(prePing === null ? [] : [`pre-ping ${prePing ? 'on' : 'off'}`]),
  ];
  return parts.length === 0 ? 'of the application' : parts.join(', ');
}

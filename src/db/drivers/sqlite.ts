import { existsSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { parseDuration } from '../../base/units.js';
import type {
  Connection,
  DatabaseDriver,
  DatabaseOptions,
  DatabaseTarget,
  DatabaseUrl,
  PoolDefaults,
} from '../connection.js';
import { isConnectionLost } from '../errors.js';
import type { EngineOptions, SqliteEngine } from './sqlite-engine.js';
import type { SqliteFacts } from './sqlite-errors.js';

/**
 * SQLite, through better-sqlite3 where it is built, else through node:sqlite (Node 22.13 and later).
 *
 * - `sqlite:app.db`, `sqlite:./data/app.db`: from the current folder
 * - `sqlite:/var/lib/app.db`, `sqlite:///var/lib/app.db`: absolute
 * - `sqlite::memory:`: one database in memory, on one connection
 *
 * The path is percent-decoded. Parameters: `mode=worker|inline`, `mode=ro|rw|rwc` (as in SQLite's own URIs: read
 * only; the file must be there; make it if it is not), `busyTimeout=5s`, `journal=wal|keep`,
 * `engine=better-sqlite3|node:sqlite`.
 */
export const sqliteDriver: DatabaseDriver = {
  dialect: 'sqlite',
  options: ['mode', 'readOnly', 'mustExist', 'busyTimeoutMs', 'journal', 'workerHeapMb', 'engine'],
  configure(url, options, problems) {
    const file = fileOf(url, problems);
    const settings = settingsOf(url, options, problems);
    if (options.reset === 'full' || options.reset === 'changed') {
      problems.push(`reset '${options.reset}' is not supported by sqlite, which can end transactions only`);
    }
    return file === ':memory:'
      ? memoryTarget(settings, options, problems)
      : fileTarget(file, settings, url.rest.startsWith('///'));
  },
};

/**
 * The `sqlite` profile. With 30 connections and a wait of 10 s, a leak fails early instead of hanging the application
 * for minutes. Connections are replaced after 10 minutes.
 */
const POOL_DEFAULTS: PoolDefaults = {
  size: 10,
  maxOverflow: 20,
  timeoutMs: 10_000,
  recycleMs: 600_000,
  prePing: true,
};

interface Settings {
  readonly inline: boolean;
  readonly readOnly: boolean;
  readonly mustExist: boolean;
  readonly busyTimeoutMs: number;
  readonly journal: 'wal' | 'keep';
  readonly heapMb: number | null;
  readonly engine: SqliteEngine | null;
}

const ENGINES: readonly unknown[] = ['better-sqlite3', 'node:sqlite'] satisfies SqliteEngine[];

function fileTarget(file: string, settings: Settings, threeSlashes: boolean): DatabaseTarget {
  const { readOnly, mustExist, busyTimeoutMs, journal, engine: library } = settings;
  const facts: SqliteFacts = { file, readOnly, mustExist, busyTimeoutMs, threeSlashes };
  // A file that does not exist before a read must not exist afterwards. Looked at once, before the first connection.
  let tidy: boolean | null = null;
  return targetOf(`sqlite:${file}`, settings, POOL_DEFAULTS, facts, () => {
    tidy ??= readOnly && !existsSync(`${file}-shm`) && !existsSync(`${file}-wal`);
    return { file, readOnly, mustExist, busyTimeoutMs, wal: !readOnly && journal === 'wal', tidy, library };
  });
}

/** Each connection to `:memory:` is a database of its own, so there is one, and it stays. */
function memoryTarget(settings: Settings, options: DatabaseOptions, problems: string[]): DatabaseTarget {
  const { size = 1, maxOverflow = 0 } = options;
  if (size !== 1) problems.push(`:memory: lives on one connection, so size must be 1, got ${size}`);
  if (maxOverflow !== 0)
    problems.push(`:memory: lives on one connection, so maxOverflow must be 0, got ${maxOverflow}`);
  for (const name of ['recycleMs', 'maxIdleMs'] as const) {
    const value = options[name] ?? null;
    if (value !== null)
      problems.push(`:memory: would be lost with its connection, so ${name} must be null, got ${value}`);
  }
  if (settings.readOnly) problems.push(':memory: cannot be readOnly: nothing would ever be in it');
  const { busyTimeoutMs, engine: library } = settings;
  const file = ':memory:';
  const facts = { file, readOnly: false, mustExist: false, busyTimeoutMs, threeSlashes: false };
  const engine = { file, readOnly: false, mustExist: false, busyTimeoutMs, wal: false, tidy: false, library };
  return targetOf(
    'sqlite::memory:',
    settings,
    { size: 1, maxOverflow: 0, timeoutMs: 10_000, recycleMs: null, maxIdleMs: null, collected: 'reset' },
    facts,
    () => engine,
  );
}

function targetOf(
  label: string,
  { inline, readOnly, heapMb }: Settings,
  poolDefaults: PoolDefaults,
  facts: SqliteFacts,
  engineOf: () => EngineOptions,
): DatabaseTarget {
  return {
    label,
    poolDefaults,
    isDisconnect: isConnectionLost,
    // Immediate, since a deferred transaction that reads first and writes later gets SQLITE_BUSY at once when another
    // has written in between: the busy timeout does not apply there, and nearly every try fails under load.
    begin: (options) =>
      `begin ${options.mode ?? (readOnly || options.readOnly === true ? 'deferred' : 'immediate')}`,
    async connect(signal): Promise<Connection> {
      const engine = engineOf();
      if (inline) {
        const { connectInline } = await import('./sqlite-inline.js');
        return connectInline(engine, facts);
      }
      const { connectThread } = await import('./sqlite-thread.js');
      return connectThread({ engine, facts, heapMb }, signal);
    },
  };
}

function fileOf({ rest }: DatabaseUrl, problems: string[]): string {
  if (/^(\/\/\/?)?:memory:$/.test(rest)) return ':memory:';
  if (/^\/\/[^/]/.test(rest)) {
    problems.push(`sqlite has no hosts: write sqlite:${rest.slice(2)} or sqlite:///${rest.slice(2)}`);
  }
  let path = rest.replace(/^\/{2,}/, '/');
  try {
    path = decodeURIComponent(path);
  } catch {
    problems.push(`${rest} has a % that begins no percent-encoding; write %25 for a plain one`);
  }
  // file:///C:/x.db has a slash too many for Windows.
  if (sep === '\\') path = path.replace(/^\/(?=[A-Za-z]:)/, '');
  if (path === '' || path === '/') problems.push('it names no file; write sqlite:FILE or sqlite::memory:');
  if (path.includes('\0')) problems.push('the path holds a zero byte');
  return resolve(path);
}

function settingsOf({ params }: DatabaseUrl, options: DatabaseOptions, problems: string[]): Settings {
  const asked = paramsOf(params, problems);
  for (const name of ['mode', 'readOnly', 'mustExist', 'busyTimeoutMs', 'journal', 'engine'] as const) {
    const inUrl = asked[name];
    const inOptions = options[name];
    if (inUrl !== undefined && inOptions !== undefined && inUrl !== inOptions) {
      problems.push(`${name} is ${String(inUrl)} in the URL, but ${String(inOptions)} in the options`);
    }
  }
  const {
    mode = 'worker',
    readOnly = false,
    mustExist = readOnly,
    journal = 'wal',
  } = { ...asked, ...defined(options) };
  const { busyTimeoutMs = 5000, workerHeapMb = null, engine = null } = { ...asked, ...defined(options) };
  if (!['worker', 'inline'].includes(mode))
    problems.push(`mode must be 'worker' or 'inline', got ${String(mode)}`);
  if (!['wal', 'keep'].includes(journal))
    problems.push(`journal must be 'wal' or 'keep', got ${String(journal)}`);
  if (engine !== null && !ENGINES.includes(engine))
    problems.push(`engine must be ${ENGINES.map((name) => `'${name}'`).join(' or ')}, got ${String(engine)}`);
  if (!Number.isInteger(busyTimeoutMs) || busyTimeoutMs < 0 || busyTimeoutMs > 2 ** 31 - 1) {
    problems.push(`busyTimeoutMs must be a whole number from 0, got ${String(busyTimeoutMs)}`);
  }
  if (workerHeapMb !== null && !(workerHeapMb >= 8)) {
    problems.push(`workerHeapMb must be a number from 8, got ${String(workerHeapMb)}`);
  }
  return {
    inline: mode === 'inline',
    readOnly,
    mustExist,
    busyTimeoutMs,
    journal,
    heapMb: workerHeapMb,
    engine,
  };
}

type UrlSettings = {
  -readonly [K in 'mode' | 'readOnly' | 'mustExist' | 'busyTimeoutMs' | 'journal' | 'engine']?: NonNullable<
    DatabaseOptions[K]
  >;
};

function paramsOf(params: URLSearchParams, problems: string[]): UrlSettings {
  const asked: UrlSettings = {};
  for (const [name, value] of params) {
    if (name === 'mode' && (value === 'worker' || value === 'inline')) asked.mode = value;
    else if (name === 'mode' && value === 'ro') asked.readOnly = true;
    else if (name === 'mode' && value === 'rw') asked.mustExist = true;
    else if (name === 'mode' && value === 'rwc') asked.mustExist = false;
    else if (name === 'mode') problems.push(`mode is worker, inline, ro, rw or rwc, got '${value}'`);
    else if (name === 'journal' && (value === 'wal' || value === 'keep')) asked.journal = value;
    else if (name === 'journal') problems.push(`journal is wal or keep, got '${value}'`);
    else if (name === 'engine' && (value === 'better-sqlite3' || value === 'node:sqlite'))
      asked.engine = value;
    else if (name === 'engine') problems.push(`engine is better-sqlite3 or node:sqlite, got '${value}'`);
    else if (name === 'busyTimeout') asked.busyTimeoutMs = durationOf(value, problems);
    else problems.push(`unknown parameter '${name}'; there are mode, busyTimeout, journal and engine`);
  }
  return asked;
}

function durationOf(text: string, problems: string[]): number {
  try {
    return Math.round(parseDuration(text));
  } catch (error) {
    problems.push(`busyTimeout: ${error instanceof Error ? error.message : String(error)}`);
    return 0;
  }
}

/** Without the properties that are undefined: `{ ...defaults, x: undefined }` would forget the default. */
function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

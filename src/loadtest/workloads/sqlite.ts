import { mkdtemp, rm } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { percentDecoded } from '../../base/percent.js';
import type { Random } from '../../base/random.js';
import { formatCount } from '../../base/units.js';
import { createDatabase, type Database, type Session } from '../../db/database.js';
import type { WorkloadContext } from '../api.js';
import { CANDLE_WORDS, CANDLES_PER_SYMBOL, candleScripts, makeCandles, SYMBOLS } from './candles.js';
import type { Value } from './expression.js';
import { SET_UP_MS } from './prepare.js';
import type { OpenTarget, SqlTarget } from './sql-target.js';
import { queriesFor } from './sqlite-queries.js';

/** The part of the pool's options that a load test varies. */
export interface PoolSize {
  readonly size: number;
  readonly maxOverflow: number;
  readonly timeoutMs: number | null;
  readonly recycleMs: number | null;
  readonly prePing: boolean;
}

export interface SqliteTargetOptions {
  readonly pool: PoolSize;
  /** Calls back with the database as soon as it is made: to watch its pool. */
  readonly onOpen?: (database: Database) => void;
}

/** A file with made-up candles, in a folder of its own that is removed at the end. */
export function temporarySqlite(options: SqliteTargetOptions & { readonly tempFolder: string }): SqlTarget {
  return {
    placeholder,
    async open(context) {
      const folder = await mkdtemp(join(options.tempFolder, 'poolctl-loadtest-'));
      const removeFolder = () => rm(folder, { recursive: true, force: true, maxRetries: 3 });
      let database: Database | null = null;
      let engine = '';
      try {
        database = createDatabase(`sqlite:${encodeURIComponent(join(folder, 'candles.db'))}`, {
          ...options.pool,
          name: 'candles',
        });
        options.onOpen?.(database);
        engine = await engineOf(database, context);
        await fill(database, context);
      } catch (error) {
        await database?.close({ graceMs: 0 });
        await removeFolder();
        throw error;
      }
      const rows = formatCount(SYMBOLS.length * CANDLES_PER_SYMBOL);
      return openTarget(database, {
        title: `a temporary SQLite file with ${rows} made-up candles (${engine})`,
        builtIn: async (type) => ({
          scripts: candleScripts(type, 'candles', SYMBOLS),
          work: CANDLE_WORDS[type],
        }),
        afterClose: removeFolder,
      });
    },
  };
}

export interface SqliteFileOptions extends SqliteTargetOptions {
  /** `sqlite:FILE`; the file must be there. */
  readonly url: string;
  /** The folder that a relative FILE starts from. Default: the current directory. */
  readonly folder?: string;
  readonly allowWrites: boolean;
}

/** A file of the user's, which is opened for reading only unless writes are allowed, and never converted to WAL. */
export function sqliteFile({ url, folder, allowWrites, pool, onOpen }: SqliteFileOptions): SqlTarget {
  return {
    placeholder,
    async open(context) {
      const saysJournal = new URLSearchParams(url.split('?')[1]).has('journal');
      const database = createDatabase(folder === undefined ? url : inFolder(url, folder), {
        ...pool,
        ...(saysJournal ? {} : { journal: 'keep' }),
        ...(allowWrites ? { mustExist: true } : { readOnly: true }),
      });
      onOpen?.(database);
      const engine = await engineOf(database, context).catch(async (error: unknown) => {
        await database.close({ graceMs: 0 });
        throw error;
      });
      return openTarget(database, {
        title: `${url}, ${allowWrites ? 'writes allowed' : 'read-only'} (${engine})`,
        builtIn: queriesFor,
        afterClose: async () => {},
      });
    },
  };
}

function inFolder(url: string, folder: string): string {
  const [, rest = ''] = /^sqlite:([^?]*)/i.exec(url) ?? [];
  // The driver complains about a URL that names no file, or has a stray %.
  if (rest === '' || rest.startsWith('/') || /%(?![\da-f]{2})/i.test(rest)) return url;
  return isAbsolute(percentDecoded(rest))
    ? url
    : `sqlite:${encodeURIComponent(folder + sep)}${url.slice('sqlite:'.length)}`;
}

/**
 * Even at once, statements under way get a moment: a connection that is closed under one can no longer remove what
 * SQLite puts beside a file in WAL mode.
 */
const LAST_MOMENT_MS = 1000;

interface Particulars extends Pick<OpenTarget, 'title' | 'builtIn'> {
  readonly afterClose: () => Promise<void>;
}

function openTarget(database: Database, { title, builtIn, afterClose }: Particulars): OpenTarget {
  return {
    database,
    title,
    // Its connections are threads of this very process.
    inProcess: true,
    builtIn,
    inspect,
    tryWriting,
    async close({ atOnce }) {
      try {
        await database.close(atOnce ? { graceMs: LAST_MOMENT_MS } : {});
      } finally {
        await afterClose();
      }
    },
  };
}

/** The library that runs SQLite: two of them differ in speed, so every report names it. */
async function engineOf(database: Database, { stop }: WorkloadContext): Promise<string> {
  const lease = await database.pool.acquire({ signal: stop, timeoutMs: SET_UP_MS });
  try {
    return lease.resource.engine ?? 'unknown engine';
  } finally {
    lease.release();
  }
}

async function fill(database: Database, { stop, random }: WorkloadContext): Promise<void> {
  await database.withSession(
    async (session) => {
      await session.query(`CREATE TABLE candles (
        symbol TEXT NOT NULL, ts INTEGER NOT NULL, open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL,
        close REAL NOT NULL, volume INTEGER NOT NULL, PRIMARY KEY (symbol, ts)) WITHOUT ROWID`);
      for (const symbol of SYMBOLS) {
        stop.throwIfAborted();
        await insertCandles(session, symbol, random);
      }
    },
    { signal: stop, timeoutMs: SET_UP_MS },
  );
}

/** All of a symbol's candles in one statement, which is quicker by far than one for each. */
async function insertCandles(session: Session, symbol: string, random: Random): Promise<void> {
  const columns = [0, 1, 2, 3, 4, 5].map((at) => `value ->> ${at}`).join(', ');
  const candles = JSON.stringify(makeCandles(random));
  await session.query(`INSERT INTO candles SELECT ?, ${columns} FROM json_each(?)`, [symbol, candles]);
}

/**
 * Has SQLite compile a statement and looks at the program: a transaction that writes, and the few statements that
 * change a file without one.
 */
async function inspect(
  session: Session,
  sql: string,
  values: readonly Value[],
): Promise<{ writes: boolean }> {
  if (/^\s*EXPLAIN\b/i.test(sql)) return { writes: false };
  const { rows } = await session.query<Opcode>(`EXPLAIN ${sql}`, values);
  return { writes: rows.some(isWrite) };
}

/** A read-only database refuses no BEGIN, only what changes something: here the version, to what it is. */
async function tryWriting(session: Session): Promise<void> {
  const { rows } = await session.query<{ user_version: number }>('PRAGMA user_version');
  const undone = new Error('to be rolled back');
  const attempt = session.transaction(async (transaction) => {
    await transaction.query(`PRAGMA user_version = ${rows[0]?.user_version ?? 0}`);
    throw undone;
  });
  await attempt.catch((error: unknown) => {
    if (error !== undone) throw error;
  });
}

interface Opcode {
  readonly opcode: string;
  readonly p2: number;
  readonly p4: string | null;
}

function isWrite({ opcode, p2, p4 }: Opcode): boolean {
  switch (opcode) {
    case 'Transaction':
      return p2 !== 0;
    case 'Vacuum':
    case 'JournalMode':
    case 'IncrVacuum':
    case 'Checkpoint':
      return true;
    case 'Function':
    case 'PureFunc':
      return String(p4).startsWith('sqlite_attach') || String(p4).startsWith('sqlite_detach');
    default:
      return false;
  }
}

function placeholder(): string {
  return '?';
}

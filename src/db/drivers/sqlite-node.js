// node:sqlite behind the part of the interface of better-sqlite3 that sqlite-engine.js uses. It differs in what it
// checks: node:sqlite binds NULL where a parameter is missing, and ignores all statements but the first.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { kindOf, parametersOf } from './sqlite-tokens.js';

/**
 * @typedef {import('./sqlite-engine.js').SqliteDatabase} SqliteDatabase
 * @typedef {import('./sqlite-engine.js').SqliteStatement} SqliteStatement
 * @typedef {import('./sqlite-engine.js').Params} Params
 */

/**
 * The part of node:sqlite in use. What is optional is missing before Node 22.16.
 * @typedef {object} NativeDatabase
 * @property {(sql: string) => NativeStatement} prepare
 * @property {(sql: string) => void} exec
 * @property {() => void} close
 * @property {boolean} [isTransaction]
 */

/**
 * @typedef {object} NativeStatement
 * @property {string} sourceSQL
 * @property {(...values: unknown[]) => Record<string, unknown>[]} all
 * @property {(...values: unknown[]) => { changes: number | bigint, lastInsertRowid: number | bigint }} run
 * @property {(enabled: boolean) => void} setReadBigInts
 * @property {(enabled: boolean) => void} setAllowBareNamedParameters
 * @property {(enabled: boolean) => void} [setReturnArrays]
 * @property {() => { name: string }[]} [columns]
 */

/** @typedef {new (file: string, options: { readOnly: boolean }) => NativeDatabase} NativeClass */

/** As better-sqlite3 is compiled, so that a database performs and lasts the same on both. */
const CACHE_KIB = 16_000;

/**
 * The class to open databases with; throws where this Node has no node:sqlite.
 * @returns {import('./sqlite-engine.js').SqliteClass}
 */
export function loadNodeSqlite() {
  const { DatabaseSync } = withoutWarning(() => createRequire(import.meta.url)('node:sqlite'));
  const native = /** @type {NativeClass} */ (DatabaseSync);
  return class extends NodeDatabase {
    /**
     * @param {string} file
     * @param {import('./sqlite-engine.js').OpenOptions} options
     */
    constructor(file, options) {
      super(native, file, options);
    }
  };
}

/**
 * Loading node:sqlite warns that it is experimental, which no user of poolctl can do anything about. Loading is
 * synchronous, so no other warning is lost.
 * @template T
 * @param {() => T} load
 * @returns {T}
 */
function withoutWarning(load) {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** @implements {SqliteDatabase} */
class NodeDatabase {
  /** @type {NativeDatabase} */
  #db;
  /** Before Node 22.16 the state of the transaction has to be tried out, unless nothing can have changed it. */
  #known = false;
  #inTransaction = false;

  /**
   * @param {NativeClass} Native
   * @param {string} file
   * @param {import('./sqlite-engine.js').OpenOptions} options
   */
  constructor(Native, file, { readonly = false, fileMustExist = false, timeout = 5000 }) {
    if (file !== ':memory:' && (fileMustExist || !existsSync(dirname(file))) && !existsSync(file)) {
      throw Object.assign(new Error('unable to open database file'), { code: 'SQLITE_CANTOPEN' });
    }
    this.#db = named(() => new Native(file, { readOnly: readonly }));
    try {
      this.exec(`pragma busy_timeout = ${timeout}; pragma cache_size = -${CACHE_KIB}`);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get inTransaction() {
    const { isTransaction } = this.#db;
    if (isTransaction !== undefined) return isTransaction;
    if (!this.#known) {
      this.#inTransaction = !this.#canBegin();
      this.#known = true;
    }
    return this.#inTransaction;
  }

  /** @param {string} sql */
  exec(sql) {
    this.#known = false;
    named(() => this.#db.exec(sql));
  }

  /** @param {string} text */
  pragma(text) {
    const rows = this.prepare(`pragma ${text}`).all();
    // The last that opening asks for. better-sqlite3 is compiled to sync a write-ahead log at checkpoints only.
    if (text === 'schema_version' && this.#isWal()) this.exec('pragma synchronous = normal');
    return rows;
  }

  /** @param {string} sql */
  prepare(sql) {
    const statement = named(() => this.#db.prepare(sql));
    const problem = problemOf(statement, sql);
    if (problem !== null) throw new RangeError(problem);
    const settles = !/^\s*(select|values|insert|replace|update|delete|explain)\b/i.test(sql);
    return new NodeStatement(statement, sql, (failed) => {
      if (failed || settles) this.#known = false;
    });
  }

  close() {
    this.#db.close();
  }

  #isWal() {
    return Object.values(this.#db.prepare('pragma journal_mode').all()[0] ?? {})[0] === 'wal';
  }

  #canBegin() {
    try {
      this.#db.exec('begin; rollback');
      return true;
    } catch {
      return false;
    }
  }
}

/** @implements {SqliteStatement} */
class NodeStatement {
  #native;
  #ran;
  #raw = false;
  /** @type {string[]} */
  #lastKeys = [];
  /** @type {boolean} */
  reader;
  #parameters;

  /**
   * @param {NativeStatement} native
   * @param {string} sql
   * @param {(failed: boolean) => void} ran
   */
  constructor(native, sql, ran) {
    this.#native = native;
    this.#ran = ran;
    this.#parameters = parametersOf(sql);
    this.reader = native.columns === undefined ? kindOf(sql) === 'reads' : native.columns().length > 0;
    // All names are given with their prefix: a and b of `:a` and `@a` would be the same without.
    native.setAllowBareNamedParameters(false);
  }

  /** @param {boolean} enabled */
  safeIntegers(enabled) {
    this.#native.setReadBigInts(enabled);
    return this;
  }

  /** @param {boolean} enabled */
  raw(enabled) {
    this.#raw = enabled;
    this.#native.setReturnArrays?.(enabled);
    return this;
  }

  columns() {
    return this.#native.columns?.() ?? this.#lastKeys.map((name) => ({ name }));
  }

  /** @param {Params} [params] */
  all(params = null) {
    const rows = this.#bound(params, (values) => this.#native.all(...values));
    if (this.#native.columns !== undefined) return rows;
    this.#lastKeys = Object.keys(rows[0] ?? {});
    return this.#raw ? rows.map((row) => Object.values(row)) : rows;
  }

  /** @param {Params} [params] */
  run(params = null) {
    const { changes, lastInsertRowid } = this.#bound(params, (values) => this.#native.run(...values));
    return { changes: Number(changes), lastInsertRowid };
  }

  /**
   * @template T
   * @param {Params} params
   * @param {(values: readonly unknown[]) => T} work
   * @returns {T}
   */
  #bound(params, work) {
    const values = bind(params, this.#parameters);
    try {
      const result = named(() => work(values));
      this.#ran(false);
      return result;
    } catch (error) {
      this.#ran(true);
      throw error;
    }
  }
}

/**
 * The arguments for node:sqlite. Throws what better-sqlite3 throws where values are missing or left over.
 * @param {Params} params
 * @param {import('./sqlite-tokens.js').Parameters} parameters
 * @returns {readonly unknown[]}
 */
function bind(params, { count, names }) {
  const unnamed = count - names.length;
  const list = Array.isArray(params) ? params : [];
  if (list.length > unnamed) throw new RangeError('Too many parameter values were provided');
  if (list.length < unnamed) throw new RangeError('Too few parameter values were provided');
  if (names.length === 0) return list;
  if (params === null || Array.isArray(params)) throw new TypeError('Missing named parameters');
  return [
    Object.fromEntries(
      names.map((name) => {
        const bare = name.slice(1);
        if (!Object.hasOwn(params, bare)) throw new RangeError(`Missing named parameter "${bare}"`);
        return [name, params[bare]];
      }),
    ),
  ];
}

/**
 * @param {NativeStatement} statement
 * @param {string} sql
 */
function problemOf(statement, sql) {
  let first = '';
  try {
    first = statement.sourceSQL;
  } catch {
    // Nothing can be asked where nothing was compiled.
  }
  if (first === '') return 'The supplied SQL string contains no statements';
  return /^(?:[\s;]|--[^\n]*(?:\n|$)|\/\*[\s\S]*?(?:\*\/|$))*$/.test(sql.slice(first.length))
    ? null
    : 'The supplied SQL string contains more than one statement';
}

/**
 * Runs the work; what SQLite reports gets the name of its number as `code`, as better-sqlite3 has it.
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
function named(work) {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { code, errcode } = /** @type {Error & { code?: string, errcode?: number }} */ (error);
    if (code === 'ERR_SQLITE_ERROR' && errcode !== undefined) throw sqliteFailure(error.message, errcode);
    // Node 24 refuses an empty statement in its own words.
    if (/contains no statements/.test(error.message)) {
      throw new RangeError('The supplied SQL string contains no statements');
    }
    throw error;
  }
}

/**
 * @param {string} message
 * @param {number} number
 */
function sqliteFailure(message, number) {
  const primary = PRIMARY[number & 0xff];
  const code = EXTENDED[number] ?? (primary === undefined ? `SQLITE_UNKNOWN_${number}` : `SQLITE_${primary}`);
  return Object.assign(new Error(message), { name: 'SqliteError', code });
}

/** By number, from https://sqlite.org/rescode.html */
const PRIMARY =
  'OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB NOTICE WARNING'.split(
    ' ',
  );

/** The extended codes of each primary one, in the order of their numbers: the first is 1 * 256 + the primary one. */
const EXTENSIONS = {
  ERROR: 'MISSING_COLLSEQ RETRY SNAPSHOT',
  ABORT: '- ROLLBACK',
  BUSY: 'RECOVERY SNAPSHOT TIMEOUT',
  LOCKED: 'SHAREDCACHE VTAB',
  READONLY: 'RECOVERY CANTLOCK ROLLBACK DBMOVED CANTINIT DIRECTORY',
  IOERR:
    'READ SHORT_READ WRITE FSYNC DIR_FSYNC TRUNCATE FSTAT UNLOCK RDLOCK DELETE BLOCKED NOMEM ACCESS CHECKRESERVEDLOCK LOCK CLOSE DIR_CLOSE SHMOPEN SHMSIZE SHMLOCK SHMMAP SEEK DELETE_NOENT MMAP GETTEMPPATH CONVPATH VNODE AUTH BEGIN_ATOMIC COMMIT_ATOMIC ROLLBACK_ATOMIC DATA CORRUPTFS IN_PAGE',
  CORRUPT: 'VTAB SEQUENCE INDEX',
  CANTOPEN: 'NOTEMPDIR ISDIR FULLPATH CONVPATH DIRTYWAL SYMLINK',
  CONSTRAINT:
    'CHECK COMMITHOOK FOREIGNKEY FUNCTION NOTNULL PRIMARYKEY TRIGGER UNIQUE VTAB ROWID PINNED DATATYPE',
  AUTH: 'USER',
};

/** @type {Readonly<Record<number, string>>} */
const EXTENDED = Object.fromEntries(
  Object.entries(EXTENSIONS).flatMap(([primary, names]) =>
    names
      .split(' ')
      .map((name, at) => [PRIMARY.indexOf(primary) + (at + 1) * 256, `SQLITE_${primary}_${name}`]),
  ),
);

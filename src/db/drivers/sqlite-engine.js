// Plain JavaScript with its types in comments, because Node 20 cannot start a worker thread from TypeScript and the
// tests run from src. This is all that touches better-sqlite3 or node:sqlite: on a worker thread, or in the caller's.
import { existsSync } from 'node:fs';
import { loadNodeSqlite } from './sqlite-node.js';

/** @typedef {'better-sqlite3' | 'node:sqlite'} SqliteEngine */

/**
 * @typedef {object} EngineOptions
 * @property {string} file an absolute path, or ':memory:'
 * @property {boolean} readOnly
 * @property {boolean} mustExist
 * @property {number} busyTimeoutMs
 * @property {boolean} wal turn on the write-ahead log
 * @property {boolean} tidy remove the -shm and -wal files that reading has left beside the file
 * @property {SqliteEngine | null} library null: better-sqlite3 where it is built, else node:sqlite
 */

/**
 * The part of better-sqlite3 in use; sqlite-node.js has the same on node:sqlite.
 * @typedef {object} SqliteDatabase
 * @property {boolean} inTransaction
 * @property {(sql: string) => void} exec
 * @property {(text: string) => unknown} pragma
 * @property {(sql: string) => SqliteStatement} prepare
 * @property {() => void} close
 */

/**
 * @typedef {object} SqliteStatement
 * @property {boolean} reader it returns rows
 * @property {(enabled: boolean) => SqliteStatement} safeIntegers
 * @property {(enabled: boolean) => SqliteStatement} raw
 * @property {() => { name: string }[]} columns
 * @property {(params?: Params) => unknown[]} all
 * @property {(params?: Params) => { changes: number, lastInsertRowid: number | bigint }} run
 */

/** @typedef {{ readonly?: boolean, fileMustExist?: boolean, timeout?: number }} OpenOptions */

/** @typedef {new (file: string, options: OpenOptions) => SqliteDatabase} SqliteClass */

/**
 * The result of a statement. The rows lie flat, one value after the other: that costs a third of the time of objects
 * to send between threads. `blobs` are the buffers of the bytes in them, to be moved instead of copied; null if
 * there are none.
 * @typedef {[inTransaction: boolean, columns: string[], values: unknown[], rowCount: number,
 *   lastInsertRowid: number | bigint | null, blobs: ArrayBuffer[] | null]} Answer
 */

/**
 * @typedef {object} Failure
 * @property {string} name
 * @property {string | null} code
 * @property {string} message
 * @property {number} elapsedMs
 */

/** @typedef {Answer | [inTransaction: boolean, failure: Failure]} Reply */

/** @typedef {unknown[] | Record<string, unknown> | null} Params */

/**
 * @typedef {object} Engine
 * @property {(sql: string, params: Params) => Reply} query runs one statement
 * @property {(sql: string) => Reply} exec runs a script
 * @property {() => Reply} reopen closes the database and opens it anew
 * @property {() => void} close
 * @property {SqliteEngine} library
 */

/**
 * @typedef {object} Prepared
 * @property {SqliteStatement} statement
 * @property {boolean} inserts
 * @property {boolean} raw rows come as arrays
 * @property {string[]} keys of the last row that came as an object
 * @property {string[]} columns of the statement when it had those keys
 */

const CACHED_STATEMENTS = 200;
/** From this many rows on, arrays and a look at the columns are cheaper than objects. */
const MANY_ROWS = 8;
/** Switching on the write-ahead log needs the file alone for a moment, whatever the user's own timeout. */
const OPEN_TIMEOUT_MS = 5000;

/**
 * Opens the database. What it throws has the `code` of SQLite, ERR_DRIVER_MISSING, or none.
 * @param {EngineOptions} options
 * @returns {Promise<Engine>}
 */
export async function openEngine(options) {
  const { file, readOnly, mustExist, busyTimeoutMs, wal, tidy } = options;
  const { Database, library } = await loadLibrary(options.library);
  const open = () => {
    const opened = new Database(file, {
      readonly: readOnly,
      fileMustExist: mustExist,
      timeout: Math.max(busyTimeoutMs, OPEN_TIMEOUT_MS),
    });
    try {
      if (wal) opened.pragma('journal_mode = wal');
      // Opening reads nothing; this finds out whether it is a database at all.
      opened.pragma('schema_version');
      opened.pragma(`busy_timeout = ${busyTimeoutMs}`);
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  };
  let db = open();
  /** @type {Map<string, Prepared>} */
  const cache = new Map();
  return {
    library,
    query: (sql, params) =>
      attempt(db, () => {
        const prepared = prepare(db, cache, sql);
        return prepared.statement.reader ? read(db, prepared, params) : write(db, prepared, params);
      }),
    exec: (sql) =>
      attempt(db, () => {
        db.exec(sql);
        return [db.inTransaction, [], [], 0, null, null];
      }),
    reopen: () =>
      attempt(db, () => {
        db.close();
        cache.clear();
        db = open();
        return [false, [], [], 0, null, null];
      }),
    close() {
      db.close();
      if (tidy) tidyUp(Database, file);
    },
  };
}

/**
 * @param {SqliteEngine | null} wanted
 * @returns {Promise<{ Database: SqliteClass, library: SqliteEngine }>}
 */
async function loadLibrary(wanted) {
  /** @type {unknown} */
  let cause = null;
  if (wanted !== 'node:sqlite') {
    try {
      return { Database: await loadBetterSqlite(), library: 'better-sqlite3' };
    } catch (error) {
      cause = error;
    }
  }
  if (wanted !== 'better-sqlite3') {
    try {
      return { Database: loadNodeSqlite(), library: 'node:sqlite' };
    } catch (error) {
      // If both are missing, better-sqlite3 is the one that can be installed.
      cause ??= error;
    }
  }
  throw Object.assign(new Error(messageOf(cause)), { name: 'DriverMissing', code: 'ERR_DRIVER_MISSING' });
}

/** @returns {Promise<SqliteClass>} */
async function loadBetterSqlite() {
  const { default: Database } = await import('better-sqlite3');
  // The package loads its native part only here, and that is what may be missing or made for another Node.
  new Database(':memory:').close();
  return /** @type {SqliteClass} */ (/** @type {unknown} */ (Database));
}

/**
 * @param {SqliteDatabase} db
 * @param {() => Reply} work
 * @returns {Reply}
 */
function attempt(db, work) {
  const startedAt = performance.now();
  try {
    return work();
  } catch (error) {
    return [db.inTransaction, failureOf(error, performance.now() - startedAt)];
  }
}

/**
 * @param {unknown} error
 * @param {number} elapsedMs
 * @returns {Failure}
 */
export function failureOf(error, elapsedMs) {
  const name = error instanceof Error ? error.name : 'Error';
  const code = error instanceof Error && 'code' in error ? String(error.code) : null;
  return { name, code, message: messageOf(error), elapsedMs };
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param {SqliteDatabase} db
 * @param {Map<string, Prepared>} cache
 * @param {string} sql
 * @returns {Prepared}
 */
function prepare(db, cache, sql) {
  const known = cache.get(sql);
  if (known !== undefined) {
    if (cache.size === CACHED_STATEMENTS) {
      cache.delete(sql);
      cache.set(sql, known);
    }
    return known;
  }
  // All integers come as BigInt and are narrowed below: the only way to see those that a number cannot hold.
  const statement = db.prepare(sql).safeIntegers(true);
  const prepared = {
    statement,
    inserts: /\b(insert|replace)\b/i.test(sql),
    raw: false,
    keys: [],
    columns: [],
  };
  if (cache.size === CACHED_STATEMENTS) {
    const [oldest] = cache.keys();
    if (oldest !== undefined) cache.delete(oldest);
  }
  cache.set(sql, prepared);
  return prepared;
}

/**
 * @param {SqliteDatabase} db
 * @param {Prepared} prepared
 * @param {Params} params
 * @returns {Answer}
 */
function write(db, { statement, inserts }, params) {
  const { changes, lastInsertRowid } = params === null ? statement.run() : statement.run(params);
  // SQLite remembers the key of an earlier insert, perhaps another borrower's.
  const key = inserts && changes > 0 ? narrow(lastInsertRowid) : null;
  return [db.inTransaction, [], [], changes, /** @type {number | bigint | null} */ (key), null];
}

/**
 * @param {SqliteDatabase} db
 * @param {Prepared} prepared
 * @param {Params} params
 * @returns {Answer}
 */
function read(db, prepared, params) {
  const { statement, raw } = prepared;
  const rows = /** @type {Record<string | number, unknown>[]} */ (
    params === null ? statement.all() : statement.all(params)
  );
  const [first] = rows;
  const columns = raw || first === undefined ? namesOf(statement) : columnsOf(prepared, Object.keys(first));
  const values = new Array(rows.length * columns.length);
  /** @type {ArrayBuffer[] | null} */
  let blobs = null;
  let at = 0;
  for (const row of rows) {
    for (let column = 0; column < columns.length; column++) {
      const value = raw ? row[column] : row[/** @type {string} */ (columns[column])];
      if (typeof value === 'object' && value !== null) {
        blobs ??= [];
        const { buffer } = /** @type {Buffer<ArrayBuffer>} */ (value);
        if (buffer.byteLength > 0) blobs.push(buffer);
      }
      values[at++] = typeof value === 'bigint' ? narrow(value) : value;
    }
  }
  if (raw !== rows.length >= MANY_ROWS) {
    prepared.raw = !raw;
    statement.raw(prepared.raw);
  }
  return [db.inTransaction, columns, values, rows.length, null, blobs];
}

/**
 * The columns as the statement names them, which costs more than to run it: so they are kept for as long as the rows
 * have the same keys. The keys would not do. They lack the second of two columns of one name, and put '1' before 'a';
 * and the table may have been altered since the last run.
 * @param {Prepared} prepared
 * @param {string[]} keys
 */
function columnsOf(prepared, keys) {
  const { statement, keys: before } = prepared;
  if (keys.length === before.length && keys.every((key, i) => key === before[i])) return prepared.columns;
  prepared.keys = keys;
  prepared.columns = namesOf(statement);
  return prepared.columns;
}

/** @param {Prepared['statement']} statement */
function namesOf(statement) {
  return statement.columns().map(({ name }) => name);
}

/**
 * A number where a number holds it exactly, else the BigInt.
 * @param {number | bigint} value
 */
function narrow(value) {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/**
 * Reading a file in WAL mode makes a -shm and a -wal file beside it, and only a connection that may write takes them
 * away when it is the last. There is nothing in the log to be written back.
 * @param {SqliteClass} Database
 * @param {string} file
 */
function tidyUp(Database, file) {
  if (!existsSync(`${file}-shm`)) return;
  try {
    // Others of the pool tidy up at the same moment, and lock the file for it.
    const db = new Database(file, { fileMustExist: true, timeout: 500 });
    try {
      db.pragma('schema_version');
    } finally {
      db.close();
    }
  } catch {
    // Not ours to write, or busy: then the files stay, as they would have anyway.
  }
}

import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseError } from '../errors.js';
import type { Failure } from './sqlite-engine.js';

/** Facts about the database when it reports an error: enough to say what to do about it. */
export interface SqliteFacts {
  readonly file: string;
  readonly readOnly: boolean;
  /** A missing file is not created. */
  readonly mustExist: boolean;
  readonly busyTimeoutMs: number;
  /** Written with three slashes, which SQLAlchemy reads as a relative path. */
  readonly threeSlashes: boolean;
}

/** Gives what SQLite reported its own name and code, and a hint. */
export function sqliteError(
  failure: Failure,
  facts: SqliteFacts,
  where: { sql: string | null; inTransaction: boolean },
): DatabaseError {
  const { sql } = where;
  if (failure.code === 'ERR_DRIVER_MISSING') return driverMissing(failure);
  const code = codeOf(failure, facts);
  const message =
    code === 'SQLITE_CANTOPEN' ? `cannot open ${facts.file}: ${whyNotOpen(facts)}` : failure.message;
  const hint = hintOf(code, failure, facts, where.inTransaction);
  const name = code.startsWith('SQLITE_') ? 'SqliteError' : 'DatabaseError';
  return new DatabaseError(code, message, { hint, sql, name });
}

function driverMissing({ message }: Failure): DatabaseError {
  const [cause = ''] = message.split('\n');
  return new DatabaseError(
    'ERR_DRIVER_MISSING',
    `SQLite needs the package better-sqlite3, or Node 22.13 or later: ${cause.replace(/\.? Tried:$/, '')}`,
    { hint: howToInstall(message) },
  );
}

function howToInstall(message: string): string {
  if (message.includes('NODE_MODULE_VERSION')) {
    return 'it was built for another version of Node: run npm rebuild better-sqlite3, or use Node 22.13 or later';
  }
  const verb = /cannot find (package|module)/i.test(message) ? 'install' : 'rebuild';
  return `use Node 22.13 or later, which has SQLite built in, or run npm ${verb} better-sqlite3; without a prebuilt binary for this machine, that needs python3 and a C++ compiler`;
}

function codeOf({ code, message }: Failure, { file }: SqliteFacts): string {
  // To read, SQLite opens even a folder, and only then finds that it cannot.
  if (code !== null) return code.startsWith('SQLITE_IOERR') && isFolder(file) ? 'SQLITE_CANTOPEN' : code;
  // better-sqlite3 finds some mistakes itself, and gives them no code.
  if (/directory does not exist/.test(message)) return 'SQLITE_CANTOPEN';
  return /parameter|bind|bound/i.test(message) ? 'ERR_DB_PARAM' : 'ERR_DB_SQL';
}

function whyNotOpen({ file, mustExist }: SqliteFacts): string {
  const folder = dirname(file);
  if (isFolder(file)) return 'it is a folder';
  if (existsSync(file)) return 'it may not be read, or its folder may not be written';
  if (!existsSync(folder)) return `there is no folder ${folder}`;
  return mustExist ? 'there is no such file' : `it is not there, and cannot be created in ${folder}`;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function hintOf(
  code: string,
  { message, elapsedMs }: Failure,
  facts: SqliteFacts,
  inTransaction: boolean,
): string | null {
  const { file, readOnly, mustExist, busyTimeoutMs, threeSlashes } = facts;
  const timeout = `${busyTimeoutMs.toLocaleString('en-US')} ms`;
  switch (code) {
    case 'SQLITE_BUSY':
    case 'SQLITE_BUSY_SNAPSHOT':
    case 'SQLITE_BUSY_RECOVERY':
      if (busyTimeoutMs === 0) return 'the busy timeout is 0, so no lock is waited for; set busyTimeoutMs';
      // Far too early for the timeout: SQLite does not wait where waiting could only end in a deadlock.
      if (inTransaction && elapsedMs < busyTimeoutMs / 2) {
        return `another connection has written since this transaction began to read, and no busy timeout (${timeout}) helps against that: begin transactions that write with BEGIN IMMEDIATE, as transaction() does by default`;
      }
      return `another connection held the lock for longer than the busy timeout of ${timeout}; keep transactions that write short, or raise busyTimeoutMs`;
    case 'SQLITE_READONLY':
      return readOnly ? 'the database was opened with readOnly' : `${file} may not be written`;
    case 'SQLITE_READONLY_DIRECTORY':
      return `${file} is in WAL mode, and to read that, SQLite makes files beside it: make its folder writable, or read a copy`;
    case 'SQLITE_CANTOPEN':
      if (threeSlashes) {
        return `three slashes make an absolute path; for one from the current folder write sqlite:${file.slice(1)}`;
      }
      return mustExist && !existsSync(file)
        ? 'check the path; a file is created only where neither readOnly (mode=ro) nor mustExist (mode=rw) is set'
        : 'check the path, and whether this user may read it';
    case 'SQLITE_NOTADB':
      return `${file} is not a SQLite database, or it is encrypted`;
    case 'SQLITE_CORRUPT':
      return `${file} is damaged; pragma integrity_check says how much`;
    case 'ERR_DB_SQL':
      return /more than one statement/.test(message) ? 'run scripts with exec()' : null;
    default:
      return null;
  }
}

import { CodedError, type CodedErrorOptions } from '../base/coded-error.js';

/** The stable codes of what the database layer itself finds wrong. What a database says keeps the database's code. */
export type DatabaseErrorCode =
  /** The URL or an option is wrong; nothing was opened. */
  | 'ERR_DB_OPTION'
  /** No password was given, and the server wants one. */
  | 'ERR_DB_PASSWORD'
  /** The server does not take TLS, or a file for it cannot be read. */
  | 'ERR_DB_TLS'
  /** The server proves its identity, or asks the client to, in a way that the URL does not accept. */
  | 'ERR_DB_AUTH'
  /** No host is of the kind that target_session_attrs wants. */
  | 'ERR_DB_TARGET'
  /** The package that speaks to this database is not installed, or does not load. */
  | 'ERR_DRIVER_MISSING'
  /** A parameter cannot be bound. */
  | 'ERR_DB_PARAM'
  /** The text is not one statement. */
  | 'ERR_DB_SQL'
  /** The connection is gone; the pool replaces it. */
  | 'ERR_CONNECTION_LOST'
  /** The caller's signal aborted the query. The error's name is AbortError. */
  | 'ERR_QUERY_ABORTED'
  | 'ERR_SESSION_CLOSED'
  /** A transaction was used after its end, or had been ended by a statement in it. */
  | 'ERR_TRANSACTION_OVER'
  /** `currentSession()` was called where no request is being served. */
  | 'ERR_NO_REQUEST_SESSION';

export interface DatabaseErrorOptions extends CodedErrorOptions {
  /** The statement, without its parameters: those may be private. */
  readonly sql?: string | null;
  readonly position?: number | null;
  /** Default 'DatabaseError'; what a database reports is a 'SqliteError', a 'PostgresError', a 'MysqlError'. */
  readonly name?: string;
}

/** An error of a database or a session. Its code is a DatabaseErrorCode, or the database's own: 'SQLITE_BUSY', '23505', 'ER_DUP_ENTRY'. */
export class DatabaseError extends CodedError {
  /** The statement that failed; null where it was not a statement. */
  readonly sql: string | null;
  /** Position in it, in characters from 1; null where the database does not say (SQLite never does). */
  readonly position: number | null;

  constructor(code: DatabaseErrorCode | (string & {}), message: string, options: DatabaseErrorOptions = {}) {
    super(code, message, { kind: code === 'ERR_DB_OPTION' ? 'usage' : 'unavailable', ...options });
    this.name = options.name ?? 'DatabaseError';
    this.sql = options.sql ?? null;
    this.position = options.position ?? null;
  }
}

/** The connection is gone, and whatever it was doing with it. */
export function connectionLost(message: string, cause?: unknown, hint?: string): DatabaseError {
  return new DatabaseError('ERR_CONNECTION_LOST', message, { cause, hint: hint ?? null });
}

export function queryAborted(signal: AbortSignal, sql: string | null): DatabaseError {
  return new DatabaseError('ERR_QUERY_ABORTED', 'the query was aborted', {
    cause: signal.reason,
    kind: 'aborted',
    name: 'AbortError',
    sql,
  });
}

export function isConnectionLost(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === 'ERR_CONNECTION_LOST';
}

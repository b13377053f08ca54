import { withoutSystemWords } from '../../base/file-fault.js';
import { asError } from '../../base/promises.js';
import { connectionLost, DatabaseError } from '../errors.js';
import type { PgAddress } from './pg-wire.js';

/** The fields of a server's error, as `pg` hands it on; the `detail` may hold data, and stays in the cause. */
interface ServerError extends Error {
  readonly code: string;
  readonly severity: string;
  readonly hint?: string;
  readonly position?: string;
}

function isServerError(error: Error): error is ServerError {
  return (
    'code' in error && typeof error.code === 'string' && 'severity' in error && error.severity !== undefined
  );
}

/** Gives an error of a statement its SQLSTATE as code, the place in the statement, and a hint. */
export function statementError(thrown: unknown, sql: string): DatabaseError {
  const error = asError(thrown);
  if (!isServerError(error)) return new DatabaseError('ERR_DB_SQL', error.message, { cause: error, sql });
  return new DatabaseError(error.code, error.message, {
    cause: error,
    hint:
      STATEMENT_HINTS.find(([code, words]) => code === error.code && words.test(error.message))?.[2] ??
      error.hint ??
      null,
    sql,
    position: error.position === undefined ? null : Number(error.position),
    name: 'PostgresError',
  });
}

const ANY = /^/;

/** By SQLSTATE and, where one stands for many things, the words of the message. */
const STATEMENT_HINTS: readonly (readonly [code: string, words: RegExp, hint: string])[] = [
  ['42601', /multiple commands/, 'run scripts with exec()'],
  [
    '25P02',
    ANY,
    'a statement before this one failed: roll back, or run what may fail in a transaction within',
  ],
  [
    '26000',
    ANY,
    'a pooler between may have switched servers: pass pgbouncer: true, which names no statements',
  ],
  [
    '42P05',
    ANY,
    'a pooler between may have switched servers: pass pgbouncer: true, which names no statements',
  ],
  ['25006', ANY, 'the transaction is read-only, or the server a standby'],
];

/** The connection has ended under a query or by itself; `error` is what was told last, by the server or the system. */
export function lost(error: Error): DatabaseError {
  if (!isServerError(error))
    return connectionLost(withoutSystemWords(`the connection to the server broke: ${wordsOf(error)}`), error);
  return connectionLost(
    `the server ended the connection: ${error.message} (${error.code})`,
    error,
    LOST_HINTS[error.code] ?? error.hint,
  );
}

const LOST_HINTS: Readonly<Record<string, string>> = {
  '25P03': 'a transaction stood open without work for longer than idle_in_transaction_session_timeout',
  '57P05': 'set recycleMs or maxIdleMs below idle_session_timeout, or keepaliveMs',
};

/** Why no connection could be made, with what to do about it. Never holds a password. */
export function connectError(thrown: unknown, address: PgAddress, server = 'PostgreSQL'): DatabaseError {
  const error = asError(thrown);
  if (error instanceof DatabaseError) return error;
  const where = address.host.startsWith('/')
    ? `${address.host}/.s.PGSQL.${address.port}`
    : `${address.host}:${address.port}`;
  const message = withoutSystemWords(`cannot connect to ${server} at ${where}: ${wordsOf(error)}`);
  if (isServerError(error)) {
    const hint = serverHint(error, address) ?? error.hint ?? null;
    return new DatabaseError(error.code, message, { cause: error, hint, name: 'PostgresError' });
  }
  const [code, hint] = systemFailure(error);
  return new DatabaseError(code, message, { cause: error, hint });
}

function serverHint({ code, message }: ServerError, { user }: PgAddress): string | null {
  switch (code) {
    case '28P01':
      return `check user and password; they come from the URL, the option password, PGPASSWORD or .pgpass`;
    case '28000':
      return /no encryption/.test(message)
        ? 'the server wants TLS: add sslmode=require (or verify-full) to the URL'
        : `check the user '${user ?? ''}' and the server's pg_hba.conf`;
    case '3D000':
      return 'check the name at the end of the URL; psql -l lists the databases';
    case '53300':
      return 'all of max_connections are taken: make pools smaller, or put PgBouncer between';
    case '57P03':
      return 'the server is starting or stopping; try again';
    case '08P01':
      return pgbouncerHint(message);
    default:
      return null;
  }
}

function pgbouncerHint(message: string): string | null {
  if (/unsupported startup parameter/.test(message)) {
    return 'PgBouncer is between, and takes no such setting: set it on the role, with ALTER ROLE ... SET';
  }
  if (/no username supplied/i.test(message)) return 'name a user in the URL, or in PGUSER';
  if (/no such database/i.test(message))
    return "check the name at the end of the URL, and PgBouncer's [databases]";
  if (/no such user|authentication failed/i.test(message)) {
    return 'check user and password; PgBouncer takes those of its userlist.txt';
  }
  return null;
}

/** The code and hint of what Node or TLS reports. */
function systemFailure(error: Error): [code: string, hint: string | null] {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  if (/does not support SSL/.test(error.message)) {
    return ['ERR_DB_TLS', 'use sslmode=prefer or sslmode=disable, or turn on ssl in the server'];
  }
  if (code === null) return ['ERR_CONNECTION_LOST', HUNG_UP];
  if (TLS_CODES.test(code)) {
    return [
      code,
      "pass the server's certificate authority as sslrootcert=FILE, or check nothing with sslmode=require",
    ];
  }
  return [code, SYSTEM_HINTS[code] ?? null];
}

export const PASSWORD_HINT = 'put it into PGPASSWORD or .pgpass, or pass the option password';

const HUNG_UP = 'the server hung up: its log says why, if what listens there is a PostgreSQL at all';

const TLS_CODES = /CERT|ALTNAME|UNABLE_TO_/;

const SYSTEM_HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: start the server, or check host and port',
  ENOENT: 'there is no such socket: start the server, or check host and port',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host could not be looked up at this moment',
  EACCES: 'this user may not use the socket',
  ETIMEDOUT: 'no answer: check the network and firewalls',
  ECONNRESET: HUNG_UP,
};

/** An AggregateError (localhost has two addresses) says nothing itself. */
function wordsOf(error: Error): string {
  const said = error.message === '' && error instanceof AggregateError ? asError(error.errors[0]) : error;
  return said.message;
}

import { withoutSystemWords } from '../../base/file-fault.js';
import { asError } from '../../base/promises.js';
import { connectionLost, DatabaseError } from '../errors.js';
import { isSeveral } from '../mysql-tokens.js';
import type { MysqlError } from './mysql-wire.js';

/** Numbers of MariaDB alone, which mysql2 does not name, or names as MySQL does. */
const MARIADB: Readonly<Record<number, string>> = {
  1927: 'ER_CONNECTION_KILLED',
  1969: 'ER_STATEMENT_TIMEOUT',
  4025: 'ER_CONSTRAINT_FAILED',
  4031: 'ER_REFERENCED_TRG_DOES_NOT_EXIST',
  4084: 'ER_SEQUENCE_RUN_OUT',
};
/** From here on the numbers of the two servers mean different errors. */
const MARIADB_FROM = 1900;

/** The server's own words of an error: its name, as `ER_DUP_ENTRY`. */
export function codeOf({ code, errno }: MysqlError, isMariaDb: boolean): string | null {
  if (errno === undefined || typeof errno !== 'number' || errno <= 0) return code ?? null;
  const own = isMariaDb && errno >= MARIADB_FROM && errno < 3000;
  if (own || (isMariaDb && errno >= 4000)) return MARIADB[errno] ?? `ER_${errno}`;
  return code ?? `ER_${errno}`;
}

function isServerError(error: MysqlError): boolean {
  return typeof error.errno === 'number' && error.errno > 0 && error.sqlState !== undefined;
}

/** The SQLSTATE of an error that the server sent; null for others. */
export function sqlStateOf(error: unknown): string | null {
  if (!(error instanceof DatabaseError) || error.name !== 'MysqlError') return null;
  return (error.cause as MysqlError | undefined)?.sqlState ?? null;
}

/** Gives an error of a statement its name as code, and a hint. */
export function statementError(thrown: unknown, sql: string, isMariaDb: boolean): DatabaseError {
  const error = asError(thrown) as MysqlError;
  if (!isServerError(error)) return new DatabaseError('ERR_DB_SQL', error.message, { cause: error, sql });
  const { errno = 0 } = error;
  const isSplit = errno === 1064 && isSeveral(sql);
  return new DatabaseError(codeOf(error, isMariaDb) ?? `ER_${errno}`, wordsOf(error), {
    cause: error,
    hint: isSplit ? 'run scripts with exec()' : (STATEMENT_HINTS[errno] ?? null),
    sql,
    name: 'MysqlError',
  });
}

const READ_ONLY = 'the server is a replica, or was made read-only: name the primary';

const STATEMENT_HINTS: Readonly<Record<number, string>> = {
  1205: 'only the statement was rolled back; end the transaction, and try it again',
  1213: 'the whole transaction was rolled back; try it again',
  1290: READ_ONLY,
  1836: READ_ONLY,
  1295: 'run it with exec(), which does not prepare it',
  1461: 'lower prepareThreshold or the number of connections, or raise max_prepared_stmt_count',
  1792: 'the session or the transaction is read-only',
  1969: 'it took longer than max_statement_time',
  3024: 'it took longer than max_execution_time',
};

/** The server ends the connection with these. */
const ENDS: readonly number[] = [1053, 1152, 1927, 3169];

export function isEnd(error: MysqlError, isMariaDb: boolean): boolean {
  if (error.fatal === true) return true;
  return ENDS.includes(error.errno ?? 0) || (error.errno === 4031 && !isMariaDb);
}

/** The connection has ended under a query or by itself. */
export function lost(error: MysqlError, isMariaDb: boolean): DatabaseError {
  if (!isServerError(error)) {
    const words = error.code === 'PROTOCOL_CONNECTION_LOST' ? 'the server closed it' : wordsOf(error);
    return connectionLost(`the connection to the server broke: ${words}`, error);
  }
  const code = codeOf(error, isMariaDb);
  const hint =
    error.errno === 4031 ? 'set recycleMs or maxIdleMs below wait_timeout, or keepaliveMs' : undefined;
  return connectionLost(`the server ended the connection: ${wordsOf(error)} (${code})`, error, hint);
}

export interface Peer {
  /** As it is shown: `127.0.0.1:3306`, or the path of a socket. */
  readonly where: string;
  readonly user: string;
  readonly isMariaDb: boolean;
}

/** Why no connection could be made, with what to do about it. Never holds a password. */
export function connectError(thrown: unknown, { where, user, isMariaDb }: Peer): DatabaseError {
  const error = asError(thrown) as MysqlError;
  if (error instanceof DatabaseError) return error;
  const message = withoutSystemWords(`cannot connect to MySQL at ${where}: ${wordsOf(error)}`);
  if (isServerError(error)) {
    const code = codeOf(error, isMariaDb) ?? 'ER_UNKNOWN';
    return new DatabaseError(code, message, {
      cause: error,
      hint: serverHint(error, user),
      name: 'MysqlError',
    });
  }
  const { code = 'ERR_CONNECTION_LOST' } = error;
  if (code === 'HANDSHAKE_SSL_ERROR') {
    return new DatabaseError('ERR_DB_TLS', message, {
      cause: error,
      hint: 'pass the certificate authority of the server as ssl-ca=FILE, or check nothing with ssl-mode=REQUIRED',
    });
  }
  if (code === 'AUTH_SWITCH_PLUGIN_ERROR' || code === 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED') {
    const hint = 'change the authentication plugin of the account, as with ALTER USER ... IDENTIFIED VIA';
    return new DatabaseError('ERR_DB_AUTH', message, { cause: error, hint });
  }
  const isHungUp = code === 'PROTOCOL_CONNECTION_LOST' || code === 'ECONNRESET' || code === 'EPIPE';
  return new DatabaseError(isHungUp ? 'ERR_CONNECTION_LOST' : code, message, {
    cause: error,
    hint: isHungUp ? HUNG_UP : (SYSTEM_HINTS[code] ?? null),
  });
}

function serverHint({ errno, message }: MysqlError, user: string): string | null {
  switch (errno) {
    case 1045:
    case 1698:
      return /using password: NO|1698/.test(message)
        ? `the server wants a password of '${user}': put it into the URL, MYSQL_PWD, or the option password`
        : `check user and password of '${user}'; they come from the URL, the option password or MYSQL_PWD`;
    case 1044:
    case 1049:
      return 'check the name at the end of the URL, and the rights of the user; SHOW DATABASES lists what there is';
    case 1040:
      return 'all of max_connections are taken: make pools smaller, or raise it';
    case 1203:
    case 1226:
      return "the account's own limit is reached: see max_user_connections and SHOW CREATE USER";
    case 1129:
      return 'too many connections were broken off: run FLUSH HOSTS on the server';
    case 1130:
      return `there is no account of '${user}' for this host: see the Host column of mysql.user`;
    case 3159:
      return 'the server wants TLS: add ssl-mode=REQUIRED (or VERIFY_IDENTITY) to the URL';
    default:
      return null;
  }
}

const HUNG_UP = 'the server hung up: its log says why, if what listens there is a MySQL or MariaDB at all';

const SYSTEM_HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: start the server, or check host and port',
  ENOENT: 'there is no such socket: start the server, or check the path',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host could not be looked up at this moment',
  EACCES: 'this user may not use the socket',
  ETIMEDOUT: 'no answer: check the network and firewalls',
};

/** An AggregateError (localhost has two addresses) says nothing itself. */
function wordsOf(error: MysqlError): string {
  if (error.message === '' && error instanceof AggregateError) return asError(error.errors[0]).message;
  return error.sqlMessage ?? error.message;
}

import { createDatabase, type Database } from '../../db/database.js';
import { MysqlConnection, type QuestionTally } from '../../db/drivers/mysql-connection.js';
import { type MysqlPlaceAccess, mysqlOptions, mysqlServerUrl } from '../../db/mysql-place.js';
import { PoolError } from '../../pool/errors.js';
import { WorkloadError } from './errors.js';

/**
 * poolctl's own connection to the server under test, outside of its pool: it finds out what is there, makes and removes
 * the data, and looks at the server while the load goes on.
 */
export interface MysqlObserver {
  readonly database: Database;
  readonly isMariaDb: boolean;
  readonly version: string;
  /** Whether a proxy is between: its connections are not those of the server. */
  readonly proxied: boolean;
  /** Its own statements so far, so that they can be told from those of the load. */
  readonly tally: QuestionTally;
  close(): Promise<void>;
}

/** A first answer takes milliseconds. */
const ANSWER_MS = 10_000;

/** Connects and finds out who is there. Rejects as a connect does, or with ERR_NO_ANSWER. */
export async function openMysqlObserver(
  access: MysqlPlaceAccess,
  stop: AbortSignal = new AbortController().signal,
): Promise<MysqlObserver> {
  const answerMs = access.connectTimeoutMs ?? ANSWER_MS;
  const database = createDatabase(mysqlServerUrl(access.url), {
    ...mysqlOptions({ ...access, prepareThreshold: 0 }),
    ...{ name: 'poolctl observer', size: 1, maxOverflow: 0, createTimeoutMs: answerMs, timeoutMs: null },
    prePing: false,
  });
  const tally: QuestionTally = { questions: 0 };
  countStatements(tally, database);
  const late = AbortSignal.timeout(answerMs);
  try {
    using lease = await database.pool.acquire({ signal: stop });
    const connection = lease.resource;
    if (!(connection instanceof MysqlConnection)) throw new Error('not a connection to MySQL');
    const { rows } = await connection.query<{ id: number; comment: string | null }>(
      'SELECT CONNECTION_ID() AS id, @@version_comment AS comment',
      [],
      { signal: AbortSignal.any([stop, late]) },
    );
    const proxied = rows[0]?.id !== connection.threadId || /proxysql/i.test(rows[0]?.comment ?? '');
    const { serverVersion: version, isMariaDb } = connection;
    return { database, isMariaDb, version, proxied, tally, close: () => database.close({ graceMs: 0 }) };
  } catch (error) {
    await database.close({ graceMs: 0 });
    if (stop.aborted) throw error;
    if (late.aborted) throw noAnswer(access.url, answerMs);
    // That the pool could open nothing is told by what the server said.
    throw error instanceof PoolError && error.cause instanceof Error && 'hint' in error.cause
      ? error.cause
      : error;
  }
}

export interface WatchOptions {
  readonly onOpen?: (connection: MysqlConnection) => void;
  readonly onClose?: (connection: MysqlConnection) => void;
}

/** Has the statements of every connection of a database counted together, whoever opens it. */
export function countStatements(
  tally: QuestionTally,
  database: Database,
  { onOpen, onClose }: WatchOptions = {},
): void {
  const { driver } = database.pool.settings;
  const { create, destroy } = driver;
  driver.create = async (signal, slot) => {
    const connection = await create(signal, slot);
    if (connection instanceof MysqlConnection) {
      tally.questions += connection.tally.questions;
      connection.tally = tally;
      onOpen?.(connection);
    }
    return connection;
  };
  driver.destroy = (connection, reason) => {
    if (connection instanceof MysqlConnection) onClose?.(connection);
    return destroy(connection, reason);
  };
}

function noAnswer(url: string, afterMs: number): WorkloadError {
  return new WorkloadError(
    'ERR_NO_ANSWER',
    `${url.replace(/\?.*/, '')} takes connections, but did not answer a first query within ${afterMs / 1000} s`,
    { hint: 'look at the server: is it stopped, or full?' },
  );
}

import { createDatabase, type Database } from '../../db/database.js';
import { MysqlConnection, type QuestionTally } from '../../db/drivers/mysql-connection.js';
import { type MysqlPlaceAccess, mysqlOptions, mysqlServerUrl } from '../../db/mysql-place.js';
import { answerLimit, firstLook, observerOptions, watchConnections } from './observer.js';

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

/** Connects and finds out who is there. Rejects as a connect does, or with ERR_NO_ANSWER. */
export async function openMysqlObserver(
  access: MysqlPlaceAccess,
  stop: AbortSignal = new AbortController().signal,
): Promise<MysqlObserver> {
  const answerMs = answerLimit(access);
  const database = createDatabase(mysqlServerUrl(access.url), {
    ...mysqlOptions({ ...access, prepareThreshold: 0 }),
    ...observerOptions(answerMs),
  });
  const tally: QuestionTally = { questions: 0 };
  countStatements(tally, database);
  const hint = 'look at the server: is it stopped, or full?';
  const seen = await firstLook(
    database,
    { url: access.url, answerMs, hint, stop },
    async (connection, signal) => {
      if (!(connection instanceof MysqlConnection)) throw new Error('not a connection to MySQL');
      const { rows } = await connection.query<{ id: number; comment: string | null }>(
        'SELECT CONNECTION_ID() AS id, @@version_comment AS comment',
        [],
        { signal },
      );
      const proxied = rows[0]?.id !== connection.threadId || /proxysql/i.test(rows[0]?.comment ?? '');
      return { isMariaDb: connection.isMariaDb, version: connection.serverVersion, proxied };
    },
  );
  return { ...seen, database, tally, close: () => database.close({ graceMs: 0 }) };
}

export interface WatchOptions {
  readonly onOpen?: (connection: MysqlConnection) => void;
  readonly onClose?: (connection: MysqlConnection) => void;
}

/** Has the statements of every connection of a database counted together, whatever opens it. */
export function countStatements(
  tally: QuestionTally,
  database: Database,
  { onOpen, onClose }: WatchOptions = {},
): void {
  watchConnections(database, {
    opened(connection) {
      if (!(connection instanceof MysqlConnection)) return;
      tally.questions += connection.tally.questions;
      connection.tally = tally;
      onOpen?.(connection);
    },
    closed(connection) {
      if (connection instanceof MysqlConnection) onClose?.(connection);
    },
  });
}

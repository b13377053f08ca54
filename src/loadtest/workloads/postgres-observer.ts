import { createDatabase, type Database } from '../../db/database.js';
import { PgConnection, type Tally } from '../../db/drivers/pg-connection.js';
import { accessOptions, type PostgresAccess, serverUrl } from '../../db/postgres-place.js';
import { WorkloadError } from './errors.js';
import { answerLimit, firstLook, observerOptions, watchConnections } from './observer.js';

/**
 * poolctl's own connection to the server under test, outside of its pool: it finds out what is there, makes and removes
 * the data, and looks at the server while the load goes on.
 */
export interface Observer {
  readonly database: Database;
  /** Whether a pooler is between, whatever was said of it. */
  readonly pooled: boolean;
  /** Its own transactions so far, so that they can be told from those of the load. */
  readonly tally: Tally;
  close(): Promise<void>;
}

/**
 * Connects and finds out who is there. A pooler cannot be asked by name, but gives itself away: PostgreSQL tells at the
 * start of a connection the number of the process that serves it, which pg_backend_pid() says again. A pooler has none
 * to tell, since any process may serve; PgBouncer makes a number up. That costs one query, needs no rights, and works
 * with every version and pool mode. Rejects as a connect does, with ERR_NO_ANSWER, or with ERR_NO_DATABASE for the
 * admin console of a PgBouncer.
 */
export async function openObserver(
  access: PostgresAccess,
  stop: AbortSignal = new AbortController().signal,
): Promise<Observer> {
  const answerMs = answerLimit(access);
  const database = createDatabase(serverUrl(access.url), {
    ...accessOptions({ ...access, prepareThreshold: 0 }),
    ...observerOptions(answerMs),
  });
  const tally: Tally = { transactions: 0 };
  countInto(tally, database, { connects: true });
  const hint =
    'if PgBouncer is between: is it paused, or are all its server connections taken? See SHOW POOLS';
  const pooled = await firstLook(
    database,
    { url: access.url, answerMs, hint, stop },
    async (connection, signal) => {
      if (!(connection instanceof PgConnection)) throw new Error('not a connection to PostgreSQL');
      if (connection.serverVersion?.endsWith('/bouncer')) throw noDatabase();
      const { rows } = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid', [], {
        signal,
      });
      return rows[0]?.pid !== connection.processId;
    },
  );
  return { database, pooled, tally, close: () => database.close({ graceMs: 0 }) };
}

export interface CountOptions {
  /** Whether to open a connection is a transaction too: a server counts it, a pooler has opened it long before. */
  readonly connects: boolean;
  readonly onOpen?: (connection: PgConnection) => void;
  readonly onClose?: (connection: PgConnection) => void;
}

/** Has the transactions of every connection of a database counted together, whatever opens it. */
export function countInto(
  tally: Tally,
  database: Database,
  { connects, onOpen, onClose }: CountOptions,
): void {
  watchConnections(database, {
    opened(connection) {
      if (!(connection instanceof PgConnection)) return;
      tally.transactions += connection.tally.transactions + (connects ? 1 : 0);
      connection.tally = tally;
      onOpen?.(connection);
    },
    closed(connection) {
      if (connection instanceof PgConnection) onClose?.(connection);
    },
  });
}

function noDatabase(): WorkloadError {
  return new WorkloadError(
    'ERR_NO_DATABASE',
    "the target is PgBouncer's admin console, which runs no queries",
    {
      hint: 'name one of the databases behind it',
    },
  );
}

import { seededRandom } from '../../base/random.js';
import type { Database, Session } from '../../db/database.js';
import { DatabaseError } from '../../db/errors.js';
import { makeCandles, SYMBOLS } from './candles.js';
import type { CandleOptions } from './postgres-candles.js';

/** In the database that the URL names, since rights on another are rare. The name is nobody else's. */
export const MYSQL_CANDLES = 'poolctl_loadtest_candles';

/** Nobody else should take part in making or removing the table at the same time. */
const LOCK_S = 5;

/** Makes the table of made-up candles unless it is there: wholly or not at all. Answers whether it was made. */
export function makeMysqlCandles(database: Database, options: CandleOptions = {}): Promise<boolean> {
  const { seed = 1, signal = NEVER } = options;
  return locked(database, signal, async (session) => {
    const { rows } = await session.query(
      'SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?',
      [MYSQL_CANDLES],
      { signal },
    );
    if (rows.length > 0) return false;
    // Filled under another name: a definition cannot be rolled back.
    const half = `${MYSQL_CANDLES}_new`;
    await session.exec(`DROP TABLE IF EXISTS ${half}; ${createTable(half)}`, { signal });
    const random = seededRandom(seed);
    for (const symbol of SYMBOLS) {
      const candles = makeCandles(random);
      const places = candles.map(() => '(?,?,?,?,?,?,?)').join(',');
      const values = candles.flatMap((candle) => [symbol, ...candle]);
      await session.query(`INSERT INTO ${half} VALUES ${places}`, values, { signal });
    }
    await session.exec(`ANALYZE TABLE ${half}; RENAME TABLE ${half} TO ${MYSQL_CANDLES}`, { signal });
    return true;
  });
}

/** Removes the table. Nothing happens where it is not there. */
export function removeMysqlCandles(database: Database, signal: AbortSignal = NEVER): Promise<void> {
  return locked(database, signal, (session) =>
    session.exec(`SET SESSION lock_wait_timeout = ${LOCK_S}; DROP TABLE IF EXISTS ${MYSQL_CANDLES}`, {
      signal,
    }),
  );
}

function createTable(name: string): string {
  return `CREATE TABLE ${name} (
    symbol varchar(16) CHARACTER SET ascii NOT NULL, ts bigint NOT NULL, open double NOT NULL, high double NOT NULL,
    low double NOT NULL, close double NOT NULL, volume bigint NOT NULL, PRIMARY KEY (symbol, ts)
  ) ENGINE=InnoDB COMMENT='made by poolctl loadtest --init'`;
}

/** Each step can be given up, also if the server says nothing any more. The lock ends with the connection, too. */
function locked<T>(
  database: Database,
  signal: AbortSignal,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  return database.withSession(
    async (session) => {
      const name = "CONCAT('poolctl_loadtest.', COALESCE(DATABASE(), ''))";
      const { rows } = await session.query<{ got: number | null }>(
        `SELECT GET_LOCK(${name}, ${LOCK_S}) AS got`,
        [],
        {
          signal,
        },
      );
      if (rows[0]?.got !== 1) {
        throw new DatabaseError(
          'ER_LOCK_WAIT_TIMEOUT',
          'another load test makes or removes the table of candles',
        );
      }
      try {
        return await work(session);
      } finally {
        if (!session.closed) await session.query(`SELECT RELEASE_LOCK(${name})`);
      }
    },
    { signal },
  );
}

const NEVER = new AbortController().signal;

import { seededRandom } from '../../base/random.js';
import type { Database, Session } from '../../db/database.js';
import { makeCandles, SYMBOLS } from './candles.js';

/** A schema of its own, so that nothing of the user's is ever touched. */
export const CANDLE_SCHEMA = 'poolctl_loadtest';
export const CANDLE_TABLE = `${CANDLE_SCHEMA}.candles`;

/** Nobody else should take part in making or removing the table at the same time. Any number that is ours. */
const LOCK = 0x706f_6f6c;
/** To remove it means to wait for everybody who reads it; another load test would be for long. */
const LOCK_TIMEOUT_MS = 5000;

export interface CandleOptions {
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** Makes the table of made-up candles unless it is there: wholly or not at all. Answers whether it was made. */
export function makeCandleTable(database: Database, options: CandleOptions = {}): Promise<boolean> {
  const { seed = 1, signal = NEVER } = options;
  return inTransaction(database, signal, async (session) => {
    const { rows } = await session.query<{ present: boolean }>(
      'SELECT to_regclass($1) IS NOT NULL AS present',
      [CANDLE_TABLE],
      { signal },
    );
    if (rows[0]?.present === true) return false;
    await session.exec(CREATE, { signal });
    const random = seededRandom(seed);
    for (const symbol of SYMBOLS) {
      const candles = makeCandles(random);
      const columns = [0, 1, 2, 3, 4, 5].map((at) => candles.map((candle) => candle[at]));
      await session.query(INSERT, [symbol, ...columns], { signal });
    }
    await session.exec(`ANALYZE ${CANDLE_TABLE}`, { signal });
    return true;
  });
}

/** Removes the table, and its schema if nothing else is in it. Nothing happens where it is not there. */
export function removeCandleTable(database: Database, signal: AbortSignal = NEVER): Promise<void> {
  return inTransaction(database, signal, async (session) => {
    await session.exec(`DROP TABLE IF EXISTS ${CANDLE_TABLE}`, { signal });
    const { rows } = await session.query<{ is_empty: boolean }>(
      `SELECT NOT EXISTS (
        SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = to_regnamespace($1)
      ) AS is_empty`,
      [CANDLE_SCHEMA],
      { signal },
    );
    if (rows[0]?.is_empty === true) await session.exec(`DROP SCHEMA IF EXISTS ${CANDLE_SCHEMA}`, { signal });
  });
}

/** Works where nobody else makes or removes the table; each step can be given up, also if the server says nothing any more. */
function inTransaction<T>(
  database: Database,
  signal: AbortSignal,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  return database.withSession(
    async (session) => {
      await session.exec(`BEGIN READ WRITE; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`, { signal });
      await session.query('SELECT pg_advisory_xact_lock($1)', [LOCK], { signal });
      const result = await work(session);
      await session.exec('COMMIT', { signal });
      return result;
    },
    { signal },
  );
}

const NEVER = new AbortController().signal;

const CREATE = `
CREATE SCHEMA IF NOT EXISTS ${CANDLE_SCHEMA};
CREATE TABLE ${CANDLE_TABLE} (
  symbol text NOT NULL, ts bigint NOT NULL, open float8 NOT NULL, high float8 NOT NULL, low float8 NOT NULL,
  close float8 NOT NULL, volume bigint NOT NULL, PRIMARY KEY (symbol, ts));
COMMENT ON TABLE ${CANDLE_TABLE} IS 'made by poolctl loadtest --init';`;

const INSERT = `
INSERT INTO ${CANDLE_TABLE} SELECT $1::text, * FROM unnest(
  $2::bigint[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::bigint[])`;

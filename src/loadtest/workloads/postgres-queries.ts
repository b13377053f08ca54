import type { Session } from '../../db/database.js';
import type { QueryType } from './candles.js';
import { CANDLE_TABLE } from './postgres-candles.js';
import { candleWork, GENERATED_ROWS, generatedWork } from './server-work.js';
import type { BuiltIn } from './sql-target.js';

/** The built-in queries: on the candles that `--init` has made, else on generated rows. Neither needs anything more. */
export async function queriesFor(type: QueryType, session: Session): Promise<BuiltIn> {
  const symbols = await findSymbols(session);
  return symbols.length > 0
    ? candleWork(type, CANDLE_TABLE, symbols)
    : generatedWork(type, GENERATED_SIMPLE, GENERATED_COMPLEX);
}

/** Queries on the candles; none where there is no such table, or it may not be read. */
async function findSymbols(session: Session): Promise<string[]> {
  const { rows: found } = await session.query<{ readable: boolean | null }>(
    "SELECT has_table_privilege(to_regclass($1), 'SELECT') AS readable",
    [CANDLE_TABLE],
  );
  if (found[0]?.readable !== true) return [];
  const { rows } = await session.query<{ symbol: string }>(
    `SELECT DISTINCT symbol FROM ${CANDLE_TABLE} ORDER BY symbol LIMIT 200`,
  );
  return rows.map(({ symbol }) => symbol);
}

const GENERATED_SIMPLE = `
\\set first random(1, 1000000)
SELECT i, i * 7919 % 10007 AS value FROM generate_series(:first::bigint, :first::bigint + 19) AS i;
`;
/** Some milliseconds of work for the server, and 100 rows to carry home. */
const GENERATED_COMPLEX = `
\\set first random(1, 1000000)
WITH points AS (
  SELECT i, i * 7919 % 10007 AS value
  FROM generate_series(:first::bigint, :first::bigint + ${GENERATED_ROWS - 1}) AS i
)
SELECT i, value,
  avg(value) OVER (ORDER BY i ROWS 19 PRECEDING) AS average20,
  avg(value) OVER (ORDER BY i ROWS 49 PRECEDING) AS average50,
  sum(value) OVER (PARTITION BY i / 100 ORDER BY i) AS running
FROM points ORDER BY value DESC LIMIT 100;
`;

import type { Session } from '../../db/database.js';
import type { QueryType } from './candles.js';
import { MYSQL_CANDLES } from './mysql-candles.js';
import { candleWork, generatedWork } from './server-work.js';
import type { BuiltIn } from './sql-target.js';

/** The built-in queries: on the candles that `--init` has made, else on generated rows. Neither needs anything more. */
export async function queriesFor(type: QueryType, session: Session): Promise<BuiltIn> {
  const symbols = await findSymbols(session);
  return symbols.length > 0
    ? candleWork(type, MYSQL_CANDLES, symbols, { division: 'DIV' })
    : generatedWork(type, GENERATED_SIMPLE, GENERATED_COMPLEX);
}

/** Queries on the candles; none where there is no such table, or no database. */
async function findSymbols(session: Session): Promise<string[]> {
  const { rowCount } = await session.query(
    'SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?',
    [MYSQL_CANDLES],
  );
  if (rowCount === 0) return [];
  const { rows } = await session.query<{ symbol: string }>(
    `SELECT DISTINCT symbol FROM ${MYSQL_CANDLES} ORDER BY symbol LIMIT 200`,
  );
  return rows.map(({ symbol }) => symbol);
}

const DIGITS = Array.from({ length: 10 }, (_, n) => `SELECT ${n}${n === 0 ? ' AS n' : ''}`).join(
  ' UNION ALL ',
);
const GENERATED_SIMPLE = `
\\set first random(1, 1000000)
WITH digits AS (${DIGITS})
SELECT :first + a.n + 10 * b.n AS i, (:first + a.n + 10 * b.n) * 7919 % 10007 AS value
FROM digits AS a, digits AS b WHERE b.n < 2;
`;
/** Some milliseconds of work for the server, and 100 rows to carry home. */
const GENERATED_COMPLEX = `
\\set first random(1, 1000000)
WITH digits AS (${DIGITS}), points AS (
  SELECT :first + a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS i,
    (:first + a.n + 10 * b.n + 100 * c.n + 1000 * d.n) * 7919 % 10007 AS value
  FROM digits AS a, digits AS b, digits AS c, digits AS d WHERE d.n < 2
)
SELECT i, value,
  avg(value) OVER (ORDER BY i ROWS 19 PRECEDING) AS average20,
  avg(value) OVER (ORDER BY i ROWS 49 PRECEDING) AS average50,
  sum(value) OVER (PARTITION BY i DIV 100 ORDER BY i) AS running
FROM points ORDER BY value DESC LIMIT 100;
`;

import { formatCount } from '../../base/units.js';
import type { Session } from '../../db/database.js';
import { byType, CANDLE_COLUMNS, CANDLE_WORDS, candleScripts, type QueryType } from './candles.js';
import type { BuiltIn } from './sql-target.js';

/** The built-in queries on whatever there is in a file: candles, else its largest table, else no table at all. */
export async function queriesFor(type: QueryType, session: Session): Promise<BuiltIn> {
  const candles = await findCandles(session);
  if (candles !== null) {
    return {
      scripts: candleScripts(type, quoted(candles.table), candles.symbols),
      work: `${CANDLE_WORDS[type]} (table ${candles.table})`,
    };
  }
  const largest = await findLargest(session);
  const simple =
    largest === null
      ? { script: GENERATED_SIMPLE, words: 'a series of 20 generated rows (there is no table with rows)' }
      : {
          script: `\\set id random(1, ${largest.lastRowId})\nSELECT * FROM ${quoted(largest.table)} WHERE rowid >= :id LIMIT 1;`,
          words: `one row of ${largest.table}, the largest table, by its rowid`,
        };
  const complex = `moving averages over a generated series of ${formatCount(GENERATED_ROWS)} rows`;
  const words: Record<QueryType, string> = {
    simple: simple.words,
    complex: `${complex} (there is no table of candles)`,
    mixed: `four in five: ${simple.words}; one in five: ${complex}`,
  };
  return { scripts: byType(type, simple.script, GENERATED_COMPLEX), work: words[type] };
}

async function findCandles(session: Session): Promise<{ table: string; symbols: string[] } | null> {
  const names = CANDLE_COLUMNS.map((name) => `'${name}'`).join(', ');
  const { rows } = await session.query<{ name: string }>(
    `SELECT name FROM sqlite_schema AS t WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
       AND (SELECT count(DISTINCT lower(name)) FROM pragma_table_info(t.name) WHERE lower(name) IN (${names})) = ?
     ORDER BY name = 'candles' DESC, name LIMIT 1`,
    [CANDLE_COLUMNS.length],
  );
  const table = rows[0]?.name;
  if (table === undefined) return null;
  // Some of the first rows will do: to find every symbol could mean to read the whole table.
  const found = await session.query<{ symbol: string }>(
    `SELECT DISTINCT CAST(symbol AS TEXT) AS symbol FROM (SELECT symbol FROM ${quoted(table)} LIMIT 100000) LIMIT 200`,
  );
  const symbols = found.rows.map(({ symbol }) => symbol);
  return symbols.length === 0 ? null : { table, symbols };
}

/** The table with the highest rowid, which is found without reading it; null if none has rows. */
async function findLargest(session: Session): Promise<{ table: string; lastRowId: number } | null> {
  const { rows } = await session.query<{ name: string }>(
    `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND wr = 0
       AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' LIMIT 500`,
  );
  let largest: { table: string; lastRowId: number } | null = null;
  for (const { name } of rows) {
    const result = await session.query<{ last: number | null }>(
      `SELECT max(rowid) AS last FROM ${quoted(name)}`,
    );
    const last = Number(result.rows[0]?.last ?? 0);
    if (last > (largest?.lastRowId ?? 0)) largest = { table: name, lastRowId: last };
  }
  return largest;
}

const GENERATED_ROWS = 2000;
const GENERATED_SIMPLE = `
\\set first random(1, 1000000)
WITH RECURSIVE series (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM series WHERE i < :first + 19)
SELECT i, i * 7919 % 10007 AS value FROM series;
`;
const GENERATED_COMPLEX = `
\\set first random(1, 1000000)
WITH RECURSIVE series (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM series WHERE i < :first + ${GENERATED_ROWS - 1}),
points AS (SELECT i, i * 7919 % 10007 AS value FROM series)
SELECT i, value,
  avg(value) OVER (ORDER BY i ROWS 19 PRECEDING) AS average20,
  avg(value) OVER (ORDER BY i ROWS 49 PRECEDING) AS average50,
  sum(value) OVER (PARTITION BY i / 100 ORDER BY i) AS running
FROM points ORDER BY value DESC LIMIT 100;
`;

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

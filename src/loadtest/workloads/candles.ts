import type { Random } from '../../base/random.js';
import { formatCount } from '../../base/units.js';
import { parseScript, type Script } from './script.js';

/** The built-in queries to run. */
export type QueryType = 'simple' | 'complex' | 'mixed';

/** Made-up minute candles, the kind of data that the systems that poolctl came from are about. */
export const SYMBOLS: readonly string[] =
  'AAPL MSFT NVDA AMZN META GOOG TSLA AVGO COST NFLX AMD ADBE PEP CSCO TMUS INTC QCOM INTU AMGN TXN'.split(
    ' ',
  );
export const CANDLES_PER_SYMBOL = 2500;
const FIRST_MINUTE = Date.UTC(2025, 0, 2, 14, 30) / 1000;

/** Columns that a table must have for the queries on candles to work. */
export const CANDLE_COLUMNS = ['symbol', 'ts', 'open', 'high', 'low', 'close', 'volume'] as const;

export type Candle = readonly [
  ts: number,
  open: number,
  high: number,
  low: number,
  close: number,
  volume: number,
];

/** One symbol's candles: a random walk, the same for the same numbers. */
export function makeCandles(random: Random): Candle[] {
  let price = 20 + random() * 400;
  return Array.from({ length: CANDLES_PER_SYMBOL }, (_, minute) => {
    const open = price;
    price = Math.max(1, open * (1 + (random() - 0.5) * 0.004));
    const high = Math.max(open, price) * (1 + random() * 0.001);
    const low = Math.min(open, price) * (1 - random() * 0.001);
    const cents = (value: number) => Math.round(value * 100) / 100;
    const volume = Math.floor(random() * 100_000);
    return [FIRST_MINUTE + minute * 60, cents(open), cents(high), cents(low), cents(price), volume];
  });
}

/** The latest candles of one symbol: one look-up by index, and 20 rows. */
const SIMPLE = `
SELECT ts, open, high, low, close, volume
FROM TABLE WHERE symbol = :symbol
ORDER BY ts DESC LIMIT 20;
`;

/** All candles of one symbol as quarters of an hour, with two moving averages and the day's volume-weighted price. */
const COMPLEX = `
WITH bars AS (
  SELECT ts - ts % 900 AS bar, min(ts) AS first, max(ts) AS last,
    max(high) AS high, min(low) AS low, sum(volume) AS volume
  FROM TABLE WHERE symbol = :symbol GROUP BY ts - ts % 900
)
SELECT bar, o.open, bars.high, bars.low, c.close, bars.volume,
  avg(c.close) OVER (ORDER BY bar ROWS 19 PRECEDING) AS sma20,
  avg(c.close) OVER (ORDER BY bar ROWS 49 PRECEDING) AS sma50,
  sum(c.close * bars.volume) OVER day / sum(bars.volume) OVER day AS vwap
FROM bars
JOIN TABLE AS o ON o.symbol = :symbol AND o.ts = bars.first
JOIN TABLE AS c ON c.symbol = :symbol AND c.ts = bars.last
WINDOW day AS (PARTITION BY bar / 86400 ORDER BY bar)
ORDER BY bar DESC LIMIT 100;
`;

/** The built-in queries on a table of candles with these symbols; `table` as it is to stand in the SQL, quoted if need be. `division` gives whole numbers. */
export function candleScripts(
  type: QueryType,
  table: string,
  symbols: readonly string[],
  { division = '/' }: { readonly division?: '/' | 'DIV' } = {},
): Script[] {
  const quoted = symbols.map((symbol) => `'${symbol.replaceAll("'", "''")}'`);
  const pick = `\\set symbol choose(${quoted.join(', ')})`;
  const on = (query: string) =>
    pick + query.replaceAll('TABLE', () => table).replace('bar / 86400', `bar ${division} 86400`);
  return byType(type, on(SIMPLE), on(COMPLEX));
}

/** The work of an iteration of each type. */
export const CANDLE_WORDS: Readonly<Record<QueryType, string>> = {
  simple: 'the latest 20 candles of one symbol, by index',
  complex: `${formatCount(CANDLES_PER_SYMBOL)} candles of one symbol as 15-minute bars with moving averages`,
  mixed:
    'four in five simple (the latest 20 candles by index), one in five complex (bars with moving averages)',
};

/** Mixed is four simple queries to one complex one. */
export function byType(type: QueryType, simple: string, complex: string): Script[] {
  const weights: Record<QueryType, readonly [simple: number, complex: number]> = {
    simple: [1, 0],
    complex: [0, 1],
    mixed: [4, 1],
  };
  const [simpleWeight, complexWeight] = weights[type];
  return [
    ...(simpleWeight > 0 ? [parseScript(simple, { name: 'simple', weight: simpleWeight })] : []),
    ...(complexWeight > 0 ? [parseScript(complex, { name: 'complex', weight: complexWeight })] : []),
  ];
}

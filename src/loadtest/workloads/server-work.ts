import { formatCount } from '../../base/units.js';
import { byType, CANDLE_WORDS, candleScripts, type QueryType } from './candles.js';
import type { BuiltIn } from './sql-target.js';

/** The built-in queries on a table of candles. */
export function candleWork(
  type: QueryType,
  table: string,
  symbols: readonly string[],
  options?: { readonly division?: '/' | 'DIV' },
): BuiltIn {
  return {
    scripts: candleScripts(type, table, symbols, options),
    work: `${CANDLE_WORDS[type]} (table ${table})`,
  };
}

/** Rows of the series that the complex query on generated rows goes through. */
export const GENERATED_ROWS = 2000;

/** The built-in queries of a server on which there is no table of candles: on rows that it generates. */
export function generatedWork(type: QueryType, simple: string, complex: string): BuiltIn {
  const words = {
    simple: 'a series of 20 generated rows',
    complex: `moving averages over a generated series of ${formatCount(GENERATED_ROWS)} rows`,
  };
  const work: Record<QueryType, string> = {
    simple: `${words.simple} (no table is needed)`,
    complex: `${words.complex} (no table is needed)`,
    mixed: `four in five: ${words.simple}; one in five: ${words.complex}`,
  };
  return { scripts: byType(type, simple, complex), work: work[type] };
}

import type { QueryParams, QueryResult } from '../connection.js';
import { refuse, unbindable } from './parameters.js';
import type { Answer, Params } from './sqlite-engine.js';

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/**
 * The parameters as SQLite can bind them: booleans become 1 and 0, Dates their ISO text (which SQLite's own date
 * functions read). Numbers are bound as REAL, as JavaScript has no other: a column of INTEGER affinity stores 3 as
 * an integer all the same, but `? / 2` with 3 is 1.5; bind a BigInt where an INTEGER is meant.
 * Throws ERR_DB_PARAM, naming every parameter that cannot be bound.
 */
export function bindable(params: QueryParams | undefined, sql: string): Params {
  if (params === undefined) return null;
  const problems: string[] = [];
  const bound = isList(params) ? bindList(params, problems) : bindNamed(params, problems);
  refuse(problems, sql);
  return bound;
}

function isList(params: QueryParams): params is readonly unknown[] {
  return Array.isArray(params);
}

function bindList(params: readonly unknown[], problems: string[]): unknown[] | null {
  if (params.length === 0) return null;
  return Array.from(params, (value, i) => bindValue(value, `parameter ${i + 1}`, problems));
}

function bindNamed(params: Readonly<Record<string, unknown>>, problems: string[]): Record<string, unknown> {
  const bound: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(params)) {
    bound[name] = bindValue(value, `parameter '${name}'`, problems);
  }
  return bound;
}

function bindValue(value: unknown, what: string, problems: string[]): unknown {
  const problem = unbindable(value);
  if (problem !== null) problems.push(`${what} ${problem}`);
  else if (typeof value === 'boolean') return value ? 1 : 0;
  else if (value instanceof Date) return value.toISOString();
  else if (typeof value === 'bigint' && (value > INT64_MAX || value < INT64_MIN)) {
    problems.push(`${what} does not fit into 64 bits: ${value}`);
  }
  return value;
}

/** Rows as objects again. Bytes are Buffers, also after they have crossed from another thread. */
export function toResult<Row>([
  ,
  columns,
  values,
  rowCount,
  lastInsertRowid,
  blobs,
]: Answer): QueryResult<Row> {
  if (columns.length === 0) return { rows: [], columns, rowCount, lastInsertRowid };
  const rows = new Array<Record<string, unknown>>(rowCount);
  let at = 0;
  for (let i = 0; i < rowCount; i++) {
    const row: Record<string, unknown> = {};
    for (const column of columns) {
      const value = values[at++];
      row[column] = blobs !== null && value instanceof Uint8Array ? asBuffer(value) : value;
    }
    rows[i] = row;
  }
  return { rows: rows as Row[], columns, rowCount, lastInsertRowid };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

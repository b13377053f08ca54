import type { QueryParams, QueryResult } from '../connection.js';
import { DatabaseError } from '../errors.js';
import { refuse, unbindable } from './parameters.js';
import type { PgResult, PgTypes, TypeParser } from './pg-wire.js';

/** The protocol counts parameters in 16 bits, and what does not fit breaks the connection. */
const MOST_PARAMETERS = 65_535;

const INT8 = 20;
const INT8_LIST = 1016;
const TEXT_LIST = 1009;
const DATE = 1082;
const DATE_LIST = 1182;

/**
 * The parameters as PostgreSQL can bind them: also lists, for its arrays. Throws ERR_DB_PARAM, naming every parameter
 * that cannot be bound, and ERR_DB_SQL for a statement that cannot be sent.
 */
export function bindable(params: QueryParams | undefined, sql: string): unknown[] {
  refuseZeroBytes(sql);
  if (params === undefined) return [];
  const problems: string[] = [];
  if (!Array.isArray(params)) {
    problems.push('PostgreSQL has no named parameters: write $1, $2 and pass a list');
  } else if (params.length > MOST_PARAMETERS) {
    problems.push(
      `${params.length} parameters are more than the ${MOST_PARAMETERS} that PostgreSQL takes; pass lists`,
    );
  } else params.forEach((value, i) => void check(value, `parameter ${i + 1}`, problems));
  refuse(problems, sql);
  return [...(params as readonly unknown[])];
}

function check(value: unknown, what: string, problems: string[]): void {
  if (Array.isArray(value)) {
    for (const [i, each] of value.entries()) check(each, `${what}[${i}]`, problems);
    return;
  }
  const problem = unbindable(value);
  if (problem !== null) problems.push(`${what} ${problem}`);
}

/** A zero byte ends a text in the protocol: what stands behind it would be read as the next message. */
export function refuseZeroBytes(sql: string): void {
  if (sql.includes('\0')) throw new DatabaseError('ERR_DB_SQL', 'the statement holds a zero byte', { sql });
}

/**
 * As `pg` reads values, but integers of 64 bits come as numbers where a number holds them exactly, else as BigInt, and
 * a date is the text that it is: as a Date it would be another day in another time zone.
 */
export function typesOf({ getTypeParser }: PgTypes): PgTypes {
  const listOf = (read: (text: string) => unknown): TypeParser => {
    const parse = getTypeParser(TEXT_LIST, 'text');
    return (text) => eachOf(parse(text), read);
  };
  const own = new Map<number, TypeParser>([
    [INT8, narrow],
    [INT8_LIST, listOf(narrow)],
    [DATE, (text) => text],
    [DATE_LIST, listOf((text) => text)],
  ]);
  return {
    getTypeParser: (oid, format) =>
      (format === 'binary' ? undefined : own.get(oid)) ?? getTypeParser(oid, format),
  };
}

function eachOf(value: unknown, read: (text: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => eachOf(each, read));
  return typeof value === 'string' ? read(value) : value;
}

function narrow(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

export function toResult<Row>({ rows, fields, rowCount }: PgResult): QueryResult<Row> {
  return {
    rows: rows as Row[],
    columns: fields.map(({ name }) => name),
    rowCount: rowCount ?? rows.length,
    lastInsertRowid: null,
  };
}

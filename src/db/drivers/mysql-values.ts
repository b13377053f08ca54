import type { QueryParams, QueryResult } from '../connection.js';
import { piecesOf } from '../mysql-tokens.js';
import type { MysqlField, MysqlFields, MysqlHeader, MysqlRows } from './mysql-wire.js';
import { refuse, unbindable } from './parameters.js';

/** How values are written into a statement. */
export interface Writing {
  /** False with NO_BACKSLASH_ESCAPES. */
  readonly backslash: boolean;
  /** The time zone that a Date is written in: 'local', 'Z' or an offset. */
  readonly timezone: string;
}

const NONE: readonly unknown[] = [];

/** The parameters as MySQL can bind them. Throws ERR_DB_PARAM, naming every parameter that cannot be bound. */
export function bindable(params: QueryParams | undefined, sql: string, writing: Writing): readonly unknown[] {
  const values = params ?? NONE;
  if (!Array.isArray(values)) {
    refuse(['MySQL has no named parameters: write ? and pass a list'], sql);
    return NONE;
  }
  const problems: string[] = [];
  values.forEach((value, i) => {
    const problem = unbindable(value) ?? notFinite(value);
    if (problem !== null) problems.push(`parameter ${i + 1} ${problem}`);
  });
  const places = cutOf(sql, writing).length - 1;
  if (problems.length === 0 && places !== values.length) {
    problems.push(`the statement has ${places} placeholders, and ${values.length} values were given`);
  }
  refuse(problems, sql);
  return values;
}

function notFinite(value: unknown): string | null {
  return typeof value === 'number' && !Number.isFinite(value)
    ? `is ${value}, which MySQL cannot store`
    : null;
}

/** The statement with its values written into it. */
export function written(sql: string, values: readonly unknown[], writing: Writing): string {
  if (values.length === 0) return sql;
  const pieces = cutOf(sql, writing);
  let text = pieces[0] ?? '';
  for (let i = 0; i < values.length; i++) text += literal(values[i], writing) + (pieces[i + 1] ?? '');
  return text;
}

const MOST_CUT = 500;
const cuts = [new Map<string, readonly string[]>(), new Map<string, readonly string[]>()] as const;

/** A statement that is run often is cut into its pieces once. */
function cutOf(sql: string, { backslash }: Writing): readonly string[] {
  const known = cuts[backslash ? 0 : 1];
  const before = known.get(sql);
  if (before !== undefined) return before;
  const pieces = sql.includes('?') ? piecesOf(sql, { backslash }) : [sql];
  if (known.size >= MOST_CUT) known.clear();
  known.set(sql, pieces);
  return pieces;
}

export function literal(value: unknown, { backslash, timezone }: Writing): string {
  switch (typeof value) {
    case 'string':
      return backslash ? escaped(value) : `'${value.replaceAll("'", "''")}'`;
    case 'number':
    case 'bigint':
      return String(value);
    case 'boolean':
      return value ? '1' : '0';
    default:
      if (value === null) return 'NULL';
      if (value instanceof Date) return `'${dateText(value, timezone)}'`;
      return `X'${bytes(value as Uint8Array).toString('hex')}'`;
  }
}

/** It ends a file on Windows, and is escaped for that. */
const SUBSTITUTE = String.fromCharCode(26);
const SPECIAL = new RegExp(`['\\\\\\0\\n\\r${SUBSTITUTE}]`);
const EACH_SPECIAL = new RegExp(SPECIAL, 'g');
const ESCAPES: Readonly<Record<string, string>> = {
  "'": "\\'",
  '\\': '\\\\',
  '\0': '\\0',
  '\n': '\\n',
  '\r': '\\r',
  [SUBSTITUTE]: '\\Z',
};

function escaped(value: string): string {
  return SPECIAL.test(value)
    ? `'${value.replace(EACH_SPECIAL, (sign) => ESCAPES[sign] ?? sign)}'`
    : `'${value}'`;
}

function bytes({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** MySQL keeps no time zone with a DATETIME: the text is that of the zone that the connection is configured with. */
export function dateText(date: Date, timezone: string): string {
  const shifted =
    timezone === 'local'
      ? date.getTime() - date.getTimezoneOffset() * 60_000
      : date.getTime() + offsetMs(timezone);
  return new Date(shifted).toISOString().replace('T', ' ').replace('Z', '');
}

function offsetMs(timezone: string): number {
  const [, sign, hours = 0, minutes = 0] = /^([+-])(\d\d):?(\d\d)$/.exec(timezone) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** Only for a prepared statement. */
export function executable(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array && !Buffer.isBuffer(value) ? bytes(value) : value;
}

const LONGLONG = 8;

/** The rows of a SELECT, or what another statement changed. Of a procedure the first result that has rows. */
export function toResult<Row>(rows: MysqlRows, fields: MysqlFields | undefined): QueryResult<Row> {
  if (!Array.isArray(rows)) return changed(rows as MysqlHeader);
  if (isList(fields)) return found(rows, fields);
  const at = fields?.findIndex((each) => Array.isArray(each)) ?? -1;
  if (at < 0) return changed(rows.at(-1) as MysqlHeader);
  return found(rows[at] as unknown[], fields?.[at] as readonly MysqlField[]);
}

function isList(fields: MysqlFields | undefined): fields is readonly MysqlField[] {
  const first = fields?.[0];
  return first !== undefined && !Array.isArray(first);
}

/** The header that ends a result; null where its last part has rows. */
export function headerOf(rows: MysqlRows | undefined, fields: MysqlFields | undefined): MysqlHeader | null {
  if (rows === undefined) return null;
  if (!Array.isArray(rows)) return rows as MysqlHeader;
  const hasHeader = fields !== undefined && fields.length > 0 && fields.at(-1) === undefined;
  return hasHeader ? (rows.at(-1) as MysqlHeader) : null;
}

function changed<Row>({ affectedRows, insertId }: MysqlHeader): QueryResult<Row> {
  const key = Number(insertId);
  const lastInsertRowid = key === 0 ? null : Number.isSafeInteger(key) ? key : BigInt(insertId);
  return { rows: [], columns: [], rowCount: affectedRows, lastInsertRowid };
}

function found<Row>(rows: unknown[], fields: readonly MysqlField[]): QueryResult<Row> {
  for (const { name, columnType } of fields) if (columnType === LONGLONG) widen(rows, name);
  return {
    rows: rows as Row[],
    columns: fields.map(({ name }) => name),
    rowCount: rows.length,
    lastInsertRowid: null,
  };
}

/** A value that no number holds exactly comes as a text. */
function widen(rows: unknown[], name: string): void {
  for (const row of rows as Record<string, unknown>[]) {
    const value = row[name];
    if (typeof value === 'string') row[name] = BigInt(value);
  }
}

import type { Place, Sort } from './place.js';
import type { Tone } from './spans.js';

/** The key for sorting and search; null (not measured) comes last in either order. */
export type Value = string | number | null;

/** How cells that draw are to be drawn. */
export interface Drawing {
  readonly unicode: boolean;
  readonly cwd: string;
}

export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  /** Figures go right, words left. Default left. */
  readonly align?: 'left' | 'right';
  /** If there is no room for all, the columns with the highest rank are dropped first; 1 stays to the end. */
  readonly rank: number;
  /** Columns of the terminal; the least, if it grows. */
  readonly width: number;
  /** Its share of the room that is left; without it, it has none. */
  readonly grow?: number;
  /** Left out while no row has a value in it. */
  readonly optional?: true;
  value(row: Row): Value;
  /** The text of the cell; default: the value itself. */
  text?(row: Row, width: number, drawing: Drawing): string;
  tone?(row: Row): Tone | null;
}

/** A kind of table: where its rows come from is not its business. */
export interface TableSpec<Row> {
  /** Its sorting is kept under this name. */
  readonly name: string;
  readonly title: string;
  readonly columns: readonly Column<Row>[];
  /** null: in the order of the rows. */
  readonly sort: Sort | null;
  key(row: Row): string;
  /** The view that Enter opens; null if none. */
  open?(row: Row): Place | null;
  /** Why a row is not of this moment; null where it is. Default: all are. */
  aged?(row: Row): Aged | null;
  /** Said where there are no rows at all. */
  readonly empty: string;
}

/** `stale`: its source cannot be read now. `ended`: the process is gone. */
export type Aged = 'stale' | 'ended';

/** A table with its rows, as the screen asks for it: kinds of rows do not matter any more. */
export interface Table {
  readonly name: string;
  readonly title: string;
  readonly columns: readonly Omit<Column<never>, 'value' | 'text' | 'tone'>[];
  readonly sort: Sort | null;
  /** After the filter, sorted. */
  readonly keys: readonly string[];
  /** Before the filter. */
  readonly total: number;
  readonly empty: string;
  open(at: number): Place | null;
  aged(at: number): Aged | null;
  text(at: number, column: number, width: number, drawing: Drawing): string;
  tone(at: number, column: number): Tone | null;
}

export interface TableQuery {
  /** null: the table's own. */
  readonly sort: Sort | null;
  readonly filter: string;
}

/** Filters and sorts rows. Cells are asked for later, of the rows that are seen only. */
export function tableOf<Row>(spec: TableSpec<Row>, rows: readonly Row[], query: TableQuery): Table {
  const columns = spec.columns.filter(
    ({ optional, value }) => optional !== true || rows.some((row) => value(row) !== null),
  );
  const sort = query.sort ?? spec.sort;
  const kept = filtered(rows, columns, query.filter);
  const column = sort === null ? undefined : columns.find(({ id }) => id === sort.column);
  const shown = column === undefined ? kept : sorted(kept, column, sort?.descending === true);
  const rowAt = <Result>(at: number, give: (row: Row) => Result, otherwise: Result): Result => {
    const row = shown[at];
    return row === undefined ? otherwise : give(row);
  };
  return {
    name: spec.name,
    title: spec.title,
    columns,
    sort,
    keys: shown.map((row) => spec.key(row)),
    total: rows.length,
    empty: spec.empty,
    open: (at) => rowAt(at, (row) => spec.open?.(row) ?? null, null),
    aged: (at) => rowAt(at, (row) => spec.aged?.(row) ?? null, null),
    text: (at, index, width, drawing) => rowAt(at, (row) => cell(columns[index], row, width, drawing), ''),
    tone: (at, index) => rowAt(at, (row) => columns[index]?.tone?.(row) ?? null, null),
  };
}

/** Whether a row is kept by a filter: `text` looks for it in all columns, whatever its case, `!text` is the opposite. */
function filtered<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  filter: string,
): readonly Row[] {
  const inverse = filter.startsWith('!');
  const wanted = (inverse ? filter.slice(1) : filter).trim().toLowerCase();
  if (wanted === '') return rows;
  return rows.filter((row) => {
    const has = columns.some(({ value }) => {
      const found = value(row);
      return found !== null && String(found).toLowerCase().includes(wanted);
    });
    return has !== inverse;
  });
}

function sorted<Row>(rows: readonly Row[], column: Column<Row>, descending: boolean): readonly Row[] {
  const sign = descending ? -1 : 1;
  return rows
    .map((row) => ({ row, value: column.value(row) }))
    .sort(({ value: one }, { value: other }) => {
      if (one === other) return 0;
      if (one === null) return 1;
      if (other === null) return -1;
      return sign * (one < other ? -1 : 1);
    })
    .map(({ row }) => row);
}

function cell<Row>(column: Column<Row> | undefined, row: Row, width: number, drawing: Drawing): string {
  if (column === undefined) return '';
  if (column.text !== undefined) return column.text(row, width, drawing);
  const value = column.value(row);
  return value === null ? '-' : String(value);
}

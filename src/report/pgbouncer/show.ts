import type { Shown, ShownTable } from '../../pgbouncer/console.js';
import { palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { type Column, tableLines } from '../table.js';
import { printable, widthOf, wrap } from '../text.js';

export interface ShowResult extends ShownTable {
  readonly schema: 1;
  readonly what: Shown;
}

export function renderJson(result: ShowResult): string {
  return `${JSON.stringify(objectOf(result), null, 2)}\n`;
}

/** The same as JSON in one line, for what is shown again and again. */
export function showLine(result: ShowResult): string {
  return `${JSON.stringify(objectOf(result))}\n`;
}

/** The document of `--format json`. */
export interface ShowDocument {
  readonly schema: 1;
  readonly what: Shown;
  /** Columns are known by their names, which differ from version to version. */
  readonly rows: readonly Readonly<Record<string, string>>[];
}

function objectOf({ schema, what, columns, rows }: ShowResult): ShowDocument {
  const named = rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at] ?? ''])));
  return { schema, what, rows: named };
}

/** The columns that come first; the others follow as PgBouncer has them. */
const FIRST: Readonly<Partial<Record<Shown, readonly string[]>>> = {
  pools: [
    'database',
    'user',
    'cl_active',
    'cl_waiting',
    'maxwait',
    'sv_active',
    'sv_idle',
    'sv_used',
    'maxwait_us',
  ],
  stats: [
    'database',
    'total_xact_count',
    'total_query_count',
    'total_wait_time',
    'avg_xact_time',
    'avg_query_time',
  ],
  databases: ['name', 'host', 'port', 'database', 'pool_size', 'current_connections', 'paused', 'disabled'],
  clients: ['user', 'database', 'state', 'addr', 'port', 'application_name', 'wait', 'link', 'ptr'],
  servers: ['user', 'database', 'state', 'remote_pid', 'link', 'ptr', 'addr', 'port', 'request_time'],
};

/** Cells wider than this are of one column that would take the place of all others. */
const WIDEST_CELL = 40;

/** As many columns as the width has room for; what is left out is named below. */
export function renderText({ what, columns, rows }: ShowResult, options: RenderOptions): string {
  const paint = palette(options);
  if (rows.length === 0) return `${what}: none\n`;
  const first = FIRST[what]?.filter((column) => columns.includes(column)) ?? [];
  const ordered = [...first, ...columns.filter((column) => !first.includes(column))];
  const cells = (column: string) => rows.map((row) => printable(row[columns.indexOf(column)] ?? ''));
  const kept: string[] = [];
  const empty: string[] = [];
  const tooWide: string[] = [];
  let width = 0;
  for (const column of ordered) {
    const own = cells(column);
    const needed =
      2 + Math.max(widthOf(printable(column)), ...own.map((cell) => Math.min(WIDEST_CELL, widthOf(cell))));
    if (own.every((cell) => cell === '') && !first.includes(column)) empty.push(column);
    else if (kept.length > 0 && tooWide.length === 0 && width + needed <= options.width) {
      kept.push(column);
      width += needed;
    } else if (kept.length === 0) {
      kept.push(column);
      width = needed - 2;
    } else tooWide.push(column);
  }
  const lines = tableLines(
    rows,
    kept.map((column): Column<readonly string[]> => {
      const at = columns.indexOf(column);
      const isFigure = rows.every((row) => /^-?\d*(\.\d+)?$/.test(row[at] ?? ''));
      return {
        title: printable(column),
        align: isFigure ? 'right' : 'left',
        cell: (row) => printable(row[at] ?? ''),
      };
    }),
    { title: paint.faint },
  );
  const more =
    tooWide.length === 0
      ? []
      : [
          '',
          ...wrap(`further columns: ${tooWide.map(printable).join(', ')}`, options.width).map((line) =>
            paint.faint(line),
          ),
        ];
  return `${[...lines, ...more].join('\n')}\n`;
}

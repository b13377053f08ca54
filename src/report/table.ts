import { padEnd, padStart, widthOf } from './text.js';

export interface Column<Row> {
  readonly title: string;
  /** Figures go right, words left. Default left. */
  readonly align?: 'left' | 'right';
  cell(row: Row): string;
}

export interface TableOptions {
  /** Put in front of every line. Default none. */
  readonly indent?: string;
  /** Between two columns. Default two spaces. */
  readonly gap?: string;
  /** Styles the title line; the table is laid out before. */
  readonly title?: (text: string) => string;
}

/** A table as lines: columns as wide as their widest cell, titles above, nothing behind the last cell. */
export function tableLines<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: TableOptions = {},
): string[] {
  const { indent = '', gap = '  ', title = (text: string) => text } = options;
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, at) =>
    Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[at] ?? ''))),
  );
  const lineOf = (texts: readonly string[]) =>
    texts
      .map((text, at) =>
        columns[at]?.align === 'right' ? padStart(text, widths[at] ?? 0) : padEnd(text, widths[at] ?? 0),
      )
      .join(gap)
      .trimEnd();
  const head = columns.some((column) => column.title !== '')
    ? [title(lineOf(columns.map((column) => column.title)))]
    : [];
  return [...head, ...cells.map(lineOf)].map((line) => indent + line);
}

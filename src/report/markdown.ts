import { printable, widthOf } from './text.js';

/** Text that stands in Markdown as it is: nothing in it is taken for mark-up, and a table cell holds it. */
export function markdownText(text: string): string {
  // An underscore within a word is no emphasis, and codes like ERR_POOL_TIMEOUT are full of them.
  return printable(text).replace(/[\\`*[\]<>|~#]|(?<!\w)_|_(?!\w)/g, (char) =>
    char === '<' ? '&lt;' : `\\${char}`,
  );
}

/** A table, in columns also for those who read the source. Cells are Markdown: other text goes through markdownText. */
export function markdownTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  /** The columns of figures, from 0: they are aligned to the right. */
  figures: readonly number[] = [],
): string {
  const lines = [titles, ...rows];
  const widths = titles.map((_, at) => Math.max(3, ...lines.map((cells) => widthOf(cells[at] ?? ''))));
  const line = (cells: readonly string[]) =>
    `| ${cells
      .map((cell, at) => {
        const gap = ' '.repeat(Math.max(0, (widths[at] ?? 0) - widthOf(cell)));
        return figures.includes(at) ? gap + cell : cell + gap;
      })
      .join(' | ')} |`;
  const rule = widths.map((width, at) =>
    figures.includes(at) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  const [head = [], ...body] = lines;
  return [line(head), line(rule), ...body.map(line)].join('\n');
}

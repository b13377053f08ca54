import { counted } from '../diagnosis/words.js';
import { padEnd, padStart, truncate } from '../report/text.js';
import type { Line, Span, Tone } from './spans.js';
import type { Drawing, Table } from './table.js';
import { cellText } from './words.js';

/** The columns that fit, by their place in the table, and how wide each is. */
export type Layout = readonly { readonly index: number; readonly width: number }[];

/** Columns of the terminal before the first cell, for the mark of the selected row. */
const MARK = 2;

/** Drops columns by rank until the rest fits, then gives the room that is left to those that grow. */
export function layoutOf(columns: Table['columns'], width: number): Layout {
  const byRank = columns.map((_, index) => index);
  byRank.sort((one, other) => (columns[one]?.rank ?? 0) - (columns[other]?.rank ?? 0) || one - other);
  const kept: number[] = [];
  let used = MARK - 1;
  for (const index of byRank) {
    const needed = (columns[index]?.width ?? 0) + 1;
    // Only a prefix of the order is shown, so the hidden columns are always the less important ones.
    if (kept.length > 0 && used + needed > width) break;
    kept.push(index);
    used += needed;
  }
  kept.sort((one, other) => one - other);
  const shares = kept.map((index) => columns[index]?.grow ?? 0);
  const sum = shares.reduce((total, share) => total + share, 0);
  let left = Math.max(0, width - used);
  const extras = shares.map((share) => (sum === 0 ? 0 : Math.floor((left * share) / sum)));
  left -= extras.reduce((total, extra) => total + extra, 0);
  const lastGrowing = shares.findLastIndex((share) => share > 0);
  return kept.map((index, at) => ({
    index,
    width: (columns[index]?.width ?? 0) + (extras[at] ?? 0) + (at === lastGrowing ? left : 0),
  }));
}

/** Names the columns that have no room, and the width that shows them all. */
export function hiddenColumns({ columns, sort }: Table, layout: Layout): string {
  const shown = new Set(layout.map(({ index }) => index));
  const hidden = columns.filter((_, index) => !shown.has(index));
  if (hidden.length === 0) return '';
  const needed = columns.reduce((sum, { width }) => sum + width + 1, MARK - 1);
  const by = hidden.find(({ id }) => id === sort?.column);
  const sorted = by === undefined ? '' : `sorted by ${by.title}; `;
  const titles = hidden.map(({ title }) => title).join(', ');
  return `${sorted}${counted(hidden.length, 'column')} hidden: ${titles} (all at ${needed} wide)`;
}

export function headLine({ columns, sort }: Table, layout: Layout, width: number, drawing: Drawing): Line {
  const [up, down] = drawing.unicode ? ['▲', '▼'] : ['^', 'v'];
  const cells = layout.map(({ index, width: room }) => {
    const { title = '', align, id } = columns[index] ?? {};
    const mark = sort?.column === id ? (sort?.descending ? down : up) : '';
    return aligned(title.slice(0, room - mark.length) + mark, room, align);
  });
  const text = ' '.repeat(MARK - 1) + cells.map((cell) => ` ${cell}`).join('');
  return [{ text: truncate(text, width, drawing), tone: 'faint' }];
}

/** A row as few spans: neighboring cells of one tone are one. */
export function rowLine(
  table: Table,
  row: number,
  layout: Layout,
  selected: boolean,
  drawing: Drawing,
): Line {
  const spans: Span[] = [];
  const aged = table.aged(row);
  let text = selected ? '>' : ' ';
  let tone: Tone | null = null;
  const mark = aged === null ? '' : `${aged} `;
  // The mark stands before the first word, so that no width cuts it off, or in the place of a figure.
  const markAt = markedColumn(table, layout, mark.length);
  for (const { index, width } of layout) {
    const before = index === markAt ? mark.slice(0, width) : '';
    const room = width - before.length;
    const cell =
      before +
      (before !== '' && room < 4 ? '' : cellText(table.text(row, index, room, drawing), room, drawing));
    // The colors of cells would be unreadable in the inverse of a selected row.
    const own = selected ? null : aged === null ? table.tone(row, index) : 'faint';
    if (own !== tone) {
      spans.push({ text: `${text} `, tone });
      text = '';
      tone = own;
    } else text += ' ';
    text += aligned(cell, width, table.columns[index]?.align);
  }
  spans.push(selected ? { text, inverse: true } : { text, tone });
  return spans;
}

function markedColumn({ columns }: Table, layout: Layout, length: number): number | undefined {
  const word = layout.find(({ index, width }) => columns[index]?.align !== 'right' && width >= length + 4);
  return (word ?? layout[0])?.index;
}

function aligned(text: string, width: number, align: 'left' | 'right' | undefined): string {
  return align === 'right' ? padStart(text, width) : padEnd(text, width);
}

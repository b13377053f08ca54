import type { SweepResult, SweepRow } from '../../loadtest/sweep.js';
import { drawLength } from '../bar.js';
import { palette } from '../color.js';
import { modelWords } from '../loadtest/words.js';
import type { RenderOptions } from '../render-options.js';
import { type Column, tableLines } from '../table.js';
import { printable, wrap } from '../text.js';
import { columnsOf, isKnee } from './columns.js';

const WIDEST = 100;
const BAR_WIDTH = 12;
/** Below this the bars are left out. */
const NARROW = 90;

/** The sweep for people: what it comes to, then size by size. */
export function renderText(result: SweepResult, options: RenderOptions): string {
  const paint = palette(options);
  const width = Math.min(options.width, WIDEST);
  const { rows, workload, regime, sentence, partial } = result;
  const columns: Column<SweepRow>[] = columnsOf(result).map(({ title, cell }) => ({
    title,
    align: 'right',
    cell: (row) => asAscii(cell(row), options),
  }));
  const highest = Math.max(...rows.map(({ throughputPerSecond }) => throughputPerSecond));
  const bars: Column<SweepRow> = {
    title: '',
    cell: (row) => drawLength(row.throughputPerSecond / highest, BAR_WIDTH, options),
  };
  const sections = [
    [
      `${paint.faint('target    ')}${printable(workload.target)}`,
      `${paint.faint('work      ')}${printable(`${workload.name}: ${workload.work}`)}`,
      `${paint.faint('load      ')}${loadWords(result)}`,
    ],
    wrap(`${(regime ?? 'unknown').toUpperCase()}-BOUND: ${sentence}`, width).map((line, at) =>
      at === 0 ? line.replace(/^[A-Z-]+/, (word) => paint.strong(word)) : line,
    ),
    ...(partial ? [[paint.warn('PARTIAL: interrupted before its end')]] : []),
    tableLines(
      rows,
      [
        ...columns,
        ...(width < NARROW ? [] : [bars]),
        { title: '', cell: (row) => (isKnee(result, row) ? paint.good('<- knee') : '') },
      ],
      { title: paint.faint },
    ),
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function loadWords({ model, limits, rows }: SweepResult): string {
  const rounds = Math.max(...rows.map((row) => row.rounds));
  return `${modelWords(model, limits)}; each size ${rounds === 1 ? 'once' : `in ${rounds} rounds, the sizes in turn`}`;
}

function asAscii(text: string, { unicode }: RenderOptions): string {
  return unicode ? text : text.replaceAll('±', '+-');
}

import type { BaselineResult } from '../../loadtest/baseline.js';
import { palette } from '../color.js';
import { modelWords, poolInfoWords } from '../loadtest/words.js';
import type { RenderOptions } from '../render-options.js';
import { tableLines } from '../table.js';
import { printable, wrap } from '../text.js';
import { COLUMNS, rowsOf, sentenceOf } from './words.js';

const WIDEST = 100;

/** The gain of a pool, for people. */
export function renderText(result: BaselineResult, options: RenderOptions): string {
  const paint = palette(options);
  const width = Math.min(options.width, WIDEST);
  const { workload, model, limits, pool, pooled, partial } = result;
  const line = (label: string, text: string) =>
    wrap(printable(text), width - 10).map(
      (part, at) => `${paint.faint((at === 0 ? label : '').padEnd(10))}${part}`,
    );
  const ascii = (text: string) => (options.unicode ? text : text.replaceAll('±', '+-'));
  const sections = [
    [
      ...line('target', workload.target),
      ...line('work', `${workload.name}: ${workload.work}`),
      ...line('pool', poolInfoWords(pool)),
      ...line(
        'load',
        `${modelWords(model, limits)}; ${pooled.rounds === 1 ? 'one round' : `${pooled.rounds} rounds`} of each, in turn`,
      ),
    ],
    wrap(sentenceOf(result), width).map((part, at) => (at === 0 ? paint.strong(part) : part)),
    ...(partial ? [[paint.warn('PARTIAL: interrupted before its end')]] : []),
    tableLines(
      rowsOf(result),
      COLUMNS.map(({ title, cell }, at) => ({
        title,
        align: at === 0 ? ('left' as const) : ('right' as const),
        cell: (row) => ascii(cell(row)),
      })),
      { title: paint.faint },
    ),
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

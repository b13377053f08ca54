import { formatFigure } from '../../base/figure.js';
import { formatMs } from '../../base/units.js';
import type { ComparedRun, Comparison, MetricChange, Shift } from '../../loadtest/compare.js';
import { type Palette, palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { tableLines } from '../table.js';
import { printable, wrap } from '../text.js';
import { changeWords, intervalWords, reasonOf, SHIFT_WORDS } from './words.js';

const WIDEST = 100;

/** The comparison for people: what came of it first, then figure by figure. */
export function renderText(comparison: Comparison, options: RenderOptions): string {
  const paint = palette(options);
  const width = Math.min(options.width, WIDEST);
  const sections = [
    [runLine('before', comparison.before, paint), runLine('after', comparison.after, paint)],
    differenceLines(comparison, paint, width),
    wrap(`${verdictWord(comparison)} ${reasonOf(comparison)}`, width).map((line, at) =>
      at === 0 ? line.replace(/^\w+/, (word) => paint.strong(verdictPaint(comparison, paint)(word))) : line,
    ),
    metricLines(comparison, paint),
    wrap(CAUTION, width).map((line) => paint.faint(line)),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

const CAUTION =
  'The ranges (95 % for all figures together) include the spread within the runs and the usual spread between runs. ' +
  'To show a smaller change, run both several times, in turn.';

function runLine(label: string, run: ComparedRun, paint: Palette): string {
  const { startedAt, iterations, elapsedMs, partial } = run;
  const time = printable(startedAt)
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
  const figures = `${formatFigure(iterations, 'count')} iterations in ${formatMs(elapsedMs)}`;
  return `${paint.faint(label.padEnd(8))}${time}, ${figures}${partial ? paint.warn(', interrupted') : ''}`;
}

function differenceLines({ differences }: Comparison, paint: Palette, width: number): string[] {
  if (differences.length === 0) return [];
  return [
    paint.strong('not the same in both'),
    ...differences.flatMap(({ what, before, after }) =>
      wrap(`${what}: ${printable(before)} -> ${printable(after)}`, width - 4).map(
        (line, at) => `${at === 0 ? '  ' : '    '}${line}`,
      ),
    ),
  ];
}

function verdictWord({ regressions }: Comparison): string {
  return regressions.length > 0 ? 'WORSE:' : 'PASSED:';
}

function verdictPaint({ regressions }: Comparison, paint: Palette): (text: string) => string {
  return regressions.length > 0 ? paint.bad : paint.good;
}

function metricLines({ metrics }: Comparison, paint: Palette): string[] {
  return tableLines<MetricChange>(
    metrics,
    [
      { title: '', cell: ({ title }) => title },
      { title: 'before', align: 'right', cell: ({ before, unit }) => formatFigure(before, unit) },
      { title: 'after', align: 'right', cell: ({ after, unit }) => formatFigure(after, unit) },
      { title: 'change', align: 'right', cell: changeWords },
      { title: 'range', align: 'right', cell: intervalWords },
      { title: '', cell: (metric) => shiftPaint(metric, paint)(shiftWords(metric)) },
    ],
    { title: paint.faint },
  );
}

function shiftWords({ shift, regressed }: MetricChange): string {
  if (shift === null) return 'not judged';
  return regressed ? SHIFT_WORDS[shift].toUpperCase() : SHIFT_WORDS[shift];
}

function shiftPaint({ shift, regressed }: MetricChange, paint: Palette): (text: string) => string {
  if (regressed) return paint.bad;
  const paints: Record<Shift, (text: string) => string> = {
    better: paint.good,
    worse: paint.warn,
    same: paint.faint,
  };
  return shift === null ? paint.faint : paints[shift];
}

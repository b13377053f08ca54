import { formatCount, formatMs } from '../../base/units.js';
import type { BurstRow } from '../../loadtest/result.js';
import { type Column, tableLines } from '../table.js';
import { NARROW, type Sheet } from './sheet.js';

/** More than these are not listed one by one. */
export const BURSTS_SHOWN = 12;

/** A row for each burst. */
export function burstLines(bursts: readonly BurstRow[] | null, { paint, width }: Sheet): string[] {
  if (bursts === null || bursts.length === 0) return [];
  const shown = bursts.length <= BURSTS_SHOWN ? bursts : bursts.slice(0, BURSTS_SHOWN - 2);
  const figure = (title: string, cell: (row: BurstRow) => string): Column<BurstRow> => ({
    title,
    align: 'right',
    cell,
  });
  const wide = (column: Column<BurstRow>) => (width < NARROW ? [] : [column]);
  const lines = tableLines(
    shown,
    [
      figure('burst', ({ index }) => String(index + 1)),
      ...wide(figure('at', ({ atMs }) => formatMs(atMs))),
      figure('size', ({ size }) => formatCount(size)),
      figure('failed', ({ failed }) => formatCount(failed)),
      ...wide(figure('p50', ({ p50Ms }) => formatMs(p50Ms))),
      figure('p99', ({ p99Ms }) => formatMs(p99Ms)),
      figure('waiting', ({ waitMeanMs }) => formatMs(waitMeanMs)),
      figure('drained', ({ drainMs }) => formatMs(drainMs)),
      { title: '', cell: ({ overran }) => (overran ? paint.warn('overran') : '') },
    ],
    { indent: '  ', title: paint.faint },
  );
  const overran = bursts.filter((burst) => burst.overran).length;
  return [
    paint.strong('bursts'),
    ...lines,
    ...rest(bursts, shown.length),
    ...(overran > 0 ? [`  ${overran} overran: not drained when the next was due`] : []),
  ];
}

function rest(bursts: readonly BurstRow[], shown: number): string[] {
  if (bursts.length <= shown) return [];
  const slowest = bursts.reduce((a, b) => ((b.p99Ms ?? 0) > (a.p99Ms ?? 0) ? b : a));
  return [
    `  and ${formatCount(bursts.length - shown)} more; slowest is burst ${slowest.index + 1}, ` +
      `p99 ${formatMs(slowest.p99Ms)}, drained in ${formatMs(slowest.drainMs)}`,
  ];
}

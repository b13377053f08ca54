import { formatCount, formatMs, formatRate, formatShare } from '../../base/units.js';
import type { BaselineResult } from '../../loadtest/baseline.js';
import type { Rounds } from '../../loadtest/rounds.js';
import { spreadWords } from '../sweep/columns.js';

export interface BaselineRow extends Rounds {
  readonly label: string;
}

export function rowsOf({ pooled, unpooled }: BaselineResult): BaselineRow[] {
  return [
    { label: 'with the pool', ...pooled },
    { label: 'without', ...unpooled },
  ];
}

/** The columns of the table, the same in every format; the first is words. */
export const COLUMNS: readonly { readonly title: string; readonly cell: (row: BaselineRow) => string }[] = [
  { title: '', cell: ({ label }) => label },
  { title: 'throughput', cell: ({ throughputPerSecond }) => formatRate(throughputPerSecond) },
  { title: 'spread', cell: spreadWords },
  { title: 'p50', cell: ({ p50Ms }) => formatMs(p50Ms) },
  { title: 'p99', cell: ({ p99Ms }) => formatMs(p99Ms) },
  { title: 'waiting', cell: ({ waitMeanMs }) => formatMs(waitMeanMs) },
  { title: 'served', cell: ({ serviceMeanMs }) => formatMs(serviceMeanMs) },
  { title: 'failed', cell: ({ failedShare }) => formatShare(failedShare, 2) },
];

export function sentenceOf({ ratio, pooled, unpooled }: BaselineResult): string {
  if (ratio === null || unpooled.throughputPerSecond === 0) {
    return 'Without the pool nothing was served, so there is no ratio.';
  }
  const { median, low, high } = ratio;
  const times = (value: number) => formatCount(value, value < 10 ? 2 : 1);
  const range = pooled.rounds > 1 ? ` (${times(low)} to ${times(high)} over ${pooled.rounds} rounds)` : '';
  return `The pool does ${times(median)} times as much as a connection for each iteration${range}.`;
}

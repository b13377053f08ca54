import { formatCount, formatMs, formatRate } from '../../base/units.js';
import type { StageRow } from '../../loadtest/result.js';
import { tableLines } from '../table.js';
import { NARROW, type Sheet } from './sheet.js';

/** A column of the table of steps, the same in every format. */
export interface StageColumn {
  readonly title: string;
  readonly cell: (row: StageRow) => string;
}

/** The most important columns; the rest is for wide places. */
export const STAGE_COLUMNS: readonly (StageColumn & { readonly wide: boolean })[] = [
  { title: 'rate', wide: false, cell: ({ targetPerSecond }) => formatRate(targetPerSecond) },
  { title: 'served', wide: false, cell: ({ throughputPerSecond }) => formatRate(throughputPerSecond) },
  { title: 'failed', wide: true, cell: ({ failed }) => formatCount(failed) },
  { title: 'dropped', wide: true, cell: ({ dropped }) => formatCount(dropped) },
  { title: 'p50', wide: true, cell: ({ p50Ms }) => formatMs(p50Ms) },
  { title: 'p99', wide: false, cell: ({ p99Ms }) => formatMs(p99Ms) },
  { title: 'waiting p99', wide: false, cell: ({ waitP99Ms }) => formatMs(waitP99Ms) },
];

/** A row for each step of a ramp. */
export function stageLines(stages: readonly StageRow[] | null, { paint, width }: Sheet): string[] {
  if (stages === null || stages.length === 0) return [];
  const columns = STAGE_COLUMNS.filter(({ wide }) => !wide || width > NARROW);
  const lines = tableLines(
    stages,
    [
      ...columns.map(({ title, cell }) => ({ title, align: 'right' as const, cell })),
      {
        title: '',
        cell: (row: StageRow) =>
          row.held === false ? paint.bad(stageWord(row)) : paint.faint(stageWord(row)),
      },
    ],
    { indent: '  ', title: paint.faint },
  );
  return [paint.strong('steps'), ...lines];
}

export function stageWord({ held, why }: StageRow): string {
  return held === null ? 'not judged' : held ? 'held' : `broken: ${why}`;
}

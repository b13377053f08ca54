import { formatCount, formatDuration, formatMs, formatRate } from '../../base/units.js';
import type { Timeline, TimelineRow } from '../../loadtest/result.js';
import { drawSparkline } from '../bar.js';
import { padEnd } from '../text.js';
import type { Sheet } from './sheet.js';

const LABEL_WIDTH = 12;
/** For the range behind a line: `12,345 to 12,345/s`. */
const RANGE_WIDTH = 24;

interface Course {
  readonly label: string;
  readonly value: (row: TimelineRow) => number | null;
  readonly format: (value: number) => string;
  /** The value for several stretches drawn as one. */
  readonly merge: 'mean' | 'most';
}

const COURSES: readonly Course[] = [
  { label: 'throughput', value: (row) => row.throughputPerSecond, format: formatRate, merge: 'mean' },
  { label: 'p99', value: (row) => row.p99Ms, format: formatMs, merge: 'most' },
  { label: 'waiting', value: (row) => row.waiting, format: (value) => formatCount(value), merge: 'most' },
  {
    label: 'failed',
    value: (row) => (row.failed > 0 ? row.failed : null),
    format: (value) => formatCount(value),
    merge: 'most',
  },
];

/** The course of the run, a line for each figure. Nothing where the run was too short to have one. */
export function timelineLines({ intervalMs, rows }: Timeline, { paint, width, unicode }: Sheet): string[] {
  // A last stretch that was cut short says little about throughput.
  const whole = rows.filter(({ lengthMs }, at) => at === 0 || lengthMs >= intervalMs / 2);
  if (whole.length < 3) return [];
  const cells = Math.max(10, width - 2 - LABEL_WIDTH - RANGE_WIDTH - 2);
  const perCell = Math.ceil(whole.length / cells);
  const lines = COURSES.flatMap(({ label, value, format, merge }) => {
    const values = merged(whole.map(value), perCell, merge);
    const measured = values.filter((each) => each !== null);
    if (measured.length === 0) return [];
    const [low, high] = [format(Math.min(...measured)), format(Math.max(...measured))];
    const range = low === high ? low : `${low} to ${high}`;
    return [`  ${padEnd(label, LABEL_WIDTH)}${drawSparkline(values, { unicode })}  ${paint.faint(range)}`];
  });
  return [paint.strong(`over time, a column for each ${formatDuration(intervalMs * perCell)}`), ...lines];
}

function merged(
  values: readonly (number | null)[],
  perCell: number,
  how: Course['merge'],
): (number | null)[] {
  if (perCell === 1) return [...values];
  const groups = Array.from({ length: Math.ceil(values.length / perCell) }, (_, at) =>
    values.slice(at * perCell, (at + 1) * perCell).filter((value) => value !== null),
  );
  return groups.map((group) => {
    if (group.length === 0) return null;
    return how === 'most' ? Math.max(...group) : group.reduce((sum, value) => sum + value, 0) / group.length;
  });
}

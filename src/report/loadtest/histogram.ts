import { formatCount, formatMs, formatShare } from '../../base/units.js';
import type { Distribution } from '../../loadtest/distribution.js';
import { drawLength } from '../bar.js';
import { padEnd, padStart } from '../text.js';
import type { Sheet } from './sheet.js';

const MOST_ROWS = 10;
/** Steps within a power of ten, from fine to coarse: the first that needs few enough rows is taken. */
const STEPS = [[1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8], [1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]] as const;

/** For charts: so many steps of equal factors in a power of ten. Recorded values are exact to 0.8 %. */
const MOST_COLUMNS = 60;
const FINE_STEPS = [80, 40, 20].map((count) =>
  Array.from({ length: count }, (_, at) => Number((10 ** (at / count)).toPrecision(3))),
);

export interface HistogramRow {
  readonly upToMs: number;
  readonly count: number;
}

/** The distribution as bars, over steps that grow with the value. */
export function histogramLines(distribution: Distribution, { paint, width, unicode }: Sheet): string[] {
  const rows = histogramRows(distribution);
  if (rows.length === 0) return [];
  const most = Math.max(...rows.map(({ count }) => count));
  const labels = rows.map(({ upToMs }) => formatMs(upToMs));
  const shares = rows.map(({ count }) => formatShare(count / distribution.count));
  const counts = rows.map(({ count }) => formatCount(count));
  const widest = (texts: readonly string[]) => Math.max(...texts.map((text) => text.length));
  const [labelWidth, shareWidth, countWidth] = [widest(labels), widest(shares), widest(counts)];
  const cells = Math.max(10, width - 'up to '.length - labelWidth - shareWidth - countWidth - 8);
  return [
    paint.strong('response time'),
    ...rows.map(({ count }, at) => {
      const bar = padEnd(drawLength(count / most, cells, { unicode }), cells);
      const share = padStart(shares[at] ?? '', shareWidth);
      const label = padStart(labels[at] ?? '', labelWidth);
      return `  up to ${label}  ${bar}  ${share}  ${padStart(counts[at] ?? '', countWidth)}`;
    }),
  ];
}

/** The distribution over steps that grow with the value, from where there begins to be more than a few. */
export function histogramRows(
  { count: total, maxMs, bucketsUs, atLeast }: Distribution,
  { finest = false }: { readonly finest?: boolean } = {},
): HistogramRow[] {
  // Lower bounds alone have no shape.
  if (maxMs === null || atLeast?.count === total) return [];
  const edges = edgesFor(startOf(bucketsUs, total), maxMs, finest);
  const counts = new Array<number>(edges.length).fill(0);
  for (const [upToUs, count] of bucketsUs) {
    // A bucket that reaches over an edge is counted where most of it lies: it is at most 0.8 % wide.
    const ms = Math.min(upToUs / 1000, maxMs) * 0.996;
    const at = edges.findIndex((edge) => ms <= edge);
    counts[at < 0 ? edges.length - 1 : at]! += count;
  }
  return edges.map((upToMs, at) => ({ upToMs, count: counts[at] ?? 0 }));
}

/** The first row with more than a few: the quickest half percent share a row. The slow end is shown in full. */
function startOf(bucketsUs: Distribution['bucketsUs'], total: number): number {
  let seen = 0;
  for (const [upToUs, count] of bucketsUs) {
    seen += count;
    if (seen > total * 0.005) return upToUs / 1000;
  }
  return 0;
}

/** The upper ends of the rows: the last is the first edge that nothing lies beyond. */
function edgesFor(minMs: number, maxMs: number, finest: boolean): number[] {
  let edges: number[] = [];
  const [all, most] = finest ? [[...FINE_STEPS, ...STEPS], MOST_COLUMNS] : [STEPS, MOST_ROWS];
  for (const steps of all) {
    edges = edgesBetween(Math.max(minMs, 0.001), Math.max(maxMs, 0.001), steps);
    if (edges.length <= most) break;
  }
  return edges;
}

function edgesBetween(minMs: number, maxMs: number, steps: readonly number[]): number[] {
  const edges: number[] = [];
  for (let power = Math.floor(Math.log10(minMs)); ; power++) {
    for (const step of steps) {
      const edge = Number((step * 10 ** power).toPrecision(6));
      if (edge < minMs) continue;
      edges.push(edge);
      if (edge >= maxMs) return edges;
    }
  }
}

import { formatCount, formatMs, formatRate, formatShare } from '../../base/units.js';
import type { LoadResult, SegmentRow } from '../../loadtest/result.js';
import { type Column, tableLines } from '../table.js';
import { printable, wrap } from '../text.js';
import { NARROW, type Sheet } from './sheet.js';

/** More are not listed one by one, except those that stand out. */
const SEGMENTS_SHOWN = 16;

/** The columns of the segments, as texts: the same in every format. */
export const SEGMENT_COLUMNS: readonly {
  readonly title: string;
  readonly cell: (row: SegmentRow) => string;
  readonly isNarrow: boolean;
}[] = [
  { title: 'segment', cell: ({ index }) => String(index), isNarrow: true },
  { title: 'machine', cell: ({ host }) => host ?? '-', isNarrow: false },
  { title: 'began', cell: ({ shiftMs }) => `+${formatMs(shiftMs)}`, isNarrow: false },
  { title: 'succeeded', cell: ({ succeeded }) => formatCount(succeeded), isNarrow: true },
  { title: 'failed', cell: ({ failed }) => formatCount(failed), isNarrow: true },
  { title: 'rate', cell: ({ throughputPerSecond }) => formatRate(throughputPerSecond), isNarrow: true },
  { title: 'p50', cell: ({ p50Ms }) => formatMs(p50Ms), isNarrow: false },
  { title: 'p99', cell: ({ p99Ms }) => formatMs(p99Ms), isNarrow: true },
  { title: 'loop busy', cell: ({ loopBusy }) => formatShare(loopBusy, 0), isNarrow: false },
];

/** The faults of one segment, in words; null if it has none. */
export function segmentRemark({ ownLimit, partial, dropped }: SegmentRow): string | null {
  const remarks = [
    ...(partial === null ? [] : [partial]),
    ...(ownLimit === null ? [] : ['poolctl was the limit']),
    ...(dropped === 0 ? [] : [`${formatCount(dropped)} dropped`]),
  ];
  return remarks.length === 0 ? null : remarks.join(', ');
}

/** The segments that a result belongs to or consists of; null for an ordinary run. */
export function segmentWords({ segment, segments }: LoadResult): string | null {
  if (segment !== undefined)
    return `${segment.index} of ${segment.count} of run ${segment.runId}; merge all with poolctl merge`;
  if (segments === undefined) return null;
  const { rows, count, runId, overlap, missing } = segments;
  const lack = missing.length === 0 ? '' : `, missing: ${missing.join(', ')}`;
  return `${rows.length} of ${count} of run ${runId}${lack}; side by side for ${formatShare(overlap)} of the time`;
}

/** The segments to list: all, or the slowest of many. */
export function shownSegments(rows: readonly SegmentRow[]): readonly SegmentRow[] {
  if (rows.length <= SEGMENTS_SHOWN) return rows;
  const slowest = rows.toSorted((a, b) => (b.p99Ms ?? 0) - (a.p99Ms ?? 0)).slice(0, SEGMENTS_SHOWN - 1);
  return rows.filter((row) => slowest.includes(row));
}

/** A row for each segment. */
export function segmentLines({ segments }: LoadResult, { paint, width }: Sheet): string[] {
  if (segments === undefined) return [];
  const shown = shownSegments(segments.rows);
  const hidden = segments.rows.length - shown.length;
  const columns: Column<SegmentRow>[] = SEGMENT_COLUMNS.filter(
    ({ isNarrow }) => isNarrow || width >= NARROW,
  ).map(({ title, cell }) => ({
    title,
    cell: (row) => printable(cell(row)),
    ...(title !== 'machine' && { align: 'right' }),
  }));
  const remark: Column<SegmentRow> = { title: '', cell: (row) => paint.warn(segmentRemark(row) ?? '') };
  return [
    paint.strong('segments'),
    ...tableLines(shown, [...columns, remark], { indent: '  ', title: paint.faint }),
    ...(hidden > 0
      ? wrap(`and ${hidden} more, each with a lower p99`, width - 2).map((line) => `  ${line}`)
      : []),
  ];
}

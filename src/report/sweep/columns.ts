import { formatMs, formatRate, formatShare } from '../../base/units.js';
import type { Rounds } from '../../loadtest/rounds.js';
import type { SweepResult, SweepRow } from '../../loadtest/sweep.js';

/** A column of the table, the same in every format. */
export interface SweepColumn {
  readonly title: string;
  readonly cell: (row: SweepRow) => string;
}

/** The values that differ between rows come first; failures are shown where there are some. */
export function columnsOf({ rows }: SweepResult): SweepColumn[] {
  const isOverflowing = rows.some(({ maxOverflow }) => maxOverflow !== 0);
  const isFailing = rows.some(({ failedShare }) => failedShare !== null && failedShare > 0);
  return [
    { title: 'size', cell: ({ poolSize }) => String(poolSize) },
    ...(isOverflowing ? [{ title: 'overflow', cell: overflowWords }] : []),
    { title: 'throughput', cell: ({ throughputPerSecond }) => formatRate(throughputPerSecond) },
    { title: 'spread', cell: spreadWords },
    { title: 'p99', cell: ({ p99Ms }) => formatMs(p99Ms) },
    { title: 'waiting', cell: ({ waitMeanMs }) => formatMs(waitMeanMs) },
    { title: 'served', cell: ({ serviceMeanMs }) => formatMs(serviceMeanMs) },
    ...(isFailing
      ? [{ title: 'failed', cell: ({ failedShare }: SweepRow) => formatShare(failedShare, 2) }]
      : []),
    { title: 'limit', cell: ({ limit }) => limit ?? '-' },
  ];
}

export function isKnee({ knee }: SweepResult, { poolSize, maxOverflow }: SweepRow): boolean {
  return knee !== null && knee.poolSize === poolSize && knee.maxOverflow === maxOverflow;
}

function overflowWords({ maxOverflow }: SweepRow): string {
  return maxOverflow < 0 ? 'unlimited' : String(maxOverflow);
}

/** How far apart the rounds were: half the distance, as a share of the middle. */
export function spreadWords({ throughputRange, throughputPerSecond, rounds }: Rounds): string {
  const [low, high] = throughputRange;
  if (rounds < 2 || throughputPerSecond === 0) return '-';
  return `±${formatShare((high - low) / 2 / throughputPerSecond, 0)}`;
}

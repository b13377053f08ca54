import type { SizeResult } from '../../sizing/types.js';

const TITLES = [
  'pool',
  'size',
  'p50_ms',
  'p95_ms',
  'p99_ms',
  'p99_low_ms',
  'p99_high_ms',
  'timeouts',
  'utilization',
  'connections',
  'erlang_p99_ms',
  'recommended',
];

/** A line for each pool and size. */
export function renderCsv({ pools }: SizeResult): string {
  const lines = pools.flatMap((pool) =>
    pool.rows.map(({ size, waits, intervals, timeouts, utilization, connections, erlangP99Ms }) =>
      [
        quoted(pool.name),
        size,
        ...[waits.p50Ms, waits.p95Ms, waits.p99Ms, ...intervals.p99Ms].map((ms) => ms.toFixed(3)),
        timeouts,
        utilization.toFixed(4),
        connections,
        erlangP99Ms?.toFixed(3) ?? '',
        size === pool.recommendation.size,
      ].join(','),
    ),
  );
  return `${[TITLES.join(','), ...lines].join('\n')}\n`;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

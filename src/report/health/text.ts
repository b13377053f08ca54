import { formatMs } from '../../base/units.js';
import type { HealthReport } from '../../health/check.js';
import type { HealthStatus } from '../../health/health.js';
import type { SourceHealth } from '../../health/of-reading.js';
import { type Palette, palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { type Column, tableLines } from '../table.js';
import { padEnd, printable, wrap } from '../text.js';

/** A row a pool, and below what speaks against each. */
export function renderText({ status, pools }: HealthReport, options: RenderOptions): string {
  const paint = palette(options);
  const counts = WORST_FIRST.flatMap((one) => {
    const count = pools.filter((pool) => pool.status === one).length;
    return count === 0 ? [] : [`${count} ${one === 'error' ? 'in error' : one}`];
  });
  const [title = '', ...rows] = tableLines(
    pools,
    COLUMNS.filter(({ cell, always }) => always === true || pools.some((pool) => cell(pool) !== '-')),
  );
  const reasons = pools.flatMap((pool) =>
    pool.reasons.flatMap((reason) => {
      const [first = '', ...more] = wrap(`${nameOf(pool)}: ${printable(reason)}`, options.width - 4);
      return [`  ${first}`, ...more.map((line) => `    ${line}`)].map((line) =>
        painted(line, pool.status, paint),
      );
    }),
  );
  return `${[
    `${paint.strong(painted(`${status.toUpperCase()}:`, status, paint))} ${counts.join(', ')}`,
    '',
    paint.faint(title),
    ...rows.map((line, at) => painted(line, pools[at]?.status ?? 'healthy', paint)),
    ...(reasons.length === 0 ? [] : ['', ...reasons]),
  ].join('\n')}\n`;
}

/** A line a pool, with the time in front. */
export function renderLines({ taken_at_ms, pools }: HealthReport, options: RenderOptions): string {
  const paint = palette(options);
  const time = new Date(taken_at_ms).toISOString().replace(/\.\d+Z$/, 'Z');
  const lines = pools.map((pool) => {
    const used = pool.checked_out === null ? [] : [`${inUse(pool)} in use`];
    const why = pool.reasons.map(printable);
    // The reason says it too, and why it counts.
    const all = [...used.filter((text) => !why.some((reason) => reason.startsWith(text))), ...why].join('; ');
    return `${paint.faint(time)}  ${painted(`${padEnd(pool.status, 8)}  ${nameOf(pool)}: ${all}`, pool.status, paint)}`;
  });
  return `${lines.join('\n')}\n`;
}

const WORST_FIRST: readonly HealthStatus[] = ['error', 'critical', 'warning', 'healthy'];

interface HealthColumn extends Column<SourceHealth> {
  /** Also where nothing stands in it. */
  readonly always?: boolean;
}

const figure = (title: string, of: (pool: SourceHealth) => number | null): HealthColumn => ({
  title,
  align: 'right',
  cell: (pool) => String(of(pool) ?? '-'),
});

const COLUMNS: readonly HealthColumn[] = [
  { title: 'status', cell: ({ status }) => status, always: true },
  { title: 'in use', align: 'right', cell: inUse },
  {
    title: 'used',
    align: 'right',
    cell: ({ utilization_percent: percent }) => (percent === null ? '-' : `${percent.toFixed(1)} %`),
  },
  figure('idle', (pool) => pool.checked_in),
  figure('overflow', (pool) => pool.overflow || null),
  figure('waiting', (pool) => pool.waiting),
  { title: 'longest', align: 'right', cell: (pool) => formatMs(pool.longest_wait_ms) },
  { title: 'chosen size', cell: ({ size_reason }) => size_reason ?? '-' },
  { title: 'pool', cell: nameOf, always: true },
];

function inUse({ checked_out, total_capacity }: SourceHealth): string {
  if (checked_out === null) return '-';
  return total_capacity === null ? String(checked_out) : `${checked_out} of ${total_capacity}`;
}

/** Pools of the same name are told apart by their application; what has none, by its source. */
function nameOf({ pool_name, application, pid, source }: SourceHealth): string {
  if (application !== null) return printable(`${pool_name} (${application} ${pid})`);
  return printable(pool_name === source ? source : `${pool_name} (${source})`);
}

function painted(text: string, status: HealthStatus, paint: Palette): string {
  switch (status) {
    case 'healthy':
      return paint.good(text);
    case 'warning':
      return paint.warn(text);
    case 'critical':
    case 'error':
      return paint.bad(text);
  }
}

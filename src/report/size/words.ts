import { relative } from 'node:path';
import { formatCount, formatDuration, formatMs, formatRate, formatShare } from '../../base/units.js';
import type { Excluded, Fleet, Interval, PoolSizing, SizeRow } from '../../sizing/types.js';

const OBSTACLES = {
  connects: 'opening a connection takes longer than that, and idle ones are closed too early',
  pings:
    'each acquire first pings its connection, which takes longer than that. Choose a larger --target-wait to compare sizes',
  slowdown: 'the more leases are out, the longer each one takes',
} as const;

/** The recommendation, in a sentence. */
export function headlineOf({ recommendation, recordedSize, little }: PoolSizing): string {
  const { size, targetMs, p99Ms, growth } = recommendation;
  const load = growth === 1 ? '' : ` at ${growth}x the load`;
  if (size === null) {
    const why = OBSTACLES[recommendation.obstacle ?? 'slowdown'];
    return `no size keeps the p99 wait below ${formatMs(targetMs)}${load}: ${why}`;
  }
  const change =
    recordedSize === null
      ? ''
      : size === recordedSize
        ? ', as it is now'
        : `, ${size > recordedSize ? 'up' : 'down'} from ${recordedSize}`;
  const average = `${little.meanInUse.toFixed(1)} leases are out on average`;
  return `${connections(size)}${change}. The p99 wait is ${formatMs(p99Ms)}${load}, below ${formatMs(targetMs)}; ${average}`;
}

function connections(count: number): string {
  return `${count} ${count === 1 ? 'connection' : 'connections'}`;
}

/** Sentences beside the recommendation. */
export function adviceOf(pool: PoolSizing, cwd: string): string[] {
  const { recommendation, excluded, reserved, replayed, waits, startup } = pool;
  const { size, certainSize, targetMs, growthAllowed, growth, shorten } = recommendation;
  return [
    ...(replayed === null || replayed.isClose
      ? []
      : [
          `The replay does not fit this recording: at the recorded size its p99 wait is ${formatMs(replayed.p99Ms)}, and ${formatMs(waits.p99Ms)} was recorded. Do not rely on the figures.`,
        ]),
    ...(certainSize !== null && size !== null && certainSize > size
      ? [`Another recording could need up to ${certainSize} connections to stay below ${formatMs(targetMs)}.`]
      : []),
    ...(growthAllowed === null || size === null
      ? []
      : [
          `${connections(size)} ${size === 1 ? 'is' : 'are'} enough up to ${growthAllowed.toFixed(1)}x the recorded load.`,
        ]),
    ...(shorten === null
      ? []
      : [
          `Shorten ${placeOf(shorten.site, cwd)} instead: it holds connections for ${formatShare(shorten.holdShare, 0)} of their time in use, ${formatMs(shorten.meanHoldMs)} each. With half of that ${connections(shorten.sizeIfHalved)} ${shorten.sizeIfHalved === 1 ? 'is' : 'are'} enough.`,
        ]),
    ...excluded.map((one) => excludedWords(one, cwd)),
    ...(startup.acquires === 0
      ? []
      : [
          `Excluded: ${startup.acquires === 1 ? '1 acquire' : `${formatCount(startup.acquires)} acquires`} of the first ${formatMs(startup.untilMs)}, while the pool opened its first connections.`,
        ]),
    ...(reserved === 0
      ? []
      : [`${reserved} of the connections are out on purpose, such as for LISTEN, and are part of the size.`]),
    ...(growth === 1 ? [] : [`All sizes are for ${growth}x the recorded load.`]),
  ];
}

function excludedWords({ site, kind, count, longestMs }: Excluded, cwd: string): string {
  const at = site === null ? '' : ` of ${placeOf(site, cwd)}`;
  const many = count === 1 ? '1 lease' : `${formatCount(count)} leases`;
  return kind === 'leak'
    ? `Excluded: ${many}${at} never came back. Repair the leak; no pool size does.`
    : `Excluded: ${many}${at} came back only after ${formatMs(longestMs)} or less, beyond the leak threshold.`;
}

export function slowdownWords({ slowdown }: PoolSizing): string {
  const { kind, freeUpTo, perLease, perLeaseInterval, observedUpTo } = slowdown;
  const upTo = Math.round(observedUpTo);
  switch (kind) {
    case 'measured': {
      const [low, high] = perLeaseInterval.map((one) => formatShare(Math.max(0, one), 0));
      return `measured: beyond ${Math.round(freeUpTo)} leases out, each further one makes holds ${formatShare(perLease, 0)} longer (${low} to ${high})`;
    }
    case 'none':
      return `none measured up to ${upTo} leases out at once`;
    case 'unknown':
      return 'assumption: holds do not depend on the number of leases out';
  }
}

export function recordedWords({
  waits,
  timeouts,
  acquires,
  acquiresPerSecond,
  meanHoldMs,
  durationMs,
}: PoolSizing) {
  const gaveUp = timeouts === 0 ? '' : `, ${formatCount(timeouts)} gave up`;
  return `${formatCount(acquires)} acquires in ${formatDuration(Math.round(durationMs / 1000) * 1000)} (${formatRate(acquiresPerSecond)}), held for ${formatMs(meanHoldMs)} on average; p99 wait ${formatMs(waits.p99Ms)}${gaveUp}`;
}

export function fleetWords(fleet: Fleet): string[] {
  const { instances, perInstance, connections, maxConnections, reserved, headroom, pgbouncer } = fleet;
  const product = `${instances} ${instances === 1 ? 'process' : 'processes'} x ${perInstance} = ${connections} connections`;
  if (pgbouncer !== null) {
    return [
      `${product} to PgBouncer, with ${pgbouncer.serverConnections} to the server`,
      `${pgbouncer.neededMean.toFixed(1)} leases are out on average: ${pgbouncer.serverConnections > pgbouncer.neededMean ? 'PgBouncer has' : 'PgBouncer needs more than'} ${pgbouncer.serverConnections}`,
      ...roomWords(maxConnections, reserved, headroom),
    ];
  }
  return [`${product} to the server`, ...roomWords(maxConnections, reserved, headroom)];
}

function roomWords(maxConnections: number | null, reserved: number, headroom: number | null): string[] {
  if (maxConnections === null || headroom === null) return [];
  const of = `max_connections ${maxConnections}, ${reserved} reserved`;
  return headroom >= 0
    ? [`${headroom} connections are left (${of})`]
    : [`${-headroom} connections are missing (${of}): use fewer processes, or PgBouncer in transaction mode`];
}

export interface Column {
  readonly title: string;
  readonly cell: (row: SizeRow) => string;
}

/** The columns of the table, the same in every format. Timeouts and leaks are shown where there are some. */
export function columnsOf({ rows, acquireTimeoutMs }: PoolSizing): Column[] {
  return [
    { title: 'size', cell: ({ size }) => String(size) },
    { title: 'p50', cell: ({ waits }) => formatMs(waits.p50Ms) },
    { title: 'p95', cell: ({ waits }) => formatMs(waits.p95Ms) },
    { title: 'p99', cell: ({ waits }) => formatMs(waits.p99Ms) },
    { title: 'p99 range', cell: ({ intervals }) => rangeWords(intervals.p99Ms) },
    ...(acquireTimeoutMs !== null || rows.some(({ timeouts }) => timeouts > 0)
      ? [{ title: 'timeouts', cell: ({ timeouts }: SizeRow) => formatCount(timeouts) }]
      : []),
    { title: 'in use', cell: ({ utilization }) => formatShare(utilization, 0) },
    { title: 'open', cell: ({ connections }) => String(connections) },
    { title: 'Erlang C', cell: ({ erlangP99Ms }) => (erlangP99Ms === null ? '-' : formatMs(erlangP99Ms)) },
    ...(rows.some(({ withLeaks }) => withLeaks !== null)
      ? [
          {
            title: 'with leaks',
            cell: ({ withLeaks }: SizeRow) => (withLeaks === null ? '-' : formatMs(withLeaks.p99Ms)),
          },
        ]
      : []),
  ];
}

/** Names a row that stands out: the recommended or the recorded size, or that of a formula. */
export function markOf(
  { recommendation, recordedSize, little, erlangSize }: PoolSizing,
  { size }: SizeRow,
): string {
  return [
    ...(size === recommendation.size ? ['recommended'] : []),
    ...(size === recordedSize ? ['recorded'] : []),
    ...(size === little.size ? ["Little's law"] : []),
    ...(size === erlangSize ? ['Erlang C'] : []),
  ].join(', ');
}

function rangeWords([low, high]: Interval): string {
  return `${formatMs(low)} to ${formatMs(high)}`;
}

/** A call site relative to the folder where the report is made. */
export function placeOf(site: string, cwd: string): string {
  const near = relative(cwd, site);
  return near.startsWith('..') || near === '' ? site : near;
}

/** Chooses rows to show: every marked one, and others in even steps of their logarithm. */
export function shownRows(pool: PoolSizing, most: number): SizeRow[] {
  const { rows } = pool;
  if (rows.length <= most) return [...rows];
  const last = rows.at(-1)?.size ?? 1;
  const steps = new Set(Array.from({ length: most }, (_, at) => Math.round(last ** ((at + 1) / most))));
  const { size } = pool.recommendation;
  return rows.filter(
    (row) =>
      markOf(pool, row) !== '' || steps.has(row.size) || (size !== null && Math.abs(row.size - size) <= 1),
  );
}

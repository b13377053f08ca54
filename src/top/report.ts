import type { Facts } from '../diagnosis/facts.js';
import { type Recent, recentOf } from '../diagnosis/history.js';
import type { Moment } from '../diagnosis/moment.js';
import { counted, shortTime } from '../diagnosis/words.js';
import { palette } from '../report/color.js';
import type { Tick } from '../snapshot/reading.js';
import { headLine, layoutOf, rowLine } from './layout.js';
import { colorsOf, fitLine, type Line, paintLine } from './spans.js';
import { type Drawing, type Table, type TableSpec, tableOf } from './table.js';
import { blockTable } from './views/backends.js';
import { brokerRows, brokerTable, brokerWords } from './views/broker.js';
import { holderTable } from './views/holders.js';
import { poolerTable } from './views/pgbouncer.js';
import { poolRow, poolTable } from './views/pools.js';
import { serverRows, serverTable } from './views/servers.js';
import { cellText } from './words.js';

export interface ReportOptions extends Drawing {
  readonly color: boolean;
  readonly width: number;
}

/** Holders beyond these are counted: a report is read from its beginning. */
const MOST_ROWS = 20;

/** One tick as plain text: what is wrong, and the tables that have something in them. */
export function onceReport(
  { tick, facts, history, servers, diagnosis }: Moment,
  options: ReportOptions,
): string {
  const colors = palette(options);
  const { severity, words } = diagnosis;
  const paint = severity === 'none' ? colors.faint : colors[severity];
  const section = <Row>(spec: TableSpec<Row>, rows: readonly Row[]): string[] => {
    if (rows.length === 0) return [];
    const table = tableOf(spec, rows, { sort: null, filter: '' });
    return ['', colors.strong(spec.title), ...tableLines(table, options)];
  };
  const failed = tick.sources.flatMap(({ label, stale }) => {
    if (stale === null) return [];
    if (stale.ended === true)
      return [
        colors.faint(cellText(`${label} ended ${shortTime(tick.atMs - stale.sinceMs)} ago`, 1000, options)),
      ];
    return [colors.bad(cellText(`${label} cannot be read: ${stale.why}`, 1000, options))];
  });
  const gaps = facts.gaps.map(({ source, what, why }) =>
    colors.faint(cellText(`${source}: not read: ${what}: ${why}`, 1000, options)),
  );
  const blocking = facts.blocking.map((row) => ({
    ...row,
    site: facts.holders.find(({ backend }) => backend?.key === row.key)?.holder.site ?? null,
  }));
  return [
    paint(cellText(words, 1000, options)),
    ...failed,
    ...gaps,
    ...section(
      poolTable,
      facts.pools.map((pool) => poolRow(pool, history.get(pool.key))),
    ),
    ...section(holderTable, facts.holders),
    ...facts.pools.flatMap((fact) =>
      fact.pool.ib === undefined
        ? []
        : section({ ...brokerTable, title: brokerWords(fact) }, brokerRows(fact)),
    ),
    ...section(poolerTable, facts.poolerPools),
    ...section(blockTable, blocking),
    ...section(serverTable, serverRows(facts.servers, servers)),
    ...backendSummary(facts.backends),
    '',
  ].join('\n');
}

/** A table for plain output: its head and its first rows, nothing selected. */
function tableLines(table: Table, options: ReportOptions): string[] {
  const { width } = options;
  const colors = colorsOf(options);
  const paint = (line: Line): string => paintLine(fitLine(line, width, options), colors).trimEnd();
  const layout = layoutOf(table.columns, width);
  const rows = table.keys.slice(0, MOST_ROWS);
  const more = table.keys.length - rows.length;
  return [
    paint(headLine(table, layout, width, options)),
    ...rows.map((_, at) => paint(rowLine(table, at, layout, false, options))),
    ...(more === 0 ? [] : [colors.faint(`  ${counted(more, 'row')} more`)]),
  ];
}

function backendSummary(backends: Facts['backends']): string[] {
  if (backends.length === 0) return [];
  const counts = new Map<string, number>();
  for (const { backend } of backends) {
    const state = cellText(backend.state ?? 'state not known', 40, { unicode: false });
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const oldest = Math.max(0, ...backends.map(({ backend }) => backend.transactionMs ?? 0));
  const states = [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
  return ['', `Backends: ${states}; oldest transaction ${shortTime(oldest)}`];
}

/** A line of `--json`, one per tick. */
export interface TopLine extends Tick {
  readonly schema: 1;
  readonly diagnosis: Pick<Moment['diagnosis'], 'severity' | 'cause' | 'words'>;
  readonly rates: readonly PoolRates[];
}

/** The summary of a pool over the ticks so far. */
export interface PoolRates extends Recent {
  readonly source: string;
  readonly pid: number | null;
  readonly pool: string;
}

/** One tick as a line of JSON, with what the ticks before it say of the rates of each pool. */
export function jsonLine({ tick, facts, history, diagnosis }: Moment): string {
  const { severity, cause, words } = diagnosis;
  const rates = facts.pools.map(({ key, source, pool }) => ({
    source,
    pid: pool.app?.pid ?? null,
    pool: pool.name,
    ...recentOf(history.get(key) ?? []),
  }));
  const line: TopLine = {
    ...{ schema: 1, atMs: tick.atMs, diagnosis: { severity, cause, words }, rates },
    sources: tick.sources,
  };
  return `${JSON.stringify(line)}\n`;
}

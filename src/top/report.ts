import { palette } from '../report/color.js';
import type { Tick } from '../snapshot/reading.js';
import { diagnose } from './diagnose.js';
import { factsOf } from './facts.js';
import { type FrameOptions, tableLines } from './frame.js';
import { type History, recentOf } from './history.js';
import { type TableSpec, tableOf } from './table.js';
import { blockTable } from './views/backends.js';
import { brokerRows, brokerTable, brokerWords } from './views/broker.js';
import { holderTable } from './views/holders.js';
import { poolerTable } from './views/pgbouncer.js';
import { poolRow, poolTable } from './views/pools.js';
import { cellText, shortTime } from './words.js';

export interface ReportOptions extends FrameOptions {
  readonly width: number;
}

/** Holders beyond these are counted: a report is read from its beginning. */
const MOST_ROWS = 20;

/** One tick as plain text: what is wrong, and the tables that have something in them. */
export function onceReport(tick: Tick, history: History, options: ReportOptions): string {
  const { width, cwd } = options;
  const facts = factsOf(tick);
  const colors = palette(options);
  const { severity, words } = diagnose(facts, { history, cwd });
  const paint = severity === 'none' ? colors.faint : colors[severity];
  const section = <Row>(spec: TableSpec<Row>, rows: readonly Row[]): string[] => {
    if (rows.length === 0) return [];
    const table = tableOf(spec, rows, { sort: null, filter: '' });
    return ['', colors.strong(spec.title), ...tableLines(table, width, options, MOST_ROWS)];
  };
  const failed = tick.sources.flatMap(({ label, stale }) =>
    stale === null ? [] : [colors.bad(cellText(`${label} cannot be read: ${stale.why}`, 1000, options))],
  );
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
    ...backendSummary(facts.backends),
    '',
  ].join('\n');
}

function backendSummary(backends: ReturnType<typeof factsOf>['backends']): string[] {
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

/** One tick as a line of JSON, with what the ticks before it say of the rates of each pool. */
export function jsonLine(tick: Tick, history: History, cwd: string): string {
  const facts = factsOf(tick);
  const { severity, cause, words } = diagnose(facts, { history, cwd });
  const rates = facts.pools.map(({ key, source, pool }) => ({
    source,
    pid: pool.app?.pid ?? null,
    pool: pool.name,
    ...recentOf(history.get(key) ?? []),
  }));
  return `${JSON.stringify({ schema: 1, atMs: tick.atMs, diagnosis: { severity, cause, words }, rates, sources: tick.sources })}\n`;
}

import { formatMs } from '../../base/units.js';
import type { Facts, PoolFact, ServerFact } from '../../diagnosis/facts.js';
import { type History, type Recent, recentOf } from '../../diagnosis/history.js';
import { counted, shortTime } from '../../diagnosis/words.js';
import {
  adviceOf,
  columnsOf,
  headlineOf,
  markOf,
  recordedWords,
  shownRows,
  slowdownWords,
} from '../../report/size/words.js';
import { tableLines } from '../../report/table.js';
import type { SizeRow } from '../../sizing/types.js';
import type { SizeReply } from '../size-thread.js';
import type { SizedPool } from '../sized-pools.js';
import type { Line, Tone } from '../spans.js';
import type { Column, Drawing, TableSpec } from '../table.js';
import { poolText, siteText } from '../words.js';

/** A pool, its waits now, and the size that it needs. */
export interface SizingRow {
  readonly fact: PoolFact;
  readonly recent: Recent;
  /** null: no lease of it has been recorded so far. */
  readonly sized: SizedPool | null;
  /** Why there is no size, whatever was recorded; null where nothing is in the way. */
  readonly obstacle: string | null;
  /** Processes of the application with a pool of that name. */
  readonly processes: number;
  /** Connections that the server could still open for applications; null where no server is read. */
  readonly free: number | null;
}

const NOT_RECORDED = 'start top with --record-leases FILE';

/** The pools whose leases count: those of connections, objects and clients. `sizes` is null where nothing is recorded. */
export function sizingRows(facts: Facts, history: History, sizes: SizeReply | null): SizingRow[] {
  const pools = facts.pools.filter(
    ({ ended, pool: { ib, feed, http } }) =>
      !ended && ib === undefined && feed === undefined && http === undefined,
  );
  const free = freeOf(facts);
  return pools.map((fact) => ({
    fact,
    recent: recentOf(history.get(fact.key) ?? []),
    sized:
      sizes?.pools.findLast(({ source, pool }) => source === fact.source && pool === fact.pool.name) ?? null,
    obstacle: sizes === null ? NOT_RECORDED : sizes.problem,
    processes: pools.filter(({ app, pool }) => app === fact.app && pool.name === fact.pool.name).length,
    free,
  }));
}

/** Free connections of the one server that is read. Behind PgBouncer a connection of a pool is none of the server. */
function freeOf({ servers, poolerPools }: Facts): number | null {
  const [only, ...others] = servers;
  if (only === undefined || others.length > 0 || poolerPools.length > 0) return null;
  return freeAt(only);
}

function freeAt({
  server: { maxConnections, reservedConnections, usedConnections },
}: ServerFact): number | null {
  return usedConnections === null
    ? null
    : Math.max(0, maxConnections - reservedConnections - usedConnections);
}

export const sizingTable: TableSpec<SizingRow> = {
  name: 'sizes',
  title: 'Sizes',
  sort: null,
  key: ({ fact }) => fact.key,
  aged: ({ fact }) => (fact.stale ? 'stale' : null),
  open: ({ fact }) => ({ kind: 'size', pool: fact.key }),
  empty: 'no pool of an application is read; start one with: poolctl run -- node app.js',
  columns: [
    {
      id: 'pool',
      title: 'POOL',
      rank: 1,
      width: 10,
      grow: 1,
      value: ({ fact }) => fact.pool.name,
      text: ({ fact }, width, drawing) => poolText(fact.pool.name, width, drawing),
      tone: () => 'name',
    },
    { id: 'application', title: 'APPLICATION', rank: 9, width: 11, grow: 1, value: ({ fact }) => fact.app },
    figure('size', 'SIZE', 2, 5, ({ fact }) => fact.capacity),
    {
      ...figure('p99', 'P99 NOW', 3, 7, ({ recent }) => recent.waitP99Ms),
      text: ({ recent }) => shortTime(recent.waitP99Ms),
      tone: ({ recent, sized }) => {
        const targetMs = sized?.sizing?.recommendation.targetMs;
        return targetMs === undefined || recent.waitP99Ms === null
          ? null
          : recent.waitP99Ms > targetMs
            ? 'bad'
            : 'good';
      },
    },
    { ...figure('needed', 'NEEDED', 1, 6, neededOf), tone: neededTone },
    {
      ...figure('then', 'P99 THEN', 4, 8, ({ sized }) => sized?.sizing?.recommendation.p99Ms ?? null),
      text: ({ sized }) => shortTime(sized?.sizing?.recommendation.p99Ms ?? null),
    },
    { id: 'cost', title: 'COST', rank: 5, width: 13, value: moreOf, text: costText, tone: costTone },
    {
      id: 'advice',
      title: 'ADVICE',
      rank: 1,
      width: 20,
      grow: 3,
      value: (row) => adviceText(row, Number.MAX_SAFE_INTEGER, { cwd: '', unicode: false }),
      text: adviceText,
      tone: ({ sized, obstacle }) => (obstacle !== null || sized?.sizing == null ? 'faint' : null),
    },
  ],
};

function neededOf({ sized }: SizingRow): number | null {
  return sized?.sizing?.recommendation.size ?? null;
}

function neededTone(row: SizingRow): Tone | null {
  const needed = neededOf(row);
  if (needed === null) return null;
  return row.fact.capacity === null || needed > row.fact.capacity ? 'warn' : 'good';
}

/** The connections that the needed size adds, over all processes. */
function moreOf(row: SizingRow): number | null {
  const needed = neededOf(row);
  return needed === null || row.fact.capacity === null ? null : (needed - row.fact.capacity) * row.processes;
}

function costText(row: SizingRow): string {
  const more = moreOf(row);
  if (more === null) return '-';
  if (more <= 0) return more === 0 ? 'none' : String(more);
  return row.free === null ? `+${more}` : `+${more} of ${row.free} free`;
}

function costTone(row: SizingRow): Tone | null {
  const more = moreOf(row);
  return more !== null && row.free !== null && more > row.free ? 'bad' : null;
}

function adviceText({ sized, obstacle }: SizingRow, width: number, drawing: Drawing): string {
  if (obstacle !== null) return obstacle;
  const few = fewText(sized);
  if (few !== null) return few;
  const { recommendation, replayed } = sized?.sizing ?? {};
  if (recommendation === undefined) return '';
  if (replayed?.isClose === false) return 'no size: the replay does not fit (Enter)';
  const { size, targetMs, shorten } = recommendation;
  if (size === null) return `no size keeps the p99 wait below ${formatMs(targetMs)}`;
  if (shorten === null) return '';
  const then = `, then ${shorten.sizeIfHalved}`;
  return `shorten ${siteText(shorten.site, width - 'shorten '.length - then.length, drawing)}${then}`;
}

/** Says that more leases are needed; null where there are enough. */
function fewText(sized: SizedPool | null): string | null {
  if (sized === null) return 'no lease recorded yet';
  if (sized.sizing !== null) return null;
  return `not enough leases yet (${sized.acquires} of ${sized.needed})`;
}

/** All about the size of one pool, in the words of `poolctl size`. */
export interface SizingText {
  readonly text: readonly Line[];
  /** Lines that are not wrapped. */
  readonly table: readonly Line[];
  readonly notes: readonly Line[];
}

export function sizingText(row: SizingRow, { cwd }: { readonly cwd: string }): SizingText {
  const { fact, recent, sized, obstacle } = row;
  const head = [
    field('pool', fact.pool.name, 'name'),
    field('size now', fact.capacity === null ? 'no limit' : String(fact.capacity)),
    field('p99 wait now', recent.waitP99Ms === null ? 'not measured' : formatMs(recent.waitP99Ms)),
  ];
  const why = obstacle ?? fewText(sized);
  const sizing = sized?.sizing ?? null;
  if (why !== null || sizing === null)
    return { text: [...head, field('size needed', why ?? '')], table: [], notes: [] };
  const columns = [
    ...columnsOf(sizing).map(({ title, cell }) => ({ title, align: 'right' as const, cell })),
    { title: '', cell: (one: SizeRow) => markOf(sizing, one) },
  ];
  const [titles = '', ...rows] = tableLines(shownRows(sizing, MOST_ROWS), columns);
  return {
    text: [
      ...head,
      field('recorded', recordedWords(sizing)),
      field('slowdown', slowdownWords(sizing)),
      field('cost', costWords(row)),
      [],
      [{ text: `${headlineOf(sizing)}.`, tone: 'strong' }],
      ...adviceOf(sizing, cwd).map((text): Line => [{ text: `  ${text}` }]),
      [],
    ],
    table: [[{ text: titles, tone: 'faint' }], ...rows.map((text): Line => [{ text }])],
    notes: [[], ...sizing.assumptions.map((text): Line => [{ text, tone: 'faint' }])],
  };
}

const MOST_ROWS = 20;

function costWords(row: SizingRow): string {
  const [more, needed] = [moreOf(row), neededOf(row)];
  if (more === null || needed === null) return 'not known';
  const total = `${counted(row.processes, 'process', 'processes')} x ${needed} = ${counted(row.processes * needed, 'connection')}`;
  const change = more === 0 ? 'as many as now' : `${Math.abs(more)} ${more > 0 ? 'more' : 'fewer'} than now`;
  const room = row.free === null ? '' : `; the server has ${row.free} free`;
  return `${total}, ${change}${room}`;
}

function field(name: string, text: string, tone?: Tone): Line {
  return [{ text: name.padEnd(14), tone: 'faint' }, tone === undefined ? { text } : { text, tone }];
}

function figure(
  id: string,
  title: string,
  rank: number,
  width: number,
  value: (row: SizingRow) => number | null,
): Column<SizingRow> {
  return { id, title, align: 'right', rank, width, value };
}

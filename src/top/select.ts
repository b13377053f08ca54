import {
  type BackendFact,
  backendOf,
  clientsOf,
  type Facts,
  type HolderFact,
  NO_FACTS,
} from '../diagnosis/facts.js';
import { NO_HISTORY } from '../diagnosis/history.js';
import type { MomentOptions } from '../diagnosis/moment.js';
import { NO_SERVER_HISTORY } from '../diagnosis/server-history.js';
import type { Content } from './content.js';
import type { Grouping, Place, Spot } from './place.js';
import type { Line } from './spans.js';
import { here, type State } from './state.js';
import { type Table, type TableQuery, type TableSpec, tableOf } from './table.js';
import {
  type BackendGroup,
  type BackendRow,
  backendGroupTable,
  backendTable,
  blockTable,
} from './views/backends.js';
import { brokerRows, brokerTable, brokerWords } from './views/broker.js';
import { backendLines, goneLines, helpLines, leaseLines, wrapLines } from './views/details.js';
import { eventTable } from './views/events.js';
import { type HolderGroup, holderGroupTable, holderTable } from './views/holders.js';
import { clientTable, poolerTable } from './views/pgbouncer.js';
import { poolRow, poolTable } from './views/pools.js';
import { serverRows, serverTable } from './views/servers.js';
import { sizingRows, sizingTable, sizingText } from './views/sizes.js';

export type SelectOptions = MomentOptions;

/** The rows of the current view. The state keeps them: sorting thousands of rows for each key would be slow. */
export function contentOf(state: Omit<State, 'content'>, options: SelectOptions): Content {
  const { facts = NO_FACTS, history = NO_HISTORY } = state.shown ?? {};
  const spot = here(state);
  const { place } = spot;
  const table = <Row>(spec: TableSpec<Row>, rows: readonly Row[], title = spec.title): Content => {
    const query: TableQuery = { sort: state.sorts[spec.name] ?? null, filter: spot.filter };
    return { kind: 'table', title, table: tableOf(spec, rows, query) };
  };
  const text = (title: string, lines: readonly Line[]): Content => {
    return { kind: 'text', title, lines: wrapLines(lines, state.size.columns - 1) };
  };
  switch (place.kind) {
    case 'view':
      switch (place.view) {
        case 'pools':
          return table(
            poolTable,
            facts.pools.map((pool) => poolRow(pool, history.get(pool.key))),
          );
        case 'holders':
          if (state.grouping !== null) return table(...holderGroups(facts, state.grouping));
          return table(holderTable, facts.holders);
        case 'backends':
          if (state.grouping !== null) return table(...backendGroups(facts, state.grouping));
          return table(backendTable, backendRows(facts));
        case 'blocking':
          return table(
            blockTable,
            withSites(facts.blocking, facts, ({ backend }) => backend.key),
          );
        case 'pgbouncer':
          return table(poolerTable, facts.poolerPools);
        case 'events':
          return table(eventTable, state.events);
        case 'servers':
          return table(serverTable, serverRows(facts.servers, state.shown?.servers ?? NO_SERVER_HISTORY));
        case 'sizes':
          return table(sizingTable, sizingRows(facts, history, state.sizes));
        case 'help':
          return text('Help', helpLines(state));
      }
      break;
    case 'pool': {
      const own = facts.holders.filter(({ pool }) => pool.key === place.pool);
      const name = facts.pools.find(({ key }) => key === place.pool)?.pool.name ?? 'a pool that has gone';
      return table(holderTable, own, `Pool ${name}`);
    }
    case 'broker': {
      const fact = facts.pools.find(({ key }) => key === place.pool);
      return table(
        brokerTable,
        fact === undefined ? [] : brokerRows(fact),
        fact === undefined ? 'Pool that has gone' : brokerWords(fact),
      );
    }
    case 'size': {
      const row = sizingRows(facts, history, state.sizes).find(({ fact }) => fact.key === place.pool);
      if (row === undefined) return text('Size', goneLines('pool'));
      const { text: lines, table: rows, notes } = sizingText(row, options);
      const wrapped = (some: readonly Line[]): Line[] => wrapLines(some, state.size.columns - 1);
      return { kind: 'text', title: 'Size', lines: [...wrapped(lines), ...rows, ...wrapped(notes)] };
    }
    case 'group':
      return place.view === 'holders'
        ? table(
            holderTable,
            facts.holders.filter((one) => holderGroup(one, place.by) === place.value),
            `Holders, ${place.by} ${place.value}`,
          )
        : table(
            backendTable,
            backendRows(facts).filter((one) => backendGroup(one, place.by) === place.value),
            `Backends, ${place.by} ${place.value}`,
          );
    case 'clients': {
      const pool = facts.poolerPools.find(({ key }) => key === place.poolerPool);
      const title = pool === undefined ? 'Clients' : `Clients of ${pool.pool.database}/${pool.pool.user}`;
      return table(clientTable, pool === undefined ? [] : clientsOf(pool), title);
    }
    case 'lease': {
      const holder = facts.holders.find(({ key }) => key === place.lease);
      const lines = holder === undefined ? goneLines('lease') : leaseLines(holder, options);
      return text('Lease', lines);
    }
    case 'backend': {
      const backend = backendOf(facts, place.backend);
      const lines = backend === null ? goneLines('backend') : backendLines(backend, facts, options);
      return text('Backend', lines);
    }
  }
}

/** The index of the selected row; if the row has gone, the one at its place. */
export function selectedIndex(table: Table, { row, index }: Spot): number {
  const last = Math.max(0, table.keys.length - 1);
  if (row === null) return Math.min(index, last);
  const found = table.keys.indexOf(row);
  return found >= 0 ? found : Math.min(index, last);
}

/** The backend that the selection means: that of the row, or that of the lease. */
export function selectedBackend(state: State): BackendFact | null {
  const facts = state.shown?.facts ?? NO_FACTS;
  const spot = here(state);
  const { content } = state;
  const place =
    content.kind === 'table' ? content.table.open(selectedIndex(content.table, spot)) : spot.place;
  if (place?.kind === 'backend') return backendOf(facts, place.backend);
  if (place?.kind === 'lease') return facts.holders.find(({ key }) => key === place.lease)?.backend ?? null;
  return null;
}

function backendRows(facts: Facts): readonly BackendRow[] {
  return withSites(facts.backends, facts, ({ key }) => key);
}

/** With the line of code that has acquired the lease on this backend. */
function withSites<Row>(
  rows: readonly Row[],
  { holders }: Facts,
  keyOf: (row: Row) => string,
): (Row & { site: string | null })[] {
  const sites = new Map(
    holders.flatMap(({ backend, holder }) => (backend === null ? [] : [[backend.key, holder.site] as const])),
  );
  return rows.map((row) => ({ ...row, site: sites.get(keyOf(row)) ?? null }));
}

function holderGroups(facts: Facts, by: Grouping): [TableSpec<HolderGroup>, HolderGroup[], string] {
  const open = ({ name }: HolderGroup): Place => ({ kind: 'group', view: 'holders', by, value: name });
  const groups = grouped(facts.holders, (one) => holderGroup(one, by));
  return [
    { ...holderGroupTable, open },
    groups.map(([name, holders]) => ({ name, holders })),
    `Holders by ${by}`,
  ];
}

function backendGroups(facts: Facts, by: Grouping): [TableSpec<BackendGroup>, BackendGroup[], string] {
  const open = ({ name }: BackendGroup): Place => ({ kind: 'group', view: 'backends', by, value: name });
  const groups = grouped(backendRows(facts), (one) => backendGroup(one, by));
  return [
    { ...backendGroupTable, open },
    groups.map(([name, backends]) => ({ name, backends })),
    `Backends by ${by}`,
  ];
}

const UNKNOWN = '(not known)';

function holderGroup({ pool, holder, backend, client }: HolderFact, by: Grouping): string {
  switch (by) {
    case 'application':
      return pool.app;
    case 'user':
      return backend?.backend.user ?? client?.user ?? UNKNOWN;
    case 'database':
      return backend?.backend.database ?? client?.database ?? UNKNOWN;
    case 'site':
      return holder.site ?? UNKNOWN;
  }
}

function backendGroup({ backend, site }: BackendRow, by: Grouping): string {
  switch (by) {
    case 'application':
      return backend.application || UNKNOWN;
    case 'user':
      return backend.user ?? UNKNOWN;
    case 'database':
      return backend.database ?? UNKNOWN;
    case 'site':
      return site ?? UNKNOWN;
  }
}

function grouped<Row>(rows: readonly Row[], nameOf: (row: Row) => string): [string, Row[]][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const name = nameOf(row);
    const own = groups.get(name);
    if (own === undefined) groups.set(name, [row]);
    else own.push(row);
  }
  return [...groups];
}

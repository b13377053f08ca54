import type { HolderFact } from '../../diagnosis/facts.js';
import { shortTime } from '../../diagnosis/words.js';
import type { Tone } from '../spans.js';
import type { Column, TableSpec } from '../table.js';
import { poolText, siteText } from '../words.js';

export const holderTable: TableSpec<HolderFact> = {
  name: 'holders',
  title: 'Holders',
  // As the facts have it: leak suspects first, then the oldest.
  sort: null,
  key: ({ key }) => key,
  aged: ({ pool: { stale, ended } }) => (ended ? 'ended' : stale ? 'stale' : null),
  open: ({ key }) => ({ kind: 'lease', lease: key }),
  empty: 'nobody holds a lease',
  columns: [
    {
      id: 'age',
      title: 'AGE',
      align: 'right',
      rank: 1,
      width: 6,
      value: ({ holder }) => holder.ageMs,
      text: ({ holder }) => shortTime(holder.ageMs),
      tone: suspectTone,
    },
    {
      id: 'leak',
      title: 'LEAK',
      rank: 4,
      width: 4,
      value: ({ suspect }) => (suspect ? 'leak' : ''),
      tone: suspectTone,
    },
    {
      id: 'site',
      title: 'ACQUIRED AT',
      rank: 1,
      width: 18,
      grow: 2,
      value: ({ holder }) => holder.site,
      text: ({ holder }, width, drawing) => siteText(holder.site, width, drawing),
      tone: (row) => suspectTone(row) ?? 'name',
    },
    {
      id: 'doing',
      title: 'DOING',
      rank: 3,
      width: 11,
      value: ({ doing }) => doing,
      text: ({ doing }, width) =>
        doing === 'idle in transaction' && width < 19 ? 'idle in tx' : (doing ?? '-'),
      tone: doingTone,
    },
    {
      id: 'blocks',
      title: 'BLOCKS',
      align: 'right',
      rank: 5,
      width: 6,
      value: ({ backend }) => backend?.blocks ?? null,
      tone: ({ backend }) => ((backend?.blocks ?? 0) > 0 ? 'bad' : 'faint'),
    },
    {
      id: 'pool',
      title: 'POOL',
      rank: 6,
      width: 8,
      grow: 1,
      value: ({ pool }) => pool.pool.name,
      text: ({ pool }, width, drawing) => poolText(pool.pool.name, width, drawing),
    },
    { id: 'application', title: 'APPLICATION', rank: 10, width: 11, value: ({ pool }) => pool.app },
    {
      id: 'pid',
      title: 'BACKEND',
      align: 'right',
      rank: 7,
      width: 7,
      value: ({ backend }) => backend?.backend.pid ?? null,
    },
    {
      id: 'transaction',
      title: 'TX AGE',
      align: 'right',
      rank: 8,
      width: 7,
      value: ({ backend }) => backend?.backend.transactionMs ?? null,
      text: ({ backend }) => shortTime(backend?.backend.transactionMs ?? null),
    },
    {
      id: 'lease',
      title: 'LEASE',
      align: 'right',
      rank: 11,
      width: 7,
      value: ({ holder }) => holder.leaseId,
    },
    {
      id: 'port',
      title: 'PORT',
      align: 'right',
      rank: 12,
      width: 5,
      value: ({ holder }) => holder.localPort,
    },
    {
      id: 'sql',
      title: 'LAST SQL',
      rank: 4,
      width: 24,
      grow: 4,
      value: ({ holder, backend }) => holder.lastSql ?? backend?.backend.query ?? null,
    },
  ],
};

/** Holders of one application, user, database or site. */
export interface HolderGroup {
  readonly name: string;
  readonly holders: readonly HolderFact[];
}

export const holderGroupTable: Omit<TableSpec<HolderGroup>, 'open'> = {
  name: 'holder groups',
  title: 'Holders',
  sort: { column: 'leaks', descending: true },
  key: ({ name }) => name,
  empty: 'nobody holds a lease',
  columns: [
    {
      id: 'name',
      title: 'GROUP',
      rank: 1,
      width: 16,
      grow: 2,
      value: ({ name }) => name,
      text: ({ name }, width, drawing) => siteText(name, width, drawing),
      tone: () => 'name',
    },
    sum('leases', 'LEASES', 1, (group) => group.holders.length),
    {
      ...sum('leaks', 'LEAKS', 2, (group) => group.holders.filter(({ suspect }) => suspect).length),
      tone: (group) => (group.holders.some(({ suspect }) => suspect) ? 'bad' : 'faint'),
    },
    sum('queries', 'QUERY', 4, (group) => doingCount(group, 'query')),
    sum('locks', 'LOCKED', 4, (group) => doingCount(group, 'lock wait')),
    sum('idleTx', 'IDLE TX', 3, (group) => doingCount(group, 'idle in transaction')),
    {
      ...sum('oldest', 'OLDEST', 2, oldestMs),
      value: oldestMs,
      text: (group) => shortTime(oldestMs(group)),
    },
  ],
};

function sum(
  id: string,
  title: string,
  rank: number,
  value: (group: HolderGroup) => number | null,
): Column<HolderGroup> {
  return { id, title, align: 'right', rank, width: 7, value };
}

function doingCount({ holders }: HolderGroup, wanted: HolderFact['doing']): number {
  return holders.filter(({ doing }) => doing === wanted).length;
}

function oldestMs({ holders }: HolderGroup): number | null {
  const ages = holders.flatMap(({ holder }) => holder.ageMs ?? []);
  return ages.length === 0 ? null : Math.max(...ages);
}

function suspectTone({ suspect }: HolderFact): Tone | null {
  return suspect ? 'bad' : null;
}

export function doingTone({ doing }: Pick<HolderFact, 'doing'>): Tone | null {
  if (doing === 'lock wait') return 'bad';
  return doing === 'idle in transaction' ? 'warn' : doing === 'query' ? 'good' : null;
}

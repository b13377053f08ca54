import { type ClientFact, type PoolerPoolFact, pidKey } from '../../diagnosis/facts.js';
import { shortRate, shortTime } from '../../diagnosis/words.js';
import type { Column, TableSpec } from '../table.js';

export const poolerTable: TableSpec<PoolerPoolFact> = {
  name: 'pgbouncer',
  title: 'PgBouncer',
  sort: { column: 'waiting', descending: true },
  key: ({ key }) => key,
  aged: ({ stale }) => (stale ? 'stale' : null),
  open: ({ key }) => ({ kind: 'clients', poolerPool: key }),
  empty: 'no PgBouncer is read; add pgbouncer://USER@HOST:6432/pgbouncer',
  columns: [
    {
      id: 'database',
      title: 'DATABASE',
      rank: 1,
      width: 10,
      grow: 1,
      value: ({ pool }) => pool.database,
      tone: () => 'name',
    },
    { id: 'user', title: 'USER', rank: 3, width: 8, grow: 1, value: ({ pool }) => pool.user },
    { id: 'mode', title: 'MODE', rank: 8, width: 11, value: ({ pool }) => pool.mode },
    figure('active', 'CLIENTS', 4, 7, ({ pool }) => pool.clientsActive),
    {
      ...figure('waiting', 'QUEUE', 1, 6, ({ pool }) => pool.clientsWaiting),
      tone: ({ pool }) => (pool.clientsWaiting > 0 ? 'bad' : null),
    },
    {
      ...figure('oldest', 'OLDEST', 2, 6, ({ pool }) => pool.longestWaitMs),
      text: ({ pool }) => shortTime(pool.longestWaitMs),
    },
    {
      ...figure('servers', 'SERVERS', 2, 8, ({ pool }) => pool.serversActive),
      text: ({ pool }) =>
        pool.size === null ? String(pool.serversActive) : `${pool.serversActive}/${pool.size}`,
      tone: ({ pool }) => (pool.size !== null && pool.serversActive >= pool.size ? 'bad' : 'good'),
    },
    figure('idle', 'FREE', 5, 5, ({ pool }) => pool.serversIdle),
    figure('other', 'OTHER', 9, 5, ({ pool }) => pool.serversOther),
    rate('tps', 'TX/S', 5, (row) => databaseOf(row)?.transactionsPerSecond ?? null),
    rate('qps', 'QUERY/S', 8, (row) => databaseOf(row)?.queriesPerSecond ?? null),
    {
      ...figure('mean', 'WAIT', 6, 6, (row) => databaseOf(row)?.waitMs ?? null),
      text: (row) => shortTime(databaseOf(row)?.waitMs ?? null),
    },
    rate('busy', 'BUSY', 6, (row) => databaseOf(row)?.busy ?? null),
    {
      id: 'paused',
      title: 'PAUSED',
      rank: 7,
      width: 6,
      value: (row) => (databaseOf(row)?.paused === true ? 'paused' : ''),
      tone: () => 'warn',
    },
    { id: 'source', title: 'SOURCE', rank: 10, width: 12, grow: 1, value: ({ source }) => source },
  ],
};

export const clientTable: TableSpec<ClientFact> = {
  name: 'clients',
  title: 'Clients',
  sort: { column: 'waited', descending: true },
  key: ({ key }) => key,
  open: ({ backendPid }) => (backendPid === null ? null : { kind: 'backend', backend: pidKey(backendPid) }),
  empty: 'no client is connected to this pool',
  columns: [
    {
      id: 'application',
      title: 'APPLICATION',
      rank: 1,
      width: 12,
      grow: 2,
      value: ({ client }) => client.application,
      tone: () => 'name',
    },
    {
      id: 'state',
      title: 'STATE',
      rank: 2,
      width: 8,
      value: ({ client }) => client.state,
      tone: ({ client }) => (client.state === 'waiting' ? 'bad' : null),
    },
    {
      id: 'waited',
      title: 'WAITS',
      align: 'right',
      rank: 1,
      width: 6,
      value: ({ client }) => client.waitMs,
      text: ({ client }) => shortTime(client.waitMs),
      tone: ({ client }) => (client.waitMs === null ? null : 'bad'),
    },
    {
      id: 'address',
      title: 'ADDRESS',
      rank: 3,
      width: 21,
      value: ({ client }) => (client.address === null ? null : `${client.address}:${client.port ?? '?'}`),
    },
    {
      id: 'backend',
      title: 'BACKEND',
      align: 'right',
      rank: 2,
      width: 7,
      value: ({ backendPid }) => backendPid,
    },
    { id: 'user', title: 'USER', rank: 6, width: 8, value: ({ client }) => client.user },
    { id: 'database', title: 'DATABASE', rank: 6, width: 10, value: ({ client }) => client.database },
  ],
};

function databaseOf({ pooler, pool }: PoolerPoolFact) {
  return pooler.databases.find(({ name }) => name === pool.database);
}

function figure(
  id: string,
  title: string,
  rank: number,
  width: number,
  value: (row: PoolerPoolFact) => number | null,
): Column<PoolerPoolFact> {
  return { id, title, align: 'right', rank, width, value };
}

function rate(
  id: string,
  title: string,
  rank: number,
  value: (row: PoolerPoolFact) => number | null,
): Column<PoolerPoolFact> {
  return { ...figure(id, title, rank, 7, value), text: (row) => shortRate(value(row)) };
}

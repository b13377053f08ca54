import { formatSize } from '../../base/units.js';
import type { ServerFact } from '../../diagnosis/facts.js';
import { type ServerHistory, type ServerRates, serverRatesOf } from '../../diagnosis/server-history.js';
import { shortRate, shortTime } from '../../diagnosis/words.js';
import type { Column, TableSpec } from '../table.js';

/** A database server, and its rates over the last seconds; null before the second reading. */
export interface ServerRow extends ServerFact {
  readonly rates: ServerRates | null;
}

export function serverRows(servers: readonly ServerFact[], history: ServerHistory): ServerRow[] {
  return servers.map((fact) => ({ ...fact, rates: serverRatesOf(history.get(fact.source) ?? []) }));
}

export const serverTable: TableSpec<ServerRow> = {
  name: 'servers',
  title: 'Servers',
  sort: null,
  key: ({ source }) => source,
  aged: ({ stale }) => (stale ? 'stale' : null),
  empty: 'no database is read; add postgres://USER@HOST/DATABASE or mysql://USER@HOST/',
  columns: [
    {
      id: 'server',
      title: 'SERVER',
      rank: 1,
      width: 16,
      grow: 2,
      value: ({ source }) => source,
      tone: () => 'name',
    },
    {
      ...figure('connections', 'IN USE', 2, 8, ({ server }) => server.usedConnections),
      text: ({ server }) => `${server.usedConnections ?? '-'}/${server.maxConnections}`,
      tone: ({ server: { usedConnections: used, maxConnections, reservedConnections } }) =>
        used !== null && used >= 0.9 * (maxConnections - reservedConnections) ? 'bad' : null,
    },
    rate('transactions', 'TX/S', 2, ({ rates }) => rates?.transactionsPerSecond ?? null),
    rate('rollbacks', 'ROLLED BACK', 6, ({ rates }) => perSecond(rates, rates?.rollbacks)),
    {
      ...figure('cache', 'CACHE HIT', 3, 9, ({ rates }) => rates?.cacheHitShare ?? null),
      text: ({ rates }) => percent(rates?.cacheHitShare ?? null),
      tone: ({ rates }) => ((rates?.cacheHitShare ?? 1) < 0.9 ? 'warn' : null),
    },
    {
      ...figure('temporary', 'TEMP/S', 4, 8, ({ rates }) => perSecond(rates, rates?.temporaryBytes)),
      text: ({ rates }) => formatSize(perSecond(rates, rates?.temporaryBytes)),
    },
    {
      ...figure('deadlocks', 'DEADLOCKS', 3, 9, ({ rates }) => rates?.deadlocks ?? null),
      tone: ({ rates }) => ((rates?.deadlocks ?? 0) > 0 ? 'bad' : null),
    },
    figure('conflicts', 'CONFLICTS', 8, 9, ({ rates }) => rates?.conflicts ?? null),
    {
      ...figure('lag', 'STANDBY LAG', 5, 11, lagMs),
      text: (row) => shortTime(lagMs(row)),
    },
    {
      ...figure('slots', 'KEPT WAL', 5, 8, retainedBytes),
      text: (row) => formatSize(retainedBytes(row)),
    },
    {
      ...figure('uptime', 'UPTIME', 9, 6, ({ server }) => server.uptimeMs ?? null),
      text: ({ server }) => shortTime(server.uptimeMs ?? null),
    },
    { id: 'version', title: 'VERSION', rank: 10, width: 10, value: ({ server }) => server.version },
  ],
};

/** The standby that is furthest behind. */
function lagMs({ server }: ServerRow): number | null {
  return most((server.standbys ?? []).map(({ replayLagMs }) => replayLagMs));
}

/** The WAL that the server keeps for a replication slot that nobody reads. */
function retainedBytes({ server }: ServerRow): number | null {
  return most((server.slots ?? []).map(({ active, retainedBytes: bytes }) => (active ? null : bytes)));
}

function most(figures: readonly (number | null)[]): number | null {
  const known = figures.filter((one) => one !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function perSecond(rates: ServerRates | null, amount: number | null | undefined): number | null {
  return rates === null || amount == null ? null : (amount * 1000) / rates.overMs;
}

function percent(share: number | null): string {
  return share === null ? '-' : `${Math.floor(share * 1000) / 10} %`;
}

function figure(
  id: string,
  title: string,
  rank: number,
  width: number,
  value: (row: ServerRow) => number | null,
): Column<ServerRow> {
  return { id, title, align: 'right', rank, width, value };
}

function rate(
  id: string,
  title: string,
  rank: number,
  value: (row: ServerRow) => number | null,
): Column<ServerRow> {
  const width = Math.max(6, title.length);
  return { ...figure(id, title, rank, width, value), text: (row) => shortRate(value(row)) };
}

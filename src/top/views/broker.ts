import type { PoolFact } from '../../diagnosis/facts.js';
import { counted, shortTime } from '../../diagnosis/words.js';
import type { IbConnectionReading } from '../../snapshot/broker.js';
import { sumOf } from '../../snapshot/sums.js';
import type { Column, TableSpec } from '../table.js';

/** A connection of a pool of broker connections. */
export interface BrokerRow {
  readonly fact: PoolFact;
  readonly connection: IbConnectionReading;
}

export function brokerRows(fact: PoolFact): BrokerRow[] {
  return (fact.pool.ib?.connections ?? []).map((connection) => ({ fact, connection }));
}

/** The address of the gateway, the free ids, and the pacing that all its connections share. */
export function brokerWords({ pool, stale }: PoolFact): string {
  const { ib } = pool;
  if (ib === undefined) return `Pool ${pool.name}`;
  const { host, port, clientIdsFree, pacing, connections } = ib;
  const reconnects = connections.length === 0 ? 0 : sumOf(connections.map(reconnectsOf));
  const paced =
    pacing === null
      ? []
      : [
          `pacing ${pacing.peakSecond} of ${pacing.limitPerSecond}/s at most`,
          `headroom ${Math.round(100 * (1 - pacing.peakSecond / pacing.limitPerSecond))} %`,
          ...(pacing.waiting > 0
            ? [`${pacing.waiting} queued for up to ${shortTime(pacing.longestWaitMs)}`]
            : []),
        ];
  return [
    `Broker ${host}:${port}${stale ? ' (stale)' : ''}`,
    ...paced,
    ...(reconnects === null ? [] : [counted(reconnects, 'reconnect')]),
    ...(clientIdsFree === null ? [] : [`${counted(clientIdsFree, 'client id')} free`]),
  ].join(', ');
}

export const brokerTable: TableSpec<BrokerRow> = {
  name: 'broker',
  title: 'Broker connections',
  sort: { column: 'id', descending: false },
  key: ({ fact, connection }) => `${fact.key} ${connection.clientId}`,
  open: ({ fact }) => ({ kind: 'pool', pool: fact.key }),
  empty: 'no connection is open: the first acquire opens one',
  columns: [
    { ...figure('id', 'CLIENT ID', 1, 10, ({ clientId }) => clientId), tone: () => 'name' },
    {
      id: 'state',
      title: 'STATE',
      rank: 1,
      width: 10,
      grow: 1,
      value: ({ connection }) => connection.state,
      tone: ({ connection }) => (connection.state === 'ready' ? 'good' : 'bad'),
    },
    {
      id: 'upstream',
      title: 'TO IB',
      rank: 2,
      width: 5,
      value: ({ connection }) => connection.upstream,
      tone: ({ connection }) => (connection.upstream === 'down' ? 'bad' : null),
    },
    {
      ...figure('reconnects', 'RECONNECTS', 2, 10, reconnectsOf),
      tone: ({ connection }) => ((connection.ready ?? 0) > 1 ? 'warn' : null),
    },
    figure('lost', 'LOST', 4, 5, ({ lost }) => lost),
    figure('attempts', 'ATTEMPTS', 5, 8, ({ attempts }) => attempts),
    figure('beats', 'NO ANSWER', 6, 9, ({ heartbeatsMissed }) => heartbeatsMissed),
    {
      ...figure('collisions', 'ID IN USE', 3, 9, ({ idCollisions }) => idCollisions),
      tone: ({ connection }) => ((connection.idCollisions ?? 0) > 0 ? 'warn' : null),
    },
    { id: 'pool', title: 'POOL', rank: 8, width: 12, grow: 1, value: ({ fact }) => fact.pool.name },
  ],
};

/** Sessions after the first. */
function reconnectsOf({ ready }: IbConnectionReading): number | null {
  return ready === null ? null : Math.max(0, ready - 1);
}

function figure(
  id: string,
  title: string,
  rank: number,
  width: number,
  value: (connection: IbConnectionReading) => number | null,
): Column<BrokerRow> {
  return { id, title, align: 'right', rank, width, value: ({ connection }) => value(connection) };
}

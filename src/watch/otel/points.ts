import type { HistogramSnapshot } from '../../base/histogram.js';
import type { WatchedSnapshot } from '../../snapshot/pool.js';

/**
 * The metrics of connection pools in OpenTelemetry's semantic conventions (database client metrics, version 1.44, status
 * Development): names, units, kinds of instruments and attributes.
 * https://opentelemetry.io/docs/specs/semconv/database/database-metrics/#connection-pools
 */
export interface PoolMetric {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  /** `upDownCounter` may fall, `counter` only grows, `histogram` is in seconds. */
  readonly kind: 'upDownCounter' | 'counter' | 'histogram';
  /** Reads the value of a pool. A null value is not measured, and gives no point. */
  read(pool: WatchedSnapshot): readonly Point[];
}

export interface Point {
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number | HistogramSnapshot | null;
}

const POOL_NAME = 'db.client.connection.pool.name';
const STATE = 'db.client.connection.state';
const PREFIX = 'db.client.connection.';

/** Upper bounds of the buckets, in seconds: those that the conventions advise for durations of database clients. */
export const BOUNDS: readonly number[] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

const one =
  (value: (pool: WatchedSnapshot) => Point['value']) =>
  (pool: WatchedSnapshot): readonly Point[] => [
    { attributes: { [POOL_NAME]: pool.name }, value: value(pool) },
  ];

export const POOL_METRICS: readonly PoolMetric[] = [
  {
    ...{ name: `${PREFIX}count`, unit: '{connection}', kind: 'upDownCounter' },
    description: 'The number of connections that are currently in state described by the state attribute.',
    read: ({ name, idle, inUse }) =>
      [
        { state: 'idle', value: idle },
        { state: 'used', value: inUse },
      ].map(({ state, value }) => ({ attributes: { [POOL_NAME]: name, [STATE]: state }, value })),
  },
  {
    ...{ name: `${PREFIX}max`, unit: '{connection}', kind: 'upDownCounter' },
    description: 'The maximum number of open connections allowed.',
    read: one(({ size, maxOverflow }) => (size === null ? null : size + (maxOverflow ?? 0))),
  },
  {
    ...{ name: `${PREFIX}pending_requests`, unit: '{request}', kind: 'upDownCounter' },
    description: 'The number of current pending requests for an open connection.',
    read: one(({ waiting }) => waiting),
  },
  {
    ...{ name: `${PREFIX}timeouts`, unit: '{timeout}', kind: 'counter' },
    description:
      'The number of connection timeouts that have occurred trying to obtain a connection from the pool.',
    read: one(({ counters }) => counters.timedOut),
  },
  {
    ...{ name: `${PREFIX}create_time`, unit: 's', kind: 'histogram' },
    description: 'The time it took to create a new connection.',
    read: one(({ create }) => create ?? null),
  },
  {
    ...{ name: `${PREFIX}wait_time`, unit: 's', kind: 'histogram' },
    description: 'The time it took to obtain an open connection from the pool.',
    read: one(({ wait }) => wait),
  },
  {
    ...{ name: `${PREFIX}use_time`, unit: 's', kind: 'histogram' },
    description: 'The time between borrowing a connection and returning it to the pool.',
    read: one(({ hold }) => hold),
  },
];

/** Pools of HTTP connections, feeds and brokers have metrics of other kinds. */
export function isDatabasePool(pool: WatchedSnapshot): boolean {
  return !('http' in pool) && !('feed' in pool) && !('ib' in pool);
}

import type { Unit } from '../snapshot/metric.js';
import { anyPool, POOL_PREFIX, poolCounters } from '../snapshot/pool.js';
import type { PoolerReading } from '../snapshot/pooler.js';
import type { Reading } from '../snapshot/reading.js';
import type { Backend, DatabaseReading, ServerReading } from '../snapshot/server.js';
import {
  PGBOUNCER_CLIENTS,
  PGBOUNCER_DATABASES,
  PGBOUNCER_MAXWAIT,
  PGBOUNCER_POOL_INFO,
  PGBOUNCER_POOLS,
  PGBOUNCER_STATS,
  PGBOUNCER_VERSION,
  type PgBouncerColumn,
  POOL_INFO,
} from '../sources/metric-names.js';
import { causes } from './causes.js';
import type { MeteredPool } from './metered-pool.js';
import { type AnyFamily, counter, type Family, gauge, type Labelled, type Metric } from './metric.js';
import { metricsOf, through } from './of-schema.js';
import {
  brokerConnections,
  brokers,
  feedConnections,
  feeds,
  httpClosed,
  httpPools,
  httpRetries,
  httpTimeouts,
  sizingReasons,
  sizings,
} from './pool-kinds.js';
import { POOL_LABELS, poolLabels } from './pool-labels.js';

const { wait, hold, size, maxOverflow, longestWaitMs, longestHoldMs, ...gauges } = metricsOf(
  anyPool,
  POOL_PREFIX,
);

/** The pools of applications, in the words of dashboards for SQLAlchemy. */
export const pools = {
  labels: POOL_LABELS,
  subjectsOf: (reading: Reading) =>
    reading.pools.map((subject) => ({ labels: poolLabels(subject), subject })),
  metrics: {
    size,
    maxOverflow,
    capacity: gauge({
      name: `${POOL_PREFIX}capacity`,
      unit: 'connections',
      help: 'Connections that it may have at most: size and max overflow.',
      read: (pool) => (pool.size === null || pool.maxOverflow === null ? null : pool.size + pool.maxOverflow),
    }),
    ...gauges,
    longestWaitMs: { ...longestWaitMs, read: (pool) => ageOf(pool.longestWaitMs, pool.waiting) },
    longestHoldMs: { ...longestHoldMs, read: (pool) => ageOf(pool.longestHoldMs, pool.inUse) },
    ...through(({ counters }: MeteredPool) => counters, metricsOf(poolCounters, POOL_PREFIX)),
    wait,
    hold,
  },
} satisfies Family<MeteredPool>;

export const poolInfo = {
  labels: [...pools.labels, 'driver'],
  subjectsOf: (reading: Reading) =>
    reading.pools.map((subject) => ({ labels: [...poolLabels(subject), subject.driver], subject })),
  metrics: {
    info: gauge<MeteredPool>({
      name: POOL_PREFIX + POOL_INFO,
      unit: 'count',
      help: 'Always 1; which driver the pool is of.',
      together: 'max',
      read: () => 1,
    }),
  },
} satisfies Family<MeteredPool>;

/** A row of SHOW POOLS. */
interface PoolerPool {
  readonly figures: Readonly<Record<string, number>>;
  readonly size: number | null;
}

type Figures = { readonly figures: Readonly<Record<string, number>> };

const aliasOf = ({ community, name }: PgBouncerColumn) =>
  community === null || community === name
    ? {}
    : { alias: { compat: 'prometheus-community' as const, name: community } };

const columnOf = (spec: PgBouncerColumn, unit: Unit, help: string): Metric<Figures> =>
  gauge({
    name: spec.name,
    unit,
    help,
    ...aliasOf(spec),
    read: ({ figures }) => scaled(figures[spec.column], spec.factor),
  });

const statOf = (spec: PgBouncerColumn, help: string, unit: Unit = 'count'): Metric<Figures> =>
  counter({
    name: spec.name,
    unit,
    help,
    ...aliasOf(spec),
    read: ({ figures }) => scaled(figures[spec.column], spec.factor),
  });

/** PgBouncer's pools: one for each pair of database and user. */
export const poolerPools = {
  labels: ['database', 'user'],
  subjectsOf: ({ pooler }: Reading) =>
    (pooler?.columns?.pools ?? []).flatMap(({ figures }, at) => {
      const pool = pooler?.pools[at];
      return pool === undefined
        ? []
        : [{ labels: [pool.database, pool.user], subject: { figures, size: pool.size } }];
    }),
  metrics: {
    clActive: columnOf(
      PGBOUNCER_POOLS.clActive,
      'connections',
      'Clients that have a server or do not need one now.',
    ),
    clWaiting: columnOf(PGBOUNCER_POOLS.clWaiting, 'connections', 'Clients that wait for a server.'),
    clActiveCancel: columnOf(
      PGBOUNCER_POOLS.clActiveCancel,
      'connections',
      'Clients whose cancel request was handed on to the server.',
    ),
    clWaitingCancel: columnOf(
      PGBOUNCER_POOLS.clWaitingCancel,
      'connections',
      'Clients whose cancel request has not been handed on yet.',
    ),
    svActive: columnOf(PGBOUNCER_POOLS.svActive, 'connections', 'Servers that a client has.'),
    svIdle: columnOf(PGBOUNCER_POOLS.svIdle, 'connections', 'Servers that are free.'),
    svUsed: columnOf(
      PGBOUNCER_POOLS.svUsed,
      'connections',
      'Servers that are free, and have been for longer than server_check_delay.',
    ),
    svTested: columnOf(PGBOUNCER_POOLS.svTested, 'connections', 'Servers that are being reset or checked.'),
    svLogin: columnOf(PGBOUNCER_POOLS.svLogin, 'connections', 'Servers that are being logged in to.'),
    svActiveCancel: columnOf(
      PGBOUNCER_POOLS.svActiveCancel,
      'connections',
      'Servers that carry a cancel request.',
    ),
    svBeingCanceled: columnOf(
      PGBOUNCER_POOLS.svBeingCanceled,
      'connections',
      'Servers kept back until cancel requests to them are done.',
    ),
    maxwait: gauge<PoolerPool>({
      name: PGBOUNCER_MAXWAIT.name,
      unit: 'seconds',
      help: 'Age of the oldest client that waits, in seconds with their fraction.',
      ...aliasOf(PGBOUNCER_MAXWAIT),
      together: 'max',
      read: ({ figures: { maxwait, maxwait_us = 0 } }) =>
        maxwait === undefined ? null : maxwait + maxwait_us / 1e6,
    }),
    size: gauge<PoolerPool>({
      name: 'pgbouncer_pools_pool_size',
      unit: 'connections',
      help: 'Servers that this pair may have: pool_size, or max_db_connections where that is less.',
      read: ({ size }) => size,
    }),
  },
} satisfies Family<PoolerPool>;

export const poolerInfo = {
  labels: [...poolerPools.labels, 'pool_mode'],
  subjectsOf: ({ pooler }: Reading) =>
    (pooler?.pools ?? []).map(({ database, user, mode }) => ({
      labels: [database, user, mode],
      subject: mode,
    })),
  metrics: {
    info: gauge<string>({
      name: PGBOUNCER_POOL_INFO,
      unit: 'count',
      help: 'Always 1; the pool mode of the pair.',
      together: 'max',
      read: () => 1,
    }),
  },
} satisfies Family<string>;

export const poolerDatabases = {
  labels: ['database'],
  labelAlias: { compat: 'prometheus-community', label: 'name', of: 'database' },
  subjectsOf: ({ pooler }: Reading) =>
    (pooler?.columns?.databases ?? []).map(({ database, figures }, at) => ({
      labels: [database],
      subject: { figures, paused: pooler?.databases[at]?.paused ?? null },
    })),
  metrics: {
    currentConnections: columnOf(
      PGBOUNCER_DATABASES.currentConnections,
      'connections',
      'Servers that are open, of all users.',
    ),
    poolSize: columnOf(
      PGBOUNCER_DATABASES.poolSize,
      'connections',
      'Servers that the pool of each user may have.',
    ),
    minPoolSize: columnOf(
      PGBOUNCER_DATABASES.minPoolSize,
      'connections',
      'Servers that are kept open at least.',
    ),
    reservePoolSize: columnOf(
      PGBOUNCER_DATABASES.reservePoolSize,
      'connections',
      'Servers that may be opened on top when clients have waited for long.',
    ),
    maxConnections: columnOf(
      PGBOUNCER_DATABASES.maxConnections,
      'connections',
      'Servers that all users together may have; 0 is no limit.',
    ),
    paused: gauge<Figures & { readonly paused: boolean | null }>({
      name: PGBOUNCER_DATABASES.paused.name,
      unit: 'yes or no',
      help: '1 while the database, or from version 1.19 all of PgBouncer, is paused.',
      together: 'max',
      read: ({ paused }) => (paused === null ? null : Number(paused)),
    }),
    disabled: {
      ...columnOf(PGBOUNCER_DATABASES.disabled, 'yes or no', '1 while it takes no new clients.'),
      together: 'max',
    },
  },
} satisfies Family<Figures & { readonly paused: boolean | null }>;

export const poolerStats = {
  labels: ['database'],
  subjectsOf: ({ pooler }: Reading) =>
    (pooler?.columns?.stats ?? []).map(({ database, figures }) => ({
      labels: [database],
      subject: { figures },
    })),
  metrics: {
    transactions: statOf(PGBOUNCER_STATS.transactions, 'Transactions.'),
    queries: statOf(PGBOUNCER_STATS.queries, 'Queries.'),
    assignments: statOf(PGBOUNCER_STATS.assignments, 'How often a client was given a server (from 1.23).'),
    received: statOf(PGBOUNCER_STATS.received, 'Bytes received from clients and servers.', 'bytes'),
    sent: statOf(PGBOUNCER_STATS.sent, 'Bytes sent to clients and servers.', 'bytes'),
    transactionTime: statOf(
      PGBOUNCER_STATS.transactionTime,
      'Time of transactions, with the wait for a server at their beginning.',
      'seconds',
    ),
    queryTime: statOf(
      PGBOUNCER_STATS.queryTime,
      'Time of queries, with the wait for a server at their beginning.',
      'seconds',
    ),
    waitTime: statOf(PGBOUNCER_STATS.waitTime, 'Time that clients waited for a server.', 'seconds'),
  },
} satisfies Family<Figures>;

const poolersOf = ({ pooler }: Reading): readonly Labelled<PoolerReading>[] =>
  pooler === null ? [] : [{ labels: [], subject: pooler }];

export const pooler = {
  labels: [],
  subjectsOf: poolersOf,
  metrics: {
    usedClients: gauge<PoolerReading>({
      name: PGBOUNCER_CLIENTS.used,
      unit: 'connections',
      help: 'Clients that are logged in to PgBouncer.',
      read: ({ usedClients }) => usedClients,
    }),
    maxClients: gauge<PoolerReading>({
      name: PGBOUNCER_CLIENTS.most,
      unit: 'connections',
      help: 'Clients that may be logged in to PgBouncer: max_client_conn.',
      alias: { compat: 'prometheus-community', name: PGBOUNCER_CLIENTS.mostOfCommunity },
      read: ({ maxClients }) => maxClients,
    }),
  },
} satisfies Family<PoolerReading>;

export const poolerVersion = {
  labels: ['version'],
  subjectsOf: (reading: Reading) =>
    poolersOf(reading)
      .filter(({ subject }) => subject.version !== '')
      .map(({ subject }) => ({ labels: [subject.version], subject })),
  metrics: {
    info: gauge<PoolerReading>({
      name: PGBOUNCER_VERSION,
      unit: 'count',
      help: 'Always 1; the version of PgBouncer.',
      read: () => 1,
    }),
  },
} satisfies Family<PoolerReading>;

export const server = {
  labels: [],
  // Their names say PostgreSQL; MySQL has exporters of its own.
  subjectsOf: ({ kind, server, backends }: Reading) =>
    server === null || kind === 'mysql' ? [] : [{ labels: [], subject: { server, backends } }],
  metrics: {
    maxConnections: gauge<ServerSubject>({
      name: 'poolctl_postgres_max_connections',
      unit: 'connections',
      help: 'Connections that the server may have: max_connections.',
      read: ({ server }) => server.maxConnections,
    }),
    reservedConnections: gauge<ServerSubject>({
      name: 'poolctl_postgres_reserved_connections',
      unit: 'connections',
      help: 'Connections kept back: superuser_reserved_connections and (from PostgreSQL 16) reserved_connections.',
      read: ({ server }) => server.reservedConnections,
    }),
    usedConnections: gauge<ServerSubject>({
      name: 'poolctl_postgres_used_connections',
      unit: 'connections',
      help: 'Connections of clients to all databases of the server.',
      read: ({ server }) => server.usedConnections,
    }),
    idleInTransaction: gauge<ServerSubject>({
      name: 'poolctl_postgres_longest_idle_in_transaction_seconds',
      unit: 'seconds',
      help: 'How long the backend that is idle in a transaction for longest has been; 0 while none is.',
      read: ({ backends }) =>
        Math.max(
          0,
          ...backends.map(({ state, stateMs }) =>
            state?.startsWith('idle in transaction') ? (stateMs ?? 0) / 1000 : 0,
          ),
        ),
    }),
    lockWaiters: gauge<ServerSubject>({
      name: 'poolctl_postgres_lock_waiters',
      unit: 'connections',
      help: 'Backends that wait for a lock that another one holds.',
      read: ({ backends }) => backends.filter(({ blockedBy }) => blockedBy.length > 0).length,
    }),
  },
} satisfies Family<ServerSubject>;

interface ServerSubject {
  readonly server: ServerReading;
  readonly backends: readonly Backend[];
}

export const backends = {
  labels: ['database', 'state'],
  subjectsOf: ({ backends }: Reading) => {
    const groups = new Map<string, { labels: readonly string[]; subject: number }>();
    for (const { database, state } of backends) {
      const labels = [database ?? 'unknown', state ?? 'unknown'];
      const key = JSON.stringify(labels);
      groups.set(key, { labels, subject: (groups.get(key)?.subject ?? 0) + 1 });
    }
    return [...groups.values()];
  },
  metrics: {
    backends: gauge<number>({
      name: 'poolctl_postgres_backends',
      unit: 'connections',
      help: 'Backends that serve a client, by database and state; unknown where the role may not see it.',
      read: (backends) => backends,
    }),
  },
} satisfies Family<number>;

const databaseCounter = (
  name: string,
  help: string,
  read: (database: DatabaseReading) => number | null,
  unit: Unit = 'count',
): Metric<DatabaseReading> => counter({ name: `poolctl_postgres_database_${name}_total`, help, read, unit });

export const databases = {
  labels: ['database'],
  subjectsOf: ({ server }: Reading) =>
    (server?.databases ?? []).map((subject) => ({ labels: [subject.name], subject })),
  metrics: {
    transactions: databaseCounter('transactions', 'Transactions.', ({ transactions }) => transactions),
    sessions: databaseCounter('sessions', 'Sessions that were begun.', ({ sessions }) => sessions),
    abandoned: databaseCounter(
      'sessions_abandoned',
      'Sessions that ended since the connection to the client was lost.',
      ({ sessionsAbandoned }) => sessionsAbandoned,
    ),
    fatal: databaseCounter(
      'sessions_fatal',
      'Sessions that ended by a fatal error.',
      ({ sessionsFatal }) => sessionsFatal,
    ),
    killed: databaseCounter(
      'sessions_killed',
      'Sessions that an operator ended.',
      ({ sessionsKilled }) => sessionsKilled,
    ),
    activeTime: databaseCounter(
      'active_seconds',
      'Time in which queries ran.',
      ({ activeMs }) => secondsOf(activeMs),
      'seconds',
    ),
    idleInTransactionTime: databaseCounter(
      'idle_in_transaction_seconds',
      'Time in which sessions stood idle in a transaction.',
      ({ idleInTransactionMs }) => secondsOf(idleInTransactionMs),
      'seconds',
    ),
  },
} satisfies Family<DatabaseReading>;

/** The result of reading a source, also for unreadable ones. */
export interface SourceHealth {
  readonly kind: Reading['kind'];
  readonly up: boolean;
  readonly readMs: number | null;
}

/** Has no readings to show: the scraper knows them. */
export const sources = {
  labels: ['kind'],
  subjectsOf: (): readonly Labelled<SourceHealth>[] => [],
  metrics: {
    up: gauge<SourceHealth>({
      name: 'poolctl_source_up',
      unit: 'yes or no',
      help: '1 if the source could be read for this scrape.',
      read: ({ up }) => Number(up),
    }),
    pgbouncerUp: gauge<SourceHealth>({
      name: 'pgbouncer_up',
      unit: 'yes or no',
      help: '1 if PgBouncer could be read for this scrape.',
      read: ({ kind, up }) => (kind === 'pgbouncer' ? Number(up) : null),
    }),
    readTime: gauge<SourceHealth>({
      name: 'poolctl_source_read_seconds',
      unit: 'seconds',
      help: 'How long reading the source took.',
      read: ({ readMs }) => secondsOf(readMs),
    }),
  },
} satisfies Family<SourceHealth>;

const ofPools = {
  pools,
  poolInfo,
  sizings,
  sizingReasons,
  feeds,
  feedConnections,
  brokers,
  brokerConnections,
  httpPools,
  httpClosed,
  httpRetries,
  httpTimeouts,
} satisfies Record<string, AnyFamily>;

/** The facts that an application reports about its own pools. */
export const POOL_FAMILIES = Object.values<AnyFamily>(ofPools);

/** All of it, in the order in which it is written. */
export const TABLE = {
  ...ofPools,
  poolerPools,
  poolerInfo,
  poolerDatabases,
  poolerStats,
  pooler,
  poolerVersion,
  server,
  backends,
  databases,
  causes,
  sources,
} satisfies Record<string, AnyFamily>;

/** Without holders or waiters there is no age, unless nobody measures it. */
function ageOf(ms: number | null, count: number | null): number | null {
  if (ms !== null) return ms / 1000;
  return count === 0 ? 0 : null;
}

function secondsOf(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

function scaled(value: number | undefined, factor: number): number | null {
  return value === undefined ? null : value * factor;
}

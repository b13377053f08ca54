import type { PoolerDatabase, PoolerPool, PoolerReading } from '../snapshot/pooler.js';
import type { PoolReading, Reading } from '../snapshot/reading.js';
import { type HealthLimits, healthOf, judge, type PoolHealth, type Trouble } from './health.js';

/** A pool's health, and where it was read. */
export interface SourceHealth extends PoolHealth {
  readonly source: string;
  /** The application whose pool it is, and its process; null where it is none's. */
  readonly application: string | null;
  readonly pid: number | null;
}

/** The health of all that a reading tells of: pools of applications, those of PgBouncer, and servers. */
export function healthOfReading(
  reading: Reading,
  limits: HealthLimits,
  before: Reading | null = null,
): readonly SourceHealth[] {
  const { source, pooler, server } = reading;
  const placed = (health: PoolHealth): SourceHealth => ({ ...health, source, application: null, pid: null });
  return [
    ...reading.pools.map((pool) => ({
      ...placed(healthOfPool(pool, reading, limits, before)),
      application: pool.app?.name ?? null,
      pid: pool.app?.pid ?? null,
    })),
    ...(pooler === null ? [] : healthOfPooler(pooler, limits).map(placed)),
    ...(server === null ? [] : [placed(healthOfServer(server, limits))]),
  ];
}

/** What is said of a source that cannot be read, or that tells of no pool. */
export function unreadable(source: string, reason: string): SourceHealth {
  const unknown = { size: null, checked_out: null, checked_in: null, overflow: null, total_capacity: null };
  const figures = { ...unknown, waiting: null, longest_wait_ms: null, leaked: null, timed_out: null };
  return {
    ...{ pool_name: source, status: 'error', ...figures, utilization_percent: null, reasons: [reason] },
    ...{ source, application: null, pid: null },
  };
}

function healthOfPool(
  pool: PoolReading,
  { kind }: Reading,
  limits: HealthLimits,
  before: Reading | null,
): PoolHealth {
  const same = before?.pools.find((one) => one.name === pool.name && one.app?.pid === pool.app?.pid);
  if (kind !== 'prometheus') return healthOf(pool, { limits, before: same ?? null });
  // What no metric tells is not "unlimited": then the overflow that is open is the best that is known of it.
  const known = { ...pool, maxOverflow: pool.maxOverflow ?? Math.max(0, pool.overflow ?? 0) };
  return { ...healthOf(known, { limits, before: same ?? null }), leaked: null };
}

function healthOfPooler(pooler: PoolerReading, limits: HealthLimits): readonly PoolHealth[] {
  const { pools, databases, maxClients, usedClients } = pooler;
  // Before its first client a database has no pool.
  const unused = databases.filter(({ name }) => pools.every(({ database }) => database !== name));
  const clients = judge(
    {
      pool_name: 'clients',
      size: maxClients,
      checked_out: usedClients,
      checked_in: maxClients === null || usedClients === null ? null : Math.max(0, maxClients - usedClients),
      overflow: 0,
      total_capacity: maxClients,
      ...{ waiting: null, longest_wait_ms: null, leaked: null, timed_out: null },
    },
    limits,
  );
  return [
    ...pools.map((pool) => {
      const database = databases.find(({ name }) => name === pool.database) ?? null;
      return healthOfPoolerPool(pool, database, pooler, limits);
    }),
    ...unused.map((database) => healthOfPoolerPool(emptyPool(database), database, pooler, limits)),
    ...(maxClients === null || usedClients === null ? [] : [clients]),
  ];
}

function emptyPool({ name, size }: PoolerDatabase): PoolerPool {
  const nothing = { clientsActive: 0, clientsWaiting: 0, serversActive: 0, serversIdle: 0, serversOther: 0 };
  return { database: name, user: '', mode: '', ...nothing, longestWaitMs: 0, size };
}

function healthOfPoolerPool(
  pool: PoolerPool,
  database: PoolerDatabase | null,
  { config }: PoolerReading,
  limits: HealthLimits,
): PoolHealth {
  const { user, size, serversActive, serversIdle, serversOther, clientsWaiting, longestWaitMs } = pool;
  const open = serversActive + serversIdle + serversOther;
  const most = Number(config.max_db_connections) || Number.POSITIVE_INFINITY;
  const paused = database?.paused === true;
  const trouble: readonly Trouble[] = paused ? [{ status: 'warning', reason: 'the database is paused' }] : [];
  const never = { warning: null, critical: null };
  return judge(
    {
      pool_name: user === '' ? pool.database : `${pool.database}/${user}`,
      size,
      checked_out: serversActive + serversOther,
      checked_in: serversIdle,
      overflow: size === null ? null : Math.max(0, open - size),
      total_capacity: size === null ? null : Math.min(size + (database?.reserve ?? 0), most),
      waiting: clientsWaiting,
      longest_wait_ms: clientsWaiting === 0 ? null : longestWaitMs,
      ...{ leaked: null, timed_out: null },
    },
    // That clients queue is what a pause is.
    paused ? { ...limits, waiting: never, waitMs: never } : limits,
    trouble,
  );
}

function healthOfServer(
  { maxConnections, reservedConnections, usedConnections }: NonNullable<Reading['server']>,
  limits: HealthLimits,
): PoolHealth {
  const open = maxConnections - reservedConnections;
  return judge(
    {
      pool_name: 'max_connections',
      size: open,
      checked_out: usedConnections,
      checked_in: usedConnections === null ? null : Math.max(0, open - usedConnections),
      overflow: usedConnections === null ? null : Math.max(0, usedConnections - open),
      total_capacity: open,
      ...{ waiting: null, longest_wait_ms: null, leaked: null, timed_out: null },
    },
    limits,
  );
}

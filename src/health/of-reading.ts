import { poolKey } from '../diagnosis/facts.js';
import type { Finding } from '../diagnosis/types.js';
import type { PoolerDatabase, PoolerPool, PoolerReading } from '../snapshot/pooler.js';
import type { PoolReading, Reading } from '../snapshot/reading.js';
import {
  type HealthLimits,
  type HealthStatus,
  healthOf,
  judge,
  type PoolHealth,
  type Trouble,
  worstStatus,
} from './health.js';

/** A pool's health, and where it was read. */
export interface SourceHealth extends PoolHealth {
  readonly source: string;
  /** The application whose pool it is, and its process; null where it is none's. */
  readonly application: string | null;
  readonly pid: number | null;
  /** The cause that the diagnosis names for it; null where it names none. */
  readonly cause: string | null;
}

/** The diagnosis's findings that are not figures of one reading. */
export interface Judgment {
  readonly findings: readonly Finding[];
  /** Whether callers of that pool wait for longer than a burst makes them. */
  isPressed(key: string): boolean;
}

const NO_JUDGMENT: Judgment = { findings: [], isPressed: () => true };

/** The health of all that a reading tells of: pools of applications, those of PgBouncer, and servers. */
export function healthOfReading(
  reading: Reading,
  limits: HealthLimits,
  before: Reading | null = null,
  judgment: Judgment = NO_JUDGMENT,
): readonly SourceHealth[] {
  const { source, pooler, server } = reading;
  const placed = (health: PoolHealth, key: string): SourceHealth => ({
    ...withCauses(health, key, judgment),
    ...{ source, application: null, pid: null },
  });
  return [
    ...reading.pools.map((pool) => {
      const key = poolKey(source, pool);
      const isCalm =
        !judgment.isPressed(key) && !judgment.findings.some(({ explains }) => explains.includes(key));
      return {
        ...placed(healthOfPool(pool, reading, limits, before, isCalm), key),
        application: pool.app?.name ?? null,
        pid: pool.app?.pid ?? null,
      };
    }),
    ...(pooler === null
      ? []
      : healthOfPooler(pooler, limits).map((health) =>
          placed(
            health,
            health.pool_name === 'clients' ? source : `${source} ${health.pool_name.replace('/', ' ')}`,
          ),
        )),
    ...(server === null ? [] : [placed(healthOfServer(server, limits), source)]),
  ];
}

/** The causes that the diagnosis names for it stand before what its figures say. */
function withCauses(
  health: PoolHealth,
  key: string,
  { findings }: Judgment,
): PoolHealth & Pick<SourceHealth, 'cause'> {
  const own = findings.filter(({ subject, explains }) => subject.key === key || explains.includes(key));
  const [worst] = own;
  if (worst === undefined) return { ...health, cause: null };
  // How long callers may wait is a matter of limits; everything else that makes them suffer is critical.
  const isBad = own.some(({ severity }) => severity === 'bad') && (health.waiting ?? 0) === 0;
  const status: HealthStatus = isBad ? 'critical' : 'warning';
  return {
    ...health,
    status: worstStatus([health, { status }]),
    reasons: [...own.map(reasonOf), ...health.reasons],
    cause: worst.cause,
  };
}

/** Turns a finding into a reason. */
export function reasonOf({ cause, words }: Finding): string {
  return `${cause}: ${words}`;
}

/** The report on a source that cannot be read, or that has no pool. */
export function unreadable(source: string, reason: string): SourceHealth {
  const unknown = { size: null, checked_out: null, checked_in: null, overflow: null, total_capacity: null };
  const figures = { ...unknown, waiting: null, longest_wait_ms: null, leaked: null, timed_out: null };
  return {
    ...{ pool_name: source, status: 'error', ...figures, utilization_percent: null, reasons: [reason] },
    ...{ source, application: null, pid: null, cause: null },
  };
}

function healthOfPool(
  pool: PoolReading,
  { kind }: Reading,
  limits: HealthLimits,
  before: Reading | null,
  isCalm: boolean,
): PoolHealth {
  const same = before?.pools.find((one) => one.name === pool.name && one.app?.pid === pool.app?.pid);
  if (kind !== 'prometheus') return healthOf(pool, { limits, before: same ?? null, isCalm });
  // A missing metric does not mean "unlimited". The open overflow is then the best known value.
  const known = { ...pool, maxOverflow: pool.maxOverflow ?? Math.max(0, pool.overflow ?? 0) };
  return { ...healthOf(known, { limits, before: same ?? null, isCalm }), leaked: null };
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
    // Queued clients are the purpose of a pause.
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

import { connectFaultOf } from './connect-error.js';
import type { BackendFact, Facts, HolderFact, PoolerPoolFact, PoolFact } from './facts.js';
import { type PoolSample, type Recent, recentOf } from './history.js';
import { type ServerSample, serverRatesOf } from './server-history.js';
import type { Look, Subject } from './types.js';

/** A wait for no longer is nothing to worry about: a burst does that in a pool that is used well. */
export const SHORT_MS = 50;
/** A statement that runs for longer is a slow one. */
export const SLOW_MS = 1000;

export interface LookContext {
  readonly history: ReadonlyMap<string, readonly PoolSample[]>;
  readonly servers?: ReadonlyMap<string, readonly ServerSample[]>;
  readonly cwd: string;
  readonly settings?: Look['settings'];
  readonly clockStepMs?: number | null;
}

/** Sources that cannot be read any more say nothing of this moment: only that they fail remains of them. */
export function currentOf(facts: Facts): Facts {
  const isCurrent = ({ stale }: { readonly stale: boolean }): boolean => !stale;
  if (facts.failures.length + facts.ended.length === 0) return facts;
  return {
    ...facts,
    pools: facts.pools.filter(isCurrent),
    holders: facts.holders.filter(({ pool }) => !pool.stale),
    backends: facts.backends.filter(isCurrent),
    poolerPools: facts.poolerPools.filter(isCurrent),
    servers: facts.servers.filter(isCurrent),
    poolers: facts.poolers.filter(isCurrent),
    processes: facts.processes.filter(isCurrent),
  };
}

export function lookAt(facts: Facts, context: LookContext, explained: ReadonlySet<string>): Look {
  const recents = new Map<string, Recent>();
  return {
    facts,
    cwd: context.cwd,
    settings: context.settings ?? null,
    clockStepMs: context.clockStepMs ?? null,
    recent({ key }) {
      const known = recents.get(key) ?? recentOf(context.history.get(key) ?? []);
      recents.set(key, known);
      return known;
    },
    rates: (source) => serverRatesOf(context.servers?.get(source) ?? []),
    isExplained: (key) => explained.has(key),
  };
}

export const poolSubject = ({ key, source }: PoolFact): Subject => ({ kind: 'pool', key, source });
export const poolerSubject = ({ key, source }: PoolerPoolFact): Subject => ({ kind: 'pooler', key, source });
export const serverSubject = (source: string): Subject => ({ kind: 'server', key: source, source });

/** Whether callers wait for longer than a burst makes them, or are refused since they may not wait. */
export function isPressed(fact: PoolFact): boolean {
  const { pool } = fact;
  const waits = (pool.waiting ?? 0) > 0 && (pool.longestWaitMs === null || pool.longestWaitMs >= SHORT_MS);
  return waits || isRefusing(fact);
}

/** A refusal counts for so long. */
const REFUSED_MS = 10_000;

/** A pool with a limit of waiters, which it has reached lately. */
export function isRefusing({ pool }: PoolFact): boolean {
  const ago = pool.observed?.createErrorMs ?? null;
  return ago !== null && ago < REFUSED_MS && connectFaultOf(pool.createError) === 'pool-refused';
}

export function isFull({ pool, capacity }: PoolFact): boolean {
  return capacity !== null && pool.inUse !== null && pool.inUse >= capacity;
}

/** Pools that lend connections to a database. Those of brokers, feeds and HTTP have causes of their own. */
export function isOfDatabase({ pool }: PoolFact): boolean {
  return pool.ib === undefined && pool.feed === undefined && pool.http === undefined;
}

export function holdersOf({ holders }: Facts, fact: PoolFact): HolderFact[] {
  return holders.filter(({ pool }) => pool.key === fact.key);
}

/** The activity of a backend, by its state and wait event. One class each. */
export type Activity =
  | 'lock'
  | 'client'
  | 'sync'
  | 'lwlock'
  | 'io'
  | 'foreign'
  | 'throttled'
  | 'query'
  | 'idle in transaction'
  | 'aborted'
  | 'idle'
  | 'unknown';

export function activityOf({ backend }: BackendFact): Activity {
  const { state, waitType, waitEvent } = backend;
  if (state === null) return 'unknown';
  if (state.startsWith('idle in transaction'))
    return state.includes('aborted') ? 'aborted' : 'idle in transaction';
  if (state !== 'active') return state === 'idle' ? 'idle' : 'query';
  switch (waitType) {
    case 'Lock':
      return 'lock';
    case 'Client':
      return 'client';
    case 'IPC':
      return waitEvent === 'SyncRep' ? 'sync' : 'query';
    case 'LWLock':
      return 'lwlock';
    case 'IO':
      return 'io';
    case 'Extension':
      return 'foreign';
    case 'Timeout':
      return waitEvent === 'VacuumDelay' || waitEvent === 'PgSleep' ? 'query' : 'throttled';
    default:
      return 'query';
  }
}

/** Backends that belong to one subject: the leases of a pool, the servers of a pooler, or a whole server. */
export interface Group {
  readonly subject: Subject;
  /** Callers or clients wait. */
  readonly suffers: boolean;
  readonly members: readonly Member[];
  /** The leases of this pool mostly queue in a pooler, whose servers the members are. */
  readonly queue?: { readonly of: PoolerPoolFact; readonly queued: number; readonly all: number };
}

export interface Member {
  readonly holder: HolderFact | null;
  readonly backend: BackendFact | null;
}

/** All groups: pools whose callers wait, pools of poolers whose clients wait, then servers. */
export function groupsOf(look: Look): readonly Group[] {
  const { facts } = look;
  const pools = facts.pools
    .filter((fact) => isOfDatabase(fact) && !fact.pool.closed && (isPressed(fact) || isFull(fact)))
    .map((fact): Group => poolGroup(fact, look));
  const poolers = facts.poolerPools
    .filter(({ pool }) => pool.clientsWaiting > 0)
    .map((fact): Group => {
      const members = behind(fact, facts).map((backend) => memberOf(backend, facts));
      return { subject: poolerSubject(fact), suffers: isQueueLong(fact), members };
    });
  const servers = facts.servers.map(({ source }): Group => {
    const members = facts.backends
      .filter((one) => one.source === source)
      .map((backend) => memberOf(backend, facts));
    return { subject: serverSubject(source), suffers: false, members };
  });
  return [...pools, ...poolers, ...servers];
}

/** The leases of a pool; where most of them queue in a pooler, its servers: what those do is the cause. */
function poolGroup(fact: PoolFact, { facts }: Look): Group {
  const own = holdersOf(facts, fact);
  const of = { subject: poolSubject(fact), suffers: isPressed(fact) };
  const queued = own.filter(({ doing }) => doing === 'queued');
  const client = queued[0]?.client ?? null;
  const pooler =
    queued.length === 0 || queued.length * 2 < own.length
      ? undefined
      : facts.poolerPools.find(
          ({ pool }) => pool.database === client?.database && pool.user === client?.user,
        );
  if (pooler === undefined)
    return { ...of, members: own.map((holder) => ({ holder, backend: holder.backend })) };
  const members = behind(pooler, facts).map((backend) => memberOf(backend, facts));
  return { ...of, members, queue: { of: pooler, queued: queued.length, all: own.length } };
}

/** Clients at log-in wait at 0 ms all the time, so a queue without any server is long, too. */
export function isQueueLong({ pool }: PoolerPoolFact): boolean {
  const servers = pool.serversActive + pool.serversIdle + pool.serversOther;
  return pool.clientsWaiting > 0 && (pool.longestWaitMs > SHORT_MS || servers === 0);
}

/** The backends that serve a pool of a pooler. */
export function behind({ pool, pooler }: PoolerPoolFact, { backends }: Facts): readonly BackendFact[] {
  const ofPool = ({ database, user }: { database: string | null; user: string | null }): boolean =>
    database === pool.database && user === pool.user;
  const pids = new Set(pooler.servers.filter(ofPool).map(({ backendPid }) => backendPid));
  const linked = backends.filter(({ backend }) => pids.has(backend.pid));
  // Behind a second pooler the pids mean nothing.
  return linked.length > 0 ? linked : backends.filter(({ backend }) => ofPool(backend));
}

function memberOf(backend: BackendFact, { holders }: Facts): Member {
  return { backend, holder: holders.find((one) => one.backend?.key === backend.key) ?? null };
}

/** The pid of a backend that is a server connection of a pooler, in which mode. */
export function poolerModeOf({ backend }: BackendFact, { poolers, poolerPools }: Facts): string | null {
  for (const { pooler, source } of poolers) {
    const server = pooler.servers.find(({ backendPid }) => backendPid === backend.pid);
    if (server === undefined) continue;
    const pool = poolerPools.find(
      (one) =>
        one.source === source && one.pool.database === server.database && one.pool.user === server.user,
    );
    return pool?.pool.mode ?? pooler.config.pool_mode ?? null;
  }
  return null;
}

/** Holders whose connection is lent for a purpose that lasts: a subscription, replication, a session lock. */
export function isSubscription({ holder, backend, doing }: HolderFact): boolean {
  const { session, lastSql } = holder;
  const sql = lastSql ?? backend?.backend.query ?? '';
  // A statement that still runs waits for the lock that it asks for.
  const isRunning = doing === 'query' || doing === 'lock wait' || doing === 'queued';
  if (isRunning && LOCKS.test(sql)) return false;
  if ((session?.listens.length ?? 0) > 0) return true;
  if (session?.keeps.some((what) => /^(?:ADVISORY LOCK|REPLICATION|GET_LOCK)/i.test(what)) === true)
    return true;
  if (backend?.backend.holdsAdvisoryLock === true) return true;
  return SUBSCRIBES.test(sql);
}

const LOCKS = /advisory_lock|get_lock/i;

const SUBSCRIBES =
  /^\s*(?:(?:--[^\n]*\n|\/\*.*?\*\/)\s*)*(?:LISTEN\b|UNLISTEN\b|START_REPLICATION\b|select\s+pg_(?:try_)?advisory_lock(?:_shared)?\s*\(|select\s+get_lock\s*\()/is;

/** The text that is there most often; '' where there is none. */
export function commonest(texts: readonly string[]): string {
  return ranked(texts)[0] ?? '';
}

/** Each text once, those that are there most often first. */
export function ranked(texts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([, one], [, other]) => other - one).map(([text]) => text);
}

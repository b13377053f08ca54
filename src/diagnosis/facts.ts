import type { PoolerClient, PoolerPool, PoolerReading } from '../snapshot/pooler.js';
import type { Gap, PoolReading, ProcessReading, SourceKind, Tick } from '../snapshot/reading.js';
import type { Backend, ServerReading } from '../snapshot/server.js';
import { type Chain, joinReadings } from '../sources/join.js';

/** A lease that has been out for longer, and does nothing, is taken for a leak. */
export const LEAK_MS = 30_000;

/** All that a tick says, by kind and tied together. */
export interface Facts {
  readonly pools: readonly PoolFact[];
  /** Leak suspects first, then the oldest. */
  readonly holders: readonly HolderFact[];
  readonly backends: readonly BackendFact[];
  /** The forest of who waits for whom, each blocker above those that wait for it. */
  readonly blocking: readonly BlockFact[];
  readonly poolerPools: readonly PoolerPoolFact[];
  readonly servers: readonly ServerFact[];
  readonly poolers: readonly {
    readonly source: string;
    readonly stale: boolean;
    readonly pooler: PoolerReading;
  }[];
  /** The processes that publish, as far as they tell of themselves. */
  readonly processes: readonly {
    readonly source: string;
    readonly stale: boolean;
    readonly process: ProcessReading;
  }[];
  readonly gaps: readonly (Gap & { readonly source: string })[];
  /** The applications that have ended since they were read. */
  readonly ended: readonly { readonly source: string; readonly app: string; readonly sinceMs: number }[];
  /** The sources that cannot be read now, though they may answer again. */
  readonly failures: readonly { readonly source: string; readonly kind: SourceKind; readonly why: string }[];
}

export interface ServerFact {
  readonly source: string;
  readonly stale: boolean;
  readonly kind: 'postgres' | 'mysql';
  readonly server: ServerReading;
}

export interface PoolFact {
  readonly key: string;
  readonly source: string;
  readonly stale: boolean;
  /** Its process has ended; then it is stale, too. */
  readonly ended: boolean;
  readonly app: string;
  readonly pool: PoolReading;
  /** The most leases at once; null if there is no limit. */
  readonly capacity: number | null;
}

export interface HolderFact {
  readonly key: string;
  readonly pool: PoolFact;
  readonly holder: PoolReading['holders'][number];
  readonly doing: Doing | null;
  readonly suspect: boolean;
  readonly backend: BackendFact | null;
  /** The client of the pooler that it is, where it goes through one. */
  readonly client: PoolerClient | null;
  /** The way from the line of code to the backend, or to where it is lost. */
  readonly chain: Chain;
}

/** The present use of a lease; `queued`: its query waits in PgBouncer for a server connection. */
export type Doing = 'query' | 'lock wait' | 'queued' | 'idle in transaction' | 'idle';

export interface BackendFact {
  readonly key: string;
  readonly source: string;
  readonly stale: boolean;
  readonly backend: Backend;
  /** How many wait for it, those that wait for them included. */
  readonly blocks: number;
}

export interface BlockFact {
  readonly key: string;
  readonly backend: BackendFact;
  readonly depth: number;
  /** For each level, whether another one follows on it. */
  readonly follows: readonly boolean[];
}

export interface PoolerPoolFact {
  readonly key: string;
  readonly source: string;
  readonly stale: boolean;
  readonly pooler: PoolerReading;
  readonly pool: PoolerPool;
}

export interface ClientFact {
  readonly key: string;
  readonly source: string;
  readonly client: PoolerClient;
  readonly backendPid: number | null;
}

/** Before the first tick. */
export const NO_FACTS: Facts = {
  pools: [],
  holders: [],
  backends: [],
  blocking: [],
  poolerPools: [],
  servers: [],
  poolers: [],
  processes: [],
  gaps: [],
  ended: [],
  failures: [],
};

export function poolKey(source: string, pool: PoolReading): string {
  return `${source} ${pool.app?.pid ?? ''} ${pool.name}`;
}

/** Names a backend where only its pid is known, and not the source that reads it. */
export function pidKey(pid: number): string {
  return `pid ${pid}`;
}

export function backendOf({ backends }: Facts, key: string): BackendFact | null {
  return backends.find((one) => one.key === key || pidKey(one.backend.pid) === key) ?? null;
}

/** The most leases that a pool lends at once; null if there is no limit. */
export function capacityOf({ size, maxOverflow }: PoolReading): number | null {
  // A pool without overflow says 0 or, being a foreign one, nothing.
  return size === null ? null : size + (maxOverflow ?? 0);
}

/** The clients of one pool of the pooler. Not part of the facts, since there may be thousands. */
export function clientsOf({ pooler, pool, source }: PoolerPoolFact): ClientFact[] {
  const pids = new Map(pooler.servers.map(({ id, backendPid }) => [id, backendPid]));
  return pooler.clients
    .filter(({ database, user }) => database === pool.database && user === pool.user)
    .map((client) => ({
      key: `${source} ${client.id}`,
      source,
      client,
      backendPid: client.link === null ? null : (pids.get(client.link) ?? null),
    }));
}

/** Joins all readings of a tick. `momentOf` calls it once for each tick. */
export function factsOf(tick: Tick): Facts {
  const pools: PoolFact[] = [];
  const backends: BackendFact[] = [];
  const poolerPools: PoolerPoolFact[] = [];
  const servers: ServerFact[] = [];
  const poolers: Facts['poolers'][number][] = [];
  const processes: Facts['processes'][number][] = [];
  const gaps: (Gap & { source: string })[] = [];
  for (const { label: source, kind, reading, stale: failure } of tick.sources) {
    if (reading === null) continue;
    const stale = failure !== null;
    for (const pool of reading.pools) {
      const key = poolKey(source, pool);
      pools.push({
        key,
        source,
        stale,
        ended: failure?.ended === true,
        app: pool.app?.name ?? source,
        pool,
        capacity: capacityOf(pool),
      });
    }
    const blocks = blockedCounts(reading.backends);
    for (const backend of reading.backends) {
      backends.push({
        key: `${source} ${backend.pid}`,
        source,
        stale,
        backend,
        blocks: blocks.get(backend.pid) ?? 0,
      });
    }
    const { pooler } = reading;
    if (pooler !== null) {
      poolers.push({ source, stale, pooler });
      for (const pool of pooler.pools) {
        poolerPools.push({ key: `${source} ${pool.database} ${pool.user}`, source, stale, pooler, pool });
      }
    }
    if (reading.process !== undefined) processes.push({ source, stale, process: reading.process });
    if (reading.server !== null) {
      const of = kind === 'mysql' ? 'mysql' : 'postgres';
      servers.push({ source, stale, kind: of, server: reading.server });
    }
    gaps.push(...reading.gaps.map((gap) => ({ ...gap, source })));
  }
  return {
    pools,
    holders: holdersOf(pools, backends, tick),
    backends,
    blocking: forestOf(backends),
    poolerPools,
    servers,
    poolers,
    processes,
    gaps,
    ended: tick.sources.flatMap(({ label: source, reading, stale }) =>
      stale?.ended === true ? [{ source, app: reading?.app?.name ?? source, sinceMs: stale.sinceMs }] : [],
    ),
    failures: tick.sources.flatMap(({ label: source, kind, stale }) =>
      stale === null || stale.ended === true ? [] : [{ source, kind, why: stale.why }],
    ),
  };
}

/** Each lease, followed to its backend as far as that can be done: see src/sources/join.ts. */
function holdersOf(pools: readonly PoolFact[], backends: readonly BackendFact[], tick: Tick): HolderFact[] {
  const poolFacts = new Map(pools.map((fact) => [fact.pool, fact]));
  const backendFacts = new Map(backends.map((fact) => [fact.backend, fact]));
  const facts = joinReadings(tick.sources.flatMap(({ reading }) => reading ?? [])).flatMap(
    (chain): HolderFact[] => {
      const { holder } = chain.lease;
      const pool = poolFacts.get(chain.lease.pool);
      if (pool === undefined) return [];
      const backend = chain.backend === null ? null : (backendFacts.get(chain.backend.backend) ?? null);
      const hop = chain.hops.find(({ kind }) => kind === 'client');
      const client = hop?.kind === 'client' ? hop.client : null;
      const doing = doingOf(holder.busy, backend?.backend ?? null, client);
      const old = holder.ageMs !== null && holder.ageMs > LEAK_MS;
      const works = doing === 'query' || doing === 'lock wait' || doing === 'queued';
      return [
        {
          key: `${pool.key} ${holder.leaseId}`,
          pool,
          holder,
          doing,
          suspect: !works && (holder.leaked || old),
          backend,
          client,
          chain,
        },
      ];
    },
  );
  return facts.sort(
    (one, other) =>
      Number(other.suspect) - Number(one.suspect) || (other.holder.ageMs ?? 0) - (one.holder.ageMs ?? 0),
  );
}

function doingOf(busy: boolean | null, backend: Backend | null, client: PoolerClient | null): Doing | null {
  if (client !== null && client.waitMs !== null) return 'queued';
  if (backend?.state?.startsWith('idle in transaction')) return 'idle in transaction';
  if (backend?.state === 'active') return backend.waitType === 'Lock' ? 'lock wait' : 'query';
  if (backend?.state === 'idle') return 'idle';
  return busy === null ? null : busy ? 'query' : 'idle';
}

/** For each pid how many wait for it, directly or through others. */
function blockedCounts(backends: readonly Backend[]): Map<number, number> {
  const waiters = waitersOf(backends);
  const counts = new Map<number, number>();
  for (const pid of waiters.keys()) {
    const seen = new Set<number>();
    const open = [...(waiters.get(pid) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next) || next === pid) continue;
      seen.add(next);
      open.push(...(waiters.get(next) ?? []));
    }
    counts.set(pid, seen.size);
  }
  return counts;
}

function waitersOf(backends: readonly Backend[]): Map<number, number[]> {
  const waiters = new Map<number, number[]>();
  for (const { pid, blockedBy } of backends) {
    for (const blocker of new Set(blockedBy)) waiters.set(blocker, [...(waiters.get(blocker) ?? []), pid]);
  }
  return waiters;
}

/** Trees from those that block and wait for nobody; a ring of waiters starts at its lowest pid. */
function forestOf(backends: readonly BackendFact[]): BlockFact[] {
  const rows: BlockFact[] = [];
  for (const source of new Set(backends.map((one) => one.source))) {
    const own = backends.filter((one) => one.source === source);
    const waiters = waitersOf(own.map(({ backend }) => backend));
    const byPid = new Map(own.map((one) => [one.backend.pid, one]));
    const drawn = new Set<number>();
    const draw = (pid: number, follows: readonly boolean[]): void => {
      const backend = byPid.get(pid);
      if (backend === undefined || drawn.has(pid)) return;
      drawn.add(pid);
      rows.push({ key: backend.key, backend, depth: follows.length, follows });
      const next = (waiters.get(pid) ?? []).filter((one) => !drawn.has(one));
      next.forEach((one, at) => {
        draw(one, [...follows, at < next.length - 1]);
      });
    };
    const pids = [...waiters.keys()].filter((pid) => byPid.has(pid)).sort((one, other) => one - other);
    const roots = pids.filter((pid) => byPid.get(pid)?.backend.blockedBy.length === 0);
    for (const pid of [...roots, ...pids]) draw(pid, []);
    // The blocker is not in view: it has ended since, or it is a prepared transaction.
    for (const { backend } of own) if (backend.blockedBy.length > 0) draw(backend.pid, []);
  }
  return rows;
}

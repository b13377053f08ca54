import { formatDuration } from '../base/units.js';
import type { WatchedHolder } from '../snapshot/pool.js';
import type { PoolerClient, PoolerServer } from '../snapshot/pooler.js';
import type { PoolReading, Reading } from '../snapshot/reading.js';
import type { Backend } from '../snapshot/server.js';

/**
 * One lease of an application, followed: through the pooler, where one is between, to the backend that serves it, to
 * those that the backend waits for, and to those that wait for it.
 */
export interface Chain {
  readonly lease: HeldLease;
  /** From the lease on, in order. If it could be followed no further, the last is `broken` and says why. */
  readonly hops: readonly Hop[];
  /** The backend that serves it; null where the hops end before. */
  readonly backend: FoundBackend | null;
  /** The backends that block it. */
  readonly blockedBy: readonly Blocking[];
  /** The backends that it blocks. */
  readonly blocks: readonly Blocking[];
}

export interface HeldLease {
  /** The label of the source that tells of it. */
  readonly source: string;
  readonly pool: PoolReading;
  readonly holder: WatchedHolder;
}

export type Hop =
  | { readonly kind: 'lease'; readonly lease: HeldLease }
  | { readonly kind: 'client'; readonly source: string; readonly client: PoolerClient }
  | { readonly kind: 'server'; readonly source: string; readonly server: PoolerServer }
  | { readonly kind: 'backend'; readonly source: string; readonly backend: Backend; readonly by: JoinedBy }
  /** The rest of the path is unknown. */
  | { readonly kind: 'broken'; readonly to: 'client' | 'server' | 'backend'; readonly why: string };

/**
 * The key that led to the backend: its pid, the port at the client's end, or a name to which PgBouncer has added
 * that port.
 */
export type JoinedBy = 'pid' | 'port' | 'name';

export interface FoundBackend {
  readonly source: string;
  readonly backend: Backend;
}

/** One end of a wait for a lock. */
export interface Blocking {
  /** 0 is a prepared transaction, which has no process. */
  readonly pid: number;
  /** null where it is no client's, or has ended since. */
  readonly backend: Backend | null;
  /** The lease that it serves; null where no application tells of one. */
  readonly lease: HeldLease | null;
  /** The unknown part, and why; null if everything is known. */
  readonly gap: string | null;
}

/**
 * Follows each lease of each pool through these readings, in their order. It never guesses: an unclear match is
 * reported as such.
 */
export function joinReadings(readings: readonly Reading[]): readonly Chain[] {
  const index = indexOf(readings);
  const routes = readings.flatMap(({ source, pools }) =>
    pools.flatMap((pool) => pool.holders.map((holder) => routeOf({ source, pool, holder }, index))),
  );
  const leases = new Map<Backend, HeldLease>();
  for (const { lease, backend } of routes) if (backend !== null) leases.set(backend.backend, lease);
  const waiters = waitersIn(readings);
  return routes.map((route): Chain => {
    const { backend } = route;
    if (backend === null) return { ...route, blockedBy: [], blocks: [] };
    const others = index.backends.get(backend.source);
    const end = (pid: number): Blocking => blockingOf(pid, others?.get(pid) ?? null, leases);
    return {
      ...route,
      blockedBy: backend.backend.blockedBy.map(end),
      blocks: (waiters.get(backend.backend) ?? []).map(end),
    };
  });
}

type Route = Pick<Chain, 'lease' | 'hops' | 'backend'>;

interface Found<T> {
  readonly source: string;
  readonly found: T;
}

interface Index {
  readonly hasServer: boolean;
  readonly hasPooler: boolean;
  /** The sources that are MySQL or MariaDB. */
  readonly mysql: ReadonlySet<string>;
  /** By source, by pid. */
  readonly backends: ReadonlyMap<string, ReadonlyMap<number, Backend>>;
  readonly byPid: ReadonlyMap<number, readonly Found<Backend>[]>;
  readonly byClientPort: ReadonlyMap<number, readonly Found<Backend>[]>;
  /** By the port in `app - 10.0.0.7:41234`: application_name_add_host. */
  readonly byNamedPort: ReadonlyMap<number, readonly Found<Backend>[]>;
  readonly clients: ReadonlyMap<number, readonly Found<PoolerClient>[]>;
  readonly clientsOfPid: ReadonlyMap<number, readonly Found<PoolerClient>[]>;
  /** By source, by id. */
  readonly servers: ReadonlyMap<string, ReadonlyMap<string, PoolerServer>>;
}

function indexOf(readings: readonly Reading[]): Index {
  const backends = readings.flatMap(({ source, backends }) => backends.map((found) => ({ source, found })));
  const poolers = readings.flatMap(({ source, pooler }) => (pooler === null ? [] : [{ source, pooler }]));
  const clients = poolers.flatMap(({ source, pooler }) => pooler.clients.map((found) => ({ source, found })));
  return {
    hasServer: readings.some(({ server }) => server !== null),
    hasPooler: poolers.length > 0,
    mysql: new Set(readings.flatMap(({ source, kind }) => (kind === 'mysql' ? [source] : []))),
    backends: new Map(
      readings.map(({ source, backends: all }) => [source, new Map(all.map((one) => [one.pid, one]))]),
    ),
    byPid: groupBy(backends, ({ found }) => found.pid),
    byClientPort: groupBy(backends, ({ found }) => found.clientPort),
    byNamedPort: groupBy(backends, ({ found }) => portInName(found.application)),
    clients: groupBy(clients, ({ found }) => found.port),
    clientsOfPid: groupBy(clients, ({ found }) => found.processId ?? null),
    servers: new Map(
      poolers.map(({ source, pooler }) => [source, new Map(pooler.servers.map((one) => [one.id, one]))]),
    ),
  };
}

function routeOf(lease: HeldLease, index: Index): Route {
  const start: Hop = { kind: 'lease', lease };
  const { driver } = lease.pool;
  const direct = directBackend(lease, index);
  if (direct !== null) return { lease, ...endingAt([start], direct.at, direct.by) };
  if (MYSQL.test(driver))
    return { lease, hops: [start, brokenAt('backend', whyNoThread(lease, index))], backend: null };
  if (OTHER_DATABASES.test(driver))
    return {
      lease,
      hops: [start, brokenAt('backend', `neither PostgreSQL nor MySQL has a part in a pool of ${driver}`)],
      backend: null,
    };
  const client = clientOf(lease, index);
  if ('found' in client) return { lease, ...throughPooler([start], client, index) };
  const named = namedBackend(lease, index);
  if (named !== null) return { lease, ...endingAt([start], named, 'name') };
  return { lease, hops: [start, client], backend: null };
}

const MYSQL = /mysql|mariadb/i;
/** Their connections have numbers and ports too, which mean nothing here. */
const OTHER_DATABASES = /sqlite|mssql|oracle|mongo/i;
const POSTGRES = /^(?:pg|postgres)/i;

/** Servers of another kind have numbers and ports too. Of a pool of tarn or generic-pool the kind is not known. */
function isOfKind({ source }: Found<Backend>, driver: string, { mysql }: Index): boolean {
  if (OTHER_DATABASES.test(driver)) return false;
  if (MYSQL.test(driver)) return mysql.has(source);
  return !POSTGRES.test(driver) || !mysql.has(source);
}

function whyNoThread({ holder: { backendPid } }: HeldLease, { mysql }: Index): string {
  if (mysql.size === 0) return 'no MySQL server is watched: add its mysql:// address';
  if (backendPid === null) return 'its connection does not tell its number';
  return `no connection of the server has the number ${backendPid}: it may have ended, or a proxy is between`;
}

interface DirectBackend {
  readonly at: Found<Backend>;
  readonly by: JoinedBy;
}

/**
 * The backend at the other end of the lease's own connection. The pid that the server said at the start is that of the
 * backend, or a random number that a pooler has made up: where both pid and port are known, both must agree.
 */
function directBackend({ holder, pool }: HeldLease, index: Index): DirectBackend | null {
  const { backendPid, localPort } = holder;
  if (backendPid !== null) {
    const same = (index.byPid.get(backendPid) ?? []).filter(
      (one) =>
        isOfKind(one, pool.driver, index) && (localPort === null || mayBeAt(localPort, one.found, index)),
    );
    const [only, second] = distinct(same);
    return only === undefined || second !== undefined ? null : { at: only, by: 'pid' };
  }
  if (localPort === null) return null;
  const [only, second] = distinct(
    (index.byClientPort.get(localPort) ?? []).filter((one) => isOfKind(one, pool.driver, index)),
  );
  const isPooled = (index.clients.get(localPort) ?? []).length > 0;
  return only === undefined || second !== undefined || isPooled ? null : { at: only, by: 'port' };
}

/**
 * Whether the client of a backend may be at that port of the application's machine: it is another one where a network
 * changes ports on the way, which it does not on one machine, nor where a pooler has a client at the port.
 */
function mayBeAt(localPort: number, { clientPort, clientAddress }: Backend, { clients }: Index): boolean {
  if (clientPort === null || clientPort === localPort) return true;
  return clientAddress !== null && !/^(127\.|::1$)/.test(clientAddress) && !clients.has(localPort);
}

type Broken = Extract<Hop, { kind: 'broken' }>;

/** The client that the pooler sees at the other end of the lease's connection, or why it is not known. */
function clientOf({ holder, pool }: HeldLease, index: Index): Found<PoolerClient> | Broken {
  const { localPort, backendPid } = holder;
  if (localPort === null)
    return clientOfProcess(pool, index) ?? brokenAt('client', whyNoPort(backendPid, index));
  const all = index.clients.get(localPort) ?? [];
  const ofApp = all.filter(({ found }) => pool.app !== null && found.application === pool.app.name);
  // Ports are told apart by the machines they are on, which the pooler knows by their addresses only.
  const [only, second] = ofApp.length === 1 ? ofApp : all;
  if (only !== undefined && second === undefined) return only;
  if (second !== undefined) {
    const places = all.map(({ found }) => found.address ?? '?').join(' and ');
    return brokenAt(
      'client',
      `port ${localPort} is that of ${all.length} clients of PgBouncer, at ${places}: which one is ours cannot be told`,
    );
  }
  return brokenAt('client', whyNobody(localPort, index));
}

/**
 * Over a Unix socket, PgBouncer knows only the process. That separates it from other processes, but not its
 * connections from each other. null if the process has no client.
 */
function clientOfProcess({ app }: PoolReading, { clientsOfPid }: Index): Found<PoolerClient> | Broken | null {
  const all = app === null ? [] : (clientsOfPid.get(app.pid) ?? []);
  const [only, second] = all;
  if (only === undefined || second === undefined) return only ?? null;
  return brokenAt(
    'client',
    `process ${app?.pid} has ${all.length} connections to PgBouncer's Unix socket, which cannot be told apart: let it connect to 127.0.0.1 to be followed`,
  );
}

function whyNoPort(backendPid: number | null, { hasServer, hasPooler }: Index): string {
  if (backendPid === null) {
    return 'its connection tells neither port nor pid: it goes over a Unix socket, or its driver keeps them back';
  }
  const where = hasServer
    ? `no backend has the pid ${backendPid}, which the server gave it`
    : 'no PostgreSQL server is watched';
  const pooled = hasPooler
    ? 'PgBouncer has no client of its process: the connection may be new, or have ended'
    : 'if PgBouncer is between, add its pgbouncer:// address';
  return `${where}, and ${pooled}`;
}

function whyNobody(localPort: number, { hasServer, hasPooler }: Index): string {
  if (!hasServer && !hasPooler)
    return 'neither a PostgreSQL server nor PgBouncer is watched: add postgres:// or pgbouncer://';
  if (!hasPooler)
    return `no backend has its client at port ${localPort}: if PgBouncer is between, add its pgbouncer:// address`;
  const missing = hasServer ? '' : ': if it connects to the server itself, add its postgres:// address';
  return `nobody watched has a client at port ${localPort}${missing}; the connection may be new, or have ended`;
}

function throughPooler(
  before: readonly Hop[],
  { source, found: client }: Found<PoolerClient>,
  index: Index,
): Omit<Route, 'lease'> {
  const hops: readonly Hop[] = [...before, { kind: 'client', source, client }];
  const server = client.link === null ? undefined : index.servers.get(source)?.get(client.link);
  if (server === undefined) return { hops: [...hops, noServer(client)], backend: null };
  const linked: readonly Hop[] = [...hops, { kind: 'server', source, server }];
  const backend = backendOf(server, index);
  if (!('found' in backend)) return { hops: [...linked, backend], backend: null };
  return endingAt(linked, backend, 'pid');
}

function noServer({ state, waitMs, link, database }: PoolerClient): Broken {
  if (link !== null)
    return brokenAt('server', 'its server connection ended between two questions to PgBouncer');
  if (state.startsWith('waiting')) {
    const since = waitMs === null ? '' : ` since ${formatDuration(Math.round(waitMs))}`;
    return brokenAt('server', `it waits in PgBouncer's queue for a connection to ${database}${since}`);
  }
  return brokenAt('server', 'it is in no transaction, so PgBouncer has given it no connection to the server');
}

function backendOf(server: PoolerServer, index: Index): Found<Backend> | Broken {
  if (!index.hasServer)
    return brokenAt('backend', 'no PostgreSQL server is watched: add its postgres:// address');
  const { backendPid, localPort } = server;
  if (backendPid === null) return brokenAt('backend', 'PgBouncer does not know the pid of its backend yet');
  // The one server with that pid to which PgBouncer connects from that port.
  const same = (index.byPid.get(backendPid) ?? []).filter(({ found }) => mayBe(found.clientPort, localPort));
  const [only, second] = distinct(same);
  if (only !== undefined && second === undefined) return only;
  if (second !== undefined)
    return brokenAt('backend', `${same.length} of the servers have a backend with the pid ${backendPid}`);
  return brokenAt(
    'backend',
    `no backend that is watched has the pid ${backendPid}: it is of another server, or has ended`,
  );
}

/** One server may be watched twice, under two addresses: what is the same backend is one. */
function distinct(backends: readonly Found<Backend>[]): readonly Found<Backend>[] {
  return backends.filter(({ found }, i) => i === backends.findIndex((other) => isSame(other.found, found)));
}

function isSame(one: Backend, other: Backend): boolean {
  return (
    one.pid === other.pid &&
    one.clientPort === other.clientPort &&
    one.database === other.database &&
    one.user === other.user
  );
}

function mayBe(port: number | null, other: number | null): boolean {
  return port === null || other === null || port === other;
}

function namedBackend({ holder }: HeldLease, index: Index): Found<Backend> | null {
  if (holder.localPort === null) return null;
  const [only, second] = distinct(index.byNamedPort.get(holder.localPort) ?? []);
  return only === undefined || second !== undefined ? null : only;
}

function portInName(application: string | null): number | null {
  const [, port] = / - \S+:(\d{1,5})$/.exec(application ?? '') ?? [];
  return port === undefined ? null : Number(port);
}

function endingAt(hops: readonly Hop[], at: Found<Backend>, by: JoinedBy): Omit<Route, 'lease'> {
  const { source, found: backend } = at;
  return { hops: [...hops, { kind: 'backend', source, backend, by }], backend: { source, backend } };
}

function brokenAt(to: Broken['to'], why: string): Broken {
  return { kind: 'broken', to, why };
}

/** The pids of those that wait for a backend, by that backend. */
function waitersIn(readings: readonly Reading[]): ReadonlyMap<Backend, readonly number[]> {
  const waiters = new Map<Backend, number[]>();
  for (const { backends } of readings) {
    const byPid = new Map(backends.map((one) => [one.pid, one]));
    for (const waiter of backends) {
      for (const pid of waiter.blockedBy) {
        const blocker = byPid.get(pid);
        if (blocker === undefined) continue;
        const before = waiters.get(blocker);
        if (before === undefined) waiters.set(blocker, [waiter.pid]);
        else before.push(waiter.pid);
      }
    }
  }
  return waiters;
}

function blockingOf(pid: number, backend: Backend | null, leases: ReadonlyMap<Backend, HeldLease>): Blocking {
  const lease = backend === null ? null : (leases.get(backend) ?? null);
  return { pid, backend, lease, gap: gapOf(pid, backend, lease) };
}

function gapOf(pid: number, backend: Backend | null, lease: HeldLease | null): string | null {
  if (pid === 0) return 'a prepared transaction, which no process holds: see pg_prepared_xacts';
  if (backend === null) return 'not the backend of a client (autovacuum, for one), or it has ended since';
  return lease === null ? 'no application that is watched tells of a lease on it' : null;
}

function groupBy<T>(
  items: readonly T[],
  keyOf: (item: T) => number | null,
): ReadonlyMap<number, readonly T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === null) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

import type { Clock } from '../base/clock.js';
import type { WatchedSnapshot } from '../pool/stats.js';
import type { App } from '../watch/protocol.js';

export type SourceKind = 'pool' | 'postgres' | 'pgbouncer' | 'prometheus';

/** Something that can be asked, again and again, how pools and what is behind them are doing. */
export interface StatsSource extends AsyncDisposable {
  /** What the user called it, without a password. */
  readonly label: string;
  readonly kind: SourceKind;
  /** Rejects where it cannot be reached; what it may only not tell is a gap of the reading. */
  read(signal: AbortSignal): Promise<Reading>;
}

/** What a source is given beside its address. */
export interface SourceOptions {
  /** PGHOST, PGPASSWORD and the like fill up what an address leaves out. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

/** One poll of a source. A part that this kind of source does not have is empty, or null. */
export interface Reading {
  readonly source: string;
  readonly kind: SourceKind;
  /** Milliseconds since the epoch, by this machine's clock. */
  readonly takenAtMs: number;
  readonly pools: readonly PoolReading[];
  readonly backends: readonly Backend[];
  readonly server: ServerReading | null;
  readonly pooler: PoolerReading | null;
  readonly gaps: readonly Gap[];
}

/** What could not be read, and why: `query texts of other users`: `needs pg_read_all_stats`. */
export interface Gap {
  readonly what: string;
  readonly why: string;
}

/** A pool of an application. */
export interface PoolReading extends WatchedSnapshot {
  readonly app: App | null;
  /** Of a pool of broker connections. */
  readonly ib?: IbReading;
  /** Of a pool of subscriptions to a feed. */
  readonly feed?: FeedReading;
  /** Of a pool of HTTP connections. */
  readonly http?: HttpReading;
}

/** What a pool of broker connections tells beside what all pools do. */
export interface IbReading {
  readonly host: string;
  readonly port: number;
  readonly clientIds: readonly number[];
  readonly clientIdsFree: number | null;
  readonly pacing: IbPacingReading | null;
  readonly connections: readonly IbConnectionReading[];
}

/** Messages in a second; what is null is not told. */
export interface IbPacingReading {
  /** The gateway's, and that of the pool, which should be below. */
  readonly limitPerSecond: number;
  readonly messagesPerSecond: number;
  /** The most in any one second. */
  readonly peakSecond: number;
  readonly sent: number;
  readonly waiting: number;
  readonly longestWaitMs: number | null;
}

export interface IbConnectionReading {
  readonly clientId: number;
  readonly state: string;
  /** Whether the gateway is connected itself: `up`, `down`; null while there is no session. */
  readonly upstream: string | null;
  /** Since the connection was made: tries, sessions that became ready and were lost, and refusals of its id. */
  readonly attempts: number;
  readonly ready: number;
  readonly lost: number;
  readonly heartbeatsMissed: number;
  readonly idCollisions: number;
}

/** What a pool of subscriptions tells beside what all pools do. Counts since it was made. */
export interface FeedReading {
  /** Symbols that somebody wants, those confirmed, and how many there is room for. */
  readonly symbols: number;
  readonly live: number;
  readonly capacity: number;
  /** Subscriptions for which there was no room, and those that the server refused. */
  readonly exhausted: number;
  readonly refused: number;
  /** Connections found without data, though it was due. */
  readonly stale: number;
  readonly gaps: number;
  /** Ticks that a slow subscriber was not given: replaced by a newer one, or lost. */
  readonly conflated: number;
  readonly dropped: number;
  readonly slowDisconnects: number;
  readonly ticks: number;
  readonly connections: readonly FeedConnectionReading[];
}

/** What a pool of HTTP connections tells beside what all pools do. Counts since it was made. */
export interface HttpReading {
  readonly requests: number;
  readonly failed: number;
  /** Attempts that were sent. */
  readonly sent: number;
  /** Those on a connection that had been used before, a share of 1; null before the first. */
  readonly reuseRatio: number | null;
  /** Connections by why they were closed: `maxIdle`, `expiry`, `server`, `error`, ... */
  readonly closed: Readonly<Record<string, number>>;
  /** Retries by cause: `stale`, `lost`, `timeout`, ... */
  readonly retries: Readonly<Record<string, number>>;
  /** Time-outs by phase: `pool`, `connect`, `read`, `write`, `total`. */
  readonly timeouts: Readonly<Record<string, number>>;
  readonly origins: readonly HttpOriginReading[];
}

export interface HttpOriginReading {
  readonly origin: string;
  readonly waiting: number;
  /** `closed`, `open`, `half-open`; null without a breaker. */
  readonly breaker: string | null;
}

export interface FeedConnectionReading {
  readonly id: number;
  readonly state: string;
  readonly symbols: number;
  readonly reconnects: number;
  readonly lastTickAgoMs: number | null;
}

/** A backend of PostgreSQL that serves a client. What the role may not see is null. */
export interface Backend {
  readonly pid: number;
  readonly database: string | null;
  readonly user: string | null;
  readonly application: string | null;
  readonly clientAddress: string | null;
  /** null over a Unix socket. */
  readonly clientPort: number | null;
  /** `active`, `idle`, `idle in transaction`, ... as pg_stat_activity has it. */
  readonly state: string | null;
  /** How long in that state, in this transaction, since the start of the last query, and connected. */
  readonly stateMs: number | null;
  readonly transactionMs: number | null;
  readonly queryMs: number | null;
  readonly connectedMs: number | null;
  readonly waitType: string | null;
  readonly waitEvent: string | null;
  readonly query: string | null;
  /** Those that it waits for; empty if it waits for nobody. Asked only of lock waiters. */
  readonly blockedBy: readonly number[];
}

export interface ServerReading {
  readonly version: string;
  readonly maxConnections: number;
  /** Kept for superusers, and (from version 16) for pg_use_reserved_connections. */
  readonly reservedConnections: number;
  /** Client backends now, of all databases; null if not known. */
  readonly usedConnections: number | null;
  readonly databases: readonly DatabaseReading[];
}

/** Counters of pg_stat_database since its last reset; what came with version 14 is null before. */
export interface DatabaseReading {
  readonly name: string;
  readonly transactions: number;
  readonly sessions: number | null;
  readonly activeMs: number | null;
  readonly idleInTransactionMs: number | null;
  readonly sessionMs: number | null;
  readonly sessionsAbandoned: number | null;
  readonly sessionsFatal: number | null;
  readonly sessionsKilled: number | null;
}

/** PgBouncer, by the columns of whichever version it is. */
export interface PoolerReading {
  readonly version: string;
  readonly pools: readonly PoolerPool[];
  readonly databases: readonly PoolerDatabase[];
  readonly clients: readonly PoolerClient[];
  readonly servers: readonly PoolerServer[];
  readonly maxClients: number | null;
  /** Clients logged in now. */
  readonly usedClients: number | null;
  /** All settings, as SHOW CONFIG has them. */
  readonly config: Readonly<Record<string, string>>;
  /** What it counts, for those who want all of it. Left out of what was recorded before there was such a thing. */
  readonly columns?: PoolerColumns;
}

/** Rows of SHOW POOLS, DATABASES and STATS. */
export interface PoolerColumns {
  /** In the order of PoolerReading's pools and databases. */
  readonly pools: readonly PoolerRow[];
  readonly databases: readonly PoolerRow[];
  readonly stats: readonly PoolerRow[];
}

/** The figures of a row by the names of PgBouncer's own columns: those that its version has. */
export type PoolerRow = { readonly database: string; readonly figures: Readonly<Record<string, number>> };

/** One pair of database and user. */
export interface PoolerPool {
  readonly database: string;
  readonly user: string;
  readonly mode: string;
  readonly clientsActive: number;
  readonly clientsWaiting: number;
  readonly serversActive: number;
  /** Free to be used: `sv_idle` and `sv_used`. */
  readonly serversIdle: number;
  /** Logging in, being tested, or cancelling. */
  readonly serversOther: number;
  /** The age of the oldest client that waits, in milliseconds; 0 while nobody waits. */
  readonly longestWaitMs: number;
  /** The most connections to the server; null if not known. */
  readonly size: number | null;
}

/** Rates since the reading before; null in the first, and after a restart. */
export interface PoolerDatabase {
  readonly name: string;
  readonly size: number | null;
  readonly reserve: number | null;
  readonly paused: boolean;
  readonly transactionsPerSecond: number | null;
  readonly queriesPerSecond: number | null;
  /** The mean wait of a client for a server connection, in milliseconds. */
  readonly waitMs: number | null;
  /** Connections to the server busy on average: transaction time less what of it was waiting in the queue. */
  readonly busy: number | null;
}

export interface PoolerClient {
  readonly id: string;
  readonly user: string;
  readonly database: string;
  readonly application: string | null;
  readonly state: string;
  readonly address: string | null;
  readonly port: number | null;
  /** How long it has waited, in milliseconds; null where it does not wait. */
  readonly waitMs: number | null;
  /** The id of the server connection that it has; null while it has none. */
  readonly link: string | null;
  /** The process at the other end of a Unix socket; null over TCP, and where the system does not tell. */
  readonly processId?: number | null;
}

export interface PoolerServer {
  readonly id: string;
  readonly user: string;
  readonly database: string;
  readonly state: string;
  /** The pid of the backend at its other end; null if not known. */
  readonly backendPid: number | null;
  readonly localPort: number | null;
  readonly link: string | null;
}

import {
  figure,
  flag,
  integer,
  listOfAll,
  object,
  optional,
  orNull,
  type Read,
  record,
  text,
} from './schema.js';

/** One pair of database and user. */
export const poolerPool = object({
  database: text,
  user: text,
  mode: text,
  clientsActive: figure,
  clientsWaiting: figure,
  serversActive: figure,
  /** Free to be used: `sv_idle` and `sv_used`. */
  serversIdle: figure,
  /** Logging in, being tested, or canceling. */
  serversOther: figure,
  /** The age of the oldest client that waits, in milliseconds; 0 while nobody waits. */
  longestWaitMs: figure,
  /** The most connections to the server; null if unknown. */
  size: orNull(figure),
});

/** Rates since the previous reading; null in the first, and after a restart. */
const poolerDatabase = object({
  name: text,
  size: orNull(figure),
  reserve: orNull(figure),
  paused: flag,
  /** The address it connects to; null over a Unix socket. */
  host: optional(orNull(text)),
  port: optional(orNull(integer)),
  /** Server connections now, and the most of all users together (`max_db_connections`); null for no limit. */
  connections: optional(orNull(figure)),
  maxConnections: optional(orNull(figure)),
  disabled: optional(orNull(flag)),
  transactionsPerSecond: orNull(figure),
  queriesPerSecond: orNull(figure),
  /** The mean wait of a client for a server connection, in milliseconds. */
  waitMs: orNull(figure),
  /** Connections to the server busy on average: transaction time less the part spent in the queue. */
  busy: orNull(figure),
});

const poolerClient = object({
  id: text,
  user: text,
  database: text,
  application: orNull(text),
  state: text,
  address: orNull(text),
  port: orNull(integer),
  /** How long it has waited, in milliseconds; null where it does not wait. */
  waitMs: orNull(figure),
  /** The id of its server connection; null while it has none. */
  link: orNull(text),
  /** Time since its last request began, in milliseconds. */
  requestMs: optional(orNull(figure)),
  /** Time since it connected. */
  connectedMs: optional(orNull(figure)),
  /** The process at the other end of a Unix socket; null over TCP, and where the system does not report it. */
  processId: optional(orNull(integer)),
});

const poolerServer = object({
  id: text,
  user: text,
  database: text,
  state: text,
  /** The pid of the backend at its other end; null if unknown. */
  backendPid: orNull(integer),
  localPort: orNull(integer),
  link: orNull(text),
  /** The address of the server at its other end. */
  address: optional(orNull(text)),
  /** Time since it was opened; null where it is not known. */
  connectedMs: optional(orNull(figure)),
});

/** The figures of a row by the names of PgBouncer's own columns: those that its version has. */
const row = object({ database: text, figures: record(figure) });

/** Rows of SHOW POOLS, DATABASES and STATS. */
const columns = object({
  /** In the order of the pools of the reading. */
  pools: listOfAll(row),
  /** In the order of the databases of the reading. */
  databases: listOfAll(row),
  stats: listOfAll(row),
});

/** PgBouncer, by the columns of whichever version it is. */
export const poolerReading = object({
  version: text,
  pools: listOfAll(poolerPool),
  databases: listOfAll(poolerDatabase),
  clients: listOfAll(poolerClient),
  servers: listOfAll(poolerServer),
  maxClients: orNull(figure),
  /** Clients logged in now. */
  usedClients: orNull(figure),
  /** All settings, as in SHOW CONFIG. */
  config: record(text),
  /** All figures of PgBouncer. Absent in old recordings. */
  columns: optional(columns),
  /** SHOW LISTS: `used_clients`, `login_clients`, `dns_pending`, ... */
  lists: optional(record(figure)),
});

export interface PoolerPool extends Read<typeof poolerPool> {}
export interface PoolerDatabase extends Read<typeof poolerDatabase> {}
export interface PoolerClient extends Read<typeof poolerClient> {}
export interface PoolerServer extends Read<typeof poolerServer> {}
export interface PoolerRow extends Read<typeof row> {}
export interface PoolerReading extends Read<typeof poolerReading> {}

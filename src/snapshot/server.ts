import {
  count,
  figure,
  flag,
  integer,
  list,
  listOfAll,
  nullOr,
  object,
  optional,
  orNull,
  type Read,
  record,
  text,
} from './schema.js';

/** Use of the machine by a process; rates are those since the reading before. */
const processUse = object({
  /** Share of one core. */
  cpuShare: orNull(figure),
  /** Memory that it shares with no other process. */
  memoryBytes: orNull(figure),
  readPerSecond: orNull(figure),
  writtenPerSecond: orNull(figure),
});

/** A backend of PostgreSQL that serves a client. Fields that the role may not see are null. */
export const backend = object({
  pid: integer,
  database: orNull(text),
  user: orNull(text),
  application: orNull(text),
  clientAddress: orNull(text),
  /** null over a Unix socket. */
  clientPort: orNull(integer),
  /** `active`, `idle`, `idle in transaction`, ... as in pg_stat_activity. */
  state: orNull(text),
  /** Time in that state. */
  stateMs: orNull(figure),
  /** Time in this transaction. */
  transactionMs: orNull(figure),
  /** Time since the start of the last query. */
  queryMs: orNull(figure),
  connectedMs: orNull(figure),
  waitType: orNull(text),
  waitEvent: orNull(text),
  query: orNull(text),
  /** The backends that it waits for; empty if it waits for none. Read only of lock waiters. */
  blockedBy: list(integer),
  /** The mode of the lock that it waits for: `AccessExclusiveLock`. */
  lockMode: optional(orNull(text)),
  /** The relation whose lock it waits for. */
  lockRelation: optional(orNull(text)),
  /** Whether it holds an advisory lock beyond its transaction. */
  holdsAdvisoryLock: optional(orNull(flag)),
  /** Its use of this machine, where the server runs here. Read only of those that are active. */
  use: optional(nullOr(processUse)),
});

/** A process of the server that serves no client: autovacuum, replication, or background work. */
const serverProcess = object({
  pid: integer,
  /** `autovacuum worker`, `walsender`, ... */
  type: text,
  waitType: orNull(text),
  waitEvent: orNull(text),
  query: orNull(text),
  /** Time in this transaction. */
  transactionMs: orNull(figure),
});

/** A transaction that was prepared for a two-phase commit and waits for its end. No process holds it. */
const preparedTransaction = object({
  gid: text,
  owner: orNull(text),
  database: orNull(text),
  /** Time since it was prepared. */
  ageMs: orNull(figure),
});

/** The limit of one role, or of one database. */
const connectionLimit = object({ of: text, name: text, limit: count, used: count });

/** A standby as the primary sees it. */
const standby = object({
  name: text,
  /** `sync`, `async`, `quorum`, `potential`. */
  syncState: orNull(text),
  state: orNull(text),
  replayLagMs: orNull(figure),
});

const replicationSlot = object({
  name: text,
  active: flag,
  /** WAL that the server keeps for it, in bytes. */
  retainedBytes: orNull(figure),
});

/** Counters of pg_stat_database since its last reset. Those that came with version 14 are null before. */
const databaseReading = object({
  name: text,
  transactions: figure,
  sessions: orNull(figure),
  activeMs: orNull(figure),
  idleInTransactionMs: orNull(figure),
  sessionMs: orNull(figure),
  sessionsAbandoned: orNull(figure),
  sessionsFatal: orNull(figure),
  sessionsKilled: orNull(figure),
  commits: optional(orNull(figure)),
  rollbacks: optional(orNull(figure)),
  deadlocks: optional(orNull(figure)),
  /** Queries canceled since they conflicted with recovery, on a standby. */
  conflicts: optional(orNull(figure)),
  temporaryFiles: optional(orNull(figure)),
  temporaryBytes: optional(orNull(figure)),
  blocksHit: optional(orNull(figure)),
  blocksRead: optional(orNull(figure)),
});

export const serverReading = object({
  version: text,
  maxConnections: count,
  /** Kept for superusers, and (from version 16) for pg_use_reserved_connections. */
  reservedConnections: count,
  /** Client backends of all databases now; null if unknown. */
  usedConnections: orNull(count),
  databases: listOfAll(databaseReading),
  /** Whether it is a standby. */
  inRecovery: optional(orNull(flag)),
  /** Whether transactions are read-only unless they say otherwise (`default_transaction_read_only`). */
  readOnly: optional(orNull(flag)),
  /** Time since the server was started. */
  uptimeMs: optional(orNull(figure)),
  /** Settings that decide how long sessions and statements may live, by name, in the server's own words. */
  settings: optional(record(text)),
  processes: optional(list(serverProcess)),
  preparedTransactions: optional(list(preparedTransaction)),
  connectionLimits: optional(list(connectionLimit)),
  standbys: optional(list(standby)),
  slots: optional(list(replicationSlot)),
  /** Counters of MySQL's SHOW GLOBAL STATUS, by name in lower case. */
  status: optional(record(figure)),
});

export interface Backend extends Read<typeof backend> {}
export interface DatabaseReading extends Read<typeof databaseReading> {}
export interface ServerReading extends Read<typeof serverReading> {}

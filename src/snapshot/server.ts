import { count, figure, integer, list, listOfAll, object, orNull, type Read, text } from './schema.js';

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
});

export const serverReading = object({
  version: text,
  maxConnections: count,
  /** Kept for superusers, and (from version 16) for pg_use_reserved_connections. */
  reservedConnections: count,
  /** Client backends of all databases now; null if unknown. */
  usedConnections: orNull(count),
  databases: listOfAll(databaseReading),
});

export interface Backend extends Read<typeof backend> {}
export interface DatabaseReading extends Read<typeof databaseReading> {}
export interface ServerReading extends Read<typeof serverReading> {}

import type { Gap, Reading } from '../snapshot/reading.js';
import type { Backend, DatabaseReading, ServerReading } from '../snapshot/server.js';

/** The queries to the server, and their answers. */
export interface PostgresRows {
  readonly settings: SettingsRow;
  readonly backends: readonly BackendRow[];
  readonly databases: readonly DatabaseRow[];
  /** null where the server did not answer it, as an old version does not. */
  readonly facts?: FactsRow | null;
  /** The waits of backends; queried only if one waits. */
  readonly locks?: readonly LockRow[];
}

/** The facts about backends that are not in their own rows. */
export interface FactsRow {
  readonly in_recovery: boolean;
  readonly read_only: boolean;
  readonly uptime_ms: number | null;
  readonly settings: Readonly<Record<string, string>> | null;
  readonly processes: NonNullable<ServerReading['processes']> | null;
  readonly prepared: NonNullable<ServerReading['preparedTransactions']> | null;
  readonly limits: NonNullable<ServerReading['connectionLimits']> | null;
  readonly standbys: NonNullable<ServerReading['standbys']> | null;
  readonly slots: NonNullable<ServerReading['slots']> | null;
}

export interface LockRow {
  readonly pid: number;
  readonly mode: string | null;
  readonly relation: string | null;
  readonly is_waiting: boolean;
}

export interface SettingsRow {
  readonly version: string;
  readonly role: string;
  readonly tracks_activities: boolean;
  readonly tracks_counts: boolean;
  readonly max_connections: number;
  readonly superuser_reserved: number;
  readonly reserved: number;
  readonly sees_all: boolean;
}

export interface BackendRow {
  readonly pid: number;
  readonly database: string | null;
  readonly user: string | null;
  readonly application: string | null;
  readonly client_address: string | null;
  /** -1 over a Unix socket. */
  readonly client_port: number | null;
  readonly state: string | null;
  readonly wait_event_type: string | null;
  readonly wait_event: string | null;
  readonly query: string | null;
  readonly is_own: boolean;
  readonly state_ms: number | null;
  readonly transaction_ms: number | null;
  readonly query_ms: number | null;
  readonly connected_ms: number | null;
  readonly blocked_by: readonly number[] | null;
}

export interface DatabaseRow {
  readonly name: string;
  readonly transactions: number | bigint;
  /** The whole row, by the columns that this version has. */
  readonly columns: Readonly<Record<string, unknown>>;
}

/** The server's placeholder for a query that the role may not see. */
const HIDDEN = '<insufficient privilege>';

export function toReading(rows: PostgresRows, source: string, takenAtMs: number): Reading {
  const { settings, backends, databases, facts = null, locks = [] } = rows;
  return {
    ...{ source, kind: 'postgres', takenAtMs },
    pools: [],
    // The one that asks is no news.
    backends: backends.filter(({ is_own }) => !is_own).map((row) => toBackend(row, locks)),
    server: {
      version: settings.version,
      maxConnections: settings.max_connections,
      reservedConnections: settings.superuser_reserved + settings.reserved,
      usedConnections: backends.length,
      databases: databases.map(toDatabase),
      ...(facts === null ? {} : factsOf(facts)),
    },
    pooler: null,
    gaps: gapsOf(rows),
  };
}

function factsOf(row: FactsRow): Partial<ServerReading> {
  return {
    inRecovery: row.in_recovery,
    readOnly: row.read_only,
    uptimeMs: age(row.uptime_ms),
    settings: row.settings ?? {},
    processes: row.processes ?? [],
    preparedTransactions: row.prepared ?? [],
    connectionLimits: row.limits ?? [],
    standbys: row.standbys ?? [],
    slots: row.slots ?? [],
  };
}

function toBackend(row: BackendRow, locks: readonly LockRow[]): Backend {
  const own = locks.filter(({ pid }) => pid === row.pid);
  const wanted = own.find(({ is_waiting: isWaiting }) => isWaiting);
  const isHidden = row.query === HIDDEN;
  return {
    pid: row.pid,
    database: row.database,
    user: row.user,
    application: row.application || null,
    clientAddress: row.client_address,
    clientPort: row.client_port === null || row.client_port <= 0 ? null : row.client_port,
    state: row.state,
    stateMs: age(row.state_ms),
    transactionMs: age(row.transaction_ms),
    queryMs: age(row.query_ms),
    connectedMs: age(row.connected_ms),
    waitType: row.wait_event_type,
    waitEvent: row.wait_event,
    query: isHidden ? null : row.query || null,
    // Once for each lock that one of them holds.
    blockedBy: [...new Set(row.blocked_by ?? [])],
    ...(wanted === undefined ? {} : { lockMode: wanted.mode, lockRelation: wanted.relation }),
    ...(own.some(({ is_waiting: isWaiting }) => !isWaiting) ? { holdsAdvisoryLock: true } : {}),
  };
}

function toDatabase({ name, transactions, columns }: DatabaseRow): DatabaseReading {
  const figure = (column: string): number | null => {
    const value = columns[column];
    return typeof value === 'number' && Number.isFinite(value) ? value : null;
  };
  return {
    name,
    transactions: Number(transactions),
    sessions: figure('sessions'),
    activeMs: figure('active_time'),
    idleInTransactionMs: figure('idle_in_transaction_time'),
    sessionMs: figure('session_time'),
    sessionsAbandoned: figure('sessions_abandoned'),
    sessionsFatal: figure('sessions_fatal'),
    sessionsKilled: figure('sessions_killed'),
    commits: figure('xact_commit'),
    rollbacks: figure('xact_rollback'),
    deadlocks: figure('deadlocks'),
    conflicts: figure('conflicts'),
    temporaryFiles: figure('temp_files'),
    temporaryBytes: figure('temp_bytes'),
    blocksHit: figure('blks_hit'),
    blocksRead: figure('blks_read'),
  };
}

function gapsOf({ settings, backends, databases }: PostgresRows): readonly Gap[] {
  const gaps: Gap[] = [];
  const hidden = backends.filter(({ query }) => query === HIDDEN).length;
  if (hidden > 0) {
    const what = `states, queries and client ports of ${hidden === 1 ? '1 backend' : `${hidden} backends`} of other users`;
    gaps.push({
      what,
      why: `needs pg_monitor: GRANT pg_monitor TO "${settings.role.replaceAll('"', '""')}"`,
    });
  }
  if (!settings.tracks_activities)
    gaps.push({ what: 'states and queries of backends', why: 'track_activities is off' });
  if (!settings.tracks_counts) gaps.push({ what: 'counters of databases', why: 'track_counts is off' });
  if (databases.some(({ columns }) => columns.sessions === undefined))
    gaps.push({ what: 'sessions of databases', why: 'needs PostgreSQL 14' });
  return gaps;
}

/** A clock that was set back makes no age negative. */
function age(ms: number | null): number | null {
  return ms === null ? null : Math.max(0, ms);
}

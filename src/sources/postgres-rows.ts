import type { Gap, Reading } from '../snapshot/reading.js';
import type { Backend, DatabaseReading } from '../snapshot/server.js';

/** What the server was asked, as it answered. */
export interface PostgresRows {
  readonly settings: SettingsRow;
  readonly backends: readonly BackendRow[];
  readonly databases: readonly DatabaseRow[];
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

/** What the server puts in the place of a query that the role may not see. */
const HIDDEN = '<insufficient privilege>';

export function toReading(rows: PostgresRows, source: string, takenAtMs: number): Reading {
  const { settings, backends, databases } = rows;
  return {
    ...{ source, kind: 'postgres', takenAtMs },
    pools: [],
    // The one that asks is no news.
    backends: backends.filter(({ is_own }) => !is_own).map(toBackend),
    server: {
      version: settings.version,
      maxConnections: settings.max_connections,
      reservedConnections: settings.superuser_reserved + settings.reserved,
      usedConnections: backends.length,
      databases: databases.map(toDatabase),
    },
    pooler: null,
    gaps: gapsOf(rows),
  };
}

function toBackend(row: BackendRow): Backend {
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

import type { Gap, Reading } from '../snapshot/reading.js';
import type { Backend } from '../snapshot/server.js';

/** The queries to the server, and their answers. */
export interface MysqlRows {
  readonly settings: MysqlSettingsRow;
  readonly threads: readonly ThreadRow[];
  readonly blockers: readonly BlockerRow[];
  /** Whether transactions and the sessions of others were seen. */
  readonly seesAll: boolean;
}

export interface MysqlSettingsRow {
  /** `10.11.19-MariaDB-0+deb12u1`. */
  readonly version: string;
  readonly role: string;
  readonly max_connections: number;
  readonly used: number | null;
  /** Counters of SHOW GLOBAL STATUS, by name in lower case. */
  readonly status?: Readonly<Record<string, number>>;
  readonly read_only?: number | string | null;
}

export interface ThreadRow {
  readonly id: number;
  readonly database_name: string | null;
  readonly user_name: string;
  /** `10.0.0.5:40312`, or `localhost`. */
  readonly host: string | null;
  readonly command: string;
  readonly time_ms: number | string | null;
  readonly state: string | null;
  readonly query: string | null;
  readonly is_own: number;
  readonly trx_state: string | null;
  readonly transaction_ms: number | string | null;
}

/** Pairs of waiting and blocking sessions. */
export interface BlockerRow {
  readonly waiter: number;
  readonly blocker: number;
}

export function toReading(rows: MysqlRows, source: string, takenAtMs: number): Reading {
  const { settings, threads, blockers } = rows;
  return {
    ...{ source, kind: 'mysql', takenAtMs },
    pools: [],
    // The one that asks is no news.
    backends: threads.filter(({ is_own }) => Number(is_own) !== 1).map((row) => toBackend(row, blockers)),
    server: {
      version: settings.version,
      maxConnections: settings.max_connections,
      // One more connection, for administrators, is beyond the limit.
      reservedConnections: 0,
      usedConnections: settings.used,
      databases: [],
      readOnly: settings.read_only == null ? null : Number(settings.read_only) === 1,
      ...(settings.status === undefined ? {} : { status: settings.status }),
    },
    pooler: null,
    gaps: gapsOf(rows),
  };
}

function toBackend(row: ThreadRow, blockers: readonly BlockerRow[]): Backend {
  const { command, trx_state: trx, state } = row;
  const [, address = null, port = null] = /^(.*?)(?::(\d+))?$/.exec(row.host ?? '') ?? [];
  const isIdle = command === 'Sleep';
  const timeMs = age(row.time_ms);
  const wait = isIdle ? null : waitOf(trx, state);
  return {
    pid: row.id,
    database: row.database_name,
    user: row.user_name,
    application: null,
    clientAddress: address === '' ? null : address,
    clientPort: port === null ? null : Number(port),
    // The terms of PostgreSQL, so that readers can compare.
    state: isIdle ? (trx === null ? 'idle' : 'idle in transaction') : 'active',
    stateMs: timeMs,
    transactionMs: age(row.transaction_ms),
    queryMs: isIdle ? null : timeMs,
    connectedMs: null,
    waitType: wait?.type ?? null,
    waitEvent: wait?.event ?? null,
    query: row.query || null,
    blockedBy: [...new Set(blockers.filter(({ waiter }) => waiter === row.id).map(({ blocker }) => blocker))],
  };
}

function waitOf(
  trx: string | null,
  state: string | null,
): { readonly type: string; readonly event: string } | null {
  if (trx === 'LOCK WAIT') return { type: 'Lock', event: 'row' };
  const [, lock] = /^Waiting for (.*\block)\b/i.exec(state ?? '') ?? [];
  if (lock !== undefined) return { type: 'Lock', event: lock };
  if (/^User lock$/i.test(state ?? '')) return { type: 'Lock', event: 'user' };
  if (/table flush/i.test(state ?? '')) return { type: 'Lock', event: 'table flush' };
  if (/semi-?sync/i.test(state ?? '')) return { type: 'IPC', event: 'SyncRep' };
  if (/^(?:Writing to net|Sending to client)/i.test(state ?? ''))
    return { type: 'Client', event: 'ClientWrite' };
  if (/^(?:Reading from net|Receiving from client)/i.test(state ?? ''))
    return { type: 'Client', event: 'ClientRead' };
  return /^User sleep$/i.test(state ?? '') ? { type: 'Timeout', event: 'PgSleep' } : null;
}

function gapsOf({ settings, seesAll }: MysqlRows): readonly Gap[] {
  if (seesAll) return [];
  const [user = '', host = '%'] = settings.role.split('@');
  return [
    {
      what: 'transactions, locks, and sessions of other users',
      why: `needs the right PROCESS: GRANT PROCESS ON *.* TO ${quoted(user)}@${quoted(host)}`,
    },
  ];
}

function quoted(name: string): string {
  return `'${name.replaceAll("'", "''")}'`;
}

/** A clock that was set back makes no age negative. */
function age(ms: number | string | null): number | null {
  return ms === null ? null : Math.max(0, Number(ms));
}

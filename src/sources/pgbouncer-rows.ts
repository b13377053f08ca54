import type {
  PoolerClient,
  PoolerDatabase,
  PoolerPool,
  PoolerReading,
  PoolerRow,
  PoolerServer,
} from '../snapshot/pooler.js';
import type { Gap, Reading } from '../snapshot/reading.js';

/** By their names: columns differ from version to version. Figures come as numbers or as text. */
export type Row = Readonly<Record<string, unknown>>;

/** The queries to the console, and their answers; null if it refused. */
export interface PgBouncerRows {
  readonly version: string;
  readonly pools: readonly Row[] | null;
  readonly databases: readonly Row[] | null;
  readonly stats: readonly Row[] | null;
  readonly clients: readonly Row[] | null;
  readonly servers: readonly Row[] | null;
  readonly lists: readonly Row[] | null;
  readonly config: readonly Row[] | null;
  /** From 1.19. */
  readonly state: readonly Row[] | null;
}

/** The counters of a reading, for the rates of the next. */
export interface StatsAt {
  /** Monotonic milliseconds. */
  readonly atMs: number;
  readonly totals: ReadonlyMap<string, Totals>;
}

/** Totals of one database since the start of PgBouncer. Times are in milliseconds. */
interface Totals {
  readonly transactions: number;
  readonly queries: number;
  readonly transactionMs: number;
  readonly waitMs: number;
  /** How often a client was given a server; null before version 1.23. */
  readonly assignments: number | null;
}

/** The console is a database of that name itself, with pool, statistics and clients: those who look on. */
const CONSOLE = 'pgbouncer';

export function toReading(
  rows: PgBouncerRows,
  source: string,
  takenAtMs: number,
  rates: { readonly before: StatsAt | null; readonly now: StatsAt },
  gaps: readonly Gap[] = [],
): Reading {
  const config = configOf(rows.config ?? []);
  const databases = ofUsers(rows.databases, 'name');
  const pooler: PoolerReading = {
    version: rows.version,
    pools: ofUsers(rows.pools, 'database').map((row) => toPool(row, databases, config)),
    databases: databases.map((row) => toDatabase(row, rows, config, rates)),
    clients: ofUsers(rows.clients, 'database').map((row) => toClient(row, takenAtMs)),
    servers: (rows.servers ?? []).map((row) => toServer(row, takenAtMs)),
    maxClients: figure(config.max_client_conn),
    usedClients: figure(rows.lists?.find(({ list }) => list === 'used_clients')?.items),
    config,
    lists: Object.fromEntries(
      (rows.lists ?? []).flatMap(({ list, items }) => {
        const count = figure(items);
        return count === null ? [] : [[text(list), count] as const];
      }),
    ),
    columns: {
      pools: ofUsers(rows.pools, 'database').map((row) => toRow(row, 'database')),
      databases: databases.map((row) => toRow(row, 'name')),
      stats: ofUsers(rows.stats, 'database').map((row) => toRow(row, 'database')),
    },
  };
  return {
    ...{ source, kind: 'pgbouncer', takenAtMs, pooler },
    ...{ pools: [], backends: [], server: null, gaps: [...gaps, ...gapsOf(rows)] },
  };
}

export function statsAt(rows: PgBouncerRows, atMs: number): StatsAt {
  const totals = ofUsers(rows.stats, 'database').map((row): [string, Totals] => [
    text(row.database),
    {
      transactions: figure(row.total_xact_count) ?? 0,
      queries: figure(row.total_query_count) ?? 0,
      transactionMs: (figure(row.total_xact_time) ?? 0) / 1000,
      waitMs: (figure(row.total_wait_time) ?? 0) / 1000,
      assignments: figure(row.total_server_assignment_count),
    },
  ]);
  return { atMs, totals: new Map(totals) };
}

function toPool(row: Row, databases: readonly Row[], config: Config): PoolerPool {
  const sum = (...columns: string[]): number =>
    columns.reduce((all, column) => all + (figure(row[column]) ?? 0), 0);
  const database = databases.find(({ name }) => name === row.database);
  return {
    database: text(row.database),
    user: text(row.user),
    mode: text(row.pool_mode) || config.pool_mode || '',
    clientsActive: sum('cl_active'),
    clientsWaiting: sum('cl_waiting'),
    serversActive: sum('sv_active'),
    // sv_used have only not been looked at for a while (server_check_delay): they are as free as the others.
    serversIdle: sum('sv_idle', 'sv_used'),
    serversOther: sum('sv_tested', 'sv_login', 'sv_active_cancel', 'sv_being_canceled'),
    // The whole seconds alone would hide every wait that is shorter.
    longestWaitMs: sum('maxwait') * 1000 + sum('maxwait_us') / 1000,
    size: database === undefined ? null : sizeOf(database),
  };
}

/** The limit of each user's pool. A lower limit of the database counts for all users together. */
function sizeOf(database: Row): number | null {
  const [size, most] = [figure(database.pool_size), figure(database.max_connections)];
  if (size === null || most === null || most <= 0) return size;
  return Math.min(size, most);
}

function toDatabase(
  row: Row,
  { state }: PgBouncerRows,
  config: Config,
  { before, now }: { readonly before: StatsAt | null; readonly now: StatsAt },
): PoolerDatabase {
  const name = text(row.name);
  const mode = text(row.pool_mode) || config.pool_mode || '';
  const [first, last] = [before?.totals.get(name), now.totals.get(name)];
  const spanMs = before === null ? 0 : now.atMs - before.atMs;
  return {
    name,
    size: sizeOf(row),
    // Renamed in 1.24.
    reserve: figure(row.reserve_pool_size) ?? figure(row.reserve_pool),
    paused: figure(row.paused) === 1 || state?.find(({ key }) => key === 'paused')?.value === 'yes',
    host: text(row.host) || null,
    port: figure(row.port),
    connections: figure(row.current_connections),
    maxConnections: figure(row.max_connections) || null,
    disabled: figure(row.disabled) === null ? null : figure(row.disabled) === 1,
    ...(first === undefined || last === undefined || spanMs <= 0
      ? NO_RATES
      : ratesOf(first, last, spanMs, mode)),
  };
}

function toRow(row: Row, key: string): PoolerRow {
  const figures: Record<string, number> = {};
  for (const column in row) {
    const number = TEXTS.has(column) ? null : figure(row[column]);
    // Renamed in 1.24.
    if (number !== null) figures[column === 'reserve_pool' ? 'reserve_pool_size' : column] = number;
  }
  return { database: text(row[key]), figures };
}

/** Names that may look like numbers. */
const TEXTS: ReadonlySet<string> = new Set([
  ...['name', 'host', 'port', 'database', 'user', 'force_user', 'pool_mode', 'load_balance_hosts'],
]);

type Rates = Pick<PoolerDatabase, 'transactionsPerSecond' | 'queriesPerSecond' | 'waitMs' | 'busy'>;

const NO_RATES: Rates = { transactionsPerSecond: null, queriesPerSecond: null, waitMs: null, busy: null };

function ratesOf(first: Totals, last: Totals, spanMs: number, mode: string): Rates {
  const transactions = last.transactions - first.transactions;
  const queries = last.queries - first.queries;
  const waitMs = last.waitMs - first.waitMs;
  // Less than before: it was started anew.
  if (transactions < 0 || queries < 0 || waitMs < 0) return NO_RATES;
  return {
    transactionsPerSecond: (transactions * 1000) / spanMs,
    queriesPerSecond: (queries * 1000) / spanMs,
    waitMs: meanWaitMs(first, last, mode),
    // The time of a transaction begins when the client asks: it has the wait in PgBouncer's queue in it.
    busy: Math.max(0, (last.transactionMs - first.transactionMs - waitMs) / spanMs),
  };
}

/** Its own avg_wait_time is, before 1.23, the wait of all clients in a second. */
function meanWaitMs(first: Totals, last: Totals, mode: string): number | null {
  const waits = assignmentsBetween(first, last, mode);
  return waits === null || waits <= 0 ? null : (last.waitMs - first.waitMs) / waits;
}

/** How often clients were given a server: counted from 1.23, before known where each transaction gets one. */
function assignmentsBetween(first: Totals, last: Totals, mode: string): number | null {
  if (first.assignments !== null && last.assignments !== null) return last.assignments - first.assignments;
  if (mode === 'transaction') return last.transactions - first.transactions;
  return mode === 'statement' ? last.queries - first.queries : null;
}

function toClient(row: Row, nowMs: number): PoolerClient {
  const state = text(row.state);
  const isWaiting = state.startsWith('waiting');
  return {
    id: text(row.ptr),
    user: text(row.user),
    database: text(row.database),
    application: text(row.application_name) || null,
    state,
    address: text(row.addr) || null,
    port: portOf(row.addr, row.port),
    waitMs: isWaiting ? (figure(row.wait) ?? 0) * 1000 + (figure(row.wait_us) ?? 0) / 1000 : null,
    link: text(row.link) || null,
    requestMs: ageOf(row.request_time, nowMs),
    connectedMs: ageOf(row.connect_time, nowMs),
    processId: figure(row.remote_pid) || null,
  };
}

function toServer(row: Row, nowMs: number): PoolerServer {
  return {
    id: text(row.ptr),
    user: text(row.user),
    database: text(row.database),
    state: text(row.state),
    backendPid: figure(row.remote_pid) || null,
    localPort: portOf(row.local_addr, row.local_port),
    link: text(row.link) || null,
    address: text(row.addr) === '' ? null : `${text(row.addr)}:${text(row.port)}`,
    connectedMs: ageOf(row.connect_time, nowMs),
  };
}

/** `2026-11-30 21:04:57 UTC`, in whole seconds of the pooler's clock, as an age; null where it is none. */
function ageOf(time: unknown, nowMs: number): number | null {
  const atMs = Date.parse(text(time).replace(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?: UTC)?$/, '$1T$2Z'));
  return Number.isNaN(atMs) ? null : Math.max(0, nowMs - atMs);
}

/** Over a Unix socket the port is a part of the socket's name, and no client's. */
function portOf(address: unknown, port: unknown): number | null {
  return text(address).startsWith('unix') ? null : figure(port) || null;
}

type Config = Readonly<Record<string, string>>;

function configOf(rows: readonly Row[]): Config {
  return Object.fromEntries(rows.map(({ key, value }) => [text(key), text(value)]));
}

function gapsOf({ version, state }: PgBouncerRows): readonly Gap[] {
  const gaps: Gap[] = [];
  if (state === null)
    gaps.push({ what: 'whether all of it is paused', why: `PgBouncer ${version} does not tell (from 1.19)` });
  return gaps;
}

/** Without what is of the console itself. */
function ofUsers(rows: readonly Row[] | null, column: string): readonly Row[] {
  return (rows ?? []).filter((row) => row[column] !== CONSOLE);
}

function text(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}

function figure(value: unknown): number | null {
  if (value === null || value === undefined || value === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

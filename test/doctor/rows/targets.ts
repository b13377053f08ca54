import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../../src/doctor/registry.js';
import type {
  AppSettings,
  CheckContext,
  ConsoleRow,
  DoctorOptions,
  Outcome,
  PgBouncerTarget,
  PoolTarget,
  PostgresSetting,
  PostgresTarget,
  SqliteTarget,
  Status,
  Targets,
} from '../../../src/doctor/types.js';
import { Unknowable } from '../../../src/doctor/unknowable.js';
import type { PoolReading } from '../../../src/snapshot/reading.js';
import type { Backend } from '../../../src/snapshot/server.js';
import { backend, reading } from '../../top/helpers.js';

/** A target as it would have been read, so that a check can be judged at its exact limits. */
export interface Given extends Partial<Targets> {
  readonly options?: Partial<DoctorOptions>;
}

export async function outcomesOf(id: string, { options, ...targets }: Given): Promise<readonly Outcome[]> {
  const check = CHECKS.find((one) => one.id === id);
  if (check === undefined) throw new Error(`no check ${id}`);
  const context: CheckContext = {
    targets: {
      postgres: [],
      mysql: [],
      pgbouncer: [],
      pool: [],
      sqlite: [],
      recording: [],
      settings: null,
      unreadable: [],
      ...targets,
    },
    options: {
      ...{ instances: null, memoryBytes: null, ownMemoryBytes: null, fileLimit: null },
      ...{ idleTransactionMs: 60_000, longQueryMs: 300_000, queueWaitMs: 1000, ...options },
    },
    signal: new AbortController().signal,
  };
  return check.run(context);
}

interface Said {
  readonly status: Status;
  readonly summary: string;
  readonly evidence: string;
  readonly steps: string;
}

type Expected = { readonly [Field in keyof Said]?: RegExp | string };

/** Rows of one check: what it says of each target, exactly at its limits. A text is the whole, a pattern a part. */
export function check(
  id: string,
  rows: readonly (readonly [what: string, given: Given, expected: Expected])[],
): void {
  describe(id, () => {
    it.each(rows)('%s', async (_, given, expected) => {
      const found = await said(id, given);
      for (const field of ['status', 'summary', 'evidence', 'steps'] as const) {
        const wanted = expected[field];
        if (wanted instanceof RegExp) expect(found[field]).toMatch(wanted);
        else if (wanted !== undefined) expect(found[field]).toBe(wanted);
      }
    });
  });
}

/** What a check says, with evidence and steps as lines. */
async function said(id: string, given: Given): Promise<Said> {
  const [outcome, ...more] = await outcomesOf(id, given);
  if (outcome === undefined || more.length > 0) throw new Error(`${id} has ${more.length + 1} outcomes`);
  const { status, summary, evidence, fix } = outcome;
  const steps = (fix?.steps ?? []).map(({ text }) => text).join('\n');
  return { status, summary, evidence: evidence.join('\n'), steps };
}

type Settings = Readonly<Record<string, string | readonly [value: string, unit: string]>>;

const STANDARD: Settings = {
  ...{
    max_connections: '100',
    superuser_reserved_connections: '3',
    track_activities: 'on',
    track_counts: 'on',
  },
  statement_timeout: ['0', 'ms'],
  idle_session_timeout: ['0', 'ms'],
  idle_in_transaction_session_timeout: ['0', 'ms'],
};

export function server(
  settings: Settings = {},
  { backends = [], ...own }: Partial<PostgresTarget> & { backends?: readonly Partial<Backend>[] } = {},
): PostgresTarget {
  const all = Object.entries({ ...STANDARD, ...settings });
  const rows = all.map(([name, given]): [string, PostgresSetting] => {
    const [value, unit] = typeof given === 'string' ? [given, null] : given;
    return [name, { value, unit, source: 'default', context: 'sighup', pendingRestart: false }];
  });
  return {
    ...{ kind: 'postgres', label: 'postgres://db/shop', host: 'db', port: 5432, version: '17.2' },
    ...{ versionNumber: 170_002, database: 'shop', role: 'app', isSuperuser: true, seesAll: true },
    ...{ address: '10.0.0.1', ownPort: 5432, settings: new Map(rows), overrides: { value: [] } },
    reading: {
      value: reading({
        kind: 'postgres',
        backends: backends.map((one, at) => backend({ pid: 200 + at, ...one })),
      }),
    },
    ...{ counters: { value: [] }, advisoryLockers: { value: [] } },
    ...own,
  };
}

const CONFIG: Readonly<Record<string, string>> = {
  ...{ pool_mode: 'transaction', default_pool_size: '20', max_client_conn: '100', max_db_connections: '0' },
  ...{
    max_user_connections: '0',
    query_wait_timeout: '120',
    server_connect_timeout: '15',
    query_timeout: '0',
  },
  ...{ server_idle_timeout: '600', server_lifetime: '3600', client_idle_timeout: '0', admin_users: 'admin' },
  ...{ ignore_startup_parameters: '', server_reset_query: 'DISCARD ALL', server_reset_query_always: '0' },
  ...{ auth_type: 'trust', auth_file: '/etc/userlist.txt', max_prepared_statements: '0', stats_users: '' },
};

export const row = (own: ConsoleRow = {}): ConsoleRow => ({
  ...{ name: 'shop', host: 'db', port: 5432, pool_size: 20, reserve_pool_size: 0, max_connections: 0 },
  ...{ pool_mode: null, force_user: 'app', paused: 0, disabled: 0, ...own },
});

export function pooler(
  config: Readonly<Record<string, string>> = {},
  own: Partial<PgBouncerTarget> & { rows?: readonly ConsoleRow[] } = {},
): PgBouncerTarget {
  const { rows = [row()], ...rest } = own;
  const none = { value: [] };
  return {
    ...{
      kind: 'pgbouncer',
      label: 'pgbouncer://pgb',
      host: 'pgb',
      port: 6432,
      version: '1.25.0',
      user: 'admin',
    },
    config: { value: new Map(Object.entries({ ...CONFIG, ...config })) },
    ...{ databases: { value: rows }, users: none, pools: none, clients: none, servers: none },
    ...{ lists: none, stats: none, state: none, logins: null, gone: null },
    fileLimit: new Unknowable('not known'),
    ...rest,
  };
}

export const app = (...pools: readonly PoolReading[]): PoolTarget => ({
  ...{ kind: 'pool', label: 'pool:app' },
  reading: reading({ pools }),
});

export const settings = (own: Partial<AppSettings> = {}): AppSettings => ({
  ...{ poolSize: null, maxOverflow: null, poolTimeoutMs: null, poolRecycleMs: null, prePing: null },
  ...{ connectTimeoutMs: null, prepareThreshold: null, usePgbouncer: null, statementTimeoutMs: null },
  ...own,
});

/** A SQLite database that answers each pragma with this. */
export const sqlite = (url: string, answer: unknown): SqliteTarget => ({
  ...{ kind: 'sqlite', label: url, url },
  ask: async (sql) => [{ [sql.replace('PRAGMA ', '')]: answer }],
});

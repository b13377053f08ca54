import type { PgBouncerRows, Row } from '../../src/sources/pgbouncer-rows.js';

/** The versions whose columns differ. */
export const VERSIONS = ['1.18.0', '1.19.1', '1.21.0', '1.23.1', '1.24.1', '1.25.2'] as const;

export type Version = (typeof VERSIONS)[number];

/** Columns in the order of 1.18, and what came later before which of them, or at the end (null). */
interface Columns {
  readonly base: string;
  readonly added?: readonly (readonly [since: Version, name: string, before: string | null])[];
  readonly renamed?: readonly (readonly [since: Version, from: string, to: string])[];
}

const SOCKETS: Columns = {
  base: `type user database state addr port local_addr local_port connect_time request_time wait wait_us
    close_needed ptr link remote_pid tls application_name`,
  added: [
    ['1.21.0', 'prepared_statements', null],
    ['1.23.1', 'replication', 'state'],
    ['1.24.1', 'id', null],
  ],
};

const SHOWN = {
  pools: {
    base: `database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active
      sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode`,
    added: [['1.24.1', 'load_balance_hosts', null]],
  },
  databases: {
    base: `name host port database force_user pool_size min_pool_size reserve_pool pool_mode max_connections
      current_connections paused disabled`,
    added: [
      ['1.23.1', 'server_lifetime', 'pool_mode'],
      ['1.24.1', 'load_balance_hosts', 'max_connections'],
      ['1.24.1', 'max_client_connections', 'paused'],
      ['1.24.1', 'current_client_connections', 'paused'],
    ],
    renamed: [['1.24.1', 'reserve_pool', 'reserve_pool_size']],
  },
  stats: {
    base: `database total_xact_count total_query_count total_received total_sent total_xact_time
      total_query_time total_wait_time avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time
      avg_query_time avg_wait_time`,
    added: [
      ['1.23.1', 'total_server_assignment_count', 'total_xact_count'],
      ['1.23.1', 'avg_server_assignment_count', 'avg_xact_count'],
      ['1.24.1', 'total_client_parse_count', 'avg_server_assignment_count'],
      ['1.24.1', 'total_server_parse_count', 'avg_server_assignment_count'],
      ['1.24.1', 'total_bind_count', 'avg_server_assignment_count'],
    ],
  },
  clients: SOCKETS,
  servers: SOCKETS,
} satisfies Record<string, Columns>;

/** As the console of that version answers, with these values where it has such a column. */
export function sampleOf(
  version: Version,
  values: Partial<Record<keyof typeof SHOWN, readonly Row[]>>,
): PgBouncerRows {
  const shown = (what: keyof typeof SHOWN): readonly Row[] =>
    (values[what] ?? []).map((row) =>
      Object.fromEntries(
        columnsOf(SHOWN[what], version).map((name) => [
          name,
          row[name] ?? (name in DEFAULTS ? DEFAULTS[name] : '0'),
        ]),
      ),
    );
  return {
    version,
    pools: shown('pools'),
    databases: shown('databases'),
    stats: shown('stats'),
    clients: shown('clients'),
    servers: shown('servers'),
    lists: [
      { list: 'databases', items: 2 },
      { list: 'used_clients', items: 7 },
    ],
    config: [
      { key: 'max_client_conn', value: '100', default: '100', changeable: 'yes' },
      { key: 'pool_mode', value: 'transaction', default: 'session', changeable: 'yes' },
    ],
    state: isSince(version, '1.19.1')
      ? [
          { key: 'active', value: 'yes' },
          { key: 'paused', value: 'no' },
          { key: 'suspended', value: 'no' },
        ]
      : null,
  };
}

const DEFAULTS: Row = { pool_mode: null, force_user: null, tls: '', link: '', application_name: '' };

function columnsOf({ base, added = [], renamed = [] }: Columns, version: Version): readonly string[] {
  const columns = base.trim().split(/\s+/);
  for (const [since, name, before] of added) {
    if (isSince(version, since))
      columns.splice(before === null ? columns.length : columns.indexOf(before), 0, name);
  }
  const names = renamed
    .filter(([since]) => isSince(version, since))
    .map(([, from, to]) => [from, to] as const);
  return columns.map((column) => new Map(names).get(column) ?? column);
}

function isSince(version: Version, since: Version): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(since);
}

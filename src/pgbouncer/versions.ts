/** The versions that a configuration can be written for. */
export const TARGET_VERSIONS = ['1.18', '1.19', '1.20', '1.21', '1.22', '1.23', '1.24', '1.25'] as const;
export type TargetVersion = (typeof TARGET_VERSIONS)[number];

export type Section = 'databases' | 'pgbouncer';

/** The form of a key in the file of one version. */
export type KeyFate =
  | { readonly kind: 'kept'; readonly key: string }
  /** The version has another name for it. */
  | { readonly kind: 'renamed'; readonly key: string; readonly why: string }
  /** It would not start with the key in its file. */
  | { readonly kind: 'leftOut'; readonly why: string }
  /** No version knows it. */
  | { readonly kind: 'unknown' };

/** From the tables of keys in main.c and loader.c of each version. */
export function fateOf(section: Section, key: string, target: TargetVersion): KeyFate {
  const renamed = section === 'databases' ? RENAMED[key] : undefined;
  if (renamed !== undefined && isBefore(target, renamed.since)) {
    const why = `${key} is called ${renamed.before} before ${renamed.since}`;
    return { kind: 'renamed', key: renamed.before, why };
  }
  const since = SINCE[section][key];
  if (since !== undefined) {
    return isBefore(target, since)
      ? { kind: 'leftOut', why: `PgBouncer ${target} does not know ${key}, which came with ${since}` }
      : { kind: 'kept', key };
  }
  return ALWAYS[section].includes(key) ? { kind: 'kept', key } : { kind: 'unknown' };
}

export function keysOf(section: Section): readonly string[] {
  return [...ALWAYS[section], ...Object.keys(SINCE[section])];
}

/** `1.18.0` or `PgBouncer 1.18.0` as a version to write for; the nearest one for others, null if it is none. */
export function targetOf(text: string): TargetVersion | null {
  const [, minor] = /\b1\.(\d+)/.exec(text) ?? [];
  if (minor === undefined) return null;
  const nearest = Math.min(25, Math.max(18, Number(minor)));
  return TARGET_VERSIONS.find((version) => version === `1.${nearest}`) ?? null;
}

/** Whether a version (`1.18.0`) is older than another (`1.23`). */
export function isBefore(version: string, other: string): boolean {
  const [minor = 0, wanted = 0] = [version, other].map((one) => Number(/^1\.(\d+)/.exec(one)?.[1] ?? 99));
  return minor < wanted;
}

const RENAMED: Readonly<Record<string, { readonly before: string; readonly since: TargetVersion }>> = {
  reserve_pool_size: { before: 'reserve_pool', since: '1.24' },
};

const SINCE: Readonly<Record<Section, Readonly<Record<string, TargetVersion>>>> = {
  pgbouncer: {
    auth_dbname: '1.19',
    cancel_wait_timeout: '1.19',
    peer_id: '1.19',
    track_extra_parameters: '1.20',
    max_prepared_statements: '1.21',
    auth_ident_file: '1.23',
    max_db_client_connections: '1.24',
    max_user_client_connections: '1.24',
    auth_ldap_options: '1.25',
    client_tls13_ciphers: '1.25',
    query_wait_notify: '1.25',
    scram_iterations: '1.25',
    server_tls13_ciphers: '1.25',
    transaction_timeout: '1.25',
  },
  databases: {
    auth_dbname: '1.19',
    auth_query: '1.22',
    server_lifetime: '1.23',
    load_balance_hosts: '1.24',
    max_db_client_connections: '1.24',
    reserve_pool_size: '1.24',
  },
};

const ALWAYS: Readonly<Record<Section, readonly string[]>> = {
  pgbouncer: words(`
    admin_users application_name_add_host auth_file auth_hba_file auth_query auth_type auth_user
    autodb_idle_timeout client_idle_timeout client_login_timeout client_tls_ca_file client_tls_cert_file
    client_tls_ciphers client_tls_dheparams client_tls_ecdhcurve client_tls_key_file client_tls_protocols
    client_tls_sslmode default_pool_size disable_pqexec dns_max_ttl dns_nxdomain_ttl dns_zone_check_period
    idle_transaction_timeout ignore_startup_parameters job_name listen_addr listen_backlog listen_port
    log_connections log_disconnections log_pooler_errors log_stats logfile max_client_conn max_db_connections
    max_packet_size max_user_connections min_pool_size pidfile pkt_buf pool_mode query_timeout
    query_wait_timeout reserve_pool_size reserve_pool_timeout resolv_conf sbuf_loopcnt server_check_delay
    server_check_query server_connect_timeout server_fast_close server_idle_timeout server_lifetime
    server_login_retry server_reset_query server_reset_query_always server_round_robin server_tls_ca_file
    server_tls_cert_file server_tls_ciphers server_tls_key_file server_tls_protocols server_tls_sslmode
    so_reuseport stats_period stats_users suspend_timeout syslog syslog_facility syslog_ident tcp_defer_accept
    tcp_keepalive tcp_keepcnt tcp_keepidle tcp_keepintvl tcp_socket_buffer tcp_user_timeout unix_socket_dir
    unix_socket_group unix_socket_mode user verbose`),
  databases: words(`
    application_name auth_user client_encoding connect_query datestyle dbname host max_db_connections
    min_pool_size password pool_mode pool_size port reserve_pool timezone user`),
};

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

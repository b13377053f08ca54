import { registerSecret } from '../../base/secrets.js';
import { parseBoolean, parseCount, parseDuration } from '../../base/units.js';
import type {
  DatabaseDriver,
  DatabaseOptions,
  DatabaseTarget,
  DatabaseUrl,
  PoolDefaults,
} from '../connection.js';
import { isConnectionLost } from '../errors.js';
import { isPostgresFull } from './pg-capacity.js';
import type { PgSettings } from './pg-connection.js';
import type { PgPlace } from './pg-places.js';
import type { AuthRules, TlsSettings } from './pg-tls.js';
import { PARAMETERS } from './pg-url.js';
import { decodedPart } from './url-parts.js';

/**
 * PostgreSQL, through `pg`: `postgres://user:password@host:5432/database`, each part of it percent-encoded where it
 * has signs of its own, and left out where the environment (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE) or the
 * password file has it. A Unix socket is `?host=/var/run/postgresql`, its folder.
 *
 * `pg-url.ts` translates the other forms and parameters to libpq's. `sslmode` is by default PGSSLMODE, else `prefer`.
 */
export const pgDriver: DatabaseDriver = {
  dialect: 'postgresql',
  options: ['readOnly', 'password', 'passwordFile', 'pgbouncer', 'prepareThreshold', 'onNotice'],
  configure(url, options, problems) {
    problems.push(...(url.problems ?? []));
    const server = serverOf(url, problems);
    const asked = paramsOf(url.params, problems);
    const settings = settingsOf(server, asked, options, problems);
    return {
      label: labelOf(settings),
      poolDefaults: {
        ...(settings.pgbouncer ? POOL_DEFAULTS.pgbouncer : POOL_DEFAULTS.direct),
        ...(asked.connectTimeoutMs === undefined
          ? {}
          : { createTimeoutMs: asked.connectTimeoutMs * server.places.length }),
      },
      async connect(signal, { waitsForServer = false, isRaw = false } = {}) {
        const { connectPg } = await import('./pg-connection.js');
        return connectPg({ ...settings, waitsForServer, isRaw }, signal);
      },
      isDisconnect: isConnectionLost,
      isFull: isPostgresFull,
      begin: ({ readOnly }) => (readOnly === true ? 'begin read only' : 'begin'),
    } satisfies DatabaseTarget;
  },
};

/**
 * `direct`: at most 50 connections, half of PostgreSQL's default limit of 100. `pgbouncer`: the pooler does the pooling,
 * so 5 + 10 are enough, and a wait of 10 s reports a full pooler early.
 */
const POOL_DEFAULTS: Readonly<Record<'direct' | 'pgbouncer', PoolDefaults>> = {
  direct: { size: 20, maxOverflow: 30, timeoutMs: 30_000, recycleMs: 3_600_000, prePing: true },
  pgbouncer: { size: 5, maxOverflow: 10, timeoutMs: 10_000, recycleMs: 1_800_000, prePing: true },
};

/** The place of the server by a URL; null where it does not say. `host` and `port` are those of the first of its hosts. */
export interface Server {
  readonly host: string | null;
  readonly port: number | null;
  /** Each place to try, in this order. */
  readonly places: readonly PgPlace[];
  readonly user: string | null;
  readonly password: string | null;
  readonly database: string | null;
}

/** Takes the URL apart by hand: what URL parsers make of a password with unescaped signs in it is another password. */
export function serverOf({ rest, params }: DatabaseUrl, problems: string[]): Server {
  if (!rest.startsWith('//'))
    problems.push(`write postgres://${rest === '' ? '' : 'user@'}host:5432/database`);
  const text = rest.replace(/^\/\//, '');
  const at = text.lastIndexOf('@');
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(at < 0 ? '' : text.slice(0, at)) ?? [];
  const [, place = '', database = ''] = /^([^/]*)\/?(.*)$/s.exec(text.slice(at + 1)) ?? [];
  const places = placesOf(place, params, problems);
  return {
    host: places[0]?.host ?? null,
    port: places[0]?.port ?? null,
    places,
    user: params.get('user') || decodedPart(user, 'user', problems),
    password: params.get('password') || decodedPart(password, 'password', problems),
    database: params.get('dbname') || decodedPart(database, 'database', problems),
  };
}

/** Hosts and ports as libpq pairs them: as many ports as hosts, or one for all. Parameters win. */
function placesOf(text: string, params: URLSearchParams, problems: string[]): PgPlace[] {
  const typed = text.split(',').map((one) => {
    const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*):?(.*)$/s.exec(one) ?? [];
    return { host: decodedPart(host.replace(/^\[|\]$/g, ''), 'host', problems), port };
  });
  const listOf = (name: string) => (params.get(name) || null)?.split(',') ?? null;
  const addresses = listOf('hostaddr');
  const own = listOf('host')?.map((one) => {
    // SQLAlchemy writes the port behind the host.
    const [, host = one, port = ''] = /^([^/:]+):(\d+)$/.exec(one) ?? [];
    return { host: host.replace(/^\[(.*)\]$/, '$1') || null, port };
  });
  const hosts: readonly { readonly host: string | null; readonly port: string }[] =
    own ?? (addresses !== null && text === '' ? addresses.map(() => ({ host: null, port: '' })) : typed);
  const ports = listOf('port') ?? (own === undefined ? [] : typed.map(({ port }) => port));
  // Nothing is quoted here: in a URL that is not well formed, a piece of the password may stand in any place.
  if (ports.length > 1 && ports.length !== hosts.length)
    problems.push('there must be one port, or one for each host');
  if (addresses !== null && addresses.length !== hosts.length)
    problems.push('there must be one hostaddr for each host');
  return hosts.map(({ host, port }, i) => {
    const said = port || ((ports.length > 1 ? ports[i] : ports[0]) ?? '');
    if (said !== '' && !(/^\d+$/.test(said) && Number(said) > 0 && Number(said) < 65_536)) {
      problems.push('the port must be a number from 1 to 65535');
    }
    const address = addresses?.[i] || null;
    return { host: host ?? address, port: said === '' ? null : Number(said), address };
  });
}

type Text =
  | 'sslmode'
  | 'sslrootcert'
  | 'sslcert'
  | 'sslkey'
  | 'sslpassword'
  | 'sslcrl'
  | 'sslidentity'
  | 'sslaccept'
  | 'sslnegotiation'
  | 'ssl_min_protocol_version'
  | 'ssl_max_protocol_version'
  | 'channel_binding'
  | 'require_auth'
  | 'target_session_attrs'
  | 'load_balance_hosts'
  | 'passfile'
  | 'application_name'
  | 'fallback_application_name'
  | 'options'
  | 'search_path';
type Limit = 'statement_timeout' | 'lock_timeout' | 'idle_in_transaction_session_timeout';

type Asked = { [K in Text]?: string } & { [K in Limit]?: number } & {
  pgbouncer?: boolean;
  prepareThreshold?: number;
  connectTimeoutMs?: number;
  keepAlive?: boolean;
  keepAliveIdleMs?: number;
  sni?: boolean;
  readOnly?: boolean;
};

function paramsOf(params: URLSearchParams, problems: string[]): Asked {
  const asked: Asked = {};
  for (const [name, value] of params) {
    try {
      if (!take(asked, name, value))
        problems.push(`unknown parameter '${name}'; there are ${PARAMETERS.join(', ')}`);
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return asked;
}

/** Answers whether there is such a parameter. Numbers without a unit have the one that libpq gives them. */
function take(asked: Asked, name: string, value: string): boolean {
  switch (name) {
    case 'host':
    case 'hostaddr':
    case 'port':
    case 'user':
    case 'password':
    case 'dbname':
      return true;
    case 'sslmode':
    case 'sslrootcert':
    case 'sslcert':
    case 'sslkey':
    case 'sslpassword':
    case 'sslcrl':
    case 'sslidentity':
    case 'sslaccept':
    case 'sslnegotiation':
    case 'ssl_min_protocol_version':
    case 'ssl_max_protocol_version':
    case 'channel_binding':
    case 'require_auth':
    case 'target_session_attrs':
    case 'load_balance_hosts':
    case 'passfile':
    case 'application_name':
    case 'fallback_application_name':
    case 'options':
    case 'search_path':
      asked[name] = value;
      return true;
    case 'sslsni':
      asked.sni = parseBoolean(value);
      return true;
    case 'keepalives':
      asked.keepAlive = parseBoolean(value);
      return true;
    case 'keepalives_idle':
      asked.keepAliveIdleMs = parseDuration(value, { bareUnit: 's' });
      return true;
    case 'readonly':
      asked.readOnly = parseBoolean(value);
      return true;
    case 'statement_timeout':
    case 'lock_timeout':
    case 'idle_in_transaction_session_timeout':
      asked[name] = Math.round(parseDuration(value, { bareUnit: 'ms', mostMs: 2 ** 31 - 1 }));
      return true;
    case 'connect_timeout':
      asked.connectTimeoutMs = parseDuration(value, { bareUnit: 's' });
      return true;
    case 'pgbouncer':
      asked.pgbouncer = parseBoolean(value);
      return true;
    case 'prepare_threshold':
      asked.prepareThreshold = parseCount(value);
      return true;
    default:
      return false;
  }
}

function settingsOf(
  server: Server,
  asked: Asked,
  options: DatabaseOptions,
  problems: string[],
): Omit<PgSettings, 'waitsForServer' | 'isRaw'> {
  const { password = server.password, passwordFile = asked.passfile ?? null, onNotice = null } = options;
  const { pgbouncer = asked.pgbouncer ?? false, prepareThreshold = asked.prepareThreshold ?? 0 } = options;
  if (server.password !== null && options.password !== undefined) {
    problems.push('there is a password in the URL, and another in the options');
  }
  if (!Number.isSafeInteger(prepareThreshold) || prepareThreshold < 0) {
    problems.push(`prepareThreshold must be a whole number from 0, got ${String(prepareThreshold)}`);
  }
  const visible = [server.user, server.database, ...server.places.map(({ host }) => host)];
  for (const secret of [password, asked.sslpassword]) {
    if (typeof secret === 'string') registerSecret(secret, visible);
  }
  const { statement_timeout, lock_timeout, idle_in_transaction_session_timeout, application_name } = asked;
  const session = {
    ...(statement_timeout === undefined ? {} : { statement_timeout }),
    ...(lock_timeout === undefined ? {} : { lock_timeout }),
    ...(idle_in_transaction_session_timeout === undefined ? {} : { idle_in_transaction_session_timeout }),
    ...serverOptions(asked, options.readOnly ?? asked.readOnly ?? false),
  };
  if (pgbouncer) {
    const untaken = Object.keys(session).filter(
      (name) => name !== 'options' || !ROUTES.test(session.options ?? ''),
    );
    problems.push(...untaken.map((name) => refusedByPgbouncer(name, options)));
  }
  if (pgbouncer && (options.reset === 'full' || options.reset === 'changed')) {
    problems.push(
      `reset '${options.reset}' cannot reach a server behind PgBouncer: set server_reset_query there`,
    );
  }
  const { user, database, places } = server;
  const target = oneOf(TARGETS, asked.target_session_attrs, 'target_session_attrs', problems) ?? 'any';
  return {
    ...{ user, database, places, password, passwordFile, pgbouncer, prepareThreshold, onNotice },
    target,
    isReadOnly:
      READ_ONLY_TARGETS.includes(target) || /default_transaction_read_only/.test(session.options ?? ''),
    watchesChanges: options.reset === 'changed',
    isShuffled:
      oneOf(['disable', 'random'], asked.load_balance_hosts, 'load_balance_hosts', problems) === 'random',
    attemptMs: places.length > 1 ? (asked.connectTimeoutMs ?? ATTEMPT_MS) : null,
    tls: tlsSettings(asked, problems),
    auth: authOf(asked, problems),
    keepAliveMs: asked.keepAlive === false ? null : asked.keepAliveIdleMs || KEEP_ALIVE_MS,
    applicationName: asked.fallback_application_name ?? 'poolctl',
    session: { ...session, ...(application_name === undefined ? {} : { application_name }) },
  };
}

/** A dead peer is found by the system after this long without a word, and some minutes more. */
const KEEP_ALIVE_MS = 60_000;
/** With several hosts, one that does not answer is given up after this long. */
const ATTEMPT_MS = 5000;
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const;
const TARGETS = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;
const READ_ONLY_TARGETS: readonly string[] = ['read-only', 'standby', 'prefer-standby'];
const PROTOCOLS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
const METHODS = ['password', 'md5', 'gss', 'sspi', 'scram-sha-256', 'none'];
/** Hosted poolers take such options, by which they find the server. */
const ROUTES = /^(?:endpoint|project|reference)=/;

function oneOf<T extends string>(
  values: readonly T[],
  text: string | undefined,
  name: string,
  problems: string[],
): T | null {
  const value = values.find((one) => one === text) ?? null;
  if (text !== undefined && value === null) problems.push(`${name} is one of ${values.join(', ')}`);
  return value;
}

function tlsSettings(asked: Asked, problems: string[]): TlsSettings {
  const said = oneOf(SSL_MODES, asked.sslmode, 'sslmode', problems);
  const { sslrootcert = null, sslcert = null, sslkey = null } = asked;
  const isSystem = sslrootcert === 'system';
  // Prisma's strict goes with any sslmode; libpq's system roots check the name too.
  const isFull = isSystem || (asked.sslaccept === 'strict' && said !== 'disable');
  if (isSystem && said !== null && said !== 'verify-full') {
    problems.push('sslrootcert=system goes with sslmode=verify-full only');
  }
  if ((sslcert === null) !== (sslkey === null)) problems.push('sslcert and sslkey go together');
  const isDirect =
    oneOf(['postgres', 'direct'], asked.sslnegotiation, 'sslnegotiation', problems) === 'direct';
  const mode = isFull ? 'verify-full' : said;
  const needsTls = mode !== null && !['disable', 'allow', 'prefer'].includes(mode);
  if (isDirect && !needsTls) problems.push('sslnegotiation=direct goes with sslmode=require or stricter');
  return {
    mode,
    isDirect,
    rootCert: isSystem || mode === 'no-verify' ? null : sslrootcert,
    ...{ cert: sslcert, key: sslkey, passphrase: asked.sslpassword ?? null },
    ...{ crl: asked.sslcrl ?? null, identity: asked.sslidentity ?? null, sni: asked.sni ?? true },
    minVersion: oneOf(PROTOCOLS, asked.ssl_min_protocol_version, 'ssl_min_protocol_version', problems),
    maxVersion: oneOf(PROTOCOLS, asked.ssl_max_protocol_version, 'ssl_max_protocol_version', problems),
  };
}

function authOf(asked: Asked, problems: string[]): AuthRules {
  const binding = oneOf(
    ['disable', 'prefer', 'require'] as const,
    asked.channel_binding,
    'channel_binding',
    problems,
  );
  const names = (asked.require_auth ?? '').split(',').filter((name) => name !== '');
  const isDenied = names[0]?.startsWith('!') ?? false;
  if (names.some((name) => !METHODS.includes(name.replace(/^!/, '')) || name.startsWith('!') !== isDenied)) {
    problems.push(`require_auth lists ${METHODS.join(', ')}, or each with ! in front`);
  }
  const plain = names.map((name) => name.replace(/^!/, ''));
  const methods = names.length === 0 ? null : METHODS.filter((one) => plain.includes(one) !== isDenied);
  return { channelBinding: binding ?? 'disable', methods };
}

function serverOptions({ options, search_path }: Asked, readOnly: boolean): { options?: string } {
  const all = [
    options,
    search_path === undefined ? undefined : `-c search_path=${search_path.replace(/[\\\s]/g, '\\$&')}`,
    readOnly ? '-c default_transaction_read_only=on' : undefined,
  ]
    .filter(Boolean)
    .join(' ');
  return all === '' ? {} : { options: all };
}

function refusedByPgbouncer(name: string, { readOnly }: DatabaseOptions): string {
  const what = name === 'options' && readOnly === true ? 'readOnly' : name;
  return `PgBouncer takes no ${what}: set it on the role, with ALTER ROLE ... SET`;
}

/** As it is shown; what the environment will fill in is left out. */
function labelOf({ places, user, database }: Pick<PgSettings, 'places' | 'user' | 'database'>): string {
  const shown = places.map(({ host, port }) => {
    const place = host?.includes(':') && !host.startsWith('/') ? `[${host}]` : (host ?? '');
    return `${place}${port === null ? '' : `:${port}`}`;
  });
  return `postgres://${user === null ? '' : `${user}@`}${shown.join(',')}/${database ?? ''}`;
}

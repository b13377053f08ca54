import { parseBoolean, parseCount, parseDuration } from '../../base/units.js';
import type {
  DatabaseDriver,
  DatabaseOptions,
  DatabaseTarget,
  DatabaseUrl,
  PoolDefaults,
} from '../connection.js';
import { isConnectionLost } from '../errors.js';
import type { PgSettings } from './pg-connection.js';

/**
 * PostgreSQL, through `pg`: `postgres://user:password@host:5432/database`, each part of it percent-encoded where it
 * has signs of its own, and left out where the environment (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE) or the
 * password file has it. A Unix socket is `?host=/var/run/postgresql`, its folder.
 *
 * Parameters, named as in libpq: `sslmode=disable|prefer|require|verify-ca|verify-full` (default: PGSSLMODE, else
 * disable), `sslrootcert`, `sslcert`, `sslkey` (files), `application_name`, `connect_timeout` (seconds, or `5s`),
 * `statement_timeout`, `lock_timeout`, `idle_in_transaction_session_timeout` (milliseconds, or `5s`), `options`; and
 * `pgbouncer=true`, `prepare_threshold=5`, as in the options of those names.
 */
export const pgDriver: DatabaseDriver = {
  dialect: 'postgresql',
  options: ['readOnly', 'password', 'passwordFile', 'pgbouncer', 'prepareThreshold', 'onNotice'],
  configure(url, options, problems) {
    const server = serverOf(url, problems);
    // What follows the question mark may then be a piece of the password, which must not be shown.
    const asked = hasLostPassword(url, problems) ? {} : paramsOf(url.params, problems);
    const settings = settingsOf(server, asked, options, problems);
    return {
      label: labelOf(settings),
      poolDefaults: {
        ...(settings.pgbouncer ? POOL_DEFAULTS.pgbouncer : POOL_DEFAULTS.direct),
        ...(asked.connectTimeoutMs === undefined ? {} : { createTimeoutMs: asked.connectTimeoutMs }),
      },
      async connect(signal) {
        const { connectPg } = await import('./pg-connection.js');
        return connectPg(settings, signal);
      },
      isDisconnect: isConnectionLost,
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

/** What a URL says of where the server is; null where it does not. */
export type Server = Pick<PgSettings, 'host' | 'port' | 'user' | 'database'> & {
  readonly password: string | null;
};

/** Takes the URL apart by hand: what URL parsers make of a password with unescaped signs in it is another password. */
export function serverOf({ rest, params }: DatabaseUrl, problems: string[]): Server {
  if (!rest.startsWith('//')) problems.push('write postgres://user@host:5432/database');
  const text = rest.slice(2);
  const at = text.lastIndexOf('@');
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(at < 0 ? '' : text.slice(0, at)) ?? [];
  const [, place = '', database = ''] = /^([^/]*)\/?(.*)$/s.exec(text.slice(at + 1)) ?? [];
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*):?(.*)$/s.exec(place) ?? [];
  // Nothing is quoted here: in a URL that is not well formed, a piece of the password may stand in any place.
  if (host.includes(',')) problems.push('several hosts in one URL are not supported');
  if (port !== '' && !(/^\d+$/.test(port) && Number(port) > 0 && Number(port) < 65_536)) {
    problems.push('the port must be a number from 1 to 65535');
  }
  return {
    host: params.get('host') || decoded(host.replace(/^\[|\]$/g, ''), 'host', problems),
    port: port === '' ? null : Number(port),
    user: decoded(user, 'user', problems),
    password: params.get('password') || decoded(password, 'password', problems),
    database: decoded(database, 'database', problems),
  };
}

function hasLostPassword({ rest, params }: DatabaseUrl, problems: string[]): boolean {
  const isLost =
    !rest.includes('@') &&
    [...params].some(([name, value]) => !PARAMETERS.includes(name) && `${name}${value}`.includes('@'));
  if (isLost) problems.push('a ? in the password must be written %3F');
  return isLost;
}

function decoded(text: string, what: string, problems: string[]): string | null {
  try {
    const value = decodeURIComponent(text);
    if (value.includes('\0')) problems.push(`the ${what} holds a zero byte`);
    return value === '' ? null : value;
  } catch {
    problems.push(`the ${what} has a % that begins no percent-encoding; write %25 for a plain one`);
    return null;
  }
}

type Text = 'sslmode' | 'sslrootcert' | 'sslcert' | 'sslkey' | 'application_name' | 'options';
type Limit = 'statement_timeout' | 'lock_timeout' | 'idle_in_transaction_session_timeout';

type Asked = { [K in Text]?: string } & { [K in Limit]?: number } & {
  pgbouncer?: boolean;
  prepareThreshold?: number;
  connectTimeoutMs?: number;
};

const PARAMETERS = [
  ...['host', 'password', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'application_name'],
  ...['connect_timeout', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'],
  ...['options', 'pgbouncer', 'prepare_threshold'],
];

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
    case 'password':
      return true;
    case 'sslmode':
    case 'sslrootcert':
    case 'sslcert':
    case 'sslkey':
    case 'application_name':
    case 'options':
      asked[name] = value;
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

function settingsOf(server: Server, asked: Asked, options: DatabaseOptions, problems: string[]): PgSettings {
  const { password = server.password, passwordFile = null, onNotice = null } = options;
  const { pgbouncer = asked.pgbouncer ?? false, prepareThreshold = asked.prepareThreshold ?? 0 } = options;
  const { sslmode, sslrootcert, sslcert, sslkey, application_name, ...rest } = asked;
  const mode = SSL_MODES.find((one) => one === sslmode) ?? null;
  if (sslmode !== undefined && mode === null) problems.push(`sslmode is one of ${SSL_MODES.join(', ')}`);
  if ((sslcert === undefined) !== (sslkey === undefined)) problems.push('sslcert and sslkey go together');
  if (server.password !== null && options.password !== undefined) {
    problems.push('there is a password in the URL, and another in the options');
  }
  if (!Number.isSafeInteger(prepareThreshold) || prepareThreshold < 0) {
    problems.push(`prepareThreshold must be a whole number from 0, got ${String(prepareThreshold)}`);
  }
  const { statement_timeout, lock_timeout, idle_in_transaction_session_timeout } = rest;
  const session = {
    ...(statement_timeout === undefined ? {} : { statement_timeout }),
    ...(lock_timeout === undefined ? {} : { lock_timeout }),
    ...(idle_in_transaction_session_timeout === undefined ? {} : { idle_in_transaction_session_timeout }),
    ...serverOptions(rest.options, options.readOnly ?? false),
  };
  if (pgbouncer) problems.push(...Object.keys(session).map((name) => refusedByPgbouncer(name, options)));
  return {
    ...server,
    ...{ password, passwordFile, pgbouncer, prepareThreshold, onNotice },
    tls: { mode, rootCert: sslrootcert ?? null, cert: sslcert ?? null, key: sslkey ?? null },
    session: { ...session, ...(application_name === undefined ? {} : { application_name }) },
  };
}

const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

function serverOptions(asked: string | undefined, readOnly: boolean): { options?: string } {
  const options = [asked, readOnly ? '-c default_transaction_read_only=on' : undefined]
    .filter(Boolean)
    .join(' ');
  return options === '' ? {} : { options };
}

function refusedByPgbouncer(name: string, { readOnly }: DatabaseOptions): string {
  const what = name === 'options' && readOnly === true ? 'readOnly' : name;
  return `PgBouncer takes no ${what}: set it on the role, with ALTER ROLE ... SET`;
}

/** As it is shown; what the environment will fill in is left out. */
function labelOf({ host, port, user, database }: PgSettings): string {
  const place = host?.includes(':') ? `[${host}]` : (host ?? '');
  return `postgres://${user === null ? '' : `${user}@`}${place}${port === null ? '' : `:${port}`}/${database ?? ''}`;
}

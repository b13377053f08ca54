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
import { isMysqlFull } from './mysql-capacity.js';
import type { MysqlSettings } from './mysql-connection.js';
import type { MysqlPlace, MysqlTlsMode, MysqlTlsSettings } from './mysql-open.js';
import { PARAMETERS } from './mysql-url.js';
import { decodedPart } from './url-parts.js';

/**
 * MySQL and MariaDB, through `mysql2`: `mysql://user:password@host:3306/database`, each part of it percent-encoded where
 * it has signs of its own. A Unix socket is `?socket=/run/mysqld/mysqld.sock`.
 *
 * `mysql-url.ts` translates the other forms and parameters. `ssl-mode` is by default `PREFERRED`.
 */
export const mysqlDriver: DatabaseDriver = {
  dialect: 'mysql',
  options: ['readOnly', 'password', 'prepareThreshold'],
  configure(url, options, problems) {
    problems.push(...(url.problems ?? []));
    const settings = mysqlSettings(url, options, problems);
    const connectTimeout = url.params.get('connect-timeout');
    const createTimeoutMs =
      connectTimeout === null ? null : durationOf('connect-timeout', connectTimeout, problems);
    return {
      label: labelOf(settings),
      poolDefaults: {
        ...POOL_DEFAULTS,
        ...(createTimeoutMs === null ? {} : { createTimeoutMs: createTimeoutMs * settings.places.length }),
      },
      async connect(signal) {
        const { connectMysql } = await import('./mysql-connection.js');
        return connectMysql(settings, signal);
      },
      isDisconnect: isConnectionLost,
      isFull: isMysqlFull,
      begin: ({ readOnly }) => (readOnly === true ? 'start transaction read only' : 'start transaction'),
    } satisfies DatabaseTarget;
  },
};

/** At most 50 connections, a third of MySQL's default limit of 151. */
const POOL_DEFAULTS: PoolDefaults = {
  size: 20,
  maxOverflow: 30,
  timeoutMs: 30_000,
  recycleMs: 3_600_000,
  prePing: true,
};
/** A dead peer is found by the system after this long without a word, and some minutes more. */
const KEEP_ALIVE_MS = 60_000;
/** With several hosts, one that does not answer is given up after this long. */
const ATTEMPT_MS = 5000;

/** The place of the server by a URL; null where it does not say. */
export interface MysqlServer {
  readonly places: readonly MysqlPlace[];
  readonly socket: string | null;
  readonly user: string | null;
  readonly password: string | null;
  readonly database: string | null;
}

/** Takes the URL apart by hand: what URL parsers make of a password with unescaped signs in it is another password. */
export function mysqlServerOf({ rest, params }: DatabaseUrl, problems: string[]): MysqlServer {
  if (!rest.startsWith('//')) {
    problems.push(`write mysql://${rest === '' ? '' : 'user@'}host:3306/database`);
  }
  const text = rest.replace(/^\/\//, '');
  const at = text.lastIndexOf('@');
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(at < 0 ? '' : text.slice(0, at)) ?? [];
  const [, place = '', database = ''] = /^([^/]*)\/?(.*)$/s.exec(text.slice(at + 1)) ?? [];
  if (/^address=|^\(/i.test(place)) problems.push('write hosts as host:port, separated by commas');
  const hosts = params.get('host');
  const places = (hosts || place).split(',').map((one) => placeOf(one, params.get('port'), problems));
  const path = params.get('socket') || (places[0]?.host?.startsWith('/') === true ? places[0].host : null);
  return {
    places,
    socket: path,
    user: params.get('user') || decodedPart(user, 'user', problems),
    password: params.get('password') || decodedPart(password, 'password', problems),
    database: params.get('database') || decodedPart(database, 'database', problems),
  };
}

function placeOf(text: string, given: string | null, problems: string[]): MysqlPlace {
  const [, host = '', typed = ''] = /^(\[[^\]]*\]|[^:]*):?(.*)$/s.exec(text) ?? [];
  const port = typed || given || '';
  // Nothing is quoted here: in a URL that is not well formed, a piece of the password may stand in any place.
  if (port !== '' && !(/^\d+$/.test(port) && Number(port) > 0 && Number(port) < 65_536)) {
    problems.push('the port must be a number from 1 to 65535');
  }
  return {
    host: decodedPart(host.replace(/^\[|\]$/g, ''), 'host', problems),
    port: port === '' ? null : Number(port),
  };
}

function mysqlSettings(url: DatabaseUrl, options: DatabaseOptions, problems: string[]): MysqlSettings {
  const { params } = url;
  for (const name of params.keys()) {
    if (!(PARAMETERS as readonly string[]).includes(name)) {
      problems.push(`unknown parameter '${name}'; there are ${PARAMETERS.join(', ')}`);
    }
  }
  const server = mysqlServerOf(url, problems);
  const read = <T>(name: string, parse: (text: string) => T): T | null => {
    const text = params.get(name);
    if (text === null) return null;
    try {
      return parse(text);
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  };
  const { password = server.password } = options;
  if (server.password !== null && options.password !== undefined) {
    problems.push('there is a password in the URL, and another in the options');
  }
  const prepareThreshold = options.prepareThreshold ?? read('prepare-threshold', parseCount) ?? 0;
  if (!Number.isSafeInteger(prepareThreshold) || prepareThreshold < 0) {
    problems.push(`prepareThreshold must be a whole number from 0, got ${String(prepareThreshold)}`);
  }
  const tls = tlsSettings(params, problems);
  const visible = [server.user, server.database, ...server.places.map(({ host }) => host)];
  for (const secret of [password, tls.passphrase]) {
    if (typeof secret === 'string') registerSecret(secret, visible);
  }
  const allowsCleartext = read('cleartext', parseBoolean) ?? false;
  if (allowsCleartext && !['REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'].includes(tls.mode)) {
    problems.push('a password in clear text needs TLS: add ssl-mode=VERIFY_IDENTITY');
  }
  const ms = (text: string) => parseDuration(text, { bareUnit: 'ms', mostMs: 2 ** 31 - 1 });
  return {
    ...{
      places: server.places,
      socket: server.socket,
      user: server.user,
      password,
      database: server.database,
    },
    attemptMs: server.places.length > 1 ? (read('connect-timeout', ms) ?? ATTEMPT_MS) : null,
    tls,
    charset: params.get('charset'),
    timezone: read('timezone', zoneOf) ?? 'local',
    keepAliveMs: read('keep-alive', parseBoolean) === false ? null : KEEP_ALIVE_MS,
    programName: params.get('program-name') ?? 'poolctl',
    allowsCleartext,
    readOnly: options.readOnly ?? read('readonly', parseBoolean) ?? false,
    session: {
      statementTimeoutMs: read('statement-timeout', ms),
      lockTimeoutMs: read('lock-timeout', ms),
      variables: params.get('session-variables'),
    },
    prepareThreshold,
  };
}

function durationOf(name: string, text: string, problems: string[]): number | null {
  try {
    return parseDuration(text, { bareUnit: 's' });
  } catch (error) {
    problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** Names of zones are the server's affair; a Date is written in an offset. */
function zoneOf(text: string): string {
  const offset = text.trim().replace(/^(?=\d\d:)/, '+');
  if (/^(?:utc|gmt|z|etc\/utc)$/i.test(offset)) return 'Z';
  if (/^(?:local|system|server)$/i.test(offset)) return 'local';
  if (/^[+-]\d\d:?\d\d$/.test(offset)) return offset;
  throw new Error('it is local, Z, or an offset such as +02:00');
}

const MODES: readonly MysqlTlsMode[] = ['DISABLED', 'PREFERRED', 'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'];
const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;

function tlsSettings(params: URLSearchParams, problems: string[]): MysqlTlsSettings {
  const said = params.get('ssl-mode');
  const found = MODES.find((one) => one === said) ?? null;
  const [ca, cert, key] = [params.get('ssl-ca'), params.get('ssl-cert'), params.get('ssl-key')];
  if ((cert === null) !== (key === null)) problems.push('ssl-cert and ssl-key go together');
  const versions = (params.get('tls-version') ?? '').split(',').filter((one) => one !== '');
  const known = VERSIONS.filter((one) => versions.includes(one));
  if (known.length !== versions.length) problems.push(`tls-version lists ${VERSIONS.join(', ')}`);
  return {
    // A certificate authority is given to be checked, as with the client of MySQL.
    mode: found ?? (ca === null ? 'PREFERRED' : 'VERIFY_CA'),
    ...{ ca, cert, key, passphrase: params.get('ssl-passphrase') },
    minVersion: known[0] ?? null,
    maxVersion: known.at(-1) ?? null,
  };
}

/** As it is shown. */
function labelOf({ places, socket, user, database }: MysqlSettings): string {
  const shown = places.map(({ host, port }) => {
    const place = host?.includes(':') === true ? `[${host}]` : (host ?? 'localhost');
    return `${place}${port === null ? '' : `:${port}`}`;
  });
  const where = socket === null ? shown.join(',') : '';
  const tail = socket === null ? '' : `?socket=${socket}`;
  return `mysql://${user === null ? '' : `${user}@`}${where}/${database ?? ''}${tail}`;
}

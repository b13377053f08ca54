import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { percentDecoded, percentEncoded } from '../base/percent.js';
import { registerSecret } from '../base/secrets.js';
import { parseBoolean, ValueError } from '../base/units.js';
import type { DatabaseOptions } from './connection.js';
import { cutUrl } from './cut-url.js';
import { pgDriver, serverOf } from './drivers/pg.js';

/** How to reach a PostgreSQL server, as the URL and the environment say. */
export interface PostgresPlace {
  /** Complete, but for the password: it names the host, and where the environment has them port, user and database. */
  readonly url: string;
  /** A name, an address, or the folder of a Unix socket: the first, if there are several. */
  readonly host: string;
  /** null: the driver looks into the password file, if the server asks for one. */
  readonly password: string | null;
  /** null: `~/.pgpass`. */
  readonly passwordFile: string | null;
}

/** The same, with how to connect. */
export interface PostgresAccess extends PostgresPlace {
  /** A pooler in transaction mode is between. */
  readonly pgbouncer: boolean;
  /** null: as the URL says, else the driver's default. */
  readonly prepareThreshold: number | null;
  readonly connectTimeoutMs: number | null;
}

/** Throws a ValueError that names everything that is wrong with the URL; its password is in none of it. */
export function checkPostgresUrl(url: string): void {
  const problems: string[] = [];
  const parts = cutUrl(url);
  if (parts === null) throw new ValueError('it is no URL; write postgres://user@host:5432/database');
  pgDriver.configure(parts, {}, problems);
  if (problems.length > 0) throw new ValueError(problems.join('; '));
}

/** One line that names the parameters of these addresses that have no effect; null where there are none. */
export function ignoredRemark(addresses: readonly string[]): string | null {
  const names = [...new Set(addresses.flatMap((address) => cutUrl(address)?.ignored ?? []))];
  if (names.length === 0) return null;
  const own = names.some((name) => /pool|limit|max/i.test(name))
    ? '; poolctl sizes pools with --pool-size'
    : '';
  return `ignored URL ${names.length === 1 ? 'parameter' : 'parameters'} ${names.join(', ')}${own}`;
}

/** Whether the URL itself names a pooler; null where it says nothing. */
export function saysPgbouncer(url: string): boolean | null {
  const said = cutUrl(url)?.params.get('pgbouncer') ?? null;
  return said === null ? null : parseBoolean(said);
}

/**
 * Fills a URL up from the environment, as libpq does: what `pg` would look up later must be known before, to judge
 * where the load would go. The URL must have been checked.
 */
export function locatePostgres(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
): PostgresPlace {
  const parts = cutUrl(url);
  if (parts === null) throw new ValueError('it is no URL');
  const server = serverOf(parts, []);
  // An empty variable is what `PGHOST= cmd` writes for "not set".
  const from = (name: string) => env[name] || null;
  const own = server.host === null ? (from('PGHOST') ?? 'localhost').split(',') : [];
  const ports = (from('PGPORT') ?? '').split(',');
  const places = (
    own.length > 1 ? own.map(() => ({ host: null, port: server.port, address: null })) : server.places
  ).map(({ host, port, address }, i) => ({
    host: host ?? own[i] ?? own[0] ?? 'localhost',
    port: port ?? (ports[i] || ports[0] || null),
    address,
  }));
  const user = server.user ?? from('PGUSER') ?? from('USER') ?? from('USERNAME');
  const database = server.database ?? from('PGDATABASE') ?? user;
  const params = new URLSearchParams(parts.params);
  for (const name of ['password', 'host', 'port', 'user', 'dbname']) params.delete(name);
  for (const [name, variable] of FROM_ENVIRONMENT) {
    const value = from(variable);
    if (value !== null && !params.has(name)) params.set(name, value);
  }
  // A folder has signs in it that no host in a URL may have.
  const hasFolder = places.some(({ host }) => host.startsWith('/'));
  if (hasFolder) {
    params.set('host', places.map(({ host }) => host).join(','));
    if (places.length > 1) params.set('port', places.map(({ port }) => port ?? '5432').join(','));
  }
  const authority = places.map(({ host, port }) => {
    const name = host.startsWith('/') ? '' : host.includes(':') ? `[${host}]` : percentEncoded(host);
    return `${name}${port === null ? '' : `:${port}`}`;
  });
  const where = hasFolder && places.length > 1 ? '' : authority.join(',');
  const who = user === null ? '' : `${percentEncoded(user)}@`;
  const query = params.size === 0 ? '' : `?${params}`;
  const complete = `postgres://${who}${where}/${percentEncoded(database ?? '')}${query}`;
  // Values from the environment have not been checked yet.
  checkPostgresUrl(complete);
  const password = server.password ?? from('PGPASSWORD');
  const hosts = places.map(({ host, address }) => address ?? host);
  if (password !== null) registerSecret(password, [user, database, ...hosts]);
  return {
    url: complete,
    host: hosts[0] ?? 'localhost',
    password,
    passwordFile: parts.params.get('passfile') ?? from('PGPASSFILE'),
  };
}

/** Every host that a complete URL may connect to: its addresses, where it has those instead of names. */
export function hostsOf(url: string): readonly string[] {
  const parts = cutUrl(url);
  const places = parts === null ? [] : serverOf(parts, []).places;
  return places.map(({ host, address }) => address ?? host ?? 'localhost');
}

/** Settings of the connection that libpq takes from the environment; the rest is looked up by name. */
const FROM_ENVIRONMENT = [
  ['sslmode', 'PGSSLMODE'],
  ['sslrootcert', 'PGSSLROOTCERT'],
  ['sslcert', 'PGSSLCERT'],
  ['sslkey', 'PGSSLKEY'],
  ['channel_binding', 'PGCHANNELBINDING'],
  ['require_auth', 'PGREQUIREAUTH'],
  ['target_session_attrs', 'PGTARGETSESSIONATTRS'],
  ['load_balance_hosts', 'PGLOADBALANCEHOSTS'],
] as const;

/**
 * The same server for poolctl's own questions: without the timeouts that the load is to have, and, for another
 * database of it, without settings that are only for the first.
 */
export function serverUrl(url: string, database?: string): string {
  const [before = '', query = ''] = url.split('?');
  const params = new URLSearchParams(query);
  const dropped =
    database === undefined ? TIME_OUTS : [...TIME_OUTS, 'options', 'search_path', 'target_session_attrs'];
  for (const name of dropped) params.delete(name);
  const name = database === undefined ? before : `${before.slice(0, before.lastIndexOf('/'))}/${database}`;
  return params.size === 0 ? name : `${name}?${params}`;
}

const TIME_OUTS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];

/** As the URL names it: a pooler may know it by another name than the server. */
export function databaseOf(url: string): string {
  const [path = ''] = url.split('?');
  return percentDecoded(path.slice(path.lastIndexOf('/') + 1));
}

/** The options with which a database at that place is made. */
export function accessOptions({
  password,
  passwordFile,
  pgbouncer,
  prepareThreshold,
  connectTimeoutMs,
}: PostgresAccess): DatabaseOptions {
  return {
    ...(password === null ? {} : { password }),
    ...(passwordFile === null ? {} : { passwordFile }),
    pgbouncer,
    ...(prepareThreshold === null ? {} : { prepareThreshold }),
    ...(connectTimeoutMs === null ? {} : { createTimeoutMs: connectTimeoutMs }),
  };
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Whether what is sent there stays on this machine: a Unix socket, a loopback address, or a name of which every
 * address is one. Rejects with the system's error if a name is not known.
 */
export async function isLoopback(host: string): Promise<boolean> {
  if (host.startsWith('/')) return true;
  if (isIP(host) !== 0) return isLoopbackAddress(host, isIP(host));
  const addresses = await lookup(host, { all: true });
  return addresses.every(({ address, family }) => isLoopbackAddress(address, family));
}

function isLoopbackAddress(address: string, family: number): boolean {
  return LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

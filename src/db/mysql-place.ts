import { registerSecret } from '../base/secrets.js';
import { ValueError } from '../base/units.js';
import type { DatabaseOptions } from './connection.js';
import { cutUrl } from './cut-url.js';
import { mysqlDriver, mysqlServerOf } from './drivers/mysql.js';

/** How to reach a MySQL or MariaDB server, as the URL and the environment say. */
export interface MysqlLocation {
  /** Complete, but for the password. */
  readonly url: string;
  /** Every host that it may connect to; of a Unix socket its path. */
  readonly hosts: readonly string[];
  readonly database: string | null;
  readonly password: string | null;
}

/** The same, with how to connect. */
export interface MysqlPlaceAccess extends MysqlLocation {
  /** null: as the URL says, else the driver's default. */
  readonly prepareThreshold: number | null;
  readonly connectTimeoutMs: number | null;
}

/** Throws a ValueError that names everything that is wrong with the URL; its password is in none of it. */
export function checkMysqlUrl(url: string): void {
  const problems: string[] = [];
  const parts = cutUrl(url);
  if (parts?.scheme !== 'mysql') throw new ValueError('it is no URL; write mysql://user@host:3306/database');
  mysqlDriver.configure(parts, {}, problems);
  if (problems.length > 0) throw new ValueError(problems.join('; '));
}

/** Fills a URL up from the environment, as the client of MySQL does. The URL must have been checked. */
export function locateMysql(url: string, env: Readonly<Record<string, string | undefined>>): MysqlLocation {
  const parts = cutUrl(url);
  if (parts === null) throw new ValueError('it is no URL');
  const server = mysqlServerOf(parts, []);
  const from = (name: string) => env[name] || null;
  const user = server.user ?? from('USER') ?? from('USERNAME');
  const places = server.places.map(({ host, port }) => ({
    host: host ?? from('MYSQL_HOST') ?? 'localhost',
    port: port ?? from('MYSQL_TCP_PORT'),
  }));
  const params = new URLSearchParams(parts.params);
  for (const name of ['password', 'host', 'port', 'user', 'database']) params.delete(name);
  if (server.socket !== null) params.set('socket', server.socket);
  const authority = places.map(({ host, port }) => {
    const name = host.includes(':') ? `[${host}]` : encodeURIComponent(host);
    return `${name}${port === null ? '' : `:${port}`}`;
  });
  const who = user === null ? '' : `${encodeURIComponent(user)}@`;
  const where = server.socket === null ? authority.join(',') : '';
  const query = params.size === 0 ? '' : `?${params}`;
  const complete = `mysql://${who}${where}/${encodeURIComponent(server.database ?? '')}${query}`;
  // Values from the environment have not been checked yet.
  checkMysqlUrl(complete);
  const password = server.password ?? from('MYSQL_PWD');
  const hosts = server.socket === null ? places.map(({ host }) => host) : [server.socket];
  if (password !== null) registerSecret(password, [user, server.database, ...hosts]);
  return { url: complete, hosts, database: server.database, password };
}

/** The same server for poolctl's own questions: without the limits that the load is to have. */
export function mysqlServerUrl(url: string): string {
  const [before = '', query = ''] = url.split('?');
  const params = new URLSearchParams(query);
  for (const name of ['statement-timeout', 'lock-timeout', 'session-variables', 'readonly'])
    params.delete(name);
  return params.size === 0 ? before : `${before}?${params}`;
}

/** The options with which a database at that place is made. */
export function mysqlOptions(access: MysqlPlaceAccess): DatabaseOptions {
  const { password, prepareThreshold, connectTimeoutMs } = access;
  return {
    ...(password === null ? {} : { password }),
    ...(prepareThreshold === null ? {} : { prepareThreshold }),
    ...(connectTimeoutMs === null ? {} : { createTimeoutMs: connectTimeoutMs }),
  };
}

import { known, knownOrNull } from './outcome.js';
import type { ConsoleRow, PgBouncerTarget, PostgresTarget } from './types.js';
import { Unknowable } from './unknowable.js';

/** A setting of PgBouncer as SHOW CONFIG has it. Throws an Unknowable where this version has none of that name. */
export function configText(target: PgBouncerTarget, key: string): string {
  const found = known(target.config).get(key);
  if (found === undefined) throw new Unknowable(`PgBouncer ${target.version} has no ${key}`);
  return found;
}

export function configNumber(target: PgBouncerTarget, key: string): number {
  const value = Number(configText(target, key));
  if (!Number.isFinite(value)) throw new Unknowable(`${key} of PgBouncer is no number`);
  return value;
}

/** Seconds in its file, milliseconds here. */
export function configMs(target: PgBouncerTarget, key: string): number {
  return configNumber(target, key) * 1000;
}

export function configLine(target: PgBouncerTarget, key: string): string {
  return `${key} = ${configText(target, key)}`.trimEnd();
}

export function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}

/** Figures come as numbers or as text; what is none, or not there, is 0. */
export function figureOf(value: unknown): number {
  const figure = Number(value ?? 0);
  return Number.isFinite(figure) ? figure : 0;
}

/** One database of PgBouncer's, and what it may come to. */
export interface PooledDatabase {
  readonly name: string;
  /** null over a Unix socket. */
  readonly host: string | null;
  readonly port: number;
  readonly mode: string;
  /** Servers for each user. */
  readonly size: number;
  /** And so many more, where clients wait. */
  readonly reserve: number;
  /** The users that may have a pool here: one, if the database has its own user. */
  readonly users: number;
  /** max_db_connections: of all users together; null for no limit. */
  readonly cap: number | null;
  /** The most servers that it can have; Infinity is not possible, since users are counted. */
  readonly most: number;
}

/** The databases with their users, by all that PgBouncer knows of now: those of `*` and of auth_query come later. */
export function pooledDatabases(target: PgBouncerTarget): readonly PooledDatabase[] {
  const mode = knownOrNull(target.config)?.get('pool_mode') ?? '';
  const users = usersOf(target);
  const perUser = Number(knownOrNull(target.config)?.get('max_user_connections') ?? 0);
  return known(target.databases).map((row) => {
    const isForced = textOf(row.force_user) !== '';
    const size = figureOf(row.pool_size);
    const reserve = figureOf(row.reserve_pool_size ?? row.reserve_pool);
    const cap = figureOf(row.max_connections) || null;
    const each = perUser > 0 ? Math.min(size + reserve, perUser) : size + reserve;
    const count = isForced ? 1 : Math.max(1, users(textOf(row.name)));
    return {
      ...{ name: textOf(row.name), size, reserve, cap, users: count },
      host: textOf(row.host) || null,
      port: figureOf(row.port),
      mode: textOf(row.pool_mode) || mode,
      most: Math.min(each * count, cap ?? Number.POSITIVE_INFINITY),
    };
  });
}

/**
 * How many users a database may have: all that PgBouncer knows, but for those who only watch it, unless they have been
 * seen in that database. Administrators count: often the application is one.
 */
function usersOf(target: PgBouncerTarget): (database: string) => number {
  const watchers = (knownOrNull(target.config)?.get('stats_users') ?? '').split(/[,\s]+/);
  const listed = known(target.users)
    .map(({ name }) => textOf(name))
    .filter((name) => name !== '' && name !== 'pgbouncer' && !watchers.includes(name));
  const pools = known(target.pools);
  return (database) => {
    const seen = pools.filter((row) => textOf(row.database) === database).map(({ user }) => textOf(user));
    return new Set([...listed, ...seen]).size;
  };
}

/** How a pool is written in evidence: `shop: (25 + 5) x 3 users, at most 50`. */
export function databaseText({ name, size, reserve, users, cap, most }: PooledDatabase): string {
  const each = reserve > 0 ? `(${size} + ${reserve})` : String(size);
  const limit = cap === null ? '' : `, at most ${cap} by max_db_connections`;
  return `database ${name}: ${each} x ${users} ${users === 1 ? 'user' : 'users'}${limit} = ${most}`;
}

const MOST_SHOWN = 10;

/** The largest of them, and what the others come to. */
export function databaseTexts(databases: readonly PooledDatabase[]): readonly string[] {
  if (databases.length <= MOST_SHOWN) return databases.map(databaseText);
  const sorted = [...databases].sort((a, b) => b.most - a.most);
  const rest = sorted.slice(MOST_SHOWN);
  const sum = rest.reduce((all, { most }) => all + most, 0);
  return [...sorted.slice(0, MOST_SHOWN).map(databaseText), `${rest.length} further databases: ${sum}`];
}

/** With so_reuseport other processes may listen on the same port, each with pools of its own. */
export function sharesPort(target: PgBouncerTarget): readonly string[] {
  return knownOrNull(target.config)?.get('so_reuseport') === '1'
    ? ['so_reuseport = 1: each further process on this port may have as many again']
    : [];
}

/** Whether a database of a pooler is on that server: by host and port, or since a connection of its is seen there. */
export function isOn(
  server: PostgresTarget,
  pooler: PgBouncerTarget,
  database: Pick<PooledDatabase, 'name' | 'host' | 'port'>,
): boolean {
  const samePort = database.port === server.port || database.port === server.ownPort;
  const bothHere = isLocal(database.host) && isLocal(server.host);
  if (samePort && (bothHere || database.host === server.host || database.host === server.address))
    return true;
  const backends = knownOrNull(server.reading)?.backends ?? [];
  return (knownOrNull(pooler.servers) ?? []).some(
    (row: ConsoleRow) =>
      textOf(row.database) === database.name &&
      backends.some(
        ({ pid, clientPort }) =>
          pid === figureOf(row.remote_pid) && clientPort !== null && clientPort === figureOf(row.local_port),
      ),
  );
}

/** Whether a published pool is one for PostgreSQL, by its driver: node-postgres, or ours. */
export function speaksPostgres(driver: string): boolean {
  return driver === 'pg' || driver === 'postgresql';
}

/** A Unix socket, or the loopback. */
export function isLocal(host: string | null): boolean {
  return host === null || host.startsWith('/') || /^(localhost|127\.[\d.]+|::1)$/.test(host);
}

/** `1.18.0` as figures to compare; null for what is no version. */
export function versionNumbers(version: string): readonly [number, number, number] | null {
  const [, major, minor, patch = '0'] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  return major === undefined || minor === undefined ? null : [Number(major), Number(minor), Number(patch)];
}

/** Negative where the first is older. Throws an Unknowable for what is no version. */
export function compareVersions(version: string, other: string): number {
  const [a, b] = [versionNumbers(version), versionNumbers(other)];
  if (a === null || b === null)
    throw new Unknowable(`'${a === null ? version : other}' is no version that is known`);
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

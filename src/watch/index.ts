import { parseToken } from '../base/token.js';
import type { WatchedSnapshot } from '../snapshot/pool.js';
import type { LeaseBookOptions } from './lease-book.js';
import { processWatcher } from './process-watcher.js';
import type { Published } from './publish.js';
import { publishProcess } from './publish-process.js';

export type { HistogramSnapshot } from '../base/histogram.js';
export type { PoolSetup, WatchedHolder, WatchedSnapshot } from '../snapshot/pool.js';
export type { App } from '../snapshot/reading.js';
export { getPoolStats, type PoolStats, type PoolWithSnapshot } from './pool-stats.js';
export type { Hello, PublishedPools } from './protocol.js';
export type { Published } from './publish.js';

export interface WatchOptions extends LeaseBookOptions {
  /** Name in snapshots. Default: the address and database of its connections. */
  readonly name?: string;
}

/** A pool that is watched, or several of one DataSource. */
export interface Watched {
  /** How they are doing now. Leases taken before they were watched are in use, but not among the holders. */
  snapshots(): readonly WatchedSnapshot[];
}

/**
 * Watches a pool from now on: pg.Pool, a pool of mysql2, tarn, generic-pool, sequelize-pool, and what has such a one
 * (knex, a TypeORM DataSource, Sequelize), our own, and anything whose `snapshot()` answers with a WatchedSnapshot, as
 * those of feeds and of HTTP do. The pool works as before. Throws a TypeError where it is none of them.
 */
export function watch(pool: object, { name, ...options }: WatchOptions = {}): Watched {
  const watched = processWatcher().add(pool, name ?? null, options);
  if (watched.length === 0) throw new TypeError('watch() does not know this kind of pool');
  return { snapshots: () => watched.map((one) => one.snapshot()) };
}

export interface PublishWatchedOptions {
  /** Name of the application. Default: the name of its package, or its script. */
  readonly name?: string;
  /** A port of this machine, in place of a socket in the user's own folder. */
  readonly port?: number;
  /**
   * The token that readers of the port must know: 16 or more characters. Default: the environment variable
   * POOLCTL_TOKEN, else a random one. Readers of the same user find it by themselves.
   */
  readonly token?: string;
}

/**
 * Lets `poolctl top` see the pools that are watched, those to come included. Never keeps the process alive. Rejects
 * where the place cannot be had.
 */
export async function publish({ name, port, token }: PublishWatchedOptions = {}): Promise<Published> {
  const known = token === undefined ? {} : { token: parseToken(token) };
  return publishProcess({
    name: name ?? null,
    port: port === undefined ? null : { host: '127.0.0.1', port, ...known },
  });
}

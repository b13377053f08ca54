import { hasMethods, hook } from '../hooking.js';
import type { Asked, LeaseBook } from '../lease-book.js';
import type { PoolKind } from './kind.js';
import { addressOf, placeOf } from './requests.js';

/** The parts of a pool of mysql2, or of mysql, that are read or hooked; mysql2's promise pool has one of these within. */
export interface MysqlPool {
  readonly config: {
    readonly connectionLimit: number;
    readonly connectionConfig?: unknown;
    /** Beyond so many idle ones, each is closed after `idleTimeout`. */
    readonly maxIdle?: number;
    readonly idleTimeout?: number;
  };
  readonly _allConnections: Queue<MysqlConnection>;
  readonly _freeConnections: Queue<MysqlConnection>;
  readonly _connectionQueue: Queue<Callback>;
  readonly _closed: boolean;
}

interface MysqlConnection {
  /** mysql2: the server has let it in. */
  readonly authorized?: boolean;
  /** mysql: `authenticated` after that. */
  readonly state?: string;
}

/** In mysql2 a denque, or since version 3.15 one of its own; in mysql an array. */
type Queue<T> = readonly T[] | { readonly length: number; get(index: number): T | undefined };

interface Callback {
  (error: unknown, connection?: object): unknown;
  [ASKED]?: Asked;
}

const ASKED = Symbol('poolctl.asked');

const METHODS = ['getConnection', 'releaseConnection', '_removeConnection'];

export const mysqlPool: PoolKind<MysqlPool> = {
  driver: 'mysql2',
  ...shared('mysql2', false),
  isOne: (value): value is MysqlPool => hasMethods(value, [...METHODS, 'execute']),
};

/** The library before mysql2, whose pool has the same parts. It pings each connection before it lends it. */
export const mysqljsPool: PoolKind<MysqlPool> = {
  driver: 'mysqljs',
  ...shared('mysql', true),
  isOne: (value): value is MysqlPool => hasMethods(value, [...METHODS, 'acquireConnection']),
};

function shared(name: string, prePing: boolean): Omit<PoolKind<MysqlPool>, 'driver' | 'isOne'> {
  return {
    madeBy: '_closed',
    hook(target, bookOf) {
      hook(
        target,
        'getConnection',
        (getConnection) =>
          function getConnectionWatched(this: MysqlPool, ...args) {
            const [callback, ...rest] = args;
            const found = bookOf(this);
            if (this._closed) found?.refused('ERR_POOL_ENDED', getConnectionWatched);
            const book = this._closed ? null : found;
            // The pool calls itself again for one that was in line.
            if (book === null || typeof callback !== 'function' || ASKED in callback) {
              return getConnection.apply(this, args);
            }
            const asked = book.ask(getConnectionWatched);
            return getConnection.call(this, followed(callback as Callback, asked, book), ...rest);
          },
      );
      // Also what is destroyed goes this way.
      hook(
        target,
        'releaseConnection',
        (releaseConnection) =>
          function releaseConnectionWatched(this: MysqlPool, ...args) {
            bookOf(this)?.release(args[0] as object);
            return releaseConnection.apply(this, args);
          },
      );
    },
    lent({ _allConnections, _freeConnections }) {
      const free = new Set(itemsOf(_freeConnections));
      return itemsOf(_allConnections).filter((one) => !isConnecting(one) && !free.has(one));
    },
    nameOf: ({ config }) => placeOf(config.connectionConfig, name),
    read(pool) {
      const all = itemsOf(pool._allConnections);
      const idle = pool._freeConnections.length;
      const creating = all.filter(isConnecting).length;
      const waiting = pool._connectionQueue.length;
      return {
        size: pool.config.connectionLimit === 0 ? null : pool.config.connectionLimit,
        live: all.length,
        idle,
        inUse: Math.max(0, all.length - idle - creating),
        waiting,
        creating,
        waitingSince: waiting === 0 ? null : (itemAt(pool._connectionQueue, 0)?.[ASKED]?.since ?? null),
        closed: pool._closed,
        resources: all,
        waiters: itemsOf(pool._connectionQueue).flatMap((callback) => callback[ASKED] ?? []),
        address: addressOf(pool.config.connectionConfig),
        // There is no timeout: a caller without a connection was refused, or its connect failed.
        pending: null,
        setup: {
          acquireTimeoutMs: 'never',
          recycleMs: 'never',
          maxIdleMs: idleLimitOf(pool.config),
          prePing,
        },
      };
    },
  };
}

function isConnecting({ authorized, state }: MysqlConnection): boolean {
  return authorized === false || (state !== undefined && state !== 'authenticated');
}

/** While it may keep as many idle as it may open, which is its default, it looks at none. */
function idleLimitOf({
  maxIdle,
  idleTimeout,
  connectionLimit,
}: MysqlPool['config']): number | 'never' | null {
  if (maxIdle === undefined || idleTimeout === undefined) return null;
  return maxIdle < connectionLimit ? idleTimeout : 'never';
}

function followed(callback: Callback, asked: Asked, book: LeaseBook): Callback {
  const heard: Callback = (error, connection, ...rest: unknown[]) => {
    if (error) book.createFailed(error);
    else if (connection !== undefined) book.lend(connection, asked);
    return (callback as (...args: unknown[]) => unknown)(error, connection, ...rest);
  };
  heard[ASKED] = asked;
  return heard;
}

function itemsOf<T>(queue: Queue<T>): T[] {
  const items: T[] = [];
  for (let index = 0; index < queue.length; index++) {
    const item = itemAt(queue, index);
    if (item !== undefined) items.push(item);
  }
  return items;
}

function itemAt<T>(queue: Queue<T>, index: number): T | undefined {
  return 'get' in queue ? queue.get(index) : queue[index];
}

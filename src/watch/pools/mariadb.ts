import { hasMethods, hook, isObject } from '../hooking.js';
import type { Asked, LeaseBook } from '../lease-book.js';
import { mark } from '../undo.js';
import type { PoolKind } from './kind.js';
import { lentBy } from './lent.js';
import { addressOf, placeOf } from './requests.js';

/** The parts of a pool of MariaDB's connector (from version 3) that are read or hooked. What it promises has one of these within. */
export interface MariadbPool {
  readonly opts: {
    readonly connectionLimit?: number;
    /** In milliseconds. */
    readonly acquireTimeout?: number;
    /** In seconds. */
    readonly idleTimeout?: number;
    readonly connOptions?: object;
  };
  readonly closed: boolean;
  totalConnections(): number;
  activeConnections(): number;
  idleConnections(): number;
  taskQueueSize(): number;
}

type Callback = (error: unknown, connection?: object) => unknown;

export const mariadbPool: PoolKind<MariadbPool> = {
  driver: 'mariadb',
  madeBy: 'opts',
  isOne: (value): value is MariadbPool =>
    hasMethods(value, ['getConnection', 'taskQueueSize', 'totalConnections', '_processNextPendingRequest']),
  hook(target, bookOf) {
    hook(
      target,
      'getConnection',
      (getConnection) =>
        function getConnectionWatched(this: MariadbPool, ...args) {
          const found = bookOf(this);
          const at = args.findIndex((arg) => typeof arg === 'function');
          if (found === null || at < 0) return getConnection.apply(this, args);
          if (this.closed) found.refused('ER_POOL_ALREADY_CLOSED', getConnectionWatched);
          const book = this.closed ? null : found;
          if (book === null) return getConnection.apply(this, args);
          // `pool.query` passes its statement along, and gives back by itself.
          const isQuery = isObject(args[0]) && 'sql' in args[0];
          const asked = book.ask(getConnectionWatched, isQuery);
          const callback = args[at] as Callback;
          const waiters = waitersOf(this);
          waiters.add(asked);
          args[at] = (error: unknown, connection?: object, ...rest: unknown[]) => {
            waiters.delete(asked);
            if (error) tellFailure(error, book);
            else if (connection !== undefined) {
              lentBy(this).add(connection);
              book.lend(connection, asked);
            }
            return (callback as (...all: unknown[]) => unknown)(error, connection, ...rest);
          };
          return getConnection.apply(this, args);
        },
    );
    // Each way back goes through the second, of which older versions have none.
    for (const name of ['release', '_endLeak']) {
      hook(
        target,
        name,
        (end) =>
          function endWatched(this: MariadbPool, ...args) {
            const connection = args[0] as object;
            lentBy(this).delete(connection);
            bookOf(this)?.release(connection);
            return end.apply(this, args);
          },
      );
    }
  },
  nameOf: ({ opts }) => placeOf(opts.connOptions, 'mariadb'),
  read(pool) {
    const { opts } = pool;
    const waiters = waitersOf(pool);
    const [first] = waiters;
    return {
      size: opts.connectionLimit ?? null,
      live: pool.totalConnections(),
      idle: pool.idleConnections(),
      inUse: pool.activeConnections(),
      waiting: pool.taskQueueSize(),
      creating: null,
      waitingSince: pool.taskQueueSize() === 0 ? null : (first?.since ?? null),
      closed: pool.closed,
      resources: lentBy(pool),
      waiters,
      pending: null,
      address: addressOf(opts.connOptions),
      setup: {
        acquireTimeoutMs: opts.acquireTimeout || 'never',
        recycleMs: 'never',
        maxIdleMs: opts.idleTimeout ? opts.idleTimeout * 1000 : 'never',
        prePing: true,
      },
    };
  },
};

const WAITERS = Symbol('poolctl.waiters');

function waitersOf(pool: object): Set<Asked> {
  const carrier = pool as { [WAITERS]?: Set<Asked> };
  let waiters = carrier[WAITERS];
  if (waiters === undefined) {
    waiters = new Set();
    mark(pool, WAITERS, waiters);
  }
  return waiters;
}

function tellFailure(error: unknown, book: LeaseBook): void {
  const cause = isObject(error) ? error.cause : undefined;
  if (isObject(error) && error.code === 'ER_GET_CONNECTION_TIMEOUT' && !isObject(cause)) book.timedOut();
  else book.createFailed(isObject(cause) ? cause : error);
}

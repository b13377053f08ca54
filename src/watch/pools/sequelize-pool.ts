import { hasMethods, hook } from '../hooking.js';
import type { Asked, LeaseBook } from '../lease-book.js';
import type { PoolKind } from './kind.js';
import {
  addressOf,
  askedIn,
  askedSince,
  follow,
  followRejection,
  placeOf,
  type Request,
} from './requests.js';

/** The parts of sequelize-pool's pool that are read or hooked. */
export interface SequelizePool {
  readonly size: number;
  readonly maxSize: number;
  readonly available: number;
  readonly using: number;
  readonly _pendingAcquires: readonly Request[];
  readonly _inUseObjects: Iterable<object | { readonly resource: object }>;
  readonly _availableObjects: readonly { readonly resource: object }[];
  readonly _draining: boolean;
  readonly acquireTimeoutMillis?: number;
  readonly idleTimeoutMillis?: number;
}

export const sequelizePool: PoolKind<SequelizePool> = {
  driver: 'sequelize-pool',
  madeBy: '_draining',
  // generic-pool 2, from which it is derived, has the same methods and none of the getters.
  isOne: (value): value is SequelizePool =>
    hasMethods(value, ['acquire', 'release', 'drain', '_dispense', '_addResourceToAvailableObjects']) &&
    'using' in value,
  hook(target, bookOf) {
    hook(
      target,
      'acquire',
      (acquire) =>
        function acquireWatched(this: SequelizePool, ...args) {
          const book = this._draining ? null : bookOf(this);
          const outer = asking;
          asking = book === null ? null : { pool: this, book, asked: book.ask(acquireWatched) };
          try {
            return acquire.apply(this, args);
          } finally {
            asking = outer;
          }
        },
    );
    // `acquire` calls it as soon as its request is in line, and it may serve it at once.
    hook(
      target,
      '_dispense',
      (dispense) =>
        function dispenseWatched(this: SequelizePool, ...args) {
          if (asking?.pool === this) {
            const last = this._pendingAcquires[this._pendingAcquires.length - 1];
            if (last !== undefined) {
              follow(last, asking.asked, asking.book);
              followRejection(last, asking.book);
              asking = null;
            }
          }
          return dispense.apply(this, args);
        },
    );
    for (const name of ['release', 'destroy']) {
      hook(
        target,
        name,
        (end) =>
          function endWatched(this: SequelizePool, ...args) {
            if (typeof args[0] === 'object' && args[0] !== null) bookOf(this)?.release(args[0]);
            return end.apply(this, args);
          },
      );
    }
  },
  lent: lentBy,
  nameOf(pool) {
    const [first] = lentBy(pool);
    return placeOf(first ?? pool._availableObjects[0]?.resource, 'sequelize-pool');
  },
  read(pool) {
    const { size, available, using } = pool;
    const waiting = pool._pendingAcquires.length;
    return {
      size: pool.maxSize,
      live: size,
      idle: available,
      inUse: using,
      waiting,
      creating: Math.max(0, size - available - using),
      waitingSince: askedSince(pool._pendingAcquires[0]),
      closed: pool._draining,
      resources: lentBy(pool),
      waiters: askedIn(pool._pendingAcquires),
      address: addressOf(lentBy(pool)[0] ?? pool._availableObjects[0]?.resource),
      pending: null,
      setup: {
        acquireTimeoutMs: pool.acquireTimeoutMillis ?? null,
        maxIdleMs: pool.idleTimeoutMillis ?? null,
        recycleMs: 'never',
      },
    };
  },
};

/** The acquire that runs, until its request is seen. */
let asking: { readonly pool: SequelizePool; readonly book: LeaseBook; readonly asked: Asked } | null = null;

/** Until version 7 they are themselves in the list, since then within an object each. */
function lentBy({ _inUseObjects }: SequelizePool): object[] {
  return [..._inUseObjects].map((one) =>
    'useCount' in one && 'resource' in one ? (one as { readonly resource: object }).resource : one,
  );
}

import { hasMethods, hook, isObject } from '../hooking.js';
import type { PoolKind } from './kind.js';
import { addressOf, askedIn, askedSince, follow, placeOf, type Request } from './requests.js';

/** The parts of a pool of MongoDB's driver (from version 5) that are read or hooked. A client has one for each server. */
export interface MongodbPool {
  readonly options: {
    /** 0 is no limit. */
    readonly maxPoolSize?: number;
    readonly maxIdleTimeMS?: number;
    readonly waitQueueTimeoutMS?: number;
    readonly hostAddress?: object;
  };
  readonly closed: boolean;
  readonly totalConnectionCount: number;
  readonly availableConnectionCount: number;
  readonly pendingConnectionCount: number;
  readonly waitQueueSize: number;
  readonly waitQueue: { first?(): unknown; last?(): unknown; toArray?(): unknown[] };
  readonly checkedOut?: ReadonlySet<object>;
  /** Why its server cannot be reached; null where it can. */
  readonly serverError?: unknown;
}

export const mongodbPool: PoolKind<MongodbPool> = {
  driver: 'mongodb',
  madeBy: 'poolState',
  isOne: (value): value is MongodbPool =>
    hasMethods(value, ['checkOut', 'checkIn', 'processWaitQueue', 'ensureMinPoolSize']),
  hook(target, bookOf) {
    hook(
      target,
      'checkOut',
      (checkOut) =>
        function checkOutWatched(this: MongodbPool, ...args) {
          const book = this.closed ? null : bookOf(this);
          const asked = book?.ask(checkOutWatched, true) ?? null;
          const outcome = checkOut.apply(this, args);
          // It is put in line before this returns, and served in a later turn.
          const last = book === null ? undefined : this.waitQueue.last?.();
          if (book !== null && asked !== null && hasMethods(last, ['resolve', 'reject'])) {
            follow(last as Request, asked, book);
          }
          return outcome;
        },
    );
    // Without a server nobody gets as far as a check-out: the monitor of the server tells of it.
    hook(
      target,
      'clear',
      (clear) =>
        function clearWatched(this: MongodbPool, ...args) {
          const book = bookOf(this);
          const { serverError } = this;
          if (serverError != null) book?.createFailed(serverError);
          return clear.apply(this, args);
        },
    );
    hook(
      target,
      'ready',
      (ready) =>
        function readyWatched(this: MongodbPool, ...args) {
          bookOf(this)?.recovered();
          return ready.apply(this, args);
        },
    );
    hook(
      target,
      'checkIn',
      (checkIn) =>
        function checkInWatched(this: MongodbPool, ...args) {
          if (isObject(args[0])) bookOf(this)?.release(args[0]);
          return checkIn.apply(this, args);
        },
    );
  },
  lent: ({ checkedOut }) => checkedOut ?? [],
  nameOf: ({ options }) => placeOf(options.hostAddress, 'mongodb'),
  read(pool) {
    const { maxPoolSize, maxIdleTimeMS, waitQueueTimeoutMS, hostAddress } = pool.options;
    const waiting = pool.waitQueueSize;
    return {
      size: maxPoolSize ? maxPoolSize : null,
      live: pool.totalConnectionCount,
      idle: pool.availableConnectionCount,
      inUse: Math.max(
        0,
        pool.totalConnectionCount - pool.availableConnectionCount - pool.pendingConnectionCount,
      ),
      waiting,
      creating: pool.pendingConnectionCount,
      waitingSince: askedSince(pool.waitQueue.first?.()),
      closed: pool.closed,
      resources: pool.checkedOut ?? [],
      waiters: askedIn(pool.waitQueue.toArray?.() ?? []),
      pending: waiting,
      address: addressOf(hostAddress),
      setup: {
        acquireTimeoutMs: waitQueueTimeoutMS || 'never',
        recycleMs: 'never',
        maxIdleMs: maxIdleTimeMS || 'never',
        prePing: false,
      },
    };
  },
};

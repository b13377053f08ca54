import { hasMethods, hook } from '../hooking.js';
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

/** The parts of tarn's pool (knex, mssql; tarn 2 and 3) that are read or hooked. */
export interface TarnPool {
  readonly max: number;
  readonly used: readonly { readonly resource: object }[];
  readonly free: readonly { readonly resource: object }[];
  readonly pendingAcquires: readonly unknown[];
  /** Not there in tarn 2 (knex 0.19 and 0.20), which validates at once. */
  readonly pendingValidations?: readonly unknown[];
  readonly pendingCreates: readonly unknown[];
  readonly destroyed: boolean;
  readonly acquireTimeoutMillis?: number;
  readonly idleTimeoutMillis?: number;
}

export const tarnPool: PoolKind<TarnPool> = {
  driver: 'tarn',
  madeBy: 'destroyed',
  isOne: (value): value is TarnPool =>
    hasMethods(value, ['acquire', 'release', 'numUsed', 'numPendingAcquires']),
  hook(target, bookOf) {
    hook(
      target,
      'acquire',
      (acquire) =>
        function acquireWatched(this: TarnPool, ...args) {
          const book = bookOf(this);
          const asked = book?.ask(acquireWatched) ?? null;
          const request = acquire.apply(this, args);
          if (book === null || asked === null) return request;
          // tarn 3 serves it in a later turn at the earliest.
          const served = this.pendingValidations === undefined ? servedAtOnce(this, request) : null;
          if (served !== null) book.lend(served, asked);
          else if (hasMethods(request, ['resolve'])) {
            follow(request as Request, asked, book);
            // Only a failed create and the end of the pool come this way. The rest are timeouts.
            followRejection(request as Request, book);
          }
          return request;
        },
    );
    hook(
      target,
      'release',
      (release) =>
        function releaseWatched(this: TarnPool, ...args) {
          // Before the call, which hands it to the next in line.
          const book = bookOf(this);
          if (book !== null && this.used.some(({ resource }) => resource === args[0]))
            book.release(args[0] as object);
          return release.apply(this, args);
        },
    );
    hook(
      target,
      '_destroy',
      (destroy) =>
        function destroyWatched(this: TarnPool, ...args) {
          bookOf(this)?.release(args[0] as object);
          return destroy.apply(this, args);
        },
    );
  },
  lent: ({ used }) => used.map(({ resource }) => resource),
  nameOf: ({ used: [used], free: [free] }) => placeOf(used?.resource ?? free?.resource, 'tarn'),
  read(pool) {
    // One that is being validated is among those in use already.
    const validating = pool.pendingValidations ?? [];
    const inUse = pool.used.length - validating.length;
    const waiting = pool.pendingAcquires.length + validating.length;
    const creating = pool.pendingCreates.length;
    const first = validating[0] ?? pool.pendingAcquires[0];
    return {
      size: pool.max,
      live: pool.used.length + pool.free.length + creating,
      idle: pool.free.length + validating.length,
      ...{ inUse, waiting, creating },
      waitingSince: askedSince(first),
      closed: pool.destroyed,
      resources: pool.used.map(({ resource }) => resource),
      waiters: askedIn([...validating, ...pool.pendingAcquires]),
      address: addressOf(pool.used[0]?.resource ?? pool.free[0]?.resource),
      pending: waiting,
      setup: {
        acquireTimeoutMs: pool.acquireTimeoutMillis ?? null,
        maxIdleMs: pool.idleTimeoutMillis ?? null,
        recycleMs: 'never',
      },
    };
  },
};

/** The resource that tarn 2 has given to the latest request before `acquire` returned; null where that waits. */
function servedAtOnce({ pendingAcquires, used }: TarnPool, request: unknown): object | null {
  return pendingAcquires.includes(request) ? null : (used.at(-1)?.resource ?? null);
}

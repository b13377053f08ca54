import type { PoolSetup } from '../../snapshot/pool.js';
import { hasMethods, hook } from '../hooking.js';
import type { Asked, LeaseBook } from '../lease-book.js';
import type { PoolKind } from './kind.js';
import { addressOf, askedSince, follow, followRejection, placeOf, type Request } from './requests.js';

/** The parts of generic-pool's pool (from version 3) that are read or hooked. */
export interface GenericPool {
  readonly max: number;
  readonly available: number;
  readonly borrowed: number;
  readonly pending: number;
  readonly _allObjects: ReadonlySet<{ readonly obj: object }>;
  readonly _resourceLoans: ReadonlyMap<object, unknown>;
  readonly _factoryCreateOperations: ReadonlySet<unknown>;
  readonly _waitingClientsQueue: object;
  readonly _draining: boolean;
  readonly _config?: {
    readonly acquireTimeoutMillis?: number;
    readonly idleTimeoutMillis?: number;
    /** 0 looks at idle ones never. */
    readonly evictionRunIntervalMillis?: number;
    readonly testOnBorrow?: boolean;
  };
}

export const genericPool: PoolKind<GenericPool> = {
  driver: 'generic-pool',
  madeBy: '_draining',
  isOne: (value): value is GenericPool =>
    hasMethods(value, [
      'acquire',
      'release',
      'isBorrowedResource',
      '_dispatchPooledResourceToNextWaitingClient',
    ]),
  hook(target, bookOf) {
    hook(
      target,
      'acquire',
      (acquire) =>
        function acquireWatched(this: GenericPool, ...args) {
          const book = this._draining ? null : bookOf(this);
          if (book !== null) watchQueue(this._waitingClientsQueue);
          const outer = asking;
          asking = book === null ? null : { book, site: acquireWatched };
          try {
            return acquire.apply(this, args);
          } finally {
            asking = outer;
          }
        },
    );
    for (const name of ['release', 'destroy']) {
      hook(
        target,
        name,
        (end) =>
          function endWatched(this: GenericPool, ...args) {
            const book = bookOf(this);
            if (book !== null && this._resourceLoans.has(args[0] as object)) book.release(args[0] as object);
            return end.apply(this, args);
          },
      );
    }
  },
  lent: ({ _resourceLoans }) => _resourceLoans.keys(),
  nameOf: ({ _allObjects: [first] }) => placeOf(first?.obj, 'generic-pool'),
  read(pool) {
    const creating = pool._factoryCreateOperations.size;
    return {
      size: pool.max,
      live: pool._allObjects.size + creating,
      idle: pool.available,
      inUse: pool.borrowed,
      waiting: pool.pending,
      creating,
      waitingSince: firstOf(pool._waitingClientsQueue),
      closed: pool._draining,
      resources: pool._resourceLoans.keys(),
      address: addressOf([...pool._allObjects][0]?.obj),
      pending: null,
      ...(pool._config === undefined ? {} : { setup: setupOf(pool._config) }),
    };
  },
};

function setupOf(config: NonNullable<GenericPool['_config']>): Partial<PoolSetup> {
  return {
    acquireTimeoutMs: config.acquireTimeoutMillis || 'never',
    recycleMs: 'never',
    maxIdleMs: config.evictionRunIntervalMillis ? (config.idleTimeoutMillis ?? null) : 'never',
    prePing: config.testOnBorrow === true,
  };
}

/** The acquire that runs, until its request is put in line: one that is refused before was none. */
let asking: { readonly book: LeaseBook; readonly site: (...args: never[]) => unknown } | null = null;

/** Requests are met where they are put in line: with priorities there is no telling their place in it. */
function watchQueue(queue: object): void {
  const prototype = Object.getPrototypeOf(queue) as object | null;
  if (prototype === null) return;
  hook(
    prototype,
    'enqueue',
    (enqueue) =>
      function enqueueWatched(this: object, ...args) {
        const [request] = args;
        if (asking !== null && hasMethods(request, ['resolve', 'reject'])) {
          const { book, site } = asking;
          asking = null;
          const asked: Asked = book.ask(site);
          follow(request as Request, asked, book);
          followRejection(request as Request, book);
        }
        return enqueue.apply(this, args);
      },
  );
}

/** Since when the next in line waits. */
function firstOf(queue: object): number | null {
  return 'head' in queue ? askedSince(queue.head) : null;
}

import { hasMethods, hook, isObject } from '../hooking.js';
import type { PoolKind } from './kind.js';
import { addressOf, placeOf } from './requests.js';

/** The parts of a ConnectionPool of mssql that are read or hooked. */
export interface MssqlPool {
  readonly config: {
    readonly server?: string;
    readonly port?: number;
    readonly database?: string;
    readonly user?: string;
    readonly pool?: { readonly max?: number };
  };
  /** The pool of tarn, which is watched as such; made after a first connection was opened. */
  readonly pool?: object | null;
  readonly _connectStack?: readonly unknown[];
}

/** The size that mssql gives its pool. */
const DEFAULT_SIZE = 10;

/** A ConnectionPool of mssql until it is connected: its failures, and the callers that wait for it. */
export const mssqlPool: PoolKind<MssqlPool> = {
  driver: 'mssql',
  isOne: (value): value is MssqlPool => hasMethods(value, ['_connect', '_acquire', 'request', 'transaction']),
  hook(target, bookOf) {
    hook(
      target,
      '_connect',
      (connect) =>
        function connectWatched(this: MssqlPool, callback, ...more) {
          const book = isObject(this.pool) ? null : bookOf(this);
          if (book === null || typeof callback !== 'function') return connect.call(this, callback, ...more);
          const heard = (error: unknown, ...rest: unknown[]): unknown => {
            if (error) book.createFailed(error);
            else book.recovered();
            return (callback as (...args: unknown[]) => unknown)(error, ...rest);
          };
          return connect.call(this, heard, ...more);
        },
    );
  },
  nameOf: ({ config }) => placeOf(place(config), 'mssql'),
  read({ config, pool, _connectStack: waiting = [] }) {
    return {
      ...{ size: config.pool?.max ?? DEFAULT_SIZE, live: 0, idle: 0, inUse: 0, creating: 0 },
      waiting: waiting.length,
      waitingSince: null,
      // From then on the pool of tarn tells of it.
      closed: isObject(pool),
      resources: [],
      pending: null,
      address: addressOf(place(config)),
    };
  },
};

function place({ server, ...rest }: MssqlPool['config']): object {
  return { ...rest, host: server };
}

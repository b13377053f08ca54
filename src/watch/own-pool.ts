import type { QueuePool } from '../pool/queue-pool.js';
import { hasMethods } from './hooking.js';
import { stateOf } from './resources.js';
import type { WatchedPool } from './watched-pool.js';

/** Our own pool, which says nearly all of it by itself. */
export function ownPool(pool: QueuePool<object>, name: () => string): WatchedPool {
  return {
    get name() {
      return name();
    },
    get over() {
      const { closed, live } = pool.snapshot();
      return closed && live === 0;
    },
    snapshot() {
      const { holders, ...snapshot } = pool.snapshot();
      return {
        ...snapshot,
        name: name(),
        holders: holders.map((holder) => ({ ...holder, ...UNSEEN })),
      };
    },
  };
}

/** Of this copy of poolctl, or another. */
export function isOwnPool(value: object): value is QueuePool<object> {
  return hasMethods(value, ['acquire', 'tryAcquire', 'invalidateAll', 'snapshot', 'resetPeaks']);
}

const UNSEEN = { lastSql: null, ...stateOf({}) };

import { brandOf, POOL_BRAND } from '../pool/brand.js';
import { DEFAULT_LEAK_MS, type LeakWatchOptions } from '../pool/leak-watch.js';
import type { QueuePool } from '../pool/queue-pool.js';
import type { PoolSetup } from '../snapshot/pool.js';
import { hasMethods } from './hooking.js';
import { MOST_SQL } from './lease-book.js';
import { recordOwnPool } from './record/own-pool.js';
import { type ResourceState, stateOf } from './resources.js';
import type { WatchedPool } from './watched-pool.js';

/** Our own pool, which says nearly all of it by itself. */
export function ownPool(pool: QueuePool<object>, name: () => string): WatchedPool {
  return {
    get name() {
      return name();
    },
    get over() {
      return pool[POOL_BRAND].isOver();
    },
    record(recorder) {
      // Another copy of poolctl, of a version before.
      if (!hasMethods(pool, ['figures', 'siteOfLease'])) return;
      recordOwnPool(pool, recorder, { name, setup: setupOf(pool) });
    },
    snapshot() {
      const { holders, ...snapshot } = pool.snapshot();
      const resources = pool.leasedResources();
      return {
        ...snapshot,
        name: name(),
        holders: holders.map((holder) => ({ ...holder, ...sightOf(resources.get(holder.leaseId)) })),
        setup: setupOf(pool),
      };
    },
  };
}

function setupOf({ settings }: QueuePool<object>): PoolSetup {
  const { timeoutMs, recycleMs, maxIdleMs, prePing, leakWatch } = settings;
  return {
    acquireTimeoutMs: timeoutMs ?? 'never',
    recycleMs: recycleMs ?? 'never',
    maxIdleMs: maxIdleMs ?? 'never',
    prePing,
    statementTimeoutMs: null,
    leakAfterMs: leakAfterOf(leakWatch),
  };
}

function leakAfterOf(leakWatch: LeakWatchOptions | null): number | 'never' {
  if (leakWatch === null || leakWatch.thresholdMs === null) return 'never';
  return leakWatch.thresholdMs ?? DEFAULT_LEAK_MS;
}

/** Whether this copy of poolctl, or another one in the process, made this pool. */
export function isOwnPool(value: object): value is QueuePool<object> {
  return brandOf(value)?.kind === 'leases';
}

interface Sight extends ResourceState {
  readonly lastSql: string | null;
}

/** Connections of our own tell by themselves; of other resources it is seen whether they are any that are known. */
function sightOf(resource: object | undefined): Sight {
  if (resource === undefined || !hasMethods(resource, ['sight'])) {
    return { lastSql: null, ...stateOf(resource ?? {}) };
  }
  const { lastSql, ...state } = (resource as { sight(): Sight }).sight();
  return { ...state, lastSql: lastSql?.slice(0, MOST_SQL) ?? null };
}

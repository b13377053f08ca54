import { type PoolReading, partsOf, type Reading } from '../snapshot/reading.js';
import { type Collected, Exposition } from './exposition.js';
import type { PoolFigures } from './metered-pool.js';
import type { Compat } from './metric.js';
import { POOL_FAMILIES } from './table.js';

/** A pool, a feed of subscriptions, an IB pool, or what `watch` of poolctl/watch gives. */
export type Measurable =
  | { snapshot(): PoolFigures }
  | { snapshots(): readonly PoolFigures[] }
  /** A database, as createDatabase makes it. */
  | { readonly pool: { snapshot(): PoolFigures } };

/** The part of prom-client's Registry that is needed; any version and copy of it will do. */
export interface MetricsRegistry {
  registerMetric(metric: never): void;
  getSingleMetric(name: string): unknown;
}

export interface CollectOptions {
  /** Gives the same figures under SQLAlchemy's names as well (`sqlalchemy_pool_*`). */
  readonly compat?: readonly Compat[];
  /** So many pools have series of their own; the others are counted together, as `other`. Default 1,000. */
  readonly maxPools?: number;
}

const MOST_POOLS = 1000;

/**
 * Adds the metrics of a pool (`poolctl_pool_*`) to a registry of prom-client. They are read when the registry is
 * scraped, and cost nothing in between. Any number of pools may be added to one registry; those of one name are told
 * apart by a number. Gives a function that takes this pool out again. Options count when the first pool is added.
 * Throws what the registry does where another metric has one of the names.
 */
export function collectPoolMetrics(
  registry: MetricsRegistry,
  pool: Measurable,
  options: CollectOptions = {},
): () => void {
  const set = setOf(registry, options);
  set.add(pool);
  return () => void set.delete(pool);
}

/** Pools whose metrics a registry has. The registry may have been cleared since, which removes them all. */
const sets = new WeakMap<MetricsRegistry, { readonly pools: Set<Measurable>; readonly first: Collected }>();

function setOf(registry: MetricsRegistry, options: CollectOptions): Set<Measurable> {
  const known = sets.get(registry);
  if (known !== undefined && registry.getSingleMetric(known.first.name) === known.first) return known.pools;
  const measured = new Set<Measurable>();
  const exposition = new Exposition({
    compat: options.compat ?? [],
    maxPools: options.maxPools ?? MOST_POOLS,
    families: POOL_FAMILIES,
  });
  const [first] = exposition.metrics;
  if (first === undefined) throw new Error('there are metrics of pools');
  let isFresh = false;
  for (const metric of exposition.metrics) {
    const refreshed = (): void => {
      if (isFresh) return;
      isFresh = true;
      // All metrics of one scrape are asked in the same turn: they tell of the same moment.
      queueMicrotask(() => {
        isFresh = false;
      });
      const reading = readingOf(measured);
      exposition.update([{ source: null, health: null, reading }], reading.takenAtMs);
    };
    registry.registerMetric(refreshing(metric, refreshed) as never);
  }
  sets.set(registry, { pools: measured, first });
  return measured;
}

/** A metric that is brought up to date before it is asked. */
function refreshing(metric: Collected, refresh: () => void): Collected {
  const { get, getForPromString } = metric;
  return Object.assign(metric, {
    get() {
      refresh();
      return get();
    },
    getForPromString() {
      refresh();
      return getForPromString();
    },
  });
}

function readingOf(measured: ReadonlySet<Measurable>): Reading {
  const pools = [...measured].flatMap(snapshotsOf).map(
    // Metrics do not name the holders of leases.
    (figures): PoolReading => ({ ...figures, ...partsOf({ ...figures }), app: null, holders: [] }),
  );
  return {
    ...{ source: '', kind: 'pool', takenAtMs: pools[0]?.takenAtMs ?? 0, pools },
    ...{ backends: [], server: null, pooler: null, gaps: [] },
  };
}

function snapshotsOf(pool: Measurable): readonly PoolFigures[] {
  if ('snapshots' in pool) return pool.snapshots();
  return ['snapshot' in pool ? pool.snapshot() : pool.pool.snapshot()];
}

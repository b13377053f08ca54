/**
 * Marks the pools of poolctl. The symbol is the same for all copies and versions of the package in a process, so that
 * each of them recognizes the pools of the others.
 */
export const POOL_BRAND = Symbol.for('poolctl.pool');

/** The questions that a watcher may ask a branded pool beside `snapshot()`, whichever copy of poolctl made it. */
export interface PoolBrand {
  /**
   * `leases`: a QueuePool, whose `settings`, `leasedResources()` and events may be used too. `snapshot`: only its
   * snapshot. A version that changes what its pools offer uses another word, and older watchers leave it alone.
   */
  readonly kind: 'leases' | 'snapshot';
  /** Closed and empty. Cheap, unlike a snapshot. */
  isOver(): boolean;
}

export interface BrandedPool {
  readonly [POOL_BRAND]: PoolBrand;
}

const POOLS = Symbol.for('poolctl.pools');

/** The pools of a process, also those of other copies of poolctl. It keeps none of them alive. */
interface Announced {
  pools: WeakRef<object>[];
  pruneAt: number;
}

/** Keeps a pool findable for a watch that begins later. */
export function announce(pool: BrandedPool): void {
  const shared = globalThis as { [POOLS]?: Announced };
  let known = shared[POOLS];
  if (known === undefined) {
    known = { pools: [], pruneAt: 100 };
    Object.defineProperty(shared, POOLS, { value: known });
  }
  known.pools.push(new WeakRef(pool));
  if (known.pools.length < known.pruneAt) return;
  known.pools = known.pools.filter((one) => one.deref() !== undefined);
  known.pruneAt = Math.max(100, 2 * known.pools.length);
}

/** The pools of this process that are still there. */
export function announced(): readonly object[] {
  const known = (globalThis as { readonly [POOLS]?: Announced })[POOLS];
  return known?.pools.flatMap((one) => one.deref() ?? []) ?? [];
}

/** The brand of a pool; null for any other object. */
export function brandOf(value: object): PoolBrand | null {
  const brand = (value as Partial<BrandedPool>)[POOL_BRAND];
  return typeof brand === 'object' && typeof brand?.isOver === 'function' ? brand : null;
}

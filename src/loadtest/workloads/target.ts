import type { Random } from '../../base/random.js';

/**
 * A pool of anything, for `poolctl loadtest --module ./target.js`. The functions are called in this order: `open` once,
 * then for each iteration `acquire`, `run` and `release`, then `close` once. An iteration fails if one of them throws.
 *
 * ```ts
 * import { createPool } from 'generic-pool';
 * import { defineTarget } from 'poolctl/loadtest';
 *
 * export default defineTarget({
 *   name: 'shop connections',
 *   open: () => createPool(factory, { max: 10 }),
 *   acquire: (pool) => pool.acquire(),
 *   run: (connection, { number, signal }) => connection.call('orders', number, { signal }),
 *   release: (connection, pool) => pool.release(connection),
 *   close: async (pool) => { await pool.drain(); await pool.clear(); },
 *   stats: (pool) => ({ size: pool.max, live: pool.size, idle: pool.available, waiting: pool.pending }),
 * });
 * ```
 */
export interface TargetDefinition<Pool, Lease> {
  /** Names it in reports. Default: the file. */
  readonly name?: string;
  /** The work of one iteration, in words. */
  readonly work?: string;
  /** Makes the pool. If it throws, there is no load test. */
  open(context: TargetContext): Promise<Pool> | Pool;
  /** Borrows from the pool. What it gives after its signal has aborted is released at once. */
  acquire(pool: Pool, iteration: TargetIteration): Promise<Lease> | Lease;
  /** The work of one iteration. It should end soon after its signal has aborted. */
  run(lease: Lease, iteration: TargetIteration): unknown;
  /** Returns to the pool: once for each lease, whatever came of the work. `error` is what `run` threw. */
  release(lease: Lease, pool: Pool, error?: unknown): unknown;
  /** Ends the pool. Leases may still be out if the run was given up. */
  close(pool: Pool): unknown;
  /** Figures of the pool, which is asked ten times a second. What is left out is not measured. */
  stats?(pool: Pool): TargetStats;
}

export interface TargetContext {
  /** Aborts when the load test is interrupted while it opens. */
  readonly signal: AbortSignal;
  /** Seeded with --seed. */
  readonly random: Random;
}

export interface TargetIteration {
  /** From 0. */
  readonly number: number;
  /** Aborts after --iteration-timeout, and when the run stops waiting for what is under way. */
  readonly signal: AbortSignal;
  /** Seeded with --seed and the number: the same in every run. */
  readonly random: Random;
}

export interface TargetStats {
  /** Resources that the pool keeps at most. */
  readonly size?: number | null;
  /** Resources that are open, in whatever state. */
  readonly live?: number;
  readonly idle?: number;
  readonly inUse?: number;
  /** Callers that wait. */
  readonly waiting?: number;
  /** Counts since the pool was made. */
  readonly created?: number | null;
  readonly destroyed?: number | null;
}

/** A target whose types are hidden, as a module exports it. */
export type Target = TargetDefinition<unknown, unknown>;

/** Checks the types of a target; it does nothing else. */
export function defineTarget<Pool, Lease>(
  target: TargetDefinition<Pool, Lease>,
): TargetDefinition<Pool, Lease> {
  return target;
}

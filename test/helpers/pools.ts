import { AsyncResource } from 'node:async_hooks';
import { ignore } from '../../src/base/promises.js';
import { seededRandom } from '../../src/base/random.js';
import type { Lease } from '../../src/pool/lease.js';
import type { AcquireOptions, PoolOptions } from '../../src/pool/options.js';
import { QueuePool } from '../../src/pool/queue-pool.js';
import { FakeDriver, type Thing } from './fake-driver.js';
import { VirtualClock } from './virtual-clock.js';

export interface Pooled<C extends VirtualClock = VirtualClock> {
  readonly clock: C;
  readonly driver: FakeDriver;
  readonly pool: QueuePool<Thing>;
}

/**
 * Holds on to every lease, since tests drop leases that are meant to stay out: the garbage collector would hand
 * them back at any moment. Tests about that use QueuePool itself.
 */
class KeepingPool extends QueuePool<Thing> {
  readonly #kept: Lease<Thing>[] = [];

  override acquire(options?: AcquireOptions): Promise<Lease<Thing>> {
    const acquired = super.acquire(options);
    acquired.then((lease) => this.#kept.push(lease), ignore);
    return acquired;
  }
}

/** A pool of things on a virtual clock. */
export function newPool(options: Partial<PoolOptions<Thing>> = {}): Pooled {
  return newPoolOn(new VirtualClock(), options);
}

export function newPoolOn<C extends VirtualClock>(
  clock: C,
  options: Partial<PoolOptions<Thing>> = {},
): Pooled<C> {
  const driver = new FakeDriver();
  const pool = new KeepingPool({ driver, clock, random: seededRandom(1), ...options });
  return { clock, driver, pool };
}

/** Borrows so many, one after the other. */
export async function acquireMany(pool: QueuePool<Thing>, count: number): Promise<Lease<Thing>[]> {
  const leases: Lease<Thing>[] = [];
  for (let i = 0; i < count; i++) leases.push(await pool.acquire());
  return leases;
}

export function releaseAll(leases: Iterable<Lease<Thing>>): void {
  for (const lease of leases) lease.release();
}

/** The figures of SQLAlchemy's pool status: its overflow counts from minus the size. */
export function statusOf(
  pool: QueuePool<Thing>,
): [size: number, idle: number, overflow: number, out: number] {
  const { idle, live, inUse } = pool.snapshot();
  return [pool.settings.size, idle, live - pool.settings.size, inUse];
}

/** How a promise stands at this moment. */
export interface Outcome<T> {
  state: 'pending' | 'fulfilled' | 'rejected';
  value: T | null;
  error: (Error & { code?: string }) | null;
  /** When it was settled, on the clock; null while it is pending. */
  atMs: number | null;
}

/** Follows a promise, so that a test can ask how it stands without waiting for it. */
export function follow<T>(promise: Promise<T>, clock: VirtualClock): Outcome<T> {
  const outcome: Outcome<T> = { state: 'pending', value: null, error: null, atMs: null };
  promise.then(
    (value) => Object.assign(outcome, { state: 'fulfilled', value, atMs: clock.now() }),
    (error) => Object.assign(outcome, { state: 'rejected', error, atMs: clock.now() }),
  );
  return outcome;
}

/** Resolves when so much time has passed on the clock. */
export function later(clock: VirtualClock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(resolve, ms);
  });
}

const outside = new AsyncResource('outside of the tests');

/** Does something as a flow of its own: what the test itself has borrowed is no business of it. */
export function inAnotherFlow<T>(work: () => T): T {
  const flow = outside.runInAsyncScope(() => new AsyncResource('another flow'));
  return flow.runInAsyncScope(work);
}

/** A promise that a test settles itself. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
  fail(error: Error): void;
}

export function newGate(): Gate {
  let open = (): void => {};
  let fail: (error: Error) => void = () => {};
  const opened = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { opened, open, fail };
}

/** What never settles. */
export function never(): Promise<never> {
  return new Promise(() => {});
}

import { seededRandom } from '../../../src/base/random.js';
import type { Lease } from '../../../src/pool/lease.js';
import type { PoolOptions } from '../../../src/pool/options.js';
import type { QueuePool } from '../../../src/pool/queue-pool.js';
import type { PoolSnapshot } from '../../../src/snapshot/pool.js';
import { Disconnect, type Thing } from '../../helpers/fake-driver.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { meddle } from './meddler.js';
import { MoodyDriver } from './moody-driver.js';
import type { Act, Settings } from './script.js';
import { Witness } from './witness.js';

/** The class under test: the real one, or one with a defect planted in it. */
export type PoolClass = new (options: PoolOptions<Thing>) => QueuePool<Thing>;

/** One call of acquire, and what is known of it. */
export interface Acquire {
  /** Counts up from 1. */
  readonly nth: number;
  readonly since: number;
  readonly deadline: number;
  readonly controller: AbortController | null;
  /** `pending`, `served`, or the code (or else the message) of the error. */
  outcome: string;
  settledAt: number | null;
}

/** One lease that the pool has given, and how its borrower ended it. */
export interface Borrowing {
  readonly lease: Lease<Thing>;
  readonly thing: Thing;
  end: 'released' | 'invalidated' | 'failed' | 'detached' | 'detached, closed' | null;
}

/** Plays a script on a pool, and keeps account of what the pool ought to look like. */
export class Player {
  readonly settings: Settings;
  /** What has gone wrong so far, as sentences. */
  readonly problems: string[] = [];
  readonly clock = new VirtualClock();
  readonly driver = new MoodyDriver(this.clock, this.problems);
  readonly pool: QueuePool<Thing>;
  readonly acquires: Acquire[] = [];
  readonly borrowings: Borrowing[] = [];
  doubleReleases = 0;
  detaches = 0;
  graceEndsAt = Number.POSITIVE_INFINITY;
  closing: Promise<void> | null = null;
  /** Of `dispose`, `fill` and `close`, those that are not done. */
  readonly unfinished: string[] = [];
  readonly witness: Witness;

  constructor(Pool: PoolClass, settings: Settings) {
    const { meddler, acquireHook, drain, seed, ...options } = settings;
    const { clock, driver } = this;
    this.settings = settings;
    this.pool = new Pool({ ...options, driver, clock, random: seededRandom(seed), recycleJitter: 0.2 });
    if (acquireHook) this.pool.hook('acquire', () => driver.behave('acquire hook'));
    this.witness = new Witness(this);
    meddle(this, meddler);
  }

  play(what: Act): Promise<void> | void {
    switch (what.act) {
      case 'acquire':
        return this.acquire(what.timeoutMs, what.abortable ? new AbortController() : null);
      case 'tryAcquire':
        return this.#tryAcquire();
      case 'release':
        return this.release(pick(this.held, what.nth));
      case 'invalidate':
        return this.#invalidate(pick(this.held, what.nth));
      case 'softInvalidate':
        return this.#invalidateSoftly(pick(this.held, what.nth));
      case 'detach':
        return this.#detach(pick(this.held, what.nth));
      case 'endAgain':
        return this.#endAgain(pick(this.ended, what.nth), what.by);
      case 'fail':
        return this.#fail(pick(this.held, what.nth), what.how);
      case 'closeDetached':
        return this.closeDetached(pick(this.detached, what.nth));
      case 'abort':
        pick(this.abortable, what.nth)?.controller?.abort(new Error('aborted by the script'));
        return;
      case 'breakDown':
        return this.#breakDown(pick(this.openThings, what.nth));
      case 'pass':
        return this.clock.advance(what.ms);
      case 'block':
        return this.clock.block(what.ms);
      case 'invalidateAll':
        this.witness.staleFrom(this.driver.creates);
        return this.pool.invalidateAll(new Error('all invalidated by the script'));
      case 'dispose':
        return this.#begin('dispose', this.pool.dispose());
      case 'fill':
        return this.#begin('fill', this.pool.fill());
      case 'turn':
        this.driver.manners.set(what.step, what.manner);
        return;
      case 'letGo':
        return this.driver.letGo(pick(this.driver.hanging, what.nth), what.how);
      case 'close':
        return this.close(what.graceMs);
    }
  }

  /** Notes something that must come to an end, the pool's at the latest. */
  #begin(what: string, promise: Promise<void>): void {
    this.unfinished.push(what);
    const done = (): void => void this.unfinished.splice(this.unfinished.indexOf(what), 1);
    promise.then(done, (error: unknown) => this.problems.push(`${what} rejected with ${String(error)}`));
  }

  close(graceMs: number): void {
    const promise = this.pool.close({ graceMs });
    if (this.closing !== null && this.closing !== promise) this.problems.push('close gave two promises');
    if (this.closing !== null) return;
    this.closing = promise;
    this.graceEndsAt = this.clock.now() + graceMs;
    this.#begin('close', promise);
  }

  release(borrowing: Borrowing | undefined): void {
    // A listener may have been quicker.
    if (borrowing === undefined || borrowing.end !== null) return;
    borrowing.end = 'released';
    borrowing.lease.release();
  }

  closeDetached(borrowing: Borrowing | undefined): void {
    if (borrowing === undefined) return;
    borrowing.end = 'detached, closed';
    borrowing.lease.release();
  }

  get pending(): Acquire[] {
    return this.acquires.filter(({ outcome }) => outcome === 'pending');
  }

  get abortable(): Acquire[] {
    return this.acquires.filter(({ controller }) => controller !== null && !controller.signal.aborted);
  }

  /** Leases whose borrowers have not ended them; the pool may have, at the end of its close. */
  get held(): Borrowing[] {
    return this.borrowings.filter(({ end, lease }) => end === null && lease.active);
  }

  get ended(): Borrowing[] {
    return this.borrowings.filter(({ lease }) => !lease.active);
  }

  get detached(): Borrowing[] {
    return this.borrowings.filter(({ end }) => end === 'detached');
  }

  get openThings(): Thing[] {
    return this.driver.things.filter(({ closedAs }) => closedAs === null);
  }

  isDetached(thing: Thing): boolean {
    return this.borrowings.some((each) => each.thing === thing && each.end?.startsWith('detached'));
  }

  acquire(timeoutMs: number | null | undefined, controller: AbortController | null): void {
    const { clock, pool } = this;
    const since = clock.now();
    const most = timeoutMs === undefined ? pool.settings.timeoutMs : timeoutMs;
    const acquire: Acquire = {
      nth: this.acquires.length + 1,
      since,
      deadline: since + (most ?? Number.POSITIVE_INFINITY),
      controller,
      outcome: 'pending',
      settledAt: null,
    };
    this.acquires.push(acquire);
    const before = pool.snapshot();
    const options = {
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(controller && { signal: controller.signal }),
    };
    pool.acquire(options).then(
      (lease) => this.#served(acquire, lease),
      (error: Error & { code?: string }) => {
        acquire.outcome = error.code ?? error.message;
        acquire.settledAt = clock.now();
      },
    );
    // A listener that uses the pool as well would blur what came of this call.
    if (this.settings.meddler === 'nobody') this.#checkBegun(acquire, before);
  }

  /** Served at once, or waiting and then perhaps served, or refused because too many wait: exactly one of them. */
  #checkBegun({ nth }: Acquire, before: PoolSnapshot): void {
    const { counters } = this.pool.snapshot();
    const { limit, maxWaiting } = this.pool.settings;
    const waited = counters.waited - before.counters.waited;
    const refused = counters.refused - before.counters.refused;
    const served = counters.acquired - before.counters.acquired;
    const begun = waited + refused + (waited === 0 ? served : 0);
    if (begun !== (this.closing === null ? 1 : 0)) this.problems.push(`acquire ${nth} began ${begun} times`);
    const crowded = before.waiting >= maxWaiting + limit - before.inUse;
    if (refused === 1 && !crowded)
      this.problems.push(`acquire ${nth} was refused, though there was room to wait`);
    if (waited === 1 && crowded) this.problems.push(`acquire ${nth} waits, though there was no room for it`);
    if (waited === 1 && this.#mustHaveOneReady(before))
      this.problems.push(`acquire ${nth} had to wait, though ${before.idle} were idle`);
  }

  /** Whether an idle resource could be lent as it is; where it has to be looked at first, only the pool knows. */
  #mustHaveOneReady({ idle, waiting }: PoolSnapshot): boolean {
    const { prePing, acquireHook, recycleMs } = this.settings;
    const asItIs = !prePing && !acquireHook && recycleMs === null && !this.witness.anyStale;
    return asItIs && idle > 0 && waiting === 0;
  }

  #served(acquire: Acquire, lease: Lease<Thing>): void {
    const { nth } = acquire;
    acquire.outcome = 'served';
    acquire.settledAt = this.clock.now();
    // Who has given up may be told so a moment later.
    const passedOver = this.pending.find(
      (each) => each.nth < nth && each.deadline > this.clock.now() && !each.controller?.signal.aborted,
    );
    if (passedOver !== undefined)
      this.problems.push(`acquire ${nth} was served before acquire ${passedOver.nth}, which still waits`);
    this.#borrow(lease);
  }

  #tryAcquire(): void {
    const before = this.pool.snapshot();
    const lease = this.pool.tryAcquire();
    if (lease === null) {
      if (this.#mustHaveOneReady(before)) this.problems.push('tryAcquire got none of the idle ones');
      return;
    }
    if (before.waiting > 0) this.problems.push('tryAcquire overtook a waiter');
    this.#borrow(lease);
  }

  #borrow(lease: Lease<Thing>): void {
    if (!lease.active) {
      // The end of a close takes leases back, even those that their borrowers have not seen yet.
      if (this.clock.now() < this.graceEndsAt) this.problems.push(`lease ${lease.id} was over when it came`);
      return;
    }
    this.borrowings.push({ lease, thing: lease.resource, end: null });
  }

  #invalidate(borrowing: Borrowing | undefined): void {
    if (borrowing === undefined) return;
    borrowing.end = 'invalidated';
    borrowing.lease.invalidate(new Error('invalidated by the script'));
  }

  #invalidateSoftly(borrowing: Borrowing | undefined): void {
    if (borrowing === undefined) return;
    this.witness.known(borrowing.thing);
    borrowing.lease.invalidate(undefined, { soft: true });
  }

  #detach(borrowing: Borrowing | undefined): void {
    if (borrowing === undefined) return;
    borrowing.end = 'detached';
    this.detaches++;
    borrowing.lease.detach();
  }

  #endAgain(borrowing: Borrowing | undefined, by: 'release' | 'invalidate' | 'dispose'): void {
    if (borrowing === undefined) return;
    const { lease, end } = borrowing;
    if (by === 'release' && end === 'released') this.doubleReleases++;
    if (by === 'invalidate' && (end === 'released' || end === 'invalidated')) this.doubleReleases++;
    // The handle of a lease that the pool has ended learns of it here.
    const unaware = end === null || end === 'failed';
    if (unaware && by === 'invalidate') borrowing.end = 'invalidated';
    if (unaware && by === 'release') borrowing.end = 'released';
    if (by === 'dispose') lease[Symbol.dispose]();
    else lease[by]();
  }

  #fail(borrowing: Borrowing | undefined, how: 'disconnect' | 'abort' | 'ordinary'): void {
    if (borrowing === undefined) return;
    const errors = {
      disconnect: new Disconnect('gone'),
      abort: new DOMException('cancelled', 'AbortError'),
      ordinary: new Error('duplicate key'),
    };
    if (borrowing.lease.fail(errors[how]) !== 'ordinary') borrowing.end = 'failed';
  }

  #breakDown(thing: Thing | undefined): void {
    if (thing === undefined) return;
    if (thing.listener !== null) this.witness.known(thing);
    // One that breaks before it has been handed to the pool is a failed create.
    this.driver.createHasFailed = true;
    thing.breakDown();
  }
}

function pick<T>(items: readonly T[], nth: number): T | undefined {
  return items.length === 0 ? undefined : items[nth % items.length];
}

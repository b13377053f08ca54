import { channel } from 'node:diagnostics_channel';
import { Alarm } from '../base/alarm.js';
import { formatSite, formatStack } from '../base/call-site.js';
import { Deque } from '../base/deque.js';
import { Histogram } from '../base/histogram.js';
import { asError } from '../base/promises.js';
import { WaiterQueue } from '../base/waiter-queue.js';
import type { PoolSnapshot } from '../snapshot/pool.js';
import { AdaptiveSize } from './adaptive-size.js';
import { announce, type BrandedPool, POOL_BRAND, type PoolBrand } from './brand.js';
import { newCounters } from './counters.js';
import { CreatePacer } from './create-pacer.js';
import { type DeadlineOwner, Deadlines } from './deadlines.js';
import type { DestroyReason } from './driver.js';
import { PoolError } from './errors.js';
import type { Events, PoolEventName, PoolEvents } from './events.js';
import { copyListeners, newEvents } from './events.js';
import type { HookName, PoolHooks } from './hooks.js';
import { addHook, copyHooks, newHooks } from './hooks.js';
import { LeakWatch, type WatchedAcquire } from './leak-watch.js';
import type { Detached, ErrorVerdict, InvalidateOptions, LeaseOwner, ReleaseOptions } from './lease.js';
import { Lease } from './lease.js';
import { NestedWatch } from './nested-watch.js';
import type { AcquireOptions, PoolOptions, PoolSettings } from './options.js';
import { acquireProblem, resolveOptions } from './options.js';
import { ResourceLife } from './resource-life.js';
import type { Slot } from './slot.js';
import { holdersOf, Slots } from './slots.js';
import type { PoolCondition } from './timeout.js';
import { Waiter } from './waiter.js';

/** Every pool that is made, for those who watch a whole process. */
const opened = channel('poolctl:pool:open');

/** Idle resources that were lent are made up for after this long: a spike of short leases is over by then. */
const REFILL_MS = 100;
/** An adaptive pool closes idle resources beyond the largest size of this time: it may need them again. */
const SURPLUS_MS = 10_000;
const HOLDERS_IN_ERRORS = 10;
const DEFAULT_GRACE_MS = 5000;

/**
 * A pool in the manner of SQLAlchemy's QueuePool, for any kind of resource.
 *
 * `size` resources are kept, `maxOverflow` more are opened while all are in use and closed when they come back.
 * Every resource lives in a slot, and every slot is in exactly one state (see SlotState). Three rules carry the
 * algorithm:
 *
 * 1. Acquires that cannot be served at once wait in one queue, and whatever becomes free (released, created,
 *    checked) goes to the longest waiter: nothing is tied to a waiter that may give up. See `#offer`.
 * 2. A slot counts as live from the start of its create until its resource has been closed, so the limit holds
 *    on the server as well. See `Slots`, which counts them.
 * 3. Whenever waiters, idle resources or places change, `#pump` matches them up again.
 *
 * An example, size 2 and no overflow, with three acquires at once: all three wait in the queue, `#pump` opens two
 * resources, and `#created` offers each to the longest waiter, the first and the second. The third is served by
 * whatever comes first: a release goes from `#returned` by way of `#place` to `#grant`, in the same turn, without
 * ever being idle; a resource that breaks is `#retire`d, and once it is closed `#vacate` pumps again, which opens
 * another for it.
 *
 * From the top: acquire, matching, opening, release, the end of a resource; then what goes on beside them: timeouts,
 * upkeep, leaks, watching, close.
 */
export class QueuePool<R> implements LeaseOwner<R>, BrandedPool, AsyncDisposable {
  readonly settings: PoolSettings<R>;
  readonly #options: PoolOptions<R>;
  readonly #events: Events<R>;
  readonly #hooks = newHooks<R>();
  readonly #life: ResourceLife<R>;
  readonly #pacer: CreatePacer;
  readonly #leaks: LeakWatch<R> | null;
  readonly #minIdle: number;
  /** null: the size is fixed. */
  readonly #sizer: AdaptiveSize | null;
  /** The largest adaptive size of late, which is forgotten then. */
  #recent = { size: 0, until: 0 };
  /** Resources that may be open. */
  #limit: number;
  /** Leases that may be out: an adaptive pool lends fewer than are open while it tries a smaller size. */
  #lendable = Number.POSITIVE_INFINITY;
  readonly #waitTimes: Histogram | null;
  readonly #holdTimes: Histogram | null;
  /** Whether lending and releasing read the clock at all. */
  readonly #timed: boolean;
  /** Whether idle resources age, or are pinged. */
  readonly #tendsIdle: boolean;
  /** Whether a resource may be too old to be lent, or must be checked before. */
  #vets = false;
  /** Whether anything is done to a resource that comes back. */
  #resets = false;

  readonly #idle = new Deque<Slot<R>>();
  readonly #waiters = new WaiterQueue<Waiter<R>>();
  readonly #slots = new Slots<R>();
  readonly #counters = newCounters();
  #leasesMade = 0;
  #peakWaiting = 0;
  /** Resources of an older generation are stale: closed instead of lent. */
  #generation = 0;
  #createError: Error | null = null;
  #pumping = false;

  readonly #deadlines: Deadlines<R>;
  /** Rings when leases, or idle resources, are to be looked at. */
  readonly #upkeep: Alarm;
  readonly #nested: NestedWatch<R>;

  readonly #closeSignal = new AbortController();
  #closed = false;
  #closeDone: Promise<void> | null = null;
  #onEmpty: (() => void) | null = null;

  /** Connects to nothing yet. Throws ERR_POOL_OPTION if an option is wrong. */
  constructor(options: PoolOptions<R>) {
    this.#options = options;
    this.settings = resolveOptions(options);
    const { name, histograms, leakWatch, recycleMs, prePing, maxIdleMs, keepaliveMs, random, clock, sizing } =
      this.settings;
    this.#events = newEvents(name);
    this.#life = new ResourceLife(this.settings, this.#hooks, this.#events);
    this.#pacer = new CreatePacer(random);
    this.#nested = new NestedWatch(name);
    this.#deadlines = new Deadlines(this.#deadlineOwner());
    this.#upkeep = new Alarm(clock, () => this.#lookAfter(), { background: true });
    this.#minIdle = this.settings.minIdle;
    this.#limit = this.settings.limit;
    this.#sizer = sizing === null ? null : new AdaptiveSize(sizing, clock.now());
    if (this.#sizer !== null) {
      const sizer = this.#sizer;
      this.#adapt(sizer);
      if (this.settings.driver.capacity !== undefined) {
        this.#life.beforeFirst = (resource) => this.#askCapacity(sizer, resource);
        // Before the server has said how many it allows, one is opened.
        this.#limit = 1;
      }
    }
    this.#waitTimes = histograms ? new Histogram() : null;
    this.#holdTimes = histograms ? new Histogram() : null;
    this.#leaks =
      leakWatch === null
        ? null
        : new LeakWatch(name, leakWatch, (slot, leaseId) => this.#collect(slot, leaseId));
    this.#tendsIdle = maxIdleMs !== null || keepaliveMs !== null;
    this.#timed =
      this.#tendsIdle || histograms || leakWatch !== null || recycleMs !== null || prePing || sizing !== null;
    this.#hooksChanged();
    announce(this);
    if (opened.hasSubscribers) opened.publish({ pool: this });
  }

  get name(): string {
    return this.settings.name;
  }

  // ---- acquire -------------------------------------------------------------------------------------------------

  /**
   * Borrows a resource: an idle one, a new one, or the next that is released; waiters are served first come, first
   * served. Rejects with ERR_POOL_TIMEOUT (saying why), ERR_POOL_ABORTED, ERR_POOL_QUEUE_FULL, ERR_POOL_CREATE
   * (nothing could be opened, and no lease is out that could come back) or ERR_POOL_CLOSED.
   */
  acquire(options?: AcquireOptions): Promise<Lease<R>> {
    if (options !== undefined) {
      const problem = acquireProblem(options);
      if (problem !== null)
        return Promise.reject(new PoolError('ERR_POOL_OPTION', `pool '${this.name}': ${problem}`));
    }
    if (this.#closed || options?.signal?.aborted) return this.#refuse(options?.signal);
    const now = this.#now();
    const watched = this.#leaks === null ? null : this.#leaks.watch(now, this.acquire);
    const slot = this.#takeIdle(now);
    if (slot === null) return this.#enqueue(options, watched, now);
    this.#waitTimes?.record(0);
    return Promise.resolve(this.#lend(slot, now, watched, 0));
  }

  #refuse(signal: AbortSignal | undefined): Promise<never> {
    return Promise.reject(
      this.#closed ? this.#closedError() : abortedError(this.name, signal as AbortSignal),
    );
  }

  /** Borrows an idle resource if one can be lent this very moment, else answers null. Never waits nor connects. */
  tryAcquire(): Lease<R> | null {
    if (this.#closed) return null;
    const now = this.#now();
    const slot = this.#takeIdle(now);
    if (slot === null) return null;
    const watched = this.#leaks === null ? null : this.#leaks.watch(now, this.tryAcquire);
    this.#waitTimes?.record(0);
    return this.#lend(slot, now, watched, 0);
  }

  /** Borrows a resource for the time that `work` takes; it is released whether that succeeds or throws. */
  async use<T>(work: (resource: R, lease: Lease<R>) => Promise<T> | T, options?: AcquireOptions): Promise<T> {
    const lease = await this.acquire(options);
    try {
      return await work(lease.resource, lease);
    } finally {
      lease[Symbol.dispose]();
    }
  }

  /** The time, where lending and releasing need it. A listener to `acquire` needs it, too: the event tells the wait. */
  #now(): number {
    return this.#timed || this.#events.acquire.active ? this.settings.clock.now() : 0;
  }

  /** An idle resource that can be lent as it is; null if there is none, or others wait for it. */
  #takeIdle(now: number): Slot<R> | null {
    if (this.#waiters.length > 0) return null;
    if (this.#lentFully) return null;
    const slot = this.#nextIdle();
    if (slot === undefined) return null;
    const isFit = !this.#vets || (!this.#isTooOld(slot, now) && !this.#needsCheck(slot, now));
    if (isFit && !this.#isStale(slot)) return slot;
    if (this.settings.lifo) this.#idle.push(slot);
    else this.#idle.unshift(slot);
    return null;
  }

  #nextIdle(): Slot<R> | undefined {
    return this.settings.lifo ? this.#idle.pop() : this.#idle.shift();
  }

  #enqueue(
    options: AcquireOptions | undefined,
    watched: WatchedAcquire | null,
    calledAt: number,
  ): Promise<Lease<R>> {
    const { maxWaiting } = this.settings;
    // As many as there are places not lent can be served without a release, and are no crowd.
    if (this.#waiters.length >= maxWaiting + this.#limit - this.#slots.inUse)
      return Promise.reject(this.#crowded());
    const now = this.#timed ? calledAt : this.settings.clock.now();
    const timeoutMs = options?.timeoutMs === undefined ? this.settings.timeoutMs : options.timeoutMs;
    const waiter = new Waiter<R>(now, timeoutMs ?? Number.POSITIVE_INFINITY, watched);
    const waiting = this.#waiters.push(waiter);
    if (waiting === 1) this.#pacer.restart();
    if (waiting > this.#peakWaiting) this.#peakWaiting = waiting;
    this.#counters.waited++;
    if (watched !== null && watched.nestedIn !== null) this.#nested.add(waiter, this.#counters.released, now);
    if (options?.signal) this.#watchAbort(waiter, options.signal);
    if (this.#events.wait.active) this.#events.wait.emit({ waiting });
    if (this.#idle.length > 0 || this.#slots.live < this.#limit) this.#pump(now);
    this.#deadlines.watch(waiter, now);
    return waiter.promise;
  }

  #crowded(): PoolError {
    this.#counters.refused++;
    const message = `pool '${this.name}': ${this.#waiters.length} acquires wait already, the most that maxWaiting allows`;
    return new PoolError('ERR_POOL_QUEUE_FULL', message, { hint: 'shed load earlier, or enlarge the pool' });
  }

  #watchAbort(waiter: Waiter<R>, signal: AbortSignal): void {
    this.#waiters.leaveOnAbort(waiter, signal, () => {
      this.#counters.aborted++;
      if (this.#events.acquireAborted.active) {
        this.#events.acquireAborted.emit({ waitedMs: this.settings.clock.now() - waiter.since });
      }
      waiter.reject(abortedError(this.name, signal));
    });
  }

  /** Begins a lease. The slot is in no list. */
  #lend(slot: Slot<R>, now: number, watched: WatchedAcquire | null, waitedMs: number): Lease<R> {
    this.#slots.lend(slot, ++this.#leasesMade, now);
    this.#sizer?.began(waitedMs);
    this.#counters.acquired++;
    const lease = new Lease<R>(this, slot, slot.leaseId);
    if (this.#idle.length < this.#minIdle) this.#armUpkeep(this.settings.clock.now() + REFILL_MS);
    if (this.#leaks !== null) this.#watchLease(this.#leaks, lease, slot, watched);
    if (this.#events.acquire.active) this.#tellAcquired(slot, waitedMs);
    return lease;
  }

  #watchLease(leaks: LeakWatch<R>, lease: Lease<R>, slot: Slot<R>, watched: WatchedAcquire | null): void {
    if (watched !== null) leaks.begin(watched, lease, slot);
    // The timer may be set for something later.
    const { thresholdMs } = leaks;
    if (thresholdMs !== null && slot.acquiredAt + thresholdMs < this.#upkeep.at) {
      this.#armUpkeep(slot.acquiredAt + thresholdMs);
    }
  }

  #tellAcquired(slot: Slot<R>, waitedMs: number): void {
    const { leaseId, resource, slotInfo } = slot;
    this.#events.acquire.emit({
      ...{ leaseId, slotId: slotInfo.slotId, resource: resource as R },
      waitedMs,
    });
  }

  // ---- matching waiters with resources -----------------------------------------------------------------------

  /** Hands idle resources to waiters, and opens more for those that are left. */
  #pump(now: number): void {
    // Closing a stale one leads back here: ten thousands of them would be as many calls deep.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#idle.length > 0 && this.#waiters.length > this.#slots.checking && !this.#lentFully)
        this.#offer(this.#nextIdle()!, now);
    } finally {
      this.#pumping = false;
    }
    this.#openForWaiters(now);
  }

  /** A resource has become free after a while, in which much may have happened. */
  #offer(slot: Slot<R>, now: number): void {
    if (this.#isStale(slot)) this.#retireStale(slot);
    else this.#place(slot, now);
  }

  /** A good resource is free: it goes to the longest waiter, or is kept, or was one too many. */
  #place(slot: Slot<R>, now: number): void {
    if (this.#waiters.length === 0) this.#keep(slot, now);
    else if (this.#lentFully) this.#keep(slot, now);
    else if (!this.#vets) this.#grant(slot, now);
    else if (this.#isTooOld(slot, now)) this.#recycle(slot);
    else if (this.#needsCheck(slot, now)) void this.#check(slot, false);
    else this.#grant(slot, now);
  }

  #grant(slot: Slot<R>, now: number): void {
    const waiter = this.#waiters.shift()!;
    const waitedMs = now - waiter.since;
    this.#waitTimes?.recordMs(waitedMs);
    waiter.resolve(this.#lend(slot, now, waiter.watched, waitedMs));
  }

  #keep(slot: Slot<R>, now: number): void {
    if (this.#idle.length >= this.settings.keep) {
      this.#retire(slot, 'overflow');
      return;
    }
    slot.state = 'idle';
    this.#idle.push(slot);
    if (this.#tendsIdle) this.#armTending(slot, now);
  }

  /** Invalidated softly, or with all others, or left over when the pool was closed: not to be lent again. */
  #isStale(slot: Slot<R>): boolean {
    return slot.soft || slot.generation !== this.#generation;
  }

  #retireStale(slot: Slot<R>): void {
    this.#retire(slot, this.#closed ? 'closed' : 'invalidated');
  }

  #isTooOld(slot: Slot<R>, now: number): boolean {
    return now - slot.createdAt > slot.recycleAfterMs;
  }

  #recycle(slot: Slot<R>): void {
    this.#counters.recycled++;
    this.#retire(slot, 'recycled');
  }

  #needsCheck(slot: Slot<R>, now: number): boolean {
    return this.#needsPing(slot, now) || this.#hooks.acquire.length > 0;
  }

  #needsPing(slot: Slot<R>, now: number): boolean {
    return this.settings.prePing && !slot.fresh && now - slot.usedAt >= this.settings.pingIdleMs;
  }

  /** Validates a resource, then lends or keeps it. Nobody is tied to it meanwhile. */
  async #check(slot: Slot<R>, keepalive: boolean): Promise<void> {
    const { clock } = this.settings;
    this.#slots.enter(slot, 'checking', clock.now());
    let alive = true;
    let failed: Error | null = null;
    try {
      if (keepalive || this.#needsPing(slot, clock.now())) alive = await this.#life.ping(slot);
      if (alive && !keepalive) await this.#life.runAcquireHooks(slot);
    } catch (error) {
      failed = asError(error);
    }
    this.#slots.leave('checking');
    if (!alive) this.#pingFailed(slot);
    else if (failed !== null) this.#acquireHookFailed(slot, failed);
    else this.#checked(slot, clock.now(), keepalive);
    // Waiters that could not use this one do not wait until it is closed.
    if (this.#waiters.length > 0) this.#pump(clock.now());
  }

  #checked(slot: Slot<R>, now: number, keepalive: boolean): void {
    slot.usedAt = now;
    // After a keepalive a waiter may have come for whom the acquire hooks are still to be run.
    if (keepalive || this.#isStale(slot) || this.#waiters.length === 0) this.#offer(slot, now);
    else this.#grant(slot, now);
  }

  #pingFailed(slot: Slot<R>): void {
    this.#counters.pingFailed++;
    // Resources as old as this one have most likely died with it.
    this.#endGeneration(slot.generation, new Error('pre-ping failed'));
    this.#retire(slot, 'ping-failed');
  }

  #acquireHookFailed(slot: Slot<R>, error: Error): void {
    const waiter = this.#waiters.first;
    const disconnect = this.#life.isDisconnect(error);
    if (waiter !== null) waiter.attempts++;
    if (disconnect) this.#endGeneration(slot.generation, error);
    if (waiter !== null && (!disconnect || waiter.attempts >= 2)) {
      this.#waiters.remove(waiter);
      waiter.reject(error);
    }
    this.#retire(slot, 'hook-failed');
  }

  // ---- opening -------------------------------------------------------------------------------------------------

  #openForWaiters(now: number): void {
    const wanted = Math.min(
      this.#waiters.length - this.#slots.creating - this.#slots.checking,
      this.#limit - this.#slots.live,
    );
    if (
      wanted > 0 &&
      this.#openSome(now, wanted, this.#slots.inUse + this.#slots.checking + this.#slots.resetting > 0) <
        wanted
    ) {
      this.#deadlines.wakeAt(this.#pacer.nextAt(now), now);
    }
    if (this.settings.minIdle > 0) this.#openForMinIdle(now);
  }

  #openForMinIdle(now: number): void {
    const { minIdle, keep } = this.settings;
    // While acquires wait, it is they who decide how many are opened.
    if (this.#closed || this.#waiters.length > 0) return;
    const ready = this.#idle.length + this.#slots.creating + this.#slots.checking;
    const wanted = Math.min(minIdle - ready, Math.min(keep, this.#limit) - this.#slots.live);
    if (wanted > 0 && this.#openSome(now, wanted, false) < wanted) this.#armUpkeep(this.#pacer.nextAt(now));
  }

  /** Opens as many as the pacer allows now, and answers how many. */
  #openSome(now: number, wanted: number, busy: boolean): number {
    const allowed = this.#pacer.allowed(now, {
      wanted,
      waiting: this.#waiters.length,
      busy,
      overflow: this.#slots.live >= this.settings.keep,
      served: this.#counters.acquired,
    });
    for (let i = 0; i < Math.min(wanted, allowed); i++) {
      this.#pacer.started(now);
      this.#open();
    }
    return allowed;
  }

  /** Opens until `minIdle` resources are idle; resolves when they are, or a create has failed. */
  async fill(): Promise<void> {
    if (this.#closed) return;
    this.#openForMinIdle(this.settings.clock.now());
    while (this.#slots.creating > 0 && !this.#closed) await this.#creatingChanged();
  }

  #creatingChanged(): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        for (const off of offs) off();
        resolve();
      };
      const offs = [this.on('create', settle), this.on('createFailed', settle)];
    });
  }

  #open(): void {
    const startedAt = this.settings.clock.now();
    // The generation of the beginning: what is opened while the server goes down is as suspect as what was open.
    const slot = this.#slots.occupy(startedAt, this.#generation);
    slot.beyondSize = this.#slots.live > this.settings.keep;
    void this.#life
      .open(slot, this.#closeSignal.signal, (cause) => this.#broken(slot, cause))
      .then(
        () => this.#created(slot, startedAt),
        (error: unknown) => this.#createFailed(slot, asError(error)),
      );
  }

  #created(slot: Slot<R>, startedAt: number): void {
    const now = this.settings.clock.now();
    this.#slots.leave('creating');
    slot.fresh = true;
    slot.usedAt = now;
    this.#counters.created++;
    if (slot.beyondSize) this.#counters.overflowCreated++;
    this.#createError = null;
    this.#pacer.succeeded(now - startedAt);
    const { slotId } = slot.slotInfo;
    if (this.#events.create.active) {
      this.#events.create.emit({ resource: slot.resource as R, slotId, tookMs: now - startedAt });
    }
    this.#offer(slot, now);
    // After failures one create at a time is tried; this one shows that the way is clear.
    if (this.#waiters.length > 0 || this.settings.minIdle > 0) this.#pump(now);
  }

  #createFailed(slot: Slot<R>, error: Error): void {
    const now = this.settings.clock.now();
    const { resource } = slot;
    this.#slots.leave('creating');
    this.#counters.createFailed++;
    this.#createError = error;
    const retryAt = this.#pacer.failed(now);
    const isFull = this.#sizer !== null && this.#life.isFull(error);
    if (isFull && this.#sizer?.refused(now, this.#slots.live - this.#slots.creating - 1))
      this.#adapt(this.#sizer);
    const { failures } = this.#pacer;
    if (resource !== null) this.#retire(slot, 'hook-failed');
    else if (slot.opening !== null && !this.#closed) this.#abandon(slot, slot.opening, now);
    else this.#vacate(slot);
    if (this.#events.createFailed.active) {
      this.#events.createFailed.emit({ error, failures, retryInMs: retryAt - now });
    }
    // A lease that is out will come back and serve a waiter; with none out nothing else can.
    // So will the resources of an adaptive pool that has learned that there are no more.
    const mayWait = isFull && this.#supply > 0;
    if (this.#slots.inUse === 0 && !this.#closed && !mayWait) this.#rejectForWantOf(error);
    if (this.#waiters.length > 0) this.#deadlines.wakeAt(retryAt, now);
    if (this.settings.minIdle > 0) this.#armUpkeep(retryAt);
  }

  /** A create that was given up may go on at the server. Its place stays taken, so that the limit holds there too. */
  #abandon(slot: Slot<R>, opening: Promise<void>, now: number): void {
    this.#slots.enter(slot, 'closing', now);
    void this.#life.ended(opening, this.#closeSignal.signal).then(() => {
      this.#slots.leave('closing');
      this.#vacate(slot);
    });
  }

  /** Resources that will be free without a release. */
  get #supply(): number {
    return this.#slots.creating + this.#slots.checking + this.#slots.resetting + this.#idle.length;
  }

  /** One failed create, one disappointed waiter; when no other create is under way, all of them. */
  #rejectForWantOf(error: Error): void {
    const supply = this.#supply;
    const disappointed = supply === 0 ? this.#waiters.length : this.#waiters.length > supply ? 1 : 0;
    for (let i = 0; i < disappointed; i++) {
      const message = `pool '${this.name}': opening a connection failed: ${error.message}`;
      const hint = adviceOf(error) ?? 'check that the server is up, reachable, and has connections left';
      this.#waiters.shift()!.reject(new PoolError('ERR_POOL_CREATE', message, { cause: error, hint }));
    }
  }

  // ---- release -------------------------------------------------------------------------------------------------

  /** @internal for Lease */
  releaseLease(slot: Slot<R>, leaseId: number, options: ReleaseOptions): void {
    if (slot.leaseId !== leaseId) return;
    const now = this.#now();
    this.#endLease(slot, now);
    if (slot.finalizers !== null) this.#runFinalizers(slot, slot.finalizers);
    if (this.#isStale(slot)) this.#retireStale(slot);
    else if (this.#resets) this.#reset(slot, now, options.alreadyReset === true);
    else {
      // Nothing has been done to it since the check above, so it need not be offered again from the start.
      slot.usedAt = now;
      this.#place(slot, now);
    }
  }

  /** @internal for Lease */
  invalidateLease(slot: Slot<R>, leaseId: number, options: InvalidateOptions): void {
    if (slot.leaseId !== leaseId) return;
    const { cause = null, soft = false } = options;
    this.#tellInvalidated(slot, soft, cause);
    if (soft) {
      slot.soft = true;
      return;
    }
    this.#endLease(slot, this.#now(), false);
    slot.finalizers = null;
    this.#retire(slot, 'invalidated');
  }

  /** @internal for Lease */
  detachLease(slot: Slot<R>, leaseId: number): Detached<R> | null {
    if (slot.leaseId !== leaseId) return null;
    const resource = slot.resource as R;
    const detached = { resource, info: { ...slot.info }, closed: false };
    this.#endLease(slot, this.#now());
    slot.finalizers = null;
    this.#counters.detached++;
    if (this.#events.detach.active) this.#events.detach.emit({ resource, slotId: slot.slotInfo.slotId });
    slot.stopListening?.();
    this.#vacate(slot);
    return detached;
  }

  /** @internal for Lease */
  destroyDetached(detached: Detached<R>): void {
    if (detached.closed) return;
    detached.closed = true;
    void this.#life.closeDetached(detached.resource);
  }

  /** @internal for Lease */
  failLease(slot: Slot<R>, leaseId: number, error: unknown): ErrorVerdict {
    const isOut = slot.leaseId === leaseId;
    const { disconnect, unfit } = this.#life.judge(error, isOut ? slot.resource : null);
    if (disconnect) {
      if (isOut) {
        this.#endGeneration(slot.generation, asError(error));
        this.invalidateLease(slot, leaseId, { cause: asError(error) });
      }
      return 'disconnect';
    }
    // It still works, so its borrower can roll back. It is closed when it comes back.
    if (unfit && !slot.soft) this.invalidateLease(slot, leaseId, { cause: asError(error), soft: true });
    if (!(error instanceof Error) || error.name !== 'AbortError') return 'ordinary';
    if (isOut) this.invalidateLease(slot, leaseId, { cause: error });
    return 'cancelled';
  }

  #endLease(slot: Slot<R>, now: number, wentWell = true): void {
    const { leaseId } = slot;
    this.#slots.takeBack(slot);
    this.#counters.released++;
    this.#holdTimes?.recordMs(now - slot.acquiredAt);
    if (this.#sizer !== null && wentWell) this.#measure(this.#sizer, now, now - slot.acquiredAt);
    if (this.#leaks !== null) this.#unwatchLease(this.#leaks, slot, leaseId, now);
    if (this.#events.release.active) this.#tellReleased(slot, leaseId, now);
  }

  #tellReleased(slot: Slot<R>, leaseId: number, now: number): void {
    const heldMs = this.#timed ? now - slot.acquiredAt : null;
    this.#events.release.emit({ leaseId, slotId: slot.slotInfo.slotId, heldMs });
  }

  #runFinalizers(slot: Slot<R>, finalizers: readonly (() => void)[]): void {
    slot.finalizers = null;
    for (const finalizer of finalizers) {
      try {
        finalizer();
      } catch (error) {
        this.#events.listenerFailed.emit({ event: 'onRelease', error });
      }
    }
  }

  /** Brings a returned resource back to a clean state; in the same turn if there is nothing to wait for. */
  #reset(slot: Slot<R>, now: number, alreadyReset: boolean, asyncSafe = true): void {
    let pending: Promise<void> | undefined;
    try {
      pending = this.#life.reset(slot, alreadyReset, asyncSafe);
    } catch (error) {
      this.#resetFailed(slot, asError(error));
      return;
    }
    if (pending === undefined) this.#returned(slot, now);
    else this.#awaitReset(slot, pending);
  }

  #awaitReset(slot: Slot<R>, pending: Promise<void>): void {
    this.#slots.enter(slot, 'resetting', this.settings.clock.now());
    pending.then(
      () => {
        this.#slots.leave('resetting');
        if (this.#isStale(slot)) this.#retireStale(slot);
        else this.#returned(slot, this.settings.clock.now());
      },
      (error: unknown) => {
        this.#slots.leave('resetting');
        this.#resetFailed(slot, asError(error));
      },
    );
  }

  #returned(slot: Slot<R>, now: number): void {
    if (this.#hooks.release.length > 0 && !this.#runReleaseHooks(slot)) return;
    slot.usedAt = now;
    // Not straight to #place: a reset or a hook may have found out that the resource is broken.
    this.#offer(slot, now);
  }

  /** Whether they all went well; if not, the resource is done with. */
  #runReleaseHooks(slot: Slot<R>): boolean {
    try {
      this.#life.runReleaseHooks(slot);
      return true;
    } catch (error) {
      this.#resetFailed(slot, asError(error));
      return false;
    }
  }

  #resetFailed(slot: Slot<R>, error: Error): void {
    this.#counters.resetFailed++;
    this.#events.resetFailed.emit({ resource: slot.resource as R, slotId: slot.slotInfo.slotId, error });
    if (this.#life.isDisconnect(error)) this.#endGeneration(slot.generation, error);
    this.#tellInvalidated(slot, false, error);
    this.#retire(slot, 'reset-failed');
  }

  /** @internal for Lease */
  doubleRelease(leaseId: number): void {
    this.#counters.doubleReleased++;
    if (!this.#events.doubleRelease.active) return;
    const site = formatSite(this.#leaks?.capture(this.doubleRelease) ?? null);
    this.#events.doubleRelease.emit({ leaseId, site });
  }

  // ---- invalidation and the end of a resource ------------------------------------------------------------------

  /**
   * Says that every resource opened so far may be dead. Those that are out are closed when they come back, idle
   * ones when they would be lent next.
   */
  invalidateAll(cause: Error): void {
    this.#endGeneration(this.#generation, cause);
  }

  /** Ends a generation, once: of a storm of errors about it only the first counts. */
  #endGeneration(generation: number, cause: Error): void {
    if (generation !== this.#generation) return;
    this.#generation++;
    if (this.#events.invalidateAll.active) this.#events.invalidateAll.emit({ cause });
  }

  /** Closes what is idle now. What is out comes back as usual; the pool stays in use. */
  async dispose(): Promise<void> {
    const slots = [...this.#idle];
    while (this.#idle.length > 0) this.#retire(this.#nextIdle()!, 'disposed');
    await Promise.all(slots.map((slot) => slot.closing));
  }

  /** A new pool of the same class, settings, hooks and listeners, with nothing open. */
  recreate(): this {
    const Same = this.constructor as new (options: PoolOptions<R>) => this;
    const pool = new Same(this.#options);
    copyListeners(this.#events, pool.#events);
    copyHooks(this.#hooks, pool.#hooks);
    pool.#hooksChanged();
    return pool;
  }

  /** A resource broke by itself: closed if idle; if it is out, when it comes back. */
  #broken(slot: Slot<R>, cause: Error): void {
    if (slot.state === 'closing' || slot.state === 'vacant') return;
    this.#tellInvalidated(slot, slot.state !== 'idle', cause);
    if (slot.state === 'idle' && this.#idle.remove(slot)) this.#retire(slot, 'broken');
    else slot.soft = true;
  }

  #tellInvalidated(slot: Slot<R>, soft: boolean, cause: Error | null): void {
    if (soft) this.#counters.softInvalidated++;
    else this.#counters.invalidated++;
    if (!this.#events.invalidate.active) return;
    this.#events.invalidate.emit({
      resource: slot.resource as R,
      slotId: slot.slotInfo.slotId,
      soft,
      cause,
    });
  }

  /** Closes a resource that is in no list. Its place stays taken until it is really closed. */
  #retire(slot: Slot<R>, reason: DestroyReason): void {
    const resource = slot.resource as R;
    // Set before the driver is called, which may report it broken. The time counts from here if it takes any.
    this.#slots.enter(slot, 'closing', slot.stateSince);
    slot.stopListening?.();
    this.#counters.destroyed++;
    if (this.#events.destroy.active) {
      this.#events.destroy.emit({ resource, slotId: slot.slotInfo.slotId, reason });
    }
    const closed = (): void => {
      this.#slots.leave('closing');
      this.#vacate(slot);
    };
    const closing = this.#life.close(resource, reason);
    if (closing === undefined) closed();
    else {
      slot.stateSince = this.settings.clock.now();
      slot.closing = closing.then(closed);
    }
  }

  /** The slot holds nothing any more, and its place is free. */
  #vacate(slot: Slot<R>): void {
    this.#slots.vacate(slot);
    if (this.#closed) {
      if (this.#slots.live === 0) this.#onEmpty?.();
    } else if (this.#waiters.length > 0 || this.settings.minIdle > 0) this.#pump(this.settings.clock.now());
  }

  // ---- time: deadlines, pacing, upkeep -------------------------------------------------------------------------

  #deadlineOwner(): DeadlineOwner<R> {
    return {
      clock: this.settings.clock,
      waiters: this.#waiters,
      look: (now) => this.#reportNested(now),
      pump: (now) => this.#pump(now),
      condition: (now) => this.#condition(now),
      timedOut: (error) => {
        this.#counters.timedOut++;
        if (this.#events.acquireTimeout.active) this.#events.acquireTimeout.emit({ error });
      },
    };
  }

  /** The state of the pool, as timeout errors explain it. */
  #condition(now: number): Omit<PoolCondition, 'blocked'> {
    const { live, inUse } = this.#slots;
    return {
      ...{ pool: this.name, ...this.#sizes, inUse },
      full: live >= this.#limit || this.#lentFully,
      overflow: Math.max(0, live - this.settings.keep),
      busy: this.#slots.busyPlaces(now),
      waiting: this.#waiters.length,
      createError: this.#createError,
      holders: holdersOf(this.#slots.leased().slice(0, HOLDERS_IN_ERRORS), this.#timed ? now : null),
    };
  }

  /** Waiters that hold up themselves. */
  #reportNested(now: number): void {
    const isFull = this.#slots.inUse >= Math.min(this.#limit, this.#lendable);
    const reports = this.#nested.sweep(this.#counters.released, isFull, now);
    this.#counters.nested += reports.length;
    for (const report of reports) this.#events.nested.emit(report);
  }

  #armUpkeep(at: number): void {
    this.#upkeep.set(at, this.settings.clock.now());
  }

  /** Leaks, idle resources too old or too quiet, and idle ones missing. */
  #lookAfter(): void {
    if (this.#closed) return;
    const now = this.settings.clock.now();
    if (this.#leaks !== null) {
      const { leaked, reports, nextAt } = this.#leaks.sweep(this.#slots.leased(), now);
      this.#counters.leaked += leaked;
      for (const report of reports) this.#events.leak.emit(report);
      this.#armUpkeep(nextAt);
    }
    this.#tendIdle(now);
    if (this.#sizer !== null) this.#closeSurplus(this.#sizer, now);
    this.#openForMinIdle(now);
  }

  #tendIdle(now: number): void {
    if (!this.#tendsIdle) return;
    const { maxIdleMs, keepaliveMs, minIdle, random } = this.settings;
    for (const slot of [...this.#idle]) {
      // A listener may have acquired it while another was being closed.
      if (slot.state !== 'idle') continue;
      const idleMs = now - slot.usedAt;
      if (maxIdleMs !== null && idleMs >= maxIdleMs && this.#idle.length > minIdle) {
        this.#idle.remove(slot);
        this.#retire(slot, 'max-idle');
      } else if (keepaliveMs !== null && idleMs >= keepaliveMs * (1 - random() / 10)) {
        this.#idle.remove(slot);
        void this.#check(slot, true);
      } else this.#armTending(slot, now);
    }
  }

  /** Sees to it that an idle resource is looked at again when there may be something to do. */
  #armTending(slot: Slot<R>, now: number): void {
    const { maxIdleMs, keepaliveMs } = this.settings;
    if (maxIdleMs !== null && now < slot.usedAt + maxIdleMs) this.#armUpkeep(slot.usedAt + maxIdleMs);
    if (keepaliveMs !== null) {
      this.#armUpkeep(Math.max(slot.usedAt + keepaliveMs * 0.9, now + keepaliveMs / 20));
    }
  }

  // ---- adaptive size -------------------------------------------------------------------------------------------

  /** Whether as many leases are out as the chosen size allows. */
  get #lentFully(): boolean {
    return this.#slots.inUse + this.#slots.checking >= this.#lendable;
  }

  /** A lease has ended, whose resource has not been placed yet. */
  #measure(sizer: AdaptiveSize, now: number, heldMs: number): void {
    if (sizer.ended(now, heldMs, this.#slots.inUse + 1, this.#waiters.length)) this.#resize(sizer, now);
  }

  #resize(sizer: AdaptiveSize, now: number): void {
    this.#adapt(sizer);
    if (sizer.size >= this.#recent.size) this.#recent = { size: sizer.size, until: now + SURPLUS_MS };
    this.#armUpkeep(this.#recent.until);
    if (this.#waiters.length > 0) this.#pump(now);
  }

  /** The server says how many it allows. If it does not, its refusals tell. */
  async #askCapacity(sizer: AdaptiveSize, resource: R): Promise<void> {
    const most = await this.#life.capacity(resource);
    if (most !== null) sizer.allows(most);
    this.#adapt(sizer);
  }

  #adapt(sizer: AdaptiveSize): void {
    this.#limit = sizer.size;
    this.#lendable = sizer.size;
  }

  #closeSurplus(sizer: AdaptiveSize, now: number): void {
    if (now >= this.#recent.until) {
      const size = Math.max(sizer.size, sizer.settled);
      this.#recent = { size, until: now + SURPLUS_MS };
      while (this.#slots.live > size && this.#idle.length > 0) this.#retire(this.#nextIdle()!, 'surplus');
    }
    if (this.#slots.live > sizer.settled) this.#armUpkeep(this.#recent.until);
  }

  /** The size and the overflow as they are now. */
  get #sizes(): { readonly size: number; readonly maxOverflow: number } {
    return this.#sizer === null ? this.settings : { size: this.#sizer.size, maxOverflow: 0 };
  }

  // ---- leaks ---------------------------------------------------------------------------------------------------

  #unwatchLease(leaks: LeakWatch<R>, slot: Slot<R>, leaseId: number, now: number): void {
    if (slot.reported) {
      slot.reported = false;
      this.#events.leakReturned.emit({ ...leaks.describe(slot, now), leaseId });
    }
    slot.site = null;
  }

  /** A lease was dropped without a release. */
  #collect(slot: Slot<R>, leaseId: number): void {
    this.#counters.collected++;
    if (this.#events.collected.active) {
      this.#events.collected.emit({ leaseId, site: formatSite(slot.site), stack: formatStack(slot.site) });
    }
    const now = this.settings.clock.now();
    this.#endLease(slot, now);
    if (slot.finalizers !== null) this.#runFinalizers(slot, slot.finalizers);
    if (this.#isStale(slot)) this.#retireStale(slot);
    else if (this.settings.collected === 'reset') this.#reset(slot, now, false, false);
    else this.#retire(slot, 'collected');
  }

  // ---- watching ------------------------------------------------------------------------------------------------

  /** Calls back at an event, in the same turn. An error of a listener is reported as `listenerFailed`, and stops nothing. */
  on<E extends PoolEventName>(
    event: E,
    listener: (payload: PoolEvents<R>[E]) => void,
    options: { first?: boolean } = {},
  ): () => void {
    return this.#events[event].add(listener as never, options);
  }

  /** Adds a step to the life of resources; unlike a listener it is awaited, and its errors count. */
  hook<N extends HookName>(name: N, hook: PoolHooks<R>[N], options: { first?: boolean } = {}): () => void {
    const remove = addHook(this.#hooks, name, hook, options);
    this.#hooksChanged();
    return () => {
      remove();
      this.#hooksChanged();
    };
  }

  /** Asked once here instead of at each acquire and release. */
  #hooksChanged(): void {
    const { recycleMs, prePing } = this.settings;
    this.#vets = recycleMs !== null || prePing || this.#hooks.acquire.length > 0;
    this.#resets = this.#life.resets;
  }

  get [POOL_BRAND](): PoolBrand {
    return { kind: 'leases', isOver: () => this.#closed && this.#slots.live === 0 };
  }

  /** The pool's numbers at this moment. */
  snapshot(): PoolSnapshot {
    const { clock, driver, keep } = this.settings;
    const { size, maxOverflow } = this.#sizes;
    const now = clock.now();
    const [oldest] = this.#slots.leased();
    const first = this.#waiters.first;
    return {
      schema: 1,
      name: this.name,
      driver: driver.name,
      takenAtMs: clock.wallTime(),
      size: size === 0 ? null : size,
      maxOverflow: size === 0 || maxOverflow === -1 ? null : maxOverflow,
      live: this.#slots.live,
      overflow: Math.max(0, this.#slots.live - keep),
      idle: this.#idle.length,
      inUse: this.#slots.inUse,
      creating: this.#slots.creating,
      checking: this.#slots.checking,
      resetting: this.#slots.resetting,
      closing: this.#slots.closing,
      waiting: this.#waiters.length,
      peakWaiting: this.#peakWaiting,
      peakInUse: this.#slots.peakInUse,
      longestWaitMs: first === null ? null : now - first.since,
      longestHoldMs: oldest === undefined || !this.#timed ? null : now - oldest.acquiredAt,
      createError: this.#createError?.message ?? null,
      counters: { ...this.#counters },
      wait: this.#waitTimes?.snapshot() ?? null,
      hold: this.#holdTimes?.snapshot() ?? null,
      holders: holdersOf(this.#slots.leased(), this.#timed ? now : null),
      closed: this.#closed,
      ...(this.#sizer === null ? {} : { sizing: this.#sizer.figures() }),
    };
  }

  /** The counts that change with every lease: a watcher asks for them often. */
  figures(): Pick<PoolSnapshot, 'live' | 'idle' | 'inUse' | 'waiting'> {
    return {
      live: this.#slots.live,
      idle: this.#idle.length,
      inUse: this.#slots.inUse,
      waiting: this.#waiters.length,
    };
  }

  /** The unformatted stack of the acquire of this slot's lease; null where it was not sampled. */
  siteOfLease(slotId: number): Error | null {
    return this.#slots.withId(slotId)?.site ?? null;
  }

  /** The resources lent now, by the id of the lease. A watcher may look at them, and must not use them. */
  leasedResources(): ReadonlyMap<number, R> {
    return new Map(this.#slots.leased().map((slot) => [slot.leaseId, slot.resource as R]));
  }

  /** Lets the peaks of the snapshot begin anew, at what is so now. */
  resetPeaks(): void {
    this.#peakWaiting = this.#waiters.length;
    this.#slots.resetPeak();
  }

  // ---- close ---------------------------------------------------------------------------------------------------

  /**
   * Ends the pool: waiters are rejected, idle resources closed, creates aborted. Leases that are out have
   * `graceMs` (default 5,000) to come back, then their resources are closed under them. Never rejects; a second
   * call gives the same promise.
   */
  close(options: { graceMs?: number } = {}): Promise<void> {
    this.#closeDone ??= this.#close(options.graceMs ?? DEFAULT_GRACE_MS);
    return this.#closeDone;
  }

  async #close(graceMs: number): Promise<void> {
    const { clock } = this.settings;
    this.#closed = true;
    this.#generation++;
    this.#deadlines.turnOff();
    this.#upkeep.turnOff();
    for (let waiter = this.#waiters.shift(); waiter !== null; waiter = this.#waiters.shift()) {
      waiter.reject(this.#closedError());
    }
    this.#closeSignal.abort(this.#closedError());
    for (let slot = this.#idle.shift(); slot !== undefined; slot = this.#idle.shift())
      this.#retire(slot, 'closed');
    let leasesLeft = 0;
    if (this.#slots.live > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(() => {
          leasesLeft = this.#slots.inUse;
          this.#closeLeased();
        }, graceMs);
        this.#onEmpty = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#leaks?.flows.rest();
    this.#events.close.emit({ leasesLeft });
  }

  #closeLeased(): void {
    for (const slot of this.#slots.leased()) {
      // A resource that a listener released meanwhile is closed already.
      if (slot.leaseId === 0) continue;
      this.#endLease(slot, this.settings.clock.now());
      this.#retire(slot, 'closed');
    }
  }

  #closedError(): PoolError {
    return new PoolError('ERR_POOL_CLOSED', `pool '${this.name}' is closed`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The driver's own advice is more specific. */
function adviceOf(error: Error): string | null {
  return 'hint' in error && typeof error.hint === 'string' ? error.hint : null;
}

function abortedError(pool: string, signal: AbortSignal): PoolError {
  return new PoolError('ERR_POOL_ABORTED', `pool '${pool}': acquire was aborted`, { cause: signal.reason });
}

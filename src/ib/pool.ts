import { channel } from 'node:diagnostics_channel';
import { onAbort } from '../base/abort.js';
import { Alarm } from '../base/alarm.js';
import { captureSite, formatSite, formatStack } from '../base/call-site.js';
import { type Clock, systemClock, type Timer } from '../base/clock.js';
import { Histogram } from '../base/histogram.js';
import { asError, graceFor, ignore } from '../base/promises.js';
import { Queued, WaiterQueue } from '../base/waiter-queue.js';
import { announce, type BrandedPool, POOL_BRAND, type PoolBrand } from '../pool/brand.js';
import { newCounters } from '../pool/counters.js';
import { poolSnapshot, UNSEEN } from '../pool/pool-snapshot.js';
import type { IbPoolSnapshot, Topology } from '../snapshot/broker.js';
import type { PoolCounters, PoolSetup } from '../snapshot/pool.js';
import { ClientIds } from './client-ids.js';
import { Coalescer } from './coalescer.js';
import { type ConnectionOptions, IbConnection } from './connection.js';
import { IbError } from './errors.js';
import { type Line, localLine, placeOf, threadLine } from './link.js';
import { formatIbLog, type IbLog } from './log.js';
import { createPacer, type Pacer } from './pacing.js';
import { checkPoolOptions, connectionOptions, type IbPoolOptions } from './pool-options.js';
import { ANSWER_MS } from './questions.js';

export type { IbPoolOptions } from './pool-options.js';

/** One borrowing of a connection. */
export interface IbLease extends Disposable {
  /** Counts up from 1 within its pool. */
  readonly id: number;
  readonly connection: IbConnection;
  /** Again has no effect. */
  release(): void;
}

export interface AcquireOptions {
  readonly timeoutMs?: number | null;
  readonly signal?: AbortSignal;
}

const DEFAULT_GRACE_MS = 5000;
/** Every pool that is made, and every line of its life, for those who watch a whole process: see src/watch/start.ts. */
const opened = channel('poolctl:pool:open');
const told = channel('poolctl:pool:log');

/** A pool of connections to one gateway. Nothing is dialled before the first acquire. Throws an IbError with ERR_IB_OPTION. */
export function createIbPool(options: IbPoolOptions = {}): IbPool {
  return new IbPool(options);
}

interface Entry {
  readonly connection: IbConnection;
  /** Settles with its first connect. */
  readonly ready: Promise<unknown>;
  isReady: boolean;
  users: number;
  idleTimer: Timer | null;
}

interface Holder {
  readonly since: number;
  readonly site: Error;
}

class Waiter extends Queued {
  /** Something has changed: look again. */
  readonly retry: () => void;
  readonly reject: (error: Error) => void;

  constructor(since: number, timeoutMs: number | null, retry: () => void, reject: (error: Error) => void) {
    super(since, timeoutMs ?? Number.POSITIVE_INFINITY);
    this.retry = retry;
    this.reject = reject;
  }
}

/** See createIbPool. */
export class IbPool implements BrandedPool, AsyncDisposable {
  readonly name: string;
  /** For those who talk to the same gateway past this pool, other threads by sharePacing. */
  readonly pacer: Pacer;
  readonly #options: IbPoolOptions;
  readonly #topology: Topology;
  readonly #host: string;
  readonly #port: number;
  readonly #workers: number;
  readonly #ids: ClientIds;
  readonly #clock: Clock;
  readonly #log: (entry: IbLog) => void;
  readonly #histories = new Coalescer();
  readonly #entries = new Set<Entry>();
  readonly #holders = new Map<number, Holder>();
  readonly #waiters = new WaiterQueue<Waiter>();
  /** Rings when somebody has waited too long. */
  readonly #lateness: Alarm;
  readonly #counters = newCounters();
  readonly #wait = new Histogram();
  readonly #hold = new Histogram();
  #lastLeaseId = 0;
  #peakInUse = 0;
  #peakWaiting = 0;
  #createError: string | null = null;
  /** Connections on their way out, whose client ids are not free as yet. */
  readonly #closing = new Set<Promise<void>>();
  #closed: Promise<void> | null = null;
  #onReturn: (() => void) | null = null;

  constructor(options: IbPoolOptions) {
    checkPoolOptions(options);
    const { topology = 'shared', host = '127.0.0.1', port = 7497, clientId = 1, workers = 10 } = options;
    this.#options = options;
    this.#topology = topology;
    this.#host = host;
    this.#port = port;
    this.#workers = topology === 'shared' ? 1 : workers;
    this.#ids = options.clientIds ?? new ClientIds({ base: clientId });
    this.#clock = options.clock ?? systemClock;
    this.#lateness = new Alarm(this.#clock, () => this.#expireWaiters(), { background: false });
    const { log = ignore } = options;
    this.#log = (entry) => {
      log(entry);
      if (told.hasSubscribers) told.publish({ text: formatIbLog(entry) });
    };
    this.name = options.name ?? `ib ${placeOf({ host, port })}`;
    this.pacer = options.pacer ?? createPacer({ clock: this.#clock, ...options.pacing });
    this.#log({ kind: 'initialized', topology });
    announce(this);
    if (opened.hasSubscribers) opened.publish({ pool: this });
  }

  /**
   * Borrows a connection that was ready at least once; while it reconnects, requests wait for it. Rejects with what the
   * first connect failed with, with PoolExhaustedError where no client id is left, ERR_IB_TIMEOUT where all workers
   * are in use for too long.
   */
  acquire(options: AcquireOptions = {}): Promise<IbLease> {
    return this.#acquire(options, captureSite(this.acquire));
  }

  /** Borrows a connection for as long as the work takes. */
  async withIb<T>(
    work: (connection: IbConnection) => Promise<T> | T,
    options: AcquireOptions = {},
  ): Promise<T> {
    const lease = await this.#acquire(options, captureSite(this.withIb));
    try {
      return await work(lease.connection);
    } finally {
      lease.release();
    }
  }

  /** Opens connections ahead, up to `count` in all: most of the time goes into starting threads. */
  async warm(count = this.#workers): Promise<void> {
    const wanted = Math.min(count, this.#workers) - this.#entries.size;
    const opened = Array.from({ length: wanted }, () => this.#open());
    await Promise.all(opened.map(({ ready }) => ready));
  }

  get [POOL_BRAND](): PoolBrand {
    return { kind: 'snapshot', isOver: () => this.#closed !== null && this.#entries.size === 0 };
  }

  snapshot(): IbPoolSnapshot {
    const now = this.#clock.now();
    const connections = [...this.#entries].map(({ connection }) => connection.figures());
    const oldestWaiter = this.#waiters.first;
    const holders = [...this.#holders].map(([leaseId, { since, site }]) => ({
      leaseId,
      ageMs: now - since,
      site: formatSite(site),
      stack: formatStack(site),
      leaked: now - since >= (this.#options.leakMs ?? 60_000),
      ...UNSEEN,
    }));
    const isShared = this.#topology === 'shared';
    const creating = [...this.#entries].filter(({ isReady }) => !isReady).length;
    const common = poolSnapshot({
      clock: this.#clock,
      name: this.name,
      driver: `ib-${this.#topology}`,
      // Any number may share one connection.
      size: isShared ? null : this.#workers,
      maxOverflow: isShared ? null : 0,
      live: this.#entries.size,
      overflow: 0,
      idle: [...this.#entries].filter(({ users, isReady }) => users === 0 && isReady).length,
      inUse: this.#holders.size,
      creating,
      waiting: this.#waiters.length,
      peakWaiting: this.#peakWaiting,
      peakInUse: this.#peakInUse,
      longestWaitMs: oldestWaiter === null ? null : now - oldestWaiter.since,
      createError: this.#createError,
      counters: { ...this.#counters, ...NOT_COUNTED },
      wait: this.#wait.snapshot(),
      hold: this.#hold.snapshot(),
      holders,
      closed: this.#closed !== null,
      setup: this.#setup(),
    });
    return {
      ...common,
      ib: {
        topology: this.#topology,
        host: this.#host,
        port: this.#port,
        clientIds: connections.map(({ clientId }) => clientId).sort((a, b) => a - b),
        clientIdsFree: this.#ids.free,
        reconnects: connections.reduce((sum, { reconnects }) => sum + reconnects, 0),
        pacing: this.pacer.snapshot(),
        historiesShared: this.#histories.joined,
        connections,
      },
    };
  }

  #setup(): Partial<PoolSetup> {
    const { acquireTimeoutMs = 30_000, idleMs = null, leakMs = 60_000 } = this.#options;
    return {
      acquireTimeoutMs: acquireTimeoutMs ?? 'never',
      recycleMs: 'never',
      maxIdleMs: idleMs ?? 'never',
      statementTimeoutMs: ANSWER_MS,
      leakAfterMs: leakMs,
    };
  }

  /** Lends nothing more, gives those who hold a lease time to return it, and closes all connections. */
  close({ graceMs = DEFAULT_GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #acquire({ timeoutMs, signal }: AcquireOptions, site: Error): Promise<IbLease> {
    const since = this.#clock.now();
    const { acquireTimeoutMs = 30_000 } = this.#options;
    const limitMs = timeoutMs === undefined ? acquireTimeoutMs : timeoutMs;
    for (let isFirst = true; ; isFirst = false) {
      if (this.#closed !== null) throw new IbError('ERR_IB_CLOSED', `pool '${this.name}' is closed`);
      if (signal?.aborted) {
        // It may have been called for something that another can use.
        this.#wakeOne();
        throw asError(signal.reason);
      }
      // Waiting callers go first, except for the one that was just called.
      const entry = isFirst && this.#waiters.length > 0 ? null : this.#find();
      if (entry === null) {
        await this.#turn({ since, timeoutMs: limitMs, signal, isFirst });
        continue;
      }
      entry.idleTimer?.cancel();
      // Before it is ready, so that nobody else is given it.
      entry.users++;
      try {
        await this.#untilReady(entry, signal);
        if (this.#closed !== null) throw new IbError('ERR_IB_CLOSED', `pool '${this.name}' is closed`);
      } catch (error) {
        entry.users--;
        this.#returned(entry);
        throw error;
      }
      return this.#lend(entry, since, site);
    }
  }

  #find(): Entry | null {
    const free = [...this.#entries].filter(({ users }) => this.#topology === 'shared' || users === 0);
    // One that reconnects is of use later than one that is ready.
    const best = free.find(({ connection }) => connection.state.kind === 'ready') ?? free[0];
    if (best !== undefined) return best;
    return this.#entries.size + this.#closing.size < this.#workers ? this.#open() : null;
  }

  #open(): Entry {
    const clientId = this.#ids.take();
    this.#log({ kind: 'creating', topology: this.#topology, clientId });
    const defaultLine = (): Line => (this.#topology === 'worker' ? threadLine() : localLine(this.#clock));
    const connection = new IbConnection(
      { host: this.#host, port: this.#port, clientId },
      {
        ...connectionOptions(this.#options),
        pacer: this.pacer,
        histories: this.#histories,
        line: (this.#options.line ?? defaultLine)(),
        onState: this.#teller(clientId),
      },
    );
    const entry: Entry = { connection, ready: connection.ready(), isReady: false, users: 0, idleTimer: null };
    this.#entries.add(entry);
    entry.ready.then(
      () => {
        entry.isReady = true;
        this.#counters.created++;
        this.#createError = null;
        if (entry.users === 0) this.#returned(entry);
      },
      (error: unknown) => {
        this.#counters.createFailed++;
        this.#createError = asError(error).message;
        this.#remove(entry);
      },
    );
    return entry;
  }

  #teller(clientId: number): NonNullable<ConnectionOptions['onState']> {
    let epochTold = 0;
    return (state, target) => {
      if (state.kind === 'ready' && state.session.epoch > epochTold) {
        const { epoch, serverVersion } = state.session;
        epochTold = epoch;
        this.#log({ kind: 'connected', clientId, place: placeOf(target), epoch, serverVersion });
      } else if (state.kind === 'waiting') {
        this.#log({ kind: 'lost', clientId, retryInMs: state.retryInMs, reason: state.cause.message });
      }
    };
  }

  async #untilReady(entry: Entry, signal: AbortSignal | undefined): Promise<void> {
    if (entry.isReady) return;
    await new Promise<void>((resolve, reject) => {
      const stopWatching =
        signal === undefined ? ignore : onAbort(signal, () => reject(asError(signal.reason)));
      entry.ready.then(() => resolve(), reject).finally(stopWatching);
    });
  }

  #lend(entry: Entry, since: number, site: Error): IbLease {
    const id = ++this.#lastLeaseId;
    const acquiredAt = this.#clock.now();
    this.#wait.recordMs(acquiredAt - since);
    this.#counters.acquired++;
    this.#holders.set(id, { since: acquiredAt, site });
    this.#peakInUse = Math.max(this.#peakInUse, this.#holders.size);
    const { clientId } = entry.connection;
    this.#log({ kind: 'acquired', leaseId: id, clientId, users: this.#holders.size });
    const release = (): void => {
      if (!this.#holders.delete(id)) {
        this.#counters.doubleReleased++;
        return;
      }
      this.#hold.recordMs(this.#clock.now() - acquiredAt);
      this.#counters.released++;
      this.#log({ kind: 'released', leaseId: id, clientId, users: this.#holders.size });
      entry.users--;
      this.#returned(entry);
      if (this.#holders.size === 0) this.#onReturn?.();
    };
    return { id, connection: entry.connection, release, [Symbol.dispose]: release };
  }

  /** It may be of use to somebody else, or to nobody. */
  #returned(entry: Entry): void {
    const { idleMs = null } = this.#options;
    if (entry.users === 0 && idleMs !== null && this.#entries.has(entry)) {
      entry.idleTimer?.cancel();
      entry.idleTimer = this.#clock.setTimer(
        () => {
          // Streams and orders may outlive the lease under which they were begun.
          if (entry.connection.isWatching) this.#returned(entry);
          else if (entry.users === 0) this.#remove(entry);
        },
        idleMs,
        { background: true },
      );
    }
    this.#wakeOne();
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    entry.idleTimer?.cancel();
    this.#counters.destroyed++;
    const closing = entry.connection.close().then(() => {
      // Only now, or the gateway might still know another by that id.
      this.#ids.give(entry.connection.clientId);
      this.#closing.delete(closing);
      this.#wakeOne();
    });
    this.#closing.add(closing);
  }

  #wakeOne(): void {
    const waiter = this.#waiters.shift();
    this.#unlessAwaited();
    waiter?.retry();
  }

  #turn({
    since,
    timeoutMs,
    signal,
    isFirst,
  }: {
    since: number;
    timeoutMs: number | null;
    signal: AbortSignal | undefined;
    isFirst: boolean;
  }): Promise<void> {
    if (isFirst) this.#counters.waited++;
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(since, timeoutMs, resolve, reject);
      // A caller that got no connection keeps its place.
      if (isFirst) this.#waiters.push(waiter);
      else this.#waiters.unshift(waiter);
      this.#peakWaiting = Math.max(this.#peakWaiting, this.#waiters.length);
      this.#lateness.set(waiter.deadline, this.#clock.now());
      if (signal === undefined) return;
      this.#waiters.leaveOnAbort(waiter, signal, () => {
        this.#unlessAwaited();
        this.#counters.aborted++;
        reject(asError(signal.reason));
      });
    });
  }

  /** Turns away those whose time is up. */
  #expireWaiters(): void {
    const now = this.#clock.now();
    for (let waiter = this.#waiters.firstDue(now); waiter !== null; waiter = this.#waiters.firstDue(now)) {
      this.#counters.timedOut++;
      const error = this.#timeoutError(waiter.since);
      this.#waiters.remove(waiter);
      waiter.reject(error);
    }
    this.#lateness.set(this.#waiters.nextDeadline(), now);
  }

  /** A timer that nobody waits for would keep the process alive. */
  #unlessAwaited(): void {
    if (this.#waiters.length === 0) this.#lateness.clear();
  }

  #timeoutError(since: number): IbError {
    const waitedMs = Math.round(this.#clock.now() - since);
    return new IbError(
      'ERR_IB_TIMEOUT',
      `acquire timed out after ${waitedMs} ms: pool '${this.name}' has ${this.#holders.size} of ${this.#workers} workers in use, ${this.#waiters.length} waiting`,
      { hint: 'poolctl top shows who holds them' },
    );
  }

  async #close(graceMs: number): Promise<void> {
    // Runs in a later turn, so that waiting callers find the pool closed.
    await Promise.resolve();
    this.#log({ kind: 'closing', users: this.#holders.size });
    while (this.#waiters.length > 0) this.#wakeOne();
    if (this.#holders.size > 0 && graceMs > 0) {
      await graceFor(this.#clock, graceMs, (done) => {
        this.#onReturn = done;
      });
    }
    for (const entry of [...this.#entries]) this.#remove(entry);
    await Promise.all(this.#closing);
    this.#log({ kind: 'closed' });
  }
}

/** Figures without a meaning here: nothing is checked, reset, recycled or collected. */
const NOT_COUNTED = {
  overflowCreated: null,
  refused: null,
  invalidated: null,
  softInvalidated: null,
  recycled: null,
  pingFailed: null,
  resetFailed: null,
  detached: null,
  leaked: null,
  collected: null,
  nested: null,
} as const satisfies Partial<Record<keyof PoolCounters, null>>;

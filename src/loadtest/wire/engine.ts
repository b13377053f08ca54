import type { Clock, Timer } from '../../base/clock.js';
import { Deque } from '../../base/deque.js';
import { asError } from '../../base/promises.js';
import { formatDuration } from '../../base/units.js';
import type { Database } from '../../db/database.js';
import { PgConnection } from '../../db/drivers/pg-connection.js';
import { PoolError } from '../../pool/errors.js';
import type { Lease } from '../../pool/lease.js';
import type { Iteration, RunSnapshot } from '../api.js';
import type { WireFigures } from '../result.js';
import { Link, type LinkHost, type LinkOptions } from './link.js';
import type { WireScripts, WireWork } from './script.js';

export interface EngineOptions extends LinkOptions {
  readonly connections: number;
  /** How long an iteration may wait for a connection; null: for as long as it takes. */
  readonly timeoutMs: number | null;
  readonly clock: Clock;
  readonly scripts: WireScripts;
  /** The work of an iteration, by its number. */
  readonly workOf: (seq: number) => WireWork;
}

/**
 * Runs iterations on a fixed number of links. They come from a pool, which opens, paces and replaces them, and holds
 * nothing else: the engine hands them out itself, since a promise for each query would cost more than the query.
 */
export class WireEngine implements LinkHost {
  readonly clock: Clock;
  readAt = 0;
  readonly #database: Database;
  readonly #options: EngineOptions;
  readonly #links = new Map<Link, Lease<unknown>>();
  /** Links with room for an iteration, the one that got it first. */
  readonly #open = new Deque<Link>();
  #filled: Link[] = [];
  readonly #waiting = new Deque<Iteration>();
  readonly #closing = new AbortController();
  #opening = 0;
  #isReading = false;
  #isFlushDue = false;
  #timer: Timer | null = null;
  #counts = { acquired: 0, waited: 0, timedOut: 0, released: 0 };
  #busy = 0;
  #peakBusy = 0;
  #peakWaiting = 0;
  /** Counts of links that are gone, and all counts when the measurement began. */
  #past = NOTHING;
  #before = NOTHING;
  #isTls = false;

  constructor(database: Database, options: EngineOptions) {
    this.#database = database;
    this.#options = options;
    this.clock = options.clock;
  }

  /** Opens all links, and prepares the statements on each. Rejects with what the server says. */
  async open(signal: AbortSignal): Promise<void> {
    const all = Array.from({ length: this.#options.connections }, () => this.#openLink(signal));
    await Promise.all(all);
  }

  /** Starts an iteration: at once if a link has room, else when one has. */
  begin(iteration: Iteration): void {
    if (!this.#isReading) this.readAt = iteration.startedAt;
    if (this.#links.size + this.#opening < this.#options.connections) this.#reopen();
    if (this.#options.batch || this.#waiting.length > 0 || this.#open.length === 0) {
      this.#waiting.push(iteration);
      if (this.#waiting.length > this.#peakWaiting && !this.#options.batch)
        this.#peakWaiting = this.#waiting.length;
      this.#expireLater();
      if (this.#options.batch) this.#flushLater();
      return;
    }
    this.#give(this.#open.first as Link, iteration);
  }

  /** Peaks and counts begin now. */
  resetCounts(): void {
    this.#peakBusy = this.#busy;
    this.#peakWaiting = this.#waiting.length;
    this.#before = this.#totals();
  }

  /** The pool's own snapshot, with what only the engine knows. */
  snapshot(): RunSnapshot {
    const { holders: _, ...pool } = this.#database.pool.snapshot();
    return {
      ...pool,
      inUse: this.#busy,
      idle: this.#links.size - this.#busy,
      waiting: this.#waiting.length,
      peakInUse: this.#peakBusy,
      peakWaiting: this.#peakWaiting,
      counters: { ...pool.counters, ...this.#counts },
    };
  }

  figures(): WireFigures {
    const { connections, pipeline, batch } = this.#options;
    const [now, before] = [this.#totals(), this.#before];
    return {
      ...{ connections, pipeline, batch, tls: this.#isTls },
      statements: now.statements - before.statements,
      rows: now.rows - before.rows,
      bytesSent: now.bytesSent - before.bytesSent,
      bytesReceived: now.bytesReceived - before.bytesReceived,
    };
  }

  /** Gives the links back, which the pool then closes. What runs on them is canceled on the server. */
  close(): void {
    this.#closing.abort(new Error('the load test is over'));
    this.#timer?.cancel();
    for (const [link, lease] of this.#links) {
      if (link.isBusy) lease.invalidate(new Error('the load test is over'));
      else lease.release();
      link.close();
    }
    this.#links.clear();
  }

  beginRead(): void {
    this.#isReading = true;
    this.readAt = this.clock.now();
  }

  endRead(): void {
    this.#flush();
    this.#isReading = false;
  }

  busied(change: 1 | -1): void {
    this.#busy += change;
    if (this.#busy > this.#peakBusy) this.#peakBusy = this.#busy;
  }

  filled(link: Link): void {
    if (link.isFilled) return;
    link.isFilled = true;
    this.#filled.push(link);
    this.#flushLater();
  }

  freed(link: Link): void {
    if (!this.#links.has(link)) return;
    this.#list(link);
    if (this.#options.batch) this.#flushLater();
    else this.#serve();
  }

  lost(link: Link, cause: Error): void {
    const lease = this.#links.get(link);
    if (lease === undefined) return;
    this.#links.delete(link);
    this.#add(link);
    if (link.isOpen) this.#open.remove(link);
    lease.invalidate(cause);
    this.#reopen();
  }

  async #openLink(signal: AbortSignal): Promise<void> {
    this.#opening++;
    try {
      const lease = await this.#database.pool.acquire({ signal, timeoutMs: null });
      try {
        const connection = lease.resource;
        if (!(connection instanceof PgConnection)) throw new Error('not a connection to PostgreSQL');
        const link = new Link(connection, this, this.#options);
        await link.prepare(this.#options.scripts);
        this.#isTls = link.isTls;
        this.#links.set(link, lease);
        this.freed(link);
      } catch (error) {
        lease.invalidate(asError(error));
        throw error;
      }
    } finally {
      this.#opening--;
    }
  }

  /** Replaces links that were lost. While there is none at all, those that wait fail with what the server says. */
  #reopen(): void {
    const { signal } = this.#closing;
    if (signal.aborted) return;
    for (let missing = this.#missing; missing > 0; missing--) {
      this.#openLink(signal).catch((error: unknown) => {
        if (this.#links.size > 0 || signal.aborted) return;
        for (let left = this.#waiting.length; left > 0; left--) this.#waiting.shift()?.end(error);
      });
    }
  }

  get #missing(): number {
    return this.#options.connections - this.#links.size - this.#opening;
  }

  /** Hands waiting iterations to links that have room. */
  #serve(): void {
    while (this.#waiting.length > 0 && this.#open.length > 0) {
      const iteration = this.#waiting.shift() as Iteration;
      // Its time is over, and so is it.
      if (iteration.signal?.aborted) continue;
      this.#give(this.#open.first as Link, iteration);
    }
  }

  #give(link: Link, iteration: Iteration): void {
    this.#took(iteration);
    // First, so that the next goes to another link; it comes back to the end while it has room.
    this.#open.shift();
    link.isOpen = false;
    link.begin(iteration, this.#options.workOf(iteration.seq));
    if (link.room > 0) this.#list(link);
  }

  /** In batches: everything that waits, as many as fit on each free link. */
  #serveBatches(): void {
    while (this.#waiting.length > 0 && this.#open.length > 0) {
      const link = this.#open.shift() as Link;
      link.isOpen = false;
      for (let room = link.room; room > 0 && this.#waiting.length > 0; room--) {
        const iteration = this.#waiting.shift() as Iteration;
        if (iteration.signal?.aborted) continue;
        this.#took(iteration);
        link.begin(iteration, this.#options.workOf(iteration.seq));
      }
      link.sealed();
      if (link.room > 0) this.#list(link);
    }
    if (this.#waiting.length > this.#peakWaiting) this.#peakWaiting = this.#waiting.length;
  }

  #took(iteration: Iteration): void {
    const { startedAt } = iteration;
    const at = Math.max(startedAt, this.readAt);
    this.#counts.acquired++;
    this.#counts.released++;
    if (at > startedAt) this.#counts.waited++;
    iteration.acquired(at);
  }

  #list(link: Link): void {
    if (link.isOpen) return;
    link.isOpen = true;
    this.#open.push(link);
  }

  /** Soon, so that one write takes what was added together. Within a read, it is sent at its end. */
  #flushLater(): void {
    if (this.#isReading || this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      this.#isReading = true;
      this.#flush();
      this.#isReading = false;
    });
  }

  #flush(): void {
    if (this.#options.batch) this.#serveBatches();
    const filled = this.#filled;
    if (filled.length === 0) return;
    for (let i = 0; i < filled.length; i++) {
      const link = filled[i] as Link;
      link.isFilled = false;
      link.flush();
    }
    filled.length = 0;
  }

  /** One timer for all that wait: they came in this order, and have the same limit. */
  #expireLater(): void {
    const { timeoutMs } = this.#options;
    const { first } = this.#waiting;
    if (timeoutMs === null || this.#timer !== null || first === undefined) return;
    const dueMs = Math.max(1, first.startedAt + timeoutMs - this.clock.now());
    this.#timer = this.clock.setTimer(
      () => {
        this.#timer = null;
        const now = this.clock.now();
        for (let { first } = this.#waiting; first !== undefined; first = this.#waiting.first) {
          if (now - first.startedAt < timeoutMs) break;
          this.#waiting.shift();
          this.#counts.timedOut++;
          first.end(this.#timeout(timeoutMs));
        }
        this.#expireLater();
      },
      dueMs,
      { background: true },
    );
  }

  #timeout(timeoutMs: number): PoolError {
    const { connections, pipeline } = this.#options;
    const each = pipeline === 1 ? '' : `, each with up to ${pipeline} iterations`;
    return new PoolError(
      'ERR_POOL_TIMEOUT',
      `no connection had room within ${formatDuration(timeoutMs)}: ${this.#links.size} of ${connections} are open${each}`,
    );
  }

  #totals(): Totals {
    const sum = { ...this.#past };
    for (const link of this.#links.keys()) addTo(sum, link);
    return sum;
  }

  #add(link: Link): void {
    const sum = { ...this.#past };
    addTo(sum, link);
    this.#past = sum;
  }
}

type Totals = Pick<WireFigures, 'statements' | 'rows' | 'bytesSent' | 'bytesReceived'>;

const NOTHING: Totals = { statements: 0, rows: 0, bytesSent: 0, bytesReceived: 0 };

function addTo(sum: { -readonly [Name in keyof Totals]: number }, link: Totals): void {
  sum.statements += link.statements;
  sum.rows += link.rows;
  sum.bytesSent += link.bytesSent;
  sum.bytesReceived += link.bytesReceived;
}

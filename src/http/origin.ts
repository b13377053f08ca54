import { Alarm } from '../base/alarm.js';
import type { Clock } from '../base/clock.js';
import type { Turnstile } from '../base/turnstile.js';
import { Queued, WaiterQueue } from '../base/waiter-queue.js';
import type { Protocol } from '../snapshot/http.js';
import { Bag, type Bagged } from './bag.js';
import type { Breaker } from './breaker.js';
import type { Connection } from './connection.js';
import type { HttpError } from './errors.js';

// An origin, its connections and its waiters refer to each other, so they share a file.

/** All that a pool keeps of one scheme, host and port. */
export class Origin {
  readonly url: URL;
  readonly key: string;
  readonly breaker: Breaker | null;
  readonly gate: Turnstile | null;
  /** Idle connections, the one used last at the end. */
  readonly idle: PooledConnection[] = [];
  /** HTTP/2 connections that may take more streams, idle ones too. */
  readonly shared: PooledConnection[] = [];
  readonly connections = new Set<PooledConnection>();
  readonly waiters = new WaiterQueue<Waiter>();
  /** Connections being opened. */
  readonly dials = new Set<() => void>();
  /** Connections that are being closed so that it can have their places. */
  promised = 0;
  /** What its servers speak; null before the first connection. */
  protocol: Protocol | null = null;
  /** By the clock: when it was last asked for. */
  usedAt = 0;

  constructor(url: URL, breaker: Breaker | null, gate: Turnstile | null) {
    this.url = url;
    this.key = url.origin;
    this.breaker = breaker;
    this.gate = gate;
  }

  /** Places that it takes up. */
  get live(): number {
    return this.connections.size + this.dials.size + this.promised;
  }

  get waiting(): number {
    return this.waiters.length;
  }

  /** The one that has waited longest. */
  firstWaiter(): Waiter | null {
    return this.waiters.first;
  }

  /** Nothing is known of it that a new one would not know. */
  get forgettable(): boolean {
    return (
      this.live === 0 &&
      this.waiting === 0 &&
      (this.gate?.waiting ?? 0) === 0 &&
      (this.breaker === null || (this.breaker.state === 'closed' && this.breaker.failureShare === null))
    );
  }
}

/** A request under way, with the moment when something must have happened. */
export interface Watched extends Bagged {
  /** By the clock; Infinity while nothing is due. */
  deadlineAt: number;
  overdue(now: number): void;
}

/** A connection in its pool. */
export class PooledConnection {
  readonly origin: Origin;
  readonly clock: Clock;
  /** Set as soon as there is one; a connection knows nothing of its pool. */
  wire!: Connection;
  /** Requests under way. */
  readonly active = new Bag<Watched>();
  /** Requests that it was ever used for. */
  requests = 0;
  /** By the clock, while nothing is under way. */
  idleSince = 0;
  gone = false;
  /** Who gets its place when it is closed; null: whoever has waited longest. */
  promisedTo: Origin | null = null;
  readonly #alarm: Alarm;

  constructor(origin: Origin, clock: Clock) {
    this.origin = origin;
    this.clock = clock;
    // In the background: a socket in use keeps the process alive by itself.
    this.#alarm = new Alarm(clock, () => this.#ring(), { background: true });
  }

  get hasRoom(): boolean {
    return this.active.size < this.wire.capacity && this.wire.usable;
  }

  /**
   * Sees to it that the request is looked at when it is overdue. The timer is not moved for each piece of data: it
   * rings when the first deadline would have been, and looks what has become of it.
   */
  watch(watched: Watched, at: number, now: number): void {
    watched.deadlineAt = at;
    if (at < this.#alarm.at) this.#alarm.set(at, now);
  }

  over(): void {
    this.gone = true;
    this.#alarm.turnOff();
  }

  #ring(): void {
    const now = this.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const watched of [...this.active]) {
      if (watched.deadlineAt <= now) watched.overdue(now);
      if (this.active.has(watched)) next = Math.min(next, watched.deadlineAt);
    }
    if (next < Number.POSITIVE_INFINITY) this.#alarm.set(next, now);
  }
}

/** Who waits for a connection; told one of these things, once. */
export interface WaiterOutcome {
  granted(connection: PooledConnection): void;
  /** A connection that was opened for it could not be opened. */
  failed(error: HttpError): void;
  timedOut(): void;
}

/** A request that waits for a connection. */
export class Waiter extends Queued {
  readonly origin: Origin;
  readonly outcome: WaiterOutcome;

  constructor(since: number, timeoutMs: number | null, origin: Origin, outcome: WaiterOutcome) {
    super(since, timeoutMs ?? Number.POSITIVE_INFINITY);
    this.origin = origin;
    this.outcome = outcome;
  }
}

import { Alarm } from '../base/alarm.js';
import type { Clock } from '../base/clock.js';
import type { Turnstile } from '../base/turnstile.js';
import { Queued, WaiterQueue } from '../base/waiter-queue.js';
import type { AdaptiveSize } from '../pool/adaptive-size.js';
import type { Protocol } from '../snapshot/http.js';
import { Bag, type Bagged } from './bag.js';
import type { Breaker } from './breaker.js';
import type { Connection } from './connection.js';
import type { HttpError } from './errors.js';

// An origin, its connections and its waiters refer to each other, so they share a file.

/** The share of a new answer in the mean is one of so many. */
const SERVICE_WEIGHT = 16;
/** For so long a connection that was closed early counts: a server that was only restarted is trusted again after it. */
const IDLE_CLOSE_MEMORY_MS = 60_000;
/** A server that closes kept connections sooner than this does it at a moment of its own, not because they are idle. */
const SHORTEST_KEEPALIVE_MS = 1000;

/** An origin by its address alone, or by the name that is asked for there. */
export function originKey(url: URL, serverName: string | null): string {
  return serverName === null ? url.origin : `${url.origin} (${serverName})`;
}

/** All that a pool keeps of one scheme, host and port. */
export class Origin {
  readonly url: URL;
  readonly key: string;
  /** The name that TLS asks for, where it is not the host of the URL; else null. */
  readonly serverName: string | null;
  readonly breaker: Breaker | null;
  /** null until there is a reason to hold requests back. */
  gate: Turnstile | null;
  /** Idle connections, the one used last at the end. */
  readonly idle: PooledConnection[] = [];
  /** HTTP/2 connections that may take more streams, idle ones too. */
  readonly shared: PooledConnection[] = [];
  readonly connections = new Set<PooledConnection>();
  readonly waiters = new WaiterQueue<Waiter>();
  /** null: as many requests as the connections carry. */
  readonly sizer: AdaptiveSize | null;
  /** Requests in progress. */
  active = 0;
  /** Connections being opened. */
  readonly dials = new Set<() => void>();
  /** Requests that the last HTTP/2 connection carried before its server closed it; null if none has been closed. */
  carried: number | null = null;
  /** The number of waiting requests that must not be sent twice. */
  waitingOnce = 0;
  /** Connections that are looked at for those. */
  checking = 0;
  /** Connections that are being closed so that it can have their places. */
  promised = 0;
  /** The protocol of its servers; null before the first connection. */
  protocol: Protocol | null = null;
  /** Mean time from sending a request to the end of its answer, in milliseconds; null before the first. */
  serviceMs: number | null = null;
  #idleClose: { readonly afterMs: number; readonly until: number } | null = null;

  constructor(
    url: URL,
    breaker: Breaker | null,
    gate: Turnstile | null,
    serverName: string | null = null,
    sizer: AdaptiveSize | null = null,
  ) {
    this.url = url;
    this.sizer = sizer;
    this.key = originKey(url, serverName);
    this.serverName = serverName;
    this.breaker = breaker;
    this.gate = gate;
  }

  /** Places that it takes up. */
  get live(): number {
    return this.connections.size + this.dials.size + this.promised;
  }

  /** Requests that its chosen size leaves room for; Infinity where that is fixed. */
  get room(): number {
    return this.sizer === null ? Number.POSITIVE_INFINITY : this.sizer.size - this.active;
  }

  get waiting(): number {
    return this.waiters.length;
  }

  /** One of its connections will soon say how many requests it takes. */
  get settling(): boolean {
    return this.shared.some(({ wire }) => wire.settling);
  }

  /** An idle connection that those who wait cannot use; null if there is none. */
  get unusable(): PooledConnection | null {
    const oldest = this.waiting > 0 ? this.idle[0] : undefined;
    return oldest?.mayBeStale ? oldest : null;
  }

  /** An answer has taken so long. */
  served(ms: number): void {
    this.serviceMs = this.serviceMs === null ? ms : this.serviceMs + (ms - this.serviceMs) / SERVICE_WEIGHT;
  }

  /**
   * How soon after an answer its server closes a kept connection without having said so, in milliseconds; null if it
   * has not been seen to do that lately.
   */
  idleCloseMs(now: number): number | null {
    return this.#idleClose === null || this.#idleClose.until < now ? null : this.#idleClose.afterMs;
  }

  /** Its server has closed a connection so long after an answer. Returns whether that is news. */
  sawIdleClose(afterMs: number, now: number): boolean {
    const known = this.idleCloseMs(now);
    this.#idleClose = { afterMs: Math.min(afterMs, known ?? afterMs), until: now + IDLE_CLOSE_MEMORY_MS };
    return known === null;
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
  /** By the clock. */
  readonly startedAt: number;
  /** Whether the server has answered it, and was not overloaded. */
  readonly wentWell: boolean;
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
  /** It was idle before. */
  rested = false;
  gone = false;
  /** It is being looked at whether the server has closed it: nothing is sent over it meanwhile. */
  checking = false;
  /** The origin that gets its place when it is closed; null: the one that has waited longest. */
  promisedTo: Origin | null = null;
  readonly #alarm: Alarm;

  constructor(origin: Origin, clock: Clock) {
    this.origin = origin;
    this.clock = clock;
    // In the background: a socket in use keeps the process alive by itself.
    this.#alarm = new Alarm(clock, () => this.#ring(), { background: true });
  }

  get hasRoom(): boolean {
    return this.active.size < this.wire.capacity && this.wire.usable && !this.checking;
  }

  /**
   * Whether the server may have closed it by now, unseen: it was used before, or opened for a request that another
   * connection has carried. HTTP/2 says which requests it has not looked at.
   */
  get mayBeStale(): boolean {
    return (this.requests > 0 || this.rested) && this.wire.protocol === 'h1';
  }

  /** Whether a request that must not be sent twice may be risked on it, once it was looked at. */
  isTrusted(now: number): boolean {
    const closeMs = this.origin.idleCloseMs(now);
    if (closeMs === null || !this.mayBeStale) return true;
    return closeMs >= SHORTEST_KEEPALIVE_MS && now - this.idleSince < 0.8 * closeMs;
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

/** A caller that waits for a connection. It hears one of these things, once. */
export interface WaiterOutcome {
  granted(connection: PooledConnection): void;
  /** A connection that was opened for it could not be opened. */
  failed(error: HttpError): void;
  timedOut(): void;
  /** It could not be over by its deadline any more, were it sent now. */
  hopeless(): void;
}

/** Facts about the request of a caller that wants a connection. */
export interface Demand {
  /** It must not be sent twice: only a connection that is surely open will do. */
  readonly once: boolean;
  /** By the clock: its answer is of no use later; Infinity if it is. */
  readonly deadlineAt: number;
  /** It has had its turn before, and goes in front of all others. */
  readonly again: boolean;
}

/** A request that waits for a connection. */
export class Waiter extends Queued {
  readonly origin: Origin;
  readonly demand: Demand;
  readonly outcome: WaiterOutcome;

  constructor(
    since: number,
    timeoutMs: number | null,
    origin: Origin,
    demand: Demand,
    outcome: WaiterOutcome,
  ) {
    super(since, timeoutMs ?? Number.POSITIVE_INFINITY);
    this.origin = origin;
    this.demand = demand;
    this.outcome = outcome;
  }

  /**
   * Whether a request has waited so long that its answer would come too late. Sending it anyway would delay the
   * requests behind it: first come, first served with a deadline then serves almost nobody in time. Requests that
   * had no time from the outset are exempt.
   */
  isHopeless(now: number): boolean {
    const { serviceMs } = this.origin;
    const leftMs = this.demand.deadlineAt - now;
    return serviceMs !== null && leftMs < 2 * serviceMs && leftMs < (this.demand.deadlineAt - this.since) / 2;
  }
}

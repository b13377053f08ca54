import { Alarm } from '../base/alarm.js';
import type { Emitter } from '../base/emitter.js';
import type { CloseReason } from '../snapshot/http.js';
import type { ConnectionListener } from './connection.js';
import { type Dialled, dial, TlsSessions } from './dial.js';
import type { HttpError } from './errors.js';
import type { HttpEvents } from './events.js';
import { H1Connection } from './h1-connection.js';
import { H2Connection } from './h2-connection.js';
import { checkHealth, type HealthCheck } from './health-check.js';
import type { HttpSettings } from './options.js';
import {
  type Demand,
  type Origin,
  PooledConnection,
  Waiter,
  type WaiterOutcome,
  type Watched,
} from './origin.js';
import type { HttpCounts } from './stats.js';

/** How much longer somebody for another origin must have waited to get a place before those of its own origin. */
const OVERTAKE_MS = 250;
/** Idle connections beyond the number that is kept have so long to be used again. */
const SPARE_MS = 100;
/** A waiter whose connection is being opened is not timed out; it is looked at again after this. */
const RECHECK_MS = 100;

/**
 * The places of a pool: at most so many connections over all origins together, opened when somebody waits, handed on
 * first come first served, kept while idle, and closed when there are too many or they are too old.
 *
 * A connection is opened on behalf of all who wait for its origin, and goes to the one who has waited longest; one
 * that becomes free meanwhile may come first.
 */
export class Connections {
  readonly #settings: HttpSettings;
  readonly #events: Emitter<HttpEvents>;
  readonly #counts: HttpCounts;
  readonly #origins = new Map<string, Origin>();
  readonly #sessions = new TlsSessions();
  readonly #expiry: Alarm;
  readonly #spare: Alarm;
  /** Rings when somebody has waited too long. */
  readonly #lateness: Alarm;
  #connections = 0;
  #dialling = 0;
  #idle = 0;
  #waiting = 0;
  #active = 0;
  #ids = 0;
  #closed = false;
  /** Connections and what was on them, in turn. */
  #releasing: (PooledConnection | Watched)[] = [];
  /** Called when the last connection is gone. */
  #emptied: (() => void) | null = null;

  constructor(settings: HttpSettings, events: Emitter<HttpEvents>, counts: HttpCounts) {
    this.#settings = settings;
    this.#events = events;
    this.#counts = counts;
    const { clock } = settings;
    this.#expiry = new Alarm(clock, () => this.#expire(), { background: true });
    this.#spare = new Alarm(clock, () => this.#trim(), { background: true });
    this.#lateness = new Alarm(clock, () => this.#expireWaiters(), { background: false });
  }

  get origins(): ReadonlyMap<string, Origin> {
    return this.#origins;
  }

  add(origin: Origin): void {
    this.#origins.set(origin.key, origin);
  }

  forget(origin: Origin): void {
    this.#origins.delete(origin.key);
  }

  get open(): number {
    return this.#connections;
  }
  get dialling(): number {
    return this.#dialling;
  }
  get idle(): number {
    return this.#idle;
  }
  get waiting(): number {
    return this.#waiting;
  }
  /** Requests under way. */
  get active(): number {
    return this.#active;
  }

  /** A connection that is free at this moment, if nobody waits for one. It must come back by `release`. */
  take(origin: Origin, once: boolean, again: boolean): PooledConnection | null {
    // Requests that must not be sent twice may wait for a connection that is new while others are idle.
    const ahead = once ? origin.waiting : origin.waiting - origin.waitingOnce;
    if ((ahead > 0 && !again) || origin.room <= 0) return null;
    return this.#free(origin, once);
  }

  wait(origin: Origin, timeoutMs: number | null, demand: Demand, outcome: WaiterOutcome): Waiter {
    const now = this.#settings.clock.now();
    const waiter = new Waiter(now, timeoutMs, origin, demand, outcome);
    if (demand.again) origin.waiters.unshift(waiter);
    else origin.waiters.push(waiter);
    if (demand.once) origin.waitingOnce++;
    this.#waiting++;
    this.#counts.waited++;
    this.#counts.peakWaiting = Math.max(this.#counts.peakWaiting, this.#waiting);
    if (demand.once) this.#checkIdle(origin, now);
    this.#dialFor(origin);
    if (timeoutMs !== null && !waiter.settled) this.#lateness.set(waiter.deadline, now);
    return waiter;
  }

  /** Somebody gives it up. */
  leave(waiter: Waiter): void {
    if (waiter.settled) return;
    this.#remove(waiter);
    this.#dropDials(waiter.origin);
  }

  /** A request begins on a connection that was taken for it. */
  begin(connection: PooledConnection, watched: Watched): void {
    connection.active.add(watched);
    connection.requests++;
  }

  /** A request on it is over. The connection is free in the next microtask: its parser may be about to close it. */
  release(connection: PooledConnection, watched: Watched): void {
    if (this.#releasing.length === 0) queueMicrotask(this.#releaseAll);
    this.#releasing.push(connection, watched);
  }

  readonly #releaseAll = (): void => {
    const pairs = this.#releasing;
    this.#releasing = [];
    for (let at = 0; at < pairs.length; at += 2)
      this.#release(pairs[at] as PooledConnection, pairs[at + 1] as Watched);
  };

  #release(connection: PooledConnection, watched: Watched): void {
    if (!connection.active.delete(watched)) return;
    this.#active--;
    const { clock, maxLifetimeMs } = this.#settings;
    const { origin } = connection;
    const now = clock.now();
    origin.served(now - watched.startedAt);
    const { sizer } = origin;
    if (sizer !== null && watched.wentWell)
      sizer.ended(now, now - watched.startedAt, origin.active, origin.waiting);
    origin.active--;
    if (!connection.gone) this.#reuse(connection, now, maxLifetimeMs);
    if (sizer !== null) this.#fillRoom(origin);
  }

  #reuse(connection: PooledConnection, now: number, maxLifetimeMs: number | null): void {
    connection.idleSince = now;
    const tooOld = maxLifetimeMs !== null && now - connection.wire.openedAt >= maxLifetimeMs;
    if (connection.active.size > 0) this.#offer(connection);
    else if (this.#closed) this.#destroy(connection, 'shutdown');
    else if (!connection.wire.usable) this.#destroy(connection, 'server');
    else if (tooOld) this.#destroy(connection, 'maxLifetime');
    else this.#offer(connection);
  }

  /** Nothing more is handed out; who waits is for the caller to tell. Idle connections are closed at once. */
  close(): void {
    this.#closed = true;
    this.#expiry.turnOff();
    this.#spare.turnOff();
    for (const origin of this.#origins.values()) {
      for (const stop of origin.dials) stop();
      this.#dialling -= origin.dials.size;
      origin.dials.clear();
      for (const connection of [...origin.connections])
        if (connection.active.size === 0) this.#destroy(connection, 'shutdown');
    }
  }

  /** Closes what is left. */
  destroy(): void {
    for (const origin of this.#origins.values())
      for (const connection of [...origin.connections]) this.#destroy(connection, 'shutdown');
  }

  /** Resolves when no connection is left. */
  whenEmpty(): Promise<void> {
    if (this.#connections === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#emptied = resolve;
    });
  }

  // Handing out

  #free(origin: Origin, once: boolean): PooledConnection | null {
    const check = this.#settings.healthCheck;
    for (const connection of origin.shared) {
      if (!connection.hasRoom) continue;
      if (check !== null && this.#needsProof(connection)) {
        this.#prove(connection, check);
        return null;
      }
      this.#hand(connection);
      return connection;
    }
    for (let at = origin.idle.length - 1; at >= 0; at--) {
      const connection = origin.idle[at] as PooledConnection;
      if (!connection.wire.usable) this.#destroy(connection, 'server');
      else if (check !== null && this.#needsProof(connection)) {
        // The others are idle for longer.
        this.#prove(connection, check);
        return null;
      } else if (connection.hasRoom && !(once && connection.mayBeStale)) {
        this.#hand(connection);
        return connection;
      }
    }
    return null;
  }

  #hand(connection: PooledConnection): void {
    this.#leaveIdle(connection);
    this.#active++;
    connection.origin.active++;
    this.#counts.acquired++;
    const inUse = this.#connections - this.#idle;
    if (inUse > this.#counts.peakInUse) this.#counts.peakInUse = inUse;
  }

  /** A connection may take a request. `checked`: the server has not closed it. */
  #offer(connection: PooledConnection, checked = false): void {
    const { origin } = connection;
    const other = connection.active.size === 0 ? this.#mustMakeWayFor(origin) : null;
    if (other !== null) {
      this.#evict(connection, other);
      return;
    }
    const now = this.#settings.clock.now();
    while (connection.hasRoom && !connection.gone && origin.room > 0) {
      const waiter = this.#nextFor(connection, checked, now);
      if (waiter === null) break;
      this.#leaveIdle(connection);
      this.#grant(waiter, connection);
    }
    if (connection.active.size > 0 || connection.gone || connection.checking || !connection.wire.usable)
      return;
    this.#rest(connection);
    // Requests that wait all the same need a connection that is new.
    if (origin.waiting > 0) this.#dialFor(origin);
  }

  /** The call that gets a connection with room; null: nobody, or not before it was looked at. */
  #nextFor(connection: PooledConnection, checked: boolean, now: number): Waiter | null {
    const { origin } = connection;
    for (;;) {
      const first = origin.firstWaiter();
      if (first === null) return null;
      if (first.isHopeless(now)) {
        this.#remove(first);
        first.outcome.hopeless();
        continue;
      }
      if (!first.demand.once || !connection.mayBeStale) return first;
      if (connection.isTrusted(now)) {
        if (checked) return first;
        this.#check(connection);
        return null;
      }
      return firstRepeatable(origin);
    }
  }

  /** Has a look at kept connections for those who must not be sent twice: one each. */
  #checkIdle(origin: Origin, now: number): void {
    for (let at = origin.idle.length - 1; at >= 0 && origin.checking < origin.waitingOnce; at--) {
      const connection = origin.idle[at] as PooledConnection;
      if (!connection.hasRoom || !connection.mayBeStale || !connection.isTrusted(now)) continue;
      const { healthCheck } = this.#settings;
      if (healthCheck !== null && this.#needsProof(connection)) this.#prove(connection, healthCheck);
      else this.#check(connection);
    }
  }

  /**
   * Waits until the kernel has had a chance to say that the server has closed a kept connection: a server that closes
   * it together with its answer, or did so while it was idle, would lose the next request. That takes two turns of the
   * event loop, since a callback of `setImmediate` that is asked for while the loop reads from sockets runs before it
   * reads again. undici waits as long, one turn after an answer and one before the next request.
   */
  #check(connection: PooledConnection): void {
    this.#inspect(connection, true, (done) => setImmediate(() => setImmediate(done, true)));
  }

  /** Whether a connection was idle for so long that its server has to answer before it is used again. */
  #needsProof(connection: PooledConnection): boolean {
    const { healthCheck, clock } = this.#settings;
    return (
      healthCheck !== null &&
      connection.requests > 0 &&
      connection.active.size === 0 &&
      clock.now() - connection.idleSince >= healthCheck.idleMs
    );
  }

  #prove(connection: PooledConnection, check: HealthCheck): void {
    const { clock } = this.#settings;
    const { origin, wire } = connection;
    this.#inspect(connection, false, (done) =>
      checkHealth(
        (answered) => wire.prove(check, answered),
        check.timeoutMs,
        clock,
        (isAlive, tookMs) => {
          if (isAlive) connection.idleSince = clock.now();
          this.#events.emit('healthCheck', { connectionId: wire.id, origin: origin.key, isAlive, tookMs });
          done(isAlive);
        },
      ),
    );
  }

  /** Nothing is sent over it until it has been looked at. `trusted`: any waiter can then have it. */
  #inspect(
    connection: PooledConnection,
    trusted: boolean,
    look: (done: (isAlive: boolean) => void) => void,
  ): void {
    const { origin } = connection;
    this.#leaveIdle(connection);
    connection.checking = true;
    origin.checking++;
    look((isAlive) => {
      connection.checking = false;
      origin.checking--;
      if (!connection.gone) {
        if (this.#closed) this.#destroy(connection, 'shutdown');
        else if (!isAlive) this.#destroy(connection, 'timeout');
        else if (!connection.wire.usable) this.#destroy(connection, 'server');
        else this.#offer(connection, trusted);
      }
      this.#dialFor(origin);
    });
  }

  #grant(waiter: Waiter, connection: PooledConnection): void {
    this.#remove(waiter);
    this.#hand(connection);
    waiter.outcome.granted(connection);
  }

  #rest(connection: PooledConnection): void {
    const { origin } = connection;
    const { clock, keepaliveExpiryMs, maxKeepalive } = this.#settings;
    if (origin.idle.includes(connection)) return;
    const now = clock.now();
    connection.rested = true;
    origin.idle.push(connection);
    this.#idle++;
    this.#expiry.set(now + keepaliveExpiryMs, now);
    if (this.#idle > maxKeepalive) this.#spare.set(now + SPARE_MS, now);
  }

  #leaveIdle(connection: PooledConnection): void {
    const { idle } = connection.origin;
    const at = idle.lastIndexOf(connection);
    if (at < 0) return;
    idle.splice(at, 1);
    this.#idle--;
  }

  // Adaptive size

  /** The server has said that it is overloaded, or has not answered in time. */
  overloaded(origin: Origin): void {
    origin.sizer?.overloaded(this.#settings.clock.now(), origin.active);
  }

  /** The size may have grown, or a request may have ended without its connection: those who wait get the room. */
  #fillRoom(origin: Origin): void {
    if (origin.waiting === 0 || origin.room <= 0) return;
    for (const connection of [...origin.shared, ...origin.idle.slice().reverse()]) {
      if (origin.waiting === 0 || origin.room <= 0) return;
      if (connection.hasRoom) this.#offer(connection);
    }
    if (origin.waiting > 0) this.#dialFor(origin);
  }

  /** The streams that its connections may carry, by the limits of the server. */
  #learnStreams({ origin, wire }: PooledConnection): void {
    const { capacity } = wire;
    if (wire.protocol !== 'h2' || wire.settling || capacity === 0) return;
    origin.sizer?.allows(capacity * this.#share);
  }

  // Waiting

  /** Turns away those whose time is up. */
  #expireWaiters(): void {
    const now = this.#settings.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const { waiters } of this.#origins.values()) {
      for (let waiter = waiters.firstDue(now); waiter !== null; waiter = waiters.firstDue(now)) {
        // Time that goes into opening a connection has a limit of its own.
        if (this.#isBeingServed(waiter)) waiters.postpone(waiter, now + RECHECK_MS);
        else {
          this.leave(waiter);
          waiter.outcome.timedOut();
        }
      }
      next = Math.min(next, waiters.nextDeadline());
    }
    if (next < Number.POSITIVE_INFINITY) this.#lateness.set(next, now);
  }

  #isBeingServed(waiter: Waiter): boolean {
    const { origin } = waiter;
    if (origin.settling) return true;
    if (origin.dials.size === 0) return false;
    if (this.#mayBeShared(origin)) return true;
    let ahead = 0;
    for (const each of origin.waiters) {
      if (each === waiter) return true;
      if (++ahead >= origin.dials.size) return false;
    }
    return false;
  }

  #remove(waiter: Waiter): void {
    waiter.origin.waiters.remove(waiter);
    if (waiter.demand.once) waiter.origin.waitingOnce--;
    this.#waiting--;
    // A timer that nobody waits for would keep the process alive.
    if (this.#waiting === 0) this.#lateness.clear();
  }

  /** Another origin of which one has waited so much longer that it gets this place. */
  #mustMakeWayFor(origin: Origin): Origin | null {
    if (this.#waiting === origin.waiting || this.#hasPlace()) return null;
    const own = origin.firstWaiter();
    const limit = own === null ? Number.POSITIVE_INFINITY : own.since - OVERTAKE_MS;
    for (const other of this.#origins.values()) {
      if (other === origin || other.waiting === 0 || !this.#wantsDial(other)) continue;
      if ((other.firstWaiter()?.since ?? Number.POSITIVE_INFINITY) < limit) return other;
    }
    return null;
  }

  // Opening

  #hasPlace(): boolean {
    return this.#connections + this.#dialling < this.#settings.maxConnections;
  }

  /** Before the first connection nobody knows whether one will do for all. */
  #mayBeShared(origin: Origin): boolean {
    return (
      origin.protocol === 'h2' ||
      (origin.protocol === null && this.#settings.http2 === 'auto' && origin.url.protocol === 'https:')
    );
  }

  #wantsDial(origin: Origin): boolean {
    return (
      origin.waiting > 0 &&
      origin.room > 0 &&
      origin.dials.size + origin.promised + origin.checking < this.#usefulDials(origin) &&
      (origin.live < this.#share || origin.unusable !== null) &&
      !origin.settling
    );
  }

  /**
   * Connections that one origin may have. Without a limit of the caller's it is all of them, and with several origins
   * all but a tenth: one that hangs must not take the others with it.
   */
  get #share(): number {
    const { maxConnections, maxConnectionsPerOrigin } = this.#settings;
    if (maxConnectionsPerOrigin < maxConnections || this.#origins.size < 2) return maxConnectionsPerOrigin;
    return Math.max(1, maxConnections - Math.max(1, Math.floor(maxConnections / 10)));
  }

  /** Takes the place of a connection that is being opened for another origin, which keeps one. Whether there was one. */
  #takeDial(wanting: Origin): boolean {
    if (wanting.live > 0) return false;
    for (const { dials } of this.#origins.values()) {
      if (dials.size < 2) continue;
      const [stop] = [...dials].slice(-1);
      stop?.();
      if (stop !== undefined) dials.delete(stop);
      this.#dialling--;
      return true;
    }
    return false;
  }

  /** One connection may do for all, unless the server has closed the last one after a few requests. */
  #usefulDials(origin: Origin): number {
    const { carried } = origin;
    const waiting = Math.min(origin.waiting, Math.max(0, origin.room));
    if (!this.#mayBeShared(origin)) return waiting;
    return Math.min(waiting, carried === null ? 1 : Math.ceil(waiting / Math.max(1, carried)));
  }

  /** A connection that is being opened belongs to those who wait for it: without them it only takes up a place. */
  #dropDials(origin: Origin): void {
    const useful = this.#usefulDials(origin);
    if (origin.dials.size <= useful) return;
    for (const stop of [...origin.dials].slice(useful)) {
      stop();
      origin.dials.delete(stop);
      this.#dialling--;
    }
    this.#placeFree();
  }

  /** Opens what those who wait for this origin can use, and there is a place for. */
  #dialFor(origin: Origin): void {
    while (!this.#closed && this.#wantsDial(origin)) {
      const own = origin.live < this.#share ? null : origin.unusable;
      const oldest = own ?? (this.#hasPlace() ? null : this.#idleLongest());
      if (oldest !== null) this.#evict(oldest, origin);
      else if (this.#hasPlace() || this.#takeDial(origin)) this.#dial(origin);
      else return;
    }
  }

  /** None of an origin that waits, which would have been used. */
  #idleLongest(): PooledConnection | null {
    let oldest: PooledConnection | null = null;
    for (const { idle } of this.#origins.values()) {
      const first = idle[0];
      if (first !== undefined && (oldest === null || first.idleSince < oldest.idleSince)) oldest = first;
    }
    return oldest;
  }

  /** Closes an idle connection, and has another one opened in its place as soon as it is closed. */
  #evict(connection: PooledConnection, wanting: Origin): void {
    connection.promisedTo = wanting;
    wanting.promised++;
    this.#destroy(connection, 'evicted');
  }

  #dial(origin: Origin): void {
    this.#dialling++;
    const ended = (): void => {
      origin.dials.delete(stop);
      this.#dialling--;
    };
    const stop = dial(origin, this.#settings, this.#sessions, {
      opened: (dialled) => {
        ended();
        this.#opened(origin, dialled);
      },
      failed: (error) => {
        ended();
        this.#failed(origin, error);
      },
    });
    origin.dials.add(stop);
  }

  #opened(origin: Origin, dialled: Dialled): void {
    const { clock } = this.#settings;
    const connection = new PooledConnection(origin, clock);
    const listener: ConnectionListener = {
      closed: (reason, unannounced) => this.#gone(connection, reason, unannounced),
      changed: () => this.#changed(connection),
    };
    const Wire = dialled.protocol === 'h2' ? H2Connection : H1Connection;
    connection.wire = new Wire(++this.#ids, origin.url, dialled, this.#settings, listener);
    connection.idleSince = connection.wire.openedAt;
    if (dialled.protocol === 'h2') origin.shared.push(connection);
    origin.protocol = dialled.protocol;
    origin.connections.add(connection);
    this.#connections++;
    this.#counts.created++;
    this.#counts.connectError = null;
    this.#counts.connect.recordMs(dialled.connectMs);
    if (dialled.tlsMs !== null) this.#counts.tls.recordMs(dialled.tlsMs);
    this.#events.emit('open', {
      connectionId: connection.wire.id,
      origin: origin.key,
      protocol: dialled.protocol,
      tookMs: dialled.connectMs + (dialled.tlsMs ?? 0),
    });
    this.#offer(connection);
    // The calls that waited to see whether one connection is enough may need their own now.
    this.#dialFor(origin);
  }

  #failed(origin: Origin, error: HttpError): void {
    this.#counts.createFailed++;
    this.#counts.connectError = error.message;
    this.#events.emit('connectFailed', { origin: origin.key, error });
    const waiter = origin.waiting > 0 ? origin.firstWaiter() : null;
    if (waiter !== null) {
      this.#remove(waiter);
      waiter.outcome.failed(error);
    }
    this.#placeFree();
  }

  /** A place is free: it goes to the one who has waited longest and has no connection coming. */
  #placeFree(): void {
    if (this.#closed || this.#waiting === 0) return;
    for (;;) {
      let first: Origin | null = null;
      let since = Number.POSITIVE_INFINITY;
      for (const origin of this.#origins.values()) {
        if (!this.#wantsDial(origin)) continue;
        const waiter = origin.firstWaiter();
        if (waiter !== null && waiter.since < since) {
          first = origin;
          since = waiter.since;
        }
      }
      if (first === null || !this.#hasPlace()) return;
      this.#dial(first);
    }
  }

  // Closing

  #destroy(connection: PooledConnection, reason: CloseReason): void {
    this.#leaveIdle(connection);
    connection.wire.destroy(reason);
  }

  #changed(connection: PooledConnection): void {
    if (connection.gone) return;
    this.#learnStreams(connection);
    if (!connection.wire.usable && connection.active.size === 0) this.#destroy(connection, 'server');
    else this.#offer(connection);
    this.#dialFor(connection.origin);
  }

  /** A server has closed a kept connection, or a request on it went nowhere, so long after the last answer. */
  sawIdleClose({ origin, idleSince }: PooledConnection, until: number): void {
    const afterMs = until - idleSince;
    if (origin.sawIdleClose(afterMs, this.#settings.clock.now()))
      this.#events.emit('closesIdle', { origin: origin.key, afterMs });
  }

  #gone(connection: PooledConnection, reason: CloseReason, unannounced: boolean): void {
    if (connection.gone) return;
    connection.over();
    this.#leaveIdle(connection);
    const { origin } = connection;
    if (reason === 'server' && connection.wire.protocol === 'h2') origin.carried = connection.requests;
    if (unannounced && connection.mayBeStale && connection.requests > 0 && connection.active.size === 0)
      this.sawIdleClose(connection, this.#settings.clock.now());
    origin.connections.delete(connection);
    const at = origin.shared.indexOf(connection);
    if (at >= 0) origin.shared.splice(at, 1);
    this.#connections--;
    this.#counts.closed[reason]++;
    this.#events.emit('close', {
      connectionId: connection.wire.id,
      origin: origin.key,
      reason,
      requests: connection.requests,
    });
    if (this.#connections === 0) this.#emptied?.();
    if (connection.promisedTo !== null) {
      connection.promisedTo.promised--;
      this.#dialFor(connection.promisedTo);
    }
    // As long as it was closing, its origin counted as one that had a connection.
    if (origin.waiting > 0) this.#dialFor(origin);
    this.#placeFree();
  }

  #expire(): void {
    const { clock, keepaliveExpiryMs } = this.#settings;
    const now = clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const { idle } of this.#origins.values()) {
      // The one used last is at the end: what is idle longest comes first.
      for (let first = idle[0]; first !== undefined; first = idle[0]) {
        if (first.idleSince + keepaliveExpiryMs > now) {
          next = Math.min(next, first.idleSince + keepaliveExpiryMs);
          break;
        }
        this.#destroy(first, 'expiry');
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#expiry.set(next, now);
  }

  /** Closes idle connections beyond the number that is kept, the longest idle first. */
  #trim(): void {
    const { clock, maxKeepalive } = this.#settings;
    const now = clock.now();
    while (this.#idle > maxKeepalive) {
      const oldest = this.#idleLongest();
      if (oldest === null) return;
      if (oldest.idleSince + SPARE_MS > now) {
        this.#spare.set(oldest.idleSince + SPARE_MS, now);
        return;
      }
      this.#destroy(oldest, 'maxIdle');
    }
  }
}

/** The call that has waited longest, of those whose request may be sent twice. */
function firstRepeatable(origin: Origin): Waiter | null {
  if (origin.waitingOnce === origin.waiting) return null;
  for (const waiter of origin.waiters) if (!waiter.demand.once) return waiter;
  return null;
}

import { backoffMs } from '../base/backoff.js';
import type { Timer } from '../base/clock.js';
import type { Emitter } from '../base/emitter.js';
import type { Turnstile } from '../base/turnstile.js';
import type { ConnectionSnapshot, ConnectionState } from '../snapshot/feed.js';
import type { SharedBudgets, SocketBudgets } from './budgets.js';
import { FeedError } from './errors.js';
import type { FeedEvents, LossCause, MoveCause } from './events.js';
import type { GapLog } from './gaps.js';
import { Line, type LineOwner, type OurEnd } from './line.js';
import type { FeedSettings } from './options.js';
import { type RequestOwner, Requests } from './requests.js';
import { rotateAfterMs } from './rotation.js';
import { StaleWatch } from './stale-watch.js';
import { type Seat, topicKey } from './subscription.js';
import type { Dial, Ending, Position, Seq, Verdict } from './venue.js';
import { judgeEnding } from './verdicts.js';

/** What a connection needs of its pool. */
export interface ConnectionHost {
  readonly settings: FeedSettings;
  readonly events: Emitter<FeedEvents>;
  readonly budgets: SharedBudgets;
  readonly gaps: GapLog;
  /** The turnstile that dials of this lane wait at. */
  dials(lane: string): Turnstile;
  nextRequestId(): number;
  /** A tick for one of the symbols, or for none of them. */
  tick(
    connection: FeedConnection,
    symbol: string,
    data: unknown,
    at: Position | undefined,
    now: number,
  ): void;
  /** The server has confirmed it, or (`assumed`) nothing says that it has not. */
  live(seat: Seat, assumed: boolean): void;
  /** These were confirmed by one message. */
  becameLive(connection: FeedConnection, seats: readonly Seat[]): void;
  /** The server does not take it. It has left the connection. */
  refused(connection: FeedConnection, seat: Seat, reason: string): void;
  /** The connection is full. It has left the connection. */
  elsewhere(connection: FeedConnection, seat: Seat, reason: string): void;
  /** It has left the connection, and nobody wants it there. */
  freed(seat: Seat): void;
  /** The server refuses us, for good. */
  failed(connection: FeedConnection, error: FeedError): void;
  /** The venue has no room for so many sockets. */
  quotaReached(connection: FeedConnection): void;
  /** Whether one more empty connection is to be kept open. */
  keepsIdle(connection: FeedConnection): boolean;
  /** Its socket ends soon: the symbols are to move. */
  rotate(connection: FeedConnection, why: MoveCause): void;
  /** The connection is lost: symbols that have another place go there. */
  losing(connection: FeedConnection): void;
  hole(
    connection: FeedConnection,
    symbols: readonly string[] | null,
    numbers: { readonly expected: Seq; readonly got: Seq } | null,
    detail: string | null,
  ): void;
  market(segment: string, open: boolean): void;
  isDataDue(connection: FeedConnection): boolean | null;
}

/** A server that ends us again so soon after it has called itself "going away" gets no more dials at once. */
const SETTLED_MS = 1000;

/**
 * One place for a socket to the feed: it keeps the server's set of topics equal to the wanted one, for ever.
 *
 * What is wanted is state, not a log of calls: each topic has a seat, and a new socket (a Line) begins with all seats
 * that are wanted. What belongs to one socket ends with it.
 *
 * From the top: topics, opening, loss, what a socket tells, the end.
 */
export class FeedConnection {
  readonly id: number;
  readonly lane: string;
  /** On the pool's clock. */
  readonly madeAt: number;
  /** It is being emptied: its symbols move to other connections. */
  retiring = false;
  readonly #host: ConnectionHost;
  readonly #settings: FeedSettings;
  readonly #seats = new Map<string, Seat>();
  #budgets: SocketBudgets;
  #state: ConnectionState = 'idle';
  #line: Line | null = null;
  #epoch = 0;
  #opened = 0;
  #ended = 0;
  #failures = 0;
  #endsInARow = 0;
  #renewals = 0;
  #why: Dial['why'] = 'first';
  #leaveGate: (() => void) | null = null;
  /** Backoff, or idle. */
  #timer: Timer | null = null;
  #stableTimer: Timer | null = null;
  #ageTimer: Timer | null = null;
  #staleWatch: StaleWatch | null = null;
  #onClosed: (() => void)[] = [];
  #tickAt: number | null = null;
  /** When data last came on the socket before this one. */
  #flowedUntil: number | null = null;
  #openedAt = 0;
  #rttMs: number | null = null;
  #staleInARow = 0;
  #topicsPerRequest: number;
  /** Less than the settings say once the server has refused topics for being too many. */
  #capacity = Number.POSITIVE_INFINITY;
  #live = 0;
  #peakSymbols = 0;
  #messages = 0;
  #ticks = 0;
  #bytes = 0;
  #messageBytes = 0;
  #repeatedBefore = 0;

  constructor(id: number, lane: string, host: ConnectionHost) {
    this.id = id;
    this.lane = lane;
    this.madeAt = host.settings.clock.now();
    this.#host = host;
    this.#settings = host.settings;
    this.#budgets = host.budgets.forSocket(lane);
    this.#topicsPerRequest = host.settings.venue.limits.topicsPerRequest;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Places taken. */
  get used(): number {
    return this.#seats.size;
  }

  get capacity(): number {
    return Math.min(this.#capacity, this.#settings.maxSymbolsPerConnection);
  }

  get live(): number {
    return this.#live;
  }

  get seats(): Iterable<Seat> {
    return this.#seats.values();
  }

  /** Whether it may be given symbols. One that is down may: it is going to subscribe them when it is up. */
  get takesSymbols(): boolean {
    const isEnding = this.#state === 'failed' || this.#state === 'draining' || this.#state === 'closed';
    return !isEnding && !this.retiring;
  }

  get isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'degraded';
  }

  /** Whether it takes up a socket of the venue's quota, or is going to. */
  get hasSocket(): boolean {
    return this.#line !== null || this.#state === 'connecting' || this.#state === 'backoff';
  }

  /** How many times it has been dialed. */
  get epoch(): number {
    return this.#epoch;
  }

  /** How many times it has been open. */
  get opened(): number {
    return this.#opened;
  }

  /** How many of those times are over, for whatever reason. */
  get ended(): number {
    return this.#ended;
  }

  get repeated(): number {
    return this.#repeatedBefore + (this.#line?.requests?.repeated ?? 0);
  }

  get tickAt(): number | null {
    return this.#tickAt;
  }

  get flowedUntil(): number | null {
    return this.#flowedUntil;
  }

  get openedAt(): number {
    return this.#openedAt;
  }

  get messages(): number {
    return this.#messages;
  }

  get ticks(): number {
    return this.#ticks;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Of the message that is being read. */
  get messageBytes(): number {
    return this.#messageBytes;
  }

  get line(): Line | null {
    return this.#line;
  }

  // Topics

  /** A new seat, wanted from now on. Opens the connection if need be. */
  add(seat: Seat): void {
    this.#seats.set(seat.subscription.key, seat);
    if (this.#seats.size > this.#peakSymbols) this.#peakSymbols = this.#seats.size;
    if (this.#state === 'idle') this.#enterGate();
    else if (this.isOpen) {
      this.#cancelTimer();
      this.#line?.requests?.consider(seat);
    }
  }

  /** What is wanted of it has changed: nobody wants it, somebody does again, or in another mode. */
  reconsider(seat: Seat): void {
    // While a request is on its way, the reply decides.
    if (seat.request !== null) return;
    if (seat.upstream === 'none' && !seat.wanted) this.#free(seat);
    else this.#line?.requests?.consider(seat);
  }

  /** Unsubscribes and subscribes it again, since its data has a hole. */
  renew(seat: Seat): void {
    if (seat.upstream !== 'live') return;
    seat.renewing = true;
    this.#line?.requests?.consider(seat);
  }

  /** Takes it out without a word to the server: the whole connection is going to end. */
  release(seat: Seat): void {
    seat.kept = false;
    this.#leave(seat);
  }

  /** A tick of a topic that waits for its first. */
  ticked(seat: Seat): void {
    this.#line?.requests?.ticked(seat);
  }

  #seatOf(symbol: string): Seat | undefined {
    const { modes = [], modeChange } = this.#settings.venue;
    if (modeChange !== 'separate') return this.#seats.get(symbol);
    const seats = modes.flatMap((mode) => this.#seats.get(topicKey(symbol, mode)) ?? []);
    return seats.find(({ request }) => request !== null) ?? seats[0];
  }

  #free(seat: Seat): void {
    this.#leave(seat);
    this.#host.freed(seat);
  }

  #leave(seat: Seat): void {
    this.#line?.requests?.leave(seat);
    seat.queued = null;
    seat.request = null;
    this.#setUpstream(seat, 'none');
    this.#seats.delete(seat.subscription.key);
    if (this.#seats.size > 0) return;
    if (this.isOpen) this.#startIdle();
    else if (this.#state === 'backoff' || this.#state === 'connecting') this.#rest();
  }

  #setUpstream(seat: Seat, upstream: Seat['upstream']): void {
    if (seat.upstream === 'live') this.#live--;
    if (upstream === 'live') this.#live++;
    seat.upstream = upstream;
  }

  // Opening

  /** Sees to it that there is a socket, unless there is one, or there will be. */
  open(): void {
    if (this.#state === 'failed') this.#setState('idle');
    if (this.#state === 'idle') this.#enterGate();
  }

  #enterGate(): void {
    this.#setState('connecting');
    // Called back at once, mostly: then there is nothing to leave.
    this.#leaveGate = this.#host.dials(this.lane).enter(() => {
      this.#leaveGate = null;
      this.#budgets = this.#host.budgets.forSocket(this.lane);
      this.#line = new Line(this.#lineOwner(), {
        ...{ lane: this.lane, why: this.#why, connectionId: this.id, epoch: ++this.#epoch },
        attempt: this.#failures + 1,
      });
    });
  }

  #lineOwner(): LineOwner {
    const connection = this;
    const host = this.#host;
    const seats = this.#seats;
    let topics: ReadonlySet<string> | null = null;
    return {
      settings: this.#settings,
      budgets: this.#budgets,
      get topics() {
        topics = new Set([...seats.values()].flatMap((seat) => (seat.wanted ? [seat.subscription.symbol] : [])));
        return topics;
      },
      requestsFor: (session) => new Requests(connection.#requestOwner(), session),
      ready: (line) => connection.#ready(line),
      message: (bytes) => {
        connection.#messages++;
        connection.#bytes += bytes;
        connection.#messageBytes = bytes;
      },
      tick: (line, symbol, data, at) => connection.#tick(line, symbol, data, at),
      notUnderstood: (error) => host.events.emit('notUnderstood', { connectionId: connection.id, error }),
      leaving: () => host.rotate(connection, 'leaving'),
      hole: (symbols, detail) => host.hole(connection, symbols, null, detail),
      lineHole: (expected, got) => host.hole(connection, null, { expected, got }, null),
      market: (segment, open) => host.market(segment, open),
      ended: (line, ending, ours) => connection.#lineEnded(line, ending, ours),
    };
  }

  #requestOwner(): RequestOwner {
    const connection = this;
    const host = this.#host;
    const { clock, venue, requestTimeoutMs } = this.#settings;
    return {
      clock,
      requestTimeoutMs,
      limits: venue.limits,
      confirmation: venue.confirmation,
      modeChange: venue.modeChange ?? 'resubscribe',
      get messages() {
        return connection.#messages;
      },
      get topicsPerRequest() {
        return connection.#topicsPerRequest;
      },
      get isOpen() {
        return connection.isOpen && connection.#line?.isOpen === true;
      },
      nextRequestId: () => host.nextRequestId(),
      roomAt: (now, frames) => connection.#budgets.roomAt(now, frames),
      send: (frames) => connection.#line?.send(frames, true),
      seatOf: (symbol) => connection.#seatOf(symbol),
      liveSeats: () => [...connection.#seats.values()].filter(({ upstream }) => upstream === 'live'),
      setUpstream: (seat, upstream) => connection.#setUpstream(seat, upstream),
      live: (seat, assumed) => host.live(seat, assumed),
      becameLive: (seats) => host.becameLive(connection, seats),
      free: (seat) => connection.#free(seat),
      refuse(seat, reason) {
        connection.#leave(seat);
        host.refused(connection, seat, reason);
      },
      elsewhere(seat, reason) {
        connection.#leave(seat);
        connection.#capacity = Math.max(1, connection.#seats.size);
        host.elsewhere(connection, seat, reason);
      },
      unresponsive: () =>
        connection.replace('unresponsive', `${connection.#line?.origin ?? ''} does not answer requests`),
      serverError: (message) =>
        host.events.emit('serverError', { connectionId: connection.id, message }),
    };
  }

  #ready(line: Line): void {
    const { clock, stableAfterMs } = this.#settings;
    const now = clock.now();
    this.#openedAt = now;
    this.#flowedUntil = this.#tickAt;
    this.#tickAt = null;
    // Some venues tell only after the login that they have no room for us.
    this.#stableTimer = clock.setTimer(
      () => {
        this.#failures = 0;
        this.#endsInARow = 0;
        this.#renewals = 0;
        this.#why = 'lost';
      },
      stableAfterMs,
      { background: true },
    );
    this.#setState('open');
    this.#host.events.emit('open', { connectionId: this.id, epoch: this.#epoch, tookMs: line.tookMs });
    if (this.#line !== line) return;
    this.#watchStale();
    this.#watchAge(line);
    if (this.#seats.size === 0) this.#startIdle();
    for (const seat of [...this.#seats.values()]) line.requests?.consider(seat);
    line.requests?.pump();
  }

  #watchAge(line: Line): void {
    const { clock, random, maxAgeMs } = this.#settings;
    const ageMs = Math.min(maxAgeMs ?? Number.POSITIVE_INFINITY, line.expiresInMs ?? Number.POSITIVE_INFINITY);
    if (!Number.isFinite(ageMs)) return;
    this.#ageTimer = clock.setTimer(() => this.#host.rotate(this, 'age'), rotateAfterMs(ageMs, random), {
      background: true,
    });
  }

  // Loss

  #lineEnded(line: Line, ending: Ending, ours: OurEnd | null): void {
    if (this.#line !== line) return;
    this.#rttMs = line.rttMs ?? this.#rttMs;
    this.#repeatedBefore += line.requests?.repeated ?? 0;
    this.#line = null;
    this.#cancelTimer();
    this.#stopWatching();
    switch (this.#state) {
      case 'draining':
        this.#forgetUpstream();
        this.#setState('idle');
        this.#tellClosed();
        // A symbol that came meanwhile.
        if (this.#seats.size > 0) this.#enterGate();
        return;
      case 'closed':
        this.#tellClosed();
        return;
      case 'connecting':
        this.#dialFailed(ending);
        return;
      case 'open':
      case 'degraded':
        this.#lost(ending, ours);
        return;
      case 'idle':
      case 'backoff':
      case 'failed':
        return;
    }
  }

  #dialFailed(ending: Ending): void {
    const { error } = ending;
    if (this.#seats.size === 0) {
      this.#tellFailed(error, this.#failures + 1, null);
      this.#rest();
      return;
    }
    this.#setState('backoff');
    this.#after(this.#verdictOn(ending), ending, (retryInMs) =>
      this.#tellFailed(error, this.#failures, retryInMs),
    );
  }

  #lost(ending: Ending, end: OurEnd | null): void {
    const cause = end?.cause ?? 'closed';
    const live = this.#live;
    const { clock } = this.#settings;
    // First of all: whatever leaves while this goes on must find a connection that is down.
    this.#setState('backoff');
    const silentMs = clock.now() - (this.#tickAt ?? this.#openedAt);
    const ours = [...this.#seats.values()].filter((seat) => seat.upstream === 'live' && seat.wanted);
    const mine = ours.map(({ subscription }) => subscription).filter(({ seat }) => seat.connection === this);
    this.#host.losing(this);
    this.#host.gaps.open(
      this.id,
      cause,
      silentMs,
      // Some have another place, where they are live.
      mine.filter(({ seat }) => seat.connection === this || seat.upstream !== 'live'),
    );
    for (const seat of [...this.#seats.values()]) {
      this.#setUpstream(seat, 'none');
      seat.queued = null;
      seat.request = null;
      seat.renewing = false;
      if (seat.subscription.seat === seat) seat.subscription.guard = null;
      if (!seat.wanted || seat.subscription.subscribers.size === 0) this.#free(seat);
    }
    const { error } = ending;
    this.#host.events.emit('lost', { connectionId: this.id, epoch: this.#epoch, cause, error, symbols: live });
    if (this.#state !== 'backoff') return;
    if (this.#seats.size === 0) this.#rest();
    else if (cause === 'rotation') this.#dialAfter(0, 'rotation');
    else {
      this.#after(this.#verdictOn(ending), ending, (retryInMs) => {
        if (retryInMs === null) this.#tellFailed(error, this.#failures, null);
      });
    }
  }

  #verdictOn(ending: Ending): Verdict {
    const { venue, backoff } = this.#settings;
    if (ending.code === 1009) this.#topicsPerRequest = Math.max(1, Math.floor(this.#topicsPerRequest / 2));
    if (ending.failure?.kind === 'quota') this.#host.quotaReached(this);
    const streak = { inARow: this.#endsInARow++, capMs: backoff.capMs };
    return venue.judge?.(ending) ?? judgeEnding(ending, streak);
  }

  /** Does what the verdict says; `told` hears when the next dial is, or null if there is none. */
  #after(verdict: Verdict, ending: Ending, told: (retryInMs: number | null) => void): void {
    if (this.#seats.size === 0) {
      this.#rest();
      told(null);
      return;
    }
    switch (verdict.then) {
      case 'retry':
        told(this.#startBackoff(ending.retryAfterMs));
        return;
      case 'now':
        if (ending.openMs < SETTLED_MS) told(this.#startBackoff(ending.retryAfterMs));
        else {
          this.#dialAfter(0, 'lost');
          told(0);
        }
        return;
      case 'wait': {
        this.#failures++;
        // A ban would hit the other connections as well.
        if (ending.httpStatus === 429) this.#host.dials(this.lane).pause(verdict.ms);
        this.#dialAfter(verdict.ms, 'lost');
        told(verdict.ms);
        return;
      }
      case 'renew':
        void this.#renewCredentials(ending, told);
        return;
      case 'stop':
        this.#give(
          new FeedError('ERR_FEED_REFUSED', verdict.message, { cause: ending.error }),
          told,
        );
        return;
    }
  }

  /** A dead token must not be tried for ever, and a fresh one must not be missed. */
  async #renewCredentials(ending: Ending, told: (retryInMs: number | null) => void): Promise<void> {
    const epoch = this.#epoch;
    const error = authError(ending);
    if (this.#renewals > 0) {
      this.#give(error, told);
      return;
    }
    let renewed = false;
    let cause: unknown = null;
    try {
      renewed = await this.#settings.renewCredentials();
    } catch (thrown) {
      cause = thrown;
    }
    if (this.#epoch !== epoch || this.#state !== 'backoff') return;
    if (renewed) {
      this.#renewals++;
      const waitMs = this.#startBackoff(ending.retryAfterMs);
      this.#why = 'renewed';
      told(waitMs);
      return;
    }
    const hint = 'the credentials could not be renewed';
    this.#give(cause === null ? error : new FeedError('ERR_FEED_AUTH', error.message, { cause, hint }), told);
  }

  /** It is not dialed again until somebody says so. */
  #give(error: FeedError, told: (retryInMs: null) => void): void {
    this.#cancelTimer();
    this.#setState('failed');
    this.#failures++;
    told(null);
    this.#host.failed(this, error);
  }

  #tellFailed(error: FeedError, failures: number, retryInMs: number | null): void {
    this.#host.events.emit('connectFailed', { connectionId: this.id, error, failures, retryInMs });
  }

  /** Gives how long it will be. */
  #startBackoff(retryAfterMs: number | null): number {
    const { random, backoff } = this.#settings;
    const waitMs = Math.max(backoffMs(this.#failures, backoff, random), retryAfterMs ?? 0);
    this.#failures++;
    this.#dialAfter(waitMs, 'lost');
    return waitMs;
  }

  #dialAfter(waitMs: number, why: Dial['why']): void {
    this.#why = why;
    this.#setState('backoff');
    this.#timer = this.#settings.clock.setTimer(() => this.#enterGate(), waitMs);
  }

  // What a socket tells

  #tick(line: Line, symbol: string, data: unknown, at: Position | undefined): void {
    if (this.#line !== line || !this.isOpen) return;
    const now = this.#settings.clock.now();
    this.#ticks++;
    this.#tickAt = now;
    this.#staleInARow = 0;
    if (this.#state === 'degraded') this.#setState('open');
    this.#host.tick(this, symbol, data, at, now);
  }

  #watchStale(): void {
    const connection = this;
    const { clock, staleAfterMs, venue, requestTimeoutMs } = this.#settings;
    this.#staleWatch = new StaleWatch(
      {
        clock,
        staleAfterMs,
        openedAt: this.#openedAt,
        get tickAt() {
          return connection.#tickAt;
        },
        get live() {
          return connection.#live;
        },
        isDataDue: () => this.#host.isDataDue(this),
        probe: (silentMs) => {
          const isRepeatable = venue.limits.repeatable ?? true;
          const seat = [...this.#seats.values()].find(({ upstream }) => upstream === 'live');
          const probe = isRepeatable ? (seat?.subscription.symbol ?? null) : null;
          this.#setState('degraded');
          this.#host.events.emit('stale', { connectionId: this.id, silentMs, probe });
          // Not as a request of the book: its reply proves nothing, and must not change what the symbol is.
          if (seat !== undefined && isRepeatable) this.#line?.requests?.probe(seat);
          return requestTimeoutMs;
        },
        replace: () => {
          this.#staleInARow++;
          this.replace('stale', `${this.#line?.origin ?? ''} sends no data although it is due`);
        },
        silent: (silentMs) =>
          this.#host.events.emit('silent', { connectionId: this.id, symbols: this.#live, silentMs }),
      },
      this.#staleInARow,
    );
  }

  #stopWatching(): void {
    this.#staleWatch?.stop();
    this.#stableTimer?.cancel();
    this.#ageTimer?.cancel();
    this.#staleWatch = null;
    this.#stableTimer = null;
    this.#ageTimer = null;
  }

  /** Ends the socket and opens another. */
  replace(cause: LossCause, message: string): void {
    this.#line?.replace(cause, message);
  }

  // The end

  /** Open, and without symbols. */
  #startIdle(): void {
    const { clock, idleCloseMs } = this.#settings;
    this.#cancelTimer();
    this.#timer = clock.setTimer(
      () => {
        if (this.#host.keepsIdle(this)) this.#startIdle();
        else this.#sayGoodbye('draining');
      },
      idleCloseMs,
      { background: true },
    );
  }

  /** An open connection without symbols is closed; it opens again when there is one. */
  rest(): void {
    if (this.isOpen && this.#seats.size === 0) this.#sayGoodbye('draining');
  }

  /** Closes the socket and opens another, since the venue would do so soon. */
  recycle(): void {
    const error = new FeedError('ERR_FEED_LOST', 'the connection was replaced before the venue ends it');
    this.#line?.goodbye({ cause: 'rotation', error });
  }

  /** Without symbols, and not open: no socket is needed. */
  #rest(): void {
    this.#leaveGate?.();
    this.#leaveGate = null;
    this.#cancelTimer();
    const line = this.#line;
    this.#line = null;
    line?.drop();
    this.#setState('idle');
  }

  #sayGoodbye(state: 'draining' | 'closed'): void {
    this.#cancelTimer();
    this.#stopWatching();
    this.#setState(state);
    this.#line?.goodbye();
  }

  /** For good. Resolves when the socket is gone. */
  close(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    const wasOpen = this.isOpen || this.#state === 'draining';
    this.#line?.requests?.end();
    if (!wasOpen) {
      this.#rest();
      this.#setState('closed');
      return Promise.resolve();
    }
    const gone = new Promise<void>((resolve) => this.#onClosed.push(resolve));
    this.#sayGoodbye('closed');
    return gone;
  }

  #forgetUpstream(): void {
    for (const seat of this.#seats.values()) {
      this.#setUpstream(seat, 'none');
      seat.queued = null;
      seat.request = null;
    }
  }

  #tellClosed(): void {
    for (const tell of this.#onClosed.splice(0)) tell();
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state) return;
    const wasOpen = this.isOpen;
    this.#state = state;
    if (!wasOpen && this.isOpen) this.#opened++;
    if (wasOpen && !this.isOpen) this.#ended++;
    this.#host.events.emit('state', { connectionId: this.id, state });
  }

  snapshot(): ConnectionSnapshot {
    const { clock } = this.#settings;
    return {
      id: this.id,
      state: this.#state,
      epoch: this.#epoch,
      symbols: this.#seats.size,
      peakSymbols: this.#peakSymbols,
      live: this.#live,
      capacityUsed: this.#seats.size / this.capacity,
      messages: this.#messages,
      ticks: this.#ticks,
      bytes: this.#bytes,
      lastTickAgoMs: this.#tickAt === null ? null : clock.now() - this.#tickAt,
      rttMs: this.#line?.rttMs ?? this.#rttMs,
      reconnects: Math.max(0, this.#opened - 1),
    };
  }
}

function authError({ error }: Ending): FeedError {
  return error.code === 'ERR_FEED_AUTH'
    ? error
    : new FeedError('ERR_FEED_AUTH', `the server refuses the credentials: ${error.message}`, {
        cause: error,
        hint: 'renew the token; it is not tried again with this one',
      });
}

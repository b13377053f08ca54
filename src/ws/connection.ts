import type { Timer } from '../base/clock.js';
import type { ConnectionSnapshot, ConnectionState } from '../snapshot/feed.js';
import type { SocketBudgets } from './budgets.js';
import type { ConnectionHost as Host } from './connection-host.js';
import { FeedError } from './errors.js';
import type { LossCause } from './events.js';
import { Line, type LineOwner, type OurEnd } from './line.js';
import type { FeedSettings } from './options.js';
import { Redial } from './redial.js';
import { type RequestOwner, Requests } from './requests.js';
import { Seats } from './seats.js';
import type { Seat } from './subscription.js';
import type { Ending, Position, Verdict } from './venue.js';
import { judgeEnding } from './verdicts.js';
import { type Watched, Watches } from './watches.js';

/** The interface of a connection to its pool. */
export interface ConnectionHost extends Host<FeedConnection> {}

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
  readonly #seats: Seats;
  #budgets: SocketBudgets;
  #state: ConnectionState = 'idle';
  #line: Line | null = null;
  #epoch = 0;
  #opened = 0;
  #ended = 0;
  readonly #redial: Redial;
  #leaveGate: (() => void) | null = null;
  /** Backoff, or idle. */
  #timer: Timer | null = null;
  readonly #watches: Watches;
  #onClosed: (() => void)[] = [];
  #tickAt: number | null = null;
  /** When data last came on the socket before this one. */
  #flowedUntil: number | null = null;
  #openedAt = 0;
  #rttMs: number | null = null;
  #topicsPerRequest: number;
  /** Less than the settings say once the server has refused topics for being too many. */
  #capacity = Number.POSITIVE_INFINITY;
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
    this.#redial = new Redial({
      settings: host.settings,
      wait: (ms) => {
        this.#setState('backoff');
        this.#timer = host.settings.clock.setTimer(() => this.#enterGate(), ms);
      },
      epoch: () => (this.#state === 'backoff' ? this.#epoch : null),
      pauseDials: (ms) => host.dials(lane).pause(ms),
      giveUp: (error, tell) => this.#giveUp(error, tell),
    });
    this.#seats = new Seats(host.settings.venue);
    this.#watches = new Watches(this.#watched());
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
    return this.#seats.liveCount;
  }

  get seats(): readonly Seat[] {
    return this.#seats.all;
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

  /** Bytes of the message that is being read. */
  get messageBytes(): number {
    return this.#messageBytes;
  }

  get line(): Line | null {
    return this.#line;
  }

  // Topics

  /** A new seat, wanted from now on. Opens the connection if need be. */
  add(seat: Seat): void {
    this.#seats.add(seat);
    if (this.#state === 'idle') this.#enterGate();
    else if (this.isOpen) {
      this.#cancelTimer();
      this.#line?.requests?.consider(seat);
    }
  }

  /** Reacts to a changed demand for a seat: none, some again, or in another mode. */
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

  #free(seat: Seat): void {
    this.#leave(seat);
    this.#host.freed(seat);
  }

  #leave(seat: Seat): void {
    this.#line?.requests?.leave(seat);
    seat.queued = null;
    seat.request = null;
    this.#seats.delete(seat);
    if (this.#seats.size > 0) return;
    if (this.isOpen) this.#startIdle();
    else if (this.#state === 'backoff' || this.#state === 'connecting') this.#rest();
  }

  // Opening

  /** It is going to take the place of another connection. */
  replaces(): void {
    this.#redial.dialsForRotation();
  }

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
        ...{ lane: this.lane, why: this.#redial.why, connectionId: this.id, epoch: ++this.#epoch },
        attempt: this.#redial.failures + 1,
      });
    });
  }

  #lineOwner(): LineOwner {
    const host = this.#host;
    const seats = this.#seats;
    return {
      settings: this.#settings,
      budgets: this.#budgets,
      get topics() {
        return seats.wantedSymbols;
      },
      requestsFor: (session) => new Requests(this.#requestOwner(), session),
      ready: (line) => this.#ready(line),
      message: (bytes) => {
        this.#messages++;
        this.#bytes += bytes;
        this.#messageBytes = bytes;
      },
      tick: (line, symbol, data, at) => this.#tick(line, symbol, data, at),
      notUnderstood: (error) => host.events.emit('notUnderstood', { connectionId: this.id, error }),
      leaving: () => host.rotate(this, 'leaving'),
      hole: (symbols, detail) => host.hole(this, symbols, null, detail),
      lineHole: (expected, got) => host.hole(this, null, { expected, got }, null),
      market: (segment, open) => host.market(segment, open),
      ended: (line, ending, ours) => this.#lineEnded(line, ending, ours),
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
      mostFrames: this.#budgets.mostFrames,
      roomAt: (now, frames) => connection.#budgets.roomAt(now, frames),
      send: (frames) => connection.#line?.send(frames, true),
      seatOf: (symbol) => connection.#seats.of(symbol),
      liveSeats: () => connection.#seats.live,
      setUpstream: (seat, upstream) => connection.#seats.setUpstream(seat, upstream),
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
      serverError: (message) => host.events.emit('serverError', { connectionId: connection.id, message }),
    };
  }

  #ready(line: Line): void {
    this.#openedAt = this.#settings.clock.now();
    this.#flowedUntil = this.#tickAt;
    this.#tickAt = null;
    this.#setState('open');
    this.#host.events.emit('open', { connectionId: this.id, epoch: this.#epoch, tookMs: line.tookMs });
    if (this.#line !== line) return;
    this.#watches.start(line);
    if (this.#seats.size === 0) this.#startIdle();
    for (const seat of this.#seats.all) line.requests?.consider(seat);
    line.requests?.pump();
  }

  // Loss

  #lineEnded(line: Line, ending: Ending, ours: OurEnd | null): void {
    if (this.#line !== line) return;
    this.#rttMs = line.rttMs ?? this.#rttMs;
    this.#repeatedBefore += line.requests?.repeated ?? 0;
    this.#line = null;
    this.#cancelTimer();
    this.#watches.stop();
    switch (this.#state) {
      case 'draining':
        for (const seat of this.#seats.all) this.#seats.forgetUpstream(seat);
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
      this.#tellFailed(error, this.#redial.failures + 1, null);
      this.#rest();
      return;
    }
    this.#setState('backoff');
    this.#again(ending, (retryInMs) => this.#tellFailed(error, this.#redial.failures, retryInMs));
  }

  #lost(ending: Ending, end: OurEnd | null): void {
    const cause = end?.cause ?? 'closed';
    const live = this.live;
    const { clock } = this.#settings;
    // First of all: whatever leaves while this goes on must find a connection that is down.
    this.#setState('backoff');
    const silentMs = clock.now() - (this.#tickAt ?? this.#openedAt);
    const mine = this.#seats.live
      .filter(({ wanted }) => wanted)
      .map(({ subscription }) => subscription)
      .filter(({ seat }) => seat.connection === this);
    this.#host.losing(this);
    this.#host.gaps.open(
      this.id,
      cause,
      silentMs,
      // Some have another place, where they are live.
      mine.filter(({ seat }) => seat.connection === this || seat.upstream !== 'live'),
    );
    for (const seat of this.#seats.all) {
      this.#seats.forgetUpstream(seat);
      if (seat.subscription.seat === seat) seat.subscription.guard = null;
      if (!seat.wanted || seat.subscription.subscribers.size === 0) this.#free(seat);
    }
    const { error } = ending;
    this.#host.events.emit('lost', {
      connectionId: this.id,
      epoch: this.#epoch,
      cause,
      error,
      symbols: live,
    });
    if (this.#state !== 'backoff') return;
    if (this.#seats.size === 0) this.#rest();
    else if (cause === 'rotation') this.#redial.dialAfter(0, 'rotation');
    else {
      this.#again(ending, (retryInMs) => {
        if (retryInMs === null) this.#tellFailed(error, this.#redial.failures, null);
      });
    }
  }

  #again(ending: Ending, told: (retryInMs: number | null) => void): void {
    const verdict = this.#verdictOn(ending);
    // The verdict may have moved them to other connections.
    if (this.#seats.size > 0) this.#redial.after(verdict, ending, told);
    else {
      this.#rest();
      told(null);
    }
  }

  #verdictOn(ending: Ending): Verdict {
    const { venue } = this.#settings;
    if (ending.code === 1009) this.#topicsPerRequest = Math.max(1, Math.floor(this.#topicsPerRequest / 2));
    if (ending.failure?.kind === 'quota') this.#host.quotaReached(this);
    const streak = this.#redial.streak();
    return venue.judge?.(ending) ?? judgeEnding(ending, streak);
  }

  /** It is not dialed again until somebody says so. */
  #giveUp(error: FeedError, tell: () => void): void {
    this.#cancelTimer();
    this.#setState('failed');
    tell();
    this.#host.failed(this, error);
  }

  #tellFailed(error: FeedError, failures: number, retryInMs: number | null): void {
    this.#host.events.emit('connectFailed', { connectionId: this.id, error, failures, retryInMs });
  }

  // Events of the socket

  #tick(line: Line, symbol: string, data: unknown, at: Position | undefined): void {
    if (this.#line !== line || !this.isOpen) return;
    const now = this.#settings.clock.now();
    this.#ticks++;
    this.#tickAt = now;
    this.#watches.ticked();
    if (this.#state === 'degraded') this.#setState('open');
    this.#host.tick(this, symbol, data, at, now);
  }

  #watched(): Watched {
    const connection = this;
    const host = this.#host;
    return {
      settings: this.#settings,
      get openedAt() {
        return connection.#openedAt;
      },
      get tickAt() {
        return connection.#tickAt;
      },
      get live() {
        return connection.live;
      },
      isDataDue: () => host.isDataDue(connection),
      probe(silentMs) {
        const isRepeatable = connection.#settings.venue.limits.repeatable ?? true;
        const seat = connection.#seats.live[0];
        const probe = isRepeatable ? (seat?.subscription.symbol ?? null) : null;
        connection.#setState('degraded');
        host.events.emit('stale', { connectionId: connection.id, silentMs, probe });
        // Not as a request of the book: its reply proves nothing, and must not change what the symbol is.
        if (seat !== undefined && isRepeatable) connection.#line?.requests?.probe(seat);
      },
      stale: () =>
        connection.replace('stale', `${connection.#line?.origin ?? ''} sends no data although it is due`),
      silent: (silentMs) =>
        host.events.emit('silent', { connectionId: connection.id, symbols: connection.live, silentMs }),
      stable: () => connection.#redial.stable(),
      rotate: () => host.rotate(connection, 'age'),
    };
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
    this.#watches.stop();
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
      peakSymbols: this.#seats.peak,
      live: this.live,
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

import { Alarm } from '../base/alarm.js';
import { backoffMs } from '../base/backoff.js';
import type { Timer } from '../base/clock.js';
import type { Emitter } from '../base/emitter.js';
import { asError } from '../base/promises.js';
import { SlidingLog } from '../base/sliding-log.js';
import type { Turnstile } from '../base/turnstile.js';
import type { ConnectionSnapshot, ConnectionState } from '../snapshot/feed.js';
import { FeedError } from './errors.js';
import type { FeedEvents, GapSymbol, LossCause } from './events.js';
import type { FeedSettings } from './options.js';
import type { FeedMessage, FeedTick } from './protocol.js';
import type { FeedSocket, SocketEnd, SocketListener } from './socket.js';
import type { Subscription } from './subscription.js';

/** What a connection needs of its pool. */
export interface ConnectionHost {
  readonly settings: FeedSettings;
  readonly events: Emitter<FeedEvents>;
  readonly dials: Turnstile;
  /** A tick for one of the symbols, or for none of them. */
  tick(connection: FeedConnection, tick: FeedTick, now: number): void;
  live(subscription: Subscription): void;
  /** The server does not take it. It has left the connection. */
  refused(subscription: Subscription, reason: string): void;
  /** It has left the connection, and nobody wants it. */
  freed(subscription: Subscription): void;
  /** The server refuses the credentials, for good. */
  failed(connection: FeedConnection, error: FeedError): void;
  /** Whether one more empty connection is to be kept open. */
  keepsIdle(connection: FeedConnection): boolean;
}

/** Symbols that are asked for, or let go, in one message. */
interface Batch {
  readonly kind: 'subscribe' | 'unsubscribe';
  readonly subscriptions: readonly Subscription[];
  /** Times it was sent without a reply. */
  unanswered: number;
}

interface InFlight {
  readonly batch: Batch;
  readonly timer: Timer;
  /** Messages received when it was sent: shows whether the server has said anything since. */
  readonly messagesBefore: number;
}

const SECOND_MS = 1000;
/** A peer that does not answer our goodbye is left without an answer: `ws` alone would wait for 30 s. */
const GOODBYE_MS = 2000;
/** So many requests in a row without a reply, and without any other message, are the connection's fault. */
const UNANSWERED_IN_A_ROW = 3;
/** A symbol that has no reply when asked for alone so many times is taken for refused. */
const UNANSWERED_ALONE = 2;
/** The wait for data doubles with each replacement that brought none, up to so many times. */
const STALE_DOUBLINGS = 5;

/**
 * One connection to the feed: it keeps the server's set of symbols equal to the wanted one, for ever.
 *
 * What is wanted is state, not a log of calls: symbols wait in `#toSubscribe` and `#toUnsubscribe` until a message
 * may be sent, so that one that comes and goes meanwhile costs nothing, and after a reconnect `#lost` puts all that is
 * wanted back to the start. Each opening is an epoch; what an older socket still says is not listened to.
 *
 * From the top: symbols, requests, replies, opening, loss, liveness, the end.
 */
export class FeedConnection {
  readonly id: number;
  readonly #host: ConnectionHost;
  readonly #settings: FeedSettings;
  readonly #symbols = new Map<string, Subscription>();
  readonly #toSubscribe = new Set<Subscription>();
  readonly #toUnsubscribe = new Set<Subscription>();
  readonly #again: Batch[] = [];
  readonly #inFlight = new Map<number, InFlight>();
  readonly #window: SlidingLog;
  readonly #wake: Alarm;
  #requests = 0;
  #unansweredInARow = 0;
  /** The server has asked not to be sent anything until then. */
  #busyUntil = Number.NEGATIVE_INFINITY;

  #state: ConnectionState = 'idle';
  #socket: FeedSocket | null = null;
  #epoch = 0;
  #opened = 0;
  #ended = 0;
  #failures = 0;
  #leaveGate: (() => void) | null = null;
  /** One of: connect deadline, backoff, goodbye, idle. */
  #timer: Timer | null = null;
  #stableTimer: Timer | null = null;
  /** Why we ended the socket ourselves. */
  #ending: { cause: LossCause; error: FeedError } | null = null;
  #onClosed: (() => void)[] = [];

  #pingTimer: Timer | null = null;
  #staleTimer: Timer | null = null;
  #heardAt = 0;
  #tickAt: number | null = null;
  #openedAt = 0;
  #pingedAt: number | null = null;
  #rttMs: number | null = null;
  #staleInARow = 0;

  #gap: Gap | null = null;

  #live = 0;
  #peakSymbols = 0;
  #messages = 0;
  #ticks = 0;
  #bytes = 0;
  #repeated = 0;

  constructor(id: number, host: ConnectionHost) {
    const { settings } = host;
    this.id = id;
    this.#host = host;
    this.#settings = settings;
    this.#window = new SlidingLog(settings.protocol.limits.messagesPerSecond, SECOND_MS);
    this.#wake = new Alarm(settings.clock, () => this.#pump(), { background: false });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Places taken. */
  get used(): number {
    return this.#symbols.size;
  }

  /** Whether it may be given symbols. One that is down may: it is going to subscribe them when it is up. */
  get takesSymbols(): boolean {
    return this.#state !== 'failed' && this.#state !== 'draining' && this.#state !== 'closed';
  }

  get isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'degraded';
  }

  /** How many times it has been dialled. */
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
    return this.#repeated;
  }

  // Symbols

  /** A new symbol, wanted from now on. Opens the connection if need be. */
  add(subscription: Subscription): void {
    this.#symbols.set(subscription.symbol, subscription);
    if (this.#symbols.size > this.#peakSymbols) this.#peakSymbols = this.#symbols.size;
    this.#toSubscribe.add(subscription);
    if (this.#state === 'idle') this.#enterGate();
    else if (this.isOpen) {
      this.#cancelTimer();
      this.#pumpSoon();
    }
  }

  /** One that was on its way out is wanted again. */
  want(subscription: Subscription): void {
    if (subscription.upstream === 'live') {
      this.#toUnsubscribe.delete(subscription);
      this.#host.live(subscription);
    }
    // While the server unsubscribes it, the reply is waited for: then it is subscribed anew.
  }

  /** Nobody wants it any more. */
  unwant(subscription: Subscription): void {
    switch (subscription.upstream) {
      case 'none':
        this.#toSubscribe.delete(subscription);
        this.#free(subscription);
        return;
      case 'live':
        this.#toUnsubscribe.add(subscription);
        this.#pumpSoon();
        return;
      case 'subscribing':
      case 'unsubscribing':
        // The reply decides.
        return;
    }
  }

  #free(subscription: Subscription): void {
    this.#leave(subscription);
    this.#host.freed(subscription);
  }

  #leave(subscription: Subscription): void {
    this.#setUpstream(subscription, 'none');
    this.#symbols.delete(subscription.symbol);
    this.#toSubscribe.delete(subscription);
    this.#toUnsubscribe.delete(subscription);
    this.#endGapOf(subscription);
    if (this.#symbols.size === 0 && this.isOpen) this.#startIdle();
    if (this.#symbols.size === 0 && (this.#state === 'backoff' || this.#state === 'connecting')) this.#rest();
  }

  #setUpstream(subscription: Subscription, upstream: Subscription['upstream']): void {
    if (subscription.upstream === 'live') this.#live--;
    if (upstream === 'live') this.#live++;
    subscription.upstream = upstream;
  }

  // Requests

  #pumpPending = false;

  /** Calls that come in one turn of the event loop share their messages. */
  #pumpSoon(): void {
    if (this.#pumpPending || !this.isOpen) return;
    this.#pumpPending = true;
    this.#settings.clock.defer(() => {
      this.#pumpPending = false;
      this.#pump();
    });
  }

  /** Sends what there is to send, as fast as is allowed. */
  #pump(): void {
    while (this.isOpen) {
      if (this.#again.length + this.#toUnsubscribe.size + this.#toSubscribe.size === 0) return;
      const now = this.#settings.clock.now();
      const at = Math.max(this.#window.roomAt(now), this.#busyUntil);
      if (at > now) {
        // At least a millisecond: a rounding that is short of the moment must not ring over and over.
        this.#wake.set(Math.max(at, now + 1), now);
        return;
      }
      this.#send(this.#nextBatch(), now);
    }
  }

  #nextBatch(): Batch {
    const again = this.#again.shift();
    if (again !== undefined) return again;
    // Unsubscribes first: they make room.
    const kind = this.#toUnsubscribe.size > 0 ? 'unsubscribe' : 'subscribe';
    const queue = kind === 'unsubscribe' ? this.#toUnsubscribe : this.#toSubscribe;
    const subscriptions: Subscription[] = [];
    for (const subscription of queue) {
      if (subscriptions.length >= this.#settings.protocol.limits.symbolsPerMessage) break;
      queue.delete(subscription);
      subscriptions.push(subscription);
    }
    return { kind, subscriptions, unanswered: 0 };
  }

  #send(batch: Batch, now: number): void {
    const { protocol, clock, requestTimeoutMs } = this.#settings;
    const requestId = ++this.#requests;
    const symbols = batch.subscriptions.map(({ symbol }) => symbol);
    for (const each of batch.subscriptions) {
      this.#setUpstream(each, batch.kind === 'subscribe' ? 'subscribing' : 'unsubscribing');
    }
    this.#window.note(now);
    this.#socket?.send(protocol[batch.kind](symbols, requestId));
    if (!protocol.limits.confirms) {
      this.#settle(batch, new Map());
      return;
    }
    const timer = clock.setTimer(() => this.#requestTimedOut(requestId), requestTimeoutMs);
    this.#inFlight.set(requestId, { batch, timer, messagesBefore: this.#messages });
  }

  // Replies

  #onMessage(text: string, bytes: number): void {
    const now = this.#settings.clock.now();
    this.#heard(now);
    this.#messages++;
    this.#bytes += bytes;
    let message: FeedMessage;
    try {
      message = this.#settings.protocol.parse(text);
    } catch (error) {
      this.#host.events.emit('notUnderstood', { connectionId: this.id, error: asError(error) });
      return;
    }
    switch (message.kind) {
      case 'tick':
        this.#onTick(message, now);
        return;
      case 'ticks':
        for (const tick of message.ticks) this.#onTick(tick, now);
        return;
      case 'done': {
        const batch = this.#takeInFlight(message.requestId);
        if (batch === null) return;
        this.#unansweredInARow = 0;
        this.#settle(batch, new Map(message.refused.map(({ symbol, reason }) => [symbol, reason])));
        return;
      }
      case 'busy':
        this.#onBusy(message.requestId, message.retryAfterMs, now);
        return;
      case 'other':
        return;
    }
  }

  #onTick(tick: FeedTick, now: number): void {
    this.#ticks++;
    this.#tickAt = now;
    this.#staleInARow = 0;
    if (this.#state === 'degraded') this.#setState('open');
    this.#host.tick(this, tick, now);
  }

  #onBusy(requestId: number | null, retryAfterMs: number, now: number): void {
    this.#busyUntil = Math.max(this.#busyUntil, now + retryAfterMs);
    const batch = requestId === null ? null : this.#takeInFlight(requestId);
    if (batch !== null) {
      this.#repeated++;
      this.#again.push(batch);
    }
    this.#pump();
  }

  #takeInFlight(requestId: number): Batch | null {
    const found = this.#inFlight.get(requestId);
    if (found === undefined) return null;
    found.timer.cancel();
    this.#inFlight.delete(requestId);
    return found.batch;
  }

  /** A request was carried out. */
  #settle({ kind, subscriptions }: Batch, refused: ReadonlyMap<string, string>): void {
    for (const subscription of subscriptions) {
      if (kind === 'unsubscribe') {
        this.#setUpstream(subscription, 'none');
        if (subscription.wanted) this.#toSubscribe.add(subscription);
        else this.#free(subscription);
        continue;
      }
      const reason = refused.get(subscription.symbol);
      if (reason !== undefined) this.#refuse(subscription, reason);
      else {
        subscription.unanswered = 0;
        this.#setUpstream(subscription, 'live');
        if (!subscription.wanted) this.#toUnsubscribe.add(subscription);
        else {
          this.#endGapOf(subscription);
          this.#host.live(subscription);
        }
      }
    }
    this.#pumpSoon();
  }

  #refuse(subscription: Subscription, reason: string): void {
    this.#leave(subscription);
    this.#host.refused(subscription, reason);
  }

  /**
   * A request without a reply is sent again, then in halves, until the symbol is found that the server chokes on. But
   * if the server says nothing at all, or must not be asked twice, the connection is replaced.
   */
  #requestTimedOut(requestId: number): void {
    const found = this.#inFlight.get(requestId);
    if (found === undefined) return;
    this.#inFlight.delete(requestId);
    const { batch, messagesBefore } = found;
    this.#unansweredInARow = this.#messages > messagesBefore ? 1 : this.#unansweredInARow + 1;
    const { repeatable } = this.#settings.protocol.limits;
    const [first] = batch.subscriptions;
    if (batch.subscriptions.length === 1 && first !== undefined) first.unanswered++;
    const alone = batch.subscriptions.length === 1 && (first?.unanswered ?? 0) >= UNANSWERED_ALONE;
    if (alone && first !== undefined && batch.kind === 'subscribe') {
      // The server may have it all the same, but nothing says so; a new socket would not know either.
      this.#refuse(first, `no reply to ${UNANSWERED_ALONE} requests for it alone`);
      return;
    }
    if (alone || !repeatable || this.#unansweredInARow >= UNANSWERED_IN_A_ROW) {
      this.#replace('unresponsive', `${this.#settings.origin} does not answer requests`);
      return;
    }
    batch.unanswered++;
    this.#repeated++;
    if (batch.unanswered < 2 || batch.subscriptions.length === 1) this.#again.push(batch);
    else this.#again.push(...halves(batch));
    this.#pump();
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
    this.#leaveGate = this.#host.dials.enter(() => {
      this.#leaveGate = null;
      void this.#dial();
    });
  }

  async #dial(): Promise<void> {
    const settings = this.#settings;
    const epoch = ++this.#epoch;
    const startedAt = settings.clock.now();
    const isCurrent = () => this.#epoch === epoch && this.#state === 'connecting';
    let headers: Readonly<Record<string, string>>;
    try {
      headers = await settings.headers();
    } catch (cause) {
      const error = new FeedError('ERR_FEED_CONNECT', 'the headers for the feed could not be made', {
        cause,
      });
      if (isCurrent()) this.#dialFailed({ error, retryAfterMs: null });
      return;
    }
    if (!isCurrent()) return;
    const socket = settings.dial(
      { url: settings.url, headers, maxMessageBytes: settings.maxMessageBytes, tls: settings.tls },
      this.#listenerFor(epoch, startedAt),
    );
    this.#socket = socket;
    this.#timer = settings.clock.setTimer(() => {
      const error = new FeedError(
        'ERR_FEED_CONNECT',
        `${settings.origin} did not open a WebSocket within ${settings.connectTimeoutMs} ms`,
      );
      this.#ending = { cause: 'closed', error };
      socket.terminate();
    }, settings.connectTimeoutMs);
  }

  /** What a socket says counts only while it is the current one. */
  #listenerFor(epoch: number, startedAt: number): SocketListener {
    const isCurrent = () => this.#epoch === epoch;
    return {
      opened: () => {
        if (isCurrent() && this.#state === 'connecting') this.#socketOpened(startedAt);
      },
      message: (text, bytes) => {
        if (isCurrent() && this.isOpen) this.#onMessage(text, bytes);
      },
      control: (frame) => {
        if (!isCurrent()) return;
        const now = this.#settings.clock.now();
        if (frame === 'pong' && this.#pingedAt !== null) {
          this.#rttMs = now - this.#pingedAt;
          this.#pingedAt = null;
        }
        this.#heard(now);
      },
      closed: (end) => {
        if (isCurrent()) this.#closed(end);
      },
    };
  }

  #socketOpened(startedAt: number): void {
    const { clock, stableAfterMs } = this.#settings;
    this.#cancelTimer();
    const now = clock.now();
    this.#pingedAt = null;
    this.#openedAt = now;
    this.#heardAt = now;
    this.#tickAt = null;
    this.#unansweredInARow = 0;
    this.#busyUntil = Number.NEGATIVE_INFINITY;
    this.#stableTimer = clock.setTimer(
      () => {
        this.#failures = 0;
      },
      stableAfterMs,
      { background: true },
    );
    this.#setState('open');
    this.#host.events.emit('open', { connectionId: this.id, epoch: this.#epoch, tookMs: now - startedAt });
    this.#schedulePing();
    this.#watchStale();
    if (this.#symbols.size === 0) this.#startIdle();
    this.#pump();
  }

  #dialFailed({ error, retryAfterMs }: SocketEnd): void {
    if (error.code === 'ERR_FEED_AUTH') {
      void this.#credentialsRefused(error);
      return;
    }
    if (this.#symbols.size === 0) {
      this.#host.events.emit('connectFailed', {
        connectionId: this.id,
        error,
        failures: this.#failures + 1,
        retryInMs: null,
      });
      this.#rest();
      return;
    }
    const retryInMs = this.#startBackoff(retryAfterMs);
    this.#host.events.emit('connectFailed', {
      connectionId: this.id,
      error,
      failures: this.#failures,
      retryInMs,
    });
  }

  async #credentialsRefused(error: FeedError): Promise<void> {
    const epoch = this.#epoch;
    this.#setState('backoff');
    let renewed = false;
    let cause: unknown = null;
    try {
      renewed = await this.#settings.renewCredentials();
    } catch (thrown) {
      cause = thrown;
    }
    if (this.#epoch !== epoch || this.#state !== 'backoff') return;
    if (renewed) {
      const retryInMs = this.#startBackoff(null);
      this.#host.events.emit('connectFailed', {
        connectionId: this.id,
        error,
        failures: this.#failures,
        retryInMs,
      });
      return;
    }
    this.#setState('failed');
    const failures = ++this.#failures;
    this.#host.events.emit('connectFailed', { connectionId: this.id, error, failures, retryInMs: null });
    this.#host.failed(
      this,
      cause === null
        ? error
        : new FeedError('ERR_FEED_AUTH', error.message, {
            cause,
            hint: 'the credentials could not be renewed',
          }),
    );
  }

  /** Gives how long it will be. */
  #startBackoff(retryAfterMs: number | null): number {
    const { clock, random, backoff } = this.#settings;
    const waitMs = Math.max(backoffMs(this.#failures, backoff, random), retryAfterMs ?? 0);
    this.#failures++;
    this.#setState('backoff');
    this.#timer = clock.setTimer(() => this.#enterGate(), waitMs);
    return waitMs;
  }

  // Loss

  #closed(end: SocketEnd): void {
    const wasOpen = this.isOpen;
    const ending = this.#ending;
    this.#ending = null;
    this.#socket = null;
    this.#cancelTimer();
    this.#stopWatching();
    switch (this.#state) {
      case 'draining':
        this.#forgetRequests();
        this.#setState('idle');
        this.#tellClosed();
        // A symbol that came meanwhile.
        if (this.#symbols.size > 0) this.#enterGate();
        return;
      case 'closed':
        this.#tellClosed();
        return;
      case 'connecting':
        this.#dialFailed(ending === null ? end : { error: ending.error, retryAfterMs: end.retryAfterMs });
        return;
      case 'open':
      case 'degraded':
        if (wasOpen) this.#lost(ending ?? { cause: 'closed', error: end.error }, end.retryAfterMs);
        return;
      case 'idle':
      case 'backoff':
      case 'failed':
        return;
    }
  }

  #lost({ cause, error }: { cause: LossCause; error: FeedError }, retryAfterMs: number | null): void {
    this.#forgetRequests();
    const live = this.#live;
    // First of all: whatever leaves while this goes on must find a connection that is down.
    this.#setState('backoff');
    this.#openGap(cause);
    for (const subscription of [...this.#symbols.values()]) {
      this.#setUpstream(subscription, 'none');
      if (!subscription.wanted || subscription.subscribers.size === 0) this.#free(subscription);
      else this.#toSubscribe.add(subscription);
    }
    this.#host.events.emit('lost', {
      connectionId: this.id,
      epoch: this.#epoch,
      cause,
      error,
      symbols: live,
    });
    if (this.#symbols.size === 0) this.#rest();
    else this.#startBackoff(retryAfterMs);
  }

  #forgetRequests(): void {
    for (const { timer } of this.#inFlight.values()) timer.cancel();
    this.#inFlight.clear();
    this.#again.length = 0;
    this.#toUnsubscribe.clear();
    this.#toSubscribe.clear();
  }

  /** All symbols that were live are in the gap; those of an earlier one that is not over yet stay in it. */
  #openGap(cause: LossCause): void {
    const { clock } = this.#settings;
    if (this.#gap !== null) this.#tellGap(this.#gap);
    const silentMs = clock.now() - (this.#tickAt ?? this.#openedAt);
    const gap: Gap = this.#gap ?? { cause, fromMs: clock.wallTime() - silentMs, open: new Map(), closed: [] };
    for (const subscription of this.#symbols.values()) {
      if (subscription.upstream !== 'live' || !subscription.wanted) continue;
      gap.open.set(subscription, subscription.lastSeq);
    }
    this.#gap = gap.open.size > 0 ? gap : null;
  }

  /** It is live again, or has left. */
  #endGapOf(subscription: Subscription): void {
    const gap = this.#gap;
    const lastSeq = gap?.open.get(subscription);
    if (gap === null || lastSeq === undefined) return;
    gap.open.delete(subscription);
    if (subscription.upstream === 'live') gap.closed.push({ symbol: subscription.symbol, lastSeq });
    if (gap.open.size > 0) return;
    this.#gap = null;
    this.#tellGap(gap);
  }

  #tellGap({ cause, fromMs, closed }: Gap): void {
    if (closed.length === 0) return;
    const toMs = this.#settings.clock.wallTime();
    this.#host.events.emit('gap', { connectionId: this.id, cause, fromMs, toMs, symbols: closed.splice(0) });
  }

  // Liveness

  #heard(now: number): void {
    this.#heardAt = now;
  }

  #schedulePing(): void {
    const { clock, pingIntervalMs } = this.#settings;
    this.#pingTimer = clock.setTimer(() => this.#ping(), pingIntervalMs, { background: true });
  }

  #ping(): void {
    const { clock, pongTimeoutMs } = this.#settings;
    const now = clock.now();
    // Venues count pings as messages. It does not wait for its turn: a busy connection may be half-open as well.
    this.#window.note(now);
    this.#pingedAt = now;
    this.#socket?.ping();
    const socket = this.#socket;
    this.#pingTimer = clock.setTimer(
      () => {
        // Where the event loop stood still, the pong may lie there unread.
        clock.defer(() => {
          if (this.#socket !== socket || !this.isOpen) return;
          if (this.#heardAt >= now) this.#schedulePing();
          else
            this.#replace(
              'no-pong',
              `${this.#settings.origin} did not answer a ping within ${pongTimeoutMs} ms`,
            );
        });
      },
      pongTimeoutMs,
      { background: true },
    );
  }

  /**
   * Silence of the market is no silence of the feed: it counts only while the market is open, and only for as long as
   * symbols have been live.
   */
  #watchStale(): void {
    const { clock, staleAfterMs, isMarketOpen } = this.#settings;
    if (isMarketOpen === null) return;
    let dueSince = clock.now();
    const look = (): void => {
      const now = clock.now();
      if (!isMarketOpen() || this.#live === 0) dueSince = now;
      const silentMs = now - Math.max(dueSince, this.#tickAt ?? this.#openedAt);
      if (silentMs >= staleAfterMs * 2 ** Math.min(this.#staleInARow, STALE_DOUBLINGS)) this.#probe(silentMs);
      else this.#staleTimer = clock.setTimer(look, staleAfterMs / 4, { background: true });
    };
    this.#staleTimer = clock.setTimer(look, staleAfterMs / 4, { background: true });
  }

  /** Most venues answer a subscribe with the latest tick: if that does not come either, the feed is dead. */
  #probe(silentMs: number): void {
    const { clock, protocol, requestTimeoutMs, origin } = this.#settings;
    const { confirms, repeatable } = protocol.limits;
    const probe = [...this.#symbols.values()].find(({ upstream }) => upstream === 'live');
    this.#setState('degraded');
    this.#host.events.emit('stale', {
      connectionId: this.id,
      silentMs,
      probe: repeatable ? (probe?.symbol ?? null) : null,
    });
    if (probe !== undefined && repeatable) {
      // Not as a request of the book: its reply proves nothing, and must not change what the symbol is.
      this.#window.note(clock.now());
      this.#socket?.send(protocol.subscribe([probe.symbol], ++this.#requests));
    }
    this.#staleTimer = clock.setTimer(
      () => {
        if (this.#state !== 'degraded') {
          this.#watchStale();
          return;
        }
        this.#staleInARow++;
        this.#replace('stale', `${origin} sends no data although the market is open`);
      },
      confirms ? requestTimeoutMs : Math.max(requestTimeoutMs, 1),
      { background: true },
    );
  }

  /** Ends the socket; `#closed` goes on from there. Never by a goodbye: a half-open peer would be waited for. */
  #replace(cause: LossCause, message: string): void {
    if (this.#ending !== null || this.#socket === null) return;
    this.#ending = { cause, error: new FeedError('ERR_FEED_LOST', message) };
    this.#socket.terminate();
  }

  #stopWatching(): void {
    for (const timer of [this.#pingTimer, this.#staleTimer, this.#stableTimer]) timer?.cancel();
    this.#pingTimer = null;
    this.#staleTimer = null;
    this.#stableTimer = null;
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

  /** Without symbols, and not open: no socket is needed. */
  #rest(): void {
    this.#leaveGate?.();
    this.#leaveGate = null;
    this.#cancelTimer();
    const socket = this.#socket;
    this.#socket = null;
    this.#epoch++;
    socket?.terminate();
    this.#setState('idle');
  }

  #sayGoodbye(state: 'draining' | 'closed'): void {
    const { clock } = this.#settings;
    const socket = this.#socket;
    this.#cancelTimer();
    this.#stopWatching();
    this.#setState(state);
    socket?.close();
    this.#timer = clock.setTimer(() => socket?.terminate(), GOODBYE_MS);
  }

  /** For good. Resolves when the socket is gone. */
  close(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    const wasOpen = this.isOpen || this.#state === 'draining';
    this.#forgetRequests();
    this.#wake.turnOff();
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
    const { clock, maxSymbolsPerConnection } = this.#settings;
    return {
      id: this.id,
      state: this.#state,
      epoch: this.#epoch,
      symbols: this.#symbols.size,
      peakSymbols: this.#peakSymbols,
      live: this.#live,
      capacityUsed: this.#symbols.size / maxSymbolsPerConnection,
      messages: this.#messages,
      ticks: this.#ticks,
      bytes: this.#bytes,
      lastTickAgoMs: this.#tickAt === null ? null : clock.now() - this.#tickAt,
      rttMs: this.#rttMs,
      reconnects: Math.max(0, this.#opened - 1),
    };
  }
}

/** What is missing since a connection was lost. */
interface Gap {
  readonly cause: LossCause;
  readonly fromMs: number;
  /** Not live again yet, each with the number of its last tick. */
  readonly open: Map<Subscription, number | null>;
  /** Live again, and not told yet. */
  readonly closed: GapSymbol[];
}

function halves(batch: Batch): Batch[] {
  const middle = Math.ceil(batch.subscriptions.length / 2);
  return [batch.subscriptions.slice(0, middle), batch.subscriptions.slice(middle)].map((subscriptions) => ({
    kind: batch.kind,
    subscriptions,
    unanswered: 0,
  }));
}

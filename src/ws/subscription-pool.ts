import { onAbort } from '../base/abort.js';
import { Emitter } from '../base/emitter.js';
import { Histogram } from '../base/histogram.js';
import { announce, type BrandedPool, POOL_BRAND, type PoolBrand } from '../pool/brand.js';
import type { FeedSnapshot } from '../snapshot/feed.js';
import { SharedBudgets } from './budgets.js';
import { type ConnectionHost, FeedConnection } from './connection.js';
import { isDataDue } from './data-due.js';
import { Delivery } from './delivery.js';
import { DialGates } from './dial-gate.js';
import { FeedError, PoolExhaustedError } from './errors.js';
import type { FeedEventName, FeedEvents } from './events.js';
import { feedSnapshot } from './feed-snapshot.js';
import { GapLog } from './gaps.js';
import { Lingering } from './lingering.js';
import { Moves } from './moves.js';
import { type FeedSettings, resolveOptions, type SubscriptionPoolOptions } from './options.js';
import { Places } from './places.js';
import { PoolCounts } from './pool-counts.js';
import { SubscribeCall, type SubscribeResult } from './subscribe-call.js';
import {
  type SubscribeOptions,
  Subscriber,
  type SubscriberOptions,
  type SubscriberOwner,
} from './subscriber.js';
import { NO_CALLS, Seat, Subscription, topicKey } from './subscription.js';
import type { Tick } from './tick-queue.js';
import { type AskedTopic, keysOf, strongestMode, topicsOf } from './topics.js';

const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Many subscribers, many symbols, few connections: each symbol is subscribed once, on one connection, however many
 * want it, and stays subscribed through reconnects for as long as anybody does.
 *
 * This class decides which symbol goes where; a FeedConnection keeps its symbols subscribed, Delivery says who gets a
 * tick, and Moves takes symbols to another connection. A connection exists from the call that needs it, so any number of
 * subscribes at once at the boundary open one.
 */
export class SubscriptionPool implements BrandedPool, AsyncDisposable {
  readonly settings: FeedSettings;
  readonly #events = new Emitter<FeedEvents>();
  readonly #dials: DialGates;
  readonly #host: ConnectionHost;
  readonly #owner: SubscriberOwner;
  readonly #places: Places;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #lingering: Lingering;
  readonly #waits = new Histogram();
  readonly #counts: PoolCounts;
  readonly #delivery: Delivery;
  readonly #moves: Moves;
  /** By segment, as the venue says. */
  readonly #markets = new Map<string, boolean>();
  #fatalError: FeedError | null = null;
  #closeDone: Promise<void> | null = null;
  #requests = 0;
  #subscribersMade = 0;
  #peakSymbols = 0;
  #peakConnections = 0;

  /** Connects to nothing yet. Throws ERR_FEED_OPTION if an option is wrong. */
  constructor(options: SubscriptionPoolOptions) {
    this.settings = resolveOptions(options);
    announce(this);
    const { settings } = this;
    const { clock, dials, venue } = settings;
    const events = this.#events;
    this.#dials = new DialGates(clock, dials, venue.limits.budgets);
    this.#lingering = new Lingering(settings, {
      unwant: (subscription) => this.#unwant(subscription),
      lowerMode: (subscription) => this.#lowerMode(subscription),
    });
    this.#counts = new PoolCounts(events);
    this.#places = new Places(settings, this.#counts, (id, lane) => new FeedConnection(id, lane, this.#host));
    this.#delivery = new Delivery({
      settings,
      events,
      counts: this.#counts,
      subscriptions: this.#subscriptions,
    });
    const delivery = this.#delivery;
    this.#moves = new Moves({
      settings,
      connections: () => this.#places.connections,
      add: (lane) => this.#places.open(lane),
      remove: (connection) => this.#places.remove(connection),
      deliver: (subscription, connection, data, at, now) =>
        delivery.accept(subscription, connection, data, at, now),
      duplicate: () => void this.#counts.duplicates++,
      refused: (subscription, reason) => this.#refuse(subscription, reason),
      freed: (seat) => this.#freed(seat),
      moved: (report) => events.emit('moved', report),
    });
    const moves = this.#moves;
    this.#host = {
      settings,
      events,
      budgets: new SharedBudgets(venue.limits),
      gaps: new GapLog(clock, (report) => events.emit('gap', report)),
      dials: (lane) => this.#dials.of(lane),
      nextRequestId: () => ++this.#requests,
      tick: (connection, symbol, data, at, now) => delivery.tick(moves, connection, symbol, data, at, now),
      live: (seat, assumed) => this.#live(seat, assumed),
      becameLive: (connection, seats) => {
        delivery.becameLive(connection, seats);
        moves.becameLive(connection);
      },
      refused: (_connection, seat, reason) => {
        if (!moves.refused(seat, reason)) this.#refuse(seat.subscription, reason);
      },
      elsewhere: (connection, seat, reason) => this.#elsewhere(connection, seat, reason),
      freed: (seat) => this.#freed(seat),
      failed: (connection, error) => this.#failed(connection, error),
      quotaReached: (connection) => this.#quotaReached(connection),
      keepsIdle: (connection) => this.#keepsIdle(connection),
      rotate: (connection, why) => moves.rotate(connection, why),
      losing: (connection) => {
        const own = [...connection.seats].filter(
          ({ subscription }) => subscription.seat.connection === connection,
        );
        delivery.lost(own.map(({ subscription }) => subscription));
        moves.losing(connection);
      },
      hole: (connection, symbols, numbers, detail) => delivery.hole(connection, symbols, numbers, detail),
      market: (segment, open) => void this.#markets.set(segment, open),
      isDataDue: (connection) => isDataDue(connection, this.#places.connections, settings, this.#markets),
    };
    this.#owner = {
      subscribe: (subscriber, symbols, how) => this.#subscribe(subscriber, symbols, how),
      unsubscribe: (subscriber, symbols, mode) => this.#unsubscribe(subscriber, keysOf(venue, symbols, mode)),
      release: (subscriber, keys) => this.#unsubscribe(subscriber, keys),
      closed: (subscriber) => this.#subscriberClosed(subscriber),
      slow: (subscriber) => {
        this.#counts.slow++;
        events.emit('slow', { subscriber: subscriber.name });
      },
      listenerFailed: (event, error) => events.emit('listenerFailed', { event, error }),
    };
    this.on('open', () => {
      this.#fatalError = null;
      const open = this.#places.connections.filter(({ isOpen }) => isOpen).length;
      this.#peakConnections = Math.max(this.#peakConnections, open);
    });
  }

  /** Symbols that fit on all connections together. */
  get capacity(): number {
    return this.settings.maxSymbolsPerConnection * this.settings.maxConnections;
  }

  /** A new consumer. Throws ERR_FEED_CLOSED. */
  subscriber(options: SubscriberOptions = {}): Subscriber {
    this.#mustBeOpen();
    const name = options.name ?? `subscriber-${++this.#subscribersMade}`;
    // If each mode of a symbol is a topic of its own, a tick of one does not replace a tick of the other.
    const isSeparate = this.settings.venue.modeChange === 'separate';
    const keyOf = isSeparate ? ({ symbol, mode }: Tick) => topicKey(symbol, mode) : undefined;
    const subscriber = new Subscriber(this.#owner, name, this.capacity, options, keyOf);
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  /** Listens to an event; gives the way to stop. */
  on<E extends FeedEventName>(event: E, listener: (payload: FeedEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** The connections that the server has refused for good dial again. */
  reconnect(): void {
    this.#mustBeOpen();
    this.#fatalError = null;
    this.#places.forgetQuota();
    for (const connection of this.#places.connections) if (connection.used > 0) connection.open();
  }

  /**
   * Replaces all open connections, one after the other, as before the venue's age limit: without a gap where the venue
   * allows one connection more. The event `moved` tells of each. For credentials that were renewed, say.
   */
  rotate(): void {
    this.#mustBeOpen();
    for (const connection of [...this.#places.connections]) this.#moves.rotate(connection, 'asked');
  }

  /** Ends all subscribers and says goodbye to the server; resolves when no socket is left, within two seconds. */
  close(): Promise<void> {
    this.#closeDone ??= this.#close();
    return this.#closeDone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get [POOL_BRAND](): PoolBrand {
    const isDown = ({ state }: FeedConnection): boolean => state === 'idle' || state === 'closed';
    return {
      kind: 'snapshot',
      isOver: () => this.#closeDone !== null && this.#places.connections.every(isDown),
    };
  }

  /** The pool's numbers now. See FeedSnapshot for what the common fields mean here. */
  snapshot(): FeedSnapshot {
    return feedSnapshot({
      settings: this.settings,
      counts: this.#counts,
      connections: this.#places.connections,
      subscriptions: this.#subscriptions.values(),
      subscribers: [...this.#subscribers],
      capacity: this.capacity,
      waits: this.#waits,
      peakSymbols: this.#peakSymbols,
      peakConnections: this.#peakConnections,
      closed: this.#closeDone !== null,
    });
  }

  // Subscribing

  async #subscribe(
    subscriber: Subscriber,
    asked: readonly string[],
    { atomic = true, timeoutMs = DEFAULT_TIMEOUT_MS, signal, mode }: SubscribeOptions,
  ): Promise<readonly SubscribeResult[]> {
    this.#mustBeOpen();
    if (subscriber.closed)
      throw new FeedError('ERR_FEED_CLOSED', `subscriber '${subscriber.name}' is closed`);
    if (signal?.aborted) throw abortedError(signal);
    const topics = topicsOf(this.settings.venue, asked, mode);
    const fresh = topics.filter(({ key }) => !this.#subscriptions.has(key));
    const targets = this.#place(fresh, atomic);
    const call = new SubscribeCall(topics.map(({ symbol }) => symbol));
    const only: readonly SubscribeCall[] = [call];
    const added: string[] = [];
    for (const topic of topics) {
      const subscription = this.#subscriptions.get(topic.key) ?? this.#create(topic, targets);
      if (subscription === null) {
        call.settle(topic.symbol, 'no-room');
        continue;
      }
      if (!subscriber.has(topic.key)) added.push(topic.key);
      this.#join(subscriber, subscription, topic.mode);
      if (subscription.seat.connection.state === 'failed') {
        this.#unsubscribe(subscriber, added);
        throw this.#fatalError ?? new FeedError('ERR_FEED_AUTH', 'the server refuses the credentials');
      }
      if (subscription.seat.upstream === 'live') call.settle(topic.symbol, 'live');
      // One array for all topics of the call.
      else if (subscription.calls === NO_CALLS) subscription.calls = only;
      else subscription.calls = [...subscription.calls, call];
    }
    if (!call.over) this.#limit(call, subscriber, added, timeoutMs, signal);
    return call.promise;
  }

  /** The places for new topics, by key. The connections exist when it returns. */
  #place(topics: readonly AskedTopic[], atomic: boolean): ReadonlyMap<string, FeedConnection> {
    const plan = this.#places.plan(topics);
    const [first] = plan.without;
    if (first !== undefined) {
      this.#counts.exhausted++;
      if (atomic) {
        if (this.#fatalError !== null) throw this.#fatalError;
        throw this.#exhausted(topics.length, first.symbol);
      }
    }
    // A connection more would be refused as well.
    if (plan.opens > 0 && this.#fatalError !== null) throw this.#fatalError;
    return this.#places.carryOut(plan);
  }

  #exhausted(requested: number, symbol: string): PoolExhaustedError {
    const used = this.#places.connections.reduce((total, each) => total + each.used, 0);
    const wanted = [...this.#subscriptions.values()].filter(({ subscribers }) => subscribers.size > 0).length;
    return new PoolExhaustedError({
      pool: this.settings.name,
      capacity: this.capacity,
      used,
      releasing: Math.max(0, used - wanted),
      requested,
      connections: this.settings.maxConnections,
      symbol,
    });
  }

  #create(topic: AskedTopic, targets: ReadonlyMap<string, FeedConnection>): Subscription | null {
    const connection = targets.get(topic.key);
    if (connection === undefined) return null;
    const subscription = new Subscription(topic, this.settings.clock.now());
    this.#seatOn(subscription, connection);
    this.#subscriptions.set(topic.key, subscription);
    this.#peakSymbols = Math.max(this.#peakSymbols, this.#subscriptions.size);
    this.#counts.asked++;
    return subscription;
  }

  #seatOn(subscription: Subscription, connection: FeedConnection): void {
    subscription.seat = new Seat(subscription, connection);
    connection.add(subscription.seat);
  }

  #join(subscriber: Subscriber, subscription: Subscription, mode: string): void {
    const before = subscription.subscribers.get(subscriber);
    subscription.subscribers.set(subscriber, mode);
    subscriber.note(subscription.key, true);
    subscription.lingerUntil = null;
    if (before !== mode) this.#changeMode(subscription);
    if (subscription.wanted) return;
    subscription.wanted = true;
    const { seat, successor } = subscription;
    if (seat.upstream === 'live') this.#live(seat, false);
    seat.connection.reconsider(seat);
    successor?.connection.reconsider(successor);
  }

  /** Up at once; down only when the linger time is over. */
  #changeMode(subscription: Subscription): void {
    const { venue } = this.settings;
    const { modes = [] } = venue;
    const mode = strongestMode(venue, subscription);
    if (mode === subscription.mode) return;
    if (modes.indexOf(mode) < modes.indexOf(subscription.mode)) this.#lingering.add(subscription, false);
    else this.#setMode(subscription, mode);
  }

  #setMode(subscription: Subscription, mode: string): void {
    subscription.mode = mode;
    const { seat, successor } = subscription;
    seat.connection.reconsider(seat);
    successor?.connection.reconsider(successor);
  }

  #limit(
    call: SubscribeCall,
    subscriber: Subscriber,
    added: readonly string[],
    timeoutMs: number | null,
    signal: AbortSignal | undefined,
  ): void {
    const { clock, origin } = this.settings;
    if (timeoutMs !== null) {
      call.timer = clock.setTimer(() => {
        this.#counts.timedOut++;
        call.fail(
          new FeedError(
            'ERR_FEED_TIMEOUT',
            `${origin} has not confirmed ${call.pending} of the symbols within ${timeoutMs} ms`,
            this.#counts.lastError === null ? {} : { cause: this.#counts.lastError },
          ),
        );
        this.#unsubscribe(subscriber, added);
      }, timeoutMs);
    }
    if (signal !== undefined) {
      call.stopWatching = onAbort(signal, () => {
        this.#counts.aborted++;
        call.fail(abortedError(signal));
        this.#unsubscribe(subscriber, added);
      });
    }
  }

  #unsubscribe(subscriber: Subscriber, keys: Iterable<string>): void {
    const { lingerMs } = this.settings;
    for (const key of keys) {
      const subscription = this.#subscriptions.get(key);
      if (subscription === undefined || !subscription.subscribers.delete(subscriber)) continue;
      subscriber.note(key, false);
      if (subscription.subscribers.size > 0) {
        this.#changeMode(subscription);
        continue;
      }
      this.#settleCalls(subscription, 'released');
      if (lingerMs === 0 || this.#closeDone !== null) this.#unwant(subscription);
      else this.#lingering.add(subscription, true);
    }
  }

  #lowerMode(subscription: Subscription): void {
    const mode = strongestMode(this.settings.venue, subscription);
    if (mode !== subscription.mode && this.#subscriptions.get(subscription.key) === subscription)
      this.#setMode(subscription, mode);
  }

  #unwant(subscription: Subscription): void {
    subscription.lingerUntil = null;
    // A connection that was lost meanwhile has let it go already.
    if (this.#subscriptions.get(subscription.key) !== subscription) return;
    subscription.wanted = false;
    const { seat, successor } = subscription;
    seat.connection.reconsider(seat);
    successor?.connection.reconsider(successor);
  }

  // Events of connections

  #live(seat: Seat, assumed: boolean): void {
    const { subscription } = seat;
    if (subscription.seat !== seat) return;
    this.#host.gaps.end(subscription, assumed ? 'assumed' : 'live');
    if (subscription.calls.length === 0) return;
    this.#counts.live++;
    this.#waits.recordMs(this.settings.clock.now() - subscription.since);
    this.#settleCalls(subscription, assumed ? 'assumed' : 'live');
  }

  #settleCalls(
    subscription: Subscription,
    outcome: SubscribeResult['outcome'],
    reason: string | null = null,
  ): void {
    const { calls, symbol } = subscription;
    subscription.calls = NO_CALLS;
    for (const call of calls) call.settle(symbol, outcome, reason);
  }

  #refuse(subscription: Subscription, reason: string): void {
    const { symbol, key, seat } = subscription;
    this.#forget(subscription);
    this.#counts.refused++;
    for (const subscriber of subscription.subscribers.keys()) subscriber.note(key, false);
    subscription.subscribers.clear();
    this.#settleCalls(subscription, 'refused', reason);
    this.#events.emit('refused', { connectionId: seat.connection.id, symbol, reason });
  }

  /** A seat is empty. While its topic moves, the other one may still be taken. */
  #freed(seat: Seat): void {
    const { subscription } = seat;
    if (subscription.successor === seat) {
      subscription.successor = null;
      this.#moves.forget(subscription);
    } else if (subscription.seat === seat && subscription.successor !== null) {
      subscription.seat = subscription.successor;
      subscription.successor = null;
      this.#moves.forget(subscription);
    } else if (subscription.seat === seat) {
      this.#forget(subscription);
      this.#settleCalls(subscription, 'released');
    }
  }

  #forget(subscription: Subscription): void {
    subscription.lingerUntil = null;
    this.#host.gaps.end(subscription, 'left');
    this.#delivery.forget(subscription);
    if (this.#subscriptions.get(subscription.key) === subscription)
      this.#subscriptions.delete(subscription.key);
  }

  /** The connection is full, although we thought it was not. */
  #elsewhere(connection: FeedConnection, seat: Seat, reason: string): void {
    if (this.#moves.refused(seat, reason)) return;
    const { subscription } = seat;
    if (!subscription.wanted) {
      this.#freed(seat);
      return;
    }
    if (!this.#reseat(subscription, connection)) this.#refuse(subscription, reason);
  }

  /** Gives a topic that is not live a place on another connection. */
  #reseat(subscription: Subscription, except: FeedConnection): boolean {
    const target = this.#places.elsewhere(subscription, except);
    if (target !== null) this.#seatOn(subscription, target);
    return target !== null;
  }

  /** The venue has no room for this connection: its topics go to others, as far as there is room. */
  #quotaReached(connection: FeedConnection): void {
    if (!this.#places.quotaReached(connection)) return;
    for (const seat of connection.seats) {
      const { subscription } = seat;
      if (subscription.seat !== seat || seat.upstream !== 'none' || !seat.wanted) continue;
      if (!this.#reseat(subscription, connection)) return;
      connection.release(seat);
    }
  }

  #failed(connection: FeedConnection, error: FeedError): void {
    this.#moves.failed(connection);
    const own = [...this.#subscriptions.values()].filter(({ seat }) => seat.connection === connection);
    if (own.length === 0) return;
    this.#fatalError = error;
    const calls = new Set(own.flatMap((subscription) => subscription.calls));
    for (const subscription of own) subscription.calls = NO_CALLS;
    for (const call of calls) call.fail(error);
  }

  #keepsIdle(connection: FeedConnection): boolean {
    const others = this.#places.connections.filter((each) => each !== connection && each.isOpen).length;
    return others < this.settings.minConnections;
  }

  // The end

  #subscriberClosed(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber)) return;
    this.#counts.conflated += subscriber.conflated;
    this.#counts.dropped += subscriber.dropped;
  }

  #mustBeOpen(): void {
    if (this.#closeDone !== null)
      throw new FeedError('ERR_FEED_CLOSED', `feed '${this.settings.name}' is closed`);
  }

  async #close(): Promise<void> {
    this.#lingering.close();
    this.#moves.close();
    this.#delivery.close();
    const error = new FeedError('ERR_FEED_CLOSED', `feed '${this.settings.name}' was closed`);
    for (const { calls } of this.#subscriptions.values()) for (const call of [...calls]) call.fail(error);
    const closing = this.#places.connections.map((connection) => connection.close());
    for (const subscriber of [...this.#subscribers]) subscriber.close();
    this.#subscriptions.clear();
    await Promise.all(closing);
    this.#dials.close();
  }
}

function abortedError(signal: AbortSignal): FeedError {
  return new FeedError('ERR_FEED_ABORTED', 'the subscribe was aborted', { cause: signal.reason });
}

import { onAbort } from '../base/abort.js';
import { Alarm } from '../base/alarm.js';
import { Deque } from '../base/deque.js';
import { Emitter } from '../base/emitter.js';
import { Histogram } from '../base/histogram.js';
import type { Turnstile } from '../base/turnstile.js';
import { type BrandedPool, POOL_BRAND, type PoolBrand } from '../pool/brand.js';
import { poolSnapshot } from '../pool/pool-snapshot.js';
import type { FeedSnapshot } from '../snapshot/feed.js';
import { type ConnectionHost, FeedConnection } from './connection.js';
import { dialGate } from './dial-gate.js';
import { FeedError, PoolExhaustedError } from './errors.js';
import type { FeedEventName, FeedEvents } from './events.js';
import { type FeedSettings, resolveOptions, type SubscriptionPoolOptions } from './options.js';
import { placeSymbols } from './placement.js';
import type { FeedTick } from './protocol.js';
import { SubscribeCall, type SubscribeResult } from './subscribe-call.js';
import {
  type SubscribeOptions,
  Subscriber,
  type SubscriberOptions,
  type SubscriberOwner,
} from './subscriber.js';
import { Subscription } from './subscription.js';

const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Many subscribers, many symbols, few connections: each symbol is subscribed once, on one connection, however many
 * want it, and stays subscribed through reconnects for as long as anybody does.
 *
 * This class decides which symbol goes where and who gets a tick; a FeedConnection keeps its symbols subscribed. A
 * connection exists from the call that needs it, so any number of subscribes at once at the boundary open one.
 */
export class SubscriptionPool implements BrandedPool, AsyncDisposable {
  readonly settings: FeedSettings;
  readonly #events = new Emitter<FeedEvents>();
  readonly #dials: Turnstile;
  readonly #host: ConnectionHost;
  readonly #owner: SubscriberOwner;
  readonly #connections: FeedConnection[] = [];
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #subscribers = new Set<Subscriber>();
  /** Those without a subscriber, in the order in which their linger time is over. */
  readonly #lingering = new Deque<{ readonly subscription: Subscription; readonly until: number }>();
  readonly #lingerAlarm: Alarm;
  readonly #waits = new Histogram();
  #authError: FeedError | null = null;
  #lastError: FeedError | null = null;
  #closeDone: Promise<void> | null = null;

  #subscribersMade = 0;
  #peakSymbols = 0;
  #peakConnections = 0;
  readonly #counts = {
    openFailed: 0,
    replaced: 0,
    live: 0,
    asked: 0,
    strays: 0,
    notUnderstood: 0,
    exhausted: 0,
    refused: 0,
    gaps: 0,
    stale: 0,
    slow: 0,
    aborted: 0,
    timedOut: 0,
    /** Of subscribers that are closed. */
    conflated: 0,
    dropped: 0,
  };

  /** Connects to nothing yet. Throws ERR_FEED_OPTION if an option is wrong. */
  constructor(options: SubscriptionPoolOptions) {
    this.settings = resolveOptions(options);
    const { clock, dials } = this.settings;
    this.#dials = dialGate(clock, dials);
    this.#lingerAlarm = new Alarm(clock, () => this.#endLingering(), { background: false });
    this.#host = {
      settings: this.settings,
      events: this.#events,
      dials: this.#dials,
      tick: (connection, tick, now) => this.#tick(connection, tick, now),
      live: (subscription) => this.#live(subscription),
      refused: (subscription, reason) => this.#refused(subscription, reason),
      freed: (subscription) => this.#freed(subscription),
      failed: (connection, error) => this.#failed(connection, error),
      keepsIdle: (connection) => this.#keepsIdle(connection),
    };
    this.#owner = {
      subscribe: (subscriber, symbols, how) => this.#subscribe(subscriber, symbols, how),
      unsubscribe: (subscriber, symbols) => this.#unsubscribe(subscriber, symbols),
      closed: (subscriber) => this.#subscriberClosed(subscriber),
      slow: (subscriber) => {
        this.#counts.slow++;
        this.#events.emit('slow', { subscriber: subscriber.name });
      },
      listenerFailed: (event, error) => this.#events.emit('listenerFailed', { event, error }),
    };
    this.#count();
  }

  /** Symbols that fit on all connections together. */
  get capacity(): number {
    return this.settings.maxSymbolsPerConnection * this.settings.maxConnections;
  }

  /** A new consumer. Throws ERR_FEED_CLOSED. */
  subscriber(options: SubscriberOptions = {}): Subscriber {
    this.#mustBeOpen();
    const name = options.name ?? `subscriber-${++this.#subscribersMade}`;
    const subscriber = new Subscriber(this.#owner, name, this.capacity, options);
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  /** Listens to an event; gives the way to stop. */
  on<E extends FeedEventName>(event: E, listener: (payload: FeedEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** The connections that failed for their credentials dial again. */
  reconnect(): void {
    this.#mustBeOpen();
    this.#authError = null;
    for (const connection of this.#connections) if (connection.used > 0) connection.open();
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
      isOver: () => this.#closeDone !== null && this.#connections.every(isDown),
    };
  }

  /** The pool's numbers now. See FeedSnapshot for what the common fields mean here. */
  snapshot(): FeedSnapshot {
    const { name, protocol, maxConnections, clock } = this.settings;
    const connections = this.#connections.map((each) => each.snapshot());
    const sum = (of: (connection: (typeof connections)[number]) => number) =>
      connections.reduce((total, each) => total + of(each), 0);
    const inState = (...states: string[]) => connections.filter(({ state }) => states.includes(state));
    const open = inState('open', 'degraded');
    const wanted = [...this.#subscriptions.values()].filter(({ subscribers }) => subscribers.size > 0);
    const notLive = wanted.filter(({ upstream }) => upstream !== 'live');
    const used = sum(({ symbols }) => symbols);
    const subscribers = [...this.#subscribers];
    const counts = this.#counts;
    const now = clock.now();
    const common = poolSnapshot({
      clock,
      name,
      driver: `ws:${protocol.name}`,
      size: maxConnections,
      maxOverflow: 0,
      live: connections.length - inState('idle', 'closed').length,
      overflow: 0,
      idle: open.filter(({ symbols }) => symbols === 0).length,
      inUse: open.filter(({ symbols }) => symbols > 0).length,
      creating: inState('connecting', 'backoff').length,
      waiting: notLive.length,
      peakWaiting: null,
      peakInUse: this.#peakConnections,
      longestWaitMs: notLive.length === 0 ? null : now - Math.min(...notLive.map(({ since }) => since)),
      createError: this.#lastError?.message ?? null,
      wait: this.#waits.snapshot(),
      hold: null,
      closed: this.#closeDone !== null,
      counters: {
        acquired: counts.live,
        created: this.#total(({ opened }) => opened),
        createFailed: counts.openFailed,
        destroyed: this.#total(({ ended }) => ended),
        overflowCreated: 0,
        waited: counts.asked,
        timedOut: counts.timedOut,
        aborted: counts.aborted,
        refused: counts.exhausted,
        invalidated: counts.replaced,
      },
      holders: [],
    });
    return {
      ...common,
      feed: {
        connections,
        symbols: wanted.length,
        live: wanted.length - notLive.length,
        pending: notLive.length,
        releasing: used - wanted.length,
        capacity: this.capacity,
        capacityUsed: used / this.capacity,
        peakSymbols: this.#peakSymbols,
        subscribers: subscribers.length,
        messages: sum(({ messages }) => messages),
        ticks: sum(({ ticks }) => ticks),
        bytes: sum(({ bytes }) => bytes),
        strays: counts.strays,
        notUnderstood: counts.notUnderstood,
        exhausted: counts.exhausted,
        refused: counts.refused,
        gaps: counts.gaps,
        stale: counts.stale,
        conflated: subscribers.reduce((total, { conflated }) => total + conflated, counts.conflated),
        dropped: subscribers.reduce((total, { dropped }) => total + dropped, counts.dropped),
        slowDisconnects: counts.slow,
        repeated: this.#total(({ repeated }) => repeated),
      },
    };
  }

  #total(of: (connection: FeedConnection) => number): number {
    return this.#connections.reduce((total, each) => total + of(each), 0);
  }

  // Subscribing

  async #subscribe(
    subscriber: Subscriber,
    asked: readonly string[],
    { atomic = true, timeoutMs = DEFAULT_TIMEOUT_MS, signal }: SubscribeOptions,
  ): Promise<readonly SubscribeResult[]> {
    this.#mustBeOpen();
    if (subscriber.closed)
      throw new FeedError('ERR_FEED_CLOSED', `subscriber '${subscriber.name}' is closed`);
    if (signal?.aborted) throw abortedError(signal);
    const symbols = [...new Set(asked)];
    const fresh = symbols.filter((symbol) => !this.#subscriptions.has(symbol));
    const targets = this.#place(fresh, atomic);
    const call = new SubscribeCall(symbols);
    const added: string[] = [];
    for (const symbol of symbols) {
      const subscription = this.#subscriptions.get(symbol) ?? this.#create(symbol, targets);
      if (subscription === null) {
        call.settle(symbol, 'no-room');
        continue;
      }
      if (!subscriber.has(symbol)) {
        added.push(symbol);
        this.#join(subscriber, subscription);
      }
      if (subscription.connection.state === 'failed') {
        this.#unsubscribe(subscriber, added);
        throw this.#authError ?? new FeedError('ERR_FEED_AUTH', 'the server refuses the credentials');
      }
      if (subscription.upstream === 'live') call.settle(symbol, 'live');
      else subscription.calls.push(call);
    }
    if (!call.over) this.#limit(call, subscriber, added, timeoutMs, signal);
    return call.promise;
  }

  /** Where new symbols go, by symbol. Connections that are needed exist when it returns. */
  #place(symbols: readonly string[], atomic: boolean): ReadonlyMap<string, FeedConnection> {
    const targets = new Map<string, FeedConnection>();
    if (symbols.length === 0) return targets;
    const { placement, maxSymbolsPerConnection, maxConnections, name } = this.settings;
    const usable = this.#connections.filter(({ takesSymbols }) => takesSymbols);
    const plan = placeSymbols(symbols.length, {
      strategy: placement,
      capacity: maxSymbolsPerConnection,
      maxConnections,
      connections: usable,
      unusable: this.#connections.length - usable.length,
    });
    const without = plan.targets.indexOf(null);
    if (without >= 0) {
      this.#counts.exhausted++;
      if (atomic) {
        if (this.#authError !== null) throw this.#authError;
        throw this.#exhausted(symbols.length, symbols[without] ?? '', name);
      }
    }
    // A connection more would be refused as well.
    if (plan.opened > 0 && this.#authError !== null) throw this.#authError;
    const opened = Array.from({ length: plan.opened }, () => {
      const connection = new FeedConnection(this.#connections.length + 1, this.#host);
      this.#connections.push(connection);
      return connection;
    });
    const byId = new Map(this.#connections.map((each) => [each.id, each]));
    symbols.forEach((symbol, at) => {
      const target = plan.targets[at] ?? null;
      const connection = target === null ? undefined : target < 0 ? opened[-target - 1] : byId.get(target);
      if (connection !== undefined) targets.set(symbol, connection);
    });
    return targets;
  }

  #exhausted(requested: number, symbol: string, pool: string): PoolExhaustedError {
    const used = this.#total((connection) => connection.used);
    const wanted = [...this.#subscriptions.values()].filter(({ subscribers }) => subscribers.size > 0).length;
    return new PoolExhaustedError({
      pool,
      capacity: this.capacity,
      used,
      releasing: used - wanted,
      requested,
      connections: this.settings.maxConnections,
      symbol,
    });
  }

  #create(symbol: string, targets: ReadonlyMap<string, FeedConnection>): Subscription | null {
    const connection = targets.get(symbol);
    if (connection === undefined) return null;
    const subscription = new Subscription(symbol, connection, this.settings.clock.now());
    this.#subscriptions.set(symbol, subscription);
    this.#peakSymbols = Math.max(this.#peakSymbols, this.#subscriptions.size);
    this.#counts.asked++;
    connection.add(subscription);
    return subscription;
  }

  #join(subscriber: Subscriber, subscription: Subscription): void {
    subscription.subscribers.add(subscriber);
    subscriber.note(subscription.symbol, true);
    subscription.lingerUntil = null;
    if (subscription.wanted) return;
    subscription.wanted = true;
    subscription.connection.want(subscription);
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
            this.#lastError === null ? {} : { cause: this.#lastError },
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

  #unsubscribe(subscriber: Subscriber, symbols: Iterable<string>): void {
    const { clock, lingerMs } = this.settings;
    for (const symbol of symbols) {
      const subscription = this.#subscriptions.get(symbol);
      if (subscription === undefined || !subscription.subscribers.delete(subscriber)) continue;
      subscriber.note(symbol, false);
      if (subscription.subscribers.size > 0) continue;
      this.#settleCalls(subscription, 'released');
      if (lingerMs === 0 || this.#closeDone !== null) {
        this.#unwant(subscription);
        continue;
      }
      const now = clock.now();
      const until = now + lingerMs;
      subscription.lingerUntil = until;
      this.#lingering.push({ subscription, until });
      this.#lingerAlarm.set(until, now);
    }
  }

  /** Those that were wanted again meanwhile have another time, or none. */
  #endLingering(): void {
    const now = this.settings.clock.now();
    for (let next = this.#lingering.shift(); next !== undefined; next = this.#lingering.shift()) {
      const { subscription, until } = next;
      if (until > now) {
        this.#lingering.unshift(next);
        this.#lingerAlarm.set(until, now);
        return;
      }
      if (subscription.lingerUntil === until) this.#unwant(subscription);
    }
  }

  #unwant(subscription: Subscription): void {
    subscription.lingerUntil = null;
    // A connection that was lost meanwhile has let it go already.
    if (this.#subscriptions.get(subscription.symbol) !== subscription) return;
    subscription.wanted = false;
    subscription.connection.unwant(subscription);
  }

  // What connections tell

  #tick(connection: FeedConnection, tick: FeedTick, now: number): void {
    const subscription = this.#subscriptions.get(tick.symbol);
    if (subscription === undefined || subscription.connection !== connection) {
      this.#counts.strays++;
      return;
    }
    subscription.lastSeq = tick.seq;
    if (subscription.subscribers.size === 0) return;
    const told = {
      symbol: tick.symbol,
      seq: tick.seq,
      data: tick.data,
      receivedAt: now,
      connectionId: connection.id,
      epoch: connection.epoch,
    };
    for (const subscriber of subscription.subscribers) subscriber.offer(told);
  }

  #live(subscription: Subscription): void {
    if (subscription.calls.length === 0) return;
    this.#counts.live++;
    this.#waits.recordMs(this.settings.clock.now() - subscription.since);
    this.#settleCalls(subscription, 'live');
  }

  #settleCalls(
    subscription: Subscription,
    outcome: SubscribeResult['outcome'],
    reason: string | null = null,
  ): void {
    const { calls, symbol } = subscription;
    subscription.calls = [];
    for (const call of calls) call.settle(symbol, outcome, reason);
  }

  #refused(subscription: Subscription, reason: string): void {
    const { symbol, connection } = subscription;
    this.#forget(subscription);
    this.#counts.refused++;
    for (const subscriber of subscription.subscribers) subscriber.note(symbol, false);
    subscription.subscribers.clear();
    this.#settleCalls(subscription, 'refused', reason);
    this.#events.emit('refused', { connectionId: connection.id, symbol, reason });
  }

  #freed(subscription: Subscription): void {
    this.#forget(subscription);
    this.#settleCalls(subscription, 'released');
  }

  #forget(subscription: Subscription): void {
    subscription.lingerUntil = null;
    if (this.#subscriptions.get(subscription.symbol) === subscription) {
      this.#subscriptions.delete(subscription.symbol);
    }
  }

  #failed(connection: FeedConnection, error: FeedError): void {
    this.#authError = error;
    const calls = [...this.#subscriptions.values()]
      .filter((subscription) => subscription.connection === connection)
      .flatMap((subscription) => subscription.calls.splice(0));
    for (const call of new Set(calls)) call.fail(error);
  }

  #keepsIdle(connection: FeedConnection): boolean {
    const others = this.#connections.filter((each) => each !== connection && each.isOpen).length;
    return others < this.settings.minConnections;
  }

  /** The pool's own counts are kept like anybody else's: by listening. */
  #count(): void {
    const counts = this.#counts;
    this.on('open', () => {
      this.#lastError = null;
      this.#authError = null;
      const open = this.#connections.filter(({ isOpen }) => isOpen).length;
      this.#peakConnections = Math.max(this.#peakConnections, open);
    });
    this.on('connectFailed', ({ error }) => {
      counts.openFailed++;
      this.#lastError = error;
    });
    this.on('lost', ({ cause, error }) => {
      if (cause !== 'closed') counts.replaced++;
      this.#lastError = error;
    });
    this.on('gap', () => {
      counts.gaps++;
    });
    this.on('stale', () => {
      counts.stale++;
    });
    this.on('notUnderstood', () => {
      counts.notUnderstood++;
    });
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
    this.#lingerAlarm.turnOff();
    const error = new FeedError('ERR_FEED_CLOSED', `feed '${this.settings.name}' was closed`);
    for (const { calls } of this.#subscriptions.values()) for (const call of [...calls]) call.fail(error);
    const closing = this.#connections.map((connection) => connection.close());
    for (const subscriber of [...this.#subscribers]) subscriber.close();
    this.#subscriptions.clear();
    await Promise.all(closing);
    this.#dials.close();
  }
}

function abortedError(signal: AbortSignal): FeedError {
  return new FeedError('ERR_FEED_ABORTED', 'the subscribe was aborted', { cause: signal.reason });
}

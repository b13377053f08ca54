import { FeedError } from './errors.js';
import type { SubscribeResult } from './subscribe-call.js';
import { createTickQueue, type SlowPolicy, type Tick, type TickQueue } from './tick-queue.js';

export interface SubscriberOptions {
  /** Default 'subscriber-1' and so on. */
  readonly name?: string;
  /** Default 'conflate'. */
  readonly policy?: SlowPolicy;
  /** Ticks kept for it at most. Default 1024, and with `conflate` the capacity of the pool: one of each symbol. */
  readonly limit?: number;
  /** Takes each tick as it comes, in place of the queue. It must be quick: all subscribers wait for it. */
  readonly onTick?: (tick: Tick) => void;
}

export interface SubscribeOptions {
  /**
   * Whether all symbols have to find room. Default true: then PoolExhaustedError means that none was subscribed.
   * Otherwise those without room are told as `no-room`.
   */
  readonly atomic?: boolean;
  /**
   * How long the server may take to confirm them all, a reconnect included; null waits for ever. Default 30 s. What
   * this call has subscribed is unsubscribed again then.
   */
  readonly timeoutMs?: number | null;
  /** Gives up when it aborts, in the same way. */
  readonly signal?: AbortSignal;
  /**
   * One of the venue's modes. Default: the weakest. If several subscribers want a symbol, all get the ticks of the
   * strongest mode among theirs; one that lowers its mode keeps the stronger ticks for the linger time.
   */
  readonly mode?: string;
}

/** The interface of a subscriber to its pool. */
export interface SubscriberOwner {
  subscribe(
    subscriber: Subscriber,
    symbols: readonly string[],
    options: SubscribeOptions,
  ): Promise<readonly SubscribeResult[]>;
  /** In all modes, if they are separate topics and none is named. */
  unsubscribe(subscriber: Subscriber, symbols: Iterable<string>, mode?: string): void;
  /** By the keys of `note`. */
  release(subscriber: Subscriber, keys: Iterable<string>): void;
  closed(subscriber: Subscriber): void;
  slow(subscriber: Subscriber): void;
  listenerFailed(event: string, error: unknown): void;
}

/**
 * One consumer of a feed, with symbols and a queue of its own. Several may want the same symbol: the venue sees one
 * subscription. Made by `pool.subscriber()`.
 */
export class Subscriber implements AsyncIterable<Tick>, Disposable {
  readonly name: string;
  readonly #owner: SubscriberOwner;
  readonly #queue: TickQueue;
  readonly #onTick: ((tick: Tick) => void) | null;
  /** Keys of topics: symbols, but where each mode of a symbol is a topic of its own. */
  readonly #keys = new Set<string>();
  #hasModes = false;
  readonly #waiting: { resolve: (tick: Tick | null) => void; reject: (error: FeedError) => void }[] = [];
  #closed = false;
  #error: FeedError | null = null;

  constructor(
    owner: SubscriberOwner,
    name: string,
    capacity: number,
    options: SubscriberOptions,
    keyOf?: (tick: Tick) => string,
  ) {
    const { policy = 'conflate' } = options;
    const limit = options.limit ?? (policy === 'conflate' ? capacity : 1024);
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new FeedError('ERR_FEED_OPTION', `limit is ${limit}; it must be a whole number from 1`);
    this.name = name;
    this.#owner = owner;
    this.#queue = createTickQueue(policy, limit, keyOf);
    this.#onTick = options.onTick ?? null;
  }

  /** The symbols it has asked for. */
  get symbols(): ReadonlySet<string> {
    return this.#hasModes ? new Set([...this.#keys].map(symbolOf)) : this.#keys;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Ticks replaced by a newer one of the same symbol, since it was too slow. */
  get conflated(): number {
    return this.#queue.conflated;
  }

  /** Ticks that it never got, since it was too slow. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /**
   * Subscribes symbols; those it has already stay as they are. Resolves when the server has confirmed or refused each.
   * From the call on they are wanted: a reconnect that comes in between subscribes them too.
   *
   * Rejects with PoolExhaustedError, ERR_FEED_TIMEOUT, ERR_FEED_ABORTED or ERR_FEED_CLOSED; and with ERR_FEED_AUTH,
   * after which symbols that a connection was already being opened for stay wanted: see the pool's `reconnect`.
   */
  async subscribe(
    symbols: string | readonly string[],
    options: SubscribeOptions = {},
  ): Promise<readonly SubscribeResult[]> {
    return this.#owner.subscribe(this, typeof symbols === 'string' ? [symbols] : symbols, options);
  }

  /** Takes effect at once here. The server hears of it after the pool's linger time. Unknown symbols are ignored. */
  unsubscribe(symbols: string | readonly string[], options: { readonly mode?: string } = {}): void {
    this.#owner.unsubscribe(this, typeof symbols === 'string' ? [symbols] : symbols, options.mode);
  }

  /** The next tick, at once if one is queued; null once it is closed. Rejects with ERR_FEED_SLOW, see SlowPolicy. */
  next(): Promise<Tick | null> {
    const tick = this.#queue.shift();
    if (tick !== undefined) return Promise.resolve(tick);
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#closed) return Promise.resolve(null);
    return new Promise((resolve, reject) => void this.#waiting.push({ resolve, reject }));
  }

  /** The queued ticks, oldest first, at most `most`. */
  take(most = Number.POSITIVE_INFINITY): Tick[] {
    const ticks: Tick[] = [];
    while (ticks.length < most) {
      const tick = this.#queue.shift();
      if (tick === undefined) break;
      ticks.push(tick);
    }
    return ticks;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Tick> {
    for (let tick = await this.next(); tick !== null; tick = await this.next()) yield tick;
  }

  /** Unsubscribes everything. What is queued can still be taken. */
  close(): void {
    this.#end(null);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** For the pool. */
  offer(tick: Tick): void {
    if (this.#onTick !== null) {
      try {
        this.#onTick(tick);
      } catch (error) {
        this.#owner.listenerFailed('onTick', error);
      }
      return;
    }
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.resolve(tick);
    else if (!this.#queue.push(tick)) {
      this.#end(
        new FeedError(
          'ERR_FEED_SLOW',
          `subscriber '${this.name}' did not keep up: ${this.#queue.length} ticks wait`,
          {
            hint: "take ticks faster, or choose the policy 'conflate' or 'drop-oldest'",
          },
        ),
      );
      this.#owner.slow(this);
    }
  }

  /** For the pool. */
  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** For the pool. */
  note(key: string, subscribed: boolean): void {
    if (!subscribed) this.#keys.delete(key);
    else {
      this.#keys.add(key);
      if (key.includes('\u0000')) this.#hasModes = true;
    }
  }

  #end(error: FeedError | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#owner.release(this, [...this.#keys]);
    this.#owner.closed(this);
    for (const waiting of this.#waiting.splice(0)) {
      if (error === null) waiting.resolve(null);
      else waiting.reject(error);
    }
  }
}

function symbolOf(key: string): string {
  return key.slice(0, key.indexOf('\u0000'));
}

import { Deque } from '../base/deque.js';
import type { Seq } from './venue.js';

/** A tick as subscribers get it. */
export interface Tick {
  readonly symbol: string;
  /** The server's running number for the symbol; null where it has none. */
  readonly seq: Seq | null;
  /** The message as the protocol parsed it. */
  readonly data: unknown;
  /** By the pool's monotonic clock, in milliseconds. */
  readonly receivedAt: number;
  /** The connection it came on, and which opening of it that was. */
  readonly connectionId: number;
  readonly epoch: number;
  /** The mode of the subscription that it came from, which may be stronger than asked for; '' where there are none. */
  readonly mode: string;
  /** It stands alone: what came before does not matter. */
  readonly snapshot: boolean;
}

/**
 * The policy for a subscriber that is slower than the feed. - `conflate`: keeps the latest tick of each symbol, at
 * the place of the first. For quotes; the default. - `drop-oldest`: the oldest tick makes room. - `disconnect`:
 * closes the subscriber with ERR_FEED_SLOW, for subscribers that must miss nothing.
 */
export type SlowPolicy = 'conflate' | 'drop-oldest' | 'disconnect';

/** The ticks that a subscriber has yet to take. */
export interface TickQueue {
  readonly length: number;
  /** Ticks replaced by a newer one of their symbol. */
  readonly conflated: number;
  /** Ticks that were thrown away. */
  readonly dropped: number;
  /** False if it was full, and the policy is to disconnect. */
  push(tick: Tick): boolean;
  shift(): Tick | undefined;
}

/** A queue of at most `limit` ticks. Ticks with the same key are conflated. */
export function createTickQueue(
  policy: SlowPolicy,
  limit: number,
  keyOf: (tick: Tick) => string = ({ symbol }) => symbol,
): TickQueue {
  return policy === 'conflate'
    ? new ConflatingQueue(limit, keyOf)
    : new TickLine(limit, policy === 'drop-oldest');
}

class ConflatingQueue implements TickQueue {
  readonly #limit: number;
  readonly #keyOf: (tick: Tick) => string;
  /** In the order in which their symbols came to have one. */
  readonly #latest = new Map<string, Tick>();
  conflated = 0;
  dropped = 0;

  constructor(limit: number, keyOf: (tick: Tick) => string) {
    this.#limit = limit;
    this.#keyOf = keyOf;
  }

  get length(): number {
    return this.#latest.size;
  }

  push(tick: Tick): boolean {
    const before = this.#latest.size;
    this.#latest.set(this.#keyOf(tick), tick);
    if (this.#latest.size === before) this.conflated++;
    else if (before >= this.#limit) {
      this.shift();
      this.dropped++;
    }
    return true;
  }

  shift(): Tick | undefined {
    for (const [key, tick] of this.#latest) {
      this.#latest.delete(key);
      return tick;
    }
    return undefined;
  }
}

class TickLine implements TickQueue {
  readonly #limit: number;
  readonly #dropsOldest: boolean;
  readonly #ticks = new Deque<Tick>();
  readonly conflated = 0;
  dropped = 0;

  constructor(limit: number, dropsOldest: boolean) {
    this.#limit = limit;
    this.#dropsOldest = dropsOldest;
  }

  get length(): number {
    return this.#ticks.length;
  }

  push(tick: Tick): boolean {
    if (this.#ticks.length >= this.#limit) {
      if (!this.#dropsOldest) return false;
      this.#ticks.shift();
      this.dropped++;
    }
    this.#ticks.push(tick);
    return true;
  }

  shift(): Tick | undefined {
    return this.#ticks.shift();
  }
}

import type { Subscriber } from './subscriber.js';
import type { Tick } from './tick-queue.js';

/**
 * The subscribers of one topic, each with the mode that it wants. Most topics have one, which needs no map of its own: for
 * 50,000 symbols those maps are megabytes.
 */
export class Subscribers {
  #first: Subscriber | null = null;
  #firstMode = '';
  #others: Map<Subscriber, string> | null = null;

  get size(): number {
    return (this.#first === null ? 0 : 1) + (this.#others?.size ?? 0);
  }

  get(subscriber: Subscriber): string | undefined {
    return subscriber === this.#first ? this.#firstMode : this.#others?.get(subscriber);
  }

  set(subscriber: Subscriber, mode: string): void {
    if (subscriber === this.#first || (this.#first === null && !this.#others?.has(subscriber))) {
      this.#first = subscriber;
      this.#firstMode = mode;
      return;
    }
    this.#others ??= new Map();
    this.#others.set(subscriber, mode);
  }

  delete(subscriber: Subscriber): boolean {
    if (subscriber !== this.#first) return this.#others?.delete(subscriber) ?? false;
    this.#first = null;
    return true;
  }

  clear(): void {
    this.#first = null;
    this.#others = null;
  }

  *keys(): Generator<Subscriber> {
    if (this.#first !== null) yield this.#first;
    if (this.#others !== null) yield* this.#others.keys();
  }

  *values(): Generator<string> {
    if (this.#first !== null) yield this.#firstMode;
    if (this.#others !== null) yield* this.#others.values();
  }

  /** Offers a tick to all of them. */
  tell(tick: Tick): void {
    this.#first?.offer(tick);
    if (this.#others !== null) for (const each of this.#others.keys()) each.offer(tick);
  }
}

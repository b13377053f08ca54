/** An item that can be in one Bag at a time. */
export interface Bagged {
  /** Its index; -1 while it is in none. The bag's own. */
  place: number;
}

/**
 * Things that come and go all the time, in no order. A Set would make a new table every few dozen of them; the old tables
 * keep each other alive, and with them all that was in them, until the next full garbage collection: ten times as many
 * bytes outlived their requests, and pauses grew with them.
 */
export class Bag<T extends Bagged> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  has(item: T): boolean {
    return this.#items[item.place] === item;
  }

  /** false if it is not in it. */
  delete(item: T): boolean {
    if (!this.has(item)) return false;
    const last = this.#items.pop() as T;
    if (last !== item) {
      this.#items[item.place] = last;
      last.place = item.place;
    }
    item.place = -1;
    return true;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }
}

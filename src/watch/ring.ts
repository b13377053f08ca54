/** Keeps the last few things that were put in. */
export class Ring<T> {
  readonly #size: number;
  #items: T[] = [];
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  push(item: T): void {
    this.#items[this.#next] = item;
    this.#next = (this.#next + 1) % this.#size;
  }

  /** Returns the entries, and empties the ring. */
  drain(): readonly T[] {
    const items = this.#items;
    this.#items = [];
    this.#next = 0;
    return items;
  }
}

/** A queue with two ends, on one array used as a ring. */
export class Deque<T> {
  #ring: (T | undefined)[] = new Array(16);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The oldest, which stays. */
  get first(): T | undefined {
    return this.#length === 0 ? undefined : this.#ring[this.#head];
  }

  push(item: T): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = item;
    this.#length++;
  }

  /** Puts one in front of all others. */
  unshift(item: T): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#head = (this.#head - 1) & (this.#ring.length - 1);
    this.#ring[this.#head] = item;
    this.#length++;
  }

  /** The newest, taken out. */
  pop(): T | undefined {
    if (this.#length === 0) return undefined;
    this.#length--;
    return this.#take((this.#head + this.#length) & (this.#ring.length - 1));
  }

  /** The oldest, taken out. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#take(this.#head);
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length--;
    return item;
  }

  /** Takes out one item wherever it stands; false if it is not here. Takes time in proportion to the length. */
  remove(item: T): boolean {
    const items = [...this];
    const at = items.indexOf(item);
    if (at < 0) return false;
    items.splice(at, 1);
    this.#ring.fill(undefined);
    this.#head = 0;
    this.#length = 0;
    for (const each of items) this.push(each);
    return true;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.#length; i++) yield this.#ring[(this.#head + i) & (this.#ring.length - 1)] as T;
  }

  #take(index: number): T {
    const item = this.#ring[index] as T;
    this.#ring[index] = undefined;
    return item;
  }

  #grow(): void {
    const items = [...this];
    // The size stays a power of two, so that a mask can do for a remainder.
    this.#ring = items.concat(new Array(items.length));
    this.#head = 0;
  }
}

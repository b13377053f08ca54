/** Numbers in the order of their times: a binary heap. Those of the same time come in the order of their numbers. */
export class TimeHeap {
  #times = new Float64Array(256);
  #items = new Int32Array(256);
  length = 0;

  /** The earliest time; Infinity where there is none. */
  get soonest(): number {
    return this.length === 0 ? Number.POSITIVE_INFINITY : (this.#times[0] ?? 0);
  }

  push(time: number, item: number): void {
    if (this.length === this.#times.length) this.#grow();
    const [times, items] = [this.#times, this.#items];
    let at = this.length++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(time, item, times[parent]!, items[parent]!)) break;
      times[at] = times[parent]!;
      items[at] = items[parent]!;
      at = parent;
    }
    times[at] = time;
    items[at] = item;
  }

  /** Takes out the earliest; the heap must not be empty. */
  pop(): number {
    const [times, items] = [this.#times, this.#items];
    const first = items[0]!;
    const last = --this.length;
    const [time, item] = [times[last]!, items[last]!];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && isBefore(times[child + 1]!, items[child + 1]!, times[child]!, items[child]!))
        child++;
      if (!isBefore(times[child]!, items[child]!, time, item)) break;
      times[at] = times[child]!;
      items[at] = items[child]!;
      at = child;
    }
    times[at] = time;
    items[at] = item;
    return first;
  }

  #grow(): void {
    const times = new Float64Array(this.length * 2);
    times.set(this.#times);
    this.#times = times;
    const items = new Int32Array(this.length * 2);
    items.set(this.#items);
    this.#items = items;
  }
}

function isBefore(time: number, item: number, otherTime: number, otherItem: number): boolean {
  return time < otherTime || (time === otherTime && item < otherItem);
}

import { onAbort } from './abort.js';

/** A waiter in a WaiterQueue. Rooms add what it waits for. */
export class Queued {
  /** By the clock: when it began to wait. */
  readonly since: number;
  /** Infinity if it waits forever. Changed by the queue only: see `postpone`. */
  timeoutMs: number;
  /** It has left the queue: served, timed out, or given up. */
  settled = false;
  previous: this | null = null;
  next: this | null = null;
  /** Takes back that its signal is watched. */
  stopWatching: (() => void) | null = null;

  constructor(since: number, timeoutMs: number) {
    this.since = since;
    this.timeoutMs = timeoutMs;
  }

  /** By the clock: when it has waited too long. Not a field, which would cost each acquire 24 bytes more. */
  get deadline(): number {
    return this.since + this.timeoutMs;
  }
}

/**
 * A queue of waiters, first come, first served, with a view by deadline. It is a linked list, so that a waiter that gives
 * up leaves in constant time. With equal timeouts, the usual case, the list is also in order of deadlines. A heap is added
 * when a waiter would expire before one ahead of it, and kept until the queue is empty. Waiters that are pushed must not
 * be older than those already in the queue.
 */
export class WaiterQueue<W extends Queued> {
  #first: W | null = null;
  #last: W | null = null;
  #length = 0;
  #heap: DeadlineHeap<W> | null = null;

  get length(): number {
    return this.#length;
  }

  get first(): W | null {
    return this.#first;
  }

  /** Puts one at the end, and answers how many wait now. */
  push(waiter: W): number {
    const last = this.#last;
    waiter.previous = last;
    if (last === null) this.#first = waiter;
    else last.next = waiter;
    this.#last = waiter;
    this.#length++;
    if (this.#heap !== null) this.#heap.push(waiter);
    // The first comparison, of two small integers, is the only one while all have the same timeout.
    else if (last !== null && waiter.timeoutMs < last.timeoutMs && waiter.deadline < last.deadline) {
      this.#heap = new DeadlineHeap(this);
    }
    return this.#length;
  }

  /** Puts one in front of all others. */
  unshift(waiter: W): void {
    const first = this.#first;
    waiter.next = first;
    if (first === null) this.#last = waiter;
    else first.previous = waiter;
    this.#first = waiter;
    this.#length++;
    if (this.#heap !== null) this.#heap.push(waiter);
    else if (first !== null && waiter.deadline > first.deadline) this.#heap = new DeadlineHeap(this);
  }

  /** Takes out the longest waiter. */
  shift(): W | null {
    const waiter = this.#first;
    if (waiter === null) return null;
    this.#first = waiter.next;
    if (waiter.next === null) this.#last = null;
    else waiter.next.previous = null;
    this.#left(waiter);
    return waiter;
  }

  /** Takes out a waiter of this queue, and marks it settled. The caller resolves or rejects it. */
  remove(waiter: W): void {
    if (waiter.previous === null) this.#first = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === null) this.#last = waiter.previous;
    else waiter.next.previous = waiter.previous;
    waiter.previous = null;
    this.#left(waiter);
  }

  /** Takes a waiter out when the signal aborts, then calls `left`. Stops listening when the waiter leaves otherwise. */
  leaveOnAbort(waiter: W, signal: AbortSignal, left: () => void): void {
    waiter.stopWatching = onAbort(signal, () => {
      this.remove(waiter);
      left();
    });
  }

  #left(waiter: W): void {
    waiter.next = null;
    waiter.settled = true;
    this.#length--;
    if (this.#length === 0) this.#heap = null;
    else this.#heap?.forget(this.#length);
    waiter.stopWatching?.();
  }

  /** The earliest deadline of those waiting; Infinity if there is none. */
  nextDeadline(): number {
    return this.#soonest()?.deadline ?? Number.POSITIVE_INFINITY;
  }

  /** One whose deadline is not after `now`, the earliest first, which stays; null if there is none. */
  firstDue(now: number): W | null {
    const soonest = this.#soonest();
    return soonest === null || soonest.deadline > now ? null : soonest;
  }

  /** The same, taken out. */
  shiftDue(now: number): W | null {
    const due = this.firstDue(now);
    if (due !== null) this.remove(due);
    return due;
  }

  /** Gives a waiter more time. It keeps its place. */
  postpone(waiter: W, deadline: number): void {
    waiter.timeoutMs = deadline - waiter.since;
    if (this.#heap !== null) this.#heap.postponed(waiter);
    else if (waiter.next !== null && waiter.next.deadline < deadline) this.#heap = new DeadlineHeap(this);
  }

  *[Symbol.iterator](): Generator<W> {
    for (let waiter = this.#first; waiter !== null; waiter = waiter.next) yield waiter;
  }

  #soonest(): W | null {
    return this.#heap === null ? this.#first : this.#heap.first();
  }
}

/** A binary heap that forgets lazily: who has left the queue stays in it until it comes up, or half of it is such. */
class DeadlineHeap<W extends Queued> {
  #heap: W[];

  constructor(waiters: Iterable<W>) {
    this.#heap = sortedByDeadline([...waiters]);
  }

  push(waiter: W): void {
    const heap = this.#heap;
    let at = heap.push(waiter) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.deadline <= waiter.deadline) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = waiter;
  }

  /** One of the heap has left the queue, where so many are now. */
  forget(left: number): void {
    if (this.#heap.length > 2 * left + 64) {
      this.#heap = sortedByDeadline(this.#heap.filter((waiter) => !waiter.settled));
    }
  }

  first(): W | null {
    while (this.#heap[0]?.settled) this.#pop();
    return this.#heap[0] ?? null;
  }

  /** One of the heap has a later deadline than before. Nearly always it is the first, whose time was up. */
  postponed(waiter: W): void {
    if (this.#heap[0] === waiter) this.#sink(waiter);
    else this.#heap = sortedByDeadline(this.#heap);
  }

  #pop(): void {
    const moved = this.#heap.pop()!;
    if (this.#heap.length > 0) this.#sink(moved);
  }

  /** Puts one in the place of the first, and moves it down to where it belongs. */
  #sink(moved: W): void {
    const heap = this.#heap;
    const { length } = heap;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= length) break;
      if (child + 1 < length && heap[child + 1]!.deadline < heap[child]!.deadline) child++;
      if (heap[child]!.deadline >= moved.deadline) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
  }
}

/** In order is also a heap. */
function sortedByDeadline<W extends Queued>(waiters: W[]): W[] {
  return waiters.sort((a, b) => (a.deadline < b.deadline ? -1 : a.deadline > b.deadline ? 1 : 0));
}

import { ignore } from '../base/promises.js';
import type { WatchedAcquire } from './leak-watch.js';
import type { Lease } from './lease.js';

/** A pending acquire. */
export class Waiter<R> {
  /** What the caller awaits. */
  readonly promise: Promise<Lease<R>>;
  resolve: (lease: Lease<R>) => void = ignore;
  reject: (error: Error) => void = ignore;
  readonly since: number;
  /** Infinity if it waits for ever. */
  readonly timeoutMs: number;
  settled = false;
  previous: Waiter<R> | null = null;
  next: Waiter<R> | null = null;
  readonly watched: WatchedAcquire | null;
  abort: { readonly signal: AbortSignal; readonly listener: () => void } | null = null;
  /** How often an acquire hook failed on a broken resource on this waiter's behalf. */
  attempts = 0;

  constructor(since: number, timeoutMs: number, watched: WatchedAcquire | null) {
    this.promise = new Promise<Lease<R>>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.since = since;
    this.timeoutMs = timeoutMs;
    this.watched = watched;
  }

  get deadline(): number {
    return this.since + this.timeoutMs;
  }
}

/**
 * Pending acquires, first come first served, with a view by deadline. The queue is a linked list, so that a waiter
 * that gives up leaves at once, from wherever it stands. With equal time-outs, the usual case, the queue itself is
 * in order of deadlines. Only when one comes that would expire before those ahead of it, a heap is made beside the
 * queue, and kept until nobody waits any more.
 */
export class WaiterQueue<R> {
  #first: Waiter<R> | null = null;
  #last: Waiter<R> | null = null;
  #length = 0;
  #heap: DeadlineHeap<R> | null = null;

  get length(): number {
    return this.#length;
  }

  get first(): Waiter<R> | null {
    return this.#first;
  }

  /** Puts one at the end, and answers how many wait now. */
  push(waiter: Waiter<R>): number {
    const last = this.#last;
    waiter.previous = last;
    if (last === null) this.#first = waiter;
    else last.next = waiter;
    this.#last = waiter;
    this.#length++;
    if (this.#heap !== null) this.#heap.push(waiter);
    else if (last !== null && waiter.timeoutMs < last.timeoutMs) this.#heap = new DeadlineHeap(this);
    return this.#length;
  }

  /** Takes out the longest waiter. */
  shift(): Waiter<R> | null {
    const waiter = this.#first;
    if (waiter === null) return null;
    this.#first = waiter.next;
    if (waiter.next === null) this.#last = null;
    else waiter.next.previous = null;
    this.#left(waiter);
    return waiter;
  }

  /** Takes one out, and marks it settled; whoever calls resolves or rejects it. */
  remove(waiter: Waiter<R>): void {
    if (waiter.previous === null) this.#first = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === null) this.#last = waiter.previous;
    else waiter.next.previous = waiter.previous;
    waiter.previous = null;
    this.#left(waiter);
  }

  #left(waiter: Waiter<R>): void {
    waiter.next = null;
    waiter.settled = true;
    this.#length--;
    if (this.#length === 0) this.#heap = null;
    else this.#heap?.forget(this.#length);
    if (waiter.abort !== null) waiter.abort.signal.removeEventListener('abort', waiter.abort.listener);
  }

  /** The earliest deadline of those waiting; Infinity if there is none. */
  nextDeadline(): number {
    const first = this.#heap === null ? this.#first : this.#heap.first();
    return first?.deadline ?? Number.POSITIVE_INFINITY;
  }

  /** Takes out one whose deadline is not after `now`, the earliest first; null if there is none. */
  shiftDue(now: number): Waiter<R> | null {
    const first = this.#heap === null ? this.#first : this.#heap.first();
    if (first === null || first.deadline > now) return null;
    this.remove(first);
    return first;
  }

  *[Symbol.iterator](): Generator<Waiter<R>> {
    for (let waiter = this.#first; waiter !== null; waiter = waiter.next) yield waiter;
  }
}

/** A binary heap that forgets lazily: who has left the queue stays in it until it comes up, or half of it is such. */
class DeadlineHeap<R> {
  #heap: Waiter<R>[];

  constructor(waiters: Iterable<Waiter<R>>) {
    this.#heap = sortedByDeadline([...waiters]);
  }

  push(waiter: Waiter<R>): void {
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

  first(): Waiter<R> | null {
    while (this.#heap[0]?.settled) this.#pop();
    return this.#heap[0] ?? null;
  }

  #pop(): void {
    const heap = this.#heap;
    const moved = heap.pop()!;
    const { length } = heap;
    if (length === 0) return;
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
function sortedByDeadline<R>(waiters: Waiter<R>[]): Waiter<R>[] {
  return waiters.sort((a, b) => (a.deadline < b.deadline ? -1 : a.deadline > b.deadline ? 1 : 0));
}

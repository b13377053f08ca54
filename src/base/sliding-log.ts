import { Deque } from './deque.js';
import type { Limit } from './limit.js';

interface Entry {
  readonly weight: number;
  /** null while it has not been sent. */
  sentAt: number | null;
}

/** A message that was let in. Pass it to `sent` when it was sent. */
export type LogEntry = Entry;

/**
 * Records each message sent within the last `windowMs`, so the limit holds in every window, wherever it begins. A token
 * bucket does not ensure that: "5 a second" with a burst of 5 lets 9 through in one second.
 *
 * There are two ways to record. `note` is for a message that goes at once. `letIn` and `sent` are for one that goes later,
 * for example on another thread. It counts from the moment it is let in until `windowMs` after it was sent.
 */
export class SlidingLog implements Limit {
  readonly most: number;
  readonly #windowMs: number;
  readonly #sent = new Deque<Entry>();
  readonly #pending = new Set<Entry>();
  #weight = 0;

  constructor(most: number, windowMs: number) {
    this.most = most;
    this.#windowMs = windowMs;
  }

  used(now: number): number {
    this.#forget(now);
    return this.#weight;
  }

  /** Whether there is room for one of this weight. One heavier than the whole log gets through when it is empty. */
  hasRoom(now: number, weight = 1, most = this.most): boolean {
    this.#forget(now);
    return this.#weight === 0 || this.#weight + weight <= most;
  }

  /** When there will be room, if nothing else is let in; Infinity if that depends on one not yet sent. */
  roomAt(now: number, weight = 1, most = this.most): number {
    if (this.hasRoom(now, weight, most)) return now;
    let left = this.#weight;
    for (const entry of this.#sent) {
      left -= entry.weight;
      if (left === 0 || left + weight <= most) return (entry.sentAt ?? now) + this.#windowMs;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** One goes now, whether there is room or not. Times must not go backwards. */
  note(now: number): void {
    this.#forget(now);
    this.#weight++;
    this.#sent.push({ weight: 1, sentAt: now });
  }

  letIn(weight: number): LogEntry {
    const entry: Entry = { weight, sentAt: null };
    this.#pending.add(entry);
    this.#weight += weight;
    return entry;
  }

  /** Times must not go backwards. */
  sent(entry: LogEntry, now: number): void {
    if (!this.#pending.delete(entry)) return;
    entry.sentAt = now;
    this.#sent.push(entry);
  }

  #forget(now: number): void {
    for (let entry = this.#sent.first; entry !== undefined; entry = this.#sent.first) {
      if ((entry.sentAt ?? 0) + this.#windowMs > now) return;
      this.#sent.shift();
      this.#weight -= entry.weight;
    }
  }
}

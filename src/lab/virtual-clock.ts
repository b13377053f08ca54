import type { Clock, Timer } from '../base/clock.js';

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
  readonly background: boolean;
}

/** A clock whose hands only move when a test moves them. Starts at 0. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #wallStartMs: number;
  readonly #timers = new Set<Pending>();
  #deferred: (() => void)[] = [];
  #fired = 0;

  constructor(options: { wallStartMs?: number } = {}) {
    this.#wallStartMs = options.wallStartMs ?? Date.UTC(2026, 0, 1);
  }

  now(): number {
    return this.#nowMs;
  }

  wallTime(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  setTimer(callback: () => void, delayMs: number, options: { background?: boolean } = {}): Timer {
    const timer: Pending = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      callback,
      background: options.background ?? false,
    };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Timers that are set, and have neither fired nor been canceled. Foreground ones keep a process alive. */
  get timers(): { foreground: number; background: number } {
    const background = [...this.#timers].filter((timer) => timer.background).length;
    return { foreground: this.#timers.size - background, background };
  }

  /** How many timers have fired so far. */
  get fired(): number {
    return this.#fired;
  }

  /** When the next timer is due; null if none is set. */
  get nextTimerAt(): number | null {
    return this.#next()?.dueMs ?? null;
  }

  /** Lets everything happen that can without time passing: promise reactions, deferred callbacks, due timers. */
  async settle(): Promise<void> {
    await this.advance(0);
  }

  /**
   * Moves the hands on by `ms`. Timers that come due fire in order, each at its own time; before each, promise
   * reactions run until none is left. Deferred callbacks run before time passes, but after all timers that are due.
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await this.#react();
      const next = this.#next();
      if ((next?.dueMs ?? Number.POSITIVE_INFINITY) > this.#nowMs && this.#runDeferred()) continue;
      if (next === undefined || next.dueMs > untilMs) break;
      this.#timers.delete(next);
      // A timer that was due while the loop was blocked fires late, never in the past.
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#fired++;
      next.callback();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Lets time pass with nothing running, as code that blocks the event loop does. */
  block(ms: number): void {
    this.#nowMs += ms;
  }

  /** Advances from timer to timer until the promise settles; throws if no timer is left to wait for. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    for (;;) {
      do await this.#react();
      while (this.#runDeferred());
      if (settled) return promise;
      const { nextTimerAt } = this;
      if (nextTimerAt === null) throw new Error('the promise waits for something that no timer will bring');
      await this.advance(Math.max(0, nextTimerAt - this.#nowMs));
    }
  }

  /** By the time an immediate runs, every promise reaction has. */
  #react(): Promise<void> {
    return new Promise((resolve) => void setImmediate(resolve));
  }

  /** Whether there was any. */
  #runDeferred(): boolean {
    const batch = this.#deferred;
    this.#deferred = [];
    for (const callback of batch) callback();
    return batch.length > 0;
  }

  #next(): Pending | undefined {
    let first: Pending | undefined;
    for (const timer of this.#timers) {
      if (
        first === undefined ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order)
      ) {
        first = timer;
      }
    }
    return first;
  }
}

import type { Clock, Timer } from './clock.js';

/** One timer for the soonest of many moments. */
export class Alarm {
  readonly #clock: Clock;
  readonly #background: boolean;
  readonly #ring: (lateMs: number) => void;
  #timer: Timer | null = null;
  #at = Number.POSITIVE_INFINITY;
  #isOff = false;

  /** `ring` receives its delay. A background alarm does not keep the process alive. */
  constructor(clock: Clock, ring: (lateMs: number) => void, options: { background: boolean }) {
    this.#clock = clock;
    this.#ring = ring;
    this.#background = options.background;
  }

  /** When it will ring; Infinity if it is not set. */
  get at(): number {
    return this.#at;
  }

  /** Makes it ring at that time, or before. */
  set(at: number, now: number): void {
    if (at >= this.#at || this.#isOff) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#clock.setTimer(() => this.#due(), at - now, { background: this.#background });
  }

  /** Cancels the timer. The alarm can be set again. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#at = Number.POSITIVE_INFINITY;
  }

  /** It never rings again. */
  turnOff(): void {
    this.#isOff = true;
    this.#timer?.cancel();
  }

  #due(): void {
    const lateMs = this.#clock.now() - this.#at;
    this.#timer = null;
    this.#at = Number.POSITIVE_INFINITY;
    this.#ring(lateMs);
  }
}

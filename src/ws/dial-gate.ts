import type { Clock } from '../base/clock.js';
import { Deque } from '../base/deque.js';
import { Alarm } from '../pool/alarm.js';
import { SlidingWindow } from './sliding-window.js';

const MINUTE_MS = 60_000;

export interface DialLimits {
  /** Dials a second on average. */
  readonly perSecond: number;
  /** Dials that may come at once: all connections once, when the server is back. */
  readonly burst: number;
  /** Dials in any one minute. */
  readonly perMinute: number;
}

/**
 * The turnstile for all dials of a pool. Venues ban an address for too many connects (Binance: 300 in 5 minutes), and
 * however many connections fail at once, the ban hits them all.
 */
export class DialGate {
  readonly #clock: Clock;
  readonly #limits: DialLimits;
  readonly #minute: SlidingWindow;
  readonly #waiting = new Deque<() => void>();
  readonly #alarm: Alarm;
  #tokens: number;
  #filledAt: number;

  constructor(clock: Clock, limits: DialLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#minute = new SlidingWindow(limits.perMinute, MINUTE_MS);
    this.#alarm = new Alarm(clock, () => this.#pump(), { background: false });
    this.#tokens = limits.burst;
    this.#filledAt = clock.now();
  }

  /** Calls back, at once or when its turn comes; gives the way to leave the queue. */
  enter(dial: () => void): () => void {
    this.#waiting.push(dial);
    this.#pump();
    return () => void this.#waiting.remove(dial);
  }

  close(): void {
    this.#alarm.turnOff();
  }

  #pump(): void {
    while (this.#waiting.length > 0) {
      const now = this.#clock.now();
      const { perSecond, burst } = this.#limits;
      this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) * perSecond) / 1000);
      this.#filledAt = now;
      const tokenAt = this.#tokens >= 1 ? now : now + ((1 - this.#tokens) * 1000) / perSecond;
      const at = Math.max(tokenAt, this.#minute.roomAt(now));
      if (at > now) {
        // A millisecond more, lest rounding finds a token that is not quite whole.
        this.#alarm.set(at + 1, now);
        return;
      }
      this.#tokens--;
      this.#minute.note(now);
      this.#waiting.shift()?.();
    }
  }
}

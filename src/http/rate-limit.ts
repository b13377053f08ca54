import type { Clock, Timer } from '../base/clock.js';
import { Deque } from '../base/deque.js';
import { HttpError } from './errors.js';

/** What a server allows. */
export interface RateLimit {
  /** Requests a second on average, retries included. */
  readonly perSecond: number;
  /** Requests that may come at once. Default: those of one second. */
  readonly burst?: number;
}

/** One that waits for its turn. */
export interface Turn {
  /** Called when it has come. */
  readonly go: () => void;
  gone: boolean;
}

/** The turnstile of one origin: a bucket of tokens, and those who wait for one, first come first served. */
export class RateGate {
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #burst: number;
  readonly #turns = new Deque<Turn>();
  #waiting = 0;
  #tokens: number;
  #filledAt: number;
  #closedUntil = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;

  /** Throws an HttpError with ERR_HTTP_OPTION. */
  constructor(clock: Clock, { perSecond, burst = Math.max(1, Math.floor(perSecond)) }: RateLimit) {
    if (!(perSecond > 0 && perSecond < Number.POSITIVE_INFINITY) || !(burst >= 1))
      throw new HttpError('ERR_HTTP_OPTION', 'rateLimit: perSecond must be more than 0, and burst 1 or more');
    this.#clock = clock;
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAt = clock.now();
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Takes a token if there is one and nobody waits. */
  tryTake(): boolean {
    if (this.#waiting > 0) return false;
    return this.#take(this.#clock.now());
  }

  /** Waits for a token. */
  wait(go: () => void): Turn {
    const turn: Turn = { go, gone: false };
    this.#turns.push(turn);
    this.#waiting++;
    this.#arm();
    return turn;
  }

  /** Leaves the queue, if it has not had its turn. */
  leave(turn: Turn): void {
    if (turn.gone) return;
    turn.gone = true;
    this.#waiting--;
    if (this.#waiting === 0) this.#disarm();
  }

  /** The server says that it is too much: nobody goes for so long. */
  pause(ms: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, this.#clock.now() + ms);
    if (this.#waiting === 0) return;
    this.#disarm();
    this.#arm();
  }

  #take(now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
    if (now < this.#closedUntil || this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #arm(): void {
    if (this.#timer !== null) return;
    const now = this.#clock.now();
    const tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAt) * this.#perMs);
    const at = Math.max(now + Math.max(0, 1 - tokens) / this.#perMs, this.#closedUntil);
    // A millisecond more, lest rounding finds a token that is not quite whole.
    this.#timer = this.#clock.setTimer(() => this.#pump(), at - now + 1);
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #pump(): void {
    this.#timer = null;
    while (this.#waiting > 0 && this.#take(this.#clock.now())) {
      let turn = this.#turns.shift();
      while (turn?.gone) turn = this.#turns.shift();
      if (turn === undefined) break;
      turn.gone = true;
      this.#waiting--;
      turn.go();
    }
    if (this.#waiting > 0) this.#arm();
  }
}

import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';
import type { Limit } from './limit.js';
import { Queued, WaiterQueue } from './waiter-queue.js';

class Turn extends Queued {
  readonly go: () => void;

  constructor(since: number, go: () => void) {
    super(since, Number.POSITIVE_INFINITY);
    this.go = go;
  }
}

/** Lets callers through, first come, first served, as soon as all limits have room. */
export class Turnstile {
  readonly #clock: Clock;
  readonly #limits: readonly Limit[];
  readonly #turns = new WaiterQueue<Turn>();
  readonly #alarm: Alarm;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #pumping = false;

  constructor(clock: Clock, limits: readonly Limit[]) {
    this.#clock = clock;
    this.#limits = limits;
    this.#alarm = new Alarm(clock, () => this.#pump(), { background: false });
  }

  get waiting(): number {
    return this.#turns.length;
  }

  /** Goes through at once if there is room and nobody waits. */
  tryPass(): boolean {
    if (this.#turns.length > 0) return false;
    const now = this.#clock.now();
    if (this.#roomAt(now) > now) return false;
    this.#note(now);
    return true;
  }

  /** Calls `go` at once and returns null, or calls it when its turn comes and returns a function that leaves the queue. */
  enter(go: () => void): (() => void) | null {
    const turn = new Turn(this.#clock.now(), go);
    this.#turns.push(turn);
    this.#pump();
    return turn.settled ? null : () => this.#leave(turn);
  }

  /** Holds everybody back for `ms`, even if the limits have room. */
  pause(ms: number): void {
    const now = this.#clock.now();
    this.#pausedUntil = Math.max(this.#pausedUntil, now + ms);
    this.#alarm.clear();
    this.#setAlarm(now);
  }

  /** Stops the timer: callers that wait are not let through any more. */
  close(): void {
    this.#alarm.turnOff();
  }

  #leave(turn: Turn): void {
    if (turn.settled) return;
    this.#turns.remove(turn);
    // A timer that nobody waits for would keep the process alive.
    if (this.#turns.length === 0) this.#alarm.clear();
  }

  #roomAt(now: number): number {
    let at = Math.max(now, this.#pausedUntil);
    for (const limit of this.#limits) at = Math.max(at, limit.roomAt(now));
    return at;
  }

  #note(now: number): void {
    for (const limit of this.#limits) limit.note(now);
  }

  #pump(): void {
    // One that enters from within `go` waits for those before it.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let turn = this.#next(); turn !== null; turn = this.#next()) turn.go();
    } finally {
      this.#pumping = false;
      this.#setAlarm(this.#clock.now());
    }
  }

  /** Takes out the first caller if the limits have room for it. */
  #next(): Turn | null {
    const now = this.#clock.now();
    if (this.#turns.length === 0 || this.#roomAt(now) > now) return null;
    this.#note(now);
    return this.#turns.shift();
  }

  #setAlarm(now: number): void {
    // A millisecond more, because rounding may find a token that is not quite whole.
    if (this.#turns.length > 0) this.#alarm.set(this.#roomAt(now) + 1, now);
  }
}

import type { Clock } from '../base/clock.js';
import { Alarm } from '../pool/alarm.js';
import { Bag, type Bagged } from './bag.js';
import type { Connection } from './connection.js';
import type { Origin } from './origin.js';

/** A request under way, with the moment when something must have happened. */
export interface Watched extends Bagged {
  /** By the clock; Infinity while nothing is due. */
  deadlineAt: number;
  overdue(now: number): void;
}

/** A connection in its pool. */
export class PooledConnection {
  readonly origin: Origin;
  readonly clock: Clock;
  /** Set as soon as there is one; a connection knows nothing of its pool. */
  wire!: Connection;
  /** Requests under way. */
  readonly active = new Bag<Watched>();
  /** Requests that it was ever used for. */
  requests = 0;
  /** By the clock, while nothing is under way. */
  idleSince = 0;
  gone = false;
  /** Who gets its place when it is closed; null: whoever has waited longest. */
  promisedTo: Origin | null = null;
  readonly #alarm: Alarm;

  constructor(origin: Origin, clock: Clock) {
    this.origin = origin;
    this.clock = clock;
    // In the background: a socket in use keeps the process alive by itself.
    this.#alarm = new Alarm(clock, () => this.#ring(), { background: true });
  }

  get hasRoom(): boolean {
    return this.active.size < this.wire.capacity && this.wire.usable;
  }

  /**
   * Sees to it that the request is looked at when it is overdue. The timer is not moved for each piece of data: it
   * rings when the first deadline would have been, and looks what has become of it.
   */
  watch(watched: Watched, at: number, now: number): void {
    watched.deadlineAt = at;
    if (at < this.#alarm.at) this.#alarm.set(at, now);
  }

  over(): void {
    this.gone = true;
    this.#alarm.turnOff();
  }

  #ring(): void {
    const now = this.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const watched of [...this.active]) {
      if (watched.deadlineAt <= now) watched.overdue(now);
      if (this.active.has(watched)) next = Math.min(next, watched.deadlineAt);
    }
    if (next < Number.POSITIVE_INFINITY) this.#alarm.set(next, now);
  }
}

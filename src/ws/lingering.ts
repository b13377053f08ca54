import { Alarm } from '../base/alarm.js';
import type { Clock } from '../base/clock.js';
import { Deque } from '../base/deque.js';
import type { Subscription } from './subscription.js';

export interface LingeringOwner {
  unwant(subscription: Subscription): void;
  /** It may be in a mode that nobody wants any more. */
  lowerMode(subscription: Subscription): void;
}

/** Topics that stay as they are for a while after a subscriber has left: one that comes back soon costs no request. */
export class Lingering {
  readonly #clock: Clock;
  readonly #lingerMs: number;
  readonly #owner: LingeringOwner;
  /** In the order in which their time is over. */
  readonly #waiting = new Deque<{ readonly subscription: Subscription; readonly until: number }>();
  readonly #alarm: Alarm;

  constructor(settings: { readonly clock: Clock; readonly lingerMs: number }, owner: LingeringOwner) {
    this.#clock = settings.clock;
    this.#lingerMs = settings.lingerMs;
    this.#owner = owner;
    this.#alarm = new Alarm(settings.clock, () => this.#end(), { background: false });
  }

  /** `isLeft`: nobody subscribes it; else only its mode is looked at again. */
  add(subscription: Subscription, isLeft: boolean): void {
    const now = this.#clock.now();
    const until = now + this.#lingerMs;
    subscription.lingerUntil = isLeft ? until : null;
    this.#waiting.push({ subscription, until });
    this.#alarm.set(until, now);
  }

  close(): void {
    this.#alarm.turnOff();
  }

  /** Symbols that were wanted again meanwhile have another time, or none. */
  #end(): void {
    const now = this.#clock.now();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { subscription, until } = next;
      if (until > now) {
        this.#waiting.unshift(next);
        this.#alarm.set(until, now);
        return;
      }
      if (subscription.lingerUntil === until) this.#owner.unwant(subscription);
      else if (subscription.subscribers.size > 0) this.#owner.lowerMode(subscription);
    }
  }
}

import { Alarm } from '../base/alarm.js';
import type { Clock } from '../base/clock.js';
import type { WaiterQueue } from '../base/waiter-queue.js';
import type { PoolTimeoutError } from './errors.js';
import { type PoolCondition, timeoutErrors } from './timeout.js';
import type { Waiter } from './waiter.js';

/** While acquires wait, the pool looks at the clock at least this often: that is how it sees a blocked loop. */
const PROBE_MS = 100;
/** A timer this late means that the event loop stood still, and not the pool. */
const BLOCKED_MS = 20;
/** Expired waiters are rejected in portions of so many, or so long, so that ten thousands do not stop the loop. */
const EXPIRE_PORTION = 200;
const EXPIRE_MS = 1;

/** The part of a pool that its deadlines use. */
export interface DeadlineOwner<R> {
  readonly clock: Clock;
  readonly waiters: WaiterQueue<Waiter<R>>;
  /** Called before anybody is rejected, while acquires wait. */
  look(now: number): void;
  /** Matches waiters with resources, and opens more. */
  pump(now: number): void;
  condition(now: number): Omit<PoolCondition, 'blocked'>;
  timedOut(error: PoolTimeoutError): void;
}

/**
 * Rejects acquires that have waited too long, and wakes the pool while acquires wait. One timer serves all of them. A
 * blocked event loop is noticed by it, so that nobody is rejected before what came back meanwhile has been read.
 */
export class Deadlines<R> {
  readonly #owner: DeadlineOwner<R>;
  readonly #alarm: Alarm;
  /** The event loop was seen standing still: how long, and when that ended. */
  #blocked = { ms: 0, endedAt: Number.NEGATIVE_INFINITY };
  #rejecting = false;
  #isOff = false;

  constructor(owner: DeadlineOwner<R>) {
    this.#owner = owner;
    this.#alarm = new Alarm(owner.clock, (lateMs) => this.#awake(lateMs), { background: false });
  }

  /** An acquire begins to wait. A timer that is armed goes off within PROBE_MS anyway. */
  watch(waiter: Waiter<R>, now: number): void {
    if (this.#alarm.at === Number.POSITIVE_INFINITY || waiter.timeoutMs < PROBE_MS)
      this.wakeAt(waiter.deadline, now);
  }

  /** Looks again then, or before. It is left armed when all are served: an early look costs less than a cancel. */
  wakeAt(at: number, now: number): void {
    this.#alarm.set(Math.min(at, now + PROBE_MS), now);
  }

  turnOff(): void {
    this.#isOff = true;
    this.#alarm.turnOff();
  }

  #awake(lateMs: number): void {
    const { clock } = this.#owner;
    if (lateMs >= BLOCKED_MS) {
      this.#noteBlocked(lateMs, clock.now());
      // Resources that came back while the loop was blocked have not been read yet. Let it serve before anybody is turned away.
      clock.defer(() => this.#attend());
    } else this.#attend();
  }

  /** Keeps the longest of those that anybody waiting has lived through. */
  #noteBlocked(ms: number, now: number): void {
    const { first } = this.#owner.waiters;
    if (ms >= this.#blocked.ms || first === null || this.#blocked.endedAt <= first.since) {
      this.#blocked = { ms, endedAt: now };
    }
  }

  #attend(): void {
    if (this.#isOff) return;
    const { clock, waiters } = this.#owner;
    const now = clock.now();
    this.#owner.look(now);
    if (waiters.nextDeadline() <= now) this.#rejectDue();
    if (waiters.length === 0) return;
    this.#owner.pump(now);
    const deadline = this.#rejecting ? Number.POSITIVE_INFINITY : waiters.nextDeadline();
    this.wakeAt(deadline, now);
  }

  /** Rejects those whose time is up, a portion in each turn of the loop. */
  #rejectDue(): void {
    if (this.#rejecting) return;
    this.#rejecting = true;
    const { clock, waiters } = this.#owner;
    const errorFor = timeoutErrors({ ...this.#owner.condition(clock.now()), blocked: this.#blocked });
    const portion = (): void => {
      const startedAt = clock.now();
      let now = startedAt;
      for (let i = 0; i < EXPIRE_PORTION && now - startedAt < EXPIRE_MS; i++) {
        const waiter = waiters.shiftDue(now);
        if (waiter === null) {
          this.#rejecting = false;
          if (waiters.length > 0) this.wakeAt(waiters.nextDeadline(), now);
          return;
        }
        const error = errorFor(waiter, now);
        this.#owner.timedOut(error);
        waiter.reject(error);
        now = clock.now();
      }
      clock.defer(portion);
    };
    portion();
  }
}

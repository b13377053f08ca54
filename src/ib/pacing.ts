import { onAbort } from '../base/abort.js';
import { Alarm } from '../base/alarm.js';
import type { Clock } from '../base/clock.js';
import { systemClock } from '../base/clock.js';
import { Deque } from '../base/deque.js';
import { Histogram } from '../base/histogram.js';
import { type OptionShape, optionProblems } from '../base/option-shape.js';
import { asError, ignore, isPromise } from '../base/promises.js';
import { SlidingLog } from '../base/sliding-log.js';
import type { PacingSnapshot } from '../snapshot/broker.js';
import { optionError } from './errors.js';
import { type HistoryFacts, HistoryLog, type HistoryRules } from './history-log.js';

/** How fast a gateway may be sent messages. The gateway counts all its clients together. */
export interface PacingOptions {
  /** The gateway's limit, for the headroom. Default 50. */
  readonly limitPerSecond?: number;
  /** Requests are sent no faster than this. Default 45, or what keeps the same distance to another limit. */
  readonly messagesPerSecond?: number;
  /** Orders and cancels may go beyond that, up to here. Default half way between the two above, rounded up: 48. */
  readonly urgentPerSecond?: number;
  /**
   * A window is this much longer than the gateway's, in milliseconds: what was sent early may arrive late, and stand
   * closer to what comes after it. Default 75.
   */
  readonly marginMs?: number;
  /** The limits for requests for history; false: none. Default: HistoryRules' defaults. */
  readonly history?: HistoryRules | false;
  /** Whether there is any pacing. Off only to show what happens without. Default true. */
  readonly enabled?: boolean;
  readonly clock?: Clock;
}

export const PACING_SHAPE = {
  limitPerSecond: 'number',
  messagesPerSecond: 'number',
  urgentPerSecond: 'number',
  marginMs: 'number',
  history: {
    fields: { identicalMs: 'number', perSeries: 'number', perTenMinutes: 'number', open: 'number' },
    or: [false],
  },
  enabled: 'boolean',
  clock: 'any',
} as const satisfies OptionShape & Record<keyof PacingOptions, unknown>;

/** A message, as the pacing sees it. */
export type Paced =
  | { readonly kind: 'request' }
  /** An order or a cancel: it jumps the queue, and there is some room kept for it. */
  | { readonly kind: 'urgent' }
  /** Keeps the connection up: it jumps the queue, but has no room of its own. */
  | { readonly kind: 'upkeep' }
  | { readonly kind: 'history'; readonly history: HistoryFacts };

/** A message that was sent. */
export interface Sent {
  /** How long it stood in the queue, in milliseconds. */
  readonly waitedMs: number;
  /** Reports that a request for history is answered, failed or canceled. Has no effect for other messages. */
  over(): void;
}

/** Lets messages go when they may. Shared by all who talk to one gateway. */
export interface Pacer {
  /**
   * Calls `transmit` when the message may be sent, in order of asking but for urgent ones. The message counts from
   * then until a second after `transmit` is done, so one that goes by another thread gives a promise. Rejects with
   * the signal's reason if that aborts first, and with what `transmit` throws. A function that makes a signal is called
   * only if the message has to wait.
   */
  send(
    message: Paced,
    transmit: () => void | Promise<void>,
    signal?: AbortSignal | (() => AbortSignal),
  ): Promise<Sent>;
  /**
   * The gateway has refused a message for its rate (100), or a request for history (162): what is not urgent rests for
   * so many milliseconds. A pacer without it leaves the rest to those who ask again.
   */
  backOff?(what: 'all' | 'history', forMs: number): void;
  /** null while nothing is known: over a port, before the first message was sent. */
  snapshot(): PacingSnapshot | null;
}

/** So many urgent messages go before an ordinary one gets its turn: a flood of cancels must not starve requests. */
const URGENT_IN_A_ROW = 9;
const SECOND_MS = 1000;

/** The pacing of one gateway, on the thread that owns it. Throws an IbError with ERR_IB_OPTION where a figure makes no sense. */
export function createPacer(options: PacingOptions = {}): LocalPacer {
  return new LocalPacer(options);
}

interface Waiter {
  readonly message: Paced;
  readonly order: number;
  readonly since: number;
  readonly go: () => void;
}

/** See Pacer. */
export class LocalPacer implements Pacer {
  readonly #clock: Clock;
  readonly #enabled: boolean;
  readonly #limit: number;
  readonly #budget: number;
  readonly #urgentBudget: number;
  readonly #seconds: SlidingLog;
  /** Send stamps of the last second as it is on the clock, for the figures. */
  readonly #stamps = new SlidingLog(Number.POSITIVE_INFINITY, SECOND_MS);
  readonly #history: HistoryLog | null;
  readonly #urgent = new Deque<Waiter>();
  readonly #requests = new Deque<Waiter>();
  readonly #histories: Waiter[] = [];
  readonly #alarm: Alarm;
  readonly #wait = new Histogram();
  #order = 0;
  #urgentInARow = 0;
  #sent = 0;
  #peak = 0;
  #pumping = false;
  /** Until when nothing but urgent messages is sent, and no history. */
  #restUntil = 0;
  #historyRestUntil = 0;

  constructor(options: PacingOptions) {
    const problems = optionProblems(options, PACING_SHAPE);
    if (problems.length > 0) throw optionError(problems.join('; '));
    const { limitPerSecond = 50, marginMs = 75, clock = systemClock } = options;
    const messagesPerSecond = options.messagesPerSecond ?? Math.max(1, Math.floor(limitPerSecond * 0.9));
    const urgentPerSecond = options.urgentPerSecond ?? Math.ceil((messagesPerSecond + limitPerSecond) / 2);
    for (const [name, value] of Object.entries({ limitPerSecond, messagesPerSecond, urgentPerSecond })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw optionError(`${name} must be a whole number from 1, got ${value}`);
      }
    }
    if (!(marginMs >= 0)) throw optionError(`marginMs must not be negative, got ${marginMs}`);
    this.#clock = clock;
    this.#enabled = options.enabled ?? true;
    this.#limit = limitPerSecond;
    this.#budget = messagesPerSecond;
    this.#urgentBudget = Math.max(messagesPerSecond, urgentPerSecond);
    // One that leaves the window at its very edge may still be within the gateway's.
    this.#seconds = new SlidingLog(messagesPerSecond, SECOND_MS + Math.max(1, marginMs));
    this.#history =
      options.history === false || !this.#enabled ? null : new HistoryLog(options.history ?? {}, marginMs);
    this.#alarm = new Alarm(clock, () => this.#pump(), { background: false });
  }

  /** How many messages it lets go in a second, and how many with urgent ones. */
  get budgets(): { readonly ordinary: number; readonly urgent: number } {
    return { ordinary: this.#budget, urgent: this.#urgentBudget };
  }

  send(
    message: Paced,
    transmit: () => void | Promise<void>,
    signal?: AbortSignal | (() => AbortSignal),
  ): Promise<Sent> {
    if (typeof signal === 'object' && signal.aborted) return Promise.reject(asError(signal.reason));
    const since = this.#clock.now();
    if (this.#mayGoAtOnce(message.kind, since)) return this.#sendAtOnce(message, since, transmit);
    return new Promise((resolve, reject) => {
      let isWaiting = true;
      let stopWatching = ignore;
      const waiter: Waiter = {
        message,
        order: this.#order++,
        since,
        go: () => {
          isWaiting = false;
          stopWatching();
          this.#transmit(message, since, transmit, resolve, reject);
        },
      };
      this.#line(message).push(waiter);
      this.#pump();
      if (!isWaiting || signal === undefined) return;
      const watched = typeof signal === 'function' ? signal() : signal;
      stopWatching = onAbort(watched, () => {
        this.#remove(waiter);
        reject(asError(watched.reason));
        this.#pump();
      });
    });
  }

  backOff(what: 'all' | 'history', forMs: number): void {
    if (!this.#enabled) return;
    const until = this.#clock.now() + forMs;
    if (what === 'all') this.#restUntil = Math.max(this.#restUntil, until);
    this.#historyRestUntil = Math.max(this.#historyRestUntil, until);
    this.#setAlarm();
  }

  snapshot(): PacingSnapshot {
    const now = this.#clock.now();
    const waiting = [...this.#urgent, ...this.#requests, ...this.#histories];
    const oldest = waiting.reduce((since, waiter) => Math.min(since, waiter.since), Number.POSITIVE_INFINITY);
    return {
      limitPerSecond: this.#limit,
      messagesPerSecond: this.#budget,
      sent: this.#sent,
      lastSecond: this.#stamps.used(now),
      peakSecond: this.#peak,
      headroom: 1 - this.#peak / this.#limit,
      waiting: waiting.length,
      longestWaitMs: waiting.length === 0 ? null : now - oldest,
      wait: this.#wait.snapshot(),
      history:
        this.#history === null ? null : { waiting: this.#histories.length, ...this.#history.figures(now) },
    };
  }

  /** The path of nearly every request where there is room: no queue, and no look at it. */
  #mayGoAtOnce(kind: Paced['kind'], now: number): boolean {
    const isFree = !this.#pumping && this.#waiting === 0 && kind !== 'history';
    const rests = kind === 'request' && now < this.#restUntil;
    return isFree && !rests && this.#mayGo(now, this.#mostFor(kind));
  }

  #sendAtOnce(message: Paced, since: number, transmit: () => void | Promise<void>): Promise<Sent> {
    const isUrgent = message.kind === 'urgent' || message.kind === 'upkeep';
    this.#urgentInARow = isUrgent ? (this.#urgentInARow % URGENT_IN_A_ROW) + 1 : 0;
    return new Promise((resolve, reject) => {
      this.#pumping = true;
      try {
        this.#transmit(message, since, transmit, resolve, reject);
      } finally {
        this.#pumping = false;
      }
      if (this.#waiting > 0) this.#pump();
    });
  }

  get #waiting(): number {
    return this.#urgent.length + this.#requests.length + this.#histories.length;
  }

  #line({ kind }: Paced): { push(waiter: Waiter): unknown } {
    switch (kind) {
      case 'urgent':
      case 'upkeep':
        return this.#urgent;
      case 'request':
        return this.#requests;
      case 'history':
        return this.#histories;
    }
  }

  #remove(waiter: Waiter): void {
    if (this.#urgent.remove(waiter) || this.#requests.remove(waiter)) return;
    const at = this.#histories.indexOf(waiter);
    if (at >= 0) this.#histories.splice(at, 1);
  }

  #pump(): void {
    // Messages that are sent from within `go` must not overtake the one whose turn it is.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let next = this.#next(); next !== null; next = this.#next()) next.go();
    } finally {
      this.#pumping = false;
    }
    this.#setAlarm();
  }

  /** The one whose turn it is, taken out of its line; null if there is none, or no room. */
  #next(): Waiter | null {
    const now = this.#clock.now();
    const ordinary = (): Waiter | null => {
      if (now < this.#restUntil || !this.#mayGo(now, this.#budget)) return null;
      const history = this.#eligibleHistory(now);
      if (history !== null && history.order < this.#firstRequestOrder()) {
        this.#histories.splice(this.#histories.indexOf(history), 1);
        return history;
      }
      return this.#requests.shift() ?? null;
    };
    if (this.#urgent.length > 0 && this.#urgentInARow >= URGENT_IN_A_ROW) {
      this.#urgentInARow = 0;
      // The urgent ones must not fill the part of the window that requests may use, or their turn would never come.
      const hasRequest = this.#requests.length > 0 && now >= this.#restUntil;
      if (hasRequest || this.#eligibleHistory(now) !== null) {
        const waiter = ordinary();
        if (waiter === null) this.#urgentInARow = URGENT_IN_A_ROW;
        return waiter;
      }
    }
    if (this.#urgent.length > 0) {
      if (!this.#mayGo(now, this.#urgentMost())) return null;
      this.#urgentInARow++;
      return this.#urgent.shift() ?? null;
    }
    const waiter = ordinary();
    if (waiter !== null) this.#urgentInARow = 0;
    return waiter;
  }

  #firstRequestOrder(): number {
    return this.#requests.first?.order ?? Number.POSITIVE_INFINITY;
  }

  /** How far the first in the urgent line may fill the window. */
  #urgentMost(): number {
    return this.#mostFor(this.#urgent.first?.message.kind ?? 'urgent');
  }

  #mostFor(kind: Paced['kind']): number {
    return kind === 'urgent' ? this.#urgentBudget : this.#budget;
  }

  #mayGo(now: number, most: number): boolean {
    return !this.#enabled || this.#seconds.hasRoom(now, 1, most);
  }

  #eligibleHistory(now: number): Waiter | null {
    if (now < this.#historyRestUntil) return null;
    if (this.#history === null || this.#histories.length === 0) return this.#histories[0] ?? null;
    const pass = this.#history.pass(now);
    return (
      this.#histories.find(({ message }) => message.kind !== 'history' || pass.mayGo(message.history)) ?? null
    );
  }

  #setAlarm(): void {
    if (this.#waiting === 0) return;
    const now = this.#clock.now();
    const ordinaryAt = (at: number): number =>
      Math.max(at, this.#restUntil, this.#seconds.roomAt(now, 1, this.#budget));
    let at = Number.POSITIVE_INFINITY;
    // If it is the turn of ordinary messages, urgent ones wait for that, and not for room of their own.
    if (this.#urgent.length > 0 && this.#urgentInARow < URGENT_IN_A_ROW) {
      at = this.#seconds.roomAt(now, 1, this.#urgentMost());
    }
    if (this.#requests.length > 0) at = Math.min(at, ordinaryAt(now));
    if (this.#histories.length > 0) at = Math.min(at, ordinaryAt(this.#historyAt(now)));
    // Infinity sets nothing: that hangs on one which is being sent, or open, and those call back. A timer that Node
    // fires a fraction early must find the room it was set for, hence the millisecond.
    this.#alarm.set(Math.max(at, now + 1), now);
  }

  #historyAt(now: number): number {
    if (now < this.#historyRestUntil) return this.#historyRestUntil;
    if (this.#eligibleHistory(now) !== null) return now;
    let soonest = Number.POSITIVE_INFINITY;
    for (const { message } of this.#histories) {
      const at = message.kind === 'history' ? (this.#history?.roomAt(now, message.history) ?? now) : now;
      // One that has room, and may not go, waits for another in front of it.
      if (at > now) soonest = Math.min(soonest, at);
    }
    return soonest;
  }

  #transmit(
    message: Paced,
    since: number,
    transmit: () => void | Promise<void>,
    resolve: (sent: Sent) => void,
    reject: (error: unknown) => void,
  ): void {
    const waitedMs = this.#clock.now() - since;
    this.#wait.recordMs(waitedMs);
    const second = this.#enabled ? this.#seconds.letIn(1) : null;
    const history = message.kind === 'history' ? (this.#history?.letIn(message.history) ?? null) : null;
    const done = (): void => {
      const now = this.#clock.now();
      if (second !== null) this.#seconds.sent(second, now);
      history?.sent(now);
      this.#stamp(now);
      resolve({
        waitedMs,
        over:
          history === null
            ? ignore
            : () => {
                history.over();
                this.#pump();
              },
      });
    };
    const failed = (error: unknown): void => {
      // It may have got out all the same, so it counts.
      reject(error);
      done();
      history?.over();
    };
    try {
      const sending = transmit();
      if (!isPromise(sending)) done();
      else sending.then(done, failed).finally(() => this.#pump());
    } catch (error) {
      failed(error);
    }
  }

  #stamp(now: number): void {
    this.#sent++;
    this.#stamps.note(now);
    this.#peak = Math.max(this.#peak, this.#stamps.used(now));
  }
}

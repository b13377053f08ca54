import { onAbort } from '../base/abort.js';
import type { Clock, Timer } from '../base/clock.js';
import { asError, ignore } from '../base/promises.js';
import type { RequestCounters } from '../snapshot/broker.js';
import { IbError, isNotice, requestError } from './errors.js';
import type { Paced, Pacer, Sent } from './pacing.js';
import type { Session, Supervisor } from './supervisor.js';

/** How long a request may take, and who may end it. */
export interface RequestOptions {
  /**
   * How long an answer may take, in milliseconds: waiting for a connection counts, as do retries, but not waiting for
   * the pacing. Default 10,000; 60,000 for history.
   */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** One kind of request: how it is sent, and what its answer is put together from. */
export interface Question<T> {
  /** For errors: `history of AAPL`. */
  readonly name: string;
  /** Only a request that changes nothing is sent again after a drop. */
  readonly idempotent: boolean;
  readonly paced: Paced;
  readonly timeoutMs: number;
  readonly send: (id: number) => readonly [method: string, args: readonly unknown[]];
  /** How the gateway is told that nobody waits any more; null where it cannot be, or need not. */
  readonly cancel: ((id: number) => readonly [method: string, args: readonly unknown[]]) | null;
  /** Told after the request was sent, and had its answer: what the gateway would else go on sending is ended. */
  readonly finish?: (id: number) => readonly [method: string, args: readonly unknown[]];
  /** The id of what is asked for, where that is not up to us: of an order. */
  readonly id?: number;
  /**
   * The events of the answer; those that carry the id of the request, unless `anonymous`. A new set for each time it
   * is sent, since a drop may come in the middle of an answer.
   */
  readonly answer: () => Answer<T>;
  /** Errors of the gateway that are the answer: 202 says that an order was cancelled, as was asked. */
  readonly errorAnswer?: (ibCode: number) => { readonly value: T } | null;
  /** Its answers do not carry an id: the oldest of the kind is given them. */
  readonly anonymous?: boolean;
}

/** Takes the events of an answer; gives `{ value }` when it is complete, null while it is not. */
export interface Answer<T> {
  readonly events: Readonly<Record<string, (args: readonly unknown[]) => { readonly value: T } | null>>;
}

/**
 * TWS numbers orders and requests in one space, and an error only says the number. Orders count up from nextValidId;
 * requests from here, so that no late word on the one is taken for one on the other.
 */
export const FIRST_REQUEST_ID = 2 ** 30;
/** How often a read is sent again before its loss is the caller's to deal with. */
const RETRIES = 3;
/** How long something may wait for a connection that is not sent over it. */
const READY_MS = 10_000;
/** Events whose first argument is the id of a request or an order. */
const WITH_ID = new Set([
  'contractDetails',
  'bondContractDetails',
  'contractDetailsEnd',
  'historicalData',
  'headTimestamp',
  'accountSummary',
  'accountSummaryEnd',
  'orderStatus',
  'openOrder',
]);

interface Pending {
  readonly id: number;
  readonly name: string;
  readonly isOrder: boolean;
  readonly events: Readonly<Record<string, (args: readonly unknown[]) => { readonly value: unknown } | null>>;
  readonly anonymous: boolean;
  readonly errorAnswer: (ibCode: number) => { readonly value: unknown } | null;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The requests of one connection. Ids are never used twice, so an answer that comes late finds nobody. */
export class Requests {
  readonly #supervisor: Supervisor;
  readonly #pacer: Pacer;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  readonly #counters = { asked: 0, answered: 0, failed: 0, timedOut: 0, lost: 0, retried: 0, late: 0 };
  #lastId = FIRST_REQUEST_ID;
  #nextOrderId = 0;
  /** What happened to requests that were waiting for the pacing. */
  readonly #unsent = new WeakSet<Error>();
  /** Aborts with the session: what waits for the pacing must not be sent in the next. */
  #session = new AbortController();

  constructor(supervisor: Supervisor, { pacer, clock }: { readonly pacer: Pacer; readonly clock: Clock }) {
    this.#supervisor = supervisor;
    this.#pacer = pacer;
    this.#clock = clock;
  }

  get counters(): RequestCounters {
    return { ...this.#counters };
  }

  /** Requests that were sent, and have no answer as yet. */
  get inFlight(): number {
    return this.#pending.size;
  }

  nextId(): number {
    return ++this.#lastId;
  }

  nextOrderId(): number {
    return this.#nextOrderId++;
  }

  /** Aborts when the session is lost. */
  get sessionSignal(): AbortSignal {
    return this.#session.signal;
  }

  async ask<T>(question: Question<T>, options: RequestOptions = {}): Promise<T> {
    this.#counters.asked++;
    const limit = new TimeLimit(
      this.#clock,
      question.name,
      options.timeoutMs ?? question.timeoutMs,
      options.signal,
    );
    try {
      for (let lost = 0; ; ) {
        limit.check();
        if (this.#supervisor.state.kind !== 'ready') {
          // An order must not wait for a connection: by then it may not be what is wanted.
          if (!question.idempotent) throw notSent(question.name, this.#supervisor.state.kind);
          await limit.race(this.#supervisor.ready());
        }
        try {
          const answer = await this.#send(question, limit);
          this.#counters.answered++;
          return answer;
        } catch (error) {
          const isLost = error instanceof IbError && error.code === 'ERR_IB_CONNECTION_LOST';
          if (!isLost || !question.idempotent) throw error;
          // What still stood in the queue takes its place anew.
          if (this.#unsent.has(error)) continue;
          if (++lost > RETRIES) throw error;
          this.#counters.retried++;
        }
      }
    } catch (error) {
      if (error instanceof IbError && error.code === 'ERR_IB_TIMEOUT') this.#counters.timedOut++;
      else this.#counters.failed++;
      throw error;
    } finally {
      limit.end();
    }
  }

  /** A session that is ready, waited for no longer than an answer would be. */
  async session(name: string, { timeoutMs = READY_MS, signal }: RequestOptions = {}): Promise<Session> {
    const limit = new TimeLimit(this.#clock, name, timeoutMs, signal);
    try {
      limit.check();
      return await limit.race(this.#supervisor.ready());
    } finally {
      limit.end();
    }
  }

  /** Sends what has no answer; before all others. What the connection breaks under is not sent: the gateway has forgotten. */
  tell([method, args]: readonly [method: string, args: readonly unknown[]]): void {
    this.#pacer
      .send({ kind: 'urgent' }, () => this.#supervisor.call(method, args), this.#session.signal)
      .catch(ignore);
  }

  began(session: Session): void {
    this.#session = new AbortController();
    this.#nextOrderId = Math.max(this.#nextOrderId, session.nextOrderId);
  }

  ended(cause: IbError): void {
    this.#session.abort(cause);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#counters.lost += pending.length;
    for (const { name, isOrder, reject } of pending) reject(lostUnder(name, isOrder, cause));
  }

  /**
   * Whether anybody here had to do with it. What is complete goes at once: the next answer may be part of the same
   * piece of data, and one without an id is for the next who asked.
   */
  hear(event: string, args: readonly unknown[]): boolean {
    if (event === 'nextValidId') this.#nextOrderId = Math.max(this.#nextOrderId, Number(args[0]));
    if (event === 'error') return this.#hearError(args);
    const pending = WITH_ID.has(event) ? this.#pending.get(Number(args[0])) : this.#oldest(event);
    const take = pending?.events[event];
    if (pending === undefined || take === undefined) {
      if (Number(args[0]) >= FIRST_REQUEST_ID && Number(args[0]) <= this.#lastId) this.#counters.late++;
      return false;
    }
    const complete = take(args);
    if (complete !== null) {
      this.#pending.delete(pending.id);
      pending.resolve(complete.value);
    }
    return true;
  }

  #hearError([text, code, id]: readonly unknown[]): boolean {
    const pending = this.#pending.get(Number(id));
    if (pending === undefined) return false;
    const answer = pending.errorAnswer(Number(code));
    if (answer === null && isNotice(Number(code))) return true;
    this.#pending.delete(pending.id);
    if (answer !== null) pending.resolve(answer.value);
    else pending.reject(requestError(Number(code), String(text), pending.name));
    return true;
  }

  #oldest(event: string): Pending | undefined {
    for (const pending of this.#pending.values()) {
      if (pending.anonymous && event in pending.events) return pending;
    }
    return undefined;
  }

  /** Allocates little: this is the path of every request. */
  #send<T>(question: Question<T>, limit: TimeLimit): Promise<T> {
    const { name, idempotent, anonymous = false, cancel, finish, errorAnswer = noAnswer } = question;
    const session = this.#session.signal;
    const id = question.id ?? this.nextId();
    return new Promise<T>((resolve, reject) => {
      let sent: Sent | null = null;
      let wasSent = false;
      let isOver = false;
      let queue: AbortController | null = null;
      let stopWatching = ignore;
      const end = (isAnswered: boolean): void => {
        isOver = true;
        limit.pause();
        limit.onOver = null;
        stopWatching();
        this.#pending.delete(id);
        sent?.over();
        if (!wasSent) queue?.abort();
        else if (!session.aborted) {
          if (isAnswered && finish !== undefined) this.tell(finish(id));
          else if (!isAnswered && cancel !== null) this.tell(cancel(id));
        }
      };
      const pending: Pending = {
        id,
        name,
        isOrder: !idempotent,
        anonymous,
        errorAnswer,
        events: question.answer().events,
        resolve(value) {
          if (isOver) return;
          end(true);
          resolve(value as T);
        },
        reject(error) {
          if (isOver) return;
          end(false);
          reject(error);
        },
      };
      limit.onOver = pending.reject;
      const transmit = (): void | Promise<void> => {
        wasSent = true;
        limit.run();
        // Before the message goes, since the library may know at once that it is of no use.
        this.#pending.set(id, pending);
        return this.#supervisor.call(...question.send(id));
      };
      const beforeWaiting = (): AbortSignal => {
        queue = new AbortController();
        stopWatching = onAbort(session, () => {
          const error = lostUnder(name, false, session.reason as IbError);
          this.#unsent.add(error);
          pending.reject(error);
        });
        return queue.signal;
      };
      this.#pacer.send(question.paced, transmit, beforeWaiting).then(
        (done) => {
          sent = done;
          // It may have been answered, or given up, while it was being sent.
          if (isOver) done.over();
        },
        (error: unknown) => pending.reject(asError(error)),
      );
    });
  }
}

function noAnswer(): null {
  return null;
}

/** The time that a request has, which stands still while it waits for the pacing, and the signal of its caller. */
class TimeLimit {
  /** Called once when the time is up, or the caller has aborted. */
  onOver: ((error: Error) => void) | null = null;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #timeoutMs: number;
  #leftMs: number;
  #timer: Timer | null = null;
  #runningSince = 0;
  #error: Error | null = null;
  readonly #stopWatching: () => void;

  constructor(clock: Clock, name: string, timeoutMs: number, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#name = name;
    this.#timeoutMs = timeoutMs;
    this.#leftMs = timeoutMs;
    this.#stopWatching =
      signal === undefined ? ignore : onAbort(signal, () => this.#over(asError(signal.reason)));
    if (signal?.aborted) this.#error = asError(signal.reason);
  }

  check(): void {
    if (this.#error !== null) throw this.#error;
  }

  race<T>(work: Promise<T>): Promise<T> {
    this.run();
    return new Promise<T>((resolve, reject) => {
      this.onOver = reject;
      work.then(resolve, reject);
    }).finally(() => this.pause());
  }

  pause(): void {
    if (this.#timer === null) return;
    this.#timer.cancel();
    this.#timer = null;
    this.#leftMs -= this.#clock.now() - this.#runningSince;
  }

  run(): void {
    if (this.#timer !== null || this.#error !== null) return;
    this.#runningSince = this.#clock.now();
    this.#timer = this.#clock.setTimer(() => {
      const text = `${this.#name}: no answer within ${Math.round(this.#timeoutMs)} ms`;
      this.#over(new IbError('ERR_IB_TIMEOUT', text));
    }, this.#leftMs);
  }

  end(): void {
    this.#timer?.cancel();
    this.#stopWatching();
  }

  #over(error: Error): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#timer?.cancel();
    this.onOver?.(error);
  }
}

function lostUnder(name: string, isOrder: boolean, cause: IbError): IbError {
  return new IbError(
    cause.code === 'ERR_IB_CLOSED' ? 'ERR_IB_CLOSED' : 'ERR_IB_CONNECTION_LOST',
    `${name}: ${cause.message}`,
    {
      cause,
      ...(isOrder ? { hint: 'it may have reached the market or not: ask for the open orders first' } : {}),
    },
  );
}

function notSent(name: string, state: string): IbError {
  return new IbError('ERR_IB_CONNECTION_LOST', `${name}: not sent, the connection is ${state}`);
}

import { onAbort } from '../base/abort.js';
import { backoffMs } from '../base/backoff.js';
import type { Clock } from '../base/clock.js';
import { asError, ignore } from '../base/promises.js';
import type { Random } from '../base/random.js';
import type { RequestCounters } from '../snapshot/broker.js';
import type { CodeSubject, CodeVerdict } from './code-types.js';
import type { CodeTable } from './codes.js';
import { IbError, requestError } from './errors.js';
import type { Session } from './handshake.js';
import type { Paced, Pacer, Sent } from './pacing.js';
import type { Supervisor } from './supervisor.js';
import { TimeLimit } from './time-limit.js';

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
  /** The subject that codes of the gateway may be about. */
  readonly subject: CodeSubject;
  readonly paced: Paced;
  readonly timeoutMs: number;
  readonly send: (id: number) => readonly [method: string, args: readonly unknown[]];
  /** Cancels the request at the gateway; null if that is not possible, or not needed. */
  readonly cancel: ((id: number) => readonly [method: string, args: readonly unknown[]]) | null;
  /** Told after the request was sent, and had its answer: what the gateway would else go on sending is ended. */
  readonly finish?: (id: number) => readonly [method: string, args: readonly unknown[]];
  /** The id of the request, where that is not up to us: of an order that is tried out. */
  readonly id?: number;
  /** false: not sent again. Default true, for reads. */
  readonly repeats?: boolean;
  /**
   * The events of the answer; those that carry the id of the request, unless `anonymous`. A new set for each time it
   * is sent, since a drop may come in the middle of an answer.
   */
  readonly answer: () => Answer<T>;
  /** Its answers do not carry an id: the oldest of the kind is given them. */
  readonly anonymous?: boolean;
}

/** Takes the events of an answer; gives `{ value }` when it is complete, null while it is not; throws if it is no answer. */
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
/** IB wants 15 seconds between requests for history that are too many, and a second's rest after 100. */
const REST_MS = { 'paced history': 15_000, paced: 1000 } as const;
/** The gateway may have dropped messages of the second before a 100. */
const SUSPECT_MS = 1000;
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
  'execDetails',
  'execDetailsEnd',
]);

/** Why a read that failed may be sent again. */
type Again = 'unsent' | 'lost' | 'restored' | keyof typeof REST_MS;

interface Pending {
  readonly id: number;
  readonly name: string;
  readonly subject: CodeSubject;
  readonly events: Readonly<Record<string, (args: readonly unknown[]) => { readonly value: unknown } | null>>;
  readonly anonymous: boolean;
  readonly sentAt: number;
  /** Part of its answer is here. */
  touched: boolean;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface AskOptions extends RequestOptions {
  /** Asked on our own account: not in the figures. Default false. */
  readonly ours?: boolean;
}

/** The requests of one connection. Ids are never used twice, so an answer that comes late finds nobody. */
export class Requests {
  readonly #supervisor: Supervisor;
  readonly #pacer: Pacer;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #codes: CodeTable;
  readonly #pending = new Map<number, Pending>();
  readonly #counters = { asked: 0, answered: 0, failed: 0, timedOut: 0, lost: 0, retried: 0, late: 0 };
  #lastId = FIRST_REQUEST_ID;
  #ours = 0;
  readonly #again = new WeakMap<Error, Again>();
  /** Aborts with the session: what waits for the pacing must not be sent in the next. */
  #session = new AbortController();

  constructor(
    supervisor: Supervisor,
    { pacer, clock, random, codes }: { pacer: Pacer; clock: Clock; random: Random; codes: CodeTable },
  ) {
    this.#supervisor = supervisor;
    this.#pacer = pacer;
    this.#clock = clock;
    this.#random = random;
    this.#codes = codes;
  }

  get counters(): RequestCounters {
    return { ...this.#counters };
  }

  /** Requests that were sent, and have no answer as yet. */
  get inFlight(): number {
    return this.#pending.size - this.#ours;
  }

  /** Counts what is not asked here: orders. */
  count(what: keyof RequestCounters): void {
    this.#counters[what]++;
  }

  nextId(): number {
    return ++this.#lastId;
  }

  /** Aborts when the session is lost. */
  get sessionSignal(): AbortSignal {
    return this.#session.signal;
  }

  async ask<T>(question: Question<T>, options: AskOptions = {}): Promise<T> {
    const { ours = false, signal } = options;
    const { repeats = true } = question;
    if (!ours) this.#counters.asked++;
    const limit = new TimeLimit(this.#clock, question.name, options.timeoutMs ?? question.timeoutMs, signal);
    try {
      for (let lost = 0, paced = 0; ; ) {
        limit.check();
        if (this.#supervisor.state.kind !== 'ready') await limit.race(this.#supervisor.ready());
        try {
          const answer = await this.#send(question, limit, ours);
          if (!ours) this.#counters.answered++;
          return answer;
        } catch (error) {
          const again = repeats ? this.#again.get(error as Error) : undefined;
          switch (again) {
            case undefined:
              throw error;
            case 'unsent':
              // It takes its place in the queue anew.
              continue;
            case 'lost':
              if (++lost > RETRIES) throw error;
              break;
            case 'restored':
              break;
            case 'paced':
            case 'paced history':
              if (++paced > RETRIES) throw error;
              await limit.wait(this.#rest(again, paced), this.#session.signal);
              break;
          }
          if (!ours) this.#counters.retried++;
        }
      }
    } catch (error) {
      if (!ours) this.#counters[isTimeout(error) ? 'timedOut' : 'failed']++;
      throw error;
    } finally {
      limit.end();
    }
  }

  /** How long a request waits after a refusal for pacing; all others that share the pacing slow down with it. */
  #rest(again: keyof typeof REST_MS, attempt: number): number {
    const baseMs = REST_MS[again];
    this.#pacer.backOff?.(again === 'paced' ? 'all' : 'history', baseMs);
    // At least the base, and a random part, so that not all come back at once.
    return baseMs + backoffMs(attempt - 1, { baseMs, capMs: 4 * baseMs }, this.#random);
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

  began(): void {
    this.#session = new AbortController();
  }

  ended(cause: IbError): void {
    this.#session.abort(cause);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#counters.lost += pending.length - this.#ours;
    for (const one of pending) one.reject(this.#marked('lost', lostUnder(one.name, cause)));
  }

  /** The gateway is back at IB's servers. What it was to ask of them it may have dropped, so reads are sent again. */
  restored(): void {
    for (const one of [...this.#pending.values()]) {
      if (one.anonymous) continue;
      const text = `${one.name}: the gateway lost its connection to IB before it answered`;
      one.reject(this.#marked('restored', new IbError('ERR_IB_CONNECTION_LOST', text)));
    }
  }

  /**
   * Whether anybody here had to do with it. What is complete goes at once: the next answer may be part of the same
   * piece of data, and one without an id is for the next who asked.
   */
  hear(event: string, args: readonly unknown[]): boolean {
    if (event === 'error') return this.#hearError(args);
    const pending = WITH_ID.has(event) ? this.#pending.get(Number(args[0])) : this.#without(event, args);
    const take = pending?.events[event];
    if (pending === undefined || take === undefined) {
      if (Number(args[0]) >= FIRST_REQUEST_ID && Number(args[0]) <= this.#lastId) this.#counters.late++;
      return false;
    }
    pending.touched = true;
    let complete: { readonly value: unknown } | null;
    try {
      complete = take(args);
    } catch (error) {
      pending.reject(asError(error));
      return true;
    }
    if (complete !== null) {
      this.#pending.delete(pending.id);
      pending.resolve(complete.value);
    }
    return true;
  }

  /** A message that belongs to no id: it may still refuse a request that has none. */
  hearInfo(code: number, text: string): void {
    const verdict = this.#codes.classify(code, text);
    if (verdict.class === 'pacing') this.#exceeded(code, text, verdict);
    if (verdict.class !== 'refusal') return;
    const open = [...this.#pending.values()].filter(
      ({ anonymous, subject }) => anonymous && subject !== 'connection',
    );
    const subject = SUBJECT_OF_ERROR[verdict.error];
    const meant = open.filter((one) => one.subject === subject);
    // The message does not say which it refuses: where the text does not either, none of them has an answer.
    for (const one of meant.length > 0 ? meant : open)
      one.reject(requestError(code, text, one.name, verdict));
  }

  /** The gateway drops messages: what was sent just now, and has no answer, is asked again after a rest. */
  #exceeded(code: number, text: string, verdict: CodeVerdict): void {
    this.#pacer.backOff?.('all', REST_MS.paced);
    // A warning that the limit is near drops nothing.
    if (code !== 100) return;
    const since = this.#clock.now() - SUSPECT_MS;
    for (const one of [...this.#pending.values()]) {
      if (one.sentAt < since || one.touched) continue;
      one.reject(this.#marked('paced', requestError(code, text, one.name, verdict)));
    }
  }

  #marked(again: Again, error: IbError): IbError {
    if (error.code !== 'ERR_IB_CLOSED') this.#again.set(error, again);
    return error;
  }

  #hearError([text, ibCode, id]: readonly unknown[]): boolean {
    const code = Number(ibCode);
    // The library's own errors have no id, and most are about the socket.
    if (Number(id) === -1 && code === UPDATE_TWS) this.hearInfo(code, String(text));
    const pending = this.#pending.get(Number(id));
    if (pending === undefined) return false;
    const verdict = this.#codes.classify(code, String(text), [pending.subject]);
    switch (verdict.class) {
      case 'notice':
      case 'advisory':
      case 'connection':
        return true;
      case 'pacing': {
        const error = requestError(code, String(text), pending.name, verdict);
        pending.reject(
          this.#marked(error.code === 'ERR_IB_HISTORY_PACING' ? 'paced history' : 'paced', error),
        );
        return true;
      }
      case 'refusal':
      case 'ended':
      case 'fatal':
      case 'unknown':
        pending.reject(requestError(code, String(text), pending.name, verdict));
        return true;
    }
  }

  /** An event that belongs to no request, unless it has the id of an order that is tried out. */
  #without(event: string, [id]: readonly unknown[]): Pending | undefined {
    const own = this.#pending.get(Number(id));
    if (own !== undefined && !own.anonymous && event in own.events) return own;
    for (const pending of this.#pending.values()) {
      // A commission follows its execution, and has no id of a request.
      if ((pending.anonymous || event === 'commissionReport') && event in pending.events) return pending;
    }
    return undefined;
  }

  /** Allocates little: this is the path of every request. */
  #send<T>(question: Question<T>, limit: TimeLimit, ours: boolean): Promise<T> {
    const { name, subject, anonymous = false, cancel, finish } = question;
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
        if (wasSent && ours) this.#ours--;
        this.#pending.delete(id);
        sent?.over();
        if (!wasSent) queue?.abort();
        else if (!session.aborted) {
          if (isAnswered && finish !== undefined) this.tell(finish(id));
          else if (!isAnswered && cancel !== null) this.tell(cancel(id));
        }
      };
      const settle = {
        resolve(value: unknown): void {
          if (isOver) return;
          end(true);
          resolve(value as T);
        },
        reject(error: Error): void {
          if (isOver) return;
          end(false);
          reject(error);
        },
      };
      limit.onOver = settle.reject;
      const transmit = (): void | Promise<void> => {
        stopWatching();
        stopWatching = ignore;
        wasSent = true;
        if (ours) this.#ours++;
        limit.run();
        const { events } = question.answer();
        const sentAt = this.#clock.now();
        // Before the message goes, since the library may know at once that it is of no use.
        this.#pending.set(id, { id, name, subject, events, anonymous, sentAt, touched: false, ...settle });
        return this.#supervisor.call(...question.send(id));
      };
      const beforeWaiting = (): AbortSignal => {
        queue = new AbortController();
        stopWatching = onAbort(session, () => {
          settle.reject(this.#marked('unsent', lostUnder(name, session.reason as IbError)));
        });
        return queue.signal;
      };
      this.#pacer.send(question.paced, transmit, beforeWaiting).then(
        (done) => {
          sent = done;
          // It may have been answered, or given up, while it was being sent.
          if (isOver) done.over();
        },
        (error: unknown) => settle.reject(asError(error)),
      );
    });
  }
}

/** 503: the library cannot send this to a gateway of that version. */
const UPDATE_TWS = 503;

/** The subject of a refusal without an id, where its error shows it. */
const SUBJECT_OF_ERROR: Partial<Record<IbError['code'], CodeSubject>> = {
  ERR_IB_READ_ONLY: 'orders',
  ERR_IB_ACCOUNT: 'account',
};

function isTimeout(error: unknown): boolean {
  return error instanceof IbError && error.code === 'ERR_IB_TIMEOUT';
}

function lostUnder(name: string, cause: IbError): IbError {
  const code = cause.code === 'ERR_IB_CLOSED' ? 'ERR_IB_CLOSED' : 'ERR_IB_CONNECTION_LOST';
  return new IbError(code, `${name}: ${cause.message}`, { cause });
}

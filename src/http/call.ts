import { Readable } from 'node:stream';
import type { Timer } from '../base/clock.js';
import type { Emitter } from '../base/emitter.js';
import { Turnstile } from '../base/turnstile.js';
import type { RetryCause } from '../snapshot/http.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import type { Bagged } from './bag.js';
import { closedBefore, isReplayable, isWhole, sourceError } from './body.js';
import type { Outcome } from './breaker.js';
import type { RawHeader, RequestParts, ResponseHandler } from './connection.js';
import type { Connections } from './connections.js';
import {
  CircuitOpenError,
  type HttpError,
  HttpPoolTimeoutError,
  HttpStatusError,
  HttpTimeoutError,
} from './errors.js';
import type { HttpEvents } from './events.js';
import { failureOf, NotProcessedError } from './failure.js';
import type { HttpSettings, HttpTimeouts } from './options.js';
import type { Origin, PooledConnection, Waiter, WaiterOutcome } from './origin.js';
import { causeOf, type RetryBudget, type RetrySettings, retryAfterMs, retryWaitMs } from './retry.js';
import type { HttpCounts, HttpTiming } from './stats.js';

/** The part of a pool that a call uses. */
export interface CallHost {
  readonly settings: HttpSettings;
  readonly connections: Connections;
  readonly counts: HttpCounts;
  readonly events: Emitter<HttpEvents>;
  readonly budget: RetryBudget;
  ended(call: Call): void;
}

/** One request, as its caller has it, whatever attempts it takes. */
export interface CallRequest {
  readonly origin: Origin;
  readonly parts: RequestParts;
  readonly timeouts: HttpTimeouts;
  /** null: no retries. */
  readonly retry: RetrySettings | null;
  /** Whether it may be sent twice whatever its method is. */
  readonly hasIdempotencyKey: boolean;
  /** Filled in as it goes. */
  readonly timing: HttpTiming;
  readonly onAcquired: (() => void) | null;
}

/** The body of a response that is not used is read to the end up to this, so that the connection can be. */
const MOST_DISCARDED = 131_072;

/**
 * A request from the call to the end of its body: deadline, then circuit breaker, then retries, then rate limit and
 * connection, then the sending. The breaker sees each attempt; between attempts the call holds nothing.
 */
export class Call implements AttemptOwner, Bagged, WaiterOutcome {
  place = -1;
  readonly #host: CallHost;
  readonly #request: CallRequest;
  readonly #outer: ResponseHandler;
  readonly #startedAt: number;
  #deadlineAt = Number.POSITIVE_INFINITY;
  #deadline: Timer | null = null;
  #over = false;
  /** The response is with the caller: there is no way back. */
  #forwarded = false;
  #retries = 0;
  /** Kept connections that were found closed, one after the other. */
  #stale = 0;
  /** It has had a connection that turned out to take no more requests. */
  #bounced = false;
  #lastError: HttpError | null = null;
  #admission: { probe: boolean } | null = null;

  // Its state: waiting for its turn, for a connection or for the next attempt, or being sent.
  /** The way to leave the queue for the rate limit. */
  #leaveGate: (() => void) | null = null;
  #waiter: Waiter | null = null;
  #timer: Timer | null = null;
  #attempt: Attempt | null = null;
  /** The attempt whose response is not used, until its body is over. */
  #discarded = 0;
  #waitSince = 0;
  /** The wait before the present attempt, in milliseconds. */
  #lastWaitMs = 0;

  constructor(host: CallHost, request: CallRequest, outer: ResponseHandler) {
    this.#host = host;
    this.#request = request;
    this.#outer = outer;
    this.#startedAt = host.settings.clock.now();
  }

  begin(): void {
    const { counts, budget, settings } = this.#host;
    const { totalMs } = this.#request.timeouts;
    counts.requests++;
    budget.note();
    this.#outer.onConnect((reason) => this.abort(reason), null);
    if (this.#over) return;
    const { body } = this.#request.parts;
    // It may fail before anybody reads it, which would end the process.
    if (body instanceof Readable) {
      body.on('error', (cause) => this.fail(sourceError(cause)));
      // undici would send an empty body.
      if (body.destroyed) {
        this.fail(sourceError(closedBefore(body)));
        return;
      }
    }
    if (totalMs !== null) {
      this.#deadlineAt = this.#startedAt + totalMs;
      this.#deadline = settings.clock.setTimer(() => this.#tooLate(totalMs), totalMs);
    }
    this.#try();
  }

  /** The caller gives it up. */
  abort(reason: Error | undefined): void {
    if (this.#over) return;
    this.#host.counts.aborted++;
    this.#stop(reason ?? new DOMException('the request was aborted', 'AbortError'));
  }

  /** Nothing of it is under way. */
  get isWaiting(): boolean {
    return this.#attempt === null;
  }

  /** The pool gives it up. */
  fail(error: HttpError): void {
    if (this.#over) return;
    this.#host.counts.failed++;
    this.#stop(error);
  }

  // One attempt, up to its connection

  #try(): void {
    const { origin } = this.#request;
    this.#request.timing.attempts++;
    if (origin.breaker !== null) {
      this.#admission = origin.breaker.admit();
      if (this.#admission === null) {
        this.fail(this.#circuitOpen());
        return;
      }
    }
    const { gate } = origin;
    if (gate !== null && !gate.tryPass()) {
      this.#waitSince = this.#host.settings.clock.now();
      this.#leaveGate = gate.enter(() => {
        this.#leaveGate = null;
        this.#timer?.cancel();
        this.#connect();
      });
      const { poolMs } = this.#request.timeouts;
      if (this.#leaveGate !== null && poolMs !== null)
        this.#timer = this.#host.settings.clock.setTimer(() => this.#noPlace('rate'), poolMs);
      return;
    }
    this.#connect();
  }

  #connect(): void {
    const { connections, counts, settings } = this.#host;
    const { origin, timeouts } = this.#request;
    const once = !this.#mayRepeat;
    const connection = connections.take(origin, once, this.#bounced);
    if (connection !== null) {
      if (this.#waitSince === 0) {
        counts.wait.record(0);
        this.#lastWaitMs = 0;
      } else this.#waited();
      this.#send(connection);
      return;
    }
    let leftMs = timeouts.poolMs;
    if (this.#waitSince === 0) this.#waitSince = settings.clock.now();
    else if (leftMs !== null) leftMs = Math.max(0, leftMs - (settings.clock.now() - this.#waitSince));
    const demand = { once, deadlineAt: this.#deadlineAt, again: this.#bounced };
    this.#waiter = connections.wait(origin, leftMs, demand, this);
  }

  granted(connection: PooledConnection): void {
    this.#waiter = null;
    this.#waited();
    this.#send(connection);
  }

  failed(error: HttpError): void;
  failed(attempt: Attempt, error: Error): void;
  failed(one: HttpError | Attempt, error?: Error): void {
    if (one instanceof Attempt) this.#attemptFailed(one, error ?? new Error('unknown'));
    else {
      this.#waiter = null;
      this.#waited();
      if (one instanceof HttpTimeoutError) this.#countTimeout(one);
      this.#settle('failure');
      this.#afterFailure(one, causeOf(one, false, false), false);
    }
  }

  timedOut(): void {
    this.#waiter = null;
    this.#noPlace('connections');
  }

  hopeless(): void {
    const { settings } = this.#host;
    const { origin, timeouts } = this.#request;
    const limitMs = timeouts.totalMs ?? 0;
    const waitedMs = Math.round(settings.clock.now() - this.#waitSince);
    this.#waiter = null;
    this.#waited();
    const error = new HttpTimeoutError(
      'total',
      limitMs,
      `the request to ${origin.key} was not sent: it waited ${waitedMs} of its ${limitMs} ms for a connection, and an answer takes about ${Math.round(origin.serviceMs ?? 0)} ms`,
    );
    this.#countTimeout(error);
    this.#settle('nothing');
    this.fail(error);
  }

  #noPlace(lacking: 'connections' | 'rate'): void {
    const { connections, counts, settings, events } = this.#host;
    const { origin } = this.#request;
    const waitedMs = Math.round(settings.clock.now() - this.#waitSince);
    this.#waited();
    const error = new HttpPoolTimeoutError({
      pool: settings.name,
      origin: origin.key,
      waitedMs,
      lacking,
      maxConnections: Math.min(settings.maxConnections, origin.sizer?.size ?? settings.maxConnections),
      active: connections.active,
      queued: lacking === 'rate' ? (origin.gate?.waiting ?? 1) : connections.waiting + 1,
      opening: connections.dialling,
    });
    counts.timeouts.pool++;
    events.emit('poolTimeout', { error });
    // It is our own congestion, and says nothing of the server.
    this.#settle('nothing');
    this.fail(error);
  }

  #waited(): void {
    const ms = this.#host.settings.clock.now() - this.#waitSince;
    this.#waitSince = 0;
    this.#request.timing.waitedMs += ms;
    this.#lastWaitMs = ms;
    this.#host.counts.wait.recordMs(ms);
  }

  #send(connection: PooledConnection): void {
    const { connections, counts } = this.#host;
    const { parts, timeouts, timing, onAcquired } = this.#request;
    const attempt = new Attempt(counts.acquired, parts, connection, this, timeouts, counts);
    this.#attempt = attempt;
    timing.reused = attempt.reused;
    timing.connectMs = attempt.reused ? null : connection.wire.connectMs;
    timing.tlsMs = attempt.reused ? null : connection.wire.tlsMs;
    if (attempt.reused) counts.reused++;
    connections.begin(connection, attempt);
    connection.origin.sizer?.began(this.#lastWaitMs);
    onAcquired?.();
    connection.wire.dispatch(parts, attempt);
  }

  // The response that comes back

  headers(
    attempt: Attempt,
    statusCode: number,
    rawHeaders: readonly RawHeader[],
    resume: () => void,
    statusText: string,
  ): boolean | undefined {
    if (attempt !== this.#attempt) return true;
    if (statusCode < 200) return this.#outer.onHeaders(statusCode, rawHeaders, resume, statusText);
    const { timing, retry } = this.#request;
    if (statusCode === 429) this.#pauseOrigin(rawHeaders);
    if (statusCode === 429 || statusCode === 503) this.#host.connections.overloaded(this.#request.origin);
    timing.ttfbMs = (attempt.headersAt ?? 0) - attempt.startedAt;
    if (this.#admission !== null)
      this.#settle(statusCode >= 500 ? 'failure' : statusCode === 429 ? 'nothing' : 'success');
    if (retry?.statuses.has(statusCode) && this.#retryStatus(attempt, retry, statusCode, rawHeaders))
      return true;
    this.#forwarded = true;
    this.#outer.onResponseStarted?.();
    return this.#outer.onHeaders(statusCode, rawHeaders, resume, statusText);
  }

  data(attempt: Attempt, chunk: Buffer): boolean {
    if (attempt === this.#attempt) return this.#outer.onData(chunk);
    this.#discarded += chunk.byteLength;
    if (this.#discarded > MOST_DISCARDED) attempt.abort(NOT_USED);
    return true;
  }

  completed(attempt: Attempt, now: number, rawTrailers: readonly RawHeader[] | null): void {
    if (attempt !== this.#attempt) return;
    const { timing } = this.#request;
    timing.bodyMs = now - (attempt.headersAt ?? now);
    timing.totalMs = now - this.#startedAt;
    this.#host.counts.succeeded++;
    this.#attempt = null;
    this.#finish();
    this.#outer.onComplete(rawTrailers);
  }

  over(attempt: Attempt): void {
    this.#host.connections.release(attempt.connection, attempt);
  }

  /** Whether a response with a status of the list is put aside for another attempt. */
  #retryStatus(
    attempt: Attempt,
    retry: RetrySettings,
    statusCode: number,
    rawHeaders: readonly RawHeader[],
  ): boolean {
    const { settings } = this.#host;
    const capped = retry.respectRetryAfter ? this.#retryAfterMs(rawHeaders) : null;
    const wasProcessed = !NOT_PROCESSED.has(statusCode) && !(statusCode === 408 && attempt.mayCrossFarewell);
    if (!this.#mayRepeat && (wasProcessed || !isWhole(this.#request.parts.body))) return false;
    const exhausted = this.#retries >= retry.total;
    const waitMs = capped ?? retryWaitMs(this.#retries + 1, retry, settings.random);
    if (exhausted || !this.#mayTryAgain('status', waitMs, retry)) {
      if (!retry.raiseOnStatus) return false;
      this.fail(new HttpStatusError(this.#request.origin.key, statusCode, this.#request.timing.attempts));
      return true;
    }
    this.#attempt = null;
    this.#discarded = 0;
    this.#tryAgain('status', waitMs, attempt);
    return true;
  }

  /** The wait that the server asks for, cut at the limit of the pool; null if it says nothing. */
  #retryAfterMs(rawHeaders: readonly RawHeader[]): number | null {
    const { clock, retry } = this.#host.settings;
    const said = retryAfterMs(headerOf(rawHeaders, 'retry-after'), clock.wallTime());
    const mostMs = (this.#request.retry ?? retry)?.retryAfterMaxMs ?? MOST_PAUSE_MS;
    return said === null ? null : Math.min(said, mostMs);
  }

  /** It is the client that has asked too often, not this request: all to this origin have to wait. */
  #pauseOrigin(rawHeaders: readonly RawHeader[]): void {
    const { clock } = this.#host.settings;
    const { origin, retry } = this.#request;
    const pauseMs = retry?.respectRetryAfter === false ? null : this.#retryAfterMs(rawHeaders);
    if (pauseMs === null || pauseMs === 0) return;
    origin.gate ??= new Turnstile(clock, []);
    origin.gate.pause(pauseMs);
  }

  #attemptFailed(attempt: Attempt, thrown: Error): void {
    if (attempt !== this.#attempt) return;
    this.#attempt = null;
    const { origin } = this.#request;
    const error = failureOf(origin.key, thrown, attempt.headersAt !== null);
    if (error instanceof HttpTimeoutError) {
      this.#countTimeout(error);
      attempt.connection.wire.suspect();
      this.#host.connections.overloaded(origin);
    }
    const cause = causeOf(error, attempt.sent, attempt.maybeStale);
    if (cause === 'stale' && attempt.maybeStale)
      this.#host.connections.sawIdleClose(attempt.connection, attempt.startedAt);
    if (this.#forwarded) {
      // The headers have been counted; that the body broke counts as well.
      if (cause !== null && origin.breaker !== null) origin.breaker.settle({ probe: false }, 'failure');
      this.#end(error);
      return;
    }
    const isOurs = cause === 'stale' || OURS.has(error.code);
    this.#settle(isOurs ? 'nothing' : 'failure');
    const { cause: why } = error;
    if (why instanceof NotProcessedError && why.elsewhere && isWhole(this.#request.parts.body)) {
      attempt.connection.requests--;
      this.#tryElsewhere();
    } else this.#afterFailure(error, cause, attempt.sent);
  }

  // Again, or not

  /** Whether it may be sent although it may have been received. */
  get #mayRepeat(): boolean {
    const { retry, parts, hasIdempotencyKey } = this.#request;
    return (
      retry !== null && (hasIdempotencyKey || retry.methods.has(parts.method)) && isReplayable(parts.body)
    );
  }

  #afterFailure(error: HttpError, cause: RetryCause | null, sent: boolean): void {
    const { retry } = this.#request;
    const { settings, connections } = this.#host;
    this.#lastError = error;
    const hasBody = isWhole(this.#request.parts.body);
    if (hasBody && !sent && cause === 'stale' && this.#stale <= settings.maxConnections + connections.open) {
      this.#stale++;
      this.#tryElsewhere();
      return;
    }
    if (
      !hasBody ||
      retry === null ||
      cause === null ||
      (sent && !this.#mayRepeat) ||
      this.#retries >= retry.total
    ) {
      this.#end(error);
      return;
    }
    // Another connection is likely to be good: there is nothing to wait for, once.
    const atOnce = cause === 'stale' && this.#stale++ === 0;
    const waitMs = atOnce ? 0 : retryWaitMs(this.#retries + 1, retry, settings.random);
    if (this.#mayTryAgain(cause, waitMs, retry)) this.#tryAgain(cause, waitMs, null);
    else this.#end(error);
  }

  /** Nothing has happened but that a connection took no more requests: that is no retry. */
  #tryElsewhere(): void {
    this.#bounced = true;
    this.#request.timing.attempts--;
    this.#try();
  }

  #mayTryAgain(cause: RetryCause, waitMs: number, retry: RetrySettings): boolean {
    const { settings, budget, counts, events } = this.#host;
    const { origin, parts } = this.#request;
    if (settings.clock.now() + waitMs >= this.#deadlineAt) return false;
    if (origin.breaker?.wouldAdmit === false) return false;
    if (cause === 'stale' || budget.take(retry)) return true;
    counts.retriesDenied++;
    events.emit('retryDenied', { origin: origin.key, method: parts.method, cause });
    return false;
  }

  #tryAgain(cause: RetryCause, waitMs: number, discarded: Attempt | null): void {
    const { settings, counts, events } = this.#host;
    const { origin, parts, timing } = this.#request;
    this.#retries++;
    counts.retries[cause]++;
    timing.backoffMs += waitMs;
    events.emit('retry', {
      origin: origin.key,
      method: parts.method,
      cause,
      attempt: timing.attempts,
      waitMs,
    });
    // A response that is put aside keeps its connection until it is over: by then a free one may do.
    if (waitMs === 0 && discarded === null) this.#try();
    else
      this.#timer = settings.clock.setTimer(() => {
        this.#timer = null;
        this.#try();
      }, waitMs);
  }

  // The end

  #tooLate(limitMs: number): void {
    const error = new HttpTimeoutError(
      'total',
      limitMs,
      `the request to ${this.#request.origin.key} was not over within ${limitMs} ms, after ${this.#request.timing.attempts} attempts`,
    );
    this.#countTimeout(error);
    // A server that has the request and says nothing has failed; to wait for a connection is our own matter.
    if (this.#attempt?.sent) this.#settle('failure');
    this.fail(error);
  }

  /** Leaves wherever it stands. */
  #stop(reason: Error): void {
    const { connections } = this.#host;
    this.#leaveGate?.();
    if (this.#waiter !== null) connections.leave(this.#waiter);
    if (this.#leaveGate !== null || this.#waiter !== null) this.#waited();
    const attempt = this.#attempt;
    this.#attempt = null;
    this.#settle('nothing');
    this.#finish();
    attempt?.abort(reason);
    this.#outer.onError(reason);
  }

  #end(error: HttpError): void {
    if (this.#over) return;
    this.#host.counts.failed++;
    this.#finish();
    this.#outer.onError(error);
  }

  #finish(): void {
    this.#over = true;
    this.#deadline?.cancel();
    this.#timer?.cancel();
    this.#host.ended(this);
  }

  #settle(outcome: Outcome): void {
    if (this.#admission === null) return;
    this.#request.origin.breaker?.settle(this.#admission, outcome);
    this.#admission = null;
  }

  #countTimeout(error: HttpTimeoutError): void {
    this.#host.counts.timeouts[error.phase]++;
    this.#host.events.emit('timeout', { origin: this.#request.origin.key, error });
  }

  #circuitOpen(): CircuitOpenError {
    const { settings, counts, events } = this.#host;
    const { origin } = this.#request;
    const inMs = Math.max(0, (origin.breaker?.retryAt ?? 0) - settings.clock.now());
    const error = new CircuitOpenError(origin.key, settings.clock.wallTime() + inMs, inMs, this.#lastError);
    counts.circuitRefused++;
    events.emit('circuitOpen', { error });
    return error;
  }
}

/** Failures that say nothing of the server's health. */
const OURS: ReadonlySet<string> = new Set(['ERR_HTTP_OPTION', 'ERR_HTTP_SOURCE', 'ERR_HTTP_TOO_LARGE']);
/**
 * Statuses by which a server says that it has done nothing: 421 Misdirected Request, and 425 Too Early (RFC 8470). So does
 * 408 on a connection that was idle: the server had stopped waiting before the request came (RFC 9110, 15.5.9).
 */
const NOT_PROCESSED: ReadonlySet<number> = new Set([421, 425]);
/** Retries, and with them their limit, are turned off. */
const MOST_PAUSE_MS = 60_000;
const NOT_USED = new Error('the response is not used');

function headerOf(rawHeaders: readonly RawHeader[], name: string): string | null {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const key = rawHeaders[at];
    if (key instanceof Uint8Array && key.length === name.length && key.toString().toLowerCase() === name) {
      const value = rawHeaders[at + 1];
      return String(Array.isArray(value) ? value[0] : value);
    }
  }
  return null;
}

import type { CloseReason } from '../snapshot/http.js';
import type { RawHeader, RequestParts, ResponseHandler, Sending } from './connection.js';
import { HttpError, HttpTimeoutError } from './errors.js';
import { NotProcessedError } from './failure.js';
import type { HttpTimeouts } from './options.js';
import type { PooledConnection, Watched } from './origin.js';
import type { HttpCounts } from './stats.js';

/** Bodies beyond this may take the kernel more than one go. */
const LARGE_BODY = 65_536;

/** An attempt that is given up when nothing has come for so long says that the connection may be dead. */
const SUSPICIOUS_MS = 1000;

/** The news that an idle connection was closed is never so long under way. */
const RACE_MS = 1000;

/** The owner of the attempt; it hears one of `failed` and `completed`, once. */
export interface AttemptOwner {
  /** As `onHeaders` of a ResponseHandler. */
  headers(
    attempt: Attempt,
    statusCode: number,
    rawHeaders: readonly RawHeader[],
    resume: () => void,
    statusText: string,
  ): boolean | undefined;
  data(attempt: Attempt, chunk: Buffer): boolean;
  completed(attempt: Attempt, now: number, rawTrailers: readonly RawHeader[] | null): void;
  failed(attempt: Attempt, error: Error): void;
  /** It is at its end, the parser perhaps not quite. */
  over(attempt: Attempt): void;
}

/** One sending of a request on one connection, with its timeouts. */
export class Attempt implements ResponseHandler, Watched {
  readonly connection: PooledConnection;
  readonly request: RequestParts;
  readonly id: number;
  /** Whether the connection had carried a request before. */
  readonly reused: boolean;
  /** Whether the server may have closed the connection while it was idle. */
  readonly #wasIdle: boolean;
  /** By the clock. */
  readonly startedAt: number;
  deadlineAt = Number.POSITIVE_INFINITY;
  place = -1;
  /** Whether any of it may have reached the server. */
  sent = false;
  /** By the clock; null before. */
  headersAt: number | null = null;
  wentWell = false;
  readonly #owner: AttemptOwner;
  readonly #timeouts: HttpTimeouts;
  readonly #counts: HttpCounts;
  #abort: ((reason?: Error) => void) | null = null;
  /** The reason why it was given up; its own failure is not reported then. */
  #given: Error | null = null;
  #sending: Sending | null = null;
  #written = false;
  #paused = false;
  #over = false;
  #stopWatching: (() => void) | null = null;

  constructor(
    id: number,
    request: RequestParts,
    connection: PooledConnection,
    owner: AttemptOwner,
    timeouts: HttpTimeouts,
    counts: HttpCounts,
  ) {
    this.id = id;
    this.request = request;
    this.connection = connection;
    this.reused = connection.requests > 0;
    this.#wasIdle = connection.mayBeStale;
    this.startedAt = connection.clock.now();
    this.#owner = owner;
    this.#timeouts = timeouts;
    this.#counts = counts;
  }

  /** Whether the server may have closed the connection, when it was idle, just as this was sent. */
  get maybeStale(): boolean {
    return this.#wasIdle && this.headersAt === null && this.connection.clock.now() - this.startedAt < RACE_MS;
  }

  /**
   * Whether an answer may be the server's farewell to an idle connection, which this request has crossed on its way
   * (HAProxy sends 408 then).
   */
  get mayCrossFarewell(): boolean {
    return this.#wasIdle && this.headersAt !== null && this.headersAt - this.startedAt < RACE_MS;
  }

  /** Gives it up; the owner gets `failed` with this reason. */
  abort(reason: Error): void {
    if (this.#over) return;
    this.#given ??= reason;
    const { wire, clock } = this.connection;
    const why = closeReasonOf(reason);
    wire.givenUp(why);
    const isSilent = this.headersAt === null && clock.now() - this.startedAt >= SUSPICIOUS_MS;
    if (this.#abort !== null) this.#abort(reason);
    else {
      // It has not left the queue of its connection yet, and must not later.
      wire.destroy(why);
    }
    if (isSilent) wire.suspect();
  }

  onConnect(abort: (reason?: Error) => void, sending?: object | null): void {
    this.sent = true;
    // Requests that share a connection are ended one by one.
    this.#sending = (sending ?? this.connection.wire) as Sending;
    this.#abort = abort;
    this.#counts.sent++;
    if (this.#given !== null) abort(this.#given);
  }

  onBodySent(chunk: unknown): void {
    const { writeMs } = this.#timeouts;
    if (writeMs === null || this.#stopWatching !== null || this.#over || this.#sending === null) return;
    if (!this.#sending.unflushed && lengthOf(chunk) < LARGE_BODY) return;
    this.#stopWatching = this.#sending.watchWrites(writeMs, () => this.#timeOut('write', writeMs));
  }

  onRequestSent(): void {
    if (this.#over) return;
    this.#written = true;
    if (this.headersAt === null) this.#expectData(this.connection.clock.now());
  }

  onHeaders(
    statusCode: number,
    rawHeaders: readonly RawHeader[],
    resume: () => void,
    statusText: string,
  ): boolean | undefined {
    const now = this.connection.clock.now();
    if (statusCode >= 200) {
      this.headersAt = now;
      this.wentWell = statusCode < 500 && statusCode !== 429;
      this.#counts.ttfb.recordMs(now - this.startedAt);
      if (this.#written) this.#stopWrites();
    }
    this.#counts.status(statusCode);
    this.#expectData(now);
    const more = this.#owner.headers(this, statusCode, rawHeaders, () => this.#resume(resume), statusText);
    if (more === false) this.#pause();
    return more;
  }

  onData(chunk: Buffer): boolean {
    this.#expectData(this.connection.clock.now());
    const more = this.#owner.data(this, chunk);
    if (more === false) this.#pause();
    return more;
  }

  onComplete(rawTrailers: readonly RawHeader[] | null): void {
    if (this.#over) return;
    const now = this.connection.clock.now();
    if (this.headersAt !== null) this.#counts.body.recordMs(now - this.headersAt);
    this.#end(now);
    this.#owner.completed(this, now, rawTrailers);
  }

  onError(error: Error): void {
    if (this.#over) return;
    if (error instanceof NotProcessedError) this.sent = false;
    this.wentWell = false;
    this.#end(this.connection.clock.now());
    this.#owner.failed(this, this.#given ?? error);
  }

  overdue(): void {
    const { readMs, writeMs } = this.#timeouts;
    // The kernel does not take what was written: the peer does not read.
    if (this.headersAt === null && this.#sending?.unflushed && writeMs !== null)
      this.#timeOut('write', writeMs);
    else if (readMs !== null) this.#timeOut('read', readMs);
  }

  #timeOut(phase: 'read' | 'write', limitMs: number): void {
    if (this.#over) return;
    const { key } = this.connection.origin;
    const message =
      phase === 'write'
        ? `${key} has taken nothing of the request for ${limitMs} ms`
        : this.headersAt === null
          ? `${key} has not answered within ${limitMs} ms`
          : `${key} has sent nothing more of the body for ${limitMs} ms`;
    this.abort(new HttpTimeoutError(phase, limitMs, message));
  }

  #expectData(now: number): void {
    const { readMs } = this.#timeouts;
    if (readMs === null || this.#paused) return;
    this.connection.watch(this, now + readMs, now);
  }

  /** Nobody reads: the silence is ours. */
  #pause(): void {
    this.#paused = true;
    this.deadlineAt = Number.POSITIVE_INFINITY;
  }

  #resume(resume: () => void): void {
    if (this.#over) return;
    this.#paused = false;
    this.#expectData(this.connection.clock.now());
    resume();
  }

  #stopWrites(): void {
    this.#stopWatching?.();
    this.#stopWatching = null;
  }

  #end(now: number): void {
    this.#over = true;
    this.#stopWrites();
    this.#counts.hold.recordMs(now - this.startedAt);
    this.#counts.released++;
    this.#owner.over(this);
  }
}

function closeReasonOf(reason: Error): CloseReason {
  if (reason instanceof HttpTimeoutError) return 'timeout';
  return reason instanceof HttpError && reason.code === 'ERR_HTTP_CLOSED' ? 'shutdown' : 'aborted';
}

function lengthOf(chunk: unknown): number {
  return typeof chunk === 'string' ? chunk.length : ((chunk as Uint8Array | null)?.byteLength ?? 0);
}

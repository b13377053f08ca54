import { CodedError, type CodedErrorOptions } from '../base/coded-error.js';

/** The stable codes of what can go wrong with a request. */
export type HttpErrorCode =
  /** An option of the pool, or an argument of a request, is wrong; nothing was sent. */
  | 'ERR_HTTP_OPTION'
  /** No connection became free in time, or the rate limit had no place. An HttpPoolTimeoutError. Nothing was sent. */
  | 'ERR_HTTP_POOL_TIMEOUT'
  /** Connecting, sending, the answer, or all of it took too long. An HttpTimeoutError. */
  | 'ERR_HTTP_TIMEOUT'
  /** The connection could not be opened. Nothing was sent. */
  | 'ERR_HTTP_CONNECT'
  /** The proxy refused to open a way to the origin. Nothing was sent. */
  | 'ERR_HTTP_PROXY'
  /** The certificate is not accepted, or the peer does not speak TLS. Nothing was sent. */
  | 'ERR_HTTP_TLS'
  /** The connection broke while the request was under way. */
  | 'ERR_HTTP_LOST'
  /** The body of the request could not be read; what it threw is the cause. */
  | 'ERR_HTTP_SOURCE'
  /** The peer does not speak HTTP, or breaks its rules. */
  | 'ERR_HTTP_PROTOCOL'
  /** The headers or the body of the response are larger than allowed. */
  | 'ERR_HTTP_TOO_LARGE'
  /** The origin has failed too often; it is not asked for a while. A CircuitOpenError. Nothing was sent. */
  | 'ERR_HTTP_CIRCUIT_OPEN'
  /** All retries ended with a status of the list, and `raiseOnStatus` is set. An HttpStatusError. */
  | 'ERR_HTTP_STATUS'
  /** The pool is closed. */
  | 'ERR_HTTP_CLOSED';

/** A failed request; the error of the network or the library is its `cause`. */
export class HttpError extends CodedError<HttpErrorCode> {
  constructor(code: HttpErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(code, message, { kind: code === 'ERR_HTTP_OPTION' ? 'usage' : 'unavailable', ...options });
    this.name = 'HttpError';
  }
}

/**
 * The phase in which a request ran out of time: opening a connection, without a byte of the answer, without the kernel taking
 * a byte of the request, or in all. Waiting for a connection gives an HttpPoolTimeoutError.
 */
export type TimeoutPhase = 'connect' | 'read' | 'write' | 'total';

export class HttpTimeoutError extends HttpError {
  readonly phase: TimeoutPhase;
  /** The limit, in milliseconds. */
  readonly limitMs: number;

  constructor(phase: TimeoutPhase, limitMs: number, message: string) {
    super('ERR_HTTP_TIMEOUT', message);
    this.name = 'HttpTimeoutError';
    this.phase = phase;
    this.limitMs = limitMs;
  }
}

/** The figures of a pool that had no connection in time. */
export interface PoolTimeoutFacts {
  readonly pool: string;
  readonly origin: string;
  /** In whole milliseconds. */
  readonly waitedMs: number;
  /** The resource that was missing: connections, or places in the rate limit. */
  readonly lacking: 'connections' | 'rate';
  readonly maxConnections: number;
  /** Requests under way, to all origins. */
  readonly active: number;
  /** Requests that wait, this one included. */
  readonly queued: number;
  readonly opening: number;
}

/** Waiting for a connection took too long: congestion of our own. Nothing was sent. */
export class HttpPoolTimeoutError extends HttpError {
  readonly facts: PoolTimeoutFacts;

  constructor(facts: PoolTimeoutFacts) {
    const { pool, origin, waitedMs, lacking, maxConnections, active, queued, opening } = facts;
    const figures = `${active} active on at most ${maxConnections} connections, ${opening} opening, ${queued} waiting`;
    super(
      'ERR_HTTP_POOL_TIMEOUT',
      lacking === 'connections'
        ? `no connection of pool '${pool}' was free for ${origin} within ${waitedMs} ms: ${figures}`
        : `the rate limit of pool '${pool}' had no place for ${origin} within ${waitedMs} ms: ${queued} waiting`,
      {
        hint:
          lacking === 'connections'
            ? 'bodies that are not read keep their connection; else raise maxConnections, or send less at once'
            : 'send less, or raise rateLimit if the server allows it',
      },
    );
    this.name = 'HttpPoolTimeoutError';
    this.facts = facts;
  }
}

/** The circuit of an origin is open: it has failed too often, and is left alone until `retryAt`. */
export class CircuitOpenError extends HttpError {
  readonly origin: string;
  /** When it will be tried again, in milliseconds since the epoch. */
  readonly retryAt: number;

  constructor(origin: string, retryAt: number, inMs: number, cause: Error | null) {
    super(
      'ERR_HTTP_CIRCUIT_OPEN',
      `${origin} is not asked now, since it has failed too often: the next try is in ${Math.max(0, Math.ceil(inMs))} ms`,
      cause === null ? {} : { cause },
    );
    this.name = 'CircuitOpenError';
    this.origin = origin;
    this.retryAt = retryAt;
  }
}

/** With `raiseOnStatus`: retries have not helped, the server still says this. */
export class HttpStatusError extends HttpError {
  readonly statusCode: number;
  readonly attempts: number;

  constructor(origin: string, statusCode: number, attempts: number) {
    super(
      'ERR_HTTP_STATUS',
      `${origin} still answers with ${statusCode} after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`,
    );
    this.name = 'HttpStatusError';
    this.statusCode = statusCode;
    this.attempts = attempts;
  }
}

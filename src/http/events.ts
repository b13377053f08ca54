import type { EmitterEvents } from '../base/emitter.js';
import type { BreakerState } from './breaker.js';
import type { CircuitOpenError, HttpError, HttpPoolTimeoutError, HttpTimeoutError } from './errors.js';
import type { RetryCause } from './retry.js';

export type Protocol = 'h1' | 'h2';

/**
 * Why a connection was closed.
 * - `expiry`: idle for too long, by our limit or the server's hint.
 * - `maxIdle`: more were idle than are kept.
 * - `maxLifetime`: too old.
 * - `evicted`: idle, and another origin needed its place.
 * - `server`: the server closed it, or said that it would.
 * - `aborted`: the caller gave up a response, or did not want all of it.
 * - `timeout`: an answer, or the taking of a request, took too long.
 * - `error`: it broke.
 * - `shutdown`: the pool was closed.
 */
export type CloseReason =
  | 'expiry'
  | 'maxIdle'
  | 'maxLifetime'
  | 'evicted'
  | 'server'
  | 'aborted'
  | 'timeout'
  | 'error'
  | 'shutdown';

/** What an HTTP pool tells its listeners. Durations are in milliseconds. */
export interface HttpEvents extends EmitterEvents {
  open: { connectionId: number; origin: string; protocol: Protocol; tookMs: number };
  connectFailed: { origin: string; error: HttpError };
  close: { connectionId: number; origin: string; reason: CloseReason; requests: number };
  /** An attempt has failed, and there will be another one. `attempt` is the number of the one that failed. */
  retry: { origin: string; method: string; cause: RetryCause; attempt: number; waitMs: number };
  /** There would have been another attempt, had the budget for retries not been used up. */
  retryDenied: { origin: string; method: string; cause: RetryCause };
  poolTimeout: { error: HttpPoolTimeoutError };
  timeout: { origin: string; error: HttpTimeoutError };
  breaker: { origin: string; from: BreakerState; to: BreakerState };
  circuitOpen: { error: CircuitOpenError };
}

export type HttpEventName = keyof HttpEvents;

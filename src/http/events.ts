import type { EmitterEvents } from '../base/emitter.js';
import type { BreakerState, CloseReason, Protocol, RetryCause } from '../snapshot/http.js';
import type { CircuitOpenError, HttpError, HttpPoolTimeoutError, HttpTimeoutError } from './errors.js';

/** The events of an HTTP pool, with what listeners receive. Durations are in milliseconds. */
export interface HttpEvents extends EmitterEvents {
  open: { connectionId: number; origin: string; protocol: Protocol; tookMs: number };
  connectFailed: { origin: string; error: HttpError };
  /**
   * A server closes kept connections so long after an answer without saying so. Requests that must not be sent twice
   * have connections of their own from then on, or only those that are idle for less.
   */
  closesIdle: { origin: string; afterMs: number };
  /** A connection that was idle was checked before it is used again; one without an answer is closed. */
  healthCheck: { connectionId: number; origin: string; isAlive: boolean; tookMs: number };
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

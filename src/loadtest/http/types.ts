import type { BreakerState, CloseReason, CountedPhase, RetryCause } from '../../snapshot/http.js';
import type { Distribution } from '../distribution.js';

/** Figures that only a load over HTTP has. Counted from the beginning of the measurement to its end. */
export interface HttpLoad {
  /** The sender of the requests. */
  readonly engine: 'pool' | 'autocannon';
  /** Responses that iterations ended with, retries apart; the most frequent first. */
  readonly statuses: readonly StatusCount[];
  /** Bytes of their bodies; with autocannon all that came, headers included. */
  readonly bytes: number;
  /** null with another engine than the pool. */
  readonly pool: HttpPoolLoad | null;
  /** null with another engine than autocannon. */
  readonly autocannon: AutocannonFigures | null;
}

export interface StatusCount {
  readonly status: number;
  readonly count: number;
}

/** How an HTTP pool is configured, beyond what all pools have. */
export interface HttpPoolInfo {
  readonly maxKeepalive: number;
  readonly keepaliveExpiryMs: number;
  /** Retries of one request; null: none. */
  readonly retries: number | null;
  readonly breaker: boolean;
  readonly http2: boolean;
}

export interface HttpPoolLoad {
  /** Each iteration has opened a connection of its own. */
  readonly unpooled: boolean;
  /** Attempts that were sent: iterations and their retries. */
  readonly sent: number;
  /** Attempts on a connection that had been used before, a share of 1; null if there was none. */
  readonly reuseRatio: number | null;
  readonly retried: Readonly<Record<RetryCause, number>>;
  /** Retries that the budget did not allow. */
  readonly retriesDenied: number;
  readonly timeouts: Readonly<Record<CountedPhase, number>>;
  readonly closed: Readonly<Record<CloseReason, number>>;
  /** Requests that were not sent since the circuit was open. */
  readonly circuitRefused: number;
  /** In which state the circuit was when the measurement began; null without a breaker. */
  readonly breakerBefore: BreakerState | null;
  /** The first so many. */
  readonly transitions: readonly BreakerTransition[];
  readonly transitionsInAll: number;
  /** Times of iterations that got a response: opening a connection, where one was opened, and TLS within that. */
  readonly connect: Distribution;
  readonly tls: Distribution;
  /** From sending to the first byte of the answer. */
  readonly firstByte: Distribution;
}

export interface BreakerTransition {
  /** From the beginning of the measurement. */
  readonly atMs: number;
  readonly from: BreakerState;
  readonly to: BreakerState;
}

/** Figures of autocannon for the same run, beside our own. */
export interface AutocannonFigures {
  readonly connections: number;
  readonly completed: number;
  readonly requestsPerSecond: number;
  /** Connections that broke, and requests that took too long. */
  readonly errors: number;
  readonly timeouts: number;
}

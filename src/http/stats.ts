import { Histogram, type HistogramSnapshot } from '../base/histogram.js';
import type { WatchedSnapshot } from '../pool/stats.js';
import type { BreakerState } from './breaker.js';
import type { CloseReason, Protocol } from './events.js';
import type { RetryCause } from './retry.js';

/** How long the parts of one request took, in milliseconds. What was not measured, or has not been yet, is null. */
export interface HttpTiming {
  /** For a connection and for a place in the rate limit, over all attempts; opening a connection included. */
  waitedMs: number;
  /** Between attempts. */
  backoffMs: number;
  /** Opening the connection of the last attempt; null if it was used before. */
  connectMs: number | null;
  tlsMs: number | null;
  /** From sending the last attempt to its headers. */
  ttfbMs: number | null;
  /** From the headers to the end of the body. */
  bodyMs: number | null;
  /** From the call to the end of the body. */
  totalMs: number | null;
  /** Whether the connection of the last attempt had been used before; null before there was one. */
  reused: boolean | null;
  attempts: number;
}

export interface OriginSnapshot {
  readonly origin: string;
  /** null before the first connection. */
  readonly protocol: Protocol | null;
  readonly connections: number;
  readonly idle: number;
  readonly connecting: number;
  /** Requests under way. */
  readonly active: number;
  readonly waiting: number;
  /** Requests that wait for the rate limit; null without one. */
  readonly rateWaiting: number | null;
  /** null without a breaker. */
  readonly breaker: BreakerState | null;
  /** When an open circuit is tried again, in milliseconds since the epoch; null while it is not open. */
  readonly retryAt: number | null;
  /** Of the calls that the breaker has seen lately, a share of 1; null while there are none. */
  readonly failureShare: number | null;
}

/** The figures of an HTTP pool beyond the snapshot that all pools have in common. */
export interface HttpFigures {
  readonly origins: readonly OriginSnapshot[];
  /** Requests that were begun, retries apart. */
  readonly requests: number;
  /** Requests that have ended with a response. */
  readonly succeeded: number;
  /** Requests that have ended with an error, those that the caller has aborted apart. */
  readonly failed: number;
  readonly aborted: number;
  /** Attempts that were sent. */
  readonly sent: number;
  /** Requests under way on a connection. */
  readonly active: number;
  /** Responses by the first digit of their status, those that were tried again included. */
  readonly statuses: { readonly [Class in StatusClass]: number };
  /** Attempts on a connection that had been used before, a share of 1; null before the first attempt. */
  readonly reuseRatio: number | null;
  readonly retries: { readonly [Cause in RetryCause]: number };
  /** Retries that the budget did not allow. */
  readonly retriesDenied: number;
  readonly timeouts: { readonly [Phase in CountedPhase]: number };
  readonly closed: { readonly [Reason in CloseReason]: number };
  /** Requests that were not sent since the circuit was open, and how often circuits have opened and closed. */
  readonly circuitRefused: number;
  readonly circuitOpened: number;
  readonly circuitClosed: number;
  readonly phases: {
    /** For a connection, opening it included. */
    readonly wait: HistogramSnapshot;
    readonly connect: HistogramSnapshot;
    readonly tls: HistogramSnapshot;
    readonly ttfb: HistogramSnapshot;
    readonly body: HistogramSnapshot;
  };
}

export type StatusClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx';
export type CountedPhase = 'pool' | 'connect' | 'read' | 'write' | 'total';

/**
 * Of the common fields, `live`, `idle` and `inUse` count connections, and `waiting` requests. A holder is a request
 * under way; its `lastSql` is the method and the path, without the query.
 */
export interface HttpSnapshot extends WatchedSnapshot {
  readonly http: HttpFigures;
}

/** What a pool counts. */
export class HttpCounts {
  requests = 0;
  succeeded = 0;
  failed = 0;
  aborted = 0;
  acquired = 0;
  sent = 0;
  reused = 0;
  released = 0;
  waited = 0;
  created = 0;
  createFailed = 0;
  peakWaiting = 0;
  peakInUse = 0;
  retriesDenied = 0;
  circuitRefused = 0;
  circuitOpened = 0;
  circuitClosed = 0;
  connectError: string | null = null;
  readonly statuses = { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 };
  readonly retries = { connect: 0, stale: 0, lost: 0, timeout: 0, status: 0 };
  readonly timeouts = { pool: 0, connect: 0, read: 0, write: 0, total: 0 };
  readonly closed = {
    expiry: 0,
    maxIdle: 0,
    maxLifetime: 0,
    evicted: 0,
    server: 0,
    aborted: 0,
    timeout: 0,
    error: 0,
    shutdown: 0,
  };
  readonly wait = new Histogram();
  readonly hold = new Histogram();
  readonly connect = new Histogram();
  readonly tls = new Histogram();
  readonly ttfb = new Histogram();
  readonly body = new Histogram();

  status(code: number): void {
    if (code >= 500) this.statuses['5xx']++;
    else if (code >= 400) this.statuses['4xx']++;
    else if (code >= 300) this.statuses['3xx']++;
    else if (code >= 200) this.statuses['2xx']++;
    else this.statuses['1xx']++;
  }
}

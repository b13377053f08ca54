import { Histogram } from '../base/histogram.js';

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

/** The counters of a pool. */
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

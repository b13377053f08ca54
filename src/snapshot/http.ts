import { counter, gauge } from './metric.js';
import { histogram, poolFields } from './pool.js';
import {
  count,
  figure,
  list,
  type Made,
  metered,
  meteredBy,
  object,
  optional,
  orNull,
  type Read,
  tally,
  text,
  told,
  word,
} from './schema.js';
import { sizing } from './sizing.js';

/** Prefix of the metrics that only HTTP pools have. */
export const HTTP_PREFIX = 'poolctl_http_';

const PROTOCOLS = ['h1', 'h2'] as const;
const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;
const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;
/**
 * Why an attempt is retried. `stale`: the server closed a kept connection at the moment of its reuse, which reveals
 * nothing about the health of the server.
 */
const RETRY_CAUSES = ['connect', 'stale', 'lost', 'timeout', 'status'] as const;
const COUNTED_PHASES = ['pool', 'connect', 'read', 'write', 'total'] as const;
/**
 * Why a connection was closed.
 * - `expiry`: idle for too long, by our limit or the server's hint.
 * - `maxIdle`: more were idle than are kept.
 * - `maxLifetime`: too old.
 * - `evicted`: idle, and another origin needed its place.
 * - `server`: the server closed it, or announced that it would.
 * - `aborted`: the caller gave up a response, or did not want all of it.
 * - `timeout`: an answer, or the taking of a request, took too long.
 * - `error`: it broke.
 * - `shutdown`: the pool was closed.
 */
const CLOSE_REASONS = [
  'expiry',
  'maxIdle',
  'maxLifetime',
  'evicted',
  'server',
  'aborted',
  'timeout',
  'error',
  'shutdown',
] as const;

/** An origin to which the pool has connections. */
export const httpOrigin = object({
  origin: text,
  /** null before the first connection. */
  protocol: orNull(word(PROTOCOLS)),
  connections: told(count),
  idle: told(count),
  connecting: told(count),
  /** Requests in progress. */
  active: told(count),
  waiting: count,
  /** Requests that wait for the rate limit; null without one. */
  rateWaiting: orNull(count),
  /** null without a breaker. */
  breaker: orNull(word(BREAKER_STATES)),
  /** When an open circuit is tried again, in milliseconds since the epoch; null while it is not open. */
  retryAt: orNull(figure),
  /**
   * How soon after an answer the server closes a kept connection without saying so, in milliseconds; null if it has not
   * been seen to do that lately. Requests that must not be sent twice have new connections then.
   */
  closesIdleAfterMs: orNull(figure),
  /** Share of failed calls among those that the breaker has seen lately, from 0 to 1; null while there are none. */
  failureShare: orNull(figure),
  /** The requests that may be in progress at once. Absent where their number is fixed. */
  sizing: optional(sizing),
});

/** The figures of an HTTP pool beyond those that all pools have. Counts since it was made. */
export const httpFigures = object({
  origins: list(httpOrigin),
  /** Requests begun, not counting retries. */
  requests: metered(counter('requests', 'Requests, retries apart.'), count),
  /** Requests that ended with a response. */
  succeeded: told(count),
  /** Requests that ended with an error, except those that the caller aborted. */
  failed: metered(counter('failed', 'Requests that ended with an error.'), count),
  aborted: told(count),
  /** Attempts that were sent. */
  sent: metered(counter('attempts', 'Attempts that were sent, retries among them.'), count),
  /** Requests in progress on a connection. */
  active: told(count),
  /** Responses by the first digit of their status, including those that were retried. */
  statuses: told(tally(STATUS_CLASSES)),
  /** Share of attempts on a connection that had been used before, from 0 to 1; null before the first attempt. */
  reuseRatio: metered(
    gauge('reuse_ratio', 'count', 'Attempts on a connection that had been used before, as a share of 1.', {
      together: 'max',
    }),
    orNull(figure),
  ),
  /** Connections by the reason for closing them. */
  closed: meteredBy('reason', counter('closed', 'Connections closed, by why.'), tally(CLOSE_REASONS)),
  retries: meteredBy('cause', counter('retries', 'Retries, by cause.'), tally(RETRY_CAUSES)),
  /** Retries that the budget did not allow. */
  retriesDenied: told(count),
  timeouts: meteredBy('phase', counter('timeouts', 'Timeouts, by phase.'), tally(COUNTED_PHASES)),
  /** Requests that were not sent because the circuit was open. */
  circuitRefused: told(count),
  circuitOpened: told(count),
  circuitClosed: told(count),
  phases: told(
    object({
      /** For a connection, including opening it. */
      wait: told(histogram),
      connect: told(histogram),
      tls: told(histogram),
      ttfb: told(histogram),
      body: told(histogram),
    }),
  ),
});

/** A pool of HTTP connections. */
export const httpPool = object({ ...poolFields, http: httpFigures });

export type Protocol = (typeof PROTOCOLS)[number];
export type BreakerState = (typeof BREAKER_STATES)[number];
export type StatusClass = (typeof STATUS_CLASSES)[number];
export type RetryCause = (typeof RETRY_CAUSES)[number];
export type CountedPhase = (typeof COUNTED_PHASES)[number];
export type CloseReason = (typeof CLOSE_REASONS)[number];

export interface OriginSnapshot extends Made<typeof httpOrigin> {}

/** The figures of an HTTP pool beyond the snapshot that all pools have in common. */
export interface HttpFigures extends Made<typeof httpFigures> {}

/**
 * Meaning of the common fields: `live`, `idle` and `inUse` count connections, and `waiting` requests. A holder is a request
 * in progress; its `lastSql` is the method and the path, without the query.
 */
export interface HttpSnapshot extends Made<typeof httpPool> {}

/** The figures of an HTTP pool as read from any version. */
export interface HttpReading extends Read<typeof httpFigures> {}

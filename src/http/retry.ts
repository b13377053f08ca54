import { backoffMs } from '../base/backoff.js';
import type { Clock } from '../base/clock.js';
import type { OptionShape } from '../base/option-shape.js';
import type { Random } from '../base/random.js';
import { RollingCounter } from '../base/rolling-counter.js';
import type { RetryCause } from '../snapshot/http.js';
import { HttpError, HttpTimeoutError } from './errors.js';
import { NotProcessedError } from './failure.js';

/** As urllib3's Retry has them; durations are in milliseconds where the name says so. */
export interface RetryOptions {
  /** Retries of one request, whatever their causes. Default 3. */
  readonly total?: number;
  /** The n-th retry waits up to this many seconds x 2^(n-1), at random. Default 0.5. */
  readonly backoffFactor?: number;
  /** No wait is longer, but for Retry-After. Default 20 s. */
  readonly backoffMaxMs?: number;
  /**
   * Statuses that are tried again. Default 408, 421, 425, 429, 500, 502, 503, 504. With 421 and 425 the server says that it
   * has not processed the request, which is tried again whatever its method is, if its body is still there.
   */
  readonly statuses?: readonly number[];
  /**
   * Methods that may be sent twice. Any other is only tried again if its request has provably not been sent, or has an
   * idempotency key. Default GET, HEAD, OPTIONS, PUT, DELETE, TRACE.
   */
  readonly methods?: readonly string[];
  /** Whether the server may say how long to wait. Default true. */
  readonly respectRetryAfter?: boolean;
  /** The wait that the server asks for is cut to this. Default 60 s. */
  readonly retryAfterMaxMs?: number;
  /** Throw an HttpStatusError in place of returning the last response when retries have not helped. Default false. */
  readonly raiseOnStatus?: boolean;
  /** Retries in 10 s, as a share of the requests: an outage must not multiply the load. Default 0.1. */
  readonly budgetShare?: number;
  /** Retries in 10 s that are allowed however few requests there are. Default 10. */
  readonly budgetMin?: number;
}

export const RETRY_SHAPE = {
  total: 'number',
  backoffFactor: 'number',
  backoffMaxMs: 'number',
  statuses: 'any',
  methods: 'any',
  respectRetryAfter: 'boolean',
  retryAfterMaxMs: 'number',
  raiseOnStatus: 'boolean',
  budgetShare: 'number',
  budgetMin: 'number',
} as const satisfies OptionShape & Record<keyof RetryOptions, unknown>;

export interface RetrySettings extends Required<Omit<RetryOptions, 'statuses' | 'methods'>> {
  readonly statuses: ReadonlySet<number>;
  readonly methods: ReadonlySet<string>;
}

/** Throws an HttpError with ERR_HTTP_OPTION. */
export function resolveRetry(options: RetryOptions): RetrySettings {
  const settings: RetrySettings = {
    total: 3,
    backoffFactor: 0.5,
    backoffMaxMs: 20_000,
    respectRetryAfter: true,
    retryAfterMaxMs: 60_000,
    raiseOnStatus: false,
    budgetShare: 0.1,
    budgetMin: 10,
    ...options,
    statuses: new Set(options.statuses ?? [408, 421, 425, 429, 500, 502, 503, 504]),
    methods: new Set(
      (options.methods ?? ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']).map((method) =>
        method.toUpperCase(),
      ),
    ),
  };
  for (const name of ['total', 'backoffFactor', 'backoffMaxMs', 'retryAfterMaxMs', 'budgetMin'] as const) {
    if (!(settings[name] >= 0))
      throw new HttpError('ERR_HTTP_OPTION', `retry: ${name} is ${settings[name]}; it must be 0 or more`);
  }
  if (!(settings.budgetShare >= 0 && settings.budgetShare <= 1))
    throw new HttpError('ERR_HTTP_OPTION', 'retry: budgetShare must be from 0 to 1');
  return settings;
}

/** The cause for which a failed attempt may be repeated; null where another try would end the same way, or is not ours. */
export function causeOf(error: Error, sent: boolean, maybeStale: boolean): RetryCause | null {
  if (!(error instanceof HttpError)) return null;
  switch (error.code) {
    case 'ERR_HTTP_CONNECT':
      return isUnknownHost(error.cause) ? null : 'connect';
    case 'ERR_HTTP_TIMEOUT':
      if (!(error instanceof HttpTimeoutError) || error.phase === 'total') return null;
      return error.phase === 'connect' ? 'connect' : 'timeout';
    case 'ERR_HTTP_LOST':
      // A server that refuses a stream, and keeps the connection, has too much to do.
      if (error.cause instanceof NotProcessedError) return error.cause.elsewhere ? 'stale' : 'lost';
      return maybeStale || !sent ? 'stale' : 'lost';
    default:
      return null;
  }
}

function isUnknownHost(cause: unknown): boolean {
  return (cause as { code?: unknown } | null | undefined)?.code === 'ENOTFOUND';
}

/** The wait before a retry, which counts from 1: full jitter, see base/backoff.ts. */
export function retryWaitMs(
  retry: number,
  { backoffFactor, backoffMaxMs }: RetrySettings,
  random: Random,
): number {
  return backoffMs(retry - 1, { baseMs: backoffFactor * 1000, capMs: backoffMaxMs }, random);
}

/** Retry-After as milliseconds from now: whole seconds, or an HTTP date. null where it is neither. */
export function retryAfterMs(header: string | null, wallNowMs: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // Date.parse takes much more than dates of HTTP: `-5`, say, for a year.
  if (!/^[A-Za-z]{3}/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - wallNowMs);
}

const BUDGET_MS = 10_000;

/** How many retries there may be: a share of the requests of the last ten seconds. */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #requests = new RollingCounter(BUDGET_MS);
  readonly #retries = new RollingCounter(BUDGET_MS);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A request begins. */
  note(): void {
    this.#requests.add(this.#clock.now());
  }

  /** Takes a retry out of the budget, if there is one. */
  take({ budgetShare, budgetMin }: RetrySettings): boolean {
    const now = this.#clock.now();
    const most = Math.max(budgetMin, this.#requests.total(now) * budgetShare);
    if (this.#retries.total(now) >= most) return false;
    this.#retries.add(now);
    return true;
  }
}

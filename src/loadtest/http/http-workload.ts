import { onAbort } from '../../base/abort.js';
import { type Clock, systemClock } from '../../base/clock.js';
import { Histogram } from '../../base/histogram.js';
import { createHttpPool, type HttpBody, type HttpPool, type HttpResponse } from '../../http/http-pool.js';
import type { HttpPoolOptions } from '../../http/options.js';
import type { BreakerState, HttpFigures } from '../../snapshot/http.js';
import type { Probe, Workload, WorkloadContext, WorkloadRun } from '../api.js';
import { distributionOf } from '../distribution.js';
import type { WorkloadDescription } from '../result.js';
import { StatusError } from './status-error.js';
import type { BreakerTransition, HttpLoad, HttpPoolInfo } from './types.js';

/** The request that is repeated. */
export interface HttpWork {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
}

export interface HttpWorkloadOptions {
  readonly work: HttpWork;
  readonly pool: HttpPoolOptions;
  /** Names where the pool's settings came from, for the report. Default null. */
  readonly profile?: string | null;
  /** Each request opens a connection of its own, which is closed after it. Default false. */
  readonly unpooled?: boolean;
  readonly clock?: Clock;
  /** Told of the pool as soon as there is one. */
  readonly onOpen?: (pool: HttpPool) => void;
}

/** Without a pool nothing bounds the connections but the load itself. */
const UNPOOLED_CONNECTIONS = 100_000;
const TRANSITIONS_KEPT = 20;
/** Sent once before the load, to see who is there. */
const HARMLESS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Iterations that send one request through our HTTP pool, and read its response to the end. */
export function httpWorkload(options: HttpWorkloadOptions): Workload {
  const { work, unpooled = false, clock = systemClock } = options;
  return {
    name: 'http',
    async open(context) {
      const pool = createHttpPool({
        ...options.pool,
        // Over HTTP/2 all would share one.
        ...(unpooled ? { maxConnections: UNPOOLED_CONNECTIONS, maxKeepalive: 0, http2: 'off' as const } : {}),
        clock,
      });
      const run = new HttpRun(pool, options, clock, context);
      try {
        options.onOpen?.(pool);
        await tryOnce(pool, work, context.stop);
        return run;
      } catch (error) {
        await pool.close({ graceMs: 0 });
        throw error;
      }
    },
  };
}

/** Rejects where nobody answers at `work.url`, or what answers is no HTTP server. */
export async function seeWhoIsThere(
  work: HttpWork,
  options: HttpPoolOptions,
  stop: AbortSignal,
): Promise<void> {
  await using pool = createHttpPool(options);
  await tryOnce(pool, work, stop);
}

/**
 * One request before the load, without retries: what cannot be reached at all is no result, whatever status it answers
 * with is one. What may change something is not sent for that.
 */
async function tryOnce(pool: HttpPool, { url, method, headers }: HttpWork, stop: AbortSignal): Promise<void> {
  if (!HARMLESS.has(method)) return;
  const response = await pool.request(url, { method, headers, retry: false, signal: stop });
  response.body.on('error', () => {}).destroy();
}

/** The target without what may be secret: a query may hold a key. */
export function targetWords({ url }: HttpWork): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname}${search === '' ? '' : '?...'}`;
}

class HttpRun implements WorkloadRun {
  readonly description: WorkloadDescription;
  readonly pool: NonNullable<WorkloadRun['pool']>;
  readonly #pool: HttpPool;
  readonly #work: HttpWork;
  readonly #unpooled: boolean;
  readonly #clock: Clock;
  readonly #context: WorkloadContext;
  readonly #statuses = new Map<number, number>();
  readonly #connect = new Histogram();
  readonly #tls = new Histogram();
  readonly #firstByte = new Histogram();
  readonly #transitions: BreakerTransition[] = [];
  readonly #stopListening: () => void;
  readonly #stopWatching: () => void;
  #begun: HttpFigures;
  #begunAt: number;
  #breakerBefore: BreakerState | null = null;
  #acquiredBefore = 0;
  #transitionsInAll = 0;
  #bytes = 0;
  #epoch = 0;

  constructor(pool: HttpPool, options: HttpWorkloadOptions, clock: Clock, context: WorkloadContext) {
    const { work, profile = null, unpooled = false } = options;
    this.#pool = pool;
    this.#work = unpooled ? { ...work, headers: { ...work.headers, connection: 'close' } } : work;
    this.#unpooled = unpooled;
    this.#clock = clock;
    this.#context = context;
    this.description = {
      target: targetWords(work),
      work: workWords(work),
      simple: false,
      inProcess: false,
      statements: [],
    };
    this.pool = {
      profile,
      size: options.pool.maxConnections ?? pool.settings.maxConnections,
      maxOverflow: 0,
      timeoutMs: pool.settings.timeouts.poolMs,
      recycleMs: pool.settings.maxLifetimeMs,
      prePing: false,
      http: infoOf(pool),
    };
    this.#begun = pool.snapshot().http;
    this.#begunAt = clock.now();
    this.#stopListening = pool.on('breaker', ({ from, to }) => {
      this.#transitionsInAll++;
      if (this.#transitions.length >= TRANSITIONS_KEPT) return;
      this.#transitions.push({ atMs: clock.now() - this.#begunAt, from, to });
    });
    this.#stopWatching = onAbort(context.signal, () => void pool.close({ graceMs: 0 }));
  }

  async iterate(_seq: number, probe: Probe, signal?: AbortSignal): Promise<void> {
    const { url, method, headers, body } = this.#work;
    const epoch = this.#epoch;
    const response = await this.#pool.request(url, {
      method,
      headers,
      body,
      ...(signal && { signal }),
      onAcquired: () => probe.acquired(),
    });
    const bytes = await readToEnd(response.body);
    // Requests that began in the warm-up are not measured, even if they end later.
    if (epoch === this.#epoch) this.#note(response, bytes);
    if (response.statusCode >= 400) throw new StatusError(response.statusCode, response.statusText);
  }

  begin(): void {
    this.#epoch++;
    const { http, counters } = this.#pool.snapshot();
    this.#begun = http;
    this.#breakerBefore = http.origins[0]?.breaker ?? null;
    this.#begunAt = this.#clock.now();
    this.#acquiredBefore = counters.acquired ?? 0;
    this.#statuses.clear();
    this.#transitions.length = 0;
    this.#transitionsInAll = 0;
    this.#bytes = 0;
    for (const each of [this.#connect, this.#tls, this.#firstByte]) each.reset();
  }

  snapshot() {
    return this.#pool.snapshot();
  }

  http(): HttpLoad {
    const { http: now, counters } = this.#pool.snapshot();
    const before = this.#begun;
    const reused = (ratio: number | null, acquired: number) => Math.round((ratio ?? 0) * acquired);
    const acquired = (counters.acquired ?? 0) - this.#acquiredBefore;
    const reusedSince =
      reused(now.reuseRatio, counters.acquired ?? 0) - reused(before.reuseRatio, this.#acquiredBefore);
    return {
      engine: 'pool',
      statuses: [...this.#statuses]
        .map(([status, count]) => ({ status, count }))
        .sort((a, b) => b.count - a.count || a.status - b.status),
      bytes: this.#bytes,
      pool: {
        unpooled: this.#unpooled,
        sent: now.sent - before.sent,
        reuseRatio: acquired === 0 ? null : reusedSince / acquired,
        retried: since(before.retries, now.retries),
        retriesDenied: now.retriesDenied - before.retriesDenied,
        timeouts: since(before.timeouts, now.timeouts),
        closed: since(before.closed, now.closed),
        circuitRefused: now.circuitRefused - before.circuitRefused,
        breakerBefore: this.#breakerBefore,
        transitions: [...this.#transitions],
        transitionsInAll: this.#transitionsInAll,
        connect: distributionOf(this.#connect),
        tls: distributionOf(this.#tls),
        firstByte: distributionOf(this.#firstByte),
      },
      autocannon: null,
    };
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#stopWatching();
    await this.#pool.close({ graceMs: this.#context.signal.aborted ? 0 : 1000 });
  }

  #note({ statusCode, timing }: HttpResponse, bytes: number): void {
    this.#bytes += bytes;
    this.#statuses.set(statusCode, (this.#statuses.get(statusCode) ?? 0) + 1);
    if (timing.connectMs !== null) this.#connect.recordMs(timing.connectMs);
    if (timing.tlsMs !== null) this.#tls.recordMs(timing.tlsMs);
    if (timing.ttfbMs !== null) this.#firstByte.recordMs(timing.ttfbMs);
  }
}

function infoOf({ settings }: HttpPool): HttpPoolInfo {
  const { maxKeepalive, keepaliveExpiryMs, retry, breaker, http2 } = settings;
  return {
    maxKeepalive,
    keepaliveExpiryMs,
    retries: retry?.total ?? null,
    breaker: breaker !== null,
    http2: http2 !== 'off',
  };
}

/** Reads a body and forgets it; gives its length. However long it is, it takes no memory. */
function readToEnd(body: HttpBody): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    body
      .on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      })
      .on('end', () => resolve(bytes))
      .on('error', reject);
  });
}

function since<Key extends string>(
  before: Readonly<Record<Key, number>>,
  now: Readonly<Record<Key, number>>,
): Record<Key, number> {
  const keys = Object.keys(now) as Key[];
  return Object.fromEntries(keys.map((key) => [key, now[key] - before[key]])) as Record<Key, number>;
}

export function workWords({ method, headers, body }: HttpWork): string {
  const names = Object.keys(headers);
  const length = body === null ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  return [
    method,
    ...(length === 0 ? [] : [`with a body of ${length} bytes`]),
    ...(names.length === 0 ? [] : [`headers ${names.join(', ')}`]),
  ].join(', ');
}

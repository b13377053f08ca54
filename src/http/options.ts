import type { LookupFunction } from 'node:net';
import type { Clock } from '../base/clock.js';
import { systemClock } from '../base/clock.js';
import { type ForeignNames, type OptionShape, optionProblems } from '../base/option-shape.js';
import type { Random } from '../base/random.js';
import { type AdaptiveSizing, SIZING_SHAPE, type SizeBounds, sizeBounds } from '../pool/size-bounds.js';
import { BREAKER_SHAPE, type BreakerOptions, resolveBreaker } from './breaker.js';
import { HttpError } from './errors.js';
import {
  HEALTH_CHECK_SHAPE,
  type HealthCheck,
  type HealthCheckOptions,
  resolveHealthCheck,
} from './health-check.js';
import type { HttpInterceptor } from './interceptors.js';
import { type HttpProxy, type ProxyRule, proxyRule } from './proxy.js';
import type { RateLimit } from './rate-limit.js';
import { RETRY_SHAPE, type RetryOptions, type RetrySettings, resolveRetry } from './retry.js';

/** In milliseconds; null: no limit. As httpx has them. */
export interface HttpTimeouts {
  /** Opening a connection, TLS included. Default 10 s. */
  readonly connectMs: number | null;
  /** Between two pieces of the answer, and before the first. Default 30 s. */
  readonly readMs: number | null;
  /** Between two pieces of the request that the kernel takes. Default 10 s. */
  readonly writeMs: number | null;
  /** Waiting for a connection, and for a place in the rate limit. Default 5 s; 0: only what is free at once. */
  readonly poolMs: number | null;
  /** All of it, retries and the body included. Default null. */
  readonly totalMs: number | null;
}

export interface TlsOptions {
  /** Certificates to trust, in PEM, in place of those that Node trusts. */
  readonly ca?: string | readonly string[];
  /** Our own certificate and its key, in PEM, where the server asks for one. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the certificate must have. Default: the host of the URL. */
  readonly serverName?: string;
  /** Default true. */
  readonly verify?: boolean;
}

/** How many connections at most, and how many of them are kept when idle. */
export const HTTP_PRESETS = {
  small: { maxConnections: 10, maxKeepalive: 5 },
  medium: { maxConnections: 20, maxKeepalive: 10 },
  large: { maxConnections: 30, maxKeepalive: 15 },
} as const;

export type HttpPreset = keyof typeof HTTP_PRESETS;

/** Durations are in milliseconds. */
export interface HttpPoolOptions {
  /** Default 'http'. */
  readonly name?: string;
  /** The source of maxConnections and maxKeepalive unless they are given. Default 'medium': 20 and 10. */
  readonly preset?: HttpPreset;
  /** Over all origins together. */
  readonly maxConnections?: number;
  /** To one origin. Default: maxConnections; where there are several origins, all but a tenth, and one at least. */
  readonly maxConnectionsPerOrigin?: number;
  /**
   * 'adaptive' chooses by measurement how many requests to one origin are in progress at once: between 1 and
   * `maxConnectionsPerOrigin`, or the bounds that are given. With HTTP/2, bounds may be larger than the number of
   * connections. Default 'fixed': as many as the connections carry.
   */
  readonly sizing?: 'fixed' | 'adaptive' | AdaptiveSizing;
  /** Idle connections beyond this number are closed, the longest idle first. */
  readonly maxKeepalive?: number;
  /** How long an idle connection is kept. The server's own hint can only shorten that. Default 30 s. */
  readonly keepaliveExpiryMs?: number;
  /** A connection is not used again after this age. Default null: no limit. */
  readonly maxLifetimeMs?: number | null;
  readonly timeouts?: Partial<HttpTimeouts>;
  /** false: no retries. */
  readonly retry?: RetryOptions | false;
  /** The rate that the servers allow; of one, or by origin (`https://api.example.com`). Default: no limit. */
  readonly rateLimit?: RateLimit | ((origin: string) => RateLimit | null) | null;
  /** false: none. */
  readonly breaker?: BreakerOptions | false;
  /** 'auto' offers HTTP/2 to servers with TLS. Default 'auto'. */
  readonly http2?: 'off' | 'auto';
  /** Requests at once on one HTTP/2 connection, unless the server allows less. Default 100. */
  readonly maxStreams?: number;
  readonly tls?: TlsOptions;
  /** Default 16 KiB. */
  readonly maxHeaderBytes?: number;
  /** Default null: no limit. */
  readonly maxResponseBytes?: number | null;
  /**
   * A proxy of HTTP: its URL, or 'env' for HTTP_PROXY, HTTPS_PROXY and NO_PROXY. HTTPS goes through a tunnel of it, HTTP
   * is forwarded. Default null: none.
   */
  readonly proxy?: string | HttpProxy | null;
  /** All connections lead to this Unix socket, whatever the host of a URL. */
  readonly socketPath?: string | null;
  /** Looks up hosts in place of `dns.lookup`, whose form it has. */
  readonly lookup?: LookupFunction | null;
  /** Only addresses of IPv4 or of IPv6. Default null: both are tried. */
  readonly family?: 4 | 6 | null;
  /** Checks connections that were idle before they are used again. Default null: only whether they are closed. */
  readonly healthCheck?: HealthCheckOptions | null;
  /**
   * Interceptors in undici's form, the first the innermost, such as `interceptors.redirect({ maxRedirections: 5 })`. Our
   * own retries, limits and timeouts apply to each request that they send.
   */
  readonly interceptors?: readonly HttpInterceptor[];
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The options with their defaults. */
export interface HttpSettings {
  readonly name: string;
  readonly maxConnections: number;
  readonly maxConnectionsPerOrigin: number;
  /** null: fixed. */
  readonly sizing: SizeBounds | null;
  readonly maxKeepalive: number;
  readonly keepaliveExpiryMs: number;
  readonly maxLifetimeMs: number | null;
  readonly timeouts: HttpTimeouts;
  readonly retry: RetrySettings | null;
  readonly rateLimit: (origin: string) => RateLimit | null;
  readonly breaker: Required<BreakerOptions> | null;
  readonly http2: 'off' | 'auto';
  readonly maxStreams: number;
  readonly tls: TlsOptions;
  readonly maxHeaderBytes: number;
  readonly maxResponseBytes: number | null;
  readonly proxy: ProxyRule;
  readonly socketPath: string | null;
  readonly lookup: LookupFunction | null;
  readonly family: 4 | 6 | null;
  readonly healthCheck: HealthCheck | null;
  readonly interceptors: readonly HttpInterceptor[];
  readonly clock: Clock;
  readonly random: Random;
}

const TIMEOUT_FIELDS = {
  connectMs: 'number or null',
  readMs: 'number or null',
  writeMs: 'number or null',
  poolMs: 'number or null',
  totalMs: 'number or null',
} as const satisfies OptionShape & Record<keyof HttpTimeouts, unknown>;

const SHAPE = {
  name: 'text',
  preset: 'text',
  maxConnections: 'number',
  maxConnectionsPerOrigin: 'number',
  sizing: SIZING_SHAPE,
  maxKeepalive: 'number',
  keepaliveExpiryMs: 'number',
  maxLifetimeMs: 'number or null',
  timeouts: { fields: TIMEOUT_FIELDS },
  retry: { fields: RETRY_SHAPE, or: [false] },
  rateLimit: { fields: { perSecond: 'number', burst: 'number' }, or: [null, 'function'] },
  breaker: { fields: BREAKER_SHAPE, or: [false] },
  http2: 'text',
  maxStreams: 'number',
  tls: { fields: { ca: 'any', cert: 'text', key: 'text', serverName: 'text', verify: 'boolean' } },
  maxHeaderBytes: 'number',
  maxResponseBytes: 'number or null',
  proxy: { fields: { url: 'text', authorization: 'text' }, or: [null, 'string'] },
  socketPath: 'any',
  lookup: 'any',
  family: 'number or null',
  healthCheck: { fields: HEALTH_CHECK_SHAPE, or: [null] },
  interceptors: 'any',
  clock: 'any',
  random: 'function',
} as const satisfies OptionShape & Record<keyof HttpPoolOptions, unknown>;

/** The option names of undici, agents of node:http, httpx, axios and got. */
const FOREIGN_NAMES: ForeignNames = {
  connections: 'maxConnections',
  maxSockets: 'maxConnectionsPerOrigin',
  maxTotalSockets: 'maxConnections',
  maxFreeSockets: 'maxKeepalive',
  keepAlive: 'maxKeepalive',
  keepAliveTimeout: 'keepaliveExpiryMs',
  keepAliveMsecs: 'keepaliveExpiryMs',
  keepAliveMaxTimeout: 'keepaliveExpiryMs',
  max_connections: 'maxConnections',
  max_keepalive_connections: 'maxKeepalive',
  keepalive_expiry: 'keepaliveExpiryMs',
  retries: 'pass retry: { total }',
  timeout: 'pass timeouts: { connectMs, readMs, writeMs, poolMs, totalMs }',
  connectTimeout: 'pass timeouts: { connectMs }',
  headersTimeout: 'pass timeouts: { readMs }',
  bodyTimeout: 'pass timeouts: { readMs }',
  connect: 'pass timeouts: { connectMs }, and tls',
  allowH2: "pass http2: 'auto'",
  maxConcurrentStreams: 'maxStreams',
  rejectUnauthorized: 'pass tls: { verify }',
  ca: 'pass tls: { ca }',
  maxResponseSize: 'maxResponseBytes',
  maxContentLength: 'maxResponseBytes',
  maxHeaderSize: 'maxHeaderBytes',
  baseURL: 'pass the whole URL with each request',
  base_url: 'pass the whole URL with each request',
  headers: 'pass headers with each request',
  proxies: 'proxy',
  proxyUrl: 'proxy',
  trust_env: "pass proxy: 'env'",
  uds: 'socketPath',
  dispatcher: 'pass interceptors, or proxy',
  agent: 'pass proxy, tls and maxConnections',
  maxRedirections: 'pass interceptors: [interceptors.redirect({ maxRedirections })]',
  maxRedirects: 'pass interceptors: [interceptors.redirect({ maxRedirections })]',
  followRedirect: 'pass interceptors: [interceptors.redirect({ maxRedirections })]',
  follow_redirects: 'pass interceptors: [interceptors.redirect({ maxRedirections })]',
  decompress: 'pass interceptors: [interceptors.decompress()]',
};

/** An adaptive size begins with this many requests at once, within its bounds. */
const START_SIZE = 10;

const TIMEOUTS: HttpTimeouts = {
  connectMs: 10_000,
  readMs: 30_000,
  writeMs: 10_000,
  poolMs: 5000,
  totalMs: null,
};

/** Throws an HttpError with ERR_HTTP_OPTION. */
export function resolveOptions(options: HttpPoolOptions): HttpSettings {
  const problems = optionProblems(options, SHAPE, FOREIGN_NAMES);
  if (problems.length > 0) throw optionError(problems.join('; '));
  const preset = HTTP_PRESETS[options.preset ?? 'medium'];
  if (preset === undefined)
    throw optionError(`there is no preset '${options.preset}': small, medium or large`);
  const maxConnections = whole('maxConnections', options.maxConnections ?? preset.maxConnections, 1);
  const { rateLimit = null, http2 = 'auto' } = options;
  if (http2 !== 'off' && http2 !== 'auto') throw optionError(`http2 is '${http2}'; it must be off or auto`);
  const maxConnectionsPerOrigin = whole(
    'maxConnectionsPerOrigin',
    options.maxConnectionsPerOrigin ?? maxConnections,
    1,
  );
  const sizing = sizeBounds(options.sizing, {
    size: START_SIZE,
    limit: Math.min(maxConnections, maxConnectionsPerOrigin),
    least: 1,
  });
  if (typeof sizing === 'string') throw optionError(sizing);
  return {
    name: options.name ?? 'http',
    maxConnections,
    maxConnectionsPerOrigin,
    sizing,
    maxKeepalive: whole(
      'maxKeepalive',
      options.maxKeepalive ?? Math.min(preset.maxKeepalive, maxConnections),
      0,
    ),
    keepaliveExpiryMs: duration('keepaliveExpiryMs', options.keepaliveExpiryMs ?? 30_000),
    maxLifetimeMs: orNull(options.maxLifetimeMs, (ms) => duration('maxLifetimeMs', ms)),
    timeouts: resolveTimeouts(options.timeouts, TIMEOUTS),
    retry: options.retry === false ? null : resolveRetry(options.retry ?? {}),
    rateLimit: typeof rateLimit === 'function' ? rateLimit : () => rateLimit,
    breaker: options.breaker === false ? null : resolveBreaker(options.breaker ?? {}),
    http2,
    maxStreams: whole('maxStreams', options.maxStreams ?? 100, 1),
    tls: options.tls ?? {},
    maxHeaderBytes: whole('maxHeaderBytes', options.maxHeaderBytes ?? 16_384, 1),
    maxResponseBytes: orNull(options.maxResponseBytes, (bytes) => whole('maxResponseBytes', bytes, 1)),
    ...wayOf(options),
    healthCheck: orNull(options.healthCheck, resolveHealthCheck),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

type Way = Pick<HttpSettings, 'proxy' | 'socketPath' | 'lookup' | 'family' | 'interceptors'>;

function wayOf({
  proxy = null,
  socketPath = null,
  lookup = null,
  family = null,
  interceptors = [],
}: HttpPoolOptions): Way {
  if (socketPath !== null && (typeof socketPath !== 'string' || socketPath === ''))
    throw optionError('socketPath must be the path of a Unix socket');
  if (socketPath !== null && proxy !== null) throw optionError('socketPath and proxy exclude each other');
  if (lookup !== null && typeof lookup !== 'function') throw optionError('lookup must be a function');
  if (family !== null && family !== 4 && family !== 6)
    throw optionError(`family is ${family}; it must be 4 or 6`);
  if (!Array.isArray(interceptors) || !interceptors.every((one) => typeof one === 'function'))
    throw optionError('interceptors must be an array of functions');
  return { proxy: proxyRule(proxy), socketPath, lookup, family, interceptors };
}

/** Throws an HttpError with ERR_HTTP_OPTION. */
export function resolveTimeouts(
  given: Partial<HttpTimeouts> | undefined,
  defaults: HttpTimeouts,
): HttpTimeouts {
  if (given === undefined) return defaults;
  const problems = optionProblems(given, TIMEOUT_FIELDS, {}, 'timeouts.');
  if (problems.length > 0) throw optionError(problems.join('; '));
  const timeouts = { ...defaults, ...given };
  for (const [name, value] of Object.entries(timeouts)) {
    if (value !== null) duration(`timeouts.${name}`, value);
  }
  return timeouts;
}

export function optionError(message: string): HttpError {
  return new HttpError('ERR_HTTP_OPTION', message);
}

/** A number that is `least` or more. */
export function whole(name: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least)
    throw optionError(`${name} is ${value}; it must be a whole number from ${least}`);
  return value;
}

function duration(name: string, value: number): number {
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY))
    throw optionError(`${name} is ${value}; it must be 0 or more`);
  return value;
}

function orNull<T, U>(value: T | null | undefined, check: (value: T) => U): U | null {
  return value === null || value === undefined ? null : check(value);
}

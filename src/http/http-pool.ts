/// <reference path="./undici-internal.d.ts" />
import type { Readable } from 'node:stream';
import { Dispatcher } from 'undici';
// Interceptors hand on handlers of undici's new form; this makes the old one of them, as its own dispatchers do.
import UnwrapHandler from 'undici/lib/handler/unwrap-handler.js';
import { Emitter } from '../base/emitter.js';
import { allowManyListeners, graceFor, ignore } from '../base/promises.js';
import { AdaptiveSize } from '../pool/adaptive-size.js';
import { announce, type BrandedPool, POOL_BRAND, type PoolBrand } from '../pool/brand.js';
import type { HttpSnapshot } from '../snapshot/http.js';
import { Bag } from './bag.js';
import { bodyFault, pairsOf, RecordedBody, withHeader } from './body.js';
import { Breaker } from './breaker.js';
import { Call, type CallHost, type CallRequest } from './call.js';
import type { HttpHeaders, RequestParts, ResponseHandler } from './connection.js';
import { Connections } from './connections.js';
import { HttpError } from './errors.js';
import type { HttpEventName, HttpEvents } from './events.js';
import {
  type HttpPoolOptions,
  type HttpSettings,
  type HttpTimeouts,
  optionError,
  resolveOptions,
  resolveTimeouts,
} from './options.js';
import { Origin, originKey } from './origin.js';
import { rateGate } from './rate-limit.js';
import { RetryBudget, type RetryOptions, resolveRetry } from './retry.js';
import { snapshotOf } from './snapshot.js';
import { HttpCounts, type HttpTiming } from './stats.js';

/** Durations are in milliseconds. */
export interface HttpRequestOptions {
  /** Default GET. */
  readonly method?: string;
  readonly headers?: HttpHeaders;
  /** A stream or an iterable can be sent once: such a request is only tried again if none of it was read. */
  readonly body?:
    | string
    | Uint8Array
    | ArrayBuffer
    | Blob
    | FormData
    | URLSearchParams
    | Readable
    | AsyncIterable<Uint8Array>
    | null;
  /** Gives it up; the request rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** In place of the pool's. */
  readonly timeouts?: Partial<HttpTimeouts>;
  /** false: none. What is not given is the pool's. */
  readonly retry?: RetryOptions | false;
  /** Sent as `Idempotency-Key`: the server does the same thing once however often it is sent, so it may be sent again. */
  readonly idempotencyKey?: string;
  /** Called when an attempt has got its connection, before it is sent. */
  readonly onAcquired?: () => void;
}

/** The options of `fetch`, and those that our requests add. */
export interface HttpFetchInit
  extends RequestInit,
    Pick<HttpRequestOptions, 'timeouts' | 'retry' | 'idempotencyKey'> {}

type FetchInput = Parameters<typeof fetch>[0];

/** The platform's own `fetch`, with more options. */
export type HttpFetch = (input: FetchInput, init?: HttpFetchInit) => Promise<Response>;

/** A body that must be read, or given up with `dump` or `destroy`: until then it keeps its connection. */
export interface HttpBody extends Readable {
  text(): Promise<string>;
  json(): Promise<unknown>;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array>;
  blob(): Promise<Blob>;
  /** Reads and forgets it, up to `limit` bytes (default 128 KiB), then gives it up. */
  dump(options?: { limit?: number; signal?: AbortSignal }): Promise<void>;
}

export interface HttpResponse {
  readonly statusCode: number;
  readonly statusText: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: HttpBody;
  /** Filled when the body is over. */
  readonly trailers: Readonly<Record<string, string>>;
  /** Filled in further when the body is over. */
  readonly timing: Readonly<HttpTiming>;
}

/** A pool of HTTP connections. Connects to nothing yet. Throws ERR_HTTP_OPTION if an option is wrong. */
export function createHttpPool(options: HttpPoolOptions = {}): HttpPool {
  return new HttpPool(options);
}

/** A token, as RFC 9110 has it. */
const FORM_TYPE = 'application/x-www-form-urlencoded;charset=UTF-8';
const METHOD = /^[!#$%&'*+.^_`|~\w-]+$/;
const DEFAULT_GRACE_MS = 5000;
/** URLs whose parts are kept in mind: to take one apart costs as much as all else that we do for a request. */
const MOST_PLACES = 1000;
/** Beyond this number, origins without state are forgotten. */
const MOST_ORIGINS = 1000;

/**
 * HTTP connections kept and shared, with limits over all origins together, timeouts for each phase, retries, a rate
 * limit and a circuit breaker per origin. On undici, one of whose Clients is one connection here.
 */
export class HttpPool implements BrandedPool, AsyncDisposable {
  readonly settings: HttpSettings;
  /** The same as `request`, in the form of the platform's own `fetch`: it can take its place. */
  readonly fetch: HttpFetch;
  readonly #events = new Emitter<HttpEvents>();
  readonly #counts = new HttpCounts();
  readonly #connections: Connections;
  readonly #calls = new Bag<Call>();
  readonly #host: CallHost;
  readonly #dispatcher: Dispatcher;
  readonly #places = new Map<string, Place>();
  #closeDone: Promise<void> | null = null;
  #drained: (() => void) | null = null;

  /** Connects to nothing yet. Throws ERR_HTTP_OPTION if an option is wrong. */
  constructor(options: HttpPoolOptions = {}) {
    this.settings = resolveOptions(options);
    announce(this);
    const { clock } = this.settings;
    this.#connections = new Connections(this.settings, this.#events, this.#counts);
    this.#host = {
      settings: this.settings,
      connections: this.#connections,
      counts: this.#counts,
      events: this.#events,
      budget: new RetryBudget(clock),
      ended: (call) => {
        this.#calls.delete(call);
        if (this.#calls.size === 0) this.#drained?.();
      },
    };
    this.#dispatcher = this.#composed(
      new PoolDispatcher((request, handler) =>
        this.#dispatch(handler, () => this.#intercepted(request as unknown as PoolRequest)),
      ),
    );
    // Named, and with one required parameter, as the global one is.
    this.fetch = { fetch: (input: FetchInput, init: HttpFetchInit = {}) => this.#fetch(input, init) }.fetch;
  }

  get name(): string {
    return this.settings.name;
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closeDone !== null;
  }

  /**
   * Sends a request. Resolves when the headers of its response are there, whatever its status; rejects with an
   * HttpError, or the reason of its signal. The body must be read or given up.
   */
  request(url: string | URL, options: HttpRequestOptions = {}): Promise<HttpResponse> {
    let request: PoolRequest;
    try {
      request = this.#requestOf(url, options);
    } catch (error) {
      return Promise.reject(error);
    }
    const { timing } = request.call;
    return new Promise((resolve, reject) => {
      // undici's `request` makes a response of what its handler receives from this dispatcher.
      this.#dispatcher.request(request as never, (error, response) => {
        if (error !== null) {
          reject(error);
          return;
        }
        // A body that is given up, or breaks before anybody reads it, must not end the process. Its reader gets the error.
        response.body.on('error', ignore);
        resolve(Object.assign(response, { timing }) as unknown as HttpResponse);
      });
    });
  }

  /** Listens to what happens; returns the way to stop. */
  on<E extends HttpEventName>(event: E, listener: (payload: HttpEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  get [POOL_BRAND](): PoolBrand {
    const { open, dialling } = this.#connections;
    return { kind: 'snapshot', isOver: () => this.closed && open + dialling === 0 };
  }

  /** The pool's numbers now. See HttpSnapshot for what the common fields mean here. */
  snapshot(): HttpSnapshot {
    return snapshotOf(this.settings, this.#connections, this.#counts, this.closed);
  }

  /**
   * Refuses new requests, lets those under way end for `graceMs` (default 5,000), then breaks them off. Resolves when no
   * connection is left. Never rejects; a second call gives the same promise.
   */
  close({ graceMs = DEFAULT_GRACE_MS }: { graceMs?: number } = {}): Promise<void> {
    this.#closeDone ??= this.#close(graceMs);
    return this.#closeDone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // Requests

  #requestOf(url: string | URL, options: HttpRequestOptions): PoolRequest {
    const { origin, path } = this.#placeOf(url);
    const { method = 'GET', signal } = options;
    // undici adds a listener for each request.
    if (signal !== undefined) allowManyListeners(signal);
    if (!METHOD.test(method)) throw optionError(`${JSON.stringify(method)} is not an HTTP method`);
    const given = options.body ?? null;
    const fault = bodyFault(given);
    if (fault !== null) throw optionError(fault);
    const isForm = given instanceof URLSearchParams;
    const plain = plainHeaders(options.headers);
    const headers = isForm ? withHeader(plain, 'content-type', FORM_TYPE) : plain;
    const body = isForm ? given.toString() : given;
    const call = this.#callOf(origin, { path, method: method.toUpperCase(), headers, body }, options);
    if (this.settings.interceptors.length === 0) return { ...call.parts, call, signal };
    // Interceptors look at the origin, and at headers by name.
    const named = { ...call, parts: { ...call.parts, headers: byName(call.parts.headers) } };
    return { ...named.parts, call: named, signal, origin: origin.url.origin };
  }

  /** With the interceptors of the caller's around it. */
  #composed(dispatcher: PoolDispatcher): Dispatcher {
    const { interceptors } = this.settings;
    return interceptors.length === 0
      ? dispatcher
      : dispatcher.compose(interceptors as Dispatcher.DispatcherComposeInterceptor[]);
  }

  /** The request after an interceptor: another place, other headers. */
  #intercepted(request: PoolRequest): CallRequest {
    const { call, path, method, headers, body } = request;
    if (request.origin === undefined) return call;
    const origin = this.#originFor(request);
    // The original name may be one that nobody connects to.
    if (origin !== call.origin && call.origin.forgettable) this.#connections.forget(call.origin);
    return { ...call, origin, parts: { path, method, headers, body } };
  }

  #originFor({ origin, servername }: Pick<DispatchRequest, 'origin' | 'servername'>): Origin {
    const url = new URL(String(origin));
    return this.#originOf(url, servername == null || servername === url.hostname ? null : servername);
  }

  #callOf(
    origin: Origin,
    parts: RequestParts,
    { timeouts, retry, idempotencyKey, onAcquired }: HttpRequestOptions,
  ): CallRequest {
    const { settings } = this;
    const own =
      retry === undefined
        ? settings.retry
        : retry === false
          ? null
          : resolveRetry({ ...plainRetry(settings.retry), ...retry });
    // No look is needed if the method may be sent twice, or nothing is sent.
    const asksForKey = own !== null && !own.methods.has(parts.method);
    return {
      origin,
      parts:
        idempotencyKey === undefined
          ? parts
          : { ...parts, headers: withHeader(parts.headers, 'idempotency-key', idempotencyKey) },
      timeouts: timeouts === undefined ? settings.timeouts : resolveTimeouts(timeouts, settings.timeouts),
      retry: own,
      hasIdempotencyKey: idempotencyKey !== undefined || (asksForKey && hasKey(parts.headers)),
      timing: newTiming(),
      onAcquired: onAcquired ?? null,
    };
  }

  #placeOf(url: string | URL): Place {
    if (typeof url !== 'string') {
      refuseUser(url);
      return { origin: this.#originOf(url), path: url.pathname + url.search };
    }
    const known = this.#places.get(url);
    if (known !== undefined) return known;
    const parsed = parseUrl(url);
    const place = { origin: this.#originOf(parsed), path: parsed.pathname + parsed.search };
    if (this.#places.size >= MOST_PLACES) this.#places.clear();
    this.#places.set(url, place);
    return place;
  }

  #fetch(input: FetchInput, init: HttpFetchInit): Promise<Response> {
    const { timeouts, retry, idempotencyKey, ...plain } = init;
    const { body } = plain;
    const options: HttpRequestOptions = {
      ...(timeouts === undefined ? {} : { timeouts }),
      ...(retry === undefined ? {} : { retry }),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    };
    // The body that fetch hands on is a generator, which can be read once. A Blob may be too large to be kept in memory.
    const bodyOf = (given: unknown): unknown =>
      given == null
        ? given
        : body instanceof Blob
          ? body
          : new RecordedBody(given as AsyncIterable<Uint8Array>);
    const dispatcher = new PoolDispatcher((request, handler) =>
      this.#dispatch(handler, () => {
        if (request.upgrade) throw optionError('a pool of connections takes no upgrades');
        const { path, method } = request;
        const headers = withOneLength(request.headers);
        const parts = { path, method, headers, body: bodyOf(request.body) };
        return this.#callOf(this.#originFor(request), parts, options);
      }),
    );
    return fetch(input, { ...plain, dispatcher: this.#composed(dispatcher) } as unknown as RequestInit);
  }

  #dispatch(handler: ResponseHandler, callOf: () => CallRequest): boolean {
    if (this.#closeDone !== null) {
      handler.onConnect(() => {}, null);
      handler.onError(new HttpError('ERR_HTTP_CLOSED', `pool '${this.name}' is closed`));
      return true;
    }
    let call: Call;
    try {
      call = new Call(this.#host, callOf(), handler);
    } catch (error) {
      handler.onConnect(() => {}, null);
      handler.onError(error as Error);
      return true;
    }
    this.#calls.add(call);
    call.begin();
    return true;
  }

  #originOf(url: URL, serverName: string | null = null): Origin {
    const { origins } = this.#connections;
    const { clock } = this.settings;
    const known = origins.get(serverName === null ? url.origin : originKey(url, serverName));
    if (known !== undefined) return known;
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw optionError(`a URL begins with http:// or https://, not ${url.protocol}//`);
    if (origins.size >= MOST_ORIGINS) this.#forgetOrigins();
    const { breaker, random, rateLimit, sizing } = this.settings;
    const limit = rateLimit(url.origin);
    const made = new Origin(
      new URL(url.origin),
      breaker === null
        ? null
        : new Breaker(breaker, clock, random, (from, to) => {
            if (to === 'open') this.#counts.circuitOpened++;
            if (to === 'closed') this.#counts.circuitClosed++;
            this.#events.emit('breaker', { origin: url.origin, from, to });
          }),
      limit === null ? null : rateGate(clock, limit),
      serverName,
      sizing === null ? null : new AdaptiveSize(sizing, clock.now()),
    );
    this.#connections.add(made);
    return made;
  }

  #forgetOrigins(): void {
    for (const origin of this.#connections.origins.values())
      if (origin.forgettable) this.#connections.forget(origin);
    this.#places.clear();
  }

  async #close(graceMs: number): Promise<void> {
    this.#connections.close();
    const error = (): HttpError => new HttpError('ERR_HTTP_CLOSED', `pool '${this.name}' was closed`);
    for (const call of [...this.#calls]) if (call.isWaiting) call.fail(error());
    if (this.#calls.size > 0) {
      await graceFor(this.settings.clock, graceMs, (done) => {
        this.#drained = done;
      });
      for (const call of [...this.#calls]) call.fail(error());
    }
    this.#connections.destroy();
    await this.#connections.whenEmpty();
  }
}

/** The origin and path of a URL. */
interface Place {
  readonly origin: Origin;
  readonly path: string;
}

/** The value that our own request hands to undici's, and gets back in `dispatch`. */
interface PoolRequest {
  readonly path: string;
  readonly method: string;
  readonly headers: HttpHeaders;
  readonly body: unknown;
  readonly call: CallRequest;
  readonly signal: AbortSignal | undefined;
  /** Only for interceptors, which may change it. */
  readonly origin?: string | URL;
  readonly servername?: string | null;
}

/** The value that fetch hands to its dispatcher. */
interface DispatchRequest extends RequestParts {
  readonly origin?: string | URL;
  /** Set by undici's interceptor `dns`, which puts an address into the origin. */
  readonly servername?: string | null;
  readonly upgrade?: unknown;
}

/** The dispatcher that undici's request and Node's fetch send through. */
class PoolDispatcher extends Dispatcher {
  readonly #send: (request: DispatchRequest, handler: ResponseHandler) => boolean;

  constructor(send: (request: DispatchRequest, handler: ResponseHandler) => boolean) {
    super();
    this.#send = send;
  }

  override dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const unwrapped = UnwrapHandler.unwrap(handler) as ResponseHandler;
    return this.#send(request as unknown as DispatchRequest, unwrapped);
  }
}

function parseUrl(url: string): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new HttpError('ERR_HTTP_OPTION', 'the URL of the request cannot be read', { cause });
  }
  refuseUser(parsed);
  return parsed;
}

function refuseUser({ username, password }: URL): void {
  if (username !== '' || password !== '')
    throw optionError('a URL has no place for a user and a password: pass an authorization header instead');
}

function newTiming(): HttpTiming {
  return {
    waitedMs: 0,
    backoffMs: 0,
    connectMs: null,
    tlsMs: null,
    ttfbMs: null,
    bodyMs: null,
    totalMs: null,
    reused: null,
    attempts: 0,
  };
}

function plainRetry(settings: HttpSettings['retry']): RetryOptions {
  return settings === null
    ? {}
    : { ...settings, statuses: [...settings.statuses], methods: [...settings.methods] };
}

/** As undici takes them: pairs are no headers to it. */
function plainHeaders(headers: HttpHeaders | undefined): HttpHeaders {
  if (headers === undefined) return null;
  if (headers === null || !(Symbol.iterator in headers)) return headers;
  return Array.isArray(headers) && !Array.isArray(headers[0]) ? headers : [...headers].flat();
}

/** `fetch` appends the length it has counted to the caller's own. Equal ones are one (RFC 9110, section 8.6). */
function withOneLength(headers: HttpHeaders): HttpHeaders {
  for (const [name, value] of pairsOf(headers)) {
    if (name.toLowerCase() !== 'content-length') continue;
    const [, length] = /^(\d+)(?:, *\1)+$/.exec(value) ?? [];
    return length === undefined ? headers : { ...Object.fromEntries(pairsOf(headers)), [name]: length };
  }
  return headers;
}

/** Headers by name, in which a name that comes twice has a list. */
function byName(headers: HttpHeaders): Record<string, string | string[]> {
  const named: Record<string, string | string[]> = {};
  for (const [name, value] of pairsOf(headers)) {
    const before = named[name];
    named[name] = before === undefined ? value : [before, value].flat();
  }
  return named;
}

/** Whether the caller has written a key into the headers. */
function hasKey(headers: HttpHeaders): boolean {
  for (const [name] of pairsOf(headers))
    if (name.length === 15 && /^idempotency-key$/i.test(name)) return true;
  return false;
}

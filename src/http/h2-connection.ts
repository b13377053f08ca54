import { validateHeaderValue } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { asError } from '../base/promises.js';
import type { CloseReason } from '../snapshot/http.js';
import { breakOf, closedBefore, encoded, pairsOf, sourceError, told } from './body.js';
import type {
  Connection,
  ConnectionListener,
  HttpHeaders,
  RequestParts,
  ResponseHandler,
  Sending,
} from './connection.js';
import type { Dialled } from './dial.js';
import { HttpError } from './errors.js';
import { NotProcessedError } from './failure.js';
import type { HealthCheck } from './health-check.js';
import type { HttpSettings } from './options.js';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;
/** Streams at once before the server has said how many it takes, which is the first that it says. */
const STREAMS_BEFORE_SETTINGS = 1;
const WINDOW_BYTES = 1_048_576;
/** A connection on which a response is overdue must answer a ping within this time. */
const PING_MS = 5000;
/** Connection headers of HTTP/1 are not allowed in HTTP/2 (RFC 9113, 8.2.2). */
const OF_CONNECTION = new Set([
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/**
 * A session of HTTP/2. On node:http2 instead of undici, which ends every stream when the server says GOAWAY (also
 * those that the server goes on with), sends no two POSTs at once, and does not tell which requests were not processed.
 */
export class H2Connection implements Connection {
  readonly protocol = 'h2';
  readonly id: number;
  readonly openedAt: number;
  readonly connectMs: number;
  readonly tlsMs: number | null;
  readonly localPort: number | null;
  readonly #url: URL;
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #settings: HttpSettings;
  readonly #listener: ConnectionListener;
  #streams = 0;
  /** Streams at once that the server takes, as far as it is known. */
  #allowed = STREAMS_BEFORE_SETTINGS;
  #settling = true;
  #reason: CloseReason | null = null;
  #leaving = false;
  /** The highest stream that a leaving server may have looked at. */
  #lastStream = Number.POSITIVE_INFINITY;
  #pinging = false;

  constructor(
    id: number,
    url: URL,
    { socket, connectMs, tlsMs }: Dialled,
    settings: HttpSettings,
    listener: ConnectionListener,
  ) {
    this.id = id;
    this.openedAt = settings.clock.now();
    this.connectMs = connectMs;
    this.tlsMs = tlsMs;
    this.localPort = socket.localPort ?? null;
    this.#url = url;
    this.#socket = socket;
    this.#settings = settings;
    this.#listener = listener;
    const session = connect(url.origin, {
      createConnection: () => socket,
      peerMaxConcurrentStreams: STREAMS_BEFORE_SETTINGS,
      settings: {
        enablePush: false,
        initialWindowSize: WINDOW_BYTES,
        maxHeaderListSize: settings.maxHeaderBytes,
      },
    });
    this.#session = session;
    session.unref();
    const { connectMs: limitMs } = settings.timeouts;
    const unsettled =
      limitMs === null
        ? null
        : settings.clock.setTimer(() => this.destroy('timeout'), limitMs, { background: true });
    session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      unsettled?.cancel();
      this.#settling = false;
      this.#allowed = maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
      listener.changed();
    });
    session.on('goaway', (_code, lastStream) => {
      this.#leaving = true;
      this.#lastStream = Math.min(this.#lastStream, lastStream);
      this.#reason ??= 'server';
      listener.changed();
    });
    // Each stream reports its own end.
    session.on('error', () => {
      this.#reason ??= 'error';
    });
    session.on('close', () => {
      unsettled?.cancel();
      listener.closed(this.#reason ?? 'server', !this.#leaving && this.#reason === null);
    });
    // The window of the whole session must hold what several streams may send.
    session.once('connect', () => session.setLocalWindowSize(4 * WINDOW_BYTES));
  }

  get capacity(): number {
    if (this.#pinging || this.#session.destroyed) return 0;
    return Math.min(this.#settings.maxStreams, this.#allowed);
  }

  get settling(): boolean {
    return this.#settling && this.usable;
  }

  get usable(): boolean {
    return !this.#leaving && this.#reason === null && !this.#session.destroyed && !this.#session.closed;
  }

  dispatch(request: RequestParts, handler: ResponseHandler): void {
    if (!this.usable) {
      handler.onError(new NotProcessedError('the connection is gone', true));
      return;
    }
    const exchange = new Exchange(request, handler, this.#settings, this.#unprocessed);
    exchange.begin(() => this.#open(request));
  }

  /** One stream more or less says little of the others: the connection is only closed if it does not answer a ping. */
  suspect(): void {
    if (this.#pinging || this.#session.destroyed) return;
    this.#pinging = true;
    const timer = this.#settings.clock.setTimer(() => this.destroy('timeout'), PING_MS, { background: true });
    const answered = (): void => {
      this.#pinging = false;
      timer.cancel();
      this.#listener.changed();
    };
    if (!this.#session.ping(answered)) answered();
  }

  prove(_check: HealthCheck, done: (isAlive: boolean) => void): void {
    if (!this.#session.ping((error) => done(error === null))) done(false);
  }

  /** The other requests on it go on. */
  givenUp(): void {}

  destroy(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#session.destroy();
    // Node only ends, for a session that is leaving, our half, and waits for the server to end the other.
    this.#socket.destroy();
  }

  #open({ path, method, headers, body }: RequestParts): { stream: ClientHttp2Stream; source: Source } {
    const fields = fieldsOf(headers);
    const source = sourceOf(body, fields);
    const stream = this.#session.request(
      {
        ...fields,
        ':method': method,
        ':path': path,
        ':scheme': this.#url.protocol.slice(0, -1),
        ':authority': authorityOf(headers) ?? this.#url.host,
      },
      { endStream: source === null },
    );
    if (this.#streams++ === 0) this.#session.ref();
    stream.once('close', () => {
      if (--this.#streams === 0 && !this.#session.destroyed) this.#session.unref();
    });
    return { stream, source };
  }

  /** Why the server has done nothing with a stream that has ended; null: it may have. */
  readonly #unprocessed = ({ id, rstCode }: ClientHttp2Stream): NotProcessedError | null => {
    if (id === undefined || id > this.#lastStream) {
      // A server that leaves without having looked at any request may do so for ever.
      return new NotProcessedError('the server left before it looked at the request', this.#lastStream > 0);
    }
    if (rstCode !== NGHTTP2_REFUSED_STREAM) return null;
    // The stream itself has been counted off. With others open their number is the limit, whatever the server has said;
    // with none the server has too much to do.
    const isFull = this.#streams > 0;
    if (isFull) this.#allowed = Math.min(this.#allowed, this.#streams);
    return new NotProcessedError('the server refused the stream', isFull);
  };
}

/** The data to send: all at once, or as it comes; null: nothing. */
type Source = string | Uint8Array | Readable | null;

/** One request and its response on a stream. */
class Exchange implements Sending {
  readonly #request: RequestParts;
  readonly #handler: ResponseHandler;
  readonly #settings: HttpSettings;
  readonly #unprocessed: (stream: ClientHttp2Stream) => NotProcessedError | null;
  #stream: ClientHttp2Stream | null = null;
  #over = false;
  #ended = false;
  /** Ends the body that is piped into the stream. */
  #stopPiping: (() => void) | null = null;
  #responded = false;
  #error: Error | null = null;
  #bytes = 0;
  /** null: the server has not said. */
  #expected: number | null = null;
  #trailers: Buffer[] = [];

  constructor(
    request: RequestParts,
    handler: ResponseHandler,
    settings: HttpSettings,
    unprocessed: (stream: ClientHttp2Stream) => NotProcessedError | null,
  ) {
    this.#request = request;
    this.#handler = handler;
    this.#settings = settings;
    this.#unprocessed = unprocessed;
  }

  begin(open: () => { stream: ClientHttp2Stream; source: Source }): void {
    this.#handler.onConnect((reason) => this.#fail(reason ?? new Error('aborted')), this);
    if (this.#over) return;
    try {
      const { stream, source } = open();
      this.#stream = stream;
      this.#listen(stream);
      this.#send(stream, source);
    } catch (error) {
      this.#fail(
        new HttpError('ERR_HTTP_OPTION', `the request cannot be sent: ${asError(error).message}`, {
          cause: error,
        }),
      );
    }
  }

  get unflushed(): boolean {
    return (this.#stream?.writableLength ?? 0) > 0;
  }

  watchWrites(stalledMs: number, stalled: () => void): () => void {
    const stream = this.#stream;
    if (stream === null) return () => {};
    // Node's own: it begins anew with each piece that is sent.
    stream.setTimeout(stalledMs, () => {
      if (stream.writableLength > 0) stalled();
      else stream.setTimeout(stalledMs);
    });
    return () => stream.setTimeout(0);
  }

  #listen(stream: ClientHttp2Stream): void {
    stream.on('headers', (headers) => {
      this.#handler.onHeaders(Number(headers[':status'] ?? 0), rawOf(headers), () => {}, '');
    });
    stream.on('response', (headers) => this.#respond(stream, headers));
    stream.on('trailers', (trailers) => {
      this.#trailers = rawOf(trailers);
    });
    stream.on('end', () => {
      this.#ended = true;
      // The server has said all, and does not want the rest.
      if (stream.writableEnded) return;
      this.#stopPiping?.();
      stream.close(NGHTTP2_NO_ERROR);
    });
    stream.on('error', (error: Error) => {
      this.#error ??= error;
    });
    // Not at 'end': a stream that the server has cut off may have one too.
    stream.on('close', () => this.#close(stream));
  }

  #respond(
    stream: ClientHttp2Stream,
    headers: IncomingHttpHeaders & { readonly ':status'?: number | undefined },
  ): void {
    if (this.#over) return;
    this.#responded = true;
    const length = headers['content-length'];
    this.#expected = length === undefined || this.#request.method === 'HEAD' ? null : Number(length);
    const status = Number(headers[':status'] ?? 0);
    if (status === 304 || status === 204) this.#expected = null;
    const raw = rawOf(headers);
    // Node's own limit is far above the given one.
    if (raw.reduce((total, { length }) => total + length, 0) > this.#settings.maxHeaderBytes) {
      this.#fail(headersTooLarge());
      return;
    }
    const more = this.#handler.onHeaders(status, raw, () => stream.resume(), '');
    if (more === false) stream.pause();
    // Not earlier: Node tells of the headers in a later tick, and where they come together with the body, a stream that
    // flows may give its first piece before them.
    stream.on('data', (chunk: Buffer) => this.#take(stream, chunk));
  }

  #take(stream: ClientHttp2Stream, chunk: Buffer): void {
    if (this.#over) return;
    this.#bytes += chunk.byteLength;
    const { maxResponseBytes } = this.#settings;
    if (maxResponseBytes !== null && this.#bytes > maxResponseBytes) {
      this.#fail(
        Object.assign(new Error('the response is too large'), { code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' }),
      );
    } else if (this.#handler.onData(chunk) === false) stream.pause();
  }

  #send(stream: ClientHttp2Stream, source: Source): void {
    if (source instanceof Readable) {
      this.#pipe(source, stream);
      return;
    }
    if (source !== null) {
      stream.end(source);
      this.#handler.onBodySent?.(source);
    }
    this.#handler.onRequestSent?.();
  }

  /**
   * Not by `pipeline`, which destroys the stream where the server does not want the rest of the body, or the body breaks:
   * Node 20 and 22 then loop for ever at the next request of the session.
   */
  #pipe(source: Readable, stream: ClientHttp2Stream): void {
    const stop = (): void => {
      source.unpipe(stream);
      if (!source.destroyed) source.destroy();
    };
    if (source.destroyed) {
      this.#fail(sourceError(closedBefore(source)));
      return;
    }
    const broken = (): void => {
      const error = breakOf(source);
      // The body is not at fault if the server does not want the rest.
      if (error !== null && !stream.closed && !this.#ended) this.#fail(sourceError(error));
    };
    source.on('data', (chunk: unknown) => this.#handler.onBodySent?.(chunk));
    source.on('error', broken);
    source.once('close', broken);
    stream.once('close', stop);
    this.#stopPiping = stop;
    source.pipe(stream).once('finish', () => this.#handler.onRequestSent?.());
  }

  #close(stream: ClientHttp2Stream): void {
    if (this.#over) return;
    const whole = this.#expected === null || this.#expected === this.#bytes;
    const clean = stream.rstCode === undefined || stream.rstCode === NGHTTP2_NO_ERROR;
    if (this.#ended && this.#responded && clean && whole && this.#error === null) {
      this.#over = true;
      this.#handler.onComplete(this.#trailers);
      return;
    }
    if (!this.#responded && stream.rstCode === NGHTTP2_ENHANCE_YOUR_CALM) {
      // Node's own answer to headers beyond its limit.
      this.#fail(headersTooLarge());
      return;
    }
    const unprocessed = this.#responded ? null : this.#unprocessed(stream);
    this.#fail(
      unprocessed ??
        this.#error ??
        new Error(`the stream was closed with code ${stream.rstCode ?? NGHTTP2_NO_ERROR}`),
    );
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    const stream = this.#stream;
    this.#stopPiping?.();
    stream?.close(NGHTTP2_CANCEL);
    this.#handler.onError(error);
  }
}

function headersTooLarge(): Error {
  return Object.assign(new Error('the headers are too large'), { code: 'UND_ERR_HEADERS_OVERFLOW' });
}

/** As HTTP/2 has them: names in small letters, and none that are about a connection. */
function fieldsOf(headers: HttpHeaders): OutgoingHttpHeaders {
  const fields: Record<string, string | string[]> = {};
  for (const [key, value] of pairsOf(headers)) {
    const name = key.toLowerCase();
    if (OF_CONNECTION.has(name) || (name === 'te' && value !== 'trailers')) continue;
    // nghttp2 leaves such a header out, and says nothing.
    validateHeaderValue(name, value);
    const before = fields[name];
    fields[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return fields;
}

function authorityOf(headers: HttpHeaders): string | null {
  for (const [key, value] of pairsOf(headers)) if (key.toLowerCase() === 'host') return value;
  return null;
}

/** Adds the length and the type where the body says them. */
function sourceOf(body: unknown, fields: OutgoingHttpHeaders): Source {
  if (body === null || body === undefined) return null;
  if (typeof body === 'string' || body instanceof Uint8Array) {
    fields['content-length'] ??= String(Buffer.byteLength(body));
    return body;
  }
  if (body instanceof ArrayBuffer) return sourceOf(new Uint8Array(body), fields);
  if (ArrayBuffer.isView(body))
    return sourceOf(new Uint8Array(body.buffer, body.byteOffset, body.byteLength), fields);
  const form = encoded(body);
  if (form !== null) {
    if (form.type !== null) fields['content-type'] ??= form.type;
    if (body instanceof Blob) fields['content-length'] ??= String(body.size);
    return form.stream;
  }
  if (body instanceof Readable && !body.readableObjectMode) return body;
  return Readable.from(told(body as AsyncIterable<Uint8Array>));
}

/** As undici's parser gives them. */
function rawOf(headers: IncomingHttpHeaders): Buffer[] {
  const raw: Buffer[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value])
      raw.push(Buffer.from(name), Buffer.from(String(each), 'latin1'));
  }
  return raw;
}

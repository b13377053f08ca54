import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { Client, type Dispatcher } from 'undici';
import { ignore } from '../base/promises.js';
import type { CloseReason } from '../snapshot/http.js';
import { encoded, isIterable, told, withHeader } from './body.js';
import type { Connection, ConnectionListener, RequestParts, ResponseHandler, Sending } from './connection.js';
import type { Dialled } from './dial.js';
import type { HealthCheck } from './health-check.js';
import type { HttpSettings } from './options.js';
import type { ProxyServer } from './proxy.js';

/** The server may close a kept connection so much before its hint is over, the way to us included. */
const HINT_MARGIN_MS = 1000;

/**
 * A socket with undici's parser on it: an undici Client is one connection. It is handed the socket that is open
 * already, and no other when that is gone: what it has not begun to send then fails, and is sent elsewhere by us.
 */
export class H1Connection implements Connection, Sending {
  readonly protocol = 'h1';
  readonly capacity = 1;
  readonly settling = false;
  readonly id: number;
  readonly openedAt: number;
  readonly connectMs: number;
  readonly tlsMs: number | null;
  readonly localPort: number | null;
  readonly #socket: Socket;
  readonly #client: Client;
  readonly #servername: string;
  readonly #forwarder: ProxyServer | null;
  readonly #origin: string;
  #reason: CloseReason | null = null;
  /** The server has closed it, as undici or the kernel says. */
  #byServer = false;
  #begun = false;

  constructor(
    id: number,
    url: URL,
    { socket, connectMs, tlsMs, forwarder }: Dialled,
    settings: HttpSettings,
    listener: ConnectionListener,
  ) {
    this.id = id;
    this.openedAt = settings.clock.now();
    this.connectMs = connectMs;
    this.tlsMs = tlsMs;
    this.localPort = socket.localPort ?? null;
    this.#socket = socket;
    this.#servername = url.hostname;
    this.#forwarder = forwarder;
    this.#origin = url.origin;
    this.#client = clientOn(socket, url, settings);
    // undici says by the error why it closes a socket.
    socket.on('error', (error: Error & { readonly code?: string }) => {
      this.#reason ??= reasonOf(error);
      this.#byServer = isByServer(error);
    });
    socket.once('close', () => {
      listener.closed(this.#reason ?? 'server', this.#byServer || this.#reason === null);
      this.#client.destroy().catch(ignore);
    });
    // An idle connection keeps no process alive; undici sees to that once it has the socket.
    socket.unref();
  }

  get usable(): boolean {
    const socket = this.#socket;
    return this.#reason === null && !socket.destroyed && !socket.readableEnded && socket.readableLength === 0;
  }

  get unflushed(): boolean {
    return this.#socket.writableLength > 0;
  }

  dispatch(request: RequestParts, handler: ResponseHandler): void {
    this.#dispatch(request, handler);
  }

  /** `reset`: whether the connection is closed after it; null leaves that to undici, which does so after HEAD. */
  #dispatch(request: RequestParts, handler: ResponseHandler, reset: boolean | null = null): void {
    const { path, method, headers, body } = this.#forwarder === null ? request : this.#forwarded(request);
    if (!this.#begun) {
      this.#begun = true;
      this.#socket.ref();
    }
    // Blobs undici knows by their looks.
    const form = body instanceof FormData ? encoded(body) : null;
    const isPieces = isIterable(body) && !(body instanceof Readable && !body.readableObjectMode);
    this.#client.dispatch(
      {
        path,
        method,
        headers:
          form === null || form.type === null ? headers : withHeader(headers, 'content-type', form.type),
        body: form !== null ? form.stream : isPieces ? told(body) : body,
        // Or undici would reconnect when the next request has another `host` header.
        servername: this.#servername,
        reset,
      } as unknown as Dispatcher.DispatchOptions,
      handler as unknown as Dispatcher.DispatchHandler,
    );
  }

  /** As a proxy takes it: the whole URL as the path (RFC 9112, 3.2.2), and who asks. */
  #forwarded(request: RequestParts): RequestParts {
    const { path, headers } = request;
    const authorization = this.#forwarder?.authorization ?? null;
    return {
      ...request,
      path: `${this.#origin}${path}`,
      headers: authorization === null ? headers : withHeader(headers, 'proxy-authorization', authorization),
    };
  }

  watchWrites(stalledMs: number, stalled: () => void): () => void {
    const socket = this.#socket;
    // Node's own: it begins anew whenever the kernel takes bytes, also in the middle of a large piece.
    const listener = (): void => {
      if (socket.writableLength > 0) stalled();
      else socket.setTimeout(stalledMs);
    };
    socket.setTimeout(stalledMs);
    socket.on('timeout', listener);
    return () => {
      socket.setTimeout(0);
      socket.off('timeout', listener);
    };
  }

  suspect(): void {
    this.destroy('timeout');
  }

  prove({ method, path }: HealthCheck, done: (isAlive: boolean) => void): void {
    this.#dispatch(
      { method, path, headers: null, body: null },
      {
        onConnect: ignore,
        onHeaders: () => true,
        onData: () => true,
        // In the next microtask: the parser may be about to close the connection.
        onComplete: () => queueMicrotask(() => done(true)),
        onError: () => done(false),
      },
      false,
    );
  }

  /** A connection of HTTP/1.1 cannot outlive a request that is given up. */
  givenUp(reason: CloseReason): void {
    this.#reason ??= reason;
  }

  destroy(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#client.destroy().catch(ignore);
    this.#socket.destroy();
  }
}

function clientOn(socket: Socket, url: URL, settings: HttpSettings): Client {
  const { keepaliveExpiryMs, maxHeaderBytes, maxResponseBytes } = settings;
  let taken = false;
  const expiryMs = Math.max(1, keepaliveExpiryMs);
  return new Client(url.origin, {
    connect: (_options, callback) => {
      // In a turn of its own: undici does not look at its queue again while it is busy with it.
      queueMicrotask(() => {
        if (taken || socket.destroyed) {
          callback(new Error('the connection is gone'), null);
          return;
        }
        taken = true;
        callback(null, socket);
      });
    },
    pipelining: 1,
    // The server's hint can shorten the time, and not make it longer.
    keepAliveTimeout: expiryMs,
    keepAliveMaxTimeout: expiryMs,
    keepAliveTimeoutThreshold: HINT_MARGIN_MS,
    // Timeouts are ours: exact, told apart, and not running while nobody reads.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: maxHeaderBytes,
    ...(maxResponseBytes === null ? {} : { maxResponseSize: maxResponseBytes }),
  });
}

/** Not so where an answer had `Connection: close`: that is UND_ERR_INFO. */
function isByServer({ code }: { readonly code?: string }): boolean {
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** undici's words for why it closed a socket. */
function reasonOf(error: Error & { readonly code?: string }): CloseReason {
  if (error.code === 'UND_ERR_INFO') {
    if (error.message.includes('idle timeout')) return 'expiry';
    return error.message === 'aborted' ? 'aborted' : 'server';
  }
  return error.code === 'UND_ERR_SOCKET' && /closed/.test(error.message) ? 'server' : 'error';
}

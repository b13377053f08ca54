import type { CloseReason, Protocol } from '../snapshot/http.js';
import type { HealthCheck } from './health-check.js';

/** The parts of a request, as undici takes them. */
export interface RequestParts {
  readonly path: string;
  readonly method: string;
  readonly headers: HttpHeaders;
  readonly body: unknown;
}

/** By name, or names and values in turn. */
export type HttpHeaders =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | readonly string[]
  | Iterable<readonly [string, string]>
  | null;

/**
 * The receiver of a response: the part of undici's handlers that its `request`, Node's `fetch` and its parser share. Each
 * raw header is a name followed by a value.
 */
export interface ResponseHandler {
  /** Once, before anything else. What it is handed gives the request up; the second, if any, is about its sending. */
  onConnect(abort: (reason?: Error) => void, sending?: object | null): void;
  /** Also for statuses from 100. false: no data until `resume` is called. */
  onHeaders(
    statusCode: number,
    rawHeaders: readonly RawHeader[],
    resume: () => void,
    statusText: string,
  ): boolean | undefined;
  /** false: no more until `resume` is called. */
  onData(chunk: Buffer): boolean;
  onComplete(rawTrailers: readonly RawHeader[] | null): void;
  onError(error: Error): void;
  onResponseStarted?(): void;
  /** A piece of the body has been handed to the socket. */
  onBodySent?(chunk: unknown): void;
  /** All of the request has been handed to the socket. */
  onRequestSent?(): void;
}

/** The value of a name that comes more than once may be an array. */
export type RawHeader = Buffer | readonly Buffer[];

/** The way of a request into the kernel. */
export interface Sending {
  /** Whether bytes wait for the kernel to take them. */
  readonly unflushed: boolean;
  /** Watches that bytes are taken: calls back when none were for so long. Returns the way to stop. */
  watchWrites(stalledMs: number, stalled: () => void): () => void;
}

/** One connection, for one request at a time or, with HTTP/2, many. */
export interface Connection {
  readonly id: number;
  readonly protocol: Protocol;
  /** By the clock. */
  readonly openedAt: number;
  readonly connectMs: number;
  /** null without TLS. */
  readonly tlsMs: number | null;
  readonly localPort: number | null;
  /** Requests that it can carry at once now; 0 while it has to prove that it is alive. */
  readonly capacity: number;
  /** Its capacity is not known yet: the server will say it within one round trip. */
  readonly settling: boolean;
  /** Whether another request can be sent over it at all. */
  readonly usable: boolean;
  dispatch(request: RequestParts, handler: ResponseHandler): void;
  /** A request on it took too long: it may be dead. It takes no more requests until it has proved the opposite. */
  suspect(): void;
  /** Asks the server for a sign of life; calls back when there is one, or none can come. Nothing else is on it. */
  prove(check: HealthCheck, done: (isAlive: boolean) => void): void;
  /** A request on it is given up before its end, for this reason. */
  givenUp(reason: CloseReason): void;
  /** Requests in progress on it fail. */
  destroy(reason: CloseReason): void;
}

/** The events of a connection. */
export interface ConnectionListener {
  /** It is gone; once. `unannounced`: the server has closed it, and had not said that it would. */
  closed(reason: CloseReason, unannounced: boolean): void;
  /** Its capacity has changed, or it takes no more requests. */
  changed(): void;
}

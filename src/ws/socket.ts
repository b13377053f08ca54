import type { FeedError } from './errors.js';

/** What a connection needs of a WebSocket: the wire under the pool, `ws` but for tests on a virtual clock. */
export interface FeedSocket {
  send(text: string): void;
  ping(): void;
  /** Says goodbye; `closed` follows once the server has answered. */
  close(): void;
  /** Ends it at once, without a word; `closed` follows. */
  terminate(): void;
}

/** What a socket tells. Nothing after `closed`, which comes exactly once, whether or not it was ever open. */
export interface SocketListener {
  opened(): void;
  message(text: string, bytes: number): void;
  /** A frame without a message: a ping or a pong. It shows that the peer is there. */
  control(frame: 'ping' | 'pong'): void;
  closed(end: SocketEnd): void;
}

/** How a socket came to its end. */
export interface SocketEnd {
  readonly error: FeedError;
  /** What the server asks us to wait before the next try (Retry-After); null where it says nothing. */
  readonly retryAfterMs: number | null;
}

export interface DialTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Larger messages end the connection. */
  readonly maxMessageBytes: number;
  readonly tls: TlsOptions;
}

export interface TlsOptions {
  /** Certificates to trust in place of the system's, as PEM text. */
  readonly ca?: string;
  /** The name that the certificate has to be for, if it is not the URL's. */
  readonly serverName?: string;
  /** Whether the certificate is checked. Default true. */
  readonly verify?: boolean;
}

/** Begins to open a socket. Never throws: what fails is told by `closed`, in a later turn of the event loop. */
export type DialSocket = (target: DialTarget, listener: SocketListener) => FeedSocket;

import type { Agent } from 'node:http';
import type { FeedError } from './errors.js';

/** Text goes in a text frame, bytes in a binary frame. */
export type Outgoing = string | Uint8Array;

/**
 * The interface of a connection to a WebSocket: the wire under the pool. It is `ws`, except in tests on a virtual
 * clock.
 */
export interface FeedSocket {
  /** Text goes in a text frame, bytes in a binary frame. */
  send(frame: Outgoing): void;
  ping(): void;
  /** Says goodbye with code 1000; `closed` follows once the server has answered. */
  close(): void;
  /** Ends it at once, without a word; `closed` follows. */
  terminate(): void;
}

/** The events of a socket. Nothing follows `closed`, which comes exactly once, even if the socket was never open. */
export interface SocketListener {
  opened(): void;
  /** A string if the frame was text, else the bytes; and the size of the frame. */
  message(data: string | Uint8Array, bytes: number): void;
  /** A frame without a message: a ping or a pong. It shows that the peer is there. */
  control(frame: 'ping' | 'pong'): void;
  closed(end: SocketEnd): void;
}

/** How a socket came to its end. */
export interface SocketEnd {
  readonly error: FeedError;
  /** The server's delay before the next try (Retry-After); null if it gives none. */
  readonly retryAfterMs: number | null;
  /** The HTTP status that refused the upgrade. */
  readonly httpStatus?: number | null;
  /** The code and the reason of the server's close frame. */
  readonly code?: number | null;
  readonly reason?: string;
}

export interface DialTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Larger messages end the connection. */
  readonly maxMessageBytes: number;
  readonly tls: TlsOptions;
  readonly subprotocols?: readonly string[];
  /** How many redirects of the upgrade are followed. Default 0. */
  readonly redirects?: number;
  /** Offers permessage-deflate. Default false. */
  readonly compression?: boolean;
  /** `http://` or `https://` URL of a proxy that the socket goes through, or `env`. */
  readonly proxy?: string | null;
  /** Opens the connection under the socket, in place of `proxy`. */
  readonly agent?: Agent | null;
}

export interface TlsOptions {
  /** Certificates to trust in place of the system's, as PEM text. */
  readonly ca?: string;
  /** The name that the certificate has to be for, if it is not the URL's. */
  readonly serverName?: string;
  /** Whether the certificate is checked. Default true. */
  readonly verify?: boolean;
  /** Our own certificate and its key, as PEM text, where the server asks for one. */
  readonly cert?: string;
  readonly key?: string;
  /** Decrypts the key. */
  readonly passphrase?: string;
}

/** Starts to open a socket. Never throws: a failure is reported by `closed`, in a later turn of the event loop. */
export type DialSocket = (target: DialTarget, listener: SocketListener) => FeedSocket;

import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import {
  createHttpPool,
  type HttpPool,
  type HttpPoolOptions,
  type HttpResponse,
} from '../../src/http/index.js';
import { certificate, key } from '../ws/certificate.js';

export { certificate, key };

/** A server on this machine that counts what reaches it. */
export interface Peer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Connections that are open, were ever opened, and the most there were at once. */
  readonly sockets: Set<Socket>;
  opened: number;
  peak: number;
  /** Requests by `METHOD /path`, as they arrive. */
  readonly seen: Map<string, number>;
}

type Serve = (request: IncomingMessage, response: ServerResponse, peer: Peer) => void;

/** What a test has opened, to be closed after it. */
export class Opened {
  readonly #open: AsyncDisposable[] = [];

  add<T extends AsyncDisposable>(one: T): T {
    this.#open.push(one);
    return one;
  }

  /** Waits between tries are short unless said otherwise: what is tested is what happens, not when. */
  pool(options: HttpPoolOptions = {}): HttpPool {
    const retry = options.retry === false ? false : { backoffFactor: 0.01, ...options.retry };
    return this.add(new ClosedAtOnce(createHttpPool({ ...options, retry }))).pool;
  }

  async http(serve: Serve, options: { keepAliveTimeout?: number } = {}): Promise<Peer> {
    // No hint, which would shorten our own expiry.
    const server = createHttpServer({ keepAliveTimeout: 0, ...options }, (request, response) => {
      count(peer, `${request.method} ${request.url}`);
      response.on('error', () => {});
      serve(request, response, peer);
    });
    const peer = await listen(server, 'http');
    return this.add(peer);
  }

  async https(serve: Serve): Promise<Peer> {
    const server = createHttpsServer({ cert: certificate, key }, (request, response) => {
      count(peer, `${request.method} ${request.url}`);
      serve(request, response, peer);
    });
    server.on('tlsClientError', () => {});
    const peer = await listen(server, 'https');
    return this.add(peer);
  }

  async h2(
    serve: (stream: ServerHttp2Stream, path: string, peer: H2Peer) => void,
    settings = {},
  ): Promise<H2Peer> {
    const sessions = new Set<ServerHttp2Session>();
    const server = createSecureServer({ cert: certificate, key, settings });
    server.on('session', (session) => {
      sessions.add(session);
      session.on('error', () => {}).on('close', () => sessions.delete(session));
    });
    server.on('stream', (stream, headers) => {
      const path = String(headers[':path']);
      count(peer, `${headers[':method']} ${path}`);
      peer.streams++;
      peer.peakStreams = Math.max(peer.peakStreams, peer.streams);
      stream.on('error', () => {}).on('close', () => peer.streams--);
      serve(stream, path, peer);
    });
    const plain = await listen(server, 'https');
    const peer: H2Peer = Object.assign(plain, { sessions, streams: 0, peakStreams: 0 });
    return this.add(peer);
  }

  /** A peer on TCP that does with its clients what it is told. */
  async tcp(serve: (socket: Socket, peer: Peer) => void, options = {}): Promise<Peer> {
    const server = createTcpServer(options, (socket) => serve(socket, peer));
    const peer = await listen(server, 'http');
    return this.add(peer);
  }

  /** Any other server. */
  async listening(server: NetServer): Promise<Peer> {
    return this.add(await listen(server, 'tcp'));
  }

  async close(): Promise<void> {
    for (const each of this.#open.splice(0).reverse()) await each[Symbol.asyncDispose]();
  }
}

export interface H2Peer extends Peer {
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  streams: number;
  peakStreams: number;
}

class ClosedAtOnce implements AsyncDisposable {
  readonly pool: HttpPool;
  constructor(pool: HttpPool) {
    this.pool = pool;
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.pool.close({ graceMs: 0 });
  }
}

async function listen(server: NetServer | Server, scheme: string): Promise<Peer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    peer.opened++;
    peer.peak = Math.max(peer.peak, sockets.size);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const peer: Peer = {
    url: `${scheme}://127.0.0.1:${port}`,
    port,
    sockets,
    opened: 0,
    peak: 0,
    seen: new Map(),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
  return peer;
}

export function count(peer: Peer, what: string): number {
  const times = (peer.seen.get(what) ?? 0) + 1;
  peer.seen.set(what, times);
  return times;
}

/** The whole request as text of HTTP/1.1, by a peer that reads it itself; called for each. */
export function onRequestText(socket: Socket, heard: (text: string) => void): void {
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
    for (;;) {
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      heard(text.slice(0, end + 4 + length));
      text = text.slice(end + 4 + length);
    }
  });
}

/** The body as text, once the status is as expected. */
export async function textOf(response: Promise<HttpResponse> | HttpResponse): Promise<string> {
  return (await response).body.text();
}

/** The error that a promise rejects with. */
export async function errorOf(
  promise: Promise<unknown>,
): Promise<Error & { code?: string; cause?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it has not failed');
}

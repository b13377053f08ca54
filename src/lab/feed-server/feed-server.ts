import { createServer as createHttp, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../base/clock.js';
import { systemClock } from '../../base/clock.js';
import { Feed, type FeedRules } from './feed.js';
import { publishAt } from './publish-rate.js';

export interface FeedServerOptions extends FeedRules {
  /** Default: any that is free. */
  readonly port?: number;
  /** Ticks a second over all connections. Default 0: only those of `feed.publish`. */
  readonly ticksPerSecond?: number;
  /** Serves wss:// with this certificate, as PEM text. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly clock?: Clock;
}

export interface FeedServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly feed: Feed;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

/** The limit of data that a client has not read yet; beyond it ticks are left out, as venues do. */
const MAX_BUFFERED_BYTES = 4e6;

/** Serves a Feed on real sockets, on loopback. */
export async function startFeedServer(options: FeedServerOptions = {}): Promise<FeedServer> {
  const { port = 0, ticksPerSecond = 0, tls, clock = systemClock } = options;
  const feed = new Feed(clock, options);
  const http: Server = tls === undefined ? createHttp(answerPlain) : createHttps(tls, answerPlain);
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  http.on('upgrade', (request, socket, head) => {
    const refusal = feed.opening();
    if (refusal !== null) {
      const retryAfter = refusal.retryAfter === null ? '' : `Retry-After: ${refusal.retryAfter}\r\n`;
      socket.end(
        `HTTP/1.1 ${refusal.status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n${retryAfter}\r\n`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => serve(feed, webSocket));
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, '127.0.0.1', resolve);
  });
  const stop =
    ticksPerSecond > 0 ? publishAt(ticksPerSecond, (count) => feed.publish(count), clock) : () => {};
  const { port: bound } = http.address() as AddressInfo;
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closing ??= new Promise((resolve) => {
      stop();
      for (const client of sockets.clients) client.terminate();
      http.close(() => resolve());
      http.closeAllConnections();
    });
    return closing;
  };
  return {
    url: `${tls === undefined ? 'ws' : 'wss'}://127.0.0.1:${bound}/feed`,
    port: bound,
    feed,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function answerPlain(
  _request: unknown,
  response: { writeHead(status: number): { end(text: string): void } },
): void {
  response.writeHead(200).end('a feed; speak WebSocket\n');
}

function serve(feed: Feed, socket: WebSocket): void {
  const session = feed.attach({
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < MAX_BUFFERED_BYTES)
        socket.send(text);
    },
    terminate: () => socket.terminate(),
    freeze: () => socket.pause(),
  });
  socket.on('message', (data: Buffer) => session.receive(data.toString('utf8')));
  socket.on('ping', () => session.pinged());
  socket.on('close', () => session.detached());
  // Followed by `close`.
  socket.on('error', () => {});
}

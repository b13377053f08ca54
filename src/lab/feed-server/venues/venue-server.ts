import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { type Clock, systemClock } from '../../../base/clock.js';
import { publishAt } from '../publish-rate.js';
import { VenueMarket } from './venue-market.js';
import type { VenueWire } from './venue-wire.js';

export interface VenueServerOptions {
  /** Events a second over all symbols. Default 0: only those of `market.event` and `market.publish`. */
  readonly eventsPerSecond?: number;
  /** Serves wss:// with this certificate, as PEM text; `ca` asks clients for a certificate of that issuer. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string };
  /** Default: any that is free. */
  readonly port?: number;
  readonly clock?: Clock;
}

export interface VenueServer extends AsyncDisposable {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly port: number;
  readonly market: VenueMarket;
  close(): Promise<void>;
}

const MAX_BUFFERED_BYTES = 4e6;

/** Serves a venue on real sockets, on loopback. */
export async function startVenueServer(
  wire: VenueWire,
  options: VenueServerOptions = {},
): Promise<VenueServer> {
  const { eventsPerSecond = 0, tls, port = 0, clock = systemClock } = options;
  const market = new VenueMarket(wire, clock);
  const http = tls === undefined ? createHttp() : createHttps({ ...tls, requestCert: tls.ca !== undefined });
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: wire.compresses ? { threshold: 256 } : false,
  });
  http.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url ?? '/', 'ws://venue.test');
    const refusal = market.opening(url, request.headers as Record<string, string | undefined>);
    if (refusal === null) {
      sockets.handleUpgrade(request, socket, head, (webSocket) => serve(market, url, webSocket));
      return;
    }
    const retryAfter = refusal.retryAfter === null ? '' : `Retry-After: ${refusal.retryAfter}\r\n`;
    socket.end(
      `HTTP/1.1 ${refusal.status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n${retryAfter}\r\n`,
    );
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, '127.0.0.1', resolve);
  });
  const stop =
    eventsPerSecond > 0 ? publishAt(eventsPerSecond, (count) => market.publish(count), clock) : () => {};
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
  const origin = `${tls === undefined ? 'ws' : 'wss'}://127.0.0.1:${bound}`;
  return { origin, port: bound, market, close, [Symbol.asyncDispose]: close };
}

function serve(market: VenueMarket, url: URL, socket: WebSocket): void {
  const end = market.attach(url, {
    send: (frame) => {
      if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < MAX_BUFFERED_BYTES)
        socket.send(frame);
    },
    ping: () => {
      if (socket.readyState === WebSocket.OPEN) socket.ping(String(Date.now()));
    },
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
    freeze: () => socket.pause(),
  });
  socket.on('message', (data: Buffer, isBinary) => end.received(isBinary ? data : data.toString('utf8')));
  socket.on('ping', () => end.pinged());
  socket.on('pong', () => end.ponged());
  socket.on('close', () => end.detached());
  // Followed by `close`.
  socket.on('error', () => {});
}

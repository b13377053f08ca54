import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';

export interface Script {
  /** How an upgrade is refused: an HTTP status, or a redirect. null accepts it. */
  upgrade?(
    request: IncomingMessage,
    dial: number,
  ): { status: number; location?: string; retryAfter?: string } | null;
  opened?(socket: WebSocket, dial: number, request: IncomingMessage): void;
  received?(socket: WebSocket, data: string | Buffer, dial: number): void;
  readonly options?: Partial<ServerOptions>;
}

export interface ScriptedVenue extends AsyncDisposable {
  readonly url: string;
  readonly sockets: WebSocket[];
  readonly requests: IncomingMessage[];
  /** What came, in order; binary as Buffers. */
  readonly heard: (string | Buffer)[];
}

/** A venue on real sockets that does what a test tells it, frame by frame. */
export async function scriptedVenue(script: Script): Promise<ScriptedVenue> {
  const http = createServer((_request, response) => void response.writeHead(404).end());
  const server = new WebSocketServer({ noServer: true, ...script.options });
  const sockets: WebSocket[] = [];
  const requests: IncomingMessage[] = [];
  const heard: (string | Buffer)[] = [];
  http.on('upgrade', (request, socket, head) => {
    const dial = requests.push(request);
    const refusal = script.upgrade?.(request, dial) ?? null;
    if (refusal !== null) {
      const { status, location, retryAfter } = refusal;
      const headers = [
        `HTTP/1.1 ${status} No`,
        'Connection: close',
        'Content-Length: 0',
        ...(location === undefined ? [] : [`Location: ${location}`]),
        ...(retryAfter === undefined ? [] : [`Retry-After: ${retryAfter}`]),
      ];
      socket.end(`${headers.join('\r\n')}\r\n\r\n`);
      return;
    }
    server.handleUpgrade(request, socket, head, (webSocket) => {
      sockets.push(webSocket);
      webSocket.on('error', () => {});
      webSocket.on('message', (data: Buffer, isBinary) => {
        const read = isBinary ? Buffer.from(data) : data.toString();
        heard.push(read);
        script.received?.(webSocket, read, dial);
      });
      script.opened?.(webSocket, dial, request);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    ...{ sockets, requests, heard },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => void http.close(resolve));
    },
  };
}

import { Agent, type ClientRequest, type ClientRequestArgs, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';

/** The proxy refused the tunnel, or could not be reached. */
export class ProxyError extends Error {
  readonly hint: string | null;

  constructor(message: string, hint: string | null = null, cause?: unknown) {
    super(message, { cause });
    this.hint = hint;
  }
}

type Made = (error: Error | null, socket?: Socket) => void;

/**
 * An agent whose connections are tunnels through an HTTP proxy (CONNECT), one for each dial. User and password in the
 * URL are sent to the proxy. TLS of a `wss://` URL goes through the tunnel, from us to the server.
 */
export function proxyAgent(proxy: string): Agent {
  return new TunnelAgent(new URL(proxy));
}

class TunnelAgent extends Agent {
  readonly #proxy: URL;
  /** Node asks an agent for its protocol before it lets `https` use it. */
  protocol: string | undefined = undefined;

  constructor(proxy: URL) {
    super({ keepAlive: false });
    this.#proxy = proxy;
  }

  // Not `createConnection`: that is asked for a socket at once in old versions of Node.
  addRequest(request: ClientRequest, options: TunnelOptions): void {
    const made: Made = (error, socket) => {
      if (socket !== undefined) request.onSocket(socket);
      // A request that has no socket yet hears of an error only this way, as from Node's own agent.
      else
        (request as unknown as FailingRequest).onSocket(
          null,
          error ?? new ProxyError('it gave no connection'),
        );
    };
    const opening = this.#open(options, made);
    request.once('close', () => opening.destroy());
  }

  #open(options: TunnelOptions, made: Made): ClientRequest {
    const proxy = this.#proxy;
    const isSecureProxy = proxy.protocol === 'https:';
    const { host = 'localhost', port } = options;
    const authority = `${isIP(String(host)) === 6 ? `[${host}]` : host}:${port}`;
    const user = decodeURIComponent(proxy.username);
    const password = decodeURIComponent(proxy.password);
    const credentials = Buffer.from(`${user}:${password}`).toString('base64');
    const opening = (isSecureProxy ? httpsRequest : httpRequest)({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port === '' ? (isSecureProxy ? 443 : 80) : proxy.port,
      method: 'CONNECT',
      path: authority,
      agent: false,
      headers: {
        host: authority,
        ...(user === '' ? {} : { 'proxy-authorization': `Basic ${credentials}` }),
      },
    });
    opening.once('connect', (response, socket: Socket, head: Buffer) => {
      const { statusCode = 0 } = response;
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        made(new ProxyError(`it answers with HTTP ${statusCode}`, hintOf(statusCode)));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      made(null, isSecure(options) ? throughTls(socket, options) : socket);
    });
    // A proxy that answers a CONNECT as a web server does.
    opening.once('response', (response) => {
      response.resume();
      opening.destroy();
      made(new ProxyError(`it answers with HTTP ${response.statusCode}`, hintOf(response.statusCode ?? 0)));
    });
    opening.once('error', (cause) => made(new ProxyError('it cannot be reached', 'check the proxy', cause)));
    opening.end();
    return opening;
  }
}

interface FailingRequest {
  onSocket(socket: null, error: Error): void;
}

interface TunnelOptions extends ClientRequestArgs {
  readonly servername?: string;
  readonly protocol?: string | null;
}

/** `ws` gives the port that its URL's scheme has by default. */
function isSecure({ defaultPort }: TunnelOptions): boolean {
  return Number(defaultPort) === 443;
}

function throughTls(socket: Socket, options: TunnelOptions): Socket {
  const { host = 'localhost', servername } = options;
  const name = servername ?? (isIP(String(host)) === 0 ? String(host) : undefined);
  // Node's own option names, as `ws` was given them; the path is the request's, not a socket's.
  const { path: _path, host: _host, port: _port, ...tls } = options;
  const secure = tlsConnect({
    ...tls,
    socket,
    ...(name === undefined ? {} : { servername: name }),
  } as object);
  return secure;
}

function hintOf(status: number): string | null {
  return status === 407 ? 'give user and password in the URL of the proxy' : null;
}

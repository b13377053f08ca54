import { isIP, connect as netConnect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';
import { HttpError, HttpTimeoutError } from './errors.js';
import type { HttpSettings } from './options.js';
import { type ProxyServer, tunnel } from './proxy.js';

/** A connection that is open, before anything was sent over it. */
export interface Dialled {
  readonly socket: Socket;
  readonly protocol: 'h1' | 'h2';
  readonly connectMs: number;
  /** null without TLS. */
  readonly tlsMs: number | null;
  /** The proxy at the other end, which wants the whole URL of each request; null for a server or a tunnel to one. */
  readonly forwarder: ProxyServer | null;
}

export interface DialOutcome {
  opened(dialled: Dialled): void;
  failed(error: HttpError): void;
}

/** Sessions of TLS, by origin, so that further handshakes are short. */
export class TlsSessions {
  readonly #sessions = new Map<string, Buffer>();

  get(origin: string): Buffer | undefined {
    return this.#sessions.get(origin);
  }

  set(origin: string, session: Buffer): void {
    // The newest last: with many origins the oldest goes.
    this.#sessions.delete(origin);
    this.#sessions.set(origin, session);
    if (this.#sessions.size > 100) this.#sessions.delete(this.#sessions.keys().next().value ?? '');
  }
}

/** The target of connections: the address, and the name that TLS asks for. */
export interface Destination {
  readonly url: URL;
  readonly key: string;
  /** null: the host of the URL. */
  readonly serverName: string | null;
}

/**
 * Opens a socket, through a proxy if there is one, TLS included, within the timeout. Returns a function that gives
 * up; after that, no callback runs.
 */
export function dial(
  to: Destination,
  settings: HttpSettings,
  sessions: TlsSessions,
  outcome: DialOutcome,
): () => void {
  const { clock, timeouts } = settings;
  const { url } = to;
  const startedAt = clock.now();
  let connectedAt: number | null = null;
  let over = false;
  let socket: Socket;
  const end = (): boolean => {
    if (over) return false;
    over = true;
    timer?.cancel();
    return true;
  };
  const fail = (error: HttpError): void => {
    if (!end()) return;
    socket.destroy();
    outcome.failed(error);
  };
  const timer =
    timeouts.connectMs === null
      ? null
      : clock.setTimer(() => {
          const limitMs = timeouts.connectMs ?? 0;
          const what = connectedAt !== null ? 'the TLS handshake with' : 'a connection to';
          const message = `${what} ${to.key} was not there within ${limitMs} ms`;
          fail(new HttpTimeoutError('connect', limitMs, message));
        }, timeouts.connectMs);
  const watch = (opened: Socket, errorOf: (cause: Error) => HttpError): void => {
    socket = opened;
    // For as long as the socket lives: what comes when nobody has it in hand must not end the process.
    opened.on('error', (error: Error) => fail(errorOf(error)));
    opened.once('close', () => fail(errorOf(new Error('the connection was closed'))));
  };
  const connected = (plain: Socket, forwarder: ProxyServer | null): void => {
    connectedAt = clock.now();
    const connectMs = connectedAt - startedAt;
    if (url.protocol === 'http:') {
      if (end()) outcome.opened({ socket: plain, protocol: 'h1', connectMs, tlsMs: null, forwarder });
      return;
    }
    const secured = tlsConnect({ socket: plain, ...tlsOptions(to, settings, sessions) });
    watch(secured, (cause) => connectError(to.key, cause));
    secured.on('session', (session: Buffer) => sessions.set(to.key, session));
    secured.once('secureConnect', () => {
      if (!end()) return;
      const protocol = secured.alpnProtocol === 'h2' ? 'h2' : 'h1';
      const tlsMs = clock.now() - (connectedAt ?? 0);
      outcome.opened({ socket: secured, protocol, connectMs, tlsMs, forwarder: null });
    });
  };
  const proxy = settings.proxy(url);
  const first = proxy === null ? reach(url, settings) : reachProxy(proxy, settings);
  first.setNoDelay(true);
  first.setKeepAlive(true, 60_000);
  watch(first, (cause) => connectError(proxy === null ? to.key : `the proxy ${proxy.url.origin}`, cause));
  first.once(proxy?.url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
    if (over) return;
    if (proxy === null || url.protocol === 'http:') connected(first, proxy);
    else
      tunnel(first, proxy, url).then((socket) => (over ? socket.destroy() : connected(socket, null)), fail);
  });
  return () => {
    if (end()) socket.destroy();
  };
}

function reach(url: URL, { socketPath, lookup, family }: HttpSettings): Socket {
  if (socketPath !== null) return netConnect({ path: socketPath });
  return netConnect({
    host: hostOf(url),
    port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    ...(lookup === null ? {} : { lookup }),
    ...(family === null ? {} : { family }),
  });
}

/** The way to a proxy may have TLS of its own, inside of which that to the server is. */
function reachProxy({ url }: ProxyServer, settings: HttpSettings): Socket {
  const { ca } = settings.tls;
  if (url.protocol === 'http:') return reach(url, settings);
  const host = hostOf(url);
  return tlsConnect({
    host,
    port: Number(url.port || 443),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
  });
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function tlsOptions(
  { url, key: session, serverName }: Destination,
  { tls, http2 }: HttpSettings,
  sessions: TlsSessions,
): ConnectionOptions {
  const { ca, cert, key, verify } = tls;
  const host = hostOf(url);
  const name = tls.serverName ?? serverName ?? host;
  const known = sessions.get(session);
  return {
    host,
    ALPNProtocols: http2 === 'auto' ? ['h2', 'http/1.1'] : ['http/1.1'],
    // An IP address is no server name in TLS; Node checks the certificate against the host then.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(known === undefined ? {} : { session: known }),
    ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(verify === undefined ? {} : { rejectUnauthorized: verify }),
  };
}

/** OpenSSL's words for certificates it does not like, and Node's own. */
const CERTIFICATE =
  /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;

function connectError(origin: string, cause: Error & { readonly code?: string }): HttpError {
  const { code = '' } = cause;
  if (CERTIFICATE.test(code)) {
    return new HttpError('ERR_HTTP_TLS', `the certificate of ${origin} is not accepted`, {
      cause,
      hint: 'give its issuer as tls.ca',
    });
  }
  if (/^ERR_SSL_.*ALERT/.test(code))
    return new HttpError('ERR_HTTP_TLS', `${origin} does not accept our side of TLS`, { cause });
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return new HttpError('ERR_HTTP_TLS', `${origin} does not speak TLS`, {
      cause,
      hint: 'try http:// in place of https://',
    });
  }
  const why = code === '' ? '' : ` (${code})`;
  return new HttpError('ERR_HTTP_CONNECT', `cannot connect to ${origin}${why}`, { cause });
}

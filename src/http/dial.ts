import { isIP, connect as netConnect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { HttpError, HttpTimeoutError } from './errors.js';
import type { HttpSettings } from './options.js';

/** A connection that is open, before anything was sent over it. */
export interface Dialled {
  readonly socket: Socket;
  readonly protocol: 'h1' | 'h2';
  readonly connectMs: number;
  /** null without TLS. */
  readonly tlsMs: number | null;
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

/** Opens a socket, TLS included, within the time-out. Returns the way to give up, after which nothing is told. */
export function dial(
  url: URL,
  settings: HttpSettings,
  sessions: TlsSessions,
  outcome: DialOutcome,
): () => void {
  const { clock, timeouts } = settings;
  const secure = url.protocol === 'https:';
  const startedAt = clock.now();
  let connectedAt = startedAt;
  let over = false;
  const socket = open(url, settings, sessions);
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
          const what = connectedAt > startedAt ? 'the TLS handshake with' : 'a connection to';
          fail(
            new HttpTimeoutError(
              'connect',
              limitMs,
              `${what} ${url.origin} was not there within ${limitMs} ms`,
            ),
          );
        }, timeouts.connectMs);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 60_000);
  // For as long as the socket lives: what comes when nobody has it in hand must not end the process.
  socket.on('error', (error: Error) => fail(connectError(url.origin, error)));
  socket.once('close', () => fail(connectError(url.origin, new Error('the connection was closed'))));
  socket.once('connect', () => {
    connectedAt = clock.now();
    if (!secure && end())
      outcome.opened({ socket, protocol: 'h1', connectMs: connectedAt - startedAt, tlsMs: null });
  });
  if (secure) {
    socket.on('session', (session: Buffer) => sessions.set(url.origin, session));
    socket.once('secureConnect', () => {
      if (!end()) return;
      outcome.opened({
        socket,
        protocol: (socket as TLSSocket).alpnProtocol === 'h2' ? 'h2' : 'h1',
        connectMs: connectedAt - startedAt,
        tlsMs: clock.now() - connectedAt,
      });
    });
  }
  return () => {
    if (end()) socket.destroy();
  };
}

function open(url: URL, { tls, http2 }: HttpSettings, sessions: TlsSessions): Socket {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'http:') return netConnect({ host, port: Number(url.port || 80) });
  const { ca, cert, key, serverName, verify } = tls;
  const session = sessions.get(url.origin);
  return tlsConnect({
    host,
    port: Number(url.port || 443),
    ALPNProtocols: http2 === 'auto' ? ['h2', 'http/1.1'] : ['http/1.1'],
    // An IP address is no server name in TLS; Node checks the certificate against the host then.
    ...(serverName === undefined
      ? isIP(host) === 0
        ? { servername: host }
        : {}
      : { servername: serverName }),
    ...(session === undefined ? {} : { session }),
    ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(verify === undefined ? {} : { rejectUnauthorized: verify }),
  });
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

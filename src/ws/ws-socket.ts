import type { ClientRequest } from 'node:http';
import { WebSocket } from 'ws';
import { proxyOfDial } from './environment.js';
import { FeedError, type FeedErrorCode } from './errors.js';
import { ProxyError, proxyAgent } from './proxy.js';
import type { DialSocket, DialTarget, SocketEnd, TlsOptions } from './socket.js';

/** A socket on the package `ws`. */
export const dialWs: DialSocket = (target, listener) => {
  const { origin } = new URL(target.url);
  let refusal: SocketEnd | null = null;
  let error: Error | null = null;
  let wasOpen = false;
  const socket = open(target);
  socket.on('open', () => {
    wasOpen = true;
    listener.opened();
  });
  socket.on('message', (data: Buffer, isBinary: boolean) =>
    listener.message(isBinary ? data : data.toString('utf8'), data.byteLength),
  );
  socket.on('ping', () => listener.control('ping'));
  socket.on('pong', () => listener.control('pong'));
  socket.on('redirect', (url, request) => leaveBehind(target, url, request));
  socket.on('unexpected-response', (_request, response) => {
    const { headers, statusCode = 0 } = response;
    refusal = refusalOf(origin, statusCode, headers['retry-after'], headers.upgrade);
    response.resume();
    socket.terminate();
  });
  socket.on('error', (each) => {
    error ??= each;
  });
  socket.on('close', (code, reason) => {
    if (refusal !== null) listener.closed(refusal);
    else if (error !== null) listener.closed(failureOf(origin, error, wasOpen));
    else listener.closed(byPeer(origin, code, reason.toString('utf8')));
  });
  return {
    send: (frame) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame);
    },
    ping: () => {
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    },
    close: () => socket.close(1000),
    terminate: () => socket.terminate(),
  };
};

function open(target: DialTarget): WebSocket {
  const { url, headers, maxMessageBytes, tls, subprotocols = [], redirects = 0, agent } = target;
  const proxy = proxyOfDial(target.proxy ?? null, url);
  return new WebSocket(url, [...subprotocols], {
    headers,
    maxPayload: maxMessageBytes,
    // A window of memory and a thread's work per connection, for messages of a hundred bytes.
    perMessageDeflate: target.compression ?? false,
    followRedirects: redirects > 0,
    maxRedirects: redirects,
    ...(agent != null ? { agent } : proxy !== null ? { agent: proxyAgent(proxy) } : {}),
    ...tlsOf(tls),
  });
}

function tlsOf(tls: TlsOptions): object {
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    ...(tls.verify === undefined ? {} : { rejectUnauthorized: tls.verify }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }),
  };
}

/** Credentials stay with the host that they are for, and do not leave TLS. The package `ws` drops only two headers. */
function leaveBehind(target: DialTarget, url: string, request: ClientRequest): void {
  const [from, to] = [new URL(target.url), new URL(url, target.url)];
  if (to.host === from.host && !(from.protocol === 'wss:' && to.protocol !== 'wss:')) return;
  for (const name of [...Object.keys(target.headers), 'authorization', 'cookie', 'host']) {
    if (name.toLowerCase() === 'host') request.setHeader('host', to.host);
    else request.removeHeader(name);
  }
}

function refusalOf(
  origin: string,
  status: number,
  retryAfter: string | undefined,
  upgrade: string | undefined,
): SocketEnd {
  const retryAfterMs = retryAfterOf(retryAfter);
  if (status === 401 || status === 403) {
    return {
      error: new FeedError('ERR_FEED_AUTH', `${origin} refuses the credentials (HTTP ${status})`, {
        hint: 'renew the token; it is not tried again with this one',
      }),
      retryAfterMs,
      httpStatus: status,
    };
  }
  if (status === 429 || status >= 500) {
    return {
      error: new FeedError('ERR_FEED_CONNECT', `${origin} takes no connection now (HTTP ${status})`, {
        hint: status === 429 ? 'too many dials: close other clients, or lower the dial limit' : null,
      }),
      retryAfterMs,
      httpStatus: status,
    };
  }
  return {
    error: new FeedError(
      'ERR_FEED_NOT_WEBSOCKET',
      `${origin} answers with HTTP ${status} and does not become a WebSocket${upgrade === undefined ? '' : ` (it offers ${upgrade})`}`,
      { hint: 'check the path of the URL' },
    ),
    retryAfterMs,
    httpStatus: status,
  };
}

/** Seconds, or a date. */
function retryAfterOf(header: string | undefined): number | null {
  if (header === undefined) return null;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}

function byPeer(origin: string, code: number, reason: string): SocketEnd {
  const said = reason === '' ? '' : `: ${reason}`;
  const message =
    code === 1006
      ? `${origin} broke the connection off`
      : `${origin} closed the connection with code ${code}${said}`;
  return {
    error: new FeedError('ERR_FEED_LOST', message),
    retryAfterMs: null,
    // 1005 and 1006 stand for a close frame without a code, and for none.
    code: code === 1005 || code === 1006 ? null : code,
    reason,
  };
}

/** OpenSSL's words for certificates it does not like, and Node's own. */
const CERTIFICATE =
  /^(ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|ERR_SSL_TLSV1_ALERT|ERR_SSL_SSLV3_ALERT)/;

function failureOf(origin: string, cause: Error & { code?: string }, wasOpen: boolean): SocketEnd {
  const end = (code: FeedErrorCode, message: string, hint: string | null = null): SocketEnd => ({
    error: new FeedError(code, message, { cause, hint }),
    retryAfterMs: null,
  });
  const { code = '', message } = cause;
  if (code.startsWith('WS_ERR_')) {
    const large = /MESSAGE_LENGTH|PAYLOAD_LENGTH|TOO_MANY_BUFFERED/.test(code);
    return end(
      'ERR_FEED_FRAME',
      large
        ? `${origin} sent a message that is larger than allowed`
        : `${origin} sent what is no WebSocket frame (${message})`,
      large ? 'raise maxMessageBytes if the venue does send such messages' : null,
    );
  }
  if (cause instanceof ProxyError) {
    return end('ERR_FEED_CONNECT', `the proxy does not connect to ${origin}: ${message}`, cause.hint);
  }
  if (wasOpen) return end('ERR_FEED_LOST', `the connection to ${origin} broke`);
  if (CERTIFICATE.test(code)) {
    return end('ERR_FEED_TLS', `the certificate of ${origin} is not accepted`, 'give its issuer as tls.ca');
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return end('ERR_FEED_TLS', `${origin} does not speak TLS`, 'try ws:// in place of wss://');
  }
  if (code.startsWith('HPE_') || /Sec-WebSocket|Upgrade header|subprotocol/.test(message)) {
    return end(
      'ERR_FEED_NOT_WEBSOCKET',
      `what answers at ${origin} is no WebSocket server`,
      'check the port',
    );
  }
  return end('ERR_FEED_CONNECT', `cannot connect to ${origin}`);
}

import type { Socket } from 'node:net';
import { Client } from 'undici';
import { ignore } from '../base/promises.js';
import { type ProxyEnvironment, proxyFromEnvironment } from '../base/proxy-environment.js';
import { registerSecret } from '../base/secrets.js';
import { HttpError } from './errors.js';

/** A proxy of HTTP. */
export interface HttpProxy {
  /** `http://HOST:PORT`, or `https://` where the way to the proxy is encrypted. User and password may stand in it. */
  readonly url: string;
  /** The value of `Proxy-Authorization`, such as `Bearer TOKEN`. Default: from the URL. */
  readonly authorization?: string;
}

/** A proxy as it is used. */
export interface ProxyServer {
  readonly url: URL;
  readonly authorization: string | null;
}

/** The proxy for a URL; null if there is none. */
export type ProxyRule = (url: URL) => ProxyServer | null;

/** The rule of an option; throws a text if it cannot be understood. */
export function proxyRule(option: string | HttpProxy | null, env: ProxyEnvironment = process.env): ProxyRule {
  if (option === null) return () => null;
  if (option === 'env') {
    return (url) => {
      const found = proxyFromEnvironment(url, env);
      return found === null ? null : parseProxy({ url: found });
    };
  }
  const proxy = parseProxy(typeof option === 'string' ? { url: option } : option);
  return () => proxy;
}

function parseProxy({ url: text, authorization }: HttpProxy): ProxyServer {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new HttpError('ERR_HTTP_OPTION', `the URL of a proxy begins with http:// or https://`);
  const { username, password } = url;
  if (password !== '') registerSecret(decodeURIComponent(password), [decodeURIComponent(username)]);
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const own = username === '' ? null : `Basic ${Buffer.from(pair).toString('base64')}`;
  return { url: new URL(url.origin), authorization: authorization ?? own };
}

/** Asks a proxy, over a socket to it that is open, for a tunnel to a host. Rejects with an HttpError. */
export async function tunnel(socket: Socket, proxy: ProxyServer, target: URL): Promise<Socket> {
  const { hostname } = target;
  const place = `${hostname}:${target.port || (target.protocol === 'https:' ? 443 : 80)}`;
  // undici's own CONNECT. A Client is one connection; this one gives its socket away.
  const client = new Client(proxy.url.origin, {
    // In a turn of its own, as undici's own connectors call back.
    connect: (_options, callback) => queueMicrotask(() => callback(null, socket)),
  });
  try {
    const answer = await client.connect({
      path: place,
      headers: {
        host: place,
        ...(proxy.authorization === null ? {} : { 'proxy-authorization': proxy.authorization }),
      },
    });
    if (answer.statusCode === 200) return answer.socket as Socket;
    answer.socket.destroy();
    throw refusal(proxy, place, answer.statusCode);
  } catch (cause) {
    client.destroy().catch(ignore);
    if (cause instanceof HttpError) throw cause;
    throw new HttpError('ERR_HTTP_CONNECT', `the proxy ${proxy.url.origin} did not open a way to ${place}`, {
      cause,
    });
  }
}

function refusal({ url, authorization }: ProxyServer, place: string, status: number): HttpError {
  const hint =
    status !== 407
      ? null
      : authorization === null
        ? 'put user and password into the URL of the proxy, or pass authorization'
        : 'check user and password of the proxy';
  return new HttpError(
    'ERR_HTTP_PROXY',
    `the proxy ${url.origin} answered ${status} to a tunnel to ${place}`,
    {
      hint,
    },
  );
}

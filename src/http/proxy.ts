import type { Socket } from 'node:net';
import { Client } from 'undici';
import { ignore } from '../base/promises.js';
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

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy for a URL; null if there is none. */
export type ProxyRule = (url: URL) => ProxyServer | null;

/** The rule of an option; throws a text if it cannot be understood. */
export function proxyRule(option: string | HttpProxy | null, env: Environment = process.env): ProxyRule {
  if (option === null) return () => null;
  if (option === 'env') return (url) => fromEnvironment(url, env);
  const proxy = parseProxy(typeof option === 'string' ? { url: option } : option);
  return () => proxy;
}

/**
 * As undici's EnvHttpProxyAgent reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY: names in lower case come first, and a proxy
 * for HTTPS is by default that for HTTP. NO_PROXY lists hosts, each with its subdomains, and with a port if only that
 * one is meant; `*` means all.
 */
function fromEnvironment(url: URL, env: Environment): ProxyServer | null {
  const http = env.http_proxy ?? env.HTTP_PROXY ?? '';
  const text = url.protocol === 'https:' ? env.https_proxy || env.HTTPS_PROXY || http : http;
  if (text === '' || isExcepted(url, env.no_proxy ?? env.NO_PROXY ?? '')) return null;
  return parseProxy({ url: text.includes('://') ? text : `http://${text}` });
}

function isExcepted({ hostname, port, protocol }: URL, list: string): boolean {
  const host = hostname.toLowerCase();
  const usual = protocol === 'https:' ? '443' : '80';
  return list.split(/[,\s]+/).some((entry) => {
    if (entry === '*') return true;
    // An IPv6 address has colons, and a port behind it only with brackets around.
    const [, name = entry, only] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
    const bare = name.replace(/^\*?\./, '').toLowerCase();
    if (bare === '' || (only !== undefined && only !== (port || usual))) return false;
    return host === bare || host === `[${bare}]` || host.endsWith(`.${bare}`);
  });
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

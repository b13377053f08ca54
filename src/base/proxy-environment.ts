export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * The URL of the proxy that the environment names for a URL; null for a direct connection. It reads HTTP_PROXY,
 * HTTPS_PROXY and NO_PROXY as undici's EnvHttpProxyAgent does: names in lower case come first, and HTTP_PROXY is also the
 * default for HTTPS. A `wss:` URL counts as HTTPS, and `ws:` as HTTP.
 *
 * NO_PROXY lists hosts, each with its subdomains, and with a port if only that one is meant; `*` means all.
 */
export function proxyFromEnvironment(url: URL, env: ProxyEnvironment): string | null {
  const http = env.http_proxy ?? env.HTTP_PROXY ?? '';
  const text = isEncrypted(url) ? env.https_proxy || env.HTTPS_PROXY || http : http;
  if (text === '' || isExcepted(url, env.no_proxy ?? env.NO_PROXY ?? '')) return null;
  return text.includes('://') ? text : `http://${text}`;
}

function isEncrypted({ protocol }: URL): boolean {
  return protocol === 'https:' || protocol === 'wss:';
}

function isExcepted(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase();
  const port = url.port || (isEncrypted(url) ? '443' : '80');
  return list.split(/[,\s]+/).some((entry) => {
    if (entry === '*') return true;
    // An IPv6 address has colons, and a port behind it only with brackets around.
    const [, name = entry, only] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
    const bare = name.replace(/^\*?\./, '').toLowerCase();
    if (bare === '' || (only !== undefined && only !== port)) return false;
    return host === bare || host === `[${bare}]` || host.endsWith(`.${bare}`);
  });
}

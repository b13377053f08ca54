import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { asError } from '../base/promises.js';
import { ListenError } from './errors.js';

const KEEP_ALIVE_MS = 120_000;

export interface MetricsServerOptions {
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  readonly contentType: string;
  /** Returns the metrics; `mostMs` is how long the scraper will wait, if known. */
  scrape(mostMs?: number): Promise<string>;
}

export interface MetricsServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** The endpoint of the metrics. */
  readonly url: string;
}

/**
 * Serves metrics at /metrics, and says at /healthz that it is alive, whatever becomes of what it reads. Throws a
 * ListenError where it cannot have its place.
 */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port } = options;
  const server = createServer((request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      response.destroy(asError(error));
    });
  });
  // Longer than between two scrapes: a connection that is closed as the next one begins would fail it.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw listenError(host, port, asError(error));
  }
  const { address, family, port: taken } = server.address() as AddressInfo;
  const place = family === 'IPv6' ? `[${address}]` : address;
  return {
    host: address,
    port: taken,
    url: `http://${place}:${taken}/metrics`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      // Requests that wait for an answer, and silent connections.
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  { method = '', url = '', headers }: IncomingMessage,
  response: ServerResponse,
  { contentType, scrape }: MetricsServerOptions,
): Promise<void> {
  const say = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(text),
      ...(status === 405 && { allow: 'GET, HEAD' }),
    });
    response.end(method === 'HEAD' ? undefined : text);
  };
  if (method !== 'GET' && method !== 'HEAD') return say(405, 'only GET and HEAD\n');
  const [path] = url.split('?', 1);
  if (path === '/healthz') return say(200, 'ok\n');
  if (path === '/metrics') return say(200, await scrape(patienceOf(headers)), contentType);
  if (path === '/') return say(200, 'poolctl metrics\n\n/metrics\n/healthz\n');
  return say(404, 'there is /metrics, and /healthz\n');
}

/** Prometheus says for how long it waits; some of that is needed to bring the answer there. */
function patienceOf(headers: IncomingMessage['headers']): number | undefined {
  const seconds = Number(headers['x-prometheus-scrape-timeout-seconds']);
  return Number.isFinite(seconds) && seconds > 0 ? Math.max(50, seconds * 900) : undefined;
}

function listenError(host: string, port: number, cause: Error & { code?: string }): ListenError {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const [why, hint] = REASONS[cause.code ?? ''] ?? [cause.message, null];
  return new ListenError(`cannot listen at ${place}: ${why}`, { cause, hint });
}

const REASONS: Readonly<Record<string, readonly [why: string, hint: string | null]>> = {
  EADDRINUSE: ['the port is taken', 'choose another with --port; 0 is any free one'],
  EACCES: ['ports below 1024 are not for this user', 'choose a higher one with --port'],
  EADDRNOTAVAIL: ['this machine has no such address', 'choose another with --host'],
  ENOTFOUND: ['no such host is known', 'choose another with --host'],
};

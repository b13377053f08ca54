import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import { onAbort } from '../base/abort.js';
import { asError } from '../base/promises.js';
import { maskSecrets } from '../base/secrets.js';
import { addressError, SourceError } from './errors.js';
import { notMetrics } from './exposition.js';
import type { StatsAt } from './pgbouncer-rows.js';
import { toReading } from './prometheus-pools.js';
import type { SourceOptions, StatsSource } from './types.js';

const MOST_BYTES = 32_000_000;

/** `prometheus:http://host:9090/metrics`: what an application or an exporter lets Prometheus scrape. */
export function openPrometheusSource(address: string, { clock }: SourceOptions): StatsSource {
  const url = urlOf(address);
  const shown = new URL(url);
  shown.password = '';
  const label = maskSecrets(`prometheus:${shown}`);
  let before: StatsAt | null = null;
  return {
    label,
    kind: 'prometheus',
    async read(signal) {
      const text = await scrape(url, signal);
      const { reading, stats } = toReading(text, label, clock.wallTime(), { before, atMs: clock.now() });
      before = stats;
      return reading;
    },
    // Each reading has a connection of its own.
    async [Symbol.asyncDispose]() {},
  };
}

function urlOf(address: string): URL {
  const text = address.slice('prometheus:'.length);
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : null;
  if (url === null) {
    throw addressError(
      address,
      'that is no http:// or https:// URL',
      'write prometheus:http://host:9090/metrics',
    );
  }
  if (url.pathname === '/' && url.search === '') url.pathname = '/metrics';
  url.hash = '';
  return url;
}

function scrape(url: URL, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(asError(signal.reason));
    const get = url.protocol === 'https:' ? getHttps : getHttp;
    const request = get(url, { agent: false, headers: { accept: 'text/plain; version=0.0.4' } });
    const stopWatching = onAbort(signal, () => void request.destroy(asError(signal.reason)));
    request.on('close', stopWatching);
    request.on('error', (error) => reject(signal.aborted ? asError(signal.reason) : unreachable(url, error)));
    request.on('response', (response) => {
      textOf(response).then(resolve, (error: unknown) => {
        request.destroy();
        reject(signal.aborted ? asError(signal.reason) : unreachable(url, asError(error)));
      });
    });
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  if (response.statusCode !== 200) throw notMetrics(`it answers with status ${response.statusCode}`);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > MOST_BYTES) throw notMetrics(`it is longer than ${MOST_BYTES / 1e6} MB`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function unreachable(url: URL, cause: Error): Error {
  if (cause instanceof SourceError) return cause;
  const code = 'code' in cause ? String(cause.code) : cause.message;
  return new SourceError(
    'ERR_SOURCE_UNREACHABLE',
    `cannot read metrics at ${url.host}: ${cause.message || code}`,
    {
      cause,
      ...(code === 'ECONNREFUSED' ? { hint: 'nothing listens there: check host and port' } : {}),
    },
  );
}

import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { HistogramSnapshot } from '../../base/histogram.js';
import type { WatchedSnapshot } from '../../snapshot/pool.js';
import type { App } from '../../snapshot/reading.js';
import { BOUNDS, isDatabasePool, POOL_METRICS, type PoolMetric } from './points.js';

/** The resource of the metrics, and the start of their counters. */
export interface OtlpResource {
  readonly app: App;
  /** Overrides the application's name: OTEL_SERVICE_NAME. */
  readonly serviceName: string | null;
}

const CUMULATIVE = 2;

/** The body of an export request, as OTLP/HTTP takes it in JSON: an ExportMetricsServiceRequest. */
export function exportRequest(
  pools: readonly WatchedSnapshot[],
  { app, serviceName }: OtlpResource,
  nowMs: number,
): object {
  const times = { startTimeUnixNano: nanos(app.startedAtMs), timeUnixNano: nanos(nowMs) };
  const own = pools.filter(isDatabasePool);
  return {
    resourceMetrics: [
      {
        resource: {
          attributes: [
            attribute('service.name', serviceName ?? app.name),
            attribute('host.name', app.host),
            { key: 'process.pid', value: { intValue: String(app.pid) } },
          ],
        },
        scopeMetrics: [
          {
            scope: { name: 'poolctl' },
            metrics: POOL_METRICS.flatMap((metric) => metricOf(metric, own, times)),
          },
        ],
      },
    ],
  };
}

interface Times {
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
}

function metricOf(metric: PoolMetric, pools: readonly WatchedSnapshot[], times: Times): object[] {
  const { name, unit, description, kind } = metric;
  const dataPoints = pools.flatMap((pool) =>
    metric.read(pool).flatMap(({ attributes, value }) => {
      if (value === null) return [];
      const point = {
        attributes: Object.entries(attributes).map(([key, text]) => attribute(key, text)),
        ...times,
      };
      return typeof value === 'number'
        ? [{ ...point, asInt: String(value) }]
        : [{ ...point, ...histogramPoint(value) }];
    }),
  );
  if (dataPoints.length === 0) return [];
  const about = { name, unit, description };
  return kind === 'histogram'
    ? [{ ...about, histogram: { aggregationTemporality: CUMULATIVE, dataPoints } }]
    : [
        {
          ...about,
          sum: { aggregationTemporality: CUMULATIVE, isMonotonic: kind === 'counter', dataPoints },
        },
      ];
}

function histogramPoint({ count, sumUs, minUs, maxUs, buckets }: HistogramSnapshot): object {
  const counts = BOUNDS.map(() => 0);
  counts.push(0);
  for (const [upToUs, amount] of buckets) {
    const at = BOUNDS.findIndex((bound) => upToUs <= bound * 1e6);
    const slot = at < 0 ? BOUNDS.length : at;
    counts[slot] = (counts[slot] ?? 0) + amount;
  }
  return {
    count: String(count),
    sum: sumUs / 1e6,
    bucketCounts: counts.map(String),
    explicitBounds: BOUNDS,
    ...(minUs === null ? {} : { min: minUs / 1e6 }),
    ...(maxUs === null ? {} : { max: maxUs / 1e6 }),
  };
}

function attribute(key: string, text: string): object {
  return { key, value: { stringValue: text } };
}

/** 64-bit numbers are text in JSON. */
function nanos(ms: number): string {
  return `${BigInt(Math.round(ms * 1000)) * 1000n}`;
}

/** The target of metrics: the URL itself if it has a path, else the collector's default path. */
export function metricsUrl(text: string): URL {
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TypeError(`'${text}' is not an http(s) URL`);
  if (url.pathname === '/' || url.pathname === '') url.pathname = '/v1/metrics';
  return url;
}

/** `key=value,other=value`, as OTEL_EXPORTER_OTLP_HEADERS has it; values are percent-encoded. */
export function headersIn(text: string | undefined): Readonly<Record<string, string>> {
  const pairs = (text ?? '').split(',').flatMap((pair) => {
    const at = pair.indexOf('=');
    return at < 1 ? [] : [[pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())] as const];
  });
  return Object.fromEntries(pairs);
}

const TIMEOUT_MS = 10_000;

/** Sends one request. Rejects where it is not taken. The connection keeps no process alive. */
export function send(url: URL, headers: Readonly<Record<string, string>>, body: object): Promise<void> {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(
      url,
      {
        method: 'POST',
        timeout: TIMEOUT_MS,
        headers: {
          ...headers,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
        },
      },
      (response) => {
        response.resume();
        const { statusCode = 0 } = response;
        if (statusCode >= 200 && statusCode < 300) resolve();
        else reject(new Error(`it answered ${statusCode}`));
      },
    );
    request.on('socket', (socket) => socket.unref());
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
    request.on('error', reject);
    request.end(text);
  });
}

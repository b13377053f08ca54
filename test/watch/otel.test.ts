import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import pg from 'pg';
import protobuf from 'protobufjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { meterPools, registeredProvider } from '../../src/watch/otel/meter.js';
import { headersIn, metricsUrl } from '../../src/watch/otel/otlp.js';
import { Watcher } from '../../src/watch/watcher.js';
import { bin, root, start } from '../helpers/bin.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';

/** Name, unit, kind, and the attributes of its points. */
const CONVENTIONS = [
  ['db.client.connection.count', '{connection}'],
  ['db.client.connection.create_time', 's'],
  ['db.client.connection.max', '{connection}'],
  ['db.client.connection.pending_requests', '{request}'],
  ['db.client.connection.timeouts', '{timeout}'],
  ['db.client.connection.use_time', 's'],
  ['db.client.connection.wait_time', 's'],
];

describeWithPostgres('the metrics of a pool, by OpenTelemetry', () => {
  let database: OwnDatabase;
  const endings: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    database = await newDatabase();
  });
  afterEach(async () => {
    for (const end of endings.splice(0)) await end();
    metrics.disable();
  });
  afterAll(() => database.allClosed());

  it('go into the meter provider of the application, once it has one', async () => {
    expect(registeredProvider()).toBeNull();
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    endings.push(() => provider.shutdown());
    metrics.setGlobalMeterProvider(provider);
    const found = registeredProvider();
    expect(found).not.toBeNull();

    const watcher = new Watcher(systemClock);
    const pool = new pg.Pool({ connectionString: database.url(), max: 3 });
    endings.push(() => pool.end());
    watcher.add(pool, 'orders');
    meterPools(watcher, found as NonNullable<typeof found>);
    const held = await pool.connect();
    await pool.query('select 1');
    await reader.collect();
    await pool.query('select 1');
    await reader.forceFlush();

    const [{ scopeMetrics = [] } = {}] = exporter.getMetrics();
    const [{ scope, metrics: exported = [] } = {}] = scopeMetrics;
    expect(scope?.name).toBe('poolctl');
    expect(exported.map(({ descriptor: { name, unit } }) => [name, unit]).sort()).toEqual(CONVENTIONS);
    const pointsOf = (name: string) =>
      exported.find(({ descriptor }) => descriptor.name === `db.client.connection.${name}`)?.dataPoints ?? [];
    const POOL = { 'db.client.connection.pool.name': 'orders' };
    expect(pointsOf('count').map(({ attributes, value }) => [attributes, value])).toEqual([
      [{ ...POOL, 'db.client.connection.state': 'idle' }, 1],
      [{ ...POOL, 'db.client.connection.state': 'used' }, 1],
    ]);
    expect(pointsOf('max').map(({ attributes, value }) => [attributes, value])).toEqual([[POOL, 3]]);
    expect(pointsOf('pending_requests')[0]?.value).toBe(0);
    expect(pointsOf('timeouts')[0]?.value).toBe(0);
    expect(pointsOf('wait_time')[0]?.value).toMatchObject({ count: 3 });
    expect(pointsOf('use_time')[0]?.value).toMatchObject({ count: 2 });
    expect(pointsOf('create_time')[0]?.value).toMatchObject({ count: 2 });
    held.release();
  });

  it('are sent by OTLP over HTTP where it has none, as a collector decodes them', async () => {
    const schema = await protobuf.load(join(root, 'fixtures/otlp/metrics.proto'));
    const Request = schema.lookupType('opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest');
    const received: { path: string; type: string; key: string; body: unknown }[] = [];
    const receiver = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      const { 'content-type': type = '', 'x-key': key = '' } = request.headers;
      received.push({ path: request.url ?? '', type, key: String(key), body: JSON.parse(text) });
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    endings.push(async () => receiver.close());
    const { port } = receiver.address() as AddressInfo;
    const running = start(
      bin,
      [
        'run',
        '--otlp',
        `http://127.0.0.1:${port}`,
        '--name',
        'shop',
        '--',
        process.execPath,
        join(root, 'test/watch/apps/shop.mjs'),
      ],
      {
        stdin: 'open',
        env: {
          DATABASE_URL: database.url(),
          ...{
            POOLCTL_PUBLISH: 'off',
            OTEL_METRIC_EXPORT_INTERVAL: '50',
            OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b',
          },
        },
      },
    );
    await running.seen('ready');
    const used = (): number | undefined => {
      for (const { body } of received) {
        const decoded = decode(Request, body);
        const points = decoded['db.client.connection.count']?.sum?.dataPoints ?? [];
        const point = points.find(({ attributes }) => attributes['db.client.connection.state'] === 'used');
        if (point?.asInt === '2') return 2;
      }
      return undefined;
    };
    await expect.poll(used, { timeout: 20_000 }).toBe(2);
    running.child.stdin?.end();
    await running.finished;

    const last = received[received.length - 1];
    expect(last).toMatchObject({ path: '/v1/metrics', type: 'application/json', key: 'a b' });
    const decoded = decode(Request, last?.body);
    expect(
      Object.entries(decoded)
        .map(([name, { unit }]) => [name, unit])
        .sort(),
    ).toEqual(CONVENTIONS);
    expect(decoded['db.client.connection.timeouts']?.sum?.isMonotonic).toBe(true);
    expect(decoded['db.client.connection.count']?.sum?.isMonotonic).toBe(false);
    const waits = decoded['db.client.connection.wait_time']?.histogram?.dataPoints[0];
    expect(waits?.bucketCounts).toHaveLength((waits?.explicitBounds.length ?? 0) + 1);
    expect(waits?.bucketCounts.reduce((sum, count) => sum + Number(count), 0)).toBe(Number(waits?.count));
    expect(serviceOf(last?.body)).toBe('shop');
  });
});

describe('the URL and the headers of an OTLP endpoint', () => {
  it.each([
    ['http://127.0.0.1:4318', 'http://127.0.0.1:4318/v1/metrics'],
    ['https://otlp.example.com/', 'https://otlp.example.com/v1/metrics'],
    ['https://otlp.example.com/api/metrics', 'https://otlp.example.com/api/metrics'],
  ])('%s', (given, url) => {
    expect(metricsUrl(given).href).toBe(url);
  });

  it('are refused, or left out, where they are none', () => {
    expect(() => metricsUrl('ftp://a')).toThrow('not an http(s) URL');
    expect(() => metricsUrl('collector')).toThrow();
    expect(headersIn('a=1, b=x%3Dy ,=2,c')).toEqual({ a: '1', b: 'x=y' });
    expect(headersIn(undefined)).toEqual({});
  });
});

interface DecodedPoint {
  readonly attributes: Readonly<Record<string, string>>;
  readonly asInt?: string;
  readonly count: string;
  readonly bucketCounts: readonly string[];
  readonly explicitBounds: readonly number[];
}
interface DecodedMetric {
  readonly unit: string;
  readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: readonly DecodedPoint[] };
  readonly histogram?: { readonly dataPoints: readonly DecodedPoint[] };
}

/** Through the messages of the protocol and back: what is none of its fields does not come back. */
function decode(type: protobuf.Type, body: unknown): Readonly<Record<string, DecodedMetric>> {
  const message = type.decode(type.encode(type.fromObject(body as object)).finish());
  const { resourceMetrics = [] } = type.toObject(message, { longs: String, defaults: true }) as {
    resourceMetrics?: { scopeMetrics: { metrics: Record<string, unknown>[] }[] }[];
  };
  const all = resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? [];
  return Object.fromEntries(
    all.map((metric) => [
      metric.name,
      JSON.parse(JSON.stringify(metric), (key, value) =>
        key === 'attributes' && Array.isArray(value)
          ? Object.fromEntries(value.map(({ key: name, value: { stringValue } }) => [name, stringValue]))
          : value,
      ),
    ]),
  ) as Record<string, DecodedMetric>;
}

function serviceOf(body: unknown): unknown {
  const { resourceMetrics } = body as {
    resourceMetrics: { resource: { attributes: { key: string; value: { stringValue?: string } }[] } }[];
  };
  return resourceMetrics[0]?.resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue;
}

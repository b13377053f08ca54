import { Counter, collectDefaultMetrics, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpPool } from '../../src/http/index.js';
import { createIbPool } from '../../src/ib/pool.js';
import { startGateway } from '../../src/lab/ib-gateway/index.js';
import { collectPoolMetrics } from '../../src/metrics/index.js';
import { QueuePool } from '../../src/pool/queue-pool.js';
import { SubscriptionPool } from '../../src/ws/index.js';
import { describeWithPrometheus, promtool } from '../helpers/prometheus.js';
import { linesOf } from './readings.js';

const pools: QueuePool<object>[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function makePool(name: string): QueuePool<object> {
  const pool = new QueuePool<object>({
    driver: { name: 'made-up', create: async () => ({}), destroy: async () => {} },
    name,
    size: 2,
    maxOverflow: 1,
  });
  pools.push(pool);
  return pool;
}

describe('collectPoolMetrics', () => {
  it('tells of pools at the moment of the scrape, beside what the registry has', async () => {
    const registry = new Registry();
    new Counter({ name: 'requests_total', help: 'Requests.', registers: [registry] }).inc();
    const pool = makePool('orders');
    collectPoolMetrics(registry, pool);
    const scrape = async () =>
      linesOf(await registry.metrics(), 'poolctl_pool_checked_out', 'requests_total');
    expect(await scrape()).toEqual(['requests_total 1', 'poolctl_pool_checked_out{pool_name="orders"} 0']);
    const lease = await pool.acquire();
    expect(await scrape()).toContain('poolctl_pool_checked_out{pool_name="orders"} 1');
    lease.release();
    expect(await scrape()).toContain('poolctl_pool_checked_out{pool_name="orders"} 0');
  });

  it('takes any number of pools, and out again', async () => {
    const registry = new Registry();
    const stops = ['a', 'b', 'a'].map((name) => collectPoolMetrics(registry, makePool(name)));
    const sizes = async () => linesOf(await registry.metrics(), 'poolctl_pool_size');
    expect(await sizes()).toEqual([
      'poolctl_pool_size{pool_name="a"} 2',
      'poolctl_pool_size{pool_name="b"} 2',
      'poolctl_pool_size{pool_name="a #2"} 2',
    ]);
    for (const stop of stops.slice(1)) stop();
    expect(await sizes()).toEqual(['poolctl_pool_size{pool_name="a"} 2']);
  });

  it('takes what has several snapshots, and what has a pool', async () => {
    const registry = new Registry();
    const [one, two] = [makePool('one'), makePool('two')];
    collectPoolMetrics(registry, { snapshots: () => [one.snapshot()] });
    collectPoolMetrics(registry, { pool: two });
    expect(linesOf(await registry.metrics(), 'poolctl_pool_size')).toHaveLength(2);
  });

  it('takes a feed, a pool of broker connections and one of HTTP connections, with what only they have', async () => {
    const registry = new Registry();
    await using feed = new SubscriptionPool({ url: 'ws://127.0.0.1:1/', name: 'ticks' });
    await using gateway = await startGateway();
    await using broker = createIbPool({ port: gateway.port, name: 'broker' });
    await using site = createHttpPool({ name: 'site' });
    for (const pool of [feed, broker, site]) collectPoolMetrics(registry, pool);
    const lease = await broker.acquire();
    const text = await registry.metrics();
    expect(linesOf(text, 'poolctl_')).toEqual(
      expect.arrayContaining([
        'poolctl_pool_checked_out{pool_name="broker"} 1',
        'poolctl_ib_connections{pool_name="broker",state="ready"} 1',
        'poolctl_ib_message_limit{pool_name="broker"} 50',
        'poolctl_feed_capacity{pool_name="ticks"} 3000',
        'poolctl_http_requests_total{pool_name="site"} 0',
      ]),
    );
    lease.release();
  });

  it('works in a registry that has been cleared, and in OpenMetrics, and for a cluster', async () => {
    const registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    collectPoolMetrics(registry, makePool('a'));
    registry.clear();
    const pool = makePool('b');
    collectPoolMetrics(registry, pool, { compat: ['sqlalchemy'] });
    (await pool.acquire()).release();
    for (let i = 0; i < 2; i++) {
      const text = await registry.metrics();
      expect(linesOf(text, 'poolctl_pool_checkouts', '# TYPE poolctl_pool_checkouts')).toEqual([
        '# TYPE poolctl_pool_checkouts counter',
        'poolctl_pool_checkouts_total{pool_name="b"} 1',
      ]);
      expect(text).toMatch(/# EOF\n$/);
    }
    const json = await registry.getMetricsAsJSON();
    expect(json.find(({ name }) => name === 'sqlalchemy_pool_checked_in')).toMatchObject({
      aggregator: 'sum',
      values: [{ labels: { pool_name: 'b' }, value: 1 }],
    });
  });

  it('says so where a name is taken', () => {
    const registry = new Registry();
    new Counter({ name: 'poolctl_pool_size', help: 'Mine.', registers: [registry] });
    expect(() => collectPoolMetrics(registry, makePool('a'))).toThrow('already been registered');
  });
});

describeWithPrometheus('promtool check metrics', () => {
  it('has nothing to say of an application’s own metrics', async () => {
    const registry = new Registry();
    collectPoolMetrics(registry, makePool('a'), { compat: ['sqlalchemy'] });
    const own = await registry.metrics();
    expect(promtool(['check', 'metrics'], { input: own })).toEqual({ code: 0, text: '' });
    collectDefaultMetrics({ register: registry });
    expect((await registry.metrics()).length).toBeGreaterThan(own.length);
  });
});

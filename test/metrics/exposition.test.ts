import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newCounters } from '../../src/pool/counters.js';
import { brokerFigures } from '../../src/snapshot/broker.js';
import { feedFigures } from '../../src/snapshot/feed.js';
import { httpFigures } from '../../src/snapshot/http.js';
import { parseExposition } from '../../src/sources/exposition.js';
import { toReading } from '../../src/sources/prometheus-pools.js';
import { describeWithPrometheus, hasPrometheus, promtool } from '../helpers/prometheus.js';
import { read } from '../helpers/snapshots.js';
import { VERSIONS } from '../sources/pgbouncer-samples.js';
import {
  asSource,
  exposed,
  histogramOf,
  linesOf,
  type Pair,
  poolerReading,
  poolReading,
} from './readings.js';

const PAIR: Pair = { database: 'orders', user: 'app', cl_active: 3, cl_waiting: 2, sv_active: 4, sv_idle: 1 };

describe('the metrics of a pool', () => {
  it('are what its snapshot says; what is not measured has none', async () => {
    const text = await exposed()([asSource(poolReading({ overflow: null, hold: null }))]);
    const value = (name: string) => linesOf(text, `${name}{`).map((line) => line.split(' ').at(-1));
    expect(linesOf(text, 'poolctl_pool_checked_out')).toEqual([
      'poolctl_pool_checked_out{source="a",app="shop",pool_name="orders"} 2',
    ]);
    expect(value('poolctl_pool_capacity')).toEqual(['15']);
    expect(value('poolctl_pool_checkouts_total')).toEqual(['7']);
    expect(value('poolctl_pool_longest_checkout_seconds')).toEqual(['1.5']);
    // Nobody waits.
    expect(value('poolctl_pool_longest_wait_seconds')).toEqual(['0']);
    expect(value('poolctl_pool_overflow')).toEqual([]);
    expect(text).not.toContain('hold_duration');
    expect(linesOf(text, 'poolctl_pool_info')).toEqual([
      'poolctl_pool_info{source="a",app="shop",pool_name="orders",driver="pg"} 1',
    ]);
    expect(linesOf(text, 'poolctl_source')).toEqual([
      'poolctl_source_up{source="a",kind="pool"} 1',
      'poolctl_source_read_seconds{source="a",kind="pool"} 0.012',
    ]);
  });

  it('has histograms in seconds that add up', async () => {
    const text = await exposed()([asSource(poolReading({ wait: histogramOf(0, 0, 3, 70, 700, 400_000) }))]);
    const buckets = linesOf(text, 'poolctl_pool_checkout_duration_seconds_bucket').map((line) => {
      const [, le, count] = /le="([^"]+)".* (\d+)$/.exec(line) ?? [];
      return `${le}:${count}`;
    });
    expect(buckets.join(' ')).toBe(
      '0.001:2 0.0025:2 0.005:3 0.01:3 0.025:3 0.05:3 0.1:4 0.25:4 0.5:4 1:5 2.5:5 5:5 10:5 30:5 60:5 300:5 +Inf:6',
    );
    expect(text).toMatch(/duration_seconds_sum\{[^}]*\} 400\.773\n/);
    expect(text).toMatch(/duration_seconds_count\{[^}]*\} 6\n/);
  });

  it('tells what only feeds, brokers and HTTP pools have', async () => {
    const feed = read(feedFigures, {
      ...{ symbols: 7, live: 6, capacity: 3000, exhausted: 1, refused: 0, stale: 2, gaps: 3, conflated: 4 },
      ...{ dropped: 5, slowDisconnects: 0, ticks: 900 },
      connections: ['open', 'open', 'backoff'].map((state, id) => ({
        ...{ id, state, symbols: 2, reconnects: 0, lastTickAgoMs: null },
      })),
    });
    const pacing = { limitPerSecond: 50, messagesPerSecond: 45, peakSecond: 44, sent: 99, waiting: 8 };
    const ib = read(brokerFigures, {
      ...{ host: 'gw', port: 7497, clientIds: [1], clientIdsFree: 31, connections: [] },
      pacing: { ...pacing, longestWaitMs: null },
    });
    const http = read(httpFigures, {
      ...{ requests: 10, failed: 1, sent: 12, reuseRatio: 0.75, origins: [] },
      ...{ closed: { expiry: 2 }, retries: { lost: 3 }, timeouts: { read: 4 } },
    });
    const names = ['feed', 'broker', 'site'];
    const [ofFeed, ofBroker, ofSite] = names.map((name) => `{source="a",app="shop",pool_name="${name}"`);
    const text = await exposed()([
      asSource(poolReading({ name: 'feed', feed }, { name: 'broker', ib }, { name: 'site', http })),
    ]);
    expect(linesOf(text, 'poolctl_feed', 'poolctl_ib', 'poolctl_http')).toEqual(
      expect.arrayContaining([
        `poolctl_feed_live_symbols${ofFeed}} 6`,
        `poolctl_feed_ticks_total${ofFeed}} 900`,
        `poolctl_feed_connections${ofFeed},state="open"} 2`,
        `poolctl_feed_connections${ofFeed},state="backoff"} 1`,
        `poolctl_ib_message_limit${ofBroker}} 50`,
        `poolctl_ib_messages_waiting${ofBroker}} 8`,
        `poolctl_ib_client_ids_free${ofBroker}} 31`,
        `poolctl_http_requests_total${ofSite}} 10`,
        `poolctl_http_reuse_ratio${ofSite}} 0.75`,
        `poolctl_http_closed_total${ofSite},reason="expiry"} 2`,
        `poolctl_http_retries_total${ofSite},cause="lost"} 3`,
        `poolctl_http_timeouts_total${ofSite},phase="read"} 4`,
      ]),
    );
    if (hasPrometheus) expect(promtool(['check', 'metrics'], { input: text })).toEqual({ code: 0, text: '' });
  });

  it('has the names of SQLAlchemy as well where they are asked for', async () => {
    const readings = [asSource(poolReading({ wait: histogramOf(3) }))];
    expect(await exposed()(readings)).not.toContain('sqlalchemy');
    const text = await exposed({ compat: ['sqlalchemy'] })(readings);
    const strip = (prefix: string) => linesOf(text, prefix).map((line) => line.replace(prefix, ''));
    expect(strip('sqlalchemy_pool_')).toHaveLength(10 + 19);
    expect(strip('poolctl_pool_')).toEqual(expect.arrayContaining(strip('sqlalchemy_pool_')));
  });
});

describe('the metrics of PgBouncer', () => {
  it.each(VERSIONS)('are there for %s', async (version) => {
    const reading = poolerReading([{ ...PAIR, maxwait: 1, maxwait_us: 250_000, sv_used: 2 }], version);
    const text = await exposed()([asSource(reading)]);
    const labels = '{source="a",database="orders",user="app"}';
    expect(linesOf(text, 'pgbouncer_')).toEqual(
      expect.arrayContaining([
        `pgbouncer_pools_cl_active${labels} 3`,
        `pgbouncer_pools_cl_waiting${labels} 2`,
        `pgbouncer_pools_sv_active${labels} 4`,
        `pgbouncer_pools_sv_idle${labels} 1`,
        `pgbouncer_pools_maxwait${labels} 1.25`,
        `pgbouncer_pools_pool_size${labels} 20`,
        'pgbouncer_databases_pool_size{source="a",database="orders"} 20',
        'pgbouncer_databases_current_connections{source="a",database="orders"} 0',
        'pgbouncer_databases_reserve_pool_size{source="a",database="orders"} 0',
        'pgbouncer_databases_paused{source="a",database="orders"} 0',
        'pgbouncer_stats_transactions_total{source="a",database="orders"} 50',
        'pgbouncer_stats_transaction_seconds_total{source="a",database="orders"} 2.5',
        'pgbouncer_stats_client_wait_seconds_total{source="a",database="orders"} 0.5',
        'pgbouncer_used_clients{source="a"} 7',
        'pgbouncer_config_max_client_conn{source="a"} 100',
        `pgbouncer_version_info{source="a",version="${version}"} 1`,
        'pgbouncer_up{source="a",kind="pgbouncer"} 1',
      ]),
    );
  });

  it('have the names of the community’s exporter as well where they are asked for', async () => {
    const text = await exposed({ compat: ['prometheus-community'] })([asSource(poolerReading([PAIR]))]);
    expect(linesOf(text, 'pgbouncer_')).toEqual(
      expect.arrayContaining([
        'pgbouncer_pools_client_waiting_connections{source="a",database="orders",user="app"} 2',
        'pgbouncer_databases_pool_size{source="a",database="orders",name="orders"} 20',
        'pgbouncer_databases_reserve_pool{source="a",database="orders",name="orders"} 0',
        'pgbouncer_stats_totals_sql_transactions_pooled_total{source="a",database="orders"} 50',
        'pgbouncer_config_max_client_connections{source="a"} 100',
      ]),
    );
  });
});

describe('a source that cannot be read', () => {
  it('is down, has no other series, and takes none from the others', async () => {
    const text = await exposed()([asSource(null, 'dead'), asSource(poolReading({}), 'b')]);
    expect(linesOf(text, 'poolctl_source_up')).toEqual([
      'poolctl_source_up{source="dead",kind="pool"} 0',
      'poolctl_source_up{source="b",kind="pool"} 1',
    ]);
    expect(linesOf(text, 'poolctl_pool_size')).toHaveLength(1);
    expect(text).not.toContain('dead",app');
  });
});

describe('an exporter that reads another one', () => {
  it('tells the same of pools and PgBouncer', async () => {
    const wait = histogramOf(0, 3, 70, 700);
    const first = await exposed()([
      asSource(poolReading({ wait })),
      asSource(poolerReading([{ ...PAIR, maxwait: 1, maxwait_us: 250_000 }]), 'b'),
    ]);
    const { reading } = toReading(first, 'prometheus:x', 1, { before: null, atMs: 0 });
    const second = await exposed()([asSource(reading, 'c')]);
    const bare = (text: string) =>
      linesOf(text, 'poolctl_pool_', 'pgbouncer_pools_', 'pgbouncer_databases_', 'pgbouncer_stats_')
        .map((line) =>
          line
            .replace(/source="."/, '')
            .replace(',app="shop"', '')
            .replace(' (shop)', ''),
        )
        .sort();
    expect(bare(second)).toEqual(bare(first));
  });
});

describe('too many pools', () => {
  const pools = (...names: readonly string[]) =>
    asSource(
      poolReading(
        ...names.map((name, at) => ({
          name,
          inUse: at + 1,
          longestHoldMs: at * 1000,
          counters: { ...newCounters(), acquired: 10 },
          wait: histogramOf(1, 200),
        })),
      ),
    );
  const names = (text: string, metric = 'poolctl_pool_checked_out') =>
    linesOf(text, `${metric}{`).map((line) =>
      line.replace(/.*pool_name="([^"]*)".* (\S+)$/, (_, name: string, value: string) => `${name} ${value}`),
    );

  it('are counted together, and those that were first keep their series', async () => {
    const scrape = exposed({ maxPools: 2 });
    const text = await scrape([pools('a', 'b', 'c', 'd')]);
    expect(names(text)).toEqual(['a 1', 'b 2', 'other 7']);
    expect(names(text, 'poolctl_pool_longest_checkout_seconds')).toEqual(['a 0', 'b 1', 'other 3']);
    expect(names(text, 'poolctl_pool_checkout_duration_seconds_count')).toEqual(['a 2', 'b 2', 'other 4']);
    expect(names(await scrape([pools('d', 'c', 'b', 'a')]))).toEqual(['b 3', 'a 4', 'other 3']);
  });

  it('a counter of them never falls, whoever goes or begins anew', async () => {
    const scrape = exposed({ maxPools: 1 });
    const checkouts = async (...of: readonly string[]) =>
      names(await scrape([pools('a', ...of)]), 'poolctl_pool_checkouts_total').at(-1);
    expect(await checkouts('b', 'c')).toBe('other 20');
    expect(await checkouts('b')).toBe('other 20');
    expect(await checkouts('b', 'd')).toBe('other 30');
    expect(await checkouts()).toBe('other 30');
    expect(await checkouts('b')).toBe('other 40');
  });

  it('one that has been gone for an hour gives its place to another', async () => {
    const scrape = exposed({ maxPools: 1 });
    await scrape([pools('a')], 0);
    expect(names(await scrape([pools('b')], 3_599_000))).toEqual(['other 1']);
    expect(names(await scrape([pools('b')], 3_601_000))).toEqual(['b 1']);
  });

  it('pools of one name, and pools that are called other, are no series twice', async () => {
    const text = await exposed()([pools('a', 'a', 'a #2', 'other', 'a')]);
    const series = names(text).map((line) => line.split(' ').slice(0, -1).join(' '));
    expect(new Set(series).size).toBe(series.length);
    expect(series).toEqual(expect.arrayContaining(['a', 'a #2', 'a #3']));
  });

  it('whatever they are called, no series is there twice, and the bound is kept', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'a #2', 'other', '', '"', '\n', '\ud800', '\udfff', 'é'), {
          maxLength: 12,
        }),
        async (given) => {
          const lines = linesOf(
            await exposed({ maxPools: 3 })([pools(...given)]),
            'poolctl_pool_checked_out',
          );
          const series = lines.map((line) => line.slice(0, line.lastIndexOf(' ')));
          expect(new Set(series).size).toBe(series.length);
          expect(series.length).toBeLessThanOrEqual(4);
        },
      ),
    );
  });
});

const HOSTILE = [
  'a"b',
  'a\\',
  'a\nb 1\n# HELP x',
  'a\r\tb',
  '%s{}',
  "'; DROP",
  '\u001b[31m',
  '日本',
  '\ud800x',
  '{{.}}',
];

describe('hostile names', () => {
  it('come back as they were, in one line each', async () => {
    const text = await exposed()([
      asSource(poolReading(...HOSTILE.map((name) => ({ name }))), 'a'),
      asSource(poolerReading(HOSTILE.map((database) => ({ ...PAIR, database, user: database })))),
    ]);
    const samples = parseExposition(text, ['poolctl_pool_size', 'pgbouncer_pools_maxwait']);
    const expected = HOSTILE.map((name) => name.replace('\ud800', '\ufffd'));
    expect(samples.flatMap(({ labels }) => labels.pool_name ?? [])).toEqual(expected);
    expect(samples.flatMap(({ labels }) => labels.user ?? [])).toEqual(expected);
  });

  it('show no password, as of a pool that is named by its URL', async () => {
    const name = 'postgres://app:s3cret@db/shop?password=s3cret';
    const text = await exposed()([asSource(poolReading({ name }))]);
    expect(text).toContain('pool_name="postgres://app:***@db/shop?password=***"');
    expect(text).not.toContain('s3cret');
  });

  it('are cut where they are long', async () => {
    const text = await exposed()([
      asSource(poolReading({ name: 'x'.repeat(9000) }, { name: 'x'.repeat(9001) })),
    ]);
    const found = parseExposition(text, ['poolctl_pool_size']).map(({ labels }) => labels.pool_name ?? '');
    expect(found.map((name) => name.length)).toEqual([200, 203]);
  });
});

describeWithPrometheus('promtool check metrics', () => {
  it('has nothing to say of all that is exposed', async () => {
    const text = await exposed({ compat: ['sqlalchemy', 'prometheus-community'] })([
      asSource(
        poolReading({ wait: histogramOf(1), hold: histogramOf(2) }, ...HOSTILE.map((name) => ({ name }))),
      ),
      asSource(poolerReading(HOSTILE.map((database) => ({ ...PAIR, database }))), 'b'),
      asSource(null, 'c'),
    ]);
    expect(promtool(['check', 'metrics'], { input: text })).toEqual({ code: 0, text: '' });
  });

  it('would see a fault', () => {
    expect(promtool(['check', 'metrics'], { input: 'x_total{a="1"} 1\nx_total{a="1"} 2\n' }).code).not.toBe(
      0,
    );
  });
});

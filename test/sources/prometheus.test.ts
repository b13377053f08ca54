import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { percentileUs } from '../../src/base/histogram.js';
import type { Reading } from '../../src/snapshot/reading.js';
import { parseExposition } from '../../src/sources/exposition.js';
import { toReading } from '../../src/sources/prometheus-pools.js';
import { openSource } from '../../src/sources/registry.js';
import type { StatsSource } from '../../src/sources/types.js';

const readingOf = (text: string): Reading =>
  toReading(text, 'prometheus:http://x/metrics', 1, { before: null, atMs: 0 }).reading;

describe('the text format of metrics', () => {
  it.each<[string, string, object]>([
    ['a value alone', 'up 1', { name: 'up', labels: {}, value: 1 }],
    ['labels', 'up{a="1",b="x y"} 2.5e3', { labels: { a: '1', b: 'x y' }, value: 2500 }],
    ['a comma at the end, and spaces', 'up { a = "1" , } 3', { labels: { a: '1' }, value: 3 }],
    ['escapes, and braces in a label', 'up{a="\\"}\\n\\\\"} 4', { labels: { a: '"}\n\\' }, value: 4 }],
    ['a time stamp', 'up 5 1395066363000', { value: 5 }],
    ['an exemplar', 'up_bucket{le="1"} 6 # {trace_id="ab"} 0.5 1.0', { labels: { le: '1' }, value: 6 }],
    ['infinity', 'up +Inf', { value: Number.POSITIVE_INFINITY }],
    ['no number', 'up NaN', { value: Number.NaN }],
    ['a label of an object’s own', 'up{__proto__="x",constructor="y"} 7', { value: 7 }],
  ])('has %s', (_, line, expected) => {
    const text = `# HELP up Whether.\n# TYPE up gauge\n\n${line}\r\n# EOF\n`;
    expect(parseExposition(text, ['up'])).toMatchObject([expected]);
  });

  it('an odd line is passed over; a web page is refused', () => {
    expect(parseExposition('up 1\nup{ 2\nup 3\n', [''])).toHaveLength(2);
    expect(() => parseExposition('<!doctype html>\n<html>\n<body>up</body>\n', [''])).toThrow('text format');
  });

  it('a hostile line is passed over like any other', () => {
    const lines = [`up{${'a="'.repeat(3e4)}`, `up{a="${'\\'.repeat(9e4)}`, `up ${'1'.repeat(9e4)}x`];
    for (const line of [...lines, `up ${' '.repeat(9e4)}x`, 'u'.repeat(1e6)])
      expect(parseExposition(`${line}\nup 1\nup 2\n`, [''])).toHaveLength(2);
  });
});

describe('the pools of a metrics endpoint', () => {
  it.each<[string, string, object]>([
    [
      'of poolctl',
      `poolctl_pool_size{pool_name="orders"} 10
       poolctl_pool_checked_out{pool_name="orders"} 7
       poolctl_pool_checked_in{pool_name="orders"} 3
       poolctl_pool_overflow{pool_name="orders"} 0
       poolctl_pool_waiters{pool_name="orders"} 4
       poolctl_pool_checkouts_total{pool_name="orders"} 99
       poolctl_pool_ping_failures_total{pool_name="orders"} 2`,
      {
        ...{ driver: 'poolctl', name: 'orders', size: 10, inUse: 7, idle: 3, live: 10, waiting: 4 },
        ...{ maxOverflow: null, counters: { acquired: 99, pingFailed: 2, released: null } },
      },
    ],
    [
      'of SQLAlchemy',
      `sqlalchemy_pool_size{pool_name="default"} 5
       sqlalchemy_pool_checked_in{pool_name="default"} 1
       sqlalchemy_pool_checked_out{pool_name="default"} 4
       sqlalchemy_pool_overflow{pool_name="default"} 2
       sqlalchemy_pool_waiters{pool_name="default"} 3
       sqlalchemy_pool_connects_total{pool_name="default"} 8`,
      { driver: 'sqlalchemy', name: 'default', inUse: 4, overflow: 2, waiting: 3, counters: { created: 8 } },
    ],
    [
      'of HikariCP',
      `hikaricp_connections{application="shop",pool="HikariPool-1",} 10.0
       hikaricp_connections_active{application="shop",pool="HikariPool-1",} 9.0
       hikaricp_connections_idle{application="shop",pool="HikariPool-1",} 1.0
       hikaricp_connections_pending{application="shop",pool="HikariPool-1",} 6.0
       hikaricp_connections_max{application="shop",pool="HikariPool-1",} 10.0
       hikaricp_connections_timeout_total{application="shop",pool="HikariPool-1",} 2.0
       hikaricp_connections_acquire_seconds_count{application="shop",pool="HikariPool-1",} 400.0
       hikaricp_connections_acquire_seconds_sum{application="shop",pool="HikariPool-1",} 2.0`,
      {
        ...{
          driver: 'hikaricp',
          name: 'HikariPool-1 (shop)',
          size: 10,
          live: 10,
          inUse: 9,
          idle: 1,
          waiting: 6,
        },
        ...{ counters: { timedOut: 2, acquired: 400 }, wait: { count: 400, meanUs: 5000, maxUs: null } },
      },
    ],
    [
      'of OpenTelemetry',
      `db_client_connection_count{db_client_connection_pool_name="pg",db_client_connection_state="used"} 3
       db_client_connection_count{db_client_connection_pool_name="pg",db_client_connection_state="idle"} 1
       db_client_connection_max{db_client_connection_pool_name="pg"} 4
       db_client_connection_pending_requests{db_client_connection_pool_name="pg"} 5
       db_client_connection_timeouts_total{db_client_connection_pool_name="pg"} 6`,
      {
        driver: 'opentelemetry',
        name: 'pg',
        inUse: 3,
        idle: 1,
        size: 4,
        waiting: 5,
        counters: { timedOut: 6 },
      },
    ],
    [
      'of OpenTelemetry as it was',
      `db_client_connections_usage{pool_name="pg",state="used"} 3
       db_client_connections_usage{pool_name="pg",state="idle"} 1
       db_client_connections_pending_requests{pool_name="pg"} 0`,
      { driver: 'opentelemetry', name: 'pg', inUse: 3, idle: 1, size: null, waiting: 0 },
    ],
  ])('%s', (_, text, expected) => {
    const reading = readingOf(text.replace(/^\s+/gm, ''));
    expect(reading.pools).toMatchObject([{ ...expected, app: null, holders: [] }]);
    expect(reading.gaps).toEqual([{ what: 'holders of leases', why: 'metrics do not tell them' }]);
  });

  it('what no metric reports is null and a gap, never 0', () => {
    const { pools, gaps } = readingOf(
      'poolctl_pool_checked_out{pool_name="a"} 1\npoolctl_pool_size{pool_name="b"} 4\n',
    );
    const unknown = { idle: null, waiting: null, size: null, wait: null };
    expect(pools).toMatchObject([{ name: 'a', inUse: 1, live: 1, ...unknown }]);
    expect(gaps.map(({ what }) => what)).toEqual([
      'idle of pool a',
      'waiting of pool a',
      'holders of leases',
    ]);
  });

  it('what is in use is null and a gap where no metric reports it', () => {
    const { pools, gaps } = readingOf('poolctl_pool_checked_in{pool_name="a"} 1\n');
    expect(pools).toMatchObject([{ name: 'a', live: null, idle: 1, inUse: null, waiting: null }]);
    expect(gaps).toEqual([
      { what: 'in use of pool a', why: 'no metric tells it' },
      { what: 'waiting of pool a', why: 'no metric tells it' },
      { what: 'holders of leases', why: 'metrics do not tell them' },
    ]);
    // Connections are idle or in use, so two of the three figures are enough.
    const known = readingOf('poolctl_pool_live{pool_name="a"} 5\npoolctl_pool_checked_in{pool_name="a"} 2\n');
    expect(known.pools).toMatchObject([{ name: 'a', live: 5, idle: 2, inUse: 3 }]);
  });

  it('an endpoint without pools is a gap', () => {
    expect(readingOf('process_cpu_seconds_total 1\n').gaps).toEqual([
      { what: 'pools', why: 'the endpoint has no metrics of pools that are known' },
    ]);
  });

  it('pools of several processes are told apart', () => {
    const text = [1, 2].map((i) => `sqlalchemy_pool_checked_out{pool_name="p",instance="web-${i}"} ${i}\n`);
    expect(readingOf(text.join('')).pools.map(({ name, inUse }) => [name, inUse])).toEqual([
      ['p (web-1)', 1],
      ['p (web-2)', 2],
    ]);
  });

  it('percentiles come from the buckets of a histogram', () => {
    const bucket = (le: string, count: number) =>
      `poolctl_pool_checkout_duration_seconds_bucket{pool_name="a",le="${le}"} ${count}\n`;
    const text = [
      ...[
        'poolctl_pool_checked_in{pool_name="a"} 1\n',
        bucket('0.001', 50),
        bucket('0.01', 95),
        bucket('0.1', 99),
      ],
      ...[bucket('+Inf', 100), 'poolctl_pool_checkout_duration_seconds_sum{pool_name="a"} 2.5\n'],
      'poolctl_pool_checkout_duration_seconds_count{pool_name="a"} 100\n',
    ].join('');
    const wait = readingOf(text).pools[0]?.wait;
    expect(wait).toMatchObject({ count: 100, sumUs: 2.5e6, meanUs: 25_000 });
    if (wait === null || wait === undefined) return;
    expect([50, 95, 99, 100].map((percent) => percentileUs(wait, percent))).toEqual([1000, 10_000, 1e5, 1e5]);
  });

  const SHORT_NAMES = `
    pgbouncer_version_info{version="1.24.1"} 1
    pgbouncer_databases_pool_size{database="orders"} 20
    pgbouncer_pools_cl_active{database="orders",user="app"} 30
    pgbouncer_pools_cl_waiting{database="orders",user="app"} 5
    pgbouncer_pools_sv_active{database="orders",user="app"} 20
    pgbouncer_pools_sv_idle{database="orders",user="app"} 0
    pgbouncer_pools_maxwait{database="orders",user="app"} 1.25`;
  const COMMUNITY = `
    pgbouncer_version_info{version="1.24.1"} 1
    pgbouncer_config_max_client_connections 100
    pgbouncer_used_clients 35
    pgbouncer_databases_pool_size{name="orders",host="db",port="5432",database="orders",force_user="",pool_mode="transaction"} 20
    pgbouncer_pools_client_active_connections{database="orders",user="app"} 30
    pgbouncer_pools_client_waiting_connections{database="orders",user="app"} 5
    pgbouncer_pools_server_active_connections{database="orders",user="app"} 20
    pgbouncer_pools_server_used_connections{database="orders",user="app"} 0
    pgbouncer_pools_client_maxwait_seconds{database="orders",user="app"} 1.25`;

  it.each([
    ['by the short names, such as pgbouncer_pools_cl_active', SHORT_NAMES],
    ['by those of the community’s exporter', COMMUNITY],
  ])('PgBouncer is read %s', (_, text) => {
    const { pooler, gaps } = readingOf(text.replace(/^\s+/gm, ''));
    expect(pooler).toMatchObject({
      version: '1.24.1',
      pools: [
        {
          ...{ database: 'orders', user: 'app', clientsActive: 30, clientsWaiting: 5, serversActive: 20 },
          ...{ serversIdle: 0, longestWaitMs: 1250, size: 20 },
        },
      ],
      databases: [{ name: 'orders', size: 20, busy: null }],
    });
    expect(gaps).toEqual([{ what: 'clients and servers of PgBouncer', why: 'metrics do not tell them' }]);
  });

  it('several of them at one endpoint, and pools of one name, are told apart', () => {
    const { pooler, pools } = readingOf(
      ['a', 'b']
        .map(
          (source) =>
            `pgbouncer_pools_cl_active{source="${source}",database="orders",user="app"} 3
pgbouncer_pools_info{source="${source}",database="orders",user="app",pool_mode="session"} 1
pgbouncer_databases_pool_size{source="${source}",database="orders"} 20
pgbouncer_used_clients{source="${source}"} 5
poolctl_pool_checked_in{source="${source}",app="shop",pool_name="main"} 1
sqlalchemy_pool_checked_in{source="${source}",app="shop",pool_name="main"} 1
`,
        )
        .join(''),
    );
    expect(pooler).toMatchObject({
      usedClients: 10,
      pools: [
        { database: 'orders (a)', user: 'app', size: 20, mode: 'session' },
        { database: 'orders (b)', user: 'app', size: 20, mode: 'session' },
      ],
      databases: [{ name: 'orders (a)' }, { name: 'orders (b)' }],
    });
    expect(pools.map(({ name }) => name)).toEqual(['main (shop) (a)', 'main (shop) (b)']);
  });

  it('its rates come from two readings', () => {
    const at = (n: number) =>
      `${COMMUNITY}
      pgbouncer_stats_sql_transactions_pooled_total{database="orders"} ${n * 100}
      pgbouncer_stats_queries_pooled_total{database="orders"} ${n * 300}
      pgbouncer_stats_client_wait_seconds_total{database="orders"} ${n * 8}
      pgbouncer_stats_server_in_transaction_seconds_total{database="orders"} ${n * 10}`.replace(/^\s+/gm, '');
    const first = toReading(at(1), 'x', 1, { before: null, atMs: 0 });
    const { reading } = toReading(at(2), 'x', 1, { before: first.stats, atMs: 2000 });
    expect(reading.pooler).toMatchObject({
      ...{ maxClients: 100, usedClients: 35 },
      databases: [{ transactionsPerSecond: 50, queriesPerSecond: 150, busy: 1, waitMs: 80 }],
    });
  });
});

describe('the source prometheus:', () => {
  let server: Server;
  let source: StatsSource | null;

  beforeEach(() => {
    source = null;
  });
  afterEach(async () => {
    await source?.[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });

  const read = async (answer: RequestListener, signal = new AbortController().signal): Promise<Reading> => {
    server = createServer(answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    source = openSource(`prometheus:http://127.0.0.1:${port}`, { env: {}, clock: systemClock });
    return source.read(signal);
  };

  it('asks at /metrics where the URL has no path', async () => {
    const { pools } = await read(({ url }, response) => {
      response.end(url === '/metrics' ? 'poolctl_pool_checked_in{pool_name="orders"} 1\n' : '');
    });
    expect(pools).toMatchObject([{ name: 'orders' }]);
  });

  it.each<[string, RequestListener, RegExp]>([
    ['a status', (_, response) => void response.writeHead(404).end(), /status 404/],
    ['a web page', (_, response) => void response.end('<html>\n<p>hello</p>\n'), /text format/],
    [
      'an answer without end',
      (_, response) => {
        const chunk = `${'a'.repeat(65_535)}\n`;
        const more = (): void => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on('drain', more);
        more();
      },
      /longer than 32 MB/,
    ],
  ])('refuses %s', async (_, answer, words) => {
    await expect(read(answer)).rejects.toMatchObject({
      code: 'ERR_SOURCE_ANSWER',
      message: expect.stringMatching(words),
    });
  });

  it('one that hangs up is unreachable, and one that does not answer is given up', async () => {
    await expect(read(({ socket }) => void socket.destroy())).rejects.toMatchObject({
      code: 'ERR_SOURCE_UNREACHABLE',
    });
    server.close();
    const giveUp = new AbortController();
    const reading = read((_, response) => {
      response.write('poolctl_pool_checked_in 1\n');
      giveUp.abort(new Error('long enough'));
    }, giveUp.signal);
    await expect(reading).rejects.toThrow('long enough');
  });

  it('the password of its URL is not shown', async () => {
    server = createServer();
    const { label } = openSource('prometheus:http://me:secret@127.0.0.1:9/metrics?token=secret', {
      env: {},
      clock: systemClock,
    });
    expect(label).toBe('prometheus:http://me@127.0.0.1:9/metrics?token=***');
    expect(() => openSource('prometheus:127.0.0.1:9090', { env: {}, clock: systemClock })).toThrow(
      'no http:// or https:// URL',
    );
  });
});

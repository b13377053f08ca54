import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { systemClock } from '../../src/base/clock.js';
import { runMain } from '../../src/cli/main.js';
import { type PublishAt, type Published, publish } from '../../src/watch/publish.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/guarded.js';
import { type TestIo, testIo } from '../helpers/io.js';
import { describeWithPgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { describeWithPostgres, postgres } from '../helpers/postgres.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';
import { TOKEN, TOKEN_ENV } from '../helpers/token.js';
import { linesOf, poolReading } from '../metrics/readings.js';

function run(argv: readonly string[], io: TestIo = testIo({ env: TOKEN_ENV })) {
  return { io, finished: runMain({ commands, version: () => '1' }, ['metrics', ...argv], io) };
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** An exporter at a free port, ended with the test. */
async function serve(argv: readonly string[], io?: TestIo) {
  const started = run(['serve', '--port', '0', '--format', 'json', ...argv], io);
  await eventually(() => started.io.out() !== '' || started.io.err() !== '');
  const { url, port } = JSON.parse(started.io.out()) as { url: string; port: number };
  closing.push(async () => {
    started.io.interrupts.receive('SIGINT');
    expect(await started.finished).toBe(0);
  });
  const scrape = async (headers: Record<string, string> = {}) => (await fetch(url, { headers })).text();
  return { ...started, url, port, scrape };
}

let reads: number;
async function publishPools(
  at: PublishAt = { kind: 'port', host: '127.0.0.1', port: 0, token: TOKEN },
): Promise<Published> {
  reads = 0;
  const published = await publish({
    app: { name: 'shop', pid: 42, host: 'here', node: 'v20', startedAtMs: 1 },
    at,
    read: () => {
      reads++;
      const pools = poolReading({}).pools.map((pool) => ({
        ...pool,
        ...{ live: 3, idle: 1, inUse: 2, waiting: 0, holders: [] },
      }));
      return { takenAtMs: 1, pools, gaps: [] };
    },
    clock: systemClock,
  });
  closing.push(() => published.close());
  return published;
}

describe('poolctl metrics serve', () => {
  it('says in one line where it listens, and ends by Ctrl-C with 0, by SIGTERM with 143', async () => {
    for (const [signal, code] of [
      ['SIGINT', 0],
      ['SIGTERM', 143],
    ] as const) {
      const { io, finished } = run(['serve', '--port', '0', '--source', 'pool:/nowhere/x.sock']);
      await eventually(() => io.out() !== '');
      const [, url = ''] = /^metrics at (http:\/\/127\.0\.0\.1:\d+\/metrics)\n$/.exec(io.out()) ?? [];
      expect((await fetch(url)).status).toBe(200);
      io.interrupts.receive(signal);
      expect(await finished).toBe(code);
      await expect(fetch(url)).rejects.toThrow();
    }
  });

  it.each([
    ['/metrics', 'GET', 200, /^# HELP/],
    ['/metrics', 'HEAD', 200, /^$/],
    ['/metrics?x=1', 'GET', 200, /^# HELP/],
    ['/healthz', 'GET', 200, /^ok\n$/],
    ['/', 'GET', 200, /\/metrics\n/],
    ['/nothing', 'GET', 404, /\/metrics/],
    ['/metrics', 'POST', 405, /GET/],
  ])('answers %s, %s', async (path, method, status, text) => {
    const { url } = await serve(['--source', 'pool:/nowhere/x.sock']);
    const response = await fetch(new URL(path, url), { method });
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(text);
  });

  it('tells of each source; the reason of one that fails is said once, and that it is back', async () => {
    const port = await freePort();
    const published = await publishPools();
    const { io, scrape } = await serve([
      '--source',
      `pool:${published.address}`,
      '--source',
      `pool:127.0.0.1:${port}`,
    ]);
    const up = async () =>
      linesOf(await scrape(), 'poolctl_source_up')
        .map((line) => line.slice(-1))
        .join('');
    expect([await up(), await up()]).toEqual(['10', '10']);
    expect(io.err().match(/cannot be read/g)).toHaveLength(1);
    expect(io.err()).toMatch(/^poolctl: pool:127\.0\.0\.1:\d+ cannot be read: .*ECONNREFUSED.*\n$/);
    await publishPools({ kind: 'port', host: '127.0.0.1', port, token: TOKEN });
    expect(await up()).toBe('11');
    expect(io.err()).toContain('can be read again');
  });

  it('one that does not answer is given up when Prometheus would give up, and the others are told', async () => {
    const sockets: Socket[] = [];
    const mute: Server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    const published = await publishPools();
    const { io, scrape } = await serve([
      ...['--source', `pool:127.0.0.1:${(mute.address() as AddressInfo).port}`],
      ...['--source', `pool:${published.address}`, '--timeout', '10m'],
    ]);
    const text = await scrape({ 'x-prometheus-scrape-timeout-seconds': '0.3' });
    expect(linesOf(text, 'poolctl_source_up').map((line) => line.slice(-1))).toEqual(['0', '1']);
    expect(linesOf(text, 'poolctl_pool_checked_out')).toHaveLength(1);
    expect(io.err()).toContain('no answer within 270ms');
  });

  it('ends at once by Ctrl-C, though a source is still to answer', async () => {
    const asked = createServer().listen(0, '127.0.0.1');
    await once(asked, 'listening');
    closing.push(() => asked.close());
    const { io, finished } = run([
      ...['serve', '--port', '0', '--timeout', '10m', '--format', 'json'],
      ...['--source', `pool:127.0.0.1:${(asked.address() as AddressInfo).port}`],
    ]);
    await eventually(() => io.out() !== '');
    const scraped = fetch((JSON.parse(io.out()) as { url: string }).url);
    const [socket] = (await once(asked, 'connection')) as [Socket];
    io.interrupts.receive('SIGINT');
    expect(await finished).toBe(0);
    await expect(scraped).rejects.toThrow();
    socket.destroy();
    expect(io.err()).toBe('');
  });

  it('those who ask at once get one reading, and whoever hangs up harms nobody', async () => {
    const published = await publishPools();
    const { scrape, url } = await serve(['--source', `pool:${published.address}`]);
    await scrape();
    const before = reads;
    const hangUp = request(url);
    hangUp.on('error', () => {});
    hangUp.end();
    hangUp.destroy();
    const texts = await Promise.all(Array.from({ length: 20 }, () => scrape()));
    expect(texts.every((text) => text.includes('poolctl_pool_checked_out'))).toBe(true);
    expect(reads - before).toBeLessThan(20);
  });

  it('a source that is named twice is two', async () => {
    const published = await publishPools();
    const { scrape } = await serve([
      '--source',
      `pool:${published.address}`,
      '--source',
      `pool:${published.address}`,
    ]);
    expect(new Set(linesOf(await scrape(), 'poolctl_source_up')).size).toBe(2);
  });

  describe.skipIf(process.platform === 'win32')('pool: alone', () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'poolctl-metrics-'));
      closing.push(() => rm(folder, { recursive: true }));
    });

    it('finds applications as they come and go', async () => {
      const env = { XDG_RUNTIME_DIR: folder };
      const made = testIo({ env });
      const uid = process.getuid?.() ?? null;
      const io = { ...made, user: { ...made.user, uid, tempFolder: folder } };
      const { scrape } = await serve(['--source', 'pool:'], io);
      const sources = async () => linesOf(await scrape(), 'poolctl_source_up').length;
      expect(await sources()).toBe(0);
      const owner = { platform: process.platform, env, uid, userName: 'me', tempFolder: folder };
      const published = await publishPools({ kind: 'socket', owner, pid: process.pid, thread: 0 });
      expect(linesOf(await scrape(), 'poolctl_pool_size')).toEqual([
        expect.stringContaining('app="shop",pool_name="orders"} 5'),
      ]);
      published.close();
      await eventually(async () => (await sources()) === 0);
      expect(io.err()).toBe('');
    });
  });

  it('a port that is taken is a clear error, with 3', async () => {
    const { port } = await serve(['--source', 'pool:/nowhere/x.sock']);
    const { io, finished } = run(['serve', '--port', String(port), '--source', 'pool:/nowhere/x.sock']);
    expect(await finished).toBe(3);
    expect(io.err()).toContain(`cannot listen at 127.0.0.1:${port}: the port is taken (ERR_METRICS_LISTEN)`);
    expect(io.err()).toContain('hint: choose another with --port');
  });

  it.each([
    [['--host', '203.0.113.7'], 'this machine has no such address'],
    [['--host', 'nowhere.invalid'], 'cannot listen at nowhere.invalid'],
  ])('so is a place that is not ours: %j', async (argv, words) => {
    const { io, finished } = run(['serve', '--port', '0', '--source', 'pool:/x/y', ...argv]);
    expect(await finished).toBe(3);
    expect(io.err()).toContain(words);
  });

  it.each([
    [[], '--source is missing'],
    [['--source', 'nonsense', '--source', 'pgbouncer://me:secret@x/orders'], '2 problems'],
    [['--source', 'pool:/x/y', '--compat', 'graphite'], "'graphite' is not one of sqlalchemy"],
    [['--source', 'pool:/x/y', '--max-pools', '0'], '--max-pools'],
  ])('refuses %j, and shows no password', async (argv, words) => {
    const { io, finished } = run(['serve', ...argv]);
    expect(await finished).toBe(2);
    expect(io.err()).toContain(words);
    expect(io.err()).not.toContain('secret');
  });
});

describeWithPostgres('poolctl metrics serve of a PostgreSQL that lets nobody in', () => {
  it('says why, and shows no password anywhere', async () => {
    const address = `postgres://postgres:top-secret@127.0.0.1:${postgres?.port}/postgres`;
    const { io, scrape } = await serve(['--source', address]);
    const text = await scrape();
    expect(linesOf(text, 'poolctl_source_up')).toEqual([expect.stringMatching(/ 0$/)]);
    expect(io.err()).toContain('password authentication failed');
    expect(text + io.err() + io.out()).not.toContain('top-secret');
  });
});

describeWithPgBouncer('poolctl metrics serve of a PgBouncer that goes away', () => {
  it('is down while it is gone, in mid-answer too, and read again when it is back', async () => {
    const pgbouncer = await startPgBouncer();
    closing.push(() => pgbouncer.stop());
    const proxy = await startTcpProxy(pgbouncer.port);
    closing.push(() => proxy.close());
    const { user = '', password = '' } = postgres ?? {};
    const env = { PGPASSWORD: password };
    const source = ['--source', `pgbouncer://${user}@127.0.0.1:${proxy.port}/`];
    const { io, scrape } = await serve(source, testIo({ env }));
    const up = async () => linesOf(await scrape(), 'pgbouncer_up').map((line) => line.slice(-1))[0];
    expect(await up()).toBe('1');
    proxy.dribble();
    const inMidAnswer = up();
    await proxy.cutOldest();
    await inMidAnswer;
    await proxy.refuse();
    expect(await up()).toBe('0');
    expect(await scrape()).not.toContain('pgbouncer_version_info');
    await proxy.accept();
    expect(await up()).toBe('1');
    expect(io.err()).toContain('can be read again');
    expect(io.err()).not.toContain(password);
  });
});

describe('poolctl metrics dashboard and alerts', () => {
  it('print what Grafana and Prometheus take', async () => {
    const board = run(['dashboard']);
    expect(await board.finished).toBe(0);
    expect(JSON.parse(board.io.out())).toMatchObject({
      uid: 'connection-pool-monitoring',
      schemaVersion: 39,
    });
    const alerts = run(['alerts']);
    expect(await alerts.finished).toBe(0);
    expect(alerts.io.out()).toMatch(/^groups:\n {2}- name: poolctl\n/);
  });

  it('limits go into the rules', async () => {
    const argv = [
      '--max-wait',
      '2s',
      '--checkout-p99',
      '50ms',
      '--utilization',
      '90%',
      '--connections',
      '80%',
    ];
    const { io, finished } = run(['alerts', ...argv]);
    expect(await finished).toBe(0);
    for (const expr of ['pools_maxwait > 2\n', '> 0.05\n', '> 0.9\n', '> 0.8\n'])
      expect(io.out()).toContain(expr);
    const wrong = run(['alerts', '--utilization', '150%']);
    expect(await wrong.finished).toBe(2);
  });
});

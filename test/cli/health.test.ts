import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { systemClock } from '../../src/base/clock.js';
import { runMain } from '../../src/cli/main.js';
import { createDatabase, type Database } from '../../src/index.js';
import { type Watched, watch } from '../../src/watch/index.js';
import { type Published, publish } from '../../src/watch/publish.js';
import { bin, poolctl, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';
import { type TestIo, type TestIoOptions, testIo } from '../helpers/io.js';
import { describeWithPgBouncer, type PgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { TOKEN, TOKEN_ENV } from '../helpers/token.js';

let folder: string;
let ends: (() => unknown)[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-health-'));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
});

const newIo = (options: TestIoOptions = {}): TestIo =>
  testIo({ cwd: folder, tempFolder: folder, env: { XDG_RUNTIME_DIR: folder, ...TOKEN_ENV }, ...options });
const run = (argv: readonly string[], io: TestIo) =>
  runMain({ commands, version: () => '1.2.3' }, ['health', ...argv], io);
async function health(...argv: string[]) {
  const io = newIo();
  const code = await run(argv, io);
  return { code, out: io.out(), err: io.err() };
}
interface Said {
  readonly status: string;
  readonly pools: readonly Record<string, unknown>[];
}
async function healthJson(...argv: string[]): Promise<Said & { readonly code: number }> {
  const { code, out } = await health(...argv, '--format', 'json');
  return { code, ...(JSON.parse(out) as Said) };
}

/** Publishes pools as an application does, and gives the source's address. */
async function published(...pools: Watched[]): Promise<string> {
  const read = () => ({ takenAtMs: 1, pools: pools.flatMap((one) => one.snapshots()), gaps: [] });
  const app = { name: 'shop', pid: 42, host: 'here', node: 'v20', startedAtMs: 1 };
  const at = { kind: 'port', host: '127.0.0.1', port: 0, token: TOKEN } as const;
  const open: Published = await publish({ app, at, read, clock: systemClock });
  ends.push(() => open.close());
  return `pool:${open.address}`;
}

function newPool(options: { size?: number } = {}): Database {
  const db = createDatabase(`sqlite:${join(folder, 'orders.db')}?mode=inline`, {
    name: 'orders',
    size: 2,
    maxOverflow: 0,
    ...options,
  });
  ends.push(() => db.close({ graceMs: 0 }));
  return db;
}

describe('poolctl health of an application', () => {
  it('tells of a pool that is healthy, full, too small, and well again', async () => {
    const db = newPool();
    const address = await published(watch(db.pool));
    const first = await db.getDb();
    expect(await healthJson(address)).toMatchObject({
      ...{ code: 0, status: 'healthy' },
      pools: [
        {
          ...{ pool_name: 'orders', size: 2, checked_out: 1, overflow: 0, utilization_percent: 50 },
          ...{ total_capacity: 2, source: address, application: 'shop', pid: 42 },
        },
      ],
    });
    const second = await db.getDb();
    const full = ['--warn-utilization', '80%'];
    await eventually(async () => (await healthJson(address, ...full)).status === 'warning');
    expect(await healthJson(address, '--strict', ...full)).toMatchObject({ code: 1 });
    // As long as nobody waits it has just the right size.
    expect(await healthJson(address)).toMatchObject({ code: 0, status: 'healthy' });
    const third = db.getDb();
    // What is published is up to 50 ms old.
    await eventually(async () => (await healthJson(address)).status === 'critical');
    const { code, out, err } = await health(address);
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toMatch(
      /^CRITICAL: 1 critical\n\nstatus +in use +used .*\ncritical +2 of 2 +100.0 % .*orders \(shop 42\)\n/,
    );
    expect(out).toContain('orders (shop 42): 2 of 2 in use (critical above 90 %)');
    expect(out).toContain('orders (shop 42): 1 waiting (warning above 0)');
    await first.close();
    await (await third).close();
    await second.close();
    await eventually(async () => (await healthJson(address)).status === 'healthy');
  });

  it('is ASCII without colour, and coloured on a terminal', async () => {
    const address = await published(watch(newPool().pool));
    expect((await health(address)).out).toMatch(/^[\n\x20-\x7e]*$/);
    const io = newIo({ isTty: true });
    await run([address], io);
    expect(io.out()).toContain('\u001b[32mHEALTHY:');
  });

  it('checks again and again, with the time-outs in between, until it is stopped', async () => {
    const db = newPool({ size: 1 });
    const held = await db.getDb();
    const address = await published(watch(db.pool));
    const io = newIo();
    const done = run([address, '--every', '100ms', '--format', 'json'], io);
    const lines = () =>
      io
        .out()
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Said);
    await eventually(() => lines().length >= 1);
    await expect(db.pool.acquire({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'ERR_POOL_TIMEOUT' });
    await eventually(() => lines().some(({ pools }) => pools[0]?.timed_out === 1));
    const seen = lines().find(({ pools }) => pools[0]?.timed_out === 1);
    expect(seen).toMatchObject({ status: 'warning' });
    expect(lines()[0]?.pools[0]?.timed_out).toBeNull();
    await held.close();
    await eventually(() => lines().at(-1)?.status === 'healthy');
    io.interrupts.receive('SIGINT');
    expect(await done).toBe(0);
  });

  it('has a line a pool with the time, where text is said again and again', async () => {
    const address = await published(watch(newPool().pool));
    const io = newIo();
    const done = run([address, '--every', '100ms'], io);
    await eventually(() => io.out().split('\n').length > 2);
    io.interrupts.receive('SIGTERM');
    expect(await done).toBe(0);
    expect(io.out()).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}healthy {3}orders \(shop 42\): 0 of 2 in use\n/,
    );
  });

  it('without a source it looks for live applications, each time anew', async () => {
    const watched = watch(newPool().pool);
    const env = { XDG_RUNTIME_DIR: join(folder, 'run') };
    await mkdir(env.XDG_RUNTIME_DIR);
    const at = {
      kind: 'socket',
      owner: {
        ...{ platform: process.platform, env, uid: process.getuid?.() ?? null },
        ...{ userName: 'me', tempFolder: folder },
      },
      ...{ pid: process.pid, thread: 0 },
    } as const;
    const open = () =>
      publish({
        app: { name: 'shop', pid: 42, host: 'here', node: 'v20', startedAtMs: 1 },
        ...{ at, clock: systemClock },
        read: () => ({ takenAtMs: 1, pools: [...watched.snapshots()], gaps: [] }),
      });
    let app = await open();
    const made = newIo({ env });
    const io = { ...made, user: { ...made.user, uid: process.getuid?.() ?? null } };
    const done = run(['--every', '100ms', '--format', 'json'], io);
    const last = () => made.out().trimEnd().split('\n').at(-1) ?? '';
    await eventually(() => last().includes('"healthy"'));
    app.close();
    await eventually(() => last().includes('no application of this user publishes its pools'));
    app = await open();
    await eventually(() => last().includes('"healthy"'));
    app.close();
    await eventually(() => last().includes('"error"'));
    made.interrupts.receive('SIGINT');
    expect(await done).toBe(3);
  });

  it('an application without a pool is nothing to call healthy, unless another one has one', async () => {
    const empty = await published();
    expect(await health(empty)).toMatchObject({
      code: 3,
      out: expect.stringContaining('it has no pools') as string,
    });
    const full = await published(watch(newPool().pool));
    expect(await healthJson(empty, full)).toMatchObject({ code: 0, pools: [{ pool_name: 'orders' }] });
  });

  it('one that does not answer is given up', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    ends.push(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const { code, out } = await health(`pool:127.0.0.1:${port}`, '--timeout', '50ms');
    expect(code).toBe(3);
    expect(out).toContain('no answer within 50ms');
  });
});

describe('poolctl health', () => {
  it('reads a metrics endpoint by its names', async () => {
    const text = `sqlalchemy_pool_size{pool_name="default"} 5
sqlalchemy_pool_checked_in{pool_name="default"} 3
sqlalchemy_pool_checked_out{pool_name="default"} 2
sqlalchemy_pool_overflow{pool_name="default"} -3
sqlalchemy_pool_waiters{pool_name="default"} 0
`;
    let body = text;
    const server: Server = createServer((_, response) => void response.end(body)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    ends.push(() => server.close());
    const address = `prometheus:http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await healthJson(address)).toMatchObject({
      ...{ code: 0, status: 'healthy' },
      pools: [
        {
          ...{ pool_name: 'default', size: 5, checked_out: 2, checked_in: 3, overflow: 0, leaked: null },
          ...{ total_capacity: 5, utilization_percent: 40 },
        },
      ],
    });
    body = 'up 1\n';
    expect(await healthJson(address)).toMatchObject({
      code: 3,
      pools: [
        { status: 'error', size: null, reasons: ['the endpoint has no metrics of pools that are known'] },
      ],
    });
  });

  it.each<[string[], number, string]>([
    [[], 3, 'no application of this user publishes its pools'],
    [['mongodb://a', 'nothing'], 2, "the scheme 'mongodb' is not known"],
    [['--every', '1'], 2, 'has no unit'],
    [['--warn-waiting', 'many'], 2, '--warn-waiting'],
    [['--warn-utilization', '200'], 2, '--warn-utilization'],
    [['postgres://a:geheim@127.0.0.1:1/b'], 3, 'cannot connect to PostgreSQL at 127.0.0.1:1'],
  ])('says what is wrong with %j', async (argv, code, words) => {
    const result = await health(...argv);
    expect(result.code).toBe(code);
    expect(result.out + result.err).toContain(words);
    expect(result.out + result.err).not.toContain('geheim');
  });

  it('live applications that are meant, and not there, are an error beside what is there', async () => {
    const address = await published(watch(newPool().pool));
    expect(await healthJson('pool:', address)).toMatchObject({
      code: 3,
      pools: [
        { pool_name: 'orders', status: 'healthy' },
        { pool_name: 'pool:', status: 'error', reasons: ['no application of this user publishes its pools'] },
      ],
    });
  });

  it('of two the worse decides, and what is critical before what cannot be read', async () => {
    const db = newPool({ size: 1 });
    const address = await published(watch(db.pool));
    const dead = 'postgres://a@127.0.0.1:1/b';
    expect((await health(address, dead)).code).toBe(3);
    const held = await db.getDb();
    const next = db.getDb();
    await eventually(async () => (await health(address, dead)).code === 1);
    await held.close();
    await (await next).close();
  });
});

describeWithPgBouncer('poolctl health of a real pooler and server', () => {
  let own: OwnDatabase;
  let pgbouncer: PgBouncer;
  beforeAll(async () => {
    own = await newDatabase();
    pgbouncer = await startPgBouncer({ default_pool_size: 1, reserve_pool_size: 0 });
  });
  afterAll(async () => {
    await pgbouncer?.stop();
  });
  const client = async (): Promise<pg.Client> => {
    const one = new pg.Client({ connectionString: own.url({ port: pgbouncer.port }) });
    one.on('error', () => {});
    await one.connect();
    ends.push(() => one.end().catch(() => {}));
    return one;
  };

  it('a client that queues is critical, and one that does not is not', async () => {
    const pooler = `pgbouncer://${new URL(own.url()).username}:${new URL(own.url()).password}@127.0.0.1:${pgbouncer.port}/`;
    const mine = ({ pools }: Said) => pools.find((one) => String(one.pool_name).startsWith(`${own.name}/`));
    const [first, second] = [await client(), await client()];
    await first.query('select 1');
    const quiet = await healthJson(pooler);
    expect(quiet.code).toBe(0);
    expect(mine(quiet)).toMatchObject({ status: 'healthy', size: 1, checked_out: 0, total_capacity: 1 });
    expect(quiet.pools.at(-1)).toMatchObject({
      pool_name: 'clients',
      total_capacity: 100,
      status: 'healthy',
    });
    await first.query('begin');
    const waits = second.query('select 1');
    let busy = await healthJson(pooler);
    await eventually(async () => {
      busy = await healthJson(pooler);
      return mine(busy)?.waiting === 1;
    });
    expect(busy.code).toBe(1);
    expect(mine(busy)).toMatchObject({ status: 'critical', checked_out: 1, utilization_percent: 100 });
    await first.query('commit');
    await waits;
    expect((await healthJson(pooler)).code).toBe(0);
    const server = await healthJson(own.url());
    // The server is shared with other tests, whose transactions may have rows of their own.
    expect(server.pools[0]).toMatchObject({ pool_name: 'max_connections', overflow: 0, waiting: null });
    expect((await health(own.url(), '--critical-utilization', '0%')).code).toBe(1);
  });

  it('in a process of its own: a script sees the exit code, and Ctrl-C ends it', async () => {
    const env = { XDG_RUNTIME_DIR: folder };
    const output = join(folder, 'health.log');
    const done = await poolctl(['health', own.url(), '--format', 'json'], { env });
    expect(done).toMatchObject({ code: 0, signal: null, stderr: '' });
    const again = start(bin, ['health', own.url(), '--every', '100ms', '-o', output], { env });
    await eventually(async () =>
      (await readFile(output, 'utf8').catch(() => '')).includes('max_connections'),
    );
    again.child.kill('SIGINT');
    expect(await again.finished).toMatchObject({ code: 0, signal: null, stderr: '' });
  });
});

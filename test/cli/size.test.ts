import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import { readRecording } from '../../src/leases/file.js';
import { Fate } from '../../src/leases/recording.js';
import type { SizeResult } from '../../src/sizing/types.js';
import { bin, root, start } from '../helpers/bin.js';
import { testIo } from '../helpers/io.js';
import { leaseRecording } from '../helpers/lease-recordings.js';
import { describeWithPostgres, newDatabase } from '../helpers/postgres.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-size-'));
  await writeFile(join(folder, 'shop.rec'), leaseRecording());
  await writeFile(join(folder, 'leaky.rec'), leaseRecording({ leaks: 3 }));
  const shared = (n: number): number => Math.max(1, n / 4);
  await writeFile(join(folder, 'cores.rec'), leaseRecording({ slowdown: shared }));
  await writeFile(join(folder, 'checked.rec'), leaseRecording({ checkIdleMs: 20, size: 20 }));
  await writeFile(join(folder, 'unchecked.rec'), leaseRecording({ checkIdleMs: 120, size: 5 }));
  await writeFile(join(folder, 'pings.rec'), leaseRecording({ pingMs: 20, size: 16, seconds: 6 }));
  await writeFile(join(folder, 'pings-7.rec'), leaseRecording({ pingMs: 20, size: 7, seconds: 6 }));
  await writeFile(join(folder, 'short.rec'), leaseRecording({ seconds: 0.2 }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function size(...argv: string[]) {
  const io = testIo({ cwd: folder });
  const code = await runMain({ commands, version: () => '1.2.3' }, ['size', ...argv], io);
  return { code, out: io.out(), err: io.err() };
}

const results = new Map<string, Promise<SizeResult>>();

/** Each analysis is made once. */
function sized(...argv: string[]): Promise<SizeResult> {
  const key = argv.join(' ');
  const result =
    results.get(key) ?? size(...argv, '--format=json').then(({ out }) => JSON.parse(out) as SizeResult);
  results.set(key, result);
  return result;
}

describe('poolctl size', () => {
  it('counts the pings of mysql as use of the connections', async () => {
    const [pool] = (await sized('pings.rec', '--sizes=7')).pools;
    expect(pool?.recommendation).toMatchObject({ size: null, obstacle: 'pings' });
    expect(pool?.replayed?.isClose).toBe(true);
    const predicted = pool?.rows.find(({ size: of }) => of === 7)?.waits.p99Ms ?? 0;
    const recorded = (await sized('pings-7.rec')).pools[0]?.waits.p99Ms ?? 0;
    // Holds alone need less than 4 connections, and wait for nothing.
    expect(recorded).toBeGreaterThan(100);
    expect(Math.abs(predicted / recorded - 1)).toBeLessThan(0.1);
    expect((await size('pings.rec')).out.replace(/\s+/g, ' ')).toContain(
      'each acquire first pings its connection',
    );
  });

  it('recommends the smallest size that meets the target', async () => {
    const [pool] = (await sized('shop.rec')).pools;
    const rows = pool?.rows ?? [];
    const wanted = pool?.recommendation.size;
    expect(wanted).not.toBeNull();
    const p99At = (of: number) => rows.find((row) => row.size === of)?.waits.p99Ms ?? Number.NaN;
    expect(p99At(wanted ?? 0)).toBeLessThanOrEqual(10);
    expect(p99At((wanted ?? 0) - 1)).toBeGreaterThan(10);
    // The replay at the recorded size repeats the recording.
    const { replayed, waits } = pool ?? {};
    expect(Math.abs((replayed?.p99Ms ?? 0) - (waits?.p99Ms ?? 1))).toBeLessThan(1);
    expect(pool?.slowdown.kind).toBe('none');
  });

  it('asks for more connections with a lower target and with growth', async () => {
    const of = async (...argv: string[]) =>
      (await sized('shop.rec', ...argv)).pools[0]?.recommendation.size ?? 0;
    const { size: plain = 0, growthAllowed = 0 } = (await sized('shop.rec')).pools[0]?.recommendation ?? {};
    expect(await of('--target-wait=1ms')).toBeGreaterThan(plain ?? 0);
    const grown = await of('--growth=2x');
    expect(grown).toBeGreaterThan(plain ?? 0);
    expect(grown).toBeLessThan(2 * (plain ?? 0));
    expect(await of(`--growth=${((growthAllowed ?? 0) * 1.2).toFixed(3)}`)).toBeGreaterThan(plain ?? 0);
  });

  it('names the call site whose halving helps most', async () => {
    const shorten = (await sized('shop.rec')).pools[0]?.recommendation.shorten;
    expect(shorten?.site).toBe('/srv/shop/src/orders.ts:88:31');
    expect(shorten?.holdShare).toBeGreaterThan(0.4);
  });

  it('leaves leaks out, and shows what they do', async () => {
    const [leaky] = (await sized('leaky.rec')).pools;
    const [clean] = (await sized('shop.rec')).pools;
    expect(leaky?.excluded.every(({ kind }) => kind === 'leak')).toBe(true);
    expect(leaky?.excluded.reduce((sum, { count }) => sum + count, 0)).toBe(3);
    expect(leaky?.recommendation.size).toBe(clean?.recommendation.size);
    const row = leaky?.rows.find((one) => one.size === leaky.recommendation.size);
    expect(row?.withLeaks?.p99Ms).toBeGreaterThan(row?.waits.p99Ms ?? 0);
  });

  it('measures how a server with four cores slows down', async () => {
    const [pool] = (await sized('cores.rec')).pools;
    expect(pool?.slowdown.kind).toBe('measured');
    expect(Math.abs((pool?.slowdown.freeUpTo ?? 0) - 4)).toBeLessThanOrEqual(1);
    expect(pool?.slowdown.perLease).toBeGreaterThan(0.15);
    expect(pool?.slowdown.perLease).toBeLessThan(0.35);
  });

  it('takes the checks of idle connections for as long as they took', async () => {
    const [pool] = (await sized('checked.rec', '--sizes=40')).pools;
    const row = pool?.rows.find(({ size }) => size === 40);
    // Some get a connection that comes back during their check.
    for (const p50Ms of [pool?.waits.p50Ms, row?.waits.p50Ms]) {
      expect(p50Ms).toBeGreaterThan(1);
      expect(p50Ms).toBeLessThan(2.05);
    }
    expect(pool?.replayed?.isClose).toBe(true);
    expect(pool?.assumptions.join(' ')).not.toMatch(/[Cc]hecks/);
  });

  it('says that checks are unknown where none was recorded, and takes none for longer than a connect', async () => {
    const [pool] = (await sized('unchecked.rec', '--sizes=40')).pools;
    const row = pool?.rows.find(({ size }) => size === 40);
    expect(row?.waits.p50Ms).toBe(0);
    expect(row?.intervals.p50Ms[1]).toBeGreaterThan(2);
    expect(row?.intervals.p50Ms[1]).toBeLessThanOrEqual(4.1);
    expect(pool?.assumptions.join(' ')).toMatch(/too few were recorded/);
  });

  it('states the cost for the fleet', async () => {
    const { fleet, pools } = await sized('shop.rec', '--instances=20', '--max-connections=100');
    const wanted = pools[0]?.recommendation.size ?? 0;
    expect(fleet).toMatchObject({ instances: 20, connections: 20 * wanted, headroom: 97 - 20 * wanted });
    const { out } = await size('shop.rec', '--instances=20', '--max-connections=100', '--format=markdown');
    expect(out).toMatch(/connections are missing \(max_connections 100, 3 reserved\)/);
  });

  it('exits with 1 for --check where the recorded size misses the target', async () => {
    expect(await size('shop.rec', '--check', '--target-wait=1ms')).toMatchObject({ code: 1 });
  });

  it('says why a file cannot be used', async () => {
    await writeFile(join(folder, 'notes.txt'), 'my notes');
    expect(await size('notes.txt')).toMatchObject({
      code: 3,
      err: expect.stringContaining('is not a recording'),
    });
    expect(await size('none.rec')).toMatchObject({
      code: 3,
      err: expect.stringContaining('there is no such file'),
    });
    expect(await size('short.rec')).toMatchObject({ code: 3, err: expect.stringContaining('needs 100') });
    expect(await size()).toMatchObject({ code: 2, err: expect.stringContaining('no recording was named') });
    expect(await size('shop.rec', '--pool=none')).toMatchObject({
      code: 3,
      err: expect.stringContaining('the recording has: 127.0.0.1:5432/shop'),
    });
  });
});

/** Leases of a pool of ours on SQLite, of a pg.Pool where there is a URL; `hang` keeps some until the process is killed. */
const APP = `
  import pg from 'pg';
  import { createDatabase } from 'poolctl';
  const [url, hang] = process.argv.slice(2);
  const database = url.startsWith('sqlite:') ? createDatabase(url, { size: 2, maxOverflow: 1 }) : null;
  const pool = database === null ? new pg.Pool({ connectionString: url, max: 3 }) : null;
  async function lease() {
    const connection = database === null ? await pool.connect() : await database.getDb();
    await connection.query('select 1');
    return connection;
  }
  const giveBack = (connection) => (database === null ? connection.release() : connection.close());
  async function work() {
    for (let i = 0; i < 40; i++) giveBack(await lease());
  }
  await Promise.all(Array.from({ length: 5 }, work));
  if (hang === 'hang') {
    await lease();
    setTimeout(() => console.log(process.pid), 2500);
    setInterval(() => {}, 1000);
  } else {
    await pool?.end();
    await database?.close();
  }
`;

describe('poolctl run --record-leases', () => {
  let app: string;
  beforeAll(async () => {
    app = join(root, 'test/cli', `.size-app-${process.pid}.mjs`);
    await writeFile(app, APP);
  });
  afterAll(() => rm(app, { force: true }));

  async function recordedRun(name: string, url: string, hang: boolean) {
    const file = join(folder, name);
    const argv = ['run', '--record-leases', file, '--publish=off', '--', process.execPath, app, url];
    const running = start(bin, hang ? [...argv, 'hang'] : argv, { env: { XDG_RUNTIME_DIR: folder } });
    if (hang) {
      const [pid] = (await once(running.child.stdout as NodeJS.ReadableStream, 'data')) as [string];
      // As the kernel does when memory runs out.
      process.kill(Number(pid), 'SIGKILL');
    }
    await running.finished;
    return readRecording(file);
  }

  it('records every lease of a pool of ours', async () => {
    const { pools, end, lostBytes } = await recordedRun('own.rec', `sqlite:${join(folder, 'a.db')}`, false);
    expect({ end, lostBytes }).toEqual({ end: 'exit', lostBytes: 0 });
    const [pool] = pools;
    expect(pool).toMatchObject({ library: 'poolctl', size: 3 });
    expect(pool?.leases.count).toBe(200);
    expect(pool?.connects.length).toBeGreaterThan(0);
    expect(pool?.sites.some((site) => site?.includes('.size-app-'))).toBe(true);
    expect(pool?.leases.fate.every((fate) => fate === Fate.Returned)).toBe(true);
    expect((await stat(join(folder, 'own.rec'))).mode & 0o77).toBe(0);
  }, 60_000);

  describeWithPostgres('with PostgreSQL', () => {
    it('is whole after a kill, and has the lease that was out', async () => {
      const database = await newDatabase();
      const { pools, end } = await recordedRun('killed.rec', database.url(), true);
      expect(end).toBeNull();
      const [pool] = pools;
      expect(pool).toMatchObject({ library: 'pg', size: 3, maxIdleMs: 10_000 });
      const fates = [...(pool?.leases.fate ?? [])];
      expect(fates.filter((fate) => fate === Fate.Returned)).toHaveLength(200);
      expect(fates.filter((fate) => fate === Fate.Out)).toHaveLength(1);
      expect(pool?.sites.some((site) => site?.includes('.size-app-'))).toBe(true);
    }, 60_000);
  });
});

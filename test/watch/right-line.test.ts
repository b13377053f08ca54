import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { WatchedSnapshot } from '../../src/snapshot/pool.js';
import { watch } from '../../src/watch/index.js';
import { Watcher } from '../../src/watch/watcher.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';

/** What an application's modules export: a function for each line that may be responsible. */
type App = Readonly<Record<string, (pool: pg.Pool, ...args: unknown[]) => Promise<unknown>>>;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-line-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Loads an application of these files; the last one is its entry. Lines count from 1 in each. */
async function load(files: Readonly<Record<string, string>>): Promise<App> {
  let entry = '';
  for (const [name, text] of Object.entries(files)) {
    entry = join(folder, name);
    await writeFile(entry, text.trimStart());
  }
  return createRequire(entry)(entry) as App;
}

const short = (site: string): string => site.slice(site.lastIndexOf('/') + 1).replace(/:\d+$/, '');

const HELPER = `
exports.getClient = async function getClient(pool) {
  const client = await pool.connect();
  return client;
};
exports.prepared = async function prepared(pool) {
  const client = await pool.connect();
  await client.query('set search_path to public');
  return client;
};
exports.withClient = async function withClient(pool, work) {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } finally {
    client.release();
  }
};
`;

describeWithPostgres('the line that is responsible for a lease', () => {
  let database: OwnDatabase;
  const endings: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    database = await newDatabase();
  });
  afterEach(async () => {
    for (const end of endings.splice(0)) await end();
  });
  afterAll(() => database.allClosed());

  function watched(): { pool: pg.Pool; snapshot: () => WatchedSnapshot; sites: () => string[] } {
    const pool = new pg.Pool({ connectionString: database.url(), max: 8 });
    const lent: pg.PoolClient[] = [];
    pool.on('error', () => {});
    pool.on('acquire', (client) => lent.push(client));
    endings.push(async () => {
      for (const client of lent) {
        try {
          client.release(true);
        } catch {
          // Given back already.
        }
      }
      await pool.end();
    });
    const watching = watch(pool);
    const snapshot = (): WatchedSnapshot => watching.snapshots()[0] as WatchedSnapshot;
    return { pool, snapshot, sites: () => snapshot().holders.map(({ site }) => short(site ?? '')) };
  }

  it('is the caller of a helper, for two callers that leak and one that is only slow', async () => {
    const { pool, sites, snapshot } = watched();
    const app = await load({
      'helper.js': HELPER,
      'callers.js': `
const { getClient } = require('./helper.js');
exports.orders = async function orders(pool) {
  const client = await getClient(pool);
  await client.query('select 1');
};
exports.users = async function users(pool) {
  const client = await getClient(pool);
  await client.query('select 2');
};
exports.slow = async function slow(pool, gate) {
  const client = await getClient(pool);
  await client.query('select 3');
  await gate;
  client.release();
};
`,
    });
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    await app.orders?.(pool);
    await app.orders?.(pool);
    await app.users?.(pool);
    const slow = app.slow?.(pool, gate);
    await expect.poll(() => snapshot().holders.map(({ lastSql }) => lastSql)).toContain('select 3');
    expect(sites()).toEqual(['callers.js:3', 'callers.js:3', 'callers.js:7', 'callers.js:11']);
    expect(snapshot().holders[0]?.helper).toContain('helper.js:2');
    go();
    await slow;
    expect(sites()).toEqual(['callers.js:3', 'callers.js:3', 'callers.js:7']);
  });

  it('is the caller of a helper that has one caller only, and prepares the client itself', async () => {
    const { pool, sites } = watched();
    const app = await load({
      'helper.js': HELPER,
      'one.js': `
const { prepared } = require('./helper.js');
exports.report = async function report(pool) {
  const client = await prepared(pool);
  await client.query('select 1');
};
`,
    });
    await app.report?.(pool);
    expect(sites()).toEqual(['one.js:3']);
  });

  it('is the caller whose function hangs, where a helper passes the client to it', async () => {
    const { pool, sites } = watched();
    const app = await load({
      'helper.js': HELPER,
      'passed.js': `
const { withClient } = require('./helper.js');
exports.quick = (pool) => withClient(pool, (client) => client.query('select 1'));
exports.hangs = (pool) => withClient(pool, async (client) => {
  await client.query('select 2');
  await new Promise(() => {});
});
`,
    });
    for (let n = 0; n < 3; n++) await app.quick?.(pool);
    void app.hangs?.(pool);
    await expect.poll(sites).toEqual(['passed.js:3']);
  });

  it('is the function that acquires, however many call it, if it works with the client itself', async () => {
    const { pool, sites } = watched();
    const app = await load({
      'own.js': `
async function report(pool, fails) {
  const client = await pool.connect();
  await client.query('select 1');
  if (fails) return;
  client.release();
}
exports.daily = async function daily(pool) { await report(pool, false); };
exports.weekly = async function weekly(pool) { await report(pool, true); };
exports.monthly = async function monthly(pool) { await report(pool, true); };
`,
    });
    await app.daily?.(pool);
    await app.weekly?.(pool);
    await app.monthly?.(pool);
    expect(sites()).toEqual(['own.js:2', 'own.js:2']);
  });

  it('is the outermost caller through helpers of helpers', async () => {
    const { pool, sites } = watched();
    const app = await load({
      'helper.js': HELPER,
      'outer.js': `
const { getClient } = require('./helper.js');
class Db {
  constructor(pool) { this.pool = pool; }
  async open() {
    return await getClient(this.pool);
  }
}
exports.a = async function a(pool) {
  const client = await new Db(pool).open();
  await client.query('select 1');
};
exports.b = async function b(pool) {
  const client = await new Db(pool).open();
  await client.query('select 1');
  client.release();
};
`,
    });
    await app.b?.(pool);
    await app.a?.(pool);
    expect(sites()).toEqual(['outer.js:9']);
  });

  it('is found without any statement too, by the first call that differs', async () => {
    const { pool, sites } = watched();
    const app = await load({
      'helper.js': HELPER,
      'idle.js': `
const { getClient } = require('./helper.js');
exports.a = async function a(pool) {
  await getClient(pool);
};
exports.b = async function b(pool) {
  (await getClient(pool)).release();
};
`,
    });
    await app.b?.(pool);
    await app.a?.(pool);
    expect(sites()).toEqual(['idle.js:3']);
  });

  it.each([
    ['in a file beside the code', 'external'],
    ['in a file that the code names', 'linked'],
    ['within the code', 'inline'],
  ] as const)('is that of the source, by a source map %s', async (_, sourcemap) => {
    const { pool, sites } = watched();
    const source = join(folder, `shop-${sourcemap}.ts`);
    await writeFile(
      source,
      [
        'interface Pool { connect(): Promise<{ query(sql: string): Promise<unknown> }> }',
        '',
        'export async function buy(pool: Pool): Promise<void> {',
        '  const client: Awaited<ReturnType<Pool["connect"]>> = await pool.connect();',
        '  await client.query("select 1");',
        '}',
      ].join('\n'),
    );
    const outfile = join(folder, 'out', `shop-${sourcemap}.cjs`);
    await build({ entryPoints: [source], outfile, sourcemap, bundle: true, minify: true, format: 'cjs' });
    const { buy } = createRequire(outfile)(outfile) as App;
    await buy?.(pool);
    expect(sites()).toEqual([`shop-${sourcemap}.ts:4`]);
  });

  it('is no line of a library in a bundle whose map names sources as webpack does', async () => {
    const { pool, sites } = watched();
    const library = join(folder, 'node_modules/mapper/index.js');
    await mkdir(dirname(library), { recursive: true });
    await writeFile(library, '\nexports.take = async (pool) => pool.connect();\n');
    const source = join(folder, 'mapped.cjs');
    await writeFile(
      source,
      "const { take } = require('mapper');\nexports.order = async function order(pool) {\n  await take(pool);\n};\n",
    );
    const outfile = join(folder, 'out', 'mapped-bundle.cjs');
    const sourcemap = 'external';
    await build({ entryPoints: [source], outfile, sourcemap, bundle: true, format: 'cjs', platform: 'node' });
    const map = JSON.parse(await readFile(`${outfile}.map`, 'utf8')) as { sources: string[] };
    map.sources = map.sources.map((path) => `webpack://shop/./${path.replace(/^(?:\.\.\/)+/, '')}`);
    await writeFile(`${outfile}.map`, JSON.stringify(map));
    const { order } = createRequire(outfile)(outfile) as App;
    await order?.(pool);
    expect(sites()).toEqual(['mapped.cjs:3']);
  });

  it('is that of the caller, for pools that a helper makes', async () => {
    const app = await load({
      'pools.js': `
const open = (Pool, url) => new Pool({ connectionString: url, max: 1 });
exports.both = function both(Pool, url) {
  const web = open(Pool, url);
  const jobs = open(Pool, url);
  return [web, jobs];
};
`,
    });
    const watcher = new Watcher(systemClock);
    const require = createRequire(import.meta.url);
    delete require.cache[require.resolve('pg-pool')];
    const PgPool: unknown = require('pg-pool');
    watcher.addClass(PgPool);
    const pools = app.both?.(PgPool as pg.Pool, database.url()) as unknown as pg.Pool[];
    for (const pool of pools) await pool.query('select 1');
    const sitesOf = watcher.read().pools.map(({ observed }) => short(observed?.site ?? ''));
    expect(sitesOf).toEqual(['pools.js:3', 'pools.js:4']);
    for (const pool of pools) await pool.end();
  });

  it('is known for a pool, and for callers that wait', async () => {
    const app = await load({
      'make.js': `
exports.make = function make(Pool, url) {
  return new Pool({ connectionString: url, max: 1 });
};
exports.take = async function take(pool) {
  return pool.connect();
};
`,
    });
    const watcher = new Watcher(systemClock);
    // A copy of the class, as each copy of the package has.
    const require = createRequire(import.meta.url);
    delete require.cache[require.resolve('pg-pool')];
    const PgPool: unknown = require('pg-pool');
    watcher.addClass(PgPool);
    const pool = app.make?.(PgPool as pg.Pool, database.url()) as unknown as pg.Pool;
    const client = await pool.connect();
    const waiting = [app.take?.(pool), app.take?.(pool)] as Promise<pg.PoolClient>[];
    const [snapshot] = watcher.read().pools;
    expect(short(snapshot?.observed?.site ?? '')).toBe('make.js:2');
    expect(snapshot?.observed?.address).toMatchObject({ host: '127.0.0.1', database: database.name });
    expect(snapshot?.observed?.waiterSites.map(({ site, count }) => [short(site), count])).toEqual([
      ['make.js:5', 2],
    ]);
    client.release();
    for (const one of waiting) (await one).release();
    await pool.end();
  });
});

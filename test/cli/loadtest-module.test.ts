import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/loadtest/result.js';
import { bin, root, start } from '../helpers/bin.js';
import { testIo } from '../helpers/io.js';
import { mariadb } from '../helpers/mysql.js';
import { startRedis } from '../helpers/redis.js';
import { loadtest } from './loadtest-helpers.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-module-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
});
afterAll(() => rm(folder, { recursive: true }));

const CLOSED: readonly string[] = ['--num-workers=4'];
let files = 0;
/** Writes a module, and load-tests it. */
async function run(source: string, argv: readonly string[] = [], extension = 'mjs', load = CLOSED) {
  const file = `target-${++files}.${extension}`;
  await writeFile(join(folder, file), source);
  const io = testIo({ cwd: folder });
  const all = ['--module', `./${file}`, '--warmup=none', '--num-queries=40', ...load, ...argv];
  const ran = await loadtest([...all, '--format=json'], { io });
  return { ...ran, result: ran.out === '' ? null : (JSON.parse(ran.out) as LoadResult) };
}

const byCode = (result: LoadResult | null) =>
  result?.measurements.errors.toSorted((a, b) => (a.code < b.code ? -1 : 1));

/** Real pools, as their documents say that they are used. */
const POOLS: readonly (readonly [name: string, source: string, extension: string])[] = [
  [
    'generic-pool',
    `import { createPool } from 'generic-pool';
     export default {
       name: 'things',
       open: () => createPool({ create: async () => ({}), destroy: async () => {} }, { max: 2 }),
       acquire: (pool) => pool.acquire(),
       run: () => new Promise(setImmediate),
       release: (thing, pool) => pool.release(thing),
       close: async (pool) => { await pool.drain(); await pool.clear(); },
       stats: (pool) => ({ size: pool.max, live: pool.size, idle: pool.available, waiting: pool.pending }),
     };`,
    'mjs',
  ],
  [
    'tarn',
    `const { Pool } = require('tarn');
     module.exports = {
       open: () => new Pool({ create: async () => ({}), destroy: () => {}, min: 0, max: 2 }),
       acquire: (pool) => pool.acquire().promise,
       run: () => new Promise(setImmediate),
       release: (thing, pool) => void pool.release(thing),
       close: (pool) => pool.destroy(),
       stats: (pool) => ({ size: 2, inUse: pool.numUsed(), idle: pool.numFree(), waiting: pool.numPendingAcquires() }),
     };`,
    'cjs',
  ],
  [
    'better-sqlite3',
    `import Sqlite from 'better-sqlite3';
     export default {
       open: () => [1, 2].map(() => new Sqlite(':memory:')),
       acquire: (free) => free.pop() ?? new Sqlite(':memory:'),
       run: (db, { number }) => { if (db.prepare('select ? as n').get(number).n !== number) throw new Error('wrong'); },
       release: (db, free) => void free.push(db),
       close: (free) => { for (const db of free) db.close(); },
     };`,
    'mjs',
  ],
];

describe('--module', () => {
  it.each(POOLS)('drives %s', async (_, source, extension) => {
    const { code, err, result } = await run(source, [], extension);
    expect({ low: code < 2, err }).toEqual({ low: true, err: '' });
    expect(result?.measurements).toMatchObject({ succeeded: 40, errors: [] });
    expect(result?.pool.figures).toMatchObject({ acquired: 40 });
  });

  it.skipIf(mariadb === null)('drives a pool of mysql2', async () => {
    const { code, result } = await run(`
      import mysql from 'mysql2/promise';
      export default {
        open: () => mysql.createPool(${JSON.stringify({ host: '127.0.0.1', ...mariadb, socket: undefined, connectionLimit: 2 })}),
        acquire: (pool) => pool.getConnection(),
        run: async (connection, { number }) => {
          const [[row]] = await connection.query('select ? as n', [number]);
          if (row.n !== number) throw new Error('wrong');
        },
        release: (connection) => connection.release(),
        close: (pool) => pool.end(),
      };`);
    expect(code).toBeLessThan(2);
    expect(result?.measurements).toMatchObject({ succeeded: 40, errors: [] });
    expect(result?.pool.figures?.peakInUse).toBeLessThanOrEqual(2);
  });

  it('drives clients of Redis', async () => {
    const redis = await startRedis();
    if (redis === null) return;
    try {
      const { code, result } = await run(`
        import { createPool } from 'generic-pool';
        import { connect } from 'node:net';
        const open = () => new Promise((resolve, reject) => {
          const socket = connect(${redis.port}, '127.0.0.1', () => resolve(socket));
          socket.once('error', reject);
        });
        export default {
          open: () => createPool({ create: open, destroy: async (socket) => void socket.destroy() }, { max: 2 }),
          acquire: (pool) => pool.acquire(),
          run: (socket) => new Promise((resolve, reject) => {
            socket.once('data', (data) => (String(data) === '+PONG\\r\\n' ? resolve() : reject(new Error(String(data)))));
            socket.write('PING\\r\\n');
          }),
          release: (socket, pool) => pool.release(socket),
          close: async (pool) => { await pool.drain(); await pool.clear(); },
        };`);
      expect(code).toBeLessThan(2);
      expect(result?.measurements).toMatchObject({ succeeded: 40, errors: [] });
    } finally {
      await redis.stop();
    }
  });

  const base = `open: () => ({ out: 0, log: [] }), acquire: (pool) => { pool.out++; return {}; },
    run: () => {}, release: (lease, pool) => { pool.out--; }, close: (pool) => { globalThis.poolctlLeft = pool.out; }`;

  it('counts what the user throws by its code, names the function, and releases each lease once', async () => {
    const { result } = await run(`export default { ${base},
      run: (lease, { number }) => {
        if (number % 4 === 1) throw Object.assign(new Error('no luck'), { code: 'E_LUCK' });
        if (number % 4 === 2) throw 'a text';
        if (number % 4 === 3) return Promise.reject(new TypeError('x is not a function'));
      } };`);
    expect(result?.measurements.succeeded).toBe(10);
    expect(byCode(result)).toEqual([
      expect.objectContaining({
        code: 'ERR_UNKNOWN',
        count: 10,
        example: 'run() of the target failed: a text',
      }),
      expect.objectContaining({ code: 'E_LUCK', count: 10, example: 'run() of the target failed: no luck' }),
      expect.objectContaining({ code: 'TypeError', count: 10 }),
    ]);
    expect((globalThis as { poolctlLeft?: number }).poolctlLeft).toBe(0);
  });

  it('tells acquire and release that fail', async () => {
    const failing = await run(`export default { ${base},
      acquire: (pool, { number }) => { if (number % 2 === 1) throw Object.assign(new Error('none'), { code: 'E_NONE' }); pool.out++; return {}; },
      release: (lease, pool) => { if (--pool.out < 0) throw new Error('twice'); throw new RangeError('not taken back'); } };`);
    expect(failing.result?.measurements.errors.map(({ count, example }) => [count, example]).sort()).toEqual(
      [
        [20, 'acquire() of the target failed: none'],
        [20, 'release() of the target failed: not taken back'],
      ].sort(),
    );
  });

  it('aborts the signal at the time limit of an iteration, and releases what comes late', async () => {
    const { result } = await run(
      `export default { ${base},
        run: (lease, { number, signal }) => number > 0 ? undefined : new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }) };`,
      ['--iteration-timeout=50ms'],
    );
    expect(result?.measurements.errors).toMatchObject([{ code: 'ERR_ITERATION_TIMEOUT', count: 1 }]);
    expect((globalThis as { poolctlLeft?: number }).poolctlLeft).toBe(0);
  });

  it('ends though the user ignores the signal', async () => {
    const { result } = await run(
      `export default { ${base}, run: (lease, { number }) => number === 39 ? new Promise(() => {}) : undefined };`,
      ['--drain-timeout=200ms', '--test-type=rate', '--rate=400/s'],
      'mjs',
      [],
    );
    expect(result?.measurements).toMatchObject({ succeeded: 39, abandoned: 1 });
  });

  it.each([
    ['export default {};', /target is not complete: open\(\) is missing; acquire\(\) is missing/],
    [
      `export default { ${base.replace('acquire:', 'aquire:')} };`,
      /aquire is not known; did you mean acquire\?/,
    ],
    ['export default 5;', /it exports no target/],
    ['throw new Error("early");', /it cannot be loaded: early/],
    ['import "no-such-package-x";', /it cannot be loaded: Cannot find package 'no-such-package-x'/],
  ])('refuses %s', async (source, message) => {
    const { code, err } = await run(source);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(message) });
  });

  it('says so when open() fails, with exit 3', async () => {
    const { code, err } = await run(
      `export default { ${base}, open: () => { throw new Error('no server'); } };`,
    );
    expect({ code, err }).toEqual({
      code: 3,
      err: expect.stringContaining('open() of the target failed: no server'),
    });
  });

  it.each([
    [['--module=./none.mjs'], 'it cannot be read: there is no such file'],
    [['--module=./none.mjs', 'sqlite:x.db'], '--module and a target exclude each other'],
    [['--module=./none.mjs', '--pool-size=3'], '--pool-size is for databases and HTTP only'],
    [['--module=./none.mjs', '--sql=select 1'], '--sql is for databases only'],
  ])('%j is told', async (argv, message) => {
    const { code, err } = await loadtest(argv, { io: testIo({ cwd: folder }) });
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) });
  });

  it('loads TypeScript, with the types of poolctl/loadtest', async () => {
    await writeFile(
      join(folder, 'typed.ts'),
      `import { defineTarget, type TargetIteration } from 'poolctl/loadtest';
       interface Thing { readonly id: number }
       export default defineTarget({
         name: 'typed',
         open: (): Thing[] => [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }],
         acquire: (free): Thing => free.pop() as Thing,
         run: (thing: Thing, { number }: TargetIteration) => thing.id + number,
         release: (thing, free) => void free.push(thing),
         close: () => {},
       });`,
    );
    const argv = ['loadtest', '--module=./typed.ts', '--warmup=none', '--num-workers=4', '--num-queries=40'];
    const { stdout, stderr, code } = await start(bin, [...argv, '--format=json'], { cwd: folder }).finished;
    expect({ low: Number(code) < 2, stderr }).toEqual({ low: true, stderr: '' });
    expect((JSON.parse(stdout) as LoadResult).workload.target).toBe('typed');
  });
});

import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import Sqlite from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { testIo } from '../helpers/io.js';
import {
  checksum,
  loadtest as loadtestIn,
  makePlace,
  type Place,
  resultOf as resultIn,
  rowsOf,
  SMALL,
} from './loadtest-helpers.js';

let place: Place;
beforeAll(async () => {
  place = await makePlace();
  vi.stubEnv('TMPDIR', place.tmp);
});
afterEach(async () => {
  // Whatever a test has done: what poolctl made for itself is gone.
  expect(await place.left()).toEqual([]);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await place.remove();
});

const loadtest: typeof loadtestIn = (argv, options) => loadtestIn(argv, { cwd: place.folder, ...options });
const resultOf: typeof resultIn = (argv, options) => resultIn(argv, { cwd: place.folder, ...options });

async function script(name: string, content: string): Promise<string> {
  await writeFile(join(place.folder, name), content);
  return name;
}

interface Config {
  readonly options: Readonly<Record<string, { readonly value: string; readonly from: string }>>;
}

async function configOf(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, out } = await loadtest([...argv, '--print-config', '--format=json'], { env });
  expect(code).toBe(0);
  const { options } = JSON.parse(out) as Config;
  return Object.fromEntries(Object.entries(options).map(([key, { value, from }]) => [key, [value, from]]));
}

describe('the options of the systems that poolctl replaces', () => {
  it('have the names that they had there', async () => {
    const concurrent = [
      ...['--test-type', 'concurrent', '--num-queries', '1000', '--num-workers', '50', '--duration', '30s'],
      ...['--query-type', 'complex', '--pool-size', '3', '--max-overflow', '5', '--pool-timeout', '10'],
      ...['--pool-recycle', '1800', '--pre-ping', '--profile', 'pgbouncer', '--warmup', '2s', '--seed', '7'],
    ];
    expect(await configOf(concurrent)).toMatchObject({
      testType: ['concurrent', 'flag'],
      numQueries: ['1000', 'flag'],
      numWorkers: ['50', 'flag'],
      duration: ['30s', 'flag'],
      queryType: ['complex', 'flag'],
      poolSize: ['3', 'flag'],
      maxOverflow: ['5', 'flag'],
      poolTimeout: ['10s', 'flag'],
      poolRecycle: ['30m', 'flag'],
      prePing: ['on', 'flag'],
      profile: ['pgbouncer', 'flag'],
      warmup: ['2s', 'flag'],
      seed: ['7', 'flag'],
    });
    const burst = ['--test-type', 'burst', '--burst-size', '500', '--num-bursts', '5', '--burst-interval'];
    expect(await configOf([...burst, '1.0'])).toMatchObject({
      burstSize: ['500', 'flag'],
      numBursts: ['5', 'flag'],
      burstInterval: ['1s', 'flag'],
    });
  });

  it('can be set by the environment variables that they had there', async () => {
    const env = {
      DB_POOL_SIZE: '3',
      DB_MAX_OVERFLOW: '5',
      DB_POOL_TIMEOUT: '7',
      DB_POOL_RECYCLE: '1800',
      DB_POOL_PRE_PING: 'false',
      DB_ECHO_POOL: 'true',
    };
    expect(await configOf(['--pool-size', '4'], env)).toMatchObject({
      poolSize: ['4', 'flag'],
      maxOverflow: ['5', 'env DB_MAX_OVERFLOW'],
      poolTimeout: ['7s', 'env DB_POOL_TIMEOUT'],
      poolRecycle: ['30m', 'env DB_POOL_RECYCLE'],
      prePing: ['off', 'env DB_POOL_PRE_PING'],
      verbose: ['on', 'env DB_ECHO_POOL'],
    });
  });

  it.each([
    ['sqlite', '10', '20', '10s', '10m'],
    ['direct', '20', '30', '30s', '1h'],
    ['pgbouncer', '5', '10', '10s', '30m'],
  ])('have the defaults that they had there for %s', async (profile, size, overflow, timeout, recycle) => {
    const from = `profile ${profile}`;
    expect(await configOf(['--profile', profile])).toMatchObject({
      poolSize: [size, from],
      maxOverflow: [overflow, from],
      poolTimeout: [timeout, from],
      poolRecycle: [recycle, from],
      prePing: ['on', from],
    });
  });

  it('reach the pool', async () => {
    const pool = ['--pool-size=2', '--max-overflow=1', '--pool-timeout=3s', '--pool-recycle=1m'];
    const load = [
      '--num-queries=5',
      '--num-workers=5',
      '--warmup=none',
      // Long enough for every connection to be opened.
      '--sql=\\sleep 700ms\nSELECT 1',
    ];
    const result = await resultOf([...pool, ...load, '--no-pre-ping']);
    expect(result.pool).toMatchObject({
      options: { size: 2, maxOverflow: 1, timeoutMs: 3000, recycleMs: 60_000, prePing: false },
      figures: { size: 2, maxOverflow: 1, acquired: 5, peakInUse: 3, peakOverflow: 1 },
    });
    expect(result.pool.figures?.peakWaiting).toBeGreaterThanOrEqual(2);
  });

  it('are explained by the help, with their environment variables', async () => {
    const { out } = await loadtest(['--help-all']);
    const text = out.replaceAll(/\s+/g, ' ');
    for (const name of [
      'test-type',
      'num-queries',
      'num-workers',
      'duration',
      'query-type',
      'sql',
      'sql-file',
    ]) {
      expect(text).toContain(`--${name} <`);
    }
    for (const name of ['burst-size', 'num-bursts', 'burst-interval', 'profile', 'warmup', 'seed']) {
      expect(text).toContain(`--${name} <`);
    }
    expect(text).toMatch(/--pool-size <N> connections to keep \(default: by profile, env: DB_POOL_SIZE\)/);
    expect(text).toContain('--[no-]pre-ping');
    for (const name of ['DB_MAX_OVERFLOW', 'DB_POOL_TIMEOUT', 'DB_POOL_RECYCLE', 'DB_POOL_PRE_PING']) {
      expect(text).toContain(`env: ${name}`);
    }
  });
});

describe('a concurrent load', () => {
  it('ends after so many queries, done by so many workers', async () => {
    const result = await resultOf([...SMALL, '--num-queries=60', '--num-workers=5']);
    expect(result).toMatchObject({
      code: 0,
      model: { kind: 'closed', workers: 5 },
      limits: { iterations: 60, durationMs: null },
      warmup: null,
      partial: null,
      measurements: { started: 60, succeeded: 60, failed: 0, abandoned: 0, bursts: null },
    });
  });

  it('ends after so long', async () => {
    const argv = ['--warmup=none', '--duration=150ms', '--num-workers=2'];
    const { measurements, limits } = await resultOf(argv);
    expect(limits).toEqual({ iterations: null, durationMs: 150 });
    expect(measurements.elapsedMs).toBeGreaterThanOrEqual(150);
    expect(measurements.timeline).toMatchObject({ intervalMs: 100 });
    expect(measurements.timeline.rows.length).toBeGreaterThanOrEqual(2);
  });

  it('warms up, by iterations or by time, and does not count that', async () => {
    const counted = await resultOf([...SMALL, '--warmup=30']);
    expect(counted.warmup?.iterations).toBeGreaterThanOrEqual(30);
    expect(counted.measurements.succeeded).toBe(20);
    expect(counted.pool.figures).toMatchObject({ acquired: 20 });
    const timed = await resultOf([...SMALL, '--warmup=50ms']);
    expect(timed.warmup?.elapsedMs).toBeGreaterThanOrEqual(50);
  });
});

describe('a load in bursts', () => {
  const burst = ['--test-type=burst', '--burst-size=10', '--burst-interval=100ms', '--warmup=none'];

  it('has a row for each, with the time that it took to drain', async () => {
    const { measurements, limits, model } = await resultOf([...burst, '--num-bursts=3']);
    expect(model).toEqual({ kind: 'burst', size: 10, count: 3, intervalMs: 100 });
    expect(limits).toEqual({ iterations: 30, durationMs: null });
    expect(measurements.bursts).toMatchObject([
      { index: 0, atMs: 0, size: 10, failed: 0, drainMs: expect.any(Number) },
      { index: 1, atMs: 100, size: 10, failed: 0, drainMs: expect.any(Number) },
      { index: 2, atMs: 200, size: 10, failed: 0, drainMs: expect.any(Number) },
    ]);
  });

  it('goes on for as long as asked for where no number is given, and else ends at whichever comes first', async () => {
    const endless = await resultOf([...burst, '--duration=150ms']);
    expect(endless).toMatchObject({ model: { count: null }, measurements: { succeeded: 20 } });
    const both = await resultOf([...burst, '--duration=150ms', '--num-bursts=1']);
    expect(both).toMatchObject({ model: { count: 1 }, measurements: { succeeded: 10 } });
  });
});

describe('a script that leaves its transaction open', () => {
  it('fails, since nothing of what it did lasts', async () => {
    const place = await makePlace();
    try {
      const file = place.database('open.db');
      const sql = ['--allow-writes', '--sql', "BEGIN IMMEDIATE; UPDATE orders SET day = 'x' WHERE id = 1"];
      const { measurements, code } = await resultOf([`sqlite:${file}`, ...SMALL, ...sql]);
      expect(code).toBe(1);
      expect(measurements.errors).toMatchObject([{ code: 'ERR_OPEN_TRANSACTION', count: 20 }]);
      expect(rowsOf(file, "SELECT id FROM orders WHERE day = 'x'")).toEqual([]);
    } finally {
      await place.remove();
    }
  });
});

describe('the queries', () => {
  it.each([
    ['simple', true, 1],
    ['complex', false, 1],
    ['mixed', false, 2],
  ])('of type %s are built in', async (type, simple, statements) => {
    const { workload } = await resultOf([...SMALL, `--query-type=${type}`]);
    expect(workload).toMatchObject({ name: type, simple });
    expect(workload.statements).toHaveLength(statements);
    expect(workload.target).toMatch(
      /^a temporary SQLite file with 50,000 made-up candles \((better-sqlite3|node:sqlite)\)$/,
    );
  });

  it('of the built-in kinds run on a file with candles, on any table, and on none', async () => {
    const candles = new Sqlite(join(place.folder, 'candles.db'));
    candles.exec(
      "CREATE TABLE m1 (symbol, ts, open, high, low, close, volume); INSERT INTO m1 VALUES ('X',1,1,1,1,1,1)",
    );
    candles.close();
    place.database('other.db');
    await writeFile(join(place.folder, 'empty.db'), '');
    for (const [target, work] of [
      ['sqlite:candles.db', /table m1/],
      ['sqlite:other.db', /one row of orders/],
      ['sqlite:empty.db', /generated/],
    ] as const) {
      const { workload, measurements } = await resultOf([target, ...SMALL, '--query-type=mixed']);
      expect({ work: workload.work, failed: measurements.failed }).toEqual({
        work: expect.stringMatching(work),
        failed: 0,
      });
    }
  });

  /** Runs what writes its values into a table, and gives what has arrived there. */
  async function seen(argv: readonly string[]): Promise<unknown[]> {
    const file = place.database('seen.db');
    const db = new Sqlite(file);
    db.exec('CREATE TABLE seen (a, b)');
    db.close();
    const load = ['--warmup=none', '--num-workers=1', '--num-queries=4', '--allow-writes'];
    const result = await resultOf(['sqlite:seen.db', ...load, ...argv]);
    expect(result.measurements).toMatchObject({ succeeded: 4, failed: 0 });
    return rowsOf(file, 'SELECT a, b FROM seen ORDER BY rowid');
  }

  it('of your own get their parameters by place, a row for each iteration, and begin anew after the last', async () => {
    const sql = ['--sql', 'INSERT INTO seen VALUES (?, ?)'];
    expect(await seen([...sql, '--params', '[["x", 1], ["y", null], [true, 2.5]]'])).toEqual([
      { a: 'x', b: 1 },
      { a: 'y', b: null },
      { a: 1, b: 2.5 },
      { a: 'x', b: 1 },
    ]);
    const numbered = ['--sql', 'INSERT INTO seen VALUES ($2, $1)'];
    expect((await seen([...numbered, '--params', '[[1, 2]]']))[0]).toEqual({ a: 2, b: 1 });
  });

  it('of your own get their parameters by name, from a file, by --define and by \\set', async () => {
    await script('rows.jsonl', '{"a": "x"}\n{"a": "it\'s"}\n');
    await script(
      'insert.sql',
      '\\set twice :iteration * 2\n-- all of it\nINSERT INTO seen VALUES (:a || :suffix, :twice);',
    );
    const argv = ['--sql-file', 'insert.sql', '--params-file', 'rows.jsonl', '--define', 'suffix=!'];
    expect(await seen(argv)).toEqual([
      { a: 'x!', b: 0 },
      { a: "it's!", b: 2 },
      { a: 'x!', b: 4 },
      { a: "it's!", b: 6 },
    ]);
  });

  it('are the same in every run with the same seed', async () => {
    const argv = ['--sql', '\\set n random(1, 1000000)\nINSERT INTO seen VALUES (:n, 0)'];
    const first = await seen([...argv, '--seed=5']);
    expect(await seen([...argv, '--seed=5'])).toEqual(first);
    expect(await seen([...argv, '--seed=6'])).not.toEqual(first);
  });

  it('are chosen by their weights where there are several', async () => {
    await script('often.sql', 'INSERT INTO seen VALUES (1, 1);');
    await script('never.sql', 'INSERT INTO seen VALUES (2, 2);');
    const rows = await seen(['--sql-file', 'often.sql@1000000', '--sql-file', 'never.sql@1']);
    expect(rows).toEqual(new Array(4).fill({ a: 1, b: 1 }));
  });

  it('of several statements are one iteration on one connection, a transaction over them included', async () => {
    const sql = 'BEGIN IMMEDIATE; INSERT INTO seen VALUES (1, 1); INSERT INTO seen VALUES (2, 2); COMMIT';
    expect(await seen(['--sql', sql])).toHaveLength(8);
  });
});

describe("a user's data", () => {
  it.each([
    ['with a rollback journal', false],
    ['in WAL mode', true],
  ])('%s is byte for byte the same afterwards, and nothing lies beside it', async (_, wal) => {
    const name = wal ? 'wal.db' : 'journal.db';
    const file = place.database(name, { wal });
    const before = await checksum(file);
    for (const argv of [[], ['--query-type=mixed'], ['--sql', 'SELECT count(*) FROM orders']]) {
      expect((await loadtest([`sqlite:${name}`, ...SMALL, ...argv])).code).toBe(0);
    }
    expect(await checksum(file)).toBe(before);
    expect((await readdir(place.folder)).filter((each) => each.startsWith(name))).toEqual([name]);
  });

  it.each([
    'DELETE FROM orders',
    'WITH old AS (SELECT 1) UPDATE orders SET day = NULL',
    "/* quick */ INSERT INTO orders VALUES (5000, 'x')",
    'DROP TABLE orders',
    'VACUUM',
    "VACUUM INTO 'copy.db'",
    "ATTACH 'other.db' AS other",
    'PRAGMA user_version = 5',
    'PRAGMA journal_mode = wal',
    'PRAGMA wal_checkpoint',
    'ANALYZE',
    'SELECT 1; SELECT 2; DELETE FROM orders',
    'PRAGMA query_only = 0; DELETE FROM orders',
  ])('is not written without --allow-writes: %s', async (sql) => {
    const file = place.database('kept.db');
    const before = await checksum(file);
    const { code, out, err } = await loadtest(['sqlite:kept.db', ...SMALL, '--sql', sql]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^poolctl: this statement writes, which a load test does not do unasked: /);
    expect(err).toContain('hint: give --allow-writes if the data may be changed');
    expect(await checksum(file)).toBe(before);
    expect(existsSync(join(place.folder, 'copy.db'))).toBe(false);
  });

  it.each(['PRAGMA optimize', 'REINDEX', 'EXPLAIN DELETE FROM orders', 'BEGIN; SELECT 1'])(
    'is the same after what is let through: %s',
    async (sql) => {
      const file = place.database('kept.db');
      const before = await checksum(file);
      expect((await loadtest(['sqlite:kept.db', ...SMALL, '--sql', sql])).err).toBe('');
      expect(await checksum(file)).toBe(before);
    },
  );

  it('is written with --allow-writes', async () => {
    const file = place.database('written.db');
    const sql = "UPDATE orders SET day = 'now' WHERE id = :iteration + 1";
    const { workload } = await resultOf(['sqlite:written.db', ...SMALL, '--allow-writes', '--sql', sql]);
    expect(workload.target).toMatch(/^sqlite:written\.db, writes allowed \(\S+\)$/);
    expect(rowsOf(file, "SELECT count(*) AS n FROM orders WHERE day = 'now'")).toEqual([{ n: 20 }]);
  });

  it("in a temporary file may be written without asking: it is nobody's", async () => {
    const { code } = await loadtest([...SMALL, '--sql', "DELETE FROM candles WHERE symbol = 'NFLX'"]);
    expect(code).toBe(0);
  });
});

describe('the verdict', () => {
  it('is exit 1 if a threshold fails, whatever the bands say', async () => {
    const { code, thresholds } = await resultOf([
      ...SMALL,
      ...['--threshold', 'p99<1m', '--threshold', 'success>=99%', '--threshold', 'throughput>1000000/s'],
    ]);
    expect(code).toBe(1);
    expect(thresholds.map(({ expression, passed }) => [expression, passed])).toEqual([
      ['p99<1m', true],
      ['success>=99%', true],
      ['throughput>1000000/s', false],
    ]);
  });

  it('is exit 1 if it is marginal only with --strict', async () => {
    const argv = ['--warmup=none', '--num-workers=1', '--num-queries=2', '--sql', '\\sleep 150ms\nSELECT 1'];
    const { code, verdict } = await resultOf(argv);
    expect({ code, band: verdict.band }).toEqual({ code: 0, band: 'marginal' });
    expect((await loadtest([...argv, '--strict'])).code).toBe(1);
  });

  it('is bad where many iterations fail, whose errors are counted by code', async () => {
    // Good in the first, which is also the one that is tried beforehand.
    const sql = "SELECT json(CASE WHEN :iteration = 0 THEN '1' ELSE '{' END)";
    const { code, verdict, measurements } = await resultOf([...SMALL, '--sql', sql]);
    expect({ code, band: verdict.band }).toEqual({ code: 1, band: 'bad' });
    expect(measurements.errors).toEqual([
      { code: 'SQLITE_ERROR', count: 19, example: expect.stringContaining('malformed JSON') },
    ]);
  });

  it('is bad where acquires time out, which is counted as such', async () => {
    const slow = ['--sql', '\\sleep 100ms\nSELECT 1', '--num-workers=4', '--num-queries=4', '--warmup=none'];
    const pool = ['--pool-size=1', '--max-overflow=0', '--pool-timeout=20ms'];
    const { code, measurements, pool: after, verdict } = await resultOf([...slow, ...pool]);
    expect({ code, band: verdict.band }).toEqual({ code: 1, band: 'bad' });
    expect(measurements.errors).toMatchObject([{ code: 'ERR_POOL_TIMEOUT', count: 3 }]);
    expect(after.figures).toMatchObject({ timedOut: 3, peakWaiting: expect.any(Number) });
  });

  it('a pool that gives up at once is told by its figures, not by a failed set-up', async () => {
    const argv = ['--pool-timeout=0', '--warmup=none', '--num-workers=4', '--num-queries=20'];
    place.database('orders.db');
    for (const target of [[], ['sqlite:orders.db']]) {
      const { code, measurements } = await resultOf([...target, ...argv]);
      expect(code).toBe(1);
      expect(measurements.errors).toMatchObject([{ code: 'ERR_POOL_TIMEOUT' }]);
    }
  });
});

describe('the result', () => {
  it('goes to stdout and nothing else does; stderr is quiet where it is no terminal', async () => {
    const { out, err } = await loadtest(SMALL);
    expect(out).toMatch(/^target {4}a temporary SQLite file/);
    expect(out).toMatch(/^(GOOD|MARGINAL) /m);
    expect(err).toBe('');
  });

  it('is without colour and within 80 columns where stdout is no terminal, and coloured on one', async () => {
    const plain = await loadtest(SMALL);
    for (const line of plain.out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(plain.out).not.toContain('\u001b');
    expect((await loadtest(SMALL, { isTty: true })).out).toContain('\u001b[');
    expect((await loadtest([...SMALL, '--no-color'], { isTty: true })).out).not.toContain('\u001b[');
  });

  it('goes to the file of --output', async () => {
    const { code, out } = await loadtest([...SMALL, '--format=json', '-o', 'result.json']);
    expect({ code, out }).toEqual({ code: 0, out: '' });
    const result: unknown = JSON.parse(await readFile(join(place.folder, 'result.json'), 'utf8'));
    expect(result).toMatchObject({ schema: 1, kind: 'loadtest', environment: { poolctl: '9.8.7' } });
  });

  it('as JSON has the shape of schema 1', async () => {
    const failing = [
      '--threshold',
      'p99<1m',
      '--sql',
      "SELECT json(CASE :iteration WHEN 0 THEN 1 ELSE '{' END)",
    ];
    // Without readings of this process nothing could be said about the bottleneck.
    const io = {
      ...testIo({ cwd: place.folder }),
      eventLoopUtilization: () => performance.eventLoopUtilization(),
    };
    const runs = await Promise.all([
      resultOf([...SMALL, ...failing, '--warmup=5']),
      resultOf(['--test-type=burst', '--num-bursts=2', '--burst-interval=50ms', '--warmup=none'], { io }),
    ]);
    const paths = new Set(runs.flatMap(({ code, ...result }) => pathsOf(result)));
    const golden = join(import.meta.dirname, '../../fixtures/report/loadtest/schema-1.txt');
    await expect(`${[...paths].sort().join('\n')}\n`).toMatchFileSnapshot(golden);
  });
});

/** The fields of a value, as `measurements.errors[].code`. */
function pathsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => pathsOf(each, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, each]) => pathsOf(each, path === '' ? key : `${path}.${key}`));
}

describe('progress', () => {
  it('is shown on a terminal, and taken away before the result', async () => {
    const { err } = await loadtest([...SMALL, '--duration=250ms', '--num-queries=1000000'], { isTty: true });
    expect(err).toMatch(/loading .*█.* \d+ %.* done, .* waiting/);
    expect(err.endsWith('\r\u001b[K')).toBe(true);
  });

  it('is not shown with --quiet', async () => {
    const argv = [...SMALL, '--duration=150ms', '--num-queries=1000000', '--quiet'];
    expect((await loadtest(argv, { isTty: true })).err).toBe('');
  });

  it('with --verbose is the life of the connections, also by DB_ECHO_POOL', async () => {
    for (const [argv, env] of [
      [['--verbose'], {}],
      [[], { DB_ECHO_POOL: 'true' }],
    ] as const) {
      const { err } = await loadtest([...SMALL, ...argv], { env });
      expect(err).toContain("pool 'candles': #1 created in");
      expect(err).toContain("pool 'candles': closed");
    }
  });
});

describe('an interrupt', () => {
  it('before the load has begun ends it without a result', async () => {
    const io = testIo({ cwd: place.folder });
    io.interrupts.receive('SIGINT');
    const { code, out, err } = await loadtest(SMALL, { io });
    expect({ code, out, err }).toEqual({ code: 130, out: '', err: 'poolctl: stopped by SIGINT\n' });
  });
});

describe('what is wrong with the command line', () => {
  it.each<[readonly string[], string]>([
    [['--num-worker', '5'], 'unknown option --num-worker\n  hint: did you mean --num-workers?'],
    [['--burst-size', '5'], '--burst-size counts with --test-type burst only'],
    [['--num-bursts', '5'], '--num-bursts counts with --test-type burst only'],
    [['--burst-interval', '5s'], '--burst-interval counts with --test-type burst only'],
    [['--test-type=burst', '--num-workers=5'], '--num-workers counts with --test-type concurrent only'],
    [
      ['--test-type=burst', '--num-queries=5'],
      '--num-queries counts with --test-type concurrent or rate only',
    ],
    [['--query-type=simple', '--sql=SELECT 1'], '--query-type and --sql or --sql-file exclude each other'],
    [['--params=[1]'], '--params needs --sql or --sql-file'],
    [['--params-file=x'], '--params-file needs --sql or --sql-file'],
    [['--define', 'a=1'], '--define needs --sql or --sql-file'],
    [['--sql=SELECT ?', '--params=[1]', '--params-file=x'], '--params and --params-file exclude each other'],
    [
      ['--test-type=bursty'],
      "--test-type: 'bursty' is not one of concurrent, burst, rate, ramp; did you mean burst?",
    ],
    [['--format=xml'], "--format: 'xml' is not one of text, json"],
    [['--profile=mysql'], "--profile: 'mysql' is not one of sqlite, direct, pgbouncer"],
    [['--num-queries=0'], "--num-queries: '0' is too low; 1 is the least"],
    [['--num-workers=-1'], "--num-workers: '-1' is too low; 1 is the least"],
    [['--num-workers=1000000'], "--num-workers: '1000000' is too high; 100,000 is the most"],
    [['--num-queries=1.5'], "--num-queries: '1.5' is not a whole number"],
    [['--num-queries=NaN'], "--num-queries: 'NaN' is not a whole number"],
    [['--num-queries=1e999'], "--num-queries: '1e999' is not a whole number"],
    [['--num-queries='], "--num-queries: '' is not a whole number"],
    [['--num-queries'], '--num-queries needs a value'],
    [['--duration=5'], "--duration: '5' has no unit; write 5ms or 5s"],
    [['--duration=0s'], "--duration: '0s' is too short; 1ms is the least"],
    [['--duration=-5s'], "--duration: '-5s' is negative"],
    [['--duration=9999999d'], "--duration: '9999999d' is too long; 24d is the most"],
    [['--pool-size=0'], "--pool-size: '0' is too low; 1 is the least"],
    [['--max-overflow=-2'], "--max-overflow: '-2' is too low; -1 is the least"],
    [['--pool-recycle=0'], "--pool-recycle: '0' is too short; 1ms is the least"],
    [['--seed=-1'], "--seed: '-1' is too low; 0 is the least"],
    [['--seed=4294967296'], "--seed: '4294967296' is too high; 4,294,967,295 is the most"],
    [['--warmup=soon'], "--warmup: 'soon' is not a duration"],
    [['--threshold=p99<250'], "--threshold: 'p99<250' has a wrong limit: '250' has no unit"],
    [['--threshold=speed>1'], "--threshold: 'speed>1' is about 'speed', which is not measured"],
    [['--sql='], '--sql: the value is empty'],
    [['--sql-file='], '--sql-file: the value is empty'],
    [['--output='], '--output: the value is empty'],
    [[''], "<target>: '' has no scheme"],
    [['app.db'], "<target>: 'app.db' has no scheme; for a SQLite file write sqlite:app.db"],
    [
      ['mongodb://anna:s3cret@db/x'],
      "<target>: unknown kind of target 'mongodb:'; supported are sqlite:FILE",
    ],
    [['sqlite::memory:'], '<target>: a database in memory cannot be shared by a pool'],
    [['sqlite:'], "database 'sqlite:': it names no file"],
    [['sqlite:a.db?speed=5'], "unknown parameter 'speed'"],
    [['sqlite:a.db', 'sqlite:b.db'], "unexpected argument 'sqlite:b.db'"],
  ])('%j is told', async (argv, message) => {
    const { code, out, err } = await loadtest(argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
    expect(err).not.toContain('s3cret');
  });

  it('is told all at once, before anything is touched', async () => {
    const argv = [
      '--nmu-workers=5',
      '--threshold=x',
      '--threshold=p99<1s',
      '--pool-size=0',
      '-o',
      'not-made.txt',
    ];
    const { code, err } = await loadtest(argv);
    expect(code).toBe(2);
    expect(err).toMatch(/^poolctl: 3 problems, nothing was run:\n/);
    expect(existsSync(join(place.folder, 'not-made.txt'))).toBe(false);
  });
});

describe('what is wrong with the SQL', () => {
  it.each<[readonly string[], string]>([
    [['--sql=SELEC 1'], '--sql, line 1: near "SELEC": syntax error: SELEC 1'],
    [['--sql=SELECT 1;\n\nSELECT * FROM nope'], '--sql, line 3: no such table: nope: SELECT * FROM nope'],
    [['--sql=;'], '--sql: there is no statement in it'],
    [["--sql=SELECT 'x"], '--sql, line 1: a quote is not closed'],
    [['--sql=SELECT 1', '--sql=SELECT x'], '--sql 2, line 1: no such column: x'],
    [['--sql=\\sit down\nSELECT 1'], '--sql, line 1: \\sit is not known; there are \\set and \\sleep'],
    [['--sql=SELECT ?'], '--sql takes 1 parameter, and none are given; use --params or --params-file'],
    [['--sql=SELECT ?', '--params=[[1,2]]'], '--sql takes 1 parameter, and row 1 has 2 values'],
    [['--sql=SELECT :x'], '--sql, line 1: nothing gives :x a value'],
    [['--sql=SELECT ?', '--params={'], '--params: it is not JSON; write something like'],
    [['--sql=SELECT ?', '--params=[]'], '--params: there are no parameters in it'],
    [['--sql=SELECT ?', '--params=[[[1]]]'], '--params: row 1 holds [1]; a value is a text, a number'],
  ])('%j is told with its line before the load begins', async (argv, message) => {
    const { code, out, err } = await loadtest(argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(`poolctl: ${message}`);
  });

  it.each<[readonly string[], string]>([
    [['--sql-file=none.sql'], 'cannot read "none.sql": there is no such file (ERR_SCRIPT_FILE)'],
    [['--sql-file=.'], 'cannot read ".": it is a directory (ERR_SCRIPT_FILE)'],
    [['--sql=SELECT ?', '--params-file=none.json'], 'cannot read "none.json": there is no such file'],
  ])('%j, a file that is not there, is exit 3', async (argv, message) => {
    const { code, out, err } = await loadtest(argv);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain(`poolctl: ${message}`);
  });
});

describe('a target that is not available', () => {
  it.each<[string, string]>([
    ['missing.db', 'there is no such file (SQLITE_CANTOPEN)'],
    ['no/such.db', 'there is no folder'],
    ['folder.db', 'it is a folder (SQLITE_CANTOPEN)'],
    ['corrupt.db', 'file is not a database (SQLITE_NOTADB)'],
    ['damaged.db', 'database disk image is malformed (SQLITE_CORRUPT)'],
  ])('%s is told, with exit 3, and is not made', async (name, message) => {
    await mkdir(join(place.folder, 'folder.db'), { recursive: true });
    await writeFile(
      join(place.folder, 'corrupt.db'),
      'no database, but long enough to be one, one should think',
    );
    const damaged = await readFile(place.database('whole.db'));
    await writeFile(join(place.folder, 'damaged.db'), damaged.fill(7, 100));
    for (const argv of [[], ['--allow-writes', '--sql=DELETE FROM orders']]) {
      const { code, out, err } = await loadtest([`sqlite:${name}`, ...SMALL, ...argv]);
      expect({ code, out }).toEqual({ code: 3, out: '' });
      expect(err).toContain(message);
    }
    expect(existsSync(join(place.folder, 'missing.db'))).toBe(false);
  });

  it('because it may not be written is told before the load, if it is to be', async () => {
    place.database('fixed.db');
    const argv = ['sqlite:fixed.db?mode=ro', ...SMALL, '--allow-writes', '--sql=DELETE FROM orders'];
    const { code, err } = await loadtest(argv);
    expect(code).toBe(3);
    expect(err).toContain('attempt to write a readonly database (SQLITE_READONLY)');
    expect((await loadtest(['sqlite:fixed.db?mode=ro', ...SMALL, '--allow-writes'])).code).toBe(0);
  });
});

describe('an output that cannot be written', () => {
  it.each([
    ['no/such/folder.txt', 'its directory does not exist'],
    ['.', 'it is a directory'],
  ])('%s is refused before the run', async (path, reason) => {
    // Had the run begun, the missing folder for temporary files would be what it fails with.
    vi.stubEnv('TMPDIR', join(place.folder, 'gone'));
    const { code, out, err } = await loadtest([...SMALL, '-o', path]);
    vi.stubEnv('TMPDIR', place.tmp);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toBe(`poolctl: the output ${path} cannot be opened: ${reason} (ERR_OUTPUT)\n`);
  });
});

describe('hostile text', () => {
  const HOSTILE = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\r\nevil';

  /** Nothing but printable characters and the line breaks of poolctl itself. */
  function expectHarmless(text: string) {
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text).not.toMatch(/^evil/m);
  }

  it.each<[string, readonly string[]]>([
    ['an option', [`--${HOSTILE}`]],
    ['a value', [`--num-queries=${HOSTILE}`]],
    ['a target', [HOSTILE]],
    ['a target that is a file', [`sqlite:${HOSTILE}`]],
    ['a name of a file, written in percents', [`sqlite:${encodeURIComponent(HOSTILE)}`]],
    ['SQL with an error', [`--sql=SELECT ${HOSTILE}`]],
    ['the name of a script', [`--sql-file=${HOSTILE}`]],
    ['an output', ['-o', `no/${HOSTILE}`]],
    ['a threshold', [`--threshold=${HOSTILE}`]],
    ['a definition', [`--define=${HOSTILE}`]],
    ['a config file', [`--config=${HOSTILE}`]],
    ['an env file', [`--dotenv=${HOSTILE}`]],
  ])('in %s does not reach the terminal as it is', async (_, argv) => {
    const { code, out, err } = await loadtest(argv, { isTty: true });
    expect([2, 3]).toContain(code);
    expectHarmless(out + err);
  });

  it('in SQL that runs, and in errors from the database, is harmless in the report', async () => {
    const name = await script(
      `a${HOSTILE.replaceAll('/', '')}.sql`,
      `SELECT json(CASE :iteration WHEN 0 THEN '1' ELSE '${HOSTILE}' END);`,
    );
    const { code, out, err } = await loadtest([...SMALL, '--sql-file', name, '--color']);
    expect(code).toBe(1);
    // What poolctl itself colours with.
    expectHarmless(out.replaceAll(/\p{Cc}\[\d+m/gu, '') + err);
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LoadResult } from '../../../src/loadtest/result.js';
import { loadtest, makePlace, type Place, resultOf } from '../../cli/loadtest-helpers.js';
import { eventually } from '../../helpers/eventually.js';
import { describeWithPgBouncer, startPgBouncer } from '../../helpers/pgbouncer.js';
import {
  ask,
  connectAdmin,
  describeWithPostgres,
  newDatabase,
  type OwnDatabase,
  postgres,
} from '../../helpers/postgres.js';

const WIRE = ['--engine=wire', '--warmup=none', '--num-workers=8', '--pool-size=4'];
const DEPTHS: readonly (readonly [string, readonly string[]])[] = [
  ['one at a time', []],
  ['in a pipeline', ['--pipeline=4']],
  ['in batches', ['--pipeline=4', '--batch']],
];

let own: OwnDatabase;
let place: Place;
beforeAll(async () => {
  place = await makePlace();
  if (postgres !== null) own = await newDatabase();
});
afterAll(() => place.remove());

/** The server of the tests has TLS, over which reads take another way. */
const url = (port?: number) =>
  own.url({ params: '?sslmode=disable', ...(port === undefined ? {} : { port }) });

async function script(name: string, text: string): Promise<string> {
  const file = join(place.folder, name);
  await writeFile(file, text);
  return file;
}

function wireOf({ wire }: LoadResult) {
  if (wire === undefined) throw new Error('the wire engine did not run');
  return wire;
}

/** What the server counted, beside what poolctl did. */
function countsOf({ server }: LoadResult) {
  const { committed = 0, rolledBack = 0, own = -1 } = server?.transactions ?? {};
  return { server: committed + rolledBack, rolledBack, own };
}

describeWithPostgres('the wire engine', () => {
  it.each(DEPTHS)('does all of a load, and counts as the server does: %s', async (_, depth) => {
    await own.allClosed();
    const sql = 'SELECT g FROM generate_series(1, 3) AS g WHERE g < :iteration::int + 10';
    const result = await resultOf([url(), ...WIRE, '--num-queries=2000', '--sql', sql, ...depth]);
    expect(result.measurements).toMatchObject({ succeeded: 2000, failed: 0, abandoned: 0 });
    const { statements, rows, connections, pipeline } = wireOf(result);
    expect({ statements, rows, connections }).toEqual({ statements: 2000, rows: 6000, connections: 4 });
    expect(pipeline).toBe(depth.length > 0 ? 4 : 1);
    const counts = countsOf(result);
    expect(counts.own).toBe(counts.server);
    expect(result.measurements.response.count).toBe(2000);
    expect(result.measurements.service.count).toBe(2000);
    expect(result.pool.figures).toMatchObject({ acquired: 2000, peakInUse: expect.any(Number) });
  });

  it('binds the same values as the default engine, of every kind', async () => {
    const admin = await connectAdmin(own.name);
    const rows = [
      [1, 'naïve 名前', null],
      [-7, "it's", 2.5],
      [0, '', 1e21],
      [9007199254740991, 'x', -0.125],
    ];
    const seen: unknown[] = [];
    try {
      await admin.query('CREATE TABLE bound (engine text, n bigint, t text, d float8)');
      for (const engine of ['pool', 'wire']) {
        const sql = `INSERT INTO bound VALUES ('${engine}', ?, ?, ?)`;
        const argv = ['--num-queries=8', '--warmup=none', '--num-workers=2', '--allow-writes', '--sql', sql];
        await resultOf([url(), ...argv, `--engine=${engine}`, '--params', JSON.stringify(rows)]);
        const found = await admin.query(
          `SELECT n::text, t, d::text, count(*)::int FROM bound WHERE engine = '${engine}' GROUP BY 1, 2, 3 ORDER BY 1`,
        );
        seen.push(found.rows);
      }
    } finally {
      await admin.query('DROP TABLE bound');
      await admin.end();
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[1]).toHaveLength(4);
  });

  it('runs scripts of several statements, with transactions, variables and pauses', async () => {
    await own.allClosed();
    const file = await script(
      'several.sql',
      '\\set n random(1, 10)\nBEGIN;\nSELECT :n::int;\n\\sleep 1ms\n\\set m :n * 2\nSELECT :m::int;\nCOMMIT;\n',
    );
    const result = await resultOf([url(), ...WIRE, '--num-queries=50', '--sql-file', file]);
    expect(result.measurements).toMatchObject({ succeeded: 50, failed: 0 });
    expect(wireOf(result).statements).toBe(200);
    const counts = countsOf(result);
    expect(counts.own).toBe(counts.server);
  });

  it('rolls a transaction back that a script leaves open, and counts the iteration as failed', async () => {
    await own.allClosed();
    const result = await resultOf([url(), ...WIRE, '--num-queries=30', '--sql', 'BEGIN; SELECT 1']);
    expect(result.measurements.errors).toMatchObject([{ code: 'ERR_OPEN_TRANSACTION', count: 30 }]);
    const counts = countsOf(result);
    expect(counts.own).toBe(counts.server);
  });

  it('counts a commit that the server answers with a rollback as failed', async () => {
    const file = await script(
      'false-commit.sql',
      'BEGIN;\nSAVEPOINT s;\nDO $$ BEGIN PERFORM 1; END $$;\nSELECT 1 / (CASE WHEN :iteration::int > 0 THEN 0 ELSE 1 END);\nCOMMIT;\n',
    );
    const result = await resultOf([url(), ...WIRE, '--num-queries=20', '--sql-file', file]);
    expect(result.measurements).toMatchObject({ succeeded: 1, failed: 19 });
    expect(result.measurements.errors).toMatchObject([{ code: '22012', count: 19 }]);
  });

  it.each(DEPTHS)('counts the errors of statements by their SQLSTATE: %s', async (_, depth) => {
    await own.allClosed();
    // Every fourth iteration fails; a batch has four.
    const sql = 'SELECT 1 / (:iteration::int % 4 - 3)';
    const argv = ['--num-workers=4', '--pool-size=1', '--num-queries=400', '--sql', sql];
    const result = await resultOf([url(), ...WIRE, ...argv, ...depth]);
    const counts = countsOf(result);
    expect(counts.own).toBe(counts.server);
    const { succeeded, errors } = result.measurements;
    if (!depth.includes('--batch')) {
      expect(succeeded).toBe(300);
      expect(errors).toMatchObject([{ code: '22012', count: 100, example: 'division by zero' }]);
    } else {
      expect(succeeded).toBe(0);
      expect(errors).toMatchObject([
        { code: 'ERR_WIRE_BATCH', count: 300 },
        { code: '22012', count: 100 },
      ]);
    }
  });

  it.each(DEPTHS)(
    'cancels on the server what takes longer than --iteration-timeout: %s',
    async (_, depth) => {
      const sql = 'SELECT pg_sleep(CASE WHEN :iteration::int = 5 THEN 60 ELSE 0 END)';
      const argv = ['--num-queries=40', '--iteration-timeout=1500ms', '--sql', sql];
      const result = await resultOf([url(), ...WIRE, ...argv, ...depth]);
      const { errors, failed, succeeded } = result.measurements;
      expect(errors.find(({ code }) => code === 'ERR_ITERATION_TIMEOUT')).toBeDefined();
      expect(failed + succeeded).toBe(40);
      await own.allClosed();
    },
  );

  it('replaces connections that the server ends, and goes on', async () => {
    const running = resultOf([url(), ...WIRE, '--duration=2s', '--sql', 'SELECT 1 AS wire']);
    const loaded = `FROM pg_stat_activity WHERE datname = '${own.name}' AND query = 'SELECT 1 AS wire'`;
    await eventually(async () => (await ask(`SELECT pid ${loaded}`)).rowCount === 4);
    await ask(`SELECT pg_terminate_backend(pid) FROM (SELECT pid ${loaded} LIMIT 2) AS two`);
    const result = await running;
    expect(result.measurements.errors.map(({ code }) => code)).toEqual(['ERR_CONNECTION_LOST']);
    expect(result.measurements.failed).toBeLessThanOrEqual(4);
    expect(result.pool.figures?.created).toBeGreaterThanOrEqual(2);
    expect(result.measurements.succeeded).toBeGreaterThan(0);
  });

  it('fails iterations that wait for a connection for longer than --pool-timeout', async () => {
    const argv = ['--num-workers=6', '--pool-size=1', '--pool-timeout=300ms', '--num-queries=12'];
    const result = await resultOf([url(), ...WIRE, ...argv, '--sql', 'SELECT pg_sleep(0.2)']);
    expect(result.measurements.errors).toMatchObject([{ code: 'ERR_POOL_TIMEOUT' }]);
    expect(result.pool.figures?.timedOut).toBe(result.measurements.failed);
  });

  it.each(['burst', 'rate', 'ramp'])('takes the load model %s', async (type) => {
    const models: Record<string, readonly string[]> = {
      burst: ['--burst-size=50', '--num-bursts=3', '--burst-interval=100ms'],
      rate: ['--rate=500/s', '--num-queries=150'],
      ramp: ['--rate-from=100/s', '--rate-to=200/s', '--step-duration=300ms'],
    };
    const argv = ['--engine=wire', '--warmup=none', '--pool-size=4', `--test-type=${type}`, '--pipeline=2'];
    const result = await resultOf([url(), ...argv, ...(models[type] ?? [])]);
    expect(result.measurements.failed).toBe(0);
    expect(result.measurements.succeeded).toBeGreaterThanOrEqual(type === 'ramp' ? 20 : 150);
  });

  it.each([
    [['--sql', 'SELECT 1; SELECT 2', '--pipeline=2'], /has 2 statements.*--pipeline 1/s],
    [['--sql', 'COMMIT', '--pipeline=2'], /controls transactions/],
    [['--sql', 'DEALLOCATE ALL'], /removes prepared statements/],
    [['--sql', 'COPY (SELECT 1) TO STDOUT'], /COPY/],
    [['--batch'], /--batch needs --pipeline 2 or more/],
    [['--pre-ping'], /--pre-ping does not count with --engine wire/],
    [['--max-overflow=2'], /--max-overflow does not count with --engine wire/],
    [['--prepare-threshold=2'], /--prepare-threshold does not count with --engine wire/],
    [['--baseline=unpooled'], /--baseline does not count with --engine wire/],
    [['--sweep=max-overflow=0,2'], /--sweep max-overflow does not count with --engine wire/],
  ])('refuses %j as a usage error', async (argv, message) => {
    const { code, err } = await loadtest([url(), '--engine=wire', ...argv]);
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
  });

  it('names itself and its depth in the reports', async () => {
    const argv = ['--num-queries=100', '--pipeline=4', '--batch', '--sql', 'SELECT 1'];
    const { out } = await loadtest([url(), ...WIRE, ...argv]);
    expect(out).toMatch(
      /engine +wire, pipeline of 4 with one Sync \(a transaction\) for all: 100\s+statements/,
    );
    expect(out).toMatch(/pool +4 connections of the wire engine/);
    const markdown = await loadtest([url(), ...WIRE, '--num-queries=10', '--format=markdown']);
    expect(markdown.out).toContain('engine: wire:');
  });

  it('speaks over TLS, with SCRAM bound to its channel', async () => {
    const secure = own.url({ params: '?sslmode=require&channel_binding=require' });
    const result = await resultOf([
      secure,
      ...WIRE,
      '--num-queries=500',
      '--sql',
      'SELECT repeat($$x$$, 9000)',
    ]);
    expect(result.measurements).toMatchObject({ succeeded: 500, failed: 0 });
    expect(wireOf(result)).toMatchObject({ tls: true, rows: 500 });
  });

  it('is not compared with the default engine silently', async () => {
    const before = join(place.folder, 'before.json');
    const load = ['--num-queries=50', '--warmup=none', '--sql', 'SELECT 1'];
    await loadtest([url(), ...load, '--format=json', '-o', before]);
    const argv = [url(), ...load, '--engine=wire', '--compare-with', before];
    const refused = await loadtest(argv);
    expect(refused.err).toMatch(/did different work: engine before: pool after: wire/);
    const compared = await loadtest([...argv, '--allow-different-work']);
    expect(compared.out).toMatch(/engine.*pool.*wire/);
  });
});

describeWithPgBouncer('the wire engine behind PgBouncer', () => {
  it('runs in session mode, and is refused in transaction mode where statements are not kept', async () => {
    const argv = [...WIRE, '--num-queries=200', '--sql', 'SELECT 1'];
    const session = await startPgBouncer({ pool_mode: 'session' });
    try {
      const result = await resultOf([url(session.port), ...argv]);
      expect(result.measurements).toMatchObject({ succeeded: 200, failed: 0 });
    } finally {
      await session.stop();
    }
    const transaction = await startPgBouncer();
    try {
      const { code, err } = await loadtest([url(transaction.port), ...argv]);
      expect([code, err]).toEqual([3, expect.stringMatching(/transaction mode does not keep prepared/)]);
      expect(err).toMatch(/max_prepared_statements/);
    } finally {
      await transaction.stop();
    }
  });
});

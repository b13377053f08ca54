import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  locatePostgres,
  parseScript,
  postgresDatabase,
  runLoadTest,
  sqlWorkload,
} from '../../src/loadtest/index.js';
import type { LoadResult, ServerFigures } from '../../src/loadtest/result.js';
import { loadtest, resultOf } from '../cli/loadtest-helpers.js';
import { eventually } from '../helpers/eventually.js';
import { describeWithPgBouncer, type PgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import {
  ask,
  connectAdmin,
  describeWithPostgres,
  newDatabase,
  type OwnDatabase,
  postgres,
} from '../helpers/postgres.js';

const server = postgres ?? { port: 0, socket: '', user: '', password: '' };
const QUICK = ['--warmup=none', '--num-workers=4', '--num-queries=40', '--pool-size=2', '--max-overflow=0'];

/** Until no connection is being opened any more: the server counts one that comes too late to be of use as well. */
const LONGER = ['--num-queries=500'];

let own: OwnDatabase;
beforeAll(async () => {
  if (postgres !== null) own = await newDatabase();
});

function figuresOf({ server }: LoadResult): ServerFigures {
  if (server === null) throw new Error('nobody watched the server');
  return server;
}

/** A user without any rights, for whom nothing is reserved. */
async function withPlainUser(
  use: (url: string, env: { PGPASSWORD: string }) => Promise<void>,
): Promise<void> {
  await ask("CREATE ROLE plain LOGIN PASSWORD 'pw'");
  try {
    await use(`postgres://plain@127.0.0.1:${server.port}/${own.name}`, { PGPASSWORD: 'pw' });
  } finally {
    await ask('DROP ROLE plain');
  }
}

describeWithPostgres('a server under load tells', () => {
  it.each<[string, readonly string[]]>([
    ['with a warm-up', ['--warmup=30', '--num-workers=5', '--max-overflow=2']],
    ['of several statements each', ['--sql', 'BEGIN; SELECT 1; SELECT 2; COMMIT']],
    ['that are rolled back', ['--warmup=10', '--sql', 'BEGIN; SELECT 1; ROLLBACK']],
    ['with named statements', ['--prepare-threshold=1']],
    ['on tables made for it', ['--init', '--query-type=mixed', '--cleanup']],
  ])('how many transactions it ended, in exact agreement with poolctl: %s', async (_, argv) => {
    // Who leaves late tells late: what the test before did would be counted as well.
    await own.allClosed();
    const result = await resultOf([own.url(), ...QUICK, ...LONGER, ...argv]);
    const { transactions, gaps } = figuresOf(result);
    expect({ gaps, transactions }).toEqual({ gaps: [], transactions: expect.anything() });
    const { committed, rolledBack, own: counted } = transactions ?? { committed: 0, rolledBack: 0, own: 1 };
    expect(committed + rolledBack).toBe(counted);
    // Each iteration is one, and so is each connection; what is left is the set-up, which is short.
    const { created, createdBefore } = result.pool.figures ?? { created: 0, createdBefore: 0 };
    const { succeeded, failed } = result.measurements;
    const known =
      succeeded + failed + (result.warmup?.iterations ?? 0) + (created ?? 0) + (createdBefore ?? 0);
    expect(counted).toBeGreaterThan(known);
    expect(counted).toBeLessThan(known + 20);
  });

  it('the same of statements that fail', async () => {
    const sql = 'SELECT 1 / (CASE :iteration::int WHEN 0 THEN 1 ELSE 0 END)';
    await own.allClosed();
    const result = await resultOf([own.url(), ...QUICK, ...LONGER, '--sql', sql]);
    const { committed, rolledBack, own: counted } = figuresOf(result).transactions ?? {};
    expect(rolledBack).toBeGreaterThanOrEqual(499);
    expect((committed ?? 0) + (rolledBack ?? 0)).toBe(counted);
  });

  it('what others did meanwhile, too', async () => {
    const other = await connectAdmin(own.name);
    let isOver = false;
    const disturb = (async () => {
      while (!isOver) await other.query('SELECT pg_stat_force_next_flush() FROM pg_database LIMIT 1');
    })();
    const { transactions } = figuresOf(await resultOf([own.url(), ...QUICK]));
    isOver = true;
    await disturb;
    await other.end();
    expect(transactions?.committed).toBeGreaterThan(transactions?.own ?? Number.POSITIVE_INFINITY);
  });

  it('what its backends wait for', async () => {
    const holder = await connectAdmin(own.name);
    await holder.query('SELECT pg_advisory_lock(4711)');
    // The first iteration is tried beforehand, and must not wait.
    const sql = 'SELECT CASE WHEN :iteration > 0 THEN pg_advisory_xact_lock_shared(4711)::text END';
    const url = own.url({ params: '?lock_timeout=400ms' });
    const result = await resultOf([url, ...QUICK, '--num-queries=4', '--sql', sql]);
    await holder.end();
    expect(result.measurements.errors).toMatchObject([{ code: '55P03', count: 3 }]);
    const { backends } = figuresOf(result);
    expect(backends?.states[0]).toMatchObject({ state: 'active', most: 2 });
    expect(backends?.waits[0]).toMatchObject({ event: 'Lock:advisory' });
    expect(result.advice.map(({ text }) => text).join()).toContain('waited for locks of others');
  });

  it('which of them stand idle in a transaction', async () => {
    const sql = 'BEGIN;\n\\sleep 250ms\nCOMMIT;';
    const result = await resultOf([own.url(), ...QUICK, '--num-queries=4', '--sql', sql]);
    expect(figuresOf(result).backends?.states[0]).toMatchObject({ state: 'idle in transaction', most: 2 });
    expect(result.advice.map(({ text }) => text).join()).toContain('stood idle in an open transaction');
  });

  it('how many connections are left for its user', async () => {
    const limits = async (url: string, env = {}) =>
      figuresOf(await resultOf([url, ...QUICK, '--pool-size=1'], { env })).connections;
    const superuser = await limits(own.url());
    expect(superuser).toMatchObject({ most: 60, reserved: 0, narrowest: 'server' });
    expect(superuser?.left).toBe(60 - (superuser?.used ?? 0));
    await withPlainUser(async (url, env) => {
      const plain = await limits(url, env);
      expect(plain).toMatchObject({ most: 60, reserved: 3, narrowest: 'server' });
      expect(plain?.left).toBe(60 - 3 - (plain?.used ?? 0));
      await ask('ALTER ROLE plain CONNECTION LIMIT 4');
      expect(await limits(url, env)).toMatchObject({ left: 3, narrowest: 'role' });
      await ask(`ALTER ROLE plain CONNECTION LIMIT -1`);
      await ask(`ALTER DATABASE ${own.name} CONNECTION LIMIT 3`);
      expect(await limits(url, env)).toMatchObject({ left: 2, narrowest: 'database' });
      await ask(`ALTER DATABASE ${own.name} CONNECTION LIMIT -1`);
    });
  });

  it('before the run if the pool is larger than what is left, with the figures, and does not forbid it', async () => {
    const argv = [own.url(), ...QUICK, '--pool-size=50', '--max-overflow=30'];
    const { code, out, err } = await loadtest(argv);
    expect(code).toBeLessThanOrEqual(1);
    expect(err).toMatch(
      /^poolctl: the pool may open 80 connections, and the server has \d\d left: max_connections is 60, 0 reserved, \d+ in use\n$/,
    );
    expect(out.replaceAll(/\s+/g, ' ')).toMatch(
      /The pool may open 80 connections.* --pool-size \d\d --max-overflow 0/,
    );
  });

  it('nothing where it may not be asked, which is said, and the run goes on', async () => {
    const client = await connectAdmin(own.name);
    await client.query('REVOKE SELECT ON pg_stat_activity, pg_stat_database FROM PUBLIC');
    await withPlainUser(async (url, env) => {
      const result = await resultOf([url, ...QUICK], { env });
      expect(result.measurements).toMatchObject({ succeeded: 40, failed: 0 });
      const { gaps, ...figures } = figuresOf(result);
      expect(figures).toEqual({
        ...{ version: null, connections: null, backends: null, transactions: null, pgbouncer: null },
        course: [],
      });
      expect(gaps).toEqual([
        'connections: permission denied for view pg_stat_activity',
        'transactions: permission denied for view pg_stat_database',
        'backends: permission denied for view pg_stat_activity',
      ]);
    });
    await client.query('GRANT SELECT ON pg_stat_activity, pg_stat_database TO PUBLIC');
    await client.end();
  });

  it('what it can although the connection of the looks is ended', async () => {
    const running = resultOf([own.url(), ...QUICK, '--num-queries=100', '--sql', '\\sleep 20ms\nSELECT 1']);
    const look = `FROM pg_stat_activity WHERE datname = '${own.name}' AND query LIKE '%pg_stat_activity WHERE pid = ANY%'`;
    while ((await ask(`SELECT pg_sleep(0.01), pg_terminate_backend(pid) ${look}`)).rowCount === 0);
    const result = await running;
    expect(result.measurements).toMatchObject({ succeeded: 100, failed: 0 });
    expect(figuresOf(result).backends?.samples).toBeGreaterThan(1);
  });

  it('all of it in every report', async () => {
    for (const [format, words] of [
      ['text', /^server\n {2}PostgreSQL {4}\d+\.\d.*^ {2}transactions {2}\d+ committed/ms],
      ['markdown', /^\| transactions \| \d+ committed/m],
      ['html', /<th>transactions<\/th><td>\d+ committed/],
      ['junit', /<property name="server: transactions" value="\d+ committed/],
      ['csv', /,backends_active,backends_idle,/],
    ] as const) {
      expect((await loadtest([own.url(), ...QUICK, `--format=${format}`])).out).toMatch(words);
    }
  });

  it('nothing where a program does not have it watched', async () => {
    const access = { ...locatePostgres(own.url(), {}), pgbouncer: false, prepareThreshold: null };
    const pool = { size: 2, maxOverflow: 0, timeoutMs: 1000, recycleMs: null, prePing: false };
    const result = await runLoadTest({
      workload: sqlWorkload({
        target: postgresDatabase({ access: { ...access, connectTimeoutMs: null }, pool, allowWrites: false }),
        work: { kind: 'built-in', type: 'simple' },
        allowWrites: false,
      }),
      model: { kind: 'closed', workers: 2 },
      iterations: 20,
    });
    expect(result).toMatchObject({ measurements: { succeeded: 20 }, server: null });
  });

  it('of a statement that never returns in the trial, and is rid of it', async () => {
    const access = { ...locatePostgres(own.url(), {}), pgbouncer: false, prepareThreshold: null };
    const pool = { size: 2, maxOverflow: 0, timeoutMs: 1000, recycleMs: null, prePing: false };
    const script = parseScript('SELECT 1;\nSELECT pg_sleep(3600) AS endless', { name: 'endless.sql' });
    const run = runLoadTest({
      workload: sqlWorkload({
        target: postgresDatabase({ access: { ...access, connectTimeoutMs: null }, pool, allowWrites: false }),
        work: { kind: 'scripts', scripts: [script], rows: [], defined: new Map() },
        allowWrites: false,
        trialLimitMs: 500,
      }),
      model: { kind: 'closed', workers: 2 },
      iterations: 20,
    });
    await expect(run).rejects.toMatchObject({
      code: 'ERR_QUERY_TIMEOUT',
      message:
        'endless.sql, line 2 failed in the trial before the run: it did not return within 0.5 s, and was canceled',
      hint: expect.stringContaining('Pass a statement that ends by itself'),
    });
    await eventually(async () => {
      const { rows } = await ask(
        "SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(3600)%' AND state = 'active'",
      );
      return rows.length === 0;
    });
  });

  it('nothing of a SQLite file, which has none', async () => {
    expect((await resultOf(QUICK)).server).toBe(null);
  });
});

describeWithPgBouncer('through PgBouncer', () => {
  let pgbouncer: PgBouncer;
  beforeAll(async () => {
    pgbouncer = await startPgBouncer({ default_pool_size: 2, max_client_conn: 30 });
  });
  afterAll(() => pgbouncer?.stop());
  const sleepy = ['--sql', 'SELECT pg_sleep(0.02)', '--warmup=none', '--num-workers=10', '--num-queries=300'];

  it('its queue is seen, which the pool cannot see', async () => {
    const result = await resultOf([own.url({ port: pgbouncer.port }), ...sleepy, '--pool-size=10']);
    expect(result.measurements).toMatchObject({ succeeded: 300, failed: 0 });
    const { pgbouncer: figures, transactions, backends, gaps } = figuresOf(result);
    expect({ transactions, gaps }).toEqual({ transactions: null, gaps: [] });
    expect(figures).toMatchObject({
      version: expect.stringMatching(/^PgBouncer \d/),
      ...{ poolMode: 'transaction', poolSize: 2, clients: { most: 30, used: expect.any(Number) } },
      serverActive: { most: 2 },
    });
    expect(figures?.waiting.most).toBeGreaterThanOrEqual(6);
    expect(figures?.longestWaitMs).toBeGreaterThan(10);
    expect(figures?.waitMeanMs).toBeGreaterThan(20);
    // Beside the load's own those of the looks.
    expect(figures?.transactions).toBeGreaterThanOrEqual(300);
    expect(figures?.transactions).toBeLessThan(350);
    expect(backends?.states.reduce((sum, { most }) => Math.max(sum, most), 0)).toBeLessThanOrEqual(2);
    const advice = result.advice.map(({ text }) => text).join();
    expect(advice).toMatch(/waited .* in PgBouncer for one of its 2 server connections/);
  });

  it('a pool that is larger than the clients that it takes is told before the run', async () => {
    const argv = [own.url({ port: pgbouncer.port }), '--warmup=none', '--num-queries=20', '--pool-size=40'];
    const { err } = await loadtest(argv);
    expect(err).toMatch(
      /^poolctl: the pool may open 50 connections, and PgBouncer takes \d\d more: max_client_conn is 30, \d are connected\n$/,
    );
  });

  it('who may not look into its console is told so, and the run goes on', async () => {
    const closed = await startPgBouncer({ admin_users: 'nobody' });
    const result = await resultOf([own.url({ port: closed.port }), ...QUICK]);
    await closed.stop();
    expect(result.measurements).toMatchObject({ succeeded: 40, failed: 0 });
    const { pgbouncer: figures, gaps, version } = figuresOf(result);
    expect({ figures, gaps, version }).toEqual({
      figures: null,
      gaps: [
        expect.stringMatching(/^PgBouncer's queue: cannot connect .*: not allowed$/),
        'transactions: behind a pooler the server tells them too late',
      ],
      version: expect.stringMatching(/^\d/),
    });
  });
});

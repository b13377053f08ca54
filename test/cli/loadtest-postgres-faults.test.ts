import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/loadtest/result.js';
import { bin, start } from '../helpers/bin.js';
import { freePort } from '../helpers/guarded.js';
import { testIo } from '../helpers/io.js';
import { describeWithPgBouncer, type PgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import {
  ask,
  connectAdmin,
  describeWithPostgres,
  newDatabase,
  type OwnDatabase,
  postgres,
} from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';
import { loadtest, resultOf, SMALL } from './loadtest-helpers.js';

const RATE = [
  ...['--warmup=none', '--test-type=rate', '--rate=200/s', '--pool-size=4', '--max-overflow=0'],
  '--pool-timeout=2s',
];

/** What iterations may fail with when their connection, or the whole server, goes away. */
const LOST = ['ERR_CONNECTION_LOST', 'ERR_POOL_CREATE', 'ERR_POOL_TIMEOUT'];

/** Resolves when so many connections have been lent in this process. */
function lent(count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const onAcquire = (message: unknown): void => {
      const { pool } = message as { pool: string };
      if (!pool.startsWith('postgres://') || --left > 0) return;
      unsubscribe('poolctl:pool:acquire', onAcquire);
      resolve();
    };
    subscribe('poolctl:pool:acquire', onAcquire);
  });
}

/** Codes and numbers of what failed. */
function errorsOf({ measurements }: LoadResult): Record<string, number> {
  return Object.fromEntries(measurements.errors.map(({ code, count }) => [code, count]));
}

describeWithPostgres('what goes wrong on PostgreSQL', () => {
  let own: OwnDatabase;
  beforeAll(async () => {
    own = await newDatabase();
  });

  describe('before the load is told, with exit 3 and without a result:', () => {
    it.each<[what: string, url: (own: string) => string, message: RegExp]>([
      [
        'a wrong password',
        (url) => url.replace(/:[^:@]*@/, ':s3cret@'),
        /password authentication failed for user "postgres" \(28P01\)\n {2}hint: check user and password/,
      ],
      [
        'no password',
        (url) => url.replace(/:[^:@]*@/, '@'),
        /wants a password for 'postgres', and none was given.*\(ERR_DB_PASSWORD\)/,
      ],
      [
        'an unknown database',
        (url) => url.replace(/\/test_\w+/, '/none'),
        /database "none" does not exist \(3D000\)\n {2}hint: check the name at the end of the URL/,
      ],
    ])('%s', async (_, change, message) => {
      const { code, out, err } = await loadtest([change(own.url()), ...SMALL]);
      expect({ code, out }).toEqual({ code: 3, out: '' });
      expect(err).toMatch(message);
      expect(err).not.toContain('s3cret');
    });

    it('no server', async () => {
      const port = await freePort();
      const { code, out, err } = await loadtest([`postgres://u:s3cret@127.0.0.1:${port}/d`, ...SMALL]);
      expect({ code, out }).toEqual({ code: 3, out: '' });
      expect(err).toMatch(/connection refused \(ECONNREFUSED\)\n {2}hint: nothing listens there/);
    });

    it('a statement that takes longer than the time-out', async () => {
      const url = own.url({ params: '?statement_timeout=50ms' });
      const { code, err } = await loadtest([url, ...SMALL, '--sql', 'SELECT pg_sleep(9)']);
      expect({ code, err }).toEqual({ code: 3, err: expect.stringContaining('statement timeout (57014)') });
    });
  });

  describe('while the load goes on is counted by code, and the pool goes on:', () => {
    const FEW = ['--warmup=none', '--num-workers=4', '--pool-size=2', '--max-overflow=0'];

    it('statements with errors', async () => {
      const sql = "SELECT (CASE WHEN :iteration::int % 4 = 0 THEN '1' ELSE 'x' END)::int";
      const result = await resultOf([own.url(), ...FEW, '--num-queries=40', '--sql', sql]);
      expect({ code: result.code, errors: errorsOf(result) }).toEqual({ code: 1, errors: { '22P02': 30 } });
      expect(result.pool.figures).toMatchObject({ invalidated: 0, destroyed: 0 });
    });

    it('statement time-outs', async () => {
      const sql = 'SELECT pg_sleep(CASE WHEN :iteration::int IN (3, 5) THEN 9 ELSE 0 END)';
      const url = own.url({ params: '?statement_timeout=150ms' });
      const result = await resultOf([url, ...FEW, '--num-queries=20', '--sql', sql]);
      expect(errorsOf(result)).toEqual({ '57014': 2 });
      expect(result.measurements.succeeded).toBe(18);
    });

    it('a transaction that stands open for too long', async () => {
      const sql = 'BEGIN;\n\\sleep 1500ms\nSELECT 1;\nCOMMIT;';
      const url = own.url({ params: '?idle_in_transaction_session_timeout=400ms' });
      const result = await resultOf([url, ...FEW, '--num-queries=3', '--num-workers=1', '--sql', sql]);
      expect(errorsOf(result)).toEqual({ ERR_CONNECTION_LOST: 3 });
      expect(result.measurements.errors[0]?.example).toContain('25P03');
      expect(result.pool.figures?.invalidated).toBe(3);
    });

    it('a connection that is ended by pg_terminate_backend', async () => {
      const sql = 'SELECT pg_sleep(CASE WHEN :iteration::int = 7 THEN 20 ELSE 0 END)';
      const running = resultOf([own.url(), ...FEW, '--num-queries=40', '--sql', sql]);
      const asleep = `FROM pg_stat_activity WHERE datname = '${own.name}' AND wait_event = 'PgSleep'`;
      while ((await ask(`SELECT pg_terminate_backend(pid) ${asleep}`)).rowCount === 0);
      const result = await running;
      expect(errorsOf(result)).toEqual({ ERR_CONNECTION_LOST: 1 });
      expect(result.measurements.errors[0]?.example).toContain('57P01');
      expect(result.measurements.succeeded).toBe(39);
    });
  });

  describe('with the server itself:', () => {
    let server: PostgresServer;
    beforeAll(async () => {
      server = await startPostgres(['ssl=off', 'max_connections=12']);
    });
    afterAll(() => server?.remove());
    const url = (params = ''): string => {
      const { user, password, port } = server;
      return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres${params}`;
    };

    it('it takes no TLS', async () => {
      const { code, err } = await loadtest([url('?sslmode=require'), ...SMALL]);
      expect({ code, err }).toEqual({ code: 3, err: expect.stringContaining('(ERR_DB_TLS)') });
    });

    it('the pool is larger than what is left, which is said, and works with what there is', async () => {
      const argv = [url(), '--warmup=none', '--num-workers=40', '--num-queries=800', '--format=json'];
      const { code, out, err } = await loadtest(argv);
      expect(err).toMatch(
        / 50 connections, and the server has 11 left: max_connections is 12, 0 reserved, 1 in use\n/,
      );
      const result = JSON.parse(out) as LoadResult;
      expect({ code, errors: errorsOf(result) }).toEqual({ code: 0, errors: {} });
      expect(result.pool.figures?.createFailed).toBeGreaterThan(0);
      expect(result.pool.figures?.peakInUse).toBeLessThanOrEqual(11);
    });

    it('no connection is left at all', async () => {
      const held = await Promise.all(Array.from({ length: 12 }, () => connectAdmin('postgres', server)));
      const { code, err } = await loadtest([url(), ...SMALL]);
      await Promise.all(held.map((client) => client.end()));
      expect({ code, err }).toEqual({
        code: 3,
        err: expect.stringMatching(/too many clients already \(53300\)/),
      });
    });

    it('it is killed in the middle and started again: errors by code, and the pool recovers', async () => {
      const underWay = lent(100);
      const running = resultOf([url(), ...RATE, '--duration=8s']);
      await underWay;
      process.kill(await server.pid(), 'SIGQUIT');
      await server.stop();
      await server.start();
      const result = await running;
      const { measurements, pool } = result;
      expect(Object.keys(errorsOf(result)).filter((code) => !LOST.includes(code))).toEqual([]);
      expect(measurements.failed).toBeGreaterThan(0);
      // Whatever was due has its end, and what came last was served again.
      expect(measurements.succeeded + measurements.failed).toBe(1600);
      expect(measurements.timeline.rows.at(-2)).toMatchObject({ failed: 0, succeeded: expect.any(Number) });
      expect(measurements.timeline.rows.at(-2)?.succeeded).toBeGreaterThan(0);
      expect(pool.figures?.created).toBeGreaterThan(1);
      expect(result.server).toMatchObject({
        transactions: null,
        gaps: expect.arrayContaining([
          'transactions: the server was restarted meanwhile, and its counters with it',
        ]),
      });
    });

    it('it is killed and stays away: the run ends in its time, and tells what there was', async () => {
      const underWay = lent(100);
      const running = resultOf([url(), ...RATE, '--duration=2s']);
      await underWay;
      process.kill(await server.pid(), 'SIGQUIT');
      await server.stop();
      const result = await running;
      await server.start();
      expect({ code: result.code, band: result.verdict.band }).toEqual({ code: 1, band: 'bad' });
      expect(Object.keys(errorsOf(result)).filter((code) => !LOST.includes(code))).toEqual([]);
      expect(result.measurements.succeeded + result.measurements.failed).toBe(400);
      expect(result.server?.gaps.join()).toMatch(/ECONNREFUSED/);
    });
  });

  describe('an interrupt', () => {
    /** Iterations that end when the server says so, and no sooner. */
    const STUCK = ['--sql', 'SELECT pg_sleep(CASE WHEN :iteration::int < 0 THEN 0 ELSE 0.05 END)'];
    const ENDLESS = [
      '--warmup=none',
      '--num-workers=4',
      '--pool-size=2',
      '--max-overflow=0',
      '--duration=20d',
      '--format=json',
    ];
    const run = (argv: readonly string[]) => start(bin, ['loadtest', own.url(), ...ENDLESS, ...argv]);
    /** Resolves when both connections are at work; the trial beforehand has one. */
    const atWork = async (): Promise<void> => {
      const asleep = `FROM pg_stat_activity WHERE datname = '${own.name}' AND wait_event = 'PgSleep'`;
      while ((await ask(`SELECT pg_sleep(0.01), pid ${asleep}`)).rowCount !== 2);
    };
    const schemas = async (): Promise<unknown[]> => {
      const client = await connectAdmin(own.name);
      const { rows } = await client.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'poolctl%'");
      await client.end();
      return rows;
    };

    it('ends the load, and the partial result is marked: exit 130', async () => {
      const { child, finished } = run([...STUCK, '--init', '--cleanup']);
      await atWork();
      child.kill('SIGINT');
      const { code, signal, stdout } = await finished;
      expect({ code, signal }).toEqual({ code: 130, signal: null });
      const result = JSON.parse(stdout) as LoadResult;
      expect(result).toMatchObject({ partial: 'interrupted', measurements: { failed: 0, abandoned: 0 } });
      // What was under way was waited for, and the server was asked at the end as ever.
      expect(result.measurements.succeeded).toBe(result.measurements.started);
      expect(result.server).toMatchObject({ gaps: [], transactions: { committed: expect.any(Number) } });
      expect(await schemas()).toEqual([]);
    });

    it('and another give up what is under way, in the server too', async () => {
      const sql = 'SELECT pg_sleep(CASE WHEN :iteration::int = 0 THEN 0 ELSE 1000 END)';
      const { child, finished } = run(['--sql', sql, '--init', '--cleanup']);
      await atWork();
      child.kill('SIGINT');
      child.kill('SIGTERM');
      const { code, signal, stdout } = await finished;
      // Either may be seen first.
      expect({ code, signal }).toEqual({ code: code === 143 ? 143 : 130, signal: null });
      expect(JSON.parse(stdout)).toMatchObject({ partial: 'aborted', measurements: { abandoned: 4 } });
      await own.allClosed();
      expect(await schemas()).toEqual([]);
    });

    it('before the load has begun ends it without a result', async () => {
      const io = testIo();
      io.interrupts.receive('SIGINT');
      const { code, out, err } = await loadtest([own.url(), ...SMALL], { io });
      expect({ code, out, err }).toEqual({ code: 130, out: '', err: 'poolctl: stopped by SIGINT\n' });
    });
  });
});

describeWithPgBouncer('what goes wrong with PgBouncer', () => {
  let own: OwnDatabase;
  let pgbouncer: PgBouncer;
  let console: Client;
  beforeAll(async () => {
    own = await newDatabase();
    // PAUSE breaks off a server connection that is just being opened, and PgBouncer then waits 15 s before it opens
    // another one, also after RESUME.
    pgbouncer = await startPgBouncer({ default_pool_size: 4, server_login_retry: 1 });
    if (postgres !== null) console = await connectAdmin('pgbouncer', { ...postgres, port: pgbouncer.port });
  });
  afterAll(async () => {
    await console?.end();
    await pgbouncer?.stop();
  });
  const url = (port = pgbouncer.port): string => own.url({ port });

  it('a pause in the middle is waited for', async () => {
    const underWay = lent(50);
    const running = resultOf([url(), ...RATE.slice(0, -1), '--pool-timeout=20s', '--duration=1500ms']);
    await underWay;
    await console.query(`PAUSE ${own.name}`);
    const waitedSeconds = async (): Promise<number> => {
      const { rows } = await console.query<{ database: string; maxwait: number }>('SHOW POOLS');
      return Number(rows.find(({ database }) => database === own.name)?.maxwait ?? 0);
    };
    // Long enough for a look at it, of which there are two a second.
    while ((await waitedSeconds()) < 1);
    await console.query(`RESUME ${own.name}`);
    const { measurements, server } = await running;
    expect(measurements).toMatchObject({ succeeded: 300, failed: 0 });
    expect(server?.pgbouncer?.waiting.most).toBeGreaterThan(0);
  });

  it('a pause before is told, and not waited for without end', async () => {
    await console.query(`PAUSE ${own.name}`);
    const { code, out, err } = await loadtest([url(), ...SMALL, '--connect-timeout=300ms']);
    await console.query(`RESUME ${own.name}`);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(
      /did not answer a first query within 0\.3 s \(ERR_NO_ANSWER\)\n {2}hint: .*SHOW POOLS/,
    );
  });

  it('its limit of clients is said to be the reason, before the load and in it', async () => {
    const full = await startPgBouncer({ max_client_conn: 1 });
    const first = await loadtest([url(full.port), ...SMALL]);
    await full.stop();
    expect(first).toMatchObject({ code: 3, out: '', err: expect.stringContaining('max_client_conn') });
    const narrow = await startPgBouncer({ max_client_conn: 4 });
    const argv = [url(narrow.port), '--warmup=none', '--num-workers=6', '--num-queries=60', '--format=json'];
    const second = await loadtest(argv);
    await narrow.stop();
    expect(second.err).toMatch(
      /15 connections, and PgBouncer takes 2 more: max_client_conn is 4, 2 are connected/,
    );
    const result = JSON.parse(second.out) as LoadResult;
    expect(errorsOf(result)).toEqual({});
    expect(result.pool.figures).toMatchObject({ peakInUse: 2, createFailed: expect.any(Number) });
    expect(result.pool.figures?.createFailed).toBeGreaterThan(0);
  });

  it('it takes no TLS', async () => {
    const { code, err } = await loadtest([
      own.url({ port: pgbouncer.port, params: '?sslmode=require' }),
      ...SMALL,
    ]);
    expect({ code, err }).toEqual({ code: 3, err: expect.stringContaining('(ERR_DB_TLS)') });
  });

  it('its end in the middle is counted by code', async () => {
    const mortal = await startPgBouncer();
    const underWay = lent(50);
    const running = resultOf([url(mortal.port), ...RATE, '--duration=1s']);
    await underWay;
    await mortal.stop();
    const result = await running;
    expect(Object.keys(errorsOf(result)).filter((code) => !LOST.includes(code))).toEqual([]);
    expect(result.measurements.succeeded + result.measurements.failed).toBe(200);
    expect(result.measurements.failed).toBeGreaterThan(0);
  });
});

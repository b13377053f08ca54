import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describeWithPgBouncer, type PgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import {
  ask,
  connectAdmin,
  describeWithPostgres,
  newDatabase,
  type OwnDatabase,
  postgres,
} from '../helpers/postgres.js';
import { loadtest, makePlace, type Place, resultOf, SMALL } from './loadtest-helpers.js';

const server = postgres ?? { port: 0, socket: '', user: '', password: '' };

let own: OwnDatabase;
let place: Place;
beforeAll(async () => {
  place = await makePlace();
  if (postgres !== null) own = await newDatabase();
});
afterAll(() => place.remove());

/** Without password, which comes in other ways. */
const bareUrl = (): string => `postgres://${server.user}@127.0.0.1:${server.port}/${own.name}`;

interface Config {
  readonly options: Readonly<Record<string, { readonly value: string; readonly from: string }>>;
}

async function configOf(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, out, err } = await loadtest([...argv, '--print-config', '--format=json'], { env });
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const { options } = JSON.parse(out) as Config;
  return Object.fromEntries(Object.entries(options).map(([key, { value, from }]) => [key, [value, from]]));
}

describe('a load on a server', () => {
  it.each([
    'postgres://u:s3cret@10.0.0.1/d',
    'postgres://u:s3cret@0.0.0.0/d',
    'postgres://u:s3cret@[2001:db8::1]/d',
    'postgres://u:s3cret@localhost/d?host=192.0.2.1',
    'postgresql://u:s3cret@192.0.2.1:5432/d?application_name=x',
  ])('that is not this machine is refused before anything is connected: %s', async (url) => {
    const { code, out, err } = await loadtest([url, ...SMALL]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^poolctl: \S+ is not this machine, and a load test leaves it only when told to\n/);
    expect(err).toContain('hint: give --allow-remote');
    expect(err).not.toContain('s3cret');
  });

  it('that PGHOST names is judged as one that the URL names', async () => {
    const { code, err } = await loadtest(['postgres:///d', ...SMALL], { env: { PGHOST: '192.0.2.1' } });
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('192.0.2.1 is not this machine') });
  });

  it('that has no known name is not available', async () => {
    const { code, err } = await loadtest(['postgres://u@no-such-host.invalid/d', ...SMALL]);
    expect({ code, err }).toEqual({ code: 3, err: expect.stringMatching(/no-such-host\.invalid/) });
  });

  it('elsewhere is tried when that is allowed', async () => {
    const argv = ['postgres://u@192.0.2.1/d', ...SMALL, '--allow-remote', '--connect-timeout=50ms'];
    const { code, err } = await loadtest(argv);
    expect({ code, err }).toEqual({ code: 3, err: expect.not.stringContaining('not this machine') });
  });

  it.each<[readonly string[], string]>([
    [['postgres://u:s3cret@h:0/d'], '<target>: the port must be a number from 1 to 65535'],
    [['postgres://u:s3cret@h/d?sslspeed=5'], "<target>: unknown parameter 'sslspeed'"],
    [
      ['postgress://u:s3cret@h/d'],
      "unknown target 'postgress://u:***@h/d'; did you mean 'postgres://u:***@h/d'?",
    ],
    [['localhost:5432'], "did you mean 'postgres://localhost:5432'?"],
    [['postgres//u:s3cret@h/d'], "did you mean 'postgres://u:***@h/d'?"],
    [['postgres:u:s3cret@h'], '<target>: write postgres://user@host:5432/database'],
    [['--init'], '--init is for PostgreSQL and MySQL only'],
    [['--cleanup', 'sqlite:x.db'], '--cleanup is for PostgreSQL and MySQL only'],
    [['--allow-remote'], '--allow-remote is for PostgreSQL, MySQL, HTTP and feeds only'],
    [['--password-stdin'], '--password-stdin is for PostgreSQL and MySQL only'],
    [['--no-pgbouncer'], '--pgbouncer is for PostgreSQL only'],
    [['--prepare-threshold=5'], '--prepare-threshold is for PostgreSQL and MySQL only'],
    [['--connect-timeout=5s'], '--connect-timeout is for PostgreSQL, MySQL, HTTP and feeds only'],
    [
      ['postgres://u:s3cret@127.0.0.1/d', '--password-stdin'],
      '--password-stdin: there is no password on stdin',
    ],
  ])('%j is told', async (argv, message) => {
    const { code, out, err } = await loadtest(argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
    expect(err).not.toContain('s3cret');
  });

  it('has the profile direct, or pgbouncer where that is said, and every value its origin', async () => {
    const url = 'postgres://u:s3cret@10.0.0.1/d';
    const direct = { poolSize: ['20', 'profile direct'], poolRecycle: ['1h', 'profile direct'] };
    const pgbouncer = { poolSize: ['5', 'profile pgbouncer'], poolTimeout: ['10s', 'profile pgbouncer'] };
    expect(await configOf([url])).toMatchObject(direct);
    expect(await configOf([url, '--profile=pgbouncer'])).toMatchObject(pgbouncer);
    expect(await configOf([url], { USE_PGBOUNCER: 'true' })).toMatchObject({
      ...pgbouncer,
      pgbouncer: ['on', 'env USE_PGBOUNCER'],
    });
    expect(await configOf([`${url}?pgbouncer=true`])).toMatchObject(pgbouncer);
    expect(await configOf([`${url}?pgbouncer=true`, '--no-pgbouncer'])).toMatchObject(direct);
    expect(await configOf([url, '--profile=direct'], { USE_PGBOUNCER: 'true' })).toMatchObject(direct);
    expect(await configOf(['sqlite:x.db'], { USE_PGBOUNCER: 'true' })).toMatchObject({
      poolSize: ['10', 'profile sqlite'],
    });
  });

  it('has the environment variables of the systems that poolctl replaces', async () => {
    const env = { DB_PREPARE_THRESHOLD: '0', DB_CONNECT_TIMEOUT: '10', DB_POOL_SIZE: '3' };
    expect(await configOf(['postgres://u@h/d'], env)).toMatchObject({
      prepareThreshold: ['0', 'env DB_PREPARE_THRESHOLD'],
      connectTimeout: ['10s', 'env DB_CONNECT_TIMEOUT'],
      poolSize: ['3', 'env DB_POOL_SIZE'],
      maxOverflow: ['30', 'profile direct'],
    });
  });

  it('is not begun because DATABASE_URL is set', async () => {
    const env = { DATABASE_URL: 'postgres://u:s3cret@127.0.0.1:1/d' };
    const { code, out, err } = await loadtest(SMALL, { env });
    expect({ code, err }).toEqual({
      code: 0,
      err: 'poolctl: DATABASE_URL is not used unasked: this tests a temporary SQLite file\n',
    });
    expect(out).toContain('a temporary SQLite file');
  });
});

describeWithPostgres('on PostgreSQL', () => {
  it.each([
    ['simple', true, 1],
    ['complex', false, 1],
    ['mixed', false, 2],
  ])('the queries of type %s need no tables', async (type, simple, statements) => {
    const { workload, measurements, pool } = await resultOf([own.url(), ...SMALL, `--query-type=${type}`]);
    expect(workload).toMatchObject({
      name: type,
      simple,
      inProcess: false,
      target: `postgres://${server.user}@127.0.0.1:${server.port}/${own.name}, read-only`,
    });
    expect(workload.statements).toHaveLength(statements);
    expect(measurements).toMatchObject({ succeeded: 20, failed: 0 });
    expect(pool.options).toMatchObject({ profile: 'direct', timeoutMs: 30_000 });
  });

  it('a Unix socket is this machine', async () => {
    const url = `postgres://${server.user}@/${own.name}?host=${encodeURIComponent(server.socket)}`;
    const env = { PGPASSWORD: server.password, PGPORT: String(server.port) };
    expect(await resultOf([url, ...SMALL], { env })).toMatchObject({ measurements: { succeeded: 20 } });
  });

  describe('the password', () => {
    const works = async (
      argv: readonly string[],
      options: Parameters<typeof loadtest>[1] = {},
    ): Promise<void> => {
      const { out, err } = await loadtest([...argv, ...SMALL, '--verbose', '--format=json'], options);
      expect(out).toContain('"succeeded": 20');
      expect(out + err).not.toContain(server.password);
      expect(out + err).not.toContain(encodeURIComponent(server.password));
    };

    it('may stand in the URL', () => works([own.url()]));
    it('may come from PGPASSWORD', () => works([bareUrl()], { env: { PGPASSWORD: server.password } }));
    it('may come from stdin', () =>
      works([bareUrl(), '--password-stdin'], { stdin: `${server.password}\n` }));

    it('may come from PGPASSWORD in the file of --dotenv', async () => {
      await writeFile(join(place.folder, 'test.env'), `PGPASSWORD='${server.password}'\n`);
      await works([bareUrl(), '--dotenv=test.env'], { cwd: place.folder });
    });

    it('may come from the file that PGPASSFILE names', async () => {
      const file = join(place.folder, 'passwords');
      await writeFile(file, `*:*:*:*:${server.password.replaceAll(':', '\\:')}\n`);
      await chmod(file, 0o600);
      await works([bareUrl()], { env: { PGPASSFILE: file } });
    });

    it('must be one: that of stdin and another in the URL are too many', async () => {
      const { code, err } = await loadtest([own.url(), '--password-stdin'], { stdin: 'x' });
      expect({ code, err }).toEqual({
        code: 2,
        err: expect.stringContaining('there is a password in the URL too'),
      });
    });
  });

  describe('the data', () => {
    const DELETE = 'DELETE FROM orders WHERE id = 1';
    beforeAll(async () => {
      const client = await connectAdmin(own.name);
      await client.query(`
        CREATE TABLE orders (id serial PRIMARY KEY, day text);
        INSERT INTO orders (day) SELECT 'day ' || i FROM generate_series(1, 100) AS i;
        CREATE SEQUENCE tickets;
        CREATE FUNCTION sly() RETURNS int LANGUAGE sql AS 'DELETE FROM orders RETURNING 1';
        CREATE PROCEDURE careful() LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
      `);
      await client.end();
    });
    const ordersLeft = async (): Promise<unknown> => {
      const client = await connectAdmin(own.name);
      const { rows } = await client.query<{ n: string }>('SELECT count(*)::int AS n FROM orders');
      await client.end();
      return rows[0]?.n;
    };

    it.each([
      DELETE,
      "INSERT INTO orders (day) VALUES ('x')",
      'WITH gone AS (DELETE FROM orders RETURNING 1) SELECT count(*) FROM gone',
      'SELECT sly()',
      "SELECT nextval('tickets')",
      'SELECT * FROM orders FOR UPDATE',
      'CREATE TABLE x (a int)',
      'CREATE TEMP TABLE x (a int)',
      'TRUNCATE orders',
      'EXPLAIN ANALYZE DELETE FROM orders',
      `DO $$ BEGIN ${DELETE}; END $$`,
      `DO $$ BEGIN SET LOCAL transaction_read_only = off; ${DELETE}; END $$`,
      'CALL careful()',
      'VACUUM orders',
      'ALTER SYSTEM RESET work_mem',
      "COPY orders TO '/tmp/poolctl-never'",
      "COPY orders TO PROGRAM 'true'",
      `BEGIN; ${DELETE}; ROLLBACK`,
      `BEGIN READ WRITE; SELECT 1; ${DELETE}; COMMIT`,
      `SET default_transaction_read_only = off; ${DELETE}`,
      `SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; ${DELETE}`,
      "BEGIN; PREPARE TRANSACTION 'x'",
      "ROLLBACK PREPARED 'x'",
      'PREPARE gone AS DELETE FROM orders; EXECUTE gone; DEALLOCATE gone',
    ])('is not written without --allow-writes: %s', async (sql) => {
      const { code, out, err } = await loadtest([own.url(), ...SMALL, '--sql', sql]);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/^poolctl: this statement writes, which a load test does not do unasked: /);
      expect(await ordersLeft()).toBe(100);
    });

    it('is protected by the server too, from what hides its errors', async () => {
      const sly = `DO $$ BEGIN ${DELETE}; EXCEPTION WHEN OTHERS THEN NULL; END $$`;
      expect((await loadtest([own.url(), ...SMALL, '--sql', sly])).code).toBe(0);
      expect(await ordersLeft()).toBe(100);
    });

    it.each([
      'SELECT count(*) FROM orders WHERE id > :iteration',
      'BEGIN; SELECT 1; SAVEPOINT a; SELECT 2; ROLLBACK TO a; COMMIT',
      'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; SELECT 1; END',
      'START TRANSACTION; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orders; ABORT',
      'SET work_mem = 1024; SHOW work_mem',
      'EXPLAIN DELETE FROM orders',
      'DISCARD ALL',
      'PREPARE one AS SELECT 1; EXECUTE one; DEALLOCATE one',
      'BEGIN; DECLARE c CURSOR FOR SELECT * FROM orders; FETCH 5 FROM c; CLOSE c; COMMIT',
    ])('may be read: %s', async (sql) => {
      const { measurements } = await resultOf([own.url(), ...SMALL, '--sql', sql]);
      expect(measurements).toMatchObject({ succeeded: 20, failed: 0 });
    });

    it('is written with --allow-writes', async () => {
      const sql = "UPDATE orders SET day = 'now' WHERE id = 1 + :iteration";
      const { workload } = await resultOf([own.url(), ...SMALL, '--allow-writes', '--sql', sql]);
      expect(workload.target).toMatch(/, writes allowed$/);
      const client = await connectAdmin(own.name);
      expect((await client.query("SELECT FROM orders WHERE day = 'now'")).rowCount).toBe(20);
      await client.end();
    });

    it('of a server that takes no writes is found out before the load', async () => {
      await ask(`ALTER DATABASE ${own.name} SET default_transaction_read_only = on`);
      const { code, err } = await loadtest([own.url(), ...SMALL, '--allow-writes', '--sql', DELETE]);
      await ask(`ALTER DATABASE ${own.name} RESET default_transaction_read_only`);
      expect({ code, err }).toEqual({
        code: 3,
        err: expect.stringContaining('the server takes no writes from this user (25006)'),
      });
    });

    it.each([
      ['COPY orders TO STDOUT', '--sql, line 1: COPY from STDIN or to STDOUT is no query'],
      ['copy orders (day)\nfrom stdin with (format csv)', '--sql, line 1: COPY from STDIN or to STDOUT'],
      ['SELECT 1;\nSELECT * FROM nope', '--sql, line 2: relation "nope" does not exist'],
      ['SELEC 1', '--sql, line 1: syntax error at or near "SELEC"'],
      ["SELECT 'x'::int", '--sql, line 1: invalid input syntax for type integer'],
      ['SELECT (SELECT id FROM orders)', '--sql, line 1: more than one row returned by a subquery'],
    ])('is not asked what is no query: %s', async (sql, message) => {
      const { code, out, err } = await loadtest([own.url(), ...SMALL, '--allow-writes', '--sql', sql]);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain(`poolctl: ${message}`);
    });
  });

  describe('the table of candles', () => {
    const schemas = async (): Promise<unknown[]> => {
      const client = await connectAdmin(own.name);
      const { rows } = await client.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'poolctl%'");
      await client.end();
      return rows;
    };
    const removeAll = async (): Promise<void> => {
      const client = await connectAdmin(own.name);
      await client.query('DROP SCHEMA IF EXISTS poolctl_loadtest CASCADE');
      await client.end();
    };
    afterEach(removeAll);

    it('is made by --init, used whenever it is there, and removed by --cleanup', async () => {
      for (const argv of [['--init'], ['--init', '--query-type=complex'], ['--query-type=mixed']]) {
        const { workload, measurements } = await resultOf([own.url(), ...SMALL, ...argv]);
        expect(workload.work).toContain('(table poolctl_loadtest.candles)');
        expect(measurements).toMatchObject({ succeeded: 20, failed: 0 });
      }
      expect(await schemas()).toHaveLength(1);
      const { workload } = await resultOf([own.url(), ...SMALL, '--cleanup']);
      expect(workload.work).toContain('(table poolctl_loadtest.candles)');
      expect(await schemas()).toEqual([]);
    });

    it('is made once for all runs of a sweep', async () => {
      const argv = ['--warmup=none', '--num-workers=2', '--num-queries=20', '--rounds=1'];
      const { code } = await loadtest([own.url(), ...argv, '--sweep=pool-size=1,2', '--init', '--cleanup']);
      expect({ code, left: await schemas() }).toEqual({ code: 0, left: [] });
    });

    it('does not take with it what others have put into its schema', async () => {
      await resultOf([own.url(), ...SMALL, '--init']);
      const client = await connectAdmin(own.name);
      await client.query('CREATE TABLE poolctl_loadtest.mine (a int)');
      await client.end();
      await resultOf([own.url(), ...SMALL, '--cleanup']);
      expect(await schemas()).toHaveLength(1);
    });

    it('is removed also where the load cannot begin', async () => {
      const { code } = await loadtest([own.url(), ...SMALL, '--init', '--cleanup', '--sql=SELEC 1']);
      expect({ code, left: await schemas() }).toEqual({ code: 2, left: [] });
    });

    it('is no table of a user who may not make one, which is told', async () => {
      await ask("CREATE ROLE guest LOGIN PASSWORD 'pw'");
      const { code, err } = await loadtest(
        [bareUrl().replace(`//${server.user}@`, '//guest@'), ...SMALL, '--init'],
        {
          env: { PGPASSWORD: 'pw' },
        },
      );
      await ask('DROP ROLE guest');
      expect({ code, err }).toEqual({
        code: 3,
        err: expect.stringMatching(/permission denied for database \w+ \(42501\)/),
      });
    });
  });
});

describeWithPgBouncer('through PgBouncer', () => {
  let pgbouncer: PgBouncer;
  beforeAll(async () => {
    pgbouncer = await startPgBouncer({ default_pool_size: 4 });
  });
  afterAll(() => pgbouncer?.stop());
  const url = (params = ''): string => own.url({ port: pgbouncer.port, params });

  it('it is found out, and the pool is that of its profile', async () => {
    const { workload, pool } = await resultOf([url(), '--warmup=none', '--num-queries=20']);
    expect(workload.target).toMatch(/ through PgBouncer, read-only$/);
    expect(pool.options).toMatchObject({ profile: 'pgbouncer', size: 5, maxOverflow: 10, timeoutMs: 10_000 });
  });

  it('what the user says of pool and profile stands', async () => {
    const sized = await resultOf([url(), ...SMALL]);
    expect(sized.pool.options).toMatchObject({ profile: 'pgbouncer', size: 2, maxOverflow: 0 });
    const named = await resultOf([url(), '--warmup=none', '--num-queries=20', '--profile=direct']);
    expect(named.pool.options).toMatchObject({ profile: 'direct', size: 20 });
    expect(named.workload.target).toContain('through PgBouncer');
  });

  it('that it is not there, where it is, is taken at its word', async () => {
    const { code, err } = await loadtest([url(), ...SMALL, '--no-pgbouncer']);
    expect({ code, err }).toEqual({ code: 3, err: expect.stringContaining('unsupported startup parameter') });
  });

  it('statements are not named, whatever the threshold', async () => {
    const argv = ['--warmup=none', '--num-queries=200', '--num-workers=8', '--prepare-threshold=1'];
    expect((await resultOf([url(), ...argv])).measurements).toMatchObject({ succeeded: 200, failed: 0 });
  });

  it.each(['DELETE FROM nothing', 'CREATE TABLE x (a int)', 'BEGIN; CREATE TABLE x (a int); COMMIT'])(
    'nothing is written without --allow-writes: %s',
    async (sql) => {
      const client = await connectAdmin(own.name);
      await client.query('CREATE TABLE IF NOT EXISTS nothing (a int)');
      await client.end();
      const { code, err } = await loadtest([url(), ...SMALL, '--sql', sql]);
      expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('this statement writes') });
    },
  );

  it('the table of candles is made and removed as without it', async () => {
    const { workload } = await resultOf([url(), ...SMALL, '--init', '--cleanup']);
    expect(workload.work).toContain('(table poolctl_loadtest.candles)');
  });

  it('its admin console is no target', async () => {
    const console = url().replace(own.name, 'pgbouncer');
    const { code, err } = await loadtest([console, ...SMALL]);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining("PgBouncer's admin console") });
  });
});

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { access } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/loadtest/result.js';
import { testIo } from '../helpers/io.js';
import {
  type Admin,
  connectMysqlAdmin,
  describeWithMariaDb,
  newMysqlDatabase,
  type OwnMysql,
} from '../helpers/mysql.js';
import { type MysqlServer, startMariaDb } from '../helpers/mysql-server.js';
import { loadtest, resultOf, SMALL } from './loadtest-helpers.js';

describe('a load on MySQL', () => {
  it.each([
    'mysql://u:s3cret@10.0.0.1/d',
    'mariadb://u:s3cret@[2001:db8::1]/d',
    'jdbc:mysql://192.0.2.1/d?user=u&password=s3cret',
    'mysql://u:s3cret@127.0.0.1,192.0.2.1/d',
  ])('that is not this machine is refused before anything is connected: %s', async (url) => {
    const { code, out, err } = await loadtest([url, ...SMALL]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('is not this machine');
    expect(err).not.toContain('s3cret');
  });

  it.each<[readonly string[], string]>([
    [['mysql://u:s3cret@h/d?sslmod=x'], "unknown parameter 'sslmod'; did you mean ssl-mode?"],
    [['mysqll://u:s3cret@h/d'], "did you mean 'mysql://u:***@h/d'?"],
    [['localhost:3306'], "did you mean 'mysql://localhost:3306'?"],
    [['mysql://127.0.0.1/d', '--no-pgbouncer'], '--pgbouncer is for PostgreSQL only'],
    [['mysql://127.0.0.1', '--init'], '--init makes a table: name a database in the URL'],
  ])('%j is told', async (argv, message) => {
    const { code, err } = await loadtest(argv);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) });
    expect(err).not.toContain('s3cret');
  });
});

describeWithMariaDb('a load on MariaDB', () => {
  // Of its own: other tests would be counted, too.
  let server: MysqlServer;
  let admin: Admin;
  let own: OwnMysql;
  const askMysql: Admin['ask'] = (sql, values) => admin.ask(sql, values);
  beforeAll(async () => {
    server = await startMariaDb();
    admin = connectMysqlAdmin(server);
    own = await newMysqlDatabase(server, askMysql);
    await askMysql(`use ${own.name}; create table acc (id int primary key, n int); insert into acc values (1, 1);
      create sequence sq;
      create function fw() returns int begin insert into acc values (rand() * 1e8, 2); return 1; end;
      create function fl() returns int begin return get_lock('poolctl_test', 0); end;
      create function fs() returns int begin set session tx_read_only = 0; return 1; end;
      create procedure pc() begin commit; insert into acc values (rand() * 1e8, 3); end;
      create procedure pw() begin set session transaction read write; insert into acc values (4, 4); end;
      grant file, super on *.* to '${own.user}'@'127.0.0.1'`);
  });
  afterAll(async () => {
    admin?.end();
    await server?.remove();
  });

  it.each(['', '?prepare_threshold=1'])('counts its statements as the server does%s', async (params) => {
    for (const extra of [
      [],
      ['--query-type=mixed'],
      ['--sql=select 1; select 2', '--iteration-timeout=10s'],
    ]) {
      const { measurements, server, code } = await resultOf([own.url({ params }), ...SMALL, ...extra]);
      expect({ code: code <= 1, gaps: server?.gaps, product: server?.product }).toEqual({
        ...{ code: true, gaps: [], product: 'MariaDB' },
      });
      const { counted, own: ours } = server?.statements ?? { counted: null, own: null };
      expect(counted).toBe(ours);
      expect(counted).toBeGreaterThan(measurements.succeeded);
    }
  });

  it('names the server, its protocol, its connections and what they did', async () => {
    const { code, out } = await loadtest([own.url(), ...SMALL, '--prepare-threshold=1']);
    expect(code).toBeLessThan(2);
    expect(out).toMatch(
      /target {4}mysql:\/\/test_\w+@127\.0\.0\.1:\d+\/test_\w+,\s+read-only,\s+prepared\s+statements/,
    );
    expect(out).toMatch(/MariaDB +10\.\d+/);
    expect(out).toMatch(/statements +\d+ counted by the server \(\d+ SELECT\), all of them\s+poolctl's/);
  });

  it('makes the table of candles, uses it, and removes it', async () => {
    const { workload } = await resultOf([own.url(), ...SMALL, '--init']);
    expect(workload.work).toContain('table poolctl_loadtest_candles');
    const tables = () =>
      askMysql(
        `select table_rows from information_schema.tables where table_schema = ? and table_name like 'poolctl%'`,
        [own.name],
      );
    expect((await tables()).length).toBe(1);
    expect(await askMysql(`select count(*) as n from ${own.name}.poolctl_loadtest_candles`)).toEqual([
      { n: 50_000 },
    ]);
    const { measurements } = await resultOf([own.url(), ...SMALL, '--query-type=complex', '--cleanup']);
    expect(measurements.errors).toEqual([]);
    expect(await tables()).toEqual([]);
  });

  describe('only reads:', () => {
    it.each([
      ['insert into acc values (77, 1)', 'writes'],
      ['update acc set n = 1 where id = 99', 'writes'],
      ['explain insert into acc values (78, 1)', 'writes'],
      ['insert into acc values (79, 1) returning id', 'writes'],
      ['select fw()', 'writes'],
      ['do fw()', 'writes'],
      ['select fl()', 'takes a lock by name, in a function that it calls'],
      ['select fs()', 'makes the session writable, by a function that it calls'],
      ['call pc()', 'calls a procedure that may write'],
      ['call pw()', 'calls a procedure that may write'],
      ['select * from acc for update', 'writes'],
      ['select * from acc lock in share mode', 'locks rows'],
      ['select nextval(sq)', 'writes'],
      ['create table zz (a int)', 'writes'],
      ['truncate acc', 'writes'],
      ['create temporary table tt (a int)', 'writes'],
      ["select 1 into outfile '/tmp/poolctl-mysql-outfile'", 'writes a file'],
      ["select 1 /*! into outfile '/tmp/poolctl-mysql-outfile' */", 'writes a file'],
      ["select get_lock('a', 1)", 'takes or releases a lock by name'],
      ["select `get_lock`('a', 1)", 'takes or releases a lock by name'],
      ['set global max_connections = 50', 'changes settings'],
      ['set session transaction read write', 'changes settings'],
      ['set @a = 1, session tx_read_only = 0', 'changes settings'],
      ['set statement tx_read_only=0 for insert into acc values (5, 5)', 'changes settings'],
      [
        'start transaction read write; insert into acc values (4, 4); commit',
        'makes its transaction writable',
      ],
      ['begin; create table zz (a int); insert into acc values (6, 6); commit', 'writes'],
      ['select 1 /* x */; /*!50000 insert into acc values (8, 8) */ select 1', 'writes'],
      ['analyze table acc', 'writes statistics'],
      ['flush tables', 'runs FLUSH'],
      ['kill 1', 'runs KILL'],
      ["prepare s from 'insert into acc values (9, 9)'", 'runs PREPARE'],
      ["execute immediate 'insert into acc values (9, 9)'", 'runs EXECUTE'],
      ["xa start 'x'", 'runs XA'],
      ['lock tables acc read', 'runs LOCK'],
      ['handler acc open', 'runs HANDLER'],
    ])('%s is refused', async (sql, does) => {
      const before = await askMysql(`checksum table ${own.name}.acc`);
      const { code, out, err } = await loadtest([own.url(), ...SMALL, `--sql=${sql}`]);
      // The parser of scripts takes a comment before a statement for one.
      if (code <= 1 && sql.includes('/*!50000')) expect(out).toContain('iterations');
      else expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(`this statement ${does}`) });
      expect(await askMysql(`checksum table ${own.name}.acc`)).toEqual(before);
      expect(
        await askMysql(`show tables from ${own.name} where tables_in_${own.name} in ('zz', 'tt')`),
      ).toEqual([]);
      await expect(access('/tmp/poolctl-mysql-outfile')).rejects.toThrow();
    });

    it.each([
      'set @a = 1; select @a',
      'begin; select 1; commit',
      'start transaction with consistent snapshot, read only; select 1; rollback',
      'select /*!40001 SQL_NO_CACHE */ count(*) from acc',
      'explain select * from acc',
      'do sleep(0.001)',
      'show tables',
      '(select 1)',
      'values (1)',
      'with a as (select 1) select * from a',
      'select \'for share\', "into outfile" as x',
    ])('%s is run', async (sql) => {
      const { measurements, server } = await resultOf([own.url(), ...SMALL, `--sql=${sql}`]);
      expect(measurements.succeeded).toBe(20);
      expect(server?.statements?.counted).toBe(server?.statements?.own);
    });

    it('what is wrong is told with its line, and not run', async () => {
      for (const [sql, message] of [
        ['selec 1', /--sql, line 1: You have an error in your SQL syntax/],
        ['select * from nosuch', /--sql, line 1: Table '\w+\.nosuch' doesn't exist: select \* from nosuch/],
      ] as const) {
        const { code, err } = await loadtest([own.url(), ...SMALL, `--sql=${sql}`]);
        expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(message) });
      }
    });
  });

  it('writes where that is allowed, and the trial writes nothing', async () => {
    const sql = 'insert into acc values (:iteration + 1000, 1)';
    const { measurements, server } = await resultOf([own.url(), ...SMALL, `--sql=${sql}`, '--allow-writes']);
    expect(measurements.succeeded).toBe(20);
    expect(await askMysql(`select count(*) as n from ${own.name}.acc where id >= 1000`)).toEqual([{ n: 20 }]);
    expect(server?.statements?.counted).toBe(server?.statements?.own);
  });

  it('reports waits for rows that others hold', async () => {
    const sql = 'begin; update acc set n = n + 1 where id = 1; do sleep(0.05); commit';
    const argv = [
      '--warmup=none',
      '--num-workers=4',
      '--num-queries=24',
      '--pool-size=4',
      '--max-overflow=0',
    ];
    const { server } = await resultOf([own.url(), ...argv, `--sql=${sql}`, '--allow-writes']);
    expect(server?.statements?.rowLockWaits).toBeGreaterThan(0);
  });

  it('cancels iterations that take too long on the server, too', async () => {
    const argv = ['--warmup=none', '--num-workers=2', '--num-queries=2', '--iteration-timeout=300ms'];
    const { measurements } = await resultOf([
      own.url(),
      ...argv,
      '--sql=select sleep(if(:iteration > 0, 30, 0))',
    ]);
    expect(measurements.errors).toMatchObject([{ code: 'ERR_ITERATION_TIMEOUT' }]);
    const running = () =>
      askMysql(`select id from information_schema.processlist where user = '${own.user}'`);
    while ((await running()).length > 0);
  });

  it('has its password from stdin or the environment', async () => {
    const password = decodeURIComponent(/:([^:@]*)@/.exec(own.url())?.[1] ?? '');
    const bare = own.url().replace(/:[^:@]*@/, '@');
    const given = await loadtest([bare, ...SMALL], { env: { MYSQL_PWD: password } });
    expect(given.code).toBeLessThan(2);
    const typed = await loadtest([bare, ...SMALL, '--password-stdin'], { stdin: `${password}\n` });
    expect(typed.code).toBeLessThan(2);
  });
});

/** Resolves when so many connections have been lent in this process. */
function lent(count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const onAcquire = (message: unknown): void => {
      const { pool } = message as { pool: string };
      if (!pool.startsWith('mysql://') || --left > 0) return;
      unsubscribe('poolctl:pool:acquire', onAcquire);
      resolve();
    };
    subscribe('poolctl:pool:acquire', onAcquire);
  });
}

describeWithMariaDb('a load on a MariaDB that is killed and comes back', () => {
  let server: MysqlServer;
  beforeAll(async () => {
    server = await startMariaDb();
  });
  afterAll(() => server?.remove());

  it('goes on, and tells what was lost', async () => {
    const url = `mysql://root:${encodeURIComponent(server.password)}@127.0.0.1:${server.port}/mysql`;
    const argv = [
      ...[url, '--warmup=none', '--test-type=rate', '--rate=100/s', '--pool-size=4', '--max-overflow=0'],
      ...['--pool-timeout=2s', '--duration=8s', '--sql=select sleep(0.01)', '--format=json'],
    ];
    const io = testIo();
    const running = loadtest(argv, { io });
    await lent(200);
    process.kill(await server.pid(), 'SIGKILL');
    await server.stop();
    await server.start();
    await lent(10);
    const { code, out } = await running;
    // On a busy machine poolctl itself is starved, and judges nothing.
    expect(code).toBeLessThan(2);
    const result = JSON.parse(out) as LoadResult;
    const codes = result.measurements.errors.map((one) => one.code);
    expect(codes.length).toBeGreaterThan(0);
    expect(
      codes.filter((one) => !['ERR_CONNECTION_LOST', 'ERR_POOL_CREATE', 'ERR_POOL_TIMEOUT'].includes(one)),
    ).toEqual([]);
    expect(result.server).toMatchObject({
      statements: null,
      gaps: expect.arrayContaining([expect.stringMatching(/^(statements|backends)/)]),
    });
  });
});

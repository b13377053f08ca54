import mysql from 'mysql2';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { openSource } from '../../src/sources/registry.js';
import { type Admin, connectMysqlAdmin, describeWithMariaDb } from '../helpers/mysql.js';
import { type MysqlServer, startMariaDb } from '../helpers/mysql-server.js';
import { doctor, examine, type Patient, provesBothWays } from './bench.js';

describeWithMariaDb('MariaDB', () => {
  let server: MysqlServer;
  let admin: Admin;
  beforeAll(async () => {
    server = await startMariaDb(['--max-connections=30']);
    admin = connectMysqlAdmin(server);
    await admin.ask(
      'create database shop; create table shop.t (id int primary key, n int); insert into shop.t values (1,0)',
    );
  });
  afterAll(async () => {
    admin?.end();
    await server?.remove();
  });

  // What a test that failed has left behind.
  beforeEach(async () => {
    const left = await admin.ask("select id from information_schema.processlist where db = 'shop'");
    for (const { id } of left) await admin.ask(`kill ${Number(id)}`).catch(() => {});
    await gone();
  });

  const url = () => `mysql://root:${encodeURIComponent(server.password)}@127.0.0.1:${server.port}/shop`;
  const patient = (more: Partial<Patient> = {}): Patient => ({
    targets: [url()],
    mysql: (sql) => admin.ask(sql),
    ...more,
  });
  /** Sets it before, and takes back what the repair has set. */
  const withVariable = async (
    name: string,
    value: number | string,
    work: () => Promise<unknown>,
  ): Promise<void> => {
    const [row] = await admin.ask(`select @@global.${name} as v`);
    await admin.ask(`set global ${name} = ${value}`);
    try {
      await work();
    } finally {
      await admin.ask(`set global ${name} = ${String(row?.v)}`);
    }
  };
  const gone = async (): Promise<void> => {
    while (
      (await admin.ask("select sleep(0.005) from information_schema.processlist where db = 'shop'")).length >
      0
    );
  };
  /** Connections of a client that does nothing of itself. */
  const clients = async (
    count: number,
  ): Promise<{ run(sql: string, at?: number): void; end(): Promise<void> }> => {
    const open = Array.from({ length: count }, () =>
      mysql.createConnection({
        host: '127.0.0.1',
        port: server.port,
        user: 'root',
        password: server.password,
        database: 'shop',
      }),
    );
    for (const one of open) one.on('error', () => {});
    await Promise.all(
      open.map(
        (one) =>
          new Promise<void>((resolve, reject) => one.query('select 1', (e) => (e ? reject(e) : resolve()))),
      ),
    );
    return {
      run: (sql, at = 0) => void open[at]?.query(sql, () => {}),
      // Those that were killed would not call back.
      end: async () => {
        for (const one of open) one.destroy();
        await gone();
      },
    };
  };
  const idleInTransaction = async (): Promise<void> => {
    const idle = `select p.id from information_schema.processlist p join information_schema.innodb_trx t
      on t.trx_mysql_thread_id = p.id where p.command = 'Sleep' and p.time_ms > 50`;
    // InnoDB does not renew what innodb_trx shows while it is read more often than ten times a second.
    while ((await admin.ask(idle)).length === 0) await admin.ask('select sleep(0.15)');
  };
  const seen = async (condition: string): Promise<void> => {
    while (
      (await admin.ask(`select sleep(0.005), id from information_schema.processlist where ${condition}`))
        .length === 0
    );
  };

  describe('a check, both ways with its repair applied as printed:', () => {
    it('mysql-connection-headroom', () =>
      withVariable('max_connections', 30, async () => {
        const others = await clients(24);
        const [before, after] = await provesBothWays('mysql-connection-headroom', 'warn', patient());
        expect(before.summary).toMatch(/^2[56] of 30 connections are in use \(8\d %\)$/);
        expect(after.summary).toMatch(/ of 60 connections/);
        await others.end();
      }));

    it('mysql-connection-headroom fails where hardly one is left', () =>
      withVariable('max_connections', 30, async () => {
        const others = await clients(27);
        await provesBothWays('mysql-connection-headroom', 'fail', patient());
        await others.end();
      }));

    it('mysql-connections-refused', () =>
      withVariable('max_connections', 10, async () => {
        // One more than the limit is let in, since they are administrators.
        const others = await clients(10);
        const refused = mysql.createConnection({
          host: '127.0.0.1',
          port: server.port,
          user: 'nobody',
          password: 'x',
        });
        await new Promise((resolve) => refused.once('error', resolve));
        await others.end();
        const [before] = await provesBothWays('mysql-connections-refused', 'warn', patient());
        expect(before.summary).toMatch(/^\d+ connections were refused$/);
      }));

    it('mysql-lock-waits-now', async () => {
      const others = await clients(2);
      others.run('begin');
      others.run('update t set n = n + 1 where id = 1');
      await idleInTransaction();
      others.run('update t set n = n + 1 where id = 1', 1);
      await seen("info like 'update t%' and time_ms > 1200");
      const [before] = await provesBothWays('mysql-lock-waits-now', 'fail', patient());
      expect(before.summary).toMatch(/^1 session waits for another, up to /);
      expect(before.fix?.steps.map(({ text }) => text)).toEqual([expect.stringMatching(/^KILL \d+$/)]);
      await others.end();
    });

    it('mysql-idle-transactions-now', async () => {
      const others = await clients(1);
      others.run('begin');
      others.run('update t set n = n + 1 where id = 1');
      await idleInTransaction();
      const flags = ['--idle-transaction=20ms'];
      const [before] = await provesBothWays('mysql-idle-transactions-now', 'fail', patient({ flags }));
      expect(before.summary).toMatch(/^1 session is idle in a transaction, for /);
      await others.end();
    });

    it('mysql-long-queries-now', async () => {
      const others = await clients(1);
      others.run('select sleep(60) as long_one');
      await seen("info like '%long_one%' and time_ms > 50 and id <> connection_id()");
      const flags = ['--long-query=20ms'];
      const [before] = await provesBothWays('mysql-long-queries-now', 'warn', patient({ flags }));
      expect(before.evidence[0]).toContain('select sleep(60) as long_one');
      await others.end();
    });

    it('mysql-aborted-clients', async () => {
      await admin.ask('flush status');
      for (let i = 0; i < 12; i++) {
        const one = mysql.createConnection({
          host: '127.0.0.1',
          port: server.port,
          user: 'root',
          password: server.password,
        });
        await new Promise((resolve) => one.once('connect', resolve));
        one.destroy();
      }
      while (Number((await admin.ask("show global status like 'Aborted_clients'"))[0]?.Value) < 10);
      const [before] = await provesBothWays('mysql-aborted-clients', 'warn', patient());
      expect(before.summary).toMatch(/connections were aborted/);
    });

    it('mysql-prepared-statements', () =>
      withVariable('max_prepared_stmt_count', 10, async () => {
        const one = mysql.createConnection({
          host: '127.0.0.1',
          port: server.port,
          user: 'root',
          password: server.password,
        });
        for (let i = 0; i < 9; i++) {
          await new Promise<void>((resolve, reject) =>
            one.prepare(`select ${i}`, (error) => (error ? reject(error) : resolve())),
          );
        }
        const [before] = await provesBothWays('mysql-prepared-statements', 'warn', patient());
        expect(before.summary).toBe('9 of 10 are prepared');
        await new Promise<void>((resolve) => one.end(() => resolve()));
      }));

    it('mysql-wait-timeout', () =>
      withVariable('wait_timeout', 60, async () => {
        const [before, after] = await provesBothWays('mysql-wait-timeout', 'warn', patient());
        expect([before.summary, after.summary]).toEqual([
          'the server ends idle connections after 1m',
          'the server ends idle connections after 8h',
        ]);
      }));

    it('mysql-wait-timeout, of a pool that keeps connections for longer', () =>
      withVariable('wait_timeout', 600, async () => {
        const flags = ['--pool-recycle=1h'];
        const [before] = await provesBothWays('mysql-wait-timeout', 'fail', patient({ flags }));
        expect(before.summary).toBe('the server ends idle connections after 10m; the pool keeps them 1h');
        await admin.ask('set global wait_timeout = 28800');
        const env = { DB_POOL_RECYCLE: 'never' };
        const [kept, now] = await provesBothWays('mysql-wait-timeout', 'fail', patient({ env }));
        expect(kept.fix?.steps).toEqual([{ kind: 'env', at: null, text: 'DB_POOL_RECYCLE=14400' }]);
        expect(now.status).toBe('pass');
      }));

    it('mysql-statement-timeout', () =>
      withVariable('max_statement_time', 0, async () => {
        const [, after] = await provesBothWays('mysql-statement-timeout', 'warn', patient());
        expect(after.summary).toBe('max_statement_time is 1m');
      }));

    it('mysql-idle-transaction-timeout', () =>
      withVariable('idle_transaction_timeout', 0, async () => {
        const [, after] = await provesBothWays('mysql-idle-transaction-timeout', 'warn', patient());
        expect(after.summary).toBe('the server ends them after 5m');
      }));

    it('mysql-lock-wait-timeout', () =>
      withVariable('innodb_lock_wait_timeout', 50, async () => {
        const [before, after] = await provesBothWays('mysql-lock-wait-timeout', 'warn', patient());
        expect([before.summary, after.summary]).toEqual([
          'a statement waits up to 50s for a row, a caller 30s for a connection',
          'a statement waits up to 10s for a row',
        ]);
      }));

    it('mysql-autocommit', () =>
      withVariable('autocommit', 0, async () => {
        await provesBothWays('mysql-autocommit', 'fail', patient());
      }));

    it('mysql-process-right', async () => {
      await admin.ask("create user 'blind'@'127.0.0.1' identified by 'blind-secret'");
      const targets = [`mysql://blind:blind-secret@127.0.0.1:${server.port}/`];
      const [before, after] = await provesBothWays('mysql-process-right', 'warn', patient({ targets }));
      expect(before.fix?.steps).toMatchObject([
        { as: 'an administrator', text: "GRANT PROCESS ON *.* TO 'blind'@'127.0.0.1'" },
      ]);
      expect(after.summary).toBe('blind@127.0.0.1 has PROCESS');
      await admin.ask("drop user 'blind'@'127.0.0.1'");
    });
  });

  it('is named with its version and account, and what it cannot be asked is skipped', async () => {
    const { targets, results } = await examine([url(), '--only=mysql-autocommit,connection-headroom']);
    expect(targets[0]).toMatchObject({
      kind: 'mysql',
      problem: null,
      what: expect.stringMatching(/^MariaDB 10\..*, as root@/),
    });
    expect(results.map(({ check, status }) => [check, status])).toEqual([
      ['connection-headroom', 'skipped'],
      ['mysql-autocommit', 'pass'],
    ]);
    const { code, err, out } = await doctor(['mysql://nobody:s3cret@127.0.0.1:1/']);
    expect({ code, secret: (err + out).includes('s3cret') }).toEqual({ code: 3, secret: false });
  });

  it('as a source of top tells who blocks whom, and what the account does not see', async () => {
    const others = await clients(2);
    others.run('begin');
    others.run('update t set n = n + 1 where id = 1');
    await idleInTransaction();
    others.run('update t set n = n + 1 where id = 1', 1);
    await seen("info like 'update t%' and time_ms > 200");
    const options = { env: {}, clock: systemClock };
    // Not in the database whose sessions are waited for below.
    await using source = openSource(url().replace(/shop$/, ''), options);
    const { backends, server: figures, gaps, kind } = await source.read(AbortSignal.timeout(20_000));
    expect({ kind, gaps }).toEqual({ kind: 'mysql', gaps: [] });
    expect(figures).toMatchObject({
      maxConnections: 30,
      reservedConnections: 0,
      usedConnections: backends.length + 1,
    });
    const waiter = backends.find(({ blockedBy }) => blockedBy.length > 0);
    const blocker = backends.find(({ pid }) => pid === waiter?.blockedBy[0]);
    expect(waiter).toMatchObject({
      state: 'active',
      waitType: 'Lock',
      waitEvent: 'row',
      user: 'root',
      database: 'shop',
    });
    expect(blocker).toMatchObject({ state: 'idle in transaction', clientAddress: '127.0.0.1', query: null });
    await admin.ask("create user 'dim'@'127.0.0.1' identified by 'dim-secret'");
    await using dim = openSource(`mysql://dim:dim-secret@127.0.0.1:${server.port}/`, options);
    const little = await dim.read(AbortSignal.timeout(20_000));
    expect(little.gaps).toEqual([
      expect.objectContaining({ why: expect.stringContaining("GRANT PROCESS ON *.* TO 'dim'@'127.0.0.1'") }),
    ]);
    await admin.ask("drop user 'dim'@'127.0.0.1'");
    await others.end();
  });
});

import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type Database } from '../../src/db/database.js';
import { dateText } from '../../src/db/drivers/mysql-values.js';
import { root } from '../helpers/bin.js';
import { freePort } from '../helpers/guarded.js';
import {
  askMysql,
  connectMysqlAdmin,
  describeWithMariaDb,
  mariadb,
  newMysqlDatabase,
  type OwnMysql,
} from '../helpers/mysql.js';
import { type MysqlServer, startMariaDb } from '../helpers/mysql-server.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';

const CA = join(root, 'fixtures/tls/server.crt');

describe('a Date', () => {
  it.each([
    ['Z', '2026-03-01 12:00:00.500'],
    ['+02:00', '2026-03-01 14:00:00.500'],
    ['-0330', '2026-03-01 08:30:00.500'],
  ])('is written in %s', (zone, text) => {
    expect(dateText(new Date('2026-03-01T12:00:00.500Z'), zone)).toBe(text);
  });
});

describeWithMariaDb('MariaDB', () => {
  let own: OwnMysql;
  let opened: Database[] = [];
  const open = (params = '', options = {}): Database => openUrl(own.url({ params }), options);
  const openUrl = (url: string, options = {}): Database => {
    const db = createDatabase(url, { size: 2, maxOverflow: 0, ...options });
    opened.push(db);
    return db;
  };
  beforeEach(async () => {
    own = await newMysqlDatabase();
  });
  afterEach(async () => {
    for (const db of opened) await db.close({ graceMs: 0 });
    opened = [];
    await own.remove();
  });
  const failureOf = async (url: string, options = {}) => {
    const failed = await openUrl(url, options)
      .getDb()
      .catch((error: unknown) => error);
    return (failed as Error).cause;
  };

  describe('values', () => {
    it.each(['', '?prepare_threshold=1'])('come as they are stored%s', async (params) => {
      await using session = await open(params).getDb();
      await session.exec(`create table v (j json, b bit(3), d datetime(3), day date, t time, y year, dec_ decimal(20,5),
        u bigint unsigned, e enum('a','b'), f float, bin varbinary(9), n int)`);
      const sql = 'insert into v values (?,?,?,?,?,?,?,?,?,?,?,?)';
      const row = [
        '{"a":[1]}',
        5,
        '2026-03-01 12:00:00.123',
        '2026-03-01',
        '-10:00:00',
        2026,
        '12.34500',
        2n ** 64n - 1n,
      ];
      for (let i = 0; i < 3; i++) await session.query(sql, [...row, 'b', 1.5, Buffer.from('a\0b'), null]);
      const { rows } = await session.query('select * from v limit ?', [2]);
      expect(rows.length).toBe(2);
      expect(rows[1]).toEqual({
        ...{
          j: { a: [1] },
          b: Buffer.from([5]),
          d: '2026-03-01 12:00:00.123',
          day: '2026-03-01',
          t: '-10:00:00',
        },
        ...{
          y: 2026,
          dec_: '12.34500',
          u: 2n ** 64n - 1n,
          e: 'b',
          f: 1.5,
          bin: Buffer.from('a\0b'),
          n: null,
        },
      });
    });

    it('are escaped as the session reads them', async () => {
      await using session = await open().getDb();
      const nasty = `it's \\' "q" ? ; -- \n\r\0\x1a \u{1f980}`;
      for (const mode of ["''", "'NO_BACKSLASH_ESCAPES'", "'ANSI_QUOTES'", "''"]) {
        await session.exec(`set sql_mode = ${mode}`);
        expect((await session.query('select ? as v, ? as w', [nasty, 'x'])).rows).toEqual([
          { v: nasty, w: 'x' },
        ]);
      }
    });

    it('that cannot be stored, or are too few or too many, are refused', async () => {
      await using session = await open().getDb();
      for (const [sql, values, message] of [
        ['select ?', [Number.NaN], /parameter 1 is NaN/],
        ['select ?, ?', [1], /2 placeholders, and 1 values were given/],
        ["select '?'", [1], /0 placeholders, and 1 values/],
      ] as const) {
        await expect(session.query(sql, values)).rejects.toMatchObject({
          code: 'ERR_DB_PARAM',
          message: expect.stringMatching(message),
        });
      }
      await expect(session.query('select :a', { a: 1 })).rejects.toThrow(/no named parameters/);
    });
  });

  it('gives the key of an insert, and the first result of a procedure', async () => {
    await using session = await open().getDb();
    await session.exec('create table k (id int auto_increment primary key, v int)');
    expect(await session.query('insert into k (v) values (1)')).toMatchObject({
      rowCount: 1,
      lastInsertRowid: 1,
    });
    expect(await session.query('update k set v = 2')).toMatchObject({ rowCount: 1, lastInsertRowid: null });
    await session.exec('create procedure p() begin select 1 as one; select 2 as two; end');
    expect(await session.query('call p()')).toMatchObject({ rows: [{ one: 1 }], columns: ['one'] });
  });

  describe('transactions', () => {
    it('that a deadlock has rolled back are over, and nothing of them is committed', async () => {
      const db = open();
      await db.withSession((s) =>
        s.exec('create table d (id int primary key, v int); insert into d values (1,0),(2,0)'),
      );
      await using other = await db.getDb();
      const first = db.withSession((session) =>
        session.transaction(async (inner) => {
          await inner.query('update d set v = 1 where id = 1');
          await other.exec('begin');
          await other.query('update d set v = v + 10, id = id where id = 2');
          await other.query('update d set v = v + 10 where id = 2');
          const waiting = other
            .query('update d set v = v + 10 where id = 1')
            .catch((error: unknown) => error);
          const failed = await inner
            .query('update d set v = 1 where id = 2')
            .catch((error: unknown) => error);
          const loser = [failed, await waiting].find((one) => one instanceof Error);
          expect(loser).toMatchObject({
            code: 'ER_LOCK_DEADLOCK',
            hint: expect.stringContaining('try it again'),
          });
          // Its sessions says so, or the work would go on without a transaction.
          if (failed === loser) expect(session.inTransaction).toBe(false);
          throw new Error('done');
        }),
      );
      await expect(first).rejects.toThrow('done');
    });

    it('that a definition has ended are not taken for open', async () => {
      await using session = await open().getDb();
      await session.exec('begin');
      await expect(session.exec('create table nosuch.x (a int)')).rejects.toThrow();
      expect(session.inTransaction).toBe(false);
    });

    it('are rolled back where autocommit is off', async () => {
      const db = open('', { size: 1 });
      await db.withSession((s) => s.exec('create table a (x int)'));
      await db.withSession(async (s) => {
        await s.exec('set autocommit = 0');
        await s.query('select * from a');
        expect(s.inTransaction).toBe(true);
        await s.query('insert into a values (1)');
      });
      expect((await db.withSession((s) => s.query('select * from a'))).rows).toEqual([]);
    });

    it('that only read are refused a write by the server', async () => {
      const db = open();
      const write = db.withSession((s) =>
        s.transaction((inner) => inner.query('create table a (x int)').then(() => inner.query('select 1')), {
          readOnly: true,
        }),
      );
      await write.catch(() => {});
      const plain = openUrl(own.url(), { readOnly: true });
      await expect(plain.withSession((s) => s.exec('create table b (x int)'))).rejects.toMatchObject({
        code: 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
      });
    });
  });

  it('has the limits and variables of the URL in every session', async () => {
    const db = open(
      "?statement_timeout=1500&lock_timeout=2s&readonly=true&session-variables=sql_mode='ANSI',wait_timeout=77&program-name=shop",
    );
    const { rows } = await db.withSession((s) =>
      s.query(`select @@max_statement_time as m, @@innodb_lock_wait_timeout as l, @@tx_read_only as r, @@sql_mode as s,
        @@wait_timeout as w`),
    );
    expect(rows[0]).toMatchObject({ m: 1.5, l: 2, r: 1, s: expect.stringContaining('ANSI'), w: 77 });
    await expect(db.withSession((s) => s.query('select sleep(9)'))).rejects.toMatchObject({
      code: 'ER_STATEMENT_TIMEOUT',
      name: 'MysqlError',
    });
  });

  describe('an abort', () => {
    it('stops the statement on the server, and no other', async () => {
      const db = open();
      const [victim, other] = [await db.getDb(), await db.getDb()];
      const id = async (s: typeof victim) =>
        (await s.query<{ id: number }>('select connection_id() as id')).rows[0]?.id;
      const ids = [await id(victim), await id(other)];
      const going = other.query('select sleep(0.5) as stopped');
      const controller = new AbortController();
      const running = victim.query('select sleep(60)', [], { signal: controller.signal });
      const seen = (which: unknown) =>
        askMysql(`select id from information_schema.processlist where id = ${which} and command = 'Query'`);
      while ((await seen(ids[0])).length === 0);
      controller.abort();
      await expect(running).rejects.toMatchObject({ code: 'ERR_QUERY_ABORTED' });
      while ((await seen(ids[0])).length > 0);
      // 1 would be what a sleep gives that was interrupted.
      expect((await going).rows).toEqual([{ stopped: 0 }]);
      await Promise.all([victim.close(), other.close()]);
    });

    it('stops nothing on another server that has come to the same address', async () => {
      const other = await startMariaDb();
      const elsewhere = connectMysqlAdmin(other);
      let port = mariadb?.port ?? 0;
      const front = createServer((client) => {
        const upstream = connect(port, '127.0.0.1');
        for (const end of [client, upstream]) end.on('error', () => {});
        client.pipe(upstream).pipe(client);
      }).listen(0, '127.0.0.1');
      try {
        await once(front, 'listening');
        await elsewhere.ask(`create user '${own.user}'@'127.0.0.1' identified by 'p:w/d @?#%'; create database ${own.name};
          grant all on *.* to '${own.user}'@'127.0.0.1'`);
        const db = openUrl(own.url({ port: (front.address() as AddressInfo).port }));
        const session = await db.getDb();
        await session.query('select 1');
        const controller = new AbortController();
        const running = session.query('select sleep(1)', [], { signal: controller.signal });
        port = other.port;
        controller.abort();
        await expect(running).rejects.toMatchObject({ code: 'ERR_QUERY_ABORTED' });
        await session.close();
        await db.close();
        await own.allClosed();
        const count = async (name: string) =>
          (await elsewhere.ask(`show global status like '${name}'`))[0]?.Value;
        expect([await count('Com_kill'), Number(await count('Connections')) > 3]).toEqual(['0', true]);
      } finally {
        elsewhere.end();
        front.close();
        await other.remove();
      }
    });
  });

  describe('TLS', () => {
    const cipher = async (url: string) => {
      const { rows } = await openUrl(url).withSession((s) =>
        s.query("show session status like 'Ssl_cipher'"),
      );
      return (rows[0] as { Value: string }).Value;
    };
    const atLocalhost = (params: string) => own.url({ params }).replace('@127.0.0.1', '@localhost');

    it.each(['', '?ssl-mode=REQUIRED', `?ssl-mode=VERIFY_CA&ssl-ca=${CA}`, `?ssl-ca=${CA}`])(
      'is used with %j',
      async (params) => {
        expect(await cipher(own.url({ params }))).toMatch(/^TLS_/);
      },
    );

    it('is used with the name checked', async () => {
      expect(await cipher(atLocalhost(`?ssl-mode=VERIFY_IDENTITY&ssl-ca=${CA}`))).toMatch(/^TLS_/);
    });

    it('is not used where it is turned off', async () => {
      expect(await cipher(own.url({ params: '?ssl-mode=DISABLED' }))).toBe('');
    });

    it.each([
      [
        'an address that the certificate does not name',
        () => own.url({ params: `?ssl-mode=VERIFY_IDENTITY&ssl-ca=${CA}` }),
      ],
      ['an issuer that nobody trusts', () => own.url({ params: '?ssl=true' })],
      ['an issuer that nobody trusts', () => own.url({ params: '?ssl-mode=VERIFY_CA' })],
    ])('refuses %s', async (_, url) => {
      expect(await failureOf(url())).toMatchObject({
        code: 'ERR_DB_TLS',
        hint: expect.stringContaining('ssl-ca'),
      });
    });

    it('refuses a file that is not there', async () => {
      expect(await failureOf(own.url({ params: '?ssl-ca=/no/such.pem' }))).toMatchObject({
        code: 'ERR_DB_TLS',
        message: expect.stringContaining('cannot read ssl-ca'),
      });
    });
  });

  describe('logging in', () => {
    it('works over the Unix socket', async () => {
      await askMysql(`create user '${own.user}'@localhost identified by 'x'`);
      const url = `mysql://${own.user}:x@/?socket=${mariadb?.socket}`;
      const { rows } = await openUrl(url).withSession((s) => s.query('select current_user() as me'));
      expect(rows).toEqual([{ me: `${own.user}@localhost` }]);
      await askMysql(`drop user '${own.user}'@localhost`);
    });

    it('works with ed25519 and mysql_native_password', async () => {
      await askMysql("install soname 'auth_ed25519'").catch(() => {});
      const secrets = ['secret', 'ünï \u{1f980} p:w/d @?#%', 'x'.repeat(80)];
      for (const plugin of ['ed25519', 'mysql_native_password']) {
        for (const secret of secrets) {
          const account = `'auth_${own.user.slice(-6)}'@'127.0.0.1'`;
          await askMysql(`create or replace user ${account} identified via ${plugin} using password(?)`, [
            secret,
          ]);
          const url = `mysql://auth_${own.user.slice(-6)}:${encodeURIComponent(secret)}@127.0.0.1:${mariadb?.port}/`;
          expect((await openUrl(url).withSession((s) => s.query('select 1 as one'))).rows).toEqual([
            { one: 1 },
          ]);
          expect(await failureOf(url.replace(/:[^:@]*@/, ':wrong@'))).toMatchObject({
            code: 'ER_ACCESS_DENIED_ERROR',
          });
          await askMysql(`drop user ${account}`);
        }
      }
    });

    it('says what is wrong, without the password', async () => {
      const port = await freePort();
      const cases: [url: string, expected: object][] = [
        [own.url().replace(/:[^:@]*@/, ':s3cret@'), { code: 'ER_ACCESS_DENIED_ERROR', name: 'MysqlError' }],
        [own.url().replace(/:[^:@]*@/, '@'), { hint: expect.stringContaining('wants a password') }],
        [
          own.url().replace(/\/test_\w+$/, '/none'),
          { hint: expect.stringContaining('check the name at the end') },
        ],
        [`mysql://u:s3cret@127.0.0.1:${port}/d`, { code: 'ECONNREFUSED' }],
        ['mysql://u:s3cret@no-such-host.invalid/d', { code: 'ENOTFOUND' }],
        ['mysql://u:s3cret@/d?socket=/no/such.sock', { code: 'ENOENT' }],
      ];
      for (const [url, expected] of cases) {
        const failure = await failureOf(url);
        expect(failure).toMatchObject(expected);
        expect(String(failure)).not.toContain('s3cret');
      }
    });

    it('takes the first host that answers', async () => {
      const url = own.url().replace('@127.0.0.1', `@127.0.0.1:${await freePort()},127.0.0.1`);
      expect((await openUrl(url).withSession((s) => s.query('select 1 as one'))).rows).toEqual([{ one: 1 }]);
    });

    it('takes a password from a function, for each connection', async () => {
      const password = decodeURIComponent(/:([^:@]*)@/.exec(own.url())?.[1] ?? '');
      const db = openUrl(own.url().replace(/:[^:@]*@/, '@'), { password: async () => password });
      expect((await db.withSession((s) => s.query('select 1 as one'))).rows).toEqual([{ one: 1 }]);
    });

    it('leaves no aborted connection behind', async () => {
      const before = await askMysql("show global status like 'Aborted_c%'");
      const db = open();
      await Promise.all([1, 2].map(() => db.withSession((s) => s.query('select 1'))));
      await db.close();
      await own.allClosed();
      expect(await askMysql("show global status like 'Aborted_c%'")).toEqual(before);
    });
  });

  it('that says nothing is given up when the time is over', async () => {
    const proxy = await startTcpProxy(mariadb?.port ?? 0);
    proxy.fallSilent();
    expect(await failureOf(own.url({ port: proxy.port }), { createTimeoutMs: 50 })).toBeDefined();
    await proxy.close();
  });

  it('whose answers come byte by byte is understood', async () => {
    const proxy = await startTcpProxy(mariadb?.port ?? 0);
    proxy.dribble();
    const db = openUrl(own.url({ port: proxy.port, params: '?ssl-mode=DISABLED' }));
    expect((await db.withSession((s) => s.query('select 1 as one'))).rows).toEqual([{ one: 1 }]);
    await db.close();
    await proxy.close();
  });
});

describeWithMariaDb('a MariaDB that is killed', () => {
  let server: MysqlServer;
  beforeAll(async () => {
    server = await startMariaDb();
  });
  afterAll(() => server?.remove());

  it('ends what runs with a typed error, and is used again when it is back', async () => {
    const url = `mysql://root:${encodeURIComponent(server.password)}@127.0.0.1:${server.port}/mysql`;
    await using db = createDatabase(url, { size: 2, maxOverflow: 0, pingIdleMs: 0 });
    const idle = await db.getDb();
    const busy = await db.getDb();
    await idle.query('select 1');
    const running = busy.query('select sleep(60)').catch((error: unknown) => error);
    await idle.close();
    process.kill(await server.pid(), 'SIGKILL');
    expect(await running).toMatchObject({ code: 'ERR_CONNECTION_LOST' });
    await busy.close();
    await server.stop();
    await expect(db.getDb()).rejects.toMatchObject({
      code: 'ERR_POOL_CREATE',
      cause: { code: 'ECONNREFUSED' },
    });
    await server.start();
    expect((await db.withSession((s) => s.query('select 1 as one'))).rows).toEqual([{ one: 1 }]);
    expect(db.pool.snapshot()).toMatchObject({ inUse: 0 });
  });
});

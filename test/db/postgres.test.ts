import { channel } from 'node:diagnostics_channel';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DatabaseOptions, Notice } from '../../src/db/connection.js';
import { createDatabase, type Database } from '../../src/db/database.js';
import { ask, describeWithPostgres, newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';

let own: OwnDatabase;
let opened: Database[];
let closeLater: (() => Promise<void>)[];

beforeEach(() => {
  opened = [];
  closeLater = [];
});
afterEach(async () => {
  for (const db of opened) await db.close({ graceMs: 0 });
  for (const close of closeLater) await close();
});

function database(url: string, options: DatabaseOptions = {}): Database {
  const db = createDatabase(url, { size: 3, maxOverflow: 0, ...options });
  opened.push(db);
  return db;
}

async function firstValue(db: Database, sql: string, params: unknown[] = []): Promise<unknown> {
  const { rows } = await db.withSession((session) => session.query(sql, params));
  return Object.values(rows[0] ?? {})[0];
}

describeWithPostgres('PostgreSQL', () => {
  beforeAll(async () => {
    own = await newDatabase();
  });

  describe('values', () => {
    it.each<[type: string, text: string, value: unknown]>([
      ['bigint', '42', 42],
      ['bigint', '9007199254740993', 9007199254740993n],
      ['bigint', '-9223372036854775808', -9223372036854775808n],
      ['bigint[]', '{1,NULL,9007199254740993}', [1, null, 9007199254740993n]],
      [
        'bigint[]',
        '{{1,2},{3,4}}',
        [
          [1, 2],
          [3, 4],
        ],
      ],
      ['date', '2024-02-29', '2024-02-29'],
      ['date[]', '{2024-02-29,infinity}', ['2024-02-29', 'infinity']],
      ['timestamptz', '2024-02-29 12:00:00+02', new Date('2024-02-29T10:00:00Z')],
      ['numeric', '0.1000000000000000000001', '0.1000000000000000000001'],
      ['boolean', 't', true],
      ['jsonb', '{"a": [1, null]}', { a: [1, null] }],
      ['text[]', '{"a,b",NULL,"\\"c\\""}', ['a,b', null, '"c"']],
      ['bytea', '\\x00ff', Buffer.from([0, 255])],
      ['double precision', 'NaN', Number.NaN],
      ['integer', '7', 7],
    ])('%s %s are read as %o', async (type, text, value) => {
      expect(await firstValue(database(own.url()), `select '${text}'::${type}`)).toEqual(value);
    });

    it.each<[type: string, value: unknown, text: string]>([
      ['bigint', 2n ** 62n, '4611686018427387904'],
      ['boolean', true, 'true'],
      ['timestamptz', new Date('2024-02-29T10:00:00.123Z'), '2024-02-29 10:00:00.123+00'],
      ['bytea', new Uint8Array([1, 2]), '\\x0102'],
      ['text[]', ['a,b', null, '"c"'], '{"a,b",NULL,"\\"c\\""}'],
      ['bigint[]', [1n, 2n], '{1,2}'],
      ['bytea[]', [Buffer.from([255])], '{"\\\\xff"}'],
      ['jsonb', JSON.stringify({ a: 1 }), '{"a": 1}'],
      ['double precision', Number.POSITIVE_INFINITY, 'Infinity'],
      ['text', '', ''],
    ])('%s are bound: %o', async (type, value, text) => {
      const db = database(own.url({ params: '?options=-c%20timezone%3DUTC' }));
      expect(await firstValue(db, `select ($1::${type})::text`, [value])).toBe(text);
    });

    it.each<[params: readonly unknown[] | Record<string, unknown>, complaint: RegExp]>([
      [{ a: 1 }, /PostgreSQL has no named parameters: write \$1, \$2 and pass a list/],
      [[[1, undefined]], /parameter 1\[1\] is undefined/],
      [[[[{ a: 1 }]]], /parameter 1\[0\]\[0\] is an object/],
      [[new Date(Number.NaN)], /parameter 1 is an invalid Date/],
      [Array.from({ length: 65_536 }, () => 1), /65536 parameters are more than the 65535/],
    ])('are refused where they cannot be bound', async (params, complaint) => {
      await using session = await database(own.url()).getDb();
      await expect(session.query('select 1', params)).rejects.toMatchObject({
        code: 'ERR_DB_PARAM',
        message: expect.stringMatching(complaint),
      });
      expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    });

    it('that are many are taken', async () => {
      const marks = Array.from({ length: 65_535 }, (_, i) => `$${i + 1}`).join(',');
      const params = Array.from({ length: 65_535 }, (_, i) => String(i));
      expect(await firstValue(database(own.url()), `select '7' in (${marks})`, params)).toBe(true);
    });

    it('of a statement with a zero byte are not sent, since the rest of it would be read as something else', async () => {
      await using session = await database(own.url()).getDb();
      for (const run of [() => session.query('select 1\0'), () => session.exec('select 1\0')]) {
        await expect(run()).rejects.toMatchObject({ code: 'ERR_DB_SQL' });
      }
      await expect(session.query('select $1::text', ['a\0b'])).rejects.toMatchObject({ code: '22021' });
      expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    });
  });

  describe('transactions', () => {
    it('that go on after a failed statement are not said to have been committed', async () => {
      const db = database(own.url());
      await using session = await db.getDb();
      await session.exec('create table kept (n integer primary key)');
      const work = session.transaction(async (inner) => {
        await inner.query('insert into kept values (1)');
        await inner.query('insert into kept values (1)').catch(() => {});
      });
      await expect(work).rejects.toMatchObject({
        code: '25P02',
        message: 'the transaction was rolled back, since a statement in it had failed',
        hint: expect.stringContaining('savepoint'),
      });
      await session.exec('begin');
      await expect(session.query('select 1/0')).rejects.toMatchObject({ code: '22012' });
      await expect(session.query('select 1')).rejects.toMatchObject({ code: '25P02' });
      await expect(session.exec('COMMIT')).rejects.toMatchObject({ code: '25P02' });
      expect((await session.query('select * from kept')).rowCount).toBe(0);
    });

    it('survive what fails in a transaction within', async () => {
      await using session = await database(own.url()).getDb();
      await session.exec('create temp table kept (n integer primary key)');
      await session.transaction(async (outer) => {
        await outer.query('insert into kept values (1)');
        const failed = outer.transaction((inner) => inner.query('insert into kept values (1)'));
        await expect(failed).rejects.toMatchObject({ code: '23505' });
        await outer.query('insert into kept values (2)');
      });
      expect((await session.query('select * from kept')).rowCount).toBe(2);
    });

    it('that only read are refused to write', async () => {
      await using session = await database(own.url()).getDb();
      const work = session.transaction((inner) => inner.exec('create table no (n integer)'), {
        readOnly: true,
      });
      await expect(work).rejects.toMatchObject({ code: '25006', hint: expect.stringContaining('read-only') });
    });

    it('are all read-only where the database was opened so', async () => {
      await using session = await database(own.url(), { readOnly: true }).getDb();
      await expect(session.exec('create table no (n integer)')).rejects.toMatchObject({ code: '25006' });
    });

    it('that failed are undone by the reset, also if it is to commit', async () => {
      for (const reset of ['rollback', 'commit'] as const) {
        const db = database(own.url(), { size: 1, reset });
        const session = await db.getDb();
        await session.exec('begin');
        await expect(session.query('select 1/0')).rejects.toMatchObject({ code: '22012' });
        await session.close();
        await db.withSession((next) => expect(next.inTransaction).toBe(false));
        expect(db.pool.snapshot().counters).toMatchObject({ created: 1, resetFailed: 0 });
      }
    });

    it('are known to be open when an error comes, however slowly the rest of the answer does', async () => {
      const proxy = await startTcpProxy(postgres?.port ?? 0);
      closeLater.push(proxy.close);
      const db = database(own.url({ port: proxy.port }), { size: 1 });
      const session = await db.getDb();
      proxy.dribble();
      await expect(session.exec('begin; select 1/0')).rejects.toMatchObject({ code: '22012' });
      expect(session.inTransaction).toBe(true);
      await session.close();
      await db.withSession((next) => expect(next.inTransaction).toBe(false));
      expect(db.pool.snapshot().counters.created).toBe(1);
    });
  });

  describe('notices', () => {
    const SCRIPT = `do $$ begin
      raise notice 'half %', 'way' using hint = 'go on', detail = 'of two', errcode = 'P0N00';
      raise warning 'done';
    end $$`;

    it('are told to the listener of the database, in order', async () => {
      const told: Notice[] = [];
      const db = database(own.url(), { onNotice: (notice) => void told.push(notice) });
      await db.withSession((session) => session.exec(SCRIPT));
      expect(told).toEqual([
        { severity: 'NOTICE', code: 'P0N00', message: 'half way', detail: 'of two', hint: 'go on' },
        { severity: 'WARNING', code: '01000', message: 'done', detail: null, hint: null },
      ]);
    });

    it('are published to whoever subscribes', async () => {
      const told: unknown[] = [];
      const listener = (notice: unknown): void => void told.push(notice);
      channel('poolctl:db:notice').subscribe(listener);
      await database(own.url()).withSession((session) => session.exec(SCRIPT));
      channel('poolctl:db:notice').unsubscribe(listener);
      expect(told).toMatchObject([{ message: 'half way' }, { message: 'done' }]);
    });
  });

  describe('aborting a query', () => {
    it.each(['', '?sslmode=require'])('stops it in the server%s', async (params) => {
      const db = database(own.url({ params }));
      const session = await db.getDb();
      const controller = new AbortController();
      const running = session.query('select pg_sleep(60)', [], { signal: controller.signal });
      await activeAre(1);
      controller.abort();
      await expect(running).rejects.toMatchObject({ code: 'ERR_QUERY_ABORTED' });
      await activeAre(0);
      await session.close();
    });

    it('is done with where the server gives no answer at all', async () => {
      const proxy = await startTcpProxy(postgres?.port ?? 0);
      closeLater.push(proxy.close);
      const db = database(own.url({ port: proxy.port }), { operationTimeoutMs: 20 });
      const session = await db.getDb();
      proxy.fallSilent();
      const controller = new AbortController();
      const running = session.query('select 1', [], { signal: controller.signal });
      controller.abort();
      await expect(running).rejects.toMatchObject({ code: 'ERR_QUERY_ABORTED' });
      await session.close();
      await db.close();
      expect(db.pool.snapshot().live).toBe(0);
    });

    /** Waits until so many statements of the test run in the server. */
    async function activeAre(count: number): Promise<void> {
      const active = `from pg_stat_activity where datname = '${own.name}' and state = 'active'`;
      while ((await ask(`select pg_sleep(0.002), pid ${active}`)).rowCount !== count);
    }
  });

  describe('a connection that the server ends', () => {
    it('says why', async () => {
      const session = await database(own.url()).getDb();
      const told = expect(session.query('select pg_sleep(60)')).rejects.toMatchObject({
        code: 'ERR_CONNECTION_LOST',
        message:
          'the server ended the connection: terminating connection due to administrator command (57P01)',
      });
      await own.killOldest();
      await told;
      await session.close();
    });

    it('for an idle transaction says so, and what the limit is called', async () => {
      const params = '?idle_in_transaction_session_timeout=20ms';
      const db = database(own.url({ params }));
      const session = await db.getDb();
      const noticed = new Promise((resolve) => db.pool.on('invalidate', resolve));
      await session.exec('begin');
      await noticed;
      await expect(session.query('select 1')).rejects.toMatchObject({
        code: 'ERR_CONNECTION_LOST',
        message: expect.stringContaining('(25P03)'),
        hint: expect.stringContaining('idle_in_transaction_session_timeout'),
      });
      await session.close();
    });

    it('is not taken for one by a statement that is too slow', async () => {
      await using session = await database(own.url({ params: '?statement_timeout=20' })).getDb();
      await expect(session.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57014' });
      expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    });
  });

  it('a connection that falls silent is found by the ping, and replaced; closing does not wait for it', async () => {
    const proxy = await startTcpProxy(postgres?.port ?? 0);
    closeLater.push(proxy.close);
    const db = database(own.url({ port: proxy.port }), {
      size: 1,
      pingIdleMs: 0,
      operationTimeoutMs: 50,
    });
    expect(await firstValue(db, 'select 1')).toBe(1);
    proxy.fallSilent();
    await expect(db.getDb({ timeoutMs: 1000 })).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_POOL_/),
    });
    expect(db.pool.snapshot().counters.pingFailed).toBe(1);
    await db.close();
    expect(db.pool.snapshot().live).toBe(0);
  });

  it('closing does not wait for a server that has fallen silent', async () => {
    const proxy = await startTcpProxy(postgres?.port ?? 0);
    closeLater.push(proxy.close);
    const db = database(own.url({ port: proxy.port }), { operationTimeoutMs: 600_000 });
    await firstValue(db, 'select 1');
    proxy.fallSilent();
    await db.close();
    expect(db.pool.snapshot().live).toBe(0);
  });

  it('a Unix socket is reached by its folder', async () => {
    const { user, password, socket, port } = postgres ?? { user: '', password: '', socket: '', port: 0 };
    const url = `postgres://${user}:${encodeURIComponent(password)}@:${port}/${own.name}?host=${socket}`;
    expect(await firstValue(database(url), 'select inet_client_addr() is null')).toBe(true);
  });

  it('is told who connects: by the URL, else poolctl', async () => {
    const nameOf = (params: string) =>
      firstValue(database(own.url({ params })), "select current_setting('application_name')");
    expect(await nameOf('')).toBe('poolctl');
    expect(await nameOf('?application_name=orders')).toBe('orders');
  });

  it('statements are prepared under names once they have run often enough', async () => {
    const db = database(own.url(), { size: 1, prepareThreshold: 2 });
    await using session = await db.getDb();
    const names = async () =>
      (await session.query('select name from pg_prepared_statements where $1', [true])).rowCount;
    for (let i = 0; i < 2; i++) await session.query('select $1::int', [1]);
    expect(await names()).toBe(0);
    await session.query('select $1::int', [1]);
    expect(await names()).toBe(1);
  });

  it('a statement with a name whose table was altered runs again, unless its transaction has failed with it', async () => {
    await using session = await database(own.url(), { size: 1, prepareThreshold: 1 }).getDb();
    await session.exec('create temp table altered (a integer)');
    const columns = async () => (await session.query('select * from altered')).columns;
    const alter = (name: string) => session.exec(`alter table altered add column ${name} integer`);
    for (let i = 0; i < 3; i++) expect(await columns()).toEqual(['a']);
    await alter('b');
    for (let i = 0; i < 3; i++) expect(await columns()).toEqual(['a', 'b']);
    await alter('c');
    await expect(session.transaction(columns)).rejects.toMatchObject({ code: '0A000' });
    expect(await columns()).toEqual(['a', 'b', 'c']);
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DatabaseOptions } from '../../src/db/connection.js';
import { createDatabase, type Database } from '../../src/db/database.js';
import { PgSessionState } from '../../src/db/drivers/pg-session-state.js';
import { DatabaseError } from '../../src/db/errors.js';
import { eventually } from '../helpers/eventually.js';
import { connectAdmin, describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';

let opened: Database[] = [];

function database(url: string, options: DatabaseOptions = {}): Database {
  const db = createDatabase(url, { size: 1, maxOverflow: 0, prePing: false, ...options });
  opened.push(db);
  return db;
}

afterEach(async () => {
  for (const db of opened) await db.close({ graceMs: 0 });
  opened = [];
});

/** What a borrower may leave behind, and how the next one would see it. */
const LEFTOVERS = [
  ['a setting', 'set work_mem = 777', "current_setting('work_mem') = '777kB'"],
  [
    'a setting made by a function',
    "select set_config('my.tenant', '7', false)",
    "current_setting('my.tenant', true) = '7'",
  ],
  ['a temporary table', 'create temp table scratch (a int)', "to_regclass('scratch') is not null"],
  [
    'a result as temporary table',
    'select 1 as a into temporary scratch',
    "to_regclass('scratch') is not null",
  ],
  [
    'an advisory lock',
    'select pg_advisory_lock(7)',
    "exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())",
  ],
  ['a channel', 'listen news', 'exists (select from pg_listening_channels())'],
  [
    'a prepared statement',
    'prepare p as select 1',
    "exists (select from pg_prepared_statements where name = 'p')",
  ],
  [
    'a cursor that outlives its transaction',
    'declare c cursor with hold for select 1',
    "exists (select from pg_cursors where name = 'c')",
  ],
  [
    'what a block of code has done',
    "do $$ begin perform set_config('my.x', '7', false); end $$",
    "current_setting('my.x', true) = '7'",
  ],
  [
    'a setting in a script',
    'select 1; set work_mem = 777; select 2',
    "current_setting('work_mem') = '777kB'",
  ],
  [
    'a lock of a statement that failed',
    'select pg_advisory_lock(8), 1 / (random() * 0)::int',
    "exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())",
  ],
  [
    'a setting that a function of the user makes, and the server reports',
    'select quietly()',
    "current_setting('TimeZone') = 'Asia/Tokyo'",
  ],
] as const;

describeWithPostgres('what a borrower leaves behind in PostgreSQL', () => {
  let own: OwnDatabase;

  beforeAll(async () => {
    own = await newDatabase();
    const db = createDatabase(own.url());
    await db.withSession((session) =>
      session.exec(
        "create function quietly() returns text language sql as $$ select set_config('TimeZone', 'Asia/Tokyo', false) $$",
      ),
    );
    await db.close();
  });
  afterAll(() => own.allClosed());

  async function isSeen(reset: DatabaseOptions['reset'], leave: string, sees: string): Promise<boolean> {
    const db = database(own.url(), reset === undefined ? {} : { reset });
    await db.withSession((session) => session.exec(leave).catch(() => {}));
    const { rows } = await db.withSession((session) =>
      session.query<{ seen: boolean }>(`select ${sees} as seen`),
    );
    expect(db.pool.snapshot().counters.created).toBe(1);
    return rows[0]?.seen ?? false;
  }

  it.each(LEFTOVERS)('%s is discarded by the resets full and changed', async (_, leave, sees) => {
    expect(await isSeen('full', leave, sees)).toBe(false);
    expect(await isSeen('changed', leave, sees)).toBe(false);
  });

  it.each(LEFTOVERS)('%s is seen by the next borrower without them', async (_, leave, sees) => {
    expect(await isSeen(undefined, leave, sees)).toBe(true);
  });

  it('costs the reset changed nothing where there is nothing', async () => {
    const db = database(own.url(), { reset: 'changed' });
    await db.withSession(async (session) => {
      await session.exec('create table if not exists kept (a int)');
      await session.query('insert into kept values ($1)', [1]);
      await session.query('update kept set a = 2');
      await session.transaction((inner) => inner.exec("set local work_mem = '1MB'"));
      await session.transaction((inner) => inner.exec('set transaction read only'));
      expect(db.pool.snapshot().resetting).toBe(0);
      void session.close();
      // A reset that has something to do would be under way now.
      expect(db.pool.snapshot()).toMatchObject({ resetting: 0, idle: 1 });
    });
    await db.withSession(async (session) => {
      await session.exec('set work_mem = 777');
      void session.close();
      expect(db.pool.snapshot()).toMatchObject({ resetting: 1, idle: 0 });
    });
  });

  it('is discarded after the rollback of an open transaction, and named statements are prepared anew', async () => {
    const db = database(own.url(), { reset: 'full', prepareThreshold: 1 });
    for (let i = 0; i < 3; i++) {
      await db.withSession(async (session) => {
        for (let j = 0; j < 3; j++) await session.query('select $1::int as a', [j]);
        await session.exec('begin; create table never_kept (a int)');
      });
    }
    const { rows } = await db.withSession((session) =>
      session.query("select to_regclass('never_kept') as t"),
    );
    expect(rows).toEqual([{ t: null }]);
    expect(db.pool.snapshot().counters).toMatchObject({ created: 1, resetFailed: 0 });
  });

  it('is no reason to forget names, but a DISCARD or DEALLOCATE of the user is', async () => {
    const db = database(own.url(), { prepareThreshold: 1 });
    await db.withSession(async (session) => {
      for (let j = 0; j < 3; j++) await session.query('select $1::int as a', [j]);
      await session.exec('deallocate all');
      for (let j = 0; j < 3; j++) await session.query('select $1::int as a', [j]);
      await session.exec('discard all');
      for (let j = 0; j < 3; j++) await session.query('select $1::int as a', [j]);
    });
  });

  it('cannot be reached behind PgBouncer', () => {
    expect(() => createDatabase(own.url(), { pgbouncer: true, reset: 'full' })).toThrow(/server_reset_query/);
  });
});

describeWithPostgres('a server that becomes read-only', () => {
  let [primary, standby] = [null as PostgresServer | null, null as PostgresServer | null];

  beforeEach(async () => {
    primary = await startPostgres();
    standby = await primary.standby();
  }, 120_000);
  afterEach(async () => {
    for (const db of opened) await db.close({ graceMs: 0 });
    opened = [];
    await standby?.remove();
    await primary?.remove();
  }, 60_000);

  const urlOf = (params: string, ...servers: PostgresServer[]): string => {
    const hosts = servers.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return `postgres://postgres:${encodeURIComponent(primary!.password)}@${hosts}/postgres${params}`;
  };
  const portOf = async (db: Database): Promise<unknown> => {
    const { rows } = await db.withSession((session) =>
      session.query("select current_setting('port')::int as port"),
    );
    return rows[0]?.port;
  };
  const write = (db: Database): Promise<unknown> =>
    db.withSession((session) =>
      session.exec('create table if not exists t (a int); insert into t values (1)'),
    );
  const admin = async (server: PostgresServer, ...statements: string[]): Promise<void> => {
    const client = await connectAdmin('postgres', server);
    for (const statement of statements) await client.query(statement);
    await client.end();
  };

  it('loses its connections to the server that takes over, one by one at their first failed write', async () => {
    const db = database(urlOf('?target_session_attrs=read-write', primary!, standby!));
    await write(db);
    expect(await portOf(db)).toBe(primary!.port);
    await admin(standby!, 'select pg_promote()');
    await admin(primary!, 'alter system set default_transaction_read_only = on', 'select pg_reload_conf()');
    await eventually(async () => {
      const failed = await write(db).catch((error: unknown) => error);
      return failed instanceof DatabaseError && failed.code === '25006';
    });
    await write(db);
    expect(await portOf(db)).toBe(standby!.port);
    expect(db.pool.snapshot().counters).toMatchObject({ softInvalidated: 1, created: 2 });
  }, 60_000);

  it('is found by target_session_attrs as what it is', async () => {
    for (const [target, expected] of [
      ['primary', primary],
      ['read-write', primary],
      ['standby', standby],
      ['read-only', standby],
      ['prefer-standby', standby],
    ] as const) {
      const db = database(urlOf(`?target_session_attrs=${target}`, standby!, primary!));
      expect([target, await portOf(db)]).toEqual([target, expected!.port]);
    }
    const none = database(urlOf('?target_session_attrs=read-write', standby!));
    await expect(none.getDb()).rejects.toMatchObject({ cause: { code: 'ERR_DB_TARGET' } });
    await standby!.stop();
    const fallback = database(urlOf('?target_session_attrs=prefer-standby', standby!, primary!));
    expect(await portOf(fallback)).toBe(primary!.port);
    await standby!.start();
  }, 60_000);

  it('keeps a connection that was to be read-only, or whose transaction was', async () => {
    const asked = database(urlOf('?target_session_attrs=standby', standby!));
    await expect(write(asked)).rejects.toMatchObject({ code: '25006' });
    const readOnly = database(urlOf('', primary!), { readOnly: true });
    await expect(write(readOnly)).rejects.toMatchObject({ code: '25006' });
    const transaction = database(urlOf('', primary!));
    const only = transaction.withSession((session) =>
      session.transaction((inner) => inner.exec('create table never (a int)'), { readOnly: true }),
    );
    await expect(only).rejects.toMatchObject({ code: '25006' });
    for (const db of [asked, readOnly, transaction]) {
      expect(db.pool.snapshot().counters).toMatchObject({ softInvalidated: 0, destroyed: 0 });
    }
    const stray = database(urlOf('', standby!));
    await expect(write(stray)).rejects.toMatchObject({ code: '25006' });
    expect(stray.pool.snapshot().counters).toMatchObject({ softInvalidated: 1, destroyed: 1 });
  }, 60_000);
});

describe('a server that does not say whether it is a standby', () => {
  it.each([
    ['25006', false, true],
    ['25006', true, false],
    ['23505', false, false],
  ])('after %s in a transaction that is read-only: %s, evicts: %s', (code, isReadOnlyTransaction, evicts) => {
    const error = new DatabaseError(code, 'no');
    expect(new PgSessionState(false).isReadOnlyAgainstWill(error, isReadOnlyTransaction)).toBe(evicts);
    expect(new PgSessionState(true).isReadOnlyAgainstWill(error, isReadOnlyTransaction)).toBe(false);
  });
});

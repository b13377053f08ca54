import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { DatabaseOptions } from '../../src/db/connection.js';
import { createDatabase, type Database } from '../../src/db/database.js';
import {
  describeWithPgBouncer,
  type PgBouncer,
  pgbouncerVersion,
  startPgBouncer,
} from '../helpers/pgbouncer.js';
import { ask, newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';

describeWithPgBouncer('through PgBouncer', () => {
  let own: OwnDatabase;
  let pgbouncer: PgBouncer;
  let opened: Database[];

  beforeAll(async () => {
    own = await newDatabase();
    pgbouncer = await startPgBouncer({ default_pool_size: 2, max_client_conn: 20 });
  });
  afterAll(() => pgbouncer?.stop());
  beforeEach(() => {
    opened = [];
  });
  afterEach(async () => {
    for (const db of opened) await db.close({ graceMs: 0 });
  });

  const database = (params: string, options: DatabaseOptions = {}, port = pgbouncer.port): Database => {
    const db = createDatabase(own.url({ port, params }), options);
    opened.push(db);
    return db;
  };
  const adminConsole = (): Database => {
    const { user, password } = postgres ?? { user: '', password: '' };
    const place = `127.0.0.1:${pgbouncer.port}/pgbouncer`;
    const db = createDatabase(`postgres://${user}:${encodeURIComponent(password)}@${place}`, {
      size: 1,
      pingIdleMs: 0,
    });
    opened.push(db);
    return db;
  };

  it('many sessions share few connections of the server', async () => {
    // Where TLS is tried first, each connection is two clients of PgBouncer for a moment, and it takes 20.
    const db = database('?pgbouncer=true&sslmode=disable', { size: 10 });
    const backends = Array.from({ length: 40 }, () =>
      db.withSession((session) =>
        session.transaction(async (inner) => {
          const { rows } = await inner.query<{ pid: number }>('select pg_backend_pid() as pid');
          return rows[0]?.pid;
        }),
      ),
    );
    expect(new Set(await Promise.all(backends)).size).toBeLessThanOrEqual(2);
  });

  it.each([
    ['statement_timeout=5s', 'statement_timeout'],
    ['options=-c%20jit%3Doff', 'options'],
  ])('a setting that it does not take is told, with what to do: %s', async (param, name) => {
    const failed = await database(`?${param}`)
      .getDb()
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 'ERR_POOL_CREATE',
      cause: {
        code: '08P01',
        message: expect.stringContaining(`unsupported startup parameter: ${name}`),
        hint: expect.stringContaining('ALTER ROLE ... SET'),
      },
    });
  });

  it('no statement is given a name where it is said to be between, or found to be', async () => {
    for (const params of ['?pgbouncer=true&prepare_threshold=1', '?prepare_threshold=1']) {
      const db = database(params, { size: 1 });
      await using session = await db.getDb();
      for (let i = 0; i < 4; i++) await session.query('select $1::int', [i]);
      const { rows } = await session.query('select name from pg_prepared_statements');
      expect(rows).toEqual([]);
    }
  });

  it('an abort stops the query in the server behind', async () => {
    const db = database('?pgbouncer=true');
    const session = await db.getDb();
    const controller = new AbortController();
    const running = session.query('select pg_sleep(60)', [], { signal: controller.signal });
    const active = `from pg_stat_activity where datname = '${own.name}' and state = 'active'`;
    const activeAre = async (count: number): Promise<void> => {
      while ((await ask(`select pg_sleep(0.002), pid ${active}`)).rowCount !== count);
    };
    await activeAre(1);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'ERR_QUERY_ABORTED' });
    await activeAre(0);
    await session.close();
  });

  it('more clients than it takes are told so', async () => {
    const narrow = await startPgBouncer({ max_client_conn: 1 });
    const db = database('?pgbouncer=true&sslmode=prefer', {}, narrow.port);
    // There is room for one client, so the refused request for TLS must not have been another one.
    await using session = await db.getDb();
    const second = await db.getDb({ timeoutMs: 50 }).catch((error: unknown) => error);
    expect(second).toMatchObject({
      code: 'ERR_POOL_TIMEOUT',
      cause: { code: '08P01', message: expect.stringContaining('max_client_conn') },
    });
    await session.close();
    await db.close();
    await narrow.stop();
  });

  it('a query that waits for a server too long ends the session, and says why', async () => {
    const narrow = await startPgBouncer({ default_pool_size: 1, query_wait_timeout: 1 });
    const db = database('?pgbouncer=true', { prePing: false }, narrow.port);
    await using holder = await db.getDb();
    await using waiter = await db.getDb();
    await holder.transaction(async () => {
      await holder.query('select 1');
      await expect(waiter.query('select 1')).rejects.toMatchObject({
        code: 'ERR_CONNECTION_LOST',
        message: expect.stringContaining('query_wait_timeout'),
      });
    });
    await holder.close();
    await db.close();
    await narrow.stop();
  });

  it('its pause is waited for, as any slow answer', async () => {
    const console = adminConsole();
    const db = database('?pgbouncer=true');
    await console.withSession((session) => session.exec(`pause ${own.name}`));
    const waiting = db.withSession((session) => session.query('select 1 as one'));
    const clients = async () =>
      (await console.withSession((session) => session.query('show pools'))).rows.find(
        ({ database: name }) => name === own.name,
      );
    while ((await clients())?.cl_waiting === 0);
    await console.withSession((session) => session.exec(`resume ${own.name}`));
    expect((await waiting).rows).toEqual([{ one: 1 }]);
  });

  it('its admin console is a database like others, which survives pings, errors and resets', async () => {
    const db = adminConsole();
    const version = await db.withSession((session) => session.query('show version'));
    expect(JSON.stringify(version.rows)).toContain(pgbouncerVersion);
    await db.withSession(async (session) => {
      await expect(session.query('show nothing')).rejects.toMatchObject({ name: 'PostgresError' });
      expect((await session.query('show databases')).columns).toContain('pool_mode');
    });
    expect(db.pool.snapshot().counters).toMatchObject({ created: 1, pingFailed: 0, resetFailed: 0 });
  });
});

import pg from 'pg';
import Cursor from 'pg-cursor';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { WatchedSnapshot } from '../../src/snapshot/pool.js';
import { watch } from '../../src/watch/index.js';
import { sessionEffect } from '../../src/watch/statements.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';

describeWithPostgres('what the statements of a pool tell', () => {
  let database: OwnDatabase;
  const pools: pg.Pool[] = [];
  beforeAll(async () => {
    database = await newDatabase();
  });
  afterEach(async () => {
    await Promise.all(pools.splice(0).map((pool) => pool.end()));
  });
  afterAll(() => database.allClosed());

  function watched(leakAfterMs = 60_000): { pool: pg.Pool; seen: () => WatchedSnapshot } {
    const pool = new pg.Pool({ connectionString: database.url(), max: 3 });
    pool.on('error', () => {});
    pools.push(pool);
    const watching = watch(pool, { leakAfterMs });
    return { pool, seen: () => watching.snapshots()[0] as WatchedSnapshot };
  }

  it('are the errors by SQLSTATE and line, and the statements that have a name', async () => {
    const { pool, seen } = watched();
    for (let n = 0; n < 3; n++) await pool.query('select 1 / 0').catch(() => {});
    await pool.query('select nothing from nowhere').catch(() => {});
    await pool.query({ name: 'one', text: 'select 1' });
    const { observed } = seen();
    expect(observed).toMatchObject({ queries: 5, namedStatements: 1 });
    expect(observed?.queryErrors.map(({ code, count }) => [code, count])).toEqual([
      ['22012', 3],
      ['42P01', 1],
    ]);
    expect(observed?.queryErrors[0]).toMatchObject({
      message: 'division by zero',
      site: expect.stringMatching(/observed\.test\.ts:\d+:\d+$/),
      lastMs: expect.any(Number),
    });
  });

  it('are subscriptions, which are no leaks', async () => {
    const { pool, seen } = watched(0);
    const listener = await pool.connect();
    const locker = await pool.connect();
    const leak = await pool.connect();
    await listener.query('LISTEN "new orders"');
    await locker.query('select pg_advisory_lock(7)');
    await leak.query('select 1');
    expect(seen().holders.map(({ leaked, session }) => [leaked, session])).toEqual([
      [false, { inTransaction: false, listens: ['new orders'], keeps: [] }],
      [false, { inTransaction: false, listens: [], keeps: ['ADVISORY LOCK'] }],
      [true, { inTransaction: false, listens: [], keeps: [] }],
    ]);
    await locker.query('select pg_advisory_unlock(7)');
    await listener.query('UNLISTEN *');
    expect(seen().holders.map(({ leaked }) => leaked)).toEqual([true, true, true]);
    for (const client of [listener, locker, leak]) client.release();
  });

  it('are the callers that ask at the same time', async () => {
    const { pool, seen } = watched();
    const asked = Promise.all(Array.from({ length: 20 }, () => pool.query('select pg_sleep(0.01)')));
    const site = expect.stringMatching(/observed\.test\.ts:\d+:\d+$/);
    expect(seen().observed).toMatchObject({ burst: { count: 20, site }, askedTogether: 17 });
    await asked;
    expect(seen().observed).toMatchObject({ burst: { count: 20 }, askedTogether: 0 });
  });

  it('is a cursor that is read, until its end', async () => {
    const { pool, seen } = watched(0);
    const client = await pool.connect();
    const cursor = client.query(new Cursor('select generate_series(1, 10)'));
    await cursor.read(3);
    expect(seen().holders[0]).toMatchObject({ leaked: false, session: { keeps: ['CURSOR'] } });
    await cursor.close();
    expect(seen().holders[0]).toMatchObject({ leaked: true, session: { keeps: [] } });
    client.release();
  });

  it('is a transaction that stays open in a connection that was given back', async () => {
    const { pool, seen } = watched();
    const client = await pool.connect();
    await client.query('begin');
    expect(seen()).toMatchObject({
      holders: [{ session: { inTransaction: true }, idleMs: expect.any(Number) }],
      observed: { openIdle: 0 },
    });
    client.release();
    expect(seen()).toMatchObject({ holders: [], observed: { openIdle: 1 } });
    await pool.query('rollback');
    expect(seen().observed?.openIdle).toBe(0);
  });

  it('is the state that they leave in their session', async () => {
    const { pool, seen } = watched();
    for (let n = 0; n < 2; n++) await pool.query('set search_path = public');
    await pool.query('create temporary table parts (n int)');
    await pool.query("set local work_mem = '1MB'");
    expect(seen().observed?.sessionState.map(({ what, count }) => [what, count])).toEqual([
      ['SET search_path', 2],
      ['TEMPORARY TABLE parts', 1],
    ]);
  });

  it('are connections that were lost', async () => {
    const { pool, seen } = watched();
    const client = await pool.connect();
    client.on('error', () => {});
    await pool.query('select 1');
    await database.killOldest();
    await expect.poll(() => [seen().observed?.lostIdle, seen().observed?.lostLent]).toEqual([0, 1]);
    client.release(true);
    await pool.query('select 1');
  });

  it('is SQLSTATE beside the text where no connection could be made', async () => {
    const pool = new pg.Pool({ connectionString: database.url().replace(/\/[^/]+$/, '/missing') });
    pools.push(pool);
    const watching = watch(pool);
    await pool.query('select 1').catch(() => {});
    expect(watching.snapshots()[0]).toMatchObject({
      createError: expect.stringContaining('missing'),
      observed: { createErrorCode: '3D000', createErrorMs: expect.any(Number) },
    });
  });

  it('is a caller that waits for what its own flow holds', async () => {
    const { pool, seen } = watched();
    async function outer(): Promise<void> {
      const client = await pool.connect();
      await client.query('select 1');
      const other = await pool.connect();
      other.release();
      client.release();
    }
    const first = await pool.connect();
    const running = [outer(), outer()];
    await expect.poll(() => seen().waiting).toBe(2);
    expect(seen().observed?.nestedWaiters).toBe(2);
    first.release();
    await Promise.all(running);
  });

  it('is no caller that has given back before it asks again', async () => {
    const { pool, seen } = watched();
    async function twice(): Promise<void> {
      const client = await pool.connect();
      await client.query('select 1');
      client.release();
      (await pool.connect()).release();
    }
    const others: pg.PoolClient[] = [];
    async function takeAll(): Promise<void> {
      for (let n = 0; n < 3; n++) others.push(await pool.connect());
    }
    await twice();
    await takeAll();
    const running = [twice(), twice()];
    expect(seen()).toMatchObject({ waiting: 2, observed: { nestedWaiters: 0 } });
    for (const other of others) other.release();
    await Promise.all(running);
  });

  it('is an acquire of a pool that is closed', async () => {
    const { pool, seen } = watched();
    await pool.query('select 1');
    await pool.end();
    pools.length = 0;
    await expect(pool.connect()).rejects.toThrow('after calling end');
    expect(seen().observed?.queryErrors).toMatchObject([{ code: 'ERR_POOL_ENDED', count: 1 }]);
  });
});

describe('what a statement leaves in its session', () => {
  it.each([
    ['select 1', null],
    ['SET search_path TO x', 'SET search_path'],
    ["  set session time zone 'UTC'", 'SET timezone'],
    ['set local search_path to x', null],
    ['SET TRANSACTION READ ONLY', null],
    ['listen jobs', 'LISTEN jobs'],
    ['LISTEN "jobs:insert"; LISTEN x', 'LISTEN jobs:insert'],
    ['/* a */ -- b\n LISTEN jobs', 'LISTEN jobs'],
    ['unlisten *', '*'],
    ['create temp table if not exists t as select 1', 'TEMPORARY TABLE t'],
    ['create temporary table t (n int) on commit drop', null],
    ['create table t (n int)', null],
    ['select pg_try_advisory_lock(1, 2)', 'ADVISORY LOCK'],
    ['select pg_advisory_xact_lock(1)', null],
    ['with x as (select 1) select pg_advisory_lock(1)', 'ADVISORY LOCK'],
    ['declare c cursor with hold for select 1', 'CURSOR c'],
    ['declare c cursor for select 1', null],
    ['START_REPLICATION SLOT "s" LOGICAL 0/0', 'REPLICATION'],
    ['start transaction', null],
    ['settle', null],
    ['', null],
  ])('%s', (sql, what) => {
    expect(sessionEffect(sql)?.what ?? null).toBe(what);
  });
});

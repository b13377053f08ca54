import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Watched, watch } from '../../src/watch/index.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';

describeWithPostgres('a watched pg.Pool', () => {
  let database: OwnDatabase;
  const pools: pg.Pool[] = [];

  beforeAll(async () => {
    database = await newDatabase();
  });
  afterEach(async () => {
    await Promise.all(pools.splice(0).map((pool) => pool.end()));
  });
  afterAll(() => database.allClosed());

  function newPool(options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ connectionString: database.url(), max: 2, ...options });
    pool.on('error', () => {});
    pools.push(pool);
    return pool;
  }

  const seen = (watched: Watched) => watched.snapshots()[0];

  it('says what it holds, since when, from where, and what was sent through it', async () => {
    const pool = newPool();
    const watched = watch(pool, { name: 'orders' });
    const client = await pool.connect();
    const { rows } = await client.query('select pg_backend_pid() as pid, inet_client_port() as port');
    expect(seen(watched)).toMatchObject({
      name: 'orders',
      driver: 'pg',
      size: 2,
      maxOverflow: 0,
      ...{ live: 1, idle: 0, inUse: 1, creating: 0, waiting: 0, longestWaitMs: null },
      counters: { acquired: 1, released: 0, created: 1, timedOut: 0, pingFailed: null },
      holders: [
        {
          leaseId: 1,
          site: expect.stringMatching(/pg\.test\.ts:\d+:\d+$/),
          stack: expect.stringContaining('pg.test.ts'),
          lastSql: 'select pg_backend_pid() as pid, inet_client_port() as port',
          busy: false,
          localPort: rows[0].port,
          backendPid: rows[0].pid,
          leaked: false,
        },
      ],
    });
    client.release();
    expect(seen(watched)).toMatchObject({ live: 1, idle: 1, inUse: 0, holders: [], hold: { count: 1 } });
  });

  it('sees those that wait, which no event of the pool tells of', async () => {
    const pool = newPool();
    const watched = watch(pool);
    const clients = [await pool.connect(), await pool.connect()];
    const waiting = [pool.connect(), pool.connect()];
    expect(seen(watched)).toMatchObject({
      ...{ live: 2, inUse: 2, waiting: 2, longestWaitMs: expect.any(Number) },
      counters: { acquired: 2, timedOut: 0 },
    });
    for (const client of clients) client.release();
    for (const client of await Promise.all(waiting)) client.release();
    expect(seen(watched)).toMatchObject({ waiting: 0, inUse: 0, counters: { acquired: 4, released: 4 } });
    expect(seen(watched)?.wait?.count).toBe(4);
  });

  it('is told apart from other pools, and named by where it leads', async () => {
    const [one, other] = [newPool(), newPool()];
    const watched = [watch(one), watch(other)];
    await Promise.all([one.query('select 1'), other.query('select 1'), other.query('select 2')]);
    const [first, second] = watched.map((each) => seen(each));
    expect(first?.counters.acquired).toBe(1);
    expect(second?.counters.acquired).toBe(2);
    expect(first?.name).toMatch(new RegExp(`^127\\.0\\.0\\.1:\\d+/${database.name}$`));
    expect(second?.name).toBe(`${first?.name} #2`);
    expect(JSON.stringify(first)).not.toContain('p:w/d');
  });

  it('counts acquires that timed out, and the last create that failed', async () => {
    const pool = newPool({ max: 1 });
    const watched = watch(pool);
    const client = await pool.connect();
    // Only now: on a busy machine connecting itself takes longer.
    pool.options.connectionTimeoutMillis = 20;
    await expect(pool.connect()).rejects.toThrow('timeout exceeded when trying to connect');
    expect(seen(watched)).toMatchObject({ waiting: 0, counters: { timedOut: 1, createFailed: 0 } });
    client.release();

    const closed = newPool({ connectionString: undefined, host: '127.0.0.1', port: 1 });
    const failing = watch(closed);
    await expect(closed.query('select 1')).rejects.toThrow('ECONNREFUSED');
    expect(seen(failing)).toMatchObject({
      createError: expect.stringContaining('ECONNREFUSED'),
      counters: { createFailed: 1, acquired: 0, timedOut: 0 },
    });
  });

  it('behaves as it did: callbacks, errors, a release with an error, and a second release', async () => {
    const pool = newPool();
    const watched = watch(pool);
    const client = await new Promise<pg.PoolClient>((resolve, reject) => {
      pool.connect((error, lent, done) => {
        expect(done).toBe(lent?.release);
        if (lent === undefined) reject(error);
        else resolve(lent);
      });
    });
    await expect(client.query('select nonsense')).rejects.toMatchObject({ code: '42703' });
    client.release(new Error('no good'));
    expect(() => client.release()).toThrow('already been released');
    expect(seen(watched)).toMatchObject({ live: 0, counters: { acquired: 1, released: 1 } });
    await expect(pool.query('select nonsense')).rejects.toMatchObject({ code: '42703' });
    expect((await pool.query('select $1::int as n', [7])).rows).toEqual([{ n: 7 }]);
    expect(pool.connect.name).toBe('connect');
    expect(pool.connect.length).toBe(1);
    expect(Object.keys(pool)).not.toContain('connect');
  });

  it('passes SQL on as it is, cut to 1,000 characters: a screen makes it harmless', async () => {
    const pool = newPool();
    const watched = watch(pool);
    const client = await pool.connect();
    const sql = `select '\u001b[31mred' as text /* ${'x'.repeat(2000)} */`;
    const running = client.query({ text: sql });
    expect(seen(watched)?.holders[0]).toMatchObject({ busy: true, lastSql: sql.slice(0, 1000) });
    await running;
    client.release();
  });

  it('is not kept alive by being watched, nor listed among the properties of its clients', async () => {
    const pool = newPool();
    watch(pool);
    const client = await pool.connect();
    expect(
      Object.getOwnPropertySymbols(client).filter((one) => String(one).includes('poolctl')),
    ).toHaveLength(1);
    expect(JSON.stringify(Object.keys(client))).not.toContain('poolctl');
    client.release();
  });
});

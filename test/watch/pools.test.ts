import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import genericPool from 'generic-pool';
import knex from 'knex';
import mysql from 'mysql2';
import mysqlPromise from 'mysql2/promise';
import { Sequelize } from 'sequelize';
import { Pool } from 'tarn';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createDatabase } from '../../src/index.js';
import { type Watched, watch } from '../../src/watch/index.js';
import { Watcher } from '../../src/watch/watcher.js';
import { freePort } from '../helpers/guarded.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';

const seen = (watched: Watched) => watched.snapshots()[0];
const here = expect.stringMatching(/pools\.test\.ts:\d+:\d+$/);
const SQL = 'select 1 as one';

describeWithPostgres('a watched query builder', () => {
  let database: OwnDatabase;

  beforeAll(async () => {
    database = await newDatabase();
  });
  afterAll(() => database.empty());

  it('knex: says which transaction was never ended, and who waits for it', async () => {
    const db = knex({ client: 'pg', connection: database.url(), pool: { min: 0, max: 1 } });
    const watched = watch(db, { name: 'shop' });
    const trx = await db.transaction();
    await trx.raw(SQL);
    expect(seen(watched)).toMatchObject({
      ...{ name: 'shop', driver: 'tarn', size: 1, live: 1, idle: 0, inUse: 1, waiting: 0 },
      holders: [{ lastSql: SQL, busy: false, backendPid: expect.any(Number), site: here }],
    });
    const waiting = db.raw(SQL).then(() => {});
    expect(seen(watched)).toMatchObject({ waiting: 1, longestWaitMs: expect.any(Number) });
    await trx.commit();
    await waiting;
    expect(seen(watched)).toMatchObject({ inUse: 0, counters: { acquired: 2, released: 2, timedOut: 0 } });
    await db.destroy();
    expect(seen(watched)).toMatchObject({ closed: true });
  });

  it('TypeORM: says which query runner was never released', async () => {
    const source = new DataSource({ type: 'postgres', url: database.url(), poolSize: 2 });
    await source.initialize();
    const watched = watch(source);
    const runner = source.createQueryRunner();
    await runner.connect();
    await runner.query(SQL);
    expect(seen(watched)).toMatchObject({
      ...{ driver: 'pg', size: 2, inUse: 1 },
      holders: [{ lastSql: SQL, site: here }],
    });
    await runner.release();
    await source.query('select 2');
    expect(seen(watched)).toMatchObject({ inUse: 0, counters: { acquired: 2, released: 2 } });
    await source.destroy();
  });

  it('our own, on PostgreSQL: says what its sessions do, and where they lead', async () => {
    const own = createDatabase(database.url(), { size: 2 });
    const watched = watch(own);
    const session = await own.getDb();
    const { rows } = await session.query('select pg_backend_pid() as pid, inet_client_port() as port');
    expect(seen(watched)?.holders).toMatchObject([
      {
        ...{ site: here, lastSql: 'select pg_backend_pid() as pid, inet_client_port() as port', busy: false },
        ...{ backendPid: rows[0]?.pid, localPort: rows[0]?.port },
      },
    ]);
    await session.query('begin');
    await session.close();
    const next = await own.getDb();
    expect(seen(watched)?.holders).toMatchObject([{ lastSql: null, backendPid: rows[0]?.pid }]);
    await next.close();
    await own.close();
  });

  it('Sequelize: says which transaction was never ended', async () => {
    const db = new Sequelize(database.url(), { logging: false, pool: { max: 2 } });
    const watched = watch(db);
    const transaction = await db.transaction();
    await db.query(SQL, { transaction });
    expect(seen(watched)).toMatchObject({
      ...{ driver: 'sequelize-pool', size: 2, inUse: 1, waiting: 0 },
      holders: [{ lastSql: SQL, site: here, backendPid: expect.any(Number) }],
    });
    await transaction.commit();
    await db.query('select 2');
    expect(seen(watched)).toMatchObject({ inUse: 0, counters: { acquired: 2, released: 2, timedOut: 0 } });
    await db.close();
  });
});

describe('a watched pool of mysql2 connections', () => {
  const SLEEP = 'select sleep(600)';
  /** The server side that comes with mysql2: it lets everybody in, and has done whatever it is asked to. */
  const server = createServer((stream) => {
    const connection = mysql.createConnection({ isServer: true, stream });
    connection.serverHandshake({
      ...{ protocolVersion: 10, serverVersion: '8.0.0', connectionId: 4711, statusFlags: 2 },
      ...{ characterSet: 8, capabilityFlags: 0xffffff ^ 0x800 },
      authCallback(_: unknown, letIn: (error: null) => void) {
        letIn(null);
        connection.sequenceId = 0;
      },
    });
    connection.on('query', (sql: string) => {
      // Packets are counted anew with each command, which this side leaves to its user.
      connection.sequenceId = 1;
      if (sql !== SLEEP) connection.writeOk({ affectedRows: 0 });
      connection.sequenceId = 0;
    });
    connection.on('error', () => {});
  });
  let place: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
  };

  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    place = { host: '127.0.0.1', port, user: 'me', database: 'shop' };
  });
  afterAll(() => void server.close());

  it('says what each lease does, and where it leads', async () => {
    const pool = mysqlPromise.createPool({ ...place, connectionLimit: 2 });
    const watched = watch(pool);
    const idle = await pool.getConnection();
    await idle.query(SQL);
    const busy = await pool.getConnection();
    // Never answered, nor rejected when its connection is destroyed.
    void busy.query(SLEEP);
    const waiting = pool.query('select 3');
    expect(seen(watched)).toMatchObject({
      ...{ name: `127.0.0.1:${place.port}/shop`, driver: 'mysql2', size: 2, live: 2, inUse: 2, waiting: 1 },
      holders: [
        { site: here, lastSql: SQL, busy: false, backendPid: 4711, localPort: expect.any(Number) },
        { site: here, lastSql: SLEEP, busy: true },
      ],
    });
    idle.release();
    await waiting;
    expect(seen(watched)).toMatchObject({ inUse: 1, idle: 1, counters: { acquired: 3, released: 2 } });
    busy.destroy();
    expect(seen(watched)).toMatchObject({ inUse: 0, live: 1, holders: [], counters: { released: 3 } });
    await pool.end();
  });

  it('knows by a connection where a pool of others leads', async () => {
    const pool = new Pool<mysql.Connection>({
      create: () =>
        new Promise<mysql.Connection>((resolve) => {
          const connection = mysql.createConnection(place);
          connection.connect(() => resolve(connection));
        }),
      destroy: (connection) => connection.destroy(),
      ...{ min: 0, max: 1 },
    });
    const watched = watch(pool);
    const connection = await pool.acquire().promise;
    expect(seen(watched)).toMatchObject({
      name: expect.stringContaining(`127.0.0.1:${place.port}/shop`),
      ...{ driver: 'tarn', inUse: 1 },
      holders: [{ site: here, busy: false, backendPid: 4711 }],
    });
    pool.release(connection);
    await pool.destroy();
  });
});

describe('a watched pool without a database that answers', () => {
  it('mysql2: says what it tried, and why it failed', async () => {
    const port = await freePort();
    const pool = mysql.createPool({ host: '127.0.0.1', port, database: 'shop', connectionLimit: 3 });
    const watched = watch(pool);
    const failed = new Promise<Error | null>((resolve) => pool.getConnection((error) => resolve(error)));
    expect(seen(watched)).toMatchObject({
      ...{ name: `127.0.0.1:${port}/shop`, driver: 'mysql2', size: 3, live: 1, creating: 1, inUse: 0 },
      ...{ holders: [], closed: false },
    });
    expect(await failed).toMatchObject({ code: 'ECONNREFUSED' });
    expect(seen(watched)).toMatchObject({
      ...{ live: 0, createError: expect.stringContaining('ECONNREFUSED') },
      counters: { acquired: 0, createFailed: 1, timedOut: 0 },
    });
    await pool.promise().end();
  });

  it('mysql2/promise: is seen through', async () => {
    const port = await freePort();
    const pool = mysqlPromise.createPool({ host: '127.0.0.1', port, connectionLimit: 1 });
    const watched = watch(pool);
    const failed = [pool.query('select 1'), pool.query('select 2')].map((one) => one.catch((error) => error));
    expect(seen(watched)).toMatchObject({ driver: 'mysql2', live: 1, creating: 1, waiting: 1 });
    for (const error of await Promise.all(failed)) expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(seen(watched)?.counters).toMatchObject({ acquired: 0, createFailed: 2 });
    await pool.end();
  });

  it('generic-pool: says who holds, who waits, and who gave up', async () => {
    const pool = genericPool.createPool(
      { create: async () => ({}), destroy: async () => {} },
      { max: 1, acquireTimeoutMillis: 20 },
    );
    const watched = watch(pool, { name: 'things' });
    const thing = await pool.acquire();
    const waiting = pool.acquire();
    expect(seen(watched)).toMatchObject({
      ...{ name: 'things', driver: 'generic-pool', size: 1, live: 1, inUse: 1, waiting: 1 },
      longestWaitMs: expect.any(Number),
      holders: [{ site: here, lastSql: null, busy: null, localPort: null, backendPid: null }],
    });
    await expect(waiting).rejects.toThrow('timed out');
    await pool.release(thing);
    await pool.use(async () => {});
    expect(seen(watched)).toMatchObject({
      ...{ inUse: 0, idle: 1 },
      counters: { acquired: 2, released: 2, timedOut: 1 },
    });
    await pool.drain();
    await pool.clear();
    expect(seen(watched)).toMatchObject({ closed: true, live: 0 });
  });

  it('our own: says what it says itself, and through a Database too', async () => {
    const database = createDatabase('sqlite::memory:', { size: 1 });
    const watched = watch(database, { name: 'mine' });
    const session = await database.getDb();
    expect(seen(watched)).toMatchObject({
      ...{ name: 'mine', driver: 'sqlite', inUse: 1, counters: { acquired: 1, pingFailed: 0 } },
      holders: [{ site: here, lastSql: null }],
    });
    await session.close();
    await database.close();
  });

  it('is refused if it is none', () => {
    expect(() => watch({ connect() {} })).toThrow('watch() does not know this kind of pool');
  });
});

describe('a pool that was found by its class', () => {
  it('is left alone where its insides are others than expected, and that is said', async () => {
    class OddPool {
      async acquire() {
        return 'a thing';
      }
      release() {}
      numUsed() {}
      numPendingAcquires() {}
      numPendingValidations() {}
    }
    const watcher = new Watcher(systemClock);
    expect(watcher.addClass(OddPool)).toBe(true);
    const pool = new OddPool();
    expect(await pool.acquire()).toBe('a thing');
    expect(watcher.read()).toMatchObject({
      pools: [],
      gaps: [expect.stringMatching(/^a pool of tarn cannot be watched: /)],
    });
  });
});

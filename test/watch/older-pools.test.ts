// Libraries of older applications, as applications have them: the published packages.
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Watcher } from '../../src/watch/watcher.js';
import { describeWithMariaDb, newMysqlDatabase } from '../helpers/mysql.js';

const load = createRequire(import.meta.url);

interface Connection {
  query(sql: string, done: (error: Error | null, rows: unknown) => void): void;
  release(): void;
  destroy(): void;
}
interface Mysql {
  createPool(url: string): {
    getConnection(done: (error: Error | null, connection?: Connection) => void): void;
    query(sql: string, done: (error: Error | null) => void): void;
    end(done: () => void): void;
  };
}

describeWithMariaDb('a watched pool of mysql', () => {
  it('says who holds what, and who waits', async () => {
    const database = await newMysqlDatabase();
    const watcher = new Watcher(systemClock);
    watcher.addClass(load('mysql/lib/Pool'));
    const pool = (load('mysql') as Mysql).createPool(database.url({ params: '?connectionLimit=2' }));
    const get = () =>
      new Promise<Connection>((resolve, reject) =>
        pool.getConnection((error, connection) =>
          connection === undefined ? reject(error) : resolve(connection),
        ),
      );
    const seen = () => watcher.read().pools[0];
    const [one, other] = [await get(), await get()];
    const waiting = get();
    expect(seen()).toMatchObject({
      ...{ name: expect.stringContaining(database.name), driver: 'mysqljs' },
      ...{ size: 2, live: 2, inUse: 2, waiting: 1, idle: 0 },
      longestWaitMs: expect.any(Number),
      holders: [
        { site: expect.stringContaining('older-pools.test.ts') },
        { site: expect.stringContaining('older-pools.test.ts') },
      ],
      setup: { prePing: true, acquireTimeoutMs: 'never' },
    });
    one.query('select 1 as held', () => {});
    expect(seen()?.holders).toMatchObject([
      {
        busy: true,
        lastSql: 'select 1 as held',
        backendPid: expect.any(Number),
        localPort: expect.any(Number),
      },
      { busy: false, lastSql: null },
    ]);
    one.release();
    const third = await waiting;
    expect(seen()).toMatchObject({ inUse: 2, waiting: 0, counters: { acquired: 3, released: 1 } });
    third.release();
    other.destroy();
    await new Promise<void>((resolve, reject) =>
      pool.query('select 1', (error) => (error === null ? resolve() : reject(error))),
    );
    expect(seen()).toMatchObject({ inUse: 0, live: 1, idle: 1, counters: { acquired: 4, released: 4 } });
    expect(watcher.gaps).toEqual([]);
    await new Promise<void>((resolve) => pool.end(resolve));
    await database.remove();
  });
});

describe('generic-pool 2, which is not watched', () => {
  it('works as without us, and is named', async () => {
    const watcher = new Watcher(systemClock);
    const { Pool } = load('generic-pool-2') as {
      Pool: new (
        factory: object,
      ) => {
        acquire(done: (error: Error | null, resource: object) => void): void;
        release(resource: object): void;
      };
    };
    watcher.addClass(Pool);
    const pool = new Pool({
      ...{ name: 'old', max: 1 },
      create: (done: (error: Error | null, resource: object) => void) => done(null, {}),
      destroy() {},
    });
    const get = () =>
      new Promise<object>((resolve, reject) =>
        pool.acquire((error, resource) => (error === null ? resolve(resource) : reject(error))),
      );
    const one = await get();
    const next = get();
    pool.release(one);
    expect(await next).toBe(one);
    expect(watcher.read().pools).toEqual([]);
  });
});

import { createRequire } from 'node:module';
import { threadId } from 'node:worker_threads';
import genericPool from 'generic-pool';
import knex from 'knex';
import mysql from 'mysql2';
import pg from 'pg';
import { Pool as TarnPool } from 'tarn';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { type Watched, watch } from '../../src/watch/index.js';
import { placeOf } from '../../src/watch/pools/requests.js';
import { thisProcess } from '../../src/watch/process.js';
import { stateOf } from '../../src/watch/resources.js';
import { Watcher } from '../../src/watch/watcher.js';
import { hasBetterSqlite } from '../helpers/sqlite-engine.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});
const seen = (watched: Watched) => watched.snapshots()[0];

/** A step of a pool that goes on when the test says so. */
function held(): { readonly reached: Promise<void>; wait(): Promise<void>; go(): void } {
  let arrive = (): void => {};
  let go = (): void => {};
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  return {
    reached,
    wait() {
      arrive();
      return gone;
    },
    go: () => go(),
  };
}

/** A pool of one connection with the methods and lists of tarn 2. */
class SyncPool {
  readonly max = 1;
  readonly destroyed = false;
  readonly pendingCreates = [];
  free: { resource: object }[] = [{ resource: {} }];
  used: { resource: object }[] = [];
  readonly pendingAcquires: SyncRequest[] = [];
  acquire(): SyncRequest {
    const request = new SyncRequest();
    this.pendingAcquires.push(request);
    this.#serve();
    return request;
  }
  release(resource: object): void {
    this.used = [];
    this.free = [{ resource }];
    this.#serve();
  }
  numUsed(): number {
    return this.used.length;
  }
  numPendingAcquires(): number {
    return this.pendingAcquires.length;
  }
  #serve(): void {
    if (this.free.length === 0) return;
    const request = this.pendingAcquires.shift();
    if (request === undefined) return;
    [this.used, this.free] = [this.free, []];
    request.resolve(this.used[0]?.resource as object);
  }
}

class SyncRequest {
  resource: object | null = null;
  resolve(resource: object): void {
    this.resource = resource;
  }
}

describe('a watched pool of tarn', () => {
  it('counts what is being created as live, and neither as idle nor as lent', async () => {
    const create = held();
    const pool = new TarnPool<object>({
      create: () => create.wait().then(() => ({})),
      destroy: () => {},
      ...{ min: 0, max: 3 },
    });
    endings.push(() => pool.destroy());
    const watched = watch(pool);
    const acquired = pool.acquire().promise;
    await create.reached;
    expect(seen(watched)).toMatchObject({ live: 1, idle: 0, inUse: 0, creating: 1, waiting: 1 });
    create.go();
    pool.release(await acquired);
    expect(seen(watched)).toMatchObject({ live: 1, idle: 1, inUse: 0, creating: 0, waiting: 0 });
  });

  it('may be one of tarn 2, which serves before acquire returns, and validates at once', () => {
    const watcher = new Watcher(systemClock);
    expect(watcher.addClass(SyncPool)).toBe(true);
    const pool = new SyncPool();
    const [first, second] = [pool.acquire(), pool.acquire()];
    const read = () => watcher.read().pools[0];
    expect(read()).toMatchObject({
      ...{ driver: 'tarn', size: 1, inUse: 1, idle: 0, waiting: 1 },
      holders: [{ site: expect.stringContaining('kinds.test.ts') }],
      counters: { acquired: 1, timedOut: 0 },
    });
    pool.release(first.resource as object);
    expect(read()).toMatchObject({
      inUse: 1,
      waiting: 0,
      counters: { acquired: 2, released: 1, timedOut: 0 },
    });
    pool.release(second.resource as object);
    expect(read()).toMatchObject({ inUse: 0, idle: 1, counters: { acquired: 2, released: 2, timedOut: 0 } });
  });

  it('counts what is being validated as idle, and whoever it is for as waiting', async () => {
    const validate = held();
    let isNew = true;
    const pool = new TarnPool<object>({
      create: async () => ({}),
      destroy: () => {},
      // It may be a promise, which its types leave out.
      validate: (() => isNew || validate.wait().then(() => true)) as never,
      ...{ min: 0, max: 3 },
    });
    endings.push(() => pool.destroy());
    const watched = watch(pool);
    pool.release(await pool.acquire().promise);
    isNew = false;
    const again = pool.acquire().promise;
    await validate.reached;
    expect(seen(watched)).toMatchObject({ live: 1, idle: 1, inUse: 0, waiting: 1 });
    validate.go();
    pool.release(await again);
  });

  it('ends no lease where something else is released', async () => {
    const pool = new TarnPool<object>({ create: async () => ({}), destroy: () => {}, min: 0, max: 2 });
    endings.push(() => pool.destroy());
    const watched = watch(pool);
    const one = await pool.acquire().promise;
    const other = await pool.acquire().promise;
    pool.release(one);
    pool.release(one);
    expect(seen(watched)).toMatchObject({ inUse: 1, counters: { acquired: 2, released: 1 } });
    pool.release(other);
  });
});

describe('a watched pool of generic-pool', () => {
  it('is not charged for what an unwatched one lends after it has refused', async () => {
    const make = (options: genericPool.Options) => {
      const factory = { create: async () => ({}), destroy: async () => {} };
      const pool = genericPool.createPool<object>(factory, { max: 1, ...options });
      endings.push(async () => {
        await pool.drain();
        await pool.clear();
      });
      return pool;
    };
    const [full, other] = [make({ maxWaitingClients: 0 }), make({})];
    const watched = watch(full);
    const thing = await full.acquire();
    await expect(full.acquire()).rejects.toThrow('max waitingClients');
    await other.release(await other.acquire());
    expect(seen(watched)).toMatchObject({ inUse: 1, counters: { acquired: 1, released: 0 } });
    await full.release(thing);
  });
});

describe('a watched pool of pg', () => {
  it('counts a client that connects as creating, and not as lent', async () => {
    const pool = new pg.Pool({ host: '127.0.0.1', port: 1, max: 1 });
    endings.push(() => pool.end());
    const watched = watch(pool);
    const failing = pool.connect().catch((error: Error) => error);
    expect(seen(watched)).toMatchObject({ live: 1, creating: 1, inUse: 0, closed: false });
    await failing;
    expect(seen(watched)).toMatchObject({ live: 0, creating: 0, inUse: 0 });
  });
});

describe('a watched pool of mysql2', () => {
  it('says how long the first of those has waited that wait', async () => {
    const pool = mysql.createPool({ host: '127.0.0.1', port: 1, connectionLimit: 1 });
    endings.push(() => pool.promise().end());
    const watched = watch(pool);
    const ended = [1, 2].map(() => new Promise((resolve) => pool.getConnection(resolve)));
    expect(seen(watched)).toMatchObject({ waiting: 1, longestWaitMs: expect.any(Number) });
    await Promise.all(ended);
    expect(seen(watched)).toMatchObject({ waiting: 0, longestWaitMs: null });
  });
});

describe.skipIf(!hasBetterSqlite())('knex that was found by its classes', () => {
  it('says where a transaction was begun, not where the dialect acquires for it', async () => {
    const require = createRequire(import.meta.url);
    const watcher = new Watcher(systemClock);
    const Client = require('knex/lib/dialects/better-sqlite3/index.js') as new () => object;
    expect(watcher.addClass(Client)).toBe(false);
    const { Pool } = createRequire(require.resolve('knex'))('tarn') as { Pool: unknown };
    expect(watcher.addClass(Pool)).toBe(true);
    const db = knex({
      client: Client as never,
      connection: { filename: ':memory:' },
      useNullAsDefault: true,
    });
    endings.push(() => db.destroy());
    const transaction = await db.transaction();
    expect(watcher.read().pools).toMatchObject([
      { driver: 'tarn', inUse: 1, holders: [{ site: expect.stringMatching(/kinds\.test\.ts:\d+:\d+$/) }] },
    ]);
    await transaction.rollback();
  });
});

describe('a watcher', () => {
  const pool = () => {
    const made = new TarnPool<object>({ create: async () => ({}), destroy: () => {}, min: 0, max: 2 });
    endings.push(() => made.destroy());
    return made;
  };

  it('calls back when it has its first pool, at once if it has one, and once', () => {
    const watcher = new Watcher(systemClock);
    const calls: string[] = [];
    watcher.whenAny(() => calls.push('before'));
    expect(calls).toEqual([]);
    watcher.add(pool());
    expect(calls).toEqual(['before']);
    watcher.whenAny(() => calls.push('after'));
    watcher.add(pool());
    expect(calls).toEqual(['before', 'after']);
  });

  it('forgets a pool when it is closed, and not before its last resource is', async () => {
    const watcher = new Watcher(systemClock);
    const ending = genericPool.createPool<object>(
      { create: async () => ({}), destroy: async () => {} },
      { max: 1 },
    );
    watcher.add(ending, 'ending');
    const thing = await ending.acquire();
    const drained = ending.drain();
    expect(watcher.read().pools).toMatchObject([{ name: 'ending', closed: true, live: 1 }]);
    await ending.release(thing);
    await drained;
    await ending.clear();
    expect(watcher.read().pools).toEqual([]);
  });
});

it.each<[string, unknown, string]>([
  ['a host, a port and a database', { host: 'db', port: 5432, database: 'shop' }, 'db:5432/shop'],
  ['a host alone', { host: 'db' }, 'db/'],
  ['a database alone', { host: undefined, database: 'shop' }, '/shop'],
  ['neither', {}, 'pg'],
  ['no object', undefined, 'pg'],
  [
    'what stands in the configuration',
    { config: { host: 'db', port: 3306, database: 'shop' } },
    'db:3306/shop',
  ],
])('a pool without a name is called by %s', (_, subject, expected) => {
  expect(placeOf(subject, 'pg')).toBe(expected);
});

it('of a resource that is no connection nothing is known, whatever its fields are called', () => {
  const unknown = { busy: null, localPort: null, backendPid: null };
  const fields = {
    processID: 7,
    threadId: 7,
    readyForQuery: true,
    _queryQueue: [],
    stream: { localPort: 5 },
  };
  expect(stateOf(fields)).toEqual(unknown);
});

const BEFORE_8_17 = { _queryQueue: undefined };

it.each<[string, object, boolean | null]>([
  ['that is ready, and has nothing to send', { readyForQuery: true }, false],
  ['in whose query the server is', { readyForQuery: false }, true],
  ['that has a query to send', { readyForQuery: true, _queryQueue: [{}] }, true],
  ['that has sent a query ahead', { readyForQuery: true, _sentQueryQueue: [{}] }, true],
  ['that has sent none ahead', { readyForQuery: true, _sentQueryQueue: [] }, false],
  ['of pg-native, which does not say', { _queryQueue: [{}] }, null],
  ['before 8.17 that has nothing to send', { readyForQuery: true, ...BEFORE_8_17, queryQueue: [] }, false],
  ['before 8.17 that has a query to send', { readyForQuery: true, ...BEFORE_8_17, queryQueue: [{}] }, true],
])('a client of pg %s', (_, own, busy) => {
  const client = { query() {}, _pulseQueryQueue() {}, _queryQueue: [], processID: 7, ...own };
  expect(stateOf(client)).toEqual({ busy, localPort: null, backendPid: 7 });
});

it('a process is told by its number, and a thread by its own as well', () => {
  const { label, thread, app } = thisProcess();
  const { pid, version: node } = process;
  // Tests run in a process each, or in a thread each.
  const [expected, name] =
    threadId === 0
      ? [`process ${pid}`, 'shop']
      : [`thread ${threadId} of process ${pid}`, `shop (thread ${threadId})`];
  expect([label, thread]).toEqual([expected, threadId]);
  expect(app('shop')).toMatchObject({ name, pid, node });
});

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import genericPool from 'generic-pool';
import knex from 'knex';
import mysql from 'mysql2';
import pg from 'pg';
import { type PoolOptions, Sequelize } from 'sequelize';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type Database, type DatabaseOptions } from '../../src/index.js';
import { eventually } from '../helpers/eventually.js';
import { ask, describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { type Application, type Options, provesRepair, type Running } from './applications.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-doctor-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A pool of ours on a file, and what is done with it. */
function ours(
  options: DatabaseOptions,
  work: (db: Database) => Promise<unknown> = async () => {},
): Application {
  return {
    options: { name: 'orders', ...options },
    async start(given) {
      const db = createDatabase(`sqlite:${join(folder, 'orders.db')}?mode=inline`, given as DatabaseOptions);
      await work(db);
      return { pools: [db.pool], end: () => db.close({ graceMs: 0 }) };
    },
  };
}

/** A pool of pg's own, whose connections nobody has to answer. */
function pgPool(options: pg.PoolConfig): Application {
  return {
    options: { host: '127.0.0.1', port: 1, ...options },
    watch: { name: 'shop' },
    async start(given) {
      const pool = new pg.Pool(given as pg.PoolConfig);
      return { pools: [pool], end: () => pool.end() };
    },
  };
}

const leases = async (db: Database, count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await db.pool.acquire();
};

describe('a check of an application’s pools', () => {
  it('pool-room: all is lent, and some wait', async () => {
    // A lease that nobody holds any more is collected, and its place is free again.
    const kept: unknown[] = [];
    const busy = ours({ size: 2, maxOverflow: 1, timeoutMs: null }, async (db) => {
      const asked = Array.from({ length: 6 }, () => db.pool.acquire());
      kept.push(...asked);
      for (const one of asked) one.catch(() => {});
      await eventually(() => db.pool.snapshot().inUse === Math.min(6, db.pool.settings.limit));
    });
    const [before, after] = await provesRepair('pool-room', 'fail', busy);
    expect(before.summary).toMatch(/^orders: 3 of 3 lent, 3 waiting, the longest for /);
    expect(after.summary).toBe('orders: 6 of 8 lent');
    expect(kept).toHaveLength(12);
  });

  it('pool-room: all is lent to those who never give it back, where more of it would not help', async () => {
    const kept: unknown[] = [];
    const options = { size: 2, maxOverflow: 0, leakWatch: { thresholdMs: 1 } };
    const leaky = ours(options, async (db) => {
      for (let i = 0; i < 2; i++) kept.push(await db.pool.acquire());
      db.pool.acquire({ timeoutMs: null }).catch(() => {});
      await eventually(() => db.pool.snapshot().holders.every(({ leaked }) => leaked));
    });
    const careful = ours(options, (db) => db.pool.use(async () => {}));
    await provesRepair('pool-room', 'fail', {
      ...leaky,
      start: (given) =>
        given.careful === true ? careful.start(without(given, 'careful')) : leaky.start(given),
      repair(texts) {
        expect(texts).toEqual([expect.stringContaining('give back the 2 leases that are out for too long')]);
        return { name: 'orders', ...options, careful: true };
      },
    });
    expect(kept).toHaveLength(2);
  });

  it('pool-room: some of what is lent is never given back, and more of it would not help either', async () => {
    const options = { name: 'orders', size: 2, maxOverflow: 0, leakWatch: { thresholdMs: 40 } };
    const leaky = ours(options, async (db) => {
      await db.pool.acquire();
      await eventually(() => db.pool.snapshot().holders.every(({ leaked }) => leaked));
      await db.pool.acquire();
      db.pool.acquire({ timeoutMs: null }).catch(() => {});
    });
    await provesRepair('pool-room', 'fail', {
      ...leaky,
      start: (given) =>
        given.careful === true ? ours({}).start(without(given, 'careful')) : leaky.start(given),
      repair(texts) {
        expect(texts).toEqual([
          expect.stringMatching(/give back (the lease|the 2 leases) that (is|are) out/),
        ]);
        return { ...options, careful: true };
      },
    });
  });

  it('pool-room: a queue that nobody leaves makes no pool a hundred times as large', async () => {
    const options = { name: 'orders', size: 2, maxOverflow: 1, timeoutMs: null };
    const stuck = ours(options, async (db) => {
      for (let i = 0; i < 300; i++) db.pool.acquire().catch(() => {});
      await eventually(() => db.pool.snapshot().inUse === 3);
    });
    await provesRepair('pool-room', 'fail', {
      ...stuck,
      start: (given) => (given.size === 2 ? stuck.start(given) : ours({}).start(given)),
      repair(texts) {
        expect(texts).toEqual([expect.stringMatching(/: set size: 11$/)]);
        return { ...options, size: 11 };
      },
    });
  });

  it('pool-leaks: leases that nobody gives back, by the line that acquired them', async () => {
    const kept: unknown[] = [];
    const leaky: Application = {
      ...ours({ size: 3, leakWatch: { thresholdMs: 1 } }, async (db) => {
        for (let i = 0; i < 2; i++) kept.push(await db.pool.acquire());
        await eventually(() => db.pool.snapshot().holders.every(({ leaked }) => leaked));
      }),
    };
    const careful = ours({ size: 3, leakWatch: { thresholdMs: 1 } }, (db) => db.pool.use(async () => {}));
    const [before, after] = await provesRepair('pool-leaks', 'fail', {
      ...leaky,
      start: (given) =>
        given.careful === true ? careful.start(without(given, 'careful')) : leaky.start(given),
      repair(texts) {
        expect(texts).toHaveLength(1);
        expect(texts[0]).toMatch(
          /^release the lease acquired at .*pools\.test\.ts:\d+:\d+ on every path: with `using`/,
        );
        return { name: 'orders', size: 3, leakWatch: { thresholdMs: 1 }, careful: true };
      },
    });
    expect(before.summary).toMatch(/^orders: 2 of 2 leases held too long, the oldest for /);
    expect(before.evidence).toEqual([expect.stringMatching(/^2 acquired at .*pools\.test\.ts:\d+/)]);
    expect(after.summary).toBe('orders: 0 lent, none for longer than 1ms');
  });

  it('pool-nested: a flow that waits for what it holds', async () => {
    const nested = ours({ size: 1, maxOverflow: 0 }, (db) =>
      db.pool.use(async () => {
        await db.pool.acquire({ timeoutMs: 50 }).then(
          (lease) => lease.release(),
          () => {},
        );
      }),
    );
    const flat = ours({ size: 1, maxOverflow: 0 }, (db) => db.pool.use(async () => {}));
    const [before] = await provesRepair('pool-nested', 'fail', {
      ...nested,
      start: (given) => (given.flat === true ? flat.start(without(given, 'flat')) : nested.start(given)),
      repair: () => ({ name: 'orders', flat: true }),
    });
    expect(before.summary).toBe('orders: 1 acquires waited while their own flow held a lease');
  });

  it('pool-timeouts: acquires that got nothing', async () => {
    const small = ours({ size: 1, maxOverflow: 0 }, async (db) => {
      await leases(db, 1);
      await Promise.all(
        [1, 2].map(() =>
          db.pool.acquire({ timeoutMs: db.pool.settings.size > 1 ? null : 1 }).catch(() => {}),
        ),
      );
    });
    const [before, after] = await provesRepair('pool-timeouts', 'fail', small);
    expect(before.summary).toBe('orders: 2 of 3 acquires timed out (66.7 %)');
    expect(after.summary).toBe('orders: none of 3 acquires timed out');
  });

  it('pool-connects: nothing can be opened', async () => {
    const file = (given: Options) =>
      given.there === true ? join(folder, 'there.db') : '/no/such/folder/a.db';
    const application: Application = {
      options: { name: 'orders' },
      async start(given) {
        const db = createDatabase(`sqlite:${file(given)}?mode=inline`, { name: 'orders' });
        await db.getDb().then(
          (session) => session.close(),
          () => {},
        );
        return { pools: [db.pool], end: () => db.close({ graceMs: 0 }) };
      },
      repair: (texts) => {
        expect(texts[0]).toContain("'orders'");
        return { there: true };
      },
    };
    const [before] = await provesRepair('pool-connects', 'fail', application);
    expect(before.evidence[0]).toContain('/no/such/folder');
  });

  it.each<[string, 'warn' | 'fail', Application, RegExp]>([
    [
      'pool-acquire-timeout: pg.Pool as it comes waits forever',
      'fail',
      pgPool({}),
      /^shop: an acquire waits forever$/,
    ],
    ['pool-acquire-timeout: ours may be told to', 'fail', ours({ timeoutMs: null }), /waits forever/],
    [
      'pool-acquire-timeout: longer than any caller',
      'warn',
      pgPool({ connectionTimeoutMillis: 120_000 }),
      /up to 2m; most callers give up earlier/,
    ],
    [
      'pool-acquire-timeout: longer than a statement may take',
      'warn',
      pgPool({ connectionTimeoutMillis: 9000, statement_timeout: 5000 }),
      /up to 9s, longer than a statement/,
    ],
    [
      'pool-acquire-timeout: that of the settings counts where the pool has none',
      'warn',
      { ...ours({ timeoutMs: 9000 }), argv: ['--statement-timeout', '4s'] },
      /up to 9s, longer than a statement/,
    ],
    [
      'pool-acquire-timeout: knex as it comes',
      'warn',
      {
        async start(given) {
          const pool = { min: 0, max: 2, ...given };
          const db = knex({ client: 'pg', connection: 'postgres://x@127.0.0.1:1/y', pool });
          return { pools: [db], end: () => db.destroy() };
        },
      },
      /up to 1m; most callers give up earlier/,
    ],
    [
      'pool-acquire-timeout: Sequelize, where it was set too high',
      'warn',
      {
        options: { acquire: 60_000 },
        async start(given) {
          const db = new Sequelize('postgres://x@127.0.0.1:1/y', {
            ...{ dialect: 'postgres', logging: false, pool: given as PoolOptions },
          });
          return { pools: [db], end: () => db.close() };
        },
      },
      /up to 1m; most callers give up earlier/,
    ],
    ['pool-recycle: pg.Pool as it comes', 'warn', pgPool({}), /^shop: connections live forever$/],
    [
      'pool-pre-ping: pg.Pool that keeps idle ones',
      'warn',
      pgPool({ idleTimeoutMillis: 0 }),
      /lent untested, after any idle time/,
    ],
    [
      'pool-pre-ping: mysql2 as it comes',
      'warn',
      {
        options: { host: '127.0.0.1', port: 1 },
        async start(given) {
          const pool = mysql.createPool(given as mysql.PoolOptions);
          return { pools: [pool], end: () => pool.end(() => {}) };
        },
      },
      /lent untested, after any idle time/,
    ],
    [
      'pool-pre-ping: generic-pool as it comes',
      'warn',
      {
        options: { max: 2 },
        async start(given) {
          const factory = { create: async () => ({}), destroy: async () => {} };
          const pool = genericPool.createPool(factory, given as genericPool.Options);
          return { pools: [pool], end: () => pool.drain() };
        },
      },
      /lent untested/,
    ],
    ['pool-leak-watch: it is off', 'warn', ours({ leakWatch: false }), /^orders: leak detection is off$/],
  ])('%s', async (name, status, application, summary) => {
    const [check = ''] = name.split(':');
    const [before] = await provesRepair(check, status, application);
    expect(before.summary).toMatch(summary);
  });
});

describeWithPostgres('a check of an application’s pools on a real server', () => {
  let own: OwnDatabase;
  beforeAll(async () => {
    own = await newDatabase();
  });
  afterAll(async () => {
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${own.name}'`);
  });

  const onServer = (
    options: DatabaseOptions,
    work: (db: Database) => Promise<unknown> = async () => {},
    port?: number,
  ): Application => ({
    options: { name: 'orders', ...options },
    async start(given) {
      const db = createDatabase(own.url(port === undefined ? {} : { port }), given as DatabaseOptions);
      await work(db);
      return { pools: [db.pool], end: () => db.close({ graceMs: 0 }) } satisfies Running;
    },
  });

  it('pool-recycle and pool-pre-ping: neither is set', async () => {
    const application = onServer({ recycleMs: null, prePing: false });
    await provesRepair('pool-recycle', 'warn', application);
    await provesRepair('pool-pre-ping', 'warn', application);
  });

  it('pool-acquire-timeout: longer than the server allows a statement', async () => {
    await ask(`alter database ${own.name} set statement_timeout = '4s'`);
    const application = { ...onServer({ timeoutMs: 9000 }), argv: [own.url()] };
    const [before, after] = await provesRepair('pool-acquire-timeout', 'warn', application);
    await ask(`alter database ${own.name} reset statement_timeout`);
    expect(before.evidence).toEqual(['a statement may take 4s']);
    expect(after.summary).toBe('orders: an acquire waits up to 4s');
  });

  it('pool-invalidations: connections that were cut while they were idle', async () => {
    const network = await forgetfulNetwork(Number(new URL(own.url()).port));
    const application = onServer(
      { size: 1, maxOverflow: 0, prePing: false, pingIdleMs: 0 },
      async (db) => {
        for (let i = 0; i < 4; i++) {
          await db.withSession((session) => session.query('select 1'));
          network.forget();
          await db.withSession((session) => session.query('select 1')).catch(() => {});
        }
      },
      network.port,
    );
    const [before, after] = await provesRepair('pool-invalidations', 'warn', application);
    network.close();
    expect(before.summary).toBe('orders: 4 of 8 leases ended with a broken connection');
    expect(before.evidence).toEqual(['pre-ping off, 0 found dead before lending']);
    expect(after.summary).toBe('orders: 0 of 8 leases ended with a broken connection');
  });
});

/** As a firewall: what it has forgotten it resets, but only when the next packet comes. */
async function forgetfulNetwork(target: number) {
  const pairs = new Set<{ client: Socket; server: Socket; forgotten: boolean }>();
  const proxy = createServer((client) => {
    const pair = { client, server: connect(target, '127.0.0.1'), forgotten: false };
    pairs.add(pair);
    client.on('data', (data) => {
      if (pair.forgotten) client.resetAndDestroy();
      else pair.server.write(data);
    });
    pair.server.on('data', (data) => void client.write(data));
    for (const end of [client, pair.server])
      end
        .on('error', () => {})
        .on('close', () => {
          pairs.delete(pair);
          client.destroy();
          pair.server.destroy();
        });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    forget() {
      for (const pair of pairs) pair.forgotten = true;
    },
    close: () => proxy.close(),
  };
}

function without(options: Options, key: string): Options {
  const { [key]: _, ...rest } = options;
  return rest;
}

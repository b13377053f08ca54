import genericPool from 'generic-pool';
import knex from 'knex';
import mysql from 'mysql2';
import pg from 'pg';
import { Sequelize } from 'sequelize';
import { afterEach, expect, it } from 'vitest';
import { createDatabase } from '../../src/index.js';
import { type PoolSetup, watch } from '../../src/watch/index.js';

/** No server is needed: what a pool is set up with is known before it connects. */
const url = 'postgres://nobody@127.0.0.1:1/nothing';
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});
const closing = <P extends object>(pool: P, end: (pool: P) => unknown): P => {
  ends.push(() => end(pool));
  return pool;
};

const pgPool = (options: pg.PoolConfig) => closing(new pg.Pool(options), (pool) => pool.end());
const generic = (options: genericPool.Options) =>
  closing(genericPool.createPool({ create: async () => ({}), destroy: async () => {} }, options), (pool) =>
    pool.drain(),
  );

it.each<[string, () => object, Partial<PoolSetup>]>([
  [
    'pg.Pool, as it comes',
    () => pgPool({ connectionString: url }),
    { acquireTimeoutMs: 'never', recycleMs: 'never', maxIdleMs: 10_000, prePing: false, leakAfterMs: 60_000 },
  ],
  [
    'pg.Pool, with limits',
    () =>
      pgPool({
        ...{ connectionString: url, connectionTimeoutMillis: 5000, idleTimeoutMillis: 0 },
        ...{ maxLifetimeSeconds: 1800, statement_timeout: 9000, query_timeout: 4000 },
      }),
    { acquireTimeoutMs: 5000, recycleMs: 1_800_000, maxIdleMs: 'never', statementTimeoutMs: 4000 },
  ],
  [
    'mysql2, as it comes',
    () => closing(mysql.createPool({ host: '127.0.0.1', port: 1 }), (pool) => pool.end(() => {})),
    { acquireTimeoutMs: 'never', recycleMs: 'never', maxIdleMs: 'never', prePing: false },
  ],
  [
    'mysql2, which closes idle ones',
    () =>
      closing(mysql.createPool({ host: '127.0.0.1', port: 1, maxIdle: 2, idleTimeout: 7000 }), (pool) =>
        pool.end(() => {}),
      ),
    { maxIdleMs: 7000 },
  ],
  [
    'generic-pool, as it comes',
    () => generic({ max: 2 }),
    { acquireTimeoutMs: 'never', maxIdleMs: 'never', prePing: false },
  ],
  [
    'generic-pool, with limits',
    () =>
      generic({
        ...{ max: 2, acquireTimeoutMillis: 800, idleTimeoutMillis: 9000 },
        ...{ evictionRunIntervalMillis: 60_000, testOnBorrow: true },
      }),
    { acquireTimeoutMs: 800, maxIdleMs: 9000, prePing: true },
  ],
  [
    'knex',
    () =>
      closing(
        knex({ client: 'pg', connection: url, pool: { min: 0, max: 3 }, acquireConnectionTimeout: 700 }),
        (db) => db.destroy(),
      ),
    { acquireTimeoutMs: 700, maxIdleMs: 30_000, recycleMs: 'never', prePing: null },
  ],
  [
    'Sequelize',
    () =>
      closing(
        new Sequelize(url, { dialect: 'postgres', logging: false, pool: { acquire: 900, idle: 4000 } }),
        (db) => db.close(),
      ),
    { acquireTimeoutMs: 900, maxIdleMs: 4000, prePing: null },
  ],
  [
    'our own',
    () =>
      closing(
        createDatabase('sqlite::memory:', {
          timeoutMs: null,
          prePing: false,
          leakWatch: { thresholdMs: 5000 },
        }),
        (db) => db.close(),
      ),
    { acquireTimeoutMs: 'never', recycleMs: 'never', prePing: false, leakAfterMs: 5000 },
  ],
  [
    'our own, nobody watching for leaks',
    () => closing(createDatabase('sqlite:x.db', { leakWatch: false }), (db) => db.close()),
    { acquireTimeoutMs: 10_000, recycleMs: 600_000, prePing: true, leakAfterMs: 'never' },
  ],
])('%s says how it is set up', (_, make, expected) => {
  const [snapshot] = watch(make()).snapshots();
  expect(snapshot?.setup).toMatchObject(expected);
});

import { randomBytes } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import type { DatabaseOptions } from '../../src/db/connection.js';
import { createDatabase, type Database } from '../../src/db/database.js';
import { askMysql, describeWithMariaDb, mariadb } from '../helpers/mysql.js';
import { describeWithPgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { ask, describeWithPostgres, newDatabase, postgres } from '../helpers/postgres.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const ADAPTIVE: DatabaseOptions = { size: 10, sizing: { min: 1, max: 20 }, timeoutMs: 20_000 };

function opened(url: string, options: DatabaseOptions = {}): Database {
  const db = createDatabase(url, { ...ADAPTIVE, ...options });
  endings.push(() => db.close({ graceMs: 0 }));
  return db;
}

/** Callers that query until the size is as expected. */
async function loadUntil(db: Database, sql: string, isReached: () => boolean): Promise<void> {
  const caller = async (): Promise<void> => {
    while (!isReached()) await db.withSession((session) => session.query(sql));
  };
  await Promise.all(Array.from({ length: 16 }, caller));
}

const sizingOf = (db: Database) => db.pool.snapshot().sizing;

describeWithPostgres('an adaptive pool of PostgreSQL', () => {
  /** A URL with a role that has so many connections at most. */
  const limitedUrl = async (most: number): Promise<string> => {
    const own = await newDatabase();
    const role = `limited_${randomBytes(4).toString('hex')}`;
    await ask(`create role ${role} login password 'secret' connection limit ${most}`);
    endings.push(() => ask(`drop role ${role}`));
    return `postgres://${role}:secret@127.0.0.1:${postgres?.port}/${own.name}`;
  };

  it('learns the limit of its role from the server, and stays within it', async () => {
    const db = opened(await limitedUrl(6));
    await loadUntil(db, 'select pg_sleep(0.005)', () => db.pool.snapshot().peakInUse === 6);
    expect(sizingOf(db)).toMatchObject({ ceiling: 6, settled: 6 });
    expect(db.pool.snapshot().counters.createFailed).toBe(0);
  });

  it('stays within max_connections where the role has no limit', async () => {
    const own = await newDatabase();
    const db = opened(own.url());
    await db.withSession((session) => session.query('select 1'));
    const { rows } = await ask(
      `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most`,
    );
    expect(sizingOf(db)?.ceiling).toBe(rows[0]?.most);
  });

  it('is content with what it has where others have taken the rest', async () => {
    const url = await limitedUrl(6);
    const other = createDatabase(url, { size: 3, maxOverflow: 0, minIdle: 3 });
    endings.push(() => other.close({ graceMs: 0 }));
    await other.pool.fill();
    const db = opened(url);
    await loadUntil(db, 'select pg_sleep(0.005)', () => db.pool.snapshot().counters.createFailed > 0);
    expect(sizingOf(db)?.ceiling).toBeLessThanOrEqual(3);
    expect(sizingOf(db)?.settled).toBeLessThanOrEqual(3);
  });
});

describeWithPgBouncer('an adaptive pool behind PgBouncer', () => {
  it('is content with what it has where the pooler takes no more clients', async () => {
    const own = await newDatabase();
    const pgbouncer = await startPgBouncer({ default_pool_size: 8, max_client_conn: 5 });
    endings.push(() => pgbouncer.stop());
    const db = opened(own.url({ port: pgbouncer.port, params: '?pgbouncer=true&sslmode=disable' }));
    await loadUntil(db, 'select pg_sleep(0.005)', () => db.pool.snapshot().counters.createFailed > 0);
    expect(sizingOf(db)?.ceiling).toBeLessThanOrEqual(5);
    expect(sizingOf(db)?.settled).toBeLessThanOrEqual(5);
  });
});

describeWithMariaDb('an adaptive pool of MariaDB', () => {
  it('learns the limit of its account from the server, and stays within it', async () => {
    const user = `limited_${randomBytes(4).toString('hex')}`;
    await askMysql(`create user '${user}'@'%' identified by 'secret' with max_user_connections 6`);
    endings.push(() => askMysql(`drop user '${user}'@'%'`));
    const db = opened(`mysql://${user}:secret@127.0.0.1:${mariadb?.port}/`);
    await loadUntil(db, 'select sleep(0.005)', () => db.pool.snapshot().peakInUse === 6);
    expect(sizingOf(db)).toMatchObject({ ceiling: 6, settled: 6 });
    expect(db.pool.snapshot().counters.createFailed).toBe(0);
  });
});

import { afterAll, beforeAll } from 'vitest';
import { createDatabase } from '../../src/db/database.js';
import {
  type DatabaseUnderTest,
  describeDatabase,
  type TestDatabase,
} from '../helpers/database-conformance.js';
import { describeWithPgBouncer, type PgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';

const postgresql: Omit<DatabaseUnderTest, 'title' | 'prepare'> = {
  placeholder: (position) => `$${position}`,
  codes: { syntax: '42601', notNull: '23502', parameterMissing: '08P01' },
  positions: true,
  types: {
    key: 'integer generated always as identity primary key',
    text: 'text',
    real: 'double precision',
    bytes: 'bytea',
    bigint: 'bigint',
  },
  slow: 'select pg_sleep(20)',
  can: { share: true, runInParallel: true, beKilled: true, beAway: true },
};

describeWithPostgres('on a real server', () => {
  describeDatabase({ ...postgresql, title: 'PostgreSQL', prepare: () => prepareDirect('') });
  describeDatabase({
    ...postgresql,
    title: 'PostgreSQL, statements prepared under names',
    prepare: () => prepareDirect('?prepare_threshold=1'),
  });
  describeDatabase({
    ...postgresql,
    title: 'PostgreSQL, over TLS',
    prepare: () => prepareDirect('?sslmode=require'),
  });
});

/** Databases that are empty and not in use. */
const free: OwnDatabase[] = [];

async function takeDatabase(): Promise<OwnDatabase> {
  return free.pop() ?? (await newDatabase());
}

async function giveBack(own: OwnDatabase): Promise<void> {
  await own.empty();
  free.push(own);
}

async function prepareDirect(params: string): Promise<TestDatabase> {
  const own = await takeDatabase();
  return {
    open: (options) => createDatabase(own.url({ params }), { size: 10, ...options }),
    kill: own.killOldest,
    outage: { begin: own.shut, end: own.reopen },
    allClosed: own.allClosed,
    remove: () => giveBack(own),
  };
}

describeWithPgBouncer('through PgBouncer, which pools transactions', () => {
  let pgbouncer: PgBouncer;
  beforeAll(async () => {
    pgbouncer = await startPgBouncer();
  });
  afterAll(() => pgbouncer.stop());

  describeDatabase({ ...postgresql, title: 'PostgreSQL', prepare: () => preparePooled('?pgbouncer=true') });
  describeDatabase({
    ...postgresql,
    title: 'PostgreSQL, where names were asked for and PgBouncer was not said to be there',
    prepare: () => preparePooled('?prepare_threshold=1'),
  });

  async function preparePooled(params: string): Promise<TestDatabase> {
    const own = await takeDatabase();
    const proxy = await startTcpProxy(pgbouncer.port);
    return {
      open: (options) => createDatabase(own.url({ port: proxy.port, params }), { size: 10, ...options }),
      kill: proxy.cutOldest,
      outage: { begin: proxy.refuse, end: proxy.accept },
      // What PgBouncer holds open to the server is its own affair.
      allClosed: async () => proxy.allClosed(),
      async remove() {
        await proxy.close();
        await giveBack(own);
      },
    };
  }
});

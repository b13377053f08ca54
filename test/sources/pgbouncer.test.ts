import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createDatabase, type Database } from '../../src/db/database.js';
import type { PoolerReading } from '../../src/snapshot/pooler.js';
import type { Reading } from '../../src/snapshot/reading.js';
import { type PgBouncerRows, type Row, statsAt, toReading } from '../../src/sources/pgbouncer-rows.js';
import { Poller } from '../../src/sources/poller.js';
import { openSource } from '../../src/sources/registry.js';
import type { StatsSource } from '../../src/sources/types.js';
import { eventually } from '../helpers/eventually.js';
import {
  describeWithPgBouncer,
  type PgBouncer,
  pgbouncerVersion,
  startPgBouncer,
} from '../helpers/pgbouncer.js';
import { newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { sampleOf, VERSIONS } from './pgbouncer-samples.js';

const options = { env: {}, clock: systemClock };

describeWithPgBouncer('the source pgbouncer://', () => {
  let own: OwnDatabase;
  let pgbouncer: PgBouncer;
  let source: StatsSource;
  let opened: Database[];

  beforeAll(async () => {
    own = await newDatabase();
    pgbouncer = await startPgBouncer({ default_pool_size: 2, stats_users: 'postgres' });
  });
  afterAll(() => pgbouncer?.stop());
  beforeEach(() => {
    opened = [];
    source = openSource(addressOf(pgbouncer.port), options);
  });
  afterEach(async () => {
    for (const db of opened) await db.close({ graceMs: 0 });
    await source[Symbol.asyncDispose]();
  });

  const addressOf = (port: number): string =>
    own.url({ port }).replace('postgres:', 'pgbouncer:').replace(own.name, '');
  const database = (params = '?application_name=app'): Database => {
    const db = createDatabase(own.url({ port: pgbouncer.port, params }), { size: 10, pgbouncer: true });
    opened.push(db);
    return db;
  };
  const read = async (): Promise<Reading & { pooler: PoolerReading }> => {
    const reading = await source.read(new AbortController().signal);
    if (reading.pooler === null) throw new Error('there is no pooler in it');
    return { ...reading, pooler: reading.pooler };
  };

  it('tells pools, clients and servers, and how they hang together', async () => {
    // A database that is in pgbouncer.ini as * is put aside while it has no pool, which the first login may still be
    // waiting for; SHOW DATABASES has it back from the next one on.
    const first = database();
    await (await first.getDb()).close();
    await first.close();
    const db = database();
    await using session = await db.getDb();
    await session.query('begin');
    const { rows } = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
    const { pooler, gaps } = await read();
    await session.query('rollback');
    expect(pooler).toMatchObject({ version: pgbouncerVersion, maxClients: 100 });
    expect(pooler.usedClients).toBeGreaterThanOrEqual(2);
    expect(pooler.pools.find((pool) => pool.database === own.name)).toMatchObject({
      ...{ user: 'postgres', mode: 'transaction', clientsActive: 1, clientsWaiting: 0 },
      ...{ serversActive: 1, serversIdle: 0, longestWaitMs: 0, size: 2 },
    });
    const [client] = pooler.clients.filter((one) => one.database === own.name);
    const server = pooler.servers.find(({ id }) => id === client?.link);
    expect(client).toMatchObject({ application: 'app', state: 'active', address: '127.0.0.1', waitMs: null });
    expect(server).toMatchObject({ backendPid: rows[0]?.pid, link: client?.id });
    expect(pooler.databases.find(({ name }) => name === own.name)).toMatchObject({ size: 2, paused: false });
    expect(pooler.config.default_pool_size).toBe('2');
    expect(gaps.map(({ what }) => what)).toEqual(
      pgbouncerVersion?.startsWith('1.18') ? ['whether all of it is paused'] : [],
    );
  });

  it('tells the queue with its wait to the microsecond', async () => {
    const db = database();
    const sessions = await Promise.all([1, 2, 3].map(() => db.getDb()));
    const [one, two, three] = sessions;
    await one?.query('begin');
    await two?.query('begin');
    const waiting = three?.query('select 1');
    const pool = async () => (await read()).pooler.pools.find((each) => each.database === own.name);
    await eventually(async () => ((await pool())?.longestWaitMs ?? 0) % 1000 > 0);
    const { pooler } = await read();
    expect(pooler.pools.find((each) => each.database === own.name)).toMatchObject({
      ...{ clientsWaiting: 1, serversActive: 2 },
    });
    const waiter = pooler.clients.find(({ state }) => state === 'waiting');
    expect(waiter).toMatchObject({ link: null, database: own.name });
    expect(waiter?.waitMs).toBeGreaterThan(0);
    for (const session of [one, two]) await session?.query('rollback');
    await waiting;
    for (const session of sessions) await session.close();
  });

  it('tells rates between two readings: the busy time is without the queue', async () => {
    const db = database();
    // Before its first client a database has no counters.
    await db.withSession((session) => session.query('select 1'));
    await read();
    await Promise.all(
      Array.from({ length: 6 }, () => db.withSession((session) => session.query('select pg_sleep(0.05)'))),
    );
    const row = (await read()).pooler.databases.find(({ name }) => name === own.name);
    expect(row?.transactionsPerSecond).toBeGreaterThan(0);
    expect(row?.queriesPerSecond).toBeGreaterThanOrEqual(row?.transactionsPerSecond ?? 0);
    // Four of the six have waited; the two servers cannot have been busier than all the time.
    expect(row?.waitMs).toBeGreaterThan(0);
    expect(row?.busy).toBeGreaterThan(0);
    expect(row?.busy).toBeLessThan(2.1);
  });

  it('a database that is paused says so', async () => {
    const db = database();
    await db.withSession((session) => session.query('select 1'));
    const console = createDatabase(own.url({ port: pgbouncer.port }).replace(own.name, 'pgbouncer'), {
      size: 1,
      pingIdleMs: 0,
    });
    opened.push(console);
    await console.withSession((session) => session.exec(`pause ${own.name}`));
    const paused = (await read()).pooler.databases.find(({ name }) => name === own.name)?.paused;
    await console.withSession((session) => session.exec(`resume ${own.name}`));
    expect(paused).toBe(true);
  });

  it('a restarted one is stale while it is down, and read again without false rates', async () => {
    const first = await startPgBouncer();
    const address = addressOf(first.port);
    await using poller = new Poller([openSource(address, options)], { clock: systemClock, intervalMs: 20 });
    const state = () => poller.states()[0];
    await eventually(() => state()?.reading != null);
    await first.stop();
    await eventually(() => /ECONNREFUSED/.test(state()?.stale?.why ?? ''));
    expect(state()?.reading?.pooler?.version).toBe(pgbouncerVersion);
    const second = await startPgBouncer({ listen_port: first.port });
    poller.refresh();
    await eventually(() => state()?.stale === null);
    await second.stop();
  });

  it('a user who may not use the console is told where to be added', async () => {
    const closed = await startPgBouncer({ admin_users: 'nobody' });
    await using refused = openSource(addressOf(closed.port), options);
    await expect(refused.read(new AbortController().signal)).rejects.toMatchObject({
      code: 'ERR_SOURCE_UNREACHABLE',
      message: expect.stringContaining('cannot connect to PgBouncer at 127.0.0.1'),
      hint: 'add the user to stats_users or admin_users in pgbouncer.ini',
    });
    await closed.stop();
  });

  it('a PostgreSQL behind that address is told, and a pooler behind postgres://', async () => {
    await using wrong = openSource(
      own.url().replace('postgres:', 'pgbouncer:').replace(own.name, ''),
      options,
    );
    const { signal } = new AbortController();
    await expect(wrong.read(signal)).rejects.toMatchObject({
      hint: expect.stringMatching(/pgbouncer|psql -l/),
    });
    await using other = openSource(own.url({ port: pgbouncer.port }).replace(own.name, 'pgbouncer'), options);
    await expect(other.read(signal)).rejects.toMatchObject({
      code: 'ERR_SOURCE_ANSWER',
      hint: 'write pgbouncer:// instead of postgres://',
    });
  });
});

describe('what PgBouncer says', () => {
  const readingOf = (
    rows: PgBouncerRows,
    before: PgBouncerRows | null = null,
    spanMs = 2000,
  ): PoolerReading => {
    const rates = { before: before === null ? null : statsAt(before, 0), now: statsAt(rows, spanMs) };
    const { pooler } = toReading(rows, 'pgbouncer://x', 1, rates);
    if (pooler === null) throw new Error('there is no pooler in it');
    return pooler;
  };
  const pool = { database: 'orders', user: 'app', pool_mode: 'transaction' };
  const databases = [{ name: 'orders', pool_size: '4', reserve_pool: '1', reserve_pool_size: '1' }];

  describe.each(VERSIONS)('version %s', (version) => {
    const sample = sampleOf(version, {
      databases,
      pools: [
        {
          ...{ ...pool, cl_active: '9', cl_waiting: '3', sv_active: '2', sv_idle: '1', sv_used: '1' },
          ...{ sv_login: '1', sv_tested: '1', sv_active_cancel: '1', maxwait: '1', maxwait_us: '250000' },
        },
        { ...pool, database: 'pgbouncer', cl_active: '1' },
      ],
      clients: [
        {
          ...CLIENT,
          state: 'active',
          ptr: 'c1',
          link: 's1',
          port: '4001',
          wait: '5',
          application_name: 'shop',
        },
        { ...CLIENT, state: 'waiting', ptr: 'c2', port: '4002', wait: '1', wait_us: '250000' },
        { ...CLIENT, state: 'active', ptr: 'c3', addr: 'unix', port: '6432' },
        { ...CLIENT, state: 'active', ptr: 'c4', database: 'pgbouncer' },
      ],
      servers: [
        {
          ...CLIENT,
          type: 'S',
          state: 'active',
          ptr: 's1',
          link: 'c1',
          remote_pid: '77',
          local_port: '5001',
        },
        { ...CLIENT, type: 'S', state: 'new', ptr: 's2' },
      ],
    });
    const pooler = readingOf(sample);

    it('its pools are read by the names of their columns, without the console', () => {
      expect(pooler.pools).toEqual([
        {
          ...{ database: 'orders', user: 'app', mode: 'transaction', size: 4 },
          ...{ clientsActive: 9, clientsWaiting: 3, longestWaitMs: 1250 },
          ...{ serversActive: 2, serversIdle: 2, serversOther: 3 },
        },
      ]);
      expect(pooler.databases).toMatchObject([{ name: 'orders', size: 4, reserve: 1, paused: false }]);
      expect(pooler).toMatchObject({ version, maxClients: 100, usedClients: 7 });
    });

    it('its clients and servers are', () => {
      expect(pooler.clients).toMatchObject([
        { id: 'c1', port: 4001, link: 's1', application: 'shop', state: 'active', waitMs: null },
        { id: 'c2', port: 4002, link: null, application: null, waitMs: 1250 },
        { id: 'c3', port: null, address: 'unix' },
      ]);
      expect(pooler.servers).toMatchObject([
        { id: 's1', link: 'c1', backendPid: 77, localPort: 5001 },
        { id: 's2', link: null, backendPid: null, localPort: null },
      ]);
    });

    it('rates come from the difference of two readings', () => {
      const stats = (transactions: number, times: Row): PgBouncerRows =>
        sampleOf(version, {
          databases,
          stats: [
            {
              ...{
                database: 'orders',
                total_xact_count: `${transactions}`,
                total_query_count: `${transactions * 3}`,
              },
              ...{ total_server_assignment_count: `${transactions / 2}`, ...times },
            },
          ],
        });
      const before = stats(1000, { total_xact_time: '0', total_wait_time: '0' });
      // The figures that were measured: 20 clients, 4 servers, 240 seconds.
      const now = stats(3000, { total_xact_time: '4798600000', total_wait_time: '3838000000' });
      const [row] = readingOf(now, before, 240_000).databases;
      expect(row?.transactionsPerSecond).toBeCloseTo(2000 / 240);
      expect(row?.queriesPerSecond).toBeCloseTo(6000 / 240);
      expect(row?.busy).toBeCloseTo(4, 1);
      const counted = VERSIONS.indexOf(version) >= VERSIONS.indexOf('1.23.1');
      expect(row?.waitMs).toBeCloseTo(3_838_000 / (counted ? 1000 : 2000));
    });
  });

  it('there are no rates in the first reading, after a restart, or of a new database', () => {
    const at = (count: number): PgBouncerRows =>
      sampleOf('1.18.0', { databases, stats: [{ database: 'orders', total_xact_count: count }] });
    const none = { transactionsPerSecond: null, queriesPerSecond: null, waitMs: null, busy: null };
    expect(readingOf(at(5)).databases[0]).toMatchObject(none);
    expect(readingOf(at(4), at(5)).databases[0]).toMatchObject(none);
    expect(readingOf(at(4), sampleOf('1.18.0', {})).databases[0]).toMatchObject(none);
  });

  it('where sessions keep their server, the wait of one client is not known before 1.23', () => {
    const at = (version: '1.18.0' | '1.23.1', count: number) =>
      sampleOf(version, {
        databases: [{ ...databases[0], pool_mode: 'session' }],
        stats: [
          {
            ...{ database: 'orders', total_xact_count: count, total_wait_time: count * 1000 },
            total_server_assignment_count: count / 10,
          },
        ],
      });
    expect(readingOf(at('1.18.0', 100), at('1.18.0', 0)).databases[0]?.waitMs).toBeNull();
    expect(readingOf(at('1.23.1', 100), at('1.23.1', 0)).databases[0]?.waitMs).toBe(10);
  });

  it('all databases are paused where all of it is', () => {
    const sample = sampleOf('1.19.1', { databases });
    const state = [{ key: 'paused', value: 'yes' }];
    expect(readingOf({ ...sample, state }).databases[0]?.paused).toBe(true);
  });

  it('the limit of a database is the size of a pool that is larger', () => {
    const sample = sampleOf('1.18.0', {
      databases: [{ ...databases[0], max_connections: '3' }],
      pools: [pool],
    });
    expect(readingOf(sample).pools[0]?.size).toBe(3);
  });

  it('what the console refuses is empty or null', () => {
    const nothing = { pools: null, databases: null, stats: null, clients: null, servers: null } as const;
    const rows = { version: '1.20.0', ...nothing, lists: null, config: null, state: null };
    expect(readingOf(rows)).toMatchObject({ pools: [], clients: [], maxClients: null, usedClients: null });
  });
});

const CLIENT = { type: 'C', user: 'app', database: 'orders', addr: '127.0.0.1', local_addr: '127.0.0.1' };

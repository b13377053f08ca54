import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { Reading } from '../../src/snapshot/reading.js';
import { Poller } from '../../src/sources/poller.js';
import { type PostgresRows, toReading } from '../../src/sources/postgres-rows.js';
import { openSource } from '../../src/sources/registry.js';
import type { StatsSource } from '../../src/sources/types.js';
import { eventually } from '../helpers/eventually.js';
import {
  ask,
  connectAdmin,
  describeWithPostgres,
  newDatabase,
  type OwnDatabase,
} from '../helpers/postgres.js';
import { startPostgres } from '../helpers/postgres-server.js';

const options = { env: {}, clock: systemClock };

describeWithPostgres('the source postgres://', () => {
  let own: OwnDatabase;
  let sources: StatsSource[];
  let clients: pg.Client[];

  beforeAll(async () => {
    own = await newDatabase();
    await ask('drop role if exists watcher');
    await ask("create role watcher login password 'watcher'");
  });
  beforeEach(() => {
    sources = [];
    clients = [];
  });
  afterEach(async () => {
    for (const source of sources) await source[Symbol.asyncDispose]();
    for (const client of clients) await client.end();
    await own.allClosed();
  });

  const open = (url = own.url()): StatsSource => {
    const source = openSource(url, options);
    sources.push(source);
    return source;
  };
  const connect = async (): Promise<pg.Client> => {
    const client = await connectAdmin(own.name);
    clients.push(client);
    return client;
  };
  const read = (source: StatsSource): Promise<Reading> => source.read(new AbortController().signal);
  const ofDatabase = ({ backends }: Reading) => backends.filter(({ database }) => database === own.name);
  const portOf = (client: pg.Client): unknown =>
    (client as unknown as { connection: { stream: { localPort: number } } }).connection.stream.localPort;
  const pidOf = async (client: pg.Client): Promise<number> =>
    (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0;

  /** One holds a lock, one waits for it. */
  const block = async () => {
    const [blocker, waiter] = [await connect(), await connect()];
    await blocker.query('create table if not exists accounts (id int primary key, balance int)');
    await blocker.query('insert into accounts values (1, 0) on conflict do nothing');
    const pids = { blocker: await pidOf(blocker), waiter: await pidOf(waiter) };
    await blocker.query('begin');
    await blocker.query('update accounts set balance = 1 where id = 1');
    const waiting = waiter.query('update accounts set balance = 2 where id = 1');
    const isWaiting = `select 1 from pg_stat_activity where pid = ${pids.waiter} and wait_event_type = 'Lock'`;
    await eventually(async () => (await ask(isWaiting)).rowCount === 1);
    return {
      ...{ blocker, pids },
      async end() {
        await blocker.query('rollback');
        await waiting;
      },
    };
  };

  it('tells each backend, its client port, its transaction, and who blocks whom', async () => {
    const { blocker, pids, end } = await block();
    const reading = await read(open());
    await end();
    const [one, two] = [pids.blocker, pids.waiter].map((pid) => reading.backends.find((b) => b.pid === pid));
    expect(one).toMatchObject({
      ...{ user: 'postgres', database: own.name, clientAddress: '127.0.0.1', clientPort: portOf(blocker) },
      ...{ state: 'idle in transaction', waitType: 'Client', waitEvent: 'ClientRead', blockedBy: [] },
      ...{ query: 'update accounts set balance = 1 where id = 1', transactionMs: expect.any(Number) },
    });
    expect(two).toMatchObject({ state: 'active', waitType: 'Lock', blockedBy: [pids.blocker] });
    expect(reading).toMatchObject({ kind: 'postgres', gaps: [], pooler: null, pools: [] });
  });

  it('tells the limits of the server, and the counters of its databases', async () => {
    await connect();
    const { server } = await read(open());
    expect(server).toMatchObject({ maxConnections: 60, version: expect.stringMatching(/^\d+/) });
    const { rows } = await ask('show superuser_reserved_connections');
    expect(server?.reservedConnections).toBe(Number(Object.values(rows[0] ?? {})[0]));
    expect(server?.usedConnections).toBeGreaterThanOrEqual(2);
    const database = server?.databases.find(({ name }) => name === own.name);
    expect(database).toMatchObject({ sessionsKilled: 0, transactions: expect.any(Number) });
    expect(database?.sessions).toBeGreaterThan(0);
  });

  it('leaves itself out, and asks on one connection', async () => {
    const source = open();
    for (let i = 0; i < 3; i++) expect(ofDatabase(await read(source))).toEqual([]);
    const { rows } = await ask(`select application_name from pg_stat_activity where datname = '${own.name}'`);
    expect(rows).toEqual([{ application_name: 'poolctl' }]);
  });

  it('a role without pg_monitor is told what it lacks, and still sees who blocks whom', async () => {
    const { pids, end } = await block();
    const asWatcher = own.url().replace(/\/\/.*@/, '//watcher:watcher@');
    const reading = await read(open(asWatcher));
    await ask('grant pg_monitor to watcher');
    const later = await read(open(asWatcher));
    await ask('revoke pg_monitor from watcher');
    await end();
    const waiter = reading.backends.find(({ pid }) => pid === pids.waiter);
    expect(waiter).toMatchObject({ state: null, query: null, clientPort: null, blockedBy: [pids.blocker] });
    expect(reading.gaps).toEqual([
      {
        what: expect.stringMatching(/^states, queries and client ports of \d+ backends of other users$/),
        why: 'needs pg_monitor: GRANT pg_monitor TO "watcher"',
      },
    ]);
    expect(later.gaps).toEqual([]);
    expect(later.backends.find(({ pid }) => pid === pids.waiter)?.query).toContain('balance = 2');
  });

  it('when the server ends the connection, the next reading is on a new one', async () => {
    const source = open();
    await read(source);
    await own.killOldest();
    const again = await read(source).catch(() => read(source));
    expect(again.server?.maxConnections).toBe(60);
  });

  it('a reading is given up at once, also where the server does not answer', async () => {
    const server = await startPostgres();
    const { user, password, port } = server;
    const url = `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
    await using source = openSource(url, options);
    await read(source);
    const postmaster = await server.pid();
    const backends = await read(source).then(() => backendsOf(port, password));
    for (const pid of [postmaster, ...backends]) process.kill(pid, 'SIGSTOP');
    try {
      const giveUp = new AbortController();
      const reading = source.read(giveUp.signal);
      giveUp.abort(new Error('long enough'));
      await expect(reading).rejects.toThrow();
    } finally {
      for (const pid of [...backends, postmaster]) process.kill(pid, 'SIGCONT');
    }
    await server.remove();
  });

  it('a restarted server is stale while it is down, and read again when it is back', async () => {
    const server = await startPostgres();
    const { user, password, port } = server;
    const url = `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
    await using poller = new Poller([openSource(url, options)], { clock: systemClock, intervalMs: 20 });
    const state = () => poller.states()[0];
    await eventually(() => state()?.reading != null);
    await server.stop();
    await eventually(() => state()?.stale != null);
    expect(state()).toMatchObject({
      reading: { server: { maxConnections: 60 } },
      stale: { why: expect.any(String), sinceMs: expect.any(Number) },
    });
    await eventually(() => /ECONNREFUSED/.test(state()?.stale?.why ?? ''));
    expect(state()?.stale?.hint).toContain('nothing listens there');
    await server.start();
    poller.refresh();
    await eventually(() => state()?.stale === null);
    await server.remove();
  });

  it.each([
    ['a wrong password', '//postgres:wrong@', '28P01', /check user and password/],
    ['an unknown database', null, '3D000', /psql -l/],
  ])('%s is told with what to do', async (_, who, code, hint) => {
    const url = who === null ? `${own.url()}_not` : own.url().replace(/\/\/.*@/, who);
    await expect(read(open(url))).rejects.toMatchObject({ code, hint: expect.stringMatching(hint) });
  });
});

describe('what PostgreSQL says', () => {
  const settings = {
    ...{ version: '16.3', role: 'app"s', tracks_activities: true, tracks_counts: true },
    ...{ max_connections: 100, superuser_reserved: 3, reserved: 2, sees_all: true },
  };
  const backend = {
    ...{ pid: 7, database: 'orders', user: 'app', application: '', client_address: null, client_port: -1 },
    ...{ state: 'idle', wait_event_type: 'Client', wait_event: 'ClientRead', query: '', is_own: false },
    ...{ state_ms: -5, transaction_ms: null, query_ms: 5, connected_ms: 10, blocked_by: null },
  };
  const database = { name: 'orders', transactions: 12n, columns: { sessions: 4, active_time: 1.5 } };
  const readingOf = (rows: Partial<PostgresRows>): Reading =>
    toReading({ settings, backends: [], databases: [], ...rows }, 'postgres://x', 1);

  it.each<[string, Partial<PostgresRows>, object]>([
    ['both reserved settings count', {}, { server: { reservedConnections: 5, maxConnections: 100 } }],
    [
      'over a Unix socket there is no port, and no name is none; a clock set back makes no negative age',
      { backends: [backend] },
      { backends: [{ clientPort: null, application: null, query: null, stateMs: 0 }] },
    ],
    [
      'the one that asks counts but is not listed',
      { backends: [{ ...backend, is_own: true }] },
      {
        backends: [],
        server: { usedConnections: 1 },
      },
    ],
    [
      'who holds several of the locks is named once',
      { backends: [{ ...backend, blocked_by: [9, 9, 0] }] },
      { backends: [{ blockedBy: [9, 0] }] },
    ],
    [
      'what this version does not count is null',
      { databases: [database, { ...database, columns: {} }] },
      {
        server: { databases: [{ transactions: 12, sessions: 4, activeMs: 1.5 }, { sessions: null }] },
        gaps: [{ what: 'sessions of databases', why: 'needs PostgreSQL 14' }],
      },
    ],
    [
      'what is hidden is a gap',
      { backends: [{ ...backend, query: '<insufficient privilege>' }] },
      {
        backends: [{ query: null }],
        gaps: [
          {
            what: 'states, queries and client ports of 1 backend of other users',
            why: 'needs pg_monitor: GRANT pg_monitor TO "app""s"',
          },
        ],
      },
    ],
    [
      'what the server does not track is a gap',
      { settings: { ...settings, tracks_activities: false, tracks_counts: false } },
      { gaps: [{ why: 'track_activities is off' }, { why: 'track_counts is off' }] },
    ],
  ])('%s', (_, rows, expected) => {
    expect(readingOf(rows)).toMatchObject(expected);
  });
});

async function backendsOf(port: number, password: string): Promise<number[]> {
  const client = await connectAdmin('postgres', { port, password, user: 'postgres', socket: '' });
  const { rows } = await client.query<{ pid: number }>(
    "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  );
  await client.end();
  return rows.map(({ pid }) => pid);
}

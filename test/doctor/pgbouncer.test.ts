import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { versionFinding } from '../../src/doctor/checks/pooler-version.js';
import { preparedFinding } from '../../src/doctor/checks/prepared-statements.js';
import { OUTLIVES } from '../../src/doctor/checks/session-state.js';
import { databaseTexts, type PooledDatabase } from '../../src/doctor/pooler-facts.js';
import { capSteps } from '../../src/doctor/pooler-steps.js';
import type { PgBouncerTarget } from '../../src/doctor/types.js';
import { Unknowable } from '../../src/doctor/unknowable.js';
import { watch } from '../../src/watch/index.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/guarded.js';
import { describeWithPgBouncer } from '../helpers/pgbouncer.js';
import { ask, newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import type { PostgresAddress } from '../helpers/postgres-server.js';
import { publishOn } from './applications.js';
import {
  connected,
  examine,
  type Patient,
  type Pooler,
  provesBothWays,
  type Settings,
  startPooler,
  urlOf,
} from './bench.js';

describeWithPgBouncer('a check of PgBouncer', () => {
  // Where there is none, nothing below is run.
  const server = postgres as PostgresAddress;
  let pooler: Pooler;
  let database: OwnDatabase;
  const clients: pg.Client[] = [];
  beforeAll(async () => {
    database = await newDatabase();
    // Of the superuser alone; in both of these databases clients log in as themselves.
    pooler = await startPooler(server, {
      databases: {
        shop: `host=127.0.0.1 port=${server.port} dbname=${database.name}`,
        'odd-1': `host=127.0.0.1 port=${server.port} dbname=${database.name}`,
      },
      users: { 'it\'s "me" %s': 'x', other: 'y' },
      before: 'ulimit -n 900',
    });
  });
  afterAll(async () => {
    await pooler?.stop();
  });
  beforeEach(() => pooler.configure({}));
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end().catch(() => {})));
  });

  const patient = (more: Partial<Patient> = {}): Patient => ({
    server,
    pooler,
    targets: [pooler.url()],
    ...more,
  });
  const both = (more: Partial<Patient> = {}): Patient =>
    patient({ targets: [pooler.url(), urlOf(server, { database: database.name })], ...more });
  const set = (settings: Settings) => pooler.configure(settings);
  const client = async (): Promise<pg.Client> => {
    const one = await connected({ ...server, port: pooler.port }, { database: 'shop' });
    clients.push(one);
    return one;
  };

  it('pooler-auth: everybody gets in, or may replay a secret', async () => {
    await set({ auth_type: 'trust' });
    const [before] = await provesBothWays('pooler-auth', 'fail', patient());
    expect(before.summary).toBe('auth_type is trust: everybody gets in');
    await set({ auth_type: 'md5' });
    const [other] = await provesBothWays('pooler-auth', 'warn', patient());
    expect(other.summary).toBe('auth_type is md5');
  });

  it('pooler-keepalives: off, or left to the system', async () => {
    await set({ tcp_keepalive: 0 });
    expect((await provesBothWays('pooler-keepalives', 'fail', patient()))[0].summary).toBe(
      'keepalives are off',
    );
    await set({});
    const [before, after] = await provesBothWays('pooler-keepalives', 'warn', patient());
    expect(before.evidence).toContain('tcp_keepidle = 0');
    expect(after.summary).toBe('PgBouncer detects a dead peer after 1m50s');
  });

  it('server-lifetime: each connection is used once, or soon replaced', async () => {
    await set({ server_lifetime: 0 });
    await provesBothWays('server-lifetime', 'fail', patient());
    await set({ server_lifetime: 10 });
    const [before, after] = await provesBothWays('server-lifetime', 'warn', patient());
    expect(before.summary).toBe('PgBouncer replaces connections after only 10s');
    expect(after.summary).toBe('they live for 1h');
  });

  it('reset-query: clients inherit from each other, or discard for nothing', async () => {
    await set({ pool_mode: 'session', server_reset_query: '' });
    const [before, after] = await provesBothWays('reset-query', 'fail', patient());
    expect(before.summary).toMatch(/^session mode without/);
    expect(after.summary).toBe('DISCARD ALL');
    await set({ server_reset_query_always: 1 });
    await provesBothWays('reset-query', 'warn', patient());
  });

  it('pooler-paused: a database is paused, another one disabled', async () => {
    await Promise.all([client()]);
    await pooler.tell('PAUSE shop');
    await pooler.tell('DISABLE "odd-1"');
    const [before] = await provesBothWays('pooler-paused', 'fail', patient());
    expect(before.summary).toBe('shop is paused, odd-1 is disabled');
    expect(before.fix?.steps.map(({ text }) => text)).toEqual(['RESUME shop', 'ENABLE "odd-1"']);
  });

  it('pooler-queue: one holds the only server, another one waits', async () => {
    await set({ default_pool_size: 1 });
    const [holder, waiter] = [await client(), await client()];
    await holder.query('BEGIN');
    const waiting = waiter.query('SELECT 1');
    const flags = ['--queue-wait=1ms'];
    await eventually(async () => {
      const { results } = await examine([pooler.url(), '--only=pooler-queue', ...flags]);
      return results[0]?.status === 'fail';
    });
    const byHand = async () => void (await holder.query('COMMIT'));
    const [before] = await provesBothWays('pooler-queue', 'fail', both({ flags, byHand }));
    await waiting;
    expect(before.evidence.join('\n')).toMatch(
      /pool shop\/postgres \(transaction\): 1 waiting, 1 server busy, 0 free/,
    );
    expect(before.evidence.at(-1)).toBe('1 of its 1 servers are idle in a transaction');
    // A larger pool is no repair: the one server is idle in a transaction.
    expect(before.evidence.join('\n')).toMatch(/remote-call-in-transaction: .*idle in transactions/);
    expect(before.fix?.steps.map(({ text }) => text).join('\n')).not.toMatch(/pool_size/);
  });

  it('client-limit: nearly all clients are there, or would come', async () => {
    await set({ max_client_conn: 4 });
    await Promise.all([client(), client(), client()]);
    const [before] = await provesBothWays('client-limit', 'fail', patient());
    expect(before.summary).toMatch(/^4 of 4 clients/);
    const flags = ['--pool-size=20', '--max-overflow=30', '--instances=10'];
    const [more, after] = await provesBothWays('client-limit', 'fail', patient({ flags }));
    expect(more.summary).toBe('the application alone may open 500 clients; the limit is 100');
    expect(after.evidence).toContain('max_client_conn = 625');
  });

  it('file-limit: more connections than files', async () => {
    await set({ max_client_conn: 5000 });
    const [before, after] = await provesBothWays('file-limit', 'fail', patient());
    // Three users and two databases of 20 each.
    expect(before.summary).toBe('up to 5,140 files, limit 900');
    expect(after.evidence[0]).toBe('max_client_conn = 760');
  });

  it('pool-explosion: users and databases multiply', async () => {
    const [before] = await provesBothWays('pool-explosion', 'warn', patient());
    expect(before.evidence).toEqual([
      'database odd-1: 20 x 3 users = 60',
      'database shop: 20 x 3 users = 60',
    ]);
    await set({});
    const [more, after] = await provesBothWays('pool-explosion', 'fail', both());
    expect(more.summary).toBe('up to 120 connections; the server has 57');
    expect(after.evidence[0]).toBe('database odd-1: 20 x 3 users, at most 25 by max_db_connections = 25');
  });

  it('prepared-statements: this version follows none', async () => {
    const [before, after] = await provesBothWays('prepared-statements', 'warn', patient());
    expect(before.fix?.steps).toEqual([{ kind: 'env', at: null, text: 'DB_PREPARE_THRESHOLD=0' }]);
    expect(after.summary).toBe('the application uses no named statements (DB_PREPARE_THRESHOLD=0)');
    const env = { DB_PREPARE_THRESHOLD: '5' };
    const [worse] = await provesBothWays('prepared-statements', 'fail', patient({ env }));
    expect(worse.summary).toMatch(/^the application names statements \(after 5 runs\)/);
    await provesBothWays('prepared-statements', 'warn', patient({ env: { ...env, USE_PGBOUNCER: 'false' } }));
    await set({ pool_mode: 'session' });
    const { results } = await examine([pooler.url(), '--only=prepared-statements'], { env });
    expect(results).toMatchObject([{ status: 'pass' }]);
  });

  it('startup-parameters: a time-out is dropped in silence, or refused', async () => {
    await set({ ignore_startup_parameters: 'extra_float_digits, statement_timeout, options' });
    const [before, after] = await provesBothWays('startup-parameters', 'fail', both());
    expect(before.summary).toBe('it silently drops statement_timeout, options');
    expect(after.summary).toBe('it drops only unimportant parameters (extra_float_digits)');
    // The server has the limit now by itself.
    await set({ ignore_startup_parameters: 'statement_timeout' });
    const { results } = await examine([...both().targets, '--only=startup-parameters']);
    expect(results).toMatchObject([{ status: 'pass' }]);
    const flags = ['--statement-timeout=5s'];
    await set({});
    const refused = await examine([...both().targets, '--only=startup-parameters', ...flags]);
    expect(refused.results).toMatchObject([{ status: 'fail', summary: expect.stringContaining('refuses') }]);
  });

  it('timeout-order: the application waits for longer than PgBouncer lets it', async () => {
    await set({ query_wait_timeout: 5, server_connect_timeout: 3 });
    const env = { DB_POOL_TIMEOUT: '30', DB_CONNECT_TIMEOUT: '10' };
    const [before] = await provesBothWays('timeout-order', 'fail', patient({ env }));
    expect(before.summary).toBe(
      'the application waits 30s, but PgBouncer disconnects it after 5s; ' +
        'the application allows 10s to connect, PgBouncer allows 3s for the server',
    );
    expect(before.fix?.steps.map(({ text }) => text)).toEqual(['DB_POOL_TIMEOUT=2', 'DB_CONNECT_TIMEOUT=1']);
    await set({ query_wait_timeout: 0, query_timeout: 10 });
    const [more, after] = await provesBothWays(
      'timeout-order',
      'fail',
      both({ env: { DB_POOL_TIMEOUT: 'never' } }),
    );
    expect(more.summary).toMatch(
      /^a query may wait in PgBouncer forever.*waits forever, .*ends a query after 10s/,
    );
    expect(after.evidence).toContain('statement_timeout = 8s (database)');
  });

  it('double-pooling: connections of a pool keep servers in session mode', async () => {
    await set({ pool_mode: 'session' });
    const flags = ['--pool-size=5', '--max-overflow=10', '--instances=3'];
    const [before, after] = await provesBothWays('double-pooling', 'fail', patient({ flags }));
    expect(before.summary).toBe('session mode for odd-1, shop: 45 connections of pools on 20 servers');
    expect(after.summary).toBe('up to 15 connections each, on 20 servers');
    const env = { DB_POOL_SIZE: '20', DB_MAX_OVERFLOW: '30' };
    const [other] = await provesBothWays('double-pooling', 'warn', patient({ env }));
    expect(other.summary).toBe('one process may take all 20 servers (it has up to 50 connections)');
  });

  it('session-state: locks and settings stay on servers that others use', async () => {
    await set({ default_pool_size: 2 });
    const [one, other] = [await client(), await client()];
    await one.query('BEGIN; SELECT pg_advisory_lock(7)');
    await other.query('SET search_path = nowhere');
    await one.query('COMMIT');
    const [before, after] = await provesBothWays('session-state', 'fail', both());
    expect(before.summary).toMatch(
      /^left behind on shared servers: (an advisory lock, SET|SET, an advisory lock)$/,
    );
    expect(after.summary).toMatch(/^\d shared servers hold no session state$/);
  });

  it('stale-connections: kept for longer than they live, and not tried', async () => {
    await set({ client_idle_timeout: 300 });
    const env = { DB_POOL_PRE_PING: 'false', DB_POOL_RECYCLE: '3600' };
    const [before, after] = await provesBothWays('stale-connections', 'fail', patient({ env }));
    expect(before.evidence).toEqual([
      'DB_POOL_PRE_PING = off',
      'DB_POOL_RECYCLE = 1h',
      'client_idle_timeout = 5m',
      'server_lifetime = 1h',
    ]);
    expect(before.fix?.steps.map(({ text }) => text)).toEqual([
      'DB_POOL_PRE_PING=true',
      'DB_POOL_RECYCLE=150',
    ]);
    expect(after.evidence[1]).toBe('DB_POOL_RECYCLE = 2m30s');
  });

  it('fleet-sum: poolers and direct connections together are too many', async () => {
    const [before, after] = await provesBothWays('fleet-sum', 'fail', both());
    expect(before.summary).toBe('up to 120 connections; the server has 57');
    expect(after.evidence[0]).toMatch(/database odd-1: 20 x 3 users, at most 25 by max_db_connections = 25$/);
    await set({});
    const env = { DB_POOL_SIZE: '20', DB_MAX_OVERFLOW: '30', USE_PGBOUNCER: 'false' };
    const [more, then] = await provesBothWays('fleet-sum', 'fail', both({ env, flags: ['--instances=4'] }));
    expect(more.summary).toBe('up to 320 connections; the server has 57');
    expect(then.evidence).toContain('application: (pool size 2 + overflow 4) x 4 instances = 24');
    const alone = { server, targets: [urlOf(server)], env: { ...env, DB_MAX_OVERFLOW: '-1' } };
    const [unlimited] = await provesBothWays('fleet-sum', 'fail', alone);
    expect(unlimited.summary).toBe('unlimited connections; the server has 57');
  });

  it('fleet-sum: the pools of a running application have more than the server', async () => {
    const port = await freePort();
    let { pool, close } = await application(100);
    onTestFinished(() => close());
    const targets = [urlOf(server), `pool:127.0.0.1:${port}`];
    const byHand = async (text: string): Promise<void> => {
      await close();
      ({ pool, close } = await application(Number(/: set max: (\d+)$/.exec(text)?.[1])));
    };
    // Lent, it is known by its port; else it is assumed to use this server.
    const client = await pool.connect();
    const { results } = await examine([...targets, '--only=fleet-sum']);
    expect(results[0]?.evidence[0]).toBe(`pool:127.0.0.1:${port}, pool shop: 100`);
    client.release();
    // What was published a moment ago still shows the lease.
    const idle = `pool:127.0.0.1:${port}, pool shop: 100, assumed to use this server`;
    await eventually(async () => {
      const again = await examine([...targets, '--only=fleet-sum']);
      return again.results[0]?.evidence[0] === idle;
    });
    await provesBothWays('fleet-sum', 'fail', { server, targets, byHand });

    async function application(max: number) {
      const made = new pg.Pool({ ...server, host: '127.0.0.1', database: 'postgres', max });
      const hideAll = await publishOn(port, [watch(made, { name: 'shop' })]);
      const end = async (): Promise<void> => {
        hideAll();
        await made.end();
      };
      return { pool: made, close: end };
    }
  });

  it('pooler-version: this one has holes, and the distribution may have repaired them', async () => {
    const { results, code } = await examine([pooler.url(), '--only=pooler-version']);
    expect(results).toMatchObject([
      { status: 'warn', evidence: expect.arrayContaining([expect.stringContaining('CVE-')]) },
    ]);
    expect(code).toBe(0);
    expect((await examine([pooler.url(), '--only=pooler-version', '--strict'])).code).toBe(1);
  });

  // The last: its user is one more for all the others.
  it('pooler-login: the userlist has another secret than the server', async () => {
    await ask(`CREATE ROLE "lo""gin" LOGIN PASSWORD 'new'`);
    await pooler.setUser('"lo""gin" "old"');
    await pooler.tell('RELOAD');
    const url = urlOf(server, { database: database.name, user: 'lo"gin', password: 'new' });
    const targets = [url, pooler.url()];
    expect((await examine([...targets, '--only=pooler-login'])).results).toMatchObject([
      { status: 'skipped', summary: 'needs --try-login' },
    ]);
    const byHand = (_: string, rows: readonly Record<string, unknown>[]) =>
      pooler.setUser(String(rows[0]?.line));
    const one = patient({ targets, flags: ['--try-login'], byHand });
    const [before, after] = await provesBothWays('pooler-login', 'fail', one);
    expect(before.evidence[0]).toMatch(/authentication failed/);
    expect(after.summary).toMatch(/^lo"gin reaches the server through (shop|odd-1)$/);
    await ask('DROP ROLE "lo""gin"');
  });
});

const made = (version: string, config: Readonly<Record<string, string>> = {}, mode = 'transaction') => ({
  ...{ version, label: 'pgbouncer://x/', user: 'me', users: { value: [] }, pools: { value: [] } },
  databases: { value: [{ name: 'shop', pool_mode: mode, pool_size: 20 }] },
  config: { value: new Map(Object.entries({ pool_mode: mode, auth_type: 'scram-sha-256', ...config })) },
});

describe('what bounds the databases of a pooler', () => {
  const database = (name: string, cap: number | null): PooledDatabase => ({
    ...{ name, cap, host: null, port: 5432, mode: 'transaction', size: 20, reserve: 0, users: 2, most: 40 },
  });
  const target = made('1.24.1', {
    max_db_connections: '50',
    admin_users: 'me',
  }) as unknown as PgBouncerTarget;

  it('is one line for those that have none of their own, and a line of its own for each of the others', () => {
    const steps = capSteps(target, [database('a', 50), database('b', 70), database('c', 5)], 60);
    expect(steps.map(({ text }) => text)).toEqual([
      'In the line of database b, section [databases]: max_db_connections=18; then RELOAD.',
      'max_db_connections = 18',
      'RELOAD',
    ]);
  });

  it('is told of the largest, where they are many', () => {
    const many = Array.from({ length: 13 }, (_, at) => ({ ...database(`d${at}`, null), most: at }));
    const texts = databaseTexts(many);
    expect(texts).toHaveLength(11);
    expect(texts[0]).toBe('database d12: 20 x 2 users = 12');
    expect(texts.at(-1)).toBe('3 further databases: 3');
  });
});

describe('what outlives a transaction', () => {
  const found = (sql: string) => OUTLIVES.find(([pattern]) => pattern.test(sql))?.[1] ?? null;
  it.each([
    ['set search_path to x', 'SET'],
    ['SET SESSION statement_timeout = 5', 'SET'],
    ['SET LOCAL search_path to x', null],
    ['set session characteristics as transaction read only', null],
    ['SET application_name TO x', null],
    ['SET TIME ZONE 0', null],
    ['SET TRANSACTION READ ONLY', null],
    ['listen news', 'LISTEN'],
    ['PREPARE a AS SELECT 1', 'PREPARE'],
    ["PREPARE TRANSACTION 'x'", null],
    ['create temp table x (i int)', 'a temporary table'],
    ['CREATE TABLE temp (i int)', null],
    ['declare c cursor\nwith hold for select 1', 'a cursor WITH HOLD'],
    ['SELECT 1', null],
  ])('of %j is %j', (sql, what) => {
    expect(found(sql)).toBe(what);
  });
});

describe('versions that are not at hand', () => {
  it.each([
    ['1.26.1', {}, []],
    ['1.26.0', {}, ['CVE-2026-107350']],
    ['1.26.0', { auth_type: 'cert', ignore_startup_parameters: 'extra_float_digits' }, ['CVE-2026-107349']],
    [
      '1.25.1',
      { auth_type: 'cert', stats_users: 'me' },
      ['CVE-2026-6664', 'CVE-2026-6665', 'CVE-2026-6666', 'CVE-2026-6667'],
    ],
    [
      '1.24.0',
      {
        auth_type: 'pam',
        auth_user: 'a',
        track_extra_parameters: 'IntervalStyle, search_path',
        auth_query: 'SELECT 1',
      },
      ['CVE-2026-6664', 'CVE-2026-6665', 'CVE-2026-6666', 'CVE-2025-12819', 'CVE-2025-2291'],
    ],
    ['2.0', {}, []],
  ])('%s with %j has the holes %j', (version, config, holes) => {
    const { evidence, status } = versionFinding(made(version, config));
    expect(evidence.map((line) => line.split(':')[0])).toEqual(holes);
    expect(status).toBe(holes.length === 0 ? 'pass' : 'warn');
  });

  it('are not guessed at', () => {
    expect(() => versionFinding(made('main (devel)'))).toThrow(Unknowable);
    expect(() => preparedFinding(made('?'), null)).toThrow("'?' is no version that is known");
  });

  it.each([
    ['1.24.1', { max_prepared_statements: '200' }, 'pass', null],
    ['1.21.0', { max_prepared_statements: '0' }, 'warn', 'max_prepared_statements = 200'],
    ['1.20.1', {}, 'warn', 'DB_PREPARE_THRESHOLD=0'],
  ] as const)('%s with %j: prepared statements are %s', (version, config, status, step) => {
    const finding = preparedFinding(made(version, config), null);
    expect(finding.status).toBe(status);
    expect(finding.fix?.steps[0]?.text ?? null).toBe(step);
  });
});

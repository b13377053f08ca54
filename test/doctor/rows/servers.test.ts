import { expect, it } from 'vitest';
import { CHECKS } from '../../../src/doctor/registry.js';
import type { ConsoleRow, DatabaseCounters, PgBouncerTarget } from '../../../src/doctor/types.js';
import { Unknowable } from '../../../src/doctor/unknowable.js';
import { holder, pool } from '../../top/helpers.js';
import { app, check, type Given, outcomesOf, pooler, row, server, settings, sqlite } from './targets.js';

const pg = (...args: Parameters<typeof server>): Given => ({ postgres: [server(...args)] });
const pgb = (...args: Parameters<typeof pooler>): Given => ({ pgbouncer: [pooler(...args)] });
const value = <T>(of: T) => ({ value: of });

check('activity-tracking', [
  ['both on', pg(), { status: 'pass', steps: '' }],
  [
    'one off',
    pg({ track_counts: 'off' }),
    { status: 'fail', summary: /^track_counts is/, steps: /track_counts = 'on'/ },
  ],
  ['both off', pg({ track_activities: 'off', track_counts: 'off' }), { status: 'fail', summary: /are off/ }],
]);

const lists = (used: number): Partial<PgBouncerTarget> => ({
  lists: value([
    { list: 'databases', items: 99 },
    { list: 'used_clients', items: used },
  ]),
});
const wants = (poolSize: number, maxOverflow: number | null, own = {}): Given => ({
  ...pgb({ max_client_conn: '100' }, lists(0)),
  settings: settings({ poolSize, maxOverflow, ...own }),
});
check('client-limit', [
  ['well below', pgb({ max_client_conn: '100' }, lists(79)), { status: 'pass', evidence: /79 clients now/ }],
  [
    'four fifths',
    pgb({ max_client_conn: '100' }, lists(80)),
    { status: 'warn', steps: /^max_client_conn = 160\nRELOAD$/ },
  ],
  ['nearly full', pgb({ max_client_conn: '100' }, lists(94)), { status: 'warn' }],
  ['full but for 5 %', pgb({ max_client_conn: '100' }, lists(95)), { status: 'fail' }],
  ['few of few', pgb({ max_client_conn: '10' }, lists(9)), { status: 'warn', steps: /= 100\n/ }],
  ['an application that just fits', wants(60, 40), { status: 'pass', evidence: /\(60 \+ 40\) x 1 = 100/ }],
  ['an application that does not', wants(60, 41), { status: 'fail', steps: /= 127\n/ }],
  [
    'several instances',
    { ...wants(30, 4), options: { instances: 3 } },
    { status: 'fail', evidence: /x 3 = 102/ },
  ],
  ['an application past the pooler', wants(600, 0, { usePgbouncer: false }), { status: 'pass' }],
  ['an application without limit', wants(600, -1), { status: 'pass' }],
  ['an overflow that nobody said', wants(101, null), { status: 'fail', evidence: /101 \+ 0/ }],
]);

const ordered = (
  config: Readonly<Record<string, string>>,
  own: Parameters<typeof settings>[0] | null,
  pgSettings = {},
): Given => ({
  pgbouncer: [pooler(config)],
  postgres: [server(pgSettings)],
  settings: own === null ? null : settings(own),
});
check('timeout-order', [
  ['as set up', ordered({}, null), { status: 'pass', steps: '' }],
  [
    'a wait without end',
    ordered({ query_wait_timeout: '0' }, null),
    { status: 'fail', steps: /^query_wait_timeout = 120\n/ },
  ],
  ['a pool that gives up in time', ordered({}, { poolTimeoutMs: 119_999 }), { status: 'pass' }],
  [
    'a pool that gives up with the pooler',
    ordered({}, { poolTimeoutMs: 120_000 }),
    { status: 'fail', steps: /^DB_POOL_TIMEOUT=10$/ },
  ],
  [
    'a pool behind a short pooler',
    ordered({ query_wait_timeout: '8' }, { poolTimeoutMs: 9000 }),
    { status: 'fail', steps: /^DB_POOL_TIMEOUT=4$/ },
  ],
  [
    'a pool behind a wait without end',
    ordered({ query_wait_timeout: '0' }, { poolTimeoutMs: 120_000 }),
    { steps: /= 120\nRELOAD\nDB_POOL_TIMEOUT=10$/ },
  ],
  [
    'a pool past the pooler',
    ordered({}, { poolTimeoutMs: 999_000, usePgbouncer: false }),
    { status: 'pass' },
  ],
  [
    'a pool that waits forever',
    ordered({}, { poolTimeoutMs: Number.POSITIVE_INFINITY }),
    { status: 'fail', summary: /ever/ },
  ],
  [
    'a connect that gives up in time',
    ordered({}, { connectTimeoutMs: 14_999 }),
    { status: 'pass', evidence: /DB_CONNECT_TIMEOUT/ },
  ],
  [
    'a connect that gives up with the pooler',
    ordered({}, { connectTimeoutMs: 15_000 }),
    { status: 'fail', steps: /^DB_CONNECT_TIMEOUT=7$/ },
  ],
  [
    'a pooler that connects for ever',
    ordered({ server_connect_timeout: '0' }, { connectTimeoutMs: 99_000 }),
    { status: 'pass' },
  ],
  [
    'a slow connect behind a slow pooler',
    ordered({ server_connect_timeout: '60' }, { connectTimeoutMs: 61_000 }),
    { steps: /^DB_CONNECT_TIMEOUT=10$/ },
  ],
  [
    'a statement that the server ends first',
    ordered({ query_timeout: '10' }, null, { statement_timeout: ['9999', 'ms'] }),
    { status: 'pass' },
  ],
  [
    'a statement that both end',
    ordered({ query_timeout: '10' }, null, { statement_timeout: ['10', 's'] }),
    { status: 'fail', steps: /statement_timeout = '8000ms'/ },
  ],
  [
    'a statement that the server lets run on',
    ordered({ query_timeout: '10' }, null),
    { status: 'fail', summary: /run on/ },
  ],
  [
    'sessions that the pooler closes first',
    ordered({ server_idle_timeout: '600' }, null, { idle_session_timeout: ['600001', 'ms'] }),
    { status: 'pass' },
  ],
  [
    'sessions that both close',
    ordered({ server_idle_timeout: '600' }, null, { idle_session_timeout: ['600', 's'] }),
    { status: 'fail', steps: /^server_idle_timeout = 300\n/ },
  ],
  [
    'sessions that only the server closes',
    ordered({ server_idle_timeout: '0' }, null, { idle_session_timeout: ['600', 's'] }),
    { status: 'fail' },
  ],
]);

const withSettings = (
  config: Readonly<Record<string, string>>,
  size: number,
  overflow = 0,
  rows = [row()],
): Given => ({
  pgbouncer: [pooler(config, { rows })],
  settings: settings({ poolSize: size, maxOverflow: overflow }),
});
const atPort = (localPort: number | null, driver = 'pg') =>
  pool({ driver, size: 6, maxOverflow: 4, holders: [holder({ localPort })] });
const clients = (...ports: number[]) => ({ clients: value(ports.map((port) => ({ port }))) });
const small = { rows: [row({ pool_size: 9, reserve_pool_size: 0 })] };
check('double-pooling', [
  [
    'a process that just fits',
    withSettings({}, 20),
    { status: 'pass', summary: /20 connections each, on 20/ },
  ],
  [
    'a process that takes all',
    withSettings({}, 20, 1),
    { status: 'warn', steps: 'DB_POOL_SIZE=5\nDB_MAX_OVERFLOW=10' },
  ],
  [
    'a small pooler',
    withSettings({}, 9, 0, [row({ pool_size: 6 })]),
    { status: 'warn', steps: 'DB_POOL_SIZE=2\nDB_MAX_OVERFLOW=4' },
  ],
  [
    'a pooler of one',
    withSettings({}, 9, 0, [row({ pool_size: 1 })]),
    { status: 'warn', steps: 'DB_POOL_SIZE=1\nDB_MAX_OVERFLOW=0' },
  ],
  ['a reserve counts', withSettings({}, 25, 0, [row({ reserve_pool_size: 5 })]), { status: 'pass' }],
  ['no database yet', withSettings({}, 500, 0, []), { status: 'pass', summary: /so far no/ }],
  [
    'session mode that fits',
    withSettings({ pool_mode: 'session' }, 20),
    { status: 'warn', summary: /for shop/, steps: /pool_mode = transaction/ },
  ],
  [
    'session mode that does not',
    withSettings({ pool_mode: 'session' }, 21),
    { status: 'fail', summary: /21 .* 20/ },
  ],
  ['session mode, no database yet', withSettings({ pool_mode: 'session' }, 500, 0, []), { status: 'warn' }],
  [
    'session mode of one database',
    withSettings({}, 5, 0, [row(), row({ name: 'own', pool_mode: 'session', pool_size: 4 })]),
    { status: 'fail', summary: /for own/ },
  ],
  [
    'a pool seen at the pooler',
    { pgbouncer: [pooler({}, { ...small, ...clients(7, 8) })], pool: [app(atPort(8))] },
    { status: 'warn', summary: /10 connections/ },
  ],
  [
    'a pool seen elsewhere',
    { pgbouncer: [pooler({}, { ...small, ...clients(7) })], pool: [app(atPort(8))] },
    { status: 'skipped' },
  ],
  [
    'a pool of which nothing is lent',
    { pgbouncer: [pooler({}, small)], pool: [app(atPort(null))] },
    { status: 'warn' },
  ],
  [
    'a pool for something else',
    { pgbouncer: [pooler({}, small)], pool: [app(atPort(null, 'mysql2'))] },
    { status: 'skipped' },
  ],
  [
    'several pools',
    {
      pgbouncer: [pooler({ pool_mode: 'session' }, clients(1, 2))],
      pool: [app(atPort(1), { ...atPort(2), size: 7 })],
    },
    { status: 'fail', summary: /21 .* 20/ },
  ],
  [
    'one that has a port here and one there',
    {
      pgbouncer: [pooler({}, { ...small, ...clients(7) })],
      pool: [
        app(
          pool({ size: 10, maxOverflow: 0, holders: [holder({ localPort: 5 }), holder({ localPort: 7 })] }),
        ),
      ],
    },
    { status: 'warn' },
  ],
  [
    'settings past the pooler',
    { ...withSettings({}, 500), settings: settings({ poolSize: 500, usePgbouncer: false }) },
    { status: 'skipped' },
  ],
  [
    'instances',
    { ...withSettings({ pool_mode: 'session' }, 7), options: { instances: 3 } },
    { status: 'fail', summary: /21 .* 20/ },
  ],
]);

const files = (fileLimit: number | null): Given => ({
  ...pgb({ max_client_conn: '100' }),
  options: { fileLimit },
});
check('file-limit', [
  ['just enough', files(140), { status: 'pass', summary: /140 files, limit 140/ }],
  ['one too few', files(139), { status: 'fail', steps: /^max_client_conn = 99\n/ }],
  ['hardly any', files(10), { status: 'fail', steps: /= 1\n/ }],
  ['what the system says', pgb({}, { fileLimit: value(1000) }), { status: 'pass' }],
  ['nothing known', files(null), { status: 'skipped' }],
]);

const fleet = (own: Given): Given => ({ postgres: [server()], ...own });
const published = (own: Parameters<typeof pool>[0] = {}) => [
  app(pool({ driver: 'pg', size: 60, maxOverflow: 37, ...own })),
];
const seen = { backends: [{ clientPort: 1000 }] };
check('fleet-sum', [
  [
    'settings that just fit',
    fleet({ settings: settings({ poolSize: 90, maxOverflow: 7 }) }),
    { status: 'pass', summary: /97 .* 97/ },
  ],
  [
    'settings that do not',
    fleet({ settings: settings({ poolSize: 90, maxOverflow: 8 }) }),
    { status: 'fail', steps: 'DB_POOL_SIZE=29\nDB_MAX_OVERFLOW=58' },
  ],
  [
    'settings of several instances',
    fleet({ settings: settings({ poolSize: 30, maxOverflow: 19 }), options: { instances: 2 } }),
    { status: 'fail', evidence: /x 2 instances = 98/, steps: 'DB_POOL_SIZE=14\nDB_MAX_OVERFLOW=28' },
  ],
  [
    'settings without limit',
    fleet({ settings: settings({ poolSize: 1, maxOverflow: -1 }) }),
    { status: 'fail', summary: /^unlimited connections/ },
  ],
  [
    'an overflow that nobody said',
    fleet({ settings: settings({ poolSize: 97 }) }),
    { status: 'pass', evidence: /not given/ },
  ],
  [
    'settings behind a pooler',
    fleet({ pgbouncer: [pooler()], settings: settings({ poolSize: 900 }) }),
    { status: 'pass', summary: /20 connections/ },
  ],
  [
    'settings past a pooler',
    fleet({ pgbouncer: [pooler()], settings: settings({ poolSize: 78, usePgbouncer: false }) }),
    {
      status: 'fail',
      summary: /98 connections/,
      steps: /^max_db_connections = 44\nRELOAD\nDB_POOL_SIZE=23\nDB_MAX_OVERFLOW=46$/,
    },
  ],
  [
    'a pooler alone that does not fit',
    fleet({ pgbouncer: [pooler({}, { rows: [row({ pool_size: 98 })] })] }),
    { status: 'fail', steps: /^max_db_connections = 87\nRELOAD$/ },
  ],
  [
    'a pooler of another server',
    fleet({ pgbouncer: [pooler({}, { rows: [row({ host: 'other', pool_size: 500 })] })] }),
    { status: 'skipped' },
  ],
  [
    'only its own databases of a pooler',
    fleet({ pgbouncer: [pooler({}, { rows: [row(), row({ name: 'x', host: 'other', pool_size: 500 })] })] }),
    { status: 'pass', summary: /20 connections/ },
  ],
  [
    'a pooler by a Unix socket',
    { postgres: [server({}, { host: 'localhost' })], pgbouncer: [pooler({}, { rows: [row({ host: '' })] })] },
    { status: 'pass' },
  ],
  [
    'a pooler by a Unix socket without a name',
    {
      postgres: [server({}, { host: 'localhost' })],
      pgbouncer: [pooler({}, { rows: [row({ host: null })] })],
    },
    { status: 'pass' },
  ],
  [
    'a published pool that just fits',
    fleet({ pool: published() }),
    { status: 'pass', evidence: /60 \+ 37, assumed/ },
  ],
  [
    'a published pool that does not',
    fleet({ pool: published({ maxOverflow: 38 }) }),
    { status: 'fail', steps: /set max: 49$/ },
  ],
  [
    'a published pool for something else',
    fleet({ pool: published({ driver: 'mysql2' }) }),
    { status: 'skipped' },
  ],
  [
    'a published pool seen at the server',
    {
      postgres: [server({}, seen)],
      pool: published({ driver: 'x', holders: [holder({ localPort: 1000 })] }),
    },
    { status: 'pass', evidence: /60 \+ 37$/m },
  ],
  [
    'a published pool seen elsewhere',
    { postgres: [server({}, seen)], pool: published({ holders: [holder({ localPort: 1001 })] }) },
    { status: 'skipped' },
  ],
  [
    'a published pool without limit',
    fleet({ pool: published({ size: null }) }),
    { status: 'fail', summary: /^unlimited connections/ },
  ],
  [
    'with a pooler, a pool of which nothing is lent',
    fleet({ pgbouncer: [pooler()], pool: published() }),
    { summary: /20 connections/ },
  ],
]);

it('fleet-sum with two servers takes no pool for that of one of them', async () => {
  const two = { postgres: [server(), server({}, { label: 'postgres://other/shop', host: 'other' })] };
  const outcomes = await outcomesOf('fleet-sum', { ...two, pool: published() });
  expect(outcomes.map(({ status }) => status)).toEqual(['skipped', 'skipped']);
});

check('idle-transaction-timeout', [
  ['off', pg(), { status: 'fail', steps: /idle_in_transaction_session_timeout = '10min'/ }],
  ['on', pg({ idle_in_transaction_session_timeout: ['1', 'ms'] }), { status: 'pass' }],
]);

const idle = (stateMs: number, own = {}) => ({ state: 'idle in transaction', stateMs, ...own });
const hidden = { state: null, stateMs: null, queryMs: null, user: 'other' };
check('idle-transactions-now', [
  [
    'at the limit',
    pg({}, { backends: [idle(60_000), { state: 'idle' }] }),
    { status: 'pass', summary: /2 other sessions/ },
  ],
  ['one session', pg({}, { backends: [idle(60_000)] }), { status: 'pass', summary: /1 other session$/ }],
  [
    'above it',
    pg({}, { backends: [idle(60_001)] }),
    { status: 'fail', summary: /^1 session is/, steps: /200/ },
  ],
  [
    'two, the longest told',
    pg({}, { backends: [idle(61_000), idle(90_000), { state: 'active', stateMs: 99_000 }] }),
    { status: 'fail', summary: /^2 sessions are .* 90/, evidence: /^(?!.*more)/s },
  ],
  [
    'an aborted one',
    pg({}, { backends: [idle(61_000, { state: 'idle in transaction (aborted)' })] }),
    { status: 'fail' },
  ],
  [
    'ten are all shown',
    pg({}, { backends: Array.from({ length: 10 }, () => idle(61_000)) }),
    { evidence: /^(?!.*more)/s },
  ],
  [
    'eleven are not',
    pg({}, { backends: Array.from({ length: 11 }, () => idle(61_000)) }),
    { evidence: /and 1 more$/ },
  ],
  ['what it may not see', pg({}, { seesAll: false, backends: [hidden] }), { status: 'skipped' }],
  [
    'its own, which it sees',
    pg({}, { seesAll: false, backends: [{ ...hidden, user: 'app' }] }),
    { status: 'pass' },
  ],
  ['one that sees all', pg({}, { backends: [hidden] }), { status: 'pass' }],
]);

const waits = (queryMs: number | null, ...blockedBy: number[]) => ({ queryMs, blockedBy });
check('lock-waits-now', [
  ['at the limit', pg({}, { backends: [waits(1000, 9)] }), { status: 'pass' }],
  [
    'above it',
    pg({}, { backends: [waits(1001, 9)] }),
    { status: 'fail', summary: /^1 session waits/, steps: /\b9\b/ },
  ],
  ['slow, but not waiting', pg({}, { backends: [waits(9000)] }), { status: 'pass' }],
  [
    'the root, and not those between',
    pg({}, { backends: [waits(1), waits(1500, 200), waits(3000, 200, 201)] }),
    {
      status: 'fail',
      summary: /^2 sessions wait .* 3/,
      steps: /\b200\b(?!.*201)/,
      evidence: /^blocks: .*\n(?!blocks)/,
    },
  ],
  [
    'a ring has one of it ended',
    pg({}, { backends: [waits(2000, 201), waits(2000, 200)] }),
    { status: 'fail', steps: /^(?!.*200.*201)(?!.*201.*200).*20[01]/ },
  ],
  ['a prepared transaction has no pid', pg({}, { backends: [waits(2000, 0, 7)] }), { steps: /\b7\b/ }],
  [
    'several roots, which all are ended',
    pg({}, { backends: [waits(1), waits(1), waits(2000, 201, 200)] }),
    { steps: /201.*200|200.*201/ },
  ],
  ['how long is not seen', pg({}, { backends: [waits(null, 9)] }), { status: 'skipped' }],
  ['how long is seen of one', pg({}, { backends: [waits(null, 9), waits(2000, 9)] }), { status: 'fail' }],
]);

const runs = (queryMs: number, own = {}) => ({ state: 'active', queryMs, ...own });
check('long-queries-now', [
  ['at the limit', pg({}, { backends: [runs(300_000)] }), { status: 'pass' }],
  [
    'above it',
    pg({}, { backends: [runs(300_001)] }),
    { status: 'fail', summary: /^1 query runs/, steps: 'SELECT pg_cancel_backend(200)' },
  ],
  [
    'several, the longest first',
    pg({}, { backends: [runs(301_000), runs(900_000)] }),
    { summary: /^2 queries run, .* 900/, steps: /ARRAY\[201, 200\]/ },
  ],
  [
    'one that waits for a lock',
    pg({}, { backends: [runs(900_000, { blockedBy: [9] })] }),
    { status: 'pass' },
  ],
  ['one that is over', pg({}, { backends: [runs(900_000, { state: 'idle' })] }), { status: 'pass' }],
  [
    'eleven',
    pg({}, { backends: Array.from({ length: 11 }, () => runs(400_000)) }),
    { evidence: /and 1 more$/ },
  ],
  [
    'ten',
    pg({}, { backends: Array.from({ length: 10 }, () => runs(400_000)) }),
    { evidence: /^(?!.*more)/s },
  ],
  ['what it may not see', pg({}, { seesAll: false, backends: [hidden] }), { status: 'skipped' }],
  [
    'its own, which it sees',
    pg({}, { seesAll: false, backends: [{ ...hidden, user: 'app' }] }),
    { status: 'pass' },
  ],
]);

const pending = (...names: string[]): Given => {
  const one = server();
  const all = [...one.settings].map(
    ([name, setting]) => [name, { ...setting, pendingRestart: names.includes(name) }] as const,
  );
  return { postgres: [{ ...one, settings: new Map(all) }] };
};
check('pending-restart', [
  ['nothing', pending(), { status: 'pass' }],
  [
    'one',
    pending('max_connections'),
    { status: 'warn', summary: /^max_connections waits/, steps: 'systemctl restart postgresql' },
  ],
  [
    'two',
    pending('max_connections', 'track_counts'),
    { status: 'warn', summary: /wait for/, evidence: /max_connections = 100[\s\S]*track_counts = on/ },
  ],
]);

it.each(CHECKS.filter(({ id }) => id !== 'cause-now').map((one) => [one.id, one] as const))(
  '%s needs a target to judge',
  (_, { needs }) => {
    expect(needs.length).toBeGreaterThan(0);
  },
);

check('pool-explosion', [
  ['nothing in use', pgb({}, { rows: [] }), { status: 'pass' }],
  ['one user for each', pgb(), { status: 'pass', summary: /20 connections/ }],
  [
    'several users and no limit',
    pgb({}, { rows: [row({ force_user: null })], users: value([{ name: 'a' }, { name: 'b' }]) }),
    { status: 'warn', steps: /^max_db_connections = 40\n/ },
  ],
  [
    'several users and a limit',
    pgb(
      {},
      {
        rows: [row({ force_user: null, max_connections: 30 })],
        users: value([{ name: 'a' }, { name: 'b' }]),
      },
    ),
    { status: 'pass', summary: /30 connections/ },
  ],
  [
    'a server that just has room',
    { ...pgb({}, { rows: [row({ pool_size: 97 })] }), postgres: [server()] },
    { status: 'pass' },
  ],
  [
    'a server that has not',
    { ...pgb({}, { rows: [row({ pool_size: 98 })] }), postgres: [server()] },
    { status: 'fail', steps: /^max_db_connections = 87\n/ },
  ],
  [
    'databases of another server do not count',
    { ...pgb({}, { rows: [row(), row({ name: 'x', host: 'y', pool_size: 500 })] }), postgres: [server()] },
    { status: 'pass', summary: /^up to 20 / },
  ],
]);

const login = (problem: { message: string; code: string | null } | null): Given => ({
  ...pgb(
    {},
    {
      logins: [
        {
          server: server().label,
          role: 'app',
          database: 'shop',
          problem: problem && { hint: null, ...problem },
        },
      ],
    },
  ),
  postgres: [server()],
});
check('pooler-login', [
  ['not tried', pgb(), { status: 'skipped', summary: /--try-login/ }],
  ['went well', login(null), { status: 'pass' }],
  [
    'without a password',
    login({ message: 'a password is needed, and none was given', code: null }),
    { status: 'skipped' },
  ],
  [
    'a wrong password',
    login({ message: 'password authentication failed', code: '28P01' }),
    { status: 'fail', steps: /pg_authid[\s\S]*userlist\.txt[\s\S]*RELOAD$/ },
  ],
  [
    'a server that is gone',
    login({ message: 'connection refused', code: null }),
    { status: 'fail', steps: /server_login_retry = 15/ },
  ],
]);
it('pooler-login is about the pooler, and the server where it is named', async () => {
  expect((await outcomesOf('pooler-login', pgb()))[0]?.subjects).toEqual(['pgbouncer://pgb']);
  expect((await outcomesOf('pooler-login', login(null)))[0]?.subjects).toEqual([
    'pgbouncer://pgb',
    'postgres://db/shop',
  ]);
});

check('pooler-paused', [
  ['nothing', pgb({}, { state: value([{ key: 'paused', value: 'no' }]) }), { status: 'pass' }],
  [
    'one',
    pgb({}, { rows: [row({ name: 'a' }), row({ name: 'b', paused: 1 })] }),
    { status: 'fail', summary: 'b is paused', steps: 'RESUME b' },
  ],
  [
    'one disabled',
    pgb({}, { rows: [row({ disabled: 1 }), row({ name: 'b' })] }),
    { status: 'fail', summary: 'shop is disabled', steps: 'ENABLE shop' },
  ],
  [
    'all',
    pgb(
      {},
      {
        state: value([
          { key: 'active', value: 'yes' },
          { key: 'paused', value: 'yes' },
        ]),
      },
    ),
    { status: 'fail', steps: 'RESUME' },
  ],
]);

const queue = (maxwait: number, own: ConsoleRow = {}) => ({
  ...{ database: 'shop', user: 'app', cl_waiting: 1, maxwait, maxwait_us: 0, pool_mode: 'transaction' },
  ...{ sv_active: 1, sv_idle: 2, sv_used: 3, ...own },
});
const queued = (
  config: Readonly<Record<string, string>>,
  own: Partial<PgBouncerTarget> & { rows?: ConsoleRow[] } = {},
  backends: Parameters<typeof server>[1] = {},
): Given => ({
  pgbouncer: [pooler(config, { pools: value([queue(5)]), ...own })],
  postgres: [server({}, backends)],
});
const behind = {
  servers: value([
    { database: 'shop', remote_pid: 200 },
    { database: 'shop', remote_pid: 201 },
    { database: 'x', remote_pid: 202 },
  ]),
};
check('pooler-queue', [
  ['nobody', pgb(), { status: 'pass', summary: 'nobody waits' }],
  ['at the limit', pgb({}, { pools: value([queue(1)]) }), { status: 'pass' }],
  [
    'above it',
    pgb({}, { pools: value([queue(1, { maxwait_us: 1000 })]) }),
    { status: 'fail', summary: /^1 client waits/, evidence: /1 server busy, 5 free/ },
  ],
  [
    'several',
    pgb(
      {},
      { pools: value([queue(2), queue(5, { cl_waiting: 3, sv_active: 2 }), queue(9, { cl_waiting: 0 })]) },
    ),
    { summary: /^4 clients wait, .*\b5/, evidence: /2 servers busy/ },
  ],
  ['more servers for all', queued({}), { steps: /^default_pool_size = 40\nRELOAD$/ }],
  [
    'a cap that has room for them',
    queued({}, { rows: [row({ max_connections: 40 })] }),
    { steps: /^default_pool_size = 40\nRELOAD$/ },
  ],
  [
    'a cap that has not',
    queued({}, { rows: [row({ max_connections: 39 })] }),
    { steps: /= 40\nmax_db_connections = 80\n/ },
  ],
  [
    'a database with a size of its own',
    queued({}, { rows: [row({ pool_size: 7 })] }),
    { steps: /pool_size=14/ },
  ],
  [
    'transactions that nobody goes on with',
    queued({}, behind, { backends: [idle(1), {}, idle(1)] }),
    { steps: /^Do this first, because 1 of its 2 .*idle-transactions-now/ },
  ],
  [
    'locks',
    queued({}, behind, { backends: [{ waitType: 'Lock' }, { waitType: 'IO' }] }),
    { steps: /^Do this first, because 1 of its 2 .*lock-waits-now/ },
  ],
  [
    'neither',
    queued({}, behind, { backends: [{}, {}] }),
    { steps: /^default_pool_size/, evidence: /^pool shop\/app [^\n]*$/ },
  ],
]);

const version = (text: string, config: Readonly<Record<string, string>> = {}): Given =>
  pgb(config, { version: text });
check('pooler-version', [
  ['newest', version('1.26.1', { auth_type: 'md5' }), { status: 'pass' }],
  [
    'before a repair',
    version('1.26.0', { auth_type: 'md5' }),
    { status: 'warn', evidence: /^CVE-2026-107350.*1\.26\.1/ },
  ],
  ['not open to it', version('1.26.0'), { status: 'pass' }],
  [
    'open by what it ignores',
    version('1.26.0', { ignore_startup_parameters: 'a, b' }),
    { status: 'warn', summary: /1 known vulnerability$/, steps: /1\.26\.1/ },
  ],
  [
    'not open by what it ignores',
    version('1.26.0', { ignore_startup_parameters: 'a,options' }),
    { status: 'pass' },
  ],
  [
    'older than a hole',
    version('1.16.1', { auth_type: 'md5' }),
    { evidence: /^(?!.*107350)/s, steps: /1\.25\.2/ },
  ],
  ['several holes', version('1.25.1'), { summary: /3 known vulnerabilities/, steps: /1\.25\.2/ }],
]);

const named = (
  text: string,
  config: Readonly<Record<string, string>>,
  threshold: number | null,
  own = {},
): Given => ({
  ...pgb(config, { version: text, rows: [row()] }),
  settings: settings({ prepareThreshold: threshold, ...own }),
});
check('prepared-statements', [
  [
    'the setting, where the version has it',
    named('1.21.0', {}, 5),
    { evidence: /max_prepared_statements = 0$/ },
  ],
  ['no setting where it has none', named('1.20.0', {}, 5), { evidence: /^(?!.*max_prepared)/s }],
  ['session mode', named('1.18.0', { pool_mode: 'session' }, 5), { status: 'pass' }],
  [
    'a database that shares',
    { ...pgb({ pool_mode: 'session' }, { rows: [row({ pool_mode: 'transaction' })] }) },
    { status: 'warn' },
  ],
  ['followed from 1.21 on', named('1.21.0', { max_prepared_statements: '1' }, 5), { status: 'pass' }],
  ['not followed', named('1.21.0', {}, 5), { status: 'fail', steps: /^max_prepared_statements = 200\n/ }],
  [
    'too old to follow',
    named('1.20.9', { max_prepared_statements: '9' }, 5),
    { status: 'fail', steps: 'DB_PREPARE_THRESHOLD=0' },
  ],
  ['none are named', named('1.20.0', {}, 0), { status: 'pass' }],
  ['nobody knows', named('1.21.0', {}, null), { status: 'warn' }],
  ['an application past the pooler', named('1.21.0', {}, 5, { usePgbouncer: false }), { status: 'warn' }],
]);

check('reserved-connections', [
  ['three', pg({ superuser_reserved_connections: '3' }), { status: 'pass' }],
  [
    'none',
    pg({ superuser_reserved_connections: '0' }),
    { status: 'fail', steps: /superuser_reserved_connections = '5'/ },
  ],
]);

check('reset-query', [
  ['transaction mode', pgb(), { status: 'pass' }],
  ['session mode with one', pgb({ pool_mode: 'session' }), { status: 'pass', summary: 'DISCARD ALL' }],
  [
    'session mode without',
    pgb({ pool_mode: 'session', server_reset_query: '' }),
    { status: 'fail', steps: /^server_reset_query = DISCARD ALL\n/ },
  ],
  [
    'session mode of one database',
    pgb({ server_reset_query: '' }, { rows: [row({ pool_mode: 'session' })] }),
    { status: 'fail' },
  ],
  [
    'always, for nothing',
    pgb({ server_reset_query_always: '1' }),
    { status: 'warn', steps: /^server_reset_query_always = 0\n/ },
  ],
  [
    'always, in session mode',
    pgb({ server_reset_query_always: '1', pool_mode: 'session' }),
    { status: 'pass' },
  ],
  [
    'always, but nothing',
    pgb({ server_reset_query_always: '1', server_reset_query: '' }),
    { status: 'pass' },
  ],
]);

check('server-lifetime', [
  ['once', pgb({ server_lifetime: '0' }), { status: 'fail' }],
  ['short', pgb({ server_lifetime: '59' }), { status: 'warn', steps: /^server_lifetime = \d+\n/ }],
  ['an hour', pgb({ server_lifetime: '3600' }), { status: 'pass' }],
]);

const left = (own: Parameters<typeof server>[1], config: Readonly<Record<string, string>> = {}): Given => ({
  pgbouncer: [pooler(config, { servers: value([{ database: 'shop', remote_pid: 200 }]) })],
  postgres: [server({}, own)],
});
const lastQuery = (query: string, own = {}) => left({ backends: [{ state: 'idle', query, ...own }] });
check('session-state', [
  ['nothing', lastQuery('select 1'), { status: 'pass', summary: /1 shared/ }],
  [
    'a lock',
    left({ backends: [{ state: 'idle' }], advisoryLockers: value([200]) }),
    { status: 'fail', summary: /advisory lock/, steps: /SET LOCAL[\s\S]*200/ },
  ],
  [
    'a lock of a transaction',
    left({ backends: [{ state: 'active' }], advisoryLockers: value([200]) }),
    { status: 'pass' },
  ],
  [
    'a lock that is not told',
    left({ backends: [{ state: null }], advisoryLockers: value([200]) }),
    { status: 'pass' },
  ],
  [
    'a lock elsewhere',
    left({ backends: [{ state: 'idle' }], advisoryLockers: value([7]) }),
    { status: 'pass' },
  ],
  ['a temporary table', lastQuery('CREATE TEMP TABLE x ()'), { status: 'fail' }],
  ['a temporary view', lastQuery('  create local temporary view x'), { status: 'fail' }],
  ['a table', lastQuery('create table temp ()'), { status: 'pass' }],
  ['words within another statement', lastQuery("select 'create temp table'"), { status: 'pass' }],
  ['a query that runs', lastQuery('create temp table x ()', { state: 'active' }), { status: 'pass' }],
  [
    'session mode',
    left({ backends: [{ state: 'idle', query: 'listen x' }] }, { pool_mode: 'session' }),
    { status: 'pass', summary: /0 shared/ },
  ],
]);

const counted = (sessions: number | null, sessionsAbandoned: number): DatabaseCounters =>
  ({
    ...{
      name: 'shop',
      sessions,
      sessionsAbandoned,
      sessionsKilled: 0,
      sessionsFatal: 0,
      countedMs: 3_600_000,
    },
  }) as unknown as DatabaseCounters;
const abandoned = (...of: DatabaseCounters[]): Given => pg({}, { counters: value(of) });
check('sessions-abandoned', [
  ['before 14', abandoned(counted(null, 0)), { status: 'skipped', summary: /14/ }],
  ['none counted', abandoned(counted(0, 0)), { status: 'skipped', summary: /^(?!.*14)/ }],
  ['few', abandoned(counted(1000, 1)), { status: 'pass' }],
  [
    'many',
    abandoned(counted(1000, 900), counted(1000, 0)),
    { status: 'fail', summary: /900/, steps: /pg_stat_reset/ },
  ],
  ['few of very many', abandoned(counted(1_000_000, 900)), { status: 'pass' }],
]);

const stale = (
  own: Parameters<typeof settings>[0],
  config: Readonly<Record<string, string>> = {},
): Given => ({ ...pgb(config), settings: settings(own) });
check('stale-connections', [
  ['nothing known', stale({}), { status: 'skipped' }],
  ['tried', stale({ prePing: true, poolRecycleMs: 1000 }), { status: 'pass', steps: '' }],
  ['tried, recycling not known', stale({ prePing: true }), { status: 'warn', steps: 'DB_POOL_RECYCLE=1800' }],
  [
    'not tried',
    stale({ prePing: false, poolRecycleMs: 1000 }),
    { status: 'fail', steps: 'DB_POOL_PRE_PING=true' },
  ],
  [
    'not known whether tried, replaced in time',
    stale({ poolRecycleMs: 3_599_999 }),
    { status: 'pass', summary: /replaces connections in time/ },
  ],
  [
    'not known whether tried, replaced too late',
    stale({ poolRecycleMs: 3_600_000 }),
    { status: 'fail', steps: 'DB_POOL_PRE_PING=true\nDB_POOL_RECYCLE=1800' },
  ],
  [
    'the shortest limit counts',
    stale({ prePing: true, poolRecycleMs: 20_000 }, { client_idle_timeout: '20' }),
    { status: 'warn', summary: /client_idle_timeout/, steps: 'DB_POOL_RECYCLE=10' },
  ],
  [
    'the shortest limit counts, whichever it is',
    stale({ prePing: true, poolRecycleMs: 20_000 }, { client_idle_timeout: '3600', server_lifetime: '20' }),
    { status: 'warn', summary: /server_lifetime/ },
  ],
  [
    'never replaced, and nothing ends them that is known',
    { settings: settings({ poolRecycleMs: Number.POSITIVE_INFINITY }) },
    { status: 'fail', steps: 'DB_POOL_PRE_PING=true' },
  ],
  [
    'never replaced',
    stale({ prePing: true, poolRecycleMs: Number.POSITIVE_INFINITY }),
    { status: 'warn', evidence: /RECYCLE = never/ },
  ],
  [
    'a pooler that cannot be read',
    {
      pgbouncer: [pooler({}, { config: new Unknowable('no') })],
      settings: settings({ prePing: true }),
    },
    { status: 'pass' },
  ],
  [
    'past the pooler',
    {
      ...stale({ prePing: true, poolRecycleMs: 9e6, usePgbouncer: false }),
      postgres: [server({ idle_session_timeout: ['5', 's'] })],
    },
    { status: 'warn', summary: /idle_session_timeout/ },
  ],
  [
    'nothing ends them',
    { settings: settings({ prePing: false, poolRecycleMs: null }) },
    { status: 'fail', steps: 'DB_POOL_PRE_PING=true' },
  ],
]);

const ignores = (text: string, own: Given = {}): Given => ({
  ...pgb({ ignore_startup_parameters: text }),
  ...own,
});
check('startup-parameters', [
  ['none', ignores(''), { status: 'pass', summary: 'it drops none' }],
  [
    'nothing that is relied on',
    ignores('extra_float_digits, x'),
    { status: 'pass', summary: /extra_float_digits, x/ },
  ],
  [
    'something that is',
    ignores('x, search_path,lock_timeout'),
    { status: 'fail', summary: /search_path, lock_timeout/, steps: /^ignore_startup_parameters = x\n/ },
  ],
  [
    'a limit that the server can have',
    ignores('search_path,lock_timeout', { postgres: [server()] }),
    { steps: /^ALTER DATABASE "?shop"? SET lock_timeout = '10s'\nignore_startup_parameters =\n/ },
  ],
  [
    'a limit that the server has',
    ignores('statement_timeout', { postgres: [server({ statement_timeout: ['1', 's'] })] }),
    { status: 'pass' },
  ],
  [
    'one that the application asks for and is refused',
    ignores('', { settings: settings({ statementTimeoutMs: 5000 }) }),
    { status: 'fail' },
  ],
  [
    'the same past the pooler',
    ignores('', { settings: settings({ statementTimeoutMs: 5000, usePgbouncer: false }) }),
    { status: 'pass' },
  ],
  [
    'the same, dropped',
    ignores('statement_timeout', { settings: settings({ statementTimeoutMs: 5000 }) }),
    { status: 'fail', summary: /drops statement_timeout/ },
  ],
]);

check('sqlite-busy-timeout', [
  [
    'none',
    { sqlite: [sqlite('sqlite:a.db', 0)] },
    { status: 'fail', steps: /sqlite:a\.db\?busyTimeout=5s$/ },
  ],
  [
    'short',
    { sqlite: [sqlite('sqlite:a.db?x=1&busyTimeout=10ms&&y=2', 999)] },
    { status: 'warn', steps: /a\.db\?x=1&y=2&busyTimeout=5s$/ },
  ],
  ['enough', { sqlite: [sqlite('sqlite:a.db', 1000)] }, { status: 'pass' }],
]);
check('idle-session-timeout', [
  ['off', pg(), { status: 'pass' }],
  ['on', pg({ idle_session_timeout: ['1', 's'] }), { status: 'fail', steps: /idle_session_timeout = '0'/ }],
]);

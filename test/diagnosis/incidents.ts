import type { PoolReading, Reading, SourceState } from '../../src/snapshot/reading.js';
import { backend, holder, pool, pooler, server, source } from '../top/helpers.js';

/** One situation of the catalog: what the sources read, and the cause that must be named. */
export interface Incident {
  readonly id: string;
  /** null: nothing may be reported. Default: the id of the incident. */
  readonly cause?: string | null;
  readonly sources: readonly SourceState[];
  /** The same sources a second before, where a rate decides. */
  readonly before?: readonly SourceState[];
  readonly settings?: { readonly poolSize: number | null; readonly maxOverflow: number | null };
  readonly clockStepMs?: number;
  /** Words that the headline must have. */
  readonly says?: RegExp;
  /** Words that no step may have. */
  readonly neverSays?: RegExp;
}

type Holder = Parameters<typeof holder>[0];
type Observed = NonNullable<PoolReading['observed']>;

const app = (...pools: PoolReading[]): SourceState => source({ pools });
const many = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));
/** A pool of five whose callers wait, with these leases. */
const dry = (holders: Holder[], own: Partial<PoolReading> = {}): PoolReading =>
  pool({
    ...{ size: 5, maxOverflow: 0, live: 5, overflow: 0, waiting: 4, longestWaitMs: 2000 },
    holders: holders.map((one, at) => holder({ leaseId: at + 1, localPort: 1000 + at, ...one })),
    ...own,
  });
const observed = (own: Partial<Observed>): Observed => ({
  ...{ ageMs: 600_000, site: null, address: null, queries: 480, queryErrors: [], namedStatements: null },
  ...{
    waiterSites: [],
    nestedWaiters: null,
    createErrorCode: null,
    createErrorMs: null,
    slowestConnectMs: null,
  },
  ...{ lostIdle: null, lostLent: null, openIdle: null, sessionState: [] },
  ...own,
});
const failing = (code: string, message: string, count = 12): PoolReading =>
  pool({
    ...{ size: 5, maxOverflow: 0, live: 5, idle: 5 },
    observed: observed({ queryErrors: [{ code, message, site: '/app/src/db.ts:7:3', count, lastMs: 400 }] }),
  });
const postgres = (
  backends: Parameters<typeof backend>[0][],
  own: Parameters<typeof server>[0] = {},
): SourceState =>
  source({
    source: 'pg',
    kind: 'postgres',
    server: server(own),
    backends: backends.map((one) => backend(one)),
  });
const mysql = (
  backends: Parameters<typeof backend>[0][],
  own: Parameters<typeof server>[0] = {},
): SourceState =>
  source({ source: 'my', kind: 'mysql', server: server(own), backends: backends.map((one) => backend(one)) });
const bouncer = (
  queue: NonNullable<Parameters<typeof pooler>[1]> = {},
  own: Parameters<typeof pooler>[0] = {},
): SourceState =>
  source({ source: 'pgb', kind: 'pgbouncer', pooler: pooler({ version: '1.18.0', ...own }, queue) });
const down = (why: string, kind: Reading['kind'] = 'postgres', label = 'pg'): SourceState => ({
  ...{ label, kind, reading: null, readMs: null },
  stale: { sinceMs: 0, why, hint: null, failures: 3, retryMs: 1000 },
});
/** A pool that cannot open a connection. */
const unable = (createError: string, own: Partial<PoolReading> = {}): SourceState =>
  app(pool({ ...{ size: 5, maxOverflow: 0, live: 0, waiting: 3, longestWaitMs: 900, createError }, ...own }));
const at = (from: number) => (one: number) => ({ pid: from + one, clientPort: 1000 + one });
const starved = {
  clientsWaiting: 3,
  clientsActive: 0,
  serversActive: 0,
  serversIdle: 0,
  longestWaitMs: 4000,
};
const busyServers = (count: number) =>
  many(count, (n) => ({
    ...{
      id: `s${n}`,
      user: 'app',
      database: 'shop',
      state: 'active',
      backendPid: 300 + n,
      localPort: 2000 + n,
    },
    link: `c${n}`,
  }));

const LEAKED: Holder = { ageMs: 41_000, busy: false, lastSql: 'select 1' };
const address = { host: 'db', port: 5432, database: 'shop', user: 'app' };

/** The rows of the catalog, with the figures that it gives. */
export const INCIDENTS: readonly Incident[] = [
  {
    id: 'leak-missing-release',
    sources: [
      app(dry(many(5, () => LEAKED))),
      postgres(
        many(5, (n) => ({
          ...at(200)(n),
          state: 'idle',
          stateMs: 41_000,
          transactionMs: null,
          queryMs: 41_000,
        })),
      ),
    ],
    says: /5 of 5 leases held > 30 s by src\/orders\.ts:88/,
  },
  {
    id: 'transaction-left-open',
    sources: [
      app(dry(many(5, () => ({ ...LEAKED, lastSql: 'UPDATE t SET x = 1' })))),
      postgres(
        many(5, (n) => ({
          ...at(200)(n),
          state: 'idle in transaction',
          stateMs: 40_000,
          transactionMs: 41_000,
        })),
      ),
    ],
  },
  {
    id: 'remote-call-in-transaction',
    sources: [
      app(
        dry(
          many(5, () => ({ ageMs: 900, busy: false })),
          { waiting: 15 },
        ),
      ),
      postgres(
        many(5, (n) => ({ ...at(200)(n), state: 'idle in transaction', stateMs: 800, transactionMs: 900 })),
      ),
    ],
  },
  {
    id: 'poisoned-connection',
    sources: [
      app(
        pool({
          size: 2,
          maxOverflow: 0,
          live: 1,
          idle: 1,
          holders: [],
          app: { name: 'api', pid: 7, host: 'here', node: 'v20', startedAtMs: 0 },
        }),
      ),
      postgres([
        {
          pid: 200,
          clientPort: 1000,
          state: 'idle in transaction',
          stateMs: 0,
          transactionMs: 9000,
          application: 'api',
        },
      ]),
    ],
    says: /1 idle connection of the pool is inside an open transaction/,
  },
  {
    id: 'listen-takes-a-place',
    sources: [
      app(
        dry([{ ageMs: 600_000, busy: false, lastSql: 'listen jobs' }], {
          size: 2,
          live: 1,
          waiting: 0,
          longestWaitMs: null,
        }),
      ),
      postgres([{ ...at(200)(0), state: 'idle', stateMs: 600_000, query: 'listen jobs' }]),
    ],
    neverSays: /pg_terminate_backend|client\.release\(\)/,
  },
  {
    id: 'pool-per-request',
    sources: [
      app(
        ...many(55, (n) =>
          pool({
            ...{ name: `db:5432/shop #${n + 1}`, size: 3, maxOverflow: 0, live: 1, idle: 1 },
            counters: { ...pool().counters, acquired: 1, released: 1 },
            observed: observed({ site: '/app/src/handler.ts:12:14', address }),
          }),
        ),
      ),
      down('sorry, too many clients already'),
    ],
    says: /55 pools .*handler\.ts:12/,
  },
  {
    id: 'pool-made-twice',
    sources: [
      app(
        ...['/app/dist/db.cjs:3:10', '/app/esm/db.mjs:3:10'].map((site, n) =>
          pool({
            name: `shop ${n + 1}`,
            size: 10,
            maxOverflow: 0,
            live: 4,
            idle: 2,
            observed: observed({ site, address }),
            holders: [holder({ busy: true })],
          }),
        ),
      ),
    ],
  },
  {
    // Two pools of one file, one for reads and one for LISTEN, are made on purpose.
    id: 'ok-two-pools-of-one-file',
    cause: null,
    sources: [
      app(
        ...['/app/src/db.ts:3:10', '/app/src/db.ts:9:10'].map((site, n) =>
          pool({
            ...{ name: `shop ${n + 1}`, size: n === 0 ? 10 : 1, maxOverflow: 0, live: 1, idle: 1 },
            observed: observed({ site, address }),
          }),
        ),
      ),
    ],
  },
  {
    id: 'second-pool-hidden',
    sources: [
      app(
        ...['/app/src/db.ts:3:10', '/app/node_modules/pg-boss/src/db.js:20:5'].map((site, n) =>
          pool({
            name: `shop ${n + 1}`,
            size: 10,
            maxOverflow: 0,
            live: 4,
            idle: 4,
            observed: observed({ site, address }),
          }),
        ),
      ),
    ],
  },
  {
    id: 'fan-out-promise-all',
    sources: [
      app(
        dry(
          many(5, () => ({ ageMs: 20, busy: true, site: '/app/src/list.ts:30:5' })),
          {
            ...{ waiting: 295, longestWaitMs: 400, peakWaiting: 295 },
            observed: observed({
              waiterSites: [{ site: '/app/src/list.ts:30:5', count: 295 }],
              askedTogether: 290,
            }),
          },
        ),
      ),
      postgres(many(5, (n) => ({ ...at(200)(n), queryMs: 15 }))),
    ],
  },
  {
    id: 'one route with many users',
    // They are of one place as well, and ask one after the other.
    cause: 'pool-too-small',
    sources: [
      app(
        dry(
          many(5, () => ({ ageMs: 20, busy: true, site: '/app/src/list.ts:30:5' })),
          {
            ...{ waiting: 45, longestWaitMs: 400, longestHoldMs: 30 },
            observed: observed({
              waiterSites: [{ site: '/app/src/list.ts:30:5', count: 45 }],
              askedTogether: 4,
            }),
          },
        ),
      ),
    ],
    before: [
      app(dry([], { takenAtMs: pool().takenAtMs - 1000, counters: { ...pool().counters, released: 40 } })),
    ],
  },
  {
    id: 'between two bursts',
    cause: 'fan-out-promise-all',
    says: /80 callers of one place \(src\/list\.ts:30\) asked at once/,
    sources: [
      app(
        pool({
          ...{ size: 5, maxOverflow: 0, live: 5, idle: 5, waiting: 0 },
          wait: { count: 80, sumUs: 4e7, minUs: 0, maxUs: 9e5, meanUs: 5e5, buckets: [[1e6, 80]] },
          observed: observed({ burst: { count: 80, agoMs: 2000, site: '/app/src/list.ts:30:5' } }),
        }),
      ),
    ],
  },
  {
    id: 'acquire-limit-none',
    // The cause behind is named; the missing limit is among the others.
    cause: 'leak-missing-release',
    sources: [
      app(
        dry(
          many(5, () => LEAKED),
          {
            longestWaitMs: 300_000,
            setup: {
              acquireTimeoutMs: 'never',
              recycleMs: null,
              maxIdleMs: null,
              prePing: null,
              statementTimeoutMs: null,
              leakAfterMs: null,
            },
          },
        ),
      ),
      postgres(many(5, (n) => ({ ...at(200)(n), state: 'idle', stateMs: 41_000 }))),
    ],
  },
  {
    id: 'zombies-after-connect-timeout',
    sources: [
      app(pool({ size: 5, maxOverflow: 0, live: 3, idle: 3 })),
      postgres([
        ...many(3, (n) => ({ ...at(200)(n), state: 'idle', stateMs: 500 })),
        ...many(4, (n) => ({
          pid: 300 + n,
          clientPort: 3000 + n,
          state: 'idle',
          stateMs: 200_000,
          query: null,
          queryMs: null,
          connectedMs: 200_000,
        })),
      ]),
    ],
  },
  {
    id: 'pool-ended-too-early',
    sources: [
      app(
        pool({
          ...{ closed: true, live: 0, idle: 0 },
          observed: observed({
            queryErrors: [
              {
                code: 'Error',
                message: 'Cannot use a pool after calling end on the pool',
                site: '/app/src/a.ts:1:1',
                count: 9,
                lastMs: 100,
              },
            ],
          }),
        }),
      ),
    ],
  },
  {
    id: 'wrapper-hides-call-site',
    // The hook names the caller of a helper.
    cause: 'leak-missing-release',
    sources: [
      app(
        dry(
          many(5, (n) => ({
            ...LEAKED,
            site: n < 4 ? '/app/src/report.ts:9:5' : '/app/src/other.ts:2:2',
            helper: '/app/src/db.ts:22:5',
          })),
        ),
      ),
    ],
    says: /report\.ts:9/,
  },
  {
    id: 'health-check-uses-pool',
    cause: 'slow-query',
    sources: [
      app(
        dry(
          many(5, () => ({ ageMs: 2000, busy: true, lastSql: 'select pg_sleep(1)' })),
          {
            observed: observed({ waiterSites: [{ site: '/app/src/routes/healthz.ts:4:9', count: 2 }] }),
          },
        ),
      ),
    ],
  },
  {
    id: 'jobs-starve-requests',
    sources: [
      app(
        dry(
          many(5, () => ({
            ageMs: 20_000,
            busy: true,
            site: '/app/src/jobs/nightly.ts:5:3',
            lastSql: 'select pg_sleep(20)',
          })),
          {
            observed: observed({ waiterSites: [{ site: '/app/src/routes/cart.ts:9:9', count: 30 }] }),
          },
        ),
      ),
      postgres(many(5, (n) => ({ ...at(200)(n), queryMs: 19_000, query: 'select pg_sleep(20)' }))),
    ],
  },
  {
    id: 'prisma-limits',
    // The engine is not watched: its error is all there is.
    cause: 'pool-too-small',
    sources: [
      app(
        dry(
          many(5, () => ({ ageMs: 30, busy: true })),
          { driver: 'pg', longestHoldMs: 30 },
        ),
      ),
    ],
    before: [
      app(dry([], { takenAtMs: pool().takenAtMs - 1000, counters: { ...pool().counters, released: 40 } })),
    ],
  },
  {
    id: 'limit-not-in-force',
    sources: [
      app(
        pool({
          size: 10,
          maxOverflow: 0,
          live: 10,
          waiting: 5,
          longestWaitMs: 700,
          holders: many(10, (n) => holder({ leaseId: n, busy: true, ageMs: 40 })),
        }),
      ),
    ],
    settings: { poolSize: 50, maxOverflow: 0 },
  },
  {
    id: 'mysql-idle-cut',
    sources: [app(pool({ driver: 'mysql2', size: 5, maxOverflow: 0, live: 5, idle: 5 })), mysql([])],
  },
  {
    id: 'slow-query',
    sources: [
      app(
        dry(
          many(5, () => ({
            ageMs: 4000,
            busy: true,
            lastSql: 'select count(*) from t where md5(x::text) = $1',
          })),
        ),
      ),
      postgres(
        many(5, (n) => ({
          ...at(200)(n),
          queryMs: 4000,
          query: 'select count(*) from t where md5(x::text) = $1',
        })),
      ),
    ],
  },
  {
    id: 'lock-chain-row',
    sources: [
      app(dry(many(5, () => ({ ageMs: 4000, busy: true })))),
      postgres([
        { pid: 99, application: 'psql', state: 'idle in transaction', stateMs: 5000, transactionMs: 9000 },
        ...many(5, (n) => ({
          ...at(200)(n),
          queryMs: 4000,
          waitType: 'Lock',
          waitEvent: n === 0 ? 'transactionid' : 'tuple',
          blockedBy: [n === 0 ? 99 : 200],
        })),
      ]),
    ],
    says: /pid 99/,
  },
  {
    id: 'wraparound-vacuum-blocks',
    sources: [
      app(dry(many(4, () => ({ ageMs: 4000, busy: true })))),
      postgres(
        [
          {
            pid: 98,
            application: 'migrate',
            waitType: 'Lock',
            waitEvent: 'relation',
            queryMs: 6000,
            query: 'ALTER TABLE big ADD y int',
            blockedBy: [77],
            lockMode: 'AccessExclusiveLock',
            lockRelation: 'big',
          },
          ...many(4, (n) => ({
            ...at(200)(n),
            queryMs: 4000,
            waitType: 'Lock',
            waitEvent: 'relation',
            blockedBy: [98],
          })),
        ],
        {
          processes: [
            {
              pid: 77,
              type: 'autovacuum worker',
              waitType: 'Timeout',
              waitEvent: 'VacuumDelay',
              query: 'autovacuum: VACUUM ANALYZE public.big (to prevent wraparound)',
              transactionMs: 60_000,
            },
          ],
        },
      ),
    ],
    neverSays: /pg_terminate_backend/,
  },
  {
    id: 'advisory-lock-through-pooler',
    sources: [
      bouncer(
        { clientsWaiting: 0 },
        {
          servers: [
            {
              id: 's1',
              user: 'app',
              database: 'shop',
              state: 'idle',
              backendPid: 300,
              localPort: 2000,
              link: null,
            },
          ],
          config: { pool_mode: 'transaction' },
        },
      ),
      postgres([
        { pid: 300, state: 'idle', stateMs: 90_000, transactionMs: null, queryMs: null },
        ...many(2, (n) => ({
          pid: 310 + n,
          queryMs: 30_000,
          waitType: 'Lock',
          waitEvent: 'advisory',
          blockedBy: [300],
          query: 'select pg_advisory_lock(1)',
        })),
      ]),
    ],
  },
  {
    id: 'prepared-transaction-orphan',
    sources: [
      app(dry(many(3, () => ({ ageMs: 4000, busy: true })))),
      postgres(
        many(3, (n) => ({
          ...at(200)(n),
          queryMs: 4000,
          waitType: 'Lock',
          waitEvent: 'transactionid',
          blockedBy: [0],
        })),
        {
          preparedTransactions: [{ gid: 'x', owner: 'app', database: 'shop', ageMs: 86_400_000 }],
        },
      ),
    ],
    neverSays: /unnest|pg_terminate_backend/,
  },
  {
    id: 'lwlock-contention',
    sources: [
      app(dry(many(5, () => ({ ageMs: 700, busy: true })))),
      postgres(
        many(5, (n) => ({
          ...at(200)(n),
          queryMs: 700,
          waitType: 'LWLock',
          waitEvent: 'SubtransSLRU',
          query: `select ${'abcde'[n]}`,
        })),
      ),
    ],
  },
  {
    id: 'io-saturated',
    sources: [
      app(dry(many(5, () => ({ ageMs: 900, busy: true })))),
      postgres(
        many(5, (n) => ({
          ...at(200)(n),
          queryMs: 900,
          waitType: 'IO',
          waitEvent: 'DataFileRead',
          query: `select ${'abcde'[n]} from t${'abcde'[n]}`,
        })),
      ),
    ],
  },
  {
    id: 'deadlock-storm',
    sources: [postgres([{ pid: 1 }], { databases: [database(20)] })],
    before: [postgres([{ pid: 1 }], { databases: [database(14)] })],
  },
  {
    id: 'cached-plan-after-migration',
    sources: [app(failing('0A000', 'cached plan must not change result type'))],
  },
  {
    id: 'statement-limit-vs-acquire',
    cause: 'slow-query',
    sources: [
      app(
        dry(
          many(5, () => ({ ageMs: 25_000, busy: true, lastSql: 'select pg_sleep(30)' })),
          { longestWaitMs: 1900 },
        ),
      ),
    ],
  },
  {
    id: 'pooler-pool-too-small',
    sources: [
      bouncer(
        { clientsWaiting: 7, clientsActive: 5, serversActive: 3, size: 3, longestWaitMs: 62 },
        { servers: busyServers(3) },
      ),
      postgres(many(3, (n) => ({ pid: 300 + n, queryMs: 15 }))),
    ],
    says: /7 of 12 clients queue for 3 server connections, the longest for 62ms/,
  },
  {
    id: 'session-mode-behind-pool',
    sources: [
      bouncer(
        {
          mode: 'session',
          clientsWaiting: 2,
          clientsActive: 3,
          serversActive: 3,
          size: 3,
          longestWaitMs: 9000,
        },
        { servers: busyServers(3) },
      ),
      postgres(many(3, (n) => ({ pid: 300 + n, state: 'idle', stateMs: 60_000 }))),
    ],
    neverSays: /default_pool_size = \d|default_pool_size \(/,
  },
  {
    id: 'pooler-victim-of-other-client',
    sources: [
      bouncer(
        { clientsWaiting: 2, clientsActive: 3, serversActive: 3, size: 3, longestWaitMs: 4000 },
        {
          servers: busyServers(3),
          clients: [
            ...many(3, (n) => client(`c${n}`, 'billing', null, `s${n}`)),
            ...many(2, (n) => client(`w${n}`, 'orders', 4000, null)),
          ],
        },
      ),
      postgres(
        many(3, (n) => ({
          pid: 300 + n,
          application: 'billing',
          state: 'idle in transaction',
          stateMs: 8000,
          transactionMs: 9000,
        })),
      ),
    ],
    says: /billing.*orders wait/,
  },
  {
    id: 'server-login-retry',
    sources: [
      unable('server login has been failing, try again later (server_login_retry)'),
      bouncer(starved, {}),
      postgres([]),
    ],
  },
  {
    id: 'auth-secret-mismatch',
    sources: [unable('server login failed: wrong password type'), bouncer(starved, {}), postgres([])],
  },
  {
    id: 'auth-query-broken',
    sources: [
      bouncer(
        {
          user: 'pgbauth',
          clientsWaiting: 1,
          clientsActive: 0,
          serversActive: 0,
          serversIdle: 0,
          longestWaitMs: 0,
        },
        {
          clients: [{ ...client('n1', '', 0, null), user: '(nouser)', state: 'waiting' }],
          config: { auth_user: 'pgbauth' },
        },
      ),
      postgres([]),
    ],
  },
  {
    id: 'startup-parameter-swallowed',
    sources: [
      app(
        dry(
          many(5, () => ({ ageMs: 25_000, busy: true })),
          {
            setup: {
              acquireTimeoutMs: null,
              recycleMs: null,
              maxIdleMs: null,
              prePing: null,
              statementTimeoutMs: 5000,
              leakAfterMs: null,
            },
          },
        ),
      ),
      bouncer(
        {},
        {
          config: { ignore_startup_parameters: 'statement_timeout' },
          servers: busyServers(5),
          clients: many(5, (n) => ({ ...client(`c${n}`, 'api', null, `s${n}`), port: 1000 + n })),
        },
      ),
      postgres(
        many(5, (n) => ({
          pid: 300 + n,
          clientPort: 2000 + n,
          queryMs: 24_000,
          query: 'select pg_sleep(30)',
        })),
      ),
    ],
  },
  {
    id: 'prepared-statement-transaction-mode',
    sources: [
      app(failing('42P05', 'prepared statement "a" already exists', 145)),
      bouncer({}, { config: { pool_mode: 'transaction' } }),
    ],
    says: /145 of 480 statements failed \(42P05/,
    neverSays: /DB_PREPARE_THRESHOLD/,
  },
  {
    id: 'listen-through-transaction-pool',
    sources: [
      bouncer(
        {},
        {
          servers: [
            {
              id: 's1',
              user: 'app',
              database: 'shop',
              state: 'idle',
              backendPid: 300,
              localPort: 2000,
              link: null,
            },
          ],
          config: { pool_mode: 'transaction' },
        },
      ),
      postgres([{ pid: 300, state: 'idle', stateMs: 9000, query: 'LISTEN jobs' }]),
    ],
  },
  { id: 'pooler-client-idle-timeout', sources: [app(failing('08P01', 'client_idle_timeout', 3))] },
  {
    id: 'pooler-file-limit',
    cause: 'connections-reset',
    sources: [unable('read ECONNRESET'), bouncer({}, { maxClients: 1000, usedClients: 40 })],
  },
  {
    id: 'pooler-dns-stale',
    sources: [
      app(failing('25006', 'cannot execute INSERT in a read-only transaction')),
      bouncer({}, {}),
      postgres([], { inRecovery: true }),
    ],
  },
  {
    id: 'pooler-recycles-all-the-time',
    sources: [
      bouncer(
        {},
        {
          config: { server_lifetime: '0' },
          servers: busyServers(3).map((one) => ({ ...one, connectedMs: 300 })),
        },
      ),
    ],
  },
  { id: 'pooler-clock-jump', sources: [bouncer({}, {})], clockStepMs: 3_600_000 },
  {
    id: 'fleet-exceeds-server',
    sources: [
      app(
        pool({
          createError: 'sorry, too many clients already',
          size: 10,
          maxOverflow: 0,
          live: 7,
          waiting: 3,
          longestWaitMs: 400,
        }),
      ),
      postgres(
        many(27, (n) => ({ pid: 100 + n, clientAddress: `10.0.0.${n % 3}`, state: 'idle', stateMs: 20_000 })),
        { usedConnections: 27, maxConnections: 30 },
      ),
    ],
  },
  {
    id: 'serverless-fan-out',
    sources: [
      postgres(
        many(27, (n) => ({ pid: 100 + n, clientAddress: `10.0.${n}.1`, state: 'idle', stateMs: 200_000 })),
        { usedConnections: 27, maxConnections: 30 },
      ),
    ],
  },
  {
    id: 'connection-churn',
    sources: [
      app(
        pool({
          size: 5,
          maxOverflow: 0,
          live: 1,
          idle: 1,
          counters: { ...pool().counters, created: 400, destroyed: 399, acquired: 420, released: 420 },
        }),
      ),
    ],
  },
  {
    id: 'pg-hba-no-entry',
    sources: [unable('no pg_hba.conf entry for host "10.0.0.5", user "app", database "shop", no encryption')],
  },
  { id: 'wrong-password', sources: [unable('password authentication failed for user "app"', { live: 2 })] },
  {
    id: 'disk-full',
    sources: [app(failing('53100', 'could not extend file "base/1/2": No space left on device'))],
  },
  {
    id: 'half-open-connection',
    sources: [
      app(dry(many(3, () => ({ ageMs: 40_000, busy: true, lastSql: 'select 1' })))),
      postgres(
        many(3, (n) => ({
          ...at(200)(n),
          state: 'idle',
          stateMs: 400_000,
          queryMs: 400_000,
          transactionMs: null,
        })),
      ),
    ],
  },
  {
    id: 'abandoned-session',
    sources: [
      app(
        pool({
          size: 5,
          maxOverflow: 0,
          live: 1,
          idle: 0,
          holders: [holder({ localPort: 1000, busy: true })],
        }),
      ),
      postgres([
        { ...at(200)(0), queryMs: 10 },
        {
          pid: 250,
          clientPort: 5555,
          state: 'idle in transaction',
          stateMs: 600_000,
          transactionMs: 600_000,
        },
      ]),
    ],
    says: /belongs to no process/,
  },
  {
    // Others wait for its locks: who it was is the cause.
    id: 'abandoned-session-locks',
    cause: 'abandoned-session',
    sources: [
      app(
        dry(
          many(4, () => ({ ageMs: 4000, busy: true })),
          { live: 4 },
        ),
      ),
      postgres([
        {
          ...{ pid: 250, clientPort: 5555, state: 'idle in transaction' },
          ...{ stateMs: 600_000, transactionMs: 600_000 },
        },
        ...many(4, (n) => ({
          ...at(200)(n),
          ...{ queryMs: 4000, waitType: 'Lock', waitEvent: 'transactionid', blockedBy: [250] },
        })),
      ]),
    ],
    says: /pid 250 belongs to no process any more/,
  },
  {
    id: 'lock-table-full',
    sources: [
      app(
        failing(
          '53200',
          'out of shared memory. HINT: You might need to increase "max_locks_per_transaction".',
        ),
      ),
    ],
    neverSays: /memory of the machine/,
  },
  {
    // mysql2 refuses a caller that may not wait: what the leases do is the cause.
    id: 'pool-refuses',
    cause: 'slow-query',
    sources: [
      app(
        dry(
          many(5, () => ({ ageMs: 4000, busy: true, lastSql: 'select sleep(20)' })),
          {
            ...{ driver: 'mysql2', waiting: 0, longestWaitMs: null, createError: 'Queue limit reached.' },
            observed: observed({ createErrorMs: 100 }),
          },
        ),
      ),
    ],
    says: /further callers are refused/,
  },
  {
    id: 'pooler-unanswering',
    cause: 'connections-reset',
    sources: [
      app(pool({ ...{ size: 5, maxOverflow: 0, live: 3, creating: 3, waiting: 3, longestWaitMs: 4000 } })),
      down('no answer within 5s', 'pgbouncer', 'pgb'),
      postgres([{ pid: 1, state: 'idle' }]),
    ],
    says: /out of files, or stopped/,
  },
  {
    id: 'idle-session-timeout',
    sources: [app(failing('57P05', 'terminating connection due to idle-session timeout', 2))],
  },
  {
    id: 'idle-transaction-killed',
    sources: [app(failing('25P03', 'terminating connection due to idle-in-transaction timeout', 2))],
  },
  {
    // The server is still down: what its end said comes second.
    id: 'server-down after an orderly end',
    cause: 'server-down',
    sources: [
      app({
        ...failing('57P01', 'terminating connection due to administrator command', 3),
        ...{
          live: 0,
          idle: 0,
          createError: 'connect ECONNREFUSED 127.0.0.1:5432',
          waiting: 2,
          longestWaitMs: 900,
        },
      }),
      down('connect ECONNREFUSED 127.0.0.1:5432'),
    ],
  },
  {
    // Each caller has a connect of its own, so nobody is in the queue.
    id: 'connects-unanswered',
    sources: [
      app(
        pool({
          ...{ size: 5, maxOverflow: 0, live: 3, creating: 3, idle: 0, inUse: 0, waiting: 0 },
          observed: observed({
            connectingMs: 12_000,
            address: { host: 'db', port: 5432, database: 'shop', user: 'app' },
          }),
        }),
      ),
    ],
    says: /3 connects without an answer for 12/,
  },
  {
    id: 'normal: connects that take a moment',
    cause: null,
    sources: [
      app(
        pool({
          ...{ size: 5, maxOverflow: 0, live: 3, creating: 3, idle: 0, inUse: 0, waiting: 0 },
          observed: observed({ connectingMs: 800 }),
        }),
      ),
    ],
  },
  {
    // Those who wait for the lock keep nothing.
    id: 'advisory-lock-held',
    sources: [
      app(
        dry(
          many(3, () => ({
            ...{ ageMs: 40_000, busy: true, lastSql: 'select pg_advisory_lock(42)' },
            session: { inTransaction: false, listens: [], keeps: ['ADVISORY LOCK'] },
          })),
          { size: 3, live: 3 },
        ),
      ),
      postgres([
        {
          pid: 99,
          application: 'worker',
          state: 'idle',
          stateMs: 90_000,
          transactionMs: null,
          queryMs: null,
        },
        ...many(3, (n) => ({
          ...at(200)(n),
          ...{ queryMs: 39_000, waitType: 'Lock', waitEvent: 'advisory', blockedBy: [99] },
          query: 'select pg_advisory_lock(42)',
        })),
      ]),
    ],
  },
  {
    // Not of the catalog: whatever ends them says nothing.
    id: 'idle-connections-cut',
    sources: [
      app(
        pool({
          ...{ size: 5, maxOverflow: 0, live: 5, idle: 5 },
          observed: observed({ lostIdle: 6, lostLent: 0, lostOpen: 0, lostMs: 2000 }),
        }),
      ),
    ],
    says: /6 connections broke while idle/,
  },
  {
    id: 'ok-connections-lost-long-ago',
    cause: null,
    sources: [
      app(
        pool({
          ...{ size: 5, maxOverflow: 0, live: 5, idle: 5 },
          observed: observed({ lostIdle: 6, lostLent: 3, lostOpen: 3, lostMs: 600_000 }),
        }),
      ),
    ],
  },
  {
    // MariaDB ends the connection without a word.
    id: 'idle-transaction-killed on MariaDB',
    cause: 'idle-transaction-killed',
    sources: [
      app(
        pool({
          ...{ driver: 'mysql2', size: 5, maxOverflow: 0, live: 5, idle: 5 },
          observed: observed({ lostIdle: 0, lostLent: 3, lostOpen: 3, lostMs: 2000 }),
        }),
      ),
    ],
  },
  {
    // A look-alike of a half-open connection: the server has answered, and nobody reads.
    id: 'an answer that nobody reads',
    cause: 'server-waits-for-client',
    sources: [
      app(dry(many(3, () => ({ ageMs: 40_000, busy: true, lastSql: 'select * from t' })))),
      postgres(
        many(3, (n) => ({
          ...{ ...at(200)(n), state: 'idle', stateMs: 38_000, queryMs: 39_500, transactionMs: null },
          query: 'select * from t',
        })),
      ),
    ],
    says: /do not read the answer that the server sent up to 38s ago/,
  },
  {
    // mysql2 keeps the connection until the server has done what the client gave up.
    id: 'query-left-by-client-timeout of mysql2',
    cause: 'query-left-by-client-timeout',
    sources: [
      app(
        dry(
          many(3, () => ({ ageMs: 20_000, busy: true, backendPid: null, lastSql: 'select sleep(60)' })),
          {
            driver: 'mysql2',
            observed: observed({
              queryErrors: [
                {
                  ...{ code: 'PROTOCOL_SEQUENCE_TIMEOUT', message: 'Query inactivity timeout' },
                  ...{ site: null, count: 3, lastMs: 19_000 },
                },
              ],
            }),
          },
        ),
      ),
      mysql(many(3, (n) => ({ ...at(200)(n), queryMs: 20_000, query: 'select sleep(60)' }))),
    ],
    says: /that a timeout of the client gave up still run/,
  },
  { id: 'process-file-limit', sources: [unable('connect EMFILE 127.0.0.1:5432')] },
  { id: 'slow-dns', sources: [unable('getaddrinfo EAI_AGAIN db.internal')] },
  {
    id: 'proxy-pins-sessions',
    sources: [
      app(
        pool({
          size: 10,
          maxOverflow: 0,
          live: 10,
          idle: 10,
          observed: observed({ address: { ...address, host: 'app.proxy-abc.eu-west-1.rds.amazonaws.com' } }),
        }),
      ),
      postgres(
        many(10, (n) => ({ pid: 100 + n, clientAddress: '10.9.9.9', state: 'idle', stateMs: 90_000 })),
      ),
    ],
  },
  {
    id: 'ok-short-burst',
    cause: null,
    sources: [
      app(
        pool({
          size: 5,
          maxOverflow: 0,
          live: 5,
          waiting: 3,
          longestWaitMs: 12,
          holders: many(5, (n) => holder({ leaseId: n, ageMs: 9, busy: true })),
        }),
      ),
      bouncer({ clientsWaiting: 1, longestWaitMs: 30 }, {}),
      postgres(many(5, (n) => ({ pid: 200 + n, queryMs: 9 }))),
    ],
  },
  {
    // Not of the catalog. pg.Pool closes the connection of each query that fails, which is no churn by idle times.
    id: 'statements-fail',
    sources: [
      app({
        ...failing('42P01', 'relation "missing" does not exist', 400),
        counters: { ...pool().counters, created: 405, acquired: 480 },
      }),
    ],
    says: /400 of 480 statements failed \(42P01 .*relation "missing".* at src\/db\.ts:7/,
  },
  {
    id: 'ok-duplicate-keys',
    cause: null,
    sources: [app(failing('23505', 'duplicate key value violates unique constraint "users_email_key"', 400))],
  },
  {
    id: 'ok-old-connect-error',
    cause: null,
    sources: [
      app(
        pool({
          size: 5,
          maxOverflow: 0,
          live: 4,
          idle: 4,
          createError: 'connect ECONNREFUSED 10.0.0.3:5432',
          counters: { ...pool().counters, createFailed: 3 },
        }),
      ),
      postgres([]),
    ],
  },
];

function client(id: string, application: string, waitMs: number | null, link: string | null) {
  return {
    ...{ id, user: 'app', database: 'shop', application: application === '' ? null : application },
    ...{ state: waitMs === null ? 'active' : 'waiting', address: '10.0.0.1', port: null, waitMs, link },
  };
}

function database(deadlocks: number) {
  return {
    ...{
      name: 'shop',
      transactions: 1000 + deadlocks,
      sessions: 10,
      activeMs: 1000,
      idleInTransactionMs: 100,
    },
    ...{ sessionMs: null, sessionsAbandoned: 0, sessionsFatal: 0, sessionsKilled: 0, deadlocks },
  };
}

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import {
  brokerConnection,
  brokerFigures,
  brokerPacing,
  type IbConnectionReading,
  type IbReading,
} from '../../../src/snapshot/broker.js';
import {
  type FeedConnectionReading,
  type FeedReading,
  feedConnection as feedConnectionSchema,
  feedFigures,
} from '../../../src/snapshot/feed.js';
import { type HttpReading, httpFigures } from '../../../src/snapshot/http.js';
import type { PoolReading } from '../../../src/snapshot/reading.js';
import { read } from '../../helpers/snapshots.js';
import { holder, pool } from '../../top/helpers.js';
import { app, check, type Given, server, settings } from './targets.js';

const of = (own: Partial<PoolReading>): Given => ({ pool: [app(pool({ name: 'p', ...own }))] });
const counters = (own: Partial<PoolReading['counters']>) => ({ counters: { ...pool().counters, ...own } });
const setup = (own: Partial<NonNullable<PoolReading['setup']>>) => ({
  setup: {
    ...{ acquireTimeoutMs: null, recycleMs: null, maxIdleMs: null, prePing: null },
    ...{ statementTimeoutMs: null, leakAfterMs: null, ...own },
  },
});

const feed = (own: Partial<FeedReading> = {}, size = 2): Partial<PoolReading> => ({
  ...{ driver: 'ws:json', size, live: size },
  feed: read(feedFigures, {
    ...{ symbols: 10, live: 10, capacity: 20, exhausted: 0, refused: 0, stale: 0, gaps: 0, conflated: 0 },
    ...{ dropped: 0, slowDisconnects: 0, ticks: 1000, connections: [feedConnection()], ...own },
  }),
});
const feedConnection = (own: Partial<FeedConnectionReading> = {}): FeedConnectionReading =>
  read(feedConnectionSchema, { id: 1, state: 'open', symbols: 5, reconnects: 0, lastTickAgoMs: 10, ...own });

check('feed-capacity', [
  ['no feed', of({}), { status: 'skipped' }],
  ['nine tenths', of(feed({ symbols: 18 })), { status: 'pass' }],
  ['more', of(feed({ symbols: 19 })), { status: 'warn', steps: /: 3$/ }],
  ['some found no room', of(feed({ exhausted: 1 })), { status: 'fail', steps: /: 3$/ }],
  ['many found no room', of(feed({ symbols: 20, exhausted: 25 })), { status: 'fail', steps: /: 6$/ }],
]);
check('feed-drops', [
  ['none', of(feed()), { status: 'pass' }],
  ['one dropped', of(feed({ dropped: 1 })), { status: 'fail', summary: /: 1 ticks/, evidence: /^[^\n]*$/ }],
  [
    'a slow subscriber',
    of(feed({ slowDisconnects: 1 })),
    { status: 'fail', summary: /: 1 subscribers/, evidence: /\n1 slow/ },
  ],
  ['fewer than 1 % replaced', of(feed({ conflated: 9 })), { status: 'pass' }],
  ['1 % replaced', of(feed({ conflated: 10 })), { status: 'warn' }],
]);
const silent = { lastTickAgoMs: 30_001 };
check('feed-stale', [
  ['fresh', of(feed()), { status: 'pass' }],
  [
    'silent for just 30 s',
    of(feed({ connections: [feedConnection({ lastTickAgoMs: 30_000 })] })),
    { status: 'pass' },
  ],
  [
    'silent for longer',
    of(feed({ connections: [feedConnection(silent), feedConnection()] })),
    { status: 'warn', summary: /: 1 of 2/, evidence: /30s ago/ },
  ],
  [
    'silent without a symbol',
    of(feed({ connections: [feedConnection({ ...silent, symbols: 0 })] })),
    { status: 'pass' },
  ],
  [
    'silent, being opened',
    of(feed({ connections: [feedConnection({ ...silent, state: 'dialing' })] })),
    { status: 'pass' },
  ],
  [
    'degraded',
    of(feed({ connections: [feedConnection({ state: 'degraded', lastTickAgoMs: null })] })),
    { status: 'fail', evidence: /never/ },
  ],
  [
    'failed',
    of(feed({ connections: [feedConnection({ state: 'failed' }), feedConnection()] })),
    { status: 'fail', summary: /: 1 of 2/ },
  ],
  ['once stale', of(feed({ stale: 1 })), { status: 'warn', summary: /1 times/ }],
  ['refused', of(feed({ refused: 1 })), { status: 'warn', summary: /refused 1/ }],
  ['not confirmed', of(feed({ live: 9 })), { status: 'warn', summary: /^p: 1 of 10/ }],
]);
const started = (hours: number) => ({
  app: { ...pool().app!, startedAtMs: pool().takenAtMs - hours * 3_600_000 },
});
const reconnects = (...counts: number[]) =>
  feed({ connections: counts.map((one) => feedConnection({ reconnects: one })) });
check('feed-reconnects', [
  ['twice at once', of({ ...reconnects(1, 1), ...started(0.1) }), { status: 'pass' }],
  ['thrice at once', of({ ...reconnects(1, 2), ...started(0.1) }), { status: 'warn' }],
  ['six an hour', of({ ...reconnects(6), ...started(1) }), { status: 'pass' }],
  [
    'seven an hour',
    of({ ...reconnects(7), ...started(1), createError: 'boom' }),
    { status: 'warn', evidence: /boom/ },
  ],
]);

/** Counts that are left out are not told. */
type HttpCounts = Omit<Partial<HttpReading>, 'closed' | 'timeouts'> & {
  readonly closed?: Readonly<Record<string, number>>;
  readonly timeouts?: Readonly<Record<string, number>>;
};
const http = (own: HttpCounts): Partial<PoolReading> => ({
  ...{ driver: 'http', size: 10 },
  http: read(httpFigures, {
    ...{
      requests: 100,
      failed: 0,
      sent: 100,
      reuseRatio: 1,
      closed: {},
      retries: {},
      timeouts: {},
      origins: [],
    },
    ...own,
  }),
});
check('http-reuse', [
  ['no HTTP', of({}), { status: 'skipped' }],
  ['too few to tell', of(http({ sent: 19, reuseRatio: 0 })), { status: 'skipped' }],
  ['half', of(http({ sent: 20, reuseRatio: 0.5 })), { status: 'pass' }],
  [
    'fewer',
    of(http({ reuseRatio: 0.49, closed: { maxIdle: 5, expiry: 5, error: 0 } })),
    { status: 'warn', evidence: /^closed: 5 expiry, 5 maxIdle;/, steps: /maxKeepalive: 10$/ },
  ],
  [
    'fewer, closed too early',
    of(http({ reuseRatio: 0.1, closed: { maxIdle: 5, expiry: 6 } })),
    { status: 'warn', steps: /keepaliveExpiryMs: 60000$/ },
  ],
  ['fewer, none closed', of(http({ reuseRatio: 0.1 })), { evidence: /closed: none/ }],
]);
check('http-timeouts', [
  ['none', of(http({ timeouts: { read: 0 } })), { status: 'pass' }],
  [
    'fewer than 1 %',
    of(http({ sent: 1000, timeouts: { read: 9 } })),
    { status: 'warn', evidence: 'read 9', steps: /^[^\n]*readMs: 60000$/ },
  ],
  [
    '1 %',
    of(http({ sent: 1000, timeouts: { connect: 9, write: 1 } })),
    { status: 'fail', evidence: 'connect 9, write 1', steps: /^[^\n]*connectMs: 10000$/ },
  ],
  ['in all', of(http({ sent: 1000, timeouts: { total: 9 } })), { steps: /readMs/ }],
  [
    'for the pool, which is not of a server',
    of(http({ timeouts: { pool: 50, connect: 0, read: 0, write: 0, total: 0 } })),
    { status: 'pass' },
  ],
  ['more than were sent', of(http({ sent: 1, timeouts: { connect: 4 } })), { summary: /4 of 4 .*100/ }],
]);

const ibConnection = (own: Partial<IbConnectionReading> = {}): IbConnectionReading =>
  read(brokerConnection, {
    ...{ clientId: 1, state: 'ready', upstream: 'up', attempts: 1, ready: 1, lost: 0 },
    ...{ heartbeatsMissed: 0, idCollisions: 0, ...own },
  });
const ib = (own: Partial<IbReading> = {}): Partial<PoolReading> => ({
  ...{ driver: 'ib-worker', size: 2, maxOverflow: 0 },
  ib: read(brokerFigures, {
    ...{ host: 'gw', port: 7497, clientIds: [1, 2], clientIdsFree: 30, connections: [ibConnection()] },
    pacing: null,
    ...own,
  }),
});
const beside = (mine: Partial<PoolReading>, ...others: Partial<PoolReading>[]): Given => ({
  pool: [
    app(pool({ name: 'p', ...mine })),
    ...others.map((one, at) => ({
      ...app(pool({ ...one, closed: true, app: { ...pool().app!, pid: 100 + at } })),
      label: `x${at}`,
    })),
  ],
});
check('ib-client-ids', [
  ['its own', of(ib()), { status: 'pass' }],
  [
    'refused at connecting',
    of({ ...ib(), createError: 'client id 7 is in use' }),
    { status: 'fail', steps: /clientId: 33$/, summary: /id 7/ },
  ],
  [
    'refused now and then',
    of(ib({ connections: [ibConnection({ idCollisions: 2 }), ibConnection()] })),
    { status: 'fail', summary: /2 times/ },
  ],
  [
    'that of another pool',
    beside(ib(), ib({ clientIds: [2, 40] })),
    { status: 'fail', summary: /id 2 /, evidence: /other pools at gw:7497: 2, 40/, steps: /clientId: 65$/ },
  ],
  ['ids of another pool', beside(ib(), ib({ clientIds: [3] })), { status: 'pass' }],
  ['the same at another host', beside(ib(), ib({ host: 'other' })), { status: 'pass' }],
  ['the same at another port', beside(ib(), ib({ port: 1 })), { status: 'pass' }],
  ['none left', of(ib({ clientIdsFree: 0 })), { status: 'warn', evidence: /^[^\n]*$/ }],
]);
const pacing = (own: Partial<NonNullable<IbReading['pacing']>>, more: Partial<IbReading> = {}) =>
  ib({
    pacing: read(brokerPacing, {
      ...{ limitPerSecond: 50, messagesPerSecond: 45, peakSecond: 45, sent: 900, waiting: 0 },
      ...{ longestWaitMs: null, ...own },
    }),
    ...more,
  });
check('ib-pacing', [
  ['nothing sent', of(ib()), { status: 'skipped' }],
  ['below', of(pacing({})), { status: 'pass' }],
  ['at the limit', of(pacing({ peakSecond: 50 })), { status: 'pass' }],
  ['above it', of(pacing({ peakSecond: 51 })), { status: 'fail', steps: /: 45$/ }],
  ['too little left free', of(pacing({ messagesPerSecond: 46 })), { status: 'warn', steps: /: 45$/ }],
  [
    'two that just fit',
    beside(pacing({ messagesPerSecond: 25 }), pacing({ messagesPerSecond: 25 })),
    { status: 'pass' },
  ],
  [
    'two that do not',
    beside(pacing({ messagesPerSecond: 25 }), pacing({ messagesPerSecond: 26 })),
    { status: 'warn', summary: /51 messages/, steps: /: 22$/ },
  ],
  ['two at different gateways', beside(pacing({}), pacing({}, { port: 1 })), { status: 'pass' }],
  ['a wait of just 1 s', of(pacing({ longestWaitMs: 1000 })), { status: 'pass' }],
  [
    'a longer wait',
    of(pacing({ longestWaitMs: 1001, waiting: 3 })),
    { status: 'warn', summary: /3 messages/ },
  ],
]);
const ibLost = (own: Partial<IbConnectionReading>, hours = 0.1) =>
  of({ ...ib({ connections: [ibConnection(), ibConnection(own)] }), ...started(hours) });
check('ib-reconnects', [
  ['none', ibLost({}), { status: 'pass', steps: '' }],
  ['four tries', ibLost({ state: 'connecting', attempts: 4, ready: 0 }), { status: 'pass' }],
  [
    'five tries',
    ibLost({ state: 'connecting', attempts: 6, ready: 1 }),
    { status: 'fail', summary: /1 of 2/, evidence: /tried 6 times/, steps: /gw:7497/ },
  ],
  ['many tries, and ready', ibLost({ attempts: 60 }), { status: 'pass' }],
  ['cut off from the broker', ibLost({ upstream: 'down' }), { status: 'fail', summary: /broker/ }],
  ['lost thrice', ibLost({ lost: 3, heartbeatsMissed: 2 }), { status: 'warn', evidence: /2 of them/ }],
  ['lost twice', ibLost({ lost: 2 }), { status: 'pass' }],
  ['lost thrice in a day', ibLost({ lost: 3 }, 24), { status: 'pass' }],
]);

const acquire = (ms: number | 'never' | null, own = {}) =>
  of({ driver: 'pg', ...setup({ acquireTimeoutMs: ms, ...own }) });
check('pool-acquire-timeout', [
  ['not told', acquire(null), { status: 'skipped' }],
  ['never', acquire('never'), { status: 'fail', evidence: '', steps: /connectionTimeoutMillis: 10000$/ }],
  ['half a minute', acquire(30_000), { status: 'pass' }],
  ['longer', acquire(30_001), { status: 'warn', evidence: '' }],
  ['as long as a statement', acquire(5000, { statementTimeoutMs: 5000 }), { status: 'pass' }],
  [
    'longer than a statement',
    acquire(5001, { statementTimeoutMs: 5000 }),
    { status: 'warn', evidence: /5s/, steps: /: 5000$/ },
  ],
  [
    'longer than a statement of the settings',
    { ...acquire(5001), settings: settings({ statementTimeoutMs: 5000 }) },
    { status: 'warn' },
  ],
  [
    'longer than a statement at the server',
    { ...acquire(5001), postgres: [server({ statement_timeout: ['5', 's'] })] },
    { status: 'warn' },
  ],
  [
    'one of two servers',
    { ...acquire(5001), postgres: [server({ statement_timeout: ['5', 's'] }), server()] },
    { status: 'pass' },
  ],
  [
    'statements without limit',
    { ...acquire(5001, { statementTimeoutMs: 'never' }), settings: settings({ statementTimeoutMs: 5000 }) },
    { status: 'pass' },
  ],
  [
    'a library that has no such option',
    of({ driver: 'mysql2', ...setup({ acquireTimeoutMs: 'never' }) }),
    { status: 'skipped' },
  ],
]);
const broken = (createError: string | null, own = {}) =>
  of({ driver: 'pg', live: 0, size: 10, createError, ...own });
check('pool-connects', [
  ['well', broken(null, { live: 3 }), { status: 'pass', summary: 'p: 3 open' }],
  ['some are open', broken('boom', { live: 3 }), { status: 'pass', summary: /a connect failed before/ }],
  ['some are open, and somebody waits', broken('boom', { live: 3, waiting: 1 }), { status: 'warn' }],
  ['none', broken('boom'), { status: 'fail', steps: /poolctl doctor/ }],
  ['too many', broken('sorry, too many clients already'), { steps: /max: 5$/ }],
  ['too many, of one', broken('too many clients', { size: 1 }), { steps: /max: 1$/ }],
  ['refused', broken('connect ECONNREFUSED'), { steps: /^start the server/ }],
  ['a password', broken('password authentication failed'), { steps: /the password/ }],
  ['a name', broken('getaddrinfo ENOTFOUND db'), { steps: /host name/ }],
  ['the network', broken('connect ETIMEDOUT'), { steps: /network/ }],
  ['a timeout', broken('timed out'), { steps: /network/ }],
]);
const invalid = (invalidated: number | null, acquired: number | null, own = {}) =>
  of({ driver: 'ours', ...counters({ invalidated, acquired, pingFailed: 4 }), ...own });
check('pool-invalidations', [
  ['not counted', invalid(null, 1), { status: 'skipped' }],
  ['of acquires not counted', invalid(9, null), { status: 'skipped' }],
  ['two', invalid(2, 2), { status: 'pass' }],
  ['fewer than 1 %', invalid(3, 301), { status: 'pass' }],
  [
    '1 %',
    invalid(3, 300),
    { status: 'warn', evidence: /off, 4/, steps: /prePing: true\n.*recycleMs: 900000$/ },
  ],
  ['1 %, tried', invalid(3, 300, setup({ prePing: true })), { evidence: /pre-ping on/ }],
  ['of a feed', invalid(9, 9, feed()), { status: 'skipped' }],
  ['of HTTP', invalid(9, 9, http({})), { status: 'skipped' }],
]);
const leaked = (ageMs: number | null, site: string | null, own = {}) =>
  holder({ ageMs, site, leaked: true, ...own });
check('pool-leaks', [
  ['none', of({ holders: [holder()] }), { status: 'pass', summary: /1 lent/ }],
  [
    'its watch is off',
    of({ ...setup({ leakAfterMs: 'never' }), holders: [leaked(1, 'a')] }),
    { status: 'skipped' },
  ],
  ['a feed', of(feed()), { status: 'skipped', summary: 'no application has a pool' }],
  [
    'one',
    of({ driver: 'pg', holders: [leaked(9000, 'a.ts:1'), holder()] }),
    {
      status: 'fail',
      summary: /1 of 2 .*9/,
      evidence: '1 acquired at a.ts:1',
      steps: /a\.ts:1 .*client\.release/,
    },
  ],
  ['at work', of({ holders: [leaked(9000, 'a', { busy: true })] }), { status: 'pass' }],
  [
    'six places',
    of({ holders: ['a', 'b', 'b', 'c', 'd', 'e', 'f'].map((site, at) => leaked(at, site)) }),
    { evidence: /^2 acquired at b\n[\s\S]*\n1 more places$/, steps: /^(?:.*\n){4}.*$/ },
  ],
  [
    'five places',
    of({ holders: ['a', 'b', 'c', 'd', 'e'].map((site) => leaked(1, site)) }),
    { evidence: /^(?!.*more)/s },
  ],
  [
    'of unknown age',
    of({ holders: [leaked(null, null)] }),
    { summary: /^(?!.*oldest)/, evidence: /without a sampled stack/ },
  ],
  [
    'found by the garbage collector',
    of(counters({ collected: 1 })),
    { status: 'warn', summary: /1 lease was/ },
  ],
  ['several found by it', of(counters({ collected: 2 })), { status: 'warn', summary: /2 leases were/ }],
]);
check('pool-leak-watch', [
  ['on', of({ driver: 'ours', ...setup({ leakAfterMs: 5000 }) }), { status: 'pass' }],
  [
    'off',
    of({ driver: 'ours', ...setup({ leakAfterMs: 'never' }) }),
    { status: 'warn', steps: /leakWatch: true$/ },
  ],
  ['not told', of({}), { status: 'skipped' }],
]);
check('pool-nested', [
  ['not counted', of(counters({ nested: null })), { status: 'skipped' }],
  ['none', of(counters({ nested: 0 })), { status: 'pass' }],
  ['one', of(counters({ nested: 1 })), { status: 'fail', steps: /pass the lease to the called function/ }],
]);
const idleFor = (maxIdleMs: number | 'never' | null, prePing: boolean | null, driver = 'pg', size = 10) =>
  of({ driver, size, ...setup({ maxIdleMs, prePing }) });
check('pool-pre-ping', [
  ['not told', idleFor(null, null), { status: 'skipped' }],
  ['tried', idleFor('never', true), { status: 'pass' }],
  ['closed in time', idleFor(240_000, false), { status: 'pass' }],
  ['closed too late', idleFor(240_001, null), { status: 'warn', steps: /^[^\n]*idleTimeoutMillis: 60000$/ }],
  [
    'never closed, can be tried',
    idleFor('never', false, 'generic-pool'),
    { status: 'warn', steps: /^[^\n]*testOnBorrow: true$/ },
  ],
  [
    'never closed, cannot be tried',
    idleFor('never', null, 'mysql2'),
    { steps: /maxIdle: 9\n.*idleTimeout: 60000$/ },
  ],
  ['not tried, its idle time not told', idleFor(null, false), { status: 'warn' }],
  ['a SQLite file', idleFor('never', false, 'sqlite'), { status: 'skipped' }],
]);
check('pool-recycle', [
  ['not told', of({ driver: 'pg' }), { status: 'skipped' }],
  ['replaced', of({ driver: 'pg', ...setup({ recycleMs: 5000 }) }), { status: 'pass' }],
  [
    'never',
    of({ driver: 'pg', ...setup({ recycleMs: 'never' }) }),
    { status: 'warn', steps: /maxLifetimeSeconds: 1800$/ },
  ],
  ['a SQLite file', of({ driver: 'sqlite', ...setup({ recycleMs: 'never' }) }), { status: 'skipped' }],
]);
const lent = (inUse: number, waiting: number, own = {}) =>
  of({ driver: 'pg', size: 4, maxOverflow: 0, inUse, waiting, ...own });
check('pool-room', [
  ['three quarters', lent(3, 0), { status: 'pass', summary: 'p: 3 of 4 lent' }],
  ['all of it, while nobody waits', lent(4, 0), { status: 'pass', summary: 'p: 4 of 4 lent' }],
  [
    'somebody waits, though there is room',
    lent(3, 1, { longestWaitMs: 5 }),
    { status: 'warn', summary: /1 waiting, the longest for 5/ },
  ],
  [
    'somebody waits',
    lent(4, 1, { longestWaitMs: null }),
    { status: 'fail', summary: /1 waiting$/, steps: /max: 7$/ },
  ],
  ['very many wait', lent(4, 99), { steps: /max: 16$/ }],
  [
    'leaks',
    lent(4, 1, { holders: [leaked(9, 'a')] }),
    { evidence: /1 of them/, steps: /give back the lease/ },
  ],
  ['no limit, and nobody waits', lent(9, 0, { size: null }), { status: 'skipped' }],
  ['no limit', lent(9, 2, { size: null }), { status: 'pass' }],
  [
    'enough room, and still a queue',
    lent(1, 1, { creating: 3 }),
    { status: 'warn', steps: /3 are in progress/ },
  ],
  ['a feed', lent(4, 9, feed()), { status: 'skipped' }],
  ['nobody reports how many', of({ inUse: null, waiting: 3 }), { status: 'skipped' }],
]);
const late = (timedOut: number | null, acquired: number | null, own = {}) =>
  lent(4, 0, { ...counters({ timedOut, acquired }), peakInUse: 4, peakWaiting: 5, ...own });
check('pool-timeouts', [
  ['not counted', late(null, 1), { status: 'skipped' }],
  ['none', late(0, 9), { status: 'pass' }],
  ['fewer than 1 %', late(1, 100), { status: 'warn', summary: /1 of 101/, steps: /max: 12$/ }],
  ['1 %', late(1, 99), { status: 'fail', summary: /1 of 100/ }],
  ['of acquires not counted', late(1, null), { status: 'fail', summary: /1 of 1 / }],
  ['peaks not kept', late(1, 100, { peakWaiting: null }), { steps: /max: 8$/ }],
  ['leaks', late(1, 99, { holders: [leaked(9, 'a'), leaked(9, 'b')] }), { steps: /give back the 2 leases/ }],
]);

/** The files that this process itself may have open; null where the system does not tell. */
const ownLimit = (): number | null => {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return limit === undefined ? null : Number(limit);
  } catch {
    return null;
  }
};
const files = ownLimit() ?? 1000;
const here = (...pools: Partial<PoolReading>[]): Given => ({
  pool: [
    app(
      ...pools.map((one) =>
        pool({
          app: { ...pool().app!, pid: process.pid, host: hostname() },
          driver: 'pg',
          maxOverflow: 0,
          ...one,
        }),
      ),
    ),
  ],
});
if (ownLimit() !== null) {
  check('app-file-limit', [
    [
      'all fits',
      here({ size: files - 64 }),
      { status: 'pass', evidence: /^orders: \d+\nulimit -n \d+, \d+ open$/ },
    ],
    [
      'one too many',
      here({ size: files - 63 }),
      { status: 'fail', steps: new RegExp(`max: ${files - 64}$`) },
    ],
    [
      'the largest gives up what is too much',
      here({ name: 'small', size: 10 }, { name: 'large', size: files - 64, maxOverflow: 2 }),
      { status: 'fail', steps: new RegExp(`'large'.*max: ${files - 76}$`) },
    ],
    ['closed ones do not count', here({ size: 10 }, { size: files, closed: true }), { status: 'pass' }],
    ['without a limit', here({ size: null, live: 3 }), { status: 'warn', summary: /'orders' has no limit/ }],
    [
      'SQLite has three files for each',
      here({ driver: 'sqlite', size: Math.ceil((files - 64) / 3) + 1 }),
      { status: 'fail', steps: new RegExp(`size: ${Math.floor((files - 64) / 3)}$`) },
    ],
    ['SQLite that fits', here({ driver: 'sqlite', size: Math.floor((files - 64) / 3) }), { status: 'pass' }],
  ]);
}
check('app-file-limit', [
  ['a process of another machine', of({}), { status: 'skipped' }],
  ['no pool', { pool: [app()] }, { status: 'skipped' }],
]);

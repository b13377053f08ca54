// An application whose pool is recorded and measured by size.mjs: `node size-app.mjs JOB`, with the job as JSON. Its callers
// arrive as the workload says, whatever the pool does. It prints the waits that it has measured itself as one line of JSON.

import pg from 'pg';
import { createDatabase } from 'poolctl';
import { seededRandom } from '../../dist/src/base/random.js';

/** @typedef {{ target: 'postgres' | 'pgbouncer' | 'sqlite', url: string, size: number, workload: string, seconds: number, seed: number, timeoutMs: number }} Job */
/** @typedef {{ query(sql: string): Promise<unknown>, release(): void, waitedMs?: number }} Connection */
/** @typedef {{ atMs: number, holdMs: number, kind: 'read' | 'lock' | 'leak' }} Call */

/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? '');
const random = seededRandom(job.seed);
const spanMs = job.seconds * 1000;
const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
const exponential = (/** @type {number} */ mean) => -mean * Math.log(1 - random());

/** @type {Readonly<Record<string, () => Call[]>>} */
const WORKLOADS = {
  steady: () => arrivals(() => 45).map((atMs) => ({ atMs, holdMs: exponential(50), kind: 'read' })),
  bursty: () => {
    const calls = arrivals(() => 20).map((atMs) => ({ atMs, holdMs: exponential(30) }));
    for (let at = exponential(1000); at < spanMs; at += 1500 + exponential(1500))
      for (let i = 0; i < 30; i++) calls.push({ atMs: at + 100 * random(), holdMs: exponential(30) });
    return calls.map((call) => ({ ...call, kind: 'read' }));
  },
  'heavy-tailed': () =>
    // Pareto without a second moment, with a mean of about 45 ms, cut off at two seconds.
    arrivals(() => 45).map((atMs) => ({
      atMs,
      holdMs: Math.min(2000, 16 / (1 - random()) ** (1 / 1.5)),
      kind: 'read',
    })),
  'daily-curve': () =>
    arrivals((at) => 10 + 60 * Math.sin((Math.PI * at) / spanMs) ** 2).map((atMs) => ({
      atMs,
      holdMs: 20 + 60 * random(),
      kind: 'read',
    })),
  leaky: () => {
    const calls = arrivals(() => 25).map((atMs) => ({
      atMs,
      holdMs: exponential(40),
      kind: /** @type {Call['kind']} */ ('read'),
    }));
    for (const share of [0.3, 0.6]) {
      const call = calls[Math.floor(calls.length * share)];
      if (call !== undefined) call.kind = 'leak';
    }
    return calls;
  },
  'lock-bound': () =>
    arrivals(() => 30).map((atMs) => {
      const isWrite = random() < 0.4;
      return {
        atMs,
        holdMs: isWrite ? 10 + 10 * random() : exponential(60),
        kind: isWrite ? 'lock' : 'read',
      };
    }),
};

await main();

async function main() {
  const calls = (WORKLOADS[job.workload]?.() ?? []).sort((one, other) => one.atMs - other.atMs);
  const pool = job.target === 'sqlite' ? sqlitePool() : pgPool();
  await pool.prepare();
  // The start of a pool is the same at all sizes, and is left out.
  const first = [];
  while (first.length < job.size) {
    const connection = await pool.acquire().catch(() => null);
    if (connection !== null) first.push(connection);
  }
  for (const connection of first) connection.release();
  await sleep(100);
  /** @type {number[]} */
  const waits = [];
  let timeouts = 0;
  const serve = async (/** @type {Call} */ call) => {
    const askedAt = performance.now();
    /** @type {Connection} */
    let connection;
    try {
      connection = await pool.acquire();
    } catch {
      timeouts++;
      waits.push(performance.now() - askedAt);
      return;
    }
    // The time until a session is ready, which is not the pool's alone, is not the pool's wait.
    waits.push(connection.waitedMs ?? performance.now() - askedAt);
    if (call.kind === 'leak') return;
    try {
      await pool[call.kind](connection, call.holdMs);
    } finally {
      connection.release();
    }
  };
  const startedAt = performance.now();
  const running = [];
  for (const call of calls) {
    const ahead = startedAt + call.atMs - performance.now();
    if (ahead > 0.5) await sleep(ahead);
    running.push(serve(call));
  }
  await Promise.all(running);
  waits.sort((one, other) => one - other);
  const quantile = (/** @type {number} */ q) => waits[Math.ceil(q * waits.length) - 1];
  const figures = {
    count: waits.length,
    timeouts,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
}

/**
 * The times of callers that come at random, at a rate per second that depends on the time.
 * @param {(atMs: number) => number} rate
 */
function arrivals(rate) {
  const most = 80;
  const times = [];
  for (let at = exponential(1000 / most); at < spanMs; at += exponential(1000 / most))
    if (random() * most < rate(at)) times.push(at);
  return times;
}

function pgPool() {
  const pool = new pg.Pool({
    connectionString: job.url,
    max: job.size,
    connectionTimeoutMillis: job.timeoutMs,
    idleTimeoutMillis: 10_000,
  });
  pool.on('error', () => {});
  return {
    async prepare() {
      const client = new pg.Client({ connectionString: job.url });
      await client.connect();
      await client.query('create table if not exists counter (id int primary key, n int)');
      await client.query('insert into counter values (1, 0) on conflict do nothing');
      await client.end();
    },
    acquire: () => pool.connect(),
    async read(/** @type {Connection} */ client, /** @type {number} */ ms) {
      await client.query('select count(*) from pg_class');
      await client.query(`select pg_sleep(${ms / 1000})`);
    },
    async lock(/** @type {Connection} */ client, /** @type {number} */ ms) {
      await client.query('begin');
      await client.query('select n from counter where id = 1 for update');
      await client.query(`select pg_sleep(${ms / 1000})`);
      await client.query('update counter set n = n + 1 where id = 1');
      await client.query('commit');
    },
  };
}

function sqlitePool() {
  const database = createDatabase(job.url, { size: job.size, maxOverflow: 0, timeoutMs: job.timeoutMs });
  /** @type {number[]} */
  const waited = [];
  database.pool.on('acquire', ({ waitedMs }) => waited.push(waitedMs ?? 0));
  /** A process has one writer at a time: SQLite locks the whole file. */
  let writing = Promise.resolve();
  return {
    async prepare() {
      const session = await database.getDb();
      await session.query('create table if not exists counter (id integer primary key, n int)');
      await session.query('insert or ignore into counter values (1, 0)');
      session.close();
      waited.length = 0;
    },
    async acquire() {
      const session = await database.getDb();
      // Sessions are handed out in the order of their leases.
      const waitedMs = waited.shift() ?? 0;
      return {
        waitedMs,
        query: (/** @type {string} */ sql) => session.query(sql),
        release: () => void session.close(),
      };
    },
    async read(/** @type {Connection} */ session, /** @type {number} */ ms) {
      await session.query('select * from counter');
      await sleep(ms);
    },
    async lock(/** @type {Connection} */ session, /** @type {number} */ ms) {
      const before = writing;
      let done = () => {};
      writing = new Promise((resolve) => {
        done = resolve;
      });
      await before;
      await session.query('update counter set n = n + 1 where id = 1');
      await sleep(ms);
      done();
    },
  };
}

// One measurement in a process of its own: `node postgres-child.mjs JOB`, with the job as JSON; the figures come out as
// one line of JSON.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { measureByHand } from './processes.mjs';

/**
 * @typedef {{ kind: string, url: string, clients: number, seconds: number, accounts: number, build: string }} Job
 */

const SQL = 'SELECT abalance FROM pgbench_accounts WHERE aid = $1';
/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? '');
const anyAccount = () => 1 + Math.floor(Math.random() * job.accounts);
process.stdout.write(JSON.stringify(await measure()));

async function measure() {
  switch (job.kind) {
    case 'pg-pool by hand':
      return measureByHand(job, await pgPool(), 300);
    case 'poolctl sessions by hand':
      return measureByHand(job, await sessions({}), 300);
    case 'poolctl sessions, unwatched':
      return measureByHand(job, await sessions({ histograms: false, leakWatch: false }), 300);
    default:
      return byLoadTest();
  }
}

async function pgPool() {
  const pool = new pg.Pool({ connectionString: job.url, max: job.clients });
  return {
    async query() {
      const client = await pool.connect();
      try {
        await client.query(SQL, [anyAccount()]);
      } finally {
        client.release();
      }
    },
    end: () => pool.end(),
  };
}

async function sessions(/** @type {object} */ options) {
  const database = await openDatabase(options);
  return {
    async query() {
      const session = await database.getDb();
      try {
        await session.query(SQL, [anyAccount()]);
      } finally {
        await session.close();
      }
    },
    end: () => database.close(),
  };
}

async function byLoadTest() {
  /** @type {typeof import('../../src/loadtest/index.js')} */
  const { runLoadTest, sessionWorkload } = await import(fileUrl('src/loadtest/index.js'));
  const database = await openDatabase({});
  let cpu = process.cpuUsage();
  let before = { user: 0, system: 0 };
  const result = await runLoadTest({
    workload: sessionWorkload(database, (session) => session.query(SQL, [anyAccount()])),
    model: { kind: 'closed', workers: job.clients },
    durationMs: job.seconds * 1000,
    warmup: { workers: job.clients, iterations: null, durationMs: 300, settleMs: null },
    onProgress({ phase }) {
      if (phase === 'warm-up') cpu = process.cpuUsage();
      before = process.cpuUsage();
    },
  });
  const { succeeded, throughputPerSecond } = result.measurements;
  await database.close();
  // The last reading in the warm-up is up to a tenth of a second early: what it holds too much is that share.
  const used = before.user - cpu.user + before.system - cpu.system;
  return { perSecond: throughputPerSecond, cpuUs: used / succeeded };
}

async function openDatabase(/** @type {object} */ options) {
  /** @type {typeof import('../../src/index.js')} */
  const { createDatabase } = await import(fileUrl('src/index.js'));
  return createDatabase(job.url, { size: job.clients, maxOverflow: 0, prePing: false, ...options });
}

function fileUrl(/** @type {string} */ file) {
  return pathToFileURL(join(job.build, file)).href;
}

// One measurement in a process of its own: `node mysql-child.mjs JOB`, with the job as JSON; the figures come out as one
// line of JSON.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import mysql from 'mysql2';

/** @typedef {{ kind: string, url: string, clients: number, seconds: number, rows: number, prepared: boolean, build: string }} Job */

const SQL = 'SELECT c FROM sbtest1 WHERE id = ?';
/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? '');
const anyId = () => 1 + Math.floor(Math.random() * job.rows);
process.stdout.write(JSON.stringify(await measure()));

async function measure() {
  switch (job.kind) {
    case 'mysql2 connections by hand':
      return byHand(connections());
    case 'mysql2 pool by hand':
      return byHand(pool());
    case 'poolctl sessions, unwatched':
      return byHand(await sessions({ histograms: false, leakWatch: false }));
    default:
      return byHand(await sessions({}));
  }
}

/** One connection for each worker, and nothing around it: the least that there is. */
function connections() {
  const all = Array.from({ length: job.clients }, () => mysql.createConnection(job.url).promise());
  return {
    /** @param {number} worker */
    async query(worker) {
      const connection = all[worker];
      if (job.prepared) await connection?.execute(SQL, [anyId()]);
      else await connection?.query(SQL, [anyId()]);
    },
    end: () => Promise.all(all.map((one) => one.end())),
  };
}

function pool() {
  const made = mysql.createPool({ uri: job.url, connectionLimit: job.clients }).promise();
  return {
    async query() {
      const connection = await made.getConnection();
      try {
        if (job.prepared) await connection.execute(SQL, [anyId()]);
        else await connection.query(SQL, [anyId()]);
      } finally {
        connection.release();
      }
    },
    end: () => made.end(),
  };
}

async function sessions(/** @type {object} */ options) {
  /** @type {typeof import('../../src/index.js')} */
  const { createDatabase } = await import(pathToFileURL(join(job.build, 'src/index.js')).href);
  const database = createDatabase(job.url, {
    ...{ size: job.clients, maxOverflow: 0, prePing: false, prepareThreshold: job.prepared ? 1 : 0 },
    ...options,
  });
  return {
    async query() {
      const session = await database.getDb();
      try {
        await session.query(SQL, [anyId()]);
      } finally {
        await session.close();
      }
    },
    end: () => database.close(),
  };
}

/**
 * As many workers as there are clients, none of which ever rests.
 * @param {{ query(worker: number): Promise<void>, end(): Promise<unknown> }} client
 */
async function byHand({ query, end }) {
  const loop = async (/** @type {number} */ untilMs) => {
    let done = 0;
    const worker = async (/** @type {unknown} */ _, /** @type {number} */ at) => {
      while (performance.now() < untilMs) {
        await query(at);
        done++;
      }
    };
    await Promise.all(Array.from({ length: job.clients }, worker));
    return done;
  };
  await loop(performance.now() + 500);
  const [cpu, startedAt] = [process.cpuUsage(), performance.now()];
  const done = await loop(startedAt + job.seconds * 1000);
  const tookMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  await end();
  return { perSecond: (done / tookMs) * 1000, cpuUs: (user + system) / done };
}

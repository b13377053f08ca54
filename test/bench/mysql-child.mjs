// One measurement in a process of its own: `node mysql-child.mjs JOB`, with the job as JSON; the figures come out as one
// line of JSON.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import mysql from 'mysql2';
import { measureByHand } from './processes.mjs';

/** @typedef {{ kind: string, url: string, clients: number, seconds: number, rows: number, prepared: boolean, build: string }} Job */

const SQL = 'SELECT c FROM sbtest1 WHERE id = ?';
/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? '');
const anyId = () => 1 + Math.floor(Math.random() * job.rows);
process.stdout.write(JSON.stringify(await measure()));

async function measure() {
  switch (job.kind) {
    case 'mysql2 connections by hand':
      return measureByHand(job, connections(), 500);
    case 'mysql2 pool by hand':
      return measureByHand(job, pool(), 500);
    case 'poolctl sessions, unwatched':
      return measureByHand(job, await sessions({ histograms: false, leakWatch: false }), 500);
    default:
      return measureByHand(job, await sessions({}), 500);
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

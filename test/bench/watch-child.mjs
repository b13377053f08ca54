// The measurements of watch.mjs, in a process of their own: `node watch-child.mjs JOB`, with the job as JSON; the figures
// come out as one line of JSON. Both ways are taken in turn, in short slices of the same process: whatever else the
// machine does is the same for both.
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** @typedef {{ kind: 'queries' | 'leases' | 'hooks' | 'acquires', url: string, clients: number, callers: number, rounds: number, sliceMs: number, perSecond: number, build: string }} Job */
/** @typedef {{ perSecond: number, cpuUs: number }} Slice */

/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? '');
const jobs = { queries: () => queries(false), leases: () => queries(true), hooks, acquires };
const measured = await jobs[job.kind]();
process.stdout.write(`${JSON.stringify(measured)}\n`);

/**
 * As many queries as there can be: by pool.query, which is how most applications do it, or each on a connection that is
 * taken out and given back by hand.
 * @param {boolean} byHand
 */
async function queries(byHand) {
  const require = createRequire(import.meta.url);
  /** @type {typeof import('pg')} */
  const plain = require('pg');
  // Another copy of it, loaded after the preload, is watched; this one is not.
  for (const path of Object.keys(require.cache)) {
    if (/[\\/]pg(-[a-z]+)?[\\/]/.test(path)) delete require.cache[path];
  }
  require(join(job.build, 'src/watch/preload.cjs'));
  /** @type {typeof import('pg')} */
  const watched = require('pg');
  const open = (/** @type {typeof plain} */ { Pool }) =>
    new Pool({ connectionString: job.url, max: job.clients, idleTimeoutMillis: 0 });
  const pools = [open(plain), open(watched)];
  const run = (/** @type {import('pg').Pool} */ pool) => async (/** @type {number} */ untilMs) => {
    let done = 0;
    const caller = async () => {
      while (performance.now() < untilMs) {
        await pool.query('select 1');
        done++;
      }
    };
    const lessee = async () => {
      while (performance.now() < untilMs) {
        const client = await pool.connect();
        try {
          await client.query('select 1');
        } finally {
          client.release();
        }
        done++;
      }
    };
    await Promise.all(Array.from({ length: job.callers }, byHand ? lessee : caller));
    return done;
  };
  const [one, other] = pools.map(run);
  const figures = await inTurn(one ?? noRun, other ?? noRun, () => {});
  await Promise.all(pools.map((pool) => pool.end()));
  return figures;
}

/**
 * What the hooks take by themselves, which is lost in what a network costs: leases of a pg.Pool whose clients connect to
 * nothing, in nanoseconds of CPU.
 */
async function hooks() {
  const require = createRequire(import.meta.url);
  /** @type {typeof import('pg').Pool} */
  const Pool = require('pg-pool');
  /** @type {typeof import('../../src/watch/index.js')} */
  const { watch } = await import(pathToFileURL(join(job.build, 'src/watch/index.js')).href);
  const open = (/** @type {number | null} */ sitesPerSecond) => {
    const pool = new Pool({ max: job.clients, idleTimeoutMillis: 0, Client: idleClient() });
    if (sitesPerSecond !== null) watch(pool, { sitesPerSecond });
    return async () => {
      const [times, cpu] = [20_000, process.cpuUsage()];
      for (let time = 0; time < times; time++) {
        const client = await pool.connect();
        client.query('select 1');
        client.release();
      }
      const { user, system } = process.cpuUsage(cpu);
      return ((user + system) * 1000) / times;
    };
  };
  const ways = { plain: open(null), hooked: open(0), sampled: open(Number.POSITIVE_INFINITY) };
  /** @type {{ plain: number[], hooked: number[], sampled: number[] }} */
  const ns = { plain: [], hooked: [], sampled: [] };
  for (let round = -4; round < job.rounds; round++) {
    for (const way of /** @type {const} */ (['plain', 'hooked', 'sampled'])) {
      const took = await ways[way]();
      if (round >= 0) ns[way].push(took);
    }
  }
  return ns;
}

/** Has of pg's Client what a pool asks for, and answers at once. */
function idleClient() {
  return /** @type {typeof import('pg').Client} */ (
    /** @type {unknown} */ (
      class extends EventEmitter {
        _connected = true;
        _queryable = true;
        /** @type {unknown[]} */
        _queryQueue = [];
        readyForQuery = true;
        _pulseQueryQueue() {}
        _getActiveQuery() {
          return null;
        }
        connect(/** @type {() => void} */ done) {
          setImmediate(done);
        }
        query() {}
        end() {}
        ref() {}
        unref() {}
      }
    )
  );
}

/** Acquires of our own pool at a fixed rate, each held for a turn of the event loop; read in every other slice. */
async function acquires() {
  /** @type {typeof import('../../src/index.js')} */
  const { QueuePool } = await import(pathToFileURL(join(job.build, 'src/index.js')).href);
  const pool = new QueuePool({
    name: 'things',
    size: 50,
    maxOverflow: 0,
    driver: { name: 'none', create: async () => ({}), destroy: async () => {} },
  });
  /** @type {typeof import('../../src/watch/index.js')} */
  const { publish, watch } = await import(pathToFileURL(join(job.build, 'src/watch/index.js')).href);
  const watched = watch(pool);
  process.stderr.write(`${(await publish()).address}\n`);
  const one = async () => {
    const lease = await pool.acquire();
    await new Promise(setImmediate);
    lease.release();
  };
  const run = async (/** @type {number} */ untilMs) => {
    const startedAt = performance.now();
    let done = 0;
    while (performance.now() < untilMs) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * job.perSecond);
      const batch = [];
      for (; done < due; done++) batch.push(one());
      await Promise.all(batch);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return done;
  };
  // The reader is told, and asks once in the slice that follows.
  const figures = await inTurn(run, run, () => process.stderr.write('ask\n'));
  const answerMs = answerCost(() => JSON.stringify(watched.snapshots()));
  await pool.close();
  return { ...figures, answerMs };
}

/**
 * @param {(untilMs: number) => Promise<number>} one
 * @param {(untilMs: number) => Promise<number>} other
 * @param {() => void} beforeOther
 */
async function inTurn(one, other, beforeOther) {
  /** @type {{ one: Slice[], other: Slice[] }} */
  const figures = { one: [], other: [] };
  const takeOther = async () => {
    beforeOther();
    return measure(other);
  };
  // Compiled and connected first.
  for (let round = 0; round < 4; round++) {
    await measure(one);
    await takeOther();
  }
  for (let round = 0; round < job.rounds; round++) {
    // Which of a pair is the first changes: what is left over for the garbage collector falls to both.
    if (round % 2 === 0) {
      figures.one.push(await measure(one));
      figures.other.push(await takeOther());
    } else {
      figures.other.push(await takeOther());
      figures.one.push(await measure(one));
    }
  }
  return figures;
}

async function measure(/** @type {(untilMs: number) => Promise<number>} */ run) {
  const [cpu, startedAt] = [process.cpuUsage(), performance.now()];
  const done = await run(startedAt + job.sliceMs);
  const tookMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (done / tookMs) * 1000, cpuUs: (user + system) / done };
}

/** The CPU time of one answer, in milliseconds: the ratio of two slices may be lost in what else the machine does. */
function answerCost(/** @type {() => string} */ answer) {
  const times = 100;
  for (let time = 0; time < times; time++) answer();
  const cpu = process.cpuUsage();
  for (let time = 0; time < times; time++) answer();
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / 1000 / times;
}

async function noRun() {
  return 0;
}

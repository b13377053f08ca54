// One measurement in a process of its own: `node watch-child.mjs JOB`, with the job as JSON; the figures come out as one
// line of JSON. Whether it is watched is a matter of NODE_OPTIONS: the application is the same.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** @typedef {{ kind: string, url: string, clients: number, callers: number, seconds: number, perSecond: number, build: string }} Job */

/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? '');
const measured = await (job.kind === 'queries' ? queries() : acquires());
process.stdout.write(`${JSON.stringify(measured)}\n`);

/** As many queries as there can be, by pool.query, which is how most applications do it. */
async function queries() {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: job.url, max: job.clients });
  const loop = async (/** @type {number} */ untilMs) => {
    let done = 0;
    const caller = async () => {
      while (performance.now() < untilMs) {
        await pool.query('select 1');
        done++;
      }
    };
    await Promise.all(Array.from({ length: job.callers }, caller));
    return done;
  };
  await loop(performance.now() + 700);
  const measured = await measure(loop);
  await pool.end();
  return measured;
}

/** Acquires of our own pool at a fixed rate, each held for a turn of the event loop. */
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
  watch(pool);
  process.stderr.write(`${(await publish()).address}\n`);
  const one = async () => {
    const lease = await pool.acquire();
    await new Promise(setImmediate);
    lease.release();
  };
  const loop = async (/** @type {number} */ untilMs) => {
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
  await loop(performance.now() + 500);
  const measured = await measure(loop);
  await pool.close();
  return measured;
}

async function measure(/** @type {(untilMs: number) => Promise<number>} */ loop) {
  const [cpu, startedAt] = [process.cpuUsage(), performance.now()];
  const done = await loop(startedAt + job.seconds * 1000);
  const tookMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (done / tookMs) * 1000, cpuUs: (user + system) / done, userUs: user / done };
}

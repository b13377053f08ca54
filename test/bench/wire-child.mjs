// One measurement in a process of its own: `node wire-child.mjs JOB`, with the job as JSON; the figures come out as one line
// of JSON.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * @typedef {{ engine: 'wire' | 'pool', pipeline: number, batch: boolean, url: string, clients: number, seconds: number,
 *   accounts: number, build: string }} Job
 */

/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? '');
const { pipeline, batch, clients } = job;
/** @type {typeof import('../../src/loadtest/index.js')} */
const { parseScript, postgresDatabase, runLoadTest, sqlWorkload, wireWorkload, locatePostgres } =
  await import(pathToFileURL(join(job.build, 'src/loadtest/index.js')).href);

const text = `\\set aid random(1, ${job.accounts})\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;`;
const work = /** @type {const} */ ({
  kind: 'scripts',
  scripts: [parseScript(text, { name: 'select' })],
  rows: [],
  defined: new Map(),
});
const access = {
  ...locatePostgres(job.url, {}),
  pgbouncer: false,
  prepareThreshold: 1,
  connectTimeoutMs: null,
};
const pool = { size: clients, maxOverflow: 0, timeoutMs: null, recycleMs: null, prePing: false };
const target = postgresDatabase({ access, pool, allowWrites: false, isRaw: job.engine === 'wire' });
const common = { target, work, allowWrites: false };
const workload =
  job.engine === 'wire' ? wireWorkload({ ...common, pipeline, batch, pooled: false }) : sqlWorkload(common);

let cpu = process.cpuUsage();
let used = { user: 0, system: 0 };
const result = await runLoadTest({
  workload: {
    name: workload.name,
    async open(context) {
      const run = await workload.open(context);
      return {
        ...run,
        begin() {
          run.begin?.();
          cpu = process.cpuUsage();
        },
        close() {
          used = process.cpuUsage(cpu);
          return run.close();
        },
      };
    },
  },
  model: { kind: 'closed', workers: clients * pipeline },
  durationMs: job.seconds * 1000,
  // By number, so that the code is compiled at its end on a busy machine too.
  warmup: {
    workers: clients * pipeline,
    iterations: pipeline > 1 ? 80_000 : 15_000,
    durationMs: null,
    settleMs: null,
  },
});
const { succeeded, failed, throughputPerSecond } = result.measurements;
if (failed > 0) throw new Error(`${failed} iterations failed`);
process.stdout.write(
  JSON.stringify({ perSecond: throughputPerSecond, cpuUs: (used.user + used.system) / succeeded }),
);

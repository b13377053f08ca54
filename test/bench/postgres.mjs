// What a query through poolctl costs, beside pgbench and a loop by hand over pg-pool, on the same PostgreSQL in the same
// run: `npm run bench:postgres`. The query is that of `pgbench -S`. Single figures move with the machine; the ratios
// within one run are what counts, and CPU time of the client moves less than throughput.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fill, findPgbench, runPgbench, startServer } from './postgres-server.mjs';
import { runChild } from './processes.mjs';
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
    await fill(server.url, Number(options.scale));
    print(`Node ${process.version}, PostgreSQL on loopback, ${rounds} rounds of ${seconds} s, taken in turn`);
    if (pgbench === null) print('pgbench is not installed: not compared with it');
    for (const clients of options.clients) await showClients(Number(clients), server);
  } finally {
    await server.stop();
  }
}

/**
 * @param {number} clients
 * @param {import('./postgres-server.mjs').Server} server
 */
async function showClients(clients, server) {
  /** @type {Map<string, Measured[]>} */
  const results = new Map();
  const modes = pgbench === null ? [] : ['simple', 'extended', 'prepared'];
  for (let round = 0; round < rounds; round++) {
    for (const mode of modes) add(`pgbench -S -M ${mode}`, await pgbenchOf(mode, clients, server));
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

/** pgbench's own script of one SELECT. */
function pgbenchOf(
  /** @type {string} */ mode,
  /** @type {number} */ clients,
  /** @type {import('./postgres-server.mjs').Server} */ server,
) {
  const argv = ['-S', '-M', mode, '-c', clients, '-T', seconds, '-s', options.scale];
  return pgbench === null ? null : runPgbench(pgbench, argv, server);
}

function print(/** @type {string} */ text) {
  process.stdout.write(`${text}\n`);
}

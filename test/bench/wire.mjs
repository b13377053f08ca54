// The wire engine beside pgbench, on the same PostgreSQL and taken in turn: `npm run bench:wire`. The query is that of
// `pgbench -S`. Where taskset is installed, the client has one core and the server another. Single figures move with the
// machine; the ratios within a round are what counts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fill, findPgbench, runPgbench, startServer } from './postgres-server.mjs';
import { runChild } from './processes.mjs';
import { median, medianAndRange, table } from './statistics.mjs';

const HELP = `npm run bench:wire -- [options]
  --rounds N    rounds of each (default 9)
  --seconds S   of each measurement (default 2)
  --scale N     pgbench's scale: 100,000 rows each (default 10)
  --pool        measures the default engine too
`;
const CLIENTS = 8;
const BATCH = 16;

/** @typedef {import('./postgres-server.mjs').Measured} Measured */

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '2' },
    scale: { type: 'string', default: '10' },
    pool: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);
const scale = Number(options.scale);
const build = join(import.meta.dirname, '../../dist');
const pgbench = findPgbench();
const hasTaskset = spawnSync('taskset', ['-V']).status === 0;
const onClientCore = hasTaskset ? ['taskset', '-c', '0'] : [];

if (options.help) print(HELP);
else if (!existsSync(build) || pgbench === null) {
  process.stderr.write('bench: run npm run build first, and install pgbench\n');
  process.exitCode = 2;
} else await main(pgbench);

async function main(/** @type {string} */ program) {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-bench-'));
  const server = await startServer();
  try {
    await fill(server.url, scale);
    if (hasTaskset) spawnSync('taskset', ['-a', '-c', '-p', '1', String(server.pid)]);
    const script = join(folder, 'batch.sql');
    writeFileSync(script, batchScript());
    const rounds = Number(options.rounds);
    const cores = hasTaskset ? 'one core for the client and one for the server' : 'no cores set apart';
    print(`Node ${process.version}, ${CLIENTS} connections, ${rounds} rounds of ${seconds} s, ${cores}`);
    await compare('one query at a time', rounds, {
      reference: ['pgbench -S -M prepared', () => ownCost(program, ['-S', '-s', scale], 1)],
      ours: [
        ['poolctl --engine wire', () => child({ engine: 'wire', pipeline: 1, batch: false })],
        .../** @type {Ours[]} */ (
          options.pool
            ? [['poolctl, default engine', () => child({ engine: 'pool', pipeline: 1, batch: false })]]
            : []
        ),
      ],
    });
    await compare(`${BATCH} queries in a pipeline`, rounds, {
      reference: ['pgbench, one Sync', () => ownCost(program, ['-f', script], BATCH)],
      ours: [
        ['poolctl --pipeline 16 --batch', () => child({ engine: 'wire', pipeline: BATCH, batch: true })],
        ['poolctl --pipeline 16', () => child({ engine: 'wire', pipeline: BATCH, batch: false })],
      ],
    });
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }

  function child(/** @type {object} */ job) {
    const accounts = scale * 100_000;
    const whole = { ...job, url: server.url, clients: CLIENTS, seconds, accounts, build };
    return runChild('wire-child.mjs', whole, onClientCore);
  }

  /** Of pgbench, without the cost of its start and log-ins, which a run of one transaction each has too. */
  async function ownCost(
    /** @type {string} */ path,
    /** @type {readonly (string | number)[]} */ argv,
    /** @type {number} */ queries,
  ) {
    const common = ['-M', 'prepared', '-c', CLIENTS, ...argv];
    const start = await runPgbench(path, [...common, '-t', 1], server, onClientCore);
    const run = await runPgbench(path, [...common, '-T', seconds], server, onClientCore);
    if (start === null || run === null) return null;
    const done = (run.cpuMs * 1000) / run.cpuUs;
    return {
      perSecond: run.perSecond * queries,
      cpuUs: ((run.cpuMs - start.cpuMs) * 1000) / done / queries,
    };
  }
}

/**
 * @typedef {readonly [name: string, measure: () => Promise<Measured | null>]} Ours
 */

/**
 * Takes the reference before each of the others, and gives each its ratios within the round.
 * @param {string} title
 * @param {number} rounds
 * @param {{ reference: Ours, ours: readonly Ours[] }} contenders
 */
async function compare(title, rounds, { reference, ours }) {
  /** @type {Map<string, { all: Measured[], rates: number[], costs: number[] }>} */
  const results = new Map();
  const add = (/** @type {string} */ name, /** @type {Measured} */ one, /** @type {Measured} */ beside) => {
    const so = results.get(name) ?? { all: [], rates: [], costs: [] };
    results.set(name, so);
    so.all.push(one);
    so.rates.push(one.perSecond / beside.perSecond);
    so.costs.push(one.cpuUs / beside.cpuUs);
  };
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of ours) {
      const theirs = await reference[1]();
      const own = await measure();
      if (theirs === null || own === null) continue;
      add(reference[0], theirs, theirs);
      add(name, own, theirs);
    }
  }
  const two = (/** @type {number} */ value) => value.toFixed(2);
  print(`\n${title}`);
  print(
    table([
      ['', 'k queries/s', 'CPU us/query', 'throughput ratio (range)', 'CPU ratio (range)'],
      ...[...results].map(([name, { all, rates, costs }]) => [
        name,
        (median(all.map(({ perSecond }) => perSecond)) / 1000).toFixed(1),
        median(all.map(({ cpuUs }) => cpuUs)).toFixed(2),
        medianAndRange(rates, two),
        medianAndRange(costs, two),
      ]),
    ]),
  );
}

/** pgbench counts it as one transaction. */
function batchScript() {
  const one = `\\set aid random(1, ${scale * 100_000})\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n`;
  return `\\startpipeline\n${one.repeat(BATCH)}\\endpipeline\n`;
}

function print(/** @type {string} */ text) {
  process.stdout.write(`${text}\n`);
}

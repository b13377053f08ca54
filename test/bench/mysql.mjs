// What a query through poolctl costs, beside a bare loop over mysql2, on the same MariaDB in the same run: `npm run
// bench:mysql`. The query is that of sysbench's oltp_point_select. Single figures move with the machine; the ratios within
// one round are what counts, and CPU time of the client moves less than throughput.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import mysql from 'mysql2/promise';
import { freePort, runChild } from './processes.mjs';
import { median, medianAndRange, table } from './statistics.mjs';

const HELP = `npm run bench:mysql -- [options]
  --clients N   connections, each with one query under way (default 8)
  --rounds N    rounds of each (default 5)
  --seconds S   of each measurement (default 2)
  --rows N      rows of the table (default 100,000)
`;

const BARE = 'mysql2 connections by hand';
const KINDS = [BARE, 'mysql2 pool by hand', 'poolctl sessions, unwatched', 'poolctl sessions by hand'];

/** @typedef {{ perSecond: number, cpuUs: number }} Measured */

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    clients: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    rows: { type: 'string', default: '100000' },
  },
});
const [clients, rounds, seconds, rows] = [options.clients, options.rounds, options.seconds, options.rows].map(
  Number,
);
const build = join(import.meta.dirname, '../../dist');

if (options.help) print(HELP);
else if (!existsSync(build)) {
  process.stderr.write('bench: nothing is built: run npm run build first\n');
  process.exitCode = 2;
} else await main();

async function main() {
  const server = await startServer();
  try {
    await fill(server.url);
    print(`Node ${process.version}, MariaDB on loopback, ${rounds} rounds of ${seconds} s, taken in turn`);
    for (const prepared of [false, true]) await show(prepared, server.url);
  } finally {
    server.stop();
  }
}

/**
 * @param {boolean} prepared
 * @param {string} url
 */
async function show(prepared, url) {
  /** @type {Map<string, Measured[]>} */
  const results = new Map(KINDS.map((kind) => [kind, []]));
  for (let round = 0; round < (rounds ?? 0); round++) {
    for (const kind of KINDS) {
      const measured = await runChild('mysql-child.mjs', {
        kind,
        url,
        clients,
        seconds,
        rows,
        prepared,
        build,
      });
      if (measured !== null) results.get(kind)?.push(measured);
    }
  }
  const shown = (/** @type {number[]} */ values) => medianAndRange(values, (value) => value.toFixed(1));
  print(`\n${prepared ? 'prepared statements' : 'text protocol'}, ${clients} clients, one query each`);
  print(
    table([
      ['', 'k queries/s median (range)', 'client CPU us/query median (range)'],
      ...[...results].map(([name, all]) => [
        name,
        shown(all.map(({ perSecond }) => perSecond / 1000)),
        shown(all.map(({ cpuUs }) => cpuUs)),
      ]),
    ]),
  );
  const bare = results.get(BARE) ?? [];
  for (const [name, all] of results) {
    if (name === BARE) continue;
    const each = all.map(({ cpuUs }, at) => cpuUs / (bare[at]?.cpuUs ?? Number.NaN));
    const wanted = name === 'poolctl sessions by hand' ? ' (wanted: at most 1.20)' : '';
    print(
      `  CPU of ${name} / ${BARE}: ${median(each).toFixed(2)} (${Math.min(...each).toFixed(2)} - ${Math.max(...each).toFixed(2)})${wanted}`,
    );
  }
}

async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-bench-'));
  chmodSync(folder, 0o777);
  const [port, data] = [await freePort(), join(folder, 'data')];
  const user = process.getuid?.() === 0 ? ['--user=nobody'] : [];
  execFileSync('mariadb-install-db', [
    ...[
      '--no-defaults',
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      ...user,
    ],
  ]);
  const server = spawn(
    '/usr/sbin/mariadbd',
    [
      ...[
        '--no-defaults',
        `--datadir=${data}`,
        `--port=${port}`,
        `--socket=${folder}/s`,
        `--pid-file=${folder}/pid`,
        `--tmpdir=${folder}`,
      ],
      ...[
        '--bind-address=127.0.0.1',
        '--innodb-flush-log-at-trx-commit=0',
        '--innodb-buffer-pool-size=256M',
        ...user,
      ],
    ],
    { stdio: 'ignore' },
  );
  const url = `mysql://root@127.0.0.1:${port}/sbtest`;
  for (;;) {
    try {
      const client = await mysql.createConnection({ host: '127.0.0.1', port, user: 'root' });
      await client.query('CREATE DATABASE sbtest');
      await client.end();
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  return {
    url,
    stop() {
      server.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function fill(/** @type {string} */ url) {
  const client = await mysql.createConnection(url);
  await client.query('CREATE TABLE sbtest1 (id int PRIMARY KEY, k int, c char(120), pad char(60))');
  await client.query(`INSERT INTO sbtest1 SELECT seq, seq, REPEAT('c', 119), '' FROM seq_1_to_${rows}`);
  await client.query('ANALYZE TABLE sbtest1');
  await client.end();
}

function print(/** @type {string} */ text) {
  process.stdout.write(`${text}\n`);
}

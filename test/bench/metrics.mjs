// What a scrape costs: a PgBouncer of 50 databases x 20 users, from what its SHOW commands answer to the text that
// Prometheus has, and memory over 10,000 scrapes, while pools come and go. Needs the build.
// `npm run bench:metrics [SCRAPES]`
import { join } from 'node:path';
import { median } from './statistics.mjs';

const SCRAPES = Number(process.argv[2] ?? 10_000);
const dist = process.env.POOLCTL_DIST ?? join(import.meta.dirname, '../../dist');
const { systemClock } = await import(join(dist, 'src/base/clock.js'));
const { Exporter } = await import(join(dist, 'src/metrics/exporter.js'));
const { serveMetrics } = await import(join(dist, 'src/metrics/server.js'));
const { toReading, statsAt } = await import(join(dist, 'src/sources/pgbouncer-rows.js'));
/** @param {string} line */
const tell = (line) => void process.stdout.write(`${line}\n`);

/**
 * The rows of PgBouncer 1.24, figures as text, as the driver hands them over.
 * @param {{ databases: number, users: number, round: number, cameLast?: string }} size
 */
function rowsOf({ databases, users, round, cameLast }) {
  const names = Array.from({ length: databases }, (_, at) => `database_${at}`);
  if (cameLast !== undefined) names[databases - 1] = cameLast;
  const pairs = names.flatMap((database) =>
    Array.from({ length: users }, (_, at) => ({ database, user: `user_${at}` })),
  );
  const n = (/** @type {number} */ value) => String(value + round);
  const socket = (/** @type {{ database: string, user: string }} */ pair, /** @type {number} */ at) => ({
    ...{ type: 'C', ...pair, state: 'active', addr: '127.0.0.1', port: n(at), local_addr: '127.0.0.1' },
    ...{
      local_port: '6432',
      connect_time: '2026-01-01 00:00:00 UTC',
      request_time: '2026-01-01 00:00:00 UTC',
    },
    ...{ wait: '0', wait_us: '0', close_needed: '0', ptr: `0x${at}`, link: '', remote_pid: n(at), tls: '' },
    ...{ application_name: 'shop', prepared_statements: '0', id: String(at) },
  });
  return {
    version: '1.24.1',
    pools: pairs.map((pair) => ({
      ...{ ...pair, cl_active: n(3), cl_waiting: '0', cl_active_cancel_req: '0', cl_waiting_cancel_req: '0' },
      ...{ sv_active: n(2), sv_active_cancel: '0', sv_being_canceled: '0', sv_idle: '1', sv_used: '1' },
      ...{ sv_tested: '0', sv_login: '0', maxwait: '0', maxwait_us: '0', pool_mode: 'transaction' },
      load_balance_hosts: null,
    })),
    databases: names.map((name) => ({
      ...{ name, host: 'db', port: '5432', database: name, force_user: null, pool_size: '20' },
      ...{ min_pool_size: '0', reserve_pool_size: '5', server_lifetime: '3600', pool_mode: null },
      ...{
        load_balance_hosts: null,
        max_connections: '50',
        current_connections: n(9),
        max_client_connections: '0',
      },
      ...{ current_client_connections: n(60), paused: '0', disabled: '0' },
    })),
    stats: names.map((database) => ({
      ...{
        database,
        total_server_assignment_count: n(1e6),
        total_xact_count: n(1e6),
        total_query_count: n(3e6),
      },
      ...{ total_received: n(1e9), total_sent: n(2e9), total_xact_time: n(1e9), total_query_time: n(9e8) },
      ...{ total_wait_time: n(1e7), avg_xact_count: '5', avg_query_count: '9', avg_wait_time: '3' },
    })),
    clients: pairs.map(socket),
    servers: pairs.map(socket),
    lists: [{ list: 'used_clients', items: String(pairs.length) }],
    config: [
      { key: 'max_client_conn', value: '2000' },
      { key: 'pool_mode', value: 'transaction' },
    ],
    state: [{ key: 'paused', value: 'no' }],
  };
}

/**
 * Answers with the rows of this round, as if the SHOW commands had taken no time.
 * @param {() => ReturnType<typeof rowsOf>} rows made before the time is taken
 */
function sourceOf(rows) {
  const label = 'pgbouncer://stats@127.0.0.1:6432/';
  /** @type {unknown} */
  let before = null;
  return {
    label,
    kind: 'pgbouncer',
    async read() {
      const answered = rows();
      const now = statsAt(answered, systemClock.now());
      const reading = toReading(answered, label, systemClock.wallTime(), { before, now });
      before = now;
      return reading;
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** @param {() => ReturnType<typeof rowsOf>} rows */
const exporterOf = (rows) =>
  new Exporter([sourceOf(rows)], {
    ...{ clock: systemClock, compat: [], maxPools: 2000, limitMs: 5000, discovery: null },
    log: tell,
  });

async function scrape() {
  let rows = rowsOf({ databases: 50, users: 20, round: 0 });
  const exporter = exporterOf(() => rows);
  const server = await serveMetrics({
    ...{ host: '127.0.0.1', port: 0, contentType: exporter.contentType },
    scrape: () => exporter.scrape(),
  });
  /** @type {number[]} */
  const inside = [];
  /** On a busy machine only this tells what a scrape needs. */
  const cpu = [];
  const overHttp = [];
  let text = '';
  for (let round = 1; round <= 60; round++) {
    rows = rowsOf({ databases: 50, users: 20, round });
    const startedAt = performance.now();
    const cpuBefore = process.cpuUsage();
    if (round % 2 === 0) {
      text = await exporter.scrape();
      inside.push(performance.now() - startedAt);
      const { user, system } = process.cpuUsage(cpuBefore);
      cpu.push((user + system) / 1000);
    } else {
      text = await (await fetch(server.url)).text();
      overHttp.push(performance.now() - startedAt);
    }
  }
  await server[Symbol.asyncDispose]();
  await exporter[Symbol.asyncDispose]();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
  const figures = (/** @type {number[]} */ values) => {
    const warm = values.slice(5).sort((a, b) => a - b);
    return `${median(warm).toFixed(1)} ms, 95th percentile ${(warm[Math.ceil(warm.length * 0.95) - 1] ?? 0).toFixed(1)} ms, first ${(values[0] ?? 0).toFixed(1)} ms`;
  };
  tell(
    `a scrape of 50 databases x 20 users (${lines} series, ${(text.length / 1e6).toFixed(1)} MB), besides the SHOW commands:`,
  );
  tell(`  rows to text    ${figures(inside)}`);
  tell(`  its CPU time    ${figures(cpu)}`);
  tell(`  over HTTP       ${figures(overHttp)}`);
}

async function memory() {
  const size = { databases: 10, users: 10 };
  let round = 0;
  // Another database every 20 scrapes, in the place of the last one.
  const exporter = exporterOf(() =>
    rowsOf({ ...size, round, cameLast: `temporary_${Math.floor(round / 20)}` }),
  );
  const used = [];
  const step = Math.max(1, Math.floor(SCRAPES / 10));
  for (round = 1; round <= SCRAPES; round++) {
    await exporter.scrape();
    if (round % step !== 0) continue;
    globalThis.gc?.();
    used.push(`${(process.memoryUsage().heapUsed / 1e6).toFixed(1)}`);
  }
  await exporter[Symbol.asyncDispose]();
  tell(
    `heap after each of ten parts of ${SCRAPES} scrapes of 10 x 10, a database in ten replaced every 20: ${used.join(' ')} MB`,
  );
}

await scrape();
await memory();

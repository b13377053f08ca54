// What the HTTP pool costs beside bare undici: requests a second and latencies at 50 connections. Each contender has a
// process of its own, as an application would be (in one process they share undici's code, and what the compiler learns
// of one slows the others), and the machine in turn, a slice each: whatever else goes on meets them alike. So has the
// server. Needs the build. `npm run bench:http [SLICES [SLICE_MS]]`
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { median, medianAndRange, table } from './statistics.mjs';

const dist = process.env.POOLCTL_DIST ?? join(import.meta.dirname, '../../dist');
const WORKERS = 50;
const WARM_UP_MS = 1500;

const [, , role, ...rest] = process.argv;
if (role === 'server') serve();
else if (role === 'contender') await contend(...rest);
else await compare(Number(process.argv[2] ?? 40), Number(process.argv[3] ?? 500));

/**
 * @param {number} slices
 * @param {number} sliceMs
 */
async function compare(slices, sliceMs) {
  const server = fork(import.meta.filename, ['server']);
  const [port] = await once(server, 'message');
  const url = `http://127.0.0.1:${port}/quote`;
  const names = ['undici Pool', 'undici Agent', 'poolctl/http'];
  const contenders = names.map((name) => fork(import.meta.filename, ['contender', name, url]));
  /**
   * @param {import('node:child_process').ChildProcess} one
   * @param {number} ms
   * @returns {Promise<Slice>}
   */
  const sliceOf = async (one, ms) => {
    one.send(ms);
    return (await once(one, 'message'))[0];
  };
  for (const one of contenders) await sliceOf(one, WARM_UP_MS);
  /** @type {Slice[][]} */
  const results = names.map(() => []);
  for (let round = 0; round < slices; round++) {
    // Another one is first each time.
    for (let at = 0; at < names.length; at++) {
      const which = (round + at) % names.length;
      const one = contenders[which];
      if (one !== undefined) results[which]?.push(await sliceOf(one, sliceMs));
    }
  }
  for (const one of contenders) one.disconnect();
  server.disconnect();
  const own = results[2] ?? [];
  const rows = names.map((name, which) => {
    const all = results[which] ?? [];
    /** @param {'rate' | 'perCpu' | 'p50' | 'p99'} figure */
    const ratio = (figure) =>
      median(own.map((one, at) => one[figure] / (all[at]?.[figure] ?? Number.NaN))).toFixed(3);
    return [
      name,
      medianAndRange(
        all.map(({ rate }) => rate),
        whole,
      ),
      .../** @type {const} */ (['p50', 'p99']).map(
        (figure) => `${median(all.map((one) => one[figure])).toFixed(2)} ms`,
      ),
      whole(median(all.map(({ perCpu }) => perCpu))),
      .../** @type {const} */ (['rate', 'perCpu', 'p50', 'p99']).map(ratio),
    ];
  });
  process.stdout.write(
    `${WORKERS} workers on ${WORKERS} connections, ${slices} slices of ${sliceMs} ms each; right: ours by theirs, median of pairs\n` +
      `${table([['', 'requests/s', 'p50', 'p99', 'per CPU second', 'rate', 'per CPU', 'p50', 'p99'], ...rows])}\n`,
  );
}

/** @typedef {{ rate: number; perCpu: number; p50: number; p99: number }} Slice */
/** @typedef {{ get: () => Promise<void>; close: () => Promise<void> }} Contender */

/**
 * @param {() => Promise<void>} get
 * @param {number} ms
 * @returns {Promise<Slice>}
 */
async function slice(get, ms) {
  /** @type {number[]} */
  const latencies = [];
  const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      for (let at = startedAt; at - startedAt < ms; ) {
        await get();
        const now = performance.now();
        latencies.push(now - at);
        at = now;
      }
    }),
  );
  const [tookMs, used] = [performance.now() - startedAt, process.cpuUsage(cpu)];
  const sorted = Float64Array.from(latencies).sort();
  return {
    rate: (sorted.length * 1000) / tookMs,
    perCpu: (sorted.length * 1e6) / (used.user + used.system),
    p50: sorted[Math.floor(sorted.length * 0.5)] ?? Number.NaN,
    p99: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
  };
}

/**
 * Runs a slice, that many milliseconds, whenever it is told to.
 * @param {string} name
 * @param {string} url
 */
async function contend(name = '', url = '') {
  const { get, close } = await contender(name, url);
  process.on('message', async (ms) => {
    process.send?.(await slice(get, Number(ms)));
  });
  process.once('disconnect', () => void close());
}

function serve() {
  const body = JSON.stringify({ symbol: 'SBIN', bid: 101.125, ask: 101.5, last: 101.25, volume: 9973 });
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' ? address?.port : null);
  });
  process.once('disconnect', () => {
    server.close();
    server.closeAllConnections();
  });
}

/**
 * A Pool of undici's is for one origin, and its fastest; an Agent finds it by the origin, as ours does.
 * @param {string} name
 * @param {string} url
 * @returns {Promise<Contender>}
 */
async function contender(name, url) {
  if (name === 'poolctl/http') {
    const { createHttpPool } = await import(join(dist, 'src/http/index.js'));
    const pool = createHttpPool({ maxConnections: WORKERS, maxKeepalive: WORKERS });
    return {
      get: async () => {
        const { body } = await pool.request(url);
        await body.text();
      },
      close: () => pool.close(),
    };
  }
  const { Agent, Pool, request } = await import('undici');
  if (name === 'undici Pool') {
    const { origin, pathname } = new URL(url);
    const pool = new Pool(origin, { connections: WORKERS });
    return {
      get: async () => {
        const { body } = await pool.request({ path: pathname, method: 'GET' });
        await body.text();
      },
      close: () => pool.close(),
    };
  }
  const agent = new Agent({ connections: WORKERS });
  return {
    get: async () => {
      const { body } = await request(url, { dispatcher: agent });
      await body.text();
    },
    close: () => agent.close(),
  };
}

/** @param {number} value */
function whole(value) {
  return Math.round(value).toLocaleString('en');
}

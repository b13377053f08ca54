// What the screen costs, in a terminal of 160 x 50: to the first frame; once a second with 200 backends, all of them
// changing; and a key while 5,000 clients of PgBouncer are shown. Needs the build. `npm run bench:top [SECONDS]`
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from '@lydell/node-pty';

const SECONDS = Number(process.argv[2] ?? 30);
const dist = process.env.POOLCTL_DIST ?? join(import.meta.dirname, '../../dist');
const bin = join(dist, 'bin/poolctl.js');
const folder = await mkdtemp(join(tmpdir(), 'poolctl-bench-'));
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

const EMPTY = { pools: [], backends: [], server: null, pooler: null, gaps: [] };
/** @param {string} line */
const tell = (line) => void process.stdout.write(`${line}\n`);

try {
  await firstFrame();
  await steady();
  await manyClients();
} finally {
  await rm(folder, { recursive: true });
}

async function firstFrame() {
  /** @type {number[]} */
  const frames = [];
  /** @type {number[]} */
  const diagnoses = [];
  /** @type {number[]} */
  const cpu = [];
  /** @type {number[]} */
  const node = [];
  for (let round = 0; round < 7; round++) {
    const nodeStartedAt = performance.now();
    execFileSync(process.execPath, ['-e', '']);
    node.push(performance.now() - nodeStartedAt);
    const startedAt = performance.now();
    const run = start(['--demo']);
    await run.until((text) => text.includes('1 Pools'));
    frames.push(performance.now() - startedAt);
    cpu.push(await cpuMs(run.pid));
    await run.until((text) => text.includes('exhausted'));
    diagnoses.push(performance.now() - startedAt);
    await run.quit();
  }
  tell(
    `first frame: ${median(frames)} ms (${median(cpu)} ms of CPU), with a diagnosis: ${median(diagnoses)} ms; Node alone starts and ends in ${median(node)} ms (median of 7)`,
  );
}

async function steady() {
  const file = join(folder, 'steady.jsonl');
  await record(file, SECONDS + 10, (at) => [poolSource(at), postgres(at, 200)]);
  const run = start(['--replay', file]);
  run.type('3');
  await run.until((text) => text.includes('of 200 rows'));
  await sleep(3000);
  const before = { cpuMs: await cpuMs(run.pid), bytes: run.bytes(), at: performance.now() };
  await sleep(SECONDS * 1000);
  const overMs = performance.now() - before.at;
  const share = ((await cpuMs(run.pid)) - before.cpuMs) / overMs;
  const rss = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${run.pid}/status`, 'utf8'))?.[1];
  const perFrame = (run.bytes() - before.bytes) / (overMs / 1000);
  tell(
    `200 backends once a second at 160 x 50: ${(share * 100).toFixed(1)} % of a core, ${Math.round(Number(rss) / 1000)} MB resident, ${(perFrame / 1000).toFixed(1)} kB written a frame (${SECONDS} s)`,
  );
  await run.quit();
}

async function manyClients() {
  const file = join(folder, 'clients.jsonl');
  await record(file, 3, (at) => [pgbouncer(at, 5000)]);
  const run = start(['--replay', file, '--interval', '600s']);
  run.type('5\r');
  await run.until((text) => text.includes('of 5000 rows'));
  const times = [];
  for (let round = 0; round < 40; round++) {
    const from = run.bytes();
    const startedAt = performance.now();
    run.type('\x1b[B');
    await run.until(() => run.bytes() > from);
    times.push(performance.now() - startedAt);
  }
  // 500 keys at once: the last of them counts, and none is lost.
  const startedAt = performance.now();
  run.type(`\x1b[H${'\x1b[B'.repeat(500)}`);
  const page = Math.floor(500 / 41) * 41 + 1;
  await run.until((text) => text.includes(`${page}-${page + 40} of 5000 rows`));
  const burstMs = performance.now() - startedAt;
  tell(
    `5,000 clients of PgBouncer, from a key to its frame: ${median(times)} ms (median of 40), the longest ${Math.max(...times).toFixed(0)} ms; 500 keys at once: ${burstMs.toFixed(0)} ms`,
  );
  await run.quit();
}

/** @param {readonly string[]} argv */
function start(argv) {
  const pty = spawn(process.execPath, [bin, 'top', ...argv], {
    name: 'xterm-256color',
    cols: 160,
    rows: 50,
    env: { PATH: process.env.PATH, LANG: 'C.UTF-8' },
  });
  let text = '';
  let bytes = 0;
  /** @type {Set<() => void>} */
  const watchers = new Set();
  pty.onData((more) => {
    bytes += more.length;
    text = (text + more).slice(-200_000);
    for (const watcher of watchers) watcher();
  });
  const ended = new Promise((resolve) => pty.onExit(resolve));
  return {
    pid: pty.pid,
    bytes: () => bytes,
    /** @param {string} keys */
    type: (keys) => pty.write(keys),
    /** @type {(isThere: (text: string) => boolean) => Promise<void>} */
    until: (isThere) =>
      new Promise((resolve, reject) => {
        const limit = setTimeout(() => reject(new Error(`waited in vain:\n${text.slice(-3000)}`)), 30_000);
        const look = () => {
          if (!isThere(text)) return;
          clearTimeout(limit);
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
    async quit() {
      pty.write('q');
      await ended;
    },
  };
}

/**
 * @typedef {{ source: string, kind: string } & Record<string, unknown>} Part
 * @param {string} file
 * @param {number} count
 * @param {(at: number) => Part[]} sourcesAt
 */
async function record(file, count, sourcesAt) {
  const lines = [JSON.stringify({ poolctl: 'top', schema: 1 })];
  for (let at = 0; at < count; at++) {
    const atMs = 1_767_225_600_000 + at * 1000;
    const sources = sourcesAt(at).map((reading) => ({
      label: reading.source,
      kind: reading.kind,
      reading: { ...EMPTY, takenAtMs: atMs, ...reading },
      stale: null,
      readMs: 1,
    }));
    lines.push(JSON.stringify({ atMs, sources }));
  }
  await writeFile(file, lines.join('\n'));
}

/** @param {number} at */
function poolSource(at) {
  const holders = Array.from({ length: 50 }, (_, i) => ({
    leaseId: at * 50 + i,
    ageMs: (i + 1) * 7 + at,
    site: `/app/src/work${i % 9}.ts:${i}:3`,
    stack: `at work (/app/src/work${i % 9}.ts:${i}:3)`,
    leaked: false,
    lastSql: 'SELECT * FROM orders WHERE id = $1',
    busy: true,
    localPort: 40_000 + i,
    backendPid: 10_000 + i,
  }));
  return {
    source: 'pool:bench',
    kind: 'pool',
    pools: [
      {
        schema: 1,
        ...{ name: 'orders', driver: 'pg', takenAtMs: 1_767_225_600_000 + at * 1000 },
        ...{
          size: 50,
          maxOverflow: 0,
          live: 50,
          overflow: 0,
          idle: 0,
          inUse: 50,
          creating: 0,
          waiting: at % 30,
        },
        ...{ peakWaiting: 30, peakInUse: 50, longestWaitMs: at, longestHoldMs: 350, createError: null },
        counters: { acquired: at * 1000, released: at * 1000 - 50, timedOut: 0 },
        ...{ wait: null, hold: null, closed: false },
        app: { name: 'bench', pid: 1, host: 'here', node: 'v20.19.0', startedAtMs: 0 },
        holders,
      },
    ],
  };
}

/**
 * @param {number} at
 * @param {number} count
 */
function postgres(at, count) {
  const backends = Array.from({ length: count }, (_, i) => ({
    pid: 10_000 + i,
    ...{ database: 'shop', user: 'app', application: `service-${i % 12}`, clientAddress: '10.0.0.7' },
    clientPort: 40_000 + i,
    state: ['active', 'idle', 'idle in transaction'][(i + at) % 3],
    ...{
      stateMs: i * 13 + at * 7,
      transactionMs: i * 17 + at * 5,
      queryMs: i * 11 + at,
      connectedMs: 6e5 + at * 1000,
    },
    ...{ waitType: i % 4 === 0 ? 'Client' : null, waitEvent: i % 4 === 0 ? 'ClientRead' : null },
    query: `SELECT * FROM orders JOIN lines ON lines.order_id = orders.id WHERE orders.id = ${at * 31 + i}`,
    blockedBy: [],
  }));
  const server = {
    version: '16.4',
    maxConnections: 300,
    reservedConnections: 3,
    usedConnections: count,
    databases: [],
  };
  return { source: 'postgres://bench', kind: 'postgres', backends, server };
}

/**
 * @param {number} at
 * @param {number} count
 */
function pgbouncer(at, count) {
  const clients = Array.from({ length: count }, (_, i) => ({
    id: `c${i}`,
    ...{
      user: 'app',
      database: 'shop',
      application: `service-${i % 12}`,
      address: '10.0.0.7',
      port: 10_000 + i,
    },
    state: i % 3 === 0 ? 'waiting' : 'active',
    waitMs: i % 3 === 0 ? i + at : null,
    link: i < 100 ? `s${i}` : null,
  }));
  const servers = Array.from({ length: 100 }, (_, i) => ({
    id: `s${i}`,
    ...{
      user: 'app',
      database: 'shop',
      state: 'active',
      backendPid: 10_000 + i,
      localPort: 50_000 + i,
      link: `c${i}`,
    },
  }));
  const pool = {
    ...{ database: 'shop', user: 'app', mode: 'transaction', clientsActive: count, clientsWaiting: 1667 },
    ...{ serversActive: 100, serversIdle: 0, serversOther: 0, longestWaitMs: 5000, size: 100 },
  };
  return {
    source: 'pgbouncer://bench',
    kind: 'pgbouncer',
    pooler: {
      version: '1.24.1',
      pools: [pool],
      databases: [],
      clients,
      servers,
      maxClients: 10_000,
      usedClients: count,
      config: {},
    },
  };
}

/** @param {number} pid */
async function cpuMs(pid) {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1000;
}

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @param {readonly number[]} values */
function median(values) {
  return ([...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0).toFixed(0);
}

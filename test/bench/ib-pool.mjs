import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { median } from './statistics.mjs';

/**
 * What the IB pool costs and how fast it heals, against `poolctl ib gateway` in another process: round trips beside bare
 * IBApi, 16 workers that are dropped at once, half-open connections, and the pacing of 10 workers under demand.
 *
 *   node test/bench/ib-pool.mjs [ROUNDS [PART]]
 *
 * Parts: trips, dropped, half-open, paced; without, all. It is the second half of `npm run bench:ib`.
 */
const build = process.env.POOLCTL_DIST ?? join(dirname(import.meta.dirname), '../dist');
/** @param {string} path */
const urlOf = (path) => pathToFileURL(join(build, path)).href;
/** @type {typeof import('../../src/ib/index.js')} */
const { createIbPool, IbConnection, createPacer, threadLine } = await import(urlOf('src/ib/index.js'));

/** @param {string} line */
const tell = (line) => void process.stdout.write(`${line}\n`);
const TURN_MS = 100;
/** Of each contender: before it counts, and in each round. */
const WARM_TURNS = 8;
const TURNS = 10;
const HOST = '127.0.0.1';

/** How a round trip is asked for: each gives a function that resolves with the answer, and one that ends it. */
const contenders = {
  'bare IBApi, its limiter at 1e9/s': (/** @type {number} */ port, /** @type {number} */ id) =>
    bareApi(port, id, false),
  'bare IBApi, its limiter taken out': (/** @type {number} */ port, /** @type {number} */ id) =>
    bareApi(port, id, true),
  IbConnection: async (/** @type {number} */ port, /** @type {number} */ clientId) => {
    const pacer = createPacer({ enabled: false });
    const connection = new IbConnection({ host: HOST, port, clientId }, { pacer });
    await connection.ready();
    return { ask: () => connection.currentTime(), end: () => connection.close() };
  },
};

if (process.argv[2] === 'child') await beChild();
else await main(Number(process.argv[2] ?? 5), process.argv[3] ?? null);

/**
 * @param {number} rounds
 * @param {string | null} part
 */
async function main(rounds, part) {
  const gateway = await startGateway();
  const parts = { trips: roundTrips, dropped: droppedAtOnce, 'half-open': halfOpen, paced };
  try {
    for (const [name, run] of Object.entries(parts)) {
      if (part === null || part === name) await run(gateway, rounds);
    }
  } finally {
    await gateway.stop();
  }
}

/** @typedef {Awaited<ReturnType<typeof startGateway>>} Gateway */

async function startGateway() {
  /** @type {typeof import('../../src/lab/ib-gateway/control-client.js')} */
  const { connectControl } = await import(urlOf('src/lab/ib-gateway/control-client.js'));
  const words = 'ib gateway --port 0 --format json --message-limit 0 --no-history-pacing'.split(' ');
  const child = spawn(process.execPath, [join(build, 'bin/poolctl.js'), ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const { port, controlPort, controlToken } = JSON.parse(String(line));
  const control = await connectControl({ host: HOST, port: controlPort, token: controlToken });
  return {
    port,
    control,
    async stop() {
      await control.close();
      child.kill('SIGINT');
      await once(child, 'close');
    },
  };
}

/**
 * Each contender in a process of its own, in short turns one after the other, so that whatever else the machine does is
 * the same to all.
 * @param {Gateway} gateway
 * @param {number} rounds
 */
async function roundTrips({ port }, rounds) {
  for (const depth of [1, 32]) {
    const runners = await Promise.all(
      Object.keys(contenders).map(async (name, at) => {
        const child = fork(fileURLToPath(import.meta.url), [
          'child',
          name,
          ...[port, at + 1, depth].map(String),
        ]);
        await once(child, 'message');
        return { name, child, turns: /** @type {Turn[]} */ ([]) };
      }),
    );
    for (let turn = -WARM_TURNS; turn < rounds * TURNS; turn++) {
      for (const { child, turns } of runners) {
        child.send(TURN_MS);
        const [figures] = await once(child, 'message');
        if (turn >= 0) turns.push(figures);
      }
    }
    await Promise.all(
      runners.map(async ({ child }) => {
        child.send(0);
        await once(child, 'exit');
      }),
    );
    tell(`round trips, ${depth} under way (${rounds * TURNS} turns of ${TURN_MS} ms)`);
    const bare = runners[1]?.turns ?? [];
    for (const { name, turns } of runners) {
      const rates = turns.map(({ perSecond }, at) => perSecond / (bare[at]?.perSecond ?? 0));
      const costs = turns.map(({ cpuUs }, at) => (bare[at]?.cpuUs ?? 0) / cpuUs);
      const perSecond = median(turns.map((one) => one.perSecond));
      tell(
        `  ${name}: ${rounded(perSecond)}/s, CPU ${median(turns.map(({ cpuUs }) => cpuUs)).toFixed(1)} us each`,
      );
      tell(`    by throughput ${ranged(rates)}, by CPU time ${ranged(costs)} of bare without limiter`);
    }
  }
}

/** @typedef {{ perSecond: number, cpuUs: number }} Turn */

async function beChild() {
  const [, , , name = '', port = '', clientId = '', depth = ''] = process.argv;
  const open = /** @type {Record<string, (port: number, clientId: number) => Promise<Asker>>} */ (contenders)[
    name
  ];
  if (open === undefined) throw new Error(`no ${name}`);
  const { ask, end } = await open(Number(port), Number(clientId));
  process.send?.('ready');
  for (;;) {
    const [turnMs] = await once(process, 'message');
    if (turnMs === 0) break;
    let done = 0;
    const [cpuBefore, since] = [process.cpuUsage(), performance.now()];
    const work = async () => {
      while (performance.now() - since < turnMs) {
        await ask();
        done++;
      }
    };
    await Promise.all(Array.from({ length: Number(depth) }, work));
    const { user, system } = process.cpuUsage(cpuBefore);
    process.send?.({
      perSecond: (1000 * done) / (performance.now() - since),
      cpuUs: (user + system) / done,
    });
  }
  await end();
  process.disconnect();
}

/** @typedef {{ ask: () => Promise<unknown>, end: () => unknown }} Asker */

/**
 * As its users write it: a promise for each request, answered in order.
 * @param {number} port
 * @param {number} clientId
 * @param {boolean} withoutLimiter
 * @returns {Promise<Asker>}
 */
async function bareApi(port, clientId, withoutLimiter) {
  const { EventName, IBApi } = await import('@stoqey/ib');
  const api = new IBApi({ host: HOST, port, clientId, maxReqPerSec: 1e9 });
  if (withoutLimiter) {
    /** @type {any} */
    const { controller } = api;
    controller.rateLimiter = (/** @type {unknown[]} */ tokens) => controller.socket.send(tokens);
  }
  /** @type {((time: number) => void)[]} */
  const waiting = [];
  api.on(EventName.currentTime, (time) => waiting.shift()?.(time));
  const ready = new Promise((resolve) => api.once(EventName.nextValidId, resolve));
  api.connect();
  await ready;
  return {
    ask: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        api.reqCurrentTime();
      }),
    end: () => api.disconnect(),
  };
}

/**
 * @param {Gateway} gateway
 * @param {number} rounds
 */
async function droppedAtOnce({ port, control }, rounds) {
  const workers = 16;
  const pool = createIbPool({ port, topology: 'worker', workers });
  await pool.warm();
  /** @type {number[]} */
  const times = [];
  let areUnique = true;
  for (let round = 0; round < rounds * 4; round++) {
    // A session that lasted counts as a good one: its backoff begins anew.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const before = pool.snapshot().ib.reconnects;
    const since = performance.now();
    await control.inject({ kind: 'drop' });
    await until(() => {
      const { reconnects, connections } = pool.snapshot().ib;
      return reconnects === before + workers && connections.every(({ state }) => state === 'ready');
    });
    times.push(performance.now() - since);
    const { ids } = (await control.counts()).clients;
    areUnique &&= ids.length === workers && new Set(ids).size === workers;
  }
  await pool.close();
  tell(
    `${workers} workers dropped at once, ${times.length} times: all ready again within ${spread(times)} ms`,
  );
  tell(`  client ids unique at the gateway: ${areUnique ? 'each time' : 'NOT EACH TIME'}`);
}

/**
 * @param {Gateway} gateway
 * @param {number} rounds
 */
async function halfOpen({ port, control }, rounds) {
  const [heartbeatMs, heartbeatTimeoutMs] = [500, 500];
  /** @type {number[]} */
  const times = [];
  for (let round = 0; round < rounds; round++) {
    /** @type {(at: number) => void} */
    let found = () => {};
    const detected = new Promise((resolve) => {
      found = resolve;
    });
    const connection = new IbConnection(
      { host: HOST, port, clientId: 7 },
      {
        heartbeatMs,
        heartbeatTimeoutMs,
        onState: (state) => state.kind === 'waiting' && found(performance.now()),
      },
    );
    await connection.ready();
    // Anywhere between two heartbeats.
    await new Promise((resolve) => setTimeout(resolve, 600 + 137 * round));
    const since = performance.now();
    const fault = await control.inject({ kind: 'half-open', clientIds: [7] });
    times.push((await detected) - since);
    await control.heal(fault);
    await connection.close();
  }
  tell(
    `half-open connections, heartbeat ${heartbeatMs} ms, deadline ${heartbeatTimeoutMs} ms: found within ${spread(times)} ms`,
  );
}

/** @param {Gateway} gateway */
async function paced({ port, control }) {
  const [workers, measuredMs, perSecond] = [10, 20_000, 45];
  /** @type {number[]} */
  const stamps = [];
  // Where messages leave for their threads, and again when those have handed them to their sockets.
  const line = () => {
    const inner = threadLine();
    return {
      prepare: () => inner.prepare(),
      end: () => inner.end(),
      /** @type {typeof inner.open} */
      open(target, hear) {
        const link = inner.open(target, hear);
        return {
          ...link,
          async call(method, args) {
            await link.call(method, args);
            stamps.push(performance.now());
          },
        };
      },
    };
  };
  const pool = createIbPool({ port, topology: 'worker', workers, line });
  await pool.warm();
  await control.clearCounts();
  let isOver = false;
  const contract = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
  const work = async () => {
    while (!isOver) await pool.withIb((ib) => ib.contractDetails(contract), { timeoutMs: null });
  };
  const since = performance.now();
  const working = Array.from({ length: workers }, work);
  await new Promise((resolve) => setTimeout(resolve, measuredMs));
  isOver = true;
  const sent = stamps.length;
  const elapsedMs = performance.now() - since;
  await Promise.all(working);
  const { messages } = await control.counts();
  await pool.close();
  const used = (1000 * sent) / elapsedMs / perSecond;
  tell(`${workers} workers that ask as fast as they may, for ${measuredMs / 1000} s, at ${perSecond}/s`);
  tell(
    `  most in any second: ${mostInAny(stamps, 1000)} at our send stamps, ${messages.mostPerSecond} at the gateway`,
  );
  tell(`  ${rounded(sent)} sent, ${(100 * used).toFixed(1)} % of the budget`);
}

/**
 * The most that fall into any window, wherever it begins.
 * @param {readonly number[]} stamps
 * @param {number} windowMs
 */
function mostInAny(stamps, windowMs) {
  const sorted = [...stamps].sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  sorted.forEach((stamp, at) => {
    while ((sorted[first] ?? 0) <= stamp - windowMs) first++;
    most = Math.max(most, at - first + 1);
  });
  return most;
}

/** @param {() => boolean} isSo */
async function until(isSo) {
  const deadline = performance.now() + 30_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('not within 30 s');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** @param {number} count */
function rounded(count) {
  return Math.round(count).toLocaleString('en');
}

/**
 * The middle, and between what the middle half lies: a turn in which another process had the core says nothing.
 * @param {readonly number[]} ratios
 */
function ranged(ratios) {
  const sorted = [...ratios].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  return `${median(sorted).toFixed(2)} (${at(0.25)} - ${at(0.75)})`;
}

/** @param {readonly number[]} times */
function spread(times) {
  return `${rounded(median([...times]))} (median), ${rounded(Math.max(...times))} (longest)`;
}

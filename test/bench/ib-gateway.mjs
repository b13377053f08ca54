import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * How much the simulated gateway serves: 32 clients on raw sockets, each with so many requests under way, against
 * `poolctl ib gateway` in another process. The figures are the gateway's own counts over its own CPU time, so that
 * they do not depend on what the clients cost.
 *
 *   node test/bench/ib-gateway.mjs [SECONDS [WORD]]
 *
 * WORD: only the lines whose name has it. It is the first half of `npm run bench:ib`.
 */
const CLIENTS = 32;
const UNDER_WAY = 16;
/** Orders that rest beside those that are measured. */
const RESTING = 4000;
const seconds = Number(process.argv[2] ?? 5);
const word = process.argv[3] ?? '';

const build = process.env.POOLCTL_DIST ?? join(dirname(import.meta.dirname), '../dist');
/** @type {typeof import('../../src/lab/ib-gateway/wire/frames.js')} */
const { encodeFrame, encodeHello } = await import(
  pathToFileURL(join(build, 'src/lab/ib-gateway/wire/frames.js')).href
);
/** @type {typeof import('../../src/lab/ib-gateway/control-client.js')} */
const { connectControl } = await import(
  pathToFileURL(join(build, 'src/lab/ib-gateway/control-client.js')).href
);

const stock = [0, 'AAPL', 'STK', '', '', '', '', 'SMART', '', 'USD', '', ''];
/** What is asked, and the type of the message with which its answer ends. */
const kinds = {
  'current time': { request: () => encodeFrame([49, 1]), last: 49 },
  'contract details': {
    request: (/** @type {number} */ id) => encodeFrame([9, 8, id, ...stock, 0, '', '', '']),
    last: 52,
  },
  'market data snapshot': {
    request: (/** @type {number} */ id) => encodeFrame([1, 11, id, ...stock, 0, '', 1, 0, '']),
    last: 57,
  },
  'history of 60 bars, the same for all': {
    request: (/** @type {number} */ id) => history(id, 'AAPL'),
    last: 17,
  },
  'history of 60 bars, another each time': {
    request: (/** @type {number} */ id) => history(id, symbolOf(id)),
    last: 17,
  },
  'limit order, placed and canceled': {
    request: (/** @type {number} */ id) => Buffer.concat([limitOrder(id), cancellation(id)]),
    last: 4,
  },
  'limit order, changed': {
    request: (/** @type {number} */ id) => limitOrder(1 + (id % 64), 1 + (id % 50)),
    last: 3,
  },
  [`limit order, placed and canceled while ${RESTING} rest`]: {
    request: (/** @type {number} */ id) => Buffer.concat([limitOrder(id), cancellation(id)]),
    last: 4,
    resting: RESTING,
  },
};

/**
 * As long as those that clients send.
 * @param {number} id
 * @param {number} price
 */
function limitOrder(id, price = 1) {
  const terms = ['', '', 'BUY', 100, 'LMT', price, '', 'DAY', '', '', '', 0, '', 1, 0];
  const rest = Array.from({ length: 85 }, () => '');
  return encodeFrame([3, id, ...stock, ...terms, ...rest]);
}

/** @param {number} id */
function cancellation(id) {
  return encodeFrame([4, id, '', '', 2_147_483_647]);
}

/**
 * @param {number} id
 * @param {string} symbol
 */
function history(id, symbol) {
  const contract = stock.map((field) => (field === 'AAPL' ? symbol : field));
  return encodeFrame([20, id, ...contract, 0, '', '1 min', '3600 S', 1, 'TRADES', 1, 0, '']);
}

/** @param {number} id */
function symbolOf(id) {
  const letters = Array.from({ length: 5 }, (_, at) =>
    String.fromCharCode(65 + (Math.floor(id / 26 ** at) % 26)),
  );
  return letters.join('');
}

/** @param {string} line */
const tell = (line) => void process.stdout.write(`${line}\n`);

const gateway = spawn(
  process.execPath,
  [
    join(build, 'bin/poolctl.js'),
    ...'ib gateway --port 0 --format json --message-limit 0 --no-history-pacing'.split(' '),
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
try {
  const [line] = await once(gateway.stdout, 'data');
  const { port, controlPort, controlToken } = JSON.parse(String(line));
  const control = await connectControl({ host: '127.0.0.1', port: controlPort, token: controlToken });
  tell(`${CLIENTS} clients, ${UNDER_WAY} requests under way each, ${seconds} s per line\n`);
  for (const [name, kind] of Object.entries(kinds)) {
    if (!name.includes(word)) continue;
    await control.clearCounts();
    const load = await startLoad(port, kind);
    const { resting = 0 } = /** @type {{ resting?: number }} */ (kind);
    while ((await control.counts()).orders.placed < resting);
    await control.clearCounts();
    load.begin();
    const [cpuBefore, startedAt] = [cpuMs(gateway.pid), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const { messages, clients } = await control.counts();
    const elapsedS = (performance.now() - startedAt) / 1000;
    const cpuAfter = cpuMs(gateway.pid);
    await load.stop();
    // Until it has seen them go, there is no place for the next ones.
    while ((await control.counts()).connections.open > 0);
    const cpuS = cpuBefore === null || cpuAfter === null ? null : (cpuAfter - cpuBefore) / 1000;
    const both = messages.received + messages.sent;
    const perCpu = (/** @type {number} */ count) => (cpuS === null ? '-' : rounded(count / cpuS));
    const share = cpuS === null ? '-' : `${Math.round((100 * cpuS) / elapsedS)} %`;
    tell(`${name}: ${clients.ids.length} clients, CPU ${share}`);
    tell(
      `  requests ${rounded(messages.received / elapsedS)}/s, ${perCpu(messages.received)} per CPU second`,
    );
    tell(`  messages both ways ${rounded(both / elapsedS)}/s, ${perCpu(both)} per CPU second`);
  }
  await control.close();
} finally {
  gateway.kill('SIGINT');
  await once(gateway, 'close');
}

/**
 * Clients that each keep so many requests under way.
 * @param {number} port
 * @param {{ request: (id: number) => Buffer, last: number, resting?: number }} kind
 */
async function startLoad(port, { request, last, resting = 0 }) {
  let stopped = false;
  let id = 1;
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, index) => {
      const socket = connect(port, '127.0.0.1').setNoDelay();
      socket.on('error', (error) => {
        if (!stopped) throw error;
      });
      await once(socket, 'connect');
      socket.write(encodeHello('v100..193'));
      socket.write(encodeFrame([71, 2, index, '']));
      let rest = Buffer.alloc(0);
      const send = (/** @type {number} */ count) => {
        if (stopped) return;
        socket.write(Buffer.concat(Array.from({ length: count }, () => request(id++))));
      };
      const ready = new Promise((resolve) => {
        socket.on('data', (bytes) => {
          rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
          let at = 0;
          let done = 0;
          while (rest.length - at >= 4 && rest.length - at >= 4 + rest.readUInt32BE(at)) {
            // The type is all that matters.
            const type = Number.parseInt(rest.toString('latin1', at + 4, at + 8), 10);
            at += 4 + rest.readUInt32BE(at);
            if (type === 9) resolve(null);
            if (type === last) done++;
          }
          rest = rest.subarray(at);
          if (done > 0) send(done);
        });
      });
      await ready;
      if (index === 0) for (let at = 0; at < resting; at++) socket.write(limitOrder(1_000_000 + at));
      return { socket, begin: () => send(UNDER_WAY) };
    }),
  );
  return {
    begin() {
      for (const { begin } of clients) begin();
    },
    async stop() {
      stopped = true;
      await Promise.all(
        clients.map(async ({ socket }) => {
          const closed = once(socket, 'close');
          socket.destroy();
          await closed;
        }),
      );
    },
  };
}

/**
 * CPU time of a process so far; null where the system does not tell.
 * @param {number | undefined} pid
 * @returns {number | null}
 */
function cpuMs(pid) {
  try {
    // Behind the name, which may hold blanks: the 12th and 13th field are user and system time, in hundredths.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return null;
  }
}

/** @param {number} count */
function rounded(count) {
  return Math.round(count).toLocaleString('en');
}

// What the subscription pool costs: messages a second that one core receives (the feed runs in a process of its own,
// and so does each measurement of `ws` alone), how long 3,000 symbols take to be back after a drop, and memory over
// 100,000 subscribe / unsubscribe cycles, and what a process weighs that holds 50,000 symbols on 50 connections. Needs the
// build. `npm run bench:ws [SECONDS]`, with 0 seconds without the first
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';

const dist = process.env.POOLCTL_DIST ?? join(import.meta.dirname, '../../dist');
const { SubscriptionPool } = await import(join(dist, 'src/ws/index.js'));
const { startFeedServer } = await import(join(dist, 'src/lab/feed-server/feed-server.js'));
/** @param {string} line */
const tell = (line) => void process.stdout.write(`${line}\n`);
/** @param {number} count */
const symbolsOf = (count) => Array.from({ length: count }, (_, at) => `SYM${String(at).padStart(5, '0')}`);
/** @param {number} value */
const whole = (value) => Math.round(value).toLocaleString('en');

if (process.argv[2] === 'sender') await send();
else if (process.argv[2] === 'holder') await hold();
else {
  const seconds = Number(process.argv[2] ?? 5);
  if (seconds > 0) await receive(seconds);
  await resubscribe();
  await cycle();
  await weigh();
}

/** A process that confirms every subscribe, and then sends 120-byte ticks as fast as they are taken. */
async function send() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  await once(server, 'listening');
  server.on('connection', (socket) => {
    /** @type {string[]} */
    const symbols = [];
    let seq = 0;
    const burst = () => {
      // A bounded turn: what has happened to the socket is only told between turns.
      for (let turn = 0; turn < 20 && socket.readyState === WebSocket.OPEN; turn++) {
        if (socket.bufferedAmount > 1e6) break;
        // One system call for many messages, as a venue's kernel would deliver them.
        // @ts-expect-error the socket under `ws` is not in its types
        const tcp = socket._socket;
        if (tcp === null || tcp.destroyed) return;
        tcp.cork();
        for (let i = 0; i < 500; i++) {
          seq++;
          const symbol = symbols[seq % symbols.length] ?? 'SYM00000';
          socket.send(
            `{"symbol":"${symbol}","seq":${seq},"bid":101.125,"ask":101.5,"last":101.25,"volume":9973,"time":1767225600000}`,
          );
        }
        tcp.uncork();
      }
      if (socket.readyState === WebSocket.OPEN) setImmediate(burst);
    };
    socket.on('message', (data) => {
      const { id, symbols: more } = JSON.parse(String(data));
      const first = symbols.length === 0;
      symbols.push(...more);
      socket.send(JSON.stringify({ id, ok: true }));
      if (first) setTimeout(burst, 1500);
    });
    socket.on('error', () => {});
  });
  const address = server.address();
  process.send?.(typeof address === 'object' ? address?.port : null);
  process.once('disconnect', () => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
}

/** @param {number} seconds */
async function receive(seconds) {
  tell(`messages received, ${seconds} s each, in turn, by CPU time of this process alone:`);
  for (let round = 0; round < 3; round++) {
    tell(`  ws with JSON.parse    ${await measured(seconds, bare)}`);
    tell(`  the pool, onTick      ${await measured(seconds, pooled({ onTick: () => {} }))}`);
    tell(`  the pool, conflating  ${await measured(seconds, pooled({}))}`);
  }
}

/**
 * @param {number} seconds
 * @param {(url: string) => Promise<{ count: () => number; close: () => Promise<void> }>} open
 */
async function measured(seconds, open) {
  const sender = fork(import.meta.filename, ['sender']);
  const [port] = await once(sender, 'message');
  const { count, close } = await open(`ws://127.0.0.1:${port}`);
  await new Promise((resolve) => void setTimeout(resolve, 2500));
  const [before, cpu, at] = [count(), process.cpuUsage(), performance.now()];
  await new Promise((resolve) => void setTimeout(resolve, seconds * 1000));
  const [messages, used, tookMs] = [count() - before, process.cpuUsage(cpu), performance.now() - at];
  await close();
  sender.kill('SIGKILL');
  if (sender.exitCode === null && sender.signalCode === null) await once(sender, 'exit');
  const cpuSeconds = (used.user + used.system) / 1e6;
  return `${whole((messages * 1000) / tookMs)}/s by the clock, ${whole(messages / cpuSeconds)} per CPU second`;
}

/** @param {string} url */
async function bare(url) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  let messages = 0;
  /** @type {unknown} */
  let last;
  await once(socket, 'open');
  socket.on('message', (data) => {
    last = JSON.parse(data.toString());
    messages++;
  });
  socket.send(JSON.stringify({ op: 'subscribe', id: 1, symbols: symbolsOf(1000) }));
  return {
    count: () => messages,
    close: async () => {
      socket.terminate();
      await once(socket, 'close');
      if (last === undefined) throw new Error('nothing was received');
    },
  };
}

/** @param {object} options */
function pooled(options) {
  return async (/** @type {string} */ url) => {
    const pool = new SubscriptionPool({ url, lingerMs: 0 });
    await pool.subscriber(options).subscribe(symbolsOf(1000));
    return { count: () => pool.snapshot().feed.messages, close: () => pool.close() };
  };
}

async function resubscribe() {
  tell('3,000 symbols on 3 connections, all dropped at once, 4 batches of 200 a second:');
  for (let round = 0; round < 5; round++) {
    const server = await startFeedServer({ messagesPerSecond: 5 });
    const pool = new SubscriptionPool({ url: server.url });
    await pool.subscriber({ onTick: () => {} }).subscribe(symbolsOf(3000));
    // The dials of the beginning have been paid for by then: a feed that has just begun may wait a second longer.
    await new Promise((resolve) => void setTimeout(resolve, 3000));
    const droppedAt = performance.now();
    let openedAt = 0;
    const gaps = new Promise((resolve) => {
      let left = 3;
      pool.on('gap', () => --left === 0 && resolve(null));
    });
    pool.on('open', () => {
      openedAt ||= performance.now();
    });
    server.feed.drop();
    await gaps;
    const now = performance.now();
    tell(
      `  ${whole(now - openedAt)} ms from the first opening, ${whole(now - droppedAt)} ms from the drop (jitter of 0 to 500 ms included)`,
    );
    await pool.close();
    await server.close();
  }
}

async function cycle() {
  const server = await startFeedServer();
  const { jsonFeed } = await import(join(dist, 'src/ws/index.js'));
  const pool = new SubscriptionPool({
    url: server.url,
    lingerMs: 0,
    protocol: jsonFeed({ messagesPerSecond: 1e6 }),
  });
  const subscriber = pool.subscriber({ onTick: () => {} });
  const heap = () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed / 1e6;
  };
  tell('heap in use over 100,000 subscribe / unsubscribe cycles, each confirmed by the server:');
  for (let done = 0; done <= 100_000; done += 20_000) {
    tell(
      `  after ${whole(done).padStart(7)}: ${heap().toFixed(2)} MB, ${pool.snapshot().feed.symbols} symbols`,
    );
    if (done === 100_000) break;
    for (let batch = 0; batch < 20; batch++) {
      const symbols = Array.from({ length: 1000 }, (_, at) => `S${done + batch * 1000 + at}`);
      await subscriber.subscribe(symbols);
      subscriber.unsubscribe(symbols);
    }
    while (pool.snapshot().feed.releasing > 0) await new Promise((resolve) => void setImmediate(resolve));
  }
  await pool.close();
  await server.close();
}

/** The resident memory of a process with a pool and nothing else; the feed runs in another. */
async function weigh() {
  tell('memory of a process that holds 50,000 symbols on 50 connections, at 20,000 ticks/s:');
  for (const how of ['onTick', 'conflating']) {
    const holder = fork(import.meta.filename, ['holder', how], { execArgv: [] });
    const [{ before, subscribed, after, live, ticks }] = await once(holder, 'message');
    if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit');
    tell(
      `  ${how.padEnd(10)}  ${before.toFixed(0)} MB without a pool, ${subscribed.toFixed(0)} MB with ${whole(live)} symbols live, ${after.toFixed(0)} MB at most in 10 s of ${whole(ticks)} ticks`,
    );
  }
}

async function hold() {
  const { spawnFeed } = await import(join(dist, 'src/lab/feed-server/spawn-feed.js'));
  const rss = () => process.memoryUsage().rss / 2 ** 20;
  const before = rss();
  const feed = await spawnFeed({ ticksPerSecond: 20_000, maxSymbols: 1000 });
  const pool = new SubscriptionPool({
    url: feed.url,
    maxSymbolsPerConnection: 1000,
    maxConnections: 50,
    dials: { perSecond: 1000, perMinute: 1000 },
  });
  await pool
    .subscriber(process.argv[3] === 'onTick' ? { onTick: () => {} } : {})
    .subscribe(symbolsOf(50_000), { timeoutMs: 120_000 });
  const subscribed = rss();
  let after = subscribed;
  for (let second = 0; second < 10; second++) {
    await new Promise((resolve) => void setTimeout(resolve, 1000));
    after = Math.max(after, rss());
  }
  const { live, ticks } = pool.snapshot().feed;
  process.send?.({ before, subscribed, after, live, ticks });
  await pool.close();
  await feed[Symbol.asyncDispose]();
  process.disconnect();
}

// Subscribes two symbols, loses the connection, and continues after the reconnect. The gap is reported.
import { SubscriptionPool } from 'poolctl/ws';
import { startFeed } from './server.js';

const TICKS = 10;

const feed = await startFeed();
const pool = new SubscriptionPool({ url: feed.url });
const gap = new Promise((resolve) => pool.on('gap', resolve));
try {
  const subscriber = pool.subscriber();
  await subscriber.subscribe(['SBIN', 'INFY']);
  process.stdout.write(`${TICKS} ticks before: ${await ticksOf(subscriber)}\n`);

  feed.hangUp();
  const { symbols } = await gap;
  process.stdout.write(
    `the gap covers: ${symbols
      .map(({ symbol }) => symbol)
      .sort()
      .join(' ')}\n`,
  );
  process.stdout.write(`${TICKS} ticks after: ${await ticksOf(subscriber)}\n`);
} finally {
  await pool.close();
  await feed.close();
}

/** Reads some ticks, and returns the symbols that they are of. */
async function ticksOf(subscriber) {
  const symbols = new Set();
  for (let count = 0; count < TICKS; count++) {
    const tick = await subscriber.next();
    if (tick === null) break;
    symbols.add(tick.symbol);
  }
  return [...symbols].sort().join(' ');
}

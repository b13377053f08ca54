import { expect, it } from 'vitest';
import { binanceWire } from '../../../src/lab/feed-server/venues/binance-wire.js';
import { binance } from '../../../src/ws/venues/binance.js';
import { heard, lab, poolOf } from './setup.js';

const streams = (count: number): string[] => Array.from({ length: count }, (_, at) => `s${at}usdt@trade`);

it('keeps to the limits of Binance, its pings and pongs included, also after all connections are dropped', async () => {
  const wire = binanceWire({ rules: { ping: { everyMs: 1100, answerMs: 5000 } } });
  const { origin, market } = await lab(wire, { eventsPerSecond: 500 });
  const venue = binance({ url: `${origin}/stream`, limits: { topicsPerRequest: 20 } });
  const pool = poolOf({ venue, maxSymbolsPerConnection: 100, maxConnections: 2 });
  const results = await pool.subscriber().subscribe(streams(200));
  expect(results.every(({ outcome }) => outcome === 'live')).toBe(true);
  const gaps = new Promise<void>((resolve) => {
    let left = 2;
    pool.on('gap', () => --left === 0 && resolve());
  });
  market.drop();
  await gaps;
  expect(market.facts()).toMatchObject({ violations: [], tooFast: 0, onTwo: [] });
});

it('refuses an invalid stream by the number of its request, and subscribes the others', async () => {
  const { origin } = await lab(binanceWire({ rules: { frames: null } }));
  const venue = binance({ url: `${origin}/stream`, limits: { budgets: [] } });
  const results = await poolOf({ venue })
    .subscriber()
    .subscribe([...streams(50), 'BAD STREAM', ...streams(100).slice(50)]);
  expect(results.filter(({ outcome }) => outcome !== 'live')).toEqual([
    { symbol: 'BAD STREAM', outcome: 'refused', reason: 'Invalid request: invalid stream (code 2)' },
  ]);
});

it('waits out the ban for sending too fast', async () => {
  const { origin } = await lab(
    binanceWire({ rules: { frames: { most: 1, windowMs: 60_000, countsControl: true } } }),
  );
  const venue = binance({ url: `${origin}/stream`, limits: { topicsPerRequest: 1, budgets: [] } });
  const pool = poolOf({ venue });
  const lost = heard(pool, 'lost');
  pool
    .subscriber()
    .subscribe(streams(3), { timeoutMs: null })
    .catch(() => {});
  expect((await lost).error.message).toContain('code 1008: Too many requests');
  await expect.poll(() => pool.snapshot().feed.connections[0]?.state).toBe('backoff');
});

it('holds the updates of a book until its snapshot has come, and drops those that the snapshot has', async () => {
  const { origin, market } = await lab(binanceWire());
  let give = (_id: number): void => {};
  const venue = binance({
    url: `${origin}/stream`,
    snapshot: () =>
      new Promise((resolve) => {
        give = (lastUpdateId) => resolve({ lastUpdateId, data: { lastUpdateId } });
      }),
  });
  const pool = poolOf({ venue });
  const subscriber = pool.subscriber({ policy: 'drop-oldest' });
  await subscriber.subscribe('btcusdt@depth');
  for (let at = 0; at < 4; at++) market.event('btcusdt@depth');
  await expect.poll(() => pool.snapshot().feed.ticks).toBe(4);
  expect(subscriber.queued).toBe(0);
  // The second event covers 3 to 4: it overlaps the snapshot, as the venue's rule allows.
  give(3);
  await expect.poll(() => subscriber.queued).toBe(4);
  const taken = subscriber.take();
  expect(taken.map(({ seq, snapshot }) => [seq, snapshot])).toEqual([
    [3, true],
    [4, false],
    [6, false],
    [8, false],
  ]);
  expect(pool.snapshot().feed).toMatchObject({ holes: 0 });
});

it('asks for another snapshot where updates are missing', async () => {
  const { origin, market } = await lab(binanceWire());
  let asked = 0;
  const venue = binance({
    url: `${origin}/stream`,
    snapshot: async () => ({ lastUpdateId: ++asked === 1 ? 0 : 6, data: asked }),
  });
  const pool = poolOf({ venue });
  const subscriber = pool.subscriber({ policy: 'drop-oldest' });
  await subscriber.subscribe('btcusdt@depth');
  await expect.poll(() => subscriber.queued).toBe(1);
  market.event('btcusdt@depth');
  market.faults = { ...market.faults, mute: true };
  market.event('btcusdt@depth');
  market.faults = { ...market.faults, mute: false };
  const hole = heard(pool, 'hole');
  market.event('btcusdt@depth');
  expect(await hole).toMatchObject({ symbols: ['btcusdt@depth'], expected: 3, got: 5 });
  await expect.poll(() => subscriber.queued).toBe(3);
  expect(subscriber.take().map(({ seq, snapshot }) => [seq, snapshot])).toEqual([
    [0, true],
    [2, false],
    [6, true],
  ]);
});

it('replaces the socket at once where the venue says that it shuts down', async () => {
  const { origin, market } = await lab(binanceWire(), { eventsPerSecond: 500 });
  const pool = poolOf({ venue: binance({ url: `${origin}/stream`, limits: { budgets: [] } }) });
  await pool.subscriber().subscribe(streams(50));
  const moved = heard(pool, 'moved');
  market.leave();
  expect(await moved).toMatchObject({ why: 'leaving', symbols: 50, gapless: true });
  expect(pool.snapshot().feed).toMatchObject({ live: 50, gaps: 0, moves: 1, connections: [{ id: 2 }] });
});

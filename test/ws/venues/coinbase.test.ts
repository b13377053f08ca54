import { expect, it } from 'vitest';
import { coinbaseWire } from '../../../src/lab/feed-server/venues/coinbase-wire.js';
import { coinbase } from '../../../src/ws/venues/coinbase.js';
import { heard, lab, poolOf } from './setup.js';

const products = (count: number): string[] => Array.from({ length: count }, (_, at) => `S${at}-USD`);

it('subscribes each product to all channels, within the rate of the venue', async () => {
  const { origin, market } = await lab(coinbaseWire());
  const venue = coinbase({ url: origin, channels: ['ticker', 'market_trades'] });
  const pool = poolOf({ venue });
  const subscriber = pool.subscriber({ policy: 'drop-oldest' });
  const results = await subscriber.subscribe(products(120));
  expect(results.every(({ outcome }) => outcome === 'live')).toBe(true);
  market.event('S7-USD');
  await expect.poll(() => subscriber.queued).toBe(2);
  expect(subscriber.take()).toMatchObject([
    { symbol: 'S7-USD', data: { channel: 'ticker', data: { price: '100.01' } } },
    { symbol: 'S7-USD', data: { channel: 'market_trades', data: { trade_id: '1' } } },
  ]);
  expect(market.facts()).toMatchObject({ violations: [], repeated: 120 });
});

it('finds a product that is refused among others, although the error names no request', async () => {
  const { origin, market } = await lab(coinbaseWire({ rules: { framesTogether: null } }));
  market.faults = { ...market.faults, refuse: ['S13-USD'] };
  const pool = poolOf({ venue: coinbase({ url: origin, limits: { budgets: [] } }) });
  const results = await pool.subscriber().subscribe(products(50));
  expect(results.filter(({ outcome }) => outcome !== 'live')).toEqual([
    { symbol: 'S13-USD', outcome: 'refused', reason: 'failure to subscribe: S13-USD is not a valid product' },
  ]);
});

it('replaces the socket where the number of a message is missing, and tells the hole and the gap', async () => {
  let skipped = false;
  const skips = (sequence: number): boolean => {
    if (skipped || sequence < 5) return false;
    skipped = true;
    return true;
  };
  const { origin } = await lab(coinbaseWire({ skips }), { eventsPerSecond: 200 });
  const pool = poolOf({ venue: coinbase({ url: origin }) });
  const [hole, lost, gap] = [heard(pool, 'hole'), heard(pool, 'lost'), heard(pool, 'gap')];
  await pool.subscriber().subscribe(products(3));
  expect(await hole).toMatchObject({ symbols: null });
  expect((await lost).cause).toBe('hole');
  expect((await gap).symbols).toHaveLength(3);
});

it('is kept alive by heartbeats while no product is subscribed, and they are no data', async () => {
  const { origin, market } = await lab(coinbaseWire({ rules: { firstRequestMs: 100, heartbeatMs: 20 } }));
  const pool = poolOf({
    venue: coinbase({ url: origin, heartbeat: { kind: 'server', silentMs: 1000 } }),
    lingerMs: 0,
  });
  const subscriber = pool.subscriber();
  await subscriber.subscribe('A-USD');
  subscriber.unsubscribe('A-USD');
  await expect.poll(() => pool.snapshot().feed.messages).toBeGreaterThan(12);
  expect(pool.snapshot().feed).toMatchObject({ ticks: 0, connections: [{ state: 'open', reconnects: 0 }] });
  expect(market.facts().violations).toEqual([]);
});

it('sends a token of its own with each message', async () => {
  const { origin } = await lab(coinbaseWire());
  let made = 0;
  const venue = coinbase({ url: origin, channels: ['ticker', 'level2'], jwt: () => `token-${++made}` });
  await poolOf({ venue }).subscriber().subscribe('A-USD');
  expect(made).toBe(3);
});

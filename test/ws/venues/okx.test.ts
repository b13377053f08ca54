import { describe, expect, it } from 'vitest';
import { okxWire } from '../../../src/lab/feed-server/venues/okx-wire.js';
import { type OkxOptions, okx, okxSymbol } from '../../../src/ws/venues/okx.js';
import { heard, lab, poolOf } from './setup.js';

const account = { apiKey: 'k', secretKey: 's', passphrase: 'p' };
const trades = (count: number): string[] => Array.from({ length: count }, (_, at) => `trades:S${at}-USDT`);
/** The venue's own limits are too slow for a test of many requests. */
const quick: OkxOptions = { limits: { budgets: [] } };

describe('a symbol of OKX', () => {
  it.each([
    [{ channel: 'trades', instId: 'BTC-USDT' }, 'trades:BTC-USDT'],
    [{ channel: 'orders', instType: 'SPOT' }, 'orders:instType=SPOT'],
    [{ channel: 'positions', instId: 'X', instType: 'SWAP' }, 'positions:X,instType=SWAP'],
    [{ channel: 'account' }, 'account'],
  ])('stands for an argument: %j', (arg, symbol) => {
    expect(okxSymbol(arg as Record<string, string>)).toBe(symbol);
  });
});

it('confirms each channel by itself, and refuses the one that does not exist at once', async () => {
  const { origin, market } = await lab(okxWire());
  market.faults = { ...market.faults, refuse: ['trades:S13-USDT'] };
  const pool = poolOf({ venue: okx({ ...quick, url: origin }) });
  const results = await pool.subscriber().subscribe(trades(120));
  expect(results.filter(({ outcome }) => outcome !== 'live')).toEqual([
    {
      ...{ symbol: 'trades:S13-USDT', outcome: 'refused' },
      reason: "channel:trades,instId:S13-USDT doesn't exist (code 60018)",
    },
  ]);
  expect(market.facts()).toMatchObject({ requests: 3, violations: [] });
});

it('logs in before it asks for what is private, on an address of its own', async () => {
  const { origin, market } = await lab(okxWire({ account }));
  const pool = poolOf({ venue: okx({ ...quick, url: origin, credentials: () => account }) });
  const results = await pool.subscriber().subscribe(['account', 'trades:A-B', 'candle1m:A-B']);
  expect(results.map(({ outcome }) => outcome)).toEqual(['live', 'live', 'live']);
  expect(market.facts()).toMatchObject({ opened: 3, violations: [] });
});

it('stops where the login is refused twice', async () => {
  const { origin, market } = await lab(okxWire({ account }));
  const venue = okx({ ...quick, url: origin, credentials: { ...account, passphrase: 'no' } });
  await expect(poolOf({ venue }).subscriber().subscribe('account')).rejects.toMatchObject({
    code: 'ERR_FEED_AUTH',
    message: expect.stringContaining('Wrong passphrase (code 60024)'),
  });
  expect(market.facts().opened).toBe(2);
});

it('is pinged by text while it is silent, and not cut', async () => {
  const { origin, market } = await lab(okxWire({ rules: { silentMs: 300 } }));
  const venue = okx({
    ...{ ...quick, url: origin },
    heartbeat: { kind: 'message', everyMs: 60, answerMs: 5000, whenSilent: true, make: () => 'ping' },
  });
  const pool = poolOf({ venue });
  await pool.subscriber().subscribe('trades:A-B');
  await expect.poll(() => market.facts().requests, { timeout: 5000 }).toBeGreaterThan(8);
  expect(market.facts()).toMatchObject({ opened: 1, violations: [] });
  expect(pool.snapshot().feed).toMatchObject({ ticks: 0, connections: [{ rttMs: expect.any(Number) }] });
});

it('subscribes a book again whose chain is broken, and leaves the others alone', async () => {
  let breaks: string | null = null;
  const loses = (symbol: string): boolean => {
    const isLost = symbol === breaks;
    if (isLost) breaks = null;
    return isLost;
  };
  const { origin, market } = await lab(okxWire({ loses }));
  const pool = poolOf({ venue: okx({ ...quick, url: origin }) });
  const ticks: { readonly symbol: string; readonly seq: unknown }[] = [];
  await pool.subscriber({ onTick: (tick) => void ticks.push(tick) }).subscribe(['books:A-B', 'books:C-D']);
  for (const symbol of ['books:A-B', 'books:C-D']) market.event(symbol);
  const hole = heard(pool, 'hole');
  breaks = 'books:A-B';
  for (const symbol of ['books:A-B', 'books:C-D', 'books:A-B', 'books:C-D']) market.event(symbol);
  expect(await hole).toMatchObject({ symbols: ['books:A-B'], expected: 1, got: 2 });
  await expect.poll(() => market.facts().subscribes).toBe(3);
  market.event('books:A-B');
  const ofBook = (symbol: string) => ticks.filter((each) => each.symbol === symbol).map(({ seq }) => seq);
  await expect.poll(() => ofBook('books:A-B')).toEqual([0, 1, 3, 3, 4]);
  expect(ofBook('books:C-D')).toEqual([0, 1, 2, 3]);
});

it('moves to another socket where the venue announces an upgrade', async () => {
  const { origin, market } = await lab(okxWire(), { eventsPerSecond: 500 });
  const pool = poolOf({ venue: okx({ ...quick, url: origin }) });
  await pool.subscriber().subscribe(trades(30));
  const moved = heard(pool, 'moved');
  market.leave();
  expect(await moved).toMatchObject({ why: 'leaving', symbols: 30, gapless: true });
});

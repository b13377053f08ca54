import { describe, expect, it } from 'vitest';
import { kiteWire } from '../../../src/lab/feed-server/venues/kite-wire.js';
import { kite } from '../../../src/ws/venues/kite.js';
import { type KiteTick, readKiteMessage } from '../../../src/ws/venues/kite-packets.js';
import { heard, lab, poolOf } from './setup.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('a message of Kite', () => {
  it.each<[string, string, object[]]>([
    [
      'two packets of last prices, one of a currency with seven decimals',
      '0002 0008 00063a01 0001e23f 0008 0004d203 31aa62d0',
      [
        { token: 408065, mode: 'ltp', lastPrice: 1234.55 },
        { token: 315907, mode: 'ltp', lastPrice: 83.325 },
      ],
    ],
    ['a heartbeat', '00', []],
    ['nothing', '', []],
    [
      'a quote of an index',
      '0001 001c 0003e909 0023b74d 0023c503 00238bfb 00239ef7 00237fd5 00003778',
      [
        {
          ...{ token: 256265, mode: 'quote', isIndex: true, lastPrice: 23406.85 },
          ...{ high: 23441.95, low: 23295.95, open: 23344.55, close: 23264.85 },
        },
      ],
    ],
    [
      'a quote',
      '0001 002c 00063a01 00027100 0000000a 000270ce 0001e240 00000309 00000378 00026d18 000274e8 00026930 00026f0c',
      [
        {
          ...{ token: 408065, mode: 'quote', lastPrice: 1600, lastQuantity: 10, averagePrice: 1599.5 },
          ...{ volume: 123456, buyQuantity: 777, sellQuantity: 888 },
          ...{ open: 1590, high: 1610, low: 1580, close: 1595 },
        },
      ],
    ],
    ['a negative price', '0001 0008 00063a01 ffffffff', [{ lastPrice: -0.01 }]],
    ['a token above 2^31', '0001 0008 f0000001 00000064', [{ token: 0xf0000001, lastPrice: 1 }]],
  ])('holds %s', (_what, hex, expected) => {
    expect(readKiteMessage(bytes(hex))).toMatchObject(expected);
  });

  it.each([
    ['is cut off within a packet', '0001 0008 00063a01 0001'],
    ['is cut off before a length', '0002 0008 00063a01 0001e23f'],
    ['has a packet of a length that there is not', '0001 0009 00063a01 0001e23f 00'],
  ])('is not understood if it %s, and gives no value', (_what, hex) => {
    expect(() => readKiteMessage(bytes(hex))).toThrow(RangeError);
  });
});

describe('Kite in the lab', () => {
  const at = (url: string, token: string | (() => string) = 'secret') =>
    kite({ url, apiKey: 'key', accessToken: token });

  it('gives ticks of the modes that were asked for', async () => {
    const { origin, market } = await lab(kiteWire());
    const pool = poolOf({ venue: at(origin) });
    const subscriber = pool.subscriber({ policy: 'drop-oldest' });
    const subscribed = Promise.all([
      subscriber.subscribe('408065', { mode: 'full' }),
      subscriber.subscribe('738561', { mode: 'ltp' }),
    ]);
    await expect.poll(() => market.facts().subscribes).toBeGreaterThanOrEqual(4);
    market.event('408065');
    market.event('738561');
    expect(await subscribed).toMatchObject([[{ outcome: 'live' }], [{ outcome: 'live' }]]);
    const ticks = subscriber.take().map(({ data, mode }) => ({ ...(data as KiteTick), asked: mode }));
    expect(ticks).toMatchObject([
      { token: 408065, mode: 'full', asked: 'full', lastPrice: 100.01, volume: 1 },
      { token: 738561, mode: 'ltp', asked: 'ltp', lastPrice: 100.01 },
    ]);
    expect(ticks[0]?.bids?.[0]).toEqual({ quantity: 10, price: 99.96, orders: 1 });
  });

  it('says that a symbol is assumed where the market is closed', async () => {
    const { origin } = await lab(kiteWire());
    const venue = kite({ url: origin, apiKey: 'key', accessToken: 'secret', limits: { assumeMs: 20 } });
    expect(await poolOf({ venue }).subscriber().subscribe('408065')).toMatchObject([{ outcome: 'assumed' }]);
  });

  it('gives all subscribers of a symbol the strongest mode, on one place, and a weaker one after a while', async () => {
    const { origin, market } = await lab(kiteWire());
    const venue = kite({ url: origin, apiKey: 'key', accessToken: 'secret', limits: { assumeMs: 20 } });
    const pool = poolOf({ venue });
    const [weak, strong] = [pool.subscriber({ policy: 'drop-oldest' }), pool.subscriber()];
    await weak.subscribe('1', { mode: 'ltp' });
    const modes = () => {
      market.event('1');
      return new Promise<string | undefined>((resolve) => {
        setImmediate(() => resolve((weak.take().at(-1)?.data as KiteTick | undefined)?.mode));
      });
    };
    await expect.poll(modes).toBe('ltp');
    await strong.subscribe('1', { mode: 'full' });
    await expect.poll(modes).toBe('full');
    strong.unsubscribe('1');
    await expect.poll(modes).toBe('ltp');
    expect(pool.snapshot().feed).toMatchObject({ symbols: 1, connections: [{ symbols: 1 }] });
  });

  it('encodes the token, asks for it at each dial, and stops where it is refused twice', async () => {
    const { origin, market } = await lab(kiteWire({ tokens: ['to+day/=', 'tomorrow'] }));
    const tokens = ['to+day/=', 'old', 'tomorrow', 'old', 'old'];
    const venue = kite({
      ...{ url: origin, apiKey: 'key', limits: { assumeMs: 20 } },
      accessToken: () => tokens.shift() ?? 'none',
    });
    const pool = poolOf({ venue, stableAfterMs: 1 });
    await pool.subscriber().subscribe('1');
    const [again] = [heard(pool, 'gap')];
    market.drop();
    await again;
    expect(tokens).toEqual(['old', 'old']);
    const failed = new Promise((resolve) => {
      pool.on('connectFailed', ({ error, retryInMs }) => retryInMs === null && resolve(error));
    });
    market.drop();
    expect(await failed).toMatchObject({ code: 'ERR_FEED_AUTH' });
    expect(tokens).toEqual([]);
  });

  it('tells an error of the venue, which names nobody', async () => {
    const { origin, market } = await lab(kiteWire({ rules: { symbols: 2 } }));
    const venue = kite({ url: origin, apiKey: 'key', accessToken: 'secret', limits: { assumeMs: 50 } });
    const pool = poolOf({ venue });
    const told = heard(pool, 'serverError');
    await pool.subscriber().subscribe(['1', '2', '3']);
    expect(await told).toMatchObject({ message: 'Maximum number of tokens per connection reached' });
    expect(market.facts().overCapacity).toBe(1);
  });

  it('refuses what is no instrument token, and nothing else of the request', async () => {
    const { origin } = await lab(kiteWire());
    const venue = kite({ url: origin, apiKey: 'key', accessToken: 'secret', limits: { assumeMs: 20 } });
    expect(await poolOf({ venue }).subscriber().subscribe(['1', 'INFY', '2'])).toMatchObject([
      { symbol: '1', outcome: 'assumed' },
      { symbol: 'INFY', outcome: 'refused', reason: expect.stringContaining('no instrument token') },
      { symbol: '2', outcome: 'assumed' },
    ]);
  });
});

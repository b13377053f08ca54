import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Market } from '../../../src/lab/ib-gateway/market.js';
import { joinedBars } from '../../../src/lab/ib-gateway/wire/bar-text.js';
import { encodeFrame } from '../../../src/lab/ib-gateway/wire/frames.js';
import type { Bar } from '../../../src/lab/ib-gateway/wire/model.js';
import { openOrder } from '../../../src/lab/ib-gateway/wire/open-order.js';
import { orderStatus } from '../../../src/lab/ib-gateway/wire/order-replies.js';
import * as replies from '../../../src/lab/ib-gateway/wire/replies.js';
import { requestId } from '../../../src/lab/ib-gateway/wire/request-ids.js';
import { decodeRequest } from '../../../src/lab/ib-gateway/wire/requests.js';
import { negotiate } from '../../../src/lab/ib-gateway/wire/versions.js';
import { orderOf } from './order.js';
import { historyRequest, stock } from './raw-client.js';

const texts = (fields: readonly unknown[]) =>
  fields.map((field) => (typeof field === 'boolean' ? String(Number(field)) : String(field ?? '')));

const HOURS = { all: '', regular: '' };

const contract = {
  conId: 0,
  symbol: 'AAPL',
  secType: 'STK',
  expiry: '',
  strike: '',
  right: '',
  multiplier: '',
  exchange: 'SMART',
  primaryExchange: '',
  currency: 'USD',
  localSymbol: '',
  tradingClass: '',
};

describe('versions', () => {
  it.each([
    [100, 193, 193, 193],
    [100, 193, 151, 151],
    [100, 176, 193, 176],
    [100, 226, 193, 193],
    [201, 226, 200, null],
    [38, 76, 193, null],
    // Versions that clients read differently.
    [100, 158, 193, 157],
    [100, 187, 193, 186],
    [100, 193, 189, 186],
    [188, 193, 189, null],
  ])('from %d to %d, with a gateway of %d, is %j', (fromVersion, toVersion, own, expected) => {
    expect(negotiate({ fromVersion, toVersion }, own)).toBe(expected);
  });
});

describe('the id of a request', () => {
  it.each([
    [[10, 5, 44, 'x'], 193, 44],
    [[1, 11, 44], 193, 44],
    [[3, 44, 0], 193, 44],
    [[3, 45, 44], 144, 44],
    [[4, 44], 193, 44],
    [[4, 1, 44], 191, 44],
    [[20, 44], 193, 44],
    [[20, 6, 44], 123, 44],
    [[22, 44], 193, 44],
    [[22, 4, 44], 142, 44],
    [[97, 44], 193, 44],
    [[100, 44], 193, 44],
    [[61, 1], 193, -1],
    [[6, 2, 1, 'DU1'], 193, -1],
    [[97, 'x'], 193, -1],
  ])('%j at %d is %d', (fields, version, expected) => {
    expect(requestId(texts(fields), version)).toBe(expected);
  });
});

describe('requests', () => {
  it.each([
    ['the time', [49, 1], 193, { name: 'currentTime' }],
    ['START_API', [71, 2, 7, ''], 193, { name: 'startApi', clientId: 7 }],
    ['START_API without an id, as @stoqey/ib sends it', [71, 2, '', ''], 193, { clientId: 0 }],
    [
      'a contract',
      [9, 8, 5, ...stock('AAPL'), 0, '', '', ''],
      193,
      { name: 'contractDetails', id: 5, contract },
    ],
    ['history', historyRequest(3, 'AAPL'), 193, { name: 'history', id: 3, query: { barSize: '5 secs' } }],
    [
      'history before 124, with its version',
      [20, 6, ...historyRequest(3, 'AAPL').slice(1)],
      123,
      { name: 'history', id: 3, query: { contract, duration: '60 S', keepUpToDate: false } },
    ],
    [
      'market data',
      [1, 11, 4, ...stock('AAPL'), 0, '233', 1, 0, ''],
      193,
      { name: 'marketData', id: 4, contract, snapshot: true },
    ],
    [
      'market data of a combination',
      [1, 11, 4, 0, 'A', 'BAG', ...stock('').slice(3), 1, 9, 1, 'BUY', 'SMART', 0, '', 0, 0, ''],
      193,
      { name: 'marketData', snapshot: false },
    ],
    ['account updates', [6, 2, 1, 'DU1'], 193, { subscribe: true, account: 'DU1' }],
    ['account summary', [62, 1, 9, 'All', 'A,B'], 193, { id: 9, tags: ['A', 'B'] }],
    ['an order', [3, 8, ...stock('AAPL'), '', '', 'BUY', 10, 'LMT', 1], 193, { id: 8, quantity: 10 }],
    ['an order before 145', [3, 45, 8, ...stock('AAPL'), '', '', 'BUY', 10, 'MKT'], 144, { id: 8 }],
    ['cancelling an order', [4, 8, '', '', 0], 193, { name: 'cancelOrder', id: 8 }],
    ['cancelling an order before 192', [4, 1, 8, ''], 191, { name: 'cancelOrder', id: 8 }],
  ])('%s', (_, fields, version, expected) => {
    expect(decodeRequest(texts(fields), version)).toMatchObject({ ok: true, request: expected });
  });

  it.each([
    ['no number', ['x'], 'malformed'],
    ['nothing', [''], 'malformed'],
    ['half a contract', ['9', '8', '5', '0', 'AAPL'], 'malformed'],
    ['an id that is no number', ['2', '1', 'five'], 'malformed'],
    ['an id of 40 bits', ['2', '1', '1099511627776'], 'malformed'],
    [
      'a number of legs that is none',
      texts([1, 11, 4, 0, 'A', 'BAG', ...stock('').slice(3), -5]),
      'malformed',
    ],
    ['a type that does not exist', ['4711', '1'], 'unknown'],
    ['a type as of protobuf', ['249', '1'], 'unknown'],
    ['the name of something all objects have', ['constructor'], 'malformed'],
  ])('%s is told apart', (_, fields, reason) => {
    expect(decodeRequest(fields, 193)).toMatchObject({ ok: false, reason });
  });
});

describe('replies', () => {
  const [instrument] = new Market(1).lookUp(contract);
  if (instrument === undefined) throw new Error('no instrument');

  it.each([
    [100, 8, 'the first of the text protocol'],
    [109, 8, ''],
    [110, 8, 'mdSizeMultiplier'],
    [121, 8, 'aggGroup'],
    [163, 8, 'sizeMinTick'],
  ])('contract details at %d have their version', (version, expected) => {
    expect(replies.contractDetails(1, instrument, HOURS, version)[1]).toBe(expected);
  });

  it.each([
    [100, 32],
    [110, 33],
    [121, 34],
    [122, 36],
    [126, 37],
    [134, 38],
    [152, 39],
    [163, 40],
    [164, 40],
    [181, 40],
    [182, 41],
    [186, 42],
    [193, 42],
    [200, 42],
  ])('contract details at %d have %d fields', (version, fields) => {
    expect(replies.contractDetails(1, instrument, HOURS, version)).toHaveLength(fields);
  });

  it.each([
    [100, [4, 2, 3, 200, 'é']],
    [152, [4, 2, 3, 200, 'é']],
    [153, [4, 2, 3, 200, '\\u00e9']],
    [165, [4, 2, 3, 200, '\\u00e9']],
    [166, [4, 2, 3, 200, '\\u00e9', '']],
    [193, [4, 2, 3, 200, '\\u00e9', '']],
    [194, [4, 3, 200, '\\u00e9', '', 5000]],
  ])('an error at %d', (version, expected) => {
    expect(replies.errorMessage({ id: 3, code: 200, text: 'é' }, version, 5000)).toEqual(expected);
  });

  it.each([
    [123, [[17, 3, 1, 'a', 'b', 1, 't', 1, 2, 0.5, 1.5, 9, 1.2, 'false', 4]]],
    [124, [[17, 1, 'a', 'b', 1, 't', 1, 2, 0.5, 1.5, 9, 1.2, 4]]],
    [195, [[17, 1, 'a', 'b', 1, 't', 1, 2, 0.5, 1.5, 9, 1.2, 4]]],
    [
      196,
      [
        [17, 1, 1, 't', 1, 2, 0.5, 1.5, 9, 1.2, 4],
        [108, 1, 'a', 'b'],
      ],
    ],
  ])('a history at %d', (version, expected) => {
    const bar = { time: 't', open: 1, high: 2, low: 0.5, close: 1.5, volume: 9, average: 1.2, count: 4 };
    const sent = replies.historicalBars(1, { start: 'a', end: 'b', bars: [bar] }, version);
    expect(sent.map(encodeFrame)).toEqual(expected.map(encodeFrame));
  });

  it.each([
    [101, 97],
    [102, 106],
    [103, 107],
    [144, 118],
    [145, 118],
    [151, 120],
    [176, 128],
    [177, 127],
    [193, 133],
    [194, 133],
    [195, 146],
    [198, 147],
    [199, 148],
  ])('an open order at %d has %d fields', (version, fields) => {
    const order = orderOf(instrument);
    expect(openOrder(order, version)).toHaveLength(fields);
    const pegged = { ...order, terms: { ...order.terms, orderType: 'PEG BENCH' } };
    expect(openOrder(pegged, version)).toHaveLength(version < 102 ? fields : fields + 5);
  });

  it.each([
    [130, [3, 6, 5, 'Submitted', 0, 10, 0, 77, 0, 0, 2, '']],
    [131, [3, 5, 'Submitted', 0, 10, 0, 77, 0, 0, 2, '', 0]],
  ])('the status of an order at %d', (version, expected) => {
    expect(orderStatus(orderOf(instrument), version)).toEqual(expected);
  });
});

it('writes the fields of bars as String does, however many there are', () => {
  const price = fc.integer({ min: 0, max: 1e9 }).map((cents) => cents / 100);
  const bar = fc.record({
    ...{ time: fc.constant('20260105 16:00:00 UTC'), open: price, high: price, low: price, close: price },
    ...{ volume: fc.nat({ max: 1e9 }), average: price, count: fc.nat({ max: 1000 }) },
  });
  const asStrings = (bars: readonly Bar[], old: boolean): string =>
    bars
      .flatMap(({ time, open, high, low, close, volume, average, count }) => [
        ...[time, open, high, low, close, volume, average],
        ...(old ? ['false', count] : [count]),
      ])
      .join('\0');
  fc.assert(
    fc.property(fc.array(bar, { minLength: 1, maxLength: 30 }), fc.boolean(), (bars, old) => {
      expect(joinedBars(bars, { old }).text).toBe(asStrings(bars, old));
    }),
    { seed: 1, numRuns: 200 },
  );
  const odd = [0, 0.01, 0.1, 1, 1.1, 9.99, 10, 99.9, 100, -1.5, 1e20, 0.07, 1234567.89].map((one) => ({
    ...{ time: '1767628800', open: one, high: one, low: one, close: one, volume: 0, average: one, count: 1 },
  }));
  const many = Array.from({ length: 5000 }, (_, at) => odd[at % odd.length] as Bar);
  expect(joinedBars(many, { old: false }).text).toBe(asStrings(many, false));
});

describe('the made-up market', () => {
  const history = (given: object, seed = 1, version = 193) => {
    const market = new Market(seed);
    const [instrument] = market.lookUp(contract);
    const query = {
      contract,
      end: '20260105 16:00:00 UTC',
      barSize: '1 min',
      duration: '1 D',
      regularHoursOnly: true,
      whatToShow: 'TRADES',
      epochTimes: false,
      keepUpToDate: false,
      ...given,
    };
    if (instrument === undefined) throw new Error('no instrument');
    const found = market.history(instrument, query, Date.UTC(2026, 0, 5), version);
    return typeof found === 'string' ? found : found;
  };

  it('has the same prices for the same seed, and others for another', () => {
    expect(history({}, 7)).toEqual(history({}, 7));
    expect(history({}, 7)).not.toEqual(history({}, 8));
  });

  it.each([
    [{ duration: '20000 S', barSize: '1 secs' }, 20_000],
    [{ duration: '2 D', barSize: '1 hour' }, 14],
    [{ duration: '2 D', barSize: '1 hour', regularHoursOnly: false }, 30],
    [{ duration: '1 D', barSize: '1 min' }, 390],
    [{ duration: '1 W', barSize: '1 day' }, 5],
    [{ duration: '2 M', barSize: '1 week' }, 8],
    [{ duration: '30 S', barSize: '1 min' }, 1],
    [{ duration: '99 Y', barSize: '1 secs' }, 100_000],
  ])('%j is %d bars', (given, bars) => {
    expect(history(given)).toMatchObject({ bars: { length: bars } });
  });

  it('gives the same bars to all who ask the same, and writes the times of each as it would alone', () => {
    const market = new Market(1);
    const [instrument] = market.lookUp(contract);
    if (instrument === undefined) throw new Error('no instrument');
    const query = {
      ...{ contract, end: '20260105 16:00:00 UTC', barSize: '1 hour', duration: '3 D' },
      ...{ regularHoursOnly: true, whatToShow: 'TRADES', epochTimes: false, keepUpToDate: false },
    };
    const ask = (given: object, version = 193) => {
      const found = market.history(instrument, { ...query, ...given }, 0, version);
      if (typeof found === 'string') throw new Error(found);
      return found.bars;
    };
    expect(ask({})).toEqual(ask({}));
    expect(ask({})).toBe(ask({}));
    expect(ask({}, 151)[0]?.time).toBe('20251231  16:00:00');
    expect(ask({ epochTimes: true })[0]?.time).toBe('1767196800');
    expect(ask({ regularHoursOnly: false })).not.toEqual(ask({}));
    // The end is not a bar, the session begins at half past, and there is a weekend in between.
    expect(
      ask({})
        .slice(-4)
        .map(({ time }) => time),
    ).toEqual([
      '20260102 19:00:00 UTC',
      '20260102 20:00:00 UTC',
      '20260105 14:30:00 UTC',
      '20260105 15:00:00 UTC',
    ]);
    // Whatever is kept, there is an end to it.
    const first = ask({});
    for (let day = 1; day <= 56; day++)
      ask({
        end: `202602${String(Math.ceil(day / 2)).padStart(2, '0')} 16:00:00 UTC`,
        duration: '3 D',
        barSize: '1 min',
        regularHoursOnly: false,
      });
    expect(ask({})).not.toBe(first);
    expect(ask({})).toEqual(first);
  });

  it('has bars that are sound: the low below all, the high above', () => {
    const found = history({});
    if (typeof found === 'string') throw new Error(found);
    const unsound = found.bars.filter(
      ({ open, high, low, close }) => high < Math.max(open, close) || low > Math.min(open, close) || low <= 0,
    );
    expect(unsound).toEqual([]);
  });

  it.each([
    [193, {}, '20260105 15:59:00 UTC'],
    [151, {}, '20260105  15:59:00'],
    [193, { epochTimes: true }, '1767628740'],
    [193, { barSize: '1 day', duration: '3 D' }, '20260105'],
  ])('writes times at %d with %j as %s', (version, given, expected) => {
    const found = history(given, 1, version);
    if (typeof found === 'string') throw new Error(found);
    expect(found.bars.at(-1)?.time).toBe(expected);
  });

  it.each([
    [{ barSize: '7 moons' }, "invalid bar size '7 moons'"],
    [{ duration: 'long' }, "invalid duration 'long'"],
    [{ end: 'tomorrow' }, "invalid end time 'tomorrow'"],
  ])('refuses %j', (given, complaint) => {
    expect(history(given)).toBe(complaint);
  });

  it('finds what it has handed out by its number', () => {
    const market = new Market(1);
    const found = market.find(contract);
    expect(market.find({ ...contract, symbol: '', conId: 265598 })).toEqual(found);
    expect(market.find({ ...contract, symbol: '', conId: 5 })).toBeNull();
    expect(market.find({ ...contract, symbol: 'NOSUCH' })).toBeNull();
    expect(market.find({ ...contract, secType: 'BOND' })).toBeNull();
  });
});

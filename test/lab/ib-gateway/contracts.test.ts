import { describe, expect, it } from 'vitest';
import { chainOf, contractsFor, matching } from '../../../src/lab/ib-gateway/contracts.js';
import { barStarts, barsIn, hoursText, sessionOf } from '../../../src/lab/ib-gateway/hours.js';
import { ANY_STOCK, Market } from '../../../src/lab/ib-gateway/market.js';
import type { ContractQuery } from '../../../src/lab/ib-gateway/wire/request-types.js';

/** A Monday. */
const NOW_MS = Date.UTC(2026, 10, 30, 16);

function found(query: Partial<ContractQuery>) {
  return contractsFor({ ...ANY_STOCK, ...query }, NOW_MS);
}

describe('one contract', () => {
  it.each([
    [
      { symbol: 'AAPL', exchange: 'SMART', currency: 'USD' },
      { conId: 265598, primaryExchange: 'NASDAQ', tradingClass: 'NMS' },
    ],
    [{ symbol: 'IBM' }, { primaryExchange: 'NYSE', exchange: 'SMART', currency: 'USD' }],
    [{ symbol: 'SPY', primaryExchange: 'ARCA' }, { primaryExchange: 'ARCA' }],
    [{ symbol: 'BRK B' }, { symbol: 'BRK B' }],
    [
      { symbol: 'SAP', exchange: 'IBIS' },
      { currency: 'EUR', primaryExchange: 'IBIS' },
    ],
    [
      { symbol: 'VOD', exchange: 'SMART', currency: 'GBP' },
      { currency: 'GBP', primaryExchange: 'LSE' },
    ],
    [
      { secType: 'CASH', symbol: 'EUR', currency: 'USD' },
      { conId: 12087792, localSymbol: 'EUR.USD', exchange: 'IDEALPRO', minTick: 0.00005 },
    ],
    [
      { secType: 'CASH', symbol: 'USD', currency: 'JPY' },
      { localSymbol: 'USD.JPY', minTick: 0.005 },
    ],
    [
      { secType: 'CASH', localSymbol: 'GBP.CHF' },
      { symbol: 'GBP', currency: 'CHF' },
    ],
    [
      { secType: 'IND', symbol: 'SPX', exchange: 'CBOE' },
      { conId: 416904, trading: 'stock' },
    ],
    [
      { secType: 'CRYPTO', symbol: 'BTC', exchange: 'PAXOS' },
      { localSymbol: 'BTC.USD', trading: 'always' },
    ],
    [
      { secType: 'FUT', symbol: 'ES', exchange: 'CME', expiry: '202612' },
      { localSymbol: 'ESZ6', multiplier: '50', expiry: '20261218' },
    ],
    [
      { secType: 'FUT', localSymbol: 'CLX6' },
      { symbol: 'CL', exchange: 'NYMEX', expiry: '20261120', multiplier: '1000' },
    ],
    [
      { secType: 'CONTFUT', symbol: 'ES' },
      { secType: 'CONTFUT', localSymbol: 'ESZ6' },
    ],
    [
      { secType: 'OPT', symbol: 'AAPL', expiry: '20261218', strike: '230', right: 'CALL' },
      { localSymbol: 'AAPL  261218C00230000', right: 'C', multiplier: '100' },
    ],
    [
      { secType: 'OPT', localSymbol: 'MSFT  261218P00400000' },
      { symbol: 'MSFT', strike: 400, right: 'P' },
    ],
  ])('%j', (query, expected) => {
    expect(found(query)).toMatchObject([expected]);
  });

  it.each([
    [{ symbol: 'NOSUCH' }],
    [{ symbol: 'AAPL', primaryExchange: 'NYSE' }],
    [{ symbol: 'AAPL', currency: 'EUR' }],
    [{ symbol: 'SAP', exchange: 'IBIS', currency: 'USD' }],
    [{ symbol: 'AAPL', currency: 'XYZ' }],
    [{ secType: 'CASH', symbol: 'EUR', currency: 'EUR' }],
    [{ secType: 'CASH', symbol: 'EUR', exchange: 'SMART' }],
    [{ secType: 'CASH', symbol: 'AAPL' }],
    [{ secType: 'FUT', symbol: 'ES', exchange: 'NYMEX' }],
    [{ secType: 'FUT', symbol: 'ES', multiplier: '5' }],
    [{ secType: 'FUT', symbol: 'ES', expiry: 'soon' }],
    [{ secType: 'CRYPTO', symbol: 'DOGE' }],
    [{ secType: 'BOND', symbol: 'IBM' }],
  ])('%j does not exist', (query) => {
    expect(found(query)).toEqual([]);
  });
});

describe('a chain', () => {
  it('has an option of each kind for each strike, and for each expiry if none is named', () => {
    const one = found({ secType: 'OPT', symbol: 'AAPL', expiry: '202612' });
    expect(one).toHaveLength(46);
    expect(new Set(one.map(({ conId }) => conId)).size).toBe(46);
    expect(found({ secType: 'OPT', symbol: 'AAPL', expiry: '202612', right: 'P' })).toHaveLength(23);
    expect(found({ secType: 'OPT', symbol: 'AAPL' })).toHaveLength(4 * 46);
    expect(found({ secType: 'FUT', symbol: 'ES' }).map(({ localSymbol }) => localSymbol)).toEqual([
      ...['ESZ6', 'ESH7', 'ESM7', 'ESU7'],
    ]);
  });

  it('is what its definition says', () => {
    const [aapl] = found({ symbol: 'AAPL' });
    if (aapl === undefined) throw new Error('no stock');
    const { expirations, strikes } = chainOf(aapl, NOW_MS);
    const options = found({ secType: 'OPT', symbol: 'AAPL' });
    expect([...new Set(options.map(({ expiry }) => expiry))]).toEqual(expirations);
    expect([...new Set(options.map(({ strike }) => strike))]).toEqual(strikes);
    expect(options.every(({ underlying }) => underlying?.conId === aapl.conId)).toBe(true);
  });

  it('is ambiguous for whatever needs one contract', () => {
    const market = new Market(1, () => NOW_MS);
    expect(market.find({ ...ANY_STOCK, secType: 'FUT', symbol: 'ES' })).toBe('ambiguous');
    const [front] = market.lookUp({ ...ANY_STOCK, secType: 'FUT', symbol: 'ES' });
    expect(market.find({ ...ANY_STOCK, conId: front?.conId ?? 0 })).toEqual(front);
  });
});

it('finds symbols by how they or their names begin', () => {
  expect(matching('AM')).toEqual(['AM', 'AMZN', 'AMD']);
  expect(matching('apple')).toContain('AAPL');
  expect(matching('')).toEqual([]);
});

it.each([
  [{ symbol: 'AAPL' }, true, 78, '2026-11-30 15:55'],
  [{ symbol: 'AAPL' }, false, 180, '2026-11-30 15:55'],
  [{ secType: 'CASH', symbol: 'EUR' }, true, 288, '2026-11-30 15:55'],
  [{ secType: 'CRYPTO', symbol: 'BTC' }, true, 288, '2026-11-30 15:55'],
])('%j, regular hours only %j: %d bars of five minutes a day', (query, regular, bars, last) => {
  const [instrument] = found(query);
  if (instrument === undefined) throw new Error('no contract');
  const session = sessionOf(instrument, regular);
  expect(barsIn(session, 1, 'D', 300)).toBe(bars);
  const starts = barStarts(session, 2 * bars, NOW_MS / 1000, 300);
  expect(new Date((starts[0] ?? 0) * 1000).toISOString().slice(0, 16).replace('T', ' ')).toBe(last);
  expect(new Set(starts).size).toBe(2 * bars);
  const weekend = starts.some((start) => [0, 6].includes(new Date(start * 1000).getUTCDay()));
  expect(weekend).toBe(instrument.trading === 'always');
});

it('hours are those of today and tomorrow', () => {
  const [aapl] = found({ symbol: 'AAPL' });
  if (aapl === undefined) throw new Error('no stock');
  const friday = NOW_MS - 3 * 86_400_000;
  expect(hoursText(sessionOf(aapl, true), friday)).toBe('20261127:1430-20261127:2100;20261128:CLOSED');
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HISTORY_LIMITS, HistoryPacing, SlidingWindow } from '../../../src/lab/ib-gateway/pacing.js';
import type { HistoryQuery } from '../../../src/lab/ib-gateway/wire/request-types.js';

describe('a sliding window', () => {
  it('holds what a count of all stamps says, at any times', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 400 }), { maxLength: 300 }), (gaps) => {
        const window = new SlidingWindow(1000);
        const stamps: number[] = [];
        let now = 0;
        let most = 0;
        for (const gap of gaps) {
          now += gap;
          stamps.push(now);
          const expected = stamps.filter((stamp) => stamp > now - 1000).length;
          most = Math.max(most, expected);
          expect(window.add(now)).toBe(expected);
        }
        expect(window.most).toBe(most);
      }),
    );
  });
});

function query(given: Partial<HistoryQuery> & { symbol?: string } = {}): HistoryQuery {
  const { symbol = 'AAPL', ...rest } = given;
  const nothing = { expiry: '', strike: '', right: '', multiplier: '', localSymbol: '', tradingClass: '' };
  const place = { exchange: 'SMART', primaryExchange: '', currency: 'USD' };
  return {
    contract: { conId: 0, symbol, secType: 'STK', ...nothing, ...place },
    end: '',
    barSize: '5 secs',
    duration: '60 S',
    regularHoursOnly: true,
    whatToShow: 'TRADES',
    epochTimes: false,
    keepUpToDate: false,
    ...rest,
  };
}

/** The n-th of ever other contracts. */
const other = (n: number, given: Partial<HistoryQuery> = {}) => query({ symbol: `S${n}`, ...given });

describe('the limits of history', () => {
  it('refuse an identical request within 15 s, and let it through after', () => {
    const pacing = new HistoryPacing(HISTORY_LIMITS);
    expect(pacing.refuse(query(), 0, 0)).toBeNull();
    expect(pacing.refuse(query(), 0, 14_999)).toBe('identical request');
    expect(pacing.refuse(query(), 0, 15_000)).toBeNull();
  });

  it('refuse the sixth request for one contract within 2 s', () => {
    const pacing = new HistoryPacing(HISTORY_LIMITS);
    const nth = (n: number) => query({ duration: `${n + 60} S` });
    for (let n = 0; n < 5; n++) expect(pacing.refuse(nth(n), 0, n * 100)).toBeNull();
    expect(pacing.refuse(nth(5), 0, 500)).toBe('same contract too often');
    expect(pacing.refuse(other(5), 0, 500)).toBeNull();
    expect(pacing.refuse(nth(5), 0, 2000)).toBeNull();
  });

  it.each([
    ['TRADES', 60],
    ['BID_ASK', 30],
  ])('refuse more than 60 in ten minutes: of %s that is %d requests', (whatToShow, most) => {
    const pacing = new HistoryPacing(HISTORY_LIMITS);
    for (let n = 0; n < most; n++) expect(pacing.refuse(other(n, { whatToShow }), 0, n)).toBeNull();
    expect(pacing.refuse(other(99, { whatToShow }), 0, 599_999)).toBe('too many requests in ten minutes');
    expect(pacing.refuse(other(99, { whatToShow }), 0, 600_000 + most)).toBeNull();
  });

  it('refuse more than 50 open ones, of any size of bars', () => {
    const pacing = new HistoryPacing(HISTORY_LIMITS);
    expect(pacing.refuse(query({ barSize: '1 day' }), 49, 0)).toBeNull();
    expect(pacing.refuse(query({ barSize: '1 day' }), 50, 0)).toBe('more than 50 requests open');
  });

  it('do not look at bars of more than 30 s', () => {
    const pacing = new HistoryPacing(HISTORY_LIMITS);
    for (let n = 0; n < 200; n++) expect(pacing.refuse(query({ barSize: '1 min' }), 0, n)).toBeNull();
  });
});

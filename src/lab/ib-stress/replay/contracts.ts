import type { IbConnection } from '../../../ib/connection.js';
import type { Contract, Order } from '../../../ib/contracts.js';
import { render, type Stage } from './stage.js';

export const AAPL: Contract = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
export const MSFT: Contract = { ...AAPL, symbol: 'MSFT' };
export const LIMIT: Order = { action: 'BUY', orderType: 'LMT', totalQuantity: 100, lmtPrice: 10, tif: 'DAY' };
export const MARKET: Order = { action: 'SELL', orderType: 'MKT', totalQuantity: 100 };
/** IB's word for a number that is not set. */
export const UNSET = Number.MAX_VALUE;
export const DAYS = { contract: AAPL, duration: '2 D', barSize: '1 day' };

/** Notes all that a connection counts. */
export function figures(stage: Stage, connection: IbConnection): void {
  stage.timers();
  const { requests, inFlight, subscriptions, supervisor, reconnects, upstream } = connection.figures();
  stage.note(`figures: ${render({ inFlight, ...requests, reconnects, upstream })}`);
  stage.note(`of the link: ${render({ ...supervisor, subscriptions, isWatching: connection.isWatching })}`);
}

export function bars(stage: Stage, id: number, count = 1): void {
  for (let at = 1; at <= count; at++)
    stage.say('historicalData', id, `2026010${at}`, at, at + 2, at - 1, at + 1, 10 * at, 3, at + 0.5, false);
  stage.say('historicalData', id, 'finished-a-b', -1, -1, -1, -1, -1, -1, -1, false);
}

export function details(stage: Stage, id: number, ...symbols: readonly string[]): void {
  for (const symbol of symbols)
    stage.say('contractDetails', id, { contract: { ...AAPL, symbol }, minTick: 0.01, longName: symbol });
  stage.say('contractDetailsEnd', id);
}

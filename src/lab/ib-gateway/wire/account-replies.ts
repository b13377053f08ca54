import type { Field } from './frames.js';
import type { Instrument, Position } from './model.js';
import type { Reply } from './replies.js';
import { Since } from './versions.js';

export function accountValue(key: string, value: string, currency: string, account: string): Reply {
  return [6, 2, key, value, currency, account];
}

export function portfolioValue(position: Position, account: string): Reply {
  const { instrument, quantity, averageCost, price } = position;
  const value = worthOf(position);
  return [
    ...[7, 8, ...contractOf(instrument), instrument.primaryExchange, instrument.currency],
    ...[instrument.localSymbol, instrument.tradingClass, quantity, price, cents(value), averageCost],
    ...[cents(value - quantity * averageCost), 0, account],
  ];
}

export function accountTime(hoursAndMinutes: string): Reply {
  return [8, 1, hoursAndMinutes];
}

export function accountDownloadEnd(account: string): Reply {
  return [54, 1, account];
}

export function accountSummary(
  id: number,
  account: string,
  tag: string,
  value: string,
  currency: string,
): Reply {
  return [63, 1, id, account, tag, value, currency];
}

export function accountSummaryEnd(id: number): Reply {
  return [64, 1, id];
}

export function accountUpdateMulti(
  id: number,
  account: string,
  model: string,
  key: string,
  value: string,
  currency: string,
): Reply {
  return [73, 1, id, account, model, key, value, currency];
}

export function accountUpdateMultiEnd(id: number): Reply {
  return [74, 1, id];
}

export function position({ instrument, quantity, averageCost }: Position, account: string): Reply {
  return [
    ...[61, 3, account, ...contractOf(instrument), instrument.primaryExchange, instrument.currency],
    ...[instrument.localSymbol, instrument.tradingClass, quantity, averageCost],
  ];
}

export function positionsEnd(): Reply {
  return [62, 1];
}

export function positionMulti(id: number, account: string, model: string, held: Position): Reply {
  const { instrument, quantity, averageCost } = held;
  return [
    ...[71, 1, id, account, ...contractOf(instrument), instrument.primaryExchange, instrument.currency],
    ...[instrument.localSymbol, instrument.tradingClass, quantity, averageCost, model],
  ];
}

export function positionMultiEnd(id: number): Reply {
  return [72, 1, id];
}

/** Profit and loss of an account. */
export function profit(id: number, daily: number, unrealized: number, version: number): Reply {
  return [94, id, daily, ...parts(unrealized, version)];
}

/** Profit and loss of one position. */
export function positionProfit(id: number, held: Position, version: number): Reply {
  const unrealized = profitOf(held);
  return [95, id, held.quantity, unrealized, ...parts(unrealized, version), cents(worthOf(held))];
}

/** The profit of a position over its cost. */
export function profitOf(held: Position): number {
  return cents(worthOf(held) - held.quantity * held.averageCost);
}

export function familyCodes(accounts: readonly string[]): Reply {
  return [78, accounts.length, ...accounts.flatMap((account) => [account, ''])];
}

function parts(unrealized: number, version: number): readonly Field[] {
  return [
    ...(version >= Since.unrealizedProfit ? [unrealized] : []),
    ...(version >= Since.realizedProfit ? [0] : []),
  ];
}

function contractOf(instrument: Instrument): readonly Field[] {
  const { conId, symbol, secType, expiry, strike, right, multiplier } = instrument;
  return [conId, symbol, secType, expiry, strike, right, multiplier];
}

function worthOf({ instrument, quantity, price }: Position): number {
  return quantity * price * (Number(instrument.multiplier) || 1);
}

function cents(amount: number): number {
  return Math.round(amount * 100) / 100;
}

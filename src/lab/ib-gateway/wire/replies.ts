import { joinedBars } from './bar-text.js';
import { escapeUnicode, type Field } from './frames.js';
import type { Bar, History, Instrument, OrderState, Position } from './model.js';
import { Since } from './versions.js';

/** A message of the gateway, laid out for one server version. */
export type Reply = readonly Field[];

/** What `replyNames` calls each type of message, for counting. */
export function replyName(reply: Reply): string {
  const name = REPLY_NAMES[Number(reply[0])];
  return name ?? 'other';
}

const REPLY_NAMES: Readonly<Record<number, string>> = {
  1: 'tickPrice',
  2: 'tickSize',
  3: 'orderStatus',
  4: 'error',
  5: 'openOrder',
  6: 'accountValue',
  7: 'portfolioValue',
  8: 'accountTime',
  9: 'nextValidId',
  10: 'contractDetails',
  15: 'managedAccounts',
  17: 'history',
  49: 'currentTime',
  52: 'contractDetailsEnd',
  53: 'openOrdersEnd',
  54: 'accountDownloadEnd',
  55: 'executionsEnd',
  57: 'snapshotEnd',
  58: 'marketDataType',
  61: 'position',
  62: 'positionsEnd',
  63: 'accountSummary',
  64: 'accountSummaryEnd',
  81: 'tickParameters',
  88: 'headTimestamp',
  90: 'historyUpdate',
  102: 'completedOrdersEnd',
  108: 'historyEnd',
};

export function nextValidId(orderId: number): Reply {
  return [9, 1, orderId];
}

export function managedAccounts(accounts: readonly string[]): Reply {
  return [15, 1, accounts.join(',')];
}

/** @param wallMs milliseconds since the epoch; the protocol has whole seconds */
export function currentTime(wallMs: number): Reply {
  return [49, 1, Math.floor(wallMs / 1000)];
}

/** An error, warning or notice; the id is that of the request, -1 for one that belongs to none. */
export function errorMessage(
  { id, code, text }: { readonly id: number; readonly code: number; readonly text: string },
  version: number,
  wallMs: number,
): Reply {
  const words = version >= Since.escapedTexts ? escapeUnicode(text) : text;
  return [
    4,
    ...(version < Since.errorTime ? [2] : []),
    id,
    code,
    words,
    ...(version >= Since.advancedOrderReject ? [''] : []),
    ...(version >= Since.errorTime ? [Math.floor(wallMs)] : []),
  ];
}

export function contractDetails(id: number, instrument: Instrument, version: number): Reply {
  const since = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version >= gate ? fields : [];
  const until = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version < gate ? fields : [];
  const isFund = instrument.secType === 'FUND';
  if (isFund) throw new RangeError('the gateway knows no funds: their details have a layout of their own');
  return [
    10,
    ...until(Since.sizeRules, 8),
    id,
    instrument.symbol,
    instrument.secType,
    instrument.expiry,
    ...since(Since.lastTradeDate, instrument.expiry),
    instrument.strike,
    instrument.right,
    instrument.exchange,
    instrument.currency,
    instrument.localSymbol,
    instrument.marketName,
    instrument.tradingClass,
    instrument.conId,
    instrument.minTick,
    ...(version >= Since.mdSizeMultiplier ? until(Since.sizeRules, 100) : []),
    instrument.multiplier,
    'ACTIVETIM,ADJUST,ALERT,LMT,MKT,STP',
    instrument.validExchanges,
    1,
    0,
    version >= Since.escapedTexts ? escapeUnicode(instrument.longName) : instrument.longName,
    instrument.primaryExchange,
    instrument.expiry.slice(0, 6),
    '',
    '',
    '',
    'UTC',
    instrument.tradingHours,
    instrument.tradingHours,
    '',
    0,
    // Security ids: how many, then tag and value of each.
    0,
    ...since(Since.aggGroup, 1),
    ...since(Since.underlyingInfo, '', ''),
    ...since(Since.marketRules, '26'),
    ...since(Since.realExpirationDate, instrument.expiry),
    ...since(Since.stockType, instrument.secType === 'STK' ? 'COMMON' : ''),
    ...(version >= Since.fractionalSize ? until(Since.sizeRules, 1) : []),
    ...since(Since.sizeRules, 1, 1, 100),
    ...since(Since.ineligibilityReasons, 0),
  ];
}

export function contractDetailsEnd(id: number): Reply {
  return [52, 1, id];
}

/** The bars of a history, in one message however many they are, and its end where that is a message of its own. */
export function historicalBars(
  id: number,
  { start, end, bars, written = {} }: History,
  version: number,
): Reply[] {
  const hasEnd = version >= Since.historyEnd;
  const old = version < Since.syntheticRealtimeBars;
  const fields: Field[] = [17, ...(old ? [3] : []), id, ...(hasEnd ? [] : [start, end])];
  fields.push(bars.length);
  const layout = old ? 'old' : 'now';
  written[layout] ??= joinedBars(bars, { old });
  if (bars.length > 0) fields.push(written[layout]);
  return hasEnd ? [fields, [108, id, start, end]] : [fields];
}

/** A bar of a history that is kept up to date. */
export function historicalUpdate(id: number, bar: Bar): Reply {
  return [90, id, bar.count, bar.time, bar.open, bar.close, bar.high, bar.low, bar.average, bar.volume];
}

export function headTimestamp(id: number, time: string): Reply {
  return [88, id, time];
}

export const TickType = { bidSize: 0, bid: 1, ask: 2, askSize: 3, last: 4, lastSize: 5, volume: 8 } as const;

export function tickPrice(id: number, type: number, price: number, size: number): Reply {
  return [1, 6, id, type, price, size, 1];
}

export function tickSize(id: number, type: number, size: number): Reply {
  return [2, 6, id, type, size];
}

export function tickParameters(id: number, minTick: number): Reply {
  return [81, id, minTick, 'a60001', 3];
}

/** @param type 1 live, 2 frozen, 3 delayed, 4 delayed and frozen */
export function marketDataType(id: number, type: number): Reply {
  return [58, 1, id, type];
}

export function snapshotEnd(id: number): Reply {
  return [57, 1, id];
}

export function accountValue(key: string, value: string, currency: string, account: string): Reply {
  return [6, 2, key, value, currency, account];
}

export function portfolioValue(
  { instrument, quantity, averageCost, price }: Position,
  account: string,
): Reply {
  const value = quantity * price;
  return [
    7,
    8,
    instrument.conId,
    instrument.symbol,
    instrument.secType,
    instrument.expiry,
    instrument.strike,
    instrument.right,
    instrument.multiplier,
    instrument.primaryExchange,
    instrument.currency,
    instrument.localSymbol,
    instrument.tradingClass,
    quantity,
    price,
    cents(value),
    averageCost,
    cents(value - quantity * averageCost),
    0,
    account,
  ];
}

export function accountTime(hoursAndMinutes: string): Reply {
  return [8, 1, hoursAndMinutes];
}

export function accountDownloadEnd(account: string): Reply {
  return [54, 1, account];
}

export function accountSummary(id: number, account: string, tag: string, value: string): Reply {
  return [63, 1, id, account, tag, value, /^[\d.-]+$/.test(value) ? 'USD' : ''];
}

export function accountSummaryEnd(id: number): Reply {
  return [64, 1, id];
}

export function position({ instrument, quantity, averageCost }: Position, account: string): Reply {
  return [
    61,
    3,
    account,
    instrument.conId,
    instrument.symbol,
    instrument.secType,
    instrument.expiry,
    instrument.strike,
    instrument.right,
    instrument.multiplier,
    instrument.primaryExchange,
    instrument.currency,
    instrument.localSymbol,
    instrument.tradingClass,
    quantity,
    averageCost,
  ];
}

export function positionsEnd(): Reply {
  return [62, 1];
}

export function orderStatus(order: OrderState, version: number): Reply {
  return [
    3,
    ...(version < Since.marketCapPrice ? [6] : []),
    order.id,
    order.status,
    order.filled,
    order.quantity - order.filled,
    order.price,
    order.permId,
    0,
    order.price,
    order.clientId,
    '',
    ...(version >= Since.marketCapPrice ? [0] : []),
  ];
}

export function openOrdersEnd(): Reply {
  return [53, 1];
}

export function executionsEnd(id: number): Reply {
  return [55, 1, id];
}

export function completedOrdersEnd(): Reply {
  return [102];
}

function cents(amount: number): number {
  return Math.round(amount * 100) / 100;
}

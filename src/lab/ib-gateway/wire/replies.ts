import { joinedBars } from './bar-text.js';
import { escapeUnicode, type Field } from './frames.js';
import type { Bar, History, Instrument } from './model.js';
import { Since } from './versions.js';

/** A message of the gateway, laid out for one server version. */
export type Reply = readonly Field[];

/** The name of a type of message, for counting. */
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
  11: 'execution',
  15: 'managedAccounts',
  17: 'history',
  19: 'scannerParameters',
  49: 'currentTime',
  50: 'realTimeBar',
  52: 'contractDetailsEnd',
  53: 'openOrdersEnd',
  54: 'accountDownloadEnd',
  55: 'executionsEnd',
  57: 'snapshotEnd',
  58: 'marketDataType',
  59: 'commission',
  61: 'position',
  62: 'positionsEnd',
  63: 'accountSummary',
  64: 'accountSummaryEnd',
  71: 'positionMulti',
  72: 'positionMultiEnd',
  73: 'accountUpdateMulti',
  74: 'accountUpdateMultiEnd',
  75: 'optionChain',
  76: 'optionChainEnd',
  77: 'softDollarTiers',
  78: 'familyCodes',
  79: 'matchingSymbols',
  80: 'depthExchanges',
  81: 'tickParameters',
  82: 'smartComponents',
  85: 'newsProviders',
  88: 'headTimestamp',
  89: 'histogram',
  90: 'historyUpdate',
  93: 'marketRule',
  94: 'profit',
  95: 'positionProfit',
  96: 'historicalTicks',
  97: 'historicalTicks',
  98: 'historicalTicks',
  99: 'tickByTick',
  101: 'completedOrder',
  102: 'completedOrdersEnd',
  106: 'schedule',
  107: 'userInfo',
  108: 'historyEnd',
  109: 'currentTimeMillis',
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

export function currentTimeMillis(wallMs: number): Reply {
  return [109, Math.floor(wallMs)];
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

/** @param hours when it is traded, as the protocol writes it: all hours, and regular hours only */
export function contractDetails(
  id: number,
  instrument: Instrument,
  hours: { readonly all: string; readonly regular: string },
  version: number,
): Reply {
  const since = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version >= gate ? fields : [];
  const until = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version < gate ? fields : [];
  const { underlying, sizeStep, secType } = instrument;
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
    underlying?.conId ?? 0,
    version >= Since.escapedTexts ? escapeUnicode(instrument.longName) : instrument.longName,
    instrument.primaryExchange,
    instrument.expiry.slice(0, 6),
    '',
    '',
    '',
    'UTC',
    hours.all,
    hours.regular,
    '',
    0,
    // Security ids: how many, then tag and value of each.
    0,
    ...since(Since.aggGroup, 1),
    ...since(Since.underlyingInfo, underlying?.symbol ?? '', underlying?.secType ?? ''),
    ...since(Since.marketRules, ruleOf(instrument.minTick)),
    ...since(Since.realExpirationDate, instrument.expiry),
    ...since(Since.stockType, secType === 'STK' ? 'COMMON' : ''),
    ...(version >= Since.fractionalSize ? until(Since.sizeRules, sizeStep) : []),
    ...since(Since.sizeRules, sizeStep, sizeStep, secType === 'STK' ? 100 : sizeStep),
    ...since(Since.ineligibilityReasons, 0),
  ];
}

/** Market rules by their numbers: each is one least step of prices. 26 is that of US stocks, as with real gateways. */
export const MARKET_RULES: Readonly<Record<number, number>> = {
  ...{ 26: 0.01, 67: 0.25, 239: 0.00005, 240: 0.005, 32: 0.1, 33: 0.05, 34: 1, 35: 0.015625, 36: 0.001 },
};

const RULES = new Map(Object.entries(MARKET_RULES).map(([rule, step]) => [step, rule]));

function ruleOf(minTick: number): string {
  return RULES.get(minTick) ?? '26';
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

export interface TickTypes {
  readonly bid: number;
  readonly ask: number;
  readonly last: number;
  readonly volume: number;
}

/** The numbers of the fields of live data, and of delayed data. Sizes come with their prices. */
export const LIVE: TickTypes = { bid: 1, ask: 2, last: 4, volume: 8 };
export const DELAYED: TickTypes = { bid: 66, ask: 67, last: 68, volume: 74 };

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

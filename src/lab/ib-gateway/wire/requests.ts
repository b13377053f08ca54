import { placeOrder } from './place-order.js';
import { FieldReader, wholeNumber } from './reader.js';
import { requestId } from './request-ids.js';
import type { BareName, ContractQuery, NameWithAccount, NameWithId, Request } from './request-types.js';
import { Since } from './versions.js';

/** A request that could be read, or why it could not. The id is that of the request, -1 if there is none. */
export type Decoded =
  | { readonly ok: true; readonly request: Request }
  /** No message of the protocol has this number. */
  | { readonly ok: false; readonly reason: 'unknown'; readonly type: number; readonly id: -1 }
  | { readonly ok: false; readonly reason: 'malformed'; readonly type: number | null; readonly id: number };

/** Decodes one message of a client that has agreed on a version. Never throws: clients send anything. */
export function decodeRequest(fields: readonly string[], version: number): Decoded {
  const type = wholeNumber(fields[0]);
  if (type === null) return { ok: false, reason: 'malformed', type: null, id: -1 };
  const what = NOT_SIMULATED[type];
  if (what !== undefined)
    return { ok: true, request: { name: 'notSimulated', id: requestId(fields, version), what } };
  const decode = DECODERS[type];
  if (decode === undefined) return { ok: false, reason: 'unknown', type, id: -1 };
  const reader = new FieldReader(fields, version);
  const request = decode(reader);
  if (reader.failed) return { ok: false, reason: 'malformed', type, id: requestId(fields, version) };
  return { ok: true, request };
}

/** Messages of the protocol that are refused, and what they ask for. */
const NOT_SIMULATED: Readonly<Record<number, string>> = {
  10: 'market depth',
  11: 'market depth',
  18: 'the groups of an adviser',
  19: 'the groups of an adviser',
  21: 'exercising options',
  22: 'market scanners',
  23: 'market scanners',
  52: 'fundamental data',
  53: 'fundamental data',
  54: 'option calculations',
  55: 'option calculations',
  56: 'option calculations',
  57: 'option calculations',
  65: 'verification',
  66: 'verification',
  67: 'display groups',
  68: 'display groups',
  69: 'display groups',
  70: 'display groups',
  72: 'verification',
  73: 'verification',
  84: 'news articles',
  86: 'historical news',
  100: 'event calendars',
  101: 'event calendars',
  102: 'event calendars',
  103: 'event calendars',
};

/** By the number of the message. */
const DECODERS: Readonly<Record<number, (fields: FieldReader) => Request>> = {
  1: marketData,
  2: versionedId('cancelMarketData'),
  3: (fields) => placeOrder(fields, contract),
  4(fields) {
    if (fields.version < Since.cmeTagging) fields.skip(1);
    return { name: 'cancelOrder', id: fields.integer() };
  },
  5: bare('openOrders'),
  6(fields) {
    fields.skip(1);
    return { name: 'accountUpdates', subscribe: fields.flag(), account: fields.optional() };
  },
  7: executions,
  8: bare('ids'),
  9(fields) {
    fields.skip(1);
    return { name: 'contractDetails', id: fields.integer(), contract: contract(fields) };
  },
  12: bare('newsBulletins'),
  13: bare('cancelNewsBulletins'),
  14: bare('logLevel'),
  15: bare('autoOpenOrders'),
  16: bare('allOpenOrders'),
  17: bare('managedAccounts'),
  20: history,
  24: bare('scannerParameters'),
  25: versionedId('cancelHistory'),
  49: bare('currentTime'),
  50(fields) {
    fields.skip(1);
    const [id, instrument] = [fields.integer(), contract(fields)];
    fields.skip(2);
    return { name: 'realTimeBars', id, contract: instrument, regularHoursOnly: fields.flag() };
  },
  51: versionedId('cancelRealTimeBars'),
  58: bare('globalCancel'),
  59(fields) {
    fields.skip(1);
    return { name: 'marketDataType', type: fields.integer() };
  },
  61: bare('positions'),
  62(fields) {
    fields.skip(1);
    const [id, group, tags] = [fields.integer(), fields.text(), fields.text()];
    return { name: 'accountSummary', id, group, tags: tags.split(',').filter((tag) => tag !== '') };
  },
  63: versionedId('cancelAccountSummary'),
  64: bare('cancelPositions'),
  71(fields) {
    fields.skip(1);
    return { name: 'startApi', clientId: fields.integer() };
  },
  74: versionedAccount('positionsMulti'),
  75: versionedId('cancelPositionsMulti'),
  76: versionedAccount('accountUpdatesMulti'),
  77: versionedId('cancelAccountUpdatesMulti'),
  78(fields) {
    const [id, symbol] = [fields.integer(), fields.text()];
    fields.skip(1);
    return { name: 'optionChain', id, symbol, secType: fields.text().toUpperCase(), conId: fields.integer() };
  },
  79: plainId('softDollarTiers'),
  80: bare('familyCodes'),
  81: (fields) => ({ name: 'matchingSymbols', id: fields.integer(), pattern: fields.text() }),
  82: bare('depthExchanges'),
  83: plainId('smartComponents'),
  85: bare('newsProviders'),
  87: plainId('headTimestamp'),
  88: (fields) => ({ name: 'histogram', id: fields.integer(), contract: contract(fields) }),
  89: plainId('cancelHistogram'),
  90: plainId('cancelHeadTimestamp'),
  91: (fields) => ({ name: 'marketRule', ruleId: fields.integer() }),
  92: (fields) => accountOf('profit', fields),
  93: plainId('cancelProfit'),
  94(fields) {
    const [id, account] = [fields.integer(), fields.optional()];
    fields.skip(1);
    return { name: 'positionProfit', id, account, conId: fields.integer() };
  },
  95: plainId('cancelPositionProfit'),
  96(fields) {
    const [id, instrument] = [fields.integer(), contract(fields)];
    fields.skip(1);
    const [start, end, count] = [fields.text(), fields.text(), fields.integer()];
    const whatToShow = fields.text().toUpperCase();
    return { name: 'historicalTicks', id, contract: instrument, start, end, count, whatToShow };
  },
  97(fields) {
    const [id, instrument, stream] = [fields.integer(), contract(fields), fields.text()];
    const past = fields.version >= Since.tickByTickHistory ? fields.integer() : 0;
    return { name: 'tickByTick', id, contract: instrument, stream, past };
  },
  98: plainId('cancelTickByTick'),
  99: bare('completedOrders'),
  104: plainId('userInfo'),
  105: bare('currentTimeMillis'),
};

function bare(name: BareName): () => Request {
  const request: Request = { name };
  return () => request;
}

function versionedId(name: NameWithId): (fields: FieldReader) => Request {
  return (fields) => {
    fields.skip(1);
    return { name, id: fields.integer() };
  };
}

function plainId(name: NameWithId): (fields: FieldReader) => Request {
  return (fields) => ({ name, id: fields.integer() });
}

function versionedAccount(name: NameWithAccount): (fields: FieldReader) => Request {
  return (fields) => {
    fields.skip(1);
    return accountOf(name, fields);
  };
}

function accountOf(name: NameWithAccount, fields: FieldReader): Request {
  return { name, id: fields.integer(), account: fields.optional(), model: fields.optional() };
}

function marketData(fields: FieldReader): Request {
  fields.skip(1);
  const id = fields.integer();
  const instrument = contract(fields);
  comboLegs(fields, instrument);
  // A delta-neutral contract: three fields, if there is one.
  if (fields.flag()) fields.skip(3);
  fields.skip(1);
  const snapshot = fields.flag();
  const regulatory = fields.version >= Since.smartComponents && fields.flag();
  return { name: 'marketData', id, contract: instrument, snapshot: snapshot || regulatory };
}

function history(fields: FieldReader): Request {
  if (fields.version < Since.syntheticRealtimeBars) fields.skip(1);
  const id = fields.integer();
  const instrument = contract(fields);
  fields.skip(1);
  const [end, barSize, duration] = [fields.text(), fields.text(), fields.text()];
  const regularHoursOnly = fields.flag();
  const whatToShow = fields.text().toUpperCase();
  const epochTimes = fields.integer() === 2;
  comboLegs(fields, instrument);
  const keepUpToDate = fields.version >= Since.syntheticRealtimeBars && fields.flag();
  return {
    name: 'history',
    id,
    query: {
      contract: instrument,
      end,
      barSize,
      duration,
      regularHoursOnly,
      whatToShow,
      epochTimes,
      keepUpToDate,
    },
  };
}

function executions(fields: FieldReader): Request {
  fields.skip(1);
  const id = fields.integer();
  const clientId = fields.unsettable() ?? 0;
  const [account, since, symbol] = [fields.optional(), fields.optional(), fields.optional()];
  const [secType, exchange, side] = [fields.optional(), fields.optional(), fields.optional()];
  return {
    name: 'executions',
    id,
    filter: { clientId, account, since, symbol, secType, exchange, side: side.toUpperCase() },
  };
}

function contract(fields: FieldReader): ContractQuery {
  return {
    conId: fields.integer(),
    symbol: fields.text(),
    secType: fields.text().toUpperCase(),
    expiry: fields.text(),
    strike: fields.text(),
    right: fields.text(),
    multiplier: fields.text(),
    exchange: fields.text(),
    primaryExchange: fields.text(),
    currency: fields.text(),
    localSymbol: fields.text(),
    tradingClass: fields.text(),
  };
}

function comboLegs(fields: FieldReader, { secType }: ContractQuery): void {
  if (secType === 'BAG') fields.skip(fields.integer() * 4);
}

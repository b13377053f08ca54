import type { OrderTerms } from './model.js';
import { Since } from './versions.js';

/** What a client may ask for, by the name it is counted under. */
export type RequestName = Request['name'];

const names = {
  startApi: true,
  currentTime: true,
  managedAccounts: true,
  ids: true,
  positions: true,
  cancelPositions: true,
  openOrders: true,
  allOpenOrders: true,
  autoOpenOrders: true,
  completedOrders: true,
  globalCancel: true,
  logLevel: true,
  executions: true,
  headTimestamp: true,
  cancelHeadTimestamp: true,
  cancelHistory: true,
  cancelMarketData: true,
  cancelAccountSummary: true,
  contractDetails: true,
  history: true,
  marketData: true,
  marketDataType: true,
  accountSummary: true,
  accountUpdates: true,
  placeOrder: true,
  cancelOrder: true,
} as const satisfies Readonly<Record<RequestName, true>>;

/** The names of all requests that the gateway answers. */
export const REQUEST_NAMES = Object.keys(names) as readonly RequestName[];

/** The fields that say which instrument is meant; empty where the client does not say. */
export interface ContractQuery {
  /** 0 is: not given. */
  readonly conId: number;
  readonly symbol: string;
  readonly secType: string;
  readonly expiry: string;
  readonly strike: string;
  readonly right: string;
  readonly multiplier: string;
  readonly exchange: string;
  readonly primaryExchange: string;
  readonly currency: string;
  readonly localSymbol: string;
  readonly tradingClass: string;
}

export interface HistoryQuery {
  readonly contract: ContractQuery;
  /** `20260105 16:00:00 UTC`; empty is now. */
  readonly end: string;
  /** `1 min`, `30 secs`, `1 day`. */
  readonly barSize: string;
  /** `3600 S`, `2 D`, `1 W`. */
  readonly duration: string;
  readonly regularHoursOnly: boolean;
  /** TRADES, MIDPOINT, BID_ASK, ... */
  readonly whatToShow: string;
  /** Times as seconds since the epoch, instead of as text. */
  readonly epochTimes: boolean;
  readonly keepUpToDate: boolean;
}

/** One message of a client, read. */
export type Request =
  | { readonly name: 'startApi'; readonly clientId: number }
  | { readonly name: BareName }
  | { readonly name: 'contractDetails'; readonly id: number; readonly contract: ContractQuery }
  | { readonly name: 'history'; readonly id: number; readonly query: HistoryQuery }
  | {
      readonly name: 'marketData';
      readonly id: number;
      readonly contract: ContractQuery;
      readonly snapshot: boolean;
    }
  | { readonly name: NameWithId; readonly id: number }
  | { readonly name: 'marketDataType'; readonly type: number }
  | {
      readonly name: 'accountSummary';
      readonly id: number;
      readonly group: string;
      /** The tags asked for. */
      readonly tags: readonly string[];
    }
  | { readonly name: 'accountUpdates'; readonly subscribe: boolean; readonly account: string }
  | {
      readonly name: 'placeOrder';
      readonly id: number;
      readonly contract: ContractQuery;
      readonly quantity: number;
      readonly terms: OrderTerms;
    }
  | { readonly name: 'cancelOrder'; readonly id: number };

/** Requests that say no more than what they are. */
type BareName =
  | 'currentTime'
  | 'managedAccounts'
  | 'ids'
  | 'positions'
  | 'cancelPositions'
  | 'openOrders'
  | 'allOpenOrders'
  | 'autoOpenOrders'
  | 'completedOrders'
  | 'globalCancel'
  | 'logLevel';

/** Requests of which nothing matters but their id. */
type NameWithId =
  | 'executions'
  | 'headTimestamp'
  | 'cancelHeadTimestamp'
  | 'cancelHistory'
  | 'cancelMarketData'
  | 'cancelAccountSummary';

/** A request that could be read, or why it could not. */
export type Decoded =
  | { readonly ok: true; readonly request: Request }
  /** A message that the protocol has, and the gateway does not play: the number is its type. */
  | { readonly ok: false; readonly reason: 'unknown'; readonly type: number; readonly id: number }
  | { readonly ok: false; readonly reason: 'malformed'; readonly type: number | null; readonly id: number };

/** Reads one message of a client that has agreed on a version. Never throws: clients send anything. */
export function decodeRequest(fields: readonly string[], version: number): Decoded {
  const type = wholeNumber(fields[0]);
  if (type === null) return { ok: false, reason: 'malformed', type: null, id: -1 };
  const decode = DECODERS[type];
  if (decode === undefined) return { ok: false, reason: 'unknown', type, id: -1 };
  const reader = new FieldReader(fields, version);
  const request = decode(reader);
  if (reader.failed) return { ok: false, reason: 'malformed', type, id: -1 };
  return { ok: true, request };
}

/** By the number of the message. */
const DECODERS: Readonly<Record<number, (fields: FieldReader) => Request>> = {
  1: marketData,
  2: versionedId('cancelMarketData'),
  3: placeOrder,
  4(fields) {
    if (fields.version < Since.cmeTagging) fields.skip(1);
    return { name: 'cancelOrder', id: fields.integer() };
  },
  5: bare('openOrders'),
  6(fields) {
    fields.skip(1);
    return { name: 'accountUpdates', subscribe: fields.flag(), account: fields.optional() };
  },
  7(fields) {
    fields.skip(1);
    return { name: 'executions', id: fields.integer() };
  },
  8: bare('ids'),
  9(fields) {
    fields.skip(1);
    return { name: 'contractDetails', id: fields.integer(), contract: contract(fields) };
  },
  14: bare('logLevel'),
  15: bare('autoOpenOrders'),
  16: bare('allOpenOrders'),
  17: bare('managedAccounts'),
  20: history,
  25: versionedId('cancelHistory'),
  49: bare('currentTime'),
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
  87: (fields) => ({ name: 'headTimestamp', id: fields.integer() }),
  90: (fields) => ({ name: 'cancelHeadTimestamp', id: fields.integer() }),
  99: bare('completedOrders'),
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

/** Of the some hundred fields of an order those in front, which say what it is. */
function placeOrder(fields: FieldReader): Request {
  if (fields.version < Since.orderContainer) fields.skip(1);
  const id = fields.integer();
  const instrument = contract(fields);
  fields.skip(2);
  const [action, quantity, orderType] = [fields.text(), fields.number(), fields.text()];
  const [limitPrice, auxPrice, timeInForce] = [fields.optional(), fields.optional(), fields.optional()];
  const [, account, , , reference] = Array.from({ length: 5 }, () => fields.optional());
  return {
    name: 'placeOrder',
    id,
    contract: instrument,
    quantity,
    terms: {
      ...{ action, orderType, limitPrice, auxPrice, timeInForce },
      account: account ?? '',
      reference: reference ?? '',
    },
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

/** Reads field after field; what cannot be read is noted, and the rest is of no interest. */
class FieldReader {
  readonly version: number;
  failed = false;
  readonly #fields: readonly string[];
  /** Behind the type of the message. */
  #next = 1;

  constructor(fields: readonly string[], version: number) {
    this.#fields = fields;
    this.version = version;
  }

  text(): string {
    const field = this.#fields[this.#next++];
    if (field === undefined) this.failed = true;
    return field ?? '';
  }

  /** Empty where older clients leave it out. */
  optional(): string {
    return this.#fields[this.#next++] ?? '';
  }

  /** Clients send nothing where they mean 0. */
  integer(): number {
    const text = this.text();
    const value = text === '' ? 0 : wholeNumber(text);
    if (value === null) this.failed = true;
    return value ?? 0;
  }

  number(): number {
    const value = Number(this.text());
    if (!Number.isFinite(value)) this.failed = true;
    return value;
  }

  flag(): boolean {
    const text = this.text();
    return text === '1' || text === 'true';
  }

  skip(fields: number): void {
    if (fields < 0 || this.#next + fields > this.#fields.length) this.failed = true;
    else this.#next += fields;
  }
}

/** Of 32 bits with a sign, as all whole numbers of the protocol that the gateway reads. */
function wholeNumber(text: string | undefined): number | null {
  if (text === undefined || !/^-?\d{1,10}$/.test(text)) return null;
  const value = Number(text);
  return Math.abs(value) < 2 ** 31 ? value : null;
}

import type { OrderTerms } from './model.js';

/** The requests of clients, by the names under which they are counted. */
export type RequestName = Request['name'];

const names = {
  startApi: true,
  currentTime: true,
  currentTimeMillis: true,
  managedAccounts: true,
  ids: true,
  positions: true,
  cancelPositions: true,
  positionsMulti: true,
  cancelPositionsMulti: true,
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
  optionChain: true,
  matchingSymbols: true,
  marketRule: true,
  history: true,
  historicalTicks: true,
  histogram: true,
  cancelHistogram: true,
  marketData: true,
  marketDataType: true,
  tickByTick: true,
  cancelTickByTick: true,
  realTimeBars: true,
  cancelRealTimeBars: true,
  accountSummary: true,
  accountUpdates: true,
  accountUpdatesMulti: true,
  cancelAccountUpdatesMulti: true,
  profit: true,
  cancelProfit: true,
  positionProfit: true,
  cancelPositionProfit: true,
  smartComponents: true,
  softDollarTiers: true,
  familyCodes: true,
  depthExchanges: true,
  newsProviders: true,
  newsBulletins: true,
  cancelNewsBulletins: true,
  scannerParameters: true,
  userInfo: true,
  placeOrder: true,
  cancelOrder: true,
} as const satisfies Readonly<Record<Exclude<RequestName, 'notSimulated'>, true>>;

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

/** An order as it was sent. */
export interface OrderRequest {
  readonly name: 'placeOrder';
  readonly id: number;
  readonly contract: ContractQuery;
  readonly quantity: number;
  /** Whether it goes out at once; otherwise it waits for a later order of its group. */
  readonly transmit: boolean;
  /** 0 for none. */
  readonly parentId: number;
  /** Whether only its margins are wanted. */
  readonly whatIf: boolean;
  readonly terms: OrderTerms;
}

/** Selects executions; empty fields match all. */
export interface ExecutionFilter {
  readonly clientId: number;
  readonly account: string;
  /** `20260105 16:00:00`: only what was executed since. */
  readonly since: string;
  readonly symbol: string;
  readonly secType: string;
  readonly exchange: string;
  readonly side: string;
}

export type TickStream = 'Last' | 'AllLast' | 'BidAsk' | 'MidPoint';

/** One decoded message of a client. */
export type Request =
  | { readonly name: 'startApi'; readonly clientId: number }
  | { readonly name: BareName }
  | { readonly name: 'contractDetails'; readonly id: number; readonly contract: ContractQuery }
  | {
      readonly name: 'optionChain';
      readonly id: number;
      readonly symbol: string;
      readonly secType: string;
      readonly conId: number;
    }
  | { readonly name: 'matchingSymbols'; readonly id: number; readonly pattern: string }
  | { readonly name: 'marketRule'; readonly ruleId: number }
  | { readonly name: 'history'; readonly id: number; readonly query: HistoryQuery }
  | {
      readonly name: 'historicalTicks';
      readonly id: number;
      readonly contract: ContractQuery;
      readonly start: string;
      readonly end: string;
      readonly count: number;
      readonly whatToShow: string;
    }
  | { readonly name: 'histogram'; readonly id: number; readonly contract: ContractQuery }
  | {
      readonly name: 'marketData';
      readonly id: number;
      readonly contract: ContractQuery;
      readonly snapshot: boolean;
    }
  | {
      readonly name: 'tickByTick';
      readonly id: number;
      readonly contract: ContractQuery;
      /** One of TickStream, as the client wrote it. */
      readonly stream: string;
      /** How many past ticks come first. */
      readonly past: number;
    }
  | {
      readonly name: 'realTimeBars';
      readonly id: number;
      readonly contract: ContractQuery;
      readonly regularHoursOnly: boolean;
    }
  | { readonly name: NameWithId; readonly id: number }
  | { readonly name: 'executions'; readonly id: number; readonly filter: ExecutionFilter }
  | { readonly name: 'marketDataType'; readonly type: number }
  | {
      readonly name: 'accountSummary';
      readonly id: number;
      readonly group: string;
      /** The tags asked for. */
      readonly tags: readonly string[];
    }
  | { readonly name: 'accountUpdates'; readonly subscribe: boolean; readonly account: string }
  | { readonly name: NameWithAccount; readonly id: number; readonly account: string; readonly model: string }
  | {
      readonly name: 'positionProfit';
      readonly id: number;
      readonly account: string;
      readonly conId: number;
    }
  | OrderRequest
  | { readonly name: 'cancelOrder'; readonly id: number }
  /** A message of the protocol that the gateway answers with a refusal only; the id is -1 if it has none. */
  | { readonly name: 'notSimulated'; readonly id: number; readonly what: string };

/** Requests without fields of interest. */
export type BareName =
  | 'currentTime'
  | 'currentTimeMillis'
  | 'managedAccounts'
  | 'ids'
  | 'positions'
  | 'cancelPositions'
  | 'openOrders'
  | 'allOpenOrders'
  | 'autoOpenOrders'
  | 'completedOrders'
  | 'globalCancel'
  | 'logLevel'
  | 'familyCodes'
  | 'depthExchanges'
  | 'newsProviders'
  | 'newsBulletins'
  | 'cancelNewsBulletins'
  | 'scannerParameters';

/** Requests of which nothing matters but their id. */
export type NameWithId =
  | 'headTimestamp'
  | 'cancelHeadTimestamp'
  | 'cancelHistory'
  | 'cancelMarketData'
  | 'cancelAccountSummary'
  | 'cancelTickByTick'
  | 'cancelRealTimeBars'
  | 'cancelHistogram'
  | 'cancelPositionsMulti'
  | 'cancelAccountUpdatesMulti'
  | 'cancelProfit'
  | 'cancelPositionProfit'
  | 'smartComponents'
  | 'softDollarTiers'
  | 'userInfo';

export type NameWithAccount = 'positionsMulti' | 'accountUpdatesMulti' | 'profit';

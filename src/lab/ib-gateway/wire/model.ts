import type { JoinedFields } from './frames.js';

/** When an instrument is traded: as stocks are, from Monday to Friday, or always. */
export type TradingDays = 'stock' | 'weekdays' | 'always';

/** Something that is traded, as messages describe it. */
export interface Instrument {
  readonly conId: number;
  readonly symbol: string;
  readonly secType: string;
  /** `20260619`; empty if the instrument does not expire. */
  readonly expiry: string;
  readonly strike: number;
  readonly right: string;
  readonly multiplier: string;
  readonly exchange: string;
  readonly primaryExchange: string;
  readonly currency: string;
  readonly localSymbol: string;
  readonly tradingClass: string;
  readonly marketName: string;
  readonly longName: string;
  readonly validExchanges: string;
  readonly minTick: number;
  /** The least that is traded or quoted. */
  readonly sizeStep: number;
  readonly trading: TradingDays;
  /** The underlying of an option or future. */
  readonly underlying: { readonly conId: number; readonly symbol: string; readonly secType: string } | null;
  /** Approximate price. */
  readonly basePrice: number;
}

export interface Bar {
  readonly time: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly average: number;
  readonly count: number;
}

export interface History {
  readonly bars: readonly Bar[];
  readonly start: string;
  readonly end: string;
  /** The bars as encoded for an earlier reply; left out if they were not kept. */
  readonly written?: WrittenBars;
}

/** Encoded bars in the layout before version 124, and in the later one. */
export interface WrittenBars {
  old?: JoinedFields;
  now?: JoinedFields;
}

export interface Position {
  readonly instrument: Instrument;
  readonly quantity: number;
  readonly averageCost: number;
  readonly price: number;
}

export type OrderStatusWord =
  | 'PendingSubmit'
  | 'PreSubmitted'
  | 'Submitted'
  | 'Filled'
  | 'Cancelled'
  | 'Inactive';

/** Progress of an order. */
export interface OrderState {
  readonly id: number;
  readonly clientId: number;
  readonly permId: number;
  readonly parentId: number;
  readonly quantity: number;
  readonly status: OrderStatusWord;
  readonly filled: number;
  /** Average fill price; 0 before the first fill. */
  readonly price: number;
  /** Price of the last fill; 0 before the first. */
  readonly lastPrice: number;
}

/** Terms of an order exactly as the client sent them; empty if it sent none. */
export interface OrderTerms {
  readonly action: string;
  readonly orderType: string;
  readonly limitPrice: string;
  readonly auxPrice: string;
  readonly timeInForce: string;
  readonly account: string;
  readonly reference: string;
  readonly ocaGroup: string;
  /** 1 cancel the rest, 2 and 3 reduce it. */
  readonly ocaType: number;
  readonly outsideRth: boolean;
  readonly hidden: boolean;
  readonly openClose: string;
  readonly origin: string;
  readonly displaySize: string;
  readonly triggerMethod: string;
  readonly discretionaryAmount: string;
  readonly goodAfterTime: string;
  readonly goodTillDate: string;
  readonly modelCode: string;
  readonly rule80A: string;
  readonly allOrNone: string;
  readonly minQuantity: string;
  readonly percentOffset: string;
  readonly volatility: string;
  readonly volatilityType: string;
  readonly trailStopPrice: string;
  readonly trailingPercent: string;
}

/** The effect of an order on the margins of its account. */
export interface Margins {
  readonly initial: number;
  readonly maintenance: number;
  readonly equity: number;
}

export interface Preview {
  readonly before: Margins;
  readonly change: Margins;
  readonly after: Margins;
  readonly commission: number;
}

export interface Order extends OrderState {
  readonly instrument: Instrument;
  readonly terms: OrderTerms;
  /** null until the first commission is known. */
  readonly commission: number | null;
  /** Margins, if only they were asked for. */
  readonly preview?: Preview;
}

/** One fill of an order. */
export interface Execution {
  /** Counts all executions of the gateway, from 1. */
  readonly number: number;
  readonly execId: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly order: Order;
  readonly side: 'BOT' | 'SLD';
  readonly quantity: number;
  readonly price: number;
  /** The sum of the order, with this fill. */
  readonly cumulative: number;
  readonly averagePrice: number;
  readonly commission: number;
  /** null for a fill that closes nothing. */
  readonly realizedProfit: number | null;
}

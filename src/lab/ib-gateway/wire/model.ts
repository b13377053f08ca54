import type { JoinedFields } from './frames.js';

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
  readonly tradingHours: string;
  readonly minTick: number;
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

/** Progress of an order. */
export interface OrderState {
  readonly id: number;
  readonly clientId: number;
  readonly permId: number;
  readonly quantity: number;
  readonly status: 'Submitted' | 'Filled' | 'Cancelled';
  readonly filled: number;
  /** Average fill price. */
  readonly price: number;
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
}

export interface Order extends OrderState {
  readonly instrument: Instrument;
  readonly terms: OrderTerms;
}

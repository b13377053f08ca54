/** The subset of IB's types that the pool takes and returns, in IB's own words. */

/** Describes an instrument, as far as it is known. `conId` alone is enough. */
export interface Contract {
  readonly conId?: number;
  readonly symbol?: string;
  /** STK, OPT, FUT, CASH, IND, CFD, BOND, ... */
  readonly secType?: string;
  /** SMART, NASDAQ, ... */
  readonly exchange?: string;
  readonly primaryExch?: string;
  readonly currency?: string;
  /** `20260619` or `202606`. */
  readonly lastTradeDateOrContractMonth?: string;
  readonly strike?: number;
  /** C or P. */
  readonly right?: string;
  readonly multiplier?: number;
  readonly localSymbol?: string;
  readonly tradingClass?: string;
  readonly includeExpired?: boolean;
}

/** The gateway's details of an instrument. All other fields are in `rest`, by IB's names. */
export interface ContractDetails {
  readonly contract: Contract;
  readonly marketName: string | null;
  readonly longName: string | null;
  readonly minTick: number | null;
  readonly orderTypes: string | null;
  readonly validExchanges: string | null;
  readonly timeZoneId: string | null;
  readonly tradingHours: string | null;
  readonly liquidHours: string | null;
  readonly rest: Readonly<Record<string, unknown>>;
}

export interface HistoryQuery {
  readonly contract: Contract;
  /** As IB writes it: `1 secs`, `30 secs`, `1 min`, `1 day`. */
  readonly barSize: string;
  /** As IB writes it: `3600 S`, `2 D`, `1 W`. A request should bring some 5,000 bars at most. */
  readonly duration: string;
  /** `20260105 16:00:00 UTC`. Default: now. */
  readonly end?: string;
  /** TRADES, MIDPOINT, BID, ASK, BID_ASK, ... Default TRADES. */
  readonly whatToShow?: string;
  /** Default true. */
  readonly regularHoursOnly?: boolean;
}

export interface Bar {
  /** As the gateway writes it: a day, or a time with its zone. */
  readonly time: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly wap: number;
  /** Trades in the bar. */
  readonly count: number;
}

export interface Position {
  readonly account: string;
  readonly contract: Contract;
  readonly quantity: number;
  readonly averageCost: number;
}

export interface AccountValue {
  readonly key: string;
  readonly value: string;
  /** Empty for values that are no amounts. */
  readonly currency: string;
  readonly account: string;
}

/** IB's order, as the library has it: `action`, `orderType`, `totalQuantity`, `lmtPrice`, ... */
export type Order = Readonly<Record<string, unknown>>;

/** The last report of the gateway on an order. Figures are null where it reported none. */
export interface OrderStatus {
  readonly orderId: number;
  /** IB's word, such as `PendingSubmit`, `PreSubmitted`, `Submitted`, `Filled` or `Inactive`. */
  readonly status: string;
  readonly filled: number | null;
  readonly remaining: number | null;
  readonly averageFillPrice: number | null;
  readonly lastFillPrice: number | null;
  /** IB's own number of the order, the same for all clients. */
  readonly permId: number | null;
  /** `locate`: shares are looked for. Empty where nothing holds it. */
  readonly whyHeld: string | null;
}

/** One tick of market data. `field` is IB's tick type: 1 bid, 2 ask, 4 last, 0 bid size, 3 ask size, 5 last size, ... */
export type Tick =
  | { readonly kind: 'price'; readonly field: number; readonly price: number }
  | { readonly kind: 'size'; readonly field: number; readonly size: number }
  | { readonly kind: 'text'; readonly field: number; readonly text: string }
  | { readonly kind: 'generic'; readonly field: number; readonly value: number };

/** How to ask for an instrument in words, for errors. */
export function describeContract({ conId, symbol, localSymbol, secType, exchange }: Contract): string {
  const name =
    symbol ?? localSymbol ?? (conId === undefined ? 'a contract without a name' : `conId ${conId}`);
  return [name, secType, exchange].filter((part) => part !== undefined).join(' ');
}

/** The same text for the same contract, in whatever order its fields were written. */
export function contractKey(contract: Contract): string {
  return JSON.stringify(
    Object.entries(contract)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

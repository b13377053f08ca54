/** A code of the gateway with its text, from the vendor's list of codes. */
export interface Notice {
  readonly code: number;
  readonly text: string;
}

const DATA_FARM = 'usfarm';

export const notices = {
  /** The wording is from memory. */
  rateExceeded: (most: number): Notice => ({
    code: 100,
    text: `Max rate of messages per second has been exceeded:max=${most}`,
  }),
  tickerLimit: { code: 101, text: 'Max number of tickers has been reached' },
  tooManyTickByTick: { code: 10_190, text: 'Max number of tick-by-tick requests has been reached.' },
  duplicateTicker: { code: 102, text: 'Duplicate ticker ID' },
  duplicateOrder: { code: 103, text: 'Duplicate order id' },
  changeOfFilled: { code: 104, text: 'Cannot modify a filled order.' },
  changeOfBasics: { code: 105, text: 'Order being modified does not match original order.' },
  priceStep: {
    code: 110,
    text: 'The price does not conform to the minimum price variation for this contract.',
  },
  noSuchOrder: (id: number): Notice => ({ code: 135, text: `Can't find order with id =${id}` }),
  cancelNotPossible: (permId: number): Notice => ({
    code: 161,
    text: `Cancel attempted when order is not in a cancellable state. Order permId =${permId}`,
  }),
  orderDiscarded: { code: 202, text: 'Order Canceled - reason:Order was discarded' },
  notFirstClient: { code: 327, text: 'Only the default client (i.e 0) can auto bind orders.' },
  noParent: { code: 10006, text: 'Parent order is being created. Please wait and then try again.' },
  cancelNotFound: (id: number): Notice => ({
    code: 10147,
    text: `OrderId ${id} that needs to be cancelled is not found.`,
  }),
  cancelRefused: (id: number, state: string): Notice => ({
    code: 10148,
    text: `OrderId ${id} that needs to be cancelled cannot be cancelled, state: ${state}.`,
  }),
  whatIfTransmit: { code: 413, text: 'The What-If order should have transmit flag set to true.' },
  tooManyOrders: { code: 201, text: 'Order rejected - reason:too many orders for the simulated gateway' },
  notSimulated: (what: string): Notice => ({
    code: 322,
    text: `Error processing request.-'b0' : cause - the simulated gateway does not offer ${what}`,
  }),
  noMarketRule: { code: 322, text: "Error processing request.-'b0' : cause - no such market rule" },
  cryptoTrades: {
    code: 10299,
    text: 'Expected what to show is AGGTRADES, please use that instead of TRADES.',
  },
  delayedData: {
    code: 10167,
    text: 'Requested market data is not subscribed. Displaying delayed market data.',
  },
  clientTooOld: {
    code: 320,
    text:
      'This gateway speaks the protocol with length prefixes only (server versions 100 to 200). ' +
      'Use a client library for TWS API 9.72 or later.',
  },
  clientTooNew: {
    code: 320,
    text:
      'This gateway speaks the text protocol only (server versions 100 to 200), not protobuf (201 and later). ' +
      'Use a client library that offers server version 200 or lower.',
  },
  historyPacing: {
    code: 162,
    text: 'Historical Market Data Service error message:Historical data request pacing violation',
  },
  historyCanceled: (id: number): Notice => ({
    code: 162,
    text: `Historical Market Data Service error message:API historical data query cancelled: ${id}`,
  }),
  unknownContract: { code: 200, text: 'No security definition has been found for the request' },
  ambiguousContract: (symbol: string): Notice => ({
    code: 200,
    text: `The contract description specified for ${symbol} is ambiguous; you must specify the multiplier or trading class.`,
  }),
  orderRejected: (reason: string): Notice => ({ code: 201, text: `Order rejected - reason:${reason}` }),
  orderCanceled: { code: 202, text: 'Order Canceled - reason:' },
  noSuchTicker: (id: number): Notice => ({ code: 300, text: `Can't find EId with tickerId:${id}` }),
  unreadable: { code: 320, text: 'Server error when reading an API client request.' },
  invalid: (cause: string): Notice => ({
    code: 321,
    text: `Error validating request.-'b0' : cause - ${cause}`,
  }),
  duplicateId: { code: 322, text: 'Error processing request.-Duplicate ticker id' },
  clientIdInUse: {
    code: 326,
    text: 'Unable to connect as the client id is already in use. Retry with a unique client id.',
  },
  lost: { code: 1100, text: 'Connectivity between IBKR and Trader Workstation has been lost.' },
  restoredDataLost: {
    code: 1101,
    text: 'Connectivity between IBKR and Trader Workstation has been restored - data lost.',
  },
  restored: {
    code: 1102,
    text: 'Connectivity between IBKR and Trader Workstation has been restored - data maintained. All data farms are connected: usfarm; ushmds.',
  },
  portMoved: (port: number): Notice => ({
    code: 1300,
    text: `TWS socket port has been reset and this connection is being dropped. Please reconnect on the new port - ${port}`,
  }),
  serverLinkBroken: {
    code: 2110,
    text: 'Connectivity between Trader Workstation and server is broken. It will be restored automatically.',
  },
  /** The wordings are from memory. */
  farm: (code: number, farm: string = code === 2105 || code === 2106 ? 'ushmds' : DATA_FARM): Notice => ({
    code,
    text: `${FARM_TEXTS[code] ?? 'Data farm'}:${farm}`,
  }),
} as const;

const FARM_TEXTS: Readonly<Record<number, string>> = {
  2103: 'Market data farm connection is broken',
  2104: 'Market data farm connection is OK',
  2105: 'HMDS data farm connection is broken',
  2106: 'HMDS data farm connection is OK',
  2108: 'Market data farm connection is inactive but should be available upon demand',
  2158: 'Sec-def data farm connection is OK',
};

/** The texts of codes that tests ask for most; any other code has its number as its text. */
export function textOf(code: number): string {
  return ERROR_TEXTS[code] ?? FARM_TEXTS[code] ?? `Error ${code}`;
}

const ERROR_TEXTS: Readonly<Record<number, string>> = {
  103: 'Duplicate order id',
  110: 'The price does not conform to the minimum price variation for this contract.',
  162: 'Historical Market Data Service error message:HMDS query returned no data',
  200: 'No security definition has been found for the request',
  201: 'Order rejected - reason:The order was rejected on purpose',
  202: 'Order Canceled - reason:',
  321: "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode.",
  354: 'Requested market data is not subscribed.',
  366: 'No historical data query found for ticker id',
  399: 'Order Message:\nWarning: your order will not be placed at the exchange until the next trading session',
  404: 'Order held while securities are located.',
  420: 'Invalid Real-time Query:Historical data request pacing violation',
  10089: 'Requested market data requires additional subscription for API.Delayed market data is available.',
  10090: 'Part of requested market data is not subscribed.',
  10167: 'Requested market data is not subscribed. Displaying delayed market data.',
  10168: 'Requested market data is not subscribed. Delayed market data is not enabled.',
  10182: 'Failed to request live updates (disconnected).',
  10190: 'Max number of tick-by-tick requests has been reached.',
  10197: 'No market data during competing live session',
  10349: 'Order TIF was set to DAY based on order preset.',
};

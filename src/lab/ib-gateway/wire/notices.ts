/** A code of the gateway with its words. From the vendor's list of codes; those marked so are from memory. */
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
  duplicateTicker: { code: 102, text: 'Duplicate ticker ID' },
  duplicateOrder: { code: 103, text: 'Duplicate order id' },
  noSuchOrder: { code: 135, text: "Can't find order with ID" },
  historyPacing: {
    code: 162,
    text: 'Historical Market Data Service error message:Historical data request pacing violation',
  },
  historyCanceled: (id: number): Notice => ({
    code: 162,
    text: `Historical Market Data Service error message:API historical data query cancelled: ${id}`,
  }),
  unknownContract: { code: 200, text: 'No security definition has been found for the request' },
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

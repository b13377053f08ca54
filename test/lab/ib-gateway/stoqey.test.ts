import { type Contract, EventName, IBApi, type SecType } from '@stoqey/ib';
import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, startGateway } from '../../../src/lab/ib-gateway/gateway.js';

type Heard = readonly [name: string, args: readonly unknown[]];

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of cleanUp.splice(0)) await each();
});

const CALL = { strike: 200, right: 'C' as never, lastTradeDateOrContractMonth: '20261218' };
const aapl: Contract = { symbol: 'AAPL', secType: 'STK' as SecType, exchange: 'SMART', currency: 'USD' };

/** The public client, and all that it has told so far. */
class Client {
  readonly api: IBApi;
  readonly heard: Heard[] = [];
  #wake: () => void = () => {};

  constructor({ port }: Gateway, clientId: number) {
    // Its own limiter would spread the requests over seconds.
    this.api = new IBApi({ host: '127.0.0.1', port, clientId, maxReqPerSec: 100_000 });
    this.api.on(EventName.all, (name: string, args: unknown[]) => {
      if (name === 'sent' || name === 'received') return;
      this.heard.push([name, args]);
      this.#wake();
    });
    cleanUp.push(() => this.api.disconnect());
  }

  async until(name: string, matches: (args: readonly unknown[]) => boolean = () => true): Promise<void> {
    while (!this.heard.some(([own, args]) => own === name && matches(args))) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async connect(): Promise<void> {
    this.api.connect();
    await this.until('nextValidId');
    await this.until('managedAccounts');
  }

  /** What it told of under a name. */
  of(name: string): (readonly unknown[])[] {
    return this.heard.filter(([own]) => own === name).map(([, args]) => args);
  }

  /** What its decoder could not make sense of. */
  misread(): string[] {
    return this.of('error').flatMap(([error, code]) => (code === 505 ? [String(error)] : []));
  }
}

async function connected(serverVersion: number) {
  const gateway = await startGateway({ serverVersion, messagesPerSecond: null, accounts: ['DU1', 'DU2'] });
  cleanUp.push(() => gateway.close());
  const client = new Client(gateway, 7);
  await client.connect();
  return { gateway, client, api: client.api };
}

describe.each([151, 176, 193])('@stoqey/ib at server version %d', (serverVersion) => {
  it('agrees on the version, and gets accounts, an order id and the state of the farms', async () => {
    const { client, gateway } = await connected(serverVersion);
    await client.until('info', ([, code]) => code === 2158);
    expect(client.of('server')[0]?.[0]).toBe(serverVersion);
    expect(client.of('managedAccounts')).toEqual([['DU1,DU2']]);
    expect(client.of('nextValidId')).toEqual([[1]]);
    expect(client.of('info').map(([, code]) => code)).toEqual([2104, 2106, 2158]);
    expect(gateway.counts().clients).toMatchObject({ ids: [7], byVersion: { [serverVersion]: 1 } });
  });

  it('reads contract details, and that there is no such contract', async () => {
    const { client, api } = await connected(serverVersion);
    api.reqContractDetails(1, aapl);
    api.reqContractDetails(2, { ...aapl, symbol: 'NOSUCH' });
    await client.until('error');
    const [[id, details] = []] = client.of('contractDetails');
    expect(id).toBe(1);
    expect(details).toMatchObject({
      contract: { symbol: 'AAPL', secType: 'STK', currency: 'USD', primaryExch: 'NASDAQ' },
      minTick: 0.01,
      longName: 'APPLE INC',
      timeZoneId: 'UTC',
      marketRuleIds: '26',
    });
    expect(client.of('contractDetailsEnd')).toEqual([[1]]);
    expect(client.of('error')[0]?.slice(1, 3)).toEqual([200, 2]);
  });

  it('reads bars, and bars that are kept up to date', async () => {
    const { client, api } = await connected(serverVersion);
    api.reqHistoricalData(1, aapl, '', '5 M', '1 day' as never, 'TRADES' as never, 1, 1, false);
    api.reqHistoricalData(2, aapl, '', '120 S', '1 min' as never, 'TRADES' as never, 1, 2, true);
    await client.until('historicalDataUpdate', ([id]) => id === 2);
    const bars = client.of('historicalData').filter(([id]) => id === 1);
    expect(bars).toHaveLength(5 * 21 + 1);
    expect(bars.at(-1)?.[1]).toMatch(/^finished-/);
    for (const [, , open, high, low, close] of bars.slice(0, -1)) {
      expect(Math.max(Number(open), Number(close))).toBeLessThanOrEqual(Number(high));
      expect(Math.min(Number(open), Number(close))).toBeGreaterThanOrEqual(Number(low));
    }
    api.cancelHistoricalData(2);
    expect(client.misread()).toEqual([]);
  });

  it('reads prices that stream, and a snapshot', async () => {
    const { client, api, gateway } = await connected(serverVersion);
    api.reqMktData(1, aapl, '', false, false);
    api.reqMktData(2, aapl, '', true, false);
    await client.until('tickSnapshotEnd', ([id]) => id === 2);
    await client.until('tickPrice', ([id, , price]) => id === 1 && price !== client.of('tickPrice')[2]?.[2]);
    expect(gateway.counts().subscriptions.open.marketData).toBe(1);
    api.cancelMktData(1);
    api.reqCurrentTime();
    await client.until('currentTime');
    expect(gateway.counts().subscriptions).toMatchObject({ open: { marketData: 0 }, opened: 1, canceled: 1 });
    expect(client.of('marketDataType')).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  it('reads the account: summary, updates, positions', async () => {
    const { client, api } = await connected(serverVersion);
    api.reqAccountSummary(1, 'All', 'NetLiquidation,BuyingPower');
    api.reqPositions();
    api.reqAccountUpdates(true, 'DU2');
    await client.until('accountDownloadEnd');
    expect(client.of('accountSummary')).toEqual([
      [1, 'DU1', 'NetLiquidation', '1000000.00', 'USD'],
      [1, 'DU1', 'BuyingPower', '3000000.00', 'USD'],
      [1, 'DU2', 'NetLiquidation', '1000000.00', 'USD'],
      [1, 'DU2', 'BuyingPower', '3000000.00', 'USD'],
    ]);
    expect(client.of('accountSummaryEnd')).toEqual([[1]]);
    expect(
      client.of('position').map(([account, contract, quantity]) => [account, contract, quantity]),
    ).toEqual(
      expect.arrayContaining([
        ['DU1', expect.objectContaining({ symbol: 'AAPL', exchange: 'NASDAQ' }), 100],
        ['DU2', expect.objectContaining({ symbol: 'SPY' }), -40],
      ]),
    );
    expect(client.of('positionEnd')).toHaveLength(1);
    expect(client.of('updateAccountValue')).toContainEqual(['NetLiquidation', '1000000.00', 'USD', 'DU2']);
    expect(client.of('updatePortfolio')).toHaveLength(3);
    expect(client.of('accountDownloadEnd')).toEqual([['DU2']]);
  });

  it('reads the state of orders, and the next id', async () => {
    const { client, api } = await connected(serverVersion);
    const order = { action: 'BUY' as never, totalQuantity: 10, lmtPrice: 1, tif: 'DAY' as never };
    api.placeOrder(10, aapl, { ...order, orderType: 'LMT' as never });
    api.placeOrder(11, aapl, { ...order, orderType: 'MKT' as never });
    api.reqAllOpenOrders();
    api.reqIds();
    await client.until('openOrderEnd');
    api.cancelOrder(10);
    await client.until('orderStatus', ([id, status]) => id === 10 && status === 'Cancelled');
    expect(client.of('orderStatus').map((args) => args.slice(0, 4))).toEqual([
      [10, 'Submitted', 0, 10],
      [11, 'PreSubmitted', 0, 10],
      [11, 'Filled', 10, 0],
      [10, 'Submitted', 0, 10],
      [10, 'Cancelled', 0, 10],
    ]);
    expect(client.of('nextValidId')).toEqual([[1], [12]]);
    const shown = { conId: expect.any(Number), symbol: 'AAPL', secType: 'STK', currency: 'USD' };
    const terms = { action: 'BUY', totalQuantity: 10, lmtPrice: 1, tif: 'DAY', account: 'DU1' };
    const of = (id: number, orderType: string, status: string) => [
      id,
      expect.objectContaining(shown),
      expect.objectContaining({ ...terms, orderId: id, orderType, clientId: 7 }),
      expect.objectContaining({ status }),
    ];
    expect(client.of('openOrder')).toEqual([
      of(10, 'LMT', 'Submitted'),
      of(11, 'MKT', 'PreSubmitted'),
      of(11, 'MKT', 'Filled'),
      of(11, 'MKT', 'Filled'),
      of(10, 'LMT', 'Submitted'),
    ]);
    expect(client.of('execDetails')).toEqual([
      [-1, expect.objectContaining(shown), expect.objectContaining({ orderId: 11, side: 'BOT', shares: 10 })],
    ]);
    expect(client.of('commissionReport')).toEqual([
      [expect.objectContaining({ commission: 1, currency: 'USD' })],
    ]);
    expect(client.misread()).toEqual([]);
  });

  it('reads the time', async () => {
    const { client, api } = await connected(serverVersion);
    const before = Math.floor(Date.now() / 1000);
    api.reqCurrentTime();
    await client.until('currentTime');
    const [[seconds] = []] = client.of('currentTime');
    expect(Number(seconds)).toBeGreaterThanOrEqual(before);
    expect(Number(seconds)).toBeLessThanOrEqual(Date.now() / 1000);
  });
});

it('@stoqey/ib misreads nothing at any version that it knows', async () => {
  const misread: Record<number, string[]> = {};
  for (let version = 100; version <= 193; version++) {
    const { client, api } = await connected(version);
    api.reqContractDetails(1, aapl);
    api.reqContractDetails(2, { ...aapl, secType: 'OPT' as SecType, ...CALL });
    api.reqContractDetails(3, { ...aapl, symbol: 'NOSUCH' });
    api.reqHistoricalData(4, aapl, '', '3 D', '1 day' as never, 'TRADES' as never, 1, 1, version >= 124);
    api.reqMktData(5, aapl, '', true, false);
    api.reqPositions();
    api.reqAccountUpdates(true, '');
    api.reqAccountSummary(6, 'All', 'NetLiquidation');
    const order = { action: 'BUY' as never, totalQuantity: 1, orderType: 'LMT' as never, lmtPrice: 1 };
    api.placeOrder(9, aapl, order);
    api.reqAllOpenOrders();
    api.cancelOrder(9);
    api.placeOrder(10, aapl, { ...order, orderType: 'MKT' as never });
    api.placeOrder(11, aapl, { ...order, whatIf: true });
    api.reqExecutions(7, {});
    if (version >= 177) api.reqCompletedOrders(false);
    api.reqCurrentTime();
    await client.until('currentTime');
    const got = (name: string) => client.of(name).length;
    const answers = [got('contractDetails'), got('tickSnapshotEnd'), got('positionEnd'), got('openOrderEnd')];
    expect({ version, answers, cancelled: got('orderStatus') }).toEqual({
      version,
      answers: [2, 1, 1, 1],
      cancelled: 5,
    });
    expect({ version, fills: got('execDetails'), commissions: got('commissionReport') }).toEqual({
      version,
      fills: 2,
      commissions: 2,
    });
    if (version >= 177) expect(got('completedOrder')).toBe(2);
    expect(got('historicalData')).toBe(4);
    // See open-order.ts: the library is one field out of step there.
    const own = version < 103 || version > 144;
    const faults = client.misread().filter((text) => own || !text.includes('OPEN_ORDER'));
    if (faults.length > 0) misread[version] = faults;
    client.api.disconnect();
  }
  expect(misread).toEqual({});
});

it('@stoqey/ib reads the same when each byte comes by itself, late', async () => {
  const { client, api, gateway } = await connected(193);
  await gateway.inject({ kind: 'slice', bytes: 1 });
  await gateway.inject({ kind: 'latency', fromMs: 1, toMs: 20 });
  api.reqContractDetails(1, aapl);
  api.reqHistoricalData(2, aapl, '', '3 D', '1 day' as never, 'TRADES' as never, 1, 1, false);
  api.reqCurrentTime();
  await client.until('currentTime');
  expect(client.of('contractDetails')).toHaveLength(1);
  expect(client.of('historicalData')).toHaveLength(4);
  expect(client.misread()).toEqual([]);
});

it('@stoqey/ib meets an id in use as with a real gateway: it says 326, closes, and never gets an order id', async () => {
  const { gateway } = await connected(193);
  const second = new Client(gateway, 7);
  second.api.connect();
  await second.until('disconnected');
  expect(second.of('info').map(([, code]) => code)).toEqual([326]);
  expect(second.of('nextValidId')).toEqual([]);
  expect(gateway.counts().clients).toMatchObject({ ids: [7], duplicateIds: 1, readyById: { 7: 1 } });
});

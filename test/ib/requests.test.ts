import { describe, expect, it } from 'vitest';
import { type ConnectionOptions, IbConnection } from '../../src/ib/connection.js';
import type { Tick } from '../../src/ib/contracts.js';
import { createPacer, type PacingOptions } from '../../src/ib/pacing.js';
import { FIRST_REQUEST_ID } from '../../src/ib/requests.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { FakeLine } from './fake-line.js';

const AAPL = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
const MSFT = { ...AAPL, symbol: 'MSFT' };
const HISTORY = { contract: AAPL, barSize: '1 min', duration: '1 D' };

/** A connection that is ready. */
async function start(options: ConnectionOptions = {}, pacing: PacingOptions = {}) {
  const clock = new VirtualClock();
  const line = new FakeLine();
  const connection = new IbConnection(
    { host: '127.0.0.1', port: 7497, clientId: 1 },
    { clock, line, random: () => 0.5, pacer: createPacer({ ...pacing, clock }), ...options },
  );
  const ready = connection.ready();
  await clock.settle();
  line.last.beReady({ nextOrderId: 5 });
  await ready;
  const reconnect = async (): Promise<void> => {
    line.last.say('disconnected');
    await clock.advance(5000);
    line.last.beReady({ nextOrderId: 5 });
    await clock.settle();
  };
  /** The messages of that name in the session that is on. */
  const sent = (method: string) => line.last.calls.filter(([name]) => name === method);
  return { clock, line, connection, reconnect, sent };
}

describe('requests', () => {
  it('are answered by what carries their id, side by side', async () => {
    const { clock, line, connection } = await start();
    const apple = connection.contractDetails(AAPL);
    const microsoft = connection.contractDetails(MSFT);
    await clock.settle();
    const [first, second] = line.last.calls.map(([, id]) => id);
    line.last.say('contractDetails', second, { contract: MSFT, minTick: 0.01, industry: 'Technology' });
    line.last.say('contractDetailsEnd', second);
    line.last.say('contractDetails', first, { contract: AAPL });
    line.last.say('contractDetailsEnd', first);
    await expect(microsoft).resolves.toMatchObject([
      { contract: MSFT, minTick: 0.01, longName: null, rest: { industry: 'Technology' } },
    ]);
    await expect(apple).resolves.toMatchObject([{ contract: AAPL, minTick: null }]);
    expect(connection.figures()).toMatchObject({ inFlight: 0, requests: { asked: 2, answered: 2 } });
  });

  it.each([
    [200, 'No security definition has been found for the request', 'ERR_IB_NO_CONTRACT'],
    [162, 'Historical Market Data Service error message:HMDS query returned no data', 'ERR_IB_HISTORY'],
    [354, 'Requested market data is not subscribed.', 'ERR_IB_NOT_SUBSCRIBED'],
    [101, 'Max number of tickers has been reached', 'ERR_IB_TOO_MANY_LINES'],
    [102, 'Duplicate ticker ID', 'ERR_IB_DUPLICATE_ID'],
    [321, 'Error validating request', 'ERR_IB_REQUEST'],
  ])('fail with a typed error at %d, %s', async (ibCode, text, code) => {
    const { clock, line, connection } = await start();
    const asked = connection.contractDetails(AAPL);
    await clock.settle();
    line.last.say('error', 'a warning', 2119, FIRST_REQUEST_ID + 1);
    line.last.say('error', text, ibCode, FIRST_REQUEST_ID + 1);
    await expect(asked).rejects.toMatchObject({
      code,
      ibCode,
      message: `contract details of AAPL STK SMART: ${text} (IB ${ibCode})`,
    });
  });

  it('end at their deadline, are cancelled, and what comes late finds nobody', async () => {
    const { clock, line, connection, sent } = await start({ heartbeatMs: 1e9 });
    const asked = connection.historicalData(HISTORY, { timeoutMs: 3000 });
    asked.catch(() => {});
    await clock.advance(3000);
    await expect(asked).rejects.toMatchObject({
      code: 'ERR_IB_TIMEOUT',
      message: 'history of AAPL STK SMART: no answer within 3000 ms',
    });
    const id = FIRST_REQUEST_ID + 1;
    expect(sent('cancelHistoricalData')).toEqual([['cancelHistoricalData', id]]);
    const again = connection.historicalData(HISTORY);
    await clock.settle();
    line.last.say('historicalData', id, '20260101', 1, 1, 1, 1, 1, 1, 1);
    line.last.say('historicalData', id + 1, '20260102', 1, 2, 0.5, 1.5, 100, 7, 1.2);
    line.last.say('historicalData', id, 'finished-1-2', -1);
    line.last.say('historicalData', id + 1, 'finished-1-2', -1);
    await expect(again).resolves.toEqual([
      { time: '20260102', open: 1, high: 2, low: 0.5, close: 1.5, volume: 100, count: 7, wap: 1.2 },
    ]);
    expect(connection.figures().requests).toMatchObject({ timedOut: 1, late: 2, answered: 1 });
    await connection.close();
  });

  it('end when their signal aborts, before and after they are sent', async () => {
    const { clock, connection, sent } = await start();
    const abort = new AbortController();
    const asked = connection.historicalData(HISTORY, { signal: abort.signal });
    await clock.settle();
    abort.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    await clock.settle();
    expect(sent('cancelHistoricalData')).toHaveLength(1);
    await expect(connection.contractDetails(AAPL, { signal: abort.signal })).rejects.toThrow('enough');
    expect(sent('reqContractDetails')).toEqual([]);
    expect(connection.figures().inFlight).toBe(0);
  });

  it('that only read are asked again after a drop, with another id', async () => {
    const { clock, line, connection, reconnect } = await start();
    const asked = connection.contractDetails(AAPL);
    await clock.settle();
    line.last.say('contractDetails', FIRST_REQUEST_ID + 1, { contract: MSFT });
    await reconnect();
    expect(line.last.calls).toEqual([['reqContractDetails', FIRST_REQUEST_ID + 2, AAPL]]);
    line.last.say('contractDetails', FIRST_REQUEST_ID + 1, { contract: MSFT });
    line.last.say('contractDetails', FIRST_REQUEST_ID + 2, { contract: AAPL });
    line.last.say('contractDetailsEnd', FIRST_REQUEST_ID + 2);
    await expect(asked).resolves.toMatchObject([{ contract: AAPL }]);
    expect(connection.figures().requests).toMatchObject({ lost: 1, retried: 1, late: 1 });
  });

  it('do not wait for a connection beyond their deadline', async () => {
    const { clock, line, connection } = await start();
    line.last.say('disconnected');
    const asked = connection.currentTime({ timeoutMs: 1000 });
    asked.catch(() => {});
    await clock.advance(1000);
    await expect(asked).rejects.toMatchObject({ code: 'ERR_IB_TIMEOUT' });
    await connection.close();
  });

  it('give up after a number of drops', async () => {
    const { clock, connection, reconnect } = await start();
    const asked = connection.contractDetails(AAPL, { timeoutMs: 1e6 });
    asked.catch(() => {});
    for (let i = 0; i < 5; i++) {
      await clock.settle();
      await reconnect();
    }
    await expect(asked).rejects.toMatchObject({ code: 'ERR_IB_CONNECTION_LOST' });
    expect(connection.figures().requests).toMatchObject({ retried: 3, lost: 4 });
  });

  it('that still wait for the pacing lose nothing by a drop', async () => {
    const { clock, line, connection, reconnect, sent } = await start(
      {},
      { history: { identicalMs: 26_000 } },
    );
    const history = { ...HISTORY, barSize: '30 secs' };
    const answer = (): void => {
      const [, id] = sent('reqHistoricalData')[0] ?? [];
      line.last.say('historicalData', id, 'finished-1-2', -1);
    };
    const first = connection.historicalData(history);
    await clock.settle();
    answer();
    await first;
    const second = connection.historicalData(history);
    for (let drops = 0; drops < 5; drops++) await reconnect();
    await clock.advance(2000);
    answer();
    await second;
    expect(connection.figures().requests).toMatchObject({ answered: 2, lost: 0, retried: 0 });
  });

  it('that are orders are never sent twice, and not while there is no connection', async () => {
    const { clock, line, connection, reconnect, sent } = await start();
    const orderId = await connection.nextOrderId();
    expect(orderId).toBe(5);
    const placed = connection.placeOrder(orderId, AAPL, { action: 'BUY', totalQuantity: 1 });
    placed.catch(() => {});
    await clock.settle();
    expect(sent('placeOrder')).toHaveLength(1);
    await reconnect();
    await expect(placed).rejects.toMatchObject({
      code: 'ERR_IB_CONNECTION_LOST',
      outcome: 'unknown',
      hint: 'it may have reached the market or not: await its `settled`, or ask for the open orders first',
    });
    expect(sent('placeOrder')).toEqual([]);
    // The gateway says again that 5 is next; but that one was used.
    expect(await connection.nextOrderId()).toBe(6);
    line.last.say('disconnected');
    await expect(connection.placeOrder(6, AAPL, {})).rejects.toThrow('not sent, the connection is waiting');
    await connection.close();
  });

  it('for cancelling an order are answered by its status, or by IB 202', async () => {
    const { clock, line, connection } = await start();
    const first = connection.cancelOrder(5);
    await clock.settle();
    // That the gateway works on it is no answer as yet.
    line.last.say('orderStatus', 5, 'PendingCancel', 40, 60, 1.5);
    line.last.say('orderStatus', 5, 'Cancelled', 40, 60, 1.5);
    await expect(first).resolves.toMatchObject({
      orderId: 5,
      status: 'Cancelled',
      filled: 40,
      remaining: 60,
    });
    const second = connection.cancelOrder(6);
    await clock.settle();
    line.last.say('error', 'Order Canceled - reason:', 202, 6);
    await expect(second).resolves.toMatchObject({ status: 'Cancelled', filled: null, remaining: null });
  });

  it('that are the same share one answer', async () => {
    const { clock, line, connection, sent } = await start();
    const abort = new AbortController();
    const asked = [
      connection.historicalData(HISTORY, { signal: abort.signal }),
      connection.historicalData(HISTORY),
    ];
    const all = [connection.positions(), connection.positions()];
    await clock.settle();
    expect(sent('reqHistoricalData')).toHaveLength(1);
    expect(sent('reqPositions')).toHaveLength(1);
    abort.abort(new Error('I have changed my mind'));
    await expect(asked[0]).rejects.toThrow('changed my mind');
    line.last.say('historicalData', FIRST_REQUEST_ID + 1, 'finished-1-2', -1);
    await expect(asked[1]).resolves.toEqual([]);
    line.last.say('position', 'DU1', AAPL, 100, 12.5);
    line.last.say('positionEnd');
    const held = [{ account: 'DU1', contract: AAPL, quantity: 100, averageCost: 12.5 }];
    await expect(Promise.all(all)).resolves.toEqual([held, held]);
    await clock.settle();
    expect(sent('cancelPositions')).toHaveLength(1);
  });

  it('all settle when the connection is closed', async () => {
    const { clock, connection } = await start();
    const asked = [
      connection.currentTime(),
      connection.contractDetails(AAPL),
      connection.historicalData(HISTORY),
      connection.positions(),
      connection.accountValues('DU1'),
    ];
    await clock.settle();
    const outcomes = Promise.allSettled(asked);
    await connection.close();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_IB_CLOSED' } });
    }
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });
});

describe('subscriptions', () => {
  it('to the same data share one stream, which ends with the last of them', async () => {
    const { clock, line, connection, sent } = await start();
    const ticks: Tick[][] = [[], []];
    const [one, two] = ticks.map((list) => connection.subscribe(AAPL, (tick) => list.push(tick)));
    await clock.settle();
    expect(sent('reqMktData')).toHaveLength(1);
    const id = FIRST_REQUEST_ID + 1;
    line.last.say('tickPrice', id, 1, 99.5, true);
    line.last.say('tickSize', id, 0, 300);
    expect(ticks[0]).toEqual([
      { kind: 'price', field: 1, price: 99.5 },
      { kind: 'size', field: 0, size: 300 },
    ]);
    expect(ticks[1]).toEqual(ticks[0]);
    one?.close();
    one?.close();
    await clock.settle();
    expect(sent('cancelMktData')).toEqual([]);
    two?.close();
    await clock.settle();
    expect(sent('cancelMktData')).toEqual([['cancelMktData', id]]);
    expect(connection.figures().subscriptions).toMatchObject({ wanted: 0, live: 0, listeners: 0 });
  });

  it('are asked for again once after a reconnect and after 1101', async () => {
    const { clock, line, connection, reconnect, sent } = await start();
    const ticks: Tick[] = [];
    connection.subscribe(AAPL, (tick) => ticks.push(tick));
    connection.subscribe(MSFT, () => {
      throw new Error('a listener of little care');
    });
    await clock.settle();
    await reconnect();
    expect(sent('reqMktData')).toHaveLength(2);
    line.last.say('info', 'restored, data lost', 1101);
    await clock.settle();
    expect(sent('reqMktData')).toHaveLength(4);
    expect(sent('cancelMktData')).toEqual([]);
    const ids = line.last.calls.map(([, id]) => id);
    for (const id of ids) line.last.say('tickPrice', id, 4, 1, false);
    expect(ticks).toHaveLength(1);
    expect(connection.figures().subscriptions).toEqual({
      wanted: 2,
      live: 2,
      listeners: 2,
      resubscribed: 4,
      listenerErrors: 1,
    });
  });

  it('that still wait for the pacing are not asked for twice in a storm of 1101', async () => {
    const { clock, line, connection, sent } = await start({ heartbeatMs: 1e9 });
    for (let i = 0; i < 60; i++) connection.subscribe({ ...AAPL, symbol: `S${i}` }, () => {});
    await clock.settle();
    for (let i = 0; i < 3; i++) line.last.say('info', 'restored, data lost', 1101);
    await clock.advance(900);
    const before = sent('reqMktData').length;
    expect(before).toBe(44);
    await clock.advance(10_000);
    // Those live ones once more, and the others that waited: START_API was a message, too.
    expect(sent('reqMktData')).toHaveLength(44 + 60);
    await connection.close();
  });

  it.each([
    [true, 1, 0],
    [false, 2, 1],
  ])('follow the policy at 1102: trust %s', async (trust1102, asked, cancelled) => {
    const { clock, line, connection, sent } = await start({ trust1102 });
    connection.subscribe(AAPL, () => {});
    await clock.settle();
    line.last.say('info', 'restored, data kept', 1102);
    await clock.settle();
    expect(sent('reqMktData')).toHaveLength(asked);
    expect(sent('cancelMktData')).toHaveLength(cancelled);
  });

  it('that are refused say so, and are tried again with the next session', async () => {
    const { clock, line, connection, reconnect, sent } = await start();
    const errors: string[] = [];
    const subscription = connection.subscribe(AAPL, () => {}, { onError: ({ code }) => errors.push(code) });
    await clock.settle();
    line.last.say('error', 'delayed', 10_167, FIRST_REQUEST_ID + 1);
    line.last.say('error', 'not subscribed', 354, FIRST_REQUEST_ID + 1);
    expect(errors).toEqual(['ERR_IB_NOT_SUBSCRIBED']);
    await reconnect();
    expect(sent('reqMktData')).toHaveLength(1);
    subscription.close();
  });

  it('made while there is no connection are asked for when there is', async () => {
    const { clock, line, connection, sent } = await start();
    line.last.say('disconnected');
    const kept = connection.subscribe(AAPL, () => {});
    connection.subscribe(MSFT, () => {}).close();
    await clock.advance(5000);
    line.last.beReady();
    await clock.settle();
    expect(sent('reqMktData')).toEqual([['reqMktData', expect.any(Number), AAPL, '', false, false]]);
    kept.close();
  });
});

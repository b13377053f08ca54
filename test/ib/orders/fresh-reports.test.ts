import { describe, expect, it } from 'vitest';
import { AAPL, connected, LIMIT } from '../connected.js';

const WARNING_LOT =
  'Order Message:\nBUY 20000 EUR.USD Forex\nWarning: Your order size is below the EUR 20000 IdealPro minimum and will be routed as an odd lot order.';
const NOT_CANCELLABLE = 'OrderId 5 that needs to be cancelled can not be cancelled, state: ';

/** Reports of users of backtrader, Lean, ib_insync, nautilus_trader, node-ib, rust-ibapi and others, as input. */
describe('reported of orders at real gateways', () => {
  it('backtrader: a remark (399) on an odd lot was taken for a rejection', async () => {
    const { connection, open, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    error(5, 399, WARNING_LOT);
    open(5, 'Submitted', { permId: 7 });
    status(5, 'Submitted', 0, 100, { permId: 7 });
    expect(await order).toMatchObject({ status: 'Submitted' });
    expect(order).toMatchObject({ state: 'working', messages: [{ ibCode: 399, class: 'advisory' }] });
    await connection.close();
  });

  it('Lean: a change of an order that is filled (104) made the order invalid', async () => {
    const { clock, connection, status, fill, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted', 0, 100, { permId: 7 });
    const changing = order.modify({ lmtPrice: 11 });
    await clock.settle();
    error(5, 104, "Can't modify a filled order.");
    await expect(changing).rejects.toMatchObject({ outcome: 'rejected', ibCode: 104 });
    fill(5, '0000e0d5.1.01.01', 100, { permId: 7, cumQty: 100 });
    status(5, 'Filled', 100, 0, { permId: 7 });
    expect(await order.done).toMatchObject({ state: 'filled', filled: 100, reason: null });
    await connection.close();
  });

  it('ib_insync: 135 to a change of a stop names its filled parent; the stop lives', async () => {
    const { clock, connection, status, error, open } = await connected();
    const { entry, stopLoss } = connection.placeBracket(AAPL, {
      entry: LIMIT,
      stopLoss: { orderType: 'STP', auxPrice: 8 },
    });
    status(5, 'Filled', 100, 0, { permId: 7 });
    open(6, 'Submitted', { permId: 8 });
    expect(entry.state).toBe('filled');
    const changing = stopLoss?.modify({ auxPrice: 9 });
    await clock.settle();
    error(6, 135, "Can't find order with id =5");
    await expect(changing).rejects.toMatchObject({ outcome: 'rejected', ibCode: 135 });
    expect(stopLoss).toMatchObject({ state: 'working', order: { auxPrice: 8 } });
    await connection.close();
  });

  it('ib_insync: a child whose parent is gone (135) is refused at once, and not waited for', async () => {
    const { clock, connection, status, error } = await connected();
    connection.placeOrder(AAPL, LIMIT);
    status(5, 'Cancelled', 0, 100, { permId: 7 });
    const child = connection.placeOrder(AAPL, { ...LIMIT, action: 'SELL', parentId: 5 });
    await clock.settle();
    error(6, 135, "Can't find order with id =5");
    await expect(child.accepted).rejects.toMatchObject({ outcome: 'rejected', ibCode: 135 });
    await connection.close();
  });

  it.each([
    [10_326, 'OCA group revision is not allowed'],
    [10_327, 'OCA group type revision is not allowed'],
    [10_341, 'Parent order id cannot be modified'],
  ])('nautilus_trader: %i to a change of an exit leaves the exit as it was', async (code, text) => {
    const { clock, connection, open, error } = await connected();
    const order = connection.placeOrder(AAPL, { ...LIMIT, ocaGroup: 'exits' });
    open(5, 'Submitted', { permId: 7 });
    const changing = order.modify({ lmtPrice: 11 });
    await clock.settle();
    error(5, code, text);
    await expect(changing).rejects.toMatchObject({ outcome: 'rejected', ibCode: code });
    expect(order).toMatchObject({ state: 'working', order: { lmtPrice: 10 } });
    await connection.close();
  });

  it('ib_insync: a volatility that TWS fills in itself is refused when it comes back (321)', async () => {
    const { clock, connection, sent, open, error, lists } = await connected({
      orders: { orderRefPrefix: 'mine' },
    });
    for (let list = 0; list < 3; list++) {
      lists();
      await clock.settle();
    }
    // An order of an earlier process, as TWS lists it.
    open(5, 'Submitted', { permId: 7, orderRef: 'mine-1', volatility: 0, deltaNeutralOrderType: 'None' });
    const changing = connection.order('mine-1')?.modify({ lmtPrice: 11 });
    await clock.settle();
    expect(sent('placeOrder').at(-1)?.[2]).not.toHaveProperty('volatility');
    const text =
      'VOL order requires non-negative floating point value for volatility.  Do not set it for other order types.';
    error(5, 321, `Error validating request.-'bS' : cause - ${text}`);
    await expect(changing).rejects.toMatchObject({ outcome: 'rejected', ibCode: 321 });
    expect(connection.order('mine-1')?.state).toBe('working');
    await connection.close();
  });

  it.each([
    ["Error validating request:-'td' : cause - Missing order exchange", 'ERR_IB_REQUEST'],
    ["Error validating request:-'ke' : cause - You must specify an account.", 'ERR_IB_ACCOUNT'],
    ["Error validating request.-'cq' : cause - Invalid account code", 'ERR_IB_ACCOUNT'],
  ])('qtpylib, node-ib, deephaven: an order with 321 is over: %s', async (text, code) => {
    const { connection, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    error(5, 321, text);
    expect(await order.done).toMatchObject({ state: 'rejected', reason: { code, ibCode: 321 } });
    await connection.close();
  });

  it('ib_insync: the second of two cancellations is told PendingCancel (10148); both end with the order', async () => {
    const { clock, connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted', 0, 100, { permId: 7 });
    const cancellations = [order.cancel(), order.cancel()];
    await clock.settle();
    status(5, 'PendingCancel', 0, 100, { permId: 7 });
    error(5, 10_148, `${NOT_CANCELLABLE}PendingCancel.`);
    status(5, 'Cancelled', 0, 100, { permId: 7 });
    error(5, 202, 'Order Canceled - reason:');
    for (const one of cancellations) expect(await one).toMatchObject({ status: 'Cancelled' });
    await connection.close();
  });

  it('Lean: order 0, which was entered in TWS, cannot be canceled: nothing is sent', async () => {
    const { connection, sent } = await connected();
    for (const id of [0, 1.5, Number.NaN, 2 ** 31]) {
      await expect(connection.cancelOrder(id)).rejects.toMatchObject({
        code: 'ERR_IB_OPTION',
        outcome: 'not-sent',
      });
    }
    expect(sent('cancelOrder')).toEqual([]);
    await connection.close();
  });

  it('ib_insync: Inactive, and Cancelled while nobody was connected: in the list without an order id', async () => {
    const { clock, connection, open, status, drop, reconnect, lists } = await connected({
      nextOrderId: 4119,
    });
    const order = connection.placeOrder(AAPL, { ...LIMIT, tif: 'GTC', outsideRth: true });
    open(4119, 'PreSubmitted', { permId: 69_483_056 });
    status(4119, 'Inactive', 0, 877, { permId: 69_483_056 });
    drop();
    await reconnect();
    const completed = [{ order: { permId: 69_483_056, filledQuantity: 0 }, state: { status: 'Cancelled' } }];
    for (let list = 0; list < 3; list++) {
      lists({ completed });
      await clock.settle();
    }
    expect(await order.done).toMatchObject({ state: 'cancelled' });
    await connection.close();
  });

  it('rust-ibapi: 105 to a change was heard by nobody, and the fill after it was lost', async () => {
    const { clock, connection, status, error, fill } = await connected({ nextOrderId: 134_050_010 });
    const order = connection.placeOrder(AAPL, { ...LIMIT, orderType: 'STP', auxPrice: 9 });
    status(134_050_010, 'PreSubmitted', 0, 100, { permId: 7 });
    const changing = order.modify({ auxPrice: 8 });
    await clock.settle();
    error(134_050_010, 105, 'Order being modified does not match original order.');
    await expect(changing).rejects.toMatchObject({ ibCode: 105 });
    fill(134_050_010, '000132b0.665e3431.01.01', 100, { permId: 7, cumQty: 100 });
    expect(order).toMatchObject({ state: 'filled', fills: [{ quantity: 100 }] });
    await connection.close();
  });

  it('Lean: an MOC order that is not for the day (113), and a fraction of a share (10243), are over', async () => {
    const { connection, error } = await connected();
    const [moc, fraction] = [connection.placeOrder(AAPL, LIMIT), connection.placeOrder(AAPL, LIMIT)];
    error(5, 113, 'The TIF option should be set to DAY for MOC and LOC orders.');
    error(6, 10_243, 'Fractional-sized order cannot be placed via API. Please use desktop version.');
    expect(await moc.done).toMatchObject({ state: 'rejected', reason: { ibCode: 113 } });
    expect(await fraction.done).toMatchObject({ state: 'rejected', reason: { ibCode: 10_243 } });
    await connection.close();
  });

  it('Lean: of orders that were sent in one second, one got no answer at all; the others filled', async () => {
    const { clock, connection, fill, status, lists } = await connected({ orders: { recheckMs: 100 } });
    const orders = [0, 1, 2].map(() => connection.placeOrder(AAPL, LIMIT, { timeoutMs: 3000 }));
    for (const id of [5, 7]) {
      fill(id, `e${id}`, 100, { permId: id, cumQty: 100 });
      status(id, 'Filled', 100, 0, { permId: id });
    }
    await clock.advance(3001);
    await expect(orders[1]?.accepted).rejects.toMatchObject({ outcome: 'unknown' });
    for (let list = 0; list < 7; list++) {
      lists({ completed: [] });
      await clock.advance(150);
    }
    expect(orders.map(({ state }) => state)).toEqual(['filled', 'not-sent', 'filled']);
    await connection.close();
  });

  it('pysystemtrade: a commission that is not known yet (-1) was booked as nothing', async () => {
    const { connection, status, fill, commission } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    fill(5, '0000e0d5.1.01.01', 100, { permId: 9, cumQty: 100 });
    status(5, 'Filled', 100, 0, { permId: 9 });
    commission('0000e0d5.1.01.01', -1);
    expect(await order.done).toMatchObject({ state: 'filled', commission: null });
    commission('0000e0d5.1.01.01', 1.25);
    expect(order.commissions).toMatchObject([{ amount: 1.25 }]);
    await connection.close();
  });

  it('ib_async: every message that nobody knows is a reason to look, and none is a verdict', async () => {
    const { clock, connection, open, error, lists } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    open(5, 'Submitted', { permId: 7 });
    const changing = order.modify({ lmtPrice: 11 });
    const canceling = order.cancel();
    changing.catch(() => {});
    canceling.catch(() => {});
    await clock.settle();
    error(5, 19_999, 'A message of next year.');
    // An open order that was on its way already says nothing of the change.
    open(5, 'Submitted', { permId: 7 });
    await clock.advance(1001);
    lists({ open: [{ id: 5, order: { permId: 7 } }] });
    await clock.settle();
    await expect(changing).rejects.toMatchObject({ outcome: 'rejected', ibCode: 19_999 });
    expect(order.state).toBe('working');
    open(5, 'Cancelled', { permId: 7 });
    expect(await canceling).toMatchObject({ status: 'Cancelled' });
    await connection.close();
  });
});

describe('reported of data at real gateways', () => {
  const bars = (say: (event: string, ...args: unknown[]) => void, id: number) => {
    say('historicalData', id, '20260105', 1, 3, 0.5, 2, 10, 3, 1.5, false);
    say('historicalData', id, 'finished-a-b', -1, -1, -1, -1, -1, -1, -1, false);
  };
  const query = { contract: AAPL, duration: '1 D', barSize: '1 day' };

  it.each([
    [
      2176,
      'Warning: Your API version does not support fractional share size rules. Trimmed value 9390.73 to 9390',
    ],
    [2174, 'Warning: You submitted request with date-time attributes without explicit time zone.'],
    [2188, 'Up-to-the-second historical data requires additional subscription for the API.'],
    [10_285, 'Warning: Your API version does not support fractional share size rules.'],
  ])('ib-tws-api, rust-ibapi: history goes on after %i', async (code, text) => {
    const { clock, connection, sent, error, say } = await connected();
    const history = connection.historicalData(query);
    await clock.settle();
    const id = Number(sent('reqHistoricalData')[0]?.[0]);
    error(id, code, text);
    bars(say, id);
    expect(await history).toHaveLength(1);
    await connection.close();
  });

  it.each([
    [10_314, 'End Date/Time: The date, time, or time-zone entered is invalid.', 'ERR_IB_REQUEST'],
    [10_339, 'Setting end date/time for continuous future security type is not allowed', 'ERR_IB_REQUEST'],
    [10_285, 'Your API version does not support fractional size rules.', 'ERR_IB_REQUEST'],
    [
      162,
      'Historical Market Data Service error message:No market data permissions for ISLAND STK',
      'ERR_IB_HISTORY',
    ],
    [162, 'Trading TWS session is connected from a different IP address', 'ERR_IB_NOT_SUBSCRIBED'],
    [200, 'The contract description specified for CSCO is ambiguous.', 'ERR_IB_NO_CONTRACT'],
    [321, "Error validating request.-'bT' : cause - Please enter exchange", 'ERR_IB_REQUEST'],
  ])(
    'backtrader, stoqey/ibkr, ibkr-docker: history that is refused ends at once (%i %s)',
    async (code, text, wanted) => {
      const { clock, connection, sent, error, say } = await connected();
      const history = connection.historicalData(query);
      history.catch(() => {});
      await clock.settle();
      error(Number(sent('reqHistoricalData')[0]?.[0]), code, text);
      await expect(history).rejects.toMatchObject({ code: wanted, ibCode: code });
      // A refusal is not kept for the next who asks: while a gateway was cut off from IB, it said 200 of what exists.
      const again = connection.historicalData(query);
      await clock.settle();
      bars(say, Number(sent('reqHistoricalData')[1]?.[0]));
      expect(await again).toHaveLength(1);
      await connection.close();
    },
  );

  it('deephaven: a refusal of what only advisors send (321, without an id) is not about the positions', async () => {
    const { clock, connection, info, say } = await connected();
    const positions = connection.positions();
    await clock.settle();
    info(321, "Error validating request.-'ce' : cause - FA data operations ignored for non FA customers.");
    say('error', 'FA data operations ignored for non FA customers.', 321, 2_147_483_647, null);
    say('position', 'DU1', AAPL, 10, 100);
    say('positionEnd');
    expect(await positions).toHaveLength(1);
    await connection.close();
  });

  it('IBC: a night of 2103, 2104 and 1100 again and again ends with 1102, and one look at the orders', async () => {
    const { clock, connection, sent, info, status, lists } = await connected();
    const ticks: unknown[] = [];
    connection.subscribe(AAPL, (tick) => void ticks.push(tick));
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted', 0, 100, { permId: 7 });
    for (let night = 0; night < 5; night++) {
      info(2103, 'Market data farm connection is broken:usfarm');
      info(2104, 'Market data farm connection is OK:usfarm');
      info(1100, 'Connectivity between IB and Trader Workstation has been lost.');
      await clock.advance(60_000);
    }
    expect(connection.figures()).toMatchObject({ upstream: 'down', reconnects: 0 });
    info(1102, 'Connectivity between IB and Trader Workstation has been restored - data maintained.');
    await clock.settle();
    lists({ open: [{ id: 5, order: { permId: 7 } }] });
    await clock.settle();
    lists({ open: [{ id: 5, order: { permId: 7 } }] });
    await clock.settle();
    lists();
    expect(sent('reqAllOpenOrders')).toHaveLength(1);
    expect(sent('reqMktData')).toHaveLength(1);
    expect(connection.figures()).toMatchObject({ upstream: 'up' });
    expect(order.state).toBe('working');
    await connection.close();
  });
});

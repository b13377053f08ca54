import { describe, expect, it } from 'vitest';
import { defaultCodes } from '../../../src/ib/codes.js';
import { AAPL, connected, LIMIT } from '../connected.js';

/** More of what users of public clients have reported of real gateways, as input. */
describe('reported of real gateways', () => {
  it('stoqey/ib: an order whose id is 0 is refused (10149): it is not sent', async () => {
    const { clock, connection, sent } = await connected();
    for (const id of [0, -1, 1.5, Number.NaN, 2_147_483_647]) {
      const order = connection.placeOrder(id, AAPL, LIMIT);
      await clock.settle();
      expect(order.state).toBe('not-sent');
      await expect(order.accepted).rejects.toMatchObject({ code: 'ERR_IB_OPTION', outcome: 'not-sent' });
    }
    expect(sent('placeOrder')).toEqual([]);
    connection.placeOrder(2_147_483_646, AAPL, LIMIT).accepted.catch(() => {});
    await clock.settle();
    expect(sent('placeOrder')).toHaveLength(1);
    await connection.close();
  });

  it('stoqey/ib: every message about an order comes three times', async () => {
    const { connection, open, status } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const states: string[] = [];
    order.on((event) => void (event.kind === 'state' && states.push(event.state)));
    for (let time = 0; time < 3; time++) {
      open(5, 'PreSubmitted', { permId: 7 });
      status(5, 'PreSubmitted', 0, 100, { permId: 7 });
    }
    expect(await order).toMatchObject({ status: 'PreSubmitted' });
    expect(states).toEqual(['working']);
    await connection.close();
  });

  it('scmhub/ibsync: PendingCancel was taken for the end, and the order was filled', async () => {
    const { clock, connection, open, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    open(5, 'Submitted', { permId: 7 });
    const canceling = order.cancel();
    await clock.settle();
    status(5, 'PendingCancel');
    expect(order.state).toBe('working');
    status(5, 'Filled', 100, 0);
    error(5, 10_148, 'OrderId 5 that needs to be cancelled cannot be cancelled, state: Filled.');
    await expect(canceling).rejects.toMatchObject({ outcome: 'rejected' });
    expect(await order.done).toMatchObject({ state: 'filled', filled: 100 });
    await connection.close();
  });

  it('ib_insync: the cancellation of an inactive order has no answer; it is not taken for canceled', async () => {
    const { clock, connection, open, status, lists } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    open(5, 'PreSubmitted', { permId: 7 });
    status(5, 'Inactive', 0, 100, { permId: 7, whyHeld: 'locate' });
    const canceling = order.cancel({ timeoutMs: 1000 });
    canceling.catch(() => {});
    await clock.advance(1001);
    await expect(canceling).rejects.toMatchObject({ outcome: 'unknown', code: 'ERR_IB_TIMEOUT' });
    lists({ open: [{ id: 5, word: 'Inactive', order: { permId: 7 } }] });
    await clock.settle();
    lists({});
    await clock.settle();
    lists({});
    await clock.settle();
    expect(order.state).toBe('inactive');
    status(5, 'Filled', 100, 0, { permId: 7 });
    expect(await order.done).toMatchObject({ state: 'filled' });
    await connection.close();
  });

  it('Lean: a cancellation is answered when the market opens, long after anybody waited', async () => {
    const { clock, connection, open, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    open(5, 'PreSubmitted', { permId: 7 });
    const canceling = order.cancel({ timeoutMs: 1000 });
    canceling.catch(() => {});
    await clock.advance(3_600_000);
    await expect(canceling).rejects.toMatchObject({ outcome: 'unknown' });
    status(5, 'Cancelled', 0, 100, { permId: 7 });
    error(5, 202, 'Order Canceled - reason:');
    expect(await order.done).toMatchObject({ state: 'cancelled', remaining: 100 });
    await connection.close();
  });

  it('ib_insync: a change that was refused (110) took the order out of the open ones', async () => {
    const { clock, connection, open, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    open(5, 'Submitted', { permId: 7 });
    const changing = order.modify({ lmtPrice: 45.55 });
    await clock.settle();
    error(5, 110, 'The price does not conform to the minimum price variation for this contract.');
    await expect(changing).rejects.toMatchObject({ outcome: 'rejected', ibCode: 110 });
    expect(order.state).toBe('working');
    expect(order.order.lmtPrice).toBe(10);
    await connection.close();
  });

  it('ib_insync: an order that is held while shares are located (404) was taken for canceled', async () => {
    const { connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    error(5, 404, 'Order held while securities are located.');
    status(5, 'PreSubmitted', 0, 100, { whyHeld: 'locate' });
    expect(await order).toMatchObject({ status: 'PreSubmitted', whyHeld: 'locate' });
    await connection.close();
  });

  it('ib_insync: a refusal (321) of a gateway that speaks Spanish', async () => {
    const { connection, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    error(5, 321, "Error al validar la solicitud.-'bS' : causa - El tama\\u00f1o de la orden no se ajusta.");
    expect(await order.done).toMatchObject({ state: 'rejected', reason: { ibCode: 321 } });
    await connection.close();
  });

  it('thetagang: the rejection comes before Cancelled; it is no cancellation', async () => {
    const { connection, open, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    open(5, 'PendingSubmit', { permId: 7 });
    error(5, 201, 'Order rejected - reason:The margin requirement is not met.');
    status(5, 'Cancelled', 0, 100, { permId: 7 });
    expect(await order.done).toMatchObject({ state: 'rejected', reason: { ibCode: 201 } });
    await connection.close();
  });

  it('hadrianl/ibapi: 10274 refuses an order; 2168 and 2169 do not', async () => {
    const { connection, status, error } = await connected();
    const [refused, warned] = [connection.placeOrder(AAPL, LIMIT), connection.placeOrder(AAPL, LIMIT)];
    error(5, 10_274, "The 'PostToATS' order attribute may not be specified for this order or is invalid.");
    error(6, 2168, "Warning: The 'EtradeOnly' order attribute is not supported.");
    error(6, 2169, "Warning: The 'FirmQuoteOnly' order attribute is not supported.");
    status(6, 'Submitted');
    expect(await refused.done).toMatchObject({ state: 'rejected' });
    expect(await warned).toMatchObject({ status: 'Submitted' });
    expect(warned.messages.map(({ ibCode }) => ibCode)).toEqual([2168, 2169]);
    await connection.close();
  });

  it('ib_insync: an order filled while the client was away was in no list of its', async () => {
    const { clock, connection, open, drop, reconnect, lists } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    open(5, 'PreSubmitted', { permId: 300_501_251 });
    drop();
    await reconnect();
    lists({});
    await clock.settle();
    lists({
      executions: [{ orderId: 5, execId: '0000e1a7.5c46793a.01.01', shares: 100, permId: 300_501_251 }],
    });
    await clock.settle();
    lists({});
    await clock.settle();
    expect(order.state).toBe('filled');
    expect(order.fills).toHaveLength(1);
    await connection.close();
  });

  it('rust-ibapi: a list of open orders hung when the connection was lost in the middle of it', async () => {
    const { clock, connection, open, drop, reconnect, lists } = await connected();
    const orders = connection.openOrders();
    await clock.settle();
    open(9, 'Submitted', { permId: 1 });
    drop();
    await reconnect();
    lists({ open: [{ id: 8, order: { permId: 2 } }] });
    await clock.settle();
    lists({ open: [{ id: 8, order: { permId: 2 } }] });
    expect((await orders).map(({ orderId }) => orderId)).toEqual([8]);
    await connection.close();
  });

  it('ib-scripts: 162 in Spanish is no pacing violation, and is not asked again', async () => {
    const { clock, connection, sent, error } = await connected();
    const bars = connection.historicalData({ contract: AAPL, duration: '1 D', barSize: '1 secs' });
    bars.catch(() => {});
    await clock.settle();
    const id = Number(sent('reqHistoricalData')[0]?.[0]);
    error(id, 162, 'Mensaje de error de los servicios de datos de mercado hist\\u00f3ricos:invalid step: 1');
    await expect(bars).rejects.toMatchObject({ code: 'ERR_IB_HISTORY', ibCode: 162 });
    expect(sent('reqHistoricalData')).toHaveLength(1);
    await connection.close();
  });

  it('nautilus_trader: Inactive alone was dropped without a word', async () => {
    const { connection, open, status } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const states: string[] = [];
    order.on((event) => void (event.kind === 'state' && states.push(event.state)));
    open(5, 'Inactive', { permId: 7 });
    status(5, 'Inactive', 0, 100, { permId: 7 });
    expect(await order).toMatchObject({ status: 'Inactive' });
    expect(states).toEqual(['inactive']);
    await connection.close();
  });

  it('ib_insync: 103 to an id of the callers own, given twice', async () => {
    const { clock, connection, status, error, lists } = await connected();
    const order = connection.placeOrder(14_403_343, AAPL, LIMIT);
    order.accepted.catch(() => {});
    await clock.settle();
    error(14_403_343, 103, 'Duplicate order id');
    // The order that has the id may be ours, from before.
    expect(order.state).toBe('sent');
    await clock.advance(1001);
    lists({ open: [{ id: 14_403_343, order: { permId: 7 } }] });
    await clock.settle();
    status(14_403_343, 'Submitted', 0, 100, { permId: 7 });
    expect(order.state).toBe('working');
    await connection.close();
  });
});

describe('an order that TWS holds (transmit: false)', () => {
  it('is accepted when its time is up without a refusal, and stays held', async () => {
    const { clock, connection, sent } = await connected();
    const order = connection.placeOrder(AAPL, { ...LIMIT, transmit: false }, { timeoutMs: 500 });
    await clock.advance(501);
    expect(await order).toMatchObject({ status: '', filled: null });
    expect(order.state).toBe('held');
    expect(sent('reqAllOpenOrders')).toEqual([]);
    await connection.close();
  });

  it('is refused all the same, and working once it is transmitted', async () => {
    const { clock, connection, open, error } = await connected();
    const refused = connection.placeOrder(AAPL, { ...LIMIT, transmit: false });
    const released = connection.placeOrder(AAPL, { ...LIMIT, transmit: false }, { timeoutMs: 500 });
    await clock.settle();
    error(5, 110, 'The price does not conform to the minimum price variation for this contract.');
    await expect(refused.accepted).rejects.toMatchObject({ outcome: 'rejected', ibCode: 110 });
    await clock.advance(501);
    open(6, 'Submitted', { permId: 7 });
    expect(released.state).toBe('working');
    await connection.close();
  });
});

describe('the codes that the vendor lists', () => {
  it.each([
    [114, 'order', 'refusal'],
    [129, 'order', 'refusal'],
    [137, 'cancel', 'refusal'],
    [168, 'modify', 'refusal'],
    [339, 'what-if', 'refusal'],
    [376, 'order', 'refusal'],
    [405, 'order', 'refusal'],
    [431, 'history', 'refusal'],
    [444, 'modify', 'refusal'],
    [449, 'order', 'refusal'],
    [10_003, 'order', 'refusal'],
    [10_016, 'contract', 'refusal'],
    [10_027, 'order', 'refusal'],
    [10_240, 'order', 'refusal'],
    [10_254, 'order', 'refusal'],
  ] as const)('%i of %s is a %s', (code, subject, wanted) => {
    expect(defaultCodes.classify(code, 'text', [subject]).class).toBe(wanted);
  });
});

import { describe, expect, it } from 'vitest';
import { AAPL, connected, LIMIT } from '../connected.js';

/** What users of public clients have reported of real gateways, as input. */
describe('reported of real gateways', () => {
  it('ib_async: 10349, then Submitted; the caller ordered fifteen times, and all were filled', async () => {
    const { clock, connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    error(5, 10_349, 'Order TIF was set to DAY based on order preset.');
    await clock.advance(50);
    status(5, 'Submitted');
    expect(await order).toMatchObject({ status: 'Submitted' });
    await connection.close();
  });

  it('ib_insync: PreSubmitted, 201, then Inactive twice; the order stayed among the open ones for ever', async () => {
    const { connection, open, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'PreSubmitted');
    error(5, 201, 'Order rejected - reason:The contract is not available for trading');
    open(5, 'Inactive');
    status(5, 'Inactive');
    expect(await order.done).toMatchObject({ state: 'rejected', reason: { ibCode: 201 } });
    await connection.close();
  });

  it('ib_insync: an open order after the cancellation brought the order back', async () => {
    const { connection, open, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted', 0, 100, { permId: 9 });
    status(5, 'Cancelled', 0, 100, { permId: 9 });
    error(5, 202, 'Order Canceled - reason:');
    open(5, 'Submitted', { permId: 9 });
    expect(order.state).toBe('cancelled');
    await connection.close();
  });

  it('rust-ibapi: a rejection with line breaks and markup was swallowed', async () => {
    const { connection, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    error(5, 201, 'Order rejected - reason:\n<br>We are unable to accept your order.<br>');
    expect(await order.done).toMatchObject({ state: 'rejected' });
    await connection.close();
  });

  it('rust-ibapi: a cancellation of a gateway that speaks Chinese was an error', async () => {
    const { connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted');
    const canceled = order.cancel();
    status(5, 'Cancelled', 0, 100);
    error(5, 202, '订单已取消 - 原因:');
    expect(await canceled).toMatchObject({ status: 'Cancelled' });
    await connection.close();
  });

  it('nautilus_trader: a fill before the first open order was dropped', async () => {
    const { connection, fill } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    fill(5, '0000e0d5.1.01.01', 100, { permId: 9, cumQty: 100 });
    expect(order).toMatchObject({ state: 'filled', permId: 9 });
    await connection.close();
  });

  it('nautilus_trader: a fill of an earlier session was booked on the order that had got its id', async () => {
    const { connection, status, fill } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted', 0, 100, { permId: 10 });
    fill(5, '0000e0d5.1.01.01', 100, { permId: 9 });
    expect(order).toMatchObject({ state: 'working', fills: [] });
    await connection.close();
  });

  it('Lean: a fill during 1100 was dropped, since the client took itself for not connected', async () => {
    const { connection, info, status, fill } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted');
    info(1100, 'Connectivity between IB and Trader Workstation has been lost.');
    fill(5, '0000e0d5.1.01.01', 100);
    expect(order.state).toBe('filled');
    await connection.close();
  });

  it('Lean: the answer 10147 to a cancellation was not noticed for five minutes', async () => {
    const { clock, connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted');
    const canceled = order.cancel();
    await clock.settle();
    error(5, 10_147, 'OrderId 5 that needs to be cancelled is not found.');
    await expect(canceled).rejects.toMatchObject({ ibCode: 10_147 });
    await connection.close();
  });

  it('Lean: 200 refused an order within milliseconds, and was waited for for five minutes', async () => {
    const { connection, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    error(5, 200, 'No security definition has been found for the request');
    await expect(order.accepted).rejects.toMatchObject({ code: 'ERR_IB_NO_CONTRACT', outcome: 'rejected' });
    await connection.close();
  });

  it('Lean: the restart of a gateway lost orders, and rolled the ids back to theirs', async () => {
    const { connection, clock, drop, reconnect, lists } = await connected({ nextOrderId: 38_099 });
    for (let at = 0; at < 4; at++) connection.placeOrder(AAPL, LIMIT);
    drop();
    await reconnect({ nextOrderId: 38_099 });
    for (let list = 0; list < 3; list++) {
      lists();
      await clock.settle();
    }
    expect(connection.placeOrder(AAPL, LIMIT).id).toBe(38_103);
    await connection.close();
  });

  it('InterReact: 103 to a change right after the placement, whose order lives', async () => {
    const { clock, connection, status, error } = await connected();
    const order = connection.placeOrder(5, AAPL, LIMIT);
    const changed = connection.placeOrder(5, AAPL, { ...LIMIT, lmtPrice: 11 });
    status(5, 'Submitted');
    await clock.settle();
    error(5, 103, 'Duplicate order id');
    await expect(changed.accepted).rejects.toMatchObject({ ibCode: 103 });
    expect(order.state).toBe('working');
    await connection.close();
  });

  it('ib_insync: the state of an order that is gone comes with 10148, and with 10147 from then on', async () => {
    const { clock, connection, error } = await connected();
    for (const code of [10_148, 10_147, 10_147]) {
      const canceled = connection.cancelOrder(77);
      canceled.catch(() => {});
      await clock.settle();
      error(77, code, 'OrderId 77 that needs to be cancelled cannot be cancelled, state: Filled.');
      await expect(canceled).rejects.toMatchObject({ ibCode: code });
    }
    await connection.close();
  });

  it('pysystemtrade: an execution after Cancelled was lost', async () => {
    const { connection, status, fill } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Cancelled', 0, 100);
    fill(5, '0000e0d5.1.01.01', 100);
    expect(order).toMatchObject({ state: 'filled', fills: [{ quantity: 100 }] });
    await connection.close();
  });
});

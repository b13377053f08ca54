import { describe, expect, it } from 'vitest';
import { OrderError, type OrderEvent } from '../../../src/ib/orders/types.js';
import { AAPL, connected, LIMIT, MSFT } from '../connected.js';

/** The outcome of a promise so far. */
function seen<T>(promise: PromiseLike<T>): { value: T | null; error: unknown } {
  const box: { value: T | null; error: unknown } = { value: null, error: null };
  promise.then(
    (value) => {
      box.value = value;
    },
    (error: unknown) => {
      box.error = error;
    },
  );
  return box;
}

describe('an order', () => {
  it('has a handle at once, and goes from its first status to its last commission', async () => {
    const { clock, connection, status, open, fill, commission } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    expect(order).toMatchObject({ id: 5, permId: null, state: 'sent', fills: [], outcome: null });
    expect(order.orderRef).toMatch(/^poolctl-1-/);
    const events: string[] = [];
    const iterated = (async () => {
      for await (const event of order) events.push(event.kind === 'state' ? event.state : event.kind);
    })();
    const done = seen(order.done);
    // As captured of a market order on a paper account: open, status, fill, open, status, open, commission.
    open(5, 'PreSubmitted', { permId: 900 });
    status(5, 'PreSubmitted', 0, 100, { permId: 900 });
    await expect(order.accepted).resolves.toMatchObject({ orderId: 5, status: 'PreSubmitted', permId: 900 });
    expect(order.outcome).toMatchObject({ kind: 'accepted' });
    fill(5, '0001.65a.01.01', 100, { permId: 900, cumQty: 100, avgPrice: 10 });
    open(5, 'Filled', { permId: 900 });
    status(5, 'Filled', 100, 0, { permId: 900, averagePrice: 10 });
    open(5, 'Filled', { permId: 900 });
    commission('0001.65a.01.01', 1, { realizedPNL: Number.MAX_VALUE });
    await clock.settle();
    await iterated;
    expect(done.value).toMatchObject({ state: 'filled', filled: 100, remaining: 0, averageFillPrice: 10 });
    expect(await order.done).toMatchObject({ commission: 1, fills: [{ quantity: 100, price: 10 }] });
    expect(order.commissions).toEqual([
      { execId: '0001.65a.01.01', amount: 1, currency: 'USD', realizedPnl: null },
    ]);
    expect(events.filter((kind) => kind !== 'status')).toEqual([
      'sent',
      'working',
      'fill',
      'filled',
      'commission',
    ]);
    await connection.close();
  });

  it('awaited as a promise gives its first status, as before there were handles', async () => {
    const { connection, status } = await connected();
    const placed = connection.placeOrder(7, AAPL, LIMIT);
    status(7, 'PendingSubmit');
    expect(await placed).toMatchObject({ orderId: 7, status: 'PendingSubmit', filled: 0, remaining: 100 });
    // Its id counts as used.
    expect(await connection.nextOrderId()).toBe(8);
  });

  it.each([
    [10_349, 'Order TIF was set to DAY based on order preset.'],
    [399, 'Warning: your order will not be placed at the exchange until 09:30:00'],
    [404, 'Shares for this order are not immediately available for short sale'],
    [2109, 'Attribute Outside Regular Trading Hours is ignored'],
    [10_233, 'defaults taken from the CASH preset'],
    [99_999, 'Warning: something new'],
    [10_197, 'a code of market data'],
    [354, 'a code of market data'],
  ])('stands after the code %d, which says no more than that', async (code, text) => {
    const { clock, connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const placed = seen(order);
    error(5, code, text);
    await clock.settle();
    expect(placed).toEqual({ value: null, error: null });
    expect(order.messages).toMatchObject([{ ibCode: code, text, refused: null }]);
    status(5, 'Submitted');
    await clock.settle();
    expect(placed.value).toMatchObject({ status: 'Submitted' });
    expect(order.state).toBe('working');
    await connection.close();
  });

  it('is not rejected by an unknown code before the gateway has shown its state', async () => {
    const { clock, connection, sent, lists, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const placed = seen(order);
    error(5, 98_765, 'a code of next year');
    await clock.advance(1000);
    expect(sent('reqAllOpenOrders')).toHaveLength(1);
    lists({ open: [{ id: 5, order: { permId: 900 } }] });
    await clock.settle();
    expect(placed).toMatchObject({ value: { status: 'Submitted', permId: 900 }, error: null });
    await connection.close();
  });

  it('is rejected by an unknown code where the gateway has no trace of it, twice', async () => {
    const { clock, connection, lists, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const placed = seen(order);
    error(5, 98_765, 'a code of next year');
    await clock.advance(1000);
    for (const look of [1, 2]) {
      expect(placed.error, `before look ${look}`).toBeNull();
      for (let list = 0; list < 3; list++) {
        lists();
        await clock.settle();
      }
      await clock.advance(2000);
    }
    expect(placed.error).toBeInstanceOf(OrderError);
    expect(placed.error).toMatchObject({ outcome: 'rejected', ibCode: 98_765, settledBy: null });
    expect(order).toMatchObject({ state: 'rejected', outcome: { kind: 'rejected' } });
    await connection.close();
  });

  it.each([
    [110, 'The price does not conform to the minimum price variation', 'ERR_IB_ORDER_REJECTED'],
    [200, 'No security definition has been found for the request', 'ERR_IB_NO_CONTRACT'],
    [201, 'Order rejected - reason: margin', 'ERR_IB_ORDER_REJECTED'],
    [460, 'No trading permissions.', 'ERR_IB_ORDER_REJECTED'],
    [
      321,
      "Error validating request.-'b7' : cause - The API interface is currently in Read-Only mode.",
      'ERR_IB_READ_ONLY',
    ],
  ])('is rejected at once by %d', async (code, text, errorCode) => {
    const { clock, connection, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const placed = seen(order);
    error(5, code, text, { reject: 'details' });
    await clock.settle();
    expect(placed.error).toMatchObject({ code: errorCode, ibCode: code, outcome: 'rejected' });
    expect(await order.done).toMatchObject({ state: 'rejected', filled: null, remaining: null });
    expect(order.messages).toMatchObject([{ refused: 'place', advancedReject: { reject: 'details' } }]);
    await connection.close();
  });

  it('that a read-only gateway refuses without its id is rejected, with what to change', async () => {
    const { clock, connection, info } = await connected();
    const placed = seen(connection.placeOrder(AAPL, LIMIT));
    info(321, 'Error validating request:-b7 : cause - The API interface is currently in Read-Only mode.');
    await clock.settle();
    expect(placed.error).toMatchObject({
      code: 'ERR_IB_READ_ONLY',
      hint: expect.stringContaining('Read-Only API'),
    });
    await connection.close();
  });

  it('accepted and then rejected says so, and does not come back', async () => {
    const { connection, status, open, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const events: OrderEvent[] = [];
    order.on((event) => events.push(event));
    status(5, 'PendingSubmit');
    await order;
    error(5, 201, 'Order rejected - reason: YOUR ACCOUNT HAS INSUFFICIENT MARGIN');
    open(5, 'Inactive');
    status(5, 'Inactive');
    status(5, 'PreSubmitted');
    expect(order.state).toBe('rejected');
    expect(await order.done).toMatchObject({ state: 'rejected', reason: { ibCode: 201 } });
    expect(events.map(({ kind }) => kind)).toContain('message');
    await connection.close();
  });

  it('refused blindly, and shown to be live after all, lives', async () => {
    const { clock, connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    error(5, 107, 'Cannot transmit incomplete order.');
    await clock.settle();
    expect(order.state).toBe('rejected');
    status(5, 'Submitted');
    expect(order.state).toBe('working');
    status(5, 'Filled', 100, 0);
    expect(await order.done).toMatchObject({ state: 'filled' });
    await connection.close();
  });

  it('whose id was used before is looked for: another order may live under it', async () => {
    const { clock, connection, lists, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const placed = seen(order);
    error(5, 103, 'Duplicate order id');
    await clock.advance(1000);
    expect(placed.error).toBeNull();
    for (let list = 0; list < 3; list++) {
      lists({ open: [{ id: 5 }] });
      await clock.settle();
    }
    expect(order.state).toBe('working');
    await connection.close();
  });

  it('inactive waits, unless it was refused', async () => {
    const { connection, status } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Inactive', 0, 100, { whyHeld: 'locate' });
    expect(order).toMatchObject({ state: 'inactive', status: { whyHeld: 'locate' } });
    status(5, 'Submitted');
    expect(order.state).toBe('working');
    await connection.close();
  });

  it('takes fills before the first status, twice, corrected, and after its end', async () => {
    const { connection, status, fill, commission } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    // A commission before its fill, and a fill before any status.
    commission('0001.a.01.01', 0.5);
    fill(5, '0001.a.01.01', 40, { cumQty: 40, avgPrice: 10 });
    fill(5, '0001.a.01.01', 40, { cumQty: 40, avgPrice: 10 });
    expect(await order).toMatchObject({ filled: 40, remaining: null });
    expect(order.state).toBe('partly-filled');
    fill(5, '0001.a.01.02', 30, { cumQty: 30, avgPrice: 10 });
    expect(order.fills).toMatchObject([{ execId: '0001.a.01.02', quantity: 30, commission: null }]);
    status(5, 'Submitted', 30, 70);
    status(5, 'Cancelled', 30, 70);
    fill(5, '0002.b.01.01', 20);
    status(5, 'Submitted', 30, 70);
    expect(order).toMatchObject({ state: 'cancelled', status: { status: 'Cancelled', filled: 50 } });
    expect(order.fills).toHaveLength(2);
    // Ids that are not made up as IB's are no corrections of each other.
    const other = connection.placeOrder(AAPL, LIMIT);
    fill(6, 'exec.1', 10);
    fill(6, 'exec.2', 90);
    expect(other).toMatchObject({ state: 'filled', status: { filled: 100 } });
    await connection.close();
  });

  it('of a combination counts its whole, not its legs', async () => {
    const { connection, fill } = await connected();
    const order = connection.placeOrder({ symbol: 'A,B', secType: 'BAG' }, { ...LIMIT, totalQuantity: 2 });
    fill(5, 'l1.a.1.01', 2);
    fill(5, 'l2.a.1.01', 2);
    expect(order.state).toBe('partly-filled');
    expect(order.status.filled).toBeNull();
    await connection.close();
  });
});

describe('messages about one order', () => {
  it('at once have each a waiter of their own: placing and canceling', async () => {
    const { clock, connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const placed = seen(order);
    const canceled = seen(order.cancel());
    status(5, 'Cancelled', 0, 100);
    error(5, 202, 'Order Canceled - reason:');
    await clock.settle();
    expect(placed.value).toMatchObject({ status: 'Cancelled' });
    expect(canceled.value).toMatchObject({ status: 'Cancelled' });
    expect(connection.figures().inFlight).toBe(0);
    await connection.close();
  });

  it('at once have each a waiter of their own: two modifications', async () => {
    const { clock, connection, sent, status, open } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted');
    await order;
    const first = seen(order.modify({ lmtPrice: 11 }));
    const second = seen(order.modify({ lmtPrice: 12, totalQuantity: 90 }));
    await clock.settle();
    expect(sent('placeOrder').map(([, , one]) => one)).toMatchObject([
      { lmtPrice: 10, totalQuantity: 100 },
      { lmtPrice: 11, totalQuantity: 100, action: 'BUY', orderRef: order.orderRef },
      { lmtPrice: 12, totalQuantity: 90 },
    ]);
    // A fill meanwhile lists the old values: it answers neither.
    open(5, 'Submitted', { lmtPrice: 10 });
    status(5, 'Submitted', 10, 90);
    await clock.settle();
    expect([first.value, second.value]).toEqual([null, null]);
    open(5, 'Submitted', { lmtPrice: 11 });
    await clock.settle();
    expect(first.value).not.toBeNull();
    expect(second.value).toBeNull();
    open(5, 'Submitted', { lmtPrice: 12, totalQuantity: 90 });
    await clock.settle();
    expect(second.value).not.toBeNull();
    expect(order.order).toMatchObject({ lmtPrice: 12, totalQuantity: 90 });
    await connection.close();
  });

  it('by the id of an order that is known, change it, as with the clients of IB', async () => {
    const { clock, connection, status } = await connected();
    const first = connection.placeOrder(5, AAPL, LIMIT);
    status(5, 'Submitted');
    await first;
    const changed = connection.placeOrder(5, AAPL, { ...LIMIT, lmtPrice: 11 });
    const taken = seen(changed);
    status(5, 'Submitted');
    await clock.settle();
    expect(taken.value).toMatchObject({ status: 'Submitted' });
    expect(connection.orders()).toHaveLength(1);
    await connection.close();
  });

  it.each([
    [104, 'Cannot modify a filled order'],
    [105, 'Order being modified does not match original order'],
    [110, 'The price does not conform to the minimum price variation'],
    [2102, 'Unable to modify this order as it is still being processed'],
    [321, 'Error validating request'],
  ])('that are refused with %d leave the order as it was', async (code, text) => {
    const { clock, connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted');
    const changed = seen(order.modify({ lmtPrice: 11 }));
    await clock.settle();
    error(5, code, text);
    await clock.settle();
    expect(changed.error).toMatchObject({ outcome: 'rejected', ibCode: code });
    expect(order).toMatchObject({ state: 'working', messages: [{ refused: 'modify' }] });
    await connection.close();
  });

  it('a cancellation of a partly filled order reports what was said, and nothing else', async () => {
    const { clock, connection, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const done = seen(order.done);
    status(5, 'Submitted', 40, 60, { averagePrice: 10 });
    const canceled = seen(order.cancel());
    await clock.settle();
    error(5, 202, 'Order Canceled - reason:');
    await clock.settle();
    // The 202 has no figures: those are the last that the gateway has told.
    expect(canceled.value).toMatchObject({ status: 'Cancelled', filled: 40, remaining: 60 });
    expect(done.value).toBeNull();
    status(5, 'Cancelled', 50, 50, { averagePrice: 10 });
    await clock.settle();
    expect(done.value).toMatchObject({ state: 'cancelled', filled: 50, remaining: 50, averageFillPrice: 10 });
    await connection.close();
  });

  it('a cancellation that nobody says any figure of has none', async () => {
    const { clock, connection, error } = await connected();
    const canceled = seen(connection.cancelOrder(77));
    await clock.settle();
    error(77, 202);
    await clock.settle();
    expect(canceled.value).toMatchObject({
      orderId: 77,
      filled: null,
      remaining: null,
      averageFillPrice: null,
    });
    await connection.close();
  });

  it.each([
    [10_147, 'OrderId 5 that needs to be cancelled is not found.'],
    [10_148, 'OrderId 5 that needs to be cancelled cannot be cancelled, state: PendingSubmit.'],
    [161, 'Cancel attempted when order is not in a cancellable state. Order permId = 900'],
    [135, "Can't find order with ID = 5"],
  ])('a cancellation refused with %d ends at once, and the order is looked for', async (code, text) => {
    const { clock, connection, sent, status, error } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted');
    const canceled = seen(order.cancel());
    await clock.settle();
    error(5, code, text);
    await clock.settle();
    expect(canceled.error).toMatchObject({ outcome: 'rejected', ibCode: code });
    expect(order.state).toBe('working');
    await clock.advance(1000);
    expect(sent('reqAllOpenOrders')).toHaveLength(1);
    await connection.close();
  });

  it('a cancellation that crosses the fill is refused, and says so', async () => {
    const { clock, connection, status } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted');
    const canceled = seen(order.cancel());
    await clock.settle();
    status(5, 'Filled', 100, 0);
    await clock.settle();
    expect(canceled.error).toMatchObject({
      outcome: 'rejected',
      message: expect.stringContaining('the order is filled'),
    });
    expect(seen(order.cancel())).toBeDefined();
    await expect(order.cancel()).rejects.toMatchObject({ outcome: 'rejected' });
    await connection.close();
  });
});

describe('an order that has no answer', () => {
  it('is not sent while there is no connection, and says so', async () => {
    const { connection, drop } = await connected();
    drop();
    const order = connection.placeOrder(AAPL, LIMIT);
    await expect(order.accepted).rejects.toMatchObject({
      code: 'ERR_IB_CONNECTION_LOST',
      outcome: 'not-sent',
      message: 'order 5 for AAPL STK SMART: not sent, the connection is waiting',
    });
    expect(await order.done).toMatchObject({ state: 'not-sent', filled: null });
    await connection.close();
  });

  it('is not sent while the gateway is cut off from IB', async () => {
    const { connection, sent, info, status } = await connected();
    const live = connection.placeOrder(AAPL, LIMIT);
    status(5, 'Submitted');
    info(1100, 'Connectivity between IB and TWS has been lost.');
    await expect(connection.placeOrder(AAPL, LIMIT).accepted).rejects.toMatchObject({ outcome: 'not-sent' });
    await expect(live.modify({ lmtPrice: 9 })).rejects.toMatchObject({ outcome: 'not-sent' });
    expect(sent('placeOrder')).toHaveLength(1);
    await connection.close();
  });

  it('in the queue of the pacing when the session ends was not sent', async () => {
    const { clock, connection, sent, drop } = await connected({
      pacing: { messagesPerSecond: 1, urgentPerSecond: 1 },
    });
    const order = connection.placeOrder(AAPL, LIMIT);
    const placed = seen(order);
    expect(sent('placeOrder')).toEqual([]);
    drop();
    await clock.settle();
    expect(placed.error).toMatchObject({ outcome: 'not-sent', code: 'ERR_IB_CONNECTION_LOST' });
    expect(order.state).toBe('not-sent');
    await connection.close();
  });

  it('in time is unknown, says what settles it, and is settled by a late answer', async () => {
    const { clock, connection, status } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT, { timeoutMs: 500 });
    const placed = seen(order);
    const settled = seen(order.settled);
    await clock.advance(500);
    expect(placed.error).toMatchObject({
      code: 'ERR_IB_TIMEOUT',
      outcome: 'unknown',
      settledBy: expect.any(String),
    });
    expect(order).toMatchObject({
      state: 'unknown',
      outcome: { kind: 'unknown', settledBy: expect.any(String) },
    });
    expect(settled.value).toBeNull();
    status(5, 'Submitted');
    await clock.settle();
    expect(settled.value).toMatchObject({ kind: 'accepted' });
    await connection.close();
  });

  it('whose caller gives up is unknown, too', async () => {
    const { clock, connection, status } = await connected();
    const abort = new AbortController();
    const order = connection.placeOrder(AAPL, LIMIT, { signal: abort.signal });
    const placed = seen(order);
    abort.abort(new Error('enough'));
    await clock.settle();
    expect(placed.error).toMatchObject({ message: 'enough' });
    expect(order.state).toBe('unknown');
    status(5, 'Submitted');
    expect(order.state).toBe('working');
    await connection.close();
  });

  it('ends with the connection', async () => {
    const { connection, status } = await connected();
    const order = connection.placeOrder(AAPL, LIMIT);
    const unanswered = connection.placeOrder(MSFT, LIMIT);
    status(5, 'Submitted');
    const done = order.done;
    const iterated = (async () => {
      for await (const _ of order);
    })();
    await connection.close();
    await expect(done).rejects.toMatchObject({ code: 'ERR_IB_CLOSED' });
    await expect(unanswered.accepted).rejects.toMatchObject({ code: 'ERR_IB_CLOSED', outcome: 'unknown' });
    await iterated;
  });
});

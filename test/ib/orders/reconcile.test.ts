import { describe, expect, it } from 'vitest';
import { AAPL, connected, LIMIT, type Lists, MSFT } from '../connected.js';

type Connected = Awaited<ReturnType<typeof connected>>;

/** Answers all lists of one look, one after the other. */
async function look({ clock, lists }: Connected, answer: Lists = {}): Promise<void> {
  for (let list = 0; list < 3; list++) {
    lists(answer);
    await clock.settle();
  }
}

describe('after a reconnect', () => {
  it('nothing is asked where there are no orders', async () => {
    const one = await connected();
    one.drop();
    await one.reconnect();
    expect(one.line.last.calls).toEqual([]);
    await one.connection.close();
  });

  it('an order that was sent and not answered is found open, executed, completed, or without a trace', async () => {
    const one = await connected();
    const orders = [1, 2, 3, 4].map(() => one.connection.placeOrder(AAPL, LIMIT));
    const [open, executed, completed, lost] = orders;
    one.drop();
    await one.clock.settle();
    expect(orders.map(({ state }) => state)).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
    expect(open?.outcome).toMatchObject({
      kind: 'unknown',
      settledBy: expect.stringContaining('open orders'),
    });
    await one.reconnect();
    const lists: Lists = {
      open: [{ id: 5, order: { permId: 900, orderRef: open?.orderRef } }],
      executions: [
        { orderId: 6, execId: '1.1.1.01', shares: 100, permId: 901, orderRef: executed?.orderRef },
      ],
      // It carries neither id nor client.
      completed: [{ order: { permId: 902, orderRef: completed?.orderRef, filledQuantity: 0 } }],
    };
    await look(one, lists);
    expect(orders.map(({ state }) => state)).toEqual(['working', 'filled', 'cancelled', 'unknown']);
    await one.clock.advance(2000);
    await look(one, lists);
    expect(lost).toMatchObject({ state: 'not-sent', outcome: { kind: 'not-sent' } });
    expect(await lost?.settled).toMatchObject({ kind: 'not-sent' });
    expect(one.sent('placeOrder')).toEqual([]);
    await one.connection.close();
  });

  it('new orders wait until the gateway has listed what it has', async () => {
    const one = await connected();
    one.connection.placeOrder(AAPL, LIMIT);
    one.drop();
    await one.reconnect();
    const order = one.connection.placeOrder(MSFT, LIMIT);
    const change = order.cancel().catch(() => {});
    await one.clock.settle();
    expect(one.sent('placeOrder')).toEqual([]);
    await look(one, { open: [{ id: 5 }] });
    expect(one.sent('placeOrder')).toMatchObject([[6, MSFT, { orderRef: order.orderRef }]]);
    await one.connection.close();
    await change;
  });

  it('that wait ends where the lists are not answered', async () => {
    const one = await connected();
    one.connection.placeOrder(AAPL, LIMIT);
    one.drop();
    await one.reconnect();
    const order = one.connection.placeOrder(MSFT, LIMIT, { timeoutMs: 1000 });
    await one.clock.advance(1000);
    expect(order).toMatchObject({ state: 'not-sent', outcome: { reason: { code: 'ERR_IB_TIMEOUT' } } });
    await one.connection.close();
  });

  it('a failed list is no empty list: nothing is decided on it', async () => {
    const one = await connected();
    const order = one.connection.placeOrder(AAPL, LIMIT);
    one.drop();
    await one.reconnect();
    for (let at = 0; at < 10; at++) await one.clock.advance(5000);
    expect(order.state).toBe('unknown');
    // The gateway answers again, and needs no other occasion.
    for (let at = 0; at < 4; at++) {
      await one.clock.advance(30_000);
      await look(one, { open: [{ id: 5 }] });
    }
    expect(order.state).toBe('working');
    await one.connection.close();
  });

  it('a working order that is not listed is in doubt, not canceled', async () => {
    const one = await connected();
    const order = one.connection.placeOrder(AAPL, LIMIT);
    one.status(5, 'Submitted');
    one.drop();
    await one.reconnect();
    await look(one);
    expect(order.state).toBe('working');
    await one.clock.advance(2000);
    await look(one);
    expect(order).toMatchObject({
      state: 'unknown',
      outcome: { settledBy: expect.stringContaining('statement') },
    });
    // A fill that comes late settles it.
    one.fill(5, '1.1.1.01', 100);
    expect(order.state).toBe('filled');
    await one.connection.close();
  });

  it('no order is decided on while the gateway is cut off from IB, and all are when it is back', async () => {
    const one = await connected();
    const order = one.connection.placeOrder(AAPL, LIMIT);
    one.drop();
    await one.reconnect();
    one.info(1100);
    for (let at = 0; at < 3; at++) {
      await look(one);
      await one.clock.advance(2000);
    }
    expect(order.state).toBe('unknown');
    one.info(1102);
    for (let at = 0; at < 3; at++) {
      await look(one);
      await one.clock.advance(2000);
    }
    expect(order.state).toBe('not-sent');
    await one.connection.close();
  });

  it.each([1101, 1102])('and after %d fills that happened meanwhile arrive', async (code) => {
    const one = await connected();
    const order = one.connection.placeOrder(AAPL, LIMIT);
    one.status(5, 'Submitted', 0, 100, { permId: 900 });
    one.info(1100);
    one.info(code);
    await one.clock.settle();
    await look(one, { executions: [{ orderId: 5, execId: '1.1.1.01', shares: 100, permId: 900 }] });
    expect(order.state).toBe('filled');
    // No status with the last figures comes.
    await one.clock.advance(1000);
    expect(await order.done).toMatchObject({ state: 'filled', filled: 100 });
    await one.connection.close();
  });

  it('ids go on where they were, though the gateway begins again', async () => {
    const one = await connected({ nextOrderId: 38_103 });
    expect(one.connection.placeOrder(AAPL, LIMIT).id).toBe(38_103);
    one.drop();
    await one.reconnect({ nextOrderId: 38_099 });
    await look(one);
    expect(await one.connection.nextOrderId()).toBe(38_104);
    // Nor does one that the gateway lists, or a client of the same id has used, come again.
    one.open(38_200, 'Submitted', { permId: 7 });
    expect(await one.connection.nextOrderId()).toBe(38_201);
    await one.connection.close();
  });

  it('an id that the gateway has given to another order is not confused with the first', async () => {
    const one = await connected();
    const first = one.connection.placeOrder(AAPL, LIMIT);
    one.status(5, 'Cancelled', 0, 100, { permId: 900 });
    one.open(5, 'Submitted', { permId: 901, orderRef: 'other' });
    one.fill(5, '1.1.1.01', 100, { permId: 901 });
    expect(first).toMatchObject({ state: 'cancelled', fills: [] });
    expect(one.connection.order('other')).toMatchObject({ permId: 901, state: 'filled' });
    await one.connection.close();
  });

  it('two live orders of one id are reported', async () => {
    const one = await connected();
    const order = one.connection.placeOrder(AAPL, LIMIT);
    one.open(5, 'Submitted', { permId: 900 });
    one.open(5, 'Submitted', { permId: 901 });
    expect(order.messages).toMatchObject([{ ibCode: null, text: expect.stringContaining('second order') }]);
    expect(one.connection.orders()).toHaveLength(2);
    await one.connection.close();
  });
});

describe('an order reference', () => {
  it('is the identity of an order: it is placed once', async () => {
    const one = await connected();
    const order = one.connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'rebalance-7' });
    const again = one.connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'rebalance-7' });
    expect(again.id).toBe(order.id);
    one.drop();
    await one.clock.settle();
    expect(one.connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'rebalance-7' }).state).toBe('unknown');
    await one.reconnect();
    await look(one, { open: [{ id: 5, order: { orderRef: 'rebalance-7' } }] });
    one.connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'rebalance-7' });
    expect(
      one.line.links.flatMap(({ calls }) => calls.filter(([name]) => name === 'placeOrder')),
    ).toHaveLength(1);
    await one.connection.close();
  });

  it('of another order is refused', async () => {
    const one = await connected();
    one.connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'x' });
    for (const [contract, order] of [
      [MSFT, LIMIT],
      [AAPL, { ...LIMIT, totalQuantity: 1 }],
    ] as const) {
      const other = one.connection.placeOrder(contract, { ...order, orderRef: 'x' });
      await expect(other.accepted).rejects.toMatchObject({
        code: 'ERR_IB_DUPLICATE_ID',
        outcome: 'not-sent',
      });
    }
    expect(one.sent('placeOrder')).toHaveLength(1);
    await one.connection.close();
  });

  it('whose order was not sent may be used again', async () => {
    const one = await connected();
    one.drop();
    expect(one.connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'x' }).state).toBe('not-sent');
    await one.reconnect();
    expect(one.connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'x' })).toMatchObject({
      id: 6,
      state: 'sent',
    });
    await one.connection.close();
  });

  it('beside an id is a tag, which many orders may have', async () => {
    const one = await connected();
    one.connection.placeOrder(5, AAPL, { ...LIMIT, orderRef: 'my strategy' });
    one.connection.placeOrder(6, AAPL, { ...LIMIT, orderRef: 'my strategy' });
    expect(one.sent('placeOrder')).toHaveLength(2);
    one.drop();
    await one.reconnect();
    // The completed order of yesterday's run has the tag as well: it proves nothing.
    const lists = { completed: [{ order: { permId: 1, orderRef: 'my strategy', filledQuantity: 100 } }] };
    await look(one, lists);
    await one.clock.advance(2000);
    await look(one, lists);
    expect(one.connection.orders().map(({ state }) => state)).toEqual(['unknown', 'unknown']);
    await one.connection.close();
  });
});

describe('a process that starts again', () => {
  it('finds its orders by the prefix of their references, and places none twice', async () => {
    const one = await connected({ orders: { orderRefPrefix: 'bot-' } });
    let isReady = false;
    void one.ready.then(() => {
      isReady = true;
    });
    await one.clock.settle();
    expect(isReady).toBe(false);
    await look(one, {
      open: [
        { id: 7, filled: 10, order: { permId: 900, orderRef: 'bot-a' } },
        { id: 3, order: { permId: 903, orderRef: 'bot-x', clientId: 9 } },
      ],
      executions: [
        { orderId: 8, execId: '1.1.1.01', shares: 60, permId: 901, orderRef: 'bot-b' },
        { orderId: 9, execId: '2.1.1.01', shares: 5, permId: 904, orderRef: 'manual' },
      ],
      completed: [
        { order: { permId: 901, orderRef: 'bot-b', filledQuantity: 60, totalQuantity: 100 } },
        { order: { permId: 902, orderRef: 'bot-c', filledQuantity: 100 }, state: { status: 'Filled' } },
        { order: { permId: 905, orderRef: 'manual', filledQuantity: 5 }, state: { status: 'Filled' } },
      ],
    });
    await one.ready;
    const { connection } = one;
    expect(connection.orders().map(({ orderRef, state }) => [orderRef, state])).toEqual([
      ['bot-a', 'partly-filled'],
      ['bot-b', 'cancelled'],
      ['bot-c', 'filled'],
    ]);
    expect(connection.order('bot-a')).toMatchObject({ id: 7, permId: 900 });
    expect(connection.order('bot-b')?.fills).toMatchObject([{ quantity: 60 }]);
    expect(await connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'bot-a' })).toMatchObject({ orderId: 7 });
    expect(await connection.order('bot-c')?.done).toMatchObject({ state: 'filled', filled: 100 });
    expect(connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'bot-c' }).state).toBe('filled');
    expect(one.sent('placeOrder')).toEqual([]);
    // Ids go on above those that the process before has used.
    const next = connection.placeOrder(AAPL, LIMIT);
    expect(next).toMatchObject({ id: 9, orderRef: expect.stringMatching(/^bot--1-/) });
    const changed = connection.order('bot-a')?.modify({ lmtPrice: 11 });
    await one.clock.settle();
    expect(one.sent('placeOrder').at(-1)).toMatchObject([
      7,
      {},
      { lmtPrice: 11, totalQuantity: 100, orderRef: 'bot-a' },
    ]);
    expect(one.sent('placeOrder').at(-1)?.[2]).not.toHaveProperty('permId');
    one.open(7, 'Submitted', { permId: 900, lmtPrice: 11 });
    await changed;
    await one.connection.close();
  });

  it('places nothing before it knows them', async () => {
    const one = await connected({ orders: { orderRefPrefix: 'bot-' } });
    const order = one.connection.placeOrder(AAPL, { ...LIMIT, orderRef: 'bot-a' }, { timeoutMs: 500 });
    await one.clock.advance(500);
    expect(order.state).toBe('not-sent');
    const closed = one.ready.catch((error: { code: string }) => error.code);
    await one.connection.close();
    expect(await closed).toBe('ERR_IB_CLOSED');
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { IbConnection } from '../../../src/ib/connection.js';
import { localLine, threadLine } from '../../../src/ib/link.js';
import { eventually } from '../../helpers/eventually.js';
import {
  completedOrder176,
  openOrder176,
  type Script,
  type ScriptedPeer,
  scriptedPeer,
} from '../scripted-peer.js';

const TSLA = { symbol: 'TSLA', secType: 'STK', exchange: 'SMART', currency: 'USD' };
const BUY = { action: 'BUY', orderType: 'LMT', totalQuantity: 10, lmtPrice: 5, tif: 'DAY' };

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function start(
  script: Script,
  { version = 176, isThread = false } = {},
): Promise<{ peer: ScriptedPeer; connection: IbConnection }> {
  const peer = await scriptedPeer(script, { version, nextOrderId: 7 });
  endings.push(() => peer.close());
  const line = isThread ? threadLine() : localLine();
  const connection = new IbConnection(
    { host: '127.0.0.1', port: peer.port, clientId: 3 },
    { line, reconnectMs: 20 },
  );
  endings.push(() => connection.close());
  await connection.ready();
  return { peer, connection };
}

const PLACE = '3';
const CANCEL = '4';
const status = (id: number, word: string, filled: number, remaining: number): (string | number)[] => [
  ...[3, id, word, filled, remaining, 0, 900_001, 0, 0, 3, '', 0],
];
const fillOf = (id: number, reqId: number, ref: string): (string | number)[] => [
  ...[
    11,
    reqId,
    id,
    265598,
    'TSLA',
    'STK',
    '',
    0,
    '?',
    '',
    'IEX',
    'USD',
    'TSLA',
    'NMS',
    '0000e215.641a3d5b.01.01',
  ],
  ...['20260105  09:30:01', 'DU1', 'IEX', 'BOT', 10, 5, 900_001, 3, 0, 10, 5, ref, '', '', '', 2],
];

describe.each([false, true])('over a socket, with a thread: %s', (isThread) => {
  it('an order is followed from its placement to its commission', async () => {
    const { connection } = await start(
      ([kind, id, ...rest], say) => {
        if (kind !== PLACE) return;
        const ref = rest[24] ?? '';
        const orderId = Number(id);
        say(...openOrder176(orderId, 900_001, 'PreSubmitted', ref));
        say(...status(orderId, 'PreSubmitted', 0, 10));
        say(4, 2, orderId, 10_349, 'Order TIF was set to DAY based on order preset.', '');
        say(...fillOf(orderId, -1, ref));
        say(...openOrder176(orderId, 900_001, 'Filled', ref));
        say(...status(orderId, 'Filled', 10, 0));
        say(
          59,
          1,
          '0000e215.641a3d5b.01.01',
          '1.0',
          'USD',
          '1.7976931348623157E308',
          '1.7976931348623157E308',
          '',
        );
      },
      { isThread },
    );
    const order = connection.placeOrder(TSLA, BUY);
    const kinds: string[] = [];
    for await (const event of order) kinds.push(event.kind);
    expect(await order.done).toMatchObject({ state: 'filled', filled: 10, remaining: 0, commission: 1 });
    expect(order.fills).toMatchObject([
      {
        execId: '0000e215.641a3d5b.01.01',
        permId: 900_001,
        quantity: 10,
        side: 'BOT',
        orderRef: order.orderRef,
      },
    ]);
    expect(order.messages).toMatchObject([{ ibCode: 10_349, class: 'advisory' }]);
    expect(kinds).toContain('commission');
    expect(connection.figures().supervisor.unreadable).toBe(0);
  });

  it('lines of market data are canceled when the connection is closed', async () => {
    const { peer, connection } = await start(() => {}, { isThread });
    connection.subscribe(TSLA, () => {});
    await eventually(() => peer.received.some(([kind]) => kind === '1'));
    await connection.close();
    await eventually(() => peer.received.some(([kind]) => kind === '2'));
  });
});

describe('lists over a socket', () => {
  it('are read, also where the library alone cannot', async () => {
    const { connection } = await start(([kind, , reqId], say) => {
      if (kind === '16' || kind === '5') {
        say(...openOrder176(7, 900_001, 'Submitted', 'a'));
        say(...status(7, 'Submitted', 3, 7));
        say(53, 1);
      } else if (kind === '7') {
        say(...fillOf(7, Number(reqId), 'a'));
        say(59, 1, '0000e215.641a3d5b.01.01', '1.0', 'USD', '', '', '');
        say(55, 1, Number(reqId));
      } else if (kind === '99') {
        say(...completedOrder176(900_002, 'b', 'Filled', 10));
        say(...completedOrder176(900_003, 'c', 'Cancelled', 0));
        say(102);
      }
    });
    expect(await connection.openOrders({ all: true })).toMatchObject([
      {
        orderId: 7,
        clientId: 3,
        permId: 900_001,
        orderRef: 'a',
        status: 'Submitted',
        filled: 3,
        remaining: 7,
      },
    ]);
    expect(await connection.openOrders()).toHaveLength(1);
    expect(await connection.executions()).toMatchObject([
      { orderId: 7, quantity: 10, commission: { amount: 1 } },
    ]);
    // The library alone cannot read them at this version.
    expect(await connection.completedOrders()).toMatchObject([
      { permId: 900_002, orderRef: 'b', status: 'Filled', filled: 10, completedStatus: 'Filled Size: 10' },
      {
        permId: 900_003,
        orderRef: 'c',
        status: 'Cancelled',
        filled: 0,
        completedTime: '20260105 15:59:00 UTC',
      },
    ]);
    expect(connection.figures().supervisor.unreadable).toBe(0);
    // What was listed of this client id is known from then on.
    expect(connection.order('a')).toMatchObject({ id: 7, state: 'filled', fills: [{ quantity: 10 }] });
  });

  it('of completed orders are refused by a gateway that is too old', async () => {
    const { connection } = await start(() => {}, { version: 149 });
    await expect(connection.completedOrders()).rejects.toMatchObject({ code: 'ERR_IB_VERSION' });
  });

  it('that are refused without an id end, and the others go on', async () => {
    const { connection } = await start(([kind], say) => {
      if (kind === '5')
        say(
          4,
          2,
          -1,
          321,
          'Error validating request:-b7 : cause - The API interface is currently in Read-Only mode.',
          '',
        );
      if (kind === '61') {
        say(61, 3, 'DU1', 265598, 'TSLA', 'STK', '', 0, '', '', '', 'USD', 'TSLA', 'NMS', 5, 10);
        setTimeout(() => say(62, 1), 20);
      }
    });
    const positions = connection.positions();
    await expect(connection.openOrders()).rejects.toMatchObject({
      code: 'ERR_IB_READ_ONLY',
      hint: expect.stringContaining('Read-Only API'),
    });
    expect(await positions).toHaveLength(1);
  });

  it('what an order would do is answered by the message that has the figures', async () => {
    const { peer, connection } = await start(([kind, id], say) => {
      if (kind !== PLACE) return;
      // A first message has no figures at all.
      const unset = openOrder176(Number(id), 0, 'PreSubmitted', '', '');
      say(...unset.map((field, at) => (at > 94 && at < 104 && field.length > 0 ? '' : field)));
      say(...openOrder176(Number(id), 0, 'PreSubmitted', '', '1234.5'));
    });
    expect(await connection.whatIf(TSLA, BUY)).toMatchObject({
      initialMargin: { before: 0, change: 1234.5 },
      maintenanceMargin: { change: 5 },
      commission: null,
    });
    expect(peer.received.filter(([kind]) => kind === PLACE)).toHaveLength(1);
    // It used up its id.
    expect(await connection.nextOrderId()).toBe(8);
    expect(connection.orders()).toEqual([]);
  });

  it('what an order would do ends with its refusal', async () => {
    const { connection } = await start(([kind, id], say) => {
      if (kind === PLACE)
        say(4, 2, Number(id), 110, 'The price does not conform to the minimum price variation', '');
    });
    await expect(connection.whatIf(TSLA, BUY)).rejects.toMatchObject({ ibCode: 110 });
  });

  it('an advanced reject that is no JSON does not end the connection', async () => {
    const { connection } = await start(([kind, id, cancelId], say) => {
      if (kind === PLACE) say(4, 2, Number(id), 201, 'Order rejected - reason: x', '<b>no JSON</b>');
      if (kind === CANCEL)
        say(4, 2, Number(cancelId), 10_147, 'OrderId 99 that needs to be cancelled is not found.', '');
    });
    const order = connection.placeOrder(TSLA, BUY);
    await expect(order.accepted).rejects.toMatchObject({ ibCode: 201 });
    expect(order.messages).toMatchObject([{ advancedReject: '<b>no JSON</b>' }]);
    await expect(connection.cancelOrder(99)).rejects.toMatchObject({ ibCode: 10_147 });
    expect(connection.figures().reconnects).toBe(0);
  });

  it('orders of a bracket wait for each other, and the last sends them off', async () => {
    const { peer, connection } = await start(() => {});
    const exits = { orderType: 'LMT', lmtPrice: 6 };
    const { entry, takeProfit, stopLoss } = connection.placeBracket(TSLA, {
      entry: BUY,
      takeProfit: exits,
      stopLoss: { orderType: 'STP', auxPrice: 4 },
    });
    expect([entry.state, takeProfit?.state, stopLoss?.state]).toEqual(['held', 'held', 'sent']);
    await eventually(() => peer.received.filter(([kind]) => kind === PLACE).length === 3);
    const placed = peer.received.filter(([kind]) => kind === PLACE);
    // Positions of the layout: id, action, quantity, type, reference, transmit, parent.
    expect(placed.map((fields) => [1, 16, 17, 18, 26, 27, 28].map((at) => fields[at]))).toEqual([
      ['7', 'BUY', '10', 'LMT', entry.orderRef, '0', ''],
      ['8', 'SELL', '10', 'LMT', `${entry.orderRef}-take-profit`, '0', '7'],
      ['9', 'SELL', '10', 'STP', `${entry.orderRef}-stop-loss`, '1', '7'],
    ]);
    const group = connection.placeOca([
      { contract: TSLA, order: BUY },
      { contract: TSLA, order: { ...BUY, action: 'SELL' } },
    ]);
    const groups = new Set(group.map(({ order }) => order.ocaGroup));
    expect(groups.size).toBe(1);
    expect(group[0]?.order).toMatchObject({ ocaType: 1, ocaGroup: expect.stringContaining('-oca') });
  });

  it('orders of other clients are told to whoever asks, and are not ours', async () => {
    const { peer, connection } = await start(() => {});
    const seen: number[] = [];
    connection.onForeignOrder(({ permId }) => seen.push(permId ?? 0));
    const frame = openOrder176(12, 55, 'Submitted', 'theirs');
    // The client.
    frame[24] = '9';
    peer.say(...frame);
    await eventually(() => seen.length === 1);
    expect(connection.orders()).toEqual([]);
  });
});

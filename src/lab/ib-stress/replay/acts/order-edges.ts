import { AAPL, figures, LIMIT, MARKET } from '../contracts.js';
import { orderSide } from '../order-side.js';
import type { Act } from '../stage.js';

/** Cases at the boundary of a rule of the ledger. */
export const orderEdges: readonly Act[] = [
  {
    name: 'figures that say nothing, or that nobody expects',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      g.status(5, 'PreSubmitted', 0, 0);
      s.say('orderStatus', 5, 'Submitted', null, null, null, null, null, null, null, null, null);
      s.say('orderStatus', 5, 'Submitted', '', undefined, Number.NaN, 0, 0, Number.MAX_VALUE, 1, '', 0);
      g.open(5, 'Submitted', { lmtPrice: undefined, tif: '', action: 'BUY', permId: 3 });
      s.show('a', a);
      s.say('openOrder', 5, AAPL, { ...LIMIT, orderId: 5, clientId: 1, permId: 2_147_483_647 }, null);
      s.say('openOrder', 5, null, { orderId: 5, clientId: 1, orderRef: null }, { status: undefined });
      await s.pass();
      s.show('a', a);
      for (const execId of [
        'a.b.c.d.01',
        'a.b.c.d.02',
        'x.y.01',
        'x.y.02',
        'p.q.r.s',
        'e.1.2.09',
        'e.1.2.10',
        'e.1.2.02',
      ])
        g.fill(5, execId, 1);
      s.say('execDetails', -1, null, { orderId: 5, clientId: 1, execId: 'bare' });
      g.fill(5, 'q.1.1.01', 2, { cumQty: undefined, avgPrice: undefined, clientId: null });
      await s.pass();
      s.show('a', a);
      g.status(5, 'Filled', 100, 0);
      await s.pass(999);
      s.show('a', a);
      await s.pass(6000);
      s.show('a', a);
    },
  },
  {
    name: 'canceled before it was ever shown: unasked it is a refusal, by request it is not',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const [a, b, d] = ['a', 'b', 'd'].map((name) => s.follow(name, c.placeOrder(AAPL, LIMIT)));
      if (!a || !b || !d) return;
      await s.pass();
      s.watch('cancel', b.cancel());
      s.watch('modify', d.modify({ lmtPrice: 1 }));
      await s.pass();
      for (const id of [5, 6, 7]) s.error(id, 202, 'Order Canceled - reason:');
      await s.pass(1500);
      g.status(6, 'Cancelled', 0, 100);
      await s.pass(1500);
      for (const [name, o] of Object.entries({ a, b, d })) s.show(name, o);
      figures(s, c);
    },
  },
  {
    name: 'an order whose id is also that of a stream, and of a request',
    async play(s) {
      const c = await s.ready();
      const heard = (what: string) => s.note(`the stream hears ${what}`);
      const hear = { onError: () => heard('an error'), onMessage: () => heard('a message') };
      c.subscribe(AAPL, () => heard('a tick'), hear);
      s.watch('details', c.contractDetails(AAPL, { timeoutMs: 600_000 }));
      await s.pass();
      const ids = [s.idOf('reqMktData'), s.idOf('reqContractDetails')];
      for (const id of ids) {
        for (const [at, code] of [399, 98_765, 100, 1300, 110, 201, 202].entries()) {
          const o = c.placeOrder(id, AAPL, LIMIT);
          s.watch(`placed ${id} ${code}`, o.accepted);
          await s.pass();
          s.error(id, code, 'text');
          await s.pass(10);
          s.note(`${id} is ${o.state} after ${at}`);
        }
      }
      s.watch('next id', c.nextOrderId());
      await s.pass(5000);
      figures(s, c);
    },
  },
  {
    name: 'ids that a gateway does not take',
    async play(s) {
      const c = await s.ready();
      for (const id of [0, -1, 1.5, Number.NaN, 2_147_483_647, 2_147_483_646, 1]) {
        const o = c.placeOrder(id, AAPL, LIMIT);
        s.watch(`placed ${id}`, o.accepted);
        await s.pass();
        s.show(`order ${id}`, o);
      }
      s.watch('next id', c.nextOrderId());
      await s.pass();
    },
  },
  {
    name: 'refusals that fit nobody who waits',
    async play(s) {
      const c = await s.ready({ pacing: { limitPerSecond: 3, messagesPerSecond: 3, urgentPerSecond: 3 } });
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      g.open(5, 'Submitted', { permId: 1 });
      await s.pass();
      s.watch('modify', a.modify({ lmtPrice: 3 }));
      await s.pass(10);
      for (const code of [10_147, 161, 136, 10_148]) s.error(5, code, 'of a cancellation');
      await s.pass(10);
      s.watch('cancel', a.cancel());
      await s.pass(10);
      for (const code of [104, 105, 329, 2102]) s.error(5, code, 'of a change');
      await s.pass(10);
      const queued = s.follow('queued', c.placeOrder(AAPL, LIMIT));
      s.error(queued.id, 110, 'of an order that is not sent');
      s.error(queued.id, 202, 'of an order that is not sent');
      s.error(queued.id, 98_765, 'of an order that is not sent');
      await s.pass(10);
      s.show('queued', queued);
      await s.pass(5000);
      s.note(`lists: ${await g.lists({ open: [{ id: 5, order: { permId: 1 } }] })}`);
      await s.pass(3000);
      s.note(`lists: ${await g.lists({ open: [{ id: 5, order: { permId: 1 } }] })}`);
      s.show('queued', queued);
      s.show('a', a);
    },
  },
  {
    name: 'orders that turn out to live, and ids that are given again',
    async play(s) {
      const c = await s.ready({ reconnectMs: 50, orders: { keepOrders: 2 } });
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      s.error(5, 110, 'off the tick');
      await s.pass(10);
      g.open(5, 'Submitted', { permId: 1 });
      await s.pass(10);
      s.watch('done again', a.done);
      s.watch('settled again', a.settled);
      const rest = (async (): Promise<string> => {
        const kinds = [];
        for await (const { kind } of a) kinds.push(kind);
        return kinds.join(' ');
      })();
      s.watch('all of its steps', rest);
      s.watch('modify', a.modify({ lmtPrice: 3 }));
      await s.pass(10);
      s.error(5, 103, 'Duplicate order id');
      await s.pass(10);
      g.status(5, 'Cancelled', 0, 100, { permId: 1 });
      await s.pass(10);
      g.open(5, 'Submitted', { permId: 2 });
      s.show('order 5', c.order(5));
      s.watch('cancel of an unknown one', c.cancelOrder(77, { timeoutMs: 50 }));
      await s.pass(100);
      s.show("order ''", c.order(''));
      c.placeOrder(AAPL, { ...LIMIT, orderRef: 'next' });
      await s.pass(10);
      s.show('order 5 after the first is forgotten', c.order(5));
      s.note(JSON.stringify(c.orders().map(({ id, permId, state }) => [id, permId, state])));
      g.status(5, 'Filled', 100, 0, { permId: 2 });
      await s.pass(10);
      s.show('order 5', c.order(5));
      figures(s, c);
    },
  },
  {
    name: 'orders placed between two outages wait for the look after the last',
    async play(s) {
      const c = await s.ready({ reconnectMs: 50, orders: { recheckMs: 1000 } });
      const g = orderSide(s);
      s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      g.open(5, 'Submitted', { permId: 1 });
      await s.pass(10);
      s.info(1100);
      s.info(1102);
      await s.pass(5);
      s.follow('b', c.placeOrder(AAPL, LIMIT));
      await s.pass(5);
      s.info(1102);
      s.follow('d', c.placeOrder(AAPL, LIMIT, { timeoutMs: 3000 }));
      await s.pass(5);
      s.note(`lists: ${await g.lists({ open: [{ id: 5, order: { permId: 1 } }] })}`);
      await s.pass(10);
      s.note(`lists: ${await g.lists({ open: [{ id: 5, order: { permId: 1 } }] })}`);
      await s.pass(5000);
      s.note(`lists: ${await g.lists({ open: [{ id: 5, order: { permId: 1 } }] })}`);
      figures(s, c);
      s.timers();
    },
  },
  {
    name: 'orders whose contracts are named by number',
    async play(s) {
      const c = await s.ready();
      const order = { ...LIMIT, orderRef: 'mine' };
      const abort = new AbortController();
      abort.abort(new Error('before'));
      s.show('given up', c.placeOrder(AAPL, LIMIT, { signal: abort.signal }));
      c.placeOrder({ conId: 4, symbol: 'AAPL' }, order);
      for (const contract of [
        { conId: 4 },
        { conId: 5 },
        { conId: 4, symbol: 'MSFT' },
        { symbol: 'MSFT' },
        { symbol: 'AAPL' },
      ]) {
        const o = c.placeOrder(contract, order);
        s.watch(JSON.stringify(contract), o.accepted);
        s.note(`${JSON.stringify(contract)} is ${o.state}`);
      }
      await s.pass(10);
      s.note(JSON.stringify(c.orders().map(({ id, state }) => [id, state])));
    },
  },
  {
    name: 'a look that ends in the moment in which the session does',
    async play(s) {
      const c = await s.ready({ reconnectMs: 50, orders: { recheckMs: 1000 } });
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      for (let round = 0; round < 2; round++) {
        s.drop();
        await s.pass(60);
        s.welcome();
        await s.pass();
        s.say('openOrderEnd');
        await s.pass();
        s.say('execDetailsEnd', s.idOf('reqExecutions'));
        await s.pass();
        s.say('completedOrdersEnd');
      }
      s.drop();
      await s.pass(60);
      s.show('a', a);
      s.welcome();
      await s.pass();
      await g.lists();
      s.show('a', a);
      await s.pass(1000);
      await g.lists();
      s.show('a', a);
      s.timers();
    },
  },
  {
    name: 'looks that are asked for while one is on, and when there is nothing to look for',
    async play(s) {
      const c = await s.ready({ reconnectMs: 50, orders: { recheckMs: 1000 } });
      const g = orderSide(s);
      s.info(1102);
      await s.pass(10);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT, { timeoutMs: 100 }));
      await s.pass(110);
      s.info(1102);
      s.info(1102);
      await s.pass(10);
      const b = s.follow('b', c.placeOrder(AAPL, LIMIT));
      await s.pass(10);
      s.note(`lists: ${await g.lists({ open: [{ id: 5, order: { permId: 4 } }] })}`);
      await s.pass(10);
      s.note(`lists: ${await g.lists({ open: [{ id: 5, order: { permId: 4 } }] })}`);
      await s.pass(3000);
      s.note(`lists: ${await g.lists()}`);
      await s.pass(3000);
      s.note(`lists: ${await g.lists()}`);
      s.show('a', a);
      s.show('b', b);
      s.say('error', 'text', 98_765, 5, null);
      await s.pass(1001);
      s.note(`lists: ${await g.lists({ open: [{ id: 5, order: { permId: 4 } }] })}`);
      await s.pass(1);
      s.say('error', 'text', 98_765, 5, null);
      await s.pass(500);
      g.status(5, 'Submitted');
      await s.pass(10_000);
      s.note(`lists: ${await g.lists()}`);
      s.info(1100);
      s.drop();
      await s.pass(60);
      s.welcome();
      s.drop();
      await s.pass(200);
      s.welcome();
      await s.pass(6000);
      s.note(`lists: ${await g.lists({ open: [{ id: 5, order: { permId: 4 } }] })}`);
      figures(s, c);
      s.timers();
    },
  },
  {
    name: 'a list that comes late, and one order among those of a list that ends meanwhile',
    async play(s) {
      const c = await s.ready({ reconnectMs: 50 });
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      g.open(5, 'Submitted', { permId: 1 });
      await s.pass();
      s.drop();
      await s.pass(60);
      s.welcome();
      await s.pass(4999);
      s.say('openOrderEnd');
      await s.pass(4999);
      s.say('execDetailsEnd', s.idOf('reqExecutions'));
      await s.pass(4999);
      g.status(5, 'Cancelled', 0, 100, { permId: 1 });
      s.say('completedOrdersEnd');
      await s.pass(3000);
      s.note(`lists: ${await g.lists()}`);
      s.show('a', a);
      s.timers();
    },
  },
  {
    name: 'an order of which something came to pass before its placement was answered',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, MARKET));
      s.watch('modify', a.modify({ totalQuantity: 50 }));
      s.watch('cancel', a.cancel());
      await s.pass();
      g.fill(5, 'z', 40, { permId: 8, avgPrice: 3 });
      await s.pass();
      s.show('a', a);
      g.fill(5, 'y', 60, { permId: 8, orderRef: 'no matter' });
      await s.pass();
      s.show('a', a);
      const b = s.follow('b', c.placeOrder(AAPL, MARKET));
      await s.pass();
      s.error(6, 161, 'not cancelable');
      s.error(6, 104, 'filled');
      s.error(6, 10_149, 'Invalid order id: 6');
      await s.pass(1500);
      s.note(`lists: ${await g.lists()}`);
      s.show('b', b);
      const d = s.follow('d', c.placeOrder(AAPL, MARKET, { timeoutMs: 50 }));
      await s.pass(60);
      s.error(7, 110, 'late');
      await s.pass(10);
      s.show('d', d);
      const e = s.follow('e', c.placeOrder(AAPL, { ...MARKET, transmit: false }, { timeoutMs: 50 }));
      await s.pass(60);
      s.show('e', e);
      s.error(8, 110, 'late');
      await s.pass(10_000);
      s.show('e', e);
    },
  },
];

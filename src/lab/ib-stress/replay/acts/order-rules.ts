import { AAPL, figures, LIMIT, MARKET, MSFT } from '../contracts.js';
import { orderSide } from '../order-side.js';
import { type Act, render } from '../stage.js';

/** Changes, orders without an answer, ids and references, groups. */
export const orderRules: readonly Act[] = [
  {
    name: 'modified: taken, refused, two at once, and one that the gateway contradicts',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      s.watch('before it is accepted', a.modify({ lmtPrice: 11 }));
      await s.pass();
      g.open(5, 'Submitted', { permId: 1, lmtPrice: 10 });
      await s.pass(5);
      g.open(5, 'Submitted', { lmtPrice: 11 });
      await s.pass();
      s.watch('second', a.modify({ lmtPrice: 12 }));
      s.watch('third', a.modify({ lmtPrice: 13, tif: undefined }));
      await s.pass();
      g.open(5, 'Submitted', { lmtPrice: 12 });
      await s.pass();
      g.status(5, 'Submitted');
      await s.pass();
      g.open(5, 'Submitted', { lmtPrice: 13 });
      await s.pass();
      s.watch('answered by a status', a.modify({ totalQuantity: 200 }));
      await s.pass();
      g.status(5, 'Submitted', 0, 200);
      await s.pass();
      for (const [code, text] of [
        [104, 'filled'],
        [105, 'fields'],
        [110, 'tick'],
        [329, 'type'],
        [2102, 'busy'],
        [201, 'rejected'],
        [10_349, 'TIF'],
        [98_765, 'odd'],
      ] as const) {
        s.watch(`refused ${code}`, a.modify({ lmtPrice: code, orderRef: 'another' }, { timeoutMs: 5000 }));
        await s.pass();
        s.error(5, code, text);
        await s.pass(1100);
        await g.lists({ open: [{ id: 5, order: { permId: 1 } }] });
        await s.pass(4000);
        await g.lists({ open: [{ id: 5, order: { permId: 1 } }] });
      }
      s.show('a', a);
      s.watch('late', a.modify({ lmtPrice: 1 }));
      s.watch('cancel', a.cancel());
      await s.pass();
      g.status(5, 'Cancelled', 0, 100);
      await s.pass();
      const b = s.follow('b', c.placeOrder(AAPL, LIMIT));
      s.watch('of a refused order', b.modify({ lmtPrice: 2 }));
      s.watch('cancel of a refused order', b.cancel());
      await s.pass();
      s.error(6, 110, 'off the tick');
      await s.pass();
      s.show('b', b);
      figures(s, c);
    },
  },
  {
    name: 'no answer: unknown, and what settles it',
    async play(s) {
      const c = await s.ready({ orders: { recheckMs: 1000 } });
      const g = orderSide(s);
      const abort = new AbortController();
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT, { timeoutMs: 500 }));
      const b = s.follow('b', c.placeOrder(AAPL, LIMIT));
      const d = s.follow('d', c.placeOrder(AAPL, LIMIT, { signal: abort.signal }));
      await s.pass(400);
      abort.abort(new Error('the caller has gone'));
      await s.pass(50);
      s.show('d', d);
      s.watch('modify', d.modify({ lmtPrice: 3 }));
      await s.pass(60);
      s.show('a', a);
      await g.lists({ open: [{ id: 7 }] });
      await s.pass(999);
      s.show('a', a);
      await s.pass(1);
      await g.lists({ open: [{ id: 7 }] });
      await s.pass(2000);
      await g.lists({ open: [{ id: 7 }] });
      s.show('a', a);
      await s.pass(7000);
      await g.lists();
      await s.pass(1001);
      await g.lists();
      s.show('b', b);
      s.show('d', d);
      s.watch('placed anew', c.placeOrder(AAPL, { ...LIMIT, orderRef: a.orderRef }));
      await s.pass(100);
      figures(s, c);
      s.timers();
    },
  },
  {
    name: 'not sent: no connection, cut off from IB, given up in the queue, closed',
    async play(s) {
      const c = await s.ready({
        reconnectMs: 100,
        pacing: { limitPerSecond: 2, messagesPerSecond: 2, urgentPerSecond: 2 },
      });
      const g = orderSide(s);
      const [gone, queued] = [new AbortController(), new AbortController()];
      gone.abort(new Error('before'));
      s.watch('given up before', c.placeOrder(AAPL, LIMIT, { signal: gone.signal }));
      await s.pass(2000);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      s.follow('b', c.placeOrder(AAPL, LIMIT));
      s.follow('q', c.placeOrder(AAPL, LIMIT, { signal: queued.signal }));
      const r = s.follow('r', c.placeOrder(AAPL, LIMIT));
      s.watch('cancel of what waits', r.cancel());
      await s.pass(10);
      figures(s, c);
      queued.abort(new Error('given up in the queue'));
      g.open(6, 'Submitted', { permId: 1 });
      await s.pass(10);
      s.drop();
      await s.pass();
      s.follow('no connection', c.placeOrder(AAPL, LIMIT));
      s.watch('cancel', a.cancel());
      s.watch('modify', a.modify({ lmtPrice: 4 }));
      await s.pass(200);
      s.welcome();
      const held = s.follow('held', c.placeOrder(AAPL, LIMIT, { timeoutMs: 3000 }));
      s.follow('held too long', c.placeOrder(AAPL, LIMIT, { timeoutMs: 50 }));
      await s.pass(100);
      await g.lists({ open: [{ id: 6, order: { permId: 1 } }] });
      await s.pass(5000);
      await g.lists({ open: [{ id: 6, order: { permId: 1 } }] });
      s.show('held', held);
      s.info(1100);
      s.follow('cut off', c.placeOrder(AAPL, LIMIT));
      s.watch('canceled while cut off', a.cancel());
      s.watch('modified while cut off', a.modify({ lmtPrice: 5 }));
      await s.pass(5000);
      s.manners.onCall = () => {
        throw new Error('cannot be written');
      };
      s.follow('thrown', c.placeOrder(AAPL, LIMIT));
      await s.pass(10);
      s.manners.onCall = () => Promise.reject(new Error('the thread has gone'));
      s.info(1102);
      await s.pass(10);
      s.follow('rejected', c.placeOrder(AAPL, LIMIT));
      await s.pass(2000);
      s.follow('closed', c.placeOrder(AAPL, LIMIT));
      s.watch('close', c.close());
      s.follow('afterwards', c.placeOrder(AAPL, LIMIT));
      await s.pass(10);
      figures(s, c);
      s.attempt('orders', () => c.orders().map(({ id, state, outcome }) => [id, state, outcome]));
      s.timers();
    },
  },
  {
    name: 'ids and references: each once, known ones are not sent again',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, { ...LIMIT, orderRef: 'mine' }));
      await s.pass();
      for (const [name, contract, order] of [
        ['same', AAPL, { ...LIMIT, orderRef: 'mine' }],
        ['other price', AAPL, { ...LIMIT, lmtPrice: 3, orderRef: 'mine' }],
        ['other quantity', AAPL, { ...LIMIT, totalQuantity: 7, orderRef: 'mine' }],
        ['other side', AAPL, { ...LIMIT, action: 'SELL', orderRef: 'mine' }],
        ['other type', AAPL, { ...LIMIT, orderType: 'MKT', orderRef: 'mine' }],
        ['other contract', MSFT, { ...LIMIT, orderRef: 'mine' }],
        ['by conId', { conId: 4 }, { ...LIMIT, orderRef: 'mine' }],
        ['less said', { symbol: 'AAPL' }, { action: 'BUY', orderRef: 'mine' }],
        ['other kind', { ...AAPL, secType: 'CFD' }, { ...LIMIT, orderRef: 'mine' }],
      ] as const) {
        const o = c.placeOrder(contract, order);
        s.note(`${name}: ${o.id} ${o.orderRef} ${o.state}`);
        s.watch(name, o);
      }
      await s.pass();
      g.open(5, 'Submitted');
      await s.pass();
      for (const key of ['mine', 5, 'other', 6] as const) s.show(`order ${key}`, c.order(key));
      const own = s.follow('own id', c.placeOrder(20, AAPL, LIMIT));
      const tagged = s.follow('own id and tag', c.placeOrder(22, AAPL, { ...LIMIT, orderRef: 'tag' }));
      const tagged2 = s.follow('the same tag', c.placeOrder(23, AAPL, { ...LIMIT, orderRef: 'tag' }));
      s.follow('next', c.placeOrder(AAPL, { ...LIMIT, orderRef: '' }));
      await s.pass();
      s.note([own, tagged, tagged2].map(({ id, orderRef }) => `${id} ${orderRef}`).join(', '));
      s.attempt('by its tag', () => c.order('tag')?.id ?? null);
      g.open(20, 'Submitted');
      await s.pass();
      s.watch('changed by its id', c.placeOrder(20, AAPL, { ...LIMIT, lmtPrice: 12 }));
      await s.pass();
      g.open(20, 'Submitted', { lmtPrice: 12 });
      await s.pass();
      s.say('nextValidId', 3);
      s.watch('next id', c.nextOrderId());
      s.say('nextValidId', 60);
      s.watch('next id', c.nextOrderId());
      await s.pass();
      s.follow('id of requests', c.placeOrder(2 ** 30 + 5, AAPL, LIMIT));
      s.watch('next id', c.nextOrderId());
      await s.pass();
      s.error(22, 103, 'Duplicate order id');
      await s.pass(500);
      s.error(23, 103, 'Duplicate order id');
      g.open(23, 'Submitted');
      await s.pass(700);
      await g.lists({ open: [{ id: 5 }, { id: 20 }, { id: 23 }] });
      await s.pass(2100);
      await g.lists({ open: [{ id: 5 }, { id: 20 }, { id: 23 }] });
      s.show('tagged', tagged);
      s.show('tagged2', tagged2);
      s.show('a', a);
      figures(s, c);
    },
  },
  {
    name: 'brackets and groups',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const bracket = c.placeBracket(AAPL, {
        entry: { ...LIMIT, orderRef: 'in' },
        takeProfit: { orderType: 'LMT', lmtPrice: 12 },
        stopLoss: { orderType: 'STP', auxPrice: 8, totalQuantity: 50 },
        others: [
          { orderType: 'MOC', action: 'BUY' },
          { orderType: 'MKT', orderRef: 'own' },
        ],
      });
      const { entry, takeProfit, stopLoss, others } = bracket;
      s.note(
        [entry, takeProfit, stopLoss, ...others].map((o) => `${o?.id} ${o?.orderRef} ${o?.state}`).join(', '),
      );
      const sell = c.placeBracket(AAPL, {
        entry: { ...LIMIT, action: 'SELL' },
        stopLoss: { orderType: 'STP' },
      });
      s.note(`${sell.takeProfit === null} ${sell.stopLoss?.orderRef} ${sell.others.length}`);
      const alone = c.placeBracket(AAPL, { entry: LIMIT });
      s.note(`alone: ${alone.entry.id} ${alone.stopLoss === null}`);
      for (const o of c.placeOca([
        { contract: AAPL, order: LIMIT },
        { contract: MSFT, order: { ...MARKET, ocaType: 3 } },
      ]))
        s.note(`oca ${o.id} ${render(o.order)}`);
      c.placeOca([
        { contract: AAPL, order: { ...LIMIT, ocaGroup: 'mine' } },
        { contract: MSFT, order: { ...LIMIT, ocaGroup: '' } },
      ]);
      c.placeOca([{ contract: AAPL, order: { ...LIMIT, ocaGroup: '' } }]);
      c.placeOca([]);
      s.follow('entry', entry);
      if (stopLoss !== null) s.follow('stop', stopLoss);
      await s.pass(10);
      s.show('entry', entry);
      g.open(5, 'PreSubmitted');
      g.open(9, 'PreSubmitted');
      await s.pass(10);
      s.show('entry', entry);
      s.error(6, 10_006, 'Missing parent order');
      s.error(7, 201, 'rejected');
      await s.pass(10);
      s.show('take profit', takeProfit);
      s.drop();
      await s.pass();
      s.show('other', others[0] ?? null);
      figures(s, c);
    },
  },
  {
    name: 'a gateway that is read-only says so without an id',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      const b = s.follow('b', c.placeOrder(MSFT, LIMIT));
      await s.pass();
      g.open(6, 'Submitted');
      await s.pass();
      s.watch('cancel', b.cancel());
      s.watch('modify', b.modify({ lmtPrice: 1 }));
      await s.pass();
      s.info(321, 'cause - The API interface is currently in Read-Only mode.');
      s.info(2104);
      await s.pass(1200);
      s.show('a', a);
      s.show('b', b);
      const d = s.follow('d', c.placeOrder(MSFT, LIMIT));
      await s.pass();
      s.error(7, 321, 'The API interface is currently in Read-Only mode.');
      await s.pass();
      s.show('d', d);
      figures(s, c);
    },
  },
  {
    name: 'combinations count as a whole, and corrections replace',
    async play(s) {
      const c = await s.ready();
      const bag = { symbol: 'SPREAD', secType: 'BAG', exchange: 'SMART' };
      const o = s.follow('o', c.placeOrder(bag, { ...LIMIT, totalQuantity: 10 }));
      await s.pass();
      const fill = (execId: string, shares: number, contract: object): void =>
        s.say('execDetails', -1, contract, { orderId: 5, clientId: 1, execId, shares, price: 2, permId: 3 });
      fill('e.1.1.01', 4, bag);
      fill('e.1.2.01', 4, AAPL);
      fill('e.1.3.01', 8, AAPL);
      await s.pass();
      s.show('o', o);
      fill('e.1.1.02', 5, bag);
      fill('e.1.1.01', 4, bag);
      await s.pass();
      s.show('o', o);
      fill('e.1.4.01', 5, bag);
      await s.pass(1500);
      s.show('o', o);
    },
  },
];

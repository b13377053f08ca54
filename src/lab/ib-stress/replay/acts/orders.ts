import { AAPL, figures, LIMIT, MSFT } from '../contracts.js';
import { orderSide } from '../order-side.js';
import { type Act, render } from '../stage.js';

const MARKET = { action: 'SELL', orderType: 'MKT', totalQuantity: 100 };

/** The life of one order as its gateway tells it. */
export const orders: readonly Act[] = [
  {
    name: 'accepted, filled in parts, with commissions',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      c.onOrder((order, event) => s.note(`any order: ${order.id} ${event.kind}`));
      const o = s.follow('o', c.placeOrder(AAPL, LIMIT));
      s.show('o', o);
      await s.pass(5);
      s.show('o', o);
      figures(s, c);
      g.open(5, 'PreSubmitted', { permId: 77 });
      g.status(5, 'PreSubmitted', 0, 100, { permId: 77 });
      await s.pass();
      g.status(5, 'Submitted', 0, 100, { permId: 77 });
      g.status(5, 'Submitted', 0, 100, { permId: 77 });
      g.fill(5, '0000e.1.2.01', 40, { cumQty: 40, avgPrice: 9.5, permId: 77 });
      await s.pass(1);
      s.show('o', o);
      g.status(5, 'Submitted', 40, 60, { average: 9.5 });
      g.open(5, 'Submitted', { permId: 77 });
      g.commission('0000e.1.2.01', 1);
      g.commission('0000e.1.2.01', 1);
      g.status(5, 'Submitted', 0, 100);
      g.fill(5, '0000e.1.3.01', 60, { cumQty: 100, avgPrice: 9.7 });
      g.fill(5, '0000e.1.3.01', 60, { cumQty: 100, avgPrice: 9.7 });
      await s.pass(1);
      s.show('o', o);
      g.status(5, 'Filled', 100, 0, { average: 9.7 });
      await s.pass(1);
      g.status(5, 'Submitted', 40, 60);
      g.fill(5, '0000e.1.2.02', 41, { cumQty: 41 });
      await s.pass(1);
      g.commission('0000e.1.3.01', 2);
      g.commission('0000e.1.2.02', -1);
      await s.pass(1);
      g.commission('0000e.1.2.02', 3);
      await s.pass(6000);
      s.show('o', o);
      s.watch('done later', o.done);
      s.watch('modify', o.modify({ lmtPrice: 1 }));
      s.watch('cancel', o.cancel());
      s.watch('again', c.placeOrder(5, AAPL, LIMIT));
      await s.pass();
      figures(s, c);
      s.timers();
    },
  },
  {
    name: 'filled before anything else is said, and figures that never come',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      g.commission('early', 1);
      const a = s.follow('a', c.placeOrder(AAPL, MARKET));
      const b = s.follow('b', c.placeOrder(AAPL, MARKET));
      const d = s.follow('d', c.placeOrder(AAPL, MARKET));
      await s.pass();
      g.fill(5, 'early', 100, { avgPrice: 10 });
      g.open(6, 'Filled');
      g.status(7, 'Submitted', 100, 0);
      await s.pass(999);
      s.show('a', a);
      await s.pass(2);
      g.fill(6, 'late', 30);
      await s.pass(5000);
      g.commission('late', 1);
      await s.pass(6000);
      for (const [name, o] of Object.entries({ a, b, d })) s.show(name, o);
      s.timers();
    },
  },
  {
    name: 'canceled: by request, unasked, by an error alone, in part',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const [a, b, d, e, f] = ['a', 'b', 'd', 'e', 'f'].map((name) => s.follow(name, c.placeOrder(AAPL, LIMIT)));
      if (!a || !b || !d || !e || !f) return;
      await s.pass();
      for (const id of [5, 6, 7, 8]) g.open(id, 'Submitted', { permId: 100 + id });
      await s.pass();
      s.watch('cancel a', a.cancel());
      s.watch('cancel a too', a.cancel());
      s.watch('cancel b', b.cancel({ timeoutMs: 3000 }));
      s.watch('cancel f', f.cancel());
      await s.pass();
      g.status(5, 'PendingCancel');
      g.status(5, 'Cancelled', 30, 70, { average: 9 });
      s.error(5, 202, 'Order Canceled - reason:');
      s.error(6, 202, 'Order Canceled - reason:');
      await s.pass(500);
      g.status(6, 'Cancelled', 0, 100);
      s.error(7, 202, 'expired');
      s.error(8, 202, 'OCA');
      await s.pass(999);
      g.fill(7, 'x', 20);
      await s.pass(500);
      s.error(9, 202, 'discarded');
      await s.pass(100);
      g.status(8, 'ApiCancelled', 0, 100);
      await s.pass(10_000);
      for (const [name, o] of Object.entries({ a, b, d, e, f })) s.show(name, o);
      g.status(5, 'Submitted', 30, 70);
      g.status(5, 'Filled', 100, 0);
      await s.pass();
      s.show('a', a);
      figures(s, c);
    },
  },
  {
    name: 'cancellations that are refused, and cross a fill',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      g.open(5, 'Submitted', { permId: 1 });
      await s.pass();
      s.watch('cancel', a.cancel());
      await s.pass();
      s.error(5, 161, 'not in a cancelable state, permId: 1');
      await s.pass(2000);
      await g.lists({ open: [{ id: 5, order: { permId: 1 } }] });
      s.watch('cancel again', a.cancel());
      await s.pass();
      g.status(5, 'Filled', 100, 0);
      s.error(5, 10_148, 'state: Filled');
      await s.pass(1000);
      s.show('a', a);
      s.watch('unknown', c.cancelOrder(99));
      s.watch('unknown too', c.cancelOrder(98, { timeoutMs: 500 }));
      await s.pass();
      s.error(99, 10_147, 'not found');
      await s.pass(700);
      await g.lists();
      await s.pass(3000);
      await g.lists();
      await s.pass(3000);
      await g.lists();
      figures(s, c);
      s.attempt('orders', () => c.orders().map(({ id, state }) => [id, state]));
    },
  },
  {
    name: 'refused at once, and rejected after it was accepted',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const names = ['a', 'b', 'd', 'e', 'f', 'h'];
      const all = names.map((name) => s.follow(name, c.placeOrder(AAPL, LIMIT)));
      await s.pass();
      s.error(5, 110, 'off the tick');
      s.error(6, 201, 'Order rejected - reason: margin');
      g.open(7, 'PreSubmitted', { permId: 7 });
      s.error(7, 201, 'Order rejected - reason: later');
      g.open(7, 'Inactive');
      g.status(7, 'Inactive');
      g.open(8, 'PreSubmitted', { permId: 8 });
      g.status(8, 'Inactive', 0, 100, { whyHeld: 'locate' });
      s.error(9, 201, 'rejected');
      await s.pass();
      g.status(9, 'Submitted', 0, 100, { permId: 9 });
      s.error(10, 200, 'No security definition');
      g.status(10, 'Cancelled', 0, 0);
      await s.pass(3000);
      for (const [at, o] of all.entries()) s.show(names[at] ?? '', o);
      g.status(7, 'Submitted');
      g.status(8, 'Submitted');
      s.error(8, 201, 'rejected while nobody waits');
      g.status(8, 'Cancelled', 0, 100);
      await s.pass(3000);
      for (const [at, o] of all.entries()) s.show(names[at] ?? '', o);
      s.watch('cancel', all[1]?.cancel() ?? Promise.resolve());
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'advisories, and codes that nobody knows',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const names = ['a', 'b', 'd', 'e'];
      const all = names.map((name) => s.follow(name, c.placeOrder(AAPL, { ...LIMIT, orderRef: name })));
      await s.pass();
      s.say('error', 'TIF was set to DAY', 10_349, 5, { rejects: 1 });
      s.error(5, 2109, 'outsideRth ignored');
      s.error(5, 399, 'Warning: tomorrow');
      await s.pass(50);
      g.status(5, 'Submitted');
      s.error(6, 98_765, 'odd');
      s.error(7, 98_766, 'Warning: odd');
      s.error(8, 100, 'rate');
      await s.pass(500);
      g.status(6, 'PreSubmitted');
      await s.pass(600);
      await g.lists({ open: [{ id: 5 }, { id: 6 }] });
      await s.pass(2100);
      await g.lists({ open: [{ id: 5 }, { id: 6 }] });
      await s.pass(10_000);
      for (const [at, o] of all.entries()) s.show(names[at] ?? '', o);
      const last = s.follow('last', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      s.error(9, 98_765, 'odd');
      s.error(9, 1300, 'fatal to the connection');
      await s.pass(1100);
      await g.lists({ open: [{ id: 5 }, { id: 6 }] });
      await s.pass(2100);
      await g.lists({ open: [{ id: 5 }, { id: 6 }] });
      await s.pass(1);
      s.show('last', last);
      figures(s, c);
    },
  },
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
      for (const [code, text] of [[104, 'filled'], [105, 'fields'], [110, 'tick'], [329, 'type'], [2102, 'busy'], [201, 'rejected'], [10_349, 'TIF'], [98_765, 'odd']] as const) {
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
      const c = await s.ready({ reconnectMs: 100, pacing: { limitPerSecond: 2, messagesPerSecond: 2, urgentPerSecond: 2 } });
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
        ['same', AAPL, { ...LIMIT, orderRef: 'mine' }], ['other price', AAPL, { ...LIMIT, lmtPrice: 3, orderRef: 'mine' }],
        ['other quantity', AAPL, { ...LIMIT, totalQuantity: 7, orderRef: 'mine' }], ['other side', AAPL, { ...LIMIT, action: 'SELL', orderRef: 'mine' }],
        ['other type', AAPL, { ...LIMIT, orderType: 'MKT', orderRef: 'mine' }], ['other contract', MSFT, { ...LIMIT, orderRef: 'mine' }],
        ['by conId', { conId: 4 }, { ...LIMIT, orderRef: 'mine' }], ['less said', { symbol: 'AAPL' }, { action: 'BUY', orderRef: 'mine' }],
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
        entry: { ...LIMIT, orderRef: 'in' }, takeProfit: { orderType: 'LMT', lmtPrice: 12 }, stopLoss: { orderType: 'STP', auxPrice: 8, totalQuantity: 50 },
        others: [{ orderType: 'MOC', action: 'BUY' }, { orderType: 'MKT', orderRef: 'own' }],
      });
      const { entry, takeProfit, stopLoss, others } = bracket;
      s.note([entry, takeProfit, stopLoss, ...others].map((o) => `${o?.id} ${o?.orderRef} ${o?.state}`).join(', '));
      const sell = c.placeBracket(AAPL, { entry: { ...LIMIT, action: 'SELL' }, stopLoss: { orderType: 'STP' } });
      s.note(`${sell.takeProfit === null} ${sell.stopLoss?.orderRef} ${sell.others.length}`);
      const alone = c.placeBracket(AAPL, { entry: LIMIT });
      s.note(`alone: ${alone.entry.id} ${alone.stopLoss === null}`);
      for (const o of c.placeOca([{ contract: AAPL, order: LIMIT }, { contract: MSFT, order: { ...MARKET, ocaType: 3 } }])) s.note(`oca ${o.id} ${render(o.order)}`);
      c.placeOca([{ contract: AAPL, order: { ...LIMIT, ocaGroup: 'mine' } }, { contract: MSFT, order: { ...LIMIT, ocaGroup: '' } }]);
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

import { AAPL, figures, LIMIT, MARKET } from '../contracts.js';
import { orderSide } from '../order-side.js';
import type { Act } from '../stage.js';

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
      const [a, b, d, e, f] = ['a', 'b', 'd', 'e', 'f'].map((name) =>
        s.follow(name, c.placeOrder(AAPL, LIMIT)),
      );
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
];

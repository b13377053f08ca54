import { AAPL, figures, LIMIT } from '../contracts.js';
import { type Lists, orderSide } from '../order-side.js';
import { type Act, render } from '../stage.js';

/** Orders over drops, restarts, and messages in any order. */
export const reconnects: readonly Act[] = [
  {
    name: 'after a drop the lists settle what is in doubt',
    async play(s) {
      const c = await s.ready({ reconnectMs: 100 });
      const g = orderSide(s);
      const names = ['open', 'filled', 'partly', 'completed', 'rejected', 'gone', 'never'];
      const all = names.map((name) => s.follow(name, c.placeOrder(AAPL, { ...LIMIT, orderRef: name })));
      const held = s.follow('held', c.placeOrder(AAPL, { ...LIMIT, transmit: false }));
      await s.pass();
      for (const id of [5, 6, 10]) g.open(id, 'Submitted', { permId: 100 + id });
      await s.pass();
      s.watch('modify', all[0]?.modify({ lmtPrice: 3 }) ?? Promise.resolve());
      await s.pass();
      s.drop();
      await s.pass();
      for (const [at, o] of all.entries()) s.show(names[at] ?? '', o);
      s.show('held', held);
      await s.pass(100);
      s.welcome({ nextOrderId: 2 });
      await s.pass();
      const next = s.follow('next', c.placeOrder(AAPL, LIMIT));
      await s.pass(50);
      const answer: Lists = {
        open: [
          { id: 5, order: { permId: 105 } },
          { id: 7, filled: 30, order: { permId: 107 } },
        ],
        executions: [
          { orderId: 6, execId: 'a', shares: 100, permId: 106, avgPrice: 9, orderRef: 'filled' },
          { orderId: 7, execId: 'b', shares: 30, cumQty: 30, permId: 107 },
        ],
        completed: [
          {
            order: { permId: 108, orderRef: 'completed', filledQuantity: 0 },
            state: { status: 'Cancelled', completedStatus: 'Cancelled by Trader' },
          },
          {
            order: { permId: 109, orderRef: 'rejected' },
            state: { status: 'Inactive', completedStatus: 'Rejected' },
          },
          { order: { permId: 999, orderRef: 'foreign', filledQuantity: 5 }, state: { status: 'Filled' } },
        ],
      };
      s.note(`lists: ${await g.lists(answer)}`);
      for (const [at, o] of all.entries()) s.show(names[at] ?? '', o);
      await s.pass(1999);
      s.note(`lists: ${await g.lists(answer)}`);
      await s.pass(1);
      s.note(`lists: ${await g.lists(answer)}`);
      for (const [at, o] of all.entries()) s.show(names[at] ?? '', o);
      s.show('held', held);
      s.show('next', next);
      await s.pass(60_000);
      figures(s, c);
      s.timers();
    },
  },
  {
    name: 'lists that are refused, fail, or do not come',
    async play(s) {
      const c = await s.ready({ reconnectMs: 100, orders: { recheckMs: 1000 } });
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      s.drop();
      await s.pass(100);
      s.welcome();
      await s.pass(5);
      s.follow('behind the gate', c.placeOrder(AAPL, LIMIT, { timeoutMs: 60_000 }));
      await s.pass(40_000);
      figures(s, c);
      await g.lists();
      await s.pass(30_000);
      await g.lists();
      await s.pass(30_000);
      s.show('a', a);
      s.drop();
      await s.pass(100);
      s.welcome();
      await s.pass(5);
      s.info(321, 'The API interface is currently in Read-Only mode.');
      await s.pass(100);
      s.follow('after a refusal', c.placeOrder(AAPL, LIMIT));
      await s.pass(10_000);
      await g.lists();
      await s.pass(2000);
      await g.lists();
      figures(s, c);
    },
  },
  {
    name: 'lists prove nothing while the gateway is cut off from IB',
    async play(s) {
      const c = await s.ready({ reconnectMs: 100, orders: { recheckMs: 1000 } });
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      const b = s.follow('b', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      g.open(6, 'Submitted', { permId: 6 });
      await s.pass();
      s.info(1100);
      s.info(1102);
      await s.pass(5);
      s.info(1100);
      for (let at = 0; at < 4; at++) {
        await g.lists();
        await s.pass(1000);
      }
      s.show('a', a);
      s.info(1101);
      s.info(1102);
      for (let at = 0; at < 6; at++) {
        await g.lists();
        await s.pass(1000);
      }
      s.show('a', a);
      s.show('b', b);
      g.open(6, 'Submitted', { permId: 6 });
      await s.pass();
      s.show('b', b);
      figures(s, c);
      s.timers();
    },
  },
  {
    name: 'a gateway that is too old to list completed orders',
    async play(s) {
      const c = await s.ready({ version: 149, reconnectMs: 100 });
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      s.drop();
      await s.pass(100);
      s.welcome({ version: 149 });
      for (let at = 0; at < 3; at++) {
        await s.pass();
        s.note(`lists: ${await g.lists()}`);
        await s.pass(2000);
      }
      s.show('a', a);
      s.drop();
      await s.pass(1000);
      s.welcome({ version: 150 });
      await s.pass();
      s.note(`lists: ${await g.lists({ executions: [{ orderId: 5, execId: 'z', shares: 100 }] })}`);
      await s.pass(5000);
      s.show('a', a);
    },
  },
  {
    name: 'a process that starts anew finds its orders by their references',
    async play(s) {
      const c = s.connection({ orders: { orderRefPrefix: 'app' } });
      const g = orderSide(s);
      s.watch('ready', c.ready());
      await s.pass();
      s.welcome({ nextOrderId: 3 });
      await s.pass(20);
      s.follow('too early', c.placeOrder(AAPL, LIMIT, { timeoutMs: 10 }));
      const early = s.follow('early', c.placeOrder(AAPL, { ...LIMIT, orderRef: 'app-1' }));
      await s.pass(20);
      await g.lists({
        open: [
          {
            id: 8,
            order: {
              permId: 1,
              orderRef: 'app-8',
              lmtPrice: 4,
              volatility: 1,
              filledQuantity: 3,
              faGroup: '?',
              x: 'None',
            },
          },
          { id: 9, order: { permId: 2, orderRef: 'other', clientId: 4 } },
          { id: 0, order: { permId: 5, clientId: 0 } },
          { id: -3, order: { permId: 6 } },
          { id: 31, order: { permId: 31, orderRef: 'b-1' } },
        ],
        executions: [
          { orderId: 7, execId: 'e', shares: 100, permId: 3, orderRef: 'app-7' },
          { orderId: 40, execId: 'f', shares: 10, permId: 4, orderRef: 'app-40', clientId: 2 },
          { orderId: 41, execId: 'g', shares: 10, permId: 14, orderRef: 'b-41' },
        ],
        completed: [
          {
            order: { permId: 3, orderRef: 'app-7', filledQuantity: 100, totalQuantity: 0 },
            state: { status: 'Filled' },
          },
          { order: { permId: 12, orderRef: 'app-12', totalQuantity: 0 }, state: { status: 'Cancelled' } },
          { order: { permId: 13, orderRef: 'x-13' }, state: { status: 'Cancelled' } },
        ],
      });
      await s.pass();
      for (const ref of ['app-8', 'app-7', 'app-12', 'app-40', 'other', 'b-1', 'b-41', 'x-13', 'app-1'])
        s.show(ref, c.order(ref));
      const again = c.placeOrder(AAPL, { ...LIMIT, orderRef: 'app-8' });
      s.note(`again ${again.id} ${again.state}`);
      const twelve = c.placeOrder(AAPL, { ...LIMIT, orderRef: 'app-12' });
      s.note(`twelve ${twelve.id} ${twelve.state}`);
      s.watch('next id', c.nextOrderId());
      s.watch('modify', again.modify({ lmtPrice: 5 }));
      await s.pass(10);
      s.show('early', early);
      s.watch('cancel of a manual order', c.cancelOrder(31));
      await s.pass(10);
      s.drop();
      await s.pass(6000);
      s.welcome();
      await s.pass(10);
      await g.lists();
      await s.pass(3000);
      await g.lists();
      figures(s, c);
      s.attempt('orders', () => c.orders().map(({ id, state, orderRef }) => [id, state, orderRef]));
    },
  },
  {
    name: 'a process that starts anew, and a gateway whose lists fail: nothing is placed before they are known',
    async play(s) {
      const c = s.connection({ orders: { orderRefPrefix: 'app', recheckMs: 1000 } });
      const g = orderSide(s);
      s.watch('ready', c.ready());
      await s.pass();
      s.welcome();
      await s.pass(20);
      s.follow('o', c.placeOrder(AAPL, { ...LIMIT, orderRef: 'app-1' }, { timeoutMs: 100_000 }));
      await s.pass(30_000);
      await g.lists();
      await s.pass(10);
      figures(s, c);
      const d = s.connection({ clientId: 2, orders: { orderRefPrefix: 'app' } });
      s.watch('ready', d.ready());
      await s.pass();
      s.welcome();
      await s.pass(20);
      s.info(321, 'Read-Only');
      await s.pass(20);
      s.follow('p', d.placeOrder(AAPL, { ...LIMIT, orderRef: 'app-1' }, { timeoutMs: 1000 }));
      await s.pass(3000);
      const e = s.connection({ clientId: 3, orders: { orderRefPrefix: 'app' } });
      s.watch('ready', e.ready());
      await s.pass();
      s.welcome();
      await s.pass(20);
      s.watch('close', e.close());
      await s.pass(20);
    },
  },
  {
    name: 'orders of other clients, and two orders of one id',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const stop = c.onForeignOrder((order) => s.note(`foreign ${render(order)}`));
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      g.open(5, 'Submitted', { permId: 1 });
      g.open(5, 'Submitted', { permId: 2, clientId: 3 });
      g.open(0, 'Submitted', { permId: 3 });
      g.open(-1, 'Submitted', { permId: 4, clientId: 0 });
      g.open(6, 'PreSubmitted', { whatIf: true });
      g.status(5, 'Filled', 100, 0, { permId: 2, client: 3 });
      g.open(5, 'Submitted', { permId: 9 });
      g.status(5, 'Submitted', 10, 90, { permId: 9 });
      g.status(77, 'Submitted', 10, 90, { permId: 77 });
      g.open(12, 'Submitted', { permId: 12 });
      g.fill(88, 'q', 5);
      await s.pass();
      s.show('a', a);
      s.attempt('orders', () =>
        c.orders().map(({ id, permId, state, orderRef }) => [id, permId, state, orderRef]),
      );
      s.watch('next id', c.nextOrderId());
      stop();
      g.open(1, 'Submitted', { clientId: 3 });
      g.status(5, 'Cancelled', 0, 100, { permId: 1 });
      g.status(5, 'Cancelled', 10, 90, { permId: 9 });
      await s.pass(10);
      g.open(5, 'Submitted', { permId: 55 });
      await s.pass(10);
      s.attempt('orders', () =>
        c.orders().map(({ id, permId, state, messages }) => [id, permId, state, messages.length]),
      );
      s.show('a', a);
      figures(s, c);
    },
  },
  {
    name: 'orders that are over are forgotten, the oldest first',
    async play(s) {
      const c = await s.ready({ orders: { keepOrders: 3 } });
      const g = orderSide(s);
      for (let id = 5; id < 12; id++) {
        c.placeOrder(AAPL, { ...LIMIT, orderRef: `r${id}` });
        await s.pass();
        g.open(id, 'Submitted', { permId: 100 + id });
        if (id === 6) continue;
        g.fill(id, `e${id}`, 100);
        if (id !== 8) g.commission(`e${id}`, 1);
        g.status(id, 'Filled', 100, 0);
        await s.pass();
        s.note(
          `after ${id}: ${c
            .orders()
            .map((o) => o.id)
            .join(' ')}`,
        );
      }
      for (const key of ['r5', 'r6', 'r11', 5, 6, 7, 11]) s.show(`order ${key}`, c.order(key));
      g.commission('e5', 2);
      g.status(5, 'Filled', 100, 0, { permId: 105 });
      const anew = c.placeOrder(AAPL, { ...LIMIT, orderRef: 'r5' });
      s.note(`r5 anew: ${anew.id}`);
      for (let at = 0; at < 1100; at++) g.commission(`foreign${at}`, 1);
      g.fill(6, 'foreign50', 1);
      g.fill(6, 'foreign1099', 1);
      await s.pass(10);
      s.show('r6', c.order('r6'));
      await s.pass(7000);
      figures(s, c);
    },
  },
  {
    name: 'the steps of an order that began before one listens',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const o = c.placeOrder(AAPL, LIMIT);
      await s.pass();
      g.status(5, 'Submitted');
      const read = async (name: string, most: number): Promise<void> => {
        let count = 0;
        for await (const { kind } of o) {
          s.note(`${name} ${++count} ${kind}`);
          if (count === most) break;
        }
        s.note(`${name} ends`);
      };
      s.watch('a', read('a', 2));
      s.watch('b', read('b', 100));
      await s.pass();
      const stop = o.on((event) => s.note(`heard ${event.kind}`));
      s.error(5, 399, 'Warning');
      stop();
      g.status(5, 'Cancelled', 0, 100);
      await s.pass();
      s.watch('c', read('c', 100));
      s.watch(
        'finally',
        o.finally(() => s.note('finally')),
      );
      s.watch(
        'caught',
        o.catch(() => 'caught'),
      );
      await s.pass();
      const p = c.placeOrder(AAPL, LIMIT);
      s.watch(
        'open at the end',
        (async () => {
          for await (const { kind } of p) s.note(`p ${kind}`);
        })(),
      );
      await s.pass();
      s.watch('close', c.close());
      await s.pass();
      s.watch('done', p.done);
      s.watch('settled', p.settled);
      await s.pass();
    },
  },
  {
    name: 'messages of before that come late, after a reconnect',
    async play(s) {
      const c = await s.ready({ reconnectMs: 50 });
      const g = orderSide(s);
      const a = s.follow('a', c.placeOrder(AAPL, LIMIT));
      await s.pass();
      s.error(5, 201, 'rejected');
      await s.pass();
      g.fill(5, 'z', 10);
      await s.pass();
      s.show('a', a);
      g.status(5, 'Cancelled', 10, 90);
      await s.pass();
      g.fill(5, 'y', 20);
      g.status(5, 'Submitted', 30, 70);
      await s.pass(1500);
      s.show('a', a);
      s.drop();
      await s.pass(60);
      s.welcome();
      await s.pass(10);
      figures(s, c);
      g.fill(5, 'x', 70);
      await s.pass(8000);
      s.show('a', a);
    },
  },
];

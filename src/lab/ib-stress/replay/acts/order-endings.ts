import { AAPL, figures, LIMIT } from '../contracts.js';
import { orderSide } from '../order-side.js';
import type { Act } from '../stage.js';

/** Callers that stop waiting, and messages after the end. */
export const orderEndings: readonly Act[] = [
  {
    name: 'each kind of message about an order in each state, out of time or given up',
    async play(s) {
      const c = await s.ready({ orders: { recheckMs: 60_000 } });
      const g = orderSide(s);
      let id = 5;
      for (const kind of ['place', 'modify', 'cancel'] as const) {
        for (const state of ['held', 'sent', 'working', 'partly-filled'] as const) {
          for (const end of ['timeout', 'given up'] as const) {
            const name = `${kind} of one ${state}, ${end}`;
            const abort = new AbortController();
            const options = { timeoutMs: end === 'timeout' ? 500 : 5000, signal: abort.signal };
            const isPlace = kind === 'place';
            const order = { ...LIMIT, transmit: state !== 'held' };
            const o = s.follow(name, c.placeOrder(AAPL, order, isPlace ? options : {}));
            await s.pass();
            if (state === 'working' && !isPlace) g.status(id, 'Submitted', 0, 100, { permId: id });
            if (state === 'partly-filled' && !isPlace) g.status(id, 'Submitted', 40, 60, { permId: id });
            if (kind === 'modify') s.watch(`${name}: modify`, o.modify({ lmtPrice: 11 }, options));
            if (kind === 'cancel') s.watch(`${name}: cancel`, o.cancel(options));
            await s.pass(400);
            if (end === 'given up') abort.abort(new Error('the caller has gone'));
            await s.pass(101);
            s.note(`${name}: ${o.state} ${o.outcome?.kind ?? 'no outcome'}`);
            id++;
          }
        }
      }
      figures(s, c);
    },
  },
  {
    name: 'messages that come after the end of an order',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      const late: readonly (readonly [string, (id: number) => void])[] = [
        ['a remark', (id) => s.error(id, 399, 'Warning: late')],
        ['a status', (id) => g.status(id, 'Submitted', 0, 100, { permId: id })],
        ['an open order', (id) => g.open(id, 'Submitted', { permId: id })],
        ['a fill', (id) => g.fill(id, `late.1.1.${id}`, 1, { permId: id })],
        ['a commission', (id) => g.commission(`end.1.1.${id}`, 3)],
        ['a cancellation', (id) => s.error(id, 202, 'Order Canceled - reason:')],
        ['a rejection', (id) => s.error(id, 201, 'Order rejected - reason:')],
      ];
      let id = 5;
      for (const end of ['filled', 'filled in full', 'canceled', 'refused']) {
        for (const [what, say] of late) {
          const o = s.follow(`${end}, then ${what}`, c.placeOrder(AAPL, LIMIT));
          await s.pass();
          if (end === 'refused') s.error(id, 201, 'Order rejected - reason:');
          if (end === 'canceled') g.status(id, 'Cancelled', 0, 100, { permId: id });
          if (end.startsWith('filled')) g.fill(id, `end.1.1.${id}`, 100, { permId: id });
          if (end === 'filled in full') g.commission(`end.1.1.${id}`, 1);
          if (end.startsWith('filled')) g.status(id, 'Filled', 100, 0, { permId: id });
          await s.pass(6000);
          say(id);
          await s.pass();
          s.note(`${end}, then ${what}: ${o.state}`);
          const next = o[Symbol.asyncIterator]();
          s.watch('read again', readAll(next));
          await s.pass();
          id++;
        }
      }
      figures(s, c);
    },
  },
];

async function readAll(events: AsyncIterator<{ readonly kind: string }>): Promise<string> {
  const kinds: string[] = [];
  for (let next = await events.next(); next.done !== true; next = await events.next())
    kinds.push(next.value.kind);
  return kinds.join(' ');
}

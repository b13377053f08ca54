import { seededRandom } from '../../../../base/random.js';
import type { OrderHandle } from '../../../../ib/orders/handle.js';
import { AAPL, figures, LIMIT } from '../contracts.js';
import { type Lists, orderSide } from '../order-side.js';
import { type Act, render, type Stage } from '../stage.js';

/** Any message of any order, in any order. */
export const orderStorms: readonly Act[] = Array.from({ length: 8 }, (_, at) => ({
  name: `orders in a storm, seed ${at + 1}`,
  isStorm: true,
  play: (s) => storm(s, at + 1),
}));

const WORDS = [
  'PendingSubmit',
  'PreSubmitted',
  'Submitted',
  'Submitted',
  'PendingCancel',
  'Cancelled',
  'ApiCancelled',
  'Filled',
  'Inactive',
  '',
];
const CODES = [110, 201, 202, 399, 10_349, 103, 104, 105, 161, 10_147, 10_148, 98_765, 2109, 200, 100, 321];

/** A few orders, and a gateway that says anything of them, in any order, over drops. */
async function storm(s: Stage, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const pick = (count: number): number => Math.floor(random() * count);
  const c = await s.ready({
    reconnectMs: 100,
    orders: { recheckMs: 700, ...(seed % 3 === 0 && { orderRefPrefix: 'app' }) },
  });
  const g = orderSide(s);
  const handles: OrderHandle[] = [];
  const place = (): void => {
    const terms = {
      ...LIMIT,
      totalQuantity: [10, 100][pick(2)],
      ...(pick(3) === 0 && { orderRef: `app-${pick(5)}` }),
      ...(pick(7) === 0 && { transmit: false }),
    };
    const o =
      pick(6) === 0
        ? c.placeOrder(5 + pick(12), AAPL, terms)
        : c.placeOrder(AAPL, terms, pick(4) === 0 ? { timeoutMs: 200 } : {});
    handles.push(o);
    s.watch(`placed ${o.id}`, o.accepted);
    if (pick(3) === 0) s.watch(`done ${o.id}`, o.done);
  };
  c.onOrder((o, event) =>
    s.note(
      `${o.id} ${event.kind === 'state' ? `${event.before} -> ${event.state}` : render(event).slice(0, 160)}`,
    ),
  );
  const steps: readonly (() => unknown)[] = [
    place,
    place,
    () => {
      const o = handles[pick(handles.length)];
      if (o !== undefined) s.watch(`modify ${o.id}`, o.modify({ lmtPrice: 10 + pick(3) }));
    },
    () => {
      const o = handles[pick(handles.length)];
      if (o !== undefined) s.watch(`cancel ${o.id}`, o.cancel(pick(3) === 0 ? { timeoutMs: 100 } : {}));
    },
    ...Array.from({ length: 4 }, () => () => {
      const filled = pick(3) === 0 ? 10 * pick(11) : 0;
      g.status(idOf(), WORDS[pick(WORDS.length)] ?? '', filled, 100 - filled, {
        permId: permOf(),
        average: filled > 0 ? 10 : 0,
      });
    }),
    ...Array.from({ length: 3 }, () => () => {
      const id = idOf();
      g.open(id, WORDS[pick(WORDS.length)] ?? '', {
        permId: pick(2) * (100 + id),
        lmtPrice: 10 + pick(3),
        ...(pick(4) === 0 && { orderRef: `app-${pick(5)}` }),
        ...(pick(9) === 0 && { clientId: 2 }),
      });
    }),
    ...Array.from(
      { length: 2 },
      () => () =>
        g.fill(idOf(), `e${pick(9)}.1.1.0${pick(3)}`, 10 * (1 + pick(6)), {
          permId: permOf(),
          ...(pick(3) === 0 && { orderRef: `app-${pick(5)}` }),
        }),
    ),
    () => g.commission(`e${pick(9)}.1.1.0${pick(3)}`, pick(3) - 1),
    ...Array.from(
      { length: 3 },
      () => () => s.error(idOf(), CODES[pick(CODES.length)] ?? 0, pick(4) === 0 ? 'Warning: text' : 'text'),
    ),
    () => g.lists(someLists()),
    () => g.lists(someLists()),
    () => g.lists({}),
    () => {
      if (pick(4) === 0)
        s.info([1100, 1102, 1101, 100, 321][pick(5)] ?? 0, pick(2) === 0 ? 'Read-Only' : 'text');
    },
    async () => {
      if (pick(3) > 0) return;
      s.drop();
      await s.pass(pick(150));
    },
    () => {
      if (c.state.kind === 'connecting') s.welcome({ nextOrderId: pick(30) });
    },
    () => {
      if (c.state.kind === 'connecting') s.welcome({ nextOrderId: pick(30) });
    },
  ];
  const idOf = (): number => 5 + pick(Math.min(10, handles.length + 2));
  const permOf = (): number => (pick(2) === 0 ? 0 : 105 + pick(8));
  const someLists = (): Lists => ({
    open: Array.from({ length: pick(4) }, () => ({
      id: idOf(),
      filled: 10 * pick(4),
      order: { permId: permOf() },
    })),
    executions: Array.from({ length: pick(3) }, () => ({
      orderId: idOf(),
      execId: `e${pick(9)}.1.1.0${pick(3)}`,
      shares: 10,
      permId: permOf(),
      orderRef: `app-${pick(5)}`,
    })),
    completed: Array.from({ length: pick(3) }, () => ({
      order: { permId: permOf(), orderRef: `app-${pick(5)}`, filledQuantity: 10 * pick(2) },
      state: {
        status: ['Cancelled', 'Filled', 'Inactive'][pick(3)],
        completedStatus: ['', 'Filled Size: 10', 'Rejected'][pick(3)],
      },
    })),
  });
  for (let at = 0; at < 140; at++) {
    await steps[pick(steps.length)]?.();
    await s.pass(pick(3) === 0 ? pick(400) : 0);
    if (at % 35 !== 34) continue;
    for (const o of c.orders()) s.show(`${o.id}`, o);
    figures(s, c);
  }
  await s.pass(30_000);
  for (const o of c.orders())
    s.note(`${o.id} ${o.state} ${render(o.outcome)} ${o.fills.length} ${render(o.commissions)}`);
}

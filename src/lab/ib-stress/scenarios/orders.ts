import type { IbConnection } from '../../../ib/connection.js';
import type { Order } from '../../../ib/contracts.js';
import { IbError } from '../../../ib/errors.js';
import type { OrderHandle } from '../../../ib/orders/handle.js';
import type { OrderResult } from '../../../ib/orders/types.js';
import type { Trial } from '../trial.js';
import { type Scenario, stock, tally } from './scenario.js';

const AAPL = stock('AAPL');
/** Far from every price: it waits. */
const RESTING: Order = { action: 'BUY', orderType: 'LMT', totalQuantity: 100, lmtPrice: 1, tif: 'DAY' };
const AT_MARKET: Order = { action: 'BUY', orderType: 'MKT', totalQuantity: 100, tif: 'DAY' };
/** More than is ever shown at one price. */
const LARGE = 5000;
/** A gateway that answers at all answers a cancel within this time. */
const CANCEL_MS = 2000;
/** For this long a large order is not filled any further. */
const TICK_MS = 2000;

export const orderLife: Scenario = {
  name: 'order-life',
  title:
    'orders filled, canceled, changed, filled in part, refused, rejected later, and advised: each as it is',
  speed: 1,
  lastsMs: 8000,
  gateway: { tickIntervalMs: TICK_MS },
  async run(trial) {
    using lease = await trial.pool().acquire();
    const { connection } = lease;
    const place = (order: Order): OrderHandle => connection.placeOrder(AAPL, order);

    const market = place(AT_MARKET);
    const filled = await ended(trial, 'an order at the market is filled', market, 'filled');
    // It comes after the fill.
    await trial.becomes(() => market.commissions.length > 0);
    const [commission] = market.commissions;
    trial.check(
      'its fill and its commission are known',
      filled?.filled === 100 && filled.fills.length === 1 && commission?.amount === 1,
      `${filled?.fills.length ?? 0} fills, commission ${commission?.amount ?? 'unknown'}`,
    );
    // The rest cancels, too.
    if (!(await canceled(trial, 'an order that is canceled is canceled there too', place(RESTING)))) return;
    await changed(trial, connection, place(RESTING));
    // No answer to the first is awaited.
    const both = place(RESTING);
    const cancel = trial.ask(() => both.cancel({ timeoutMs: trial.real(CANCEL_MS) }));
    await ended(trial, 'placed and canceled at once, it is canceled', both, 'cancelled');
    trial.check('and the cancel is answered', !((await cancel) instanceof IbError), tally([await cancel]));
    await partlyFilled(trial, place({ ...RESTING, lmtPrice: 5000, totalQuantity: LARGE }));

    await trial.inject({ kind: 'error', code: 201, requests: ['placeOrder'], effect: 'reject' });
    const rejected = await ended(
      trial,
      'rejected after it was accepted, it is rejected',
      place(AT_MARKET),
      'rejected',
    );
    const why = rejected?.reason;
    trial.check('with the reason', why instanceof IbError && why.ibCode === 201, why?.message ?? 'no reason');
    await trial.inject({ kind: 'error', code: 10349, requests: ['placeOrder'], effect: 'advise' });
    const advised = place(RESTING);
    const first = await trial.ask(() => advised.accepted);
    trial.check(
      'an advisory does not end it',
      advised.state === 'working',
      `${advised.state}; ${tally([first])}`,
    );
    await canceled(trial, 'and it can be canceled', advised);
    await ended(
      trial,
      'a price between two steps is refused',
      place({ ...RESTING, lmtPrice: 1.001 }),
      'rejected',
    );
    await sameAsGateway(trial, connection);
  },
};

export const orderRestart: Scenario = {
  name: 'order-restart',
  title:
    'a process that starts anew, and a gateway that does: orders are found again, and none is placed twice',
  speed: 1,
  lastsMs: 8000,
  async run(trial) {
    const clientId = trial.clientIdBase;
    const orders = { orderRefPrefix: 'stress' };
    const before = trial.pool({ clientId, orders });
    const { connection: early } = await before.acquire();
    const resting = early.placeOrder(AAPL, { ...RESTING, orderRef: 'stress-rests' });
    await trial.ask(() => resting.accepted);
    await ended(
      trial,
      'one is filled',
      early.placeOrder(AAPL, { ...AT_MARKET, orderRef: 'stress-fills' }),
      'filled',
    );
    await trial.close(before);

    const pool = trial.pool({ clientId, orders, reconnectMs: 20 });
    using lease = await pool.acquire();
    const { connection } = lease;
    const [again, done] = ['stress-rests', 'stress-fills'].map((ref) => connection.order(ref));
    trial.check(
      'the new process knows both orders',
      again?.state === 'working' && again.permId === resting.permId && done?.state === 'filled',
      `${again?.state ?? 'unknown'} and ${done?.state ?? 'unknown'}`,
    );
    if (again === null || again === undefined) return;
    await trial.ask(() => connection.placeOrder(AAPL, { ...RESTING, orderRef: 'stress-rests' }).accepted);
    const next = connection.placeOrder(AAPL, { ...RESTING, orderRef: 'stress-next' });
    await trial.ask(() => next.accepted);
    trial.check(
      'a new order has an id of its own',
      next.id > resting.id,
      `id ${next.id} after ${resting.id}`,
    );
    await canceledMeanwhile(trial, connection, next);
    const { placed, byId } = (await trial.counts()).orders;
    trial.check(
      'no order was sent twice',
      placed === 3,
      `${placed} messages for ${Object.keys(byId).length} orders`,
    );
  },
};

/** The order is canceled by somebody else while its connection is away. */
async function canceledMeanwhile(trial: Trial, connection: IbConnection, order: OrderHandle): Promise<void> {
  using lease = await trial.pool({ clientId: connection.clientId + 1 }).acquire();
  const lostBefore = connection.figures().supervisor.lost;
  const refusing = await trial.inject({ kind: 'refuse' });
  await trial.inject({ kind: 'drop', clientIds: [connection.clientId] });
  await trial.until('the loss is noticed', () => connection.figures().supervisor.lost > lostBefore);
  await trial.ask(() => lease.connection.raw.send('reqGlobalCancel'));
  await trial.until(
    'its orders are canceled meanwhile',
    async () => (await trial.counts()).orders.canceled >= 2,
  );
  await trial.heal(refusing);
  await ended(trial, 'what happened meanwhile is known', order, 'cancelled');
}

/** The result, if the order ends as it should; noted as a check. */
async function ended(
  trial: Trial,
  name: string,
  order: OrderHandle,
  wanted: OrderResult['state'],
): Promise<OrderResult | null> {
  let result: OrderResult | null = null;
  order.done.then(
    (one) => {
      result = one;
    },
    () => {},
  );
  await trial.becomes(() => result !== null);
  trial.check(name, order.state === wanted, `order ${order.id} is ${order.state}`);
  return result;
}

/** Whether it was. */
async function canceled(trial: Trial, name: string, order: OrderHandle): Promise<boolean> {
  await trial.ask(() => order.accepted);
  const before = (await trial.counts()).orders.canceled;
  const answer = await trial.ask(() => order.cancel({ timeoutMs: trial.real(CANCEL_MS) }));
  const after = (await trial.counts()).orders.canceled;
  const ok = !(answer instanceof IbError) && order.state === 'cancelled' && after === before + 1;
  trial.check(name, ok, `${order.state} here, ${after - before} canceled there; ${tally([answer])}`);
  return ok;
}

async function changed(trial: Trial, connection: IbConnection, order: OrderHandle): Promise<void> {
  await trial.ask(() => order.accepted);
  const answer = await trial.ask(() => order.modify({ lmtPrice: 2 }));
  const open = await trial.ask(() => connection.openOrders());
  const listed = open instanceof IbError ? undefined : open.find(({ orderId }) => orderId === order.id);
  trial.check(
    'a change is what the gateway has then',
    !(answer instanceof IbError) && listed?.order.lmtPrice === 2,
    `limit ${listed?.order.lmtPrice ?? 'unknown'}; ${tally([answer])}`,
  );
  await canceled(trial, 'a changed order can be canceled', order);
}

async function partlyFilled(trial: Trial, order: OrderHandle): Promise<void> {
  await trial.until('a large order is filled in part', () => order.fills.length > 0);
  await trial.ask(() => order.cancel({ timeoutMs: trial.real(CANCEL_MS) }));
  const result = await ended(trial, 'canceled, it is over', order, 'cancelled');
  const sum = order.fills.reduce((total, { quantity }) => total + quantity, 0);
  trial.check(
    'and what was filled is what was told',
    result?.filled === sum && result.remaining === LARGE - sum && sum > 0 && sum < LARGE,
    `${result?.filled ?? 'unknown'} filled, ${result?.remaining ?? 'unknown'} left; fills of ${sum}`,
  );
}

/** The gateway's lists beside what the orders say of themselves. */
async function sameAsGateway(trial: Trial, connection: IbConnection): Promise<void> {
  const [open, fills] = await Promise.all([
    trial.ask(() => connection.openOrders()),
    trial.ask(() => connection.executions()),
  ]);
  const known = connection.orders().flatMap((order) => order.fills);
  trial.check(
    'the gateway has no order open, and the same fills',
    !(open instanceof IbError) &&
      open.length === 0 &&
      !(fills instanceof IbError) &&
      fills.length === known.length,
    `${tally([open])}, ${fills instanceof IbError ? tally([fills]) : fills.length} fills there, ${known.length} here`,
  );
}

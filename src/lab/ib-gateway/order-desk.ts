import { sendPosition } from './account-handlers.js';
import { type Client, type House, instrumentFor } from './house.js';
import { parseTime, timeText } from './market.js';
import { commissionOf } from './matching.js';
import type { OrderEvent } from './orders.js';
import { completedOrder } from './wire/completed-order.js';
import type { Execution, Instrument, Order } from './wire/model.js';
import { type Notice, notices } from './wire/notices.js';
import { openOrder } from './wire/open-order.js';
import * as replies from './wire/order-replies.js';
import type { ExecutionFilter, OrderRequest, Request } from './wire/request-types.js';
import { Since } from './wire/versions.js';

type RequestOf<Name extends Request['name']> = Extract<Request, { readonly name: Name }>;

/** Executions are forgotten beyond that many. */
const MOST_EXECUTIONS = 10_000;

export const orderHandlers = {
  placeOrder,
  cancelOrder(session: Client, house: House, { id }: RequestOf<'cancelOrder'>): void {
    const ended = house.orders.cancel(session.clientId ?? 0, id, house.clock.wallTime());
    if ('code' in ended) session.tell(ended, id);
    else announceAll(house, ended);
  },
  globalCancel(_: Client, house: House): void {
    announceAll(house, house.orders.cancelAll(house.clock.wallTime()));
  },
  openOrders: (session: Client, house: House): void => sendOpenOrders(session, house, session.clientId),
  allOpenOrders: (session: Client, house: House): void => sendOpenOrders(session, house, null),
  autoOpenOrders(session: Client): void {
    if (session.clientId !== 0) session.tell(notices.notFirstClient);
  },
  completedOrders(session: Client, { orders }: House): void {
    const { version } = session;
    if (version >= Since.completedOrders) {
      for (const { order, endedAtMs } of orders.completed()) {
        session.send(
          completedOrder(order, `${timeText(endedAtMs, false, Since.instrumentTimeZone)}`, version),
        );
      }
    }
    session.send(replies.completedOrdersEnd());
  },
  executions(session: Client, house: House, { id, filter }: RequestOf<'executions'>): void {
    for (const execution of house.executions) {
      if (isWanted(execution, filter)) sendExecution(session, id, execution);
    }
    session.send(replies.executionsEnd(id));
  },
} as const;

/** The open orders of a client, as they are sent when it connects. */
export function sendOwnOrders(session: Client, { orders }: House): void {
  for (const order of orders.open(session.clientId)) sendOrder(session, order);
}

/** Executes what the prices of this tick allow. */
export function workOrders(house: House): void {
  if (!house.linked) return;
  const { orders, market, clock, tick } = house;
  announceAll(
    house,
    orders.match((instrument) => market.quote(instrument, tick), clock.wallTime()),
  );
}

/** Accepts an order and then rejects it, as a broker does whose own checks come later. */
export function placeAndReject(session: Client, house: House, request: OrderRequest, notice: Notice): void {
  const { orders, clock } = house;
  const order = accept(session, house, request).find(({ id }) => id === request.id);
  if (order !== undefined)
    announceAll(house, orders.reject(order.clientId, order.id, notice, clock.wallTime()));
}

/** Notes that an order was sent, whatever becomes of it. */
export function countOrder({ census }: House, clientId: number | null, id: number): void {
  census.ordersPlaced++;
  census.ordersById.add(`${clientId ?? 0}/${id}`);
}

function placeOrder(session: Client, house: House, request: OrderRequest): void {
  const shown = accept(session, house, request);
  const { orders, market, clock, tick, linked } = house;
  if (shown.length === 0) return;
  house.wantTicks();
  if (!linked) return;
  const quoteOf = (one: Instrument) => market.quote(one, tick);
  announceAll(house, orders.matchNew(shown, quoteOf, clock.wallTime()));
}

/** Takes an order on; gives the orders that it shows. None if it was refused, is held back, or only a what-if. */
function accept(session: Client, house: House, request: OrderRequest): readonly Order[] {
  const { orders, clock, options } = house;
  const { id, contract } = request;
  const clientId = session.clientId ?? 0;
  const instrument = instrumentFor(session, house, id, contract);
  if (instrument === null) return [];
  const account = request.terms.account || (options.accounts[0] ?? '');
  const wanted = { ...request, terms: { ...request.terms, account } };
  const refusal = refusalOf(wanted, instrument, options.accounts);
  if (refusal !== null) {
    session.tell(refusal, id);
    return [];
  }
  if (request.whatIf) {
    sendPreview(session, house, wanted, instrument);
    return [];
  }
  const placed = orders.place(clientId, wanted, instrument, clock.wallTime());
  if ('code' in placed) {
    session.tell(placed, id);
    return [];
  }
  announceAll(house, placed);
  return placed.map(({ order }) => order);
}

/** Why an order is refused without a look at other orders; null if it is not. */
function refusalOf(
  { quantity, terms, whatIf, transmit }: OrderRequest,
  { minTick }: Instrument,
  accounts: readonly string[],
): Notice | null {
  if (!(quantity > 0)) return notices.orderRejected('the quantity must be positive');
  if (terms.action !== 'BUY' && terms.action !== 'SELL' && terms.action !== 'SSHORT')
    return notices.invalid(`Invalid side '${terms.action}'`);
  if (!accounts.includes(terms.account)) return notices.invalid(`Invalid account code '${terms.account}'.`);
  if (whatIf && !transmit) return notices.whatIfTransmit;
  const isPriced = (text: string) => text === '' || Number(text) > 1e300 || isStep(Number(text), minTick);
  return isPriced(terms.limitPrice) && isPriced(terms.auxPrice) ? null : notices.priceStep;
}

/** Whether a price is a multiple of the least step, but for the rounding of binary fractions. */
function isStep(price: number, step: number): boolean {
  const steps = price / step;
  return Math.abs(steps - Math.round(steps)) < 1e-6 * Math.max(1, Math.abs(steps));
}

function sendPreview(session: Client, house: House, request: OrderRequest, instrument: Instrument): void {
  const { orders, holdings, market, tick } = house;
  const { id, quantity, parentId, terms } = request;
  const limit = Number(terms.limitPrice);
  const price = limit > 0 && limit < 1e300 ? limit : market.quote(instrument, tick).last;
  const signed = terms.action === 'BUY' ? quantity : -quantity;
  const preview = {
    ...holdings.preview(terms.account, instrument, signed, price),
    commission: commissionOf(instrument, quantity, price),
  };
  orders.burn(id);
  const state = { status: 'PreSubmitted', filled: 0, price: 0, lastPrice: 0, commission: null } as const;
  const clientId = session.clientId ?? 0;
  const order: Order = { id, clientId, permId: 0, parentId, quantity, instrument, terms, ...state, preview };
  session.send(openOrder(order, session.version));
}

function announceAll(house: House, events: readonly OrderEvent[]): void {
  for (const event of events) announce(house, event);
}

/** Tells the client of an order, and the master client, what happened to it. */
function announce(house: House, event: OrderEvent): void {
  const { order } = event;
  const listeners = listenersOf(house, order);
  switch (event.kind) {
    case 'shown':
      for (const session of listeners) sendOrder(session, order);
      return;
    case 'filled': {
      const execution = execute(house, event);
      for (const session of listeners) sendFill(session, order, execution);
      return;
    }
    case 'canceled':
      house.census.ordersCanceled++;
      for (const session of listeners) {
        session.send(replies.orderStatus(order, session.version));
        session.tell(notices.orderCanceled, order.id);
      }
      return;
    case 'discarded':
      house.census.ordersCanceled++;
      for (const session of listeners) {
        session.tell(notices.orderDiscarded, order.id);
        session.tell(notices.cancelNotPossible(order.permId), order.id);
      }
      return;
    case 'rejected':
      for (const session of listeners) {
        session.tell(event.notice, order.id);
        sendOrder(session, order);
      }
      return;
  }
}

function listenersOf({ sessions, options }: House, { clientId }: Order): Client[] {
  const listeners: Client[] = [];
  for (const session of sessions) {
    const isMeant = session.clientId === clientId || session.clientId === options.masterClientId;
    if (isMeant && session.isReady) listeners.push(session);
  }
  return listeners;
}

/** Books a fill: the execution, and the position that it changes. */
function execute(house: House, fill: Extract<OrderEvent, { readonly kind: 'filled' }>): Execution {
  const { executions, holdings, clock } = house;
  const { order, quantity, price, commission } = fill;
  const { account, action } = order.terms;
  const isBuy = action === 'BUY';
  const { position, realized } = holdings.trade(
    account,
    order.instrument,
    isBuy ? quantity : -quantity,
    price,
  );
  const number = (executions.at(-1)?.number ?? 0) + 1;
  const execution = {
    execId: `0000e0d5.${number.toString(16).padStart(8, '0')}.01.01`,
    number,
    atMs: clock.wallTime(),
    order,
    side: isBuy ? ('BOT' as const) : ('SLD' as const),
    quantity,
    price,
    cumulative: order.filled,
    averagePrice: order.price,
    commission,
    realizedProfit: realized === null ? null : Math.round((realized - commission) * 100) / 100,
  };
  executions.push(execution);
  if (executions.length > MOST_EXECUTIONS) executions.shift();
  sendPosition(house, account, position);
  return execution;
}

/** The sequence that was captured from a real gateway for a market order: the commission comes after the fill. */
function sendFill(session: Client, order: Order, execution: Execution): void {
  const { version } = session;
  const before = (order.commission ?? 0) - execution.commission;
  session.send(replies.executionDetails(-1, execution, timeText(execution.atMs, false, version), version));
  session.send(openOrder({ ...order, commission: before > 0.005 ? before : null }, version));
  session.send(replies.orderStatus(order, version));
  session.send(openOrder(order, version));
  session.send(replies.commissionReport(execution));
}

function sendExecution(session: Client, reqId: number, execution: Execution): void {
  const { version } = session;
  session.send(replies.executionDetails(reqId, execution, timeText(execution.atMs, false, version), version));
  session.send(replies.commissionReport(execution));
}

function isWanted(execution: Execution, filter: ExecutionFilter): boolean {
  const { order, atMs, side } = execution;
  const { clientId, account, since, symbol, secType, exchange } = filter;
  const sinceMs = parseTime(since);
  const wantedSide = { BUY: 'BOT', SELL: 'SLD' }[filter.side] ?? filter.side;
  return (
    (clientId === 0 || clientId === order.clientId) &&
    (account === '' || account === order.terms.account) &&
    (sinceMs === null || atMs >= sinceMs) &&
    (symbol === '' || symbol === order.instrument.symbol) &&
    (secType === '' || secType === order.instrument.secType) &&
    (exchange === '' || exchange === order.instrument.exchange || exchange === replies.venueOf(execution)) &&
    (wantedSide === '' || wantedSide === side)
  );
}

function sendOpenOrders(session: Client, { orders }: House, clientId: number | null): void {
  for (const order of orders.open(clientId)) sendOrder(session, order);
  session.send(replies.openOrdersEnd());
}

/** The order, and how far it has come. */
function sendOrder(session: Client, order: Order): void {
  session.send(openOrder(order, session.version));
  session.send(replies.orderStatus(order, session.version));
}

import { type Client, type House, openHistory, openSubscriptions } from './house.js';
import { historyKey } from './pacing.js';
import { SUBSCRIPTION_KINDS, type Subscription, type SubscriptionKind } from './subscriptions.js';
import type { Instrument, Order } from './wire/model.js';
import { notices } from './wire/notices.js';
import { openOrder } from './wire/open-order.js';
import * as replies from './wire/replies.js';
import type { Request, RequestName } from './wire/requests.js';

type RequestOf<Name extends RequestName> = Extract<Request, { readonly name: Name }>;
type Handler<Name extends RequestName> = (session: Client, house: House, request: RequestOf<Name>) => void;

/** How each request is answered. What needs the vendor's servers has no answer while they are not reached. */
export const handlers: { readonly [Name in Exclude<RequestName, 'startApi'>]: Handler<Name> } = {
  currentTime: (session, { clock }) => session.send(replies.currentTime(clock.wallTime())),
  managedAccounts: (session, { options }) => session.send(replies.managedAccounts(options.accounts)),
  ids: (session, { orders }) => session.send(replies.nextValidId(orders.nextId)),
  logLevel() {},
  marketDataType(session, _, { type }) {
    if (type >= 1 && type <= 4) session.marketDataType = type;
    else session.tell(notices.invalid(`no market data type ${type}`));
  },
  contractDetails(session, house, { id, contract }) {
    if (!house.linked) return;
    const instrument = house.market.find(contract);
    if (instrument === null) return session.tell(notices.unknownContract, id);
    session.send(replies.contractDetails(id, instrument, session.version));
    session.send(replies.contractDetailsEnd(id));
  },
  history,
  cancelHistory(session, house, { id }) {
    const wasOpen = session.openHistory.delete(id);
    if (cancel(session, house, 'history', id)) return;
    if (wasOpen) session.tell(notices.historyCanceled(id), id);
  },
  headTimestamp: (session, { linked }, { id }) => {
    if (linked) session.send(replies.headTimestamp(id, '19901126-14:30:00'));
  },
  cancelHeadTimestamp() {},
  marketData,
  cancelMarketData(session, house, { id }) {
    if (!cancel(session, house, 'marketData', id)) session.tell(notices.noSuchTicker(id), id);
  },
  positions(session, house) {
    subscribe(session, house, { kind: 'positions' });
    house.options.accounts.forEach((account, index) => {
      for (const each of house.market.positions(index)) session.send(replies.position(each, account));
    });
    session.send(replies.positionsEnd());
  },
  cancelPositions: (session, house) => void cancel(session, house, 'positions'),
  accountSummary(session, house, { id, tags }) {
    if (!subscribe(session, house, { kind: 'accountSummary', id, tags }))
      return session.tell(notices.duplicateId, id);
    for (const account of house.options.accounts) {
      for (const tag of wantedTags(tags)) {
        const value = ACCOUNT_VALUES[tag];
        if (value !== undefined) session.send(replies.accountSummary(id, account, tag, value));
      }
    }
    session.send(replies.accountSummaryEnd(id));
  },
  cancelAccountSummary: (session, house, { id }) => void cancel(session, house, 'accountSummary', id),
  accountUpdates,
  openOrders: (session, house) => sendOpenOrders(session, house, session.clientId),
  autoOpenOrders: (session, house) => sendOpenOrders(session, house, session.clientId),
  allOpenOrders: (session, house) => sendOpenOrders(session, house, null),
  completedOrders: (session) => session.send(replies.completedOrdersEnd()),
  executions: (session, _, { id }) => session.send(replies.executionsEnd(id)),
  placeOrder(session, house, { id, contract, quantity, terms }) {
    const { census, orders, market, clock, tick } = house;
    const clientId = session.clientId ?? 0;
    census.ordersPlaced++;
    census.ordersById.add(`${clientId}/${id}`);
    const instrument = market.find(contract);
    if (instrument === null) return session.tell(notices.unknownContract, id);
    if (!(quantity > 0)) return session.tell(notices.orderRejected('the quantity must be positive'), id);
    const price = market.quote(instrument, tick).last;
    const account = terms.account || (house.options.accounts[0] ?? '');
    const wanted = { instrument, quantity, price, terms: { ...terms, account } };
    const order = orders.place(clientId, id, wanted, clock.now());
    if (order === null) return session.tell(notices.duplicateOrder, id);
    sendOrder(session, order);
  },
  cancelOrder: (session, house, { id }) => {
    if (!cancelOrder(session, house, id)) session.tell(notices.noSuchOrder, id);
  },
  globalCancel(session, house) {
    for (const { id } of house.orders.open(session.clientId)) cancelOrder(session, house, id);
  },
};

/** Sends all who subscribe what is new at this tick. */
export function sendTicks(house: House): void {
  if (!house.linked) return;
  const nowMs = house.clock.wallTime();
  for (const session of house.sessions) {
    if (session.subscriptions.size === 0 || !session.takesTicks) continue;
    session.batch(() => {
      for (const one of session.subscriptions) {
        if (one.kind === 'marketData') {
          const { last, lastSize } = house.market.quote(one.instrument, house.tick);
          session.send(replies.tickPrice(one.id, replies.TickType.last, last, lastSize));
        } else if (one.kind === 'history') {
          const bar = house.market.currentBar(one.instrument, one.query, house.tick, nowMs, session.version);
          session.send(replies.historicalUpdate(one.id, bar));
        }
      }
    });
  }
}

/** Forgets the subscriptions to what comes from the vendor's servers, as with a 1101. */
export function loseData(house: House): void {
  for (const { subscriptions } of house.sessions) {
    house.census.subscriptionsLost +=
      subscriptions.deleteAll('marketData') + subscriptions.deleteAll('history');
  }
}

/** How many subscriptions of each kind there are. */
export function subscriptionsByKind(house: House): Record<SubscriptionKind, number> {
  const counts = { marketData: 0, history: 0, accountSummary: 0, accountUpdates: 0, positions: 0 };
  for (const kind of SUBSCRIPTION_KINDS) counts[kind] = openSubscriptions(house, kind);
  return counts;
}

function history(session: Client, house: House, { id, query }: RequestOf<'history'>): void {
  const { census, clock, market, historyPacing } = house;
  census.historyRequests++;
  census.historyByKey.add(historyKey(query));
  if (session.openHistory.has(id) || session.subscriptions.has('history', id)) {
    session.tell(notices.duplicateId, id);
    return;
  }
  const open = openHistory(house);
  const refusal = historyPacing?.refuse(query, open, clock.now()) ?? null;
  if (refusal !== null) {
    census.historyRefused.add(refusal);
    session.tell(notices.historyPacing, id);
    return;
  }
  const instrument = market.find(query.contract);
  if (instrument === null) {
    session.tell(notices.unknownContract, id);
    return;
  }
  session.openHistory.add(id);
  census.mostHistoryOpen = Math.max(census.mostHistoryOpen, open + 1);
  if (!house.linked) return;
  const found = market.history(instrument, query, clock.wallTime(), session.version);
  if (typeof found === 'string') {
    session.openHistory.delete(id);
    session.tell(notices.invalid(found), id);
    return;
  }
  const messages = replies.historicalBars(id, found, session.version);
  const answered = (): void => void session.openHistory.delete(id);
  messages.forEach((message, index) => {
    session.send(message, index === messages.length - 1 ? answered : null);
  });
  if (query.keepUpToDate) subscribe(session, house, { kind: 'history', id, instrument, query });
}

function marketData(session: Client, house: House, request: RequestOf<'marketData'>): void {
  const { id, contract, snapshot } = request;
  const { options, market } = house;
  if (session.subscriptions.has('marketData', id)) {
    session.tell(notices.duplicateTicker, id);
    return;
  }
  const instrument = market.find(contract);
  if (instrument === null) {
    session.tell(notices.unknownContract, id);
    return;
  }
  if (!snapshot) {
    if (openSubscriptions(house, 'marketData') >= options.marketDataLines) {
      session.tell(notices.tickerLimit, id);
      return;
    }
    subscribe(session, house, { kind: 'marketData', id, instrument });
  }
  if (!house.linked) return;
  sendQuote(session, house, id, instrument);
  if (snapshot) session.send(replies.snapshotEnd(id));
}

function accountUpdates(session: Client, house: House, request: RequestOf<'accountUpdates'>): void {
  const { account } = request;
  if (!request.subscribe) return void cancel(session, house, 'accountUpdates');
  const { options, market, clock } = house;
  const index = Math.max(0, options.accounts.indexOf(account));
  const name = options.accounts[index] ?? '';
  if (account !== '' && account !== name) {
    session.tell(notices.invalid(`unknown account '${account}'`));
    return;
  }
  subscribe(session, house, { kind: 'accountUpdates', account: name });
  for (const [tag, value] of Object.entries(ACCOUNT_VALUES)) {
    session.send(replies.accountValue(tag, value, /^[\d.]+$/.test(value) ? 'USD' : '', name));
  }
  for (const each of market.positions(index)) session.send(replies.portfolioValue(each, name));
  session.send(replies.accountTime(new Date(clock.wallTime()).toISOString().slice(11, 16)));
  session.send(replies.accountDownloadEnd(name));
}

/** What every account has. */
const ACCOUNT_VALUES: Readonly<Record<string, string>> = {
  AccountType: 'INDIVIDUAL',
  NetLiquidation: '1000000.00',
  TotalCashValue: '500000.00',
  SettledCash: '500000.00',
  AvailableFunds: '750000.00',
  BuyingPower: '3000000.00',
  ExcessLiquidity: '750000.00',
  GrossPositionValue: '500000.00',
  InitMarginReq: '250000.00',
  MaintMarginReq: '250000.00',
};

/** `$LEDGER` asks for the cash of each currency, of which there is one. */
function wantedTags(tags: readonly string[]): readonly string[] {
  return tags.map((tag) => (tag.startsWith('$LEDGER') ? 'TotalCashValue' : tag));
}

function sendQuote(session: Client, { market, tick }: House, id: number, instrument: Instrument): void {
  const { TickType, tickPrice, tickSize } = replies;
  const { bid, ask, last, bidSize, askSize, lastSize } = market.quote(instrument, tick);
  session.send(replies.tickParameters(id, instrument.minTick));
  session.send(replies.marketDataType(id, session.marketDataType));
  session.send(tickPrice(id, TickType.bid, bid, bidSize));
  session.send(tickPrice(id, TickType.ask, ask, askSize));
  session.send(tickPrice(id, TickType.last, last, lastSize));
  session.send(tickSize(id, TickType.volume, 1_000_000));
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

function cancelOrder(session: Client, { orders, census }: House, id: number): boolean {
  const order = orders.cancel(session.clientId ?? 0, id);
  if (order === null) return false;
  census.ordersCanceled++;
  session.send(replies.orderStatus(order, session.version));
  session.tell(notices.orderCanceled, id);
  return true;
}

/** Whether it is new. */
function subscribe(session: Client, house: House, subscription: Subscription): boolean {
  if (!session.subscriptions.add(subscription)) return false;
  const { census } = house;
  census.subscriptionsOpened++;
  let open = 0;
  for (const { subscriptions } of house.sessions) open += subscriptions.size;
  census.mostSubscriptions = Math.max(census.mostSubscriptions, open);
  house.wantTicks();
  return true;
}

/** Whether it was there. */
function cancel(session: Client, { census }: House, kind: SubscriptionKind, id = 0): boolean {
  const was = session.subscriptions.delete(kind, id);
  if (was) census.subscriptionsCanceled++;
  return was;
}

import { accountHandlers } from './account-handlers.js';
import { dataHandlers } from './data-handlers.js';
import type { Client, House } from './house.js';
import { orderHandlers } from './order-desk.js';
import { emptyLists, scannerParameters, smartComponents, userInfo } from './wire/data-replies.js';
import { notices } from './wire/notices.js';
import * as replies from './wire/replies.js';
import type { Request, RequestName } from './wire/request-types.js';

type RequestOf<Name extends RequestName> = Extract<Request, { readonly name: Name }>;
type Handler<Name extends RequestName> = (session: Client, house: House, request: RequestOf<Name>) => void;

/** How each request is answered. */
export const handlers: { readonly [Name in Exclude<RequestName, 'startApi'>]: Handler<Name> } = {
  ...accountHandlers,
  ...dataHandlers,
  ...orderHandlers,
  currentTime: (session, { clock }) => session.send(replies.currentTime(clock.wallTime())),
  currentTimeMillis: (session, { clock }) => session.send(replies.currentTimeMillis(clock.wallTime())),
  managedAccounts: (session, { options }) => session.send(replies.managedAccounts(options.accounts)),
  ids: (session, { orders }) => session.send(replies.nextValidId(orders.nextId)),
  logLevel() {},
  marketDataType(session, _, { type }) {
    if (type >= 1 && type <= 4) session.marketDataType = type;
    else session.tell(notices.invalid(`no market data type ${type}`));
  },
  smartComponents: (session, _, { id }) => session.send(smartComponents(id)),
  softDollarTiers: (session, _, { id }) => session.send(emptyLists.softDollarTiers(id)),
  depthExchanges: (session) => session.send(emptyLists.depthExchanges()),
  newsProviders: (session) => session.send(emptyLists.newsProviders()),
  // There are no bulletins: nothing follows.
  newsBulletins() {},
  cancelNewsBulletins() {},
  scannerParameters: (session) => session.send(scannerParameters()),
  userInfo: (session, _, { id }) => session.send(userInfo(id)),
  notSimulated: (session, _, { id, what }) => session.tell(notices.notSimulated(what), id),
};

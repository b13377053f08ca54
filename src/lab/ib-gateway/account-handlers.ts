import { type Client, type House, subscribe, unsubscribe } from './house.js';
import * as replies from './wire/account-replies.js';
import type { Position } from './wire/model.js';
import { notices } from './wire/notices.js';
import type { Request } from './wire/request-types.js';

type RequestOf<Name extends Request['name']> = Extract<Request, { readonly name: Name }>;

export const accountHandlers = {
  positions(session: Client, house: House): void {
    subscribe(session, house, { kind: 'positions' });
    for (const account of house.options.accounts) {
      for (const each of house.holdings.of(account)) session.send(replies.position(each, account));
    }
    session.send(replies.positionsEnd());
  },
  cancelPositions: (session: Client, house: House) => void unsubscribe(session, house, 'positions'),
  positionsMulti(session: Client, house: House, request: RequestOf<'positionsMulti'>): void {
    const { id, account, model } = request;
    const accounts = accountsFor(session, house, id, account);
    if (accounts === null) return;
    if (!subscribe(session, house, { kind: 'positionsMulti', id, accounts, model })) {
      session.tell(notices.duplicateId, id);
      return;
    }
    for (const one of accounts) {
      for (const each of house.holdings.of(one)) session.send(replies.positionMulti(id, one, model, each));
    }
    session.send(replies.positionMultiEnd(id));
  },
  cancelPositionsMulti: (session: Client, house: House, { id }: { readonly id: number }) =>
    void unsubscribe(session, house, 'positionsMulti', id),
  accountSummary(session: Client, house: House, { id, tags }: RequestOf<'accountSummary'>): void {
    if (!subscribe(session, house, { kind: 'accountSummary', id, tags })) {
      session.tell(notices.duplicateId, id);
      return;
    }
    for (const account of house.options.accounts) {
      for (const tag of wantedTags(tags)) {
        const value = ACCOUNT_VALUES[tag];
        if (value !== undefined) session.send(replies.accountSummary(id, account, tag, ...value));
      }
    }
    session.send(replies.accountSummaryEnd(id));
  },
  cancelAccountSummary: (session: Client, house: House, { id }: { readonly id: number }) =>
    void unsubscribe(session, house, 'accountSummary', id),
  accountUpdates(session: Client, house: House, request: RequestOf<'accountUpdates'>): void {
    if (!request.subscribe) return void unsubscribe(session, house, 'accountUpdates');
    const accounts = accountsFor(session, house, -1, request.account);
    const [account] = accounts ?? [];
    if (account === undefined) return;
    // One account at a time: another one replaces it.
    session.subscriptions.delete('accountUpdates');
    subscribe(session, house, { kind: 'accountUpdates', account });
    session.send(replies.accountValue('AccountCode', account, '', account));
    session.send(replies.accountValue('AccountReady', 'true', '', account));
    for (const [tag, [value, currency]] of Object.entries(ACCOUNT_VALUES)) {
      session.send(replies.accountValue(tag, value, currency, account));
    }
    for (const each of house.holdings.of(account)) session.send(replies.portfolioValue(each, account));
    session.send(replies.accountTime(new Date(house.clock.wallTime()).toISOString().slice(11, 16)));
    session.send(replies.accountDownloadEnd(account));
  },
  accountUpdatesMulti(session: Client, house: House, request: RequestOf<'accountUpdatesMulti'>): void {
    const { id, account, model } = request;
    const accounts = accountsFor(session, house, id, account);
    if (accounts === null) return;
    if (!subscribe(session, house, { kind: 'accountUpdatesMulti', id })) {
      session.tell(notices.duplicateId, id);
      return;
    }
    for (const one of accounts) {
      for (const [tag, value] of Object.entries(ACCOUNT_VALUES)) {
        session.send(replies.accountUpdateMulti(id, one, model, tag, ...value));
      }
    }
    session.send(replies.accountUpdateMultiEnd(id));
  },
  cancelAccountUpdatesMulti: (session: Client, house: House, { id }: { readonly id: number }) =>
    void unsubscribe(session, house, 'accountUpdatesMulti', id),
  profit(session: Client, house: House, { id, account }: RequestOf<'profit'>): void {
    const [name] = accountsFor(session, house, id, account) ?? [];
    if (name === undefined) return;
    if (!subscribe(session, house, { kind: 'profit', id, account: name })) {
      session.tell(notices.duplicateId, id);
      return;
    }
    sendProfit(session, house, id, name);
  },
  cancelProfit: (session: Client, house: House, { id }: { readonly id: number }) =>
    void unsubscribe(session, house, 'profit', id),
  positionProfit(session: Client, house: House, request: RequestOf<'positionProfit'>): void {
    const { id, account, conId } = request;
    const [name] = accountsFor(session, house, id, account) ?? [];
    if (name === undefined) return;
    if (!subscribe(session, house, { kind: 'positionProfit', id, account: name, conId })) {
      session.tell(notices.duplicateId, id);
      return;
    }
    sendPositionProfit(session, house, id, name, conId);
  },
  cancelPositionProfit: (session: Client, house: House, { id }: { readonly id: number }) =>
    void unsubscribe(session, house, 'positionProfit', id),
  familyCodes: (session: Client, { options }: House) => session.send(replies.familyCodes(options.accounts)),
} as const;

export function sendProfit(session: Client, house: House, id: number, account: string): void {
  const unrealized = house.holdings
    .of(account)
    .reduce((sum, held) => sum + replies.profitOf(atMarket(house, held)), 0);
  const amount = Math.round(unrealized * 100) / 100;
  session.send(replies.profit(id, amount, amount, session.version));
}

/** Nothing is sent for a position that the account does not have, as with real gateways. */
export function sendPositionProfit(
  session: Client,
  house: House,
  id: number,
  account: string,
  conId: number,
): void {
  const held = house.holdings.position(account, conId);
  if (held !== null) session.send(replies.positionProfit(id, atMarket(house, held), session.version));
}

/** Tells those who subscribe to positions that one has changed. */
export function sendPosition(house: House, account: string, held: Position): void {
  for (const session of house.sessions) {
    for (const one of session.subscriptions) {
      if (one.kind === 'positions') session.send(replies.position(held, account));
      else if (one.kind === 'positionsMulti' && one.accounts.includes(account))
        session.send(replies.positionMulti(one.id, account, one.model, held));
      else if (one.kind === 'accountUpdates' && one.account === account)
        session.send(replies.portfolioValue(held, account));
    }
  }
}

function atMarket({ market, tick }: House, held: Position): Position {
  return { ...held, price: market.quote(held.instrument, tick).last };
}

/** The accounts that a request means: none named is the first, `All` is all. Refuses an unknown one. */
function accountsFor(
  session: Client,
  { options: { accounts } }: House,
  id: number,
  account: string,
): readonly string[] | null {
  if (account === 'All') return accounts;
  if (account === '') return accounts.slice(0, 1);
  if (accounts.includes(account)) return [account];
  session.tell(notices.invalid(`unknown account '${account}'`), id);
  return null;
}

/** The values of every account, with their currency, which is empty for values that are not amounts. */
const ACCOUNT_VALUES: Readonly<Record<string, readonly [value: string, currency: string]>> = {
  AccountType: ['INDIVIDUAL', ''],
  AccruedCash: ['0.00', 'USD'],
  AvailableFunds: ['750000.00', 'USD'],
  BuyingPower: ['3000000.00', 'USD'],
  Cushion: ['0.75', ''],
  DayTradesRemaining: ['-1', ''],
  EquityWithLoanValue: ['1000000.00', 'USD'],
  ExcessLiquidity: ['750000.00', 'USD'],
  FullAvailableFunds: ['750000.00', 'USD'],
  FullExcessLiquidity: ['750000.00', 'USD'],
  FullInitMarginReq: ['250000.00', 'USD'],
  FullMaintMarginReq: ['225000.00', 'USD'],
  GrossPositionValue: ['500000.00', 'USD'],
  InitMarginReq: ['250000.00', 'USD'],
  Leverage: ['0.50', ''],
  LookAheadAvailableFunds: ['750000.00', 'USD'],
  LookAheadExcessLiquidity: ['750000.00', 'USD'],
  LookAheadInitMarginReq: ['250000.00', 'USD'],
  LookAheadMaintMarginReq: ['225000.00', 'USD'],
  LookAheadNextChange: ['0', ''],
  MaintMarginReq: ['225000.00', 'USD'],
  NetLiquidation: ['1000000.00', 'USD'],
  PreviousDayEquityWithLoanValue: ['1000000.00', 'USD'],
  SMA: ['750000.00', 'USD'],
  SettledCash: ['500000.00', 'USD'],
  TotalCashValue: ['500000.00', 'USD'],
};

/** `$LEDGER` asks for the cash of each currency, of which there is one. */
function wantedTags(tags: readonly string[]): readonly string[] {
  return tags.map((tag) => (tag.startsWith('$LEDGER') ? 'TotalCashValue' : tag));
}

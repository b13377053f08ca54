import { chainOf, matching } from './contracts.js';
import {
  type Client,
  type House,
  instrumentFor,
  openHistory,
  openSubscriptions,
  subscribe,
  unsubscribe,
} from './house.js';
import { ANY_STOCK, parseTime } from './market.js';
import { historyKey } from './pacing.js';
import * as data from './wire/data-replies.js';
import type { Instrument } from './wire/model.js';
import { notices } from './wire/notices.js';
import * as replies from './wire/replies.js';
import type { ContractQuery, Request } from './wire/request-types.js';
import { Since } from './wire/versions.js';

type RequestOf<Name extends Request['name']> = Extract<Request, { readonly name: Name }>;
interface WithId {
  readonly id: number;
}

/** No request for past ticks has more. */
const MOST_PAST_TICKS = 1000;
const MOST_SYMBOLS = 16;
const STREAMS = ['Last', 'AllLast', 'BidAsk', 'MidPoint'];
const OPTION_EXCHANGES = ['SMART', 'CBOE'];

/** Requests that need the vendor's servers have no answer while these are not reached. */
export const dataHandlers = {
  contractDetails(session: Client, house: House, { id, contract }: RequestOf<'contractDetails'>): void {
    if (!house.linked) return;
    const found = house.market.lookUp(contract);
    if (found.length === 0) {
      session.tell(notices.unknownContract, id);
      return;
    }
    for (const instrument of found) {
      const { market } = house;
      const hours = { all: market.hours(instrument, false), regular: market.hours(instrument, true) };
      session.send(replies.contractDetails(id, instrument, hours, session.version));
    }
    session.send(replies.contractDetailsEnd(id));
  },
  optionChain(session: Client, house: House, request: RequestOf<'optionChain'>): void {
    if (!house.linked) return;
    const { id, symbol, secType, conId } = request;
    const query: ContractQuery = { ...ANY_STOCK, symbol, secType, conId };
    const [underlying] = house.market.lookUp(
      secType === 'FUT' && conId === 0 ? { ...query, secType: 'CONTFUT' } : query,
    );
    if (underlying !== undefined) {
      const chain = chainOf(underlying, house.clock.wallTime());
      const isOnFuture = underlying.secType === 'FUT' || underlying.secType === 'CONTFUT';
      for (const exchange of isOnFuture ? [underlying.primaryExchange] : OPTION_EXCHANGES)
        session.send(data.optionChain(id, exchange, underlying, chain));
    }
    session.send(data.optionChainEnd(id));
  },
  matchingSymbols(session: Client, house: House, { id, pattern }: RequestOf<'matchingSymbols'>): void {
    if (!house.linked) return;
    const found = matching(pattern)
      .slice(0, MOST_SYMBOLS)
      .flatMap((symbol) => house.market.lookUp({ ...ANY_STOCK, symbol }));
    session.send(data.symbolSamples(id, found, session.version));
  },
  marketRule(session: Client, _: House, { ruleId }: RequestOf<'marketRule'>): void {
    const step = replies.MARKET_RULES[ruleId];
    if (step === undefined) session.tell(notices.noMarketRule);
    else session.send(data.marketRule(ruleId, step));
  },
  history,
  cancelHistory(session: Client, house: House, { id }: WithId): void {
    const wasOpen = session.openHistory.delete(id);
    if (unsubscribe(session, house, 'history', id)) return;
    if (wasOpen) session.tell(notices.historyCanceled(id), id);
  },
  headTimestamp: (session: Client, { linked }: House, { id }: WithId): void => {
    if (linked) session.send(replies.headTimestamp(id, '19901126-14:30:00'));
  },
  cancelHeadTimestamp(): void {},
  historicalTicks(session: Client, house: House, request: RequestOf<'historicalTicks'>): void {
    if (!house.linked) return;
    const { id, contract, start, end, whatToShow } = request;
    const instrument = instrumentFor(session, house, id, contract);
    if (instrument === null) return;
    const [startMs, endMs] = [parseTime(start), parseTime(end)];
    if (startMs === null && endMs === null) {
      session.tell(notices.invalid('a start or an end time is required'), id);
      return;
    }
    const count = Math.min(Math.max(1, request.count), MOST_PAST_TICKS);
    const firstS =
      startMs === null ? Math.floor((endMs as number) / 1000) - count : Math.floor(startMs / 1000);
    const ticks = Array.from({ length: count }, (__, at) =>
      tickAt(house, instrument, firstS + at, firstS + at),
    );
    session.send(data.historicalTicks(id, whatToShow, ticks, instrument.primaryExchange));
  },
  histogram(session: Client, house: House, { id, contract }: RequestOf<'histogram'>): void {
    if (!house.linked) return;
    const instrument = instrumentFor(session, house, id, contract);
    if (instrument === null) return;
    const entries = Array.from({ length: 10 }, (__, at) => {
      const { last, lastSize } = house.market.quote(instrument, house.tick - at);
      return [last, lastSize] as const;
    });
    session.send(data.histogram(id, entries));
  },
  cancelHistogram(): void {},
  marketData,
  cancelMarketData(session: Client, house: House, { id }: WithId): void {
    if (!unsubscribe(session, house, 'marketData', id)) session.tell(notices.noSuchTicker(id), id);
  },
  tickByTick(session: Client, house: House, request: RequestOf<'tickByTick'>): void {
    const { id, contract, stream, past } = request;
    if (session.subscriptions.has('tickByTick', id)) {
      session.tell(notices.duplicateTicker, id);
      return;
    }
    if (!STREAMS.includes(stream)) {
      session.tell(notices.invalid(`no ticks of type '${stream}'`), id);
      return;
    }
    const instrument = instrumentFor(session, house, id, contract);
    if (instrument === null) return;
    if (openSubscriptions(house, 'tickByTick') >= mostTickByTick(house.options.marketDataLines)) {
      session.tell(notices.tooManyTickByTick, id);
      return;
    }
    subscribe(session, house, { kind: 'tickByTick', id, instrument, stream });
    if (!house.linked) return;
    const nowS = Math.floor(house.clock.wallTime() / 1000);
    if (past > 0) {
      const count = Math.min(past, MOST_PAST_TICKS);
      const ticks = Array.from({ length: count }, (__, at) =>
        tickAt(house, instrument, nowS - count + at, at),
      );
      const what = stream === 'BidAsk' ? 'BID_ASK' : stream === 'MidPoint' ? 'MIDPOINT' : 'TRADES';
      session.send(data.historicalTicks(id, what, ticks, instrument.primaryExchange));
    }
    session.send(data.tickByTick(id, stream, tickAt(house, instrument, nowS, house.tick), venue(instrument)));
  },
  cancelTickByTick(session: Client, house: House, { id }: WithId): void {
    if (!unsubscribe(session, house, 'tickByTick', id)) session.tell(notices.noSuchTicker(id), id);
  },
  realTimeBars(session: Client, house: House, { id, contract }: RequestOf<'realTimeBars'>): void {
    if (session.subscriptions.has('realTimeBars', id)) {
      session.tell(notices.duplicateTicker, id);
      return;
    }
    const instrument = instrumentFor(session, house, id, contract);
    if (instrument === null) return;
    if (usedLines(house) >= house.options.marketDataLines) {
      session.tell(notices.tickerLimit, id);
      return;
    }
    subscribe(session, house, { kind: 'realTimeBars', id, instrument, current: { bar: null } });
  },
  cancelRealTimeBars(session: Client, house: House, { id }: WithId): void {
    if (!unsubscribe(session, house, 'realTimeBars', id)) session.tell(notices.noSuchTicker(id), id);
  },
} as const;

/** The values of an instrument at a tick of the market, as of a time. */
export function tickAt(
  { market }: House,
  instrument: Instrument,
  atS: number,
  tick: number,
): data.StreamTick {
  return { ...market.quote(instrument, tick), atS };
}

export function venue({ primaryExchange, exchange }: Instrument): string {
  return primaryExchange || exchange;
}

/** How many market data lines are in use, over all clients. */
function usedLines(house: House): number {
  return openSubscriptions(house, 'marketData') + openSubscriptions(house, 'realTimeBars');
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
  const instrument = instrumentFor(session, house, id, query.contract);
  if (instrument === null) return;
  session.openHistory.add(id);
  census.mostHistoryOpen = Math.max(census.mostHistoryOpen, open + 1);
  if (!house.linked) return;
  if (query.whatToShow === 'SCHEDULE') {
    sendSchedule(session, house, id, instrument, query);
    return;
  }
  if (instrument.secType === 'CRYPTO' && query.whatToShow === 'TRADES') {
    refuseHistory(session, id, notices.cryptoTrades);
    return;
  }
  const found = market.history(instrument, query, clock.wallTime(), session.version);
  if (typeof found === 'string') {
    refuseHistory(session, id, notices.invalid(found));
    return;
  }
  const messages = replies.historicalBars(id, found, session.version);
  const answered = (): void => void session.openHistory.delete(id);
  messages.forEach((message, index) => {
    session.send(message, index === messages.length - 1 ? answered : null);
  });
  if (!query.keepUpToDate) return;
  const last = found.bars.at(-1) ?? null;
  subscribe(session, house, { kind: 'history', id, instrument, query, current: { bar: last } });
}

function sendSchedule(
  session: Client,
  { market, clock }: House,
  id: number,
  instrument: Instrument,
  query: RequestOf<'history'>['query'],
): void {
  const found =
    session.version < Since.historicalSchedule
      ? 'the trading schedule needs server version 168 or later'
      : market.schedule(instrument, query, clock.wallTime());
  if (typeof found === 'string') {
    refuseHistory(session, id, notices.invalid(found));
    return;
  }
  session.openHistory.delete(id);
  session.send(data.schedule(id, found));
}

function refuseHistory(
  session: Client,
  id: number,
  notice: { readonly code: number; readonly text: string },
): void {
  session.openHistory.delete(id);
  session.tell(notice, id);
}

function marketData(session: Client, house: House, request: RequestOf<'marketData'>): void {
  const { id, contract, snapshot } = request;
  if (session.subscriptions.has('marketData', id)) {
    session.tell(notices.duplicateTicker, id);
    return;
  }
  const instrument = instrumentFor(session, house, id, contract);
  if (instrument === null) return;
  const isDelayed = session.marketDataType >= 3;
  const types = isDelayed ? replies.DELAYED : replies.LIVE;
  if (!snapshot) {
    if (usedLines(house) >= house.options.marketDataLines) {
      session.tell(notices.tickerLimit, id);
      return;
    }
    subscribe(session, house, { kind: 'marketData', id, instrument, types });
  }
  if (!house.linked) return;
  const { bid, ask, last, bidSize, askSize, lastSize } = house.market.quote(instrument, house.tick);
  session.send(replies.tickParameters(id, instrument.minTick));
  session.send(replies.marketDataType(id, session.marketDataType));
  if (isDelayed) session.tell(notices.delayedData, id);
  session.send(replies.tickPrice(id, types.bid, bid, bidSize));
  session.send(replies.tickPrice(id, types.ask, ask, askSize));
  session.send(replies.tickPrice(id, types.last, last, lastSize));
  session.send(replies.tickSize(id, types.volume, 1_000_000));
  if (snapshot) session.send(replies.snapshotEnd(id));
}

/** The vendor's limit is that of market depth: one for each hundred lines, at least 3, and at most 60. */
function mostTickByTick(lines: number): number {
  return Math.min(60, Math.max(3, Math.floor(lines / 100)));
}

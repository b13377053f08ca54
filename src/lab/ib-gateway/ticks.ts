import { sendPositionProfit, sendProfit } from './account-handlers.js';
import { tickAt, venue } from './data-handlers.js';
import { type Client, type House, openSubscriptions } from './house.js';
import {
  type CurrentBar,
  SUBSCRIPTION_KINDS,
  type Subscription,
  type SubscriptionKind,
  VENDOR_KINDS,
} from './subscriptions.js';
import { realTimeBar, tickByTick } from './wire/data-replies.js';
import type { Bar } from './wire/model.js';
import * as replies from './wire/replies.js';

/** Real-time bars are of this length, whatever was asked for. */
const REAL_TIME_BAR_S = 5;

/** Sends everyone who subscribes what is new at this tick. */
export function sendTicks(house: House): void {
  if (!house.linked) return;
  for (const session of house.sessions) {
    if (session.subscriptions.size === 0 || !session.takesTicks) continue;
    session.batch(() => {
      for (const one of session.subscriptions) sendNext(session, house, one);
    });
  }
}

/** Forgets the subscriptions to data of the vendor's servers, as with a 1101. */
export function loseData(house: House): void {
  for (const { subscriptions } of house.sessions) {
    for (const kind of VENDOR_KINDS) house.census.subscriptionsLost += subscriptions.deleteAll(kind);
  }
}

/** How many subscriptions of each kind there are. */
export function subscriptionsByKind(house: House): Record<SubscriptionKind, number> {
  const counts = SUBSCRIPTION_KINDS.map((kind) => [kind, openSubscriptions(house, kind)] as const);
  return Object.fromEntries(counts) as Record<SubscriptionKind, number>;
}

function sendNext(session: Client, house: House, one: Subscription): void {
  const { market, tick, clock } = house;
  const nowMs = clock.wallTime();
  switch (one.kind) {
    case 'marketData': {
      const { last, lastSize } = market.quote(one.instrument, tick);
      session.send(replies.tickPrice(one.id, one.types.last, last, lastSize));
      return;
    }
    case 'tickByTick': {
      const at = tickAt(house, one.instrument, Math.floor(nowMs / 1000), tick);
      session.send(tickByTick(one.id, one.stream, at, venue(one.instrument)));
      return;
    }
    case 'history': {
      const time = market.barTime(one.query, nowMs, session.version);
      nextBar(one.current, time, house, one);
      if (one.current.bar !== null) session.send(replies.historicalUpdate(one.id, one.current.bar));
      return;
    }
    case 'realTimeBars': {
      const time = String(Math.floor(nowMs / 1000 / REAL_TIME_BAR_S) * REAL_TIME_BAR_S);
      const finished = nextBar(one.current, time, house, one);
      if (finished !== null) session.send(realTimeBar(one.id, finished));
      return;
    }
    case 'profit':
      sendProfit(session, house, one.id, one.account);
      return;
    case 'positionProfit':
      sendPositionProfit(session, house, one.id, one.account, one.conId);
      return;
    case 'accountSummary':
    case 'accountUpdates':
    case 'accountUpdatesMulti':
    case 'positions':
    case 'positionsMulti':
      return;
  }
}

/** Adds a price to the bar of a time; gives the bar before if this one is new. */
function nextBar(
  current: CurrentBar,
  time: string,
  { market, tick }: House,
  { instrument }: Extract<Subscription, { readonly kind: 'history' | 'realTimeBars' }>,
): Bar | null {
  const { last, lastSize } = market.quote(instrument, tick);
  const before = current.bar;
  if (before === null || before.time !== time) {
    const prices = { open: last, high: last, low: last, close: last, average: last };
    current.bar = { time, ...prices, volume: lastSize, count: 1 };
    return before;
  }
  current.bar = {
    ...before,
    high: Math.max(before.high, last),
    low: Math.min(before.low, last),
    close: last,
    volume: before.volume + lastSize,
    count: before.count + 1,
  };
  return null;
}

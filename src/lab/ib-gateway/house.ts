import type { Clock } from '../../base/clock.js';
import type { Random } from '../../base/random.js';
import type { Census } from './census.js';
import type { FaultBoard } from './fault-board.js';
import type { Holdings } from './holdings.js';
import type { Market } from './market.js';
import type { Orders } from './orders.js';
import type { HistoryLimits, HistoryPacing } from './pacing.js';
import type { Subscription, SubscriptionKind, Subscriptions } from './subscriptions.js';
import type { Execution, Instrument } from './wire/model.js';
import { type Notice, notices } from './wire/notices.js';
import type { Reply } from './wire/replies.js';
import type { ContractQuery } from './wire/request-types.js';

/** How the gateway behaves, with every default filled in. */
export interface GatewaySettings {
  readonly serverVersion: number;
  readonly accounts: readonly string[];
  readonly clientCap: number;
  readonly overCap: 'close' | 'silence';
  readonly messagesPerSecond: number | null;
  readonly strikes: number | null;
  readonly historyLimits: HistoryLimits | null;
  readonly marketDataLines: number;
  readonly tickIntervalMs: number;
  /** The client that hears of all orders; null for none. */
  readonly masterClientId: number | null;
}

/** The state that all sessions of a gateway share. */
export interface House {
  readonly options: GatewaySettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly market: Market;
  readonly orders: Orders;
  readonly holdings: Holdings;
  /** The oldest first. */
  readonly executions: Execution[];
  readonly faults: FaultBoard;
  /** null where requests for history are without limit. */
  readonly historyPacing: HistoryPacing | null;
  readonly sessions: ReadonlySet<Client>;
  /** A new one is begun when the counts are cleared. */
  census: Census;
  /** Whether the vendor's servers are reached. */
  linked: boolean;
  /** The number of the current tick, which decides the prices. */
  tick: number;
  /** Sees to it that those who subscribe get what is new. */
  wantTicks(): void;
  log(line: string): void;
}

/** A connection as request handlers see it. */
export interface Client {
  /** null before the client has sent it. */
  readonly clientId: number | null;
  readonly version: number;
  readonly isReady: boolean;
  readonly subscriptions: Subscriptions;
  /** Ids of history requests without an answer. */
  readonly openHistory: Set<number>;
  /** As the client requested: 1 live, 3 delayed, ... */
  marketDataType: number;
  /** Whether it receives ticks now: a client that does not keep up loses them. */
  readonly takesTicks: boolean;
  send(reply: Reply, onSent?: (() => void) | null): void;
  /** Sends an error or notice; the id is that of the request, -1 for none. */
  tell(notice: Notice, id?: number): void;
  /** Runs `work`; everything it sends goes out together. */
  batch(work: () => void): void;
}

/** Subscriptions of a kind, over all clients. */
export function openSubscriptions({ sessions }: House, kind: SubscriptionKind): number {
  let count = 0;
  for (const session of sessions) count += session.subscriptions.count(kind);
  return count;
}

/** Requests for history without their answer, over all clients. */
export function openHistory({ sessions }: House): number {
  let count = 0;
  for (const session of sessions) count += session.openHistory.size;
  return count;
}

/** The one instrument that a request means; tells the client with the request's id if there is none, or several. */
export function instrumentFor(
  session: Client,
  { market }: House,
  id: number,
  contract: ContractQuery,
): Instrument | null {
  const found = market.find(contract);
  if (found !== null && found !== 'ambiguous') return found;
  session.tell(
    found === null ? notices.unknownContract : notices.ambiguousContract(contract.symbol || 'this request'),
    id,
  );
  return null;
}

/** Whether it is new. */
export function subscribe(session: Client, house: House, subscription: Subscription): boolean {
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
export function unsubscribe(session: Client, { census }: House, kind: SubscriptionKind, id = 0): boolean {
  const was = session.subscriptions.delete(kind, id);
  if (was) census.subscriptionsCanceled++;
  return was;
}

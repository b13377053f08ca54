import type { Clock } from '../../base/clock.js';
import type { Random } from '../../base/random.js';
import type { Census } from './census.js';
import type { FaultBoard } from './fault-board.js';
import type { Market } from './market.js';
import type { Orders } from './orders.js';
import type { HistoryLimits, HistoryPacing } from './pacing.js';
import type { SubscriptionKind, Subscriptions } from './subscriptions.js';
import type { Notice } from './wire/notices.js';
import type { Reply } from './wire/replies.js';

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
}

/** What all sessions of a gateway share. */
export interface House {
  readonly options: GatewaySettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly market: Market;
  readonly orders: Orders;
  readonly faults: FaultBoard;
  /** null where requests for history are without limit. */
  readonly historyPacing: HistoryPacing | null;
  readonly sessions: ReadonlySet<Client>;
  /** A new one is begun when the counts are cleared. */
  census: Census;
  /** Whether the vendor's servers are reached. */
  linked: boolean;
  /** Which of the prices that follow each other holds now. */
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

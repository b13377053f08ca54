import type { Clock } from '../../base/clock.js';
import type { Random } from '../../base/random.js';
import type { Census } from './census.js';
import type { FaultBoard } from './fault-board.js';
import type { Market } from './market.js';
import type { Orders } from './orders.js';
import type { HistoryLimits, HistoryPacing } from './pacing.js';
import type { Session } from './session.js';

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
  readonly sessions: Set<Session>;
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

/** Subscriptions of a kind, over all clients. */
export function openSubscriptions(
  { sessions }: House,
  kind: Parameters<Session['subscriptions']['count']>[0],
) {
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

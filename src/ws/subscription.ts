import type { ConnectionState } from '../snapshot/feed.js';
import type { GapSymbol, LossCause } from './events.js';
import type { SubscribeCall } from './subscribe-call.js';
import { Subscribers } from './subscribers.js';
import type { Position, Seq } from './venue.js';

/**
 * How far a symbol is on a connection. The server may know of it in all states but `none`.
 *
 *   none -> subscribing -> live -> unsubscribing -> none
 *
 * A lost connection puts all of its symbols back to `none`.
 */
export type Upstream = 'none' | 'subscribing' | 'live' | 'unsubscribing';

/**
 * One topic of the pool: a symbol, or with modes that are separate topics a symbol in a mode. Its ticks come from `seat`;
 * while it moves to another connection, `successor` is its place there.
 */
export class Subscription {
  readonly key: string;
  readonly symbol: string;
  readonly lane: string;
  /** Each with the mode that it wants. */
  readonly subscribers = new Subscribers();
  /** Subscribe calls that wait for it to be live. */
  calls: readonly SubscribeCall[] = NO_CALLS;
  /** Set by the pool at once. */
  declare seat: Seat;
  successor: Seat | null = null;
  /** The strongest mode that a subscriber wants; '' without modes. */
  mode: string;
  /** False once the last subscriber has left and the linger time is over. */
  wanted = true;
  /** When the linger time is over, on the pool's clock; null while there are subscribers. */
  lingerUntil: number | null = null;
  /** When it was asked for, on the pool's clock. */
  readonly since: number;
  lastSeq: Seq | null = null;
  /** The number that the next one has to follow; null after a loss, when any may. */
  guard: Seq | null = null;
  /** Ticks up to this number came already, on the connection that it has moved from. */
  floor: Seq | null = null;
  /** Content that came already on the connection that it has moved from, where there are no numbers. */
  repeats: string[] | null = null;
  gap: Gap | null = null;
  /** The last number before the gap. */
  gapSeq: Seq | null = null;
  /** Ticks that wait for a snapshot. */
  hold: Hold | null = null;

  constructor(topic: { key: string; symbol: string; mode: string; lane: string }, since: number) {
    this.key = topic.key;
    this.symbol = topic.symbol;
    this.mode = topic.mode;
    this.lane = topic.lane;
    this.since = since;
  }
}

/** The key of a topic where each mode of a symbol is a topic of its own. */
export function topicKey(symbol: string, mode: string): string {
  return `${symbol}\u0000${mode}`;
}

/** Shared by all that nobody waits for: 50,000 empty arrays are megabytes. */
export const NO_CALLS: readonly SubscribeCall[] = [];

/**
 * A topic's place on one connection, from the moment it is given it until the server has confirmed that it is
 * unsubscribed: so the venue's limit holds at every moment.
 */
export class Seat {
  readonly subscription: Subscription;
  readonly connection: SeatConnection;
  upstream: Upstream = 'none';
  /** The mode that the server has it in, or was asked for. */
  mode = '';
  /** False where the topic has left for another connection. */
  kept = true;
  /** The request that it is part of: its reply decides what comes next. */
  request: object | null = null;
  /** The queue that it waits in. */
  queued: 'subscribe' | 'unsubscribe' | 'mode' | null = null;
  /** Unsubscribed and subscribed again, since its data has a hole. */
  renewing = false;
  /** Requests for it alone that had no reply, or were put off. */
  unanswered = 0;

  constructor(subscription: Subscription, connection: SeatConnection) {
    this.subscription = subscription;
    this.connection = connection;
  }

  /** Whether the connection is to have it subscribed. */
  get wanted(): boolean {
    return this.kept && this.subscription.wanted;
  }
}

/** The connection of a seat, as far as its topic goes. */
export interface SeatConnection {
  readonly id: number;
  readonly lane: string;
  readonly epoch: number;
  readonly state: ConnectionState;
  /** Reacts to a changed demand for the seat. */
  reconsider(seat: Seat): void;
  /** Subscribes it again. */
  renew(seat: Seat): void;
  /** Takes it out without a word to the server. */
  release(seat: Seat): void;
}

/** The topics that are missing since a connection was lost. */
export interface Gap {
  readonly connectionId: number;
  readonly cause: LossCause;
  readonly fromMs: number;
  /** Symbols that are not live again yet. */
  readonly open: Set<Subscription>;
  /** Live again, and not reported yet. */
  readonly closed: GapSymbol[];
}

/** Ticks of one topic that wait for its snapshot. */
export interface Hold {
  readonly job: object;
  ticks: { readonly data: unknown; readonly at: Position | undefined; readonly now: number }[];
  bytes: number;
  /** More came than may wait: the snapshot that is on its way is too old. */
  overflowed: boolean;
}

import type { ConnectionState } from '../snapshot/feed.js';
import type { SubscribeCall } from './subscribe-call.js';
import type { Subscriber } from './subscriber.js';

/**
 * How far a symbol is on its connection. The server may know of it in all states but `none`.
 *
 *   none -> subscribing -> live -> unsubscribing -> none
 *
 * A lost connection puts all of its symbols back to `none`.
 */
export type Upstream = 'none' | 'subscribing' | 'live' | 'unsubscribing';

/**
 * One symbol of the pool. It belongs to one connection from its first subscriber until the server has confirmed that
 * it is unsubscribed, and takes up a place there for as long: so the venue's limit holds at every moment.
 */
export class Subscription {
  readonly symbol: string;
  readonly connection: SubscribingConnection;
  readonly subscribers = new Set<Subscriber>();
  /** Subscribe calls that wait for it to be live. */
  calls: SubscribeCall[] = [];
  upstream: Upstream = 'none';
  /** False once the last subscriber has left and the linger time is over. */
  wanted = true;
  /** When the linger time is over, on the pool's clock; null while there are subscribers. */
  lingerUntil: number | null = null;
  /** Requests for this symbol alone that had no reply. */
  unanswered = 0;
  /** When it was asked for, on the pool's clock. */
  readonly since: number;
  lastSeq: number | null = null;

  constructor(symbol: string, connection: SubscribingConnection, since: number) {
    this.symbol = symbol;
    this.connection = connection;
    this.since = since;
  }
}

/** The connection of a subscription, as far as subscribing goes. */
interface SubscribingConnection {
  readonly id: number;
  readonly state: ConnectionState;
  /** Called again for a symbol that was unwanted a moment ago. */
  want(subscription: Subscription): void;
  unwant(subscription: Subscription): void;
}

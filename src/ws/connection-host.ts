import type { Emitter } from '../base/emitter.js';
import type { Turnstile } from '../base/turnstile.js';
import type { SharedBudgets } from './budgets.js';
import type { FeedError } from './errors.js';
import type { FeedEvents, MoveCause } from './events.js';
import type { GapLog } from './gaps.js';
import type { FeedSettings } from './options.js';
import type { Seat } from './subscription.js';
import type { Position, Seq } from './venue.js';

/** The interface of a connection to its pool. */
export interface ConnectionHost<Connection> {
  readonly settings: FeedSettings;
  readonly events: Emitter<FeedEvents>;
  readonly budgets: SharedBudgets;
  readonly gaps: GapLog;
  /** The turnstile that dials of this lane wait at. */
  dials(lane: string): Turnstile;
  nextRequestId(): number;
  /** A tick for one of the symbols, or for none of them. */
  tick(connection: Connection, symbol: string, data: unknown, at: Position | undefined, now: number): void;
  /** The server has confirmed it, or (`assumed`) nothing says that it has not. */
  live(seat: Seat, assumed: boolean): void;
  /** These were confirmed by one message. */
  becameLive(connection: Connection, seats: readonly Seat[]): void;
  /** The server does not take it. It has left the connection. */
  refused(connection: Connection, seat: Seat, reason: string): void;
  /** The connection is full. It has left the connection. */
  elsewhere(connection: Connection, seat: Seat, reason: string): void;
  /** It has left the connection, and nobody wants it there. */
  freed(seat: Seat): void;
  /** The server refuses us, for good. */
  failed(connection: Connection, error: FeedError): void;
  /** The venue has no room for so many sockets. */
  quotaReached(connection: Connection): void;
  /** Whether to keep one more empty connection open. */
  keepsIdle(connection: Connection): boolean;
  /** Its socket ends soon: the symbols are to move. */
  rotate(connection: Connection, why: MoveCause): void;
  /** The connection is lost: symbols that have another place go there. */
  losing(connection: Connection): void;
  hole(
    connection: Connection,
    symbols: readonly string[] | null,
    numbers: { readonly expected: Seq; readonly got: Seq } | null,
    detail: string | null,
  ): void;
  market(segment: string, open: boolean): void;
  isDataDue(connection: Connection): boolean | null;
}

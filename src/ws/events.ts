import type { EmitterEvents } from '../base/emitter.js';
import type { ConnectionState } from '../snapshot/feed.js';
import type { FeedError } from './errors.js';

/** Why an open connection ended. */
export type LossCause =
  /** The peer or the network ended it. */
  | 'closed'
  /** Nothing came after a ping: the transport is dead. */
  | 'no-pong'
  /** The transport lives, and the feed is silent although data is due. */
  | 'stale'
  /** Requests stay unanswered. */
  | 'unresponsive';

/** What a subscription pool tells its listeners. `...AtMs` are milliseconds since the epoch. */
export interface FeedEvents extends EmitterEvents {
  open: { connectionId: number; epoch: number; tookMs: number };
  /** A dial failed. `retryInMs` is null where it is given up: see renewCredentials. */
  connectFailed: { connectionId: number; error: FeedError; failures: number; retryInMs: number | null };
  /** An open connection is gone, and with it the ticks of these symbols until further notice. */
  lost: { connectionId: number; epoch: number; cause: LossCause; error: FeedError; symbols: number };
  /** All symbols of a lost connection are subscribed again: what was missed can be fetched elsewhere. */
  gap: GapReport;
  /** No data although it is due. The symbol is subscribed again to see whether the feed is alive. */
  stale: { connectionId: number; silentMs: number; probe: string | null };
  /** The server does not take this symbol; its subscribers have it no more. */
  refused: { connectionId: number; symbol: string; reason: string };
  state: { connectionId: number; state: ConnectionState };
  /** A subscriber with the policy `disconnect` was too slow, and is closed. */
  slow: { subscriber: string };
  /** A message could not be understood. */
  notUnderstood: { connectionId: number; error: Error };
}

export interface GapReport {
  readonly connectionId: number;
  readonly cause: LossCause;
  /** When the last of it was heard before, and when it was complete again. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly symbols: readonly GapSymbol[];
}

export interface GapSymbol {
  readonly symbol: string;
  /** The last tick before the gap; null where there was none, or it had no number. */
  readonly lastSeq: number | null;
}

export type FeedEventName = keyof FeedEvents;

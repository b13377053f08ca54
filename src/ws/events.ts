import type { EmitterEvents } from '../base/emitter.js';
import type { ConnectionState } from '../snapshot/feed.js';
import type { FeedError } from './errors.js';
import type { Seq } from './venue.js';

/** Why an open connection ended. */
export type LossCause =
  /** The peer or the network ended it. */
  | 'closed'
  /** Nothing came after a ping, or for as long as the server promises to be silent at most. */
  | 'no-pong'
  /** The transport lives, and the feed is silent although data is due. */
  | 'stale'
  /** Requests stay unanswered. */
  | 'unresponsive'
  /** We replaced it: it was near its age limit, or the server said that it leaves. */
  | 'rotation'
  /** Messages of the connection are missing. */
  | 'hole';

/** The events of a subscription pool. `...AtMs` are milliseconds since the epoch. */
export interface FeedEvents extends EmitterEvents {
  /** The socket is open and the login done. */
  open: { connectionId: number; epoch: number; tookMs: number };
  /** A dial failed. `retryInMs` is null where it is given up: see renewCredentials. */
  connectFailed: { connectionId: number; error: FeedError; failures: number; retryInMs: number | null };
  /** An open connection is gone, and with it the ticks of these symbols until further notice. */
  lost: { connectionId: number; epoch: number; cause: LossCause; error: FeedError; symbols: number };
  /** All symbols of a lost connection are subscribed again: what was missed can be fetched elsewhere. */
  gap: GapReport;
  /** Ticks are missing, by their numbers or as the venue's adapter found. `symbols` is null for a whole connection. */
  hole: HoleReport;
  /** No data although it is due. The symbol is subscribed again to see whether the feed is alive. */
  stale: { connectionId: number; silentMs: number; probe: string | null };
  /**
   * Symbols are confirmed and no data comes, and nothing shows whether data is due: pass isMarketOpen. Reported once,
   * and again each time the silence has doubled.
   */
  silent: { connectionId: number; symbols: number; silentMs: number };
  /** The server does not take this symbol; its subscribers have it no more. */
  refused: { connectionId: number; symbol: string; reason: string };
  /** The server reports an error that belongs to no request. */
  serverError: { connectionId: number; message: string };
  /** Symbols have moved to another connection: `from` is closed. `gapless` is false where there was no room for both. */
  moved: {
    readonly why: MoveCause;
    readonly from: number;
    readonly to: readonly number[];
    readonly symbols: number;
    readonly gapless: boolean;
  };
  state: { connectionId: number; state: ConnectionState };
  /** A subscriber with the policy `disconnect` was too slow, and is closed. */
  slow: { subscriber: string };
  /** A message could not be understood. A binary frame is such a message for a FeedProtocol. */
  notUnderstood: { connectionId: number; error: Error };
}

/**
 * Why symbols move: their connection is near its age limit, the server said that it leaves, fewer connections do, or
 * `pool.rotate()` was called.
 */
export type MoveCause = 'age' | 'leaving' | 'compaction' | 'asked';

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
  readonly lastSeq: Seq | null;
  /** Set where the venue confirms by data, and no tick has come yet. */
  readonly assumed?: boolean;
}

export interface HoleReport {
  readonly connectionId: number;
  readonly lane: string;
  readonly symbols: readonly string[] | null;
  /** The number that was due and the one that came; null where the adapter found the hole. */
  readonly expected: Seq | null;
  readonly got: Seq | null;
  readonly detail: string | null;
}

export type FeedEventName = keyof FeedEvents;

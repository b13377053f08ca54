import { CodedError, type CodedErrorOptions, type ErrorKind } from '../base/coded-error.js';

/** The stable codes of what can go wrong with a feed. */
export type FeedErrorCode =
  /** An option is wrong; nothing was opened. */
  | 'ERR_FEED_OPTION'
  /** All connections are full. A PoolExhaustedError. */
  | 'ERR_FEED_EXHAUSTED'
  /** The pool, or the subscriber, is closed. */
  | 'ERR_FEED_CLOSED'
  /** The server refuses our credentials (401, 403, a close code, or a message). It is not asked again. */
  | 'ERR_FEED_AUTH'
  /** The server refuses us for good: our plan, our request. It is not asked again. */
  | 'ERR_FEED_REFUSED'
  /** The connection could not be opened: refused, reset, no answer, or an HTTP status such as 503. */
  | 'ERR_FEED_CONNECT'
  /** The certificate is not accepted, or the peer does not speak TLS. */
  | 'ERR_FEED_TLS'
  /** Something answers, and it is no WebSocket server. */
  | 'ERR_FEED_NOT_WEBSOCKET'
  /** A frame was larger than allowed, or broke the WebSocket protocol. */
  | 'ERR_FEED_FRAME'
  /** The connection was open, and is gone. */
  | 'ERR_FEED_LOST'
  /** Symbols were not confirmed in time. */
  | 'ERR_FEED_TIMEOUT'
  /** The caller's signal aborted a subscribe. The error's name is AbortError. */
  | 'ERR_FEED_ABORTED'
  /** A subscriber with the policy `disconnect` was too slow. */
  | 'ERR_FEED_SLOW';

const KINDS: { readonly [Code in FeedErrorCode]?: ErrorKind } = {
  ERR_FEED_OPTION: 'usage',
  ERR_FEED_ABORTED: 'aborted',
};

/** An error of a feed. The error of the network or the library is its `cause`. */
export class FeedError extends CodedError<FeedErrorCode> {
  constructor(code: FeedErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(code, message, { kind: KINDS[code] ?? 'unavailable', ...options });
    this.name = this.kind === 'aborted' ? 'AbortError' : 'FeedError';
  }
}

/** The figures of a pool that has no room for what was asked. All are numbers of symbols but for `connections`. */
export interface ExhaustedFacts {
  readonly pool: string;
  /** The capacity of all connections together. */
  readonly capacity: number;
  /** Places taken: subscribed, being subscribed, and being unsubscribed until the server has confirmed that. */
  readonly used: number;
  /** How many of those are on their way out, and will be free soon. */
  readonly releasing: number;
  /** New symbols that were asked for. */
  readonly requested: number;
  readonly connections: number;
  /** The first symbol that there was no place for. */
  readonly symbol: string;
}

/** All connections are full: nothing of the request was subscribed. */
export class PoolExhaustedError extends FeedError {
  readonly facts: ExhaustedFacts;

  constructor(facts: ExhaustedFacts) {
    const { pool, capacity, used, releasing, requested, connections, symbol } = facts;
    const leaving = releasing > 0 ? ` (${releasing} of them being unsubscribed)` : '';
    super(
      'ERR_FEED_EXHAUSTED',
      `feed '${pool}' has no room for ${requested} more symbols, beginning with '${symbol}': ` +
        `${used} of ${capacity} places are taken${leaving} on ${connections} connections`,
      {
        hint:
          releasing > 0
            ? 'places become free when the server confirms the unsubscribes; try again in a second'
            : 'unsubscribe what is not needed, or raise MAX_SYMBOLS_PER_WEBSOCKET or MAX_WEBSOCKET_CONNECTIONS if the venue allows it',
      },
    );
    this.name = 'PoolExhaustedError';
    this.facts = facts;
  }
}

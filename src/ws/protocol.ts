import type { FailureKind, SequenceRule } from './venue.js';

/**
 * How a feed of text frames is spoken to, if it needs no state and no login. Pure: text in, text out. A venue that needs
 * more has a FeedVenue. A binary frame is never decoded: it counts as not understood.
 */
export interface FeedProtocol {
  readonly name: string;
  readonly limits: FeedLimits;
  /** How the numbers of ticks follow each other. Default: they are not checked. */
  readonly sequence?: SequenceRule;
  /** The message that subscribes these symbols. The reply has to name the request again. */
  subscribe(symbols: readonly string[], requestId: number): string;
  unsubscribe(symbols: readonly string[], requestId: number): string;
  /** Reads a message of the server. May throw: the message then counts as not understood, and is skipped. */
  parse(data: string): FeedMessage;
}

export interface FeedLimits {
  /** Symbols in one subscribe or unsubscribe message. */
  readonly symbolsPerMessage: number;
  /** Messages that may be sent on one connection in any one second; stay one below the venue's own figure, for pongs. */
  readonly messagesPerSecond: number;
  /** Whether the server confirms requests. Where it does not, a request counts as done once it is sent. */
  readonly confirms: boolean;
  /**
   * Whether a subscribe may be sent twice without harm. Where it may not, a connection that owes us a reply is
   * replaced instead of asked again.
   */
  readonly repeatable: boolean;
}

export type FeedMessage =
  | { readonly kind: 'tick'; readonly symbol: string; readonly seq: number | null; readonly data: unknown }
  | { readonly kind: 'ticks'; readonly ticks: readonly FeedTick[] }
  /** A request was carried out, but for the symbols that were refused. */
  | { readonly kind: 'done'; readonly requestId: number; readonly refused: readonly RefusedSymbol[] }
  /** A request, or anything if `requestId` is null, was not carried out since we are too fast. */
  | { readonly kind: 'busy'; readonly requestId: number | null; readonly retryAfterMs: number }
  /** A request was not carried out: the symbols if they are named, else all of it. null: the server does not say which. */
  | {
      readonly kind: 'failed';
      readonly requestId: number | null;
      readonly symbols?: readonly string[];
      readonly reason: string;
    }
  /** The server ends the connection for this reason. */
  | { readonly kind: 'fatal'; readonly why: FailureKind; readonly reason: string }
  /** Heartbeats, greetings and the like. */
  | { readonly kind: 'other' };

export interface FeedTick {
  readonly symbol: string;
  /** The server's running number for the symbol; null where there is none. */
  readonly seq: number | null;
  readonly data: unknown;
}

export interface RefusedSymbol {
  readonly symbol: string;
  readonly reason: string;
}

/** The door `poolctl/ws`: subscriptions to WebSocket feeds, pooled. */

export type { BackoffOptions } from '../base/backoff.js';
export type { ConnectionSnapshot, ConnectionState, FeedFigures, FeedSnapshot } from '../snapshot/feed.js';
export type { DialLimits } from './dial-gate.js';
export { type ExhaustedFacts, FeedError, type FeedErrorCode, PoolExhaustedError } from './errors.js';
export type {
  FeedEventName,
  FeedEvents,
  GapReport,
  GapSymbol,
  HoleReport,
  LossCause,
  MoveCause,
} from './events.js';
export { type FromProtocolOptions, fromProtocol } from './from-protocol.js';
export { jsonFeed } from './json-feed.js';
export type { FeedSettings, SubscriptionPoolOptions } from './options.js';
export type { PlacementStrategy } from './placement.js';
export type { FeedLimits, FeedMessage, FeedProtocol, FeedTick, RefusedSymbol } from './protocol.js';
export type { DialSocket, DialTarget, FeedSocket, SocketEnd, SocketListener, TlsOptions } from './socket.js';
export type { SubscribeResult } from './subscribe-call.js';
export type { SubscribeOptions, Subscriber, SubscriberOptions } from './subscriber.js';
export { SubscriptionPool } from './subscription-pool.js';
export type { SlowPolicy, Tick } from './tick-queue.js';
export type {
  Budget,
  Confirmation,
  Dial,
  Ending,
  FailureKind,
  FeedSession,
  FeedVenue,
  Heartbeat,
  Outgoing,
  Position,
  Refusal,
  RequestFrames,
  Seq,
  SequenceRule,
  SessionContext,
  SessionOut,
  SnapshotRequest,
  Target,
  Topic,
  VenueLimits,
  Verdict,
} from './venue.js';
export type { AdapterOptions } from './venues/adapting.js';
export { type BinanceOptions, binance } from './venues/binance.js';
export { type CoinbaseOptions, coinbase } from './venues/coinbase.js';
export { type KiteOptions, kite } from './venues/kite.js';
export { type KiteLevel, type KiteTick, readKiteMessage } from './venues/kite-packets.js';
export { type OkxCredentials, type OkxOptions, okx, okxSymbol } from './venues/okx.js';

import { counter, gauge } from './metric.js';
import { poolFields } from './pool.js';
import {
  count,
  figure,
  list,
  type Made,
  metered,
  meteredBy,
  object,
  orNull,
  type Read,
  told,
  word,
} from './schema.js';

/** Prefix of the metrics that only feeds have. */
export const FEED_PREFIX = 'poolctl_feed_';

/**
 * - `idle`: without a socket, and without symbols that would need one.
 * - `connecting`: being dialed, or waiting for its turn to be.
 * - `open`
 * - `degraded`: open, and stale: no data although it is due.
 * - `backoff`: waiting before the next dial.
 * - `draining`: saying goodbye.
 * - `failed`: the server refuses the credentials.
 * - `closed`: for good.
 */
const FEED_STATES = [
  'idle',
  'connecting',
  'open',
  'degraded',
  'backoff',
  'draining',
  'failed',
  'closed',
] as const;

export const feedConnection = object({
  id: count,
  state: word(FEED_STATES),
  /** How many times it has been opened. */
  epoch: told(count),
  /** Places taken: wanted symbols, and those whose unsubscribe is not confirmed yet. */
  symbols: count,
  /** The most there ever were. */
  peakSymbols: told(count),
  /** Symbols that the server has confirmed. */
  live: told(count),
  /** From 0 to 1. */
  capacityUsed: told(figure),
  messages: told(count),
  ticks: told(count),
  bytes: told(count),
  /** Since the last tick; null before the first. */
  lastTickAgoMs: orNull(figure),
  /** From the last ping to the next sign of life; null before the first. */
  rttMs: orNull(figure),
  /** Times it was opened again. */
  reconnects: told(count),
});

const symbols = (name: string, help: string) => gauge(name, 'count', help);
const counted = (name: string, help: string) => metered(counter(name, help), told(count));

/** The figures of a feed beyond those that all pools have. Counts since it was made. */
export const feedFigures = object({
  /** Symbols with a subscriber. */
  symbols: metered(symbols('symbols', 'Symbols that somebody wants.'), count),
  live: metered(symbols('live_symbols', 'Symbols that the server has confirmed.'), count),
  /** Wanted and not confirmed yet. */
  pending: told(count),
  /** Places of symbols that are being unsubscribed. */
  releasing: told(count),
  capacity: metered(symbols('capacity', 'Symbols that there is room for.'), count),
  /** From 0 to 1. */
  capacityUsed: told(figure),
  peakSymbols: told(count),
  subscribers: told(count),
  messages: told(count),
  ticks: counted('ticks', 'Ticks received.'),
  bytes: told(count),
  /** Ticks of symbols that nobody wants any more, or that came on another connection than theirs. */
  strays: told(count),
  notUnderstood: told(count),
  gaps: counted('gaps', 'Times that ticks were missed, while a connection was gone.'),
  /** Times that ticks were missing by their numbers, or as the adapter of the venue found. */
  holes: counted('holes', 'Times that ticks were missing by their numbers.'),
  /** Ticks dropped since a tick with their number had come already. */
  duplicates: told(count),
  /** Times that symbols moved to another connection, before the venue ended theirs or to need one connection less. */
  moves: told(count),
  /** Connections found without data although it was due. */
  stale: counted('stale', 'Connections found without data although it was due.'),
  /** Ticks that a slow subscriber missed because a newer one of their symbol replaced them. */
  conflated: counted('conflated', 'Ticks replaced by newer ones for slow subscribers.'),
  /** Ticks that a slow subscriber lost. */
  dropped: counted('dropped', 'Ticks lost to slow subscribers.'),
  slowDisconnects: counted('slow_disconnects', 'Subscribers ended since they were too slow.'),
  /** Subscriptions for which there was no room. */
  exhausted: counted('exhausted', 'Subscriptions for which there was no room.'),
  /** Subscriptions that the server refused. */
  refused: counted('refused', 'Symbols that the server refused.'),
  /** Requests sent again because there was no reply or the server was busy. */
  repeated: told(count),
  connections: meteredBy(
    'state',
    gauge('connections', 'connections', 'Connections to the feed, by state.'),
    list(feedConnection),
  ),
});

/** A pool of subscriptions to WebSocket feeds. */
export const feedPool = object({ ...poolFields, feed: feedFigures });

export type ConnectionState = (typeof FEED_STATES)[number];

export interface ConnectionSnapshot extends Made<typeof feedConnection> {}

/** The figures of a feed beyond the snapshot that all pools have in common. */
export interface FeedFigures extends Made<typeof feedFigures> {}

/** Meaning of the common fields: `live`, `idle` and `inUse` count connections, and `waiting` counts symbols not confirmed. */
export interface FeedSnapshot extends Made<typeof feedPool> {}

/** The figures of a feed as read from any version. */
export interface FeedReading extends Read<typeof feedFigures> {}
/** A connection of a feed as read from any version. */
export interface FeedConnectionReading extends Read<typeof feedConnection> {}

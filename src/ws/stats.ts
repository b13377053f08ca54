import type { WatchedSnapshot } from '../pool/stats.js';

/**
 * - `idle`: without a socket, and without symbols that would need one.
 * - `connecting`: being dialled, or waiting for its turn to be.
 * - `open`
 * - `degraded`: open, and stale: no data although it is due.
 * - `backoff`: waiting before the next dial.
 * - `draining`: saying goodbye.
 * - `failed`: the server refuses the credentials.
 * - `closed`: for good.
 */
export type ConnectionState =
  | 'idle'
  | 'connecting'
  | 'open'
  | 'degraded'
  | 'backoff'
  | 'draining'
  | 'failed'
  | 'closed';

export interface ConnectionSnapshot {
  readonly id: number;
  readonly state: ConnectionState;
  /** How many times it has been opened. */
  readonly epoch: number;
  /** Places taken: wanted symbols, and those whose unsubscribe has not been confirmed yet. */
  readonly symbols: number;
  /** The most there ever were. */
  readonly peakSymbols: number;
  /** Symbols that the server has confirmed. */
  readonly live: number;
  /** A share of 1. */
  readonly capacityUsed: number;
  readonly messages: number;
  readonly ticks: number;
  readonly bytes: number;
  /** Since the last tick; null before the first. */
  readonly lastTickAgoMs: number | null;
  /** From the last ping to the next sign of life; null before the first. */
  readonly rttMs: number | null;
  /** Times it was opened again. */
  readonly reconnects: number;
}

/** The figures of a feed beyond the snapshot that all pools have in common. */
export interface FeedFigures {
  readonly connections: readonly ConnectionSnapshot[];
  /** Symbols with a subscriber. */
  readonly symbols: number;
  readonly live: number;
  /** Wanted and not confirmed yet. */
  readonly pending: number;
  /** On their way out. */
  readonly releasing: number;
  readonly capacity: number;
  /** A share of 1. */
  readonly capacityUsed: number;
  readonly peakSymbols: number;
  readonly subscribers: number;
  readonly messages: number;
  readonly ticks: number;
  readonly bytes: number;
  /** Ticks of symbols that nobody wants any more, or that came on another connection than theirs. */
  readonly strays: number;
  readonly notUnderstood: number;
  readonly exhausted: number;
  readonly refused: number;
  readonly gaps: number;
  readonly stale: number;
  readonly conflated: number;
  readonly dropped: number;
  readonly slowDisconnects: number;
  /** Requests that had to be sent again, since there was no reply or the server was busy. */
  readonly repeated: number;
}

/** Of the common fields, `live`, `idle` and `inUse` count connections, and `waiting` counts symbols not confirmed. */
export interface FeedSnapshot extends WatchedSnapshot {
  readonly feed: FeedFigures;
}

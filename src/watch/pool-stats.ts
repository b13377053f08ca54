import type { IbPoolSnapshot } from '../snapshot/broker.js';
import type { FeedSnapshot } from '../snapshot/feed.js';
import type { HttpSnapshot } from '../snapshot/http.js';
import type { WatchedSnapshot } from '../snapshot/pool.js';
import { processWatcher } from './process-watcher.js';

/**
 * Figures of all pools in one object, grouped as `websocket`, `http` and `database`. Database figures have SQLAlchemy's
 * names, so that scripts written for them keep working. Pools of one kind are added up.
 */
export interface PoolStats {
  /** Pools of subscriptions to WebSocket feeds. */
  readonly websocket: {
    /** Open connections. */
    readonly connections: number;
    readonly total_symbols: number;
    /** Symbols by what fits on all connections together, a share of 1; null without such a pool. */
    readonly capacity_used: number | null;
  };
  readonly http: {
    /** Connections that there may be. */
    readonly pool_size: number;
    /** With a request under way. */
    readonly active_connections: number;
  };
  /** All others: pools of databases, and of what else is leased. */
  readonly database: {
    /** Connections that are kept; null where a pool has no limit. */
    readonly pool_size: number | null;
    readonly checked_in: number;
    readonly checked_out: number;
    readonly overflow: number;
  };
}

/** A pool of any kind: those of databases, `SubscriptionPool`, those of `createHttpPool`, or what `watch()` gives. */
export interface PoolWithSnapshot {
  snapshot(): Pick<WatchedSnapshot, 'driver' | 'size' | 'idle' | 'inUse' | 'overflow'>;
}

/** The statistics of these pools; without an argument, of all that this process watches (see `watch`). */
export function getPoolStats(pools?: Iterable<PoolWithSnapshot>): PoolStats {
  const snapshots =
    pools === undefined ? processWatcher().read().pools : [...pools].map((pool) => pool.snapshot());
  return poolStatsOf(snapshots);
}

type Snapshot = ReturnType<PoolWithSnapshot['snapshot']>;

function poolStatsOf(snapshots: readonly Snapshot[]): PoolStats {
  const feeds = snapshots.filter((each) => isOfKind(each, 'feed'));
  const http = snapshots.filter((each) => isOfKind(each, 'http'));
  // A broker's connections are neither.
  const others = snapshots.filter((each) => !KINDS.some((kind) => isOfKind(each, kind)));
  const capacity = sum(feeds, ({ feed }) => feed.capacity);
  const symbols = sum(feeds, ({ feed }) => feed.symbols);
  return {
    websocket: {
      connections: sum(feeds, ({ idle, inUse }) => idle + inUse),
      total_symbols: symbols,
      capacity_used: capacity === 0 ? null : symbols / capacity,
    },
    http: {
      pool_size: sum(http, ({ size }) => size ?? 0),
      active_connections: sum(http, ({ inUse }) => inUse),
    },
    database: {
      pool_size: others.some(({ size }) => size === null) ? null : sum(others, ({ size }) => size ?? 0),
      checked_in: sum(others, ({ idle }) => idle),
      checked_out: sum(others, ({ inUse }) => inUse),
      overflow: sum(others, ({ overflow }) => overflow ?? 0),
    },
  };
}

/** The parts that only some kinds of pool have. A pool without any of them leases databases, or other resources. */
type Parts = Pick<FeedSnapshot, 'feed'> & Pick<HttpSnapshot, 'http'> & Pick<IbPoolSnapshot, 'ib'>;
const KINDS = ['feed', 'http', 'ib'] as const satisfies readonly (keyof Parts)[];

function isOfKind<Kind extends keyof Parts>(
  snapshot: Snapshot,
  kind: Kind,
): snapshot is Snapshot & Pick<Parts, Kind> {
  return kind in snapshot;
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

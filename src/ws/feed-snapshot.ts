import type { Histogram } from '../base/histogram.js';
import { poolSnapshot } from '../pool/pool-snapshot.js';
import type { FeedSnapshot } from '../snapshot/feed.js';
import type { FeedConnection } from './connection.js';
import type { FeedSettings } from './options.js';
import type { PoolCounts } from './pool-counts.js';
import type { Subscriber } from './subscriber.js';
import type { Subscription } from './subscription.js';

export interface SnapshotParts {
  readonly settings: FeedSettings;
  readonly counts: PoolCounts;
  readonly connections: readonly FeedConnection[];
  readonly subscriptions: Iterable<Subscription>;
  readonly subscribers: readonly Subscriber[];
  readonly capacity: number;
  readonly waits: Histogram;
  readonly peakSymbols: number;
  readonly peakConnections: number;
  readonly closed: boolean;
}

/** The numbers of a pool now. See FeedSnapshot for what the common fields mean here. */
export function feedSnapshot(parts: SnapshotParts): FeedSnapshot {
  const { settings, counts, subscribers } = parts;
  const { name, venue, maxConnections, clock } = settings;
  const { retired } = counts;
  const connections = parts.connections.map((each) => each.snapshot());
  const sum = (of: (connection: (typeof connections)[number]) => number) =>
    connections.reduce((total, each) => total + of(each), 0);
  const inState = (...states: string[]) => connections.filter(({ state }) => states.includes(state));
  const open = inState('open', 'degraded');
  const wanted = [...parts.subscriptions].filter(({ subscribers }) => subscribers.size > 0);
  const notLive = wanted.filter(({ seat }) => seat.upstream !== 'live');
  // They have two places for a while.
  const moving = wanted.filter(({ successor }) => successor !== null).length;
  const used = sum(({ symbols }) => symbols);
  const now = clock.now();
  const total = (of: (connection: FeedConnection) => number) =>
    parts.connections.reduce((all, each) => all + of(each), 0);
  const common = poolSnapshot({
    clock,
    name,
    driver: `ws:${venue.name}`,
    size: maxConnections,
    maxOverflow: 0,
    live: connections.length - inState('idle', 'closed').length,
    overflow: 0,
    idle: open.filter(({ symbols }) => symbols === 0).length,
    inUse: open.filter(({ symbols }) => symbols > 0).length,
    creating: inState('connecting', 'backoff').length,
    waiting: notLive.length,
    peakWaiting: null,
    peakInUse: parts.peakConnections,
    longestWaitMs: notLive.length === 0 ? null : now - Math.min(...notLive.map(({ since }) => since)),
    createError: counts.lastError?.message ?? null,
    wait: parts.waits.snapshot(),
    hold: null,
    closed: parts.closed,
    counters: {
      acquired: counts.live,
      created: total(({ opened }) => opened) + retired.opened,
      createFailed: counts.openFailed,
      destroyed: total(({ ended }) => ended) + retired.ended,
      overflowCreated: 0,
      waited: counts.asked,
      timedOut: counts.timedOut,
      aborted: counts.aborted,
      refused: counts.exhausted,
      invalidated: counts.replaced,
    },
    holders: [],
  });
  return {
    ...common,
    feed: {
      connections,
      symbols: wanted.length,
      live: wanted.length - notLive.length,
      pending: notLive.length,
      releasing: Math.max(0, used - wanted.length - moving),
      capacity: parts.capacity,
      capacityUsed: used / parts.capacity,
      peakSymbols: parts.peakSymbols,
      subscribers: subscribers.length,
      messages: sum(({ messages }) => messages) + retired.messages,
      ticks: sum(({ ticks }) => ticks) + retired.ticks,
      bytes: sum(({ bytes }) => bytes) + retired.bytes,
      strays: counts.strays,
      notUnderstood: counts.notUnderstood,
      exhausted: counts.exhausted,
      refused: counts.refused,
      gaps: counts.gaps,
      holes: counts.holes,
      duplicates: counts.duplicates,
      moves: counts.rotations,
      stale: counts.stale,
      conflated: subscribers.reduce((total, { conflated }) => total + conflated, counts.conflated),
      dropped: subscribers.reduce((total, { dropped }) => total + dropped, counts.dropped),
      slowDisconnects: counts.slow,
      repeated: total(({ repeated }) => repeated) + retired.repeated,
    },
  };
}

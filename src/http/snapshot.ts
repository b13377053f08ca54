import { poolSnapshot } from '../pool/pool-snapshot.js';
import type { HttpSnapshot, OriginSnapshot } from '../snapshot/http.js';
import type { WatchedHolder } from '../snapshot/pool.js';
import { Attempt } from './attempt.js';
import type { Connections } from './connections.js';
import type { HttpSettings } from './options.js';
import type { Origin } from './origin.js';
import type { HttpCounts } from './stats.js';

export function snapshotOf(
  settings: HttpSettings,
  connections: Connections,
  counts: HttpCounts,
  closed: boolean,
): HttpSnapshot {
  const { clock, name, maxConnections, timeouts, maxLifetimeMs, keepaliveExpiryMs, sizing } = settings;
  const now = clock.now();
  const origins = [...connections.origins.values()];
  const holders = holdersOf(origins, now);
  const [busiest] = [...origins].sort((one, other) => loadOf(other) - loadOf(one));
  const chosen = origins.reduce((sum, { sizer }) => sum + (sizer?.size ?? 0), 0) || (sizing?.start ?? 0);
  const destroyed = Object.values(counts.closed).reduce((total, each) => total + each, 0);
  const common = poolSnapshot({
    clock,
    name,
    driver: 'http',
    size: sizing === null ? maxConnections : Math.min(maxConnections, chosen),
    maxOverflow: 0,
    live: connections.open + connections.dialling,
    overflow: 0,
    idle: connections.idle,
    inUse: connections.open - connections.idle,
    creating: connections.dialling,
    waiting: connections.waiting,
    peakWaiting: counts.peakWaiting,
    peakInUse: counts.peakInUse,
    longestWaitMs: longestWait(origins, now),
    createError: counts.connectError,
    wait: counts.wait.snapshot(),
    hold: counts.hold.snapshot(),
    closed,
    ...(busiest?.sizer == null ? {} : { sizing: busiest.sizer.figures() }),
    counters: {
      acquired: counts.acquired,
      released: counts.released,
      created: counts.created,
      createFailed: counts.createFailed,
      destroyed,
      overflowCreated: 0,
      waited: counts.waited,
      timedOut: counts.timeouts.pool,
      aborted: counts.aborted,
      refused: counts.circuitRefused,
      invalidated: counts.closed.error + counts.closed.timeout + counts.closed.aborted,
      recycled: counts.closed.maxLifetime,
    },
    holders,
    setup: {
      acquireTimeoutMs: timeouts.poolMs ?? 'never',
      recycleMs: maxLifetimeMs ?? 'never',
      maxIdleMs: keepaliveExpiryMs,
      statementTimeoutMs: timeouts.totalMs ?? timeouts.readMs ?? 'never',
    },
  });
  return {
    ...common,
    http: {
      origins: origins.map((origin) => originSnapshot(origin, settings)),
      requests: counts.requests,
      succeeded: counts.succeeded,
      failed: counts.failed,
      aborted: counts.aborted,
      sent: counts.sent,
      active: connections.active,
      statuses: { ...counts.statuses },
      reuseRatio: counts.acquired === 0 ? null : counts.reused / counts.acquired,
      retries: { ...counts.retries },
      retriesDenied: counts.retriesDenied,
      timeouts: { ...counts.timeouts },
      closed: { ...counts.closed },
      circuitRefused: counts.circuitRefused,
      circuitOpened: counts.circuitOpened,
      circuitClosed: counts.circuitClosed,
      phases: {
        wait: counts.wait.snapshot(),
        connect: counts.connect.snapshot(),
        tls: counts.tls.snapshot(),
        ttfb: counts.ttfb.snapshot(),
        body: counts.body.snapshot(),
      },
    },
  };
}

/** Requests in progress or waiting. */
function loadOf({ active, waiting }: Origin): number {
  return active + waiting;
}

/** Oldest first. */
function holdersOf(origins: readonly Origin[], now: number): WatchedHolder[] {
  const holders: WatchedHolder[] = [];
  for (const { connections } of origins) {
    for (const { active, wire } of connections) {
      for (const attempt of active) {
        if (!(attempt instanceof Attempt)) continue;
        const { method, path } = attempt.request;
        holders.push({
          leaseId: attempt.id,
          ageMs: now - attempt.startedAt,
          site: null,
          stack: null,
          leaked: false,
          lastSql: `${method} ${path.replace(/[?#].*/s, '')}`.slice(0, 1000),
          busy: true,
          localPort: wire.localPort,
          backendPid: null,
        });
      }
    }
  }
  return holders.sort((one, other) => (other.ageMs ?? 0) - (one.ageMs ?? 0));
}

function longestWait(origins: readonly Origin[], now: number): number | null {
  let since = Number.POSITIVE_INFINITY;
  for (const origin of origins) {
    if (origin.waiting > 0) since = Math.min(since, origin.firstWaiter()?.since ?? since);
  }
  return since === Number.POSITIVE_INFINITY ? null : now - since;
}

function originSnapshot(origin: Origin, { clock }: HttpSettings): OriginSnapshot {
  const now = clock.now();
  const retryAt = origin.breaker?.retryAt ?? null;
  return {
    origin: origin.key,
    protocol: origin.protocol,
    connections: origin.connections.size,
    idle: origin.idle.length,
    connecting: origin.dials.size,
    active: [...origin.connections].reduce((total, { active }) => total + active.size, 0),
    waiting: origin.waiting,
    rateWaiting: origin.gate?.waiting ?? null,
    breaker: origin.breaker?.state ?? null,
    retryAt: retryAt === null ? null : clock.wallTime() + retryAt - now,
    closesIdleAfterMs: origin.idleCloseMs(now),
    failureShare: origin.breaker?.failureShare ?? null,
    ...(origin.sizer === null ? {} : { sizing: origin.sizer.figures() }),
  };
}

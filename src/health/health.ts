import type { FeedFigures } from '../snapshot/feed.js';
import type { PoolSetup, WatchedHolder, WatchedSnapshot } from '../snapshot/pool.js';
import { sizingText } from './sizing-text.js';

/** `error`: its figures could not be read, or it lends nothing any more. */
export type HealthStatus = 'healthy' | 'warning' | 'critical' | 'error';

/** How one pool is doing. The names are those of the health check that this one replaces. */
export interface PoolHealth {
  readonly pool_name: string;
  readonly status: HealthStatus;
  /** Resources kept; null if unlimited, or not known. */
  readonly size: number | null;
  /** Lent now. */
  readonly checked_out: number | null;
  /** Open, and free to be lent. */
  readonly checked_in: number | null;
  /** How many are open beyond `size`. */
  readonly overflow: number | null;
  /** `checked_out` of `total_capacity`; null where there is no limit. */
  readonly utilization_percent: number | null;
  /** The most that can be lent at once; null if unlimited, or not known. */
  readonly total_capacity: number | null;
  /** Callers that wait for a lease; null if unknown. */
  readonly waiting: number | null;
  /** How long the one waits who waits longest, in milliseconds; null where nobody does. */
  readonly longest_wait_ms: number | null;
  /** Leases out for so long that they count as leaks; null where nobody looks. */
  readonly leaked: number | null;
  /** Acquires that timed out since the reading before; null where there is none. */
  readonly timed_out: number | null;
  /** The size that an adaptive pool has chosen, and why; absent where the size is fixed. */
  readonly size_reason?: string;
  /** The reasons against `healthy`, the worst first. */
  readonly reasons: readonly string[];
}

/** More than this is a warning, or critical; null: never. */
export interface Limit {
  readonly warning: number | null;
  readonly critical: number | null;
}

export interface HealthLimits {
  /** A share of 1. What is above the critical one is a warning as long as nobody waits: full is not yet too small. */
  readonly utilization: Limit;
  readonly waiting: Limit;
  readonly waitMs: Limit;
  readonly leaked: Limit;
  readonly timedOut: Limit;
}

/**
 * A pool that is more than 75 % used, or has any waiter, is a warning: it has no reserve for a peak. A wait of 30 s is
 * critical: that is the default acquire timeout, so callers fail from there on.
 */
export const HEALTH_LIMITS: HealthLimits = {
  utilization: { warning: 0.75, critical: 0.9 },
  waiting: { warning: 0, critical: null },
  waitMs: { warning: 5000, critical: 30_000 },
  leaked: { warning: 0, critical: null },
  timedOut: { warning: 0, critical: null },
};

/** The fields that are read. Every snapshot of a pool has them, of our own and of watched pools. */
export type HealthFigures = Pick<
  WatchedSnapshot,
  'name' | 'size' | 'maxOverflow' | 'overflow' | 'longestWaitMs' | 'createError' | 'closed' | 'sizing'
> & {
  /** null where nobody reports it, as some endpoints of metrics do not. */
  readonly [Field in keyof Pick<WatchedSnapshot, 'live' | 'idle' | 'inUse' | 'waiting'>]: number | null;
} & {
  readonly counters: Pick<WatchedSnapshot['counters'], 'timedOut'>;
  readonly holders: readonly (Pick<WatchedHolder, 'leaked'> & Partial<Pick<WatchedHolder, 'busy'>>)[];
  readonly setup?: Pick<PoolSetup, 'leakAfterMs'>;
  /** Feed: the leases are places for symbols. */
  readonly feed?: Pick<FeedFigures, 'symbols' | 'capacity'>;
};

export interface HealthOptions {
  /** Omitted limits are those of HEALTH_LIMITS. */
  readonly limits?: Partial<HealthLimits>;
  /** An earlier snapshot of the same pool: what has timed out since is counted. */
  readonly before?: HealthFigures | null;
  /**
   * Nobody waits for longer than a burst makes them, as more facts than these figures tell. Then neither a full pool
   * nor an old connect failure counts, unless a limit is another one than the default.
   */
  readonly isCalm?: boolean;
}

/** Judges a snapshot: `healthOf(pool.snapshot())`. */
export function healthOf(
  snapshot: HealthFigures,
  { limits, before = null, isCalm = false }: HealthOptions = {},
): PoolHealth {
  const { name, maxOverflow, overflow, waiting, longestWaitMs } = snapshot;
  const { size, inUse, idle } = placesOf(snapshot);
  const capacity = size === null || maxOverflow === null ? null : size + maxOverflow;
  return judge(
    {
      pool_name: name,
      size,
      checked_out: inUse,
      checked_in: idle,
      overflow: overflow === null ? null : Math.max(0, overflow),
      total_capacity: capacity,
      waiting,
      longest_wait_ms: longestWaitMs,
      leaked: leakedOf(snapshot),
      timed_out: since(snapshot.counters.timedOut, before?.counters.timedOut ?? null),
      ...(snapshot.sizing === undefined ? {} : { size_reason: sizingText(snapshot.sizing) }),
    },
    isCalm ? calmLimits({ ...HEALTH_LIMITS, ...limits }) : { ...HEALTH_LIMITS, ...limits },
    isCalm && snapshot.live !== 0 && !snapshot.closed ? [] : troubleOf(snapshot),
  );
}

/** Limits that the user has chosen stay; the defaults are for figures that nothing else explains. */
function calmLimits(limits: HealthLimits): HealthLimits {
  const never = { warning: null, critical: null };
  const chosen = (name: 'utilization' | 'waiting' | 'waitMs'): Limit => {
    const [own, usual] = [limits[name], HEALTH_LIMITS[name]];
    return own.warning === usual.warning && own.critical === usual.critical ? never : own;
  };
  return {
    ...limits,
    utilization: chosen('utilization'),
    waiting: chosen('waiting'),
    waitMs: chosen('waitMs'),
  };
}

/** All connections of a feed are in use as a matter of course: how full it is, its symbols tell. */
function placesOf({
  size,
  inUse,
  idle,
  feed,
}: HealthFigures): Pick<HealthFigures, 'size' | 'inUse' | 'idle'> {
  if (feed === undefined) return { size, inUse, idle };
  const { capacity, symbols } = feed;
  return { size: capacity, inUse: symbols, idle: Math.max(0, capacity - symbols) };
}

function leakedOf({ holders, setup, feed }: HealthFigures): number | null {
  if (feed !== undefined || setup?.leakAfterMs === 'never') return null;
  // One whose statement runs is slow, and not lost.
  return holders.filter(({ leaked, busy }) => leaked && busy !== true).length;
}

export type Figures = Omit<PoolHealth, 'status' | 'utilization_percent' | 'reasons'>;

/** Problems beside the figures. */
export interface Trouble {
  readonly status: HealthStatus;
  readonly reason: string;
}

/** The verdict on any figures, with what else there is against them. */
export function judge(figures: Figures, limits: HealthLimits, trouble: readonly Trouble[] = []): PoolHealth {
  const { checked_out: out, total_capacity: capacity } = figures;
  const utilization = out === null || capacity === null || capacity <= 0 ? null : out / capacity;
  const troubles = [...trouble, ...overLimits(figures, utilization, limits)].sort(
    (one, other) => rankOf(other.status) - rankOf(one.status),
  );
  return {
    pool_name: figures.pool_name,
    status: troubles[0]?.status ?? 'healthy',
    size: figures.size,
    checked_out: out,
    checked_in: figures.checked_in,
    overflow: figures.overflow,
    utilization_percent: utilization === null ? null : Math.round(utilization * 10_000) / 100,
    total_capacity: capacity,
    waiting: figures.waiting,
    // A metric of it has to be something while nobody waits, and is 0 then.
    longest_wait_ms: figures.waiting === 0 ? null : figures.longest_wait_ms,
    leaked: figures.leaked,
    timed_out: figures.timed_out,
    ...(figures.size_reason === undefined ? {} : { size_reason: figures.size_reason }),
    reasons: troubles.map(({ reason }) => reason),
  };
}

/** The worst of several; `error` is worst of all, because an unreadable source is unknown. */
export function worstStatus(all: readonly { readonly status: HealthStatus }[]): HealthStatus {
  return all.reduce<HealthStatus>(
    (worst, { status }) => (rankOf(status) > rankOf(worst) ? status : worst),
    'healthy',
  );
}

const RANKS: readonly HealthStatus[] = ['healthy', 'warning', 'critical', 'error'];

function rankOf(status: HealthStatus): number {
  return RANKS.indexOf(status);
}

function troubleOf({ closed, createError, live }: HealthFigures): readonly Trouble[] {
  if (closed) return [{ status: 'error', reason: 'it is closed' }];
  if (createError === null) return [];
  // A pool with resources goes on with those, and the failure may be of long ago: none was needed since.
  return [{ status: live === 0 ? 'critical' : 'warning', reason: `the last connect failed: ${createError}` }];
}

function overLimits(figures: Figures, utilization: number | null, limits: HealthLimits): readonly Trouble[] {
  const { checked_out, total_capacity, waiting, longest_wait_ms, leaked, timed_out } = figures;
  // If nothing reports waiters, as for a server, the limit is the only fact.
  const used = waiting === 0 ? { ...limits.utilization, critical: null } : limits.utilization;
  const usedWarning = limits.utilization.warning ?? limits.utilization.critical;
  return [
    over(
      utilization,
      { ...used, warning: usedWarning },
      `${checked_out} of ${total_capacity} in use`,
      percent,
    ),
    over(longest_wait_ms, limits.waitMs, `the longest has waited ${seconds(longest_wait_ms ?? 0)}`, seconds),
    over(waiting, limits.waiting, `${waiting} waiting`, String),
    over(timed_out, limits.timedOut, `${timed_out} timed out since the reading before`, String),
    over(leaked, limits.leaked, `${leaked === 1 ? '1 lease' : `${leaked} leases`} out for too long`, String),
  ].filter((one) => one !== null);
}

function over(
  figure: number | null,
  { warning, critical }: Limit,
  what: string,
  show: (limit: number) => string,
): Trouble | null {
  if (figure === null) return null;
  if (critical !== null && figure > critical)
    return { status: 'critical', reason: `${what} (critical above ${show(critical)})` };
  if (warning !== null && figure > warning)
    return { status: 'warning', reason: `${what} (warning above ${show(warning)})` };
  return null;
}

/** A counter that is less than before has begun anew. */
function since(now: number | null, before: number | null): number | null {
  return now === null || before === null || now < before ? null : now - before;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))} %`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Number((ms / 1000).toFixed(1))} s`;
}

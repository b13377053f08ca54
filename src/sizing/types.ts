/** How one pool is sized, and from what. Durations are in milliseconds, shares of 1; null was not measured. */
export interface SizeResult {
  readonly schema: 1;
  readonly kind: 'size';
  readonly recordings: readonly RecordingFacts[];
  readonly pools: readonly PoolSizing[];
  /** The connections of all processes together; null where no pool could be sized. */
  readonly fleet: Fleet | null;
}

export interface RecordingFacts {
  readonly file: string;
  readonly app: string | null;
  readonly pid: number | null;
  /** ISO 8601; null where the file does not tell. */
  readonly startedAt: string | null;
  readonly durationMs: number;
  readonly acquires: number;
  /** How the recording ended; null where the process was killed. */
  readonly end: 'exit' | 'limit' | 'stopped' | null;
  readonly lostBytes: number;
}

/** Waits of the acquires of one pool at one size. An acquire that gave up counts with the time until then. */
export interface Waits {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export type Interval = readonly [low: number, high: number];

export interface SizeRow {
  readonly size: number;
  readonly waits: Waits;
  /** In 95 % of further recordings of this length the figures are within these bounds. */
  readonly intervals: { readonly p50Ms: Interval; readonly p95Ms: Interval; readonly p99Ms: Interval };
  /** Acquires that gave up, and their share. */
  readonly timeouts: number;
  readonly timeoutShare: number;
  /** The share of the time in which the average connection is lent. */
  readonly utilization: number;
  /** The most connections open at once. */
  readonly connections: number;
  /** The p99 wait by Erlang C, for random arrivals and holds; null where the load exceeds the size. */
  readonly erlangP99Ms: number | null;
  /** The same replay with the leaks and outliers that `waits` leaves out; null where there are none. */
  readonly withLeaks: {
    readonly p99Ms: number;
    readonly p99Interval: Interval;
    readonly timeouts: number;
  } | null;
}

/** Leases that do not count for the size. */
export interface Excluded {
  readonly site: string | null;
  /** `leak`: never returned. `outlier`: returned after the leak threshold. */
  readonly kind: 'leak' | 'outlier';
  readonly count: number;
  readonly longestMs: number;
}

/** How hold times grow with the number of leases out at once. */
export interface Slowdown {
  /** `measured`: fitted to the recording. `none`: the recording shows no growth. `unknown`: too little varies in it. */
  readonly kind: 'measured' | 'none' | 'unknown';
  /** Up to so many leases at once there is no slowdown. */
  readonly freeUpTo: number;
  /** Each further lease makes holds longer by this share of the hold at `freeUpTo`. */
  readonly perLease: number;
  readonly perLeaseInterval: Interval;
  /** The most leases at once in the recording: beyond it the curve is an assumption. */
  readonly observedUpTo: number;
}

export interface Shorten {
  readonly site: string;
  /** Its share of the time for which connections are held. */
  readonly holdShare: number;
  readonly meanHoldMs: number;
  /** The size that is enough if its holds take half the time. */
  readonly sizeIfHalved: number;
  readonly p99MsIfHalved: number;
}

export interface Recommendation {
  /** The smallest size whose p99 wait is below the target; null where no size is. */
  readonly size: number | null;
  readonly p99Ms: number | null;
  /**
   * Why no size meets the target: `connects` take too long, each acquire pings its connection first (`pings`), or leases
   * slow each other down (`slowdown`) as more are out.
   * null where one does.
   */
  readonly obstacle: 'connects' | 'pings' | 'slowdown' | null;
  /** The smallest size at which the upper end of the interval is below the target, too; null where none is. */
  readonly certainSize: number | null;
  readonly targetMs: number;
  /** Arrivals are this many times those of the recording. */
  readonly growth: number;
  /** At `size` the target still holds with so many times the arrivals of the recording. */
  readonly growthAllowed: number | null;
  /** The call site whose halving helps most; null where none makes a smaller size possible. */
  readonly shorten: Shorten | null;
}

export interface PoolSizing {
  readonly file: string;
  readonly name: string;
  readonly driver: string;
  /** The size at which it was recorded; null where it had no limit. */
  readonly recordedSize: number | null;
  readonly acquireTimeoutMs: number | null;
  readonly durationMs: number;
  readonly acquires: number;
  readonly acquiresPerSecond: number;
  readonly meanHoldMs: number;
  /** As recorded. */
  readonly waits: Waits;
  readonly timeouts: number;
  readonly peakInUse: number;
  readonly connects: { readonly count: number; readonly medianMs: number | null };
  /** The replay at the recorded size, to be compared with `waits`; null where the size has no limit. */
  readonly replayed: {
    readonly p99Ms: number;
    readonly interval: Interval;
    readonly isClose: boolean;
  } | null;
  readonly excluded: readonly Excluded[];
  /** Acquires while the pool opened its first connections: their waits do not count. */
  readonly startup: { readonly acquires: number; readonly untilMs: number };
  /** Leases that are out on purpose, such as LISTEN: each needs a connection of its own. */
  readonly reserved: number;
  readonly slowdown: Slowdown;
  readonly rows: readonly SizeRow[];
  /** Little's law: the leases out on average, and that as a size. */
  readonly little: { readonly meanInUse: number; readonly size: number };
  /** The smallest size whose p99 wait is below the target by Erlang C. */
  readonly erlangSize: number;
  readonly recommendation: Recommendation;
  /** The assumptions behind the figures, a sentence each. */
  readonly assumptions: readonly string[];
}

/** The connections that the recommended sizes need. */
export interface Fleet {
  readonly instances: number;
  /** The connections of all pools of one process. */
  readonly perInstance: number;
  /** Connections of all processes: to the database, or to PgBouncer. */
  readonly connections: number;
  /** null: not given. */
  readonly maxConnections: number | null;
  readonly reserved: number;
  /** Connections left in max_connections; negative where they do not suffice. */
  readonly headroom: number | null;
  /** With PgBouncer: server connections that its pools open. */
  readonly pgbouncer: { readonly serverConnections: number; readonly neededMean: number } | null;
}

/** A pool of a recording that has too little in it. */
export interface Unsized {
  readonly file: string;
  readonly name: string;
  readonly why: string;
}

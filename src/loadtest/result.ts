import type { Unit } from '../base/figure.js';
import type { Distribution } from './distribution.js';
import type { HttpLoad, HttpPoolInfo } from './http/types.js';
import type { ErrorCount, LoadRecord } from './record.js';

/** The result of one load test. Plain data: the JSON report is this object. */
export interface LoadResult {
  readonly schema: 1;
  readonly kind: 'loadtest';
  /** Start of the measurement, ISO 8601. */
  readonly startedAt: string;
  readonly environment: Environment;
  readonly workload: { readonly name: string } & WorkloadDescription;
  readonly model: ModelInfo;
  readonly limits: { readonly iterations: number | null; readonly durationMs: number | null };
  /** The warm-up before the measurement; null if there was none. */
  readonly warmup: {
    readonly iterations: number;
    readonly failed: number;
    readonly elapsedMs: number;
  } | null;
  readonly seed: number;
  /** Why the run ended early; null if it did not. */
  readonly partial: Interruption | null;
  readonly verdict: Verdict;
  readonly thresholds: readonly ThresholdResult[];
  readonly measurements: Measurements;
  readonly pool: { readonly options: PoolInfo; readonly figures: PoolFigures | null };
  /** null unless the load is over HTTP. */
  readonly http: HttpLoad | null;
  /** Figures of the wire engine; left out unless it ran the load. */
  readonly wire?: WireFigures;
  /** null if the target has no server, or nothing observed it. */
  readonly server: ServerFigures | null;
  readonly client: ClientFigures & { readonly bottleneck: Bottleneck | null };
  readonly advice: readonly Advice[];
  /** Left out unless the run was one segment of a load: `poolctl merge` makes the whole of them. */
  readonly segment?: SegmentPart;
  /** Left out unless the result was merged from segments. */
  readonly segments?: MergedSegments;
}

/** The input of a merge, for one segment. The verdict and the thresholds are those of the whole. */
export interface SegmentPart {
  /** The same for all segments of a load. */
  readonly runId: string;
  /** From 1. */
  readonly index: number;
  readonly count: number;
  /** SHA-256 of `options`, in hex digits. */
  readonly optionsHash: string;
  /** Everything that decides what load is run and how it is judged, as text and without passwords. */
  readonly options: Readonly<Record<string, string>>;
  /** Judged by the merge. */
  readonly thresholds: readonly string[];
  /** The machine. */
  readonly host: string | null;
  /** Start of the measurement, and end of the arrivals and of the last iteration: ms since the epoch. */
  readonly startedAtMs: number;
  readonly arrivalsEndedAtMs: number;
  readonly endedAtMs: number;
  /** How long after the common start the measurement began; null without one. */
  readonly lateMs: number | null;
  /** The clock of the machine by that of the coordinator, already taken into account; null if it was not compared. */
  readonly clockOffsetMs: number | null;
  /** Everything that was recorded. */
  readonly record: LoadRecord;
}

/** The segments that a result was merged from. */
export interface MergedSegments {
  readonly runId: string;
  readonly optionsHash: string;
  /** Segments that the load consists of. */
  readonly count: number;
  /** Segments without a result: their part of the load is missing. */
  readonly missing: readonly number[];
  /** The time in which all segments had arrivals, as a share of the longest time of any, 0 to 1. */
  readonly overlap: number;
  readonly rows: readonly SegmentRow[];
}

/** One segment beside the whole. */
export interface SegmentRow {
  readonly index: number;
  readonly host: string | null;
  /** By which it began after the first one. */
  readonly shiftMs: number;
  readonly lateMs: number | null;
  readonly clockOffsetMs: number | null;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly dropped: number;
  readonly abandoned: number;
  readonly throughputPerSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly waitP99Ms: number | null;
  readonly loopBusy: number | null;
  readonly cpuCores: number | null;
  /** How poolctl itself was the limit of the segment; null if it was not. */
  readonly ownLimit: string | null;
  readonly partial: Interruption | null;
}

export interface WorkloadDescription {
  /** The target, without secrets: `a temporary SQLite file, ...`. */
  readonly target: string;
  /** The work of one iteration, in words. */
  readonly work: string;
  /** Whether an iteration is one simple query. The verdict then uses the limits for simple queries. */
  readonly simple: boolean;
  /** Whether the target runs in this process and shares its cores. */
  readonly inProcess: boolean;
  readonly statements: readonly string[];
}

/** The load model as plain data. */
export type ModelInfo =
  | { readonly kind: 'closed'; readonly workers: number }
  | {
      readonly kind: 'burst';
      readonly size: number;
      /** null: until the duration ends. */
      readonly count: number | null;
      /** From the start of one burst to the start of the next. */
      readonly intervalMs: number;
    }
  | {
      readonly kind: 'rate';
      /** Arrivals per second, evenly spaced, whether or not earlier ones have ended. */
      readonly perSecond: number;
      /** Arrivals beyond this many in flight are dropped. */
      readonly maxInFlight: number;
    }
  | {
      readonly kind: 'ramp';
      readonly fromPerSecond: number;
      readonly toPerSecond: number;
      /** Difference between two steps. */
      readonly stepPerSecond: number;
      readonly stepMs: number;
      readonly limits: RampLimits;
      readonly maxInFlight: number;
    };

/** A step of a ramp has held if it stayed below these. */
export interface RampLimits {
  /** Limit for response times. */
  readonly p99Ms: number;
  /** Limit for the time spent waiting for the pool. */
  readonly waitP99Ms: number;
}

/** One interval of the run. An iteration counts in the interval in which it ends. */
export interface TimelineRow {
  readonly atMs: number;
  /** Shorter than the interval in the last row only. */
  readonly lengthMs: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly throughputPerSecond: number;
  /** Response times of iterations that succeeded. */
  readonly meanMs: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly waitMeanMs: number | null;
  readonly waitP99Ms: number | null;
  /** Peak number waiting for a connection, sampled ten times a second; null if not sampled. */
  readonly waiting: number | null;
}

/** All durations of one interval, for logs that other tools read. */
export interface Interval {
  readonly atMs: number;
  readonly lengthMs: number;
  readonly response: Distribution;
  /** Time spent waiting for the pool. */
  readonly wait: Distribution;
}

export interface Timeline {
  readonly intervalMs: number;
  readonly rows: readonly TimelineRow[];
}

export interface BurstRow {
  /** From 0. */
  readonly index: number;
  readonly atMs: number;
  /** Iterations of the burst that have ended. */
  readonly size: number;
  readonly failed: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  readonly waitMeanMs: number | null;
  /** From the start of the burst until its last iteration ended; null if that never happened. */
  readonly drainMs: number | null;
  /** The burst had not drained when the next one was due. */
  readonly overran: boolean;
}

/** Outcome of the arrivals of one step of a ramp. */
export interface StageRow {
  /** From 0. */
  readonly index: number;
  readonly atMs: number;
  readonly targetPerSecond: number;
  readonly due: number;
  readonly failed: number;
  /** Not started because too many were in flight. */
  readonly dropped: number;
  /** Still in flight when the run ended. */
  readonly unfinished: number;
  /** Successes per second that ended within the step, whenever they were due. */
  readonly throughputPerSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly waitMeanMs: number | null;
  readonly waitP99Ms: number | null;
  /** Whether the target kept up; null if the run ended before it could be judged. */
  readonly held: boolean | null;
  /** The failures; null if there were none. */
  readonly why: string | null;
}

/** Totals over all iterations. */
export interface Measurements {
  /** From the start of the measurement to the end of its last iteration. */
  readonly elapsedMs: number;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Canceled when the run ended: after --drain-timeout, or because it was aborted. */
  readonly abandoned: number;
  /** From the start of the measurement to the end of the arrivals: rates are computed over this time. */
  readonly arrivalsMs: number;
  /** From there to the end of the last iteration. */
  readonly drainMs: number;
  /** When the target stopped answering; null if it answered until the end. */
  readonly silentFromMs: number | null;
  /** Due, but not started because too many were in flight. */
  readonly dropped: number;
  /** Successes per second of the arrivals' time; the drain does not count. */
  readonly throughputPerSecond: number;
  /** The same for all iterations that ended, failures included. */
  readonly endedPerSecond: number;
  /** Share of ended iterations that succeeded, 0 to 1; null if none has ended. */
  readonly successRate: number | null;
  /** Iterations that succeeded: from due to ended. */
  readonly response: Distribution;
  /** The part from started to acquired: waiting for the pool. */
  readonly wait: Distribution;
  /** The part from acquired to ended: being served. */
  readonly service: Distribution;
  /** Iterations that failed: from due to ended. */
  readonly failure: Distribution;
  /** The part from due to started: how late the load generator was; empty in a closed load. */
  readonly lag: Distribution;
  readonly errors: readonly ErrorCount[];
  readonly timeline: Timeline;
  /** null without bursts. */
  readonly bursts: readonly BurstRow[] | null;
  /** Steps of a ramp; null without one. */
  readonly stages: readonly StageRow[] | null;
}

/**
 * The activity of the pool during the measurement, without the warm-up; the peaks include it if the pool cannot reset them.
 * null: the pool does not report it.
 */
export interface PoolFigures {
  readonly name: string;
  readonly size: number | null;
  readonly maxOverflow: number | null;
  readonly acquired: number | null;
  readonly created: number | null;
  /** Created before the measurement began. */
  readonly createdBefore: number | null;
  readonly createFailed: number | null;
  readonly destroyed: number | null;
  /** Peak number in use beyond `size`; null if the pool has no size. */
  readonly peakOverflow: number | null;
  readonly peakInUse: number | null;
  readonly peakWaiting: number | null;
  readonly waited: number | null;
  readonly timedOut: number | null;
  readonly recycled: number | null;
  readonly invalidated: number | null;
  readonly pingFailed: number | null;
  readonly resetFailed: number | null;
  readonly leaked: number | null;
}

/** The wire engine, and what it counted during the measurement, the drain included. */
export interface WireFigures {
  readonly connections: number;
  /** Iterations under way at once on each connection. */
  readonly pipeline: number;
  /** Whether one Sync ends all of them, so that the server runs them as one transaction. Otherwise each has its own. */
  readonly batch: boolean;
  readonly tls: boolean;
  /** Statements that the server answered, with success or an error. */
  readonly statements: number;
  readonly rows: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** Load on poolctl's own process while iterations were in flight; null where not measured. */
export interface ClientFigures {
  /** Share of the time that the event loop was busy, 0 to 1: running, or waiting for a CPU core. */
  readonly loopBusy: number | null;
  /** Share of the time that its thread ran on a core, and that it waited for one. */
  readonly loopRan: number | null;
  readonly loopQueued: number | null;
  /** How late timers fired, over the whole measurement, pauses included. */
  readonly loopDelayMeanMs: number | null;
  readonly loopDelayP99Ms: number | null;
  readonly loopDelayMaxMs: number | null;
  /** CPU time of the process per elapsed time: 1 is one fully used core. */
  readonly cpuCores: number | null;
  /** Load on the whole machine, all processes included, 0 to 1. */
  readonly machineBusy: number | null;
  /** Cores used by all other processes of the machine, a local target included. */
  readonly otherCores: number | null;
  /** Cores available to this process. */
  readonly cores: number | null;
}

/** Figures of the target's server about the run. null is not measured; `gaps` says why. */
export interface ServerFigures {
  /** The server of these figures. Left out: PostgreSQL. */
  readonly product?: 'MySQL' | 'MariaDB';
  /** As the server reports it: `15.18 (Debian 15.18-0+deb12u1)`. */
  readonly version: string | null;
  /** Measured before the run. */
  readonly connections: ConnectionLimits | null;
  /** Server processes of the load; behind a pooler, those of its user. */
  readonly backends: BackendFigures | null;
  readonly transactions: TransactionFigures | null;
  /** Only for MySQL and MariaDB. */
  readonly statements?: StatementFigures | null;
  /** null also without a PgBouncer in between. */
  readonly pgbouncer: PgBouncerFigures | null;
  /** One entry per sample; in a long run, neighboring samples are merged. */
  readonly course: readonly ServerSample[];
  readonly gaps: readonly string[];
  /**
   * In the result of a segment that does not observe the server, since one segment is enough: the transactions, or
   * statements of MySQL, that poolctl counted. Left out otherwise.
   */
  readonly leftToSegment?: { readonly index: number; readonly own: number };
}

/** Connections that the server allows, and how many are left. */
export interface ConnectionLimits {
  /** max_connections. */
  readonly most: number;
  /** Reserved for superusers, unless the load runs as one. */
  readonly reserved: number;
  /** In use before the run by all clients, poolctl's own observer included. */
  readonly used: number;
  /** Connections that the load may still open, given the limits of server, role and database. */
  readonly left: number;
  /** The limit that decides `left`. */
  readonly narrowest: 'server' | 'role' | 'database';
}

export interface Gauge {
  readonly mean: number;
  readonly most: number;
}

export interface BackendFigures {
  /** Samples taken during the measurement. */
  readonly samples: number;
  /** The most frequent first. */
  readonly states: readonly (Gauge & { readonly state: string })[];
  /** Wait events of active backends, as shares of all active ones seen; event null: running. */
  readonly waits: readonly { readonly event: string | null; readonly share: number }[];
}

/**
 * The server's own counters of the database, from before the pool opened until after it closed. They include setup and
 * warm-up, because a backend reports its counts at most once a second, and when it ends.
 */
export interface TransactionFigures {
  readonly spanMs: number;
  readonly committed: number;
  readonly rolledBack: number;
  /** Transactions of either kind that poolctl itself counted. */
  readonly own: number;
  /** Time spent running statements, summed over all backends; null before PostgreSQL 14. */
  readonly activeMs: number | null;
}

/**
 * Counters of a MySQL or MariaDB server, from before the pool opened until after it closed: setup and warm-up included,
 * poolctl's own observer left out.
 */
export interface StatementFigures {
  readonly spanMs: number;
  /** Statements of clients that the server counted (Questions). */
  readonly counted: number;
  /** Statements that poolctl sent. */
  readonly own: number;
  /** Com_select. */
  readonly selects: number;
  /** Connections opened. */
  readonly connections: number;
  /** Clients that went without a goodbye. */
  readonly abortedClients: number;
  readonly rowLockWaits: number;
  readonly rowLockMs: number;
  readonly temporaryDiskTables: number;
}

/** PgBouncer's pool of the database during the measurement. */
export interface PgBouncerFigures {
  readonly version: string | null;
  readonly poolMode: string | null;
  /** Per pair of user and database. */
  readonly poolSize: number | null;
  /** max_client_conn, and the clients connected before the run, poolctl's own observers included. */
  readonly clients: { readonly most: number; readonly used: number } | null;
  readonly samples: number;
  /** Clients waiting for a server connection. */
  readonly waiting: Gauge;
  /** Longest wait seen in any sample. */
  readonly longestWaitMs: number;
  readonly serverActive: Gauge;
  readonly serverIdle: Gauge;
  /** PgBouncer's own counters: transactions, and the mean wait for a server connection. */
  readonly transactions: number | null;
  readonly waitMeanMs: number | null;
}

/** One sample of the server. */
export interface ServerSample {
  /** From the start of the measurement. */
  readonly atMs: number;
  readonly active: number | null;
  readonly idle: number | null;
  /** Backends idle in a transaction. */
  readonly inTransaction: number | null;
  /** Clients waiting in PgBouncer. */
  readonly queued: number | null;
}

/** The limit of the run, as far as poolctl can tell: `client` is poolctl, `target` is everything beyond the pool. */
export type Limit = 'client' | 'processor' | 'pool' | 'target';

export interface Bottleneck {
  readonly limit: Limit;
  /** The limit as a sentence, with the figures behind it. */
  readonly sentence: string;
}

export type Band = 'good' | 'marginal' | 'bad';

/** One criterion of the verdict, with the figure that decides it. */
export interface Criterion {
  readonly id: string;
  readonly title: string;
  readonly value: number | null;
  /** The value is a lower bound: iterations that were given up took longer. Left out otherwise. */
  readonly atLeast?: true;
  readonly unit: Unit;
  /** null if the criterion does not apply or was not measured; `why` says which. */
  readonly band: Band | null;
  /** Condition for `good`, in words: `below 100 ms`. */
  readonly good: string;
  /** Conditions for `good` and `bad`: `good below 500 ms, bad above 1 s`. */
  readonly bounds: string;
  readonly why: string | null;
}

export interface Verdict {
  /** The worst band of all criteria; null if nothing was measured, or with `notJudged`. */
  readonly band: Band | null;
  /** Why the figures say too little about the target: poolctl itself was the limit. Left out otherwise. */
  readonly notJudged?: string;
  readonly reason: string;
  readonly criteria: readonly Criterion[];
}

/** The outcome of one `--threshold`. */
export interface ThresholdResult {
  readonly expression: string;
  readonly actual: number | null;
  /** The figure is a lower bound: iterations that were given up took longer. Left out otherwise. */
  readonly atLeast?: true;
  readonly unit: Unit;
  /** false also if the figure was not measured. */
  readonly passed: boolean;
  /** Why a failure is not the target's: poolctl itself was the limit. Fails with --strict only. Left out otherwise. */
  readonly notJudged?: string;
}

export interface Advice {
  readonly text: string;
  /** Options for the next run; null if no option would help. */
  readonly options: string | null;
}

/** Configuration of the pool under test. */
export interface PoolInfo {
  /** Profile that the defaults came from; null if the pool has its own. */
  readonly profile: string | null;
  /** 0: no limit */
  readonly size: number;
  /** -1: no limit */
  readonly maxOverflow: number;
  readonly timeoutMs: number | null;
  readonly recycleMs: number | null;
  readonly prePing: boolean;
  /** Left out unless it is a pool of HTTP connections. */
  readonly http?: HttpPoolInfo;
}

export type Interruption = 'interrupted' | 'aborted';

export interface Environment {
  readonly poolctl: string | null;
  readonly node: string | null;
  readonly platform: string;
  readonly cores: number | null;
}

import type { Unit } from '../base/figure.js';
import type { Random } from '../base/random.js';
import type { WatchedSnapshot } from '../pool/stats.js';
import type { HttpLoad, HttpPoolInfo } from './http/types.js';

/** What a load test repeats. Opened once per run; nothing is touched before. */
export interface Workload {
  readonly name: string;
  /** Gets everything ready (connects, makes its data, tries its statements), so that a mistake fails here, once. */
  open(context: WorkloadContext): Promise<WorkloadRun>;
}

export interface WorkloadContext {
  /** Aborts when the user wants it to end: opening should give up, iterations under way should not. */
  readonly stop: AbortSignal;
  /** Aborts when the user wants it to end at once: iterations under way should give up too. */
  readonly signal: AbortSignal;
  /** Seeded, so that a run can be repeated. */
  readonly random: Random;
}

/** An opened workload. */
export interface WorkloadRun {
  /** What is really being asked of the target, for the report. */
  readonly description: WorkloadDescription;
  /** How the pool under test is configured; left out if there is none. */
  readonly pool?: PoolInfo;
  /** One unit of work. Tells the probe when it has got its connection; rejects if the work failed. */
  iterate(seq: number, probe: Probe): Promise<void>;
  /** The measurement begins, after the warm-up: peaks count from here. */
  begin?(): void;
  /** The numbers of the pool under test; null if there is none. */
  snapshot(): RunSnapshot | null;
  /** What a load over HTTP has beyond that; asked before the run is closed. Left out where it is none. */
  http?(): HttpLoad;
  /** Watches the target's server meanwhile; left out where there is none. */
  readonly server?: ServerWatch;
  /** Closes everything that open made, temporary data too. */
  close(): Promise<void>;
}

/** What a load test reads of a pool of any kind. */
export type RunSnapshot = Omit<WatchedSnapshot, 'holders'>;

/** Looks at the target's server from outside of the pool. What it cannot see is a gap, and never an error. */
export interface ServerWatch {
  /** The measurement begins, and is over. */
  begin(): void;
  end(): void;
  /** Complete as soon as the run is closed. */
  figures(): ServerFigures;
}

export interface Probe {
  /** The iteration stops waiting for the pool now and begins to be served. Later calls change nothing. */
  acquired(): void;
}

export interface WorkloadDescription {
  /** What it runs against, without secrets: `a temporary SQLite file, ...`. */
  readonly target: string;
  /** What one iteration does, in words. */
  readonly work: string;
  /** Whether an iteration is one simple query, so that the bar for simple queries applies. */
  readonly simple: boolean;
  /** Whether the target computes in this very process, and so shares its cores. */
  readonly inProcess: boolean;
  readonly statements: readonly string[];
}

/**
 * How the work arrives. Closed: each worker starts its next iteration when its last has ended, so a slow target is
 * asked less. Open: iterations are due at their own times, whatever became of those before.
 */
export type LoadModel =
  | { readonly kind: 'closed'; readonly workers: number }
  | {
      readonly kind: 'open';
      /** When arrival `n` (from 0) is due, in ms from the start; never earlier than the one before. */
      readonly dueAt: (n: number) => number;
      /** Arrivals beyond this many under way are dropped and counted; null: no bound. */
      readonly maxInFlight: number | null;
      /** Arrivals that belong together as one burst; null where there are no bursts. */
      readonly burstSize: number | null;
      /** Steps of a rising rate; null where it does not rise. */
      readonly ramp: RampPlan | null;
    };

/** A rate that rises step by step, up to where the target no longer keeps up. */
export interface RampPlan {
  /** The rate of each step, in arrivals per second. */
  readonly rates: readonly number[];
  readonly stepMs: number;
  readonly limits: RampLimits;
}

/** A step has held if it stayed below these. */
export interface RampLimits {
  /** Of response times. */
  readonly p99Ms: number;
  /** Of the part that was waiting for the pool. */
  readonly waitP99Ms: number;
}

/** The model as plain data, for the result. */
export type ModelInfo =
  | { readonly kind: 'closed'; readonly workers: number }
  | {
      readonly kind: 'burst';
      readonly size: number;
      /** null: until the duration is over. */
      readonly count: number | null;
      /** From the start of one burst to the start of the next. */
      readonly intervalMs: number;
    }
  | {
      readonly kind: 'rate';
      /** Arrivals per second, at even distances, whatever became of those before. */
      readonly perSecond: number;
      /** Arrivals that come while so many are under way are dropped. */
      readonly maxInFlight: number;
    }
  | {
      readonly kind: 'ramp';
      readonly fromPerSecond: number;
      readonly toPerSecond: number;
      /** By how much each step is higher than the one before. */
      readonly stepPerSecond: number;
      readonly stepMs: number;
      readonly limits: RampLimits;
      readonly maxInFlight: number;
    };

/** How much load, and when it ends: at whichever limit comes first. null is no limit; one of the two is set. */
export interface LoadPlan {
  readonly model: LoadModel;
  readonly iterations: number | null;
  readonly durationMs: number | null;
  /** A closed load before the measurement, of which nothing counts. */
  readonly warmup: WarmupPlan | null;
}

/** The warm-up is over at whichever limit comes first; one of the two is set. */
export interface WarmupPlan {
  /** For an open model; the workers of a closed one warm up themselves, and go on without a break. */
  readonly workers: number;
  /** So many must have ended. */
  readonly iterations: number | null;
  readonly durationMs: number | null;
  /** After that, goes on while the pool is still opening connections, but not for longer than this; null: does not. */
  readonly settleMs: number | null;
}

/** The record of one iteration. Times are in ms from the start of the measurement. */
export interface Sample {
  readonly seq: number;
  /** When it should have started. In a closed model: when its worker was free to. */
  readonly dueMs: number;
  readonly startedMs: number;
  /** null if it failed before it had a connection. */
  readonly acquiredMs: number | null;
  readonly endedMs: number;
  /** null if it succeeded. */
  readonly errorCode: string | null;
}

export type Phase = 'warm-up' | 'load' | 'drain';

/** How far a run is. */
export interface LoadProgress {
  readonly phase: Phase;
  readonly elapsedMs: number;
  /** From 0 to 1; null where the end is not known beforehand. */
  readonly fraction: number | null;
  readonly ended: number;
  readonly failed: number;
  /** Iterations that wait for a connection now. */
  readonly waiting: number;
}

/** Durations of one kind, in ms; everything is null while nothing was recorded. */
export interface Distribution {
  readonly count: number;
  readonly meanMs: number | null;
  readonly minMs: number | null;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly p999Ms: number | null;
  readonly maxMs: number | null;
  /** The histogram itself: pairs of a bucket's highest value, in microseconds, and its count. */
  readonly bucketsUs: readonly (readonly [upToUs: number, count: number])[];
}

export interface ErrorCount {
  readonly code: string;
  readonly count: number;
  /** The first line of the first such error's message. */
  readonly example: string;
}

/** What happened in one stretch of the run. Iterations count where they end. */
export interface TimelineRow {
  readonly atMs: number;
  /** Shorter than the interval in the last row. */
  readonly lengthMs: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly throughputPerSecond: number;
  /** Response times of those that succeeded. */
  readonly meanMs: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly waitMeanMs: number | null;
  readonly waitP99Ms: number | null;
  /** The most seen waiting for a connection, looked at ten times a second; null if it was not looked at. */
  readonly waiting: number | null;
}

/** The times of a stretch of the run in full: for logs that other tools read. */
export interface Interval {
  readonly atMs: number;
  readonly lengthMs: number;
  readonly response: Distribution;
  /** The part that was waiting for the pool. */
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
  /** How many of it have ended. */
  readonly size: number;
  readonly failed: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  readonly waitMeanMs: number | null;
  /** From the burst's start until its last iteration had ended; null if that never happened. */
  readonly drainMs: number | null;
  /** It was not drained when the next one was due. */
  readonly overran: boolean;
}

/** What became of the arrivals of one step of a ramp. */
export interface StageRow {
  /** From 0. */
  readonly index: number;
  readonly atMs: number;
  readonly targetPerSecond: number;
  readonly due: number;
  readonly failed: number;
  /** Not begun because too many were under way. */
  readonly dropped: number;
  /** Not ended when the run was over. */
  readonly unfinished: number;
  /** Successes that ended within the step, whenever they were due, per second. */
  readonly throughputPerSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly waitMeanMs: number | null;
  readonly waitP99Ms: number | null;
  /** Whether the target kept up; null if the run ended before that was known. */
  readonly held: boolean | null;
  /** What broke; null if nothing did. */
  readonly why: string | null;
}

/** What the iterations add up to. */
export interface Measurements {
  /** From the start of the measurement to the end of its last iteration. */
  readonly elapsedMs: number;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Still under way when the run was aborted. */
  readonly abandoned: number;
  /** Due, but not started because too many were under way. */
  readonly dropped: number;
  /** Successes a second. */
  readonly throughputPerSecond: number;
  /** Share of those ended that succeeded, 0 to 1; null if none has ended. */
  readonly successRate: number | null;
  /** Of iterations that succeeded: from due to ended. */
  readonly response: Distribution;
  /** A part of it, from started to acquired: waiting for the pool. */
  readonly wait: Distribution;
  /** The last part, from acquired to ended: being served. */
  readonly service: Distribution;
  /** Of iterations that failed: from due to ended. */
  readonly failure: Distribution;
  /** The first part, from due to started: the generator's own lateness; nothing in a closed load. */
  readonly lag: Distribution;
  readonly errors: readonly ErrorCount[];
  readonly timeline: Timeline;
  /** null where there are no bursts. */
  readonly bursts: readonly BurstRow[] | null;
  /** The steps of a ramp; null where there is none. */
  readonly stages: readonly StageRow[] | null;
}

/** What the pool did during the measurement, the warm-up left out, but for the two peaks. null: it does not tell. */
export interface PoolFigures {
  readonly name: string;
  readonly size: number | null;
  readonly maxOverflow: number | null;
  readonly acquired: number | null;
  readonly created: number | null;
  /** Opened before the measurement began. */
  readonly createdBefore: number | null;
  readonly createFailed: number | null;
  readonly destroyed: number | null;
  /** The most out beyond `size` at once; null where the pool has no size. */
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

/** How hard this process itself worked while iterations were under way; null where it was not measured. */
export interface ClientFigures {
  /** Share of the time in which the event loop was busy, 0 to 1: running, or in line for a core. */
  readonly loopBusy: number | null;
  /** Share of the time in which its thread ran on a core, and in which it stood in line for one. */
  readonly loopRan: number | null;
  readonly loopQueued: number | null;
  /** How much later than due the event loop came to its timers; over the whole measurement, pauses and all. */
  readonly loopDelayMeanMs: number | null;
  readonly loopDelayP99Ms: number | null;
  readonly loopDelayMaxMs: number | null;
  /** CPU time of the whole process per time passed: 1 is one core in full use. */
  readonly cpuCores: number | null;
  /** How busy the whole machine was, with everything that ran on it, 0 to 1. */
  readonly machineBusy: number | null;
  /** Cores in use by all other processes of the machine: a target that runs on it, and whatever else does. */
  readonly otherCores: number | null;
  /** Cores that this process may use. */
  readonly cores: number | null;
}

/** What the server of the target said of the run. What is null was not measured, and `gaps` says why. */
export interface ServerFigures {
  /** In its own words: `15.18 (Debian 15.18-0+deb12u1)`. */
  readonly version: string | null;
  /** Before the run. */
  readonly connections: ConnectionLimits | null;
  /** Server processes: those of the load, or through a pooler those of its user. */
  readonly backends: BackendFigures | null;
  readonly transactions: TransactionFigures | null;
  /** null also where no PgBouncer is between. */
  readonly pgbouncer: PgBouncerFigures | null;
  /** Look by look; of long runs several looks as one. */
  readonly course: readonly ServerSample[];
  readonly gaps: readonly string[];
}

/** How many connections there can be, and what is left of them. */
export interface ConnectionLimits {
  /** max_connections. */
  readonly most: number;
  /** Kept for superusers, where the load does not run as one. */
  readonly reserved: number;
  /** In use before the run, by everybody, poolctl's own look at the server included. */
  readonly used: number;
  /** What the load may still open: also by the limits of its role and its database. */
  readonly left: number;
  /** What makes `left` what it is. */
  readonly narrowest: 'server' | 'role' | 'database';
}

export interface Gauge {
  readonly mean: number;
  readonly most: number;
}

export interface BackendFigures {
  /** How often was looked, from the start of the measurement to its end. */
  readonly samples: number;
  /** The most frequent first. */
  readonly states: readonly (Gauge & { readonly state: string })[];
  /** What active ones waited for, as shares of all that were seen active; null is for nothing: they ran. */
  readonly waits: readonly { readonly event: string | null; readonly share: number }[];
}

/**
 * The server's own counters of the database, from before the pool was opened until after it was closed: set-up and
 * warm-up are in them, since a backend tells its counts once a second only, and when it ends.
 */
export interface TransactionFigures {
  readonly spanMs: number;
  readonly committed: number;
  readonly rolledBack: number;
  /** How many of both were poolctl's, as poolctl counted them. */
  readonly own: number;
  /** The time that statements ran, all backends together; null before PostgreSQL 14. */
  readonly activeMs: number | null;
}

/** PgBouncer's pool of the database, while the measurement went on. */
export interface PgBouncerFigures {
  readonly version: string | null;
  readonly poolMode: string | null;
  /** Of each pair of user and database. */
  readonly poolSize: number | null;
  /** max_client_conn, and how many were connected before the run, poolctl's own looks included. */
  readonly clients: { readonly most: number; readonly used: number } | null;
  readonly samples: number;
  /** Clients that wait for a server connection. */
  readonly waiting: Gauge;
  /** The longest that any had waited when it was looked at. */
  readonly longestWaitMs: number;
  readonly serverActive: Gauge;
  readonly serverIdle: Gauge;
  /** By its own counters: transactions, and how long each waited for a server connection, on average. */
  readonly transactions: number | null;
  readonly waitMeanMs: number | null;
}

/** One look at the server. */
export interface ServerSample {
  /** From the start of the measurement. */
  readonly atMs: number;
  readonly active: number | null;
  readonly idle: number | null;
  /** Open transactions between two statements. */
  readonly inTransaction: number | null;
  /** Clients that wait in PgBouncer. */
  readonly queued: number | null;
}

/** What limited the run, as far as this process can tell; `client` is poolctl, `target` whatever lies beyond. */
export type Limit = 'client' | 'processor' | 'pool' | 'target';

export interface Bottleneck {
  readonly limit: Limit;
  /** The same as a sentence, with the figures that it rests on. */
  readonly sentence: string;
}

export type Band = 'good' | 'marginal' | 'bad';

/** One criterion of the verdict, with its figure, so that the user sees why. */
export interface Criterion {
  readonly id: string;
  readonly title: string;
  readonly value: number | null;
  readonly unit: Unit;
  /** null if it does not apply or could not be measured; `why` tells. */
  readonly band: Band | null;
  /** What it takes to be good, in words: `below 100 ms`. */
  readonly good: string;
  /** The same and what makes it bad: `good below 500 ms, bad above 1 s`. */
  readonly bounds: string;
  readonly why: string | null;
}

export interface Verdict {
  /** The worst band of its criteria; null if nothing was measured. */
  readonly band: Band | null;
  readonly reason: string;
  readonly criteria: readonly Criterion[];
}

/** A user's own criterion, judged. */
export interface ThresholdResult {
  readonly expression: string;
  readonly actual: number | null;
  readonly unit: Unit;
  /** What was not measured has not passed. */
  readonly passed: boolean;
}

export interface Advice {
  readonly text: string;
  /** Options to run again with; null where it is not a matter of options. */
  readonly options: string | null;
}

/** How the pool under test was configured. */
export interface PoolInfo {
  /** The profile that its defaults came from; null if they are its own. */
  readonly profile: string | null;
  /** 0: no limit */
  readonly size: number;
  /** -1: no limit */
  readonly maxOverflow: number;
  readonly timeoutMs: number | null;
  readonly recycleMs: number | null;
  readonly prePing: boolean;
  /** Left out where it is no pool of HTTP connections. */
  readonly http?: HttpPoolInfo;
}

/** The result of one load test: plain data, the JSON report as it is. */
export interface LoadResult {
  readonly schema: 1;
  readonly kind: 'loadtest';
  /** ISO 8601, when the measurement began. */
  readonly startedAt: string;
  readonly environment: Environment;
  readonly workload: { readonly name: string } & WorkloadDescription;
  readonly model: ModelInfo;
  readonly limits: { readonly iterations: number | null; readonly durationMs: number | null };
  /** What ran before the measurement; null if nothing did. */
  readonly warmup: {
    readonly iterations: number;
    readonly failed: number;
    readonly elapsedMs: number;
  } | null;
  readonly seed: number;
  /** Why the run ended before its time; null if it did not. */
  readonly partial: Interruption | null;
  readonly verdict: Verdict;
  readonly thresholds: readonly ThresholdResult[];
  readonly measurements: Measurements;
  readonly pool: { readonly options: PoolInfo; readonly figures: PoolFigures | null };
  /** null where the load is not over HTTP. */
  readonly http: HttpLoad | null;
  /** null where the target has no server, or nobody watched it. */
  readonly server: ServerFigures | null;
  readonly client: ClientFigures & { readonly bottleneck: Bottleneck | null };
  readonly advice: readonly Advice[];
}

export type Interruption = 'interrupted' | 'aborted';

export interface Environment {
  readonly poolctl: string | null;
  readonly node: string | null;
  readonly platform: string;
  readonly cores: number | null;
}

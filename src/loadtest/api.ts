import type { Random } from '../base/random.js';
import type { WatchedSnapshot } from '../snapshot/pool.js';
import type { HttpLoad } from './http/types.js';
import type { PoolInfo, RampLimits, ServerFigures, WireFigures, WorkloadDescription } from './result.js';

/** The work that a load test repeats. Opened once per run; it touches nothing before that. */
export interface Workload {
  readonly name: string;
  /** Connects, creates its data and tries its statements, so that a mistake fails here, once. */
  open(context: WorkloadContext): Promise<WorkloadRun>;
}

export interface WorkloadContext {
  /** Aborts on the first Ctrl-C: opening gives up, but iterations in flight continue. */
  readonly stop: AbortSignal;
  /** Aborts on the second Ctrl-C, and when the run stops waiting: iterations in flight are canceled too. */
  readonly signal: AbortSignal;
  /** Seeded, so that a run can be repeated. */
  readonly random: Random;
}

/** An opened workload. */
export interface WorkloadRun {
  /** Facts of the report about the target and the work. */
  readonly description: WorkloadDescription;
  /** Configuration of the pool under test; left out if there is none. */
  readonly pool?: PoolInfo;
  /**
   * Runs one unit of work. Calls the probe when it has its connection; rejects if the work failed. The signal, present
   * only with an iteration timeout, aborts when the work must be canceled, on the server too where possible.
   */
  iterate(seq: number, probe: Probe, signal?: AbortSignal): Promise<void>;
  /**
   * Starts one unit of work without a promise, for engines whose work is shorter than one takes. It is called instead of
   * `iterate`, and must not throw: the iteration is ended with what fails.
   */
  start?(iteration: Iteration): void;
  /** Called after the warm-up, when the measurement begins: peaks count from here. */
  begin?(): void;
  /** Figures of the pool under test; null if there is none. */
  snapshot(): RunSnapshot | null;
  /** Figures that only an HTTP load has, read before the run is closed. Left out by other workloads. */
  http?(): HttpLoad;
  /** Figures of the wire engine, read before the run is closed. Left out by other workloads. */
  wire?(): WireFigures;
  /** Observes the target's server during the run; left out if there is nothing to observe. */
  readonly server?: ServerWatch;
  /** Closes everything that `open` created, temporary data included. */
  close(): Promise<void>;
}

/** The part of a pool's snapshot that a load test reads, for any kind of pool. */
export type RunSnapshot = Omit<WatchedSnapshot, 'holders'>;

/** Observes the target's server independently of the pool. Reports anything it cannot see as a gap, never as an error. */
export interface ServerWatch {
  /** Called when the measurement begins, and when it ends. */
  begin(): void;
  end(): void;
  /** Complete once the run is closed. */
  figures(): ServerFigures;
}

export interface Probe {
  /**
   * The iteration has its connection: waiting ends and service begins. Later calls have no effect. `at` is a reading of
   * the clock, for callers that have one; default now.
   */
  acquired(at?: number): void;
}

/** One unit of work that was started. */
export interface Iteration extends Probe {
  readonly seq: number;
  /** A reading of the clock. */
  readonly startedAt: number;
  /** Aborts when the work must be canceled; undefined without an iteration timeout. */
  readonly signal: AbortSignal | undefined;
  /** Ends it: it has succeeded if `error` is null. Later calls have no effect. `at` is a reading of the clock; default now. */
  end(error: unknown, at?: number): void;
}

/**
 * How the work arrives. Closed: each worker starts its next iteration when the last one ends, so a slow target receives
 * less load. Open: each iteration is due at its own time, whether or not earlier ones have ended.
 */
export type LoadModel =
  | { readonly kind: 'closed'; readonly workers: number }
  | {
      readonly kind: 'open';
      /** When arrival `n` (from 0) is due, in ms from the start; never earlier than the one before. */
      readonly dueAt: (n: number) => number;
      /** Arrivals beyond this many in flight are dropped and counted; null: no limit. */
      readonly maxInFlight: number | null;
      /** Arrivals in one burst; null without bursts. */
      readonly burstSize: number | null;
      /** Steps of a rising rate; null for a constant rate. */
      readonly ramp: RampPlan | null;
    };

/** A rate that rises in steps until the target no longer keeps up. */
export interface RampPlan {
  /** Rate of each step, in arrivals per second. */
  readonly rates: readonly number[];
  readonly stepMs: number;
  readonly limits: RampLimits;
}

/**
 * One of several parts of a load. The parts run side by side, in processes or on machines that know nothing of each
 * other, and together are exactly the whole: the arithmetic is that of k6's execution segments.
 */
export interface Segment {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

/** How much load, and when it ends: at whichever limit comes first. null is no limit; at least one is set. */
export interface LoadPlan {
  readonly model: LoadModel;
  readonly iterations: number | null;
  readonly durationMs: number | null;
  /** A closed load before the measurement; none of its samples count. */
  readonly warmup: WarmupPlan | null;
  /**
   * The part of the load that is run. Times, limits of time and `iterations` are those of the whole; the model's workers
   * and its limit of iterations in flight are the part's own. Left out: the whole.
   */
  readonly segment?: Segment;
}

/** A start that several runs have in common. */
export interface StartGate {
  /** The run is warm and connected. Throws if it is too late for the start. Called once. */
  ready(): void;
  /** When the measurement begins, on the run's clock; null while it is not known. */
  readonly startsAt: number | null;
  /** Calls back once `startsAt` is known; at once if it is. */
  onKnown(callback: () => void): void;
}

/** The warm-up ends at whichever limit comes first; at least one is set. */
export interface WarmupPlan {
  /** Used with an open model. The workers of a closed model warm up themselves and continue without a break. */
  readonly workers: number;
  /** Iterations that must have ended. */
  readonly iterations: number | null;
  readonly durationMs: number | null;
  /** Extends the warm-up by at most this long while the pool still opens connections; null: no extension. */
  readonly settleMs: number | null;
}

/** The record of one iteration. Times are in ms from the start of the measurement. */
export interface Sample {
  readonly seq: number;
  /** When the iteration should have started. In a closed model: when its worker became free. */
  readonly dueMs: number;
  readonly startedMs: number;
  /** null if the iteration failed before it had a connection. */
  readonly acquiredMs: number | null;
  readonly endedMs: number;
  /** null if the iteration succeeded. */
  readonly errorCode: string | null;
}

export type Phase = 'warm-up' | 'load' | 'drain';

/** Progress of a run. */
export interface LoadProgress {
  readonly phase: Phase;
  readonly elapsedMs: number;
  /** 0 to 1; null if the end is not known in advance. */
  readonly fraction: number | null;
  readonly ended: number;
  readonly failed: number;
  /** Iterations currently waiting for a connection. */
  readonly waiting: number;
  /** Iterations begun and not ended. Left out by engines that do not know. */
  readonly underWay?: number;
  /** Time since the target answered last; 0 if nothing is under way. */
  readonly quietMs?: number;
  /** Time until the run abandons what is under way; null if it does not. */
  readonly givesUpInMs?: number | null;
}

import type { Topology } from '../../snapshot/broker.js';

/** One thing that has to be so, and whether it was. */
export interface IbCheck {
  readonly name: string;
  readonly ok: boolean;
  /** The figures that decided. */
  readonly detail: string;
}

/**
 * One count as the client has it and as the gateway has it. What a broken connection may have swallowed the client
 * cannot know: then its count is a range. Where nothing broke, both ends are the same.
 */
export interface IbComparison {
  readonly what: string;
  readonly gateway: number;
  readonly clientLeast: number;
  /** null: the client cannot say. */
  readonly clientMost: number | null;
  readonly ok: boolean;
}

/** How a number of durations lies, in milliseconds. */
export interface IbSpread {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** The figures of one run, by its clock, which may be faster than the machine's. null is not measured. */
export interface IbRunFigures {
  /** To have the library loaded, and the thread started if there is one. */
  readonly workerStart: IbSpread | null;
  /** From dialling until the port answered, until the version was there, until the connection was ready. */
  readonly connect: {
    readonly tcp: IbSpread | null;
    readonly handshake: IbSpread | null;
    readonly ready: IbSpread | null;
  };
  /** The longest from the fault until the pool knew that a connection was lost. */
  readonly detectMs: number | null;
  /** The longest from there until it was ready again. */
  readonly recoverMs: number | null;
  readonly attempts: { readonly count: number; readonly peakSecond: number; readonly peak100ms: number };
  readonly requests: {
    readonly asked: number;
    readonly answered: number;
    readonly failed: number;
    readonly timedOut: number;
    readonly lost: number;
    readonly retried: number;
    readonly late: number;
  };
  readonly clientIds: {
    /** The ids that were ready, in ascending order. */
    readonly seen: readonly number[];
    /** Whether no two connections of the pools ever had the same. */
    readonly unique: boolean;
    /** Errors 326. */
    readonly collisions: number;
  };
  readonly pacing: {
    readonly sent: number;
    /** The most in any second, by the times at which they were sent. */
    readonly peakSecond: number;
    /** As the gateway counts them; null where it cannot be asked. */
    readonly gatewayPeakSecond: number | null;
    /** The share of the gateway's 50 messages a second that was never used. */
    readonly headroom: number;
    readonly queueWait: IbSpread | null;
    /** Errors 100, and requests for history that were refused. */
    readonly tooFast: number;
    readonly historyRefused: number | null;
  };
  readonly roundTrip: IbSpread | null;
  /** The delay of this process's event loop, on the machine's clock. */
  readonly loopLag: { readonly p99: number; readonly max: number };
  readonly rssBytes: number | null;
  readonly leftovers: {
    /** Open at the gateway after all was closed. */
    readonly sockets: number | null;
    readonly subscriptions: number | null;
    /** Places of connections, threads or not, that have not ended. */
    readonly workers: number;
  };
}

/** A run that says nothing of the pool, and was made again. */
export interface IbRepeat {
  readonly stalledMs: number;
  /** The checks that failed. */
  readonly checks: readonly IbCheck[];
  readonly comparisons: readonly IbComparison[];
}

/** One test or scenario, from its gateway's start to its end. */
export interface IbRun {
  readonly name: string;
  readonly kind: 'test' | 'scenario';
  readonly title: string;
  readonly topology: Topology;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped. */
  readonly why: string | null;
  /** In which way the pool was broken on purpose; null where it was not. */
  readonly broken: string | null;
  /** On the machine's clock. */
  readonly tookMs: number;
  /** Runs before this one that went wrong while the machine stood still for longer than they allow for. */
  readonly repeats: readonly IbRepeat[];
  /** How long the machine stood still at most; null where it did not run. */
  readonly stalledMs: number | null;
  /** How many times faster its own clock ran. */
  readonly speed: number;
  readonly checks: readonly IbCheck[];
  /** null where the gateway cannot be asked what it has seen. */
  readonly comparisons: readonly IbComparison[] | null;
  readonly figures: IbRunFigures | null;
}

/** The same calls with a connection each, and over the pool. */
export interface IbBaseline {
  readonly calls: number;
  readonly unpooledMs: number;
  readonly pooledMs: number;
  /** How much shorter the pool makes it, as a share of 1. */
  readonly saved: number;
  readonly unpooled: IbSpread;
  readonly pooled: IbSpread;
}

/** The result of `poolctl ib stress`. */
export interface IbStressResult {
  readonly schema: 1;
  readonly kind: 'ib-stress';
  readonly seed: number;
  /** HOST:PORT of a gateway that was there; null for simulated ones. */
  readonly gateway: string | null;
  readonly startedAt: string;
  readonly elapsedMs: number;
  /** Whether each scenario ran on a pool that was broken on purpose, and had to fail. */
  readonly negativeControls: boolean;
  /** Stopped before its time: runs are missing. */
  readonly partial: boolean;
  readonly runs: readonly IbRun[];
  readonly baseline: IbBaseline | null;
  /** Whether all of it ran, and as it should. */
  readonly passed: boolean;
}

import type { EndReason, RecordedPoolFacts, RecordedProcess } from './format.js';

/** The contents of a recording: one process and its pools. */
export interface Recording {
  /** null where the block with it is damaged. */
  readonly process: RecordedProcess | null;
  readonly durationMs: number;
  readonly pools: readonly RecordedPool[];
  /** null: the process was killed, or the end of the file is lost. */
  readonly end: EndReason | null;
  /** Bytes that could not be read: the last block of a process that was killed, or damage. */
  readonly lostBytes: number;
  readonly bytes: number;
}

/** One pool over the recording. Times and durations are in milliseconds; times count from the start of the recording. */
export interface RecordedPool extends RecordedPoolFacts {
  /** In the order in which they were asked for. */
  readonly leases: LeaseColumns;
  /** Call sites by the numbers in `leases`. null: a call that was not looked at. */
  readonly sites: readonly (string | null)[];
  readonly connects: readonly { readonly atMs: number; readonly tookMs: number | null }[];
  /** Looks at the pool, twice a second. */
  readonly gauges: readonly Gauge[];
}

export interface Gauge {
  readonly atMs: number;
  readonly live: number;
  readonly idle: number;
  readonly inUse: number;
  readonly waiting: number;
}

export const Fate = {
  Returned: 0,
  /** Still out when the recording ended: its hold is as long as it was seen. */
  Out: 1,
  /** Still out, and on purpose: it listens or replicates. */
  OnPurpose: 2,
  /** Never got a lease: its hold is 0. */
  GaveUp: 3,
} as const;

/** Acquires as columns: there may be millions of them. */
export interface LeaseColumns {
  readonly count: number;
  readonly askedMs: Float64Array;
  readonly waitedMs: Float64Array;
  readonly heldMs: Float64Array;
  readonly site: Int32Array;
  /** One of Fate. */
  readonly fate: Uint8Array;
}

import type { HistogramText } from '../base/histogram.js';

export interface ErrorCount {
  readonly code: string;
  readonly count: number;
  /** The first line of the first such error's message. */
  readonly example: string;
}

/** Durations by what they measure, and those that may be right-censored. */
export const KINDS = ['response', 'wait', 'service', 'failure', 'lag'] as const;
export const CENSORED = ['response', 'wait', 'service'] as const;

/** Everything that a segment recorded, as plain data: from those of all segments the whole is computed. */
export interface LoadRecord {
  /** Exact durations. Those of iterations that were given up are in `censored`. */
  readonly exact: Readonly<Record<(typeof KINDS)[number], HistogramText>>;
  readonly censored: Readonly<Record<(typeof CENSORED)[number], HistogramText>>;
  readonly late: LateRecord;
  readonly errors: readonly ErrorCount[];
  readonly timeline: TimelineRecord;
  /** null without bursts. */
  readonly bursts: readonly BurstRecord[] | null;
  /** Steps of a ramp; null without one. */
  readonly stages: readonly StageRecord[] | null;
}

/** The record of one interval of a segment's timeline. Times are in ms from the start of the segment. */
export interface StretchRecord {
  readonly atMs: number;
  readonly response: HistogramText;
  readonly wait: HistogramText;
  readonly failed: number;
  readonly waiting: number | null;
}

export interface TimelineRecord {
  readonly intervalMs: number;
  readonly stretches: readonly StretchRecord[];
}

/** A segment's record of a burst. The end of its last iteration is from the start of the segment. */
export interface BurstRecord {
  readonly index: number;
  readonly response: HistogramText;
  readonly wait: HistogramText;
  readonly failed: number;
  readonly lastEndedMs: number;
}

export const STAGE_COUNTS = ['due', 'ended', 'failed', 'dropped', 'slow', 'waitedLong', 'served'] as const;

/** A segment's record of a step of a ramp. `slow` are those above the limit, `served` those that ended in it. */
export interface StageRecord extends Readonly<Record<(typeof STAGE_COUNTS)[number], number>> {
  readonly index: number;
  readonly response: HistogramText;
  readonly wait: HistogramText;
}

/** Iterations that ended after the arrivals had: how long after, and those of them that succeeded. */
export interface LateRecord {
  readonly ends: HistogramText;
  readonly successes: HistogramText;
}

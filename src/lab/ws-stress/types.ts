/** The faults of the feed. */
export const STRESS_FAULTS = ['drop', 'half-open', 'slow', 'reject', 'mute', 'rate-limit', 'rotate'] as const;
export type StressFault = (typeof STRESS_FAULTS)[number];

/** One thing that has to be so, and whether it was. */
export interface StressCheck {
  readonly name: string;
  readonly ok: boolean;
  /** The figures that decided. */
  readonly detail: string;
}

/** One fault, from its injection until all was quiet again. Durations are in milliseconds. */
export interface StressRound {
  readonly name: 'subscribe' | StressFault;
  readonly tookMs: number;
  /** Connections that were lost, and why. */
  readonly lost: number;
  readonly causes: readonly string[];
  /** From the loss to the next opening; the longest. null where none was lost. */
  readonly reconnectMs: number | null;
  /** From the opening until all symbols of the connection were confirmed; the longest. */
  readonly resubscribeMs: number | null;
  readonly gaps: number;
  readonly gapSymbols: number;
  readonly checks: readonly StressCheck[];
}

/** The result of `poolctl ws stress`. */
export interface StressResult {
  readonly schema: 1;
  readonly kind: 'ws-stress';
  /** The protocol of the feed: json, or the venue that it played. */
  readonly protocol: string;
  readonly symbols: number;
  readonly maxSymbolsPerConnection: number;
  readonly maxConnections: number;
  readonly elapsedMs: number;
  /** Stopped before its time: rounds are missing. */
  readonly partial: boolean;
  readonly rounds: readonly StressRound[];
  readonly totals: {
    readonly messages: number;
    readonly messagesPerSecond: number;
    readonly bytes: number;
    readonly gaps: number;
    readonly gapSymbols: number;
    /** The figures of the subscriber that takes its ticks every two seconds. */
    readonly conflated: number;
    readonly dropped: number;
    readonly strays: number;
    readonly refused: number;
    readonly repeated: number;
    /** As the server counts. */
    readonly tooFast: number;
    readonly peakSymbols: number;
    readonly peakConnections: number;
  };
  readonly passed: boolean;
}

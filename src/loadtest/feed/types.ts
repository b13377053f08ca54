import type { FeedFacts } from '../../lab/feed-server/feed.js';
import type { ConnectionSnapshot } from '../../snapshot/feed.js';
import type { Distribution } from '../distribution.js';
import type {
  Advice,
  Bottleneck,
  ClientFigures,
  Environment,
  Interruption,
  ThresholdResult,
  Verdict,
} from '../result.js';

/** The result of a load test of a feed: plain data, the JSON report as it is. */
export interface FeedLoadResult {
  readonly schema: 1;
  readonly kind: 'feed-loadtest';
  /** ISO 8601, when the measurement began. */
  readonly startedAt: string;
  readonly environment: Environment;
  /** The feed's URL without secret parts. */
  readonly target: string;
  readonly settings: FeedLoadSettings;
  /** Why the run ended before its time; null if it did not. */
  readonly partial: Interruption | null;
  readonly verdict: Verdict;
  readonly thresholds: readonly ThresholdResult[];
  readonly subscribing: Subscribing;
  readonly measurements: FeedMeasurements;
  /** As they were when the measurement was over. */
  readonly connections: readonly ConnectionSnapshot[];
  /** The feed's own counters; null if it has none. */
  readonly server: FeedServerFigures | null;
  readonly client: ClientFigures & { readonly bottleneck: Bottleneck | null };
  readonly advice: readonly Advice[];
}

export interface FeedLoadSettings {
  /** How the feed is spoken to. */
  readonly protocol: string;
  readonly maxSymbolsPerConnection: number;
  readonly maxConnections: number;
  readonly placement: string;
  /** Subscribe messages that one connection sends in a second. */
  readonly batchesPerSecond: number;
  readonly durationMs: number;
  readonly warmupMs: number;
  /** How often the slow consumer takes what is there for it; null: there is none. */
  readonly refreshMs: number | null;
}

/** How the symbols came to be subscribed, before the measurement. */
export interface Subscribing {
  readonly asked: number;
  /** Confirmed by the server. */
  readonly live: number;
  readonly refused: number;
  /** The first few that were refused. */
  readonly refusals: readonly { readonly symbol: string; readonly reason: string }[];
  /** Until the last was confirmed or refused; null if that never happened. */
  readonly tookMs: number | null;
  /** From the dial to the open socket, the longest; null if none was opened. */
  readonly connectMs: number | null;
}

/** From the beginning of the measurement to its end. */
export interface FeedMeasurements {
  readonly elapsedMs: number;
  /** WebSocket messages, whatever was in them. */
  readonly messages: number;
  readonly ticks: number;
  readonly bytes: number;
  readonly messagesPerSecond: number;
  readonly ticksPerSecond: number;
  readonly bytesPerSecond: number;
  /** Symbols of which there was at least one tick. */
  readonly symbolsHeard: number;
  /** Confirmed symbols of which there was none. */
  readonly symbolsSilent: number;
  /** From the stamp of a tick to its arrival; null where ticks carry no stamp. */
  readonly latency: Distribution | null;
  readonly stamp: StampFacts | null;
  /** Lost connections whose symbols were all subscribed again, and for how long the longest was without them. */
  readonly gaps: number;
  readonly gapSymbols: number;
  readonly longestGapMs: number | null;
  /** Open connections that were lost, by why; the most frequent first. */
  readonly lost: readonly { readonly cause: string; readonly count: number; readonly example: string }[];
  /** Openings after a loss. */
  readonly reconnects: number;
  /** From a loss to the next opening, the longest. */
  readonly longestReconnectMs: number | null;
  readonly connectFailed: number;
  /** Ticks that a newer one of the same symbol replaced before the slow consumer came; null without one. */
  readonly conflated: number | null;
  /** Ticks that the slow consumer took. */
  readonly taken: number | null;
  /** Ticks of symbols that nobody wants, or on another connection than theirs. */
  readonly strays: number;
  readonly notUnderstood: number;
  /** Requests that had to be sent again. */
  readonly repeated: number;
  readonly timeline: FeedTimeline;
}

/** The result of the search for timestamps. */
export interface StampFacts {
  readonly field: string;
  readonly unit: StampUnit;
  /** Ticks that had one. */
  readonly stamped: number;
  /** Ticks from the future by this machine's clock: the two clocks differ by at least `mostAheadMs`. */
  readonly ahead: number;
  readonly mostAheadMs: number | null;
}

export type StampUnit = 's' | 'ms' | 'us' | 'ns' | 'text';

export interface FeedTimeline {
  readonly intervalMs: number;
  readonly rows: readonly FeedTimelineRow[];
}

export interface FeedTimelineRow {
  readonly atMs: number;
  /** Shorter than the interval in the last row. */
  readonly lengthMs: number;
  readonly ticks: number;
  readonly ticksPerSecond: number;
  readonly latencyP99Ms: number | null;
  /** Symbols that were not subscribed at its end. */
  readonly notLive: number;
}

/** The feed's own counts beside ours, from the first opening to the last tick: nothing is under way any more. */
export interface FeedServerFigures {
  readonly sent: number;
  readonly received: number;
  /** Confirmed symbols here, and symbols that the feed has for our connections. */
  readonly symbols: number;
  readonly serverSymbols: number;
  readonly facts: Pick<FeedFacts, 'opened' | 'peakSymbols' | 'peakConnections' | 'tooFast' | 'requests'>;
}

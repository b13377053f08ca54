import type { Unit } from '../../base/figure.js';
import { parseCount, parseDuration, parseRate, parseShare, ValueError } from '../../base/units.js';
import { percentileMs } from '../distribution.js';
import type { ThresholdResult } from '../result.js';
import { COMPARISONS } from '../thresholds.js';
import type { FeedJudged } from './verdict.js';

/** A user's own criterion for a feed: `latency.p99<50ms`, `ticks>1000/s`, `gaps<=0`. */
export interface FeedThreshold {
  readonly expression: string;
  readonly unit: Unit;
  readonly limit: number;
  readonly compare: (actual: number, limit: number) => boolean;
  /** null where it was not measured */
  readonly measure: (judged: FeedJudged) => number | null;
}

interface Metric {
  readonly unit: Unit;
  readonly read: (text: string) => number;
  readonly measure: FeedThreshold['measure'];
}

const METRICS: Readonly<Record<string, Metric>> = {
  ticks: perSecond(({ measurements }) => measurements.ticksPerSecond),
  messages: perSecond(({ measurements }) => measurements.messagesPerSecond),
  symbols: {
    unit: 'share',
    read: parseShare,
    measure: ({ live, subscribing: { asked } }) => (asked === 0 ? null : live / asked),
  },
  delivered: {
    unit: 'share',
    read: parseShare,
    measure: ({ server }) => (server === null || server.sent === 0 ? null : server.received / server.sent),
  },
  gaps: counted(({ measurements }) => measurements.gaps),
  lost: counted(({ measurements }) => measurements.lost.reduce((sum, { count }) => sum + count, 0)),
  conflated: counted(({ measurements }) => measurements.conflated),
  subscribe: duration(({ subscribing }) => subscribing.tookMs),
  gap: duration(({ measurements }) => measurements.longestGapMs ?? 0),
};

/** Reads a threshold. Throws a ValueError that says what is wrong with it and what it should look like. */
export function parseFeedThreshold(expression: string): FeedThreshold {
  const [, name = '', operator = '', limit = ''] =
    /^\s*([^<>=!\s]*)\s*([<>=!]*)\s*(.*?)\s*$/.exec(expression) ?? [];
  const compare = COMPARISONS[operator];
  if (name === '' || limit === '' || compare === undefined) {
    throw new ValueError(
      `'${expression}' is not a threshold; write something like latency.p99<50ms or gaps<=0`,
    );
  }
  const metric = latencyMetric(name) ?? (Object.hasOwn(METRICS, name) ? METRICS[name] : undefined);
  if (metric === undefined) {
    throw new ValueError(
      `'${expression}' is about '${name}', which is not measured of a feed; known are ${FEED_METRICS}`,
    );
  }
  try {
    const { unit, read, measure } = metric;
    return { expression: expression.trim(), unit, limit: read(limit), compare, measure };
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError(`'${expression}' has a wrong limit: ${error.message}`);
  }
}

/** Whether an expression is about a figure of feeds, by its name. */
export function isFeedMetric(expression: string): boolean {
  const [, name = ''] = /^\s*([^<>=!\s]*)/.exec(expression) ?? [];
  return name.startsWith('latency.') || Object.hasOwn(METRICS, name);
}

export const FEED_METRICS = `latency.mean, latency.max, latency.p50, latency.p99 and the like, ${Object.keys(METRICS).join(', ')}`;

export function judgeFeedThresholds(
  thresholds: readonly FeedThreshold[],
  judged: FeedJudged,
): ThresholdResult[] {
  return thresholds.map(({ expression, unit, limit, compare, measure }) => {
    const actual = measure(judged);
    return { expression, actual, unit, passed: actual !== null && compare(actual, limit) };
  });
}

function latencyMetric(name: string): Metric | undefined {
  const [, figure] = /^latency\.(mean|max|p\d+(?:\.\d+)?)$/.exec(name) ?? [];
  if (figure === undefined) return undefined;
  return duration(({ measurements: { latency } }) => {
    if (latency === null) return null;
    if (figure === 'mean') return latency.meanMs;
    return figure === 'max' ? latency.maxMs : percentileMs(latency, Number(figure.slice(1)));
  });
}

function perSecond(measure: FeedThreshold['measure']): Metric {
  return { unit: 'per-second', read: parseRate, measure };
}

function counted(measure: FeedThreshold['measure']): Metric {
  return { unit: 'count', read: parseCount, measure };
}

function duration(measure: FeedThreshold['measure']): Metric {
  return { unit: 'ms', read: parseDuration, measure };
}

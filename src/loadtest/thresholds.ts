import type { Unit } from '../base/figure.js';
import { parseCount, parseDuration, parseRate, parseShare, ValueError } from '../base/units.js';
import type { AtLeast, Distribution } from './distribution.js';
import { percentileMs } from './distribution.js';
import { timeoutsIn } from './failures.js';
import type { LoadResult, ThresholdResult } from './result.js';

/** The figures that a threshold can use: the parts of a result that exist once it has been measured. */
export type Measured = Pick<LoadResult, 'measurements' | 'pool'>;

/** A user's own criterion: `p99<250ms`, `success>=99%`, `throughput>500/s`. */
export interface Threshold {
  readonly expression: string;
  readonly unit: Unit;
  readonly limit: number;
  readonly compare: (actual: number, limit: number) => boolean;
  /** null where it was not measured */
  readonly measure: (measured: Measured) => number | null;
  /** The distribution that the figure is one of, which may hold lower bounds only. Left out for other figures. */
  readonly distribution?: (measured: Measured) => Distribution;
  /** Whether a busy poolctl makes the figure worse than the target is. */
  readonly disturbed?: boolean;
}

export const COMPARISONS: Readonly<Record<string, Threshold['compare']>> = {
  '<': (actual, limit) => actual < limit,
  '<=': (actual, limit) => actual <= limit,
  '>': (actual, limit) => actual > limit,
  '>=': (actual, limit) => actual >= limit,
};

/** Times: each also with `wait.` or `service.` in front, for that part of the response time. */
const TIME_METRICS = ['mean', 'min', 'max', 'p50', 'p90', 'p95', 'p99', 'p99.9'] as const;
const SCOPES = ['response', 'wait', 'service'] as const;

interface Metric {
  readonly unit: Unit;
  readonly read: (text: string) => number;
  readonly measure: Threshold['measure'];
  readonly distribution?: (measured: Measured) => Distribution;
  readonly disturbed?: boolean;
}

/** Figures that are not times. `errors` and `timeouts` are counts, or shares where the limit has a percent sign. */
const METRICS: Readonly<Record<string, readonly Metric[]>> = {
  throughput: [
    {
      ...{ unit: 'per-second', read: parseRate, disturbed: true },
      measure: (of) => of.measurements.throughputPerSecond,
    },
  ],
  success: [{ unit: 'share', read: parseShare, measure: (of) => of.measurements.successRate }],
  errors: [
    { unit: 'share', read: parseShare, measure: (of) => shareOf(of, of.measurements.failed) },
    { unit: 'count', read: parseCount, measure: (of) => of.measurements.failed },
  ],
  timeouts: [
    { unit: 'share', read: parseShare, measure: (of) => shareOf(of, timeoutsIn(of.measurements)) },
    { unit: 'count', read: parseCount, measure: (of) => timeoutsIn(of.measurements) },
  ],
  iterations: [{ unit: 'count', read: parseCount, measure: (of) => of.measurements.succeeded }],
  waiting: [{ unit: 'count', read: parseCount, measure: (of) => of.pool.figures?.peakWaiting ?? null }],
  overflow: [{ unit: 'count', read: parseCount, measure: (of) => of.pool.figures?.peakOverflow ?? null }],
  created: [{ unit: 'count', read: parseCount, measure: (of) => of.pool.figures?.created ?? null }],
};

/** Reads a threshold. Throws a ValueError that says what is wrong with it and what it should look like. */
export function parseThreshold(expression: string): Threshold {
  const [, name = '', operator = '', limit = ''] =
    /^\s*([^<>=!\s]*)\s*([<>=!]*)\s*(.*?)\s*$/.exec(expression) ?? [];
  if (name === '' || operator === '' || limit === '') {
    throw new ValueError(
      `'${expression}' is not a threshold; write something like p99<250ms or success>=99%`,
    );
  }
  const compare = COMPARISONS[operator];
  if (compare === undefined) {
    throw new ValueError(`'${expression}' compares with '${operator}'; use one of < <= > >=`);
  }
  const metric = timeMetric(name) ?? otherMetric(name, limit);
  if (metric === null) {
    throw new ValueError(
      `'${expression}' is about '${name}', which is not measured; known are ${knownNames()}`,
    );
  }
  try {
    const { read, ...of } = metric;
    return { ...of, expression: expression.trim(), limit: read(limit), compare };
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError(`'${expression}' has a wrong limit: ${error.message}`);
  }
}

/** `ownFault`: how poolctl itself was the limit of the run; null if it was not. */
export function judgeThresholds(
  thresholds: readonly Threshold[],
  measured: Measured,
  ownFault: string | null = null,
): ThresholdResult[] {
  return thresholds.map(({ expression, unit, limit, compare, measure, distribution, disturbed = false }) => {
    const actual = measure(measured);
    const { atLeast } = distribution?.(measured) ?? {};
    const isBound = actual !== null && atLeast !== undefined && isLowerBound(expression, actual, atLeast);
    // A lower bound shows that a limit is exceeded, and never that it is kept.
    const passed =
      actual !== null && compare(actual, limit) && (!isBound || compare(Number.POSITIVE_INFINITY, limit));
    return {
      ...{ expression, actual },
      ...(isBound && { atLeast: true as const }),
      ...{ unit, passed },
      ...(!passed && disturbed && !isBound && ownFault !== null && { notJudged: ownFault }),
    };
  });
}

/** The mean is one as soon as anything was given up; the others from the shortest of those on. */
function isLowerBound(expression: string, actual: number, { fromMs }: AtLeast): boolean {
  return actual >= fromMs || /^\s*(\w+\.)?mean/.test(expression);
}

function timeMetric(name: string): Metric | null {
  const [, scope = 'response', figure = ''] = /^(?:(\w+)\.)?(mean|min|max|p\d+(?:\.\d+)?)$/.exec(name) ?? [];
  const isScope = (text: string): text is (typeof SCOPES)[number] =>
    (SCOPES as readonly string[]).includes(text);
  const pick = figureOf(figure);
  if (pick === null || !isScope(scope)) return null;
  const distribution = ({ measurements }: Measured) => measurements[scope];
  return {
    ...{ unit: 'ms', read: parseDuration, disturbed: true, distribution },
    measure: (measured) => pick(distribution(measured)),
  };
}

function figureOf(name: string): ((distribution: Distribution) => number | null) | null {
  switch (name) {
    case '':
      return null;
    case 'mean':
      return ({ meanMs }) => meanMs;
    case 'min':
      return ({ minMs }) => minMs;
    case 'max':
      return ({ maxMs }) => maxMs;
    default: {
      const digits = name.slice(1);
      // p999 is how some tools write p99.9.
      const percent = Number(/^99\d+$/.test(digits) ? `99.${digits.slice(2)}` : digits);
      return percent > 0 && percent <= 100 ? (distribution) => percentileMs(distribution, percent) : null;
    }
  }
}

function otherMetric(name: string, limit: string): Metric | null {
  const forms = Object.hasOwn(METRICS, name) ? (METRICS[name] ?? []) : [];
  const byUnit =
    forms.length > 1 ? forms.find(({ unit }) => (unit === 'share') === limit.endsWith('%')) : forms[0];
  return byUnit ?? null;
}

function shareOf({ measurements: { succeeded, failed } }: Measured, count: number): number | null {
  return succeeded + failed > 0 ? count / (succeeded + failed) : null;
}

function knownNames(): string {
  return `${TIME_METRICS.join(', ')} (each also as wait.p99 or service.p99), ${Object.keys(METRICS).join(', ')}`;
}

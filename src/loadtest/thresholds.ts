import type { Unit } from '../base/figure.js';
import { parseCount, parseDuration, parseRate, parseShare, ValueError } from '../base/units.js';
import type { Distribution } from './distribution.js';
import { percentileMs } from './distribution.js';
import { timeoutsIn } from './failures.js';
import type { LoadResult, ThresholdResult } from './result.js';

/** What a threshold may look at: the parts of a result that exist once it has been measured. */
export type Measured = Pick<LoadResult, 'measurements' | 'pool'>;

/** A user's own criterion: `p99<250ms`, `success>=99%`, `throughput>500/s`. */
export interface Threshold {
  readonly expression: string;
  readonly unit: Unit;
  readonly limit: number;
  readonly compare: (actual: number, limit: number) => boolean;
  /** null where it was not measured */
  readonly measure: (measured: Measured) => number | null;
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
}

/** What is not a time. `errors` and `timeouts` are counts, or shares where the limit has a percent sign. */
const METRICS: Readonly<Record<string, readonly Metric[]>> = {
  throughput: [{ unit: 'per-second', read: parseRate, measure: (of) => of.measurements.throughputPerSecond }],
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
    return {
      expression: expression.trim(),
      unit: metric.unit,
      limit: metric.read(limit),
      compare,
      measure: metric.measure,
    };
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError(`'${expression}' has a wrong limit: ${error.message}`);
  }
}

export function judgeThresholds(thresholds: readonly Threshold[], measured: Measured): ThresholdResult[] {
  return thresholds.map(({ expression, unit, limit, compare, measure }) => {
    const actual = measure(measured);
    return { expression, actual, unit, passed: actual !== null && compare(actual, limit) };
  });
}

function timeMetric(name: string): Metric | null {
  const [, scope = 'response', figure = ''] = /^(?:(\w+)\.)?(mean|min|max|p\d+(?:\.\d+)?)$/.exec(name) ?? [];
  const isScope = (text: string): text is (typeof SCOPES)[number] =>
    (SCOPES as readonly string[]).includes(text);
  const pick = figureOf(figure);
  if (pick === null || !isScope(scope)) return null;
  return { unit: 'ms', read: parseDuration, measure: ({ measurements }) => pick(measurements[scope]) };
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

import { CodedError } from '../base/coded-error.js';
import type { Unit } from '../base/figure.js';
import { type Random, seededRandom } from '../base/random.js';
import type { LoadResult, Measurements, TimelineRow } from './result.js';

/** How two runs of a load test differ, figure by figure: plain data, the JSON report as it is. */
export interface Comparison {
  readonly schema: 1;
  readonly kind: 'compare';
  readonly before: ComparedRun;
  readonly after: ComparedRun;
  /** The differences between the runs. A comparison is sound if these are intended, and no others exist. */
  readonly differences: readonly Difference[];
  /** Changes for the worse beyond this share of the value before are regressions. */
  readonly tolerance: number;
  readonly confidence: number;
  readonly metrics: readonly MetricChange[];
  /** Ids of the metrics that regressed. */
  readonly regressions: readonly string[];
}

export interface ComparedRun {
  readonly startedAt: string;
  readonly iterations: number;
  readonly elapsedMs: number;
  /** How many stretches of its timeline could be compared. */
  readonly stretches: number;
  readonly partial: boolean;
}

export interface Difference {
  readonly what: string;
  readonly before: string;
  readonly after: string;
}

/** `same` is: no difference was shown. There may be one that is smaller than the spread. */
export type Shift = 'better' | 'worse' | 'same';

export interface MetricChange {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  readonly before: number | null;
  readonly after: number | null;
  /** As a share of the value before, or for shares the difference itself; null where it cannot be told. */
  readonly change: number | null;
  /** Within these limits the change lies, with the confidence of the comparison; null where it cannot be told. */
  readonly interval: readonly [low: number, high: number] | null;
  /** null where it cannot be told; `why` says the reason. */
  readonly shift: Shift | null;
  readonly why: string | null;
  readonly regressed: boolean;
}

export interface CompareOptions {
  /** Default 0.15: two runs on the same machine differ by so much without any cause. */
  readonly tolerance?: number;
  readonly seed?: number;
}

export const DEFAULT_TOLERANCE = 0.15;
const CONFIDENCE = 0.95;
/**
 * Two runs of the same work differ from each other by more than the spread within them shows: caches, neighbors, the
 * layout of memory. Ranges are wider by this much (in logarithms): 15 % for most figures, 28 % for tails and waits.
 */
const BETWEEN_RUNS = { usual: 0.14, unsteady: 0.25 };
const RESAMPLES = 2000;
/** With fewer stretches than this a run says nothing about its own spread. */
const LEAST_STRETCHES = 5;
/** Changes below these are not told, however regular they are: nobody can do anything with them. */
const LEAST_MS = 0.1;
const LEAST_SHARE = 0.001;
/** More failures than before are no matter of tolerance. */
const FAILURE_TOLERANCE = 0.005;

interface Metric {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  readonly higherIsBetter: boolean;
  /** Whether a change for the worse can make the comparison fail; the others explain. */
  readonly gates: boolean;
  /** How much it differs from run to run without any cause, in logarithms; 0 for shares. */
  readonly betweenRuns: number;
  readonly of: (measurements: Measurements) => number | null;
  readonly inStretch: (row: TimelineRow) => number | null;
}

const METRICS: readonly Metric[] = [
  {
    ...{ id: 'throughput', title: 'throughput', unit: 'per-second', higherIsBetter: true, gates: true },
    betweenRuns: BETWEEN_RUNS.usual,
    of: ({ throughputPerSecond }) => throughputPerSecond,
    inStretch: ({ throughputPerSecond }) => throughputPerSecond,
  },
  {
    ...{ id: 'mean', title: 'response mean', unit: 'ms', higherIsBetter: false, gates: true },
    betweenRuns: BETWEEN_RUNS.usual,
    of: ({ response }) => response.meanMs,
    inStretch: ({ meanMs }) => meanMs,
  },
  {
    ...{ id: 'p50', title: 'response p50', unit: 'ms', higherIsBetter: false, gates: true },
    betweenRuns: BETWEEN_RUNS.usual,
    of: ({ response }) => response.p50Ms,
    inStretch: ({ p50Ms }) => p50Ms,
  },
  {
    ...{ id: 'p99', title: 'response p99', unit: 'ms', higherIsBetter: false, gates: true },
    betweenRuns: BETWEEN_RUNS.unsteady,
    of: ({ response }) => response.p99Ms,
    inStretch: ({ p99Ms }) => p99Ms,
  },
  {
    ...{ id: 'wait.mean', title: 'waiting mean', unit: 'ms', higherIsBetter: false, gates: false },
    betweenRuns: BETWEEN_RUNS.unsteady,
    of: ({ wait }) => wait.meanMs,
    inStretch: ({ waitMeanMs }) => waitMeanMs,
  },
  {
    ...{ id: 'wait.p99', title: 'waiting p99', unit: 'ms', higherIsBetter: false, gates: false },
    betweenRuns: BETWEEN_RUNS.unsteady,
    of: ({ wait }) => wait.p99Ms,
    inStretch: ({ waitP99Ms }) => waitP99Ms,
  },
  {
    ...{ id: 'failed', title: 'failed', unit: 'share', higherIsBetter: false, gates: true },
    betweenRuns: 0,
    of: ({ successRate }) => (successRate === null ? null : 1 - successRate),
    inStretch: ({ succeeded, failed }) => (succeeded + failed === 0 ? null : failed / (succeeded + failed)),
  },
];

/**
 * Compares two runs. The change of a figure is that of the whole runs. Its uncertainty comes from the segments of
 * their timelines, by a block bootstrap (Künsch 1989): segments are redrawn in blocks, because slow segments rarely
 * come alone. The usual spread between runs is added. All intervals hold together with the confidence of the
 * comparison (Bonferroni), so two runs of the same work rarely differ in any figure.
 */
export function compareRuns(
  before: LoadResult,
  after: LoadResult,
  { tolerance = DEFAULT_TOLERANCE, seed = 1 }: CompareOptions = {},
): Comparison {
  const metrics = METRICS.map((metric) => changeOf(metric, before, after, tolerance, seededRandom(seed)));
  return {
    schema: 1,
    kind: 'compare',
    before: runOf(before),
    after: runOf(after),
    differences: differencesOf(before, after),
    tolerance,
    confidence: CONFIDENCE,
    metrics,
    regressions: metrics.filter(({ regressed }) => regressed).map(({ id }) => id),
  };
}

/** Why two runs cannot be compared: they did not do the same work, or one of them did not do all of it. */
export function incomparable(
  before: LoadResult,
  after: LoadResult,
  { allowDifferentWork = false }: { readonly allowDifferentWork?: boolean } = {},
): string | null {
  if (before.partial !== null) return 'the run before was interrupted';
  if (after.partial !== null) return 'the run after was interrupted';
  if (allowDifferentWork) return null;
  const different = differencesIn(workOf(before), workOf(after));
  if (different.length === 0) return null;
  const lines = different.map(
    ({ what, before, after }) => `\n  ${what}\n    before: ${before}\n    after:  ${after}`,
  );
  return `the runs did different work:${lines.join('')}`;
}

/** Two results say nothing about each other. */
export class IncomparableError extends CodedError<'ERR_INCOMPARABLE'> {
  constructor(reason: string, hint: string | null) {
    super('ERR_INCOMPARABLE', `cannot compare: ${reason}`, { hint });
    this.name = 'IncomparableError';
  }
}

/** Throws IncomparableError, with every way in which the work of two runs differs. */
export function refuseIncomparable(
  before: LoadResult,
  after: LoadResult,
  options: { readonly allowDifferentWork: boolean },
): void {
  const reason = incomparable(before, after, options);
  if (reason === null) return;
  const isOfWork = incomparable(before, after, { allowDifferentWork: true }) === null;
  throw new IncomparableError(
    reason,
    isOfWork ? 'Pass --allow-different-work to compare them anyway.' : null,
  );
}

/** Settings that must be equal for figures to mean the same. */
function workOf({ workload, wire, http }: LoadResult): Facts {
  const { name, statements } = workload;
  const numbered = statements.map((sql, at) => [`statement ${at + 1} of ${statements.length}`, sql] as const);
  // A single statement has no number, and neither has what is missing in the other run.
  return {
    workload: name,
    engine: engineWords(wire, http),
    ...Object.fromEntries(statements.length === 1 ? [['statement', statements[0]]] : numbered),
  };
}

/** The engine that sent the work: figures with a driver and a pool say nothing beside those of an engine without them. */
function engineWords(wire: LoadResult['wire'], http: LoadResult['http'] | undefined): string {
  if (wire === undefined) return http?.engine ?? 'pool';
  return wire.batch ? 'wire, in batches' : 'wire';
}

function changeOf(
  metric: Metric,
  before: LoadResult,
  after: LoadResult,
  tolerance: number,
  random: Random,
): MetricChange {
  const { id, title, unit, of, inStretch } = metric;
  const [a, b] = [of(before.measurements), of(after.measurements)];
  const untold = { id, title, unit, before: a, after: b, change: null, interval: null, regressed: false };
  if (a === null || b === null) return { ...untold, shift: null, why: 'not measured in both runs' };
  const scale = unit === 'share' ? POINTS : FACTORS;
  const onScale = scale.between(a, b);
  const change = Number.isFinite(onScale) ? scale.toChange(onScale) : null;
  if (Math.abs(b - a) < leastOf(unit))
    return { ...untold, change, shift: 'same', why: 'too small to matter' };
  const [rowsA, rowsB] = [valuesOf(before, inStretch), valuesOf(after, inStretch)];
  const shortest = Math.min(rowsA.length, rowsB.length);
  if (shortest < LEAST_STRETCHES) {
    return { ...untold, change, shift: null, why: `only ${shortest} stretches to judge the spread by` };
  }
  const interval =
    change === null ? null : intervalOf(onScale, rowsA, rowsB, scale, random, metric.betweenRuns);
  if (change === null || interval === null) return { ...untold, change, shift: null, why: 'it was 0' };
  const shift = shiftOf(interval, metric.higherIsBetter);
  const allowed = unit === 'share' ? FAILURE_TOLERANCE : tolerance;
  const regressed = metric.gates && shift === 'worse' && Math.abs(change) > allowed;
  return { ...untold, change, interval, shift, why: null, regressed };
}

function leastOf(unit: Unit): number {
  return unit === 'ms' ? LEAST_MS : unit === 'share' ? LEAST_SHARE : 0;
}

function shiftOf([low, high]: readonly [number, number], higherIsBetter: boolean): Shift {
  if (low <= 0 && high >= 0) return 'same';
  return low > 0 === higherIsBetter ? 'better' : 'worse';
}

/** The values in the stretches, but for a last one that is too short to be like the others. */
function valuesOf(
  { measurements: { timeline } }: LoadResult,
  inStretch: (row: TimelineRow) => number | null,
): number[] {
  return timeline.rows
    .filter(({ lengthMs }) => lengthMs >= timeline.intervalMs / 2)
    .map(inStretch)
    .filter((value) => value !== null);
}

/** How a change is expressed: it is resampled on a scale on which changes add up. */
interface Scale {
  /** The change on that scale; not finite where there is none. */
  between(before: number, after: number): number;
  /** The format of the report. */
  toChange(onScale: number): number;
}

/** Times and rates change by factors. */
const FACTORS: Scale = {
  between: (before, after) => Math.log(after / before),
  toChange: (onScale) => Math.exp(onScale) - 1,
};

/** Shares may well be 0, and change by points. */
const POINTS: Scale = {
  between: (before, after) => after - before,
  toChange: (onScale) => onScale,
};

/**
 * The interval of the change of the whole runs. Its width is that of the change between the means of the stretches,
 * which moves as the figure of the whole run does (a p99 of a second is not that of the run, but in proportion).
 */
function intervalOf(
  wholeRuns: number,
  before: readonly number[],
  after: readonly number[],
  { between, toChange }: Scale,
  random: Random,
  betweenRuns: number,
): [number, number] | null {
  const stretches = between(meanOf(before), meanOf(after));
  const drawn = Array.from({ length: RESAMPLES }, () =>
    between(meanOf(resample(before, random)), meanOf(resample(after, random))),
  )
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  // Factors mean nothing for a figure that was 0 in most stretches.
  if (!Number.isFinite(stretches) || drawn.length < RESAMPLES / 2) return null;
  // Few blocks are less spread than what they were drawn from.
  const blocks = Math.min(before.length, after.length) / blockOf(Math.min(before.length, after.length));
  const small = Math.sqrt(blocks / Math.max(1, blocks - 1));
  const at = (share: number) => {
    const within = ((drawn[Math.round(share * (drawn.length - 1))] ?? stretches) - stretches) * small;
    return toChange(wholeRuns + Math.sign(share - 0.5) * Math.hypot(within, betweenRuns));
  };
  const tail = (1 - CONFIDENCE) / METRICS.length / 2;
  return [at(tail), at(1 - tail)];
}

/** As many values, drawn in blocks of neighbors; the end is joined to the beginning. */
function resample(values: readonly number[], random: Random): number[] {
  const { length } = values;
  const block = blockOf(length);
  const drawn: number[] = [];
  while (drawn.length < length) {
    const from = Math.floor(random() * length);
    for (let i = 0; i < block && drawn.length < length; i++)
      drawn.push(values[(from + i) % length] as number);
  }
  return drawn;
}

function blockOf(length: number): number {
  return Math.ceil(length ** (1 / 3));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function runOf({ startedAt, measurements, partial }: LoadResult): ComparedRun {
  const { succeeded, failed, elapsedMs, timeline } = measurements;
  return {
    startedAt,
    iterations: succeeded + failed,
    elapsedMs,
    stretches: timeline.rows.length,
    partial: partial !== null,
  };
}

/** Notes that a reader needs to judge the changes. */
function differencesOf(before: LoadResult, after: LoadResult): Difference[] {
  const facts = (result: LoadResult): Facts => ({
    ...workOf(result),
    target: result.workload.target,
    load: result.model,
    pipeline: result.wire?.pipeline ?? 1,
    'pool size': result.pool.options.size,
    'max overflow': result.pool.options.maxOverflow,
    'pool timeout in ms': result.pool.options.timeoutMs,
    'recycle in ms': result.pool.options.recycleMs,
    'pre-ping': result.pool.options.prePing,
    seed: result.seed,
    Node: result.environment.node,
    cores: result.environment.cores,
    poolctl: result.environment.poolctl,
  });
  return differencesIn(facts(before), facts(after));
}

type Facts = Readonly<Record<string, unknown>>;

function differencesIn(a: Facts, b: Facts): Difference[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((what) => {
    const [before, after] = [inWords(a[what]), inWords(b[what])];
    if (before === after) return [];
    const from = Math.max(0, firstDifference(before, after) - CONTEXT);
    return [{ what, before: excerpt(before, from), after: excerpt(after, from) }];
  });
}

/** Texts up to this long are shown in full. */
const LONGEST_TEXT = 1000;
const CONTEXT = 100;

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/** A long text from shortly before the place where the two differ. */
function excerpt(text: string, from: number): string {
  if (text.length <= LONGEST_TEXT) return text;
  const part = text.slice(from, from + LONGEST_TEXT);
  return `${from > 0 ? `(from character ${from + 1}) ...` : ''}${part}${from + LONGEST_TEXT < text.length ? '...' : ''}`;
}

function inWords(fact: unknown): string {
  if (typeof fact !== 'object' || fact === null) return String(fact ?? 'none');
  return Object.entries(fact)
    .map(([name, value]) => `${name} ${value ?? 'none'}`)
    .join(', ');
}

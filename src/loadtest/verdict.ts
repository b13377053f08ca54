import { boundedFigure, formatFigure } from '../base/figure.js';
import { formatCount, formatMs, formatRate, formatShare } from '../base/units.js';
import { isAtLeast } from './distribution.js';
import { timeoutsIn } from './failures.js';
import { concurrencyOf } from './models.js';
import type {
  Band,
  Criterion,
  LoadResult,
  Measurements,
  MergedSegments,
  ModelInfo,
  StageRow,
  ThresholdResult,
  Verdict,
} from './result.js';
import { waitTrend } from './wait-trend.js';

/** From this share of iterations on, timeouts of the pool are "many". */
const MANY_TIMEOUTS = 0.01;

/** The figures behind the verdict. */
export interface Judged {
  readonly measurements: Measurements;
  /** Whether an iteration is one simple query: the bar for the mean is for those only. */
  readonly simple: boolean;
  readonly model: ModelInfo;
}

/**
 * Good is a success rate above 99 %, a mean below 50 ms for simple queries, a p95 below 100 ms and a p99 below 500 ms.
 * Bad is a success rate below 95 %, a p99 above 1 s, acquire timeouts in 1 % of the iterations, or waits that rise over
 * the run (see waitTrend): a user notices a second, and a queue that grows does not recover by itself. Everything
 * between is marginal. A stretch in which nothing succeeded counts too. The worst criterion decides.
 */
export function judge({ measurements, simple, model }: Judged): Verdict {
  if (measurements.stages !== null) return withEnding(judgeRamp(measurements.stages), measurements);
  const { successRate, response } = measurements;
  const bound = (name: 'meanMs' | 'p95Ms' | 'p99Ms') => ({ atLeast: isAtLeast(response, name) });
  // The queue has settled once as many have ended as go on side by side.
  const trend = waitTrend(measurements, concurrencyOf(model) ?? 0);
  const criteria = [
    criterion({
      id: 'success',
      title: 'success',
      unit: 'share',
      value: successRate,
      good: 'above 99 %',
      bad: 'below 95 %',
      bandOf: (share) => (share > 0.99 ? 'good' : share < 0.95 ? 'bad' : 'marginal'),
    }),
    criterion({
      id: 'mean',
      title: 'mean',
      unit: 'ms',
      value: response.meanMs,
      ...bound('meanMs'),
      good: 'below 50 ms',
      bandOf: (ms) => (ms < 50 ? 'good' : 'marginal'),
      why: simple ? null : 'counts for simple queries only',
    }),
    criterion({
      id: 'p95',
      title: 'p95',
      unit: 'ms',
      value: response.p95Ms,
      ...bound('p95Ms'),
      good: 'below 100 ms',
      bandOf: (ms) => (ms < 100 ? 'good' : 'marginal'),
    }),
    criterion({
      id: 'p99',
      title: 'p99',
      unit: 'ms',
      value: response.p99Ms,
      ...bound('p99Ms'),
      good: 'below 500 ms',
      bad: 'above 1 s',
      bandOf: (ms) => (ms < 500 ? 'good' : ms > 1000 ? 'bad' : 'marginal'),
    }),
    criterion({
      id: 'timeouts',
      title: 'timeouts',
      unit: 'share',
      value: timeoutShare(measurements),
      good: 'at 0',
      bad: 'from 1 %',
      bandOf: (share) => (share === 0 ? 'good' : share >= MANY_TIMEOUTS ? 'bad' : 'marginal'),
    }),
    criterion({
      id: 'wait-trend',
      title: 'rise of waits',
      unit: 'factor',
      value: trend.factor,
      good: 'below x 2',
      bad: 'if steadily above',
      bandOf: () => (trend.rising ? 'bad' : 'good'),
      why: trend.why,
    }),
    ...(model.kind === 'rate' ? [rateReached(measurements, model.perSecond)] : []),
    ...(model.kind === 'burst' ? [] : outageIn(measurements)),
    ...abandonedIn(measurements),
  ];
  const band = worst(criteria);
  return withEnding({ band, reason: reasonOf(band, criteria), criteria }, measurements);
}

/** A run that did not end by itself says so first; one whose server stopped answering is bad. */
function withEnding(verdict: Verdict, measurements: Measurements): Verdict {
  const ending = endingWords(measurements);
  if (ending === null) return verdict;
  const band = measurements.silentFromMs === null ? verdict.band : 'bad';
  return { ...verdict, band, reason: `${ending} ${verdict.reason}` };
}

/** Whether what arrived was also served: if not, the figures are those of a smaller load than was asked for. */
function rateReached({ started, dropped, endedPerSecond }: Measurements, perSecond: number) {
  return criterion({
    id: 'rate',
    title: 'target rate',
    unit: 'share',
    value: started + dropped === 0 ? null : Math.min(1, endedPerSecond / perSecond),
    good: 'from 95 %',
    bad: 'below 80 %',
    bandOf: (share) => (share >= 0.95 ? 'good' : share < 0.8 ? 'bad' : 'marginal'),
  });
}

const OUTAGE_MS = 1000;
/** A time without a success says nothing where iterations take as long as that. */
const OUTAGE_BY_P99 = 10;
const LONG_OUTAGE = 0.1;

/**
 * The longest time in which nothing succeeded, where something failed. The share of successes hides it: workers that
 * wait for a target that is gone, or try again, begin nothing that could fail.
 */
function outageIn({ timeline, failed, response, elapsedMs }: Measurements): Criterion[] {
  let longestMs = 0;
  let silentMs = 0;
  for (const { succeeded, lengthMs } of timeline.rows) {
    silentMs = succeeded > 0 ? 0 : silentMs + lengthMs;
    longestMs = Math.max(longestMs, silentMs);
  }
  // The success rate says it where nothing succeeded.
  if (failed === 0 || response.p99Ms === null) return [];
  if (longestMs < Math.max(OUTAGE_MS, OUTAGE_BY_P99 * response.p99Ms)) return [];
  return [
    criterion({
      id: 'outage',
      title: 'nothing succeeded for',
      unit: 'ms',
      value: longestMs,
      good: 'below 1 s',
      bad: 'from a tenth of the run',
      bandOf: (ms) => (ms < LONG_OUTAGE * elapsedMs ? 'marginal' : 'bad'),
    }),
  ];
}

/** Iterations that the run did not wait for. Those of an aborted run are not the target's fault. */
function abandonedIn({ abandoned, started, silentFromMs, arrivalsMs, elapsedMs }: Measurements): Criterion[] {
  if (abandoned === 0 || (silentFromMs === null && elapsedMs <= arrivalsMs)) return [];
  return [
    criterion({
      id: 'abandoned',
      title: 'abandoned',
      unit: 'share',
      value: abandoned / started,
      good: 'at 0',
      bad: 'from 1 %, or if the server stopped answering',
      bandOf: (share) => (silentFromMs !== null || share >= MANY_TIMEOUTS ? 'bad' : 'marginal'),
    }),
  ];
}

/** How a run ended that did not end by itself, as a sentence; null if it did. */
export function endingWords(measurements: Measurements): string | null {
  const { abandoned, silentFromMs, drainMs } = measurements;
  const what = `${formatCount(abandoned)} ${abandoned === 1 ? 'iteration was' : 'iterations were'} abandoned`;
  if (silentFromMs !== null) {
    const when = silentFromMs < 0 ? 'during the warm-up' : `after ${formatMs(silentFromMs)}`;
    return `The server stopped answering ${when}; ${what}.`;
  }
  if (abandoned === 0 || drainMs === 0) return null;
  return `${what.charAt(0).toUpperCase()}${what.slice(1)} ${formatMs(drainMs)} after the last one had begun.`;
}

/** A ramp goes up until something breaks: that something broke says nothing, at which rate it did says all. */
function judgeRamp(stages: readonly StageRow[]): Verdict {
  const held = highestHeld(stages);
  const broken = stages.find((stage) => stage.held === false);
  const highest = criterion({
    id: 'held',
    title: 'highest rate held',
    unit: 'per-second',
    value: held?.targetPerSecond ?? (broken === undefined ? null : 0),
    good: 'if any was',
    bad: 'if not even the first was',
    bandOf: (perSecond) => (perSecond > 0 ? 'good' : 'bad'),
  });
  const breaks =
    broken === undefined
      ? 'nothing broke up to there'
      : `at ${formatRate(broken.targetPerSecond)} it broke: ${broken.why}`;
  const reason =
    highest.value === null
      ? 'No step came to its end, so there is nothing to judge.'
      : held === undefined
        ? `Not even the first step was held: ${breaks}.`
        : `${formatRate(held.targetPerSecond)} were held; ${breaks}.${othersHeld(stages, held, broken)}`;
  return { band: highest.band, reason, criteria: [highest] };
}

/** The steps below the highest that held, by their rates: ` Also held: 20/s, 40/s.` */
function othersHeld(stages: readonly StageRow[], highest: StageRow, broken: StageRow | undefined): string {
  const others = stages.filter((stage) => stage.held === true && stage !== highest);
  // All of them held where nothing broke.
  if (broken === undefined || others.length === 0) return '';
  return ` Also held: ${others.map(({ targetPerSecond }) => formatRate(targetPerSecond)).join(', ')}.`;
}

/** The highest step of a ramp that held before one broke. */
export function highestHeld(stages: readonly StageRow[]): StageRow | undefined {
  const end = stages.findIndex(({ held }) => held === false);
  return stages.slice(0, end < 0 ? stages.length : end).findLast(({ held }) => held === true);
}

/** Whether the run counts as passed: by its verdict (with `strict` only if good), and by the user's own thresholds. */
export function hasPassed(
  result: Pick<LoadResult, 'verdict' | 'thresholds'>,
  { strict = false }: { readonly strict?: boolean } = {},
): boolean {
  const { band, notJudged } = result.verdict;
  const bandPassed = band === 'good' || ((band === 'marginal' || notJudged !== undefined) && !strict);
  const thresholdPassed = ({ passed, notJudged }: ThresholdResult) =>
    passed || (notJudged !== undefined && !strict);
  return bandPassed && result.thresholds.every(thresholdPassed);
}

/** Criteria that say something about the target even if poolctl itself was the limit. */
const ABOUT_TARGET = ['success', 'outage', 'abandoned', 'held'];

/**
 * The verdict where poolctl itself was the limit: times then contain waiting inside poolctl, and less load reached the
 * target than was asked for. Failures and a silent server are bad all the same.
 */
export function unjudged(verdict: Verdict, why: string): Verdict {
  const isBad = verdict.criteria.some(({ id, band }) => band === 'bad' && ABOUT_TARGET.includes(id));
  const isSilent = verdict.band === 'bad' && !verdict.criteria.some(({ band }) => band === 'bad');
  if (verdict.band === null || isBad || isSilent) return verdict;
  const reason = `${why}, so the figures do not show what the target can do. ${verdict.reason}`;
  return { ...verdict, band: null, notJudged: why, reason };
}

/** The verdict on a load of which segments are missing: it can never be good, since less load came than was asked for. */
export function withMissing(verdict: Verdict, { missing, count }: MergedSegments): Verdict {
  if (missing.length === 0) return verdict;
  const there = count - missing.length;
  const lack = formatShare(missing.length / count);
  const whole = criterion({
    id: 'segments',
    title: 'segments there',
    unit: 'share',
    value: there / count,
    good: 'at 100 %',
    bad: 'if any is missing',
    bandOf: () => 'bad',
  });
  const { notJudged: _, ...rest } = verdict;
  return {
    ...rest,
    band: 'bad',
    reason: `${there} of ${count} segments: ${lack} of the load is missing. ${verdict.reason}`,
    criteria: [...verdict.criteria, whole],
  };
}

interface Rule extends Pick<Criterion, 'id' | 'title' | 'unit' | 'value' | 'good'> {
  readonly atLeast?: boolean;
  readonly bad?: string;
  readonly bandOf: (value: number) => Band;
  /** Why it does not apply. */
  readonly why?: string | null;
}

/** One criterion, judged. */
export function criterion({ bandOf, bad, why = null, atLeast = false, ...rest }: Rule): Criterion {
  const { value, good } = rest;
  const facts = { ...rest, ...(atLeast && { atLeast: true as const }) };
  const bounds = bad === undefined ? `good ${good}` : `good ${good}, bad ${bad}`;
  if (why !== null || value === null) return { ...facts, bounds, band: null, why: why ?? 'not measured' };
  const band = bandOf(value);
  // The true value is higher, so nothing shows that it is good.
  return { ...facts, bounds, band: atLeast && band === 'good' ? 'marginal' : band, why: null };
}

function worst(criteria: readonly Criterion[]): Band | null {
  // Without one iteration that ended there is nothing to judge, though no timeout was counted either.
  if (criteria.find(({ id }) => id === 'success')?.value === null) return null;
  return worstBand(criteria);
}

/** The worst band of those that apply. */
export function worstBand(criteria: readonly Criterion[]): Band {
  const bands = criteria.map(({ band }) => band);
  return bands.includes('bad') ? 'bad' : bands.includes('marginal') ? 'marginal' : 'good';
}

function reasonOf(band: Band | null, criteria: readonly Criterion[]): string {
  if (band === null) return 'No iteration ended, so there is nothing to judge.';
  if (band === 'good') {
    const figure = (id: string) => {
      const found = criteria.find((each) => each.id === id);
      return found === undefined ? '-' : formatFigure(found.value, found.unit);
    };
    return `${figure('success')} succeeded, 95 % of them within ${figure('p95')} and 99 % within ${figure('p99')}.`;
  }
  const reasons = criteria
    .filter((each) => each.band === band)
    .map(({ title, bounds, ...figure }) => `${title} ${boundedFigure(figure)} (${bounds})`);
  return `${reasons.join('; ')}.`;
}

function timeoutShare(measurements: Measurements): number | null {
  const ended = measurements.succeeded + measurements.failed;
  return ended > 0 ? timeoutsIn(measurements) / ended : null;
}

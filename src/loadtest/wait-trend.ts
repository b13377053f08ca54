import type { Measurements } from './result.js';

/** Less than this is noise, however large the factor. */
const LEAST_RISE_MS = 10;
const RISING_FACTOR = 2;
/** Shorter waits count as this long for the factor: from 2 us to 20 us is no tenfold rise that anybody feels. */
const LEAST_WAIT_MS = 1;
/** Shorter stretches than this swing by themselves, and each like the one before it: that is no trend either. */
const POINT_MS = 500;
const LEAST_POINTS = 6;
const LEAST_BURSTS = 5;
/** In standard deviations: one in forty runs without any trend seems to have such a one. */
const CLEAR_TREND = 2;
/** Each of them is compared with each other: a run of days has its seconds put together first. */
const MOST_POINTS = 300;

export interface WaitTrend {
  /** Mean wait for the pool in the last third of the run, by that in the first; null if it cannot be told. */
  readonly factor: number | null;
  readonly rising: boolean;
  /** Why it cannot be told; null if it can. */
  readonly why: string | null;
}

/**
 * Whether the time that iterations wait for the pool rises over the run: what a leak, or a target that gets slower
 * and slower, does to it. Waits rise if those of the last third are at least twice as long as those of the first,
 * and at least 10 ms longer, and if it goes up all along the way, so that one slow moment is no trend. Left out is the
 * start, until as many iterations have ended as go on side by side, since the queue only builds up there. With bursts,
 * whole bursts are compared: within each of them waits rise by nature.
 */
export function waitTrend(measurements: Measurements, concurrency: number): WaitTrend {
  const { bursts } = measurements;
  const points =
    bursts === null
      ? settledPoints(measurements, concurrency)
      : bursts.map(({ waitMeanMs, size, failed }) => ({ waitMeanMs, weight: size - failed }));
  const measured = points.filter(({ waitMeanMs, weight }) => waitMeanMs !== null && weight > 0);
  const least = bursts === null ? LEAST_POINTS : LEAST_BURSTS;
  if (measurements.wait.count === 0) return { factor: null, rising: false, why: 'no waits were measured' };
  if (measured.length < least) return { factor: null, rising: false, why: 'the run is too short to tell' };

  const third = measured.length / 3;
  const first = weightedMean(measured.slice(0, Math.round(third)));
  const last = weightedMean(measured.slice(Math.round(2 * third)));
  const factor = Math.max(last, LEAST_WAIT_MS) / Math.max(first, LEAST_WAIT_MS);
  const rising =
    factor >= RISING_FACTOR &&
    last - first >= LEAST_RISE_MS &&
    trendOf(means(measured, MOST_POINTS)) >= CLEAR_TREND;
  return { factor, rising, why: null };
}

interface Point {
  readonly waitMeanMs: number | null;
  readonly weight: number;
}

function settledPoints({ timeline }: Measurements, concurrency: number): Point[] {
  let ended = 0;
  const rows: Point[] = [];
  for (const { succeeded, failed, waitMeanMs } of timeline.rows) {
    // No mean exists where nothing succeeded.
    if (ended >= concurrency && waitMeanMs !== null) rows.push({ waitMeanMs, weight: succeeded });
    ended += succeeded + failed;
  }
  return inGroups(rows, Math.ceil(POINT_MS / timeline.intervalMs)).map((group) => ({
    waitMeanMs: weightedMean(group),
    weight: group.reduce((sum, { weight }) => sum + weight, 0),
  }));
}

/** The mean of each point, or of several together if there are more than `most`. */
function means(points: readonly Point[], most: number): number[] {
  return inGroups(points, Math.ceil(points.length / most)).map(weightedMean);
}

function inGroups<T>(list: readonly T[], size: number): T[][] {
  const groups = Math.ceil(list.length / size);
  return Array.from({ length: groups }, (_, at) => list.slice(at * size, (at + 1) * size));
}

function weightedMean(points: readonly Point[]): number {
  const weight = points.reduce((sum, point) => sum + point.weight, 0);
  return points.reduce((sum, point) => sum + (point.waitMeanMs ?? 0) * point.weight, 0) / weight;
}

/**
 * The test of Mann and Kendall for a trend upwards: of all pairs, how many more rise than fall, in standard deviations
 * of what chance does.
 */
function trendOf(values: readonly number[]): number {
  const n = values.length;
  let surplus = 0;
  values.forEach((later, at) => {
    for (const earlier of values.slice(0, at)) surplus += Math.sign(later - earlier);
  });
  return (surplus - 1) / Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
}

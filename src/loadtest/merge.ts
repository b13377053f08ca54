import { CodedError } from '../base/coded-error.js';
import { formatMs, formatShare } from '../base/units.js';
import { advise } from './advice.js';
import { Aggregator } from './aggregate.js';
import { judgeBottleneck, ownLimit } from './bottleneck.js';
import { mergeHttp } from './http/merge.js';
import { busiestOf, mergePool, mergeServer, mergeWarmup, mergeWire } from './merge-figures.js';
import { createModel } from './models.js';
import type { LoadResult, Measurements, MergedSegments, SegmentPart, SegmentRow } from './result.js';
import { judgeThresholds, parseThreshold, type Threshold } from './thresholds.js';
import { judge, unjudged, withMissing } from './verdict.js';

/** Rates of segments that ran beside each other for less of the time add up to no rate. */
const LEAST_OVERLAP = 0.9;

/** The result of a segment, and its name in messages: that of its file, or of its agent. */
export interface NamedResult {
  readonly name: string;
  readonly result: LoadResult;
}

export interface MergeOptions {
  /** Beside those that the segments were run with. */
  readonly thresholds?: readonly Threshold[];
  /**
   * Whether one coordinator has started all segments at once. A fast segment may then end long before a slow one, as with
   * a number of iterations. Default false: results whose times differ are refused.
   */
  readonly startedTogether?: boolean;
}

/** Results that are not the segments of one load. */
export class MergeError extends CodedError<'ERR_MERGE'> {
  constructor(reason: string, hint: string | null = null) {
    super('ERR_MERGE', `cannot merge: ${reason}`, { hint, multiline: reason.includes('\n') });
    this.name = 'MergeError';
  }
}

/**
 * Makes the result of the whole load of those of its segments: counts and histograms are added, and the verdict and the
 * thresholds are judged anew. Throws a MergeError for results that do not belong together: of other options or another
 * run, two of one segment, or of different times. A segment that is missing is reported, and the verdict is then bad.
 */
export function mergeSegments(
  named: readonly NamedResult[],
  { thresholds = [], startedTogether = false }: MergeOptions = {},
): LoadResult {
  const parts = named.map(({ name, result }) => ({ name, result, segment: segmentOf(name, result) }));
  parts.sort((a, b) => a.segment.index - b.segment.index);
  const [first] = parts;
  if (first === undefined) throw new MergeError('there is no result');
  parts.forEach((part, at) => {
    refuseStranger(first, part);
    refuseDouble(parts[at - 1], part);
  });
  const overlap = overlapOf(parts, startedTogether ? 0 : LEAST_OVERLAP);

  const { result } = first;
  const { model, workload } = result;
  const startedAtMs = Math.min(...parts.map(({ segment }) => segment.startedAtMs));
  const shifted = parts.map((part) => ({ ...part, shiftMs: part.segment.startedAtMs - startedAtMs }));
  const measurements = measurementsOf(shifted, model);
  const rows = shifted.map(rowOf);
  const client = busiestOf(parts.map(({ result: { client }, segment: { host } }) => ({ client, host })));
  const pool = {
    options: result.pool.options,
    figures: mergePool(parts.map((part) => part.result.pool.figures)),
  };
  const http = mergeHttp(shifted.map((part) => ({ http: part.result.http, shiftMs: part.shiftMs })));
  const wire = mergeWire(parts.map((part) => part.result.wire));
  const server = mergeServer(parts.map((part) => part.result.server));
  const observed = { measurements, model, pool, http, server, workload, client };
  const limited = rows.find((row) => row.ownLimit !== null);
  const ownFault =
    limited === undefined
      ? null
      : `in segment ${limited.index} of ${first.segment.count} ${limited.ownLimit}`;
  const segments: MergedSegments = {
    runId: first.segment.runId,
    optionsHash: first.segment.optionsHash,
    count: first.segment.count,
    missing: missingOf(parts),
    overlap,
    rows,
  };
  const asMeasured = judge({ measurements, simple: workload.simple, model });
  const judged = ownFault === null ? asMeasured : unjudged(asMeasured, upper(ownFault));
  const verdict = withMissing(judged, segments);
  const bottleneck = judgeBottleneck(observed);
  const partials = parts.map((part) => part.result.partial);
  const partial = partials.find((one) => one === 'aborted') ?? partials.find((one) => one !== null) ?? null;
  const whole = { ...observed, partial, verdict, client: { ...client, bottleneck } };
  const { environment, seed, limits } = result;
  const own = first.segment.thresholds.map(parseThreshold);
  return {
    schema: 1,
    kind: 'loadtest',
    startedAt: new Date(startedAtMs).toISOString(),
    environment,
    workload,
    model,
    limits,
    warmup: mergeWarmup(parts.map((part) => part.result.warmup)),
    seed,
    partial,
    verdict,
    thresholds: judgeThresholds([...own, ...thresholds], { measurements, pool }, ownFault),
    measurements,
    pool,
    http,
    ...(wire && { wire }),
    server,
    client: whole.client,
    advice: advise({ ...whole, pools: parts.length }),
    segments,
  };
}

interface Part extends NamedResult {
  readonly segment: SegmentPart;
}

function segmentOf(name: string, { segment }: LoadResult): SegmentPart {
  if (segment !== undefined) return segment;
  throw new MergeError(
    `${name} is the result of a whole load, not of a segment`,
    "Make segments with 'poolctl loadtest --segment 1/4', or run the whole on agents with --agents.",
  );
}

function refuseStranger(first: Part, part: Part): void {
  const [a, b] = [first.segment, part.segment];
  if (part === first) return;
  const lines = differencesOf(first, part).map((line) => `\n  ${line}`);
  if (lines.length > 0)
    throw new MergeError(`${first.name} and ${part.name} ran with different options:${lines.join('')}`);
  if (a.runId !== b.runId) {
    throw new MergeError(
      `${first.name} and ${part.name} are of different runs: ${a.runId} and ${b.runId}`,
      'Pass the results of one run only.',
    );
  }
}

/** `before` is the part with the next lower number, if there is one. */
function refuseDouble(before: Part | undefined, part: Part): void {
  const { index, count } = part.segment;
  if (before?.segment.index !== index) return;
  throw new MergeError(
    `${before.name} and ${part.name} are both segment ${index} of ${count}`,
    'A segment that ran twice was another load. Repeat the run, and switch retries off.',
  );
}

/** The differences, a line each: of the options, and of what only the target showed, such as the statements. */
function differencesOf(first: Part, part: Part): string[] {
  const [a, b] = [factsOf(first), factsOf(part)];
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names
    .filter((name) => a[name] !== b[name])
    .map((name) => `${name}: ${a[name] ?? 'not given'} and ${b[name] ?? 'not given'}`);
}

function factsOf({ segment, result }: Part): Readonly<Record<string, string>> {
  const { model, workload, pool, seed, limits } = result;
  return {
    segments: String(segment.count),
    ...segment.options,
    load: JSON.stringify([model, limits, seed]),
    work: [workload.name, ...workload.statements].join('; '),
    pool: JSON.stringify(pool.options),
    'hash of the options': segment.optionsHash,
  };
}

/** The share of the longest arrivals in which all segments had arrivals. Throws if it is too small. */
function overlapOf(parts: readonly Part[], least: number): number {
  const starts = parts.map(({ segment }) => segment.startedAtMs);
  const ends = parts.map(({ segment }) => segment.arrivalsEndedAtMs);
  const lengths = parts.map(({ segment }) => segment.arrivalsEndedAtMs - segment.startedAtMs);
  const longest = Math.max(...lengths);
  if (longest <= 0) return 1;
  const common = Math.max(0, Math.min(...ends) - Math.max(...starts));
  const overlap = common / longest;
  if (overlap >= least) return overlap;
  const late = parts[starts.indexOf(Math.max(...starts))];
  const early = parts[ends.indexOf(Math.min(...ends))];
  const who = [
    ...(Math.max(...starts) > Math.min(...starts) ? [`${late?.name} began last`] : []),
    ...(Math.max(...ends) > Math.min(...ends) ? [`${early?.name} ended first`] : []),
  ];
  throw new MergeError(
    `the segments ran at different times: together for ${formatMs(common)} of ${formatMs(longest)} ` +
      `(${formatShare(overlap, 0)}, at least ${formatShare(least, 0)} is needed). ${who.join(', ')}`,
    'Start them at once, with --start-at, and limit the run with --duration.',
  );
}

function missingOf(parts: readonly Part[]): number[] {
  const [first] = parts;
  const there = new Set(parts.map(({ segment }) => segment.index));
  const all = Array.from({ length: first?.segment.count ?? 0 }, (_, at) => at + 1);
  return all.filter((index) => !there.has(index));
}

interface Shifted extends Part {
  readonly shiftMs: number;
}

function measurementsOf(parts: readonly Shifted[], model: LoadResult['model']): Measurements {
  const aggregator = new Aggregator(createModel(model));
  for (const { name, segment, shiftMs } of parts) {
    try {
      aggregator.absorb(segment.record, shiftMs);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
      throw new MergeError(`${name} is damaged: ${error.message}`);
    }
  }
  const all = parts.map(({ result, shiftMs }) => ({ of: result.measurements, shiftMs }));
  const sum = (count: 'started' | 'abandoned' | 'dropped') =>
    all.reduce((total, { of }) => total + of[count], 0);
  const latest = (time: 'elapsedMs' | 'arrivalsMs') =>
    Math.max(...all.map(({ of, shiftMs }) => of[time] + shiftMs));
  const silences = all.flatMap(({ of: { silentFromMs }, shiftMs }) =>
    silentFromMs === null ? [] : [silentFromMs + shiftMs],
  );
  return aggregator.finish({
    elapsedMs: latest('elapsedMs'),
    arrivalsMs: latest('arrivalsMs'),
    started: sum('started'),
    abandoned: sum('abandoned'),
    dropped: sum('dropped'),
    silentFromMs: silences.length === 0 ? null : Math.min(...silences),
  });
}

function rowOf({ segment, result, shiftMs }: Shifted): SegmentRow {
  const { index, host, lateMs, clockOffsetMs } = segment;
  const { measurements, client, partial } = result;
  const { started, succeeded, failed, dropped, abandoned, throughputPerSecond, response, wait } =
    measurements;
  return {
    ...{ index, host, shiftMs, lateMs, clockOffsetMs },
    ...{ started, succeeded, failed, dropped, abandoned, throughputPerSecond },
    ...{ p50Ms: response.p50Ms, p99Ms: response.p99Ms, waitP99Ms: wait.p99Ms },
    ...{ loopBusy: client.loopBusy, cpuCores: client.cpuCores },
    ownLimit: ownLimit(result, client.bottleneck),
    partial,
  };
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

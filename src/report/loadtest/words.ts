import { boundedFigure } from '../../base/figure.js';
import { formatCount, formatDuration, formatMs, formatRate, formatSize } from '../../base/units.js';
import type { Distribution, FigureName } from '../../loadtest/distribution.js';
import type { Band, LoadResult, PoolInfo, ThresholdResult, Verdict } from '../../loadtest/result.js';

export const BAND_WORDS: Readonly<Record<Band, string>> = { good: 'GOOD', marginal: 'MARGINAL', bad: 'BAD' };

/** The verdict in a word or two. */
export function headlineOf({ band, notJudged }: Verdict): string {
  return band !== null ? BAND_WORDS[band] : notJudged === undefined ? 'NONE' : 'NOT JUDGED';
}

/** The result of a threshold: the word, and the figure. */
export function thresholdWords({ actual, passed, notJudged, ...rest }: ThresholdResult) {
  const word = passed ? 'passed' : notJudged === undefined ? 'FAILED' : 'not judged';
  const figure = actual === null ? null : boundedFigure({ ...rest, value: actual });
  return { word, figure, why: notJudged ?? null };
}

/** A time as people read it; a lower bound has `>=` in front. */
export function timeWords(distribution: Distribution, name: FigureName): string {
  return `${distribution.atLeast?.figures.includes(name) ? '>=' : ''}${formatMs(distribution[name])}`;
}

/** The meaning of `>=`; null where every time is exact. */
export function atLeastWords({ response }: LoadResult['measurements']): string | null {
  const { atLeast } = response;
  if (atLeast === undefined) return null;
  const what = atLeast.count === 1 ? '1 iteration was' : `${formatCount(atLeast.count)} iterations were`;
  return `">=" means at least: ${what} given up after ${formatMs(atLeast.fromMs)} or more, so the true times are longer.`;
}

export const PARTIAL_WORDS: Readonly<Record<NonNullable<LoadResult['partial']>, string>> = {
  interrupted: 'interrupted before its end; the figures are those of what had ended by then.',
  aborted: 'aborted; what was under way was abandoned.',
};

/** The work that was done, and its amount, in a line; `emphasis` marks the figure that counts. */
export function summaryWords(
  { measurements, model }: LoadResult,
  emphasis: (text: string) => string = (text) => text,
): string {
  const ended = measurements.succeeded + measurements.failed;
  const isDrained = isLongDrain(measurements, model);
  const lengthMs = isDrained ? measurements.arrivalsMs : measurements.elapsedMs;
  return [
    `${counted(ended, 'iteration')} in ${formatMs(lengthMs)}`,
    ...(ended === 0 ? [] : [`${emphasis(formatRate(measurements.throughputPerSecond))} succeeded`]),
    ...(measurements.failed > 0 ? [`${formatCount(measurements.failed)} failed`] : []),
    ...(measurements.dropped > 0 ? [`${formatCount(measurements.dropped)} dropped`] : []),
    ...(measurements.abandoned > 0 ? [`${formatCount(measurements.abandoned)} abandoned`] : []),
    ...(isDrained ? [`then ${formatMs(measurements.drainMs)} to drain`] : []),
  ].join(', ');
}

/** Whether the drain has a line of its own: workers and bursts always take one response time more. */
function isLongDrain(
  { drainMs, arrivalsMs, response, abandoned }: LoadResult['measurements'],
  { kind }: LoadResult['model'],
): boolean {
  const isSteady = kind === 'rate' || kind === 'ramp';
  const isUnusual = isSteady || abandoned > 0 || drainMs > 2 * (response.p99Ms ?? 0);
  return isUnusual && drainMs >= 100 && drainMs >= 0.02 * arrivalsMs;
}

/** The engine that sent the load, and what it counted; null for the default one. */
export function engineWords({ wire }: LoadResult): string | null {
  if (wire === undefined) return null;
  const { pipeline, batch, tls, statements, rows, bytesSent, bytesReceived } = wire;
  const depth =
    pipeline === 1
      ? ''
      : `, pipeline of ${formatCount(pipeline)} with ${batch ? 'one Sync (a transaction) for all' : 'a Sync for each'}`;
  return (
    `wire${depth}${tls ? ', TLS' : ''}: ${counted(statements, 'statement')}, ${counted(rows, 'row')} (not decoded), ` +
    `${formatSize(bytesSent)} sent, ${formatSize(bytesReceived)} received`
  );
}

export function poolWords({
  pool: { options, figures },
  http,
  workload,
  wire,
  segments,
}: LoadResult): string {
  if (wire !== undefined) {
    const from = options.profile === null ? '' : ` (profile ${options.profile})`;
    return `${counted(wire.connections, 'connection')} of the wire engine, timeout ${formatDuration(options.timeoutMs)}${from}`;
  }
  // How it is set up is the target's own affair.
  if (workload.name === 'module') {
    const size = figures?.size ?? null;
    return size === null ? 'of the target' : `of the target, ${counted(size, 'resource')} at most`;
  }
  if (http?.autocannon)
    return `none: ${counted(http.autocannon.connections, 'connection')} of autocannon's own`;
  if (figures === null) return 'none';
  const count = segments?.rows.length ?? 1;
  return count === 1
    ? poolInfoWords(options)
    : `${poolInfoWords(options)}, in each of ${count} segments${totalWords(options, count)}`;
}

/** The connections that all pools may open together. */
function totalWords({ size, maxOverflow, http }: PoolInfo, count: number): string {
  if (size === 0 || maxOverflow < 0) return '';
  return `: ${counted(count * (size + (http === undefined ? maxOverflow : 0)), 'connection')} in all`;
}

export function poolInfoWords(options: PoolInfo): string {
  const { profile, size, maxOverflow, timeoutMs, recycleMs, prePing, http } = options;
  const from = profile === null ? '' : ` (profile ${profile})`;
  if (http !== undefined) {
    const retries = http.retries === null ? 'no retries' : counted(http.retries, 'retry', 'retries');
    return (
      `${counted(size, 'connection')}, ${http.maxKeepalive} kept for ${formatDuration(http.keepaliveExpiryMs)} when idle, ` +
      `timeout ${formatDuration(timeoutMs)}, ${retries}, ${http.breaker ? '' : 'no '}circuit breaker${http.http2 ? ', HTTP/2' : ''}${from}`
    );
  }
  const overflow = maxOverflow < 0 ? 'unlimited' : maxOverflow;
  return (
    `${size === 0 ? 'unlimited' : size} + ${overflow} overflow, timeout ${formatDuration(timeoutMs)}, recycle ${formatDuration(recycleMs)}, ` +
    `${prePing ? '' : 'no '}pre-ping${from}`
  );
}

export function loadWords({ model, limits, warmup, seed }: LoadResult): string {
  const what = modelWords(model, limits);
  const before = warmup === null ? 'no warm-up' : `after ${formatCount(warmup.iterations)} to warm up`;
  return `${what}, ${before}; seed ${seed}`;
}

export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** How the load arrives, and until when. */
export function modelWords(model: LoadResult['model'], limits: LoadResult['limits']): string {
  const duration = limits.durationMs === null ? null : `for ${formatDuration(limits.durationMs)}`;
  const iterations = limits.iterations === null ? null : `${formatCount(limits.iterations)} iterations`;
  const until = [iterations, duration].filter((part) => part !== null).join(' or ');
  switch (model.kind) {
    case 'closed':
      return `${counted(model.workers, 'worker')}, ${until}`;
    case 'burst': {
      const bursts = `${model.count === null ? 'bursts' : counted(model.count, 'burst')} of ${formatCount(model.size)}`;
      const every = `one every ${formatDuration(model.intervalMs)}`;
      return [bursts, every, ...(duration === null ? [] : [duration])].join(', ');
    }
    case 'rate':
      return `${formatRate(model.perSecond)} by the clock, ${until}, at most ${formatCount(model.maxInFlight)} under way`;
    case 'ramp':
      return (
        `${formatRate(model.fromPerSecond)} to ${formatRate(model.toPerSecond)} in steps of ` +
        `${formatRate(model.stepPerSecond)}, ${formatDuration(model.stepMs)} each`
      );
  }
}

/** Whether poolctl itself began iterations so much later than due that it shows in the response times. */
export function isLate({ lag }: LoadResult['measurements']): boolean {
  return (lag.meanMs ?? 0) >= 0.05;
}

/** The sum of those that were measured; null if none was. */
export function sumOf(...values: readonly (number | null)[]): number | null {
  const measured = values.filter((value) => value !== null);
  return measured.length === 0 ? null : measured.reduce((sum, value) => sum + value, 0);
}

import { boundedFigure } from '../../base/figure.js';
import { formatCount, formatDuration, formatMs, formatRate, formatShare } from '../../base/units.js';
import type { Distribution, FigureName } from '../../loadtest/distribution.js';
import type { LoadResult, ServerSample, TimelineRow } from '../../loadtest/result.js';
import { columnChart, escapeXml, lineChart, type Series } from '../svg.js';
import { histogramRows } from './histogram.js';
import { httpFacts } from './http.js';
import { SEGMENT_COLUMNS, segmentRemark, segmentWords } from './segments.js';
import { serverFacts } from './server.js';
import { STAGE_COLUMNS, stageWord } from './stages.js';
import { STYLE } from './style.js';
import {
  atLeastWords,
  BAND_WORDS,
  engineWords,
  headlineOf,
  isLate,
  loadWords,
  PARTIAL_WORDS,
  poolWords,
  summaryWords,
  sumOf,
  thresholdWords,
  timeWords,
} from './words.js';

/** One file with everything in it: it loads nothing and runs nothing, so it can be mailed and kept. */
export function renderHtml(result: LoadResult): string {
  const { verdict, workload, startedAt } = result;
  const band = verdict.band ?? 'none';
  const title = `Load test: ${verdict.band !== null ? BAND_WORDS[verdict.band] : verdict.notJudged === undefined ? 'no verdict' : 'not judged'}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header class="${band}">
<h1>${escapeXml(headlineOf(verdict))}</h1>
<p>${escapeXml(verdict.reason)}</p>
<p class="faint">${escapeXml(summaryWords(result))}</p>
${result.partial === null ? '' : `<p><strong>Partial:</strong> ${escapeXml(PARTIAL_WORDS[result.partial])}</p>`}
</header>
<main>
${[
  section('What was tested', facts(result)),
  section('Response time', times(result), percentiles(result), histogram(result.measurements.response)),
  section('Over time', ...course(result)),
  section('Steps', stages(result)),
  section('Bursts', bursts(result)),
  section('Segments', segments(result)),
  section('Errors', errors(result)),
  section('Criteria', criteria(result)),
  section('Connections', connections(result)),
  section('Server', server(result), serverCourse(result)),
  section('What limited it', bottleneck(result)),
  section('What to try next', advice(result)),
]
  .filter((text) => text !== '')
  .join('\n')}
</main>
<footer>poolctl ${escapeXml(result.environment.poolctl ?? '')}, ${escapeXml(startedAt)}, ${escapeXml(workload.name)}</footer>
</body>
</html>
`;
}

/** Nothing where there is nothing to show. */
function section(title: string, ...parts: readonly string[]): string {
  const shown = parts.filter((part) => part !== '');
  return shown.length === 0 ? '' : `<section><h2>${escapeXml(title)}</h2>\n${shown.join('\n')}\n</section>`;
}

function facts(result: LoadResult): string {
  const { workload, environment } = result;
  const engine = engineWords(result);
  const where = segmentWords(result);
  const rows = [
    ['target', workload.target],
    ['work', workload.name === 'sql' ? workload.work : `${workload.name}: ${workload.work}`],
    ...workload.statements.map((sql, at) => [at === 0 ? 'statements' : '', sql]),
    ...(engine === null ? [] : [['engine', engine]]),
    ['pool', poolWords(result)],
    ['load', loadWords(result)],
    ...(where === null ? [] : [['segments', where]]),
    ['on', [environment.platform, environment.node, cores(environment.cores)].filter(Boolean).join(', ')],
  ];
  const cells = rows.map(([name = '', text = '']) => {
    const value = name === 'statements' || name === '' ? `<code>${escapeXml(text)}</code>` : escapeXml(text);
    return `<tr><th>${escapeXml(name)}</th><td>${value}</td></tr>`;
  });
  return `<table class="facts">${cells.join('')}</table>`;
}

function segments({ segments }: LoadResult): string {
  if (segments === undefined) return '';
  return table(
    [...SEGMENT_COLUMNS.map(({ title }) => title), ''],
    segments.rows.map((row) => [...SEGMENT_COLUMNS.map(({ cell }) => cell(row)), segmentRemark(row) ?? '']),
  );
}

function cores(count: number | null): string {
  return count === null ? '' : `${count} ${count === 1 ? 'core' : 'cores'}`;
}

const TIMES: readonly FigureName[] = ['meanMs', 'p50Ms', 'p90Ms', 'p95Ms', 'p99Ms', 'p999Ms', 'maxMs'];

function times({ measurements }: LoadResult): string {
  const { response, wait, service, failure } = measurements;
  if (response.count + failure.count === 0) return '';
  const rows: [string, Distribution][] = [
    ['response', response],
    ...(isLate(measurements)
      ? [['started late by poolctl', measurements.lag] as [string, Distribution]]
      : []),
    ['waiting for the pool', wait],
    ['being served', service],
    ...(failure.count > 0 ? [['failed', failure] as [string, Distribution]] : []),
  ];
  const cells = rows.map(([label, of]) => [label, ...TIMES.map((name) => timeWords(of, name))]);
  const bound = atLeastWords(measurements);
  const note = bound === null ? '' : `<p>${escapeXml(bound)}</p>`;
  return table(['', 'mean', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'], cells) + note;
}

/** As far as there are iterations to tell by, and no further than p99.99. */
function percentiles({ measurements: { response, wait, service } }: LoadResult): string {
  const line = (name: string, style: string, of: Distribution): Series => ({
    name,
    style,
    points: Array.from({ length: NINES * PER_NINE + 1 }, (_, at) => at / PER_NINE)
      .filter((nines) => of.count > 0 && (nines === 0 || 10 ** nines <= of.count))
      .map((nines) => [nines, timeAt(of, percentOf(nines))]),
  });
  const series = [
    line('response', 'one', response),
    ...(wait.count > 0 ? [line('waiting for the pool', 'three', wait)] : []),
    ...(service.count > 0 ? [line('being served', 'two', service)] : []),
  ];
  const label = (nines: number) => (nines === 0 ? 'fastest' : `p${Number(percentOf(nines).toPrecision(4))}`);
  const title = 'Response time by percentile';
  const detail = ({ name }: Series, nines: number, ms: number) => {
    const of = name === 'response' ? response : name === 'being served' ? service : wait;
    const bound = of.atLeast !== undefined && ms >= of.atLeast.fromMs ? 'at least ' : '';
    return `${name}, ${label(nines)}: ${bound}${formatMs(ms)}`;
  };
  return figure(title, lineChart(series, { title, x: label, y: formatMs, detail }), series);
}

/** The axis of percentiles: 1 is p90, 2 is p99, up to p99.99. */
const NINES = 4;
const PER_NINE = 20;

function timeAt({ count, minMs, maxMs, bucketsUs }: Distribution, percent: number): number | null {
  let seen = 0;
  for (const [upToUs, n] of bucketsUs) {
    seen += n;
    if (seen >= (percent / 100) * count) return Math.max(minMs ?? 0, Math.min(upToUs / 1000, maxMs ?? 0));
  }
  return maxMs;
}

function percentOf(nines: number): number {
  return nines === 0 ? 0.000_001 : 100 * (1 - 10 ** -nines);
}

function histogram(distribution: Distribution): string {
  const columns = histogramRows(distribution, { finest: true }).map(({ upToMs, count }) => ({
    label: formatMs(upToMs),
    value: count / distribution.count,
    detail: `up to ${formatMs(upToMs)}: ${formatCount(count)}, ${formatShare(count / distribution.count)}`,
  }));
  const title = 'Response times, by their share of all';
  return figure(title, columnChart(columns, { title, y: (share) => formatShare(share, 0) }));
}

function course({ measurements: { timeline } }: LoadResult): string[] {
  const whole = timeline.rows.filter(({ lengthMs }) => lengthMs >= timeline.intervalMs / 2);
  if (whole.length < 3) return [];
  const line = (name: string, style: string, value: (row: TimelineRow) => number | null): Series => ({
    name,
    style,
    points: whole.map((row) => [row.atMs, value(row)]),
  });
  const chart = (title: string, y: (value: number) => string, ...series: readonly Series[]) =>
    figure(title, lineChart(series, { title, x: (ms) => formatDuration(ms), y }), series);
  return [
    chart(
      'Throughput',
      formatRate,
      line('succeeded', 'one', (row) => row.throughputPerSecond),
      ...(whole.some(({ failed }) => failed > 0)
        ? [line('failed', 'bad', ({ failed, lengthMs }) => (failed / lengthMs) * 1000)]
        : []),
    ),
    chart(
      'Response time',
      formatMs,
      line('p50', 'one', (row) => row.p50Ms),
      line('p99', 'two', (row) => row.p99Ms),
      line('p99 of waiting for the pool', 'three', (row) => row.waitP99Ms),
    ),
    chart(
      'Iterations waiting for a connection',
      (value) => formatCount(value),
      line('waiting', 'three', (row) => row.waiting),
    ),
  ];
}

function figure(title: string, svg: string, series: readonly Series[] = []): string {
  if (svg === '') return '';
  // One without a point has no line, so a key to it would explain nothing.
  const drawn = series.filter(({ points }) => points.some(([, y]) => y !== null));
  const legend = drawn
    .map(({ name, style }) => `<span class="key ${style}">${escapeXml(name)}</span>`)
    .join('');
  return `<figure><figcaption>${escapeXml(title)}${drawn.length > 1 ? legend : ''}</figcaption>${svg}</figure>`;
}

function bursts({ measurements }: LoadResult): string {
  if (measurements.bursts === null) return '';
  const rows = measurements.bursts.map((row) => [
    String(row.index + 1),
    formatMs(row.atMs),
    formatCount(row.size),
    formatCount(row.failed),
    ...[row.p50Ms, row.p99Ms, row.maxMs, row.waitMeanMs, row.drainMs].map(formatMs),
    row.overran ? 'overran' : '',
  ]);
  return table(['burst', 'at', 'size', 'failed', 'p50', 'p99', 'max', 'waiting', 'drained', ''], rows);
}

function stages({ measurements }: LoadResult): string {
  if (measurements.stages === null) return '';
  const rows = measurements.stages.map((row) => [
    ...STAGE_COLUMNS.map(({ cell }) => cell(row)),
    stageWord(row),
  ]);
  return table([...STAGE_COLUMNS.map(({ title }) => title), ''], rows);
}

function errors({ measurements }: LoadResult): string {
  const rows = measurements.errors.map(({ code, count, example }) => [code, formatCount(count), example]);
  return rows.length === 0 ? '' : table(['code', 'times', 'the first one'], rows, 'words');
}

function criteria({ verdict, thresholds }: LoadResult): string {
  const own = thresholds.map((threshold) => {
    const { word, figure, why } = thresholdWords(threshold);
    return [word, `threshold ${threshold.expression}`, figure ?? '-', why ?? ''];
  });
  const bands = verdict.criteria.map(({ title, band, bounds, why, ...figure }) => [
    band ?? '-',
    title,
    boundedFigure(figure),
    why ?? bounds,
  ]);
  return table(['', 'criterion', 'figure', 'bounds'], [...bands, ...own], 'words');
}

function connections(result: LoadResult): string {
  const { figures } = result.pool;
  if (result.http !== null) return factTable(httpFacts(result));
  if (figures === null) return '';
  const rows: [string, number | null][] = [
    ['most in use', figures.peakInUse],
    ['most beyond the size', figures.peakOverflow],
    ['most waiting', figures.peakWaiting],
    ['opened', figures.created],
    ['opened before', figures.createdBefore],
    ['closed', figures.destroyed],
    ['recycled', figures.recycled],
    ['timed out', figures.timedOut],
    ['failed to open', figures.createFailed],
    ['found dead', sumOf(figures.pingFailed, figures.invalidated, figures.resetFailed)],
  ];
  return table(
    ['', ''],
    rows.map(([name, value]) => [name, formatCount(value)]),
  );
}

function server(result: LoadResult): string {
  return factTable(serverFacts(result));
}

function factTable(pairs: readonly (readonly [label: string, text: string])[]): string {
  const rows = pairs.map(
    ([label, text]) => `<tr><th>${escapeXml(label)}</th><td>${escapeXml(text)}</td></tr>`,
  );
  return rows.length === 0 ? '' : `<table class="facts">${rows.join('')}</table>`;
}

function serverCourse({ server }: LoadResult): string {
  if (server === null || server.course.length < 3) return '';
  const line = (name: string, style: string, value: (sample: ServerSample) => number | null): Series => ({
    name,
    style,
    points: server.course.map((sample) => [sample.atMs, value(sample)]),
  });
  const series = [
    line('active', 'one', ({ active }) => active),
    line('idle', 'two', ({ idle }) => idle),
    line('in an open transaction', 'three', ({ inTransaction }) => inTransaction),
    ...(server.pgbouncer === null
      ? []
      : [line('clients waiting in PgBouncer', 'bad', ({ queued }) => queued)]),
  ];
  const title = 'Backends';
  return figure(
    title,
    lineChart(series, { title, x: (ms) => formatDuration(ms), y: (n) => formatCount(n) }),
    series,
  );
}

function bottleneck({ client }: LoadResult): string {
  return client.bottleneck === null ? '' : `<p>${escapeXml(client.bottleneck.sentence)}</p>`;
}

function advice(result: LoadResult): string {
  const items = result.advice.map(
    ({ text, options }) =>
      `<li>${escapeXml(text)}${options === null ? '' : ` <code>${escapeXml(options)}</code>`}</li>`,
  );
  return items.length === 0 ? '' : `<ul>${items.join('')}</ul>`;
}

function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  kind: 'figures' | 'words' = 'figures',
): string {
  const head = titles.some((title) => title !== '')
    ? `<thead><tr>${titles.map((title) => `<th>${escapeXml(title)}</th>`).join('')}</tr></thead>`
    : '';
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${escapeXml(cell)}</td>`).join('')}</tr>`);
  return `<div class="scroll"><table class="${kind}">${head}<tbody>${body.join('')}</tbody></table></div>`;
}

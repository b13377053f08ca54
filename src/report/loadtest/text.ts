import { boundedFigure } from '../../base/figure.js';
import { formatCount, formatShare } from '../../base/units.js';
import type { FigureName } from '../../loadtest/distribution.js';
import type { Advice, Band, Criterion, LoadResult, ThresholdResult } from '../../loadtest/result.js';
import type { Palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { type Column, tableLines } from '../table.js';
import { padEnd, printable, truncate, wrap } from '../text.js';
import { BURSTS_SHOWN, burstLines } from './bursts.js';
import { histogramLines } from './histogram.js';
import { httpLines } from './http.js';
import { segmentLines, segmentWords } from './segments.js';
import { serverLines } from './server.js';
import { NARROW, pageOf, type Sheet, sheetFor } from './sheet.js';
import { stageLines } from './stages.js';
import { timelineLines } from './timeline.js';
import {
  atLeastWords,
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

const LABEL_WIDTH = 10;
const ERRORS_SHOWN = 8;
const STATEMENTS_SHOWN = 3;

/** The report for people: the verdict and its reason first, then what it rests on, then what to try. */
export function renderText(result: LoadResult, options: RenderOptions): string {
  const sheet = sheetFor(options);
  return pageOf([
    header(result, sheet),
    verdict(result, sheet),
    times(result, sheet),
    errors(result, sheet),
    criteria(result, sheet),
    segmentLines(result, sheet),
    pool(result, sheet),
    serverLines(result, sheet),
    histogramLines(result.measurements.response, sheet),
    stageLines(result.measurements.stages, sheet),
    ...course(result, sheet),
    bottleneck(result, sheet),
    advice(result.advice, sheet),
  ]);
}

/** The seconds between bursts add nothing, since each burst has its row. */
function course({ measurements: { bursts, timeline } }: LoadResult, sheet: Sheet): string[][] {
  const isTold = bursts !== null && bursts.length <= BURSTS_SHOWN;
  return [isTold ? [] : timelineLines(timeline, sheet), burstLines(bursts, sheet)];
}

/** A heading, and behind it lines within what is left of the width. */
export function labelled(label: string, lines: readonly string[], paint: (text: string) => string): string[] {
  return lines.map(
    (line, at) => `${at === 0 ? paint(padEnd(label, LABEL_WIDTH)) : ' '.repeat(LABEL_WIDTH)}${line}`,
  );
}

function header(result: LoadResult, { paint, width, unicode }: Sheet): string[] {
  const room = width - LABEL_WIDTH;
  const line = (label: string, text: string) => labelled(label, wrap(printable(text), room), paint.faint);
  const { workload } = result;
  const segments = segmentWords(result);
  const own = workload.name === 'sql' ? workload.statements : [];
  const hidden = own.length - STATEMENTS_SHOWN;
  const engine = engineWords(result);
  return [
    ...line('target', workload.target),
    ...line('work', workload.name === 'sql' ? workload.work : `${workload.name}: ${workload.work}`),
    ...own
      .slice(0, STATEMENTS_SHOWN)
      .flatMap((sql) => labelled('', [truncate(printable(sql), room, { unicode })], paint.faint)),
    ...(hidden > 0 ? labelled('', [`and ${hidden} more`], paint.faint) : []),
    ...(engine === null ? [] : line('engine', engine)),
    ...line('pool', poolWords(result)),
    ...line('load', loadWords(result)),
    ...(segments === null ? [] : line('segments', segments)),
  ];
}

function verdict(result: LoadResult, { paint, width }: Sheet): string[] {
  const { band, reason } = result.verdict;
  const { partial, thresholds } = result;
  const room = width - LABEL_WIDTH;
  const paintBand = band === null ? paint.warn : bandPaint(paint, band);
  return [
    ...headlineLines(headlineOf(result.verdict), reason, room, (text) => paint.strong(paintBand(text))),
    ...labelled('', wrap(summaryWords(result, paint.strong), room), paint.faint),
    ...(band === 'good'
      ? labelled(
          '',
          wrap(barsOf(result.verdict), room).map((line) => paint.faint(line)),
          paint.faint,
        )
      : []),
    ...(partial === null
      ? []
      : labelled('PARTIAL', wrap(PARTIAL_WORDS[partial], room), (text) => paint.strong(paint.warn(text)))),
    ...thresholds.flatMap((threshold) => thresholdLine(threshold, paint)),
  ];
}

/** A headline that is longer than a label has its own line. */
function headlineLines(
  headline: string,
  reason: string,
  room: number,
  paint: (text: string) => string,
): string[] {
  const lines = wrap(reason, room);
  return headline.length < LABEL_WIDTH
    ? labelled(headline, lines, paint)
    : [paint(headline), ...labelled('', lines, paint)];
}

/** The criteria of a good verdict. */
function barsOf({ criteria }: LoadResult['verdict']): string {
  const judged = criteria.filter(({ band }) => band !== null);
  return `good is ${judged.map(({ title, good }) => `${title} ${good}`).join(', ')}`;
}

function thresholdLine(threshold: ThresholdResult, paint: Palette): string[] {
  const { word, figure, why } = thresholdWords(threshold);
  const outcome = why === null ? '' : `, not judged: ${why}`;
  const text = `threshold ${threshold.expression}: ${figure === null ? 'was not measured' : `was ${figure}`}${outcome}`;
  const failed = why === null ? paint.bad : paint.warn;
  return labelled(
    why === null ? word : '',
    [text],
    threshold.passed ? paint.good : (label) => paint.strong(failed(label)),
  );
}

function times(result: LoadResult, { paint, width }: Sheet): string[] {
  const { measurements } = result;
  const { response, wait, service, failure } = measurements;
  if (response.count + failure.count + (response.atLeast?.count ?? 0) === 0) return [];
  const rows = [
    { label: 'response', of: response },
    ...(isLate(measurements) ? [{ label: '  started late', of: measurements.lag }] : []),
    ...(wait.count + service.count === 0 && result.http !== null
      ? []
      : [
          { label: '  waiting', of: wait },
          { label: '  served', of: service },
        ]),
    ...(failure.count > 0 ? [{ label: 'failed', of: failure }] : []),
  ];
  // Bounds take more room.
  const isNarrow = width < NARROW || (width < 100 && response.atLeast !== undefined);
  const wide = <T>(column: T) => (isNarrow ? [] : [column]);
  const ms = (title: string, name: FigureName): Column<(typeof rows)[number]> => ({
    title,
    align: 'right',
    cell: ({ of }) => timeWords(of, name),
  });
  const table = tableLines(
    rows,
    [
      { title: '', cell: ({ label }) => label },
      ms('mean', 'meanMs'),
      ms('p50', 'p50Ms'),
      ...wide(ms('p90', 'p90Ms')),
      ms('p95', 'p95Ms'),
      ms('p99', 'p99Ms'),
      ...wide(ms('p99.9', 'p999Ms')),
      ms('max', 'maxMs'),
    ],
    { title: paint.faint },
  );
  const bound = atLeastWords(measurements);
  return bound === null ? table : [...table, ...wrap(bound, width)];
}

function errors({ measurements }: LoadResult, { paint, width, unicode }: Sheet): string[] {
  const { errors, failed, successRate } = measurements;
  if (failed === 0) return [];
  const shown = errors.slice(0, ERRORS_SHOWN);
  const lines = tableLines(
    shown,
    [
      { title: '', align: 'right', cell: ({ count }) => formatCount(count) },
      { title: '', cell: ({ code }) => printable(code) },
      { title: '', cell: ({ example }) => printable(example) },
    ],
    { indent: '  ' },
  ).map((line) => truncate(line, width, { unicode }));
  const share = successRate === null ? '' : ` (${formatShare(1 - successRate, 2)} of all)`;
  return [
    paint.strong(paint.bad(`errors: ${formatCount(failed)}${share}`)),
    ...lines,
    ...(errors.length > shown.length ? [`  and ${errors.length - shown.length} other codes`] : []),
  ];
}

function criteria({ verdict }: LoadResult, { paint, width }: Sheet): string[] {
  // A good verdict says its few figures itself.
  if (verdict.band === null || verdict.band === 'good') return [];
  const bounds: Column<Criterion> = {
    title: '',
    cell: ({ bounds, why }) => paint.faint(why === null ? bounds : `(${why})`),
  };
  const columns: Column<Criterion>[] = [
    { title: '', cell: ({ band }) => (band === null ? '-' : bandPaint(paint, band)(band)) },
    { title: '', cell: ({ title }) => title },
    { title: '', align: 'right', cell: boundedFigure },
    ...(width < NARROW ? [] : [bounds]),
  ];
  return [
    paint.strong('verdict, criterion by criterion'),
    ...tableLines(verdict.criteria, columns, { indent: '  ' }),
  ];
}

function pool(result: LoadResult, sheet: Sheet): string[] {
  const { figures } = result.pool;
  const { paint } = sheet;
  if (result.http !== null) return httpLines(result, sheet);
  if (figures === null) return [];
  const limit =
    figures.size === null || figures.maxOverflow === null ? null : figures.size + figures.maxOverflow;
  const of = (value: number | null, most: number | null) =>
    `${value ?? '-'}${most === null ? '' : ` of ${most}`}`;
  const overflow = figures.peakOverflow === null ? '-' : of(figures.peakOverflow, figures.maxOverflow);
  const before = figures.createdBefore ? ` (and ${figures.createdBefore} before)` : '';
  const { pingFailed, resetFailed, createFailed, invalidated } = figures;
  const failures = sumOf(pingFailed, resetFailed, createFailed, invalidated);
  const rows = [
    ['most in use', of(figures.peakInUse, limit), 'opened', `${formatCount(figures.created)}${before}`],
    ['overflow used', overflow, 'closed', formatCount(figures.destroyed)],
    ['most waiting', formatCount(figures.peakWaiting), 'recycled', formatCount(figures.recycled)],
    ['timed out', formatCount(figures.timedOut), 'failed or broken', formatCount(failures)],
  ] as const;
  const cell = (at: 0 | 1 | 2 | 3) => (row: (typeof rows)[number]) => row[at];
  return [
    paint.strong('connections'),
    ...tableLines(
      rows,
      [
        { title: '', cell: cell(0) },
        { title: '', align: 'right', cell: cell(1) },
        { title: '', cell: () => '  ' },
        { title: '', cell: cell(2) },
        { title: '', cell: cell(3) },
      ],
      { indent: '  ' },
    ),
  ];
}

function bottleneck({ client }: LoadResult, { paint, width }: Sheet): string[] {
  if (client.bottleneck === null) return [];
  const { limit, sentence } = client.bottleneck;
  const tint = limit === 'client' ? paint.warn : paint.strong;
  return [
    paint.strong('limit'),
    ...wrap(sentence, width - 2).map((line) => `  ${limit === 'client' ? tint(line) : line}`),
  ];
}

function advice(list: readonly Advice[], { paint, width }: Sheet): string[] {
  if (list.length === 0) return [];
  return [
    paint.strong('what to try next'),
    ...list.flatMap(({ text, options }) => [
      ...wrap(printable(text), width - 4).map((line, at) => `${at === 0 ? '  - ' : '    '}${line}`),
      ...(options === null ? [] : [`    ${paint.name(options)}`]),
    ]),
  ];
}

function bandPaint(paint: Palette, band: Band): (text: string) => string {
  return band === 'good' ? paint.good : band === 'marginal' ? paint.warn : paint.bad;
}

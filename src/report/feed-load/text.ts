import { formatFigure } from '../../base/figure.js';
import {
  formatCount,
  formatDuration,
  formatMs,
  formatRate,
  formatShare,
  formatSize,
} from '../../base/units.js';
import type { FeedLoadResult, FeedTimelineRow } from '../../loadtest/feed/types.js';
import { drawSparkline } from '../bar.js';
import type { Palette } from '../color.js';
import { NARROW, pageOf, type Sheet, sheetFor } from '../loadtest/sheet.js';
import { labelled } from '../loadtest/text.js';
import { BAND_WORDS, counted, PARTIAL_WORDS } from '../loadtest/words.js';
import type { RenderOptions } from '../render-options.js';
import { type Column, tableLines } from '../table.js';
import { padEnd, printable, truncate, wrap } from '../text.js';

const LABEL_WIDTH = 10;

/** The report for people: the verdict and its reason first, then what it rests on, then what to try. */
export function renderText(result: FeedLoadResult, options: RenderOptions): string {
  const sheet = sheetFor(options);
  return pageOf([
    header(result, sheet),
    verdict(result, sheet),
    received(result, sheet),
    latency(result, sheet),
    losses(result, sheet),
    criteria(result, sheet),
    connections(result, sheet),
    course(result, sheet),
    bottleneck(result, sheet),
    advice(result, sheet),
  ]);
}

function header(result: FeedLoadResult, { paint, width }: Sheet): string[] {
  const line = (label: string, text: string) =>
    labelled(label, wrap(printable(text), width - LABEL_WIDTH), paint.faint);
  const { settings, subscribing } = result;
  const warmup = settings.warmupMs === 0 ? '' : `, after ${formatDuration(settings.warmupMs)} to warm up`;
  return [
    ...line('target', result.target),
    ...line(
      'symbols',
      `${formatCount(subscribing.live)} of ${formatCount(subscribing.asked)} confirmed ${subscribing.tookMs === null ? 'in time' : `in ${formatMs(subscribing.tookMs)}`}` +
        (subscribing.refused === 0 ? '' : `, ${formatCount(subscribing.refused)} refused`) +
        `; connections open within ${formatMs(subscribing.connectMs)}`,
    ),
    ...line(
      'pool',
      `${counted(settings.maxConnections, 'connection')} of ${formatCount(settings.maxSymbolsPerConnection)} symbols at most, ` +
        `${settings.placement}, each sends ${counted(settings.batchesPerSecond, 'request')} a second (protocol ${settings.protocol})`,
    ),
    ...line('load', `listening for ${formatDuration(settings.durationMs)}${warmup}`),
  ];
}

function verdict(result: FeedLoadResult, { paint, width }: Sheet): string[] {
  const { band, reason } = result.verdict;
  const { measurements, partial, thresholds } = result;
  const room = width - LABEL_WIDTH;
  const tint = band === 'good' ? paint.good : band === 'bad' ? paint.bad : paint.warn;
  const summary =
    `${counted(measurements.ticks, 'tick')} in ${formatMs(measurements.elapsedMs)}, ` +
    `${paint.strong(formatRate(measurements.ticksPerSecond))}`;
  return [
    ...labelled(band === null ? 'NONE' : BAND_WORDS[band], wrap(reason, room), (text) =>
      paint.strong(tint(text)),
    ),
    ...labelled('', wrap(summary, room), paint.faint),
    ...(partial === null
      ? []
      : labelled('PARTIAL', wrap(partialWords(partial), room), (text) => paint.strong(paint.warn(text)))),
    ...thresholds.flatMap(({ expression, actual, unit, passed }) => {
      const was = actual === null ? 'was not measured' : `was ${formatFigure(actual, unit)}`;
      return labelled(passed ? 'passed' : 'FAILED', [`threshold ${expression}: ${was}`], (text) =>
        passed ? paint.good(text) : paint.strong(paint.bad(text)),
      );
    }),
  ];
}

function partialWords(partial: NonNullable<FeedLoadResult['partial']>): string {
  return partial === 'interrupted'
    ? 'interrupted before its end; the figures are those until then.'
    : PARTIAL_WORDS[partial];
}

function received({ measurements, server, subscribing }: FeedLoadResult, { paint, width }: Sheet): string[] {
  const { messages, messagesPerSecond, bytes, bytesPerSecond, symbolsHeard, symbolsSilent } = measurements;
  const { conflated, taken, strays, notUnderstood } = measurements;
  const rows: (readonly [string, string])[] = [
    ['messages', `${formatCount(messages)} (${formatRate(messagesPerSecond)})`],
    ['bytes', `${formatSize(bytes)} (${formatSize(bytesPerSecond)}/s)`],
    [
      'symbols heard',
      `${formatCount(symbolsHeard)} of ${formatCount(subscribing.live)}` +
        (symbolsSilent === 0 ? '' : `, ${formatCount(symbolsSilent)} were silent`),
    ],
    ...(conflated === null || taken === null
      ? []
      : [
          [
            'conflated',
            `${formatCount(conflated)} for a slow consumer, which took ${formatCount(taken)} (${formatShare(taken + conflated === 0 ? null : taken / (taken + conflated))})`,
          ] as const,
        ]),
    ...(strays === 0 ? [] : [['strays', formatCount(strays)] as const]),
    ...(notUnderstood === 0 ? [] : [['not understood', formatCount(notUnderstood)] as const]),
    ...(server === null
      ? []
      : [
          [
            'the feed says',
            `${formatCount(server.sent)} ticks sent, ${formatCount(server.received)} received ` +
              `(${formatShare(server.sent === 0 ? null : server.received / server.sent, 2)}), from the first opening on; ` +
              `${formatCount(server.serverSymbols)} symbols`,
          ] as const,
        ]),
  ];
  return [paint.strong('received'), ...pairs(rows, width)];
}

function latency({ measurements }: FeedLoadResult, { paint, width, unicode }: Sheet): string[] {
  const { latency, stamp } = measurements;
  if (latency === null || stamp === null) return [];
  const wide = <T>(column: T) => (width < NARROW ? [] : [column]);
  const ms = (title: string, value: number | null): Column<null> => ({
    title,
    align: 'right',
    cell: () => formatMs(value),
  });
  const unit = stamp.unit === 'text' ? 'a date' : `in ${stamp.unit}`;
  const table = tableLines(
    [null],
    [
      { title: '', cell: () => 'latency' },
      ms('mean', latency.meanMs),
      ms('p50', latency.p50Ms),
      ...wide(ms('p90', latency.p90Ms)),
      ms('p99', latency.p99Ms),
      ...wide(ms('p99.9', latency.p999Ms)),
      ms('max', latency.maxMs),
    ],
    { title: paint.faint },
  );
  const stamped = `  by the field '${printable(stamp.field)}' of ticks, ${unit}`;
  return [...table, paint.faint(truncate(stamped, width, { unicode }))];
}

function losses({ measurements }: FeedLoadResult, { paint, width, unicode }: Sheet): string[] {
  const { lost, gaps, gapSymbols, longestGapMs, reconnects, longestReconnectMs } = measurements;
  const { connectFailed, repeated } = measurements;
  if (lost.length + gaps + connectFailed + repeated === 0) return [];
  const rows: (readonly [string, string])[] = [
    ...lost.map(
      ({ cause, count, example }) =>
        [`lost (${cause})`, `${formatCount(count)}: ${printable(example)}`] as const,
    ),
    [
      'reconnects',
      `${formatCount(reconnects)}, the longest after ${formatMs(longestReconnectMs)}; ${counted(connectFailed, 'dial')} failed`,
    ],
    [
      'gaps',
      `${formatCount(gaps)}, with ${counted(gapSymbols, 'symbol')} to be fetched elsewhere, up to ${formatMs(longestGapMs)} long`,
    ],
    ...(repeated === 0 ? [] : [['sent again', counted(repeated, 'request')] as const]),
  ];
  return [
    paint.strong(paint.bad('losses')),
    ...pairs(rows, width).map((line) => truncate(line, width, { unicode })),
  ];
}

function pairs(rows: readonly (readonly [string, string])[], width: number): string[] {
  const labelWidth = Math.max(...rows.map(([label]) => label.length));
  return rows.flatMap(([label, text]) =>
    wrap(printable(text), Math.max(20, width - labelWidth - 4)).map(
      (line, at) => `  ${padEnd(at === 0 ? label : '', labelWidth)}  ${line}`,
    ),
  );
}

function criteria({ verdict }: FeedLoadResult, { paint, width }: Sheet): string[] {
  if (verdict.band === null || verdict.band === 'good') return [];
  return [
    paint.strong('verdict, criterion by criterion'),
    ...tableLines(
      verdict.criteria,
      [
        { title: '', cell: ({ band }) => (band === null ? '-' : bandPaint(paint, band)(band)) },
        { title: '', cell: ({ title }) => title },
        { title: '', align: 'right', cell: ({ value, unit }) => formatFigure(value, unit) },
        ...(width < NARROW
          ? []
          : [
              {
                title: '',
                cell: ({ bounds, why }: (typeof verdict.criteria)[number]) =>
                  paint.faint(why === null ? bounds : `(${why})`),
              },
            ]),
      ],
      { indent: '  ' },
    ),
  ];
}

function connections({ connections, measurements }: FeedLoadResult, { paint }: Sheet): string[] {
  if (connections.length === 0) return [];
  const all = connections.reduce((sum, { ticks }) => sum + ticks, 0);
  return [
    paint.strong('connections'),
    ...tableLines(
      connections,
      [
        { title: '', cell: ({ id }) => `#${id}` },
        { title: 'state', cell: ({ state }) => state },
        { title: 'symbols', align: 'right', cell: ({ live }) => formatCount(live) },
        { title: 'full', align: 'right', cell: ({ capacityUsed }) => formatShare(capacityUsed, 0) },
        {
          title: 'share of ticks',
          align: 'right',
          cell: ({ ticks }) => formatShare(all === 0 || measurements.ticks === 0 ? null : ticks / all, 0),
        },
        { title: 'reconnects', align: 'right', cell: ({ reconnects }) => formatCount(reconnects) },
        { title: 'ping', align: 'right', cell: ({ rttMs }) => formatMs(rttMs) },
      ],
      { indent: '  ', title: paint.faint },
    ),
  ];
}

const COURSE_LABEL = 12;
const RANGE_WIDTH = 24;

interface Course {
  readonly label: string;
  readonly value: (row: FeedTimelineRow) => number | null;
  readonly format: (value: number) => string;
}

const COURSES: readonly Course[] = [
  { label: 'ticks', value: ({ ticksPerSecond }) => ticksPerSecond, format: formatRate },
  { label: 'latency p99', value: ({ latencyP99Ms }) => latencyP99Ms, format: formatMs },
  {
    label: 'not live',
    value: ({ notLive }) => (notLive > 0 ? notLive : null),
    format: (value) => formatCount(value),
  },
];

/** The course of the run, a line for each figure; of neighbors that share a column the highest. */
function course({ measurements: { timeline } }: FeedLoadResult, { paint, width, unicode }: Sheet): string[] {
  const { rows, intervalMs } = timeline;
  const whole = rows.filter(({ lengthMs }, at) => at === 0 || lengthMs >= intervalMs / 2);
  if (whole.length < 3) return [];
  const cells = Math.max(10, width - 2 - COURSE_LABEL - RANGE_WIDTH - 2);
  const perCell = Math.ceil(whole.length / cells);
  const lines = COURSES.flatMap(({ label, value, format }) => {
    const groups = Array.from({ length: Math.ceil(whole.length / perCell) }, (_, at) =>
      whole.slice(at * perCell, (at + 1) * perCell).flatMap((row) => value(row) ?? []),
    );
    const values = groups.map((group) => (group.length === 0 ? null : Math.max(...group)));
    const measured = values.filter((each) => each !== null);
    if (measured.length === 0) return [];
    const [low, high] = [format(Math.min(...measured)), format(Math.max(...measured))];
    const range = low === high ? low : `${low} to ${high}`;
    return [`  ${padEnd(label, COURSE_LABEL)}${drawSparkline(values, { unicode })}  ${paint.faint(range)}`];
  });
  return [paint.strong(`over time, a column for each ${formatDuration(intervalMs * perCell)}`), ...lines];
}

function bottleneck({ client }: FeedLoadResult, { paint, width }: Sheet): string[] {
  if (client.bottleneck === null) return [];
  const { limit, sentence } = client.bottleneck;
  return [
    paint.strong('limit'),
    ...wrap(sentence, width - 2).map((line) => `  ${limit === 'client' ? paint.warn(line) : line}`),
  ];
}

function advice({ advice }: FeedLoadResult, { paint, width }: Sheet): string[] {
  if (advice.length === 0) return [];
  return [
    paint.strong('what to try next'),
    ...advice.flatMap(({ text, options }) => [
      ...wrap(printable(text), width - 4).map((line, at) => `${at === 0 ? '  - ' : '    '}${line}`),
      ...(options === null ? [] : [`    ${paint.name(options)}`]),
    ]),
  ];
}

function bandPaint(paint: Palette, band: 'good' | 'marginal' | 'bad'): (text: string) => string {
  return band === 'good' ? paint.good : band === 'marginal' ? paint.warn : paint.bad;
}

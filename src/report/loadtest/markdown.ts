import { boundedFigure } from '../../base/figure.js';
import { formatCount } from '../../base/units.js';
import type { Distribution, FigureName } from '../../loadtest/distribution.js';
import type { LoadResult } from '../../loadtest/result.js';
import { markdownTable, markdownText } from '../markdown.js';
import { httpFacts } from './http.js';
import { SEGMENT_COLUMNS, segmentRemark, segmentWords, shownSegments } from './segments.js';
import { serverFacts } from './server.js';
import { STAGE_COLUMNS, stageWord } from './stages.js';
import {
  atLeastWords,
  BAND_WORDS,
  engineWords,
  isLate,
  loadWords,
  PARTIAL_WORDS,
  poolWords,
  summaryWords,
  thresholdWords,
  timeWords,
} from './words.js';

/** The result as a comment for a pull request. */
export function renderMarkdown(result: LoadResult): string {
  const { verdict, workload, thresholds, client, partial, advice } = result;
  const engine = engineWords(result);
  const where = segmentWords(result);
  const band =
    verdict.band === null
      ? verdict.notJudged === undefined
        ? 'no verdict'
        : 'not judged'
      : BAND_WORDS[verdict.band];
  const sections = [
    `**Load test: ${band}.** ${markdownText(verdict.reason)} ${markdownText(summaryWords(result))}.`,
    partial === null ? '' : `**Partial:** ${PARTIAL_WORDS[partial]}`,
    stages(result),
    times(result),
    errors(result),
    verdict.band === 'good' ? '' : criteria(result),
    thresholds.length === 0
      ? ''
      : markdownTable(
          ['threshold', 'was', ''],
          thresholds.map((threshold) => {
            const { word, figure, why } = thresholdWords(threshold);
            const outcome = why === null ? word : `${word}: ${markdownText(why)}`;
            return [
              markdownText(threshold.expression),
              figure ?? '-',
              word === 'FAILED' ? '**failed**' : outcome,
            ];
          }),
          [1],
        ),
    segments(result),
    http(result),
    server(result),
    client.bottleneck === null ? '' : markdownText(client.bottleneck.sentence),
    advice
      .map(({ text, options }) => `- ${markdownText(text)}${options === null ? '' : ` \`${options}\``}`)
      .join('\n'),
    [
      `Target: ${markdownText(workload.target)}`,
      `work: ${markdownText(workload.name === 'sql' ? workload.work : `${workload.name}, ${workload.work}`)}`,
      ...(engine === null ? [] : [`engine: ${markdownText(engine)}`]),
      `pool: ${markdownText(poolWords(result))}`,
      `load: ${markdownText(loadWords(result))}`,
      ...(where === null ? [] : [`segments: ${markdownText(where)}`]),
    ]
      .join('; ')
      .concat('.'),
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}

function segments({ segments }: LoadResult): string {
  if (segments === undefined) return '';
  return markdownTable(
    [...SEGMENT_COLUMNS.map(({ title }) => title), ''],
    shownSegments(segments.rows).map((row) => [
      ...SEGMENT_COLUMNS.map(({ cell }) => markdownText(cell(row))),
      markdownText(segmentRemark(row) ?? ''),
    ]),
    SEGMENT_COLUMNS.flatMap(({ title }, at) => (title === 'machine' ? [] : [at])),
  );
}

function stages({ measurements }: LoadResult): string {
  if (measurements.stages === null) return '';
  return markdownTable(
    [...STAGE_COLUMNS.map(({ title }) => title), ''],
    measurements.stages.map((row) => [
      ...STAGE_COLUMNS.map(({ cell }) => cell(row)),
      markdownText(stageWord(row)),
    ]),
    STAGE_COLUMNS.map((_, at) => at),
  );
}

const TIMES: readonly FigureName[] = ['meanMs', 'p50Ms', 'p95Ms', 'p99Ms', 'maxMs'];

function times({ measurements }: LoadResult): string {
  const { response, wait, service, failure } = measurements;
  const row = (label: string, of: Distribution) => [
    label,
    ...TIMES.map((name) => markdownText(timeWords(of, name))),
  ];
  const bound = atLeastWords(measurements);
  if (response.count + failure.count === 0) return '';
  const table = markdownTable(
    ['', 'mean', 'p50', 'p95', 'p99', 'max'],
    [
      row('response', response),
      ...(isLate(measurements) ? [row('started late by poolctl', measurements.lag)] : []),
      ...(wait.count + service.count === 0
        ? []
        : [row('waiting for the pool', wait), row('being served', service)]),
      ...(failure.count > 0 ? [row('failed', failure)] : []),
    ],
    [1, 2, 3, 4, 5],
  );
  return bound === null ? table : `${table}\n\n${markdownText(bound)}`;
}

function server(result: LoadResult): string {
  const facts = serverFacts(result).map(([label, text]) => [label, markdownText(text)]);
  return facts.length === 0 ? '' : markdownTable(['server', ''], facts, []);
}

function http(result: LoadResult): string {
  const facts = httpFacts(result).map(([label, text]) => [label, markdownText(text)]);
  return facts.length === 0 ? '' : markdownTable(['HTTP', ''], facts, []);
}

function errors({ measurements }: LoadResult): string {
  if (measurements.errors.length === 0) return '';
  return markdownTable(
    ['error', 'times', 'the first one'],
    measurements.errors.map(({ code, count, example }) => [
      markdownText(code),
      formatCount(count),
      markdownText(example),
    ]),
    [1],
  );
}

function criteria({ verdict }: LoadResult): string {
  return markdownTable(
    ['', 'criterion', 'figure', 'bounds'],
    verdict.criteria.map(({ band, title, bounds, why, ...figure }) => [
      band === 'bad' ? '**bad**' : (band ?? '-'),
      title,
      boundedFigure(figure),
      markdownText(why ?? bounds),
    ]),
    [2],
  );
}

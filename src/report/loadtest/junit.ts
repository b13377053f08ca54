import { formatFigure } from '../../base/figure.js';
import { formatCount, formatMs } from '../../base/units.js';
import type { LoadResult } from '../../loadtest/result.js';
import { escapeXml } from '../svg.js';
import { serverFacts } from './server.js';
import { summaryWords } from './words.js';

/** For CI servers that show test results: each criterion and each threshold is a test case. */
export function renderJunit(result: LoadResult): string {
  const { verdict, thresholds, startedAt, measurements } = result;
  const seconds = (measurements.elapsedMs / 1000).toFixed(3);
  const cases = [
    ...verdict.criteria.map(({ id, title, value, unit, band, bounds, why }) => {
      const figure = formatFigure(value, unit);
      if (band === null) return testCase(`verdict.${id}`, title, skipped(why ?? 'not measured'));
      // Marginal is no failure here either: `--strict` makes it one, by the exit code.
      return testCase(`verdict.${id}`, title, band === 'bad' ? failure(`${title} is ${figure}`, bounds) : '');
    }),
    ...thresholds.map(({ expression, actual, unit, passed }) => {
      const figure = actual === null ? 'was not measured' : `was ${formatFigure(actual, unit)}`;
      return testCase('threshold', expression, passed ? '' : failure(`${expression}: ${figure}`, figure));
    }),
    ...segmentCases(result),
    ...(result.partial === null
      ? []
      : [testCase('run', 'ran to its end', failure(`the run was ${result.partial}`, summaryWords(result)))]),
  ];
  const failures = cases.filter((text) => text.includes('<failure')).length;
  const skips = cases.filter((text) => text.includes('<skipped')).length;
  const counts = `tests="${cases.length}" failures="${failures}" errors="0" skipped="${skips}" time="${seconds}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="poolctl loadtest" ${counts}>
<testsuite name="${escapeXml(result.workload.name)}" timestamp="${escapeXml(startedAt)}" ${counts}>
${properties(result)}${cases.join('\n')}
<system-out>${escapeXml(summaryWords(result))}</system-out>
</testsuite>
</testsuites>
`;
}

/** Every segment is a test case, so that one that is missing or was cut short is seen. */
function segmentCases({ segments }: LoadResult): string[] {
  if (segments === undefined) return [];
  const { count, missing, rows } = segments;
  return [
    ...rows.map((row) => {
      const { index, succeeded, failed, p99Ms, partial } = row;
      const text = `${formatCount(succeeded)} succeeded, ${formatCount(failed)} failed, p99 ${formatMs(p99Ms)}`;
      return testCase(
        'segment',
        `segment ${index} of ${count}`,
        partial === null ? `<system-out>${escapeXml(text)}</system-out>` : failure(`it was ${partial}`, text),
      );
    }),
    ...missing.map((index) =>
      testCase('segment', `segment ${index} of ${count}`, failure('it is missing', 'no result was given')),
    ),
  ];
}

function properties(result: LoadResult): string {
  const facts = serverFacts(result).map(
    ([label, text]) => `<property name="${escapeXml(`server: ${label}`)}" value="${escapeXml(text)}"/>\n`,
  );
  return facts.length === 0 ? '' : `<properties>\n${facts.join('')}</properties>\n`;
}

function testCase(group: string, name: string, content: string): string {
  const attributes = `classname="poolctl.loadtest.${escapeXml(group)}" name="${escapeXml(name)}" time="0"`;
  return content === '' ? `<testcase ${attributes}/>` : `<testcase ${attributes}>${content}</testcase>`;
}

function failure(message: string, text: string): string {
  return `<failure message="${escapeXml(message)}">${escapeXml(text)}</failure>`;
}

function skipped(message: string): string {
  return `<skipped message="${escapeXml(message)}"/>`;
}

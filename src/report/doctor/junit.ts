import type { CheckResult, DoctorResult } from '../../doctor/types.js';
import { escapeXml } from '../svg.js';
import { printable } from '../text.js';
import { countsWords, stepGroups } from './words.js';

/** For CI servers that show test results: each check of each target is a test; warnings are passed ones that say something. */
export function renderJunit(result: DoctorResult): string {
  const { results, counts, targets } = result;
  const unread = targets.filter(({ problem }) => problem !== null);
  const numbers =
    `tests="${results.length + unread.length}" failures="${counts.fail}" ` +
    `errors="${unread.length}" skipped="${counts.skipped}"`;
  const cases = [
    ...unread.map(
      ({ label, problem }) =>
        `<testcase classname="poolctl.doctor.target" name="${attribute(label)}">` +
        `<error message="${attribute(problem?.message ?? '')}">${escapeXml(printable(problem?.hint ?? ''))}</error></testcase>`,
    ),
    ...results.map(testCase),
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="poolctl doctor" ${numbers}>
<testsuite name="doctor" ${numbers}>
${cases.join('\n')}
<system-out>${escapeXml(countsWords(result))}</system-out>
</testsuite>
</testsuites>
`;
}

function testCase(one: CheckResult): string {
  const { status, check, summary, subjects } = one;
  const name = subjects.length === 0 ? check : `${check}: ${subjects.join(', ')}`;
  const attributes = `classname="poolctl.doctor.${attribute(check)}" name="${attribute(name)}"`;
  switch (status) {
    case 'pass':
      return `<testcase ${attributes}/>`;
    case 'skipped':
      return `<testcase ${attributes}><skipped message="${attribute(summary)}"/></testcase>`;
    case 'warn':
      return `<testcase ${attributes}><system-out>${escapeXml(`warning: ${printable(summary)}\n${body(one)}`)}</system-out></testcase>`;
    case 'fail':
      return `<testcase ${attributes}><failure message="${attribute(summary)}">${escapeXml(body(one))}</failure></testcase>`;
  }
}

function body({ evidence, why, fix }: CheckResult): string {
  const repair =
    fix === null
      ? []
      : [
          ...stepGroups(fix).flatMap(({ where, lines }) => [
            `fix ${where}:`,
            ...lines.map((line) => `  ${line}`),
          ]),
          `risk: ${fix.risk}`,
        ];
  return [...evidence, why, ...repair].map((line) => line.replace(/\S.*/s, printable)).join('\n');
}

function attribute(text: string): string {
  return escapeXml(printable(text));
}

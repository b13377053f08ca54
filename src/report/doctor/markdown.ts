import type { CheckResult, DoctorResult } from '../../doctor/types.js';
import { markdownTable, markdownText } from '../markdown.js';
import { printable } from '../text.js';
import { countsWords, stepGroups, verdictWord } from './words.js';

/** For a pull request or an issue: the verdict, a table of all checks, and what failed with its repair. */
export function renderMarkdown(result: DoctorResult): string {
  const { targets, results } = result;
  const problems = results.filter(({ status }) => status === 'fail' || status === 'warn');
  return [
    `## ${HEADS[verdictWord(result)]}: ${countsWords(result)}`,
    targets.length === 0
      ? ''
      : markdownTable(
          ['target', 'what it is'],
          targets.map(({ label, what, problem }) => [
            markdownText(label),
            markdownText(problem?.message ?? what ?? ''),
          ]),
        ),
    markdownTable(
      ['', 'check', 'found', 'at'],
      results.map(({ status, check, summary, subjects }) => [
        WORDS[status],
        markdownText(check),
        markdownText(summary),
        markdownText(subjects.join(', ')),
      ]),
    ),
    ...problems.map(problemText),
  ]
    .filter((text) => text !== '')
    .map((text) => `${text}\n`)
    .join('\n');
}

const HEADS = { PASSED: 'Passed', FAILED: 'Failed', INCOMPLETE: 'Incomplete' } as const;
const WORDS = { pass: 'ok', warn: '**warning**', fail: '**failed**', skipped: 'skipped' } as const;

function problemText({ status, check, summary, subjects, evidence, why, fix }: CheckResult): string {
  const repair =
    fix === null
      ? []
      : [
          ...stepGroups(fix).map(({ where, kind, lines }) =>
            kind === 'code'
              ? `${markdownText(where)}: ${lines.map(markdownText).join(' ')}`
              : `${markdownText(where)}:\n\n${fenced(lines, kind === 'sql' ? 'sql' : '')}`,
          ),
          `Risk: ${markdownText(fix.risk)}`,
        ];
  return [
    `### ${status === 'fail' ? 'Failed' : 'Warning'}: ${check}: ${markdownText(summary)}`,
    ...(subjects.length === 0 ? [] : [`At ${subjects.map(markdownText).join(', ')}`]),
    evidence.map((line) => `- ${markdownText(line)}`).join('\n'),
    markdownText(why),
    ...repair,
  ]
    .filter((text) => text !== '')
    .join('\n\n');
}

/** Names from outside may hold backticks: the fence is longer than any row of them. */
function fenced(lines: readonly string[], language: string): string {
  const text = lines.map(printable).join('\n');
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}

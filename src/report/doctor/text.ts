import type { CheckResult, DoctorResult, Fix, Status } from '../../doctor/types.js';
import { palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { printable, wrap } from '../text.js';
import { countsWords, skippedByReason, stepGroups, verdictWord } from './words.js';

/** The targets, then the worst first with its repair, what is fine in one line each, and the verdict. */
export function renderText(result: DoctorResult, options: RenderOptions): string {
  const paint = palette(options);
  const { results } = result;
  const width = Math.max(40, Math.min(options.width, 110));
  const of = (status: Status): readonly CheckResult[] => results.filter((one) => one.status === status);
  const idWidth = Math.max(0, ...of('pass').map(({ check }) => check.length));
  const word = verdictWord(result);
  const tone = word === 'PASSED' ? paint.good : word === 'FAILED' ? paint.bad : paint.warn;
  const verdict = paint.strong(tone(`${word}:`));
  const skipped = skippedByReason(results);
  const sections = [
    targetLines(result, width, options),
    ...of('fail').map((one) => problemLines(one, paint.bad('FAIL'), width, options)),
    ...of('warn').map((one) => problemLines(one, paint.warn('WARN'), width, options)),
    of('pass').map(
      ({ check, summary }) => `${paint.good('ok')}    ${check.padEnd(idWidth)}  ${printable(summary)}`,
    ),
    skipped.flatMap(({ reason, checks }) => [
      ...hung(`${paint.faint('skip')}  `, 6, wrap(printable(reason), width - 6)),
      ...wrap(checks.join(', '), width - 8).map((line) => `        ${paint.faint(line)}`),
    ]),
    [`${verdict} ${countsWords(result)}`],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function targetLines({ targets }: DoctorResult, width: number, options: RenderOptions): string[] {
  const paint = palette(options);
  return targets.flatMap(({ label, what, problem }) => {
    const hint = problem?.hint ?? null;
    return [
      paint.name(printable(label)),
      ...wrap(printable(problem?.message ?? what ?? ''), width - 2).map(
        (line) => `  ${problem === null ? line : paint.bad(line)}`,
      ),
      ...(hint === null ? [] : hung('  hint: ', 8, wrap(printable(hint), width - 8))),
    ];
  });
}

const INDENT = '      ';
const LABEL = 6;

function problemLines(
  { check, subjects, summary, evidence, why, fix }: CheckResult,
  word: string,
  width: number,
  options: RenderOptions,
): string[] {
  const paint = palette(options);
  const room = width - INDENT.length;
  return [
    ...hung(
      `${word}  ${paint.strong(check)}  `,
      INDENT.length,
      wrap(printable(summary), room - check.length - 2),
    ),
    ...subjects.map((label) => INDENT + paint.name(printable(label))),
    ...evidence.flatMap((line) => hung(INDENT, INDENT.length + 2, wrap(printable(line), room - 2))),
    ...labelled('why', why, room, paint.faint),
    ...(fix === null ? [] : fixLines(fix, room, paint.faint)),
    ...(fix === null ? [] : labelled('risk', fix.risk, room, paint.faint)),
  ];
}

/** Text to type stands on lines of its own, and is never broken. */
function fixLines(fix: Fix, room: number, faint: (text: string) => string): string[] {
  return stepGroups(fix).flatMap(({ where, kind, lines }, at) => {
    const label = at === 0 ? faint('fix'.padEnd(LABEL)) : ' '.repeat(LABEL);
    const [first = '', ...rest] = wrap(`${printable(where)}:`, room - LABEL);
    const body =
      kind === 'code'
        ? lines.flatMap((line) => wrap(printable(line), room - LABEL - 2))
        : lines.map(printable);
    return [
      `${INDENT}${label}${first}`,
      ...rest.map((line) => INDENT + ' '.repeat(LABEL) + line),
      ...body.map((line) => `${INDENT}${' '.repeat(LABEL + 2)}${line}`),
    ];
  });
}

function labelled(word: string, text: string, room: number, faint: (text: string) => string): string[] {
  return hung(
    `${INDENT}${faint(word.padEnd(LABEL))}`,
    INDENT.length + LABEL,
    wrap(printable(text), room - LABEL),
  );
}

/** The first line behind `first`, the others below it. */
function hung(first: string, indent: number, lines: readonly string[]): string[] {
  return lines.map((line, at) => (at === 0 ? first : ' '.repeat(indent)) + line);
}

import type { AuditResult, Finding } from '../../audit/types.js';

/** `3 leaks and 1 note in 120 files`, with what was left out. */
export function summaryWords({ findings, summary }: AuditResult): string {
  const errors = findings.filter(({ severity }) => severity === 'error');
  const notes = findings.length - errors.length;
  const leaks = errors.filter(({ rule }) => rule === 'leak').length;
  const misuses = errors.length - leaks;
  const found = [
    leaks > 0 || findings.length === 0 ? counted(leaks, 'leak') : '',
    misuses > 0 ? counted(misuses, 'misuse') : '',
    notes > 0 ? counted(notes, 'note') : '',
  ];
  const left = [
    summary.suppressed > 0 ? `${summary.suppressed} suppressed` : '',
    summary.baselined > 0 ? `${summary.baselined} in the baseline` : '',
    (summary.leftOut ?? 0) > 0 ? `${summary.leftOut} left out by rules or confidence` : '',
    (summary.skipped ?? 0) > 0 ? `${counted(summary.skipped ?? 0, 'file')} skipped` : '',
  ].filter((text) => text !== '');
  const where = `in ${counted(summary.files, 'file')}, ${counted(summary.acquireCalls, 'acquire call')} followed`;
  const words = `${found
    .filter((text) => text !== '')
    .join(', ')
    .replace(/, ([^,]* notes?)$/, ' and $1')} ${where}`;
  return left.length === 0 ? words : `${words} (${left.join(', ')})`;
}

/** Says that there is more to see; '' where there is not. */
export function hiddenWords({ summary: { hiddenNotes = 0, hiddenTests = 0 } }: AuditResult): string {
  const hidden = [
    ...(hiddenNotes > 0 ? [counted(hiddenNotes, 'note')] : []),
    ...(hiddenTests > 0 ? [`${counted(hiddenTests, 'leak')} in tests`] : []),
  ];
  return hidden.length === 0 ? '' : `${hidden.join(' and ')} hidden; show with --notes`;
}

export function counted(count: number, noun: string): string {
  return `${count === 0 ? 'no' : count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** How many findings share a word: [word, count], most first. */
export function countBy(
  findings: readonly Finding[],
  word: (finding: Finding) => string,
): [string, number][] {
  const counts = new Map<string, number>();
  for (const finding of findings) counts.set(word(finding), (counts.get(word(finding)) ?? 0) + 1);
  return [...counts].sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1));
}

/** A sentence on the confidence of the analyzer; empty if it is certain. */
export function confidenceWords({ confidence }: Finding): string {
  return confidence === 'high' ? '' : `${confidence} confidence`;
}

/** How often the code around runs; nothing where that is not known. */
export function placeWords({ where }: Finding): string {
  return where === undefined ? '' : PLACES[where];
}

const PLACES: Readonly<Record<NonNullable<Finding['where']>, string>> = {
  request: 'in a request handler',
  loop: 'in a loop',
  startup: 'in code that runs once',
  test: 'in a test',
};

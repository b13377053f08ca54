import { explainedRepair } from '../audit/fix.js';
import { targetOf } from '../audit/target.js';
import type { Finding } from '../audit/types.js';

export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The repair of `audit-leaks --fix` for one finding, as one edit; null where it is not provably safe. */
export function repairOf(path: string, text: string, finding: Finding): TextEdit | null {
  const { text: after, repaired } = explainedRepair(path, text, [finding], targetOf(path));
  return repaired.length === 0 ? null : differenceOf(text, after);
}

/** A comment above the finding that suppresses it. */
export function commentOf(text: string, finding: Finding): TextEdit {
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const start = startOfLine(text, finding.line);
  const indent = /^[^\S\r\n]*/.exec(text.slice(start))?.[0] ?? '';
  const comment = `${indent}// poolctl-ignore-next-line ${finding.rule} -- TODO: say why${newline}`;
  return { start, end: start, text: comment };
}

function startOfLine(text: string, line: number): number {
  let start = 0;
  const breaks = /\r\n|[\n\r\u2028\u2029]/g;
  for (let at = 1; at < line && breaks.exec(text) !== null; at++) start = breaks.lastIndex;
  return start;
}

/** The smallest edit that makes one text of another. */
function differenceOf(before: string, after: string): TextEdit {
  let start = 0;
  const most = Math.min(before.length, after.length);
  while (start < most && before[start] === after[start]) start++;
  let tail = 0;
  while (tail < most - start && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  return { start, end: before.length - tail, text: after.slice(start, after.length - tail) };
}

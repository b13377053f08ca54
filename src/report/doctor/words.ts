import { formatCount } from '../../base/units.js';
import type { CheckResult, DoctorResult, Fix, FixKind, FixStep } from '../../doctor/types.js';

/** `2 failed, 1 warning, 12 passed, 3 skipped`. */
export function countsWords({ counts }: Pick<DoctorResult, 'counts'>): string {
  const { fail, warn, pass, skipped } = counts;
  return [
    `${formatCount(fail)} failed`,
    `${formatCount(warn)} ${warn === 1 ? 'warning' : 'warnings'}`,
    `${formatCount(pass)} passed`,
    `${formatCount(skipped)} skipped`,
  ].join(', ');
}

/** The verdict in a word: where a target could not be read, nothing that passed says that all is well. */
export function verdictWord({ passed, targets }: DoctorResult): 'PASSED' | 'FAILED' | 'INCOMPLETE' {
  if (!passed) return 'FAILED';
  return targets.some(({ problem }) => problem !== null) ? 'INCOMPLETE' : 'PASSED';
}

/** Steps to be taken in one place, one after the other. */
export interface StepGroup {
  readonly kind: FixKind;
  /** `in SQL at postgres://...:` without the colon. */
  readonly where: string;
  /** As they are to be typed. */
  readonly lines: readonly string[];
}

export function stepGroups({ steps }: Fix): readonly StepGroup[] {
  const groups: { kind: FixKind; where: string; lines: string[] }[] = [];
  for (const step of steps) {
    const where = whereOf(step);
    const last = groups.at(-1);
    if (last?.where === where && last.kind === step.kind) last.lines.push(typed(step));
    else groups.push({ kind: step.kind, where, lines: [typed(step)] });
  }
  return groups;
}

function whereOf({ kind, at, as }: FixStep): string {
  const place = `${at === null ? '' : ` ${at}`}${as === undefined ? '' : ` (as ${as})`}`;
  switch (kind) {
    case 'sql':
      return `in SQL at${place}`;
    case 'ini':
      return `in pgbouncer.ini, section [pgbouncer], of${place}`;
    case 'console':
      return `in the console of${place}`;
    case 'restart':
      return `restart it, on the machine of${place}`;
    case 'env':
      return 'in the environment of the application';
    case 'code':
      return at === null ? 'in the application' : `at${place}`;
  }
}

function typed({ kind, text }: FixStep): string {
  return kind === 'sql' || kind === 'console' ? `${text};` : text;
}

/** Skipped checks by their reason, in order of appearance. */
export function skippedByReason(
  results: readonly CheckResult[],
): readonly { readonly reason: string; readonly checks: readonly string[] }[] {
  const reasons = new Map<string, string[]>();
  for (const { status, check, summary, subjects } of results) {
    if (status !== 'skipped') continue;
    const reason = [...subjects.map((label) => `${label}: `), summary].join('');
    reasons.set(reason, [...(reasons.get(reason) ?? []), check]);
  }
  return [...reasons].map(([reason, checks]) => ({ reason, checks }));
}

import { judged, skip } from './outcome.js';
import type {
  Check,
  CheckContext,
  CheckResult,
  DoctorResult,
  ExaminedTarget,
  Outcome,
  Status,
  TargetKind,
  Targets,
} from './types.js';

/**
 * Runs checks on targets that have been read. A check that cannot say anything is among the results, as skipped and with
 * the reason.
 */
export async function runChecks(
  checks: readonly Check[],
  context: CheckContext,
  examined: readonly ExaminedTarget[],
): Promise<DoctorResult> {
  const results: CheckResult[] = [];
  for (const check of checks) {
    context.signal.throwIfAborted();
    const { id, title, why } = check;
    for (const outcome of await outcomesOf(check, context))
      results.push({ check: id, title, why, ...outcome });
  }
  const counts: Record<Status, number> = { pass: 0, warn: 0, fail: 0, skipped: 0 };
  for (const { status } of results) counts[status]++;
  return { schema: 1, kind: 'doctor', targets: examined, results, counts, passed: counts.fail === 0 };
}

async function outcomesOf(check: Check, context: CheckContext): Promise<readonly Outcome[]> {
  const { targets } = context;
  const unread = unreadOf(check, targets);
  const missing = check.needs.filter((kind) => !isThere(targets, kind));
  if (missing.length > 0 && unread.length > 0) return unread;
  if (missing.length > 0 && !judgesOnlyUnreadable(check, targets))
    return [{ ...skip(missingText(missing)), subjects: [] }];
  let outcomes: readonly Outcome[] = [];
  const whole = await judged(async () => {
    outcomes = await check.run(context);
    return skip('nothing to look at');
  });
  if (outcomes.length > 0) return [...outcomes, ...unread];
  return unread.length > 0 ? unread : [{ ...whole, subjects: [] }];
}

/** A target that could not be read hides nothing: the check says so for that one, and judges the others. */
function unreadOf({ needs, judgesUnreadable }: Check, { unreadable }: Targets): readonly Outcome[] {
  if (judgesUnreadable === true) return [];
  return unreadable
    .filter(({ kind }) => needs.includes(kind))
    .map(({ label, problem }) => ({ ...skip(`could not be read: ${problem.message}`), subjects: [label] }));
}

function judgesOnlyUnreadable({ needs, judgesUnreadable }: Check, { unreadable }: Targets): boolean {
  return judgesUnreadable === true && unreadable.some(({ kind }) => needs.includes(kind));
}

function isThere(targets: Targets, kind: TargetKind): boolean {
  return kind === 'settings' ? targets.settings !== null : targets[kind].length > 0;
}

const NEEDED: Readonly<Record<TargetKind, string>> = {
  postgres: 'a target postgres://',
  mysql: 'a target mysql://',
  pgbouncer: 'a target pgbouncer://',
  pool: 'a target pool:',
  sqlite: 'a target sqlite:',
  recording: 'a recording (--recording FILE)',
  settings: "the application's settings (--pool-size or DB_POOL_SIZE, and the like)",
};

function missingText(missing: readonly TargetKind[]): string {
  return `needs ${missing.map((kind) => NEEDED[kind]).join(' and ')}`;
}

import type { Call } from '../graph.js';
import { holds, type State, withLeaseFact } from '../state.js';
import type { Outcome } from '../types.js';
import type { Walk } from '../walk.js';
import { firstText } from './releasing.js';

const BEGINS = /^\s*(BEGIN|START\s+TRANSACTION)\b/i;
const ENDS = /^\s*(COMMIT|END|ROLLBACK(?!\s+(TRANSACTION\s+)?TO\b))\b/i;
const UNDOES = /^(rollback|abort)/i;

/** Keeps what the lease answers of itself, by what a call has done with it. */
export function saying(walk: Walk, call: Call, given: Outcome, before: State): Outcome {
  const outcome = disarmed(walk, call, given, before);
  const { answers } = walk.site.spec;
  const { receiver, name, node } = call;
  if (answers === undefined || receiver === null || !holds(before, receiver)) return outcome;
  const sql = firstText(node) ?? '';
  let { next, thrown = [] } = outcome;
  for (const { asked, trueAfter, falseAfter, afterFailedCommit } of answers) {
    if (trueAfter.includes(name) || BEGINS.test(sql)) {
      next = next.map((one) => withLeaseFact(one, asked, '=true'));
      thrown = thrown.map((one) => withLeaseFact(one, asked, '=?'));
    } else if (falseAfter.includes(name) || ENDS.test(sql)) {
      next = next.map((one) => withLeaseFact(one, asked, '=false'));
      // After a failed rollback the lease counts as ended. After a failed commit the server decides.
      const failed = UNDOES.test(name) || UNDOES.test(sql.trim()) ? '=false' : `=${afterFailedCommit}!`;
      thrown = thrown.map((one) => withLeaseFact(one, asked, failed));
    }
  }
  return { ...outcome, next, thrown };
}

/** `session.commit()`: where it succeeds, the lease holds nothing until it is used again. */
function disarmed(walk: Walk, { receiver, name }: Call, outcome: Outcome, before: State): Outcome {
  const isDisarmed = walk.site.pattern.disarmedBy?.includes(name) === true;
  if (!isDisarmed || receiver === null || !holds(before, receiver)) return outcome;
  return {
    ...outcome,
    next: outcome.next.map((one) => (one.status === 'held' ? { ...one, status: 'lazy' } : one)),
  };
}

/** The answers of a fresh lease. */
export function freshAnswers(walk: Walk, state: State): State {
  return (walk.site.spec.answers ?? []).reduce(
    (one, { asked }) => withLeaseFact(one, asked, '=false'),
    state,
  );
}

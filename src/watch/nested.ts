import type { Frame } from './frames.js';

/** A caller that waits for a resource. */
export interface WaitingCall {
  readonly since: number;
  readonly frames: readonly Frame[];
}

/** A lease whose holder does nothing with it. */
export interface IdleLease {
  readonly idleSince: number;
  /** Up to the call that is responsible: functions further out may have begun other flows too. */
  readonly frames: readonly Frame[];
}

/**
 * How many callers wait for a resource while their own flow holds one. Such a caller is still in a function that acquired
 * before, on an earlier line, and that holder has been idle since before the caller began to wait. The smaller number
 * of the two counts, since stacks do not tell one flow from another.
 */
export function nestedWaiters(waiting: readonly WaitingCall[], idle: readonly IdleLease[]): number {
  const holding = new Set<IdleLease>();
  let count = 0;
  for (const call of waiting) {
    const pairs = idle.filter(
      (lease) => lease.idleSince <= call.since && isWithin(call.frames, lease.frames),
    );
    if (pairs.length === 0) continue;
    count++;
    for (const lease of pairs) holding.add(lease);
  }
  return Math.min(count, holding.size);
}

/** Whether one of the calls stands behind one of the lease's own calls, in the same function. */
function isWithin(calls: readonly Frame[], lease: readonly Frame[]): boolean {
  return calls.some((call) =>
    lease.some(
      (own) =>
        (own.fn === call.fn && (call.place.line > own.place.line || isBehindOnLine(call, own))) ||
        isCallback(call, own),
    ),
  );
}

/** One call has two columns: where it is made, and where it is awaited. */
function isBehindOnLine(call: Frame, own: Frame): boolean {
  const isAwaited = ({ text }: Frame): boolean => text.startsWith('at async ');
  return (
    call.place.line === own.place.line &&
    call.place.column > own.place.column &&
    isAwaited(call) === isAwaited(own)
  );
}

/**
 * Whether a call is made by a function that begins on the line of the lease's own call, behind it: the callback of
 * `knex.transaction(async (trx) => ...)`, of sequelize's managed transactions, or of `sql.begin()`.
 */
function isCallback({ place, start }: Frame, own: Frame): boolean {
  return (
    start !== null &&
    place.file === own.place.file &&
    start.line === own.place.line &&
    start.column > own.place.column &&
    place.line >= own.place.line
  );
}

import { formatSite, formatStack } from '../base/call-site.js';
import { formatCount } from '../base/units.js';
import type { Holder } from '../snapshot/pool.js';
import { PoolTimeoutError, type TimeoutFacts, type TimeoutReason } from './errors.js';
import { isHeld } from './flow-watch.js';
import type { Waiter } from './waiter.js';

/** What the pool looked like when acquires timed out: gathered once for many that did so together. */
export interface PoolCondition {
  readonly pool: string;
  readonly size: number;
  readonly maxOverflow: number;
  readonly full: boolean;
  readonly inUse: number;
  readonly overflow: number;
  readonly creating: number;
  /** Those that time out included. */
  readonly waiting: number;
  readonly createError: Error | null;
  /** The event loop was seen standing still for so long, and that ended then. */
  readonly blocked: { readonly ms: number; readonly endedAt: number };
  /** Oldest first; not all of them if they are many. */
  readonly holders: readonly Holder[];
}

/**
 * A way to make the errors of waiters that were not served, which say why, as far as the pool can tell. Ten thousands
 * may expire together, so what they have in common is put into words once, and shared: the less of each error is
 * its own, the shorter the garbage collector stops the loop for them.
 */
export function timeoutErrors(
  condition: PoolCondition,
): (waiter: Pick<Waiter<unknown>, 'since' | 'watched'>, now: number) => PoolTimeoutError {
  const held = heldBy(condition.holders);
  let last: Explanation | null = null;
  return ({ since, watched }, now) => {
    const { site = null, nestedIn = null, nestedReported = false } = watched ?? {};
    const waitedMs = Math.round(now - since);
    const loopBlockedMs = condition.blocked.endedAt > since ? condition.blocked.ms : 0;
    const nested = nestedReported && nestedIn !== null && isHeld(nestedIn) ? formatSite(nestedIn.site) : null;
    const stack = formatStack(site);
    const isLikeLast =
      last !== null &&
      last.facts.waitedMs === waitedMs &&
      last.facts.loopBlockedMs === loopBlockedMs &&
      last.facts.nestedIn === nested &&
      last.stack === stack;
    if (!isLikeLast) {
      last = explain(condition, held, { waitedMs, loopBlockedMs, nested, site: formatSite(site), stack });
    }
    const { facts, message, hint, cause, trace } = last!;
    const error = withoutStack(() => new PoolTimeoutError(message, hint, facts, cause));
    if (trace !== null) error.stack = trace;
    return error;
  };
}

interface Explanation {
  readonly facts: TimeoutFacts;
  readonly message: string;
  readonly hint: string;
  readonly cause: Error | null;
  /** Of the acquire call; null where it was not kept. */
  readonly stack: string | null;
  /** What the error shows as its stack: its message, then that of the call. */
  readonly trace: string | null;
}

interface OwnFacts extends Pick<TimeoutFacts, 'waitedMs' | 'loopBlockedMs' | 'site'> {
  readonly nested: string | null;
  readonly stack: string | null;
}

function explain(condition: PoolCondition, held: string, own: OwnFacts): Explanation {
  const { waitedMs, loopBlockedMs, nested, site, stack } = own;
  const { pool, size, maxOverflow, inUse, overflow, creating, waiting, createError, holders } = condition;
  const reason = reasonFor(condition, nested !== null, loopBlockedMs * 2 >= waitedMs && loopBlockedMs > 0);
  const facts: TimeoutFacts = {
    ...{
      pool,
      waitedMs,
      reason,
      size,
      maxOverflow,
      inUse,
      overflow,
      creating,
      waiting,
      loopBlockedMs,
      holders,
    },
    site,
    nestedIn: nested,
  };
  const state = `pool '${pool}' ${stateOf(condition)}, ${waiting} waiting`;
  const what = `acquire timed out after ${ms(waitedMs)}: ${state} (ERR_POOL_TIMEOUT)`;
  const hint = HINTS[reason];
  const message = `${what}${reasonText(facts)}${held}\n  hint: ${hint}`;
  const trace = stack && `${PoolTimeoutError.name}: ${message}\n    ${stack.replaceAll('\n', '\n    ')}`;
  return { facts, message, hint, cause: reason === 'create-failing' ? createError : null, stack, trace };
}

const HINTS: Readonly<Record<TimeoutReason, string>> = {
  nested:
    'pass the lease on instead of acquiring a second one, or make the pool larger than the number of such flows',
  'create-failing': 'check that the server is up, reachable, and has connections left',
  creating: 'check the time a connection takes to open; keep some open with minIdle',
  'loop-blocked': 'find what blocks the event loop; the pool itself may be large enough',
  'all-in-use': 'release earlier, look for a path that skips release, or enlarge size or maxOverflow',
};

function reasonFor(condition: PoolCondition, nested: boolean, loopBlocked: boolean): TimeoutReason {
  if (loopBlocked) return 'loop-blocked';
  if (nested && condition.full) return 'nested';
  if (condition.createError !== null) return 'create-failing';
  return condition.creating > 0 ? 'creating' : 'all-in-use';
}

function reasonText(facts: TimeoutFacts): string {
  switch (facts.reason) {
    case 'nested':
      return `\n  this flow already holds a lease of the same pool, acquired at ${facts.nestedIn ?? 'a site not sampled'}`;
    case 'create-failing':
      return '\n  opening connections is failing; the last error is the cause of this one';
    case 'creating':
      return `\n  opening connections is slow: ${facts.creating} still under way`;
    case 'loop-blocked':
      return `\n  the event loop was blocked for ${ms(facts.loopBlockedMs)} meanwhile`;
    case 'all-in-use':
      return '';
  }
}

function stateOf({ inUse, overflow, size, maxOverflow, creating }: PoolCondition): string {
  const core = inUse - Math.min(inUse, overflow);
  const limit = size === 0 ? 'no limit' : `limit ${size} + ${maxOverflow < 0 ? 'unlimited' : maxOverflow}`;
  const opening = creating > 0 ? `, ${creating} being opened` : '';
  return `has ${core} + ${inUse - core} overflow in use (${limit})${opening}`;
}

function heldBy(holders: readonly Holder[]): string {
  const [oldest, ...others] = holders;
  if (oldest === undefined) return '';
  const age = oldest.ageMs === null ? 'of unknown age' : `${seconds(oldest.ageMs)} old`;
  const lines = [`\n  longest lease is ${age}, acquired at ${oldest.site ?? 'a site not sampled'}`];
  const bySite = new Map<string, number>();
  for (const { site } of others) if (site !== null) bySite.set(site, (bySite.get(site) ?? 0) + 1);
  for (const [site, count] of [...bySite].sort((a, b) => b[1] - a[1]).slice(0, 3)) {
    lines.push(`\n  also held: ${count} acquired at ${site}`);
  }
  const leaked = holders.filter((holder) => holder.leaked).length;
  if (leaked > 0) lines.push(`\n  reported as leaks: ${leaked} of ${holders.length}`);
  return lines.join('');
}

function ms(value: number): string {
  return `${formatCount(value)} ms`;
}

function seconds(value: number): string {
  return value < 1000 ? ms(value) : `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} s`;
}

/**
 * The stack of the timer that rejects says nothing; that of the acquire call does, where it was kept. And capturing
 * one is the larger part of making an error, which ten thousand time-outs at once can do without.
 */
function withoutStack<T>(make: () => T): T {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = before;
  }
}

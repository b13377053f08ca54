import { formatSite, formatStack } from '../base/call-site.js';
import { formatCount } from '../base/units.js';
import type { Holder } from '../snapshot/pool.js';
import { type BusyState, PoolTimeoutError, type TimeoutFacts, type TimeoutReason } from './errors.js';
import { isHeld } from './flow-watch.js';
import type { Waiter } from './waiter.js';

/** Places in one state, and how long the oldest has been in it; null where there is none. */
export interface BusyPlaces {
  readonly count: number;
  readonly oldestMs: number | null;
}

/** The state of the pool when acquires timed out: gathered once for many that did so together. */
export interface PoolCondition {
  readonly pool: string;
  readonly size: number;
  readonly maxOverflow: number;
  readonly full: boolean;
  readonly inUse: number;
  readonly overflow: number;
  readonly busy: { readonly [State in BusyState]: BusyPlaces };
  /** Includes the ones that time out. */
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
  /** Stack of the acquire call; null where it was not kept. */
  readonly stack: string | null;
  /** The stack that the error shows: its message, then the stack of the call. */
  readonly trace: string | null;
}

interface OwnFacts extends Pick<TimeoutFacts, 'waitedMs' | 'loopBlockedMs' | 'site'> {
  readonly nested: string | null;
  readonly stack: string | null;
}

function explain(condition: PoolCondition, held: string, own: OwnFacts): Explanation {
  const { waitedMs, loopBlockedMs, nested, site, stack } = own;
  const { pool, size, maxOverflow, inUse, overflow, busy, waiting, createError, holders } = condition;
  const { creating, checking, resetting, closing } = busy;
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
      creating: creating.count,
      checking: checking.count,
      resetting: resetting.count,
      closing: closing.count,
      oldestMs: {
        creating: creating.oldestMs,
        checking: checking.oldestMs,
        resetting: resetting.oldestMs,
        closing: closing.oldestMs,
      },
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
  checking:
    'check whether the server answers at all; operationTimeoutMs limits how long a ping or an acquire hook may take',
  resetting:
    'look for queries that nobody awaited before the release, and check whether the server answers at all',
  closing:
    'check whether the server answers at all; operationTimeoutMs limits how long the closing of a connection may take',
  'loop-blocked': 'find what blocks the event loop; the pool itself may be large enough',
  'all-in-use': 'release earlier, look for a path that skips release, or enlarge size or maxOverflow',
};

function reasonFor(condition: PoolCondition, nested: boolean, loopBlocked: boolean): TimeoutReason {
  if (loopBlocked) return 'loop-blocked';
  if (nested && condition.full) return 'nested';
  if (condition.createError !== null) return 'create-failing';
  return holdUpOf(condition);
}

/**
 * The state that holds most of the places. With equal numbers, the lease comes last: a holder will release it, while nobody knows
 * when a server that hangs goes on.
 */
function holdUpOf({ busy, inUse }: PoolCondition): TimeoutReason {
  let most: TimeoutReason = 'all-in-use';
  let count = Math.max(inUse, 1);
  for (const state of BUSY_STATES) {
    if (busy[state].count < count || (busy[state].count === count && most !== 'all-in-use')) continue;
    most = state;
    count = busy[state].count;
  }
  return most;
}

/** With equal numbers in several states, the first counts. */
const BUSY_STATES: readonly BusyState[] = ['creating', 'checking', 'resetting', 'closing'];
const DOING: Readonly<Record<BusyState, string>> = {
  creating: 'opened',
  checking: 'checked',
  resetting: 'reset',
  closing: 'closed',
};

function reasonText(facts: TimeoutFacts): string {
  switch (facts.reason) {
    case 'nested':
      return `\n  this flow already holds a lease of the same pool, acquired at ${facts.nestedIn ?? 'a site not sampled'}`;
    case 'create-failing':
      return '\n  opening connections is failing; the last error is the cause of this one';
    case 'creating':
      return `\n  opening connections is slow: ${facts.creating} still under way`;
    case 'checking':
      return `\n  checks before lending are slow: ${facts.checking} still under way`;
    case 'resetting':
      return `\n  resets after a release are slow: ${facts.resetting} still under way`;
    case 'closing':
      return `\n  closing connections is slow: ${facts.closing} still hold their places`;
    case 'loop-blocked':
      return `\n  the event loop was blocked for ${ms(facts.loopBlockedMs)} meanwhile`;
    case 'all-in-use':
      return '';
  }
}

function stateOf({ inUse, overflow, size, maxOverflow, busy }: PoolCondition): string {
  const core = inUse - Math.min(inUse, overflow);
  const limit = size === 0 ? 'no limit' : `limit ${size} + ${maxOverflow < 0 ? 'unlimited' : maxOverflow}`;
  const others = BUSY_STATES.filter((state) => busy[state].count > 0).map((state) => {
    const { count, oldestMs } = busy[state];
    return `, ${count} being ${DOING[state]}${oldestMs === null ? '' : ` for ${seconds(oldestMs)}`}`;
  });
  return `has ${core} + ${inUse - core} overflow in use (${limit})${others.join('')}`;
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
 * one is the larger part of making an error, which ten thousand timeouts at once can do without.
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

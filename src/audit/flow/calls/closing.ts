import { ts } from 'ts-morph';
import { isOut } from '../frames.js';
import type { Call } from '../graph.js';
import { isAssertion } from '../lower/calls.js';
import { isCloser, saysItEnds } from '../names.js';
import { rootOf } from '../place.js';
import { contains, NO_TRAIL, type State, type Trail } from '../state.js';
import type { Outcome } from '../types.js';
import type { Walk } from '../walk.js';
import { asReleased } from './releasing.js';

// Calls that close an object of the project which has the lease in it.

/** Whether a call is to close an object of the project that has the lease in it, or to finish the work on it. */
export function closesWrapper(state: State, { receiver, name, isNew }: Call): 'closes' | 'finishes' | null {
  if (isNew || receiver === null || receiver === 'this' || !contains(state, receiver)) return null;
  return isCloser(name) ? 'closes' : saysItEnds(name) ? 'finishes' : null;
}

export function closeWrapper(
  walk: Walk,
  entry: State,
  what: 'closes' | 'finishes',
  run: (from: State) => Outcome,
): Outcome {
  const from = { ...entry, trail: NO_TRAIL };
  const outcome = run(from);
  return closesByFlag(outcome, from, what, run)
    ? trustedClose({ ...outcome, next: outcome.next.map((one) => ended(walk, one)) }, entry.trail, what)
    : trustedClose(outcome, entry.trail, what);
}

/**
 * Whether a flag of its own is all that keeps an object from closing what it holds: `if (this.broken === null)
 * client.end()`. Whatever set the flag has ended the client, in ways that are not followed: with its socket, for one.
 */
function closesByFlag(
  { next }: Outcome,
  from: State,
  what: 'closes' | 'finishes',
  run: (from: State) => Outcome,
): boolean {
  if (what !== 'closes' || next.length === 0 || next.some(({ status }) => status === 'released'))
    return false;
  const facts = new Map([...from.facts].filter(([place]) => rootOf(place) !== 'this'));
  return (
    facts.size < from.facts.size && run({ ...from, facts }).next.some(({ status }) => status === 'released')
  );
}

function ended(walk: Walk, state: State): State {
  return isOut(state) ? asReleased(walk, state, state.trail.bypass ?? walk.site.node) : state;
}

/**
 * An object that closes what it holds knows its own state: the paths on which it finds itself closed already, and
 * returns or says so, are not those of an open one. One that commits may return without a release.
 */
function trustedClose(
  { next, thrown = [], ...rest }: Outcome,
  before: Trail,
  what: 'closes' | 'finishes',
): Outcome {
  const isTrusted = next.some(({ status }) => status === 'released');
  const refuses = ({ trail: { bypass, cause } }: State) => {
    const at = cause ?? bypass;
    return at !== null && (ts.isThrowStatement(at) || isAssertion(at));
  };
  const continued = (one: State): State =>
    one.trail.how === null ? { ...one, trail: { ...before, released: one.trail.released } } : one;
  return {
    ...rest,
    next: next.filter((one) => what === 'finishes' || !isTrusted || !isOut(one)).map(continued),
    thrown: thrown.filter((one) => !isTrusted || !isOut(one) || !refuses(one)).map(continued),
  };
}

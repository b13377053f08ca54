import type { ts } from 'ts-morph';
import type { Test } from './graph.js';
import { isPlace, isTemporary, isWithin, lastSegment, type Place, remainder, rootOf } from './place.js';

/**
 * What has become of one lease at one point of one path.
 * `none`: not acquired on this path. `lazy`: there, but holding nothing yet (a client that has not connected).
 */
export type Status = 'none' | 'lazy' | 'held' | 'released' | 'escaped';

export interface State {
  readonly status: Status;
  /** Whether the path came here by a failure of the lease protocol alone (connect, BEGIN, ROLLBACK). */
  readonly unlikely: boolean;
  /** Thrown by `reject`, and so past all handlers. */
  readonly rejecting: boolean;
  /** A promise that will reject was returned, on its way through the finally blocks. */
  readonly pending: boolean;
  /** A function literal that knows the lease was handed to something that may call it later. */
  readonly leftBehind: boolean;
  /** The places that hold the lease; `!` in front: a function that releases it when it is called. */
  readonly holders: readonly Place[];
  /** What is known of other places. `~` in front: truthy, falsy, nonnull. */
  readonly facts: ReadonlyMap<Place, string>;
  /** Not part of the identity: what the finding tells. */
  readonly trail: Trail;
}

export interface Trail {
  /** The statement that turned the path from the way to the release: what threw, or the return. */
  readonly bypass: ts.Node | null;
  readonly how: 'throw' | 'return' | 'loop' | null;
  /** Where in a function that was called it came from. */
  readonly cause?: ts.Node | null;
  readonly released: ts.Node | null;
}

export const NO_TRAIL: Trail = { bypass: null, how: null, released: null };

export const START_STATE: State = {
  status: 'none',
  unlikely: false,
  rejecting: false,
  pending: false,
  leftBehind: false,
  holders: [],
  facts: new Map(),
  trail: NO_TRAIL,
};

export function keyOf(state: State): string {
  let key = `${state.status}${state.unlikely ? '?' : ''}${state.rejecting ? '!' : ''}${state.pending ? '~' : ''}${state.leftBehind ? '&' : ''}`;
  for (const holder of state.holders) key += `;${holder}`;
  if (state.facts.size > 0) {
    const facts: string[] = [];
    for (const [place, fact] of state.facts) facts.push(`${place}${fact}`);
    key += `#${facts.sort().join('#')}`;
  }
  return key;
}

export function withHolders(state: State, holders: Iterable<Place>): State {
  return { ...state, holders: [...new Set(holders)].sort() };
}

/** Whether the place is the lease itself. */
export function holds(state: State, place: Place): boolean {
  return state.holders.some((holder) => !holder.startsWith('!') && remainder(holder, place) === '');
}

/** Whether the lease is the place or within it. */
export function contains(state: State, place: Place): boolean {
  return state.holders.some((holder) => remainder(holder.replace('!', ''), place) !== null);
}

/** The holder that a place is a property of: `client` for `client.query`. */
export function holderAbove(state: State, place: Place): Place | null {
  return state.holders.find((holder) => !holder.startsWith('!') && place.startsWith(`${holder}.`)) ?? null;
}

/** How often a place is tested, or handed on to where it may be tested: what is known of others is of no use. */
export type Interest = (place: Place) => number;

export interface Knowledge {
  /** The methods that release. */
  readonly releasers: ReadonlySet<string>;
  readonly interest: Interest;
}

/** `to = from`, for the lease and for what is known. */
export function assign(
  state: State,
  to: Place,
  from: Place,
  move: boolean,
  { releasers, interest }: Knowledge,
): State {
  const holders = state.holders.filter((holder) => !isWithin(holder.replace('!', ''), to));
  const facts = new Map(state.facts);
  for (const [place, fact] of facts) {
    if (isWithin(place, to) || (fact.startsWith('&') && isWithin(fact.slice(1), to))) facts.delete(place);
  }
  if (isPlace(from)) {
    // The same value in two places: what is learned of one is true of the other.
    const target = state.facts.get(from)?.startsWith('&') === true ? state.facts.get(from)! : `&${from}`;
    if (
      !move &&
      !isTemporary(from) &&
      from !== 'this' &&
      interest(to) > 0 &&
      !isWithin(target.slice(1), to)
    ) {
      facts.set(to, target);
    }
    for (const holder of state.holders) {
      const mark = holder.startsWith('!') ? '!' : '';
      const rest = remainder(mark === '' ? holder : holder.slice(1), from);
      if (rest !== null) holders.push(`${mark}${to}${rest}`);
    }
    // `const release = client.release`
    const above = holderAbove(state, from);
    if (above !== null && releasers.has(from.slice(above.length + 1))) holders.push(`!${to}`);
    for (const [place, fact] of state.facts) {
      if (!isWithin(place, from) || (fact.startsWith('&') && isWithin(fact.slice(1), to))) continue;
      if (!move && place === from && facts.has(to)) continue;
      facts.set(to + place.slice(from.length), fact);
      if (move) facts.delete(place);
    }
  } else if (from !== '=?' && interest(to) > 0) facts.set(to, from);
  const kept = move ? holders.filter((holder) => !isWithin(holder.replace('!', ''), from)) : holders;
  return { ...withHolders(state, kept), facts };
}

/** The states that take the branch and those that do not: one of them may be impossible. */
export function decide(
  state: State,
  test: Test,
  interest: Interest,
): { readonly yes: State | null; readonly no: State | null } {
  const answer = answerOf(state, test);
  if (answer !== null) return answer ? { yes: state, no: null } : { yes: null, no: state };
  const place = 'place' in test ? test.place : 'left' in test ? test.left : null;
  if (place === null || interest(place) < 2) return { yes: state, no: state };
  return { yes: learn(state, test, true), no: learn(state, test, false) };
}

function answerOf(state: State, test: Test): boolean | null {
  switch (test.kind) {
    case 'opaque':
    case 'each':
      return null;
    case 'truthy':
      return truthOf(state, test.place);
    case 'falsy': {
      const truth = truthOf(state, test.place);
      return truth === null ? null : !truth;
    }
    case 'nullish':
      return isNullish(state, test.place);
    case 'is': {
      const nullish = isNullish(state, test.place);
      return nullish === true ? false : holds(state, test.place) ? true : null;
    }
    case 'same':
      return isSame(state, test.left, test.right);
  }
}

function truthOf(state: State, place: Place): boolean | null {
  const fact = factOf(state, place);
  if (fact !== null) {
    if (['=null', '=undefined', '=false', '~falsy', '=""', '="0"'].includes(fact)) return false;
    return fact === '~nonnull' || fact === '=?' ? null : true;
  }
  if (contains(state, place)) return true;
  return stateOfLease(state, place);
}

/** `session.hasEnded`, `client.isOpen`: what the lease says of itself. */
function stateOfLease(state: State, place: Place): boolean | null {
  if (holderAbove(state, place) === null || state.status === 'none') return null;
  const name = lastSegment(place);
  const isOut = state.status !== 'released';
  if (/(ended|released|closed|destroyed|finished|completed|disposed)$/i.test(name)) return !isOut;
  return /^(is|_)?(open|connected)$/i.test(name) ? isOut : null;
}

function isNullish(state: State, place: Place): boolean | null {
  const fact = factOf(state, place);
  if (fact !== null) {
    if (fact === '=null' || fact === '=undefined') return true;
    // What `getStore()` and its like give is an object or nothing.
    if (fact === '~falsy' && place.endsWith('getStore()')) return true;
    return fact === '~falsy' || fact === '=?' ? null : false;
  }
  return contains(state, place) ? false : null;
}

function isSame(state: State, left: Place, right: Place): boolean | null {
  if (left === right) return true;
  const [leftHolds, rightHolds] = [holds(state, left), holds(state, right)];
  // A fresh lease is equal to nothing that does not hold it.
  if (leftHolds !== rightHolds) return false;
  if (leftHolds && rightHolds) return true;
  const [one, other] = [factOf(state, left), factOf(state, right)];
  if (one === null || other === null || !one.startsWith('=') || !other.startsWith('=')) return null;
  if (one === '=object' || other === '=object' || one === '=?' || other === '=?') return null;
  return one === other;
}

function factOf(state: State, place: Place): string | null {
  if (!isPlace(place)) return place;
  const fact = state.facts.get(place);
  if (fact?.startsWith('&') === true) return factOf(state, fact.slice(1));
  if (fact !== undefined) return fact;
  // A property of nothing is nothing, or the access has thrown.
  const above = rootOf(place);
  const whole = above === place ? undefined : state.facts.get(above);
  return whole === '=null' || whole === '=undefined' ? '=undefined' : null;
}

/** Whether a fact can be true as well. */
export function agrees(state: State, place: Place, fact: string): boolean {
  const truth = truthOf(state, place);
  if (truth === null) return true;
  return fact === '~truthy' ? truth : fact === '~falsy' || fact === '=null' ? !truth : true;
}

function learn(state: State, test: Test, isTrue: boolean): State {
  if (test.kind === 'opaque' || test.kind === 'each' || test.kind === 'is') return state;
  if (test.kind === 'same') {
    if (!isTrue) return state;
    if (isPlace(test.left) && !isPlace(test.right)) return withFact(state, test.left, test.right);
    return state;
  }
  if (!isPlace(test.place)) return state;
  const known = factOf(state, test.place) ?? undefined;
  const isTruthy = (test.kind === 'truthy') === isTrue;
  if (test.kind === 'nullish') {
    if (isTrue) return withFact(state, test.place, '=null');
    return known === undefined ? withFact(state, test.place, '~nonnull') : state;
  }
  return withFact(state, test.place, isTruthy ? '~truthy' : '~falsy');
}

export function withFact(state: State, place: Place, fact: string): State {
  if (fact === '=?' || fact === '=object') fact = fact === '=?' ? '' : '~truthy';
  const link = state.facts.get(place);
  if (link?.startsWith('&') === true) return withFact(state, link.slice(1), fact);
  const facts = new Map(state.facts);
  if (fact === '') facts.delete(place);
  else facts.set(place, fact);
  return { ...state, facts };
}

/** The trail of a path that left its way where `node` threw. */
export function threw(state: State, node: ts.Node): Trail {
  return { ...state.trail, bypass: node, how: 'throw' };
}

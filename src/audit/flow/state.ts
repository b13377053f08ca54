import type { ts } from 'ts-morph';
import type { Comparison, Test } from './graph.js';
import {
  isPlace,
  isTemporary,
  isWithin,
  lastSegment,
  type Place,
  property,
  remainder,
  rootOf,
} from './place.js';

/**
 * The state of one lease at one point of one path. `none`: not acquired on this path. `lazy`: there, but holding
 * nothing yet (a client that has not connected).
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
  /** The facts about other places. `~` in front: truthy, falsy, nonnull. */
  readonly facts: ReadonlyMap<Place, string>;
  /** Not part of the identity: what the finding tells. */
  readonly trail: Trail;
}

export interface Trail {
  /** The statement that turned the path from the way to the release: what threw, or the return. */
  readonly bypass: ts.Node | null;
  readonly how: 'throw' | 'return' | 'loop' | null;
  /** The place in a called function that it came from. */
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

/** The identity of a state: two states are the same if their keys are. `keys` must be those of the other state. */
export function keyOf(state: State, keys = KEYS): string {
  return keys.of(state);
}

/** Says in few letters which states are the same. States have long texts, and most share them with others. */
export class StateKeys {
  readonly #places = new Map<Place, Map<string, number>>();
  readonly #facts = new WeakMap<ReadonlyMap<Place, string>, string>();
  readonly #holders = new WeakMap<readonly Place[], string>();
  #count = 0;

  of(state: State): string {
    const { status, unlikely, rejecting, pending, leftBehind, holders, facts } = state;
    const marks = `${status}${unlikely ? '?' : ''}${rejecting ? '!' : ''}${pending ? '~' : ''}${leftBehind ? '&' : ''}`;
    return `${marks};${this.#ofHolders(holders)}#${facts.size === 0 ? '' : this.#ofFacts(facts)}`;
  }

  #ofHolders(holders: readonly Place[]): string {
    const known = this.#holders.get(holders);
    if (known !== undefined) return known;
    const key = holders.map((one) => this.#numberOf(one, '')).join();
    this.#holders.set(holders, key);
    return key;
  }

  #ofFacts(facts: ReadonlyMap<Place, string>): string {
    const known = this.#facts.get(facts);
    if (known !== undefined) return known;
    const numbers = new Uint32Array(facts.size);
    let at = 0;
    for (const [place, fact] of facts) numbers[at++] = this.#numberOf(place, fact);
    const key = numbers.sort().join();
    this.#facts.set(facts, key);
    return key;
  }

  #numberOf(place: Place, fact: string): number {
    let facts = this.#places.get(place);
    if (facts === undefined) {
      facts = new Map();
      this.#places.set(place, facts);
    }
    let number = facts.get(fact);
    if (number === undefined) {
      number = this.#count++;
      facts.set(fact, number);
    }
    return number;
  }
}

/** The keys of states that no walk compares. */
const KEYS = new StateKeys();

export function withHolders(state: State, holders: Iterable<Place>): State {
  const names = [...new Set(holders)].sort();
  return { ...state, holders: names.length > MANY_NAMES ? shortest(names) : names };
}

/** Objects that know each other give a lease thousands of names: `hub.db`, `hub.teams.db`, `hub.teams.hub.db` ... */
const MANY_NAMES = 32;
const NAMES_OF_A_ROOT = 4;

/** The names with the fewest properties, some for each variable. */
function shortest(names: readonly Place[]): Place[] {
  const byRoot = new Map<Place, Place[]>();
  for (const name of names) {
    const root = rootOf(name);
    byRoot.set(root, [...(byRoot.get(root) ?? []), name]);
  }
  const depthOf = (name: Place) => name.split('.').length;
  return [...byRoot.values()]
    .flatMap((own) => own.sort((a, b) => depthOf(a) - depthOf(b)).slice(0, NAMES_OF_A_ROOT))
    .sort();
}

/** The root of what is known of the lease itself, under whatever name it is reached: `lease|.open`. */
export const LEASE: Place = 'lease|';

/** The place under which facts are kept: a property of the lease is the same by each of its names. */
export function factPlace(state: State, place: Place): Place {
  const holder = isPlace(place) ? holderAbove(state, place) : null;
  return holder === null ? place : LEASE + place.slice(holder.length);
}

/** Sets what the lease says of itself. */
export function withLeaseFact(state: State, path: string, fact: string): State {
  const facts = new Map(state.facts);
  if (fact === '=?') facts.delete(`${LEASE}.${path}`);
  else facts.set(`${LEASE}.${path}`, fact);
  return { ...state, facts };
}

/** Forgets what the lease said of itself: it is another one, or gone. */
export function withoutLeaseFacts(state: State): State {
  const facts = [...state.facts].filter(([place]) => !isWithin(place, LEASE));
  return facts.length === state.facts.size ? state : { ...state, facts: new Map(facts) };
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
  /** Whether the lease is an instance of a class of this name. */
  readonly isOf: (type: string) => boolean;
}

/** `to = from`, for the lease and for what is known. */
export function assign(
  state: State,
  target: Place,
  source: Place,
  move: boolean,
  { releasers, interest }: Knowledge,
): State {
  const to = factPlace(state, target);
  const from = factPlace(state, source);
  const holders = state.holders.filter((holder) => !isWithin(holder.replace('!', ''), target));
  const facts = new Map(state.facts);
  for (const [place, fact] of facts) {
    if (isWithin(place, to) || (fact.startsWith('&') && isWithin(fact.slice(1), to))) facts.delete(place);
  }
  const derived = isPlace(from) && !facts.has(from) ? factOf(state, from) : null;
  if (derived !== null) {
    if (interest(to) > 0 || isWithin(to, LEASE)) facts.set(to, derived);
  } else if (isPlace(from)) {
    // The same value in two places: what is learned of one is true of the other.
    const link = state.facts.get(from)?.startsWith('&') === true ? state.facts.get(from)! : `&${from}`;
    if (!move && !isTemporary(from) && from !== 'this' && interest(to) > 0 && !isWithin(link.slice(1), to)) {
      facts.set(to, link);
    }
    for (const holder of state.holders) {
      const mark = holder.startsWith('!') ? '!' : '';
      const rest = remainder(mark === '' ? holder : holder.slice(1), source);
      if (rest !== null) holders.push(`${mark}${target}${rest}`);
    }
    // `const release = client.release`
    const above = holderAbove(state, source);
    if (above !== null && releasers.has(source.slice(above.length + 1))) holders.push(`!${target}`);
    for (const [place, fact] of state.facts) {
      if (!isWithin(place, from) || (fact.startsWith('&') && isWithin(fact.slice(1), to))) continue;
      if (!move && place === from && facts.has(to)) continue;
      facts.set(to + place.slice(from.length), fact);
      if (move) facts.delete(place);
    }
  } else if (from !== '=?' && (isWithin(to, LEASE) || interest(to) > 0)) facts.set(to, from);
  widenShape(facts, to);
  const kept = move ? holders.filter((holder) => !isWithin(holder.replace('!', ''), source)) : holders;
  return { ...withHolders(state, kept), facts };
}

/** An object that gets another property has that one too. */
function widenShape(facts: Map<Place, string>, to: Place): void {
  const dot = to.lastIndexOf('.');
  const shape = dot < 0 ? undefined : facts.get(to.slice(0, dot));
  if (shape?.startsWith('={') !== true) return;
  const name = to.slice(dot + 1);
  if (name === '[]') facts.delete(to.slice(0, dot));
  else if (!shape.slice(2).split(',').includes(name)) facts.set(to.slice(0, dot), `${shape},${name}`);
}

/** The states that take the branch and those that do not: one of them may be impossible. */
export function decide(
  state: State,
  test: Test,
  { interest, isOf, releasers }: Knowledge,
): { readonly yes: State | null; readonly no: State | null } {
  const answer = answerOf(state, test, isOf) ?? answerOfRelease(state, test, releasers);
  if (answer !== null) {
    const after = isDoubtful(state, test) ? { ...state, unlikely: true } : state;
    return answer ? { yes: after, no: null } : { yes: null, no: after };
  }
  const place = 'place' in test ? test.place : 'left' in test ? test.left : null;
  if (place === null || interest(place) < 2) return { yes: state, no: state };
  return { yes: learn(state, test, true), no: learn(state, test, false) };
}

function answerOf(state: State, test: Test, isOf: Knowledge['isOf']): boolean | null {
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
      if (nullish === true) return false;
      return holds(state, test.place) ? test.type === null || isOf(test.type) : null;
    }
    case 'has': {
      const part = property(test.place, test.name);
      if (contains(state, part)) return true;
      // A lease has its methods, and no mark that nobody has put on it: `'savepoint' in transaction`.
      if (holds(state, test.place)) return METHODS.test(test.name) || factOf(state, part) !== null;
      return isPlace(part) && factOf(state, part) === '=undefined' ? false : null;
    }
    case 'primitive':
      return contains(state, test.place) ? false : null;
    case 'compare':
      return compare(state, test.left, test.operator, test.right);
    case 'same':
      return isSame(state, test.left, test.right);
  }
}

/** The methods by which code tells clients, connections, sessions and transactions apart. */
const METHODS =
  /^(query|execute|exec|run|connect|end|close|destroy|release|on|once|promise|prepare|get|all|begin\w*|start\w*|commit\w*|rollback\w*|abort\w*|escape\w*|format|config|threadId|processID|connection|isTransactionActive|manager)$/;

/** `if (client.release)`, `client.release?.()`: a lease has the method that ends it. */
function answerOfRelease(state: State, test: Test, releasers: ReadonlySet<string>): boolean | null {
  if (test.kind !== 'truthy' && test.kind !== 'falsy' && test.kind !== 'nullish') return null;
  if (!isPlace(test.place) || state.status === 'none') return null;
  const above = holderAbove(state, test.place);
  if (above === null || !releasers.has(test.place.slice(above.length + 1))) return null;
  return test.kind === 'truthy';
}

/** A fact that follows from a commit that failed: the driver says so, but rests on what the server did. */
const DOUBT = '!';

function isDoubtful(state: State, test: Test): boolean {
  if ('left' in test) return [test.left, test.right].some((one) => isDoubt(state, one));
  return 'place' in test && isDoubt(state, test.place);
}

function isDoubt(state: State, place: Place): boolean {
  return isPlace(place) && state.facts.get(factPlace(state, place))?.endsWith(DOUBT) === true;
}

function truthOf(state: State, place: Place): boolean | null {
  const fact = factOf(state, place);
  if (fact !== null) {
    if (FALSE.has(fact)) return false;
    return fact === '~nonnull' || fact === '=?' ? null : true;
  }
  if (contains(state, place)) return true;
  return stateOfLease(state, place);
}

const FALSE: ReadonlySet<string> = new Set(['=null', '=undefined', '=false', '~falsy', '=""', '=0']);

/** `session.hasEnded`, `client.isOpen`: what the lease says of itself. */
function stateOfLease(state: State, place: Place): boolean | null {
  const owner = place.slice(0, Math.max(0, place.lastIndexOf('.')));
  if (owner === '' || owner === 'this' || state.status === 'none') return null;
  // An object that has the lease in it says the same of itself.
  if (holderAbove(state, place) === null && !contains(state, owner)) return null;
  const name = lastSegment(place).replace('()', '');
  const isOut = state.status !== 'released';
  if (/(ended|released|closed|destroyed|finished|completed|disposed)$/i.test(name)) return !isOut;
  return /^(is|_)?(open|connected|up|alive|initialized)$/i.test(name) ? isOut : null;
}

function isNullish(state: State, place: Place): boolean | null {
  const fact = factOf(state, place);
  if (fact !== null) {
    if (fact === '=null' || fact === '=undefined') return true;
    // `getStore()` and similar methods return an object or nothing.
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
  // A flag that nobody has set on this lease.
  if (isUnsetFlag(state, left, right) || isUnsetFlag(state, right, left)) return false;
  const [one, other] = [comparable(state, left), comparable(state, right)];
  if (one === null || other === null || !one.startsWith('=') || !other.startsWith('=')) return null;
  if (one === '=?' || other === '=?') return null;
  // Two things of which no more is known may be the same; a thing and a text, number or nothing never are.
  if (isThing(one) && isThing(other)) return null;
  return one === other;
}

function numberOf(state: State, place: Place): number | null {
  const fact = factOf(state, place);
  return fact !== null && /^=-?\d+$/.test(fact) ? Number(fact.slice(1)) : null;
}

function compare(state: State, left: Place, operator: Comparison, right: Place): boolean | null {
  const [one, other] = [numberOf(state, left), numberOf(state, right)];
  if (one === null || other === null) return null;
  if (operator === '<') return one < other;
  if (operator === '<=') return one <= other;
  return operator === '>' ? one > other : one >= other;
}

/** More levels of nesting than anybody has; a counter that has gone past them is one of something else. */
const LEVELS = 4;

/**
 * `this.depth++`. A counter of nesting that is not known stood at nothing before it is raised, and at one before it
 * is lowered: the caller that acquired is the outermost. Other numbers, as of a loop, are not followed.
 */
export function counted(state: State, place: Place, by: number | null): State {
  const known = numberOf(state, place);
  const isField = place.includes('.');
  const before = known ?? (isField && by === 1 ? 0 : isField && by === -1 ? 1 : null);
  const after = before === null || by === null || !isField ? null : before + by;
  return withFact(state, place, after === null || Math.abs(after) > LEVELS ? '=?' : `=${after}`);
}

function isUnsetFlag(state: State, flag: Place, value: Place): boolean {
  if (value !== '=true' || !isPlace(flag) || flag.endsWith('()')) return false;
  return holderAbove(state, flag) !== null && comparable(state, flag) === null;
}

function isThing(fact: string): boolean {
  return fact === '=object' || fact.startsWith('={') || fact.startsWith('=ƒ');
}

/** The known value of a place in a form that can be compared: `runner.isReleased === false`. */
function comparable(state: State, place: Place): string | null {
  const fact = factOf(state, place);
  if (fact !== null) return fact.startsWith('~') ? null : fact;
  const said = isPlace(place) ? stateOfLease(state, place) : null;
  return said === null ? null : `=${said}`;
}

export function factOf(state: State, place: Place): string | null {
  if (!isPlace(place)) return place;
  const at = factPlace(state, place);
  const fact = state.facts.get(at);
  if (fact?.startsWith('&') === true) return factOf(state, fact.slice(1));
  if (fact !== undefined) return fact.endsWith(DOUBT) ? fact.slice(0, -1) : fact;
  // A property of nothing is nothing, or the access has thrown.
  const root = rootOf(at);
  const whole = root === at ? undefined : state.facts.get(root);
  if (whole === '=null' || whole === '=undefined') return '=undefined';
  const dot = at.lastIndexOf('.');
  if (dot < 0) return null;
  const above = at.slice(0, dot);
  const shape = state.facts.get(above);
  if (shape?.startsWith('&') === true) return factOf(state, shape.slice(1) + at.slice(dot));
  if (shape?.startsWith('={') !== true || contains(state, place)) return null;
  return shape
    .slice(2)
    .split(',')
    .includes(at.slice(dot + 1))
    ? null
    : '=undefined';
}

/** Whether a fact can be true as well. */
export function agrees(state: State, place: Place, fact: string): boolean {
  const truth = truthOf(state, place);
  if (truth === null) return true;
  return fact === '~truthy' ? truth : fact === '~falsy' || fact === '=null' ? !truth : true;
}

function learn(state: State, test: Test, isTrue: boolean): State {
  if (test.kind === 'opaque' || test.kind === 'each' || test.kind === 'is') return state;
  if (test.kind === 'has' || test.kind === 'primitive' || test.kind === 'compare') return state;
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
  const at = factPlace(state, place);
  const link = state.facts.get(at);
  if (link?.startsWith('&') === true) return withFact(state, link.slice(1), fact);
  const facts = new Map(state.facts);
  if (fact === '') facts.delete(at);
  else facts.set(at, fact);
  return { ...state, facts };
}

/** The trail of a path that left its way where `node` threw. */
export function threw(state: State, node: ts.Node): Trail {
  return { ...state.trail, bypass: node, how: 'throw' };
}

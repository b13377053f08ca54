import { ts } from 'ts-morph';
import { type Body, isFunction } from '../code/scope.js';
import type { Call } from './graph.js';
import type { Liveness } from './live.js';
import { isPlace, isTemporary, isWithin, ownerOf, type Place, property, rootOf, UNKNOWN } from './place.js';
import { assign, contains, type Knowledge, type State, withHolders } from './state.js';
import type { Program } from './types.js';

// Decides which parts of a state go with a path into a function that is called, which come back out of it, and which
// are dropped.

/** From so many states on, less is known of those that come to the same place. */
export const STATES_AT_A_NODE = 48;
export const COARSE_STATES_AT_A_NODE = 4;

/** Whether the lease is still to be released on this path. */
export function isOut(state: State): boolean {
  return state.status === 'held' || state.status === 'lazy';
}

/** The call's own result and the temporaries it was given are of no further use. */
export function forget(state: State, call: Call): State {
  return dropTemporaries(withoutResult(state, call), call);
}

/** Nothing is known of what a call gives. */
export function withoutResult(state: State, call: Call): State {
  // The answer to a question stays the same: `als.getStore()`.
  return call.to.endsWith('()') ? state : assign(state, call.to, UNKNOWN, false, NONE);
}

const NONE: Knowledge = { releasers: new Set(), interest: () => 0, isOf: () => true };

export function dropTemporaries(state: State, call: Call): State {
  const dead = call.args.filter(isTemporary);
  if (dead.length === 0) return state;
  const stays = (place: Place) => !dead.some((one) => isWithin(place.replace('!', ''), one));
  const holders = state.holders.filter(stays);
  if (holders.length === 0) return state; // the only trace of the lease
  const facts = new Map([...state.facts].filter(([place]) => stays(place)));
  return { ...state, holders, facts };
}

export function withLiveFacts(state: State, node: number, isLive: Liveness): State {
  if (state.facts.size === 0) return state;
  // The properties of an object are known for the sake of those that it does not have.
  const lives = (place: Place, fact: string) => isLive(node, place, fact.startsWith('={'));
  let dead = false;
  for (const [place, fact] of state.facts) if (!lives(place, fact)) dead = true;
  if (!dead) return state;
  const kept = new Map<Place, string>();
  for (const [place, fact] of state.facts) {
    if (!lives(place, fact)) continue;
    kept.set(place, fact);
    // The target of a live name stays alive with it.
    const target = fact.startsWith('&') ? state.facts.get(fact.slice(1)) : undefined;
    if (target !== undefined) kept.set(fact.slice(1), target);
  }
  return { ...state, facts: kept };
}

/**
 * If there are too many paths, the facts about fields go first, then all facts. The facts at the acquire call stay:
 * they show who owns the lease, and are the same on all paths.
 */
export function withFewerFacts(state: State, keepsVariables: boolean, owning: ReadonlySet<Place>): State {
  const kept = [...state.facts].filter(
    ([place, fact]) =>
      owning.has(place) || isFlagBeside(place, fact, state) || (keepsVariables && !place.includes('.')),
  );
  return { ...state, facts: new Map(kept) };
}

/** `transaction.completed`, where `transaction.client` is the lease: says whether it is still to be released. */
function isFlagBeside(place: Place, fact: string, { holders }: State): boolean {
  if (fact !== '=true' && fact !== '=false') return false;
  const object = place.slice(0, place.lastIndexOf('.') + 1);
  return object !== '' && holders.some((one) => one.replace('!', '').startsWith(object));
}

/**
 * Puts aside the facts that a called function cannot see, and brings them back afterwards. `makes`: it is a
 * constructor, and `this` is the object that it makes.
 */
export function framed(
  state: State,
  args: readonly Place[],
  body: Body,
  program: Program,
  makes = false,
): { readonly entry: State; readonly restore: (after: State) => State } {
  const around = new Set<string>();
  for (let at: ts.Node | undefined = body.parent; at !== undefined; at = at.parent) {
    if (isFunction(at) || ts.isSourceFile(at)) around.add(program.idOf(at));
  }
  const inside = new Map<Place, string>();
  const aside = new Map<Place, string>();
  for (const [place, fact] of state.facts) {
    const isVisible =
      ownerOf(place) === 'lease' ||
      around.has(ownerOf(place) ?? '') ||
      args.some((arg) => isPlace(arg) && isWithin(place, arg));
    (isVisible || isWithin(place, 'this') ? inside : aside).set(place, fact);
  }
  return {
    entry: { ...state, facts: inside },
    restore(after) {
      if (!isOut(after) && after.holders.length === 0) return after;
      // Facts about fields that the function only tested would multiply the paths. A constructor has set them.
      const stays = (place: Place) => makes || rootOf(place) !== 'this' || inside.has(place);
      const learnt = [...after.facts].filter(([place]) => stays(place));
      return { ...after, facts: new Map([...aside, ...learnt]) };
    },
  };
}

/** An object that was made of the lease has it in it, wherever its constructor put it. */
export function wrapped(state: State, before: State, call: Call): State {
  if (!call.isNew || !isOut(state) || contains(state, call.to)) return state;
  if (!call.args.some((arg) => isPlace(arg) && contains(before, arg))) return state;
  return withHolders(state, [...state.holders, property(call.to, 'wrapped')]);
}

/** The second state, with what held the lease before. */
export function keep(before: State, after: State): State {
  return withHolders(after, [...before.holders, ...after.holders]);
}

export function dropLocals(state: State, id: string): State {
  const facts = new Map([...state.facts].filter(([place]) => ownerOf(place) !== id));
  const holders = state.holders.filter((one) => ownerOf(one.replace('!', '')) !== id);
  // A function literal that was left behind may still know the variable.
  return { ...state, holders: holders.length > 0 ? holders : state.holders, facts };
}

/**
 * The name of a place in a method that is called on `receiver`: each `^` stands for the `this` of one caller further
 * out.
 */
export function insideOf(place: Place, receiver: Place): Place {
  const [mark, bare] = cutMark(place);
  if (isWithin(bare, receiver)) return `${mark}this${bare.slice(receiver.length)}`;
  return /^\^*this(\.|$)/.test(bare) ? `${mark}^${bare}` : place;
}

function outsideOf(place: Place, receiver: Place): Place {
  const [mark, bare] = cutMark(place);
  if (isWithin(bare, 'this')) return mark + receiver + bare.slice('this'.length);
  return bare.startsWith('^') ? mark + bare.slice(1) : place;
}

/** The mark of a function that releases, and the place behind it. */
function cutMark(place: Place): [mark: string, bare: Place] {
  return place.startsWith('!') ? ['!', place.slice(1)] : ['', place];
}

function renamed(state: State, rename: (place: Place) => Place): State {
  const facts = [...state.facts].map(
    ([place, fact]) => [rename(place), fact.startsWith('&') ? `&${rename(fact.slice(1))}` : fact] as const,
  );
  return { ...withHolders(state, state.holders.map(rename)), facts: new Map(facts) };
}

export function swapThis(state: State, receiver: Place): State {
  return renamed(state, (place) => insideOf(place, receiver));
}

export function swapBack(state: State, receiver: Place): State {
  return renamed(state, (place) => outsideOf(place, receiver));
}

import { ts } from 'ts-morph';
import { resultsOf } from '../../code/syntax.js';
import { forget } from '../frames.js';
import type { Call } from '../graph.js';
import { withoutParentheses } from '../lower/expressions.js';
import { ATTACHING, CALLBACK, DISPOSERS, isCloser, LISTENS, RELEASING } from '../names.js';
import { isPlace, isWithin, lastSegment, ownerOf, type Place, property } from '../place.js';
import { contains, holds, type State } from '../state.js';
import type { Outcome } from '../types.js';
import type { Walk } from '../walk.js';
import { mentions } from './entering.js';

export function isRelease(walk: Walk, state: State, call: Call): boolean {
  if (state.holders.includes(`!${call.callee}`)) return true;
  const { methods, takes, ofParent } = walk.site.spec.release;
  const { receiver, name } = call;
  // A function of the project is followed, unless there are too many paths.
  const isFollowed = walk.follows && isOfProject(walk, call);
  if (receiver !== null && (methods.includes(name) || DISPOSERS.has(name))) {
    if (holds(state, receiver)) return !isHalfClose(call);
    // A wrapper around the lease that is closed, closes it.
    if (contains(state, receiver) && receiver !== 'this' && !isFollowed) return true;
  }
  // So does a wrapper of another library, by whatever it calls that.
  if (receiver !== null && isCloser(name) && isWrapped(state, receiver) && !isFollowed) return true;
  if (receiver !== null && ofParent.includes(name) && walk.parents.has(receiver)) return true;
  const handed = call.args.some((arg) => isPlace(arg) && holds(state, arg));
  if (!handed) return false;
  // A lender takes its lease back. A pool of the project may only keep it after that.
  const isTakenBack = takes.includes(name) || RELEASING.test(name);
  if (receiver !== null && isTakenBack && walk.parents.has(receiver)) return true;
  if (isFollowed) return false;
  return takes.includes(name) || RELEASING.test(name);
}

/** Whether a place has an object that was made of the lease by code that is not known. */
function isWrapped(state: State, place: Place): boolean {
  return state.holders.some((one) => isWithin(one, property(place, 'wrapped')));
}

export function isOfProject(walk: Walk, { node }: Call): boolean {
  return !ts.isTaggedTemplateExpression(node) && walk.program.entities.calledBy(node) !== null;
}

export function releaseBy(walk: Walk, state: State, call: Call): Outcome {
  // A release that fails has still given the lease up.
  const released = asReleased(walk, state, call.node);
  if (walk.remembers)
    return {
      next: [forget(isCertain(walk, state, call) ? rememberedAs(state, released) : released, call)],
    };
  return { next: [released], thrown: call.mode === 'awaited' ? [released] : [] };
}

/** Whether a call releases this very lease: not a wrapper, nor all that the pool has lent. */
export function isCertain(walk: Walk, state: State, { callee, receiver, name, args }: Call): boolean {
  const { methods, takes } = walk.site.spec.release;
  if (state.holders.includes(`!${callee}`)) return true;
  if (receiver !== null && methods.includes(name) && holds(state, receiver)) return true;
  return takes.includes(name) && args.some((arg) => isPlace(arg) && holds(state, arg));
}

export function asReleased(walk: Walk, state: State, node: ts.Node): State {
  walk.hasReleased = true;
  return {
    ...state,
    status: 'released',
    holders: [],
    // Only a loop comes back to where they matter.
    facts: walk.isRepeated ? state.facts : new Map(),
    trail: { ...state.trail, released: node },
  };
}

export function asEscaped(state: State): State {
  return { ...state, status: 'escaped', holders: [], facts: new Map() };
}

/** Calls after which the lease belongs to somebody else. */
export function handsOff(walk: Walk, state: State, call: Call): boolean {
  const { receiver, name, args, node } = call;
  const onLease = receiver !== null && holds(state, receiver);
  const isTaken = onLease || args.some((arg) => isPlace(arg) && contains(state, arg));
  const { handoff, handoffUnless } = walk.site.spec;
  if (isTaken && handoff?.includes(name) === true && handoffUnless?.test(node.getText()) !== true)
    return true;
  // A client that listens is kept for as long as the process runs.
  if (onLease && LISTENS.test(name) && firstText(node) === 'notification') return true;
  if (onLease && /^\s*LISTEN\b/i.test(firstText(node) ?? '')) return true;
  if (['use', 'adopt', 'defer'].includes(name) && /stack|disposer|cleanup|scope/i.test(receiver ?? '')) {
    return (
      args.some((arg) => contains(state, arg)) ||
      call.closures.some((one) => one !== null && mentions(walk, one, state))
    );
  }
  const attaches =
    ATTACHING.test(name) &&
    (args.some((arg) => isPlace(arg) && contains(state, arg)) ||
      call.closures.some((one) => gives(one, state)));
  if (attaches && !onLease && !isOfProject(walk, call)) return true;
  // `callback(null, client)`: the caller's function has it now.
  const index = args.findIndex((arg) => isPlace(arg) && contains(state, arg));
  if (index < 0 || call.mode === 'awaited' || onLease) return false;
  if (CALLBACK.test(name) && lastSegment(receiver ?? '') !== 'Promise') return !isOfProject(walk, call);
  if (receiver !== null) return false;
  if (index > 0 && isErrorFirst(args[0] ?? '')) return true;
  // A function that was given to this one, in code that goes on in callbacks.
  return walk.isByCallback && call.mode === 'floating' && isParameter(walk, call.callee);
}

/** `connections.connect(id, async () => client)`: whether all that a function does is to give the lease. */
function gives(closure: ts.SignatureDeclaration | null, { holders }: State): boolean {
  const results = closure === null ? [] : resultsOf(closure).map(withoutParentheses);
  return results.some(
    (one) => ts.isIdentifier(one) && holders.some((holder) => lastSegment(holder) === one.text),
  );
}

export function firstText(node: Call['node']): string | null {
  const first = ts.isTaggedTemplateExpression(node) ? node.template : node.arguments?.[0];
  if (first === undefined) return null;
  if (ts.isStringLiteralLike(first)) return first.text;
  return ts.isTemplateExpression(first) ? first.head.text : null;
}

/** `response.end(data)` of a stream that happens to be within: closing half of something is no release. */
export function isHalfClose(call: Call): boolean {
  return call.name === 'end' && call.args.length > 0 && call.args[0]?.startsWith('="') === true;
}

/** `use(null, client)` and `use(error, client)`: who is called that way takes what he is given. */
export function isErrorFirst(first: Place): boolean {
  return first === '=null' || first === '=undefined' || /^e(rr(or)?)?$/i.test(lastSegment(first));
}

function isParameter(walk: Walk, place: Place): boolean {
  const owner = walk.program.bodyOf(ownerOf(place) ?? '');
  return owner !== null && walk.program.graphOf(owner).params.includes(place) && !walk.given.has(place);
}

/** Released, with the names that it had. */
export function rememberedAs({ holders, facts }: State, released: State): State {
  return { ...released, holders, facts };
}

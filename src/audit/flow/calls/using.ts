import { ts } from 'ts-morph';
import { isKept, isPython } from '../../languages/python/raises.js';
import { dropTemporaries, forget, isOut, keep, withoutResult } from '../frames.js';
import type { Call } from '../graph.js';
import { isValueOfUsing } from '../lower/statements.js';
import {
  EACH,
  LISTENS,
  READS,
  READS_ALL,
  SAME_THING,
  STORES,
  saysInWords,
  saysItEnds,
  WRAPPING,
} from '../names.js';
import { ELEMENT, isPlace, isTemporary, isWithin, type Place, property, UNKNOWN } from '../place.js';
import { raiseOf, raiseOfAcquiring } from '../raises.js';
import { assign, contains, holderAbove, holds, type State, threw, withHolders } from '../state.js';
import type { Outcome } from '../types.js';
import { CALL_DEPTH, DEPTH, type Walk } from '../walk.js';
import {
  bodyCalledBy,
  calleeFor,
  closuresAmong,
  enterFunction,
  functionArguments,
  invokeFunction,
  mentions,
  withClosures,
} from './entering.js';
import { isOfProject } from './releasing.js';

export function noteCall(walk: Walk, state: State, call: Call): void {
  const { callee, receiver, node } = call;
  if (!isOut(state) && state.status !== 'released') return;
  const isOn = holds(state, callee) || state.holders.includes(`!${callee}`);
  const isTaken =
    walk.site.spec.release.takes.includes(call.name) && call.args.some((arg) => holds(state, arg));
  if (!isOn && !isTaken && (receiver === null || !holds(state, receiver))) return;
  const noted = walk.calls.get(node) ?? { call, after: new Set() };
  noted.after.add(state.status === 'released' ? state.trail.released : null);
  walk.calls.set(node, noted);
}

export function intoArray(walk: Walk, state: State, call: Call): State {
  return assign(
    withHolders(
      state,
      state.holders.map((one) =>
        isWithin(one, call.to) ? `${call.to}.${ELEMENT}${one.slice(call.to.length)}` : one,
      ),
    ),
    UNKNOWN,
    UNKNOWN,
    false,
    walk.knowledge,
  );
}

export function exitsProcess(walk: Walk, call: Call): boolean {
  const { node, name } = call;
  if (!ts.isCallExpression(node)) return false;
  if (
    (name === 'exit' || name === 'abort' || name === 'reallyExit') &&
    /(^|\.)process$/.test(receiverText(node))
  ) {
    return true;
  }
  const body = walk.program.entities.calledBy(node);
  if (body !== null && walk.program.traitsOf(body).exits) return true;
  // One that is named for it may leave the exit to another process: that of a worker.
  return EXITING.test(name) && (body === null || /\bprocess\.exit\(/.test(body.getText()));
}

const EXITING = /^(exitWithError|exitProcess|processExit|die)$/;

/** A call that may have to do with the lease, but does not end it by itself. */
export function callWithLease(walk: Walk, state: State, call: Call, depth: number): Outcome {
  const outcome = followCall(walk, state, call, depth);
  const promise =
    call.mode === 'awaited' && walk.isPromised ? call.args.find((arg) => holds(state, arg)) : undefined;
  if (promise === undefined || call.to === UNKNOWN) return outcome;
  // `const pending = pool.connect(); const client = await withTimeout(pending)`: what it waits for is the lease.
  const next = outcome.next.map((one) =>
    isOut(one) && !contains(one, call.to)
      ? keep(one, assign(one, call.to, promise, false, walk.knowledge))
      : one,
  );
  return { ...outcome, next };
}

function followCall(walk: Walk, state: State, call: Call, depth: number): Outcome {
  if (exitsProcess(walk, call)) {
    // An exit somewhere in what is called is not what the caller counts on.
    return depth < CALL_DEPTH
      ? { next: [] }
      : { next: [], thrown: [{ ...state, trail: threw(state, call.node) }] };
  }
  const { receiver, args } = call;
  const isOn = receiver !== null && (holds(state, receiver) || holderAbove(state, receiver) !== null);
  const isHanded = args.some((arg) => isPlace(arg) && contains(state, arg));
  const { arms, enters } = walk.site;
  const isOnInstance = arms !== undefined && isOn && !isHanded;
  const isFollowed = !isOnInstance || enters?.has(call.name) === true;
  const armed = armedBy(walk, state, call, isOn, isHanded);

  if (EACH.has(call.name) && call.closures[0]) return eachElement(walk, armed, call, call.closures[0], depth);
  const callee = isFollowed ? calleeFor(walk, armed, call, isHanded) : null;
  if (callee !== null && walk.follows && depth < DEPTH) {
    if (!isOnInstance || state.status !== 'lazy') {
      const closures = isHanded || isOn ? [] : closuresAmong(walk, armed, call);
      const outcome = enterFunction(walk, armed, call, callee, isOn, depth);
      // Functions that it was given, and that it keeps for later, may be called at any time.
      const isLater = closures.length > 0 && !closures.some((one) => walk.invoked.has(one));
      return (isLater ? withClosures(walk, armed, call, isOn, depth) : null) ?? outcome;
    }
    // Its own methods say when it is open; where that cannot be followed, their names do.
    const outcome = enterFunction(walk, state, call, callee, isOn, depth);
    const opens = armed.status === 'held' && !outcome.next.some(({ status }) => status === 'held');
    return opens ? { ...outcome, next: outcome.next.map(asHeld) } : outcome;
  }
  const outcome = withClosures(walk, armed, call, isOn, depth);
  if (outcome !== null) return outcome;
  if (!isHanded || isOn) return borrow(walk, state, armed, call, isOn, isHanded);
  walk.wentOut = true;
  if (!walk.follows && !isPython(call.node) && isOfProject(walk, call)) walk.wentUnseen = true;
  // Nobody knows whether it releases, but its name says that it may.
  const isEnded =
    (isPython(call.node) ? saysInWords(call.name) : saysItEnds(call.name)) &&
    !isOfProject(walk, call) &&
    args.some((arg) => isPlace(arg) && holds(state, arg));
  const after = isEnded ? { ...armed, unlikely: true } : armed;
  return borrow(walk, state, after, call, isOn, isHanded);
}

export function borrow(
  walk: Walk,
  before: State,
  state: State,
  call: Call,
  isOn: boolean,
  isHanded: boolean,
): Outcome {
  const fresh = call.isNew || isOn || isPython(call.node) ? undefined : freshArgument(state, call);
  if (fresh !== undefined) {
    // `watched(await pool.connect())`: what it gives is all there is to release it by.
    return { next: [keep(forget(state, call), assign(state, call.to, fresh, false, walk.knowledge))] };
  }
  const raised = raisedBy(walk, before, state, call, isOn || isHanded);
  if (neverReturns(walk, state, call)) return { next: [], thrown: raised };
  const after = afterCall(walk, state, call, isOn, isHanded);
  return call.mode === 'returned' ? { next: [after, ...raised] } : { next: [after], thrown: raised };
}

/** `throwHttpError(error)`: whether a call throws in any case. */
function neverReturns(walk: Walk, state: State, call: Call): boolean {
  if (call.isNew) return false;
  const body = bodyCalledBy(walk, state, call);
  if (body === null) return false;
  const { onlyThrows, isAsync } = walk.program.traitsOf(body);
  return onlyThrows && (!isAsync || call.mode === 'awaited' || isPython(call.node));
}

/** The call by which an instance of a class of the project gets what it holds. Where it fails, there is nothing. */
export function openInstance(walk: Walk, state: State, call: Call, depth: number): Outcome {
  const { next, detached = [] } = callWithLease(walk, asHeld(state), call, depth);
  return { next, thrown: [state], detached };
}

function asHeld(state: State): State {
  return state.status === 'lazy' ? { ...state, status: 'held' } : state;
}

/** A lazy lease holds a connection from its first use on. */
export function armedBy(walk: Walk, state: State, call: Call, isOn: boolean, isHanded: boolean): State {
  if (state.status !== 'lazy') return state;
  const { armedBy } = walk.site.pattern;
  // The analysis follows what a function of the project does with it; an object made of it uses it later, if at all.
  // If nothing is followed, a function of Python that takes a session uses it.
  const isFollowed = isOfProject(walk, call) && (walk.follows || !isPython(call.node));
  const isGivenAway =
    isHanded &&
    !(isPython(call.node) && (isKept(call) || isOpenedElsewhere(walk))) &&
    walk.site.arms === undefined &&
    (armedBy === undefined ? call.isNew || !isFollowed : !makesObject(call) && !isFollowed);
  const arms =
    isGivenAway ||
    (isOn &&
      !(LISTENS.test(call.name) && call.args.length > 0) &&
      (armedBy === undefined || armedBy.includes(call.name)));
  return arms ? { ...state, status: 'held' } : state;
}

/** Whether the code that is given an unopened lease opens it, and so closes it: `Watchdog(controller, ib)`. */
function isOpenedElsewhere({ site: { pattern } }: Walk): boolean {
  return pattern.armedBy !== undefined && pattern.holdsOnFailure !== true;
}

/** `new X(lease)`, or the same in Python, where only the name of a library's class tells. */
function makesObject({ isNew, name, node }: Call): boolean {
  return isNew || (isPython(node) && /^_*[A-Z]\w*[a-z]/.test(name));
}

export function raisedBy(walk: Walk, before: State, armed: State, call: Call, onLease: boolean): State[] {
  const { spec } = walk.site;
  const node = call.node;
  const body = bodyCalledBy(walk, armed, call);
  const callee = body === null ? walk.program.calleeTraits(node) : walk.program.traitsOf(body);
  const isReturned = call.mode === 'returned';
  if (spec.release.methods.includes(call.name) && call.mode !== 'awaited') return [];
  if (onLease && partOf(walk, armed, call) !== null) return [];
  // `using _ = defer(() => ...)` only keeps what it is given.
  if (isValueOfUsing(node) && !isPython(node)) return [];
  const raise = walk.program.acquires.has(node)
    ? raiseOfAcquiring(node)
    : raiseOf(call, {
        onLease,
        isSyncLease: spec.isSync === true,
        protocol: spec.protocol,
        callee,
      });
  if (raise === 'never') return [];
  // A lease that fails to connect holds nothing.
  const { armedBy, holdsOnFailure } = walk.site.pattern;
  const isOpening =
    raise === 'protocol' || (holdsOnFailure !== true && armedBy?.includes(call.name) === true);
  const state = before.status === 'lazy' && isOpening ? before : armed;
  return [
    {
      ...state,
      unlikely: state.unlikely || raise === 'protocol',
      pending: isReturned,
      trail: threw(state, node),
    },
  ];
}

export function afterCall(walk: Walk, state: State, call: Call, isOn: boolean, isHanded: boolean): State {
  const { receiver, to, name } = call;
  if (
    isOn &&
    receiver !== null &&
    (SAME_THING.has(name) || LISTENS.test(name) || walk.site.spec.returnsItself?.includes(name) === true) &&
    contains(state, receiver)
  ) {
    return assign(state, to, receiver, false, walk.knowledge);
  }
  // `client.release.bind(client)`
  if (receiver !== null && name === 'bind') return assign(state, to, receiver, false, walk.knowledge);
  // The arguments count until what they are put into has them: `list.push({ client })`.
  const after = withoutResult(state, call);
  return dropTemporaries(storedBy(walk, state, after, call, isOn, isHanded), call);
}

/** Puts the lease into a collection, an object or the result, by the name of the call. */
function storedBy(
  walk: Walk,
  state: State,
  after: State,
  call: Call,
  isOn: boolean,
  isHanded: boolean,
): State {
  const { receiver, args, to, name } = call;
  if (receiver !== null && STORES.has(name)) {
    // `cleanups.push(() => client.release())`
    const releases = functionArguments(walk, state, call).some(
      (one) => mentions(walk, one, state) && walk.isEndedBy(one, state),
    );
    if (releases) return withHolders(after, [...after.holders, `!${property(receiver, ELEMENT)}`]);
  }
  const [target, ...sources] = args;
  if (name === 'assign' && target !== undefined && isHanded && sources.length > 0) {
    // `Object.assign(this, { client })`: the target has what the others have, and is what is given back.
    const given = contains(state, target)
      ? keep(after, assign(after, to, target, false, walk.knowledge))
      : after;
    const from = sources.find((arg) => isPlace(arg) && contains(state, arg));
    return from === undefined ? given : keep(given, assign(after, target, from, false, walk.knowledge));
  }
  if (receiver !== null && STORES.has(name) && isHanded) {
    const from = args.find((arg) => isPlace(arg) && contains(state, arg)) ?? UNKNOWN;
    const element = property(receiver, ELEMENT);
    const stored = keep(after, assign(after, element, from, false, walk.knowledge));
    // The pair of a map, as `for (const [key, client] of map)` reads it.
    return name === 'set'
      ? keep(stored, assign(after, property(element, '1'), from, false, walk.knowledge))
      : stored;
  }
  if (isHanded && !isOn && name === 'get' && receiver !== null) {
    // `wrappers.get(client)`: what was made of it before.
    return keep(after, assign(after, property(to, 'wrapped'), args[0] ?? UNKNOWN, false, walk.knowledge));
  }
  const part = isOn ? partOf(walk, state, call) : null;
  if (part !== null) return keep(after, assign(after, property(to, 'wrapped'), part, false, walk.knowledge));
  if (receiver !== null && READS_ALL.has(name) && contains(state, receiver)) {
    return assign(after, to, receiver, false, walk.knowledge);
  }
  if (receiver !== null && READS.has(name) && contains(state, receiver)) {
    return assign(after, to, property(receiver, ELEMENT), false, walk.knowledge);
  }
  if (isHanded && (makesObject(call) || (call.mode !== 'awaited' && WRAPPING.test(name)))) {
    const from = args.find((arg) => isPlace(arg) && contains(state, arg)) ?? UNKNOWN;
    return keep(after, assign(after, property(to, 'wrapped'), from, false, walk.knowledge));
  }
  return after;
}

/** `client.db('shop')`, `orm.em.fork()`: what a client is used by from then on. The client that it is part of. */
function partOf(walk: Walk, state: State, { receiver, name, mode }: Call): Place | null {
  if (walk.site.pattern.isWhole !== true || receiver === null || mode === 'awaited') return null;
  if (holds(state, receiver)) return PARTS.test(name) ? receiver : null;
  return holderAbove(state, receiver);
}

const PARTS =
  /^(db|useDb|fork|model|collection|getRepository|getCollection|manager|\$extends|keyspace|database)$/;

/** An argument that is the lease and the only place that holds it, where the result is used. */
export function freshArgument(state: State, { args, mode }: Call): Place | undefined {
  if (mode === 'floating') return undefined;
  return args.find(
    (arg) => isTemporary(arg) && holds(state, arg) && state.holders.every((one) => isWithin(one, arg)),
  );
}

export function eachElement(
  walk: Walk,
  state: State,
  call: Call,
  closure: ts.SignatureDeclaration,
  depth: number,
): Outcome {
  const { receiver } = call;
  const hasIt = receiver !== null && contains(state, receiver);
  if (!hasIt && !mentions(walk, closure, state)) {
    return { next: [forget(state, call)], thrown: [] };
  }
  const element = receiver === null ? UNKNOWN : property(receiver, ELEMENT);
  const { next, thrown = [], detached = [] } = invokeFunction(walk, state, call, closure, [element], depth);
  const rounds = call.name === 'map' ? next.map((one) => intoArray(walk, one, call)) : next;
  return { next: hasIt ? rounds : [...rounds, forget(state, call)], thrown, detached };
}

export function receiverText(node: ts.CallExpression): string {
  return ts.isPropertyAccessExpression(node.expression) ? node.expression.expression.getText() : '';
}

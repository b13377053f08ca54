import { ts } from 'ts-morph';
import { type Body, functionName, isFunction } from '../../code/scope.js';
import { isPython } from '../../languages/python/raises.js';
import {
  dropLocals,
  dropTemporaries,
  forget,
  framed,
  insideOf,
  isOut,
  keep,
  swapBack,
  swapThis,
  wrapped,
} from '../frames.js';
import type { Call } from '../graph.js';
import { CALLS_BACK, LISTENS, RELEASING, SCHEDULES, SUCCESS } from '../names.js';
import {
  ELEMENT,
  functionOf,
  isPlace,
  isWithin,
  lastSegment,
  ownerOf,
  type Place,
  property,
  rootOf,
  UNKNOWN,
} from '../place.js';
import { isProtocol } from '../raises.js';
import { assign, contains, factOf, type State, threw, withFact, withHolders } from '../state.js';
import type { Outcome } from '../types.js';
import { CALL_DEPTH, DEPTH, type Walk } from '../walk.js';
import { containsNode } from './acquiring.js';
import { closesWrapper, closeWrapper } from './closing.js';
import { asEscaped, firstText } from './releasing.js';
import { borrow, raisedBy } from './using.js';

/** A function calls what it was given. */
export function callBack(walk: Walk, state: State, call: Call, body: Body, depth: number): Outcome {
  const { next, thrown = [], detached = [] } = invokeFunction(walk, state, call, body, call.args, depth);
  if (call.mode === 'awaited') return { next, thrown, detached };
  return { next, detached: [...detached, ...thrownByCallback(walk, body, thrown)] };
}

export function invokeInline(walk: Walk, state: State, call: Call, body: Body, depth: number): Outcome {
  const outcome = invokeFunction(walk, state, call, body, call.args, depth);
  if (ts.isNewExpression(call.node)) return settled(state, call, body, outcome);
  return outcome;
}

/** The outcome of a `new Promise(executor)`: after a rejection, its awaiter has an error. */
function settled(state: State, call: Call, body: Body, given: Outcome): Outcome {
  const rejected = given.next.filter((one) => one.rejecting && !state.rejecting);
  const outcome = {
    ...given,
    next: given.next.filter((one) => !rejected.includes(one)),
    thrown: [...(given.thrown ?? [])],
  };
  const failed = rejected.map((one) => ({ ...one, rejecting: state.rejecting }));
  if (call.mode === 'returned') outcome.next.push(...failed.map((one) => ({ ...one, pending: true })));
  else if (call.mode === 'floating') outcome.next.push(...failed);
  else outcome.thrown.push(...failed);
  // A promise of its own that can be rejected, by whatever way.
  const canReject = isFunction(body) && usesReject(body);
  // An executor that releases knows what it does.
  if (outcome.next.some(({ status }) => status === 'released' || status === 'escaped')) return outcome;
  // So does one that leaves functions behind that know the lease: they are followed by themselves.
  if (outcome.next.some(({ leftBehind }) => leftBehind && !state.leftBehind)) return outcome;
  if (!canReject || state.status !== 'held' || call.mode === 'floating' || call.mode === 'plain')
    return outcome;
  const lost = { ...state, trail: threw(state, call.node), pending: call.mode === 'returned' };
  return call.mode === 'returned'
    ? { ...outcome, next: [...outcome.next, lost] }
    : { ...outcome, thrown: [...outcome.thrown, lost] };
}

/** Whether the executor of a promise does anything with its `reject`. */
function usesReject(executor: ts.SignatureDeclaration): boolean {
  const name = executor.parameters[1]?.name;
  return name !== undefined && executor.getText().split(name.getText()).length > 2;
}

/** An error in a callback ends the process; the rejection of an async one does not. */
export function thrownByCallback(walk: Walk, body: Body, thrown: readonly State[]): State[] {
  const isAsync = walk.program.traitsOf(body).isAsync;
  return thrown.map((one) => (isAsync || one.rejecting ? one : { ...one, unlikely: true }));
}

/** The function of the project that a call runs: the one that its name has on this path, or the one it means. */
export function bodyCalledBy(walk: Walk, state: State, call: Call): Body | null {
  const id = functionOf(isPlace(call.callee) ? factOf(state, call.callee) : null);
  const body = id === null ? null : walk.program.bodyOf(id);
  if (body !== null) return body;
  const { entities } = walk.program;
  if (call.handler !== undefined) {
    const named = entities.of(call.handler);
    return named?.kind === 'function' ? named.node : null;
  }
  return ts.isTaggedTemplateExpression(call.node) ? null : entities.calledBy(call.node);
}

/** The function of the project that a call runs, where it can reach the lease. */
export function calleeFor(walk: Walk, state: State, call: Call, isHanded: boolean): Body | null {
  if (ts.isTaggedTemplateExpression(call.node)) return null;
  const body = bodyCalledBy(walk, state, call);
  if (body === null || !('body' in body) || body.body === undefined) return null;
  const { receiver, args } = call;
  // A function that knows the lease, and was itself handed to this one.
  const isHandedOn = args.some((arg) => {
    const given = walk.given.get(arg);
    return given !== undefined && mentions(walk, given, state);
  });
  if (isHanded || isHandedOn || closuresAmong(walk, state, call).length > 0) return body;
  if (receiver !== null && state.holders.some((one) => isWithin(one.replace('!', ''), receiver))) return body;
  return mentions(walk, body, state) && sees(walk, body, state) ? body : null;
}

/** The functions among the arguments that know the lease. */
export function closuresAmong(walk: Walk, state: State, call: Call): Body[] {
  return functionArguments(walk, state, call).filter((one) => mentions(walk, one, state));
}

/** Whether a function is within the one that owns a variable which holds the lease. */
export function sees(walk: Walk, body: Body, state: State): boolean {
  const owners = new Set(state.holders.map((one) => ownerOf(one.replace('!', ''))));
  for (let at: ts.Node | undefined = body.parent; at !== undefined; at = at.parent) {
    if ((isFunction(at) || ts.isSourceFile(at)) && owners.has(walk.program.idOf(at))) return true;
  }
  return false;
}

export function mentions(walk: Walk, body: Body, state: State): boolean {
  const text = body.getText();
  // A parameter of this function may know the lease.
  for (const param of walk.given.keys()) if (text.includes(lastSegment(param))) return true;
  return state.holders.some((holder) => {
    const names = holder.replace('!', '').split('.');
    const name = names[0] === 'this' ? (names[1] ?? 'this') : lastSegment(names[0] ?? '');
    return text.includes(name.replace(/^#/, ''));
  });
}

export function enterFunction(
  walk: Walk,
  state: State,
  call: Call,
  body: Body,
  isOn: boolean,
  depth: number,
): Outcome {
  const receiver = call.isNew ? call.to : (call.receiver ?? 'this');
  const onThis = receiver === 'this' || isArrow(body);
  const inside = onThis ? state : swapThis(state, receiver);
  const args = onThis ? call.args : call.args.map((arg) => insideOf(arg, receiver));
  walk.program.graphOf(body).params.forEach((param, index) => {
    // A function that was handed to this one may be handed on.
    const handed = functionAt(walk, state, call, index) ?? walk.given.get(call.args[index] ?? '') ?? null;
    if (handed !== null) walk.given.set(param, handed);
  });
  const { entry, restore } = framed(inside, args, body, walk.program, call.isNew);
  const closes = closesWrapper(state, call);
  const outcome =
    closes === null
      ? invokeFunction(walk, entry, call, body, args, depth)
      : closeWrapper(walk, entry, closes, (one) => invokeFunction(walk, one, call, body, args, depth));
  const back = (one: State) => (onThis ? restore(one) : swapBack(restore(one), receiver));
  const { isAsync } = walk.program.traitsOf(body);
  // A rejection that nobody awaits here leaves this function alone.
  // In Python every call waits, also in a constructor or property, where the translation cannot say so.
  const isFloating = isAsync && call.mode !== 'awaited' && !isPython(call.node);
  const opens = isProtocol(call, isOn, walk.site.spec.protocol);
  const failsToEnd = (one: State) => isOut(one) && isFailureOfEnding(call, body, state, outcome, one);
  const thrown = (outcome.thrown ?? []).map((one) => ({
    ...back(one),
    trail: isOut(one) ? { ...threw(one, call.node), cause: one.trail.cause ?? one.trail.bypass } : one.trail,
    unlikely: one.unlikely || opens || failsToEnd(one),
    pending: isFloating && call.mode === 'returned',
  }));
  return {
    next: [
      ...outcome.next.map((one) => wrapped(returnedFrom(body, back(one), state), state, call)),
      ...(isFloating ? thrown : []),
    ],
    thrown: isFloating ? [] : thrown,
    detached: (outcome.detached ?? []).map(back),
  };
}

/**
 * A helper that is named for it gives the lease back, but may fail before: where it looks for the pool, for example.
 * Nobody guards against that. Work that it does on the lease is another matter.
 */
function isFailureOfEnding(
  { name, args }: Call,
  body: Body,
  before: State,
  { next }: Outcome,
  { trail: { bypass, cause } }: State,
): boolean {
  if (!RELEASING.test(name) || !isFunction(body) || !next.some(({ status }) => status === 'released'))
    return false;
  const index = args.findIndex((arg) => isPlace(arg) && contains(before, arg));
  const lease = body.parameters[index]?.name.getText();
  const failed = (cause ?? bypass)?.getText();
  return lease !== undefined && failed !== undefined && !new RegExp(`\\b${escaped(lease)}\\b`).test(failed);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** A return of what was called is none of the caller; one of a callback of the caller's is. */
function returnedFrom(body: Body, after: State, { trail: { bypass, how } }: State): State {
  const { trail } = after;
  const isOwn = trail.how === 'return' && trail.bypass !== null && containsNode(body, trail.bypass);
  return isOwn ? { ...after, trail: { ...trail, bypass, how } } : after;
}

/** The arguments by the positions of the parameters, where some are given by name. */
function inOrder({ names }: Call, body: Body, args: readonly Place[]): readonly Place[] {
  if (names === undefined || !isFunction(body)) return args;
  const ordered = args.filter((_, index) => names[index] == null);
  names.forEach((name, index) => {
    const at = body.parameters.findIndex((one) => name !== null && one.name.getText() === name);
    while (at > ordered.length) ordered.push('=undefined');
    if (at >= 0) ordered[at] = args[index] ?? UNKNOWN;
  });
  return ordered;
}

export function invokeFunction(
  walk: Walk,
  state: State,
  call: Call,
  body: Body,
  given: readonly Place[],
  depth: number,
): Outcome {
  const args = inOrder(call, body, given);
  walk.invoked.add(body);
  walk.program.prepare(body);
  const { params, result } = walk.program.graphOf(body);
  let entry = state;
  const rest =
    isFunction(body) && body.parameters.at(-1)?.dotDotDotToken !== undefined ? params.length - 1 : -1;
  params.forEach((param, index) => {
    const arg = args[index];
    if (index === rest) {
      entry = assign(entry, param, UNKNOWN, false, walk.knowledge);
      args.slice(rest).forEach((one, at) => {
        const element = property(param, one.endsWith(`.${ELEMENT}`) ? ELEMENT : String(at));
        entry = keep(entry, assign(entry, element, one, false, walk.knowledge));
      });
      return;
    }
    entry = assign(
      entry,
      param,
      arg ?? (args.length > 0 || !isInline(call, body) ? '=undefined' : UNKNOWN),
      false,
      walk.knowledge,
    );
  });
  const exits = walk.walk(
    body,
    [dropTemporaries(entry, call)],
    depth + (isInline(call, body) ? 1 : CALL_DEPTH),
  );
  const id = walk.program.idOf(body);
  const leave = (one: State) => {
    const settledHere = handedBack(walk, entry, one, body, args);
    const parts = call.isNew ? [] : partsThatKnow(walk, settledHere, id, result, call.to);
    const left = dropLocals(
      call.isNew ? settledHere : assign(settledHere, call.to, result, true, walk.knowledge),
      id,
    );
    return parts.length === 0 ? left : withHolders(left, [...left.holders, ...parts]);
  };
  return {
    next: exits.returned.map(leave),
    thrown: exits.thrown.map((one) => dropLocals(handedBack(walk, entry, one, body, args), id)),
  };
}

/**
 * `return { commit: () => client.commit() }` of a helper that was given the client: once it has returned, only the
 * functions of its result know the variable. A function that ends the lease releases it; the rest has it within.
 */
function partsThatKnow(walk: Walk, state: State, id: string, result: Place, to: Place): Place[] {
  if (!isOut(state) || !isPlace(to)) return [];
  const own = state.holders.filter((one) => ownerOf(one.replace('!', '')) === id);
  if (own.length === 0 || own.some((one) => isWithin(one.replace('!', ''), result))) return [];
  const names = new Set(own.map((one) => lastSegment(rootOf(one.replace('!', '')))));
  const parts: Place[] = [];
  for (const [place, fact] of state.facts) {
    const known = isWithin(place, result) && place !== result ? functionOf(fact) : null;
    const closure = known === null ? null : walk.program.bodyOf(known);
    const text = closure?.getText() ?? '';
    if (
      closure === null ||
      ![...names].some((name) => new RegExp(`(?<![\\w$.])${escaped(name)}\\b`).test(text))
    )
      continue;
    // The caller has `rollback` if `commit` fails.
    if (!walk.isNested && walk.isEndedBy(closure, state, false))
      parts.push(`!${to}${place.slice(result.length)}`);
    else parts.push(property(to, 'wrapped'));
  }
  return [...new Set(parts)];
}

/** A value that a function has put into an object of its caller is in there for the caller, too. */
function handedBack(walk: Walk, before: State, after: State, body: Body, args: readonly Place[]): State {
  const { params, reassigned } = walk.program.graphOf(body);
  let state = after;
  params.forEach((param, index) => {
    const arg = args[index];
    if (arg === undefined || !isPlace(arg) || reassigned.has(param)) return;
    for (const [place, fact] of after.facts) {
      // Facts that it only tested, and did not set, would multiply the paths.
      if (!fact.startsWith('=') || !place.startsWith(`${param}.`) || before.facts.get(place) === fact)
        continue;
      state = withFact(state, arg + place.slice(param.length), fact);
    }
    const put = after.holders.filter((one) => one.replace('!', '').startsWith(`${param}.`));
    const fresh = put.filter((one) => !before.holders.includes(one));
    if (fresh.length > 0)
      state = withHolders(state, [...state.holders, ...fresh.map((one) => one.replace(param, arg))]);
  });
  return state;
}

/** Functions among the arguments that have to do with the lease. */
export function withClosures(
  walk: Walk,
  state: State,
  call: Call,
  isOn: boolean,
  depth: number,
): Outcome | null {
  const bodies = closuresAmong(walk, state, call);
  if (bodies.length === 0 || depth >= DEPTH) return null;
  // Code that got its lease in a callback goes on in callbacks.
  // So does what closes something: it always calls back.
  const continues = (isOn || walk.isByCallback || CALLS_BACK.test(call.name)) && !LISTENS.test(call.name);
  // `return client.query(sql, callback)` returns no promise.
  const isPromise = !continues || bodies.some((body) => walk.program.traitsOf(body).isAsync);
  const isAwaited = call.mode === 'awaited' || (call.mode === 'returned' && isPromise);
  if (SCHEDULES.test(call.name) && bodies.some((body) => comesAgain(walk, body, state)))
    return { next: [asEscaped(state)] };
  if (!isAwaited && !continues) {
    if (isWatched(walk, call, bodies, state)) return { next: [asEscaped(state)] };
    // Some time later, or never.
    return borrow(walk, state, { ...state, leftBehind: true }, call, isOn, false);
  }
  let states: State[] = [state];
  const [thrown, detached]: [State[], State[]] = [[], []];
  const opens = isOn && (OPENS.test(call.name) || isProtocol(call, isOn, walk.site.spec.protocol));
  for (const body of bodies) {
    const round = states.flatMap((one) =>
      opens && takesError(body)
        ? outcomesOfOpening(walk, one, call, body, depth)
        : [invokeFunction(walk, one, call, body, [], depth)],
    );
    states = round.flatMap(({ next }) => [...next]);
    for (const one of round) {
      if (isAwaited) thrown.push(...(one.thrown ?? []));
      else detached.push(...thrownByCallback(walk, body, one.thrown ?? []));
    }
  }
  const raised = isAwaited ? raisedBy(walk, state, state, call, isOn) : [];
  return { next: states.map((one) => forget(one, call)), thrown: [...thrown, ...raised], detached };
}

/**
 * A helper that registers what releases: `stream.on('error', () => client.release())`. What the function of the lease
 * registers itself is looked at when the path ends. The event of success alone does not come where the work fails.
 */
function isWatched(walk: Walk, call: Call, bodies: readonly Body[], state: State): boolean {
  const [outer] = walk.around;
  if (outer === undefined || (LISTENS.test(call.name) && SUCCESS.has(firstText(call.node) ?? '')))
    return false;
  return bodies.some((body) => !containsNode(outer, body) && walk.isEndedBy(body, state));
}

/** Calls that only open the lease, or take a connection out of a pool that is one. */
const OPENS = /^(connect|open|initialize|ping|getConnection|acquire|authenticate|bind|login)$/;

/** Whether a callback receives an error first. */
export function takesError(body: Body): boolean {
  return isFunction(body) && body.parameters.length > 0 && ERROR.test(nameOfFirst(body));
}

const ERROR = /^_?(e|err|error|ex|exception|fail|failure)\d*$|(Err|Error|Failure)$/i;

function nameOfFirst({ parameters }: ts.SignatureDeclaration): string {
  return parameters[0]?.name.getText() ?? '';
}

/** `client.connect((error) => ...)`: it is open, or it is not, which is nothing that usually happens. */
function outcomesOfOpening(walk: Walk, state: State, call: Call, body: Body, depth: number): Outcome[] {
  const withError = (error: Place, before: State) =>
    invokeFunction(walk, before, call, body, [error, UNKNOWN, UNKNOWN, UNKNOWN], depth);
  return [withError('=null', state), withError('=object', { ...state, unlikely: true })];
}

/** Whether a function that is scheduled is one that runs already, with a lease from outside of it: it carries it on. */
function comesAgain(walk: Walk, body: Body, state: State): boolean {
  return walk.around.some((one) => {
    if (!sees(walk, one, state)) return false;
    const name = functionName(one);
    return one === body || (name !== null && new RegExp(`(?<![\\w$.])${name}\\s*\\(`).test(body.getText()));
  });
}

export function functionArguments(walk: Walk, state: State, call: Call): Body[] {
  return call.args.flatMap((_, index) => functionAt(walk, state, call, index) ?? []);
}

/** The function that an argument is, written there or named. */
export function functionAt(walk: Walk, state: State, call: Call, index: number): Body | null {
  const { node, closures, args } = call;
  const literal = closures[index];
  if (literal !== undefined && literal !== null) return literal;
  const id = functionOf(factOf(state, args[index] ?? UNKNOWN));
  if (id !== null) return walk.program.bodyOf(id);
  const argument = ts.isTaggedTemplateExpression(node) ? undefined : node.arguments?.[index];
  if (argument === undefined || !(ts.isIdentifier(argument) || ts.isPropertyAccessExpression(argument)))
    return null;
  const entity = walk.program.entities.of(argument);
  return entity?.kind === 'function' ? entity.node : null;
}

export function isInline(call: Call, body: Body): boolean {
  return call.inline === body || call.closures.includes(body as ts.SignatureDeclaration);
}

export function isArrow(body: Body): boolean {
  return ts.isArrowFunction(body);
}

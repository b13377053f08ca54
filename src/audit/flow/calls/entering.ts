import { ts } from 'ts-morph';
import { type Body, isFunction } from '../../code/scope.js';
import {
  dropLocals,
  dropTemporaries,
  forget,
  framed,
  isOut,
  keep,
  renameThis,
  swapBack,
  swapThis,
  wrapped,
} from '../frames.js';
import type { Call } from '../graph.js';
import { LISTENS } from '../names.js';
import { ELEMENT, isWithin, lastSegment, ownerOf, type Place, property, UNKNOWN } from '../place.js';
import { isProtocol } from '../raises.js';
import { assign, type State, threw } from '../state.js';
import type { Outcome } from '../types.js';
import { CALL_DEPTH, DEPTH, type Walk } from '../walk.js';
import { borrow, raisedBy } from './using.js';

/** A function calls what it was given. */
export function callBack(walk: Walk, state: State, call: Call, body: Body, depth: number): Outcome {
  const { next, thrown = [], detached = [] } = invokeFunction(walk, state, call, body, call.args, depth);
  if (call.mode === 'awaited') return { next, thrown, detached };
  return { next, detached: [...detached, ...thrownByCallback(walk, body, thrown)] };
}

export function invokeInline(walk: Walk, state: State, call: Call, body: Body, depth: number): Outcome {
  const outcome = invokeFunction(walk, state, call, body, call.args, depth);
  // A promise of its own that can be rejected, by whatever way.
  const canReject = ts.isNewExpression(call.node) && isFunction(body) && body.parameters.length > 1;
  // An executor that releases knows what it does.
  if (outcome.next.some(({ status }) => status === 'released')) return outcome;
  if (!canReject || state.status !== 'held' || call.mode === 'floating' || call.mode === 'plain')
    return outcome;
  const rejected = { ...state, trail: threw(state, call.node), pending: call.mode === 'returned' };
  return call.mode === 'returned'
    ? { ...outcome, next: [...outcome.next, rejected] }
    : { ...outcome, thrown: [...(outcome.thrown ?? []), rejected] };
}

/** What a callback throws ends the process; an async one's rejection does not. */
export function thrownByCallback(walk: Walk, body: Body, thrown: readonly State[]): State[] {
  const isAsync = walk.program.traitsOf(body).isAsync;
  return thrown.map((one) => (isAsync || one.rejecting ? one : { ...one, unlikely: true }));
}

/** The function of the project that a call runs, where it can reach the lease. */
export function calleeFor(walk: Walk, state: State, call: Call, isHanded: boolean): Body | null {
  if (ts.isTaggedTemplateExpression(call.node)) return null;
  const body = walk.program.entities.calledBy(call.node);
  if (body === null || !('body' in body) || body.body === undefined) return null;
  if (isHanded) return body;
  const { receiver } = call;
  if (receiver !== null && state.holders.some((one) => isWithin(one.replace('!', ''), receiver))) return body;
  return mentions(walk, body, state) && sees(walk, body, state) ? body : null;
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
  // What was handed to this function may know the lease.
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
  const args = onThis ? call.args : call.args.map((arg) => renameThis(arg, 'this', '^this'));
  walk.program.graphOf(body).params.forEach((param, index) => {
    const handed = functionAt(walk, call, index);
    if (handed !== null) walk.given.set(param, handed);
  });
  const { entry, restore } = framed(inside, args, body, walk.program);
  const outcome = invokeFunction(walk, entry, call, body, args, depth);
  const back = (one: State) => (onThis ? restore(one) : swapBack(restore(one), receiver));
  const { isAsync } = walk.program.traitsOf(body);
  // A rejection that nobody awaits here leaves this function alone.
  const isFloating = isAsync && call.mode !== 'awaited';
  const opens = isProtocol(call, isOn, walk.site.spec.protocol);
  const thrown = (outcome.thrown ?? []).map((one) => ({
    ...back(one),
    trail: isOut(one) ? { ...threw(one, call.node), cause: one.trail.cause ?? one.trail.bypass } : one.trail,
    unlikely: one.unlikely || opens,
    pending: isFloating && call.mode === 'returned',
  }));
  return {
    next: [...outcome.next.map((one) => wrapped(back(one), state, call)), ...(isFloating ? thrown : [])],
    thrown: isFloating ? [] : thrown,
    detached: (outcome.detached ?? []).map(back),
  };
}

export function invokeFunction(
  walk: Walk,
  state: State,
  call: Call,
  body: Body,
  args: readonly Place[],
  depth: number,
): Outcome {
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
    return dropLocals(call.isNew ? one : assign(one, call.to, result, true, walk.knowledge), id);
  };
  return {
    next: exits.returned.map(leave),
    thrown: exits.thrown.map((one) =>
      dropLocals({ ...one, rejecting: one.rejecting && call.to !== UNKNOWN }, id),
    ),
  };
}

/** Functions among the arguments that have to do with the lease. */
export function withClosures(
  walk: Walk,
  state: State,
  call: Call,
  isOn: boolean,
  depth: number,
): Outcome | null {
  const bodies = functionArguments(walk, call).filter((body) => mentions(walk, body, state));
  if (bodies.length === 0 || depth >= DEPTH) return null;
  // Code that got its lease in a callback goes on in callbacks.
  const continues = (isOn || walk.isByCallback) && !LISTENS.test(call.name);
  // `return client.query(sql, callback)` returns no promise.
  const isPromise = !continues || bodies.some((body) => walk.program.traitsOf(body).isAsync);
  const isAwaited = call.mode === 'awaited' || (call.mode === 'returned' && isPromise);
  if (!isAwaited && !continues) {
    // Some time later, or never.
    return borrow(walk, state, { ...state, leftBehind: true }, call, isOn, false);
  }
  let states: State[] = [state];
  const [thrown, detached]: [State[], State[]] = [[], []];
  for (const body of bodies) {
    const round = states.map((one) => invokeFunction(walk, one, call, body, [], depth));
    states = round.flatMap(({ next }) => [...next]);
    for (const one of round) {
      if (isAwaited) thrown.push(...(one.thrown ?? []));
      else detached.push(...thrownByCallback(walk, body, one.thrown ?? []));
    }
  }
  const raised = isAwaited ? raisedBy(walk, state, state, call, isOn) : [];
  return { next: states.map((one) => forget(one, call)), thrown: [...thrown, ...raised], detached };
}

export function functionArguments(walk: Walk, call: Call): Body[] {
  return call.args.flatMap((_, index) => functionAt(walk, call, index) ?? []);
}

/** The function that an argument is, written there or named. */
export function functionAt(walk: Walk, { node, closures }: Call, index: number): Body | null {
  const literal = closures[index];
  if (literal !== undefined && literal !== null) return literal;
  const argument = ts.isTaggedTemplateExpression(node) ? undefined : node.arguments?.[index];
  if (argument === undefined || !ts.isIdentifier(argument)) return null;
  const entity = walk.program.entities.of(argument);
  return entity?.kind === 'function' ? entity.node : null;
}

export function isInline(call: Call, body: Body): boolean {
  return call.inline === body || call.closures.includes(body as ts.SignatureDeclaration);
}

export function isArrow(body: Body): boolean {
  return ts.isArrowFunction(body);
}

import { ts } from 'ts-morph';
import { type Body, bodyAround, variableOf } from '../../code/scope.js';
import { alternativesOf, bare } from '../../code/syntax.js';
import { forget, isOut } from '../frames.js';
import type { Call } from '../graph.js';
import { withoutParentheses } from '../lower/expressions.js';
import { CALLBACK } from '../names.js';
import { ELEMENT, isTemporary, isWithin, type Place, rootOf, UNKNOWN } from '../place.js';
import { raiseOf } from '../raises.js';
import {
  agrees,
  assign,
  LEASE,
  NO_TRAIL,
  type State,
  type Trail,
  threw,
  withFact,
  withHolders,
  withoutLeaseFacts,
} from '../state.js';
import type { Outcome } from '../types.js';
import type { Walk } from '../walk.js';
import { invokeFunction, thrownByCallback } from './entering.js';
import { asEscaped } from './releasing.js';
import { freshAnswers } from './saying.js';
import { exitsProcess, intoArray } from './using.js';

export function acquireLease(walk: Walk, state: State, call: Call, depth: number): Outcome {
  const { pattern, at, when } = walk.site;
  for (const [place, fact] of when)
    if (call.receiver === 'this' && !agrees(state, place, fact)) return { next: [state], thrown: [state] };
  const kept = isOut(state)
    ? beforeAgain(walk, state, call)
    : state.status === 'released'
      ? []
      : state.holders;
  for (const lender of lendersOf(walk, call.node, call.receiver)) walk.parents.add(lender);
  if (walk.owning.size < OWNING) for (const place of state.facts.keys()) walk.owning.add(place);
  const callback = pattern.callback === undefined ? null : callbackOf(walk, call);
  const isLazy = pattern.lazy === true || pattern.armedBy !== undefined;
  const facts = call.receiver === 'this' ? new Map([...when, ...state.facts]) : state.facts;
  const base: State = {
    ...freshAnswers(walk, withoutLeaseFacts({ ...state, facts })),
    status: isLazy ? 'lazy' : 'held',
    unlikely: false,
    trail: NO_TRAIL,
  };
  if (callback !== null && pattern.callback !== undefined) {
    return acquireByCallback(
      walk,
      state,
      { ...base, holders: kept },
      call,
      callback,
      pattern.callback,
      depth,
    );
  }
  let acquired = assign(base, call.to, UNKNOWN, false, walk.knowledge);
  for (const [suffix, fact] of walk.site.facts ?? [])
    acquired = withFact(acquired, isWithin(suffix, LEASE) ? suffix : call.to + suffix, fact);
  return {
    next: [
      withHolders(acquired, [
        ...kept.filter((one) => !isWithin(one, call.to)),
        ...at.map((one) => within(call.to, one)),
      ]),
    ],
    // Leases of earlier rounds of a loop are still out if a later round gets none.
    thrown: [isOut(state) ? { ...state, unlikely: true, trail: threw(state, call.node) } : state],
  };
}

/** The lender of a lease, and its own lender: closing `browser` closes the pages of `await browser.newContext()`. */
function lendersOf(walk: Walk, node: ts.Node, receiver: Place | null): Place[] {
  if (receiver === null) return [];
  const callee = ts.isCallExpression(node) ? node.expression : undefined;
  const lender =
    callee !== undefined && ts.isPropertyAccessExpression(callee) ? bare(callee.expression) : undefined;
  const declaration =
    lender !== undefined && ts.isIdentifier(lender) ? variableOf(lender)?.declaration : undefined;
  const made =
    walk.site.spec.isPart === true && declaration !== undefined && ts.isVariableDeclaration(declaration)
      ? declaration.initializer
      : undefined;
  if (declaration === undefined || made === undefined) return [receiver];
  const call = bare(made);
  const body = bodyAround(declaration);
  const at = walk.program.nodeOfCall(body, call);
  const op = at === null ? undefined : walk.program.graphOf(body).nodes[at]?.op;
  return [receiver, ...(op?.kind === 'call' ? lendersOf(walk, call, op.call.receiver) : [])];
}

/** More conditions than an acquire call stands under. */
const OWNING = 12;

/** The lease of an earlier round: kept in a collection or field, or lost now. */
export function beforeAgain(walk: Walk, state: State, call: Call): readonly Place[] {
  const kept = state.holders.filter(
    (one) => one.includes(`.${ELEMENT}`) || one.startsWith('this') || isFieldLike(one),
  );
  const trail: Trail =
    state.trail.how === null ? { ...state.trail, bypass: call.node, how: 'loop' } : state.trail;
  (kept.length === 0 ? walk.looped : walk.replaced).push({ ...state, trail });
  return kept;
}

export function callbackOf(walk: Walk, call: Call): { readonly body: Body | null } | null {
  const index = call.args.length - 1;
  const literal = call.closures[index];
  if (literal !== undefined && literal !== null) return { body: literal };
  const given = ts.isTaggedTemplateExpression(call.node) ? undefined : call.node.arguments?.[index];
  if (given === undefined) return null;
  const argument = withoutParentheses(given);
  if (ts.isObjectLiteralExpression(argument)) return null;
  const declaration = ts.isIdentifier(argument) ? variableOf(argument)?.declaration : undefined;
  // A parameter: the lease goes to the caller's function.
  // An awaited call takes no callback: the parameter of `await connect(url)` is the address.
  if (declaration !== undefined && isOfCaller(declaration))
    return call.mode === 'awaited' ? null : { body: null };
  const entity = walk.program.entities.of(argument);
  if (entity?.kind === 'function') return { body: entity.node };
  return ts.isIdentifier(argument) && CALLBACK.test(argument.text) ? { body: null } : null;
}

/** A parameter, or a variable that has its value where it is given: `const done = callback ?? (() => {})`. */
function isOfCaller(declaration: ts.Node): boolean {
  if (ts.isParameter(declaration)) return true;
  const value = ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  return (value === undefined ? [] : alternativesOf(value)).some((one) => {
    const given = ts.isIdentifier(one) ? variableOf(one)?.declaration : undefined;
    return given !== undefined && ts.isParameter(given);
  });
}

export function acquireByCallback(
  walk: Walk,
  before: State,
  acquired: State,
  _call: Call,
  { body }: { readonly body: Body | null },
  positions: { readonly lease: number; readonly release?: number },
  depth: number,
): Outcome {
  if (body === null) return { next: [before, asEscaped(acquired)] };
  walk.isByCallback = true;
  walk.invoked.add(body);
  const { params } = walk.program.graphOf(body);
  const lease = params[positions.lease];
  const release = positions.release === undefined ? undefined : params[positions.release];
  let entry =
    positions.lease > 0 && params[0] !== undefined ? withFact(acquired, params[0], '=null') : acquired;
  const holders = [...entry.holders];
  if (lease !== undefined) holders.push(lease);
  if (release !== undefined) holders.push(`!${release}`);
  entry = withHolders(entry, holders);
  const exits = walk.walk(body, [entry], depth + 1);
  return { next: [before, ...exits.returned], detached: thrownByCallback(walk, body, exits.thrown) };
}

/** A call while the lease is not out: only what leads to the acquisition matters. */
export function callElsewhere(walk: Walk, state: State, call: Call, depth: number): Outcome {
  if (exitsProcess(walk, call)) return { next: [] };
  const after = walk.program.acquires.has(call.node)
    ? assign(state, call.to, '=object', false, walk.knowledge)
    : forget(state, call);
  const thrown = mayThrow(walk, call) ? [state] : [];
  if (state.status !== 'none') return { next: [after], thrown };
  for (const closure of call.closures) {
    if (closure === null || !containsNode(closure, walk.site.node)) continue;
    const { next, thrown: inner = [] } = invokeFunction(walk, state, call, closure, [], depth);
    const collected = call.name === 'map' ? next.map((one) => intoArray(walk, one, call)) : next;
    return { next: [after, ...collected], thrown: [state, ...inner] };
  }
  return { next: [after], thrown };
}

/** Whether a call that has nothing to do with the lease may throw. */
export function mayThrow(walk: Walk, call: Call): boolean {
  const { spec } = walk.site;
  if (spec.release.methods.includes(call.name)) return false;
  const callee = walk.program.calleeTraits(call.node);
  if (callee?.isSafe === true) return false;
  const context = { onLease: false, isSyncLease: spec.isSync === true, protocol: spec.protocol, callee };
  return raiseOf(call, context) !== 'never';
}

export function containsNode(outer: ts.Node, inner: ts.Node): boolean {
  return outer.getSourceFile() === inner.getSourceFile() && outer.pos <= inner.pos && inner.end <= outer.end;
}

export function within(place: Place, suffix: string): Place {
  return suffix.startsWith('!') ? `!${place}${suffix.slice(1)}` : place + suffix;
}

function isFieldLike(place: Place): boolean {
  return rootOf(place) !== place && !isTemporary(rootOf(place));
}

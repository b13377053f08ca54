import { ts } from 'ts-morph';
import { bodyAround, isFunction, variableOf } from '../../code/scope.js';
import { dropTemporaries, forget, isOut } from '../frames.js';
import type { Call } from '../graph.js';
import { calleeName } from '../lower/calls.js';
import { withoutParentheses } from '../lower/expressions.js';
import { ELEMENT, isTemporary, isWithin, type Place, property } from '../place.js';
import { WAITING } from '../raises.js';
import { assign, contains, type State, threw, withFact, withHolders } from '../state.js';
import type { Outcome } from '../types.js';
import type { Walk } from '../walk.js';

/** `Promise.all([...])` and its like. */
export function combinePromises(walk: Walk, state: State, call: Call): Outcome {
  const from = call.args[0];
  if (from === undefined) return { next: [forget(state, call)] };
  const isRace = call.name === 'race' || call.name === 'any';
  if (isRace && isOut(state) && contains(state, from)) return race(walk, state, call, from);
  if (call.name === 'allSettled')
    return { next: [asOutcomes(assign(state, call.to, from, isTemporary(from), walk.knowledge), call.to)] };
  const next = assign(
    state,
    call.to,
    isRace ? property(from, ELEMENT) : from,
    !isRace && isTemporary(from),
    walk.knowledge,
  );
  if (call.mode !== 'awaited') return { next: [next] };
  const trail = isOut(state) ? threw(state, call.node) : state.trail;
  const unlikely =
    state.unlikely || (!ts.isTaggedTemplateExpression(call.node) && onlyAcquires(walk, call.node));
  return { next: [next], thrown: [{ ...state, unlikely, trail }] };
}

/** `Promise.allSettled` gives objects that have each result as their `value`, and say that it is there. */
function asOutcomes(state: State, to: Place): State {
  let outcomes = state;
  const holders = state.holders.map((one) => {
    const mark = one.startsWith('!') ? '!' : '';
    const place = one.slice(mark.length);
    if (!isWithin(place, to) || place === to) return one;
    const [index = '', ...rest] = place.slice(to.length + 1).split('.');
    for (const at of [index, ELEMENT])
      outcomes = withFact(outcomes, property(property(to, at), 'status'), '="fulfilled"');
    return `${mark}${[to, index, 'value', ...rest].join('.')}`;
  });
  return withHolders(outcomes, holders);
}

/**
 * A lease that is acquired in a race. It may win; what it runs against may win, and the lease comes later, where only
 * the promise has it; or that fails, with the same outcome.
 */
function race(walk: Walk, state: State, call: Call, from: Place): Outcome {
  const others = rivals(walk, call);
  const won = assign(state, call.to, property(from, ELEMENT), false, walk.knowledge);
  const rejecting = others.filter((one) => canReject(walk, one));
  // For a promise from elsewhere it is unknown whether it ever rejects.
  const isDoubtful = rejecting.every((one) => ts.isIdentifier(one) || ts.isPropertyAccessExpression(one));
  const late = {
    ...lateState(state, from),
    unlikely: state.unlikely || (rejecting.length > 0 && isDoubtful) || isAwaitedLater(call),
    trail: threw(state, call.node),
  };
  return {
    next: [
      dropTemporaries({ ...won, holders: won.holders.filter((one) => !isWithin(one, from)) }, call),
      ...(others.some((one) => canResolve(walk, one))
        ? [{ ...late, unlikely: state.unlikely || isAwaitedLater(call), trail: state.trail }]
        : []),
    ].map((one) => (one.holders.length > 0 ? one : { ...one, trail: late.trail })),
    thrown: [{ ...state, status: 'none', holders: [] }, ...(rejecting.length > 0 ? [late] : [])],
  };
}

/**
 * Whether what comes of a raced promise is seen to elsewhere: `pending.then((client) => client.release())` in the catch.
 * Under which condition that happens follows from what won, which is not known here.
 */
function isAwaitedLater({ node }: Call): boolean {
  const list = ts.isTaggedTemplateExpression(node) ? undefined : node.arguments?.[0];
  if (list === undefined || !ts.isArrayLiteralExpression(list)) return false;
  const text = bodyAround(node).getText();
  return list.elements.some(
    (one) =>
      ts.isIdentifier(one) &&
      new RegExp(`(?<![\\w$.])${one.text.replace(/\$/g, '\\$')}\\s*\\.then\\(`).test(text),
  );
}

function lateState(state: State, from: Place): State {
  return { ...state, holders: state.holders.filter((one) => !isWithin(one.replace('!', ''), from)) };
}

/** The other promises of a race. */
function rivals(walk: Walk, { node }: Call): ts.Expression[] {
  const list = ts.isTaggedTemplateExpression(node) ? undefined : node.arguments?.[0];
  if (list === undefined || !ts.isArrayLiteralExpression(list)) return [];
  return list.elements.map(valueBehind).filter((one) => !walk.program.acquires.has(baseOf(one)));
}

/** `wait` of `const wait = sleep(100)`. */
function valueBehind(expression: ts.Expression): ts.Expression {
  const inner = withoutParentheses(expression);
  const declaration = ts.isIdentifier(inner) ? variableOf(inner)?.declaration : undefined;
  const value =
    declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  return value === undefined ? inner : withoutParentheses(value);
}

/** `connect()` of `connect().then(f)`. */
function baseOf(expression: ts.Expression): ts.Expression {
  let at = expression;
  while (
    ts.isCallExpression(at) &&
    ts.isPropertyAccessExpression(at.expression) &&
    /^(then|catch|finally)$/.test(at.expression.name.text)
  )
    at = at.expression.expression;
  return at;
}

function canReject(walk: Walk, expression: ts.Expression): boolean {
  const base = baseOf(expression);
  if (ts.isNewExpression(base)) return usesParameter(base, 1);
  const body = ts.isCallExpression(base) ? walk.program.entities.calledBy(base) : null;
  if (body !== null) return /\breject\b|\bthrow\b/.test(body.getText());
  return !(ts.isCallExpression(base) && WAITING.test(calleeName(base.expression)));
}

function canResolve(walk: Walk, expression: ts.Expression): boolean {
  const base = baseOf(expression);
  if (ts.isNewExpression(base)) return usesParameter(base, 0);
  if (!ts.isCallExpression(base)) return false;
  const body = walk.program.entities.calledBy(base);
  if (body !== null) return !/\breject\b|\bthrow\b/.test(body.getText());
  return WAITING.test(calleeName(base.expression));
}

/** Whether the executor of a promise calls its `resolve`, or its `reject`. */
function usesParameter({ arguments: given }: ts.NewExpression, index: number): boolean {
  const executor = given?.[0];
  if (executor === undefined || !isFunction(executor)) return true;
  const name = executor.parameters[index]?.name;
  if (name === undefined || !ts.isIdentifier(name)) return false;
  return (executor.getText().split(name.text).length ?? 0) > 2;
}

/** Whether a Promise.all waits for leases only: where one fails, the others are lost, but nothing else can fail. */
export function onlyAcquires(
  walk: Walk,
  { arguments: given }: ts.CallExpression | ts.NewExpression,
): boolean {
  const list = given?.[0];
  if (list === undefined || !ts.isArrayLiteralExpression(list)) return true;
  return list.elements.every((one) => walk.program.acquires.has(one));
}

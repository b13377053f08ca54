import { ts } from 'ts-morph';
import { isFunction, variableOf } from '../../code/scope.js';
import { type Call, type Mode, THROWN } from '../graph.js';
import { type Place, UNKNOWN } from '../place.js';
import { calleeName, calleePlace } from './calls.js';
import { isNothing } from './conditions.js';
import { lowerValue, withoutParentheses } from './expressions.js';
import type { Lowering } from './lowering.js';

/** Whether a name is the `resolve` or `reject` of a promise's executor around it. */
export function settlerOf(callee: ts.Identifier): { readonly to: Place; readonly rejects: boolean } | null {
  const variable = variableOf(callee);
  if (variable === null || !ts.isParameter(variable.declaration) || !isFunction(variable.owner)) return null;
  const to = promised.get(variable.owner);
  if (to === undefined) return null;
  return { to, rejects: variable.owner.parameters.indexOf(variable.declaration) === 1 };
}

export function settlePromise(
  flow: Lowering,
  node: ts.CallExpression,
  { to, rejects }: { readonly to: Place; readonly rejects: boolean },
): Place {
  for (const one of node.arguments) {
    const value = lowerValue(flow, one);
    if (!rejects) flow.copy(to, value, node);
  }
  if (rejects) flow.emit({ kind: 'reject' }, node);
  return '=undefined';
}

/**
 * `a.then(f, g)`, `a.catch(g)`, `a.finally(h)` as the try statement that it stands for. What is thrown in a chain
 * that nobody awaits goes nowhere; one that is returned leaves the function past all handlers.
 */
export function promiseChain(
  flow: Lowering,
  node: ts.CallExpression,
  callee: ts.PropertyAccessExpression,
  mode: Mode,
): Place {
  const before = flow.thrown;
  const unhandled = flow.label(node);
  const outer = mode === 'awaited' ? before : mode === 'returned' ? THROWN : unhandled;
  const [first, second] = node.arguments;
  const method = callee.name.text;
  const onSuccess = method === 'then' ? first : undefined;
  const onFailure = method === 'then' ? second : method === 'catch' ? first : undefined;
  const to = flow.temporary();

  const landing = onFailure === undefined && method !== 'finally' ? outer : flow.label(node);
  flow.thrown = landing;
  const base = withoutParentheses(callee.expression);
  let value = lowerValue(flow, base, 'awaited');
  if (!ts.isCallExpression(base) && !ts.isNewExpression(base))
    flow.emit({ kind: 'await', from: value }, base);
  flow.thrown = outer;
  if (onSuccess !== undefined) value = callHandler(flow, onSuccess, [value], node);
  if (method === 'finally' && first !== undefined) callHandler(flow, first, [], node);
  flow.copy(to, value, node, true);
  const after = flow.tails;

  flow.tails = landing === outer ? [] : [{ node: landing, way: 0 }];
  if (onFailure !== undefined && landing !== outer) {
    flow.copy(to, callHandler(flow, onFailure, ['=object'], node), node, true);
  } else if (method === 'finally' && first !== undefined) {
    callHandler(flow, first, [], node);
    flow.connect(outer);
  }
  flow.thrown = before;
  flow.tails = [...flow.tails, ...after];
  flow.join(unhandled);
  return to;
}

/** Calls what was given to a promise; what that returns is awaited. */
export function callHandler(
  flow: Lowering,
  given: ts.Expression,
  args: readonly Place[],
  node: ts.CallExpression,
): Place {
  const inner = withoutParentheses(given);
  if (isNothing(inner)) return args[0] ?? UNKNOWN;
  const to = flow.temporary();
  const isInline = isFunction(inner);
  const receiver = ts.isPropertyAccessExpression(inner) ? lowerValue(flow, inner.expression) : null;
  const callee = isInline ? UNKNOWN : calleePlace(flow, inner, receiver);
  const call: Call = {
    node,
    isNew: false,
    callee,
    receiver,
    name: calleeName(inner),
    args,
    closures: args.map(() => null),
    inline: isInline ? inner : null,
    to,
    mode: 'awaited',
    handler: inner,
  };
  flow.emit({ kind: 'call', call }, inner);
  return to;
}

/** The place that the promise of an executor has its value in. */
export const promised = new WeakMap<ts.SignatureDeclaration, Place>();

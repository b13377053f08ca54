import { ts } from 'ts-morph';
import { isFunction } from '../../code/scope.js';
import type { Call, Mode } from '../graph.js';
import { ELEMENT, isPlace, keyName, type Place, property, UNKNOWN } from '../place.js';
import { conditionOf } from './conditions.js';
import { lowerValue, placeOf, withoutParentheses } from './expressions.js';
import type { Lowering, Tail } from './lowering.js';
import { promiseChain, promised, settlePromise, settlerOf } from './promises.js';

export function callExpression(flow: Lowering, node: ts.CallExpression, mode: Mode): Place {
  const callee = withoutParentheses(node.expression);
  if (ts.isPropertyAccessExpression(callee)) {
    const method = callee.name.text;
    if (method === 'then' || method === 'catch' || method === 'finally')
      return promiseChain(flow, node, callee, mode);
  }
  const settle = ts.isIdentifier(callee) ? settlerOf(callee) : null;
  if (settle !== null) return settlePromise(flow, node, settle);
  const inline = isFunction(callee) ? callee : null;
  const receiver =
    ts.isPropertyAccessExpression(callee) || ts.isElementAccessExpression(callee)
      ? lowerValue(flow, callee.expression)
      : null;
  const place = inline !== null ? UNKNOWN : calleePlace(flow, callee, receiver);
  const name = calleeName(callee);
  const checked = isAssertion(node) ? node.arguments[0] : undefined;
  if (checked !== undefined) return assertion(flow, node, checked);
  const skipped = unlessNothing(flow, node, callee, place, receiver);
  const args = argumentsOf(flow, node.arguments);
  const isAnswer = receiver !== null && node.arguments.length === 0 && ANSWERING.test(name);
  const to = isAnswer ? property(receiver, `${name}()`) : flow.temporary();
  flow.emit(
    {
      kind: 'call',
      call: { node, isNew: false, callee: place, receiver, name, ...args, inline, to, mode },
    },
    node,
  );
  flow.tails = [...flow.tails, ...skipped];
  return to;
}

/** `a?.b()` and `f?.()`: the way past the call, for nothing. */
export function unlessNothing(
  flow: Lowering,
  node: ts.CallExpression,
  callee: ts.Expression,
  place: Place,
  receiver: Place | null,
): Tail[] {
  const isOptional = ts.isPropertyAccessExpression(callee) && callee.questionDotToken !== undefined;
  const tested = isOptional ? receiver : node.questionDotToken === undefined ? null : place;
  if (tested === null || !isPlace(tested)) return [];
  const { yes, no } = flow.branch({ kind: 'nullish', place: tested }, node);
  flow.tails = no;
  return yes;
}

/** `assert(client)` throws unless it is true. */
export function assertion(flow: Lowering, node: ts.CallExpression, condition: ts.Expression): Place {
  const { yes, no } = conditionOf(flow, condition);
  flow.tails = no;
  flow.emit({ kind: 'throw' }, node);
  flow.tails = yes;
  for (const one of node.arguments.slice(1)) lowerValue(flow, one);
  return '=undefined';
}

export function calleePlace(flow: Lowering, callee: ts.Expression, receiver: Place | null): Place {
  if (ts.isPropertyAccessExpression(callee)) return property(receiver ?? UNKNOWN, callee.name.text);
  if (ts.isIdentifier(callee)) return placeOf(flow, callee);
  if (ts.isElementAccessExpression(callee)) {
    const name = calleeName(callee);
    if (name.startsWith('[Symbol.')) return property(receiver ?? UNKNOWN, name);
    const key = lowerValue(flow, callee.argumentExpression);
    return property(receiver ?? UNKNOWN, keyName(key));
  }
  return lowerValue(flow, callee);
}

export function argumentsOf(
  flow: Lowering,
  given: readonly ts.Expression[],
): Pick<Call, 'args' | 'closures' | 'names'> {
  const args: Place[] = [];
  const names: (string | null)[] = [];
  const closures: (ts.SignatureDeclaration | null)[] = [];
  for (const one of given) {
    const named = namedArgument(one);
    names.push(named?.name ?? null);
    const inner = withoutParentheses(ts.isSpreadElement(one) ? one.expression : (named?.value ?? one));
    closures.push(isFunction(inner) ? inner : null);
    const value = lowerValue(flow, inner);
    args.push(ts.isSpreadElement(one) ? property(value, ELEMENT) : value);
  }
  return { args, closures, ...(names.some((name) => name !== null) ? { names } : {}) };
}

/** An argument that a language gives by name: its translation marks the only property of an object. */
export const NAMED_ARGUMENT = '$kw$';

export function namedArgument(
  argument: ts.Expression,
): { readonly name: string; readonly value: ts.Expression } | null {
  if (!ts.isObjectLiteralExpression(argument) || argument.properties.length !== 1) return null;
  const [only] = argument.properties;
  if (only === undefined || !ts.isPropertyAssignment(only) || !ts.isIdentifier(only.name)) return null;
  const { text } = only.name;
  return text.startsWith(NAMED_ARGUMENT)
    ? { name: text.slice(NAMED_ARGUMENT.length), value: only.initializer }
    : null;
}

export function newExpression(flow: Lowering, node: ts.NewExpression, mode: Mode): Place {
  const executor = node.arguments?.[0];
  const callee = withoutParentheses(node.expression);
  const to = flow.temporary();
  if (
    ts.isIdentifier(callee) &&
    callee.text === 'Promise' &&
    executor !== undefined &&
    isFunction(executor)
  ) {
    promised.set(executor, to);
    const args = { args: [], closures: [] };
    flow.emit(
      {
        kind: 'call',
        call: {
          node,
          isNew: false,
          callee: UNKNOWN,
          receiver: null,
          name: '',
          ...args,
          inline: executor,
          to: UNKNOWN,
          mode,
        },
      },
      node,
    );
    return to;
  }
  const place = lowerValue(flow, callee);
  const args = argumentsOf(flow, node.arguments ?? []);
  const name = calleeName(callee);
  flow.emit(
    {
      kind: 'call',
      call: { node, isNew: true, callee: place, receiver: null, name, ...args, inline: null, to, mode },
    },
    node,
  );
  return to;
}

export function taggedTemplate(flow: Lowering, node: ts.TaggedTemplateExpression, mode: Mode): Place {
  const receiver = ts.isPropertyAccessExpression(node.tag) ? lowerValue(flow, node.tag.expression) : null;
  const callee = calleePlace(flow, node.tag, receiver);
  const spans = ts.isTemplateExpression(node.template) ? node.template.templateSpans : [];
  const args = argumentsOf(
    flow,
    spans.map(({ expression }) => expression),
  );
  const to = flow.temporary();
  const name = calleeName(node.tag);
  flow.emit(
    { kind: 'call', call: { node, isNew: false, callee, receiver, name, ...args, inline: null, to, mode } },
    node,
  );
  return to;
}

export function calleeName(callee: ts.Expression): string {
  if (ts.isIdentifier(callee)) return callee.text;
  if (ts.isPropertyAccessExpression(callee)) return callee.name.text;
  if (ts.isElementAccessExpression(callee) && ts.isStringLiteralLike(callee.argumentExpression)) {
    return callee.argumentExpression.text;
  }
  // `lease[Symbol.dispose]()`
  const key = ts.isElementAccessExpression(callee) ? callee.argumentExpression.getText() : '';
  return /^Symbol\.\w+$/.test(key) ? `[${key}]` : '';
}

/** A question that has the same answer as long as nothing else happens. */
export const ANSWERING = /^(getStore|(is|in|has|should|can)[A-Z]\w*)$/;

const ASSERTING = /^(assert|invariant|(?:node)?assert\.(ok|strict))$/i;

/** `assert(client)`: a call that throws unless what it is given is true. */
export function isAssertion(node: ts.Node): boolean {
  return ts.isCallExpression(node) && ASSERTING.test(withoutParentheses(node.expression).getText());
}

import { ts } from 'ts-morph';
import { isFunction, variableOf } from '../../code/scope.js';
import type { Mode } from '../graph.js';
import { ELEMENT, functionValue, isPlace, keyName, type Place, property, UNKNOWN } from '../place.js';
import { assignTo } from './bindings.js';
import { callExpression, calleeName, newExpression, taggedTemplate } from './calls.js';
import { booleanOf, conditionOf, shortTest } from './conditions.js';
import type { Lowering } from './lowering.js';

export function placeOf(flow: Lowering, identifier: ts.Identifier): Place {
  const variable = variableOf(identifier);
  if (variable === null) {
    if (identifier.text === 'undefined') return '=undefined';
    return `global|${identifier.text}`;
  }
  const at = variable.declaration.getStart();
  return `${flow.names.idOf(variable.owner)}|${variable.name}@${at}`;
}

export function lowerValue(flow: Lowering, expression: ts.Expression, mode: Mode = 'plain'): Place {
  switch (expression.kind) {
    case ts.SyntaxKind.ParenthesizedExpression:
    case ts.SyntaxKind.NonNullExpression:
    case ts.SyntaxKind.AsExpression:
    case ts.SyntaxKind.SatisfiesExpression:
    case ts.SyntaxKind.TypeAssertionExpression:
      return lowerValue(flow, (expression as ts.ParenthesizedExpression).expression, mode);
    case ts.SyntaxKind.NullKeyword:
      return '=null';
    case ts.SyntaxKind.TrueKeyword:
      return '=true';
    case ts.SyntaxKind.FalseKeyword:
      return '=false';
    case ts.SyntaxKind.ThisKeyword:
    case ts.SyntaxKind.SuperKeyword:
      return 'this';
    case ts.SyntaxKind.RegularExpressionLiteral:
    case ts.SyntaxKind.ClassExpression:
      return '=object';
  }
  if (isFunction(expression)) return functionValue(flow.names.idOf(expression));
  if (ts.isIdentifier(expression)) return placeOf(flow, expression);
  if (ts.isStringLiteralLike(expression)) return `=${JSON.stringify(expression.text)}`;
  if (ts.isNumericLiteral(expression)) return `=${expression.text}`;
  if (ts.isPropertyAccessExpression(expression)) {
    // tarn's `pool.acquire().promise` is the acquisition itself.
    const isPromise = expression.name.text === 'promise' && isAcquiring(expression.expression);
    if (isPromise) return lowerValue(flow, expression.expression, mode);
    return property(lowerValue(flow, expression.expression), expression.name.text);
  }
  if (ts.isElementAccessExpression(expression)) return elementAccess(flow, expression);
  if (ts.isAwaitExpression(expression)) return awaitExpression(flow, expression.expression, expression);
  if (ts.isYieldExpression(expression)) {
    return expression.expression === undefined
      ? pauseFor(flow, '=undefined', expression)
      : awaitExpression(flow, expression.expression, expression);
  }
  if (ts.isCallExpression(expression)) return callExpression(flow, expression, mode);
  if (ts.isNewExpression(expression)) return newExpression(flow, expression, mode);
  if (ts.isTaggedTemplateExpression(expression)) return taggedTemplate(flow, expression, mode);
  if (ts.isBinaryExpression(expression)) return binaryExpression(flow, expression, mode);
  if (ts.isConditionalExpression(expression)) return conditionalExpression(flow, expression, mode);
  if (ts.isObjectLiteralExpression(expression)) return objectLiteral(flow, expression);
  if (ts.isArrayLiteralExpression(expression)) return arrayLiteral(flow, expression);
  if (ts.isPrefixUnaryExpression(expression)) {
    if (expression.operator === ts.SyntaxKind.ExclamationToken) return booleanOf(flow, expression);
    const operand = lowerValue(flow, expression.operand);
    return stepOf(expression.operator) === null ? UNKNOWN : count(flow, operand, expression);
  }
  if (ts.isPostfixUnaryExpression(expression)) {
    const before = flow.temporary();
    const operand = lowerValue(flow, expression.operand);
    flow.copy(before, operand, expression);
    count(flow, operand, expression);
    return before;
  }
  if (ts.isVoidExpression(expression)) {
    lowerValue(flow, expression.expression, 'floating');
    return '=undefined';
  }
  partsOf(flow, expression);
  return UNKNOWN;
}

/** `pool.acquire()`, or a variable that has it: `const pending = pool.acquire()`. */
function isAcquiring(expression: ts.Expression): boolean {
  if (ts.isCallExpression(expression)) return true;
  const declaration = ts.isIdentifier(expression) ? variableOf(expression)?.declaration : undefined;
  const value =
    declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  return value !== undefined && ts.isCallExpression(value) && calleeName(value.expression) === 'acquire';
}

/** `++place` and `--place`. */
function count(
  flow: Lowering,
  place: Place,
  expression: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression,
): Place {
  if (isPlace(place)) flow.emit({ kind: 'count', place, by: stepOf(expression.operator) }, expression);
  return place;
}

function stepOf(operator: ts.SyntaxKind): number | null {
  if (operator === ts.SyntaxKind.PlusPlusToken) return 1;
  return operator === ts.SyntaxKind.MinusMinusToken ? -1 : null;
}

/** Any other expression: what its parts do counts, its value does not. */
export function partsOf(flow: Lowering, node: ts.Node): void {
  ts.forEachChild(node, (child) => {
    if (isFunction(child) || ts.isClassLike(child) || ts.isTypeNode(child)) return;
    if (ts.isExpression(child)) lowerValue(flow, child);
    else partsOf(flow, child);
  });
}

export function elementAccess(
  flow: Lowering,
  { expression, argumentExpression }: ts.ElementAccessExpression,
): Place {
  const object = lowerValue(flow, expression);
  const symbol = symbolOf(argumentExpression);
  if (symbol !== null) return property(object, symbol);
  const key = lowerValue(flow, argumentExpression);
  return property(object, keyName(key));
}

export function awaitExpression(flow: Lowering, operand: ts.Expression, ast: ts.Node): Place {
  const inner = withoutParentheses(operand);
  const value = lowerValue(flow, inner, 'awaited');
  return ts.isCallExpression(inner) || ts.isNewExpression(inner) ? value : pauseFor(flow, value, ast);
}

export function pauseFor(flow: Lowering, value: Place, ast: ts.Node): Place {
  flow.emit({ kind: 'await', from: value }, ast);
  return value;
}

export function conditionalExpression(
  flow: Lowering,
  { condition, whenTrue, whenFalse }: ts.ConditionalExpression,
  mode: Mode,
): Place {
  const to = flow.temporary();
  const { yes, no } = conditionOf(flow, condition);
  flow.tails = yes;
  flow.copy(to, lowerValue(flow, whenTrue, mode), whenTrue, true);
  const after = flow.tails;
  flow.tails = no;
  flow.copy(to, lowerValue(flow, whenFalse, mode), whenFalse, true);
  flow.tails = [...flow.tails, ...after];
  return to;
}

export function binaryExpression(flow: Lowering, expression: ts.BinaryExpression, mode: Mode): Place {
  const { left, operatorToken, right } = expression;
  switch (operatorToken.kind) {
    case ts.SyntaxKind.EqualsToken:
      return assignTo(flow, left, lowerValue(flow, right), expression);
    case ts.SyntaxKind.QuestionQuestionEqualsToken:
    case ts.SyntaxKind.BarBarEqualsToken:
    case ts.SyntaxKind.AmpersandAmpersandEqualsToken: {
      const place = lowerValue(flow, left);
      const { yes, no } = flow.branch(shortTest(operatorToken.kind, place), expression);
      flow.tails = yes;
      assignTo(flow, left, lowerValue(flow, right), expression);
      flow.tails.push(...no);
      return place;
    }
    case ts.SyntaxKind.QuestionQuestionToken:
    case ts.SyntaxKind.BarBarToken:
    case ts.SyntaxKind.AmpersandAmpersandToken: {
      const to = flow.temporary();
      const first = lowerValue(flow, left, mode);
      const { yes, no } = flow.branch(shortTest(operatorToken.kind, first), expression);
      flow.tails = yes;
      flow.copy(to, lowerValue(flow, right, mode), right, true);
      const after = flow.tails;
      flow.tails = no;
      flow.copy(to, first, left, true);
      flow.tails = [...flow.tails, ...after];
      return to;
    }
    case ts.SyntaxKind.CommaToken:
      lowerValue(flow, left);
      return lowerValue(flow, right, mode);
    case ts.SyntaxKind.EqualsEqualsToken:
    case ts.SyntaxKind.EqualsEqualsEqualsToken:
    case ts.SyntaxKind.ExclamationEqualsToken:
    case ts.SyntaxKind.ExclamationEqualsEqualsToken:
    case ts.SyntaxKind.InKeyword:
    case ts.SyntaxKind.InstanceOfKeyword:
    case ts.SyntaxKind.LessThanToken:
    case ts.SyntaxKind.LessThanEqualsToken:
    case ts.SyntaxKind.GreaterThanToken:
    case ts.SyntaxKind.GreaterThanEqualsToken:
      return booleanOf(flow, expression);
  }
  const place = lowerValue(flow, left);
  const by = lowerValue(flow, right);
  if (
    operatorToken.kind === ts.SyntaxKind.PlusEqualsToken ||
    operatorToken.kind === ts.SyntaxKind.MinusEqualsToken
  ) {
    const sign = operatorToken.kind === ts.SyntaxKind.PlusEqualsToken ? 1 : -1;
    const step = /^=\d+$/.test(by) ? sign * Number(by.slice(1)) : null;
    if (isPlace(place)) flow.emit({ kind: 'count', place, by: step }, expression);
    return place;
  }
  if (
    operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
    operatorToken.kind <= ts.SyntaxKind.LastAssignment
  ) {
    assignTo(flow, left, UNKNOWN, expression);
  }
  return UNKNOWN;
}

export function objectLiteral(flow: Lowering, literal: ts.ObjectLiteralExpression): Place {
  const to = flow.temporary();
  flow.copy(to, shapeOf(literal) ?? '=object', literal);
  for (const one of literal.properties) {
    if (ts.isPropertyAssignment(one)) {
      const name = one.name;
      if (ts.isComputedPropertyName(name)) lowerValue(flow, name.expression);
      const key = keyOf(name);
      const value = lowerValue(flow, one.initializer);
      flow.copy(property(to, key), value, one, value.includes('|%'));
    } else if (ts.isShorthandPropertyAssignment(one)) {
      flow.copy(property(to, one.name.text), placeOf(flow, one.name), one);
    } else if (ts.isMethodDeclaration(one) && keyOf(one.name) !== ELEMENT) {
      flow.copy(property(to, keyOf(one.name)), functionValue(flow.names.idOf(one)), one);
    } else if (ts.isSpreadAssignment(one)) flow.copy(to, lowerValue(flow, one.expression), one);
  }
  return to;
}

/** The name of a property: of one that a well-known symbol names, `[Symbol.dispose]`. */
function keyOf(name: ts.PropertyName): string {
  if (ts.isIdentifier(name) || ts.isStringLiteralLike(name)) return name.text;
  return ts.isComputedPropertyName(name) ? (symbolOf(name.expression) ?? ELEMENT) : ELEMENT;
}

function symbolOf(key: ts.Expression): string | null {
  const text = key.getText();
  return /^Symbol\.\w+$/.test(text) ? `[${text}]` : null;
}

/** The names of all properties, as a value; null where there may be others. */
function shapeOf({ properties }: ts.ObjectLiteralExpression): Place | null {
  const names: string[] = [];
  for (const { name } of properties) {
    if (name === undefined || !(ts.isIdentifier(name) || ts.isStringLiteralLike(name))) return null;
    names.push(name.text);
  }
  return `={${names.join(',')}`;
}

export function arrayLiteral(flow: Lowering, literal: ts.ArrayLiteralExpression): Place {
  const to = flow.temporary();
  flow.copy(to, '=object', literal);
  let exact = true;
  literal.elements.forEach((one, index) => {
    if (ts.isSpreadElement(one)) {
      exact = false;
      const from = lowerValue(flow, one.expression);
      flow.copy(property(to, ELEMENT), property(from, ELEMENT), one);
    } else {
      const value = lowerValue(flow, one);
      flow.copy(property(to, exact ? String(index) : ELEMENT), value, one, value.includes('|%'));
    }
  });
  return to;
}

export function withoutParentheses(expression: ts.Expression): ts.Expression {
  let inner = expression;
  while (
    ts.isParenthesizedExpression(inner) ||
    ts.isNonNullExpression(inner) ||
    ts.isAsExpression(inner) ||
    ts.isSatisfiesExpression(inner)
  ) {
    inner = inner.expression;
  }
  return inner;
}

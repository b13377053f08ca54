import { ts } from 'ts-morph';
import type { Comparison, Test } from '../graph.js';
import { isPlace, type Place, UNKNOWN } from '../place.js';
import { calleeName } from './calls.js';
import { lowerValue, withoutParentheses } from './expressions.js';
import type { Lowering, Tail } from './lowering.js';

export function conditionOf(flow: Lowering, expression: ts.Expression): { yes: Tail[]; no: Tail[] } {
  const inner = withoutParentheses(expression);
  if (inner.kind === ts.SyntaxKind.TrueKeyword) return { yes: flow.tails, no: [] };
  if (inner.kind === ts.SyntaxKind.FalseKeyword) return { yes: [], no: flow.tails };
  if (ts.isPrefixUnaryExpression(inner) && inner.operator === ts.SyntaxKind.ExclamationToken) {
    const { yes, no } = conditionOf(flow, inner.operand);
    return { yes: no, no: yes };
  }
  if (ts.isBinaryExpression(inner)) {
    const { left, operatorToken, right } = inner;
    switch (operatorToken.kind) {
      case ts.SyntaxKind.AmpersandAmpersandToken: {
        const first = conditionOf(flow, left);
        flow.tails = first.yes;
        const second = conditionOf(flow, right);
        return { yes: second.yes, no: [...first.no, ...second.no] };
      }
      case ts.SyntaxKind.BarBarToken: {
        const first = conditionOf(flow, left);
        flow.tails = first.no;
        const second = conditionOf(flow, right);
        return { yes: [...first.yes, ...second.yes], no: second.no };
      }
      case ts.SyntaxKind.EqualsEqualsToken:
      case ts.SyntaxKind.EqualsEqualsEqualsToken:
        return comparisonOf(flow, inner);
      case ts.SyntaxKind.ExclamationEqualsToken:
      case ts.SyntaxKind.ExclamationEqualsEqualsToken: {
        const { yes, no } = comparisonOf(flow, inner);
        return { yes: no, no: yes };
      }
      case ts.SyntaxKind.LessThanToken:
      case ts.SyntaxKind.LessThanEqualsToken:
      case ts.SyntaxKind.GreaterThanToken:
      case ts.SyntaxKind.GreaterThanEqualsToken: {
        const operator = operatorToken.getText() as Comparison;
        return flow.branch(
          { kind: 'compare', operator, left: lowerValue(flow, left), right: lowerValue(flow, right) },
          inner,
        );
      }
      case ts.SyntaxKind.InKeyword:
        if (ts.isStringLiteralLike(left))
          return flow.branch({ kind: 'has', place: lowerValue(flow, right), name: left.text }, inner);
        if (!ts.isPrivateIdentifier(left)) lowerValue(flow, left);
        lowerValue(flow, right);
        return flow.branch({ kind: 'opaque' }, inner);
      case ts.SyntaxKind.InstanceOfKeyword:
        return flow.branch({ kind: 'is', place: lowerValue(flow, left), type: calleeName(right) }, inner);
    }
  }
  if (ts.isCallExpression(inner) && inner.arguments[0] !== undefined) {
    if (ts.isIdentifier(inner.expression) && inner.expression.text === 'Boolean') {
      return conditionOf(flow, inner.arguments[0]);
    }
  }
  return flow.branch({ kind: 'truthy', place: lowerValue(flow, inner, 'plain') }, inner);
}

export function comparisonOf(
  flow: Lowering,
  { left, right }: ts.BinaryExpression,
): { yes: Tail[]; no: Tail[] } {
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    if (isNothing(other)) return flow.branch({ kind: 'nullish', place: lowerValue(flow, one) }, left.parent);
    if (ts.isTypeOfExpression(one) && ts.isStringLiteralLike(other)) {
      const place = lowerValue(flow, one.expression);
      if (other.text === 'undefined') return flow.branch({ kind: 'nullish', place }, left.parent);
      if (other.text === 'function') return flow.branch({ kind: 'truthy', place }, left.parent);
      if (other.text === 'object') return flow.branch({ kind: 'is', place, type: null }, left.parent);
      return flow.branch({ kind: 'primitive', place }, left.parent);
    }
  }
  return flow.branch(
    { kind: 'same', left: lowerValue(flow, left), right: lowerValue(flow, right) },
    left.parent,
  );
}

/** `!a`, `a === null`: the answer is kept, so that a later test of the variable means the same. */
export function booleanOf(flow: Lowering, expression: ts.Expression): Place {
  const to = flow.temporary();
  const { yes, no } = conditionOf(flow, expression);
  flow.tails = yes;
  flow.copy(to, '=true', expression);
  const after = flow.tails;
  flow.tails = no;
  flow.copy(to, '=false', expression);
  flow.tails = [...flow.tails, ...after];
  return to;
}

export function isNothing(expression: ts.Expression): boolean {
  return (
    expression.kind === ts.SyntaxKind.NullKeyword ||
    (ts.isIdentifier(expression) && expression.text === 'undefined') ||
    ts.isVoidExpression(expression)
  );
}

export function shortTest(token: ts.SyntaxKind, place: Place): Test {
  if (!isPlace(place) && place === UNKNOWN) return { kind: 'opaque' };
  switch (token) {
    case ts.SyntaxKind.QuestionQuestionToken:
    case ts.SyntaxKind.QuestionQuestionEqualsToken:
      return { kind: 'nullish', place };
    case ts.SyntaxKind.AmpersandAmpersandToken:
    case ts.SyntaxKind.AmpersandAmpersandEqualsToken:
      return { kind: 'truthy', place };
    default:
      return { kind: 'falsy', place };
  }
}

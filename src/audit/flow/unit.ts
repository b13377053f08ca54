import { ts } from 'ts-morph';
import { type Body, bodyAround, isFunction } from '../code/scope.js';

/** The function whose flow the site is part of: past the handlers of promises, executors and array methods. */
export function unitOf(node: ts.Node): Body {
  let body = bodyAround(node);
  while (isFunction(body) && isPartOfFlow(body)) body = bodyAround(body);
  return body;
}

function isPartOfFlow(body: ts.SignatureDeclaration): boolean {
  if (!ts.isArrowFunction(body) && !ts.isFunctionExpression(body)) return false;
  let at: ts.Node = body;
  while (ts.isParenthesizedExpression(at.parent)) at = at.parent;
  const { parent } = at;
  if (ts.isNewExpression(parent)) return parent.expression.getText() === 'Promise';
  if (!ts.isCallExpression(parent)) return false;
  if (parent.expression === at) return true;
  const callee = parent.expression;
  return ts.isPropertyAccessExpression(callee) && /^(then|catch|finally|map|forEach)$/.test(callee.name.text);
}

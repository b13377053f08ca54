import { ts } from 'ts-morph';
import { bare, hasModifier, nameOf } from './syntax.js';

/** The exports of a file, as written. */
export interface Exports {
  /** By name; `default` and, for `module.exports = x` and `export = x`, `=`. */
  readonly named: ReadonlyMap<string, ts.Node>;
  /** `export * from './x'`: all that another module exports. */
  readonly stars: readonly ts.ExportDeclaration[];
}

/** Collects the exports of a file: of ES modules, and of CommonJS modules at the top level. */
export function exportsOf(file: ts.SourceFile): Exports {
  const named = new Map<string, ts.Node>();
  const stars: ts.ExportDeclaration[] = [];
  for (const statement of file.statements) {
    if (ts.isExportAssignment(statement)) {
      named.set(statement.isExportEquals === true ? '=' : 'default', statement.expression);
    } else if (ts.isExportDeclaration(statement)) {
      const clause = statement.exportClause;
      if (clause === undefined) stars.push(statement);
      else if (ts.isNamedExports(clause)) for (const one of clause.elements) named.set(one.name.text, one);
      else named.set(clause.name.text, clause);
    } else if (ts.isExpressionStatement(statement)) ofCommonJs(statement.expression, named);
    else if (hasModifier(statement, ts.SyntaxKind.ExportKeyword)) ofDeclaration(statement, named);
    else if (ts.isVariableStatement(statement)) {
      // `const db = module.exports = {}`
      for (const { initializer } of statement.declarationList.declarations)
        if (initializer !== undefined) ofCommonJs(bare(initializer), named);
    }
  }
  return { named, stars };
}

function ofDeclaration(statement: ts.Statement, into: Map<string, ts.Node>): void {
  if (ts.isVariableStatement(statement)) {
    for (const one of statement.declarationList.declarations) collectNames(one.name, one, into);
  } else if (hasModifier(statement, ts.SyntaxKind.DefaultKeyword)) into.set('default', statement);
  else {
    const name = nameOf(statement);
    if (name !== null) into.set(name, statement);
  }
}

function collectNames(name: ts.BindingName, declaration: ts.Node, into: Map<string, ts.Node>): void {
  if (ts.isIdentifier(name)) into.set(name.text, declaration);
  else for (const one of name.elements) if (ts.isBindingElement(one)) collectNames(one.name, one, into);
}

/** `module.exports = x`, `exports.a = x`, `exports.a = module.exports.b = x`, `Object.assign(module.exports, x)`. */
function ofCommonJs(expression: ts.Expression, into: Map<string, ts.Node>): void {
  if (ts.isCallExpression(expression)) {
    const [target, ...others] = expression.arguments;
    if (expression.expression.getText() !== 'Object.assign' || !isModuleExports(target)) return;
    for (const one of others) {
      if (!ts.isObjectLiteralExpression(one)) continue;
      for (const member of one.properties) {
        const name = nameOf(member);
        if (name !== null) into.set(name, ts.isPropertyAssignment(member) ? member.initializer : member);
      }
    }
    return;
  }
  if (!ts.isBinaryExpression(expression) || expression.operatorToken.kind !== ts.SyntaxKind.EqualsToken)
    return;
  const { left, right } = expression;
  if (isModuleExports(left) && left.getText() !== 'exports') into.set('=', lastValue(right));
  else if (ts.isPropertyAccessExpression(left) && isModuleExports(left.expression))
    into.set(left.name.text, lastValue(right));
  else if (ts.isElementAccessExpression(left) && isModuleExports(left.expression)) {
    const key = left.argumentExpression;
    if (ts.isStringLiteralLike(key)) into.set(key.text, lastValue(right));
  }
  ofCommonJs(right, into);
}

/** `x` of `a = b = x`. */
function lastValue(value: ts.Expression): ts.Expression {
  let at = value;
  while (ts.isBinaryExpression(at) && at.operatorToken.kind === ts.SyntaxKind.EqualsToken) at = at.right;
  return at;
}

/** `module.exports` or `exports`. */
export function isModuleExports(node: ts.Node | undefined): boolean {
  if (node === undefined) return false;
  if (ts.isIdentifier(node)) return node.text === 'exports';
  return (
    ts.isPropertyAccessExpression(node) &&
    node.name.text === 'exports' &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === 'module'
  );
}

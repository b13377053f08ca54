import { ts } from 'ts-morph';

export const OPENS = /\bbegin|\bstart_?\s*transaction/i;
export const ROLLS_BACK = /rollback/i;

/** `var` and function declarations aside, the names that a statement declares for those after it. */
export function declaredNames(statement: ts.Statement): string[] {
  if (!ts.isVariableStatement(statement)) return [];
  return statement.declarationList.declarations.flatMap(({ name }) => namesIn(name));
}

/** Whether a statement may leave the loop or switch around it: that works from within a try too, but is read badly. */
export function leaves(statement: ts.Statement): boolean {
  return ts.isBreakOrContinueStatement(statement);
}

/** Whether a function has a parameter of this name, so that within it the name means something else. */
function shadows(node: ts.Node, name: string): boolean {
  return ts.isFunctionLike(node) && node.parameters.some((one) => namesIn(one.name).includes(name));
}

function namesIn(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((one) => (ts.isBindingElement(one) ? namesIn(one.name) : []));
}

/** `client.release();`, alone, with nothing said of an error. */
export function isRelease(statement: ts.Statement, name: string, method: string, mustAwait = false): boolean {
  if (!ts.isExpressionStatement(statement)) return false;
  if (mustAwait && !ts.isAwaitExpression(statement.expression)) return false;
  const call = ts.isAwaitExpression(statement.expression)
    ? statement.expression.expression
    : statement.expression;
  return (
    ts.isCallExpression(call) &&
    call.arguments.length === 0 &&
    call.questionDotToken === undefined &&
    ts.isPropertyAccessExpression(call.expression) &&
    call.expression.questionDotToken === undefined &&
    call.expression.name.text === method &&
    ts.isIdentifier(call.expression.expression) &&
    call.expression.expression.text === name
  );
}

/** Whether a release within a try may as well come when the try is left: what follows it ends there, and needs no lease. */
export function isLast(release: ts.Statement, attempt: ts.TryStatement, name: string): boolean {
  const block = release.parent;
  if (!ts.isBlock(block)) return false;
  const after = block.statements.slice(block.statements.indexOf(release) + 1);
  if (after.some((one) => mentions(one, name))) return false;
  if (block === attempt.tryBlock) return after.every(doesNoWork);
  if (block === attempt.catchClause?.block) return true;
  // In a block within: it leaves the function at once, past no other try.
  const [exit, ...more] = after;
  if (exit === undefined || more.length > 0 || !(ts.isReturnStatement(exit) || ts.isThrowStatement(exit)))
    return false;
  for (let at: ts.Node = block.parent; at !== attempt; at = at.parent)
    if (ts.isTryStatement(at)) return false;
  return true;
}

/** Whether nothing else can have the lease: each mention is an awaited call of a method, outside of inner functions. */
export function isKept(
  { name, rest }: { readonly name: string; readonly rest: readonly ts.Statement[] },
  releases: readonly ts.Statement[],
): boolean {
  let isSafe = true;
  const visit = (node: ts.Node, isInner: boolean): void => {
    if (releases.some((release) => release === node) || shadows(node, name)) return;
    if (ts.isIdentifier(node) && node.text === name && !isPropertyName(node)) {
      isSafe &&= !ENDS.test(methodOf(node)) && ((!isInner && isAwaitedCall(node)) || isAwaitedWithin(node));
    }
    // What is yielded leaves the function at a point where it may never come back to.
    if (ts.isYieldExpression(node)) isSafe = false;
    ts.forEachChild(node, (child) => visit(child, isInner || ts.isFunctionLike(node)));
  };
  for (const statement of rest) visit(statement, false);
  return isSafe;
}

export function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node)
  );
}

const ENDS = /^(release|end|close|destroy|detach|dispose|on|once|off|addListener|removeListener)$/;

/** `await client.query(...)`: its result is there before the release. */
function isAwaitedCall(node: ts.Identifier): boolean {
  const access = node.parent;
  if (!ts.isPropertyAccessExpression(access) || access.expression !== node || ENDS.test(access.name.text))
    return false;
  const call = access.parent;
  return ts.isCallExpression(call) && call.expression === access && ts.isAwaitExpression(call.parent);
}

/** The method that is called on the lease: `query` of `client.query()`. */
function methodOf({ parent }: ts.Identifier): string {
  return ts.isPropertyAccessExpression(parent) ? parent.name.text : '';
}

/**
 * `await save(client, order)`, `await Promise.all(ids.map((id) => client.query(id)))`: the lease is part of an expression
 * that is awaited as a whole, so nothing uses it after that.
 */
function isAwaitedWithin(node: ts.Node): boolean {
  for (let at = node; !ts.isStatement(at.parent); at = at.parent) {
    const { parent } = at;
    if (ts.isAwaitExpression(parent)) return true;
    if (ts.isFunctionLike(parent)) {
      // A callback with statements may keep anything.
      if (!ts.isArrowFunction(parent) || ts.isBlock(parent.body) || !ts.isCallExpression(parent.parent))
        return false;
    } else if (ts.isVariableDeclaration(parent) || (ts.isBinaryExpression(parent) && isAssignment(parent)))
      return false;
    else if (
      ts.isCallExpression(parent) &&
      parent.expression !== at &&
      !STARTS.test(parent.expression.getText())
    ) {
      // Awaited by the call around, or at once.
      if (!isAwaitedOrPassed(parent)) return false;
    }
  }
  return false;
}

const STARTS = /(^|\.)(map|all|allSettled|race|any)$/;

function isAwaitedOrPassed(call: ts.CallExpression): boolean {
  for (let at: ts.Node = call; !ts.isStatement(at.parent); at = at.parent) {
    if (ts.isAwaitExpression(at.parent)) return true;
  }
  return false;
}

function isAssignment({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

/** Whether a mention only uses the lease: as the receiver of a property or in an awaited expression. */
export function isUsedOnly(node: ts.Identifier, within: ts.Statement): boolean {
  if (isAwaitedWithin(node)) return true;
  for (let at: ts.Node = node; at !== within; at = at.parent) if (ts.isFunctionLike(at)) return false;
  return ts.isPropertyAccessExpression(node.parent) && !ts.isReturnStatement(within);
}

export function mentions(node: ts.Node, name: string): boolean {
  if (shadows(node, name)) return false;
  let found = ts.isIdentifier(node) && node.text === name && !isPropertyName(node);
  ts.forEachChild(node, (child) => {
    found ||= mentions(child, name);
  });
  return found;
}

/** Whether a statement is over at once: the lease is held for no longer than it computes. */
export function waitsForNothing(statement: ts.Statement): boolean {
  let waits = ts.isDeclarationStatement(statement);
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isAwaitExpression(node) || ts.isYieldExpression(node)) waits = true;
    if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) waits = true;
    if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.Using) === ts.NodeFlags.Using)
      waits = true;
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return !waits;
}

/** `return rows;` */
export function doesNoWork(statement: ts.Statement): boolean {
  let does = false;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) || ts.isNewExpression(node) || ts.isAwaitExpression(node)) does = true;
    if (ts.isTaggedTemplateExpression(node)) does = true;
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return !does && ts.isReturnStatement(statement);
}

export function capturesIn(node: ts.Node, name: string): boolean {
  if (ts.isFunctionLike(node)) return mentions(node, name);
  let found = false;
  ts.forEachChild(node, (child) => {
    found ||= capturesIn(child, name);
  });
  return found;
}

export function canReturn(statement: ts.Statement): boolean {
  let found = ts.isReturnStatement(statement) || ts.isBreakOrContinueStatement(statement);
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isReturnStatement(node)) found = true;
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return found;
}

import { ts } from 'ts-morph';

export const OPENS = /\bbegin|\bstart_?\s*transaction/i;
export const COMMITS = /commit/i;
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

/**
 * Whether nothing else can have the lease: each mention of it, and of its parts, is an awaited call of a method, outside
 * of inner functions, or asks whether it is there. `isSync`: its methods are done when they return.
 */
export function isKept(
  {
    name,
    rest,
    isSync = false,
  }: { readonly name: string; readonly rest: readonly ts.Statement[]; readonly isSync?: boolean },
  releases: readonly ts.Statement[],
): boolean {
  let isSafe = true;
  const parts = new Set<string>();
  const visit = (node: ts.Node, own: string, isInner: boolean): void => {
    if (releases.some((release) => release === node) || shadows(node, own)) return;
    if (ts.isIdentifier(node) && node.text === own && !isPropertyName(node) && !isDeclared(node)) {
      const part = partOf(node);
      if (part !== null && !isInner) parts.add(part);
      else isSafe &&= isSafeMention(node, isInner, isSync);
    }
    // A yield leaves the function at a point to which it may never come back.
    if (ts.isYieldExpression(node)) isSafe = false;
    ts.forEachChild(node, (child) => visit(child, own, isInner || ts.isFunctionLike(node)));
  };
  for (const statement of rest) visit(statement, name, false);
  // A Set gives what is added to it meanwhile, too.
  for (const part of parts) for (const statement of rest) visit(statement, part, false);
  return isSafe;
}

/** Whether a lease is an argument, or part of one, and not only what a method is called on. */
export function isHanded(statement: ts.Node, name: string): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    if (shadows(node, name)) return;
    if (ts.isIdentifier(node) && node.text === name && !isPropertyName(node) && !isDeclared(node))
      found ||= !ts.isPropertyAccessExpression(node.parent) && !isTested(node);
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return found;
}

function isSafeMention(node: ts.Identifier, isInner: boolean, isSync: boolean): boolean {
  if (ENDS.test(methodOf(node))) return false;
  if (isTested(node)) return true;
  if (isSync && isReceiver(node) && (!isInner || isRunAtOnce(node))) return true;
  return (!isInner && isAwaitedCall(node)) || isAwaitedWithin(node);
}

/** `db` of `const db = client.db('shop')`: what a client is used by from then on. */
function partOf(node: ts.Identifier): string | null {
  const access = node.parent;
  if (!ts.isPropertyAccessExpression(access) || access.expression !== node || !PARTS.test(access.name.text))
    return null;
  const call = access.parent;
  if (!ts.isCallExpression(call) || call.expression !== access || !ts.isVariableDeclaration(call.parent))
    return null;
  const { name } = call.parent;
  return ts.isIdentifier(name) ? name.text : null;
}

const PARTS = /^(db|useDb|collection|getCollection|model|prepare|transaction|request)$/;

function isDeclared(node: ts.Identifier): boolean {
  return ts.isVariableDeclaration(node.parent) && node.parent.name === node;
}

/** `statement.all()`, and `insertAll(rows)` of a transaction of better-sqlite3. */
function isReceiver(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isCallExpression(parent)) return parent.expression === node;
  return (
    ts.isPropertyAccessExpression(parent) && parent.expression === node && ts.isCallExpression(parent.parent)
  );
}

/** Whether the functions around a mention are done when the call returns that they are given to. */
function isRunAtOnce(node: ts.Node): boolean {
  for (let at = node; !ts.isSourceFile(at); at = at.parent) {
    if (!ts.isFunctionLike(at)) continue;
    if (!ts.isArrowFunction(at) && !ts.isFunctionExpression(at)) return false;
    const { parent } = at;
    return (
      ts.isCallExpression(parent) &&
      ts.isPropertyAccessExpression(parent.expression) &&
      AT_ONCE.test(parent.expression.name.text) &&
      !at.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword)
    );
  }
  return false;
}

const AT_ONCE = /^(forEach|map|filter|flatMap|some|every|find|reduce|transaction)$/;

/** `if (client)`, `client !== null && ...`: asks whether there is a lease. */
function isTested(node: ts.Identifier): boolean {
  let at: ts.Node = node;
  for (;;) {
    const { parent } = at;
    if (ts.isIfStatement(parent)) return parent.expression === at;
    if (ts.isConditionalExpression(parent)) return parent.condition === at;
    if (ts.isBinaryExpression(parent) && parent.left === at) {
      const { kind } = parent.operatorToken;
      if (kind === ts.SyntaxKind.AmpersandAmpersandToken && ts.isExpressionStatement(parent.parent))
        return true;
      const isNext =
        kind === ts.SyntaxKind.AmpersandAmpersandToken ||
        kind === ts.SyntaxKind.ExclamationEqualsEqualsToken ||
        kind === ts.SyntaxKind.EqualsEqualsEqualsToken ||
        kind === ts.SyntaxKind.ExclamationEqualsToken ||
        kind === ts.SyntaxKind.EqualsEqualsToken;
      if (!isNext) return false;
    } else if (!ts.isParenthesizedExpression(parent) && !isNegation(parent)) return false;
    at = parent;
  }
}

function isNegation(node: ts.Node): boolean {
  return ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken;
}

export function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node)
  );
}

const ENDS =
  /^(release|end|endSession|close|destroy|detach|dispose|(\$?dis)connect|quit|shutdown|terminate|on|once|off|addListener|removeListener)$/;

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

export function isAssignment({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
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

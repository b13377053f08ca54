import { ts } from 'ts-morph';
import { isRelease, mentions, waitsForNothing } from './uses.js';

// Releases that stand in branches of the work, and may as well come when the work is left.

/** The parts of a lease that finding its releases needs. */
interface Released {
  readonly name: string;
  readonly block: ts.Block;
  readonly ending: { readonly release: string };
}

/** The statements that release, wherever in these statements they stand. Functions within are not looked into. */
export function releasesWithin(
  statements: readonly ts.Statement[],
  { name, ending }: Released,
): ts.Statement[] {
  const found: ts.Statement[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isStatement(node) && isGuardedRelease(node, name, ending.release)) found.push(node);
    else ts.forEachChild(node, visit);
  };
  statements.forEach(visit);
  return found;
}

/** `client.release();`, and `if (client) client.release();` */
function isGuardedRelease(statement: ts.Statement, name: string, method: string): boolean {
  if (isRelease(statement, name, method) || isOptionalRelease(statement, name, method)) return true;
  if (!ts.isIfStatement(statement) || statement.elseStatement !== undefined) return false;
  if (
    !new RegExp(`^${name.replaceAll('$', '\\$')}(\\s*!==?\\s*(null|undefined))?$`).test(
      statement.expression.getText(),
    )
  )
    return false;
  const { thenStatement } = statement;
  const [only, ...others] = ts.isBlock(thenStatement) ? thenStatement.statements : [thenStatement];
  return only !== undefined && others.length === 0 && isGuardedRelease(only, name, method);
}

/** `client?.release();` */
function isOptionalRelease(statement: ts.Statement, name: string, method: string): boolean {
  if (!ts.isExpressionStatement(statement)) return false;
  const text = statement.expression.getText().replace(/^await\s+/, '');
  return text === `${name}?.${method}()`;
}

/**
 * Whether the work is over after a release: what follows leaves the function at once, or comes to the end of the block
 * that has the lease, waits for nothing and needs no lease.
 */
export function isOverAfter(release: ts.Statement, { name, block }: Released): boolean {
  // A block that is left empty would look like a mistake.
  if (!ts.isBlock(release.parent) || release.parent.statements.length === 1) return false;
  let at: ts.Node = release;
  while (at !== block) {
    const { parent } = at;
    if (
      ts.isIterationStatement(parent, false) ||
      ts.isSwitchStatement(parent) ||
      ts.isLabeledStatement(parent)
    )
      return false;
    if (ts.isTryStatement(parent) && isLeftPast(parent, at, name)) return false;
    if (ts.isBlock(parent)) {
      const after = parent.statements.slice(parent.statements.indexOf(at as ts.Statement) + 1);
      if (!after.every((one) => waitsForNothing(one) && !mentions(one, name))) return false;
      const last = after.at(-1);
      if (last !== undefined && (ts.isReturnStatement(last) || ts.isThrowStatement(last)))
        return !leadsPast(parent, block, name);
    }
    at = parent;
  }
  return true;
}

/** Whether the finally of a try still needs the lease. */
function isLeftPast({ finallyBlock }: ts.TryStatement, from: ts.Node, name: string): boolean {
  return finallyBlock !== undefined && finallyBlock !== from && mentions(finallyBlock, name);
}

/** Whether a way out of the function leads through a finally that still needs the lease. */
function leadsPast(from: ts.Node, block: ts.Block, name: string): boolean {
  for (let at = from; at !== block; at = at.parent)
    if (ts.isTryStatement(at.parent) && isLeftPast(at.parent, at, name)) return true;
  return false;
}

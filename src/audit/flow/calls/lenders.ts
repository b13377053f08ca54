import { ts } from 'ts-morph';
import { isOut } from '../frames.js';
import type { FlowNode, Test } from '../graph.js';
import { RELEASING } from '../names.js';
import { isPlace } from '../place.js';
import { factOf, holds, type State } from '../state.js';
import type { Walk } from '../walk.js';

/**
 * `if (pool) pool.release(client)`, `pool?.release(client)`: whatever takes a lease back exists while one is out.
 * Returns the branch on which it does, null where the test asks something else.
 */
export function branchOfLender(walk: Walk, state: State, test: Test, { ast }: FlowNode): 'yes' | 'no' | null {
  if (test.kind !== 'truthy' && test.kind !== 'falsy' && test.kind !== 'nullish') return null;
  if (!isOut(state) || !isPlace(test.place) || factOf(state, test.place) !== null) return null;
  const body = walk.around.at(-1);
  const isGuard = guardedCalls(ast).some((call) => {
    const at = body === undefined ? null : walk.program.nodeOfCall(body, call);
    const op = at === null || body === undefined ? undefined : walk.program.graphOf(body).nodes[at]?.op;
    if (op?.kind !== 'call') return false;
    const { name, args } = op.call;
    const takes = walk.site.spec.release.takes.includes(name) || RELEASING.test(name);
    return takes && args.some((arg) => isPlace(arg) && holds(state, arg));
  });
  if (!isGuard) return null;
  return test.kind === 'truthy' ? 'yes' : 'no';
}

/** The calls on the tested expression that run only where it is something. */
const guarded = new WeakMap<ts.Node, readonly ts.CallExpression[]>();

function guardedCalls(ast: ts.Node): readonly ts.CallExpression[] {
  const known = guarded.get(ast);
  if (known !== undefined) return known;
  const found = findGuarded(ast);
  guarded.set(ast, found);
  return found;
}

function findGuarded(ast: ts.Node): readonly ts.CallExpression[] {
  if (ts.isCallExpression(ast)) return [ast];
  const tested = ts.isBinaryExpression(ast) ? ast.left : ast;
  if (!ts.isIdentifier(tested) && !ts.isPropertyAccessExpression(tested)) return [];
  if (ts.isBinaryExpression(ast) && ast.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken)
    return callsOn(tested.getText(), ast.right);
  const { parent } = ast;
  return ts.isIfStatement(parent) && parent.expression === ast
    ? callsOn(tested.getText(), parent.thenStatement)
    : [];
}

function callsOn(object: string, within: ts.Node): ts.CallExpression[] {
  const found: ts.CallExpression[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      if (node.expression.expression.getText() === object) found.push(node);
    }
    ts.forEachChild(node, visit);
  };
  visit(within);
  return found;
}

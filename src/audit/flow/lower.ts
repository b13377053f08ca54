import { ts } from 'ts-morph';
import { type Body, isFunction } from '../code/scope.js';
import { hasStatic, nameOf } from '../code/syntax.js';
import { type FlowNode, type Graph, type Op, RETURNED, START, THROWN } from './graph.js';
import { bindParameter } from './lower/bindings.js';
import { lowerValue } from './lower/expressions.js';
import { Lowering, type Names } from './lower/lowering.js';
import { lowerStatements, returnStatement } from './lower/statements.js';
import { isPlace, type Place, property, UNKNOWN } from './place.js';

/** Turns the body of a function, or a whole file, into a graph of small steps. */
export function lower(body: Body, names: Names): Graph {
  const flow = new Lowering(body, names);
  for (const _end of [RETURNED, THROWN]) flow.add({ kind: 'nop' }, body);
  flow.add({ kind: 'nop' }, body); // START
  flow.tails = [{ node: START, way: 0 }];
  const params: Place[] = [];
  if (isFunction(body)) {
    if (ts.isConstructorDeclaration(body)) initializeFlags(flow, body.parent);
    for (const parameter of body.parameters) params.push(bindParameter(flow, parameter));
    const code = 'body' in body ? body.body : undefined;
    if (code !== undefined && ts.isBlock(code)) lowerStatements(flow, code.statements);
    else if (code !== undefined) returnStatement(flow, code as ts.Expression, code);
  } else if (ts.isSourceFile(body)) lowerStatements(flow, body.statements);
  else lowerStatements(flow, body.body.statements);
  flow.connect(RETURNED);
  return {
    nodes: flow.nodes,
    params,
    result: flow.result,
    uses: flow.nodes.map(({ op }) => usesOf(op)),
    reads: flow.nodes.map(({ op }) => readsOf(op)),
    reassigned: reassigned(flow.nodes, params),
  };
}

/** `private completed = false`: what fields say from the start. Other values would only multiply the facts. */
function initializeFlags(flow: Lowering, { members }: ts.ClassLikeDeclaration): void {
  for (const member of members) {
    if (!ts.isPropertyDeclaration(member) || member.initializer === undefined || hasStatic(member)) continue;
    const name = nameOf(member);
    if (name === null || !CONSTANTS.has(member.initializer.kind)) continue;
    flow.copy(property('this', name), lowerValue(flow, member.initializer), member);
  }
}

const CONSTANTS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.TrueKeyword,
  ts.SyntaxKind.FalseKeyword,
  ts.SyntaxKind.NullKeyword,
]);

function usesOf(op: Op): readonly Place[] {
  switch (op.kind) {
    case 'copy':
      return isPlace(op.from) ? [op.from] : [];
    case 'branch':
      if (op.test.kind === 'same' || op.test.kind === 'compare')
        return [op.test.left, op.test.right].filter(isPlace);
      return 'place' in op.test && isPlace(op.test.place) ? [op.test.place] : [];
    case 'call':
      return (op.call.receiver === null ? [op.call.callee, ...op.call.args] : op.call.args).filter(isPlace);
    default:
      return [];
  }
}

function readsOf(op: Op): readonly Place[] {
  switch (op.kind) {
    case 'call':
      return [op.call.callee, op.call.receiver ?? UNKNOWN, ...op.call.args].filter(isPlace);
    case 'await':
      return [op.from].filter(isPlace);
    case 'count':
    case 'dispose':
      return [op.place];
    default:
      return usesOf(op);
  }
}

function reassigned(nodes: readonly FlowNode[], params: readonly Place[]): ReadonlySet<Place> {
  const known = new Set(params);
  return new Set(nodes.flatMap(({ op }) => (op.kind === 'copy' && known.has(op.to) ? [op.to] : [])));
}

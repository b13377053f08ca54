import type { PyNode } from './syntax.js';

/** The names that a function or module binds itself, and those that it says are of an outer scope. */
export interface Bound {
  readonly names: ReadonlySet<string>;
  /** Names that first get their value by a plain assignment directly in the body, with that statement. */
  readonly declaredBy: ReadonlyMap<PyNode, string>;
}

const NESTED = new Set(['FunctionDefinition', 'ClassDefinition', 'LambdaExpression']);
const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_]*$/u;

/** Collects what the statements of one scope bind. */
export function namesBound(statements: readonly PyNode[], source: string): Bound {
  const names = new Set<string>();
  const declaredBy = new Map<PyNode, string>();
  const outer = new Set<string>();
  const textOf = ({ from, to }: PyNode) => source.slice(from, to);
  const bind = (target: PyNode): void => {
    // A target that the grammar does not read stands there under another name.
    if (target.type === 'VariableName' && IDENTIFIER.test(textOf(target))) names.add(textOf(target));
    else if (/^(Tuple|Array|Parenthesized)Expression$/.test(target.type)) target.kids.forEach(bind);
  };
  const inPattern = (node: PyNode): void => {
    if (node.type === 'CapturePattern') node.kids.forEach(bind);
    else if (node.type === 'AsPattern') node.kids.slice(-1).forEach(bind);
    node.kids.forEach(inPattern);
  };
  const visit = (node: PyNode, isDirect: boolean): void => {
    switch (node.type) {
      case 'FunctionDefinition':
      case 'ClassDefinition':
      case 'LambdaExpression':
        return;
      case 'AssignStatement': {
        const targets = targetsOf(node);
        const [only] = targets.length === 1 ? (targets[0] ?? []) : [];
        const isPlain = isDirect && targets[0]?.length === 1 && only?.type === 'VariableName';
        if (isPlain && only !== undefined && !names.has(textOf(only))) declaredBy.set(node, textOf(only));
        for (const kid of node.kids) visit(kid, false);
        targets.flat().forEach(bind);
        return;
      }
      case 'UpdateStatement':
        node.kids.slice(0, 1).forEach(bind);
        break;
      case 'ForStatement': {
        const at = node.kids.findIndex(({ type }) => type === 'in');
        node.kids.slice(0, at).forEach(bind);
        break;
      }
      case 'WithStatement':
      case 'TryStatement':
        node.kids.forEach((kid, index) => {
          if (node.kids[index - 1]?.type === 'as') bind(kid);
        });
        break;
      case 'NamedExpression':
        node.kids.slice(0, 1).forEach(bind);
        break;
      case 'MatchClause':
        node.kids.forEach(inPattern);
        break;
      case 'ScopeStatement':
        for (const kid of node.kids) if (kid.type === 'VariableName') outer.add(textOf(kid));
        return;
    }
    for (const kid of node.kids) visit(kid, false);
  };
  for (const statement of statements) visit(statement, true);
  for (const name of outer) names.delete(name);
  for (const [statement, name] of declaredBy) if (outer.has(name)) declaredBy.delete(statement);
  return { names, declaredBy };
}

/** The targets of an assignment: each as a list, which has several where it takes a tuple apart. */
export function targetsOf(statement: PyNode): PyNode[][] {
  const parts = splitBy(statement.kids, 'AssignOp');
  return parts.slice(0, -1).map((part) => part.filter(({ type }) => type !== ',' && type !== 'TypeDef'));
}

export function splitBy(nodes: readonly PyNode[], type: string): PyNode[][] {
  const parts: PyNode[][] = [[]];
  for (const node of nodes) {
    if (node.type === type) parts.push([]);
    else parts.at(-1)?.push(node);
  }
  return parts;
}

/** Whether a function has a yield of its own. */
export function isGenerator(body: PyNode): boolean {
  return body.kids.some(
    (kid) => /^Yield(Statement|Expression)$/.test(kid.type) || (!NESTED.has(kid.type) && isGenerator(kid)),
  );
}

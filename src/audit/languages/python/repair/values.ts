import type { PyNode } from '../syntax.js';

// Decides whether a value still needs the lease that it was read from.

export interface Mention {
  readonly node: PyNode;
  readonly parent: PyNode;
  /** The node around the parent. */
  readonly above: PyNode | null;
  readonly isBound: boolean;
}

/** The places where a name stands as a variable. */
export function mentionsOf(root: PyNode, name: string, source: string): Mention[] {
  const found: Mention[] = [];
  const visit = (node: PyNode, above: PyNode | null): void => {
    node.kids.forEach((kid, index) => {
      if (kid.type === 'VariableName' && source.slice(kid.from, kid.to) === name) {
        const isKeyword = node.type === 'ArgList' && node.kids[index + 1]?.type === 'AssignOp';
        if (!isKeyword) found.push({ node: kid, parent: node, above, isBound: isBinding(node, index) });
      }
      visit(kid, node);
    });
  };
  visit(root, null);
  return found;
}

/** Whether a node's child is what it gives a value to. */
function isBinding(node: PyNode, index: number): boolean {
  const next = node.kids[index + 1]?.type;
  switch (node.type) {
    case 'AssignStatement':
      return node.kids.slice(index + 1).some(({ type }) => type === 'AssignOp');
    case 'UpdateStatement':
    case 'NamedExpression':
      return index === 0;
    case 'ForStatement':
      return index < node.kids.findIndex(({ type }) => type === 'in');
    case 'WithStatement':
    case 'TryStatement':
    case 'ImportStatement':
      return node.kids[index - 1]?.type === 'as' || (node.type === 'ImportStatement' && next !== 'as');
    case 'DeleteStatement':
    case 'ScopeStatement':
    case 'ParamList':
    case 'CapturePattern':
    case 'FunctionDefinition':
    case 'ClassDefinition':
      return true;
    case 'TupleExpression':
    case 'ArrayExpression':
    case 'ParenthesizedExpression':
      return false;
    default:
      return false;
  }
}

/** Whether a function or a generator inside uses a name: it may run later. */
export function capturesIn(root: PyNode, name: string, source: string): boolean {
  return root.kids.some((kid) => {
    const isLater = /^(FunctionDefinition|LambdaExpression|ComprehensionExpression|ClassDefinition)$/.test(
      kid.type,
    );
    return isLater ? mentionsOf(kid, name, source).length > 0 : capturesIn(kid, name, source);
  });
}

/** Calls that read all there is. */
const DONE =
  /\.(fetchall|fetchone|fetchmany|fetchval|fetchrow|fetch|scalar|count|commit|rollback|rowcount|to_dict|execute_fetchall)$/;
/** The same of a session, whose rows may be objects that read more later. */
const DONE_OF_SESSION = /\.(scalar|count|commit|rollback)$/;
const COPIES =
  /^(list|tuple|dict|set|sorted|len|str|int|float|bool|sum|min|max|any|all|repr|round|(pd\.|pandas\.)read_sql\w*)$/;
const COPIES_OF_SESSION = /^(len|str|int|float|bool|sum|any|all|repr|round|(pd\.|pandas\.)read_sql\w*)$/;

/** Whether a value needs none of these names any more. */
export function isDoneWith(
  node: PyNode,
  lazy: ReadonlySet<string>,
  source: string,
  isEntity: boolean,
): boolean {
  if (![...lazy].some((name) => isMentioned(node, name, source))) return true;
  const all = (nodes: readonly PyNode[]) => nodes.every((one) => isDoneWith(one, lazy, source, isEntity));
  switch (node.type) {
    case 'CallExpression': {
      const [callee] = node.kids;
      const text = callee === undefined ? '' : source.slice(callee.from, callee.to).replace(/\s/g, '');
      return isEntity
        ? DONE_OF_SESSION.test(text) || COPIES_OF_SESSION.test(text)
        : DONE.test(text) || COPIES.test(text);
    }
    case 'FormatString':
      return true;
    case 'ArrayComprehensionExpression':
    case 'SetComprehensionExpression':
    case 'DictionaryComprehensionExpression':
      return !isEntity;
    case 'MemberExpression': {
      const [object] = node.kids;
      return object !== undefined && object.type !== 'VariableName' && all(node.kids);
    }
    case 'VariableName':
      return false;
    case 'AwaitExpression':
    case 'BinaryExpression':
    case 'UnaryExpression':
    case 'ConditionalExpression':
    case 'ParenthesizedExpression':
    case 'TupleExpression':
    case 'ArrayExpression':
    case 'DictionaryExpression':
      return all(node.kids);
    default:
      return false;
  }
}

function isMentioned(node: PyNode, name: string, source: string): boolean {
  if (node.type === 'VariableName') return source.slice(node.from, node.to) === name;
  return mentionsOf(node, name, source).length > 0;
}

/** The lease and the names that have something of it that is not read in full: cursors, queries, objects of a session. */
export function lazyNames(
  statements: readonly PyNode[],
  name: string,
  source: string,
  isEntity: boolean,
): ReadonlySet<string> {
  const lazy = new Set([name]);
  const namesIn = (node: PyNode): string[] =>
    node.type === 'VariableName' ? [source.slice(node.from, node.to)] : node.kids.flatMap(namesIn);
  const visit = (node: PyNode): void => {
    const at =
      node.type === 'AssignStatement' || node.type === 'NamedExpression'
        ? node.kids.findLastIndex(({ type }) => type === 'AssignOp' || type === ':=')
        : node.type === 'ForStatement'
          ? node.kids.findIndex(({ type }) => type === 'in')
          : -1;
    if (at >= 0) {
      const end = node.kids.findIndex(({ type }) => type === 'Body');
      const values = node.kids.slice(at + 1, end < 0 ? undefined : end).filter(({ type }) => type !== ',');
      // A row of a cursor is read in full; an object of a session is not.
      const isRow = node.type === 'ForStatement' && !isEntity;
      if (!isRow && !values.every((one) => isDoneWith(one, lazy, source, isEntity)))
        for (const target of node.kids.slice(0, at)) for (const one of namesIn(target)) lazy.add(one);
    }
    if (node.type === 'WithStatement') {
      node.kids.forEach((kid, index) => {
        const value = node.kids[index - 2];
        if (
          node.kids[index - 1]?.type === 'as' &&
          value !== undefined &&
          !isDoneWith(value, lazy, source, isEntity)
        )
          for (const one of namesIn(kid)) lazy.add(one);
      });
    }
    node.kids.forEach(visit);
  };
  // Twice: a loop may use further up what is bound further down.
  statements.forEach(visit);
  statements.forEach(visit);
  return lazy;
}

import { splitBy, targetsOf } from '../scopes.js';
import type { PyNode } from '../syntax.js';
import { capturesIn, isDoneWith, lazyNames, type Mention, mentionsOf } from './values.js';

/** The code around an acquire statement, as far as a repair has to know it. */
export interface PyLease {
  readonly name: string;
  readonly statement: PyNode;
  /** The call, without `await`. */
  readonly value: PyNode;
  readonly isAwaited: boolean;
  /** The statements that use the lease. */
  readonly region: readonly PyNode[];
  /** The statement right after them that releases; null where there is none. */
  readonly release: PyNode | null;
}

interface Ancestor {
  readonly node: PyNode;
  readonly parent: Ancestor | null;
}

/** The nodes around a position, from the file to the innermost. */
function ancestorsAt(root: PyNode, position: number): Ancestor {
  let at: Ancestor = { node: root, parent: null };
  for (;;) {
    const inner = at.node.kids.find(({ from, to }) => from <= position && position < to);
    if (inner === undefined) return at;
    at = { node: inner, parent: at };
  }
}

/** The nearest node of one of these types. */
function nearest(start: Ancestor | null, type: RegExp): Ancestor | null {
  for (let at = start; at !== null; at = at.parent) if (type.test(at.node.type)) return at;
  return null;
}

/** `with connect() as name:`, which does not release: the only item. */
export interface PyBlock {
  readonly value: PyNode;
  readonly target: PyNode;
}

/** The `with` statement whose only item acquires at a position, or why it cannot be repaired; null for no `with`. */
export function pyBlockAt(root: PyNode, source: string, position: number): PyBlock | string | null {
  const inner = ancestorsAt(root, position);
  const statement = nearest(inner, /Statement$/);
  if (statement?.node.type !== 'WithStatement') return null;
  const { kids } = statement.node;
  const head = kids.slice(kids.findIndex(({ type }) => type === 'with') + 1, -1);
  const [value, as, target] = head;
  if (
    head.length !== 3 ||
    value?.type !== 'CallExpression' ||
    as?.type !== 'as' ||
    target?.type !== 'VariableName'
  )
    return 'the with statement has more than one item, or no plain name';
  const around = nearest(statement, /^(FunctionDefinition|Script)$/)?.node ?? root;
  const name = source.slice(target.from, target.to);
  const outside = mentionsOf(around, name, source).filter(
    ({ node, isBound }) => !isBound && (node.from < statement.node.from || node.from >= statement.node.to),
  );
  if (outside.length > 0) return `${name} is used outside the block`;
  const body = kids.at(-1);
  if (body === undefined || capturesIn(body, name, source)) return `a function inside uses ${name}`;
  if (mentionsOf(body, name, source).some((one) => !isUse(one, true, source)))
    return `${name} is stored, returned or given to code that may keep it`;
  const lazy = lazyNames([body], name, source, false);
  const block = statement.parent?.node.kids ?? [];
  const after = block.slice(block.indexOf(statement.node) + 1);
  const isLeft = after.some((one) => [...lazy].some((other) => mentionsOf(one, other, source).length > 0));
  if (isLeft || leavesWith(body, lazy, source, false))
    return `what is read from ${name} would be used after its end`;
  return { value, target };
}

/** The lease that is acquired at a position, or why it cannot be repaired. `isEntity`: what it gives is bound to it. */
export function pyLeaseAt(
  root: PyNode,
  source: string,
  position: number,
  isEntity: boolean,
): PyLease | string {
  const textOf = ({ from, to }: PyNode) => source.slice(from, to);
  const inner = ancestorsAt(root, position);
  const statement = nearest(inner, /Statement$/);
  if (statement?.node.type !== 'AssignStatement') return 'the lease is not assigned to a variable of its own';
  const [targets, ...more] = targetsOf(statement.node);
  const [target] = targets ?? [];
  const [given, ...rest] = splitBy(statement.node.kids, 'AssignOp').at(-1) ?? [];
  if (more.length > 0 || targets?.length !== 1 || target?.type !== 'VariableName')
    return 'the lease is not assigned to a variable of its own';
  const isAwaited = given?.type === 'AwaitExpression';
  const value = isAwaited ? given.kids.at(-1) : given;
  const callee = value?.kids[0];
  if (value?.type !== 'CallExpression' || rest.length > 0 || callee === undefined)
    return 'the lease is acquired as a part of an expression';
  const isTyped = statement.node.kids.some(({ type }) => type === 'TypeDef');
  if (isTyped || position < callee.from || position > callee.to)
    return 'the lease is acquired as a part of an expression';
  const block = statement.parent;
  if (block === null || !/^(Body|Script)$/.test(block.node.type)) return 'it stands on one line with others';
  const around = nearest(block, /^(FunctionDefinition|Script)$/)?.node ?? root;
  const name = textOf(target);
  const body = block.node.kids;
  const index = body.indexOf(statement.node);
  const mentions = mentionsOf(around, name, source);
  if (mentions.some(({ isBound, node }) => isBound && node !== target))
    return `${name} is assigned in another place, too`;
  if (capturesIn(around, name, source)) return `a function inside uses ${name}`;
  const later = body.slice(index + 1);
  const releaseAt = later.findIndex((one) => isRelease(one, name, source));
  const isMentioned = (one: PyNode) =>
    mentions.some(({ node }) => one.from <= node.from && node.to <= one.to);
  const last = releaseAt >= 0 ? releaseAt - 1 : later.findLastIndex(isMentioned);
  const region = later.slice(0, last + 1);
  const release = later[releaseAt] ?? null;
  if (region.length === 0) return 'nothing follows the acquire call in its block';
  const end = (release ?? region.at(-1))?.to ?? 0;
  if (mentions.some(({ node }) => node !== target && (node.from < statement.node.from || node.from >= end)))
    return `${name} is used outside the block that acquires it`;
  const inside = mentions.filter(
    ({ node }) => node.from > statement.node.to && node.from < (release?.from ?? end),
  );
  const kept = inside.find((one) => !isUse(one, release !== null, source));
  if (kept !== undefined) return `${name} is stored, returned or given to code that may keep it`;
  const lazy = lazyNames(region, name, source, isEntity);
  const after = later.slice(region.length + (release === null ? 0 : 1));
  const isLeft =
    release === null &&
    after.some((one) => [...lazy].some((other) => mentionsOf(one, other, source).length > 0));
  if (isLeft || region.some((one) => leavesWith(one, lazy, source, isEntity)))
    return `what is read from ${name} would be used after its end`;
  return { name, statement: statement.node, value, isAwaited, region, release };
}

const RELEASES = /^(close|aclose|disconnect|terminate)$/;
const TAKES = /(^|\.)(putconn|release\w*|close_\w*|return_\w*|put_conn\w*)$/;

/** `name.close()`, `await name.close()`, `pool.putconn(name)`. */
export function isRelease(statement: PyNode, name: string, source: string): boolean {
  const [first] = statement.type === 'ExpressionStatement' ? statement.kids : [];
  const call = first?.type === 'AwaitExpression' ? first.kids.at(-1) : first;
  if (call?.type !== 'CallExpression' || statement.kids.length !== 1) return false;
  const [callee, given] = call.kids;
  if (callee === undefined || given === undefined) return false;
  const text = source.slice(callee.from, callee.to);
  if (text.startsWith(`${name}.`)) return RELEASES.test(text.slice(name.length + 1));
  const args = given.kids.slice(1, -1);
  return TAKES.test(text) && args.length === 1 && source.slice(given.from + 1, given.to - 1).trim() === name;
}

/** Whether a mention only uses the lease. With a release behind it, so does what takes it as an argument. */
function isUse({ node, above, parent }: Mention, isReleased: boolean, source: string): boolean {
  if (parent.type === 'MemberExpression') return parent.kids[0] === node;
  if (parent.type === 'ArgList')
    return isReleased || /^(pd\.|pandas\.)read_sql\w*\(/.test(source.slice(above?.from, above?.to));
  if (/^Yield(Statement|Expression)$/.test(parent.type)) return isReleased;
  return /^(IfStatement|WhileStatement|WithStatement|BinaryExpression|UnaryExpression)$/.test(parent.type);
}

/** Whether a return or yield in a statement gives what still needs the lease. */
function leavesWith(node: PyNode, lazy: ReadonlySet<string>, source: string, isEntity: boolean): boolean {
  if (/^(FunctionDefinition|LambdaExpression|ClassDefinition)$/.test(node.type)) return false;
  if (node.type === 'ReturnStatement') {
    const values = node.kids.slice(1).filter(({ type }) => type !== ',');
    return !values.every((one) => isDoneWith(one, lazy, source, isEntity));
  }
  return node.kids.some((kid) => leavesWith(kid, lazy, source, isEntity));
}

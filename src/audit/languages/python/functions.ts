import { expression } from './expressions.js';
import { isLifespan, type Role, roleStatement, rolesOf } from './roles.js';
import { isGenerator, namesBound, splitBy } from './scopes.js';
import { statements } from './statements.js';
import type { PyNode } from './syntax.js';
import { nameFor, type Surrounding, stepOf, type Translation } from './translation.js';

/** Writes a function; `decorators` are the texts of what stands above it. */
export function functionDefinition(to: Translation, node: PyNode, decorators: readonly string[]): void {
  const nameNode = node.kids.find(({ type }) => type === 'VariableName');
  const body = node.kids.find(({ type }) => type === 'Body');
  if (nameNode === undefined || body === undefined) return;
  const name = to.textOf(nameNode);
  const { kind } = to.around;
  const written = nameFor(name);
  to.out.from(node.from);
  if (kind === 'class') {
    method(to, node, name, body, decorators);
    return;
  }
  const isTop = kind === 'module' && to.around.loops.length === 0 && isTopLevel(to, node);
  if (isTop) {
    to.put('export async function ');
    to.out.stand(written, nameNode.from, nameNode.to);
  } else {
    to.put('var ');
    to.out.stand(written, nameNode.from, nameNode.to);
    to.put(' = async ');
    if (kind === 'module') to.exported.push(written);
  }
  parameters(to, node, 0);
  to.put(isTop ? ' ' : ' => ');
  const roles = rolesIn(to, node, name, decorators);
  functionBody(to, node, body, { lends: lends(decorators), lent: lentOf(to, node, decorators) }, roles);
  to.put(isTop ? '\n' : ';\n');
  if (!isTop || !to.modules.stepped.has(name) || !isGenerator(body)) return;
  to.put('export async function ');
  to.out.stand(stepOf(written), nameNode.from, nameNode.to);
  parameters(to, node, 0);
  to.put(' ');
  functionBody(to, node, body, { isFirstStep: true });
  to.put('\n');
}

/** The parameters of a function that `with` runs: it may lend what it is given. */
function lentOf(to: Translation, node: PyNode, decorators: readonly string[]): ReadonlySet<string> {
  return lends(decorators) ? parameterNames(to, node) : new Set();
}

function parameterNames(to: Translation, node: PyNode): Set<string> {
  const list = node.kids.find(({ type: kind }) => kind === 'ParamList');
  const names = (list?.kids ?? []).filter(
    ({ type: kind }, index, all) => kind === 'VariableName' && all[index - 1]?.type !== 'AssignOp',
  );
  return new Set(names.map((one) => to.textOf(one)));
}

function isTopLevel(to: Translation, { from }: PyNode): boolean {
  return from === 0 || to.source[from - 1] === '\n';
}

/** Whether a yield hands something to a `with` statement, whose failure comes back at the yield. */
function lends(decorators: readonly string[]): boolean {
  return decorators.some((one) => /contextmanager\b|\bfixture\b/.test(one));
}

function method(
  to: Translation,
  node: PyNode,
  name: string,
  body: PyNode,
  decorators: readonly string[],
): void {
  const has = (pattern: RegExp) => decorators.some((one) => pattern.test(one));
  const isStatic = has(/^staticmethod$/) || name === '__new__';
  const isOfClass = has(/^classmethod$/);
  const isGetter = has(/^(functools\.)?(cached_)?property$/) || has(/hybrid_property$/);
  if (has(/\.(setter|deleter)$/)) return;
  const self = isStatic ? null : firstParameter(to, node);
  if (isStatic || isOfClass) to.put('static ');
  const isConstructor = name === '__init__';
  if (isConstructor) to.put('constructor');
  else if (isGetter) to.put(`get ${name}`);
  else to.put(`async ${name}`);
  to.within({ self }, () => {
    if (isGetter) to.put('()');
    else parameters(to, node, isStatic ? 0 : 1);
    to.put(' ');
    const isAbstract = has(/abstractmethod$/) && !body.kids.some(({ type }) => type === 'ReturnStatement');
    if (isAbstract) to.put('{ throw new Error(); }');
    else
      functionBody(
        to,
        node,
        body,
        {
          lends: lends(decorators),
          lent: lentOf(to, node, decorators),
          awaits: !isConstructor && !isGetter,
          isConstructor,
        },
        rolesIn(to, node, name, decorators),
      );
  });
  to.put('\n');
}

function rolesIn(to: Translation, node: PyNode, name: string, decorators: readonly string[]): Role[] {
  const roles = rolesOf(decorators);
  const list = node.kids.find(({ type }) => type === 'ParamList');
  const parameters = list === undefined ? '' : to.textOf(list).slice(1, -1);
  return roles.includes('lends') && isLifespan(name, parameters) ? [...roles, 'lifespan'] : roles;
}

function firstParameter(to: Translation, node: PyNode): string | null {
  const list = node.kids.find(({ type }) => type === 'ParamList');
  const first = list?.kids.find(({ type }) => type === 'VariableName');
  return first === undefined ? null : to.textOf(first);
}

/** Parameters in order; those that can only be given by name stand before the one that takes the rest. */
function parameters(to: Translation, node: PyNode, skip: number): void {
  const list = node.kids.find(({ type }) => type === 'ParamList');
  const all = splitBy((list?.kids ?? []).slice(1, -1), ',').filter(({ length }) => length > 0);
  const plain = all.slice(skip).filter(([first]) => first?.type !== '*' && first?.type !== '/');
  const rest = all.slice(skip).find(([first, second]) => first?.type === '*' && second !== undefined);
  to.put('(');
  plain.forEach((parts, index) => {
    if (index > 0) to.put(', ');
    parameter(
      to,
      parts.filter(({ type }) => type !== '**'),
    );
  });
  if (rest?.[1] !== undefined) {
    if (plain.length > 0) to.put(', ');
    to.put('...');
    expression(to, rest[1]);
  }
  to.put(')');
  const result = node.kids.find(({ type }) => type === 'TypeDef');
  if (result !== undefined) type(to, result);
}

function parameter(to: Translation, parts: readonly PyNode[]): void {
  const [nameNode] = parts;
  if (nameNode === undefined) return;
  to.out.stand(nameFor(to.textOf(nameNode)), nameNode.from, nameNode.to);
  const typed = parts.find(({ type: kind }) => kind === 'TypeDef');
  if (typed !== undefined) type(to, typed);
  const at = parts.findIndex(({ type: kind }) => kind === 'AssignOp');
  const value = at < 0 ? undefined : parts[at + 1];
  if (value === undefined) return;
  // A default is made once, when the function is defined: a call there is not one of the function.
  const isConstant = /^(None|Boolean|Number|String)$/.test(value.type);
  to.put(' = ');
  if (isConstant) expression(to, value);
  else to.put(/^(\w+\.)?(Depends|Security)\b/.test(to.textOf(value)) ? '$depends' : '$default');
}

/** A type, where it is a plain name: of `Session | None` and `Optional[Session]` the one that is something. */
function type(to: Translation, node: PyNode): void {
  const text = to
    .textOf(node)
    .replace(/^\s*(:|->)\s*/, '')
    .replace(/^(?:typing\.)?Optional\[(.*)\]$/s, '$1')
    .replace(/\s*\|\s*None$|^None\s*\|\s*/, '')
    .trim();
  const alias = to.imports.dotted.get(text.slice(0, Math.max(0, text.lastIndexOf('.'))));
  const named = alias === undefined ? text : `${alias}${text.slice(text.lastIndexOf('.'))}`;
  if (
    /^[A-Za-z_]\w*(\.\w+)*$/.test(named) &&
    !/^(None|str|int|bool|float|dict|list|Any|object|bytes|tuple|set)$/.test(named)
  )
    to.put(`: ${named}`);
}

/** The block of a function, which declares what it binds. */
export function functionBody(
  to: Translation,
  node: PyNode,
  body: PyNode,
  change: Partial<Pick<Surrounding, 'lends' | 'awaits' | 'isConstructor' | 'lent' | 'isFirstStep'>>,
  roles: readonly Role[] = [],
): void {
  const inner = body.kids.slice(body.kids[0]?.type === ':' ? 1 : 0);
  const parameters = parameterNames(to, node);
  const bound = namesBound(inner, to.source);
  const declaredBy = new Map([...bound.declaredBy].filter(([, name]) => !parameters.has(name)));
  const hoisted = hoistedNames(bound.names, declaredBy).filter((name) => !parameters.has(name));
  to.put(`{\n${roleStatement(roles)}`);
  if (hoisted.length > 0) to.put(`let ${hoisted.map(nameFor).join(', ')};\n`);
  // A generator that nobody gives to `with` may be a dependency of a framework, which does the same.
  const around = {
    kind: 'function' as const,
    awaits: true,
    isConstructor: false,
    lends: false,
    isFirstStep: false,
    lent: new Set<string>(),
    declaredBy,
    loops: [],
    ...change,
  };
  if (around.lent.size > 0) to.put('let $lent;\n');
  to.within(around, () => statements(to, inner));
  to.put(around.lent.size > 0 ? 'return $lent;\n}' : '}');
}

/** The names that need a declaration of their own. */
export function hoistedNames(names: ReadonlySet<string>, declaredBy: ReadonlyMap<PyNode, string>): string[] {
  const declared = new Set(declaredBy.values());
  return [...names].filter((name) => !declared.has(name));
}

/** Writes a class. */
export function classDefinition(to: Translation, node: PyNode): void {
  const nameNode = node.kids.find(({ type }) => type === 'VariableName');
  const body = node.kids.find(({ type }) => type === 'Body');
  if (nameNode === undefined || body === undefined) return;
  const name = to.textOf(nameNode);
  const { kind } = to.around;
  to.out.from(node.from);
  if (kind === 'class') to.put(`static ${name} = class `);
  else if (kind === 'module' && isTopLevel(to, node)) to.put('export class ');
  else to.put('class ');
  to.out.stand(nameFor(name), nameNode.from, nameNode.to);
  const list = node.kids.find(({ type }) => type === 'ArgList');
  const bases = splitBy((list?.kids ?? []).slice(1, -1), ',')
    .filter((parts) => parts.length === 1 && /^(VariableName|MemberExpression)$/.test(parts[0]?.type ?? ''))
    .map(([one]) => one as PyNode)
    .filter((one) => /^[\w.]+$/.test(to.textOf(one)) && to.textOf(one) !== 'object');
  bases.forEach((base, index) => {
    to.put(index === 0 ? ' extends ' : index === 1 ? ' implements ' : ', ');
    expression(to, base);
  });
  to.put(' {\n');
  to.within(
    { kind: 'class', className: name, self: null, awaits: false, loops: [], declaredBy: new Map() },
    () => {
      for (const statement of body.kids.slice(1)) member(to, statement);
    },
  );
  to.put(kind === 'class' ? '};\n' : '}\n');
}

function member(to: Translation, statement: PyNode): void {
  if (statement.type === 'FunctionDefinition') functionDefinition(to, statement, []);
  else if (statement.type === 'DecoratedStatement') decorated(to, statement);
  else if (statement.type === 'ClassDefinition') classDefinition(to, statement);
  else if (statement.type === 'AssignStatement') {
    const [target] = statement.kids;
    const at = statement.kids.findIndex(({ type: kind }) => kind === 'AssignOp');
    const value = statement.kids[at + 1];
    if (target?.type !== 'VariableName' || at < 0 || value === undefined || statement.kids.length > at + 2)
      return;
    to.out.from(statement.from);
    to.put(`static ${to.textOf(target)} = `);
    expression(to, value);
    to.put(';\n');
  }
}

/** Writes a decorated function or class. */
export function decorated(to: Translation, statement: PyNode): void {
  const decorators = statement.kids
    .filter(({ type: kind }) => kind === 'Decorator')
    .map((one) => to.textOf(one).replace(/^@\s*/, '').replace(/\(.*$/s, '').trim());
  const inner = statement.kids.at(-1);
  if (inner?.type === 'FunctionDefinition') functionDefinition(to, inner, decorators);
  else if (inner?.type === 'ClassDefinition') classDefinition(to, inner);
}

import { callExpression } from './calls.js';
import { splitBy } from './scopes.js';
import { formatString, stringLiteral } from './strings.js';
import type { PyNode } from './syntax.js';
import { nameFor, type Translation } from './translation.js';

/** Writes an expression. */
export function expression(to: Translation, node: PyNode): void {
  const { out } = to;
  out.from(node.from);
  switch (node.type) {
    case 'VariableName':
      name(to, node);
      return;
    case 'Number':
      out.stand(
        /^\d+(\.\d+)?$/.test(to.textOf(node)) && !/^0\d/.test(to.textOf(node)) ? to.textOf(node) : '1',
        node.from,
        node.to,
      );
      return;
    case 'Boolean':
      out.stand(to.textOf(node) === 'True' ? 'true' : 'false', node.from, node.to);
      return;
    case 'None':
      out.stand('null', node.from, node.to);
      return;
    case 'String':
      out.stand(stringLiteral(to.textOf(node)), node.from, node.to);
      return;
    case 'FormatString':
      formatString(to, node);
      return;
    case 'ContinuedString':
      continuedString(to, node);
      return;
    case 'MemberExpression':
      memberExpression(to, node);
      return;
    case 'CallExpression':
      callExpression(to, node);
      return;
    case 'AwaitExpression':
      awaitExpression(to, node);
      return;
    case 'YieldExpression':
    case 'YieldStatement':
      yieldExpression(to, node);
      return;
    case 'BinaryExpression':
      binaryExpression(to, node);
      return;
    case 'UnaryExpression':
      unaryExpression(to, node);
      return;
    case 'ConditionalExpression': {
      const [yes, , condition, , no] = node.kids;
      if (yes === undefined || condition === undefined || no === undefined) break;
      to.put('(');
      expression(to, condition);
      to.put(' ? ');
      expression(to, yes);
      to.put(' : ');
      expression(to, no);
      to.put(')');
      return;
    }
    case 'NamedExpression': {
      const [target, , value] = node.kids;
      if (target === undefined || value === undefined) break;
      to.put('(');
      expression(to, target);
      to.put(' = ');
      expression(to, value);
      to.put(')');
      return;
    }
    case 'ParenthesizedExpression':
      to.put('(');
      for (const kid of node.kids.slice(1, -1)) expression(to, kid);
      to.put(')');
      return;
    case 'TupleExpression':
    case 'ArrayExpression':
    case 'SetExpression':
      list(to, node.kids.slice(1, -1));
      return;
    case 'DictionaryExpression':
      dictionary(to, node);
      return;
    case 'ComprehensionExpression':
    case 'ArrayComprehensionExpression':
    case 'SetComprehensionExpression':
    case 'DictionaryComprehensionExpression':
      comprehension(to, node.kids.slice(1, -1));
      return;
    case 'LambdaExpression':
      lambda(to, node);
      return;
  }
  // Nothing that has a value of its own: what is in it is still evaluated.
  const parts = node.kids.filter(({ kids, type }) => kids.length > 0 || type === 'VariableName');
  if (parts.length === 0) to.put('$unknown');
  else list(to, parts);
}

function name(to: Translation, node: PyNode): void {
  const text = to.textOf(node);
  if (text === to.around.self) to.out.stand('this', node.from, node.to);
  else if (nameFor(text) === text) to.out.copy(node.from, node.to);
  else to.out.stand(nameFor(text), node.from, node.to);
}

/** An array of what stands between commas; of something with a star only the thing itself. */
export function list(to: Translation, nodes: readonly PyNode[]): void {
  to.put('[');
  let isFirst = true;
  for (const node of nodes) {
    if (node.type === ',' || node.type === '*' || node.type === '**' || node.type === ':') continue;
    if (!isFirst) to.put(', ');
    isFirst = false;
    expression(to, node);
  }
  to.put(']');
}

/** One value, or the tuple that several with commas between them are. */
export function tupleOf(to: Translation, nodes: readonly PyNode[]): void {
  const [first] = nodes;
  if (first === undefined) to.put('undefined');
  else if (nodes.length === 1 && first.type === 'CallExpression') {
    to.out.from(first.from);
    callExpression(to, first, true);
  } else if (nodes.length === 1) expression(to, first);
  else list(to, nodes);
}

function dictionary(to: Translation, node: PyNode): void {
  to.put('({ ');
  for (const entry of splitBy(node.kids.slice(1, -1), ',')) {
    const [first, colon, value] = entry;
    if (first === undefined) continue;
    if (first.type === '**' && colon !== undefined) {
      to.put('...');
      expression(to, colon);
    } else if (value !== undefined) {
      if (first.type === 'String') expression(to, first);
      else {
        to.put('[');
        expression(to, first);
        to.put(']');
      }
      to.put(': ');
      expression(to, value);
    } else continue;
    to.put(', ');
  }
  to.put('})');
}

/** `[f(x) for x in xs if c]` as `xs.map((x) => c ? f(x) : undefined)`. */
function comprehension(to: Translation, parts: readonly PyNode[]): void {
  const at = parts.findIndex(({ type }) => type === 'for');
  const start = parts[at - 1]?.type === 'async' ? at - 1 : at;
  const element = parts.slice(0, start).filter(({ type }) => type !== ':');
  clause(to, parts.slice(at), () => tupleOf(to, element));
}

function clause(to: Translation, parts: readonly PyNode[], element: () => void): void {
  const inAt = parts.findIndex(({ type }) => type === 'in');
  const iterable = parts[inAt + 1];
  if (inAt < 0 || iterable === undefined) {
    to.put('$unknown');
    return;
  }
  const rest = parts.slice(inAt + 2);
  const nextFor = rest.findIndex(({ type }) => type === 'for');
  const conditions = splitBy(nextFor < 0 ? rest : rest.slice(0, nextFor), 'if').slice(1);
  to.put(to.around.awaits ? '(await (' : '((');
  expression(to, iterable);
  to.put(').map(async (');
  const targets = parts.slice(1, inAt).filter(({ type }) => type !== ',');
  if (targets.length > 1) list(to, targets);
  else for (const target of targets) expression(to, target);
  to.put(') => (');
  to.within({ awaits: true }, () => {
    for (const [condition] of conditions) {
      if (condition === undefined || condition.type === 'async') continue;
      expression(to, condition);
      to.put(' && ');
    }
    if (nextFor < 0) element();
    else clause(to, rest.slice(nextFor), element);
  });
  to.put(')))');
}

function lambda(to: Translation, node: PyNode): void {
  const list = node.kids.find(({ type }) => type === 'ParamList');
  const body = node.kids.at(-1);
  to.put('(async (');
  const names = (list?.kids ?? []).filter(
    ({ type }, index, all) => type === 'VariableName' && all[index - 1]?.type !== 'AssignOp',
  );
  to.put(names.map((one) => nameFor(to.textOf(one))).join(', '));
  to.put(') => ');
  to.within({ awaits: true, lends: false }, () => {
    if (body === undefined || body === list) to.put('undefined');
    else if (body.type === 'DictionaryExpression') expression(to, body);
    else {
      to.put('(');
      expression(to, body);
      to.put(')');
    }
  });
  to.put(')');
}

function memberExpression(to: Translation, node: PyNode): void {
  const alias = aliasOf(to, node);
  if (alias !== null) {
    to.out.stand(alias, node.from, node.to);
    return;
  }
  const [object, mark, ...rest] = node.kids;
  if (object === undefined || mark === undefined) {
    to.put('$unknown');
    return;
  }
  const isSuper =
    object.type === 'CallExpression' && to.textOf(object).replace(/\s/g, '').startsWith('super(');
  if (isSuper) to.out.stand('super', object.from, object.to);
  else expression(to, object);
  if (mark.type === '.') {
    const [property] = rest;
    to.put('.');
    if (property !== undefined && property.type !== '⚠') to.out.copy(property.from, property.to);
    else to.put('$unknown');
    return;
  }
  to.put('[');
  const key = rest.slice(0, -1);
  if (key.length === 1 && key[0] !== undefined && key[0].type !== ':') expression(to, key[0]);
  else to.put('$slice');
  to.put(']');
}

/** `a.b.c` where `import a.b.c` made it a module: the name that stands for it. */
function aliasOf(to: Translation, node: PyNode): string | null {
  if (to.imports.dotted.size === 0) return null;
  const text = to.textOf(node);
  return /^[\w.]+$/.test(text) ? (to.imports.dotted.get(text) ?? null) : null;
}

/** Marks what waits: the failure of what is awaited is an ordinary one. */
function awaitExpression(to: Translation, node: PyNode): void {
  const operand = node.kids.at(-1);
  if (operand === undefined) return;
  to.put('(');
  if (operand.type !== 'CallExpression') to.put('await ');
  expression(to, operand);
  to.put(' as any)');
}

function yieldExpression(to: Translation, node: PyNode): void {
  const values = node.kids.filter(({ type }) => type !== 'yield' && type !== 'from' && type !== '⚠');
  const [value] = values;
  const isOfParameter =
    values.length === 1 && value?.type === 'VariableName' && to.around.lent.has(to.textOf(value));
  if (isOfParameter && value !== undefined) {
    to.put('$lent = ');
    expression(to, value);
    to.put(', ');
  }
  to.put(`(await ${to.around.lends ? '$pass' : '$yield'}(`);
  if (values.length > 0) tupleOf(to, values);
  to.put('))');
}

function unaryExpression(to: Translation, node: PyNode): void {
  const [operator, operand] = node.kids;
  if (operand === undefined) return;
  if (operator?.type === 'not') negation(to, operand);
  else if (operand.type === 'Number') expression(to, operand);
  else {
    to.put('(1 + ');
    expression(to, operand);
    to.put(')');
  }
}

/** `not a and b`: the grammar takes all of it for what is negated, the language only the first operand. */
function negation(to: Translation, operand: PyNode): void {
  const [left, operator, right] = operand.kids;
  const isLooser = operand.type === 'BinaryExpression' && /^(and|or)$/.test(operator?.type ?? '');
  if (isLooser && left !== undefined && right !== undefined) {
    to.put('(');
    negation(to, left);
    to.put(operator?.type === 'and' ? ' && ' : ' || ');
    expression(to, right);
    to.put(')');
    return;
  }
  to.put('!(');
  expression(to, operand);
  to.put(')');
}

function binaryExpression(to: Translation, node: PyNode): void {
  const [left, ...rest] = node.kids;
  const right = rest.at(-1);
  const operators = rest.slice(0, -1).map(({ type }) => type);
  if (left === undefined || right === undefined || operators.length === 0) {
    to.put('$unknown');
    return;
  }
  const operator = operators[0] ?? '';
  const isNegated = operators.includes('not');
  if (operator === 'in' || (isNegated && operators.includes('in'))) {
    isIn(to, left, right, isNegated);
    return;
  }
  const text = to.textOf(rest[0] as PyNode);
  const written =
    operator === 'and'
      ? '&&'
      : operator === 'or'
        ? '||'
        : operator === 'is'
          ? isNegated
            ? '!=='
            : '==='
          : text === '=='
            ? '==='
            : text === '!=' || text === '<>'
              ? '!=='
              : /^[<>]=?$/.test(text)
                ? text
                : '+';
  to.put('(');
  expression(to, left);
  to.put(` ${written} `);
  expression(to, right);
  to.put(')');
}

/** `'conn' in locals()` asks whether the variable has a value; of other collections nothing is known. */
function isIn(to: Translation, left: PyNode, right: PyNode, isNegated: boolean): void {
  const asked = /^(['"])(\w+)\1$/.exec(to.textOf(left))?.[2];
  to.put(isNegated ? '!(' : '(');
  if (asked !== undefined && /^(locals|vars|dir|globals)\s*\(\s*\)$/.test(to.textOf(right)))
    to.put(nameFor(asked));
  else {
    list(to, [left, right]);
    to.put(`.${to.fresh('in')}`);
  }
  to.put(')');
}

function continuedString(to: Translation, node: PyNode): void {
  to.put('(');
  node.kids.forEach((kid, index) => {
    if (index > 0) to.put(' + ');
    expression(to, kid);
  });
  to.put(')');
}

import { expression, list, tupleOf } from './expressions.js';
import { classDefinition, decorated, functionDefinition } from './functions.js';
import { splitBy, targetsOf } from './scopes.js';
import type { PyNode } from './syntax.js';
import { nameFor, type Translation } from './translation.js';

export function statements(to: Translation, nodes: readonly PyNode[]): void {
  for (const node of nodes) statement(to, node);
}

/** A block of statements in braces. */
export function block(to: Translation, body: PyNode | undefined): void {
  to.put('{\n');
  if (body !== undefined) statements(to, body.kids.slice(body.kids[0]?.type === ':' ? 1 : 0));
  to.put('}');
}

function statement(to: Translation, node: PyNode): void {
  to.out.from(node.from);
  switch (node.type) {
    case 'ExpressionStatement':
    case 'YieldStatement':
      if (node.type === 'YieldStatement' && to.around.isFirstStep) {
        to.put('return ');
        tupleOf(to, node.kids.slice(1));
      } else if (node.type === 'YieldStatement') expression(to, node);
      else tupleOf(to, node.kids);
      to.put(';\n');
      return;
    case 'AssignStatement':
      assignment(to, node);
      return;
    case 'UpdateStatement': {
      const [target, operator, ...value] = node.kids;
      if (target === undefined || operator === undefined) return;
      expression(to, target);
      to.put(to.textOf(operator) === '-=' ? ' -= ' : ' += ');
      tupleOf(to, value);
      to.put(';\n');
      return;
    }
    case 'ReturnStatement':
      to.put('return ');
      if (node.kids.length > 1) tupleOf(to, node.kids.slice(1));
      to.put(';\n');
      return;
    case 'RaiseStatement':
      raise(to, node);
      return;
    case 'AssertStatement':
      to.put('assert(');
      if (node.kids[1] !== undefined) expression(to, node.kids[1]);
      to.put(');\n');
      return;
    case 'DeleteStatement':
      for (const kid of node.kids.slice(1)) {
        if (kid.type !== 'VariableName') continue;
        expression(to, kid);
        to.put(' = undefined;\n');
      }
      return;
    case 'IfStatement':
      ifStatement(to, node);
      return;
    case 'WhileStatement':
    case 'ForStatement':
      loop(to, node);
      return;
    case 'TryStatement':
      tryStatement(to, node);
      return;
    case 'WithStatement':
      withStatement(to, node);
      return;
    case 'MatchStatement':
      matchStatement(to, node);
      return;
    case 'FunctionDefinition':
      functionDefinition(to, node, []);
      return;
    case 'ClassDefinition':
      classDefinition(to, node);
      return;
    case 'DecoratedStatement':
      decorated(to, node);
      return;
    case 'BreakStatement': {
      const label = to.around.loops.at(-1);
      to.put(label == null ? 'break;\n' : `break ${label};\n`);
      return;
    }
    case 'ContinueStatement':
      to.put('continue;\n');
      return;
    case 'ImportStatement':
      for (const { name, alias } of to.imports.local.get(node) ?? [])
        to.put(`${to.around.kind === 'function' ? 'var ' : ''}${nameFor(name)} = ${alias};\n`);
      return;
    case 'StatementGroup':
      statements(
        to,
        node.kids.filter(({ type }) => type !== ';'),
      );
      return;
  }
}

function assignment(to: Translation, node: PyNode): void {
  const targets = targetsOf(node);
  const value = splitBy(node.kids, 'AssignOp').at(-1) ?? [];
  // `x: int`
  if (targets.length === 0) return;
  const declared = to.around.declaredBy.get(node);
  if (declared !== undefined) to.put(to.around.kind === 'module' ? 'export let ' : 'let ');
  for (const parts of targets) {
    tupleOf(to, parts);
    to.put(' = ');
  }
  tupleOf(to, value);
  to.put(';\n');
}

function raise(to: Translation, node: PyNode): void {
  const value = node.kids[1];
  to.put('throw ');
  if (value === undefined || value.type === 'from') to.put('$error');
  else if (value.type === 'CallExpression' && value.kids[1] !== undefined) {
    // The arguments of the exception are evaluated.
    list(
      to,
      value.kids[1].kids.filter(({ kids, type }) => kids.length > 0 || type === 'VariableName'),
    );
  } else expression(to, value);
  to.put(';\n');
}

function ifStatement(to: Translation, node: PyNode): void {
  let isFirst = true;
  for (let at = 0; at < node.kids.length; at++) {
    const kid = node.kids[at] as PyNode;
    if (kid.type === 'if' || kid.type === 'elif') {
      const condition = node.kids[at + 1];
      to.put(isFirst ? 'if (' : ' else if (');
      isFirst = false;
      if (condition !== undefined && condition.type !== 'Body') expression(to, condition);
      else to.put('$unknown');
      to.put(') ');
      block(
        to,
        node.kids.slice(at).find(({ type }) => type === 'Body'),
      );
    } else if (kid.type === 'else') {
      to.put(' else ');
      block(
        to,
        node.kids.slice(at).find(({ type }) => type === 'Body'),
      );
    }
  }
  to.put('\n');
}

function loop(to: Translation, node: PyNode): void {
  const bodies = node.kids.filter(({ type }) => type === 'Body');
  const [body, otherwise] = bodies;
  const label = otherwise === undefined ? null : to.fresh('loop');
  if (label !== null) to.put(`${label}: {\n`);
  if (node.type === 'WhileStatement') {
    to.put('while (');
    const condition = node.kids[1];
    if (condition !== undefined && condition.type !== 'Body') expression(to, condition);
    else to.put('true');
  } else {
    const inAt = node.kids.findIndex(({ type }) => type === 'in');
    const forAt = node.kids.findIndex(({ type }) => type === 'for');
    const bodyAt = node.kids.findIndex(({ type }) => type === 'Body');
    to.put(forAt > 0 ? 'for await (' : 'for (');
    const targets = node.kids.slice(forAt + 1, inAt).filter(({ type }) => type !== ',');
    tupleOf(to, targets.length === 1 && node.kids[forAt + 2]?.type === ',' ? [...targets] : targets);
    to.put(' of ');
    tupleOf(to, node.kids.slice(inAt + 1, bodyAt));
  }
  to.put(') ');
  to.within({ loops: [...to.around.loops, label] }, () => block(to, body));
  to.put('\n');
  if (label !== null) {
    to.within({ loops: [...to.around.loops] }, () => block(to, otherwise));
    to.put('\n}\n');
  }
}

interface Handler {
  readonly types: readonly PyNode[];
  readonly name: PyNode | null;
  readonly body: PyNode | undefined;
}

function tryStatement(to: Translation, node: PyNode): void {
  const { kids } = node;
  const bodyAfter = (at: number) => kids.slice(at).find(({ type }) => type === 'Body');
  const handlers: Handler[] = [];
  let [otherwise, last]: (PyNode | undefined)[] = [undefined, undefined];
  kids.forEach((kid, at) => {
    if (kid.type === 'else') otherwise = bodyAfter(at);
    else if (kid.type === 'finally') last = bodyAfter(at);
    else if (kid.type === 'except') {
      const end = kids.findIndex(({ type }, index) => index > at && type === 'Body');
      const head = kids.slice(at + 1, end).filter(({ type }) => type !== '*');
      const asAt = head.findIndex(({ type }) => type === 'as' || type === ',');
      const types = asAt < 0 ? head : head.slice(0, asAt);
      handlers.push({ types, name: asAt < 0 ? null : (head[asAt + 1] ?? null), body: kids[end] });
    }
  });
  const done = otherwise === undefined ? null : to.fresh('ok');
  if (done !== null) to.put(`{ let ${done} = false;\n`);
  if (last !== undefined) to.put('try {\n');
  if (handlers.length > 0) {
    to.put('try {\n');
    inside(to, bodyAfter(0));
    if (done !== null) to.put(`${done} = true;\n`);
    to.put('} catch ($error) {\n');
    handlersOf(to, handlers);
    to.put('}\n');
  } else {
    inside(to, bodyAfter(0));
    if (done !== null) to.put(`${done} = true;\n`);
  }
  if (done !== null) {
    to.put(`if (${done}) `);
    block(to, otherwise);
    to.put('\n');
  }
  if (last !== undefined) {
    to.put('} finally ');
    if (to.around.isFirstStep) to.put('{}');
    else block(to, last);
    to.put('\n');
  }
  if (done !== null) to.put('}\n');
}

function inside(to: Translation, body: PyNode | undefined): void {
  if (body !== undefined) statements(to, body.kids.slice(body.kids[0]?.type === ':' ? 1 : 0));
}

/** The handlers, tested in order; what none of them takes goes on. */
function handlersOf(to: Translation, handlers: readonly Handler[]): void {
  let isFirst = true;
  for (const { types, name, body } of handlers) {
    const takesAll = types.length === 0 || types.some((one) => ALL.test(to.textOf(one)));
    if (!isFirst) to.put(' else ');
    if (!takesAll) to.put(`if (${to.fresh('case')}) `);
    to.put('{\n');
    if (name?.type === 'VariableName') to.put(`${nameFor(to.textOf(name))} = $error;\n`);
    inside(to, body);
    to.put('}');
    isFirst = false;
    if (takesAll) {
      to.put('\n');
      return;
    }
  }
  to.put(' else { throw $error; }\n');
}

/** Exception classes that catch everything that an ordinary statement raises. */
const ALL = /(^|[\s,(.])(Base)?Exception([\s,)]|$)/;

function withStatement(to: Translation, node: PyNode): void {
  const body = node.kids.at(-1);
  const head = node.kids.slice(node.kids.findIndex(({ type }) => type === 'with') + 1, -1);
  const items = splitBy(head, ',').map((parts) => {
    const asAt = parts.findIndex(({ type }) => type === 'as');
    const target = asAt < 0 ? undefined : parts[asAt + 1];
    const read = target === undefined ? undefined : (to.targets.get(target.from) ?? target);
    return { value: parts[0], target: read };
  });
  items_(to, items, body, node.kids[0]?.type === 'async');
}

interface Item {
  readonly value: PyNode | undefined;
  readonly target: PyNode | undefined;
}

function items_(
  to: Translation,
  [item, ...others]: readonly Item[],
  body: PyNode | undefined,
  isAsync: boolean,
): void {
  const { value, target } = item ?? { value: undefined, target: undefined };
  const rest = (): void => {
    if (others.length > 0) items_(to, others, body, isAsync);
    else inside(to, body);
  };
  if (value === undefined) {
    rest();
    return;
  }
  const call = value.type === 'AwaitExpression' ? (value.kids.at(-1) ?? value) : value;
  const callee = call.type === 'CallExpression' ? to.textOf(call.kids[0] ?? call).replace(/\s/g, '') : '';
  const first = call.kids[1]?.kids[1];
  to.out.from(value.from);
  if (SWALLOWS.test(callee)) {
    to.put('try {\n');
    rest();
    to.put('} catch ($error) {}\n');
  } else if (CLOSING.test(callee) && first !== undefined && first.type !== ')') {
    const held = to.fresh('closing');
    to.put(`{ let ${held} = `);
    expression(to, first);
    to.put(';\n');
    bind(to, target, held);
    to.put('try {\n');
    rest();
    to.put(`} finally { (await ${held}.close()); } }\n`);
  } else {
    const held = to.fresh('with');
    // The first step of a generator leaves everything open.
    to.put(`{ ${to.around.isFirstStep ? 'let' : 'using'} ${held} = `);
    expression(to, value);
    to.put(';\n');
    entered(to, target, held, isAsync);
    // `with session.begin():` ends the transaction, and leaves the session.
    const begun = /\.begin$/.test(callee) ? call.kids[0]?.kids[0] : undefined;
    if (begun !== undefined && begun.type !== 'CallExpression' && !to.around.isFirstStep) {
      to.put('try {\n');
      rest();
      to.put('} finally { (await ');
      expression(to, begun);
      to.put('.rollback()); }\n');
    } else rest();
    to.put('}\n');
  }
}

const SWALLOWS = /(^|\.)(suppress|raises|assertRaises|assertRaisesRegex)$/;
const CLOSING = /(^|\.)a?closing$/;

function bind(to: Translation, target: PyNode | undefined, from: string): void {
  if (target === undefined) return;
  expression(to, target);
  to.put(` = ${from};\n`);
}

/** Binds the target of `as` to the result of entering: the manager itself, unless a class of the project says otherwise. */
function entered(to: Translation, target: PyNode | undefined, held: string, isAsync: boolean): void {
  const isAsked = to.modules.hasManagers && to.around.awaits;
  const value = isAsked ? `(await ${held}.${isAsync ? '__aenter__' : '__enter__'}())` : held;
  if (target !== undefined) bind(to, target, value);
  else if (isAsked) to.put(`${value};\n`);
}

function matchStatement(to: Translation, node: PyNode): void {
  const body = node.kids.find(({ type }) => type === 'MatchBody');
  const subject = node.kids.slice(1).filter(({ type }) => type !== 'MatchBody');
  const held = to.fresh('match');
  to.put(`{ let ${held} = `);
  tupleOf(to, subject);
  to.put(';\n');
  const clauses = (body?.kids ?? []).filter(({ type }) => type === 'MatchClause');
  clauses.forEach((clause, index) => {
    const guard = clause.kids.find(({ type }) => type === 'Guard');
    const pattern = clause.kids[1];
    const takesAll = pattern?.type === 'CapturePattern' && guard === undefined;
    to.put(index === 0 ? '' : ' else ');
    if (!takesAll) {
      to.put(`if (${to.fresh('case')}`);
      if (guard?.kids[1] !== undefined) {
        to.put(' && ');
        expression(to, guard.kids[1]);
      }
      to.put(') ');
    }
    to.put('{\n');
    for (const name of captured(to, pattern)) to.put(`${nameFor(name)} = ${to.fresh('any')};\n`);
    inside(
      to,
      clause.kids.find(({ type }) => type === 'Body'),
    );
    to.put('}');
  });
  to.put('\n}\n');
}

function captured(to: Translation, pattern: PyNode | undefined): string[] {
  if (pattern === undefined) return [];
  if (pattern.type === 'CapturePattern')
    return [to.textOf(pattern)].filter((name) => /^[A-Za-z]\w*$/.test(name));
  const own =
    pattern.type === 'AsPattern' ? pattern.kids.slice(-1).filter(({ type }) => type === 'VariableName') : [];
  return [...own.map((one) => to.textOf(one)), ...pattern.kids.flatMap((kid) => captured(to, kid))];
}

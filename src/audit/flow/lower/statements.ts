import { ts } from 'ts-morph';
import { isFunction } from '../../code/scope.js';
import { ELEMENT, property, UNKNOWN } from '../place.js';
import { assignTo, bindName, declare } from './bindings.js';
import { conditionOf } from './conditions.js';
import { lowerValue, placeOf, withoutParentheses } from './expressions.js';
import type { Frame, Lowering, Tail } from './lowering.js';

export function lowerStatements(flow: Lowering, statements: readonly ts.Statement[]): void {
  for (let i = 0; i < statements.length; i++) {
    const statement = statements[i] as ts.Statement;
    if (ts.isVariableStatement(statement) && isUsing(statement.declarationList)) {
      usingStatement(flow, statement.declarationList, () => lowerStatements(flow, statements.slice(i + 1)));
      return;
    }
    lowerStatement(flow, statement);
  }
}

/** Disposes of what it declares when `rest` is left, in whatever way. */
export function usingStatement(flow: Lowering, list: ts.VariableDeclarationList, rest: () => void): void {
  const [first, ...others] = list.declarations;
  if (first === undefined) {
    rest();
    return;
  }
  declare(flow, first);
  const place = ts.isIdentifier(first.name) ? placeOf(flow, first.name) : UNKNOWN;
  flow.withFinally(
    () => {
      if (others.length > 0) for (const one of others) declare(flow, one);
      rest();
    },
    () => {
      for (const one of [...others].reverse()) {
        if (ts.isIdentifier(one.name))
          flow.emit({ kind: 'dispose', place: placeOf(flow, one.name), given: givenTo(one) }, one);
      }
      flow.emit({ kind: 'dispose', place, given: givenTo(first) }, first);
    },
  );
}

/** The function literals that the value of a declaration is made of. */
function givenTo({ initializer }: ts.VariableDeclaration): ts.SignatureDeclaration[] {
  let at = initializer;
  while (at !== undefined && (ts.isAwaitExpression(at) || ts.isParenthesizedExpression(at)))
    at = at.expression;
  if (at === undefined || !(ts.isCallExpression(at) || ts.isNewExpression(at))) return [];
  return [...(at.arguments ?? [])].map((one): ts.Node => withoutParentheses(one)).filter(isFunction);
}

export function lowerStatement(flow: Lowering, statement: ts.Statement): void {
  if (ts.isBlock(statement)) lowerStatements(flow, statement.statements);
  else if (ts.isVariableStatement(statement)) {
    for (const one of statement.declarationList.declarations) declare(flow, one);
  } else if (ts.isExpressionStatement(statement)) lowerValue(flow, statement.expression, 'floating');
  else if (ts.isIfStatement(statement)) ifStatement(flow, statement);
  else if (ts.isReturnStatement(statement)) returnStatement(flow, statement.expression, statement);
  else if (ts.isThrowStatement(statement)) {
    lowerValue(flow, statement.expression);
    flow.emit({ kind: 'throw' }, statement);
    flow.tails = [];
  } else if (ts.isTryStatement(statement)) tryStatement(flow, statement);
  else if (ts.isWhileStatement(statement) || ts.isDoStatement(statement) || ts.isForStatement(statement)) {
    loopStatement(flow, statement, null);
  } else if (ts.isForOfStatement(statement) || ts.isForInStatement(statement))
    eachStatement(flow, statement, null);
  else if (ts.isSwitchStatement(statement)) switchStatement(flow, statement, null);
  else if (ts.isLabeledStatement(statement)) labeledStatement(flow, statement);
  else if (ts.isBreakStatement(statement) || ts.isContinueStatement(statement))
    leaveStatement(flow, statement);
  else if (ts.isExportAssignment(statement)) lowerValue(flow, statement.expression);
  else if (
    ts.isModuleDeclaration(statement) &&
    statement.body !== undefined &&
    ts.isModuleBlock(statement.body)
  ) {
    lowerStatements(flow, statement.body.statements);
  }
}

export function ifStatement(flow: Lowering, statement: ts.IfStatement): void {
  const { yes, no } = conditionOf(flow, statement.expression);
  flow.tails = yes;
  lowerStatement(flow, statement.thenStatement);
  const after = flow.tails;
  flow.tails = no;
  if (statement.elseStatement !== undefined) lowerStatement(flow, statement.elseStatement);
  flow.tails = [...flow.tails, ...after];
}

export function returnStatement(flow: Lowering, expression: ts.Expression | undefined, ast: ts.Node): void {
  if (expression !== undefined) {
    const value = lowerValue(flow, expression, 'returned');
    flow.copy(flow.result, value, ast, value.includes('|%') && !value.includes('.'));
  }
  flow.emit({ kind: 'return' }, ast);
  flow.goReturn();
}

export function leaveStatement(flow: Lowering, statement: ts.BreakOrContinueStatement): void {
  const label = statement.label?.text ?? null;
  const isContinue = ts.isContinueStatement(statement);
  const depth = flow.frames.findLastIndex(
    (frame) =>
      frame.kind !== 'finally' &&
      (label === null ? frame.kind !== 'label' : frame.label === label) &&
      (!isContinue || frame.continueAt !== null),
  );
  const target = flow.frames[depth];
  if (target === undefined || target.kind === 'finally') {
    flow.tails = []; // not valid code
    return;
  }
  flow.emit({ kind: 'nop' }, statement);
  flow.through(depth, () => {
    if (isContinue && target.continueAt !== null) flow.connect(target.continueAt);
    else {
      target.breaks.push(...flow.tails);
      flow.tails = [];
    }
  });
}

export function tryStatement(flow: Lowering, statement: ts.TryStatement): void {
  const { tryBlock, catchClause, finallyBlock } = statement;
  if (finallyBlock !== undefined) {
    const inner = () =>
      catchClause === undefined
        ? lowerStatements(flow, tryBlock.statements)
        : lowerCatch(flow, tryBlock, catchClause);
    flow.withFinally(inner, () => lowerStatements(flow, finallyBlock.statements));
  } else if (catchClause !== undefined) lowerCatch(flow, tryBlock, catchClause);
  else lowerStatements(flow, tryBlock.statements);
}

export function lowerCatch(flow: Lowering, block: ts.Block, clause: ts.CatchClause): void {
  const outer = flow.thrown;
  const landing = flow.label(clause);
  flow.thrown = landing;
  lowerStatements(flow, block.statements);
  flow.thrown = outer;
  const after = flow.tails;
  flow.tails = [{ node: landing, way: 0 }];
  if (clause.variableDeclaration !== undefined)
    bindName(flow, clause.variableDeclaration.name, '=object', clause, false);
  lowerStatements(flow, clause.block.statements);
  flow.tails = [...flow.tails, ...after];
}

export function loopStatement(
  flow: Lowering,
  statement: ts.WhileStatement | ts.DoStatement | ts.ForStatement,
  label: string | null,
): void {
  if (ts.isForStatement(statement) && statement.initializer !== undefined) {
    if (ts.isVariableDeclarationList(statement.initializer)) {
      for (const one of statement.initializer.declarations) declare(flow, one);
    } else lowerValue(flow, statement.initializer);
  }
  const head = flow.label(statement);
  const update = flow.label(statement);
  const frame: Frame = { kind: 'loop', label, breaks: [], continueAt: update };
  const condition = ts.isForStatement(statement) ? statement.condition : statement.expression;
  let after: Tail[] = [];
  flow.join(head);
  if (!ts.isDoStatement(statement) && condition !== undefined) {
    const { yes, no } = conditionOf(flow, condition);
    flow.tails = yes;
    after = no;
  }
  flow.frames.push(frame);
  lowerStatement(flow, statement.statement);
  flow.frames.pop();
  flow.join(update);
  if (ts.isForStatement(statement) && statement.incrementor !== undefined)
    lowerValue(flow, statement.incrementor);
  if (ts.isDoStatement(statement)) {
    const { yes, no } = conditionOf(flow, statement.expression);
    flow.tails = yes;
    after = no;
  }
  flow.connect(head);
  flow.tails = [...after, ...frame.breaks];
}

export function eachStatement(
  flow: Lowering,
  statement: ts.ForOfStatement | ts.ForInStatement,
  label: string | null,
): void {
  const collection = lowerValue(flow, statement.expression);
  const head = flow.label(statement);
  flow.join(head);
  const isAsync = ts.isForOfStatement(statement) && statement.awaitModifier !== undefined;
  if (isAsync) flow.emit({ kind: 'await', from: collection }, statement.expression);
  const { yes, no } = flow.branch({ kind: 'each', place: collection, loop: head }, statement);
  flow.tails = yes;
  const element = ts.isForOfStatement(statement) ? property(collection, ELEMENT) : UNKNOWN;
  const target = statement.initializer;
  if (ts.isVariableDeclarationList(target)) {
    for (const one of target.declarations) bindName(flow, one.name, element, one, false);
  } else assignTo(flow, target, element, statement);
  const frame: Frame = { kind: 'loop', label, breaks: [], continueAt: head };
  flow.frames.push(frame);
  const list = ts.isVariableDeclarationList(target) && isUsing(target) ? target.declarations[0] : undefined;
  if (list !== undefined && ts.isIdentifier(list.name)) {
    const place = placeOf(flow, list.name);
    flow.withFinally(
      () => lowerStatement(flow, statement.statement),
      () => flow.emit({ kind: 'dispose', place, given: [] }, list),
    );
  } else lowerStatement(flow, statement.statement);
  flow.frames.pop();
  flow.connect(head);
  flow.tails = [...no, ...frame.breaks];
}

export function switchStatement(flow: Lowering, statement: ts.SwitchStatement, label: string | null): void {
  const subject = lowerValue(flow, statement.expression);
  const { clauses } = statement.caseBlock;
  const entries = new Map<ts.CaseOrDefaultClause, Tail[]>();
  for (const clause of clauses) {
    if (ts.isDefaultClause(clause)) continue;
    const isTrue = subject === '=true';
    const { yes, no } = isTrue
      ? conditionOf(flow, clause.expression)
      : flow.branch({ kind: 'same', left: subject, right: lowerValue(flow, clause.expression) }, clause);
    entries.set(clause, yes);
    flow.tails = no;
  }
  const unmatched = flow.tails;
  const byDefault = clauses.find(ts.isDefaultClause);
  if (byDefault !== undefined) entries.set(byDefault, unmatched);
  const frame: Frame = { kind: 'switch', label, breaks: [], continueAt: null };
  flow.frames.push(frame);
  flow.tails = [];
  for (const clause of clauses) {
    flow.tails = [...flow.tails, ...(entries.get(clause) ?? [])];
    lowerStatements(flow, clause.statements);
  }
  flow.frames.pop();
  flow.tails = [...flow.tails, ...frame.breaks, ...(byDefault === undefined ? unmatched : [])];
}

export function labeledStatement(flow: Lowering, { label, statement }: ts.LabeledStatement): void {
  if (ts.isWhileStatement(statement) || ts.isDoStatement(statement) || ts.isForStatement(statement)) {
    loopStatement(flow, statement, label.text);
  } else if (ts.isForOfStatement(statement) || ts.isForInStatement(statement))
    eachStatement(flow, statement, label.text);
  else if (ts.isSwitchStatement(statement)) switchStatement(flow, statement, label.text);
  else {
    const frame: Frame = { kind: 'label', label: label.text, breaks: [], continueAt: null };
    flow.frames.push(frame);
    lowerStatement(flow, statement);
    flow.frames.pop();
    flow.tails.push(...frame.breaks);
  }
}

/** Whether a call gives the value of a `using` declaration. */
export function isValueOfUsing(call: ts.Node): boolean {
  const { parent } = call;
  return (
    ts.isVariableDeclaration(parent) && ts.isVariableDeclarationList(parent.parent) && isUsing(parent.parent)
  );
}

export function isUsing(list: ts.VariableDeclarationList): boolean {
  const kind = list.flags & ts.NodeFlags.BlockScoped;
  return kind === ts.NodeFlags.Using || kind === ts.NodeFlags.AwaitUsing;
}

import { ts } from 'ts-morph';
import { type Body, functionName, isFunction } from './code/scope.js';

/** Folders of what a person or a deployment runs. */
export const SCRIPTS = /(^|\/)(scripts?|bin|migrations?|seeds?|tools?|cli|benchmarks?)\//i;

/** Names of functions that run once, when a program starts or prepares its database. */
const ONCE =
  /^(main|run|start|boot|bootstrap|setup|init(ialize)?|seed\w*|migrate\w*|(run|apply)(Migration|Seed)\w*)$/i;

/** A constructor, a function that the file calls itself, or one that is named for what is done once. */
export function runsOnce(body: Body): boolean {
  if (isCalledOnce(body)) return true;
  const name = functionName(body);
  return name !== null && ONCE.test(name);
}

/** Whether a function runs once for sure, whatever its name: it makes an object, or the file calls it itself. */
export function isCalledOnce(body: Body): boolean {
  if (!isFunction(body) || ts.isConstructorDeclaration(body)) return true;
  let callee: ts.Node = body;
  while (ts.isParenthesizedExpression(callee.parent)) callee = callee.parent;
  if (ts.isCallExpression(callee.parent) && callee.parent.expression === callee) return true;
  if (ts.isCallExpression(callee.parent) && isRunAtTop(callee.parent)) return true;
  const name = functionName(body);
  if (name === null) return false;
  return new RegExp(`^(?:void |await )?${escaped(name)}\\(`, 'm').test(body.getSourceFile().text);
}

/** Whether an error of a function ends the program: all that calls it is `main().catch(() => process.exit(1))`. */
export function failsProgram(body: Body): boolean {
  const name = functionName(body);
  if (name === null || !isFunction(body) || ts.isConstructorDeclaration(body)) return false;
  const file = body.getSourceFile();
  const called = file.text.match(new RegExp(`(?<![\\w$.])${escaped(name)}\\s*\\(`, 'g'))?.length ?? 0;
  const isDeclared = ts.isFunctionDeclaration(body) || ts.isMethodDeclaration(body);
  const guarded = file.statements.filter((one) => exitsAfter(one, name)).length;
  return guarded > 0 && guarded === called - (isDeclared ? 1 : 0);
}

/** `main().catch((error) => { ...; process.exit(1); })`, and `try { await main(); } catch { process.exit(1); }` */
function exitsAfter(statement: ts.Statement, name: string): boolean {
  if (ts.isTryStatement(statement)) {
    const { tryBlock, catchClause } = statement;
    const isCalled = new RegExp(`\\bawait\\s+${escaped(name)}\\s*\\(`).test(tryBlock.getText());
    return isCalled && catchClause !== undefined && EXITS.test(catchClause.getText());
  }
  if (ts.isIfStatement(statement))
    return within(statement.thenStatement).some((one) => exitsAfter(one, name));
  if (!ts.isExpressionStatement(statement)) return false;
  let at: ts.Expression = statement.expression;
  let exits = false;
  while (ts.isVoidExpression(at) || ts.isAwaitExpression(at)) at = at.expression;
  while (ts.isCallExpression(at) && ts.isPropertyAccessExpression(at.expression)) {
    const method = at.expression.name.text;
    const handler = method === 'catch' ? at.arguments[0] : method === 'then' ? at.arguments[1] : undefined;
    exits ||= handler !== undefined && EXITS.test(handler.getText());
    at = at.expression.expression;
  }
  return exits && ts.isCallExpression(at) && at.expression.getText() === name;
}

const EXITS = /\bprocess\.exit\(/;

function within(statement: ts.Statement): readonly ts.Statement[] {
  return ts.isBlock(statement) ? statement.statements : [statement];
}

/** `runProgram(async () => ...)` at the top of a file, and what a command does: `program.command('serve').action(...)`. */
function isRunAtTop(call: ts.CallExpression): boolean {
  let at: ts.Node = call;
  while (!ts.isStatement(at)) {
    if (isFunction(at)) return false;
    at = at.parent;
  }
  if (!ts.isSourceFile(at.parent)) return false;
  const callee = call.expression;
  if (ts.isIdentifier(callee)) return RUNS.test(callee.text);
  return (
    ts.isPropertyAccessExpression(callee) &&
    callee.name.text === 'action' &&
    COMMANDS.test(callee.expression.getText())
  );
}

const RUNS = /^(run|main|start|boot|launch|exec|bootstrap)([A-Z]\w*)?$/;
const COMMANDS = /^(program|cli|command|commander|cmd|cac)\b/i;

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

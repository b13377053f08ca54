import { ts } from 'ts-morph';
import { type Body, functionName, isFunction } from './code/scope.js';

/** Folders of what a person or a deployment runs. */
export const SCRIPTS = /(^|\/)(scripts?|bin|migrations?|seeds?|tools?|cli|benchmarks?)\//i;

/** What runs once, when a program starts or prepares its database. */
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

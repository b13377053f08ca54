import { ts } from 'ts-morph';
import type { Finding, Repairing } from '../types.js';
import { type Edit, hasComment, hasOwnLines, lineStart, linesOf } from './edits.js';
import { callAt, tokenAt } from './lease.js';
import { isOverAfter, releasesWithin } from './releases.js';
import { capturesIn, isAssignment, isKept, mentions, OPENS, ROLLS_BACK } from './uses.js';

/**
 * `let client; try { client = await pool.connect(); ... } catch { ... }`: the try gets a finally that releases what there
 * is, and the releases in it go. Null where the code has another form; else the edits, or the reason for none.
 */
export function releaseAfterTry(
  file: ts.SourceFile,
  { line, column }: Finding,
  ending: Repairing,
): Edit[] | string | null {
  if (ending.commit !== undefined) return null;
  const found = assignedAt(file, file.getPositionOfLineAndCharacter(line - 1, column - 1));
  if (found === null) return null;
  const { acquire, name, attempt, declaration } = found;
  if (attempt.finallyBlock !== undefined)
    return `the finally of the try around the work does not end ${name}`;
  const { tryBlock, catchClause } = attempt;
  const block = attempt.parent as ts.Block;
  const released = { name, ending, block };
  const statement = declaration.parent.parent;
  const elsewhere = block.statements.filter((one) => one !== attempt && one !== statement);
  if (elsewhere.some((one) => mentions(one, name))) return `${name} is used outside of the try, too`;
  const releases = releasesWithin([attempt], released);
  const isOver = (one: ts.Statement) =>
    isOverAfter(one, released) && hasOwnLines(one, file) && !hasComment(one, file);
  if (!releases.every(isOver)) return `${name} is released where the work is not over`;
  const work = tryBlock.statements.filter((one) => one !== acquire);
  const handler = catchClause?.block.statements ?? [];
  if (!isKept({ name, rest: [...work, ...handler], isSync: ending.isSync === true }, releases))
    return `${name} is stored, returned or used by code that is not awaited`;
  if (
    ending.endsTransaction !== true &&
    OPENS.test(tryBlock.getText()) &&
    !ROLLS_BACK.test(catchClause?.getText() ?? '')
  )
    return 'a transaction is opened, and it is not clear how it ends';
  const type = typeEdit(declaration, attempt, releases);
  if (type === null) return `the type of ${name} does not say that there may be none`;
  if (!hasOwnLines(attempt, file)) return 'the try shares its lines with other code';
  const { text } = file;
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const indent = text.slice(lineStart(text, attempt.getStart()), attempt.getStart());
  const unit = unitOf(acquire, indent, text);
  const call = `${ending.awaits ? 'await ' : ''}${name}?.${ending.release}()${acquire.getText().endsWith(';') ? ';' : ''}`;
  const final = ` finally {${newline}${indent}${unit}${call}${newline}${indent}}`;
  return [
    ...type,
    ...releases.map((one) => ({ ...linesOf(one, text), text: '' })),
    { start: attempt.end, end: attempt.end, text: final },
  ];
}

interface Assigned {
  readonly acquire: ts.ExpressionStatement;
  readonly name: string;
  readonly attempt: ts.TryStatement;
  readonly declaration: ts.VariableDeclaration & {
    readonly parent: ts.VariableDeclarationList & { readonly parent: ts.VariableStatement };
  };
}

/** The variable that an acquire call in a try block assigns to, where it is declared beside the try, with no value. */
function assignedAt(file: ts.SourceFile, position: number): Assigned | null {
  const token = tokenAt(file, position);
  const call = token === undefined ? undefined : callAt(token);
  if (call === undefined) return null;
  const value = ts.isAwaitExpression(call.parent) ? call.parent : call;
  const assignment = value.parent;
  if (!ts.isBinaryExpression(assignment) || assignment.right !== value) return null;
  if (assignment.operatorToken.kind !== ts.SyntaxKind.EqualsToken || !ts.isIdentifier(assignment.left))
    return null;
  const name = assignment.left.text;
  const acquire = assignment.parent;
  if (!ts.isExpressionStatement(acquire) || !ts.isBlock(acquire.parent)) return null;
  const attempt = acquire.parent.parent;
  if (!ts.isTryStatement(attempt) || attempt.tryBlock !== acquire.parent || !ts.isBlock(attempt.parent))
    return null;
  if (assignmentsOf(name, attempt.parent) !== 1) return null;
  for (const statement of attempt.parent.statements) {
    if (statement === attempt) break;
    if (!ts.isVariableStatement(statement)) continue;
    const { declarations, flags } = statement.declarationList;
    const [declaration, ...others] = declarations;
    if (declaration === undefined || declaration.name.getText() !== name || others.length > 0) continue;
    if ((flags & ts.NodeFlags.BlockScoped) !== ts.NodeFlags.Let || !isEmpty(declaration)) return null;
    return { acquire, name, attempt, declaration: declaration as Assigned['declaration'] };
  }
  return null;
}

function isEmpty({ initializer }: ts.VariableDeclaration): boolean {
  return initializer === undefined || /^(null|undefined)$/.test(initializer.getText());
}

function assignmentsOf(name: string, within: ts.Node): number {
  let count = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node) && isAssignment(node) && node.left.getText() === name) count++;
    ts.forEachChild(node, visit);
  };
  visit(within);
  return count;
}

/** Makes the declared type say that there may be no lease; null where that would break other uses. */
function typeEdit(
  { type }: ts.VariableDeclaration,
  { tryBlock, catchClause }: ts.TryStatement,
  releases: readonly ts.Statement[],
): Edit[] | null {
  if (type === undefined || /\b(null|undefined|any)\b/.test(type.getText())) return [];
  const isUsed = (node: ts.Node): boolean => {
    const others = (node as ts.Block).statements.filter((one) => !releases.includes(one));
    return others.some((one) => mentions(one, type.parent.getChildAt(0).getText()));
  };
  const name = type.parent.getChildAt(0).getText();
  if (capturesIn(tryBlock, name) || (catchClause !== undefined && isUsed(catchClause.block))) return null;
  return [{ start: type.end, end: type.end, text: ' | undefined' }];
}

/** Returns the white space that a level of indentation adds. */
function unitOf(statement: ts.Statement, outer: string, text: string): string {
  const indent = text.slice(lineStart(text, statement.getStart()), statement.getStart());
  return indent.startsWith(outer) && indent !== outer ? indent.slice(outer.length) : '  ';
}

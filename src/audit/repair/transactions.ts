import { ts } from 'ts-morph';
import {
  catching,
  type Edit,
  hasOwnLines,
  indented,
  layoutOf,
  lineEnd,
  lineStart,
  punctuated,
} from './edits.js';
import type { Lease } from './lease.js';
import {
  canReturn,
  capturesIn,
  declaredNames,
  doesNoWork,
  isKept,
  isRelease,
  mentions,
  waitsForNothing,
} from './uses.js';

/**
 * A transaction that is committed at the end of its statements: these go into a try whose catch rolls back. What comes
 * after the commit stays outside, since a transaction that has ended cannot be rolled back.
 */
export function newCatch(lease: Lease, file: ts.SourceFile): Edit[] | null {
  const { rest, name, ending } = lease;
  const commits = rest.filter((one) => isRelease(one, name, ending.commit ?? '', true));
  const [commit] = commits;
  if (commit === undefined || commits.length > 1) return null;
  const at = rest.indexOf(commit);
  const [inside, after] = [rest.slice(0, at), rest.slice(at + 1)];
  if (inside.some((one) => endsIn(one, lease) || canReturn(one))) return null;
  if (!isKept({ ...lease, rest: inside }, [])) return null;
  if (after.some((one) => mentions(one, name))) return null;
  if (![lease.statement, ...inside, commit].every((one) => hasOwnLines(one, file))) return null;
  if (inside.some((one) => ts.isDeclarationStatement(one))) return null;
  const needed = inside.filter((one) =>
    declaredNames(one).some((own) => after.some((later) => mentions(later, own))),
  );
  // A return of what was read may stand in the try too: it cannot fail.
  const takesRest = needed.length > 0 && after.every(doesNoWork);
  const hoisted = takesRest ? [] : needed;
  const declarations = hoisted.map((one) => hoistable(one, after));
  if (declarations.some((one) => one === null)) return null;
  const { text } = file;
  const { newline, indent, unit } = layoutOf(lease, file);
  const last = takesRest ? (after.at(-1) ?? commit) : commit;
  if (!hasOwnLines(last, file)) return null;
  const start = lineEnd(text, lease.statement.end);
  const end = lineEnd(text, last.end);
  const body = indented(text, start, end, unit, file);
  const shifts = declarations.flatMap((one) => (one === null ? [] : [one]));
  const rewritten = shifts.reduce((code, { from, to }) => code.replace(from, () => to), body);
  const before = shifts
    .map(({ name: own, type }) => `${newline}${indent}${punctuated(`let ${own}${type};`, lease)}`)
    .join('');
  const rollback = `await $.${ending.release}();`;
  return [
    {
      start,
      end,
      text: `${before}${newline}${indent}try {${rewritten}${newline}${indent}}${catching(lease, file, rollback)}`,
    },
  ];
}

/** How `const x = ...;` becomes an assignment to a variable that is declared before; null where it cannot. */
function hoistable(
  statement: ts.Statement,
  after: readonly ts.Statement[],
): { readonly from: string; readonly to: string; readonly name: string; readonly type: string } | null {
  if (!ts.isVariableStatement(statement)) return null;
  const [declaration, ...others] = statement.declarationList.declarations;
  if (declaration === undefined || others.length > 0 || !ts.isIdentifier(declaration.name)) return null;
  const { text: name } = declaration.name;
  // The type of a variable that a function captures must be written out.
  if (declaration.type === undefined && after.some((one) => capturesIn(one, name))) return null;
  const head = statement.getText().slice(0, declaration.getStart() - statement.getStart());
  const type = declaration.type === undefined ? '' : `: ${declaration.type.getText()}`;
  return { from: `${head}${name}${type}`, to: name, name, type };
}

/** A try that commits at its end and whose catch does nothing to the transaction: the catch begins with the rollback. */
export function intoCatch(lease: Lease, file: ts.SourceFile): Edit[] | null {
  const { name, ending } = lease;
  // Statements before the try must not use the transaction, and must not wait.
  const gap = lease.rest.findIndex(ts.isTryStatement);
  if (!lease.rest.slice(0, Math.max(gap, 0)).every((one) => waitsForNothing(one) && !mentions(one, name)))
    return null;
  const rest = lease.rest.slice(Math.max(gap, 0));
  const [attempt] = rest;
  if (attempt === undefined || !ts.isTryStatement(attempt) || attempt.catchClause === undefined) return null;
  const { tryBlock, catchClause, finallyBlock } = attempt;
  if (mentions(catchClause, name) || (finallyBlock !== undefined && mentions(finallyBlock, name)))
    return null;
  const at = tryBlock.statements.findIndex((one) => isRelease(one, name, ending.commit ?? '', true));
  if (at < 0) return null;
  const [inside, after] = [tryBlock.statements.slice(0, at), tryBlock.statements.slice(at + 1)];
  if (inside.some((one) => endsIn(one, lease) || canReturn(one)) || after.some((one) => mentions(one, name)))
    return null;
  // Statements after the commit may fail, too: then there is nothing to roll back.
  const guard = after.every(doesNoWork) ? '' : after.every(waitsForNothing) ? guardOf(lease, file) : null;
  if (guard === null) return null;
  if (!isKept({ ...lease, rest: inside }, []) || rest.slice(1).some((one) => mentions(one, name)))
    return null;
  const [first] = catchClause.block.statements;
  if (first === undefined || !hasOwnLines(first, file)) return null;
  const start = lineStart(file.text, first.getStart());
  const margin = file.text.slice(start, first.getStart());
  const { newline } = layoutOf(lease, file);
  return [
    {
      start,
      end: start,
      text: `${margin}${punctuated(`${guard}await ${name}.${ending.release}();`, lease)}${newline}`,
    },
  ];
}

/** `if (!transaction.finished) `; null where a transaction does not say so, or its types do not. */
function guardOf({ name, ending: { isOpen } }: Lease, { fileName }: ts.SourceFile): string | null {
  if (isOpen === undefined || (!isOpen.isTyped && /\.[cm]?tsx?$/.test(fileName))) return null;
  return `if (${isOpen.test.replaceAll('$', name)}) `;
}

/** Whether a statement ends the transaction somewhere in it. */
function endsIn(statement: ts.Statement, { name, ending }: Lease): boolean {
  return new RegExp(
    `(?<![\\w$.])${name.replaceAll('$', '\\$')}\\s*[?!]?\\.\\s*(${ending.commit}|${ending.release})\\b`,
  ).test(statement.getText());
}

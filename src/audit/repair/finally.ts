import { ts } from 'ts-morph';
import {
  callOf,
  catching,
  type Edit,
  hasComment,
  hasOwnLines,
  indented,
  layoutOf,
  lineEnd,
  linesOf,
  moved,
} from './edits.js';
import type { Lease } from './lease.js';
import { isOverAfter, releasesWithin } from './releases.js';
import {
  COMMITS,
  declaredNames,
  doesNoWork,
  isHanded,
  isKept,
  isLast,
  isRelease,
  leaves,
  mentions,
  OPENS,
  ROLLS_BACK,
  waitsForNothing,
} from './uses.js';

/** A try that follows the acquire call gets the release as its finally; the releases in it go. */
export function intoFinally(lease: Lease, file: ts.SourceFile): Edit[] | null {
  const { rest, name, ending } = lease;
  const [attempt, ...after] = rest;
  if (attempt === undefined || !ts.isTryStatement(attempt) || attempt.finallyBlock !== undefined) return null;
  const inside = releasesWithin([attempt], lease);
  const behind = after.filter((one) => isRelease(one, name, ending.release));
  const releases = [...inside, ...behind];
  if (behind.length > 1 || (inside.length > 0 && behind.length > 0)) return null;
  if (!inside.every((one) => isLast(one, attempt, name)) || !isKept(lease, releases)) return null;
  if (!after.every((one) => behind.includes(one) || doesNoWork(one))) return null;
  if (after.some((one) => !behind.includes(one) && mentions(one, name))) return null;
  const rollsBack = attempt.catchClause?.block.statements.some((one) => ROLLS_BACK.test(one.getText()));
  if (ending.endsTransaction !== true && OPENS.test(attempt.getText()) && rollsBack !== true) return null;
  if (![attempt, ...releases].every((one) => hasOwnLines(one, file))) return null;
  const removed = releases.map((one) => linesOf(one, file.text));
  // If there are several releases, only the bare calls are the same: a comment beside one would get lost.
  if (releases.length > 1 && releases.some((one) => hasComment(one, file))) return null;
  const removals = removed.map((lines) => ({ ...lines, text: '' }));
  if (lease.canUse && behind.length === 0 && !releases.some((one) => hasComment(one, file)))
    return [toUsing(lease, file), ...removals];
  const { newline, indent, unit } = layoutOf(lease, file);
  const [only] = removed;
  const isMoved = removed.length === 1 && only !== undefined;
  const body = isMoved
    ? moved(only, `${indent}${unit}`, newline, file)
    : `${newline}${indent}${unit}${callOf(lease)}`;
  const last = behind[0];
  // The release that followed is replaced by the finally in one piece.
  const start = attempt.end;
  if (last === undefined)
    return [...removals, { start, end: start, text: ` finally {${body}${newline}${indent}}` }];
  const end = lineEnd(file.text, last.end);
  const between = file.text.slice(start, linesOf(last, file.text).start);
  return [{ start, end, text: ` finally {${body}${newline}${indent}}${between}` }];
}

/** Moves the statements between the acquire call and a try whose finally releases into the try. */
export function intoTry(lease: Lease, file: ts.SourceFile): Edit[] | null {
  const { rest, name, ending } = lease;
  const at = rest.findIndex(ts.isTryStatement);
  const attempt = rest[at];
  if (at < 1 || attempt === undefined || !ts.isTryStatement(attempt)) return null;
  const { finallyBlock, catchClause, tryBlock } = attempt;
  const releases = finallyBlock?.statements.filter((one) => isRelease(one, name, ending.release)) ?? [];
  if (finallyBlock === undefined || releases.length !== 1) return null;
  const gap = rest.slice(0, at);
  if (!gap.every((one) => hasOwnLines(one, file)) || !hasOwnLines(attempt, file)) return null;
  if (!isKept({ ...lease, rest: [...gap, finallyBlock] }, releases)) return null;
  // After BEGIN there must be nothing in the gap that can fail: the release would hand the transaction on.
  const opened = gap.findIndex((one) => OPENS.test(one.getText()));
  if (opened >= 0 && opened < gap.length - 1 && ending.endsTransaction !== true) return null;
  const names = gap.flatMap(declaredNames);
  if (gap.some(ts.isDeclarationStatement)) return null;
  const outside = [finallyBlock, ...rest.slice(at + 1)];
  if (names.some((one) => outside.some((statement) => mentions(statement, one)))) return null;
  if (gap.some(leaves)) return null;
  const { text } = file;
  const { newline, indent, unit } = layoutOf(lease, file);
  const start = lineEnd(text, lease.statement.end);
  if (catchClause !== undefined) {
    // The catch must not see what the gap throws: the finally moves out, around both.
    const inside = indented(text, start, catchClause.end, unit, file);
    return [{ start, end: catchClause.end, text: `${newline}${indent}try {${inside}${newline}${indent}}` }];
  }
  if (names.some((one) => tryBlock.statements.some((statement) => declaredNames(statement).includes(one))))
    return null;
  const from = lineEnd(text, (gap.at(-1) as ts.Statement).end);
  const inside = indented(text, start, from, unit, file);
  const opening = text.slice(from, tryBlock.getStart() + 1);
  return [{ start, end: tryBlock.getStart() + 1, text: `${opening}${inside}` }];
}

/** Puts the statements after the acquire call into a try of their own, or declares the lease with `await using`. */
export function newTry(lease: Lease, file: ts.SourceFile): Edit[] | null {
  const { rest, name, ending } = lease;
  const releases = rest.filter((statement) => isRelease(statement, name, ending.release));
  const [release] = releases;
  // Releases before a return in a branch go too, unless a comment gives a reason for one.
  const branches = releasesWithin(rest, lease).filter((one) => !releases.includes(one));
  if (!branches.every((one) => isOverAfter(one, lease) && hasOwnLines(one, file) && !hasComment(one, file)))
    return null;
  if (releases.length > 1 || !isKept(lease, [...releases, ...branches])) return null;
  const at = release === undefined ? -1 : rest.indexOf(release);
  if (at >= 0 && rest.slice(at + 1).some((one) => mentions(one, name))) return null;
  // Released in the midst of a transaction, it would go back to the pool with it: the repair has to roll back.
  const opens = ending.endsTransaction !== true && rest.some((one) => OPENS.test(one.getText()));
  const mustRollBack = opens && !rest.some((one) => ROLLS_BACK.test(one.getText()));
  const isPlain = rest.some((one) => COMMITS.test(one.getText())) && !rest.some(ts.isTryStatement);
  if (mustRollBack && (ending.rollback === undefined || !isPlain)) return null;
  // A helper that is given the lease may end it itself where it fails.
  if ((mustRollBack || branches.length > 0) && rest.some((one) => isHanded(one, name))) return null;
  // A rollback in a branch of the work says nothing of the errors that no branch expects.
  if (opens && !mustRollBack && !rest.some(rollsBackOnError)) return null;
  const extent = extentOf(rest, at);
  if (extent === null) return null;
  const own = [lease.statement, ...rest.slice(0, Math.max(extent, at + 1))];
  if (!own.every((statement) => hasOwnLines(statement, file))) return null;
  if (lease.canUse && !mustRollBack && branches.length === 0) {
    const edits = usingEdits(lease, file, at);
    if (edits !== null) return edits;
  }
  const edit = tryEdit(
    lease,
    file,
    rest.slice(0, extent),
    release,
    branches,
    mustRollBack ? ending.rollback : undefined,
  );
  return edit === null ? null : [edit];
}

/** Whether a statement is a try whose catch rolls back. */
function rollsBackOnError(statement: ts.Statement): boolean {
  return (
    ts.isTryStatement(statement) &&
    statement.catchClause !== undefined &&
    ROLLS_BACK.test(statement.catchClause.getText())
  );
}

/** How many statements go into try: up to the release, or all where what follows needs their names and waits for nothing. */
function extentOf(rest: readonly ts.Statement[], release: number): number | null {
  if (release < 0) return rest.length;
  const after = rest.slice(release + 1);
  if (after.every(doesNoWork)) return rest.length;
  const inside = rest.slice(0, release);
  if (release === 0 || inside.some(ts.isDeclarationStatement)) return null;
  const names = inside.flatMap(declaredNames);
  if (!names.some((name) => after.some((one) => mentions(one, name)))) return release;
  return after.every(waitsForNothing) ? rest.length : null;
}

function tryEdit(
  lease: Lease,
  file: ts.SourceFile,
  inside: readonly ts.Statement[],
  release: ts.Statement | undefined,
  branches: readonly ts.Statement[],
  rollback: string | undefined,
): Edit | null {
  const { text } = file;
  const last = inside.at(-1);
  if (last === undefined) return null;
  const { newline, indent, unit } = layoutOf(lease, file);
  const start = lineEnd(text, lease.statement.end);
  const end = lineEnd(text, Math.max(last.end, release?.end ?? 0));
  const removed = release === undefined ? null : linesOf(release, text);
  const gone = [release, ...branches].flatMap((one) => (one === undefined ? [] : [linesOf(one, text)]));
  const body = indented(text, start, end, unit, file, gone).replace(/^(\r?\n[ \t]*)+(?=\r?\n)/, '');
  const final =
    removed === null
      ? `${newline}${indent}${unit}${callOf(lease)}`
      : moved(removed, `${indent}${unit}`, newline, file);
  return {
    start,
    end,
    text: `${newline}${indent}try {${body}${newline}${indent}}${catching(lease, file, rollback)} finally {${final}${newline}${indent}}`,
  };
}

function usingEdits(lease: Lease, file: ts.SourceFile, release: number): Edit[] | null {
  // The lease would be held until the end of the block.
  const { rest } = lease;
  if (release >= 0 && !rest.slice(release + 1).every(doesNoWork)) return null;
  const dropped = release < 0 ? undefined : rest[release];
  if (dropped === undefined) return [toUsing(lease, file)];
  return [toUsing(lease, file), { ...linesOf(dropped, file.text), text: '' }];
}

/** `await using` instead of `const`. */
function toUsing({ statement, declaration }: Lease, { text }: ts.SourceFile): Edit {
  const start = statement.getStart();
  const value = text.slice(declaration.getStart(), statement.end);
  return { start, end: statement.end, text: `await using ${value}` };
}

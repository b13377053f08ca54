import { structuredPatch } from 'diff';
import { ts } from 'ts-morph';
import { isMarkup, scriptOf } from './code/markup.js';
import { RESOURCES } from './resources/index.js';
import type { Finding, Repairing } from './types.js';

export interface Repair {
  /** The file with all that could be repaired. */
  readonly text: string;
  /** The findings that are repaired. */
  readonly repaired: readonly Finding[];
}

export interface ExplainedRepair extends Repair {
  /** The others, each with the reason. */
  readonly refused: readonly { readonly finding: Finding; readonly reason: string }[];
}

export interface RepairOptions {
  /** Whether `await using` can be written in the file. */
  readonly parsesUsing: boolean;
  /** The version of a package, as far as it is known for sure: `3.18.0`. */
  versionOf(name: string): string | null;
}

/**
 * Repairs the leaks of one file where that is provably right: a lease in a const that nothing but awaited calls of its
 * methods mentions, and releases that are statements of their own. What comes after the acquire call goes into try, the
 * release into finally; a try that is there already gets the finally, or takes in what stands before it. Where the lease
 * can be declared with `await using`, it is.
 */
export function repair(
  name: string,
  text: string,
  findings: readonly Finding[],
  options: RepairOptions = { parsesUsing: false, versionOf: () => null },
): Repair {
  const { text: changed, repaired } = explainedRepair(name, text, findings, options);
  return { text: changed, repaired };
}

/** The same, with the reason for each leak that stays. */
export function explainedRepair(
  name: string,
  text: string,
  findings: readonly Finding[],
  options: RepairOptions,
): ExplainedRepair {
  const file = parse(name, text);
  const edits: Edit[] = [];
  const repaired: Finding[] = [];
  const refused: { finding: Finding; reason: string }[] = [];
  const refuse = (finding: Finding, reason: string) => refused.push({ finding, reason });
  for (const finding of findings) {
    const own = editsFor(file, finding, options);
    if (own === null) refuse(finding, 'the code has a form that is not known to be safe to change');
    else if (own.some((one) => edits.some((other) => overlap(one, other))))
      refuse(finding, 'another repair changes the same lines; run --fix again');
    else {
      edits.push(...own);
      repaired.push(finding);
    }
  }
  let result = text;
  for (const { start, end, text: replacement } of edits.sort((a, b) => b.start - a.start)) {
    result = result.slice(0, start) + replacement + result.slice(end);
  }
  if (isWhole(name, result)) return { text: result, repaired, refused };
  for (const finding of repaired) refuse(finding, 'the changed file would not parse');
  return { text, repaired: [], refused };
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function overlap(one: Edit, other: Edit): boolean {
  return one.start === other.start || (one.start < other.end && other.start < one.end);
}

/** Whether a text has no syntax errors. */
function isWhole(name: string, text: string): boolean {
  const code = isMarkup(name) ? scriptOf(name, text).text : text;
  const { diagnostics = [] } = ts.transpileModule(code, {
    fileName: isMarkup(name) ? 'script.ts' : name,
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ESNext, jsx: ts.JsxEmit.Preserve, allowJs: true },
  });
  return diagnostics.length === 0;
}

function parse(name: string, text: string): ts.SourceFile {
  const { text: code, kind } = isMarkup(name) ? scriptOf(name, text) : { text, kind: undefined };
  return ts.createSourceFile(name, code, ts.ScriptTarget.Latest, true, kind);
}

const OPENS = /\bbegin|\bstart_?\s*transaction/i;
const ROLLS_BACK = /rollback/i;

interface Lease {
  readonly statement: ts.VariableStatement;
  readonly declaration: ts.VariableDeclaration;
  readonly name: string;
  readonly block: ts.Block;
  readonly index: number;
  /** The statements of the block after the acquire call. */
  readonly rest: readonly ts.Statement[];
  readonly ending: Repairing;
  readonly canUse: boolean;
}

function editsFor(file: ts.SourceFile, finding: Finding, options: RepairOptions): Edit[] | null {
  const ending = RESOURCES.find(({ id }) => id === finding.resource)?.repair;
  if (ending === undefined || finding.rule !== 'leak' || finding.confidence !== 'high') return null;
  const lease = leaseAt(file, finding, ending, options);
  if (lease === null || lease.rest.length === 0) return null;
  const { block, index, name } = lease;
  if (block.statements.slice(0, index).some((statement) => mentions(statement, name))) return null;
  return intoFinally(lease, file) ?? intoTry(lease, file) ?? newTry(lease, file);
}

/** A try that follows the acquire call gets the release as its finally; the releases in it go. */
function intoFinally(lease: Lease, file: ts.SourceFile): Edit[] | null {
  const { rest, name, ending } = lease;
  const [attempt, ...after] = rest;
  if (attempt === undefined || !ts.isTryStatement(attempt) || attempt.finallyBlock !== undefined) return null;
  const inside = releasesIn(attempt, lease);
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
  // Of several, only the bare calls are the same: what is said beside them would get lost.
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

/** What stands between the acquire call and a try whose finally releases goes into the try. */
function intoTry(lease: Lease, file: ts.SourceFile): Edit[] | null {
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
    const inside = indented(text, start, catchClause.end, unit, file, null);
    return [{ start, end: catchClause.end, text: `${newline}${indent}try {${inside}${newline}${indent}}` }];
  }
  if (names.some((one) => tryBlock.statements.some((statement) => declaredNames(statement).includes(one))))
    return null;
  const from = lineEnd(text, (gap.at(-1) as ts.Statement).end);
  const inside = indented(text, start, from, unit, file, null);
  const opening = text.slice(from, tryBlock.getStart() + 1);
  return [{ start, end: tryBlock.getStart() + 1, text: `${opening}${inside}` }];
}

/** `var` and function declarations aside, the names that a statement declares for those after it. */
function declaredNames(statement: ts.Statement): string[] {
  if (!ts.isVariableStatement(statement)) return [];
  const found: string[] = [];
  const visit = (name: ts.BindingName): void => {
    if (ts.isIdentifier(name)) found.push(name.text);
    else for (const element of name.elements) if (ts.isBindingElement(element)) visit(element.name);
  };
  for (const { name } of statement.declarationList.declarations) visit(name);
  return found;
}

/** Whether a statement may leave the loop or switch around it: that works from within a try too, but is read badly. */
function leaves(statement: ts.Statement): boolean {
  return ts.isBreakOrContinueStatement(statement);
}

/** What follows the acquire call goes into a try of its own, or the lease is declared with `await using`. */
function newTry(lease: Lease, file: ts.SourceFile): Edit[] | null {
  const { rest, name, ending } = lease;
  const releases = rest.filter((statement) => isRelease(statement, name, ending.release));
  const [release] = releases;
  if (releases.length > 1 || !isKept(lease, releases)) return null;
  const at = release === undefined ? -1 : rest.indexOf(release);
  if (at >= 0 && rest.slice(at + 1).some((one) => mentions(one, name))) return null;
  // Released in the midst of a transaction, it would go back to the pool with it: somebody has to say how that ends.
  if (ending.endsTransaction !== true && rest.some((one) => OPENS.test(one.getText()))) return null;
  const extent = extentOf(rest, at);
  if (extent === null) return null;
  const own = [lease.statement, ...rest.slice(0, Math.max(extent, at + 1))];
  if (!own.every((statement) => hasOwnLines(statement, file))) return null;
  if (lease.canUse) {
    const edits = usingEdits(lease, file, at);
    if (edits !== null) return edits;
  }
  const edit = tryEdit(lease, file, rest.slice(0, extent), release);
  return edit === null ? null : [edit];
}

/** Whether what is lent can be declared with `await using`, there and in that version. */
function canUse(
  { using }: Repairing,
  { text }: ts.SourceFile,
  { parsesUsing, versionOf }: RepairOptions,
): boolean {
  if (using === undefined || !(parsesUsing || /\bawait using\b/.test(text))) return false;
  const { module, since } = using;
  if (module === null || since === null) return true;
  if (!new RegExp(`['"]${module}['"]`).test(text)) return false;
  const version = versionOf(module.replace(/^((?:@[^/]+\/)?[^/]+).*$/, '$1'));
  return version !== null && isAtLeast(version, since);
}

/** Whether the first of two versions is the second or a later one. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [have, want] = [version, wanted].map((one) => one.split('-')[0]?.split('.').map(Number) ?? []);
  for (let at = 0; at < 3; at++) {
    const difference = (have?.[at] ?? 0) - (want?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** The const that the acquire call of a finding is in. */
function leaseAt(
  file: ts.SourceFile,
  { line, column }: Finding,
  ending: Repairing,
  options: RepairOptions,
): Lease | null {
  const position = file.getPositionOfLineAndCharacter(line - 1, column - 1);
  let at: ts.Node | undefined = tokenAt(file, position);
  if (at === undefined || !ending.acquire.includes(at.getText())) return null;
  while (at !== undefined && !ts.isCallExpression(at)) at = at.parent;
  if (at === undefined) return null;
  const value = ts.isAwaitExpression(at.parent) ? at.parent : at;
  const declaration = value.parent;
  if (!ts.isVariableDeclaration(declaration) || !ts.isIdentifier(declaration.name)) return null;
  const list = declaration.parent;
  const statement = list.parent;
  if (!ts.isVariableDeclarationList(list) || list.declarations.length !== 1) return null;
  if ((list.flags & ts.NodeFlags.BlockScoped) !== ts.NodeFlags.Const) return null;
  if (!ts.isVariableStatement(statement) || !ts.isBlock(statement.parent)) return null;
  const block = statement.parent;
  const index = block.statements.indexOf(statement);
  return {
    statement,
    declaration,
    name: declaration.name.text,
    block,
    index,
    rest: block.statements.slice(index + 1),
    ending,
    canUse: canUse(ending, file, options),
  };
}

function tokenAt(file: ts.SourceFile, position: number): ts.Node | undefined {
  let found: ts.Node | undefined;
  const visit = (node: ts.Node): void => {
    if (node.pos > position || position >= node.end) return;
    if (node.getStart() === position) found = node;
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** `client.release();`, alone, with nothing said of an error. */
function isRelease(statement: ts.Statement, name: string, method: string): boolean {
  if (!ts.isExpressionStatement(statement)) return false;
  const call = ts.isAwaitExpression(statement.expression)
    ? statement.expression.expression
    : statement.expression;
  return (
    ts.isCallExpression(call) &&
    call.arguments.length === 0 &&
    call.questionDotToken === undefined &&
    ts.isPropertyAccessExpression(call.expression) &&
    call.expression.questionDotToken === undefined &&
    call.expression.name.text === method &&
    ts.isIdentifier(call.expression.expression) &&
    call.expression.expression.text === name
  );
}

/** The statements within a try that release, wherever in it they stand. */
function releasesIn(attempt: ts.TryStatement, { name, ending }: Lease): ts.Statement[] {
  const found: ts.Statement[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isExpressionStatement(node) && isRelease(node, name, ending.release)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(attempt);
  return found;
}

/** Whether a release within a try may as well come when the try is left: what follows it ends there, and needs no lease. */
function isLast(release: ts.Statement, attempt: ts.TryStatement, name: string): boolean {
  const block = release.parent;
  if (!ts.isBlock(block)) return false;
  const after = block.statements.slice(block.statements.indexOf(release) + 1);
  if (after.some((one) => mentions(one, name))) return false;
  if (block === attempt.tryBlock) return after.every(doesNoWork);
  if (block === attempt.catchClause?.block) return true;
  // In a block within: it leaves the function at once, past no other try.
  const [exit, ...more] = after;
  if (exit === undefined || more.length > 0 || !(ts.isReturnStatement(exit) || ts.isThrowStatement(exit)))
    return false;
  for (let at: ts.Node = block.parent; at !== attempt; at = at.parent)
    if (ts.isTryStatement(at)) return false;
  return true;
}

/** Whether nothing else can have the lease: each mention is an awaited call of a method, outside of inner functions. */
function isKept({ name, rest }: Pick<Lease, 'name' | 'rest'>, releases: readonly ts.Statement[]): boolean {
  let isSafe = true;
  const visit = (node: ts.Node, isInner: boolean): void => {
    if (releases.some((release) => release === node)) return;
    if (ts.isIdentifier(node) && node.text === name && !isPropertyName(node)) {
      isSafe &&= !isInner && isAwaitedCall(node);
    }
    // What is yielded leaves the function at a point where it may never come back to.
    if (ts.isYieldExpression(node)) isSafe = false;
    ts.forEachChild(node, (child) => visit(child, isInner || ts.isFunctionLike(node)));
  };
  for (const statement of rest) visit(statement, false);
  return isSafe;
}

function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node)
  );
}

const ENDS = /^(release|end|close|destroy|detach|dispose|on|once|off|addListener|removeListener)$/;

/** `await client.query(...)`: its result is there before the release. */
function isAwaitedCall(node: ts.Identifier): boolean {
  const access = node.parent;
  if (!ts.isPropertyAccessExpression(access) || access.expression !== node || ENDS.test(access.name.text))
    return false;
  const call = access.parent;
  return ts.isCallExpression(call) && call.expression === access && ts.isAwaitExpression(call.parent);
}

function mentions(node: ts.Node, name: string): boolean {
  let found = ts.isIdentifier(node) && node.text === name && !isPropertyName(node);
  ts.forEachChild(node, (child) => {
    found ||= mentions(child, name);
  });
  return found;
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

/** Whether a statement is over at once: the lease is held for no longer than it computes. */
function waitsForNothing(statement: ts.Statement): boolean {
  let waits = ts.isDeclarationStatement(statement);
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isAwaitExpression(node) || ts.isYieldExpression(node)) waits = true;
    if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) waits = true;
    if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.Using) === ts.NodeFlags.Using)
      waits = true;
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return !waits;
}

/** `return rows;` */
function doesNoWork(statement: ts.Statement): boolean {
  let does = false;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) || ts.isNewExpression(node) || ts.isAwaitExpression(node)) does = true;
    if (ts.isTaggedTemplateExpression(node)) does = true;
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return !does && ts.isReturnStatement(statement);
}

function hasOwnLines(statement: ts.Statement, { text }: ts.SourceFile): boolean {
  const before = text.slice(lineStart(text, statement.getStart()), statement.getStart());
  const after = text.slice(statement.end, lineEnd(text, statement.end));
  return before.trim() === '' && /^\s*(\/\/.*)?$/.test(after);
}

function lineStart(text: string, position: number): number {
  return text.lastIndexOf('\n', position - 1) + 1;
}

/** Before the line break, and before a carriage return. */
function lineEnd(text: string, position: number): number {
  const at = text.indexOf('\n', position);
  const end = at < 0 ? text.length : at;
  return end > position && text[end - 1] === '\r' ? end - 1 : end;
}

function tryEdit(
  lease: Lease,
  file: ts.SourceFile,
  inside: readonly ts.Statement[],
  release: ts.Statement | undefined,
): Edit | null {
  const { text } = file;
  const last = inside.at(-1);
  if (last === undefined) return null;
  const { newline, indent, unit } = layoutOf(lease, file);
  const start = lineEnd(text, lease.statement.end);
  const end = lineEnd(text, Math.max(last.end, release?.end ?? 0));
  const removed = release === undefined ? null : linesOf(release, text);
  const body = indented(text, start, end, unit, file, removed);
  const final =
    removed === null
      ? `${newline}${indent}${unit}${callOf(lease)}`
      : moved(removed, `${indent}${unit}`, newline, file);
  return {
    start,
    end,
    text: `${newline}${indent}try {${body}${newline}${indent}} finally {${final}${newline}${indent}}`,
  };
}

function callOf({ name, ending: { awaits, release } }: Lease): string {
  return `${awaits ? 'await ' : ''}${name}.${release}();`;
}

interface Layout {
  readonly newline: string;
  /** What stands before the statement of the acquire call, and what each level adds. */
  readonly indent: string;
  readonly unit: string;
}

function layoutOf({ statement, block }: Lease, { text }: ts.SourceFile): Layout {
  const indent = text.slice(lineStart(text, statement.getStart()), statement.getStart());
  const outer = /^[ \t]*/.exec(text.slice(lineStart(text, block.end - 1)))?.[0] ?? '';
  const unit = indent.startsWith(outer) && indent !== outer ? indent.slice(outer.length) : '  ';
  return { newline: text.includes('\r\n') ? '\r\n' : '\n', indent, unit };
}

/** The lines of a release and its comments, in another place, without the blank lines above them. */
function moved(
  { start, end }: { readonly start: number; readonly end: number },
  indent: string,
  newline: string,
  { text }: ts.SourceFile,
): string {
  return text
    .slice(start, end)
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => `${newline}${indent}${line.trim()}`)
    .join('');
}

/** Whether something is said beside a statement. */
function hasComment(statement: ts.Statement, { text }: ts.SourceFile): boolean {
  const { start, end } = linesOf(statement, text);
  return text.slice(start, end).trim() !== statement.getText();
}

/** A statement with the comments above it, from the line break before them. */
function linesOf(statement: ts.Statement, text: string): { readonly start: number; readonly end: number } {
  return { start: lineEnd(text, statement.getFullStart()), end: lineEnd(text, statement.end) };
}

/** The lines of a part of the text, moved to the right; lines within template strings stay as they are. */
function indented(
  text: string,
  start: number,
  end: number,
  unit: string,
  file: ts.SourceFile,
  removed: { readonly start: number; readonly end: number } | null,
): string {
  const strings: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isTemplateLiteral(node)) strings.push(node);
    ts.forEachChild(node, visit);
  };
  visit(file);
  let result = '';
  for (let at = start; at < end; at++) {
    if (removed !== null && at >= removed.start && at < removed.end) continue;
    result += text[at];
    const isBlank = /^\r?(\n|$)/.test(text.slice(at + 1, at + 3));
    const isInString = strings.some((one) => one.getStart() < at && at < one.end);
    if (text[at] === '\n' && !isBlank && !isInString) result += unit;
  }
  return result;
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

/** A unified diff of two versions of a file, as `git diff` prints it; '' if they are the same. */
export function diff(name: string, before: string, after: string): string {
  if (before === after) return '';
  const patch = structuredPatch(`a/${name}`, `b/${name}`, before, after, undefined, undefined, {
    context: 3,
  });
  const hunks = patch.hunks.map(({ oldStart, oldLines, newStart, newLines, lines }) =>
    [`@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@`, ...lines].join('\n'),
  );
  return `--- ${patch.oldFileName}\n+++ ${patch.newFileName}\n${hunks.join('\n')}\n`;
}

function range(start: number, lines: number): string {
  return lines === 1 ? String(start) : `${start},${lines}`;
}

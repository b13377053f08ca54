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
    if (typeof own === 'string') refuse(finding, own);
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

/** Whether a text has no syntax errors. The compiler knows, though its types do not say so. */
function isWhole(name: string, text: string): boolean {
  const { parseDiagnostics = [] } = parse(name, text) as { readonly parseDiagnostics?: readonly unknown[] };
  return parseDiagnostics.length === 0;
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

/** The edits that repair a finding, or the reason why there are none. */
function editsFor(file: ts.SourceFile, finding: Finding, options: RepairOptions): Edit[] | string {
  const ending = RESOURCES.find(({ id }) => id === finding.resource)?.repair;
  if (finding.rule !== 'leak') return 'only leaks are repaired';
  if (ending === undefined) return `there is no repair for ${finding.resource}`;
  if (finding.confidence === 'low') return 'it is not certain that this is a lease';
  const lease = leaseAt(file, finding, ending, options);
  if (typeof lease === 'string') return lease;
  const { block, index, name, rest } = lease;
  if (rest.length === 0) return 'nothing follows the acquire call in its block';
  if (block.statements.slice(0, index).some((statement) => mentions(statement, name)))
    return `${name} has another meaning before the acquire call`;
  const found =
    ending.commit === undefined
      ? (intoFinally(lease, file) ?? intoTry(lease, file) ?? newTry(lease, file))
      : (intoCatch(lease, file) ?? newCatch(lease, file));
  return found ?? whyNot(lease);
}

/** The first obstacle, for people: the repairs themselves only say that they do not fit. */
function whyNot({ rest, name, ending }: Lease): string {
  const hasTry = rest.some(ts.isTryStatement);
  if (rest.some((one) => handsOver(one, name)))
    return `${name} is stored, returned or used by code that is not awaited`;
  const opens = rest.some((one) => OPENS.test(one.getText()));
  if (opens && ending.endsTransaction !== true && ending.rollback === undefined)
    return 'a transaction is opened, and it is not clear how it ends';
  if (ending.commit !== undefined) return 'it is not committed at the end of a plain sequence of statements';
  return hasTry
    ? `the try statement around the work does not end ${name} in a form that can be moved`
    : `${name} is released in several places, or what follows needs names from before`;
}

/** Whether a mention of the lease may outlive the statement. */
function handsOver(statement: ts.Statement, name: string): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === name && !isPropertyName(node))
      found ||= !isUsedOnly(node, statement);
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return found;
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
  return statement.declarationList.declarations.flatMap(({ name }) => namesIn(name));
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
  // Released in the midst of a transaction, it would go back to the pool with it: the repair has to roll back.
  const opens = ending.endsTransaction !== true && rest.some((one) => OPENS.test(one.getText()));
  const mustRollBack = opens && !rest.some((one) => ROLLS_BACK.test(one.getText()));
  if (opens && (!mustRollBack || ending.rollback === undefined)) return null;
  const extent = extentOf(rest, at);
  if (extent === null) return null;
  const own = [lease.statement, ...rest.slice(0, Math.max(extent, at + 1))];
  if (!own.every((statement) => hasOwnLines(statement, file))) return null;
  if (lease.canUse && !mustRollBack) {
    const edits = usingEdits(lease, file, at);
    if (edits !== null) return edits;
  }
  const edit = tryEdit(
    lease,
    file,
    rest.slice(0, extent),
    release,
    mustRollBack ? ending.rollback : undefined,
  );
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

/** The const that the acquire call of a finding is in, or the reason why it is in none. */
function leaseAt(
  file: ts.SourceFile,
  { line, column }: Finding,
  ending: Repairing,
  options: RepairOptions,
): Lease | string {
  const position = file.getPositionOfLineAndCharacter(line - 1, column - 1);
  let at: ts.Node | undefined = tokenAt(file, position);
  if (at === undefined) return 'the acquire call is not where it was';
  const lender = at.getText();
  while (at !== undefined && !ts.isCallExpression(at) && !ts.isNewExpression(at)) at = at.parent;
  if (at === undefined) return 'the acquire call is no plain call';
  const value = ts.isAwaitExpression(at.parent) ? at.parent : at;
  const declaration = value.parent;
  if (!ts.isVariableDeclaration(declaration) || !ts.isIdentifier(declaration.name))
    return 'the lease is not declared by the acquire call, as in const client = await ...';
  const list = declaration.parent;
  const statement = list.parent;
  if (!ts.isVariableDeclarationList(list) || list.declarations.length !== 1)
    return 'several variables are declared in one statement';
  if (ending.awaits && value === at && ending.commit !== undefined) return 'the acquire call is not awaited';
  if ((list.flags & ts.NodeFlags.BlockScoped) !== ts.NodeFlags.Const)
    return `${declaration.name.text} is no const: it may get another value`;
  if (!ts.isVariableStatement(statement) || !ts.isBlock(statement.parent))
    return 'the acquire call is not in a block of statements';
  const block = statement.parent;
  const index = block.statements.indexOf(statement);
  const rest = block.statements.slice(index + 1);
  // A function of the project may lend anything: only what is done with the result says that it is the lease itself.
  const { text: name } = declaration.name;
  const isEnded = (one: ts.Statement) => isRelease(one, name, ending.commit ?? ending.release);
  if (!ending.acquire.includes(lender) && !rest.some((one) => isEnded(one) || within(one, isEnded)))
    return `it is lent by ${lender}(), a function of the project, and ${name} has no ${ending.commit ?? ending.release}() here`;
  return {
    statement,
    declaration,
    name,
    block,
    index,
    rest,
    ending,
    canUse: (list.flags & ts.NodeFlags.BlockScoped) === ts.NodeFlags.Const && canUse(ending, file, options),
  };
}

/** Whether a statement within another one, outside of functions, fits. */
function within(statement: ts.Statement, fits: (one: ts.Statement) => boolean): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isStatement(node)) found ||= fits(node);
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(statement, visit);
  return found;
}

/** Whether a function has a parameter of this name, so that within it the name means something else. */
function shadows(node: ts.Node, name: string): boolean {
  return ts.isFunctionLike(node) && node.parameters.some((one) => namesIn(one.name).includes(name));
}

function namesIn(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((one) => (ts.isBindingElement(one) ? namesIn(one.name) : []));
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
function isRelease(statement: ts.Statement, name: string, method: string, mustAwait = false): boolean {
  if (!ts.isExpressionStatement(statement)) return false;
  if (mustAwait && !ts.isAwaitExpression(statement.expression)) return false;
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
    if (releases.some((release) => release === node) || shadows(node, name)) return;
    if (ts.isIdentifier(node) && node.text === name && !isPropertyName(node)) {
      isSafe &&= !ENDS.test(methodOf(node)) && ((!isInner && isAwaitedCall(node)) || isAwaitedWithin(node));
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

/** The method that is called on the lease: `query` of `client.query()`. */
function methodOf({ parent }: ts.Identifier): string {
  return ts.isPropertyAccessExpression(parent) ? parent.name.text : '';
}

/**
 * `await save(client, order)`, `await Promise.all(ids.map((id) => client.query(id)))`: the lease is part of an expression
 * that is awaited as a whole, so nothing uses it after that.
 */
function isAwaitedWithin(node: ts.Node): boolean {
  for (let at = node; !ts.isStatement(at.parent); at = at.parent) {
    const { parent } = at;
    if (ts.isAwaitExpression(parent)) return true;
    if (ts.isFunctionLike(parent)) {
      // A callback with statements may keep anything.
      if (!ts.isArrowFunction(parent) || ts.isBlock(parent.body) || !ts.isCallExpression(parent.parent))
        return false;
    } else if (ts.isVariableDeclaration(parent) || (ts.isBinaryExpression(parent) && isAssignment(parent)))
      return false;
    else if (
      ts.isCallExpression(parent) &&
      parent.expression !== at &&
      !STARTS.test(parent.expression.getText())
    ) {
      // Awaited by the call around, or at once.
      if (!isAwaitedOrPassed(parent)) return false;
    }
  }
  return false;
}

const STARTS = /(^|\.)(map|all|allSettled|race|any)$/;

function isAwaitedOrPassed(call: ts.CallExpression): boolean {
  for (let at: ts.Node = call; !ts.isStatement(at.parent); at = at.parent) {
    if (ts.isAwaitExpression(at.parent)) return true;
  }
  return false;
}

function isAssignment({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

/** Whether a mention only uses the lease: as the receiver of a property or in an awaited expression. */
function isUsedOnly(node: ts.Identifier, within: ts.Statement): boolean {
  if (isAwaitedWithin(node)) return true;
  for (let at: ts.Node = node; at !== within; at = at.parent) if (ts.isFunctionLike(at)) return false;
  return ts.isPropertyAccessExpression(node.parent) && !ts.isReturnStatement(within);
}

function mentions(node: ts.Node, name: string): boolean {
  if (shadows(node, name)) return false;
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
  rollback: string | undefined,
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
    text: `${newline}${indent}try {${body}${newline}${indent}}${catching(lease, file, rollback)} finally {${final}${newline}${indent}}`,
  };
}

/** A catch that rolls back and passes the error on; '' if there is nothing to roll back. */
function catching(lease: Lease, file: ts.SourceFile, rollback: string | undefined): string {
  if (rollback === undefined) return '';
  const { newline, indent, unit } = layoutOf(lease, file);
  const error =
    ['error', 'cause', 'thrown'].find((name) => name !== lease.name && !mentions(lease.block, name)) ??
    'error';
  const lines = [rollback.replaceAll('$', lease.name), `throw ${error};`].map((line) =>
    punctuated(line, lease),
  );
  return ` catch (${error}) {${lines.map((line) => `${newline}${indent}${unit}${line}`).join('')}${newline}${indent}}`;
}

/**
 * A transaction that is committed at the end of its statements: these go into a try whose catch rolls back. What comes
 * after the commit stays outside, since a transaction that has ended cannot be rolled back.
 */
function newCatch(lease: Lease, file: ts.SourceFile): Edit[] | null {
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
  const body = indented(text, start, end, unit, file, null);
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

function capturesIn(node: ts.Node, name: string): boolean {
  if (ts.isFunctionLike(node)) return mentions(node, name);
  let found = false;
  ts.forEachChild(node, (child) => {
    found ||= capturesIn(child, name);
  });
  return found;
}

/** A try that commits at its end and whose catch does nothing to the transaction: the catch begins with the rollback. */
function intoCatch(lease: Lease, file: ts.SourceFile): Edit[] | null {
  const { rest, name, ending } = lease;
  const [attempt] = rest;
  if (attempt === undefined || !ts.isTryStatement(attempt) || attempt.catchClause === undefined) return null;
  const { tryBlock, catchClause, finallyBlock } = attempt;
  if (mentions(catchClause, name) || (finallyBlock !== undefined && mentions(finallyBlock, name)))
    return null;
  const at = tryBlock.statements.findIndex((one) => isRelease(one, name, ending.commit ?? '', true));
  if (at < 0) return null;
  const [inside, after] = [tryBlock.statements.slice(0, at), tryBlock.statements.slice(at + 1)];
  if (inside.some((one) => endsIn(one, lease) || canReturn(one)) || !after.every(doesNoWork)) return null;
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
      text: `${margin}${punctuated(`await ${name}.${ending.release}();`, lease)}${newline}`,
    },
  ];
}

/** Whether a statement ends the transaction somewhere in it. */
function endsIn(statement: ts.Statement, { name, ending }: Lease): boolean {
  return new RegExp(
    `(?<![\\w$.])${name.replaceAll('$', '\\$')}\\s*[?!]?\\.\\s*(${ending.commit}|${ending.release})\\b`,
  ).test(statement.getText());
}

function canReturn(statement: ts.Statement): boolean {
  let found = ts.isReturnStatement(statement) || ts.isBreakOrContinueStatement(statement);
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isReturnStatement(node)) found = true;
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return found;
}

function callOf(lease: Lease): string {
  const { awaits, release } = lease.ending;
  return punctuated(`${awaits ? 'await ' : ''}${lease.name}.${release}();`, lease);
}

/** Without a semicolon where the code around has none. */
function punctuated(line: string, { statement }: Lease): string {
  return statement.getText().endsWith(';') ? line : line.replace(/;$/, '');
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

import { ts } from 'ts-morph';
import type { Finding } from './types.js';

export interface Repair {
  /** The file with all that could be repaired. */
  readonly text: string;
  /** The findings that are repaired. */
  readonly repaired: readonly Finding[];
}

/** What ends a lease that a call of this name acquires; others are not repaired. */
const REPAIRS: Readonly<Record<string, { readonly acquire: string; readonly release: string }>> = {
  'pg-pool': { acquire: 'connect', release: 'release' },
  'mysql-pool': { acquire: 'getConnection', release: 'release' },
  'typeorm-query-runner': { acquire: 'createQueryRunner', release: 'release' },
  'oracledb-connection': { acquire: 'getConnection', release: 'close' },
  'poolctl-session': { acquire: 'getDb', release: 'close' },
};
const AWAITED = new Set(['typeorm-query-runner', 'oracledb-connection', 'poolctl-session']);

/**
 * Repairs the leaks of one file where that is provably right: a lease in a const that nothing but awaited calls of its
 * methods mentions, and at most one release, as a statement of the same block. What comes after the acquire call goes
 * into try, the release into finally; a session in a file that has `await using` already gets that.
 */
export function repair(name: string, text: string, findings: readonly Finding[]): Repair {
  const file = parse(name, text);
  const edits: Edit[] = [];
  const repaired: Finding[] = [];
  for (const finding of findings) {
    const edit = editFor(file, finding);
    if (edit === null || edits.some(({ start, end }) => edit.start < end && start < edit.end)) continue;
    edits.push(edit);
    repaired.push(finding);
  }
  let result = text;
  for (const { start, end, text: replacement } of edits.sort((a, b) => b.start - a.start)) {
    result = result.slice(0, start) + replacement + result.slice(end);
  }
  return { text: result, repaired };
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function parse(name: string, text: string): ts.SourceFile {
  return ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
}

const OPENS = /\bbegin|\bstart_?\s*transaction/i;

interface Lease {
  readonly statement: ts.VariableStatement;
  readonly declaration: ts.VariableDeclaration;
  readonly name: string;
  readonly block: ts.Block;
  readonly index: number;
}

function editFor(file: ts.SourceFile, finding: Finding): Edit | null {
  const known = REPAIRS[finding.resource];
  if (known === undefined || finding.rule !== 'leak' || finding.confidence !== 'high') return null;
  const lease = leaseAt(file, finding, known.acquire);
  if (lease === null) return null;
  const { block, index, name } = lease;
  const rest = block.statements.slice(index + 1);
  const releases = rest.filter((statement) => isRelease(statement, name, known.release));
  if (rest.length === 0 || releases.length > 1 || !isKept(lease, rest, releases[0])) return null;
  if (block.statements.slice(0, index).some((statement) => mentions(statement, name))) return null;
  // Released in the midst of a transaction, it would go back to the pool with it: somebody has to say how that ends.
  if (finding.resource !== 'poolctl-session' && rest.some((one) => OPENS.test(one.getText()))) return null;
  const at = releases[0] === undefined ? -1 : rest.indexOf(releases[0]);
  const extent = extentOf(rest, at);
  if (extent === null) return null;
  const own = [lease.statement, ...rest.slice(0, Math.max(extent, at + 1))];
  if (!own.every((statement) => hasOwnLines(statement, file))) return null;
  if (finding.resource === 'poolctl-session' && /\bawait using\b/.test(file.text))
    return usingEdit(lease, file, rest, at);
  const call = `${AWAITED.has(finding.resource) ? 'await ' : ''}${name}.${known.release}();`;
  return tryEdit(lease, file, rest.slice(0, extent), releases[0], call);
}

/** The const that the acquire call of a finding is in. */
function leaseAt(file: ts.SourceFile, { line, column }: Finding, acquire: string): Lease | null {
  const position = file.getPositionOfLineAndCharacter(line - 1, column - 1);
  let at: ts.Node | undefined = tokenAt(file, position);
  if (at === undefined || at.getText() !== acquire) return null;
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
  return { statement, declaration, name: declaration.name.text, block, index };
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

/** Whether nothing else can have the lease: each mention is an awaited call of a method, outside of inner functions. */
function isKept({ name }: Lease, rest: readonly ts.Statement[], release: ts.Statement | undefined): boolean {
  let isSafe = true;
  const visit = (node: ts.Node, isInner: boolean): void => {
    if (node === release) return;
    if (ts.isIdentifier(node) && node.text === name && !isPropertyName(node)) {
      isSafe &&= !isInner && isAwaitedCall(node);
    }
    // What is yielded leaves the function at a point where it may never come back to.
    if (ts.isYieldExpression(node)) isSafe = false;
    ts.forEachChild(node, (child) => visit(child, isInner || ts.isFunctionLike(node)));
  };
  for (const statement of rest) visit(statement, false);
  const at = release === undefined ? rest.length : rest.indexOf(release);
  return isSafe && rest.slice(at + 1).every((statement) => !mentions(statement, name));
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

/** How many statements go into try: up to the release, or all where what follows does no work and needs their names. */
function extentOf(rest: readonly ts.Statement[], release: number): number | null {
  if (release < 0) return rest.length;
  const after = rest.slice(release + 1);
  if (after.every(doesNoWork)) return rest.length;
  return rest.slice(0, release).some(declares) || release === 0 ? null : release;
}

function declares(statement: ts.Statement): boolean {
  return ts.isVariableStatement(statement) || ts.isDeclarationStatement(statement);
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
  { statement, block }: Lease,
  file: ts.SourceFile,
  inside: readonly ts.Statement[],
  release: ts.Statement | undefined,
  call: string,
): Edit | null {
  const { text } = file;
  const last = inside.at(-1);
  if (last === undefined) return null;
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const indent = text.slice(lineStart(text, statement.getStart()), statement.getStart());
  const outer = /^[ \t]*/.exec(text.slice(lineStart(text, block.end - 1)))?.[0] ?? '';
  const unit = indent.startsWith(outer) && indent !== outer ? indent.slice(outer.length) : '  ';
  const start = lineEnd(text, statement.end);
  const end = lineEnd(text, Math.max(last.end, release?.end ?? 0));
  const removed = release === undefined ? null : linesOf(release, text);
  const body = indented(text, start, end, unit, file, removed);
  const finalRelease =
    removed === null
      ? `${newline}${indent}${unit}${call}`
      : indented(text, removed.start, removed.end, unit, file, null).replace(/^(\r?\n[ \t]*)+(?=\r?\n)/, '');
  return {
    start,
    end,
    text: `${newline}${indent}try {${body}${newline}${indent}} finally {${finalRelease}${newline}${indent}}`,
  };
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

function usingEdit(
  { declaration, statement }: Lease,
  { text }: ts.SourceFile,
  rest: readonly ts.Statement[],
  release: number,
): Edit | null {
  // The session would be held until the end of the block.
  if (release >= 0 && !rest.slice(release + 1).every(doesNoWork)) return null;
  const start = statement.getStart();
  const head = `await using ${text.slice(declaration.getStart(), statement.end)}`;
  const dropped = release < 0 ? undefined : rest[release];
  if (dropped === undefined) return { start, end: statement.end, text: head };
  const { start: from, end } = linesOf(dropped, text);
  return { start, end, text: head + text.slice(statement.end, from) };
}

/** A unified diff of two versions of a file; '' where they are the same. */
export function diff(name: string, before: string, after: string): string {
  if (before === after) return '';
  const [old, now] = [before.split('\n'), after.split('\n')];
  let same = 0;
  while (same < Math.min(old.length, now.length) && old[same] === now[same]) same++;
  let tail = 0;
  while (tail < Math.min(old.length, now.length) - same && old.at(-1 - tail) === now.at(-1 - tail)) tail++;
  const from = Math.max(0, same - 3);
  const [oldEnd, newEnd] = [old.length - tail, now.length - tail];
  const to = Math.min(old.length, oldEnd + 3);
  const lines = [
    ...old.slice(from, same).map((line) => ` ${line}`),
    ...old.slice(same, oldEnd).map((line) => `-${line}`),
    ...now.slice(same, newEnd).map((line) => `+${line}`),
    ...old.slice(oldEnd, to).map((line) => ` ${line}`),
  ];
  // What follows the last line break is no line.
  if (to === old.length && old.at(-1) === '' && lines.at(-1) === ' ') lines.pop();
  const counted = (start: number, prefix: string) =>
    `${start + 1},${lines.filter((line) => line.startsWith(' ') || line.startsWith(prefix)).length}`;
  return `--- a/${name}\n+++ b/${name}\n@@ -${counted(from, '-')} +${counted(from, '+')} @@\n${lines.join('\n')}\n`;
}

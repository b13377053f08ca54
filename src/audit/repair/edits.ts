import { ts } from 'ts-morph';
import type { Lease } from './lease.js';
import { mentions } from './uses.js';

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export function overlap(one: Edit, other: Edit): boolean {
  return one.start === other.start || (one.start < other.end && other.start < one.end);
}

export function hasOwnLines(statement: ts.Statement, { text }: ts.SourceFile): boolean {
  const before = text.slice(lineStart(text, statement.getStart()), statement.getStart());
  const after = text.slice(statement.end, lineEnd(text, statement.end));
  return before.trim() === '' && /^\s*(\/\/.*)?$/.test(after);
}

export function lineStart(text: string, position: number): number {
  return text.lastIndexOf('\n', position - 1) + 1;
}

/** Before the line break, and before a carriage return. */
export function lineEnd(text: string, position: number): number {
  const at = text.indexOf('\n', position);
  const end = at < 0 ? text.length : at;
  return end > position && text[end - 1] === '\r' ? end - 1 : end;
}

/** A catch that rolls back and passes the error on; '' if there is nothing to roll back. */
export function catching(lease: Lease, file: ts.SourceFile, rollback: string | undefined): string {
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

export function callOf(lease: Lease): string {
  const { awaits, release } = lease.ending;
  return punctuated(`${awaits ? 'await ' : ''}${lease.name}.${release}();`, lease);
}

/** Without a semicolon where the code around has none. */
export function punctuated(line: string, { statement }: Lease): string {
  return statement.getText().endsWith(';') ? line : line.replace(/;$/, '');
}

interface Layout {
  readonly newline: string;
  /** The indentation of the statement of the acquire call, and the indentation that each level adds. */
  readonly indent: string;
  readonly unit: string;
}

export function layoutOf({ statement, block }: Lease, { text }: ts.SourceFile): Layout {
  const indent = text.slice(lineStart(text, statement.getStart()), statement.getStart());
  const outer = /^[ \t]*/.exec(text.slice(lineStart(text, block.end - 1)))?.[0] ?? '';
  const unit = indent.startsWith(outer) && indent !== outer ? indent.slice(outer.length) : '  ';
  return { newline: text.includes('\r\n') ? '\r\n' : '\n', indent, unit };
}

/** The lines of a release and its comments, in another place, without the blank lines above them. */
export function moved(
  { start, end }: Extent,
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

/** Whether a statement has a comment beside it. */
export function hasComment(statement: ts.Statement, { text }: ts.SourceFile): boolean {
  const { start, end } = linesOf(statement, text);
  return text.slice(start, end).trim() !== statement.getText();
}

/** A statement with the comments above it, from the line break before them. */
export function linesOf(statement: ts.Statement, text: string): Extent {
  return { start: lineEnd(text, statement.getFullStart()), end: lineEnd(text, statement.end) };
}

/** A part of a text. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** The lines of a part of the text, moved to the right; lines within template strings stay as they are. */
export function indented(
  text: string,
  start: number,
  end: number,
  unit: string,
  file: ts.SourceFile,
  removed: readonly Extent[] = [],
): string {
  const strings: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isTemplateLiteral(node)) strings.push(node);
    ts.forEachChild(node, visit);
  };
  visit(file);
  let result = '';
  for (let at = start; at < end; at++) {
    if (removed.some((one) => at >= one.start && at < one.end)) continue;
    result += text[at];
    const isBlank = /^\r?(\n|$)/.test(text.slice(at + 1, at + 3));
    const isInString = strings.some((one) => one.getStart() < at && at < one.end);
    if (text[at] === '\n' && !isBlank && !isInString) result += unit;
  }
  return result;
}

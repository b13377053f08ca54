import { type Edit, lineEnd, lineStart, overlap } from '../../../repair/edits.js';
import type { ExplainedRepair } from '../../../repair/outcome.js';
import type { Finding, ResourceSpec } from '../../../types.js';
import { PYTHON_RESOURCES } from '../resources.js';
import { type PyNode, parsePython } from '../syntax.js';
import { type PyLease, pyBlockAt, pyLeaseAt } from './lease.js';

interface Repaired {
  readonly edits: readonly Edit[];
  readonly needsClosing: boolean;
}

/**
 * Repairs the leaks of one Python file where that is provably right: the statements that use the lease go into `with`, or,
 * where its class has none that closes, into `try` with the release in `finally`. Nothing that was read from the lease may
 * be used after its end.
 */
export function repairPython(text: string, findings: readonly Finding[]): ExplainedRepair {
  const { root, errors } = parsePython(text);
  const edits: Edit[] = [];
  const repaired: Finding[] = [];
  const refused: { finding: Finding; reason: string }[] = [];
  const closing = closingIn(root, text);
  let needsClosing = false;
  for (const finding of findings) {
    const found = editsFor(root, text, finding, closing.name);
    if (typeof found === 'string') refused.push({ finding, reason: found });
    else if (found.edits.some((one) => edits.some((other) => overlap(one, other))))
      refused.push({ finding, reason: 'another repair changes the same lines; run --fix again' });
    else {
      edits.push(...found.edits);
      needsClosing ||= found.needsClosing;
      repaired.push(finding);
    }
  }
  if (needsClosing && closing.edit !== null) edits.push(closing.edit);
  let result = text;
  for (const { start, end, text: replacement } of edits.sort((a, b) => b.start - a.start))
    result = result.slice(0, start) + replacement + result.slice(end);
  if (parsePython(result).errors.length <= errors.length) return { text: result, repaired, refused };
  for (const finding of repaired) refused.push({ finding, reason: 'the changed file would not parse' });
  return { text, repaired: [], refused };
}

function editsFor(root: PyNode, text: string, finding: Finding, closing: string): Repaired | string {
  const spec = PYTHON_RESOURCES.find(({ id }) => id === finding.resource);
  if (finding.rule !== 'leak') return 'only leaks are repaired';
  if (spec === undefined) return `there is no repair for ${finding.resource}`;
  if (finding.confidence === 'low') return 'it is not certain that this is a lease';
  const position = positionOf(text, finding);
  const block = pyBlockAt(root, text, position);
  if (typeof block === 'string') return block;
  if (block !== null) {
    const { value, target } = block;
    const [call, name] = [value, target].map(({ from, to }) => text.slice(from, to)) as [string, string];
    // The inner item still ends the transaction.
    const head = `${closing}(${call}) as ${name}, ${name}`;
    return { edits: [{ start: value.from, end: target.to, text: head }], needsClosing: true };
  }
  const lease = pyLeaseAt(root, text, position, spec.block === 'own');
  return typeof lease === 'string' ? lease : rewritten(root, text, lease, spec, closing);
}

function positionOf(text: string, { line, column }: Finding): number {
  let at = 0;
  for (let count = 1; count < line; count++) at = text.indexOf('\n', at) + 1;
  return at + column - 1;
}

function rewritten(
  root: PyNode,
  text: string,
  lease: PyLease,
  { block, release: { methods } }: ResourceSpec,
  closing: string,
): Repaired | string {
  const { statement, region, release, name, value, isAwaited } = lease;
  const parts = [statement, ...region, ...(release === null ? [] : [release])];
  if (!parts.every((one) => ownsLines(one, text))) return 'statements share a line';
  const indent = text.slice(lineStart(text, statement.from), statement.from);
  const unit = unitOf(root, text, indent);
  const call = text.slice(value.from, value.to);
  const isAsync = region.some((one) => awaits(one, name, text));
  const releaseText = release === null ? null : text.slice(release.from, release.to);
  const isClosedByName = releaseText === null || /^(await\s+)?\w+\.a?close\(\)$/.test(releaseText);
  const isWrapped =
    !isAwaited && !isAsync && isClosedByName && (releaseText === null || !/^await/.test(releaseText));
  const start = lineEnd(text, statement.to);
  const end = lineEnd(text, region.at(-1)?.to ?? statement.to);
  const removal = release === null ? [] : [removalOf(release, text)];
  const body = { start, end, text: indented(root, text, start, end, unit) };
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  if (isWrapped && block !== undefined && block !== 'async') {
    const head = block === 'own' ? `with ${call} as ${name}:` : `with ${closing}(${call}) as ${name}:`;
    return {
      edits: [{ start: statement.from, end: statement.to, text: head }, body, ...removal],
      needsClosing: block === 'closing',
    };
  }
  if (
    !isAwaited &&
    (block === 'async' || block === 'own') &&
    isClosedByName &&
    (isAsync || /^await/.test(releaseText ?? ''))
  ) {
    const head = `async with ${call} as ${name}:`;
    return {
      edits: [{ start: statement.from, end: statement.to, text: head }, body, ...removal],
      needsClosing: false,
    };
  }
  const ending = releaseText ?? (isAwaited || isAsync ? null : `${name}.${methods[0]}()`);
  if (ending === null) return 'it is not clear whether its release has to be awaited';
  const last = `${newline}${indent}finally:${newline}${indent}${unit}${ending}`;
  return {
    edits: [{ ...body, text: `${newline}${indent}try:${body.text}${last}` }, ...removal],
    needsClosing: false,
  };
}

/** Whether a statement waits for a method of the lease. */
function awaits(node: PyNode, name: string, text: string): boolean {
  if (node.type === 'AwaitExpression') {
    const operand = node.kids.at(-1);
    if (operand !== undefined && text.slice(operand.from, operand.to).startsWith(`${name}.`)) return true;
  }
  return node.kids.some((kid) => awaits(kid, name, text));
}

/** Whether nothing but a comment stands beside a statement. */
function ownsLines({ from, to }: PyNode, text: string): boolean {
  const before = text.slice(lineStart(text, from), from);
  return before.trim() === '' && /^\s*(#.*)?$/.test(text.slice(to, lineEnd(text, to)));
}

/** Takes a statement away with its line; a comment beside it stays. */
function removalOf({ from, to }: PyNode, text: string): Edit {
  const after = text.slice(to, lineEnd(text, to));
  if (after.trim() !== '')
    return { start: from, end: to + after.length - after.trimStart().length, text: '' };
  const start = lineStart(text, from);
  return { start: Math.max(0, start - 1), end: lineEnd(text, to), text: '' };
}

/** One level of indentation in a file. */
function unitOf(root: PyNode, text: string, indent: string): string {
  if (indent.startsWith('\t')) return '\t';
  const widths = new Set<number>();
  const visit = (node: PyNode, above: number): void => {
    const [first] = node.type === 'Body' ? node.kids.slice(1) : [];
    const own = first === undefined ? above : first.from - lineStart(text, first.from);
    if (own > above) widths.add(own - above);
    for (const kid of node.kids) visit(kid, own);
  };
  visit(root, 0);
  return ' '.repeat(Math.min(...widths, 8) === 8 ? 4 : Math.min(...widths));
}

/** Lines moved to the right; those within strings stay as they are. */
function indented(root: PyNode, text: string, start: number, end: number, unit: string): string {
  const strings: PyNode[] = [];
  const visit = (node: PyNode): void => {
    if (/^(String|FormatString)$/.test(node.type)) strings.push(node);
    else node.kids.forEach(visit);
  };
  visit(root);
  return text.slice(start, end).replace(/\n(?!\r?\n|$)/g, (newline, at: number) => {
    const position = start + at;
    return strings.some(({ from, to }) => from < position && position < to) ? newline : newline + unit;
  });
}

/** The name of `contextlib.closing` in the file, and the import that it needs for that. */
function closingIn(root: PyNode, text: string): { readonly name: string; readonly edit: Edit | null } {
  const imports = root.kids.filter(({ type }) => type === 'ImportStatement');
  const texts = imports.map(({ from, to }) => text.slice(from, to));
  if (texts.some((one) => /^from\s+contextlib\s+import\b.*\bclosing\b(?!\s+as)/s.test(one)))
    return { name: 'closing', edit: null };
  if (texts.some((one) => /^import\s+contextlib\s*$/.test(one)))
    return { name: 'contextlib.closing', edit: null };
  const isTaken = /\bclosing\b/.test(text);
  const line = isTaken ? 'import contextlib' : 'from contextlib import closing';
  const first =
    imports.find((_, index) => !/^from\s+__future__\b/.test(texts[index] ?? '')) ?? root.kids.find(isCode);
  const at = first === undefined ? 0 : lineStart(text, first.from);
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  return {
    name: isTaken ? 'contextlib.closing' : 'closing',
    edit: { start: at, end: at, text: `${line}${newline}` },
  };
}

/** Neither the docstring of a module nor an import from `__future__`. */
function isCode({ type, kids }: PyNode): boolean {
  return type !== 'ImportStatement' && !(type === 'ExpressionStatement' && kids[0]?.type === 'String');
}

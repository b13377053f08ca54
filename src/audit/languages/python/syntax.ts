import { pythonParser } from './parser.js';

/** A node of the syntax tree of a Python file, as the grammar names it; tokens such as `(` and `as` are nodes too. */
export interface PyNode {
  readonly type: string;
  readonly from: number;
  readonly to: number;
  readonly kids: readonly PyNode[];
}

/** The tree of a file, and the targets of `as` that the grammar does not read. */
export interface PyTree {
  readonly root: PyNode;
  /** The real target, such as `self.conn`, by the position of the name that replaces it. */
  readonly targets: ReadonlyMap<number, PyNode>;
  /** The ranges that the grammar does not understand. */
  readonly errors: readonly { readonly from: number; readonly to: number }[];
}

/** Parses a file. The text must have passed `readable`: positions are those of the original. */
export function parsePython(source: string): PyTree {
  const { text, targets } = readable(source);
  const { root, isWhole } = treeOf(text);
  const read = new Map<number, PyNode>();
  for (const { from, to } of targets) {
    const target = expressionAt(source, from, to);
    if (target !== null) read.set(from, target);
  }
  return { root, targets: read, errors: isWhole ? [] : errorsIn(root, source) };
}

/**
 * The ranges that the grammar does not understand. Some of its errors are valid Python: a bare `yield`, a star in an index,
 * a class in a pattern. Nothing is lost there.
 */
function errorsIn(node: PyNode, source: string): { readonly from: number; readonly to: number }[] {
  return node.kids.flatMap((kid) => {
    if (kid.type !== '⚠') return errorsIn(kid, source);
    const isNone = MENDED.test(node.type) || source.slice(kid.from).trim() === '' || isOldPrint(kid, source);
    return isNone ? [] : [{ from: kid.from, to: kid.to }];
  });
}

/** `print >>file, text` of Python 2. */
function isOldPrint({ from }: PyNode, source: string): boolean {
  return /^\s*print\s*>>/.test(source.slice(source.lastIndexOf('\n', from - 1) + 1, from + 80));
}

const MENDED = /^(Yield|Decorator|MemberExpression|Subscript|.*Pattern|.*ComprehensionExpression|TypeParam)/;

/** A target on its own, at the positions that it has in the file. */
function expressionAt(source: string, from: number, to: number): PyNode | null {
  const [statement] = treeOf(source.slice(from, to)).root.kids;
  const [expression] = statement?.kids ?? [];
  return expression === undefined ? null : moved(expression, from);
}

function moved(node: PyNode, by: number): PyNode {
  return { ...node, from: node.from + by, to: node.to + by, kids: node.kids.map((one) => moved(one, by)) };
}

interface Draft extends PyNode {
  readonly kids: PyNode[];
}

function treeOf(text: string): { readonly root: PyNode; readonly isWhole: boolean } {
  let isWhole = true;
  const cursor = pythonParser().parse(text).cursor();
  const root: Draft = { type: cursor.name, from: cursor.from, to: cursor.to, kids: [] };
  const open: Draft[] = [root];
  while (open.length > 0) {
    if (cursor.firstChild()) {
      open.push(enter(open));
      continue;
    }
    for (;;) {
      open.pop();
      if (open.length === 0 || cursor.nextSibling()) break;
      cursor.parent();
    }
    if (open.length > 0) open.push(enter(open));
  }
  return { root, isWhole };

  function enter(above: readonly Draft[]): Draft {
    const node: Draft = { type: cursor.name, from: cursor.from, to: cursor.to, kids: [] };
    if (node.type === '⚠') isWhole = false;
    if (node.type !== 'Comment') above.at(-1)?.kids.push(node);
    return node;
  }
}

interface Target {
  readonly from: number;
  readonly to: number;
}

const WITH_LINE = /^[ \t]*(?:async[ \t]+)?with\b/gm;
const UNREAD = /\bwith[ \t]*\(|\bas[ \t]+(?:\w+[ \t]*[.[]|\()/;

/**
 * The text with the forms of `with` that the grammar does not read put into forms that it does, of the same length:
 * parentheses around several items are blanked, and a target that is no plain name becomes one.
 */
function readable(source: string): { readonly text: string; readonly targets: readonly Target[] } {
  const plain = source.replace(/\f/g, ' ').replace(/^\uFEFF/, ' ');
  const targets: Target[] = [];
  if (!UNREAD.test(plain)) return { text: plain, targets };
  const parts: string[] = [];
  let done = 0;
  for (const match of plain.matchAll(WITH_LINE)) {
    const start = match.index + match[0].length;
    const end = headEnd(plain, start);
    if (end === null || !UNREAD.test(plain.slice(match.index, end))) continue;
    parts.push(plain.slice(done, start), head(plain.slice(start, end), start, targets));
    done = end;
  }
  return { text: parts.join('') + plain.slice(done), targets };
}

/** The colon that ends the head of a statement; null where there is none. */
function headEnd(text: string, start: number): number | null {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '"' || char === "'") at = stringEnd(text, at);
    else if (char === '#') {
      const end = text.indexOf('\n', at);
      if (end < 0) return null;
      at = end - 1;
    } else if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) depth--;
    else if (char === ':' && depth === 0) return at;
    else if (char === '\n' && depth === 0 && text[at - 1] !== '\\') return null;
  }
  return null;
}

/** The last position of the string that begins here. */
function stringEnd(text: string, start: number): number {
  const quote = text[start] as string;
  const mark = text.startsWith(quote.repeat(3), start) ? quote.repeat(3) : quote;
  for (let at = start + mark.length; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text.startsWith(mark, at)) return at + mark.length - 1;
    else if (mark.length === 1 && text[at] === '\n') return at;
  }
  return text.length;
}

function head(text: string, offset: number, targets: Target[]): string {
  let result = text;
  const open = /^\s*\(/.exec(text);
  // `with (a() as x, b() as y):`, but not `with (yield from pool) as conn:`
  if (open !== null && /\)\s*$/.test(text) && isOneGroup(text) && /,|\bas\b/.test(text)) {
    const first = open[0].length - 1;
    const last = text.lastIndexOf(')');
    const inner = text.slice(first + 1, last).replace(/,\s*$/, (tail) => ' '.repeat(tail.length));
    result = `${text.slice(0, first)} ${blankLines(inner)} ${text.slice(last + 1)}`;
  }
  return result.replace(
    /(\bas[ \t\\\n]+)(\w+(?:[ \t]*\.[ \t]*\w+|\[[^\]\n]*\])+|\([^()\n]*\))/g,
    (whole, as: string, target: string, at: number) => {
      targets.push({ from: offset + at + as.length, to: offset + at + whole.length });
      return as + target.replace(/\W/g, '_').replace(/^\d/, '_');
    },
  );
}

/** Line ends and comments of what is not in brackets any more. */
function blankLines(text: string): string {
  return text.replace(/#[^\n]*/g, (comment) => ' '.repeat(comment.length)).replace(/[\r\n]/g, ' ');
}

/** Whether the first parenthesis ends where the text does. */
function isOneGroup(text: string): boolean {
  let depth = 0;
  for (let at = text.indexOf('('); at < text.length; at++) {
    const char = text[at] as string;
    if (char === '"' || char === "'") at = stringEnd(text, at);
    else if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char) && --depth === 0) return text.slice(at + 1).trim() === '';
  }
  return false;
}

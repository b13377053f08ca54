import { parseDuration, ValueError } from '../../base/units.js';
import { type Expression, parseExpression } from './expression.js';

/** The work of one iteration: its steps, in order, on one connection. */
export interface Script {
  readonly name: string;
  /** How often it is chosen, among others. */
  readonly weight: number;
  readonly steps: readonly Step[];
}

export type Step =
  | { readonly kind: 'statement'; readonly statement: Statement }
  | { readonly kind: 'set'; readonly line: number; readonly variable: string; readonly to: Expression }
  /** The work of an application while it holds the connection. */
  | { readonly kind: 'sleep'; readonly line: number; readonly ms: number };

/** One SQL statement, taken apart at its parameters. */
export interface Statement {
  readonly line: number;
  /** As it was written, without its semicolon. */
  readonly text: string;
  /** The SQL between the parameters: one piece more than there are parameters. */
  readonly pieces: readonly string[];
  readonly parameters: readonly Parameter[];
}

/** `:name`; or `?` and `$1`, by their place (from 0) among the values that an iteration is given. */
export type Parameter =
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'next' }
  | { readonly kind: 'numbered'; readonly index: number };

/**
 * Reads a script in pgbench's manner: statements that end with a semicolon, and lines `\set name expression` and
 * `\sleep 10ms`. `:name` in a statement is a parameter, never pasted into the text; `??` is a question mark that is
 * none (an operator of PostgreSQL's). Throws a ValueError that says the line.
 */
export function parseScript(source: string, options: { name: string; weight?: number }): Script {
  const steps: Step[] = [];
  const lineAt = lineCounter(source);
  let rest = 0;
  while (rest < source.length) {
    const start = skipBlanks(source, rest, lineAt);
    if (start >= source.length) break;
    const line = lineAt(start);
    if (source[start] === '\\') {
      const end = endOfLine(source, start);
      steps.push(inLine(line, () => readMeta(source.slice(start + 1, end).trim(), line)));
      rest = end;
      continue;
    }
    const { statement, end } = inLine(line, () => readStatement(source, start, line));
    if (statement !== null) steps.push({ kind: 'statement', statement });
    rest = end;
  }
  if (!steps.some(({ kind }) => kind === 'statement')) throw new ValueError('there is no statement in it');
  return { name: options.name, weight: options.weight ?? 1, steps };
}

/** The SQL with a database's own placeholders, numbered from 1. */
export function renderStatement({ pieces }: Statement, placeholder: (position: number) => string): string {
  return pieces.map((piece, at) => (at === 0 ? piece : placeholder(at) + piece)).join('');
}

export function statementsOf({ steps }: Script): Statement[] {
  return steps.flatMap((step) => (step.kind === 'statement' ? [step.statement] : []));
}

function readMeta(text: string, line: number): Step {
  const [, command = '', rest = ''] = /^(\w*)\s*(.*)$/s.exec(text) ?? [];
  switch (command) {
    case 'set': {
      const [, variable, expression] = /^([a-z_]\w*)\s+(.+)$/is.exec(rest) ?? [];
      if (variable === undefined || expression === undefined)
        throw new ValueError('write \\set name expression');
      return { kind: 'set', line, variable, to: parseExpression(expression) };
    }
    case 'sleep': {
      // pgbench's unit is seconds where none is given.
      return { kind: 'sleep', line, ms: parseDuration(rest, { bareUnit: 's' }) };
    }
    default:
      throw new ValueError(`\\${command} is not known; there are \\set and \\sleep`);
  }
}

/** Reads on to the semicolon that ends the statement. null if there is nothing but the semicolon. */
function readStatement(
  source: string,
  start: number,
  line: number,
): { statement: Statement | null; end: number } {
  const pieces: string[] = [];
  const parameters: Parameter[] = [];
  let before = '';
  let pieceStart = start;
  let at = start;
  const parameter = (parsed: Parameter, length: number) => {
    pieces.push(before + source.slice(pieceStart, at));
    before = '';
    parameters.push(parsed);
    at += length;
    pieceStart = at;
  };
  while (at < source.length && source[at] !== ';') {
    const skipped = endOfQuoted(source, at);
    if (skipped > at) {
      at = skipped;
      continue;
    }
    if (source.startsWith('??', at)) {
      before += source.slice(pieceStart, at + 1);
      at += 2;
      pieceStart = at;
      continue;
    }
    const here = source.slice(at, at + 64);
    const named = /^:([a-z_]\w*)/i.exec(here);
    const numbered = /^[$?](\d+)/.exec(here);
    const last = source[at - 1] ?? '';
    if (named?.[1] !== undefined && last !== ':' && !/\w/.test(last)) {
      parameter({ kind: 'named', name: named[1] }, named[0].length);
    } else if (numbered !== null && !/\w/.test(last)) {
      const index = Number(numbered[1]) - 1;
      if (index < 0) throw new ValueError(`${numbered[0]} is no parameter: they count from 1`);
      parameter({ kind: 'numbered', index }, numbered[0].length);
    } else if (source[at] === '?') {
      parameter({ kind: 'next' }, 1);
    } else {
      at++;
    }
  }
  pieces.push((before + source.slice(pieceStart, at)).trimEnd());
  const text = source.slice(start, at).trim();
  return { statement: text === '' ? null : { line, text, pieces, parameters }, end: at + 1 };
}

/** The end of a string, a quoted name, a comment or a dollar-quoted text that begins here; `at` if none does. */
function endOfQuoted(source: string, at: number): number {
  const char = source[at];
  if (char === "'" && /(?<!\w)e$/i.test(source.slice(Math.max(0, at - 2), at)))
    return afterEscapes(source, at + 1);
  if (char === "'" || char === '"' || char === '`') return after(source, char, at + 1, 'a quote');
  if (char === '-' && source[at + 1] === '-') return endOfLine(source, at);
  if (char === '/' && source[at + 1] === '*') return after(source, '*/', at + 2, 'a comment');
  const dollar = char === '$' ? /^\$(?:[a-z_]\w*)?\$/i.exec(source.slice(at, at + 64)) : null;
  return dollar === null ? at : after(source, dollar[0], at + dollar[0].length, `a text in ${dollar[0]}`);
}

/** The end of a text in which a backslash takes the next sign literally, as PostgreSQL's E'...' does. */
function afterEscapes(source: string, from: number): number {
  const [text] = /^(?:[^\\']|\\[\s\S])*'/.exec(source.slice(from)) ?? [];
  if (text === undefined) throw new ValueError('a quote is not closed');
  return from + text.length;
}

function after(source: string, end: string, from: number, what: string): number {
  const found = source.indexOf(end, from);
  if (found < 0) throw new ValueError(`${what} is not closed`);
  return found + end.length;
}

/** Past white space, comments and lone semicolons. */
function skipBlanks(source: string, from: number, lineAt: (at: number) => number): number {
  let at = from;
  for (;;) {
    const [blanks = ''] = /^[\s;]*/.exec(source.slice(at)) ?? [];
    at += blanks.length;
    const isComment = source.startsWith('--', at) || source.startsWith('/*', at);
    if (!isComment) return at;
    at = inLine(lineAt(at), () => endOfQuoted(source, at));
  }
}

function endOfLine(source: string, from: number): number {
  const end = source.indexOf('\n', from);
  return end < 0 ? source.length : end;
}

/** Tells the line of a place, from 1. Each place must lie behind the last one, so all of them take one pass. */
function lineCounter(source: string): (at: number) => number {
  let line = 1;
  let counted = 0;
  return (at) => {
    for (let end = source.indexOf('\n', counted); end >= 0 && end < at; end = source.indexOf('\n', counted)) {
      line++;
      counted = end + 1;
    }
    return line;
  };
}

function inLine<T>(line: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ValueError) || error.message.startsWith('line ')) throw error;
    throw new ValueError(`line ${line}: ${error.message}`);
  }
}

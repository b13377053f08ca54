/** A piece of SQL as MySQL and MariaDB read it. Executable comments are code: the server runs what stands in them. */
export interface Token {
  readonly kind: 'code' | 'text' | 'name' | 'comment' | 'placeholder' | 'semicolon' | 'hint';
  readonly start: number;
  readonly end: number;
}

/** How quotes are read; it depends on the session's sql_mode. */
export interface QuoteRules {
  /** False with NO_BACKSLASH_ESCAPES: a backslash in a text is a backslash. Default true. */
  readonly backslash?: boolean;
}

const COMMENTS = ['(?<comment>--(?=\\s|$)[^\\n]*|#[^\\n]*|/\\*(?!M?!)(?:[^*]|\\*(?!/))*(?:\\*/|$))'];
const OTHERS = [
  '(?<name>`(?:[^`]|``)*(?:`|$))',
  '(?<hint>/\\*M?!\\d*)',
  '(?<placeholder>\\?)',
  '(?<semicolon>;)',
];
const text = (inside: string) =>
  `(?<text>'(?:${inside}[^'\\\\]+|'')*(?:'|$)|"(?:${inside}[^"\\\\]+|"")*(?:"|$))`;
const WITH_BACKSLASH = new RegExp([...COMMENTS, text('\\\\[\\s\\S]|\\\\$|'), ...OTHERS].join('|'), 'g');
const PLAIN = new RegExp([...COMMENTS, text('\\\\|'), ...OTHERS].join('|'), 'g');

/** The pieces of SQL, in order and without gaps. */
export function tokensOf(sql: string, { backslash = true }: QuoteRules = {}): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (const match of sql.matchAll(backslash ? WITH_BACKSLASH : PLAIN)) {
    const start = match.index;
    const end = start + match[0].length;
    const kind = Object.entries(match.groups ?? {}).find(([, found]) => found !== undefined)?.[0];
    if (start > at) tokens.push({ kind: 'code', start: at, end: start });
    tokens.push({ kind: kind as Token['kind'], start, end });
    at = end;
  }
  if (at < sql.length) tokens.push({ kind: 'code', start: at, end: sql.length });
  return tokens;
}

/** The SQL between the placeholders: one piece more than there are placeholders. */
export function piecesOf(sql: string, rules?: QuoteRules): string[] {
  const pieces: string[] = [];
  let from = 0;
  for (const { kind, start, end } of tokensOf(sql, rules)) {
    if (kind !== 'placeholder') continue;
    pieces.push(sql.slice(from, start));
    from = end;
  }
  return [...pieces, sql.slice(from)];
}

/** The code alone, with a blank for each comment and an empty text for each text. */
export function codeOf(sql: string, rules?: QuoteRules): string {
  return tokensOf(sql, rules)
    .map(({ kind, start, end }) => {
      if (kind === 'comment') return ' ';
      return kind === 'text' ? "''" : sql.slice(start, end);
    })
    .join('');
}

/** A body of statements has semicolons of its own; without DELIMITER it reaches to the end of the script. */
const HAS_BODY =
  /^\s*(?:create\b[\s\S]{0,200}?\b(?:procedure|function|trigger|event|package)\b|alter\s+(?:event)\b|begin\s+not\s+atomic\b)/i;

/**
 * The statements of a script, as the client of MySQL splits it: at semicolons, or at what a line `DELIMITER //` says. The
 * server is never sent more than one statement at a time.
 */
export function splitScript(sql: string, rules?: QuoteRules): string[] {
  const statements: string[] = [];
  const parts = sql.split(/^[ \t]*delimiter[ \t]+(\S+)[ \t]*$/im);
  for (let at = 0; at < parts.length; at += 2) {
    const delimiter = at === 0 ? ';' : (parts[at - 1] ?? ';');
    statements.push(...splitAt(parts[at] ?? '', delimiter, rules));
  }
  return statements.filter((statement) => codeOf(statement, rules).trim() !== '');
}

function splitAt(sql: string, delimiter: string, rules?: QuoteRules): string[] {
  const statements: string[] = [];
  let from = 0;
  for (const { kind, start, end } of tokensOf(sql, rules)) {
    if (delimiter === ';') {
      if (kind !== 'semicolon' || HAS_BODY.test(codeOf(sql.slice(from, start), rules))) continue;
      statements.push(sql.slice(from, start));
      from = end;
      continue;
    }
    if (kind !== 'code' && kind !== 'semicolon') continue;
    for (let found = sql.indexOf(delimiter, Math.max(from, start)); found >= 0 && found < end; ) {
      statements.push(sql.slice(from, found));
      from = found + delimiter.length;
      found = sql.indexOf(delimiter, from);
    }
  }
  return [...statements, sql.slice(from)];
}

/** Whether there is more than one statement, and none is a body with semicolons of its own. */
export function isSeveral(sql: string, rules?: QuoteRules): boolean {
  return (
    sql.includes(';') && splitAt(sql, ';', rules).filter((one) => codeOf(one, rules).trim() !== '').length > 1
  );
}

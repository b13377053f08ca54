import { expression } from './expressions.js';
import type { PyNode } from './syntax.js';
import type { Translation } from './translation.js';

/** Only the beginning of a text is ever read: which statement an SQL text is. */
const LONGEST = 80;

/** A string literal with the same beginning, on one line. */
export function stringLiteral(text: string): string {
  return JSON.stringify(contentOf(text).slice(0, LONGEST));
}

function contentOf(text: string): string {
  const [, mark = '"'] = /^[A-Za-z]*("""|'''|"|')/.exec(text) ?? [];
  const start = text.indexOf(mark) + mark.length;
  return text.slice(start, text.endsWith(mark) ? text.length - mark.length : text.length);
}

/** An f-string: the text before its first value, and the values, which are evaluated. */
export function formatString(to: Translation, node: PyNode): void {
  const values = node.kids.filter(({ type }) => type === 'FormatReplacement');
  const [first] = values;
  const whole = to.textOf(node);
  const content = contentOf(first === undefined ? whole : `${to.source.slice(node.from, first.from)}`);
  if (first === undefined) {
    to.out.stand(JSON.stringify(content.slice(0, LONGEST)), node.from, node.to);
    return;
  }
  to.put(
    `\`${content
      .slice(0, LONGEST)
      .replace(/[`\\$]/g, ' ')
      .replace(/\r?\n/g, ' ')}`,
  );
  for (const value of values) replacement(to, value);
  to.put('`');
}

function replacement(to: Translation, node: PyNode): void {
  const inner = node.kids.find(({ type }) => !'{}'.includes(type) && !type.startsWith('Format'));
  if (inner === undefined) return;
  to.put('${');
  expression(to, inner);
  to.put('}');
  for (const kid of node.kids) {
    if (kid.type !== 'FormatSpec') continue;
    for (const one of kid.kids) if (one.type === 'FormatReplacement') replacement(to, one);
  }
}

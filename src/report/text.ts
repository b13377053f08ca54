import { stripVTControlCharacters } from 'node:util';

/** How many columns the text takes on a terminal: escape sequences none, East Asian wide characters and emoji two. */
export function widthOf(text: string): number {
  let width = 0;
  for (const char of stripVTControlCharacters(text)) width += widthOfChar(char.codePointAt(0) ?? 0);
  return width;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - widthOf(text))) + text;
}

/** Cuts plain text (without escape sequences) to a width, with an ellipsis where something was lost. */
export function truncate(text: string, width: number, { unicode }: { readonly unicode: boolean }): string {
  if (widthOf(text) <= width) return text;
  const ellipsis = unicode ? '…' : '...';
  const room = width - widthOf(ellipsis);
  if (room < 0) return ellipsis.slice(0, Math.max(0, width));
  let kept = '';
  let used = 0;
  for (const char of text) {
    used += widthOfChar(char.codePointAt(0) ?? 0);
    if (used > room) break;
    kept += char;
  }
  return kept + ellipsis;
}

/**
 * Text from outside (SQL, application names, error messages of a server) as one harmless line: white space is folded,
 * and the rest is as `harmless` makes it.
 */
export function printable(text: string): string {
  return harmless(text.replace(/\s+/g, ' '));
}

/** Text of several lines that can do nothing to a terminal: no escape sequences, other control characters as `\x07`. */
export function harmless(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll('\r', '')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}]/gu, (char) => {
      if (char === '\n' || char === '\t') return char;
      const code = char.codePointAt(0) ?? 0;
      return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
    });
}

/** Between words; a figure stays with its unit: `1 %`, `250 ms`. */
const BREAK = /(?<!\d)\s+|\s+(?!(?:%|[mu]?s)(?!\w))/;

/** Breaks text at spaces into lines of at most `width` columns; a longer word stands alone. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(BREAK).filter((one) => one !== '')) {
    if (line === '') line = word;
    else if (widthOf(line) + 1 + widthOf(word) <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  return line === '' ? lines : [...lines, line];
}

function widthOfChar(code: number): number {
  if (code < 0x300) return code < 0x20 || (code >= 0x7f && code < 0xa0) ? 0 : 1;
  if (isZeroWidth(code)) return 0;
  return isWide(code) ? 2 : 1;
}

function isZeroWidth(code: number): boolean {
  return (
    (code >= 0x300 && code <= 0x36f) ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x20d0 && code <= 0x20ff) ||
    (code >= 0xfe00 && code <= 0xfe0f) ||
    (code >= 0xfe20 && code <= 0xfe2f) ||
    code === 0xfeff
  );
}

/** The ranges of Unicode's EastAsianWidth that matter: CJK, Hangul, full-width forms, emoji. */
function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0x303e) ||
    (code >= 0x3041 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1f64f) ||
    (code >= 0x1f680 && code <= 0x1f6ff) ||
    (code >= 0x1f900 && code <= 0x1f9ff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}

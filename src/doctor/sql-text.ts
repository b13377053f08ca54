/** A name as SQL has it, quoted; one with control characters in it stays on one line (`U&"a\000Ab"`). */
export function sqlName(name: string): string {
  return quoted(name, '"');
}

/** A text as SQL has it. */
export function sqlText(text: string): string {
  return quoted(text, "'");
}

function quoted(text: string, quote: '"' | "'"): string {
  const doubled = text.replaceAll(quote, quote + quote);
  if (!/[\p{Cc}\p{Cf}]/u.test(text)) return quote + doubled + quote;
  const escaped = doubled
    .replaceAll('\\', '\\\\')
    .replace(/[\p{Cc}\p{Cf}]/gu, (char) => `\\+${(char.codePointAt(0) ?? 0).toString(16).padStart(6, '0')}`);
  return `U&${quote}${escaped}${quote}`;
}

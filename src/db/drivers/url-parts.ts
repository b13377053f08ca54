/** The pieces that the addresses of all servers are read with. */

export type Pair = readonly [name: string, value: string];

/** Parameters, decoded. In a name and a password a plus is a plus; elsewhere it stands for a blank, as in forms. */
export function pairsOf(query: string, literal: RegExp): Pair[] {
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const [name, value] = cut(part, '=');
      return [decodedOrSame(name), decodedOrSame(literal.test(name) ? value : value.replaceAll('+', ' '))];
    });
}

/** Before and after the first of these signs. */
export function cut(text: string, sign: string): [before: string, after: string] {
  const at = text.indexOf(sign);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function decodedOrSame(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A part of the address; null where it is empty. Adds to `problems` what is wrong with it. */
export function decodedPart(text: string, what: string, problems: string[]): string | null {
  try {
    const value = decodeURIComponent(text);
    if (value.includes('\0')) problems.push(`the ${what} holds a zero byte`);
    return value === '' ? null : value;
  } catch {
    problems.push(`the ${what} has a % that begins no percent-encoding; write %25 for a plain one`);
    return null;
  }
}

/** More heads than this are open at once in no real file; the parser's time doubles with each one beyond. */
const MAX_OPEN_HEADS = 12;

/**
 * Tells whether a file has more `async (` inside each other, with none closed, than TypeScript's parser can take: it
 * tries each one as a parameter list and again as a call, so that its time doubles with each. Strings and comments on
 * one line are skipped; regular expressions and templates are read as code.
 */
export function hasDeepAsyncHeads(text: string): boolean {
  if (!text.includes('async')) return false;
  const open: boolean[] = [];
  let heads = 0;
  const tokens =
    /\/\/.*|\/\*(?:[\s\S]*?\*\/|[\s\S]*$)|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\basync\s*(?:<[^()]{0,200}>\s*)?\(|[()]/g;
  for (const [token] of text.matchAll(tokens)) {
    if (token === ')') {
      if (open.pop() === true) heads--;
    } else if (token.endsWith('(') && (token === '(' || token.startsWith('async'))) {
      const isHead = token !== '(';
      open.push(isHead);
      if (isHead && ++heads > MAX_OPEN_HEADS) return true;
    }
  }
  return false;
}

/**
 * Hides passwords in text that is about to be shown: `scheme://user:password@host`, `password=...` in connection
 * strings and queries. It rather hides too much: all up to the last `@` of a word, since passwords contain
 * slashes and at-signs that should have been escaped and were not.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*):[^\s]*@/gi, '$1:***@')
    .replace(
      /([\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key))=("[^"]*"|'[^']*'|[^\s&;,'"]*)/gi,
      '$1=***',
    );
}

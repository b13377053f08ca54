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

/**
 * The same for one URL that somebody typed, well-formed or not: where it lacks its @, the password stands in the place
 * of the port; where it lacks its slashes, anywhere.
 */
export function maskUrl(url: string): string {
  return maskSecrets(url)
    .replace(/^([a-z+.-]+:\/\/[^/?#:[]*):(?!\d*(?:[/?#]|$))[^/?#]*/i, '$1:***')
    .replace(/^([a-z+.-]+:[^/:@]+):.*@/i, '$1:***@');
}

/** A word as a POSIX shell reads it. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line. Words of `raw` are written as they are, so that the shell expands their variables. */
export function shellLine(words: readonly string[], raw: readonly string[] = []): string {
  return [...words.map(shellWord), ...raw].join(' ');
}

/** The lines of a script that exports the common start as START_AT. */
export function startLines(startAt: string | null, delay: string): string[] {
  return startAt === null
    ? [
        '# Every segment connects and warms up before this time. A segment that is not ready by then does not run.',
        `START_AT=$(date -u -d "+\${START_IN:-${delay}}" +%FT%TZ)`,
      ]
    : [`START_AT=${shellWord(startAt)}`];
}

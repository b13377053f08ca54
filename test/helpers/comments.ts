/** The comments of a source text, each as one line without its marks. Lines of `//` that follow each other are one. */
export function commentsOf(source: string): string[] {
  const comments = source.matchAll(/\/\*\*?[\s\S]*?\*\/|(?:^[ \t]*\/\/(?!#).*\n?)+/gm);
  return [...comments]
    .map(([text]) =>
      text
        .replaceAll(/\*\/\s*$/g, '')
        .replaceAll(/^\s*(?:\/\*\*?|\*|\/\/)/gm, '')
        .replaceAll(/\s+/g, ' ')
        .trim(),
    )
    .filter((text) => text !== '' && !/^(biome-ignore|@)/.test(text));
}

/** Whether a comment opens with a relative clause instead of a subject or a verb: `What is left of it.` */
export function isRelativeClause(comment: string): boolean {
  return /^(What|Whatever|Who|Whoever|Whose|Of|That|Where|Which|Those|Such)\b/.test(comment);
}

/** The room of a source file, for counts: `src/pool`, `commands`. */
export function placeOf(path: string): string {
  return /^src\/[\w-]+/.exec(path)?.[0] ?? path.split('/')[0] ?? path;
}

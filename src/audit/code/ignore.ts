/** Decides by the rules of a .gitignore file; `path` is relative to its folder, with forward slashes. */
export type IgnoreRules = (path: string, isFolder: boolean) => boolean | null;

/**
 * Reads a .gitignore. The result is true for what is ignored, false for what a `!` line takes back, null where no line
 * applies (then the folder above decides). The last line that applies counts, as in git.
 */
export function parseIgnore(text: string): IgnoreRules {
  const rules = text
    .split(/\r?\n/)
    .map(parseLine)
    .filter((rule) => rule !== null)
    .reverse();
  return (path, isFolder) => {
    for (const { pattern, ignores, foldersOnly } of rules) {
      if ((isFolder || !foldersOnly) && pattern.test(path)) return ignores;
    }
    return null;
  };
}

interface Rule {
  readonly pattern: RegExp;
  readonly ignores: boolean;
  readonly foldersOnly: boolean;
}

function parseLine(line: string): Rule | null {
  let glob = line.replace(/(?<!\\)\s+$/, '');
  if (glob === '' || glob.startsWith('#')) return null;
  const ignores = !glob.startsWith('!');
  if (!ignores) glob = glob.slice(1);
  const foldersOnly = glob.endsWith('/');
  if (foldersOnly) glob = glob.slice(0, -1);
  const anchored = glob.includes('/');
  return { pattern: globToRegExp(glob.replace(/^\//, ''), anchored), ignores, foldersOnly };
}

/** A glob as a pattern for a whole relative path; one without a slash means a name in any folder. */
export function globToRegExp(glob: string, anchored: boolean): RegExp {
  let source = '';
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i] as string;
    if (char === '*') {
      const several = glob[i + 1] === '*';
      if (several) i++;
      if (several && glob[i + 1] === '/') {
        i++;
        source += '(?:.*/)?';
      } else source += several ? '.*' : '[^/]*';
    } else if (char === '?') source += '[^/]';
    else if (char === '[' && glob.indexOf(']', i + 2) > 0) {
      const end = glob.indexOf(']', i + 2);
      source += `[${glob
        .slice(i + 1, end)
        .replace(/^!/, '^')
        .replace(/\\/g, '\\\\')}]`;
      i = end;
    } else if (char === '\\' && i + 1 < glob.length) source += escapeChar(glob[++i] as string);
    else source += escapeChar(char);
  }
  try {
    return new RegExp(`^${anchored ? '' : '(?:.*/)?'}${source}$`);
  } catch {
    return /^(?!)/; // a class that makes no sense, such as [z-a], matches nothing
  }
}

function escapeChar(char: string): string {
  return /[\w/-]/.test(char) ? char : `\\${char}`;
}

import { type Dirent, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { globToRegExp, type IgnoreRules, parseIgnore } from './ignore.js';

export interface FileOptions {
  /** Globs of paths that are left out: whole ones, or relative to the audited path. One without a slash means a name in any folder. */
  readonly exclude: readonly string[];
  readonly honourIgnoreFiles: boolean;
}

export interface FoundFile {
  /** As the system names it. */
  readonly path: string;
  /** Relative to the audited path, with forward slashes. */
  readonly name: string;
}

export interface LocatedFile extends FoundFile {
  /** The path after all links are followed. */
  readonly real: string;
}

export interface FoundFiles {
  readonly files: readonly LocatedFile[];
  /** The files beside them that decide where imports lead. */
  readonly configs: readonly string[];
  /** The folders that were listed, those without source files included. */
  readonly folders: readonly string[];
  /** Paths that could not be listed, with the reason. */
  readonly unreadable: readonly { readonly name: string; readonly reason: string }[];
}

const SOURCE = /\.(?:[cm]?[jt]sx?|vue|svelte|astro|py|ipynb)$/;
const DECLARATIONS = /\.d\.[cm]?ts$/;
const NEVER = new Set([
  ...['node_modules', '.git', '.hg', '.svn', 'bower_components', 'jspm_packages', '.yarn'],
  ...[
    'site-packages',
    '.venv',
    'venv',
    '__pycache__',
    '.ipynb_checkpoints',
    '.tox',
    '.nox',
    '.eggs',
    '.mypy_cache',
  ],
]);

/** Package manifests, lock files and the configuration of compilers and bundlers. */
export const CONFIG_FILE =
  /^(package\.json|[jt]sconfig(\..+)?\.json|pnpm-workspace\.yaml|lerna\.json|deno\.jsonc?|import_map\.json|.+\.config\.[cm]?[jt]s|(package-lock|npm-shrinkwrap)\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?)$/;

/** All source files below the given paths, sorted by name; each once, whatever links lead to it. */
export function findFiles(paths: readonly string[], cwd: string, options: FileOptions): FoundFiles {
  const excluded = options.exclude.map((glob) => globToRegExp(glob.replace(/\/$/, ''), glob.includes('/')));
  const seen = new Set<string>();
  const files: LocatedFile[] = [];
  const configs: string[] = [];
  const folders: string[] = [];
  const unreadable: { name: string; reason: string }[] = [];

  const take = (path: string, base: string): void => {
    const real = realOf(path);
    if (real === null || seen.has(real)) return;
    seen.add(real);
    files.push({ path, name: slashed(relative(base, path)), real });
  };
  const walk = (folder: string, base: string, above: readonly Scoped[]): void => {
    const real = realOf(folder);
    if (real === null || seen.has(real)) return;
    seen.add(real);
    folders.push(folder);
    let entries: Dirent[];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch (error) {
      unreadable.push({ name: slashed(relative(base, folder)) || '.', reason: reasonOf(error) });
      return;
    }
    const rules = options.honourIgnoreFiles ? withRulesOf(folder, entries, above) : above;
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (NEVER.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (CONFIG_FILE.test(entry.name)) configs.push(path);
      const isFolder = entry.isSymbolicLink() ? isFolderAt(path) : entry.isDirectory();
      if (!isFolder && (!SOURCE.test(entry.name) || DECLARATIONS.test(entry.name))) continue;
      const name = slashed(relative(base, path));
      if (
        excluded.some((pattern) => pattern.test(name) || pattern.test(slashed(path))) ||
        isIgnored(path, isFolder, rules)
      )
        continue;
      if (isFolder) walk(path, base, rules);
      else take(path, base);
    }
  };

  // Several paths have one thing that their names can be relative to: where the audit was started.
  const shared = paths.length > 1 ? cwd : null;
  for (const given of paths) {
    const path = resolve(cwd, given);
    // A file that is named is audited whatever .gitignore says; its name is relative to where the audit was started.
    if (isFolderAt(path)) walk(path, shared ?? path, options.honourIgnoreFiles ? rulesAbove(path) : []);
    else take(path, isWithinFolder(path, cwd) ? cwd : dirname(path));
  }
  return { files, configs, folders, unreadable };
}

/** Tells whether an entry of a folder has a say in which files are audited. */
export function isListed(name: string, isFolder: boolean): boolean {
  if (NEVER.has(name)) return false;
  return (
    isFolder ||
    name === '.gitignore' ||
    CONFIG_FILE.test(name) ||
    (SOURCE.test(name) && !DECLARATIONS.test(name))
  );
}

/** Whether a file that is named on the command line can hold code: by its ending, or a script without one. */
export function isSourceName(path: string): boolean {
  return SOURCE.test(path) || !basename(path).slice(1).includes('.');
}

/** Text of a source file; null with a reason where it is none. */
export function readSource(path: string): { readonly text: string } | { readonly reason: string } {
  try {
    const bytes = readFileSync(path);
    if (bytes[0] === 0xff && bytes[1] === 0xfe) return { text: bytes.toString('utf16le', 2) };
    if (bytes[0] === 0xfe && bytes[1] === 0xff) {
      const even = bytes.subarray(2, bytes.length - (bytes.length % 2));
      return { text: Buffer.from(even).swap16().toString('utf16le') };
    }
    if (bytes.includes(0) && isBinary(bytes)) return { reason: 'it is not text' };
    return { text: bytes.toString('utf8') };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

/** A string may hold a NUL; binary data holds many bytes that no editor writes. */
function isBinary(bytes: Buffer): boolean {
  let odd = 0;
  for (const byte of bytes) if (byte < 32 && !(byte >= 8 && byte <= 13) && byte !== 27) odd++;
  return odd > bytes.length / 50;
}

interface Scoped {
  readonly folder: string;
  readonly rules: IgnoreRules;
}

function withRulesOf(
  folder: string,
  entries: readonly Dirent[],
  above: readonly Scoped[],
): readonly Scoped[] {
  if (!entries.some((entry) => entry.name === '.gitignore')) return above;
  const read = readSource(join(folder, '.gitignore'));
  return 'text' in read ? [{ folder, rules: parseIgnore(read.text) }, ...above] : above;
}

/** The .gitignore files between a folder and the root of its repository, nearest first. */
function rulesAbove(path: string): Scoped[] {
  const found: Scoped[] = [];
  for (let folder = path; !isRepository(folder); ) {
    const parent = dirname(folder);
    if (parent === folder) return []; // no repository: what lies above has no say
    folder = parent;
    const read = readSource(join(folder, '.gitignore'));
    if ('text' in read) found.push({ folder, rules: parseIgnore(read.text) });
  }
  return found;
}

function isRepository(folder: string): boolean {
  try {
    statSync(join(folder, '.git'));
    return true;
  } catch {
    return false;
  }
}

function isIgnored(path: string, isFolder: boolean, rules: readonly Scoped[]): boolean {
  for (const { folder, rules: decide } of rules) {
    const verdict = decide(slashed(relative(folder, path)), isFolder);
    if (verdict !== null) return verdict;
  }
  return false;
}

function isFolderAt(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // a link to nowhere, or not there: reading it says why
  }
}

function realOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return basename(path) === '' ? null : path;
  }
}

function isWithinFolder(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function slashed(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/');
}

function reasonOf(error: unknown): string {
  return error instanceof Error
    ? error.message.replace(/^(\w+): /, '').replace(/, \w+ '.*'$/, '')
    : String(error);
}

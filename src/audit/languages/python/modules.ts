import { basename, dirname, join } from 'node:path';

/** Finds the files that Python imports mean, among files that are known. */
export class PythonModules {
  readonly #files: ReadonlyMap<string, () => string>;
  /** Files by the last part of their dotted name. */
  #byName: Map<string, string[]> | null = null;
  /** Made when it is first asked for: files may still come until then. */
  #folders: ReadonlySet<string> | null = null;
  readonly #foreign: ReadonlySet<string>;
  readonly #names = new Map<string, ReadonlySet<string>>();
  readonly #classes = new Map<string, ReadonlySet<string>>();
  #allClasses: ReadonlySet<string> | null = null;
  #hasManagers: boolean | null = null;
  #stepped: ReadonlySet<string> | null = null;

  /** `files` gives the text of each file by its path. `foreign` names packages that stay packages. */
  constructor(files: ReadonlyMap<string, () => string>, foreign: ReadonlySet<string>) {
    this.#files = files;
    this.#foreign = foreign;
  }

  /** The file of a module in a file: `app.db`, `..db`, `.`; null for a package, a folder without a file, or nothing. */
  resolve(from: string, dotted: string): string | null {
    const [, dots = '', rest = ''] = /^(\.*)(.*)$/.exec(dotted) ?? [];
    const parts = rest === '' ? [] : rest.split('.');
    if (dots !== '') {
      let base = dirname(from);
      for (let up = 1; up < dots.length; up++) base = dirname(base);
      return this.#at(join(base, ...parts));
    }
    if (this.#foreign.has(parts[0] ?? '')) return null;
    // A script's own folder, the folders above it, and `src` in them.
    this.#folders ??= foldersOf(this.#files.keys());
    for (let base = dirname(from); this.#folders.has(base); base = dirname(base)) {
      for (const root of [base, join(base, 'src')]) {
        const found = this.#at(join(root, ...parts));
        if (found !== null) return found;
      }
      if (dirname(base) === base) break;
    }
    return parts.length > 1 ? this.#byEnd(parts) : null;
  }

  /** The names that a module binds at its top level, for `from x import *`. */
  namesIn(path: string, depth = 0): ReadonlySet<string> {
    const known = this.#names.get(path);
    if (known !== undefined) return known;
    const names = new Set<string>();
    this.#names.set(path, names);
    const text = this.#files.get(path)?.() ?? '';
    for (const [, name = ''] of text.matchAll(
      /^(?:async +def|def|class) +(\w+)|^(\w+)(?= *(?::[^=\n]*)?=[^=])/gm,
    ))
      if (name !== '') names.add(name);
    for (const [, name = ''] of text.matchAll(/^(\w+) *(?::[^=\n]*)?=[^=]/gm)) names.add(name);
    for (const [, , one, many] of text.matchAll(/^from +([\w.]+) +import +(?:\(([^)]*)\)|([^\n(]+))/gm))
      for (const part of (one ?? many ?? '').replace(/#[^\n]*/g, '').split(',')) {
        const name = /(\w+)\s*$/.exec(part.trim())?.[1];
        if (name !== undefined) names.add(name);
      }
    for (const [, from = ''] of text.matchAll(/^from +([\w.]+) +import +\*/gm)) {
      const other = depth < 8 ? this.resolve(path, from) : null;
      if (other !== null) for (const name of this.namesIn(other, depth + 1)) names.add(name);
    }
    return names;
  }

  /** Whether a name that a module has is a class of the project. */
  isClass(path: string, name: string): boolean {
    if (this.classesIn(path).has(name)) return true;
    if (!this.namesIn(path).has(name)) return false;
    this.#allClasses ??= new Set([...this.#files.keys()].flatMap((one) => [...this.classesIn(one)]));
    return this.#allClasses.has(name);
  }

  /** Whether a class of the project says what `with` does with it. */
  get hasManagers(): boolean {
    this.#hasManagers ??= [...this.#files.values()].some((text) => MANAGER.test(text()));
    return this.#hasManagers;
  }

  /** The names of all functions that are called in `next(name())`. */
  get stepped(): ReadonlySet<string> {
    this.#stepped ??= new Set(
      [...this.#files.values()].flatMap((text) => [...text().matchAll(STEPPED)].map(([, name = '']) => name)),
    );
    return this.#stepped;
  }

  classesIn(path: string): ReadonlySet<string> {
    const known = this.#classes.get(path);
    if (known !== undefined) return known;
    const text = this.#files.get(path)?.() ?? '';
    const found = new Set([...text.matchAll(/^[ \t]*class[ \t]+(\w+)/gm)].map(([, name = '']) => name));
    this.#classes.set(path, found);
    return found;
  }

  #at(path: string): string | null {
    for (const file of [`${path}.py`, join(path, '__init__.py')]) if (this.#files.has(file)) return file;
    return null;
  }

  /** A package whose folder is not above: the only file whose path ends with the dotted name. */
  #byEnd(parts: readonly string[]): string | null {
    this.#byName ??= byName(this.#files.keys());
    const tail = `/${parts.join('/')}`;
    const fits = (this.#byName.get(parts.at(-1) ?? '') ?? []).filter(
      (path) => path.endsWith(`${tail}.py`) || path.endsWith(`${tail}/__init__.py`),
    );
    return fits.length === 1 ? (fits[0] ?? null) : null;
  }
}

const MANAGER = /\bdef[ \t]+__a?enter__\b/;
const STEPPED = /\ba?next\(\s*(?:\w+\.)*(\w+)\(/g;

function foldersOf(paths: Iterable<string>): Set<string> {
  const folders = new Set<string>();
  for (const path of paths) for (let at = dirname(path); !folders.has(at); at = dirname(at)) folders.add(at);
  return folders;
}

function byName(paths: Iterable<string>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const path of paths) {
    const file = basename(path, '.py');
    const name = file === '__init__' ? basename(dirname(path)) : file;
    found.set(name, [...(found.get(name) ?? []), path]);
  }
  return found;
}

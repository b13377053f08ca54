import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { type Alias, aliasesIn } from './aliases.js';
import { isRecord, type Manifest, Manifests, type PathOptions, upwards } from './manifests.js';

/**
 * Finds the file that an import means, among files that are known. It follows the rules of Node and TypeScript, with one
 * addition: a path into build output that is not there leads to the source that it is built from.
 */
export class Resolver<File> {
  readonly #files: ReadonlyMap<string, File>;
  readonly #manifests = new Manifests();
  readonly #known = new Map<string, File | null>();
  readonly #aliases = new Map<string, readonly Alias[]>();
  readonly #foreign: ReadonlySet<string>;
  #packages: Map<string, string[]> | null = null;

  /** `foreign` names packages that stay packages, even in the repository that they come from. */
  constructor(files: ReadonlyMap<string, File>, foreign: ReadonlySet<string>) {
    this.#files = files;
    this.#foreign = foreign;
  }

  /** The file that `specifier` means in a file of `folder`; null where that is a package, or not among the files. */
  resolve(folder: string, specifier: string): File | null {
    const key = `${folder}\0${specifier}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#find(folder, specifier, 0);
    this.#known.set(key, found);
    return found;
  }

  /** Whether a package.json above a folder lists a package as a dependency. */
  dependsOn(folder: string, name: string): boolean {
    return upwards(folder).some((at) => {
      const manifest = this.#manifests.packageIn(at);
      return manifest !== null && rangeOf(manifest, name) !== null;
    });
  }

  #find(folder: string, specifier: string, depth: number): File | null {
    if (specifier.startsWith('node:') || depth > 4) return null;
    if (/^\.\.?(\/|$)/.test(specifier)) return this.#built(join(folder, specifier), folder);
    if (isAbsolute(specifier)) return this.#fileAt(specifier);
    return (
      (specifier.startsWith('#') ? this.#byImports(folder, specifier, depth) : null) ??
      this.#byPaths(folder, specifier) ??
      this.#byPackage(folder, specifier) ??
      this.#byAlias(folder, specifier)
    );
  }

  // --- files

  /** The file at a path: with another ending, or the index or main file of a folder. */
  #fileAt(path: string): File | null {
    const plain = path.replace(/\.(d\.)?[cm]?[jt]sx?$/, '');
    for (const stem of plain === path ? [path] : [path, plain]) {
      for (const ending of ENDINGS) {
        const found = this.#files.get(stem + ending);
        if (found !== undefined) return found;
      }
    }
    return null;
  }

  /** The file at a path, or the source of one that a build would put there. */
  #built(path: string, from: string): File | null {
    const found = this.#fileAt(path);
    if (found !== null) return found;
    const inFolder = this.#manifests.packageIn(path);
    if (inFolder !== null) return this.#entry(path, inFolder, '.');
    const around = this.#manifests.packageAbove(from);
    return around === null ? null : this.#source(around.folder, path, BUILDS);
  }

  /**
   * The source of a file of a package's build output: the same path below the folder of the sources. `builds` are the
   * names of folders that can be the output.
   */
  #source(folder: string, path: string, builds: RegExp): File | null {
    for (const { outDir, rootDir } of this.#manifests.optionsIn(folder)) {
      if (outDir === null || !isWithin(path, outDir)) continue;
      const rest = relative(outDir, path);
      for (const root of rootDir === null ? [join(folder, 'src'), folder] : [rootDir]) {
        const found = this.#fileAt(join(root, rest));
        if (found !== null) return found;
      }
    }
    const parts = relative(folder, path).split(sep);
    if (!builds.test(parts[0] ?? '')) return null;
    for (let skipped = 1; skipped < parts.length; skipped++) {
      const rest = parts.slice(skipped).join(sep);
      for (const root of SOURCES) {
        const found = this.#fileAt(join(folder, root, rest));
        if (found !== null) return found;
      }
    }
    return null;
  }

  // --- tsconfig.json

  #byPaths(folder: string, specifier: string): File | null {
    for (const at of upwards(folder)) {
      for (const options of this.#manifests.optionsIn(at)) {
        const found = this.#byOptions(options, specifier, at);
        if (found !== null) return found;
      }
    }
    return null;
  }

  #byOptions({ paths, pathsBase, baseUrl }: PathOptions, specifier: string, folder: string): File | null {
    // The longest prefix wins, as in the compiler; an exact pattern beats all.
    const fits = paths
      .map(([pattern, targets]) => ({ pattern, targets, rest: matched(pattern, specifier) }))
      .filter((one) => one.rest !== null)
      .sort((a, b) => prefixLength(b.pattern) - prefixLength(a.pattern));
    for (const { targets, rest } of fits) {
      for (const target of targets) {
        const found = this.#built(join(pathsBase, target.replace('*', rest ?? '')), folder);
        if (found !== null) return found;
      }
    }
    return baseUrl === null ? null : this.#fileAt(join(baseUrl, specifier));
  }

  // --- package.json

  /** `#db`, by the field `imports` of the package that the file is of. */
  #byImports(folder: string, specifier: string, depth: number): File | null {
    const around = this.#manifests.packageAbove(folder);
    if (around === null || !isRecord(around.manifest.imports)) return null;
    for (const target of targetsOf(around.manifest.imports, specifier)) {
      const found = target.startsWith('.')
        ? this.#built(join(around.folder, target), around.folder)
        : this.#find(around.folder, target, depth + 1);
      if (found !== null) return found;
    }
    return null;
  }

  /** A package of the same repository, which may be the file's own. */
  #byPackage(folder: string, specifier: string): File | null {
    const [, name, rest = ''] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(specifier) ?? [];
    if (name === undefined || this.#foreign.has(name)) return null;
    for (const at of this.#foldersOf(folder, name)) {
      const manifest = this.#manifests.packageIn(at);
      const found = manifest === null ? null : this.#entry(at, manifest, `.${rest}`);
      if (found !== null) return found;
    }
    return null;
  }

  /** The folders in which a package may be: by its dependency, by a link in node_modules, and by its name. */
  #foldersOf(folder: string, name: string): string[] {
    const found = new Set<string>();
    for (const at of upwards(folder)) {
      const manifest = this.#manifests.packageIn(at);
      const range = manifest === null ? null : rangeOf(manifest, name);
      const path = /^(?:file|link|portal|workspace):(\.{1,2}\/.*)$/.exec(range ?? '')?.[1];
      if (path !== undefined) found.add(join(at, path));
      const link = this.#manifests.linkIn(at, name);
      if (link !== null) found.add(link);
    }
    // If two packages have the same name, the nearer one is meant.
    const named = [...(this.#packagesByName().get(name) ?? [])];
    named.sort((a, b) => relative(folder, a).split(sep).length - relative(folder, b).split(sep).length);
    for (const one of named) found.add(one);
    return [...found];
  }

  /** All packages around the files, by their names. */
  #packagesByName(): ReadonlyMap<string, readonly string[]> {
    if (this.#packages !== null) return this.#packages;
    const byName = new Map<string, string[]>();
    const seen = new Set<string>();
    for (const path of this.#files.keys()) {
      for (let at = dirname(path); !seen.has(at); at = dirname(at)) {
        seen.add(at);
        const name = this.#manifests.packageIn(at)?.name;
        if (typeof name === 'string') byName.set(name, [...(byName.get(name) ?? []), at]);
      }
    }
    this.#packages = byName;
    return byName;
  }

  /** The file of a package that `.` or `./path` means. */
  #entry(folder: string, manifest: Manifest, subpath: string): File | null {
    const { exports, source, types, typings, module, main } = manifest;
    const targets: string[] = [];
    if (exports !== undefined) {
      const isTable = isRecord(exports) && Object.keys(exports).some((key) => key.startsWith('.'));
      targets.push(...targetsOf(isTable ? exports : { '.': exports }, subpath));
    }
    if (subpath === '.') {
      const fields = [source, types, typings, module, main].filter((one) => typeof one === 'string');
      targets.push(...fields, './src/index', './index', './src/main', './lib/index');
    } else {
      targets.push(subpath, ...SOURCES.map((root) => `./${join(root, subpath)}`));
    }
    for (const target of targets) {
      const path = join(folder, target);
      const found = this.#fileAt(path) ?? this.#source(folder, path, ANY);
      if (found !== null) return found;
    }
    return null;
  }

  // --- bundlers

  /** An alias of a bundler or of `module-alias`. */
  #byAlias(folder: string, specifier: string): File | null {
    for (const at of upwards(folder)) {
      const manifest = this.#manifests.packageIn(at);
      if (manifest === null) continue;
      const aliases = this.#aliases.get(at) ?? aliasesIn(at, manifest);
      this.#aliases.set(at, aliases);
      for (const { name, path } of aliases) {
        if (specifier !== name && !specifier.startsWith(name.endsWith('/') ? name : `${name}/`)) continue;
        const found = this.#built(join(path, specifier.slice(name.length)), at);
        if (found !== null) return found;
      }
    }
    return null;
  }
}

const ENDINGS = ['', '.ts', '.tsx', '.js', '.jsx', '.mts', '.cts', '.mjs', '.cjs'].concat(
  ['.ts', '.tsx', '.js', '.jsx', '.mts', '.cts', '.mjs', '.cjs'].map((end) => `${sep}index${end}`),
);

/** Folders that hold what a build makes. */
const BUILDS = /^(dist|build|lib|out|output|es|esm|cjs|umd|compiled|types|typings)([-.].*)?$/;
/** The field of a package.json says that it is output, unless it leads out of the package. */
const ANY = /^(?!\.\.$)/;

/** Folders of sources in a package. */
const SOURCES = ['src', '', 'source', 'lib', 'app'];

/** Conditions of `exports`, those that lead to sources first. */
const CONDITIONS = ['source', 'typescript', 'development', 'types', 'import', 'require', 'node', 'default'];

/** The targets of a table of `exports` or `imports` for a key: in the order in which they are of use here. */
function targetsOf(table: Readonly<Record<string, unknown>>, key: string): string[] {
  const exact = table[key];
  if (exact !== undefined) return leavesOf(exact);
  const patterns = Object.keys(table)
    .filter((pattern) => pattern.includes('*') || pattern.endsWith('/'))
    .sort((a, b) => prefixLength(b) - prefixLength(a));
  for (const pattern of patterns) {
    const rest = matched(pattern.endsWith('/') ? `${pattern}*` : pattern, key);
    if (rest === null) continue;
    return leavesOf(table[pattern]).map((one) =>
      one.endsWith('/') ? one + rest : one.replaceAll('*', rest),
    );
  }
  return [];
}

function leavesOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(leavesOf);
  if (!isRecord(value)) return [];
  const keys = Object.keys(value);
  const rank = (key: string) => (CONDITIONS.includes(key) ? CONDITIONS.indexOf(key) : CONDITIONS.length);
  return keys.sort((a, b) => rank(a) - rank(b)).flatMap((key) => leavesOf(value[key]));
}

/** The text that `*` stands for if a pattern matches; null if it does not. */
function matched(pattern: string, text: string): string | null {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === text ? '' : null;
  const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
  const fits = text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after);
  return fits ? text.slice(before.length, text.length - after.length) : null;
}

function prefixLength(pattern: string): number {
  const star = pattern.indexOf('*');
  return star < 0 ? Number.POSITIVE_INFINITY : star;
}

function rangeOf(manifest: Manifest, name: string): string | null {
  const { dependencies, devDependencies, peerDependencies, optionalDependencies } = manifest;
  for (const table of [dependencies, devDependencies, peerDependencies, optionalDependencies]) {
    const range = isRecord(table) ? table[name] : undefined;
    if (typeof range === 'string') return range;
  }
  return null;
}

function isWithin(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

import { readFileSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { ts } from 'ts-morph';

/** The fields of a package.json that say where code is. */
export interface Manifest {
  readonly name?: unknown;
  readonly main?: unknown;
  readonly module?: unknown;
  readonly source?: unknown;
  readonly types?: unknown;
  readonly typings?: unknown;
  readonly exports?: unknown;
  readonly imports?: unknown;
  readonly dependencies?: unknown;
  readonly devDependencies?: unknown;
  readonly peerDependencies?: unknown;
  readonly optionalDependencies?: unknown;
  /** Aliases of the package `module-alias`. */
  readonly _moduleAliases?: unknown;
}

/** The compiler options that say where code is. Folders are absolute. */
export interface PathOptions {
  readonly baseUrl: string | null;
  /** Pattern and targets, in the order of the file. */
  readonly paths: readonly (readonly [pattern: string, targets: readonly string[]])[];
  /** The folder to which the targets are relative. */
  readonly pathsBase: string;
  readonly rootDir: string | null;
  readonly outDir: string | null;
}

/** Reads the package.json and tsconfig.json files around the code, each once. */
export class Manifests {
  readonly #packages = new Map<string, Manifest | null>();
  readonly #options = new Map<string, readonly PathOptions[]>();
  readonly #links = new Map<string, string | null>();

  /** The package.json of a folder; null where there is none that can be read. */
  packageIn(folder: string): Manifest | null {
    let found = this.#packages.get(folder);
    if (found === undefined) {
      const value = readJson(join(folder, 'package.json'));
      found = isRecord(value) ? value : null;
      this.#packages.set(folder, found);
    }
    return found;
  }

  /** The nearest folder with a package.json, from a folder up. */
  packageAbove(folder: string): { readonly folder: string; readonly manifest: Manifest } | null {
    for (const at of upwards(folder)) {
      const manifest = this.packageIn(at);
      if (manifest !== null) return { folder: at, manifest };
    }
    return null;
  }

  /** The target of `node_modules/NAME` in a folder, if it is a link into the repository; null otherwise. */
  linkIn(folder: string, name: string): string | null {
    const path = join(folder, 'node_modules', name);
    let found = this.#links.get(path);
    if (found === undefined) {
      found = realOf(path);
      if (found === path || found?.includes('node_modules') === true) found = null;
      this.#links.set(path, found);
    }
    return found;
  }

  /** The path options of a folder's tsconfig.json or jsconfig.json, then of the projects that it refers to. */
  optionsIn(folder: string): readonly PathOptions[] {
    const known = this.#options.get(folder);
    if (known !== undefined) return known;
    this.#options.set(folder, []);
    const found: PathOptions[] = [];
    for (const name of ['tsconfig.json', 'jsconfig.json']) {
      const path = join(folder, name);
      const config = readJson(path);
      if (!isRecord(config)) continue;
      found.push(pathOptions(path, config, 0));
      for (const reference of arrayOf(config.references)) {
        const target = isRecord(reference) ? reference.path : undefined;
        // A project that has a folder of its own is found from the files in it.
        if (typeof target !== 'string' || !target.endsWith('.json')) continue;
        const referred = readJson(join(folder, target));
        if (isRecord(referred)) found.push(pathOptions(join(folder, target), referred, 0));
      }
      break;
    }
    this.#options.set(folder, found);
    return found;
  }
}

/** A folder and all folders above it. */
export function upwards(folder: string): string[] {
  const found: string[] = [];
  for (let at = folder; found.at(-1) !== at; at = dirname(at)) found.push(at);
  return found;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}

export const EXTENDS = 8;

/** The options of a config file over those that it extends. */
function pathOptions(path: string, config: Readonly<Record<string, unknown>>, depth: number): PathOptions {
  const folder = dirname(path);
  let options: PathOptions = { baseUrl: null, paths: [], pathsBase: folder, rootDir: null, outDir: null };
  for (const one of depth < EXTENDS ? arrayOf(config.extends) : []) {
    const base = typeof one === 'string' ? extended(folder, one) : null;
    if (base !== null) options = over(options, pathOptions(base.path, base.config, depth + 1));
  }
  const own = isRecord(config.compilerOptions) ? config.compilerOptions : {};
  const absolute = (value: unknown): string | null =>
    typeof value === 'string' ? join(folder, value.replace(/^\$\{configDir\}/, '.')) : null;
  const baseUrl = absolute(own.baseUrl) ?? options.baseUrl;
  return {
    baseUrl,
    ...(isRecord(own.paths)
      ? { paths: patternsOf(own.paths), pathsBase: baseUrl ?? folder }
      : { paths: options.paths, pathsBase: options.pathsBase }),
    rootDir: absolute(own.rootDir) ?? options.rootDir,
    outDir: absolute(own.outDir) ?? options.outDir,
  };
}

function over(first: PathOptions, second: PathOptions): PathOptions {
  const hasPaths = second.paths.length > 0;
  return {
    baseUrl: second.baseUrl ?? first.baseUrl,
    paths: hasPaths ? second.paths : first.paths,
    pathsBase: hasPaths ? second.pathsBase : first.pathsBase,
    rootDir: second.rootDir ?? first.rootDir,
    outDir: second.outDir ?? first.outDir,
  };
}

function patternsOf(paths: Readonly<Record<string, unknown>>): PathOptions['paths'] {
  return Object.entries(paths).flatMap(([pattern, targets]) => {
    const texts = Array.isArray(targets) ? targets.filter((one) => typeof one === 'string') : [];
    return texts.length === 0 ? [] : [[pattern, texts] as const];
  });
}

/** The config file that `extends` names: a path, or a file of a package. */
export function extended(
  folder: string,
  name: string,
): { readonly path: string; readonly config: Readonly<Record<string, unknown>> } | null {
  const isPath = name.startsWith('.') || isAbsolute(name);
  const bases = isPath ? [join(folder, name)] : upwards(folder).map((at) => join(at, 'node_modules', name));
  for (const base of bases) {
    for (const path of [base, `${base}.json`, join(base, 'tsconfig.json')]) {
      const config = path.endsWith('.json') ? readJson(path) : null;
      if (isRecord(config)) return { path, config };
    }
  }
  return null;
}

/** Reads JSON with comments and trailing commas, as compilers accept it; null where there is none. */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  return ts.parseConfigFileTextToJson(path, text).config ?? null;
}

function realOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

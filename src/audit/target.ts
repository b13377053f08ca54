import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { arrayOf, EXTENDS, extended, isRecord, readJson } from './code/manifests.js';
import type { RepairOptions } from './repair/lease.js';
import { isAtLeast } from './repair/versions.js';

/** The first version of Node that runs `await using` as it stands, and of TypeScript that compiles it. */
const NODE = '24.0.0';
const TYPESCRIPT = '5.2.0';

/**
 * The language features that a file can use, by the tsconfig.json, package.json and node_modules around it. If these
 * do not decide, `await using` is not available: a repair then uses try/finally.
 */
export function targetOf(path: string): RepairOptions {
  const folders = foldersAbove(path);
  const manifests = folders.flatMap((folder) => readManifest(join(folder, 'package.json')) ?? []);
  const versionOf = (name: string): string | null => {
    for (const folder of folders) {
      const installed = readManifest(join(folder, 'node_modules', name, 'package.json'))?.version;
      if (typeof installed === 'string') return installed;
    }
    const [range] = manifests.flatMap((one) => one.dependencies?.[name] ?? one.devDependencies?.[name] ?? []);
    return range === undefined ? null : leastOf(range);
  };
  const node = leastOf(manifests.find(({ engines }) => engines?.node !== undefined)?.engines?.node ?? '');
  const runsIt = node !== null && isAtLeast(node, NODE);
  if (!/\.[cm]?tsx?$/.test(path)) return { parsesUsing: runsIt, versionOf };
  const compiler = compilerOptionsFor(folders);
  const typescript = versionOf('typescript');
  const compilesIt = typescript === null ? null : isAtLeast(typescript, TYPESCRIPT);
  return { parsesUsing: compiler !== null && parses(compiler, compilesIt, runsIt), versionOf };
}

/** The language options of a tsconfig.json; names in lower case. */
interface LanguageOptions {
  readonly target: string | null;
  readonly lib: readonly string[] | null;
}

function parses({ target, lib }: LanguageOptions, compilesIt: boolean | null, runsIt: boolean): boolean {
  const namesIt = lib?.some((one) => one === 'esnext.disposable') === true;
  const hasTypes = namesIt || (lib?.includes('esnext') ?? target === 'esnext');
  // A compiler that knows the library file knows the syntax.
  if (!hasTypes || compilesIt === false || (compilesIt === null && !namesIt)) return false;
  // The newest target leaves the syntax as it is; others have it compiled away.
  return target === 'esnext' ? runsIt : true;
}

/** The options of the nearest tsconfig.json, with those that it extends. */
function compilerOptionsFor(folders: readonly string[]): LanguageOptions | null {
  for (const folder of folders) {
    const path = join(folder, 'tsconfig.json');
    if (!existsSync(path)) continue;
    const config = readJson(path);
    return isRecord(config) ? optionsOf(folder, config, 0) : null;
  }
  return null;
}

function optionsOf(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  depth: number,
): LanguageOptions {
  let options: LanguageOptions = { target: null, lib: null };
  for (const name of depth < EXTENDS ? arrayOf(config.extends) : []) {
    const base = typeof name === 'string' ? extended(folder, name) : null;
    if (base === null) continue;
    const below = optionsOf(dirname(base.path), base.config, depth + 1);
    options = { target: below.target ?? options.target, lib: below.lib ?? options.lib };
  }
  const own = isRecord(config.compilerOptions) ? config.compilerOptions : {};
  return {
    target: typeof own.target === 'string' ? own.target.toLowerCase() : options.target,
    lib: Array.isArray(own.lib) ? own.lib.map((one) => String(one).toLowerCase()) : options.lib,
  };
}

interface Manifest {
  readonly version?: unknown;
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function readManifest(path: string): Manifest | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null; // not there, or not for us to complain about
  }
}

/** The lowest version that a range allows: `>=20.19` is 20.19.0; null where that cannot be told. */
export function leastOf(range: string): string | null {
  const parts = range
    .split('||')
    .map((part) => /^\s*(?:[\^~]|>=)?\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(part));
  const versions = parts.map((found) =>
    found === null ? null : [found[1], found[2] ?? '0', found[3] ?? '0'].join('.'),
  );
  if (versions.some((one) => one === null)) return null;
  return versions.reduce(
    (least, one) => (least !== null && one !== null && isAtLeast(one, least) ? least : one),
    null,
  );
}

function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let at = dirname(path); folders.at(-1) !== at; at = dirname(at)) folders.push(at);
  return folders;
}

// Which compiled files belong to the library: found by following imports from the entry points of the manifest.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { initSync, parse } from 'es-module-lexer';

initSync();

/**
 * @typedef {object} Manifest
 * @property {Record<string, string>} dependencies
 * @property {Record<string, string>} optionalDependencies
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, string | Entry>} exports
 */

/** @typedef {{ require: { types: string, default: string }, types: string, default: string }} Entry */

/**
 * The entry points for programs.
 * @param {Manifest} manifest
 */
export function entriesOf(manifest) {
  return Object.values(manifest.exports).filter((entry) => typeof entry !== 'string');
}

/** Where a thread or process starts, and what the preload, which is CommonJS, loads. */
const OTHER =
  /\bnew URL\(\s*(['"])(\.[^'"\n]+)\1\s*,\s*import\.meta\.url|^\s*require\((['"])(\.[^'"\n]+)\3\)/gm;

/** @param {string} folder */
export function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/**
 * The imports of a compiled file.
 * @param {string} file
 */
export function importsOf(file) {
  const text = readFileSync(file, 'utf8');
  const specifiers = file.endsWith('.cjs')
    ? []
    : parse(text, file)[0].flatMap(({ n: name, s: start, e: end, d: dynamic }) =>
        name === undefined
          ? []
          : [{ name, start: dynamic > -1 ? start + 1 : start, end: dynamic > -1 ? end - 1 : end }],
      );
  const others = [...text.matchAll(OTHER)].map((match) => match[2] ?? match[4] ?? '');
  const packages = specifiers.filter(({ name }) => !/^(\.|node:)/.test(name));
  const relatives = [...specifiers.map(({ name }) => name), ...others].filter((name) => name.startsWith('.'));
  return { text, files: relatives.map((name) => join(dirname(file), name)), packages };
}

/**
 * All that is reached from the entry points, from the preload of `poolctl run`, and from files that start threads or
 * processes, which have to stay where they are.
 * @param {string} dist
 * @param {Manifest} manifest
 */
export function libraryFiles(dist, manifest) {
  const entries = entriesOf(manifest).map((entry) => join(dist, '..', entry.default));
  const placed = filesBelow(join(dist, 'src')).filter(
    (file) =>
      file.endsWith('.cjs') || (file.endsWith('.js') && /\bimport\.meta\b/.test(readFileSync(file, 'utf8'))),
  );
  return reachable([...entries, ...placed], (file) => importsOf(file).files);
}

/**
 * The declarations that the entry points need.
 * @param {string} dist
 * @param {Manifest} manifest
 */
export function typesOf(dist, manifest) {
  const entries = entriesOf(manifest).map((entry) => join(dist, '..', entry.types));
  return reachable(entries, (file) => importsOf(file).files.map((path) => path.replace(/\.js$/, '.d.ts')));
}

/**
 * @param {readonly string[]} roots
 * @param {(file: string) => readonly string[]} next
 */
function reachable(roots, next) {
  /** @type {Set<string>} */
  const seen = new Set();
  const left = [...roots];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (seen.has(file) || !/\.([cm]?js|d\.ts)$/.test(file) || !existsSync(file)) continue;
    seen.add(file);
    left.push(...next(file));
  }
  return seen;
}

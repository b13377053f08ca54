// The part of the TypeScript compiler that the audit uses, which is its parser: a tenth of the whole.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { importsOf } from './closure.mjs';

/** The name by which src/audit imports the compiler. */
export const COMPILER = 'ts-morph';

const PATH = createRequire(import.meta.url).resolve('typescript-6');

/**
 * The compiler as an ES module of the names in use, so that the bundler can leave the rest out.
 * @param {readonly string[]} used
 * @returns {import('esbuild').Plugin}
 */
export function compilerAsModule(used) {
  return {
    name: 'compiler',
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${COMPILER}$`) }, () => ({ path: PATH, namespace: 'compiler' }));
      build.onLoad({ filter: /.*/, namespace: 'compiler' }, () => ({
        contents: moduleOf(readFileSync(PATH, 'utf8'), used),
        resolveDir: PATH,
      }));
    },
  };
}

/**
 * Gives ts-blank-space, which strips types from config files, the compiler that is bundled for the audit.
 * @type {import('esbuild').Plugin}
 */
export const sharedCompiler = {
  name: 'shared-compiler',
  setup(build) {
    build.onResolve({ filter: /^typescript$/ }, () => ({ path: 'typescript', namespace: 'shared-compiler' }));
    build.onLoad({ filter: /.*/, namespace: 'shared-compiler' }, () => ({
      contents: `export { ts as default } from './${COMPILER}.js';`,
    }));
    build.onResolve({ filter: /.*/, namespace: 'shared-compiler' }, ({ path }) => ({ path, external: true }));
  },
};

/** The names that ts-blank-space takes from the compiler. */
function usesOfStripper() {
  const text = readFileSync(createRequire(import.meta.url).resolve('ts-blank-space'), 'utf8');
  const names = [...text.matchAll(/\btslib\.(\w+)/g)].map(([, name = '']) => name);
  if (names.length === 0) throw new Error('ts-blank-space no longer calls the compiler tslib');
  return names;
}

/**
 * The names that these files take from the compiler.
 * @param {Iterable<string>} files
 */
export function usesOfCompiler(files) {
  const used = new Set(usesOfStripper());
  for (const file of files) {
    const { packages, text } = importsOf(file);
    if (!packages.some(({ name }) => name === COMPILER)) continue;
    const other = /(?:[=(,:]|\.\.\.|return)\s*\bts\s*[;,)}\]]|\bts\s*\[/.exec(text);
    if (other !== null)
      throw new Error(`${file}: write ts.NAME, so that the build sees what is used: ${other[0]}`);
    for (const [, name = ''] of text.matchAll(/\bts\.(\w+)/g)) used.add(name);
  }
  return [...used].sort();
}

/** By its own path the compiler tells whether the file system minds case. */
const FILE_NAME =
  "import { fileURLToPath } from 'node:url';\nconst __filename = fileURLToPath(import.meta.url);\n";

/**
 * @param {string} text
 * @param {readonly string[]} used
 */
function moduleOf(text, used) {
  const begin = 'var ts = {}; ((module) => {\n"use strict";';
  const end = '// Annotate the CommonJS export names for ESM import in node:';
  const exported = '__export(typescript_exports, {';
  const [from, to, list] = [text.indexOf(begin), text.indexOf(end), text.indexOf(exported)];
  if (from < 0 || to < 0 || list < 0) throw new Error('typescript.js has another shape than expected');
  const listEnd = text.indexOf('});', list);
  const names = new Map(
    [...text.slice(list, listEnd).matchAll(/^ {2}(\w+): \(\) => (\w+)/gm)].map(([, name = '', own = '']) => [
      name,
      own,
    ]),
  );
  const body = text.slice(from + begin.length, list) + text.slice(listEnd + '});'.length, to);
  const members = used.filter((name) => names.has(name)).map((name) => `  ${name}: ${names.get(name)},`);
  return `${FILE_NAME}${withoutEffects(body)}\nexport const ts = {\n${members.join('\n')}\n};\n`;
}

/**
 * Says of what stands at the top level that it has no effect but its value. That is so for all that the parser needs;
 * what has one belongs to the language service and the server, which are left out.
 * @param {string} body
 */
function withoutEffects(body) {
  return (
    body
      .replace(/^module\.exports = .*$/m, '')
      // What a namespace object holds is known to the bundler only if it is an initial value.
      .replace(/^var (\w+) = \{\};\n__export\(\1, \{$/gm, 'var $1 = /* @__PURE__ */ __exported({')
      .replace(
        /^var __export = /m,
        'var __exported = (all) => { const target = {}; __export(target, all); return target; };\nvar __export = ',
      )
      // var A; ((A2) => { ... })(A || (A = {}));
      .replace(
        /^var (\w+);\n\(\((\w+)\) => \{\n([\s\S]*?)^\}\)\(\1 \|\| \(\1 = \{\}\)\);$/gm,
        'var $1 = /* @__PURE__ */ (($2) => {\n$3return $2;\n})({});',
      )
      // Registries of the language service.
      .replace(/^register(?:CodeFix|Refactor)\(.*?^\}\);$/gms, '')
      .replace(
        /^_(?:AutoImportProviderProject|ProjectService|ScriptVersionCache|TextStorage)\.[\s\S]*?;$/gm,
        '',
      )
      .replace(/^((?:var|let|const) \w+ = )(?=(?:new )?[\w.]+\()/gm, '$1/* @__PURE__ */ ')
  );
}

import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import * as esbuild from 'esbuild';
import { filesBelow } from './closure.mjs';
import { compilerAsModule, sharedCompiler, usesOfCompiler } from './compiler.mjs';
import { inkForTop } from './ink.mjs';

/** What a bundled CommonJS package calls for modules of Node; of others it has none. */
const REQUIRE = `function require(name) {
  const found = process.getBuiltinModule(name);
  if (found === undefined) throw Object.assign(new Error(\`Cannot find module '\${name}'\`), { code: 'MODULE_NOT_FOUND' });
  return found;
}`;

/** @type {import('esbuild').BuildOptions} */
const COMMON = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  metafile: true,
  logLevel: 'warning',
  legalComments: 'none',
  banner: { js: REQUIRE },
  // Says that it is an ES module where nothing else does.
  footer: { js: 'export {};' },
  // React and Ink come without their checks for developers.
  define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '"false"' },
};

/**
 * Bundles each of these packages into a file of dist/vendor. Returns the files that went in.
 * @param {{ dist: string, library: ReadonlySet<string>, vendored: readonly string[] }} options
 */
export async function bundleVendored({ dist, library, vendored }) {
  const { metafile } = await esbuild.build({
    ...COMMON,
    entryPoints: Object.fromEntries(vendored.map((name) => [name, name])),
    outdir: join(dist, 'vendor'),
    absWorkingDir: join(dist, '..'),
    minify: true,
    // The repairs of the command line use the compiler too, though no door of the library leads to them.
    plugins: [
      sharedCompiler,
      compilerAsModule(
        usesOfCompiler(
          new Set([
            ...library,
            ...filesBelow(join(dist, 'src/audit')).filter((file) => file.endsWith('.js')),
          ]),
        ),
      ),
    ],
  });
  return Object.keys(/** @type {esbuild.Metafile} */ (metafile).inputs);
}

/**
 * Bundles what the preload of `poolctl run` requires into one CommonJS file beside it.
 * @param {string} dist
 */
export async function bundlePreload(dist) {
  for (const name of ['register', 'attach/attached']) {
    await esbuild.build({
      ...COMMON,
      banner: { js: "const ownUrl = require('node:url').pathToFileURL(__filename).href;" },
      footer: {},
      define: { 'import.meta.url': 'ownUrl' },
      format: 'cjs',
      entryPoints: [join(dist, `src/watch/${name}.js`)],
      outfile: join(dist, `src/watch/${name}.cjs`),
    });
  }
}

/**
 * Bundles the parser of Python into a CommonJS file beside what requires it: only an audit that meets Python loads it.
 * Returns the files that went in.
 * @param {string} dist
 */
export async function bundlePythonParser(dist) {
  const { metafile } = await esbuild.build({
    ...COMMON,
    banner: {},
    footer: {},
    format: 'cjs',
    minify: true,
    absWorkingDir: join(dist, '..'),
    entryPoints: ['@lezer/python'],
    outfile: join(dist, 'src/audit/languages/python/lezer.cjs'),
  });
  return Object.keys(/** @type {esbuild.Metafile} */ (metafile).inputs);
}

/**
 * Bundles the command line, from the compiled files of bin and what these import. Returns the files that went in.
 * @param {{ dist: string, library: ReadonlySet<string>, installed: ReadonlySet<string>, vendored: readonly string[] }} options
 */
export async function bundleCommandLine({ dist, library, installed, vendored }) {
  const bin = join(dist, 'bin');
  const { metafile } = await esbuild.build({
    ...COMMON,
    entryPoints: ['poolctl', 'process-edge', 'pgbouncer-guard', 'attach-hand'].map((name) =>
      join(bin, `${name}.js`),
    ),
    splitting: true,
    outdir: bin,
    absWorkingDir: join(dist, '..'),
    allowOverwrite: true,
    external: [...installed],
    plugins: [
      {
        name: 'library',
        setup(build) {
          build.onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
            if (!resolveDir.startsWith(dist)) return null;
            const file = join(resolveDir, path);
            return library.has(file)
              ? { path: slashes(relative(bin, file)), external: true }
              : { path: file, sideEffects: true };
          });
          build.onResolve({ filter: /^[^.]/ }, ({ path }) =>
            vendored.includes(path) ? { path: `../vendor/${path}.js`, external: true } : null,
          );
        },
      },
      lazyChildProcess,
      shellInOneChunk,
      inkForTop,
    ],
  });
  return Object.keys(/** @type {esbuild.Metafile} */ (metafile).inputs);
}

/**
 * commander loads node:child_process for subcommands that are programs, which poolctl has none of. It is a quarter of
 * what `poolctl --help` costs.
 * @type {esbuild.Plugin}
 */
const lazyChildProcess = {
  name: 'lazy-child-process',
  setup(build) {
    build.onLoad({ filter: /commander[\\/]lib[\\/]command\.js$/ }, ({ path }) => {
      const line = "const childProcess = require('node:child_process');";
      const text = readFileSync(path, 'utf8');
      if (!text.includes(line)) throw new Error(`commander no longer has the line: ${line}`);
      return {
        contents: text.replace(line, "const childProcess = { spawn() { throw new Error('unused'); } };"),
      };
    });
  },
};

/**
 * Every command imports all of the shell, so that the shell is one chunk and not one for each set of commands that use
 * a part of it: `poolctl --help` loads half as many files.
 * @type {esbuild.Plugin}
 */
const shellInOneChunk = {
  name: 'shell',
  setup(build) {
    build.onLoad({ filter: /[\\/]dist[\\/]commands[\\/][\w-]+\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      return { contents: path.endsWith('index.js') ? text : `import '../src/cli/main.js';\n${text}` };
    });
  },
};

/** @param {string} path */
function slashes(path) {
  return path.replaceAll('\\', '/');
}

// `npm run build`: compiles to dist, then makes the command line start quickly and install light.
//
// - dist/src: the library, one file per source file. Its packages are the dependencies that an application shares with
//   it, such as pg and ws. Any other package that it uses is bundled into dist/vendor.
// - dist/bin: the command line, a chunk per command with its packages in it. It imports the library from dist/src, so
//   that every class exists once.
// - dist/.npmignore: the compiled files that neither of them needs. Tests and benches use them.
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bundleCommandLine, bundlePreload, bundlePythonParser, bundleVendored } from './build/bundle.mjs';
import { filesBelow, importsOf, libraryFiles, typesOf } from './build/closure.mjs';
import { noticesOf } from './build/notices.mjs';
import { completeTypes } from './build/types.mjs';
import { writeWrappers } from './build/wrappers.mjs';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
/** @type {import('./build/closure.mjs').Manifest} */
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

rmSync(dist, { recursive: true, force: true });
const compiler = spawnSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
if (compiler.status !== 0) process.exit(compiler.status ?? 1);

const installed = new Set(
  Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies }),
);
await bundlePreload(dist);
const parser = await bundlePythonParser(dist);
const library = libraryFiles(dist, manifest);
const vendored = [
  ...new Set([...library].flatMap((file) => importsOf(file).packages.map(({ name }) => name))),
]
  .filter((name) => !installed.has(name))
  .sort();

const inputs = [
  ...parser,
  ...(await bundleVendored({ dist, library, vendored })),
  ...(await bundleCommandLine({ dist, library, installed, vendored })),
];
for (const file of library) {
  const { text, packages } = importsOf(file);
  const changed = packages.reduceRight((code, { name, start, end }) => {
    if (!vendored.includes(name)) return code;
    const path = relative(join(file, '..'), join(dist, 'vendor', `${name}.js`)).replaceAll('\\', '/');
    return `${code.slice(0, start)}${path}${code.slice(end)}`;
  }, text);
  if (changed !== text) writeFileSync(file, changed);
}

writeFileSync(join(dist, 'THIRD-PARTY-NOTICES.txt'), noticesOf(inputs));
const types = typesOf(dist, manifest);
completeTypes(types);
const needed = new Set([...library, ...types, ...writeWrappers(dist, manifest)]);
const unneeded = filesBelow(dist)
  .filter(
    (file) => /^(src|commands)\//.test(relative(dist, file).replaceAll('\\', '/')) || file.endsWith('.d.ts'),
  )
  .filter((file) => !needed.has(file))
  .map((file) => `/${relative(dist, file).replaceAll('\\', '/')}\n`);
writeFileSync(join(dist, '.npmignore'), unneeded.join(''));
chmodSync(join(dist, 'bin/poolctl.js'), 0o755);

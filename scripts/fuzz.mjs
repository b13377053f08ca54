// Runs the parsers of test/fuzz on changed inputs: `npm run fuzz -- [PARSER...] [--inputs N] [--seed S]`. The parsers are
// bundled from the source, so no build is needed, and run in a process of their own, which a parser that hangs cannot stop.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
// Below the root, so that packages are found.
const folder = await mkdtemp(join(root, 'node_modules/.fuzz-'));
try {
  const outfile = join(folder, 'main.mjs');
  await build({
    entryPoints: [join(root, 'test/fuzz/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  const argv = ['--enable-source-maps', outfile, ...process.argv.slice(2)];
  const child = spawn(process.execPath, argv, { stdio: 'inherit' });
  const [code] = await once(child, 'close');
  process.exitCode = code ?? 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

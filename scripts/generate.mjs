// `npm run generate`: writes what is derived from the code and committed, after `npm run build`. A test compares the files.
//
// - schemas/*.json: the JSON Schemas of the config file and of every document that a command prints as JSON
// - src/config/options.ts: the type of a config, for `defineConfig`
// - man/poolctl.1: the manual page
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from './generate/files.mjs';

const root = join(import.meta.dirname, '..');
const [{ commands }, { catalogOf }] = await Promise.all([
  import(join(root, 'dist/commands/index.js')),
  import(join(root, 'dist/src/cli/catalog.js')),
]);
const { description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
for (const [name, text] of Object.entries(generatedFiles(await catalogOf(commands), description))) {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), text);
}

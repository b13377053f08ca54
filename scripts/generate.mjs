// `npm run generate`: writes what is derived from the code and committed, after `npm run build`. A test compares the files.
//
// - schemas/*.json: the JSON Schemas of the config file and of every document that a command prints as JSON
// - src/config/options.ts: the type of a config, for `defineConfig`
// - man/poolctl.1: the manual page
// - docs/reference: the pages of commands, options, checks, causes, leak rules, metrics, exit codes and JSON documents
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from './generate/files.mjs';

const root = join(import.meta.dirname, '..');
const built = (/** @type {string} */ path) => import(join(root, 'dist', path));
const [
  { commands },
  { catalogOf },
  { CHECKS },
  { CAUSES },
  { RULES },
  { RESOURCES },
  { PYTHON_RESOURCES },
  { TABLE },
] = await Promise.all([
  built('commands/index.js'),
  built('src/cli/catalog.js'),
  built('src/doctor/registry.js'),
  built('src/diagnosis/registry.js'),
  built('src/audit/rules.js'),
  built('src/audit/resources/index.js'),
  built('src/audit/languages/python/resources.js'),
  built('src/metrics/table.js'),
]);
const { description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const rules = Object.entries(RULES).map(([id, { title }]) => ({ id, title }));
const files = generatedFiles(await catalogOf(commands), description, {
  checks: CHECKS,
  causes: CAUSES,
  rules,
  resources: [...RESOURCES, ...PYTHON_RESOURCES],
  metrics: TABLE,
});
// A command that is gone leaves no page behind.
rmSync(join(root, 'docs/reference/commands'), { recursive: true, force: true });
for (const [name, text] of Object.entries(files)) {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), text);
}

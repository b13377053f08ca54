// The pages of the library API, from the docstrings of every entry point of the package.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const sources = Object.entries(exports)
  .filter(([key, one]) => typeof one === 'object' && key !== './register')
  .map(([, { default: path }]) => join(root, path.replace('./dist/', '').replace(/\.js$/, '.ts')));

/** @type {Partial<import('typedoc').TypeDocOptions> & import('typedoc-plugin-markdown').PluginOptions} */
export default {
  entryPoints: sources,
  tsconfig: join(import.meta.dirname, 'tsconfig.json'),
  plugin: ['typedoc-plugin-markdown'],
  out: join(import.meta.dirname, 'pages/api'),
  name: 'Library API',
  readme: 'none',
  entryFileName: 'index',
  hideBreadcrumbs: true,
  hidePageHeader: true,
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  disableSources: true,
  githubPages: false,
  logLevel: 'Error',
  validation: false,
  sanitizeComments: true,
  useCodeBlocks: true,
};

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRecord, type Manifest } from './manifests.js';

/** A prefix of import specifiers, and the absolute path that it stands for. */
export interface Alias {
  readonly name: string;
  readonly path: string;
}

const CONFIGS = ['vite', 'vitest', 'svelte', 'webpack', 'nuxt', 'astro', 'rollup', 'electron.vite'].flatMap(
  (tool) => ['ts', 'js', 'mjs', 'cjs', 'mts'].map((ending) => `${tool}.config.${ending}`),
);

/**
 * The aliases that a package's bundler defines. Its config is a program: read are the entries that join a literal path
 * to the folder of the config, which is how nearly all are written.
 */
export function aliasesIn(folder: string, manifest: Manifest): readonly Alias[] {
  return [...ofManifest(folder, manifest), ...CONFIGS.flatMap((name) => ofConfig(folder, name))];
}

function ofManifest(folder: string, { _moduleAliases: aliases }: Manifest): Alias[] {
  if (!isRecord(aliases)) return [];
  return Object.entries(aliases).flatMap(([name, path]) =>
    typeof path === 'string' ? [{ name, path: join(folder, path) }] : [],
  );
}

/** `'@': path.resolve(__dirname, './src')`, `'@': fileURLToPath(new URL('./src', import.meta.url))`, `$db: './src/db'`. */
const ENTRY =
  /(?:['"]([@~$#\w/.-]+)['"]|([$\w]+))\s*:\s*(?:(?:path\.)?(?:resolve|join)\(\s*(?:__dirname|import\.meta\.dirname)\s*,\s*|(?:fileURLToPath\()?\s*new URL\(\s*)?['"](\.{1,2}\/[^'"]*|src\/[^'"]*)['"]/g;

function ofConfig(folder: string, name: string): Alias[] {
  let text: string;
  try {
    text = readFileSync(join(folder, name), 'utf8');
  } catch {
    return []; // the package does not use this tool
  }
  const found: Alias[] = [];
  for (const start of text.matchAll(/\balias\s*:\s*\{/g)) {
    const block = text.slice(start.index, text.indexOf('}', start.index));
    for (const [, quoted, plain, target = ''] of block.matchAll(ENTRY)) {
      const alias = quoted ?? plain;
      if (alias !== undefined && alias !== 'alias')
        found.push({ name: alias.replace(/\/\*$/, ''), path: join(folder, target.replace(/\/\*$/, '')) });
    }
  }
  // SvelteKit has this one without being told.
  if (name.startsWith('svelte.')) found.push({ name: '$lib', path: join(folder, 'src/lib') });
  return found;
}

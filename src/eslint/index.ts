/** The ESLint plug-in: `poolctl/eslint`. */
import { readFileSync } from 'node:fs';
import { noLeakedLease, noLeaseMisuse, noPoolPerCall } from './rules.js';
import type { RuleModule } from './types.js';

export type { PluginOptions } from './options.js';
export type { Fix, Fixer, Position, Report, RuleContext, RuleModule } from './types.js';

/** A level, with options or without. */
export type RuleEntry = 'off' | 'warn' | 'error' | ['warn' | 'error', Record<string, unknown>];

/** A config of ESLint. */
export interface PluginConfig {
  name: string;
  plugins: Record<string, Plugin>;
  rules: Record<string, RuleEntry>;
}

export interface Plugin {
  readonly meta: { readonly name: string; readonly version: string; readonly namespace: string };
  readonly rules: Record<string, RuleModule>;
  readonly configs: { readonly recommended: PluginConfig; readonly strict: PluginConfig };
}

/** Its name and version, which ESLint's cache depends on. */
export const meta: Plugin['meta'] = { name: 'poolctl', version: versionOf(), namespace: 'poolctl' };

export const rules: Plugin['rules'] = {
  'no-leaked-lease': noLeakedLease,
  'no-lease-misuse': noLeaseMisuse,
  'no-pool-per-call': noPoolPerCall,
};

/**
 * `recommended` reports what fails a run of `poolctl audit-leaks`, and pools that are made per call as warnings. `strict`
 * also reports notes, as `--notes --severity note` does.
 */
export const configs: Plugin['configs'] = {
  recommended: configOf('recommended', {
    'poolctl/no-leaked-lease': 'error',
    'poolctl/no-lease-misuse': 'error',
    'poolctl/no-pool-per-call': 'warn',
  }),
  strict: configOf('strict', {
    'poolctl/no-leaked-lease': ['error', { notes: true }],
    'poolctl/no-lease-misuse': ['error', { notes: true }],
    'poolctl/no-pool-per-call': 'error',
  }),
};

const plugin: Plugin = { meta, rules, configs };
export default plugin;

// A config contains the plug-in that it is part of.
for (const config of [configs.recommended, configs.strict]) config.plugins.poolctl = plugin;

function configOf(name: string, levels: Record<string, RuleEntry>): PluginConfig {
  return { name: `poolctl/${name}`, plugins: {}, rules: levels };
}

function versionOf(): string {
  const manifest: { readonly version?: unknown } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  );
  return String(manifest.version ?? '0');
}

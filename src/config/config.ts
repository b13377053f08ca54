import type { PoolctlConfig } from './options.js';

/**
 * Types the config in `poolctl.config.ts` or `poolctl.config.mjs`; changes nothing.
 *
 *     import { defineConfig } from 'poolctl';
 *     export default defineConfig({ loadtest: { poolSize: 5, poolTimeout: '10s' } });
 */
export function defineConfig(config: PoolctlConfig): PoolctlConfig {
  return config;
}

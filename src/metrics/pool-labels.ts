import type { MeteredPool } from './metered-pool.js';

/** Beside `source`. */
export const POOL_LABELS = ['app', 'pool_name'] as const;

export function poolLabels({ app, name }: Pick<MeteredPool, 'app' | 'name'>): readonly string[] {
  return [app?.name ?? '', name];
}

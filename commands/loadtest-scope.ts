import type { Scope } from '../src/cli/options.js';
import type { TargetKind } from '../src/loadtest/workloads/registry.js';

export const DATABASES: readonly TargetKind[] = ['temporary', 'sqlite', 'postgres'];
/** Targets that receive iterations. A feed sends by itself. */
export const LOADED: readonly TargetKind[] = [...DATABASES, 'http'];

export const TEST_TYPES = ['concurrent', 'burst', 'rate', 'ramp'] as const;
export const ENGINES = ['pool', 'autocannon'] as const;

/** What an option of the load test applies to. Left out: to all. */
export interface LoadScope {
  readonly target?: readonly TargetKind[];
  readonly testType?: readonly (typeof TEST_TYPES)[number][];
  readonly engine?: readonly (typeof ENGINES)[number][];
}

export function on(scope: LoadScope): Scope {
  return { ...scope };
}

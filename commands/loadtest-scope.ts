import type { Scope } from '../src/cli/options.js';
import type { TargetKind } from '../src/loadtest/workloads/registry.js';

export const DATABASES: readonly TargetKind[] = ['temporary', 'sqlite', 'postgres', 'mysql'];
/** Databases behind a server. */
export const SERVERS: readonly TargetKind[] = ['postgres', 'mysql'];
/** Targets that receive iterations. A feed sends by itself. */
export const POOLED: readonly TargetKind[] = [...DATABASES, 'http'];
/** The same, with what brings a pool of its own. */
export const LOADED: readonly TargetKind[] = [...POOLED, 'module'];

export const TEST_TYPES = ['concurrent', 'burst', 'rate', 'ramp'] as const;
export const ENGINES = ['pool', 'wire', 'autocannon'] as const;
/** Engines that go through the load model of poolctl itself. */
export const MODELED: readonly (typeof ENGINES)[number][] = ['pool', 'wire'];

/** The targets of an option of the load test. Left out: all. */
export interface LoadScope {
  readonly target?: readonly TargetKind[];
  readonly testType?: readonly (typeof TEST_TYPES)[number][];
  readonly engine?: readonly (typeof ENGINES)[number][];
}

export function on(scope: LoadScope): Scope {
  return { ...scope };
}

import type { WarmupPlan } from '../src/loadtest/api.js';
import { concurrencyOf } from '../src/loadtest/models.js';
import type { ModelInfo } from '../src/loadtest/result.js';
import type { PoolSize } from '../src/loadtest/workloads/sqlite.js';
import { isManyRuns, type LoadContext } from './loadtest-options.js';
import { MOST_AT_ONCE, type Warmup } from './loadtest-values.js';

/** How long a load goes on where neither a number of queries nor a duration is given. */
const DEFAULT_DURATION_MS = 5000;
/** Each of the many runs of a sweep. */
const SWEEP_DURATION_MS = 2000;

/** Without --warmup. */
const DEFAULT_WARMUP_MS = 1000;

/** An open load warms up with a closed one, of no more workers than connections; this if those are without limit. */
const MOST_WARMING = 1000;

/** The load that the options describe, whole. */
export function modelOf({ options, origins }: LoadContext): ModelInfo {
  switch (options.testType) {
    case 'concurrent':
      return { kind: 'closed', workers: options.numWorkers };
    case 'burst': {
      const isEndless = options.duration !== null && origins.numBursts.kind === 'default';
      const count = isEndless ? null : options.numBursts;
      return { kind: 'burst', size: options.burstSize, count, intervalMs: options.burstInterval };
    }
    case 'rate':
      return { kind: 'rate', perSecond: options.rate, maxInFlight: options.maxInFlight };
    case 'ramp':
      return {
        kind: 'ramp',
        fromPerSecond: options.rateFrom,
        toPerSecond: options.rateTo,
        stepPerSecond: options.rateStep,
        stepMs: options.stepDuration,
        limits: { p99Ms: options.breakP99, waitP99Ms: options.breakWait },
        maxInFlight: options.maxInFlight,
      };
  }
}

/** When it ends. */
export function limitsOf(options: LoadContext['options'], model: ModelInfo) {
  const { numQueries, duration } = options;
  if (model.kind === 'ramp') return { iterations: null, durationMs: null };
  if (model.kind === 'burst') return { iterations: null, durationMs: duration };
  const unasked = isManyRuns(options) ? SWEEP_DURATION_MS : DEFAULT_DURATION_MS;
  return { iterations: numQueries, durationMs: duration ?? (numQueries === null ? unasked : null) };
}

export function warmupOf(
  given: Warmup | null,
  model: ModelInfo,
  { size, maxOverflow }: PoolSize,
): WarmupPlan | null {
  // By itself it lasts until connections are no longer being opened, so that a start is not taken for the steady state.
  const warmup = given ?? { durationMs: DEFAULT_WARMUP_MS, settleMs: 10_000 };
  const limits = { iterations: null, durationMs: null, settleMs: null, ...warmup };
  if (limits.iterations === 0 || limits.durationMs === 0) return null;
  const places = maxOverflow < 0 ? MOST_AT_ONCE : size + maxOverflow;
  const workers = model.kind === 'closed' ? model.workers : Math.min(concurrencyOf(model) ?? places, places);
  return { workers: Math.min(workers, MOST_WARMING), ...limits };
}

/** How long the warm-up takes, as far as that is known. */
export function warmupMs(context: LoadContext, pool: PoolSize): number {
  const warmup = warmupOf(context.options.warmup, modelOf(context), pool);
  return warmup === null ? 0 : (warmup.durationMs ?? DEFAULT_WARMUP_MS);
}

import { Aggregator } from '../../src/loadtest/aggregate.js';
import { createModel } from '../../src/loadtest/models.js';
import type { PoolFigures, PoolInfo, ServerFigures } from '../../src/loadtest/result.js';
import type { Measured } from '../../src/loadtest/thresholds.js';
import { sampleOf } from './helpers.js';

interface Shape {
  readonly responsesMs: readonly number[];
  /** How much of each response was waiting. */
  readonly waitShare: number;
  /** Failures by code; each took 1 ms. */
  readonly errors: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
}

/** The measured part of a result, of iterations that all began at 0. */
export function resultLike({ responsesMs, waitShare, errors, elapsedMs }: Shape): Measured {
  const aggregator = new Aggregator(createModel({ kind: 'closed', workers: 10 }));
  for (const [errorCode, count] of Object.entries(errors)) {
    for (let i = 0; i < count; i++) {
      aggregator.record(sampleOf({ acquiredMs: null, endedMs: 1, errorCode }), `failed with ${errorCode}`);
    }
  }
  for (const endedMs of [...responsesMs].sort((a, b) => a - b)) {
    aggregator.record(sampleOf({ acquiredMs: endedMs * waitShare, endedMs }));
  }
  const started = aggregator.ended;
  return {
    measurements: aggregator.finish({ elapsedMs, started, abandoned: 0, dropped: 0 }),
    pool: { options: POOL, figures: FIGURES },
  };
}

/** A server of which nothing was seen. */
export const UNSEEN: ServerFigures = {
  version: null,
  connections: null,
  backends: null,
  transactions: null,
  pgbouncer: null,
  course: [],
  gaps: [],
};

export const POOL: PoolInfo = {
  profile: 'sqlite',
  size: 10,
  maxOverflow: 20,
  timeoutMs: 10_000,
  recycleMs: 600_000,
  prePing: true,
};

export const FIGURES: PoolFigures = {
  name: 'sqlite',
  size: 10,
  maxOverflow: 20,
  acquired: 1000,
  created: 2,
  createdBefore: 9,
  createFailed: 0,
  destroyed: 1,
  peakOverflow: 1,
  peakInUse: 11,
  peakWaiting: 7,
  waited: 300,
  timedOut: 4,
  recycled: 0,
  invalidated: 0,
  pingFailed: 0,
  resetFailed: 0,
  leaked: 0,
};

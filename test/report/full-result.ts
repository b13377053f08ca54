import type { LoadResult, StageRow } from '../../src/loadtest/result.js';
import { comparable } from '../loadtest/comparable.js';

/** A result that has something of everything. */
export function fullResult(): LoadResult {
  const result = comparable({ stretches: 12, perSecond: 900, waitMs: 4, failedShare: 0.02 });
  const { measurements } = result;
  const rows = measurements.timeline.rows.map((row, at) =>
    at === 2 ? { ...row, succeeded: 0, meanMs: null, p50Ms: null, p99Ms: null, waitMeanMs: null } : row,
  );
  return {
    ...result,
    model: { kind: 'burst', size: 100, count: 3, intervalMs: 4000 },
    partial: 'interrupted',
    warmup: { iterations: 500, failed: 0, elapsedMs: 1000 },
    verdict: {
      band: 'bad',
      reason: 'success 98.0 % (good above 99 %, bad below 95 %).',
      criteria: [
        criterion('success', 'success', 0.98, 'share', 'marginal', 'good above 99 %, bad below 95 %'),
        criterion('p99', 'p99 response', 1234, 'ms', 'bad', 'good below 500 ms, bad above 1 s'),
        {
          ...criterion(
            'wait-trend',
            'rise of waits',
            null,
            'factor',
            null,
            'bad if they double over the run',
          ),
          why: 'the run is too short to tell',
        },
      ],
    },
    thresholds: [
      { expression: 'p99<250ms', actual: 1234, unit: 'ms', passed: false },
      { expression: 'success>=95%', actual: 0.98, unit: 'share', passed: true },
    ],
    measurements: {
      ...measurements,
      response: {
        ...measurements.response,
        ...{ count: 1000, minMs: 1.2, p90Ms: 22.5, p95Ms: 26, p999Ms: 900, maxMs: 1240 },
        bucketsUs: [
          [1500, 100],
          [4000, 300],
          [8000, 350],
          [20_000, 200],
          [90_000, 49],
          [1_239_039, 1],
        ],
      },
      failure: { ...measurements.failure, count: 20, meanMs: 10_001, p50Ms: 10_000, maxMs: 10_020 },
      errors: [
        { code: 'ERR_POOL_TIMEOUT', count: 19, example: "acquire timed out after 10,000 ms: pool 'sqlite'" },
        { code: 'SQLITE_BUSY', count: 1, example: 'database is locked' },
      ],
      timeline: { ...measurements.timeline, rows },
      stages: [
        stage({ index: 0, targetPerSecond: 100, held: true }),
        stage({ index: 1, targetPerSecond: 200, held: false, why: '2.0 % failed' }),
        stage({ index: 2, targetPerSecond: 300, held: null }),
      ],
      bursts: [0, 1, 2].map((index) => ({
        ...{ index, atMs: index * 4000, size: 100, failed: index, p50Ms: 8, p99Ms: 30 + index, maxMs: 40 },
        ...{ waitMeanMs: 3, drainMs: index === 2 ? null : 55, overran: index === 1 },
      })),
    },
    server: {
      version: '18.4',
      connections: { most: 60, reserved: 3, used: 5, left: 12, narrowest: 'role' },
      backends: {
        samples: 24,
        states: [
          { state: 'active', mean: 3.84, most: 9 },
          { state: 'idle', mean: 2, most: 2 },
          { state: 'idle in transaction', mean: 0.25, most: 1 },
        ],
        waits: [
          { event: null, share: 0.71 },
          { event: 'Lock:transactionid', share: 0.24 },
          { event: 'LWLock:WALWrite', share: 0.05 },
        ],
      },
      transactions: { spanMs: 13_204, committed: 11_530, rolledBack: 24, own: 11_550, activeMs: 45_123.4 },
      pgbouncer: {
        version: 'PgBouncer 1.18.0',
        poolMode: 'transaction',
        poolSize: 8,
        clients: { most: 100, used: 2 },
        samples: 24,
        waiting: { mean: 3.8, most: 16 },
        longestWaitMs: 13.7,
        serverActive: { mean: 7.6, most: 8 },
        serverIdle: { mean: 0.4, most: 2 },
        transactions: 11_037,
        waitMeanMs: 4.76,
      },
      course: [0, 1, 2, 3].map((second) => ({
        ...{ atMs: second * 1000, active: 3 + second, idle: 2, inTransaction: second === 2 ? 1 : 0 },
        queued: second === 3 ? null : second * 5,
      })),
      gaps: ['transactions: nobody knows why'],
    },
    client: {
      ...result.client,
      bottleneck: { limit: 'pool', sentence: 'The pool was the limit: iterations waited 4.00 ms.' },
    },
    advice: [
      { text: 'More connections would shorten the wait.', options: '--pool-size 20' },
      { text: 'Look at the timeouts first.', options: null },
    ],
  };
}

const EVIL = `</style><script>alert(1)</script><img src=x onerror="a()"> a|b \`c\` *d* \u001b[31m\u0000\ud800 "'&`;

/** The same with text from outside that wants to be more than text. */
export function hostileResult(): LoadResult {
  const result = fullResult();
  return {
    ...result,
    workload: { ...result.workload, target: EVIL, work: EVIL, statements: [EVIL] },
    environment: { ...result.environment, platform: EVIL },
    thresholds: [{ expression: EVIL, actual: null, unit: 'ms', passed: false }],
    measurements: { ...result.measurements, errors: [{ code: `ERR ${EVIL}`, count: 1, example: EVIL }] },
    client: { ...result.client, bottleneck: { limit: 'client', sentence: EVIL } },
    server: result.server && { ...result.server, version: EVIL, gaps: [EVIL] },
    advice: [{ text: EVIL, options: null }],
  };
}

type Criterion = LoadResult['verdict']['criteria'][number];

function criterion(
  id: string,
  title: string,
  value: number | null,
  unit: Criterion['unit'],
  band: Criterion['band'],
  bounds: string,
): Criterion {
  return { id, title, value, unit, band, bounds, good: bounds, why: null };
}

function stage(more: Partial<StageRow>): StageRow {
  return {
    ...{ index: 0, atMs: 0, targetPerSecond: 100, due: 200, failed: 4, dropped: 0, unfinished: 0 },
    ...{
      throughputPerSecond: 99.5,
      p50Ms: 8,
      p99Ms: 31,
      waitMeanMs: 2,
      waitP99Ms: 12,
      held: null,
      why: null,
    },
    ...more,
  };
}

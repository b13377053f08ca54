import { describe, expect, it } from 'vitest';
import type { LoadPlan, WorkloadRun } from '../../src/loadtest/api.js';
import { createModel } from '../../src/loadtest/models.js';
import type { ModelInfo } from '../../src/loadtest/result.js';
import { runLoad } from '../../src/loadtest/runner.js';
import { judgeThresholds, parseThreshold } from '../../src/loadtest/thresholds.js';
import { endingWords, hasPassed, judge, unjudged } from '../../src/loadtest/verdict.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { serviceOn, uninterrupted } from './helpers.js';
import { FIGURES, POOL } from './results.js';

const MODELS: Readonly<Record<string, ModelInfo>> = {
  closed: { kind: 'closed', workers: 10 },
  rate: { kind: 'rate', perSecond: 100, maxInFlight: 1000 },
  burst: { kind: 'burst', size: 10, count: null, intervalMs: 200 },
  ramp: {
    ...{ kind: 'ramp', fromPerSecond: 10, toPerSecond: 40, stepPerSecond: 10, stepMs: 2000 },
    ...{ limits: { p99Ms: 500, waitP99Ms: 100 }, maxInFlight: 1000 },
  },
};

function planOf(model: ModelInfo, plan: Partial<LoadPlan> = {}): LoadPlan {
  return { model: createModel(model), iterations: null, durationMs: 8000, warmup: null, ...plan };
}

/** A service that stops answering at a time, for good. */
function silentFrom(clock: VirtualClock, atMs: number, places = 5): WorkloadRun {
  const run = serviceOn(clock, { places, serviceMs: () => (clock.now() < atMs ? 5 : 1e9) });
  return run;
}

describe('a run whose target stops answering', () => {
  it.each(Object.entries(MODELS))('ends, and says when it was: %s', async (kind, model) => {
    const clock = new VirtualClock();
    const options = { ...uninterrupted(clock), drainTimeoutMs: 3000 };
    const plan = planOf(model, kind === 'ramp' ? { durationMs: null, iterations: 200 } : {});
    const { measurements } = await clock.run(runLoad(silentFrom(clock, 4200), plan, options));
    expect(measurements.abandoned).toBeGreaterThan(0);
    expect(measurements.started).toBe(measurements.succeeded + measurements.failed + measurements.abandoned);
    expect(measurements.elapsedMs).toBeLessThan(8000 + 3000 + 200);
    expect(measurements.silentFromMs).toBeGreaterThan(3900);
    expect(measurements.silentFromMs).toBeLessThan(4210);
    expect(endingWords(measurements)).toMatch(/^The server stopped answering after 4\.\d* s; \d+ iterations/);
    const verdict = judge({ measurements, simple: true, model });
    expect(verdict.band).toBe('bad');
    expect(verdict.reason).toContain('stopped answering');
  });

  it('ends also where only a number of iterations would end it, and in the warm-up', async () => {
    const clock = new VirtualClock();
    const plan = planOf(MODELS.closed as ModelInfo, { durationMs: null, iterations: 1e6 });
    const { measurements } = await clock.run(runLoad(silentFrom(clock, 4200), plan, uninterrupted(clock)));
    expect(measurements).toMatchObject({ abandoned: 10 });
    expect(measurements.elapsedMs).toBeLessThan(14_500);

    const other = new VirtualClock();
    const warmup = { workers: 5, iterations: null, durationMs: 6000, settleMs: null };
    const warming = planOf(MODELS.rate as ModelInfo, { warmup });
    const outcome = await other.run(runLoad(silentFrom(other, 4200), warming, uninterrupted(other)));
    expect(outcome.measurements.started).toBe(0);
    expect(endingWords(outcome.measurements)).toContain('during the warm-up');
  });

  it('waits without limit if asked to', async () => {
    const clock = new VirtualClock();
    const run = serviceOn(clock, { places: 1, serviceMs: () => 100_000 });
    const plan = planOf({ kind: 'closed', workers: 1 }, { durationMs: 1000 });
    const options = { ...uninterrupted(clock), drainTimeoutMs: null };
    const { measurements } = await clock.run(runLoad(run, plan, options));
    expect(measurements).toMatchObject({ succeeded: 1, abandoned: 0, elapsedMs: 100_000, drainMs: 99_000 });
  });
});

describe('right-censored iterations', () => {
  it('count in every percentile that they touch, and in no other', async () => {
    const clock = new VirtualClock();
    // One in twenty never ends.
    const run = serviceOn(clock, { places: 100, serviceMs: (seq) => (seq % 20 === 19 ? 1e9 : 5) });
    const model: ModelInfo = { kind: 'rate', perSecond: 100, maxInFlight: 1000 };
    const plan = planOf(model, { durationMs: 10_000 });
    const { measurements } = await clock.run(runLoad(run, plan, uninterrupted(clock)));
    const { response, service, wait } = measurements;
    expect(measurements).toMatchObject({ succeeded: 950, abandoned: 50, silentFromMs: null });
    expect(response.count).toBe(1000);
    expect(response.atLeast).toMatchObject({ count: 50, figures: ['meanMs', 'p99Ms', 'p999Ms', 'maxMs'] });
    expect(response.p90Ms).toBeLessThan(6);
    expect(response.p99Ms).toBeGreaterThan(10_000);
    expect(service.atLeast?.count).toBe(50);
    expect(wait.atLeast).toBeUndefined();
    const pool = { options: POOL, figures: FIGURES };
    const judged = judgeThresholds(['p90<50ms', 'p99<20d', 'p99>1s', 'mean<9d'].map(parseThreshold), {
      measurements,
      pool,
    });
    expect(judged.map(({ passed, atLeast }) => [passed, atLeast ?? false])).toEqual([
      [true, false],
      [false, true],
      [true, true],
      [false, true],
    ]);
  });

  it('are what an iteration timeout makes of an iteration, even if its work heeds no signal', async () => {
    const clock = new VirtualClock();
    const run = serviceOn(clock, { places: 4, serviceMs: (seq) => (seq === 3 ? 1e9 : 5) });
    const plan = planOf({ kind: 'closed', workers: 2 }, { durationMs: null, iterations: 20 });
    const options = { ...uninterrupted(clock), iterationTimeoutMs: 1000 };
    const { measurements } = await clock.run(runLoad(run, plan, options));
    expect(measurements).toMatchObject({ succeeded: 19, failed: 1, abandoned: 0 });
    expect(measurements.errors).toMatchObject([{ code: 'ERR_ITERATION_TIMEOUT', count: 1 }]);
    expect(measurements.response.atLeast).toMatchObject({ count: 1, fromMs: 1000 });
  });

  it('give the work the signal that cancels it', async () => {
    const clock = new VirtualClock();
    const canceled: unknown[] = [];
    const run: WorkloadRun = {
      ...serviceOn(clock, { places: 1, serviceMs: () => 1 }),
      iterate: (_, probe, signal) => {
        probe.acquired();
        return new Promise((_, reject) =>
          signal?.addEventListener('abort', () => {
            canceled.push(signal.reason);
            reject(new Error('canceled'));
          }),
        );
      },
    };
    const plan = planOf({ kind: 'closed', workers: 1 }, { durationMs: null, iterations: 3 });
    const options = { ...uninterrupted(clock), iterationTimeoutMs: 100 };
    const { measurements } = await clock.run(runLoad(run, plan, options));
    expect(canceled).toHaveLength(3);
    expect(measurements.errors).toMatchObject([{ code: 'ERR_ITERATION_TIMEOUT', count: 3 }]);
  });
});

describe('rate and throughput', () => {
  it('belong to the time of the arrivals: one that takes long at the end is drain', async () => {
    const clock = new VirtualClock();
    const run = serviceOn(clock, { places: 20, serviceMs: (seq) => (seq === 195 ? 3000 : 5) });
    const model: ModelInfo = { kind: 'rate', perSecond: 50, maxInFlight: 1000 };
    const { measurements } = await clock.run(
      runLoad(run, planOf(model, { durationMs: 4000 }), uninterrupted(clock)),
    );
    expect(measurements).toMatchObject({ succeeded: 200, arrivalsMs: 4000, elapsedMs: 6900, drainMs: 2900 });
    expect(measurements.throughputPerSecond).toBeCloseTo(199 / 4, 5);
    const verdict = judge({ measurements, simple: false, model });
    expect(verdict.criteria.find(({ id }) => id === 'rate')).toMatchObject({ band: 'good' });
  });

  it('reach the target where each iteration simply takes long', async () => {
    const clock = new VirtualClock();
    const run = serviceOn(clock, { places: 200, serviceMs: () => 1000 });
    const model: ModelInfo = { kind: 'rate', perSecond: 50, maxInFlight: 1000 };
    const { measurements } = await clock.run(
      runLoad(run, planOf(model, { durationMs: 4000 }), uninterrupted(clock)),
    );
    expect(measurements.throughputPerSecond).toBeCloseTo(50, 5);
  });

  it('do not count what a queue still has to serve when the arrivals end', async () => {
    const clock = new VirtualClock();
    // 100/s at most.
    const run = serviceOn(clock, { places: 1, serviceMs: () => 10 });
    const model: ModelInfo = { kind: 'rate', perSecond: 200, maxInFlight: 10_000 };
    const { measurements } = await clock.run(
      runLoad(run, planOf(model, { durationMs: 4000 }), uninterrupted(clock)),
    );
    expect(measurements.succeeded).toBe(800);
    expect(measurements.throughputPerSecond).toBeCloseTo(100, 0);
    const verdict = judge({ measurements, simple: false, model });
    expect(verdict.criteria.find(({ id }) => id === 'rate')).toMatchObject({ band: 'bad' });
  });
});

describe('a run that poolctl itself limited', () => {
  it('is not judged, unless iterations failed', async () => {
    const of = async (fails: boolean) => {
      const clock = new VirtualClock();
      const error = fails ? new Error('refused') : null;
      const run = serviceOn(clock, { places: 5, serviceMs: () => 5, fails: () => error });
      const model: ModelInfo = { kind: 'closed', workers: 5 };
      const plan = planOf(model, { durationMs: 2000 });
      const { measurements } = await clock.run(runLoad(run, plan, uninterrupted(clock)));
      return unjudged(judge({ measurements, simple: false, model }), 'poolctl itself was starved');
    };
    const verdict = await of(false);
    expect(verdict).toMatchObject({ band: null, notJudged: 'poolctl itself was starved' });
    expect(hasPassed({ verdict, thresholds: [] })).toBe(true);
    expect(hasPassed({ verdict, thresholds: [] }, { strict: true })).toBe(false);
    expect((await of(true)).band).toBe('bad');
  });

  it('fails no threshold on time, except with --strict, and says so', async () => {
    const clock = new VirtualClock();
    const run = serviceOn(clock, { places: 5, serviceMs: () => 5 });
    const plan = planOf({ kind: 'closed', workers: 5 }, { durationMs: 2000 });
    const { measurements } = await clock.run(runLoad(run, plan, uninterrupted(clock)));
    const measured = { measurements, pool: { options: POOL, figures: FIGURES } };
    const thresholds = judgeThresholds(
      ['p99<1ms', 'p99<1s', 'created<=1'].map(parseThreshold),
      measured,
      'poolctl itself was starved',
    );
    expect(thresholds.map(({ passed, notJudged }) => [passed, notJudged !== undefined])).toEqual([
      [false, true],
      [true, false],
      [false, false],
    ]);
    const verdict = { band: null, notJudged: 'starved', reason: '', criteria: [] };
    expect(hasPassed({ verdict, thresholds: thresholds.slice(0, 2) })).toBe(true);
    expect(hasPassed({ verdict, thresholds })).toBe(false);
  });
});

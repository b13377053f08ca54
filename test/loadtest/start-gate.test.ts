import { describe, expect, it } from 'vitest';
import type { LoadPlan } from '../../src/loadtest/api.js';
import { createModel } from '../../src/loadtest/models.js';
import type { ModelInfo } from '../../src/loadtest/result.js';
import { runLoad } from '../../src/loadtest/runner.js';
import { LateStartError, timedGate } from '../../src/loadtest/start-gate.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { serviceOn, uninterrupted } from './helpers.js';

const MODELS: readonly ModelInfo[] = [
  { kind: 'closed', workers: 3 },
  { kind: 'rate', perSecond: 100, maxInFlight: 10 },
  { kind: 'burst', size: 5, count: 2, intervalMs: 100 },
];
const WARMUP = { workers: 3, iterations: null, durationMs: 300, settleMs: null };

function started(model: ModelInfo, warmup: LoadPlan['warmup'], startAfterMs: number) {
  const clock = new VirtualClock();
  const run = serviceOn(clock, { places: 3, serviceMs: () => 10 });
  const plan = { model: createModel(model), iterations: null, durationMs: 500, warmup };
  const gate = timedGate(clock.wallTime() + startAfterMs, clock);
  return { clock, run, outcome: clock.run(runLoad(run, plan, { ...uninterrupted(clock), gate })) };
}

describe.each(MODELS)('a common start of a $kind load', (model) => {
  it.each([
    ['after a warm-up', WARMUP],
    ['without a warm-up', null],
  ])('is kept %s', async (_, warmup) => {
    const { outcome, clock } = started(model, warmup, 2000);
    const { startedAtMs, lateMs, measurements } = await outcome;
    const sinceStart = startedAtMs - (clock.wallTime() - clock.now()) - 2000;
    expect(sinceStart).toBeGreaterThanOrEqual(0);
    // A worker begins when its last iteration of the warm-up has ended.
    expect(sinceStart).toBeLessThanOrEqual(10);
    expect(lateMs).toBe(sinceStart);
    expect(measurements.succeeded).toBeGreaterThan(0);
  });

  it('keeps the connections of a closed load busy until then, and nothing of it counts', async () => {
    const { outcome, run } = started(model, WARMUP, 2000);
    const { warmup, measurements } = await outcome;
    const warming = run.begun.filter((at) => at < 2000);
    expect(warmup?.iterations).toBeGreaterThanOrEqual(warming.length - 3);
    expect(Math.max(...warming)).toBeGreaterThan(model.kind === 'closed' ? 1900 : 200);
    // Iterations of the other two workers may have begun before the start and ended after it.
    const uncounted = run.begun.length - measurements.started - (warmup?.iterations ?? 0);
    expect([0, 1, 2]).toContain(uncounted);
  });

  it('refuses a run that is warm too late', async () => {
    const { outcome, run } = started(model, WARMUP, 200);
    await expect(outcome).rejects.toThrow(LateStartError);
    expect(run.begun.every((at) => at < 400)).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import { runLoadTest } from '../../src/loadtest/load-test.js';
import { createModel, iterationsOf } from '../../src/loadtest/models.js';
import type { LoadResult, ModelInfo } from '../../src/loadtest/result.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { type Service, serviceOn } from './helpers.js';

type Ramp = ModelInfo & { kind: 'ramp' };

const ramp = (more: Partial<Ramp> = {}): Ramp => ({
  ...{ kind: 'ramp', fromPerSecond: 100, toPerSecond: 500, stepPerSecond: 100, stepMs: 1000 },
  ...{ limits: { p99Ms: 500, waitP99Ms: 100 }, maxInFlight: 10_000 },
  ...more,
});
const rate = (perSecond: number, maxInFlight = 10_000): ModelInfo => ({
  kind: 'rate',
  perSecond,
  maxInFlight,
});

/** Runs a load on a service, on a virtual clock. */
async function load(
  model: ModelInfo,
  service: Service,
  durationMs: number | null = null,
): Promise<LoadResult> {
  const clock = new VirtualClock();
  const workload = { name: 'simple', open: async () => serviceOn(clock, service) };
  return clock.run(runLoadTest({ workload, model, durationMs, clock, client: null }));
}

function criterionOf({ verdict }: LoadResult, id: string) {
  return verdict.criteria.find((criterion) => criterion.id === id);
}

describe('a load at a rate', () => {
  it('begins its iterations by the clock', () => {
    const model = createModel(rate(200));
    expect(model.kind === 'open' && [0, 1, 2, 200].map(model.dueAt)).toEqual([0, 5, 10, 1000]);
  });

  it('reaches its rate where the target keeps up', async () => {
    const result = await load(rate(200), { places: 4, serviceMs: () => 10 }, 5000);
    expect(result.measurements).toMatchObject({ started: 1000, succeeded: 1000, dropped: 0 });
    expect(criterionOf(result, 'rate')).toMatchObject({ band: 'good' });
    expect(result.verdict.band).toBe('good');
  });

  it('says so where the target rate was missed, and by how much', async () => {
    const result = await load(rate(200), { places: 1, serviceMs: () => 10 }, 5000);
    expect(criterionOf(result, 'rate')).toMatchObject({ band: 'bad' });
    expect(criterionOf(result, 'rate')?.value).toBeCloseTo(0.5, 1);
    expect(result.verdict.reason).toContain('target rate 50');
  });

  it('counts what it drops, which is a part of the rate that was missed', async () => {
    const result = await load(rate(200, 10), { places: 1, serviceMs: () => 10 }, 2000);
    expect(result.measurements.dropped).toBeGreaterThan(150);
    expect(result.measurements.started + result.measurements.dropped).toBe(400);
    expect(criterionOf(result, 'rate')).toMatchObject({ band: 'bad' });
  });

  it('sees a stall as long as it was: 200 slow ones in a second at 200/s', async () => {
    // The third second stands still: whoever comes then is served when it is over.
    const clock = new VirtualClock();
    const service = serviceOn(clock, { places: 1000, serviceMs: () => 1 });
    const stalled = {
      ...service,
      async iterate(seq: number, probe: { acquired(): void }) {
        const now = clock.now();
        if (now >= 2000 && now < 3000) {
          await new Promise<void>((resolve) => void clock.setTimer(resolve, 3000 - now));
        }
        await service.iterate(seq, probe);
      },
    };
    const { measurements } = await clock.run(
      runLoadTest({
        ...{ workload: { name: 'x', open: async () => stalled }, model: rate(200), durationMs: 6000 },
        ...{ clock, client: null },
      }),
    );
    const slow = measurements.response.bucketsUs.filter(([us]) => us > 5000);
    expect(slow.reduce((sum, [, count]) => sum + count, 0)).toBe(200);
    // 12 of 1,200 are slower than the p99: those due in the first 60 ms of the stall.
    expect(measurements.response.p99Ms).toBeGreaterThan(930);
    expect(measurements.response.p99Ms).toBeLessThan(955);
  });
});

describe('a ramp', () => {
  it('rises step by step, each as long as the others', () => {
    const model = createModel(ramp());
    if (model.kind !== 'open') throw new Error('a ramp is an open load');
    expect(iterationsOf(ramp())).toBe(100 + 200 + 300 + 400 + 500);
    expect([0, 1, 99, 100, 101, 299, 300].map(model.dueAt)).toEqual([0, 10, 990, 1000, 1005, 1995, 2000]);
    // Asked for in any order.
    expect([300, 0, 100].map(model.dueAt)).toEqual([2000, 0, 1000]);
  });

  it('goes up to where the target no longer keeps up, and no further', async () => {
    // Four connections of 10 ms each serve 400 a second.
    const { verdict, measurements, partial } = await load(ramp({ toPerSecond: 900 }), {
      places: 4,
      serviceMs: () => 10,
    });
    expect(verdict).toMatchObject({
      band: 'good',
      reason: expect.stringMatching(/^400\/s were held; at 500\/s/),
    });
    expect(measurements.stages?.map(({ held }) => held)).toEqual([true, true, true, true, false]);
    expect(measurements.elapsedMs).toBeLessThan(6500);
    expect(partial).toBeNull();
  });

  it('says that nothing broke where nothing did', async () => {
    const { verdict } = await load(ramp(), { places: 50, serviceMs: () => 10 });
    expect(verdict).toMatchObject({ band: 'good', reason: '500/s were held; nothing broke up to there.' });
  });

  it('is bad where not even the first step was held', async () => {
    const { verdict } = await load(ramp(), { places: 1, serviceMs: () => 50 });
    expect(verdict.band).toBe('bad');
  });

  it.each([
    ['waits', { places: 2, serviceMs: () => 10 }, {}, 'p99 of waiting from 100 ms on'],
    [
      'slow responses',
      { places: 9999, serviceMs: (seq: number) => (seq < 300 ? 10 : 600) },
      {},
      'p99 from 500 ms on',
    ],
    [
      'failures',
      { places: 99, serviceMs: () => 1, fails: (seq: number) => (seq > 300 ? new Error('no') : null) },
      {},
      'failed',
    ],
    [
      'dropped arrivals',
      { places: 2, serviceMs: () => 10 },
      { maxInFlight: 5 },
      'dropped: too many under way',
    ],
  ])('breaks by %s', async (_, service, more, why) => {
    const { measurements } = await load(ramp(more), service);
    expect(measurements.stages?.find(({ held }) => held === false)?.why).toContain(why);
  });

  it('does not tell of a step that was interrupted', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    clock.setTimer(() => stop.abort(), 1500);
    const result = await clock.run(
      runLoadTest({
        workload: { name: 'x', open: async () => serviceOn(clock, { places: 50, serviceMs: () => 10 }) },
        ...{ model: ramp(), clock, client: null, stop: stop.signal },
      }),
    );
    expect(result.partial).toBe('interrupted');
    expect(result.measurements.stages?.map(({ held }) => held)).toEqual([true, null]);
  });
});

describe('peaks', () => {
  it('are those of the measurement: what the warm-up needed does not count', async () => {
    const clock = new VirtualClock();
    const workload = {
      name: 'x',
      open: async () => serviceOn(clock, { places: 10, serviceMs: () => 5 }),
    };
    const result = await clock.run(
      runLoadTest({
        ...{ workload, model: rate(20), durationMs: 2000, clock, client: null },
        warmup: { workers: 30, iterations: 100, durationMs: null, settleMs: null },
      }),
    );
    expect(result.warmup?.iterations).toBeGreaterThanOrEqual(100);
    expect(result.pool.figures).toMatchObject({ peakInUse: 1, peakWaiting: 0 });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoadPlan, Segment, WorkloadRun } from '../../src/loadtest/api.js';
import { resultOf } from '../../src/loadtest/load-test.js';
import { MergeError, mergeSegments } from '../../src/loadtest/merge.js';
import { createModel, iterationsOf } from '../../src/loadtest/models.js';
import type { LoadResult, ModelInfo } from '../../src/loadtest/result.js';
import { runLoad } from '../../src/loadtest/runner.js';
import { numberOf, partOf, shareBetween, shareOf } from '../../src/loadtest/segment.js';
import { renderJson } from '../../src/report/json.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { uninterrupted } from './helpers.js';

const segmentsOf = (count: number): Segment[] =>
  Array.from({ length: count }, (_, at) => ({ index: at + 1, count }));

/** Schedules of every kind, small enough to be run many times. */
const schedules: fc.Arbitrary<Pick<LoadPlan, 'iterations' | 'durationMs'> & { readonly model: ModelInfo }> =
  fc.oneof(
    fc.record({
      model: fc.record({
        kind: fc.constant('rate' as const),
        perSecond: fc.double({ min: 1, max: 400, noNaN: true }),
        maxInFlight: fc.constant(10_000),
      }),
      iterations: fc.option(fc.integer({ min: 1, max: 300 })),
      durationMs: fc.integer({ min: 1, max: 1500 }),
    }),
    fc.record({
      model: fc.record({
        kind: fc.constant('burst' as const),
        size: fc.integer({ min: 1, max: 40 }),
        count: fc.integer({ min: 1, max: 5 }),
        intervalMs: fc.integer({ min: 1, max: 400 }),
      }),
      iterations: fc.constant(null),
      durationMs: fc.option(fc.integer({ min: 1, max: 1500 })),
    }),
    fc.record({
      model: fc.record({
        kind: fc.constant('ramp' as const),
        fromPerSecond: fc.integer({ min: 1, max: 50 }),
        toPerSecond: fc.integer({ min: 50, max: 150 }),
        stepPerSecond: fc.integer({ min: 10, max: 60 }),
        stepMs: fc.integer({ min: 200, max: 400 }),
        limits: fc.constant({ p99Ms: 500, waitP99Ms: 100 }),
        maxInFlight: fc.constant(10_000),
      }),
      iterations: fc.constant(null),
      durationMs: fc.constant(null),
    }),
  );

interface Run {
  readonly numbers: readonly number[];
  readonly result: LoadResult;
}

/** Depends on the number of an iteration only. */
const serviceMs = (seq: number) => 0.3 + ((seq * 7919) % 97) * 1.1;

async function run(
  {
    model,
    iterations,
    durationMs,
  }: Pick<LoadPlan, 'iterations' | 'durationMs'> & { readonly model: ModelInfo },
  segment: Segment | null,
  { startMs = 0 } = {},
): Promise<Run> {
  const clock = new VirtualClock({ wallStartMs: Date.UTC(2026, 0, 1) + startMs });
  const numbers: number[] = [];
  const counted: WorkloadRun = {
    description: { target: 'a service', work: 'waits', simple: true, inProcess: false, statements: [] },
    async iterate(seq, probe) {
      numbers.push(seq);
      probe.acquired();
      await new Promise<void>((resolve) => void clock.setTimer(resolve, serviceMs(seq)));
      // A whole ramp stops at the step that breaks, and segments run all steps, so nothing breaks there.
      if (model.kind !== 'ramp' && seq % 13 === 5)
        throw Object.assign(new Error(`no ${seq}`), { code: 'E_13' });
    },
    snapshot: () => null,
    async close() {},
  };
  const whole = createModel(segment === null ? model : partOf(model, segment));
  const plan: LoadPlan = {
    model: whole,
    iterations: iterations ?? iterationsOf(model),
    durationMs,
    warmup: null,
    ...(segment !== null && { segment }),
  };
  const outcome = await clock.run(runLoad(counted, plan, uninterrupted(clock)));
  const result = resultOf(
    {
      ...{ workload: { name: 'service', open: () => Promise.reject(new Error('never opened')) } },
      ...{ model, iterations, durationMs, client: null },
      ...(segment !== null && {
        segment: {
          ...segment,
          runId: 'run',
          optionsHash: 'hash',
          options: { '--rate': '1/s' },
          host: 'here',
        },
      }),
    },
    counted,
    outcome,
    NOT_MEASURED,
  );
  // As it comes out of a file.
  return { numbers, result: JSON.parse(renderJson(result)) as LoadResult };
}

const NOT_MEASURED = {
  ...{ loopBusy: null, loopRan: null, loopQueued: null, loopDelayMeanMs: null, loopDelayP99Ms: null },
  ...{ loopDelayMaxMs: null, cpuCores: null, machineBusy: null, otherCores: null, cores: null },
};

const named = (runs: readonly Run[]) => runs.map(({ result }, at) => ({ name: `${at + 1}.json`, result }));

describe('the arithmetic of segments', () => {
  it('deals out every number exactly once, and the shares add up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 500 }), (count, total) => {
        const segments = segmentsOf(count);
        const dealt = segments.flatMap((segment) =>
          Array.from({ length: shareOf(total, segment) }, (_, n) => numberOf(segment, n)),
        );
        expect(dealt.sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, n) => n));
        const half = Math.floor(total / 2);
        const between = segments.map((segment) => shareBetween(half, total, segment));
        expect(between.reduce((a, b) => a + b, 0)).toBe(total - half);
      }),
    );
  });

  it.each([
    [50, 8, [7, 7, 6, 6, 6, 6, 6, 6]],
    [3, 8, [1, 1, 1, 0, 0, 0, 0, 0]],
    [8, 1, [8]],
  ])('splits %i over %i', (total, count, shares) => {
    expect(segmentsOf(count).map((segment) => shareOf(total, segment))).toEqual(shares);
  });
});

describe('the union of the segments', () => {
  it('has every arrival of the whole at its time, and merging equals one run in every counter and bucket', async () => {
    await fc.assert(
      fc.asyncProperty(schedules, fc.integer({ min: 1, max: 7 }), async (schedule, count) => {
        const whole = await run(schedule, null);
        const parts: Run[] = [];
        for (const segment of segmentsOf(count)) parts.push(await run(schedule, segment));
        const numbers = parts.flatMap((part) => part.numbers).sort((a, b) => a - b);
        expect(numbers).toEqual(whole.numbers.toSorted((a, b) => a - b));

        const merged = mergeSegments(named(parts)).measurements;
        const single = whole.result.measurements;
        for (const kind of ['response', 'wait', 'service', 'failure', 'lag'] as const)
          expect([kind, merged[kind].bucketsUs]).toEqual([kind, single[kind].bucketsUs]);
        const counts = ({ started, succeeded, failed, dropped, abandoned }: typeof merged) => [
          ...[started, succeeded, failed, dropped, abandoned],
        ];
        expect(counts(merged)).toEqual(counts(single));
        expect(merged.errors.map(({ code, count }) => [code, count])).toEqual(
          single.errors.map(({ code, count }) => [code, count]),
        );
        const rows = ({ timeline }: typeof merged) =>
          timeline.rows.map(({ atMs, succeeded, failed, p50Ms, p99Ms }) => [
            atMs,
            succeeded,
            failed,
            p50Ms,
            p99Ms,
          ]);
        expect(rows(merged)).toEqual(rows(single));
        const bursts = ({ bursts }: typeof merged) =>
          bursts?.map(({ waitMeanMs: _, atMs, drainMs, ...row }) => ({ ...row, drained: drainMs !== null }));
        expect(bursts(merged)).toEqual(bursts(single));
        const stages = ({ stages }: typeof merged) =>
          stages?.map(({ waitMeanMs: _, throughputPerSecond: __, ...row }) => row);
        expect(stages(merged)).toEqual(stages(single));
      }),
      { numRuns: 40 },
    );
  });

  it('runs the numbers of the whole in a closed load with a number of iterations', async () => {
    const schedule = { model: { kind: 'closed' as const, workers: 7 }, iterations: 101, durationMs: null };
    const parts: Run[] = [];
    for (const segment of segmentsOf(4)) parts.push(await run(schedule, segment));
    const numbers = parts.flatMap((part) => part.numbers).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 101 }, (_, n) => n));
  });

  it('is merged over a start that was not quite common, with the times of the first one', async () => {
    const schedule = {
      model: { kind: 'rate' as const, perSecond: 100, maxInFlight: 100 },
      ...{ iterations: null, durationMs: 2000 },
    };
    const [a, b] = [
      await run(schedule, { index: 1, count: 2 }),
      await run(schedule, { index: 2, count: 2 }, { startMs: 150 }),
    ];
    const { measurements, segments, startedAt } = mergeSegments(named([b, a]));
    expect(startedAt).toBe('2026-01-01T00:00:00.000Z');
    expect(measurements.started).toBe(200);
    expect(segments?.rows.map(({ index, shiftMs }) => [index, shiftMs])).toEqual([
      [1, 0],
      [2, 150],
    ]);
    expect(segments?.overlap).toBeCloseTo(0.925, 2);
  });
});

describe('a merge', () => {
  const schedule = {
    model: { kind: 'rate' as const, perSecond: 50, maxInFlight: 100 },
    ...{ iterations: null, durationMs: 1000 },
  };
  const all = async (count = 4) => {
    const runs: Run[] = [];
    for (const segment of segmentsOf(count)) runs.push(await run(schedule, segment));
    return runs;
  };
  const changed = ({ result, numbers }: Run, change: Partial<NonNullable<LoadResult['segment']>>): Run => ({
    numbers,
    result: { ...result, segment: { ...(result.segment as NonNullable<LoadResult['segment']>), ...change } },
  });

  it('reports a segment that is missing, and is never good then', async () => {
    const [a, , c, d] = (await all()) as [Run, Run, Run, Run];
    const { verdict, segments } = mergeSegments(named([a, c, d]));
    expect(verdict.band).toBe('bad');
    expect(verdict.reason).toMatch(/^3 of 4 segments: 25\.0 % of the load is missing\./);
    expect(segments?.missing).toEqual([2]);
    const whole = mergeSegments(named(await all())).verdict;
    expect([whole.criteria.some(({ id }) => id === 'segments'), whole.reason]).not.toContain(true);
  });

  it.each<[why: string, change: Parameters<typeof changed>[1], message: RegExp]>([
    [
      'other options',
      { optionsHash: 'other', options: { '--rate': '2/s' } },
      /different options:\n {2}--rate: 1\/s and 2\/s/,
    ],
    ['another number of segments', { count: 5 }, /different options:\n {2}segments: 4 and 5/],
    ['another run', { runId: 'yesterday' }, /different runs: run and yesterday/],
    ['the number of another segment', { index: 1 }, /1\.json and 2\.json are both segment 1 of 4/],
    [
      'another time',
      { startedAtMs: Date.UTC(2026, 0, 1) + 101, arrivalsEndedAtMs: Date.UTC(2026, 0, 1) + 1101 },
      /different times: together for 899 ms of 1\.00 s \(90 %, at least 90 % is needed\)/,
    ],
  ])('refuses a result with %s', async (_, change, message) => {
    const [a, b] = (await all()) as [Run, Run];
    const merge = () => mergeSegments(named([a, changed(b, change)]));
    expect(merge).toThrow(MergeError);
    expect(merge).toThrow(message);
  });

  it('refuses a whole run, a damaged histogram, and nothing at all', async () => {
    const [a, b] = (await all()) as [Run, Run];
    const whole = await run(schedule, null);
    expect(() => mergeSegments(named([a, whole]))).toThrow(/2\.json is the result of a whole load/);
    expect(() => mergeSegments([])).toThrow(/there is no result/);
    const record = structuredClone(b.result.segment?.record) as NonNullable<LoadResult['segment']>['record'];
    Object.assign(record.exact.response, { buckets: '12:3 x' });
    expect(() => mergeSegments(named([a, changed(b, { record })]))).toThrow(
      /2\.json is damaged: 'x' is no bucket/,
    );
  });
});

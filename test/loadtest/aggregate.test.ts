import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Aggregator } from '../../src/loadtest/aggregate.js';
import type { Sample } from '../../src/loadtest/api.js';
import { percentileMs } from '../../src/loadtest/distribution.js';
import { createModel } from '../../src/loadtest/models.js';
import { sampleOf } from './helpers.js';

const CLOSED = createModel({ kind: 'closed', workers: 1 });
const TOTALS = { elapsedMs: 1000, started: 0, abandoned: 0, dropped: 0 };

function addUp(samples: readonly Sample[], elapsedMs = samples.at(-1)?.endedMs ?? 0, model = CLOSED) {
  const aggregator = new Aggregator(model);
  for (const sample of samples) aggregator.record(sample);
  return aggregator.finish({ ...TOTALS, elapsedMs, started: samples.length });
}

describe('response times', () => {
  it('count from the due start and split into lateness, waiting and being served', () => {
    const { response, wait, service, lag } = addUp([
      sampleOf({ dueMs: 10, startedMs: 15, acquiredMs: 40, endedMs: 100 }),
    ]);
    expect(response.meanMs).toBe(90);
    expect(wait.meanMs).toBe(25);
    expect(service.meanMs).toBe(60);
    expect(lag.meanMs).toBe(5);
  });

  it('have no parts where the workload has no pool', () => {
    const { response, wait, service } = addUp([sampleOf({ acquiredMs: null, endedMs: 7 })]);
    expect(response.count).toBe(1);
    expect(wait).toMatchObject({ count: 0, meanMs: null, p99Ms: null, bucketsUs: [] });
    expect(service.count).toBe(0);
  });

  it('add up: mean wait and mean service make the mean response', () => {
    const sample = fc
      .tuple(fc.nat(1000), fc.nat(1000), fc.nat(1000))
      .map(([due, wait, service]) =>
        sampleOf({ dueMs: due, acquiredMs: due + wait, endedMs: due + wait + service }),
      );
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 50 }), (samples) => {
        const inOrder = samples.toSorted((a, b) => a.endedMs - b.endedMs);
        const { response, wait, service, timeline } = addUp(inOrder);
        expect((wait.meanMs ?? 0) + (service.meanMs ?? 0)).toBeCloseTo(response.meanMs ?? 0, 6);
        expect(timeline.rows.reduce((sum, row) => sum + row.succeeded, 0)).toBe(samples.length);
      }),
    );
  });

  it('give any percentile, by the nearest rank', () => {
    const { response } = addUp(Array.from({ length: 200 }, (_, i) => sampleOf({ endedMs: (i + 1) / 10 })));
    expect(response).toMatchObject({ p50Ms: 10.047, p99Ms: 19.839, maxMs: 20, p999Ms: 20 });
    expect(percentileMs(response, 50)).toBe(response.p50Ms);
    expect(percentileMs(response, 100)).toBe(20);
    expect(percentileMs(addUp([]).response, 50)).toBeNull();
  });

  it('of failures are kept apart, and count from the due start as well', () => {
    const { response, failure, errors } = addUp([
      sampleOf({ dueMs: 10, startedMs: 15, acquiredMs: null, endedMs: 100, errorCode: 'E' }),
    ]);
    expect(failure).toMatchObject({ count: 1, meanMs: 90 });
    expect(response.count).toBe(0);
    expect(errors).toEqual([{ code: 'E', count: 1, example: '' }]);
  });

  it('are null, never 0, where nothing ended', () => {
    const { response, successRate, throughputPerSecond, errors } = addUp([]);
    expect(response).toMatchObject({ count: 0, meanMs: null, p50Ms: null, maxMs: null });
    expect({ successRate, throughputPerSecond, errors }).toEqual({
      successRate: null,
      throughputPerSecond: 0,
      errors: [],
    });
  });
});

describe('a run', () => {
  it('has its drain and its rates apart: only successes are throughput, failures count as ended', () => {
    const aggregator = new Aggregator(createModel({ kind: 'rate', perSecond: 10, maxInFlight: 100 }));
    for (let at = 1; at <= 10; at++) {
      const errorCode = at <= 4 ? 'E' : null;
      aggregator.record(
        sampleOf({ dueMs: at * 99, startedMs: at * 99, endedMs: at * 99 + 1, errorCode }),
        'failed',
      );
    }
    aggregator.endArrivals(1000);
    const result = aggregator.finish({ ...TOTALS, elapsedMs: 1500, arrivalsMs: 1000, started: 10 });
    expect(result).toMatchObject({ drainMs: 500, succeeded: 6, failed: 4 });
    expect(result.throughputPerSecond).toBeCloseTo(6, 0);
    expect(result.endedPerSecond).toBeCloseTo(10, 0);
  });
});

describe('the timeline', () => {
  const every = (stepMs: number, untilMs: number) =>
    Array.from({ length: untilMs / stepMs }, (_, i) =>
      sampleOf({ dueMs: i * stepMs, acquiredMs: i * stepMs + 1, endedMs: i * stepMs + 3 }),
    );

  it('of a short run goes by tenths of a second, the last one cut to what it was', () => {
    const { timeline } = addUp(every(10, 350), 350);
    expect(timeline.intervalMs).toBe(100);
    expect(timeline.rows.map(({ atMs, lengthMs, succeeded }) => [atMs, lengthMs, succeeded])).toEqual([
      [0, 100, 10],
      [100, 100, 10],
      [200, 100, 10],
      [300, 50, 5],
    ]);
    expect(timeline.rows[0]).toMatchObject({ throughputPerSecond: 100, p99Ms: 3, waitMeanMs: 1 });
  });

  it('of a longer run goes by seconds, and loses nothing on the way there', () => {
    const { timeline } = addUp(every(50, 12_500), 12_500);
    expect(timeline.intervalMs).toBe(1000);
    expect(timeline.rows.map(({ succeeded }) => succeeded)).toEqual([...new Array(12).fill(20), 10]);
    expect(timeline.rows.at(-1)).toMatchObject({ atMs: 12_000, lengthMs: 500 });
  });

  it('has a row for a stretch in which nothing ended', () => {
    const { timeline } = addUp([sampleOf({ endedMs: 50 }), sampleOf({ endedMs: 350 })], 350);
    expect(timeline.rows.map(({ succeeded, p99Ms }) => [succeeded, p99Ms])).toEqual([
      [1, 50],
      [0, null],
      [0, null],
      [1, 350],
    ]);
  });

  it('keeps the most waiting that was seen in each stretch, and null where nobody looked', () => {
    const aggregator = new Aggregator(CLOSED);
    aggregator.gauge(10, 5);
    aggregator.gauge(90, 3);
    aggregator.record(sampleOf({ endedMs: 250 }));
    aggregator.gauge(260, 0);
    // Looked at after the run had ended: belongs to no stretch of it.
    aggregator.gauge(420, 9);
    const { timeline } = aggregator.finish({ ...TOTALS, elapsedMs: 300 });
    expect(timeline.rows.map(({ waiting }) => waiting)).toEqual([5, null, 0]);
  });
});

describe('bursts', () => {
  it('are told one by one, and one that never drained has no time to drain', () => {
    const model = createModel({ kind: 'burst', size: 2, count: 2, intervalMs: 100 });
    const { bursts } = addUp(
      [
        sampleOf({ seq: 0, endedMs: 10, acquiredMs: 4 }),
        sampleOf({ seq: 1, endedMs: 20, errorCode: 'ERR_POOL_TIMEOUT' }),
        sampleOf({ seq: 3, dueMs: 100, endedMs: 130 }),
      ],
      200,
      model,
    );
    expect(bursts).toEqual([
      {
        index: 0,
        atMs: 0,
        size: 2,
        failed: 1,
        p50Ms: 10,
        p99Ms: 10,
        maxMs: 10,
        waitMeanMs: 4,
        drainMs: 20,
        overran: false,
      },
      {
        index: 1,
        atMs: 100,
        size: 1,
        failed: 0,
        p50Ms: 30,
        p99Ms: 30,
        maxMs: 30,
        waitMeanMs: 0,
        drainMs: null,
        overran: true,
      },
    ]);
  });
});

describe('errors', () => {
  it('are counted by code, the most frequent first, with the first line of the first message', () => {
    const aggregator = new Aggregator(CLOSED);
    const fail = (errorCode: string, message?: string) =>
      aggregator.record(sampleOf({ endedMs: 1, errorCode }), message);
    fail('E_RARE', 'once\nand its detail');
    fail('E_B', 'first');
    fail('E_OFTEN');
    fail('E_OFTEN', 'too late to be the example');
    fail('E_A', 'x');
    aggregator.record(sampleOf({ endedMs: 1 }));
    expect([aggregator.ended, aggregator.failed]).toEqual([6, 5]);
    expect(aggregator.finish({ ...TOTALS, elapsedMs: 2000 })).toMatchObject({
      ...{ succeeded: 1, failed: 5, throughputPerSecond: 0.5, successRate: 1 / 6 },
      errors: [
        { code: 'E_OFTEN', count: 2, example: '' },
        { code: 'E_A', count: 1, example: 'x' },
        { code: 'E_B', count: 1, example: 'first' },
        { code: 'E_RARE', count: 1, example: 'once' },
      ],
    });
  });
});

describe('a ramp', () => {
  it('is over at its first broken step, and only a ramp is', () => {
    const steps = { fromPerSecond: 10, toPerSecond: 20, stepPerSecond: 10, stepMs: 1000 };
    const limits = { p99Ms: 100, waitP99Ms: 100 };
    const ramp = new Aggregator(createModel({ kind: 'ramp', ...steps, limits, maxInFlight: 50 }));
    for (let at = 0; at < 10; at++) ramp.begin(at * 100);
    expect(ramp.isBroken(500)).toBe(false);
    for (let at = 0; at < 10; at++) ramp.drop(at * 100);
    expect(ramp.isBroken(1500)).toBe(true);
    const { stages } = ramp.finish({ ...TOTALS, elapsedMs: 2000 });
    expect(stages?.[0]).toMatchObject({ due: 20, dropped: 10, held: false });

    const closed = new Aggregator(CLOSED);
    closed.begin(0);
    closed.drop(0);
    expect(closed.isBroken(1e9)).toBe(false);
    expect(closed.finish(TOTALS)).toMatchObject({ stages: null, bursts: null });
  });
});

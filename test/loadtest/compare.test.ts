import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { type CompareOptions, compareRuns, type MetricChange } from '../../src/loadtest/compare.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import { parseResult, ResultFileError } from '../../src/loadtest/result-file.js';
import { type Course, comparable } from './comparable.js';

const change = (
  id: string,
  before: Course,
  after: Course,
  options: CompareOptions = {},
): MetricChange | undefined =>
  compareRuns(comparable(before), comparable(after), options).metrics.find((metric) => metric.id === id);

describe('comparing two runs', () => {
  it('shows a change that is large beside the spread within them, with the range in which it lies', () => {
    const throughput = change(
      'throughput',
      { perSecond: 1000, spread: 0.1 },
      { perSecond: 700, spread: 0.1 },
    );
    expect(throughput).toMatchObject({ shift: 'worse', regressed: true, why: null });
    expect(throughput?.change).toBeCloseTo(-0.3, 1);
    const [low = 0, high = 0] = throughput?.interval ?? [];
    expect(low).toBeLessThan(throughput?.change ?? 0);
    expect(high).toBeGreaterThan(throughput?.change ?? 0);
    expect(high).toBeLessThan(0);
  });

  it('shows no difference where the spread is larger than the change', () => {
    expect(
      change(
        'throughput',
        { perSecond: 1000, spread: 0.9, seed: 1 },
        { perSecond: 950, spread: 0.9, seed: 2 },
      ),
    ).toMatchObject({ shift: 'same', regressed: false });
  });

  it('seldom shows a difference between runs that differ by chance alone', () => {
    const shifts = Array.from({ length: 100 }, (_, seed) =>
      change(
        'p99',
        { perSecond: 1000, spread: 0.3, seed },
        { perSecond: 1000, spread: 0.3, seed: seed + 1000 },
      ),
    ).filter((metric) => metric?.shift !== 'same');
    // By a confidence of 95 % it is five in a hundred, give or take.
    expect(shifts.length).toBeLessThan(15);
  });

  it.each([
    ['throughput that rises', 'throughput', { perSecond: 500 }, { perSecond: 1000 }, 'better'],
    ['throughput that falls', 'throughput', { perSecond: 1000 }, { perSecond: 500 }, 'worse'],
    ['times that fall', 'mean', { meanMs: 20 }, { meanMs: 10 }, 'better'],
    ['times that rise', 'mean', { meanMs: 10 }, { meanMs: 20 }, 'worse'],
    ['a long tail', 'p99', { p99Ms: 30 }, { p99Ms: 300 }, 'worse'],
    ['failures that come', 'failed', { failedShare: 0 }, { failedShare: 0.2 }, 'worse'],
    ['failures that go', 'failed', { failedShare: 0.2 }, { failedShare: 0 }, 'better'],
  ] as const)('calls %s by its name', (_, id, before, after, shift) => {
    expect(change(id, before, after)).toMatchObject({ shift });
  });

  it('lets a change within the tolerance pass, and no other', () => {
    const slower = (tolerance: number) =>
      compareRuns(comparable({ meanMs: 10 }), comparable({ meanMs: 12 }), { tolerance }).regressions;
    expect(slower(0.5)).toEqual([]);
    expect(slower(0.1)).toContain('mean');
  });

  it('takes more failures for a regression whatever the tolerance', () => {
    expect(change('failed', { failedShare: 0 }, { failedShare: 0.02 }, { tolerance: 5 })).toMatchObject({
      regressed: true,
    });
  });

  it('does not fail for longer waits alone, which are a part of the response', () => {
    const comparison = compareRuns(comparable({ waitMs: 1 }), comparable({ waitMs: 3 }));
    expect(comparison.metrics.find(({ id }) => id === 'wait.mean')).toMatchObject({ shift: 'worse' });
    expect(comparison.regressions).toEqual([]);
  });

  it('makes nothing of changes that nobody could feel', () => {
    expect(change('wait.mean', { waitMs: 0.01 }, { waitMs: 0.05 })).toMatchObject({
      shift: 'same',
      why: 'too small to matter',
    });
  });

  it('says that it cannot tell where a run is too short', () => {
    expect(change('throughput', { stretches: 3 }, { stretches: 30 })).toMatchObject({
      shift: null,
      regressed: false,
      why: 'only 3 stretches to judge the spread by',
    });
  });

  it('says that it cannot tell a factor from nothing', () => {
    expect(change('wait.mean', { waitMs: 0 }, { waitMs: 5 })).toMatchObject({ change: null, shift: null });
  });

  it('leaves out a last stretch that was cut short', () => {
    const run = comparable({ perSecond: 1000 });
    const { rows, intervalMs } = run.measurements.timeline;
    const cut = { ...rows[0]!, atMs: rows.length * intervalMs, lengthMs: 1, throughputPerSecond: 1 };
    const longer = { ...run.measurements, timeline: { intervalMs, rows: [...rows, cut] } };
    expect(compareRuns(run, { ...run, measurements: longer }).metrics).toEqual(compareRuns(run, run).metrics);
  });

  it('gives the same answer each time', () => {
    const compared = () => compareRuns(comparable({ seed: 1 }), comparable({ seed: 2 }));
    expect(compared()).toEqual(compared());
  });

  it('says what the two did not have in common', () => {
    const before = comparable({});
    const after: LoadResult = {
      ...before,
      model: { kind: 'closed', workers: 99 },
      pool: { ...before.pool, options: { ...before.pool.options, size: 3, timeoutMs: null } },
    };
    expect(compareRuns(before, after).differences).toEqual([
      { what: 'load', before: 'kind closed, workers 50', after: 'kind closed, workers 99' },
      { what: 'pool size', before: '10', after: '3' },
      { what: 'pool timeout in ms', before: '10000', after: 'none' },
    ]);
    expect(compareRuns(before, before).differences).toEqual([]);
  });
});

describe('a result file', () => {
  it('is read back as it was written', () => {
    const result = comparable({});
    expect(parseResult(JSON.stringify(result), 'a.json')).toEqual(result);
  });

  it.each([
    ['no JSON', 'poolctl', 'is not JSON'],
    ['something else', '{"kind":"audit","schema":1}', 'is no load test result'],
    ['a list', '[]', 'is no load test result'],
    ['a later schema', '{"kind":"loadtest","schema":2}', 'has schema 2; this poolctl reads schema 1'],
    [
      'half of one',
      '{"kind":"loadtest","schema":1,"model":{},"pool":{}}',
      'has no measurements, workload, env',
    ],
  ])('that is %s is refused', (_, text, message) => {
    expect(() => parseResult(text, 'a.json')).toThrow(ResultFileError);
    expect(() => parseResult(text, 'a.json')).toThrow(`a.json ${message}`);
  });
});

describe('the range', () => {
  it('is as wide as it should be: it holds the true change about as often as it says', () => {
    const random = seededRandom(7);
    let held = 0;
    for (let i = 0; i < 100; i++) {
      const [seed, other] = [Math.floor(random() * 1e6), Math.floor(random() * 1e6)];
      const told = change(
        'throughput',
        { perSecond: 1000, spread: 0.3, seed, stretches: 40 },
        { perSecond: 1100, spread: 0.3, seed: other, stretches: 40 },
      );
      const [low = 0, high = 0] = told?.interval ?? [];
      if (low <= 0.1 && 0.1 <= high) held++;
    }
    expect(held).toBeGreaterThan(85);
  });
});

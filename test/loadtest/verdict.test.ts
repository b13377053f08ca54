import { describe, expect, it } from 'vitest';
import type { Band, Measurements, ModelInfo, StageRow } from '../../src/loadtest/result.js';
import {
  endingWords,
  hasPassed,
  highestHeld,
  judge,
  unjudged,
  withMissing,
} from '../../src/loadtest/verdict.js';
import { resultLike } from './results.js';

interface Load {
  /** Response times: so many of each. */
  readonly times: Readonly<Record<number, number>>;
  readonly errors?: Readonly<Record<string, number>>;
}

function measured({ times, errors = {} }: Load): Measurements {
  const responsesMs = Object.entries(times).flatMap(([ms, count]) =>
    new Array<number>(count).fill(Number(ms)),
  );
  return resultLike({ responsesMs, waitShare: 0.5, errors, elapsedMs: 10_000 }).measurements;
}

const EMPTY_ROW = {
  lengthMs: 100,
  failed: 0,
  throughputPerSecond: 0,
  meanMs: null,
  p50Ms: null,
  p99Ms: null,
  waitMeanMs: null,
  waitP99Ms: null,
  waiting: null,
};

describe('the verdict', () => {
  it.each<[string, Load, Band, RegExp]>([
    ['all within bounds', { times: { 10: 1000 } }, 'good', /^100 % succeeded, 95 % of them within 10/],
    ['99.9 % succeeded', { times: { 10: 999 }, errors: { E: 1 } }, 'good', /^99\.90 % succeeded/],
    ['just 99 % succeeded', { times: { 10: 990 }, errors: { E: 10 } }, 'marginal', /success 99\.00 %/],
    ['just 95 % succeeded', { times: { 10: 950 }, errors: { E: 50 } }, 'marginal', /success 95\.00 %/],
    [
      'fewer succeeded',
      { times: { 10: 940 }, errors: { E: 60 } },
      'bad',
      /success 94\.00 % .*bad below 95 %/,
    ],
    ['nothing succeeded', { times: {}, errors: { E: 5 } }, 'bad', /success 0 %/],
    ['a mean of 50 ms', { times: { 50: 1000 } }, 'marginal', /^mean 50\.0 ms \(good below 50 ms\)/],
    ['a p95 of 100 ms', { times: { 5: 900, 100: 100 } }, 'marginal', /^p95 100 ms/],
    ['a p99 of 600 ms', { times: { 5: 970, 600: 30 } }, 'marginal', /^p99 600 ms/],
    ['a p99 of 1 s', { times: { 5: 970, 1000: 30 } }, 'marginal', /^p99 1\.00 s/],
    ['a p99 above 1 s', { times: { 5: 970, 1020: 30 } }, 'bad', /^p99 1\.02 s .*bad above 1 s/],
    ['a slow max alone', { times: { 5: 995, 5000: 5 } }, 'good', /./],
    ['one timeout', { times: { 5: 9999 }, errors: { ERR_POOL_TIMEOUT: 1 } }, 'marginal', /timeouts 0\.01 %/],
    ['1 % timeouts', { times: { 5: 990 }, errors: { ERR_POOL_TIMEOUT: 10 } }, 'bad', /timeouts 1\.00 %/],
  ])('on %s is %#', (_, load, band, reason) => {
    const verdict = judge({
      measurements: measured(load),
      simple: true,
      model: { kind: 'closed', workers: 10 },
    });
    expect({ band: verdict.band, reason: verdict.reason }).toEqual({
      band,
      reason: expect.stringMatching(reason),
    });
  });

  it.each<[string, (at: number) => boolean, number, Band]>([
    ['the second half of the run', (at) => at < 50, 10, 'bad'],
    ['a time after which it goes on', (at) => at < 30 || at >= 45, 10, 'bad'],
    ['a longer run, for less than a tenth of it', (at) => at < 50 || at >= 62, 200, 'marginal'],
    ['less than a second', (at) => at < 50 || at >= 59, 10, 'good'],
  ])('sees that nothing succeeded in %s', (_, succeeds, seconds, band) => {
    const all = measured({ times: { 10: 9990 }, errors: { ERR_HTTP_CONNECT: 10 } });
    const rows = Array.from({ length: seconds * 10 }, (_row, at) => ({
      ...EMPTY_ROW,
      atMs: at * 100,
      succeeded: succeeds(at) ? 100 : 0,
    }));
    const elapsedMs = seconds * 1000;
    const measurements = { ...all, elapsedMs, timeline: { intervalMs: 100, rows } };
    const judged = judge({ measurements, simple: true, model: { kind: 'closed', workers: 10 } });
    expect({ band: judged.band, reason: judged.reason }).toEqual({
      band,
      reason: expect.stringMatching(
        band === 'good' ? /^99\.90 %/ : /^nothing succeeded for [15]\.\d0 s \(good below 1 s/,
      ),
    });
    // Bursts are pauses by nature; and where nothing failed, iterations are slow.
    const burst = { kind: 'burst', size: 10, count: 5, intervalMs: 2000 } as const;
    expect(judge({ measurements, simple: true, model: burst }).band).toBe('good');
    const slow = { ...measurements, failed: 0 };
    expect(judge({ measurements: slow, simple: true, model: { kind: 'closed', workers: 10 } }).band).toBe(
      'good',
    );
  });

  it('asks a low mean of simple queries only, and says so', () => {
    const measurements = measured({ times: { 80: 1000 } });
    expect(judge({ measurements, simple: true, model: { kind: 'closed', workers: 10 } }).band).toBe(
      'marginal',
    );
    const { band, criteria } = judge({ measurements, simple: false, model: { kind: 'closed', workers: 10 } });
    expect(band).toBe('good');
    expect(criteria.find(({ id }) => id === 'mean')).toMatchObject({
      value: 80,
      band: null,
      why: 'counts for simple queries only',
    });
  });

  it('has every criterion with its figure, its band and its bounds', () => {
    const { criteria } = judge({
      measurements: measured({ times: { 10: 1000 } }),
      simple: true,
      model: { kind: 'closed', workers: 10 },
    });
    expect(criteria.map(({ id, value, band }) => [id, value, band])).toEqual([
      ['success', 1, 'good'],
      ['mean', 10, 'good'],
      ['p95', 10, 'good'],
      ['p99', 10, 'good'],
      ['timeouts', 0, 'good'],
      ['wait-trend', null, null],
    ]);
    for (const { bounds } of criteria) expect(bounds).toMatch(/good|bad/);
  });

  it('is none where nothing ended', () => {
    const verdict = judge({
      measurements: measured({ times: {} }),
      simple: true,
      model: { kind: 'closed', workers: 10 },
    });
    expect(verdict).toMatchObject({
      band: null,
      reason: 'No iteration ended, so there is nothing to judge.',
    });
    expect(verdict.criteria.find(({ id }) => id === 'timeouts')?.value).toBeNull();
  });
});

describe('the target rate', () => {
  const judged = (own: Partial<Measurements>, model: ModelInfo = RATE) => {
    const counted = { started: 100, dropped: 0, succeeded: 100, failed: 0, elapsedMs: 1000, ...own };
    const { started, dropped, succeeded, failed, elapsedMs } = counted;
    const arrivalsMs = Math.max(elapsedMs, (started + dropped) * 10);
    const endedPerSecond = ((succeeded + failed) * 1000) / arrivalsMs;
    const measurements = { ...measured({ times: { 10: 1000 } }), ...counted, arrivalsMs, endedPerSecond };
    const { criteria } = judge({ measurements, simple: true, model });
    return criteria.find(({ id }) => id === 'rate');
  };
  const RATE: ModelInfo = { kind: 'rate', perSecond: 100, maxInFlight: 50 };

  // 100 arrivals at 100/s are due within 1,000 ms.
  it.each<[string, Partial<Measurements>, number | null, Band | null]>([
    ['all of it', {}, 1, 'good'],
    ['just enough of it', { succeeded: 95 }, 0.95, 'good'],
    ['failures, which are answers too', { succeeded: 75, failed: 20 }, 0.95, 'good'],
    ['slightly too little', { succeeded: 94 }, 0.94, 'marginal'],
    ['the least that is not bad', { succeeded: 80 }, 0.8, 'marginal'],
    ['too little', { succeeded: 79 }, 0.79, 'bad'],
    ['a run that ends before its last arrival was due', { succeeded: 90, elapsedMs: 500 }, 0.9, 'marginal'],
    ['a run that ends long after', { elapsedMs: 1250 }, 0.8, 'marginal'],
    ['arrivals that were dropped', { started: 60, dropped: 40, succeeded: 60 }, 0.6, 'bad'],
    ['as many dropped as started', { started: 50, dropped: 50, succeeded: 50 }, 0.5, 'bad'],
    ['nothing due', { started: 0, succeeded: 0 }, null, null],
    ['only dropped arrivals', { started: 0, dropped: 100, succeeded: 0 }, 0, 'bad'],
  ])('of %s', (_, own, value, band) => {
    expect(judged(own)).toMatchObject({ value, band });
  });

  it('is a criterion of a steady rate only', () => {
    expect(judged({}, { kind: 'closed', workers: 10 })).toBeUndefined();
  });
});

describe('the longest time without a success', () => {
  const judged = (silentRows: number, own: Partial<Measurements> = {}) => {
    const all = measured({ times: { 10: 9990 }, errors: { ERR_HTTP_CONNECT: 10 } });
    const rows = Array.from({ length: 100 }, (_row, at) => ({
      ...{ ...EMPTY_ROW, atMs: at * 100 },
      succeeded: at >= 50 && at < 50 + silentRows ? 0 : 1,
    }));
    const timeline = { intervalMs: 100, rows };
    const measurements = { ...all, elapsedMs: 10_000, timeline, ...own };
    const { criteria } = judge({ measurements, simple: true, model: { kind: 'closed', workers: 10 } });
    return criteria.find(({ id }) => id === 'outage') ?? null;
  };
  const p99 = (p99Ms: number | null) => ({ response: { ...measured({ times: { 10: 1 } }).response, p99Ms } });

  it('counts from 1 s, and is bad from a tenth of the run', () => {
    expect(judged(9)).toBeNull();
    expect(judged(10)).toMatchObject({ value: 1000, band: 'bad' });
    expect(judged(10, { elapsedMs: 10_100 })).toMatchObject({ value: 1000, band: 'marginal' });
    expect(judged(9, { elapsedMs: 1000 })).toBeNull();
  });

  it('counts from ten times the p99 where iterations are slow', () => {
    expect(judged(20, p99(200))).toMatchObject({ value: 2000 });
    expect(judged(20, p99(201))).toBeNull();
  });

  it('says nothing where nothing failed', () => {
    expect(judged(20, { failed: 0 })).toBeNull();
    expect(judged(20, { failed: 1 })).not.toBeNull();
  });
});

describe('the verdict on a ramp', () => {
  const stage = (targetPerSecond: number, held: boolean | null): StageRow => ({
    ...{ index: 0, atMs: 0, targetPerSecond, due: 100, failed: 0, dropped: 0, unfinished: 0 },
    ...{ throughputPerSecond: targetPerSecond, p50Ms: 1, p99Ms: 1, waitMeanMs: 0, waitP99Ms: 0 },
    ...{ held, why: held === false ? `p99 too high at ${targetPerSecond}` : null },
  });

  it.each<[string, StageRow[], Band | null, number | null, RegExp]>([
    [
      'that broke',
      [stage(10, true), stage(20, true), stage(30, false)],
      'good',
      20,
      /^20.*at 30.*too high at 30/,
    ],
    ['that held to the end', [stage(10, true), stage(20, true)], 'good', 20, /^20/],
    ['whose last step was cut off', [stage(10, true), stage(20, null)], 'good', 10, /^10/],
    ['that never held', [stage(10, false), stage(20, null)], 'bad', 0, /first step.*at 10.*too high at 10/],
    [
      'that held again after it broke',
      [stage(10, true), stage(20, false), stage(30, true)],
      'good',
      10,
      /^10/,
    ],
    ['that held only after it broke', [stage(10, false), stage(20, true)], 'bad', 0, /first step.*at 10/],
    ['that was cut off in its first step', [stage(10, null)], null, null, /nothing to judge/],
    ['without a step', [], null, null, /nothing to judge/],
  ])('%s', (_, stages, band, value, reason) => {
    const measurements = { ...measured({ times: { 5000: 10 } }), stages };
    const verdict = judge({ measurements, simple: true, model: { kind: 'closed', workers: 10 } });
    expect(verdict).toMatchObject({ band, reason: expect.stringMatching(reason) });
    expect(verdict.criteria).toMatchObject([{ id: 'held', value, band }]);
    expect(highestHeld(stages)?.targetPerSecond ?? 0).toBe(value ?? 0);
  });

  it('names the steps below the highest that held too, and only those, if one broke', () => {
    const reasonOf = (...stages: StageRow[]) => {
      const measurements = { ...measured({ times: {} }), stages };
      return judge({ measurements, simple: true, model: { kind: 'closed', workers: 1 } }).reason;
    };
    const broke = reasonOf(stage(10, true), stage(15, null), stage(20, true), stage(30, false));
    expect(broke).toMatch(/ Also held: 10\.?0?\/s\.$/);
    expect(reasonOf(stage(10, true), stage(20, true))).not.toContain('Also held');
  });

  it('names what broke only if something did', () => {
    const reasonOf = (...stages: StageRow[]) => {
      const measurements = { ...measured({ times: {} }), stages };
      return judge({ measurements, simple: true, model: { kind: 'closed', workers: 1 } }).reason;
    };
    expect(reasonOf(stage(10, true))).not.toContain('null');
    expect(reasonOf(stage(10, true), stage(20, false))).toContain('p99 too high at 20');
  });
});

describe('a run that did not end by itself', () => {
  const whole = measured({ times: { 10: 1000 } });
  const ended = (part: Partial<Measurements>): Measurements => ({ ...whole, started: 1000, ...part });
  const judged = (part: Partial<Measurements>) =>
    judge({ measurements: ended(part), simple: true, model: { kind: 'closed', workers: 10 } });

  it.each<[Partial<Measurements>, RegExp | null]>([
    [{ abandoned: 0, drainMs: 500 }, null],
    [{ abandoned: 3, drainMs: 0 }, null],
    [{ abandoned: 1, drainMs: 500 }, /^1 iteration was abandoned 500 ms after the last one had begun\.$/],
    [{ abandoned: 3, drainMs: 500 }, /^3 iterations were abandoned 500 ms after/],
    [{ abandoned: 3, silentFromMs: 4200 }, /^The server stopped answering after 4\.20 s; 3 iterations were/],
    [{ abandoned: 3, silentFromMs: 0 }, /^The server stopped answering after 0/],
    [{ abandoned: 3, silentFromMs: -1 }, /^The server stopped answering during the warm-up; 3/],
  ])('says so: %j', (part, words) => {
    const text = endingWords(ended(part));
    if (words === null) expect(text).toBeNull();
    else expect(text).toMatch(words);
    expect(judged(part).reason.startsWith(text ?? '100 %')).toBe(true);
  });

  it.each<[string, Partial<Measurements>, Band | null]>([
    ['below 1 % were abandoned', { abandoned: 9, arrivalsMs: 9000 }, 'marginal'],
    ['1 % were abandoned', { abandoned: 10, arrivalsMs: 9000 }, 'bad'],
    ['the server went silent', { abandoned: 1, arrivalsMs: 9000, silentFromMs: 5000 }, 'bad'],
    ['the run was aborted', { abandoned: 10, arrivalsMs: 10_000 }, null],
    ['none was abandoned', { abandoned: 0, arrivalsMs: 9000 }, null],
  ])('has a criterion for it: %s', (_, part, band) => {
    const { criteria } = judged({ elapsedMs: 10_000, ...part });
    expect(criteria.find(({ id }) => id === 'abandoned')?.band ?? null).toBe(band);
  });

  it('is not judged if poolctl was the limit, unless the target failed', () => {
    const slow = { id: 'p99', band: 'bad' } as const;
    const failing = { id: 'success', band: 'bad' } as const;
    const fine = { id: 'success', band: 'good' } as const;
    const verdictOf = (band: Band | null, ...criteria: readonly object[]) =>
      ({ band, reason: 'Why.', criteria }) as unknown as Parameters<typeof unjudged>[0];
    const notJudged = {
      band: null,
      notJudged: 'poolctl was starved',
      reason: /^poolctl was starved, so .* Why\.$/,
    };
    for (const verdict of [verdictOf('bad', slow, fine), verdictOf('good', fine), verdictOf('marginal')]) {
      expect(unjudged(verdict, 'poolctl was starved')).toMatchObject({
        ...notJudged,
        reason: expect.stringMatching(notJudged.reason),
      });
    }
    // A failing target, one that went silent (bad without a criterion that is), and a run without any answer.
    for (const verdict of [verdictOf('bad', slow, failing), verdictOf('bad', fine), verdictOf(null)]) {
      expect(unjudged(verdict, 'poolctl was starved')).toBe(verdict);
    }
  });

  it('is bad if a segment is missing, and says how much of the load that is', () => {
    const good = judged({ abandoned: 0 });
    const segments = (missing: number[]) =>
      ({ missing, count: 8 }) as unknown as Parameters<typeof withMissing>[1];
    expect(withMissing(good, segments([]))).toBe(good);
    const partial = withMissing({ ...good, notJudged: 'x' }, segments([3]));
    expect(partial).toMatchObject({ band: 'bad', reason: expect.stringMatching(/^7 of 8 segments: 12\.5/) });
    expect(partial).not.toHaveProperty('notJudged');
    expect(partial.criteria.at(-1)).toMatchObject({ id: 'segments', value: 7 / 8, band: 'bad' });
  });
});

describe('a run', () => {
  const passed = { expression: 'p99<1s', actual: 1, unit: 'ms', passed: true } as const;
  const failed = { ...passed, passed: false };
  it.each<[Band | null, boolean, boolean, boolean]>([
    ['good', false, true, true],
    ['good', true, true, true],
    ['marginal', false, true, true],
    ['marginal', true, true, false],
    ['bad', false, true, false],
    ['bad', true, true, false],
    [null, false, true, false],
    ['good', false, false, false],
  ])('judged %s, strict %s, all thresholds met %s: passed %s', (band, strict, met, expected) => {
    const result = {
      verdict: { band, reason: '', criteria: [] },
      thresholds: met ? [passed] : [passed, failed],
    };
    expect(hasPassed(result, { strict })).toBe(expected);
    if (!strict) expect(hasPassed(result)).toBe(expected);
  });

  it('without thresholds passes by its verdict', () => {
    expect(hasPassed({ verdict: { band: 'good', reason: '', criteria: [] }, thresholds: [] })).toBe(true);
  });
});

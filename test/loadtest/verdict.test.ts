import { describe, expect, it } from 'vitest';
import type { Band, Measurements } from '../../src/loadtest/result.js';
import { judge } from '../../src/loadtest/verdict.js';
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
    [
      'one time-out',
      { times: { 5: 9999 }, errors: { ERR_POOL_TIMEOUT: 1 } },
      'marginal',
      /time-outs 0\.01 %/,
    ],
    ['1 % time-outs', { times: { 5: 990 }, errors: { ERR_POOL_TIMEOUT: 10 } }, 'bad', /time-outs 1\.00 %/],
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
  });
});

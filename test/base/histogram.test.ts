import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram, percentileUs } from '../../src/base/histogram.js';

const LARGEST_US = 2 ** 32 - 1;
/** Most are small; some lie at the edges of powers of two, some beyond the largest that is told apart. */
const durations = fc.oneof(
  fc.nat({ max: 2000 }),
  fc.nat({ max: 5_000_000 }),
  fc
    .tuple(fc.nat({ max: 33 }), fc.constantFrom(-1, 0, 1))
    .map(([power, step]) => Math.max(0, 2 ** power + step)),
);
const samples = fc.array(durations, { minLength: 1, maxLength: 300 });

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const us of values) histogram.record(us);
  return histogram;
}

/** The nearest-rank percentile of the values themselves. */
function exactPercentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1]!;
}

describe('a histogram', () => {
  it('gives each percentile exactly below 256 µs, and to 0.8 % above', () => {
    fc.assert(
      fc.property(samples, fc.constantFrom(0, 1, 25, 50, 90, 95, 99, 99.9, 100), (values, percent) => {
        const found = histogramOf(values).percentileUs(percent)!;
        const exact = exactPercentile(values, percent);
        expect(found).toBeGreaterThanOrEqual(Math.min(exact, LARGEST_US));
        // Never beyond what was really seen, however wide the bucket.
        expect(found).toBeLessThanOrEqual(Math.max(...values));
        if (exact < 256) expect(found).toBe(exact);
        else if (exact <= LARGEST_US) expect(found).toBeLessThanOrEqual(exact * (1 + 1 / 128));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('counts, adds up, and keeps both ends exactly', () => {
    fc.assert(
      fc.property(samples, (values) => {
        const sumUs = values.reduce((sum, us) => sum + us, 0);
        const snapshot = histogramOf(values).snapshot();
        expect(snapshot).toMatchObject({
          count: values.length,
          sumUs,
          meanUs: sumUs / values.length,
          minUs: Math.min(...values),
          maxUs: Math.max(...values),
        });
        expect(snapshot.buckets.reduce((sum, [, count]) => sum + count, 0)).toBe(values.length);
      }),
      { seed: 2, numRuns: 200 },
    );
  });

  it('puts each value into a bucket of its own neighbourhood, in ascending order', () => {
    fc.assert(
      fc.property(samples, (values) => {
        const { buckets } = histogramOf(values).snapshot();
        const uppers = buckets.map(([upToUs]) => upToUs);
        expect(uppers).toEqual([...uppers].sort((a, b) => a - b));
        for (const us of values.filter((each) => each <= LARGEST_US)) {
          const upper = uppers.find((each) => each >= us)!;
          expect(upper - us).toBeLessThanOrEqual(us / 128);
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it('holds the sum of two when one is added to another', () => {
    fc.assert(
      fc.property(samples, samples, (one, other) => {
        const sum = histogramOf(one);
        sum.add(histogramOf(other));
        expect(sum.snapshot()).toEqual(histogramOf([...one, ...other]).snapshot());
      }),
      { seed: 4, numRuns: 100 },
    );
  });

  it.each([
    [0, 0],
    [-3, 0],
    [0.0004, 0],
    [0.0006, 1],
    [1.5, 1500],
    [12_345.6789, 12_345_679],
  ])('takes %d ms as %i µs', (ms, us) => {
    const histogram = new Histogram();
    histogram.recordMs(ms);
    expect(histogram.snapshot()).toMatchObject({ count: 1, minUs: us, maxUs: us });
  });

  it('keeps the longest exactly where it is beyond what it tells apart', () => {
    const histogram = histogramOf([5, 3 * LARGEST_US]);
    expect(histogram.snapshot()).toMatchObject({
      count: 2,
      maxUs: 3 * LARGEST_US,
      sumUs: 3 * LARGEST_US + 5,
    });
    expect(histogram.percentileUs(50)).toBe(5);
    expect(histogram.percentileUs(100)).toBe(LARGEST_US);
  });

  it('says null, and not 0, where it has measured nothing', () => {
    const empty = new Histogram();
    const nothing = { count: 0, sumUs: 0, minUs: null, maxUs: null, meanUs: null, buckets: [] };
    expect(empty.snapshot()).toEqual(nothing);
    expect(percentileUs(empty.snapshot(), 50)).toBeNull();
    const used = histogramOf([1, 2, 3]);
    used.reset();
    expect(used.snapshot()).toEqual(nothing);
  });
});

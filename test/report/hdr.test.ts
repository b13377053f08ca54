import hdr from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/base/histogram.js';
import { distributionOf } from '../../src/loadtest/distribution.js';
import type { Interval } from '../../src/loadtest/result.js';
import { hdrLog } from '../../src/report/loadtest/hdr.js';
import { comparable } from '../loadtest/comparable.js';

function intervalAt(atMs: number, timesMs: readonly number[]): Interval {
  const [response, wait] = [new Histogram(), new Histogram()];
  for (const ms of timesMs) {
    response.recordMs(ms);
    wait.recordMs(ms / 2);
  }
  return { atMs, lengthMs: 1000, response: distributionOf(response), wait: distributionOf(wait) };
}

/** What another program reads in the log, by tag. */
function read(log: string) {
  const reader = new hdr.HistogramLogReader(log);
  const found: { tag: string; startMs: number; endMs: number; histogram: ReturnType<typeof hdr.build> }[] =
    [];
  for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) {
    const histogram = next as ReturnType<typeof hdr.build>;
    found.push({
      tag: histogram.tag,
      startMs: histogram.startTimeStampMsec,
      endMs: histogram.endTimeStampMsec,
      histogram,
    });
  }
  return found;
}

describe('the HdrHistogram log', () => {
  const times = Array.from({ length: 1000 }, (_, i) => (i + 1) / 10);
  const log = hdrLog(comparable({}), [intervalAt(0, times), intervalAt(1000, [250]), intervalAt(2000, [])]);

  it('is read by other programs, stretch by stretch, at the times at which they were', () => {
    expect(
      read(log).map(({ tag, startMs, endMs, histogram }) => [tag, startMs, endMs, histogram.totalCount]),
    ).toEqual([
      ['response', Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1) + 1000, 1000],
      ['wait', Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1) + 1000, 1000],
      ['response', Date.UTC(2026, 0, 1) + 1000, Date.UTC(2026, 0, 1) + 2000, 1],
      ['wait', Date.UTC(2026, 0, 1) + 1000, Date.UTC(2026, 0, 1) + 2000, 1],
    ]);
  });

  it('holds the values as precisely as they were recorded', () => {
    const [response] = read(log);
    for (const percent of [1, 50, 90, 99, 99.9]) {
      const ms = (response?.histogram.getValueAtPercentile(percent) ?? 0) / 1e6;
      expect(ms / percent).toBeGreaterThan(0.98);
      expect(ms / percent).toBeLessThan(1.02);
    }
  });

  it('says the largest value of a line in milliseconds', () => {
    const [, max = ''] = /^Tag=response,1\.000,1\.000,([\d.]+),/m.exec(log) ?? [];
    expect(Number(max) / 250).toBeCloseTo(1, 1);
  });

  it('can be merged: the histograms of two runs add up', () => {
    const [first, , second] = read(log);
    first?.histogram.add(second?.histogram as never);
    expect(first?.histogram.totalCount).toBe(1001);
  });
});

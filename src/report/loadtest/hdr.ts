import hdr from 'hdr-histogram-js';
import type { Distribution } from '../../loadtest/distribution.js';
import type { Interval, LoadResult } from '../../loadtest/result.js';

/** As the tools that read these logs expect: values in nanoseconds, the maximum in milliseconds. */
const NS_PER_US = 1000;
const NS_PER_MS = 1e6;
/** The resolution of poolctl's own histograms. */
const DIGITS = 2;
/** The same range for all, so that any two can be added: two hours, more than poolctl tells apart. */
const HIGHEST_NS = 2 * 3_600_000 * NS_PER_MS;

/**
 * The response times of a run as an HdrHistogram log: an interval histogram for each stretch of the timeline, tagged
 * `response` and `wait`. Logs of several runs or processes can be merged, since histograms add up.
 */
export function hdrLog({ startedAt }: LoadResult, intervals: readonly Interval[]): string {
  let text = '';
  const writer = new hdr.HistogramLogWriter((line: string) => {
    text += line;
  });
  writer.outputLogFormatVersion();
  writer.outputComment('[Response times in nanoseconds, by poolctl loadtest]');
  writer.outputComment(
    `[StartTime: ${(Date.parse(startedAt) / 1000).toFixed(3)} (seconds since epoch), ${startedAt}]`,
  );
  writer.outputLegend();
  for (const { atMs, lengthMs, ...kinds } of intervals) {
    for (const tag of ['response', 'wait'] as const) {
      if (kinds[tag].count === 0) continue;
      const histogram = histogramOf(kinds[tag], tag);
      writer.outputIntervalHistogram(histogram, atMs / 1000, (atMs + lengthMs) / 1000, NS_PER_MS);
    }
  }
  return text;
}

function histogramOf({ bucketsUs }: Distribution, tag: string) {
  const histogram = hdr.build({
    ...{ bitBucketSize: 64, lowestDiscernibleValue: NS_PER_US, highestTrackableValue: HIGHEST_NS },
    numberOfSignificantValueDigits: DIGITS,
  });
  histogram.tag = tag;
  for (const [upToUs, count] of bucketsUs) histogram.recordValueWithCount(upToUs * NS_PER_US, count);
  return histogram;
}

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NOT_MEASURED } from '../../src/loadtest/client-meter.js';
import { adviseFeed } from '../../src/loadtest/feed/advice.js';
import { feedBottleneck } from '../../src/loadtest/feed/bottleneck.js';
import { FeedRecorder } from '../../src/loadtest/feed/recorder.js';
import { StampReader } from '../../src/loadtest/feed/stamp.js';
import { parseFeedThreshold } from '../../src/loadtest/feed/thresholds.js';
import type { FeedLoadResult, FeedMeasurements } from '../../src/loadtest/feed/types.js';
import { judgeFeed } from '../../src/loadtest/feed/verdict.js';
import { widthOf } from '../../src/report/text.js';
import type { FeedSnapshot } from '../../src/snapshot/feed.js';
import { renderersOf } from '../helpers/reports.js';

const feedLoadReports = await renderersOf('feedLoad');

const PLAIN = { color: false, unicode: true, width: 80, cwd: '/' };
/** Where feeds stamp their ticks; any day will do. */
const WALL_MS = Date.UTC(2026, 0, 5, 14, 30);

/** As far as the recorder asks a snapshot. */
function snapshotWith(feed: Partial<FeedSnapshot['feed']>): FeedSnapshot {
  const zero = { messages: 0, bytes: 0, strays: 0, notUnderstood: 0, repeated: 0, live: 30, pending: 0 };
  return { feed: { ...zero, ...feed } } as FeedSnapshot;
}

/** A second of a feed with a tick each 10 ms, each `ageMs(n)` old; then whatever `more` adds. */
function recorded(
  ageMs: (n: number) => number | null,
  more: (recorder: FeedRecorder) => void = () => {},
): FeedMeasurements {
  const recorder = new FeedRecorder(100, null);
  recorder.begin({ atMs: 0, snapshot: snapshotWith({}), slow: { conflated: 5, taken: 10 } });
  for (let n = 0; n < 100; n++) {
    const age = ageMs(n);
    const data = age === null ? { last: 1 } : { time: WALL_MS - age };
    recorder.tick(`SYM${n % 25}`, data, n * 10, WALL_MS);
  }
  more(recorder);
  const snapshot = snapshotWith({ messages: 100, bytes: 12_000, repeated: 0 });
  return recorder.finish({ atMs: 1000, snapshot, slow: { conflated: 45, taken: 70 } });
}

function resultWith(
  measurements: FeedMeasurements,
  changes: Partial<Pick<FeedLoadResult, 'server' | 'subscribing' | 'partial'>> & {
    readonly live?: number;
  } = {},
): FeedLoadResult {
  const { live = 30, server = null, partial = null } = changes;
  const { subscribing = { asked: 30, live: 30, refused: 0, refusals: [], tookMs: 412, connectMs: 31 } } =
    changes;
  const settings = {
    ...{ protocol: 'json', maxSymbolsPerConnection: 1000, maxConnections: 3, placement: 'first-fit' },
    ...{ batchesPerSecond: 4, durationMs: 1000, warmupMs: 0, refreshMs: 100 },
  };
  const judged = { measurements, subscribing, live, server };
  const bottleneck = feedBottleneck({ ...NOT_MEASURED, loopBusy: 0.12 });
  return {
    ...{
      schema: 1,
      kind: 'feed-loadtest',
      startedAt: new Date(WALL_MS).toISOString(),
      target: 'ws://127.0.0.1:8765',
    },
    environment: { poolctl: '1.0.0', node: 'v20.19.0', platform: 'linux x64', cores: 2 },
    ...{ settings, partial, subscribing, measurements, server },
    verdict: judgeFeed(judged),
    thresholds: [
      { expression: 'gaps<=0', actual: measurements.gaps, unit: 'count', passed: measurements.gaps === 0 },
    ],
    connections: [
      {
        ...{ id: 1, state: 'open', epoch: 1, symbols: 30, peakSymbols: 30, live, capacityUsed: 0.03 },
        ...{ messages: 100, ticks: 100, bytes: 12_000, lastTickAgoMs: 10, rttMs: 0.8, reconnects: 0 },
      },
    ],
    client: { ...NOT_MEASURED, loopBusy: 0.12, bottleneck },
    advice: adviseFeed({ ...judged, settings, bottleneck }),
  };
}

const FACTS = { opened: 3, peakSymbols: 30, peakConnections: 3, tooFast: 0, requests: 3 };
const SERVER = { sent: 104, received: 104, symbols: 30, serverSymbols: 30, facts: FACTS };

const RESULTS: Readonly<Record<string, FeedLoadResult>> = {
  good: resultWith(
    recorded((n) => n % 7),
    { server: SERVER },
  ),
  lossy: resultWith(
    recorded(
      () => 2,
      (recorder) => {
        const lost = { connectionId: 1, epoch: 1, cause: 'closed', symbols: 30 } as const;
        recorder.lost(
          { ...lost, error: new Error('ws://127.0.0.1:8765 broke the connection off') as never },
          400,
        );
        recorder.connectFailed();
        recorder.opened(1, 900);
        recorder.gap({
          ...{ connectionId: 1, cause: 'closed', fromMs: 400, toMs: 980 },
          symbols: [{ symbol: 'SYM1', lastSeq: 4 }],
        });
        recorder.look(950, 12);
      },
    ),
    { server: { ...SERVER, received: 90 }, live: 29, partial: 'interrupted' },
  ),
  silent: resultWith(
    new FeedRecorder(100, null).finish({ atMs: 0, snapshot: snapshotWith({}), slow: null }),
    {
      subscribing: {
        ...{ asked: 30, live: 28, refused: 2, tookMs: null, connectMs: 31 },
        refusals: [{ symbol: 'BAD', reason: 'unknown \u001b[2Jsymbol' }],
      },
      live: 28,
    },
  ),
  ahead: resultWith(recorded(() => -250)),
};

describe('the report of a load test of a feed', () => {
  it.each(Object.keys(RESULTS))('that is %s, as text', async (name) => {
    const result = RESULTS[name] as FeedLoadResult;
    const text = feedLoadReports.text(result, PLAIN);
    await expect(text).toMatchFileSnapshot(
      join(import.meta.dirname, '../../fixtures/report/feed-load', `${name}.txt`),
    );
    expect(text.split('\n').filter((line) => widthOf(line) > 80)).toEqual([]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be in it
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    const narrow = feedLoadReports.text(result, { ...PLAIN, width: 60, unicode: false });
    expect(narrow).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('as JSON is the result', () => {
    expect(JSON.parse(feedLoadReports.json(RESULTS.good as FeedLoadResult, PLAIN))).toMatchObject({
      schema: 1,
      kind: 'feed-loadtest',
      measurements: { ticks: 100, conflated: 40, taken: 60, symbolsHeard: 25, symbolsSilent: 5 },
    });
  });
});

describe('the stamps of ticks', () => {
  it.each([
    ['seconds', { ts: WALL_MS / 1000 }, 'ts', 's'],
    ['milliseconds', { symbol: 'A', E: WALL_MS }, 'E', 'ms'],
    ['microseconds', { timestamp: WALL_MS * 1000 }, 'timestamp', 'us'],
    ['nanoseconds', { time: WALL_MS * 1e6 }, 'time', 'ns'],
    ['a date', { time: new Date(WALL_MS).toISOString() }, 'time', 'text'],
  ])('are known as %s', (_what, data, field, unit) => {
    const reader = new StampReader(null);
    expect(reader.ageMs(data, WALL_MS + 40)).toBeCloseTo(40, 3);
    expect(reader.facts()).toMatchObject({ field, unit, stamped: 1, ahead: 0 });
  });

  it('are not taken from what is no time', () => {
    const reader = new StampReader(null);
    for (const data of [{ time: 5 }, { time: 'noon' }, { t: null }, 'text', null, {}])
      expect(reader.ageMs(data, WALL_MS)).toBeNull();
    expect(reader.facts()).toBeNull();
    const named = new StampReader('made');
    expect(named.ageMs({ time: WALL_MS }, WALL_MS)).toBeNull();
    expect(named.ageMs({ made: WALL_MS - 3 }, WALL_MS)).toBe(3);
  });
});

describe('a threshold of a feed', () => {
  it.each([
    ['latency.p99<50ms', true],
    ['latency.max<1ms', false],
    ['latency.mean<50ms', true],
    ['messages>=100/s', true],
    ['delivered>=100%', true],
    ['conflated<=10', false],
    ['lost<=0', true],
    ['gap<1ms', true],
  ])('%s', (expression, expected) => {
    const { compare, measure, limit } = parseFeedThreshold(expression);
    const { measurements, subscribing } = RESULTS.good as FeedLoadResult;
    const actual = measure({ measurements, subscribing, live: 30, server: SERVER });
    expect(actual !== null && compare(actual, limit)).toBe(expected);
  });

  it.each(['latency<5ms', 'p99<5ms', 'gaps', 'gaps=0', 'ticks>5', 'latency.p99<5'])(
    '%s is none',
    (expression) => {
      expect(() => parseFeedThreshold(expression)).toThrow(/threshold|not measured|wrong limit/);
    },
  );
});

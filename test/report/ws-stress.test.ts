import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StressResult, StressRound } from '../../src/lab/ws-stress/types.js';
import { widthOf } from '../../src/report/text.js';
import { renderersOf } from '../helpers/reports.js';

const wsStressReports = await renderersOf('wsStress');

const PLAIN = { color: false, unicode: true, width: 80, cwd: '/' };

const round = (changes: Partial<StressRound>): StressRound => ({
  name: 'subscribe',
  tookMs: 1034,
  lost: 0,
  causes: [],
  reconnectMs: null,
  resubscribeMs: null,
  gaps: 0,
  gapSymbols: 0,
  checks: [{ name: 'all are confirmed', ok: true, detail: '3000 of 3000' }],
  ...changes,
});

const RESULTS: Readonly<Record<string, StressResult>> = {
  passed: {
    ...{
      schema: 1,
      kind: 'ws-stress',
      protocol: 'json',
      symbols: 3000,
      maxSymbolsPerConnection: 1000,
      maxConnections: 3,
    },
    ...{ elapsedMs: 14_220, partial: false, passed: true },
    rounds: [
      round({}),
      round({
        ...{
          name: 'drop',
          tookMs: 2310,
          lost: 3,
          causes: ['closed'],
          reconnectMs: 612.3,
          resubscribeMs: 1005.1,
        },
        ...{ gaps: 3, gapSymbols: 3000 },
      }),
      round({
        name: 'mute',
        tookMs: 3120,
        lost: 1,
        causes: ['stale'],
        reconnectMs: 88.1,
        resubscribeMs: 1010,
      }),
    ],
    totals: {
      ...{ messages: 68_204, messagesPerSecond: 4796, bytes: 7_412_004, gaps: 4, gapSymbols: 4000 },
      ...{ conflated: 120, dropped: 0, strays: 3, refused: 5, repeated: 2, tooFast: 1 },
      ...{ peakSymbols: 1000, peakConnections: 3 },
    },
  },
  failed: {
    ...{
      schema: 1,
      kind: 'ws-stress',
      protocol: 'json',
      symbols: 250,
      maxSymbolsPerConnection: 100,
      maxConnections: 3,
    },
    ...{ elapsedMs: 1500, partial: true, passed: false },
    rounds: [
      round({
        checks: [
          { name: 'all are confirmed', ok: true, detail: '250 of 250' },
          { name: 'no symbol is on two connections', ok: false, detail: '1 are' },
        ],
      }),
    ],
    totals: {
      ...{ messages: 0, messagesPerSecond: 0, bytes: 0, gaps: 0, gapSymbols: 0, conflated: 0, dropped: 0 },
      ...{ strays: 0, refused: 0, repeated: 0, tooFast: 0, peakSymbols: 101, peakConnections: 3 },
    },
  },
};

describe('the report of a stressed feed', () => {
  it.each(Object.keys(RESULTS))('that %s, as text', async (name) => {
    const result = RESULTS[name] as StressResult;
    const text = wsStressReports.text(result, PLAIN);
    const golden = join(import.meta.dirname, '../../fixtures/report/ws-stress', `${name}.txt`);
    await expect(text).toMatchFileSnapshot(golden);
    expect(text.split('\n').filter((line) => widthOf(line) > 80)).toEqual([]);
    const colored = wsStressReports.text(result, { ...PLAIN, color: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are
    expect(colored.replace(/\u001b\[\d+m/g, '')).toBe(text);
  });

  it('as JSON is the result', () => {
    expect(JSON.parse(wsStressReports.json(RESULTS.failed as StressResult, PLAIN))).toEqual(RESULTS.failed);
  });
});

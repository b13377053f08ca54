import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type * as kit from '../../src/base/backoff.js';
import { backoffBoundMs, backoffMs } from '../../src/base/backoff.js';
import { seededRandom } from '../../src/base/random.js';
import { type Defect, loadPlanted } from '../helpers/planted.js';

const options = fc.record({ baseMs: fc.integer({ min: 1, max: 10_000 }), capMs: fc.nat({ max: 100_000 }) });
const jitter = fc.double({ min: 0, max: 1, noNaN: true });
const failures = fc.nat({ max: 2000 });

/** null, or what went wrong first. */
function counterExample({ backoffMs: wait, backoffBoundMs: bound }: typeof kit): string | null {
  const result = fc.check(
    fc.property(failures, options, jitter, fc.integer(), (n, range, share, seed) => {
      // By repeated doubling, without a power.
      let expected = range.baseMs;
      for (let i = 0; i < n && expected < range.capMs; i++) expected *= 2;
      expected = Math.min(expected, range.capMs);
      expect(bound(n, range)).toBe(expected);
      expect(wait(n, range, () => 1, share)).toBeCloseTo(expected, 6);
      expect(wait(n, range, () => 0, share)).toBeCloseTo(expected * (1 - share), 6);
      const random = seededRandom(seed);
      const drawn = seededRandom(seed)();
      expect(wait(n, range, random)).toBeCloseTo(expected * drawn, 6);
    }),
    { seed: 1, numRuns: 500 },
  );
  return result.failed ? String(result.errorInstance) : null;
}

const defects: Readonly<Record<string, Omit<Defect, 'file'>>> = {
  'the cap is forgotten': { line: 'Math.min(capMs, baseMs', instead: 'Math.max(0, baseMs' },
  'the first wait has doubled already': {
    line: '2 ** Math.min(failures, 30)',
    instead: '2 ** Math.min(failures + 1, 30)',
  },
  'the doubling ends too soon': { line: 'Math.min(failures, 30)', instead: 'Math.min(failures, 6)' },
  'the wait is not jittered unless asked for': { line: 'jitter = 1)', instead: 'jitter = 0)' },
  'the jitter lengthens the wait': { line: '(1 - random())', instead: '(random() - 1)' },
};

describe('the backoff', () => {
  it('draws from a bound that doubles up to its cap', () => {
    expect(counterExample({ backoffMs, backoffBoundMs })).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    expect(
      counterExample(await loadPlanted('base/backoff.ts', { file: 'base/backoff.ts', ...defect })),
    ).not.toBeNull();
  });

  it('spreads evenly, with full jitter over all of it, with half over its upper half', () => {
    const random = seededRandom(1);
    const draw = (share: number) =>
      Array.from({ length: 2000 }, () => backoffMs(0, { baseMs: 1000, capMs: 1000 }, random, share));
    for (const [share, from] of [
      [1, 0],
      [0.5, 500],
    ] as const) {
      const waits = draw(share);
      const tenths = Array.from({ length: 10 }, () => 0);
      for (const ms of waits) tenths[Math.floor(((ms - from) * 10) / (1000 - from))]!++;
      expect(Math.min(...tenths)).toBeGreaterThan(140);
      expect(Math.max(...tenths)).toBeLessThan(260);
    }
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { Redraw } from '../../src/sizing/redraw.js';

const recordings = fc
  .array(
    fc.record({
      gapMs: fc.integer({ min: 1, max: 40 }),
      workMs: fc.integer({ min: 1, max: 500 }),
      site: fc.integer({ min: 0, max: 3 }),
    }),
    { minLength: 2, maxLength: 300 },
  )
  .map((calls) => {
    let at = 0;
    return {
      load: {
        count: calls.length,
        arrivalMs: Float64Array.from(calls, ({ gapMs }) => (at += gapMs)),
        // The thousands tell the call site, so that a draw shows whose work it took.
        workMs: Float64Array.from(calls, ({ workMs, site }) => workMs + 1000 * site),
      },
      site: Int32Array.from(calls, ({ site }) => site),
    };
  });

describe('a recording that is drawn anew', () => {
  it('has arrivals in order and in the time of the recording, and work that was recorded', () => {
    fc.assert(
      fc.property(recordings, fc.integer(), ({ load, site }, seed) => {
        const drawn = new Redraw(load, site).draw(seededRandom(seed));
        const [first = 0, last = 0] = [load.arrivalMs[0], load.arrivalMs.at(-1)];
        const recorded = new Set(load.workMs);
        expect(drawn.arrivalMs).toHaveLength(drawn.count);
        expect(drawn.workMs).toHaveLength(drawn.count);
        expect(drawn.arrivalMs).toEqual(drawn.arrivalMs.slice().sort());
        for (const at of drawn.arrivalMs) {
          expect(at).toBeGreaterThanOrEqual(first - 1e-6);
          expect(at).toBeLessThanOrEqual(last + 1e-3);
        }
        for (const work of drawn.workMs) expect(recorded).toContain(work);
      }),
      { numRuns: 50 },
    );
  });

  it('has as many acquires and as much work of each call site on average', () => {
    const count = 3000;
    const site = Int32Array.from({ length: count }, (_, at) => (at % 5 === 0 ? 1 : 0));
    const load = {
      count,
      arrivalMs: Float64Array.from({ length: count }, (_, at) => 10 * at),
      workMs: Float64Array.from(site, (of, at) => (of === 1 ? 2000 : 1) + (at % 7)),
    };
    const redraw = new Redraw(load, site);
    const random = seededRandom(5);
    const draws = Array.from({ length: 40 }, () => redraw.draw(random));
    const mean = (of: (load: { count: number; workMs: Float64Array }) => number) =>
      draws.reduce((sum, one) => sum + of(one), 0) / draws.length / of(load);
    expect(mean((one) => one.count)).toBeCloseTo(1, 1);
    expect(mean((one) => one.workMs.filter((work) => work >= 2000).length)).toBeCloseTo(1, 1);
  });

  it('keeps bursts together and the curve of the day in its place', () => {
    // All arrivals are in the second half, ten at a time.
    const arrivalMs = Float64Array.from({ length: 1000 }, (_, at) =>
      at === 0 ? 0 : 50_000 + 500 * Math.floor(at / 10),
    );
    const load = { count: 1000, arrivalMs, workMs: new Float64Array(1000).fill(1) };
    const drawn = new Redraw(load, new Int32Array(1000)).draw(seededRandom(1));
    const early = drawn.arrivalMs.filter((at) => at > 0 && at < 45_000);
    expect(early).toHaveLength(0);
    const groups = new Map<number, number>();
    for (const at of drawn.arrivalMs) groups.set(Math.round(at), (groups.get(Math.round(at)) ?? 0) + 1);
    const whole = [...groups.values()].filter((size) => size >= 10).length;
    expect(whole).toBeGreaterThan(0.9 * groups.size);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type * as kit from '../../src/base/alarm.js';
import { Alarm } from '../../src/base/alarm.js';
import { type Defect, loadPlanted } from '../helpers/planted.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

type Step =
  | { readonly act: 'set' | 'wait' | 'block'; readonly ms: number }
  | { readonly act: 'clear' | 'turn off' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ act: fc.constantFrom('set', 'wait', 'block'), ms: fc.nat({ max: 60 }) }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('clear' as const) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('turn off' as const) }) },
  ),
  { maxLength: 40, size: 'max' },
);

/** null, or what went wrong first. */
async function counterExample(Made: typeof Alarm): Promise<string | null> {
  const result = await fc.check(
    fc.asyncProperty(steps, fc.boolean(), async (all, background) => {
      const clock = new VirtualClock();
      let expected = Number.POSITIVE_INFINITY;
      let isOff = false;
      const alarm = new Made(
        clock,
        (lateMs) => {
          if (isOff) throw new Error('it rang though it is off');
          // It has been set, and never rings before its time; it says how late it is.
          expect(clock.now() - lateMs).toBe(expected);
          expect(lateMs).toBeGreaterThanOrEqual(0);
          expected = Number.POSITIVE_INFINITY;
        },
        { background },
      );
      for (const step of all) {
        switch (step.act) {
          case 'set': {
            const at = clock.now() + step.ms;
            alarm.set(at, clock.now());
            if (!isOff) expected = Math.min(expected, at);
            break;
          }
          case 'clear':
            alarm.clear();
            expected = Number.POSITIVE_INFINITY;
            break;
          case 'turn off':
            alarm.turnOff();
            isOff = true;
            expected = Number.POSITIVE_INFINITY;
            break;
          case 'wait':
            await clock.advance(step.ms);
            // What was due has rung.
            expect(expected).toBeGreaterThan(clock.now());
            break;
          case 'block':
            clock.block(step.ms);
            break;
        }
        const timers = expected === Number.POSITIVE_INFINITY ? 0 : 1;
        expect(clock.timers).toEqual({
          foreground: background ? 0 : timers,
          background: background ? timers : 0,
        });
        if (!isOff) expect(alarm.at).toBe(expected);
      }
    }),
    { seed: 1, numRuns: 300, endOnFailure: true },
  );
  return result.failed ? String(result.errorInstance) : null;
}

const defects: Readonly<Record<string, Omit<Defect, 'file'>>> = {
  'a later moment puts off a sooner one': {
    line: 'if (at >= this.#at || this.#isOff) return;',
    instead: 'if (this.#isOff) return;',
  },
  'a sooner moment leaves the later timer': {
    line: 'this.#timer?.cancel();\n    this.#at = at;',
    instead: 'this.#at = at;',
  },
  'it can be set again after it was turned off': { line: ' || this.#isOff', instead: '' },
  'it stays set after it rang': {
    line: 'this.#timer = null;\n    this.#at = Number.POSITIVE_INFINITY;\n    this.#ring',
    instead: 'this.#ring',
  },
  'clearing leaves its time': {
    line: 'this.#at = Number.POSITIVE_INFINITY;\n  }\n\n  /** It never',
    instead: '}\n\n  /** It never',
  },
  'all alarms keep the process alive': {
    line: '{ background: this.#background }',
    instead: '{ background: false }',
  },
  'it does not say how late it is': { line: 'this.#ring(lateMs)', instead: 'this.#ring(0)' },
};

describe('an alarm', () => {
  it('rings once at the soonest of its moments', async () => {
    expect(await counterExample(Alarm)).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const file = 'base/alarm.ts';
    expect(
      await counterExample((await loadPlanted<typeof kit>(file, { file, ...defect })).Alarm),
    ).not.toBeNull();
  });
});

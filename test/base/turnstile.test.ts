import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlidingLog } from '../../src/base/sliding-log.js';
import { TokenBucket } from '../../src/base/token-bucket.js';
import type * as kit from '../../src/base/turnstile.js';
import { Turnstile } from '../../src/base/turnstile.js';
import { type Defect, loadPlanted } from '../helpers/planted.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

type Step =
  | { readonly act: 'enter' | 'enter two' | 'try' }
  | { readonly act: 'leave'; readonly nth: number }
  | { readonly act: 'pause' | 'wait'; readonly ms: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ act: fc.constantFrom('enter', 'enter two', 'try') }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('leave' as const), nth: fc.nat() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        act: fc.constantFrom('wait', 'wait', 'wait', 'pause'),
        // A token comes back every 100 ms, and whoever waits for it goes a millisecond later.
        ms: fc.oneof(fc.constantFrom(1, 99, 100), fc.nat({ max: 50 }), fc.nat({ max: 1000 })),
      }),
    },
  ),
  { maxLength: 60, size: 'max' },
);

const [PER_SECOND, BURST, IN_WINDOW, WINDOW_MS] = [10, 3, 5, 1000];

/** null, or what went wrong first. */
async function counterExample(Made: typeof Turnstile): Promise<string | null> {
  const result = await fc.check(
    fc.asyncProperty(steps, async (all) => {
      const clock = new VirtualClock();
      const gate = new Made(clock, [
        new TokenBucket({ perSecond: PER_SECOND, burst: BURST }, 0),
        new SlidingLog(IN_WINDOW, WINDOW_MS),
      ]);
      const went: { id: number; at: number }[] = [];
      const left: number[] = [];
      const inside = new Map<number, () => void>();
      let ids = 0;
      let pausedUntil = 0;
      const pass = (id: number): void => {
        expect(clock.now()).toBeGreaterThanOrEqual(pausedUntil);
        inside.delete(id);
        went.push({ id, at: clock.now() });
      };
      const enter = (also: boolean): void => {
        const id = ids++;
        const leave = gate.enter(() => {
          pass(id);
          if (also) enter(false);
        });
        if (leave === null) expect(went.some((one) => one.id === id)).toBe(true);
        else if (!went.some((one) => one.id === id)) inside.set(id, leave);
      };
      for (const step of all) {
        switch (step.act) {
          case 'enter':
          case 'enter two':
            enter(step.act === 'enter two');
            break;
          case 'try': {
            const waited = gate.waiting > 0;
            const passed = gate.tryPass();
            if (passed) {
              expect(waited).toBe(false);
              pass(ids++);
            }
            break;
          }
          case 'leave': {
            const [id, leave] = [...inside][step.nth % Math.max(1, inside.size)] ?? [];
            if (id === undefined) break;
            leave?.();
            leave?.();
            inside.delete(id);
            left.push(id);
            break;
          }
          case 'pause':
            gate.pause(step.ms);
            pausedUntil = Math.max(pausedUntil, clock.now() + step.ms);
            break;
          case 'wait':
            await clock.advance(step.ms);
            break;
        }
        expect(gate.waiting).toBe(inside.size);
        // A timer stands exactly while somebody waits for it.
        expect(clock.timers.foreground).toBe(inside.size > 0 ? 1 : 0);
      }
      // Sooner or later everybody goes who has not left, in the order of entering.
      await clock.advance(60_000);
      expect(gate.waiting).toBe(0);
      const ordered = went.map(({ id }) => id);
      expect(ordered).toEqual([...ordered].sort((a, b) => a - b));
      expect([...ordered, ...left].sort((a, b) => a - b)).toEqual(Array.from({ length: ids }, (_, id) => id));
      // Both limits hold.
      went.forEach(({ at }, i) => {
        const inWindow = went.slice(i).filter((one) => one.at < at + WINDOW_MS).length;
        expect(inWindow).toBeLessThanOrEqual(IN_WINDOW);
        const inBurst = went.slice(i).filter((one) => one.at < at + 1000 / PER_SECOND).length;
        expect(inBurst).toBeLessThanOrEqual(BURST + 1);
      });
    }),
    { seed: 1, numRuns: 200, endOnFailure: true },
  );
  return result.failed ? String(result.errorInstance) : null;
}

const defects: Readonly<Record<string, Omit<Defect, 'file'>>> = {
  'one that comes overtakes those who wait': {
    line: 'if (this.#turns.length > 0) return false;',
    instead: '',
  },
  'only the last limit is asked': {
    line: 'at = Math.max(at, limit.roomAt(now))',
    instead: 'at = Math.max(now, this.#pausedUntil, limit.roomAt(now))',
  },
  'only one limit is told': {
    line: 'for (const limit of this.#limits) limit.note(now);',
    instead: 'this.#limits[0]?.note(now);',
  },
  'a pause does not hold back those who wait already': {
    line: 'Math.max(this.#pausedUntil, now + ms)',
    instead: 'this.#turns.length > 0 ? 0 : now + ms',
  },
  'the timer of one who has left stays': {
    line: 'if (this.#turns.length === 0) this.#alarm.clear();',
    instead: '',
  },
  'one that leaves twice takes another along': { line: 'if (turn.settled) return;', instead: '' },
  'those who wait are forgotten after a round': {
    line: 'this.#setAlarm(this.#clock.now());\n    }',
    instead: '}',
  },
};

describe('a turnstile', () => {
  it('lets everybody through, in order, within all limits', async () => {
    expect(await counterExample(Turnstile)).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const file = 'base/turnstile.ts';
    expect(
      await counterExample((await loadPlanted<typeof kit>(file, { file, ...defect })).Turnstile),
    ).not.toBeNull();
  });

  it('goes on with the others where one throws', async () => {
    const clock = new VirtualClock();
    const gate = new Turnstile(clock, [new TokenBucket({ perSecond: 10, burst: 1 }, 0)]);
    let went = 0;
    gate.tryPass();
    gate.enter(() => {
      throw new Error('in a turn');
    });
    gate.enter(() => went++);
    await expect(clock.advance(150)).rejects.toThrow('in a turn');
    await clock.advance(150);
    expect(went).toBe(1);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Limit } from '../../src/base/limit.js';
import type * as counters from '../../src/base/rolling-counter.js';
import { RollingCounter } from '../../src/base/rolling-counter.js';
import type * as logs from '../../src/base/sliding-log.js';
import { SlidingLog } from '../../src/base/sliding-log.js';
import type * as buckets from '../../src/base/token-bucket.js';
import { TokenBucket } from '../../src/base/token-bucket.js';
import { type Defect, loadPlanted } from '../helpers/planted.js';

type Defects = Readonly<Record<string, Omit<Defect, 'file'>>>;

const runs = { seed: 1, numRuns: 100, endOnFailure: true } as const;

function outcomeOf<T>(result: fc.RunDetails<T>): string | null {
  return result.failed ? String(result.errorInstance) : null;
}

/** Waits of a sender, in milliseconds; between them it sends as soon as it may. */
const pauses = fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 50 }), fc.nat({ max: 3000 })), {
  maxLength: 60,
  size: 'max',
});

/** When a sender got through that always waits until there is room. */
function sendAll(limit: Limit, all: readonly number[]): number[] {
  const times: number[] = [];
  let now = 0;
  for (const pauseMs of all) {
    now += pauseMs;
    const at = limit.roomAt(now);
    if (at < now) throw new Error('there was room in the past');
    // A millisecond more is what all who wait for a limit allow for the rounding.
    if (at > now) now = at + 1;
    if (limit.roomAt(now) !== now) throw new Error('there is no room when it was promised');
    limit.note(now);
    times.push(now);
  }
  return times;
}

describe('a token bucket', () => {
  const options = fc.record({
    perSecond: fc.double({ min: 0.1, max: 500, noNaN: true }),
    burst: fc.integer({ min: 1, max: 20 }),
  });

  /** In any stretch of time no more go than the burst and what has come back; and no wait is longer than it must be. */
  function counterExample(Made: typeof TokenBucket): string | null {
    return outcomeOf(
      fc.check(
        fc.property(options, pauses, (rate, all) => {
          const times = sendAll(new Made(rate, 0), all);
          times.forEach((from, i) => {
            for (let j = i; j < times.length; j++) {
              const most = rate.burst + ((times[j]! - from) * rate.perSecond) / 1000;
              if (j - i + 1 > most + 1e-6) throw new Error(`${j - i + 1} went where ${most} may`);
            }
          });
          // It is not too strict either: one that does not wait has not been promised less than a token.
          const greedy = new Made(rate, 0);
          for (let i = 0; i < rate.burst; i++) {
            expect(greedy.roomAt(0)).toBe(0);
            greedy.note(0);
          }
          expect(greedy.roomAt(0)).toBeCloseTo(1000 / rate.perSecond, 6);
        }),
        runs,
      ),
    );
  }

  const defects: Defects = {
    'the burst is no bound': { line: 'Math.min(this.#burst, ', instead: 'Math.min(Infinity, ' },
    'time is counted twice': { line: 'this.#filledAt = now;\n  }\n}', instead: '  }\n}' },
    'half a token is enough': { line: '>= 1 ? now', instead: '>= 0.5 ? now' },
    'it waits for a whole token more than it lacks': {
      line: '(1 - this.#tokens) /',
      instead: '(2 - this.#tokens) /',
    },
    'nothing is taken': { line: 'this.#tokens--;', instead: '' },
  };

  it('holds its average and its burst', () => {
    expect(counterExample(TokenBucket)).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const file = 'base/token-bucket.ts';
    expect(
      counterExample((await loadPlanted<typeof buckets>(file, { file, ...defect })).TokenBucket),
    ).not.toBeNull();
  });
});

describe('a sliding log', () => {
  type Step =
    | { readonly act: 'wait'; readonly ms: number }
    | { readonly act: 'note' }
    | { readonly act: 'let in'; readonly weight: 1 | 2 }
    | { readonly act: 'sent'; readonly nth: number };

  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      fc.record({
        act: fc.constant('wait' as const),
        ms: fc.oneof(fc.nat({ max: 10 }), fc.nat({ max: 200 })),
      }),
      fc.record({ act: fc.constant('note' as const) }),
      fc.record({ act: fc.constant('let in' as const), weight: fc.constantFrom(1, 2) }),
      fc.record({ act: fc.constant('sent' as const), nth: fc.nat() }),
    ),
    { maxLength: 80, size: 'max' },
  );

  const WINDOW_MS = 100;

  /** Against a plain list of all that was ever let in: what counts at a moment, and when there is room. */
  function counterExample(Made: typeof SlidingLog): string | null {
    return outcomeOf(
      fc.check(
        fc.property(steps, fc.integer({ min: 1, max: 8 }), (all, most) => {
          const log = new Made(most, WINDOW_MS);
          const known: {
            readonly weight: number;
            sentAt: number | null;
            readonly entry: logs.LogEntry | null;
          }[] = [];
          const usedAt = (at: number): number =>
            known
              .filter(({ sentAt }) => sentAt === null || sentAt + WINDOW_MS > at)
              .reduce((sum, { weight }) => sum + weight, 0);
          let now = 0;
          for (const step of all) {
            switch (step.act) {
              case 'wait':
                now += step.ms;
                break;
              case 'note':
                log.note(now);
                known.push({ weight: 1, sentAt: now, entry: null });
                break;
              case 'let in':
                known.push({ weight: step.weight, sentAt: null, entry: log.letIn(step.weight) });
                break;
              case 'sent': {
                const pending = known.filter(({ sentAt }) => sentAt === null);
                const one = pending[step.nth % Math.max(1, pending.length)];
                if (one === undefined) break;
                one.sentAt = now;
                log.sent(one.entry!, now);
                // Said again it changes nothing.
                log.sent(one.entry!, now);
                break;
              }
            }
            expect(log.used(now)).toBe(usedAt(now));
            for (const weight of [1, 2]) {
              const fits = (at: number): boolean => usedAt(at) === 0 || usedAt(at) + weight <= most;
              expect(log.hasRoom(now, weight)).toBe(fits(now));
              const ends = known.flatMap(({ sentAt }) => (sentAt === null ? [] : sentAt + WINDOW_MS));
              const expected = [now, ...ends.filter((at) => at > now).sort((a, b) => a - b)].find(fits);
              expect(log.roomAt(now, weight)).toBe(expected ?? Number.POSITIVE_INFINITY);
            }
          }
        }),
        runs,
      ),
    );
  }

  const defects: Defects = {
    'an entry is forgotten a moment too early': {
      line: '+ this.#windowMs > now) return;',
      instead: '+ this.#windowMs - 1 > now) return;',
    },
    'one that is not sent yet does not count': {
      line: 'this.#pending.add(entry);\n    this.#weight += weight;',
      instead: 'this.#pending.add(entry);',
    },
    'the window begins when it is let in': {
      line: 'entry.sentAt = now;',
      instead: 'entry.sentAt = now - 1;',
    },
    'one is entered twice that says so twice': {
      line: 'if (!this.#pending.delete(entry)) return;',
      instead: '',
    },
    'weights do not count for the room': {
      line: 'this.#weight + weight <= most;',
      instead: 'this.#weight + 1 <= most;',
    },
    'the room is promised for one entry too early': {
      line: 'left -= entry.weight;\n      if (left === 0',
      instead: 'left -= 2 * entry.weight;\n      if (left === 0',
    },
  };

  it('counts what a list counts, and says when there is room', () => {
    expect(counterExample(SlidingLog)).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const file = 'base/sliding-log.ts';
    expect(
      counterExample((await loadPlanted<typeof logs>(file, { file, ...defect })).SlidingLog),
    ).not.toBeNull();
  });

  it('holds in every window, wherever it begins', () => {
    fc.assert(
      fc.property(pauses, fc.integer({ min: 1, max: 10 }), (all, most) => {
        const times = sendAll(new SlidingLog(most, 1000), all);
        times.forEach((from, i) => {
          const later = times[i + most];
          if (later !== undefined) expect(later - from).toBeGreaterThanOrEqual(1000);
        });
      }),
      runs,
    );
  });
});

describe('a rolling counter', () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.constant('add' as const) },
      { weight: 1, arbitrary: fc.constant('clear' as const) },
      { weight: 8, arbitrary: fc.nat({ max: 400 }) },
    ),
    {
      maxLength: 80,
      size: 'max',
    },
  );

  /** What it counts lies between the window without its oldest bucket and the whole window. */
  function counterExample(Made: typeof RollingCounter): string | null {
    return outcomeOf(
      fc.check(
        fc.property(steps, fc.integer({ min: 1, max: 12 }), fc.nat({ max: 1e6 }), (all, parts, start) => {
          const [windowMs, bucketMs] = [1200, 1200 / parts];
          const counter = new Made(windowMs, parts);
          let times: number[] = [];
          let now = start;
          for (const step of all) {
            if (step === 'add') {
              counter.add(now);
              times.push(now);
            } else if (step === 'clear') {
              counter.clear();
              times = [];
            } else now += step;
            const newest = Math.floor(now / bucketMs);
            const expected = times.filter((at) => Math.floor(at / bucketMs) > newest - parts).length;
            expect(counter.total(now)).toBe(expected);
            expect(expected).toBeLessThanOrEqual(times.filter((at) => at > now - windowMs).length);
            expect(expected).toBeGreaterThanOrEqual(
              times.filter((at) => at > now - windowMs + bucketMs).length,
            );
          }
        }),
        runs,
      ),
    );
  }

  const defects: Defects = {
    'old buckets stay': { line: 'this.#total -= this.#counts[past % buckets]!;', instead: '' },
    'a bucket is emptied only in the total': { line: 'this.#counts[past % buckets] = 0;', instead: '' },
    'a long pause is not looked through': { line: 'newest - buckets + 1)', instead: 'newest - 1)' },
    'clearing leaves the total': {
      line: 'this.#counts.fill(0);\n    this.#total = 0;',
      instead: 'this.#counts.fill(0);',
    },
    'clearing leaves the buckets': { line: 'this.#counts.fill(0);', instead: '' },
  };

  it('counts what is within its window, to one bucket', () => {
    expect(counterExample(RollingCounter)).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const file = 'base/rolling-counter.ts';
    const planted = await loadPlanted<typeof counters>(file, { file, ...defect });
    expect(counterExample(planted.RollingCounter)).not.toBeNull();
  });
});

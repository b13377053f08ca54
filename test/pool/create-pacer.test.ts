import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { CreatePacer, type Demand } from '../../src/pool/create-pacer.js';

function demand(changes: Partial<Demand> = {}): Demand {
  return { wanted: 100, waiting: 100, busy: true, overflow: false, served: 0, ...changes };
}

/** Waits are up to half shorter, at random; these tests look at the longest. */
const longest = (): number => 1;

/** How many are begun at each of these times, each as many as allowed. */
function begun(
  pacer: CreatePacer,
  times: readonly number[],
  at: (now: number) => Demand = () => demand(),
): number[] {
  return times.map((now) => {
    const allowed = pacer.allowed(now, at(now));
    for (let i = 0; i < allowed; i++) pacer.started(now);
    return allowed;
  });
}

describe('the pace of creates', () => {
  it('is all at once while nothing is out', () => {
    const pacer = new CreatePacer(longest);
    expect(pacer.allowed(0, demand({ busy: false, wanted: 7 }))).toBe(7);
  });

  it('is one, and then more and more, while leases are out', () => {
    const pacer = new CreatePacer(longest);
    expect(begun(pacer, [0, 1, 9, 10, 15, 20, 30, 40])).toEqual([1, 0, 0, 1, 0, 2, 4, 8]);
  });

  it('is never above what is wanted; what is left over can be used later', () => {
    const pacer = new CreatePacer(longest);
    begun(pacer, [0, 10, 20]);
    const few = demand({ wanted: 3 });
    expect(begun(pacer, [30, 31], () => few)).toEqual([3, 1]);
  });

  it('begins anew with each spell of waiting', () => {
    const pacer = new CreatePacer(longest);
    begun(pacer, [0, 10, 20, 30]);
    pacer.restart();
    expect(begun(pacer, [35, 36, 45])).toEqual([1, 0, 1]);
  });

  it('tells when to ask again', () => {
    const pacer = new CreatePacer(longest);
    begun(pacer, [0]);
    expect(pacer.nextAt(3)).toBe(10);
    pacer.failed(5);
    expect(pacer.nextAt(6)).toBe(55);
  });

  it('is no smaller after creates that needed no leave', () => {
    const pacer = new CreatePacer(longest);
    begun(pacer, [0]);
    expect(begun(pacer, [1], () => demand({ busy: false, wanted: 7 }))).toEqual([7]);
    expect(begun(pacer, [10, 20])).toEqual([1, 2]);
  });

  it('knows how long a create takes, the newest counting for three tenths', () => {
    // 10 ms is what it begins with: 10 + 0.3 * (200 - 10) = 67, in which one a millisecond is served.
    for (const [waiting, second] of [
      [66, 0],
      [67, 0],
      [68, 1],
    ] as const) {
      const pacer = new CreatePacer(longest);
      pacer.succeeded(200);
      const brisk = (now: number) => demand({ overflow: true, waiting, served: now });
      expect(begun(pacer, [0, 10], brisk), `${waiting} waiting`).toEqual([1, second]);
    }
  });

  it('opens no overflow while releases would serve the waiters sooner than a create', () => {
    const pacer = new CreatePacer(longest);
    pacer.succeeded(200);
    // One is served each millisecond: in the 67 ms that a create takes by now, all ten who wait.
    const brisk = (now: number) => demand({ overflow: true, waiting: 10, served: now });
    expect(begun(pacer, [0, 10, 20, 30], brisk)).toEqual([1, 0, 0, 0]);
    const slow = (now: number) => demand({ overflow: true, waiting: 10, served: 30 + now / 50 });
    expect(begun(pacer, [40, 50, 60], slow)).toEqual([1, 2, 4]);
  });
});

describe('after a failed create', () => {
  it('the next is put off for twice as long each time, up to two seconds', () => {
    const pacer = new CreatePacer(longest);
    const delays = Array.from({ length: 8 }, (_, i) => pacer.failed(i * 10_000) - i * 10_000);
    expect(delays).toEqual([50, 100, 200, 400, 800, 1600, 2000, 2000]);
  });

  it('that is up to half of it shorter, so that pools do not knock together', () => {
    const pacer = new CreatePacer(seededRandom(1));
    const delays = Array.from({ length: 50 }, () => pacer.failed(0)).slice(10);
    for (const delay of delays) {
      expect(delay).toBeGreaterThan(1000);
      expect(delay).toBeLessThanOrEqual(2000);
    }
    expect(new Set(delays).size).toBeGreaterThan(30);
  });

  it('one at a time finds out whether the trouble is over, and does not wait for one that hangs', () => {
    const pacer = new CreatePacer(longest);
    const idle = () => demand({ busy: false });
    pacer.failed(0);
    expect(begun(pacer, [0, 49, 50, 51, 99, 100], idle)).toEqual([0, 0, 1, 0, 0, 1]);
  });

  it('one that succeeds lets all the others begin', () => {
    const pacer = new CreatePacer(longest);
    pacer.failed(0);
    pacer.failed(0);
    expect(pacer.failures).toBe(2);
    pacer.succeeded(10);
    expect(pacer.failures).toBe(0);
    expect(pacer.allowed(1, demand({ busy: false, wanted: 9 }))).toBe(9);
  });
});

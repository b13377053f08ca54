import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type * as kit from '../../src/base/waiter-queue.js';
import { Queued, WaiterQueue } from '../../src/base/waiter-queue.js';
import { type Defect, loadPlanted } from '../helpers/planted.js';

type Step =
  | { readonly act: 'push'; readonly timeoutMs: number }
  | { readonly act: 'unshift'; readonly timeoutMs: number }
  | { readonly act: 'shift' }
  | { readonly act: 'postpone'; readonly nth: number; readonly ms: number }
  | { readonly act: 'postpone due'; readonly ms: number }
  | { readonly act: 'remove'; readonly nth: number }
  | { readonly act: 'pass'; readonly ms: number };

const timeoutMs = fc.oneof(fc.constantFrom(100, Number.POSITIVE_INFINITY), fc.nat({ max: 300 }));

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ act: fc.constant('push' as const), timeoutMs }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('unshift' as const), timeoutMs }) },
    {
      weight: 1,
      arbitrary: fc.record({
        act: fc.constant('postpone' as const),
        nth: fc.nat(),
        ms: fc.nat({ max: 200 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ act: fc.constant('postpone due' as const), ms: fc.nat({ max: 200 }) }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('shift' as const) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('remove' as const), nth: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('pass' as const), ms: fc.nat({ max: 40 }) }) },
  ),
  { maxLength: 300, size: 'max' },
);

/** A queue, and beside it the plain array that it must agree with. */
class Model {
  readonly queue: WaiterQueue<Queued>;
  readonly waiters: Queued[] = [];
  now = 0;

  /** The usual case, without a heap until one is postponed. */
  readonly #equalTimeouts: boolean;

  constructor(Made: typeof WaiterQueue, equalTimeouts: boolean) {
    this.queue = new Made<Queued>();
    this.#equalTimeouts = equalTimeouts;
  }

  play(step: Step): void {
    switch (step.act) {
      case 'push': {
        const waiter = new Queued(this.now, this.#equalTimeouts ? 100 : step.timeoutMs);
        this.waiters.push(waiter);
        expect(this.queue.push(waiter)).toBe(this.waiters.length);
        return;
      }
      case 'unshift': {
        if (this.#equalTimeouts) return;
        const waiter = new Queued(this.now, step.timeoutMs);
        this.waiters.unshift(waiter);
        this.queue.unshift(waiter);
        return;
      }
      case 'postpone': {
        const waiter = this.waiters[step.nth % Math.max(1, this.waiters.length)];
        if (waiter !== undefined) this.queue.postpone(waiter, waiter.deadline + step.ms);
        return;
      }
      case 'postpone due': {
        const due = this.queue.firstDue(this.now + 50);
        if (due !== null) this.queue.postpone(due, due.deadline + step.ms);
        return;
      }
      case 'shift':
        expect(this.queue.shift()).toBe(this.waiters.shift() ?? null);
        return;
      case 'remove': {
        if (this.waiters.length === 0) return;
        const [waiter] = this.waiters.splice(step.nth % this.waiters.length, 1);
        this.queue.remove(waiter!);
        expect(waiter!.settled).toBe(true);
        return;
      }
      case 'pass':
        this.now += step.ms;
        this.#expire();
        return;
    }
  }

  #expire(): void {
    for (let due = this.#soonest(); due !== undefined && due.deadline <= this.now; due = this.#soonest()) {
      const taken = this.queue.shiftDue(this.now);
      // Several may be due at the same moment; any of those is right.
      expect(taken?.deadline).toBe(due.deadline);
      expect(this.waiters).toContain(taken);
      this.waiters.splice(this.waiters.indexOf(taken!), 1);
    }
    expect(this.queue.shiftDue(this.now)).toBeNull();
  }

  #soonest(): Queued | undefined {
    return [...this.waiters].sort((a, b) => a.deadline - b.deadline || 0)[0];
  }

  check(): void {
    expect([...this.queue]).toEqual(this.waiters);
    expect(this.queue.length).toBe(this.waiters.length);
    expect(this.queue.first).toBe(this.waiters[0] ?? null);
    expect(this.queue.nextDeadline()).toBe(this.#soonest()?.deadline ?? Number.POSITIVE_INFINITY);
    expect(this.waiters.some(({ settled }) => settled)).toBe(false);
  }
}

/** null, or what went wrong first. */
function counterExample(Made: typeof WaiterQueue): string | null {
  const result = fc.check(
    fc.property(steps, fc.boolean(), (all, equalTimeouts) => {
      const model = new Model(Made, equalTimeouts);
      for (const step of all) {
        model.play(step);
        model.check();
      }
    }),
    { seed: 1, numRuns: 80, endOnFailure: true },
  );
  return result.failed ? String(result.errorInstance) : null;
}

const defects: Readonly<Record<string, Omit<Defect, 'file'>>> = {
  'the heap is not made for one that expires before those ahead of it': {
    line: 'waiter.timeoutMs < last.timeoutMs &&',
    instead: 'waiter.timeoutMs < last.timeoutMs - 150 &&',
  },
  'the heap is not made for one put in front that expires later': {
    line: 'waiter.deadline > first.deadline)',
    instead: 'waiter.deadline > first.deadline + 150)',
  },
  'one that is put in front is not in the heap': {
    line: 'this.#first = waiter;\n    this.#length++;\n    if (this.#heap !== null) this.#heap.push(waiter);',
    instead: 'this.#first = waiter;\n    this.#length++;\n    if (this.#heap !== null) void 0;',
  },
  'one that is postponed keeps its place among the deadlines': {
    line: 'else this.#heap = sortedByDeadline(this.#heap);',
    instead: '',
  },
  'one that is postponed at the front hides those that are due': {
    line: 'waiter.next.deadline < deadline) this.#heap = new DeadlineHeap(this);',
    instead: 'waiter.next.deadline < 0) this.#heap = new DeadlineHeap(this);',
  },
  'one that leaves from the middle takes those behind it along': {
    line: 'else waiter.previous.next = waiter.next;',
    instead: 'else waiter.previous.next = null;',
  },
  'a deadline that has just been reached is not due': {
    line: 'soonest.deadline > now',
    instead: 'soonest.deadline >= now',
  },
};

describe('the queue of waiters', () => {
  it('agrees with an array that is searched for the next deadline', () => {
    expect(counterExample(WaiterQueue)).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const file = 'base/waiter-queue.ts';
    const planted = await loadPlanted<typeof kit>(file, { file, ...defect });
    expect(counterExample(planted.WaiterQueue)).not.toBeNull();
  });

  it('forgets those who have left, though their deadlines were far off', () => {
    const queue = new WaiterQueue<Queued>();
    queue.push(new Queued(0, 1000));
    // An earlier deadline behind a later one: from here on there is a heap.
    const early = new Queued(0, 10);
    queue.push(early);
    for (let i = 0; i < 1000; i++) {
      const waiter = new Queued(0, 500 + (i % 7));
      queue.push(waiter);
      queue.remove(waiter);
    }
    expect(queue.nextDeadline()).toBe(10);
    queue.remove(early);
    expect([queue.length, queue.nextDeadline()]).toEqual([1, 1000]);
  });

  it('stops listening to the signal of one who leaves', () => {
    const queue = new WaiterQueue<Queued>();
    const controller = new AbortController();
    const waiter = new Queued(0, 100);
    let aborted = 0;
    queue.push(waiter);
    queue.leaveOnAbort(waiter, controller.signal, () => aborted++);
    queue.remove(waiter);
    controller.abort();
    expect(aborted).toBe(0);
  });

  it('lets one leave whose signal aborts', () => {
    const queue = new WaiterQueue<Queued>();
    const controller = new AbortController();
    const [one, other] = [new Queued(0, 100), new Queued(0, 100)];
    const left: Queued[] = [];
    for (const waiter of [one, other]) queue.push(waiter);
    queue.leaveOnAbort(one, controller.signal, () => left.push(one));
    controller.abort();
    expect([left, [...queue], one.settled]).toEqual([[one], [other], true]);
  });
});

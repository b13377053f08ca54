import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Lease } from '../../src/pool/lease.js';
import { Waiter, WaiterQueue } from '../../src/pool/waiter-queue.js';

type Step =
  | { readonly act: 'push'; readonly timeoutMs: number }
  | { readonly act: 'shift' }
  | { readonly act: 'remove'; readonly nth: number }
  | { readonly act: 'pass'; readonly ms: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        act: fc.constant('push' as const),
        timeoutMs: fc.oneof(fc.constantFrom(100, Number.POSITIVE_INFINITY), fc.nat({ max: 300 })),
      }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('shift' as const) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('remove' as const), nth: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('pass' as const), ms: fc.nat({ max: 40 }) }) },
  ),
  { maxLength: 300, size: 'max' },
);

function newWaiter(since: number, timeoutMs: number): Waiter<object> {
  return new Waiter<object>(since, timeoutMs, null);
}

/** A queue, and beside it the plain array that it must agree with. */
class Model {
  readonly queue = new WaiterQueue<object>();
  readonly waiters: Waiter<object>[] = [];
  now = 0;

  play(step: Step): void {
    switch (step.act) {
      case 'push': {
        const waiter = newWaiter(this.now, step.timeoutMs);
        this.waiters.push(waiter);
        expect(this.queue.push(waiter)).toBe(this.waiters.length);
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

  #soonest(): Waiter<object> | undefined {
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

describe('the queue of waiters', () => {
  it('agrees with an array that is searched for the next deadline', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const model = new Model();
        for (const step of all) {
          model.play(step);
          model.check();
        }
      }),
      { seed: 1, numRuns: 80 },
    );
  });

  it('forgets those who have left, though their deadlines were far off', () => {
    const queue = new WaiterQueue<object>();
    queue.push(newWaiter(0, 1000));
    // An earlier deadline behind a later one: from here on there is a heap.
    const early = newWaiter(0, 10);
    queue.push(early);
    for (let i = 0; i < 1000; i++) {
      const waiter = newWaiter(0, 500 + (i % 7));
      queue.push(waiter);
      queue.remove(waiter);
    }
    expect(queue.nextDeadline()).toBe(10);
    queue.remove(early);
    expect([queue.length, queue.nextDeadline()]).toEqual([1, 1000]);
  });

  it('stops listening to the signal of one who leaves', () => {
    const queue = new WaiterQueue<object>();
    const controller = new AbortController();
    const waiter = newWaiter(0, 100);
    let aborted = 0;
    const listener = (): void => void aborted++;
    controller.signal.addEventListener('abort', listener);
    waiter.abort = { signal: controller.signal, listener };
    queue.push(waiter);
    queue.remove(waiter);
    controller.abort();
    expect(aborted).toBe(0);
  });

  it('settles each promise for itself', async () => {
    const [one, other] = [newWaiter(0, 10), newWaiter(0, 10)];
    const lease = {} as Lease<object>;
    one.resolve(lease);
    other.reject(new Error('gone'));
    expect(await one.promise).toBe(lease);
    await expect(other.promise).rejects.toThrow('gone');
  });
});

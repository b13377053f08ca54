import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deque } from '../../src/base/deque.js';
import { collectGarbage } from '../helpers/garbage.js';

type Step = readonly ['push' | 'pop' | 'shift' | 'unshift' | 'remove', number];

const steps = fc.array(
  fc.tuple(
    // More comes than goes, so that the ring grows and wraps.
    fc.constantFrom<Step[0]>('push', 'push', 'push', 'unshift', 'unshift', 'pop', 'shift', 'remove'),
    fc.nat({ max: 20 }),
  ),
  { maxLength: 400, size: 'max' },
);

function onBoth(deque: Deque<number>, array: number[], [name, item]: Step): readonly [unknown, unknown] {
  switch (name) {
    case 'push':
      return [deque.push(item), void array.push(item)];
    case 'unshift':
      return [deque.unshift(item), void array.unshift(item)];
    case 'pop':
      return [deque.pop(), array.pop()];
    case 'shift':
      return [deque.shift(), array.shift()];
    case 'remove': {
      const at = array.indexOf(item);
      if (at >= 0) array.splice(at, 1);
      return [deque.remove(item), at >= 0];
    }
  }
}

function newItem(deque: Deque<object>): WeakRef<object> {
  const item = {};
  deque.push(item);
  return new WeakRef(item);
}

describe('a deque', () => {
  it('behaves as an array does, at both ends and in the middle', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const deque = new Deque<number>();
        const array: number[] = [];
        for (const step of all) {
          const [found, expected] = onBoth(deque, array, step);
          expect(found).toBe(expected);
          expect(deque.length).toBe(array.length);
          expect(deque.first).toBe(array[0]);
          expect([...deque]).toEqual(array);
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('keeps nothing alive that was taken out', async () => {
    const deque = new Deque<object>();
    const fill = () => Array.from({ length: 40 }, () => newItem(deque));
    const items = fill();
    deque.shift();
    deque.pop();
    deque.remove(items[20]!.deref()!);
    for (let i = 0; i < 30; i++) deque.shift();
    // To look at a weak reference keeps its object for that turn: not before all is over.
    await collectGarbage();
    const alive = items.flatMap((item) => item.deref() ?? []);
    expect(alive).toHaveLength(7);
    expect([...deque].every((item, i) => item === alive[i])).toBe(true);
  });
});

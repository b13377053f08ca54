import { describe, expect, it } from 'vitest';
import { isSameCall } from '../../src/base/call-site.js';
import { deliver, type FlowMark, FlowWatch } from '../../src/pool/flow-watch.js';
import { Slot } from '../../src/pool/slot.js';

/** What a stack looks like; the first frame is where acquire was called. */
function stack(...frames: string[]): Error {
  return Object.assign(new Error(), {
    stack: ['Error', ...frames.map((frame) => `    at ${frame}`)].join('\n'),
  });
}

describe('following flows', () => {
  it('remembers only leases that are out, however many flows a loop starts', async () => {
    const flows = new FlowWatch();
    const held: Slot<unknown>[] = [];
    let last: FlowMark | null = null;
    for (let i = 1; i <= 500; i++) {
      last = flows.mark(null);
      const slot = new Slot<unknown>(i);
      slot.leaseId = i;
      deliver(last, slot);
      held.push(slot);
      await null;
      // The oldest goes; at every moment three are out, so that each flow begins within another's lease.
      if (held.length > 3) held.shift()!.leaseId = 0;
    }
    let length = 0;
    for (let mark = last; mark !== null; mark = mark.outer) length++;
    expect(length).toBeLessThanOrEqual(4);
  });

  it('knows the innermost lease that the flow still holds', async () => {
    const flows = new FlowWatch();
    const borrow = async (id: number): Promise<Slot<unknown>> => {
      const slot = new Slot<unknown>(id);
      slot.leaseId = id;
      deliver(flows.mark(null), slot);
      await null;
      return slot;
    };
    expect(flows.held()).toBeNull();
    const outer = await borrow(1);
    const inner = await borrow(2);
    expect(flows.held()?.slot).toBe(inner);
    inner.leaseId = 0;
    expect(flows.held()?.slot).toBe(outer);
    // The same slot, lent to somebody else.
    outer.leaseId = 3;
    expect(flows.held()).toBeNull();
  });
});

describe('two acquires are the same call', () => {
  it.each([
    [
      'when a loop starts the same flow again',
      ['h (/a.js:3:9)', 'main (/a.js:8:5)'],
      ['h (/a.js:3:9)', 'main (/a.js:8:5)'],
      true,
    ],
    [
      'when the caller has waited in between',
      ['h (/a.js:3:9)', 'main (/a.js:8:11)'],
      ['h (/a.js:3:9)', 'async main (/a.js:8:5)'],
      true,
    ],
    ['when nobody called', ['/a.js:3:9'], ['/a.js:3:9'], true],
    [
      'but not in two places of one function',
      ['f (/a.js:3:9)', 'main (/a.js:8:5)'],
      ['f (/a.js:4:9)', 'main (/a.js:8:5)'],
      false,
    ],
    [
      'but not for two callers of a wrapper',
      ['open (/a.js:3:9)', 'f (/a.js:8:5)'],
      ['open (/a.js:3:9)', 'f (/a.js:9:5)'],
      false,
    ],
    ['but not where nothing is known', [], [], false],
  ])('%s', (_when, one, other, same) => {
    expect(isSameCall(stack(...one), stack(...other))).toBe(same);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOf, Merge } from '../../src/ws/merge.js';
import type { Seq } from '../../src/ws/venue.js';

/**
 * One stream of ticks comes on two sockets, each with a delay of its own. `order` says which socket is read next. Gives
 * what is delivered, as Moves and Delivery do it.
 */
function merged(
  count: number,
  order: readonly ('old' | 'new')[],
  startsAt: number,
  before: number,
  hasNumbers: boolean,
): number[] {
  const merge = new Merge();
  const delivered: number[] = [];
  // What came before the move; venues answer the subscribe with the newest of it.
  for (let n = 0; n < before; n++) delivered.push(n);
  let lastSeq: Seq | null = hasNumbers && before > 0 ? before - 1 : null;
  let floor: number | null = null;
  let repeats: string[] = [];
  let isHandedOver = false;
  const next = { old: before, new: before > 0 ? before - 1 : startsAt };
  const deliver = (n: number): void => {
    delivered.push(n);
    if (hasNumbers) lastSeq = n;
  };
  const handOver = (): void => {
    isHandedOver = true;
    for (const { data } of merge.held)
      if (!hasNumbers || lastSeq === null || (data as number) > Number(lastSeq)) deliver(data as number);
    repeats = [...merge.repeats];
  };
  const drained: ('old' | 'new')[] = Array.from({ length: 2 * count }, (_, at) =>
    at % 2 === 0 ? 'old' : 'new',
  );
  for (const socket of [...order, ...drained]) {
    const n = next[socket];
    if (n >= count) continue;
    next[socket]++;
    if (socket === 'old') {
      if (isHandedOver) continue;
      deliver(n);
      if (merge.delivered(n, lastSeq)) handOver();
      continue;
    }
    if (isHandedOver) {
      const at = repeats.indexOf(keyOf(n) ?? '');
      if (at >= 0) repeats.splice(0, at + 1);
      else if (floor === null || n > floor) deliver(n);
      continue;
    }
    const at = hasNumbers ? { seq: n } : undefined;
    const step = merge.next({ data: n, at, now: 0 }, lastSeq);
    if (step === 'hold') continue;
    if (step === 'drop') floor = hasNumbers ? Number(lastSeq) : null;
    handOver();
    if (step === 'deliver') deliver(n);
  }
  return delivered;
}

describe.each([
  ['numbers', true],
  ['their content', false],
])('two streams of one topic are merged by %s', (_how, hasNumbers) => {
  it('so that each tick is delivered once, in order, however the sockets are read', () => {
    const sockets = fc.array(fc.constantFrom('old' as const, 'new' as const), { maxLength: 60 });
    fc.assert(
      fc.property(sockets, fc.nat(10), fc.nat(3), (order, startsAt, before) => {
        const all = Array.from({ length: 40 }, (_, n) => n);
        expect(merged(40, order, startsAt, before, hasNumbers)).toEqual(all);
      }),
      { numRuns: 300, seed: 20_260_101 },
    );
  });
});

it('hands over at once at a tick that stands alone, and at one that cannot be compared', () => {
  const merge = new Merge();
  expect(merge.next({ data: 1, at: { seq: 9, snapshot: true }, now: 0 }, 5)).toBe('deliver');
  expect(merge.next({ data: 1n, at: undefined, now: 0 }, null)).toBe('deliver');
});

it('drops the state that answered the subscribe, if the old connection lives and does not deliver it again', () => {
  const merge = new Merge();
  for (const [data, now] of [
    ['state', 0],
    ['arriving', 1900],
  ] as const)
    expect(merge.next({ data, at: undefined, now }, null)).toBe('hold');
  merge.forgetStale(2000);
  expect(merge.held.map(({ data }) => data)).toEqual(['arriving']);
});

import { describe, expect, it } from 'vitest';
import type { Defect } from '../helpers/planted.js';
import { findCounterExample } from './property/interleavings.js';
import { loadPool } from './property/planted.js';

const seed = 20_260_101;

const defects: Readonly<Record<string, Defect & { readonly found: RegExp }>> = {
  'a lost wake-up: what comes back is kept though acquires wait': {
    file: 'pool/queue-pool.ts',
    line: 'if (this.#waiters.length === 0) this.#keep(slot, now);',
    instead: 'if (this.#waiters.length === 0 || !slot.fresh) this.#keep(slot, now);',
    found: /\d wait though \d are idle/,
  },
  'a lost wake-up: a place that is free again is told to nobody': {
    file: 'pool/queue-pool.ts',
    line: 'else if (this.#waiters.length > 0 || this.settings.minIdle > 0) this.#pump(',
    instead: 'else if (this.settings.minIdle > 0) this.#pump(',
    found: /have waited for \d+ ms, though there is room/,
  },
  'a double hand-out: a second release gives away what the next borrower has': {
    file: 'pool/lease.ts',
    line: "=== 'released') this.#owner.doubleRelease(this.id);",
    instead: `=== 'released') {
      this.#owner.doubleRelease(this.id);
      if (this.#slot.leaseId > 0) this.#owner.releaseLease(this.#slot, this.#slot.leaseId, options);
    }`,
    found: /lease \d+ was ended by another than its borrower/,
  },
  'a double hand-out: what comes back used is kept twice': {
    file: 'pool/queue-pool.ts',
    line: "slot.state = 'idle';",
    instead: "slot.state = 'idle'; if (!slot.fresh && slot.slotInfo.slotId > 1) this.#idle.push(slot);",
    found: /live, against the states: \d+, but \d+ expected/,
  },
  'a count that drifts: a lease whose resource is bad stays counted': {
    file: 'pool/slots.ts',
    line: 'this.#inUse--;',
    instead: 'if (!slot.soft) this.#inUse--;',
    found: /in use, against acquired - released: 1, but 0 expected/,
  },
  'a late resource dropped: what arrives after an abort is not closed': {
    file: 'pool/resource-life.ts',
    line: "signal.aborted ? this.close(resource, 'unwanted') :",
    instead: 'signal.aborted ? undefined :',
    found: /thing \d+ was never closed|open in the pool, against the driver: \d+, but \d+ expected/,
  },
  'a waiter forgotten at close: those without a deadline are not told': {
    file: 'pool/queue-pool.ts',
    line: 'waiter !== null; waiter = this.#waiters.shift()) {',
    instead: 'waiter !== null && waiter.timeoutMs < 1e9; waiter = this.#waiters.shift()) {',
    found: /waiting: 0, but \d+ expected/,
  },
  'an overtaker: who comes when one is being checked for another gets the next': {
    file: 'pool/queue-pool.ts',
    line: 'if (this.#waiters.length > 0) return null;',
    instead: '',
    found: /was served before acquire \d+, which still waits|tryAcquire overtook a waiter/,
  },
  'a forgotten deadline: it stays where it is in the heap when an earlier one comes': {
    file: 'base/waiter-queue.ts',
    line: 'if (heap[parent]!.deadline <= waiter.deadline) break;',
    instead: 'break;',
    found: /still waits at \d+, though it had time until/,
  },
};

/** The search is as long for all; where there is a defect it ends as soon as that shows. */
const runs = 3000;

describe('the random interleavings find', () => {
  it('nothing in a copy of the pool as it is', async () => {
    const Pool = await loadPool(null);
    expect(await findCounterExample(Pool, { runs: 300, seed })).toBeNull();
  });

  it.each(Object.entries(defects))('%s', async (_name, { found, ...defect }) => {
    const Pool = await loadPool(defect);
    expect(await findCounterExample(Pool, { runs, seed, shrink: false })).toMatch(found);
  });

  it('that a defect can no longer be planted', async () => {
    const gone = { file: 'pool/queue-pool.ts', line: 'no such line', instead: '' };
    await expect(loadPool(gone)).rejects.toThrow('src/pool/queue-pool.ts has this 0 times instead of once');
  });
});

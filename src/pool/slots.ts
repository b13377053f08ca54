import { formatSite, formatStack } from '../base/call-site.js';
import type { Holder } from '../snapshot/pool.js';
import type { BusyState } from './errors.js';
import { Slot } from './slot.js';
import type { BusyPlaces } from './timeout.js';

/**
 * The places of a pool: all slots, and how many are in each state. A slot counts as live from `occupy` to `vacate`, so
 * also while its resource is being opened or closed.
 */
export class Slots<R> {
  /** Every slot ever made; those that are vacant are used again first. */
  readonly #all: Slot<R>[] = [];
  readonly #vacant: Slot<R>[] = [];
  readonly #busy: Record<BusyState, number> = { creating: 0, checking: 0, resetting: 0, closing: 0 };
  #live = 0;
  #inUse = 0;
  #peakInUse = 0;

  get live(): number {
    return this.#live;
  }

  /** Leases that are out. */
  get inUse(): number {
    return this.#inUse;
  }

  /** The most leases at once since the peak was reset. */
  get peakInUse(): number {
    return this.#peakInUse;
  }

  get creating(): number {
    return this.#busy.creating;
  }

  get checking(): number {
    return this.#busy.checking;
  }

  get resetting(): number {
    return this.#busy.resetting;
  }

  get closing(): number {
    return this.#busy.closing;
  }

  resetPeak(): void {
    this.#peakInUse = this.#inUse;
  }

  /** Takes a place for a resource that is being opened. */
  occupy(now: number, generation: number): Slot<R> {
    const slot = this.#vacant.pop() ?? this.#newSlot();
    slot.generation = generation;
    this.enter(slot, 'creating', now);
    this.#live++;
    return slot;
  }

  /** The slot holds nothing any more, and its place is free. */
  vacate(slot: Slot<R>): void {
    slot.state = 'vacant';
    slot.resource = null;
    slot.info = {};
    slot.soft = false;
    slot.reported = false;
    slot.stopListening = null;
    slot.opening = null;
    this.#live--;
    this.#vacant.push(slot);
  }

  /** Something begins to be done to a slot, which is in no other such state. */
  enter(slot: Slot<R>, state: BusyState, now: number): void {
    slot.state = state;
    slot.stateSince = now;
    this.#busy[state]++;
  }

  /** It is done. */
  leave(state: BusyState): void {
    this.#busy[state]--;
  }

  /** A lease begins. */
  lend(slot: Slot<R>, leaseId: number, now: number): void {
    slot.state = 'leased';
    slot.leaseId = leaseId;
    slot.acquiredAt = now;
    slot.fresh = false;
    if (++this.#inUse > this.#peakInUse) this.#peakInUse = this.#inUse;
  }

  /** A lease ends. */
  takeBack(slot: Slot<R>): void {
    slot.leaseId = 0;
    this.#inUse--;
  }

  withId(slotId: number): Slot<R> | undefined {
    return this.#all[slotId - 1];
  }

  /** The slots that are lent, longest first: lease ids only grow. */
  leased(): Slot<R>[] {
    return this.#all.filter((slot) => slot.leaseId > 0).sort((a, b) => a.leaseId - b.leaseId);
  }

  busyPlaces(now: number): { readonly [State in BusyState]: BusyPlaces } {
    const of = (state: BusyState): BusyPlaces => {
      const since = this.#all.filter((slot) => slot.state === state).map(({ stateSince }) => stateSince);
      return {
        count: since.length,
        oldestMs: since.length === 0 ? null : Math.round(now - Math.min(...since)),
      };
    };
    return {
      creating: of('creating'),
      checking: of('checking'),
      resetting: of('resetting'),
      closing: of('closing'),
    };
  }

  #newSlot(): Slot<R> {
    const slot = new Slot<R>(this.#all.length + 1);
    this.#all.push(slot);
    return slot;
  }
}

/** The leases of slots as plain data. `now` is null if the pool does not note when leases begin. */
export function holdersOf<R>(slots: readonly Slot<R>[], now: number | null): Holder[] {
  return slots.map((slot) => ({
    leaseId: slot.leaseId,
    ageMs: now === null ? null : now - slot.acquiredAt,
    site: formatSite(slot.site),
    stack: formatStack(slot.site),
    leaked: slot.reported,
  }));
}

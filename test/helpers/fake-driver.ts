import type { DestroyReason, Driver, ResetMode, SlotInfo } from '../../src/pool/driver.js';

/** What pools lend in tests: it remembers what was done to it. */
export class Thing {
  /** Counts up from 1 in the order in which they were opened. */
  readonly id: number;
  readonly slotId: number;
  /** Which call of create brought it, from 1; creates that fail count too. */
  readonly nthCreate: number;
  /** What the default ping answers. */
  alive = true;
  readonly resets: ResetMode[] = [];
  pings = 0;
  /** Why it was closed, as soon as that has begun; null before. */
  closedAs: DestroyReason | null = null;
  listener: ((cause: Error) => void) | null = null;

  constructor(id: number, slotId: number, nthCreate = id) {
    this.id = id;
    this.slotId = slotId;
    this.nthCreate = nthCreate;
  }

  /** Breaks by itself, as when the server hangs up. */
  breakDown(cause: Error = new Disconnect('the server hung up')): void {
    this.alive = false;
    this.listener?.(cause);
  }
}

/** An error that says that the connection is gone. */
export class Disconnect extends Error {}

/** What a test adds to the steps of a driver. It is awaited, and what it throws is the failure of the step. */
export interface Steps {
  create(signal: AbortSignal, slot: SlotInfo): Promise<void> | void;
  destroy(thing: Thing, reason: DestroyReason): Promise<void> | void;
  ping(thing: Thing): Promise<void> | void;
  reset(thing: Thing, mode: ResetMode): Promise<void> | void;
}

/** A driver that counts, and whose every step a test can slow down, hold up or let fail. */
export class FakeDriver implements Driver<Thing> {
  readonly name = 'things';
  /** May be exchanged at any time. */
  readonly steps: Partial<Steps> = {};
  /** All that were ever opened. */
  readonly things: Thing[] = [];
  /** Calls of create, also of those that failed. */
  creates = 0;
  /** Things whose closing has begun. */
  closes = 0;
  /** Things opened and not yet closed to the end. */
  open = 0;
  peakOpen = 0;
  /** Pools swallow what destroy throws, so this mistake is counted as well. */
  closedTwice = 0;

  async create(signal: AbortSignal, slot: SlotInfo): Promise<Thing> {
    const nth = ++this.creates;
    await this.steps.create?.(signal, slot);
    const thing = new Thing(this.things.length + 1, slot.slotId, nth);
    this.things.push(thing);
    this.open++;
    this.peakOpen = Math.max(this.peakOpen, this.open);
    return thing;
  }

  destroy(thing: Thing, reason: DestroyReason): Promise<void> | void {
    if (thing.closedAs !== null) {
      this.closedTwice++;
      throw new Error(`thing ${thing.id} is closed twice`);
    }
    thing.closedAs = reason;
    this.closes++;
    const pending = this.steps.destroy?.(thing, reason);
    const closed = (): void => {
      this.open--;
    };
    if (pending instanceof Promise) return pending.finally(closed);
    closed();
  }

  async ping(thing: Thing): Promise<boolean> {
    thing.pings++;
    await this.steps.ping?.(thing);
    return thing.alive;
  }

  reset(thing: Thing, mode: ResetMode): Promise<void> | void {
    thing.resets.push(mode);
    return this.steps.reset?.(thing, mode);
  }

  onBroken(thing: Thing, listener: (cause: Error) => void): () => void {
    thing.listener = listener;
    return () => {
      thing.listener = null;
    };
  }

  isDisconnect(error: unknown): boolean {
    return error instanceof Disconnect;
  }
}

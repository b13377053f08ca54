import type { Position, Seq } from './venue.js';

/** A tick of the new connection that waits until the old one has delivered what came before it. */
export interface HeldTick {
  readonly data: unknown;
  readonly at: Position | undefined;
  readonly now: number;
}

/**
 * The verdict on a tick of the new connection: hand over and deliver it, hand over and drop it because the old
 * connection has delivered it, or hold it.
 */
export type MergeStep = 'deliver' | 'drop' | 'hold';

/** Ticks that are remembered while a topic moves, where they have no numbers. */
const RECENT = 64;
/** Two sockets to one venue are not further apart than this. */
const SETTLED_MS = 500;

/**
 * Merges the two streams of a topic that is moved while both connections have it, so that each tick is delivered once: by
 * number where there is one, else by content. The old connection delivers until both have delivered the same tick.
 */
export class Merge {
  readonly held: HeldTick[] = [];
  /** Content of what the old connection has delivered since the move began. */
  readonly #recent: string[] = [];
  readonly #heldKeys: (string | null)[] = [];

  /** A tick of the new connection. `lastSeq` is the last number that was delivered. */
  next(tick: HeldTick, lastSeq: Seq | null): MergeStep {
    const seq = tick.at?.seq ?? null;
    if (tick.at?.snapshot) return 'deliver';
    if (seq !== null) {
      if (lastSeq !== null && seq <= lastSeq) return 'drop';
    } else {
      const key = keyOf(tick.data);
      if (key === null) return 'deliver';
      const at = this.#recent.lastIndexOf(key);
      if (at >= 0) {
        // The new connection is behind by what the old one has delivered since. What is held came before.
        this.#recent.splice(0, at + 1);
        this.held.length = 0;
        return 'drop';
      }
      this.#heldKeys[this.held.length] = key;
    }
    this.held.push(tick);
    return 'hold';
  }

  /** The old connection has delivered a tick. True if the new one has it too: then what is held follows. */
  delivered(data: unknown, lastSeq: Seq | null): boolean {
    if (lastSeq !== null) {
      const seq = this.held[0]?.at?.seq ?? null;
      return seq !== null && lastSeq >= seq;
    }
    const key = keyOf(data);
    if (key === null) return false;
    const at = this.#heldKeys.indexOf(key);
    if (at >= 0) {
      this.held.splice(0, at + 1);
      this.#recent.length = 0;
      return true;
    }
    this.#recent.push(key);
    if (this.#recent.length > RECENT) this.#recent.shift();
    return false;
  }

  /**
   * The old connection lives and has not delivered what is held. Without numbers that is the state with which venues answer
   * a subscribe, and the old connection delivered it before the move; only what is just arriving may be new.
   */
  forgetStale(now: number): void {
    const isNew = ({ at, now: heldAt }: HeldTick): boolean => at?.seq != null || now - heldAt < SETTLED_MS;
    const kept = this.held.filter(isNew);
    this.held.splice(0, this.held.length, ...kept);
  }

  /** Content that the new connection is going to repeat, oldest first. */
  get repeats(): string[] {
    return this.#recent;
  }
}

/** null for what has no content that can be compared. */
export function keyOf(data: unknown): string | null {
  try {
    return JSON.stringify(data) ?? null;
  } catch {
    return null;
  }
}
